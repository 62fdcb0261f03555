# The server log never repeats content that the guard refused: not as a statement, not as a line of COPY, not as a parameter, not
# from within a function, in none of the log's formats, whatever the reason of the refusal.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('log');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_directory = 'guard_log'
log_filename = 'all'
log_error_verbosity = verbose
log_min_error_statement = error
log_min_messages = warning
log_statement = none
log_parameter_max_length = 0
log_parameter_max_length_on_error = -1
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', <<'EOC');
CREATE TABLE post (author text, body text, CHECK (body <> 'shown word'));
SELECT moderation.guard('post', '{body}', 'author', 'test');
CREATE FUNCTION put(author text, body text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO post VALUES (author, body); END $$;
CREATE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := NEW.body || ' zorblax'; RETURN NEW; END $$;
SELECT moderation.freeze('frozen', 'test');
EOC

# Every text has a word of its own that must not be found in the log again.
my $n = 0;
my @secrets;
sub secret { my ($tail) = @_; push @secrets, 'secret' . ++$n . 'word'; return "$secrets[-1] $tail"; }
sub refused
{
	my ($what, $sql) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $sql);
	like($err, qr/ERROR: +(content refused|account is frozen)/, "refused: $what");
}
refused('INSERT', "INSERT INTO post VALUES ('a1', '" . secret('zorblax') . "')");
refused('COPY', "COPY post FROM stdin;\na2\t" . secret('zorblax') . "\n\\.\n");
refused('a function', "SELECT put('a3', '" . secret('zorblax') . "')");
refused('DO', "DO \$\$ BEGIN PERFORM put('a4', '" . secret('zorblax') . "'); END \$\$");
refused('a prepared statement', "PREPARE p AS INSERT INTO post VALUES (\$1, \$2); EXECUTE p('a5', '" . secret('zorblax') . "')");
refused('an account that is frozen', "INSERT INTO post VALUES ('frozen', '" . secret('hello') . "')");
refused('a frozen account by COPY', "COPY post FROM stdin;\nfrozen\t" . secret('hello') . "\n\\.\n");
refused('too long', "INSERT INTO post VALUES ('a6', repeat('" . secret('') . "', 20000))");
refused('what cannot be quarantined', "CREATE TABLE j (author text, body text, j json); SELECT moderation.guard('j', '{body}', 'author', 'test');"
	. "INSERT INTO j VALUES ('a7', '" . secret('quarword') . "', '\"\\u0000\"')");
$node->safe_psql('postgres', 'CREATE TRIGGER zzzz BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION later()');
refused('what another trigger wrote', "INSERT INTO post VALUES ('a8', '" . secret('hello') . "')");
$node->safe_psql('postgres', 'DROP TRIGGER zzzz ON post');

# An account that is frozen while its statement is under way: refused at COMMIT, of which the statement is a part.
my $blocker = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \my $hold, '>', \my $held, '2>', \my $ignored);
$hold = "SELECT pg_advisory_lock(1);\n\\echo locked\n";
$blocker->pump until $held =~ /locked/;
my $late = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
	"INSERT INTO post VALUES ('late', '" . secret('hello') . "'); SELECT pg_advisory_xact_lock(1)" ], '<', \undef, '>', \my $told, '2>', \my $late_error);
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'the writer does not wait';
$node->safe_psql('postgres', q{SELECT moderation.freeze('late', 'test')});
$hold .= "\\q\n";
$blocker->finish;
$late->finish;
like($late_error, qr/account is frozen/, 'refused: a freeze that came first');

# Parameters of the extended protocol, where log_parameter_max_length_on_error shows them.
sub bound
{
	my ($what, $text) = @_;
	my $file = $node->basedir . '/bound.sql';
	unlink $file;
	append_to_file($file, "SELECT 'b' || pg_backend_pid() AS author, '$text' AS body \\gset\nINSERT INTO post VALUES (:author, :body);\n");
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'pgbench', '-n', '-M', 'prepared', '-t', '1', '-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$out, '2>', \$err);
	return $err;
}
like(bound('a parameter', secret('zorblax')), qr/content refused/, 'refused: a bound parameter');

# The negative control: an error that is not the guard's does show its statement and its parameters.
bound('shown', 'shown word');
$node->psql('postgres', "INSERT INTO post VALUES ('c', 'shown word')");

$node->stop;
my $log = join '', map { slurp_file($node->data_dir . "/guard_log/all$_") } '', '.csv', '.json';
ok($log =~ /MD001/ && $log =~ /MD002/ && $log =~ /MD004/, 'the refusals are in the log');
ok($log =~ /INSERT INTO post VALUES \('c', 'shown word'\)/, 'so are statements of other errors');
ok($log =~ /parameters: \$1 = 'b\d+', \$2 = 'shown word'/, 'and parameters');
is(join(' ', grep { $log =~ /$_/ } @secrets), '', 'but no content that was refused');
done_testing();
