/*
 * store.h
 *		Policies as rows: which version is live, and this backend's engine for it.
 *
 * A backend keeps one engine for each policy it used.  load_policy() invalidates moderation.policy's relcache entry; the callback
 * bumps a counter; the next mdr_policy_live() looks again with a fresh snapshot.  So a new version is in force in every
 * backend from its next statement after the commit, and an abort takes it back the same way.
 *
 * Include after postgres.h.
 */
#ifndef MDR_STORE_H
#define MDR_STORE_H

#include "verdict/verdict.h"

typedef struct MdrLive
{
	const char *policy;			/* name */
	int			version;
	MdrEngine  *engine;
} MdrLive;

/*
 * The live version of a policy; name NULL means the built-in "terms-of-service".  Raises ERRCODE_UNDEFINED_OBJECT with a
 * hint when there is none.  The result stays valid until the end of the transaction.
 */
extern const MdrLive *mdr_policy_live(const char *name);

/* Bumped whenever a policy may have changed; cheap.  Processes pending invalidations first. */
extern uint64 mdr_policy_generation(void);

extern void mdr_store_init(void);	/* from _PG_init */

#endif							/* MDR_STORE_H */
