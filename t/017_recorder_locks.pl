# No deadlock between a session and the recorder, whatever locks the session or another holds; and an idle recorder is in nobody's
# way, whatever an administrator does to the database or to our tables.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use Test::More;
use Time::HiRes qw(time usleep);

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorbkeep')};
my $node = PostgreSQL::Test::Cluster->new('locks');
$node->init;
$node->append_conf('postgresql.conf', "moderation.record_timeout = 500ms\nmoderation.recorder_idle = 300ms\ndeadlock_timeout = 100ms\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE app');
install($node, 'app');
sub app { my ($sql) = @_; return $node->safe_psql('app', $sql); }
my $expected = 1;
ok(refused_id($node, $insert, 'app'), 'an account is known');
settled($node, 'app');

# What a session may hold.  Each is tried by the refusing session itself, and by another one that waits.
my %lock = (
	map({ ("LOCK moderation.$_" => "LOCK TABLE moderation.$_ IN ACCESS EXCLUSIVE MODE") }
		split ' ', app(q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'moderation'::regnamespace AND relkind = 'r'
			AND relname ~ '^(violation|evidence|account|account_event|freeze_gate|ledger.*|guarded)$'})),
	'the account\'s row' => q{SELECT FROM moderation.account WHERE account = 'ann' FOR UPDATE},
	'every violation\'s row' => 'SELECT FROM moderation.violation FOR UPDATE',
	'an advisory lock' => 'SELECT pg_advisory_xact_lock(1), pg_advisory_xact_lock(1, 1)',
	'DDL on moderation.violation' => 'ALTER TABLE moderation.violation ADD COLUMN more int',
	'the guarded table' => 'LOCK TABLE post IN ACCESS EXCLUSIVE MODE');
my $slowest = 0;
for my $what (sort keys %lock)
{
	my $self = Protocol->connect($node, database => 'app');
	is($self->query("BEGIN; $lock{$what}")->{status}, 'T', "$what: held");
	my $before = time;
	like($self->query($insert)->{seen}, qr/^\[MD001\]/, "$what, by the refusing session: refused");
	my $took = time - $before;
	$self->query('ROLLBACK');
	$expected++;
	# The guard itself reads these, before there is anything to record: an ordinary wait, as for a lock on the guarded table.
	if ($what !~ /moderation\.(account|guarded)$|the guarded table/)
	{
		$self->query("BEGIN; $lock{$what}");
		my $other = Protocol->connect($node, database => 'app');
		my $then = time;
		like($other->query($insert)->{seen}, qr/^\[MD001\]/, "$what, by another session: refused");
		$took = time - $then if $took < time - $then;
		$other->terminate;
		$self->query('ROLLBACK');
		$expected++;
	}
	$self->terminate;
	cmp_ok($took, '<', 3, "$what: within moderation.record_timeout and a little");
	$slowest = $took if $took > $slowest;
	is(settled($node, 'app'), $expected, "$what: recorded once");
}
is(app(q{SELECT strikes FROM moderation.account WHERE account = 'ann'}), $expected, 'each is one strike');
unlike(slurp_file($node->logfile), qr/deadlock detected/, 'and there was no deadlock');
note(sprintf 'the slowest refusal took %.2f s', $slowest);

# Administration beside an idle worker: each command at the moment when the worker has just worked.
sub administer
{
	my ($what, $database, $sql, $limit) = @_;
	my $id = refused_id($node, $insert, 'app');
	$expected++;
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'app' AND backend_type = 'client backend')});
	ok(worker_pid($node, 'app'), "$what: there is a worker");
	my $before = time;
	is($node->psql($database, $sql), 0, "$what succeeds");
	my $took = time - $before;
	cmp_ok($took, '<', $limit, sprintf '%s took %.2f s', $what, $took);
	return;
}
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 1000ms\n");
$node->reload;
administer('VACUUM FULL', 'app', 'VACUUM FULL moderation.violation', 4);
administer('REINDEX', 'app', 'REINDEX TABLE moderation.violation', 4);
administer('REINDEX CONCURRENTLY', 'app', 'REINDEX TABLE CONCURRENTLY moderation.evidence', 4);
administer('CLUSTER', 'app', 'CLUSTER moderation.violation USING violation_account_occurred', 4);
administer('ALTER TABLE', 'app', 'ALTER TABLE moderation.violation ADD COLUMN more int DEFAULT random(); ALTER TABLE moderation.violation DROP COLUMN more', 4);
administer('ALTER EXTENSION UPDATE', 'app', 'ALTER EXTENSION moderation UPDATE', 4);
administer('ALTER DATABASE RENAME', 'postgres', 'ALTER DATABASE app RENAME TO shop; ALTER DATABASE shop RENAME TO app', 5);
administer('CREATE DATABASE TEMPLATE', 'postgres', 'CREATE DATABASE copy TEMPLATE app STRATEGY file_copy', 8);
is(settled($node, 'app'), $expected, 'nothing was lost meanwhile');

# Who may signal backends may not stop the recorder.
$node->safe_psql('postgres', 'CREATE ROLE janitor LOGIN; GRANT pg_signal_backend TO janitor');
refused_id($node, $insert, 'app');
$expected++;
my $pid = worker_pid($node, 'app');
my $janitor = Protocol->connect($node, user => 'janitor');
my $answer = $janitor->query("SELECT pg_terminate_backend($pid)");
$janitor->terminate;
like($answer->{seen}, qr/\[42501\]/, 'a member of pg_signal_backend cannot terminate the worker');
is(worker_pid($node, 'app'), $pid, 'which is there still');
is(settled($node, 'app'), $expected, 'and has lost nothing');

administer('DROP EXTENSION', 'app', 'DROP TABLE post; DROP EXTENSION moderation CASCADE', 4);
install($node, 'app');
$expected = 0;
administer('DROP DATABASE', 'postgres', 'DROP DATABASE app', 8);
$node->stop;
done_testing();
