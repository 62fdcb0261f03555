/*
 * guard_columns.c
 *		Columns of guarded tables that a command renamed, replaced or computed anew.
 *
 * A guard names its columns, and an owner may rename a column, drop it, and make another of the same name.  So the names
 * that a guard's columns once had are kept (moderation.guarded.former_content), and a column that comes to bear one is
 * taken under the guard, with what is in it scanned.
 *
 * ALTER COLUMN ... TYPE computes values that no row trigger sees.  Where they can only be the same text (from one type of
 * text to another, with USING no more than the column itself or a cast of it), nothing is scanned; else the column is.
 *
 * moderation.guarded is written with the owner's rights.  Locks: AccessShareLock on catalogs, RowExclusiveLock on
 * moderation.guarded.  Memory is the caller's.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "server/server.h"
#include "server/server_inject.h"

PG_FUNCTION_INFO_V1(moderation_reads_content);

/* For guard_problems(). */
Datum
moderation_reads_content(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);

	PG_RETURN_BOOL(SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type)) && mdr_content_kind(type) != MDR_CONTENT_NONE);
}

/* Rows of (relation oid, attnum, attname, atttypid) as a list of MdrNotedColumn in context. */
static List *
read_columns(const char *query, MemoryContext context)
{
	List	   *columns = NIL;
	MemoryContext caller;

	mdr_guard_run_as_owner(query, 0, NULL, NULL, NULL);
	caller = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MdrNotedColumn *column = palloc(sizeof(MdrNotedColumn));
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		bool		null;

		column->relation = DatumGetObjectId(SPI_getbinval(tuple, descriptor, 1, &null));
		column->attnum = DatumGetInt16(SPI_getbinval(tuple, descriptor, 2, &null));
		column->name = *DatumGetName(SPI_getbinval(tuple, descriptor, 3, &null));
		column->type = DatumGetObjectId(SPI_getbinval(tuple, descriptor, 4, &null));
		columns = lappend(columns, column);
	}
	MemoryContextSwitchTo(caller);
	return columns;
}

List *
mdr_guard_columns(MemoryContext context)
{
	/* pg_partition_tree() would lock them, see guard_problems(). */
	return read_columns("WITH RECURSIVE member (root, relid) AS (SELECT g.relation, g.relation::oid FROM moderation.guarded AS g UNION"
						" SELECT m.root, i.inhrelid FROM member AS m JOIN pg_inherits AS i ON i.inhparent = m.relid AND NOT i.inhdetachpending"
						" JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition)"
						" SELECT m.relid, a.attnum, a.attname, a.atttypid FROM member AS m"
						" JOIN moderation.guarded AS g ON g.relation = m.root"
						" JOIN pg_attribute AS a ON a.attrelid = m.relid AND a.attname = ANY (g.content_columns) AND NOT a.attisdropped",
						context);
}

bool
mdr_guard_has_former(void)
{
	return get_attnum(mdr_relation("guarded"), "former_content") > 0;
}

List *
mdr_guard_take_back(void)
{
	List	   *columns;

	if (!mdr_guard_has_former() || MDR_INJECT_FAIL("guard_names"))
		return NIL;
	columns = read_columns("SELECT g.relation::oid, a.attnum, a.attname, a.atttypid FROM moderation.guarded AS g"
						   " JOIN pg_attribute AS a ON a.attrelid = g.relation AND a.attname = ANY (g.former_content) AND NOT a.attisdropped"
						   " WHERE a.attname <> ALL (g.content_columns) AND a.attname <> g.account_column"
						   " AND a.attgenerated = '' AND moderation.reads_content(a.atttypid)", CurrentMemoryContext);
	for (int i = 0; i < list_length(columns); i++)
	{
		MdrNotedColumn *column = list_nth(columns, i);
		Oid			types[2] = {REGCLASSOID, NAMEOID};
		Datum		values[2] = {ObjectIdGetDatum(column->relation), NameGetDatum(&column->name)};

		mdr_guard_run_as_owner("UPDATE moderation.guarded AS g SET content_columns = g.content_columns || $2 WHERE g.relation = $1",
							   2, types, values, NULL);
		ereport(NOTICE,
				(errmsg("column \"%s\" of %s is guarded, as one of that name was before", NameStr(column->name),
						mdr_guard_name(column->relation))));
	}
	return columns;
}

