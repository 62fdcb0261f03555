-- P7: what is stored is what was scanned, whatever other triggers, types and moves there are: cases beside those of guard_triggers.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE verify_owner;
CREATE ROLE verify_writer;
CREATE SCHEMA verify AUTHORIZATION verify_owner;
GRANT USAGE ON SCHEMA verify TO verify_writer;
SET ROLE verify_owner;
CREATE TABLE verify.post (id int PRIMARY KEY, author text, body text, extra text,
	shout text GENERATED ALWAYS AS (upper(body)) STORED, CHECK (length(body) < 100000));
CREATE TABLE verify.part (id int, author text, body text, extra text) PARTITION BY RANGE (id);
CREATE TABLE verify.part_1 PARTITION OF verify.part FOR VALUES FROM (1) TO (10);
CREATE TABLE verify.part_2 PARTITION OF verify.part FOR VALUES FROM (10) TO (20);
GRANT ALL ON ALL TABLES IN SCHEMA verify TO verify_writer;
RESET ROLE;
SELECT moderation.guard('verify.post', '{body}', 'author', 'test');
SELECT moderation.guard('verify.part', '{body}', 'author', 'test');
CREATE VIEW verify.told AS SELECT account, category, action, count(*) FROM moderation.violation WHERE relation LIKE 'verify.%' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SET ROLE verify_owner;
-- A trigger after the scan that does to the row what "extra" says.
CREATE FUNCTION verify.late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.extra LIKE 'body:%' THEN NEW.body := substr(NEW.extra, 6); END IF;
	IF NEW.extra LIKE 'account:%' THEN NEW.author := substr(NEW.extra, 9); END IF;
	IF NEW.extra = 'none' THEN RETURN NULL; END IF;
	IF NEW.extra = 'null' THEN NEW.body := NULL; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER zzzz_late BEFORE INSERT OR UPDATE ON verify.post FOR EACH ROW EXECUTE FUNCTION verify.late();
CREATE TRIGGER zzzz_late BEFORE INSERT OR UPDATE ON verify.part FOR EACH ROW EXECUTE FUNCTION verify.late();
SET ROLE verify_writer;

