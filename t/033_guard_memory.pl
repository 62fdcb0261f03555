# A million rows through the guard leave the backend no bigger than the first hundred thousand did: in one transaction, in many,
# with rows that are flagged or masked among them, and with another trigger that runs after ours.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'memory is read from /proc' unless -r '/proc/self/status';
my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_wal_size = 4GB\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE UNLOGGED TABLE post (id int, author text, body text, doc jsonb);
	SELECT moderation.guard('post', '{body,doc}', 'author', 'test');
	CREATE FUNCTION memory() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+) kB')::int $$;
	CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
});

# Kilobytes after the second round, and after the last.
sub grown
{
	my ($rounds, $begin, $statement, $end) = @_;
	my $script = $begin;
	for my $round (1 .. $rounds)
	{
		$script .= "$statement;\n";
		$script .= "SELECT memory();\n" if $round == 2 || $round == $rounds;
	}
	my @memory = split /\n/, $node->safe_psql('postgres', "$script $end");
	note("memory: @memory kB");
	return $memory[-1] - $memory[0];
}
my $rows = q{INSERT INTO post SELECT i, 'account ' || i % 100, CASE i % 1000 WHEN 1 THEN 'a flagword ' || i WHEN 2 THEN 'a redactword ' || i
	ELSE repeat('harmless words ', 20) || i END, CASE WHEN i % 10 = 0 THEN '{"a": ["b", "hello"]}'::jsonb END FROM generate_series(1, 50000) i};
cmp_ok(grown(10, 'BEGIN;', $rows, 'ROLLBACK;'), '<', 2048, 'one transaction, 500,000 rows');
cmp_ok(grown(10, '', "$rows; TRUNCATE post", ''), '<', 2048, 'ten transactions, 500,000 rows');
cmp_ok(grown(40, '', q{DO $$ BEGIN FOR i IN 1..2000 LOOP BEGIN INSERT INTO post VALUES (i, 'account 1', repeat('hello ', 10)); EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$}, ''),
	'<', 2048, '80,000 subtransactions');
$node->safe_psql('postgres', 'CREATE TRIGGER zzzz BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION later()');
cmp_ok(grown(8, 'BEGIN;', $rows, 'ROLLBACK;'), '<', 2048, 'with another trigger after ours, 400,000 rows');
# Tables that come and go with their guards.
cmp_ok(grown(200, '', q{CREATE TABLE gone (author text, body text); SELECT FROM moderation.guard('gone', '{body}', 'author', 'test');
	INSERT INTO gone VALUES ('ada', 'hello'); DROP TABLE gone}, ''), '<', 2048, '200 guarded tables, dropped');
$node->stop;
done_testing();
