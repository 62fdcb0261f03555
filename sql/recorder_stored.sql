-- What the recorder writes: refusals outlive the statement, stored content's violations live and die with the row.
\i sql/include/test_policy.sql
CREATE SCHEMA recorder;
CREATE TABLE recorder.post (id int, account text, body text);
SELECT moderation.guard('recorder.post', '{body}', 'account', 'test');
CREATE VIEW recorder.seen AS
	SELECT account, category, severity, action, policy, rules, relation, column_name, strike, suspend, counted, source,
		db_role = current_user AS by_me, recorded_at >= occurred_at AS in_order, octet_length(content_sha256) AS hash
	FROM moderation.violation WHERE account LIKE 'recorder %' ORDER BY account, occurred_at;

-- Refused, whatever becomes of the transaction; with evidence where the category says so.
\set VERBOSITY sqlstate
BEGIN;
INSERT INTO recorder.post VALUES (1, 'recorder refused', 'a zorblax');
ROLLBACK;
INSERT INTO recorder.post VALUES (2, 'recorder kept', 'a suspendword');
\set VERBOSITY default
SELECT * FROM recorder.seen;
SELECT account, content, content_sha256 = sha256(convert_to(content, 'UTF8')) AS hash, relation, column_name, preserved_until
	FROM moderation.evidence WHERE account LIKE 'recorder %';

-- Stored, so the violation goes when the row goes, and comes when it comes; no strike.
BEGIN;
INSERT INTO recorder.post VALUES (3, 'recorder stored', 'a flagword');
ROLLBACK;
BEGIN;
INSERT INTO recorder.post VALUES (4, 'recorder stored', 'a flagword');
SAVEPOINT s;
INSERT INTO recorder.post VALUES (5, 'recorder stored', 'a redactword');
ROLLBACK TO s;
COMMIT;
SELECT * FROM recorder.seen WHERE account = 'recorder stored';

-- A row of an account that nobody answers for is moderated all the same, and counts for nobody.
SELECT count(*) AS before FROM moderation.violation WHERE account IS NULL \gset
\set VERBOSITY sqlstate
INSERT INTO recorder.post VALUES (6, NULL, 'a zorblax');
\set VERBOSITY default
SELECT count(*) - :before AS added, bool_or(counted) AS counted FROM moderation.violation WHERE account IS NULL;

-- A role with rights on its own table only is recorded, and has no rights on what is recorded.
CREATE ROLE recorder_user;
GRANT USAGE ON SCHEMA recorder TO recorder_user;
GRANT INSERT ON recorder.post TO recorder_user;
SET ROLE recorder_user;
\set VERBOSITY sqlstate
INSERT INTO recorder.post VALUES (7, 'recorder role', 'a zorblax');
INSERT INTO recorder.post VALUES (8, 'recorder role', 'a flagword');
SELECT count(*) FROM moderation.violation;
BEGIN;
LOCK TABLE moderation.violation IN ACCESS SHARE MODE;
ROLLBACK;
DELETE FROM moderation.evidence;
SET moderation.record_timeout = 10;
SELECT moderation.stop_recorder();
\set VERBOSITY default
RESET ROLE;
SELECT category, action, strike, db_role FROM moderation.violation WHERE account = 'recorder role' ORDER BY occurred_at;

DROP VIEW recorder.seen;
DROP TABLE recorder.post;
DROP SCHEMA recorder;
DROP ROLE recorder_user;
