/*
 * match_index.h
 *		All literals of a policy, laid out so that those which stand in a text are found in one pass.  Private to the stage.
 *
 * The literals are sorted by their bytes.  At a position of the text, a literal stands there if and only if it is a prefix of
 * what follows; and all prefixes of what follows lie on one chain: from the last literal that sorts no later than the text,
 * from each literal to the longest other literal that is a prefix of it (its parent).  So a position costs one search in a
 * short run of literals with the same first four bytes; and bitmaps of first bytes keep nearly all positions from costing
 * even that.
 *
 * Most literals are words, and can only stand where a word begins.  In the plain view, positions inside a word (between two
 * ASCII letters or digits) are looked up in bitmaps of their own, which hold the few others.
 */
#ifndef MDR_MATCH_INDEX_H
#define MDR_MATCH_INDEX_H

#include "match/match.h"

#include <string.h>

#define MDR_NO_LITERAL UINT32_MAX

/* One literal.  Its uses are uses[first_use .. first_use + nuses). */
typedef struct MdrImageLiteral
{
	uint32_t	text;			/* string */
	uint32_t	length;
	uint32_t	parent;			/* the longest other literal that is its prefix, or MDR_NO_LITERAL */
	uint32_t	first_use;
	uint32_t	nuses;
	uint8_t		kinds[MDR_NVIEWS];	/* bit (1 << MdrUseKind) */
} MdrImageLiteral;

/* The literals that begin with four bytes, or the one that is no longer than three. */
typedef struct MdrImageRun
{
	uint32_t	key;			/* the bytes, the first in the lowest place */
	uint32_t	first;
	uint32_t	count;			/* 0 = the slot is free */
} MdrImageRun;

/* Where in which view a position is; each has its own bitmaps, with the literals that mean something there. */
typedef enum MdrWhere
{
	MDR_AT_WORD,				/* plain view, where a word may begin */
	MDR_INSIDE,					/* plain view, between two ASCII letters or digits */
	MDR_ELSEWHERE,				/* anywhere in another view */
	MDR_NWHERES
} MdrWhere;

/*
 * Bitmaps, one behind another.  Those of pairs go by the first two bytes as they are, the others by a hash.
 */
typedef enum MdrBitmap
{
	MDR_PAIRS,					/* of all literals */
	MDR_SHORT_PAIRS,			/* of literals of one to three bytes */
	MDR_FOURS,					/* first four bytes of literals of four or more */
	MDR_LONG,					/* first six of literals of six or more */
	MDR_MIDDLE,					/* literals of four and five, by four */
	MDR_SHORT,					/* literals of one to three */
	MDR_NBITMAPS
} MdrBitmap;

#define MDR_PAIR_BITS 16

/* Sizes as powers of two, in the image's header. */
typedef struct MdrIndexSizes
{
	uint32_t	bits;			/* of each of the hashed bitmaps */
	uint32_t	runs;			/* of the table of runs of four bytes */
	uint32_t	shorts;			/* of the table of literals of one to three bytes */
} MdrIndexSizes;

/* The index as it is searched. */
typedef struct MdrIndex
{
	MdrIndexSizes sizes;
	const char *strings;
	const MdrImageLiteral *literals;
	const uint64_t *heads;		/* by literal: its first eight bytes, the first in the highest place, so that they sort like it */
	uint32_t	nliterals;
	const MdrImageRun *runs;
	const MdrImageRun *shorts;
	const uint64_t *bitmaps[MDR_NWHERES][MDR_NBITMAPS];
} MdrIndex;

/* 64-bit words of all bitmaps, and where each begins. */
static inline uint64_t
mdr_bitmap_words(const MdrIndexSizes *sizes)
{
	return MDR_NWHERES * (2 * (UINT64_C(1) << MDR_PAIR_BITS) + (MDR_NBITMAPS - 2) * (UINT64_C(1) << sizes->bits)) / 64;
}

static inline uint64_t
mdr_bitmap_start(const MdrIndexSizes *sizes, MdrWhere where, MdrBitmap bitmap)
{
	uint64_t	pairs = bitmap < 2 ? bitmap : 2;

	return where * (mdr_bitmap_words(sizes) / MDR_NWHERES)
		+ (pairs * (UINT64_C(1) << MDR_PAIR_BITS) + (bitmap - pairs) * (UINT64_C(1) << sizes->bits)) / 64;
}

/* A hash of up to eight bytes to so many bits: multiplicative, after Knuth, "The Art of Computer Programming" 3, 6.4. */
static inline uint32_t
mdr_hash(uint64_t bytes, uint32_t bits)
{
	return (uint32_t) ((bytes * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - bits));
}

#define MDR_FIRST(bytes, n) ((bytes) & ((UINT64_C(1) << (8 * (n))) - 1))

/* A literal of one to three bytes as a key: its bytes and its length. */
#define MDR_SHORT_KEY(bytes, length) ((uint32_t) (MDR_FIRST(bytes, length) | (uint32_t) (length) << 24))

static inline bool
mdr_bit(const uint64_t *bitmap, uint32_t position)
{
	return bitmap[position / 64] >> (position % 64) & 1;
}

/* The bytes at text as a number, the first in the lowest place; those behind the end are 0. */
static inline uint64_t
mdr_bytes(const char *text, size_t left)
{
	uint64_t	bytes = 0;

	memcpy(&bytes, text, left >= 8 ? 8 : left);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes = __builtin_bswap64(bytes);
#endif
	return bytes;
}

/* The first eight bytes at text as a number that sorts as they do. */
static inline uint64_t
mdr_head(uint64_t bytes)
{
	return __builtin_bswap64(bytes);
}

/* The range of table slots that is probed for a key begins here; slots follow one another, round the end. */
extern const MdrImageRun *mdr_index_run(const MdrImageRun *table, uint32_t bits, uint32_t key);

/*
 * Calls found for every literal of the view in its text, and for some others, in order of start.  Stops with found's status
 * when that is not MDR_OK.
 */
typedef MdrStatus (*MdrFound) (void *context, uint32_t literal, uint32_t end);
extern MdrStatus mdr_index_search(const MdrIndex *index, const char *text, uint32_t length, MdrView view, MdrFound found,
								  void *context);

#endif							/* MDR_MATCH_INDEX_H */
