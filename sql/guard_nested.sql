-- Commands within commands, commands with many parts, commands that are undone: each answers for what it did to a guard.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE nested_owner;
CREATE SCHEMA nested AUTHORIZATION nested_owner;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO nested_owner', current_database()); END $$;
GRANT USAGE ON SCHEMA moderation TO nested_owner;
SET ROLE nested_owner;
CREATE TABLE nested.post (id int, author text, body text);
INSERT INTO nested.post VALUES (1, 'nested 1', 'hello');
CREATE TABLE nested.other (id int);
RESET ROLE;
SET client_min_messages = warning;
SELECT moderation.guard('nested.post', '{body}', 'author', 'test');
RESET client_min_messages;
CREATE VIEW nested.problem AS SELECT object, problem FROM moderation.verify() WHERE object ~ 'nested' ORDER BY object COLLATE "C", problem COLLATE "C";
SET ROLE nested_owner;

-- ALTER TABLE disables the trigger, then computes a column by a function that runs another command, to have this one forgotten.
CREATE FUNCTION nested.command(i int, command text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE command; RETURN i; END $$;
ALTER TABLE nested.post DISABLE TRIGGER ALL, ALTER COLUMN id TYPE bigint USING nested.command(id, 'ALTER TABLE nested.other ADD COLUMN x int');
-- One that fails, and is caught.
CREATE FUNCTION nested.caught(i int, command text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN i;
EXCEPTION WHEN OTHERS THEN
	RAISE NOTICE 'caught: %', SQLERRM;
	RETURN i;
END $$;
ALTER TABLE nested.post DISABLE TRIGGER ALL, ALTER COLUMN id TYPE bigint USING nested.caught(id, 'ALTER TABLE nested.other ADD COLUMN y nonsense');
ALTER TABLE nested.post DISABLE TRIGGER ALL, ALTER COLUMN id TYPE bigint USING nested.caught(id, 'ALTER TABLE nested.other DISABLE TRIGGER nonsense');
-- What the inner one does wrong, the inner one is refused for.
ALTER TABLE nested.other ALTER COLUMN id TYPE bigint;
INSERT INTO nested.other VALUES (1);
ALTER TABLE nested.other ALTER COLUMN id TYPE int USING nested.caught(id::int, 'ALTER TABLE nested.post DISABLE TRIGGER ALL');
ALTER TABLE nested.other ALTER COLUMN id TYPE bigint USING nested.command(id, 'DROP TRIGGER zzz_moderation_scan ON nested.post');
-- Several commands of one string, of one transaction, after a savepoint; a function.
BEGIN \; ALTER TABLE nested.other ADD COLUMN z int \; ALTER TABLE nested.post DISABLE TRIGGER ALL \; COMMIT;
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE nested.other ADD COLUMN z int;
ROLLBACK TO s;
ALTER TABLE nested.post DISABLE TRIGGER ALL;
ROLLBACK;
SELECT nested.command(1, 'ALTER TABLE nested.post DISABLE TRIGGER USER');
-- A schema that is made with an heir in it.
CREATE SCHEMA nested_2 CREATE TABLE heir () INHERITS (nested.post);
CREATE SCHEMA nested_2 CREATE VIEW v AS SELECT * FROM nested.post CREATE TABLE heir () INHERITS (nested.post);
RESET ROLE;
TABLE nested.problem;

-- A superuser passes, once for the inner command and once for the outer.
ALTER TABLE nested.post DISABLE TRIGGER zzz_moderation_scan, ALTER COLUMN id TYPE bigint USING nested.command(id::int, 'ALTER TABLE nested.post DISABLE TRIGGER zzz_moderation_verify');
ALTER TABLE nested.post DISABLE TRIGGER zzz_moderation_scan, ALTER COLUMN id TYPE bigint USING nested.command(id::int, 'ALTER TABLE nested.other ENABLE TRIGGER ALL');
TABLE nested.problem;
INSERT INTO nested.post VALUES (2, 'nested 2', 'a zorblax'); -- the AFTER trigger
SELECT moderation.guard('nested.post', '{body}', 'author', 'test');
TABLE nested.problem;

-- A guard that the command itself puts on, or takes off.
GRANT EXECUTE ON FUNCTION moderation.guard, moderation.unguard TO nested_owner;
SET ROLE nested_owner;
ALTER TABLE nested.other ALTER COLUMN id TYPE text USING nested.command(id, 'SELECT moderation.unguard(''nested.post'')')::text;
ALTER TABLE nested.post DISABLE TRIGGER ALL;
ALTER TABLE nested.other ALTER COLUMN id TYPE int USING nested.command(id::int, 'SELECT moderation.guard(''nested.post'', ''{body}'', ''author'', ''test'')');
ALTER TABLE nested.post DISABLE TRIGGER ALL;
RESET ROLE;
TABLE nested.problem;

SET client_min_messages = warning;
DROP SCHEMA nested CASCADE;
REVOKE ALL ON FUNCTION moderation.guard, moderation.unguard FROM nested_owner;
REVOKE ALL ON SCHEMA moderation FROM nested_owner;
DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM nested_owner', current_database()); END $$;
DROP ROLE nested_owner;
