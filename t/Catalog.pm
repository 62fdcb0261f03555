# What the catalog says of the extension in one database, as text that can be compared with another's: a line for every fact about
# every object, by name and never by oid, in an order that does not depend on how it came to be.
package Catalog;
use strict;
use warnings;
use Exporter 'import';
our @EXPORT = qw(catalog differences);

# Some minor releases of the server stamp each column with where in the WAL it was made, as an option pg_attver.
# Each gives (object, fact, value).  Members are what belongs to the extension directly; what belongs to its tables comes with them.
my %facts = (
	'member' => q{SELECT i.identity, 'member', i.type FROM member AS m, pg_identify_object(m.classid, m.objid, 0) AS i},
	'comment' => q{SELECT pg_describe_object(c.classoid, c.objoid, c.objsubid), 'comment', c.description FROM pg_description AS c
		JOIN part AS p ON (p.classid, p.objid) = (c.classoid, c.objoid)},
	'dependency' => q{SELECT pg_describe_object(d.classid, d.objid, d.objsubid), concat('dependency ', d.deptype),
			pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
		FROM pg_depend AS d JOIN part AS p ON (p.classid, p.objid) = (d.classid, d.objid)},
	'owner' => q{SELECT pg_describe_object(d.classid, d.objid, d.objsubid), concat('role ', d.deptype), d.refobjid::regrole::text
		FROM pg_shdepend AS d JOIN part AS p ON (p.classid, p.objid) = (d.classid, d.objid)
		WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())},
	'initial privileges' => q{SELECT pg_describe_object(i.classoid, i.objoid, i.objsubid), 'initial privileges', concat(i.privtype, i.initprivs)
		FROM pg_init_privs AS i JOIN part AS p ON (p.classid, p.objid) = (i.classoid, i.objoid)},
	'extension' => q{SELECT 'extension', n.name, n.value FROM pg_extension AS e CROSS JOIN LATERAL (VALUES
			('schema', e.extnamespace::regnamespace::text), ('relocatable', e.extrelocatable::text), ('owner', e.extowner::regrole::text)) AS n (name, value)
		WHERE e.extname = 'moderation'},
	'dumped rows' => q{SELECT 'extension', 'rows of ' || c.relation::oid::regclass, 'are dumped ' || c.condition
		FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS c (relation, condition) WHERE e.extname = 'moderation'},
	'schema' => q{SELECT 'schema', n.nspname, concat_ws(' ', n.nspowner::regrole, n.nspacl) FROM pg_namespace AS n WHERE n.nspname = 'moderation'},
	'relation' => q{SELECT c.oid::regclass::text, f.name, f.value FROM relation AS c CROSS JOIN LATERAL (VALUES
			('kind', concat_ws(' ', c.relkind, c.relpersistence, c.relreplident, c.relhastriggers, c.relhasrules, c.relispartition)),
			('access method', (SELECT a.amname FROM pg_am AS a WHERE a.oid = c.relam)),
			('options', array_to_string(c.reloptions, ' ')),
			('toast options', (SELECT array_to_string(t.reloptions, ' ') FROM pg_class AS t WHERE t.oid = c.reltoastrelid)),
			('row security', concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity)),
			('privileges', c.relacl::text),
			('view', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END)) AS f (name, value)},
	'column' => q{SELECT c.oid::regclass::text, 'column ' || row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), concat_ws(' ', quote_ident(a.attname),
			format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid),
			'storage', a.attstorage, a.attcompression, a.attidentity, a.attgenerated, 'collation ' || nullif(a.attcollation, 0)::regcollation,
			(SELECT array_agg(o ORDER BY o) FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg_attver=%'), a.attacl)
		FROM relation AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)},
	'constraint' => q{SELECT c.oid::regclass::text, 'constraint ' || k.conname, concat_ws(' ', pg_get_constraintdef(k.oid), k.convalidated, k.conindid::regclass)
		FROM relation AS c JOIN pg_constraint AS k ON k.conrelid = c.oid},
	'index' => q{SELECT c.oid::regclass::text, 'index ' || i.indexrelid::regclass, concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisprimary, i.indisvalid, i.indisreplident)
		FROM relation AS c JOIN pg_index AS i ON i.indrelid = c.oid},
	'trigger' => q{SELECT c.oid::regclass::text, 'trigger ' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
		FROM relation AS c JOIN pg_trigger AS t ON t.tgrelid = c.oid},
	'policy' => q{SELECT p.tablename, 'policy ' || p.policyname, p::text FROM pg_policies AS p WHERE p.schemaname = 'moderation'},
	'sequence' => q{SELECT s.sequencename, 'sequence', concat_ws(' ', s.data_type, s.start_value, s.min_value, s.max_value, s.increment_by, s.cycle)
		FROM pg_sequences AS s WHERE s.schemaname = 'moderation'},
	'function' => q{SELECT p.oid::regprocedure::text, f.name, f.value FROM pg_proc AS p JOIN part AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
		CROSS JOIN LATERAL (VALUES ('definition', pg_get_functiondef(p.oid)), ('privileges', p.proacl::text)) AS f (name, value)},
	'type' => q{SELECT t.oid::regtype::text, 'type', concat_ws(' ', t.typtype, t.typcategory, t.typacl,
			(SELECT string_agg(e.enumlabel, ' < ' ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = t.oid))
		FROM pg_type AS t JOIN part AS p ON p.classid = 'pg_type'::regclass AND p.objid = t.oid},
	'event trigger' => q{SELECT e.evtname::text, 'event trigger', concat_ws(' ', e.evtevent, e.evttags, e.evtfoid::regprocedure, e.evtenabled)
		FROM pg_event_trigger AS e JOIN part AS p ON p.classid = 'pg_event_trigger'::regclass AND p.objid = e.oid},
);

# A part is a member or what hangs on one without being named by the user: indexes, constraints, defaults, triggers, rules, types
# of tables.  Not what the server names by oid: tables and indexes for toast.
my $query = q{
WITH RECURSIVE member AS (
	SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'moderation'
),
part AS (
	SELECT m.classid, m.objid FROM member AS m
	UNION
	SELECT d.classid, d.objid FROM part AS p JOIN pg_depend AS d ON (d.refclassid, d.refobjid) = (p.classid, p.objid)
	WHERE d.deptype IN ('i', 'a') AND NOT (d.classid = 'pg_class'::regclass
		AND EXISTS (SELECT FROM pg_class AS c WHERE c.oid = d.objid AND c.relnamespace = 'pg_toast'::regnamespace))
),
relation AS (
	SELECT c.* FROM pg_class AS c JOIN part AS p ON p.classid = 'pg_class'::regclass AND p.objid = c.oid WHERE c.relkind <> 'i'
)
SELECT replace(concat_ws(' | ', f.object, f.fact, coalesce(f.value, '-')), E'\n', '\n') AS line FROM (
} . join("\nUNION ALL\n", map { $facts{$_} } sort keys %facts) . q{
) AS f (object, fact, value) ORDER BY line};

sub catalog
{
	my ($node, $database) = @_;
	return [ split(/\n/, $node->safe_psql($database, "SET search_path = pg_catalog; $query")) ];
}

# What one has and the other has not: "- " what is wanted, "+ " what there is instead.
sub differences
{
	my ($wanted, $found) = @_;
	my %count;
	$count{$_}++ foreach @$found;
	$count{$_}-- foreach @$wanted;
	return map { ($count{$_} < 0 ? '- ' : '+ ') . $_ } sort grep { $count{$_} } keys %count;
}

1;
