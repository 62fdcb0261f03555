/*
 * match_confirm.c
 *		Literal hits and candidates -> spans: terms by word boundary and segmentation, patterns by PCRE2.
 *
 * In views other than the plain one a match counts only where the view changed something, so that a view adds nothing to
 * ordinary text.  PCRE2's match limit holds for one start position; so it is given few of them at a time, and the caller's
 * interrupt is asked in between.  Whatever PCRE2 says other than "match" and "no match" makes the content unknown.
 *
 * Input: hits of a window.  Output: its spans.  Locks: none.  Memory: the engine's scratch arena; compiled patterns stay
 * with the engine.  On error: a status, spans made so far stay.
 */
#include "match/match_engine.h"

#include <stdio.h>
#include <string.h>

#define STARTS 512				/* start positions that PCRE2 tries in one call */
#define MAX_GAP 24				/* characters that a gap in a term stands for at most */
#define MAX_STEPS 1000			/* in which a term's gaps are tried */

/* One literal hit: what of it is the same for all uses, worked out when first asked. */
typedef struct Place
{
	const MdrText *text;
	uint32_t	start;
	uint32_t	end;
	int			changed;		/* -1 = not known yet */
	int			left;
	int			right;
	int			whole;
} Place;

static MdrSpans *
spans_of(MdrWindow *window, MdrUseKind kind)
{
	switch (kind)
	{
		case MDR_USE_TERM:
			return &window->found;
		case MDR_USE_MEMBER:
			return &window->members;
		case MDR_USE_CONTEXT:
			return &window->signs;
		case MDR_USE_ALLOW:
		case MDR_USE_SET:
		case MDR_USE_PART:
			break;
	}
	return &window->allowed;
}

/* Where the word ends that a star lets go on behind a match, and where it begins before one. */
static uint32_t
word_end(const MdrText *text, uint32_t position)
{
	for (int i = 0; i < MAX_GAP && position < text->length && !mdr_text_boundary(text, position); i++)
		position = mdr_next_character(text, position);
	return position;
}

static uint32_t
word_start(const MdrText *text, uint32_t position)
{
	for (int i = 0; i < MAX_GAP && position > 0 && !mdr_text_boundary(text, position); i++)
		do
			position--;
		while (position > 0 && ((unsigned char) text->bytes[position] & 0xC0) == 0x80);
	return position;
}

/*
 * Adds a confirmed match of a view, in the plain view's positions, unless another window sees it better.  What is told of
 * it as given is the whole word where a star was; what allowed phrases and distances are measured by is the match alone.
 */
MdrStatus
mdr_add_match(MdrWindow *window, MdrUseKind kind, MdrView view, uint32_t start, uint32_t end, const MdrImageUse *use)
{
	const MdrText *text = &window->text[view];
	MdrSpan		span = {.owner = use->owner, .group = use->group, .view = view};

	mdr_text_span(text, start, end, &span.given_start, &span.given_end);
	if ((!window->first && span.given_start < MDR_MARGIN)
		|| (!window->last && span.given_start >= window->length - MDR_MARGIN))
		return MDR_OK;
	mdr_text_plain_span(text, start, end, &span.start, &span.end);
	if ((use->flags & (MDR_LEFT | MDR_RIGHT)) != (MDR_LEFT | MDR_RIGHT))
		mdr_text_span(text, use->flags & MDR_LEFT ? start : word_start(text, start),
					  use->flags & MDR_RIGHT ? end : word_end(text, end), &span.given_start, &span.given_end);
	return mdr_add_span(window, spans_of(window, kind), span);
}

uint32_t
mdr_next_character(const MdrText *text, uint32_t position)
{
	do
		position++;
	while (position < text->length && ((unsigned char) text->bytes[position] & 0xC0) == 0x80);
	return position;
}

/* The last position at which a gap that begins at start may end: the end of the word, or so many characters. */
uint32_t
mdr_gap_end(const MdrText *text, uint32_t start)
{
	uint32_t	position = start;

	for (int i = 0; i < MAX_GAP && position < text->length; i++)
	{
		if (position > start && mdr_text_boundary(text, position))
			break;
		position = mdr_next_character(text, position);
	}
	return position;
}

/*
 * Follows a tail from position: gap, piece, gap, piece, ...  The furthest end at which the last piece may end, and with it
 * a word if it must; 0 when the tail does not follow.  steps bounds how many ways are tried.
 */
