# Random SQL of several clients at once against guarded tables (t/RandomSql.pm), with cancels and terminations among it, and then:
# nothing crashed, no error came out of a file of ours that is an internal one, what is stored is what the policy allows, every
# refusal is a violation and every violation of a refusal was one, no row of a frozen account was committed, every account stands
# where its history says, and verify() finds nothing.
#
# Length: MODERATION_RANDOM_SECONDS (8; 600 with MODERATION_SOAK=1).  The seed is printed; MODERATION_SEED=N begins with it again.
#
# The last part lets rows through unjudged, or refusals unrecorded, at points that only the test's library has: the same questions
# must notice.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RandomSql;
use Test::More;
use TestLibrary;
use Time::HiRes qw(time);

my $seconds = $ENV{MODERATION_RANDOM_SECONDS} // ($ENV{MODERATION_SOAK} ? 600 : 8);
my $seed = $ENV{MODERATION_SEED} // int(rand 2**31);
note("seed $seed");
diag("seed $seed") if $ENV{MODERATION_SOAK};
my $policy = slurp_file('sql/include/test_policy.sql');
# Files whose errors are internal ones only when something of ours is broken.
my $ours = join '|', qw(server store account recorder guard surface moderation ledger policy match verdict text);

sub server
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\ntrack_commit_timestamp = on\nmax_prepared_transactions = 20\ndeadlock_timeout = 50ms\n"
		. "lock_timeout = 300ms\nstatement_timeout = 10s\nlog_statement = none\nlog_min_messages = warning\nlog_min_error_statement = panic\nmax_worker_processes = 16\n");
	$node->start;
	return $node;
}

# Clients write for so many seconds, and waves; returns the ids of violations that they were told of, and how often one was cut short.
sub rampage
{
	my ($node, $functions, $seconds, $waves) = @_;
	my $dir = $node->basedir;
	my $end = time + $seconds;
	my (%told, %states);
	my ($wave, $cut, $internal) = (0, 0, '');

	# On a busy machine a wave takes long: so many in any case.
	while (time < $end || $wave < $waves)
	{
		$wave++;
		my @clients;
		my $number = 0;
		for my $kind (qw(writer writer owner super))
		{
			my $base = "$dir/client_" . ++$number;
			open my $file, '>:utf8', "$base.sql" or die "$base.sql: $!";
			print $file random_script($kind, 100, $functions, $dir);
			close $file;
			push @clients, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') . " user=random_$kind", '-f', "$base.sql" ], '>', '/dev/null', '2>', "$base.err");
		}
		# Somebody else's cancel comes at any moment; a session ends at one, more seldom.
		my $disturb = join ";\n", map {
			'SELECT pg_sleep(0.05); SELECT pg_' . ($_ % 8 ? 'cancel' : 'terminate') . "_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE usename ~ '^random_' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1) AS one"
		} 1 .. 16;
		$node->psql('postgres', $disturb);
		$_->finish for @clients;

		for my $number (1 .. @clients)
		{
			my $said = slurp_file("$dir/client_$number.err");
			$states{$1}++ while $said =~ /(?:ERROR|FATAL): +([0-9A-Z]{5}):/g;
			$told{$1}++ while $said =~ /"violation_id": ?"([0-9a-f-]{36})"/g;
			$cut++ while $said =~ /(?:ERROR|FATAL): +57|connection to server was lost|server closed the connection/g;
			$internal .= "$1 ($2)\n" while $said =~ /(XX00\d: .*)\n(?:(?:DETAIL|HINT|CONTEXT|LINE).*\n|  .*\n)*LOCATION: .* ((?:$ours)[a-z_]*\.c:\d+)/g;
		}
		unlink glob "$dir/copy_*";
		last if slurp_file($node->logfile) =~ /TRAP|PANIC|terminated by signal/;
	}
	note("$wave waves; errors by SQLSTATE: " . join ', ', map { "$_ $states{$_}" } sort keys %states);
	# Backends of clients that were cut short may still be at it.
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()})
	  or die 'sessions of clients that are gone do not end';
	$node->safe_psql('postgres', join ";\n", map { (rand() < 0.5 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_'" } split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'));
	# The policy's ladder may take its time.
	$node->poll_query_until('postgres', 'SELECT queued = 0 AND spooled_files = 0 AND uncounted = 0 FROM moderation.recorder_status()')
	  or diag($node->safe_psql('postgres', 'SELECT r FROM moderation.recorder_status() AS r'));
	return (\%told, $cut, $internal, \%states);
}

