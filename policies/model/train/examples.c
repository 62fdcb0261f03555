/*
 * examples.c
 *		Reads the project's own examples, and makes texts of their frames.
 *
 * A file is a set.  A line is a comment (#), or one of
 *
 *	@NAME LABELS: item | item			a list; LABELS may be absent; more lines of the same name add to it
 *	xN TAB LABELS TAB LANGUAGE TAB text	a frame with {NAME} slots that makes at most N texts; LABELS * = those of the items together
 *	LABELS TAB LANGUAGE TAB text		an example
 *	weight TAB W						what each text from the lines below weighs
 *
 * LABELS are joined by +: a category's id, "any" (harm of no category), "benign" (0 for every head), !ID (0 for that one).  "benign"
 * beside politics or violence: 1 for that one and 0 for all else.
 *
 * Every list is shuffled and dealt out from its start, and shuffled again at its end, so that each item is used about equally often and
 * the share of harm in a list is the same in every frame.
 *
 * Input: .txt files.  Output: texts with labels.  Memory: the corpus's arena and malloc, kept.  On error: the program ends, with file
 * and line.
 */
#define _DEFAULT_SOURCE

#include "train.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SLOTS 32			/* that are filled in one text */
#define LONGEST 16384
#define SEED 88172645463325252u

typedef struct Labels
{
	uint32_t	positive;
	uint32_t	negative;
	bool		benign;
} Labels;

typedef struct Item
{
	const char *text;
	Labels		labels;
} Item;

typedef struct List
{
	const char *name;
	Item	   *items;
	uint32_t	count;
	uint32_t	next;			/* item to be dealt out; count = shuffle first */
} List;

typedef struct Line
{
	const char *file;
	uint32_t	number;
	uint32_t	set;
	uint32_t	times;			/* 0 = no frame */
	bool		from_items;		/* labels are those of the items */
	Labels		labels;
	const char *text;
	float		weight;
} Line;

typedef struct Examples
{
	Corpus	   *corpus;
	List	   *lists;
	uint32_t	nlists;
	Line	   *lines;
	uint32_t	nlines;
	uint64_t	random;
	uint64_t   *seen;			/* hashes of texts; 0 = empty */
	size_t		mask;
	size_t		nseen;
} Examples;

static char *
trim(char *field)
{
	size_t		length;

	field += strspn(field, " \t");
	for (length = strlen(field); length > 0 && (field[length - 1] == ' ' || field[length - 1] == '\t'); length--)
		field[length - 1] = '\0';
	return field;
}

static Labels
read_labels(char *field, const char *file, uint32_t number)
{
	const uint32_t apart = 1u << head_of("violence") | 1u << head_of("politics");
	Labels		labels = {0};

	for (char *part; (part = strsep(&field, "+")) != NULL;)
	{
		bool		negative = part[0] == '!';
		int			head = strcmp(part, "benign") == 0 ? ANY : head_of(part + negative);

		if (strcmp(part, "benign") == 0)
			labels.benign = true;
		else if (head < 0)
			die("%s:%u: there is no category %s", file, number, part);
		else if (negative)
			labels.negative |= 1u << head;
		else
			labels.positive |= 1u << head;
	}
	if (labels.benign && labels.positive != 0 && (labels.positive & ~apart) == 0)
		labels.negative = ALL_HEADS & ~labels.positive;
	else if (labels.positive & ~(1u << head_of("politics")))
		labels.positive |= 1u << ANY;
	return labels;
}

static List *
find_list(Examples *examples, const char *name, size_t length)
{
	for (uint32_t i = 0; i < examples->nlists; i++)
		if (strlen(examples->lists[i].name) == length && memcmp(examples->lists[i].name, name, length) == 0)
			return &examples->lists[i];
	return NULL;
}

