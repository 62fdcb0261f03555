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

CREATE OR REPLACE FUNCTION moderation.ledger_entry(subject moderation.evidence) RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_make_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry(moderation.evidence) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry(moderation.evidence) IS 'the canonical text of preserved content: its hash, not the content';

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

CREATE OR REPLACE FUNCTION moderation.ledger_entry_sha256(subject moderation.evidence) RETURNS bytea
	LANGUAGE c STABLE PARALLEL SAFE STRICT	-- no pinned search_path: see above
	AS 'MODULE_PATHNAME', 'moderation_hash_entry';
REVOKE ALL ON FUNCTION moderation.ledger_entry_sha256(moderation.evidence) FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_entry_sha256(moderation.evidence) IS 'SHA-256 of moderation.ledger_entry()';

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

CREATE OR REPLACE FUNCTION moderation.ledger_status(OUT unlinked bigint, OUT oldest_unlinked timestamptz, OUT unsealed bigint, OUT seal bigint,
	OUT sealed_at timestamptz, OUT digest bytea, OUT epochs bigint, OUT epoch_at timestamptz, OUT epoch_after_seal bigint, OUT epoch text)
	RETURNS record
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	SELECT count(*), min(n.noted_at) INTO unlinked, oldest_unlinked FROM moderation.ledger_note AS n;
	SELECT s.seal, s.sealed_at, s.digest INTO ledger_status.seal, ledger_status.sealed_at, ledger_status.digest
		FROM moderation.ledger_seal AS s ORDER BY s.seal DESC LIMIT 1;
	unsealed := (SELECT count(*) FROM moderation.ledger AS l WHERE l.linked_at > coalesce(ledger_status.sealed_at, '-infinity'));
	epochs := (SELECT count(*) FROM moderation.ledger_epoch);
	SELECT e.occurred_at, e.after_seal, CASE WHEN e.old_system_identifier IS NULL THEN 'the ledger began here'
			ELSE format('restored, promoted or copied: it went on at system identifier %s, timeline %s, database %s, and came from %s, %s, %s',
				e.system_identifier, e.timeline, e.database, e.old_system_identifier, e.old_timeline, e.old_database) END
		INTO epoch_at, epoch_after_seal, epoch FROM moderation.ledger_epoch AS e ORDER BY e.occurred_at DESC LIMIT 1;
END
$$;
REVOKE ALL ON FUNCTION moderation.ledger_status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.ledger_status() IS
	'how far the ledger is linked and sealed, and where it last went on: after a restore, from which seal, when, and from where';

