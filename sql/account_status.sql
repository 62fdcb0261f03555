-- Freezing, suspending and reinstating by hand: what may be asked, what is written down, who may ask.
\set VERBOSITY default
\set SHOW_CONTEXT never

CREATE FUNCTION status_of(who text) RETURNS TABLE (state moderation.account_state, strikes int, reason text, ends text)
LANGUAGE sql AS $$
	SELECT s.state, s.strikes, s.reason, CASE WHEN s.until IS NULL THEN 'never' WHEN s.until > clock_timestamp() THEN 'later' ELSE 'ended' END
	FROM moderation.account_status AS s WHERE s.account = who
$$;
CREATE FUNCTION history_of(who text) RETURNS TABLE (change text, ends boolean, reason text, actor text, login text, automatic boolean)
LANGUAGE sql AS $$
	SELECT e.from_state || ' -> ' || e.to_state, e.until IS NOT NULL, e.reason, replace(e.actor, current_user, 'me'),
		replace(e.login, session_user, 'me'), e.automatic
	FROM moderation.account_event AS e WHERE e.account = who ORDER BY e.occurred_at
$$;

-- An account that never did anything has no row and may write.
SELECT count(*) FROM moderation.account_status WHERE account = 'status anna';
SELECT moderation.may_write('status anna'), moderation.may_write(NULL);

-- For a time, for longer, for good.
SELECT moderation.freeze('status anna', 'posts too fast', clock_timestamp() + interval '1 hour');
SELECT * FROM status_of('status anna');
SELECT moderation.may_write('status anna'), moderation.may_write('Status anna'), moderation.may_write('status anna ');
SELECT moderation.freeze('status anna', 'still posts too fast', clock_timestamp() + interval '2 hours');
SELECT moderation.freeze('status anna', 'shorter', clock_timestamp() + interval '1 minute');
SELECT moderation.freeze('status anna', 'never mind when', 'infinity');
SELECT * FROM status_of('status anna');
SELECT moderation.freeze('status anna', 'shorter', clock_timestamp() + interval '1 minute');

-- Suspended is more than frozen, and does not become less by freezing.
SELECT moderation.suspend('status anna', 'sold stolen goods');
SELECT * FROM status_of('status anna');
SELECT moderation.freeze('status anna', 'less');
SELECT moderation.may_write('status anna');

-- Back, and clean.
SELECT moderation.reinstate('status anna', 'appeal granted');
SELECT * FROM status_of('status anna');
SELECT moderation.may_write('status anna');
SELECT moderation.reinstate('status anna', 'appeal granted');
SELECT * FROM history_of('status anna');

-- A rollback takes a decision back, with its event.
BEGIN;
SELECT moderation.suspend('status ben', 'a mistake');
SELECT moderation.may_write('status ben');
ROLLBACK;
SELECT moderation.may_write('status ben');
SELECT count(*) FROM moderation.account_event WHERE account = 'status ben';

-- The clock ends a freeze: no job has run, and a statement of the same transaction sees it.
BEGIN;
SELECT moderation.freeze('status carl', 'a moment', clock_timestamp() + interval '200 milliseconds');
SELECT state FROM status_of('status carl');
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP EXIT WHEN moderation.may_write('status carl'); PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT * FROM status_of('status carl');
COMMIT;
SELECT state FROM moderation.account WHERE account = 'status carl';
-- After its end it may be frozen for less, and the event says that the account was active.
SELECT moderation.freeze('status carl', 'again', clock_timestamp() + interval '100 milliseconds');
SELECT change FROM history_of('status carl');
-- A freeze that has ended can be reinstated, so that nothing is held against the account.
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP EXIT WHEN moderation.may_write('status carl'); PERFORM pg_sleep(0.01); END LOOP; END $$;
SELECT moderation.reinstate('status carl', 'was not him');
SELECT * FROM status_of('status carl');

