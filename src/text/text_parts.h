/*
 * text_parts.h
 *		What the files of src/text and the generator of their table share; otherwise included by unit tests only.
 */
#ifndef MDR_TEXT_PARTS_H
#define MDR_TEXT_PARTS_H

#include "text/text.h"

/* What a folded character is, for word boundaries and for the views. */
typedef enum MdrClass
{
	MDR_CLASS_OTHER = 0,		/* unassigned, private use */
	MDR_CLASS_SPACE,
	MDR_CLASS_LETTER,			/* of an alphabet whose words stand apart, and vowel signs of those */
	MDR_CLASS_DIGIT,
	MDR_CLASS_HAN,				/* Han, Kana, Bopomofo */
	MDR_CLASS_NOSPACE,			/* Thai, Lao, Khmer, Myanmar and their like */
	MDR_CLASS_NOSPACE_MARK,		/* marks of those */
	MDR_CLASS_SENTENCE,			/* , ! ? ; : and what ends a clause elsewhere; the full stop of ASCII is a symbol */
	MDR_CLASS_BRACKET,			/* brackets and quotation marks */
	MDR_CLASS_SYMBOL,			/* other punctuation and symbols */
	/* From here on, a character cannot simply be put after the one before it. */
	MDR_CLASS_JAMO_V,			/* composes with a leading consonant */
	MDR_CLASS_JAMO_T,			/* composes with a syllable that has no final */
	MDR_CLASS_VOICED,			/* composes with Kana; an ordered mark as well */
	MDR_CLASS_LETTER_ORDERED,	/* marks whose canonical combining class is not 0 */
	MDR_CLASS_NOSPACE_ORDERED
} MdrClass;
#define MDR_CLASS_FIRST_CAREFUL MDR_CLASS_JAMO_V

/*
 * A fold entry below MDR_CLASSES is the class of a code point that folds to itself; from there on it is the number of a
 * replacement.  A replacement is offset << 8 | length << 2 | flags.
 */
#define MDR_CLASSES			16
#define MDR_FOLD_SHIFT		7
#define MDR_FOLD_LONGEST	63	/* bytes in a replacement */
#define MDR_FOLD_CAREFUL	1	/* has spaces, or starts with a class from MDR_CLASS_FIRST_CAREFUL on */
#define MDR_FOLD_NOSPACE	2	/* has characters of a script without spaces */

/* The class of a code point of a folded text. */
extern MdrClass mdr_text_class(uint32_t code_point);

/*
 * Offset maps.  An entry stands for count pieces in a row, each of out_length bytes made from in_length bytes; between
 * entries, bytes answer to bytes one to one.  A NULL map is one without entries.
 */
typedef struct MdrMapEntry
{
	uint32_t	out;
	uint32_t	in;
	uint32_t	count;
	uint32_t	out_length;
	uint32_t	in_length;
} MdrMapEntry;

struct MdrOffsetMap
{
	const MdrOffsetMap *inner;	/* of the text that this one was made from; NULL when that is the text as given */
	MdrMapEntry *entries;		/* in order of out, then of in */
	uint32_t	n;
	uint32_t	capacity;
	const uint64_t *breaks;		/* joined view: bit per byte before which a space or wide gap was closed; else NULL */
};

extern bool mdr_map_add_entry(MdrArena *arena, MdrOffsetMap **map, uint32_t out, uint32_t in, uint32_t out_length,
							  uint32_t in_length);

/* Adds a piece at the end of the map, making the map when *map is NULL.  False when out of memory. */
static inline bool
mdr_map_add(MdrArena *arena, MdrOffsetMap **map, uint32_t out, uint32_t in, uint32_t out_length, uint32_t in_length)
{
	if (*map != NULL && (*map)->n > 0)
	{
		MdrMapEntry *last = &(*map)->entries[(*map)->n - 1];

		if (last->out_length == out_length && last->in_length == in_length &&
			last->out + last->count * out_length == out &&
			last->in + last->count * in_length == in)
		{
			last->count++;
			return true;
		}
	}
	return mdr_map_add_entry(arena, map, out, in, out_length, in_length);
}

/* Makes all from the piece around out, up to out_end and in_end, a single piece.  False when out of memory. */
extern bool mdr_map_merge(MdrArena *arena, MdrOffsetMap **map, uint32_t out, uint32_t out_end, uint32_t in_end);

/* Where the span [start, end) of a text comes from in what the map leads to, inner maps left aside. */
extern void mdr_map_span(const MdrOffsetMap *map, uint32_t start, uint32_t end, uint32_t *in_start, uint32_t *in_end);

/* Decodes the character at bytes, before end; its length, or 0 (and no code point) when it is not valid UTF-8. */
static inline uint32_t
mdr_utf8_next(const char *bytes, const char *end, uint32_t *code_point)
{
	const uint8_t *at = (const uint8_t *) bytes;
	size_t		left = end - bytes;
	uint32_t	c = at[0];

	if (c < 0x80)
	{
		*code_point = c;
		return 1;
	}
	if (c < 0xE0)
	{
		if (c < 0xC2 || left < 2 || (at[1] & 0xC0) != 0x80)
			return 0;
		*code_point = (c & 0x1F) << 6 | (at[1] & 0x3F);
		return 2;
	}
	if (c < 0xF0)
	{
		if (left < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80)
			return 0;
		c = (c & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F);
		if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))
			return 0;
		*code_point = c;
		return 3;
	}
	if (c > 0xF4 || left < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 || (at[3] & 0xC0) != 0x80)
		return 0;
	c = (c & 0x07) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F);
	if (c < 0x10000 || c > 0x10FFFF)
		return 0;
	*code_point = c;
	return 4;
}

