/*
 * recorder_write.h
 *		Records into the tables, strikes onto the ladder; for the worker and for the rows of the current transaction.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_WRITE_H
#define MDR_RECORDER_WRITE_H

#include "recorder/recorder_event.h"
#include "utils/timestamp.h"

/*
 * Writes a violation, and its evidence if content is given and keep_content.  once: a violation that is there already is
 * left alone.  True if it was inserted.  SPI is connected and the user may write to our tables.
 */
extern bool mdr_write_record(const MdrRecord *record, bool counted, bool keep_content, bool once);

/* Tells the server log, and nobody else, what could not be recorded, without its content. */
extern void mdr_log_record(const MdrRecord *record, const char *why);

/* For the worker; SPI is connected. */
extern void mdr_strike(const MdrRecord *record);

/* Accounts whose strikes must wait, because somebody holds their row or the ladder failed. */
extern bool mdr_strike_waits(const char *account);
extern void mdr_strike_defer(const char *account, bool locked);
extern void mdr_clean_defer(const char *account, TimestampTz occurred_at);

typedef enum MdrRetry			/* in order of urgency */
{
	MDR_RETRY_DONE,				/* nothing is left to count */
	MDR_RETRY_FAILED,			/* the ladder fails for a reason that does not pass: after a while, or by the next worker */
	MDR_RETRY_LATER,			/* somebody holds a row: soon */
	MDR_RETRY_MORE				/* interrupted, or not tried yet: as soon as may be */
} MdrRetry;

/*
 * Counts what is recorded and uncounted, account by account, in short transactions, at least one, until interrupted() says that
 * there is better to do.  Outside a transaction.
 */
extern MdrRetry mdr_strike_retry(bool (*interrupted) (void));

/* Whether an error means: the same may work a little later. */
extern bool mdr_error_passes(int sqlstate);

/* In a PG_CATCH block: ends the transaction, returns the error in context, which becomes the current one. */
extern ErrorData *mdr_recover(MemoryContext context);

#endif							/* MDR_RECORDER_WRITE_H */
