# Where accounts stand survives the server: a restart, a crash, a standby and its promotion, a dump and its restore.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "max_prepared_transactions = 5\n");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION moderation');
$primary->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
$primary->safe_psql('postgres', q{
	CREATE TABLE post (author text, body text);
	SELECT moderation.guard('post', '{body}', 'author', 'test');
});

# The SQLSTATE that a write ends with; empty when it is stored.
sub refusal
{
	my ($node, $author) = @_;
	my ($code, $out, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nINSERT INTO post VALUES ('$author', 'hello');");
	return $error =~ /ERROR:  (\w{5})/ ? $1 : '';
}

$primary->safe_psql('postgres', q{
	SELECT moderation.freeze('anna', 'a while', now() + interval '1 hour'), moderation.freeze('ben', 'for good'),
		moderation.suspend('carl', 'law');
	SELECT moderation.freeze('dora', 'why');
	SELECT moderation.reinstate('dora', 'no');
});
my $statuses = q{SELECT s.*, (SELECT count(*) FROM moderation.account_event AS e WHERE e.account = s.account)
	FROM moderation.account_status AS s ORDER BY s.account};
my $before = $primary->safe_psql('postgres', $statuses);

for my $how ('fast', 'immediate')
{
	$primary->stop($how);
	$primary->start;
	is($primary->safe_psql('postgres', $statuses), $before, "statuses are the same after $how");
	is(join(' ', map { refusal($primary, $_) } qw(anna ben carl)), 'MD002 MD002 MD003', "and in force after $how");
	is(refusal($primary, 'dora'), '', "a reinstated account writes after $how");
}

# A transaction that is open while its account is frozen cannot be prepared, either.
my ($code, $out, $error) = $primary->psql('postgres', q{BEGIN; INSERT INTO post VALUES ('emil', 'hello'); PREPARE TRANSACTION 'p';});
like($error, qr/cannot prepare a transaction that has written to a guarded table/, 'PREPARE TRANSACTION is refused');
is($primary->safe_psql('postgres', q{SELECT count(*) FROM pg_prepared_xacts}), 0, 'and nothing is prepared');

# On a standby may_write() reads the latest state that has been replayed, whatever the reader's snapshot.
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
my $may = q{SELECT string_agg(moderation.may_write(a)::text, ' ') FROM unnest('{anna,ben,carl,dora,nobody}'::text[]) AS a};
is($standby->safe_psql('postgres', $may), 'false false false true true', 'may_write() on a standby');
is($standby->safe_psql('postgres', $statuses), $before, 'account_status on a standby');
is(refusal($standby, 'dora'), '25006', 'a standby takes no writes');
($code, $out, $error) = $standby->psql('postgres', q{SELECT moderation.freeze('dora', 'why')});
like($error, qr/read-only transaction|recovery/, 'nor a freeze');

my $seen = '';
my $reader = IPC::Run::start([ 'psql', '-XAtqd', $standby->connstr('postgres'), '-c', q{
	BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT count(*) FROM moderation.account WHERE account = 'fred';
	DO $$ BEGIN FOR i IN 1 .. 6000 LOOP EXIT WHEN NOT moderation.may_write('fred'); PERFORM pg_sleep(0.01); END LOOP; END $$;
	SELECT moderation.may_write('fred'), (SELECT count(*) FROM moderation.account WHERE account = 'fred')} ], '>', \$seen);
$standby->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')})
	or die 'the reader does not wait';
$primary->safe_psql('postgres', q{SELECT moderation.freeze('fred', 'why')});
$reader->finish;
like($seen, qr/^f\|0$/m, 'a freeze is seen by a reader whose snapshot is older');

$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
is(join(' ', map { refusal($standby, $_) } qw(anna ben carl fred dora)), 'MD002 MD002 MD003 MD002 ', 'in force as soon as it is promoted');
$standby->safe_psql('postgres', q{SELECT moderation.reinstate('fred', 'no')});
is(refusal($standby, 'fred'), '', 'and changed there');

# A dump carries status and history, and restoring it moderates nothing.
$before = $standby->safe_psql('postgres', $statuses);
my $dump = $standby->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-d', $standby->connstr('postgres'), '-f', $dump ], 'dumped');
$standby->safe_psql('postgres', 'CREATE DATABASE copy');
command_ok([ 'psql', '-Xqd', $standby->connstr('copy'), '-v', 'ON_ERROR_STOP=1', '-f', $dump ], 'restored');
is($standby->safe_psql('copy', $statuses), $before, 'statuses and history are the same');
is($standby->safe_psql('copy', q{SELECT moderation.may_write('anna'), moderation.may_write('dora')}), 'f|t', 'and in force');

$standby->stop;
done_testing();
