-- Every way by which a row gets into a table: what is refused by one is refused by all.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE TABLE path_post (id int PRIMARY KEY, author text, body text);
SELECT moderation.guard('path_post', '{body}', 'author', 'test');
CREATE VIEW path_violation AS SELECT account, category, action, relation FROM moderation.violation WHERE relation LIKE 'public.path\_%';

-- INSERT: a row, several, from a query, prepared, in a writable CTE, through a view.
INSERT INTO path_post VALUES (1, 'path 1', 'a zorblax');
INSERT INTO path_post VALUES (1, 'path ok', 'hello'), (2, 'path 2', 'a zorblax');
INSERT INTO path_post SELECT i, 'path 3', CASE WHEN i < 500 THEN 'hello ' || i ELSE 'a zorblax' END FROM generate_series(1, 1000) i;
PREPARE path_insert AS INSERT INTO path_post VALUES ($1, $2, $3);
EXECUTE path_insert(4, 'path 4', 'a zorblax');
WITH w AS (INSERT INTO path_post VALUES (5, 'path 5', 'a zorblax') RETURNING id) SELECT * FROM w;
CREATE VIEW path_view AS SELECT * FROM path_post;
INSERT INTO path_view VALUES (6, 'path 6', 'a zorblax');
INSERT INTO path_post VALUES (7, 'path 7', DEFAULT) RETURNING id, body;
ALTER TABLE path_post ALTER COLUMN body SET DEFAULT 'a zorblax';
INSERT INTO path_post (id, author) VALUES (8, 'path 8');
ALTER TABLE path_post ALTER COLUMN body DROP DEFAULT;

-- COPY, in one go and FREEZE.
COPY path_post FROM stdin;
20	path ok	hello
21	path 21	a zorblax
\.
BEGIN;
TRUNCATE path_post;
COPY path_post FROM stdin WITH (FREEZE);
22	path 22	a zorblax
\.
ROLLBACK;
COPY path_post (author, id, body) FROM stdin WITH (FORMAT csv);
path ok,23,"a flagword"
path ok,24,"a redactword"
path ok,25,"a quarword"
\.

-- UPDATE: plain, from another table, of several rows.
INSERT INTO path_post VALUES (30, 'path 30', 'hello'), (31, 'path 31', 'hello');
UPDATE path_post SET body = 'a zorblax' WHERE id = 30;
UPDATE path_post p SET body = v.body FROM (VALUES (31, 'a zorblax')) AS v (id, body) WHERE p.id = v.id;
UPDATE path_view SET body = 'a zorblax' WHERE id = 31;

-- ON CONFLICT: the row proposed is scanned; so is what the conflict makes of it.
INSERT INTO path_post VALUES (30, 'path 32', 'a zorblax') ON CONFLICT DO NOTHING;
INSERT INTO path_post VALUES (30, 'path 33', 'a flagword') ON CONFLICT DO NOTHING;
INSERT INTO path_post VALUES (30, 'path 34', 'hello') ON CONFLICT (id) DO UPDATE SET author = excluded.author, body = 'a zorblax';
INSERT INTO path_post VALUES (30, 'path 35', 'a flagword') ON CONFLICT (id) DO UPDATE SET author = excluded.author, body = excluded.body;
INSERT INTO path_post VALUES (30, 'path 36', 'a redactword') ON CONFLICT (id) DO UPDATE SET author = excluded.author, body = excluded.body;

-- MERGE.
MERGE INTO path_post AS p USING (VALUES (30, 'path 40', 'a zorblax')) AS v (id, author, body) ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET author = v.author, body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.author, v.body);
MERGE INTO path_post AS p USING (VALUES (41, 'path 41', 'a zorblax')) AS v (id, author, body) ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.author, v.body);
MERGE INTO path_post AS p USING (VALUES (31, 'path 42', 'a flagword'), (42, 'path 42', 'a flagword')) AS v (id, author, body) ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET author = v.author, body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.author, v.body);

-- PL: a caught refusal is recorded nevertheless.
DO $$
BEGIN
	BEGIN
		INSERT INTO path_post VALUES (50, 'path 50', 'a zorblax');
	EXCEPTION WHEN SQLSTATE 'MD001' THEN
		RAISE NOTICE 'caught';
	END;
	INSERT INTO path_post VALUES (50, 'path 50', 'a flagword');
