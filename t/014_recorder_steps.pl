# Whoever is stopped, at whichever step between a detection and its acknowledgement, by whatever means: the violation is there
# exactly once, with one strike, and nothing is stored, queued or spooled in the end.  Only what nobody was told of, and what was
# in memory alone when the server died, may be missing.
#
# Each step has a database of its own, so that all of them are stopped at the same moment, and one restart serves all.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use TestLibrary;
use Test::More;
use Time::HiRes qw(time usleep);

# Points of the refusing session; points of the database, which its worker meets; how many violations are there after the server
# has died at this step.  After everything else there are all.  ACTION stands for what is done in this round.
my $waits = 'worker_started=wait/once';
my $spools = 'ring_full=fail, no_worker=fail';
my %step = (
	begin => [ 'refuse_begin=ACTION', '', 0 ],
	built => [ 'refuse_built=ACTION', '', 0 ],
	put => [ 'refuse_put=ACTION', '', 0, $waits ],
	waiting => [ 'refuse_wait=ACTION', '', 0, $waits ],
	fallback => [ "$spools, refuse_fallback=ACTION", '', 0 ],
	spool_locked => [ "$spools, spool_locked=ACTION", '', 0 ],
	spool_half => [ "$spools, spool_half=fail, spool_written_half=ACTION/1", '', 0 ],
	spool_written => [ "$spools, spool_written=ACTION", '', 1 ],
	spool_flushed => [ "$spools, spool_flushed=ACTION", '', 1 ],
	done => [ 'refuse_done=ACTION', '', 1 ],
	map({ ("worker_$_" => [ '', "worker_$_=ACTION/once", 0 ]) } qw(started claimed taken insert ladder commit)),
	map({ ("worker_$_" => [ '', "worker_$_=ACTION/once", 1 ]) } qw(committed acknowledged)),
	map({ ("drain_$_" => [ $spools, "drain_$_=ACTION/once", 40 ]) } qw(opened half done closed)));
# The same with a mechanism switched off, in the rounds where that matters: what must go wrong then.
my %without = (
	crash => {
		# cancelled while the worker does not come: durable in the spool, or else gone with the server's memory
		cancelled => [ 'refuse_wait=cancel', $waits, 1 ],
		cancelled_lost => [ 'refuse_wait=lost', $waits, 1 ],
		no_spool_at_cancel => [ 'refuse_wait=cancel, no_spool_at_interrupt=fail', $waits, 0 ],
		no_wait => [ 'no_wait=fail', $waits, 0, '', 'MD001' ],
		no_spool => [ "$spools, no_spool=fail", '', 0, '', 'MD001' ] },
	# cancelled, so that both ring and spool have it
	cancel => {
		twice => [ 'refuse_wait=cancel', 'worker_started=wait/once', 1, '', '', 'worker_started' ],
		no_dedupe => [ 'refuse_wait=cancel', 'worker_started=wait/once, no_dedupe=fail', 2, '', '', 'worker_started' ] });

my $node = PostgreSQL::Test::Cluster->new('steps');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 60\nmoderation.record_timeout = 30000ms\nmoderation.recorder_idle = 20ms\nmax_connections = 150\n"
	. "autovacuum = off\nmax_wal_size = 4GB\nrestart_after_crash = on\nshared_buffers = 32MB\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE base');
install($node, 'base');
use_test_library($node, 'base');
my %oid;
my @databases = (sort(keys %step), map { sort keys %$_ } values %without);
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'base'});
for (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE base STRATEGY file_copy");
	$oid{$_} = $node->safe_psql('postgres', "SELECT oid FROM pg_database WHERE datname = '$_'");
}

# What is reached: database oid => process, from the server's log.
my $log_from;
sub reached
{
	my %reached;
	my $log = slurp_file($node->logfile, $log_from);
	$reached{$1}{$2} = $4 while $log =~ /moderation_test: (\d+) (\w+) (\w+) (\d+)/g;
	return \%reached;
}
sub wait_until
{
	my ($what, $condition) = @_;
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;
	while (!$condition->())
	{
		die "waited in vain until $what" if time > $until;
		usleep(20_000);
	}
	return;
}
sub remove_marks { unlink glob($node->data_dir . '/moderation_test.*'); return; }

# The point at which a step's session or worker is stopped.
sub point_of { my ($step) = @_; return $step->[5] ? $step->[5] : "$step->[0], $step->[1]" =~ /(\w+)=ACTION/ ? $1 : undef; }

# The state of one database: violations, strikes, stored rows of the round's account; undef until all has settled.
sub state_of
{
	my ($database, $account) = @_;
	my $client = eval { Protocol->connect($node, database => $database) } or return;
	my $rest = $client->query(q{SELECT queued = 0 AND spooled_files = 0 AND uncounted = 0 AND worker <> 'starting'
		AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
			AND state <> 'idle' AND pid <> pg_backend_pid()) FROM moderation.recorder_status()});
	my $answer = $client->query(qq{SELECT (SELECT count(*) FROM moderation.violation WHERE account = '$account'),
		(SELECT coalesce(sum(strikes), 0) FROM moderation.account WHERE account = '$account'), (SELECT count(*) FROM post)});
	$client->terminate;
	return unless $answer->{status} && $rest->{rows}[0][0] eq 't';
	return join ' ', @{ $answer->{rows}[0] };
}

