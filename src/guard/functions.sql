-- The triggers.  search_path is not pinned: they are called for each row, and nothing in them depends on it.  PUBLIC may execute
-- them because CREATE TRIGGER asks for that; anywhere but on a guarded table they only raise an error.
CREATE OR REPLACE FUNCTION moderation.scan_row() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_scan_row' LANGUAGE C; -- no search_path: see above
COMMENT ON FUNCTION moderation.scan_row() IS 'trigger of a guarded table, before the row is stored: gate, verdict, action';

CREATE OR REPLACE FUNCTION moderation.verify_row() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_verify_row' LANGUAGE C; -- no search_path: see above
COMMENT ON FUNCTION moderation.verify_row() IS 'trigger of a guarded table, after the row is stored: what is stored was scanned, and is recorded';

-- Not for PUBLIC: whoever can guard a table of his own and write any account into it could have others frozen.
CREATE OR REPLACE FUNCTION moderation.guard(relation regclass, content name[], account name, policy text DEFAULT NULL,
	action moderation.action DEFAULT NULL, row_security boolean DEFAULT false) RETURNS void
	AS 'MODULE_PATHNAME', 'moderation_guard_table' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean) FROM PUBLIC;
COMMENT ON FUNCTION moderation.guard(regclass, name[], name, text, moderation.action, boolean) IS
	'puts the guard on a table, or changes it; action is the most that may be done';

CREATE OR REPLACE FUNCTION moderation.unguard(relation regclass) RETURNS void
	AS 'MODULE_PATHNAME', 'moderation_unguard_table' LANGUAGE C STRICT
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.unguard(regclass) FROM PUBLIC;
COMMENT ON FUNCTION moderation.unguard(regclass) IS 'takes the guard off a table, leaving it as it was found';

CREATE OR REPLACE FUNCTION moderation.follow_drop() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_follow_drop' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.follow_drop() FROM PUBLIC;
COMMENT ON FUNCTION moderation.follow_drop() IS 'event trigger: forgets guarded tables and columns that are dropped';

CREATE OR REPLACE FUNCTION moderation.follow_rename() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_follow_rename' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.follow_rename() FROM PUBLIC;
COMMENT ON FUNCTION moderation.follow_rename() IS 'event trigger: keeps the registration of columns that are renamed';

CREATE OR REPLACE FUNCTION moderation.announce_guards() RETURNS trigger
	AS 'MODULE_PATHNAME', 'moderation_announce_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.announce_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.announce_guards() IS 'trigger of moderation.guarded: has every backend read it anew';
CREATE TRIGGER announce_guards AFTER INSERT OR UPDATE OR DELETE ON moderation.guarded
	FOR EACH STATEMENT EXECUTE FUNCTION moderation.announce_guards();
ALTER TABLE moderation.guarded ENABLE ALWAYS TRIGGER announce_guards;

CREATE EVENT TRIGGER moderation_follow_drop ON sql_drop EXECUTE FUNCTION moderation.follow_drop();
COMMENT ON EVENT TRIGGER moderation_follow_drop IS 'forgets guarded tables and columns that are dropped';
ALTER EVENT TRIGGER moderation_follow_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER moderation_follow_rename ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW')
	EXECUTE FUNCTION moderation.follow_rename();
COMMENT ON EVENT TRIGGER moderation_follow_rename IS 'keeps the registration of guarded columns that are renamed';
ALTER EVENT TRIGGER moderation_follow_rename ENABLE ALWAYS;

CREATE OR REPLACE FUNCTION moderation.note_guards() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_note_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.note_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.note_guards() IS 'event trigger: looks at the guards before a command may weaken one';

CREATE OR REPLACE FUNCTION moderation.keep_guards() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'moderation_keep_guards' LANGUAGE C
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.keep_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.keep_guards() IS 'event trigger: refuses a command that weakened a guard, and looks after new partitions';

CREATE EVENT TRIGGER moderation_note_guards ON ddl_command_start
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE', 'CREATE TRIGGER', 'ALTER TRIGGER',
		'DROP TRIGGER', 'ALTER POLICY', 'DROP POLICY', 'CREATE RULE', 'ALTER SCHEMA')
	EXECUTE FUNCTION moderation.note_guards();
