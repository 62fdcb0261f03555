# No pattern and no text keeps a backend: a pattern that could is refused or bounded, and a text, whatever it is made of, gets its
# verdict or is unknown, at a bounded price, can be cancelled in the middle, and costs bounded memory.
#
# Times of whole runs are processor time, so that a busy machine does not matter.  A cancelled statement must end within a quarter
# of a second, the better of two tries.  With PG_TEST_EXTRA=bounds the 15 MB texts are run to their end, too (minutes).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TestLibrary;

use constant {
	MS_PER_MB => 6000,		# of processor time; the slowest shapes take 1500 to 2300 where this was written
	TIMEOUT => 200,			# statement_timeout
	LATE => 250,			# how much later the statement may end
	MEMORY => 128 * 1024,	# kB that a backend may have had at its highest beyond what opening the policy took: text, shared memory that it touched and all
	LOADED => 512 * 1024,	# kB for load_policy()
	HUGE => 1024 * 1024,	# kB for a text of 250 MB: the server's own copies of it
	NORMALIZED => 384 * 1024,	# kB where the result is as long as the text
};
plan skip_all => 'memory and processor time are read from /proc' unless -r '/proc/self/stat';

my $node = PostgreSQL::Test::Cluster->new('bounds');
$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nmax_wal_size = 4GB\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation;' . slurp_file('t/bounds/texts.sql'));

