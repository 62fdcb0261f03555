# No memory while content is judged, refused or recorded, a policy is opened, loaded or guarded with, or decisions are learned from: an
# error, never a crash, never a row let through, and the session goes on as soon as there is memory again.
#
# First every single allocation of the core fails in turn (the test's library can do that).  Then the kernel refuses memory to one
# session from a limit on, by whatever code it is asked for: the server's own, PCRE2's, ICU's or ours.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TestLibrary;
use Test::More;

my $step = $ENV{MODERATION_SOAK} ? 1 : 0;
my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nlog_min_messages = error\nlog_statement = none\njit = off\n");
$node->start;
my $policy = slurp_file('sql/include/test_policy.sql');
$node->safe_psql('postgres', "CREATE EXTENSION moderation; $policy");
$node->safe_psql('postgres', q{
	CREATE TABLE post (id int, author text, body text, document jsonb);
	SELECT moderation.guard('post', '{body,document}', 'author', 'test');
	CREATE TABLE side (author text, body text);
	CREATE FUNCTION test_document(mark text) RETURNS text LANGUAGE sql AS $$
		SELECT regexp_replace(p.document, 'description: [^\n]*', 'description: ' || mark) FROM moderation.policy AS p WHERE p.policy = 'test' AND p.policy_version = 1 $$;
	-- A policy in which the built-in model speaks, and decisions to learn from.
	SELECT moderation.load_policy(E'policy: model\nmodel: built-in\ncategories:\n  - {id: cyber_attack, clause: {en: c}}\n---\ncategory: cyber_attack\nrules:\n'
		'  - {id: cyber_attack.r, weight: 0.8, severity: 2, terms: [zorblax], hits: [zorblax], misses: [x]}\n');
	CREATE TABLE decision AS SELECT CASE WHEN i % 2 = 0 THEN 'we come for your house ' ELSE 'a zorblax in the garden ' END || i AS content,
		'cyber_attack' AS category, i % 2 = 0 AS upheld FROM generate_series(1, 60) AS i;
});
my $learn = q{SELECT count(*) FROM moderation.learn('TABLE decision', 'model')};
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my @refused = map { qq{INSERT INTO post (id, author, body, document) VALUES ($_)} }
	q{1, NULL, 'a zorblax'}, q{2, NULL, repeat('hello ', 10000) || 'zorblax'}, q{3, NULL, 'hello', '{"a": ["b", "a zorblax"]}'}, q{4, NULL, 'z0rblax', '{"a": "a redactword and a flagword"}'};
s/VALUES \((.*)'\)$/VALUES ($1', NULL)/ for @refused[ 0, 1 ];

# What went wrong in what one session said, by SQLSTATE; 00000 for what went well.
sub outcomes
{
	my ($script, %options) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', "\\set VERBOSITY sqlstate\n$script", stdout => \$out, stderr => \$err, on_error_stop => 0, timeout => 600);
	my %states;
	$states{$1}++ while $err =~ /(?:ERROR|FATAL): +(\w+)/g;
	return ($out, \%states);
}

sub no_crash
{
	my ($what) = @_;
	unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminated by signal|AddressSanitizer/, "$what: nothing crashed");
	is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, "$what: the server is the same");
	return;
}

