# The scripts of the extension, installation and updates, have no finding by the rules of pgspot; each rule has a sample that has one,
# and nothing else (t/pgspot/pgspot.pl, on PostgreSQL's own parser).  CVE-2018-1058, CVE-2020-14350, CVE-2022-2625, CVE-2023-39417.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $parser = "$dir/parse";
if (system("cc -o $parser t/pgspot/parse.c -lpg_query >$dir/cc 2>&1") != 0)
{
	# A machine of one's own may lack the library; where everything must be tested it may not.
	plan skip_all => 'libpg_query is not installed (.ci/packages does it on Debian)' unless $ENV{CI};
	ok(0, 'libpg_query is installed') or diag(slurp_file("$dir/cc"));
	done_testing();
	exit;
}

sub findings
{
	my ($file) = @_;
	my $out = `perl t/pgspot/pgspot.pl $parser $file 2>&1`;
	return $? ? "failed: $out" : $out;
}

chomp(my $share = `pg_config --sharedir`);
my @scripts = grep { !/lacking/ && !/--0\.1\.0\.sql$/ } glob("$share/extension/moderation--*.sql");
cmp_ok(scalar(@scripts), '>=', 2, 'there are scripts');
is(findings($_), '', s{.*/}{}r . ' has no finding') for @scripts;

my $pin = "SET LOCAL search_path = pg_catalog, pg_temp;\n";
my $head = "CREATE FUNCTION m.f(a int) RETURNS int LANGUAGE";
my $path = 'SET search_path = pg_catalog, pg_temp';
my @samples = (
	[ PS001 => 'SELECT 1 + 1;' ],
	[ PS001 => "$head sql $path AS 'SELECT 1 OPERATOR(public.+) a';" ],
	[ PS001 => "DO 'BEGIN IF 1 = 1 THEN NULL; END IF; END';" ],
	[ PS001 => 'SELECT a.x FROM m.a ORDER BY a.x USING <;' ],
	[ PS001 => 'ALTER TABLE m.a ADD CHECK (x > 1);' ],
	[ PS001 => 'SELECT 1 WHERE 1 IN (SELECT a.x FROM m.a WHERE a.x = ANY (SELECT 2));' ],
	[ PS002 => "CREATE OR REPLACE FUNCTION m.f() RETURNS int LANGUAGE sql $path AS 'SELECT 1';" ],
	[ PS003 => "CREATE FUNCTION m.f() RETURNS int LANGUAGE c SECURITY DEFINER AS 'a', 'b';" ],
	[ PS004 => "CREATE FUNCTION m.f() RETURNS int LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, public AS 'a', 'b';" ],
	[ PS004 => "CREATE FUNCTION m.f() RETURNS int LANGUAGE c SECURITY DEFINER SET search_path = pg_temp, pg_catalog AS 'a', 'b';" ],
	[ PS005 => "CREATE FUNCTION m.f() RETURNS int LANGUAGE sql AS 'SELECT 1';" ],
	[ PS006 => 'CREATE OR REPLACE TRANSFORM FOR m.t LANGUAGE sql (FROM SQL WITH FUNCTION m.f(internal));' ],
	[ PS007 => 'CREATE OR REPLACE TRIGGER t BEFORE INSERT ON m.a EXECUTE FUNCTION m.f();' ],
	[ PS007 => 'CREATE OR REPLACE RULE r AS ON INSERT TO m.a DO NOTHING;' ],
	[ PS009 => 'SELECT CASE 1 WHEN 2 THEN 3 END;' ],
	[ PS010 => 'CREATE SCHEMA IF NOT EXISTS m;' ],
	[ PS011 => 'CREATE SEQUENCE IF NOT EXISTS m.s;' ],
	[ PS012 => 'CREATE TABLE IF NOT EXISTS m.a ();' ],
	[ PS013 => 'CREATE SERVER IF NOT EXISTS s FOREIGN DATA WRAPPER w;' ],
	[ PS014 => 'CREATE INDEX IF NOT EXISTS i ON m.a (x);' ],
	[ PS015 => 'CREATE OR REPLACE VIEW m.v AS SELECT 1;' ],
	[ PS016 => 'SELECT now();' ],
	[ PS016 => "$head plpgsql SET search_path = public AS 'BEGIN PERFORM g(); RETURN 1; END';" ],
	[ PS016 => 'CREATE TRIGGER t BEFORE INSERT ON m.a EXECUTE FUNCTION f();' ],
	[ PS016 => "CREATE FUNCTION m.f(a int DEFAULT g()) RETURNS int LANGUAGE sql $path AS 'SELECT 1';" ],
	[ PS016 => 'CREATE TABLE m.a (x timestamptz DEFAULT now());' ],
	[ PS017 => 'CREATE TABLE a ();' ],
	[ PS017 => "$pin SELECT * FROM a;" ],
	[ PS017 => "$head sql $path AS 'SELECT 1 FROM violation';" ],
	[ PS017 => "$head plpgsql $path AS 'BEGIN INSERT INTO violation VALUES (1); RETURN 1; END';" ],
	[ PS017 => "$head plpgsql $path AS 'BEGIN FOR a IN SELECT x.y FROM x LOOP NULL; END LOOP; RETURN 1; END';" ],
	[ PS017 => "CREATE FUNCTION f() RETURNS int LANGUAGE sql $path AS 'SELECT 1';" ],
	[ PS018 => "SET LOCAL search_path = 'pg_catalog, pg_temp';" ],
	[ PS018 => "CREATE FUNCTION m.f() RETURNS int LANGUAGE sql SET search_path = 'pg_catalog, pg_temp' AS 'SELECT 1';" ],
	[ PS018 => 'SET search_path = pg_catalog, pg_temp;' ]);
for (@samples)
{
	my ($rule, $sql) = @$_;
	open my $out, '>', "$dir/sample.sql" or die;
	print $out $sql;
	close $out;
	my %rules = map { /^(PS\d+)/ ? ($1 => 1) : () } split /\n/, findings("$dir/sample.sql");
	is(join(' ', sort keys %rules), $rule, "$rule: $sql" =~ s/\n/ /gr);
}
# And what is well made has none: a body that is pinned, a query that names itself, tables of the system.
open my $out, '>', "$dir/sample.sql" or die;
print $out "CREATE FUNCTION m.f(a int) RETURNS int LANGUAGE sql $path AS 'WITH RECURSIVE w AS (SELECT a UNION ALL SELECT w.a + 1 FROM w) SELECT count(*)::int FROM w, pg_class';\n",
	"SELECT pg_catalog.now() OPERATOR(pg_catalog.>) pg_catalog.now();\n$pin SELECT now() > now(), CASE 1 WHEN 2 THEN 3 END FROM pg_class;\nDO 'BEGIN PERFORM now(); END';\n";
close $out;
is(findings("$dir/sample.sql"), '', 'what is well made has no finding');
done_testing();
