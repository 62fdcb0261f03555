-- What was refused or flagged, and the content that must be preserved.
--
-- Every key begins with the account; no foreign keys, no triggers, no sequences, so that the worker that writes here runs
-- nobody's code, can wait for nobody's row, and the tables can be distributed by account.
-- account is NULL where content was moderated that nobody answers for.

CREATE TABLE moderation.violation (
	violation_id uuid NOT NULL,
	account text,
	category text,
	severity int NOT NULL,
	action moderation.action NOT NULL,
	score real NOT NULL,
	policy text,
	policy_version int NOT NULL,
	rules text[] NOT NULL,
	relation text,
	column_name text,
	content_sha256 bytea NOT NULL,
	occurred_at timestamptz NOT NULL,
	db_role text,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	strike boolean NOT NULL DEFAULT false,
	suspend boolean NOT NULL DEFAULT false,
	counted boolean NOT NULL DEFAULT false,
	source text NOT NULL DEFAULT 'guard',
	CONSTRAINT violation_key UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
CREATE INDEX violation_account_occurred ON moderation.violation (account, occurred_at);
CREATE INDEX violation_uncounted ON moderation.violation (account, occurred_at) WHERE strike AND NOT counted;
-- There is no primary key, for account may be NULL; a publication FOR ALL TABLES must not stop updates of "counted".
ALTER TABLE moderation.violation REPLICA IDENTITY FULL;
REVOKE ALL ON moderation.violation FROM PUBLIC;
COMMENT ON TABLE moderation.violation IS 'every content that was refused, diverted, redacted or flagged';
COMMENT ON COLUMN moderation.violation.account IS 'who answers for the content; NULL: moderated, not counted';
COMMENT ON COLUMN moderation.violation.rules IS 'the rules that fired, surest first, at most 16';
COMMENT ON COLUMN moderation.violation.occurred_at IS 'when the statement ran';
COMMENT ON COLUMN moderation.violation.recorded_at IS 'when this row was written';
COMMENT ON COLUMN moderation.violation.db_role IS 'the role that ran the statement';
COMMENT ON COLUMN moderation.violation.strike IS 'counts against the account';
COMMENT ON COLUMN moderation.violation.suspend IS 'suspends the account at once';
COMMENT ON COLUMN moderation.violation.counted IS 'the ladder has counted it';
COMMENT ON COLUMN moderation.violation.source IS 'what found it: guard, or a scan of stored rows';

CREATE TABLE moderation.evidence (
	violation_id uuid NOT NULL,
	account text,
	content text NOT NULL,
	content_sha256 bytea NOT NULL,
	db_role text,
	relation text,
	column_name text,
	occurred_at timestamptz NOT NULL,
	preserved_until timestamptz,
	CONSTRAINT evidence_key UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
ALTER TABLE moderation.evidence REPLICA IDENTITY FULL;
REVOKE ALL ON moderation.evidence FROM PUBLIC;
COMMENT ON TABLE moderation.evidence IS 'content preserved for the categories whose evidence is content';
COMMENT ON COLUMN moderation.evidence.preserved_until IS 'NULL: for as long as nobody decides otherwise';

SELECT pg_catalog.pg_extension_config_dump('moderation.violation', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.evidence', '');

-- Without a worker every refusal goes to the spool, which is slower and not in the tables until there is one.
DO $$
BEGIN
	IF pg_catalog.current_setting('max_worker_processes')::int OPERATOR(pg_catalog.<) 4 THEN
		RAISE WARNING 'max_worker_processes leaves little room for the recorder of violations'
			USING HINT = 'Each database with the extension needs one worker: ALTER SYSTEM SET max_worker_processes = 8;';
	END IF;
END
$$;
