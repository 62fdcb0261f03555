# ALTER EXTENSION UPDATE from each earlier release: the catalog is that of a fresh installation, object by object, and every row is
# what it was.  Before it, the new library serves the old tables and functions.  A dump of the earlier release can be restored, too.
use strict;
use warnings;
use Carried;
use Catalog;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('update');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\n");
$node->start;
my $dir = $node->basedir;
my $current = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'moderation'});
my @released = map { m{/([^/]+)\.sql$} } glob('t/released/*.sql');
ok(scalar(@released), 'there are earlier releases');

sub database
{
	my ($name, $template) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE \"$name\" TEMPLATE \"" . ($template // 'template0') . '"');
	return $name;
}

# Dumps a database and restores it into a new one.
sub carried
{
	my ($from, $to) = @_;
	$node->command_ok([ 'pg_dump', '--format=custom', '-f', "$dir/$to.dump", '-d', $node->connstr($from) ], "dumped: $from");
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr(database($to)), "$dir/$to.dump" ], "restored: $to");
	return $to;
}

sub problems { return $node->safe_psql(shift, 'SELECT object, problem FROM moderation.verify()'); }
sub same_catalog
{
	my ($database, $wanted, $what) = @_;
	my @differences = differences($wanted, catalog($node, $database));
	is(scalar(@differences), 0, $what) or diag(join("\n", @differences[0 .. ($#differences > 59 ? 59 : $#differences)]));
	return;
}

populate($node, database('fresh'));
my $fresh = catalog($node, 'fresh');
cmp_ok(scalar(@$fresh), '>', 500, 'the catalog has many facts');
is_deeply([ grep { /\b\d{5,}\b/ } @$fresh ], [], 'none of them is a number that differs from database to database');

# What the ledger must have, and has not.
my $unlinked = q{SELECT
	(SELECT count(*) FROM moderation.violation AS v WHERE NOT EXISTS (SELECT FROM moderation.ledger AS l
		WHERE (l.kind, l.subject) = ('violation', v.violation_id) AND l.account IS NOT DISTINCT FROM v.account)),
	(SELECT count(*) FROM moderation.account_event AS e WHERE NOT EXISTS (SELECT FROM moderation.ledger AS l
		WHERE (l.kind, l.subject, l.account) = ('account_event', e.event_id, e.account)))};

for my $version (@released)
{
	# The new library, while the database still has the old functions and tables: populate() has content refused, recorded and counted.
	my $old = database("old $version");
	populate($node, $old, $version);
	my $columns = columns($node, $old);
	is(problems($old), '', "$version: nothing is wrong");
	awake($node, $old, "$version, with the new library");
	like($node->safe_psql($old, 'SELECT extension_version, warnings FROM moderation.status()'),
		qr/^\Q$version\E\|.*version \Q$current\E of the extension is installed on this server: ALTER EXTENSION moderation UPDATE;/,
		"$version: status() says what to do");
	cmp_ok(scalar(differences($fresh, catalog($node, $old))), '>', 100, "$version: the catalog is another one");
	my @kept = ($columns, 'moderation.violation', 'moderation.account', 'moderation.account_event', 'moderation.evidence', 'moderation.quarantine',
		'moderation.guarded', 'moderation.duty', 'moderation.account_status', 'moderation.policy', 'post', 'remark', 'event', 'triggers', 'row-security policies');
	my $before = fingerprint($node, $old, @kept);

	# A dump of the earlier release, where only the current one is installed.
	carried($old, "restored $version");
	is($node->safe_psql("restored $version", q{SELECT extversion FROM pg_extension WHERE extname = 'moderation'}), $current,
		"$version: restored, it is of the current version");
	is(fingerprint($node, "restored $version", @kept), $before, "$version: restored, every row is what it was");
	is(problems("restored $version"), '', "$version: restored, nothing is wrong");
	is($node->safe_psql("restored $version", q{SELECT strikes FROM moderation.account WHERE account = 'dan'}), 2, "$version: restored, no strike is added");
	# What is new is nobody's yet.
	$node->safe_psql("restored $version", 'SELECT moderation.grant_duty(role, duty) FROM moderation.duty');
	same_catalog("restored $version", $fresh, "$version: restored, the catalog is that of a fresh installation");
	is(refusal($node, "restored $version", q{('eve', 'a zorblix')}), 'MD001', "$version: restored, content is refused");
	settle($node, "restored $version");
	is($node->safe_psql("restored $version", $unlinked), '0|0', "$version: restored, and what is older than the ledger is in it");

	# An update that lacks a line is found out.
	for my $lacking (qw(comment state identity index dump revoke))
	{
		my $database = database("lacking $lacking", $old);
		$node->safe_psql($database, "ALTER EXTENSION moderation UPDATE TO 'lacking_$lacking'; SELECT moderation.grant_duty(role, duty) FROM moderation.duty");
		my @differences = differences($fresh, catalog($node, $database));
		cmp_ok(scalar(@differences), '>=', 1, "$version: an update without a $lacking is found out");
		note(scalar(@differences) . " differences: $differences[0]");
	}

	# The update, with a policy of the operator's own in the place of the built-in one, too.
	my $own = database("own $version", $old);
	$node->safe_psql($own, q{SELECT moderation.load_policy(replace(document, 'zorbold', 'zorbnew')) FROM moderation.policy WHERE policy = 'terms-of-service'});
	my ($in, $said, $wrong) = ("BEGIN; INSERT INTO event VALUES (1, 'gil', 'hello'); SELECT 'held';\n", '', '');
	my $writer = IPC::Run::start([ 'psql', '-XAtqd', $node->connstr($old) ], '<', \$in, '>', \$said, '2>', \$wrong, IPC::Run::timeout(60));
	$writer->pump until $said =~ /held/ || $wrong;
	for my $database ($old, $own)
	{
		$node->safe_psql($database, q{SET lock_timeout = '5s'; ALTER EXTENSION moderation UPDATE});
		is(fingerprint($node, $database, @kept[0 .. 8, 10 .. $#kept]), join("\n", grep { !/^moderation\.policy\|/ } split(/\n/, $before)),
			"$version: updated, every row is what it was");
		# A function that is new, or made anew, is nobody's; GRANT in the script would keep it out of dumps.
		$node->safe_psql($database, 'SELECT moderation.grant_duty(role, duty) FROM moderation.duty');
		is(problems($database), '', "$version: updated, nothing is wrong");
		same_catalog($database, $fresh, "$version: updated, the catalog is that of a fresh installation");
	}
	my $policies = q{SELECT policy_version, state, builtin, length(document) > 100000 FROM moderation.policy WHERE policy = 'terms-of-service' ORDER BY 1};
	is($node->safe_psql($old, $policies), "1|retired|t|f\n2|active|t|t", "$version: the new built-in policy is the next version");
	is($node->safe_psql($own, $policies), "1|retired|t|f\n2|active|f|f\n3|retired|t|t", "$version: but an operator's own stays live");
	is($node->safe_psql($old, q{SELECT strikes FROM moderation.account WHERE account = 'dan'}), 2, "$version: no strike is added");
	$in = "COMMIT; \\set VERBOSITY verbose\nINSERT INTO event VALUES (1, 'eve', 'a zorblix');\n\\q\n";
	$writer->finish;
	like($wrong, qr/^[^\n]*ERROR:  MD001/, "$version: a transaction that was open is not in the way and goes on, and content is refused");
	is($node->safe_psql($old, q{DELETE FROM event WHERE author = 'gil' RETURNING 1}), 1, "$version: what it stored is there");
	settle($node, $old);
	is($node->safe_psql($old, q{SELECT count(*), (SELECT strikes FROM moderation.account WHERE account = 'eve') FROM moderation.violation WHERE account = 'eve'}),
		'1|1', "$version: recorded and counted");
	is($node->safe_psql($old, $unlinked), '0|0', "$version: and what is older than the ledger is in it");
	is(refusal($node, $old, q{('ann', 'hello')}), 'MD002', "$version: who was frozen is");
	unlike($node->safe_psql($old, 'SELECT warnings FROM moderation.status()'), qr/ALTER EXTENSION/, "$version: status() asks for nothing");

	# What was updated is dumped as a whole: privileges, too.
	my $seal = sealed($node, $old);
	my $updated = fingerprint($node, $old);
	carried($old, "dumped $version");
	same_catalog("dumped $version", catalog($node, $old), "$version: updated, dumped, restored, the catalog is the same");
	is(join("\n", grep { !/^built-in policies/ } split(/\n/, fingerprint($node, "dumped $version"))), join("\n", grep { !/^built-in policies/ } split(/\n/, $updated)),
		"$version: updated, dumped, restored, every row is the same");
	is(problems("dumped $version"), '', "$version: and nothing is wrong");
	is(seal_is($node, "dumped $version", $seal), 'kept|f', "$version: and the ledger is what was sealed");
	is($node->safe_psql("dumped $version", q{SELECT (SELECT document_sha256 FROM moderation.policy WHERE policy = 'terms-of-service' AND state = 'active')
		= (SELECT document_sha256 FROM moderation.policy WHERE policy = 'terms-of-service' AND state = 'active')}), 't', "$version: with the same built-in policy");
}
$node->stop;
done_testing();
