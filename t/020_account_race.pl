# Writers against a moderator, thousands of times: after a freeze has been committed, no row of that account is committed, at any
# isolation level.
#
# The judge is the server's own commit timestamps.  Each transaction writes in one round trip and commits in another, as an account
# that is about to be frozen; the moderator freezes one account after the other.
#
# That the test can see the race is shown by a build that leaves out the look at commit, which late rows must come of:
#	make clean; make COPT=-DMDR_TEST install; .ci/test tap t/020_account_race.pl
# That setting exists in no other build, and there this part is skipped.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $writers = 4;
my $transactions = 2500;

my $node = PostgreSQL::Test::Cluster->new('race');
$node->init;
$node->append_conf('postgresql.conf', "track_commit_timestamp = on\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation');
$node->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE TABLE post (author text, body text);
	SELECT moderation.guard('post', '{body}', 'author', 'test');
	CREATE SEQUENCE frozen;
	CREATE TABLE stop ();
	CREATE PROCEDURE freeze_on() LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. 20000 LOOP
			PERFORM moderation.freeze('account ' || nextval('frozen'), 'race');
			COMMIT;
			EXIT WHEN to_regclass('stop') IS NULL;
			PERFORM pg_sleep(0.002);
			COMMIT;
		END LOOP;
	END
	$$;
});

# Runs the race; returns the rows stored, the freezes, the transactions refused at COMMIT, and the rows committed too late.
sub race
{
	my ($level, $options) = @_;
	my $script = $node->basedir . '/writer.sql';
	my (@handles, @errors);
	my $connection = $node->connstr('postgres') . " options='" . ($options // '') . "'";

	$node->safe_psql('postgres', 'TRUNCATE post; DELETE FROM moderation.account; DELETE FROM moderation.account_event; '
		. 'CREATE TABLE IF NOT EXISTS stop ()');
	open my $file, '>', $script or die "$script: $!";
	print $file "BEGIN ISOLATION LEVEL $level;\n",
		"INSERT INTO post SELECT 'account ' || last_value + (random() * 2)::int, 'hello' FROM frozen;\nCOMMIT;\n" for 1 .. $transactions;
	close $file;

	my $moderator = IPC::Run::start([ 'psql', '-Xqd', $node->connstr('postgres'), '-c', 'CALL freeze_on()' ]);
	for my $i (0 .. $writers - 1)
	{
		$errors[$i] = '';
		push @handles, IPC::Run::start([ 'psql', '-Xqd', $connection, '-f', $script ], '2>', \$errors[$i]);
	}
	$_->finish for @handles;
	$node->safe_psql('postgres', 'DROP TABLE stop');
	$moderator->finish;

	my $stopped = 0;
	for (map { split /\n/ } @errors)
	{
		next unless /:(\d+): ERROR: +(.*)/;
		$stopped++ if $1 % 3 == 0 && $2 eq 'account is frozen';
		BAIL_OUT("unexpected: $_") unless $2 eq 'account is frozen' || $2 =~ /^could not serialize/;
	}
	my ($rows, $freezes, $late) = split /\|/, $node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM post), count(*), sum((SELECT count(*) FROM post AS p WHERE p.author = e.account
			AND pg_xact_commit_timestamp(p.xmin) > pg_xact_commit_timestamp(e.xmin)))
		FROM moderation.account_event AS e WHERE e.to_state = 'frozen'});
	note("$level: $rows rows stored, $freezes freezes, $stopped transactions refused at COMMIT, $late rows late");
	return ($rows, $freezes, $stopped, $late);
}

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my ($rows, $freezes, $stopped, $late) = race($level);
	cmp_ok($rows, '>', 100, "$level: rows were stored");
	cmp_ok($freezes, '>', 50, "$level: accounts were frozen");
	cmp_ok($stopped, '>', 0, "$level: some of them between write and COMMIT");
	is($late, 0, "$level: no row was committed after its account was frozen");
}

SKIP:
{
	my $known = $node->safe_psql('postgres', q{
		LOAD 'moderation'; SELECT count(*) FROM pg_settings WHERE name = 'moderation.test_no_commit_check'});
	skip 'the negative control needs a build with -DMDR_TEST', 1 unless $known;
	my ($rows, $freezes, $stopped, $late) = race('READ COMMITTED', '-c moderation.test_no_commit_check=on');
	cmp_ok($late, '>', 0, 'without the look at COMMIT, late rows are seen');
}

$node->stop;
done_testing();
