/*
 * thresholds.c
 *		Chooses how logits become scores: where each head's threshold lies in each script.
 *
 * A head's logit and that of "any" are measured against harmless texts of sets that the model has not seen, in standard deviations
 * from their mean, and added.  All thresholds begin where nothing is above them, and are lowered, always the one that catches most
 * harm for the harmless texts it takes along, until none can be lowered without flagging more than so many texts of some harmless
 * set: the worst set decides, not the mean.  A head whose threshold was never lowered has it above all that was seen: it
 * flags next to nothing, but still ranks.  One that has no positive text in a script has no score there.
 *
 * Input: unseen logits.  Output: factors of scores.  Memory: malloc, freed.  On error: the program ends.
 */
#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What there is to tune. */
#define BUDGET 0.009			/* of each harmless set, for all heads but those below together */
#define BUDGET_HAN 0.006		/* of a set that is mostly Chinese: fewer genres of it are known */
#define BUDGET_APART 0.01		/* for violence and for politics, each */
#define BUDGET_ANY 0.005		/* for "any" */
#define SMALLEST_SET 100		/* harmless texts in a script: with fewer, a set does not decide */
#define LEAST_POSITIVE 20		/* texts: a head with fewer in a script has no score there */
#define ANY_FACTOR 0.5			/* of the logit of "any" beside a head's own */
#define SLOPE 1.0				/* of a score's logit, by standard deviation */
#define OTHER_CATEGORY 0.3		/* worth of a harmful text caught under another category's name */
#define LABELLED_BY_CATEGORY 0.15 /* worth of a text from a set that tells apart what is hateful and the like, and knows no harmless text */
#define LEVELS 120				/* of thresholds, and how many make a standard deviation, and the lowest */
#define PER_DEVIATION 16
#define LOWEST 1.0
#define LOOK_AHEAD 16			/* levels that a threshold may be lowered at once */

typedef struct Deviation
{
	double		mean;
	double		deviation;
} Deviation;

/* A text as the search sees it. */
typedef struct Candidate
{
	const Text *text;
	int8_t		level[NHEADS];	/* highest threshold that lets the head through; -1 = none */
	const uint8_t *script;		/* by head */
	bool		flagged;
} Candidate;

typedef struct Search
{
	const Corpus *corpus;
	Candidate  *candidates;
	uint32_t	ncandidates;
	uint32_t  **lists;			/* candidates by script, head and level */
	uint32_t   *sizes;
	uint32_t   *allowed;		/* by set */
	uint32_t   *used;
	uint32_t   *more;			/* by set: what the step being tried would add */
	uint32_t   *harmless;		/* by set: texts */
	uint32_t   *han;			/* of these, Chinese */
	uint32_t   *harmful;
	int			level[MDR_NSCRIPTS][NHEADS];
} Search;

static bool
is_harmless(const Text *text)
{
	return text->negative >> ANY & 1 && text->positive == 0;
}

static bool
is_left_out(const Corpus *corpus, const Text *text, int without)
{
	int			fold = corpus->sets[text->set].fold;

	return fold != NO_FOLD && fold != without;
}

static Deviation
deviation_of(const Corpus *corpus, const Unseen *unseen, int without, int script, int head)
{
	double		n = 0,
				sum = 0,
				squares = 0;
	Deviation	result = {0, 1};

	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		double		logit = unseen[t].logit[head];

		if (!is_left_out(corpus, &corpus->texts[t], without) || !is_harmless(&corpus->texts[t])
			|| unseen[t].script[head] != script || !(logit > -INFINITY))
			continue;
		n++;
		sum += logit;
		squares += logit * logit;
	}
	if (n > 1 && squares / n - sum / n * (sum / n) > 1e-9)
		result = (Deviation)
	{
		sum / n, sqrt(squares / n - sum / n * (sum / n))
	};
	return result;
}

static uint32_t *
make_counts(uint32_t n)
{
	uint32_t   *counts = calloc(n > 0 ? n : 1, sizeof(uint32_t));

	if (counts == NULL)
		die("out of memory");
	return counts;
}

static size_t
list_number(int script, int head, int level)
{
	return ((size_t) script * NHEADS + head) * LEVELS + level;
}

/*
 * Heads whose few texts are nearly all the project's own: they learn what harm looks like rather than which harm it is, and so speak
 * for their own category only, and "any" adds nothing to them.
 */
static bool
is_narrow(int head)
{
	static const char *const narrow[] = {
		"child_sexual_exploitation", "child_grooming", "nonconsensual_intimate", "commercial_sex", "human_trafficking", "graphic_violence",
		"violent_threat", "state_secrets"
	};

	for (size_t i = 0; i < sizeof(narrow) / sizeof(narrow[0]); i++)
		if (head == head_of(narrow[i]))
			return true;
	return false;
}

/* What "any" adds to a head, both in standard deviations. */
static double
factor_of(int head, const Deviation *own, const Deviation *any)
{
	return head == ANY || is_narrow(head) ? 0 : ANY_FACTOR * any->deviation / own->deviation;
}

