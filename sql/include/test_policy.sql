-- Policy "test" for the regression tests: a made-up word for each consequence, plain ASCII so that it loads under any encoding.
--
--	zorblax		test_reject: refused, a strike			flagword	test_flag: stored, recorded
--	redactword	test_redact: stored masked, recorded	quarword	test_quarantine: diverted, recorded
--	suspendword	test_suspend: refused, the account is suspended at once, the content is kept
--
-- Content above 64 KB is unknown, and refused.  Use it with  \i sql/include/test_policy.sql
\set ECHO none
SET client_min_messages = warning; -- loaded by an earlier test, it is unchanged, and load_policy() says so
SELECT moderation.load_policy($policy$
policy: test
description: Made-up words for tests.
limits:
  bytes: 65536
  on_unknown: reject
views: [leet, joined, squeezed]
ladder:
  in_a_row: 3
  within: {count: 5, period: 1 day}
  freezes: [24 hours, 7 days, forever]
  memory: 90 days
categories:
  - id: test_reject
    clause: {en: Saying zorblax is not allowed here, zh: test_reject}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, reject, reject]
    strike: true
    suspend: never
    evidence: hash
  - id: test_flag
    clause: {en: A word worth a look, zh: test_flag}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, flag, flag]
    strike: false
    suspend: never
    evidence: hash
  - id: test_redact
    clause: {en: A word to be masked, zh: test_redact}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, redact, redact]
    strike: false
    suspend: never
    evidence: hash
  - id: test_quarantine
    clause: {en: A word that waits for review, zh: test_quarantine}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, quarantine, quarantine]
    strike: false
    suspend: never
    evidence: hash
  - id: test_suspend
    clause: {en: A word that ends an account, zh: test_suspend}
    flag_at: 0.4
    act_at: 0.7
    actions: [allow, flag, reject, reject]
    strike: true
    suspend: always
    evidence: content
---
category: test_reject
rules:
  - id: test_reject.word.en
    language: en
    weight: 0.9
    severity: 2
    note: The word zorblax.
    terms: [zorblax]
    hits: ["a zorblax here"]
    misses: ["nothing here"]
---
category: test_flag
rules:
  - id: test_flag.word.en
    language: en
    weight: 0.9
    severity: 1
    note: The word flagword.
    terms: [flagword]
    hits: ["a flagword here"]
    misses: ["nothing here"]
  - id: test_flag.number.en
    language: en
    weight: 0.9
    severity: 1
    note: A pattern beside the words.
    patterns: ['\bflagnumber [0-9]{3}\b']
    hits: ["flagnumber 123"]
    misses: ["flagnumber 12"]
---
category: test_redact
rules:
  - id: test_redact.word.en
    language: en
    weight: 0.9
    severity: 2
    note: The word redactword.
    terms: [redactword]
    hits: ["a redactword here"]
    misses: ["nothing here"]
---
category: test_quarantine
rules:
  - id: test_quarantine.word.en
    language: en
    weight: 0.9
    severity: 2
    note: The word quarword.
    terms: [quarword]
    hits: ["a quarword here"]
    misses: ["nothing here"]
---
category: test_suspend
rules:
  - id: test_suspend.word.en
    language: en
    weight: 0.9
    severity: 3
    note: The word suspendword.
    terms: [suspendword]
    hits: ["a suspendword here"]
    misses: ["nothing here"]
$policy$) IS NULL AS test_policy \gset
RESET client_min_messages;
\set ECHO all
