# Writers against moderators, thousands of times: after a freeze has been committed, no row of that account is committed, at any isolation
# level, however the row comes to be written.
#
# The judge is the server's own commit timestamps.  Writers of each kind write as an account that is about to be frozen and commit in a
# round trip of its own, while moderators freeze one account after the other.  Two controls show that the judge sees the race: writers
# that do not look again at COMMIT, and writers that look without the lock.
#
# About a minute; MODERATION_SOAK=1 makes it ten.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Account;

my $seconds = $ENV{MODERATION_SOAK} ? 150 : 9;
my $control_seconds = $ENV{MODERATION_SOAK} ? 60 : 6;
my $drafts = $ENV{MODERATION_SOAK} ? 400000 : 30000;

my $node = account_node('race', "fsync = on\nmax_connections = 40\n");
$node->safe_psql('postgres', qq{
	CREATE TABLE draft (id int PRIMARY KEY, author text, body text);
	CREATE TABLE bulk (author text, body text);
	SELECT moderation.guard(t, '{body}', 'author', 'test') FROM unnest('{draft,bulk}'::regclass[]) AS t;
	CREATE SEQUENCE frozen;
	CREATE SEQUENCE next_draft MAXVALUE $drafts CYCLE;
	CREATE TABLE stop ();
	-- One freezes through the API, the other by hand.
	CREATE PROCEDURE freeze_on(by_hand boolean) LANGUAGE plpgsql AS \$\$
	BEGIN
		WHILE to_regclass('stop') IS NOT NULL LOOP
			IF by_hand THEN
				INSERT INTO moderation.account (account, state) VALUES ('account ' || nextval('frozen'), 'frozen');
			ELSE
				PERFORM moderation.freeze('account ' || nextval('frozen'), 'race');
			END IF;
			COMMIT;
			PERFORM pg_sleep(0.004);
			COMMIT;
		END LOOP;
	END
	\$\$;
});

# An account that was frozen a moment ago, is being frozen, or will be next.
my $near = q{'account ' || (SELECT last_value + (random() * 3)::int FROM frozen)};
my $row = "INSERT INTO post SELECT $near, 'hello'";

# What each kind of writer does between BEGIN and COMMIT; the code gets the client and a number of the transaction's.
my %kinds = (
	single => sub { [$row] },
	savepoint => sub { [ 'SAVEPOINT s', $row, $_[1] % 2 ? 'RELEASE s' : 'ROLLBACK TO s', $row ] },
	update => sub { ["UPDATE draft SET author = $near, body = 'changed' WHERE id = (SELECT nextval('next_draft'))"] },
	block => sub { [ "DO \$\$ BEGIN BEGIN $row; PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END; $row; END \$\$" ] },
	many => sub {
		my $count = $_[1] % 20 ? 300 : 9000;	# looked at twice; written to disk
		return ["INSERT INTO bulk SELECT CASE n WHEN 5 THEN $near ELSE 'account ' || last_value - 20 - n % 1000 END, 'hello' FROM frozen, generate_series(1, 5) AS n",
			"INSERT INTO bulk SELECT 'crowd ' || n, 'hello' FROM generate_series(1, $count) AS n"] if $_[1] % 3 == 0;
		return ["INSERT INTO bulk SELECT CASE n WHEN 5 THEN $near ELSE 'crowd ' || n END, 'hello' FROM generate_series(1, $count) AS n"];
	},
	copy => sub {
		my $last = $_[0]->query('SELECT last_value FROM frozen')->{rows}[0][0];
		return [ [ 'COPY post FROM STDIN', join '', map { 'account ' . ($last + $_) . "\thello\n" } 0 .. 1 ] ];
	},
	early => sub {
		# Written long before COMMIT: the account is frozen in between, for sure.
		my $last = $_[0]->query('SELECT last_value FROM frozen')->{rows}[0][0];
		return [ "INSERT INTO post VALUES ('account ' || $last + 4, 'hello')",
			"DO \$\$ BEGIN FOR i IN 1 .. 400 LOOP EXIT WHEN (SELECT last_value FROM frozen) > $last + 6; PERFORM pg_sleep(0.005); END LOOP; END \$\$" ];
	});

