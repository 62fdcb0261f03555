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

# The ladder is so high that no test freezes an account by the way.
my $policy = <<'EOF';
policy: recorder_test
description: Two made-up words.
limits: {bytes: 16777216, on_unknown: reject}
views: []
ladder: {in_a_row: 0, within: {count: 100000, period: 1 day}, freezes: [1 hour], memory: 1 day}
categories:
  - id: recorder_word
    clause: {en: The word zorblax, zh: zorblax}
    flag_at: 0.4
    act_at: 0.7
    actions: [reject, reject, reject, reject]
    strike: true
    suspend: never
    evidence: hash
  - id: recorder_keep
    clause: {en: The word zorbkeep, zh: zorbkeep}
    flag_at: 0.4
    act_at: 0.7
    actions: [reject, reject, reject, reject]
    strike: true
    suspend: never
    evidence: content
---
category: recorder_word
rules:
  - id: recorder_word.zorblax.en
    language: en
    weight: 0.9
    severity: 2
    note: The word.
    terms: [zorblax]
    hits: ["a zorblax here"]
    misses: ["nothing here"]
---
category: recorder_keep
rules:
  - id: recorder_keep.zorbkeep.en
    language: en
    weight: 0.9
    severity: 2
    note: The word.
    terms: [zorbkeep]
    hits: ["a zorbkeep here"]
    misses: ["nothing here"]
EOF

# For pgbench: one refusal, swallowed, so that each transaction that pgbench counts is a violation that was acknowledged.
our $refuse = <<'EOF';
DO $$
BEGIN
	INSERT INTO post (account, body) VALUES ('flow', 'a zorblax in passing');
	RAISE 'the content was not refused';
EXCEPTION WHEN SQLSTATE 'MD001' THEN
	NULL;
END
$$;
EOF

# The extension and a guarded table in a database.
sub install
{
	my ($node, $database) = @_;
	$database //= 'postgres';
	$node->safe_psql($database, 'CREATE EXTENSION moderation');
	$node->safe_psql($database, "SELECT moderation.load_policy(\$document\$$policy\$document\$)");
	$node->safe_psql($database, q{
		CREATE TABLE post (account text, body text);
		SELECT moderation.guard('post', '{body}', 'account', 'recorder_test')});
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
