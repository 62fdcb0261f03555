-- Duties: what each may do, and that taking one away leaves what another one gives.
\set VERBOSITY terse
CREATE ROLE "regress ""admin";
CREATE ROLE regress_reviewer;
CREATE ROLE regress_auditor;
CREATE ROLE regress_application;
SELECT moderation.grant_duty('"regress ""admin"', 'administrator');
SELECT moderation.grant_duty('regress_reviewer', 'reviewer');
SELECT moderation.grant_duty('regress_auditor', 'auditor');
SELECT moderation.grant_duty('regress_application', 'application');
SELECT role, duty, granted_by = current_user AS by_me FROM moderation.duty WHERE role::text LIKE '%regress_%' ORDER BY duty;

-- Functions and relations, by duty; what no column has, only the owner may use, or everybody.
CREATE VIEW regress_roles AS
	SELECT d.duty, d.role::oid AS role FROM moderation.duty AS d WHERE d.role::text LIKE '%regress_%';
SELECT p.oid::regprocedure AS function, string_agg(r.duty, ' ' ORDER BY r.duty) AS duties
	FROM pg_proc AS p JOIN regress_roles AS r ON has_function_privilege(r.role, p.oid, 'EXECUTE')
	WHERE p.pronamespace = 'moderation'::regnamespace GROUP BY p.oid ORDER BY p.oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, string_agg(r.duty, ' ' ORDER BY r.duty) AS duties
	FROM pg_class AS c JOIN regress_roles AS r ON has_table_privilege(r.role, c.oid, 'SELECT')
	WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'v') GROUP BY c.oid ORDER BY c.oid::regclass::text COLLATE "C";
