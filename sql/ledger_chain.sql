-- The ledger: what is recorded is noted, linked into its account's chain, and sealed; everything can be recomputed.
\i sql/include/test_policy.sql
SET client_min_messages = warning;
CREATE SCHEMA ledger;
CREATE TABLE ledger.post (account text, body text);
SELECT moderation.guard('ledger.post', '{body}', 'account', 'test');
CREATE VIEW ledger.chain AS
	SELECT account, position, kind, l.chain_sha256 = moderation.ledger_chain_sha256(
			(SELECT p.chain_sha256 FROM moderation.ledger AS p WHERE p.account = l.account AND p.position = l.position - 1),
			account, position, kind, subject, entry_sha256, noted_at, linked_at, noted_xid) AS follows,
		noted_at <= linked_at AS in_order
	FROM moderation.ledger AS l WHERE account LIKE 'ledger %' ORDER BY account, position;

-- Stored content, decisions of moderators, refusals: each of its account, in its order.
INSERT INTO ledger.post VALUES ('ledger ann', 'a flagword'), ('ledger ann', 'a redactword'), ('ledger ann', 'nothing');
SELECT moderation.freeze('ledger ben', 'a reason', now() + interval '1 day');
SELECT moderation.reinstate('ledger ben', 'another');
DO $$ BEGIN INSERT INTO ledger.post VALUES ('ledger cia', 'a suspendword'); EXCEPTION WHEN SQLSTATE 'MD001' THEN NULL; END $$;
SELECT seal > 0 AS sealed, entries >= 6 AS entries, accounts >= 3 AS accounts, octet_length(digest) AS digest, sealed_at <= clock_timestamp() AS past
	FROM moderation.seal();
SELECT * FROM ledger.chain;
-- What is rolled back was never noted.
BEGIN;
INSERT INTO ledger.post VALUES ('ledger ann', 'a flagword');
SELECT count(*) FROM moderation.ledger_note WHERE account = 'ledger ann';
SAVEPOINT s;
SELECT moderation.freeze('ledger dan', 'a reason');
ROLLBACK TO s;
SELECT count(*) FROM moderation.ledger_note WHERE account = 'ledger dan';
ROLLBACK;
SELECT count(*) FROM moderation.ledger_note WHERE account LIKE 'ledger %';
SELECT chain, position, problem FROM moderation.verify_ledger('ledger ann');
SELECT count(*) FROM moderation.seal();
-- The database's own chain begins with where it began.
SELECT l.kind, e.after_seal, e.old_system_identifier, e.system_identifier = s.system_identifier AS here FROM moderation.ledger AS l
	JOIN moderation.ledger_epoch AS e ON e.epoch_id = l.subject, pg_control_system() AS s WHERE l.account IS NULL AND l.position = 1;
SELECT epochs, epoch FROM moderation.ledger_status();

-- The canonical text depends on no setting.
SELECT moderation.ledger_entry(v) AS entry, moderation.ledger_entry_sha256(v) AS sha256 FROM moderation.violation AS v WHERE account = 'ledger cia' \gset
SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = -10; SET bytea_output = 'escape'; SET IntervalStyle = 'sql_standard'; SET quote_all_identifiers = on;
SET search_path = pg_temp;
SELECT moderation.ledger_entry(v) = :'entry' AS same FROM moderation.violation AS v WHERE account = 'ledger cia';
RESET search_path; RESET TimeZone; RESET DateStyle; RESET extra_float_digits; RESET bytea_output; RESET IntervalStyle; RESET quote_all_identifiers;
SELECT encode(sha256(convert_to(:'entry', 'UTF8')), 'hex') = encode(:'sha256', 'hex') AS sha256;
-- It is JSON, of every column but one, in a fixed order.
SELECT e.entry ->> 0 = v.violation_id::text AS id, e.entry ->> 1 AS account, e.entry ->> 2 AS category, e.entry -> 3 AS severity, e.entry ->> 4 AS action,
		(e.entry ->> 5)::real = v.score AS score, e.entry ->> 6 AS policy, e.entry -> 8 AS rules, e.entry ->> 9 AS relation, e.entry ->> 10 AS column,
		e.entry ->> 11 = encode(v.content_sha256, 'hex') AS content, to_timestamp((e.entry ->> 12)::numeric / 1000000) = v.occurred_at AS occurred,
		to_timestamp((e.entry ->> 14)::numeric / 1000000) = v.recorded_at AS recorded, e.entry -> 15 AS strike, e.entry -> 16 AS suspend, e.entry ->> 17 AS source,
		json_array_length(e.entry) AS columns
	FROM moderation.violation AS v, LATERAL (SELECT moderation.ledger_entry(v)::json AS entry) AS e WHERE account = 'ledger cia' \gx
-- A new column of it must be added to src/ledger/ledger_entry.c, at the end.
SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns FROM pg_attribute AS a
	WHERE a.attrelid = 'moderation.violation'::regclass AND a.attnum > 0 AND NOT a.attisdropped;
