/*
 * rules.c
 *		What whoever writes rules asks: which rules raise false alarms, and which texts were missed.
 *
 * Input: a corpus and what the engine made of it.  Output: a stream; ids, never texts.  Locks: none.  Memory: the corpus' arena.
 */
#include "eval.h"

#include <stdlib.h>
#include <string.h>

/* What one rule did, over all sets. */
typedef struct RuleSum
{
	uint32_t	rule;
	RuleCount	texts;
	uint32_t	benign_sets;
	uint32_t	harmful_sets;
} RuleSum;

static int
compare_rules(const void *left, const void *right)
{
	const RuleSum *a = left;
	const RuleSum *b = right;

	if (a->texts.benign != b->texts.benign)
		return a->texts.benign > b->texts.benign ? -1 : 1;
	if (a->texts.harmful != b->texts.harmful)
		return a->texts.harmful > b->texts.harmful ? -1 : 1;
	return (a->rule > b->rule) - (a->rule < b->rule);
}

void
print_rules(const Corpus *corpus, const Results *results, FILE *out)
{
	uint32_t	nrules = mdr_engine_nrules(corpus->engine);
	RuleSum    *sums = must(mdr_alloc_array(corpus->arena, nrules + 1, sizeof(RuleSum)));
	Table	   *table = table_create(corpus->arena, "rule|>weight|>severity|>benign texts|>alone|>sets|>harmful texts|>alone|>sets");

	for (uint32_t i = 0; i < nrules; i++)
	{
		sums[i].rule = i;
		for (uint32_t j = 0; j < corpus->nsets; j++)
		{
			const RuleCount *count = &results->rules[(size_t) i * corpus->nsets + j];

			sums[i].texts.benign += count->benign;
			sums[i].texts.benign_alone += count->benign_alone;
			sums[i].texts.harmful += count->harmful;
			sums[i].texts.harmful_alone += count->harmful_alone;
			sums[i].benign_sets += count->benign > 0;
			sums[i].harmful_sets += count->harmful > 0;
		}
	}
	qsort(sums, nrules, sizeof(RuleSum), compare_rules);
	for (uint32_t i = 0; i < nrules && sums[i].texts.benign + sums[i].texts.harmful > 0; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(corpus->engine, sums[i].rule, &rule);
		table_add(table, "%s", rule.id);
		table_add(table, "%.2f", rule.weight);
		table_add(table, "%d", rule.severity);
		table_add(table, "%u", sums[i].texts.benign);
		table_add(table, "%u", sums[i].texts.benign_alone);
		table_add(table, "%u", sums[i].benign_sets);
		table_add(table, "%u", sums[i].texts.harmful);
		table_add(table, "%u", sums[i].texts.harmful_alone);
		table_add(table, "%u", sums[i].harmful_sets);
	}
	table_print(table, out);
}

static void
print_categories(const Corpus *corpus, const Results *results, uint32_t text, bool labelled, FILE *out)
{
	MdrEngineCategory category;

	for (uint32_t i = 0; i < results->ncategories; i++)
	{
		mdr_engine_category(corpus->engine, i, &category);
		if (labelled && corpus->texts[text].label[i] == 1)
			fprintf(out, " %s", category.id);
		if (!labelled && results->action[SYSTEM_BOTH][cell(results, text, i)] >= MDR_FLAG)
			fprintf(out, " %s:%.2f:%s", category.id, results->score[SYSTEM_BOTH][cell(results, text, i)],
				   mdr_action_name((MdrAction) results->action[SYSTEM_BOTH][cell(results, text, i)]));
	}
}

void
print_ids(const Corpus *corpus, const Results *results, const char *name, FILE *out)
{
	for (uint32_t i = 0; i < corpus->ntexts; i++)
	{
		const Text *text = &corpus->texts[i];
		const char *set = corpus->sets[text->set].name;
		bool		flagged = results->outcome[SYSTEM_BOTH][i] & FLAGGED;

		if (text->benign == NO_LABEL || results->left_out[i] || flagged != (text->benign == 1) || (strcmp(name, "all") != 0 && strcmp(name, set) != 0))
			continue;
		fprintf(out, "%s %s %s:", flagged ? "flagged" : "missed", set, text->id);
		print_categories(corpus, results, i, !flagged, out);
		fputc('\n', out);
	}
}
