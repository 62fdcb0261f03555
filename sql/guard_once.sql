-- A flagged, masked, diverted or refused content is one violation: never none, never two.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE TABLE once_post (id int PRIMARY KEY, author text, body text);
SELECT moderation.guard('once_post', '{body}', 'author', 'test');
-- Violations of an account, by category and action.
CREATE FUNCTION once(account text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s %s', n, action), ', ' ORDER BY action), 'none')
	FROM (SELECT action, count(*) AS n FROM moderation.violation AS v WHERE v.account = once.account GROUP BY action) AS a $$;

-- As many as rows, though their contents are the same.
INSERT INTO once_post SELECT i, 'once 1', 'a flagword' FROM generate_series(1, 7) i;
INSERT INTO once_post SELECT 10 + i, 'once 1', 'a redactword' FROM generate_series(1, 7) i;
INSERT INTO once_post SELECT 20 + i, 'once 1', 'a quarword' FROM generate_series(1, 7) i;
SELECT once('once 1');
BEGIN;
INSERT INTO once_post VALUES (31, 'once 2', 'a flagword');
INSERT INTO once_post VALUES (32, 'once 2', 'a flagword');
UPDATE once_post SET body = 'another flagword' WHERE author = 'once 2';
UPDATE once_post SET body = 'a flagword' WHERE author = 'once 2';
COMMIT;
SELECT once('once 2');

-- ON CONFLICT: proposed and not stored is none; proposed and stored by DO UPDATE is one.
INSERT INTO once_post VALUES (41, 'once 3', 'hello');
INSERT INTO once_post VALUES (41, 'once 3', 'a flagword') ON CONFLICT DO NOTHING;
INSERT INTO once_post VALUES (41, 'once 3', 'a redactword') ON CONFLICT DO NOTHING;
SELECT once('once 3');
INSERT INTO once_post VALUES (41, 'once 3', 'a flagword') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
SELECT once('once 3');
INSERT INTO once_post VALUES (41, 'once 3', 'a redactword') ON CONFLICT (id) DO UPDATE SET body = excluded.body;
SELECT once('once 3'), body FROM once_post WHERE id = 41;
INSERT INTO once_post VALUES (41, 'once 3', 'a flagword'), (42, 'once 3', 'a flagword') ON CONFLICT (id) DO UPDATE SET body = 'harmless';
SELECT once('once 3');
BEGIN;
INSERT INTO once_post VALUES (41, 'once 4', 'a flagword') ON CONFLICT DO NOTHING;
INSERT INTO once_post VALUES (43, 'once 4', 'a flagword') ON CONFLICT DO NOTHING;
INSERT INTO once_post VALUES (41, 'once 4', 'a flagword') ON CONFLICT DO NOTHING;
COMMIT;
SELECT once('once 4');

-- Rolled back is none, of what is stored; refused is one all the same.
BEGIN;
INSERT INTO once_post VALUES (51, 'once 5', 'a flagword');
SAVEPOINT s;
INSERT INTO once_post VALUES (52, 'once 5', 'a flagword'), (53, 'once 5', 'a quarword');
ROLLBACK TO s;
INSERT INTO once_post VALUES (54, 'once 5', 'a flagword');
SAVEPOINT s;
INSERT INTO once_post VALUES (55, 'once 5', 'a zorblax');
ROLLBACK TO s;
INSERT INTO once_post VALUES (56, 'once 5', 'a redactword');
COMMIT;
SELECT once('once 5');
BEGIN;
INSERT INTO once_post VALUES (57, 'once 6', 'a flagword');
INSERT INTO once_post VALUES (58, 'once 6', 'a zorblax');
ROLLBACK;
SELECT once('once 6');
DO $$
BEGIN
	FOR i IN 1..5 LOOP
		BEGIN
			INSERT INTO once_post VALUES (60 + i, 'once 7', 'a flagword ' || i);
			IF i % 2 = 0 THEN
				RAISE EXCEPTION 'undo';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT once('once 7');

-- A cursor that inserts as it goes, with other statements between.
CREATE FUNCTION once_insert(id int, author text, body text) RETURNS int LANGUAGE sql AS $$ INSERT INTO once_post VALUES ($1, $2, $3) RETURNING id $$;
BEGIN;
DECLARE c CURSOR FOR SELECT once_insert(70 + i, 'once 8', 'a flagword') FROM generate_series(1, 6) i;
FETCH 2 FROM c;
INSERT INTO once_post VALUES (79, 'once 8', 'a flagword');
SAVEPOINT s;
FETCH 2 FROM c;
ROLLBACK TO s;
FETCH 2 FROM c;
COMMIT;
SELECT once('once 8'), count(*) FROM once_post WHERE author = 'once 8';

-- MERGE, writable CTEs, COPY.
MERGE INTO once_post AS p USING (SELECT 78 + i AS id FROM generate_series(1, 4) i) AS v ON p.id = v.id
	WHEN MATCHED THEN UPDATE SET body = 'a redactword', author = 'once 9' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'once 9', 'a flagword');
SELECT once('once 9'), count(*) FROM once_post WHERE author = 'once 9';
WITH a AS (INSERT INTO once_post VALUES (91, 'once 10', 'a flagword') RETURNING *),
	b AS (INSERT INTO once_post SELECT id + 1, author, body FROM a RETURNING *)
INSERT INTO once_post SELECT id + 2, author, body FROM b;
SELECT once('once 10'), count(*) FROM once_post WHERE author = 'once 10';
COPY once_post FROM stdin;
194	once 11	a flagword
195	once 11	a flagword
196	once 11	hello
197	once 11	a redactword
198	once 11	a quarword
\.
SELECT once('once 11');

-- More in one statement than is remembered: 20,000 flagged, 20,000 masked.
INSERT INTO once_post SELECT 1000 + i, 'once 12', 'a flagword ' || i FROM generate_series(1, 20000) i;
INSERT INTO once_post SELECT 100000 + i, 'once 12', 'a redactword ' || i FROM generate_series(1, 20000) i;
SELECT once('once 12'), count(*) FROM once_post WHERE author = 'once 12';
DROP FUNCTION once_insert, once;
DROP TABLE once_post;