-- ON CONFLICT: the row proposed and the row made are judged each for itself, after the late trigger.
INSERT INTO verify.post VALUES (1, 'verify 1', 'hello');
INSERT INTO verify.post VALUES (1, 'verify 1', 'hello') ON CONFLICT (id) DO UPDATE SET extra = 'body:a zorblax';
INSERT INTO verify.post VALUES (1, 'verify 1', 'hello', 'body:a zorblax') ON CONFLICT (id) DO UPDATE SET body = 'fine';
INSERT INTO verify.post VALUES (1, 'verify 1', 'hello', 'body:a zorblax') ON CONFLICT (id) DO NOTHING;
INSERT INTO verify.post VALUES (1, 'verify 2', 'a flagword', 'body:fine') ON CONFLICT (id) DO UPDATE SET body = 'hello', extra = '';
MERGE INTO verify.post AS p USING (VALUES (1, 'body:a zorblax')) AS v (id, extra) ON p.id = v.id WHEN MATCHED THEN UPDATE SET extra = v.extra;
MERGE INTO verify.post AS p USING (VALUES (2, 'body:a zorblax')) AS v (id, extra) ON p.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'verify 3', 'hello', v.extra);
COPY verify.post FROM stdin;
3	verify 3	hello	body:a zorblax
\.
SELECT id, author, body FROM verify.post;
-- Stored, vetoed, stored again with the same content: what was vetoed leaves nothing that the next could use.
INSERT INTO verify.post VALUES (4, 'verify 4', 'a flagword', 'none'), (5, 'verify 4', 'a flagword', '');
INSERT INTO verify.post VALUES (6, 'verify 5', 'hello', 'none'), (7, 'verify 5', 'other', 'body:hello'), (8, 'verify 5', 'other', 'body:a zorblax');
BEGIN;
INSERT INTO verify.post VALUES (9, 'verify 6', 'a redactword', 'none');
INSERT INTO verify.post VALUES (9, 'verify 6', 'hello', 'body:a redactword');
ROLLBACK;
-- Only the account changes after the scan: to one that may not write, and to another.
RESET ROLE;
SELECT moderation.freeze('verify frozen', 'test');
SET ROLE verify_writer;
INSERT INTO verify.post VALUES (10, 'verify 7', 'hello', 'account:verify frozen');
INSERT INTO verify.post VALUES (10, 'verify 7', 'a flagword', 'account:verify 8');
UPDATE verify.post SET extra = 'account:verify frozen' WHERE id = 10;
-- Twice in one command: by a data-modifying WITH, by an AFTER trigger that updates the row that was just stored.
WITH first AS (INSERT INTO verify.post VALUES (11, 'verify 9', 'hello') RETURNING id)
INSERT INTO verify.post SELECT id + 1, 'verify 9', 'hello', 'body:a zorblax' FROM first;
RESET ROLE;
SET ROLE verify_owner;
CREATE FUNCTION verify.again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.extra LIKE 'again:%' THEN UPDATE verify.post SET body = substr(NEW.extra, 7), extra = '' WHERE id = NEW.id; END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER aaaa_again AFTER INSERT OR UPDATE ON verify.post FOR EACH ROW EXECUTE FUNCTION verify.again();
CREATE CONSTRAINT TRIGGER deferred_again AFTER INSERT OR UPDATE ON verify.post DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION verify.again();
SET ROLE verify_writer;
INSERT INTO verify.post VALUES (13, 'verify 10', 'hello', 'again:a zorblax');
INSERT INTO verify.post VALUES (13, 'verify 10', 'hello', 'again:a flagword');
SELECT id, body FROM verify.post WHERE id = 13;
RESET ROLE;
DROP TRIGGER aaaa_again ON verify.post;
SET ROLE verify_writer;
BEGIN;
INSERT INTO verify.post VALUES (14, 'verify 11', 'hello', 'again:a zorblax');
SELECT id, body FROM verify.post WHERE id = 14;
COMMIT;
SELECT id, body FROM verify.post WHERE id = 14;
RESET ROLE;
DROP TRIGGER deferred_again ON verify.post;
SET ROLE verify_writer;
-- Moved to another partition by an UPDATE; the trigger there rewrites it.
INSERT INTO verify.part VALUES (1, 'verify 12', 'a flagword'), (2, 'verify 12', 'hello');
UPDATE verify.part SET id = 11, extra = 'body:a zorblax' WHERE id = 2;
UPDATE verify.part SET id = 11 WHERE id = 2;
UPDATE verify.part SET id = 12 WHERE id = 1;
UPDATE verify.part SET id = 3, extra = 'body:a zorblax' WHERE id = 12;
UPDATE verify.part SET id = 3, extra = 'account:verify frozen' WHERE id = 12;
SELECT tableoid::regclass, * FROM verify.part ORDER BY id;
-- Long content, out of line and compressed: left as it is, and changed.
INSERT INTO verify.post SELECT 20, 'verify 13', string_agg(md5(i::text), ' ') FROM generate_series(1, 1000) AS i;
INSERT INTO verify.post VALUES (21, 'verify 13', repeat('hello ', 5000));
UPDATE verify.post SET extra = 'x' WHERE id IN (20, 21);
UPDATE verify.post SET extra = 'body:a zorblax' WHERE id = 20;
UPDATE verify.post SET body = body || ' zorblax' WHERE id = 20;
UPDATE verify.post AS p SET body = (SELECT q.body FROM verify.post AS q WHERE q.id = 20) WHERE id = 21;
UPDATE verify.post SET extra = 'null' WHERE id = 21;
UPDATE verify.post SET extra = 'body:a zorblax' WHERE id = 21;
SELECT id, length(body), shout = upper(body) AS generated FROM verify.post WHERE id IN (20, 21) ORDER BY id;
RESET ROLE;
-- Errors that are caught: a row that was half judged leaves nothing behind for the next.
SET ROLE verify_writer;
DO $$
BEGIN
	FOR i IN 1..3 LOOP
		BEGIN
			INSERT INTO verify.post VALUES (30, 'verify 14 ' || i, 'hello', 'body:a zorblax');
		EXCEPTION WHEN SQLSTATE 'MD001' THEN
			RAISE NOTICE 'caught';
		END;
		BEGIN
			INSERT INTO verify.post VALUES (1, 'verify 14 ' || i, 'a flagword');
		EXCEPTION WHEN unique_violation THEN
			RAISE NOTICE 'caught';
		END;
	END LOOP;
	INSERT INTO verify.post VALUES (30, 'verify 14 1', 'a flagword', 'body:hello');
	INSERT INTO verify.post VALUES (31, 'verify 14 1', 'hello', 'body:a flagword');
