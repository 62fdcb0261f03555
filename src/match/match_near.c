/*
 * match_near.c
 *		Spans -> findings: what an allowed phrase covers is dropped, words that belong together are joined, what a context
 *		excuses loses weight.
 *
 * Everything is sorted once and then swept, so that a text made of nothing but a rule's words costs n log n.  Distances are
 * characters of the plain view, but for what stands between the letters of spread words.
 *
 * Input: a window's spans.  Output: findings, positions in the content as given.  Locks: none.  Memory: the engine's scratch
 * arena.  On error: a status.
 */
#include "match/match_engine.h"

#include <stdlib.h>
#include <string.h>

#define MAX_GROUPS 8
#define KEEP 4					/* spans of a group, or chains, remembered in case the latest overlaps */

static int
compare_spans(const void *left, const void *right)
{
	const MdrSpan *a = left;
	const MdrSpan *b = right;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return (int) a->group - (int) b->group;
}

/* Sorted spans with the furthest end among an owner's spans so far, which makes "what covers this" a binary search. */
typedef struct Sorted
{
	const MdrSpan *items;
	uint32_t   *furthest;
	uint32_t	count;
} Sorted;

static MdrStatus
sort_spans(MdrWindow *window, MdrSpans *spans, Sorted *sorted)
{
	MdrStatus	status;

	*sorted = (Sorted) {spans->items, NULL, spans->count};
	if (spans->count == 0)
		return MDR_OK;
	status = mdr_window_sort(window, spans->items, spans->count, sizeof(MdrSpan), compare_spans);
	if (status != MDR_OK)
		return status;
	sorted->furthest = mdr_alloc_array(window->engine->scratch, spans->count, sizeof(uint32_t));
	if (sorted->furthest == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t i = 0; i < spans->count; i++)
	{
		bool		same = i > 0 && spans->items[i].owner == spans->items[i - 1].owner;

		sorted->furthest[i] = same && sorted->furthest[i - 1] > spans->items[i].end ? sorted->furthest[i - 1]
			: spans->items[i].end;
	}
	return MDR_OK;
}

/* How many of the sorted spans come before (owner, start). */
static uint32_t
before(const Sorted *sorted, uint32_t owner, uint32_t start)
{
	uint32_t	low = 0,
				high = sorted->count;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		const MdrSpan *span = &sorted->items[middle];

		if (span->owner < owner || (span->owner == owner && span->start < start))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether one of the owner's spans covers [start, end) and is longer. */
static bool
covered_by(const Sorted *sorted, uint32_t owner, uint32_t start, uint32_t end)
{
	uint32_t	n = before(sorted, owner, start);

	if (n > 0 && sorted->items[n - 1].owner == owner && sorted->furthest[n - 1] >= end)
		return true;
	n = before(sorted, owner, start + 1);
	return n > 0 && sorted->items[n - 1].owner == owner && sorted->items[n - 1].start == start && sorted->items[n - 1].end > end;
}

static bool
is_allowed(const Sorted *allowed, const MdrSpan *span)
{
	return allowed->count > 0 && (covered_by(allowed, span->owner, span->start, span->end)
								  || covered_by(allowed, MDR_EVERYONE, span->start, span->end));
}

/* How many characters begin within so many bytes: those that are not 10xxxxxx. */
static uint32_t
characters_in(const char *bytes, uint32_t length)
{
	uint32_t	characters = length;
	uint32_t	i = 0;

	for (; length - i >= 8; i += 8)
	{
		uint64_t	word;

		memcpy(&word, bytes + i, 8);
		characters -= (uint32_t) __builtin_popcountll(word >> 7 & ~word >> 6 & UINT64_C(0x0101010101010101));
	}
	for (; i < length; i++)
		characters -= ((unsigned char) bytes[i] & 0xC0) == 0x80;
	return characters;
}

/* The same for the plain view from a block's start on, at most to its end, less what stands between the letters of spread words. */
static uint32_t
read_in(const MdrWindow *window, uint32_t block, uint32_t length)
{
	const char *bytes = window->text[MDR_VIEW_PLAIN].bytes + block;
	uint32_t	characters = characters_in(bytes, length);
	uint64_t	closed = window->closed == NULL || length == 0 ? 0 : window->closed[block / 64] << (64 - length) >> (64 - length);

	for (; closed != 0; closed &= closed - 1)
		characters -= ((unsigned char) bytes[__builtin_ctzll(closed)] & 0xC0) != 0x80;
	return characters;
}

/* Characters of the plain view before each block of it. */
static MdrStatus
count_characters(MdrWindow *window)
{
	const MdrText *plain = &window->text[MDR_VIEW_PLAIN];
	uint32_t   *blocks = mdr_alloc_array(window->engine->scratch, plain->length / 64 + 1, sizeof(uint32_t));
	uint32_t	characters = 0;

	if (blocks == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t i = 0; i < plain->length; i += 64)
	{
		blocks[i / 64] = characters;
		characters += read_in(window, i, plain->length - i < 64 ? plain->length - i : 64);
	}
	if (plain->length % 64 == 0)
		blocks[plain->length / 64] = characters;
	window->characters = blocks;
	return MDR_OK;
}

static uint32_t
character(const MdrWindow *window, uint32_t position)
{
	return window->characters[position / 64] + read_in(window, position & ~63u, position & 63);
}

static bool
is_word_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || (byte & 0x80) != 0;
}

