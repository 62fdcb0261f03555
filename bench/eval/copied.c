/*
 * copied.c
 *		Whether function tests have been written off: what stands in the rules or in the model's examples tests memory.
 *
 * Compared are sequences of four words, and of six characters of Chinese, within a line; what a slot separates is no sequence.  A
 * sequence with one content word, or none, is everybody's, and does not count.
 *
 * Input: the tests' files, and all files under a folder.  Output: a stream.  Locks: none.  Memory: its own, until the program ends.  On
 * error: the program ends.
 */
#define _GNU_SOURCE
#include "eval.h"
#include "disguise.h"

#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define WORDS 4
#define CHARACTERS 6
#define LEAST_CONTENT 2			/* words of four that are no function words: the rest is everybody's */
#define SLOTS (1 << 22)			/* of the table of sequences; many times what a policy has */
#define MOST_COPIED 5.0			/* in 100 sequences; there are set phrases */

static uint64_t *known;

/* Called for each sequence of a line. */
typedef void (*Visit) (void *context, const char *sequence, size_t length);

static uint64_t
hash_of(const char *sequence, size_t length)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) sequence[i]) * UINT64_C(0x100000001B3);
	return hash | 1;
}

static uint64_t *
slot_of(uint64_t hash)
{
	size_t		at = hash >> 20 & (SLOTS - 1);

	while (known[at] != 0 && known[at] != hash)
		at = (at + 1) & (SLOTS - 1);
	return &known[at];
}

static void
remember(void *context, const char *sequence, size_t length)
{
	uint64_t	hash = hash_of(sequence, length);

	*slot_of(hash) = hash;
}

static bool
is_han(const char *bytes)
{
	return (unsigned char) bytes[0] >= 0xE4 && (unsigned char) bytes[0] <= 0xE9;
}

static bool
is_in_word(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '\'' || ((unsigned char) c >= 0x80);
}

/* Visits sequences of words; words holds the last ones, parted by spaces. */
static void
visit_words(const char *line, Visit visit, void *context)
{
	char		words[WORDS][64];
	int			count = 0;

	for (const char *p = line; *p != '\0';)
	{
		size_t		length = 0;

		while (is_in_word(p[length]) && !is_han(p + length))
			length++;
		if (length == 0 || length >= sizeof(words[0]))
		{
			/* A slot parts sequences; punctuation does not. */
			if (*p == '{' || *p == '|' || is_han(p) || length > 0)
				count = 0;
			p += length > 0 ? length : strspn(p, "{") > 0 ? strcspn(p, "}") + (strchr(p, '}') != NULL) : 1;
			continue;
		}
		memmove(words[0], words[1], sizeof(words) - sizeof(words[0]));
		for (size_t i = 0; i < length; i++)
			words[WORDS - 1][i] = (char) (p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 0x20 : p[i]);
		words[WORDS - 1][length] = '\0';
		p += length;
		if (++count >= WORDS)
		{
			char		sequence[WORDS * 64];
			int			content = 0;

			for (int i = 0; i < WORDS; i++)
				content += disguise_content_word(words[i]);
			snprintf(sequence, sizeof(sequence), "%s %s %s %s", words[0], words[1], words[2], words[3]);
			if (content >= LEAST_CONTENT)
				visit(context, sequence, strlen(sequence));
		}
	}
}

static void
visit_characters(const char *line, Visit visit, void *context)
{
	for (const char *p = line; *p != '\0';)
	{
		size_t		run = 0;

		while (is_han(p + run) && p[run + 1] != '\0' && p[run + 2] != '\0')
			run += 3;
		for (size_t i = 0; i + CHARACTERS * 3 <= run; i += 3)
			visit(context, p + i, CHARACTERS * 3);
		p += run > 0 ? run : 1;
	}
}

static void
visit_file(const char *name, Visit visit, void *context)
{
	FILE	   *in = fopen(name, "r");
	char	   *line = NULL;
	size_t		size = 0;

	if (in == NULL)
		give_up("%s: %s", name, strerror(errno));
	while (getline(&line, &size, in) > 0)
	{
		const char *text = strrchr(line, '\t') ? strrchr(line, '\t') : line;	/* without function, label, language */

		if (line[0] == '#')
			continue;
		visit_words(text, visit, context);
		visit_characters(text, visit, context);
	}
	free(line);
	fclose(in);
}

static int
remember_file(const char *name, const struct stat *status, int type, struct FTW *where)
{
	size_t		length = strlen(name);

	if (type == FTW_F && length > 5 && (strcmp(name + length - 5, ".yaml") == 0 || strcmp(name + length - 4, ".txt") == 0))
		visit_file(name, remember, NULL);
	return 0;
}

typedef struct Tally
{
	uint32_t	sequences;
	uint32_t	copied;
	FILE	   *shown;			/* those that were found */
} Tally;

static void
compare(void *context, const char *sequence, size_t length)
{
	Tally	   *tally = context;

	tally->sequences++;
	if (*slot_of(hash_of(sequence, length)) == 0)
		return;
	tally->copied++;
	fprintf(tally->shown, "- %.*s\n", (int) length, sequence);
}

bool
print_copied(MdrArena *arena, const char *tests, const char *policies, FILE *out)
{
	Table	   *table = table_create(arena, "file|>sequences|>also in the policy|>%|note");
	char		pattern[4096];
	glob_t		found;
	char	   *shown;
	size_t		length;
	FILE	   *list = must(open_memstream(&shown, &length));
	bool		good = true;

	known = must(calloc(SLOTS, sizeof(uint64_t)));
	if (nftw(policies, remember_file, 16, FTW_PHYS) != 0)
		give_up("%s: %s", policies, strerror(errno));
	snprintf(pattern, sizeof(pattern), "%s/*.txt", tests);
	if (glob(pattern, 0, NULL, &found) != 0)
		give_up("%s: no .txt files there", tests);
	for (size_t i = 0; i < found.gl_pathc; i++)
	{
		Tally		tally = {.shown = list};
		double		copied;

		visit_file(found.gl_pathv[i], compare, &tally);
		copied = tally.sequences > 0 ? 100.0 * tally.copied / tally.sequences : 0;
		table_add(table, "%s", found.gl_pathv[i]);
		table_add(table, "%u", tally.sequences);
		table_add(table, "%u", tally.copied);
		table_add(table, "%.1f", copied);
		table_add(table, "%s", copied > MOST_COPIED ? "too many: tests and policy are not apart" : "");
		good &= copied <= MOST_COPIED;
	}
	globfree(&found);
	fclose(list);
	table_print(table, out);
	fprintf(stderr, "Sequences of function tests that stand in the policy, too:\n%s", shown);
	free(shown);
	free(known);
	return good;
}
