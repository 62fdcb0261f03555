-- Every type that can be content: found in, masked in, and nothing else about the value changed.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE EXTENSION citext;
CREATE DOMAIN type_name AS varchar(40);
CREATE DOMAIN type_short AS type_name CHECK (length(VALUE) < 20);
CREATE DOMAIN type_plain AS text CHECK (VALUE ~ '^[a-z ]*$');
CREATE DOMAIN type_list AS text[];
CREATE TABLE type_post (id int PRIMARY KEY, author uuid, a_text text, a_varchar varchar(20), a_char char(20), a_citext citext,
	a_domain type_short, a_plain type_plain, an_array text[], a_varray varchar(20)[], a_list type_list, a_json json, a_jsonb jsonb);
SELECT moderation.guard('type_post', '{a_text,a_varchar,a_char,a_citext,a_domain,a_plain,an_array,a_varray,a_list,a_json,a_jsonb}', 'author', 'test');
CREATE VIEW type_violation AS SELECT account, column_name, category, action FROM moderation.violation WHERE relation = 'public.type_post';

-- Found in each, by name of the column.
CREATE FUNCTION type_try(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO type_post (id, author, %I) VALUES (1, gen_random_uuid(), %L)', name, value);
	DELETE FROM type_post WHERE id = 1;
	RETURN 'stored';
EXCEPTION WHEN SQLSTATE 'MD001' OR check_violation OR string_data_right_truncation THEN
	RETURN SQLSTATE;
END $$;
SELECT name, value, type_try(name, value) FROM (VALUES
	('a_text', 'a zorblax'), ('a_text', 'hello'), ('a_text', ''),
	('a_varchar', 'a zorblax'), ('a_varchar', 'hello'),
	('a_char', 'a zorblax'), ('a_char', 'hello'),
	('a_citext', 'A ZORBLAX'), ('a_citext', 'hello'),
	('a_domain', 'a zorblax'), ('a_domain', 'hello'), ('a_domain', 'longer than nineteen characters'),
	('a_plain', 'a zorblax'), ('a_plain', 'hello'),
	('an_array', '{hello,"a zorblax"}'), ('an_array', '{{a,b},{NULL,zorblax}}'), ('an_array', '{}'), ('an_array', '{NULL}'), ('an_array', '{hello,NULL}'),
	('an_array', '[5:6]={a,zorblax}'), ('a_varray', '{zorblax}'), ('a_varray', '{hello}'), ('a_list', '{zorblax}'), ('a_list', '{hello}'),
	('a_json', '"zorblax"'), ('a_json', '{"zorblax": 1}'), ('a_json', '{"a": [1, {"b": "zorblax"}]}'), ('a_json', '{"a": "zorblax", "a": "hello"}'),
	('a_json', '"\u007aorbla\u0078"'), ('a_json', '"zor\u0000blax"'), ('a_json', '"zor\"blax"'), ('a_json', '"\\\"zorblax\\"'), ('a_json', '"\ud800 zorblax"'),
	('a_json', '"hello"'), ('a_json', '[1, true, null, 1e400]'), ('a_json', '{}'),
	('a_jsonb', '"zorblax"'), ('a_jsonb', '{"zorblax": 1}'), ('a_jsonb', '{"a": [1, {"b": "zorblax"}]}'), ('a_jsonb', '{"a": ["hello", 1, true, null]}'), ('a_jsonb', '[]'), ('a_jsonb', '1')
	) AS t (name, value);
INSERT INTO type_post (id) VALUES (2);
SELECT column_name, count(*) FROM type_violation GROUP BY 1 ORDER BY 1;

-- Masked in each: as many characters as before, everything else as it was.
INSERT INTO type_post VALUES (3, '00000000-0000-4000-8000-000000000003', 'a redactword', 'full: 20 redactword!', 'a redactword', 'a RedactWord', 'a redactword', 'hello',
	'{hello,"a redactword",NULL}', '{redactword}', '[2:3]={hello,redactword}',
	'{"redactword" : [1.50, "a redactword", "\u00e9\" redactword", true], "redactword":null }',
	'{"redactword": [1.50, "a redactword", true, null], "b": {"c": "a redactword"}}');
\x
SELECT * FROM type_post WHERE id = 3;
SELECT length(a_text), length(a_varchar), octet_length(a_char) - length(a_char) AS more_bytes, char_length(a_char || '.') FROM type_post WHERE id = 3;
\x
SELECT column_name, action FROM type_violation WHERE account = '00000000-0000-4000-8000-000000000003' ORDER BY 1;
-- Elements are masked one by one, though a phrase may be spread over them.
INSERT INTO type_post (id, author, an_array, a_jsonb) VALUES (4, '00000000-0000-4000-8000-000000000004', '{r,e,d,a,c,t,w,o,r,d}', '["r.e.d.a", "c.t.w.o.r.d"]');
SELECT an_array, a_jsonb FROM type_post WHERE id = 4;
-- A scalar jsonb stays one.
INSERT INTO type_post (id, a_json, a_jsonb) VALUES (5, '"redactword"', '"redactword"');
SELECT a_json, a_jsonb, jsonb_typeof(a_jsonb) FROM type_post WHERE id = 5;
-- A domain that does not allow the mask refuses the row.
INSERT INTO type_post (id, a_plain) VALUES (6, 'redactword');
-- The hash of what is not text is that of its text form.
INSERT INTO type_post (id, author, an_array, a_json, a_jsonb) VALUES (7, '00000000-0000-4000-8000-000000000007', '{flagword, b}', '[ "flagword"]', '[ "flagword"]');
SELECT v.column_name, v.content_sha256 = sha256(convert_to(CASE v.column_name WHEN 'an_array' THEN an_array::text WHEN 'a_json' THEN a_json::text ELSE a_jsonb::text END, 'UTF8')) AS as_text
FROM moderation.violation AS v JOIN type_post AS p ON v.account = p.author::text WHERE p.id = 7 ORDER BY 1;

-- Random documents and arrays: what is stored is what was given, with the word masked and nothing else changed.
SELECT setseed(0.5);
CREATE FUNCTION type_string() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT (ARRAY['hello', 'redactword', 'a "redactword" here', E'back\\slash \\ redactword', E'two\nlines\tredactword', '', 'é redactword 漢字', '😀 redactword 😀',
		'redactword redactword', E'\x7f\x01', '{"not": "json"}', 'trailing\', '{redactword, NULL}'])[1 + floor(random() * 13)::int] $$;
CREATE FUNCTION type_document(depth int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	kind int := floor(random() * CASE WHEN depth > 3 THEN 4 ELSE 7 END)::int;
	result jsonb := CASE WHEN kind = 4 THEN '[]' ELSE '{}' END;
BEGIN
	IF kind < 2 THEN RETURN to_jsonb(type_string()); END IF;
	IF kind = 2 THEN RETURN to_jsonb(round(random()::numeric * 1000, 2)); END IF;
	IF kind = 3 THEN RETURN (ARRAY['true', 'false', 'null'])[1 + floor(random() * 3)::int]::jsonb; END IF;
	FOR i IN 1..floor(random() * 4)::int LOOP
		result := result || CASE WHEN kind = 4 THEN jsonb_build_array(type_document(depth + 1)) ELSE jsonb_build_object(i || ' ' || type_string(), type_document(depth + 1)) END;
	END LOOP;
	RETURN result;
END $$;
CREATE TABLE type_random (id int, given jsonb, a_json json, a_jsonb jsonb, given_array text[], an_array text[]);
SELECT moderation.guard('type_random', '{a_json,a_jsonb,an_array}', 'id', 'test');
INSERT INTO type_random
SELECT i, d, CASE WHEN i % 2 = 0 THEN d::text ELSE jsonb_pretty(d) END::json, d, a, a
FROM generate_series(1, 1000) AS i, LATERAL (SELECT type_document(i * 0), CASE i % 3 WHEN 0 THEN ARRAY[type_string(), NULL, type_string()]
	WHEN 1 THEN ARRAY[[type_string(), type_string()], [NULL, type_string()]] ELSE '{}' END) AS r (d, a);
SELECT count(*) AS documents, count(*) FILTER (WHERE given::text ~ 'redactword') > 300 AS many_with_the_word,
	count(*) FILTER (WHERE a_json::text <> replace(CASE WHEN id % 2 = 0 THEN given::text ELSE jsonb_pretty(given) END, 'redactword', repeat('█', 10))) AS json_wrong,
	count(*) FILTER (WHERE a_jsonb <> replace(given::text, 'redactword', repeat('█', 10))::jsonb) AS jsonb_wrong,
	count(*) FILTER (WHERE an_array <> replace(given_array::text, 'redactword', repeat('█', 10))::text[]) AS array_wrong FROM type_random;
-- Each column with the word was recorded, once.
SELECT count(*) = (SELECT count(*) FILTER (WHERE given::text ~ 'redactword') * 2 + count(*) FILTER (WHERE given_array::text ~ 'redactword') FROM type_random) AS all_recorded
FROM moderation.violation WHERE relation = 'public.type_random';

-- The account as a cast to text has it.
CREATE TABLE type_account (a_bool boolean, a_char char(8), an_int bigint, a_domain type_name, body text);
SELECT moderation.guard('type_account', '{body}', 'a_bool', 'test');
INSERT INTO type_account VALUES (true, 'abc', 42, 'name', 'a flagword');
SELECT moderation.guard('type_account', '{body}', 'a_char', 'test');
INSERT INTO type_account VALUES (true, 'abc', 42, 'name', 'a flagword');
SELECT moderation.guard('type_account', '{body}', 'an_int', 'test');
INSERT INTO type_account VALUES (true, 'abc', 42, 'name', 'a flagword');
SELECT moderation.guard('type_account', '{body}', 'a_domain', 'test');
INSERT INTO type_account VALUES (true, 'abc', 42, 'name', 'a flagword');
SELECT quote_literal(account) FROM moderation.violation WHERE relation = 'public.type_account' ORDER BY 1;

-- A type that changes into something that is no content: refused, with what to do.
\set VERBOSITY default
\set SHOW_CONTEXT never
ALTER TABLE type_account ALTER COLUMN body TYPE bytea USING NULL;
INSERT INTO type_account VALUES (true, 'abc', 42, 'name', 'hello');

DROP VIEW type_violation;
DROP FUNCTION type_try, type_string, type_document;
DROP TABLE type_post, type_account, type_random;
DROP DOMAIN type_short, type_name, type_plain, type_list;
DROP EXTENSION citext;
