/*
 * recorder_ring.h
 *		The ring: how a refusing backend hands a unit (recorder_event.h) to the worker of its database.
 *
 * One ring for each database, in a pinned segment of dynamic shared memory that the first backend makes; it outlives
 * workers, so a worker is only its consumer and may die and come back.  A small root, found by name, leads from database
 * to ring.
 *
 * Everything in the ring is protected by ring->lock, which is held for copying only: nothing done under it can raise.  Lock
 * order: root, ring.  Invariants: tail <= head <= tail + slots; a slot in [tail, head) changes only by withdrawal; the
 * state is RUNNING only while the process worker_pid lives; tail passes a slot as RECORDED only after the commit that holds
 * its unit.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_RING_H
#define MDR_RECORDER_RING_H

#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define MDR_RING_SLOTS 128
#define MDR_SLOT_BYTES 976		/* longer units travel in a segment of their own */
#define MDR_BATCH 32			/* units that the worker takes at once */

typedef enum MdrWorkerState
{
	MDR_WORKER_NONE,
	MDR_WORKER_STARTING,
	MDR_WORKER_RUNNING
} MdrWorkerState;

typedef enum MdrOutcome
{
	MDR_QUEUED,
	MDR_RECORDED,				/* committed */
	MDR_LOST,					/* the worker cannot record it, or the slot was used again: its sender must spool it */
	MDR_WITHDRAWN				/* its sender has spooled it */
} MdrOutcome;

typedef struct MdrSlot
{
	uint64		ticket;
	uint64		length;			/* of the unit */
	int			waiter;			/* PGPROC number of the waiting backend, -1 for none */
	MdrOutcome	outcome;
	bool		taken;			/* the running worker works on it */
	dsm_handle	segment;		/* holds the unit, pinned; DSM_HANDLE_INVALID when it is in bytes[] */
	char		bytes[MDR_SLOT_BYTES];
} MdrSlot;

typedef struct MdrRing
{
	uint32		magic;
	Oid			database;
	LWLock		lock;			/* protects all that follows */
	uint64		head;			/* ticket of the next unit put in */
	uint64		tail;			/* ticket of the oldest unit not yet acknowledged */
	MdrWorkerState state;
	pid_t		worker_pid;
	int			worker_proc;	/* PGPROC number, to set its latch */
	uint64		generation;		/* bumped with every start, takeover and claim */
	TimestampTz starting_since;
	bool		taken_over;		/* the start under way has been taken over once */
	TimestampTz failed_at;		/* when a start last came to nothing */
	bool		stop;			/* the worker shall leave at the next empty moment */
	bool		spooled;		/* something was appended to the spool */
	bool		degraded;		/* a wait was in vain and nothing was acknowledged since */
	bool		noted;			/* something was noted for the ledger */
	int64		recorded;
	int64		fallbacks;
	int64		registration_failures;
	int64		timeouts;
	int64		logged;			/* fallbacks that the spool could not take */
	TimestampTz retry_at;		/* not before this, what could not be recorded is tried again */
	int64		retry_ms;		/* how long that was put off */
	MdrSlot		slots[MDR_RING_SLOTS];
} MdrRing;

/* What a unit looks like to the worker. */
typedef struct MdrTaken
{
	uint64		length;
	dsm_handle	segment;
	const char *bytes;			/* NULL when in the segment */
	MdrOutcome	outcome;
	bool		foreign;		/* lost because it is of an installation that is gone */
} MdrTaken;

typedef enum MdrLook
{
	MDR_LOOK_RECORDED,
	MDR_LOOK_LOST,
	MDR_LOOK_WAIT,
	MDR_LOOK_START,				/* the caller must call mdr_ring_start() now */
	MDR_LOOK_HOPELESS			/* no worker can be had at present */
} MdrLook;

/*
 * Calls action(argument) and returns its result; false when it raised an ERROR, which goes to the server log.  For what
 * touches shared memory and may fail (out of memory, of segments, of space), never for what touches tables.
 */
extern bool mdr_shielded(bool (*action) (void *), void *argument);

/* This database's ring, made if asked for and absent; NULL when it cannot be had or is absent.  Never raises. */
extern MdrRing *mdr_ring(bool create);

/* After mdr_ring(): whether the root was found or made, so that a ring could be. */
extern bool mdr_ring_available(void);

/* Puts a unit in; *ticket is then its ticket.  False when the ring is full or the unit's segment cannot be had.  Never raises. */
extern bool mdr_ring_put(MdrRing *ring, const char *bytes, uint64 length, bool wait, uint64 *ticket, MdrLook *look);

extern MdrLook mdr_ring_look(MdrRing *ring, uint64 ticket);

/* Registers a worker; false (and the state is NONE again, and whoever waits knows) when there is no slot for one.  Never raises. */
extern bool mdr_ring_start(MdrRing *ring);

/* Starts a worker if there is none, and has it look at the spool, without waiting for anything.  Never raises. */
extern void mdr_ring_need(MdrRing *ring);

/* Notices that the start which this backend made has died. */
extern void mdr_ring_check_start(MdrRing *ring);

/* Nobody waits for the unit any more.  safe: it is elsewhere, so it is taken back, unless the worker has it in hand. */
extern void mdr_ring_withdraw(MdrRing *ring, uint64 ticket, bool safe);

/* Counts a refusal that fell back, after a wait in vain if timed_out; tells the worker, if one runs, to look at the spool. */
extern void mdr_ring_fell_back(MdrRing *ring, bool timed_out, bool spooled);

/* Says that something was noted for the ledger, and sees to it that there is a worker.  Never raises. */
extern void mdr_ring_note(MdrRing *ring);

/* Asks the worker to leave as soon as nothing is queued; false when none runs. */
extern bool mdr_ring_stop(MdrRing *ring);

/* For the worker: becomes the worker (false: another one runs); takes up to MDR_BATCH units; acknowledges them; leaves. */
extern bool mdr_ring_claim(MdrRing *ring);
extern int	mdr_ring_take(MdrRing *ring, MdrTaken *taken, char *space);
extern void mdr_ring_acknowledge(MdrRing *ring, const MdrTaken *taken, int count, int64 recorded);

/*
 * When to try again what could not be recorded, 0 for at once; what came of it: all recorded, or some left, in so many
 * milliseconds.  What is left over for the first time (not again) does not put off what is left already.
 */
extern TimestampTz mdr_ring_retry_at(MdrRing *ring);
extern void mdr_ring_retried(MdrRing *ring, bool again, bool some_left, int64 took_ms);
extern bool mdr_ring_fetch_spooled(MdrRing *ring);	/* whether something was spooled since the last call */
extern bool mdr_ring_fetch_noted(MdrRing *ring);	/* likewise for the ledger */
extern bool mdr_ring_empty(MdrRing *ring);
extern bool mdr_ring_waits(MdrRing *ring);	/* something is to be done, and no worker is there to do it */
extern bool mdr_ring_stopping(MdrRing *ring);
extern bool mdr_ring_leave(MdrRing *ring);	/* false when there is work */
extern void mdr_ring_abandon(MdrRing *ring);	/* at exit, whatever the reason */

#endif							/* MDR_RECORDER_RING_H */
