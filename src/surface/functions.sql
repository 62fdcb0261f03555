-- Asking what a policy makes of a content.  These run once for each row of a query, and nothing in them depends on search_path,
-- so none is pinned: setting and restoring it would cost more than the rest of the call.

-- No pinned search_path: see above.
CREATE OR REPLACE FUNCTION moderation.classify(content text, policy text DEFAULT NULL,
	OUT category text, OUT score real, OUT severity int, OUT action moderation.action, OUT flagged boolean, OUT clause text,
	OUT unknown text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 20 COST 1000
	AS 'MODULE_PATHNAME', 'moderation_classify';
REVOKE ALL ON FUNCTION moderation.classify(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.classify(text, text) IS 'what a policy says of a content: a row for every category';

-- No pinned search_path: see above.
CREATE OR REPLACE FUNCTION moderation.verdict(content text, policy text DEFAULT NULL,
	OUT flagged boolean, OUT action moderation.action, OUT category text, OUT severity int, OUT score real, OUT policy text,
	OUT policy_version int, OUT unknown text)
	RETURNS record
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'moderation_verdict';
REVOKE ALL ON FUNCTION moderation.verdict(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.verdict(text, text) IS 'what a policy says of a content: the gravest of its categories';

-- No pinned search_path: see above.
CREATE OR REPLACE FUNCTION moderation.explain(content text, policy text DEFAULT NULL,
	OUT category text, OUT rule text, OUT score real, OUT start int, OUT length int, OUT matched text, OUT view text, OUT context text)
	RETURNS SETOF record
	LANGUAGE C STABLE PARALLEL SAFE ROWS 10 COST 1000
	AS 'MODULE_PATHNAME', 'moderation_explain';
REVOKE ALL ON FUNCTION moderation.explain(text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.explain(text, text) IS 'which rules spoke, and about what: a row for every finding; start counts from 1, in characters';

-- No pinned search_path: see above.
CREATE OR REPLACE FUNCTION moderation.normalize(content text) RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE STRICT COST 100
	AS 'MODULE_PATHNAME', 'moderation_normalize';
REVOKE ALL ON FUNCTION moderation.normalize(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.normalize(text) IS 'a content as rules see it: case, accents, width, look-alikes and white space folded';

-- No pinned search_path: see above.
CREATE OR REPLACE FUNCTION moderation.redact(content text, policy text DEFAULT NULL, mask text DEFAULT '█') RETURNS text
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'moderation_redact';
REVOKE ALL ON FUNCTION moderation.redact(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.redact(text, text, text) IS 'a content with the spans of findings at or above redact masked, character by character';

-- How this database is set up.
CREATE OR REPLACE FUNCTION moderation.library_versions(OUT pcre2 text, OUT icu text, OUT libyaml text, OUT fold_version bigint,
	OUT model text)
	RETURNS record
	LANGUAGE C STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_read_libraries';
REVOKE ALL ON FUNCTION moderation.library_versions() FROM PUBLIC;
COMMENT ON FUNCTION moderation.library_versions() IS 'the libraries that classify, as loaded by this session, the version of the fold, and the first digits of the SHA-256 of the built-in model';

CREATE OR REPLACE FUNCTION moderation.recorder_status(OUT worker text, OUT worker_pid int, OUT queued bigint, OUT spooled_files bigint,
	OUT spooled_bytes bigint, OUT recorded bigint, OUT fallbacks bigint, OUT registration_failures bigint, OUT timeouts bigint,
	OUT degraded boolean, OUT uncounted bigint, OUT oldest_uncounted timestamptz, OUT logged bigint)
	RETURNS record
	LANGUAGE C VOLATILE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'moderation_read_recorder';
REVOKE ALL ON FUNCTION moderation.recorder_status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.recorder_status() IS 'how the recorder of this database fares; counters count since the server started';

CREATE OR REPLACE FUNCTION moderation.status(OUT extension_version text, OUT mode text, OUT policy text, OUT policy_version int,
	OUT policies int, OUT guarded int, OUT recording text, OUT worker text, OUT queued bigint, OUT spooled_files bigint,
	OUT recorded bigint, OUT fallbacks bigint, OUT uncounted bigint, OUT pcre2 text, OUT icu text,
	OUT libyaml text, OUT fold_version bigint, OUT model text, OUT warnings text[])
	RETURNS record
	LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
WITH live AS (
	SELECT p.policy, max(p.policy_version) AS policy_version FROM moderation.policy AS p WHERE p.state = 'active' GROUP BY p.policy
),
misfit AS (
	SELECT string_agg(l.policy, ', ' ORDER BY l.policy) AS policies FROM live AS l WHERE NOT moderation.policy_fits(l.policy)
),
extension AS (
	SELECT e.extversion, a.default_version FROM pg_extension AS e LEFT JOIN pg_available_extensions AS a ON a.name = e.extname
	WHERE e.extname = 'moderation'
),
waiting AS (
	SELECT count(*) AS entries, min(n.noted_at) AS oldest FROM moderation.ledger_note AS n
)
SELECT e.extversion, current_setting('moderation.mode'), l.policy, l.policy_version,
	(SELECT count(*) FROM live)::int, (SELECT count(*) FROM moderation.guarded)::int,
	CASE WHEN pg_is_in_recovery() THEN 'nothing is stored or refused here: this is a standby'
		WHEN current_setting('fsync')::boolean THEN 'on disk before the refusal is reported, by background worker or spool'
		ELSE 'by background worker or spool, but fsync is off' END,
	r.worker, r.queued, r.spooled_files, r.recorded, r.fallbacks, r.uncounted, v.pcre2, v.icu, v.libyaml, v.fold_version,
	v.model,
	array_remove(ARRAY[
		CASE WHEN current_setting('moderation.mode') <> 'enforce' THEN
			format('moderation.mode is %s in this session: content is stored as it is', current_setting('moderation.mode')) END,
		CASE WHEN l.policy IS NULL THEN
			'policy "terms-of-service" has no live version: guards that name no policy refuse everything; load one with moderation.load_policy()' END,
		CASE WHEN m.policies IS NOT NULL THEN
			format('no compiled form fits this server for %s, so that each session compiles for itself: SELECT moderation.compile_policies();', m.policies) END,
		CASE WHEN NOT EXISTS (SELECT FROM moderation.guarded) THEN 'no table is guarded: SELECT moderation.guard(...);' END,
		CASE WHEN current_setting('max_worker_processes')::int - current_setting('max_logical_replication_workers')::int < 2 THEN
			format('max_worker_processes is %s, of which logical replication can keep %s: refusals go to the spool while no worker can be had; raise it',
				current_setting('max_worker_processes'), current_setting('max_logical_replication_workers')) END,
		CASE WHEN r.worker = 'unavailable' THEN 'the recorder has no shared memory: refusals go to the spool; restart the server' END,
		CASE WHEN r.registration_failures > 0 THEN
			format('%s times no background worker could be started for the recorder: raise max_worker_processes', r.registration_failures) END,
		CASE WHEN r.degraded THEN 'the recorder''s worker does not answer in time: is a table of moderation locked, or the disk full?' END,
		CASE WHEN r.spooled_files > 0 THEN format('%s files of violations wait in the spool for the worker', r.spooled_files) END,
		CASE WHEN r.logged > 0 THEN format('%s refusals could not be spooled: look for "is not in the tables" in the server log', r.logged) END,
		CASE WHEN r.oldest_uncounted < now() - interval '1 minute' THEN
			format('%s strikes wait to be counted, the oldest since %s', r.uncounted, r.oldest_uncounted) END,
		CASE WHEN w.oldest < now() - interval '1 minute' THEN
			format('%s entries wait for their place in the ledger, the oldest since %s: SELECT moderation.seal();', w.entries, w.oldest) END,
		CASE WHEN NOT current_setting('fsync')::boolean THEN 'fsync is off: a crash can lose violations, and everything else' END,
		CASE WHEN e.extversion <> e.default_version THEN
			format('version %s of the extension is installed on this server: ALTER EXTENSION moderation UPDATE;', e.default_version) END
	], NULL)
FROM extension AS e
	LEFT JOIN live AS l ON l.policy = 'terms-of-service'
	CROSS JOIN misfit AS m
	CROSS JOIN waiting AS w
	CROSS JOIN moderation.recorder_status() AS r
	CROSS JOIN moderation.library_versions() AS v
$$;
REVOKE ALL ON FUNCTION moderation.status() FROM PUBLIC;
COMMENT ON FUNCTION moderation.status() IS 'one row on how this database is set up, with warnings';

CREATE OR REPLACE FUNCTION moderation.verify() RETURNS TABLE (object text, problem text, hint text)
	LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
SELECT g.object, g.problem, g.hint FROM moderation.verify_guards() AS g
UNION ALL
-- Policies: what is live must be what was loaded.
SELECT 'policy terms-of-service', 'it has no live version', 'SELECT moderation.load_policy(...)'
WHERE NOT EXISTS (SELECT FROM moderation.policy AS p WHERE p.policy = 'terms-of-service' AND p.state = 'active')
UNION ALL
SELECT format('policy %s version %s', p.policy, p.policy_version), 'the document is not the one that was loaded',
	'restore it from a backup, or load a correct one with moderation.load_policy()'
FROM moderation.policy AS p WHERE p.document_sha256 <> sha256(convert_to(p.document, getdatabaseencoding()))
UNION ALL
SELECT 'table ' || t.tgrelid::regclass::text, format('trigger %I is disabled', t.tgname),
	format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I;', t.tgrelid::regclass, t.tgname)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'moderation'::regnamespace AND NOT t.tgisinternal AND t.tgenabled <> 'A'
UNION ALL
SELECT 'event trigger ' || e.evtname, CASE e.evtenabled WHEN 'D' THEN 'it is disabled' ELSE 'it is not enabled always' END,
	format('ALTER EVENT TRIGGER %I ENABLE ALWAYS;', e.evtname)
FROM pg_event_trigger AS e JOIN pg_proc AS f ON f.oid = e.evtfoid
WHERE f.pronamespace = 'moderation'::regnamespace AND e.evtenabled <> 'A'
UNION ALL
-- Statuses: each must be what its history ended with.
SELECT 'account ' || a.account, 'it is ' || a.state || ', but its history is empty',
	'somebody has written to moderation.account: SELECT moderation.reinstate(account, reason), or freeze or suspend it again'
FROM moderation.account AS a
WHERE a.state <> 'active' AND NOT EXISTS (SELECT FROM moderation.account_event AS e WHERE e.account = a.account)
UNION ALL
SELECT 'account ' || a.account, format('it is %s, but its history ends with %s', a.state, e.to_state),
	'somebody has written to moderation.account or moderation.account_event: SELECT moderation.reinstate(account, reason), or freeze or suspend it again'
FROM moderation.account AS a
	CROSS JOIN LATERAL (SELECT e.to_state FROM moderation.account_event AS e WHERE e.account = a.account
		ORDER BY e.occurred_at DESC LIMIT 1) AS e
WHERE e.to_state <> a.state
UNION ALL
SELECT 'account ' || a.account, 'its number of strikes is negative', 'SELECT moderation.reinstate(account, reason)'
FROM moderation.account AS a WHERE a.strikes < 0 OR a.streak < 0
UNION ALL
-- Evidence: each must be the content that was refused.
SELECT 'evidence of violation ' || e.violation_id, 'its content does not have the hash that was recorded with it',
	'compare it with a backup, and find out who could write to moderation.evidence'
FROM moderation.evidence AS e WHERE e.content_sha256 <> sha256(convert_to(e.content, getdatabaseencoding()))
UNION ALL
SELECT 'evidence of violation ' || e.violation_id, CASE WHEN v.violation_id IS NULL THEN 'its violation is gone' ELSE 'its violation has another hash' END,
	'compare moderation.violation with a backup'
FROM moderation.evidence AS e
	LEFT JOIN moderation.violation AS v ON v.violation_id = e.violation_id AND v.account IS NOT DISTINCT FROM e.account
WHERE v.violation_id IS NULL OR v.content_sha256 <> e.content_sha256
UNION ALL
SELECT 'violation ' || v.violation_id, 'its hash is not a SHA-256', 'compare moderation.violation with a backup'
FROM moderation.violation AS v WHERE octet_length(v.content_sha256) <> 32
UNION ALL
-- The ledger: whether what it keeps is what was recorded.
SELECT CASE WHEN l.chain IS NULL THEN 'ledger' ELSE 'ledger of account ' || l.chain END
	|| CASE WHEN l.position IS NULL THEN '' ELSE ' at position ' || l.position END, l.problem, l.hint
FROM moderation.verify_ledger() AS l
UNION ALL
-- Rights.
SELECT 'schema moderation', format('role %s may create objects in it', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END),
	format('REVOKE CREATE ON SCHEMA moderation FROM %s;', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
WHERE n.nspname = 'moderation' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
UNION ALL
SELECT format('table %s', c.oid::regclass), format('role %s may %s it', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END, lower(a.privilege_type)),
	format('REVOKE %s ON %s FROM %s;', a.privilege_type, c.oid::regclass, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE c.relnamespace = 'moderation'::regnamespace AND a.privilege_type <> 'SELECT' AND a.grantee <> c.relowner
UNION ALL
SELECT format('role %s', pg_get_userbyid(m.member)), 'is a member of pg_write_all_data, and so may write to every table of moderation',
	format('REVOKE pg_write_all_data FROM %I;', pg_get_userbyid(m.member))
FROM pg_auth_members AS m WHERE m.roleid = 'pg_write_all_data'::regrole
UNION ALL
-- guard_problems() tells of SET on moderation.mode.
SELECT format('role %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END), format('may %s %s', lower(a.privilege_type), p.parname),
	format('REVOKE %s ON PARAMETER %s FROM %s;', a.privilege_type, p.parname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_parameter_acl AS p CROSS JOIN LATERAL aclexplode(p.paracl) AS a
WHERE p.parname LIKE 'moderation.%' AND (p.parname <> 'moderation.mode' OR a.privilege_type <> 'SET')
	AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper)
UNION ALL
SELECT format('duty %s of role %s', d.duty, d.role::oid), 'the role is gone', format('DELETE FROM moderation.duty WHERE role = %s;', d.role::oid)
FROM moderation.duty AS d WHERE NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = d.role)
$$;
REVOKE ALL ON FUNCTION moderation.verify() FROM PUBLIC;
COMMENT ON FUNCTION moderation.verify() IS 'a row for every problem in guards, policies, statuses, evidence, ledger and rights; none when all is well';

-- Duties: what a role must be able to do, as GRANTs.
CREATE OR REPLACE FUNCTION moderation.duty_privileges(duty text) RETURNS SETOF text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp
AS $$
SELECT p.privilege FROM (VALUES
	('administrator reviewer auditor application', 'USAGE ON SCHEMA moderation'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.classify(text, text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.verdict(text, text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.normalize(text)'),
	('administrator reviewer auditor application', 'EXECUTE ON FUNCTION moderation.redact(text, text, text)'),
	-- It says which words were found, and so, asked often enough, what the rules are.
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.explain(text, text)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_categories(text, int)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_rules(text, int)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_languages(text, int)'),
	('administrator reviewer auditor', 'EXECUTE ON FUNCTION moderation.policy_risks(text, int)'),
	('administrator reviewer auditor', 'SELECT ON moderation.category'),
	('administrator reviewer auditor', 'SELECT ON moderation.rule'),
	('administrator reviewer auditor', 'SELECT ON moderation.policy_coverage'),
	('administrator reviewer auditor', 'SELECT ON moderation.policy_standard'),
	('administrator reviewer auditor', 'SELECT ON moderation.violation'),
	('administrator reviewer auditor', 'SELECT ON moderation.account_status'),
	('administrator reviewer auditor', 'SELECT ON moderation.account_event'),
	('administrator reviewer auditor', 'SELECT ON moderation.quarantine'),
	('administrator reviewer auditor', 'SELECT ON moderation.guarded'),
	('administrator auditor', 'SELECT ON moderation.policy'),
	('administrator auditor', 'SELECT ON moderation.duty'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.status()'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.verify()'),
	('administrator auditor', 'SELECT ON moderation.ledger'),
	('administrator auditor', 'SELECT ON moderation.ledger_note'),
	('administrator auditor', 'SELECT ON moderation.ledger_seal'),
	('administrator auditor', 'SELECT ON moderation.ledger_head'),
	('administrator auditor', 'SELECT ON moderation.ledger_epoch'),
	('administrator auditor', 'SELECT ON moderation.ledger_digest'),
	('administrator auditor', 'SELECT ON moderation.ledger_evidence'),
	('administrator auditor', 'SELECT ON moderation.guard_event'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_status()'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry(moderation.violation)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry(moderation.account_event)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry(moderation.guard_event)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry(moderation.ledger_epoch)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry_sha256(moderation.violation)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry_sha256(moderation.account_event)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry_sha256(moderation.guard_event)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry_sha256(moderation.ledger_epoch)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry(moderation.evidence)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_entry_sha256(moderation.evidence)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.ledger_chain_sha256(bytea, text, bigint, text, uuid, bytea, timestamptz, timestamptz, bigint)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.seal()'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.check_seal(bigint, bytea)'),
	('administrator auditor', 'EXECUTE ON FUNCTION moderation.verify_ledger(text)'),
	('auditor', 'SELECT ON moderation.evidence'),
	('administrator reviewer', 'EXECUTE ON FUNCTION moderation.freeze(text, text, timestamptz)'),
	('administrator reviewer', 'EXECUTE ON FUNCTION moderation.reinstate(text, text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.suspend(text, text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.load_policy(text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.activate(text, int)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.learn(text, text)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.compile_policies()'),
	('administrator', 'EXECUTE ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.unguard(regclass)'),
	('administrator', 'EXECUTE ON FUNCTION moderation.stop_recorder()')
) AS p (duties, privilege)
WHERE duty_privileges.duty = ANY (string_to_array(p.duties, ' '))
$$;
REVOKE ALL ON FUNCTION moderation.duty_privileges(text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.duty_privileges(text) IS 'what a duty (administrator, reviewer, auditor, application) may do';

-- Not SECURITY DEFINER: the caller must own what is granted, or be a superuser.
CREATE OR REPLACE FUNCTION moderation.grant_duty(role regrole, duty text) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	grantee name := (SELECT r.rolname FROM pg_roles AS r WHERE r.oid = grant_duty.role);
	privilege text;
BEGIN
	IF grantee IS NULL OR NOT EXISTS (SELECT FROM moderation.duty_privileges(grant_duty.duty)) THEN
		RAISE EXCEPTION 'there is no such role or duty'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Duties are administrator, reviewer, auditor and application.';
	END IF;
	FOR privilege IN SELECT moderation.duty_privileges(grant_duty.duty) LOOP
		EXECUTE format('GRANT %s TO %I', privilege, grantee);
	END LOOP;
	INSERT INTO moderation.duty (role, duty) VALUES (grant_duty.role, grant_duty.duty) ON CONFLICT DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION moderation.grant_duty(regrole, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.grant_duty(regrole, text) IS 'gives a role a duty: administrator, reviewer, auditor or application';

CREATE OR REPLACE FUNCTION moderation.revoke_duty(role regrole, duty text) RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	grantee name := (SELECT r.rolname FROM pg_roles AS r WHERE r.oid = revoke_duty.role);
	privilege text;
BEGIN
	IF grantee IS NULL OR NOT EXISTS (SELECT FROM moderation.duty_privileges(revoke_duty.duty)) THEN
		RAISE EXCEPTION 'there is no such role or duty'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Duties are administrator, reviewer, auditor and application.';
	END IF;
	DELETE FROM moderation.duty AS d WHERE d.role = revoke_duty.role AND d.duty = revoke_duty.duty;
	FOR privilege IN
		SELECT moderation.duty_privileges(revoke_duty.duty)
		EXCEPT
		SELECT kept.privilege FROM moderation.duty AS d CROSS JOIN LATERAL moderation.duty_privileges(d.duty) AS kept (privilege)
		WHERE d.role = revoke_duty.role
	LOOP
		EXECUTE format('REVOKE %s FROM %I', privilege, grantee);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION moderation.revoke_duty(regrole, text) FROM PUBLIC;
COMMENT ON FUNCTION moderation.revoke_duty(regrole, text) IS 'takes a duty from a role; what another of its duties gives, it keeps';
