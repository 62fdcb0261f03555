# No setting that an ordinary role can set weakens anything.  Under every one of them, with every extreme value that pg_settings
# names, refused content is refused and recorded, a frozen account stays out, and a clean content is stored or is an error; never
# the reverse.  So too with what a database's owner, who is no superuser, can set for everybody, the recorder's worker included.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Recorder;
use TestLibrary;

my $node = PostgreSQL::Test::Cluster->new('settings');
$node->init;
$node->append_conf('postgresql.conf', "moderation.recorder_idle = 4000\nmoderation.record_timeout = 10000\nwal_writer_delay = 10s\n");
$node->start;
install($node);
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	SELECT moderation.grant_duty('app', 'application');
	GRANT INSERT, SELECT ON post TO app;
	SELECT moderation.freeze('frozen', 'why')});

# Strings have no range: what could matter, by name; for all others, something.
my %strings = (
	search_path => [ '', 'pg_temp', 'pg_temp, public', 'nowhere', 'public, pg_catalog' ],
	client_encoding => [ qw(UTF8 SQL_ASCII LATIN1 WIN1251 EUC_JP GB18030 SJIS EUC_TW MULE_INTERNAL) ],
	datestyle => [ 'SQL, DMY', 'German', 'Postgres, MDY', 'ISO, YMD' ],
	timezone => [ 'Pacific/Kiritimati', 'GMT+12', 'UTC', '<X>+23:59' ],
	lc_messages => [ 'C', 'nowhere' ], lc_monetary => [ 'C', 'nowhere' ], lc_numeric => [ 'C', 'nowhere' ], lc_time => [ 'C', 'nowhere' ],
	default_tablespace => [ '', 'pg_default', 'pg_global', 'nowhere' ], temp_tablespaces => [ '', 'pg_global', 'nowhere' ],
	default_table_access_method => [ 'heap', 'nowhere' ],
	restrict_nonsystem_relation_kind => [ 'view', 'foreign-table', 'view, foreign-table' ],
	session_authorization => [ 'postgres', 'app' ], role => [ 'postgres', 'none' ],
	'plpgsql.extra_errors' => [ 'all' ], 'plpgsql.extra_warnings' => [ 'all' ]);
my %never = map { $_ => 1 } qw(post_auth_delay pre_auth_delay);	# they only wait
# With these a statement may end with another error before it is judged.
my $interrupted = qr/timeout|transaction_read_only|client_connection_check_interval|exit_on_error/;

# name -> values
my %settings = map { $_ => $strings{$_} } qw(role session_authorization);
for (split /\n/, $node->safe_psql('postgres', q{LOAD 'plpgsql'; SELECT moderation.normalize('');
	SELECT lower(name), vartype, coalesce(min_val, ''), coalesce(max_val, ''), coalesce(array_to_string(enumvals, ','), '') FROM pg_settings WHERE context IN ('user', 'backend')
	ORDER BY name}))
{
	my ($name, $type, $min, $max, $enum) = split /\|/, $_, -1;
	next if !defined $enum || $never{$name};
	$settings{$name} = $type eq 'bool' ? [ 'on', 'off' ] : $type eq 'enum' ? [ split /,/, $enum ] : $type eq 'string' ? $strings{$name} // [ '', 'x' ] : [ $min, 1, $max ];
}
cmp_ok(scalar(keys %settings), '>', 100, scalar(keys %settings) . ' settings that an ordinary role can set');
is($node->safe_psql('postgres', q{SELECT moderation.normalize(''); SELECT count(*) FROM pg_settings WHERE name LIKE 'moderation.%' AND context IN ('user', 'backend', 'superuser-backend')}),
	"\n0", 'none of them is ours');

