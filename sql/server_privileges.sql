-- Who may do what, read from the catalog; and what an attacker may have put in the way of CREATE EXTENSION.
\set VERBOSITY default
\set SHOW_CONTEXT never

-- Functions that do not pin search_path: C, called once a row, and nothing in them depends on it.
SELECT p.oid::regprocedure FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
	ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
-- Functions that PUBLIC may execute: the triggers, because CREATE TRIGGER asks for it, and the gate of row-security policies.
SELECT p.oid::regprocedure FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
	ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
-- Functions that run with the owner's rights.
SELECT p.oid::regprocedure FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND p.prosecdef ORDER BY p.proname COLLATE "C", p.oid::regprocedure::text COLLATE "C";
-- Functions that claim to leak nothing: none.
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace AND p.proleakproof;

-- Nothing in the schema is anybody's but its owner's.
SELECT has_schema_privilege('public', 'moderation', 'USAGE') AS usage, has_schema_privilege('public', 'moderation', 'CREATE') AS create;
SELECT c.oid::regclass, a.privilege_type FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
	WHERE c.relnamespace = 'moderation'::regnamespace AND a.grantee <> c.relowner;
SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relowner <> (SELECT extowner FROM pg_extension WHERE extname = 'moderation');
-- Everything belongs to the extension: only what the system makes for a table does not say so itself.
SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
	AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

-- Every object says what it is for.
SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
	AND obj_description(c.oid, 'pg_class') IS NULL;
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT t.oid::regtype FROM pg_type AS t WHERE t.typnamespace = 'moderation'::regnamespace AND t.typtype = 'e' AND obj_description(t.oid, 'pg_type') IS NULL;
SELECT e.evtname FROM pg_event_trigger AS e JOIN pg_proc AS p ON p.oid = e.evtfoid
	WHERE p.pronamespace = 'moderation'::regnamespace AND obj_description(e.oid, 'pg_event_trigger') IS NULL;

-- No ordinary role can change a setting; not even before the library is loaded.
SELECT action FROM moderation.verdict('a text');
SELECT count(*) > 2 AS some FROM pg_settings WHERE name LIKE 'moderation.%';
SELECT name, context FROM pg_settings WHERE name LIKE 'moderation.%' AND context NOT IN ('superuser', 'sighup', 'postmaster');
CREATE ROLE regress_moderation_low;
SELECT moderation.grant_duty('regress_moderation_low', 'application');
\c -
SET SESSION AUTHORIZATION regress_moderation_low;
SET moderation.mode = 'restore';
SELECT flagged FROM moderation.verdict('a text');
SHOW moderation.mode;
SET moderation.mode = 'restore';
SET moderation.moderate_replica = off;
SET moderation.no_such_setting = 1;
RESET SESSION AUTHORIZATION;
SELECT moderation.revoke_duty('regress_moderation_low', 'application');

-- What was there before CREATE EXTENSION: a schema of somebody else's, of everybody's, or with something in it.
SELECT current_database() AS regression \gset
CREATE DATABASE regress_moderation_install TEMPLATE template0;
GRANT CREATE ON DATABASE regress_moderation_install TO regress_moderation_low;
\c regress_moderation_install
SET SESSION AUTHORIZATION regress_moderation_low;
CREATE EXTENSION moderation;
CREATE SCHEMA moderation;
CREATE TABLE moderation.policy (policy text);
CREATE FUNCTION moderation.verdict(content text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
RESET SESSION AUTHORIZATION;
CREATE EXTENSION moderation;
ALTER SCHEMA moderation OWNER TO CURRENT_USER;
DO $$ BEGIN CREATE EXTENSION moderation; EXCEPTION WHEN duplicate_object THEN RAISE NOTICE 'refused: not empty'; END $$;
DROP TABLE moderation.policy;
CREATE EXTENSION moderation;
DROP FUNCTION moderation.verdict(text);
GRANT CREATE ON SCHEMA moderation TO PUBLIC;
CREATE EXTENSION moderation;
REVOKE CREATE ON SCHEMA moderation FROM PUBLIC;
-- An operator that a careless script would use.
CREATE FUNCTION public.grab(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'grabbed'; END $$;
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, PROCEDURE = public.grab);
CREATE EXTENSION moderation;
SELECT count(*) FROM moderation.policy;
SELECT * FROM moderation.verify();
-- And again in the same session: nothing remembered from the first one is in the way.
SELECT action FROM moderation.verdict('a text');
DROP EXTENSION moderation;
CREATE EXTENSION moderation;
SELECT action FROM moderation.verdict('a text');
\c :regression
DROP DATABASE regress_moderation_install;
DROP ROLE regress_moderation_low;
