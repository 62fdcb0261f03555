/*
 * recorder_worker.c
 *		The recorder's background worker: units from ring and spool into the tables, strikes onto the ladder, entries into the
 *		ledger's chains.
 *
 * One for each database, started by the first need, gone when nothing was to do for moderation.recorder_idle.  In: units;
 * out: committed rows, then outcomes in the ring.  It acts as bootstrap superuser with settings of its own, so that
 * nothing a database or role is set to can change what it does, and holds no lock, snapshot or transaction between
 * batches.
 *
 * A batch is one transaction: violations, evidence, strikes, and their places in the ledger.  When a strike fails (somebody
 * holds the account's row), the batch is done again without strikes, so that recording never waits for the ladder.  When a
 * row fails for a reason that passes, the batch is kept and tried again; when it fails for good, unit by unit, so that one bad
 * unit spoils no other.
 *
 * Memory: one context for a batch and one for what is read from the spool, reset after each.  Errors: caught for each
 * transaction; what escapes ends the worker, and the ring starts another.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "account/account.h"
#include "ledger/ledger.h"
#include "recorder/recorder_compat.h"
#include "recorder/recorder_ring.h"
#include "recorder/recorder_settings.h"
#include "recorder/recorder_spool.h"
#include "recorder/recorder_write.h"
#include "server/server.h"
#include "server/server_inject.h"

#define RETRY_MS 50				/* after an error that passes */
#define GIVE_UP_MS 5000			/* after so long without resources a batch goes back to its senders */
#define SPOOL_RETRY_MS 500
#define OVERDUE_MS 250			/* spool and strikes wait so much longer while the ring is never empty */
#define SPOOL_BATCH_BYTES (1024 * 1024)
#define STRIKE_RETRY_MS 100
#define STRIKE_FAILED_MS 10000
#define SPOOL_PATIENCE_MS 60000	/* so long the worker stays for a spool that it cannot drain */
#define LOCK_TIMEOUT "100ms"
#define LEDGER_BUSY_MS 200		/* somebody else is linking or has sealed in an open transaction */
#define LEDGER_FAILED_MS 10000
#define VAIN_MS 1000			/* a worker leaves that has recorded nothing for so long, for reasons that may be its own; */
#define VAIN_RESOURCES_MS 6000	/* or for so long, for want of resources */
#define RETRY_LOCK_TIMEOUT "20ms"	/* for strikes that were too late already: somebody may wait for a record meanwhile */

PGDLLEXPORT void mdr_recorder_main(Datum argument);

/* Where a transaction was when it failed. */
typedef enum MdrPhase
{
	MDR_PHASE_ROW,
	MDR_PHASE_STRIKE,
	MDR_PHASE_COMMIT
} MdrPhase;

typedef struct MdrAttempt
{
	MdrPhase	phase;
	const char *account;		/* whose strike it was */
	bool		struck;			/* some strike was made */
	bool		deferred;		/* some strike was left for later */
	bool		stripped;		/* some content that is to be preserved was left out */
	int64		recorded;		/* rows inserted */
	ErrorData  *error;
} MdrAttempt;

static MdrRing *ring;
static MemoryContext batch_context;
static MemoryContext spool_context;
static TimestampTz strikes_due = 0; /* when to count what is uncounted; 0 = never */
static bool strikes_left = false;	/* some were left uncounted, perhaps after the round under way began */
static TimestampTz leave_due = 0;	/* when to leave, because nothing can be recorded; 0 = it can */
static TimestampTz spool_due = 0;	/* when to look at the spool */
static TimestampTz link_due = 0;	/* when to link what is noted */
static TimestampTz seal_due = 0;	/* when to seal what is linked; 0 = nothing new, or not to */

static void
at_exit(int code, Datum unused)
{
	mdr_ring_abandon(ring);
}