# One round: every step is stopped by the same means.
sub round
{
	my ($how) = @_;
	my $dies = $how =~ /^(crash|immediate|kill)$/;
	my $action = $how =~ /^(cancel|terminate|lost)$/ ? $how : 'wait';
	my %steps = (%step, %{ $without{$how} // {} });
	my (%client, %expected, %at);

	remove_marks();
	$log_from = -s $node->logfile;
	for my $name (sort keys %steps)
	{
		my ($session, $database, $left, $also) = @{ $steps{$name} };
		$database .= ($database ? ', ' : '') . $also if $also && $dies;
		s/ACTION/$action/ for $session, $database;
		$node->safe_psql('postgres', "ALTER DATABASE $name SET moderation.test_points = '$database'") if $database;
		my $drains = $name =~ /^drain/;
		my $client = Protocol->connect($node, database => $name);
		$client->query("SET moderation.test_points = '$session'");
		$client->send_query($drains
			? qq{DO \$\$ BEGIN FOR i IN 1 .. 40 LOOP BEGIN INSERT INTO post VALUES ('$how', 'a zorblax'); EXCEPTION WHEN SQLSTATE 'MD001' THEN END; END LOOP; END \$\$}
			: "INSERT INTO post (account, body) VALUES ('$how', 'a zorblax')");
		if ($drains)
		{
			die "$name was not filled" unless $client->receive->{seen} eq 'CZ';
			# The next session's first commit starts the worker.
			my $next = Protocol->connect($node, database => $name);
			$next->query(q{SELECT moderation.may_write('nobody')});
			$next->terminate;
		}
		$client{$name} = $client;
		$expected{$name} = $dies || !$step{$name} ? $left : $drains ? 40 : 1;
		$at{$name} = point_of($steps{$name});
	}
	wait_until("every step is reached ($how)", sub {
		my $reached = reached();
		my @missing = grep { defined $at{$_} && !$reached->{ $oid{$_} }{ $at{$_} } } sort keys %steps;
		return !@missing;
	});

	my %answer;
	if ($dies)
	{
		# Who has an answer, or will have one soon, gets it; the others are parked.
		for (grep { /^(cancelled|no_)/ } sort keys %steps) { $answer{$_} = $client{$_}->receive; }
		my $reached = reached();
		my $postmaster = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : die;
		if ($how eq 'immediate') { $node->stop('immediate'); }
		elsif ($how eq 'kill') { kill 'KILL', map { $reached->{ $oid{$_} }{ $at{$_} } } grep { defined $at{$_} } keys %steps; }
		else
		{
			kill 'STOP', $postmaster;
			kill 'KILL', split ' ', `ps -o pid= --ppid $postmaster`;
			$node->kill9;
		}
		$how eq 'kill' ? wait_until('the server has restarted', sub { my $c = eval { Protocol->connect($node) }; $c && $c->terminate; return $c; })
			: killed_start($node);
	}
	elsif ($how eq 'gone')
	{
		$_->drop for values %client;
	}
	# Nothing is stopped any more; those that were parked go on.
	$node->safe_psql('postgres', join ';', map { "ALTER DATABASE $_ RESET moderation.test_points" } sort keys %steps) if $dies || $how eq 'gone';
	unlink glob($node->data_dir . '/moderation_test.*[!0-9]');
	my %told;
	for my $name (sort keys %steps)
	{
		next if $how eq 'gone' || $name =~ /^drain/;
		$answer{$name} //= $client{$name}->receive;
		$told{$name} = $answer{$name}{seen};
	}

	for my $name (sort keys %steps)
	{
		my $state;
		wait_until("$name is at rest", sub { return defined($state = state_of($name, $how)); });
		my $what = !$step{$name} && $name =~ /^no_/ ? "negative control, $how: $name" : "$how at $name";
		is($state, "$expected{$name} $expected{$name} 0", "$what: violations, strikes, stored rows");
		if ($steps{$name}[4]) { like($told{$name}, qr/$steps{$name}[4]/, "$what, although the client was told"); }
		elsif (($told{$name} // '') =~ /MD001/) { is($expected{$name}, 1, "$what: recorded, as the client was told") unless $name eq 'no_dedupe'; }
	}
	$node->safe_psql('postgres', join ';', map { "ALTER DATABASE $_ RESET moderation.test_points" } sort keys %steps);
	my %seen = map { $_ => 1 } values %told;
	note("$how: clients saw " . join(' ', sort keys %seen));
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
	return;
}

for (qw(terminate cancel lost gone crash immediate kill))
{
	my $before = time;
	round($_);
	note(sprintf '%s took %.1f s', $_, time - $before);
}
$node->stop;
done_testing();
