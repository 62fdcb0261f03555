# What a refusal needs is not to be had: space, memory, a worker, a table that takes rows.  The content is refused all the same, in
# time; the violation is kept, shown by the status, and recorded once when the fault is gone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use TestLibrary;
use Test::More;
use Time::HiRes qw(time usleep);

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax')};
my $keep = q{INSERT INTO post (account, body) SELECT 'ann', 'a zorbkeep ' || string_agg(md5(i::text), ' ') FROM generate_series(1, 32000) AS i};
my $node = PostgreSQL::Test::Cluster->new('faults');
$node->init(extra => ['--wal-segsize=1']);
# DSM in files of the data directory, where a test can get at it.
$node->append_conf('postgresql.conf', "dynamic_shared_memory_type = mmap\nmoderation.record_timeout = 500ms\nmoderation.recorder_idle = 100ms\nrestart_after_crash = on\n");
$node->start;
install($node);
use_test_library($node, 'postgres');
my $folder = $node->data_dir . '/moderation_spool';
my $database = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = current_database()});
my $expected = 0;
my $log_from = 0;

sub recorder { my ($columns) = @_; return $node->safe_psql('postgres', "SELECT $columns FROM moderation.recorder_status()"); }
sub log_since { my $log = slurp_file($node->logfile, $log_from); $log_from = -s $node->logfile; return $log; }
sub no_worker_left { return $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'moderation recorder'}); }

# A refusal with points set, how long it took, and that it is one.
sub refused_with
{
	my ($points, $what, $statement, $limit) = @_;
	my $before = time;
	my $id = refused_id($node, "SET moderation.test_points = '$points'; " . ($statement // $insert));
	my $took = time - $before;
	ok($id, "$what: refused");
	cmp_ok($took, '<', $limit // 1.5, "$what: in time");
	$expected++;
	return $id;
}
sub recorded_once
{
	my ($what) = @_;
	is(settled($node), $expected, "$what: recorded once");
	is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'ann'}), $expected, "$what: counted once");
	return;
}
sub lock_table
{
	my ($table) = @_;
	my $client = Protocol->connect($node);
	$client->query("BEGIN; LOCK TABLE $table");
	return $client;
}

# Neither worker nor spool: the last resort is the log.
refused_with('', 'nothing amiss');
recorded_once('nothing amiss');
$log_from = -s $node->logfile;
my $id = refused_with('ring_full=fail, no_worker=fail, spool_no_space=fail', 'no worker and no space', $keep);
(my $hex = $id) =~ s/-//g;
my $log = log_since();
like($log, qr/violation $hex is not in the tables/, 'the log has the violation');
like($log, qr/account "ann", category "recorder_keep", severity 2, action "reject", policy "recorder_test" version 1, relation public.post/, 'and what it is about');
like($log, qr/No space left on device/, 'and why');
unlike($log, qr/c4ca4238a0b9/, 'but not the content');
is(recorder('logged'), 1, 'the status counts it');
is($node->safe_psql('postgres', q{SELECT array_to_string(warnings, ' ') ~ 'server log' FROM moderation.status()}), 't', 'and warns of it');
is(violations($node, "violation_id = '$id'"), 0, 'it is in no table');
$expected--;

# No space for the spool while the table is locked: what the ring holds is not given up.
my $lock = lock_table('moderation.violation');
refused_with('spool_no_space=fail', 'table locked and no space');
like(log_since(), qr/is not in the tables/, 'the log has it');
is(recorder('queued'), 1, 'and it waits in the ring');
$lock->terminate;
recorded_once('table locked and no space');

# Half a write.
no_worker_left();
refused_with('ring_full=fail, no_worker=fail, spool_half=fail, spool_no_space=fail', 'half a write, then no space');
$expected--;
refused_with('ring_full=fail, no_worker=fail, spool_half=fail', 'writes in small pieces', $keep);
recorded_once('writes in small pieces');

# No shared memory for the root, the ring, a large content.
refused_with('ring_root=error', 'no root');
refused_with('ring_make=error', 'no ring');
recorded_once('no shared memory');
my $evidence = q{SELECT count(*), count(*) FILTER (WHERE content_sha256 = sha256(convert_to(content, 'UTF8')) AND length(content) > 1000000) FROM moderation.evidence};
my $before = $node->safe_psql('postgres', $evidence);
refused_with('ring_parcel=error', 'no segment for 1 MB', $keep);
recorded_once('no segment for 1 MB');
is($node->safe_psql('postgres', $evidence), join('|', map { $_ + 1 } split /\|/, $before), 'the evidence is whole');

