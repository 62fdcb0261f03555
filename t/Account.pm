# What the tests of accounts share: a server with a guarded table, clients in the middle of something, and the judge of who was late.
package Account;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Protocol;
use TestLibrary;
our @EXPORT = qw(account_node client state late freezes_meanwhile wait_until);

# A running server with policy "test", guarded table post (author, body), and the library with injection points.
sub account_node
{
	my ($name, $settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', "track_commit_timestamp = on\nautovacuum = off\n" . ($settings // ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION moderation');
	$node->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
	$node->safe_psql('postgres', q{CREATE TABLE post (author text, body text); SELECT moderation.guard('post', '{body}', 'author', 'test')});
	# A worker that the other library has started would load both.
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
	use_test_library($node, 'postgres');
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE backend_type = 'moderation recorder'});
	return $node;
}

# A client after some statements, which must all succeed.
sub client
{
	my ($node, @statements) = @_;
	my $client = Protocol->connect($node);

	for (@statements)
	{
		my $answer = $client->query($_);
		die "$_: $answer->{errors}[0]{M}" if @{ $answer->{errors} };
	}
	return $client;
}

# How a statement ends: '' or the SQLSTATE of its first error.
sub state
{
	my ($answer) = @_;
	return @{ $answer->{errors} } ? $answer->{errors}[0]{C} : '';
}

# Rows of a table that were committed after a freeze of their account was.
sub late
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres', qq{
		SELECT count(*) FROM $table AS p WHERE EXISTS (SELECT FROM moderation.account_event AS e
			WHERE e.account = p.author AND e.to_state IN ('frozen', 'suspended') AND pg_xact_commit_timestamp(p.xmin) > pg_xact_commit_timestamp(e.xmin))});
}

# Polls until a query gives true; dies if it never does.
sub wait_until
{
	my ($node, $query) = @_;
	$node->poll_query_until('postgres', $query) or die "never: $query";
	return;
}

# Sends a freeze of the account; returns its client once the freeze is done or waits for a lock, and which of the two it is.
sub freezes_meanwhile
{
	my ($node, $account) = @_;
	my $freezer = client($node);
	my $pid = $freezer->pid;

	$freezer->send_query("SELECT moderation.freeze('$account', 'test')");
	wait_until($node, "SELECT state = 'idle' AND query LIKE '%freeze%' OR wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
	return ($freezer, $node->safe_psql('postgres', "SELECT coalesce(wait_event_type, '') = 'Lock' FROM pg_stat_activity WHERE pid = $pid") eq 't');
}

1;
