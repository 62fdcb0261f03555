/*
 * recorder_strike.c
 *		What the ladder makes of recorded strikes, now or, when an account's row is held by somebody, later.
 *
 * Runs in the worker only.  In: records, and rows of moderation.violation with strike and not counted; out: calls of the
 * ladder, counted set in the same transaction.  Locks: the account's row, through the ladder, under the worker's short
 * lock_timeout. Memory: the list of accounts that wait lives as long as the worker.  Errors: of the ladder are logged and
 * never lose a violation; what is uncounted stays so, and the next worker tries again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "account/account.h"
#include "recorder/recorder_write.h"
#include "server/server.h"
#include "store/store.h"

#define RETRY_ACCOUNTS "1000"	/* looked at in one go */
#define RETRY_STRIKES 64		/* counted in one transaction: somebody may wait for a record meanwhile */

typedef struct MdrWaiting
{
	char	   *account;
	MdrRetry	outcome;		/* of the last try: LATER, FAILED; MORE when it was not tried yet */
	List	   *cleans;			/* of TimestampTz *, in order: clean contents stored meanwhile */
} MdrWaiting;

static List *waiting = NIL;		/* of MdrWaiting *, in TopMemoryContext */
static List *round_accounts = NIL;	/* of char *: those whose turn is still to come, in round_context */
static MemoryContext round_context = NULL;

bool
mdr_error_passes(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
			return true;
		default:
			return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_QUERY_CANCELED;
	}
}

ErrorData *
mdr_recover(MemoryContext context)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(context);
	RESUME_INTERRUPTS();
	return error;
}

static MdrWaiting *
find_waiting(const char *account)
{
	ListCell   *cell;

	foreach(cell, waiting)
	{
		MdrWaiting *entry = lfirst(cell);

		if (strcmp(entry->account, account) == 0)
			return entry;
	}
	return NULL;
}

static MdrWaiting *
make_waiting(const char *account)
{
	MdrWaiting *entry = find_waiting(account);

	if (entry == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		entry = palloc0(sizeof(MdrWaiting));
		entry->account = pstrdup(account);
		entry->outcome = MDR_RETRY_MORE;
		waiting = lappend(waiting, entry);
		MemoryContextSwitchTo(old);
	}
	return entry;
}

static void
forget_waiting(MdrWaiting *entry)
{
	waiting = list_delete_ptr(waiting, entry);
	list_free_deep(entry->cleans);
	pfree(entry->account);
	pfree(entry);
}

bool
mdr_strike_waits(const char *account)
{
	return waiting != NIL && find_waiting(account) != NULL;
}

void
mdr_strike_defer(const char *account, bool locked)
{
	make_waiting(account)->outcome = locked ? MDR_RETRY_LATER : MDR_RETRY_FAILED;
}

void
mdr_clean_defer(const char *account, TimestampTz occurred_at)
{
	MdrWaiting *entry = make_waiting(account);
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	TimestampTz *at = palloc(sizeof(TimestampTz));

	*at = occurred_at;
	entry->cleans = lappend(entry->cleans, at);
	MemoryContextSwitchTo(old);
}

/* The live ladder of a policy; if the policy is gone, the built-in one's, so that no strike goes uncounted for ever. */
static void
ladder_of(const char *policy, MdrLadder *ladder)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool found = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		mdr_engine_ladder(mdr_policy_live(policy)->engine, ladder);
		ReleaseCurrentSubTransaction();
		found = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (mdr_error_passes(error->sqlerrcode) || policy == NULL)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (!found)
		mdr_engine_ladder(mdr_policy_live(NULL)->engine, ladder);
}

void
mdr_strike(const MdrRecord *record)
{
	MdrLadder	ladder;

	if (record->has_ladder)
		ladder = record->ladder;
	else
		ladder_of(record->policy, &ladder);
	mdr_ladder_strike(record->account, &ladder, record->suspend, record->category, (const pg_uuid_t *) record->violation_id,
					  record->occurred_at);
}

static void
begin(void)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	/* We are superuser, and what has our tables' names must be ours. */
	if (!mdr_hold_extension())
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"moderation\" is not installed in this database")));
}

