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
