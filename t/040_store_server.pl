# Policies survive the server: a dump and its restore, a standby, a crash; and a cancelled scan is an error.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION moderation');
$primary->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));

# The operator's own versions: of a policy that is theirs, and of the built-in one.
$primary->safe_psql('postgres', q{
	SELECT moderation.load_policy(replace(document, 'zorblax', 'zorblix')) FROM moderation.policy WHERE policy = 'test';
	SELECT moderation.load_policy(replace(document, 'policy: test', 'policy: terms-of-service')) FROM moderation.policy
		WHERE policy = 'test' AND state = 'active';
	CREATE ROLE auditing;
	SELECT moderation.grant_duty('auditing', 'auditor');
});
my $live = q{SELECT string_agg(concat_ws(' ', text, p.policy, v.policy_version, v.action), E'\n' ORDER BY p.policy, text)
	FROM unnest('{zorblax,zorblix,redactword,nothing}'::text[]) AS t (text), (VALUES ('test'), ('terms-of-service')) AS p (policy),
	moderation.verdict(text, p.policy) AS v};
my $before = $primary->safe_psql('postgres', $live);
like($before, qr/^zorblix terms-of-service 2 reject$/m, 'the version that was loaded is live');
like($before, qr/^zorblax test 2 allow$/m, 'and the former one is not');
my $problems = $primary->safe_psql('postgres', 'SELECT count(*) FROM moderation.verify()');
is($problems, 0, 'all is well before the dump');

# A dump, restored into a new database with moderation switched off, as the reference says.
my $dump = $primary->backup_dir . '/dump';
mkdir $primary->backup_dir;
$primary->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $primary->connstr('postgres') ], 'dump');
$primary->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
{
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	$primary->command_ok([ 'pg_restore', '--exit-on-error', '-d', $primary->connstr('restored'), $dump ], 'restore');
}
is($primary->safe_psql('restored', $live), $before, 'the same versions are live after the restore, and say the same');
is($primary->safe_psql('restored', q{SELECT string_agg(state, ' ' ORDER BY policy_version) FROM moderation.policy
	WHERE policy = 'terms-of-service'}), 'active active', 'the built-in version is there, below the one that is live');
is($primary->safe_psql('restored', q{SELECT moderation.policy_fits('test'), moderation.policy_fits('terms-of-service')}), 'f|f', 'compiled forms are not dumped');
is($primary->safe_psql('restored', 'SELECT moderation.compile_policies()'), 2, 'and are made anew');
is($primary->safe_psql('restored', q{SELECT moderation.policy_fits('test'), moderation.policy_fits('terms-of-service')}), 't|t', 'so that they fit');
is($primary->safe_psql('restored', $live), $before, 'and say the same');
is($primary->safe_psql('restored', 'SET ROLE auditing; SELECT count(*) FROM moderation.verify()'), 0, 'all is well, and duties are there');
is($primary->safe_psql('restored', q{SELECT moderation.load_policy(document || '# more') FROM moderation.policy
	WHERE policy = 'terms-of-service' ORDER BY policy_version DESC LIMIT 1}), 3, 'versions go on counting');
is($primary->safe_psql('restored', q{SELECT policy_version FROM moderation.policy WHERE policy = 'terms-of-service' AND state = 'active'}), 3,
	'and the next load leaves one active version');

# A session that was open before the data came.
$primary->safe_psql('postgres', 'CREATE DATABASE late TEMPLATE template0');
$primary->safe_psql('late', 'CREATE EXTENSION moderation');
my $session = $primary->background_psql('late') if $primary->can('background_psql');
SKIP:
{
	skip 'no background_psql in this PostgreSQL', 2 if !defined $session || !$session->can('query_safe');
	is($session->query_safe('SELECT policy_version FROM moderation.verdict(\'x\')'), 1, 'a session uses the built-in version');
	$primary->safe_psql('late', q{INSERT INTO moderation.policy (policy, policy_version, state, builtin, document, document_sha256, loaded_by)
		SELECT policy, 7, state, false, document, document_sha256, loaded_by FROM moderation.policy});
	is($session->query_safe('SELECT policy_version FROM moderation.verdict(\'x\')'), 7, 'and sees what is restored meanwhile');
	$session->quit;
}

# A standby judges like the primary, and hears of a new version.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', $live), $before, 'a standby judges like the primary');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM moderation.verify()}), 0, 'verify() works there');
like($standby->safe_psql('postgres', 'SELECT recording FROM moderation.status()'), qr/standby/, 'and so does status()');
my ($code, $out, $error) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT moderation.load_policy('');");
like($error, qr/ERROR:  25006/, 'a standby loads nothing');
$primary->safe_psql('postgres', q{SELECT moderation.load_policy(replace(document, 'zorblix', 'zorblox')) FROM moderation.policy WHERE policy = 'test' AND state = 'active'});
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT action FROM moderation.verdict('zorblox', 'test')}), 'reject', 'a new version is in force there once it is replayed');

# A crash: what was committed is live, what was open is not.
my $pending = "BEGIN; SELECT moderation.load_policy(replace(document, 'zorblox', 'zorblux')) FROM moderation.policy WHERE policy = 'test' AND state = 'active'; SELECT pg_sleep(60);";
my ($answer, $complaint) = ('', '');
my $open = IPC::Run::start([ 'psql', '-XAtq', '-d', $primary->connstr('postgres'), '-c', $pending ], '<', \undef, '>', \$answer, '2>', \$complaint);
ok($primary->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'moderation.policy'::regclass AND mode = 'ShareRowExclusiveLock' AND granted)}),
	'a load is open');
$primary->stop('immediate');
$open->finish;
$primary->start;
is($primary->safe_psql('postgres', q{SELECT string_agg(action::text, ' ' ORDER BY t) FROM unnest('{zorblox,zorblux}'::text[]) AS t, moderation.verdict(t, 'test')}),
	'reject allow', 'after a crash the committed version is live');
is($primary->safe_psql('postgres', 'SELECT moderation.compile_policies()'), 0, 'and compiled');

# A scan that is cancelled is an error; interrupts that ask for less do not end it.
$primary->safe_psql('postgres', q{CREATE TABLE long AS SELECT repeat('an ordinary text about nothing at all, ', 1600) AS content});
($code, $out, $error) = $primary->psql('postgres', q{
\set VERBOSITY verbose
SET statement_timeout = '100ms';
SELECT count(*) FROM long, generate_series(1, 100000) AS n, LATERAL (SELECT (moderation.verdict(content || n, 'test')).action OFFSET 0) AS v WHERE v.action = 'reject';
RESET statement_timeout;
SELECT action FROM moderation.verdict('zorblox', 'test');
}, on_error_stop => 0);
like($error, qr/ERROR:  57014/, 'a scan can be cancelled');
is($out, 'reject', 'and the session goes on');

$standby->stop;
$primary->stop;
done_testing();
