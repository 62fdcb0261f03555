-- Every category of the built-in policy has rules in English and in Chinese, with examples that must be found and benign twins that must not
-- (both were run when the extension was created), and fifteen other languages or more.
SELECT category,
       count(*) FILTER (WHERE language = 'en') > 0 AND sum(hits) FILTER (WHERE language = 'en') > 0 AND sum(misses) FILTER (WHERE language = 'en') > 0 AS en,
       count(*) FILTER (WHERE language = 'zh') > 0 AND sum(hits) FILTER (WHERE language = 'zh') > 0 AND sum(misses) FILTER (WHERE language = 'zh') > 0 AS zh,
       count(DISTINCT language) FILTER (WHERE language NOT IN ('en', 'zh', 'any')) >= 15 AS others
FROM moderation.rule WHERE policy = 'terms-of-service' GROUP BY category ORDER BY category;
SELECT min(hits) > 0 AS hits, min(misses) > 0 AS misses, count(*) = count(DISTINCT rule) AS distinct_rules FROM moderation.rule WHERE policy = 'terms-of-service'
	AND rule <> category || '.model';

-- The learned model speaks in most of them, cannot refuse alone, and is silent in those that it was not trained for.
SELECT count(*) >= 10 AS many, max(weight) < 0.7 AS refuses_not, max(severity) AS severity, sum(terms + patterns + hits + misses) AS texts
	FROM moderation.rule WHERE policy = 'terms-of-service' AND rule = category || '.model';

-- Counted by category and language: written words once each, those of lists included.
\set SHOW_CONTEXT never
SELECT $$policy: store_coverage
words: {thing.list: [gadget, gizmo]}
standards:
  - name: S 1
    language: zh
    words: 4
    renewed: 7 days
    risks:
      - {id: S.a, clause: {en: First, zh: 其一}, words: 3}
      - {id: S.b, clause: {en: Second}}
  - name: S 2
    risks: [{id: T.a, clause: {en: All languages}, words: 5}]
categories:
  - {id: store_one, clause: {en: One}, risks: [S.a]}
  - {id: store_two, clause: {en: Two}, risks: [T.a]}
---
category: store_one
rules:
  - {id: store_one.a.zh, language: zh, weight: 0.8, severity: 2, terms: [甲甲甲, 乙乙乙], hits: [甲甲甲], misses: [x]}
  - {id: store_one.b.zh, language: zh-Hant, risks: [S.a, S.b], weight: 0.8, severity: 1, terms: [乙乙乙, "a {thing.list}"], hits: [乙乙乙], misses: [x]}
  - {id: store_one.c.en, language: en, weight: 0.8, severity: 3, terms: [uncounted], hits: [uncounted], misses: [x, y]}
---
category: store_two
rules:
  - {id: store_two.a.en, language: en, weight: 0.8, severity: 2, all_of: [["{thing.list}"], [red, blue]], patterns: ['\bgizmos\b'], hits: [red gadget], misses: [x]}
  - {id: store_two.b.any, risks: [S.b, T.a], weight: 0.8, severity: 2, terms: [red, wordfour], hits: [wordfour], misses: [x]}
$$ AS document \gset
SELECT moderation.load_policy(:'document');
SELECT category, language, rules, clear_rules, words, patterns, hits, misses, last_change IS NOT NULL AS dated FROM moderation.policy_coverage WHERE policy = 'store_coverage';
SELECT standard, risk, clause_en, clause_zh, rules, words, required, met, last_change IS NOT NULL AS dated, renewed FROM moderation.policy_standard WHERE policy = 'store_coverage';

-- The last change of each: a note or example is none, a word of a list that is named is one, and so is a rule that goes.
SELECT moderation.load_policy(replace(:'document', 'misses: [x, y]', 'misses: [x, y, z]'));
SELECT moderation.load_policy(replace(:'document', 'wordfour]', 'wordfour, wordfive]'));
SELECT moderation.load_policy(replace(:'document', 'gadget, gizmo', 'gadget, gizmo, contrivance'));
SELECT moderation.load_policy(regexp_replace(replace(:'document', 'gadget, gizmo', 'gadget, gizmo, contrivance'), '  - {id: store_one.b.zh[^\n]*\n', ''));
CREATE FUNCTION loaded(version int, at timestamptz) RETURNS int LANGUAGE sql RETURN (SELECT min(p.policy_version) FROM moderation.policy AS p
	WHERE p.policy = 'store_coverage' AND p.loaded_at = at);
SELECT v AS version, c.category, c.language, loaded(v, c.last_change) AS changed_in
	FROM generate_series(1, 5) AS v CROSS JOIN moderation.policy_languages('store_coverage', v) AS c ORDER BY c.category, c.language, v;
SELECT v AS version, r.standard, r.risk, loaded(v, r.last_change) AS changed_in
	FROM generate_series(1, 5) AS v CROSS JOIN moderation.policy_risks('store_coverage', v) AS r ORDER BY r.standard, r.risk, v;
DROP FUNCTION loaded;

-- Renewed once, long ago.
UPDATE moderation.policy SET loaded_at = loaded_at - interval '8 days' WHERE policy = 'store_coverage';
SELECT standard, risk, renewed FROM moderation.policy_standard WHERE policy = 'store_coverage' AND risk IS NULL;
SELECT count(*) FROM moderation.policy_languages('store_coverage', 99);
SELECT count(*) FROM moderation.policy_languages('store_no_such');
DELETE FROM moderation.policy WHERE policy = 'store_coverage';

-- The built-in policy: each category has a row for each of its languages, and the Chinese standard has its 31 risks.
SELECT count(*) = (SELECT count(DISTINCT (category, language)) FROM moderation.rule WHERE policy = 'terms-of-service' AND rule <> category || '.model') AS all_languages,
	sum(rules) = (SELECT count(*) FROM moderation.rule WHERE policy = 'terms-of-service' AND rule <> category || '.model') AS all_rules, min(words + patterns) > 0 AS something
	FROM moderation.policy_coverage WHERE policy = 'terms-of-service';
SELECT standard, count(risk) AS risks, count(required) AS asked_for, sum(required) AS words FROM moderation.policy_standard WHERE policy = 'terms-of-service' GROUP BY standard;
