/*
 * guard_keep.c
 *		Event triggers that keep a table's owner from removing or outflanking its guard, and look after new partitions.
 *
 * Before a command that could weaken a guard, and after it, moderation.guard_problems() is asked; what has become wrong
 * in between, the command did.  Whoever is not superuser is refused; a superuser is warned, in the server log too, and
 * moderation.guard_event has it.  guard() and unguard() themselves are let through.  A table that was created is asked
 * only whether it inherits from a guarded one.
 *
 * Only what a command itself made wrong counts: while a dump is being loaded, guards that are not there yet are
 * nobody's fault.
 *
 * A command may run others (ALTER TABLE ... USING calls functions), so what was noted before each is kept on a stack, and
 * each answers for all that happened since it began.
 *
 * A partition that is new gets the row security that was asked for, with the caller's rights, and rows that it brings are
 * scanned; so are columns that a command computed (guard_columns.c, guard_rows.c).
 *
 * Takes AccessShareLock on catalogs and moderation.guarded.  Each note lives in a context of its own under
 * TopTransactionContext, until its command has ended, or the (sub)transaction that the command began in.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/cmdtag.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "ledger/ledger.h"
#include "server/server.h"
#include "server/server_inject.h"

PG_FUNCTION_INFO_V1(moderation_note_guards);
PG_FUNCTION_INFO_V1(moderation_keep_guards);

/* "a is missing" and "a is disabled" are the same trouble. */
#define PROBLEMS "SELECT p.relation, split_part(p.problem, ' is ', 1), p.object, p.problem FROM moderation.guard_problems() AS p" \
	" WHERE p.relation <> 0 ORDER BY p.relation, p.problem"
/* pg_partition_tree() would lock them, see guard_problems(). */
#define MEMBERS "WITH RECURSIVE member (relid) AS (SELECT g.relation::oid FROM moderation.guarded AS g UNION" \
	" SELECT i.inhrelid FROM member AS m JOIN pg_inherits AS i ON i.inhparent = m.relid AND NOT i.inhdetachpending" \
	" JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relispartition) SELECT m.relid FROM member AS m"

typedef struct Problem
{
	Oid			relation;
	char	   *subject;
	char	   *object;
	char	   *problem;
} Problem;

/* What was found before a command. */
typedef struct Note
{
	struct Note *outer;			/* of the command within which this one runs */
	Node	   *command;
	int			nest_level;		/* of the transaction */
	MemoryContext context;		/* owns all of this */
	List	   *problems;
	List	   *members;		/* guarded tables and their partitions */
	List	   *names;			/* of those */
	List	   *columns;		/* MdrNotedColumn */
} Note;

static Note *innermost = NULL;

static void
forget(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		innermost = NULL;
}

static void
drop_note(void)
{
	Note	   *note = innermost;

	innermost = note->outer;
	MemoryContextDelete(note->context);
}

/* Commands that began in a subtransaction that is rolled back will not end. */
static void
forget_aborted(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		while (innermost != NULL && innermost->nest_level >= GetCurrentTransactionNestLevel())
			drop_note();
}

static const EventTriggerData *
event_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function works as an event trigger only")));
	return (const EventTriggerData *) fcinfo->context;
}

/* A command that makes tables, which is asked about those only. */
static bool
creates_tables(const EventTriggerData *event)
{
	const char *tag = GetCommandTagName(event->tag);

	return strcmp(tag, "CREATE TABLE") == 0 || strcmp(tag, "CREATE FOREIGN TABLE") == 0 || strcmp(tag, "CREATE SCHEMA") == 0;
}

static void
connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

/* Lists of what is wrong and of who is there, in context; SPI is connected. */
static void
look(MemoryContext context, List **problems, List **members)
{
	MemoryContext caller;

	*problems = *members = NIL;
	mdr_guard_run_as_owner(PROBLEMS, 0, NULL, NULL, NULL);
	caller = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Problem    *problem = palloc(sizeof(Problem));
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		bool		null;

		problem->relation = DatumGetObjectId(SPI_getbinval(tuple, descriptor, 1, &null));
		problem->subject = TextDatumGetCString(SPI_getbinval(tuple, descriptor, 2, &null));
		problem->object = TextDatumGetCString(SPI_getbinval(tuple, descriptor, 3, &null));
		problem->problem = TextDatumGetCString(SPI_getbinval(tuple, descriptor, 4, &null));
		*problems = lappend(*problems, problem);
	}
	MemoryContextSwitchTo(caller);

	mdr_guard_run_as_owner(MEMBERS, 0, NULL, NULL, NULL);
	caller = MemoryContextSwitchTo(context);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		null;
		Datum		member = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null);

		if (!null)
			*members = lappend_oid(*members, DatumGetObjectId(member));
	}
	MemoryContextSwitchTo(caller);
}

