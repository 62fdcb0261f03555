/*
 * guard_trigger.c
 *		The two row triggers of a guarded table.  Read this first: a row's whole way through moderation is scan_row().
 *
 * scan_row, BEFORE:  which contents changed? -> may the account write? -> verdict on each -> the gravest decides:
 * refuse, divert, mask, or let through.  verify_row, AFTER:  record what was flagged or masked, now that it is stored,
 * and scan what is not what scan_row let through.
 *
 * Locks: none but those of what is called.  Memory: one context and one arena of this backend, emptied after each row;
 * a trigger that fires while they are in use (a cast or constraint of a user's that writes to a guarded table) gets its
 * own.  After an error both are emptied by the next row.  Unchanged content is never read.
 *
 * Fails closed: whatever keeps a content from being scanned is an error, and the row is not stored.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "account/account.h"
#include "guard/guard.h"
#include "server/server.h"
#include "server/server_inject.h"

PG_FUNCTION_INFO_V1(moderation_scan_row);
PG_FUNCTION_INFO_V1(moderation_verify_row);

/* ---- memory, and what the log may see ---- */

typedef struct Workspace
{
	MemoryContext caller;
	MemoryContext context;
	MdrArena   *arena;
	bool		shared;			/* this backend's, to be used again */
	ErrorContextCallback hiding;
} Workspace;

static Workspace backend_workspace = {.shared = true};
static int	busy = 0;			/* nest level of the transaction that uses it; 0 = nobody */
static bool restore_warned = false;

static void
transaction_ended(XactEvent event, void *arg)
{
	busy = 0;
	restore_warned = false;
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && busy >= GetCurrentTransactionNestLevel())
		busy = 0;
}

static void
prepare(void)
{
	MemoryContext context;

	if (backend_workspace.context != NULL)
		return;
	context = AllocSetContextCreate(TopMemoryContext, "moderation row", ALLOCSET_DEFAULT_SIZES);
	backend_workspace.arena = mdr_arena_in(TopMemoryContext, 0);
	RegisterXactCallback(transaction_ended, NULL);
	RegisterSubXactCallback(subtransaction_ended, NULL);
	backend_workspace.context = context;
}

/*
 * Keeps the statement and its context out of the server log for whatever is raised while a row is judged: they would repeat the
 * content there, and the parameters it came in.
 */
static void
hide_content(void *arg)
{
	errhidestmt(true);
	errhidecontext(true);
}

static void
enter(Workspace *workspace)
{
	prepare();
	if (busy == 0)
	{
		*workspace = backend_workspace;
		MemoryContextReset(workspace->context);
		mdr_arena_reset(workspace->arena);
		busy = GetCurrentTransactionNestLevel();
	}
	else
	{
		workspace->context = AllocSetContextCreate(CurrentMemoryContext, "moderation nested row", ALLOCSET_DEFAULT_SIZES);
		workspace->arena = mdr_arena_in(workspace->context, 0);
		workspace->shared = false;
	}
	workspace->hiding = (ErrorContextCallback) {.previous = error_context_stack, .callback = hide_content};
	error_context_stack = &workspace->hiding;
	workspace->caller = MemoryContextSwitchTo(workspace->context);
}

static void
leave(Workspace *workspace)
{
	MemoryContextSwitchTo(workspace->caller);
	error_context_stack = workspace->hiding.previous;
	if (workspace->shared)
	{
		busy = 0;
		MemoryContextReset(workspace->context);
		mdr_arena_reset(workspace->arena);
	}
	else
		MemoryContextDelete(workspace->context);
}

/* ---- what fired ---- */

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, bool before, const char *function, const char *name)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		(before ? !TRIGGER_FIRED_BEFORE(data->tg_event) : !TRIGGER_FIRED_AFTER(data->tg_event)) ||
		!(TRIGGER_FIRED_BY_INSERT(data->tg_event) || TRIGGER_FIRED_BY_UPDATE(data->tg_event)) ||
		strcmp(data->tg_trigger->tgname, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"moderation.%s\" works as trigger \"%s\" of a guarded table only", function, name),
				 errhint("Guard the table with moderation.guard().")));
	return data;
}