/* The texts of the search, and their levels. */
static void
prepare(Search *search, const Corpus *corpus, const Unseen *unseen, int without, Deviation deviations[MDR_NSCRIPTS][NHEADS])
{
	size_t		nlists = (size_t) MDR_NSCRIPTS * NHEADS * LEVELS;

	*search = (Search)
	{
		.corpus = corpus,.candidates = calloc(corpus->ntexts + 1, sizeof(Candidate)),.lists = calloc(nlists, sizeof(uint32_t *)),
			.sizes = make_counts(nlists),.allowed = make_counts(corpus->nsets),.used = make_counts(corpus->nsets),
			.more = make_counts(corpus->nsets),.harmless = make_counts(corpus->nsets),.harmful = make_counts(corpus->nsets),
			.han = make_counts(corpus->nsets)
	};
	if (search->candidates == NULL || search->lists == NULL)
		die("out of memory");
	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		const Text *text = &corpus->texts[t];
		Candidate  *candidate = &search->candidates[search->ncandidates];

		if (!is_left_out(corpus, text, without) || !(unseen[t].logit[ANY] > -INFINITY))
			continue;
		search->ncandidates++;
		candidate->text = text;
		candidate->script = unseen[t].script;
		search->harmless[text->set] += is_harmless(text);
		search->han[text->set] += is_harmless(text) && unseen[t].script[ANY] == MDR_SCRIPT_HAN;
		search->harmful[text->set] += text->positive != 0;
		for (int head = 0; head < NHEADS; head++)
		{
			const Deviation *own = &deviations[unseen[t].script[head]][head],
					   *any = &deviations[unseen[t].script[head]][ANY];
			double		factor = factor_of(head, own, any);
			double		z = ((unseen[t].logit[head] - own->mean) / own->deviation
							 + factor * (unseen[t].logit[ANY] - any->mean) / any->deviation) / sqrt(1 + factor * factor);
			double		level = floor((z - unseen[t].cost / SLOPE - LOWEST) * PER_DEVIATION);

			candidate->level[head] = level < 0 ? -1 : level > LEVELS - 1 ? LEVELS - 1 : (int8_t) level;
			if (level >= 0)
				search->sizes[list_number(candidate->script[head], head, candidate->level[head])]++;
		}
	}
	for (size_t i = 0; i < nlists; i++)
	{
		search->lists[i] = make_counts(search->sizes[i]);
		search->sizes[i] = 0;
	}
	for (uint32_t c = 0; c < search->ncandidates; c++)
		for (int head = 0; head < NHEADS; head++)
			if (search->candidates[c].level[head] >= 0)
			{
				size_t		list = list_number(search->candidates[c].script[head], head, search->candidates[c].level[head]);

				search->lists[list][search->sizes[list]++] = c;
			}
}

static void
finish(Search *search)
{
	for (size_t i = 0; i < (size_t) MDR_NSCRIPTS * NHEADS * LEVELS; i++)
		free(search->lists[i]);
	free(search->lists);
	free(search->candidates);
	free(search->sizes);
	free(search->allowed);
	free(search->used);
	free(search->more);
	free(search->harmless);
	free(search->han);
	free(search->harmful);
}

/* Forgets what was flagged, for another round with another budget. */
static void
start_round(Search *search, double budget)
{
	for (uint32_t s = 0; s < search->corpus->nsets; s++)
	{
		search->used[s] = 0;
		search->allowed[s] = search->harmless[s] < SMALLEST_SET ? UINT32_MAX
			: (uint32_t) fmax(1, floor((search->han[s] * 2 > search->harmless[s] ? fmin(budget, BUDGET_HAN) : budget) * search->harmless[s]));
	}
	for (uint32_t c = 0; c < search->ncandidates; c++)
		search->candidates[c].flagged = false;
}

/* What it is worth that a head flags a harmful text. */
static double
worth(const Text *text, int head)
{
	return text->positive >> head & 1 ? 1 : is_narrow(head) ? 0 : text->positive == 1u << ANY ? 1 : OTHER_CATEGORY;
}

/*
 * What lowering a threshold by some levels brings: worth of harm caught; and harmless texts, which cost the more the nearer their set is
 * to its bound.  Or gain -1.
 */
static void
try_step(Search *search, int script, int head, int levels, double *gain, double *cost)
{
	const Corpus *corpus = search->corpus;

	*gain = *cost = 0;
	memset(search->more, 0, corpus->nsets * sizeof(uint32_t));
	for (int level = search->level[script][head] - levels; level < search->level[script][head]; level++)
	{
		size_t		list = list_number(script, head, level);

		for (uint32_t i = 0; i < search->sizes[list]; i++)
		{
			const Candidate *candidate = &search->candidates[search->lists[list][i]];
			uint32_t	set = candidate->text->set;

			if (candidate->flagged)
				continue;
			if (candidate->text->positive != 0)
				*gain += worth(candidate->text, head) * (search->harmless[set] == 0 && search->harmful[set] < corpus->sets[set].texts
														 ? LABELLED_BY_CATEGORY : 1) / search->harmful[set];
			else if (is_harmless(candidate->text))
			{
				double		before = (double) (search->used[set] + search->more[set]) / search->allowed[set],
							after = (double) (search->used[set] + ++search->more[set]) / search->allowed[set];

				if (after > 1)
				{
					*gain = -1;
					return;
				}
				*cost += after * after * after * after * after * after - before * before * before * before * before * before;
			}
		}
	}
}

