-- guard(): what cannot be guarded, why, and the command that helps; what it leaves behind; being called again.
\set VERBOSITY default
\set SHOW_CONTEXT never
\i sql/include/test_policy.sql
CREATE TABLE setup_post (id int PRIMARY KEY, author text, title varchar(80), body text, likes int DEFAULT 0,
	length int GENERATED ALWAYS AS (likes + 1) STORED, loud text GENERATED ALWAYS AS (upper(title)) STORED);
CREATE ROLE setup_owner;
ALTER TABLE setup_post OWNER TO setup_owner;

-- Columns.
SELECT moderation.guard('setup_post', '{nothing}', 'author');
\echo :LAST_ERROR_SQLSTATE
SELECT moderation.guard('setup_post', '{body,likes}', 'author');
SELECT moderation.guard('setup_post', '{body,loud}', 'author');
SELECT moderation.guard('setup_post', '{body,xmin}', 'author');
SELECT moderation.guard('setup_post', '{body,body}', 'author');
SELECT moderation.guard('setup_post', '{body,NULL}', 'author');
SELECT moderation.guard('setup_post', '{}', 'author');
SELECT moderation.guard('setup_post', NULL, 'author');
SELECT moderation.guard('setup_post', '{body}', 'who');
SELECT moderation.guard('setup_post', '{body}', 'length');
SELECT moderation.guard('setup_post', '{body}', NULL);
SELECT moderation.guard(NULL, '{body}', 'author');
SELECT moderation.guard('setup_post', '{body}', 'author', policy => 'nowhere');
SELECT moderation.guard('setup_post', '{body}', 'author', action => 'burn');
CREATE TABLE setup_numbers (id int, author int);
SELECT moderation.guard('setup_numbers', '{id}', 'author');

-- Relations.
CREATE VIEW setup_view AS SELECT * FROM setup_post;
SELECT moderation.guard('setup_view', '{body}', 'author');
CREATE MATERIALIZED VIEW setup_matview AS SELECT * FROM setup_post;
SELECT moderation.guard('setup_matview', '{body}', 'author');
CREATE SEQUENCE setup_sequence;
SELECT moderation.guard('setup_sequence', '{body}', 'author');
SELECT moderation.guard('setup_post_pkey', '{body}', 'author');
CREATE TEMP TABLE setup_temp (author text, body text);
SELECT moderation.guard('setup_temp', '{body}', 'author');
SELECT moderation.guard('pg_class', '{relname}', 'relname');
SELECT moderation.guard('moderation.quarantine', '{relation}', 'account');
SELECT moderation.guard('information_schema.sql_features', '{comments}', 'feature_id');
SELECT moderation.guard(1::regclass, '{body}', 'author');
CREATE TABLE setup_parent (author text, body text);
CREATE TABLE setup_child () INHERITS (setup_parent);
SELECT moderation.guard('setup_parent', '{body}', 'author');
SELECT moderation.guard('setup_child', '{body}', 'author');
CREATE TABLE setup_event (author text, "the body" text, day int) PARTITION BY RANGE (day);
CREATE TABLE setup_event_1 PARTITION OF setup_event FOR VALUES FROM (1) TO (2);
SELECT moderation.guard('setup_event_1', '{"the body"}', 'author');
CREATE FOREIGN DATA WRAPPER setup_wrapper;
CREATE SERVER setup_server FOREIGN DATA WRAPPER setup_wrapper;
CREATE FOREIGN TABLE setup_foreign (author text, body text) SERVER setup_server;
SELECT moderation.guard('setup_foreign', '{body}', 'author', row_security => true);
CREATE FUNCTION setup_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE setup_taken (author text, body text);
CREATE TRIGGER zzz_moderation_scan BEFORE INSERT ON setup_taken FOR EACH ROW EXECUTE FUNCTION setup_trigger();
SELECT moderation.guard('setup_taken', '{body}', 'author');

-- Owners, and who may call it at all.
CREATE ROLE setup_stranger;
SET ROLE setup_stranger;
SELECT moderation.guard('setup_post', '{body}', 'author');
RESET ROLE;
GRANT USAGE ON SCHEMA moderation TO setup_stranger;
GRANT EXECUTE ON FUNCTION moderation.guard, moderation.unguard TO setup_stranger;
SET ROLE setup_stranger;
SELECT moderation.guard('setup_post', '{body}', 'author');
SELECT moderation.unguard('setup_post');
RESET ROLE;
GRANT CREATE ON SCHEMA public TO setup_stranger;
SET ROLE setup_stranger;
CREATE TABLE setup_own (author text, body text);
SELECT moderation.guard('setup_own', '{body}', 'author', 'test');
RESET ROLE;
SELECT relation, content_columns, account_column, policy, action, row_security, guarded_by FROM moderation.guarded WHERE relation = 'setup_own'::regclass;

-- What it leaves behind.
SELECT moderation.guard('setup_post', '{title,body}', 'author', 'test');
SELECT tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'setup_post'::regclass ORDER BY 1;
SELECT relation, content_columns, account_column, policy, action, row_security FROM moderation.guarded WHERE relation = 'setup_post'::regclass;

