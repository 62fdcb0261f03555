/*
 * match_lay_index.c
 *		Sorted literals -> the index of match_index.h: parents, runs, bitmaps.
 *
 * Input: compiler->literals, sorted by their bytes, with their uses.  Output: compiler->sizes, runs, shorts, bitmaps, in
 * compiler->scratch.  Locks: none.  On error: MDR_NO_MEMORY.
 */
#include "match/match_compile.h"

#include <string.h>

#define FEWEST_BITS 10
#define MOST_BITS 22
#define BITS_FOR_EACH 4			/* of a bitmap, for each beginning: few enough to stay in the processor's nearest cache */

static const char *
text_of(const MdrCompiler *compiler, uint32_t literal)
{
	return compiler->strings.bytes + compiler->literals[literal].text;
}

static bool
is_prefix(const MdrCompiler *compiler, uint32_t shorter, uint32_t longer)
{
	uint32_t	length = compiler->literals[shorter].length;

	return length <= compiler->literals[longer].length
		&& memcmp(text_of(compiler, shorter), text_of(compiler, longer), length) == 0;
}

/* The literal before it in order, or one of that one's ancestors, is the longest that is a prefix. */
static MdrStatus
find_parents(MdrCompiler *compiler)
{
	MdrStatus	status = MDR_OK;

	for (uint32_t i = 0; status == MDR_OK && i < compiler->nliterals; i++)
	{
		uint32_t	parent = i > 0 ? i - 1 : MDR_NO_LITERAL;

		while (parent != MDR_NO_LITERAL && !is_prefix(compiler, parent, i))
			parent = compiler->literals[parent].parent;
		compiler->literals[i].parent = parent;
		status = mdr_compile_look(compiler, 4096);
	}
	return status;
}

/* Where a literal may stand, as bits of MdrWhere. */
static uint32_t
stands_where(const MdrCompiler *compiler, const MdrImageLiteral *literal)
{
	uint32_t	where = 0;

	for (uint32_t u = literal->first_use; u < literal->first_use + literal->nuses; u++)
	{
		const MdrImageUse *use = &compiler->unique_uses[u];

		if (use->views & (1u << MDR_VIEW_PLAIN))
			where |= use->flags & (MDR_LEFT | MDR_AFTER_SIGN) ? 1u << MDR_AT_WORD : 1u << MDR_AT_WORD | 1u << MDR_INSIDE;
		if (use->views & ~(1u << MDR_VIEW_PLAIN))
			where |= 1u << MDR_ELSEWHERE;
	}
	return where;
}

static uint32_t
bits_for(uint64_t count, uint32_t fewest, uint32_t most)
{
	uint32_t	bits = fewest;

	while (bits < most && (UINT64_C(1) << bits) < count)
		bits++;
	return bits;
}

static void
set_bit(uint64_t *bitmap, uint32_t position)
{
	bitmap[position / 64] |= UINT64_C(1) << (position % 64);
}

static void
enter_in_bitmaps(MdrCompiler *compiler, const MdrImageLiteral *literal, uint64_t bytes, MdrWhere where)
{
	const MdrIndexSizes *sizes = &compiler->sizes;
	uint32_t	length = literal->length;
	MdrBitmap	which = length >= 6 ? MDR_LONG : length >= 4 ? MDR_MIDDLE : MDR_SHORT;
	uint64_t	key = length >= 6 ? MDR_FIRST(bytes, 6) : length >= 4 ? MDR_FIRST(bytes, 4) : MDR_SHORT_KEY(bytes, length);

	set_bit(compiler->bitmaps + mdr_bitmap_start(sizes, where, which), mdr_hash(key, sizes->bits));
	if (length >= 4)
		set_bit(compiler->bitmaps + mdr_bitmap_start(sizes, where, MDR_FOURS), mdr_hash(MDR_FIRST(bytes, 4), sizes->bits));
	for (int all = 0; all < 2; all++)
	{
		uint64_t   *pairs = compiler->bitmaps + mdr_bitmap_start(sizes, where, all ? MDR_PAIRS : MDR_SHORT_PAIRS);

		if (!all && length >= 4)
			continue;
		if (length > 1)
			set_bit(pairs, (uint32_t) MDR_FIRST(bytes, 2));
		else
			for (uint32_t second = 0; second < 256; second++)
				set_bit(pairs, (uint32_t) MDR_FIRST(bytes, 1) | second << 8);
	}
}

