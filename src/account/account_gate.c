/*
 * account_gate.c
 *		Keeps frozen and suspended accounts from writing, at every isolation level, without holding anybody up.
 *
 * Account -> nothing, or MD002/MD003.  A writing transaction T probes each account with the latest snapshot when it
 * writes, remembers it (account_passed.c), and just before its commit takes RowExclusiveLock on
 * moderation.freeze_gate; a freezing transaction F announces its change as a relation cache invalidation of
 * moderation.account and takes ShareRowExclusiveLock on freeze_gate just before its own commit.  The two locks
 * conflict, and a lock goes only after its transaction is visible and its invalidations are sent.  So either T's
 * commit is complete before F's, or T has the lock after F, has received the invalidation, sees that the generation
 * has moved since its probe, probes again, and fails.  The argument uses no transaction's snapshot and no row of the
 * account.
 *
 * Locks: freeze_gate, at pre-commit, last; a transaction that both writes and freezes takes the stronger lock only.
 * A transaction that is idle holds nothing.  What a prepared transaction has written could be committed long after a
 * freeze, and one that has frozen would hold the lock until then, so PREPARE TRANSACTION is refused to both.
 *
 * Other libraries work at pre-commit, too, and the callback that was registered last runs first.  Those after ours may
 * still write: then the lock is taken at once, before the probe.  Those before ours may commit on a foreign server what
 * was written to a guarded foreign table, so that a callback of ours is put in front of them: mdr_gate_go_first().
 *
 * Errors: raised; nothing here has to be undone but the list of them, which the (sub)transaction callbacks see to.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "account/account_passed.h"
#include "account/account_row.h"
#include "server/server.h"
#include "server/server_inject.h"

PG_FUNCTION_INFO_V1(moderation_announce_status);

/* Before this many remembered accounts, a second look at all of them is short enough to be taken under the lock. */
#define FEW_ACCOUNTS 256

/* The recorder's; see mdr_account_init(). */
static void (*record_clean) (const char *account) = NULL;

/* Moves whenever some account may have been restricted; what was probed at an earlier generation is stale. */
static uint64 generation = 1;
static Oid	account_table = InvalidOid;

static int	announced = 0;		/* nesting level of the transaction that announced a restriction; 0 = none */
static bool subtransaction_failed = false;
static bool committing = false; /* our pre-commit work has begun */
static bool locked = false;		/* freeze_gate is ours: whatever is probed now stays true until our commit */

static List *overtaken = NIL;	/* foreign-data wrappers whose pre-commit work comes after ours; in TopMemoryContext */

static void
account_changed(Datum arg, Oid relation)
{
	if (relation == account_table || !OidIsValid(relation))
		generation++;
}

/* moderation.account, whose invalidations are listened to from now on. */
static Oid
find_account_table(void)
{
	Oid			table = mdr_relation("account");

	if (table != account_table)
	{
		account_table = table;
		generation++;
	}
	return table;
}

static void
raise_restricted(const MdrStanding *standing)
{
	StringInfoData detail;
	bool		ends = !TIMESTAMP_NOT_FINITE(standing->until);

	initStringInfo(&detail);
	appendStringInfo(&detail, "{\"state\": \"%s\", \"until\": ", mdr_state_name(standing->state));
	if (ends)
	{
		char		until[MAXDATELEN + 1];

		JsonEncodeDateTime(until, TimestampTzGetDatum(standing->until), TIMESTAMPTZOID, NULL);
		escape_json(&detail, until);
	}
	else
		appendStringInfoString(&detail, "null");
	appendStringInfoString(&detail, ", \"reason\": ");
	if (standing->reason != NULL)
		escape_json(&detail, standing->reason);
	else
		appendStringInfoString(&detail, "null");
	appendStringInfoChar(&detail, '}');

	if (standing->state == MDR_SUSPENDED)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_SUSPENDED),
				 errmsg("account is suspended"),
				 errdetail_internal("%s", detail.data),
				 errhint("A suspension does not end by itself; moderation.reinstate() lifts it."),
				 errhidestmt(true), errhidecontext(true)));
	ereport(ERROR,
			(errcode(ERRCODE_MDR_FROZEN),
			 errmsg("account is frozen"),
			 errdetail_internal("%s", detail.data),
			 ends ? errhint("The account may write again from %s on.", timestamptz_to_str(standing->until)) :
			 errhint("This freeze does not end by itself; moderation.reinstate() lifts it."),
			 errhidestmt(true), errhidecontext(true)));
}

