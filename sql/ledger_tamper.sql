-- Whatever a superuser does to what is recorded: verification says what, of which account, at which position.
\i sql/include/test_policy.sql
SET client_min_messages = warning;
SET DateStyle = 'ISO';
CREATE SCHEMA ledger;
CREATE TABLE ledger.post (account text, body text);
SELECT moderation.guard('ledger.post', '{body}', 'account', 'test');
-- Two seals, and something after them: positions 1 to 2, 3 to 4, 5 of "tamper ann".
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword one');
SELECT moderation.freeze('tamper ben', 'a reason', now() + interval '1 day');
SELECT count(*) FROM moderation.seal();
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword two');
SELECT count(*) FROM moderation.seal();
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword three'), ('tamper ann', 'a flagword four');
SELECT moderation.reinstate('tamper ben', 'another');
-- Its content is preserved.
DO $$ BEGIN INSERT INTO ledger.post VALUES ('tamper cia', 'a suspendword'); EXCEPTION WHEN SQLSTATE 'MD001' THEN NULL; END $$;
DO $$ BEGIN INSERT INTO ledger.post VALUES ('tamper dan', 'a suspendword'); EXCEPTION WHEN SQLSTATE 'MD001' THEN NULL; END $$;
SELECT count(*) FROM moderation.seal();
CREATE TABLE ledger.noted AS SELECT seal, digest FROM moderation.ledger_status();
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword five');
SELECT count(*) FROM moderation.seal();

-- Problems, without what differs from run to run; those that other tests have left are taken away.
CREATE VIEW ledger.said AS
	SELECT coalesce(v.chain, '(database)') AS chain, v.position, regexp_replace(regexp_replace(regexp_replace(v.problem, '[0-9a-f]{8}-[-0-9a-f]{27}', 'ID'),
		'\d{4}-\d\d-\d\d [^ ,]+\d', 'TIME', 'g'), 'seals? \d+( to \d+)?', 'seal N', 'g') AS problem, v.subject
	FROM moderation.verify_ledger() AS v;
CREATE TABLE ledger.known AS SELECT * FROM ledger.said;
CREATE VIEW ledger.problem AS
	SELECT s.chain, s.position, s.problem FROM ledger.said AS s
	WHERE NOT EXISTS (SELECT FROM ledger.known AS k WHERE k.chain = s.chain AND k.problem = s.problem AND k.subject IS NOT DISTINCT FROM s.subject)
	ORDER BY s.chain COLLATE "C", s.position, s.problem COLLATE "C";
SELECT chain, problem FROM ledger.known WHERE chain LIKE 'tamper %';
SELECT * FROM ledger.problem;

-- A subject is altered: what it says, whose it is, when it was; "counted" alone may change.
BEGIN; UPDATE moderation.violation SET category = 'test_redact' WHERE account = 'tamper ann' AND ctid = (SELECT min(ctid) FROM moderation.violation WHERE account = 'tamper ann'); SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.violation AS v SET account = 'tamper eve' FROM moderation.ledger AS l WHERE l.account = 'tamper ann' AND l.position = 2 AND v.violation_id = l.subject; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.violation AS v SET recorded_at = recorded_at - interval '30 days' FROM moderation.ledger AS l WHERE l.account = 'tamper ann' AND l.position = 5 AND v.violation_id = l.subject; SELECT * FROM ledger.problem WHERE problem NOT LIKE '%back-dated'; ROLLBACK;
BEGIN; UPDATE moderation.violation SET score = score + 0.0000001 WHERE account = 'tamper ann'; SELECT count(*) FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.violation SET counted = NOT counted WHERE account = 'tamper ann'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.account_event SET reason = 'a better one' WHERE account = 'tamper ben' AND to_state = 'frozen'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger_epoch SET timeline = 2 WHERE old_timeline IS NULL; SELECT * FROM ledger.problem; ROLLBACK;
-- It is deleted; put in; put in twice.
BEGIN; DELETE FROM moderation.violation AS v USING moderation.ledger AS l WHERE l.account = 'tamper ann' AND l.position = 3 AND v.violation_id = l.subject; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; INSERT INTO moderation.account_event (account, from_state, to_state, actor) VALUES ('tamper ann', 'active', 'suspended', 'moderation'); SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; INSERT INTO moderation.ledger_note SELECT account, kind, subject, entry_sha256 FROM moderation.ledger WHERE account = 'tamper ann' AND position = 2; SELECT * FROM ledger.problem; ROLLBACK;
-- Preserved content is deleted, given to another account, said to be from elsewhere, put in; how long it is kept may be decided later.
BEGIN; DELETE FROM moderation.evidence WHERE account = 'tamper cia'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.evidence SET account = 'tamper eve' WHERE account = 'tamper cia'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.evidence SET content = 'x', content_sha256 = sha256('x') WHERE account = 'tamper cia'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.evidence SET relation = 'x' WHERE account = 'tamper cia'; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; INSERT INTO moderation.evidence (violation_id, account, content, content_sha256, occurred_at)
	VALUES ('00000000-0000-0000-0000-00000000000b', 'tamper cia', 'x', sha256('x'), now()); SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.evidence SET preserved_until = now() WHERE account = 'tamper cia'; SELECT * FROM ledger.problem; ROLLBACK;
