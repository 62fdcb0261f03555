-- The stored row is the scanned row, whatever other triggers do.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE TABLE trig_post (id int PRIMARY KEY, author text, body text, extra text);
SELECT moderation.guard('trig_post', '{body}', 'author', 'test');
CREATE VIEW trig_violation AS SELECT account, category, action FROM moderation.violation WHERE relation = 'public.trig_post';

-- Before ours: what it makes is what is scanned.
CREATE FUNCTION trig_body() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := coalesce(TG_ARGV[0], NEW.extra); RETURN NEW; END $$;
CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_body('a zorblax');
INSERT INTO trig_post VALUES (1, 'trig 1', 'hello');
DROP TRIGGER aaa ON trig_post;

-- After ours: rewritten to what must not be stored.
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_body();
INSERT INTO trig_post VALUES (2, 'trig 2', 'hello', 'a zorblax');
INSERT INTO trig_post VALUES (3, 'trig 3', 'hello', 'hello again');
UPDATE trig_post SET extra = 'a zorblax' WHERE id = 3;
-- It is too late to mask or to divert, so that is refused; without a strike.
INSERT INTO trig_post VALUES (4, 'trig 4', 'hello', 'a redactword');
INSERT INTO trig_post VALUES (5, 'trig 5', 'hello', 'a quarword');
INSERT INTO trig_post VALUES (6, 'trig 6', 'hello', 'a flagword');
-- What ours flagged or masked and the other took away again was not stored.
INSERT INTO trig_post VALUES (7, 'trig 7', 'a flagword', 'hello');
INSERT INTO trig_post VALUES (8, 'trig 8', 'a redactword', 'hello');
INSERT INTO trig_post VALUES (9, 'trig 9', 'a flagword', 'a flagword');
SELECT * FROM trig_post ORDER BY id;
SELECT * FROM trig_violation ORDER BY account;
SELECT count(*) FROM moderation.account_status WHERE account IN ('trig 4', 'trig 5');
DROP TRIGGER zzzz ON trig_post;

-- After ours: another account is put in, and it may not write.
CREATE FUNCTION trig_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.author := NEW.extra; RETURN NEW; END $$;
CREATE TRIGGER zzzz BEFORE INSERT OR UPDATE ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_account();
SELECT moderation.suspend('trig 20', 'test');
INSERT INTO trig_post VALUES (20, 'trig 21', 'hello', 'trig 20');
INSERT INTO trig_post VALUES (22, 'trig 22', 'a flagword', 'trig 23');
SELECT * FROM trig_violation WHERE account IN ('trig 20', 'trig 21', 'trig 22', 'trig 23');
DROP TRIGGER zzzz ON trig_post;

-- A veto: nothing was stored, so nothing is recorded; a refusal comes before any veto.
CREATE FUNCTION trig_veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER zzzz BEFORE INSERT ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_veto();
INSERT INTO trig_post VALUES (30, 'trig 30', 'a flagword');
INSERT INTO trig_post VALUES (31, 'trig 31', 'a zorblax');
SELECT * FROM trig_violation WHERE account IN ('trig 30', 'trig 31');
DROP TRIGGER zzzz ON trig_post;

-- The scan switched off, by the owner: what is stored unscanned is scanned after all.
ALTER TABLE trig_post DISABLE TRIGGER zzz_moderation_scan;
INSERT INTO trig_post VALUES (40, 'trig 40', 'a zorblax');
INSERT INTO trig_post VALUES (41, 'trig 41', 'a flagword'), (42, 'trig 42', 'hello');
ALTER TABLE trig_post ENABLE ALWAYS TRIGGER zzz_moderation_scan;
-- With a condition that never holds, and under another name.
CREATE OR REPLACE TRIGGER zzz_moderation_scan BEFORE INSERT OR UPDATE ON trig_post FOR EACH ROW WHEN (NEW.id < 0) EXECUTE FUNCTION moderation.scan_row();
ALTER TABLE trig_post ENABLE ALWAYS TRIGGER zzz_moderation_scan;
INSERT INTO trig_post VALUES (43, 'trig 43', 'a zorblax');
SELECT * FROM trig_violation WHERE account LIKE 'trig 4_' ORDER BY 1;
SELECT problem FROM moderation.verify_guards();
ALTER TRIGGER zzz_moderation_scan ON trig_post RENAME TO aaa_scan;
INSERT INTO trig_post VALUES (44, 'trig 44', 'hello');
DROP TRIGGER aaa_scan ON trig_post;
SELECT moderation.guard('trig_post', '{body}', 'author', 'test');
SELECT problem FROM moderation.verify_guards();
INSERT INTO trig_post VALUES (44, 'trig 44', 'a zorblax');

-- A table that inherits from a guarded one shows its rows there, unscanned: reported.
CREATE TABLE trig_heir () INHERITS (trig_post);
SELECT object, problem, hint FROM moderation.verify_guards();
DROP TABLE trig_heir;

-- A trigger that writes to a guarded table itself, from within ours' surroundings.
CREATE TABLE trig_log (author text, body text);
SELECT moderation.guard('trig_log', '{body}', 'author', 'test');
CREATE FUNCTION trig_copy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trig_log VALUES (NEW.author, NEW.body); RETURN NEW; END $$;
CREATE TRIGGER aaa BEFORE INSERT ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_copy();
CREATE TRIGGER zzzzz AFTER INSERT ON trig_post FOR EACH ROW EXECUTE FUNCTION trig_copy();
INSERT INTO trig_post VALUES (50, 'trig 50', 'a flagword'), (51, 'trig 50', 'a redactword');
SELECT * FROM trig_log ORDER BY body;
SELECT relation, category, count(*) FROM moderation.violation WHERE account = 'trig 50' GROUP BY 1, 2 ORDER BY 1, 2;
-- A type's own cast to text, which is the account's, writes to a guarded table while a row is being judged.
CREATE TYPE trig_name AS (name text);
CREATE FUNCTION trig_cast(n trig_name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO trig_log VALUES ('trig 61', 'a redactword from a cast'); RETURN n.name; END $$;
CREATE CAST (trig_name AS text) WITH FUNCTION trig_cast(trig_name);
CREATE TABLE trig_odd (author trig_name, body text);
SELECT moderation.guard('trig_odd', '{body}', 'author', 'test');
INSERT INTO trig_odd VALUES (ROW('trig 60'), 'a redactword');
SELECT * FROM trig_odd;
SELECT relation, account, category FROM moderation.violation WHERE account IN ('trig 60', 'trig 61') ORDER BY 1;

DROP VIEW trig_violation;
DROP TABLE trig_post, trig_log, trig_odd;
DROP CAST (trig_name AS text);
DROP FUNCTION trig_body, trig_account, trig_veto, trig_copy, trig_cast;
DROP TYPE trig_name;
