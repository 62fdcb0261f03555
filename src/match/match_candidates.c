/*
 * match_candidates.c
 *		Literal hits -> what may come of them: patterns of whose sets each had a literal in the text, and those without sets; rules
 *		that have a word of each group, and terms of several lists that have a word of each.
 *
 * It saves work: most words that patterns and groups wait for are common, and nearly all of them come alone.
 *
 * Input: a window's hits in one view.  Output: its candidates, each pattern once.  Locks: none.  Memory: the engine's
 * scratch arena; marks in the engine.  On error: MDR_NO_MEMORY.
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
		MdrMark    *mark = &engine->pattern_seen[choice->pattern];

		if (!(choice->views & (1u << view)))
			continue;
		if (mark->number != engine->number)
			*mark = (MdrMark) {engine->number, 0};
		if (++mark->value == engine->patterns[choice->pattern].nsets)
			add_candidate(window, view, choice->pattern);
	}
}

/* A word of one of a rule's groups was seen, in whatever view. */
void
mdr_see_member(MdrWindow *window, uint32_t rule, uint32_t group)
{
	MdrEngine  *engine = window->engine;
	MdrMark    *mark = &engine->rule_seen[rule];

	if (mark->number < engine->window_number)
		*mark = (MdrMark) {engine->number, 0};
	mark->value |= 1u << group;
	if (mark->value == (1u << engine->rules[rule].ngroups) - 1)
		window->complete = true;
}

/* A part of a template was seen in this view; whether all were. */
static bool
see_part(MdrEngine *engine, uint32_t template, uint32_t part)
{
	MdrMark    *mark = &engine->template_seen[template];

	if (mark->number != engine->number)
		*mark = (MdrMark) {engine->number, 0};
	mark->value |= 1u << part;
	return mark->value == (1u << engine->templates[template].nparts) - 1;
}

MdrStatus
mdr_find_candidates(MdrWindow *window, MdrView view)
{
	MdrEngine  *engine = window->engine;
	const MdrHits *hits = &window->hits[view];
	const uint32_t wanted = 1u << MDR_USE_SET | 1u << MDR_USE_MEMBER | 1u << MDR_USE_PART;
	bool		parts = false;

	if (engine->nalways == 0 && !(window->kinds & wanted))
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

		/* Only the first hit of each literal says anything here. */
		if (!hits->items[i].first || !(literal->kinds[view] & wanted))
			continue;
		for (uint32_t u = literal->first_use; u < literal->first_use + literal->nuses; u++)
		{
			const MdrImageUse *use = &engine->uses[u];

			if (!(use->views & (1u << view)))
				continue;
			if (use->kind == MDR_USE_SET)
				see_set(window, view, use->owner);
			else if (use->kind == MDR_USE_MEMBER)
				mdr_see_member(window, use->owner, use->group);
			else if (use->kind == MDR_USE_PART)
				parts = see_part(engine, use->owner, use->group) || parts;
		}
	}
	return parts ? mdr_join_parts(window, view) : MDR_OK;
}
