/*
 * base.h
 *		What every stage of the pure core shares: status, error, memory, caller's interrupts.
 *
 * The core (base, text, policy, model, match, verdict) knows nothing of PostgreSQL, so that it can be unit-tested, fuzzed and
 * benchmarked outside a server.  It never exits, prints, raises or longjmps: whatever goes wrong comes back as an
 * MdrStatus, and the caller decides.
 *
 * Memory: everything the core allocates belongs to an MdrArena that the caller made and will destroy; nothing in an arena
 * is freed on its own.  The one exception is what libraries own (PCRE2 codes, ICU iterators), which
 * belong to the object documented to hold them.
 */
#ifndef MDR_BASE_H
#define MDR_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum MdrStatus
{
	MDR_OK = 0,
	MDR_INVALID,				/* a document, pattern or argument is wrong; MdrError says where */
	MDR_UNKNOWN,				/* a bound was exceeded: the content is neither clean nor violating */
	MDR_INTERRUPTED,			/* the caller's interrupt callback said stop */
	MDR_NO_MEMORY,				/* malloc failed or the arena's limit was reached */
	MDR_BROKEN					/* a library broke its contract; never to be read as "clean" */
} MdrStatus;

/* Why a document was refused.  Lines and columns count from 1; 0 means "not known". */
typedef struct MdrError
{
	MdrStatus	status;
	int			line;
	int			column;
	char		file[128];		/* as named by the nearest "# file:" comment above, or "" */
	char		rule[128];		/* the rule's id, or "" */
	char		message[512];	/* lower case, no full stop */
} MdrError;

/* Fills *error (which may be NULL) and returns status, so that "return mdr_fail(...)" reads well. */
extern MdrStatus mdr_fail(MdrError *error, MdrStatus status, int line, int column, const char *format,...)
			__attribute__((format(printf, 5, 6)));

typedef struct MdrArena MdrArena;

/* limit: bytes the arena may ever hold, 0 for none.  NULL when out of memory. */
extern MdrArena *mdr_arena_create(size_t limit);
extern void mdr_arena_destroy(MdrArena *arena);		/* NULL is fine */
extern void mdr_arena_reset(MdrArena *arena);		/* forget everything, keep one chunk for reuse */
extern size_t mdr_arena_used(const MdrArena *arena);

/* Zeroed, aligned to 16 bytes; NULL when out of memory or over the limit. */
extern void *mdr_alloc(MdrArena *arena, size_t size);
extern void *mdr_alloc_array(MdrArena *arena, size_t count, size_t size);	/* checks the product */
/* Grows an array that was the arena's, by copying; the old one stays until the arena goes. */
extern void *mdr_grow(MdrArena *arena, const void *old, size_t old_size, size_t new_size);
extern char *mdr_strndup(MdrArena *arena, const char *bytes, size_t length);	/* adds a terminating zero */

/* Test hook: the n-th mdr_alloc from now (1 = next) fails, 0 switches it off.  Used by unit tests only. */
extern void mdr_test_fail_alloc(long n);

/* Asked between windows and patterns; true means stop now with MDR_INTERRUPTED. */
typedef bool (*MdrInterrupted) (void *context);

/*
 * qsort() that asks interrupted (may be NULL) every few thousand items.  Takes as much memory again from the arena.  MDR_OK,
 * MDR_INTERRUPTED or MDR_NO_MEMORY; but for MDR_OK the order is undefined.
 */
extern MdrStatus mdr_sort(MdrArena *arena, void *items, size_t count, size_t size, int (*compare) (const void *left, const void *right),
						  MdrInterrupted interrupted, void *context);

#endif							/* MDR_BASE_H */
