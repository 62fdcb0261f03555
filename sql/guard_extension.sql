-- Dropping the extension: refused while a table is guarded; afterwards nothing of it is left.
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT current_database() AS home \gset
CREATE DATABASE regress_guard_extension TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
\c regress_guard_extension
CREATE EXTENSION moderation;
CREATE TABLE ext_post (author text, body text);
SELECT moderation.guard('ext_post', '{body}', 'author');
INSERT INTO ext_post VALUES ('ext ada', 'hello');
DROP EXTENSION moderation;
BEGIN;
SELECT moderation.unguard('ext_post');
DROP EXTENSION moderation;
SELECT evtname FROM pg_event_trigger;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'ext_post'::regclass;
SELECT count(*) FROM pg_proc WHERE probin LIKE '%moderation%';
INSERT INTO ext_post VALUES ('ext ada', 'hello');
CREATE TABLE ext_more (author text);
DROP TABLE ext_more;
ROLLBACK;
-- It is back, guard and all.
SELECT * FROM moderation.verify_guards();
INSERT INTO ext_post VALUES ('ext ada', 'hello');
-- With CASCADE the guards go, too, and the tables stay.
SET client_min_messages = warning;
DROP EXTENSION moderation CASCADE;
INSERT INTO ext_post VALUES ('ext ada', 'hello');
ALTER TABLE ext_post RENAME body TO text;
SELECT count(*) FROM ext_post;
\c :home
DROP DATABASE regress_guard_extension WITH (FORCE);
