-- Policies: loading, compiling, listing.
CREATE OR REPLACE FUNCTION moderation.load_policy(document text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_load_policy';
REVOKE ALL ON FUNCTION moderation.load_policy(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.load_policy(text) IS 'load a policy document as the new live version, and return its number; refused as a whole (MD010) if anything is wrong';

CREATE OR REPLACE FUNCTION moderation.activate(policy text, policy_version int) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_activate_policy';
REVOKE ALL ON FUNCTION moderation.activate(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.activate(text, int) IS 'make a version of a policy the live one, a draft or an earlier one; the one that was live is retired';

CREATE OR REPLACE FUNCTION moderation.load_builtin_policy(document text) RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_load_builtin_policy';
REVOKE ALL ON FUNCTION moderation.load_builtin_policy(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.load_builtin_policy(text) IS 'for the scripts of the extension: load the policy that comes with it';

CREATE OR REPLACE FUNCTION moderation.compile_policies() RETURNS int
	LANGUAGE C VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_compile_policies';
REVOKE ALL ON FUNCTION moderation.compile_policies() FROM PUBLIC;
COMMENT ON FUNCTION moderation.compile_policies() IS 'compile live policies whose compiled form is missing or made by other library versions: after a restore or an upgrade; returns how many';

-- A trigger of moderation.policy only.
CREATE OR REPLACE FUNCTION moderation.announce_policy() RETURNS trigger
	LANGUAGE C VOLATILE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_announce_policy';
REVOKE ALL ON FUNCTION moderation.announce_policy() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_policy() IS 'tells every session, through the relation cache, to look for the live versions again';

CREATE OR REPLACE FUNCTION moderation.policy_fits(policy text) RETURNS boolean
	LANGUAGE C STABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_policy_fits';
REVOKE ALL ON FUNCTION moderation.policy_fits(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_fits(text) IS 'whether the stored compiled form of the live version can be used on this server; NULL without a live version';

CREATE OR REPLACE FUNCTION moderation.policy_categories(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT category text, OUT clause_en text, OUT clause_zh text,
	OUT flag_at real, OUT act_at real, OUT actions moderation.action[], OUT strike boolean, OUT suspend_from int, OUT evidence text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 20
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_categories';
REVOKE ALL ON FUNCTION moderation.policy_categories(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_categories(text, int) IS 'the categories of a policy version; without a version, of the live one';

CREATE OR REPLACE FUNCTION moderation.policy_rules(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT rule text, OUT category text, OUT language text,
	OUT weight real, OUT severity int, OUT note text, OUT terms int, OUT patterns int, OUT hits int, OUT misses int)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 500
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_rules';
REVOKE ALL ON FUNCTION moderation.policy_rules(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_rules(text, int) IS 'the rules of a policy version; without a version, of the live one';

CREATE OR REPLACE FUNCTION moderation.policy_languages(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT category text, OUT language text, OUT rules int, OUT clear_rules int,
	OUT words int, OUT patterns int, OUT hits int, OUT misses int, OUT last_change timestamptz)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 9000 ROWS 300
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_languages';
REVOKE ALL ON FUNCTION moderation.policy_languages(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_languages(text, int) IS 'what a policy version has for each category and language; without a version, the live one';

CREATE OR REPLACE FUNCTION moderation.policy_risks(policy text DEFAULT NULL, policy_version int DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT standard text, OUT risk text, OUT clause_en text, OUT clause_zh text,
	OUT rules int, OUT words int, OUT required int, OUT met boolean, OUT last_change timestamptz, OUT renewed boolean)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE COST 9000 ROWS 50
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_list_risks';
REVOKE ALL ON FUNCTION moderation.policy_risks(text, int) FROM PUBLIC;
COMMENT ON FUNCTION moderation.policy_risks(text, int) IS 'how many words a policy version has against each risk of the standards that it names; without a version, the live one';

-- No pinned search_path: the query is the caller's own, runs with the caller's rights, and means what it means to the caller.
CREATE OR REPLACE FUNCTION moderation.learn(query text, policy text DEFAULT NULL,
	OUT policy text, OUT policy_version int, OUT category text, OUT learned boolean, OUT decisions bigint,
	OUT harmless bigint, OUT false_alarms_before bigint, OUT false_alarms_after bigint,
	OUT violations bigint, OUT missed_before bigint, OUT missed_after bigint)
	RETURNS SETOF record
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 20
	AS 'MODULE_PATHNAME', 'moderation_learn';
REVOKE ALL ON FUNCTION moderation.learn(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.learn(text, text) IS 'learn from decisions, a query of (content, category, label boolean): a draft of the policy with a model of its own, and a report on decisions held back';