-- Quotes, control characters, NULLs, arrays, the far past; NULLs at the end are left out.
SELECT moderation.ledger_entry(ROW('00000000-0000-0000-0000-000000000001', E'a"\\\n\tb', NULL, 2, 'flag', 0.1, NULL, 3, '{"x,y",NULL,""}', NULL,
	NULL, '\x00ff', '1969-12-31 23:59:59.5+00', NULL, 'infinity', true, false, false, NULL)::moderation.violation) AS entry;
SELECT moderation.ledger_entry(ROW('00000000-0000-0000-0000-000000000001', '2000-01-01 00:00:00+00', NULL, 'guarded', NULL, 'a', NULL)::moderation.guard_event) AS entry;
-- Fixed values: these must never change, or old entries do not verify any more.
SELECT encode(moderation.ledger_entry_sha256(ROW('00000000-0000-0000-0000-000000000001', '2000-01-01 00:00:00+00', NULL, 'guarded', NULL, 'a', NULL)::moderation.guard_event), 'hex') AS entry;
SELECT encode(moderation.ledger_chain_sha256(NULL, 'ann', 1, 'violation', '00000000-0000-0000-0000-000000000001', sha256('x'), '2000-01-01 00:00:00+00', '2000-01-01 00:00:01+00', 7), 'hex') AS chain,
	encode(sha256(convert_to(concat_ws(E'\n', encode(sha256('ann'), 'hex'), 1, 'violation', '00000000-0000-0000-0000-000000000001', encode(sha256('x'), 'hex'), 946684800000000, 946684801000000, 7), 'UTF8')), 'hex') AS by_hand;
SELECT encode(moderation.ledger_chain_sha256(NULL, NULL, 1, 'epoch', '00000000-0000-0000-0000-000000000001', sha256('x'), '2000-01-01 00:00:00+00', '2000-01-01 00:00:01+00', 7), 'hex') AS chain;

-- Seals: nothing new, no new seal; one that is noted down is known again.
CREATE TEMP TABLE noted AS SELECT * FROM moderation.seal();
SELECT s.seal = n.seal AS same FROM moderation.seal() AS s, noted AS n;
SELECT c.verdict, c.last_seal = n.seal AS last, c.detail FROM noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
SELECT c.verdict, c.last_seal = n.seal AS last, c.detail FROM noted AS n, moderation.check_seal(n.seal, sha256('another')) AS c;
SELECT c.verdict, c.last_seal = n.seal AS last, c.detail FROM noted AS n, moderation.check_seal(n.seal + 1, n.digest) AS c;
SELECT * FROM moderation.check_seal(NULL, '');
INSERT INTO ledger.post VALUES ('ledger ann', 'a flagword');
SELECT s.seal > n.seal AS next, s.digest <> n.digest AS another FROM moderation.seal() AS s, noted AS n;
SELECT c.verdict FROM noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
-- A digest can be recomputed from what the tables say.
SELECT bool_and(s.digest = d.digest) AS all FROM moderation.ledger_seal AS s JOIN moderation.ledger_digest AS d USING (seal);
SELECT s.seal IS NOT NULL AS sealed, s.sealed_at >= l.linked_at AS later FROM moderation.ledger AS l
	LEFT JOIN LATERAL (SELECT min(h.seal) AS seal FROM moderation.ledger_head AS h WHERE h.account = l.account AND h.position >= l.position) AS h ON true
	LEFT JOIN moderation.ledger_seal AS s ON s.seal = h.seal WHERE l.account = 'ledger ann' AND l.position = 3;

-- Where a snapshot could hide what was linked last, it refuses.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT moderation.seal();
ROLLBACK;

-- Who may look and seal, and who may not.
CREATE ROLE regress_ledger;
SELECT moderation.grant_duty('regress_ledger', 'auditor');
SET SESSION AUTHORIZATION regress_ledger;
SELECT count(*) FROM moderation.seal();
SELECT c.verdict FROM moderation.ledger_status() AS s, moderation.check_seal(s.seal, s.digest) AS c;
SELECT * FROM moderation.verify_ledger('ledger ann');
SELECT * FROM moderation.verify_ledger('ledger cia');
UPDATE moderation.ledger SET position = 1;
DELETE FROM moderation.ledger_seal;
TRUNCATE moderation.ledger_note;
RESET SESSION AUTHORIZATION;
SELECT moderation.revoke_duty('regress_ledger', 'auditor');
-- Whoever may not read what was preserved can verify that it is there.
SELECT moderation.grant_duty('regress_ledger', 'administrator');
SET SESSION AUTHORIZATION regress_ledger;
SELECT * FROM moderation.verify_ledger('ledger cia');
SELECT * FROM moderation.evidence;
RESET SESSION AUTHORIZATION;
SELECT moderation.revoke_duty('regress_ledger', 'administrator');
SELECT moderation.grant_duty('regress_ledger', 'reviewer');
SET SESSION AUTHORIZATION regress_ledger;
SELECT moderation.seal();
SELECT * FROM moderation.verify_ledger();
SELECT * FROM moderation.ledger;
RESET SESSION AUTHORIZATION;
SELECT moderation.revoke_duty('regress_ledger', 'reviewer');
DROP ROLE regress_ledger;

SELECT moderation.unguard('ledger.post');
DROP SCHEMA ledger CASCADE;