-- Again: the same, with other arguments, and over triggers that were tampered with.
SELECT moderation.guard('setup_post', '{title,body}', 'author', 'test');
SELECT moderation.guard('setup_post', '{body}', 'author', 'test', 'flag');
SELECT relation, content_columns, account_column, policy, action FROM moderation.guarded WHERE relation = 'setup_post'::regclass;
INSERT INTO setup_post (id, author, body) VALUES (1, 'setup ada', 'a zorblax');
SELECT account, category, action FROM moderation.violation WHERE relation = 'public.setup_post';
ALTER TABLE setup_post DISABLE TRIGGER zzz_moderation_scan;
DROP TRIGGER zzz_moderation_verify ON setup_post;
SELECT * FROM moderation.verify_guards();
SELECT moderation.guard('setup_post', '{body}', 'author', 'test', 'flag');
SELECT * FROM moderation.verify_guards();
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'setup_post'::regclass ORDER BY 1;

-- Rows that are there already are not scanned, and that is said.
CREATE TABLE setup_old ("Author" text, "Body" text);
INSERT INTO setup_old VALUES ('setup ben', 'a zorblax'), ('setup cia', 'hello');
SELECT moderation.guard('setup_old', '{Body}', 'Author', 'test');
SELECT t.*, v.category FROM public.setup_old AS t, moderation.verdict(t."Body"::text, 'test') AS v WHERE v.flagged;

-- A partition that was guarded on its own, and attached since.
CREATE TABLE setup_event_2 (author text, "the body" text, day int);
SELECT moderation.guard('setup_event_2', '{"the body"}', 'author', 'test');
ALTER TABLE setup_event ATTACH PARTITION setup_event_2 FOR VALUES FROM (2) TO (3);
SELECT moderation.guard('setup_event', '{"the body"}', 'author', 'test');
SELECT moderation.unguard('public.setup_event_2');
SELECT moderation.guard('setup_event', '{"the body"}', 'author', 'test');
CREATE TABLE setup_event_3 PARTITION OF setup_event FOR VALUES FROM (3) TO (4);
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'setup_event%' ORDER BY 1, 2;
SELECT moderation.unguard('setup_event_3');

-- The trigger functions are harmless anywhere else.
SELECT moderation.scan_row();
CREATE TABLE setup_victim (author text, body text);
CREATE TRIGGER zzz_moderation_scan BEFORE INSERT ON setup_victim FOR EACH ROW EXECUTE FUNCTION moderation.scan_row('body', 'author');
INSERT INTO setup_victim VALUES ('setup dan', 'a zorblax');
DROP TRIGGER zzz_moderation_scan ON setup_victim;
CREATE TRIGGER other BEFORE INSERT ON setup_victim FOR EACH ROW EXECUTE FUNCTION moderation.scan_row();
INSERT INTO setup_victim VALUES ('setup dan', 'a zorblax');
DROP TRIGGER other ON setup_victim;
CREATE TRIGGER zzz_moderation_verify AFTER INSERT ON setup_victim EXECUTE FUNCTION moderation.verify_row();
INSERT INTO setup_victim VALUES ('setup dan', 'a zorblax');
SELECT count(*) FROM moderation.violation WHERE account = 'setup dan';

-- Renames are followed; a dropped content column is let go, the account's cannot be dropped; a dropped table is forgotten.
ALTER TABLE setup_old RENAME TO setup_older;
ALTER TABLE setup_older RENAME "Body" TO text;
ALTER TABLE setup_older RENAME "Author" TO writer;
\set VERBOSITY terse
INSERT INTO setup_older VALUES ('setup eva', 'a zorblax');
\set VERBOSITY default
SELECT relation, content_columns, account_column FROM moderation.guarded WHERE relation = 'setup_older'::regclass;
ALTER TABLE setup_older DROP COLUMN writer;
SELECT moderation.guard('setup_post', '{title,body}', 'author', 'test');
DROP VIEW setup_view;
DROP MATERIALIZED VIEW setup_matview;
ALTER TABLE setup_post DROP COLUMN body, ADD COLUMN body2 text;
\set VERBOSITY terse
INSERT INTO setup_post (id, author, title) VALUES (9, 'setup fay', 'a zorblax');
SELECT relation, content_columns, account_column FROM moderation.guarded WHERE relation = 'setup_post'::regclass;
DROP TABLE setup_older, setup_own, setup_event, setup_post;
SELECT relation FROM moderation.guarded WHERE relation::text LIKE '%setup%';
SELECT * FROM moderation.verify_guards();

DROP TABLE setup_numbers, setup_parent, setup_child, setup_taken, setup_victim;
DROP SERVER setup_server CASCADE;
DROP FOREIGN DATA WRAPPER setup_wrapper;
DROP SEQUENCE setup_sequence;
DROP FUNCTION setup_trigger;
REVOKE ALL ON SCHEMA public, moderation FROM setup_stranger;
REVOKE ALL ON FUNCTION moderation.guard, moderation.unguard FROM setup_stranger;
DROP ROLE setup_stranger, setup_owner;
