# A hot standby writes nothing, and needs nothing to say so; promoted, it records.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Recorder;
use Test::More;

my $insert = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax');};
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
install($primary);
ok(refused_id($primary, $insert), 'refused on the primary');
is(settled($primary), 1, 'and recorded');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$primary->backup('backup');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is(violations($standby), 1, 'the violation is on the standby');

my ($code, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$insert");
like($err, qr/25006/, 'an insert there is refused by the server itself');
is($standby->safe_psql('postgres', 'SELECT worker, queued, spooled_files, fallbacks FROM moderation.recorder_status()'), 'none|0|0|0', 'the status is readable');
is(worker_pid($standby), '', 'no worker is started');
ok(!-e $standby->data_dir . '/moderation_spool/' . $standby->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = current_database()}),
	'nothing is spooled');

$standby->promote;
ok(refused_id($standby, $insert), 'promoted, it refuses');
is(settled($standby), 2, 'and records');
$standby->stop;
$primary->stop;
done_testing();
