/*
 * guard_check.c
 *		What cannot be guarded, why, and the command that helps.
 *
 * A request -> nothing, or MD011.  The caller holds a lock on the relation; only a partition's root, whose columns a hint names, is
 * locked here (AccessShare).  Memory is the caller's.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "server/server.h"

char *
mdr_guard_name(Oid relation)
{
	Oid			namespace = get_rel_namespace(relation);

	return quote_qualified_identifier(isAnyTempNamespace(namespace) ? "pg_temp" : get_namespace_name(namespace),
									  get_rel_name(relation));
}

/* reason: follows "cannot guard relation: "; hint: a command, or what to do. */
static void refuse(Oid relation, const char *reason, const char *hint) __attribute__((noreturn));

static void
refuse(Oid relation, const char *reason, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_MDR_BAD_GUARD),
			 errmsg("cannot guard %s: %s", mdr_guard_name(relation), reason),
			 errhint("%s", hint)));
}

static bool
can_be_content(Form_pg_attribute attribute)
{
	return attribute->attnum > 0 && !attribute->attisdropped && attribute->attgenerated == '\0' &&
		mdr_content_kind(attribute->atttypid) != MDR_CONTENT_NONE;
}

/* The call of guard() that would do: for relation, with the columns that can be content (or "..."), and the account. */
static char *
suggestion(Oid relation, const char *account)
{
	Relation	rel = table_open(relation, AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(rel);
	StringInfoData array;

	initStringInfo(&array);
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!can_be_content(attribute) || (account != NULL && strcmp(NameStr(attribute->attname), account) == 0))
			continue;
		appendStringInfo(&array, "%s%s", array.len == 0 ? "" : ",", quote_identifier(NameStr(attribute->attname)));
	}
	table_close(rel, NoLock);
	if (array.len == 0)
		return psprintf("ALTER TABLE %s ADD COLUMN content text;", mdr_guard_name(relation));
	return psprintf("SELECT moderation.guard(%s, %s, %s);", quote_literal_cstr(mdr_guard_name(relation)),
					quote_literal_cstr(psprintf("{%s}", array.data)), account == NULL ? "'...'" : quote_literal_cstr(account));
}

void
mdr_guard_check_owner(Oid relation, const char *verb)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation)));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("cannot %s %s: it belongs to role \"%s\"", verb, mdr_guard_name(relation), GetUserNameFromId(owner, false)),
				 errhint("SET ROLE %s;", quote_identifier(GetUserNameFromId(owner, false)))));
}

/* A parent by INHERITS, or InvalidOid. */
static Oid
inherits_from(Oid relation)
{
	Relation	inherits = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			parent = InvalidOid;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		parent = ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent;
	systable_endscan(scan);
	table_close(inherits, AccessShareLock);
	return parent;
}

/* Not a partition, and neither parent nor child by INHERITS: triggers are not inherited that way. */
static void
check_ancestry(const MdrGuardRequest *request, Form_pg_class class)
{
	List	   *children;
	Oid			parent;

	if (class->relispartition)
	{
		Oid			root = llast_oid(get_partition_ancestors(request->relation));

		refuse(request->relation, psprintf("it is a partition of %s, and is guarded with it", mdr_guard_name(root)),
			   suggestion(root, request->account));
	}
	children = find_all_inheritors(request->relation, NoLock, NULL);
	if (request->relkind != RELKIND_PARTITIONED_TABLE && list_length(children) > 1)
		refuse(request->relation, "other tables inherit from it, and rows of theirs would be seen through it unscanned",
			   psprintf("ALTER TABLE %s NO INHERIT %s;", mdr_guard_name(lsecond_oid(children)), mdr_guard_name(request->relation)));
	parent = inherits_from(request->relation);
	if (OidIsValid(parent))
		refuse(request->relation, psprintf("it inherits from %s", mdr_guard_name(parent)),
			   psprintf("ALTER TABLE %s NO INHERIT %s;", mdr_guard_name(request->relation), mdr_guard_name(parent)));
	/* guarded on its own, and attached since */
	for (int i = 1; i < list_length(children); i++)
		if (mdr_guard_registered(list_nth_oid(children, i)))
			refuse(request->relation, psprintf("its partition %s is guarded on its own", mdr_guard_name(list_nth_oid(children, i))),
				   psprintf("SELECT moderation.unguard(%s);", quote_literal_cstr(mdr_guard_name(list_nth_oid(children, i)))));
}

