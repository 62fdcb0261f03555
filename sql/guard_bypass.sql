-- The matrix of attacks, a block for each that no other test has: as an ordinary writer, as a role with TRIGGER, as the owner, and as a
-- superuser.  Each is refused, or judged as any other row, or seen by verify().
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE bypass_writer;
CREATE ROLE bypass_trigger;
CREATE ROLE bypass_owner;
CREATE SCHEMA bypass AUTHORIZATION bypass_owner;
GRANT ALL ON SCHEMA bypass TO bypass_trigger;
GRANT USAGE ON SCHEMA bypass TO bypass_writer;
GRANT USAGE ON SCHEMA moderation TO bypass_owner, bypass_trigger, bypass_writer;
SET ROLE bypass_owner;
CREATE TABLE bypass.post (id int PRIMARY KEY, author text, title text, body text);
CREATE TABLE bypass.part (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE bypass.part_1 PARTITION OF bypass.part FOR VALUES IN (1);
CREATE TABLE bypass.part_2 PARTITION OF bypass.part FOR VALUES IN (2) PARTITION BY LIST (author);
CREATE TABLE bypass.part_2_1 PARTITION OF bypass.part_2 DEFAULT;
CREATE TABLE bypass.walled (id int, author text, body text);
CREATE TABLE bypass.account (name text PRIMARY KEY);
CREATE TABLE bypass.note (id int PRIMARY KEY, author text REFERENCES bypass.account ON UPDATE CASCADE ON DELETE SET DEFAULT DEFAULT 'bypass frozen', body text);
RESET ROLE;
SELECT moderation.guard('bypass.post', '{title,body}', 'author', 'test');
SELECT moderation.guard('bypass.part', '{body}', 'author', 'test');
SELECT moderation.guard('bypass.walled', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('bypass.note', '{body}', 'author', 'test');
SELECT moderation.freeze('bypass frozen', 'test');
GRANT SELECT, INSERT, UPDATE ON bypass.post, bypass.walled, bypass.part_1, bypass.part_2_1, bypass.note TO bypass_writer;
GRANT SELECT, INSERT, UPDATE, TRIGGER ON bypass.post, bypass.part_1 TO bypass_trigger;
-- What verify() says of these tables, whoever's fault it is.
CREATE VIEW bypass.problem AS SELECT object, problem FROM moderation.verify() WHERE object ~ 'bypass' ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT * FROM bypass.problem;

---- An ordinary writer ----
-- Replica role, without and with the right to it: the guard's triggers fire always.
SET ROLE bypass_writer;
SET session_replication_role = replica;
RESET ROLE;
GRANT SET ON PARAMETER session_replication_role TO bypass_writer;
SET ROLE bypass_writer;
SET session_replication_role = replica;
INSERT INTO bypass.post VALUES (1, 'bypass 1', '', 'a zorblax');
INSERT INTO bypass.part_1 VALUES (1, 'bypass 1', 'a zorblax');
INSERT INTO bypass.post VALUES (1, 'bypass frozen', '', 'hello');
RESET session_replication_role;
RESET ROLE;
REVOKE SET ON PARAMETER session_replication_role FROM bypass_writer;

-- A view of the owner's, and one with a rule, and one with INSTEAD OF: row security looks at the owner, the guard at the row.
SET ROLE bypass_owner;
CREATE VIEW bypass.post_view AS SELECT * FROM bypass.post;
CREATE VIEW bypass.walled_view AS SELECT * FROM bypass.walled;
CREATE VIEW bypass.rule_view AS SELECT * FROM bypass.post;
CREATE RULE redirect AS ON INSERT TO bypass.rule_view DO INSTEAD INSERT INTO bypass.post VALUES (NEW.id, NEW.author, NEW.title, NEW.body);
CREATE FUNCTION bypass.instead() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN INSERT INTO bypass.post VALUES (NEW.id, NEW.author, NEW.title, NEW.body); RETURN NEW; END $$;
CREATE VIEW bypass.instead_view AS SELECT * FROM bypass.post;
CREATE TRIGGER instead INSTEAD OF INSERT ON bypass.instead_view FOR EACH ROW EXECUTE FUNCTION bypass.instead();
GRANT INSERT ON bypass.post_view, bypass.walled_view, bypass.rule_view, bypass.instead_view TO bypass_writer;
SET ROLE bypass_writer;
INSERT INTO bypass.post_view VALUES (2, 'bypass 2', '', 'a zorblax');
INSERT INTO bypass.post_view VALUES (2, 'bypass frozen', '', 'hello');
INSERT INTO bypass.walled_view VALUES (2, 'bypass 2', 'a zorblax');
INSERT INTO bypass.walled_view VALUES (2, 'bypass frozen', 'hello');
INSERT INTO bypass.rule_view VALUES (2, 'bypass 2', '', 'a zorblax');
INSERT INTO bypass.instead_view VALUES (2, 'bypass 2i', '', 'a zorblax');
RESET ROLE;

-- A superuser's SECURITY DEFINER function: row security does not hold for it, the guard does.
CREATE FUNCTION bypass.put(author text, body text) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO bypass.walled VALUES (3, author, body) $$;
SET ROLE bypass_writer;
SELECT bypass.put('bypass 3', 'a zorblax');
SELECT bypass.put('bypass frozen', 'hello');
RESET ROLE;

-- A leaf partition itself, which the writer may write to though not to its parent.
SET ROLE bypass_writer;
INSERT INTO bypass.part VALUES (1, 'bypass 4', 'hello');
INSERT INTO bypass.part_1 VALUES (1, 'bypass 4', 'a zorblax');
INSERT INTO bypass.part_2_1 VALUES (2, 'bypass 4', 'a zorblax');
INSERT INTO bypass.part_2_1 VALUES (2, 'bypass frozen', 'hello');
COPY bypass.part_2_1 FROM stdin;
2	bypass 4	a zorblax
\.
RESET ROLE;

-- Foreign keys that move a row to an account that may not write, and away from it.
INSERT INTO bypass.account VALUES ('bypass 5'), ('bypass frozen');
INSERT INTO bypass.note VALUES (1, 'bypass 5', 'hello');
SET ROLE bypass_owner;
UPDATE bypass.account SET name = 'bypass frozen' WHERE name = 'bypass 5';
DELETE FROM bypass.account WHERE name = 'bypass frozen';
UPDATE bypass.account SET name = 'bypass frozen' WHERE name = 'bypass 5';
DELETE FROM bypass.account WHERE name = 'bypass 5';
RESET ROLE;
SELECT * FROM bypass.note;

-- An old row edited by its account after it was frozen; one handed over to another account; one taken.
INSERT INTO bypass.post VALUES (6, 'bypass 6', '', 'hello'), (7, 'bypass 7', '', 'hello');
SELECT moderation.freeze('bypass 6', 'test');
SET ROLE bypass_writer;
UPDATE bypass.post SET body = 'hello again' WHERE id = 6;
UPDATE bypass.post SET author = 'bypass 7' WHERE id = 6;
UPDATE bypass.post SET author = 'bypass 6' WHERE id = 7;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM bypass.post WHERE id = 7 FOR UPDATE;
FETCH c;
UPDATE bypass.post SET title = 'a zorblax' WHERE CURRENT OF c;
ROLLBACK;
RESET ROLE;
SELECT * FROM bypass.post ORDER BY id;

-- Under another's name: whose row it is the application says; a policy of its own binds it, beside the guard.
SET ROLE bypass_owner;
CREATE POLICY mine ON bypass.walled AS RESTRICTIVE FOR ALL USING (true) WITH CHECK (author = current_user);
SET ROLE bypass_writer;
INSERT INTO bypass.walled VALUES (8, 'bypass 8', 'hello');
INSERT INTO bypass.walled VALUES (8, 'bypass_writer', 'hello');
INSERT INTO bypass.walled VALUES (8, 'bypass_writer', 'a zorblax');
RESET ROLE;
SELECT * FROM bypass.problem;

-- Emptying, locking and waiting on what moderation keeps.
SET ROLE bypass_writer;
TRUNCATE moderation.violation;
TRUNCATE bypass.post;
DO $$
DECLARE
	name regclass;
	mode text;
	got text[] = '{}';
BEGIN
	FOR name IN SELECT c.oid FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'p', 'v') LOOP
		FOREACH mode IN ARRAY '{ACCESS SHARE,ROW SHARE,ROW EXCLUSIVE,SHARE,SHARE ROW EXCLUSIVE,ACCESS EXCLUSIVE}'::text[] LOOP
			BEGIN
				EXECUTE format('LOCK TABLE %s IN %s MODE NOWAIT', name, mode);
				got = got || format('%s in %s', name, mode);
			EXCEPTION WHEN insufficient_privilege THEN NULL;
			END;
		END LOOP;
		BEGIN
			EXECUTE format('SELECT FROM %s FOR KEY SHARE', name);
			got = got || format('%s for key share', name);
		EXCEPTION WHEN insufficient_privilege THEN NULL;
		END;
		BEGIN
			EXECUTE format('TRUNCATE %s', name);
			got = got || format('%s emptied', name);
		EXCEPTION WHEN insufficient_privilege OR wrong_object_type THEN NULL;
		END;
	END LOOP;
	RAISE NOTICE 'locked or emptied: %', got;
END $$;
RESET ROLE;

-- Settings: none that the writer can set, not even for itself, in a function, or before the library is loaded.
SELECT name FROM pg_settings WHERE name LIKE 'moderation.%' AND context = 'user';
SET ROLE bypass_writer;
SET moderation.mode = restore;
SET LOCAL moderation.mode = restore;
SELECT set_config('moderation.mode', 'restore', false);
ALTER ROLE bypass_writer SET moderation.mode = restore;
CREATE FUNCTION pg_temp.put() RETURNS void LANGUAGE sql SET moderation.mode = restore AS $$ INSERT INTO bypass.post VALUES (9, 'bypass 9', '', 'a zorblax') $$;
RESET ROLE;
\c -
\set VERBOSITY terse
SET SESSION AUTHORIZATION bypass_writer;
SET moderation.mode = restore;
SET moderation.moderate_replica = off;
SET moderation.test_no_commit_check = on;
SET moderation.unheard_of = on;
CREATE FUNCTION pg_temp.put() RETURNS void LANGUAGE sql SET moderation.mode = restore AS $$ SELECT $$;
SHOW moderation.mode;
INSERT INTO bypass.post VALUES (9, 'bypass 9', '', 'a zorblax');
SHOW moderation.mode;
RESET SESSION AUTHORIZATION;
-- The right to set it is a superuser's to give, and verify() tells of it.
GRANT SET ON PARAMETER moderation.mode TO bypass_writer;
SELECT * FROM bypass.problem;
REVOKE SET ON PARAMETER moderation.mode FROM bypass_writer;

---- A role with TRIGGER ----
-- A trigger after ours that rewrites the row; one in place of ours; one on a partition; ours switched off.
SET ROLE bypass_trigger;
CREATE FUNCTION bypass.rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := 'a zorblax'; RETURN NEW; END $$;
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON bypass.post FOR EACH ROW EXECUTE FUNCTION bypass.rewrite();
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON bypass.part_1 FOR EACH ROW EXECUTE FUNCTION bypass.rewrite();
CREATE OR REPLACE TRIGGER zzz_moderation_scan BEFORE INSERT OR UPDATE ON bypass.post FOR EACH ROW EXECUTE FUNCTION bypass.rewrite();
CREATE OR REPLACE TRIGGER zzz_moderation_verify AFTER INSERT OR UPDATE ON bypass.post FOR EACH ROW WHEN (false) EXECUTE FUNCTION moderation.verify_row();
DROP TRIGGER zzz_moderation_scan ON bypass.post;
ALTER TABLE bypass.post DISABLE TRIGGER ALL;
RESET ROLE;
SET ROLE bypass_writer;
INSERT INTO bypass.post VALUES (10, 'bypass 10', '', 'hello');
UPDATE bypass.post SET title = 'hello' WHERE id = 7;
INSERT INTO bypass.part_1 VALUES (1, 'bypass 10', 'hello');
RESET ROLE;
SELECT * FROM bypass.problem;
DROP TRIGGER zzzz ON bypass.post;
DROP TRIGGER zzzz ON bypass.part_1;

---- The owner ----
-- Under replica role, event triggers that do not fire always would look away.
GRANT SET ON PARAMETER session_replication_role TO bypass_owner;
SET ROLE bypass_owner;
SET session_replication_role = replica;
ALTER TABLE bypass.post DISABLE TRIGGER zzz_moderation_scan;
DROP TRIGGER zzz_moderation_verify ON bypass.post;
ALTER TABLE bypass.part DETACH PARTITION bypass.part_2;
ALTER TABLE bypass.part ATTACH PARTITION bypass.part_2 FOR VALUES IN (2);
RESET session_replication_role;
RESET ROLE;
REVOKE SET ON PARAMETER session_replication_role FROM bypass_owner;
SELECT * FROM bypass.problem;
SET ROLE bypass_owner;
-- Content that ALTER TABLE computes is not seen by row triggers: it is scanned when the command is done, where there is any.
DROP VIEW bypass.post_view, bypass.rule_view, bypass.instead_view;
ALTER TABLE bypass.post ALTER COLUMN body TYPE text USING 'a zorblax';
ALTER TABLE bypass.post ALTER COLUMN id TYPE bigint USING id + 100, ALTER COLUMN title TYPE text USING 'a zorblax';
ALTER TABLE bypass.part ALTER COLUMN body TYPE varchar(100) USING 'a zorblax';
DO $$ BEGIN EXECUTE 'ALTER TABLE bypass.part ALTER body TYPE text USING ''a zorblax'''; END $$;
-- What only changes its type stays as it was scanned.
ALTER TABLE bypass.post ALTER COLUMN body TYPE varchar(100), ALTER COLUMN id TYPE bigint USING id + 100;
ALTER TABLE bypass.part ALTER COLUMN body TYPE varchar(100);
SELECT id, title, body FROM bypass.post ORDER BY id;
-- Generated: the parts of it are scanned one by one, so it can be neither content nor account.
ALTER TABLE bypass.post ADD COLUMN whole text GENERATED ALWAYS AS (title || body) STORED;
RESET ROLE;
SELECT moderation.guard('bypass.post', '{title,body,whole}', 'author', 'test');
SELECT moderation.guard('bypass.post', '{title,body}', 'whole', 'test');
SET ROLE bypass_owner;
ALTER TABLE bypass.post DROP COLUMN whole;
-- The only content column taken away, and another put in its place.
DROP VIEW bypass.walled_view;
ALTER TABLE bypass.walled DROP COLUMN body, ADD COLUMN body text;
INSERT INTO bypass.walled VALUES (11, 'bypass_owner', 'a zorblax');
-- Heirs.
CREATE TABLE bypass.heir () INHERITS (bypass.post);
CREATE TABLE bypass.heir (LIKE bypass.post INCLUDING ALL);
ALTER TABLE bypass.heir INHERIT bypass.post;
-- Rows put into a detached partition, which is then attached again: scanned then.
ALTER TABLE bypass.part DETACH PARTITION bypass.part_1;
INSERT INTO bypass.part_1 VALUES (1, 'bypass 12', 'a zorblax');
ALTER TABLE bypass.part ATTACH PARTITION bypass.part_1 FOR VALUES IN (1);
DELETE FROM bypass.part_1;
INSERT INTO bypass.part_1 VALUES (1, 'bypass 12', 'hello');
ALTER TABLE bypass.part ATTACH PARTITION bypass.part_1 FOR VALUES IN (1);
INSERT INTO bypass.part_1 VALUES (1, 'bypass 12', 'a zorblax');
-- Moved to another schema, renamed: it stays guarded.
RESET ROLE;
GRANT CREATE ON SCHEMA public TO bypass_owner;
SET ROLE bypass_owner;
ALTER TABLE bypass.post SET SCHEMA public;
ALTER TABLE public.post RENAME TO bypass_post;
INSERT INTO public.bypass_post VALUES (13, 'bypass 13', '', 'a zorblax');
ALTER TABLE public.bypass_post RENAME TO post;
ALTER TABLE public.post SET SCHEMA bypass;
-- A rule that writes elsewhere instead; one that does so besides; one on a view, which writes here.
CREATE TABLE bypass.twin (LIKE bypass.post);
CREATE RULE other AS ON INSERT TO bypass.post WHERE NEW.id = 14 DO INSTEAD INSERT INTO bypass.twin VALUES (NEW.*);
CREATE RULE other AS ON UPDATE TO bypass.post DO INSTEAD NOTHING;
CREATE RULE other AS ON INSERT TO bypass.part_1 DO INSTEAD NOTHING;
CREATE RULE other AS ON INSERT TO bypass.post DO ALSO INSERT INTO bypass.twin VALUES (NEW.*);
INSERT INTO bypass.post VALUES (14, 'bypass 14', '', 'a zorblax');
DROP RULE other ON bypass.post;
TABLE bypass.twin;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM bypass_owner;
SELECT * FROM bypass.problem;

---- A superuser ----
-- May do all that, is warned, and verify() sees what lasts.
CREATE TABLE bypass.heir_of_post () INHERITS (bypass.post);
INSERT INTO bypass.heir_of_post VALUES (20, 'bypass 20', '', 'a zorblax');
ALTER TABLE bypass.part_1 DISABLE TRIGGER ALL;
CREATE OR REPLACE TRIGGER zzz_moderation_scan BEFORE INSERT ON bypass.post FOR EACH ROW EXECUTE FUNCTION bypass.rewrite();
ALTER TABLE bypass.walled NO FORCE ROW LEVEL SECURITY;
ALTER TABLE bypass.note ALTER COLUMN body TYPE text USING 'a zorblax';
ALTER TABLE bypass.note ALTER COLUMN body TYPE bytea USING 'zorblax';
INSERT INTO bypass.note VALUES (20, NULL, 'zorblax');
SELECT * FROM bypass.problem;
ALTER EVENT TRIGGER moderation_keep_guards DISABLE;
SELECT object, problem FROM moderation.verify() WHERE object ~ 'keep_guards';
ALTER EVENT TRIGGER moderation_keep_guards ENABLE;
SELECT object, problem, hint FROM moderation.verify() WHERE object ~ 'keep_guards';
ALTER EVENT TRIGGER moderation_keep_guards ENABLE ALWAYS;

-- Nothing was stored that should not be, and each refusal was recorded.
SELECT account, category, action, relation, count(*) FROM moderation.violation WHERE account LIKE 'bypass%' GROUP BY 1, 2, 3, 4 ORDER BY 1, 4;

SET client_min_messages = warning;
DROP SCHEMA bypass CASCADE;
REVOKE ALL ON SCHEMA moderation FROM bypass_owner, bypass_trigger, bypass_writer;
DROP ROLE bypass_owner, bypass_trigger, bypass_writer;
