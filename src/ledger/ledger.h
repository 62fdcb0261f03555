/*
 * ledger.h
 *		Violations, changes of status and guard events in hash chains: what is altered, deleted or back-dated later shows.
 *
 * Each account has a chain, and the database one of its own (guard events, epochs).  Whoever inserts a row to be kept in the
 * ledger notes it in the same transaction, with the SHA-256 of the row's canonical text (moderation.ledger_entry()), and locks
 * nothing.  One linker at a time gives noted rows their positions and hashes: the recorder's worker, or whoever calls
 * moderation.seal(); it holds ShareUpdateExclusiveLock on moderation.ledger_seal until its commit.  What the worker records
 * itself it links in the same transaction, when it gets that lock without waiting.
 *
 * Where the tables are older than the library (before ALTER EXTENSION UPDATE) there is no ledger: mdr_ledger_kept() is false,
 * and everything here does nothing.
 *
 * Include after postgres.h.
 */
#ifndef MDR_LEDGER_H
#define MDR_LEDGER_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef enum MdrLedgerKind
{
	MDR_LEDGER_VIOLATION,
	MDR_LEDGER_ACCOUNT_EVENT,
	MDR_LEDGER_GUARD_EVENT,
	MDR_LEDGER_EPOCH,
	MDR_LEDGER_EVIDENCE
} MdrLedgerKind;

/* Whether this database has a ledger. */
extern bool mdr_ledger_kept(void);

/*
 * Notes a row that this transaction has just inserted.  entry is moderation.ledger_entry_sha256() of the row, a bytea: have it
 * from the INSERT's RETURNING.  account NULL: the database's own chain.  SPI is connected, and the user is the owner.
 */
extern void mdr_ledger_note(MdrLedgerKind kind, const char *account, const pg_uuid_t *subject, Datum entry);

/*
 * Inserts a row of moderation.guard_event and notes it.  Connects SPI and becomes the owner itself.  Does nothing while the
 * extension is being created.  relation and detail may be NULL; what is one of a few fixed words (tables.sql).
 */
extern void mdr_ledger_guard_event(const char *relation, const char *what, const char *detail);

/*
 * For the recorder's worker, in a transaction with SPI connected: what is noted between begin and end is linked at once, or,
 * before the process's first mdr_ledger_link() and while somebody else is linking, left for later.  Notes are kept in the
 * memory context of the call to begin, which must live until end; an abort forgets them.
 */
extern void mdr_ledger_begin(void);
extern void mdr_ledger_end(void);

/*
 * For the worker, outside a transaction: links a portion of what is noted, or seals what is linked, in a transaction of its own.
 * DONE: nothing is left; MORE: more is left; BUSY: somebody else is linking.  Raises what writing to tables raises.
 */
typedef enum MdrLedgerResult
{
	MDR_LEDGER_DONE,
	MDR_LEDGER_MORE,
	MDR_LEDGER_BUSY
} MdrLedgerResult;
extern MdrLedgerResult mdr_ledger_link(void);
extern MdrLedgerResult mdr_ledger_seal(void);

/* moderation.seal_interval: seconds between seals that the worker makes by itself; 0: it makes none.  PGC_SIGHUP. */
extern int	mdr_seal_interval;

/* From _PG_init.  wake tells the recorder's worker that something was noted; called after commit, it must not raise. */
extern void mdr_ledger_init(void (*wake) (void));

#endif							/* MDR_LEDGER_H */
