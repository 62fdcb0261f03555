# The recorder's worker: killed under flow, kept from working, kept from starting; and never in an administrator's way.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use Test::More;
use Time::HiRes qw(time usleep);

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax');};
my $node = PostgreSQL::Test::Cluster->new('worker');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 0\n");
$node->start;
install($node);
append_to_file($node->basedir . '/refuse.sql', $refuse);

# Starts a flow of refusals.
sub flow
{
	my ($clients, $seconds) = @_;
	return background($node, 'pgbench', '-n', '-c', $clients, '-j', 1, '-T', $seconds, '-f', $node->basedir . '/refuse.sql', 'postgres');
}

# Waits for a flow's end; returns how many refusals were acknowledged.
sub acknowledged
{
	my ($flow) = @_;
	$flow->{handle}->finish;
	my ($count) = $flow->{out} =~ /number of transactions actually processed: (\d+)/;
	diag("pgbench: $flow->{err}") if !$count || $flow->{err} =~ /abort/;
	return $count // 0;
}

# Terminated again and again under flow: another worker takes over at once, nothing is lost, nothing comes twice.
my $expected = violations($node);
my $flow = flow(4, 3);
my %killed;
my $until = time + 2.5;
while (time < $until)
{
	my $pid = $node->safe_psql('postgres', q{SELECT pid || left(pg_terminate_backend(pid)::text, 0) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
	$killed{$_} = 1 for split /\n/, $pid;
	usleep(10_000);
}
my $count = acknowledged($flow);
cmp_ok(scalar keys %killed, '>', 10, 'workers were terminated under flow');
cmp_ok($count, '>', 100, 'and refusals went on');
is(settled($node), $expected += $count, 'each refusal is one violation');
is($node->safe_psql('postgres', 'SELECT timeouts FROM moderation.recorder_status()'), 0, 'nobody waited in vain');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT violation_id) FROM moderation.violation}), $expected, 'under its own id');
is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'flow'}), $expected, 'and one strike');

# It leaves when there is nothing to do, and refusals that meet it leaving are not lost.
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 2ms\n");
$node->reload;
append_to_file($node->basedir . '/pause.sql', '\set pause random(0, 6)' . "\n" . '\sleep :pause ms' . "\n" . $refuse);
$flow = background($node, 'pgbench', '-n', '-c', 2, '-T', 2, '-f', $node->basedir . '/pause.sql', 'postgres');
$count = acknowledged($flow);
is(settled($node), $expected += $count, 'workers that come and go lose nothing');
$node->adjust_conf('postgresql.conf', 'moderation.recorder_idle', undef);
$node->reload;

# The table is locked, by somebody else or by the refusing session: the wait is bounded, the violation is kept.
$node->append_conf('postgresql.conf', "moderation.record_timeout = 1000ms\n");
$node->reload;
my $lock = background($node, 'psql', '-X', '-d', 'postgres', '-c', 'BEGIN; LOCK TABLE moderation.violation; SELECT pg_sleep(60)');
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'moderation.violation'::regclass AND mode = 'AccessExclusiveLock' AND granted});
my $before = time;
ok(refused_id($node, $insert), 'refused while the table is locked');
my $took = time - $before;
cmp_ok($took, '>', 0.9, 'it waits');
cmp_ok($took, '<', 4, 'but not for long');
$before = time;
ok(refused_id($node, $insert), 'refused again');
cmp_ok(time - $before, '<', 0.9, 'and now hardly waits');
ok(-s $node->data_dir . '/moderation_spool/' . $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'}), 'both are spooled');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'});
$lock->{handle}->finish;
is(settled($node), $expected += 2, 'each is recorded once');

$before = time;
$node->psql('postgres', "BEGIN; LOCK TABLE moderation.violation; SAVEPOINT s; $insert ROLLBACK TO s; $insert COMMIT;", on_error_stop => 0);
cmp_ok(time - $before, '<', 4, 'a session that locks the table itself is refused in time, too');
is(settled($node), $expected += 2, 'and recorded once');
is($node->safe_psql('postgres', 'SELECT degraded FROM moderation.recorder_status()'), 'f', 'then all is as before');

# Somebody holds the account's row: recording does not wait, the strike follows.
$node->safe_psql('postgres', $refuse);
$expected++;
my $strikes = $node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'flow'});
$lock = background($node, 'psql', '-X', '-d', 'postgres', '-c', q{BEGIN; UPDATE moderation.account SET reason = reason WHERE account = 'flow'; SELECT pg_sleep(60)});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$before = time;
$node->safe_psql('postgres', $refuse) for 1 .. 3;
cmp_ok(time - $before, '<', 2, 'nobody waits for the account');
is(violations($node), $expected += 3, 'the violations are recorded');
is(violations($node, 'strike AND NOT counted'), 3, 'their strikes are not counted yet');
is($node->safe_psql('postgres', 'SELECT uncounted FROM moderation.recorder_status()'), 3, 'as the status says');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
ok(refused_id($node, $insert), 'another account is refused by a new worker');
is(violations($node), ++$expected, 'and recorded');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$lock->{handle}->finish;
is(settled($node), $expected, 'when the row is free, all is counted');
is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'flow'}), $strikes + 3, 'each once');

