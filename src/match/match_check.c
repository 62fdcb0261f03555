/*
 * match_check.c
 *		Runs a policy's own examples: what a rule must find, and what it must not.
 *
 * A hit must give a finding of its rule that is not excused altogether; and where the rule alone would flag, the hit must.
 * A miss must give none, or one that a context takes below flag_at.  Messages tell which example failed by its number,
 * never by its text.
 *
 * Input: an engine and the tree it was compiled from.  Output: a status.  Locks: none.  Memory: an arena of this file's
 * own.  On error: MDR_INVALID with file, line, column and rule of the example, and *check behind it.
 */
#include "match/match_engine.h"

#include <string.h>

typedef struct Checker
{
	MdrEngine  *engine;
	const MdrPolicy *policy;
	MdrArena   *arena;
	MdrScore   *scores;
	MdrInterrupted interrupted;
	void	   *context;
	MdrError   *error;
} Checker;

/* The rule's best finding in a scan, or NULL. */
static const MdrFinding *
best_finding(const MdrScan *scan, uint32_t rule)
{
	const MdrFinding *best = NULL;

	for (uint32_t i = 0; i < scan->nfindings; i++)
		if (scan->findings[i].rule == rule && (best == NULL || scan->findings[i].score > best->score))
			best = &scan->findings[i];
	return best;
}

/* Judges a hit by what was found in it. */
static MdrStatus
judge_hit(Checker *checker, const MdrScan *scan, uint32_t index, uint32_t number)
{
	const MdrRule *rule = &checker->policy->rules[index];
	const MdrImageCategory *category = &checker->engine->categories[rule->category];
	const MdrFinding *best = best_finding(scan, index);
	MdrPlace	place = rule->hits.places[number];
	MdrStatus	status;

	if (best == NULL)
		return mdr_policy_fail(checker->policy, checker->error, MDR_INVALID, place, rule->id,
							   "hit %u is not found by this rule", number + 1);
	if (best->score <= 0)
		return mdr_policy_fail(checker->policy, checker->error, MDR_INVALID, place, rule->id,
							   "hit %u is excused altogether by context %s", number + 1,
							   mdr_engine_context(checker->engine, best->context));
	status = mdr_engine_scores(checker->engine, checker->arena, scan->findings, scan->nfindings, NULL, checker->scores);
	if (status != MDR_OK)
		return mdr_fail(checker->error, status, 0, 0, "out of memory");
	if (rule->weight >= category->flag_at && checker->scores[rule->category].score < category->flag_at)
		return mdr_policy_fail(checker->policy, checker->error, MDR_INVALID, place, rule->id,
							   "hit %u is found, but context %s leaves it at %.2f, below flag_at %.2f", number + 1,
							   mdr_engine_context(checker->engine, best->context),
							   checker->scores[rule->category].score, category->flag_at);
	return MDR_OK;
}

static MdrStatus
judge_miss(Checker *checker, const MdrScan *scan, uint32_t index, uint32_t number)
{
	const MdrRule *rule = &checker->policy->rules[index];
	const MdrImageCategory *category = &checker->engine->categories[rule->category];
	const MdrFinding *best = best_finding(scan, index);

	if (best == NULL || (best->context >= 0 && best->score < category->flag_at))
		return MDR_OK;
	return mdr_policy_fail(checker->policy, checker->error, MDR_INVALID, rule->misses.places[number], rule->id,
						   "miss %u is found by this rule, at bytes %u to %u, with score %.2f", number + 1, best->start + 1,
						   best->end, best->score);
}

static MdrStatus
check_example(Checker *checker, uint32_t index, bool hit, uint32_t number)
{
	const MdrRule *rule = &checker->policy->rules[index];
	const MdrStrings *examples = hit ? &rule->hits : &rule->misses;
	MdrScan		scan = {.interrupted = checker->interrupted, .interrupted_context = checker->context, .rules_only = true};
	MdrStatus	status;

	mdr_arena_reset(checker->arena);
	checker->scores = mdr_alloc_array(checker->arena, checker->engine->ncategories, sizeof(MdrScore));
	if (checker->scores == NULL)
		return mdr_fail(checker->error, MDR_NO_MEMORY, 0, 0, "out of memory");
	status = mdr_engine_scan(checker->engine, checker->arena, examples->items[number], strlen(examples->items[number]), &scan);
	if (status == MDR_UNKNOWN)
		return mdr_policy_fail(checker->policy, checker->error, MDR_INVALID, examples->places[number], rule->id,
							   "%s %u could not be scanned: %s", hit ? "hit" : "miss", number + 1, scan.unknown);
	if (status != MDR_OK)
		return mdr_fail(checker->error, status, 0, 0, "%s", status == MDR_INTERRUPTED ? "interrupted"
						: status == MDR_NO_MEMORY ? "out of memory" : scan.unknown ? scan.unknown : "scan failed");
	return hit ? judge_hit(checker, &scan, index, number) : judge_miss(checker, &scan, index, number);
}

MdrStatus
mdr_engine_check_from(MdrEngine *engine, const MdrPolicy *policy, MdrCheck *check, MdrInterrupted interrupted, void *context,
					  MdrError *error)
{
	Checker		checker = {engine, policy, mdr_arena_create(0), NULL, interrupted, context, error};
	MdrStatus	status = MDR_OK;

	if (checker.arena == NULL)
		return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	for (; status == MDR_OK && check->rule < policy->nrules; check->rule++, check->example = 0)
	{
		const MdrRule *rule = &policy->rules[check->rule];
		uint32_t	total = rule->hits.count + rule->misses.count;

		while (status == MDR_OK && check->example < total)
		{
			bool		hit = check->example < rule->hits.count;

			status = check_example(&checker, check->rule, hit, check->example - (hit ? 0 : rule->hits.count));
			check->example++;
		}
		if (status != MDR_OK)
			break;
	}
	mdr_arena_destroy(checker.arena);
	return status;
}

MdrStatus
mdr_engine_check(MdrEngine *engine, const MdrPolicy *policy, MdrInterrupted interrupted, void *context, MdrError *error)
{
	MdrCheck	check = {0};

	return mdr_engine_check_from(engine, policy, &check, interrupted, context, error);
}
