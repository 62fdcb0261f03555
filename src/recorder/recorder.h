/*
 * recorder.h
 *		Writes violations so that they survive the rollback of the statement that was refused.
 *
 * A refused content's events go through a ring in dynamic shared memory to a resident background worker that the first
 * need starts; the refusing backend waits until the worker has committed them.  Whatever keeps that from happening within
 * moderation.record_timeout (no worker slot, a full ring, a locked table, a full disk) sends the events to the
 * spool, a file in the data directory that is flushed before the client sees its error and that the next worker drains.
 * Every path carries the same violation_id, and the tables take each id once.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_H
#define MDR_RECORDER_H

#include "policy/policy.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

/* One violation on its way to the tables.  Strings are UTF-8-or-database-encoded bytes as given; NULL where unknown. */
typedef struct MdrEvent
{
	pg_uuid_t	violation_id;
	const char *account;		/* NULL: moderated, not counted */
	const char *category;
	int			severity;
	MdrAction	action;
	float		score;
	const char *policy;
	int			policy_version;
	const char **rules;			/* ids of the rules that fired, surest first, at most 16 */
	int			nrules;
	const char *relation;		/* schema-qualified, quoted as needed */
	const char *column;
	const char *db_role;		/* who tried: current_user */
	uint8		content_sha256[32];
	const char *content;		/* only where the category preserves evidence; else NULL */
	int			content_length;
	TimestampTz occurred_at;
	bool		strike;			/* counts against the account */
	bool		suspend;		/* suspends it at once */

	/*
	 * The ladder of the policy that refused (mdr_engine_ladder); read only by mdr_record_refused.  NULL: the worker looks
	 * the policy up, which costs it the opening of an engine.
	 */
	const MdrLadder *ladder;
} MdrEvent;

/*
 * Records refused contents durably before it returns; the caller then raises MD001.  Waits at most moderation.record_timeout.
 * An interrupt (cancel, termination) during the wait is raised only after the events are safe in the spool.  In recovery
 * it does nothing.
 */
extern void mdr_record_refused(const MdrEvent *events, int nevents);

/* Records a stored (flagged, redacted, quarantined) content in the current transaction: it lives and dies with the row. */
extern void mdr_record_stored(const MdrEvent *event);

/* Sends "clean content stored by account" to the worker without waiting; called at pre-commit.  Never raises. */
extern void mdr_record_clean(const char *account);

/*
 * Tells the worker that something was noted for the ledger; called after the commit that holds it.  Not in mode "restore": the
 * rows of a dump's ledger are still to come, and nothing may be linked before them.  Never raises.
 */
extern void mdr_record_noted(void);

/* How the recorder of this database fares; counters count since the server's shared memory was made. */
typedef struct MdrRecorderStatus
{
	const char *worker;			/* "none", "starting", "running"; "unavailable" when shared memory cannot be had */
	int			worker_pid;		/* 0 when none is running */
	int64		queued;			/* messages in the ring, not yet in the tables */
	int64		spooled_files;	/* files of this database in $PGDATA/moderation_spool */
	int64		spooled_bytes;
	int64		recorded;		/* violations that the worker wrote */
	int64		fallbacks;		/* refusals that went to the spool, or, if that failed too, to the server log */
	int64		registration_failures;	/* a worker was needed and could not be started */
	int64		timeouts;		/* refusals that waited for moderation.record_timeout in vain */
	int64		logged;			/* fallbacks that the spool could not take either: the server log has them, and perhaps the ring */
	bool		degraded;		/* the last wait was in vain: refusals now wait only briefly, then use the spool */
	int64		uncounted;		/* recorded strikes that the ladder has yet to count; -1 while the table is locked */
	TimestampTz oldest_uncounted;	/* when the oldest of them occurred; 0 when there is none */
} MdrRecorderStatus;

/*
 * Works on a standby; waits for no lock.  The caller is in a transaction.  Raises only what reading a table raises.  Where strikes
 * are uncounted and no worker is there, it asks for one.
 */
extern void mdr_recorder_status(MdrRecorderStatus *status);

extern void mdr_recorder_init(void);	/* from _PG_init */

#endif							/* MDR_RECORDER_H */
