/*
 * match_parts.c
 *		Parts of terms with several lists -> the terms: parts that follow one another without a gap, in one view.
 *
 * Parts are sorted by template and start and swept once.  A chain is what of a template has been matched so far; several
 * may be open, since words of a list may be each other's beginnings.
 *
 * Input: a view's hits.  Output: spans of the window.  Locks: none.  Memory: the engine's scratch arena.  On error: a status.
 */
#include "match/match_engine.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CHAINS 64			/* open at once */

typedef struct Part
{
	uint32_t	template;
	uint32_t	part;
	uint32_t	start;
	uint32_t	end;
	uint32_t	latest;			/* where the next part begins at the latest: beyond end when this one ends in a gap */
	uint32_t	flags;			/* of its use */
} Part;

typedef struct Parts
{
	Part	   *items;
	uint32_t	count;
	uint32_t	capacity;
} Parts;

/* A template matched so far; part is the next one. */
typedef struct Chain
{
	uint32_t	start;
	uint32_t	end;			/* the next part begins here, */
	uint32_t	latest;			/* or here at the latest */
	uint32_t	part;
	uint32_t	flags;			/* of the first part's use */
} Chain;

static MdrStatus
add_part(MdrWindow *window, Parts *parts, Part part)
{
	if (parts->count == parts->capacity)
	{
		uint32_t	larger = parts->capacity ? parts->capacity * 2 : 64;

		if (parts->count >= MDR_MAX_SPANS)
			return mdr_unknown(window, "a part of the content matches too many rules");
		parts->items = mdr_grow(window->engine->scratch, parts->items, parts->capacity * sizeof(Part), larger * sizeof(Part));
		if (parts->items == NULL)
			return MDR_NO_MEMORY;
		parts->capacity = larger;
	}
	parts->items[parts->count++] = part;
	return MDR_OK;
}

/*
 * Adds the part once for each way in which its tail (gap, piece, gap, piece, ...) can follow from position.  A piece may be
 * nothing, where the joined view has no space: then the part ends in a gap.
 */
static MdrStatus
follow(MdrWindow *window, MdrView view, Parts *parts, Part part, uint32_t position, const char *tail)
{
	const MdrText *text = &window->text[view];
	const char *piece = tail + 1;
	size_t		length;
	uint32_t	last;
	MdrStatus	status = MDR_OK;

	part.end = part.latest = position;
	if (*tail == '\0')
		return (part.flags & MDR_RIGHT) && !mdr_text_boundary(text, position) ? MDR_OK : add_part(window, parts, part);
	length = strcspn(piece, "\001");
	last = mdr_gap_end(text, position);
	if (*piece == '\0')
	{
		part.latest = last;
		return add_part(window, parts, part);
	}
	for (;; position = mdr_next_character(text, position))
	{
		if (text->length - position >= length && memcmp(text->bytes + position, piece, length) == 0)
			status = follow(window, view, parts, part, position + (uint32_t) length, piece + length);
		if (status != MDR_OK || position >= last)
			return status;
	}
}

/* The view's parts of those templates of which every part was seen. */
static MdrStatus
collect(MdrWindow *window, MdrView view, Parts *parts)
{
	const MdrEngine *engine = window->engine;
	const MdrHits *hits = &window->hits[view];
	uint64_t	steps = 0;

	for (uint32_t i = 0; i < hits->count; i++)
	{
		const MdrHit *hit = &hits->items[i];
		const MdrImageLiteral *literal = &engine->literals[hit->literal];
		uint32_t	start = hit->end - literal->length;

		if (!(literal->kinds[view] & (1u << MDR_USE_PART)))
			continue;
		for (uint32_t u = literal->first_use; u < literal->first_use + literal->nuses; u++)
		{
			const MdrImageUse *use = &engine->uses[u];
			const MdrMark *mark = &engine->template_seen[use->kind == MDR_USE_PART ? use->owner : 0];
			MdrStatus	status;

			if (++steps % MDR_INTERRUPT_EVERY == 0 && mdr_interrupted(window))
				return MDR_INTERRUPTED;
			if (use->kind != MDR_USE_PART || !(use->views & (1u << view))
				|| mark->value != (1u << engine->templates[use->owner].nparts) - 1 || mark->number != engine->number
				|| ((use->flags & MDR_LEFT) && !mdr_text_boundary(&window->text[view], start)))
				continue;
			status = follow(window, view, parts, (Part) {use->owner, use->group, start, 0, 0, use->flags}, hit->end,
							engine->strings + use->tail);
			if (status != MDR_OK)
				return status;
		}
	}
	return MDR_OK;
}

