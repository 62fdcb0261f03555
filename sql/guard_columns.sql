-- A guarded column that is renamed, dropped, replaced, retyped or computed anew stays guarded, or the command is refused.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE column_owner;
CREATE SCHEMA col AUTHORIZATION column_owner;
GRANT USAGE ON SCHEMA moderation TO column_owner;
SET ROLE column_owner;
CREATE TABLE col.post (id int, author text, title text, body text);
CREATE TABLE col.one (author text, body text);
CREATE TABLE col.part (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE col.part_1 PARTITION OF col.part FOR VALUES IN (1);
INSERT INTO col.post VALUES (1, 'col 1', 'hello', 'hello');
RESET ROLE;
SET client_min_messages = warning;
SELECT moderation.guard('col.post', '{title,body}', 'author', 'test');
SELECT moderation.guard('col.one', '{body}', 'author', 'test');
SELECT moderation.guard('col.part', '{body}', 'author', 'test');
RESET client_min_messages;
CREATE VIEW col.guard AS SELECT relation, content_columns, account_column, former_content, former_account FROM moderation.guarded WHERE relation::text LIKE 'col.%' ORDER BY 1;
CREATE VIEW col.problem AS SELECT object, problem FROM moderation.verify() WHERE object ~ 'col\.' ORDER BY object COLLATE "C", problem COLLATE "C";
SET ROLE column_owner;

-- Dropped, and another of that name: in one command, in two, by way of a domain, with a default that is no good.
ALTER TABLE col.post DROP COLUMN body, ADD COLUMN body text;
INSERT INTO col.post VALUES (2, 'col 2', '', 'a zorblax');
ALTER TABLE col.post DROP COLUMN body;
INSERT INTO col.post VALUES (3, 'col 3', 'hello');
ALTER TABLE col.post ADD COLUMN body varchar(100) DEFAULT 'a zorblax';
ALTER TABLE col.post ADD COLUMN body varchar(100) DEFAULT 'a flagword';
INSERT INTO col.post VALUES (4, 'col 4', '', 'a zorblax');
ALTER TABLE col.post ALTER body SET DEFAULT 'a zorblax';
INSERT INTO col.post (author) VALUES ('col 4');
INSERT INTO col.post DEFAULT VALUES;
UPDATE col.post SET body = DEFAULT;
ALTER TABLE col.post ALTER body DROP DEFAULT;
CREATE DOMAIN col.short AS text;
ALTER TABLE col.post ALTER body TYPE col.short;
DROP DOMAIN col.short CASCADE;
ALTER TABLE col.post ADD COLUMN body text;
INSERT INTO col.post VALUES (5, 'col 5', '', 'a zorblax');
-- The only one.
ALTER TABLE col.one DROP COLUMN body;
ALTER TABLE col.one DROP COLUMN body, ADD COLUMN body text;
INSERT INTO col.one VALUES ('col 6', 'a zorblax');
CREATE DOMAIN col.short AS text;
ALTER TABLE col.one ALTER body TYPE col.short;
DROP DOMAIN col.short CASCADE;
ALTER TABLE col.one ALTER body TYPE text;

-- Renamed, and another in its place: a new one, one that was there, one that nobody can read, one that is generated.
ALTER TABLE col.post RENAME body TO old;
ALTER TABLE col.post ADD COLUMN body text;
INSERT INTO col.post VALUES (7, 'col 7', '', 'a zorblax', '');
INSERT INTO col.post VALUES (7, 'col 7', '', '', 'a zorblax');
ALTER TABLE col.post RENAME body TO older;
ALTER TABLE col.post ADD COLUMN draft text DEFAULT 'a zorblax';
ALTER TABLE col.post RENAME draft TO body;
UPDATE col.post SET draft = 'hello';
ALTER TABLE col.post RENAME draft TO body;
ALTER TABLE col.post DROP COLUMN body;
ALTER TABLE col.post ADD COLUMN body int;
ALTER TABLE col.post ADD COLUMN body text GENERATED ALWAYS AS (id::text) STORED;
ALTER TABLE col.part RENAME body TO text;
ALTER TABLE col.part ADD COLUMN body text;
INSERT INTO col.part_1 VALUES (1, 'col 8', '', 'a zorblax');
-- Two that exchange their names.
ALTER TABLE col.post RENAME title TO swap;
ALTER TABLE col.post RENAME old TO title;
ALTER TABLE col.post RENAME swap TO old;
INSERT INTO col.post (author, title) VALUES ('col 9', 'a zorblax');
INSERT INTO col.post (author, old) VALUES ('col 9', 'a zorblax');
-- The account's: whoever answers for a row must not become nobody.
ALTER TABLE col.one RENAME author TO writer;
ALTER TABLE col.one ADD COLUMN author text;
ALTER TABLE col.one RENAME body TO author;
ALTER TABLE col.one DROP COLUMN writer, ADD COLUMN writer text;
INSERT INTO col.one VALUES ('col 10', 'a zorblax');
RESET ROLE;
TABLE col.guard;
TABLE col.problem;
-- An administrator leaves a column out on purpose; then it stays out.
SELECT moderation.guard('col.post', '{title,old}', 'author', 'test');
SET ROLE column_owner;
ALTER TABLE col.post ADD COLUMN other int, DROP COLUMN older;
ALTER TABLE col.post ADD COLUMN body text;
ALTER TABLE col.post DROP COLUMN body;
RESET ROLE;
TABLE col.guard;

-- Types: of text all the same; anything else is read again, or refused.
SET ROLE column_owner;
INSERT INTO col.post (author, title) VALUES ('col 11', 'hello');
ALTER TABLE col.post ALTER title TYPE varchar(50);
ALTER TABLE col.post ALTER title TYPE varchar(100) USING title::varchar(100);
ALTER TABLE col.post ALTER title TYPE text USING col.post.title::text;
ALTER TABLE col.post ALTER title TYPE text USING 'a ' || title;
ALTER TABLE col.post ALTER title TYPE text USING 'a zorblax';
ALTER TABLE col.post ALTER title TYPE text USING author;
ALTER TABLE col.post ALTER title TYPE text USING (CASE WHEN id IS NULL THEN 'a zorblax' ELSE title END)::text;
ALTER TABLE col.post ALTER title TYPE text[] USING ARRAY[title, 'zorblax'];
ALTER TABLE col.post ALTER title TYPE text[] USING ARRAY[title];
ALTER TABLE col.post ALTER title TYPE jsonb USING '["zorblax"]';
ALTER TABLE col.post ALTER title TYPE jsonb USING to_jsonb(title);
ALTER TABLE col.post ALTER title TYPE text USING title::text;
ALTER TABLE col.post ALTER title TYPE int USING 1;
ALTER TABLE col.post ALTER title TYPE bytea USING '';
DO $$ BEGIN EXECUTE 'ALTER TABLE col.post ALTER title TYPE text USING ''a zorblax'''; END $$;
-- A cast of the owner's own, which writes what it likes.
CREATE DOMAIN col.tag AS text;
CREATE TABLE col.tags (author text, tags text[]);
INSERT INTO col.tags VALUES ('col 12', '{hello}');
CREATE FUNCTION col.cast(text[]) RETURNS col.tag[] LANGUAGE sql AS $$ SELECT '{zorblax}'::col.tag[] $$;
CREATE CAST (text[] AS col.tag[]) WITH FUNCTION col.cast(text[]) AS ASSIGNMENT;
RESET ROLE;
SET client_min_messages = warning;
SELECT moderation.guard('col.tags', '{tags}', 'author', 'test');
RESET client_min_messages;
SET ROLE column_owner;
ALTER TABLE col.tags ALTER tags TYPE col.tag[];
-- The account's type: the account stays who it was, as text.
ALTER TABLE col.post ALTER author TYPE varchar(40);
INSERT INTO col.post (author, title) VALUES ('col 13', 'a zorblax');
-- A table of a type, altered by way of the type.
CREATE TYPE col.row AS (author text, title text, body text);
CREATE TABLE col.typed OF col.row;
RESET ROLE;
SELECT moderation.guard('col.typed', '{title,body}', 'author', 'test');
SET ROLE column_owner;
ALTER TYPE col.row RENAME ATTRIBUTE body TO old CASCADE;
ALTER TYPE col.row ALTER ATTRIBUTE body TYPE int CASCADE;
ALTER TYPE col.row DROP ATTRIBUTE title CASCADE;
ALTER TYPE col.row ADD ATTRIBUTE title text CASCADE;
INSERT INTO col.typed (author, title) VALUES ('col 14', 'a zorblax');
-- A guarded table under one that is not, altered by way of that.
CREATE TABLE col.top (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE col.sub (id int, author text, body text);
CREATE TABLE col.parent (id int, author text, body text);
CREATE TABLE col.child (id int, author text, body text);
INSERT INTO col.sub VALUES (1, 'col 15', 'hello');
INSERT INTO col.child VALUES (1, 'col 15', 'hello');
RESET ROLE;
SET client_min_messages = warning;
SELECT moderation.guard('col.sub', '{body}', 'author', 'test');
SELECT moderation.guard('col.child', '{body}', 'author', 'test');
RESET client_min_messages;
SET ROLE column_owner;
ALTER TABLE col.top ATTACH PARTITION col.sub FOR VALUES IN (1);
ALTER TABLE col.child INHERIT col.parent;
ALTER TABLE col.top ALTER body TYPE text USING 'a zorblax';
ALTER TABLE col.parent ALTER body TYPE text USING 'a zorblax';
ALTER TABLE col.top RENAME body TO old;
ALTER TABLE col.parent RENAME body TO old;
ALTER TABLE col.top DROP COLUMN body;
UPDATE col.top SET body = 'a zorblax';
UPDATE col.parent SET body = 'a zorblax';
-- A function that has the table's name mean another, or none, by the time that the command is done.
CREATE FUNCTION col.look_away(text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('search_path', 'pg_temp', false); SELECT 'a zorblax' $$;
SET search_path = col, public;
ALTER TABLE post ALTER title TYPE text USING col.look_away(title);
RESET search_path;
RESET ROLE;
TABLE col.problem;

-- Partitions: one that has the content, or the account, generated.  (From version 16 on, it cannot be attached anyway.)
SET ROLE column_owner;
CREATE TABLE col.gen (id int, author text, body text) PARTITION BY LIST (id);
RESET ROLE;
SELECT moderation.guard('col.gen', '{body}', 'author', 'test');
SET ROLE column_owner;
CREATE TABLE col.gen_1 (id int, author text, body text GENERATED ALWAYS AS ('a zorblax') STORED);
CREATE TABLE col.gen_2 (id int, author text GENERATED ALWAYS AS ('col 16') STORED, body text);
DO $$
BEGIN
	ALTER TABLE col.gen ATTACH PARTITION col.gen_1 FOR VALUES IN (1);
EXCEPTION WHEN insufficient_privilege OR datatype_mismatch THEN RAISE NOTICE 'refused';
END $$;
DO $$
BEGIN
	ALTER TABLE col.gen ATTACH PARTITION col.gen_2 FOR VALUES IN (2);
EXCEPTION WHEN insufficient_privilege OR datatype_mismatch THEN RAISE NOTICE 'refused';
END $$;
RESET ROLE;

-- A superuser is read again like anybody, and may take the column away.
ALTER TABLE col.part ALTER text TYPE text USING 'a zorblax';
INSERT INTO col.part VALUES (1, 'col 17', 'hello', 'hello');
ALTER TABLE col.part ALTER text TYPE text USING 'a zorblax';
ALTER TABLE col.part ALTER text TYPE int USING 1;
INSERT INTO col.part VALUES (1, 'col 17', 1, 'hello');
TABLE col.problem;
SET moderation.mode = restore;
ALTER TABLE col.part ALTER body TYPE text USING 'a zorblax';
RESET moderation.mode;
SELECT body FROM col.part;
SELECT moderation.guard('col.part', '{body}', 'author', 'test');
TABLE col.problem;

-- Each refused content is recorded; what a command of the owner's computed is no strike against the account whose row it is.
SELECT account, category, column_name, action, strike, count(*) FROM moderation.violation WHERE relation LIKE 'col.%' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3, 5;

SET client_min_messages = warning;
DROP SCHEMA col CASCADE;
REVOKE ALL ON SCHEMA moderation FROM column_owner;
DROP ROLE column_owner;
