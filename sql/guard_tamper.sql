-- An owner can neither remove nor outflank the guard of his table, except by unguard(); a superuser can, and is warned.
\set VERBOSITY default
\set SHOW_CONTEXT never
\i sql/include/test_policy.sql
CREATE ROLE tamper_owner;
CREATE SCHEMA tamper AUTHORIZATION tamper_owner;
GRANT USAGE ON SCHEMA moderation TO tamper_owner;
SET ROLE tamper_owner;
CREATE TABLE tamper.post (author text, body text, day int) PARTITION BY LIST (day);
CREATE TABLE tamper.post_1 PARTITION OF tamper.post FOR VALUES IN (1);
CREATE TABLE tamper.note (author text, body text);
CREATE TABLE tamper.free (author text, body text);
RESET ROLE;
SELECT moderation.guard('tamper.post', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('tamper.note', '{body}', 'author', 'test');

SET ROLE tamper_owner;
-- The triggers.
ALTER TABLE tamper.note DISABLE TRIGGER zzz_moderation_scan;
ALTER TABLE tamper.note DISABLE TRIGGER ALL;
ALTER TABLE tamper.note DISABLE TRIGGER USER;
ALTER TABLE tamper.note ENABLE REPLICA TRIGGER zzz_moderation_verify;
ALTER TABLE tamper.note ENABLE TRIGGER zzz_moderation_scan;
ALTER TABLE tamper.post_1 DISABLE TRIGGER zzz_moderation_scan;
DROP TRIGGER zzz_moderation_scan ON tamper.note;
ALTER TRIGGER zzz_moderation_verify ON tamper.note RENAME TO aaa;
CREATE FUNCTION tamper.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER zzz_moderation_scan BEFORE INSERT ON tamper.note FOR EACH ROW EXECUTE FUNCTION tamper.nothing();
DO $$ BEGIN EXECUTE 'ALTER TABLE tamper.note DISABLE TRIGGER USER'; END $$;
BEGIN;
SAVEPOINT s;
ALTER TABLE tamper.note DISABLE TRIGGER USER;
ROLLBACK TO s;
DROP TRIGGER zzz_moderation_scan ON tamper.note;
ROLLBACK;
-- Row security.
ALTER TABLE tamper.post DISABLE ROW LEVEL SECURITY;
ALTER TABLE tamper.post_1 NO FORCE ROW LEVEL SECURITY;
DROP POLICY moderation_write ON tamper.post;
ALTER POLICY moderation_write ON tamper.post WITH CHECK (true);
ALTER POLICY moderation_write ON tamper.post_1 TO pg_monitor;
ALTER POLICY moderation_write ON tamper.post RENAME TO harmless;
-- Inheritance.
CREATE TABLE tamper.heir () INHERITS (tamper.note);
ALTER TABLE tamper.free INHERIT tamper.note;
-- The registration, the event triggers, the account's column.
DELETE FROM moderation.guarded;
SELECT moderation.unguard('tamper.note');
ALTER EVENT TRIGGER moderation_keep_guards DISABLE;
DROP EVENT TRIGGER moderation_note_guards;
ALTER TABLE tamper.note DROP COLUMN author;
RESET ROLE;
SELECT * FROM moderation.verify_guards();

-- What an owner may do all the same.
SET ROLE tamper_owner;
ALTER TABLE tamper.note ADD COLUMN likes int;
ALTER TABLE tamper.note RENAME body TO text;
CREATE TRIGGER zzzz_own BEFORE INSERT ON tamper.note FOR EACH ROW EXECUTE FUNCTION tamper.nothing();
ALTER TABLE tamper.note DISABLE TRIGGER zzzz_own;
CREATE POLICY own ON tamper.post FOR SELECT USING (true);
DROP POLICY own ON tamper.post;
ALTER TABLE tamper.free DISABLE TRIGGER USER;
CREATE TABLE tamper.plain_heir () INHERITS (tamper.free);
-- New partitions come under the guard, and get the row security that was asked for; rows that they bring are scanned.
CREATE TABLE tamper.post_2 PARTITION OF tamper.post FOR VALUES IN (2);
CREATE TABLE tamper.post_3 (author text, body text, day int);
INSERT INTO tamper.post_3 VALUES ('tamper ada', 'a flagword', 3), ('tamper ada', 'a flagword', 3);
ALTER TABLE tamper.post ATTACH PARTITION tamper.post_3 FOR VALUES IN (3);
CREATE TABLE tamper.post_4 PARTITION OF tamper.post FOR VALUES IN (4) PARTITION BY LIST (author);
CREATE TABLE tamper.post_4_1 PARTITION OF tamper.post_4 DEFAULT;
ALTER TABLE tamper.post DETACH PARTITION tamper.post_2;
RESET ROLE;
-- A flagged content that was there twice is recorded once, since it cannot be told from one that was recorded before.
SELECT account, category, strike, count(*) FROM moderation.violation WHERE account LIKE 'tamper%' GROUP BY 1, 2, 3;
SELECT oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'tamper'::regnamespace AND relname LIKE 'post%' ORDER BY relname;
SELECT relation, enabled_on FROM moderation.guarded WHERE relation = 'tamper.post'::regclass;
SELECT * FROM moderation.verify_guards();

-- A superuser, once.
ALTER TABLE tamper.note DISABLE TRIGGER zzz_moderation_scan;
DROP TRIGGER zzz_moderation_verify ON tamper.note;
SELECT object, problem FROM moderation.verify_guards();
-- What is wrong already keeps nobody from other things.
SET ROLE tamper_owner;
ALTER TABLE tamper.note ADD COLUMN more int;
RESET ROLE;
SELECT moderation.guard('tamper.note', '{text}', 'author', 'test');
SELECT * FROM moderation.verify_guards();
GRANT EXECUTE ON FUNCTION moderation.unguard TO tamper_owner;
SET ROLE tamper_owner;
SELECT moderation.unguard('tamper.note');
SELECT moderation.unguard('tamper.post');
ALTER TABLE tamper.note DISABLE TRIGGER USER;
RESET ROLE;
SELECT tgname FROM pg_trigger JOIN pg_class AS c ON c.oid = tgrelid WHERE relnamespace = 'tamper'::regnamespace ORDER BY 1;
SELECT oid::regclass, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'tamper'::regnamespace AND relname LIKE 'post%' ORDER BY relname;

SET client_min_messages = warning;
DROP SCHEMA tamper CASCADE;
REVOKE ALL ON SCHEMA moderation FROM tamper_owner;
REVOKE ALL ON FUNCTION moderation.unguard FROM tamper_owner;
DROP ROLE tamper_owner;
