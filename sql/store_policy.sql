-- Loading policies: versions, refusals as a whole, what a rollback takes back, and who may.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT $$policy: store_policy
description: A policy for this test.
limits: {bytes: 4096, on_unknown: flag}
views: []
ladder: {in_a_row: 0, within: {count: 0, period: 1 day}, freezes: [forever], memory: 1 day}
categories:
  - id: store_words
    clause: {en: A clause, zh: store_words}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, reject, reject]
    strike: true
    suspend: 3
    evidence: content
---
# file: words.yaml
category: store_words
rules:
  - id: store_words.one.en
    language: en
    weight: 0.9
    severity: 2
    note: The word storeword.
    terms: [storeword]
    hits: ["a storeword here"]
    misses: ["nothing here"]
$$ AS document \gset

SELECT moderation.load_policy(:'document');
SELECT flagged, action, category, severity, policy, policy_version FROM moderation.verdict('a storeword', 'store_policy');

-- The same again changes nothing; another one is a new version, and the former one is retired.
SELECT moderation.load_policy(:'document');
SELECT moderation.load_policy(replace(:'document', 'storeword', 'otherword'));
SELECT policy_version, state, builtin, description, loaded_by = current_user AS by_me, loaded_at IS NOT NULL AS dated,
	document_sha256 = sha256(convert_to(document, 'UTF8')) AS hash
	FROM moderation.policy WHERE policy = 'store_policy' ORDER BY policy_version;
SELECT text, (moderation.verdict(text, 'store_policy')).action FROM (VALUES ('a storeword'), ('an otherword')) AS v (text);

-- As rows; also those of an old version.
SELECT * FROM moderation.category WHERE policy = 'store_policy';
SELECT * FROM moderation.rule WHERE policy = 'store_policy';
SELECT policy_version, rule FROM moderation.policy_rules('store_policy', 1);
SELECT count(*) FROM moderation.policy_categories('store_policy', 99);

-- Refused as a whole, with the place: wrong form, a rule that fails its own example, nothing at all.
SELECT moderation.load_policy(replace(:'document', 'weight: 0.9', 'weight: 9'));
SELECT moderation.load_policy(replace(:'document', 'a storeword here', 'another word here'));
SELECT moderation.load_policy(replace(:'document', 'nothing here', 'no storeword'));
SELECT moderation.load_policy('');
SELECT moderation.load_policy(NULL);
SELECT max(policy_version) FROM moderation.policy WHERE policy = 'store_policy';

-- A rollback takes the load back, in this session, too; so does a savepoint.
BEGIN;
SELECT moderation.load_policy(replace(:'document', 'storeword', 'thirdword'));
SELECT action, policy_version FROM moderation.verdict('a thirdword', 'store_policy');
ROLLBACK;
SELECT action, policy_version FROM moderation.verdict('a thirdword', 'store_policy');
BEGIN;
SAVEPOINT s;
SELECT moderation.load_policy(replace(:'document', 'storeword', 'thirdword'));
SELECT action, policy_version FROM moderation.verdict('a thirdword', 'store_policy');
ROLLBACK TO s;
SELECT action, policy_version FROM moderation.verdict('a thirdword', 'store_policy');
-- The same number, but another document.
SELECT moderation.load_policy(replace(:'document', 'storeword', 'fourthword'));
SELECT text, (moderation.verdict(text, 'store_policy')).action FROM (VALUES ('a thirdword'), ('a fourthword')) AS v (text);
COMMIT;
SELECT text, (moderation.verdict(text, 'store_policy')).action FROM (VALUES ('a thirdword'), ('a fourthword')) AS v (text);

-- Back to an old version: load its document again.
SELECT moderation.load_policy(document) FROM moderation.policy WHERE policy = 'store_policy' AND policy_version = 1;

-- Without a compiled form, or with a damaged one, the document is compiled.
SELECT moderation.policy_fits('store_policy');
UPDATE moderation.policy_image SET image = 'damaged' WHERE policy = 'store_policy';
SELECT moderation.policy_fits('store_policy');
\c -
SELECT action, policy_version FROM moderation.verdict('a storeword', 'store_policy');
SELECT moderation.compile_policies();
SELECT moderation.policy_fits('store_policy');
DELETE FROM moderation.policy_image WHERE policy = 'store_policy';
SELECT moderation.load_policy(document) FROM moderation.policy WHERE policy = 'store_policy' AND state = 'active';
SELECT moderation.policy_fits('store_policy');

-- A live version that cannot be opened: an error at every call, never "clean", and all is well again once it is gone.
BEGIN;
INSERT INTO moderation.policy (policy, policy_version, state, builtin, document, document_sha256, loaded_by)
	VALUES ('store_policy', 1000, 'active', false, 'policy: store_policy', sha256('policy: store_policy'), current_user);
SAVEPOINT s;
SELECT action FROM moderation.verdict('a text', 'store_policy');
ROLLBACK TO s;
SELECT action FROM moderation.verdict('a text', 'store_policy');
ROLLBACK TO s;
DELETE FROM moderation.policy WHERE policy = 'store_policy' AND policy_version = 1000;
SELECT action, policy_version FROM moderation.verdict('a storeword', 'store_policy');
ROLLBACK;

-- What a dump restores: the operator's version, higher than the built-in one, active beside it.  It is the live one.
BEGIN;
SELECT policy, policy_version FROM moderation.verdict('x');
INSERT INTO moderation.policy (policy, policy_version, state, builtin, document, document_sha256, loaded_by)
	SELECT 'terms-of-service', 1000, 'active', false, d, sha256(convert_to(d, 'UTF8')), current_user
	FROM (SELECT replace(document, 'policy: store_policy', 'policy: terms-of-service') FROM moderation.policy
			WHERE policy = 'store_policy' AND policy_version = 1) AS p (d);
SELECT policy, policy_version, action FROM moderation.verdict('a storeword');
SELECT DISTINCT policy_version FROM moderation.category WHERE policy = 'terms-of-service';
ROLLBACK;
SELECT policy, policy_version < 1000 AS before FROM moderation.verdict('a storeword');

-- No such policy: an error, never "clean".
SELECT * FROM moderation.verdict('x', 'no such policy');

-- Who may, and when.
SELECT moderation.load_builtin_policy(:'document');
BEGIN READ ONLY;
SELECT moderation.load_policy(:'document');
ROLLBACK;
SET ROLE pg_monitor;
SELECT moderation.load_policy('');
RESET ROLE;
