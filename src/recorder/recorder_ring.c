/*
 * recorder_ring.c
 *		What happens in the ring: units in, worker started, outcomes back.
 *
 * In: units from refusing backends.  Out: units to the worker, outcomes to those who wait.  Locks: ring->lock, for copying
 * only; nothing done under it can raise.  Registering a worker, setting latches and freeing segments happen outside it.
 * Memory: a unit that is too long for a slot lies in a segment of its own, pinned; whoever takes it out of the slot
 * (acknowledgement, withdrawal, or a failed put) unpins it.  Errors: none; what can fail says so by its result.
 *
 * Why starting and idling out cannot miss each other: to put a unit in and to decide who starts the worker is one critical
 * section, and so is to find the ring empty and to leave.  A unit put in before the worker looks keeps it; one put
 * in afterwards finds the state NONE.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "recorder/recorder_ring.h"
#include "server/compat.h"
#include "server/server_inject.h"

#define STALE_MS 1000			/* a start that takes longer is taken over, once */
#define FAILED_MS 1000			/* after a start has died, none is tried for so long */
#define RETRY_MIN_MS 1000		/* what could not be recorded is tried again after so long, then after twice as long, */
#define RETRY_MAX_MS 4000		/* up to this, or, where much is left, */
#define RETRY_SHARE 4			/* up to so many times what the last try took, */
#define RETRY_LONG_MS 60000		/* but never longer than this */
#define NOBODY (-1)

/* The start that this process made last, if it may still be under way. */
static BackgroundWorkerHandle *start_handle = NULL;
static uint64 start_generation = 0;

static void
wake(int proc)
{
	if (proc != NOBODY)
		SetLatch(&GetPGProcByNumber(proc)->procLatch);
}

static MdrSlot *
slot_of(MdrRing *ring, uint64 ticket)
{
	return &ring->slots[ticket % MDR_RING_SLOTS];
}

/* Collects who waits for a unit in the ring; at most MDR_RING_SLOTS.  The caller holds the lock and wakes them after it. */
static int
waiters(MdrRing *ring, int *procs)
{
	int			count = 0;

	for (uint64 ticket = ring->tail; ticket < ring->head; ticket++)
		if (slot_of(ring, ticket)->waiter != NOBODY)
			procs[count++] = slot_of(ring, ticket)->waiter;
	return count;
}

/* Under the lock: what the state of the worker asks of a process that needs one. */
static MdrLook
look_at_worker(MdrRing *ring, TimestampTz now)
{
	switch (ring->state)
	{
		case MDR_WORKER_RUNNING:
			return MDR_LOOK_WAIT;
		case MDR_WORKER_STARTING:
			if (!TimestampDifferenceExceeds(ring->starting_since, now, STALE_MS))
				return MDR_LOOK_WAIT;
			/* Its starter is gone or stuck.  One takeover a start, lest pending workers use up all slots. */
			if (ring->taken_over)
			{
				ring->state = MDR_WORKER_NONE;
				ring->failed_at = now;
				ring->registration_failures++;
				return MDR_LOOK_HOPELESS;
			}
			ring->taken_over = true;
			break;
		case MDR_WORKER_NONE:
			if (ring->failed_at != 0 && !TimestampDifferenceExceeds(ring->failed_at, now, FAILED_MS))
				return MDR_LOOK_HOPELESS;
			ring->state = MDR_WORKER_STARTING;
			ring->taken_over = false;
			break;
	}
	ring->generation++;
	ring->starting_since = now;
	start_generation = ring->generation;
	return MDR_LOOK_START;
}

typedef struct MdrParcel
{
	const char *bytes;
	uint64		length;
	dsm_handle	handle;
} MdrParcel;

static bool
parcel_make(void *argument)
{
	MdrParcel  *parcel = argument;
	dsm_segment *segment;

	MDR_INJECT("ring_parcel");
	segment = dsm_create(parcel->length, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment == NULL)
		return false;
	memcpy(dsm_segment_address(segment), parcel->bytes, parcel->length);
	dsm_pin_segment(segment);
	parcel->handle = dsm_segment_handle(segment);
	dsm_detach(segment);
	return true;
}

static bool
parcel_free(void *argument)
{
	dsm_unpin_segment(*(dsm_handle *) argument);
	return true;
}

