/*
 * match_engine.c
 *		Opens a compiled policy for scanning in this process, and answers what is asked of it.
 *
 * Input: an image's bytes, which need not stay.  Output: an engine.  Locks: none.  Memory: the engine owns everything it
 * holds: two arenas, PCRE2's codes.  On error nothing is left behind.
 */
#include "match/match_engine.h"

#include <stdlib.h>
#include <string.h>

static const void *
section(const MdrEngine *engine, int index)
{
	return (const char *) engine->header + engine->header->sections[index].offset;
}

static uint32_t
count_of(const MdrEngine *engine, int index)
{
	return (uint32_t) engine->header->sections[index].count;
}

/* Points the engine at the tables of its own copy of the image. */
static void
point(MdrEngine *engine)
{
	engine->strings = section(engine, MDR_STRINGS);
	engine->categories = section(engine, MDR_CATEGORIES);
	engine->contexts = section(engine, MDR_CONTEXTS);
	engine->rules = section(engine, MDR_RULES);
	engine->patterns = section(engine, MDR_PATTERNS);
	engine->ncategories = count_of(engine, MDR_CATEGORIES);
	engine->ncontexts = count_of(engine, MDR_CONTEXTS);
	engine->nrules = count_of(engine, MDR_RULES);
	engine->npatterns = count_of(engine, MDR_PATTERNS);
	engine->always = section(engine, MDR_ALWAYS);
	engine->literals = section(engine, MDR_LITERALS);
	engine->uses = section(engine, MDR_USES);
	engine->sets = section(engine, MDR_SETS);
	engine->set_patterns = section(engine, MDR_SET_PATTERNS);
	engine->templates = section(engine, MDR_TEMPLATES);
	engine->ntemplates = count_of(engine, MDR_TEMPLATES);
	engine->nalways = count_of(engine, MDR_ALWAYS);
	engine->nliterals = count_of(engine, MDR_LITERALS);
	engine->nsets = count_of(engine, MDR_SETS);
	for (uint32_t c = 0; c < engine->ncontexts; c++)
		if (engine->contexts[c].within == 0)
			engine->anywhere |= UINT64_C(1) << c;
}

static void
point_index(MdrEngine *engine)
{
	MdrIndex   *index = &engine->index;
	const uint64_t *bitmaps = section(engine, MDR_BITMAPS);

	index->sizes = engine->header->sizes;
	index->strings = engine->strings;
	index->literals = engine->literals;
	index->nliterals = engine->nliterals;
	index->heads = section(engine, MDR_HEADS);
	index->runs = section(engine, MDR_RUNS);
	index->shorts = section(engine, MDR_SHORTS);
	for (int where = 0; where < MDR_NWHERES; where++)
		for (int b = 0; b < MDR_NBITMAPS; b++)
			index->bitmaps[where][b] = bitmaps + mdr_bitmap_start(&index->sizes, (MdrWhere) where, (MdrBitmap) b);
}

/* The library's model, when the policy wants it and it knows one of the categories; and the policy's own, which was looked over. */
static bool
equip_models(MdrEngine *engine)
{
	const MdrModel *model = mdr_model_built_in();

	engine->model_heads = mdr_alloc_array(engine->arena, engine->ncategories, sizeof(int));
	engine->learned_heads = mdr_alloc_array(engine->arena, engine->ncategories, sizeof(int));
	if (engine->model_heads == NULL || engine->learned_heads == NULL)
		return false;
	if (count_of(engine, MDR_LEARNED) > 0
		&& mdr_model_open(section(engine, MDR_LEARNED), count_of(engine, MDR_LEARNED), &engine->learned_model, NULL) == MDR_OK)
		engine->learned = &engine->learned_model;
	for (uint32_t i = 0; i < engine->ncategories; i++)
	{
		const MdrImageCategory *category = &engine->categories[i];
		const char *id = engine->strings + category->id;

		engine->learned_heads[i] = category->learned_rule != MDR_NO_RULE ? mdr_model_head(engine->learned, id) : -1;
	}
	mdr_engine_use_model(engine, model);
	return true;
}

void
mdr_engine_use_model(MdrEngine *engine, const MdrModel *model)
{
	engine->model = NULL;
	for (uint32_t i = 0; i < engine->ncategories; i++)
	{
		const MdrImageCategory *category = &engine->categories[i];

		engine->model_heads[i] = category->model > 0 && model != NULL ? mdr_model_head(model, engine->strings + category->id) : -1;
		if (engine->model_heads[i] >= 0)
			engine->model = model;
	}
}

