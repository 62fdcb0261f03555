\echo Use "CREATE EXTENSION moderation" to load this file. \quit

-- The installation script of release 0.1.0, as it was, with a small policy in the place of the built-in one.  .ci/test installs it
-- beside the current one, so that tests can say CREATE EXTENSION moderation VERSION '0.1.0' and update from there.

-- src/server/types.sql
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

-- src/store/tables.sql
-- Policies, by version.  The live version of a policy is its highest one in state 'active'; there is never another truth.
CREATE TABLE moderation.policy (
	policy text COLLATE "C" NOT NULL,
	policy_version int NOT NULL CHECK (policy_version > 0),
	state text NOT NULL CHECK (state IN ('active', 'retired')),
	builtin boolean NOT NULL,
	description text,
	document text NOT NULL,
	document_sha256 bytea NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	loaded_by name NOT NULL,
	PRIMARY KEY (policy, policy_version)
);
REVOKE ALL ON TABLE moderation.policy FROM PUBLIC;
COMMENT ON TABLE moderation.policy IS 'policy documents by version, written by moderation.load_policy(); live is the highest active version';
COMMENT ON COLUMN moderation.policy.policy IS 'the policy''s name';
COMMENT ON COLUMN moderation.policy.policy_version IS 'counts from 1 for each policy';
COMMENT ON COLUMN moderation.policy.state IS 'active or retired';
COMMENT ON COLUMN moderation.policy.builtin IS 'came with the extension: not dumped, made anew by CREATE EXTENSION';
COMMENT ON COLUMN moderation.policy.description IS 'what the document says of itself';
COMMENT ON COLUMN moderation.policy.document IS 'the document as it was loaded';
COMMENT ON COLUMN moderation.policy.document_sha256 IS 'SHA-256 of the document in UTF-8';
COMMENT ON COLUMN moderation.policy.loaded_at IS 'when it was loaded';
COMMENT ON COLUMN moderation.policy.loaded_by IS 'the role that loaded it';

-- The compiled form.  It fits only the library versions it was made with, so it is not dumped: whoever misses it
-- compiles the document.  EXTERNAL: reading it is then a copy, without decompression.
CREATE TABLE moderation.policy_image (
	policy text COLLATE "C" NOT NULL,
	policy_version int NOT NULL,
	document_sha256 bytea NOT NULL,
	image bytea NOT NULL,
	PRIMARY KEY (policy, policy_version)
);
ALTER TABLE moderation.policy_image ALTER COLUMN image SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE moderation.policy_image FROM PUBLIC;
COMMENT ON TABLE moderation.policy_image IS 'live policies in compiled form; remade by moderation.compile_policies()';
COMMENT ON COLUMN moderation.policy_image.policy IS 'the policy''s name';
COMMENT ON COLUMN moderation.policy_image.policy_version IS 'its version';
COMMENT ON COLUMN moderation.policy_image.document_sha256 IS 'SHA-256 of the document it was compiled from';
COMMENT ON COLUMN moderation.policy_image.image IS 'the compiled form';

SELECT pg_catalog.pg_extension_config_dump('moderation.policy', 'WHERE NOT builtin');

-- src/account/tables.sql
-- Where accounts stand.  An account that was never refused anything has no row here.
--
-- src/account/account_row.h names the first columns by number: a later version only appends.
CREATE TABLE moderation.account (
	account text PRIMARY KEY CHECK (octet_length(account) <= 1024),
	state moderation.account_state NOT NULL DEFAULT 'active',
	strikes int NOT NULL DEFAULT 0,
	streak int NOT NULL DEFAULT 0,
	reason text,
	since timestamptz NOT NULL DEFAULT clock_timestamp(),
	until timestamptz,
	counts_from timestamptz,
	clean_from timestamptz,
	CHECK (until IS NULL OR state IN ('warned', 'frozen'))
) WITH (fillfactor = 70);

-- The gate's index: in byte order, which no upgrade of the operating system's locales can change.
CREATE UNIQUE INDEX account_gate ON moderation.account (account COLLATE "C");

COMMENT ON TABLE moderation.account IS
	'where accounts stand, as recorded; moderation.account_status says what the clock has left of it';
COMMENT ON COLUMN moderation.account.state IS
	'as recorded: a warning or freeze whose "until" has passed has ended all the same';
COMMENT ON COLUMN moderation.account.strikes IS
	'refused contents that counted, since the account was last reinstated';
COMMENT ON COLUMN moderation.account.streak IS
	'refused contents in a row, since the last clean content, freeze or suspension';
COMMENT ON COLUMN moderation.account.reason IS 'of the last change, shown to the account';
COMMENT ON COLUMN moderation.account.counts_from IS
	'when the last freeze was imposed: strikes from before do not lead to another one';
COMMENT ON COLUMN moderation.account.clean_from IS
	'when the account was last reinstated: strikes and freezes from before are forgotten';
COMMENT ON INDEX moderation.account_gate IS
	'through which the gate looks accounts up; in byte order, whatever the collation';

-- Every change of state, and every decision of a moderator's.
CREATE TABLE moderation.account_event (
	account text NOT NULL,
	event_id uuid NOT NULL DEFAULT gen_random_uuid(),
	occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	from_state moderation.account_state NOT NULL,
	to_state moderation.account_state NOT NULL,
	until timestamptz,
	reason text,
	actor text NOT NULL,
	login text,
	automatic boolean NOT NULL DEFAULT false,
	category text,
	violation_id uuid,
	PRIMARY KEY (account, event_id)
);
CREATE INDEX account_event_time ON moderation.account_event (account COLLATE "C", occurred_at);

COMMENT ON TABLE moderation.account_event IS 'every change of an account''s state: who or what made it, and why';
COMMENT ON COLUMN moderation.account_event.actor IS 'the role that called, or "moderation" for the ladder';
COMMENT ON COLUMN moderation.account_event.login IS
	'the role that had logged in, which SET ROLE does not change; null for the ladder';
COMMENT ON COLUMN moderation.account_event.automatic IS
	'made by the ladder; only such freezes make the next one longer';
COMMENT ON COLUMN moderation.account_event.violation_id IS 'the violation that led to it, in moderation.violation';

-- The name of a lock, and nothing else: src/account/account_gate.c.
CREATE TABLE moderation.freeze_gate ();
COMMENT ON TABLE moderation.freeze_gate IS
	'always empty: the lock that puts commits of writers and of freezes in order';

