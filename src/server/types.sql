-- Types, and what must hold before anything is created.
--
-- Everything below is written with its schema, and nothing is looked up anywhere but in pg_catalog.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The schema may be there already (a dump creates it before the extension), but then it must be a superuser's or the installing
-- role's, nobody else may create in it, and it must be empty: otherwise another role could own or foreshadow what follows.
DO $$
DECLARE
	found pg_catalog.pg_namespace;
	object text;
BEGIN
	-- The built-in policy, and what it looks for, is written in many scripts.
	IF pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.<>) ALL (ARRAY['UTF8'::name, 'SQL_ASCII'::name]) THEN
		RAISE EXCEPTION 'encoding % cannot express the built-in policy', pg_catalog.getdatabaseencoding()
			USING ERRCODE = 'feature_not_supported', HINT = 'Use a database with encoding UTF8.';
	END IF;

	SELECT * INTO STRICT found FROM pg_catalog.pg_namespace AS n WHERE n.nspname OPERATOR(pg_catalog.=) 'moderation'::name;

	IF found.nspowner OPERATOR(pg_catalog.<>) current_user::regrole::oid
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid OPERATOR(pg_catalog.=) found.nspowner AND r.rolsuper)
	THEN
		RAISE EXCEPTION 'schema "moderation" belongs to role "%"', pg_catalog.pg_get_userbyid(found.nspowner)
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'Drop or rename that schema, or take it over: ALTER SCHEMA moderation OWNER TO CURRENT_USER;';
	END IF;

	IF EXISTS (SELECT FROM pg_catalog.aclexplode(found.nspacl) AS a
				WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE' AND a.grantee OPERATOR(pg_catalog.<>) found.nspowner)
	THEN
		RAISE EXCEPTION 'other roles may create objects in schema "moderation"'
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'REVOKE CREATE ON SCHEMA moderation from whoever has it, as \dn+ shows.';
	END IF;

	SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO object
		FROM pg_catalog.pg_depend AS d
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::regclass::oid
			AND d.refobjid OPERATOR(pg_catalog.=) found.oid
			AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::regclass::oid
		LIMIT 1;
	IF object IS NOT NULL THEN
		RAISE EXCEPTION 'schema "moderation" is not empty: it has %', object
			USING ERRCODE = 'duplicate_object',
				HINT = 'Move what is in it elsewhere, or drop it; the extension must be alone there.';
	END IF;
END
$$;

REVOKE ALL ON SCHEMA moderation FROM PUBLIC;
COMMENT ON SCHEMA moderation IS 'moderation: content is classified, violations are recorded, accounts are frozen';

CREATE TYPE moderation.action AS ENUM ('allow', 'flag', 'redact', 'quarantine', 'reject');
COMMENT ON TYPE moderation.action IS 'what happens to a content, in rising order; allow < flag < redact < quarantine < reject';

CREATE TYPE moderation.account_state AS ENUM ('active', 'warned', 'frozen', 'suspended');
COMMENT ON TYPE moderation.account_state IS 'where an account stands; frozen may have an end, suspended has none';
