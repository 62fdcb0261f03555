# What the tests of dumps, upgrades and recovery share: a database with something in every table of the extension, its
# fingerprint (a checksum of every row of every table, and all triggers), and a look at whether the guard is awake.
package Carried;
use strict;
use warnings;
use Cwd;
# Archive commands and pg_upgrade run in other folders: the tests' own paths must be absolute, before they are made.
BEGIN { $ENV{TESTDIR} //= getcwd(); }
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
our @EXPORT = qw(populate settle refusal fingerprint columns sealed seal_is is_carried awake);

# The seal of what populate() made last.
my $noted;

# A version of the extension may be given, otherwise it is the one that is installed.
# The guarded tables hold what no guard would let in now: content from before the guard, rows of accounts that are frozen.
sub populate
{
	my ($node, $database, $version) = @_;
	my $policy = slurp_file('sql/include/test_policy.sql');
	$version = $version ? "VERSION '$version'" : '';
	$node->safe_psql($database, "CREATE EXTENSION moderation $version; $policy");
	$node->safe_psql($database, <<'EOC');
SELECT moderation.load_policy(replace(replace(document, 'policy: test', 'policy: house'), 'zorblax', word))
	FROM moderation.policy, (VALUES (1, 'zorblax'), (2, 'zorblix')) AS version (number, word) WHERE policy = 'test' ORDER BY number;
DO $$ BEGIN CREATE ROLE auditing; EXCEPTION WHEN duplicate_object THEN NULL; END $$;	-- by another database's
SELECT moderation.grant_duty('auditing', 'auditor');
CREATE TABLE post (id int PRIMARY KEY, author text, body text);
CREATE TABLE remark (author text, body text, PRIMARY KEY (author, body));
CREATE TABLE event (day int, author text, body text) PARTITION BY LIST (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);
INSERT INTO post VALUES (1, 'ada', 'a zorblix from before');
SELECT moderation.guard('post', '{body}', 'author', 'house');
SELECT moderation.guard('remark', '{body}', 'author', 'test', 'flag');
SELECT moderation.guard('event', '{body}', 'author', 'house', row_security => true);
INSERT INTO post VALUES (2, 'ann', 'hello'), (3, 'ben', 'a flagword'), (4, 'ben', 'a redactword'), (5, 'ben', 'a quarword'), (6, NULL, 'a flagword');
INSERT INTO remark VALUES ('ben', 'a zorblax'), ('cia', 'a flagword'), ('cia', 'nothing');
INSERT INTO event VALUES (1, 'cia', 'hello'), (2, 'sue', 'a flagword');
SELECT moderation.freeze('max', 'a while', now() + interval '1 day'), moderation.freeze('ned', 'by mistake');
SELECT moderation.reinstate('ned', 'it was one');
EOC
	refusal($node, $database, $_) for (q{('ann', 'a zorblix')}) x 3, q{('sue', 'a suspendword')}, q{('dan', 'a zorblix')};
	settle($node, $database);
	is($node->safe_psql($database, q{SELECT string_agg(concat_ws(' ', account, state, strikes), ', ' ORDER BY account) FROM moderation.account_status}),
		'ann frozen 3, dan warned 1, max frozen 0, ned active 0, sue suspended 1', 'accounts stand where they should');
	$noted = $version ? undef : sealed($node, $database);
	return;
}

# Seals the ledger, and returns what is worth noting down elsewhere: "number, digest", as check_seal() takes it.
sub sealed
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, q{SELECT format('%s, %L', seal, digest) FROM moderation.seal()});
}

# What has become of a seal that was noted.
sub seal_is
{
	my ($node, $database, $seal) = @_;
	return $node->safe_psql($database, "SELECT verdict, detail LIKE '%another branch%' FROM moderation.check_seal($seal)");
}

# Waits until everything is in the tables and counted, and no worker is connected.
sub settle
{
	my ($node, $database) = @_;
	$node->poll_query_until($database, q{SELECT queued = 0 AND spooled_files = 0 AND uncounted = 0 FROM moderation.recorder_status()})
		or die 'the recorder does not come to rest';
	$node->safe_psql($database, 'SELECT moderation.stop_recorder()');
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'moderation recorder')})
		or die 'the recorder does not leave';
	return;
}