static void
free_segment(dsm_handle handle)
{
	if (handle != DSM_HANDLE_INVALID)
		(void) mdr_shielded(parcel_free, &handle);
}

bool
mdr_ring_put(MdrRing *ring, const char *bytes, uint64 length, bool wait, uint64 *ticket, MdrLook *look)
{
	MdrParcel	parcel = {bytes, length, DSM_HANDLE_INVALID};
	TimestampTz now = GetCurrentTimestamp();
	bool		full;
	int			worker = NOBODY;

	if (length > MDR_SLOT_BYTES && !mdr_shielded(parcel_make, &parcel))
	{
		*look = MDR_LOOK_HOPELESS;
		return false;
	}

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	/* What nobody waits for must not crowd out what somebody waits for. */
	full = ring->head - ring->tail >= (wait ? MDR_RING_SLOTS : MDR_RING_SLOTS / 2);
	if (!full)
	{
		MdrSlot    *slot = slot_of(ring, ring->head);

		slot->ticket = *ticket = ring->head;
		slot->length = length;
		slot->waiter = wait ? mdr_proc_number_compat() : NOBODY;
		slot->outcome = MDR_QUEUED;
		slot->taken = false;
		slot->segment = parcel.handle;
		if (parcel.handle == DSM_HANDLE_INVALID)
			memcpy(slot->bytes, bytes, length);
		ring->head++;
	}
	/* A full ring needs a worker more than any. */
	*look = look_at_worker(ring, now);
	if (ring->state == MDR_WORKER_RUNNING)
		worker = ring->worker_proc;
	LWLockRelease(&ring->lock);

	wake(worker);
	if (full)
		free_segment(parcel.handle);
	return !full;
}

MdrLook
mdr_ring_look(MdrRing *ring, uint64 ticket)
{
	TimestampTz now = GetCurrentTimestamp();
	MdrLook		look;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->tail > ticket)
	{
		MdrSlot    *slot = slot_of(ring, ticket);

		/* A slot that was used again may have said either; then its sender spools, and the tables take the violation once. */
		look = slot->ticket == ticket && slot->outcome == MDR_RECORDED ? MDR_LOOK_RECORDED : MDR_LOOK_LOST;
	}
	else
		look = look_at_worker(ring, now);
	LWLockRelease(&ring->lock);
	return look;
}

/* Sets the state back to NONE if the start `generation` is still the one under way, and tells everybody. */
static void
start_failed(MdrRing *ring, uint64 generation, bool died)
{
	int			procs[MDR_RING_SLOTS];
	int			count = 0;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->state == MDR_WORKER_STARTING && ring->generation == generation)
	{
		ring->state = MDR_WORKER_NONE;
		ring->registration_failures++;
		/* Finding no slot costs nothing and may be tried at once; a worker that dies costs a process each time. */
		if (died)
			ring->failed_at = GetCurrentTimestamp();
		count = waiters(ring, procs);
	}
	LWLockRelease(&ring->lock);
	for (int i = 0; i < count; i++)
		wake(procs[i]);
}

static bool
start_register(void *unused)
{
	BackgroundWorker worker = {0};
	MemoryContext old;
	bool		registered;

	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "moderation recorder for database %u", MyDatabaseId);
	snprintf(worker.bgw_type, sizeof(worker.bgw_type), "moderation recorder");
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), MDR_LIBRARY);
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "mdr_recorder_main");
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;	/* the ring starts it again, not the postmaster */
	worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
	worker.bgw_notify_pid = MyProcPid;

	old = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &start_handle);
	MemoryContextSwitchTo(old);
	return registered;
}

bool
mdr_ring_start(MdrRing *ring)
{
	if (start_handle != NULL)
	{
		pfree(start_handle);
		start_handle = NULL;
	}
	if (!MDR_INJECT_FAIL("no_worker") && mdr_shielded(start_register, NULL))
		return true;
	start_handle = NULL;
	start_failed(ring, start_generation, false);
	return false;
}

void
mdr_ring_need(MdrRing *ring)
{
	TimestampTz now = GetCurrentTimestamp();
	MdrLook		look;
	int			worker = NOBODY;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	look = look_at_worker(ring, now);
	ring->spooled = true;
	if (ring->state == MDR_WORKER_RUNNING)
		worker = ring->worker_proc;
	LWLockRelease(&ring->lock);
	wake(worker);
	if (look == MDR_LOOK_START)
		(void) mdr_ring_start(ring);
}

