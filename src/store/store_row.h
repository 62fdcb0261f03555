/*
 * store_row.h
 *		Inside this stage only: rows of moderation.policy, and engines made from them.
 *
 * Include after postgres.h.
 */
#ifndef MDR_STORE_ROW_H
#define MDR_STORE_ROW_H

#include "datatype/timestamp.h"

#include "store/store.h"

typedef struct MdrPolicyRow
{
	int			version;
	bool		builtin;
	uint8		sha256[32];		/* of the document */
	TimestampTz loaded_at;
	text	   *document;		/* palloc'd; only when asked for */
} MdrPolicyRow;

/*
 * Looks with a fresh snapshot, whatever the transaction's isolation level; sees what this transaction wrote; works on a
 * standby and in a parallel worker.  version 0 is the live one.  *last, when not NULL, is set to the highest version in any
 * state, 0 when there is none.
 */
extern bool mdr_store_find(const char *policy, int version, bool with_document, MdrPolicyRow *row, int *last);

/* The highest version below this one, drafts apart, with its document; seen as mdr_store_find() sees. */
extern bool mdr_store_earlier(const char *policy, int version, MdrPolicyRow *row);

/* The stored image that was made from the row's document, palloc'd, or NULL. */
extern bytea *mdr_store_image(const char *policy, const MdrPolicyRow *row);

/* Whether that image exists and opens here. */
extern bool mdr_store_fits(const char *policy, const MdrPolicyRow *row);

/*
 * An engine for the row, from its image or else by compiling its document; it is closed when the context goes.  Raises when neither
 * works.
 */
extern MdrEngine *mdr_store_open(const char *policy, const MdrPolicyRow *row, MemoryContext owner);

/* What a document is loaded as. */
typedef enum MdrLoadAs
{
	MDR_LOAD_LIVE,				/* the policy's new live version */
	MDR_LOAD_BUILTIN,			/* so, unless operators have loaded one of their own */
	MDR_LOAD_DRAFT				/* a version that is not in force until moderation.activate() */
} MdrLoadAs;

/* Checks, compiles and stores a document; the version that holds it now.  function: who asks, for errors. */
extern int	mdr_store_load(text *document, MdrLoadAs as, const char *function);

/* Hands an engine over to a memory context: it is closed when the context goes. */
typedef struct MdrEngineOwner MdrEngineOwner;
extern MdrEngineOwner *mdr_engine_owner(MemoryContext context);
extern void mdr_engine_own(MdrEngineOwner *owner, MdrEngine *engine);

#endif							/* MDR_STORE_ROW_H */