/* Whether the row is not ours to judge: a dump being loaded, or a row that was judged where it was first stored. */
/*
 * Whether rows come from a publisher, by a subscription that a superuser set up.  That of anybody else (PostgreSQL 16 and later,
 * or a superuser who is none any more) is a session like any other: its owner chooses what is published to it.
 */
static bool
replicates(void)
{
	return IsLogicalWorker() && superuser_arg(GetSessionUserId());
}

static bool
passes(Relation relation)
{
	if (mdr_mode == MDR_MODE_RESTORE)
	{
		if (!restore_warned)
		{
			prepare();
			restore_warned = true;
			ereport(WARNING,
					(errmsg("moderation.mode is \"restore\": content is stored without being classified"),
					 errhint("RESET moderation.mode;")));
		}
		mdr_guard_tell_restored(relation);
		return true;
	}
	return replicates() && !mdr_moderate_replica;
}

/* Columns of the guard that a statement changes, in the order of guard->columns; all of them for an INSERT. */
typedef struct Changes
{
	bool		account;
	int			ncolumns;
	int		   *ordinals;
} Changes;

static bool
account_changed(const MdrGuard *guard, HeapTuple old_tuple, HeapTuple new_tuple, TupleDesc descriptor)
{
	Form_pg_attribute attribute = TupleDescAttr(descriptor, guard->account - 1);
	bool		old_null;
	bool		new_null;
	Datum		old_value = heap_getattr(old_tuple, guard->account, descriptor, &old_null);
	Datum		new_value = heap_getattr(new_tuple, guard->account, descriptor, &new_null);

	if (old_null || new_null)
		return old_null != new_null;
	return !datum_image_eq(old_value, new_value, attribute->attbyval, attribute->attlen);
}

static void
find_changes(const MdrGuard *guard, HeapTuple old_tuple, HeapTuple new_tuple, TupleDesc descriptor, Changes *changes)
{
	changes->account = old_tuple == NULL || account_changed(guard, old_tuple, new_tuple, descriptor);
	changes->ncolumns = 0;
	changes->ordinals = palloc(Max(guard->ncolumns, 1) * sizeof(int));
	for (int i = 0; i < guard->ncolumns; i++)
	{
		AttrNumber	attnum = guard->columns[i].attnum;

		if (old_tuple != NULL)
		{
			bool		old_null;
			bool		new_null;
			Datum		old_value = heap_getattr(old_tuple, attnum, descriptor, &old_null);
			Datum		new_value = heap_getattr(new_tuple, attnum, descriptor, &new_null);

			if (!mdr_content_changed(old_value, old_null, new_value, new_null))
				continue;
		}
		changes->ordinals[changes->ncolumns++] = i;
	}
}

static void
begin_row(MdrRow *row, Relation relation, bool insert, const MdrGuard *guard, HeapTuple tuple, MdrArena *arena)
{
	memset(row, 0, sizeof(*row));
	row->guard = guard;
	row->relation = relation;
	row->descriptor = RelationGetDescr(relation);
	row->operation = insert ? "INSERT" : "UPDATE";
	row->account = mdr_guard_account(guard, tuple, row->descriptor);
	/* A replica that refuses or drops a row stops or diverges: it may only observe. */
	row->cap = replicates() ? Min(guard->cap, MDR_FLAG) : guard->cap;
	row->arena = arena;
	row->scanned = palloc(Max(guard->ncolumns, 1) * sizeof(MdrScanned));
	row->gravest = -1;
}

/* ---- verdicts ---- */

/* Of the gravest category; -1 when the content could not be scanned and nothing was found. */
static int
severity(const MdrScanned *scanned)
{
	const MdrVerdict *verdict = &scanned->verdict;

	return verdict->category < 0 ? -1 : verdict->categories[verdict->category].severity;
}

/*
 * Scans one content and adds it to the row.  False when an interrupt stopped that and the row is refused already: then
 * what was found must be recorded before the interrupt is served.
 */
