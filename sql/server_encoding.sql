-- Database encodings other than UTF8: one that cannot express the policy is refused, and under SQL_ASCII characters are bytes.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT current_database() AS regression \gset
SET client_min_messages = warning;
CREATE DATABASE regress_moderation_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
CREATE DATABASE regress_moderation_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c regress_moderation_latin1
CREATE EXTENSION moderation;
\c regress_moderation_ascii
CREATE EXTENSION moderation;
\i sql/include/test_policy.sql
SELECT start, length, matched FROM moderation.explain(E'\303\251 zorblax', 'test');
SELECT start, length FROM moderation.explain(E'\303\251 zorbl\303\241x \377\376 zorblax', 'test');
SELECT moderation.redact(E'\377 redactword', 'test', '*') = E'\377 **********' AS given_bytes_stay;
SELECT moderation.normalize(E'A\377B') = E'a\357\277\275b' AS replaced;
SELECT flagged FROM moderation.verdict(E'\377\376\375\200', 'test');
BEGIN;
INSERT INTO moderation.violation (violation_id, account, category, severity, action, score, policy, policy_version, rules, content_sha256, occurred_at)
	VALUES ('00000000-0000-0000-0000-000000000001', 'a', 'c', 3, 'reject', 1, 'test', 1, '{}', sha256('\377 a'), '2020-01-01');
INSERT INTO moderation.evidence (violation_id, account, content, content_sha256, occurred_at)
	VALUES ('00000000-0000-0000-0000-000000000001', 'a', E'\377 a', sha256('\377 a'), '2020-01-01');
SELECT * FROM moderation.verify();
UPDATE moderation.evidence SET content = E'\376 a';
SELECT object, problem FROM moderation.verify();
ROLLBACK;
\c :regression
DROP DATABASE regress_moderation_latin1;
DROP DATABASE regress_moderation_ascii;
