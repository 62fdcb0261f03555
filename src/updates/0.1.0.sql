-- From release 0.1.0 to where src/ is now: types and tables, by hand.  Functions and views are repeated after this, with all their
-- triggers and comments, and the built-in policy is loaded as its next version, so that none of them is written here, but for a
-- function or view that is gone, or that CREATE OR REPLACE refuses (another result, other parameters): DROP it here.
--
-- A file of src/ that is new since then is taken in whole:  \i src/STAGE/tables.sql.  A new column of an older table is the table's
-- last, there and here, with a default that also fits what is stored already: dumps of 0.1.0 are restored into tables that have it.
-- t/053_update.pl compares the outcome with a fresh installation, object by object.
SET LOCAL search_path = pg_catalog, pg_temp;

-- src/guard
ALTER TABLE moderation.guarded
	ADD COLUMN former_content name[] NOT NULL DEFAULT '{}',
	ADD COLUMN former_account name[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN moderation.guarded.former_content IS 'names that guarded columns had before they were renamed or dropped: a column of such a name is guarded';
COMMENT ON COLUMN moderation.guarded.former_account IS 'names that the account column had before it was renamed: a column of such a name is a problem';
ALTER TABLE moderation.quarantine REPLICA IDENTITY FULL;

-- src/store
ALTER TABLE moderation.policy
	DROP CONSTRAINT policy_state_check,
	ADD CONSTRAINT policy_state_check CHECK (state IN ('draft', 'active', 'retired'));
COMMENT ON COLUMN moderation.policy.state IS 'draft, active or retired';

-- src/ledger.  Its first entry is linked by the worker, or by moderation.seal(), and all that was recorded before it.
\i src/ledger/tables.sql

-- src/surface: each has a column more.
DROP FUNCTION moderation.recorder_status();
DROP FUNCTION moderation.library_versions();
DROP FUNCTION moderation.status();
