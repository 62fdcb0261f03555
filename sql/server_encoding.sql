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
SELECT * FROM moderation.verify();
\c :regression
DROP DATABASE regress_moderation_latin1;
DROP DATABASE regress_moderation_ascii;
