-- The shape that the recorder's guarantees rest on.
-- Nothing that runs another's code or waits for another's row: no triggers, rules, foreign keys, sequences, expression indexes.
SELECT c.relname, c.relreplident, c.relhastriggers, c.relhasrules, c.relrowsecurity,
	(SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f') AS foreign_keys,
	(SELECT count(*) FROM pg_index WHERE indrelid = c.oid AND indexprs IS NOT NULL) AS expressions
	FROM pg_class AS c WHERE c.oid IN ('moderation.violation'::regclass, 'moderation.evidence'::regclass) ORDER BY 1;
SELECT count(*) AS sequences FROM pg_depend
	WHERE refobjid IN ('moderation.violation'::regclass, 'moderation.evidence'::regclass) AND classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
		AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S');

-- The contract's columns, and what came to them.
SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
	WHERE attrelid = 'moderation.violation'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum;

-- An id is taken once, for nobody's account, too.
BEGIN;
INSERT INTO moderation.violation (violation_id, account, severity, action, score, policy_version, rules, content_sha256, occurred_at)
	SELECT '00000000-0000-0000-0000-000000000001', NULL, 0, 'flag', 0, 1, '{}', '', now() FROM generate_series(1, 2)
	ON CONFLICT DO NOTHING;
SELECT count(*) FROM moderation.violation WHERE violation_id = '00000000-0000-0000-0000-000000000001';
ROLLBACK;

-- In a dump.
SELECT c.relname, e.extcondition[array_position(e.extconfig, c.oid)] AS only
	FROM pg_extension AS e, pg_class AS c WHERE e.extname = 'moderation' AND c.oid = ANY (e.extconfig) AND c.relname IN ('violation', 'evidence') ORDER BY 1;

-- Nobody but the owner, and no session, weakens it.
SELECT relname, relacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0) AS not_public FROM pg_class
	WHERE oid IN ('moderation.violation'::regclass, 'moderation.evidence'::regclass) ORDER BY 1;
LOAD 'moderation';
SELECT name, context, unit, boot_val, min_val, max_val FROM pg_settings WHERE name ~ '^moderation\.record' ORDER BY 1;
SELECT has_function_privilege('public', 'moderation.stop_recorder()', 'EXECUTE');
