# Where a freeze might slip past the gate: foreign servers, other libraries' work at commit, transactions too large for memory, a server
# that crashes, a standby that does not answer, a moderator who gives up waiting.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Account;

my $node = account_node('windows', "max_prepared_transactions = 5\nwal_writer_delay = 10s\n");
my $socket = $node->host;
my $port = $node->port;
$node->safe_psql('postgres', qq{
	CREATE TABLE store (author text, body text);
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$socket', port '$port', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER loop;
	CREATE FOREIGN TABLE away (author text, body text) SERVER loop OPTIONS (table_name 'store');
	SELECT moderation.guard('away', '{body}', 'author', 'test');
	CREATE TABLE spread (author text, body text) PARTITION BY LIST (author);
	CREATE FOREIGN TABLE spread_away PARTITION OF spread FOR VALUES IN ('spread') SERVER loop OPTIONS (table_name 'store');
	CREATE TABLE spread_here PARTITION OF spread DEFAULT;
	SELECT moderation.guard('spread', '{body}', 'author', 'test');
	CREATE ROLE ordinary;
	GRANT INSERT, SELECT ON post TO ordinary;
});

sub freeze { my ($account) = @_; $node->safe_psql('postgres', "SELECT moderation.freeze('$account', 'test')"); return; }
sub rows { my ($account, $table) = @_; $table //= 'post'; return $node->safe_psql('postgres', "SELECT count(*) FROM $table WHERE author = '$account'"); }

# A foreign table: its wrapper commits at the other server before this transaction does, and may not do so before the gate's look.
for my $first ('', q{INSERT INTO post VALUES ('another', 'hello')})
{
	my $account = $first ? 'after a local row' : 'foreign';
	my $client = client($node, 'BEGIN', $first || 'SELECT 1', "INSERT INTO away VALUES ('$account', 'hello')");
	freeze($account);
	is(state($client->query('COMMIT')), 'MD002', "$account: COMMIT is refused");
	is(rows($account, 'store'), 0, "$account: and the row at the foreign server is not committed, either");
	is(state($client->query("INSERT INTO away VALUES ('free', 'hello')")), '', "$account: another account writes there");
	$client->terminate;
}
my $client = client($node, q{INSERT INTO away VALUES ('free', 'hello')}, 'BEGIN', q{COPY away FROM PROGRAM 'echo foreign copy,hello' (FORMAT csv)});
freeze('foreign copy');
is(state($client->query('COMMIT')), 'MD002', 'COPY to a foreign table is refused at COMMIT');
is(rows('foreign copy', 'store'), 0, 'and its row is not there');
$client->terminate;

$client = client($node, 'BEGIN', q{INSERT INTO spread VALUES ('here', 'hello')}, q{INSERT INTO spread VALUES ('spread', 'hello')});
freeze('here');
is(state($client->query('COMMIT')), 'MD002', 'a foreign partition: COMMIT is refused over a row in a local one');
is(rows('spread', 'store'), 0, 'and what went abroad is not there');
$client->terminate;

# Another library that writes at pre-commit, after our own work there, in a transaction that has written nothing before.
$node->safe_psql('postgres', q{
	CREATE FUNCTION late_work() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO post VALUES ('late work', 'hello');
		PERFORM pg_advisory_xact_lock(1);
	END $$});
my $holder = client($node, 'SELECT pg_advisory_lock(1)');
my @late_work = (q{SELECT moderation.normalize('')}, 'BEGIN', q{SET LOCAL moderation.test_points = 'gate_late=fail'});
$client = client($node, @late_work);
$client->send_query('COMMIT');
wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)});
my ($freezer, $waits) = freezes_meanwhile($node, 'late work');
ok($waits, q{a freeze waits for a commit in flight that has written, whoever's work the write was});
$holder->query('SELECT pg_advisory_unlock(1)');
is(state($client->receive), '', 'the writer came first');
is(state($freezer->receive), '', 'and the freeze after it');
is(late($node, 'post'), 0, 'no row is late');
$client->terminate;
$client = client($node, @late_work);
is(state($client->query('COMMIT')), 'MD002', 'after that, late work as the account is refused');
$client->terminate;

# Transactions that remember more than fits into memory.
$client = client($node, 'BEGIN');
for my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	my $account = "many 3 $level";
	$client->query('ROLLBACK');
	$client->query("BEGIN ISOLATION LEVEL $level");
	$client->query("INSERT INTO post SELECT CASE n WHEN 3 THEN '$account' ELSE 'many ' || n END, 'hello' FROM generate_series(1, 30000) AS n");
	freeze($account);
	is(state($client->query('COMMIT')), 'MD002', "$level: one account in 30,000, long written to disk, is refused at COMMIT");
}

# The temporary file cannot be written: the statement fails, and what was remembered before is still looked at.
$client->query('BEGIN');
$client->query(q{SET LOCAL temp_file_limit = '64kB'});
$client->query(q{INSERT INTO post SELECT 'outer ' || n, 'hello' FROM generate_series(1, 8000) AS n});
$client->query('SAVEPOINT s');
is(state($client->query(q{INSERT INTO post SELECT 'inner ' || n, 'hello' FROM generate_series(1, 8000) AS n})), '53400', 'no room for the temporary file');
$client->query('ROLLBACK TO s');
freeze('outer 5');
is(state($client->query('COMMIT')), 'MD002', 'what was remembered before that is still refused');
$client->query('BEGIN');
$client->query(q{SET LOCAL temp_file_limit = '64kB'});
$client->query(q{INSERT INTO post SELECT 'outer b ' || n, 'hello' FROM generate_series(1, 8000) AS n});
$client->query('SAVEPOINT s');
$client->query(q{INSERT INTO post SELECT 'inner b ' || n, 'hello' FROM generate_series(1, 8000) AS n});
$client->query('ROLLBACK TO s');
$client->query('SET LOCAL temp_file_limit = -1');
is(state($client->query(q{INSERT INTO post SELECT 'inner b ' || n, 'hello' FROM generate_series(1, 8000) AS n})), '58030',
	'a file that is broken is not written to again');
$client->query('ROLLBACK');

# A clean content ends a row of refusals, also of an account that went to disk before its row was stored.
$client->query(q{INSERT INTO post VALUES ('bulk 1', 'zorblax')});
is($node->safe_psql('postgres', q{SELECT streak FROM moderation.account WHERE account = 'bulk 1'}), 1, 'a row of refusals is open');
is(state($client->query(q{INSERT INTO post SELECT 'bulk ' || n, 'hello' FROM generate_series(1, 20000) AS n})), '', 'clean rows of 20,000 accounts');
ok($node->poll_query_until('postgres', q{SELECT streak = 0 FROM moderation.account WHERE account = 'bulk 1'}), 'have ended it');

# The extension dropped, and made anew, by the transaction that has written.
$node->safe_psql('postgres', 'CREATE DATABASE anew');
$node->safe_psql('anew', 'CREATE EXTENSION moderation');
$node->safe_psql('anew', slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('anew', q{CREATE TABLE post (author text, body text); SELECT moderation.guard('post', '{body}', 'author', 'test')});
for my $again ('', 'CREATE EXTENSION moderation;')
{
	my $do = "BEGIN; INSERT INTO post VALUES ('anna', 'hello'); DROP EXTENSION moderation CASCADE; $again COMMIT;";
	my ($code, $out, $error) = $node->psql('anew', $do, on_error_stop => 1);
	is($code, 0, 'the extension is dropped' . ($again && ' and made anew') . ' by a transaction that has written') or diag $error;
	last if $again;
	$node->safe_psql('anew', 'CREATE EXTENSION moderation');
	$node->safe_psql('anew', slurp_file('sql/include/test_policy.sql'));
	$node->safe_psql('anew', q{SELECT moderation.guard('post', '{body}', 'author', 'test')});
}

# Nobody without rights on it can lock the gate or an account's row, nor can an advisory lock hold up a freeze.
for ('LOCK TABLE moderation.freeze_gate IN ROW EXCLUSIVE MODE', 'LOCK TABLE moderation.freeze_gate IN ACCESS SHARE MODE',
	'SELECT FROM moderation.account FOR KEY SHARE', 'SELECT FROM moderation.freeze_gate FOR SHARE', 'LOCK TABLE moderation.account')
{
	my $ordinary = client($node, 'SET ROLE ordinary', 'BEGIN');
	is(state($ordinary->query($_)), '42501', "$_ is refused to an ordinary role");
	$ordinary->terminate;
}

$holder->query('SELECT pg_advisory_lock(n) FROM generate_series(1, 1000) AS n');
$client = client($node, q{SELECT pg_advisory_lock_shared(2000)}, 'BEGIN', q{INSERT INTO post VALUES ('advised', 'hello')});
($freezer, $waits) = freezes_meanwhile($node, 'advised');
ok(!$waits, 'advisory locks and an idle transaction hold up no freeze');
is(state($freezer->receive) . state($client->query('COMMIT')), 'MD002', 'and the writer is refused');
$client->terminate;

# What a write costs besides time: no WAL of its own, no row lock, and one lock of a table, only at commit.
$node->safe_psql('postgres', q{
	CREATE EXTENSION pg_walinspect;
	CREATE EXTENSION pgrowlocks;
	CREATE TABLE plain (LIKE post);
	CREATE TABLE kept (LIKE post);
	SELECT moderation.guard('kept', '{body}', 'author', 'test');
	INSERT INTO moderation.account (account, strikes) VALUES ('clean', 0);
});
sub records
{
	my ($table, $rows) = @_;
	my $from = $node->safe_psql('postgres', 'CHECKPOINT; SELECT pg_current_wal_insert_lsn()');
	$node->safe_psql('postgres', "INSERT INTO $table SELECT 'clean', 'hello' FROM generate_series(1, $rows)");
	return $node->safe_psql('postgres', qq{
		SELECT string_agg(r, ' ') FROM (SELECT resource_manager || ':' || split_part(record_type, '+', 1) || '=' || count(*) || '/' || sum(record_length) AS r
		FROM pg_get_wal_records_info('$from', pg_current_wal_flush_lsn()) WHERE record_type <> 'RUNNING_XACTS' AND resource_manager NOT IN ('XLOG', 'Standby')
		GROUP BY resource_manager, split_part(record_type, '+', 1) ORDER BY 1) AS x});
}
records($_, 10) for 'plain', 'kept';
my $plain = records('plain', 50);
like($plain, qr/Heap:INSERT=50/, "an unguarded table writes WAL: $plain");
is(records('kept', 50), $plain, 'a guarded one the same, record by record and byte by byte');
$client = client($node, 'BEGIN', q{INSERT INTO kept VALUES ('clean', 'hello')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM pgrowlocks('moderation.account')}), 0, 'no row of moderation.account is locked');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE relation IN ('moderation.account'::regclass, 'moderation.freeze_gate'::regclass)}), 0,
	'nor is a table, before COMMIT');
