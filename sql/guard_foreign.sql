-- A foreign table: the guard acts here, before the row is shipped; and a foreign partition among local ones.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE EXTENSION postgres_fdw;
DO $$ BEGIN EXECUTE format('CREATE SERVER foreign_loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
	split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()); END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER foreign_loop;
CREATE TABLE foreign_store (id int, author text, body text);
CREATE FOREIGN TABLE foreign_post (id int, author text, body text) SERVER foreign_loop OPTIONS (table_name 'foreign_store');
SELECT moderation.guard('foreign_post', '{body}', 'author', 'test');
INSERT INTO foreign_post VALUES (1, 'foreign 1', 'hello');
INSERT INTO foreign_post VALUES (2, 'foreign 2', 'a zorblax');
INSERT INTO foreign_post VALUES (3, 'foreign 3', 'a flagword'), (4, 'foreign 4', 'a redactword'), (5, 'foreign 5', 'a quarword');
COPY foreign_post FROM stdin;
6	foreign 6	a zorblax
\.
UPDATE foreign_post SET body = 'a zorblax' WHERE id = 1;
UPDATE foreign_post SET body = 'another flagword' WHERE id = 3;
UPDATE foreign_post SET id = 7 WHERE id = 4;
SELECT * FROM foreign_store ORDER BY id;
SELECT account, category, action, relation FROM moderation.violation WHERE account LIKE 'foreign %' ORDER BY account, category;
-- What is judged there is not judged here once more, and the other way round: each guard stands for itself.
SELECT moderation.unguard('foreign_post');
SELECT moderation.guard('foreign_store', '{body}', 'author', 'test');
INSERT INTO foreign_post VALUES (8, 'foreign 8', 'a flagword');
SELECT relation FROM moderation.violation WHERE account = 'foreign 8';
SELECT moderation.unguard('foreign_store');

CREATE TABLE foreign_part (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE foreign_part_1 PARTITION OF foreign_part FOR VALUES IN (1);
TRUNCATE foreign_store;
CREATE FOREIGN TABLE foreign_part_2 PARTITION OF foreign_part FOR VALUES IN (2) SERVER foreign_loop OPTIONS (table_name 'foreign_store');
SELECT moderation.guard('foreign_part', '{body}', 'author', 'test', row_security => true);
SELECT * FROM moderation.verify_guards();
INSERT INTO foreign_part VALUES (2, 'foreign 9', 'a zorblax');
INSERT INTO foreign_part VALUES (1, 'foreign 10', 'a flagword'), (2, 'foreign 10', 'a redactword');
-- A row that moves to the foreign partition is not recorded again.
UPDATE foreign_part SET id = 2 WHERE id = 1;
SELECT * FROM foreign_store ORDER BY body;
SELECT account, category, action, count(*) FROM moderation.violation WHERE relation = 'public.foreign_part' GROUP BY 1, 2, 3 ORDER BY 1, 2;
DROP TABLE foreign_part, foreign_store;
DROP EXTENSION postgres_fdw CASCADE;
