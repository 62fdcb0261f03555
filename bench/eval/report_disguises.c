/*
 * report_disguises.c
 *		Disguised copies beside the texts as they are: what is still caught, and what is newly flagged.
 *
 * Only texts that a disguise changes count for it, clean and disguised.  Caught: of the harmful texts that are flagged clean, as many as
 * are flagged disguised, in 100.  Added: benign texts flagged strictly when disguised, less those flagged clean, in 1,000 benign texts.
 *
 * Input: a corpus and what the engine made of it clean.  Output: a stream.  Locks: none.  Memory: the corpus' arena.
 */
#include "eval.h"
#include "disguise.h"

#include <math.h>
#include <string.h>

#define LEAST_CAUGHT 95.0
#define MOST_ADDED 1.0

/* Clean and disguised. */
typedef struct Pair
{
	uint32_t	texts;
	uint32_t	clean[NSYSTEMS];
	uint32_t	disguised[NSYSTEMS];
} Pair;

typedef struct Comparison
{
	Pair		harmful;
	Pair		benign;
} Comparison;

static Comparison
compare(const Corpus *corpus, const Results *plain, const Results *disguised, uint32_t language)
{
	Comparison	comparison = {0};

	for (uint32_t i = 0; i < corpus->ntexts; i++)
	{
		const Text *text = &corpus->texts[i];
		Pair	   *pair = text->benign ? &comparison.benign : &comparison.harmful;
		uint8_t		wanted = text->benign ? STRICTLY : FLAGGED;

		if (text->language != language || text->benign == NO_LABEL || disguised->left_out[i])
			continue;
		pair->texts++;
		for (int j = 0; j < plain->nsystems; j++)
		{
			pair->clean[j] += (plain->outcome[j][i] & wanted) != 0;
			pair->disguised[j] += (disguised->outcome[j][i] & wanted) != 0;
		}
	}
	return comparison;
}

static double
caught(const Pair *pair, int system)
{
	return pair->clean[system] > 0 ? 100.0 * pair->disguised[system] / pair->clean[system] : NAN;
}

static double
added(const Pair *pair, int system)
{
	return pair->texts > 0 ? 1000.0 * ((double) pair->disguised[system] - pair->clean[system]) / pair->texts : NAN;
}

static void
add_row(Table *table, const Disguise *kind, const char *language, const Comparison *comparison, int nsystems)
{
	table_add(table, "%s%s", kind->name, kind->lossy ? " (loses information)" : "");
	table_add(table, "%s", language);
	table_add(table, "%u", comparison->harmful.texts);
	for (int i = 0; i < nsystems; i++)
		table_add_figure(table, 1, caught(&comparison->harmful, i));
	table_add(table, "%u", comparison->benign.texts);
	for (int i = 0; i < nsystems; i++)
		table_add_figure(table, 2, added(&comparison->benign, i));
	table_add(table, "%s", kind->lossy ? "" :
			  caught(&comparison->harmful, 0) < LEAST_CAUGHT ? added(&comparison->benign, 0) > MOST_ADDED ? "too few, too many" : "too few" :
			  added(&comparison->benign, 0) > MOST_ADDED ? "too many" : "");
}

void
print_disguises(const Corpus *corpus, const Results *plain, FILE *out)
{
	static const char *const languages[] = {"en", "zh"};
	Table	   *table = table_create(corpus->arena, plain->nsystems > 1 ?
									 "disguise|language|>harmful|>caught % of clean|>rules alone|>model alone|>benign|>added ‰|>rules alone|"
									 ">model alone|note" : "disguise|language|>harmful|>caught % of clean|>benign|>added ‰|note");

	for (int lossy = 0; lossy < 2; lossy++)
		for (uint32_t i = 0; i < disguise_count(); i++)
		{
			const Disguise *kind = disguise_kind(i);
			Results		disguised;

			if (kind->lossy != (lossy == 1))
				continue;
			score_corpus(corpus, (Run) {.disguise = (int) i}, &disguised);
			for (int j = 0; j < 2; j++)
				for (uint32_t k = 0; k < corpus->nlanguages; k++)
				{
					Comparison	comparison;

					if (!(kind->scripts & (j == 0 ? DISGUISES_LETTERS : DISGUISES_HAN)) || strcmp(corpus->languages[k], languages[j]) != 0)
						continue;
					comparison = compare(corpus, plain, &disguised, k);
					add_row(table, kind, languages[j], &comparison, plain->nsystems);
				}
			free_results(corpus, &disguised);
		}
	table_print(table, out);
}