static List *
member_names(const List *members, MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	List	   *names = NIL;

	for (int i = 0; i < list_length(members); i++)
		names = lappend(names, get_rel_name(list_nth_oid(members, i)) == NULL ? NULL : mdr_guard_name(list_nth_oid(members, i)));
	MemoryContextSwitchTo(caller);
	return names;
}

/* Another table may take the name of one that was guarded under it: verify_guards() looks for that. */
static void
tell_renamed(const Note *note)
{
	for (int i = 0; i < list_length(note->members); i++)
	{
		Oid			relation = list_nth_oid(note->members, i);
		const char *before = list_nth(note->names, i);
		const char *now;

		if (before == NULL || get_rel_name(relation) == NULL || !mdr_guard_registered(relation))
			continue;
		now = mdr_guard_name(relation);
		if (strcmp(before, now) != 0)
			mdr_ledger_guard_event(before, "renamed", psprintf("it is now %s", now));
	}
}

Datum
moderation_note_guards(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	const EventTriggerData *event = event_data(fcinfo);
	MemoryContext context;
	Note	   *note;

	if (mdr_guard_working || mdr_guard_updating() || creates_tables(event) || MDR_INJECT_FAIL("guard_note"))
		PG_RETURN_NULL();
	if (!registered)
	{
		RegisterXactCallback(forget, NULL);
		RegisterSubXactCallback(forget_aborted, NULL);
		registered = true;
	}
	context = AllocSetContextCreate(TopTransactionContext, "moderation noted guards", ALLOCSET_SMALL_SIZES);
	note = MemoryContextAllocZero(context, sizeof(Note));
	note->context = context;
	note->command = event->parsetree;
	note->nest_level = GetCurrentTransactionNestLevel();
	if (mdr_guard_any())
	{
		connect_spi();
		look(context, &note->problems, &note->members);
		note->columns = mdr_guard_columns(context);
		SPI_finish();
		note->names = member_names(note->members, context);
	}
	note->outer = innermost;
	innermost = note;
	PG_RETURN_NULL();
}

/* Refuses, or warns a superuser. */
static void
object_to(const char *object, const char *problem, Oid relation)
{
	List	   *ancestors = get_rel_relispartition(relation) ? get_partition_ancestors(relation) : NIL;

	/* The guard is the topmost registered one's. */
	for (int i = 0; i < list_length(ancestors); i++)
		if (mdr_guard_registered(list_nth_oid(ancestors, i)))
			relation = list_nth_oid(ancestors, i);
	if (superuser())
	{
		ereport(WARNING,
				(errmsg("%s is weakened: %s", object, problem),
				 errhint("SELECT * FROM moderation.verify_guards();")));
		mdr_guard_tell_passed(mdr_guard_name(relation), "guard_lost", problem);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to weaken the %s", object),
				 errdetail("After this command, %s.", problem),
				 errhint("SELECT moderation.unguard(%s); takes the guard off as a whole.",
						 quote_literal_cstr(mdr_guard_name(relation)))));
}

static bool
was_noted(const Note *note, const Problem *problem)
{
	for (int i = 0; i < list_length(note->problems); i++)
	{
		const Problem *before = list_nth(note->problems, i);

		if (before->relation == problem->relation && strcmp(before->subject, problem->subject) == 0)
			return true;
	}
	return false;
}

/* The registration that a partition belongs to; false when it belongs to none.  SPI is connected. */
static bool
find_root(Oid partition, Oid *root, char **account, bool *row_security, List **enabled, List **forced)
{
	List	   *ancestors = get_partition_ancestors(partition);
	Oid			type = OIDARRAYOID;
	Datum	   *elements = palloc(Max(list_length(ancestors), 1) * sizeof(Datum));
	Datum		value;
	HeapTuple	tuple;
	TupleDesc	descriptor;
	bool		null;

	for (int i = 0; i < list_length(ancestors); i++)
		elements[i] = ObjectIdGetDatum(list_nth_oid(ancestors, i));
	value = PointerGetDatum(construct_array(elements, list_length(ancestors), OIDOID, sizeof(Oid), true, TYPALIGN_INT));
	mdr_guard_run_as_owner("SELECT g.relation, g.account_column, g.row_security, g.enabled_on, g.forced_on"
						   " FROM moderation.guarded AS g WHERE g.relation = ANY ($1)", 1, &type, &value, NULL);
	if (SPI_processed == 0)
		return false;
	tuple = SPI_tuptable->vals[0];
	descriptor = SPI_tuptable->tupdesc;
	*root = DatumGetObjectId(SPI_getbinval(tuple, descriptor, 1, &null));
	*account = pstrdup(NameStr(*DatumGetName(SPI_getbinval(tuple, descriptor, 2, &null))));
	*row_security = DatumGetBool(SPI_getbinval(tuple, descriptor, 3, &null));
	*enabled = mdr_guard_oids(SPI_getbinval(tuple, descriptor, 4, &null));
	*forced = mdr_guard_oids(SPI_getbinval(tuple, descriptor, 5, &null));
	return true;
}

