# The ledger under load: what many sessions note is linked once, in one chain for each account, by the worker, by hand, after a crash,
# and with no worker to be had; and nobody who seals holds up a refusal.  The chains are recomputed here, outside the server.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Recorder;
use Test::More;
use TestLibrary;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('ledger');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nmoderation.seal_interval = 1s\n");
$node->start;
install($node);
use_test_library($node, 'postgres');
# The same policy, where it only flags.
$node->safe_psql('postgres', q{
	CREATE TABLE remark (account text, body text);
	SELECT moderation.guard('remark', '{body}', 'account', 'recorder_test', 'flag')});
my $dir = $node->basedir;

sub points
{
	my ($points) = @_;
	$node->adjust_conf('postgresql.conf', 'moderation.test_points', undef);
	$node->append_conf('postgresql.conf', "moderation.test_points = '$points'\n") if $points;
	$node->reload;
	return;
}
sub problems { return $node->safe_psql('postgres', 'SELECT chain, position, problem FROM moderation.verify_ledger()'); }
# Waits until everything is linked, and returns how many entries there are.
sub linked
{
	my ($where) = @_;
	$node->poll_query_until('postgres', 'SELECT unlinked = 0 FROM moderation.ledger_status()') or diag('it is not linked');
	return $node->safe_psql('postgres', 'SELECT count(*) FROM moderation.ledger' . ($where ? " WHERE $where" : ''));
}
sub sealed
{
	return $node->poll_query_until('postgres', 'SELECT unlinked = 0 AND unsealed = 0 FROM moderation.ledger_status()');
}