static void
commit(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
query(const char *command, int nargs, Oid *types, Datum *values, int expected)
{
	int			result = SPI_execute_with_args(command, nargs, types, values, NULL, false, 0);

	if (result != expected)
		elog(ERROR, "SPI_execute_with_args failed: %s", SPI_result_code_string(result));
}

/* Clean contents stored before `until` end the account's row of refusals, as they would have then. */
static int
apply_cleans(MdrWaiting *entry, int done, TimestampTz until)
{
	while (entry != NULL && done < list_length(entry->cleans) && *(TimestampTz *) list_nth(entry->cleans, done) < until)
	{
		mdr_ladder_clean(entry->account);
		done++;
	}
	return done;
}

/*
 * In a transaction: counts what is uncounted of the account, in the order in which it occurred, up to RETRY_STRIKES.  True if
 * that was all; *cleans is how many of the deferred clean contents were told.
 */
static bool
count_account(const char *account, int *cleans)
{
	static Oid	limited[] = {TEXTOID, INT8OID};
	static Oid	single[] = {TEXTOID, UUIDOID};
	MdrWaiting *entry = find_waiting(account);
	Datum		values[2] = {CStringGetTextDatum(account), Int64GetDatum(RETRY_STRIKES)};
	SPITupleTable *rows;

	*cleans = 0;
	query("SELECT violation_id, category, policy, suspend, occurred_at FROM moderation.violation "
		  "WHERE account OPERATOR(pg_catalog.=) $1 AND strike AND NOT counted ORDER BY occurred_at LIMIT $2", 2, limited, values,
		  SPI_OK_SELECT);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < rows->numvals; i++)
	{
		MdrRecord	record = {0};
		bool		null;

		values[1] = SPI_getbinval(rows->vals[i], rows->tupdesc, 1, &null);
		memcpy(record.violation_id, DatumGetUUIDP(values[1])->data, 16);
		record.account = account;
		record.category = SPI_getvalue(rows->vals[i], rows->tupdesc, 2);
		record.policy = SPI_getvalue(rows->vals[i], rows->tupdesc, 3);
		record.suspend = DatumGetBool(SPI_getbinval(rows->vals[i], rows->tupdesc, 4, &null));
		record.occurred_at = DatumGetTimestampTz(SPI_getbinval(rows->vals[i], rows->tupdesc, 5, &null));
		*cleans = apply_cleans(entry, *cleans, record.occurred_at);

		query("UPDATE moderation.violation SET counted = true WHERE account OPERATOR(pg_catalog.=) $1 "
			  "AND violation_id OPERATOR(pg_catalog.=) $2 AND NOT counted", 2, single, values, SPI_OK_UPDATE);
		if (SPI_processed == 1)
			mdr_strike(&record);
	}
	if (rows->numvals == RETRY_STRIKES)
		return false;
	*cleans = apply_cleans(entry, *cleans, DT_NOEND);
	return true;
}

static List *
uncounted_accounts(MemoryContext context)
{
	List	   *accounts = NIL;
	ListCell   *cell;

	begin();
	query("SELECT DISTINCT account FROM moderation.violation WHERE strike AND NOT counted AND account IS NOT NULL "
		  "LIMIT " RETRY_ACCOUNTS, 0, NULL, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_tuptable->numvals; i++)
	{
		char	   *account = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		MemoryContext old = MemoryContextSwitchTo(context);

		accounts = lappend(accounts, pstrdup(account));
		MemoryContextSwitchTo(old);
	}
	commit();

	/* Those with nothing but clean contents to tell, too. */
	MemoryContextSwitchTo(context);
	foreach(cell, waiting)
	{
		MdrWaiting *entry = lfirst(cell);
		ListCell   *known;
		bool		listed = false;

		foreach(known, accounts)
			listed = listed || strcmp(lfirst(known), entry->account) == 0;
		if (!listed)
			accounts = lappend(accounts, pstrdup(entry->account));
	}
	return accounts;
}

/* One account's transaction.  True when the account is done with, for this round. */
static bool
retry_account(const char *account, MemoryContext context)
{
	volatile bool done = true;

	PG_TRY();
	{
		MdrWaiting *entry;
		int			cleans;

		begin();
		done = count_account(account, &cleans);
		commit();
		entry = find_waiting(account);
		if (entry != NULL && done)
			forget_waiting(entry);
		else if (entry != NULL)
			while (cleans-- > 0)
			{
				pfree(linitial(entry->cleans));
				entry->cleans = list_delete_first(entry->cleans);
			}
	}
	PG_CATCH();
	{
		ErrorData  *error = mdr_recover(context);
		bool		passes = mdr_error_passes(error->sqlerrcode);

		if (!passes)
			ereport(LOG_SERVER_ONLY,
					(errcode(error->sqlerrcode),
					 errmsg("moderation recorder: strikes of account \"%s\" are not counted: %s", account, error->message)));
		mdr_strike_defer(account, passes);
	}
	PG_END_TRY();
	return done;
}

/* Begins a round: lists the accounts that have something uncounted.  False if even that failed. */
static bool
begin_round(MemoryContext context)
{
	volatile bool done = false;

	PG_TRY();
	{
		round_accounts = uncounted_accounts(context);
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error = mdr_recover(context);

		ereport(LOG_SERVER_ONLY,
				(errcode(error->sqlerrcode),
				 errmsg("moderation recorder: cannot look for uncounted strikes: %s", error->message)));
	}
	PG_END_TRY();
	return done;
}

MdrRetry
mdr_strike_retry(bool (*interrupted) (void))
{
	MemoryContext caller = CurrentMemoryContext;
	MdrRetry	result = MDR_RETRY_DONE;
	ListCell   *cell;

	if (round_context == NULL)
		round_context = AllocSetContextCreate(TopMemoryContext, "moderation recorder strikes", ALLOCSET_DEFAULT_SIZES);
	if (round_accounts == NIL)
	{
		MemoryContextReset(round_context);
		if (!begin_round(round_context))
			result = MDR_RETRY_FAILED;
	}
	for (bool first = true; round_accounts != NIL; first = false)
	{
		CHECK_FOR_INTERRUPTS();
		if (!first && interrupted())
		{
			result = MDR_RETRY_MORE;
			break;
		}
		MemoryContextSwitchTo(round_context);
		if (retry_account(linitial(round_accounts), round_context))
			round_accounts = list_delete_first(round_accounts);
	}
	/* The most urgent of what is left. */
	foreach(cell, waiting)
		result = Max(result, ((MdrWaiting *) lfirst(cell))->outcome);
	MemoryContextSwitchTo(caller);
	return result;
}
