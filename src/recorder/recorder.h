/*
 * recorder.h
 *		Writes violations so that they survive the rollback of the statement that was refused.
 *
 * A refused content's events go through a ring in dynamic shared memory to a resident background worker that the first need
 * starts; the refusing backend waits until the worker has committed them.  Whatever keeps that from happening within
 * moderation.record_timeout (no worker slot, a full ring, a locked table, a full disk, recovery) sends the events to the spool, a file in the
 * data directory that is flushed before the client sees its error and that the next worker drains.  Every path carries the
 * same violation_id, and the tables take each id once.
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
} MdrEvent;

/*
 * Records refused contents durably before it returns; the caller then raises MD001.  Waits at most moderation.record_timeout.
 * An interrupt (cancel, termination) during the wait is raised only after the events are safe in ring or spool.
 */
extern void mdr_record_refused(const MdrEvent *events, int nevents);

/* Records a stored (flagged, redacted, quarantined) content in the current transaction: it lives and dies with the row. */
extern void mdr_record_stored(const MdrEvent *event);

/* Sends "clean content stored by account" to the worker without waiting; called at pre-commit.  Never raises. */
extern void mdr_record_clean(const char *account);

extern void mdr_recorder_init(void);	/* from _PG_init */

#endif							/* MDR_RECORDER_H */
