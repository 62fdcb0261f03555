-- A database with encoding SQL_ASCII, where texts may hold any bytes: found, masked, diverted and hashed as they are.
\set VERBOSITY terse
SELECT current_database() AS home \gset
CREATE DATABASE regress_guard_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
\c regress_guard_ascii
CREATE EXTENSION moderation;
\i sql/include/test_policy.sql
CREATE TABLE ascii_post (id int, author text, body text, short varchar(12), fixed char(14), list text[], doc json, docb jsonb);
SELECT moderation.guard('ascii_post', '{body,short,fixed,list,doc,docb}', 'author', 'test');
INSERT INTO ascii_post (id, author, body) VALUES (1, E'ascii \xff', E'\xff\xfe zorblax \x80');
INSERT INTO ascii_post (id, author, body) VALUES (2, E'ascii \xff', E'\xff\xfe hello \x80');
INSERT INTO ascii_post VALUES (3, 'ascii 3', E'\xff redactword \xc3\xa9\x80', E'redactword\xff', E'redactword \xc3', ARRAY[E'\xff', E'\xe9 redactword'],
	E'{"a": "redactword", "b": "\xff"}', E'["redactword", "\xff"]');
SELECT id, convert_to(body, 'SQL_ASCII') AS body, convert_to(short, 'SQL_ASCII') AS short, octet_length(fixed), convert_to(list::text, 'SQL_ASCII') AS list,
	convert_to(doc::text, 'SQL_ASCII') AS doc, convert_to(docb::text, 'SQL_ASCII') AS docb FROM ascii_post WHERE id = 3;
INSERT INTO ascii_post (id, author, body) VALUES (4, 'ascii 4', E'quarword \xff');
SELECT convert_to(row_data ->> 'body', 'SQL_ASCII') FROM moderation.quarantine;
-- Masks are counted in characters of UTF-8 where the bytes make some, and in bytes where they do not.
INSERT INTO ascii_post (id, author, body) VALUES (5, 'ascii 5', E'r\xc3\xa9dactword');
SELECT convert_to(body, 'SQL_ASCII') FROM ascii_post WHERE id = 5;
SELECT convert_to(account, 'SQL_ASCII') AS account, category, column_name, content_sha256 = sha256('\xfffe207a6f72626c6178' || '\x2080'::bytea) AS hash_of_bytes
FROM moderation.violation ORDER BY account, category, column_name;
\c :home
DROP DATABASE regress_guard_ascii WITH (FORCE);
