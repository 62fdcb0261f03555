/*
 * match_patterns.c
 *		Patterns -> what confirms them (PCRE2) and what finds their candidates (Vectorscan in PREFILTER mode).
 *
 * Each pattern is spelt for the plain view, and again for the leet view when its rule looks through it; the joined view takes
 * the plain spelling.  PCRE2 compiles each once here, to refuse it where it stands in the document; an engine compiles it again
 * when content first needs it, since machine code cannot be kept in an image.  Vectorscan gets all patterns of a spelling as
 * one database.  What it refuses even approximately goes to the "always" lane, tried on every content, of which there may
 * be few.
 *
 * Input: the policy's tree.  Output: compiler->patterns, always and databases, in compiler->scratch.  Locks: none.  On error
 * the MdrError says which pattern is refused and why; PCRE2 and Vectorscan objects are freed before return.
 */
#include "match/match_compile.h"
#include "match/match_pcre.h"

#include <hs.h>
#include <stdlib.h>
#include <string.h>

#define PREFILTER_FLAGS (HS_FLAG_PREFILTER | HS_FLAG_UTF8 | HS_FLAG_UCP | HS_FLAG_SINGLEMATCH)

/* Refuses a pattern that PCRE2 refuses, or that would be a burden. */
static MdrStatus
check_pattern(MdrCompiler *compiler, const MdrPcre *pcre, const char *pattern, MdrPlace place, const char *rule)
{
	int			number;
	PCRE2_SIZE	offset;
	PCRE2_UCHAR reason[200] = "";
	uint32_t	matches_empty = 0;
	size_t		size = 0,
				machine_size = 0;
	pcre2_code *code = mdr_pcre_compile(pcre, pattern, &number, &offset);

	if (code == NULL)
	{
		if (number == PCRE2_ERROR_HEAP_FAILED)
			return mdr_compile_no_memory(compiler);
		pcre2_get_error_message(number, reason, sizeof(reason));
		return mdr_compile_refuse(compiler, place, rule, "%s (near character %zu of the pattern with its lists)", reason,
								  (size_t) offset + 1);
	}
	pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
	pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
	pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &machine_size);
	pcre2_code_free(code);
	if (matches_empty)
		return mdr_compile_refuse(compiler, place, rule, "pattern can match the empty string");
	if (size > MDR_MAX_COMPILED || machine_size > MDR_MAX_COMPILED)
		return mdr_compile_refuse(compiler, place, rule, "pattern comes to %zu bytes, more than %d: use fewer words, or terms",
								  size > machine_size ? size : machine_size, MDR_MAX_COMPILED);
	return MDR_OK;
}

/* One pattern of a rule or context: spelt, checked, recorded. */
static MdrStatus
add_pattern(MdrCompiler *compiler, const MdrPcre *pcre, const char *pattern, const MdrPlace *place, const char *rule,
			MdrUseKind kind, uint32_t owner, uint32_t views)
{
	MdrImagePattern *record = &compiler->patterns[compiler->npatterns];

	record->owner = owner;
	record->kind = kind;
	record->views = views & ~(1u << MDR_VIEW_SQUEEZED);
	for (int spelling = 0; spelling < MDR_NSPELLINGS; spelling++)
	{
		MdrView		view = spelling == 0 ? MDR_VIEW_PLAIN : MDR_VIEW_LEET;
		MdrBuffer	spelt = {compiler->scratch};
		MdrStatus	status;

		if (!(views & (1u << view)))
			continue;
		status = mdr_compile_spelling(compiler, pattern, *place, rule, view, &spelt);
		if (status == MDR_OK)
			status = check_pattern(compiler, pcre, spelt.bytes, *place, rule);
		if (status != MDR_OK)
			return status;
		record->text[spelling] = mdr_compile_string(compiler, spelt.bytes, spelt.length - 1);
		if (record->text[spelling] == UINT32_MAX)
			return mdr_compile_no_memory(compiler);
	}
	compiler->pattern_places[compiler->npatterns++] = place;
	return MDR_OK;
}

static MdrStatus
add_all(MdrCompiler *compiler, const MdrPcre *pcre)
{
	const MdrPolicy *policy = compiler->policy;
	MdrStatus	status = MDR_OK;

	for (uint32_t c = 0; c < policy->ncontexts; c++)
		for (uint32_t i = 0; status == MDR_OK && i < policy->contexts[c].patterns.count; i++)
			status = add_pattern(compiler, pcre, policy->contexts[c].patterns.items[i], &policy->contexts[c].patterns.places[i],
								 NULL, MDR_USE_CONTEXT, c, 1u << MDR_VIEW_PLAIN);
	for (uint32_t r = 0; r < policy->nrules; r++)
		for (uint32_t i = 0; status == MDR_OK && i < policy->rules[r].patterns.count; i++)
			status = add_pattern(compiler, pcre, policy->rules[r].patterns.items[i], &policy->rules[r].patterns.places[i],
								 policy->rules[r].id, MDR_USE_TERM, r, policy->rules[r].views);
	return status;
}

/* Sets pattern `index` aside, to be tried always. */
static MdrStatus
set_aside(MdrCompiler *compiler, int spelling, uint32_t index, const char *reason)
{
	const MdrImagePattern *pattern = &compiler->patterns[index];

	if (compiler->always_counts[spelling] == MDR_MAX_ALWAYS)
		return mdr_compile_refuse(compiler, *compiler->pattern_places[index],
								  pattern->kind == MDR_USE_TERM ? compiler->policy->rules[pattern->owner].id : NULL,
								  "no filter can be made for this pattern (%s), and there are %d such already", reason,
								  MDR_MAX_ALWAYS);
	compiler->always[spelling][compiler->always_counts[spelling]++] = index;
	return MDR_OK;
}