/* Gives a new partition the row security that its guarded ancestor was given.  SPI is connected. */
static void
adopt(Oid partition)
{
	Oid			root;
	char	   *account;
	bool		row_security;
	List	   *enabled;
	List	   *forced;

	if (find_root(partition, &root, &account, &row_security, &enabled, &forced) && row_security)
	{
		Oid			types[3] = {REGCLASSOID, REGCLASSARRAYOID, REGCLASSARRAYOID};
		Datum		values[3];

		mdr_guard_working = true;
		PG_TRY();
		{
			mdr_guard_secure(partition, account, &enabled, &forced);
		}
		PG_FINALLY();
		{
			mdr_guard_working = false;
		}
		PG_END_TRY();
		values[0] = ObjectIdGetDatum(root);
		values[1] = mdr_guard_oid_array(enabled);
		values[2] = mdr_guard_oid_array(forced);
		mdr_guard_run_as_owner("UPDATE moderation.guarded AS g SET enabled_on = $2, forced_on = $3 WHERE g.relation = $1",
							   3, types, values, NULL);
	}
}

/* A table that was just made: a partition is taken in, an heir of a guarded table is not to be. */
static void
keep_created(void)
{
	static const char *const query =
		"SELECT c.objid, k.relispartition, CASE WHEN NOT k.relispartition THEN i.inhparent END"
		" FROM pg_event_trigger_ddl_commands() AS c JOIN pg_class AS k ON c.classid = 'pg_class'::regclass AND k.oid = c.objid"
		" JOIN pg_inherits AS i ON i.inhrelid = k.oid"
		" WHERE k.relispartition OR EXISTS (SELECT FROM moderation.guarded AS g WHERE g.relation = i.inhparent)";
	List	   *partitions = NIL;
	Oid			parent = InvalidOid;
	Oid			heir = InvalidOid;

	connect_spi();
	mdr_guard_run_as_owner(query, 0, NULL, NULL, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		null;
		Oid			created = DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &null));

		if (DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &null)))
			partitions = lappend_oid(partitions, created);
		else
		{
			heir = created;
			parent = DatumGetObjectId(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &null));
		}
	}
	if (OidIsValid(parent))
		object_to(psprintf("guard on %s", mdr_guard_name(parent)),
				  psprintf("%s inherits from it and is not guarded", mdr_guard_name(heir)), parent);
	for (int i = 0; i < list_length(partitions); i++)
		adopt(list_nth_oid(partitions, i));
	SPI_finish();
}

/* Partitions that a command attached: their row security.  Returns those that were not there before.  SPI is connected. */
static List *
adopt_attached(const Note *note, const List *members)
{
	List	   *attached = NIL;

	for (int i = 0; i < list_length(members); i++)
		if (!list_member_oid(note->members, list_nth_oid(members, i)) && get_rel_relispartition(list_nth_oid(members, i)))
		{
			attached = lappend_oid(attached, list_nth_oid(members, i));
			adopt(list_nth_oid(members, i));
		}
	return attached;
}

/*
 * Anything else: what is wrong now and was not before; then rows that nobody has scanned, which may take long.
 */
static void
keep_changed(const Note *note)
{
	List	   *problems;
	List	   *members;
	List	   *attached;
	List	   *taken_back;

	connect_spi();
	taken_back = mdr_guard_take_back();
	look(CurrentMemoryContext, &problems, &members);
	attached = adopt_attached(note, members);
	if (attached != NIL)
		look(CurrentMemoryContext, &problems, &members);
	for (int i = 0; i < list_length(problems); i++)
	{
		const Problem *problem = list_nth(problems, i);

		if (!was_noted(note, problem))
			object_to(problem->object, problem->problem, problem->relation);
	}

	for (int i = 0; i < list_length(attached); i++)
		if (get_rel_relkind(list_nth_oid(attached, i)) == RELKIND_RELATION)
			mdr_guard_scan_rows(list_nth_oid(attached, i), NULL);
	for (int i = 0; i < list_length(taken_back); i++)
	{
		const MdrNotedColumn *column = list_nth(taken_back, i);

		mdr_guard_scan_rows(column->relation, NameStr(column->name));
	}
	mdr_guard_scan_changed(note->columns, note->command);
	SPI_finish();
	tell_renamed(note);
}

Datum
moderation_keep_guards(PG_FUNCTION_ARGS)
{
	const EventTriggerData *event = event_data(fcinfo);

	if (mdr_guard_working || mdr_guard_updating())
		PG_RETURN_NULL();
	if (creates_tables(event))
	{
		if (mdr_guard_any())
			keep_created();
		PG_RETURN_NULL();
	}
	/* DETACH PARTITION CONCURRENTLY is several transactions; its note went with the first. */
	if (innermost == NULL || innermost->command != event->parsetree)
		PG_RETURN_NULL();
	if (mdr_guard_any())
		keep_changed(innermost);
	drop_note();
	PG_RETURN_NULL();
}