-- With an entry of its own it is a new one, of now; but it says that it is old.
BEGIN;
INSERT INTO moderation.account_event (account, from_state, to_state, actor, occurred_at, event_id) VALUES ('tamper ann', 'active', 'suspended', 'moderation', now() - interval '30 days', '00000000-0000-0000-0000-00000000000a');
INSERT INTO moderation.ledger_note (account, kind, subject, entry_sha256, noted_at) SELECT e.account, 'account_event', e.event_id, moderation.ledger_entry_sha256(e), e.occurred_at
	FROM moderation.account_event AS e WHERE e.event_id = '00000000-0000-0000-0000-00000000000a';
SELECT count(*) FROM moderation.seal();
SELECT * FROM ledger.problem;
ROLLBACK;

-- An entry is altered, deleted, put elsewhere, dated back.
BEGIN; UPDATE moderation.ledger SET entry_sha256 = sha256('x') WHERE account = 'tamper ann' AND position = 2; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger SET chain_sha256 = sha256('x') WHERE account = 'tamper ann' AND position = 2; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger SET chain_sha256 = '' WHERE account = 'tamper ann' AND position = 1; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger SET noted_at = noted_at - interval '1 second' WHERE account = 'tamper ann' AND position = 4; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger SET linked_at = linked_at - interval '1 hour' WHERE account = 'tamper ann' AND position = 4; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger SET noted_xid = 3 WHERE account = 'tamper ann' AND position = 4; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; DELETE FROM moderation.ledger WHERE account = 'tamper ann' AND position = 2; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; DELETE FROM moderation.ledger WHERE account = 'tamper ann' AND position BETWEEN 2 AND 3; SELECT * FROM ledger.problem; ROLLBACK;
-- Two entries exchanged.
BEGIN;
UPDATE moderation.ledger SET position = -position WHERE account = 'tamper ann' AND position IN (2, 3);
UPDATE moderation.ledger SET position = 5 + position WHERE account = 'tamper ann' AND position IN (-2, -3);
SELECT * FROM ledger.problem;
ROLLBACK;
-- Moved to another account.
BEGIN; UPDATE moderation.ledger SET account = 'tamper eve', position = 1 WHERE account = 'tamper ann' AND position = 4; SELECT * FROM ledger.problem; ROLLBACK;

-- The end is cut off, with all that it stood for: behind the last seal nothing shows it, before it the seals do.
BEGIN;
DELETE FROM moderation.violation AS v USING moderation.ledger AS l WHERE l.account = 'tamper ann' AND l.position > 2 AND v.violation_id = l.subject;
DELETE FROM moderation.ledger WHERE account = 'tamper ann' AND position > 2;
SELECT * FROM ledger.problem;
-- Going on from there does not hide it.
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword again'), ('tamper ann', 'a flagword again'), ('tamper ann', 'a flagword again');
SELECT count(*) FROM moderation.seal();
SELECT * FROM ledger.problem;
ROLLBACK;
-- An entry that is added at the end with the right hashes, but in the past.
BEGIN;
INSERT INTO moderation.account_event (account, from_state, to_state, actor, occurred_at, event_id) VALUES ('tamper ann', 'active', 'suspended', 'moderation', now() - interval '30 days', '00000000-0000-0000-0000-00000000000a');
INSERT INTO moderation.ledger SELECT n.account, n.position, n.kind, n.subject, n.entry, moderation.ledger_chain_sha256(n.chain_sha256, n.account, n.position, n.kind, n.subject, n.entry, n.linked_at, n.linked_at, n.noted_xid),
	n.linked_at, n.linked_at, n.noted_xid FROM (
	SELECT l.account, l.position + 1 AS position, 'account_event' AS kind, e.event_id AS subject, moderation.ledger_entry_sha256(e) AS entry, l.chain_sha256, l.linked_at, l.noted_xid
	FROM moderation.ledger AS l, moderation.account_event AS e WHERE l.account = 'tamper ann' AND e.event_id = '00000000-0000-0000-0000-00000000000a'
	ORDER BY l.position DESC LIMIT 1) AS n;
SELECT * FROM ledger.problem;
ROLLBACK;

-- The seals.
BEGIN; UPDATE moderation.ledger_seal SET digest = sha256('x') WHERE seal = (SELECT seal FROM ledger.noted); SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger_seal SET sealed_at = sealed_at - interval '1 day' WHERE seal = (SELECT seal FROM ledger.noted); SELECT DISTINCT problem FROM ledger.problem WHERE chain = '(database)' AND position IS NULL; ROLLBACK;
BEGIN; DELETE FROM moderation.ledger_seal WHERE seal = (SELECT seal FROM ledger.noted); SELECT DISTINCT problem FROM ledger.problem WHERE position IS NULL; ROLLBACK;
BEGIN; DELETE FROM moderation.ledger_head WHERE account = 'tamper ann' AND seal = (SELECT seal FROM ledger.noted); SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; UPDATE moderation.ledger_head SET chain_sha256 = sha256('x') WHERE account = 'tamper ann' AND seal = (SELECT seal FROM ledger.noted); SELECT * FROM ledger.problem; ROLLBACK;

