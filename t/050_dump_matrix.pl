# Every way to dump and restore: what is restored in the right way is what was dumped, row by row, and nothing of it is judged
# again; what is restored in the wrong way is refused, or verify() says what it did.
use strict;
use warnings;
use Carried;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE origin');
populate($node, 'origin');
my $before = fingerprint($node, 'origin');
is($node->safe_psql('origin', 'SELECT object, problem FROM moderation.verify()'), '', 'all is well before');
my $dir = $node->basedir;

sub database
{
	my ($name, $template) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE " . ($template // 'template0'));
	return $name;
}

# Runs a command with moderation switched off, as a restore shall be.
sub in_restore_mode
{
	my ($what, @command) = @_;
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	$node->command_ok(\@command, $what);
	return;
}

sub restore
{
	my ($database, @options) = @_;
	return ('pg_restore', '--exit-on-error', '-d', $node->connstr($database), @options);
}

sub script
{
	my ($database, $file) = @_;
	return ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($database));
}

sub dump_of
{
	my ($database, $file, @options) = @_;
	$node->command_ok([ 'pg_dump', @options, '-f', "$dir/$file", '-d', $node->connstr($database) ], "dumped: @options");
	return "$dir/$file";
}

my $plain = dump_of('origin', 'full.sql', '--format=plain');
my $custom = dump_of('origin', 'full.dump', '--format=custom');
my $folder = dump_of('origin', 'folder', '--format=directory', '--jobs=2');
my $data = dump_of('origin', 'data.sql', '--data-only', '--inserts');
is(fingerprint($node, 'origin'), $before, 'dumping changes nothing');

# A whole database.  Rows come before the triggers, so that nothing is judged with or without moderation.mode = restore.
in_restore_mode('a script, in restore mode', script(database('plain'), $plain));
is_carried($node, 'plain', $before, 'script');
awake($node, 'plain', 'script');
$node->command_ok([ restore(database('custom'), $custom) ], 'an archive, without restore mode');
is_carried($node, 'custom', $before, 'archive');
in_restore_mode('parallel jobs', restore(database('jobs'), '--jobs=2', $folder));
is_carried($node, 'jobs', $before, 'parallel jobs');

# Parallel jobs change several guarded tables at once: what is done to one must not wait for another, or they wait for each other.
my ($in, $said, $wrong) = ('', '', '');
sub hold
{
	my ($statement) = @_;
	($in, $said, $wrong) = ("BEGIN; $statement; SELECT 'held';\n", '', '');
	my $holder = IPC::Run::start([ 'psql', '-XAtqd', $node->connstr('origin') ], '<', \$in, '>', \$said, '2>', \$wrong, IPC::Run::timeout(60));
	$holder->pump until $said =~ /held/ || $wrong;
	return $holder;
}
sub let_go
{
	my ($holder) = @_;
	$in = "COMMIT;\n\\q\n";
	$holder->finish;
	is($wrong, '', 'held, and let go');
	return;
}
my $holder = hold('LOCK TABLE event_1 IN ACCESS EXCLUSIVE MODE');
for my $command ('ALTER TABLE event_2 ENABLE ROW LEVEL SECURITY', 'ALTER TABLE post ALTER body SET STATISTICS 100', 'ALTER TABLE post ALTER body SET STATISTICS -1')
{
	$node->command_ok([ 'psql', '-Xq', '-d', $node->connstr('origin'), '-c', "SET lock_timeout = '1s'", '-c', $command ],
		"$command, while another is locked");
}
let_go($holder);

# Over what is there: "--clean" takes the guards off in the order that leaves nothing in its own way.
$node->safe_psql('jobs', q{SELECT moderation.freeze('ben', 'since the dump')});
in_restore_mode('an archive over a database that is there', restore('jobs', '--clean', '--if-exists', $custom));
is_carried($node, 'jobs', $before, 'over what was there');
awake($node, 'jobs', 'over what was there');

# The schema first: the guards are awake when the data comes.
$node->command_ok([ restore(database('schema'), '--schema-only', $custom) ], 'the schema alone');
is($node->safe_psql('schema', 'SELECT count(*) FROM moderation.guarded'), 0, 'which tables are guarded is data');
is(refusal($node, 'schema', q{('ada', 'hello')}), 'MD011', 'until it is there, the triggers let nothing pass');
is($node->safe_psql('schema', 'SELECT object FROM moderation.verify() ORDER BY 1'), "table public.event\ntable public.post\ntable public.remark",
	'and verify() names the tables');
in_restore_mode('the data alone, parallel jobs', restore(database('later', 'schema'), '--data-only', '--jobs=2', $folder));
is_carried($node, 'later', $before, 'data alone, parallel jobs');
awake($node, 'later', 'data alone, parallel jobs');
in_restore_mode('the data alone, a script of INSERTs', script(database('inserts', 'schema'), $data));
is_carried($node, 'inserts', $before, 'data alone, INSERTs');

# Without restore mode the data alone is judged: a table with a content that is refused stays empty, of the others the violations
# are recorded again, and strikes are added.  What the extension keeps itself is as it was, below that.
$node->command_fails([ 'pg_restore', '--data-only', '-d', $node->connstr(database('judged', 'schema')), $custom ],
	'the data alone, without restore mode, is refused');
settle($node, 'judged');
is($node->safe_psql('judged', 'SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM remark), (SELECT count(*) FROM event)'), '0|3|1',
	'a table or partition with refused rows is empty');