END $$;
RESET ROLE;
-- A constraint of the table, or of a domain, sees what is stored, and whoever wrote it cannot change that; it may store elsewhere.
SET ROLE verify_owner;
CREATE TABLE verify.side (author text, body text);
CREATE FUNCTION verify.check(value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO verify.side VALUES ('verify 15', value || ' zorblax'); RETURN true; END $$;
CREATE DOMAIN verify.checked AS text CHECK (verify.check(VALUE));
CREATE TABLE verify.odd (author text, body verify.checked);
RESET ROLE;
SELECT moderation.guard('verify.side', '{body}', 'author', 'test');
SELECT moderation.guard('verify.odd', '{body}', 'author', 'test');
SET ROLE verify_owner;
INSERT INTO verify.odd VALUES ('verify 16', 'hello');
INSERT INTO verify.odd VALUES ('verify 16', 'a redactword');
CREATE OR REPLACE FUNCTION verify.check(value text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO verify.side VALUES ('verify 17', 'a redactword'); RETURN true; END $$;
INSERT INTO verify.odd VALUES ('verify 18', 'a redactword');
SELECT 'odd' AS "where", * FROM verify.odd UNION ALL SELECT 'side', * FROM verify.side ORDER BY 1, 2;
RESET ROLE;
-- A trigger that stores into the same table, down to a depth.
SET ROLE verify_owner;
CREATE TABLE verify.tree (depth int, author text, body text);
CREATE FUNCTION verify.grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.depth > 0 THEN INSERT INTO verify.tree VALUES (NEW.depth - 1, NEW.author, CASE NEW.depth WHEN 1 THEN NEW.body ELSE 'hello' END); END IF;
	IF NEW.depth = 3 THEN NEW.body := 'a flagword'; END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER aaaa_grow BEFORE INSERT ON verify.tree FOR EACH ROW EXECUTE FUNCTION verify.grow();
RESET ROLE;
SELECT moderation.guard('verify.tree', '{body}', 'author', 'test');
SET ROLE verify_owner;
INSERT INTO verify.tree VALUES (1, 'verify 19', 'a zorblax');
INSERT INTO verify.tree VALUES (5, 'verify 19', 'hello'), (1, 'verify 19', 'a redactword');
SELECT * FROM verify.tree ORDER BY 1, 3;
RESET ROLE;
-- A wide table, with a dropped column; types that cannot be content.
DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE verify.wide (author text, gone int, %s)', string_agg('c' || i || ' text', ', ')) FROM generate_series(1, 1500) AS i); END $$;
ALTER TABLE verify.wide DROP COLUMN gone;
SELECT moderation.guard('verify.wide', (SELECT array_agg(('c' || i)::name) FROM generate_series(1, 1500) AS i), 'author', 'test');
INSERT INTO verify.wide (author, c1, c1500) VALUES ('verify 20', 'hello', 'a zorblax');
INSERT INTO verify.wide (author, c750, c751) VALUES ('verify 20', 'a flagword', 'a redactword');
SELECT c750, c751 FROM verify.wide;
CREATE TYPE verify.pair AS (a text, b text);
CREATE TABLE verify.kinds (author text, a_name name, a_bytea bytea, a_pair verify.pair, a_pairs verify.pair[], a_xml xml, a_names name[], an_enum moderation.action, a_range int4range);
SELECT moderation.guard('verify.kinds', '{a_name}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_bytea}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_pair}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_pairs}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_xml}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_names}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{an_enum}', 'author', 'test');
SELECT moderation.guard('verify.kinds', '{a_range}', 'author', 'test');

TABLE verify.told;
SELECT count(*) FROM (SELECT body FROM verify.post UNION ALL SELECT body FROM verify.part UNION ALL SELECT body FROM verify.side UNION ALL SELECT body FROM verify.tree) AS s WHERE body LIKE '%zorblax%';
SELECT object, problem FROM moderation.verify() WHERE object ~ 'verify\.' ORDER BY object COLLATE "C", problem COLLATE "C";

SET client_min_messages = warning;
DROP SCHEMA verify CASCADE;
DROP ROLE verify_owner, verify_writer;