static void
take_step(Search *search, int script, int head, int levels)
{
	for (; levels > 0; levels--)
	{
		size_t		list = list_number(script, head, --search->level[script][head]);

		for (uint32_t i = 0; i < search->sizes[list]; i++)
		{
			Candidate  *candidate = &search->candidates[search->lists[list][i]];

			if (!candidate->flagged && is_harmless(candidate->text))
				search->used[candidate->text->set]++;
			candidate->flagged = true;
		}
	}
}

/* Lowers a threshold over levels at which nothing is flagged that counts. */
static void
take_free_steps(Search *search, int script, int head)
{
	while (search->level[script][head] > 0)
	{
		double		gain,
					cost;

		try_step(search, script, head, 1, &gain, &cost);
		if (gain != 0 || cost != 0)
			return;
		take_step(search, script, head, 1);
	}
}

/* Lowers the thresholds of some heads as far as the budget goes. */
static void
lower(Search *search, uint32_t heads, bool learned[MDR_NSCRIPTS][NHEADS])
{
	for (;;)
	{
		double		best = 0;
		int			best_script = 0,
					best_head = 0,
					best_levels = 0;

		for (int script = 0; script < MDR_NSCRIPTS; script++)
			for (int head = 0; head < NHEADS; head++)
			{
				if (heads >> head & 1 && learned[script][head])
					take_free_steps(search, script, head);
				for (int levels = 1; levels <= LOOK_AHEAD && levels <= search->level[script][head]; levels++)
				{
					double		gain,
								cost;

					if (!(heads >> head & 1) || !learned[script][head])
						break;
					try_step(search, script, head, levels, &gain, &cost);
					if (gain < 0)
						break;
					if (gain / (cost + 1e-3) > best)
					{
						best = gain / (cost + 1e-3);
						best_script = script;
						best_head = head;
						best_levels = levels;
					}
				}
			}
		if (best_levels == 0)
			return;
		take_step(search, best_script, best_head, best_levels);
	}
}

/*
 * Which heads have texts to learn from, by script: those of the project's own count as well.  Scripts without spaces are taken for
 * Chinese; there is nothing to learn from in the others, and so no head has a score there.
 */
static void
find_learned(const Corpus *corpus, bool learned[MDR_NSCRIPTS][NHEADS])
{
	uint32_t	count[MDR_NSCRIPTS][NHEADS] = {{0}};

	for (uint32_t t = 0; t < corpus->ntexts; t++)
		for (int head = 0; head < NHEADS; head++)
			count[corpus->texts[t].plain.has_han][head] += corpus->texts[t].positive >> head & 1;
	for (int script = 0; script < MDR_NSCRIPTS; script++)
		for (int head = 0; head < NHEADS; head++)
			learned[script][head] = count[script][head] >= LEAST_POSITIVE;
}

void
choose_scoring(const Corpus *corpus, const Unseen *unseen, int without, Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	const uint32_t apart[2] = {1u << head_of("violence"), 1u << head_of("politics")};
	Deviation	deviations[MDR_NSCRIPTS][NHEADS];
	bool		learned[MDR_NSCRIPTS][NHEADS];
	Search		search;

	for (int script = 0; script < MDR_NSCRIPTS; script++)
		for (int head = 0; head < NHEADS; head++)
			deviations[script][head] = deviation_of(corpus, unseen, without, script, head);
	find_learned(corpus, learned);
	prepare(&search, corpus, unseen, without, deviations);
	for (int script = 0; script < MDR_NSCRIPTS; script++)
		for (int head = 0; head < NHEADS; head++)
			search.level[script][head] = LEVELS;
	start_round(&search, BUDGET);
	lower(&search, ALL_HEADS & ~apart[0] & ~apart[1] & ~(1u << ANY), learned);
	for (int i = 0; i < 2; i++)
	{
		start_round(&search, BUDGET_APART);
		lower(&search, apart[i], learned);
	}
	start_round(&search, BUDGET_ANY);
	lower(&search, 1u << ANY, learned);
	for (int script = 0; script < MDR_NSCRIPTS; script++)
		for (int head = 0; head < NHEADS; head++)
		{
			const Deviation *own = &deviations[script][head],
					   *any = &deviations[script][ANY];
			double		factor = factor_of(head, own, any);
			double		slope = SLOPE / sqrt(1 + factor * factor);
			double		threshold = LOWEST + (double) search.level[script][head] / PER_DEVIATION;

			scoring[script][head] = (Scoring)
			{
				(float) (slope / own->deviation), (float) (slope * factor / any->deviation),
					learned[script][head] ? (float) (log(2) - SLOPE * threshold - slope * (own->mean / own->deviation
																			+ factor * any->mean / any->deviation)) : -INFINITY
			};
		}
	finish(&search);
}
