-- What the digest of each seal must be: SHA-256 over lines, separated by a newline, none at the end.  The digest before it (zeros
-- for the first), the seal's own columns, then a line for each head, sorted: SHA-256 of the account's origin, the position, the hash.
-- A view, so that what seals and what verifies is one formula.
CREATE OR REPLACE VIEW moderation.ledger_digest AS
	SELECT s.seal, sha256(convert_to(concat_ws(E'\n',
			coalesce((SELECT encode(p.digest, 'hex') FROM moderation.ledger_seal AS p WHERE p.seal = s.seal - 1), repeat('0', 64)),
			s.seal, (extract(epoch FROM s.sealed_at) * 1000 * 1000)::bigint, s.entries, s.accounts, s.system_identifier, s.timeline,
			s.database, s.lsn - '0/0'::pg_lsn, s.next_xid,
			(SELECT string_agg(h.line, E'\n' ORDER BY h.line COLLATE "C") FROM (
				SELECT encode(sha256(convert_to(concat_ws(E'\n',
					CASE WHEN t.account IS NULL THEN repeat('0', 64) ELSE encode(sha256(convert_to(t.account, getdatabaseencoding())), 'hex') END,
					t.position, encode(t.chain_sha256, 'hex')), 'UTF8')), 'hex') AS line
				FROM moderation.ledger_head AS t WHERE t.seal = s.seal) AS h)), 'UTF8')) AS digest
	FROM moderation.ledger_seal AS s;
REVOKE ALL ON moderation.ledger_digest FROM PUBLIC;
COMMENT ON VIEW moderation.ledger_digest IS 'the digest that each seal must have, computed from the digest before it and the heads';

-- Evidence as the ledger keeps it: for those, too, who verify but may not read what was refused.
CREATE OR REPLACE VIEW moderation.ledger_evidence AS
	SELECT e.account, e.violation_id, moderation.ledger_entry_sha256(e) AS sha256 FROM moderation.evidence AS e;
REVOKE ALL ON moderation.ledger_evidence FROM PUBLIC;
COMMENT ON VIEW moderation.ledger_evidence IS 'the hash of each row of moderation.evidence, as the ledger has it';
