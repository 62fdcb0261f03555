-- Whoever writes to a guarded table needs no right on anything in schema moderation, and has none.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE priv_app;
CREATE TABLE priv_post (id int PRIMARY KEY, author text, body text);
GRANT SELECT, INSERT, UPDATE ON priv_post TO priv_app;
SELECT moderation.guard('priv_post', '{body}', 'author', 'test');

-- Relations that the role can read or write, functions that it can execute.
SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'S')
	AND (has_table_privilege('priv_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'));
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'moderation'::regnamespace AND p.prorettype = 'trigger'::regtype
	AND has_function_privilege('priv_app', p.oid, 'EXECUTE') ORDER BY p.proname;
SELECT has_function_privilege('priv_app', p.oid, 'EXECUTE') FROM pg_proc AS p
	WHERE p.pronamespace = 'moderation'::regnamespace AND p.proname IN ('guard', 'unguard', 'verify_guards', 'follow_drop', 'follow_rename');

SET ROLE priv_app;
INSERT INTO priv_post VALUES (1, 'priv ada', 'hello');
INSERT INTO priv_post VALUES (2, 'priv ada', 'a flagword');
INSERT INTO priv_post VALUES (3, 'priv ada', 'a redactword');
INSERT INTO priv_post VALUES (4, 'priv ada', 'a quarword');
INSERT INTO priv_post VALUES (5, 'priv ada', 'a zorblax');
INSERT INTO priv_post VALUES (6, 'priv ben', 'a suspendword');
INSERT INTO priv_post VALUES (6, 'priv ben', 'hello');
SELECT * FROM moderation.violation;
SELECT * FROM moderation.quarantine;
SELECT moderation.unguard('priv_post');
SELECT * FROM priv_post;
SELECT current_user, current_setting('search_path');
RESET ROLE;
SELECT category, action, db_role FROM moderation.violation WHERE account LIKE 'priv %' ORDER BY category;
SELECT account FROM moderation.quarantine WHERE account LIKE 'priv %';

-- Operators and functions of the caller's do not reach what runs as the owner.
CREATE SCHEMA priv_trap AUTHORIZATION priv_app;
SET ROLE priv_app;
SET search_path = priv_trap, pg_catalog, public;
CREATE FUNCTION priv_trap.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"trapped"'::jsonb $$;
CREATE FUNCTION priv_trap.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$;
CREATE OPERATOR priv_trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = priv_trap.trap);
INSERT INTO priv_post VALUES (10, 'priv cia', 'a quarword');
INSERT INTO priv_post VALUES (11, 'priv cia', 'a redactword');
INSERT INTO priv_post VALUES (12, 'priv cia', 'a zorblax');
RESET search_path;
RESET ROLE;
SELECT row_data FROM moderation.quarantine WHERE account = 'priv cia';
SELECT category, action FROM moderation.violation WHERE account = 'priv cia' ORDER BY category;

DROP SCHEMA priv_trap CASCADE;
DROP TABLE priv_post;
DROP ROLE priv_app;
