# A restored ledger is a legitimate beginning of the one that it was taken from: it verifies, says where it was taken, and a digest that
# was noted down later is beyond it.  An ordinary restart says nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Recorder;
use Test::More;
use TestLibrary;

my $node = PostgreSQL::Test::Cluster->new('origin');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
install($node, 'shop');
my $tables = join ' UNION ALL ', map { "SELECT '$_', count(*), md5(string_agg(t::text, '' ORDER BY t::text COLLATE \"C\")) FROM moderation.$_ AS t" }
	qw(ledger ledger_note ledger_seal ledger_head ledger_epoch guard_event violation account_event);

sub rest
{
	my ($node, $database) = @_;
	settled($node, $database);
	$node->safe_psql($database, 'SELECT moderation.stop_recorder()');
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'moderation recorder')});
	return;
}
sub act
{
	my ($node, $database, $account) = @_;
	ok(refused_id($node, "INSERT INTO post VALUES ('$account', 'a zorblax')", $database), "$account is refused");
	$node->safe_psql($database, "SELECT moderation.freeze('$account', 'by hand')");
	rest($node, $database);
	return;
}
sub problems { my ($node, $database) = @_; return $node->safe_psql($database, 'SELECT object, problem FROM moderation.verify()'); }
sub noted { my ($node, $database) = @_; return split /\|/, $node->safe_psql($database, q{SELECT seal, '''' || digest::text || '''' FROM moderation.seal()}); }
sub check { my ($node, $database, @noted) = @_; return $node->safe_psql($database, "SELECT verdict FROM moderation.check_seal($noted[0], $noted[1])"); }

act($node, 'shop', 'ann');
my @early = noted($node, 'shop');
my $before = $node->safe_psql('shop', $tables);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $node->basedir . '/shop.dump', $node->connstr('shop') ], 'dumped');
$node->backup('base');
act($node, 'shop', 'ben');
my @late = noted($node, 'shop');
cmp_ok($late[0], '>', $early[0], 'more is sealed after that');
is(check($node, 'shop', @$_), 'kept', 'where it comes from both digests are kept') for \@early, \@late;
$node->restart;
act($node, 'shop', 'cia');
is($node->safe_psql('shop', 'SELECT epochs, epoch FROM moderation.ledger_status()'), '1|the ledger began here', 'a restart makes no epoch');
is(problems($node, 'shop'), '', 'nothing is wrong');

# What a restored database must say, before anything happens in it and after.
sub is_prefix
{
	my ($node, $database, $what) = @_;
	is($node->safe_psql($database, $tables), $before, "$what: every hash is what it was");
	is(problems($node, $database), '', "$what: nothing is wrong");
	is(check($node, $database, @early), 'kept', "$what: a digest from before is kept");
	is(check($node, $database, @late), 'beyond', "$what: one from after is beyond");
	my $end = $node->safe_psql($database, "SELECT last_seal = $early[0] FROM moderation.check_seal($late[0], $late[1])");
	is($end, 't', "$what: and it is said where this one ends");
	return;
}
sub goes_on
{
	my ($node, $database, $what, $changed) = @_;
	act($node, $database, 'dan');
	is($node->safe_psql($database, 'SELECT epochs, epoch_after_seal FROM moderation.ledger_status()'), "2|$early[0]", "$what: it says after which seal");
	like($node->safe_psql($database, 'SELECT epoch FROM moderation.ledger_status()'), qr/^restored, promoted or copied/, "$what: and from where");
	is($node->safe_psql($database, "SELECT $changed FROM moderation.ledger_epoch AS e ORDER BY occurred_at DESC LIMIT 1"), 't', "$what: that is what has changed");
	is($node->safe_psql($database, q{SELECT kind FROM moderation.ledger WHERE account IS NULL ORDER BY position DESC LIMIT 1}), 'epoch', "$what: it is linked");
	is(problems($node, $database), '', "$what: nothing is wrong");
	is(check($node, $database, @early), 'kept', "$what: a digest from before is kept still");
	isnt(check($node, $database, @late), 'kept', "$what: one from after is another branch's");
	like($node->safe_psql($database, "SELECT detail FROM moderation.check_seal($late[0], $late[1])"), qr/another branch/, "$what: which it says");
	$node->restart;
	act($node, $database, 'eve');
	is($node->safe_psql($database, 'SELECT epochs FROM moderation.ledger_status()'), 2, "$what: a restart makes no more epochs");
	return;
}

# A dump, in another database of the same cluster.
$node->safe_psql('postgres', 'CREATE DATABASE restored');
{
	local $ENV{PGOPTIONS} = '-c moderation.mode=restore';
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $node->basedir . '/shop.dump' ], 'restored');
}
is_prefix($node, 'restored', 'dump');
goes_on($node, 'restored', 'dump', 'e.old_database <> e.database AND e.old_system_identifier = e.system_identifier');

# A base backup, recovered: another timeline.
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'base', has_streaming => 0, has_restoring => 1, standby => 0);
$copy->append_conf('postgresql.conf', "restore_command = 'false'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\n");
$copy->start;
$copy->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'it does not recover';
is_prefix($copy, 'shop', 'base backup');
goes_on($copy, 'shop', 'base backup', 'e.old_timeline < e.timeline AND e.old_system_identifier = e.system_identifier AND e.old_database = e.database');

# A copy by CREATE DATABASE ... TEMPLATE; and without the look at the place, which then says nothing.
for my $mode ('copied', 'blind')
{
	$node->safe_psql('postgres', "CREATE DATABASE $mode TEMPLATE restored");
	use_test_library($node, $mode);
	$node->append_conf('postgresql.conf', "moderation.test_points = 'ledger_place=fail'\n") if $mode eq 'blind';
	$node->reload;
	act($node, $mode, 'fay');
	is($node->safe_psql($mode, 'SELECT epochs FROM moderation.ledger_status()'), $mode eq 'blind' ? 2 : 3,
		$mode eq 'blind' ? 'control: without the look at the place no epoch says that it is a copy' : 'a copy says so, too');
}
$copy->stop;
$node->stop;
done_testing();
