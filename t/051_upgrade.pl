# pg_upgrade carries the extension with everything in it: every row of every table, compiled policies and triggers are what they
# were, and the guard is awake at once.  The spool stays behind in the old data directory: it is drained first, or copied.
use strict;
use warnings;
use Carried;
use Cwd;
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
my $bin = $old->config_data('--bindir');
plan skip_all => 'pg_upgrade is not installed' if !-x "$bin/pg_upgrade";
$old->append_conf('postgresql.conf', "fsync = off\n");
$old->start;
$old->safe_psql('postgres', 'CREATE DATABASE shop');
populate($old, 'shop');

# Without a worker, what is refused waits in the spool.
$old->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$old->restart;
is(refusal($old, 'shop', q{('eve', 'a zorblix')}), 'MD001', 'refused while there is no worker');
is($old->safe_psql('shop', 'SELECT spooled_files FROM moderation.recorder_status()'), 1, 'and spooled');
is($old->safe_psql('shop', q{SELECT count(*) FROM moderation.violation WHERE account = 'eve'}), 0, 'not recorded yet');
my $compiled = 'SELECT md5(string_agg(i::text, E\'\n\' ORDER BY i::text)) FROM moderation.policy_image AS i';
my $policies = 'SELECT md5(string_agg(p::text, E\'\n\' ORDER BY p::text)) FROM moderation.policy AS p';
my $oids = q{SELECT oid, 'moderation.violation'::regclass::oid FROM pg_database WHERE datname = current_database()};
my %before = map { $_ => $old->safe_psql('shop', $_) } $compiled, $policies, $oids;
my $before = fingerprint($old, 'shop');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', "fsync = off\n");
# pg_upgrade writes where it is called; both servers have their sockets in one folder.
my $folder = getcwd();
chdir($new->basedir) or die $!;
command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin,
	'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'upgraded');
chdir($folder) or die $!;
$new->start;
is_carried($new, 'shop', $before, 'upgraded');
is($new->safe_psql('shop', $compiled), $before{$compiled}, 'compiled policies are carried, too');
is($new->safe_psql('shop', $policies), $before{$policies}, 'and the built-in policy');
is($new->safe_psql('shop', 'SELECT moderation.compile_policies()'), 0, 'so that nothing is compiled');
awake($new, 'shop', 'upgraded');

# The spool is not part of the database: the new server has none.  Its file is named by the database's oid and made for one
# table moderation.violation; pg_upgrade keeps both oids.
my ($database) = split(/\|/, $before{$oids});
is($new->safe_psql('shop', $oids), $before{$oids}, 'the oids that the spool depends on are the same');
is($new->safe_psql('shop', q{SELECT (SELECT count(*) FROM moderation.violation WHERE account = 'eve'), spooled_files FROM moderation.recorder_status()}),
	'0|0', 'the spool was left behind');
my ($from, $to) = map { $_->data_dir . '/moderation_spool' } $old, $new;
ok(-s "$from/$database", 'where it is still whole');
$new->stop;
mkdir $to, 0700 or die $!;
copy("$from/$database", "$to/$database") or die $!;
chmod 0600, "$to/$database";
$new->start;
$new->safe_psql('shop', q{SELECT moderation.may_write('nobody')});
$new->poll_query_until('shop', q{SELECT count(*) = 1 FROM moderation.violation WHERE account = 'eve'});
settle($new, 'shop');
is($new->safe_psql('shop', q{SELECT strikes FROM moderation.account WHERE account = 'eve'}), 1, 'copied, it is recorded and counted');
ok(!-e "$to/$database", 'and removed');
is($new->safe_psql('shop', 'SELECT object, problem FROM moderation.verify()'), '', 'and nothing is wrong');
$new->stop;
done_testing();
