/*
 * text_signs.c
 *		Whether a plain text shows signs of the disguises that the other views undo.
 *
 * Input: a plain text from mdr_text_fold(), with zeros before and behind it; output: a bit for each view worth
 * making.  Of each 64 bytes, masks are made (one bit a byte: letters, digits, ...), by vector instructions where
 * there are some.  Shifted and combined, they give the few places that could be signs; the view's own rules then look
 * at those.
 *
 * Locks and memory: none.  Errors: none.
 */
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "text/text_parts.h"

#define ALL_VIEWS (1 << MDR_VIEW_LEET | 1 << MDR_VIEW_JOINED | 1 << MDR_VIEW_SQUEEZED)

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

#ifdef __x86_64__
/* The same with AVX2, for machines that have it: the compiler may not assume so, and these must not run elsewhere. */
#define AVX2 __attribute__((target("avx2"))) static inline

AVX2 __m256i
load(const char *bytes)
{
	return _mm256_loadu_si256((const __m256i *) bytes);
}

/* The bytes from first to first + n - 1: one comparison, signed, after a shift that makes them the lowest. */
AVX2 __m256i
in_range(__m256i bytes, int first, int n)
{
	return _mm256_cmpgt_epi8(_mm256_set1_epi8((char) (n - 128)),
							 _mm256_sub_epi8(bytes, _mm256_set1_epi8((char) (first - 128))));
}

AVX2 __m256i
equals(__m256i bytes, int c)
{
	return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8((char) c));
}

AVX2 __m256i
either(__m256i a, __m256i b)
{
	return _mm256_or_si256(a, b);
}

AVX2 __m256i
both(__m256i a, __m256i b)
{
	return _mm256_and_si256(a, b);
}

AVX2 uint64_t
bits_of(__m256i mask)
{
	return (uint32_t) _mm256_movemask_epi8(mask);
}

AVX2 Masks
masks_by_vector(const char *bytes)
{
	Masks		masks = {0};

#pragma GCC unroll 2
	for (int i = 0; i < 64; i += 32)
	{
		__m256i		x = load(bytes + i);
		__m256i		letters = in_range(x, 'a', 26);
		__m256i		digits = in_range(x, '0', 10);
		__m256i		strong = either(digits, either(equals(x, '@'), equals(x, '$')));
		__m256i		weak = either(either(equals(x, '!'), equals(x, '+')), either(equals(x, '|'), equals(x, '(')));
		__m256i		repeated = both(letters, _mm256_cmpeq_epi8(x, load(bytes + i - 1)));

		masks.letters |= bits_of(letters) << i;
		masks.digits |= bits_of(digits) << i;
		masks.strong |= bits_of(strong) << i;
		masks.weak |= bits_of(weak) << i;
		masks.wide |= bits_of(x) << i;
		masks.repeated |= bits_of(repeated) << i;
	}
	return masks;
}

AVX2 WideMasks
wide_masks_by_vector(const char *bytes)
{
	WideMasks	masks = {0};

#pragma GCC unroll 2
	for (int i = 0; i < 64; i += 32)
	{
		__m256i		x = load(bytes + i);
		__m256i		next = load(bytes + i + 1);
		__m256i		cjk = both(equals(x, 0x80), equals(load(bytes + i - 1), 0xE3));
		__m256i		signs = either(either(equals(x, 0xC2), equals(x, 0xE2)), in_range(x, 0xEF, 17));
		__m256i		clause = either(in_range(x, '!', 2), in_range(x, '(', 2));

		/* U+3000 to U+303F: of three bytes, the second says so; less commas, full stops and brackets. */
		cjk = _mm256_andnot_si256(either(in_range(next, 0x81, 2), in_range(next, 0x88, 20)), cjk);
		clause = either(clause, either(in_range(x, ':', 2), either(equals(x, ','), equals(x, '?'))));
		masks.second |= bits_of(both(x, _mm256_cmpeq_epi8(x, load(bytes + i - 2)))) << i;
		masks.third |= bits_of(both(x, _mm256_cmpeq_epi8(x, load(bytes + i - 3)))) << i;
		masks.signs |= bits_of(either(signs, cjk)) << i;
		masks.clause |= bits_of(clause) << i;
	}
	return masks;
}
#endif

