-- Learning from reviewers' decisions: the report, the draft, what changes when it is activated, and what is refused.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT $$policy: store_learn
views: []
categories:
  - id: store_words
    clause: {en: A clause, zh: store_words}
  - id: store_others
    clause: {en: Another clause, zh: store_others}
---
category: store_words
rules:
  - id: store_words.one.en
    language: en
    weight: 0.75
    severity: 2
    note: The word storeword.
    terms: [storeword]
    hits: ["a storeword here"]
    misses: ["nothing here"]
---
category: store_others
rules:
  - id: store_others.one.en
    language: en
    weight: 0.75
    severity: 2
    note: The word otherword.
    terms: [otherword]
    hits: ["an otherword here"]
    misses: ["nothing here"]
$$ AS document \gset
SELECT moderation.load_policy(:'document');

-- A month at a garden centre: the rule is right about threats, wrong about plants, and misses what is said in other words.
CREATE TABLE decision (content text, category text, upheld boolean);
INSERT INTO decision
	SELECT format('lovely storeword plants, %s pots in the garden shop today', i), 'store_words', false FROM generate_series(1, 150) AS i
	UNION ALL
	SELECT format('we will storeword you and your house, number %s', i), 'store_words', true FROM generate_series(1, 80) AS i
	UNION ALL
	SELECT format('we will come for you and your house, number %s', i), 'store_words', true FROM generate_series(1, 80) AS i
	UNION ALL
	SELECT format('opening hours and parking, question %s', i), NULL, false FROM generate_series(1, 100) AS i;
SELECT policy, policy_version, category, learned, decisions, harmless > 10 AS some_harmless, false_alarms_before > 10 AS alarms_before,
		false_alarms_after AS alarms_after, violations > 10 AS some_violations, missed_before > 5 AS missed_before, missed_after
	FROM moderation.learn('SELECT content, category, upheld FROM decision', 'store_learn');

-- Nothing has changed yet: it is a draft.  Activated, it counts; and back again.
SELECT policy_version, state, document LIKE '%model: learned%' AS learned FROM moderation.policy WHERE policy = 'store_learn' ORDER BY 1;
CREATE FUNCTION says(policy text) RETURNS TABLE (content text, flagged boolean, action moderation.action) LANGUAGE sql AS
	$$ SELECT c, (v).flagged, (v).action FROM (SELECT c, moderation.verdict(c, says.policy) AS v
		FROM (VALUES ('storeword plants in the shop'), ('we will storeword your house'), ('we will come for your house'), ('an otherword')) AS t (c)) AS x $$;
SELECT * FROM says('store_learn');
SELECT moderation.activate('store_learn', 2);
SELECT * FROM says('store_learn');
SELECT rule, context FROM moderation.explain('storeword plants in the shop', 'store_learn');
SELECT rule, context FROM moderation.explain('we will come for your house', 'store_learn');
SELECT moderation.activate('store_learn', 1);
SELECT * FROM says('store_learn');

-- The same decisions give the same document; learning again takes the place of what was learned before.
SELECT moderation.activate('store_learn', 2);
SELECT DISTINCT policy_version FROM moderation.learn('TABLE decision', 'store_learn');
SELECT count(DISTINCT document_sha256), max((length(document) - length(replace(document, 'model: learned', ''))) / length('model: learned')) AS parts
	FROM moderation.policy WHERE policy = 'store_learn' AND policy_version > 1;
BEGIN;
SELECT DISTINCT policy_version FROM moderation.learn('SELECT content, category, NOT upheld FROM decision WHERE category IS NOT NULL', 'store_learn');
SELECT count(*) FROM moderation.policy WHERE policy = 'store_learn';
ROLLBACK;
SELECT count(*) FROM moderation.policy WHERE policy = 'store_learn';

-- Refused, with a reason; nothing is stored.
SELECT moderation.learn(NULL, 'store_learn');
SELECT moderation.learn('SELECT 1', 'no such policy');
SELECT moderation.learn('SELEKT', 'store_learn');
SELECT moderation.learn('SELECT 1; SELECT 2', 'store_learn');
SELECT moderation.learn('SELECT content, upheld FROM decision', 'store_learn');
SELECT moderation.learn('SELECT content, category, upheld::text FROM decision', 'store_learn');
SELECT moderation.learn('DELETE FROM decision RETURNING content, category, upheld', 'store_learn');
SELECT moderation.learn('SELECT content, ''no_such'', upheld FROM decision', 'store_learn');
SELECT moderation.learn('SELECT content, NULL, true FROM decision', 'store_learn');
SELECT moderation.learn('SELECT content, category, upheld FROM decision WHERE false', 'store_learn');
SELECT moderation.learn('SELECT content, category, upheld FROM decision WHERE upheld', 'store_learn');
SELECT moderation.learn('SELECT NULL::text, category, NULL::boolean FROM decision', 'store_learn');
SELECT moderation.learn('SELECT content, category, 1 / (random() * 0)::int > 0 FROM decision', 'store_learn');
SELECT count(*) FROM moderation.policy WHERE policy = 'store_learn';
SELECT count(*) FROM decision;

-- The query runs with the caller's rights and search_path, and what it yields is all that is looked at.
CREATE ROLE store_learner;
SELECT moderation.grant_duty('store_learner', 'administrator');
SET ROLE store_learner;
SELECT count(*) FROM moderation.learn('TABLE decision', 'store_learn');
RESET ROLE;
GRANT SELECT ON decision TO store_learner;
SET ROLE store_learner;
SELECT count(*) FROM moderation.learn('TABLE decision', 'store_learn');
RESET ROLE;
SELECT moderation.revoke_duty('store_learner', 'administrator');
DROP TABLE decision;
DROP ROLE store_learner;
DROP FUNCTION says(text);
DELETE FROM moderation.policy WHERE policy = 'store_learn';
