/*
 * recorder_spool.h
 *		The spool: where a refusal is made durable when the worker cannot record it in time.
 *
 * $PGDATA/moderation_spool/<database oid> holds units (recorder_event.h) one after the other; <oid>.draining is the file
 * that the worker is putting into the tables, and <oid>.damaged keeps what no worker could record, for people to look at:
 * once the reason is gone, a file that is renamed to <oid> (while there is none of that name) is drained like any other.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_SPOOL_H
#define MDR_RECORDER_SPOOL_H

/* Appends a unit and flushes it.  False when that failed, which the server log then tells.  Never raises, serves no interrupt. */
extern bool mdr_spool_append(const char *bytes, uint64 length);

/* Keeps a unit that cannot be recorded.  As above. */
extern bool mdr_spool_keep_damaged(const char *bytes, uint64 length);

/* Whether there is something to drain. */
extern bool mdr_spool_pending(void);

extern void mdr_spool_size(int64 *files, int64 *bytes);

/* The file being drained, read unit by unit. */
typedef struct MdrSpool MdrSpool;

/* Takes the spool for draining, or what an earlier worker left undrained; NULL when there is none.  May raise. */
extern MdrSpool *mdr_spool_open(void);

/* The next whole unit, palloc'd, and what it skipped before it; NULL at the end.  May raise. */
extern char *mdr_spool_next(MdrSpool *spool, uint64 *length, uint64 *skipped);

/* done: every unit is committed and flushed, so the file is removed, durably; else it stays for the next attempt. */
extern void mdr_spool_close(MdrSpool *spool, bool done);

#endif							/* MDR_RECORDER_SPOOL_H */