# Runs the checks in one session after each of the commands; returns a hash: command -> SQLSTATEs of refused, frozen, clean, verdict.
sub checked
{
	my ($options, $role, @commands) = @_;
	my $script = "\\set ON_ERROR_STOP 0\n";
	for my $i (0 .. $#commands)
	{
		my ($set, $reset) = @{ $commands[$i] };
		$script .= <<"EOC";
$set;
\\echo \@$i set :SQLSTATE
INSERT INTO public.post VALUES ('someone', 'a zorblax here');
\\echo \@$i refused :SQLSTATE
INSERT INTO public.post VALUES ('frozen', 'hello');
\\echo \@$i frozen :SQLSTATE
INSERT INTO public.post VALUES ('someone', 'hello');
\\echo \@$i clean :SQLSTATE
SELECT 1 / flagged::pg_catalog.int4 FROM moderation.verdict('a zorblax here', 'recorder_test');
\\echo \@$i verdict :SQLSTATE
$reset;
EOC
	}
	local $ENV{PGOPTIONS} = $options;
	my ($code, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0, extra_params => [ '-U', $role ]);
	my %seen;
	$seen{$1}{$2} = $3 while $out =~ /^\@(\d+) (\w+) (\w{5})$/mg;
	return \%seen;
}

my (@wrong, $refused, $lost, $tried, $applied);
$refused = $lost = $tried = $applied = 0;
sub judge
{
	my ($what, $loose, $seen) = @_;
	$tried++;
	# A session that was ended says nothing more.
	my ($r, $f, $c, $v) = map { $seen->{$_} // 'ended' } qw(refused frozen clean verdict);
	$applied++ if ($seen->{set} // '') eq '00000';
	$refused++ if $r eq 'MD001';
	$lost++ if $r ne 'MD001';
	push @wrong, "$what: refused content: $r" if $r eq '00000' || (!$loose && $r ne 'MD001');
	push @wrong, "$what: frozen account: $f" if $f eq '00000' || (!$loose && $f ne 'MD002');
	push @wrong, "$what: clean content: $c" if $c =~ /^MD/ || (!$loose && $c ne '00000');
	push @wrong, "$what: verdict: $v" if $v eq '22012' || (!$loose && $v ne '00000');
	return;
}

my @all = map { my $name = $_; map { [ $name, $_ ] } @{ $settings{$name} } } sort keys %settings;
my @backend = split /\n/, $node->safe_psql('postgres', q{SELECT name FROM pg_settings WHERE context = 'backend'});
my %backend = map { $_ => 1 } @backend;
my (@batch, @single);
push @{ $_->[0] =~ $interrupted || $backend{ $_->[0] } ? \@single : \@batch }, $_ for @all;
while (my @some = splice(@batch, 0, 60))
{
	my $seen = checked('', 'app', map { my ($n, $v) = @$_; $v =~ s/'/''/g; [ $n eq 'search_path' ? "SET search_path = " . ($v eq '' ? "''" : $v) : "SET $n = '$v'", "RESET $n" ] } @some);
	judge("$some[$_][0] = $some[$_][1]", 0, $seen->{$_}) for 0 .. $#some;
}
for (@single)
{
	my ($n, $v) = @$_;
	my $seen = $backend{$n} ? checked("-c $n=$v", 'app', [ 'SELECT 1', 'SELECT 1' ]) : checked('', 'app', [ "SET $n = '$v'", "RESET $n" ]);
	judge("$n = $v", 1, $seen->{0} // {});
}
is(join("\n", @wrong), '', "$tried values of settings, $applied of which could be set: refused is refused, frozen is out, clean goes in");
cmp_ok($refused, '>', $tried * 0.8, "$refused times content was refused, $lost times the statement ended before or otherwise");
my $violations = settled($node);
cmp_ok($violations, '>=', $refused, 'each refusal was recorded');
cmp_ok($violations, '<=', $tried, 'and none twice');
is($node->safe_psql('postgres', q{SELECT count(*) FROM post WHERE body LIKE '%zorblax%' OR account = 'frozen'}), '0', 'and nothing was stored that should not be');

# With a statement's time running out at each step, several times over: refused and recorded, or cancelled; stored never.
my $before = violations($node);
my $seen = checked('', 'app', map { [ "SET statement_timeout = $_", 'RESET statement_timeout' ] } (1, 2, 3, 5) x 5);
is(scalar(grep { ($_->{refused} // '') !~ /^(MD001|57014)$/ } values %$seen), 0, 'under a statement_timeout of 1 to 5 ms content is refused, or the statement cancelled');
cmp_ok(settled($node) - $before, '>=', scalar(grep { $_->{refused} eq 'MD001' } values %$seen), 'and recorded when refused');

# The control: a judge that can see a weakness.  A superuser may switch moderation off, and then all of it shows.
@wrong = ();
$seen = checked('', 'postgres', [ q{SET moderation.mode = 'restore'}, 'RESET moderation.mode' ]);
judge('control', 0, $seen->{0});
is(scalar(@wrong), 2, 'with moderation.mode = restore, refused content and a frozen account are seen to pass');
$node->safe_psql('postgres', 'DELETE FROM post');

# Our own settings, by every way that does not need a superuser: at once, when connecting, for the role, before the library is there.
for my $setting ('moderation.mode=restore', 'moderation.moderate_replica=on', 'moderation.record_timeout=1', 'moderation.recorder_idle=1', 'moderation.record_synchronous_commit=local')
{
	my ($name, $value) = split /=/, $setting;
	for my $how ([ '', "SET $name = '$value'" ], [ "-c $setting", 'SELECT 1' ], [ '', "ALTER ROLE app SET $name = '$value'" ], [ '', "SELECT set_config('$name', '$value', false)" ])
	{
		@wrong = ();
		$seen = checked(@$how[0], 'app', [ $how->[1], 'SELECT 1' ]);
		judge($setting, 0, $seen->{0});
		is(join(', ', @wrong), '', "$setting changes nothing: " . ($how->[0] || $how->[1]));
	}
	@wrong = ();
	judge($setting, 0, checked('', 'app', [ 'SELECT 1', 'SELECT 1' ])->{0});
	is(join(', ', @wrong), '', "nor afterwards");
	$node->safe_psql('postgres', "ALTER ROLE app RESET $name");
}

# What a database's owner, no superuser, can set for everybody: the worker is not impressed.
$node->safe_psql('postgres', q{CREATE ROLE owner LOGIN; ALTER DATABASE postgres OWNER TO owner});
my @owned = ([ 'default_transaction_read_only', 'on' ], [ 'default_transaction_isolation', 'serializable' ], [ 'default_transaction_deferrable', 'on' ], [ 'statement_timeout', '1' ],
	[ 'lock_timeout', '1' ], [ 'idle_in_transaction_session_timeout', '1' ], [ 'idle_session_timeout', '1' ], [ 'synchronous_commit', 'off' ], [ 'search_path', 'trap, public' ],
	[ 'row_security', 'off' ], [ 'work_mem', '64kB' ], [ 'enable_indexscan', 'off' ], [ 'enable_seqscan', 'off' ], [ 'datestyle', 'German' ], [ 'default_tablespace', 'pg_global' ],
	[ 'plan_cache_mode', 'force_generic_plan' ], [ 'check_function_bodies', 'off' ], [ 'bytea_output', 'escape' ], [ 'client_min_messages', 'error' ], [ 'transform_null_equals', 'on' ],
	[ 'standard_conforming_strings', 'off' ], [ 'array_nulls', 'off' ], [ 'quote_all_identifiers', 'on' ], [ 'default_toast_compression', 'pglz' ], [ 'jit_above_cost', '0' ]);
push @owned, [ 'transaction_timeout', '1' ] if $node->pg_version >= 17;
for (@owned)
{
	my ($code, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; ALTER DATABASE postgres SET $_->[0] = '$_->[1]'", extra_params => [ '-U', 'owner' ],
		connstr => $node->connstr('template1') . " user=owner");
	is($err, '', "the owner sets $_->[0] for the database");
}
for my $name ('moderation.mode', 'session_replication_role', 'moderation.test_no_commit_check')
{
	my ($code, $out, $err) = $node->psql('template1', "ALTER DATABASE postgres SET $name = 'restore'", extra_params => [ '-U', 'owner' ]);
	like($err, qr/permission denied/, "but not $name");
}
my $clear = '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0'
	. ($node->pg_version >= 17 ? ' -c transaction_timeout=0' : '');
{
	local $ENV{PGOPTIONS} = $clear;
	$node->safe_psql('postgres', 'SELECT moderation.stop_recorder()');
	$node->poll_query_until('postgres', q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'moderation recorder')}) or die 'the worker does not leave';
	$before = violations($node);
	my ($fallbacks) = $node->safe_psql('postgres', 'SELECT fallbacks FROM moderation.recorder_status()');
	@wrong = ();
	$seen = checked($clear, 'app', ([ 'SELECT 1', 'SELECT 1' ]) x 3);
	judge('owner', 0, $seen->{$_}) for 0 .. 2;
	is(join(', ', @wrong), '', 'with all that in the worker, content is refused');
	is(settled($node), $before + 3, 'and recorded');
	is($node->safe_psql('postgres', 'SELECT fallbacks FROM moderation.recorder_status()'), $fallbacks, 'by the worker, not by the spool');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM moderation.verify()'), '0', 'and verify() finds nothing');
}

# And without any of it: what a session has is its own, and judged.
@wrong = ();
$seen = checked('', 'app', [ 'SELECT 1', 'SELECT 1' ]);
judge('owner', 1, $seen->{0} // {});
is(join(', ', @wrong), '', 'in sessions that have it, nothing passes that should not');

# A refusal is durable though the session, and the database, commit without waiting: kept by a server that stops at once.
$before = do { local $ENV{PGOPTIONS} = $clear; settled($node) };
$seen = checked("$clear -c synchronous_commit=off", 'app', ([ 'SELECT 1', 'SELECT 1' ]) x 5);
$node->stop('immediate');
$node->start;
{
	local $ENV{PGOPTIONS} = $clear;
	is(settled($node), $before + 5, 'five refusals under synchronous_commit = off survive an immediate stop');
	$node->safe_psql('template1', 'ALTER DATABASE postgres RESET ALL');
}

# What is done with the owner's rights does not show in the messages of whoever asks for all of them.
$node->safe_psql('postgres', slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{CREATE TABLE post2 (account text, body text); SELECT moderation.guard('post2', '{body}', 'account', 'test'); GRANT INSERT ON post2 TO app});
my ($code, $out, $err) = $node->psql('postgres', q{SET client_min_messages = debug5; SET debug_print_plan = on; SET debug_print_parse = on; SET debug_print_rewritten = on;
	INSERT INTO post2 VALUES ('someone', 'a flagword');}, extra_params => [ '-U', 'app' ]);
is($code, 0, 'flagged content is stored under debug_print_plan');
my $relation = $node->safe_psql('postgres', q{SELECT 'moderation.violation'::regclass::oid});
like($err, qr/:relid \d+/, 'the session sees its own plans');
unlike($err, qr/:relid $relation\b|violation_id/, 'and not those of what is done for it with the owner\'s rights');

$node->stop;
done_testing();
