/*
 * account_passed.h
 *		The accounts that this transaction has written as, kept until its commit.
 *
 * Include after postgres.h.
 */
#ifndef MDR_ACCOUNT_PASSED_H
#define MDR_ACCOUNT_PASSED_H

typedef struct MdrPassed
{
	struct MdrPassed *next;		/* of the same bucket */
	uint32		hash;
	int			length;
	uint64		generation;		/* of the gate, when the account was probed last */
	bool		open_row;		/* the probe saw a row of refusals */
	bool		clean;			/* a clean content was stored */
	bool		own_change;		/* was restricted by this very transaction, being unrestricted before */
	char		account[FLEXIBLE_ARRAY_MEMBER];
} MdrPassed;

typedef void (*MdrPassedCallback) (MdrPassed *passed);

extern MdrPassed *mdr_passed_find(const char *account, int length);
extern MdrPassed *mdr_passed_add(const char *account, int length, uint64 generation);
extern void mdr_passed_clean(MdrPassed *passed);
extern uint64 mdr_passed_count(void);	/* remembered accounts; one may count twice once some were written to disk */
extern uint64 mdr_passed_oldest(void);	/* no account was probed at an earlier generation; UINT64_MAX: none at all */
extern void mdr_passed_renewed(uint64 generation);	/* all have been probed at this generation or later */

/* only_reports: may leave out accounts that are not both clean and in a row of refusals. */
extern void mdr_passed_each(MdrPassedCallback callback, bool only_reports);

extern void mdr_passed_close(void);	/* nothing will be added: gives back what may not live into the commit */
extern void mdr_passed_reset(void);	/* end of the transaction */
extern void mdr_passed_subcommit(int level);
extern void mdr_passed_subabort(int level);

#endif							/* MDR_ACCOUNT_PASSED_H */
