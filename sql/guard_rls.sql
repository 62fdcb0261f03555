-- row_security => true: a second wall for accounts that may not write; what it lets through is as before.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE rls_owner;
CREATE ROLE rls_app;
CREATE TABLE rls_post (author text, body text, day int) PARTITION BY LIST (day);
CREATE TABLE rls_post_1 PARTITION OF rls_post FOR VALUES IN (1);
ALTER TABLE rls_post OWNER TO rls_owner;
ALTER TABLE rls_post_1 OWNER TO rls_owner;
GRANT ALL ON rls_post, rls_post_1 TO rls_app;
\set VERBOSITY default
SELECT moderation.guard('rls_post', '{body}', 'author', 'test', row_security => true);
\set VERBOSITY terse
SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies WHERE tablename LIKE 'rls%' ORDER BY 1, 2;

-- The triggers taken away: the wall stands, for the owner and for others, on the table and its partitions.
ALTER TABLE rls_post DISABLE TRIGGER ALL;
SELECT moderation.freeze('rls ada', 'test');
SET ROLE rls_app;
INSERT INTO rls_post VALUES ('rls ben', 'hello', 1), (NULL, 'hello', 1);
INSERT INTO rls_post VALUES ('rls ada', 'hello', 1);
INSERT INTO rls_post_1 VALUES ('rls ada', 'hello', 1);
UPDATE rls_post SET author = 'rls ada' WHERE author = 'rls ben';
\copy rls_post FROM '/dev/null'
SET row_security = off;
INSERT INTO rls_post VALUES ('rls ada', 'hello', 1);
RESET row_security;
SET ROLE rls_owner;
INSERT INTO rls_post VALUES ('rls ada', 'hello', 1);
INSERT INTO rls_post_1 VALUES ('rls ada', 'hello', 1);
RESET ROLE;
SELECT * FROM rls_post;
-- A partition made later gets the wall, too; verify_guards() sees one that lost it, and guarding again mends it.
CREATE TABLE rls_post_2 PARTITION OF rls_post FOR VALUES IN (2);
SELECT object, problem FROM moderation.verify_guards() WHERE problem NOT LIKE 'trigger%';
DROP POLICY moderation_write ON rls_post_2;
SELECT object, problem FROM moderation.verify_guards() WHERE problem NOT LIKE 'trigger%';
SELECT moderation.guard('rls_post', '{body}', 'author', 'test', row_security => true);
SELECT * FROM moderation.verify_guards();
SELECT enabled_on, forced_on FROM moderation.guarded WHERE relation = 'rls_post'::regclass;

-- With both walls.
SET ROLE rls_app;
INSERT INTO rls_post VALUES ('rls ada', 'hello', 2);
INSERT INTO rls_post VALUES ('rls cia', 'a zorblax', 2);
INSERT INTO rls_post VALUES ('rls cia', 'a flagword', 2);
SELECT author, body FROM rls_post ORDER BY author;
DELETE FROM rls_post WHERE author IS NULL;
RESET ROLE;

DROP TABLE rls_post;
DROP ROLE rls_owner, rls_app;
