/*
 * guard_find.c
 *		From a relation to its guard: the registration in moderation.guarded, as the triggers need it.
 *
 * relation -> MdrGuard, through a hash table by relation oid.  Column numbers, trigger order and partitioning come from
 * the relation cache, so an entry is invalid as soon as the relation cache says so of its relation, and all are when it
 * says so of moderation.guarded (guard() and unguard() make it say so).
 *
 * Locks: the caller has the relation open and locked; moderation.guarded is read under AccessShareLock with a catalog
 * snapshot, so that a registration is seen at every isolation level as soon as its trigger is.  Nobody's rights are
 * asked: the registration is not shown to the caller, only obeyed.
 *
 * Memory: each guard has a context of its own under CacheMemoryContext.  Invalid guards are freed at the end of the
 * transaction and not before, because a row may still be using them.  An error while one is built loses nothing but the
 * attempt.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "guard/guard.h"
#include "server/server.h"

/* Columns of moderation.guarded, in the order of tables.sql. */
enum
{
	GUARDED_RELATION = 1,
	GUARDED_CONTENT_COLUMNS,
	GUARDED_ACCOUNT_COLUMN,
	GUARDED_POLICY,
	GUARDED_ACTION
};

struct MdrAccountCast
{
	CoercionPathType path;
	FmgrInfo	function;		/* a cast function, or the type's output function */
	int			nargs;
};

typedef struct GuardEntry
{
	Oid			relation;		/* key */
	MdrGuard   *guard;			/* NULL: none known */
} GuardEntry;

/* What moderation.guarded says. */
typedef struct Registration
{
	Datum	   *columns;		/* of type name */
	int			ncolumns;
	NameData	account;
	char	   *policy;
	MdrAction	cap;
} Registration;

static HTAB *guards = NULL;
static MdrGuard *recent = NULL; /* what was found last */
static List *retired = NIL;		/* contexts of guards that were replaced; in CacheMemoryContext */
static bool some_invalid = false;
static Oid	guarded_oid = InvalidOid;	/* of moderation.guarded, when it was read last */
static uint64 changes = 0;		/* counts what the relation cache says */

/* Must not read the catalog: there may be no transaction. */
static void
relation_changed(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS scan;
	GuardEntry *entry;

	changes++;
	if (OidIsValid(relation) && relation != guarded_oid)
	{
		entry = hash_search(guards, &relation, HASH_FIND, NULL);
		if (entry != NULL && entry->guard != NULL)
		{
			entry->guard->valid = false;
			some_invalid = true;
		}
		return;
	}
	hash_seq_init(&scan, guards);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->guard != NULL)
		{
			entry->guard->valid = false;
			some_invalid = true;
		}
}

/* At the end of a transaction no row uses a guard any more. */
static void
sweep(XactEvent event, void *arg)
{
	HASH_SEQ_STATUS scan;
	GuardEntry *entry;
	ListCell   *cell;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	foreach(cell, retired)
		MemoryContextDelete(lfirst(cell));
	list_free(retired);
	retired = NIL;

	if (!some_invalid)
		return;
	some_invalid = false;
	recent = NULL;
	hash_seq_init(&scan, guards);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		MemoryContext context = entry->guard == NULL ? NULL : entry->guard->context;

		if (context != NULL && entry->guard->valid)
			continue;
		hash_search(guards, &entry->relation, HASH_REMOVE, NULL);
		if (context != NULL)
			MemoryContextDelete(context);
	}
}

static void
prepare(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(GuardEntry);
	control.hcxt = CacheMemoryContext;
	guards = hash_create("moderation guards", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterXactCallback(sweep, NULL);
}

static MdrAction
action_of(Datum value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, value);
	MdrAction	action;

	if (!HeapTupleIsValid(tuple) ||
		!mdr_action_parse(NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel), &action))
		elog(ERROR, "moderation.guarded has an action that is none");
	ReleaseSysCache(tuple);
	return action;
}

