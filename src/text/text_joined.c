/*
 * text_joined.c
 *		The view in which letters spread by spaces or punctuation stand together:  b o m b, b.o.m.b, 炸*弹.
 *
 * A run is three or more single letters with gaps of up to three characters between them.  The gap that is most
 * frequent spreads the letters of a word; a wider one, or one with a space where that has none, separates words.
 * Between two Han or Kana characters, any such gap is closed that does not end a clause or a line; a new line only
 * beside a character that has its line to itself.
 *
 * The view has no spaces at all, so that a term is found in it however its words were parted.  Where one was taken
 * out that was not within a spread word, the map's breaks have a bit, and there a word may begin or end.  "Changed"
 * is the first byte behind a closed gap, and mdr_text_changed() asks about the bytes after the first of a match: the
 * gap must be inside.
 *
 * Input: a plain text; output: as text_parts.h says.  Locks: none.  Memory: the caller's arena.  Errors: false when
 * out of memory.
 */
#include <string.h>

#include "text/text_parts.h"

#define WIDEST_GAP	3			/* characters */
#define KINDS		6			/* kinds of gap that are counted in one run; others count as none */

static bool
is_word_class(MdrClass class)
{
	return class == MDR_CLASS_LETTER || class == MDR_CLASS_DIGIT || class == MDR_CLASS_LETTER_ORDERED ||
		class == MDR_CLASS_JAMO_V || class == MDR_CLASS_JAMO_T;
}

/* The class of the character at position, and its length; MDR_CLASS_OTHER and 0 at the end. */
static MdrClass
class_at(const MdrText *plain, uint32_t position, uint32_t *size)
{
	uint32_t	c;

	*size = 0;
	if (position >= plain->length)
		return MDR_CLASS_OTHER;
	*size = mdr_utf8_read(plain->bytes + position, &c);
	return mdr_text_class(c);
}

static MdrClass
class_before(const MdrText *plain, uint32_t position, uint32_t *start)
{
	uint32_t	size;

	*start = position;
	if (position == 0)
		return MDR_CLASS_OTHER;
	*start = mdr_utf8_before(plain->bytes + position) - plain->bytes;
	return class_at(plain, *start, &size);
}

/* Length of the letter at position if it stands alone, else 0.  The end of don't and it's does not stand alone. */
static uint32_t
single_letter(const MdrText *plain, uint32_t position)
{
	uint32_t	size;
	uint32_t	next;
	uint32_t	before;

	if (class_at(plain, position, &size) != MDR_CLASS_LETTER || is_word_class(class_at(plain, position + size, &next)) ||
		is_word_class(class_before(plain, position, &before)))
		return 0;
	if (position >= 3 && plain->bytes[position - 1] == '\'' &&
		is_word_class(class_before(plain, position - 1, &before)) &&
		is_word_class(class_before(plain, before, &next)))
		return 0;
	return size;
}

typedef struct Gap
{
	uint32_t	start;
	uint32_t	length;			/* bytes; 0 when there is no gap */
	uint32_t	width;			/* characters, one more when white space as given was wider than one */
	bool		spaced;			/* has a space */
	bool		mixed;			/* has a space and something else */
} Gap;

/* Whether the space at position was more than one character of white space. */
static bool
is_wide_space(const MdrText *plain, uint32_t position)
{
	uint32_t	from;
	uint32_t	to;
	uint32_t	end;
	uint32_t	c;
	uint32_t	size;

	if (plain->map == NULL)
		return false;
	mdr_map_span(plain->map, position, position, &from, &end);
	mdr_map_span(plain->map, position + 1, position + 1, &to, &end);
	size = mdr_utf8_next(plain->given + from, plain->given + plain->given_length, &c);
	return to - from > size;
}

