-- Who may do what, read from the catalog; and what an attacker may have put in the way of CREATE EXTENSION.
\set VERBOSITY default
\set SHOW_CONTEXT never

-- Every function, and what was decided about it: a new one must be put here, with its decision.
--   path: search_path pinned to pg_catalog, pg_temp; "none": C, called once a row, and nothing in it depends on it
--   rights: whose it runs with; public: whether PUBLIC may execute it (triggers, because CREATE TRIGGER asks for that, and the gate of
--   row-security policies); then volatility (i, s, v), parallel safety (s, r, u)
CREATE VIEW regress_functions AS
	SELECT p.oid, p.oid::regprocedure::text AS function, l.lanname AS language,
		CASE WHEN p.proconfig IS NULL THEN 'none' WHEN p.proconfig[1] = 'search_path=pg_catalog, pg_temp' THEN array_to_string(array_append(p.proconfig[2:], 'pinned'), ' ') ELSE 'BAD' END AS path,
		CASE WHEN p.prosecdef THEN 'owner' ELSE 'caller' END AS rights,
		CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'public' ELSE '' END AS public,
		p.provolatile::text || ' ' || p.proparallel::text || CASE WHEN p.proleakproof THEN ' LEAKPROOF' ELSE '' END AS kind
	FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace = 'moderation'::regnamespace;
\pset format unaligned
SELECT function, language, path, rights, public, kind FROM regress_functions ORDER BY function COLLATE "C";
\pset format aligned
-- SECURITY DEFINER without a pinned path, in another language than SQL, or leakproof: none.  Not pinned but C: none.
SELECT function FROM regress_functions WHERE (rights = 'owner' AND (path NOT LIKE '%pinned' OR language <> 'sql' OR public = 'public'))
	OR (path = 'none' AND language <> 'c') OR path = 'BAD' OR kind LIKE '%LEAKPROOF';
-- Nothing else that could run, or change how something runs.
SELECT count(*) FROM pg_operator WHERE oprnamespace = 'moderation'::regnamespace;
SELECT count(*) FROM pg_cast AS c JOIN pg_type AS t ON t.oid IN (c.castsource, c.casttarget) WHERE t.typnamespace = 'moderation'::regnamespace;
SELECT count(*) FROM pg_rules WHERE schemaname = 'moderation';
SELECT count(*) FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid WHERE c.relnamespace = 'moderation'::regnamespace;
SELECT t.tgrelid::regclass, t.tgname, t.tgenabled, t.tgfoid::regprocedure FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
	WHERE c.relnamespace = 'moderation'::regnamespace AND NOT t.tgisinternal ORDER BY t.tgrelid::regclass::text COLLATE "C", t.tgname;
-- CVE-2022-1552: no index, constraint or default of ours calls anything but pg_catalog's.
SELECT d.classid::regclass, d.objid, d.refobjid::regprocedure FROM pg_depend AS d
	JOIN pg_class AS c ON c.relnamespace = 'moderation'::regnamespace AND
		((d.classid = 'pg_class'::regclass AND d.objid = c.oid) OR
		(d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT k.oid FROM pg_constraint AS k WHERE k.conrelid = c.oid)) OR
		(d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT a.oid FROM pg_attrdef AS a WHERE a.adrelid = c.oid)))
	WHERE d.refclassid = 'pg_proc'::regclass;