COMMENT ON EVENT TRIGGER moderation_note_guards IS 'looks at the guards before a command may weaken one';
ALTER EVENT TRIGGER moderation_note_guards ENABLE ALWAYS;
CREATE EVENT TRIGGER moderation_keep_guards ON ddl_command_end
	WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER TYPE', 'CREATE TRIGGER', 'ALTER TRIGGER',
		'DROP TRIGGER', 'ALTER POLICY', 'DROP POLICY', 'CREATE RULE', 'ALTER SCHEMA', 'CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA')
	EXECUTE FUNCTION moderation.keep_guards();
COMMENT ON EVENT TRIGGER moderation_keep_guards IS 'refuses a command that weakened a guard, and looks after new partitions';
ALTER EVENT TRIGGER moderation_keep_guards ENABLE ALWAYS;

CREATE OR REPLACE FUNCTION moderation.reads_content(type oid) RETURNS boolean
	AS 'MODULE_PATHNAME', 'moderation_reads_content' LANGUAGE C STABLE STRICT
	SET search_path = pg_catalog, pg_temp;
REVOKE ALL ON FUNCTION moderation.reads_content(oid) FROM PUBLIC;
COMMENT ON FUNCTION moderation.reads_content(oid) IS 'whether values of a type can be read as content';

-- A row for everything that is wrong with a guard, by the relation that it concerns (0: none).
-- jit is off: compiling the query takes a hundred times as long as running it.
CREATE OR REPLACE FUNCTION moderation.guard_problems() RETURNS TABLE (relation oid, object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
WITH RECURSIVE
-- Every relation that must have the triggers: the guarded ones and their partitions.  pg_partition_tree() would lock them, and
-- commands on two tables, such as those of a parallel restore, would wait for each other.
tree (root, part) AS (
	SELECT g.relation, g.relation FROM moderation.guarded AS g
	UNION ALL
	SELECT t.root, i.inhrelid::regclass FROM tree AS t
		JOIN pg_inherits AS i ON i.inhparent = t.part AND NOT i.inhdetachpending
		JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
),
guarded AS (
	SELECT g.*, t.part
	FROM moderation.guarded AS g
	JOIN pg_class AS c ON c.oid = g.relation
	JOIN tree AS t ON t.root = g.relation
),
wanted (name, function, type) AS (VALUES		-- row, before, insert, update; row, insert, update
	('zzz_moderation_scan', 'moderation.scan_row()'::regprocedure, 1 + 2 + 4 + 16),
	('zzz_moderation_verify', 'moderation.verify_row()'::regprocedure, 1 + 4 + 16)
),
command AS (
	SELECT g.relation, format('SELECT moderation.guard(%L, %L, %L%s%s%s);', g.relation, g.content_columns, g.account_column,
		', policy => ' || quote_literal(g.policy), ', action => ' || quote_literal(g.action),
		CASE WHEN g.row_security THEN ', row_security => true' END) AS repair
	FROM moderation.guarded AS g
)
SELECT g.relation::oid, 'guard on ' || g.relation::oid, 'the table is gone',
	'DELETE FROM moderation.guarded WHERE relation = ' || g.relation::oid || ';'
FROM moderation.guarded AS g WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.relation)
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, format('trigger %I is %s', w.name,
		CASE WHEN t.oid IS NULL THEN 'missing' WHEN t.tgfoid <> w.function THEN 'another''s'
			WHEN t.tgenabled <> 'A' THEN 'not enabled always' ELSE 'not as it was made' END),
	CASE WHEN t.tgfoid <> w.function THEN format('DROP TRIGGER %I ON %s; ', w.name, g.part) ELSE '' END || c.repair
FROM guarded AS g
JOIN command AS c ON c.relation = g.relation
CROSS JOIN wanted AS w
LEFT JOIN pg_trigger AS t ON t.tgrelid = g.part AND t.tgname = w.name
WHERE t.oid IS NULL OR t.tgfoid <> w.function OR t.tgenabled <> 'A' OR t.tgtype <> w.type OR t.tgqual IS NOT NULL
	OR array_length(t.tgattr::int2[], 1) > 0
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('column %I is missing', n.name),
	'SELECT moderation.guard(...), naming the columns that the table has now'