# The SQLSTATE that storing (author, body) ends with; empty when it is stored.
sub refusal
{
	my ($node, $database, $row) = @_;
	my ($code, $out, $error) = $node->psql($database, "\\set VERBOSITY verbose\nINSERT INTO event SELECT 1, * FROM (VALUES $row) AS v");
	return $error =~ /ERROR:  (\w{5})/ ? $1 : '';
}

# The ledger goes on by itself, with what befalls guards and where it is restored: what it was is shown by its seal.
# The version of a policy that comes with the extension is made anew by CREATE EXTENSION, so of that only what it says counts.
my %rows = map { $_ => $_ } qw(moderation.violation moderation.account moderation.account_event moderation.evidence
	moderation.quarantine moderation.guarded moderation.duty moderation.account_status post remark event);
$rows{'moderation.policy'} = '(SELECT * FROM moderation.policy WHERE NOT builtin)';
$rows{'built-in policies'} = '(SELECT policy, policy_version, state, document_sha256, md5(document) FROM moderation.policy WHERE builtin)';
$rows{'triggers'} = q{(SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal)};
$rows{'triggers that are always enabled'} = q{(SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgenabled = 'A')};
$rows{'event triggers'} = q{(SELECT evtname, evtenabled FROM pg_event_trigger)};
$rows{'row security'} = q{(SELECT oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'moderation'::regnamespace) AND relkind IN ('r', 'p', 'v'))};
$rows{'rights'} = q{(SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type FROM pg_class AS c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS a
	WHERE c.relnamespace IN ('public'::regnamespace, 'moderation'::regnamespace) AND c.relkind IN ('r', 'p', 'v'))};
$rows{'row-security policies'} = q{(SELECT * FROM pg_policies)};

# Number of rows and MD5 of their sorted text, for each table: "name count md5" lines.  Names may be given, and columns for some.
sub fingerprint
{
	my ($node, $database, @names) = @_;
	my $columns = ref $names[0] ? shift @names : {};
	my $query = join "\nUNION ALL ", map {
		my $from = $columns->{$_} ? "(SELECT $columns->{$_} FROM $rows{$_} AS all_columns)" : $rows{$_};
		"SELECT '$_' AS name, count(*), md5(string_agg(r::text, E'\\n' ORDER BY r::text COLLATE \"C\")) FROM $from AS r"
	} @names ? @names : sort keys %rows;
	return $node->safe_psql($database, "$query ORDER BY 1");
}

# The columns that the extension's tables have: what an earlier release knew, to be compared with what a later one made of it.
sub columns
{
	my ($node, $database) = @_;
	return { map { /^(.*)\|(.*)$/ } split(/\n/, $node->safe_psql($database,
		q{SELECT attrelid::regclass, string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
			WHERE relnamespace = 'moderation'::regnamespace AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped GROUP BY 1})) };
}

# Everything as it was, nothing wrong, nothing queued: before anything is done there that would change it.
sub is_carried
{
	my ($node, $database, $before, $how) = @_;
	is(fingerprint($node, $database), $before, "$how: every row of every table is what it was");
	is($node->safe_psql($database, 'SELECT object, problem FROM moderation.verify()'), '', "$how: nothing is wrong");
	is(seal_is($node, $database, $noted), 'kept|f', "$how: the ledger is what was sealed") if $noted;
	return;
}

# The guard refuses, the recorder records, accounts stand where they stood, and strikes go on counting.
sub awake
{
	my ($node, $database, $how) = @_;
	is(join(' ', map { refusal($node, $database, "('$_', 'hello')") } qw(ann sue max ben ned)), 'MD002 MD003 MD002  ', "$how: who was frozen or suspended is");
	is(refusal($node, $database, q{('dan', 'a zorblix')}), 'MD001', "$how: content is refused");
	is($node->safe_psql($database, q{SELECT count(*) FROM moderation.violation WHERE account = 'dan'}), 2, "$how: and recorded");
	settle($node, $database);
	is($node->safe_psql($database, q{SELECT strikes FROM moderation.account WHERE account = 'dan'}), 2, "$how: and counted");
	return;
}

1;
