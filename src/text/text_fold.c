/*
 * text_fold.c
 *		Folds content, terms and patterns into the plain view.
 *
 * Input: bytes as given; output: an MdrText with the folded bytes, the map back and the views that it shows signs of.
 * The mapping is by code point, from a table that generate/fold_table.c makes of ICU's data (it says what is folded),
 * and so needs no context, but for four things, all of which make different spellings of the same text come out the
 * same:
 *
 *	- a run of white space becomes one space, also at the start and at the end;
 *	- Hangul consonants and vowels compose to syllables (Unicode Standard, section 3.12);
 *	- Kana and their voiced marks compose;
 *	- marks that stay are put in canonical order (section 3.11).
 *
 * ASCII goes through vector instructions, 16 bytes at a time; what folds to itself in Chinese, Japanese,
 * Korean or Thai is told by one bit.
 *
 * Locks: none.  Memory: the caller's arena.  Errors: MDR_NO_MEMORY; nothing else can fail, since an invalid byte
 * becomes U+FFFD.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "text/text_parts.h"
#include "text_fold_table.h"

/*
 * Increased whenever the rules of this folder change that are not in the table: composition, views, boundaries.
 * Compiled policies carry mdr_text_fold_version().
 */
#define RULES_VERSION	3

#define FRONT	16				/* zero bytes before the folded text, for the vectors of text_signs.c */
#define BACK	80				/* bytes behind it that may be overwritten, and that are there to be read */

bool		mdr_test_text_scalar = false;

typedef struct Fold
{
	MdrArena   *arena;
	const char *given;			/* start, next byte and end of the input */
	const char *in;
	const char *in_end;
	char	   *start;			/* start, next byte and end of the output; the end is at least BACK bytes further off than
								 * the input's */
	char	   *out;
	char	   *out_end;
	MdrOffsetMap *map;
	bool		nospace;		/* a script without spaces was seen */
	bool		failed;			/* out of memory */
} Fold;

static inline uint32_t
entry_of(uint32_t c)
{
	return fold_blocks[(uint32_t) fold_index[c >> MDR_FOLD_SHIFT] << MDR_FOLD_SHIFT | (c & ((1 << MDR_FOLD_SHIFT) - 1))];
}

static inline const char *
replacement_of(uint32_t entry, uint32_t *length, uint32_t *flags)
{
	uint32_t	replacement = fold_replacements[entry - MDR_CLASSES];

	*length = replacement >> 2 & 63;
	*flags = replacement & 3;
	return (const char *) fold_pool + (replacement >> 8);
}

MdrClass
mdr_text_class(uint32_t code_point)
{
	uint32_t	entry = entry_of(code_point);

	return entry < MDR_CLASSES ? (MdrClass) entry : MDR_CLASS_OTHER;
}

