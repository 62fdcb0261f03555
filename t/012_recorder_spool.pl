# The spool: whole after kills and torn writes, drained once whatever was done before, and never a reason to let content pass.
use strict;
use warnings;
use Fcntl ':flock';
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Recorder;
use Test::More;
use Time::HiRes qw(usleep);

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax');};
my $keep = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorbkeep ' || repeat('x', 300000));};
my $node = PostgreSQL::Test::Cluster->new('spool');
$node->init;
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->start;
install($node);
my $folder = $node->data_dir . '/moderation_spool';
my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = current_database()});
my $spool = "$folder/$oid";

# With max_worker_processes = 0 there is never a worker.
my @ids = map { refused_id($node, $_) } $insert, $keep, $insert;
is(scalar(grep { $_ } @ids), 3, 'refused without a worker');
is(violations($node), 0, 'nothing is in the table');
is((stat $folder)[2] & 07777, 0700, 'the folder is nobody else\'s');
is((stat $spool)[2] & 07777, 0600, 'nor is the file');
like($node->safe_psql('postgres', 'SELECT worker, queued, spooled_files, fallbacks FROM moderation.recorder_status()'), qr/^none\|\d+\|1\|3$/, 'the status tells');

# Killed with the spool full, with a torn write at its end and another whole one after it.
my $whole = slurp_file($spool);
$node->kill9;
my $unit = substr($whole, 0, index($whole, 'MDRu', 4));
append_to_file($spool, substr($unit, 0, length($unit) - 5));
killed_start($node);
push @ids, refused_id($node, $insert);
ok($ids[3], 'refused after a torn write');
copy($spool, "$folder/copy") or die $!;
$node->stop;
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->start;
$node->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});	# any session that loads the library
is(settled($node), 4, 'a worker drains the spool by itself');
is(violations($node, 'violation_id IN (' . join(', ', map { "'$_'" } @ids) . ')'), 4, 'each violation');
is($node->safe_psql('postgres', q{SELECT count(*), sum(length(content)) FROM moderation.evidence}), '1|300011', 'and the evidence');
is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'ann'}), 4, 'and four strikes');
ok(!-e $spool && !-e "$spool.draining", 'the files are gone');
like(slurp_file($node->logfile), qr/that are no whole violation/, 'the log tells of the torn write');

# Killed after the commit and before the file was removed, and likewise before the rename: the same again is nothing new.
for my $name ("$spool.draining", $spool)
{
	$node->kill9;
	copy("$folder/copy", $name) or die $!;
	chmod 0600, $name;
	killed_start($node);
	$node->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});
	is(settled($node), 4, 'what is drained again is not recorded again');
	is($node->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'ann'}), 4, 'nor counted again');
}

# A worker of another version of the library is at it: this one leaves it alone, lest it remove what comes next under that name.
copy("$folder/copy", "$spool.draining") or die $!;
open my $held, '<', "$spool.draining" or die $!;
flock $held, LOCK_EX or die $!;
$node->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'moderation recorder'}), 'a worker comes');
usleep(700_000);
ok(-e "$spool.draining", 'and does not remove what another drains');
close $held;
is(settled($node), 4, 'but drains it when that one is gone');
ok(!-e "$spool.draining", 'and removes it');
unlink "$folder/copy";

# Nothing works: the refusal stands and the log has the facts, without the content.
$node->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$node->restart;
SKIP:
{
	skip 'root may write anywhere', 4 if $> == 0;
	chmod 0500, $folder;
	my $from = -s $node->logfile;
	my $id = refused_id($node, $keep);
	ok($id, 'refused although neither worker nor spool works');
	(my $hex = $id // 'none') =~ s/-//g;
	my $log = slurp_file($node->logfile, $from);
	like($log, qr/violation $hex is not in the tables/, 'the log has the violation');
	like($log, qr/account "ann", category "recorder_keep"/, 'and what it is about');
	unlike($log, qr/xxxxxxxxxx/, 'but not the content');
	chmod 0700, $folder;
}

# An earlier installation's backlog is not written into the next one.
ok(refused_id($node, $insert), 'refused, spooled');
$node->safe_psql('postgres', 'DROP EXTENSION moderation CASCADE; DROP TABLE post');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
install($node);
ok(refused_id($node, $insert), 'the new installation refuses');
$node->poll_query_until('postgres', q{SELECT worker = 'none' AND queued = 0 FROM moderation.recorder_status()});
is(violations($node), 1, 'and records its own violation only');
ok(!-e $spool && -s "$spool.damaged", 'what belonged to the old one is put aside');
$node->stop;

# Single-user mode has no worker, either.
my $postgres = $node->config_data('--bindir') . '/postgres';
my ($out, $err);
IPC::Run::run([$postgres, '--single', '-F', '-D', $node->data_dir, 'postgres'], '<', \"INSERT INTO post (account, body) VALUES ('single', 'a zorblax')\n", '>', \$out, '2>', \$err);
like($err, qr/refused|zorblax|not allowed|clause/i, 'refused in single-user mode');
$node->start;
$node->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM moderation.violation WHERE account = 'single'});
is(violations($node, "account = 'single'"), 1, 'and recorded by the next server');
$node->stop;
done_testing();