CREATE OR REPLACE FUNCTION moderation.check_seal(seal bigint, digest bytea)
	RETURNS TABLE (verdict text, last_seal bigint, last_sealed_at timestamptz, detail text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	branch timestamptz;
	branch_seal bigint;
BEGIN
	IF check_seal.seal IS NULL OR check_seal.digest IS NULL THEN
		RAISE EXCEPTION 'the seal''s number and the digest that was noted down are needed' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT s.seal, s.sealed_at INTO last_seal, last_sealed_at FROM moderation.ledger_seal AS s ORDER BY s.seal DESC LIMIT 1;
	SELECT e.occurred_at, coalesce(e.after_seal, 0) INTO branch, branch_seal FROM moderation.ledger_epoch AS e
		WHERE e.old_system_identifier IS NOT NULL AND coalesce(e.after_seal, 0) < check_seal.seal ORDER BY e.occurred_at LIMIT 1;
	IF last_seal IS NULL OR check_seal.seal > last_seal THEN
		verdict := 'beyond';
		detail := 'this ledger ends earlier: the database was restored from a backup of an earlier time, or the end of its ledger was removed';
	ELSIF NOT EXISTS (SELECT FROM moderation.ledger_seal AS s WHERE s.seal = check_seal.seal) THEN
		verdict := 'altered';
		detail := 'the seal is gone, and later ones are there';
	ELSIF (SELECT s.digest FROM moderation.ledger_seal AS s WHERE s.seal = check_seal.seal) <> check_seal.digest THEN
		verdict := 'altered';
		detail := 'the seal has another digest: what it sealed was rewritten';
	ELSIF (SELECT d.digest FROM moderation.ledger_digest AS d WHERE d.seal = check_seal.seal) <> check_seal.digest THEN
		verdict := 'altered';
		detail := 'the digest is as noted, but the seal or its heads were altered';
	ELSIF EXISTS (SELECT FROM moderation.ledger_head AS h WHERE h.seal = check_seal.seal AND NOT EXISTS (
			SELECT FROM moderation.ledger AS l WHERE (l.account = h.account OR l.account IS NULL AND h.account IS NULL)
				AND l.position = h.position AND l.chain_sha256 = h.chain_sha256)) THEN
		verdict := 'altered';
		detail := 'the seal is as noted, but entries that it sealed were rewritten or removed: moderation.verify_ledger() says which';
	ELSE
		verdict := 'kept';
		detail := 'the seal is as noted; that all before it is, too, moderation.verify_ledger() says';
	END IF;
	IF verdict <> 'kept' AND branch IS NOT NULL THEN
		detail := format('%s. It was found restored, promoted or copied at %s, after seal %s: what was noted down later, where it came from, is another branch''s; check one noted down before',
			detail, branch, branch_seal);
	END IF;
	RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION moderation.check_seal(bigint, bytea) FROM PUBLIC;
COMMENT ON FUNCTION moderation.check_seal(bigint, bytea) IS
	'what has become of a seal whose digest was noted down elsewhere: kept, altered, or beyond where this ledger ends';

-- STABLE, so that all its queries look at one moment.  Where a whole table is empty that alone is said, not every row.  Always
-- planned for what is asked: a plan for all accounts would read everything for one.  Compiling would take longer than most of it.
CREATE OR REPLACE FUNCTION moderation.verify_ledger(account text DEFAULT NULL)
	RETURNS TABLE (chain text, "position" bigint, subject uuid, problem text, hint text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	wanted CONSTANT text := verify_ledger.account;
	compare CONSTANT text := 'compare the tables of moderation with a backup, and find out who could write there';
	begun CONSTANT boolean := EXISTS (SELECT FROM moderation.ledger) OR EXISTS (SELECT FROM moderation.ledger_head) OR EXISTS (SELECT FROM moderation.ledger_seal);
	emptied text[] := '{}';
BEGIN
	-- Tables that somebody has emptied.
	IF wanted IS NULL THEN
		emptied := array_remove(ARRAY[
			CASE WHEN NOT EXISTS (SELECT FROM moderation.ledger) AND (EXISTS (SELECT FROM moderation.ledger_head) OR EXISTS (SELECT FROM moderation.ledger_seal))
				THEN 'ledger' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.ledger_head) AND EXISTS (SELECT FROM moderation.ledger_seal) THEN 'ledger_head' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.ledger_seal) AND EXISTS (SELECT FROM moderation.ledger_head) THEN 'ledger_seal' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.violation) AND EXISTS (SELECT FROM moderation.ledger AS l WHERE l.kind = 'violation') THEN 'violation' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.account_event) AND EXISTS (SELECT FROM moderation.ledger AS l WHERE l.kind = 'account_event')
				THEN 'account_event' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.ledger_evidence) AND EXISTS (SELECT FROM moderation.ledger AS l WHERE l.kind = 'evidence') THEN 'evidence' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.guard_event) AND EXISTS (SELECT FROM moderation.ledger AS l WHERE l.kind = 'guard_event')
				THEN 'guard_event' END,
			CASE WHEN NOT EXISTS (SELECT FROM moderation.ledger_epoch) AND EXISTS (SELECT FROM moderation.ledger) THEN 'ledger_epoch' END], NULL);
		RETURN QUERY SELECT NULL::text, NULL::bigint, NULL::uuid,
			format('table moderation.%s is empty, but the ledger''s other tables know of its rows: truncated', e.name), compare
			FROM unnest(emptied) AS e (name);
	END IF;

	-- Each entry follows from the one before it.
	RETURN QUERY SELECT w.account, CASE WHEN w.gap THEN w.expected ELSE w.position END, CASE WHEN NOT w.gap THEN w.subject END,
			CASE WHEN w.gap AND w.expected = w.position - 1 THEN 'entry is missing: deleted, or given another position'
				WHEN w.gap THEN format('entries up to position %s are missing: deleted, or given other positions', w.position - 1)
				WHEN w.broken THEN 'its hash does not follow from the entry before it: one of the two was altered, put elsewhere, or put in between'
				ELSE 'it was linked earlier, it says, than the entry before it: put elsewhere, or back-dated' END, compare
		FROM (
			SELECT n.*, n.position <> n.expected AS gap, n.linked_at < n.earlier AS disordered,
				n.chain_sha256 IS DISTINCT FROM moderation.ledger_chain_sha256(n.previous, n.account, n.position, n.kind, n.subject, n.entry_sha256,
					n.noted_at, n.linked_at, n.noted_xid) AS broken
			FROM (
				SELECT l.*, coalesce(lag(l.position) OVER c, 0) + 1 AS expected, lag(l.chain_sha256) OVER c AS previous, lag(l.linked_at) OVER c AS earlier
				FROM moderation.ledger AS l WHERE wanted IS NULL OR l.account = wanted
				WINDOW c AS (PARTITION BY l.account ORDER BY l.position)
			) AS n
		) AS w
		WHERE w.gap OR w.broken OR w.disordered;

	-- Each entry was linked before the first seal that has it, and after the last one that has not.
	RETURN QUERY SELECT c.account, c.position, c.subject,
			CASE WHEN a.seal IS NOT NULL THEN format('it was linked, it says, before seal %s was made at %s, which has not got it: back-dated', a.seal, a.sealed_at)
				ELSE format('it was linked, it says, after seal %s was made at %s, which has got it: altered', z.seal, z.sealed_at) END, compare
		FROM (
			SELECT p.*, min(p.seal) OVER (PARTITION BY p.account ORDER BY p.position DESC) AS covering
			FROM (
				SELECT l.account, l.position, l.subject, l.linked_at, NULL::bigint AS seal FROM moderation.ledger AS l WHERE wanted IS NULL OR l.account = wanted
				UNION ALL
				SELECT h.account, h.position, NULL, NULL, h.seal FROM moderation.ledger_head AS h WHERE wanted IS NULL OR h.account = wanted
			) AS p
		) AS c
			LEFT JOIN moderation.ledger_seal AS a ON a.sealed_at >= c.linked_at
				AND a.seal = coalesce(c.covering, (SELECT max(s.seal) + 1 FROM moderation.ledger_seal AS s)) - 1
			LEFT JOIN moderation.ledger_seal AS z ON z.seal = c.covering AND z.sealed_at < c.linked_at
		WHERE c.seal IS NULL AND (a.seal IS NOT NULL OR z.seal IS NOT NULL) AND NOT 'ledger_head' = ANY (emptied);

	-- What was sealed is there, with the same hash.
	IF NOT 'ledger' = ANY (emptied) THEN
		RETURN QUERY SELECT h.account, h.position, NULL::uuid,
				format('the chain ends at position %s, but seal %s has this one: its end was cut off', coalesce(l.position, 0), h.seal), compare
			FROM (SELECT DISTINCT ON (t.account) t.* FROM moderation.ledger_head AS t WHERE wanted IS NULL OR t.account = wanted
					ORDER BY t.account, t.position DESC, t.seal) AS h
				LEFT JOIN (SELECT t.account, max(t.position) AS position FROM moderation.ledger AS t WHERE wanted IS NULL OR t.account = wanted GROUP BY t.account) AS l
					ON coalesce(l.account, '') = coalesce(h.account, '') AND (l.account IS NULL) = (h.account IS NULL)
			WHERE h.position > coalesce(l.position, 0);
	END IF;
	-- In two parts, each of which can use the index.
	RETURN QUERY SELECT h.account, h.position, l.subject, format('seal %s has another hash for it: the chain was rewritten, or the seal', h.seal), compare
		FROM moderation.ledger_head AS h JOIN moderation.ledger AS l ON l.account = h.account AND l.position = h.position
		WHERE l.chain_sha256 <> h.chain_sha256 AND (wanted IS NULL OR h.account = wanted AND l.account = wanted)
		UNION ALL
		SELECT h.account, h.position, l.subject, format('seal %s has another hash for it: the chain was rewritten, or the seal', h.seal), compare
		FROM moderation.ledger_head AS h JOIN moderation.ledger AS l ON l.position = h.position
		WHERE h.account IS NULL AND l.account IS NULL AND l.chain_sha256 <> h.chain_sha256 AND wanted IS NULL;

	-- Subjects: each is as it was noted, was noted once, and not long after it says it was written.
	RETURN QUERY
		WITH entry AS NOT MATERIALIZED (
			SELECT l.account, l.position, l.kind, l.subject, l.entry_sha256, l.linked_at, l.noted_xid FROM moderation.ledger AS l
				WHERE wanted IS NULL OR l.account = wanted
			UNION ALL
			SELECT n.account, NULL, n.kind, n.subject, n.entry_sha256, NULL, NULL FROM moderation.ledger_note AS n
				WHERE wanted IS NULL OR n.account = wanted
		),
		subject AS (
			SELECT v.account, 'violation' AS kind, v.violation_id AS id, moderation.ledger_entry_sha256(v) AS sha256, v.recorded_at AS at
				FROM moderation.violation AS v WHERE wanted IS NULL OR v.account = wanted
			UNION ALL SELECT v.account, 'account_event', v.event_id, moderation.ledger_entry_sha256(v), v.occurred_at
				FROM moderation.account_event AS v WHERE wanted IS NULL OR v.account = wanted
			UNION ALL SELECT v.account, 'evidence', v.violation_id, v.sha256, NULL
				FROM moderation.ledger_evidence AS v WHERE wanted IS NULL OR v.account = wanted
			UNION ALL SELECT NULL, 'guard_event', v.event_id, moderation.ledger_entry_sha256(v), v.occurred_at
				FROM moderation.guard_event AS v WHERE wanted IS NULL
			UNION ALL SELECT NULL, 'epoch', v.epoch_id, moderation.ledger_entry_sha256(v), v.occurred_at
				FROM moderation.ledger_epoch AS v WHERE wanted IS NULL
		),
		pair AS (
			SELECT coalesce(e.account, s.account) AS account, e.position, coalesce(e.subject, s.id) AS id, coalesce(e.kind, s.kind) AS kind,
				e.entry_sha256, s.sha256, s.at, e.linked_at, e.noted_xid
			FROM entry AS e FULL JOIN subject AS s ON s.id = e.subject AND s.kind = e.kind
			WHERE e.entry_sha256 IS DISTINCT FROM s.sha256 OR s.at < e.linked_at - interval '1 minute'
		)
		SELECT p.account, p.position, p.id, CASE
				WHEN p.entry_sha256 IS NULL THEN format('%s %s is not in the ledger: put there by hand, or its entry was deleted', p.kind, p.id)
				WHEN p.sha256 IS NULL THEN format('%s %s is gone: deleted, or given to another account', p.kind, p.id)
				ELSE format('%s %s is not what was recorded: altered', p.kind, p.id) END, compare
			FROM pair AS p
			WHERE p.entry_sha256 IS DISTINCT FROM p.sha256 AND p.kind IN ('violation', 'account_event', 'evidence', 'guard_event', 'epoch')
				AND (p.entry_sha256 IS NOT NULL OR begun AND NOT 'ledger' = ANY (emptied))
				AND (p.sha256 IS NOT NULL OR NOT CASE p.kind WHEN 'epoch' THEN 'ledger_epoch' ELSE p.kind END = ANY (emptied))
		UNION ALL
		SELECT p.account, p.position, p.id, format('%s %s was written, it says, at %s, but its transaction began after seal %s of %s: back-dated',
				p.kind, p.id, p.at, s.seal, s.sealed_at), compare
			FROM pair AS p CROSS JOIN LATERAL (SELECT t.seal, t.sealed_at FROM moderation.ledger_seal AS t
				WHERE t.sealed_at < p.linked_at AND t.next_xid <= p.noted_xid ORDER BY t.sealed_at DESC LIMIT 1) AS s
			WHERE p.at < p.linked_at - interval '1 minute' AND p.at < s.sealed_at - interval '1 minute'
		UNION ALL
		SELECT min(e.account), max(e.position), e.subject, format('%s %s is in the ledger %s times', e.kind, e.subject, count(*)), compare
			FROM entry AS e GROUP BY e.kind, e.subject HAVING count(*) > 1;

	-- What waits.
	RETURN QUERY SELECT n.account, NULL::bigint, n.subject, format('it has waited for its place in the ledger since %s', n.noted_at),
			'SELECT moderation.seal(); and see whether the recorder can start its worker: moderation.status()'
		FROM moderation.ledger_note AS n WHERE n.noted_at < now() - interval '1 hour' AND (wanted IS NULL OR n.account = wanted);

	-- The seals themselves.
	IF wanted IS NULL THEN
		RETURN QUERY SELECT NULL::text, NULL::bigint, NULL::uuid, CASE
				WHEN s.expected < s.seal THEN format('seals %s to %s are missing', s.expected, s.seal - 1)
				WHEN s.sealed_at <= s.earlier THEN format('seal %s was made, it says, before seal %s', s.seal, s.seal - 1)
				ELSE format('the digest of seal %s is not that of its heads and of the seal before it: altered', s.seal) END, compare
			FROM (SELECT t.*, coalesce(lag(t.seal) OVER (ORDER BY t.seal), 0) + 1 AS expected, lag(t.sealed_at) OVER (ORDER BY t.seal) AS earlier
					FROM moderation.ledger_seal AS t) AS s
				JOIN moderation.ledger_digest AS d ON d.seal = s.seal
			WHERE s.expected < s.seal OR s.sealed_at <= s.earlier OR s.digest <> d.digest AND NOT 'ledger_head' = ANY (emptied);
		RETURN QUERY SELECT NULL::text, NULL::bigint, NULL::uuid, format('seal %s is gone, but its heads are there: deleted', h.seal), compare
			FROM (SELECT DISTINCT t.seal FROM moderation.ledger_head AS t) AS h
			WHERE NOT 'ledger_seal' = ANY (emptied) AND NOT EXISTS (SELECT FROM moderation.ledger_seal AS s WHERE s.seal = h.seal);
	END IF;
END
$$;
REVOKE ALL ON FUNCTION moderation.verify_ledger(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.verify_ledger(text) IS
	'a row for every problem in the ledger, of one account or of all; "chain" null: the database''s own chain, or none in particular';