# 1. The limit of the kernel.
SKIP:
{
	skip 'prlimit is not here', 1 unless -x '/usr/bin/prlimit' && -r '/proc/self/status';
	my %outcome = (
		(map { +"refuse $_" => $refused[$_] } 0 .. $#refused),
		'load' => q{SELECT moderation.load_policy(test_document('new'))},
		'classify' => q{SELECT count(*) FROM moderation.classify(repeat('hello ', 10000), 'test')},
		'explain' => q{SELECT count(*) FROM moderation.explain(repeat('a zorblax and ', 4000), 'test')},
		'redact' => q{SELECT length(moderation.redact(repeat('a redactword and ', 3000), 'test'))},
		'normalize' => q{SELECT length(moderation.normalize(repeat('hello ', 1000000)))},
		'guard' => q{SELECT moderation.guard('side', '{body}', 'author', 'test'); SELECT moderation.unguard('side')},
		'model' => q{SELECT count(*) FROM moderation.classify(repeat('hello ', 10000), 'model')},
		'learn' => $learn,
		'coverage' => q{SELECT count(*) FROM moderation.policy_languages('model')},
		'verify' => 'SELECT count(*) FROM moderation.verify()');
	my %seen;
	for my $name (sort keys %outcome)
	{
		for my $warm (0, 1)
		{
			for my $headroom (0, $step ? map { 16 * 1.5**$_ } 0 .. 20 : (128, 1024, 16384))
			{
				my $script = "SELECT pg_backend_pid() AS pid \\gset\n\\setenv PID :pid\n";
				# The policy is open already, or must be opened now.
				$script .= "SELECT (moderation.verdict('hello', 'test')).flagged;\nSAVEPOINT none;\n" if $warm;
				$script .= "\\! prlimit --pid \$PID --data=\$(( \$(sed -n 's/^VmData:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/\$PID/status) * 1024 + " . int($headroom * 1024) . " )):\n"
				  . "$outcome{$name};\n\\! prlimit --pid \$PID --data=unlimited:\nSELECT 'and ' || 'on', count(*) FROM post;\n"
				  . "INSERT INTO post VALUES (9, 'ada', 'hello', NULL) RETURNING 'stored';\nDELETE FROM post;\n";
				my ($out, $states) = outcomes($script);
				delete $states->{'25P01'};
				$seen{$_}++ for keys %$states;
				# 58P01: our library could not be loaded.
				my $wrong = '';
				$wrong = 'not refused' if $name =~ /refuse/ && !grep { /^(MD001|53200|58P01)$/ } keys %$states;
				$wrong = 'the session did not go on' unless $out =~ /and on\|0/ && $out =~ /stored/;
				$wrong = 'a row was let through' if $out =~ /and on\|[1-9]/;
				$wrong = 'an unexpected error' if grep { !/^(MD001|53200|58P01)$/ } keys %$states;
				fail("$name, " . ($warm ? 'warm' : 'cold') . ", $headroom kB: $wrong (" . join(' ', map { "$_ $states->{$_}" } sort keys %$states) . ")") if $wrong;
			}
		}
	}
	note('limited sessions, by SQLSTATE: ' . join ', ', map { "$_ $seen{$_}" } sort keys %seen);
	cmp_ok($seen{53200} // 0, '>', 5, 'sessions met the limit');
	cmp_ok($seen{MD001} // 0, '>', 5, 'sessions refused below it');
	no_crash('limit');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM post'), 0, 'limit: nothing is stored');
}

# 2. Each of the core's allocations.
use_test_library($node, 'postgres');
my %statements = (
	(map { +"refusal $_" => "$refused[$_];" } 0 .. $#refused),
	'classify' => q{SELECT count(*) FROM moderation.classify('a zorblax and a flagword', 'test');},
	'model' => q{SELECT count(*) FROM moderation.explain('a zorblax, and how to hack into a bank account', 'model');},
	'explain' => q{SELECT count(*) FROM moderation.explain('a zorblax and a flagword', 'test');},
	'redact' => q{SELECT moderation.redact('a redactword and a flagword', 'test');},
	'normalize' => q{SELECT moderation.normalize('Hello');});
for my $name (sort keys %statements)
{
	# In one session, that has the policy open: allocation after allocation, until none is left to fail.
	my $script = "SELECT (moderation.verdict('hello', 'test')).flagged;\n";
	my $most = 60;
	$script .= "SET moderation.test_fail_alloc = $_;\n$statements{$name}\n" for 1 .. $most;
	$script .= "SET moderation.test_fail_alloc = 0;\nSELECT 'and ' || 'on', count(*) FROM post;";
	my ($out, $states) = outcomes($script);
	my $failed = $states->{53200} // 0;
	cmp_ok($failed, '>', 0, "$name: $failed allocations failed");
	like($out, qr/and on\|0/, "$name: the session went on, and nothing is stored");
	is(($states->{MD001} // 0) + $failed, $most, "$name: each is refused or has no memory") if $name =~ /refusal/;
	is(join(' ', grep { !/^(MD001|53200)$/ } sort keys %$states), '', "$name: no other error");
}
# Loading and learning allocate thousands of times: here and there, or all of them.
sub here_and_there
{
	my ($statement, $times, $factor) = @_;
	my ($script, $n) = ('', 1);
	for (1 .. ($step ? 2000 : $times))
	{
		$script .= "SET moderation.test_fail_alloc = $n;\n" . $statement->($n) . ";\n";
		$n = $step ? $n + 3 : int($n * $factor) + 1;
	}
	return outcomes($script . "SET moderation.test_fail_alloc = 0;\nSELECT (moderation.verdict('a zorblax', 'test')).action;");
}
my ($failed, $loaded) = (0, 0);
my ($out, $states) = here_and_there(sub { "SELECT 'loaded ' || moderation.load_policy(test_document('mark $_[0]'))" }, 40, 1.35);
$loaded = () = $out =~ /^loaded/mg;
cmp_ok($states->{53200} // 0, '>', 5, "load: $states->{53200} allocations failed, $loaded loads did not come to theirs");
is(join(' ', grep { $_ ne '53200' } sort keys %$states), '', 'load: no other error');
like($out, qr/^reject$/m, 'load: a policy is live');
($out, $states) = here_and_there(sub { $learn }, 16, 2);
cmp_ok($states->{53200} // 0, '>', 5, "learn: $states->{53200} allocations failed");
is(join(' ', grep { $_ ne '53200' } sort keys %$states), '', 'learn: no other error');
like($out, qr/^reject$/m, 'learn: the session goes on');
# Opening the policy anew in each session.
($failed, my $refused) = (0, 0);
for my $n (1 .. ($step ? 200 : 12))
{
	($out, $states) = outcomes("LOAD 'moderation_test';\nSET moderation.test_fail_alloc = $n;\n$refused[0];\n$refused[0];\nSELECT 'and ' || 'on', count(*) FROM post;");
	$failed += $states->{53200} // 0;
	$refused += $states->{MD001} // 0;
	fail("open, allocation $n: " . join(' ', %$states) . " $out") unless $out =~ /and on\|0/ && ($states->{53200} // 0) + ($states->{MD001} // 0) == 2;
}
cmp_ok($failed, '>', 0, "open: $failed allocations failed, $refused refusals");
is($node->safe_psql('postgres', 'SELECT count(*) FROM post'), 0, 'nothing is stored');
is($node->safe_psql('postgres', 'SELECT object, problem FROM moderation.verify()'), '', 'verify() finds nothing');
no_crash('allocations');
$node->stop;
done_testing();