/* Makes what the engine needs beside the image. */
static bool
equip(MdrEngine *engine)
{
	point(engine);
	point_index(engine);
	for (int s = 0; s < MDR_NSPELLINGS; s++)
	{
		engine->codes[s] = mdr_alloc_array(engine->arena, engine->npatterns + 1, sizeof(pcre2_code *));
		if (engine->codes[s] == NULL)
			return false;
	}
	engine->literal_seen = mdr_alloc_array(engine->arena, engine->nliterals + 1, sizeof(uint32_t));
	engine->set_seen = mdr_alloc_array(engine->arena, engine->nsets + 1, sizeof(uint32_t));
	engine->pattern_seen = mdr_alloc_array(engine->arena, engine->npatterns + 1, sizeof(MdrMark));
	engine->rule_seen = mdr_alloc_array(engine->arena, engine->nrules + 1, sizeof(MdrMark));
	engine->template_seen = mdr_alloc_array(engine->arena, engine->ntemplates + 1, sizeof(MdrMark));
	if (!equip_models(engine))
		return false;
	return engine->literal_seen != NULL && engine->set_seen != NULL && engine->pattern_seen != NULL
		&& engine->rule_seen != NULL && engine->template_seen != NULL && mdr_pcre_open(&engine->pcre);
}

MdrStatus
mdr_engine_open(const char *image, size_t length, MdrEngine **engine, MdrError *error)
{
	MdrEngine  *opened = calloc(1, sizeof(MdrEngine));
	MdrStatus	status = MDR_OK;
	char	   *copy = NULL;

	*engine = NULL;
	if (opened != NULL)
	{
		opened->arena = mdr_arena_create(0);
		opened->scratch = mdr_arena_create(0);
	}

	/* The caller's bytes may lie at any address and go away; a copy is aligned to be read as records. */
	if (opened != NULL && opened->arena != NULL && opened->scratch != NULL)
		copy = mdr_alloc(opened->arena, length + 1);
	if (copy == NULL)
		status = mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	else
	{
		memcpy(copy, image, length);
		status = mdr_image_check(copy, length, error);
	}
	if (status == MDR_OK)
	{
		opened->header = (const MdrImageHeader *) copy;
		if (!equip(opened))
			status = mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	}
	if (status == MDR_OK)
		*engine = opened;
	else
		mdr_engine_close(opened);
	return status;
}

void
mdr_engine_close(MdrEngine *engine)
{
	if (engine == NULL)
		return;
	for (int s = 0; s < MDR_NSPELLINGS; s++)
		for (uint32_t i = 0; engine->codes[s] != NULL && i < engine->npatterns; i++)
			pcre2_code_free(engine->codes[s][i]);
	mdr_pcre_close(&engine->pcre);
	mdr_arena_destroy(engine->scratch);
	mdr_arena_destroy(engine->arena);
	free(engine);
}

const char *
mdr_engine_policy(const MdrEngine *engine)
{
	return engine->strings + engine->header->name;
}

uint32_t
mdr_engine_ncategories(const MdrEngine *engine)
{
	return engine->ncategories;
}

void
mdr_engine_category(const MdrEngine *engine, uint32_t index, MdrEngineCategory *category)
{
	const MdrImageCategory *from = &engine->categories[index];

	category->id = engine->strings + from->id;
	category->clause_en = engine->strings + from->clause_en;
	category->clause_zh = engine->strings + from->clause_zh;
	category->flag_at = from->flag_at;
	category->act_at = from->act_at;
	for (int s = 0; s <= MDR_MAX_SEVERITY; s++)
		category->actions[s] = (MdrAction) from->actions[s];
	category->strike = from->strike != 0;
	category->suspend_from = from->suspend_from;
	category->evidence = (MdrEvidence) from->evidence;
	category->model = from->model;
}

uint32_t
mdr_engine_nrules(const MdrEngine *engine)
{
	return engine->nrules;
}

void
mdr_engine_rule(const MdrEngine *engine, uint32_t index, MdrEngineRule *rule)
{
	const MdrImageRule *from = &engine->rules[index];

	rule->id = engine->strings + from->id;
	rule->language = engine->strings + from->language;
	rule->note = engine->strings + from->note;
	rule->category = from->category;
	rule->speaker = (MdrSpeaker) from->speaker;
	rule->weight = from->weight;
	rule->severity = (int) from->severity;
	rule->nterms = from->nterms;
	rule->npatterns = from->npatterns;
	rule->nhits = from->nhits;
	rule->nmisses = from->nmisses;
}

void
mdr_engine_ladder(const MdrEngine *engine, MdrLadder *ladder)
{
	*ladder = engine->header->ladder;
}

int64_t
mdr_engine_max_bytes(const MdrEngine *engine)
{
	return engine->header->max_bytes;
}

MdrAction
mdr_engine_on_unknown(const MdrEngine *engine)
{
	return (MdrAction) engine->header->on_unknown;
}

const char *
mdr_engine_context(const MdrEngine *engine, int index)
{
	if (index == MDR_CONTEXT_LEARNED)
		return "learned";
	return index >= 0 && index < (int) engine->ncontexts ? engine->strings + engine->contexts[index].id : NULL;
}
