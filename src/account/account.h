/*
 * account.h
 *		Where an account stands, and the gate that keeps frozen and suspended accounts from writing.
 *
 * The gate's protocol (after ../docs/architecture.md, "The gate"): an inserting transaction T probes
 * moderation.account by its index with the latest snapshot, remembers the account, and at pre-commit takes
 * RowExclusiveLock on moderation.freeze_gate and probes again if a freeze was announced meanwhile; a transaction that
 * freezes or suspends announces it (relcache invalidation of moderation.account) and takes ShareRowExclusiveLock on
 * freeze_gate at its own pre-commit.  No row is locked, a clean account needs no row, and an idle transaction delays
 * no freeze.
 *
 * Include after postgres.h.
 */
#ifndef MDR_ACCOUNT_H
#define MDR_ACCOUNT_H

#include "match/match.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

typedef enum MdrAccountState
{
	MDR_ACTIVE,
	MDR_WARNED,
	MDR_FROZEN,
	MDR_SUSPENDED
} MdrAccountState;

/* Raises MD002 or MD003 when the account may not write now; else remembers it for the check at commit. */
extern void mdr_gate_pass(const char *account);

/*
 * To be called before mdr_gate_pass() for a row that goes to a foreign table: its wrapper may commit it there before this
 * transaction commits, and has to do so after the check.
 */
extern void mdr_gate_go_first(Oid foreign_table);

/* Says that the account stored clean content: ends a row of refusals, if one is open (known from the gate's probe). */
extern void mdr_gate_clean(const char *account);

/*
 * True unless frozen or suspended now, by the latest committed state.  Writes and remembers nothing; works on a
 * standby.
 */
extern bool mdr_may_write(const char *account);

/*
 * What a refused content does to its account, by the policy's ladder.  Called by the recorder, in its transaction,
 * with the violation already inserted; the caller is the extension's owner and has SPI connected.  Locks the
 * account's row.
 */
extern void mdr_ladder_strike(const char *account, const MdrLadder *ladder, bool suspend, const char *category,
							  const pg_uuid_t *violation_id, TimestampTz occurred_at);

/* A clean content ended the account's row of refusals.  Same conditions. */
extern void mdr_ladder_clean(const char *account);

/* To be called by whatever makes an account frozen or suspended, in the transaction that does it. */
extern void mdr_gate_announce(void);

/*
 * From _PG_init.  record_clean is told of each account whose clean content ends a row of refusals, at pre-commit; it must not
 * raise.  Given here because the recorder stands to the right of this stage and calls its ladder.
 */
extern void mdr_account_init(void (*record_clean) (const char *account));

#endif							/* MDR_ACCOUNT_H */