# Runs a script; gives the last line's fields.
sub fields
{
	my ($script, $database) = @_;
	my ($code, $out, $err) = $node->psql($database // 'postgres', $script, on_error_stop => 0);
	return split /\|/, (split /\n/, $out)[-1] // '';
}

# A statement, measured: SQLSTATE, ms of processor time, ms, kB.  Whatever it gives is thrown away.
sub measured
{
	my ($statement, $timeout, $database) = @_;
	return fields(qq{
SELECT action FROM moderation.verdict('warm') \\g /dev/null
SELECT memory_kb() \\g /dev/null
SET statement_timeout = $timeout;
SELECT cpu() AS cpu, ms() AS ms \\gset
$statement \\g /dev/null
\\set state :SQLSTATE
SELECT :'state', 10 * (cpu() - :cpu), ms() - :ms, memory_kb();
}, $database);
}

# ---- texts ----
# A text of 1 MB is put into a guarded table and judged to the end; one of 15 MB is cancelled.
my $opened = (measured('SELECT 1', 0))[3];
note("$opened kB with the policy open");
my $most_memory = $opened + MEMORY;
my %outcomes = map { $_ => 1 } '00000', 'MD001', 'MD004';

sub judged
{
	my ($name, $mb, $insert, $database) = @_;
	my ($state, $cpu, $ms, $memory) = measured($insert, '300s', $database);
	note(sprintf '%-26s %2d MB: %s, %d ms of processor time a MB, %d kB', $name, $mb, $state, $cpu / $mb, $memory);
	ok($outcomes{$state}, "$name, $mb MB: a verdict, or unknown") or diag("SQLSTATE $state");
	cmp_ok($cpu / $mb, '<', MS_PER_MB, "$name, $mb MB: in bounded time");
	cmp_ok($memory, '<', $most_memory, "$name, $mb MB: in bounded memory");
}

sub cancelled
{
	my ($name, $statement, $database, $most) = @_;
	my ($state, $cpu, $ms, $memory) = measured($statement, TIMEOUT, $database);
	($state, $cpu, $ms, $memory) = measured($statement, TIMEOUT, $database) if $ms > TIMEOUT + LATE;
	note(sprintf '%-26s 15 MB: %s after %d ms, %d kB', $name, $state, $ms, $memory);
	ok($state eq '57014' || $outcomes{$state}, "$name: cancelled, or done before") or diag("SQLSTATE $state");
	cmp_ok($ms, '<=', TIMEOUT + LATE, "$name: in time");
	cmp_ok($memory, '<', $most // $most_memory, "$name: in bounded memory");
	return $state;
}
my $cancelled = 0;
my $state;

for my $name (split /\n/, $node->safe_psql('postgres', 'SELECT name FROM piece ORDER BY name'))
{
	my $insert = "INSERT INTO post (body) SELECT body FROM content WHERE name = '$name' AND mb =";
	judged($name, 1, "$insert 1");
	judged($name, 15, "$insert 15") if ($ENV{PG_TEST_EXTRA} // '') =~ /\bbounds\b/;
	$cancelled += cancelled($name, "$insert 15") eq '57014';
}
# Many are done before, or unknown early.
cmp_ok($cancelled, '>=', 3, 'texts of 15 MB were cancelled in the middle');

# Other ways to read a text.
my $terms = "(SELECT body FROM content WHERE name = 'leet' AND mb = 15)";
cancelled($_, "SELECT moderation.$_($terms)") for qw(classify explain redact);
cancelled('normalize', "SELECT length(moderation.normalize($terms))", 'postgres', NORMALIZED);
cancelled('normalize', "SELECT length(moderation.normalize(repeat(U&'\\FDFA', 300000000)))", 'postgres', HUGE);
# A mask that would make of a content more than there is memory for.
($state, my $cpu, my $ms, my $memory) = measured("SELECT moderation.redact((SELECT body FROM content WHERE name = 'leet' AND mb = 1), mask => repeat('#', 10000000))", '60s');
is($state, 'MD004', 'a content with more findings than can be masked is not masked');
cmp_ok($memory, '<', NORMALIZED, 'and takes no memory');
($state, $cpu, $ms, $memory) = measured("SELECT moderation.redact(string_agg(w, ' '), mask => repeat('#', 10000000)) FROM (SELECT 'kill yourself' FROM generate_series(1, 500)) AS t (w)", '60s');
is($state, '54000', 'a mask that makes of a content more than a value can be is refused');
cmp_ok($memory, '<', NORMALIZED, 'before it takes memory');
# A whole policy, parsed, compiled and run over its own examples, cancelled somewhere on the way.
my $loaded = "SELECT moderation.load_policy(replace(document, 'policy: terms-of-service', 'policy: other')) FROM document";
my $latest = 0;
my $stopped = 0;
my $policies = 0;
sub load_latency
{
	my ($timeout, $database) = @_;
	# Another name each time: what is loaded already would be done at once.
	my $statement = $loaded =~ s/policy: other/'policy: other' . ++$policies/er;
	my ($state, $cpu, $ms, $memory) = measured($statement, $timeout, $database);
	return ($state, $ms - $timeout, $memory);
}
for my $timeout (20, 60, 120, 200, 300, 400, 600, 900)
{
	($state, my $late, $memory) = load_latency($timeout);
	($state, $late, $memory) = load_latency($timeout) if $late > LATE;
	note("load_policy: $state, $late ms after its timeout of $timeout ms, $memory kB");
	ok($state eq '57014' || $state eq '00000', "load_policy() is cancelled after $timeout ms, or done before") or diag($state);
	cmp_ok($memory, '<', LOADED, 'in bounded memory');
	next unless $state eq '57014';
	$stopped++;
	$latest = $late if $late > $latest;
}
cmp_ok($stopped, '>=', 3, 'load_policy() was cancelled in the middle');
cmp_ok($latest, '<=', LATE, 'in time');
# What is as late when nothing of ours runs, and when our code does not look.
($state, $cpu, $ms, $memory) = measured('SELECT pg_sleep(10)', TIMEOUT);
note('pg_sleep: ' . ($ms - TIMEOUT) . ' ms after its timeout');
$node->safe_psql('postgres', 'CREATE DATABASE deaf TEMPLATE postgres');
use_test_library($node, 'deaf');
$node->safe_psql('deaf', q{ALTER DATABASE deaf SET moderation.test_points = 'interrupts=fail'});
# The latest of three, as one of them may fall into code of the server's, before or after ours.
my $deaf = 0;
for my $timeout (60, 120, 200)
{
	($state, my $late) = load_latency($timeout, 'deaf');
	note("load_policy without looks: $state, $late ms after its timeout of $timeout ms");
	$deaf = $late if $late > $deaf;
}
cmp_ok($deaf, '>', LATE, 'without looks at the interrupt it would not have been');

# What is no plain text: arrays, JSON; deep, long, and both.
judged('an array', 1, "INSERT INTO post (list) SELECT array_agg('bomb ' || i) FROM generate_series(1, 100000) AS i");
judged('deep JSON', 1, "INSERT INTO post (doc) SELECT (repeat('[', 5000) || '\"bomb\"' || repeat(']', 5000))::json");
judged('deep objects', 1, "INSERT INTO post (docb) SELECT (repeat('{\"kill\":', 4000) || '1' || repeat('}', 4000))::jsonb");
judged('long JSON', 1, "INSERT INTO post (docb) SELECT jsonb_agg('bomb ' || i) FROM generate_series(1, 100000) AS i");
judged('many keys', 1, "INSERT INTO post (doc) SELECT json_object_agg('key ' || i, i) FROM generate_series(1, 100000) AS i");

# A text of nearly the 256 MB that a policy may allow: cancelled in the middle, and unknown at once where the policy allows less.
my $huge = "repeat('some harmless words of a letter about the weather ', 5000000)";
$node->safe_psql('postgres', q{CREATE TABLE huge (account text, body text); SELECT moderation.load_policy(replace(replace(document,
	'policy: terms-of-service', 'policy: huge'), 'bytes: 16777216', 'bytes: 268435456')) FROM document;
	SELECT moderation.guard('huge', '{body}', 'account', 'huge')});
($state, $cpu, $ms, $memory) = measured("INSERT INTO huge (body) SELECT $huge", 800);
note("250 MB: $state after $ms ms, $cpu ms of processor time, $memory kB");
is($state, '57014', '250 MB: cancelled in the middle');
# The server itself copies it several times, which takes long where memory is short: so what counts is the processor's time.
cmp_ok($cpu, '<=', 800 + LATE, '250 MB: in time');
cmp_ok($memory, '<', HUGE, '250 MB: in bounded memory');
($state, $cpu, $ms, $memory) = measured("INSERT INTO post (body) SELECT $huge", '60s');
note("250 MB, more than the policy allows: $state after $ms ms, $cpu ms of processor time, $memory kB");
is($state, 'MD004', '250 MB, more than the policy allows: unknown');
cmp_ok($memory, '<', HUGE, 'in bounded memory');

# Bytes that are no text in any encoding.
$node->safe_psql('postgres', q{CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'});
my $functions = slurp_file('t/bounds/texts.sql') =~ s/CREATE TABLE document.*//sr;
$node->safe_psql('bytes', "CREATE EXTENSION moderation; $functions
	CREATE TABLE post (account text, body text);
	SELECT moderation.guard('post', '{body}', 'account');");
for my $bytes ('ff', '80', 'c0af', 'e4b8', 'f09f98', 'eda080', '626f6dff6220')
{
	my $piece = "convert_from('\\x$bytes', 'SQL_ASCII')";
	my $insert = "INSERT INTO post (body) SELECT repeat($piece, %d)";
	judged("bytes $bytes", 1, sprintf($insert, 2e6 / length $bytes), 'bytes');
	cancelled("bytes $bytes", sprintf($insert, 3e7 / length $bytes), 'bytes');
}

# ---- patterns ----
# Each is refused when it is loaded, with a reason; or no text makes it take long.
sub policy
{
	my ($finds, $hit, $list) = @_;
	return qq{policy: hostile
categories:
  - id: hostile
    clause: {en: Hostile}
---
category: hostile
words:
  list: [} . ($list // 'ab') . qq{]
rules:
  - id: hostile.rule.en
    weight: 0.9
    severity: 2
    $finds
    hits: ["$hit"]
    misses: ["nothing"]
};
}
my @refused = (
	'^(a+)+$', '(?:a|aa)+$', '(.*a){12}$', '(x+x+)+y', '\b(\w+\s?)*z', 'a*b*c*d*x', '(a?){30}a{30}', '([ab]{1,250}){1,250}{1,250}x',
	'((((a{1,100}){1,100}){1,100}){1,100})', 'ab{1,100000}c', '(?R)ab', '(ab(?1)?)', '(?i)ab', '(*SKIP)ab', '(*NO_JIT)ab',
	'\Cab', 'ab\K', '(?:)', '(?:ab)?', '(ab', '[a-', 'ab**', '\p{Nonsense}ab', '(?<=a{1,9}b*)c', '(?C1)ab',
	'ab(?:' . join('|', map { "x$_" x 20 } 1 .. 20000) . ')');
my %bounded = (
	'\b(?:a|aa){1,250}b' => 'ab',
	'\b(?:a{1,50}){1,50}b' => 'ab',
	'(?:(?:\w{1,20}\s?){1,20}){1,5}ab' => 'x ab',
	'(?:.{0,50}a){12}b' => 'aaaaaaaaaaaab',
	'(\w{1,50})\s\1ab' => 'a aab',
	'ab(?=.{0,250}(?:a|b|ab){0,250}c)' => 'abc',
	'(?:a?){1,30}a{30}b' => ('a' x 30) . 'b',
	'(?:ab|a|b){1,250}(?:ab|a|b){1,250}z' => 'abz',
);
# Loads it: SQLSTATE, and the message of an error.
sub load
{
	my ($document) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '20s';\nSELECT moderation.load_policy(\$document\$$document\$document\$)",
		on_error_stop => 0);
	return $err =~ /ERROR: +(\w+): (.*)/ ? ($1, $2) : ('00000', '');
}
for my $pattern (@refused)
{
	my ($state, $message) = load(policy('patterns: [' . "'" . $pattern =~ s/'/''/gr . "']", 'ab'));
	my $shown = length $pattern > 40 ? substr($pattern, 0, 40) . '...' : $pattern;
	ok($state eq 'MD010' && $message =~ /rule "hostile.rule.en": .{10}/, "refused with a reason: $shown") or diag("$state $message");
}
my ($guarded, $unknown) = (0, 0);
for my $pattern (sort keys %bounded)
{
	my ($state, $message) = load(policy("patterns: ['$pattern']", $bounded{$pattern}));
	if ($state ne '00000')
	{
		is($state, 'MD010', "refused: $pattern");
		note("$pattern: $message");
		next;
	}
	# The text does hold what announces the pattern, or it would not be tried.
	for my $piece ("repeat('a', 200) || ' ab '", "repeat('a ', 100) || 'ab '", "repeat('ab', 100) || ' '", "repeat('aab ', 50)")
	{
		my $insert = "INSERT INTO hostile SELECT NULL, repeat($piece, %d)";
		$node->safe_psql('postgres', q{CREATE TABLE hostile (account text, body text); SELECT moderation.guard('hostile', '{body}', 'account', 'hostile')})
			if !$guarded++;
		my ($outcome, $cpu, $ms, $memory) = measured(sprintf($insert, 300), '60s');
		note(sprintf '%s on %s: %s, %d ms of processor time for 60 kB', $pattern, $piece, $outcome, $cpu);
		ok($outcomes{$outcome}, "$pattern on $piece: a verdict, or unknown") or diag("SQLSTATE $outcome");
		cmp_ok($cpu, '<', MS_PER_MB, "$pattern on $piece: in bounded time");
		$unknown += $outcome eq 'MD004';
		cancelled("$pattern on $piece", sprintf($insert, 75000)) if $cpu > 100;
	}
}
cmp_ok($unknown, '>', 0, 'some of them exploded, and left the content unknown');

# Policies that are too much altogether.
for my $finds ('terms: [' . join(', ', map { "term number $_" } 1 .. 30000) . ']', 'terms: ["{list}"]',
	'patterns: [' . join(', ', map { "'\\w{$_,200}'" } 1 .. 40) . ']')
{
	my ($state, $message) = load(policy($finds, 'term number 1', join ', ', map { "word $_" } 1 .. 30000));
	is($state, 'MD010', 'refused: ' . substr($finds, 0, 30));
	note(substr $message, 0, 150);
}
# A list to the power of four costs four times the list.
($state, my $message) = load(policy('terms: ["{list} {list} {list} {list}"]', 'word 1 word 2 word 3 word 4', join ', ', map { "word $_" } 1 .. 1000));
is($state, '00000', 'a million million phrases are loaded') or diag($message);
judged('lists in a row', 1, q{INSERT INTO hostile SELECT NULL, string_agg('word ' || i % 1001, ' ') FROM generate_series(1, 120000) AS i});
is($node->safe_psql('postgres', 'SELECT 1'), 1, 'the server lives');
$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|out of memory/, 'and never crashed');
done_testing();