/* The gap at position, before a single letter. */
static Gap
gap_at(const MdrText *plain, uint32_t position)
{
	Gap			gap = {.start = position};
	uint32_t	at = position;
	uint32_t	size;
	uint32_t	others = 0;
	uint32_t	sentence = 0;

	while (gap.width < WIDEST_GAP)
	{
		MdrClass	class = class_at(plain, at, &size);

		if (class != MDR_CLASS_SPACE && class != MDR_CLASS_SYMBOL && class != MDR_CLASS_BRACKET &&
			class != MDR_CLASS_SENTENCE)
			break;
		if (class == MDR_CLASS_SPACE)
			gap.spaced = true;
		else
			others++;
		sentence += class == MDR_CLASS_SENTENCE;
		gap.width++;
		at += size;
	}
	/* What ends a clause is a gap only alone. */
	if (gap.width > 0 && (sentence == 0 || gap.width == 1) && single_letter(plain, at) > 0)
		gap.length = at - position;
	gap.mixed = gap.spaced && others > 0;
	if (gap.spaced && gap.length > 0)
	{
		for (uint32_t i = position; i < at; i++)
		{
			if (plain->bytes[i] == ' ' && is_wide_space(plain, i))
				gap.width++;
		}
	}
	return gap;
}

typedef struct Kind
{
	Gap			gap;
	uint32_t	count;
} Kind;

static void
count_gap(const MdrText *plain, Kind *kinds, uint32_t *nkinds, const Gap *gap)
{
	for (uint32_t i = 0; i < *nkinds; i++)
	{
		if (kinds[i].gap.width == gap->width && kinds[i].gap.length == gap->length &&
			memcmp(plain->bytes + kinds[i].gap.start, plain->bytes + gap->start, gap->length) == 0)
		{
			kinds[i].count++;
			return;
		}
	}
	if (*nkinds < KINDS)
		kinds[(*nkinds)++] = (Kind) {*gap, 1};
}

static bool
parts_words(const MdrJoinedRun *run, const Gap *gap)
{
	return gap->width > run->width || (gap->spaced && !run->spaced);
}

bool
mdr_joined_run(const MdrText *plain, uint32_t position, MdrJoinedRun *run)
{
	Kind		kinds[KINDS];
	uint32_t	nkinds = 0;
	uint32_t	letters = 1;
	uint32_t	together = 1;
	const Kind *best = kinds;
	uint32_t	at = position + single_letter(plain, position);
	Gap			gap;

	run->end = at;
	if (at == position)
		return false;
	while ((gap = gap_at(plain, at)).length > 0)
	{
		count_gap(plain, kinds, &nkinds, &gap);
		at += gap.length;
		at += single_letter(plain, at);
		letters++;
	}
	run->end = at;
	if (letters < 3)
		return false;
	for (const Kind *kind = kinds + 1; kind < kinds + nkinds; kind++)
	{
		if (kind->count > best->count ||
			(kind->count == best->count &&
			 (kind->gap.width < best->gap.width || (!kind->gap.spaced && best->gap.spaced))))
			best = kind;
	}
	run->width = best->gap.width;
	run->spaced = best->gap.spaced;
	run->sign = best->gap.length == 1 && !best->gap.spaced ? plain->bytes[best->gap.start] : 0;
	if (best->count == 1 && (best->gap.mixed || letters < 4))
		return false;			/* x = y + z, a?b=c */

	/* Three letters must belong to one word. */
	for (at = position + single_letter(plain, position); together < 3 && (gap = gap_at(plain, at)).length > 0;)
	{
		together = parts_words(run, &gap) ? 1 : together + 1;
		at += gap.length;
		at += single_letter(plain, at);
	}
	return together >= 3;
}

/* Whether the gap, as given, is one of those that part lines or clauses: a new line, a dash of two, a wide full stop. */
static bool
is_given_as_break(const MdrText *plain, uint32_t from, uint32_t to, bool *new_line)
{
	const char *given = plain->given;
	uint32_t	given_from;
	uint32_t	given_to;
	uint32_t	end;
	uint32_t	dashes = 0;
	bool		stop = false;

	mdr_map_span(plain->map, from, from, &given_from, &end);
	mdr_map_span(plain->map, to, to, &given_to, &end);
	*new_line = memchr(given + given_from, '\n', given_to - given_from) != NULL;
	for (uint32_t i = given_from; i + 3 <= given_to; i++)
	{
		dashes += memcmp(given + i, "\xE2\x80\x94", 3) == 0;
		stop = stop || memcmp(given + i, "\xEF\xBC\x8E", 3) == 0;
	}
	return *new_line || dashes > 1 || stop;
}

