# Logical replication, from and to guarded tables, with the initial copy: a row is judged where it is first stored, and nowhere else.
# What a publication of the extension's own tables does, and what stops a subscription and how it goes on.
use strict;
use warnings;
use Carried;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
# Small, so that a transaction of some hundred kilobytes is streamed while it runs.
$publisher->append_conf('postgresql.conf', "fsync = off\nlogical_decoding_work_mem = 64kB\nmax_prepared_transactions = 4\n");
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', "fsync = off\nmax_worker_processes = 24\nmax_logical_replication_workers = 12\nmax_prepared_transactions = 4\n"
	. "wal_retrieve_retry_interval = 100ms\n");
$subscriber->start;
my $major = $publisher->pg_version->major;

my $tables = q{
	CREATE TABLE post (id int PRIMARY KEY, author text, body text);
	CREATE TABLE remark (author text, body text, PRIMARY KEY (author, body));
	CREATE TABLE event (day int, author text, body text) PARTITION BY LIST (day);
	CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1);
	CREATE TABLE event_2 PARTITION OF event FOR VALUES IN (2);};
my $guards = q{
	SELECT moderation.guard('post', '{body}', 'author', 'house');
	SELECT moderation.guard('remark', '{body}', 'author', 'test');
	SELECT moderation.guard('event', '{body}', 'author', 'house', row_security => true);};
my $identities = 'ALTER TABLE event_1 REPLICA IDENTITY FULL; ALTER TABLE event_2 REPLICA IDENTITY FULL;';
my @user = qw(post remark event);
my @ours = qw(moderation.violation moderation.account moderation.account_event moderation.evidence moderation.quarantine moderation.guarded);

