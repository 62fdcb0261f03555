# Random violence against a load: clients insert refused and clean contents without pause, each noting what it was told, while
# workers are terminated, clients cancelled, terminated and killed, the table locked, and the server ended by kill -9, by an
# immediate shutdown, by the death of one process.  Afterwards: every refusal that a client was told of is one violation, no
# violation is there that nobody attempted, each has its strike, and no refused content is stored.
#
# A few seconds; with MODERATION_SOAK=1, minutes (MODERATION_SOAK_SECONDS, 180 by default).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use Test::More;
use Time::HiRes qw(time usleep);

my $clients = 6;
my $seconds = $ENV{MODERATION_SOAK} ? $ENV{MODERATION_SOAK_SECONDS} // 180 : 6;
my $seed = $ENV{MODERATION_SEED} // int(time);
srand $seed;
note "MODERATION_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('soak');
$node->init;
$node->append_conf('postgresql.conf', "moderation.record_timeout = 1000ms\nmoderation.recorder_idle = 30ms\nrestart_after_crash = on\nshared_buffers = 32MB\nlog_statement = none\n");
$node->start;
install($node);

# A client: a process that writes a line for what it tries and one for what it hears.
sub client
{
	my ($number) = @_;
	open my $log, '>', $node->basedir . "/client.$number" or die $!;
	$log->autoflush;
	my $stop = $node->basedir . '/stop';
	my ($connection, $try) = (undef, 0);
	srand($seed + $number);
	while (!-e $stop)
	{
		$connection //= eval { Protocol->connect($node) };
		if (!$connection) { usleep(20_000); next; }
		my $name = "$number." . ++$try;
		my $account = 'account ' . int rand 5;
		my $bad = rand() < 0.8;
		print $log "try $name\n" if $bad;
		my $answer = eval { $connection->query(sprintf q{INSERT INTO post VALUES ('%s', '%s %s')}, $account, $bad ? 'a zorblax' : 'hello', $name) };
		my ($error) = $answer ? @{ $answer->{errors} } : ();
		if ($error && $error->{C} eq 'MD001') { my ($id) = $error->{D} =~ /"violation_id": "([^"]+)"/; print $log "told $name $id\n"; }
		print $log "stored $name\n" if $bad && $answer && grep { /^INSERT/ } @{ $answer->{tags} };
		if (rand() < 0.02 && $connection) { $connection->drop; $connection = undef; }
		$connection = undef unless $answer && $answer->{status};
		usleep(rand 4000) if rand() < 0.3;
	}
	return;
}
my @children;
for my $number (1 .. $clients)
{
	my $pid = fork // die $!;
	if (!$pid) { eval { client($number); }; warn $@ if $@; require POSIX; POSIX::_exit(0); }
	push @children, $pid;
}

# The violence.
my %done;
my $quietly = sub { my ($sql) = @_; my $c = eval { Protocol->connect($node) } or return; my $answer = eval { $c->query($sql) }; eval { $c->terminate }; return $answer; };
my $postmaster = sub { return slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : 0; };
my $who = sub { my ($type) = @_; my $answer = $quietly->("SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	return $answer && @{ $answer->{rows} } ? $answer->{rows}[0][0] : undef; };
my %means = (
	worker => sub { my $pid = $who->('moderation recorder') or return 0; $quietly->("SELECT pg_terminate_backend($pid)"); return 1; },
	cancel => sub { my $pid = $who->('client backend') or return 0; $quietly->("SELECT pg_cancel_backend($pid)"); return 1; },
	terminate => sub { my $pid = $who->('client backend') or return 0; $quietly->("SELECT pg_terminate_backend($pid)"); return 1; },
	lock => sub { $quietly->('BEGIN; LOCK TABLE moderation.violation; SELECT pg_sleep(' . rand(0.3) . '); COMMIT'); return 1; },
	stop => sub { my $pid = $who->('moderation recorder') or return 0; kill 'STOP', $pid; usleep(rand 200_000); kill 'CONT', $pid; return 1; },
	process => sub { my $pid = $who->(rand() < 0.5 ? 'moderation recorder' : 'client backend') or return 0; kill 'KILL', $pid; usleep(300_000); return 1; },
	immediate => sub { $node->stop('immediate'); $node->start; return 1; },
	crash => sub { my $pid = $postmaster->(); kill 'STOP', $pid; kill 'KILL', split ' ', `ps -o pid= --ppid $pid`; $node->kill9; killed_start($node); return 1; });
my @often = (qw(worker worker worker worker cancel cancel terminate terminate lock stop), $ENV{MODERATION_SOAK} ? () : qw(worker cancel));
my $next_death = time + 1;
my $until = time + $seconds;
while (time < $until)
{
	my $how = $often[ rand @often ];
	if (time > $next_death)
	{
		$how = (qw(process immediate crash))[ ($done{deaths} // 0) % 3 ];
		$done{deaths}++;
		$next_death = time + ($ENV{MODERATION_SOAK} ? 1 + rand 2 : 0.7 + rand 0.8);
	}
	$done{$how}++ if $means{$how}->();
	usleep(rand 60_000);
}
append_to_file($node->basedir . '/stop', '');
waitpid $_, 0 for @children;
wait_for_server();
sub wait_for_server { for (1 .. 200) { return if $quietly->('SELECT 1'); usleep(50_000); } die 'the server does not come back'; }

# The account of it.
my (%tried, %told, $stored);
for my $number (1 .. $clients)
{
	for (split /\n/, slurp_file($node->basedir . "/client.$number"))
	{
		if (/^try (\S+)/) { $tried{$1} = 1; }
		elsif (/^told (\S+) (\S+)/) { $told{$2} = $1; }
		elsif (/^stored/) { $stored++; }
	}
}
my $violations = settled($node);
my %recorded = map { my ($id, $n) = split /\|/; ($id => $n) }
  split /\n/, $node->safe_psql('postgres', 'SELECT violation_id, count(*) FROM moderation.violation GROUP BY 1');
my @lost = grep { !$recorded{$_} } keys %told;
note sprintf '%d s: %d refusals tried, %d told, %d recorded; %s', $seconds, scalar(keys %tried), scalar(keys %told), $violations,
	join(', ', map { "$_ $done{$_}" } sort keys %done);
cmp_ok(scalar(keys %told), '>', 100, 'there was a load');
cmp_ok($done{deaths} // 0, '>=', 3, 'and the server died several times');
is(scalar(@lost), 0, 'every refusal that a client was told of is recorded') or diag(join ' ', map { "$told{$_}=$_" } @lost);
is(scalar(grep { $_ != 1 } values %recorded), 0, 'once');
cmp_ok($violations, '<=', scalar(keys %tried), 'nothing is recorded that nobody tried');
is($node->safe_psql('postgres', q{SELECT coalesce(sum(strikes), 0) FROM moderation.account}), $violations, 'each is one strike');
is($stored // 0, 0, 'no client was told that a refused content is stored');
is($node->safe_psql('postgres', q{SELECT count(*) FROM post WHERE body LIKE '%zorblax%'}), 0, 'and none is');
# What was tried and not told of, because the client or the server died in between, may be recorded or not; by its content, never twice.
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT FROM moderation.violation GROUP BY content_sha256 HAVING count(*) > 1) AS twice'), 0,
	'no content is recorded twice');
$node->stop;
done_testing();