-- Nothing in the schema is anybody's but its owner's, functions of PUBLIC and types excepted.
CREATE VIEW regress_acl AS
	SELECT o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END AS grantee, a.privilege_type, a.is_grantable
	FROM (
		SELECT 'schema' AS kind, n.nspname::text AS name, n.nspowner AS owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
			FROM pg_namespace AS n WHERE n.nspname = 'moderation'
		UNION ALL
		SELECT 'function', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
			FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace
		UNION ALL
		SELECT 'relation', c.oid::regclass::text, c.relowner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))
			FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c')
		UNION ALL
		SELECT 'column', c.oid::regclass || '.' || t.attname, c.relowner, t.attacl
			FROM pg_class AS c JOIN pg_attribute AS t ON t.attrelid = c.oid WHERE c.relnamespace = 'moderation'::regnamespace AND t.attacl IS NOT NULL
		UNION ALL
		SELECT 'type', t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
			FROM pg_type AS t WHERE t.typnamespace = 'moderation'::regnamespace AND t.typtype IN ('e', 'd', 'r')
	) AS o CROSS JOIN LATERAL aclexplode(o.acl) AS a WHERE a.grantee <> o.owner;
SELECT * FROM regress_acl ORDER BY kind, name COLLATE "C", grantee, privilege_type;
SELECT o.kind, o.name FROM (
		SELECT 'relation' AS kind, c.oid::regclass::text AS name, c.relowner AS owner FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace
		UNION ALL SELECT 'function', p.oid::regprocedure::text, p.proowner FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace
		UNION ALL SELECT 'type', t.oid::regtype::text, t.typowner FROM pg_type AS t WHERE t.typnamespace = 'moderation'::regnamespace
		UNION ALL SELECT 'event trigger', e.evtname, e.evtowner FROM pg_event_trigger AS e WHERE e.evtname LIKE 'moderation%'
	) AS o WHERE o.owner <> (SELECT extowner FROM pg_extension WHERE extname = 'moderation');
SELECT extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'moderation';
SELECT superuser, trusted, relocatable, schema FROM pg_available_extension_versions WHERE name = 'moderation' AND installed;
-- Everything belongs to the extension: only what the system makes for a table does not say so itself.
SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
	AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace
	AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');

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
-- What a careless script would use or adopt, in public and in the installer's path: operators, functions, types, casts, relations.
SET SESSION AUTHORIZATION regress_moderation_low;
CREATE SCHEMA regress_trap;
RESET SESSION AUTHORIZATION;
GRANT CREATE ON SCHEMA public TO regress_moderation_low;
SET SESSION AUTHORIZATION regress_moderation_low;
SET search_path = pg_catalog, pg_temp;
DO $trap$
DECLARE
	place text;
	pair text[];
	name text;
BEGIN
	FOREACH place IN ARRAY ARRAY['public', 'regress_trap', 'pg_temp'] LOOP
		EXECUTE format('CREATE FUNCTION %s.grab() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''grabbed''; END $$', place);
		FOREACH pair SLICE 1 IN ARRAY ARRAY[['name', 'text'], ['name', 'name'], ['text', 'text'], ['oid', 'oid'], ['oid', 'regclass'], ['bool', 'bool'], ['int4', 'int4'], ['"char"', '"char"'],
				['text', '_text'], ['name', '_text'], ['anyelement', 'anyelement'], ['anycompatible', 'anycompatible']] LOOP
			EXECUTE format('CREATE FUNCTION %1$s.grab(%2$s, %3$s) RETURNS boolean LANGUAGE sql AS $$ SELECT %1$s.grab() IS NULL $$', place, pair[1], pair[2]);
			FOREACH name IN ARRAY ARRAY['=', '<>', '<', '>', '||', '@>', '~~'] LOOP
				EXECUTE format('CREATE OPERATOR %1$s.%2$s (LEFTARG = %3$s, RIGHTARG = %4$s, PROCEDURE = %1$s.grab)', place, name, pair[1], pair[2]);
			END LOOP;
		END LOOP;
		FOREACH name IN ARRAY ARRAY['now()', 'current_setting(text)', 'getdatabaseencoding()', 'pg_extension_config_dump(regclass, text)', 'set_config(text, text, boolean)',
				'coalesce_(text)', 'format(text, text)', 'gen_random_uuid()', 'clock_timestamp()', 'verdict(text, text)', 'may_write(text)', 'load_builtin_policy(text)'] LOOP
			EXECUTE format('CREATE FUNCTION %1$s.%2$s RETURNS text LANGUAGE sql AS $$ SELECT %1$s.grab() $$', place, name);
		END LOOP;
		EXECUTE format('CREATE DOMAIN %1$s.action AS text CHECK (%1$s.grab() IS NULL)', place);
		EXECUTE format('CREATE DOMAIN %1$s.account_state AS text CHECK (%1$s.grab() IS NULL)', place);
		EXECUTE format('CREATE DOMAIN %1$s.text AS pg_catalog.text CHECK (%1$s.grab() IS NULL)', place);
		EXECUTE format('CREATE DOMAIN %1$s.name AS pg_catalog.name CHECK (%1$s.grab() IS NULL)', place);
		FOREACH name IN ARRAY ARRAY['pg_class', 'pg_proc', 'pg_namespace', 'pg_depend', 'pg_roles', 'policy', 'violation', 'account', 'guarded'] LOOP
			EXECUTE format('CREATE VIEW %1$s.%2$I AS SELECT %1$s.grab()', place, name);
		END LOOP;
	END LOOP;
