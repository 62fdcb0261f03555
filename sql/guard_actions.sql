-- What each action does with a row: allow, flag, redact, quarantine, reject; the cap; several columns; unknown content.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE TABLE act_post (id int PRIMARY KEY, author text, title text, body text);
SELECT moderation.guard('act_post', '{title,body}', 'author', 'test');
CREATE VIEW act_violation AS
	SELECT account, category, severity, action, round(score::numeric, 2) AS score, policy, rules, relation, column_name,
		content_sha256, db_role FROM moderation.violation WHERE relation = 'public.act_post';

INSERT INTO act_post VALUES (1, 'act allow', 'hello', 'nothing to see');
INSERT INTO act_post VALUES (2, 'act flag', 'hello', 'a flagword');
INSERT INTO act_post VALUES (3, 'act redact', 'hello', 'a redactword, and a r3dactw0rd');
INSERT INTO act_post VALUES (4, 'act quarantine', 'hello', 'a quarword');
INSERT INTO act_post VALUES (5, 'act reject', 'hello', 'a zorblax');
INSERT INTO act_post VALUES (6, 'act suspend', 'hello', 'a suspendword');
SELECT * FROM act_post ORDER BY id;
SELECT account, category, severity, action, score, policy, rules, relation, column_name, db_role = current_user AS by_me FROM act_violation ORDER BY account;
SELECT account, relation, row_data, operation FROM moderation.quarantine WHERE account LIKE 'act %';
-- The hash is that of the content as given, in UTF-8.
SELECT account, content_sha256 = sha256(convert_to(content, 'UTF8')) AS as_given
FROM act_violation JOIN (VALUES ('act flag', 'a flagword'), ('act redact', 'a redactword, and a r3dactw0rd'),
	('act quarantine', 'a quarword'), ('act reject', 'a zorblax')) AS given (account, content) USING (account) ORDER BY 1;
-- Suspended at once.
INSERT INTO act_post VALUES (7, 'act suspend', 'hello', 'nothing to see');

-- What the client is told: the clause, never the word; one JSON object; where.
CREATE FUNCTION act_try(author text, title text, body text) RETURNS TABLE (code text, said text, detail_keys text, known boolean, hint text, place text)
LANGUAGE plpgsql AS $$
DECLARE
	d text; s text; t text; c text;
BEGIN
	INSERT INTO act_post VALUES (99, author, title, body);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		s = SCHEMA_NAME, t = TABLE_NAME, c = COLUMN_NAME;
	detail_keys := (SELECT string_agg(k.key || CASE WHEN k.key = 'violation_id' THEN '' ELSE '=' || k.value::text END, ' ' ORDER BY k.n)
		FROM json_each_text(d::json) WITH ORDINALITY AS k (key, value, n) WHERE k.key <> 'policy_version');
	known := EXISTS (SELECT FROM moderation.violation AS v WHERE v.violation_id = (d::json ->> 'violation_id')::uuid
		AND v.account = act_try.author AND v.policy_version = (d::json ->> 'policy_version')::int);
	place := concat_ws('.', s, t, c);
	RETURN NEXT;
END $$;
\x
SELECT * FROM act_try('act said', 'a zorblax', 'hello');
\x

-- Several contents: one violation each, one strike for the row, the gravest speaks.
SELECT code, said, place FROM act_try('act both', 'a suspendword', 'a zorblax');
SELECT category, column_name, action FROM act_violation WHERE account = 'act both' ORDER BY column_name;
SELECT state, strikes FROM moderation.account_status WHERE account = 'act both';
SELECT code, place FROM act_try('act two', 'a zorblax', 'another zorblax');
SELECT state, strikes FROM moderation.account_status WHERE account = 'act two';
SELECT count(*) FROM act_violation WHERE account = 'act two';
-- Flag and redact together: both stored, both recorded; flag and reject: neither stored.
INSERT INTO act_post VALUES (10, 'act mixed', 'a flagword', 'a redactword');
SELECT code FROM act_try('act mixed', 'a flagword', 'a zorblax');
SELECT title, body FROM act_post WHERE author = 'act mixed';
SELECT category, column_name, action FROM act_violation WHERE account = 'act mixed' ORDER BY action, column_name;
-- Nobody's content is moderated, and counts against nobody.
INSERT INTO act_post VALUES (11, NULL, 'hello', 'a zorblax');
INSERT INTO act_post VALUES (12, NULL, 'hello', 'a quarword');
SELECT category, action FROM act_violation WHERE account IS NULL ORDER BY 1;
SELECT account, operation FROM moderation.quarantine WHERE account IS NULL AND relation = 'public.act_post';