/*
 * Whether a sentence of the plain view ends within [start, end): at a full stop, question or exclamation mark that a space follows,
 * closing quotes and brackets apart, or at one of Chinese.  A full stop after fewer than three letters or digits is taken for an abbreviation's.
 */
static bool
sentence_ends(const MdrWindow *window, uint32_t start, uint32_t end)
{
	const char *bytes = window->text[MDR_VIEW_PLAIN].bytes;

	for (uint32_t i = start; i < end; i++)
	{
		uint32_t	next = i + 1;
		uint32_t	letters = 0;

		if (end - i >= 3 && memcmp(bytes + i, "\u3002", 3) == 0)
			return true;
		if (bytes[i] != '.' && bytes[i] != '?' && bytes[i] != '!')
			continue;
		for (uint32_t size = 1; size > 0; next += size)
			size = next >= end ? 0 : strchr("\"')]*", bytes[next]) != NULL ? 1
				: end - next >= 3 && (memcmp(bytes + next, "\u201d", 3) == 0 || memcmp(bytes + next, "\u2019", 3) == 0) ? 3 : 0;
		if (i > start && strchr("\"')]", bytes[i - 1]) != NULL)
			letters = 3;
		while (letters < 3 && i - start > letters && is_word_byte(bytes[i - 1 - letters]))
			letters++;
		if (next < end && bytes[next] == ' ' && (bytes[i] != '.' || letters == 3))
			return true;
	}
	return false;
}

/* Words of one rule's groups, chosen so that they do not overlap: a finding of all_of. */
static MdrStatus
join(MdrWindow *window, const MdrImageRule *rule, const MdrSpan *const *chosen, uint32_t n, uint32_t *last_start)
{
	MdrSpan		span = *chosen[0];

	for (uint32_t i = 1; i < n; i++)
	{
		if (chosen[i]->start < span.start)
			span.start = chosen[i]->start;
		if (chosen[i]->end > span.end)
			span.end = chosen[i]->end;
		if (chosen[i]->given_start < span.given_start)
			span.given_start = chosen[i]->given_start;
		if (chosen[i]->given_end > span.given_end)
			span.given_end = chosen[i]->given_end;
		if (chosen[i]->view != MDR_VIEW_PLAIN)
			span.view = chosen[i]->view;
	}
	if (character(window, span.end) - character(window, span.start) > rule->within)
		return MDR_OK;
	if (rule->sentence && sentence_ends(window, span.start, span.end))
		return MDR_OK;

	/* What begins where the last one did is the same, gone on for longer. */
	if (span.start == *last_start)
		return MDR_OK;
	*last_start = span.start;
	span.group = 0;
	return mdr_add_span(window, &window->found, span);
}

static bool
apart(const MdrSpan *a, const MdrSpan *b)
{
	return a->end <= b->start || b->end <= a->start;
}

/*
 * Groups in any order: at each word, the latest word of every other group that overlaps none of those chosen.  The latest are
 * the nearest, since words come in order of start.
 */
static MdrStatus
join_any_order(MdrWindow *window, const MdrImageRule *rule, const MdrSpan *words, uint32_t count)
{
	const MdrSpan *latest[MAX_GROUPS][KEEP] = {{NULL}};
	uint32_t	last_start = UINT32_MAX;
	MdrStatus	status = MDR_OK;

	for (uint32_t i = 0; status == MDR_OK && i < count; i++)
	{
		const MdrSpan *chosen[MAX_GROUPS] = {&words[i]};
		uint32_t	n = 1;
		bool		complete = true;
		const MdrSpan **own = latest[words[i].group];

		for (uint32_t g = 0; complete && g < rule->ngroups; g++)
		{
			const MdrSpan *choice = NULL;

			for (int k = 0; g != words[i].group && choice == NULL && k < KEEP && latest[g][k] != NULL; k++)
			{
				uint32_t	c = 0;

				while (c < n && apart(latest[g][k], chosen[c]))
					c++;
				if (c == n)
					choice = latest[g][k];
			}
			if (g == words[i].group)
				continue;
			complete = choice != NULL;
			chosen[n++] = choice;
		}
		if (complete)
			status = join(window, rule, chosen, n, &last_start);
		memmove(own + 1, own, (KEEP - 1) * sizeof(*own));
		own[0] = &words[i];
		if (i % MDR_INTERRUPT_EVERY == 0 && mdr_interrupted(window))
			return MDR_INTERRUPTED;
	}
	return status;
}

/* The groups' words up to some group, in order; begins as late as possible. */
typedef struct Chain
{
	const MdrSpan *words[MAX_GROUPS];
	uint32_t	end;
} Chain;