/* Reads a relation's registration, if it has one. */
static bool
read_registration(Oid relation, Registration *registration)
{
	Oid			guarded = mdr_relation("guarded");
	Oid			primary_key = mdr_relation("guarded_pkey");
	Relation	table;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	bool		found = false;

	if (!OidIsValid(guarded) || !OidIsValid(primary_key))
		return false;
	guarded_oid = guarded;
	table = table_open(guarded, AccessShareLock);
	ScanKeyInit(&key, GUARDED_RELATION, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	scan = systable_beginscan(table, primary_key, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		TupleDesc	descriptor = RelationGetDescr(table);
		bool		null;
		Datum		value;

		value = heap_getattr(tuple, GUARDED_CONTENT_COLUMNS, descriptor, &null);
		deconstruct_array(DatumGetArrayTypePCopy(value), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
						  &registration->columns, NULL, &registration->ncolumns);
		value = heap_getattr(tuple, GUARDED_ACCOUNT_COLUMN, descriptor, &null);
		registration->account = *DatumGetName(value);
		value = heap_getattr(tuple, GUARDED_POLICY, descriptor, &null);
		registration->policy = null ? NULL : TextDatumGetCString(value);
		value = heap_getattr(tuple, GUARDED_ACTION, descriptor, &null);
		registration->cap = null ? MDR_REJECT : action_of(value);
		found = true;
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return found;
}

bool
mdr_guard_any(void)
{
	Oid			guarded = mdr_relation("guarded");
	Relation	table;
	bool		any;

	if (!OidIsValid(guarded))
		return false;			/* the extension is gone, or going */
	table = table_open(guarded, AccessShareLock);
	any = RelationGetNumberOfBlocks(table) > 0;
	table_close(table, AccessShareLock);
	return any;
}

bool
mdr_guard_registered(Oid relation)
{
	Registration ignored;

	return read_registration(relation, &ignored);
}

/* The registration that holds for a relation: its topmost registered ancestor's, or its own. */
static Oid
find_registration(Relation relation, Registration *registration)
{
	Oid			relid = RelationGetRelid(relation);

	if (relation->rd_rel->relispartition)
	{
		List	   *ancestors = get_partition_ancestors(relid);	/* from the parent up */

		for (int i = list_length(ancestors) - 1; i >= 0; i--)
			if (read_registration(list_nth_oid(ancestors, i), registration))
				return list_nth_oid(ancestors, i);
	}
	return read_registration(relid, registration) ? relid : InvalidOid;
}

/* Whether a row leaves our BEFORE trigger exactly as it will be stored: ours is as we made it, and the last to run. */
static bool
scan_is_last(Relation relation)
{
	TriggerDesc *triggers;
	Oid			function;
	int			at = -1;

	function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("scan_row"),
							   PointerGetDatum(buildoidvector(NULL, 0)),
							   ObjectIdGetDatum(get_namespace_oid("moderation", true)));
	/* Looking that up may have the relation cache build its entry anew, and free the list of triggers that it had. */
	triggers = relation->trigdesc;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (strcmp(trigger->tgname, MDR_GUARD_SCAN_TRIGGER) == 0)
		{
			const int16 type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE;

			if (trigger->tgfoid != function || !OidIsValid(function) || trigger->tgenabled != TRIGGER_FIRES_ALWAYS ||
				(trigger->tgtype & type) != type || trigger->tgqual != NULL || trigger->tgnattr > 0)
				return false;
			at = i;
		}
		else if (at >= 0 && TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype) &&
				 (TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_UPDATE(trigger->tgtype)))
			return false;
	}
	return at >= 0;
}

/* A registered column, which must still be there. */
static AttrNumber
column_number(Relation relation, const char *name)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(relation), name);

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("guarded column \"%s\" of relation \"%s\" is gone", name, RelationGetRelationName(relation)),
				 errhint("Guard the table anew with moderation.guard(), naming the columns it has now.")));
	return attnum;
}

/* How a cast from a type to text is done. */
static struct MdrAccountCast *
account_cast(Oid type, MemoryContext context)
{
	struct MdrAccountCast *cast = MemoryContextAllocZero(context, sizeof(struct MdrAccountCast));
	Oid			function = InvalidOid;
	bool		varlena;

	type = getBaseType(type);
	cast->path = type == TEXTOID ? COERCION_PATH_RELABELTYPE :
		find_coercion_pathway(TEXTOID, type, COERCION_EXPLICIT, &function);
	if (cast->path == COERCION_PATH_FUNC)
		cast->nargs = get_func_nargs(function);
	else if (cast->path != COERCION_PATH_RELABELTYPE)
	{
		cast->path = COERCION_PATH_COERCEVIAIO;
		getTypeOutputInfo(type, &function, &varlena);
	}
	if (OidIsValid(function))
		fmgr_info_cxt(function, &cast->function, context);
	return cast;
}