# So it is while refusals keep the worker busy all the time.
$lock = background($node, 'psql', '-X', '-d', 'postgres', '-c', q{BEGIN; UPDATE moderation.account SET reason = reason WHERE account = 'flow'; SELECT pg_sleep(60)});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$flow = flow(8, 4);
$node->poll_query_until('postgres', 'SELECT uncounted > 100 FROM moderation.recorder_status()');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$lock->{handle}->finish;
$node->poll_query_until('postgres', 'SELECT uncounted = 0 FROM moderation.recorder_status()');
ok($flow->{handle}->pumpable, 'late strikes are counted under flow');
$expected += acknowledged($flow);
is(settled($node), $expected, 'and each refusal is one violation');
is($node->safe_psql('postgres', q{SELECT sum(strikes) FROM moderation.account}), $expected, 'and one strike');

# No worker can be started: both slots are taken by the recorders of other databases.
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('postgres', 'CREATE DATABASE two');
install($node, $_) for qw(one two);
wait_gone($node, worker_pid($node));
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 4000ms\n");
$node->reload;
usleep(100_000);
ok(refused_id($node, $insert, $_), "refused in database $_") for qw(one two);
ok(worker_pid($node, $_), "database $_ has a worker of its own") for qw(one two);
my $session = Protocol->connect($node);
$session->query('SELECT * FROM moderation.recorder_status()');
$before = time;
ok(refused_id($node, $insert), 'refused when no slot is left');
cmp_ok(time - $before, '<', 0.9, 'at once');
is(violations($node), $expected, 'not in the table');
like($node->safe_psql('postgres', 'SELECT spooled_files, spooled_bytes > 0, registration_failures > 0 FROM moderation.recorder_status()'), qr/^1\|t\|t$/, 'but in the spool');
$node->safe_psql($_, 'SELECT moderation.stop_recorder()') for qw(one two);
wait_gone($node, worker_pid($node, $_)) for qw(one two);
my $until_free = time + 6;
my $free;
while (!$free && time < $until_free)
{
	usleep(100_000);
	$free = $session->query('SELECT spooled_files = 0 FROM moderation.recorder_status()')->{rows}[0][0] eq 't';
}
ok($free, 'when a slot is free, a session that is still connected is enough');
is(settled($node), ++$expected, 'and it is recorded, once');
is(violations($node, undef, $_), 1, "database $_ has its own violation and no other") for qw(one two);

# Administration with a worker in the database, which is idle.
$node->adjust_conf('postgresql.conf', 'moderation.recorder_idle', undef);
$node->reload;
usleep(100_000);
ok(refused_id($node, $insert, 'one'), 'database one has a worker again') or diag(status($node, 'one'));
ok(worker_pid($node, 'one'), 'that is resident');
$before = time;
is($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE one'), 0, 'CREATE DATABASE ... TEMPLATE succeeds');
cmp_ok(time - $before, '<', 5, 'within 5 s');
ok(refused_id($node, $insert, 'copy'), 'the copy refuses by itself');
is(violations($node, undef, 'copy'), 3, 'and records by itself');
is(violations($node, undef, 'one'), 2, 'not in the original');
$before = time;
is($node->psql('postgres', "DROP DATABASE $_"), 0, "DROP DATABASE $_ succeeds") for qw(copy one);
cmp_ok(time - $before, '<', 10, 'within 5 s each');

# The extension goes and comes back while its worker stays.
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 4000ms\n");
$node->reload;
usleep(100_000);
ok(refused_id($node, $insert, 'two'), 'database two has a worker');
my $pid = worker_pid($node, 'two');
$before = time;
is($node->psql('two', 'DROP EXTENSION moderation CASCADE'), 0, 'DROP EXTENSION succeeds');
$node->safe_psql('two', 'DROP TABLE post');
install($node, 'two');
ok(refused_id($node, $insert, 'two'), 'the new installation refuses');
SKIP:
{
	skip 'the installation took so long that the worker left', 1 if time - $before > 3.5;
	is(worker_pid($node, 'two'), $pid, 'with the worker of the old one');
}
is(settled($node, 'two'), 1, 'and records');

$node->stop;
done_testing();