$client->query('COMMIT');
$client->terminate;

# A freezer that waits can be cancelled, or gives up by lock_timeout, and then nothing is frozen.
sub standby_away
{
	my ($on) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = '" . ($on ? 'nobody' : '') . q{'; SELECT pg_reload_conf()});
	wait_until($node, "SELECT current_setting('synchronous_standby_names') = '" . ($on ? 'nobody' : '') . q{'});
	return;
}
standby_away(1);
my $stuck = client($node);
$stuck->send_query(q{INSERT INTO post VALUES ('stuck', 'hello')});
wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')});
($freezer, $waits) = freezes_meanwhile($node, 'stuck');
ok($waits, 'a freeze waits for a commit that a synchronous standby keeps');
$freezer->cancel;
is(state($freezer->receive), '57014', 'the moderator cancels');
is(state($freezer->query(q{SET lock_timeout = '200ms'; SELECT moderation.freeze('stuck', 'test')})), '55P03', 'or gives up by lock_timeout');
is($node->safe_psql('postgres', q{SELECT count(*) FROM moderation.account WHERE account = 'stuck'}), 0, 'and nothing is frozen');

# Meanwhile refusals are recorded without waiting for it: strikes are counted, and freeze, once the commit is through.
my $refused = client($node, 'SET synchronous_commit = local');
my $began = time;
is(state($refused->query(q{INSERT INTO post VALUES ('busy', 'zorblax')})), 'MD001', 'a content is refused meanwhile') for 1 .. 3;
my $took = time - $began;
is($node->safe_psql('postgres', q{SELECT count(*) FROM moderation.violation WHERE account = 'busy'}), 3, 'three violations are recorded');
cmp_ok($took, '<', 6, sprintf 'within %.2f s', $took);
is(state($refused->query(q{INSERT INTO post VALUES ('idle', 'hello')})), '', 'a writer that waits for no standby is not held up');
standby_away(0);
is(state($stuck->receive), '', 'the standby is let go');
ok($node->poll_query_until('postgres', q{SELECT state = 'frozen' AND strikes = 3 FROM moderation.account WHERE account = 'busy'}), 'the freeze that was due comes then');
is(state($refused->query(q{INSERT INTO post VALUES ('busy', 'hello')})), 'MD002', 'and is in force');
is(late($node, 'post'), 0, 'no row is late');

# The freezer's COMMIT itself waits for the standby: writers wait behind it at theirs, and none gets through.
standby_away(1);
$client = client($node, 'SET synchronous_commit = local', 'BEGIN', q{INSERT INTO post VALUES ('order', 'hello')});
$freezer = client($node);
$freezer->send_query(q{SELECT moderation.freeze('order', 'test')});
wait_until($node, q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')});
$client->send_query('COMMIT');
wait_until($node, q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'moderation.freeze_gate'::regclass AND NOT granted)});
standby_away(0);
is(state($freezer->receive), '', 'the freeze is committed');
is(state($client->receive), 'MD002', 'and the writer that came to its COMMIT meanwhile is refused');

# A freeze is durable once its COMMIT has returned, though the moderator's session does not wait for the disk.
$node->safe_psql('postgres', q{SET synchronous_commit = off; SELECT moderation.freeze('crash', 'test')});
$node->stop('immediate');
$node->start;
$client = client($node);
is(state($client->query(q{INSERT INTO post VALUES ('crash', 'hello')})), 'MD002', 'a freeze with synchronous_commit = off survives a crash');

$node->stop;
done_testing();
