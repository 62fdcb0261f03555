-- A version of a policy made the live one: an earlier one, a draft, back again; refused, rolled back, and by whom it may be done.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT $$policy: store_activate
views: []
categories:
  - id: store_words
    clause: {en: A clause, zh: store_words}
---
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
SELECT moderation.load_policy(replace(:'document', 'storeword', 'otherword'));
CREATE VIEW versions AS SELECT policy_version, state FROM moderation.policy WHERE policy = 'store_activate' ORDER BY policy_version;
CREATE FUNCTION finds() RETURNS TABLE (word text, flagged boolean, policy_version int) LANGUAGE sql AS
	$$ SELECT w, (v).flagged, (v).policy_version FROM (SELECT w, moderation.verdict(w, 'store_activate') AS v
		FROM (VALUES ('storeword'), ('otherword')) AS w (w)) AS x $$;

-- Back to the first version, which keeps its number; and on again.
SELECT moderation.activate('store_activate', 1);
TABLE versions;
SELECT * FROM finds();
SELECT moderation.activate('store_activate', 2);
TABLE versions;
SELECT * FROM finds();
SELECT moderation.activate('store_activate', 2);

-- A draft is not in force until it is activated, and can be looked at before.
INSERT INTO moderation.policy (policy, policy_version, state, builtin, document, document_sha256, loaded_by)
	SELECT policy, 3, 'draft', false, replace(document, 'otherword', 'storeword'),
		sha256(convert_to(replace(document, 'otherword', 'storeword'), 'UTF8')), loaded_by
	FROM moderation.policy WHERE policy = 'store_activate' AND policy_version = 2;
SELECT * FROM finds();
SELECT rule FROM moderation.policy_rules('store_activate', 3);
SELECT moderation.activate('store_activate', 3);
TABLE versions;
SELECT * FROM finds();

-- A document loaded after that is the live one; what is rolled back was never live.
SELECT moderation.load_policy(replace(:'document', 'storeword', 'thirdword'));
BEGIN;
SELECT moderation.activate('store_activate', 1);
SELECT * FROM finds();
ROLLBACK;
SELECT * FROM finds();
TABLE versions;

-- No such version, no such policy, nothing at all: an error, or nothing done.
SELECT moderation.activate('store_activate', 99);
SELECT moderation.activate('store_activate', 0);
SELECT moderation.activate('no such policy', 1);
SELECT moderation.activate(NULL, 1) IS NULL AS nothing;
SET default_transaction_read_only = on;
SELECT moderation.activate('store_activate', 1);
RESET default_transaction_read_only;

-- A version whose document no longer passes is not made live.
UPDATE moderation.policy SET document = replace(document, 'weight: 0.9', 'weight: 9') WHERE policy = 'store_activate' AND policy_version = 1;
SELECT moderation.activate('store_activate', 1);
TABLE versions;
-- Nobody may but administrators.
CREATE ROLE store_nobody;
SET ROLE store_nobody;
SELECT moderation.activate('store_activate', 2);
RESET ROLE;
DROP ROLE store_nobody;
DROP FUNCTION finds();
DROP VIEW versions;
DELETE FROM moderation.policy WHERE policy = 'store_activate';
