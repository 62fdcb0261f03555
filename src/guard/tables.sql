-- The guarded tables.  Written by moderation.guard() and moderation.unguard() alone; the triggers obey what stands here.
-- regclass: a dump carries names, a rename is followed, and pg_upgrade keeps it.
CREATE TABLE moderation.guarded (
	relation regclass PRIMARY KEY,
	content_columns name[] NOT NULL,
	account_column name NOT NULL,
	policy text,
	action moderation.action,
	row_security boolean NOT NULL,
	enabled_on regclass[] NOT NULL DEFAULT '{}',
	forced_on regclass[] NOT NULL DEFAULT '{}',
	guarded_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	guarded_by name NOT NULL,
	former_content name[] NOT NULL DEFAULT '{}',
	former_account name[] NOT NULL DEFAULT '{}'
);
REVOKE ALL ON TABLE moderation.guarded FROM PUBLIC;
COMMENT ON TABLE moderation.guarded IS 'the guarded tables, written by moderation.guard() and moderation.unguard()';
COMMENT ON COLUMN moderation.guarded.relation IS 'the table; its partitions are guarded with it';
COMMENT ON COLUMN moderation.guarded.content_columns IS 'columns that are classified';
COMMENT ON COLUMN moderation.guarded.account_column IS 'column that names the account answerable for the row';
COMMENT ON COLUMN moderation.guarded.policy IS 'policy by name; NULL: the built-in one';
COMMENT ON COLUMN moderation.guarded.action IS 'the most that may be done; NULL: whatever the policy says';
COMMENT ON COLUMN moderation.guarded.row_security IS 'whether a row-security policy keeps frozen accounts out, too';
COMMENT ON COLUMN moderation.guarded.enabled_on IS 'relations whose row security was off before, and will be again';
COMMENT ON COLUMN moderation.guarded.forced_on IS 'relations whose row security was not forced before, and will not be again';
COMMENT ON COLUMN moderation.guarded.guarded_at IS 'when it was last changed';
COMMENT ON COLUMN moderation.guarded.guarded_by IS 'the role that did it';

COMMENT ON COLUMN moderation.guarded.former_content IS 'names that guarded columns had before they were renamed or dropped: a column of such a name is guarded';
COMMENT ON COLUMN moderation.guarded.former_account IS 'names that the account column had before it was renamed: a column of such a name is a problem';

-- Rows that were diverted instead of stored.  They live and die with the transaction that tried to store them.
CREATE TABLE moderation.quarantine (
	account text,
	violation_id uuid NOT NULL,
	relation text NOT NULL,
	row_data jsonb NOT NULL,
	operation text NOT NULL CHECK (operation IN ('INSERT', 'UPDATE')),
	occurred_at timestamptz NOT NULL,
	UNIQUE NULLS NOT DISTINCT (account, violation_id)
);
-- There is no primary key, for account may be NULL; a publication FOR ALL TABLES must not stop rows from leaving.
ALTER TABLE moderation.quarantine REPLICA IDENTITY FULL;
REVOKE ALL ON TABLE moderation.quarantine FROM PUBLIC;
COMMENT ON TABLE moderation.quarantine IS 'rows diverted by action quarantine, waiting for review';
COMMENT ON COLUMN moderation.quarantine.account IS 'who is answerable; NULL when the row named nobody';
COMMENT ON COLUMN moderation.quarantine.violation_id IS 'the violation of the row''s gravest content';
COMMENT ON COLUMN moderation.quarantine.relation IS 'the guarded table';
COMMENT ON COLUMN moderation.quarantine.row_data IS 'the row as it would have been stored, all columns';
COMMENT ON COLUMN moderation.quarantine.operation IS 'INSERT or UPDATE; an updated row stayed as it was';
COMMENT ON COLUMN moderation.quarantine.occurred_at IS 'when it was diverted';

-- A table that is gone without its event trigger having run would be dumped as a bare number.
SELECT pg_catalog.pg_extension_config_dump('moderation.guarded',
	'WHERE relation::oid OPERATOR(pg_catalog.=) ANY (SELECT c.oid FROM pg_catalog.pg_class AS c)');
SELECT pg_catalog.pg_extension_config_dump('moderation.quarantine', '');
