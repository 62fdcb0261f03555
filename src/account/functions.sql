-- Status by hand.  Each acts in the caller's transaction and writes one row of moderation.account_event, with the
-- role that called.  They are not SECURITY DEFINER: in C they learn who calls, and act as the extension's owner only
-- on our own tables.

CREATE OR REPLACE FUNCTION moderation.freeze(account text, reason text, until timestamptz DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_freeze_account';
REVOKE ALL ON FUNCTION moderation.freeze(text, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION moderation.freeze(text, text, timestamptz) IS
	'freezes an account until then, or for good; a freeze may be made longer this way, not shorter';

CREATE OR REPLACE FUNCTION moderation.suspend(account text, reason text) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_suspend_account';
REVOKE ALL ON FUNCTION moderation.suspend(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.suspend(text, text) IS 'suspends an account, until it is reinstated';

CREATE OR REPLACE FUNCTION moderation.reinstate(account text, reason text) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_reinstate_account';
REVOKE ALL ON FUNCTION moderation.reinstate(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.reinstate(text, text) IS
	'makes an account active again; its strikes and earlier freezes are forgotten';

-- Looks at the latest committed state, whatever the transaction's snapshot: VOLATILE, and fit for a row-security
-- policy.  It is C, depends on no search_path, and is called once a row: it has no SET clause, which would cost a
-- microsecond each time.
CREATE OR REPLACE FUNCTION moderation.may_write(account text) RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL SAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'moderation_may_write';
COMMENT ON FUNCTION moderation.may_write(text) IS
	'true unless the account is frozen or suspended at this moment; true for null';

-- A trigger of moderation.account only.
CREATE OR REPLACE FUNCTION moderation.announce_status() RETURNS trigger
	LANGUAGE c VOLATILE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_announce_status';
REVOKE ALL ON FUNCTION moderation.announce_status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_status() IS
	'tells writers, through the relation cache, to look at account states again';
