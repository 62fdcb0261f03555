# Recovery to a point in time gives the accounts and violations of then; a standby that is promoted has every freeze in force with
# its first statement; after both the recorder works.
use strict;
use warnings;
use Carried;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(has_archiving => 1, allows_streaming => 1);
$primary->start;
populate($primary, 'postgres');

# A violation that is in the spool when the base backup is taken, and in the tables when the point comes that is recovered.
$primary->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$primary->restart;
is(refusal($primary, 'postgres', q{('eve', 'a zorblix')}), 'MD001', 'refused and spooled');
is($primary->safe_psql('postgres', 'SELECT spooled_files FROM moderation.recorder_status()'), 1, 'the spool is in the backup');
$primary->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$primary->backup('base');
$primary->restart;
$primary->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});
$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM moderation.violation WHERE account = 'eve'});
settle($primary, 'postgres');

# Then: one more strike.  Later: another, two freezes, a reinstatement, another policy.
is(refusal($primary, 'postgres', q{('dan', 'a zorblix')}), 'MD001', 'a strike before the point');
settle($primary, 'postgres');
my $then = fingerprint($primary, 'postgres');
$primary->safe_psql('postgres', q{SELECT pg_create_restore_point('then')});
is(refusal($primary, 'postgres', q{('dan', 'a zorblix')}), 'MD001', 'a strike after it');
settle($primary, 'postgres');
$primary->safe_psql('postgres', q{
	SELECT moderation.suspend('ben', 'later'), moderation.reinstate('max', 'later');
	SELECT moderation.load_policy(replace(document, 'zorblix', 'zorblox')) FROM moderation.policy WHERE policy = 'house' AND state = 'active'});
my $later = fingerprint($primary, 'postgres');
my $sealed_later = sealed($primary, 'postgres');
is(seal_is($primary, 'postgres', $sealed_later), 'kept|f', 'the ledger is sealed later, too');
isnt($later, $then, 'something has changed since');
$primary->safe_psql('postgres', 'SELECT pg_switch_wal()');

my $recovered = PostgreSQL::Test::Cluster->new('recovered');
$recovered->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
$recovered->append_conf('postgresql.conf', "recovery_target_name = 'then'\nrecovery_target_action = 'promote'\narchive_mode = off\n");
$recovered->start;
$recovered->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'it does not recover';
is_carried($recovered, 'postgres', $then, 'recovered');
like(seal_is($recovered, 'postgres', $sealed_later), qr/^beyond/, 'the ledger ends before a seal that was noted after the point');
is(refusal($recovered, 'postgres', q{('max', 'hello')}), 'MD002', 'who was frozen then is');
is(refusal($recovered, 'postgres', q{('ben', 'hello')}), '', 'who was not is not');
is($recovered->safe_psql('postgres', q{SELECT string_agg(action::text, ' ') FROM unnest('{zorblix,zorblox}'::text[]) AS t, moderation.verdict(t, 'house')}),
	'reject allow', 'the policy of then is live');
is(refusal($recovered, 'postgres', q{('dan', 'a zorblix')}), 'MD001', 'content is refused');
is($recovered->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation WHERE account = 'dan'}), 3, 'and recorded on the new timeline');
settle($recovered, 'postgres');
is($recovered->safe_psql('postgres', q{SELECT string_agg(account || ' ' || strikes, ', ' ORDER BY account) FROM moderation.account WHERE account IN ('dan', 'eve')}),
	'dan 3, eve 1', 'and counted; what came with the backup\'s spool as well as with the log is there once');
is($recovered->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation WHERE account = 'eve'}), 1, 'as a violation, too');
is($recovered->safe_psql('postgres', 'SELECT object, problem FROM moderation.verify()'), '', 'nothing is wrong');
my $sealed_here = sealed($recovered, 'postgres');
like(seal_is($recovered, 'postgres', $sealed_later), qr/^(beyond|altered)\|t$/, 'gone on, the ledger says that the seal is of another branch');
is(seal_is($recovered, 'postgres', $sealed_here), 'kept|f', 'and has seals of its own');
like($recovered->safe_psql('postgres', 'SELECT epochs, epoch FROM moderation.ledger_status()'), qr/^2\|restored, promoted or copied: .* timeline 2,/, 'in a second epoch');
$recovered->stop;

# A physical standby.  The freeze is the last thing that the primary does.
$primary->backup('late');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'late', has_streaming => 1);
$standby->start;
is(refusal($primary, 'postgres', q{('ned', 'hello')}), '', 'an account that writes');
$primary->safe_psql('postgres', q{SELECT moderation.freeze('ned', 'at last')});
my $sealed_last = sealed($primary, 'postgres');
$primary->wait_for_catchup($standby);
my $last = fingerprint($primary, 'postgres');
$primary->stop('immediate');
$standby->promote;
is(refusal($standby, 'postgres', q{('ned', 'hello')}), 'MD002', 'frozen in the first statement after the promotion');
is_carried($standby, 'postgres', $last, 'promoted');
is(seal_is($standby, 'postgres', $sealed_last), 'kept|f', 'the ledger is what was sealed last');
is(refusal($standby, 'postgres', q{('eve', 'a zorblox')}), 'MD001', 'content is refused');
settle($standby, 'postgres');
is($standby->safe_psql('postgres', q{SELECT count(*), (SELECT strikes FROM moderation.account WHERE account = 'eve') FROM moderation.violation WHERE account = 'eve'}),
	'2|2', 'recorded and counted');
$standby->stop;
done_testing();