/* Reads the character at bytes, which is known to be valid UTF-8; its length. */
static inline uint32_t
mdr_utf8_read(const char *bytes, uint32_t *code_point)
{
	const uint8_t *at = (const uint8_t *) bytes;

	if (at[0] < 0x80)
	{
		*code_point = at[0];
		return 1;
	}
	if (at[0] < 0xE0)
	{
		*code_point = (at[0] & 0x1F) << 6 | (at[1] & 0x3F);
		return 2;
	}
	if (at[0] < 0xF0)
	{
		*code_point = (at[0] & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F);
		return 3;
	}
	*code_point = (at[0] & 0x07) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F);
	return 4;
}

/* Where the character before bytes begins, in valid UTF-8; bytes must not be the start. */
static inline const char *
mdr_utf8_before(const char *bytes)
{
	do
		bytes--;
	while ((*bytes & 0xC0) == 0x80);
	return bytes;
}

/* Writes a code point; its length. */
static inline uint32_t
mdr_utf8_put(char *bytes, uint32_t c)
{
	if (c < 0x80)
	{
		bytes[0] = c;
		return 1;
	}
	if (c < 0x800)
	{
		bytes[0] = 0xC0 | c >> 6;
		bytes[1] = 0x80 | (c & 0x3F);
		return 2;
	}
	if (c < 0x10000)
	{
		bytes[0] = 0xE0 | c >> 12;
		bytes[1] = 0x80 | (c >> 6 & 0x3F);
		bytes[2] = 0x80 | (c & 0x3F);
		return 3;
	}
	bytes[0] = 0xF0 | c >> 18;
	bytes[1] = 0x80 | (c >> 12 & 0x3F);
	bytes[2] = 0x80 | (c >> 6 & 0x3F);
	bytes[3] = 0x80 | (c & 0x3F);
	return 4;
}

/* Makes room for what mdr_text_whole_words() finds out about a text.  False when out of memory. */
extern bool mdr_words_prepare(MdrArena *arena, MdrText *text);

/* Which views a plain text shows signs of, as MdrText.views. */
extern uint32_t mdr_text_signs(const MdrText *plain);

/*
 * What the views look for.  Each takes a position in a plain text and answers for the whole token or run around it;
 * *end is where the caller may go on, so that a text is looked at once.
 */
extern bool mdr_leet_token(const MdrText *plain, uint32_t position, uint32_t *start, uint32_t *end);
extern bool mdr_leet_capital(const MdrText *plain);	/* a capital I, in the text as given, for an l */
extern bool mdr_squeezed_sign(const MdrText *plain, uint32_t position);

/* Letters spread by gaps, as mdr_joined_run() finds them. */
typedef struct MdrJoinedRun
{
	uint32_t	end;			/* behind the last letter */
	uint32_t	width;			/* of the gap that spreads the letters: anything wider separates words */
	bool		spaced;			/* that gap has a space in it: otherwise any space separates words */
	char		sign;			/* that gap is this ASCII sign, which may also stand before and behind a word; 0 = it is something else */
} MdrJoinedRun;

/* Whether a run of spread letters starts at position, where a character starts.  Fills run->end in any case. */
extern bool mdr_joined_run(const MdrText *plain, uint32_t position, MdrJoinedRun *run);

/* Length of the gap at position, where a Han or Kana character ends, to another; 0 when there is none. */
extern uint32_t mdr_joined_han_gap(const MdrText *plain, uint32_t position);

/* A view that is being made. */
typedef struct MdrViewMaker
{
	MdrArena   *arena;
	const MdrText *plain;
	char	   *bytes;
	uint32_t	length;
	uint64_t   *changed;
	uint64_t   *breaks;			/* NULL but in the joined view */
	MdrOffsetMap *map;
} MdrViewMaker;

static inline void
mdr_set_bit(uint64_t *bits, uint32_t position)
{
	bits[position / 64] |= (uint64_t) 1 << (position % 64);
}

extern bool mdr_leet_make(MdrViewMaker *maker);
extern bool mdr_joined_make(MdrViewMaker *maker);
extern bool mdr_squeezed_make(MdrViewMaker *maker);

/*
 * text_icu.c: called before ICU is, so that it has memory whatever happens; false when there is none left to promise.  And after
 * it: whether memory did run out, so that what ICU made is to be thrown away.
 */
extern bool mdr_icu_ready(void);
extern bool mdr_icu_starved(void);

/* Test hook: leaves the vector instructions aside.  Used by unit tests and benchmarks only. */
extern bool mdr_test_text_scalar;

#endif							/* MDR_TEXT_PARTS_H */