sub subscribe
{
	my ($from, $to, $publication, $options) = @_;
	my $connection = $publisher->connstr($from);
	$connection =~ s/'/''/g;
	my $name = "${from}_$to";
	$subscriber->safe_psql($to, "CREATE SUBSCRIPTION $name CONNECTION '$connection' PUBLICATION $publication WITH (" . ($options // 'streaming = on') . ')');
	return $name;
}

sub synced
{
	my ($to) = @_;
	$subscriber->poll_query_until($to, q{SELECT count(*) = 0 FROM pg_subscription_rel JOIN pg_subscription AS s ON s.oid = srsubid
		JOIN pg_database AS d ON d.oid = s.subdbid AND d.datname = current_database() WHERE srsubstate NOT IN ('r', 's')}) or die "$to is not copied";
	return;
}

# Two databases: one with guards and everything in them, one that has never heard of the extension.
$publisher->safe_psql('postgres', 'CREATE DATABASE shop');
$publisher->safe_psql('postgres', 'CREATE DATABASE bare');
# Whatever the extension does must go on in a database all of whose tables are published, without any subscriber.
$publisher->safe_psql('shop', 'CREATE PUBLICATION everything FOR ALL TABLES');
populate($publisher, 'shop');
$publisher->safe_psql('shop', "$identities CREATE PUBLICATION shop FOR TABLES IN SCHEMA public");
is($publisher->safe_psql('shop', 'BEGIN; DELETE FROM moderation.quarantine; UPDATE moderation.evidence SET preserved_until = now(); ROLLBACK;
	SELECT 1'), 1, 'with all tables published, rows of the extension can be updated and deleted');
is($publisher->safe_psql('shop', q{SELECT string_agg(oid::regclass::text, ' ' ORDER BY relname) FROM pg_class AS c WHERE relnamespace = 'moderation'::regnamespace AND relkind = 'r'
	AND relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)}), 'moderation.freeze_gate moderation.ledger moderation.ledger_head',
	'every table has a replica identity, but the one without columns and those that are only inserted into');
my ($code, $out, $error) = $publisher->psql('shop', 'BEGIN; ALTER TABLE moderation.quarantine REPLICA IDENTITY DEFAULT; DELETE FROM moderation.quarantine; ROLLBACK');
like($error, qr/does not have a replica identity and publishes deletes/, 'which a table without a primary key needs');
$publisher->safe_psql('bare', "$tables $identities CREATE PUBLICATION bare FOR ALL TABLES");
$publisher->safe_psql('bare', q{
	INSERT INTO post VALUES (1, 'ann', 'a zorblix'), (2, 'ben', 'a redactword'), (3, 'frozen', 'hello');
	INSERT INTO remark VALUES ('ann', 'a quarword'), ('ben', 'a suspendword');
	INSERT INTO event VALUES (1, 'ann', 'a zorblix'), (2, 'ben', 'a flagword')});

# And on the other server: the guarded one into a plain one and a guarded one; the plain one into a guarded one.
my %from = (plain => 'shop', guarded => 'shop', unjudged => 'bare');
$subscriber->safe_psql('postgres', 'CREATE DATABASE ready');
$subscriber->safe_psql('ready', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$subscriber->safe_psql('ready', q{
	SELECT moderation.load_policy(replace(replace(document, 'policy: test', 'policy: house'), 'zorblax', 'zorblix')) FROM moderation.policy WHERE policy = 'test'});
for my $to (sort keys %from)
{
	$subscriber->safe_psql('postgres', "CREATE DATABASE $to TEMPLATE " . ($to eq 'plain' ? 'template0' : 'ready'));
	$subscriber->safe_psql($to, "$tables $identities");
	$subscriber->safe_psql($to, "$guards SELECT moderation.suspend('frozen', 'test'), moderation.freeze('ben', 'test')") if $to ne 'plain';
}
my %before = map { $_ => fingerprint($subscriber, $_, @ours) } grep { $_ ne 'plain' } sort keys %from;
my $shop = fingerprint($publisher, 'shop', @ours);
subscribe($from{$_}, $_, $from{$_}) for sort keys %from;
for my $to (sort keys %from)
{
	synced($to);
	is(fingerprint($subscriber, $to, @user), fingerprint($publisher, $from{$to}, @user), "$from{$to} to $to: every row is copied as it is");
	is(fingerprint($subscriber, $to, @ours), $before{$to}, "$from{$to} to $to: nothing is recorded, nobody has a strike") if $to ne 'plain';
}
is(fingerprint($publisher, 'shop', @ours), $shop, 'being copied changes nothing');

# Changes: what the publisher's guard made of them is what arrives; what a plain publisher sends is not judged.
my $changes = q{
	INSERT INTO post VALUES (11, 'ann2', 'hello'), (12, 'ben2', 'a redactword'), (13, 'ben2', 'a quarword'), (14, 'ben2', 'a flagword');
	UPDATE post SET body = 'a flagword again' WHERE id = 11;
	UPDATE post SET author = 'frozen2' WHERE id = 12;
	UPDATE event SET day = 2, body = 'another flagword' WHERE author = 'ben';
	DELETE FROM post WHERE id = 2;
	TRUNCATE remark;
	INSERT INTO remark VALUES ('cia', 'a redactword after all');
	BEGIN; INSERT INTO post VALUES (15, 'dan2', 'not kept'); ROLLBACK;};
$publisher->safe_psql($_, $changes) for qw(shop bare);
is(refusal($publisher, 'shop', q{('ben2', 'a zorblix')}), 'MD001', 'the publisher refuses');
$publisher->safe_psql('bare', q{INSERT INTO post VALUES (16, 'ann', 'a zorblix'), (17, 'frozen', 'hello'); UPDATE post SET body = 'a suspendword' WHERE id = 3;
	BEGIN; INSERT INTO post VALUES (18, 'frozen', 'a zorblix'); PREPARE TRANSACTION 'later'});
$publisher->safe_psql('bare', q{COMMIT PREPARED 'later'});
settle($publisher, 'shop');
$shop = fingerprint($publisher, 'shop', @ours);
# A transaction that is streamed before it ends, and one that then does not commit.
my $large = q{INSERT INTO post SELECT 1000 + n, 'ann2', repeat(md5(n::text), 10) || ' a flagword' FROM generate_series(1, 2000) AS n;};
$publisher->safe_psql('bare', "BEGIN; $large ROLLBACK; BEGIN; $large SAVEPOINT s; DELETE FROM post WHERE id > 2000; ROLLBACK TO s; COMMIT");
for my $to (sort keys %from)
{
	$publisher->wait_for_catchup("$from{$to}_$to");
	is(fingerprint($subscriber, $to, @user), fingerprint($publisher, $from{$to}, @user), "$from{$to} to $to: every change is applied as it is");
	is(fingerprint($subscriber, $to, @ours), $before{$to}, "$from{$to} to $to: nothing is recorded, nobody has a strike") if $to ne 'plain';
	is($subscriber->safe_psql($to, 'SELECT object, problem FROM moderation.verify()'), '', "$from{$to} to $to: nothing is wrong") if $to ne 'plain';
}
cmp_ok($publisher->safe_psql('bare', q{SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = 'bare_unjudged'}), '>=', 1, 'large transactions were streamed');
is($subscriber->safe_psql('unjudged', q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM post WHERE author = 'frozen' OR body ~ 'zorblix'}), '1 3 16 17 18',
	'rows of frozen accounts are applied, and so is what would be refused');
is(refusal($subscriber, 'unjudged', q{('frozen', 'hello')}), 'MD003', 'who writes there directly is refused');
is(refusal($subscriber, 'guarded', q{('eve', 'a zorblix')}), 'MD001', 'and so is what');
settle($subscriber, 'guarded');

# With moderation.moderate_replica the subscriber observes: all the same rows, each violation once, as "flag", and no strike; the initial
# copy and streamed transactions are no exception.
if ($major >= 16)
{
	$subscriber->safe_psql('unjudged', 'ALTER SUBSCRIPTION bare_unjudged SET (streaming = parallel)');
}
$subscriber->append_conf('postgresql.conf', "moderation.moderate_replica = on\n");
$subscriber->safe_psql('postgres', 'CREATE DATABASE observed TEMPLATE ready');
$subscriber->restart;
$subscriber->safe_psql('observed', "$tables $identities");
$subscriber->safe_psql('observed', q{SELECT moderation.guard('post', '{body}', 'author', 'test'), moderation.suspend('frozen', 'test')});
$publisher->safe_psql('bare', q{DELETE FROM post WHERE id > 1000; UPDATE post SET body = replace(body, 'zorblix', 'zorblax')});
my $marked = q{SELECT count(*) FROM post WHERE body ~ 'zorblax|redactword|quarword|flagword|suspendword'};
my $observations = q{SELECT count(*), count(DISTINCT content_sha256), min(action), max(action), bool_or(strike) FROM moderation.violation};
subscribe('bare', 'observed', 'bare', 'streaming = ' . ($major >= 16 ? 'parallel' : 'on') . ', disable_on_error = true');
synced('observed');
is(fingerprint($subscriber, 'observed', @user), fingerprint($publisher, 'bare', @user), 'observed: every row is copied as it is');
my $copied = $publisher->safe_psql('bare', $marked);
like($subscriber->safe_psql('observed', $observations), qr/^$copied\|\d+\|flag\|flag\|f$/, "observed: each of $copied is recorded as flagged");
$publisher->safe_psql('bare', "BEGIN; $large COMMIT; INSERT INTO post VALUES (21, 'frozen', 'a suspendword')");
$publisher->wait_for_catchup('bare_observed');
is(fingerprint($subscriber, 'observed', @user), fingerprint($publisher, 'bare', @user), 'observed: every change is applied as it is');
$copied += 2001;
like($subscriber->safe_psql('observed', $observations), qr/^$copied\|\d+\|flag\|flag\|f$/, 'observed: each is recorded once');
is($subscriber->safe_psql('observed', 'SELECT string_agg(account, chr(32)) FROM moderation.account'), 'frozen', 'observed: nobody has a strike');

# What stops a subscription: a guard that cannot judge.  Mended, it goes on, and nothing is lost.
sub waits_disabled
{
	my ($to) = @_;
	return $subscriber->poll_query_until($to, "SELECT NOT subenabled FROM pg_subscription WHERE subname = 'bare_$to'");
}
$subscriber->safe_psql('observed', q{CREATE TABLE kept AS SELECT * FROM moderation.guarded; DELETE FROM moderation.guarded});
my $offset = -s $subscriber->logfile;
$publisher->safe_psql('bare', q{INSERT INTO post VALUES (31, 'ann', 'a secret zorblax')});
ok(waits_disabled('observed'), 'a table that is not registered stops a subscription that observes');
like(slurp_file($subscriber->logfile, $offset), qr/ERROR: .*post.* guard/, 'with its error in the log');
unlike(slurp_file($subscriber->logfile, $offset), qr/secret/, 'and not the content');
$subscriber->safe_psql('observed', 'INSERT INTO moderation.guarded SELECT * FROM kept; ALTER SUBSCRIPTION bare_observed ENABLE');
$publisher->wait_for_catchup('bare_observed');
is($subscriber->safe_psql('observed', q{SELECT body FROM post WHERE id = 31}), 'a secret zorblax', 'mended and enabled, it goes on where it was');

# A conflict: the transaction is skipped, by the position that the log gives.
$subscriber->safe_psql('observed', q{INSERT INTO post VALUES (41, 'ben', 'is here')});
$offset = -s $subscriber->logfile;
$publisher->safe_psql('bare', q{INSERT INTO post VALUES (41, 'ann', 'a secret zorblax')});
ok(waits_disabled('observed'), 'a conflict stops a subscription');
my $log = slurp_file($subscriber->logfile, $offset);
like($log, qr/Key \(id\)=\(41\)|Key already exists/, 'with its key in the log');
# From 18 on, the server itself tells both rows of a conflict.
unlike($log, qr/secret/, 'and not the content') if $subscriber->pg_version < 18;
my ($lsn) = $log =~ m{for replication target relation "public.post" in transaction \d+, finished at ([0-9A-F]+/[0-9A-F]+)};
$subscriber->safe_psql('observed', "ALTER SUBSCRIPTION bare_observed SKIP (lsn = '$lsn')");
$subscriber->safe_psql('observed', 'ALTER SUBSCRIPTION bare_observed ENABLE');
$publisher->safe_psql('bare', q{INSERT INTO post VALUES (42, 'ann', 'hello')});
$publisher->wait_for_catchup('bare_observed');
is($subscriber->safe_psql('observed', 'SELECT string_agg(author, chr(32) ORDER BY id) FROM post WHERE id IN (41, 42)'), 'ben ann', 'skipped, it goes on');
is($subscriber->safe_psql('observed', q{SELECT count(*) FROM moderation.violation WHERE content_sha256 = sha256('a secret zorblax')}), 1,
	'and what was skipped is not recorded');
$subscriber->safe_psql('observed', 'DROP SUBSCRIPTION bare_observed');

# All tables are too many: the policies of the two databases are in each other's way.
$subscriber->append_conf('postgresql.conf', "moderation.moderate_replica = off\n");
$subscriber->safe_psql('postgres', 'CREATE DATABASE everything');
$subscriber->restart;
$subscriber->safe_psql('everything', "$tables $identities");
my $connection = $publisher->connstr('shop');
$connection =~ s/'/''/g;
($code, $out, $error) = $subscriber->psql('everything', "CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything");
like($error, qr/schema "moderation" does not exist/, 'a publication of all tables needs the extension on the subscriber');
$subscriber->safe_psql('everything', 'CREATE EXTENSION moderation');
$offset = -s $subscriber->logfile;
$subscriber->safe_psql('everything', "CREATE SUBSCRIPTION everything CONNECTION '$connection' PUBLICATION everything");
ok($subscriber->poll_query_until('everything', q{SELECT EXISTS (SELECT FROM post) AND NOT EXISTS (SELECT FROM moderation.policy WHERE policy = 'house')}), 'with it, ...');
$subscriber->wait_for_log(qr/duplicate key value violates unique constraint "policy_pkey"/, $offset);
pass('... the policies conflict');
$subscriber->safe_psql('everything', 'DROP SUBSCRIPTION everything');

# Statuses can be published, so that a freeze holds in both databases, and violations as soon as they are counted.
$publisher->safe_psql('shop', q{CREATE PUBLICATION statuses FOR TABLE moderation.account, moderation.account_event, moderation.evidence,
	moderation.violation WHERE (counted OR NOT strike)});
$subscriber->safe_psql('postgres', 'CREATE DATABASE statuses TEMPLATE ready');
$subscriber->safe_psql('statuses', "$tables $guards");
subscribe('shop', 'statuses', 'statuses');
synced('statuses');
is(fingerprint($subscriber, 'statuses', @ours[0 .. 3]), fingerprint($publisher, 'shop', @ours[0 .. 3]), 'statuses and violations are copied');
is($subscriber->safe_psql('statuses', q{SELECT object, problem FROM moderation.verify() WHERE problem NOT LIKE '% is not in the ledger%'}), '',
	'nothing is wrong with them, but that they are in the ledger of the publisher alone');
is(refusal($subscriber, 'statuses', q{('ann', 'hello')}), 'MD002', 'who is frozen is frozen there, too');

# A freeze on the publisher stops a transaction that is open on the subscriber.
my ($in, $said, $wrong) = ("BEGIN; INSERT INTO event VALUES (1, 'ned', 'hello'); SELECT 'held';\n", '', '');
my $writer = IPC::Run::start([ 'psql', '-XAtqd', $subscriber->connstr('statuses') ], '<', \$in, '>', \$said, '2>', \$wrong, IPC::Run::timeout(60));
$writer->pump until $said =~ /held/ || $wrong;
$publisher->safe_psql('shop', q{SELECT moderation.freeze('ned', 'now')});
$publisher->wait_for_catchup('shop_statuses');
$in = "COMMIT;\n\\q\n";
$writer->finish;
like($wrong, qr/account.*frozen/i, 'a freeze that arrives stops a transaction that is open');
is($subscriber->safe_psql('statuses', q{SELECT count(*) FROM event WHERE author = 'ned'}), 0, 'whose rows are gone');

# A strike that waits to be counted does not arrive before it is, or the subscriber's own recorder would count it.
sub uncounted_strike
{
	my ($account) = @_;
	my ($in, $said) = ("BEGIN; SELECT FROM moderation.account WHERE account = '$account' FOR UPDATE; SELECT 'held';\n", '');
	my $holder = IPC::Run::start([ 'psql', '-XAtqd', $publisher->connstr('shop') ], '<', \$in, '>', \$said, IPC::Run::timeout(60));
	$holder->pump until $said =~ /held/;
	is(refusal($publisher, 'shop', "('$account', 'a zorblix')"), 'MD001', 'refused, and not counted yet');
	$publisher->wait_for_catchup('shop_statuses');
	is(refusal($subscriber, 'statuses', "('here$account', 'a zorblix')"), 'MD001', 'the recorder of the subscriber has something to do');
	settle($subscriber, 'statuses');
	my $strikes = $subscriber->safe_psql('statuses', "SELECT strikes FROM moderation.account WHERE account = '$account'");
	$in = "COMMIT;\n\\q\n";
	$holder->finish;
	settle($publisher, 'shop');
	return $strikes;
}
is(uncounted_strike('dan'), 1, 'a strike is not counted by the subscriber');
$publisher->wait_for_catchup('shop_statuses');
is($subscriber->safe_psql('statuses', q{SELECT strikes, (SELECT count(*) FROM moderation.violation WHERE account = 'dan') FROM moderation.account WHERE account = 'dan'}),
	'2|2', 'and arrives, counted once');
$publisher->safe_psql('shop', 'ALTER PUBLICATION statuses SET TABLE moderation.account, moderation.account_event, moderation.evidence, moderation.violation');
$subscriber->safe_psql('statuses', 'ALTER SUBSCRIPTION shop_statuses REFRESH PUBLICATION');
is(uncounted_strike('dan'), 3, 'without the condition, it is');

$subscriber->stop;
$publisher->stop;
done_testing();
