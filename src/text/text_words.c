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
 * answer is that the words are whole: the match stands.
 */
#include <unicode/ubrk.h>
#include <unicode/utf16.h>

#include "text/text_parts.h"

#define AROUND		32			/* characters on either side that the segmentation gets to see */
#define LONGEST		128			/* characters in a span that is worth asking about */

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

/* Where the text around a span begins and ends that the segmentation needs to see. */
static void
find_window(const MdrText *text, const char **from, const char **to)
{
	const char *end = text->bytes + text->length;

	if (is_without_spaces(class_at(*from)))
	{
		for (int i = 0; i < AROUND && *from > text->bytes; i++)
		{
			const char *before = mdr_utf8_before(*from);

			if (!is_without_spaces(class_at(before)))
				break;
			*from = before;
		}
	}
	if (is_without_spaces(class_at(mdr_utf8_before(*to))))
	{
		for (int i = 0; i < AROUND && *to < end; i++)
		{
			uint32_t	c;
			uint32_t	length = mdr_utf8_read(*to, &c);

			if (!is_without_spaces(mdr_text_class(c)))
				break;
			*to += length;
		}
	}
}

bool
mdr_text_whole_words(const MdrText *text, uint32_t start, uint32_t end)
{
	UChar		units[(AROUND + LONGEST + AROUND) * 2];
	int32_t		length = 0;
	int32_t		span_start = 0;
	int32_t		span_end = 0;
	const char *from = text->bytes + start;
	const char *to = text->bytes + end;
	UErrorCode	status = U_ZERO_ERROR;
	int32_t		inner;

	if (!text->has_han || end <= start || end - start > LONGEST)
		return true;
	find_window(text, &from, &to);
	if (from == text->bytes + start && to == text->bytes + end)
		return true;			/* nothing on either side that a word could reach into */
	while (from < to)
	{
		uint32_t	c;
		uint32_t	n = mdr_utf8_read(from, &c);

		if (from == text->bytes + start)
			span_start = length;
		/* The dictionaries have Thai and Lao "am" in one piece, which the fold takes apart. */
		if (length > 0 && from != text->bytes + start && from != text->bytes + end &&
			((c == 0x0E32 && units[length - 1] == 0x0E4D) || (c == 0x0EB2 && units[length - 1] == 0x0ECD)))
			units[length - 1] = c + 1;
		else
			U16_APPEND_UNSAFE(units, length, c);
		from += n;
		if (from == text->bytes + end)
			span_end = length;
	}
	if (words == NULL)
	{
		words = ubrk_open(UBRK_WORD, "zh", NULL, 0, &status);
		if (U_FAILURE(status))
		{
			words = NULL;
			return true;
		}
	}
	ubrk_setText(words, units, length, &status);
	if (U_FAILURE(status))
		return true;
	inner = ubrk_following(words, span_start);
	if (inner == UBRK_DONE || inner >= span_end)
		return true;
	return ubrk_isBoundary(words, span_start) && ubrk_isBoundary(words, span_end);
}

void
mdr_text_release(void)
{
	if (words != NULL)
		ubrk_close(words);
	words = NULL;
}