/* A line "@NAME LABELS: item | item", behind the @. */
static void
read_list(Examples *examples, char *line, const char *file, uint32_t number)
{
	char	   *items = strchr(line, ':');
	char	   *name = line;
	Labels		labels = {0};
	List	   *list;

	if (items == NULL)
		die("%s:%u: a list has no colon", file, number);
	*items++ = '\0';
	name = strsep(&line, " ");
	if (line != NULL && *trim(line) != '\0')
		labels = read_labels(trim(line), file, number);
	list = find_list(examples, name, strlen(name));
	if (list == NULL)
	{
		examples->lists = realloc(examples->lists, (examples->nlists + 1) * sizeof(List));
		if (examples->lists == NULL)
			die("out of memory");
		list = &examples->lists[examples->nlists++];
		*list = (List)
		{
			.name = name
		};
	}
	for (char *item; (item = strsep(&items, "|")) != NULL;)
	{
		if (*trim(item) == '\0')
			continue;
		list->items = realloc(list->items, (list->count + 1) * sizeof(Item));
		if (list->items == NULL)
			die("out of memory");
		list->items[list->count++] = (Item)
		{
			trim(item), labels
		};
		list->next = list->count;
	}
}

/* A frame or an example. */
static void
read_example(Examples *examples, char *line, uint32_t set, const char *file, uint32_t number, float weight)
{
	Line		read = {.file = file,.number = number,.set = set,.weight = weight};
	char	   *fields[4];
	int			n = 0;

	while (n < 4 && line != NULL)
		fields[n++] = trim(strsep(&line, "\t"));
	if (n == 4 && fields[0][0] == 'x')
	{
		read.times = (uint32_t) strtoul(fields[0] + 1, NULL, 10);
		if (read.times < 1 || read.times > 99999)
			die("%s:%u: a frame makes 1 to 99999 texts", file, number);
	}
	if (line != NULL || n != (read.times > 0 ? 4 : 3))
		die("%s:%u: a line has the wrong number of fields", file, number);
	read.text = fields[n - 1];
	read.from_items = strcmp(fields[n - 3], "*") == 0;
	if (!read.from_items)
		read.labels = read_labels(fields[n - 3], file, number);
	examples->lines = realloc(examples->lines, (examples->nlines + 1) * sizeof(Line));
	if (examples->lines == NULL)
		die("out of memory");
	examples->lines[examples->nlines++] = read;
}

static void
read_examples_file(Examples *examples, const char *file)
{
	uint32_t	set = add_set(examples->corpus, file, NO_FOLD),
				number = 0;
	size_t		length;
	char	   *next = read_file(file, &length);
	float		weight = 1;

	for (char *line; (line = strsep(&next, "\n")) != NULL;)
	{
		number++;
		if (line[0] == '#' || *trim(line) == '\0')
			continue;
		if (line[0] == '@')
			read_list(examples, line + 1, file, number);
		else if (strncmp(line, "weight\t", 7) == 0)
		{
			weight = strtof(line + 7, NULL);
			if (!(weight >= 0.01f && weight <= 100))
				die("%s:%u: a weight is 0.01 to 100", file, number);
		}
		else
			read_example(examples, line, set, file, number, weight);
	}
}

/* The next item of a list (Fisher and Yates; Marsaglia's xorshift). */
static const Item *
deal_out(Examples *examples, List *list)
{
	if (list->next == list->count)
	{
		for (uint32_t i = list->count - 1; i > 0; i--)
		{
			Item		item = list->items[i];
			uint32_t	other;

			examples->random ^= examples->random << 13;
			examples->random ^= examples->random >> 7;
			examples->random ^= examples->random << 17;
			other = (examples->random >> 32) % (i + 1);
			list->items[i] = list->items[other];
			list->items[other] = item;
		}
		list->next = 0;
	}
	return &list->items[list->next++];
}

static List *
list_of_slot(Examples *examples, const Line *line, const char *slot)
{
	size_t		length = strcspn(slot + 1, "}");
	List	   *list = find_list(examples, slot + 1, length);

	if (slot[1 + length] != '}' || list == NULL || list->count == 0)
		die("%s:%u: there is no list for %.*s", line->file, line->number, (int) length + 2, slot);
	return list;
}

