# Standbys, one behind the other: what writes nothing works there and follows the primary within a session.  Promoted, it has every
# freeze in force for sessions that were there before, too.  The old primary comes back by pg_rewind; what it had in its spool is carried
# over by hand.
use strict;
use warnings;
use Carried;
use Cwd;
use File::Copy;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('old');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "wal_log_hints = on\nwal_keep_size = '256MB'\nhot_standby_feedback = on\n");
$primary->start;
populate($primary, 'postgres');
$primary->backup('first');
my $standby = PostgreSQL::Test::Cluster->new('new');
$standby->init_from_backup($primary, 'first', has_streaming => 1);
$standby->start;
$standby->backup('second');
my $cascade = PostgreSQL::Test::Cluster->new('cascade');
$cascade->init_from_backup($standby, 'second', has_streaming => 1);
$cascade->start;
my @standbys = ($standby, $cascade);

sub caught_up
{
	my ($from) = @_;
	# Both have replayed what the first has written.
	my $lsn = $from->lsn('insert');
	$_->poll_query_until('postgres', "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= '$lsn' ELSE true END") or die foreach @_;
	return;
}
caught_up($primary, @standbys);

# A session that is kept, so that everything in it that remembers has something to remember.
sub session
{
	my ($node) = @_;
	my %session = (in => '', out => '', err => '');
	$session{handle} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err}, IPC::Run::timeout(120));
	return \%session;
}
sub ask
{
	my ($session, $query) = @_;
	@$session{qw(out err)} = ('', '');
	$session->{in} .= "$query\n\\echo done\n";
	$session->{handle}->pump until $session->{out} =~ s/done\n$//;
	$session->{handle}->pump_nb;
	chomp $session->{out};
	return $session->{out} . ($session->{err} =~ /ERROR:  (\w{5})/ ? $1 : '');
}

my $reading = q{SELECT md5(string_agg(c::text, ',' ORDER BY c::text)) FROM moderation.classify('a zorblix, a redactword', 'house') AS c
	UNION ALL SELECT md5(string_agg(e::text, ',' ORDER BY e::text)) FROM moderation.explain('a zorblix, a redactword', 'house') AS e
	UNION ALL SELECT v::text FROM moderation.verdict('a zorblix', 'house') AS v
	UNION ALL SELECT moderation.normalize('Ä ZORBLIX') UNION ALL SELECT moderation.redact('a redactword', 'house')
	UNION ALL SELECT string_agg(moderation.may_write(a)::text, ' ') FROM unnest('{ann,sue,max,ben,ned,nobody}'::text[]) AS a
	UNION ALL SELECT count(*)::text FROM moderation.account_status UNION ALL SELECT count(*)::text FROM moderation.rule};
my $answer = $primary->safe_psql('postgres', $reading);
like($answer, qr/^\w{32}\n\w{32}\n\(t,reject,test_reject,.*\na zorblix\na \S+\nfalse false false true true true\n/s, 'the primary answers');
my %session;
for my $node (@standbys)
{
	my $name = $node->name;
	is($node->safe_psql('postgres', $reading), $answer, "$name: all that only reads works, and says the same");
	is($node->safe_psql('postgres', 'SELECT object, problem FROM moderation.verify()'), '', "$name: nothing is wrong");
	like($node->safe_psql('postgres', 'SELECT recording, worker FROM moderation.status()'), qr/^nothing is stored or refused here: this is a standby\|none$/,
		"$name: status() says what it is");
	my $s = $session{$name} = session($node);
	is(join(' ', map { ask($s, $_) } q{INSERT INTO post VALUES (9, 'dan', 'a zorblix');}, q{SELECT moderation.freeze('dan', 'x');},
		q{SELECT moderation.load_policy('policy: x');}, q{SELECT moderation.unguard('post');}), '25006 25006 25006 55000', "$name: what writes is refused as such");
	is(ask($s, q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT moderation.may_write('ned'), (moderation.verdict('a zorblox', 'house')).action;}), 't|allow',
		"$name: a transaction that stays open");
}

# The primary freezes and loads a policy; the sessions on the standbys see both.
$primary->safe_psql('postgres', q{SELECT moderation.freeze('ned', 'at last');
	SELECT moderation.load_policy(replace(document, 'zorblix', 'zorblox')) FROM moderation.policy WHERE policy = 'house' AND state = 'active'});