static uint32_t
follow(const MdrText *text, uint32_t position, const char *tail, bool right, int *steps)
{
	const char *piece = tail + 1;
	uint32_t	furthest = 0;
	uint32_t	last;
	size_t		length;

	if (*tail == '\0')
		return !right || mdr_text_boundary(text, position) ? position : 0;
	length = strcspn(piece, "\001");
	last = mdr_gap_end(text, position);
	for (;; position = mdr_next_character(text, position))
	{
		if (text->length - position >= length && memcmp(text->bytes + position, piece, length) == 0)
		{
			uint32_t	end = follow(text, position + (uint32_t) length, piece + length, right, steps);

			if (end > furthest)
				furthest = end;
		}
		if (position >= last || --*steps <= 0)
			return furthest;
	}
}

static bool
known(int *memory, bool (*ask) (const MdrText *text, uint32_t position), const MdrText *text, uint32_t position)
{
	if (*memory < 0)
		*memory = ask(text, position);
	return *memory != 0;
}

/* Whether a single letter of the plain view is a piece of a word that was spread:  f.l.u.e.n.t  has no "u". */
static bool
is_fragment(const MdrWindow *window, const Place *place)
{
	if (window->closed == NULL || place->text->view != MDR_VIEW_PLAIN || place->end - place->start > 1)
		return false;
	return (place->start > 0 && window->closed[(place->start - 1) / 64] >> ((place->start - 1) % 64) & 1)
		|| (window->closed[place->end / 64] >> (place->end % 64) & 1);
}

/* Whether a use of the literal at this place counts; *end becomes its end. */
static bool
use_counts(const MdrWindow *window, Place *place, const MdrImageUse *use, uint32_t *end)
{
	const MdrText *text = place->text;

	*end = place->end;
	if (is_fragment(window, place))
		return false;
	if ((use->flags & MDR_LEFT) && !known(&place->left, mdr_text_boundary, text, place->start))
		return false;
	if (use->tail != 0)
	{
		int			steps = MAX_STEPS;

		*end = follow(text, place->end, window->engine->strings + use->tail, (use->flags & MDR_RIGHT) != 0, &steps);
		if (*end == 0)
			return false;
		return mdr_text_changed(text, place->start, *end)
			&& (!(use->flags & MDR_WHOLE) || mdr_text_whole_words(text, place->start, *end));
	}
	if ((use->flags & MDR_RIGHT) && !known(&place->right, mdr_text_boundary, text, place->end))
		return false;
	if (place->changed < 0)
		place->changed = mdr_text_changed(text, place->start, place->end);
	if (!place->changed)
		return false;
	if ((use->flags & MDR_WHOLE) && place->whole < 0)
		place->whole = mdr_text_whole_words(text, place->start, place->end);
	return !(use->flags & MDR_WHOLE) || place->whole;
}

/* Whether a rule has a word of each of its groups somewhere in the window. */
static bool
is_complete(const MdrEngine *engine, uint32_t rule)
{
	const MdrMark *mark = &engine->rule_seen[rule];

	return mark->number >= engine->window_number && mark->value == (1u << engine->rules[rule].ngroups) - 1;
}

static MdrStatus
confirm_in_view(MdrWindow *window, MdrView view, uint32_t kinds)
{
	const MdrEngine *engine = window->engine;
	const MdrHits *hits = &window->hits[view];
	uint64_t	steps = 0;

	for (uint32_t i = 0; i < hits->count; i++)
	{
		const MdrImageLiteral *literal = &engine->literals[hits->items[i].literal];
		Place		place = {&window->text[view], hits->items[i].end - literal->length, hits->items[i].end, -1, -1, -1, -1};

		if (!(literal->kinds[view] & kinds))
			continue;
		for (uint32_t u = literal->first_use; u < literal->first_use + literal->nuses; u++)
		{
			const MdrImageUse *use = &engine->uses[u];
			uint32_t	end;
			MdrStatus	status;

			/* Uses are in order of kind. */
			if (kinds < 1u << use->kind)
				break;
			if (++steps % MDR_INTERRUPT_EVERY == 0 && mdr_interrupted(window))
				return MDR_INTERRUPTED;
			if (!(kinds & (1u << use->kind)) || !(use->views & (1u << view))
				|| (use->kind == MDR_USE_MEMBER && !is_complete(engine, use->owner))
				|| !use_counts(window, &place, use, &end))
				continue;
			status = mdr_add_match(window, use->kind, view, place.start, end, use);
			if (status != MDR_OK)
				return status;
		}
	}
	return MDR_OK;
}