typedef struct Filtered
{
	const char **texts;
	unsigned   *flags;
	unsigned   *ids;
	uint32_t	count;
} Filtered;

/* The patterns of a spelling that Vectorscan says it can take. */
static MdrStatus
choose_filtered(MdrCompiler *compiler, int spelling, Filtered *filtered)
{
	uint32_t	views = spelling == 0 ? ~(1u << MDR_VIEW_LEET) : 1u << MDR_VIEW_LEET;

	filtered->texts = mdr_alloc_array(compiler->scratch, compiler->npatterns, sizeof(char *));
	filtered->flags = mdr_alloc_array(compiler->scratch, compiler->npatterns, sizeof(unsigned));
	filtered->ids = mdr_alloc_array(compiler->scratch, compiler->npatterns, sizeof(unsigned));
	compiler->always[spelling] = mdr_alloc_array(compiler->scratch, MDR_MAX_ALWAYS, sizeof(uint32_t));
	if (filtered->texts == NULL || filtered->flags == NULL || filtered->ids == NULL || compiler->always[spelling] == NULL)
		return mdr_compile_no_memory(compiler);
	for (uint32_t i = 0; i < compiler->npatterns; i++)
	{
		hs_expr_info_t *info = NULL;
		hs_compile_error_t *problem = NULL;
		const char *text = compiler->strings.bytes + compiler->patterns[i].text[spelling];
		MdrStatus	status = MDR_OK;

		if (!(compiler->patterns[i].views & views))
			continue;
		if (hs_expression_info(text, PREFILTER_FLAGS, &info, &problem) == HS_SUCCESS)
		{
			uint32_t	n = filtered->count++;

			filtered->texts[n] = text;
			filtered->flags[n] = PREFILTER_FLAGS;
			filtered->ids[n] = i;
		}
		else
			status = set_aside(compiler, spelling, i, problem ? problem->message : "unknown error");
		free(info);
		hs_free_compile_error(problem);
		if (status != MDR_OK)
			return status;
	}
	return MDR_OK;
}

static void
leave_out(Filtered *filtered, uint32_t index)
{
	uint32_t	after = --filtered->count - index;

	memmove(&filtered->texts[index], &filtered->texts[index + 1], after * sizeof(char *));
	memmove(&filtered->flags[index], &filtered->flags[index + 1], after * sizeof(unsigned));
	memmove(&filtered->ids[index], &filtered->ids[index + 1], after * sizeof(unsigned));
}

/* Builds a spelling's database, leaving out one by one what Vectorscan refuses only now. */
static MdrStatus
build_filter(MdrCompiler *compiler, int spelling, Filtered *filtered)
{
	while (filtered->count > 0)
	{
		hs_database_t *database = NULL;
		hs_compile_error_t *problem = NULL;
		MdrStatus	status;

		if (hs_compile_multi(filtered->texts, filtered->flags, filtered->ids, filtered->count, HS_MODE_BLOCK, NULL, &database,
							 &problem) == HS_SUCCESS)
			return mdr_compile_serialize(compiler, database, &compiler->pattern_databases[spelling]);
		if (problem != NULL && problem->expression >= 0 && problem->expression < filtered->count)
		{
			status = set_aside(compiler, spelling, filtered->ids[problem->expression], problem->message);
			leave_out(filtered, problem->expression);
		}
		else
			status = mdr_fail(compiler->error, MDR_BROKEN, 0, 0, "Vectorscan refused the patterns: %s",
							  problem ? problem->message : "unknown error");
		hs_free_compile_error(problem);
		if (status != MDR_OK)
			return status;
	}
	return MDR_OK;
}

static uint32_t
count_patterns(const MdrPolicy *policy)
{
	uint32_t	count = 0;

	for (uint32_t c = 0; c < policy->ncontexts; c++)
		count += policy->contexts[c].patterns.count;
	for (uint32_t r = 0; r < policy->nrules; r++)
		count += policy->rules[r].patterns.count;
	return count;
}

MdrStatus
mdr_compile_patterns(MdrCompiler *compiler)
{
	uint32_t	count = count_patterns(compiler->policy);
	MdrPcre		pcre;
	MdrStatus	status;

	if (count == 0)
		return MDR_OK;
	if (count > MDR_MAX_PATTERNS)
		return mdr_fail(compiler->error, MDR_INVALID, 0, 0, "policy has %u patterns, more than %d", count, MDR_MAX_PATTERNS);
	compiler->patterns = mdr_alloc_array(compiler->scratch, count, sizeof(MdrImagePattern));
	compiler->pattern_places = mdr_alloc_array(compiler->scratch, count, sizeof(MdrPlace *));
	if (compiler->patterns == NULL || compiler->pattern_places == NULL || !mdr_pcre_open(&pcre))
		return mdr_compile_no_memory(compiler);
	status = add_all(compiler, &pcre);
	mdr_pcre_close(&pcre);
	for (int spelling = 0; status == MDR_OK && spelling < MDR_NSPELLINGS; spelling++)
	{
		Filtered	filtered = {0};

		status = choose_filtered(compiler, spelling, &filtered);
		if (status == MDR_OK)
			status = build_filter(compiler, spelling, &filtered);
	}
	return status;
}
