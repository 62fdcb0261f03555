/*
 * match_findings.c
 *		The findings of all windows: repeated ones put together, the gravest kept, in order; and the score of a category.
 *
 * However many there are, the best finding of every rule is kept before others, since scores are made of those.
 *
 * Input: findings one by one.  Output: the scan's findings, in the caller's arena.  Locks: none.  Memory: twice what is
 * kept, and one for each rule.  On error: MDR_NO_MEMORY.
 */
#include "match/match_engine.h"

#include <stdlib.h>
#include <string.h>

static int
compare_places(const MdrFinding *a, const MdrFinding *b)
{
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1;
	return 0;
}

/* By rule and place, longer before shorter; the plain view and the smaller score first. */
static int
compare_same(const void *left, const void *right)
{
	const MdrFinding *a = left;
	const MdrFinding *b = right;
	int			order;

	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	order = compare_places(a, b);
	if (order != 0)
		return order;
	if (a->view != b->view)
		return a->view < b->view ? -1 : 1;
	return (a->score > b->score) - (a->score < b->score);
}

/* In order of start; longer before shorter, then by rule. */
static int
compare_starts(const void *left, const void *right)
{
	const MdrFinding *a = left;
	const MdrFinding *b = right;
	int			order = compare_places(a, b);

	return order != 0 ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

/* A finding with what its gravity is judged by. */
typedef struct Ranked
{
	MdrFinding	finding;
	bool		best;			/* of its rule */
	uint32_t	severity;
} Ranked;

static int
compare_gravity(const void *left, const void *right)
{
	const Ranked *a = left;
	const Ranked *b = right;

	if (a->best != b->best)
		return a->best ? -1 : 1;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->finding.score != b->finding.score)
		return a->finding.score > b->finding.score ? -1 : 1;
	return compare_starts(&a->finding, &b->finding);
}

/*
 * Puts together what two windows, two views or two terms of a rule say of the same span: the plainest view, and the smallest
 * score, since the window that saw more excused more.  A shorter finding of the same rule inside a longer one that scores as
 * much says nothing more, and goes.
 */
static void
put_together(MdrWindow *window)
{
	uint32_t	kept = 0;

	if (window->nfindings < 2)
		return;
	qsort(window->findings, window->nfindings, sizeof(MdrFinding), compare_same);
	for (uint32_t i = 0; i < window->nfindings; i++)
	{
		const MdrFinding *finding = &window->findings[i];
		MdrFinding *last = kept > 0 ? &window->findings[kept - 1] : NULL;

		if (last != NULL && last->rule == finding->rule && compare_places(last, finding) == 0)
		{
			if (finding->score < last->score)
			{
				last->score = finding->score;
				last->context = finding->context;
			}
		}
		else if (last == NULL || last->rule != finding->rule || last->end < finding->end || last->score < finding->score)
			window->findings[kept++] = *finding;
	}
	window->nfindings = kept;
}

static float
score_now(const MdrWindow *window, const MdrFinding *finding, int *context)
{
	const MdrEngine *engine = window->engine;
	const MdrImageRule *rule = &engine->rules[finding->rule];
	float		score = finding->score;

	*context = finding->context;
	for (uint64_t rest = rule->unless & window->seen & engine->anywhere; rest != 0; rest &= rest - 1)
	{
		int			c = __builtin_ctzll(rest);

		if (rule->weight * engine->contexts[c].factor < score)
		{
			score = rule->weight * engine->contexts[c].factor;
			*context = c;
		}
	}
	return score;
}

/* Keeps `keep` of the findings, best of their rules first, then by severity and score; all the best when every is true. */
static MdrStatus
keep_gravest(MdrWindow *window, uint32_t keep, bool every)
{
	uint32_t	n = window->nfindings;
	Ranked	   *ranked;
	uint32_t	best = 0;
	uint32_t	kept = 0;

	if (n <= keep)
		return MDR_OK;
	ranked = mdr_alloc_array(window->engine->scratch, n, sizeof(Ranked));
	if (ranked == NULL)
		return MDR_NO_MEMORY;

	/* They are sorted by rule: the first of the highest score of each run is its best. */
	for (uint32_t i = 0; i < n; i++)
	{
		ranked[i] = (Ranked) {window->findings[i], false, window->engine->rules[window->findings[i].rule].severity};
		if (i > 0 && window->findings[i].rule != window->findings[i - 1].rule)
		{
			ranked[best].best = true;
			kept++;
			best = i;
		}
		else if (window->findings[i].score > window->findings[best].score)
			best = i;
	}
	ranked[best].best = true;
	kept++;
	qsort(ranked, n, sizeof(Ranked), compare_gravity);
	if (!every || kept < keep)
		kept = keep;
	for (uint32_t i = 0; i < kept; i++)
		window->findings[i] = ranked[i].finding;
	window->nfindings = kept;
	window->cut = true;
	return MDR_OK;
}

static uint32_t
most(const MdrWindow *window)
{
	return window->scan->max_findings ? window->scan->max_findings : MDR_DEFAULT_FINDINGS;
}

MdrStatus
mdr_add_finding(MdrWindow *window, MdrFinding finding)
{
	if (window->nfindings == window->capacity)
	{
		uint32_t	larger = window->capacity ? window->capacity * 2 : 32;
		MdrFinding *findings;

		if (window->capacity >= 4 * most(window))
		{
			MdrStatus	status;

			put_together(window);
			status = keep_gravest(window, 2 * most(window), true);
			if (status != MDR_OK)
				return status;
		}
		if (window->nfindings > window->capacity / 2 || window->capacity == 0)
		{
			findings = mdr_grow(window->arena, window->findings, window->capacity * sizeof(MdrFinding),
								larger * sizeof(MdrFinding));
			if (findings == NULL)
				return MDR_NO_MEMORY;
			window->findings = findings;
			window->capacity = larger;
		}
	}
	window->findings[window->nfindings++] = finding;
	return MDR_OK;
}

MdrStatus
mdr_finish_findings(MdrWindow *window)
{
	MdrStatus	status = mdr_finish_models(window);
	bool		added = false;

	put_together(window);
	for (uint32_t i = 0; i < window->nfindings; i++)
		window->findings[i].score = score_now(window, &window->findings[i], &window->findings[i].context);
	if (status == MDR_OK)
		status = mdr_finish_learned(window, &added);
	if (added)
		qsort(window->findings, window->nfindings, sizeof(MdrFinding), compare_same);
	if (status == MDR_OK)
		status = keep_gravest(window, most(window), false);
	if (window->nfindings > 1)
		qsort(window->findings, window->nfindings, sizeof(MdrFinding), compare_starts);
	window->scan->findings = window->findings;
	window->scan->nfindings = window->nfindings;
	window->scan->cut = window->cut;
	return status;
}
