# A subscriber stores what its publisher decided about: rows that logical replication applies are not judged again, unless
# moderation.moderate_replica says so, and then they are only observed.  What a subscription of an ordinary role brings is judged as
# anything else that this role writes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;

$publisher->safe_psql('postgres', q{
	CREATE TABLE post (id int PRIMARY KEY, author text, body text);
	INSERT INTO post VALUES (1, 'ada', 'a zorblax'), (2, 'ada', 'a redactword');
	CREATE PUBLICATION p FOR TABLE post;
});
$subscriber->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$subscriber->safe_psql('postgres', q{
	CREATE TABLE post (id int PRIMARY KEY, author text, body text);
	SELECT moderation.guard('post', '{body}', 'author', 'test');
	SELECT moderation.suspend('frozen', 'test');
});
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$connection' PUBLICATION p");
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_subscription_rel WHERE srsubstate IN ('r', 's')}) or die;

sub bodies { return $subscriber->safe_psql('postgres', q{SELECT string_agg(id || ' ' || body, ', ' ORDER BY id) FROM post}); }
sub violations { return $subscriber->safe_psql('postgres', q{SELECT count(*), string_agg(category || ':' || action, ' ' ORDER BY category) FROM moderation.violation}); }

is(bodies(), '1 a zorblax, 2 a redactword', 'the first copy is stored as it came');
$publisher->safe_psql('postgres', q{
	INSERT INTO post VALUES (3, 'ada', 'a quarword'), (4, 'frozen', 'a suspendword');
	UPDATE post SET body = 'another zorblax' WHERE id = 1;
});
$publisher->wait_for_catchup('s');
is(bodies(), '1 another zorblax, 2 a redactword, 3 a quarword, 4 a suspendword', 'so are changes');
is(violations(), '0|', 'nothing was recorded');
my ($code, $out, $err) = $subscriber->psql('postgres', q{SET session_replication_role = replica; INSERT INTO post VALUES (99, 'ben', 'a zorblax')});
like($err, qr/content refused/, 'a session in replica role is judged as any other');

$subscriber->append_conf('postgresql.conf', 'moderation.moderate_replica = on');
$subscriber->restart;
my $before = violations();
$publisher->safe_psql('postgres', q{
	INSERT INTO post VALUES (5, 'ada', 'a zorblax'), (6, 'frozen', 'a redactword'), (7, 'ada', repeat('word ', 20000));
	UPDATE post SET body = 'a quarword' WHERE id = 2;
	INSERT INTO post VALUES (8, 'ada', 'hello');
});
$publisher->wait_for_catchup('s');
is($subscriber->safe_psql('postgres', q{SELECT string_agg(id || ' ' || left(body, 12), ', ' ORDER BY id) FROM post}),
	'1 another zorb, 2 a quarword, 3 a quarword, 4 a suspendwor, 5 a zorblax, 6 a redactword, 7 word word wo, 8 hello', 'observed, nothing is changed, dropped or refused');
is($subscriber->safe_psql('postgres', q{SELECT category, action FROM moderation.violation WHERE action = 'flag' ORDER BY category}),
	"test_quarantine|flag\ntest_redact|flag\ntest_reject|flag\nunknown|flag", 'each is recorded once, as flagged');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM moderation.account_status WHERE account = 'ada'}), 0, 'and nobody gets a strike');
# A role that owns a subscription could otherwise publish to itself what it may not write.
my $own = $subscriber->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int >= 160000}) eq 't' ? 'password_required = false, ' : '';
$subscriber->append_conf('postgresql.conf', 'moderation.moderate_replica = off');
$subscriber->reload;
$subscriber->safe_psql('postgres', qq{
	CREATE ROLE owner SUPERUSER LOGIN;
	ALTER TABLE post OWNER TO owner;
	ALTER SUBSCRIPTION s SET (${own}disable_on_error = true);
	ALTER SUBSCRIPTION s OWNER TO owner;
	ALTER ROLE owner NOSUPERUSER;
	ALTER SUBSCRIPTION s DISABLE;
});
$subscriber->safe_psql('postgres', 'TRUNCATE moderation.violation');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION s ENABLE');
$publisher->safe_psql('postgres', q{INSERT INTO post VALUES (9, 'cy', 'hello')});
$publisher->safe_psql('postgres', q{INSERT INTO post VALUES (10, 'cy', 'a zorblax')});
$subscriber->poll_query_until('postgres', 'SELECT NOT subenabled FROM pg_subscription') or die;
is($subscriber->safe_psql('postgres', q{SELECT string_agg(id::text, ' ') FROM post WHERE author = 'cy'}), '9',
	'what the subscription of an ordinary role brings is judged');
is(violations(), '1|test_reject:reject', 'and its refusal recorded');
$subscriber->stop;
$publisher->stop;
done_testing();
