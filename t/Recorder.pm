# What the recorder's tests share: a guarded table whose policy refuses "zorblax" and preserves content with "zorbkeep", and
# short words for asking the server.  Every refused insert shows its violation_id in the DETAIL of MD001.
package Recorder;
use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
our @EXPORT = qw(install refused_id violations settled background worker_pid status wait_gone killed_start $refuse);

# What a load needs lies in t/recorder, which bench/recorder.sh uses, too: the policy, the table and a function in load.sql; and for
# pgbench one refusal, swallowed, so that each transaction that it counts is a violation that was acknowledged.
my $load = slurp_file('t/recorder/load.sql');
our $refuse = slurp_file('t/recorder/refuse.sql');

# The extension and a guarded table in a database.
sub install
{
	my ($node, $database) = @_;
	$database //= 'postgres';
	$node->safe_psql($database, "CREATE EXTENSION moderation; $load");
	return;
}

# Runs a statement that must be refused, returns the violation's id.
sub refused_id
{
	my ($node, $statement, $database) = @_;
	my ($code, $out, $err) = $node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$statement", on_error_stop => 0);
	return $err =~ /MD001/ && $err =~ /"violation_id": ?"([0-9a-f-]{36})"/ ? $1 : undef;
}

sub violations
{
	my ($node, $where, $database) = @_;
	return $node->safe_psql($database // 'postgres', 'SELECT count(*) FROM moderation.violation' . ($where ? " WHERE $where" : ''));
}

# Waits until nothing is queued, spooled or uncounted, and returns the number of violations.
sub settled
{
	my ($node, $database) = @_;
	$node->poll_query_until($database // 'postgres', q{
		SELECT queued = 0 AND spooled_files = 0 AND uncounted = 0 FROM moderation.recorder_status()})
	  or diag(status($node, $database));
	return violations($node, undef, $database);
}

sub status
{
	my ($node, $database) = @_;
	return $node->safe_psql($database // 'postgres', 'SELECT r FROM moderation.recorder_status() AS r');
}

sub worker_pid
{
	my ($node, $database) = @_;
	$database //= 'postgres';
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'moderation recorder' AND datname = '$database'");
}

# A client in the background; what it says is in the returned hash once ->{handle}->finish was called.
sub background
{
	my ($node, @command) = @_;
	my $client = { out => '', err => '' };
	local %ENV = ($node->_get_env());
	$client->{handle} = IPC::Run::start(\@command, '<', \undef, '>', \$client->{out}, '2>', \$client->{err});
	return $client;
}

# Starts a server whose postmaster was killed, as soon as what it left behind has noticed.
sub killed_start
{
	my ($node) = @_;
	for (1 .. 100)
	{
		return 1 if $node->start(fail_ok => 1);
		$node->{_pid} = undef;	# of the one that was killed, whose file is still there
		usleep(100_000);
	}
	BAIL_OUT('the server does not start after a kill');
}

sub wait_gone
{
	my ($node, $pid) = @_;
	return 1 unless $pid;
	return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
}

1;