static MdrGuard *
build(Relation relation)
{
	Registration registration = {0};
	Oid			root = find_registration(relation, &registration);
	MemoryContext context;
	MemoryContext caller;
	MdrGuard   *guard;

	if (!OidIsValid(root))
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("relation \"%s\" has a trigger of the guard and is not guarded", RelationGetRelationName(relation)),
				 errhint("Guard the table with moderation.guard(), or drop its triggers \"%s\" and \"%s\".",
						 MDR_GUARD_SCAN_TRIGGER, MDR_GUARD_VERIFY_TRIGGER)));

	context = AllocSetContextCreate(CurrentMemoryContext, "moderation guard", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	guard = palloc0(offsetof(MdrGuard, columns) + registration.ncolumns * sizeof(MdrContentColumn));
	guard->relation = RelationGetRelid(relation);
	guard->root = root;
	guard->context = context;
	guard->policy = registration.policy == NULL ? NULL : pstrdup(registration.policy);
	guard->cap = registration.cap;
	guard->last = scan_is_last(relation);
	guard->ncolumns = registration.ncolumns;
	for (int i = 0; i < registration.ncolumns; i++)
	{
		MdrContentColumn *column = &guard->columns[i];
		Form_pg_attribute attribute;

		column->name = *DatumGetName(registration.columns[i]);
		column->attnum = column_number(relation, NameStr(column->name));
		attribute = TupleDescAttr(RelationGetDescr(relation), column->attnum - 1);
		column->type = attribute->atttypid;
		column->typmod = attribute->atttypmod;
		column->kind = mdr_content_kind(column->type);
		if (column->kind == MDR_CONTENT_NONE || attribute->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_MDR_BAD_GUARD),
					 errmsg("guarded column \"%s\" of relation \"%s\" can no longer be read as content",
							NameStr(column->name), RelationGetRelationName(relation)),
					 errhint("Guard the table anew with moderation.guard(), without that column.")));
	}
	guard->account = column_number(relation, NameStr(registration.account));
	/* Made after our BEFORE trigger: it would see nobody's account. */
	if (TupleDescAttr(RelationGetDescr(relation), guard->account - 1)->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("column \"%s\" of relation \"%s\" names the account, and is generated", NameStr(registration.account),
						RelationGetRelationName(relation)),
				 errhint("Make it an ordinary column there.")));
	guard->cast = account_cast(TupleDescAttr(RelationGetDescr(relation), guard->account - 1)->atttypid, context);
	if (relation->rd_rel->relispartition)
		pull_varattnos((Node *) RelationGetPartitionQual(relation), 1, &guard->moving);
	guard->valid = true;
	MemoryContextSwitchTo(caller);
	return guard;
}

const MdrGuard *
mdr_guard_find(Relation relation)
{
	Oid			relid = RelationGetRelid(relation);
	GuardEntry *entry;
	MdrGuard   *guard;
	uint64		before;
	bool		found;

	if (recent != NULL && recent->relation == relid && recent->valid)
		return recent;
	if (guards == NULL)
		prepare();
	entry = hash_search(guards, &relid, HASH_FIND, NULL);
	if (entry != NULL && entry->guard != NULL && entry->guard->valid)
		return recent = entry->guard;

	/* An invalidation that arrives while the guard is built finds no entry to mark: then it serves this row and no other. */
	before = changes;
	guard = build(relation);
	if (changes != before)
	{
		guard->valid = false;
		some_invalid = true;
	}
	MemoryContextSetParent(guard->context, CacheMemoryContext);
	entry = hash_search(guards, &relid, HASH_ENTER, &found);
	if (found && entry->guard != NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(CacheMemoryContext);

		retired = lappend(retired, entry->guard->context);
		MemoryContextSwitchTo(caller);
	}
	entry->guard = guard;
	return recent = guard;
}

char *
mdr_guard_account(const MdrGuard *guard, HeapTuple tuple, TupleDesc descriptor)
{
	struct MdrAccountCast *cast = guard->cast;
	bool		null;
	Datum		value = heap_getattr(tuple, guard->account, descriptor, &null);

	if (null)
		return NULL;
	switch (cast->path)
	{
		case COERCION_PATH_RELABELTYPE:
			return TextDatumGetCString(value);
		case COERCION_PATH_FUNC:
			{
				LOCAL_FCINFO(call, 3);

				InitFunctionCallInfoData(*call, &cast->function, cast->nargs, C_COLLATION_OID, NULL, NULL);
				call->args[0].value = value;
				call->args[0].isnull = false;
				call->args[1].value = Int32GetDatum(-1);
				call->args[1].isnull = false;
				call->args[2].value = BoolGetDatum(true);
				call->args[2].isnull = false;
				value = FunctionCallInvoke(call);
				return call->isnull ? NULL : TextDatumGetCString(value);
			}
		default:
			return OutputFunctionCall(&cast->function, value);
	}
}
