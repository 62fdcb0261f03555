# Learning takes a while: its progress is shown, it can be cancelled at any moment, nobody waits for it, and what was cancelled has left
# nothing.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('learn');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION moderation;
	CREATE TABLE decision AS
		SELECT format('%s the %s of account %s, in words of its own: %s', CASE WHEN bad THEN 'we will all ruin' ELSE 'please close' END,
			CASE WHEN bad THEN 'life' ELSE 'ticket' END, i, md5(i::text)) AS content, 'harassment' AS category, bad AS upheld
		FROM (SELECT i, i % 2 = 0 AS bad FROM generate_series(1, 60000) AS i) AS t;
	CREATE TABLE post (author text, body text);
	SELECT moderation.guard('post', '{body}', 'author');
});
my $drafts = q{SELECT count(*) FROM moderation.policy WHERE state = 'draft'};
my $learn = q{SELECT count(*) FROM moderation.learn('TABLE decision')};

# Cancelled when it has said how far it is; meanwhile others write, and load policies.
my ($out, $err) = ('', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
	q{SELECT count(*) FROM moderation.learn('SELECT d.* FROM decision AS d, generate_series(1, 6)')} ], '>', \$out, '2>', \$err,
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
$psql->pump until $err =~ /NOTICE:  learning: (?!preparing|reading, 0 )\w+/ || !$psql->pumpable;
like($err, qr/^NOTICE:  learning: \w+, \d/m, 'it says what it is doing, and how far it is');
my ($written, $written_err, $loaded_err);
($written) = $node->psql('postgres', q{SET lock_timeout = '5s'; INSERT INTO post VALUES ('ann', 'hello')}, stderr => \$written_err);
is($written, 0, "a write does not wait for it $written_err");
($written) = $node->psql('postgres', q{SET lock_timeout = '5s';
	SELECT moderation.load_policy(E'policy: other\ncategories:\n  - id: c\n    clause: {en: a, zh: a}\n---\ncategory: c\nrules:\n'
		'  - {id: c.r, weight: 1, severity: 1, terms: [zorb], hits: [zorb], misses: [x]}\n')}, stderr => \$loaded_err);
is($written, 0, "nor does a policy that is loaded $loaded_err");
my $asked = time;
is($node->safe_psql('postgres', q{SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%moderation.learn(%' AND pid <> pg_backend_pid()}),
	1, 'it is asked to stop');
$psql->finish;
like($err, qr/ERROR:  canceling statement due to user request/, 'and does');
cmp_ok(time - $asked, '<', 2, 'soon');
is($node->safe_psql('postgres', $drafts), 0, 'no draft is left');

# At other moments: while it reads, fits, compares, compiles.
my ($cancelled, $finished) = (0, 0);
for my $ms (50, 400, 1000, 2000, 3000, 4500, 6000)
{
	my ($code, undef, $why) = $node->psql('postgres', "SET statement_timeout = $ms; $learn");
	if ($code == 0) { $finished++; last; }
	$cancelled++ if $why =~ /canceling statement due to statement timeout/;
	diag $why unless $why =~ /canceling statement due to statement timeout/;
}
cmp_ok($cancelled, '>=', 3, "cancelled at $cancelled moments");
is($node->safe_psql('postgres', $drafts), $finished, 'and nothing is left of them');

# Too little memory to hold what it learns from is an error with a hint, and no more.
my ($code, undef, $why) = $node->psql('postgres', "SET maintenance_work_mem = '1MB'; $learn");
like($why, qr/ERROR:  out of memory while learning from \d+ decisions.*HINT:  Increase "maintenance_work_mem"/s, 'out of memory says what helps');
is($node->safe_psql('postgres', $drafts), $finished, 'and leaves nothing');

# Whole; the draft survives a crash, and is in force after that when it is activated.
is($node->safe_psql('postgres', "SET maintenance_work_mem = '1GB'; SELECT learned FROM moderation.learn('TABLE decision LIMIT 4000') WHERE category IS NOT NULL"), 't', 'it learns');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $drafts), $finished + 1, 'the draft is there after a crash');
$node->safe_psql('postgres', q{SELECT moderation.activate(policy, max(policy_version)) FROM moderation.policy WHERE state = 'draft' GROUP BY policy});
is($node->safe_psql('postgres', q{SELECT flagged FROM moderation.verdict('we will all ruin the life of account 5')}), 't', 'and works once it is activated');
is($node->safe_psql('postgres', 'SELECT count(*) FROM moderation.verify()'), 0, 'all is well');
$node->stop;
done_testing();