/* The search through one text. */
typedef struct Search
{
	const MdrText *plain;
	uint32_t	views;			/* found so far */
	/* Up to here, tokens and runs were looked at: those of ASCII, and those beside wide characters, block by block. */
	uint32_t	token_end[2];
	uint32_t	run_end[2];
} Search;

typedef enum Kind
{
	OF_ASCII,
	BESIDE_WIDE
} Kind;

static inline bool
has(const Search *search, MdrView view)
{
	return search->views >> view & 1;
}

static void
look_for_leet(Search *search, uint32_t position, Kind kind)
{
	uint32_t	start;

	if (position >= search->token_end[kind] && mdr_leet_token(search->plain, position, &start, &search->token_end[kind]))
		search->views |= 1 << MDR_VIEW_LEET;
}

static inline bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
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
		look_for_leet(search, is_wide ? position - 1 : position, BESIDE_WIDE);
}

/* Whether no letter or digit stands before position, as far as can be told quickly. */
static bool
starts_word(const Search *search, uint32_t position)
{
	uint8_t		last = position == 0 ? ' ' : search->plain->bytes[position - 1];

	if (last >= 0x80)
		return class_at(search, before(search, position)) != MDR_CLASS_LETTER;
	return !is_alnum(last);
}

static void
look_for_run(Search *search, uint32_t position, Kind kind)
{
	MdrJoinedRun run;

	if (position < search->run_end[kind])
		return;
	if (mdr_joined_run(search->plain, position, &run))
		search->views |= 1 << MDR_VIEW_JOINED;
	if (run.end > position)
		search->run_end[kind] = run.end;
}