-- UPDATE: a diverted row stays as it was; a refused one, too; unchanged content is not judged again.
UPDATE act_post SET body = 'now a quarword' WHERE id = 1;
UPDATE act_post SET body = 'now a zorblax' WHERE id = 1;
UPDATE act_post SET body = 'now a redactword' WHERE id = 1;
SELECT * FROM act_post WHERE id = 1;
SELECT row_data, operation FROM moderation.quarantine WHERE account = 'act allow';
UPDATE act_post SET id = 22 WHERE id = 2;
UPDATE act_post SET body = body || '' WHERE id = 22;
UPDATE act_post SET title = 'other' WHERE id = 22;
SELECT count(*) FROM act_violation WHERE account = 'act flag';
UPDATE act_post SET body = 'another flagword' WHERE id = 22;
SELECT count(*) FROM act_violation WHERE account = 'act flag';

-- A quarantined row that jsonb cannot hold is refused, without a strike.
CREATE TABLE act_json (author text, body text, extra json);
SELECT moderation.guard('act_json', '{body}', 'author', 'test');
INSERT INTO act_json VALUES ('act json', 'a quarword', '{"a": "\u0000"}');
SELECT category, action FROM moderation.violation WHERE account = 'act json';
SELECT count(*) FROM moderation.account_status WHERE account = 'act json';

-- Too long to be scanned: unknown is not clean.
\set VERBOSITY default
\set SHOW_CONTEXT never
DO $$ BEGIN INSERT INTO act_post VALUES (30, 'act long', 'hello', repeat('word ', 20000)); EXCEPTION WHEN SQLSTATE 'MD004' THEN
	RAISE NOTICE '%: %', SQLSTATE, SQLERRM; END $$;
DO $$ BEGIN INSERT INTO act_post VALUES (30, 'act longer', 'hello', repeat('word ', 20000000)); EXCEPTION WHEN SQLSTATE 'MD004' THEN
	RAISE NOTICE '%: %', SQLSTATE, SQLERRM; END $$;
SELECT account, category, severity, action, rules FROM act_violation WHERE account LIKE 'act long%' ORDER BY 1;
SELECT count(*) FROM moderation.account_status WHERE account LIKE 'act long%';
\set VERBOSITY terse

-- The cap: the policy may do no more than that.
SELECT moderation.guard('act_post', '{title,body}', 'author', 'test', 'quarantine');
INSERT INTO act_post VALUES (40, 'act cap', 'hello', 'a zorblax');
SELECT moderation.guard('act_post', '{title,body}', 'author', 'test', 'redact');
INSERT INTO act_post VALUES (41, 'act cap', 'hello', 'a zorblax, a quarword');
SELECT moderation.guard('act_post', '{title,body}', 'author', 'test', 'flag');
INSERT INTO act_post VALUES (42, 'act cap', 'hello', 'a suspendword, a redactword');
INSERT INTO act_post VALUES (43, 'act cap', 'hello', repeat('word ', 20000));
SELECT moderation.guard('act_post', '{title,body}', 'author', 'test', 'allow');
INSERT INTO act_post VALUES (44, 'act cap', 'hello', 'a zorblax');
SELECT id, left(body, 40) FROM act_post WHERE author = 'act cap' ORDER BY id;
SELECT category, action FROM act_violation WHERE account = 'act cap' ORDER BY action, category;
SELECT state FROM moderation.account_status WHERE account = 'act cap';

DROP FUNCTION act_try;
DROP VIEW act_violation;
DROP TABLE act_post, act_json;
