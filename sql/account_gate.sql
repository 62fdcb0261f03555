-- The gate in one session: frozen and suspended accounts do not write, whatever the statement; what it says; what it remembers.
\set VERBOSITY default
\set SHOW_CONTEXT never
\i sql/include/test_policy.sql
CREATE TABLE gate_post (id int, author text, body text);
SELECT moderation.guard('gate_post', '{body}', 'author', 'test');
INSERT INTO gate_post VALUES (1, 'gate anna', 'hello'), (2, 'gate ben', 'hello'), (3, NULL, 'hello');
SELECT moderation.freeze('gate anna', 'spam', '2999-01-01 00:00:00+00');
SET TimeZone = 'UTC';

-- The message says nothing of the account, the detail is one JSON object.
INSERT INTO gate_post VALUES (4, 'gate anna', 'hello');
INSERT INTO gate_post VALUES (4, 'gate ben', 'hello'), (5, 'gate anna', 'hello');
COPY gate_post FROM stdin;
4	gate anna	hello
\.
UPDATE gate_post SET body = 'edited' WHERE author = 'gate anna';
UPDATE gate_post SET author = 'gate anna' WHERE author = 'gate ben';
-- Whatever the text says, the account comes first.
INSERT INTO gate_post VALUES (4, 'gate anna', 'zorblax');
SELECT count(*) FROM moderation.violation WHERE account = 'gate anna';
-- Nobody's content has no gate.
INSERT INTO gate_post VALUES (4, NULL, 'hello');

SELECT moderation.freeze('gate ben', E'a "quoted"\nreason');
INSERT INTO gate_post VALUES (5, 'gate ben', 'hello');
SELECT moderation.suspend('gate ben', E'back\\slash\ttab');
INSERT INTO gate_post VALUES (5, 'gate ben', 'hello');
CREATE FUNCTION gate_try(who text, what text DEFAULT 'hello') RETURNS TABLE (code text, message text, state text, until timestamptz, reason text)
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	INSERT INTO gate_post VALUES (0, who, what);
	code := 'stored';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	state := detail::json ->> 'state';
	until := detail::json ->> 'until';
	reason := detail::json ->> 'reason';
	RETURN NEXT;
END
$$;
SELECT * FROM gate_try('gate anna');
SELECT * FROM gate_try('gate ben');
-- The detail's time is the same moment in any time zone.
SET TimeZone = 'Asia/Kathmandu';
SELECT until = '2999-01-01 00:00:00+00' AS same FROM gate_try('gate anna');
INSERT INTO gate_post VALUES (4, 'gate anna', 'hello');
RESET TimeZone;

-- A key that could not be recorded is not let through.
INSERT INTO gate_post VALUES (6, repeat('k', 1025), 'hello');
INSERT INTO gate_post VALUES (6, repeat('k', 1024), 'hello');

-- The clock ends a freeze without a job.
SELECT moderation.freeze('gate carl', 'a moment', clock_timestamp() + interval '200 milliseconds');
SELECT code, state FROM gate_try('gate carl');
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP EXIT WHEN moderation.may_write('gate carl'); PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT code FROM gate_try('gate carl');

-- Within one transaction: what it does itself counts at once, and what it wrote before it froze the account stands.
BEGIN;
INSERT INTO gate_post VALUES (7, 'gate dora', 'hello');
SELECT moderation.freeze('gate dora', 'enough');
SAVEPOINT s;
INSERT INTO gate_post VALUES (8, 'gate dora', 'hello');
ROLLBACK TO s;
COMMIT;
SELECT id FROM gate_post WHERE author = 'gate dora';
BEGIN;
SELECT moderation.reinstate('gate dora', 'not enough');
INSERT INTO gate_post VALUES (9, 'gate dora', 'hello');
COMMIT;
BEGIN;
SAVEPOINT s;
SELECT moderation.freeze('gate dora', 'enough');
ROLLBACK TO s;
INSERT INTO gate_post VALUES (10, 'gate dora', 'hello');
COMMIT;
SELECT id FROM gate_post WHERE author = 'gate dora' ORDER BY id;

-- An administrator's own hand counts like the functions'.
INSERT INTO moderation.account (account, state, reason) VALUES ('gate emil', 'suspended', 'by hand');
SELECT * FROM gate_try('gate emil');
DELETE FROM moderation.account WHERE account = 'gate emil';
SELECT * FROM gate_try('gate emil');

-- Two-phase commit would write later than the gate has looked.
BEGIN;
INSERT INTO gate_post VALUES (11, 'gate fred', 'hello');
PREPARE TRANSACTION 'gate';
BEGIN;
SELECT moderation.freeze('gate fred', 'why');
PREPARE TRANSACTION 'gate';
SELECT moderation.may_write('gate fred');
-- What has been rolled back does not count.
BEGIN;
SAVEPOINT s;
INSERT INTO gate_post VALUES (11, 'gate fred', 'hello');
SELECT moderation.freeze('gate fred', 'why');
ROLLBACK TO s;
PREPARE TRANSACTION 'gate';
ROLLBACK PREPARED 'gate';

-- Very many accounts in one transaction, in and out of subtransactions, and an invalidation that makes it look at all again.
BEGIN;
INSERT INTO gate_post SELECT n, 'gate many ' || n, 'hello' FROM generate_series(1, 20000) AS n;
SAVEPOINT s;
INSERT INTO gate_post SELECT n, 'gate more ' || n, 'hello' FROM generate_series(1, 10000) AS n;
SELECT moderation.freeze('gate another', 'why');
ROLLBACK TO s;
INSERT INTO gate_post SELECT n, 'gate many ' || n, 'hello' FROM generate_series(1, 20000) AS n;
SELECT moderation.freeze('gate another', 'why');
COMMIT;
SELECT count(*) FROM gate_post WHERE author LIKE 'gate m%';
BEGIN;
INSERT INTO gate_post SELECT n, 'gate many ' || n, 'hello' FROM generate_series(1, 20000) AS n;
ROLLBACK;
-- Nothing of it is left in the session.
SELECT code FROM gate_try('gate many 1');

-- The trigger that announces is nobody's to call.
CREATE TABLE gate_other (account text);
CREATE TRIGGER announce BEFORE INSERT ON gate_other FOR EACH ROW EXECUTE FUNCTION moderation.announce_status();
INSERT INTO gate_other VALUES ('x');
SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'moderation.account'::regclass AND tgname = 'announce_status';

DROP TABLE gate_other;
SELECT moderation.unguard('gate_post');
DROP FUNCTION gate_try(text, text);
DROP TABLE gate_post;
