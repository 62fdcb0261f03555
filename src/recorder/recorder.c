/*
 * recorder.c
 *		Records violations so that they survive: refused ones through the ring or the spool, stored ones in the transaction.
 *
 * In: events.  Out: they are durable (refused), or as durable as the row they are about (stored).  Locks: the ring's
 * LWLock, for copying; flock() on the spool.  Memory: one unit, in the caller's context.  Errors: recording a refusal
 * raises nothing but what an interrupt raises, and that only when the events are safe; what cannot be made durable at all
 * goes to the server log, and the refusal stands.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#include "recorder/recorder.h"
#include "recorder/recorder_compat.h"
#include "recorder/recorder_ring.h"
#include "recorder/recorder_settings.h"
#include "recorder/recorder_spool.h"
#include "recorder/recorder_write.h"
#include "server/server.h"
#include "server/server_inject.h"

#define POLL_MS 250				/* a lost wake-up costs so much at most */
#define LOOK_MS 1000			/* so often a session looks, when it commits, whether something waits for a worker; */
#define LOOK_FAILED_MS 60000	/* or so often, where there is no shared memory to look into */
#define DEGRADED_MS 50			/* waited while the worker is known to be stuck */

int			mdr_record_timeout = 2000;
int			mdr_recorder_idle = 1000;
int			mdr_record_synchronous_commit = MDR_COMMIT_LOCAL;

static const struct config_enum_entry commit_options[] = {
	{"local", MDR_COMMIT_LOCAL, false},
	{"on", MDR_COMMIT_ON, false},
	{NULL, 0, false}
};

/* A unit ready to travel. */
typedef struct MdrSending
{
	const MdrRecord *records;
	int			nrecords;
	char	   *bytes;			/* NULL when there was no memory for it */
	uint64		length;
	bool		fell_back;		/* spooled or, if even that failed, logged */
	bool		spooled;
	bool		timed_out;
} MdrSending;

static void
record_of(const MdrEvent *event, MdrRecord *record)
{
	memset(record, 0, sizeof(*record));
	memcpy(record->violation_id, event->violation_id.data, sizeof(record->violation_id));
	record->occurred_at = event->occurred_at;
	record->severity = event->severity;
	record->action = event->action;
	record->score = event->score;
	record->policy_version = event->policy_version;
	record->strike = event->strike;
	record->suspend = event->suspend;
	memcpy(record->content_sha256, event->content_sha256, sizeof(record->content_sha256));
	record->account = event->account;
	record->category = event->category;
	record->policy = event->policy;
	record->relation = event->relation;
	record->column = event->column;
	record->db_role = event->db_role;
	record->content = event->content;
	record->content_length = event->content == NULL ? 0 : event->content_length;
	for (int i = 0; i < event->nrules && record->nrules < MDR_RECORD_RULES; i++)
		if (event->rules[i] != NULL)
			record->rules[record->nrules++] = event->rules[i];
	if (event->ladder != NULL)
	{
		record->has_ladder = true;
		record->ladder = *event->ladder;
	}
}

/* Under memory pressure the evidence is given up before the violation is. */
static void
encode(MdrUnitKind kind, MdrRecord *records, int nrecords, MdrSending *sending)
{
	Oid			table = mdr_relation("violation");

	sending->records = records;
	sending->nrecords = nrecords;
	for (int attempt = 0; attempt < 2; attempt++)
	{
		sending->length = mdr_unit_length(records, nrecords);
		sending->bytes = palloc_extended(sending->length, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
		if (sending->bytes != NULL)
		{
			mdr_unit_encode(kind, table, records, nrecords, sending->bytes);
			return;
		}
		for (int i = 0; i < nrecords; i++)
			records[i].content = NULL;
	}
}

/* Makes the unit durable without the worker; once. */
static void
fall_back(MdrRing *ring, MdrSending *sending)
{
	if (sending->fell_back)
		return;
	MDR_INJECT("refuse_fallback");
	sending->fell_back = true;
	sending->spooled = sending->bytes != NULL && mdr_spool_append(sending->bytes, sending->length);
	if (!sending->spooled)
		for (int i = 0; i < sending->nrecords; i++)
			mdr_log_record(&sending->records[i], "neither the worker nor the spool took it, or its evidence");
	if (ring != NULL)
		mdr_ring_fell_back(ring, sending->timed_out, sending->spooled);
}

/* Waits for the worker.  True if it has recorded the unit; false when the caller must make it durable otherwise. */
static bool
wait_for_worker(MdrRing *ring, uint64 ticket, MdrLook look, MdrSending *sending)
{
	long		timeout = ring->degraded ? Min(DEGRADED_MS, mdr_record_timeout) : mdr_record_timeout;
	instr_time	start;

	/* The time that passes, not the clock, which may be set back meanwhile. */
	INSTR_TIME_SET_CURRENT(start);
	for (;;)
	{
		instr_time	now;
		long		left;
		int			events;

		if (look == MDR_LOOK_START)
			look = mdr_ring_start(ring) ? MDR_LOOK_WAIT : MDR_LOOK_HOPELESS;
		if (look != MDR_LOOK_WAIT)
			return look == MDR_LOOK_RECORDED;
		MDR_INJECT("refuse_wait");

		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		left = timeout - (long) INSTR_TIME_GET_MILLISEC(now);
		if (left <= 0)
		{
			sending->timed_out = true;
			return false;
		}
		events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_POSTMASTER_DEATH, Min(left, POLL_MS), PG_WAIT_EXTENSION);
		if (events & WL_POSTMASTER_DEATH)
		{
			/* The ring goes with the server, and perhaps so does who holds its lock. */
			fall_back(NULL, sending);
			proc_exit(1);
		}
		ResetLatch(MyLatch);

		look = mdr_ring_look(ring, ticket);
		if (look == MDR_LOOK_RECORDED)
			return true;
		if (InterruptPending)
		{
			/*
			 * Cancel and termination are served, but not before the events are safe: the worker may still die, or never come to
			 * life, with nobody left to notice.  What both record is taken once.
			 */
			if (mdr_interrupt_ends_compat() && !MDR_INJECT_FAIL("no_spool_at_interrupt"))
				fall_back(ring, sending);
			RESUME_INTERRUPTS();
			CHECK_FOR_INTERRUPTS();
			HOLD_INTERRUPTS();
		}
		if (look == MDR_LOOK_WAIT)
			mdr_ring_check_start(ring);
	}
}