END
$trap$;
RESET SESSION AUTHORIZATION;
SET search_path = pg_temp, regress_trap, public, pg_catalog;
CREATE EXTENSION moderation;
RESET search_path;
SELECT pg_catalog.count(*) FROM moderation.policy;
SELECT * FROM moderation.verify();
SET search_path = pg_temp, regress_trap, public, pg_catalog;
SELECT pg_catalog.count(*) FROM moderation.verify();
SELECT worker FROM moderation.status();
DROP EXTENSION moderation;
RESET search_path;
-- An ordinary role has no event trigger to be called by CREATE EXTENSION.
SET SESSION AUTHORIZATION regress_moderation_low;
CREATE FUNCTION public.grab_event() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'grabbed'; END $$;
DO $$ BEGIN CREATE EVENT TRIGGER grab ON ddl_command_end EXECUTE FUNCTION public.grab_event(); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'refused'; END $$;
RESET SESSION AUTHORIZATION;

-- What the installing role gives away, or withholds, by default.
\c regress_moderation_install
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, regress_moderation_low;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC, regress_moderation_low;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_moderation_low WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO regress_moderation_low;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO regress_moderation_low;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
CREATE EXTENSION moderation;
SELECT n.nspname AS kind, a.grantee::regrole AS name, a.privilege_type FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
	WHERE n.nspname = 'moderation' AND a.grantee <> n.nspowner
UNION ALL
SELECT c.oid::regclass::text, a.grantee::regrole, a.privilege_type FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
	WHERE c.relnamespace = 'moderation'::regnamespace AND a.grantee <> c.relowner
UNION ALL
SELECT p.oid::regprocedure::text, a.grantee::regrole, a.privilege_type FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
	WHERE p.pronamespace = 'moderation'::regnamespace AND a.grantee <> p.proowner
UNION ALL
SELECT t.oid::regtype::text, a.grantee::regrole, a.privilege_type FROM pg_type AS t CROSS JOIN LATERAL aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) AS a
	WHERE t.typnamespace = 'moderation'::regnamespace AND t.typtype = 'e' AND a.grantee <> t.typowner
ORDER BY 1, 2;
DROP EXTENSION moderation;
ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO regress_moderation_low;
DROP SCHEMA moderation;
DO $$ BEGIN CREATE EXTENSION moderation; EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'refused'; END $$;
ALTER DEFAULT PRIVILEGES REVOKE CREATE ON SCHEMAS FROM regress_moderation_low;

-- And again in the same session: nothing remembered from the first one is in the way.
CREATE EXTENSION moderation;
SELECT action FROM moderation.verdict('a text');
DROP EXTENSION moderation;
CREATE EXTENSION moderation;
SELECT action FROM moderation.verdict('a text');
\c :regression
DROP DATABASE regress_moderation_install;
DROP ROLE regress_moderation_low;
DROP VIEW regress_functions, regress_acl;
