/*
 * replay.c
 *		Stands in for libFuzzer where there is none: runs a fuzzer on every file of the folders given, and then, until the time is over, on
 *		changed copies of them.  It learns nothing, but it never passes with nothing done either.
 *
 *		fuzz_text -max_total_time=SECONDS -max_len=BYTES -artifact_prefix=PREFIX FOLDER...		(other options are libFuzzer's)
 *
 * Memory: lives until the program ends.
 */
#define _DEFAULT_SOURCE

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sanitizer/common_interface_defs.h>

#define MOST_SEEDS 10000
#define MOST_BYTES 65536

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern int	LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

typedef struct Seed
{
	uint8_t    *bytes;
	size_t		size;
} Seed;

static Seed seeds[MOST_SEEDS];
static size_t nseeds;
static uint8_t changed[MOST_BYTES];
static size_t changed_size;
static const char *prefix = "";
static uint64_t state = 88172645463325252u;

static size_t
roll(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* Keeps the input that led here. */
static void
keep(void)
{
	char		name[4096];
	FILE	   *out;

	snprintf(name, sizeof(name), "%scrash", prefix);
	out = fopen(name, "wb");
	if (out == NULL)
		return;
	fwrite(changed, 1, changed_size, out);
	fclose(out);
	fprintf(stderr, "Test unit written to %s\n", name);
}

static void
on_abort(int number)
{
	keep();
	_Exit(1);
}

static void
read_folder(const char *folder)
{
	DIR		   *directory = opendir(folder);
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL && nseeds < MOST_SEEDS)
	{
		char		name[4096];
		FILE	   *in;

		snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
		in = entry->d_name[0] == '.' ? NULL : fopen(name, "rb");
		if (in == NULL)
			continue;
		seeds[nseeds].bytes = malloc(MOST_BYTES);
		seeds[nseeds].size = fread(seeds[nseeds].bytes, 1, MOST_BYTES, in);
		nseeds++;
		fclose(in);
	}
	if (directory != NULL)
		closedir(directory);
}

/* A few bytes set, taken out, doubled, or taken from another seed. */
static void
change(size_t most)
{
	for (size_t times = 1 + roll(6); times > 0 && changed_size > 0; times--)
	{
		size_t		at = roll(changed_size);
		size_t		length = 1 + roll(changed_size - at < 64 ? changed_size - at : 64);
		const Seed *other = &seeds[roll(nseeds)];

		switch (roll(4))
		{
			case 0:
				changed[at] = (uint8_t) roll(256);
				break;
			case 1:
				memmove(changed + at, changed + at + length, changed_size - at - length);
				changed_size -= length;
				break;
			case 2:
				if (changed_size + length > most)
					break;
				memmove(changed + at + length, changed + at, changed_size - at);
				changed_size += length;
				break;
			default:
				if (length <= other->size)
					memcpy(changed + at, other->bytes + roll(other->size - length + 1), length);
		}
	}
}

int
main(int count, char **arguments)
{
	long		seconds = 1;
	size_t		most = 4096;
	unsigned long runs = 0;
	time_t		end;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&count, &arguments);
	for (int i = 1; i < count; i++)
	{
		if (sscanf(arguments[i], "-max_total_time=%ld", &seconds) == 1 || sscanf(arguments[i], "-max_len=%zu", &most) == 1)
			continue;
		if (strncmp(arguments[i], "-artifact_prefix=", 17) == 0)
			prefix = arguments[i] + 17;
		else if (arguments[i][0] != '-')
			read_folder(arguments[i]);
	}
	if (nseeds == 0)
	{
		fprintf(stderr, "ERROR: no seeds\n");
		return 1;
	}
	most = most < MOST_BYTES ? most : MOST_BYTES;
	signal(SIGABRT, on_abort);
	__sanitizer_set_death_callback(keep);
	end = time(NULL) + seconds;
	for (size_t i = 0; i < nseeds || time(NULL) < end; i++)
	{
		const Seed *seed = &seeds[i < nseeds ? i : roll(nseeds)];

		changed_size = seed->size < most ? seed->size : most;
		memcpy(changed, seed->bytes, changed_size);
		if (i >= nseeds)
			change(most);
		LLVMFuzzerTestOneInput(changed, changed_size);
		runs++;
	}
	fprintf(stderr, "stat::number_of_executed_units: %lu\n", runs);
	return 0;
}