/* Whether a value of one type, converted to another, keeps its text. */
static bool
same_text(Oid from, Oid to)
{
	from = getBaseType(from);
	to = getBaseType(to);
	return from == to || (mdr_content_kind(from) == MDR_CONTENT_TEXT && mdr_content_kind(to) == MDR_CONTENT_TEXT);
}

/* Whether an expression is no more than the column, or casts of it from one type of text to another. */
static bool
is_column(const Node *expression, const MdrNotedColumn *column)
{
	while (expression != NULL && IsA(expression, TypeCast))
	{
		Oid			type = LookupTypeNameOid(NULL, ((const TypeCast *) expression)->typeName, true);

		if (!OidIsValid(type) || !same_text(column->type, type))
			return false;
		expression = ((const TypeCast *) expression)->arg;
	}
	if (expression != NULL && IsA(expression, ColumnRef))
	{
		const List *fields = ((const ColumnRef *) expression)->fields;
		const Node *last = llast(fields);

		return IsA(last, String) && strcmp(strVal(last), NameStr(column->name)) == 0;
	}
	return false;
}

/* Whether an ALTER TABLE computes the column by an expression of its own. */
static bool
is_computed(const MdrNotedColumn *column, const AlterTableStmt *statement)
{
	for (int i = 0; i < list_length(statement->cmds); i++)
	{
		const AlterTableCmd *command = list_nth_node(AlterTableCmd, statement->cmds, i);

		if (command->subtype == AT_AlterColumnType && strcmp(command->name, NameStr(column->name)) == 0)
		{
			const Node *expression = ((const ColumnDef *) command->def)->raw_default;

			if (expression != NULL && !is_column(expression, column))
				return true;
		}
	}
	return false;
}

/* The tables that the present command altered, and those that inherit from them. */
static List *
altered_tables(void)
{
	List	   *altered = NIL;
	List	   *all = NIL;

	mdr_guard_run_as_owner("SELECT DISTINCT c.objid FROM pg_event_trigger_ddl_commands() AS c WHERE c.classid = 'pg_class'::regclass",
						   0, NULL, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		null;

		altered = lappend_oid(altered, DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null)));
	}
	for (int i = 0; i < list_length(altered); i++)
		all = list_concat_unique_oid(all, find_all_inheritors(list_nth_oid(altered, i), NoLock, NULL));
	return all;
}

void
mdr_guard_scan_changed(const List *noted, Node *command)
{
	List	   *altered = NIL;
	bool		knows_altered = false;

	for (int i = 0; i < list_length(noted); i++)
	{
		const MdrNotedColumn *column = list_nth(noted, i);
		char	   *name = get_attname(column->relation, column->attnum, true);
		Oid			type = name == NULL ? InvalidOid : get_atttype(column->relation, column->attnum);
		bool		changed = OidIsValid(type) && !same_text(column->type, type);

		/* What can no longer be read is a problem of the guard, and was refused as that, or a superuser's doing. */
		if (!OidIsValid(type) || mdr_content_kind(type) == MDR_CONTENT_NONE ||
			get_rel_relkind(column->relation) == RELKIND_PARTITIONED_TABLE)
			continue;
		if (!changed && IsA(command, AlterTableStmt) && is_computed(column, (const AlterTableStmt *) command))
		{
			if (!knows_altered)
				altered = altered_tables();
			knows_altered = true;
			changed = list_member_oid(altered, column->relation);
		}
		if (changed)
			mdr_guard_scan_rows(column->relation, name);
	}
}
