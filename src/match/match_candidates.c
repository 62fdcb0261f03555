/*
 * match_candidates.c
 *		Literal hits -> the patterns that may match: those of whose sets each had a literal in the text, and those without sets.
 *
 * Input: a window's hits in one view.  Output: its candidates, each pattern once.  Locks: none.  Memory: the engine's scratch arena;
 * marks in the engine.  On error: MDR_NO_MEMORY.
 */
#include "match/match_engine.h"

static void
add_candidate(MdrWindow *window, MdrView view, uint32_t pattern)
{
	MdrCandidates *candidates = &window->candidates[view];

	candidates->items[candidates->count++] = pattern;
	window->kinds |= 1u << window->engine->patterns[pattern].kind;
}

/* A set was seen: its patterns have one set less to wait for. */
static void
see_set(MdrWindow *window, MdrView view, uint32_t index)
{
	MdrEngine  *engine = window->engine;
	const MdrImageSet *set = &engine->sets[index];

	if (engine->set_seen[index] == engine->number)
		return;
	engine->set_seen[index] = engine->number;
	for (uint32_t i = set->first; i < set->first + set->count; i++)
	{
		const MdrImageChoice *choice = &engine->set_patterns[i];
		uint32_t	pattern = choice->pattern;

		if (!(choice->views & (1u << view)))
			continue;
		if (engine->pattern_seen[pattern].number != engine->number)
		{
			engine->pattern_seen[pattern].number = engine->number;
			engine->pattern_seen[pattern].sets = 0;
		}
		if (++engine->pattern_seen[pattern].sets == engine->patterns[pattern].nsets)
			add_candidate(window, view, pattern);
	}
}

MdrStatus
mdr_find_candidates(MdrWindow *window, MdrView view)
{
	MdrEngine  *engine = window->engine;
	const MdrHits *hits = &window->hits[view];

	if (engine->nalways == 0 && !(window->kinds & (1u << MDR_USE_SET)))
		return MDR_OK;
	window->candidates[view].items = mdr_alloc_array(engine->scratch, engine->npatterns + 1, sizeof(uint32_t));
	if (window->candidates[view].items == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t i = 0; i < engine->nalways; i++)
		if (engine->always[i].views & (1u << view))
			add_candidate(window, view, engine->always[i].pattern);
	for (uint32_t i = 0; i < hits->count; i++)
	{
		const MdrImageLiteral *literal = &engine->literals[hits->items[i].literal];

		if (!(literal->kinds[view] & (1u << MDR_USE_SET)))
			continue;
		for (uint32_t u = literal->first_use; u < literal->first_use + literal->nuses; u++)
			if (engine->uses[u].kind == MDR_USE_SET && (engine->uses[u].views & (1u << view)))
				see_set(window, view, engine->uses[u].owner);
	}
	return MDR_OK;
}