FROM moderation.guarded AS g CROSS JOIN LATERAL unnest(g.content_columns || g.account_column) AS n (name)
WHERE EXISTS (SELECT FROM pg_class AS c WHERE c.oid = g.relation)
	AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = g.relation AND a.attname = n.name AND NOT a.attisdropped)
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, format('column %I is not of a kind that can be read as content', a.attname),
	'SELECT moderation.guard(...), naming the columns that the table has now'
FROM guarded AS g JOIN pg_attribute AS a ON a.attrelid = g.part AND a.attname = ANY (g.content_columns) AND NOT a.attisdropped
WHERE a.attgenerated <> '' OR NOT moderation.reads_content(a.atttypid)
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, format('column %I is generated, and names the account', a.attname),
	'SELECT moderation.guard(...), naming another column'
FROM guarded AS g JOIN pg_attribute AS a ON a.attrelid = g.part AND a.attname = g.account_column AND a.attgenerated <> '' AND NOT a.attisdropped
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('column %I is named as one that was guarded, and is not guarded', a.attname),
	'SELECT moderation.guard(...), with that column or, on purpose, without it'
FROM moderation.guarded AS g
JOIN pg_attribute AS a ON a.attrelid = g.relation AND a.attname = ANY (g.former_content) AND NOT a.attisdropped
WHERE a.attname <> ALL (g.content_columns) AND a.attname <> g.account_column
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('column %I is named as one that named the account, and does not', a.attname),
	'SELECT moderation.guard(...), naming the column that names the account'
FROM moderation.guarded AS g
JOIN pg_attribute AS a ON a.attrelid = g.relation AND a.attname = ANY (g.former_account) AND NOT a.attisdropped
WHERE a.attname <> g.account_column
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, format('rule %I is carried out instead of what the guard would judge', r.rulename),
	format('DROP RULE %I ON %s;', r.rulename, g.part)
FROM guarded AS g JOIN pg_rewrite AS r ON r.ev_class = g.part AND r.is_instead AND r.ev_type IN ('2', '3') AND r.ev_enabled <> 'D'
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, 'no column is content', 'SELECT moderation.guard(...), naming the columns that the table has now'
FROM moderation.guarded AS g WHERE g.content_columns = '{}'
UNION ALL
SELECT g.relation, 'guard on ' || g.relation::text, format('policy %L is not loaded', g.policy),
	'SELECT moderation.load_policy(...), or guard the table with another policy'
FROM moderation.guarded AS g
WHERE g.policy IS NOT NULL AND NOT EXISTS (SELECT FROM moderation.policy AS p WHERE p.policy = g.policy AND p.state = 'active')
UNION ALL
SELECT g.part, 'guard on ' || g.part::text, 'row security is not what was asked for', c.repair
FROM guarded AS g
JOIN command AS c ON c.relation = g.relation
JOIN pg_class AS r ON r.oid = g.part
WHERE g.row_security AND r.relkind <> 'f'
	AND NOT (r.relrowsecurity AND r.relforcerowsecurity
		AND EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = g.part AND p.polname = 'moderation_write' AND NOT p.polpermissive
			AND p.polcmd = '*' AND p.polroles = '{0}'
			-- (true) and (account IS NULL OR moderation.may_write(...)); pg_get_expr() would lock the table, see above.
			AND CASE WHEN p.polqual::text LIKE '{CONST :consttype 16 %' THEN pg_get_expr(p.polqual, 0) = 'true' END
			AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = p.polrelid AND a.attname = g.account_column
				AND p.polwithcheck::text LIKE format('{BOOLEXPR :boolop or :args ({NULLTEST :arg {VAR :varno 1 :varattno %s %%} :nulltesttype 0 %%} {FUNCEXPR :funcid %s %%',
					a.attnum, 'moderation.may_write(text)'::regprocedure::oid))))