static bool
scan_content(MdrRow *row, int ordinal, Datum value)
{
	MdrScanned *scanned = &row->scanned[row->nscanned];
	MdrVerdict *verdict = &scanned->verdict;
	const MdrContentColumn *column = &row->guard->columns[ordinal];
	MdrStatus	status = MDR_OK;

	if (row->live == NULL)
		row->live = mdr_policy_live(row->guard->policy);
	scanned->ordinal = ordinal;
	memset(verdict, 0, sizeof(*verdict));
	if (toast_raw_datum_size(value) - VARHDRSZ > (Size) mdr_engine_max_bytes(row->live->engine))
	{
		/* Not even read: 1 GB must cost nothing. */
		memset(&scanned->content, 0, sizeof(MdrContent));
		scanned->content.column = column;
		scanned->content.value = value;
		verdict->status = MDR_UNKNOWN;
		verdict->unknown = "too long";
		verdict->category = -1;
		verdict->action = mdr_engine_on_unknown(row->live->engine);
	}
	else
	{
		mdr_content_open(column, value, &scanned->content);
		status = mdr_verdict(row->live->engine, row->arena, scanned->content.utf8, scanned->content.length, row->cap,
							 mdr_interrupted, NULL, verdict);
	}
	if (status == MDR_INTERRUPTED && row->action == MDR_REJECT)
		return false;
	if (status != MDR_OK)
		mdr_raise(status, NULL);

	scanned->action = Min(verdict->action, row->cap);
	if (scanned->action > row->action ||
		(scanned->action > MDR_ALLOW && scanned->action == row->action &&
		 severity(scanned) > severity(&row->scanned[row->gravest])))
	{
		row->action = scanned->action;
		row->gravest = row->nscanned;
	}
	row->nscanned++;
	return true;
}

static void
pass_gate(Relation relation, const char *account)
{
	if (relation->rd_rel->relkind == RELKIND_FOREIGN_TABLE)
		mdr_gate_go_first(RelationGetRelid(relation));
	mdr_gate_pass(account);
}

/* ---- BEFORE ---- */

/*
 * An UPDATE that changes what decides on the partition may go on as an INSERT elsewhere: remember what it leaves as it is, so
 * that it is not scanned and recorded anew there.
 */
static void
remember_move(const MdrRow *row, HeapTuple old_tuple, HeapTuple new_tuple, const Changes *changes)
{
	MdrDigest  *digests;
	int			ndigests = 0;
	int			attribute = -1;
	bool		moves = false;

	while (!moves && (attribute = bms_next_member(row->guard->moving, attribute)) >= 0)
	{
		AttrNumber	attnum = attribute + FirstLowInvalidHeapAttributeNumber;
		bool		old_null;
		bool		new_null;
		Datum		old_value;
		Datum		new_value;

		if (attnum <= 0)
		{
			moves = true;
			break;
		}
		old_value = heap_getattr(old_tuple, attnum, row->descriptor, &old_null);
		new_value = heap_getattr(new_tuple, attnum, row->descriptor, &new_null);
		moves = old_null != new_null ||
			(!old_null && !datum_image_eq(old_value, new_value, TupleDescAttr(row->descriptor, attnum - 1)->attbyval,
										  TupleDescAttr(row->descriptor, attnum - 1)->attlen));
	}
	if (!moves)
		return;

	digests = palloc(Max(row->guard->ncolumns, 1) * sizeof(MdrDigest));
	for (int i = 0, next = 0; i < row->guard->ncolumns; i++)
	{
		bool		null;
		Datum		value;

		if (next < changes->ncolumns && changes->ordinals[next] == i)
		{
			next++;
			continue;
		}
		value = heap_getattr(new_tuple, row->guard->columns[i].attnum, row->descriptor, &null);
		if (!null)
			mdr_memo_digest(row->guard, i, value, row->account, &digests[ndigests++]);
	}
	mdr_memo_move(RelationGetRelid(row->relation), digests, ndigests);
}