void
mdr_ring_check_start(MdrRing *ring)
{
	pid_t		pid;

	if (start_handle == NULL)
		return;
	switch (GetBackgroundWorkerPid(start_handle, &pid))
	{
		case BGWH_STOPPED:
		case BGWH_POSTMASTER_DIED:
			start_failed(ring, start_generation, true);
			pfree(start_handle);
			start_handle = NULL;
			break;
		case BGWH_STARTED:
		case BGWH_NOT_YET_STARTED:
			break;
	}
}

void
mdr_ring_withdraw(MdrRing *ring, uint64 ticket, bool safe)
{
	dsm_handle	segment = DSM_HANDLE_INVALID;
	MdrSlot    *slot = slot_of(ring, ticket);

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->tail <= ticket)
	{
		slot->waiter = NOBODY;
		if (safe && !slot->taken)
		{
			segment = slot->segment;
			slot->segment = DSM_HANDLE_INVALID;
			slot->outcome = MDR_WITHDRAWN;
			if (segment == DSM_HANDLE_INVALID)
				memset(slot->bytes, 0, slot->length);
		}
	}
	LWLockRelease(&ring->lock);
	free_segment(segment);
}

void
mdr_ring_fell_back(MdrRing *ring, bool timed_out, bool spooled)
{
	int			worker = NOBODY;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	ring->fallbacks++;
	if (timed_out)
	{
		ring->timeouts++;
		ring->degraded = true;
	}
	if (spooled)
	{
		ring->spooled = true;
		if (ring->state == MDR_WORKER_RUNNING)
			worker = ring->worker_proc;
	}
	else
		ring->logged++;
	LWLockRelease(&ring->lock);
	wake(worker);
}

void
mdr_ring_note(MdrRing *ring)
{
	int			worker = NOBODY;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	ring->noted = true;
	if (ring->state == MDR_WORKER_RUNNING)
		worker = ring->worker_proc;
	LWLockRelease(&ring->lock);
	wake(worker);
	if (worker == NOBODY)
		mdr_ring_need(ring);
}

bool
mdr_ring_fetch_noted(MdrRing *ring)
{
	bool		noted;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	noted = ring->noted;
	ring->noted = false;
	LWLockRelease(&ring->lock);
	return noted;
}

TimestampTz
mdr_ring_retry_at(MdrRing *ring)
{
	TimestampTz at;

	LWLockAcquire(&ring->lock, LW_SHARED);
	at = ring->retry_at;
	LWLockRelease(&ring->lock);
	return at;
}

void
mdr_ring_retried(MdrRing *ring, bool again, bool some_left, int64 took_ms)
{
	int64		longest = Min(Max(RETRY_MAX_MS, RETRY_SHARE * took_ms), RETRY_LONG_MS);
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	/* However often the tables refuse something new: the reason may be gone, and what waits costs little to try. */
	if (!some_left)
		ring->retry_at = ring->retry_ms = 0;
	else if (again || ring->retry_at == 0)
	{
		ring->retry_ms = Min(Max(RETRY_MIN_MS, 2 * ring->retry_ms), longest);
		ring->retry_at = TimestampTzPlusMilliseconds(now, ring->retry_ms);
	}
	LWLockRelease(&ring->lock);
}

bool
mdr_ring_fetch_spooled(MdrRing *ring)
{
	bool		spooled;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	spooled = ring->spooled;
	ring->spooled = false;
	LWLockRelease(&ring->lock);
	return spooled;
}

bool
mdr_ring_empty(MdrRing *ring)
{
	bool		empty;

	LWLockAcquire(&ring->lock, LW_SHARED);
	empty = ring->head == ring->tail;
	LWLockRelease(&ring->lock);
	return empty;
}

bool
mdr_ring_waits(MdrRing *ring)
{
	bool		waits;

	LWLockAcquire(&ring->lock, LW_SHARED);
	waits = ring->state != MDR_WORKER_RUNNING && (ring->head != ring->tail || ring->spooled || ring->noted);
	LWLockRelease(&ring->lock);
	return waits;
}