caught_up($primary, @standbys);
for my $node (@standbys)
{
	my $name = $node->name;
	is(ask($session{$name}, q{SELECT moderation.may_write('ned');}), 'f', "$name: a freeze is seen even by a transaction from before");
	is(ask($session{$name}, q{COMMIT; SELECT moderation.may_write('ned'), (moderation.verdict('a zorblox', 'house')).action;}), 'f|reject',
		"$name: a policy by the next statement");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'}), 0, "$name: no worker runs");
	ok(!-e $node->data_dir . '/moderation_spool', "$name: nothing is spooled");
}

# The old primary goes on by itself: a violation in its tables and one in its spool that the others never get.
settle($primary, 'postgres');
caught_up($primary, @standbys);
my $then = fingerprint($primary, 'postgres');
$standby->promote;
is(ask($session{new}, q{INSERT INTO post VALUES (9, 'ned', 'hello');}), 'MD002', 'promoted, a session from before refuses who is frozen');
is_carried($standby, 'postgres', $then, 'promoted');
is(ask($session{new}, q{INSERT INTO post VALUES (9, 'gil', 'a zorblox');}), 'MD001', 'and refuses content');
settle($standby, 'postgres');
is($standby->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'gil'}), 1, 'which is recorded and counted');
caught_up($standby, $cascade);
is(fingerprint($cascade, 'postgres'), fingerprint($standby, 'postgres'), 'the standby behind it follows');
is(refusal($primary, 'postgres', q{('eve', 'a zorblox')}), 'MD001', 'the old primary still records');
settle($primary, 'postgres');
$primary->append_conf('postgresql.conf', "max_worker_processes = 0\n");
$primary->restart;
is(refusal($primary, 'postgres', q{('fay', 'a zorblox')}), 'MD001', 'and spools');
my ($oid, $column) = split(/\|/, $primary->safe_psql('postgres', 'SELECT d.oid, spooled_files FROM pg_database AS d, moderation.recorder_status() WHERE datname = current_database()'));
is($column, 1, 'one file');
my $lost = $primary->safe_psql('postgres', q{SELECT account, content_sha256 FROM moderation.violation WHERE account = 'eve'});
$primary->stop;

# pg_rewind makes of the old primary what the new one is: its violations are gone, its spool, too.  So the spool is kept first.
my $folder = $primary->basedir;
copy($primary->data_dir . "/moderation_spool/$oid", "$folder/spool") or die $!;
copy($primary->data_dir . '/postgresql.conf', "$folder/postgresql.conf") or die $!;
$standby->safe_psql('postgres', 'CHECKPOINT');
command_ok([ 'pg_rewind', '--no-sync', '--target-pgdata', $primary->data_dir, '--source-server', $standby->connstr('postgres') ], 'rewound');
ok(!-e $primary->data_dir . "/moderation_spool/$oid", 'the spool is gone');
copy("$folder/postgresql.conf", $primary->data_dir . '/postgresql.conf') or die $!;
$primary->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$primary->enable_streaming($standby);
$primary->set_standby_mode;
$primary->start;
caught_up($standby, $primary, $cascade);
is(fingerprint($primary, 'postgres'), fingerprint($standby, 'postgres'), 'the old primary follows the new one');
is($primary->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation WHERE account IN ('eve', 'fay')}), 0, 'what only it had is gone');

# The spool goes to the new primary, while it runs, by a name that nobody writes to until it is whole.
my $spool = $standby->data_dir . '/moderation_spool';
mkdir $spool, 0700;
copy("$folder/spool", "$spool/from_old") or die $!;
chmod 0600, "$spool/from_old";
link("$spool/from_old", "$spool/$oid") or die $!;
unlink "$spool/from_old";
$standby->safe_psql('postgres', q{SELECT moderation.may_write('nobody')});
$standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM moderation.violation WHERE account = 'fay'});
settle($standby, 'postgres');
is($standby->safe_psql('postgres', q{SELECT strikes FROM moderation.account WHERE account = 'fay'}), 1, 'what was spooled is recorded and counted');
caught_up($standby, $primary, $cascade);
for my $node ($standby, $primary, $cascade)
{
	is($node->safe_psql('postgres', 'SELECT object, problem FROM moderation.verify()'), '', $node->name . ': nothing is wrong');
	is(fingerprint($node, 'postgres'), fingerprint($standby, 'postgres'), $node->name . ': all are the same');
}
$session{$_->name}{handle}->kill_kill foreach @standbys;
$_->stop foreach $cascade, $primary, $standby;
done_testing();
