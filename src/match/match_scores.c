/*
 * match_scores.c
 *		Findings and opinions -> a score and a severity for each category.
 *
 * What is far apart in a long content does not add up: a score is that of the worst place.  Places are pieces of twice MDR_NEARBY bytes
 * as given, one beginning every MDR_NEARBY, so that findings that close to one another are always counted together, and all of a
 * short content is one place.
 *
 * Input: an engine, findings in any order.  Output: scores, in the caller's array.  Locks: none.  Memory: the caller's arena.  On error:
 * MDR_NO_MEMORY and nothing of use.
 */
#include "match/match_engine.h"

#include <stdlib.h>
#include <string.h>

typedef struct Placed
{
	uint32_t	category;
	MdrFinding	finding;
} Placed;

static int
compare_places(const void *left, const void *right)
{
	const Placed *a = left;
	const Placed *b = right;

	if (a->category != b->category)
		return a->category < b->category ? -1 : 1;
	return (a->finding.start > b->finding.start) - (a->finding.start < b->finding.start);
}

/* By rule, the best first. */
static int
compare_best(const void *left, const void *right)
{
	const Placed *a = left;
	const Placed *b = right;

	if (a->finding.rule != b->finding.rule)
		return a->finding.rule < b->finding.rule ? -1 : 1;
	return (a->finding.score < b->finding.score) - (a->finding.score > b->finding.score);
}

/* What a context has lowered is a mention at most: with others it may flag, but what refuses must come from elsewhere. */
static int
severity_of(const MdrImageRule *rule, const MdrFinding *finding)
{
	bool		lowered = finding->context >= 0 && finding->score < rule->weight;

	return lowered && rule->severity > MDR_LOWERED_SEVERITY ? MDR_LOWERED_SEVERITY : (int) rule->severity;
}

/* The score of one place: each rule once, at its best finding there, beside what the model thinks of it.  Changes the order of findings. */
static MdrScore
score_place(const MdrEngine *engine, Placed *findings, uint32_t nfindings, float opinion)
{
	MdrScore	score = {.score = opinion};

	qsort(findings, nfindings, sizeof(Placed), compare_best);
	for (uint32_t i = 0; i < nfindings; i++)
	{
		const MdrFinding *finding = &findings[i].finding;
		const MdrImageRule *rule = &engine->rules[finding->rule];

		if (finding->score <= 0 || (i > 0 && findings[i - 1].finding.rule == finding->rule))
			continue;
		score.spoken = true;
		if (severity_of(rule, finding) > score.severity)
			score.severity = severity_of(rule, finding);
		if (rule->speaker != MDR_SPEAKER_RULE)
			continue;			/* its opinion is in the score already */

		/* In double precision, so that one rule's score comes out as its weight and not a hair below. */
		score.score = (float) (1 - (1 - (double) score.score) * (1 - (double) finding->score));
	}
	return score;
}

/* Raises a category's score by that of one place.  The severity is that of a place where it counts, or else of the highest score. */
static void
raise_score(MdrScore *score, const MdrScore *place, float act_at)
{
	bool		acts = place->score >= act_at;

	if (acts && score->score >= act_at ? place->severity > score->severity : place->score > score->score)
		score->severity = place->severity;
	else if (place->score == score->score && place->severity > score->severity)
		score->severity = place->severity;
	if (place->score > score->score)
		score->score = place->score;
	score->spoken |= place->spoken;
}

/* One category: findings are its own, in order of start. */
static void
score_category(const MdrEngine *engine, const Placed *findings, uint32_t nfindings, const MdrOpinion *opinion, float act_at,
			   Placed *scratch, MdrScore *score)
{
	uint32_t	from = 0,
				to = 0;

	*score = (MdrScore) {.score = mdr_shift_score(opinion->score, opinion->shift)};
	while (to < nfindings)
	{
		uint32_t	piece = findings[to].finding.start / MDR_NEARBY;
		uint32_t	begin = (piece > 0 ? piece - 1 : 0) * MDR_NEARBY;
		uint32_t	end = begin + 2 * MDR_NEARBY;
		bool		near = opinion->start < end && opinion->end > begin;
		MdrScore	place;

		/* The first place that has a finding which no place before had. */
		while (findings[from].finding.start < begin)
			from++;
		while (to < nfindings && findings[to].finding.start < end)
			to++;
		memcpy(scratch, findings + from, (to - from) * sizeof(Placed));
		place = score_place(engine, scratch, to - from, near ? opinion->score : 0);
		place.score = mdr_shift_score(place.score, opinion->shift);
		raise_score(score, &place, act_at);
	}
}

MdrStatus
mdr_engine_scores(const MdrEngine *engine, MdrArena *arena, const MdrFinding *findings, uint32_t nfindings,
				  const MdrOpinion *opinions, MdrScore *scores)
{
	Placed	   *sorted = mdr_alloc_array(arena, (size_t) nfindings + 1, sizeof(Placed));
	Placed	   *scratch = mdr_alloc_array(arena, (size_t) nfindings + 1, sizeof(Placed));
	uint32_t	from = 0;

	if (sorted == NULL || scratch == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t i = 0; i < nfindings; i++)
		sorted[i] = (Placed) {engine->rules[findings[i].rule].category, findings[i]};
	qsort(sorted, nfindings, sizeof(Placed), compare_places);
	for (uint32_t c = 0; c < engine->ncategories; c++)
	{
		const MdrOpinion none = {0};
		uint32_t	to = from;

		while (to < nfindings && sorted[to].category == c)
			to++;
		score_category(engine, sorted + from, to - from, opinions != NULL ? &opinions[c] : &none, engine->categories[c].act_at,
					   scratch, &scores[c]);
		from = to;
	}
	return MDR_OK;
}
