-- Policies, by version.  The live version of a policy is its highest one in state 'active'; there is never another truth.
CREATE TABLE moderation.policy (
	policy text COLLATE "C" NOT NULL,
	policy_version int NOT NULL CHECK (policy_version > 0),
	state text NOT NULL CHECK (state IN ('draft', 'active', 'retired')),
	builtin boolean NOT NULL,
	description text,
	document text NOT NULL,
	document_sha256 bytea NOT NULL,
	loaded_at timestamptz NOT NULL DEFAULT pg_catalog.transaction_timestamp(),
	loaded_by name NOT NULL,
	PRIMARY KEY (policy, policy_version)
);
REVOKE ALL ON TABLE moderation.policy FROM PUBLIC;
COMMENT ON TABLE moderation.policy IS 'policy documents by version, written by moderation.load_policy(); live is the highest active version';
COMMENT ON COLUMN moderation.policy.policy IS 'the policy''s name';
COMMENT ON COLUMN moderation.policy.policy_version IS 'counts from 1 for each policy';
COMMENT ON COLUMN moderation.policy.state IS 'draft, active or retired';
COMMENT ON COLUMN moderation.policy.builtin IS 'came with the extension: not dumped, made anew by CREATE EXTENSION';
COMMENT ON COLUMN moderation.policy.description IS 'what the document says of itself';
COMMENT ON COLUMN moderation.policy.document IS 'the document as it was loaded';
COMMENT ON COLUMN moderation.policy.document_sha256 IS 'SHA-256 of the document in UTF-8';
COMMENT ON COLUMN moderation.policy.loaded_at IS 'when it was loaded';
COMMENT ON COLUMN moderation.policy.loaded_by IS 'the role that loaded it';

-- The compiled form.  It fits only the library versions it was made with, so it is not dumped: whoever misses it
-- compiles the document.  EXTERNAL: reading it is then a copy, without decompression.
CREATE TABLE moderation.policy_image (
	policy text COLLATE "C" NOT NULL,
	policy_version int NOT NULL,
	document_sha256 bytea NOT NULL,
	image bytea NOT NULL,
	PRIMARY KEY (policy, policy_version)
);
ALTER TABLE moderation.policy_image ALTER COLUMN image SET STORAGE EXTERNAL;
REVOKE ALL ON TABLE moderation.policy_image FROM PUBLIC;
COMMENT ON TABLE moderation.policy_image IS 'live policies in compiled form; remade by moderation.compile_policies()';
COMMENT ON COLUMN moderation.policy_image.policy IS 'the policy''s name';
COMMENT ON COLUMN moderation.policy_image.policy_version IS 'its version';
COMMENT ON COLUMN moderation.policy_image.document_sha256 IS 'SHA-256 of the document it was compiled from';
COMMENT ON COLUMN moderation.policy_image.image IS 'the compiled form';

SELECT pg_catalog.pg_extension_config_dump('moderation.policy', 'WHERE NOT builtin');
