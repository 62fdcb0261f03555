/*
 * recorder_spool.h
 *		The spool: where a refusal is made durable when the worker cannot record it in time.
 *
 * $PGDATA/moderation_spool/<database oid> holds units (recorder_event.h) one after the other; <oid>.draining is the file
 * that the worker is putting into the tables.  <oid>.waiting keeps what the tables refused to take; the worker tries it again
 * from time to time.  <oid>.damaged keeps what can never be recorded, for people to look at: units that make no sense, and those
 * of an installation of the extension that is gone.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_SPOOL_H
#define MDR_RECORDER_SPOOL_H

/* Appends a unit and flushes it.  False when that failed, which the server log then tells.  Never raises, serves no interrupt. */
extern bool mdr_spool_append(const char *bytes, uint64 length);

/* Keeps a unit that cannot be recorded now, or never.  As above. */
extern bool mdr_spool_keep(const char *bytes, uint64 length, bool forever);

/* Whether there is something to drain; something to drain or to try again. */
extern bool mdr_spool_pending(void);
extern bool mdr_spool_exists(void);

extern void mdr_spool_size(int64 *files, int64 *bytes);

/* The file being drained, read unit by unit. */
typedef struct MdrSpool MdrSpool;

/*
 * Takes the spool for draining, or what an earlier worker left undrained; if there is neither and retry, what is to be tried
 * again.  NULL when there is none, or somebody else drains it.  May raise.
 */
extern MdrSpool *mdr_spool_open(bool retry);

/* Whether it holds what was tried before. */
extern bool mdr_spool_is_retry(const MdrSpool *spool);

/* The next whole unit, palloc'd, and what it skipped before it; NULL at the end.  May raise. */
extern char *mdr_spool_next(MdrSpool *spool, uint64 *length, uint64 *skipped);

/* done: every unit is committed and flushed, so the file is removed, durably; else it stays for the next attempt. */
extern void mdr_spool_close(MdrSpool *spool, bool done);

#endif							/* MDR_RECORDER_SPOOL_H */