static int
compare_parts(const void *left, const void *right)
{
	const Part *a = left;
	const Part *b = right;

	if (a->template != b->template)
		return a->template < b->template ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->end > b->end) - (a->end < b->end);
}

/* A whole term was matched.  As in other terms, a star at an end drops the test for whole words. */
static MdrStatus
finish(MdrWindow *window, MdrView view, const MdrImageTemplate *template, const Chain *chain, const Part *last)
{
	const MdrText *text = &window->text[view];
	bool		whole = (template->flags & MDR_WHOLE) && (chain->flags & MDR_LEFT) && (last->flags & MDR_RIGHT);
	uint32_t	start = chain->start,
				end = last->end;
	MdrImageUse use = {.owner = template->owner, .group = (uint8_t) template->group,
		.flags = (uint8_t) ((chain->flags & MDR_LEFT) | (last->flags & MDR_RIGHT))};

	if (!mdr_text_changed(text, start, end) || (whole && !mdr_text_whole_words(text, start, end)))
		return MDR_OK;
	if (template->kind == MDR_USE_MEMBER)
		mdr_see_member(window, template->owner, template->group);
	return mdr_add_match(window, (MdrUseKind) template->kind, view, start, end, &use);
}

/* One template's parts, in order of start. */
static MdrStatus
sweep(MdrWindow *window, MdrView view, const Part *parts, uint32_t count)
{
	const MdrImageTemplate *template = &window->engine->templates[parts->template];
	Chain		chains[MAX_CHAINS];
	uint32_t	nchains = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	open = 0,
					before;

		for (uint32_t c = 0; c < nchains; c++)
			if (chains[c].latest >= parts[i].start)
				chains[open++] = chains[c];
		nchains = before = open;
		if (parts[i].part == 0 && nchains < MAX_CHAINS)
			chains[nchains++] = (Chain) {parts[i].start, parts[i].end, parts[i].latest, 1, parts[i].flags};
		for (uint32_t c = 0; c < before; c++)
		{
			if (chains[c].part != parts[i].part || parts[i].start < chains[c].end || parts[i].start > chains[c].latest)
				continue;
			if (chains[c].part + 1 == template->nparts)
			{
				MdrStatus	status = finish(window, view, template, &chains[c], &parts[i]);

				if (status != MDR_OK)
					return status;
			}
			else if (nchains < MAX_CHAINS)
				chains[nchains++] = (Chain) {chains[c].start, parts[i].end, parts[i].latest, chains[c].part + 1,
					chains[c].flags};
		}
	}
	return MDR_OK;
}

MdrStatus
mdr_join_parts(MdrWindow *window, MdrView view)
{
	Parts		parts = {0};
	MdrStatus	status = collect(window, view, &parts);

	if (status != MDR_OK || parts.count == 0)
		return status;
	status = mdr_window_sort(window, parts.items, parts.count, sizeof(Part), compare_parts);
	for (uint32_t first = 0, next; status == MDR_OK && first < parts.count; first = next)
	{
		for (next = first; next < parts.count && parts.items[next].template == parts.items[first].template; next++)
			;
		status = mdr_interrupted(window) ? MDR_INTERRUPTED : sweep(window, view, parts.items + first, next - first);
	}
	return status;
}