/* Enters a literal in a table: as one more of its key's run, or as the first of a new one. */
static void
enter_in_table(MdrImageRun *table, uint32_t bits, uint32_t key, uint32_t literal)
{
	uint32_t	mask = (UINT32_C(1) << bits) - 1;
	uint32_t	slot = mdr_hash(key, bits);

	while (table[slot].count > 0 && table[slot].key != key)
		slot = (slot + 1) & mask;
	if (table[slot].count == 0)
		table[slot] = (MdrImageRun) {key, literal, 0};
	table[slot].count++;
}

/* Sizes by the number of different keys: literals that share their first bytes share a bit and a run. */
static void
choose_sizes(MdrCompiler *compiler)
{
	uint64_t	longs = 0,
				runs = 0,
				shorts = 0;
	uint64_t	before = 0;

	for (uint32_t i = 0; i < compiler->nliterals; i++)
	{
		uint32_t	length = compiler->literals[i].length;
		uint64_t	bytes = mdr_bytes(text_of(compiler, i), length);

		longs += i == 0 || MDR_FIRST(bytes, 6) != MDR_FIRST(before, 6);
		runs += i == 0 || MDR_FIRST(bytes, 4) != MDR_FIRST(before, 4);
		shorts += length < 4;
		before = bytes;
	}
	compiler->sizes.bits = bits_for(longs * BITS_FOR_EACH, FEWEST_BITS, MOST_BITS);
	compiler->sizes.runs = bits_for(runs * 2, 1, 31);
	compiler->sizes.shorts = bits_for(shorts * 2, 1, 31);
}

MdrStatus
mdr_lay_index(MdrCompiler *compiler)
{
	MdrIndexSizes *sizes = &compiler->sizes;
	uint32_t	count = compiler->nliterals;
	MdrStatus	status;

	choose_sizes(compiler);
	compiler->heads = mdr_alloc_array(compiler->scratch, count + 1, sizeof(uint64_t));
	compiler->bitmaps = mdr_alloc_array(compiler->scratch, mdr_bitmap_words(sizes), sizeof(uint64_t));
	compiler->runs = mdr_alloc_array(compiler->scratch, UINT64_C(1) << sizes->runs, sizeof(MdrImageRun));
	compiler->shorts = mdr_alloc_array(compiler->scratch, UINT64_C(1) << sizes->shorts, sizeof(MdrImageRun));
	if (compiler->heads == NULL || compiler->bitmaps == NULL || compiler->runs == NULL || compiler->shorts == NULL)
		return mdr_compile_no_memory(compiler);
	status = find_parents(compiler);
	for (uint32_t i = 0; status == MDR_OK && i < count; i++)
	{
		const MdrImageLiteral *literal = &compiler->literals[i];
		uint64_t	bytes = mdr_bytes(text_of(compiler, i), literal->length);
		uint32_t	where;

		compiler->heads[i] = mdr_head(bytes);
		where = stands_where(compiler, literal);
		for (int w = 0; w < MDR_NWHERES; w++)
			if (where & (1u << w))
				enter_in_bitmaps(compiler, literal, bytes, (MdrWhere) w);
		if (literal->length >= 4)
			enter_in_table(compiler->runs, sizes->runs, (uint32_t) MDR_FIRST(bytes, 4), i);
		else
			enter_in_table(compiler->shorts, sizes->shorts, MDR_SHORT_KEY(bytes, literal->length), i);
		status = mdr_compile_look(compiler, 4096);
	}
	return status;
}
