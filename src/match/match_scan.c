/*
 * match_scan.c
 *		Content -> findings: cuts it into windows, folds each, looks for the literals in each view of it.
 *
 * Content up to 64 KB is one window.  Longer content is cut into windows of 64 KB that overlap by 4 KB, at the start of a
 * character and, where there is one near, at white space.  A hit within 256 bytes of a cut is left to the window that sees
 * what is on both sides of it; what two windows see alike is reported once.
 *
 * Input: the content of the caller.  Output: findings in the caller's arena.  Locks: none.  Memory: a window's own comes
 * from the engine's scratch arena, reset for each window, so that the cost of long content is that of one window.  On
 * error: a status; findings made so far are handed over when it is MDR_UNKNOWN.
 */
#include "match/match_engine.h"

#include <string.h>

/* A view being searched. */
typedef struct Search
{
	MdrWindow  *window;
	MdrHits    *hits;
	MdrView		view;
} Search;

static MdrStatus
grow_hits(MdrWindow *window, MdrHits *hits)
{
	uint32_t	larger = hits->capacity ? hits->capacity * 4 : 256;
	MdrHit	   *items;

	if (hits->count == MDR_MAX_HITS)
		return mdr_unknown(window, "a part of the content matches too many terms");
	if (larger > MDR_MAX_HITS)
		larger = MDR_MAX_HITS;
	items = mdr_grow(window->engine->scratch, hits->items, hits->capacity * sizeof(MdrHit), larger * sizeof(MdrHit));
	if (items == NULL)
		return MDR_NO_MEMORY;
	hits->items = items;
	hits->capacity = larger;
	return MDR_OK;
}

/*
 * Records a hit, unless the literal means nothing in this view.  One that only announces patterns is recorded once: of it
 * nothing more than its presence is asked, and such literals are common words.
 */
static MdrStatus
record(void *context, uint32_t literal, uint32_t end)
{
	Search	   *search = context;
	MdrEngine  *engine = search->window->engine;
	MdrHits    *hits = search->hits;
	uint32_t	kinds = engine->literals[literal].kinds[search->view];
	bool		first = engine->literal_seen[literal] != engine->number;
	MdrStatus	status;

	if (kinds == 0 || (kinds == 1u << MDR_USE_SET && !first))
		return MDR_OK;
	engine->literal_seen[literal] = engine->number;
	if (hits->count == hits->capacity && (status = grow_hits(search->window, hits)) != MDR_OK)
		return status;
	hits->items[hits->count++] = (MdrHit) {literal, end, first};
	search->window->kinds |= kinds;
	return MDR_OK;
}

/* Begins a window: its views get new numbers.  When those run out, after four billion views, old marks would look new. */
static void
forget_seen(MdrEngine *engine)
{
	engine->window_number = engine->number + 1;
	if (engine->number < UINT32_MAX - MDR_NVIEWS)
		return;
	memset(engine->literal_seen, 0, engine->nliterals * sizeof(uint32_t));
	memset(engine->set_seen, 0, engine->nsets * sizeof(uint32_t));
	memset(engine->pattern_seen, 0, engine->npatterns * sizeof(MdrMark));
	memset(engine->rule_seen, 0, engine->nrules * sizeof(MdrMark));
	memset(engine->template_seen, 0, engine->ntemplates * sizeof(MdrMark));
	engine->number = 0;
	engine->window_number = 1;
}

static MdrStatus
scan_view(MdrWindow *window, MdrView view)
{
	MdrEngine  *engine = window->engine;
	const MdrText *text = &window->text[view];
	Search		search = {window, &window->hits[view], view};
	MdrStatus	status;

	engine->number++;
	status = mdr_index_search(&engine->index, text->bytes, text->length, view, record, &search);
	return status == MDR_OK ? mdr_find_candidates(window, view) : status;
}

/* Notes what the joined view has taken out of words. */
static MdrStatus
find_closed(MdrWindow *window)
{
	window->closed = mdr_alloc_array(window->engine->scratch, window->text[MDR_VIEW_PLAIN].length / 64 + 1, sizeof(uint64_t));
	if (window->closed == NULL)
		return MDR_NO_MEMORY;
	mdr_text_closed(&window->text[MDR_VIEW_JOINED], window->closed);
	return MDR_OK;
}

/* Finds literals and candidates, in every view that the text shows signs of. */
static MdrStatus
scan_views(MdrWindow *window, const char *content)
{
	MdrEngine  *engine = window->engine;
	MdrText    *plain = &window->text[MDR_VIEW_PLAIN];
	uint32_t	views;
	MdrStatus	status = mdr_text_fold(engine->scratch, content + window->offset, window->length, plain);

	if (status == MDR_OK)
		status = scan_view(window, MDR_VIEW_PLAIN);
	views = plain->views & engine->header->views;
	for (int view = MDR_VIEW_PLAIN + 1; status == MDR_OK && view < MDR_NVIEWS; view++)
	{
		if (!(views & (1u << view)))
			continue;
		status = mdr_text_view(engine->scratch, plain, view, &window->text[view]);
		if (status == MDR_OK && view == MDR_VIEW_JOINED)
			status = find_closed(window);
		if (status == MDR_OK)
			status = scan_view(window, view);
	}
	return status;
}

