/*
 * base_arena.c
 *		Arenas: memory that is handed out piece by piece and given back at once.
 *
 * An arena is a list of chunks from malloc; a piece is cut from the chunk at its head, and a piece too large for that
 * gets a chunk of its own behind it, so that the head's rest is not lost.  Each chunk remembers how far it was ever
 * used: what lies beyond is still zero from calloc and need not be cleared again, which makes large buffers cheap.
 *
 * Input and output: sizes in, pointers out.  Locks: none, an arena is used by one thread at a time.  Memory: the
 * arena owns its chunks until mdr_arena_destroy.  Errors: NULL, when malloc fails, the limit is reached or a size
 * overflows; the arena stays usable.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define HIDE(address, size)		ASAN_POISON_MEMORY_REGION(address, size)
#define SHOW(address, size)		ASAN_UNPOISON_MEMORY_REGION(address, size)
#define GUARD					16	/* hidden bytes behind each piece, so that the sanitizer sees overruns */
#else
#define HIDE(address, size)		((void) 0)
#define SHOW(address, size)		((void) 0)
#define GUARD					0
#endif

#define ALIGNMENT	16
#define FIRST_CHUNK ((size_t) 16 * 1024)
#define LAST_CHUNK	((size_t) 1024 * 1024)	/* chunks double up to here; larger ones are not kept by a reset */

typedef struct Chunk
{
	struct Chunk *next;
	size_t		size;			/* bytes in data */
	size_t		used;
	size_t		touched;		/* bytes from here on are still zero */
	_Alignas(ALIGNMENT) char data[];
} Chunk;

struct MdrArena
{
	Chunk	   *head;
	size_t		limit;			/* on held; 0 = none */
	size_t		held;			/* sum of the chunks' sizes */
	size_t		used;			/* sum of the pieces' sizes, rounded up */
	size_t		next_size;		/* of the next chunk */
};

/* Countdown of mdr_test_fail_alloc. */
static long fail_alloc = 0;

void
mdr_test_fail_alloc(long n)
{
	fail_alloc = n;
}

static bool
should_fail(void)
{
	return fail_alloc > 0 && --fail_alloc == 0;
}

MdrArena *
mdr_arena_create(size_t limit)
{
	MdrArena   *arena = calloc(1, sizeof(MdrArena));

	if (arena != NULL)
	{
		arena->limit = limit;
		arena->next_size = FIRST_CHUNK;
	}
	return arena;
}

static void
free_chunks(Chunk *chunk)
{
	while (chunk != NULL)
	{
		Chunk	   *next = chunk->next;

		SHOW(chunk->data, chunk->size);
		free(chunk);
		chunk = next;
	}
}

void
mdr_arena_destroy(MdrArena *arena)
{
	if (arena == NULL)
		return;
	free_chunks(arena->head);
	free(arena);
}

void
mdr_arena_reset(MdrArena *arena)
{
	Chunk	  **kept = NULL;
	Chunk	   *keep = NULL;

	for (Chunk **link = &arena->head; *link != NULL; link = &(*link)->next)
	{
		if ((*link)->size <= LAST_CHUNK && (kept == NULL || (*link)->size > (*kept)->size))
			kept = link;
	}
	if (kept != NULL)
	{
		keep = *kept;
		*kept = keep->next;
	}
	free_chunks(arena->head);
	if (keep != NULL)
	{
		if (keep->used > keep->touched)
			keep->touched = keep->used;
		keep->used = 0;
		keep->next = NULL;
		HIDE(keep->data, keep->size);
	}
	arena->head = keep;
	arena->held = keep == NULL ? 0 : keep->size;
	arena->used = 0;
}

size_t
mdr_arena_used(const MdrArena *arena)
{
	return arena->used;
}

/* Adds a chunk with room for size bytes: at the head, or behind it when it is for one large piece. */
static Chunk *
add_chunk(MdrArena *arena, size_t size)
{
	bool		alone = size > arena->next_size / 2 && arena->head != NULL;
	size_t		chunk_size = alone || size > arena->next_size ? size : arena->next_size;
	Chunk	   *chunk;

	if (arena->limit != 0)
	{
		size_t		left = arena->limit > arena->held ? arena->limit - arena->held : 0;

		if (size > left)
			return NULL;
		if (chunk_size > left)
			chunk_size = left;
	}
	chunk = calloc(1, sizeof(Chunk) + chunk_size);
	if (chunk == NULL)
		return NULL;
	chunk->size = chunk_size;
	HIDE(chunk->data, chunk->size);
	arena->held += chunk_size;
	if (alone)
	{
		chunk->next = arena->head->next;
		arena->head->next = chunk;
	}
	else
	{
		chunk->next = arena->head;
		arena->head = chunk;
		if (arena->next_size < LAST_CHUNK)
			arena->next_size *= 2;
	}
	return chunk;
}

/* Cuts size bytes, a multiple of ALIGNMENT, from the chunk, cleared; asked of them are for the caller. */
static void *
cut(MdrArena *arena, Chunk *chunk, size_t size, size_t asked)
{
	char	   *piece = chunk->data + chunk->used;
	size_t		dirty = chunk->touched > chunk->used ? chunk->touched - chunk->used : 0;

	SHOW(piece, size);
	memset(piece, 0, dirty < size ? dirty : size);
	chunk->used += size;
	if (chunk->used > chunk->touched)
		chunk->touched = chunk->used;
	arena->used += size;
	(void) asked;				/* unless there is a sanitizer to tell */
	HIDE(piece + asked, size - asked);
	return piece;
}

/* size rounded up, with its guard; 0 when that overflows. */
static size_t
rounded(size_t size)
{
	if (size > SIZE_MAX / 2)
		return 0;
	if (size == 0)
		size = 1;
	return ((size + ALIGNMENT - 1) & ~(size_t) (ALIGNMENT - 1)) + GUARD;
}

void *
mdr_alloc(MdrArena *arena, size_t size)
{
	Chunk	   *chunk = arena->head;
	size_t		asked = size;

	if (should_fail() || (size = rounded(size)) == 0)
		return NULL;
	if (chunk == NULL || chunk->size - chunk->used < size)
		chunk = add_chunk(arena, size);
	return chunk == NULL ? NULL : cut(arena, chunk, size, asked);
}

void *
mdr_alloc_array(MdrArena *arena, size_t count, size_t size)
{
	size_t		product;

	if (__builtin_mul_overflow(count, size, &product))
		return NULL;
	return mdr_alloc(arena, product);
}

void *
mdr_grow(MdrArena *arena, const void *old, size_t old_size, size_t new_size)
{
	void	   *grown = mdr_alloc(arena, new_size);

	if (grown != NULL && old != NULL)
		memcpy(grown, old, old_size < new_size ? old_size : new_size);
	return grown;
}

char *
mdr_strndup(MdrArena *arena, const char *bytes, size_t length)
{
	char	   *copy = length == SIZE_MAX ? NULL : mdr_alloc(arena, length + 1);

	if (copy != NULL && length > 0)
		memcpy(copy, bytes, length);
	return copy;
}
