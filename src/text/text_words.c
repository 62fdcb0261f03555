/*
 * text_words.c
 *		Where words begin and end, by script.
 *
 * mdr_text_boundary() looks at the classes of the two characters beside a position and nothing else: apostrophes,
 * hyphens and underscores part words, digits and letters of one alphabet do not.  mdr_text_whole_words() asks ICU's
 * dictionaries about scripts that write words without spaces: one iterator serves them all, since ICU chooses the
 * dictionary by script.
 *
 * Locks: none; one thread.  Memory: the ICU iterator is kept until mdr_text_release().  Errors: when ICU fails, the
 * or its memory runs out, the answer is that the words are whole: the match stands.
 */
#include <unicode/ubrk.h>
#include <unicode/utf16.h>

#include "text/text_parts.h"

#define BLOCK		192			/* bytes whose words are parted at once */
#define AROUND		32			/* characters on either side of those that the segmentation gets to see */
#define MOST		(BLOCK / 3 + 2 + 2 * AROUND)	/* characters seen; none without spaces is shorter than three bytes */
#define LONGEST		128			/* bytes in a span that is worth asking about */

/* What is known of the words of a text. */
struct MdrWords
{
	uint64_t   *known;			/* bit per byte: ICU was asked about what is before it */
	uint64_t   *edges;			/* bit per byte: a word begins with it */
	bool		failed;
	uint64_t	bits[];
};

static UBreakIterator *words = NULL;

/* The class of the character at bytes, or of the terminating zero. */
static MdrClass
class_at(const char *bytes)
{
	uint32_t	c;

	(void) mdr_utf8_read(bytes, &c);
	return mdr_text_class(c);
}

/* Letters and digits that make up words which stand apart. */
static bool
is_alphabetic(MdrClass class)
{
	return class == MDR_CLASS_LETTER || class == MDR_CLASS_DIGIT || class == MDR_CLASS_JAMO_V ||
		class == MDR_CLASS_JAMO_T ||
		class == MDR_CLASS_LETTER_ORDERED;
}

/* Where the character behind the one at bytes begins. */
static const char *
after(const char *bytes)
{
	uint32_t	c;

	return bytes + mdr_utf8_read(bytes, &c);
}

static bool
is_without_spaces(MdrClass class)
{
	return class == MDR_CLASS_HAN || class == MDR_CLASS_NOSPACE || class == MDR_CLASS_NOSPACE_MARK ||
		class == MDR_CLASS_VOICED ||
		class == MDR_CLASS_NOSPACE_ORDERED;
}

bool
mdr_text_boundary(const MdrText *text, uint32_t position)
{
	const char *at = text->bytes + position;
	MdrClass	right;

	if (position == 0 || position >= text->length)
		return true;
	if (text->map != NULL && text->map->breaks != NULL &&
		(text->map->breaks[position / 64] >> (position % 64) & 1))
		return true;
	right = class_at(at);
	if (right == MDR_CLASS_NOSPACE_MARK || right == MDR_CLASS_NOSPACE_ORDERED || right == MDR_CLASS_VOICED)
		return !is_without_spaces(class_at(mdr_utf8_before(at)));
	return !is_alphabetic(right) || !is_alphabetic(class_at(mdr_utf8_before(at)));
}

bool
mdr_words_prepare(MdrArena *arena, MdrText *text)
{
	size_t		n = text->length / 64 + 1;
	MdrWords   *parted;

	text->words = NULL;
	if (!text->has_han)
		return true;
	parted = mdr_alloc(arena, sizeof(MdrWords) + 2 * n * sizeof(uint64_t));
	if (parted == NULL)
		return false;
	parted->known = parted->bits;
	parted->edges = parted->bits + n;
	text->words = parted;
	return true;
}

static bool
open_iterator(void)
{
	UErrorCode	status = U_ZERO_ERROR;

	if (words == NULL)
	{
		words = ubrk_open(UBRK_WORD, "zh", NULL, 0, &status);
		if (U_FAILURE(status))
			words = NULL;
	}
	return words != NULL;
}

