/*
 * fuzz.h
 *		What the fuzzers share: a broken promise ends the run, UTF-8, numbers from the input.
 *
 * A fuzzer is given bytes by libFuzzer, makes of them what it tests, and calls require() for whatever must hold; the sanitizers watch
 * the rest.  `.ci/fuzz` builds and runs them all.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "text/text_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libFuzzer keeps the input that led here. */
#define require(holds, what) \
	do { \
		if (!(holds)) \
		{ \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, what); \
			abort(); \
		} \
	} while (0)

/* The input, from which numbers are taken until there is no more; then they are 0. */
typedef struct Input
{
	const uint8_t *next;
	const uint8_t *end;
} Input;

__attribute__((unused)) static uint64_t
take(Input *input, int bytes)
{
	uint64_t	value = 0;

	for (int i = 0; i < bytes && input->next < input->end; i++)
		value |= (uint64_t) *input->next++ << (8 * i);
	return value;
}

/* A number that depends on all of the bytes (FNV-1a). */
__attribute__((unused)) static uint64_t
digest(const uint8_t *bytes, size_t length)
{
	uint64_t	sum = UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001B3);
	return sum ^ sum >> 32;
}

__attribute__((unused)) static bool
is_utf8(const char *bytes, size_t length)
{
	const char *end = bytes + length;
	uint32_t	c;

	while (bytes < end)
	{
		uint32_t	n = mdr_utf8_next(bytes, end, &c);

		if (n == 0)
			return false;
		bytes += n;
	}
	return true;
}

/* Whether a character begins, or the text ends, at the position of valid UTF-8. */
__attribute__((unused)) static bool
is_edge(const char *bytes, size_t length, size_t position)
{
	return position == length || (position < length && ((unsigned char) bytes[position] & 0xC0) != 0x80);
}

__attribute__((unused)) static char *
allocate(size_t length)
{
	char	   *bytes = malloc(length ? length : 1);

	require(bytes != NULL, "there is memory");
	return bytes;
}

/* Bytes in memory of exactly their size, so that a step too far is seen.  The caller frees. */
__attribute__((unused)) static char *
exact_copy(const void *bytes, size_t length)
{
	char	   *copy = allocate(length);

	if (length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

/* A whole file, with a terminating zero that length does not count.  The caller frees. */
__attribute__((unused)) static char *
read_whole(const char *name, size_t *length)
{
	FILE	   *file = fopen(name, "rb");
	size_t		capacity = 1 << 20;
	char	   *bytes = malloc(capacity);

	if (file == NULL || bytes == NULL)
	{
		fprintf(stderr, "cannot read %s: fuzzers run in the folder of the Makefile\n", name);
		exit(2);
	}
	*length = fread(bytes, 1, capacity - 1, file);
	bytes[*length] = '\0';
	fclose(file);
	return bytes;
}

#endif							/* FUZZ_H */
