-- The learned model beside the rules: classify, verdict, explain, redact and a guard with it; without it all is as it was.  Scores are
-- the model's business and change when it is trained anew, so only what follows from them is shown.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT $$policy: match_model
model: built-in
views: []
categories:
  - {id: cyber_attack, clause: {en: Attacks}}
  - {id: self_harm, clause: {en: Self-harm}, model: 0.3}
  - {id: harassment, clause: {en: Harassment}, model: 0}
  - {id: store_words, clause: {en: Words}}
---
category: cyber_attack
rules:
  - {id: cyber_attack.word, weight: 0.6, severity: 2, terms: [zorblax], hits: [zorblax], misses: [nothing]}
---
category: store_words
rules:
  - {id: store_words.word, weight: 0.9, severity: 2, terms: [quuxle], hits: [quuxle], misses: [nothing]}
$$ AS document \gset
SELECT moderation.load_policy(:'document');
SELECT moderation.load_policy(replace(replace(replace(:'document', 'model: built-in', 'model: none'), 'model: 0.3', 'flag_at: 0.4'), 'policy: match_model', 'policy: match_plain'));
SELECT moderation.load_policy(replace(:'document', 'model: built-in', ''));
SELECT moderation.load_policy(replace(:'document', 'id: cyber_attack.word', 'id: cyber_attack.model'));
\set bad 'How can I hack into a bank account and steal the money without being caught?'
\set calm 'The library opens at nine and closes at five.'

-- The model's rules: of categories that it knows, and in which it may speak.
SELECT rule, category, language, weight, severity, note, terms, patterns, hits, misses FROM moderation.rule WHERE policy = 'match_model' ORDER BY rule;
SELECT rule FROM moderation.rule WHERE policy = 'match_plain' ORDER BY rule;

-- Alone it flags.
SELECT category, score BETWEEN 0.4 AND 0.61 AS by_the_model, score > 0 AS scored, severity, action FROM moderation.classify(:'bad', 'match_model') WHERE category IN ('cyber_attack', 'harassment', 'store_words');
SELECT flagged, action, category, severity FROM moderation.verdict(:'bad', 'match_model');
SELECT category, rule, score BETWEEN 0.4 AND 0.61 AS by_the_model, start, length = length(:'bad') AS whole, matched = :'bad' AS matched, view, context
	FROM moderation.explain(:'bad', 'match_model') WHERE category = 'cyber_attack';
SELECT category, score, action FROM moderation.classify(:'bad', 'match_plain');
SELECT flagged, action, category FROM moderation.verdict(:'bad', 'match_plain');
SELECT count(*) FROM moderation.explain(:'bad', 'match_plain');
SELECT flagged, action, category FROM moderation.verdict(:'calm', 'match_model');
SELECT count(*) FROM moderation.explain(:'calm', 'match_model');

-- With a rule that alone would flag, it refuses; the score is 1 - (1 - 0.6) (1 - the model's).
SELECT action, severity FROM moderation.verdict(:'calm' || ' zorblax', 'match_model');
SELECT action, severity FROM moderation.verdict(:'bad' || ' zorblax', 'match_plain');
SELECT action, severity FROM moderation.verdict(:'bad' || ' zorblax', 'match_model');
SELECT abs(c.score - (1 - (1 - 0.6) * (1 - e.score))) < 0.0001 AS combined
	FROM moderation.classify(:'bad' || ' zorblax', 'match_model') AS c JOIN moderation.explain(:'bad' || ' zorblax', 'match_model') AS e USING (category)
	WHERE e.rule = 'cyber_attack.model';

-- A score ranks, also where nothing is found.
SELECT bad.score > calm.score AS ranked FROM moderation.classify(:'bad', 'match_model') AS bad JOIN moderation.classify(:'calm', 'match_model') AS calm
	USING (category) WHERE category = 'cyber_attack';

-- Masked are the words that a rule names; the model's sentences only where no rule does.
SELECT moderation.load_policy(replace(replace(:'document', '{en: Attacks}', '{en: Attacks}, actions: [allow, redact, redact, redact], act_at: 0.4'),
	'policy: match_model', 'policy: match_redact'));
SELECT moderation.redact(:'bad' || ' zorblax', 'match_redact', '#') = :'bad' || ' #######' AS words, moderation.redact(:'bad', 'match_redact', '#') ~ '^#+$' AS sentence,
	moderation.redact(:'calm', 'match_redact', '#') = :'calm' AS nothing;

-- A guard records that the model took part.
CREATE TABLE model_post (id int PRIMARY KEY, author text, body text);
SELECT moderation.guard('model_post', '{body}', 'author', 'match_model');
INSERT INTO model_post VALUES (1, 'model calm', :'calm'), (2, 'model flag', :'bad');
\set VERBOSITY sqlstate
INSERT INTO model_post VALUES (3, 'model refuse', :'bad' || ' zorblax');
\set VERBOSITY default
SELECT id FROM model_post ORDER BY id;
SELECT account, category, severity, action, 'cyber_attack.model' = ANY (rules) AS model, 'cyber_attack.word' = ANY (rules) AS word FROM moderation.violation WHERE account LIKE 'model %' ORDER BY account;
SELECT moderation.unguard('model_post');
DROP TABLE model_post;

-- Which model it is.
SELECT v.model ~ '^[0-9a-f]{16}$' AS digits, v.model = s.model AS same FROM moderation.library_versions() AS v CROSS JOIN moderation.status() AS s;
DELETE FROM moderation.policy WHERE policy LIKE 'match\_%';
