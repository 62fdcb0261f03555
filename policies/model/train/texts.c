/*
 * texts.c
 *		Reads data sets: JSON, one text a line.
 *
 * A label says 0 or 1 of a category; "benign" 1 says 0 of every category, and 0 says that there is some harm.  What a text says nothing
 * about stays unknown.  Texts of the test split (one in ten, by a hash of the text) are never trained on.
 *
 * Input: .jsonl files.  Output: texts, folded, with labels by head.  Memory: the corpus's arena.  On error: the program ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "train.h"

#include <dirent.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 250				/* characters, about */
#define MOST_WINDOWS 3			/* of a text are trained on */

void
die(const char *format,...)
{
	va_list		arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* The whole file, with a zero behind it; not freed. */
char *
read_file(const char *name, size_t *length)
{
	FILE	   *in = fopen(name, "rb");
	char	   *bytes;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0)
		die("%s cannot be read", name);
	*length = (size_t) ftell(in);
	rewind(in);
	bytes = malloc(*length + 1);
	if (bytes == NULL || fread(bytes, 1, *length, in) != *length)
		die("%s cannot be read", name);
	bytes[*length] = '\0';
	fclose(in);
	return bytes;
}

static int
compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *) left, *(char *const *) right);
}

char **
list_files(const char *folder, const char *ending, uint32_t *count)
{
	DIR		   *dir = opendir(folder);
	char	  **names = NULL;
	struct dirent *entry;

	*count = 0;
	if (dir == NULL)
		return NULL;
	while ((entry = readdir(dir)) != NULL)
	{
		size_t		length = strlen(entry->d_name);

		if (length <= strlen(ending) || strcmp(entry->d_name + length - strlen(ending), ending) != 0)
			continue;
		names = realloc(names, (*count + 1) * sizeof(char *));
		if (names == NULL || (names[*count] = malloc(strlen(folder) + length + 2)) == NULL)
			die("out of memory");
		sprintf(names[(*count)++], "%s/%s", folder, entry->d_name);
	}
	closedir(dir);
	if (*count > 0)
		qsort(names, *count, sizeof(char *), compare_names);
	return names;
}

int
head_of(const char *name)
{
	static const char *const other_names[][2] = {
		{"sexual", "pornography"}, {"sexual_minors", "child_sexual_exploitation"}, {"grooming", "child_grooming"},
		{"trafficking", "human_trafficking"}, {"gore", "graphic_violence"}, {"misinformation", "deception"},
		{"impersonation_fraud", "inauthentic"}, {"malware_cyber", "cyber_attack"}, {"political_sensitive", "politics"},
		{"illicit_other", "illegal_activity"}
	};

	for (size_t i = 0; i < sizeof(other_names) / sizeof(other_names[0]); i++)
		if (strcmp(name, other_names[i][0]) == 0)
			name = other_names[i][1];
	for (int head = 0; head < NHEADS; head++)
		if (strcmp(name, head_names[head]) == 0)
			return head;
	return -1;
}

/* A set named after the file. */
uint32_t
add_set(Corpus *corpus, const char *file, int fold)
{
	const char *name = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;

	corpus->sets = realloc(corpus->sets, (corpus->nsets + 1) * sizeof(Set));
	if (corpus->sets == NULL)
		die("out of memory");
	corpus->sets[corpus->nsets] = (Set)
	{
		.name = mdr_strndup(corpus->arena, name, strcspn(name, ".")),.fold = fold
	};
	return corpus->nsets++;
}

void
add_text(Corpus *corpus, uint32_t set, const char *given, size_t length, uint32_t positive, uint32_t negative, uint32_t weak,
		 float weight)
{
	Text	   *text;
	uint32_t	characters = 0,
				windows;

	if (corpus->ntexts == corpus->capacity)
	{
		corpus->capacity = corpus->capacity == 0 ? 65536 : corpus->capacity * 2;
		corpus->texts = realloc(corpus->texts, corpus->capacity * sizeof(Text));
		if (corpus->texts == NULL)
			die("out of memory");
	}
	text = &corpus->texts[corpus->ntexts++];
	*text = (Text)
	{
		.set = set,.positive = positive,.negative = negative & ~positive,.weak = weak,.weight = weight
	};
	if (mdr_text_fold(corpus->arena, given, length, &text->plain) != MDR_OK)
		die("out of memory");
	text->plain.given = NULL;
	for (uint32_t i = 0; i < text->plain.length; i++)
		characters += (text->plain.bytes[i] & 0xC0) != 0x80;
	windows = (characters + WINDOW - 1) / WINDOW;
	corpus->sets[set].texts++;
	corpus->sets[set].windows += windows < 1 ? 1 : windows > MOST_WINDOWS ? MOST_WINDOWS : windows;
	corpus->sets[set].harm |= positive != 0;
	corpus->sets[set].harmful += positive != 0;
}

/* Whether a text is of the test split (FNV-1a; Fowler, Noll and Vo). */
static bool
is_for_test(const char *bytes, size_t length)
{
	uint64_t	hash = 14695981039346656037u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) bytes[i]) * 1099511628211u;
	return hash % 10 == 0;
}

static void
read_line(Corpus *corpus, uint32_t set, bool test_split, const char *file, uint32_t number, const char *line, size_t length)
{
	json_error_t error;
	json_t	   *object = json_loadb(line, length, 0, &error);
	json_t	   *given = json_object_get(object, "text"),
			   *labels = json_object_get(object, "labels"),
			   *value;
	const char *key;
	size_t		i;
	uint32_t	positive = 0,
				negative = 0,
				weak = 0;

	if (!json_is_string(given) || !json_is_object(labels))
		die("%s:%u: this is no text with labels", file, number);
	json_object_foreach(labels, key, value)
	{
		bool		benign = strcmp(key, "benign") == 0;
		int			head = benign ? ANY : head_of(key);

		if (head < 0)
			die("%s:%u: there is no category %s", file, number, key);
		if (benign)
		{
			positive |= json_integer_value(value) == 0 ? 1u << ANY : 0;
			negative |= json_integer_value(value) == 1 ? ALL_HEADS : 0;
		}
		else if (json_integer_value(value) == 1)
			positive |= 1u << head | (head != head_of("politics") ? 1u << ANY : 0);
		else
			negative |= 1u << head;
	}
	json_array_foreach(json_object_get(object, "weak"), i, value)
	{
		int			head = strcmp(json_string_value(value), "benign") == 0 ? ANY : head_of(json_string_value(value));

		if (head >= 0)
			weak |= 1u << head;
	}
	if (is_for_test(json_string_value(given), json_string_length(given)) == test_split)
		add_text(corpus, set, json_string_value(given), json_string_length(given), positive, negative, weak, 1);
	json_decref(object);
}

void
read_sets(Corpus *corpus, const char *folder, bool test_split)
{
	uint32_t	count;
	char	  **files = list_files(folder, ".jsonl", &count);

	if (count == 0)
		die("there are no .jsonl files in %s", folder);
	for (uint32_t f = 0; f < count; f++)
	{
		uint32_t	set = add_set(corpus, files[f], 0);
		size_t		length;
		char	   *bytes = read_file(files[f], &length);
		uint32_t	number = 1;

		for (char *line = bytes; line < bytes + length; number++)
		{
			char	   *end = memchr(line, '\n', bytes + length - line);

			end = end == NULL ? bytes + length : end;
			if (end > line)
				read_line(corpus, set, test_split, files[f], number, line, end - line);
			line = end + 1;
		}
		free(bytes);
	}
}
