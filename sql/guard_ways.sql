-- P5 and P6: what else can be done to a guarded table, as the role that can do it: the guard stays, and judges.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE ways_owner;
CREATE ROLE ways_other;
CREATE ROLE ways_writer;
CREATE ROLE ways_reader BYPASSRLS;
CREATE SCHEMA ways AUTHORIZATION ways_owner;
GRANT USAGE ON SCHEMA moderation TO ways_owner, ways_other;
GRANT USAGE, CREATE ON SCHEMA ways TO ways_other;
GRANT USAGE ON SCHEMA ways TO ways_writer, ways_reader;
GRANT ways_other TO ways_owner;
SET ROLE ways_owner;
CREATE TABLE ways.post (id int PRIMARY KEY, author text, body text);
CREATE TABLE ways.word (name text PRIMARY KEY);
CREATE TABLE ways.said (id int, author text DEFAULT 'ways ann' REFERENCES ways.word ON UPDATE CASCADE,
	body text DEFAULT 'a zorblax' REFERENCES ways.word ON UPDATE CASCADE ON DELETE SET DEFAULT);
CREATE TABLE ways.walled (id int, author text, body text);
CREATE TABLE ways.part (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE ways.part_1 PARTITION OF ways.part FOR VALUES IN (1) PARTITION BY LIST (author);
CREATE TABLE ways.part_1_1 PARTITION OF ways.part_1 DEFAULT;
GRANT ALL ON ALL TABLES IN SCHEMA ways TO ways_writer, ways_reader;
RESET ROLE;
SELECT moderation.guard('ways.post', '{body}', 'author', 'test');
SELECT moderation.guard('ways.said', '{body}', 'author', 'test');
SELECT moderation.guard('ways.walled', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('ways.part', '{body}', 'author', 'test');
CREATE VIEW ways.problem AS SELECT object, problem FROM moderation.verify() WHERE object ~ 'ways' ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT moderation.freeze('ways frozen', 'test');

---- A writer ----
SET ROLE ways_writer;
INSERT INTO ways.post VALUES (1, 'ways 1', 'hello');
UPDATE ways.post AS p SET body = s.body FROM (SELECT 1 AS id, 'a zorblax' AS body) AS s WHERE s.id = p.id;
BEGIN;
TRUNCATE ways.post;
INSERT INTO ways.post VALUES (1, 'ways 1', 'a zorblax');
ROLLBACK;
\set VERBOSITY sqlstate
COPY ways.post FROM PROGRAM 'true';
\set VERBOSITY terse
RESET ROLE;
-- Views: of the writer's rights, of the owner's, updatable through two of them, with a check option.
SET ROLE ways_owner;
CREATE VIEW ways.inner_view WITH (security_invoker = true) AS SELECT * FROM ways.post;
CREATE VIEW ways.outer_view AS SELECT * FROM ways.inner_view WITH CASCADED CHECK OPTION;
CREATE VIEW ways.walled_view WITH (security_invoker = true) AS SELECT * FROM ways.walled;
GRANT ALL ON ways.inner_view, ways.outer_view, ways.walled_view TO ways_writer;
SET ROLE ways_writer;
INSERT INTO ways.inner_view VALUES (2, 'ways 2', 'a zorblax');
UPDATE ways.outer_view SET body = 'a zorblax' WHERE id = 1;
INSERT INTO ways.outer_view VALUES (12, 'ways 12', 'hello');
INSERT INTO ways.outer_view VALUES (12, 'ways 12', 'hello') ON CONFLICT (id) DO UPDATE SET body = 'a zorblax';
INSERT INTO ways.walled_view VALUES (2, 'ways frozen', 'hello');
INSERT INTO ways.walled_view VALUES (2, 'ways 3', 'a zorblax');
-- A role that row security does not hold for.
SET ROLE ways_reader;
INSERT INTO ways.walled VALUES (3, 'ways frozen', 'hello');
INSERT INTO ways.walled VALUES (3, 'ways 4', 'a zorblax');
RESET ROLE;
-- Referential actions on the content itself: updated along, set to its default.
INSERT INTO ways.word VALUES ('hello'), ('ways ann'), ('a zorblax');
INSERT INTO ways.said VALUES (1, 'ways ann', 'hello');
UPDATE ways.word SET name = 'zorblax again' WHERE name = 'hello';
DELETE FROM ways.word WHERE name = 'hello';
UPDATE ways.word SET name = 'ways frozen' WHERE name = 'ways ann';
SELECT * FROM ways.said;
-- Settings of a role, a database, a function: none of them that a role without superuser can give itself.
SET ROLE ways_owner;
ALTER ROLE ways_owner SET moderation.mode = restore;
ALTER ROLE ways_owner SET session_replication_role = replica;
CREATE FUNCTION ways.put() RETURNS void LANGUAGE sql SET session_replication_role = replica AS $$ INSERT INTO ways.post VALUES (4, 'ways 5', 'a zorblax') $$;
DO $$ BEGIN PERFORM set_config('moderation.moderate_replica', 'off', true); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'refused'; END $$;
RESET ROLE;

---- The owner ----
SET ROLE ways_owner;
-- The partition between, detached: it and its partitions are on their own; attached again: not before they are clean.
ALTER TABLE ways.part DETACH PARTITION ways.part_1;
SELECT tgname FROM pg_trigger WHERE tgrelid IN ('ways.part_1'::regclass, 'ways.part_1_1'::regclass);
INSERT INTO ways.part_1 VALUES (1, 'ways 6', 'a zorblax'), (1, 'ways 6', 'a flagword');
ALTER TABLE ways.part ATTACH PARTITION ways.part_1 FOR VALUES IN (1);
DELETE FROM ways.part_1 WHERE body LIKE '%zorblax%';
ALTER TABLE ways.part ATTACH PARTITION ways.part_1 FOR VALUES IN (1);
INSERT INTO ways.part_1_1 VALUES (1, 'ways 6', 'a zorblax');
-- Detached and attached again, what was flagged is flagged once.
ALTER TABLE ways.part DETACH PARTITION ways.part_1;
ALTER TABLE ways.part ATTACH PARTITION ways.part_1 FOR VALUES IN (1);
SELECT tableoid::regclass, body FROM ways.part;
-- A partition for what has none; a row that would have been masked, one that would have been diverted, one too long.
CREATE TABLE ways.loaded (id int, author text, body text);
INSERT INTO ways.loaded VALUES (2, 'ways 7', 'a redactword');
ALTER TABLE ways.part ATTACH PARTITION ways.loaded DEFAULT;
UPDATE ways.loaded SET body = 'a quarword';
ALTER TABLE ways.part ATTACH PARTITION ways.loaded DEFAULT;
UPDATE ways.loaded SET body = repeat('hello ', 20000);
ALTER TABLE ways.part ATTACH PARTITION ways.loaded DEFAULT;
UPDATE ways.loaded SET body = 'hello', author = 'ways frozen';
ALTER TABLE ways.part ATTACH PARTITION ways.loaded DEFAULT;
INSERT INTO ways.part VALUES (9, 'ways frozen', 'hello');
-- A table that has a guard of its own cannot come under another's.
CREATE TABLE ways.own (id int, author text, body text);
RESET ROLE;
SELECT moderation.guard('ways.own', '{body}', 'author', 'test');
SET ROLE ways_owner;
ALTER TABLE ways.part ATTACH PARTITION ways.own FOR VALUES IN (5);
-- What rewrites a table, or changes something else about it: the guard stays.
ALTER TABLE ways.post SET UNLOGGED;
ALTER TABLE ways.post SET LOGGED;
ALTER TABLE ways.post SET ACCESS METHOD heap;
ALTER TABLE ways.post REPLICA IDENTITY FULL;
ALTER TABLE ways.post ADD CONSTRAINT short CHECK (length(body) < 1000);
ALTER TABLE ways.post ALTER body SET NOT NULL, ALTER body SET STORAGE EXTERNAL, ALTER body SET STATISTICS 10, ALTER body SET (n_distinct = 5);
ALTER TABLE ways.post DROP CONSTRAINT post_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
ALTER TABLE ways.post SET (fillfactor = 50), SET TABLESPACE pg_default, ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE ways.post DISABLE ROW LEVEL SECURITY;
CLUSTER ways.post USING post_pkey;
VACUUM (FULL) ways.post;
REINDEX TABLE ways.post;
ALTER INDEX ways.post_pkey RENAME TO post_key;
ALTER TABLE ways.post OWNER TO ways_other;
SET ROLE ways_writer;
INSERT INTO ways.post VALUES (10, 'ways 8', 'a zorblax');
SET ROLE ways_other;
ALTER TABLE ways.post DISABLE TRIGGER USER;
INSERT INTO ways.post VALUES (10, 'ways 8', 'a zorblax');
RESET ROLE;
-- Under other kinds of ALTER that reach tables, and by way of objects that the guard needs.
SET ROLE ways_owner;
ALTER VIEW ways.walled RENAME COLUMN body TO content;
INSERT INTO ways.walled VALUES (11, 'ways 9', 'a zorblax');
ALTER TABLE ways.walled RENAME COLUMN content TO body;
DROP FUNCTION moderation.scan_row() CASCADE;
ALTER FUNCTION moderation.scan_row() RENAME TO other;
CREATE OR REPLACE FUNCTION moderation.scan_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
DROP EXTENSION moderation CASCADE;
DROP EVENT TRIGGER moderation_keep_guards;
ALTER EVENT TRIGGER moderation_follow_drop DISABLE;
CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION moderation.keep_guards();
BEGIN; LOCK TABLE moderation.guarded; ROLLBACK;
UPDATE moderation.guarded SET content_columns = '{}';
RESET ROLE;
TABLE ways.problem;

---- A superuser ----
-- A trigger made or changed behind the event triggers: seen by what is wrong now.
ALTER EXTENSION moderation DROP EVENT TRIGGER moderation_note_guards;
DROP EVENT TRIGGER moderation_note_guards;
SELECT object, problem FROM moderation.verify() WHERE object ~ 'event trigger';
CREATE EVENT TRIGGER moderation_note_guards ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE', 'CREATE TRIGGER', 'ALTER TRIGGER',
		'DROP TRIGGER', 'ALTER POLICY', 'DROP POLICY', 'CREATE RULE', 'ALTER SCHEMA')
	EXECUTE FUNCTION moderation.note_guards();
COMMENT ON EVENT TRIGGER moderation_note_guards IS 'looks at the guards before a command may weaken one';
ALTER EVENT TRIGGER moderation_note_guards ENABLE ALWAYS;
ALTER EXTENSION moderation ADD EVENT TRIGGER moderation_note_guards;
SELECT object, problem FROM moderation.verify() WHERE object ~ 'event trigger';

SELECT account, category, action, strike, count(*) FROM moderation.violation WHERE relation LIKE 'ways.%' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3;
SELECT count(*) FROM (SELECT body FROM ways.post UNION ALL SELECT body FROM ways.said UNION ALL SELECT body FROM ways.walled UNION ALL SELECT body FROM ways.part) AS s WHERE body LIKE '%zorblax%';

SET client_min_messages = warning;
DROP SCHEMA ways CASCADE;
REVOKE ALL ON SCHEMA moderation FROM ways_owner, ways_other;
DROP ROLE ways_owner, ways_other, ways_writer, ways_reader;
