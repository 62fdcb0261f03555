# However a client words it, and whatever it does with the error, each refused content is one violation: subtransactions, loops,
# cursors, pipelines, portals, COPY broken off, a client that is gone before it hears.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use Recorder;
use Test::More;

my $bad = q{INSERT INTO post (account, body) VALUES ('ann', 'a zorblax')};
my $good = q{INSERT INTO post (account, body) VALUES ('ann', 'hello')};
my $node = PostgreSQL::Test::Cluster->new('protocol');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 2\n");
$node->start;
install($node);
$node->safe_psql('postgres', q{
	CREATE FUNCTION try(account text, body text) RETURNS boolean LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO post VALUES (account, body);
		RETURN true;
	EXCEPTION WHEN SQLSTATE 'MD001' THEN
		RETURN false;
	END $$;
	CREATE FUNCTION put(account text, body text) RETURNS text LANGUAGE sql AS $$ INSERT INTO post VALUES ($1, $2) RETURNING body $$;
	CREATE PROCEDURE several(n int) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. n LOOP
			PERFORM try('ann', 'a zorblax');
			COMMIT;
		END LOOP;
	END $$});

my $violations = 0;
my $stored = 0;
# So many refused contents, and so many stored, since the last call.
sub are_recorded
{
	my ($refused, $kept, $what) = @_;
	$violations += $refused;
	$stored += $kept;
	is(settled($node) . ' ' . $node->safe_psql('postgres', 'SELECT count(*) FROM post'), "$violations $stored", $what);
	return;
}

# What SQL can do with the error.
my @statements = (
	[ 'a loop of exception blocks', q{DO $$ BEGIN FOR i IN 1 .. 50 LOOP PERFORM try('ann', 'a zorblax ' || i); END LOOP; END $$}, 50, 0 ],
	[ 'clean and refused in turn', q{DO $$ BEGIN FOR i IN 1 .. 20 LOOP PERFORM try('ann', CASE i % 2 WHEN 0 THEN 'hello' ELSE 'a zorblax' END); END LOOP; END $$}, 10, 10 ],
	[ 'the same, rolled back', q{BEGIN; SELECT try('ann', 'a zorblax'), try('ann', 'hello') FROM generate_series(1, 5); ROLLBACK}, 5, 0 ],
	[ 'blocks within blocks', q{DO $$ BEGIN BEGIN BEGIN PERFORM try('ann', 'a zorblax'); INSERT INTO post VALUES ('ann', 'a zorblax');
		EXCEPTION WHEN SQLSTATE 'MD001' THEN PERFORM try('ann', 'a zorblax'); RAISE; END; EXCEPTION WHEN OTHERS THEN PERFORM try('ann', 'hello'); END; END $$}, 3, 1 ],
	[ 'a procedure that commits', 'CALL several(5)', 5, 0 ],
	[ 'savepoints', "BEGIN; SAVEPOINT a; $bad; ROLLBACK TO a; SAVEPOINT b; $bad; ROLLBACK TO a; $good; COMMIT", 2, 1 ],
	[ 'prepared statements', "PREPARE p AS INSERT INTO post VALUES (\$1, \$2); EXECUTE p('ann', 'a zorblax'); EXECUTE p('ann', 'hello'); EXECUTE p('ann', 'a zorblax')", 2, 1 ],
	[ 'a cursor', q{BEGIN; DECLARE c CURSOR FOR SELECT try('ann', 'a zorblax') FROM generate_series(1, 10); FETCH 3 FROM c; FETCH 2 FROM c; COMMIT}, 5, 0 ],
	[ 'a cursor that is held', q{BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT try('ann', 'a zorblax') FROM generate_series(1, 4); COMMIT; FETCH ALL FROM c; ROLLBACK}, 4, 0 ],
	[ 'several rows in one statement', q{INSERT INTO post VALUES ('ann', 'hello'), ('ann', 'a zorblax'), ('ann', 'a zorblax')}, 1, 0 ],
	[ 'a writable WITH', q{WITH w AS (INSERT INTO post VALUES ('ann', 'a zorblax') RETURNING 1) SELECT 1}, 1, 0 ],
	[ 'UPDATE of stored rows', q{UPDATE post SET body = 'a zorblax'}, 1, 0 ],
	[ 'COPY', qq{COPY post FROM stdin;\nann\thello\nann\ta zorblax\nann\tnever reached\n\\.\n}, 1, 0 ],
	[ 'a prepared transaction', "BEGIN; SELECT try('ann', 'a zorblax'); PREPARE TRANSACTION 'x'; ROLLBACK PREPARED 'x'", 1, 0 ]);
