/*
 * base.c
 *		Tests of arenas and of errors.
 */
#include <string.h>

#include "base/base.h"
#include "tap.h"

static bool
is_zero(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

static void
pieces(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	bool		zero = true;
	bool		aligned = true;
	bool		whole = true;
	char	   *kept[500];
	size_t		used;

	/* Thrice, since a reset leaves dirty memory behind. */
	for (int round = 0; round < 3; round++)
	{
		for (int i = 0; i < 500; i++)
		{
			size_t		size = (size_t) i * i % 7919 + (i == 250 ? 3000000 : 0);

			kept[i] = mdr_alloc(arena, size);
			zero = zero && is_zero(kept[i], size);
			aligned = aligned && (uintptr_t) kept[i] % 16 == 0;
			memset(kept[i], i % 255 + 1, size);
		}
		for (int i = 0; i < 500; i++)
		{
			size_t		size = (size_t) i * i % 7919 + (i == 250 ? 3000000 : 0);

			for (size_t k = 0; k < size; k++)
				whole = whole && kept[i][k] == (char) (i % 255 + 1);
		}
		used = mdr_arena_used(arena);
		mdr_arena_reset(arena);
	}
	ok(zero, "pieces are zeroed");
	ok(aligned, "and aligned to 16 bytes");
	ok(whole, "and do not overlap");
	ok(used >= 3000000 && mdr_arena_used(arena) == 0, "what is used is counted, and forgotten by a reset");
	ok(mdr_alloc(arena, 0) != NULL, "a piece of no bytes is one");
	mdr_arena_destroy(arena);
	mdr_arena_destroy(NULL);
	ok(true, "destroying nothing is fine");
}

static void
growth(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	int		   *numbers = NULL;
	int			size = 0;
	bool		right = true;
	char	   *copy;

	for (int i = 0; i < 10000; i++)
	{
		if (i == size)
		{
			numbers = mdr_grow(arena, numbers, size * sizeof(int), (size * 2 + 1) * sizeof(int));
			right = right && is_zero((char *) (numbers + size), (size + 1) * sizeof(int));
			size = size * 2 + 1;
		}
		numbers[i] = i;
	}
	for (int i = 0; i < 10000; i++)
		right = right && numbers[i] == i;
	ok(right, "arrays grow, keep what they held and are zero beyond");
	numbers = mdr_grow(arena, numbers, 10000 * sizeof(int), 10 * sizeof(int));
	ok(numbers[9] == 9, "and shrink");
	copy = mdr_strndup(arena, "moderation", 5);
	ok(strcmp(copy, "moder") == 0, "strings are copied and terminated");
	ok(strcmp(mdr_strndup(arena, NULL, 0), "") == 0, "none is an empty one");
	mdr_arena_destroy(arena);
}

static void
limits(void)
{
	MdrArena   *arena = mdr_arena_create(100000);
	size_t		held = 0;

	ok(mdr_alloc(arena, 100001) == NULL, "a piece over the limit is refused");
	while (mdr_alloc(arena, 1000) != NULL)
		held += 1000;
	ok(held >= 80000 && held <= 100000, "pieces up to the limit are not");
	ok(mdr_alloc(arena, 20000) == NULL, "the limit stays reached");
	mdr_arena_reset(arena);
	ok(mdr_alloc(arena, 20000) != NULL, "until a reset");
	ok(mdr_alloc(arena, SIZE_MAX) == NULL && mdr_alloc(arena, SIZE_MAX - 8) == NULL, "absurd sizes are refused");
	ok(mdr_alloc_array(arena, SIZE_MAX / 2, 3) == NULL && mdr_alloc_array(arena, 10, 10) != NULL,
	   "so are products that overflow");
	ok(mdr_strndup(arena, "", SIZE_MAX) == NULL && mdr_grow(arena, NULL, 0, SIZE_MAX) == NULL, "whoever asks");
	mdr_arena_destroy(arena);
}

static void
failing(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	bool		first;
	bool		second;

	mdr_test_fail_alloc(2);
	first = mdr_alloc(arena, 10) != NULL;
	second = mdr_alloc(arena, 10) != NULL;
	ok(first && !second && mdr_alloc(arena, 10) != NULL, "the second from now fails, and only that");
	mdr_test_fail_alloc(1);
	mdr_test_fail_alloc(0);
	ok(mdr_alloc(arena, 10) != NULL, "zero switches it off");
	mdr_test_fail_alloc(1);
	ok(mdr_grow(arena, NULL, 0, 10) == NULL, "growing is allocating");
	mdr_arena_destroy(arena);
}

static void
errors(void)
{
	MdrError	error = {.file = "hate.yaml", .rule = "hate.expel.en"};
	char		text[700];

	ok(mdr_fail(&error, MDR_INVALID, 3, 7, "unknown key \"%s\"", "wieght") == MDR_INVALID,
	   "a failure returns its status");
	ok(error.status == MDR_INVALID && error.line == 3 && error.column == 7 &&
	   strcmp(error.message, "unknown key \"wieght\"") == 0,
	   "and says where and what");
	ok(strcmp(error.file, "hate.yaml") == 0 && strcmp(error.rule, "hate.expel.en") == 0,
	   "file and rule stay as they were set");
	ok(mdr_fail(NULL, MDR_BROKEN, 0, 0, "nobody hears") == MDR_BROKEN, "nobody need listen");
	for (int shift = 0; shift < 3; shift++)
	{
		size_t		length;

		memset(text, 'x', shift);
		for (int i = shift; i + 3 < (int) sizeof(text); i += 3)
			memcpy(text + i, "\xE4\xB8\xAD\0", 4);
		(void) mdr_fail(&error, MDR_INVALID, 1, 1, "%s", text);
		length = strlen(error.message);
		ok(length < sizeof(error.message) && length > sizeof(error.message) - 4 && (length - shift) % 3 == 0,
		   "a long message is cut between characters");
	}
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void) mdr_fail(&error, MDR_INVALID, 1, 1, "%s", text);
	ok(strlen(error.message) == sizeof(error.message) - 1, "or where it is full");
}

int
main(void)
{
	pieces();
	growth();
	limits();
	failing();
	errors();
	return done();
}
