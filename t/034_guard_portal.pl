# Portals that are suspended between rows, interleaved with other statements: what psql cannot do, a driver that fetches by rows
# does with Execute and a row limit.  Each content is judged and recorded once, whatever runs in between.
use strict;
use warnings;
use IO::Socket::UNIX;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('portal');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{
	CREATE TABLE post (id int, author text, body text);
	SELECT moderation.guard('post', '{body}', 'author', 'test');
	CREATE FUNCTION put(id int, author text, body text) RETURNS int LANGUAGE sql AS $$ INSERT INTO post VALUES ($1, $2, $3) RETURNING id $$;
});

my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "cannot connect: $!";
my $user = $node->safe_psql('postgres', 'SELECT current_user');

sub put { my ($type, $body) = @_; $socket->syswrite($type . pack('N', 4 + length $body) . $body); }
sub take
{
	my ($type, $length) = unpack 'aN', read_all(5);
	return ($type, read_all($length - 4));
}
sub read_all { my ($n) = @_; my $all = ''; while (length $all < $n) { $socket->sysread($all, $n - length $all, length $all) or die 'connection lost'; } return $all; }
# Messages up to and including ReadyForQuery, as a string of their types; the codes of errors in brackets.
sub until_ready
{
	my $seen = '';
	while (1)
	{
		my ($type, $body) = take();
		$type = '[' . ($body =~ /\0C(\w{5})/ ? $1 : '?') . ']' if $type eq 'E';
		next if $type eq 'S' || $type eq 'N' || $type eq 'K';
		$seen .= $type;
		return $seen if $type eq 'Z';
	}
}
sub parse { put('P', "$_[0]\0$_[1]\0" . pack('n', 0)); }
sub bind_portal { put('B', "$_[0]\0$_[1]\0" . pack('nnn', 0, 0, 0)); }
sub execute { put('E', "$_[0]\0" . pack('N', $_[1])); }
sub sync { put('S', ''); return until_ready(); }
sub query { put('Q', "$_[0]\0"); return until_ready(); }

my $startup = pack('N', 196608) . "user\0$user\0database\0postgres\0\0";
$socket->syswrite(pack('N', 4 + length $startup) . $startup);
is(until_ready(), 'RZ', 'connected');

is(query('BEGIN'), 'CZ', 'a transaction');
parse('rows', "SELECT put(i, 'a', 'a flagword') FROM generate_series(1, 6) i");
bind_portal('portal', 'rows');
execute('portal', 2);
is(sync(), '12DDsZ', 'two rows, then suspended');
parse('one', "INSERT INTO post VALUES (10, 'a', 'a flagword')");
bind_portal('other', 'one');
execute('other', 0);
is(sync(), '12CZ', 'another statement meanwhile');
is(query('SAVEPOINT s'), 'CZ', 'a savepoint');
execute('portal', 2);
is(sync(), 'DDsZ', 'two more rows');
parse('bad', "INSERT INTO post VALUES (11, 'a', 'a zorblax')");
bind_portal('third', 'bad');
execute('third', 0);
like(sync(), qr/\[MD001\]Z$/, 'a refusal meanwhile');
is(query('ROLLBACK TO s'), 'CZ', 'taken back with the rows since the savepoint');
parse('more', "SELECT put(i, 'a', CASE i WHEN 22 THEN 'a redactword' ELSE 'hello' END) FROM generate_series(21, 23) i");
bind_portal('fourth', 'more');
execute('fourth', 1);
execute('fourth', 1);
is(sync(), '12DsDsZ', 'a new portal, a row at a time');
is(query("UPDATE post SET body = 'another flagword' WHERE id = 1"), 'CZ', 'an update of a row of the first');
execute('fourth', 0);
is(sync(), 'DCZ', 'its last row');
is(query('COMMIT'), 'CZ', 'committed');
put('X', '');

is($node->safe_psql('postgres', q{SELECT string_agg(id::text || ' ' || body, ', ' ORDER BY id) FROM post}),
	'1 another flagword, 2 a flagword, 10 a flagword, 21 hello, 22 a ' . "\x{e2}\x{96}\x{88}" x 10 . ', 23 hello', 'what is stored');
is($node->safe_psql('postgres', q{SELECT category, action, count(*) FROM moderation.violation GROUP BY 1, 2 ORDER BY 1}),
	"test_flag|flag|4\ntest_redact|redact|1\ntest_reject|reject|1", 'what is recorded: each once');
$node->stop;
done_testing();
