-- unguard() leaves the table as it was found: the catalogs say the same before and after.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE FUNCTION un_catalog(relation regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s row security %s, forced %s, acl %s', c.oid::regclass, c.relrowsecurity, c.relforcerowsecurity, c.relacl)
		FROM pg_class AS c WHERE c.oid = un_catalog.relation OR c.oid IN (SELECT relid FROM pg_partition_tree(un_catalog.relation))
	UNION SELECT format('%s trigger %s %s', t.tgrelid::regclass, t.tgname, t.tgenabled) FROM pg_trigger AS t
		WHERE t.tgrelid = un_catalog.relation OR t.tgrelid IN (SELECT relid FROM pg_partition_tree(un_catalog.relation))
	UNION SELECT format('%s policy %s %s %s %s', p.polrelid::regclass, p.polname, p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy AS p
		WHERE p.polrelid = un_catalog.relation OR p.polrelid IN (SELECT relid FROM pg_partition_tree(un_catalog.relation))
	UNION SELECT format('%s depends on %s', pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)) FROM pg_depend AS d
		WHERE d.refobjid = un_catalog.relation AND d.classid <> 'pg_type'::regclass OR d.objid = un_catalog.relation
	ORDER BY 1 $$;
CREATE FUNCTION un_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;

-- A plain table, one with triggers and policies of its own, and one whose row security is on.
CREATE TABLE un_plain (author text, body text);
CREATE TABLE un_busy (author text, body text);
CREATE TRIGGER own BEFORE INSERT ON un_busy FOR EACH ROW EXECUTE FUNCTION un_trigger();
CREATE POLICY own ON un_busy FOR SELECT USING (true);
CREATE TABLE un_secure (author text, body text);
ALTER TABLE un_secure ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON un_secure AS RESTRICTIVE USING (author <> '');
CREATE TABLE un_part (author text, body text, day int) PARTITION BY LIST (day);
CREATE TABLE un_part_1 PARTITION OF un_part FOR VALUES IN (1);
CREATE TABLE un_part_2 PARTITION OF un_part FOR VALUES IN (2);
ALTER TABLE un_part_2 FORCE ROW LEVEL SECURITY;

CREATE TABLE un_before AS SELECT n AS name, un_catalog(n::regclass) AS line FROM unnest('{un_plain,un_busy,un_secure,un_part}'::text[]) AS n;
SELECT moderation.guard('un_plain', '{body}', 'author', 'test');
SELECT moderation.guard('un_busy', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('un_secure', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('un_part', '{body}', 'author', 'test', row_security => true);
SELECT name, count(*) AS lines, (SELECT count(*) FROM un_before AS b WHERE b.name = n.name) AS before
FROM unnest('{un_plain,un_busy,un_secure,un_part}'::text[]) AS n (name), un_catalog(name::regclass) GROUP BY name ORDER BY name;
-- What row security was given.
SELECT line FROM unnest('{un_busy,un_secure,un_part}'::text[]) AS n, un_catalog(n::regclass) AS line WHERE line ~ 'policy|security' AND line !~ '^policy|depends' ORDER BY 1;
SELECT relation, enabled_on, forced_on FROM moderation.guarded WHERE relation::text LIKE 'un\_%' ORDER BY relation::text;
-- Without row security again, with it again, and off.
SELECT moderation.guard('un_part', '{body}', 'author', 'test');
SELECT enabled_on, forced_on FROM moderation.guarded WHERE relation = 'un_part'::regclass;
SELECT moderation.guard('un_part', '{body}', 'author', 'test', row_security => true);
SELECT moderation.guard('un_part', '{body}', 'author', 'test', row_security => true);
SELECT enabled_on, forced_on FROM moderation.guarded WHERE relation = 'un_part'::regclass;

SELECT moderation.unguard(n::regclass) FROM unnest('{un_plain,un_busy,un_secure,un_part}'::text[]) AS n;
SELECT line FROM un_before EXCEPT SELECT un_catalog(n::regclass) FROM unnest('{un_plain,un_busy,un_secure,un_part}'::text[]) AS n;
SELECT un_catalog(n::regclass) FROM unnest('{un_plain,un_busy,un_secure,un_part}'::text[]) AS n EXCEPT SELECT line FROM un_before;
SELECT relation FROM moderation.guarded WHERE relation::text LIKE 'un\_%';
INSERT INTO un_plain VALUES ('un ada', 'a zorblax');
SELECT moderation.unguard('un_plain');
SELECT moderation.unguard(NULL);
SELECT moderation.unguard(1::regclass);
-- In a transaction that does not commit, nothing happened; what it did counted for itself.
BEGIN;
SELECT moderation.guard('un_plain', '{body}', 'author', 'test', 'flag');
INSERT INTO un_plain VALUES ('un ben', 'a zorblax');
SELECT moderation.guard('un_plain', '{body}', 'author', 'test');
SAVEPOINT s;
INSERT INTO un_plain VALUES ('un ben', 'a zorblax');
ROLLBACK TO s;
SELECT moderation.unguard('un_plain');
INSERT INTO un_plain VALUES ('un ben', 'a zorblax');
ROLLBACK;
SELECT * FROM un_plain;
SELECT * FROM moderation.verify_guards();

DROP TABLE un_plain, un_busy, un_secure, un_part, un_before;
DROP FUNCTION un_catalog, un_trigger;
