# Forms of a dump that 050_dump_matrix.pl leaves out: tar, section by section, a whole server, one schema, without the extension; and
# what a role that is no superuser can dump and restore.
use strict;
use warnings;
use Carried;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('forms');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE origin');
populate($node, 'origin');
my $before = fingerprint($node, 'origin');
my $dir = $node->basedir;

sub database
{
	my ($name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0");
	return $name;
}
sub dump_of
{
	my ($file, @options) = @_;
	$node->command_ok([ 'pg_dump', @options, '-f', "$dir/$file", '-d', $node->connstr('origin') ], "dumped: @options");
	return "$dir/$file";
}
sub restore { my ($database, @options) = @_; return ('pg_restore', '--exit-on-error', '-d', $node->connstr($database), @options); }
sub script { my ($database, $file) = @_; return ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($database)); }

# The rows come before the triggers in each of these, so that nothing is judged without restore mode, either.
my $tar = dump_of('full.tar', '--format=tar');
$node->command_ok([ restore(database('tar'), $tar) ], 'a tar');
is_carried($node, 'tar', $before, 'tar');
my $archive = dump_of('full.dump', '--format=custom');
database('sections');
$node->command_ok([ restore('sections', "--section=$_", $archive) ], "section $_") for qw(pre-data data post-data);
is_carried($node, 'sections', $before, 'sections of an archive');
awake($node, 'sections', 'sections of an archive');
database('scripts');
$node->command_ok([ script('scripts', dump_of("$_.sql", "--section=$_")) ], "script of section $_") for qw(pre-data data post-data);
is_carried($node, 'scripts', $before, 'sections as scripts');

# A role that reads everything can dump, unless a table has row security; then it must not be subject to that.
$node->safe_psql('postgres', 'CREATE ROLE dumper LOGIN IN ROLE pg_read_all_data; CREATE ROLE shopkeeper LOGIN');
my @dump = ('pg_dump', '--format=custom', '-U', 'dumper', '-f', "$dir/dumper.dump", '-d', $node->connstr('origin'));
$node->command_fails_like(\@dump, qr/query would be affected by row-level security policy for table "event_1"/, 'pg_read_all_data is not enough for row security');
$node->safe_psql('postgres', 'ALTER ROLE dumper BYPASSRLS');
$node->command_ok(\@dump, 'with BYPASSRLS it is');
$node->command_ok([ restore(database('dumped'), "$dir/dumper.dump") ], 'what it dumped is restored');
is_carried($node, 'dumped', $before, 'dumped by a role that only reads');

# Restoring takes a superuser.
$node->safe_psql('postgres', 'CREATE DATABASE keeper OWNER shopkeeper TEMPLATE template0');
$node->command_fails_like([ restore('keeper', '-U', 'shopkeeper', '--no-owner', $archive) ], qr/permission denied to create extension "moderation"/,
	'a role that is no superuser cannot restore the extension');
my ($code, $out, $error) = $node->psql('origin', q{SET moderation.mode = restore; SELECT moderation.may_write('ada'); SHOW moderation.mode}, extra_params => [ '-U', 'dumper' ]);
is($out, "t\nenforce", 'nor set the mode');

# One schema: the tables come with triggers, but without registration, and nothing can be written until they are guarded.
my $public = dump_of('public.dump', '--format=custom', '--schema=public');
database('one_schema');
$node->command_fails_like([ restore('one_schema', '--clean', '--if-exists', $public) ], qr/schema "moderation" does not exist/, 'one schema needs the extension');
$node->safe_psql('one_schema', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->command_ok([ restore('one_schema', '--clean', '--if-exists', $public) ], 'which can be created before');
is(fingerprint($node, 'one_schema', qw(post remark event triggers)), fingerprint($node, 'origin', qw(post remark event triggers)), 'one schema: every row is what it was');
is(refusal($node, 'one_schema', q{('ada', 'hello')}), 'MD011', 'one schema: nothing can be written');
$node->safe_psql('one_schema', q{SELECT moderation.guard('event', '{body}', 'author', 'test', row_security => true), moderation.guard('post', '{body}', 'author', 'test'),
	moderation.guard('remark', '{body}', 'author', 'test')});
is($node->safe_psql('one_schema', 'SELECT object, problem FROM moderation.verify()'), '', 'one schema: guarded, nothing is wrong');
is(refusal($node, 'one_schema', q{('ada', 'a zorblax')}), 'MD001', 'one schema: and content is refused');

# Without the extension (17 and later can leave it out): as one schema, to be restored where it is.
SKIP:
{
	skip 'pg_dump has no --exclude-extension', 3 if $node->pg_version->major < 17;
	my $without = dump_of('without.dump', '--format=custom', '--exclude-extension=moderation', '--exclude-schema=moderation');
	$node->safe_psql(database('without'), 'CREATE EXTENSION moderation');
	$node->command_ok([ restore('without', $without) ], 'without the extension');
	is(fingerprint($node, 'without', qw(post remark event)), fingerprint($node, 'origin', qw(post remark event)), 'without the extension: every row is what it was');
}

# A whole server: roles, databases and all, into one that is new.
$node->safe_psql('postgres', "DROP DATABASE $_") for qw(tar sections scripts dumped keeper one_schema), $node->pg_version->major < 17 ? () : 'without';
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all.sql", '-d', $node->connstr('postgres') ], 'dumped: a whole server');
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "fsync = off\n");
$other->start;
{
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	# The first line that fails is that the superuser is there already: so it goes on after errors, as the manual says.
	my ($stdout, $stderr) = run_command([ 'psql', '-X', '-q', '-f', "$dir/all.sql", '-d', $other->connstr('postgres') ]);
	is(join("\n", grep { /ERROR/ && !/role ".*" already exists/ } split(/\n/, $stderr)), '', 'a whole server, without errors');
}
is_carried($other, 'origin', $before, 'a whole server');
awake($other, 'origin', 'a whole server');
$other->stop;
$node->stop;
done_testing();