static inline uint32_t
length_by_lead(char lead)
{
	uint8_t		byte = lead;

	return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/* Keeps the output's promise of room when more bytes are about to be written than were read. */
static bool
make_room(Fold *fold, size_t more)
{
	size_t		used = fold->out - fold->start;
	size_t		needed = used + more + (fold->in_end - fold->in) + BACK;
	char	   *grown;

	if ((size_t) (fold->out_end - fold->start) >= needed)
		return true;
	needed += needed / 2;
	if (needed > UINT32_MAX - FRONT || (grown = mdr_alloc(fold->arena, needed + FRONT)) == NULL)
	{
		fold->failed = true;
		return false;
	}
	grown += FRONT;
	memcpy(grown, fold->start, used);
	fold->start = grown;
	fold->out = grown + used;
	fold->out_end = grown + needed;
	return true;
}

/* Notes that the last out_length bytes of output came of the in_length bytes of input at in, which were just read. */
static void
note(Fold *fold, uint32_t out_length, const char *in, uint32_t in_length)
{
	if (!mdr_map_add(fold->arena, &fold->map, fold->out - fold->start - out_length, in - fold->given, out_length,
					 in_length))
		fold->failed = true;
}

/* Notes that the output from out on, and whatever it was made of, can only be told as a whole. */
static void
note_merged(Fold *fold, const char *out)
{
	if (!mdr_map_merge(fold->arena, &fold->map, out - fold->start, fold->out - fold->start, fold->in - fold->given))
		fold->failed = true;
}

static inline bool
after_space(const Fold *fold)
{
	return fold->out > fold->start && fold->out[-1] == ' ';
}

static inline bool
is_ordered(MdrClass class)
{
	return class == MDR_CLASS_VOICED || class == MDR_CLASS_LETTER_ORDERED || class == MDR_CLASS_NOSPACE_ORDERED;
}

static uint32_t
combining_class(uint32_t c)
{
	uint32_t	low = 0;
	uint32_t	high = sizeof(fold_ordered) / sizeof(fold_ordered[0]);

	while (low < high)
	{
		uint32_t	middle = (low + high) / 2;

		if (fold_ordered[middle] >> 8 == c)
			return fold_ordered[middle] & 0xFF;
		if (fold_ordered[middle] >> 8 < c)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static uint32_t
compose_voiced(uint32_t base, uint32_t mark)
{
	for (size_t i = 0; i < sizeof(fold_voiced) / sizeof(fold_voiced[0]); i++)
	{
		if (fold_voiced[i][0] == base && fold_voiced[i][1] == mark)
			return fold_voiced[i][2];
	}
	return 0;
}

static uint32_t
compose_hangul(uint32_t base, uint32_t jamo)
{
	if (base >= 0x1100 && base <= 0x1112 && jamo >= 0x1161 && jamo <= 0x1175)
		return 0xAC00 + ((base - 0x1100) * 21 + (jamo - 0x1161)) * 28;
	if (base >= 0xAC00 && base <= 0xD7A3 && (base - 0xAC00) % 28 == 0 && jamo >= 0x11A8 && jamo <= 0x11C2)
		return base + (jamo - 0x11A7);
	return 0;
}

/* The last character of the output before end, and where it starts; U+0000 when there is none. */
static uint32_t
last_before(const Fold *fold, char *end, char **start)
{
	uint32_t	c = 0;

	*start = end;
	if (end > fold->start)
	{
		*start = (char *) mdr_utf8_before(end);
		(void) mdr_utf8_read(*start, &c);
	}
	return c;
}

/* Marks waiting to be put in order: each code point << 8 | combining class. */
typedef struct Marks
{
	uint32_t	local[48];
	uint32_t   *at;
	uint32_t	n;
	uint32_t	capacity;
} Marks;

static bool
add_mark(Fold *fold, Marks *marks, uint32_t c)
{
	if (marks->n == marks->capacity)
	{
		uint32_t   *grown = mdr_grow(fold->arena, marks->at, marks->n * sizeof(uint32_t),
									 marks->n * 2 * sizeof(uint32_t));

		if (grown == NULL)
		{
			fold->failed = true;
			return false;
		}
		marks->at = grown;
		marks->capacity *= 2;
	}
	marks->at[marks->n++] = c << 8 | combining_class(c);
	return true;
}

/* Sorts by combining class, keeping equals as they came, in time proportional to their number. */
static bool
sort_marks(Fold *fold, Marks *marks)
{
	uint32_t	position[257] = {0};
	uint32_t   *sorted;
	bool		in_order = true;

	for (uint32_t i = 1; i < marks->n && in_order; i++)
		in_order = (marks->at[i - 1] & 0xFF) <= (marks->at[i] & 0xFF);
	if (in_order)
		return true;
	sorted = mdr_alloc_array(fold->arena, marks->n, sizeof(uint32_t));
	if (sorted == NULL)
	{
		fold->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < marks->n; i++)
		position[(marks->at[i] & 0xFF) + 1]++;
	for (int class = 0; class < 256; class++)
		position[class + 1] += position[class];
	for (uint32_t i = 0; i < marks->n; i++)
		sorted[position[marks->at[i] & 0xFF]++] = marks->at[i];
	marks->at = sorted;
	return true;
}

/* Collects the marks at the input, passing over what vanishes; false when out of memory. */
static bool
collect_marks(Fold *fold, Marks *marks)
{
	uint32_t	c;
	uint32_t	length;

	while (fold->in < fold->in_end && (length = mdr_utf8_next(fold->in, fold->in_end, &c)) > 0)
	{
		uint32_t	entry = entry_of(c);

		if (entry >= MDR_CLASSES)
		{
			uint32_t	replaced;
			uint32_t	flags;
			const char *replacement = replacement_of(entry, &replaced, &flags);
			const char *end = replacement + replaced;

			if (replaced > 0 && !(flags & MDR_FOLD_CAREFUL))
				return true;
			while (replacement < end)
			{
				replacement += mdr_utf8_read(replacement, &c);
				if (!is_ordered(mdr_text_class(c)))
					return true;	/* the first of them, as the generator has seen to */
				if (!add_mark(fold, marks, c))
					return false;
			}
		}
		else if (!is_ordered(entry))
			return true;
		else if (!add_mark(fold, marks, c))
			return false;
		fold->in += length;
	}
	return true;
}

/* Folds a run of marks that stay, the first of which is next in the input. */
static void
fold_marks(Fold *fold)
{
	Marks		marks;
	char	   *from = fold->out;
	const char *in = fold->in;
	char	   *base_start;
	uint32_t	base;
	uint32_t	c;
	size_t		offset;

	marks.at = marks.local;
	marks.n = 0;
	marks.capacity = sizeof(marks.local) / sizeof(marks.local[0]);

	/* The output's last character may have ended in such marks. */
	while ((c = last_before(fold, from, &base_start)) != 0 && is_ordered(mdr_text_class(c)))
		from = base_start;
	for (const char *at = from; at < fold->out;)
	{
		at += mdr_utf8_read(at, &c);
		if (!add_mark(fold, &marks, c))
			return;
	}
	if (!collect_marks(fold, &marks) || !sort_marks(fold, &marks))
		return;

	/* A voiced mark composes unless another of its kind stands between it and the letter. */
	base = last_before(fold, from, &base_start);
	for (uint32_t i = 0; i < marks.n && (marks.at[i] & 0xFF) <= 8; i++)
	{
		uint32_t	composed;

		if ((marks.at[i] & 0xFF) < 8)
			continue;
		composed = compose_voiced(base, marks.at[i] >> 8);
		if (composed != 0)
		{
			from = base_start;
			memmove(marks.at + 1, marks.at, i * sizeof(uint32_t));
			marks.at[0] = composed << 8;
		}
		break;
	}

	offset = from - fold->start;
	fold->out = from;
	if (!make_room(fold, marks.n * 4))
		return;
	from = fold->start + offset;
	for (uint32_t i = 0; i < marks.n; i++)
		fold->out += mdr_utf8_put(fold->out, marks.at[i] >> 8);
	if (fold->out - from != fold->in - in || memcmp(from, in, fold->in - in) != 0)
		note_merged(fold, from);
}

/* Folds a conjoining vowel or final, which is next in the input or all of its replacement. */
static void
fold_jamo(Fold *fold, uint32_t jamo, uint32_t in_length)
{
	char	   *base_start;
	uint32_t	composed = compose_hangul(last_before(fold, fold->out, &base_start), jamo);
	const char *in = fold->in;

	fold->in += in_length;
	if (composed != 0)
	{
		(void) mdr_utf8_put(base_start, composed);	/* as long as the character it takes the place of */
		note_merged(fold, base_start);
		return;
	}
	fold->out += mdr_utf8_put(fold->out, jamo);
	if (in_length != 3)
		note(fold, 3, in, in_length);
}

/* Folds a character to a replacement that has spaces or starts with what may compose. */
static void
fold_carefully(Fold *fold, const char *replacement, uint32_t replaced, uint32_t in_length)
{
	const char *end = replacement + replaced;
	const char *in = fold->in;
	uint32_t	c;
	uint32_t	first = mdr_utf8_read(replacement, &c);
	MdrClass	class = mdr_text_class(c);
	char	   *from;

	if (is_ordered(class))
	{
		fold_marks(fold);
		return;
	}
	if (class == MDR_CLASS_JAMO_V || class == MDR_CLASS_JAMO_T)
	{
		fold_jamo(fold, c, in_length);
		return;
	}
	fold->in += in_length;
	if (!make_room(fold, replaced))
		return;
	from = fold->out;
	for (const char *at = replacement; at < end; at++)
	{
		if (*at != ' ' || !after_space(fold))
			*fold->out++ = *at;
	}
	if (fold->out - from != in_length || length_by_lead(*in) != in_length || replaced != first)
		note(fold, fold->out - from, in, in_length);
}

/*
 * Folds a character to something that is not longer and needs no care, from the bytes at in to those at out; the
 * replacement's length, or -1 when it is not of that kind.
 */
static inline int
fold_simply(Fold *fold, uint32_t entry, const char *in, char *out, uint32_t in_length)
{
	uint32_t	replacement;
	uint32_t	length;

	if (entry < MDR_CLASSES)
		return -1;
	replacement = fold_replacements[entry - MDR_CLASSES];
	length = replacement >> 2 & 63;
	if ((replacement & MDR_FOLD_CAREFUL) || length > in_length)
		return -1;
	memcpy(out, fold_pool + (replacement >> 8), 4);
	if (replacement & MDR_FOLD_NOSPACE)
		fold->nospace = true;
	if ((length != in_length || length_by_lead(*out) != in_length) &&
		!mdr_map_add(fold->arena, &fold->map, out - fold->start, in - fold->given, length, in_length))
		fold->failed = true;
	return length;
}

/* Folds characters of three bytes, as long as they are simple. */
static inline void
fold_three(Fold *fold)
{
	const char *in = fold->in;
	char	   *out = fold->out;
	uint64_t	nospace = 0;

	while (fold->in_end - in >= 4)
	{
		uint8_t		bytes[4];
		uint32_t	three;
		uint32_t	word;
		uint32_t	bit;

		memcpy(bytes, in, 4);
		three = bytes[0] | (uint32_t) bytes[1] << 8 | (uint32_t) bytes[2] << 16;
		word = (three & 0x0F) << 6 | (three >> 8 & 0x3F);
		bit = three >> 16 & 0x3F;
		if ((three & 0xC0C0F0) != 0x8080E0)
			break;
		if (fold_same[word][0] >> bit & 1)
		{
			nospace |= fold_same[word][1] >> bit;
			memcpy(out, bytes, 4);
			out += 3;
		}
		else
		{
			uint32_t	c = word << 6 | bit;
			int			length;

			if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF) || (length = fold_simply(fold, entry_of(c), in, out, 3)) < 0)
				break;
			out += length;
		}
		in += 3;
	}
	fold->in = in;
	fold->out = out;
	fold->nospace |= nospace & 1;
}

/* The same for two bytes. */
static inline void
fold_two(Fold *fold)
{
	const char *in = fold->in;
	char	   *out = fold->out;

	while (fold->in_end - in >= 4)
	{
		uint8_t		bytes[4];
		uint32_t	entry;

		memcpy(bytes, in, 4);
		if (bytes[0] < 0xC2 || bytes[0] >= 0xE0 || (bytes[1] & 0xC0) != 0x80)
			break;
		entry = entry_of((uint32_t) (bytes[0] & 0x1F) << 6 | (bytes[1] & 0x3F));
		if (entry < MDR_CLASS_FIRST_CAREFUL)
		{
			memcpy(out, bytes, 4);
			out += 2;
		}
		else
		{
			int			length = fold_simply(fold, entry, in, out, 2);

			if (length < 0)
				break;
			out += length;
		}
		in += 2;
	}
	fold->in = in;
	fold->out = out;
}

/* Folds the next character, of any kind. */
static void
fold_character(Fold *fold)
{
	uint32_t	c;
	uint32_t	in_length = mdr_utf8_next(fold->in, fold->in_end, &c);
	uint32_t	entry;
	uint32_t	replaced;
	uint32_t	flags;
	const char *replacement;
	const char *in = fold->in;

	if (in_length == 0)
	{
		c = 0xFFFD;
		fold->in++;
		if (!make_room(fold, 3))
			return;
		fold->out += mdr_utf8_put(fold->out, c);
		note(fold, 3, in, 1);
		return;
	}
	entry = entry_of(c);
	if (entry < MDR_CLASSES)
	{
		if (entry == MDR_CLASS_HAN || entry == MDR_CLASS_NOSPACE)
			fold->nospace = true;
		if (entry == MDR_CLASS_JAMO_V || entry == MDR_CLASS_JAMO_T)
			fold_jamo(fold, c, in_length);
		else if (entry >= MDR_CLASS_FIRST_CAREFUL)
			fold_marks(fold);
		else
		{
			fold->in += in_length;
			if (entry == MDR_CLASS_SPACE && after_space(fold))
			{
				note(fold, 0, in, in_length);
				return;
			}
			for (uint32_t i = 0; i < in_length; i++)
				*fold->out++ = in[i];
		}
		return;
	}
	replacement = replacement_of(entry, &replaced, &flags);
	if (flags & MDR_FOLD_NOSPACE)
		fold->nospace = true;
	if (flags & MDR_FOLD_CAREFUL)
	{
		fold_carefully(fold, replacement, replaced, in_length);
		return;
	}
	fold->in += in_length;
	if (replaced > in_length && !make_room(fold, replaced))
		return;
	memcpy(fold->out, replacement, 16);
	if (replaced > 16)
		memcpy(fold->out + 16, replacement + 16, replaced - 16);
	fold->out += replaced;
	/* As many bytes, but several characters, is a piece as well: a span must not begin within the character given. */
	if (replaced != in_length || length_by_lead(*replacement) != in_length)
		note(fold, replaced, in, in_length);
}

/* Folds ASCII up to the next byte that is anything else, a control character, or white space after white space. */
static void
fold_ascii_by_byte(Fold *fold)
{
	bool		was_space = after_space(fold);

	for (; fold->in < fold->in_end; fold->in++)
	{
		uint8_t		c = *fold->in;
		bool		is_white = c == ' ' || (c >= '\t' && c <= '\r');

		if (c >= 0x7F || (c < ' ' && !is_white) || (is_white && was_space))
			break;
		*fold->out++ = is_white ? ' ' : c >= 'A' && c <= 'Z' ? c + 32 : c;
		was_space = is_white;
	}
}

#ifdef __SSE2__
/* The same, 16 bytes at a time, written whole: what lies behind the byte where folding stops is overwritten later. */
static void
fold_ascii_by_vector(Fold *fold)
{
	const __m128i upper_first = _mm_set1_epi8('A' - 128);
	const __m128i space = _mm_set1_epi8(' ');
	uint32_t	was_space = after_space(fold);
	const char *in = fold->in;
	char	   *out = fold->out;

	while (in < fold->in_end)
	{
		size_t		left = fold->in_end - in;
		char		tail[16];
		const char *from = in;
		__m128i		bytes;
		__m128i		is_upper;
		__m128i		is_white;
		__m128i		is_low;
		uint32_t	white;
		uint32_t	stops;

		if (left < 16)
		{
			memset(tail, 0x80, 16);
			memcpy(tail, in, left);
			from = tail;
		}
		bytes = _mm_loadu_si128((const __m128i *) from);
		/* Bytes from 'A' to 'Z' are the lowest 26, signed, after this shift. */
		is_upper = _mm_cmplt_epi8(_mm_sub_epi8(bytes, upper_first), _mm_set1_epi8(-128 + 26));
		is_white = _mm_cmplt_epi8(_mm_sub_epi8(bytes, _mm_set1_epi8(9 - 128)), _mm_set1_epi8(-128 + 5));
		is_low = _mm_cmplt_epi8(bytes, space);	/* controls, and all from 0x80 on */
		stops = _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(is_white, is_low),
											   _mm_cmpeq_epi8(bytes, _mm_set1_epi8(127))));
		bytes = _mm_add_epi8(bytes, _mm_and_si128(is_upper, space));
		bytes = _mm_or_si128(_mm_andnot_si128(is_white, bytes), _mm_and_si128(is_white, space));
		white = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, space));
		stops |= white & (white << 1 | was_space);
		_mm_storeu_si128((__m128i *) out, bytes);
		if (stops != 0)
		{
			int			n = __builtin_ctz(stops);

			in += n;
			out += n;
			break;
		}
		was_space = white >> 15;
		in += 16;
		out += 16;
	}
	fold->in = in;
	fold->out = out;
}
#endif

