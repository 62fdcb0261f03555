/*
 * account_row.h
 *		What the files of this stage share: a row of moderation.account, read by the probe, written by ladder and
 *		moderators.
 *
 * Include after postgres.h.
 */
#ifndef MDR_ACCOUNT_ROW_H
#define MDR_ACCOUNT_ROW_H

#include "account/account.h"

/* Longest account key in bytes; the table has the same limit as a CHECK, and an index entry must hold it. */
#define MDR_ACCOUNT_MAX 1024

/* Columns of moderation.account that the probe reads; later versions only append columns. */
#define MDR_ACCOUNT_ATT_ACCOUNT 1
#define MDR_ACCOUNT_ATT_STATE 2
#define MDR_ACCOUNT_ATT_STREAK 4
#define MDR_ACCOUNT_ATT_REASON 5
#define MDR_ACCOUNT_ATT_UNTIL 7

/* What the gate learns of an account in one look. */
typedef struct MdrStanding
{
	MdrAccountState state;		/* by the clock: a warning or freeze that has ended reads active */
	TimestampTz until;			/* DT_NOEND when it has no end */
	char	   *reason;			/* palloc'd, or NULL; only where frozen or suspended */
	bool		open_row;		/* the account has a row of refusals that a clean content would end */
	bool		found;			/* the account has a row in the table */
	TransactionId writer;		/* who wrote that row */
} MdrStanding;

/* Reads the latest committed state (and this transaction's own), whatever the snapshot.  Takes no lock that lasts. */
extern void mdr_account_probe(Oid table, const char *account, int length, MdrStanding *standing);

static inline bool
mdr_restricted(MdrAccountState state)
{
	return state == MDR_FROZEN || state == MDR_SUSPENDED;
}

/* The state that the clock leaves of a recorded one; suspended never ends by itself. */
static inline MdrAccountState
mdr_state_at(MdrAccountState state, TimestampTz until, TimestampTz now)
{
	return state != MDR_SUSPENDED && until <= now ? MDR_ACTIVE : state;
}

extern const char *mdr_state_name(MdrAccountState state);
extern MdrAccountState mdr_state_of_oid(Oid label); /* of an enum value of moderation.account_state */

/* A row, locked by this transaction. */
typedef struct MdrAccountRow
{
	const char *account;
	MdrAccountState state;		/* as recorded; mdr_state_at() says what is left of it */
	int			strikes;
	int			streak;
	const char *reason;
	TimestampTz since;
	TimestampTz until;			/* DT_NOEND: none */
	TimestampTz counts_from;	/* DT_NOBEGIN: none */
	TimestampTz clean_from;		/* DT_NOBEGIN: none */
} MdrAccountRow;

/* Who changed a state, and over what. */
typedef struct MdrAccountChange
{
	MdrAccountState from;
	const char *actor;
	const char *login;			/* NULL for the ladder */
	bool		automatic;
	const char *category;		/* NULL: none */
	const pg_uuid_t *violation_id;	/* NULL: none */
	TimestampTz at;
} MdrAccountChange;

/*
 * By SPI, which is connected, as the owner.  Lock: false if there is no such row and none is to be created; strings
 * of the row belong to the current memory context.  Save writes the row back; log adds one account_event from
 * change->from to row->state.
 */
extern bool mdr_account_lock(const char *account, bool create, MdrAccountRow *row);
extern void mdr_account_save(const MdrAccountRow *row);
extern void mdr_account_log(const MdrAccountRow *row, const MdrAccountChange *change);

/* A statement of this stage, prepared once in each process and kept. */
typedef struct MdrPlan
{
	const char *sql;
	int			nargs;
	Oid			types[12];
	struct _SPI_plan *plan;
} MdrPlan;
extern int	mdr_account_run(MdrPlan *plan, Datum *values, const char *nulls);

/* The trigger saw this transaction itself restrict an account: what it wrote as that account before stands with it. */
extern void mdr_gate_own_change(const char *account, bool restricted_before, bool own_before);

#endif							/* MDR_ACCOUNT_ROW_H */
