-- The ledger: chains of hashes over violations, changes of status, guard events and epochs.
--
-- Every key begins with the account, in byte order; no foreign keys, no triggers, no sequences, so that a dump restores it as it
-- is.  moderation.ledger, ledger_seal, ledger_head, ledger_epoch and guard_event are only ever inserted into; what is noted and not
-- yet linked waits in ledger_note, and moves.  account NULL is the database's own chain.

CREATE TABLE moderation.ledger (
	account text COLLATE "C",
	position bigint NOT NULL,
	kind text COLLATE "C" NOT NULL,
	subject uuid NOT NULL,
	entry_sha256 bytea NOT NULL,
	chain_sha256 bytea NOT NULL,
	noted_at timestamptz NOT NULL,
	linked_at timestamptz NOT NULL,
	noted_xid bigint NOT NULL,
	CONSTRAINT ledger_key UNIQUE NULLS NOT DISTINCT (account, position)
);
CREATE INDEX ledger_linked ON moderation.ledger (linked_at);
COMMENT ON TABLE moderation.ledger IS 'chains of hashes: each entry stands for a row of another table, and for all entries before it';
COMMENT ON COLUMN moderation.ledger.account IS 'whose chain; NULL: the database''s own';
COMMENT ON COLUMN moderation.ledger.position IS 'counts from 1 in each chain';
COMMENT ON COLUMN moderation.ledger.kind IS 'violation, account_event, evidence, guard_event or epoch: the table of the subject';
COMMENT ON COLUMN moderation.ledger.subject IS 'violation_id, event_id or epoch_id';
COMMENT ON COLUMN moderation.ledger.entry_sha256 IS 'SHA-256 of moderation.ledger_entry() of the subject''s row';
COMMENT ON COLUMN moderation.ledger.chain_sha256 IS 'SHA-256 over the chain_sha256 before it and this entry: moderation.ledger_chain_sha256()';
COMMENT ON COLUMN moderation.ledger.noted_at IS 'when the transaction that wrote the subject noted it';
COMMENT ON COLUMN moderation.ledger.linked_at IS 'when it was given its place; never earlier than what stands before it';
COMMENT ON COLUMN moderation.ledger.noted_xid IS 'the transaction that noted it, counted through: shows which seals are older';

