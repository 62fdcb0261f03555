-- The ladder: 3 refused contents in a row, or 5 within a day, freeze; each freeze is longer; a clean content ends a row; a
-- reinstated account starts clean; some categories suspend at once.  Time is made to pass by changing what is on record.
\set VERBOSITY terse
\set SHOW_CONTEXT never
\i sql/include/test_policy.sql
CREATE TABLE ladder_post (author text, body text);
SELECT moderation.guard('ladder_post', '{body}', 'author', 'test');

-- Stores content, or says why it was not stored.
CREATE FUNCTION ladder_say(who text, VARIADIC what text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	content text;
BEGIN
	FOREACH content IN ARRAY what LOOP
		BEGIN
			INSERT INTO ladder_post VALUES (who, content);
			RETURN NEXT 'stored';
		EXCEPTION WHEN OTHERS THEN
			RETURN NEXT sqlstate;
		END;
	END LOOP;
END
$$;
CREATE FUNCTION ladder_state(who text) RETURNS TABLE (state moderation.account_state, strikes int, streak int, reason text, lasts interval)
LANGUAGE sql AS $$
	SELECT s.state, a.strikes, a.streak, a.reason, date_trunc('minute', a.until - a.since + interval '1 second')
	FROM moderation.account AS a JOIN moderation.account_status AS s USING (account) WHERE a.account = who
$$;
CREATE FUNCTION ladder_history(who text) RETURNS TABLE (change text, lasts interval, reason text, actor text, automatic boolean, category text, violation boolean)
LANGUAGE sql AS $$
	SELECT e.from_state || ' -> ' || e.to_state, date_trunc('minute', e.until - e.occurred_at + interval '1 second'), e.reason, replace(e.actor, current_user, 'me'), e.automatic, e.category,
		EXISTS (SELECT FROM moderation.violation AS v WHERE v.account = e.account AND v.violation_id = e.violation_id)
	FROM moderation.account_event AS e WHERE e.account = who ORDER BY e.occurred_at
$$;
-- Lets time pass for an account.
CREATE FUNCTION ladder_later(who text, span interval) RETURNS void LANGUAGE sql AS $$
	UPDATE moderation.account SET since = since - span, until = until - span, counts_from = counts_from - span, clean_from = clean_from - span
		WHERE account = who;
	UPDATE moderation.account_event SET occurred_at = occurred_at - span, until = until - span WHERE account = who;
	UPDATE moderation.violation SET occurred_at = occurred_at - span WHERE account = who;
$$;
-- Waits until the recorder has heard of a clean content.
CREATE FUNCTION ladder_row_ends(who text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	row_length int;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		SELECT a.streak INTO row_length FROM moderation.account AS a WHERE a.account = who;
		EXIT WHEN row_length = 0;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN row_length;
END
$$;

-- Three in a row: warned, warned, frozen for a day.
SELECT ladder_say('ladder anna', 'zorblax');
SELECT * FROM ladder_state('ladder anna');
SELECT ladder_say('ladder anna', 'zorblax', 'zorblax', 'zorblax');
SELECT * FROM ladder_state('ladder anna');
SELECT * FROM ladder_history('ladder anna');
-- What the gate refuses is no violation.
SELECT count(*) FROM moderation.violation WHERE account = 'ladder anna';

-- The freeze ends; strikes from before it do not count again, so it takes three more. The second freeze lasts longer, the third for good.
SELECT ladder_later('ladder anna', '25 hours');
SELECT state FROM ladder_state('ladder anna');
-- (A clean content that is not committed yet ends no row, and it cannot be committed once the account is frozen.)
SELECT ladder_say('ladder anna', 'zorblax', 'zorblax', 'hello', 'zorblax', 'hello');
SELECT * FROM ladder_state('ladder anna');
SELECT ladder_later('ladder anna', '8 days');
SELECT ladder_say('ladder anna', 'zorblax', 'zorblax', 'zorblax', 'hello');
SELECT * FROM ladder_state('ladder anna');
SELECT ladder_later('ladder anna', '10 years');
SELECT ladder_say('ladder anna', 'hello');
-- Reinstated, the account starts clean: the next freeze is its first.
SELECT moderation.reinstate('ladder anna', 'ten years are enough');
SELECT * FROM ladder_state('ladder anna');
SELECT ladder_say('ladder anna', 'zorblax', 'zorblax', 'zorblax', 'hello');
SELECT * FROM ladder_state('ladder anna');

-- So it does when the freeze has just begun.
SELECT ladder_say('ladder kim', 'zorblax', 'zorblax', 'zorblax');
SELECT moderation.reinstate('ladder kim', 'appeal granted');
SELECT ladder_say('ladder kim', 'zorblax', 'zorblax');
SELECT * FROM ladder_state('ladder kim');
SELECT ladder_say('ladder kim', 'zorblax');
SELECT * FROM ladder_state('ladder kim');

-- A freeze from before the ladder's memory is forgotten.
SELECT ladder_later('ladder anna', '91 days');
SELECT ladder_say('ladder anna', 'zorblax', 'zorblax', 'zorblax');
SELECT * FROM ladder_state('ladder anna');
SELECT * FROM ladder_history('ladder anna');

-- A clean content ends a row, if it is committed; five within a day freeze all the same.
SELECT ladder_say('ladder ben', 'zorblax', 'zorblax');
SELECT ladder_say('ladder ben', 'hello');
SELECT ladder_row_ends('ladder ben');
SELECT ladder_say('ladder ben', 'zorblax');
BEGIN;
SELECT ladder_say('ladder ben', 'hello');
ROLLBACK;
SELECT * FROM ladder_state('ladder ben');
-- An account that is in no row has nothing to be ended, and none is made for it.
SELECT ladder_say('ladder clean', 'hello');
SELECT count(*) FROM moderation.account WHERE account = 'ladder clean';
SELECT ladder_say('ladder ben', 'hello');
SELECT ladder_row_ends('ladder ben');
SELECT ladder_say('ladder ben', 'zorblax', 'zorblax');
SELECT * FROM ladder_state('ladder ben');
-- One of the five is a day old: not frozen, and the warning has ended by itself.
SELECT ladder_say('ladder carl', 'zorblax');
SELECT ladder_say('ladder carl', 'hello');
SELECT ladder_row_ends('ladder carl');
SELECT ladder_later('ladder carl', '25 hours');
SELECT state, strikes FROM ladder_state('ladder carl');
SELECT ladder_say('ladder carl', 'zorblax', 'zorblax');
SELECT ladder_say('ladder carl', 'hello');
SELECT ladder_row_ends('ladder carl');
SELECT ladder_say('ladder carl', 'zorblax', 'zorblax');
SELECT * FROM ladder_state('ladder carl');
SELECT ladder_say('ladder carl', 'hello');
SELECT ladder_row_ends('ladder carl');
SELECT ladder_say('ladder carl', 'zorblax');
SELECT * FROM ladder_state('ladder carl');

-- The row is opened and ended within one transaction, which had seen the account before.
BEGIN;
SELECT ladder_say('ladder jon', 'hello', 'zorblax', 'hello');
SELECT streak FROM ladder_state('ladder jon');
COMMIT;
SELECT ladder_row_ends('ladder jon');

-- Refusals within one transaction count, though it is rolled back.
BEGIN;
SELECT ladder_say('ladder dora', 'hello', 'zorblax', 'hello', 'zorblax', 'zorblax', 'hello');
ROLLBACK;
SELECT * FROM ladder_state('ladder dora');
-- The same without a rollback: what was written before the freeze cannot be committed after it.
BEGIN;
SELECT ladder_say('ladder emil', 'hello', 'zorblax', 'zorblax', 'zorblax');
COMMIT;
SELECT count(*) FROM ladder_post WHERE author = 'ladder emil';

-- Suspended at once, by a category that says so, whatever the ladder has reached.
SELECT ladder_say('ladder fred', 'suspendword', 'hello');
SELECT * FROM ladder_state('ladder fred');
SELECT * FROM ladder_history('ladder fred');
SELECT ladder_say('ladder gus', 'zorblax', 'zorblax', 'suspendword', 'zorblax');
SELECT * FROM ladder_state('ladder gus');
SELECT * FROM ladder_history('ladder gus');

-- A moderator's freeze is not the ladder's: it makes no later freeze longer; and strikes from before it do not count again.
SELECT ladder_say('ladder hal', 'zorblax', 'zorblax');
SELECT moderation.freeze('ladder hal', 'by hand', clock_timestamp() + interval '1 hour');
SELECT ladder_later('ladder hal', '2 hours');
SELECT ladder_say('ladder hal', 'zorblax', 'zorblax');
SELECT ladder_say('ladder hal', 'hello');
SELECT ladder_row_ends('ladder hal');
SELECT ladder_say('ladder hal', 'zorblax');
SELECT * FROM ladder_state('ladder hal');
SELECT ladder_say('ladder hal', 'zorblax', 'zorblax', 'hello');
SELECT * FROM ladder_state('ladder hal');

-- Nobody's content, and flagged, redacted or quarantined content, is no strike.
SELECT ladder_say(NULL, 'zorblax', 'zorblax', 'zorblax', 'hello');
SELECT ladder_say('ladder ida', 'flagword', 'redactword', 'flagword', 'hello');
SELECT count(*) FROM moderation.account WHERE account = 'ladder ida' OR account IS NULL;

-- No violation was counted twice or not at all.
SELECT a.account, a.strikes FROM moderation.account AS a
	WHERE a.account LIKE 'ladder %' AND a.clean_from IS NULL
		AND a.strikes <> (SELECT count(*) FROM moderation.violation AS v WHERE v.account = a.account AND v.strike AND v.counted);

SELECT moderation.unguard('ladder_post');
DROP TABLE ladder_post;
DROP FUNCTION ladder_say(text, text[]), ladder_state(text), ladder_history(text), ladder_later(text, interval), ladder_row_ends(text);
