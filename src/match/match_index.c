/*
 * match_index.c
 *		Finds every literal of a policy in a text, in one pass.  match_index.h says how.
 *
 * Worst case: a position whose first bytes are a literal's costs a binary search among the literals that share four of
 * them, and one step for each literal that stands there.
 *
 * Input: an index, a text.  Output: calls.  Locks and memory: none.  On error: the status of the call.
 */
#include "match/match_index.h"

#include <string.h>

/* What a byte is to this search: an ASCII letter or digit, or something else. */
#define SIGN 0
#define WORD 1

static const uint8_t kinds[256] = {
	['0' ... '9'] = WORD,
	['a' ... 'z'] = WORD,
};

const MdrImageRun *
mdr_index_run(const MdrImageRun *table, uint32_t bits, uint32_t key)
{
	uint32_t	mask = (UINT32_C(1) << bits) - 1;

	for (uint32_t slot = mdr_hash(key, bits); table[slot].count > 0; slot = (slot + 1) & mask)
		if (table[slot].key == key)
			return &table[slot];
	return NULL;
}

/* How many bytes the text and a literal have in common. */
static uint32_t
common(const char *text, uint32_t left, const char *literal, uint32_t length)
{
	uint32_t	most = left < length ? left : length;
	uint32_t	n = 0;

	while (n < most && text[n] == literal[n])
		n++;
	return n;
}

static uint32_t
first_not_below(const MdrIndex *index, uint32_t low, uint32_t high, uint64_t head)
{
	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (index->heads[middle] < head)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The last literal of the run that sorts no later than the text, which shares the run's first four bytes; and how many
 * bytes it has in common with the text.
 */
static uint32_t
last_not_after(const MdrIndex *index, const MdrImageRun *run, const char *text, uint32_t left, uint64_t head, uint32_t *shared)
{
	uint32_t	low = run->first,
				high = run->first + run->count;
	uint32_t	last = MDR_NO_LITERAL;

	/* The heads narrow the run down to those that share eight bytes with the text; what sorts before these is the fallback. */
	low = first_not_below(index, low, high, head);
	if (low == high || index->heads[low] != head)
		high = low;
	else if (head != UINT64_MAX)
		high = first_not_below(index, low, high, head + 1);
	if (low > run->first)
	{
		last = low - 1;
		*shared = (uint32_t) __builtin_clzll(index->heads[last] ^ head) / 8;
	}
	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;
		const MdrImageLiteral *literal = &index->literals[middle];
		const char *bytes = index->strings + literal->text;
		uint32_t	n = common(text, left, bytes, literal->length);

		if (n == literal->length || (n < left && (unsigned char) bytes[n] < (unsigned char) text[n]))
		{
			last = middle;
			*shared = n;
			low = middle + 1;
		}
		else
			high = middle;
	}
	return last;
}

/* The longest literal of one to three bytes with which the text begins. */
static uint32_t
longest_short(const MdrIndex *index, uint64_t bytes, uint32_t left)
{
	for (uint32_t n = left < 3 ? left : 3; n > 0; n--)
	{
		const MdrImageRun *run = mdr_index_run(index->shorts, index->sizes.shorts, MDR_SHORT_KEY(bytes, n));

		if (run != NULL)
			return run->first;
	}
	return MDR_NO_LITERAL;
}

/* Whether the bitmaps let a literal of four bytes or more begin with these. */
static inline bool
may_begin_long(const uint64_t *const *bitmaps, uint64_t bytes, uint32_t bits)
{
	uint32_t	four = mdr_hash(MDR_FIRST(bytes, 4), bits);

	return mdr_bit(bitmaps[MDR_FOURS], four)
		&& (mdr_bit(bitmaps[MDR_LONG], mdr_hash(MDR_FIRST(bytes, 6), bits)) || mdr_bit(bitmaps[MDR_MIDDLE], four));
}

/* Whether they let one of one to three bytes. */
static inline bool
may_begin_short(const uint64_t *const *bitmaps, uint64_t bytes, uint32_t bits)
{
	return mdr_bit(bitmaps[MDR_SHORT_PAIRS], (uint32_t) MDR_FIRST(bytes, 2))
		&& (mdr_bit(bitmaps[MDR_SHORT], mdr_hash(MDR_SHORT_KEY(bytes, 3), bits))
			|| mdr_bit(bitmaps[MDR_SHORT], mdr_hash(MDR_SHORT_KEY(bytes, 2), bits))
			|| mdr_bit(bitmaps[MDR_SHORT], mdr_hash(MDR_SHORT_KEY(bytes, 1), bits)));
}

/* Reports all literals with which the text at this position begins. */
static MdrStatus
report(const MdrIndex *index, const char *text, uint32_t position, uint32_t length, uint64_t bytes, bool is_long, MdrFound found,
	   void *context)
{
	uint32_t	left = length - position;
	uint32_t	literal = MDR_NO_LITERAL;
	uint32_t	shared = 3;
	const MdrImageRun *run = NULL;

	if (is_long && left >= 4)
		run = mdr_index_run(index->runs, index->sizes.runs, (uint32_t) MDR_FIRST(bytes, 4));
	if (run != NULL)
		literal = last_not_after(index, run, text + position, left, mdr_head(bytes), &shared);
	if (literal == MDR_NO_LITERAL)
		literal = longest_short(index, bytes, left);
	for (; literal != MDR_NO_LITERAL; literal = index->literals[literal].parent)
	{
		MdrStatus	status;

		if (index->literals[literal].length > shared)
			continue;
		status = found(context, literal, position + index->literals[literal].length);
		if (status != MDR_OK)
			return status;
	}
	return MDR_OK;
}

MdrStatus
mdr_index_search(const MdrIndex *index, const char *text, uint32_t length, MdrView view, MdrFound found, void *context)
{
	uint32_t	bits = index->sizes.bits;
	const uint64_t *const *at_word = index->bitmaps[view == MDR_VIEW_PLAIN ? MDR_AT_WORD : MDR_ELSEWHERE];
	const uint64_t *const *inside = index->bitmaps[view == MDR_VIEW_PLAIN ? MDR_INSIDE : MDR_ELSEWHERE];
	uint8_t		before = SIGN;

	if (index->nliterals == 0)
		return MDR_OK;
	for (uint32_t position = 0; position < length; position++)
	{
		uint8_t		kind = kinds[(unsigned char) text[position]];
		const uint64_t *const *bitmaps = before & kind ? inside : at_word;
		uint64_t	bytes;
		bool		is_long;
		MdrStatus	status;

		before = kind;
		bytes = length - position >= 8 ? mdr_bytes(text + position, 8) : mdr_bytes(text + position, length - position);
		if (!mdr_bit(bitmaps[MDR_PAIRS], (uint32_t) MDR_FIRST(bytes, 2)))
			continue;
		is_long = may_begin_long(bitmaps, bytes, bits);
		if (!is_long && !may_begin_short(bitmaps, bytes, bits))
			continue;
		status = report(index, text, position, length, bytes, is_long, found, context);
		if (status != MDR_OK)
			return status;
	}
	return MDR_OK;
}