# A ring that cannot be attached, once, is attached by the next try of the same session.
my ($ring) = grep { slurp_file($_) =~ /^2RDM/ } glob($node->data_dir . '/pg_dynshmem/mmap.*');
my $session = Protocol->connect($node);
rename $ring, "$ring.away" or die $!;
like($session->query($insert)->{seen}, qr/MD001/, 'refused while the ring cannot be attached');
rename "$ring.away", $ring or die $!;
$expected++;
recorded_once('a ring that could not be attached');
usleep(1_100_000);	# so long it is not tried again
my $recorded = recorder('recorded');
like($session->query($insert)->{seen}, qr/MD001/, 'refused by the same session when it can');
is(recorder('recorded || \' \' || spooled_files'), ($recorded + 1) . ' 0', 'and recorded through the ring');
$expected++;

# The table does not take rows, for a reason that does not pass by itself.
$node->safe_psql('postgres', q{ALTER TABLE moderation.violation ADD CONSTRAINT never CHECK (account <> 'ann') NOT VALID});
refused_with('', 'a constraint in the way');
ok(recorder('spooled_files') > 0, 'it is kept, and the status shows it');
is(violations($node), $expected - 1, 'not in the table');
$node->safe_psql('postgres', 'ALTER TABLE moderation.violation DROP CONSTRAINT never');
$node->reload;
recorded_once('a constraint in the way');
$node->safe_psql('postgres', q{CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no more rows'; END $$;
	CREATE TRIGGER stop BEFORE INSERT ON moderation.violation FOR EACH ROW EXECUTE FUNCTION stop()});
refused_with('', 'a trigger in the way', $keep);
refused_with('', 'a trigger in the way');
$node->kill9;
killed_start($node);
refused_with('', 'a trigger in the way, after a kill');
$node->safe_psql('postgres', 'DROP TRIGGER stop ON moderation.violation');
recorded_once('a trigger in the way');

# Settings of the database and of all roles do not reach the worker.
no_worker_left();
$node->safe_psql('postgres', q{CREATE ROLE nobody; GRANT INSERT ON post TO nobody;
	ALTER DATABASE postgres SET default_transaction_read_only = on; ALTER DATABASE postgres SET lock_timeout = 1;
	ALTER DATABASE postgres SET search_path = ''; ALTER DATABASE postgres SET default_transaction_isolation = serializable;
	ALTER DATABASE postgres SET synchronous_commit = off; ALTER DATABASE postgres SET session_replication_role = replica});
my $open = 'SET default_transaction_read_only = off; SET lock_timeout = 0; SET search_path = public; SET session_replication_role = origin;';
refused_with('', 'a read-only database', "$open RESET ROLE; $insert");
is(recorder('spooled_files'), 0, 'nothing is spooled');
$node->safe_psql('postgres', "$open ALTER DATABASE postgres RESET ALL");
recorded_once('a read-only database');
no_worker_left();
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET role = nobody');
refused_with('', 'a database whose sessions begin as another role', "SET ROLE none; $insert");
is($node->safe_psql('postgres', 'SET ROLE none; SELECT spooled_files FROM moderation.recorder_status()'), 0, 'nothing is spooled');
$node->safe_psql('postgres', 'SET ROLE none; ALTER DATABASE postgres RESET ALL');
recorded_once('a database whose sessions begin as another role');

# The ring is full: the worker is stopped, and each refusal leaves its unit behind.
refused_with('', 'before the worker stops');
my $worker = worker_pid($node);
kill 'STOP', $worker;
$node->append_conf('postgresql.conf', "moderation.record_timeout = 10ms\n");
$node->reload;
$session = Protocol->connect($node);
$before = time;
my $refused = grep { $session->query($insert)->{seen} =~ /MD001/ } 1 .. 150;
my $took = time - $before;
is($refused, 150, 'refused while the worker is stopped and the ring is full');
cmp_ok($took, '<', 15, 'in time');
cmp_ok(recorder('queued'), '>=', 127, 'the ring is full');
kill 'CONT', $worker;
$expected += 150;
recorded_once('a full ring');
$node->append_conf('postgresql.conf', "moderation.record_timeout = 500ms\n");
$node->reload;

# The postmaster dies alone while a client waits: its last act is the spool.
no_worker_left();
$lock = lock_table('moderation.violation');
$session = Protocol->connect($node);
$node->append_conf('postgresql.conf', "moderation.record_timeout = 60s\n");
$node->reload;
usleep(100_000);
$session->send_query($insert);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND backend_type = 'client backend'});
$node->kill9;
is($session->receive->{status}, undef, 'the connection is lost');
killed_start($node);
$node->adjust_conf('postgresql.conf', 'moderation.record_timeout', '500ms');
$node->reload;
$expected++;
recorded_once('a postmaster killed alone');

