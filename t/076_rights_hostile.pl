# Names and values that would break out of a string: tables, columns, schemas, roles, policies, accounts, reasons, partitions.  With
# each, a table is guarded, content refused, masked, diverted, recorded, an account frozen, a role given a duty, and whatever
# verify() and errors give as a command is run as printed and must mend; all as with plain names, and no canary is touched.
# 2026-61781 (an injection through a maintenance function), CVE-2023-39417 (substitution within quotes).
# The random names' seed is printed; MODERATION_SEED sets it, MODERATION_SOAK=1 takes many more.
use strict;
use warnings;
use utf8;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Recorder;

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION moderation; ' . slurp_file('sql/include/test_policy.sql'));
$node->safe_psql('postgres', q{CREATE TABLE canary (touched int); INSERT INTO canary VALUES (0); CREATE ROLE low LOGIN; CREATE ROLE owner LOGIN;
	GRANT CREATE ON DATABASE postgres TO owner; SELECT moderation.grant_duty('low', 'application'), moderation.grant_duty('owner', 'administrator')});
my $roles = $node->safe_psql('postgres', q{SELECT string_agg(rolname || rolsuper, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('low', 'owner', 'postgres')});

my $seed = $ENV{MODERATION_SEED} // time;
srand $seed;
note "MODERATION_SEED=$seed";
my @names = ('plain', q{it's}, q{say "hi"}, q{back\\slash}, q{\\'; DROP TABLE canary; --}, q{"; DROP TABLE canary; --}, q{'); DROP TABLE canary; --}, q{$$; DROP TABLE canary; $$},
	q{$policy$}, "line\nfeed", "tab\tcr\rend", q{%s %I %L %n %1$s %%}, q{;}, q{--}, q{/* }, q{*/}, q{{a,b}}, q{{"a",NULL}}, q{(a,b)}, q{a.b.c}, q{@extschema@}, q{ leading}, q{trailing }, 'UPPER', 'select',
	'user', 'table', 'public', 'null', 'int4', 'text', 'pg_catalog', 'E', q{U&"\\0041"}, 'a' x 63, 'é' x 31 . 'x', '漢' x 21, "x" . 'ß' x 31, q{' || (SELECT 1/0) || '}, q{\\}, q{\\'}, q{"}, q{""}, q{'}, q{''}, q{0}, q{-1},
	". ", "\x{202e}rtl", "nul\x{2400}", "🙂 smile", q{:var :'var' :"var"}, q{?}, q{$1}, q{\\gexec});
my @alphabet = (split(//, q('"\;$%(){}@.:-/*Eab, )), "\n", "\t", '$$', '%s', '%I', "''", '""', '\\\\', '--', 'é', '漢', '🙂', "';DROP TABLE canary;--");
for (1 .. ($ENV{MODERATION_SOAK} ? 400 : 8))
{
	my $name = join '', map { $alphabet[rand @alphabet] } 1 .. 1 + rand 14;
	utf8::encode(my $bytes = $name);
	redo if length $bytes > 63;
	push @names, $name;
}
sub literal { my ($text) = @_; $text =~ s/'/''/g; $text =~ s/\\/\\\\/g; return " E'$text'"; }
sub ident { my ($text) = @_; $text =~ s/"/""/g; return qq{"$text"}; }

# Runs a script as superuser.
sub run
{
	my ($sql) = @_;
	$sql = "SET client_min_messages = error;\n$sql";
	utf8::encode($sql);
	my ($code, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0);
	utf8::decode($_) for $out, $err;
	return ($out, $err);
}
# [ role => statement ] as statements of a script, dollar-quoted so that no name meets psql's own syntax.
sub attempts
{
	my $tag = 'q' . int(rand 1e9);
	return join '', map { "SELECT public.attempt('$_->[0]', \$$tag\$$_->[1]\$$tag\$);\n" } @_;
}
$node->safe_psql('postgres', q{CREATE FUNCTION public.attempt(who name, statement text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE code text; hint text; result text;
	BEGIN
		EXECUTE format('SET LOCAL ROLE %I', who);
		IF statement ~* '^\s*select' THEN EXECUTE statement INTO result; ELSE EXECUTE statement; END IF;
		RESET ROLE;
		RETURN 'ok ' || coalesce(result, '');
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
		RETURN code;
	END $$;
	-- A command as printed, perhaps several statements, run whole.
	CREATE FUNCTION public.mend(command text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; RETURN 'ok'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
	-- The hint of the error that a statement ends with.
	CREATE FUNCTION public.hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE hint text;
	BEGIN EXECUTE statement; RETURN 'no error'; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT; RETURN hint; END $$;
});

my %plain;
my $number = 0;
for my $name (@names)
{
	$number++;
	(my $label = $name) =~ s/([^ -~]|#)/sprintf('\\x{%x}', ord $1)/ge;
	my ($i, $l) = (ident($name), literal($name));
	# Names that are at most 63 bytes with a suffix, so that several objects can have a hostile name each.
	my $schema = ident(($name =~ /^pg_/ ? "x" : "") . substr($name, 0, 12) . "#$number");	# pg_ is reserved
	my $table = "$schema.$i";
	my $as_class = literal($table);
	my $role = ident("r$number $name" =~ s/^(.{20}).*/$1/sr);
	my @steps = (
		[ owner => "CREATE SCHEMA $schema" ], [ owner => "GRANT USAGE ON SCHEMA $schema TO low" ],
		[ owner => "CREATE TABLE $table ($i text, body text, \"b $number\" jsonb, \"key $number\" int DEFAULT 1) PARTITION BY LIST (\"key $number\")" ],
		[ owner => "CREATE TABLE $schema." . ident('p') . " PARTITION OF $table DEFAULT" ],
		[ owner => "GRANT ALL ON $table TO low" ],
		[ owner => "SELECT moderation.guard($as_class, ARRAY[$l]::name[], 'nowhere')" ],
		[ owner => "SELECT moderation.guard($as_class, '{body}', $l, $l)" ],
		[ owner => "SELECT moderation.guard($as_class, ARRAY['body', 'b $number']::name[], $l, 'test', row_security => true)" ],
		(map { [ low => "INSERT INTO $table ($i, body) VALUES ($l, '$_')" ] } 'hello', 'a flagword', 'a redactword', 'a quarword', 'a zorblax'),
		[ low => "INSERT INTO $table ($i, \"b $number\") VALUES ($l, jsonb_build_object($l, 'a zorblax'))" ],
		[ owner => "SELECT moderation.freeze($l, $l)" ], [ low => "INSERT INTO $table ($i, body) VALUES ($l, 'hello')" ],
		[ low => "SELECT moderation.may_write($l)" ], [ owner => "SELECT moderation.reinstate($l, $l)" ], [ owner => "SELECT moderation.suspend($l, $l)" ],
		[ low => "INSERT INTO $table ($i, body) VALUES ($l, 'hello')" ], [ owner => "SELECT moderation.reinstate($l, $l)" ],
		[ low => "SELECT moderation.freeze($l, $l)" ], [ low => "SELECT flagged FROM moderation.verdict($l)" ], [ low => "SELECT action FROM moderation.verdict($l, $l)" ],
		[ low => "SELECT moderation.normalize($l) IS NOT NULL" ], [ low => "SELECT moderation.redact($l, NULL, $l) IS NOT NULL" ], [ low => "SELECT count(*) > 0 FROM moderation.classify($l, 'test')" ],
		[ owner => "SELECT count(*) FROM moderation.explain($l, $l)" ], [ owner => "SELECT moderation.load_policy($l)" ], [ owner => "SELECT count(*) FROM moderation.policy_rules($l)" ],
		[ owner => "SELECT moderation.unguard($l)" ], [ postgres => "CREATE ROLE $role" ],
		[ postgres => "SELECT moderation.grant_duty(" . literal($role) . ", $l)" ],
		(map { [ postgres => "SELECT moderation.${_}_duty(" . literal($role) . ", 'auditor')" ] } 'grant', 'revoke'),
		[ postgres => "DROP ROLE $role" ],
		[ owner => "ALTER TABLE $table RENAME COLUMN body TO " . ident("c " . substr($name, 0, 10)) ],
		[ low => "INSERT INTO $table ($i, " . ident("c " . substr($name, 0, 10)) . ") VALUES ($l, 'a zorblax')" ],
		[ owner => "ALTER TABLE $table DROP COLUMN $i CASCADE" ], [ owner => "ALTER TABLE $table DISABLE TRIGGER zzz_moderation_scan" ]);
	# One script for each name: the steps; then what is broken and what verify() says of it, run; then hints of errors, run.
	my $column = literal("ALTER TABLE $table DROP COLUMN $i CASCADE");
	my ($out, $err) = run(attempts(@steps) . "\\echo #\n"
		. attempts(map { [ postgres => $_ ] } "ALTER TABLE $table DISABLE TRIGGER zzz_moderation_scan", "DROP TRIGGER zzz_moderation_verify ON $table",
			"ALTER TABLE $table NO FORCE ROW LEVEL SECURITY", "CREATE ROLE $role", "GRANT INSERT ON moderation.violation TO $role") . "\\echo #\n"
		. "SELECT count(*) > 2, string_agg(DISTINCT public.mend(v.hint), ' ') FROM moderation.verify() AS v;\n"
		. "SELECT object, problem, hint FROM moderation.verify();\n\\echo #\n"
		. "SELECT public.hint(" . literal("SELECT moderation.guard(" . literal("$schema.p") . ", '{body}', 'x')") . ");\n\\echo #\n"
		. "SET ROLE owner; SELECT public.mend(split_part(public.hint($column), ' or guard', 1)); RESET ROLE;\n"
		. "SELECT count(*) FROM moderation.guarded WHERE relation::oid = ${as_class}::regclass::oid;\n"
		. "DROP SCHEMA $schema CASCADE; DROP ROLE $role;");
	my ($seen, $broken, $mended, $hint, $unguarded) = split /^#\n/m, "$out\n";
	# A text that names no table, or is no name at all.
	$seen =~ s/\b(42602|3F000|0A000|42601)\b/42P01/g;
	$seen =~ s/\n/, /g;
	$plain{steps} //= $seen;
	is($seen, $plain{steps}, "[$label] every step ends as with a plain name") or diag($err);
	is($broken, "ok \n" x 5, "[$label] broken as a superuser can");
	is($mended, "t|ok\n", "[$label] what verify() prints can be run, and then nothing is wrong");
	like($hint, qr/^SELECT moderation\.guard\(.*\);$/s, "[$label] a hint that is a command");
	is($unguarded, "ok\n0\n", "[$label] the hint about the account's column takes the guard off");
	is($err, '', "[$label] and no script ends with an error");
}
# regclass arguments that are no table, names that are none, and null everywhere: an error of its own each, never a crash.
my $arguments = $node->safe_psql('postgres', q{
	SELECT string_agg(format('%s|%s', p.oid::regproc, array_to_string(p.proargtypes::regtype[], ',')), chr(10)) FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND p.proname <> 'stop_recorder'});
my @values = ('NULL', "''", "'x'", q{'''); DROP TABLE canary; --'}, q{E'\\\\'}, "repeat('x', 100000)", "'pg_class'", "'4294967295'", "'0'", "'-'", "'{}'", q{'{NULL}'}, "'()'", "'(,,,)'");
my $calls = 0;
my $start = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
for my $role ('low', 'owner', 'postgres')
{
	my @calls;
	for (split /\n/, $arguments)
	{
		my ($function, $types) = split /\|/, $_, -1;
		my @types = split /,/, $types;
		for my $value (@values)
		{
			push @calls, "SELECT count(*) FROM $function(" . join(', ', map { "$value\::$_" } @types) . ')';
		}
	}
	$calls += @calls;
	my ($out, $err) = run("SELECT left(public.attempt('$role', c), 5) AS s, count(*) FROM unnest(ARRAY[" . join(', ', map { "\$call\$$_\$call\$" } @calls) . "]) AS c GROUP BY 1");
	is($err, '', "$role: " . scalar(@calls) . ' calls with odd arguments');
	unlike($out, qr/^(XX|58)/m, "$role: none fails within") or diag($out);
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $start, "$calls calls, the server goes on");
is($node->safe_psql('postgres', 'SELECT touched FROM canary'), '0', 'the canary lives');
is($node->safe_psql('postgres', q{SELECT string_agg(rolname || rolsuper, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname IN ('low', 'owner', 'postgres')}), $roles, 'and nobody is more than before');

$node->stop;
done_testing();
