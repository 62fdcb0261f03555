/*
 * report_functions.c
 *		Function tests: what of each function is right.
 *
 * A harmful text is right when it is flagged in any category; whether in its own is told beside.  A harmless one is right when it is not
 * flagged at all, in violence and politics neither.
 *
 * Input: a corpus with a set for each function and language, and what the engine made of it.  Output: a stream.  Locks: none.  Memory:
 * the corpus' arena.
 */
#include "eval.h"

#include <math.h>
#include <string.h>

#define LEAST_HARMFUL 85.0		/* right, in 100 */
#define LEAST_HARMLESS 80.0

typedef struct Right
{
	uint32_t	texts;
	uint32_t	right[NSYSTEMS];
	uint32_t	own;			/* harmful, flagged in its own category */
} Right;

static void
add_text_to(Right *right, const Corpus *corpus, const Results *results, uint32_t index)
{
	const Text *text = &corpus->texts[index];

	right->texts++;
	for (int i = 0; i < results->nsystems; i++)
		right->right[i] += ((results->outcome[i][index] & FLAGGED) != 0) == (text->benign == 0);
	for (uint32_t i = 0; i < results->ncategories; i++)
		right->own += text->label[i] == 1 && results->action[SYSTEM_BOTH][cell(results, index, i)] >= MDR_FLAG;
}

/* The texts of a set (NULL = all) and language (-1 = all) that are benign (1) or harmful (0). */
static Right
right_of(const Corpus *corpus, const Results *results, const Set *set, int language, int benign)
{
	uint32_t	first = set ? set->first : 0;
	uint32_t	count = set ? set->count : corpus->ntexts;
	Right		right = {0};

	for (uint32_t i = first; i < first + count; i++)
		if (corpus->texts[i].benign == benign && (language < 0 || corpus->texts[i].language == (uint32_t) language))
			add_text_to(&right, corpus, results, i);
	return right;
}

static double
percent(uint32_t part, uint32_t whole)
{
	return whole > 0 ? 100.0 * part / whole : NAN;
}

static void
add_right(Table *table, const Results *results, const Right *right, int benign)
{
	table_add(table, "%s", benign ? "harmless" : "harmful");
	table_add(table, "%u", right->texts);
	for (int i = 0; i < results->nsystems; i++)
		table_add_figure(table, 1, percent(right->right[i], right->texts));
	table_add_figure(table, 1, benign ? NAN : percent(right->own, right->texts));
}

void
print_functions(const Corpus *corpus, const Results *results, FILE *out)
{
	Table	   *table = table_create(corpus->arena, results->nsystems > 1 ?
									 "function|language|texts are|>texts|>right %|>rules alone|>model alone|>in its category %" :
									 "function|language|texts are|>texts|>right %|>in its category %");

	for (uint32_t i = 0; i < corpus->nsets; i++)
		for (int benign = 0; benign < 2; benign++)
		{
			const Set  *set = &corpus->sets[i];
			Right		right = right_of(corpus, results, set, -1, benign);

			if (right.texts == 0)
				continue;
			table_add(table, "%s", set->name);
			table_add(table, "%s", corpus->languages[corpus->texts[set->first].language]);
			add_right(table, results, &right, benign);
		}
	table_print(table, out);
}

void
print_functions_by_language(const Corpus *corpus, const Results *results, FILE *out)
{
	Table	   *table = table_create(corpus->arena, results->nsystems > 1 ?
									 "language|texts are|>texts|>right %|>rules alone|>model alone|>in its category %|note" :
									 "language|texts are|>texts|>right %|>in its category %|note");

	for (uint32_t i = 0; i < corpus->nlanguages; i++)
		for (int benign = 0; benign < 2; benign++)
		{
			Right		right = right_of(corpus, results, NULL, (int) i, benign);
			char		what[128];

			table_add(table, "%s", corpus->languages[i]);
			add_right(table, results, &right, benign);
			snprintf(what, sizeof(what), "function tests, %s, %s", corpus->languages[i], benign ? "harmless and left alone" : "harmful and flagged");
			summary_add_least(corpus->arena, what, percent(right.right[0], right.texts), benign ? LEAST_HARMLESS : LEAST_HARMFUL, 1, " %");
			table_add(table, "%s", percent(right.right[0], right.texts) < (benign ? LEAST_HARMLESS : LEAST_HARMFUL) ? "too few" : "");
		}
	table_print(table, out);
}