/* False when there is no gate: this transaction has dropped the extension. */
static bool
lock_gate(LOCKMODE mode)
{
	Oid			gate = mdr_relation("freeze_gate");

	if (!OidIsValid(gate))
		return false;
	if (!MDR_INJECT_FAIL("gate_lock"))
		LockRelationOid(gate, mode);
	locked = true;
	AcceptInvalidationMessages();
	return true;
}

void
mdr_gate_pass(const char *account)
{
	int			length = strlen(account);
	Oid			table;
	MdrPassed  *passed;
	MdrStanding standing;
	uint64		seen;

	if (length > MDR_ACCOUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("account key is too long"),
				 errdetail("It has %d bytes; at most %d can be recorded.", length, MDR_ACCOUNT_MAX)));

	AcceptInvalidationMessages();
	passed = mdr_passed_find(account, length);
	if (passed != NULL && passed->generation == generation)
		return;

	/* Somebody's pre-commit work that comes after ours, and nothing was written before. */
	if (committing && !locked)
		lock_gate(RowExclusiveLock);

	/* Read before the snapshot is taken: a restriction that the snapshot does not see moves the generation later. */
	table = find_account_table();
	seen = generation;
	mdr_account_probe(table, account, length, &standing);
	if (mdr_restricted(standing.state))
		raise_restricted(&standing);

	if (locked)
		return;
	if (passed == NULL)
		passed = mdr_passed_add(account, length, seen);
	passed->generation = seen;
	passed->open_row = standing.open_row;
}

void
mdr_gate_clean(const char *account)
{
	int			length = strlen(account);
	MdrPassed  *passed = mdr_passed_find(account, length);

	if (passed == NULL)
	{
		/* It went to the file since the account passed, and is remembered anew. */
		mdr_gate_pass(account);
		passed = mdr_passed_find(account, length);
	}
	if (passed != NULL)
		mdr_passed_clean(passed);
}

void
mdr_gate_announce(void)
{
	Oid			table = find_account_table();
	int			level = GetCurrentTransactionNestLevel();

	if (OidIsValid(table))
		CacheInvalidateRelcacheByRelid(table);
	if (announced == 0 || announced > level)
		announced = level;

	/* Writers that were turned away must not find, after a crash, that the freeze was lost with synchronous_commit = off. */
	ForceSyncCommit();

	/* Somebody's pre-commit work that comes after ours. */
	if (committing)
		lock_gate(ShareRowExclusiveLock);
}

/*
 * Trigger on moderation.account, for rows that are now frozen or suspended: whoever wrote them (the API, the ladder, an
 * administrator by hand, a subscription), writers will look again.
 */
Datum
moderation_announce_status(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	new;
	TupleDesc	descriptor;
	bool		null;
	Datum		value;
	bool		restricted_before = false;
	bool		own_before = false;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		RelationGetRelid(trigger->tg_relation) != mdr_relation("account"))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("moderation.announce_status() is an AFTER ROW trigger of moderation.account only")));

	descriptor = RelationGetDescr(trigger->tg_relation);
	new = trigger->tg_trigtuple;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		HeapTuple	old = trigger->tg_trigtuple;
		TimestampTz until;
		MdrAccountState state;

		new = trigger->tg_newtuple;
		value = heap_getattr(old, MDR_ACCOUNT_ATT_UNTIL, descriptor, &null);
		until = null ? DT_NOEND : DatumGetTimestampTz(value);
		value = heap_getattr(old, MDR_ACCOUNT_ATT_STATE, descriptor, &null);
		state = mdr_state_of_oid(DatumGetObjectId(value));
		restricted_before = mdr_restricted(mdr_state_at(state, until, GetCurrentTimestamp()));
		own_before = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(old->t_data));
	}
	value = heap_getattr(new, MDR_ACCOUNT_ATT_ACCOUNT, descriptor, &null);
	mdr_gate_own_change(TextDatumGetCString(value), restricted_before, own_before);
	mdr_gate_announce();
	return PointerGetDatum(NULL);
}

void
mdr_gate_own_change(const char *account, bool restricted_before, bool own_before)
{
	MdrPassed  *passed = mdr_passed_find(account, strlen(account));

	if (passed == NULL)
		return;
	if (!restricted_before)
		passed->own_change = true;
	else if (!own_before)
		passed->own_change = false;
}

