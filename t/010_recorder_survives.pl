# A refused content leaves a durable violation before the client sees its error: whatever the client rolls back, and however the
# server ends right after.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Recorder;
use Test::More;
use Time::HiRes qw(time usleep);

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax');};
my $node = PostgreSQL::Test::Cluster->new('survives');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->start;
install($node);

# What the client takes back.
my $id = refused_id($node, $insert);
ok($id, 'the content is refused and the error tells the violation');
is(violations($node, "violation_id = '$id' AND account = 'ann' AND category = 'recorder_word' AND action = 'reject' AND severity = 2 "
	. "AND policy = 'recorder_test' AND policy_version = 1 AND 'recorder_word.zorblax.en' = ANY (rules) AND column_name = 'body' "
	. "AND relation = 'public.post' AND content_sha256 = sha256('a zorblax') AND db_role = current_user AND strike AND counted"), 1,
	'the row says all there is to say, and the ladder has counted it');
is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'ann'}), 1, 'the strike is counted once');
my %taken = (
	'ROLLBACK' => "BEGIN; $insert ROLLBACK;",
	'a savepoint' => "BEGIN; SAVEPOINT s; $insert ROLLBACK TO s; COMMIT;",
	'an exception block' => "DO \$\$ BEGIN $insert EXCEPTION WHEN SQLSTATE 'MD001' THEN RAISE LOG 'swallowed'; END \$\$;",
	'SERIALIZABLE' => "BEGIN ISOLATION LEVEL SERIALIZABLE; $insert ROLLBACK;",
	'a session that ends at once' => "BEGIN; $insert",
	'asynchronous commit' => "SET synchronous_commit = off; $insert");
my $expected = 1;
for my $how (sort keys %taken)
{
	$node->psql('postgres', $taken{$how});
	is(violations($node), ++$expected, "recorded, in spite of $how");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM post'), 0, 'nothing was stored');

# How the server ends.
for my $how (qw(kill immediate))
{
	$id = refused_id($node, $insert);
	$how eq 'kill' ? $node->kill9 : $node->stop('immediate');
	killed_start($node);
	is(violations($node, "violation_id = '$id'"), 1, "recorded, and there after $how");
	$expected++;
}
is(violations($node), $expected, 'nothing was recorded twice');

# A crash of one process restarts the others: the ring is made anew.
$id = refused_id($node, $insert);
my $pid = worker_pid($node);
kill 'KILL', $pid;
$node->poll_query_until('postgres', "SELECT pg_postmaster_start_time() < now() AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
is(violations($node, "violation_id = '$id'"), 1, 'recorded, and there after a crash of the worker');
ok(refused_id($node, $insert), 'and the next one is refused');
is(violations($node), $expected += 2, 'and recorded');

# Preserved content, larger than anything that fits the ring.
$id = refused_id($node, q{INSERT INTO post (account, body) SELECT 'big', 'zorbkeep ' || string_agg(md5(i::text), ' ') FROM generate_series(1, 160000) AS i;});
ok($id, 'a content of 5 MB is refused');
is($node->safe_psql('postgres', "SELECT length(content) > 5000000 AND content_sha256 = sha256(convert_to(content, 'UTF8')) AND preserved_until IS NULL
	FROM moderation.evidence WHERE violation_id = '$id' AND account = 'big'"), 't', 'and preserved whole');
is($node->safe_psql('postgres', 'SELECT count(*) FROM moderation.evidence'), 1, 'only where the category says so');
is($node->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation AS v WHERE strike AND NOT counted}), 0, 'every strike is counted');
$expected++;

# A client that is stopped while it waits: the table is locked, so that it must wait.
for my $how (qw(pg_cancel_backend pg_terminate_backend statement_timeout))
{
	my $lock = background($node, 'psql', '-X', '-d', 'postgres', '-c', 'BEGIN; LOCK TABLE moderation.violation; SELECT pg_sleep(60)');
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'moderation.violation'::regclass AND mode = 'AccessExclusiveLock' AND granted});
	my $client = background($node, 'psql', '-X', '-d', 'postgres', '-c', $how eq 'statement_timeout' ? 'SET statement_timeout = 300' : 'SELECT 1', '-c', $insert);
	if ($how ne 'statement_timeout')
	{
		$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND backend_type = 'client backend'});
		$node->safe_psql('postgres', "SELECT $how(pid) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND backend_type = 'client backend'");
	}
	my $before = time;
	$client->{handle}->finish;
	cmp_ok(time - $before, '<', 1.9, "$how ends the wait");
	like($client->{err}, qr/canceling statement|terminating connection|server closed/, "$how is what the client hears of");
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'});
	$lock->{handle}->finish;
	is(settled($node), ++$expected, "the violation is recorded in spite of $how, once");
}

# A server that is shut down while a client waits takes the ring with it: the client's last act is the spool.
my $lock = background($node, 'psql', '-X', '-d', 'postgres', '-c', 'BEGIN; LOCK TABLE moderation.violation; SELECT pg_sleep(60)');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'moderation.violation'::regclass AND mode = 'AccessExclusiveLock' AND granted});
my $client = background($node, 'psql', '-X', '-d', 'postgres', '-c', $insert);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND backend_type = 'client backend'});
$node->stop('fast');
$_->{handle}->finish for $lock, $client;
like($client->{err}, qr/terminating connection|server closed/, 'a shutdown ends the wait');
$node->start;
is(settled($node), ++$expected, 'and the violation is recorded by the next server, once');

$node->stop;
done_testing();