static void
set(const char *name, const char *value)
{
	SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

/* Settings of database or role apply to background workers as well: override whatever could change or stop the writing. */
static void
override_settings(void)
{
	set("role", "none");
	set("synchronous_commit", mdr_record_synchronous_commit == MDR_COMMIT_ON ? "on" : "local");
	set("default_transaction_read_only", "off");
	set("default_transaction_isolation", "read committed");
	set("default_transaction_deferrable", "off");
	set("session_replication_role", "origin");
	set("search_path", "pg_catalog, pg_temp");
	set("row_security", "off");
	set("lock_timeout", LOCK_TIMEOUT);
	set("statement_timeout", "0");
	set("idle_in_transaction_session_timeout", "0");
	mdr_no_transaction_timeout_compat(set);
	set("default_tablespace", "");
	set("jit", "off");
	/* It would log preserved content as a parameter. */
	if (GetConfigOption("auto_explain.log_min_duration", true, false) != NULL)
		set("auto_explain.log_min_duration", "-1");
	set("DateStyle", "ISO, YMD");
	set("IntervalStyle", "postgres");
}

/* Writes one open unit's records.  False when the unit is not for this installation of the extension. */
static void
write_unit(MdrUnit *unit, bool strikes, bool keep_content, MdrAttempt *attempt)
{
	MdrRecord	record;
	bool		damaged;

	while (mdr_unit_next(unit, &record, &damaged))
	{
		bool		counts = record.strike && record.account != NULL;
		bool		now = strikes && counts && !mdr_strike_waits(record.account);

		if (unit->kind == MDR_UNIT_CLEAN)
		{
			if (strikes && !mdr_strike_waits(record.account))
			{
				attempt->phase = MDR_PHASE_STRIKE;
				attempt->account = MemoryContextStrdup(batch_context, record.account);
				attempt->struck = true;
				mdr_ladder_clean(record.account);
				attempt->phase = MDR_PHASE_ROW;
			}
			else
			{
				mdr_clean_defer(record.account, record.occurred_at);
				attempt->deferred = true;
			}
			continue;
		}
		if (record.content != NULL && !keep_content)
			attempt->stripped = true;
		MDR_INJECT("worker_insert");
		if (MDR_INJECT_FAIL("no_dedupe"))
			(void) pg_strong_random(record.violation_id, sizeof(record.violation_id));
		if (!mdr_write_record(&record, now, keep_content, true))
			continue;			/* recorded before: no second strike */
		MDR_INJECT("worker_ladder");
		attempt->recorded++;
		if (now)
		{
			attempt->phase = MDR_PHASE_STRIKE;
			attempt->account = MemoryContextStrdup(batch_context, record.account);
			attempt->struck = true;
			mdr_strike(&record);
			attempt->phase = MDR_PHASE_ROW;
		}
		else if (counts)
			attempt->deferred = true;
	}
	if (damaged)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a unit of the moderation recorder is damaged")));
}

/* In a transaction. */
static void
write_taken(MdrTaken *taken, Oid table, bool strikes, bool keep_content, MdrAttempt *attempt)
{
	dsm_segment *segment = NULL;
	const char *bytes = taken->bytes;
	MdrUnit		unit;

	if (taken->outcome == MDR_WITHDRAWN)
		return;
	if (bytes == NULL)
	{
		segment = dsm_attach(taken->segment);
		if (segment == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("a unit of the moderation recorder has lost its segment")));
		bytes = dsm_segment_address(segment);
	}
	if (!mdr_unit_open(bytes, taken->length, &unit))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a unit of the moderation recorder is damaged")));

	/* A backlog of an installation that was dropped is not written into its successor. */
	if (!OidIsValid(table) || unit.table != table)
	{
		taken->outcome = MDR_LOST;
		taken->foreign = true;
	}
	else
	{
		write_unit(&unit, strikes, keep_content, attempt);
		taken->outcome = MDR_RECORDED;
	}
	if (segment != NULL)
		dsm_detach(segment);
}