REVOKE ALL ON moderation.account, moderation.account_event, moderation.freeze_gate FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('moderation.account', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.account_event', '');

-- src/recorder/tables.sql
-- What was refused or flagged, and the content that must be preserved.
--
-- Every key begins with the account; no foreign keys, no triggers, no sequences, so that the worker that writes here runs
-- nobody's code, can wait for nobody's row, and the tables can be distributed by account.
-- account is NULL where content was moderated that nobody answers for.

CREATE TABLE moderation.violation (
	violation_id uuid NOT NULL,
	account text,
	category text,
	severity int NOT NULL,
	action moderation.action NOT NULL,
	score real NOT NULL,
	policy text,
	policy_version int NOT NULL,
	rules text[] NOT NULL,
	relation text,
	column_name text,
	content_sha256 bytea NOT NULL,
	occurred_at timestamptz NOT NULL,
	db_role text,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	strike boolean NOT NULL DEFAULT false,
	suspend boolean NOT NULL DEFAULT false,
	counted boolean NOT NULL DEFAULT false,
	source text NOT NULL DEFAULT 'guard',
	CONSTRAINT violation_key UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
CREATE INDEX violation_account_occurred ON moderation.violation (account, occurred_at);
CREATE INDEX violation_uncounted ON moderation.violation (account, occurred_at) WHERE strike AND NOT counted;
-- There is no primary key, for account may be NULL; a publication FOR ALL TABLES must not stop updates of "counted".
ALTER TABLE moderation.violation REPLICA IDENTITY FULL;
REVOKE ALL ON moderation.violation FROM PUBLIC;
COMMENT ON TABLE moderation.violation IS 'every content that was refused, diverted, redacted or flagged';
COMMENT ON COLUMN moderation.violation.account IS 'who answers for the content; NULL: moderated, not counted';
COMMENT ON COLUMN moderation.violation.rules IS 'the rules that fired, surest first, at most 16';
COMMENT ON COLUMN moderation.violation.occurred_at IS 'when the statement ran';
COMMENT ON COLUMN moderation.violation.recorded_at IS 'when this row was written';
COMMENT ON COLUMN moderation.violation.db_role IS 'the role that ran the statement';
COMMENT ON COLUMN moderation.violation.strike IS 'counts against the account';
COMMENT ON COLUMN moderation.violation.suspend IS 'suspends the account at once';
COMMENT ON COLUMN moderation.violation.counted IS 'the ladder has counted it';
COMMENT ON COLUMN moderation.violation.source IS 'what found it: guard, or a scan of stored rows';

CREATE TABLE moderation.evidence (
	violation_id uuid NOT NULL,
	account text,
	content text NOT NULL,
	content_sha256 bytea NOT NULL,
	db_role text,
	relation text,
	column_name text,
	occurred_at timestamptz NOT NULL,
	preserved_until timestamptz,
	CONSTRAINT evidence_key UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
ALTER TABLE moderation.evidence REPLICA IDENTITY FULL;
REVOKE ALL ON moderation.evidence FROM PUBLIC;
COMMENT ON TABLE moderation.evidence IS 'content preserved for the categories whose evidence is content';
COMMENT ON COLUMN moderation.evidence.preserved_until IS 'NULL: for as long as nobody decides otherwise';

SELECT pg_catalog.pg_extension_config_dump('moderation.violation', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.evidence', '');

-- Without a worker every refusal goes to the spool, which is slower and not in the tables until there is one.
DO $$
BEGIN
	IF pg_catalog.current_setting('max_worker_processes')::int OPERATOR(pg_catalog.<) 4 THEN
		RAISE WARNING 'max_worker_processes leaves little room for the recorder of violations'
			USING HINT = 'Each database with the extension needs one worker: ALTER SYSTEM SET max_worker_processes = 8;';
	END IF;
END
$$;

-- src/guard/tables.sql
-- The guarded tables.  Written by moderation.guard() and moderation.unguard() alone; the triggers obey what stands here.
-- regclass: a dump carries names, a rename is followed, and pg_upgrade keeps it.
CREATE TABLE moderation.guarded (
	relation regclass PRIMARY KEY,
	content_columns name[] NOT NULL,
	account_column name NOT NULL,
	policy text,
	action moderation.action,
	row_security boolean NOT NULL,
	enabled_on regclass[] NOT NULL DEFAULT '{}',
	forced_on regclass[] NOT NULL DEFAULT '{}',
	guarded_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	guarded_by name NOT NULL
);
REVOKE ALL ON TABLE moderation.guarded FROM PUBLIC;
COMMENT ON TABLE moderation.guarded IS 'the guarded tables, written by moderation.guard() and moderation.unguard()';
COMMENT ON COLUMN moderation.guarded.relation IS 'the table; its partitions are guarded with it';
COMMENT ON COLUMN moderation.guarded.content_columns IS 'columns that are classified';
COMMENT ON COLUMN moderation.guarded.account_column IS 'column that names the account answerable for the row';
COMMENT ON COLUMN moderation.guarded.policy IS 'policy by name; NULL: the built-in one';
COMMENT ON COLUMN moderation.guarded.action IS 'the most that may be done; NULL: whatever the policy says';
COMMENT ON COLUMN moderation.guarded.row_security IS 'whether a row-security policy keeps frozen accounts out, too';
COMMENT ON COLUMN moderation.guarded.enabled_on IS 'relations whose row security was off before, and will be again';
COMMENT ON COLUMN moderation.guarded.forced_on IS 'relations whose row security was not forced before, and will not be again';
COMMENT ON COLUMN moderation.guarded.guarded_at IS 'when it was last changed';
COMMENT ON COLUMN moderation.guarded.guarded_by IS 'the role that did it';

-- Rows that were diverted instead of stored.  They live and die with the transaction that tried to store them.
CREATE TABLE moderation.quarantine (
	account text,
	violation_id uuid NOT NULL,
	relation text NOT NULL,
	row_data jsonb NOT NULL,
	operation text NOT NULL CHECK (operation IN ('INSERT', 'UPDATE')),
	occurred_at timestamptz NOT NULL,
	UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
REVOKE ALL ON TABLE moderation.quarantine FROM PUBLIC;
COMMENT ON TABLE moderation.quarantine IS 'rows diverted by action quarantine, waiting for review';
COMMENT ON COLUMN moderation.quarantine.account IS 'who is answerable; NULL when the row named nobody';
COMMENT ON COLUMN moderation.quarantine.violation_id IS 'the violation of the row''s gravest content';
COMMENT ON COLUMN moderation.quarantine.relation IS 'the guarded table';
COMMENT ON COLUMN moderation.quarantine.row_data IS 'the row as it would have been stored, all columns';
COMMENT ON COLUMN moderation.quarantine.operation IS 'INSERT or UPDATE; an updated row stayed as it was';
COMMENT ON COLUMN moderation.quarantine.occurred_at IS 'when it was diverted';

-- A table that is gone without its event trigger having run would be dumped as a bare number.
SELECT pg_catalog.pg_extension_config_dump('moderation.guarded',
	'WHERE relation::oid OPERATOR(pg_catalog.=) ANY (SELECT c.oid FROM pg_catalog.pg_class AS c)');
SELECT pg_catalog.pg_extension_config_dump('moderation.quarantine', '');

-- src/surface/tables.sql
-- Who has which duty: so that taking one away leaves what another one gives.
CREATE TABLE moderation.duty (
	role regrole NOT NULL,
	duty text NOT NULL CHECK (duty IN ('administrator', 'reviewer', 'auditor', 'application')),
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	granted_by name NOT NULL DEFAULT current_user,
	PRIMARY KEY (role, duty)
);
REVOKE ALL ON TABLE moderation.duty FROM PUBLIC;
COMMENT ON TABLE moderation.duty IS 'who has which duty, written by moderation.grant_duty() and moderation.revoke_duty()';
COMMENT ON COLUMN moderation.duty.role IS 'the role';
COMMENT ON COLUMN moderation.duty.duty IS 'administrator, reviewer, auditor or application';
COMMENT ON COLUMN moderation.duty.granted_at IS 'since when';
COMMENT ON COLUMN moderation.duty.granted_by IS 'by whom';

SELECT pg_catalog.pg_extension_config_dump('moderation.duty',
	'WHERE role::oid OPERATOR(pg_catalog.=) ANY (SELECT r.oid FROM pg_catalog.pg_roles AS r)');

-- src/store/functions.sql
-- Policies: loading, compiling, listing.
CREATE FUNCTION moderation.load_policy(document text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_load_policy';
REVOKE ALL ON FUNCTION moderation.load_policy(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.load_policy(text) IS 'load a policy document as the new live version, and return its number; refused as a whole (MD010) if anything is wrong';

CREATE FUNCTION moderation.load_builtin_policy(document text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_load_builtin_policy';
REVOKE ALL ON FUNCTION moderation.load_builtin_policy(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.load_builtin_policy(text) IS 'for the scripts of the extension: load the policy that comes with it';

CREATE FUNCTION moderation.compile_policies() RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_compile_policies';
REVOKE ALL ON FUNCTION moderation.compile_policies() FROM PUBLIC;
COMMENT ON FUNCTION moderation.compile_policies() IS 'compile live policies whose compiled form is missing or made by other library versions: after a restore or an upgrade; returns how many';

-- A trigger of moderation.policy only.
CREATE FUNCTION moderation.announce_policy() RETURNS trigger
	LANGUAGE C VOLATILE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_announce_policy';
REVOKE ALL ON FUNCTION moderation.announce_policy() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_policy() IS 'tells every session, through the relation cache, to look for the live versions again';

CREATE FUNCTION moderation.policy_fits(policy text) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_policy_fits';
REVOKE ALL ON FUNCTION moderation.policy_fits(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_fits(text) IS 'whether the stored compiled form of the live version can be used on this server; NULL without a live version';

CREATE FUNCTION moderation.policy_categories(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT category text, OUT clause_en text, OUT clause_zh text,
	OUT flag_at real, OUT act_at real, OUT actions moderation.action[], OUT strike boolean, OUT suspend_from int, OUT evidence text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_categories';
REVOKE ALL ON FUNCTION moderation.policy_categories(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_categories(text, int) IS 'the categories of a policy version; without a version, of the live one';

CREATE FUNCTION moderation.policy_rules(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT rule text, OUT category text, OUT language text,
	OUT weight real, OUT severity int, OUT note text, OUT terms int, OUT patterns int, OUT hits int, OUT misses int)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 500
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_rules';
REVOKE ALL ON FUNCTION moderation.policy_rules(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_rules(text, int) IS 'the rules of a policy version; without a version, of the live one';

-- src/account/functions.sql
-- Status by hand.  Each acts in the caller's transaction and writes one row of moderation.account_event, with the
-- role that called.  They are not SECURITY DEFINER: in C they learn who calls, and act as the extension's owner only
-- on our own tables.

CREATE FUNCTION moderation.freeze(account text, reason text, until timestamptz DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_freeze_account';
REVOKE ALL ON FUNCTION moderation.freeze(text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION moderation.freeze(text, text, timestamptz) IS
	'freezes an account until then, or for good; a freeze may be made longer this way, not shorter';

CREATE FUNCTION moderation.suspend(account text, reason text) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_suspend_account';
REVOKE ALL ON FUNCTION moderation.suspend(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.suspend(text, text) IS 'suspends an account, until it is reinstated';

CREATE FUNCTION moderation.reinstate(account text, reason text) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_reinstate_account';
REVOKE ALL ON FUNCTION moderation.reinstate(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.reinstate(text, text) IS
	'makes an account active again; its strikes and earlier freezes are forgotten';

-- Looks at the latest committed state, whatever the transaction's snapshot: VOLATILE, and fit for a row-security
-- policy.  It is C, depends on no search_path, and is called once a row: it has no SET clause, which would cost a
-- microsecond each time.
CREATE FUNCTION moderation.may_write(account text) RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL SAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'moderation_may_write';
COMMENT ON FUNCTION moderation.may_write(text) IS
	'true unless the account is frozen or suspended at this moment; true for null';

-- A trigger of moderation.account only.
CREATE FUNCTION moderation.announce_status() RETURNS trigger
	LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_announce_status';
REVOKE ALL ON FUNCTION moderation.announce_status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_status() IS
	'tells writers, through the relation cache, to look at account states again';

-- src/recorder/functions.sql
-- A way to make the worker leave.  How the recorder fares is shown by moderation.recorder_status().

CREATE FUNCTION moderation.stop_recorder() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'moderation_stop_recorder';
REVOKE ALL ON FUNCTION moderation.stop_recorder() FROM PUBLIC;
COMMENT ON FUNCTION moderation.stop_recorder() IS 'asks the worker to leave once nothing is queued, e.g. after a new library was installed; true if one was running';

-- src/guard/functions.sql
-- The triggers.  search_path is not pinned: they are called for each row, and nothing in them depends on it.  PUBLIC may execute
-- them because CREATE TRIGGER asks for that; anywhere but on a guarded table they only raise an error.
CREATE FUNCTION moderation.scan_row() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_scan_row' LANGUAGE C; -- no search_path: see above
COMMENT ON FUNCTION moderation.scan_row() IS 'trigger of a guarded table, before the row is stored: gate, verdict, action';

CREATE FUNCTION moderation.verify_row() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_verify_row' LANGUAGE C; -- no search_path: see above
COMMENT ON FUNCTION moderation.verify_row() IS 'trigger of a guarded table, after the row is stored: what is stored was scanned, and is recorded';

-- Not for PUBLIC: whoever can guard a table of his own and write any account into it could have others frozen.
CREATE FUNCTION moderation.guard(relation regclass, content name[], account name, policy text DEFAULT NULL,
	action moderation.action DEFAULT NULL, row_security boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'moderation_guard_table' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean) FROM PUBLIC;
COMMENT ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean) IS
	'puts the guard on a table, or changes it; action is the most that may be done';

CREATE FUNCTION moderation.unguard(relation regclass) RETURNS void
	AS 'MODULE_PATHNAME', 'moderation_unguard_table' LANGUAGE C STRICT
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.unguard(regclass) FROM PUBLIC;
COMMENT ON FUNCTION moderation.unguard(regclass) IS 'takes the guard off a table, leaving it as it was found';

CREATE FUNCTION moderation.follow_drop() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_follow_drop' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.follow_drop() FROM PUBLIC;
COMMENT ON FUNCTION moderation.follow_drop() IS 'event trigger: forgets guarded tables and columns that are dropped';

CREATE FUNCTION moderation.follow_rename() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_follow_rename' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.follow_rename() FROM PUBLIC;
COMMENT ON FUNCTION moderation.follow_rename() IS 'event trigger: keeps the registration of columns that are renamed';

CREATE FUNCTION moderation.announce_guards() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_announce_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.announce_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_guards() IS 'trigger of moderation.guarded: has every backend read it anew';
CREATE TRIGGER announce_guards AFTER INSERT OR UPDATE OR DELETE ON moderation.guarded
	FOR EACH STATEMENT EXECUTE FUNCTION moderation.announce_guards();
ALTER TABLE moderation.guarded ENABLE ALWAYS TRIGGER announce_guards;

CREATE EVENT TRIGGER moderation_follow_drop ON sql_drop EXECUTE FUNCTION moderation.follow_drop();
COMMENT ON EVENT TRIGGER moderation_follow_drop IS 'forgets guarded tables and columns that are dropped';
ALTER EVENT TRIGGER moderation_follow_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER moderation_follow_rename ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW')
	EXECUTE FUNCTION moderation.follow_rename();
COMMENT ON EVENT TRIGGER moderation_follow_rename IS 'keeps the registration of guarded columns that are renamed';
ALTER EVENT TRIGGER moderation_follow_rename ENABLE ALWAYS;

CREATE FUNCTION moderation.note_guards() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_note_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.note_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.note_guards() IS 'event trigger: looks at the guards before a command may weaken one';

CREATE FUNCTION moderation.keep_guards() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_keep_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.keep_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.keep_guards() IS 'event trigger: refuses a command that weakened a guard, and looks after new partitions';

CREATE EVENT TRIGGER moderation_note_guards ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'DROP TRIGGER', 'ALTER POLICY', 'DROP POLICY')
	EXECUTE FUNCTION moderation.note_guards();
COMMENT ON EVENT TRIGGER moderation_note_guards IS 'looks at the guards before a command may weaken one';
ALTER EVENT TRIGGER moderation_note_guards ENABLE ALWAYS;
CREATE EVENT TRIGGER moderation_keep_guards ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TRIGGER', 'ALTER TRIGGER', 'DROP TRIGGER', 'ALTER POLICY', 'DROP POLICY',
		'CREATE TABLE', 'CREATE FOREIGN TABLE')
	EXECUTE FUNCTION moderation.keep_guards();
COMMENT ON EVENT TRIGGER moderation_keep_guards IS 'refuses a command that weakened a guard, and looks after new partitions';
ALTER EVENT TRIGGER moderation_keep_guards ENABLE ALWAYS;

-- A row for everything that is wrong with a guard, by the relation that it concerns (0: none).
-- jit is off: compiling the query takes a hundred times as long as running it.
CREATE FUNCTION moderation.guard_problems() RETURNS TABLE (relation oid, object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
WITH RECURSIVE
-- Every relation that must have the triggers: the guarded ones and their partitions.  pg_partition_tree() would lock them, and
-- commands on two tables, such as those of a parallel restore, would wait for each other.
tree (root, part) AS (
	SELECT g.relation, g.relation FROM moderation.guarded AS g
	UNION ALL
	SELECT t.root, i.inhrelid::regclass FROM tree AS t
		JOIN pg_inherits AS i ON i.inhparent = t.part AND NOT i.inhdetachpending
		JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
),
guarded AS (
	SELECT g.*, t.part
	FROM moderation.guarded AS g
	JOIN pg_class AS c ON c.oid = g.relation
	JOIN tree AS t ON t.root = g.relation
),
wanted (name, function, type) AS (VALUES		-- row, before, insert, update; row, insert, update
	('zzz_moderation_scan', 'moderation.scan_row()'::regprocedure, 1 + 2 + 4 + 16),
	('zzz_moderation_verify', 'moderation.verify_row()'::regprocedure, 1 + 4 + 16)
),
command AS (
	SELECT g.relation, format('SELECT moderation.guard(%L, %L, %L%s%s%s);', g.relation, g.content_columns, g.account_column,
		', policy => ' || quote_literal(g.policy), ', action => ' || quote_literal(g.action),
		CASE WHEN g.row_security THEN ', row_security => true' END) AS repair
	FROM moderation.guarded AS g
)
SELECT g.relation::oid, 'guard on ' || g.relation::oid, 'the table is gone',
	'DELETE FROM moderation.guarded WHERE relation = ' || g.relation::oid || ';'
FROM moderation.guarded AS g WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.relation)
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, format('trigger %I is %s', w.name,
		CASE WHEN t.oid IS NULL THEN 'missing' WHEN t.tgfoid <> w.function THEN 'another''s'
			WHEN t.tgenabled <> 'A' THEN 'not enabled always' ELSE 'not as it was made' END),
	CASE WHEN t.tgfoid <> w.function THEN format('DROP TRIGGER %I ON %s; ', w.name, g.part) ELSE '' END || c.repair
FROM guarded AS g
JOIN command AS c ON c.relation = g.relation
CROSS JOIN wanted AS w
LEFT JOIN pg_trigger AS t ON t.tgrelid = g.part AND t.tgname = w.name
WHERE t.oid IS NULL OR t.tgfoid <> w.function OR t.tgenabled <> 'A' OR t.tgtype <> w.type OR t.tgqual IS NOT NULL
	OR array_length(t.tgattr::int2[], 1) > 0
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('column %I is missing', n.name),
	'SELECT moderation.guard(...), naming the columns that the table has now'
FROM moderation.guarded AS g CROSS JOIN LATERAL unnest(g.content_columns || g.account_column) AS n (name)
WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.relation)
	AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = g.relation AND a.attname = n.name AND NOT a.attisdropped)
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, 'no column is content', 'SELECT moderation.guard(...), naming the columns that the table has now'
FROM moderation.guarded AS g WHERE g.content_columns = '{}'
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('policy %L is not loaded', g.policy),
	'SELECT moderation.load_policy(...), or guard the table with another policy'
FROM moderation.guarded AS g
WHERE g.policy IS NOT NULL AND NOT EXISTS (SELECT FROM moderation.policy AS p WHERE p.policy = g.policy AND p.state = 'active')
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, 'row security is not what was asked for', c.repair
FROM guarded AS g
JOIN command AS c ON c.relation = g.relation
JOIN pg_class AS r ON r.oid = g.part
WHERE g.row_security AND r.relkind <> 'f'
	AND NOT (r.relrowsecurity AND r.relforcerowsecurity
		AND EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = g.part AND p.polname = 'moderation_write' AND NOT p.polpermissive
			AND p.polcmd = '*' AND p.polroles = '{0}'
			-- (true) and (account IS NULL OR moderation.may_write(...)); pg_get_expr() would lock the table, see above.
			AND CASE WHEN p.polqual::text LIKE '{CONST :consttype 16 %' THEN pg_get_expr(p.polqual, 0) = 'true' END
			AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = p.polrelid AND a.attname = g.account_column
				AND p.polwithcheck::text LIKE format('{BOOLEXPR :boolop or :args ({NULLTEST :arg {VAR :varno 1 :varattno %s %%} :nulltesttype 0 %%} {FUNCEXPR :funcid %s %%',
					a.attnum, 'moderation.may_write(text)'::regprocedure::oid))))
UNION ALL
SELECT i.inhparent, 'guard on ' || i.inhparent::regclass::text, format('%s inherits from it and is not guarded', i.inhrelid::regclass),
	format('ALTER TABLE %s NO INHERIT %s;', i.inhrelid::regclass, i.inhparent::regclass)
FROM pg_inherits AS i JOIN guarded AS g ON g.part = i.inhparent JOIN pg_class AS c ON c.oid = i.inhparent WHERE c.relkind <> 'p'
UNION ALL
SELECT 0, 'role ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, 'may set moderation.mode, and so store content unclassified',
	format('REVOKE SET ON PARAMETER moderation.mode FROM %s;', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_parameter_acl AS p CROSS JOIN LATERAL aclexplode(p.paracl) AS a
WHERE p.parname = 'moderation.mode' AND a.privilege_type = 'SET'
	AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper)
$$;
REVOKE ALL ON FUNCTION moderation.guard_problems() FROM PUBLIC;
COMMENT ON FUNCTION moderation.guard_problems() IS 'what is wrong with the guards, by relation';

CREATE FUNCTION moderation.verify_guards() RETURNS TABLE (object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT g.object, g.problem, g.hint FROM moderation.guard_problems() AS g
UNION ALL
-- As a restore of this table alone leaves it.  That is no command's fault, so keep_guards() does not look at it.
SELECT 'table ' || t.tgrelid::regclass::text, 'it has triggers of the guard and is not guarded, so that nothing can be written to it',
	format('SELECT moderation.guard(%L, ...), naming its columns; or %s', t.tgrelid::regclass,
		string_agg(format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass), ' ' ORDER BY t.tgname))
FROM pg_trigger AS t
WHERE t.tgfoid IN ('moderation.scan_row()'::regprocedure, 'moderation.verify_row()'::regprocedure) AND t.tgparentid = 0
	AND NOT EXISTS (SELECT FROM moderation.guarded AS g
		WHERE g.relation = t.tgrelid OR g.relation IN (SELECT a.relid FROM pg_partition_ancestors(t.tgrelid) AS a))
GROUP BY t.tgrelid
$$;
REVOKE ALL ON FUNCTION moderation.verify_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.verify_guards() IS 'a row for everything that is wrong with a guard; none when all is well';

-- src/surface/functions.sql
-- Asking what a policy makes of a content.  These run once for each row of a query, and nothing in them depends on search_path,
-- so none is pinned: setting and restoring it would cost more than the rest of the call.

-- No pinned search_path: see above.
CREATE FUNCTION moderation.classify(content text, policy text DEFAULT NULL,
	OUT category text, OUT score real, OUT severity int, OUT action moderation.action, OUT flagged boolean, OUT clause text,
	OUT unknown text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 20 COST 1000
	AS 'MODULE_PATHNAME', 'moderation_classify';
REVOKE ALL ON FUNCTION moderation.classify(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.classify(text, text) IS 'what a policy says of a content: a row for every category';

-- No pinned search_path: see above.
CREATE FUNCTION moderation.verdict(content text, policy text DEFAULT NULL,
	OUT flagged boolean, OUT action moderation.action, OUT category text, OUT severity int, OUT score real, OUT policy text,
	OUT policy_version int, OUT unknown text)
	RETURNS record
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'moderation_verdict';
REVOKE ALL ON FUNCTION moderation.verdict(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.verdict(text, text) IS 'what a policy says of a content: the gravest of its categories';

-- No pinned search_path: see above.
CREATE FUNCTION moderation.explain(content text, policy text DEFAULT NULL,
	OUT category text, OUT rule text, OUT score real, OUT start int, OUT length int, OUT matched text, OUT view text, OUT context text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 COST 1000
	AS 'MODULE_PATHNAME', 'moderation_explain';
REVOKE ALL ON FUNCTION moderation.explain(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.explain(text, text) IS 'which rules spoke, and about what: a row for every finding; start counts from 1, in characters';

-- No pinned search_path: see above.
CREATE FUNCTION moderation.normalize(content text) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE STRICT COST 100
	AS 'MODULE_PATHNAME', 'moderation_normalize';
REVOKE ALL ON FUNCTION moderation.normalize(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.normalize(text) IS 'a content as rules see it: case, accents, width, look-alikes and white space folded';

-- No pinned search_path: see above.
CREATE FUNCTION moderation.redact(content text, policy text DEFAULT NULL, mask text DEFAULT '█') RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'moderation_redact';
REVOKE ALL ON FUNCTION moderation.redact(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.redact(text, text, text) IS 'a content with the spans of findings at or above redact masked, character by character';

-- How this database is set up.
CREATE FUNCTION moderation.library_versions(OUT pcre2 text, OUT icu text, OUT libyaml text, OUT fold_version bigint)
	RETURNS record
	LANGUAGE C STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_read_libraries';
REVOKE ALL ON FUNCTION moderation.library_versions() FROM PUBLIC;
COMMENT ON FUNCTION moderation.library_versions() IS 'the libraries that classify, as loaded by this session, and the version of the fold';

CREATE FUNCTION moderation.recorder_status(OUT worker text, OUT worker_pid int, OUT queued bigint, OUT spooled_files bigint,
	OUT spooled_bytes bigint, OUT recorded bigint, OUT fallbacks bigint, OUT registration_failures bigint, OUT timeouts bigint,
	OUT degraded boolean, OUT uncounted bigint, OUT oldest_uncounted timestamptz)
	RETURNS record
	LANGUAGE C VOLATILE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_read_recorder';
REVOKE ALL ON FUNCTION moderation.recorder_status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.recorder_status() IS 'how the recorder of this database fares; counters count since the server started';

CREATE FUNCTION moderation.status(OUT extension_version text, OUT mode text, OUT policy text, OUT policy_version int,
	OUT policies int, OUT guarded int, OUT recording text, OUT worker text, OUT queued bigint, OUT spooled_files bigint,
	OUT recorded bigint, OUT fallbacks bigint, OUT uncounted bigint, OUT pcre2 text, OUT icu text,
	OUT libyaml text, OUT fold_version bigint, OUT warnings text[])
	RETURNS record
	LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
WITH live AS (
	SELECT p.policy, max(p.policy_version) AS policy_version FROM moderation.policy AS p WHERE p.state = 'active' GROUP BY p.policy
),
misfit AS (
	SELECT string_agg(l.policy, ', ' ORDER BY l.policy) AS policies FROM live AS l WHERE NOT moderation.policy_fits(l.policy)
),
extension AS (
	SELECT e.extversion, a.default_version FROM pg_extension AS e LEFT JOIN pg_available_extensions AS a ON a.name = e.extname
	WHERE e.extname = 'moderation'
)
SELECT e.extversion, current_setting('moderation.mode'), l.policy, l.policy_version,
	(SELECT count(*) FROM live)::int, (SELECT count(*) FROM moderation.guarded)::int,
	CASE WHEN pg_is_in_recovery() THEN 'nothing is stored or refused here: this is a standby'
		WHEN current_setting('fsync')::boolean THEN 'on disk before the refusal is reported, by background worker or spool'
		ELSE 'by background worker or spool, but fsync is off' END,
	r.worker, r.queued, r.spooled_files, r.recorded, r.fallbacks, r.uncounted, v.pcre2, v.icu, v.libyaml, v.fold_version,
	array_remove(ARRAY[
		CASE WHEN current_setting('moderation.mode') <> 'enforce' THEN
			format('moderation.mode is %s in this session: content is stored as it is', current_setting('moderation.mode')) END,
		CASE WHEN l.policy IS NULL THEN
			'policy "terms-of-service" has no live version: guards that name no policy refuse everything; load one with moderation.load_policy()' END,
		CASE WHEN m.policies IS NOT NULL THEN
			format('no compiled form fits this server for %s, so that each session compiles for itself: SELECT moderation.compile_policies();', m.policies) END,
		CASE WHEN NOT EXISTS (SELECT FROM moderation.guarded) THEN 'no table is guarded: SELECT moderation.guard(...);' END,
		CASE WHEN current_setting('max_worker_processes')::int - current_setting('max_logical_replication_workers')::int < 2 THEN
			format('max_worker_processes is %s, of which logical replication can keep %s: refusals go to the spool while no worker can be had; raise it',
				current_setting('max_worker_processes'), current_setting('max_logical_replication_workers')) END,
		CASE WHEN r.worker = 'unavailable' THEN 'the recorder has no shared memory: refusals go to the spool; restart the server' END,
		CASE WHEN r.registration_failures > 0 THEN
			format('%s times no background worker could be started for the recorder: raise max_worker_processes', r.registration_failures) END,
		CASE WHEN r.degraded THEN 'the recorder''s worker does not answer in time: is a table of moderation locked, or the disk full?' END,
		CASE WHEN r.spooled_files > 0 THEN format('%s files of violations wait in the spool for the worker', r.spooled_files) END,
		CASE WHEN r.oldest_uncounted < now() - interval '1 minute' THEN
			format('%s strikes wait to be counted, the oldest since %s', r.uncounted, r.oldest_uncounted) END,
		CASE WHEN NOT current_setting('fsync')::boolean THEN 'fsync is off: a crash can lose violations, and everything else' END,
		CASE WHEN e.extversion <> e.default_version THEN
			format('version %s of the extension is installed on this server: ALTER EXTENSION moderation UPDATE;', e.default_version) END
	], NULL)
FROM extension AS e
	LEFT JOIN live AS l ON l.policy = 'terms-of-service'
	CROSS JOIN misfit AS m
	CROSS JOIN moderation.recorder_status() AS r
	CROSS JOIN moderation.library_versions() AS v
$$;
REVOKE ALL ON FUNCTION moderation.status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.status() IS 'one row on how this database is set up, with warnings';

CREATE FUNCTION moderation.verify() RETURNS TABLE (object text, problem text, hint text)
	LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
SELECT g.object, g.problem, g.hint FROM moderation.verify_guards() AS g
UNION ALL
-- Policies: what is live must be what was loaded.
SELECT 'policy terms-of-service', 'it has no live version', 'SELECT moderation.load_policy(...)'
WHERE NOT EXISTS (SELECT FROM moderation.policy AS p WHERE p.policy = 'terms-of-service' AND p.state = 'active')
UNION ALL
SELECT format('policy %s version %s', p.policy, p.policy_version), 'the document is not the one that was loaded',
	'restore it from a backup, or load a correct one with moderation.load_policy()'
FROM moderation.policy AS p WHERE p.document_sha256 <> sha256(convert_to(p.document, getdatabaseencoding()))
UNION ALL
SELECT 'table ' || t.tgrelid::regclass::text, format('trigger %I is disabled', t.tgname),
	format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I;', t.tgrelid::regclass, t.tgname)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'moderation'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A'
UNION ALL
SELECT 'event trigger ' || e.evtname, CASE e.evtenabled WHEN 'D' THEN 'it is disabled' ELSE 'it is not enabled always' END,
	format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', e.evtname)
FROM pg_event_trigger AS e JOIN pg_proc AS f ON f.oid = e.evtfoid
WHERE f.pronamespace = 'moderation'::regnamespace AND e.evtenabled <> 'A'
UNION ALL
-- Statuses: each must be what its history ended with.
SELECT 'account ' || a.account, 'it is ' || a.state || ', but its history is empty',
	'somebody has written to moderation.account: SELECT moderation.reinstate(account, reason), or freeze or suspend it again'
FROM moderation.account AS a
WHERE a.state <> 'active' AND NOT EXISTS (SELECT FROM moderation.account_event AS e WHERE e.account = a.account)
UNION ALL
SELECT 'account ' || a.account, format('it is %s, but its history ends with %s', a.state, e.to_state),
	'somebody has written to moderation.account or moderation.account_event: SELECT moderation.reinstate(account, reason), or freeze or suspend it again'
FROM moderation.account AS a
	CROSS JOIN LATERAL (SELECT e.to_state FROM moderation.account_event AS e WHERE e.account = a.account
		ORDER BY e.occurred_at DESC LIMIT 1) AS e
WHERE e.to_state <> a.state
UNION ALL
SELECT 'account ' || a.account, 'its number of strikes is negative', 'SELECT moderation.reinstate(account, reason)'
FROM moderation.account AS a WHERE a.strikes < 0 OR a.streak < 0
UNION ALL
-- Evidence: each must be the content that was refused.
SELECT 'evidence of violation ' || e.violation_id, 'its content does not have the hash that was recorded with it',
	'compare it with a backup, and find out who could write to moderation.evidence'
FROM moderation.evidence AS e WHERE e.content_sha256 <> sha256(convert_to(e.content, getdatabaseencoding()))
UNION ALL
SELECT 'evidence of violation ' || e.violation_id, CASE WHEN v.violation_id IS NULL THEN 'its violation is gone' ELSE 'its violation has another hash' END,
	'compare moderation.violation with a backup'
FROM moderation.evidence AS e
	LEFT JOIN moderation.violation AS v ON v.violation_id = e.violation_id AND v.account IS NOT DISTINCT FROM e.account
WHERE v.violation_id IS NULL OR v.content_sha256 <> e.content_sha256
UNION ALL
SELECT 'violation ' || v.violation_id, 'its hash is not a SHA-256', 'compare moderation.violation with a backup'
FROM moderation.violation AS v WHERE octet_length(v.content_sha256) <> 32
UNION ALL
-- Rights.
SELECT 'schema moderation', format('role %s may create objects in it', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END),
	format('REVOKE CREATE ON SCHEMA moderation FROM %s;', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
WHERE n.nspname = 'moderation' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
UNION ALL
SELECT format('table %s', c.oid::regclass), format('role %s may %s it', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, lower(a.privilege_type)),
	format('REVOKE %s ON %s FROM %s;', a.privilege_type, c.oid::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.relnamespace = 'moderation'::regnamespace AND a.privilege_type <> 'SELECT' AND a.grantee <> c.relowner
UNION ALL
SELECT format('duty %s of role %s', d.duty, d.role::oid), 'the role is gone', format('DELETE FROM moderation.duty WHERE role = %s;', d.role::oid)
FROM moderation.duty AS d WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = d.role)
$$;
REVOKE ALL ON FUNCTION moderation.verify() FROM PUBLIC;
COMMENT ON FUNCTION moderation.verify() IS 'a row for every problem in guards, policies, statuses, evidence and rights; none when all is well';

-- Duties: what a role must be able to do, as GRANTs.
CREATE FUNCTION moderation.duty_privileges(duty text) RETURNS SETOF text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp
AS $$
SELECT p.privilege FROM (VALUES
	('administrator reviewer auditor application', 'USAGE ON SCHEMA moderation'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.classify(text, text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.verdict(text, text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.normalize(text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.redact(text, text, text)'),
	-- It says which words were found, and so, asked often enough, what the rules are.
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.explain(text, text)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_categories(text, int)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_rules(text, int)'),
	('administrator reviewer auditor', 'SELECT ON moderation.category'),
	('administrator reviewer auditor', 'SELECT ON moderation.rule'),
	('administrator reviewer auditor', 'SELECT ON moderation.violation'),
	('administrator reviewer auditor', 'SELECT ON moderation.account_status'),
	('administrator reviewer auditor', 'SELECT ON moderation.account_event'),
	('administrator reviewer auditor', 'SELECT ON moderation.quarantine'),
	('administrator reviewer auditor', 'SELECT ON moderation.guarded'),
	('administrator auditor', 'SELECT ON moderation.policy'),
	('administrator auditor', 'SELECT ON moderation.duty'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.status()'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.verify()'),
	('auditor', 'SELECT ON moderation.evidence'),
	('administrator reviewer', 'EXECUTE ON FUNCTION moderation.freeze(text, text, timestamptz)'),
	('administrator reviewer', 'EXECUTE ON FUNCTION moderation.reinstate(text, text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.suspend(text, text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.load_policy(text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.compile_policies()'),
	('administrator', 'EXECUTE ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.unguard(regclass)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.stop_recorder()')
) AS p (duties, privilege)
WHERE duty_privileges.duty = ANY (string_to_array(p.duties, ' '))
$$;
REVOKE ALL ON FUNCTION moderation.duty_privileges(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.duty_privileges(text) IS 'what a duty (administrator, reviewer, auditor, application) may do';

-- Not SECURITY DEFINER: the caller must own what is granted, or be a superuser.
CREATE FUNCTION moderation.grant_duty(role regrole, duty text) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	grantee name := (SELECT r.rolname FROM pg_roles AS r WHERE r.oid = grant_duty.role);
	privilege text;
BEGIN
	IF grantee IS NULL OR NOT EXISTS (SELECT FROM moderation.duty_privileges(grant_duty.duty)) THEN
		RAISE EXCEPTION 'there is no such role or duty'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Duties are administrator, reviewer, auditor and application.';
	END IF;
	FOR privilege IN SELECT moderation.duty_privileges(grant_duty.duty) LOOP
		EXECUTE format('GRANT %s TO %I', privilege, grantee);
	END LOOP;
	INSERT INTO moderation.duty (role, duty) VALUES (grant_duty.role, grant_duty.duty) ON CONFLICT DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION moderation.grant_duty(regrole, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.grant_duty(regrole, text) IS 'gives a role a duty: administrator, reviewer, auditor or application';

CREATE FUNCTION moderation.revoke_duty(role regrole, duty text) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	grantee name := (SELECT r.rolname FROM pg_roles AS r WHERE r.oid = revoke_duty.role);
	privilege text;
BEGIN
	IF grantee IS NULL OR NOT EXISTS (SELECT FROM moderation.duty_privileges(revoke_duty.duty)) THEN
		RAISE EXCEPTION 'there is no such role or duty'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Duties are administrator, reviewer, auditor and application.';
	END IF;
	DELETE FROM moderation.duty AS d WHERE d.role = revoke_duty.role AND d.duty = revoke_duty.duty;
	FOR privilege IN
		SELECT moderation.duty_privileges(revoke_duty.duty)
		EXCEPT
		SELECT kept.privilege FROM moderation.duty AS d CROSS JOIN LATERAL moderation.duty_privileges(d.duty) AS kept (privilege)
		WHERE d.role = revoke_duty.role
	LOOP
		EXECUTE format('REVOKE %s FROM %I', privilege, grantee);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION moderation.revoke_duty(regrole, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.revoke_duty(regrole, text) IS 'takes a duty from a role; what another of its duties gives, it keeps';

-- src/store/views.sql
-- Live policies, readable as rows.
CREATE VIEW moderation.category AS
	SELECT c.policy, c.policy_version, c.category, c.clause_en, c.clause_zh, c.flag_at, c.act_at, c.actions, c.strike,
		c.suspend_from, c.evidence
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_categories(live.policy, live.policy_version) AS c;
REVOKE ALL ON TABLE moderation.category FROM PUBLIC;
COMMENT ON VIEW moderation.category IS 'categories of every live policy: clause, thresholds and what follows';
COMMENT ON COLUMN moderation.category.policy IS 'the policy';
COMMENT ON COLUMN moderation.category.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.category.category IS 'the category''s key';
COMMENT ON COLUMN moderation.category.clause_en IS 'the clause, in English';
COMMENT ON COLUMN moderation.category.clause_zh IS 'the clause, in Chinese';
COMMENT ON COLUMN moderation.category.flag_at IS 'score from which content is flagged';
COMMENT ON COLUMN moderation.category.act_at IS 'score from which the action of its severity is taken';
COMMENT ON COLUMN moderation.category.actions IS 'actions for severity 0, 1, 2, 3; the array''s first element is severity 0';
COMMENT ON COLUMN moderation.category.strike IS 'whether refused content counts against the account';
COMMENT ON COLUMN moderation.category.suspend_from IS 'severity from which the account is suspended at once; NULL: never';
COMMENT ON COLUMN moderation.category.evidence IS 'what is kept of refused content: its hash, or the content';

CREATE VIEW moderation.rule AS
	SELECT r.policy, r.policy_version, r.rule, r.category, r.language, r.weight, r.severity, r.note, r.terms, r.patterns,
		r.hits, r.misses
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_rules(live.policy, live.policy_version) AS r;
REVOKE ALL ON TABLE moderation.rule FROM PUBLIC;
COMMENT ON VIEW moderation.rule IS 'rules of every live policy; what they look for is in the document';
COMMENT ON COLUMN moderation.rule.policy IS 'the policy';
COMMENT ON COLUMN moderation.rule.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.rule.rule IS 'the rule''s id';
COMMENT ON COLUMN moderation.rule.category IS 'the category it speaks for';
COMMENT ON COLUMN moderation.rule.language IS 'BCP 47, or any';
COMMENT ON COLUMN moderation.rule.weight IS 'score of one finding';
COMMENT ON COLUMN moderation.rule.severity IS '0 mention, 1 mild, 2 clear, 3 gravest';
COMMENT ON COLUMN moderation.rule.note IS 'what it is for';
COMMENT ON COLUMN moderation.rule.terms IS 'number of terms, word lists spelled out';
COMMENT ON COLUMN moderation.rule.patterns IS 'number of patterns';
COMMENT ON COLUMN moderation.rule.hits IS 'number of examples it must find';
COMMENT ON COLUMN moderation.rule.misses IS 'number of examples it must not find';

CREATE TRIGGER announce_policy AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON moderation.policy
	FOR EACH STATEMENT EXECUTE FUNCTION moderation.announce_policy();
ALTER TABLE moderation.policy ENABLE ALWAYS TRIGGER announce_policy;

-- src/account/views.sql
-- Where accounts stand now.  The clock that ends a warning or freeze is that of the statement: it goes on within a
-- transaction, and stands still within a statement, so that conditions on the view use the table's indexes.
-- may_write() has a clock that never stands.
CREATE VIEW moderation.account_status AS
	SELECT a.account,
		CASE WHEN a.state <> 'suspended' AND a.until <= statement_timestamp() THEN 'active' ELSE a.state END AS state,
		a.strikes, a.reason, a.since, a.until
	FROM moderation.account AS a;
REVOKE ALL ON moderation.account_status FROM PUBLIC;
COMMENT ON VIEW moderation.account_status IS
	'where accounts stand now: a row for each that ever left "active"; since, until, reason are of the last change';

-- Whoever restricts an account, by whatever way, makes open transactions look again: see src/account/account_gate.c.
CREATE TRIGGER announce_status AFTER INSERT OR UPDATE ON moderation.account
	FOR EACH ROW WHEN (NEW.state IN ('frozen', 'suspended')) EXECUTE FUNCTION moderation.announce_status();
ALTER TABLE moderation.account ENABLE ALWAYS TRIGGER announce_status;

-- In the place of the built-in policy.
SELECT moderation.load_builtin_policy($policy$
policy: terms-of-service
description: Stands in for the policy of release 0.1.0.
limits:
  bytes: 16777216
  on_unknown: reject
views: [leet, joined, squeezed]
ladder:
  in_a_row: 3
  within: {count: 5, period: 1 day}
  freezes: [24 hours, 7 days, forever]
  memory: 90 days
categories:
  - id: hate
    clause: {en: A made-up word, zh: hate}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, reject, reject]
    strike: true
    suspend: never
    evidence: hash
---
category: hate
rules:
  - id: hate.word.en
    language: en
    weight: 0.9
    severity: 2
    note: The word zorbold.
    terms: [zorbold]
    hits: ["a zorbold here"]
    misses: ["nothing here"]
$policy$);
