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

/* The kinds that lose nothing: how many there are, and how many miss what is wanted. */
typedef struct Wanting
{
	uint32_t	kinds;
	uint32_t	few;
	uint32_t	many;
	double		least;
	double		most;
	const char *least_kind;
	const char *most_kind;
} Wanting;

static void
note_wanting(Wanting *wanting, const Disguise *kind, const Comparison *comparison)
{
	if (kind->lossy || isnan(caught(&comparison->harmful, 0)))
		return;
	wanting->kinds++;
	wanting->few += caught(&comparison->harmful, 0) < LEAST_CAUGHT;
	wanting->many += added(&comparison->benign, 0) > MOST_ADDED;
	if (wanting->least_kind == NULL || caught(&comparison->harmful, 0) < wanting->least)
	{
		wanting->least = caught(&comparison->harmful, 0);
		wanting->least_kind = kind->name;
	}
	if (wanting->most_kind == NULL || added(&comparison->benign, 0) > wanting->most)
	{
		wanting->most = added(&comparison->benign, 0);
		wanting->most_kind = kind->name;
	}
}

static void
add_wanting(MdrArena *arena, const Wanting *wanting, const char *language, const char *of)
{
	char		what[128];
	char		measured[256];

	if (wanting->kinds == 0)
		return;
	snprintf(what, sizeof(what), "%s in disguise, %s: still caught", of, language);
	snprintf(measured, sizeof(measured), "under in %u of %u kinds, worst %s %.1f %%", wanting->few, wanting->kinds, wanting->least_kind,
			 wanting->least);
	summary_add(arena, wanting->few == 0, what, "at least 95 % of what is caught clean, of every kind", measured);
	snprintf(what, sizeof(what), "%s in disguise, %s: false alarms added", of, language);
	snprintf(measured, sizeof(measured), "over in %u of %u kinds, worst %s %.2f ‰", wanting->many, wanting->kinds, wanting->most_kind,
			 wanting->most);
	summary_add(arena, wanting->many == 0, what, "at most 1 ‰, by every kind", measured);
}

void
print_disguises(const Corpus *corpus, const Results *plain, const char *of, FILE *out)
{
	Wanting		wanting[2] = {{0}};
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
			score_corpus(corpus, (Run) {.disguise = (int) i, .tabled = true}, &disguised);
			for (int j = 0; j < 2; j++)
				for (uint32_t k = 0; k < corpus->nlanguages; k++)
				{
					Comparison	comparison;

					if (!(kind->scripts & (j == 0 ? DISGUISES_LETTERS : DISGUISES_HAN)) || strcmp(corpus->languages[k], languages[j]) != 0)
						continue;
					comparison = compare(corpus, plain, &disguised, k);
					note_wanting(&wanting[j], kind, &comparison);
					add_row(table, kind, languages[j], &comparison, plain->nsystems);
				}
			free_results(corpus, &disguised);
		}
	for (int j = 0; j < 2 && of != NULL; j++)
		add_wanting(corpus->arena, &wanting[j], languages[j], of);
	table_print(table, out);
}