/* One transaction for all; true if it committed.  Otherwise attempt->error says why not. */
static bool
attempt_all(MdrTaken *taken, int count, bool strikes, bool keep_content, MdrAttempt *attempt)
{
	volatile bool committed = false;

	memset(attempt, 0, sizeof(*attempt));
	for (int i = 0; i < count; i++)
		if (taken[i].outcome != MDR_WITHDRAWN)
			taken[i].outcome = MDR_QUEUED;
	PG_TRY();
	{
		Oid			table;

		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		table = mdr_hold_extension() ? mdr_relation("violation") : InvalidOid;
		mdr_ledger_begin();
		for (int i = 0; i < count; i++)
			write_taken(&taken[i], table, strikes, keep_content, attempt);
		mdr_ledger_end();
		SPI_finish();
		PopActiveSnapshot();
		attempt->phase = MDR_PHASE_COMMIT;
		MDR_INJECT("worker_commit");
		CommitTransactionCommand();
		committed = true;
	}
	PG_CATCH();
	{
		attempt->error = mdr_recover(batch_context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(batch_context);
	return committed;
}

static void
log_failure(const ErrorData *error, const char *what)
{
	static TimestampTz last = 0;
	static int	last_code = 0;
	TimestampTz now = GetCurrentTimestamp();

	/* What passes comes in floods, and so does what is tried again and again. */
	if ((mdr_error_passes(error->sqlerrcode) || error->sqlerrcode == last_code) && last != 0 &&
		!TimestampDifferenceExceeds(last, now, 10000))
		return;
	last = now;
	last_code = error->sqlerrcode;
	ereport(LOG_SERVER_ONLY,
			(errcode(error->sqlerrcode),
			 errmsg("moderation recorder: %s: %s", what, error->message)));
}

static TimestampTz
in(long milliseconds)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

/*
 * Nothing could be recorded.  If that goes on, another worker may fare better: what stands in the way may lie in this process, as
 * when it runs a library that an update has replaced, or has limits of its own.  A lock is no such reason.
 */
static void
note_failure(const ErrorData *error)
{
	bool		passes = mdr_error_passes(error->sqlerrcode);

	if (leave_due == 0 && (!passes || ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES))
		leave_due = in(passes ? VAIN_RESOURCES_MS : VAIN_MS);
}

/* Something new is in the chains. */
static void
want_seal(void)
{
	if (seal_due == 0 && mdr_seal_interval > 0)
		seal_due = in(mdr_seal_interval * 1000L);
}

/* Notes that an attempt left strikes, or clean contents, for later. */
static void
leave_strikes(const MdrAttempt *attempt)
{
	if (!attempt->deferred)
		return;
	strikes_left = true;
	if (strikes_due == 0)
		strikes_due = GetCurrentTimestamp();
}

/*
 * Records the units; false when the failure passes, then nothing was done and all are to be tried again.  Otherwise each has an
 * outcome: RECORDED, WITHDRAWN, or LOST.
 */
static bool
record_all(MdrTaken *taken, int count, int64 *recorded)
{
	MdrAttempt	attempt;
	bool		done = attempt_all(taken, count, true, true, &attempt);

	if (!done && (attempt.phase == MDR_PHASE_STRIKE || (attempt.phase == MDR_PHASE_COMMIT && attempt.struck)))
	{
		bool		passes = mdr_error_passes(attempt.error->sqlerrcode);

		log_failure(attempt.error, "strikes must wait");
		if (attempt.phase == MDR_PHASE_STRIKE)
			mdr_strike_defer(attempt.account, passes);
		done = attempt_all(taken, count, false, true, &attempt);
	}
	if (done)
	{
		*recorded += attempt.recorded;
		leave_strikes(&attempt);
		want_seal();
		leave_due = 0;
		return true;
	}
	/* Memory may be short because of one unit alone, which then must not keep the others. */
	if (mdr_error_passes(attempt.error->sqlerrcode) && attempt.error->sqlerrcode != ERRCODE_OUT_OF_MEMORY)
	{
		log_failure(attempt.error, "cannot record now");
		note_failure(attempt.error);
		return false;
	}
	if (count > 1)
	{
		for (int i = 0; i < count; i++)
			if (!record_all(&taken[i], 1, recorded))
				return false;
		return true;
	}

	/* Rather a violation without its evidence than none; the evidence then waits in the spool. */
	log_failure(attempt.error, "cannot record");
	note_failure(attempt.error);
	if (attempt_all(taken, 1, false, false, &attempt))
	{
		*recorded += attempt.recorded;
		leave_strikes(&attempt);
		if (attempt.stripped)
			taken->outcome = MDR_LOST;
	}
	else
		taken->outcome = MDR_LOST;
	return true;
}

/* What is in the ring.  True if there was anything. */
static bool
serve_ring(char *space)
{
	static TimestampTz stuck_since = 0;
	MdrTaken	taken[MDR_BATCH];
	int			count = mdr_ring_take(ring, taken, space);
	int64		recorded = 0;

	if (count == 0)
		return false;
	MDR_INJECT("worker_taken");
	pgstat_report_activity(STATE_RUNNING, "recording violations");
	MemoryContextSwitchTo(batch_context);
	if (record_all(taken, count, &recorded))
	{
		stuck_since = 0;
		MDR_INJECT("worker_committed");
		mdr_ring_acknowledge(ring, taken, count, recorded);
		MDR_INJECT("worker_acknowledged");
	}
	else
	{
		TimestampTz now = GetCurrentTimestamp();

		if (stuck_since == 0)
			stuck_since = now;
		if (TimestampDifferenceExceeds(stuck_since, now, GIVE_UP_MS))
		{
			/* Who still waits spools; who no longer waits has spooled. */
			for (int i = 0; i < count; i++)
				if (taken[i].outcome != MDR_WITHDRAWN)
					taken[i].outcome = MDR_LOST;
			stuck_since = 0;
			mdr_ring_acknowledge(ring, taken, count, recorded);
		}
		else
		{
			(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, RETRY_MS, PG_WAIT_EXTENSION);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextReset(batch_context);
	pgstat_report_activity(STATE_IDLE, NULL);
	pgstat_report_stat(false);	/* autovacuum shall know of the rows, however long the flow lasts */
	return true;
}

/* A unit of the spool that is not, or not whole, in the tables.  False if it could not be put aside. */
static bool
put_aside(const MdrTaken *taken, bool again)
{
	MdrUnit		unit;
	MdrRecord	record;
	bool		damaged = true;

	if (mdr_unit_open(taken->bytes, taken->length, &unit))
		while (mdr_unit_next(&unit, &record, &damaged))
			;
	if (!mdr_spool_keep(taken->bytes, taken->length, damaged || taken->foreign))
		return false;
	if (!again && mdr_unit_open(taken->bytes, taken->length, &unit))
		while (mdr_unit_next(&unit, &record, &damaged))
			if (unit.kind == MDR_UNIT_REFUSED)
				mdr_log_record(&record, "it, or its evidence, waits in moderation_spool in the data directory");
	return true;
}

/* Reads up to a batch of units; sets *end when the spool has no more. */
static int
read_spool(MdrSpool *spool, MdrTaken *taken, bool *end)
{
	uint64		bytes = 0;
	int			count = 0;

	while (count < MDR_BATCH && bytes < SPOOL_BATCH_BYTES)
	{
		uint64		skipped;

		memset(&taken[count], 0, sizeof(MdrTaken));
		taken[count].segment = DSM_HANDLE_INVALID;
		taken[count].bytes = mdr_spool_next(spool, &taken[count].length, &skipped);
		if (skipped > 0)
			ereport(LOG_SERVER_ONLY,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("moderation recorder: the spool has " UINT64_FORMAT " bytes that are no whole violation", skipped),
					 errdetail("A server that stops while it writes leaves them; nobody was told that they are recorded.")));
		*end = taken[count].bytes == NULL;
		if (*end)
			break;
		bytes += taken[count++].length;
	}
	return count;
}

/* True when every unit is in the tables or put aside.  Those who wait are served in between. */
static bool
drain(MdrSpool *spool, char *space, int64 *recorded)
{
	bool		end = false;
	bool		some_left = false;
	bool		again = mdr_spool_is_retry(spool);
	TimestampTz start = GetCurrentTimestamp();

	while (!end)
	{
		MdrTaken	taken[MDR_BATCH];
		int			count;

		MemoryContextSwitchTo(spool_context);
		count = read_spool(spool, taken, &end);
		MemoryContextSwitchTo(batch_context);
		if (count > 0 && !record_all(taken, count, recorded))
			return false;
		for (int i = 0; i < count; i++)
			if (taken[i].outcome != MDR_RECORDED)
			{
				if (!put_aside(&taken[i], again))
					return false;
				some_left = true;
			}
		MemoryContextReset(batch_context);
		MemoryContextReset(spool_context);
		MDR_INJECT("drain_half");
		CHECK_FOR_INTERRUPTS();
		(void) serve_ring(space);
	}
	if (some_left || again)
		mdr_ring_retried(ring, again, some_left, TimestampDifferenceMilliseconds(start, GetCurrentTimestamp()));
	return true;
}

static bool
installed(void)
{
	bool		found;

	StartTransactionCommand();
	found = OidIsValid(mdr_relation("violation"));
	CommitTransactionCommand();
	return found;
}

/* What is in the spool.  False if it must be tried again later. */
static bool
serve_spool(char *space)
{
	MdrSpool   *volatile spool = NULL;
	volatile bool done = false;
	int64		recorded = 0;

	bool		retry = mdr_ring_retry_at(ring) <= GetCurrentTimestamp();

	if (!(retry ? mdr_spool_exists() : mdr_spool_pending()) || !installed())
		return true;
	pgstat_report_activity(STATE_RUNNING, "draining the spool");
	PG_TRY();
	{
		MemoryContextSwitchTo(TopMemoryContext);
		spool = mdr_spool_open(retry);
		MDR_INJECT("drain_opened");
		done = spool == NULL ? !mdr_spool_pending() : drain(spool, space, &recorded);
	}
	PG_CATCH();
	{
		ErrorData  *error = mdr_recover(batch_context);

		log_failure(error, "cannot drain the spool");
		note_failure(error);
		done = false;
	}
	PG_END_TRY();
	MDR_INJECT("drain_done");
	if (spool != NULL)
		mdr_spool_close(spool, done);
	MDR_INJECT("drain_closed");
	MemoryContextReset(batch_context);
	MemoryContextReset(spool_context);
	mdr_ring_acknowledge(ring, NULL, 0, recorded);
	pgstat_report_activity(STATE_IDLE, NULL);
	return done;
}

static bool
called_for(void)
{
	return !mdr_ring_empty(ring);
}

/* Whether something is left that this worker should stay for. */
static bool
serve_strikes(void)
{
	MdrRetry	result = MDR_RETRY_DONE;

	MemoryContextSwitchTo(batch_context);
	set("lock_timeout", RETRY_LOCK_TIMEOUT);
	if (installed())
		result = mdr_strike_retry(called_for);
	set("lock_timeout", LOCK_TIMEOUT);
	switch (result)
	{
		case MDR_RETRY_MORE:
			/* In turn with the ring from now on, or a flow that is faster would never let them catch up. */
			strikes_due = in(-OVERDUE_MS);
			return true;
		case MDR_RETRY_LATER:
			strikes_due = in(STRIKE_RETRY_MS);
			return true;
		case MDR_RETRY_FAILED:
			strikes_due = in(STRIKE_FAILED_MS);
			return false;
		case MDR_RETRY_DONE:
			/* What was left uncounted since the round began was not in its list. */
			strikes_due = strikes_left ? in(0) : 0;
			strikes_left = false;
			return false;
	}
	return false;
}

/* One step of linking or sealing, in a transaction of its own.  True: more is left that this worker should stay for. */
static bool
serve_ledger(MdrLedgerResult (*step) (void), TimestampTz *due)
{
	volatile MdrLedgerResult result = MDR_LEDGER_BUSY;
	volatile bool failed = false;

	MemoryContextSwitchTo(batch_context);
	pgstat_report_activity(STATE_RUNNING, "continuing the ledger");
	PG_TRY();
	{
		result = step();
	}
	PG_CATCH();
	{
		log_failure(mdr_recover(batch_context), "cannot continue the ledger");
		failed = true;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(batch_context);
	MemoryContextReset(batch_context);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (result == MDR_LEDGER_DONE)
		*due = 0;
	else
		*due = in(failed ? LEDGER_FAILED_MS : result == MDR_LEDGER_MORE ? 0 : LEDGER_BUSY_MS);
	return !failed && result != MDR_LEDGER_DONE;
}

/* Milliseconds from now to the earliest of the times; 0 stands for none. */
static long
wait_for(TimestampTz idle_until)
{
	TimestampTz until = idle_until;

	if (strikes_due != 0)
		until = Min(until, strikes_due);
	if (spool_due != 0)
		until = Min(until, spool_due);
	if (link_due != 0)
		until = Min(until, link_due);
	if (seal_due != 0)
		until = Min(until, seal_due);
	return Max(1, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until));
}

/* Whether a time has come, so many milliseconds ago; 0 never comes. */
static bool
is_due(TimestampTz due, long ago)
{
	return due != 0 && GetCurrentTimestamp() >= TimestampTzPlusMilliseconds(due, ago);
}

static void
serve(void)
{
	char	   *space = MemoryContextAlloc(TopMemoryContext, (Size) MDR_BATCH * MDR_SLOT_BYTES);
	TimestampTz idle_until;
	TimestampTz spool_failed = 0;	/* since when the spool cannot be drained */
	bool		stay = false;	/* for strikes */
	bool		linking = false;	/* there are notes left that this worker should stay for */
	bool		sealed = false; /* before leaving, or tried to */
	bool		worked;

	/* First what is waited for, then what a predecessor or a time without one has left. */
	spool_due = strikes_due = link_due = GetCurrentTimestamp();
	want_seal();
	idle_until = in(mdr_recorder_idle);
	for (;;)
	{
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			override_settings();
		}
		if (is_due(leave_due, 0))
		{
			/* Whoever waits for it starts another one, and so does the next session that commits. */
			ereport(LOG_SERVER_ONLY,
					(errmsg("moderation recorder: the worker leaves, because it can record nothing, to let another one try")));
			break;
		}
		worked = serve_ring(space);
		if (worked)
			idle_until = in(mdr_recorder_idle);
		if (mdr_ring_fetch_spooled(ring))
			spool_due = spool_due == 0 ? GetCurrentTimestamp() : Min(spool_due, in(SPOOL_RETRY_MS));

		if (mdr_ring_fetch_noted(ring) && link_due == 0)
			link_due = GetCurrentTimestamp();

		/* Those who wait come first, but a flow without end must not keep the rest from its turn. */
		if (worked && !is_due(spool_due, OVERDUE_MS) && !is_due(strikes_due, OVERDUE_MS) && !is_due(link_due, OVERDUE_MS) &&
			!is_due(seal_due, OVERDUE_MS))
			continue;
		if (is_due(spool_due, 0))
		{
			if (serve_spool(space))
			{
				/* What the tables refuse is tried again, by this worker if it is still here. */
				spool_due = mdr_spool_exists() ? Max(mdr_ring_retry_at(ring), in(SPOOL_RETRY_MS)) : 0;
				spool_failed = 0;
			}
			else
			{
				spool_due = in(SPOOL_RETRY_MS);
				if (spool_failed == 0)
					spool_failed = GetCurrentTimestamp();
				if (!TimestampDifferenceExceeds(spool_failed, GetCurrentTimestamp(), SPOOL_PATIENCE_MS))
					idle_until = Max(idle_until, in(SPOOL_RETRY_MS + 1));
			}
			continue;
		}
		if (is_due(strikes_due, 0))
		{
			stay = serve_strikes();
			continue;
		}
		if (is_due(link_due, 0))
		{
			linking = serve_ledger(mdr_ledger_link, &link_due);
			sealed = false;
			want_seal();
			continue;
		}
		if (is_due(seal_due, 0))
		{
			(void) serve_ledger(mdr_ledger_seal, &seal_due);
			continue;
		}
		if (worked)
		{
			sealed = false;
			continue;
		}
		if ((!stay && !linking && GetCurrentTimestamp() >= idle_until) || mdr_ring_stopping(ring))
		{
			/* What nobody seals could be cut off unnoticed. */
			if (seal_due != 0 && !sealed)
			{
				sealed = true;
				(void) serve_ledger(mdr_ledger_seal, &seal_due);
				continue;
			}
			if (mdr_ring_leave(ring))
				break;
			continue;
		}
		pgstat_report_stat(false);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait_for(stay || linking ? in(STRIKE_RETRY_MS) : idle_until), PG_WAIT_EXTENSION);
	}
}

void
mdr_recorder_main(Datum argument)
{
	uint32		flags = BGWORKER_BYPASS_ALLOWCONN;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(argument), InvalidOid, flags);
	override_settings();

	batch_context = AllocSetContextCreate(TopMemoryContext, "moderation recorder batch", ALLOCSET_DEFAULT_SIZES);
	spool_context = AllocSetContextCreate(TopMemoryContext, "moderation recorder spool", ALLOCSET_DEFAULT_SIZES);
	MDR_INJECT("worker_started");
	ring = mdr_ring(false);
	if (ring == NULL || !mdr_ring_claim(ring))
		proc_exit(0);			/* another worker is there already */
	before_shmem_exit(at_exit, (Datum) 0);
	MDR_INJECT("worker_claimed");
	serve();
	pgstat_report_stat(true);
	proc_exit(0);
}