# What must hold, by name: the number of times that it does not.
sub broken
{
	my ($node, $told, $cut) = @_;
	my %broken;

	my $stored = join ' UNION ALL ', "SELECT tableoid, id, xmin, author, body, born FROM post", map { "SELECT tableoid, id, xmin, author, body, born FROM $_" } qw(event letter article);
	$node->safe_psql('postgres', "CREATE OR REPLACE VIEW stored AS $stored");
	$broken{'rows that the policy does not allow are stored'} = $node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM stored WHERE (moderation.verdict(body, 'test')).action > 'flag')
			+ (SELECT count(*) FROM post WHERE document IS NOT NULL AND (moderation.verdict(document::text, 'test')).action > 'flag')});
	$broken{'flagged rows are stored without a violation'} = $node->safe_psql('postgres', q{
		SELECT count(*) FROM stored AS s WHERE (moderation.verdict(s.body, 'test')).action = 'flag'
			AND NOT EXISTS (SELECT FROM moderation.violation AS v WHERE v.content_sha256 = sha256(convert_to(s.body, 'UTF8')))});
	$broken{'rows in quarantine have no violation'} = $node->safe_psql('postgres', q{
		SELECT count(*) FROM moderation.quarantine AS q WHERE NOT EXISTS (SELECT FROM moderation.violation AS v WHERE v.violation_id = q.violation_id)});
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS told; CREATE TABLE told (violation_id uuid PRIMARY KEY); INSERT INTO told VALUES '
		. (join(', ', map { "('$_')" } keys %$told) || '(gen_random_uuid())'));
	$broken{'refusals that a client was told of are not recorded once'} = $node->safe_psql('postgres', q{
		SELECT count(*) FROM told AS t WHERE (SELECT count(*) FROM moderation.violation AS v WHERE v.violation_id = t.violation_id AND v.action = 'reject') <> 1});
	# A client that is cut short is not told; one that lost its connection may have had the rest of a script refused.
	my $untold = $node->safe_psql('postgres', q{
		SELECT count(*) FROM moderation.violation AS v WHERE v.action = 'reject' AND NOT EXISTS (SELECT FROM told AS t WHERE t.violation_id = v.violation_id)});
	note("$untold refusals that no client was told of, $cut clients cut short");
	$broken{'violations of refusals that were none'} = $untold > $cut ? $untold - $cut : 0;
	$broken{'rows of restricted accounts were committed'} = $node->safe_psql('postgres', q{
		WITH event AS (
			SELECT account, to_state, pg_xact_commit_timestamp(xmin) AS at, coalesce(until, 'infinity') AS until,
				coalesce(lead(pg_xact_commit_timestamp(xmin)) OVER (PARTITION BY account ORDER BY occurred_at), 'infinity') AS next
			FROM moderation.account_event
		)
		SELECT count(*) FROM stored AS s JOIN event AS e ON e.account = s.author AND e.to_state IN ('frozen', 'suspended')
		WHERE s.born = s.xmin::text::xid8 AND pg_xact_commit_timestamp(s.xmin) > e.at AND pg_xact_commit_timestamp(s.xmin) < least(e.next, e.until)});
	$broken{'accounts have other strikes than violations'} = $node->safe_psql('postgres', q{
		SELECT count(*) FROM moderation.account AS a WHERE a.clean_from IS NULL AND a.strikes <>
			(SELECT count(*) FROM moderation.violation AS v WHERE v.account = a.account AND v.strike AND v.counted)});
	my $problems = $node->safe_psql('postgres', q{SELECT object || ': ' || problem FROM moderation.verify()});
	note("verify: $problems") if $problems ne '';
	$broken{'verify() finds something'} = () = $problems =~ /^.+$/mg;
	return \%broken;
}

srand($seed);
my $node = server('random');
my $functions = random_setup($node, $policy);
cmp_ok(scalar @$functions, '>', 30, 'functions to call');
my ($told, $cut, $internal, $states) = rampage($node, $functions, $seconds, 6);
my $log = slurp_file($node->logfile);
unlike($log, qr/TRAP|PANIC|terminated by signal|AddressSanitizer|runtime error/, 'nothing crashed');
is($internal, '', 'no internal error comes out of a file of ours');
unlike($log, qr/WARNING: .*(?:leak|not closed|alloc set)/, 'nothing leaks');
my $broken = broken($node, $told, $cut);
is($broken->{$_}, 0, "none: $_") for sort keys %$broken;
# That it was worth the trouble.
cmp_ok(scalar keys %$told, '>', 50, scalar(keys %$told) . ' refusals');
cmp_ok(($states->{MD002} // 0) + ($states->{MD003} // 0), '>', 0, 'frozen and suspended accounts were kept out');
cmp_ok($states->{57014} // 0, '>', 0, 'statements were cancelled');
cmp_ok($node->safe_psql('postgres', q{SELECT sum(n_tup_ins) FROM pg_stat_user_tables WHERE relname IN ('post', 'event_1', 'letter', 'article')}), '>', 200, 'rows were stored');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation WHERE action IN ('flag', 'redact', 'quarantine')}), '>', 20, 'rows were flagged, masked, diverted');
$node->stop;

# The same with a guard that judges no row, and with one that forgets one refusal of each session: seen.
for my $control ([ 'guard_pass', 'fail', 'rows that the policy does not allow are stored' ], [ 'guard_forget', 'fail/3', 'refusals that a client was told of are not recorded once' ])
{
	my ($point, $action, $noticed) = @$control;
	my $other = server($point);
	$functions = random_setup($other, $policy);
	use_test_library($other, 'postgres');
	$other->append_conf('postgresql.conf', "moderation.test_points = '$point=$action'");
	$other->reload;
	($told, $cut) = rampage($other, $functions, $ENV{MODERATION_SOAK} ? 20 : 2, 2);
	my $seen = broken($other, $told, $cut)->{$noticed};
	cmp_ok($seen, '>', 0, "$point: $seen $noticed");
	$other->stop;
}
done_testing();