/* A single ASCII letter is one to five bytes before position: whatever run it starts, if the run goes on. */
static void
look_for_run_before(Search *search, uint32_t position)
{
	for (uint32_t at = position < 5 ? 0 : position - 5; at < position && !has(search, MDR_VIEW_JOINED); at++)
	{
		if ((signed char) search->plain->bytes[at] >= 'a' && !is_alnum(search->plain->bytes[at + 1]) &&
			starts_word(search, at))
			look_for_run(search, at, OF_ASCII);
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
	else if (class == MDR_CLASS_LETTER && starts_word(search, last))
		look_for_run(search, last, BESIDE_WIDE);
}

/* Wide characters in this block or the last. */
static __attribute__((noinline)) void
look_at_wide(Search *search, uint32_t base, const Masks *now, const Masks *last, const WideMasks *wide,
			 const WideMasks *last_wide)
{
	uint64_t	after_wide = shifted(now->wide, last->wide, 1);
	uint64_t	plain = ~(now->letters | now->digits | now->wide | wide->clause);

	if (!has(search, MDR_VIEW_LEET))
	{
		uint64_t	beside = (now->strong & after_wide) | (now->wide & shifted(now->strong, last->strong, 1));

		for (uint64_t places = beside | wide->signs; places != 0 && !has(search, MDR_VIEW_LEET); places &= places - 1)
		{
			int			bit = __builtin_ctzll(places);
			uint8_t		lead = search->plain->bytes[base + bit];

			if (beside >> bit & 1)
				look_for_leet_beside_wide(search, base + bit);
			if ((lead == 0xC2 || lead == 0xE2) && !has(search, MDR_VIEW_LEET))
				look_for_leet(search, base + bit, BESIDE_WIDE);	/* a sign of currency, maybe */
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
		uint64_t	three = wide->third & shifted(wide->third, last_wide->third, 1) &
			shifted(wide->third, last_wide->third, 2);

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

/* Bytes that could be signs, of each kind, as far as ASCII goes. */
typedef struct Candidates
{
	uint64_t	leet;
	uint64_t	joined;
	uint64_t	squeezed;
} Candidates;

static inline Candidates
candidates_of(const Masks *now, const Masks *last, uint64_t single, uint64_t last_single)
{
	Candidates	found;
	uint64_t	two = shifted(single, last_single, 2);
	uint64_t	three = shifted(single, last_single, 3);

	found.leet = (now->strong & shifted(now->letters, last->letters, 1)) |
		(now->letters & shifted(now->strong | now->weak, last->strong | last->weak, 1));
	/* Of a pair of single letters the latter may also be wide. */
	found.joined = (single & (two | three | shifted(single, last_single, 4))) |
		(now->wide & (single | shifted(single, last_single, 1) | two | three));
	found.squeezed = now->repeated & shifted(now->repeated, last->repeated, 1);
	return found;
}

static __attribute__((noinline)) void
look_at_candidates(Search *search, uint32_t base, uint64_t leet, uint64_t joined, uint64_t squeezed)
{
	for (; leet != 0 && !has(search, MDR_VIEW_LEET); leet &= leet - 1)
		look_for_leet(search, base + __builtin_ctzll(leet), OF_ASCII);
	for (; joined != 0 && !has(search, MDR_VIEW_JOINED); joined &= joined - 1)
		look_for_run_before(search, base + __builtin_ctzll(joined));
	for (; squeezed != 0 && !has(search, MDR_VIEW_SQUEEZED); squeezed &= squeezed - 1)
	{
		if (mdr_squeezed_sign(search->plain, base + __builtin_ctzll(squeezed) - 2))
			search->views |= 1 << MDR_VIEW_SQUEEZED;
	}
}

/*
 * Goes through the text by blocks, and one step beyond the end, if need be: what a byte is may show at the one behind
 * it.  Both paths share this, so that they cannot but agree.  The masks are kept apart from those that are passed on,
 * so that they may stay in registers.
 */
static inline __attribute__((always_inline)) void
search_blocks(Search *search, Masks (*masks_of) (const char *), WideMasks (*wide_masks_of) (const char *))
{
	const MdrText *plain = search->plain;
	Masks		last = {0};
	WideMasks	last_wide = {0};
	uint64_t	last_single = 0;

	for (uint64_t base = 0; base <= plain->length && search->views != ALL_VIEWS; base += 64)
	{
		Masks		now = masks_of(plain->bytes + base);
		uint64_t	single = single_letters(&now, &last);
		Candidates	found = candidates_of(&now, &last, single, last_single);

		if (__builtin_expect((found.leet | found.joined | found.squeezed) != 0, 0))
			look_at_candidates(search, base, found.leet, found.joined, found.squeezed);
		if (now.wide != 0 || last.wide >> 63 != 0)
		{
			Masks		copies[2] = {now, last};
			WideMasks	wide = wide_masks_of(plain->bytes + base);

			look_at_wide(search, base, &copies[0], &copies[1], &wide, &last_wide);
			last_wide = wide;
		}
		else if (last.wide != 0)
			last_wide = (WideMasks) {0};
		last = now;
		last_single = single;
	}
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void
search_by_vector(Search *search)
{
	search_blocks(search, masks_by_vector, wide_masks_by_vector);
}
#endif

static void
search_by_byte(Search *search)
{
	search_blocks(search, masks_by_byte, wide_masks_by_byte);
}

uint32_t
mdr_text_signs(const MdrText *plain)
{
	Search		search = {.plain = plain, .views = mdr_leet_capital(plain) ? 1 << MDR_VIEW_LEET : 0};

#ifdef __x86_64__
	if (!mdr_test_text_scalar && __builtin_cpu_supports("avx2"))
	{
		search_by_vector(&search);
		return search.views;
	}
#endif
	search_by_byte(&search);
	return search.views;
}
