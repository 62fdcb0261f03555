-- Who has which duty: so that taking one away leaves what another one gives.
CREATE TABLE moderation.duty (
	role regrole NOT NULL,
	duty text NOT NULL CHECK (duty IN ('administrator', 'reviewer', 'auditor', 'application')),
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	granted_by name NOT NULL DEFAULT current_user,
	PRIMARY KEY (role, duty)
);
REVOKE ALL ON TABLE moderation.duty FROM PUBLIC;
COMMENT ON TABLE moderation.duty IS 'who has which duty, written by moderation.grant_duty() and moderation.revoke_duty()';
COMMENT ON COLUMN moderation.duty.role IS 'the role';
COMMENT ON COLUMN moderation.duty.duty IS 'administrator, reviewer, auditor or application';
COMMENT ON COLUMN moderation.duty.granted_at IS 'since when';
COMMENT ON COLUMN moderation.duty.granted_by IS 'by whom';

SELECT pg_catalog.pg_extension_config_dump('moderation.duty',
	'WHERE role::oid OPERATOR(pg_catalog.=) ANY (SELECT r.oid FROM pg_catalog.pg_roles AS r)');
