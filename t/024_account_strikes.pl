# No strike is lost: many sessions of one account are refused at once, at each isolation level, in savepoints and exception blocks, while a
# moderator holds the account's row and the recorder's worker is terminated.  And the ladder's freeze comes with the strike that it is
# due at: not one later, not one earlier.
#
# MODERATION_SOAK=1 makes it ten times longer.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Account;

my $sessions = 8;
my $rounds = $ENV{MODERATION_SOAK} ? 400 : 30;
my $accounts = $ENV{MODERATION_SOAK} ? 200 : 10;
my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');

my $node = account_node('strikes', "moderation.record_timeout = 30s\n");
my $policy = slurp_file('sql/include/test_policy.sql');
$policy =~ s/^policy: test$/policy: test_patient/m;
$policy =~ s/in_a_row: 3/in_a_row: 0/;
$policy =~ s/within: \{count: 5, period: 1 day\}/within: {count: 100000, period: 1 day}/;
$policy =~ s/\btest_(reject|flag|redact|quarantine|suspend)\b/patient_$1/g;
$node->safe_psql('postgres', $policy);
$node->safe_psql('postgres', q{
	CREATE TABLE patient (author text, body text);
	SELECT moderation.guard('patient', '{body}', 'author', 'test_patient');
	CREATE TABLE naive (level text, strikes int);
	INSERT INTO naive SELECT level, 0 FROM unnest('{READ COMMITTED,REPEATABLE READ,SERIALIZABLE}'::text[]) AS level;
});
my @clients = map { client($node, q{SELECT moderation.normalize('')}) } 1 .. $sessions;
my $moderator = client($node);

# Sends a statement to each of some clients, then reads all answers.
sub all
{
	my ($clients, @statements) = @_;
	my @answers;
	for my $statement (@statements)
	{
		$_->send_query($statement) for @$clients;
		@answers = map { $_->receive } @$clients;
	}
	return @answers;
}

sub counted { return $node->poll_query_until('postgres', 'SELECT NOT EXISTS (SELECT FROM moderation.violation WHERE strike AND NOT counted)'); }

# How a refused content may be written; each ends its transaction and gives the SQLSTATE that the client saw.
my @ways = (
	[ q{INSERT INTO patient VALUES ('%s', 'zorblax')}, 'ROLLBACK' ],
	[ q{SAVEPOINT s}, q{INSERT INTO patient VALUES ('%s', 'zorblax')}, 'ROLLBACK TO s', q{INSERT INTO patient VALUES ('somebody else', 'hello')}, 'COMMIT' ],
	[ q{DO $$ BEGIN INSERT INTO patient VALUES ('%s', 'zorblax'); EXCEPTION WHEN SQLSTATE 'MD001' THEN NULL; END $$}, 'COMMIT' ],
	[ q{INSERT INTO patient SELECT '%s', 'zorblax' FROM generate_series(1, 3)}, 'COMMIT' ]);

for my $level (@levels)
{
	my $account = "crowd $level";
	my $attempts = 0;
	for my $round (1 .. $rounds)
	{
		all(\@clients, "BEGIN ISOLATION LEVEL $level", 'SELECT count(*) FROM patient');
		$moderator->query("BEGIN; SELECT FROM moderation.account WHERE account = '$account' FOR UPDATE") if $round % 15 == 5;
		$moderator->query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'moderation%'") if $round % 15 == 10;
		all(\@clients, map { sprintf $_, $account } @{ $ways[ $round % @ways ] });
		$attempts += $sessions;
		$moderator->query('COMMIT') if $round % 15 == 5;
		# What a strike counted in the offender's own transaction comes to, if that commits.
		all(\@clients, "BEGIN ISOLATION LEVEL $level", 'SELECT count(*) FROM patient', "UPDATE naive SET strikes = strikes + 1 WHERE level = '$level'; COMMIT", 'ROLLBACK');
	}
	# What the spool took while there was no worker comes later.
	$node->poll_query_until('postgres', "SELECT count(*) >= $attempts FROM moderation.violation WHERE account = '$account'");
	ok(counted(), "$level: everything is counted in the end");
	is($node->safe_psql('postgres', "SELECT count(*) FROM moderation.violation WHERE account = '$account'"), $attempts, "$level: $attempts attempts, as many violations");
	is($node->safe_psql('postgres', "SELECT strikes FROM moderation.account WHERE account = '$account'"), $attempts, "$level: and as many strikes");
	my $naive = $node->safe_psql('postgres', "SELECT strikes FROM naive WHERE level = '$level'");
	note("$level: counted in the offender's own transactions: $naive of $attempts");
	cmp_ok($naive, '<', $attempts, "$level: the control loses some: $naive of $attempts") if $level ne 'READ COMMITTED';
}