# PostgreSQL itself asserts that no exception is caught during COMMIT, where the rows of a held cursor are computed.
my $asserts = $node->safe_psql('postgres', 'SHOW debug_assertions') eq 'on';
for (grep { !($asserts && $_->[0] eq 'a cursor that is held') } @statements)
{
	my ($what, $sql, $refused, $kept) = @$_;
	$node->psql('postgres', $sql, on_error_stop => 0);
	are_recorded($refused, $kept, $what);
}
$node->psql('postgres', "\\set AUTOCOMMIT off\n$good;\n$bad;\n$good;\nCOMMIT;\n$bad;\nROLLBACK;\n$good;\nCOMMIT;", on_error_stop => 0);
are_recorded(2, 1, 'autocommit off');
$node->psql('postgres', "\\set ON_ERROR_ROLLBACK on\nBEGIN;\n$bad;\n$bad;\n$good;\nCOMMIT;", on_error_stop => 0);
are_recorded(2, 1, 'psql\'s own savepoints');

# What only the protocol can do.
my $client = Protocol->connect($node);
for my $statement ($good, $bad, $bad)
{
	$client->parse('', $statement);
	$client->bind('', '');
	$client->execute('', 0);
}
is($client->sync->{seen}, '12C12[MD001]Z', 'a pipeline ends at the first refusal');
are_recorded(1, 0, 'which is recorded; what came before it is rolled back, what comes after it never ran');
for my $body ('a zorblax', 'hello', 'a zorblax')
{
	$client->parse('', 'INSERT INTO post VALUES ($1, $2)');
	$client->bind('', '', 'ann', $body);
	$client->execute('', 0);
	$client->send_sync;
}
is(join(' ', map { $client->receive->{seen} } 1 .. 3), '12[MD001]Z 12CZ 12[MD001]Z', 'a pipeline with a Sync after each');
are_recorded(2, 1, 'each is judged and recorded by itself');

is($client->query("$good; $bad; $good")->{seen}, 'C[MD001]Z', 'several statements in one message');
are_recorded(1, 0, 'the refused one is recorded');
$client->query('BEGIN');
$client->parse('try', q{SELECT try('ann', 'a zorblax') FROM generate_series(1, 10)});
$client->bind('portal', 'try');
$client->execute('portal', 3);
is($client->sync->{seen}, '12DDDsZ', 'a portal is suspended');
is($client->query('SAVEPOINT s')->{status}, 'T', 'a savepoint while it is');
$client->execute('portal', 2);
is($client->sync->{seen}, 'DDsZ', 'and goes on');
is($client->query("ROLLBACK TO s; COMMIT")->{status}, 'I', 'rolled back to before that');
are_recorded(5, 0, 'what it refused is recorded, before and after the savepoint');
$client->query('BEGIN');
$client->parse('put', q{SELECT put('ann', CASE i WHEN 3 THEN 'a zorblax' ELSE 'hello' END) FROM generate_series(1, 5) i});
$client->bind('portal', 'put');
$client->execute('portal', 2);
$client->execute('portal', 2);
is($client->sync->{seen}, '12DDs[MD001]Z', 'a portal that meets a refusal at the second call');
$client->query('ROLLBACK');
are_recorded(1, 0, 'is one violation');

# COPY that is refused, that the client breaks off, that ends with the client.
$client->send_query('COPY post FROM STDIN');
$client->receive('G');
$client->copy_data("ann\thello\nann\ta zorblax\n");
$client->copy_data("ann\thello\n");
$client->copy_done;
is($client->receive->{seen}, '[MD001]Z', 'COPY is refused');
are_recorded(1, 0, 'one violation');
$client->query('CREATE TABLE memo (account text, body text)');
$client->query(q{SELECT moderation.guard('memo', '{body}', 'account', 'recorder_test', 'flag')});
$client->send_query('COPY memo FROM STDIN');
$client->receive('G');
$client->copy_data("ann\ta zorblax\n") for 1 .. 3;
$client->copy_fail;
is($client->receive->{seen}, '[57014]Z', 'COPY into a table that flags, broken off by the client');
are_recorded(0, 0, 'what would have been flagged goes with the rows');
$client->send_query('COPY post FROM STDIN');
$client->receive('G');
$client->copy_data("ann\ta zorblax\n");
$client->drop;
are_recorded(1, 0, 'COPY by a client that is gone before it hears of the refusal')
  if $node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'COPY%'});

# Clients that send a refused insert and are gone.
for (1 .. 20)
{
	my $gone = Protocol->connect($node);
	$gone->send_query($bad);
	$gone->drop;
}
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()});
are_recorded(20, 0, 'clients that do not stay to hear');

is($node->safe_psql('postgres', q{SELECT strikes = (SELECT count(*) FROM moderation.violation) FROM moderation.account WHERE account = 'ann'}), 't',
	'each is one strike');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT violation_id) = count(*) FROM moderation.violation}), 't', 'under its own id');
is($node->safe_psql('postgres', 'SELECT timeouts + fallbacks FROM moderation.recorder_status()'), 0, 'and none took the way round');
$node->stop;
done_testing();
