# What a driver does and psql cannot: a portal suspended by a row limit, several statements in flight before one Sync.  A freeze comes
# in between, and no row of that account is committed after it.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Account;

my $node = account_node('portals');
$node->safe_psql('postgres', q{
	CREATE FUNCTION write_each(author text, n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO post VALUES (author, 'row ' || n); RETURN n; END $$});

sub freeze { my ($account) = @_; $node->safe_psql('postgres', "SELECT moderation.freeze('$account', 'test')"); return; }
sub rows { my ($account) = @_; return $node->safe_psql('postgres', "SELECT count(*) FROM post WHERE author = '$account'"); }

# A portal that writes a row for each row it returns, fetched two at a time.
for my $begin ('BEGIN', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'BEGIN ISOLATION LEVEL SERIALIZABLE')
{
	my $account = lc($begin =~ s/.* //r);
	my $client = client($node, $begin);

	$client->parse('', 'SELECT write_each($1, n) FROM generate_series(1, 10) AS n');
	$client->bind('p', '', $account);
	$client->execute('p', 2);
	$client->flush;
	my $answer = $client->receive('s');
	is($answer->{seen}, '12DDs', "$begin: the portal is suspended after two rows");
	freeze($account);
	$client->execute('p', 2);
	$answer = $client->sync;
	is($answer->{seen}, '[MD002]Z', "$begin: it cannot go on after the freeze");
	is($client->query('COMMIT')->{tags}[0], 'ROLLBACK', "$begin: and nothing is committed");
	is(rows($account), 0, "$begin: no row is there");
	$client->terminate;
}

# The freeze comes while the portal is suspended, and the client commits without another fetch.
my $client = client($node, 'BEGIN');
$client->parse('', 'SELECT write_each($1, n) FROM generate_series(1, 10) AS n');
$client->bind('p', '', 'left');
$client->execute('p', 2);
$client->flush;
$client->receive('s');
freeze('left');
is(state($client->query('COMMIT')), 'MD002', 'COMMIT of a suspended portal is refused');
is(rows('left'), 0, 'no row is there');

# An implicit transaction: suspended, frozen, and then Sync commits.
$client->parse('', 'SELECT write_each($1, n) FROM generate_series(1, 10) AS n');
$client->bind('p', '', 'implicit');
$client->execute('p', 2);
$client->flush;
$client->receive('s');
freeze('implicit');
is($client->sync->{seen}, '[MD002]Z', 'Sync refuses what it would have committed');
is(rows('implicit'), 0, 'no row is there');

# INSERT ... RETURNING with a row limit writes everything at its first Execute, and is refused as a whole.
$client->query('BEGIN');
$client->parse('', q{INSERT INTO post SELECT $1, 'row ' || n FROM generate_series(1, 10) AS n RETURNING body});
$client->bind('p', '', 'returning');
$client->execute('p', 2);
$client->flush;
is($client->receive('s')->{seen}, '12DDs', 'RETURNING is suspended after two rows');
freeze('returning');
$client->execute('p', 0);
my $answer = $client->sync;
is($answer->{seen}, 'DDDDDDDDCZ', 'the rest of it is only fetched');
is(state($client->query('COMMIT')), 'MD002', 'and COMMIT is refused');
is(rows('returning'), 0, 'no row is there');

# A pipeline: the first statement of the implicit transaction has been run, the freeze comes, then the others and Sync.
$client->parse('s', 'INSERT INTO post VALUES ($1, $2)');
for my $body ('one', 'two')
{
	$client->bind('', 's', 'pipeline', $body);
	$client->execute('', 0);
}
$client->flush;
is($client->receive('C')->{seen}, '12C', 'a pipeline has written one row');
is($client->receive('C')->{seen}, '2C', 'and another');
freeze('pipeline');
$client->bind('', 's', 'other', 'three');
$client->execute('', 0);
is($client->sync->{seen}, '2C[MD002]Z', 'Sync refuses the whole of it');
is(rows('pipeline') + rows('other'), 0, 'no row is there');
is($client->run('INSERT INTO post VALUES ($1, $2)', 'other', 'hello')->{seen}, '12CZ', 'the session goes on, and other accounts write');

# COPY FROM in the middle of its data; the connection that ends in the middle of it leaves nothing behind.
$client->send_query('COPY post FROM STDIN');
$client->receive('G');
$client->copy_data("copy\thello\n");
freeze('copy');
$client->copy_data("copy\thello\n");
$client->copy_done;
is(state($client->receive), 'MD002', 'COPY is refused');
is(rows('copy'), 0, 'no row is there');
is(late($node, 'post'), 0, 'no row was committed after the freeze of its account');

# The control: without the look at COMMIT, the suspended portal's rows are committed.
$client = client($node, q{SET moderation.test_points = 'gate_look=fail'}, 'BEGIN');
$client->parse('', 'SELECT write_each($1, n) FROM generate_series(1, 10) AS n');
$client->bind('p', '', 'control');
$client->execute('p', 2);
$client->flush;
$client->receive('s');
freeze('control');
$client->query('COMMIT');
is(late($node, 'post'), 2, 'without the look at COMMIT, the two rows of a suspended portal are late');

$node->stop;
done_testing();