UNION ALL
SELECT i.inhparent, 'guard on ' || i.inhparent::regclass::text, format('%s inherits from it and is not guarded', i.inhrelid::regclass),
	format('ALTER TABLE %s NO INHERIT %s;', i.inhrelid::regclass, i.inhparent::regclass)
FROM pg_inherits AS i JOIN guarded AS g ON g.part = i.inhparent JOIN pg_class AS c ON c.oid = i.inhparent WHERE c.relkind <> 'p'
UNION ALL
SELECT 0, 'role ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, 'may set moderation.mode, and so store content unclassified',
	format('REVOKE SET ON PARAMETER moderation.mode FROM %s;', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
FROM pg_parameter_acl AS p CROSS JOIN LATERAL aclexplode(p.paracl) AS a
WHERE p.parname = 'moderation.mode' AND a.privilege_type = 'SET'
	AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper)
$$;
REVOKE ALL ON FUNCTION moderation.guard_problems() FROM PUBLIC;
COMMENT ON FUNCTION moderation.guard_problems() IS 'what is wrong with the guards, by relation';

CREATE OR REPLACE FUNCTION moderation.verify_guards() RETURNS TABLE (object text, problem text, hint text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT g.object, g.problem, g.hint FROM moderation.guard_problems() AS g
UNION ALL
-- As a restore of this table alone leaves it.  That is no command's fault, so keep_guards() does not look at it.
SELECT 'table ' || t.tgrelid::regclass::text, 'it has triggers of the guard and is not guarded, so that nothing can be written to it',
	format('SELECT moderation.guard(%L, ...), naming its columns; or %s', t.tgrelid::regclass,
		string_agg(format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass), ' ' ORDER BY t.tgname))
FROM pg_trigger AS t
WHERE t.tgfoid IN ('moderation.scan_row()'::regprocedure, 'moderation.verify_row()'::regprocedure) AND t.tgparentid = 0
	AND NOT EXISTS (SELECT FROM moderation.guarded AS g
		WHERE g.relation = t.tgrelid OR g.relation IN (SELECT a.relid FROM pg_partition_ancestors(t.tgrelid) AS a))
GROUP BY t.tgrelid
UNION ALL
-- Rows that are meant for a guarded table may end up in another that took its name.
SELECT 'table ' || e.relation, format('a guarded table of this name was %s, and this one is not guarded', e.what),
	format('SELECT moderation.guard(%L, ...), naming its columns; or, if that is on purpose, SELECT moderation.unguard(%1$L);', e.relation)
FROM (SELECT DISTINCT ON (v.relation) v.relation, v.what FROM moderation.guard_event AS v
	WHERE v.relation IS NOT NULL ORDER BY v.relation, v.occurred_at DESC) AS e
JOIN pg_class AS c ON c.oid = to_regclass(e.relation)
WHERE e.what IN ('dropped', 'renamed') AND NOT EXISTS (SELECT FROM moderation.guarded AS g
	WHERE g.relation = c.oid OR g.relation IN (SELECT a.relid FROM pg_partition_ancestors(c.oid) AS a))
	AND NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid	-- told above
		AND t.tgfoid IN ('moderation.scan_row()'::regprocedure, 'moderation.verify_row()'::regprocedure))
UNION ALL
SELECT 'event trigger ' || w.name, 'it is missing', 'DROP EXTENSION moderation, and restore it from a dump'
FROM (VALUES ('moderation_follow_drop', 'follow_drop'), ('moderation_follow_rename', 'follow_rename'),
	('moderation_note_guards', 'note_guards'), ('moderation_keep_guards', 'keep_guards')) AS w (name, function)
WHERE NOT EXISTS (SELECT FROM pg_event_trigger AS e JOIN pg_proc AS f ON f.oid = e.evtfoid
	WHERE e.evtname = w.name AND f.proname = w.function AND f.pronamespace = 'moderation'::regnamespace)
$$;
REVOKE ALL ON FUNCTION moderation.verify_guards() FROM PUBLIC;
COMMENT ON FUNCTION moderation.verify_guards() IS 'a row for everything that is wrong with a guard; none when all is well';
