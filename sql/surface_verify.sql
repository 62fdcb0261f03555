-- status() and verify(): one row on how the database is set up, and a row for every problem that somebody with the owner's
-- rights can have made.
\set VERBOSITY terse
\i sql/include/test_policy.sql
SELECT extension_version, mode, policy, policy_version > 0 AS version, policies > 1 AS policies, recording IS NOT NULL AS recording,
	worker IN ('none', 'starting', 'running') AS worker, pcre2 ~ '^10\.' AS pcre2, icu IS NOT NULL AS icu,
	libyaml IS NOT NULL AS libyaml, fold_version IS NOT NULL AS fold, warnings IS NOT NULL AS warnings
	FROM moderation.status();
SELECT s.policy_version = v.policy_version AS live FROM moderation.status() AS s CROSS JOIN moderation.verdict('x') AS v;
BEGIN;
SET LOCAL moderation.mode = 'restore';
DELETE FROM moderation.policy_image WHERE policy = 'test';
SELECT w FROM moderation.status() AS s CROSS JOIN LATERAL unnest(s.warnings) AS w WHERE w ~ '^(moderation.mode|no compiled form)' ORDER BY w COLLATE "C";
ROLLBACK;

-- Other tests may have left something: only what is new counts.
CREATE TEMP TABLE before AS SELECT * FROM moderation.verify();
CREATE TEMP VIEW new_problems AS SELECT object, problem, hint FROM moderation.verify() EXCEPT SELECT object, problem, hint FROM before;
SELECT * FROM new_problems;

BEGIN;
-- Statuses that nobody decided.
INSERT INTO moderation.account (account, state) VALUES ('surface_verify one', 'suspended');
SELECT moderation.freeze('surface_verify two', 'for this test');
UPDATE moderation.account SET state = 'active', until = NULL WHERE account = 'surface_verify two';
-- Evidence and violations that were changed.
INSERT INTO moderation.violation (violation_id, account, category, severity, action, score, policy, policy_version, rules, content_sha256, occurred_at)
	SELECT i, 'surface_verify', 'test_suspend', 3, 'reject', 1, 'test', 1, '{}', h, '2020-01-01' FROM (VALUES
		('00000000-0000-0000-0000-000000000001'::uuid, sha256('a')), ('00000000-0000-0000-0000-000000000002', sha256('b')),
		('00000000-0000-0000-0000-000000000003', sha256('c')), ('00000000-0000-0000-0000-000000000005', 'short')) AS v (i, h);
INSERT INTO moderation.evidence (violation_id, account, content, content_sha256, occurred_at) VALUES
	('00000000-0000-0000-0000-000000000001', 'surface_verify', 'a', sha256('a'), '2020-01-01'),
	('00000000-0000-0000-0000-000000000002', 'surface_verify', 'other', sha256('b'), '2020-01-01'),
	('00000000-0000-0000-0000-000000000003', 'surface_verify', 'd', sha256('d'), '2020-01-01'),
	('00000000-0000-0000-0000-000000000004', 'surface_verify', 'e', sha256('e'), '2020-01-01');
-- A policy document that was not loaded, and no live version of the one that guards use.
UPDATE moderation.policy SET document = document || '# changed' WHERE policy = 'test' AND state = 'active';
UPDATE moderation.policy SET state = 'retired' WHERE policy = 'terms-of-service';
-- Triggers that were switched off, rights that nobody should have.
ALTER TABLE moderation.policy DISABLE TRIGGER announce_policy;
ALTER EVENT TRIGGER moderation_follow_drop DISABLE;
CREATE ROLE regress_surface;
GRANT CREATE ON SCHEMA moderation TO regress_surface;
GRANT DELETE ON moderation.violation TO regress_surface;
INSERT INTO moderation.duty (role, duty) VALUES (4294967295, 'auditor');
SELECT regexp_replace(object, 'version \d+', 'version N') AS object, problem, hint FROM new_problems ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT * FROM moderation.verdict('x');
ROLLBACK;
SELECT * FROM new_problems;