-- Nobody writes to a table directly.
SELECT c.oid::regclass FROM pg_class AS c JOIN regress_roles AS r
	ON has_table_privilege(r.role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
	WHERE c.relnamespace = 'moderation'::regnamespace AND c.relkind IN ('r', 'v');

SET ROLE regress_application;
SELECT flagged FROM moderation.verdict('a text');
SELECT * FROM moderation.explain('a text');
SELECT * FROM moderation.violation;
RESET ROLE;
SET ROLE regress_reviewer;
SELECT count(*) > 0 AS categories FROM moderation.category;
SELECT * FROM moderation.evidence;
SELECT moderation.load_policy('');
SELECT moderation.suspend('x', 'no');
RESET ROLE;
SET ROLE regress_auditor;
SELECT count(*) >= 0 AS readable FROM moderation.evidence;
SELECT extension_version IS NOT NULL AS status FROM moderation.status();
SELECT count(*) >= 0 AS verified FROM moderation.verify();
SELECT moderation.freeze('x', 'no');
SELECT moderation.grant_duty('regress_auditor', 'administrator');
RESET ROLE;
SET ROLE "regress ""admin";
SELECT moderation.load_policy('');
SELECT count(*) >= 0 AS verified FROM moderation.verify();
SELECT * FROM moderation.evidence;
RESET ROLE;

-- No duty leads to another: neither by the functions, nor by the table, nor by giving on what one has.
CREATE FUNCTION regress_try(who name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement;
	RESET ROLE;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT who, string_agg(DISTINCT regress_try(who, statement), ' ') AS refused
	FROM unnest('{regress_reviewer,regress_auditor,regress_application,"regress \"admin"}'::name[]) AS w (who),
		unnest(ARRAY[$$SELECT moderation.grant_duty('regress_reviewer', 'administrator')$$, $$SELECT moderation.revoke_duty('regress_auditor', 'auditor')$$,
			$$INSERT INTO moderation.duty VALUES ('regress_reviewer', 'administrator')$$, $$DELETE FROM moderation.violation$$, $$UPDATE moderation.account SET state = 'active'$$,
			$$INSERT INTO moderation.quarantine DEFAULT VALUES$$, $$DELETE FROM moderation.guarded$$, $$TRUNCATE moderation.evidence$$, $$LOCK moderation.account$$,
			$$CREATE TRIGGER t BEFORE INSERT ON moderation.account EXECUTE FUNCTION moderation.announce_status()$$, $$DROP TABLE moderation.duty$$,
			$$SET moderation.mode = restore$$, $$SELECT * FROM moderation.account$$, $$SELECT * FROM moderation.policy_image$$, $$SELECT moderation.load_builtin_policy('')$$]) AS s (statement) GROUP BY who ORDER BY who;
SELECT regress_try('regress_reviewer', 'GRANT SELECT ON moderation.violation TO regress_application'), has_table_privilege('regress_application', 'moderation.violation', 'SELECT');
SELECT regress_try('regress_application', $$SELECT moderation.freeze('x', 'no')$$), regress_try('regress_application', 'SELECT * FROM moderation.verify()'),
	regress_try('regress_reviewer', 'SELECT * FROM moderation.verify()'), regress_try('regress_auditor', $$SELECT moderation.reinstate('x', 'no')$$);

-- Who is a member has the duty, with SET ROLE when it is not inherited; history tells who acted, and who had logged in.
CREATE ROLE regress_member NOINHERIT IN ROLE regress_reviewer;
SET SESSION AUTHORIZATION regress_member;
SELECT moderation.freeze('regress member''s', 'why');
SET ROLE regress_reviewer;
SELECT moderation.freeze('regress member''s', 'why');
RESET SESSION AUTHORIZATION;
SELECT actor, login FROM moderation.account_event WHERE account = 'regress member''s';
SELECT moderation.reinstate('regress member''s', 'it was a test');
DROP ROLE regress_member;

-- What the server's own roles give: pg_monitor nothing; pg_read_all_data everything there is to read; pg_write_all_data what verify() reports.
CREATE ROLE regress_monitor IN ROLE pg_monitor, pg_signal_backend;
CREATE ROLE regress_reader IN ROLE pg_read_all_data;
CREATE ROLE "regress 'writer""" IN ROLE pg_write_all_data;
SELECT who, regress_try(who, 'SELECT * FROM moderation.evidence') AS read, regress_try(who, 'DELETE FROM moderation.evidence WHERE false') AS write,
		regress_try(who, $$INSERT INTO moderation.guard_event (relation, what) SELECT 'x', 'x' WHERE false$$) AS insert, regress_try(who, $$SELECT moderation.freeze('x', 'no')$$) AS call
	FROM unnest(ARRAY['regress_monitor', 'regress_reader', 'regress ''writer"']::name[]) AS who;
GRANT SET ON PARAMETER moderation.moderate_replica TO regress_monitor;
GRANT ALTER SYSTEM ON PARAMETER moderation.mode TO "regress 'writer""";
SELECT object, problem, hint FROM moderation.verify() WHERE object LIKE 'role%' ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT v.hint FROM moderation.verify() AS v WHERE v.object LIKE 'role%' ORDER BY v.hint \gexec
SELECT count(*) FROM moderation.verify() WHERE object LIKE 'role%';
DROP ROLE regress_monitor, regress_reader, "regress 'writer""";

-- A role that has a duty is not dropped; without what it was granted it is, and what is left of the duty is reported, with its remedy.
CREATE ROLE regress_gone;
SELECT moderation.grant_duty('regress_gone', 'auditor');
\set VERBOSITY sqlstate
DROP ROLE regress_gone;
\set VERBOSITY terse
DROP OWNED BY regress_gone;
SELECT regress_try('regress_gone', 'SELECT * FROM moderation.violation');
DROP ROLE regress_gone;
SELECT regexp_replace(object, '\d+', 'N') AS object, problem FROM moderation.verify() WHERE object LIKE 'duty%';
SELECT public.regress_try(current_user, v.hint) FROM moderation.verify() AS v WHERE v.object LIKE 'duty%';
SELECT count(*) FROM moderation.verify() WHERE object LIKE 'duty%';
DROP FUNCTION regress_try(name, text);

-- Two duties overlap.
SELECT moderation.grant_duty('regress_auditor', 'reviewer');
SELECT moderation.revoke_duty('regress_auditor', 'auditor');
SET ROLE regress_auditor;
SELECT count(*) >= 0 AS readable FROM moderation.violation;
SELECT * FROM moderation.evidence;
RESET ROLE;
SELECT moderation.revoke_duty('regress_auditor', 'reviewer');
SET ROLE regress_auditor;
SELECT * FROM moderation.violation;
RESET ROLE;

SELECT moderation.grant_duty('regress_auditor', 'king');
SELECT moderation.grant_duty(0::regrole, 'auditor');
SELECT moderation.revoke_duty('"regress ""admin"', 'administrator');
SELECT moderation.revoke_duty('regress_reviewer', 'reviewer');
SELECT moderation.revoke_duty('regress_application', 'application');
SELECT count(*) FROM regress_roles;
DROP VIEW regress_roles;
-- Nothing is left that would keep a role from being dropped.
DROP ROLE "regress ""admin", regress_reviewer, regress_auditor, regress_application;
