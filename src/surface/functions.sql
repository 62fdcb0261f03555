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