/* Has ICU part the words of what is between from and to, and keeps what it says of positions from first to last. */
static bool
part(const MdrText *text, const char *from, const char *to, uint32_t first, uint32_t last)
{
	UChar		units[MOST * 2];
	uint32_t	positions[MOST * 2];
	int32_t		length = 0;
	UErrorCode	status = U_ZERO_ERROR;

	while (from < to)
	{
		uint32_t	c;
		uint32_t	n = mdr_utf8_read(from, &c);

		/* The dictionaries have Thai and Lao "am" in one piece, which the fold takes apart. */
		if (length > 0 &&
			((c == 0x0E32 && units[length - 1] == 0x0E4D) || (c == 0x0EB2 && units[length - 1] == 0x0ECD)))
			units[length - 1] = c + 1;
		else
		{
			positions[length] = from - text->bytes;
			if (c > 0xFFFF)
				positions[length + 1] = from - text->bytes;
			U16_APPEND_UNSAFE(units, length, c);
		}
		from += n;
	}
	if (!mdr_icu_ready() || !open_iterator())
		return false;
	ubrk_setText(words, units, length, &status);
	if (U_FAILURE(status))
		return false;
	for (int32_t at = ubrk_next(words); at != UBRK_DONE && at < length; at = ubrk_next(words))
	{
		if (positions[at] >= first && positions[at] < last)
			mdr_set_bit(text->words->edges, positions[at]);
	}
	if (!mdr_icu_starved())
		return true;
	mdr_text_release();
	return false;
}

/*
 * Parts the words around position, where characters without spaces meet: those of the run of such characters, as far
 * as it lies in the same block; around that, the segmentation gets to see some more of the run.  Blocks keep the cost
 * of many matches in a long run in proportion to its length, and a short run is parted alike wherever it stands.
 */
static bool
part_around(const MdrText *text, uint32_t position)
{
	const char *low = text->bytes + position / BLOCK * BLOCK;
	const char *high = low + BLOCK;
	const char *end = text->bytes + text->length;
	const char *first = text->bytes + position;
	const char *last = first;
	const char *from;
	const char *to;

	while (first > low && is_without_spaces(class_at(mdr_utf8_before(first))))
		first = mdr_utf8_before(first);
	from = first;
	for (int i = 0; i < AROUND && from > text->bytes && is_without_spaces(class_at(mdr_utf8_before(from))); i++)
		from = mdr_utf8_before(from);
	while (last < end && last < high && is_without_spaces(class_at(last)))
		last = after(last);
	to = last;
	for (int i = 0; i < AROUND && to < end && is_without_spaces(class_at(to)); i++)
		to = after(to);
	if (first < low)
		first = low;
	if (last > high)
		last = high;
	for (const char *at = first; at < last; at++)
		mdr_set_bit(text->words->known, at - text->bytes);
	return part(text, from, to, first - text->bytes, last - text->bytes);
}

static inline bool
get_bit(const uint64_t *bits, uint32_t position)
{
	return bits[position / 64] >> (position % 64) & 1;
}

/* Whether a word may begin or end at the position, between characters without spaces as ICU's dictionaries say. */
static bool
is_edge(const MdrText *text, uint32_t position)
{
	const char *at = text->bytes + position;

	if (position < text->length && ((uint8_t) *at & 0xC0) == 0x80)
		return false;			/* within a character */
	if (position == 0 || position >= text->length || !is_without_spaces(class_at(at)) ||
		!is_without_spaces(class_at(mdr_utf8_before(at))))
		return true;
	if (!get_bit(text->words->known, position) && !part_around(text, position))
		text->words->failed = true;
	return get_bit(text->words->edges, position);
}

bool
mdr_text_whole_words(const MdrText *text, uint32_t start, uint32_t end)
{
	bool		inside = false;

	if (text->words == NULL || end <= start || end - start > LONGEST)
		return true;
	if (is_edge(text, start) && is_edge(text, end))
		return true;
	for (uint32_t at = start + 1; at < end && !inside; at++)
		inside = is_edge(text, at);
	return !inside || text->words->failed;
}

void
mdr_text_release(void)
{
	if (words != NULL)
		ubrk_close(words);
	words = NULL;
}
