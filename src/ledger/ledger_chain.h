/*
 * ledger_chain.h
 *		What the files of this stage share: entries on their way into the chains, statements.
 *
 * Include after postgres.h.
 */
#ifndef MDR_LEDGER_CHAIN_H
#define MDR_LEDGER_CHAIN_H

#include "access/transam.h"
#include "executor/spi.h"
#include "ledger/ledger.h"

#define MDR_SHA256 32			/* bytes */

/* An entry to be linked.  Strings and hashes belong to the context of whoever made it. */
typedef struct MdrLedgerEntry
{
	const char *account;		/* NULL: the database's chain */
	const char *kind;
	pg_uuid_t	subject;
	uint8		entry[MDR_SHA256];
	TimestampTz noted_at;
	int64		noted_xid;		/* full transaction id under which it was noted */

	/* given by the linker */
	int64		position;
	uint8		chain[MDR_SHA256];
	TimestampTz linked_at;
} MdrLedgerEntry;

/*
 * The hash that links an entry, into entry->chain: SHA-256 over these lines, separated by a newline, none at the end: previous
 * hash in hexadecimal, position, kind, subject, entry hash in hexadecimal, noted_at and linked_at in microseconds since 1970,
 * noted_xid.
 */
extern void mdr_ledger_hash(MdrLedgerEntry *entry, const uint8 *previous);

/* What stands before position 1 of a chain: SHA-256 of the account, or zeros for the database's own. */
extern void mdr_ledger_origin(const char *account, uint8 *hash);

/* Microseconds since 1970. */
extern int64 mdr_ledger_microseconds(TimestampTz time);

/* Takes the linker's lock until the transaction ends; false when it is somebody else's and wait is false. */
extern bool mdr_ledger_lock(bool wait);

/* Under the lock, with SPI connected, as owner: links entries (a list of MdrLedgerEntry *) in this order. */
extern void mdr_ledger_append(List *entries);

/* Likewise: links up to that many of the notes, returns how many there were. */
extern int	mdr_ledger_link_notes(int limit);

/*
 * Under the lock: position, chain and linked_at of the ends of count chains, whose accounts are given, each once; position 0 and
 * what stands before it where there is no chain yet.  linked_at is never before what the next entry may have.
 */
extern void mdr_ledger_find_ends(MdrLedgerEntry *ends, int count);

/* Likewise: writes entries that have their places. */
extern void mdr_ledger_insert(const List *entries);

/* Inserts a row into moderation.ledger_note, to be linked later. */
extern void mdr_ledger_put_note(const MdrLedgerEntry *entry);

/*
 * Under the lock: looks, once in each process, whether the ledger was last continued here, and links an epoch if not.  An abort
 * has it look again.
 */
extern void mdr_ledger_check_place(void);
extern bool mdr_ledger_place_known(void);
extern void mdr_ledger_forget_place(void);

/* A statement of this stage, prepared once in each process and kept. */
typedef struct MdrLedgerPlan
{
	const char *sql;
	int			nargs;
	Oid			types[10];
	SPIPlanPtr	plan;
} MdrLedgerPlan;
extern void mdr_ledger_run(MdrLedgerPlan *plan, Datum *values, const char *nulls);
extern Datum mdr_ledger_bytes(const uint8 *hash);	/* a bytea of MDR_SHA256 bytes */

#endif							/* MDR_LEDGER_CHAIN_H */
