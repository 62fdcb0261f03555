/*
 * account_memo.h
 *		The accounts that this transaction has written as, kept until its commit.
 *
 * Include after postgres.h.
 */
#ifndef MDR_ACCOUNT_MEMO_H
#define MDR_ACCOUNT_MEMO_H

typedef struct MdrMemo
{
	struct MdrMemo *next;		/* of the same bucket */
	uint32		hash;
	int			length;
	uint64		generation;		/* of the gate, when the account was probed last */
	bool		open_row;		/* the probe saw a row of refusals */
	bool		clean;			/* a clean content was stored */
	bool		own_change;		/* was restricted by this very transaction, being unrestricted before */
	char		account[FLEXIBLE_ARRAY_MEMBER];
} MdrMemo;

typedef void (*MdrMemoCallback) (MdrMemo *memo);

extern MdrMemo *mdr_memo_find(const char *account, int length);
extern MdrMemo *mdr_memo_add(const char *account, int length, uint64 generation);
extern void mdr_memo_clean(MdrMemo *memo);
extern uint64 mdr_memo_count(void);		/* remembered accounts; one may count twice once some were written to disk */
extern uint64 mdr_memo_oldest(void);	/* no account was probed at an earlier generation; UINT64_MAX when there is none */
extern void mdr_memo_renewed(uint64 generation);	/* all have been probed at this generation or later */

/* only_reports: may leave out accounts that are not both clean and in a row of refusals. */
extern void mdr_memo_each(MdrMemoCallback callback, bool only_reports);

extern void mdr_memo_close(void);	/* nothing will be added: gives back what may not live into the commit */
extern void mdr_memo_reset(void);	/* end of the transaction */
extern void mdr_memo_subcommit(int level);
extern void mdr_memo_subabort(int level);

#endif							/* MDR_ACCOUNT_MEMO_H */
