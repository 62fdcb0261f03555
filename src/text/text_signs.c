/*
 * text_signs.c
 *		Whether a plain text shows signs of the disguises that the other views undo.
 *
 * Input: a plain text from mdr_text_fold(), with zeros before and behind it; output: a bit for each view worth making.  Of
 * each 64 bytes, masks are made (one bit a byte: letters, digits, ...), by vector instructions where there are some.  Shifted
 * and combined, they give the few places that could be signs; the view's own rules then look at those.
 *
 * Locks and memory: none.  Errors: none.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text/text_parts.h"

/* One bit for each of 64 bytes. */
typedef struct Masks
{
	uint64_t	letters;		/* a-z */
	uint64_t	strong;			/* 0-9 @ $ */
	uint64_t	weak;			/* ! + | ( */
	uint64_t	digits;			/* 0-9 */
	uint64_t	wide;			/* bytes of characters that are not ASCII */
	uint64_t	repeated;		/* letters equal to the one before */
} Masks;

/* What is asked only of blocks that are not all ASCII. */
typedef struct WideMasks
{
	uint64_t	second;			/* wide bytes equal to the one two before: a character of two bytes repeated */
	uint64_t	third;			/* likewise for three */
	uint64_t	signs;			/* of wide characters that may be symbols, the first byte, or of some the second */
	uint64_t	clause;			/* ASCII marks that end a clause, brackets, quotation marks */
} WideMasks;

/* bits, moved up by n; what moves in from below comes from the block before. */
static inline uint64_t
shifted(uint64_t bits, uint64_t before, int n)
{
	return bits << n | before >> (64 - n);
}

static Masks
masks_by_byte(const char *bytes)
{
	Masks		masks = {0};

	for (int i = 0; i < 64; i++)
	{
		uint64_t	bit = (uint64_t) 1 << i;
		char		c = bytes[i];

		if (c >= 'a' && c <= 'z')
		{
			masks.letters |= bit;
			masks.repeated |= c == bytes[i - 1] ? bit : 0;
		}
		else if (c >= '0' && c <= '9')
			masks.digits |= bit;
		else if ((signed char) c < 0)
			masks.wide |= bit;
		else if (c == '@' || c == '$')
			masks.strong |= bit;
		else if (c == '!' || c == '+' || c == '|' || c == '(')
			masks.weak |= bit;
	}
	masks.strong |= masks.digits;
	return masks;
}

static WideMasks
wide_masks_by_byte(const char *bytes)
{
	WideMasks	masks = {0};

	for (int i = 0; i < 64; i++)
	{
		uint64_t	bit = (uint64_t) 1 << i;
		uint8_t		c = bytes[i];

		if (c < 0x80)
		{
			masks.clause |= c != 0 && strchr("!\"(),:;?", c) != NULL ? bit : 0;
			continue;
		}
		masks.second |= bytes[i] == bytes[i - 2] ? bit : 0;
		masks.third |= bytes[i] == bytes[i - 3] ? bit : 0;
		if (c == 0xC2 || c == 0xE2 || c >= 0xEF)
			masks.signs |= bit;
		else if (c == 0x80 && (uint8_t) bytes[i - 1] == 0xE3)
		{
			uint8_t		third = bytes[i + 1];

			masks.signs |= third > 0x9B || third < 0x81 || (third > 0x82 && third < 0x88) ? bit : 0;
		}
	}
	return masks;
}

#ifdef __SSE2__
static inline __m128i
load(const char *bytes)
{
	return _mm_loadu_si128((const __m128i *) bytes);
}

/* The bytes from first to first + n - 1; one comparison, signed, after a shift that makes them the lowest. */
static inline __m128i
in_range(__m128i bytes, int first, int n)
{
	return _mm_cmplt_epi8(_mm_sub_epi8(bytes, _mm_set1_epi8((char) (first - 128))), _mm_set1_epi8((char) (n - 128)));
}

static inline __m128i
equals(__m128i bytes, int c)
{
	return _mm_cmpeq_epi8(bytes, _mm_set1_epi8((char) c));
}