static void
check_relation(const MdrGuardRequest *request)
{
	Oid			relation = request->relation;
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Form_pg_class class = (Form_pg_class) GETSTRUCT(tuple);

	if (IsCatalogRelationOid(relation) || IsToastNamespace(class->relnamespace) ||
		get_namespace_oid("information_schema", true) == class->relnamespace)
		refuse(relation, "it is a system catalog", "Guard a table of your own.");
	if (getExtensionOfObject(RelationRelationId, relation) == get_extension_oid("moderation", true))
		refuse(relation, "it belongs to extension \"moderation\"", "Guard a table of your own.");
	switch (class->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			break;
		case RELKIND_FOREIGN_TABLE:
			if (request->row_security)
				refuse(relation, "a foreign table has no row security", suggestion(relation, request->account));
			break;
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
			refuse(relation, "it is a view, and stores nothing that is written to it",
				   "Guard the tables under it: SELECT moderation.guard('table', '{content}', 'account');");
		default:
			refuse(relation, "it is not a table", "Guard a table: SELECT moderation.guard('table', '{content}', 'account');");
	}
	if (class->relpersistence == RELPERSISTENCE_TEMP)
		refuse(relation, "it is a temporary table", "Guard the table that its rows end up in.");
	check_ancestry(request, class);
	ReleaseSysCache(tuple);
}

/* One column that is to be content. */
static void
check_content(const MdrGuardRequest *request, const char *name)
{
	Oid			relation = request->relation;
	AttrNumber	attnum = get_attnum(relation, name);
	HeapTuple	tuple;
	Form_pg_attribute attribute;

	if (attnum <= 0)
		refuse(relation, psprintf("it has no column \"%s\"", name), suggestion(relation, request->account));
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(attnum));
	attribute = (Form_pg_attribute) GETSTRUCT(tuple);
	if (attribute->attgenerated != '\0')
		refuse(relation, psprintf("column \"%s\" is generated, from columns that are to be guarded instead", name),
			   suggestion(relation, request->account));
	if (!can_be_content(attribute))
		refuse(relation, psprintf("column \"%s\" of type %s cannot be read as content", name, format_type_be(attribute->atttypid)),
			   suggestion(relation, request->account));
	ReleaseSysCache(tuple);
}

static void
check_account(const MdrGuardRequest *request)
{
	Oid			relation = request->relation;
	AttrNumber	attnum;
	HeapTuple	tuple;

	if (request->account == NULL)
		refuse(relation, "the column that names the account is missing", suggestion(relation, NULL));
	attnum = get_attnum(relation, request->account);
	if (attnum <= 0)
		refuse(relation, psprintf("it has no column \"%s\" to name the account", request->account), suggestion(relation, NULL));
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relation), Int16GetDatum(attnum));
	if (((Form_pg_attribute) GETSTRUCT(tuple))->attgenerated != '\0')
		refuse(relation, psprintf("column \"%s\" is generated, and known only after the row was judged", request->account),
			   suggestion(relation, NULL));
	ReleaseSysCache(tuple);
}

/* A policy that can be used here and now: otherwise every row would be refused. */
static void
check_policy(const MdrGuardRequest *request)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		mdr_policy_live(request->policy);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (error->sqlerrcode != ERRCODE_UNDEFINED_OBJECT)
			PG_RE_THROW();
		FlushErrorState();
		refuse(request->relation, error->message,
			   error->hint != NULL ? error->hint : "SELECT moderation.load_policy('...');");
	}
	PG_END_TRY();
}

void
mdr_guard_check(MdrGuardRequest *request)
{
	bool	   *nulls;

	check_relation(request);
	check_account(request);
	if (request->content == (Datum) 0)
		refuse(request->relation, "no column is named as content", suggestion(request->relation, request->account));
	deconstruct_array(DatumGetArrayTypeP(request->content), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
					  &request->columns, &nulls, &request->ncolumns);
	if (request->ncolumns == 0)
		refuse(request->relation, "no column is named as content", suggestion(request->relation, request->account));
	for (int i = 0; i < request->ncolumns; i++)
	{
		if (nulls[i])
			refuse(request->relation, "a column of the content is null", suggestion(request->relation, request->account));
		for (int j = 0; j < i; j++)
			if (strcmp(NameStr(*DatumGetName(request->columns[i])), NameStr(*DatumGetName(request->columns[j]))) == 0)
				refuse(request->relation, psprintf("column \"%s\" is named twice", NameStr(*DatumGetName(request->columns[i]))),
					   suggestion(request->relation, request->account));
		check_content(request, NameStr(*DatumGetName(request->columns[i])));
	}
	check_policy(request);
}