uint32_t
mdr_joined_han_gap(const MdrText *plain, uint32_t position)
{
	uint32_t	at = position;
	uint32_t	size;
	uint32_t	before;
	uint32_t	marks = 0;
	bool		new_line;
	MdrClass	class = class_at(plain, at, &size);

	for (int i = 0; i < WIDEST_GAP && (class == MDR_CLASS_SPACE || class == MDR_CLASS_SYMBOL); i++)
	{
		marks += class == MDR_CLASS_SYMBOL;
		at += size;
		class = class_at(plain, at, &size);
	}
	if (at == position || class != MDR_CLASS_HAN)
		return 0;
	if (!is_given_as_break(plain, position, at, &new_line))
		return at - position;
	/* Lines of prose and lists are not joined, but characters one below the other are. */
	if (!new_line || marks > 0)
		return 0;
	(void) class_before(plain, position, &before);
	if (class_before(plain, before, &size) != MDR_CLASS_HAN)
		return at - position;
	(void) class_at(plain, at, &size);
	return class_at(plain, at + size, &size) != MDR_CLASS_HAN ? at - position : 0;
}

static void
copy(MdrViewMaker *maker, uint32_t from, uint32_t size)
{
	memcpy(maker->bytes + maker->length, maker->plain->bytes + from, size);
	maker->length += size;
}

/* Leaves out what is between from and to; the next character is marked. */
static bool
leave_out(MdrViewMaker *maker, uint32_t from, uint32_t to, uint64_t *bits)
{
	mdr_set_bit(bits, maker->length);
	return mdr_map_add(maker->arena, &maker->map, maker->length, from, 0, to - from);
}

/* Whether the sign at position stands before a word that is spread with it:  *w*o*r*d* */
static bool
is_before_run(const MdrText *plain, uint32_t position)
{
	char		sign = plain->bytes[position];
	MdrJoinedRun run;

	/* Three of the sign, two letters apart, before all else is looked at. */
	return sign > 0 && sign != '.' && plain->length - position > 4 && plain->bytes[position + 2] == sign &&
		plain->bytes[position + 4] == sign && mdr_joined_run(plain, position + 1, &run) && run.sign == sign;
}

/* How many ASCII letters and digits there are at position. */
static uint32_t
word_length(const MdrText *plain, uint32_t position)
{
	const char *bytes = plain->bytes + position;
	uint32_t	n = 0;

	while ((bytes[n] >= 'a' && bytes[n] <= 'z') || (bytes[n] >= '0' && bytes[n] <= '9'))
		n++;
	return n;
}

bool
mdr_joined_make(MdrViewMaker *maker)
{
	const MdrText *plain = maker->plain;
	uint32_t	looked = 0;		/* up to here, single letters have been looked at */
	uint32_t	at = 0;

	while (at < plain->length)
	{
		uint32_t	size;
		uint32_t	gap;
		MdrClass	class;
		MdrJoinedRun run;

		size = word_length(plain, at);
		if (size > 1)
		{
			copy(maker, at, size);
			at += size;
			continue;
		}
		class = class_at(plain, at, &size);
		if (class == MDR_CLASS_SPACE || (class == MDR_CLASS_SYMBOL && at >= looked && is_before_run(plain, at)))
		{
			if (!leave_out(maker, at, at + 1, maker->breaks))
				return false;
		}
		else
			copy(maker, at, size);
		if (class == MDR_CLASS_HAN && (gap = mdr_joined_han_gap(plain, at + size)) > 0)
		{
			if (!leave_out(maker, at + size, at + size + gap, maker->changed))
				return false;
			at += gap;
		}
		else if (class == MDR_CLASS_LETTER && at >= looked)
		{
			bool		spread = mdr_joined_run(plain, at, &run);

			looked = run.end;
			while (spread && at + size < run.end)
			{
				Gap			between = gap_at(plain, at + size);

				at += size + between.length;
				if (!leave_out(maker, at - between.length, at,
							   parts_words(&run, &between) ? maker->breaks : maker->changed))
					return false;
				size = single_letter(plain, at);
				copy(maker, at, size);
			}
			if (spread && run.sign > 0 && run.sign != '.' && at + size == run.end && plain->bytes[run.end] == run.sign)
			{
				if (!leave_out(maker, run.end, run.end + 1, maker->breaks))
					return false;
				at++;
			}
		}
		at += size;
	}
	return true;
}