CREATE TABLE moderation.ledger_note (
	account text COLLATE "C",
	kind text COLLATE "C" NOT NULL,
	subject uuid NOT NULL,
	entry_sha256 bytea NOT NULL,
	noted_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
ALTER TABLE moderation.ledger_note REPLICA IDENTITY FULL;
COMMENT ON TABLE moderation.ledger_note IS 'entries that wait for their place in moderation.ledger';
COMMENT ON COLUMN moderation.ledger_note.account IS 'whose chain; NULL: the database''s own';
COMMENT ON COLUMN moderation.ledger_note.kind IS 'as in moderation.ledger';
COMMENT ON COLUMN moderation.ledger_note.subject IS 'as in moderation.ledger';
COMMENT ON COLUMN moderation.ledger_note.entry_sha256 IS 'as in moderation.ledger';
COMMENT ON COLUMN moderation.ledger_note.noted_at IS 'since when it waits';

-- Also the linker's lock: whoever links or seals holds ShareUpdateExclusiveLock on it until the end of the transaction.
CREATE TABLE moderation.ledger_seal (
	seal bigint PRIMARY KEY,
	sealed_at timestamptz NOT NULL,
	entries bigint NOT NULL,
	accounts bigint NOT NULL,
	digest bytea NOT NULL,
	system_identifier bigint NOT NULL,
	timeline int NOT NULL,
	database oid NOT NULL,
	lsn pg_lsn NOT NULL,
	next_xid bigint NOT NULL
);
CREATE INDEX ledger_seal_time ON moderation.ledger_seal (sealed_at);
COMMENT ON TABLE moderation.ledger_seal IS 'seals: each is one digest of the whole ledger as it stood';
COMMENT ON COLUMN moderation.ledger_seal.seal IS 'counts from 1';
COMMENT ON COLUMN moderation.ledger_seal.sealed_at IS 'no earlier than any entry that it has, earlier than any that it has not';
COMMENT ON COLUMN moderation.ledger_seal.entries IS 'entries that it adds to the seal before it';
COMMENT ON COLUMN moderation.ledger_seal.accounts IS 'chains that these belong to: so many rows of moderation.ledger_head';
COMMENT ON COLUMN moderation.ledger_seal.digest IS 'to be noted down elsewhere: moderation.check_seal()';
COMMENT ON COLUMN moderation.ledger_seal.system_identifier IS 'of the database cluster that made it';
COMMENT ON COLUMN moderation.ledger_seal.timeline IS 'on which it was made';
COMMENT ON COLUMN moderation.ledger_seal.database IS 'oid of the database in that cluster';
COMMENT ON COLUMN moderation.ledger_seal.lsn IS 'where the write-ahead log stood';
COMMENT ON COLUMN moderation.ledger_seal.next_xid IS 'transactions from this one on began after it';

CREATE TABLE moderation.ledger_head (
	account text COLLATE "C",
	seal bigint NOT NULL,
	position bigint NOT NULL,
	chain_sha256 bytea NOT NULL,
	CONSTRAINT ledger_head_key UNIQUE NULLS NOT DISTINCT (account, seal)
);
CREATE INDEX ledger_head_seal ON moderation.ledger_head (seal);
COMMENT ON TABLE moderation.ledger_head IS 'the last entry of each chain that had grown when a seal was made';
COMMENT ON COLUMN moderation.ledger_head.account IS 'whose chain; NULL: the database''s own';
COMMENT ON COLUMN moderation.ledger_head.seal IS 'the seal';
COMMENT ON COLUMN moderation.ledger_head.position IS 'position of its last entry then';
COMMENT ON COLUMN moderation.ledger_head.chain_sha256 IS 'and that entry''s hash';

-- A database that was restored, promoted or copied goes on with the chains; where it began to is written here.
CREATE TABLE moderation.ledger_epoch (
	epoch_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	occurred_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	after_seal bigint,
	after_digest bytea,
	old_system_identifier bigint,
	old_timeline int,
	old_database oid,
	system_identifier bigint NOT NULL,
	timeline int NOT NULL,
	database oid NOT NULL,
	lsn pg_lsn NOT NULL
);
COMMENT ON TABLE moderation.ledger_epoch IS 'where the ledger was begun, and each time it was found to go on elsewhere: restored, promoted, copied';
COMMENT ON COLUMN moderation.ledger_epoch.epoch_id IS 'subject of its entry in the database''s own chain';
COMMENT ON COLUMN moderation.ledger_epoch.occurred_at IS 'when it was noticed';
COMMENT ON COLUMN moderation.ledger_epoch.after_seal IS 'the last seal that was there; NULL: none';
COMMENT ON COLUMN moderation.ledger_epoch.after_digest IS 'its digest';
COMMENT ON COLUMN moderation.ledger_epoch.old_system_identifier IS 'where the ledger was before; NULL: nowhere, it begins here';
COMMENT ON COLUMN moderation.ledger_epoch.old_timeline IS 'likewise';
COMMENT ON COLUMN moderation.ledger_epoch.old_database IS 'likewise';
COMMENT ON COLUMN moderation.ledger_epoch.system_identifier IS 'of the database cluster';
COMMENT ON COLUMN moderation.ledger_epoch.timeline IS 'on which it goes on';
COMMENT ON COLUMN moderation.ledger_epoch.database IS 'oid of the database';
COMMENT ON COLUMN moderation.ledger_epoch.lsn IS 'where the write-ahead log stood';

CREATE TABLE moderation.guard_event (
	event_id uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
	occurred_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	relation text,
	what text NOT NULL,
	detail text,
	actor text NOT NULL,
	login text NOT NULL
);
COMMENT ON TABLE moderation.guard_event IS 'what befell the guards: put on, taken off, changed, passed by';
COMMENT ON COLUMN moderation.guard_event.event_id IS 'subject of its entry in the database''s own chain';
COMMENT ON COLUMN moderation.guard_event.occurred_at IS 'when';
COMMENT ON COLUMN moderation.guard_event.relation IS 'the table, with its schema';
COMMENT ON COLUMN moderation.guard_event.what IS 'a word: guarded, unguarded, guard_changed, guard_lost, rewritten, restore, attached, ...';
COMMENT ON COLUMN moderation.guard_event.detail IS 'what exactly';
COMMENT ON COLUMN moderation.guard_event.actor IS 'the role that did it';
COMMENT ON COLUMN moderation.guard_event.login IS 'the role that had logged in';

REVOKE ALL ON moderation.ledger FROM PUBLIC;
REVOKE ALL ON moderation.ledger_note FROM PUBLIC;
REVOKE ALL ON moderation.ledger_seal FROM PUBLIC;
REVOKE ALL ON moderation.ledger_head FROM PUBLIC;
REVOKE ALL ON moderation.ledger_epoch FROM PUBLIC;
REVOKE ALL ON moderation.guard_event FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('moderation.ledger', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.ledger_note', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.ledger_seal', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.ledger_head', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.ledger_epoch', '');
SELECT pg_catalog.pg_extension_config_dump('moderation.guard_event', '');