static inline uint64_t
bits_of(__m128i mask)
{
	return (uint64_t) (uint32_t) _mm_movemask_epi8(mask);
}

static inline Masks
masks_of(const char *bytes)
{
	Masks		masks = {0};

	for (int i = 0; i < 64; i += 16)
	{
		__m128i		x = load(bytes + i);
		__m128i		letters = in_range(x, 'a', 26);
		__m128i		digits = in_range(x, '0', 10);
		__m128i		strong = _mm_or_si128(equals(x, '@'), equals(x, '$'));
		__m128i		weak = _mm_or_si128(_mm_or_si128(equals(x, '!'), equals(x, '+')), _mm_or_si128(equals(x, '|'), equals(x, '(')));
		__m128i		repeated = _mm_and_si128(letters, _mm_cmpeq_epi8(x, load(bytes + i - 1)));

		masks.letters |= bits_of(letters) << i;
		masks.digits |= bits_of(digits) << i;
		masks.strong |= bits_of(_mm_or_si128(digits, strong)) << i;
		masks.weak |= bits_of(weak) << i;
		masks.wide |= bits_of(x) << i;
		masks.repeated |= bits_of(repeated) << i;
	}
	return masks;
}

static inline WideMasks
wide_masks_of(const char *bytes)
{
	WideMasks	masks = {0};

	for (int i = 0; i < 64; i += 16)
	{
		__m128i		x = load(bytes + i);
		__m128i		second = _mm_cmpeq_epi8(x, load(bytes + i - 2));
		__m128i		third = _mm_cmpeq_epi8(x, load(bytes + i - 3));
		__m128i		signs = _mm_or_si128(_mm_or_si128(equals(x, 0xC2), equals(x, 0xE2)), in_range(x, 0xEF, 17));

		__m128i		next = load(bytes + i + 1);
		__m128i		cjk = _mm_and_si128(equals(x, 0x80), equals(load(bytes + i - 1), 0xE3));
		__m128i		clause = _mm_or_si128(in_range(x, '!', 2), in_range(x, '(', 2));

		/* U+3000 to U+303F: of three bytes, the second says so; less commas, full stops and brackets. */
		cjk = _mm_andnot_si128(_mm_or_si128(in_range(next, 0x81, 2), in_range(next, 0x88, 20)), cjk);
		signs = _mm_or_si128(signs, cjk);
		clause = _mm_or_si128(clause, _mm_or_si128(equals(x, ','), _mm_or_si128(equals(x, '?'), in_range(x, ':', 2))));
		masks.clause |= bits_of(clause) << i;
		masks.second |= bits_of(_mm_and_si128(x, second)) << i;
		masks.third |= bits_of(_mm_and_si128(x, third)) << i;
		masks.signs |= bits_of(signs) << i;
	}
	return masks;
}
#endif

/* The search through one text. */
typedef struct Search
{
	const MdrText *plain;
	uint32_t	views;			/* found so far */
	uint32_t	token_end;		/* tokens and runs up to here have been looked at */
	uint32_t	run_end;
} Search;

static inline bool
has(const Search *search, MdrView view)
{
	return search->views >> view & 1;
}

static void
look_for_leet(Search *search, uint32_t position)
{
	uint32_t	start;

	if (position >= search->token_end && mdr_leet_token(search->plain, position, &start, &search->token_end))
		search->views |= 1 << MDR_VIEW_LEET;
}

static MdrClass
class_at(const Search *search, uint32_t position)
{
	uint32_t	c;

	(void) mdr_utf8_read(search->plain->bytes + position, &c);
	return mdr_text_class(c);
}

static uint32_t
before(const Search *search, uint32_t position)
{
	return mdr_utf8_before(search->plain->bytes + position) - search->plain->bytes;
}