static void
send_refused(MdrSending *sending)
{
	MdrRing    *ring = mdr_ring(true);
	MdrLook		look = MDR_LOOK_HOPELESS;
	uint64		ticket;

	if (ring == NULL || sending->bytes == NULL)
	{
		fall_back(ring, sending);
		return;
	}
	if (MDR_INJECT_FAIL("ring_full") || !mdr_ring_put(ring, sending->bytes, sending->length, true, &ticket, &look))
	{
		fall_back(ring, sending);
		if (look == MDR_LOOK_START)
			(void) mdr_ring_start(ring);
		else
			mdr_ring_need(ring);
		return;
	}
	MDR_INJECT("refuse_put");
	if (MDR_INJECT_FAIL("no_wait") || wait_for_worker(ring, ticket, look, sending))
		return;
	fall_back(ring, sending);
	/* What no file took is left in the ring: the worker may yet be able to record it. */
	mdr_ring_withdraw(ring, ticket, sending->spooled);
}

void
mdr_record_refused(const MdrEvent *events, int nevents)
{
	MdrRecord  *records;
	MdrSending	sending = {0};

	/* A standby stores nothing, and a table that is loaded by pg_upgrade has been moderated. */
	if (nevents <= 0 || RecoveryInProgress() || IsBinaryUpgrade)
		return;

	MDR_INJECT("refuse_begin");
	/* From here on an interrupt waits until the events are safe. */
	HOLD_INTERRUPTS();
	records = palloc(sizeof(MdrRecord) * nevents);
	for (int i = 0; i < nevents; i++)
		record_of(&events[i], &records[i]);
	encode(MDR_UNIT_REFUSED, records, nevents, &sending);
	MDR_INJECT("refuse_built");
	send_refused(&sending);
	if (sending.bytes != NULL)
		pfree(sending.bytes);
	pfree(records);
	MDR_INJECT("refuse_done");
	RESUME_INTERRUPTS();
}

void
mdr_record_stored(const MdrEvent *event)
{
	MdrRecord	record;
	MdrUser		user;

	record_of(event, &record);
	mdr_become_owner(&user);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) mdr_write_record(&record, false, true, false);
	SPI_finish();
	mdr_restore_user(&user);
}

static bool
send_clean(void *argument)
{
	MdrRecord	record = {0};
	MdrSending	sending = {0};
	MdrRing    *ring = mdr_ring(true);
	MdrLook		look;
	uint64		ticket;

	if (ring == NULL)
		return false;
	record.account = argument;
	record.occurred_at = GetCurrentTimestamp();
	encode(MDR_UNIT_CLEAN, &record, 1, &sending);
	if (sending.bytes == NULL)
		return false;
	/* A full ring loses the news; the account's next clean content brings it again. */
	(void) mdr_ring_put(ring, sending.bytes, sending.length, false, &ticket, &look);
	if (look == MDR_LOOK_START)
		(void) mdr_ring_start(ring);
	pfree(sending.bytes);
	return true;
}

void
mdr_record_clean(const char *account)
{
	if (account == NULL || RecoveryInProgress() || IsBinaryUpgrade)
		return;
	(void) mdr_shielded(send_clean, unconstify(char *, account));
}

