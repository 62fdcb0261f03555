# No growth of memory: a session that has stored a tenth of its rows is as big as at their end, whichever way they came, and so is the
# recorder's worker after refusals; connections, policies and guards that come and go leave nothing behind in the server.
#
# Short in "make test"; with MODERATION_SOAK=1 a million rows each, 10,000 connections, 1,000 policies, 1,000 guards.
# t/033_guard_memory.pl has masks, nested triggers and dropped tables.
use strict;
use warnings;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'memory is read from /proc' unless -r '/proc/self/status';
my $scale = $ENV{MODERATION_SOAK} ? 1 : 0;
my $rows = $scale ? 1_000_000 : 40_000;
my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_wal_size = 4GB\nlog_statement = none\nlog_min_messages = fatal\njit = off\nautovacuum = off\n"
	. "dynamic_shared_memory_type = mmap\n");	# files in a folder of this server's own, to be counted
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE UNLOGGED TABLE post (id int, author text, body text);
	SELECT moderation.guard('post', '{body}', 'author', 'test');
	-- Kilobytes that a process has to itself.
	CREATE FUNCTION memory(pid int DEFAULT NULL) RETURNS int LANGUAGE sql AS
		$$ SELECT substring(pg_read_file('/proc/' || coalesce(pid::text, 'self') || '/status') FROM 'RssAnon:\s+(\d+) kB')::int $$;
	CREATE PROCEDURE one_by_one(rows int) LANGUAGE plpgsql AS
		$$ BEGIN FOR i IN 1 .. rows LOOP INSERT INTO post VALUES (i, 'account ' || i % 100, 'hello ' || i); COMMIT; END LOOP; END $$;
	CREATE PROCEDURE refused(rows int) LANGUAGE plpgsql AS
		$$ BEGIN FOR i IN 1 .. rows LOOP
			BEGIN INSERT INTO post VALUES (i, NULL, 'a zorblax ' || i); RAISE 'stored'; EXCEPTION WHEN SQLSTATE 'MD001' THEN NULL; END;
			IF i % 1000 = 0 THEN COMMIT; END IF;
		END LOOP; END $$;
	CREATE PROCEDURE guards(rows int) LANGUAGE plpgsql AS
		$$ BEGIN FOR i IN 1 .. rows LOOP
			PERFORM moderation.unguard('side'); PERFORM moderation.guard('side', '{body}', 'author', 'test'); INSERT INTO side VALUES ('ada', 'hello'); COMMIT;
		END LOOP; END $$;
	CREATE PROCEDURE policies(rows int) LANGUAGE plpgsql AS
		$$ BEGIN FOR i IN 1 .. rows LOOP
			PERFORM moderation.load_policy(regexp_replace(p.document, 'description: [^\n]*', 'description: ' || i || random()))
				FROM moderation.policy AS p WHERE p.policy = 'test' AND p.policy_version = 1;
			INSERT INTO post VALUES (i, 'ada', 'hello');
			COMMIT;
		END LOOP; END $$;
	CREATE TABLE side (author text, body text);
	SELECT moderation.guard('side', '{body}', 'author', 'test');
});

sub measure { return "SELECT memory();\n" }

