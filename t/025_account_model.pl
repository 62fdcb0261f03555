# The gate against a model of it: sessions that write, freeze, suspend, reinstate, set savepoints and go back to them, in random order, one
# step at a time, so that it is known of each step how it must end.  A write or a COMMIT that goes through as an account that is frozen
# is a window; one that is refused without a reason is a fault, too.
#
# A run is repeated by MODERATION_SEED; MODERATION_SOAK=1 makes it fifty times longer.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Account;

my $steps = $ENV{MODERATION_SOAK} ? 150000 : 3000;
my $seed = $ENV{MODERATION_SEED} // int(rand 2**31);
note("MODERATION_SEED=$seed");

my $node = account_node('model');
my @accounts = map { "account $_" } 1 .. 6;
my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
my (%committed, %seen, @wrong, @sessions);

# A session: frames, the transaction's own first and one for each savepoint; a frame has what was written as whom, and whose state was
# changed to what.
sub session
{
	my ($settings) = @_;
	return { client => client($node, q{SELECT moderation.normalize('')}, q{SET lock_timeout = '2ms'}, @$settings), frames => [], log => [] };
}

# The account's state as this session must see it; and whether that is of its own making.
sub standing
{
	my ($session, $account) = @_;
	for my $frame (reverse @{ $session->{frames} })
	{
		return ($frame->{changed}{$account}, 1) if exists $frame->{changed}{$account};
	}
	return ($committed{$account} // 'active', 0);
}

sub run
{
	my ($session, $statement) = @_;
	push @{ $session->{log} }, $statement;
	my $state = state($session->{client}->query($statement));
	push @{ $session->{log} }, "-- $state" if $state;
	return $state;
}

sub wrong
{
	my ($session, $what) = @_;
	push @wrong, join("\n", $what, @{ $session->{log} });
	return;
}

# After an error: back to a savepoint, or out.
sub recover
{
	my ($session) = @_;
	return unless @{ $session->{frames} };
	if (@{ $session->{frames} } > 1 && rand() < 0.7)
	{
		my $to = 1 + int rand(@{ $session->{frames} } - 1);
		run($session, "ROLLBACK TO s$to");
		splice @{ $session->{frames} }, $to + 1;
		$session->{frames}[$to] = {};
		return;
	}
	run($session, 'ROLLBACK');
	$session->{frames} = [];
	return;
}

sub begin
{
	my ($session) = @_;
	$session->{log} = [];
	run($session, 'BEGIN ISOLATION LEVEL ' . $levels[ rand @levels ]);
	run($session, 'SELECT count(*) FROM post') if rand() < 0.5;
	$session->{frames} = [ {} ];
	return;
}

sub restricted { return $_[0] =~ /^(frozen|suspended)$/; }

# A step writes as some account: plainly, in a block that keeps it, or in one that undoes it.
sub write_as
{
	my ($session) = @_;
	my $account = $accounts[ rand @accounts ];
	for (1 .. 3) { $account = $accounts[ rand @accounts ] if restricted((standing($session, $account))[0]); }
	my ($state) = standing($session, $account);
	my $expected = { frozen => 'MD002', suspended => 'MD003' }->{$state} // '';
	my $way = int rand 3;
	my $inner = "INSERT INTO post VALUES ('$account', 'hello');";
	my $got = run($session, $way == 0 ? $inner
		: $way == 1 ? "DO \$\$ BEGIN BEGIN $inner EXCEPTION WHEN division_by_zero THEN NULL; END; END \$\$"
		: "DO \$\$ BEGIN $inner PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$");

	$seen{ $got eq '' ? 'written' : $got eq '40001' ? 'to be retried' : 'refused when writing' }++;
	wrong($session, "$account is $state, and the write ended with '$got'") if $got ne $expected && $got ne '40001';
	if ($got ne '') { recover($session); }
	elsif ($way < 2 && @{ $session->{frames} }) { $session->{frames}[-1]{written}{$account} = 1; }
	return;
}

sub moderate
{
	my ($session) = @_;
	my @open = map { keys %{ $_->{written} // {} } } map { @{ $_->{frames} } } @{ $session->{frames} } ? $session : @sessions;
	my $account = @open && rand() < 0.6 ? $open[ rand @open ] : $accounts[ rand @accounts ];
	my $what = rand() < (restricted((standing($session, $account))[0]) ? 0.8 : 0.1) ? 'reinstate' : (qw(freeze freeze suspend))[ rand 3 ];
	my $got = run($session, "SELECT moderation.$what('$account', 'model')");

	# A row that another session holds, a snapshot that is too old, a suspension that is more than a freeze, nothing to reinstate.
	if ($got ne '')
	{
		wrong($session, "$what ended with '$got'") unless $got =~ /^(55P03|40001|55000|42704)$/;
		recover($session);
		return;
	}
	my $to = { freeze => 'frozen', suspend => 'suspended', reinstate => 'active' }->{$what};
	if (@{ $session->{frames} }) { $session->{frames}[-1]{changed}{$account} = $to; }
	else { $committed{$account} = $to; }
	$seen{$what}++;
	return;
}

sub commit
{
	my ($session) = @_;
	my (%written, %changed);
	for my $frame (@{ $session->{frames} })
	{
		$written{$_} = 1 for keys %{ $frame->{written} // {} };
		$changed{$_} = $frame->{changed}{$_} for keys %{ $frame->{changed} // {} };
	}
	# What it wrote before it froze the account itself may stand or not; anything else is certain.
	my @refuse = grep { !exists $changed{$_} && restricted($committed{$_} // 'active') } keys %written;
	my @either = grep { exists $changed{$_} && restricted($changed{$_}) } keys %written;
	my $got = run($session, 'COMMIT');

	$seen{ $got eq '' ? 'committed' : $got =~ /^MD/ ? 'refused at COMMIT' : 'to be retried' }++ if %written || %changed;
	wrong($session, "COMMIT as @refuse, who may not write, ended with '$got'") if @refuse && $got !~ /^(MD00[23]|40001|55P03)$/;
	wrong($session, "COMMIT ended with '$got' for no reason") if !@refuse && $got =~ /^MD/ && !@either;
	wrong($session, "COMMIT ended with '$got'") if $got !~ /^(|MD00[23]|40001|55P03)$/;
	if ($got eq '') { $committed{$_} = $changed{$_} for keys %changed; }
	$session->{frames} = [];
	return;
}

# Some sessions, so many steps; returns how many steps ended wrongly.
sub play
{
	my ($count, @settings) = @_;
	@sessions = map { session(\@settings) } 1 .. 4;
	my $moderator = session(\@settings);
	srand($seed);
	%seen = %committed = ();
	@wrong = ();
	$node->safe_psql('postgres', 'TRUNCATE post; DELETE FROM moderation.account; DELETE FROM moderation.account_event');
	for (1 .. $count)
	{
		my $session = rand() < 0.15 ? $moderator : $sessions[ rand @sessions ];
		my $frames = $session->{frames};
		my $dice = rand();
		if ($session == $moderator) { $session->{log} = []; moderate($session); }
		elsif (!@$frames) { $dice < 0.55 ? begin($session) : $dice < 0.9 ? moderate($session) : write_as($session); }
		elsif ($dice < 0.35) { write_as($session); }
		elsif ($dice < 0.43) { moderate($session); }
		elsif ($dice < 0.62) { run($session, 'SAVEPOINT s' . @$frames); push @$frames, {}; }
		elsif ($dice < 0.70 && @$frames > 1)
		{
			my $frame = pop @$frames;
			run($session, 'RELEASE s' . @$frames);
			$frames->[-1]{$_} = { %{ $frames->[-1]{$_} // {} }, %{ $frame->{$_} // {} } } for qw(written changed);
		}
		elsif ($dice < 0.78 && @$frames > 1) { recover($session); }
		elsif ($dice < 0.97) { commit($session); }
		else { run($session, 'ROLLBACK'); $session->{frames} = []; }
	}
	$_->{client}->terminate for @sessions, $moderator;
	note(join ', ', map { "$seen{$_} $_" } sort keys %seen);
	return scalar @wrong;
}

is(play($steps), 0, "each of $steps steps ended as it had to") or diag("MODERATION_SEED=$seed\n$wrong[0]");
cmp_ok($seen{$_} // 0, '>', 10, "$_: " . ($seen{$_} // 0)) for 'written', 'committed', 'refused when writing', 'refused at COMMIT', 'freeze', 'suspend', 'reinstate';
cmp_ok(play($steps / 4, q{SET moderation.test_points = 'gate_look=fail'}), '>', 0, 'without the look at COMMIT, the model sees it');

$node->stop;
done_testing();
