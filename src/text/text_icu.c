/*
 * text_icu.c
 *		Memory for ICU that does not run out within one call.
 *
 * ICU (72) does not survive a lack of memory: it reads through a null pointer (RuleBasedBreakIterator::getLanguageBreakEngine), or
 * waits for ever for a lock that it holds itself (locale_set_default_internal).  Inside a server the one would take every session
 * down, the other could not be cancelled.  So ICU gets malloc() as ever, and where that has nothing a piece of a reserve; the caller
 * asks afterwards whether this was so, and throws away what ICU said.
 *
 * These functions are the whole process's, the server's own use of ICU included; they differ from malloc() and free() only in what
 * would have been a failure, so it does not matter when they are set, or what was allocated before.
 *
 * Locks: none; one thread.  Memory: the reserve is the library's own, untouched until it is needed; it is whole again once every
 * piece of it was freed.  Errors: none but an empty reserve, which mdr_icu_ready() sees to.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uclean.h>

#include "text/text_parts.h"

#define RESERVE ((size_t) 2 * 1024 * 1024)
#define NEEDED	((size_t) 1024 * 1024)	/* more than ICU takes to open its dictionaries and part a few hundred characters */

/* Before each piece. */
typedef struct Header
{
	_Alignas(16) size_t size;
} Header;

static _Alignas(16) char reserve[RESERVE];
static size_t taken = 0;		/* bytes */
static size_t pieces = 0;		/* not freed yet */
static bool was_used = false;

static void *
take(size_t size)
{
	Header	   *header = (Header *) (reserve + taken);

	if (size > RESERVE - taken || RESERVE - taken - size < sizeof(Header) + 16)
		return NULL;
	was_used = true;
	header->size = size;
	taken += (sizeof(Header) + size + 15) & ~(size_t) 15;
	pieces++;
	return header + 1;
}

static bool
is_reserve(const void *piece)
{
	return (const char *) piece >= reserve && (const char *) piece < reserve + RESERVE;
}

/* UMemAllocFn, UMemReallocFn, UMemFreeFn */
static void *
icu_alloc(const void *context, size_t size)
{
	void	   *piece = malloc(size);

	return piece != NULL ? piece : take(size);
}

static void
icu_free(const void *context, void *piece)
{
	if (!is_reserve(piece))
		free(piece);
	else if (--pieces == 0)
		taken = 0;
}

static void *
icu_realloc(const void *context, void *piece, size_t size)
{
	void	   *larger = is_reserve(piece) ? NULL : realloc(piece, size);
	size_t		old;

	if (larger != NULL)
		return larger;
	larger = icu_alloc(context, size);
	if (larger == NULL || piece == NULL)
		return larger;
	old = is_reserve(piece) ? ((const Header *) piece - 1)->size : malloc_usable_size(piece);
	memcpy(larger, piece, old < size ? old : size);
	icu_free(context, piece);
	return larger;
}

bool
mdr_icu_ready(void)
{
	UErrorCode	status = U_ZERO_ERROR;

	if (RESERVE - taken < NEEDED)
		return false;
	was_used = false;
	u_setMemoryFunctions(NULL, icu_alloc, icu_realloc, icu_free, &status);
	return U_SUCCESS(status);
}

bool
mdr_icu_starved(void)
{
	return was_used;
}
