-- The canonical text of a row that the ledger keeps, and its hash.  C, called once a row, and nothing in them depends on
-- search_path, so none is pinned.

CREATE OR REPLACE FUNCTION moderation.ledger_entry(subject moderation.violation) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_make_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry(moderation.violation) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry(moderation.violation) IS 'the canonical text of a violation: a JSON array of its columns, but for "counted"';

CREATE OR REPLACE FUNCTION moderation.ledger_entry(subject moderation.account_event) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_make_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry(moderation.account_event) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry(moderation.account_event) IS 'the canonical text of a change of status';

CREATE OR REPLACE FUNCTION moderation.ledger_entry(subject moderation.guard_event) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_make_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry(moderation.guard_event) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry(moderation.guard_event) IS 'the canonical text of a guard''s event';

CREATE OR REPLACE FUNCTION moderation.ledger_entry(subject moderation.ledger_epoch) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_make_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry(moderation.ledger_epoch) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry(moderation.ledger_epoch) IS 'the canonical text of an epoch';

CREATE OR REPLACE FUNCTION moderation.ledger_entry_sha256(subject moderation.violation) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_hash_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry_sha256(moderation.violation) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry_sha256(moderation.violation) IS 'SHA-256 of moderation.ledger_entry()';

CREATE OR REPLACE FUNCTION moderation.ledger_entry_sha256(subject moderation.account_event) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_hash_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry_sha256(moderation.account_event) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry_sha256(moderation.account_event) IS 'SHA-256 of moderation.ledger_entry()';

CREATE OR REPLACE FUNCTION moderation.ledger_entry_sha256(subject moderation.guard_event) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_hash_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry_sha256(moderation.guard_event) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry_sha256(moderation.guard_event) IS 'SHA-256 of moderation.ledger_entry()';

CREATE OR REPLACE FUNCTION moderation.ledger_entry_sha256(subject moderation.ledger_epoch) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_hash_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry_sha256(moderation.ledger_epoch) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry_sha256(moderation.ledger_epoch) IS 'SHA-256 of moderation.ledger_entry()';

CREATE OR REPLACE FUNCTION moderation.ledger_chain_sha256(previous bytea, account text, "position" bigint, kind text, subject uuid,
	entry_sha256 bytea, noted_at timestamptz, linked_at timestamptz, noted_xid bigint) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_chain_entry';
REVOKE ALL ON FUNCTION moderation.ledger_chain_sha256(bytea, text, bigint, text, uuid, bytea, timestamptz, timestamptz, bigint) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_chain_sha256(bytea, text, bigint, text, uuid, bytea, timestamptz, timestamptz, bigint) IS
	'what chain_sha256 of an entry must be after the one before it; previous null: for position 1';

CREATE OR REPLACE FUNCTION moderation.ledger_place(OUT system_identifier bigint, OUT timeline int, OUT database oid, OUT lsn pg_lsn,
	OUT next_xid bigint)
	RETURNS record
	LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_read_place';
REVOKE ALL ON FUNCTION moderation.ledger_place() FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_place() IS 'where this database is: cluster, timeline, oid, and how far it has come';

-- Not SECURITY DEFINER: in C it acts as the extension's owner on our own tables only.
CREATE OR REPLACE FUNCTION moderation.seal(OUT seal bigint, OUT sealed_at timestamptz, OUT entries bigint, OUT accounts bigint,
	OUT digest bytea)
	RETURNS record
	LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_seal_ledger';
REVOKE ALL ON FUNCTION moderation.seal() FROM PUBLIC;
COMMENT ON FUNCTION moderation.seal() IS
	'links what is noted, seals what is linked, and says the last seal; its digest is worth noting down elsewhere';