# Every chain, every head, every digest, from what the tables say and docs/ledger.md.  Returns the number of entries, dies on a difference.
sub recompute
{
	my (%end, $entries, @head);
	my $micros = '(extract(epoch FROM %s) * 1000000)::bigint';
	my $query = "SELECT coalesce(encode(convert_to(account, 'UTF8'), 'hex'), '-'), position, kind, subject, encode(entry_sha256, 'hex'), "
		. join(', ', map { sprintf($micros, $_) } qw(noted_at linked_at)) . ", noted_xid, encode(chain_sha256, 'hex')
		FROM moderation.ledger ORDER BY account NULLS FIRST, position";
	for (split /\n/, $node->safe_psql('postgres', $query))
	{
		my ($account, @fields) = split /\|/;
		my $chain = pop @fields;
		my $previous = $end{$account} // ($account eq '-' ? '0' x 64 : sha256_hex(pack 'H*', $account));
		die "position $fields[0] of $account" if $chain ne sha256_hex(join "\n", $previous, @fields);
		$end{$account} = $chain;
		$entries++;
	}
	my %heads;
	for (split /\n/, $node->safe_psql('postgres', "SELECT seal, coalesce(encode(convert_to(account, 'UTF8'), 'hex'), '-'), position, encode(chain_sha256, 'hex') FROM moderation.ledger_head"))
	{
		my ($seal, $account, @rest) = split /\|/;
		push @{ $heads{$seal} }, sha256_hex(join "\n", $account eq '-' ? '0' x 64 : sha256_hex(pack 'H*', $account), @rest);
	}
	my $digest = '0' x 64;
	for (split /\n/, $node->safe_psql('postgres', "SELECT seal, " . sprintf($micros, 'sealed_at') . ", entries, accounts, system_identifier, timeline,
		database, lsn - '0/0', next_xid, encode(digest, 'hex') FROM moderation.ledger_seal ORDER BY seal"))
	{
		my @fields = split /\|/;
		my $stored = pop @fields;
		$digest = sha256_hex(join "\n", $digest, @fields, sort @{ $heads{ $fields[0] } });
		die "seal $fields[0]" if $digest ne $stored;
	}
	return $entries;
}

# A refusal, a flagged row, a decision: linked by the worker and sealed when it leaves.
$node->safe_psql('postgres', q{INSERT INTO remark VALUES ('ann', 'a zorblax')});
ok(refused_id($node, q{INSERT INTO post VALUES ('ann', 'a zorblax')}), 'refused');
$node->safe_psql('postgres', q{SELECT moderation.freeze('ben', 'by hand')});
is(linked(q{account IN ('ann', 'ben')}), 4, 'what is stored, refused, warned of and decided is linked by itself');
ok(sealed(), 'and sealed');
is(problems(), '', 'nothing is wrong');
cmp_ok(recompute(), '>=', 4, 'chains and digests are recomputed outside');
is($node->safe_psql('postgres', q{SELECT count(*) FROM moderation.ledger AS l JOIN moderation.violation AS v ON v.violation_id = l.subject
	WHERE l.account = 'ann' AND encode(l.entry_sha256, 'hex') = '} . sha256_hex($node->safe_psql('postgres',
	q{SELECT moderation.ledger_entry(v) FROM moderation.violation AS v JOIN moderation.ledger AS l ON l.subject = v.violation_id WHERE l.account = 'ann' AND position = 1})) . q{'}),
	1, 'and so is an entry');

# Many sessions flag content of one account, others refuse, one freezes and reinstates by hand, one seals by hand.
append_to_file("$dir/refuse.sql", $refuse);
append_to_file("$dir/flag.sql", "INSERT INTO remark VALUES ('flow', 'a zorblax'), ('other', 'a zorblax');\n");
append_to_file("$dir/decide.sql", "SELECT moderation.freeze('decided', 'by hand');\nSELECT moderation.reinstate('decided', 'by hand');\n\\sleep 2 ms\n");
append_to_file("$dir/seal.sql", "SELECT moderation.seal();\n\\sleep 20 ms\n");
my @flows = map { background($node, 'pgbench', '-n', '-c', $_->[1], '-T', 3, '-f', "$dir/$_->[0].sql", 'postgres') }
	([ 'refuse', 3 ], [ 'flag', 3 ], [ 'decide', 1 ], [ 'seal', 1 ]);
$_->{handle}->finish for @flows;
my ($refused, $flagged, $decided, $seals) = map { $_->{out} =~ /number of transactions actually processed: (\d+)/ ? $1 : 0 } @flows;
cmp_ok($_, '>', 20, 'all had their turn') for $refused, $flagged, $decided, $seals;
settled($node);
ok(sealed(), 'what they did is linked and sealed');
is($node->safe_psql('postgres', q{SELECT count(*), max(position) FROM moderation.ledger WHERE account = 'flow'}), join('|', ($refused + $flagged + 1) x 2), 'in one chain, each once, and the warning');
is($node->safe_psql('postgres', q{SELECT count(*), max(position) FROM moderation.ledger WHERE account = 'decided'}), join('|', (2 * $decided) x 2), 'decisions, too');
is(problems(), '', 'nothing is wrong');
cmp_ok(recompute(), '>', $refused + 2 * $flagged, 'and it can be recomputed');

# seal() held open in a transaction: refusals do not wait, and what they note is linked when it ends.
sub held
{
	my $session = $node->background_psql('postgres');
	$session->query_safe('BEGIN; SELECT moderation.seal()');
	my ($took, $count) = (0, 5);
	for (1 .. $count)
	{
		my $start = time;
		ok(refused_id($node, q{INSERT INTO post VALUES ('held', 'a zorblax')}), 'refused');
		$took = time - $start if time - $start > $took;
	}
	my $recorded = violations($node, q{account = 'held'});
	my $unlinked = $node->safe_psql('postgres', 'SELECT unlinked FROM moderation.ledger_status()');
	$session->query_safe('COMMIT');
	$session->quit;
	return ($took, $recorded, $unlinked);
}
$node->safe_psql('postgres', 'SELECT moderation.stop_recorder()');
ok(refused_id($node, q{INSERT INTO post VALUES ('warm', 'a zorblax')}), 'the worker is there');
linked();
my ($took, $recorded, $unlinked) = held();
cmp_ok($took, '<', 1.9, 'a seal held open holds up no refusal');
is($recorded, 5, 'each is recorded');
is($unlinked, 6, 'but not linked while somebody else has the linker\'s lock');
is(linked(q{account = 'held'}), 6, 'it is, afterwards');
is($node->safe_psql('postgres', 'SELECT fallbacks FROM moderation.recorder_status()'), 0, 'nothing went to the spool');
my $failed = qr/cannot record now: canceling statement due to lock timeout/;
unlike(slurp_file($node->logfile), $failed, 'and the worker never waited');
# Without that: the worker waits for the lock.
$node->safe_psql('postgres', 'SELECT moderation.stop_recorder()');
wait_gone($node, worker_pid($node));
points('ledger_wait=fail');
ok(refused_id($node, q{INSERT INTO post VALUES ('warm', 'a zorblax')}), 'the worker has the point');
linked();
($took, $recorded) = held();
like(slurp_file($node->logfile), $failed, "control: a worker that waits runs into its lock_timeout, refusals with it ($took s)");
points('');
settled($node);
ok(sealed(), 'all is well again');
is(problems(), '', 'nothing is wrong');

# Killed with everything else between note and link, and between link and commit: linked once after the restart.
for my $point ('ledger_link', 'ledger_linked')
{
	$node->safe_psql('postgres', 'SELECT moderation.stop_recorder()');
	wait_gone($node, worker_pid($node));
	points("$point=crash");
	$node->psql('postgres', qq{INSERT INTO remark VALUES ('$point', 'a zorblax'); SELECT pg_sleep(10)});
	$node->adjust_conf('postgresql.conf', 'moderation.test_points', undef);
	$node->{_pid} = undef;	# the postmaster's, which is gone, too
	killed_start($node);
	is($node->safe_psql('postgres', "SELECT count(*) FROM moderation.ledger WHERE account = '$point'"), 0, "$point: not linked when it crashed");
	is(violations($node, "account = '$point'"), 1, "$point: but recorded");
	is($node->safe_psql('postgres', "SELECT count(*) FROM moderation.ledger_note WHERE account = '$point'"), 1, "$point: and noted");
	ok(refused_id($node, q{INSERT INTO post VALUES ('warm', 'a zorblax')}), "$point: the next refusal brings a worker");
	is(linked("account = '$point'"), 1, "$point: linked once");
	ok(sealed(), "$point: and sealed");
	is(problems(), '', "$point: nothing is wrong");
}
is($node->safe_psql('postgres', 'SELECT epochs FROM moderation.ledger_status()'), 1, 'a crash makes no epoch');

# No worker to be had: it waits, and seal() links it.
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
$node->safe_psql('postgres', q{INSERT INTO remark VALUES ('alone', 'a zorblax'); SELECT moderation.suspend('alone', 'by hand')});
is($node->safe_psql('postgres', 'SELECT unlinked FROM moderation.ledger_status()'), 2, 'noted without a worker');
is(problems(), '', 'which is nothing wrong');
is($node->safe_psql('postgres', 'SELECT entries, accounts FROM moderation.seal()'), '2|1', 'linked and sealed by hand');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nmoderation.seal_interval = 0\n");
$node->restart;
is($node->safe_psql('postgres', 'SELECT epochs FROM moderation.ledger_status()'), 1, 'a restart makes no epoch');

# seal_interval = 0: nothing but seal() seals.
$node->safe_psql('postgres', q{INSERT INTO remark VALUES ('never', 'a zorblax')});
is(linked(q{account = 'never'}), 1, 'linked');
$node->safe_psql('postgres', 'SELECT moderation.stop_recorder()');
$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'moderation recorder')});
is($node->safe_psql('postgres', 'SELECT unsealed FROM moderation.ledger_status()'), 1, 'and not sealed');
is($node->safe_psql('postgres', 'SELECT entries FROM moderation.seal()'), 1, 'but by hand');
is(problems(), '', 'nothing is wrong');
cmp_ok(recompute(), '>', 0, 'and all of it can be recomputed');
$node->safe_psql('postgres', q{UPDATE moderation.ledger SET kind = 'account_event' WHERE account = 'never'});
ok(!eval { recompute() }, 'control: not when something is altered');
$node->stop;
done_testing();