MdrStatus
mdr_confirm_literals(MdrWindow *window, uint32_t kinds)
{
	MdrStatus	status = MDR_OK;

	for (int view = 0; status == MDR_OK && view < MDR_NVIEWS; view++)
		status = confirm_in_view(window, view, kinds);
	return status;
}

/* The pattern's code for a view, compiled on its first candidate. */
static MdrStatus
code_of(MdrWindow *window, uint32_t id, MdrView view, pcre2_code **code)
{
	MdrEngine  *engine = window->engine;
	int			number;
	PCRE2_SIZE	offset;

	*code = engine->codes[view][id];
	if (*code != NULL)
		return MDR_OK;
	*code = mdr_pcre_compile(&engine->pcre, engine->strings + engine->patterns[id].text[view], &number, &offset);
	if (*code == NULL)
	{
		window->scan->unknown = "a compiled policy's pattern could not be compiled again";
		return number == PCRE2_ERROR_HEAP_FAILED ? MDR_NO_MEMORY : MDR_BROKEN;
	}
	engine->codes[view][id] = *code;
	return MDR_OK;
}

static MdrStatus
match_failed(MdrWindow *window, int result)
{
	switch (result)
	{
		case PCRE2_ERROR_MATCHLIMIT:
			return mdr_unknown(window, "a pattern reached its match limit");
		case PCRE2_ERROR_HEAPLIMIT:
		case PCRE2_ERROR_DEPTHLIMIT:
		case PCRE2_ERROR_JIT_STACKLIMIT:
			return mdr_unknown(window, "a pattern reached its memory limit");
		case PCRE2_ERROR_NOMEMORY:
			return MDR_NO_MEMORY;
		default:
			return mdr_unknown(window, "a pattern could not be matched");
	}
}

/* In the joined view, which has no spaces, the text stage says where words begin and end. */
static bool
stands_apart(const MdrText *text, const MdrImagePattern *pattern, uint32_t start, uint32_t end)
{
	return (!(pattern->flags & MDR_LEFT) || mdr_text_boundary(text, start))
		&& (!(pattern->flags & MDR_RIGHT) || mdr_text_boundary(text, end));
}

/* All matches of one candidate in the view's whole window. */
static MdrStatus
confirm_pattern(MdrWindow *window, MdrView view, uint32_t id)
{
	MdrPcre    *pcre = &window->engine->pcre;
	const MdrText *text = &window->text[view];
	const MdrImagePattern *pattern = &window->engine->patterns[id];
	uint32_t	start = 0;
	pcre2_code *code;
	MdrStatus	status = code_of(window, id, view, &code);

	while (status == MDR_OK && start < text->length)
	{
		const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(pcre->data);
		uint32_t	last = text->length - start > STARTS ? start + STARTS : text->length;
		int			result;

		pcre2_set_offset_limit(pcre->match, last);
		result = pcre2_match(code, (PCRE2_SPTR) text->bytes, text->length, start, PCRE2_NO_UTF_CHECK, pcre->data, pcre->match);
		if (result == PCRE2_ERROR_NOMATCH)
			start = last < text->length ? mdr_next_character(text, last) : last;
		else if (result < 0)
			return match_failed(window, result);
		else
		{
			uint32_t	from = (uint32_t) bounds[0],
						to = (uint32_t) bounds[1];

			if (to > from && mdr_text_changed(text, from, to) && (view != MDR_VIEW_JOINED || stands_apart(text, pattern, from, to)))
			{
				MdrImageUse use = {.owner = pattern->owner, .flags = MDR_LEFT | MDR_RIGHT};

				status = mdr_add_match(window, (MdrUseKind) pattern->kind, view, from, to, &use);
			}
			start = to > start ? to : mdr_next_character(text, start);
		}
		if (mdr_interrupted(window))
			return MDR_INTERRUPTED;
	}
	return status;
}

MdrStatus
mdr_confirm_patterns(MdrWindow *window, MdrUseKind kind)
{
	for (int view = 0; view < MDR_NVIEWS; view++)
	{
		const MdrCandidates *candidates = &window->candidates[view];

		for (uint32_t i = 0; i < candidates->count; i++)
		{
			MdrStatus	status;

			if (window->engine->patterns[candidates->items[i]].kind != kind)
				continue;
			status = confirm_pattern(window, view, candidates->items[i]);
			if (status != MDR_OK)
				return status;
		}
	}
	return MDR_OK;
}