MdrStatus
mdr_text_fold(MdrArena *arena, const char *given, size_t length, MdrText *text)
{
	Fold		fold = {.arena = arena, .given = given, .in = given, .in_end = given + length};

	memset(text, 0, sizeof(MdrText));
	if (length >= (size_t) 1 << 30)
		return MDR_NO_MEMORY;
	fold.start = mdr_alloc(arena, FRONT + length + BACK);
	if (fold.start == NULL)
		return MDR_NO_MEMORY;
	fold.start += FRONT;
	fold.out = fold.start;
	fold.out_end = fold.start + length + BACK;
	while (fold.in < fold.in_end && !fold.failed)
	{
		const char *before = fold.in;

		if ((signed char) *fold.in >= 0)
		{
#ifdef __SSE2__
			if (!mdr_test_text_scalar)
				fold_ascii_by_vector(&fold);
			else
#endif
				fold_ascii_by_byte(&fold);
		}
		else if (!mdr_test_text_scalar)
		{
			if ((uint8_t) *fold.in < 0xE0)
				fold_two(&fold);
			else
				fold_three(&fold);
		}
		if (fold.in == before)
			fold_character(&fold);
	}
	if (fold.failed)
		return MDR_NO_MEMORY;
	memset(fold.out, 0, BACK - 16);
	text->view = MDR_VIEW_PLAIN;
	text->bytes = fold.start;
	text->length = fold.out - fold.start;
	text->has_han = fold.nospace;
	text->given = given;
	text->given_length = length;
	text->map = fold.map;
	text->views = mdr_text_signs(text);
	return mdr_words_prepare(arena, text) ? MDR_OK : MDR_NO_MEMORY;
}

size_t
mdr_text_cut(const char *given, size_t length, size_t most)
{
	size_t		between = most;

	if (length <= most)
		return length;
	for (size_t at = most; at > most / 2; at--)
	{
		uint8_t		c = given[at];

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xE5 && c <= 0xE8))
			return at;
	}
	while (between > most - 3 && between > 1 && ((uint8_t) given[between] & 0xC0) == 0x80)
		between--;
	return between;
}

const char *
mdr_text_fold_code_point(uint32_t code_point, uint32_t *length)
{
	static char same[4];
	uint32_t	entry;
	uint32_t	flags;

	if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF))
		code_point = 0xFFFD;
	entry = entry_of(code_point);
	if (entry >= MDR_CLASSES)
		return replacement_of(entry, length, &flags);
	*length = mdr_utf8_put(same, code_point);
	return same;
}

uint32_t
mdr_text_fold_version(void)
{
	return FOLD_TABLE_HASH + RULES_VERSION * 2654435761u;
}