-- TRUNCATE: one line for each table.
BEGIN; TRUNCATE moderation.ledger; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; TRUNCATE moderation.ledger_seal; SELECT * FROM ledger.problem WHERE chain = '(database)'; ROLLBACK;
BEGIN; TRUNCATE moderation.ledger_head; SELECT * FROM ledger.problem WHERE chain = '(database)'; ROLLBACK;
BEGIN; TRUNCATE moderation.violation; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; TRUNCATE moderation.account_event; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; TRUNCATE moderation.evidence; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; TRUNCATE moderation.ledger_epoch; SELECT * FROM ledger.problem; ROLLBACK;
BEGIN; INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword'); TRUNCATE moderation.ledger_note; SELECT * FROM ledger.problem; ROLLBACK;
-- What waits for long.
BEGIN; INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword'); UPDATE moderation.ledger_note SET noted_at = now() - interval '2 hours' WHERE account = 'tamper ann'; SELECT * FROM ledger.problem; ROLLBACK;
-- status() says so after a minute, and not before.
BEGIN;
INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword');
CREATE VIEW ledger.waiting AS SELECT substr(w, strpos(w, 'entries'), 48) AS warning, w ~ ': SELECT moderation.seal\(\);$' AS hint
	FROM moderation.status() AS s CROSS JOIN LATERAL unnest(s.warnings) AS w WHERE w ~ 'ledger';
UPDATE moderation.ledger_note SET noted_at = now() - interval '50 seconds';
SELECT * FROM ledger.waiting;
UPDATE moderation.ledger_note SET noted_at = now() - interval '61 seconds' WHERE account = 'tamper ann';
SELECT * FROM ledger.waiting;
SELECT count(*) FROM moderation.seal();
SELECT * FROM ledger.waiting;
ROLLBACK;
-- A note altered before it is linked.
BEGIN; INSERT INTO ledger.post VALUES ('tamper ann', 'a flagword'); UPDATE moderation.ledger_note SET entry_sha256 = sha256('x') WHERE account = 'tamper ann'; SELECT * FROM ledger.problem; ROLLBACK;

-- Whoever rewrites everything, consistently, is not found by verification; a digest that was noted down elsewhere shows it.
BEGIN;
SELECT c.verdict FROM ledger.noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
UPDATE moderation.violation SET category = 'test_redact' WHERE account = 'tamper ann';
UPDATE moderation.ledger AS l SET entry_sha256 = moderation.ledger_entry_sha256(v) FROM moderation.violation AS v WHERE l.account = 'tamper ann' AND v.violation_id = l.subject;
DO $$
DECLARE
	entry moderation.ledger;
	previous bytea;
	number bigint;
BEGIN
	FOR entry IN SELECT l.* FROM moderation.ledger AS l WHERE l.account = 'tamper ann' ORDER BY l.position LOOP
		previous := moderation.ledger_chain_sha256(previous, entry.account, entry.position, entry.kind, entry.subject, entry.entry_sha256, entry.noted_at, entry.linked_at, entry.noted_xid);
		UPDATE moderation.ledger AS l SET chain_sha256 = previous WHERE l.account = entry.account AND l.position = entry.position;
	END LOOP;
	UPDATE moderation.ledger_head AS h SET chain_sha256 = l.chain_sha256 FROM moderation.ledger AS l WHERE l.account = h.account AND l.position = h.position AND h.account = 'tamper ann';
	FOR number IN SELECT s.seal FROM moderation.ledger_seal AS s ORDER BY s.seal LOOP
		UPDATE moderation.ledger_seal AS s SET digest = d.digest FROM moderation.ledger_digest AS d WHERE s.seal = number AND d.seal = number;
	END LOOP;
END
$$;
SELECT * FROM ledger.problem;
SELECT c.verdict, c.detail FROM ledger.noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
ROLLBACK;
-- Or by not having rewritten the seals.
BEGIN;
DELETE FROM moderation.ledger WHERE account = 'tamper ann' AND position = 4;
SELECT c.verdict, c.detail FROM ledger.noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
ROLLBACK;
BEGIN;
DELETE FROM moderation.ledger_seal WHERE seal >= (SELECT seal FROM ledger.noted);
SELECT c.verdict, c.detail FROM ledger.noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
ROLLBACK;
BEGIN;
DELETE FROM moderation.ledger_seal WHERE seal = (SELECT seal FROM ledger.noted);
SELECT c.verdict, c.detail FROM ledger.noted AS n, moderation.check_seal(n.seal, n.digest) AS c;
ROLLBACK;

SELECT * FROM ledger.problem;
SELECT moderation.unguard('ledger.post');
DROP SCHEMA ledger CASCADE;