/* A digit or sign beside a wide character: only letters make a token of it. */
static void
look_for_leet_beside_wide(Search *search, uint32_t position)
{
	bool		is_wide = (signed char) search->plain->bytes[position] < 0;
	uint32_t	wide = is_wide ? position : before(search, position);

	if (position < search->plain->length && class_at(search, wide) == MDR_CLASS_LETTER)
		look_for_leet(search, is_wide ? position - 1 : position);
}

static void
look_for_run(Search *search, uint32_t position)
{
	MdrJoinedRun run;

	if (position < search->run_end)
		return;
	if (mdr_joined_run(search->plain, position, &run))
		search->views |= 1 << MDR_VIEW_JOINED;
	if (run.end > position)
		search->run_end = run.end;
}

/* A single ASCII letter is one to five bytes before position: whatever run it starts, if the run goes on. */
static void
look_for_run_before(Search *search, uint32_t position)
{
	for (uint32_t at = position < 5 ? 0 : position - 5; at < position && !has(search, MDR_VIEW_JOINED); at++)
	{
		if ((signed char) search->plain->bytes[at] >= 'a')
			look_for_run(search, at);
	}
}

/* A gap may start at position, behind a wide character. */
static void
look_for_gap(Search *search, uint32_t position)
{
	uint32_t	last;
	MdrClass	class;

	if (position == 0 || position >= search->plain->length)
		return;
	last = before(search, position);
	class = class_at(search, last);
	if (class == MDR_CLASS_HAN)
	{
		if (mdr_joined_han_gap(search->plain, position) > 0)
			search->views |= 1 << MDR_VIEW_JOINED;
	}
	else if (class == MDR_CLASS_LETTER)
		look_for_run(search, last);
}

/* Wide characters in this block or the last. */
static void
look_at_wide(Search *search, uint32_t base, const Masks *now, const Masks *last, const WideMasks *wide, const WideMasks *last_wide)
{
	uint64_t	after_wide = shifted(now->wide, last->wide, 1);
	uint64_t	plain = ~(now->letters | now->digits | now->wide | wide->clause);

	if (!has(search, MDR_VIEW_LEET))
	{
		uint64_t	beside = (now->strong & after_wide) | (now->wide & shifted(now->strong, last->strong, 1));

		for (; beside != 0 && !has(search, MDR_VIEW_LEET); beside &= beside - 1)
			look_for_leet_beside_wide(search, base + __builtin_ctzll(beside));
		for (uint64_t signs = wide->signs; signs != 0 && !has(search, MDR_VIEW_LEET); signs &= signs - 1)
		{
			uint32_t	at = base + __builtin_ctzll(signs);

			if ((uint8_t) search->plain->bytes[at] == 0xC2 || (uint8_t) search->plain->bytes[at] == 0xE2)
				look_for_leet(search, at);
		}
	}
	if (!has(search, MDR_VIEW_JOINED))
	{
		uint64_t	gaps = (plain & after_wide) | wide->signs;

		for (; gaps != 0 && !has(search, MDR_VIEW_JOINED); gaps &= gaps - 1)
		{
			uint32_t	at = base + __builtin_ctzll(gaps);

			if ((uint8_t) search->plain->bytes[at] == 0x80)
				at--;			/* from the second byte of U+3000 to U+303F to the first */
			look_for_gap(search, at);
		}
	}
	if (!has(search, MDR_VIEW_SQUEEZED))
	{
		uint64_t	two = wide->second & shifted(wide->second, last_wide->second, 1);
		uint64_t	three = wide->third & shifted(wide->third, last_wide->third, 1) & shifted(wide->third, last_wide->third, 2);

		two &= shifted(wide->second, last_wide->second, 2) & shifted(wide->second, last_wide->second, 3);
		three &= shifted(wide->third, last_wide->third, 3) & shifted(wide->third, last_wide->third, 4) &
			shifted(wide->third, last_wide->third, 5);
		for (; two != 0 && !has(search, MDR_VIEW_SQUEEZED); two &= two - 1)
		{
			uint32_t	at = base + __builtin_ctzll(two) - 5;

			if (((uint8_t) search->plain->bytes[at] & 0xE0) == 0xC0 && mdr_squeezed_sign(search->plain, at))
				search->views |= 1 << MDR_VIEW_SQUEEZED;
		}
		for (; three != 0 && !has(search, MDR_VIEW_SQUEEZED); three &= three - 1)
		{
			uint32_t	at = base + __builtin_ctzll(three) - 8;

			if (((uint8_t) search->plain->bytes[at] & 0xF0) == 0xE0 && mdr_squeezed_sign(search->plain, at))
				search->views |= 1 << MDR_VIEW_SQUEEZED;
		}
	}
}

