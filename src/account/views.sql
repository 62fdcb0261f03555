-- Where accounts stand now.  The clock that ends a warning or freeze is that of the statement: it goes on within a
-- transaction, and stands still within a statement, so that conditions on the view use the table's indexes.
-- may_write() has a clock that never stands.
CREATE OR REPLACE VIEW moderation.account_status AS
	SELECT a.account,
		CASE WHEN a.state <> 'suspended' AND a.until <= statement_timestamp() THEN 'active' ELSE a.state END AS state,
		a.strikes, a.reason, a.since, a.until
	FROM moderation.account AS a;
REVOKE ALL ON moderation.account_status FROM PUBLIC;
COMMENT ON VIEW moderation.account_status IS
	'where accounts stand now: a row for each that ever left "active"; since, until, reason are of the last change';

-- Whoever restricts an account, by whatever way, makes open transactions look again: see src/account/account_gate.c.
CREATE OR REPLACE TRIGGER announce_status AFTER INSERT OR UPDATE ON moderation.account
	FOR EACH ROW WHEN (NEW.state IN ('frozen', 'suspended')) EXECUTE FUNCTION moderation.announce_status();
ALTER TABLE moderation.account ENABLE ALWAYS TRIGGER announce_status;