is($node->safe_psql('judged', q{SELECT string_agg(concat_ws(' ', account, category, relation), ', ' ORDER BY account, category)
	FROM (SELECT *, row_number() OVER (ORDER BY occurred_at) AS n FROM moderation.violation) AS v WHERE n > 12}),
	'ada test_reject public.post, ben test_reject public.remark, cia test_flag public.remark', 'violations are recorded again');
is($node->safe_psql('judged', q{SELECT string_agg(account || ' ' || strikes, ', ' ORDER BY account) FROM moderation.account}),
	'ada 1, ann 3, dan 1, max 0, ned 0, sue 1', 'and strikes are added');
my @untouched = qw(moderation.evidence moderation.quarantine moderation.guarded moderation.duty moderation.policy);
is(fingerprint($node, 'judged', @untouched), fingerprint($node, 'origin', @untouched), 'the rest is what it was');

# --disable-triggers stores everything as it was, but leaves triggers that are enabled no longer always: verify() says which, and how
# to mend it.
$node->command_ok([ restore(database('weakened', 'schema'), '--data-only', '--disable-triggers', $custom) ], 'the data alone, with --disable-triggers');
is($node->safe_psql('weakened', 'SELECT object, problem FROM moderation.verify() ORDER BY 1, 2'), join("\n",
	(map { ("guard on public.$_|trigger zzz_moderation_scan is not enabled always", "guard on public.$_|trigger zzz_moderation_verify is not enabled always") }
		qw(event_1 event_2 post remark)),
	'table moderation.account|trigger announce_status is disabled', 'table moderation.guarded|trigger announce_guards is disabled',
	'table moderation.policy|trigger announce_policy is disabled'), 'verify() names every trigger that is weaker now');
$node->safe_psql('weakened', $node->safe_psql('weakened', 'SELECT DISTINCT hint FROM moderation.verify()'));
sub but_guarded_at { return join("\n", grep { !/^moderation.guarded/ } split(/\n/, shift)); }
is(but_guarded_at(fingerprint($node, 'weakened')), but_guarded_at($before), 'its hints mend it: everything is what it was');
is($node->safe_psql('weakened', 'SELECT object, problem FROM moderation.verify()'), '', 'and nothing is wrong');

# One table, with its definition.  Dropping it has ended its registration, so that it must be guarded anew.
my $table = dump_of('origin', 'post.dump', '--format=custom', '--table=post');
my $lost = database('lost', 'inserts');
$node->safe_psql($lost, 'DROP TABLE post');
$node->command_ok([ restore($lost, $table) ], 'one table, without restore mode');
is($node->safe_psql($lost, 'SELECT object, problem FROM moderation.verify()'),
	'table public.post|it has triggers of the guard and is not guarded, so that nothing can be written to it', 'verify() says that it is not registered');
my ($code, $out, $error) = $node->psql($lost, q{\set VERBOSITY verbose
INSERT INTO post VALUES (7, 'ben', 'hello');});
like($error, qr/ERROR:  MD011/, 'until it is, nothing is written');
$node->safe_psql($lost, q{SELECT moderation.guard('post', '{body}', 'author', 'house')});
is(but_guarded_at(fingerprint($node, $lost)), but_guarded_at($before), 'guarded again, everything is what it was');
is($node->safe_psql($lost, 'SELECT object, problem FROM moderation.verify()'), '', 'and nothing is wrong');

# The rows of one table, into a table that is there.
$node->safe_psql($lost, 'TRUNCATE post');
$node->command_fails([ restore($lost, '--data-only', $table) ], 'the rows of one table, without restore mode, are refused');
is($node->safe_psql($lost, 'SELECT count(*) FROM post'), 0, 'all of them');
is($node->safe_psql($lost, q{SELECT count(*) FROM moderation.violation WHERE account = 'ada'}), 1, 'and the refusal is recorded');
settle($node, $lost);
my $refused = fingerprint($node, $lost, 'moderation.violation', 'moderation.account');
in_restore_mode('the rows of one table, in restore mode', restore($lost, '--data-only', $table));
is(fingerprint($node, $lost, 'post'), fingerprint($node, 'origin', 'post'), 'are what they were');
is(fingerprint($node, $lost, 'moderation.violation', 'moderation.account'), $refused, 'and nothing is recorded');

# A strike that waits to be counted while the dump is taken is counted in the restored database: once.
$holder = hold(q{SELECT FROM moderation.account WHERE account = 'dan' FOR UPDATE});
is(refusal($node, 'origin', q{('dan', 'a zorblix')}), 'MD001', 'refused while the account is locked');
is($node->safe_psql('origin', 'SELECT uncounted FROM moderation.recorder_status()'), 1, 'the strike waits');
my $waiting = dump_of('origin', 'waiting.dump', '--format=custom');
let_go($holder);
in_restore_mode('a dump with a strike that waits', restore(database('waited', 'schema'), '--data-only', $waiting));
is($node->safe_psql('waited', q{SELECT (SELECT strikes FROM moderation.account WHERE account = 'dan'), (SELECT uncounted FROM moderation.recorder_status())}),
	'1|1', 'it waits there, too');
is(refusal($node, 'waited', q{('eve', 'a zorblix')}), 'MD001', 'once the recorder has something to do');
for my $database ('waited', 'origin')
{
	settle($node, $database);
	is($node->safe_psql($database, q{SELECT strikes FROM moderation.account WHERE account = 'dan'}), 2, "it is counted once in $database");
}
$node->stop;
done_testing();