bool
mdr_ring_stopping(MdrRing *ring)
{
	bool		stop;

	LWLockAcquire(&ring->lock, LW_SHARED);
	stop = ring->stop;
	LWLockRelease(&ring->lock);
	return stop;
}

bool
mdr_ring_stop(MdrRing *ring)
{
	int			worker = NOBODY;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->state == MDR_WORKER_RUNNING)
	{
		ring->stop = true;
		worker = ring->worker_proc;
	}
	LWLockRelease(&ring->lock);
	wake(worker);
	return worker != NOBODY;
}

bool
mdr_ring_claim(MdrRing *ring)
{
	bool		mine = false;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->state != MDR_WORKER_RUNNING)
	{
		mine = true;
		ring->state = MDR_WORKER_RUNNING;
		ring->worker_pid = MyProcPid;
		ring->worker_proc = mdr_proc_number_compat();
		ring->generation++;
		ring->taken_over = false;
		ring->failed_at = 0;
		ring->stop = false;
		/* What a predecessor had in hand when it died is to be done (again); the tables take each violation once. */
		for (uint64 ticket = ring->tail; ticket < ring->head; ticket++)
			slot_of(ring, ticket)->taken = false;
	}
	LWLockRelease(&ring->lock);
	return mine;
}

int
mdr_ring_take(MdrRing *ring, MdrTaken *taken, char *space)
{
	int			count = 0;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	for (uint64 ticket = ring->tail; ticket < ring->head && count < MDR_BATCH; ticket++)
	{
		MdrSlot    *slot = slot_of(ring, ticket);
		MdrTaken   *unit = &taken[count];

		slot->taken = true;
		unit->length = slot->length;
		unit->segment = slot->segment;
		unit->outcome = slot->outcome;
		unit->foreign = false;
		unit->bytes = NULL;
		if (slot->outcome == MDR_QUEUED && slot->segment == DSM_HANDLE_INVALID)
			unit->bytes = memcpy(space + (Size) count * MDR_SLOT_BYTES, slot->bytes, slot->length);
		count++;
	}
	LWLockRelease(&ring->lock);
	return count;
}

void
mdr_ring_acknowledge(MdrRing *ring, const MdrTaken *taken, int count, int64 recorded)
{
	int			procs[MDR_BATCH];
	dsm_handle	segments[MDR_BATCH];

	/* No interrupt may end this process between taking a segment out of its slot and unpinning it. */
	HOLD_INTERRUPTS();
	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		MdrSlot    *slot = slot_of(ring, ring->tail);

		slot->outcome = taken[i].outcome;
		procs[i] = slot->waiter;
		segments[i] = slot->segment;
		slot->segment = DSM_HANDLE_INVALID;
		if (segments[i] == DSM_HANDLE_INVALID)
			memset(slot->bytes, 0, slot->length);	/* may hold preserved content, which is in the tables now */
		if (taken[i].outcome == MDR_RECORDED)
			ring->degraded = false;
		ring->tail++;
	}
	ring->recorded += recorded;
	if (recorded > 0)
		ring->degraded = false;
	LWLockRelease(&ring->lock);
	for (int i = 0; i < count; i++)
	{
		free_segment(segments[i]);
		wake(procs[i]);
	}
	RESUME_INTERRUPTS();
}

bool
mdr_ring_leave(MdrRing *ring)
{
	bool		empty;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	empty = ring->head == ring->tail && !ring->spooled && !ring->noted;
	if (empty)
	{
		ring->state = MDR_WORKER_NONE;
		ring->worker_pid = 0;
	}
	LWLockRelease(&ring->lock);
	return empty;
}

void
mdr_ring_abandon(MdrRing *ring)
{
	int			procs[MDR_RING_SLOTS];
	int			count = 0;

	/* Runs before the transaction is aborted.  Nothing raises under the lock, so it is not held here; but never wait for oneself. */
	if (LWLockHeldByMe(&ring->lock))
		return;
	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->state == MDR_WORKER_RUNNING && ring->worker_pid == MyProcPid)
	{
		ring->state = MDR_WORKER_NONE;
		ring->worker_pid = 0;
		count = waiters(ring, procs);
	}
	LWLockRelease(&ring->lock);
	for (int i = 0; i < count; i++)
		wake(procs[i]);
}
