-- A guarded table whose policy refuses "zorblax" and preserves content with "zorbkeep", and a refusal that is swallowed: for the
-- recorder's tests and its benchmark.  The ladder is so high that nothing freezes an account by the way.
SELECT moderation.load_policy($policy$
policy: recorder_test
description: Two made-up words.
limits: {bytes: 16777216, on_unknown: reject}
views: []
ladder: {in_a_row: 0, within: {count: 100000, period: 1 day}, freezes: [1 hour], memory: 1 day}
categories:
  - id: recorder_word
    clause: {en: The word zorblax, zh: zorblax}
    flag_at: 0.4
    act_at: 0.7
    actions: [reject, reject, reject, reject]
    strike: true
    suspend: never
    evidence: hash
  - id: recorder_keep
    clause: {en: The word zorbkeep, zh: zorbkeep}
    flag_at: 0.4
    act_at: 0.7
    actions: [reject, reject, reject, reject]
    strike: true
    suspend: never
    evidence: content
---
category: recorder_word
rules:
  - id: recorder_word.zorblax.en
    language: en
    weight: 0.9
    severity: 2
    note: The word.
    terms: [zorblax]
    hits: ["a zorblax here"]
    misses: ["nothing here"]
---
category: recorder_keep
rules:
  - id: recorder_keep.zorbkeep.en
    language: en
    weight: 0.9
    severity: 2
    note: The word.
    terms: [zorbkeep]
    hits: ["a zorbkeep here"]
    misses: ["nothing here"]
$policy$);
CREATE TABLE post (account text, body text);
SELECT moderation.guard('post', '{body}', 'account', 'recorder_test');
-- Refused for its content, or for the account's status, of which nothing is recorded.
CREATE OR REPLACE FUNCTION refused(account text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO post VALUES (account, 'a zorblax in passing');
	RAISE 'the content was not refused';
EXCEPTION WHEN SQLSTATE 'MD001' OR SQLSTATE 'MD002' THEN
	NULL;
END
$$;