/* Fills a frame's slots, those that come with items too. */
static void
fill(Examples *examples, const Line *line, char *text, Labels *labels)
{
	char		rest[LONGEST];
	int			slots = 0;

	for (char *slot; (slot = strchr(text, '{')) != NULL;)
	{
		List	   *list = list_of_slot(examples, line, slot);
		const Item *item = deal_out(examples, list);

		if (++slots > MOST_SLOTS)
			die("%s:%u: more than %d slots", line->file, line->number, MOST_SLOTS);
		labels->positive |= item->labels.positive;
		labels->negative |= item->labels.negative;
		labels->benign |= item->labels.benign;
		strcpy(rest, strchr(slot, '}') + 1);
		if ((size_t) (slot - text) + strlen(item->text) + strlen(rest) >= LONGEST)
			die("%s:%u: the text gets too long", line->file, line->number);
		strcpy(slot, item->text);
		strcat(slot, rest);
	}
}

/* Whether a text was made already; it is from now on. */
static bool
seen_before(Examples *examples, const Line *line, const char *text, const Labels *labels)
{
	uint64_t	hash = 14695981039346656037u ^ line->set ^ (uint64_t) labels->positive << 16 ^ (uint64_t) labels->negative << 40;
	size_t		place;

	for (const char *at = text; *at != '\0'; at++)
		hash = (hash ^ (unsigned char) *at) * 1099511628211u;
	hash = hash == 0 ? 1 : hash;
	if (examples->nseen * 2 >= examples->mask)
	{
		uint64_t   *old = examples->seen;
		size_t		old_size = old == NULL ? 0 : examples->mask + 1;

		examples->mask = old == NULL ? 65535 : examples->mask * 2 + 1;
		examples->seen = calloc(examples->mask + 1, sizeof(uint64_t));
		if (examples->seen == NULL)
			die("out of memory");
		for (size_t i = 0; i < old_size; i++)
		{
			if (old[i] == 0)
				continue;
			for (place = old[i] & examples->mask; examples->seen[place] != 0;)
				place = (place + 1) & examples->mask;
			examples->seen[place] = old[i];
		}
		free(old);
	}
	for (place = hash & examples->mask; examples->seen[place] != 0; place = (place + 1) & examples->mask)
		if (examples->seen[place] == hash)
			return true;
	examples->seen[place] = hash;
	examples->nseen++;
	return false;
}

/* Makes the texts of a line. */
static void
make_texts(Examples *examples, const Line *line)
{
	uint64_t	most = 1;

	for (const char *slot = line->text; most < line->times && (slot = strchr(slot, '{')) != NULL; slot++)
		most *= list_of_slot(examples, line, slot)->count;
	for (uint32_t i = 0; i < (line->times == 0 ? 1 : line->times < most ? line->times : most); i++)
	{
		char		text[LONGEST];
		Labels		labels = {0};

		if (strlen(line->text) >= LONGEST)
			die("%s:%u: the text is too long", line->file, line->number);
		strcpy(text, line->text);
		fill(examples, line, text, &labels);
		if (!line->from_items)
			labels = line->labels;
		if (labels.positive == 0 && labels.benign)
			labels.negative = ALL_HEADS;
		if (!seen_before(examples, line, text, &labels))
			add_text(examples->corpus, line->set, text, strlen(text), labels.positive, labels.negative, 0, line->weight);
	}
}

void
read_examples(Corpus *corpus, const char *folder)
{
	Examples	examples = {.corpus = corpus,.random = SEED};
	uint32_t	count;
	char	  **files = list_files(folder, ".txt", &count);

	for (uint32_t f = 0; f < count; f++)
		read_examples_file(&examples, files[f]);
	for (uint32_t i = 0; i < examples.nlines; i++)
		make_texts(&examples, &examples.lines[i]);
	free(examples.seen);
	free(examples.lines);
}
