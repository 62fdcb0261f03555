/*
 * functions.c
 *		Reads function tests: short templates, each about one thing that detection must or must not do.
 *
 *	@name: a | b | c				a list, for the lines below it
 *	function TAB label TAB text		label: a category, or benign; {name} in the text stands for the list's items
 *
 * A line is expanded as often as the longest list that it names is long; expansion i takes item i of its first list, i + 3 of the
 * second, and so on, from the start again where a list ends.  The language is the file's name.
 *
 * Input: a folder.  Output: a corpus with a set for each function and language.  Locks: none.  Memory: the corpus' arena.  On error: the
 * program ends and says where.
 */
#include "eval.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LISTS 256
#define MAX_SLOTS 8				/* of a line */
#define STEP 3

typedef struct List
{
	const char *name;
	char	  **items;
	uint32_t	nitems;
} List;

/* A line as it was written. */
typedef struct Line
{
	const char *function;
	const char *text;
	int			category;		/* -1 = benign */
} Line;

typedef struct Reader
{
	Corpus	   *corpus;
	const char *file;
	unsigned	number;
	List		lists[MAX_LISTS];
	uint32_t	nlists;
	Line	   *lines;
	uint32_t	nlines;
} Reader;

static char *
trimmed(MdrArena *arena, const char *from, size_t length)
{
	while (length > 0 && strchr(" \t", from[0]) != NULL)
		from++, length--;
	while (length > 0 && strchr(" \t\r\n", from[length - 1]) != NULL)
		length--;
	return must(mdr_strndup(arena, from, length));
}

static void
read_list(Reader *reader, const char *line)
{
	MdrArena   *arena = reader->corpus->arena;
	const char *colon = strchr(line, ':');
	List	   *list = &reader->lists[reader->nlists];

	if (colon == NULL || reader->nlists == MAX_LISTS)
		give_up("%s:%u: not \"@name: item | item\", or more than %d lists", reader->file, reader->number, MAX_LISTS);
	*list = (List) {.name = trimmed(arena, line + 1, (size_t) (colon - line - 1))};
	for (const char *item = colon + 1; item != NULL;)
	{
		const char *end = strchr(item, '|');
		char	   *text = trimmed(arena, item, end ? (size_t) (end - item) : strlen(item));

		list->items = must(mdr_grow(arena, list->items, list->nitems * sizeof(char *), (list->nitems + 1) * sizeof(char *)));
		list->items[list->nitems++] = text;
		item = end ? end + 1 : NULL;
	}
	reader->nlists++;
}

static void
read_case(Reader *reader, const char *line)
{
	MdrArena   *arena = reader->corpus->arena;
	const char *label = strchr(line, '\t');
	const char *text = label ? strchr(label + 1, '\t') : NULL;
	char	   *category;
	Line	   *read;

	if (text == NULL)
		give_up("%s:%u: not \"function TAB label TAB text\"", reader->file, reader->number);
	category = trimmed(arena, label, (size_t) (text - label));
	reader->lines = must(mdr_grow(arena, reader->lines, reader->nlines * sizeof(Line), (reader->nlines + 1) * sizeof(Line)));
	read = &reader->lines[reader->nlines++];
	*read = (Line) {trimmed(arena, line, (size_t) (label - line)), trimmed(arena, text, strlen(text)), -1};
	if (strcmp(category, "benign") == 0)
		return;
	read->category = category_of(reader->corpus->engine, category);
	if (read->category < 0)
		give_up("%s:%u: no category %s", reader->file, reader->number, category);
}