# A process that writes until the time is over; prints a line of counts: committed, refused when writing, refused at COMMIT, to be retried.
sub start_writer
{
	my ($kind, $level, $settings, $until) = @_;
	pipe(my $in, my $out) or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	return { pid => $pid, in => $in, kind => $kind } if $pid;

	my %count = map { $_ => 0 } qw(stored write commit retry);
	my $ok = eval {
		my $client = client($node, q{SELECT moderation.normalize('')}, @$settings);
		for (my $n = 1; time < $until; $n++)
		{
			$client->query("BEGIN ISOLATION LEVEL $level");
			my ($where, $answer) = ('write');
			for my $statement (@{ $kinds{$kind}->($client, $n) })
			{
				if (ref $statement)
				{
					$client->send_query($statement->[0]);
					$client->receive('G');
					$client->copy_data($statement->[1]);
					$client->copy_done;
					$answer = $client->receive;
				}
				else { $answer = $client->query($statement); }
				last if state($answer);
			}
			if (!state($answer)) { $where = 'commit'; $answer = $client->query('COMMIT'); }
			my $state = state($answer);
			$client->query('ROLLBACK') if $state;
			if ($state eq '') { $count{stored}++; }
			elsif ($state eq 'MD002') { $count{$where}++; }
			elsif ($state =~ /^40/) { $count{retry}++; }
			else { die "$kind: $answer->{errors}[0]{M}"; }
		}
		1;
	};
	syswrite $out, $ok ? "$count{stored} $count{write} $count{commit} $count{retry}\n" : "failed $@\n";
	POSIX::_exit(0);
}

# Runs the race; returns the rows stored, the freezes, the transactions refused at COMMIT, and the rows committed too late.
sub race
{
	my ($level, $length, @settings) = @_;
	my ($stored, $stopped) = (0, 0);

	$node->safe_psql('postgres', "TRUNCATE post, bulk, draft; DELETE FROM moderation.account; DELETE FROM moderation.account_event; "
		. "INSERT INTO draft SELECT n, NULL, 'hello' FROM generate_series(1, $drafts) AS n; CREATE TABLE IF NOT EXISTS stop ()");
	my @moderators = map { my $client = client($node); $client->send_query("CALL freeze_on($_)"); $client } 'false', 'true';
	my $until = time + $length;
	my @writers = map { start_writer($_, $level, \@settings, $until) } sort(keys %kinds), 'single';
	for my $writer (@writers)
	{
		my $line = readline $writer->{in};
		waitpid $writer->{pid}, 0;
		BAIL_OUT("a writer failed: $line") unless $line =~ /^(\d+) (\d+) (\d+) (\d+)$/;
		note("$level: $writer->{kind}: $1 transactions committed, $2 refused when writing, $3 at COMMIT, $4 to be retried");
		$stored += $1;
		$stopped += $3;
		$writer->{stopped} = $3;
	}
	$node->safe_psql('postgres', 'DROP TABLE stop');
	is(state($_->receive), '', "$level: a moderator has frozen on") for @moderators;

	my ($rows, $late) = split /\|/, $node->safe_psql('postgres', q{
		SELECT count(*), count(*) FILTER (WHERE pg_xact_commit_timestamp(p.xmin) > pg_xact_commit_timestamp(a.xmin))
		FROM (SELECT xmin, author FROM post UNION ALL SELECT xmin, author FROM bulk UNION ALL SELECT xmin, author FROM draft) AS p
		JOIN moderation.account AS a ON a.account = p.author WHERE a.state = 'frozen'});
	my $freezes = $node->safe_psql('postgres', q{SELECT count(*) FROM moderation.account WHERE state = 'frozen'});
	note("$level: $stored transactions committed, $rows rows of $freezes frozen accounts, $stopped transactions refused at COMMIT, $late rows late");
	return ($rows, $freezes, $late, \@writers);
}

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my ($rows, $freezes, $late, $writers) = race($level, $seconds);
	cmp_ok($rows, '>', 100, "$level: rows were stored of accounts that were frozen later");
	cmp_ok($freezes, '>', 100, "$level: accounts were frozen");
	cmp_ok($_->{stopped}, '>', 0, "$level: $_->{kind}: some writers were refused at COMMIT") for grep { $_->{kind} ne 'many' } @$writers;
	is($late, 0, "$level: no row was committed after its account was frozen");
}

for my $control ([ 'gate_look=fail', 'without the look at COMMIT' ], [ 'gate_lock=fail', 'with the look but without the lock' ])
{
	my (undef, undef, $late) = race('READ COMMITTED', $control_seconds, "SET moderation.test_points = '$control->[0]'");
	cmp_ok($late, '>', 0, "$control->[1], rows are seen to be late");
}

$node->stop;
done_testing();
