-- Where accounts stand.  An account that was never refused anything has no row here.
--
-- src/account/account_row.h names the first columns by number: a later version only appends.
CREATE TABLE moderation.account (
	account text PRIMARY KEY CHECK (octet_length(account) <= 1024),
	state moderation.account_state NOT NULL DEFAULT 'active',
	strikes int NOT NULL DEFAULT 0,
	streak int NOT NULL DEFAULT 0,
	reason text,
	since timestamptz NOT NULL DEFAULT clock_timestamp(),
	until timestamptz,
	counts_from timestamptz,
	clean_from timestamptz,
	CHECK (until IS NULL OR state IN ('warned', 'frozen'))
) WITH (fillfactor = 70);

-- The gate's index: in byte order, which no upgrade of the operating system's locales can change.
CREATE UNIQUE INDEX account_gate ON moderation.account (account COLLATE "C");

COMMENT ON TABLE moderation.account IS
	'where accounts stand, as recorded; moderation.account_status says what the clock has left of it';
COMMENT ON COLUMN moderation.account.state IS
	'as recorded: a warning or freeze whose "until" has passed has ended all the same';
COMMENT ON COLUMN moderation.account.strikes IS
	'refused contents that counted, since the account was last reinstated';
COMMENT ON COLUMN moderation.account.streak IS
	'refused contents in a row, since the last clean content, freeze or suspension';
COMMENT ON COLUMN moderation.account.reason IS 'of the last change, shown to the account';
COMMENT ON COLUMN moderation.account.counts_from IS
	'when the last freeze was imposed: strikes from before do not lead to another one';
COMMENT ON COLUMN moderation.account.clean_from IS
	'when the account was last reinstated: strikes and freezes from before are forgotten';
COMMENT ON INDEX moderation.account_gate IS
	'through which the gate looks accounts up; in byte order, whatever the collation';

-- Every change of state, and every decision of a moderator's.
CREATE TABLE moderation.account_event (
	account text NOT NULL,
	event_id uuid NOT NULL DEFAULT gen_random_uuid(),
	occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	from_state moderation.account_state NOT NULL,
	to_state moderation.account_state NOT NULL,
	until timestamptz,
	reason text,
	actor text NOT NULL,
	login text,
	automatic boolean NOT NULL DEFAULT false,
	category text,
	violation_id uuid,
	PRIMARY KEY (account, event_id)
);
CREATE INDEX account_event_time ON moderation.account_event (account COLLATE "C", occurred_at);

COMMENT ON TABLE moderation.account_event IS 'every change of an account''s state: who or what made it, and why';
COMMENT ON COLUMN moderation.account_event.actor IS 'the role that called, or "moderation" for the ladder';
COMMENT ON COLUMN moderation.account_event.login IS
	'the role that had logged in, which SET ROLE does not change; null for the ladder';
COMMENT ON COLUMN moderation.account_event.automatic IS
	'made by the ladder; only such freezes make the next one longer';
COMMENT ON COLUMN moderation.account_event.violation_id IS 'the violation that led to it, in moderation.violation';

-- The name of a lock, and nothing else: src/account/account_gate.c.
CREATE TABLE moderation.freeze_gate ();
COMMENT ON TABLE moderation.freeze_gate IS
	'always empty: the lock that puts commits of writers and of freezes in order';

REVOKE ALL ON moderation.account, moderation.account_event, moderation.freeze_gate FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('moderation.account', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.account_event', '');
