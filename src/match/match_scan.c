/*
 * match_scan.c
 *		Content -> findings: cuts it into windows, folds each, runs the databases of each view over it.
 *
 * Content up to 64 KB is one window.  Longer content is cut into windows of 64 KB that overlap by 4 KB, at the start of a
 * character and, where there is one near, at white space.  A hit within 256 bytes of a cut is left to the window that sees
 * what is on both sides of it; what two windows see alike is reported once.
 *
 * Vectorscan's callbacks only record; when a bound is reached they stop the scan, and the content is unknown.
 *
 * Input: the content of the caller.  Output: findings in the caller's arena.  Locks: none.  Memory: a window's own comes from the
 * engine's scratch arena, reset for each window, so that the cost of long content is that of one window.  On error: a status;
 * findings made so far are handed over when it is MDR_UNKNOWN.
 */
#include "match/match_engine.h"

#include <string.h>

/* What a callback may know: where to record, and why it stopped. */
typedef struct Recorder
{
	MdrWindow  *window;
	MdrHits    *hits;
	MdrView		view;
	MdrStatus	status;
} Recorder;

static MdrStatus
grow_hits(Recorder *recorder)
{
	MdrHits    *hits = recorder->hits;
	uint32_t	larger = hits->capacity ? hits->capacity * 4 : 64;
	MdrHit	   *items;

	if (hits->count == MDR_MAX_HITS)
		return mdr_unknown(recorder->window, "a part of the content matches too many terms");
	if (larger > MDR_MAX_HITS)
		larger = MDR_MAX_HITS;
	items = mdr_grow(recorder->window->engine->scratch, hits->items, hits->capacity * sizeof(MdrHit), larger * sizeof(MdrHit));
	if (items == NULL)
		return MDR_NO_MEMORY;
	hits->items = items;
	hits->capacity = larger;
	return MDR_OK;
}

static int
record_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
	Recorder   *recorder = context;
	MdrHits    *hits = recorder->hits;

	if (hits->count == hits->capacity && (recorder->status = grow_hits(recorder)) != MDR_OK)
		return 1;
	hits->items[hits->count++] = (MdrHit) {id, (uint32_t) to};
	recorder->window->kinds |= recorder->window->engine->literals[recorder->view][id].kinds;
	return 0;
}

static int
record_pattern(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context)
{
	Recorder   *recorder = context;
	MdrHits    *hits = recorder->hits;
	const MdrImagePattern *pattern = &recorder->window->engine->patterns[id];

	if (!(pattern->views & (1u << recorder->view)))
		return 0;
	if (hits->count == hits->capacity && (recorder->status = grow_hits(recorder)) != MDR_OK)
		return 1;
	hits->items[hits->count++] = (MdrHit) {id, (uint32_t) to};
	recorder->window->kinds |= 1u << pattern->kind;
	return 0;
}

static MdrStatus
run_database(MdrWindow *window, MdrView view, hs_database_t *database, match_event_handler handler, MdrHits *hits)
{
	const MdrText *text = &window->text[view];
	Recorder	recorder = {window, hits, view, MDR_OK};
	hs_error_t	result;

	if (database == NULL || text->length == 0)
		return MDR_OK;
	result = hs_scan(database, text->bytes, text->length, 0, window->engine->hs_scratch, handler, &recorder);
	if (result == HS_SUCCESS || (result == HS_SCAN_TERMINATED && recorder.status != MDR_OK))
		return recorder.status;
	window->scan->unknown = "Vectorscan could not scan";
	return MDR_BROKEN;
}

/* Patterns without a filter are candidates everywhere. */
static MdrStatus
add_always(MdrWindow *window, MdrView view)
{
	const MdrEngine *engine = window->engine;
	int			spelling = MDR_SPELLING(view);
	Recorder	recorder = {window, &window->candidates[view], view, MDR_OK};

	for (uint32_t i = 0; i < engine->nalways[spelling] && recorder.status == MDR_OK; i++)
		record_pattern(engine->always[spelling][i], 0, 0, 0, &recorder);
	return recorder.status;
}

static MdrStatus
scan_view(MdrWindow *window, MdrView view)
{
	MdrEngine  *engine = window->engine;
	MdrStatus	status = run_database(window, view, engine->literal_databases[view], record_literal, &window->literals[view]);

	window->views |= 1u << view;
	if (status != MDR_OK || view == MDR_VIEW_SQUEEZED)
		return status;
	status = run_database(window, view, engine->pattern_databases[MDR_SPELLING(view)], record_pattern, &window->candidates[view]);
	return status == MDR_OK ? add_always(window, view) : status;
}

/* Everything that Vectorscan has to say of the window, in every view that the text shows signs of. */
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

	mdr_arena_reset(window->engine->scratch);
	window->views = window->kinds = 0;
	memset(window->literals, 0, sizeof(window->literals));
	memset(window->candidates, 0, sizeof(window->candidates));
	memset(&window->found, 0, sizeof(MdrSpans));
	memset(&window->members, 0, sizeof(MdrSpans));
	memset(&window->signs, 0, sizeof(MdrSpans));
	memset(&window->allowed, 0, sizeof(MdrSpans));
	window->characters = NULL;
	status = scan_views(window, content);

	/* A sign that counts anywhere matters to other windows even where nothing is found. */
	if (status != MDR_OK || !(window->kinds & (MDR_SPEAKS | (whole || !window->engine->anywhere ? 0 : 1u << MDR_USE_CONTEXT))))
		return status;
	for (int view = 0; status == MDR_OK && view < MDR_NVIEWS; view++)
		if (window->views & (1u << view))
			status = mdr_confirm_literals(window, view);
	for (int view = 0; status == MDR_OK && view < MDR_NVIEWS; view++)
		if (window->views & (1u << view))
			status = mdr_confirm_patterns(window, view);
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
	scan->unknown = NULL;
	scan->cut = false;
	if ((int64_t) length > engine->header->max_bytes)
		return mdr_unknown(&window, "content is longer than the policy's limit");
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