# What waits is done soon after the reason is gone, once anything happens in the database, if only a session that stays connected and
# asks how the recorder fares; neither does it matter how often it was tried before, nor which worker, or server, left it.
$session = Protocol->connect($node);
sub drained_within
{
	my ($seconds, $what, $query) = @_;
	my $before = time;
	my $done;
	while (!$done && time - $before < $seconds)
	{
		usleep(100_000);
		$done = $session->query($query // 'SELECT queued = 0 AND spooled_files = 0 AND uncounted = 0 FROM moderation.recorder_status()')->{rows}[0][0] eq 't';
	}
	ok($done, sprintf '%s: done %.1f s later', $what, time - $before) or diag(status($node));
	return;
}
no_worker_left();
$node->safe_psql('postgres', q{ALTER TABLE moderation.violation ADD CONSTRAINT never CHECK (account <> 'ann') NOT VALID});
for (1 .. 5) { refused_with('', 'refused again and again by the tables'); usleep(550_000); }
$node->safe_psql('postgres', 'ALTER TABLE moderation.violation DROP CONSTRAINT never');
drained_within(8, 'a table that was mended');
recorded_once('a table that was mended');

no_worker_left();
my $notes = $node->safe_psql('postgres', q{SET moderation.test_points = 'no_worker=fail'; SELECT moderation.freeze('zoe', 'test'); SELECT unlinked > 0 FROM moderation.ledger_status()});
like($notes, qr/t$/, 'something is noted for the ledger, and there is no worker');
drained_within(6, 'a note for the ledger', 'SELECT unlinked = 0 FROM moderation.ledger_status()');

$lock = Protocol->connect($node);
$lock->query(q{BEGIN; SELECT FROM moderation.account WHERE account = 'ann' FOR UPDATE});
refused_with('', 'the account is locked');
is(recorder('uncounted'), 1, 'its strike is not counted');
$node->kill9;
killed_start($node);
$session = Protocol->connect($node);
drained_within(6, 'a strike left uncounted by a server that was killed');
recorded_once('a strike left uncounted by a server that was killed');

# A worker that can record nothing for a reason of its own, as when it still runs the library that an update has replaced: another
# one takes its place, however busy the flow of refusals keeps it.
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 4000ms\n");
$node->reload;
usleep(100_000);
refused_with('', 'before the library is another');
$worker = worker_pid($node);
$node->safe_psql('postgres', q{UPDATE pg_proc SET probin = '$libdir/moderation' WHERE probin = '$libdir/moderation_test'});
$before = time;
while (time - $before < 8 && worker_pid($node) eq $worker) { ok(refused_id($node, $insert), 'refused'); $expected++; usleep(200_000); }
isnt(worker_pid($node), $worker, sprintf 'the worker that fails is gone %.1f s later', time - $before);
ok(refused_id($node, $insert), 'refused');
$expected++;
isnt(recorder('recorded'), 0, 'and recorded by another one');
$session = Protocol->connect($node);
drained_within(8, 'what the worker that failed left behind');
recorded_once('what the worker that failed left behind');
use_test_library($node, 'postgres');
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 100ms\n");
$node->reload;
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});

# A real limit: no file of this server may grow beyond 2.5 MB, so that evidence, segments and spool soon find no space.
SKIP:
{
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	skip 'no prlimit', 1 if system("prlimit --pid $postmaster --fsize=2500000: 2>/dev/null") != 0;
	no_worker_left();
	my $evidence = 'SELECT count(*) FROM moderation.evidence';
	my $before = $node->safe_psql('postgres', $evidence);
	my $logged = recorder('logged');
	refused_with('', 'a full disk', $keep, 4) for 1 .. 10;
	refused_with('', 'a full disk, a small content', undef, 4) for 1 .. 2;
	my $lost = recorder('logged') - $logged;
	cmp_ok(recorder('spooled_bytes'), '>', 2_000_000, 'what fits is kept');
	cmp_ok($lost, '>', 0, 'and what does not is logged, and counted');
	system("prlimit --pid $postmaster --fsize=unlimited:") == 0 or die;
	# The worker has the limit still, and makes room for another one.
	is(settled($node), $expected, 'with space again: every violation is recorded once');
	is($node->safe_psql('postgres', $evidence), $before + 10 - $lost, 'with all the evidence that was kept');
	note("10 refused with 1 MB each: $lost were logged only");
}
$node->stop;
done_testing();