static void
scan_changes(MdrRow *row, HeapTuple tuple, const Changes *changes, bool insert)
{
	for (int i = 0; i < changes->ncolumns; i++)
	{
		int			ordinal = changes->ordinals[i];
		bool		null;
		Datum		value = heap_getattr(tuple, row->guard->columns[ordinal].attnum, row->descriptor, &null);

		if (null)
			continue;
		if (insert && row->guard->moving != NULL && mdr_memo_moving(RelationGetRelid(row->relation)))
		{
			MdrDigest	digest;

			mdr_memo_digest(row->guard, ordinal, value, row->account, &digest);
			if (mdr_memo_moved(&digest))
			{
				if (!row->guard->last)
					mdr_memo_clean(&digest);
				continue;
			}
		}
		if (!scan_content(row, ordinal, value))
			return;
	}
}

/* Leaves for verify_row what it has to record, and, where another trigger runs between us, what it need not scan again. */
static void
leave_memo(MdrRow *row, HeapTuple tuple)
{
	for (int i = 0; i < row->nscanned; i++)
	{
		MdrScanned *scanned = &row->scanned[i];
		MdrDigest	digest;
		MdrEvent	event;
		Datum		value;
		bool		null;

		if (scanned->action == MDR_ALLOW && row->guard->last)
			continue;
		value = heap_getattr(tuple, scanned->content.column->attnum, row->descriptor, &null);
		mdr_memo_digest(row->guard, scanned->ordinal, value, row->account, &digest);
		if (scanned->action == MDR_ALLOW)
		{
			mdr_memo_clean(&digest);
			continue;
		}
		mdr_guard_event(row, scanned, scanned->action, &event);
		/* No room: flagged content will be found again when verify_row scans it, masked content will not. */
		if (!mdr_memo_pending(&digest, &event) && scanned->action == MDR_REDACT)
			mdr_record_stored(&event);
	}
}

static HeapTuple
scan_row(Workspace *workspace, const TriggerData *data, const MdrGuard *guard, HeapTuple old_tuple, HeapTuple tuple)
{
	TupleDesc	descriptor = RelationGetDescr(data->tg_relation);
	Changes		changes;
	MdrRow		row;

	find_changes(guard, old_tuple, tuple, descriptor, &changes);
	if (changes.ncolumns == 0 && !changes.account && guard->moving == NULL)
		return tuple;
	begin_row(&row, data->tg_relation, old_tuple == NULL, guard, tuple, workspace->arena);
	if (old_tuple != NULL && guard->moving != NULL)
		remember_move(&row, old_tuple, tuple, &changes);
	if (changes.ncolumns == 0 && !changes.account)
		return tuple;

	if (!replicates())
	{
		if (old_tuple != NULL && changes.account)
		{
			char	   *account = mdr_guard_account(guard, old_tuple, descriptor);

			if (account != NULL)
				pass_gate(data->tg_relation, account);
		}
		if (row.account != NULL)
			pass_gate(data->tg_relation, row.account);
	}
	scan_changes(&row, tuple, &changes, old_tuple == NULL);

	if (row.action == MDR_REJECT)
		mdr_guard_refuse(&row);
	if (row.action == MDR_QUARANTINE)
	{
		if (!mdr_guard_quarantine(&row, tuple))
			mdr_guard_refuse(&row);
		return NULL;
	}
	if (row.action == MDR_REDACT)
	{
		MemoryContextSwitchTo(workspace->caller);
		tuple = mdr_guard_mask(&row, tuple);
		MemoryContextSwitchTo(workspace->context);
	}
	if (row.action > MDR_ALLOW || !guard->last)
		leave_memo(&row, tuple);
	return tuple;
}

Datum
moderation_scan_row(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, true, "scan_row", MDR_GUARD_SCAN_TRIGGER);
	bool		update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	HeapTuple	tuple = update ? data->tg_newtuple : data->tg_trigtuple;
	const MdrGuard *guard;
	Workspace	workspace;

	if (passes(data->tg_relation) || MDR_INJECT_FAIL("guard_pass"))
		return PointerGetDatum(tuple);
	enter(&workspace);
	guard = mdr_guard_find(data->tg_relation);
	tuple = scan_row(&workspace, data, guard, update ? data->tg_trigtuple : NULL, tuple);
	leave(&workspace);
	return PointerGetDatum(tuple);
}

/* ---- AFTER ---- */