# When the ladder is due, at once.  Some sessions write a refused content at the same moment; returns their SQLSTATEs.
sub refuse_at_once
{
	my ($account, $level, $number) = @_;
	my @some = @clients[ 0 .. $number - 1 ];
	all(\@some, "BEGIN ISOLATION LEVEL $level", 'SELECT count(*) FROM post');
	my @answers = all(\@some, "INSERT INTO post VALUES ('$account', 'zorblax')");
	all(\@some, 'ROLLBACK');
	return join ' ', map { state($_) } @answers;
}
sub standing { my ($account) = @_; return $node->safe_psql('postgres', "SELECT state || ' ' || strikes FROM moderation.account WHERE account = '$account'"); }
sub clean
{
	my ($account) = @_;
	$clients[0]->query("INSERT INTO post VALUES ('$account', 'hello')");
	$node->poll_query_until('postgres', "SELECT streak = 0 FROM moderation.account WHERE account = '$account'") or die 'a clean content has not ended the row';
	return;
}

for my $level (@levels)
{
	my %seen;
	for my $n (1 .. $accounts)
	{
		my $account = "due $n $level";
		my @steps;
		if ($n % 2)
		{
			# Three in a row: two at once, and then one.
			push @steps, refuse_at_once($account, $level, 2), standing($account), refuse_at_once($account, $level, 1), standing($account);
		}
		else
		{
			# Five within a day: the rows of two are ended by clean contents.
			for (1 .. 2)
			{
				push @steps, refuse_at_once($account, $level, 2), standing($account);
				clean($account);
			}
			push @steps, refuse_at_once($account, $level, 1), standing($account);
		}
		push @steps, refuse_at_once($account, $level, $sessions), standing($account);
		$seen{ join ', ', @steps }++;
	}
	my $after = join ' ', ('MD002') x $sessions;
	is_deeply(\%seen, {
		"MD001 MD001, warned 2, MD001, frozen 3, $after, frozen 3" => $accounts / 2,
		"MD001 MD001, warned 2, MD001 MD001, warned 4, MD001, frozen 5, $after, frozen 5" => $accounts / 2 },
		"$level: $accounts accounts were frozen with the third in a row, or the fifth within a day");
}

# Eight at once: those refused before the freeze was in force are all counted, and it is one freeze.
my ($wrong, $refused) = (0, 0);
for my $n (1 .. $accounts)
{
	my $account = "flood $n";
	my $count = 0;
	my $last = '';
	for (1 .. 3)
	{
		$last = refuse_at_once($account, $levels[ $n % 3 ], $sessions);
		$count += () = $last =~ /MD001/g;
	}
	counted();
	$refused += $count;
	$wrong++ unless $last !~ /MD001/ && $count >= 3 && $node->safe_psql('postgres', qq{
		SELECT (SELECT count(*) FROM moderation.violation WHERE account = '$account') || ' ' || strikes || ' '
			|| (SELECT count(*) FROM moderation.account_event WHERE account = '$account' AND to_state = 'frozen') FROM moderation.account WHERE account = '$account'})
		eq "$count $count 1";
}
is($wrong, 0, "$accounts accounts flooded by $sessions sessions: each of $refused refusals is one violation and one strike, and each account is frozen once");

$_->terminate for @clients, $moderator;
$node->stop;
done_testing();