static MdrStatus
join_in_order(MdrWindow *window, const MdrImageRule *rule, const MdrSpan *words, uint32_t count)
{
	Chain		chains[MAX_GROUPS][KEEP] = {0};
	uint32_t	kept[MAX_GROUPS] = {0};
	uint32_t	last_start = UINT32_MAX;
	MdrStatus	status = MDR_OK;

	for (uint32_t i = 0; status == MDR_OK && i < count; i++)
	{
		uint32_t	g = words[i].group;
		Chain		chain = {{NULL}, words[i].end};
		uint32_t	k = 0;

		if (i % MDR_INTERRUPT_EVERY == 0 && mdr_interrupted(window))
			return MDR_INTERRUPTED;
		while (g > 0 && k < kept[g - 1] && chains[g - 1][k].end > words[i].start)
			k++;
		if (g > 0 && k == kept[g - 1])
			continue;
		if (g > 0)
			memcpy(chain.words, chains[g - 1][k].words, sizeof(chain.words));
		chain.words[g] = &words[i];
		if (g + 1 == rule->ngroups)
		{
			status = join(window, rule, chain.words, rule->ngroups, &last_start);
			continue;
		}
		memmove(&chains[g][1], &chains[g][0], (KEEP - 1) * sizeof(Chain));
		chains[g][0] = chain;
		if (kept[g] < KEEP)
			kept[g]++;
	}
	return status;
}

/* Joins every rule's words, less those inside an allowed phrase. */
static MdrStatus
join_members(MdrWindow *window, const Sorted *allowed)
{
	MdrSpans   *members = &window->members;
	uint32_t	kept = 0;
	MdrStatus	status = MDR_OK;

	for (uint32_t i = 0; i < members->count; i++)
		if (!is_allowed(allowed, &members->items[i]))
			members->items[kept++] = members->items[i];
	members->count = kept;
	status = mdr_window_sort(window, members->items, kept, sizeof(MdrSpan), compare_spans);
	for (uint32_t first = 0, next; status == MDR_OK && first < kept; first = next)
	{
		const MdrImageRule *rule = &window->engine->rules[members->items[first].owner];

		for (next = first; next < kept && members->items[next].owner == members->items[first].owner; next++)
			;
		status = rule->ordered ? join_in_order(window, rule, members->items + first, next - first)
			: join_any_order(window, rule, members->items + first, next - first);
	}
	return status;
}

/* Whether a sign of the context stands within its distance of the span. */
static bool
is_near(const MdrWindow *window, const Sorted *signs, uint32_t context, const MdrSpan *span)
{
	uint32_t	within = window->engine->contexts[context].within;
	uint32_t	n = before(signs, context, span->start);

	if (n > 0 && signs->items[n - 1].owner == context)
	{
		uint32_t	end = signs->furthest[n - 1];

		if (end >= span->start || character(window, span->start) - character(window, end) <= within)
			return true;
	}
	if (n < signs->count && signs->items[n].owner == context)
	{
		uint32_t	start = signs->items[n].start;

		return start <= span->end || character(window, start) - character(window, span->end) <= within;
	}
	return false;
}

/* One span becomes a finding, excused as far as a context near it excuses. */
static MdrStatus
settle_span(MdrWindow *window, const Sorted *signs, uint64_t present, const MdrSpan *span)
{
	const MdrEngine *engine = window->engine;
	const MdrImageRule *rule = &engine->rules[span->owner];
	MdrFinding	finding = {.rule = span->owner, .start = window->offset + span->given_start,
		.end = window->offset + span->given_end, .score = rule->weight, .view = span->view, .context = -1};

	for (uint64_t rest = rule->unless & present & ~engine->anywhere; rest != 0; rest &= rest - 1)
	{
		int			context = __builtin_ctzll(rest);
		float		score = rule->weight * engine->contexts[context].factor;

		if (score < finding.score && is_near(window, signs, context, span))
		{
			finding.score = score;
			finding.context = context;
		}
	}
	return mdr_add_finding(window, finding);
}

MdrStatus
mdr_settle(MdrWindow *window)
{
	Sorted		allowed,
				signs;
	uint64_t	present = 0;
	MdrStatus	status = sort_spans(window, &window->allowed, &allowed);

	if (status == MDR_OK)
		status = sort_spans(window, &window->signs, &signs);
	for (uint32_t i = 0; status == MDR_OK && i < window->signs.count; i++)
		present |= UINT64_C(1) << window->signs.items[i].owner;
	window->seen |= present;
	if (status != MDR_OK || window->found.count + window->members.count == 0)
		return status;
	status = count_characters(window);
	if (status == MDR_OK && window->members.count > 0)
		status = join_members(window, &allowed);
	for (uint32_t i = 0; status == MDR_OK && i < window->found.count; i++)
	{
		if (!is_allowed(&allowed, &window->found.items[i]))
			status = settle_span(window, &signs, present, &window->found.items[i]);
		if (i % MDR_INTERRUPT_EVERY == 0 && mdr_interrupted(window))
			return MDR_INTERRUPTED;
	}
	return status;
}