/* Verifies one stored content.  Returns whether it is clean; adds it to the row when it had to be scanned. */
static bool
verify_content(MdrRow *row, int ordinal, Datum value)
{
	MdrDigest	digest;
	MdrEvent	event;

	mdr_memo_digest(row->guard, ordinal, value, row->account, &digest);
	switch (mdr_memo_take(&digest, &event))
	{
		case MDR_MEMO_PENDING:
			mdr_guard_stamp(&event);
			mdr_record_stored(&event);
			return false;
		case MDR_MEMO_CLEAN:
			return true;
		case MDR_MEMO_NONE:
			break;
	}
	if (row->guard->last && !mdr_memo_dropped())
		return true;
	return !scan_content(row, ordinal, value) || row->scanned[row->nscanned - 1].action == MDR_ALLOW;
}

/*
 * What follows from scanning a row that is stored already: it is too late to mask or to divert.  known: some of it may have been
 * recorded when it was first stored.
 */
static void
conclude(MdrRow *row, bool known)
{
	if (row->action > MDR_FLAG)
		mdr_guard_refuse(row);
	for (int i = 0; i < row->nscanned; i++)
	{
		MdrEvent	event;

		if (row->scanned[i].action == MDR_ALLOW)
			continue;
		mdr_guard_event(row, &row->scanned[i], MDR_FLAG, &event);
		if (!known || !mdr_guard_recorded(&event))
			mdr_record_stored(&event);
	}
}

static void
verify_row(MdrRow *row, HeapTuple tuple, const Changes *changes)
{
	bool		clean = true;

	/* Another trigger may have put another account into the row. */
	if (!row->guard->last && row->account != NULL && !replicates())
		pass_gate(row->relation, row->account);
	if (!row->guard->last || !mdr_memo_empty())
	{
		for (int i = 0; i < changes->ncolumns; i++)
		{
			int			ordinal = changes->ordinals[i];
			bool		null;
			Datum		value = heap_getattr(tuple, row->guard->columns[ordinal].attnum, row->descriptor, &null);

			if (!null && !verify_content(row, ordinal, value))
				clean = false;
		}

		conclude(row, false);
	}
	if (clean && changes->ncolumns > 0 && row->account != NULL && !replicates())
		mdr_gate_clean(row->account);
}

Datum
moderation_verify_row(PG_FUNCTION_ARGS)
{
	TriggerData *data = trigger_data(fcinfo, false, "verify_row", MDR_GUARD_VERIFY_TRIGGER);
	bool		update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	HeapTuple	tuple = update ? data->tg_newtuple : data->tg_trigtuple;
	const MdrGuard *guard;
	Workspace	workspace;
	Changes		changes;
	MdrRow		row;

	if (passes(data->tg_relation) || MDR_INJECT_FAIL("guard_after"))
		return PointerGetDatum(NULL);
	enter(&workspace);
	guard = mdr_guard_find(data->tg_relation);
	find_changes(guard, update ? data->tg_trigtuple : NULL, tuple, RelationGetDescr(data->tg_relation), &changes);
	if (changes.ncolumns > 0 || (changes.account && !guard->last))
	{
		begin_row(&row, data->tg_relation, !update, guard, tuple, workspace.arena);
		verify_row(&row, tuple, &changes);
	}
	leave(&workspace);
	return PointerGetDatum(NULL);
}

/* ---- rows that no trigger saw ---- */

void
mdr_guard_judge(Relation relation, const MdrGuard *guard, HeapTuple tuple, const char *column)
{
	Workspace	workspace;
	MdrRow		row;

	enter(&workspace);
	begin_row(&row, relation, true, guard, tuple, workspace.arena);
	row.stored = true;
	for (int i = 0; i < guard->ncolumns; i++)
	{
		bool		null;
		Datum		value;

		if (column != NULL && strcmp(column, NameStr(guard->columns[i].name)) != 0)
			continue;
		value = heap_getattr(tuple, guard->columns[i].attnum, row.descriptor, &null);
		if (!null && !scan_content(&row, i, value))
			break;
	}
	conclude(&row, true);
	leave(&workspace);
}