MdrStatus
mdr_add_span(MdrWindow *window, MdrSpans *spans, MdrSpan span)
{
	if (spans->count == spans->capacity)
	{
		uint32_t	larger = spans->capacity ? spans->capacity * 2 : 64;
		MdrSpan    *items;

		if (spans->count == MDR_MAX_SPANS)
			return mdr_unknown(window, "a part of the content matches too many rules");
		items = mdr_grow(window->engine->scratch, spans->items, spans->capacity * sizeof(MdrSpan), larger * sizeof(MdrSpan));
		if (items == NULL)
			return MDR_NO_MEMORY;
		spans->items = items;
		spans->capacity = larger;
	}
	spans->items[spans->count++] = span;
	return MDR_OK;
}

static MdrStatus
scan_window(MdrWindow *window, const char *content)
{
	MdrStatus	status;
	bool		whole = window->first && window->last;
	uint32_t	speaks;

	mdr_arena_reset(window->engine->scratch);
	window->kinds = 0;
	window->complete = false;
	forget_seen(window->engine);
	memset(window->hits, 0, sizeof(window->hits));
	memset(window->candidates, 0, sizeof(window->candidates));
	memset(&window->found, 0, sizeof(MdrSpans));
	memset(&window->members, 0, sizeof(MdrSpans));
	memset(&window->signs, 0, sizeof(MdrSpans));
	memset(&window->allowed, 0, sizeof(MdrSpans));
	window->characters = NULL;
	window->closed = NULL;
	status = scan_views(window, content);
	if (status == MDR_OK)
		mdr_read_models(window);

	speaks = (window->kinds & 1u << MDR_USE_TERM) | (window->complete ? 1u << MDR_USE_MEMBER : 0);
	if (status == MDR_OK && speaks != 0)
		status = mdr_confirm_literals(window, speaks);
	if (status == MDR_OK)
		status = mdr_confirm_patterns(window, MDR_USE_TERM);

	/* A sign that counts anywhere matters to other windows, and to a model, even where nothing is found. */
	if (status != MDR_OK || (window->found.count + window->members.count == 0
							 && (!window->engine->anywhere || (whole && !mdr_models_ask_contexts(window)))))
		return status;
	status = mdr_confirm_literals(window, 1u << MDR_USE_CONTEXT | 1u << MDR_USE_ALLOW);
	if (status == MDR_OK)
		status = mdr_confirm_patterns(window, MDR_USE_CONTEXT);
	return status == MDR_OK ? mdr_settle(window) : status;
}

/* The start of a character at or before position, and after a white space if one is near. */
static size_t
safe_cut(const char *content, size_t position)
{
	size_t		lowest = position - 128;
	size_t		cut = position;

	for (size_t i = position; i > lowest; i--)
		if (content[i - 1] == ' ' || content[i - 1] == '\n')
			return i;
	while (cut > position - 4 && ((unsigned char) content[cut] & 0xC0) == 0x80)
		cut--;
	return cut;
}

MdrStatus
mdr_engine_scan(MdrEngine *engine, MdrArena *arena, const char *content, size_t length, MdrScan *scan)
{
	MdrWindow	window = {.engine = engine, .scan = scan, .arena = arena, .first = true};
	size_t		start = 0;
	MdrStatus	status = MDR_OK;

	scan->findings = NULL;
	scan->nfindings = 0;
	scan->opinions = NULL;
	scan->unknown = NULL;
	scan->cut = false;
	if ((int64_t) length > engine->header->max_bytes)
		return mdr_unknown(&window, "content is longer than the policy's limit");
	mdr_start_models(&window);
	while (status == MDR_OK)
	{
		size_t		end = length - start > MDR_WINDOW ? safe_cut(content, start + MDR_WINDOW) : length;

		window.offset = (uint32_t) start;
		window.length = (uint32_t) (end - start);
		window.last = end == length;
		status = mdr_interrupted(&window) ? MDR_INTERRUPTED : scan_window(&window, content);
		if (window.last)
			break;
		window.first = false;
		start = safe_cut(content, end - MDR_OVERLAP);
	}
	if (status == MDR_OK || status == MDR_UNKNOWN)
	{
		MdrStatus	finished = mdr_finish_findings(&window);

		if (finished != MDR_OK)
			status = finished;
	}
	return status;
}