/* Single letters among the bytes up to one before the block's: bit i stands for byte i - 1. */
static inline uint64_t
single_letters(const Masks *now, const Masks *last)
{
	uint64_t	alphabetic = now->letters | now->digits;
	uint64_t	last_alphabetic = last->letters | last->digits;

	return shifted(now->letters, last->letters, 1) & ~alphabetic & ~shifted(alphabetic, last_alphabetic, 2);
}

static inline void
look_at_block(Search *search, uint32_t base, const Masks *now, const Masks *last, uint64_t single, uint64_t last_single)
{
	uint64_t	after_letter = shifted(now->letters, last->letters, 1);
	uint64_t	leet = (now->strong & after_letter) | (now->letters & shifted(now->strong, last->strong, 1)) |
		(now->letters & shifted(now->weak, last->weak, 1));
	uint64_t	joined = single & (shifted(single, last_single, 2) | shifted(single, last_single, 3) | shifted(single, last_single, 4));
	uint64_t	squeezed = now->repeated & shifted(now->repeated, last->repeated, 1);

	/* Of a pair of single letters the latter may also be wide. */
	joined |= now->wide & (single | shifted(single, last_single, 1) | shifted(single, last_single, 2) | shifted(single, last_single, 3));
	if (__builtin_expect((leet | joined | squeezed) == 0, 1))
		return;
	for (; leet != 0 && !has(search, MDR_VIEW_LEET); leet &= leet - 1)
		look_for_leet(search, base + __builtin_ctzll(leet));
	for (; joined != 0 && !has(search, MDR_VIEW_JOINED); joined &= joined - 1)
		look_for_run_before(search, base + __builtin_ctzll(joined));
	for (; squeezed != 0 && !has(search, MDR_VIEW_SQUEEZED); squeezed &= squeezed - 1)
	{
		if (mdr_squeezed_sign(search->plain, base + __builtin_ctzll(squeezed) - 2))
			search->views |= 1 << MDR_VIEW_SQUEEZED;
	}
}

uint32_t
mdr_text_signs(const MdrText *plain)
{
	const uint32_t all = 1 << MDR_VIEW_LEET | 1 << MDR_VIEW_JOINED | 1 << MDR_VIEW_SQUEEZED;
	Search		search = {.plain = plain};
	Masks		last = {0};
	WideMasks	last_wide = {0};
	uint64_t	last_single = 0;

	/* One step beyond the end, if need be: what a byte is may show at the one behind it. */
	for (uint64_t base = 0; base <= plain->length && search.views != all; base += 64)
	{
		const char *bytes = plain->bytes + base;
		Masks		now;
		WideMasks	wide = {0};
		uint64_t	single;
		bool		by_byte = true;

#ifdef __SSE2__
		by_byte = mdr_test_text_scalar;
		if (!by_byte)
			now = masks_of(bytes);
#endif
		if (by_byte)
			now = masks_by_byte(bytes);
		single = single_letters(&now, &last);
		look_at_block(&search, base, &now, &last, single, last_single);
		if ((now.wide | last.wide >> 63) != 0)
		{
#ifdef __SSE2__
			if (!by_byte)
				wide = wide_masks_of(bytes);
#endif
			if (by_byte)
				wide = wide_masks_by_byte(bytes);
			look_at_wide(&search, base, &now, &last, &wide, &last_wide);
		}
		last = now;
		last_wide = wide;
		last_single = single;
	}
	return search.views;
}