/* The lists that a text names, each once, in the order of their first slots. */
static uint32_t
find_slots(const Reader *reader, const char *text, const List **slots)
{
	uint32_t	nslots = 0;

	for (const char *open = strchr(text, '{'); open != NULL; open = strchr(open + 1, '{'))
	{
		size_t		length = strcspn(open + 1, "}");
		const List *list = NULL;
		bool		known = false;

		for (uint32_t i = 0; i < reader->nlists; i++)
			if (strlen(reader->lists[i].name) == length && strncmp(reader->lists[i].name, open + 1, length) == 0)
				list = &reader->lists[i];
		if (list == NULL || nslots == MAX_SLOTS)
			give_up("%s: no list {%.*s}, or more than %d in a line", reader->file, (int) length, open + 1, MAX_SLOTS);
		for (uint32_t i = 0; i < nslots; i++)
			known |= slots[i] == list;
		if (!known)
			slots[nslots++] = list;
	}
	return nslots;
}

static void
expand(const Reader *reader, const Line *line, const char *language)
{
	const List *slots[MAX_SLOTS];
	uint32_t	nslots = find_slots(reader, line->text, slots);
	uint32_t	times = 1;

	for (uint32_t i = 0; i < nslots; i++)
		if (slots[i]->nitems > times)
			times = slots[i]->nitems;
	for (uint32_t i = 0; i < times; i++)
	{
		Text		text = {.id = line->function, .language = language_of(reader->corpus, language), .benign = line->category < 0};
		char	   *bytes;
		size_t		length;
		FILE	   *out = must(open_memstream(&bytes, &length));

		for (const char *from = line->text; *from != '\0';)
		{
			size_t		name = strcspn(from + 1, "}");

			if (*from != '{')
			{
				fputc(*from++, out);
				continue;
			}
			for (uint32_t k = 0; k < nslots; k++)
				if (strlen(slots[k]->name) == name && strncmp(slots[k]->name, from + 1, name) == 0)
					fputs(slots[k]->items[(i + STEP * k) % slots[k]->nitems], out);
			from += name + 2;
		}
		fclose(out);
		text.bytes = must(mdr_strndup(reader->corpus->arena, bytes, length));
		text.length = (uint32_t) length;
		free(bytes);
		memset(text.label, text.benign ? 0 : NO_LABEL, sizeof(text.label));
		if (line->category >= 0)
			text.label[line->category] = 1;
		add_text(reader->corpus, &text);
	}
}

/* Lines of one function may stand apart, and one function may have harmful and harmless lines. */
static void
make_sets(const Reader *reader, const char *language)
{
	for (uint32_t i = 0; i < reader->nlines; i++)
	{
		const char *function = reader->lines[i].function;
		bool		done = false;

		for (uint32_t j = 0; j < i; j++)
			done |= strcmp(reader->lines[j].function, function) == 0;
		if (done)
			continue;
		add_set(reader->corpus, function, strlen(function));
		for (uint32_t j = i; j < reader->nlines; j++)
			if (strcmp(reader->lines[j].function, function) == 0)
				expand(reader, &reader->lines[j], language);
	}
}

static void
read_file(Corpus *corpus, const char *file)
{
	Reader	   *reader = must(mdr_alloc(corpus->arena, sizeof(Reader)));
	const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	FILE	   *in = fopen(file, "rb");
	char	   *line = NULL;
	size_t		size = 0;

	if (in == NULL)
		give_up("%s: %s", file, strerror(errno));
	*reader = (Reader) {.corpus = corpus, .file = file};
	while (getline(&line, &size, in) > 0)
	{
		reader->number++;
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '@')
			read_list(reader, line);
		else if (line[0] != '#' && line[strspn(line, " \t")] != '\0')
			read_case(reader, line);
	}
	free(line);
	fclose(in);
	make_sets(reader, must(mdr_strndup(corpus->arena, name, strcspn(name, "."))));
}

void
read_functions(Corpus *corpus, const char *folder)
{
	char		pattern[4096];
	glob_t		found;

	snprintf(pattern, sizeof(pattern), "%s/*.txt", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		give_up("%s: no .txt files there", folder);
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_file(corpus, found.gl_pathv[i]);
	globfree(&found);
}