END $$;
-- Cursors, savepoints.
BEGIN;
SAVEPOINT s;
INSERT INTO path_post VALUES (51, 'path 51', 'a flagword');
ROLLBACK TO s;
INSERT INTO path_post VALUES (52, 'path 52', 'a flagword');
COMMIT;
-- Foreign keys that carry an account along.
CREATE TABLE path_account (name text PRIMARY KEY);
INSERT INTO path_account VALUES ('path 53'), ('path 54');
CREATE TABLE path_note (author text REFERENCES path_account ON UPDATE CASCADE, body text);
SELECT moderation.guard('path_note', '{body}', 'author', 'test');
INSERT INTO path_note VALUES ('path 53', 'a flagword');
UPDATE path_account SET name = 'path 55' WHERE name = 'path 53';
SELECT moderation.suspend('path 56', 'test');
UPDATE path_account SET name = 'path 56' WHERE name = 'path 55';
SELECT author, body FROM path_note;

SELECT id, author, body FROM path_post WHERE id <> 1 OR body <> 'hello 1' ORDER BY id;
SELECT account, string_agg(category || ':' || action, ' ' ORDER BY category, action) FROM path_violation GROUP BY account
ORDER BY account;

-- Partitions with their columns in another order, one attached later, one of a foreign kind of nesting; moving between them.
CREATE TABLE path_event (day int, author text, body text, note text) PARTITION BY RANGE (day);
CREATE TABLE path_event_1 PARTITION OF path_event FOR VALUES FROM (1) TO (10);
SELECT moderation.guard('path_event', '{body,note}', 'author', 'test');
CREATE TABLE path_event_2 (dropped int, note text, body text, author text, day int);
ALTER TABLE path_event_2 DROP COLUMN dropped;
ALTER TABLE path_event ATTACH PARTITION path_event_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE path_event_3 PARTITION OF path_event DEFAULT PARTITION BY LIST (author);
CREATE TABLE path_event_3_1 PARTITION OF path_event_3 DEFAULT;
INSERT INTO path_event VALUES (1, 'path 101', 'a zorblax', '');
INSERT INTO path_event VALUES (11, 'path 102', 'hello', 'a zorblax');
INSERT INTO path_event VALUES (99, 'path 103', 'a zorblax', NULL);
INSERT INTO path_event_2 VALUES (NULL, 'a zorblax', 'path 104', 12);
INSERT INTO path_event_3_1 VALUES (99, 'path 105', 'a zorblax', NULL);
COPY path_event FROM stdin;
1	path 106	a flagword	a redactword
11	path 106	a redactword	a flagword
30	path 106	hello	a quarword
\.
SELECT tableoid::regclass, * FROM path_event ORDER BY day;
SELECT account, category, action, relation, count(*) FROM path_violation WHERE relation = 'public.path_event' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;
-- A row that moves is not judged again for what it was; for what it becomes, it is.
UPDATE path_event SET day = 12 WHERE day = 1;
UPDATE path_event SET day = 99 WHERE day = 12;
UPDATE path_event SET author = 'path 107' WHERE day = 99;
SELECT tableoid::regclass, * FROM path_event ORDER BY day;
SELECT category, action, count(*) FROM path_violation WHERE account IN ('path 106', 'path 107') GROUP BY 1, 2 ORDER BY 1;
UPDATE path_event SET day = 2, note = 'another flagword' WHERE day = 99;
UPDATE path_event SET day = 13, body = 'a zorblax' WHERE day = 2;
UPDATE path_event SET day = 13, body = 'a quarword' WHERE day = 2;
SELECT tableoid::regclass, * FROM path_event ORDER BY day;
SELECT account, category, action, count(*) FROM path_violation WHERE account IN ('path 106', 'path 107') GROUP BY 1, 2, 3 ORDER BY 1, 2;
-- Detached, it is on its own.
ALTER TABLE path_event DETACH PARTITION path_event_2;
INSERT INTO path_event_2 VALUES (NULL, 'a zorblax', 'path 108', 12);
SELECT * FROM moderation.verify_guards();

-- Loading a dump: whoever may, stores it as it is; an ordinary role may not.
SET moderation.mode = restore;
INSERT INTO path_post VALUES (60, 'path 60', 'a zorblax');
RESET moderation.mode;
CREATE ROLE path_role;
GRANT INSERT ON path_post TO path_role;
SET ROLE path_role;
SET moderation.mode = restore;
INSERT INTO path_post VALUES (61, 'path 61', 'a zorblax');
RESET ROLE;
SELECT account FROM path_violation WHERE account IN ('path 60', 'path 61');
-- session_replication_role changes nothing.
SET session_replication_role = replica;
INSERT INTO path_post VALUES (62, 'path 62', 'a zorblax');
RESET session_replication_role;

DROP VIEW path_violation, path_view;
DROP TABLE path_post, path_note, path_account, path_event, path_event_2;
DROP ROLE path_role;