/* Callback for each remembered account at pre-commit: still allowed? */
static void
probe_again(MdrPassed *passed)
{
	uint64		seen = generation;
	MdrStanding standing;

	CHECK_FOR_INTERRUPTS();
	if (passed->generation == generation)
		return;
	mdr_account_probe(account_table, passed->account, passed->length, &standing);

	/* A transaction that writes as an account and then restricts it itself: both commit at once. */
	if (mdr_restricted(standing.state) &&
		!(passed->own_change && standing.found && TransactionIdIsCurrentTransactionId(standing.writer)))
		raise_restricted(&standing);
	passed->generation = seen;
}

static void
probe_stale(void)
{
	uint64		seen = generation;

	if (mdr_passed_oldest() == generation || MDR_INJECT_FAIL("gate_look"))
		return;
	mdr_passed_each(probe_again, false);
	mdr_passed_renewed(seen);
}

/* Callback: a refusal that this transaction survived by a savepoint may have opened a row since the last probe. */
static void
look_for_row(MdrPassed *passed)
{
	MdrStanding standing;

	CHECK_FOR_INTERRUPTS();
	if (!passed->clean || passed->open_row)
		return;
	mdr_account_probe(account_table, passed->account, passed->length, &standing);
	passed->open_row = standing.open_row;
}

/* Callback: tells the recorder of clean contents that end a row of refusals. */
static void
report_clean(MdrPassed *passed)
{
	if (passed->clean && passed->open_row)
		record_clean(passed->account);
}

static void
pre_commit(void)
{
	if (locked)
		return;
	committing = true;
	if (mdr_passed_count() == 0 && announced == 0)
		return;

	/* Many accounts are looked up before the lock is taken; under it, only what changed in between. */
	AcceptInvalidationMessages();
	(void) find_account_table();
	if (OidIsValid(account_table))
	{
		if (mdr_passed_count() > FEW_ACCOUNTS)
			probe_stale();
		if (subtransaction_failed)
			mdr_passed_each(look_for_row, false);

		if (lock_gate(announced ? ShareRowExclusiveLock : RowExclusiveLock))
		{
			probe_stale();
			mdr_passed_each(report_clean, true);
		}
	}
	mdr_passed_close();
}

/* Registered in front of a foreign-data wrapper's callback, which may commit at its server. */
static void
go_first(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT)
		pre_commit();
}

void
mdr_gate_go_first(Oid foreign_table)
{
	Oid			wrapper = GetForeignServer(GetForeignServerIdByRelId(foreign_table))->fdwid;
	MemoryContext caller;

	if (list_member_oid(overtaken, wrapper))
		return;
	RegisterXactCallback(go_first, NULL);
	caller = MemoryContextSwitchTo(TopMemoryContext);
	overtaken = lappend_oid(overtaken, wrapper);
	MemoryContextSwitchTo(caller);
}

static void
refuse_prepare(void)
{
	if (mdr_passed_count() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot prepare a transaction that has written to a guarded table"),
				 errdetail("It could be committed after the account has been frozen."),
				 errhint("Write to guarded tables in transactions that end with COMMIT.")));
	if (announced)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot prepare a transaction that has frozen or suspended an account"),
				 errdetail("Until it is committed or rolled back, no guarded table could be written to."),
				 errhint("Freeze and suspend in transactions that end with COMMIT.")));
}

static void
transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			pre_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			refuse_prepare();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			mdr_passed_reset();
			announced = 0;
			subtransaction_failed = false;
			committing = locked = false;
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
	}
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		mdr_passed_subcommit(level);
		if (announced == level)
			announced = level - 1;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		mdr_passed_subabort(level);
		if (announced >= level)
			announced = 0;
		subtransaction_failed = true;

		/* If it had reinstated an account, what was seen of that is no longer true. */
		if (TransactionIdIsValid(GetCurrentTransactionIdIfAny()))
			generation++;
	}
}

#ifdef MDR_TEST
/* Some other library's pre-commit work, which comes after ours: whatever the test's function late_work() does. */
static void
late_work(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || !MDR_INJECT_FAIL("gate_late"))
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	SPI_execute("SELECT late_work()", false, 0);
	SPI_finish();
	PopActiveSnapshot();
}
#endif

void
mdr_account_init(void (*recorder) (const char *account))
{
	record_clean = recorder;
	CacheRegisterRelcacheCallback(account_changed, (Datum) 0);
#ifdef MDR_TEST
	RegisterXactCallback(late_work, NULL);
#endif
	RegisterXactCallback(transaction_event, NULL);
	RegisterSubXactCallback(subtransaction_event, NULL);
}