# Runs a statement for a tenth, and ten times; a session's kilobytes at the end less those after the second tenth.
sub grown
{
	my ($statement, $begin, $end) = @_;
	my $script = ($begin // '') . join('', map { "$statement;\n" . ($_ == 2 || $_ == 10 ? measure() : '') } 1 .. 10) . ($end // '');
	my @memory = grep { /^\d+$/ } split /\n/, $node->safe_psql('postgres', $script);
	note("memory: @memory kB");
	return $memory[1] - $memory[0];
}
sub server { return $node->safe_psql('postgres', shift) }
my $tenth = $rows / 10;
my $allowed = 2048;

cmp_ok(grown("CALL one_by_one($tenth)"), '<', $allowed, "$rows transactions of a row");
my $insert = "INSERT INTO post SELECT i, 'account ' || i % 100, 'hello ' || i FROM generate_series(1, $tenth) AS i";
cmp_ok(grown($insert, 'BEGIN;', 'ROLLBACK;'), '<', $allowed, "one transaction of $rows rows");
my $lines = File::Spec->rel2abs($node->basedir . '/lines');
open my $file, '>', $lines or die "$lines: $!";
print $file "$_\taccount " . $_ % 100 . "\thello $_\n" for 1 .. $tenth;
close $file;
cmp_ok(grown("COPY post FROM '$lines'; TRUNCATE post"), '<', $allowed, "COPY of $rows rows");
cmp_ok(grown("INSERT INTO post SELECT i, 'account ' || random(), 'hello' FROM generate_series(1, $tenth) AS i; TRUNCATE post"), '<', $allowed, "$rows accounts");
cmp_ok(grown("$insert; UPDATE post SET body = body || '!'; TRUNCATE post"), '<', $allowed, "$rows rows updated") if $scale;

# The ladder has nothing to do where no account is named, so that the flow of refusals is as quick as can be.
my $refusals = $scale ? 20_000 : 400;
my $settled = 'SELECT queued = 0 AND spooled_files = 0 FROM moderation.recorder_status()';
my $worker = q{SELECT coalesce(max(memory(pid)), 0) || ' ' || coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'};
server("CALL refused($refusals); CALL refused($refusals)");
$node->poll_query_until('postgres', $settled);
my @before = split / /, server($worker);
cmp_ok(grown("CALL refused($refusals)"), '<', $allowed, 10 * $refusals . ' refusals');
$node->poll_query_until('postgres', $settled);
my @after = split / /, server($worker);
note("worker: @before -> @after (kB, process)");
SKIP:
{
	skip 'the worker was started anew', 1 unless $before[1] == $after[1] && $before[1];
	cmp_ok($after[0] - $before[0], '<', 1024, 'the worker, meanwhile');
}
is(server(q{SELECT count(*) FROM moderation.violation}), 12 * $refusals, 'each is a violation');

# What linking a violation into its chain reads does not grow with the chain.
cmp_ok(server(q{SELECT (coalesce(sum(idx_tup_fetch), 0) + coalesce(sum(seq_tup_read), 0)) / (SELECT count(*) FROM moderation.violation)
	FROM pg_stat_all_tables WHERE relid = to_regclass('moderation.ledger')}), '<', 20, 'rows of the ledger read for each violation');

my $times = $scale ? 100 : 4;
cmp_ok(grown("CALL policies($times)"), '<', $allowed, 10 * $times . ' policies loaded and used');
cmp_ok(grown("CALL guards($times)"), '<', $allowed, 10 * $times . ' guards taken off and put on');

# Connections: each stores a row, and every tenth has one refused.
my $script = $node->basedir . '/connection.sql';
open $file, '>', $script or die "$script: $!";
print $file "INSERT INTO post VALUES (1, 'ada', 'hello');\n";
close $file;
my $connections = $scale ? 5_000 : 100;
my $postmaster = "SELECT memory($node->{_pid}) || ' ' || (SELECT sum(allocated_size) FROM pg_shmem_allocations)";
my $segments = sub { my @found = glob($node->data_dir . '/pg_dynshmem/*'); return scalar @found };
my $connect = sub { $node->command_ok([ 'pgbench', '-n', '-C', '-t', $connections, '-f', $script, $node->connstr('postgres') ], "$connections connections") };
$connect->();
@before = (split(/ /, server($postmaster)), $segments->());
$connect->();
@after = (split(/ /, server($postmaster)), $segments->());
note("postmaster: @before -> @after (kB, shared bytes, segments)");
cmp_ok($after[0] - $before[0], '<', 256, 'the postmaster is no bigger');
is($after[1], $before[1], 'nor is shared memory');
cmp_ok($after[2], '<=', $before[2] + 1, 'nor are there more segments');

# That growth would be seen: statements that are prepared, and kept.
server(q{CREATE PROCEDURE leak(rows int) LANGUAGE plpgsql AS
	$$ BEGIN FOR i IN 1 .. rows LOOP EXECUTE format('PREPARE leak_%s AS SELECT 1', (random() * 1e9)::int); END LOOP; END $$});
cmp_ok(grown('CALL leak(200)'), '>', $allowed, '2000 statements that are kept show');
$node->stop;
done_testing();