void
mdr_record_noted(void)
{
	MdrRing    *ring;

	if (mdr_mode == MDR_MODE_RESTORE || RecoveryInProgress() || IsBinaryUpgrade)
		return;
	ring = mdr_ring(true);
	if (ring != NULL)
		mdr_ring_note(ring);
}

static void
count_uncounted(MdrRecorderStatus *status)
{
	Oid			table = mdr_relation("violation");
	MdrUser		user;
	bool		null;

	if (!OidIsValid(table))
		return;
	/* Whoever asks how the recorder fares while somebody has locked the table wants an answer now. */
	if (!ConditionalLockRelationOid(table, AccessShareLock))
	{
		status->uncounted = -1;
		return;
	}
	mdr_become_owner(&user);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT pg_catalog.count(*), pg_catalog.min(occurred_at) FROM moderation.violation "
					"WHERE strike AND NOT counted AND account IS NOT NULL", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute failed");
	status->uncounted = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	status->oldest_uncounted = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
	if (null)
		status->oldest_uncounted = 0;
	SPI_finish();
	mdr_restore_user(&user);
}

void
mdr_recorder_status(MdrRecorderStatus *status)
{
	static const char *const states[] = {"none", "starting", "running"};
	MdrRing    *ring = mdr_ring(false);

	memset(status, 0, sizeof(*status));
	status->worker = mdr_ring_available() ? "none" : "unavailable";
	if (ring != NULL)
	{
		LWLockAcquire(&ring->lock, LW_SHARED);
		status->worker = states[ring->state];
		status->worker_pid = ring->state == MDR_WORKER_RUNNING ? ring->worker_pid : 0;
		status->queued = ring->head - ring->tail;
		status->recorded = ring->recorded;
		status->fallbacks = ring->fallbacks;
		status->registration_failures = ring->registration_failures;
		status->timeouts = ring->timeouts;
		status->logged = ring->logged;
		status->degraded = ring->degraded;
		LWLockRelease(&ring->lock);
	}
	mdr_spool_size(&status->spooled_files, &status->spooled_bytes);
	count_uncounted(status);
	/* What a server that is gone has left uncounted, nobody else knows of. */
	if (status->uncounted > 0 && status->worker_pid == 0 && !RecoveryInProgress() && (ring = mdr_ring(true)) != NULL)
		mdr_ring_need(ring);
}

PG_FUNCTION_INFO_V1(moderation_stop_recorder);

Datum
moderation_stop_recorder(PG_FUNCTION_ARGS)
{
	MdrRing    *ring = mdr_ring(false);

	PG_RETURN_BOOL(ring != NULL && mdr_ring_stop(ring));
}

/*
 * When a session commits, now and then: what is left because no worker could be had, or could not record it, should not wait for the
 * next refusal, which may be long in coming where the same sessions stay connected.
 */
static void
look_for_work(XactEvent event, void *unused)
{
	static TimestampTz looked_at = 0;
	static int64 pause_ms = 0;
	TimestampTz now;
	bool		spooled;
	MdrRing    *ring;

	if (event != XACT_EVENT_PRE_COMMIT || !IsUnderPostmaster || MyBackendType != B_BACKEND || !OidIsValid(MyDatabaseId) ||
		RecoveryInProgress())
		return;
	now = GetCurrentStatementStartTimestamp();
	if (now >= looked_at && now - looked_at < pause_ms * 1000)
		return;
	looked_at = now;
	spooled = mdr_spool_exists();
	ring = mdr_ring(spooled);
	pause_ms = mdr_ring_available() ? LOOK_MS : LOOK_FAILED_MS;
	if (ring != NULL &&
		(mdr_ring_waits(ring) || (spooled && (mdr_spool_pending() || mdr_ring_retry_at(ring) <= GetCurrentTimestamp()))))
		mdr_ring_need(ring);
}

void
mdr_recorder_init(void)
{
	DefineCustomIntVariable("moderation.record_timeout",
							"How long a refused statement waits until its violation is recorded.",
							"After that the violation goes to the spool in the data directory; the statement is refused anyway.",
							&mdr_record_timeout,
							2000, 10, 60000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	/* Well below the 5 s for which DROP DATABASE and CREATE DATABASE ... TEMPLATE wait for other sessions to go. */
	DefineCustomIntVariable("moderation.recorder_idle",
							"How long the recorder's worker stays after its last work.",
							NULL,
							&mdr_recorder_idle,
							1000, 1, 4000,
							PGC_SIGHUP, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomEnumVariable("moderation.record_synchronous_commit",
							 "Whether a violation is recorded when it is flushed here, or when synchronous standbys have it, too.",
							 "local keeps refusals quick while a standby is away; on makes records survive a failover.",
							 &mdr_record_synchronous_commit,
							 MDR_COMMIT_LOCAL,
							 commit_options,
							 PGC_SIGHUP, 0,
							 NULL, NULL, NULL);
	RegisterXactCallback(look_for_work, NULL);
}
