# ALTER EXTENSION UPDATE from every earlier release, with default privileges that give everything away, and with objects that
# another role has put in its way (CVE-2022-2625): privileges are those of a fresh installation, and nothing is adopted or run.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('update');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
my $current = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'moderation'});
my @released = map { m{/([^/]+)\.sql$} } glob('t/released/*.sql');
ok(scalar(@released), 'there are earlier releases');

my $privileges = q{
	SELECT o.name, coalesce(a.grantee::regrole::text, ''), a.privilege_type, a.is_grantable FROM (
		SELECT 'schema' AS name, n.nspowner AS owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl FROM pg_namespace AS n WHERE n.nspname = 'moderation'
		UNION ALL SELECT p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace
		UNION ALL SELECT c.oid::regclass::text, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner)) FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'S')
		UNION ALL SELECT t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)) FROM pg_type AS t WHERE t.typnamespace = 'moderation'::regnamespace AND t.typtype IN ('e', 'd', 'r')
	) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS a ORDER BY 1, 2, 3};
my $functions = q{SELECT p.oid::regprocedure, p.prosecdef, p.proconfig, p.proleakproof FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace ORDER BY p.oid::regprocedure::text};
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION moderation');
my ($expected, $configured) = map { $node->safe_psql('fresh', $_) } $privileges, $functions;
$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN');

for my $version (@released)
{
	my $database = "from_$version";
	$node->safe_psql('postgres', qq{CREATE DATABASE "$database"; GRANT CREATE ON DATABASE "$database" TO mallory});
	$node->safe_psql($database, "GRANT ALL ON SCHEMA public TO mallory; CREATE EXTENSION moderation VERSION '$version'");
	# The names of what an update may create, and of what it uses, wherever Mallory may create.
	my $new = $node->safe_psql('fresh', q{SELECT string_agg(quote_ident(relname), ',') FROM pg_class WHERE relnamespace = 'moderation'::regnamespace AND relkind IN ('r', 'v')});
	my $calls = $node->safe_psql('fresh', q{SELECT string_agg(DISTINCT quote_ident(proname), ',') FROM pg_proc WHERE pronamespace = 'moderation'::regnamespace});
	my $script = join "\n", 'CREATE SCHEMA trap; SET search_path = pg_catalog;',
		'CREATE TABLE public.canary ();',
		q{CREATE FUNCTION public.grab() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'grabbed'; END $$;},
		q{CREATE FUNCTION public.grab(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.grab() IS NULL $$;},
		q{CREATE FUNCTION public.grab(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT public.grab() IS NULL $$;},
		q{CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, PROCEDURE = public.grab); CREATE OPERATOR public.|| (LEFTARG = text, RIGHTARG = text, PROCEDURE = public.grab);},
		(map { my $schema = $_; map { "CREATE VIEW $schema.$_ AS SELECT public.grab();" } split(/,/, $new), 'pg_proc', 'pg_class', 'pg_type' } 'public', 'trap'),
		(map { my $schema = $_; map { "CREATE FUNCTION $schema.$_() RETURNS text LANGUAGE sql AS 'SELECT public.grab()';" } split(/,/, $calls), 'format', 'string_agg' } 'public', 'trap');
	my ($code, $out, $err) = $node->psql($database, $script, extra_params => [ '-U', 'mallory' ]);
	is($err, '', "$version: Mallory's traps are set");
	for my $what ('CREATE TABLE moderation.mine ()', q{CREATE FUNCTION moderation.new() RETURNS int LANGUAGE sql AS 'SELECT 1'}, 'ALTER EXTENSION moderation UPDATE',
		q{ALTER DATABASE "} . $database . q{" SET moderation_script.known = 'x'})
	{
		($code, $out, $err) = $node->psql($database, $what, extra_params => [ '-U', 'mallory' ]);
		like($err, qr/permission denied|must be owner/, "$version: and nothing can be set where it counts: $what");
	}
	($code, $out, $err) = $node->psql($database, qq{
		ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, mallory;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO mallory WITH GRANT OPTION;
		ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO mallory;
		ALTER DEFAULT PRIVILEGES IN SCHEMA moderation GRANT ALL ON TABLES TO mallory;
		SET search_path = trap, public, pg_catalog;
		ALTER EXTENSION moderation UPDATE TO '$current'});
	is($code, 0, "$version: updated") or diag($err);
	is($node->safe_psql($database, $privileges), $expected, "$version: privileges are those of a fresh installation");
	is($node->safe_psql($database, $functions), $configured, "$version: and so is what functions run with");
	is($node->safe_psql($database, 'SELECT * FROM moderation.verify()'), '', "$version: nothing is wrong");
}
$node->stop;
done_testing();