-- What is asked wrongly.
SELECT moderation.freeze(NULL, 'why');
SELECT moderation.freeze('', 'why');
SELECT moderation.suspend('  ', 'why');
SELECT moderation.freeze('status dora', NULL);
SELECT moderation.suspend('status dora', E' \t\n');
SELECT moderation.freeze('status dora', 'why', '2000-01-01');
SELECT moderation.freeze('status dora', 'why', '-infinity');
SELECT moderation.reinstate('status dora', NULL);
SELECT moderation.reinstate('status dora', 'never seen');
SELECT moderation.reinstate('', 'never seen');
SELECT moderation.freeze(repeat('x', 1025), 'too long');
SELECT moderation.may_write(repeat('x', 1024)), moderation.may_write(repeat('x', 1025));
SELECT moderation.freeze(repeat('x', 1024), 'as long as can be');
SELECT moderation.may_write(repeat('x', 1024));

-- Keys are bytes: no case, accent or quoting makes two of them one.
SELECT moderation.freeze(E'status "q\\u\u00e9"''; DROP', E'he said "no"\n\\');
SELECT moderation.may_write(E'status "q\\u\u00e9"''; DROP'), moderation.may_write(E'status "q\\ue"''; DROP');

-- Who may: nobody without a grant; who is named: the role that called, and the one that had logged in.
CREATE ROLE regress_status_moderator;
CREATE ROLE regress_status_user;
GRANT USAGE ON SCHEMA moderation TO regress_status_moderator, regress_status_user;
GRANT EXECUTE ON FUNCTION moderation.freeze(text, text, timestamptz), moderation.reinstate(text, text) TO regress_status_moderator;
SET ROLE regress_status_user;
SELECT moderation.may_write('status anna');
SELECT moderation.freeze('status emil', 'why');
SELECT moderation.suspend('status emil', 'why');
SELECT moderation.reinstate('status emil', 'why');
SELECT count(*) FROM moderation.account;
SELECT count(*) FROM moderation.account_event;
SELECT count(*) FROM moderation.account_status;
BEGIN;
LOCK TABLE moderation.freeze_gate IN ACCESS SHARE MODE;
ROLLBACK;
SET ROLE regress_status_moderator;
SELECT moderation.freeze('status emil', 'spam');
SELECT current_user;
UPDATE moderation.account SET state = 'active';
SELECT moderation.suspend('status emil', 'why');
RESET ROLE;
SELECT * FROM history_of('status emil');

-- Functions that another role's definer function calls name that definer.
CREATE FUNCTION status_by_definer(who text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$ SELECT moderation.reinstate(who, 'by a function') $$;
ALTER FUNCTION status_by_definer(text) OWNER TO regress_status_moderator;
SET ROLE regress_status_user;
SELECT status_by_definer('status emil');
RESET ROLE;
SELECT * FROM history_of('status emil');

-- Nothing here is for PUBLIC but may_write().
SELECT p.oid::regprocedure AS function, p.provolatile, p.proparallel, p.proleakproof, p.prosecdef
	FROM pg_proc AS p
	WHERE p.oid IN ('moderation.freeze'::regproc, 'moderation.suspend'::regproc, 'moderation.reinstate'::regproc,
		'moderation.may_write'::regproc, 'moderation.announce_status'::regproc)
		AND has_function_privilege('regress_status_user', p.oid, 'EXECUTE');
SELECT relname FROM pg_class
	WHERE relnamespace = 'moderation'::regnamespace AND relname IN ('account', 'account_event', 'account_status', 'freeze_gate')
		AND (has_table_privilege('regress_status_user', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
			OR has_any_column_privilege('regress_status_user', oid, 'SELECT, INSERT, UPDATE, REFERENCES'));

-- They are dumped.
SELECT count(*) FROM pg_extension, unnest(extconfig) AS t (oid)
	WHERE extname = 'moderation' AND t.oid IN ('moderation.account'::regclass, 'moderation.account_event'::regclass);

-- In a parallel plan may_write() means the same.
CREATE TABLE status_many AS SELECT 'status ' || n AS account FROM generate_series(1, 2000) AS n;
SELECT moderation.freeze('status 7', 'why'), moderation.suspend('status 1999', 'why');
ALTER TABLE status_many SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT account FROM status_many WHERE NOT moderation.may_write(account);
SELECT array_agg(account ORDER BY account) FROM (SELECT account FROM status_many WHERE NOT moderation.may_write(account)) AS s;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

DROP TABLE status_many;
DROP FUNCTION status_of(text), history_of(text), status_by_definer(text);
DROP OWNED BY regress_status_moderator, regress_status_user;
DROP ROLE regress_status_moderator, regress_status_user;
