/*
 * text_view.c
 *		Views of a plain text, the terms to look for in them, and what they changed; and the view of stretched letters.
 *
 * Input: a plain text and which view; output: an MdrText whose map leads back through the plain text's.  The views of
 * digits for letters and of spread letters have files of their own.
 *
 * Locks: none.  Memory: the caller's arena.  Errors: MDR_NO_MEMORY.
 */
#include <string.h>

#include "text/text_parts.h"

/* Whether the character can be stretched: a letter of an alphabet, but for Hangul consonants, with which people laugh. */
static bool
is_stretched(const MdrText *plain, uint32_t position, uint32_t *size)
{
	uint32_t	c;

	*size = mdr_utf8_read(plain->bytes + position, &c);
	return mdr_text_class(c) == MDR_CLASS_LETTER && (c < 0x1100 || c > 0x11FF);
}

/* How often the character at position, size bytes long, stands there in a row. */
static uint32_t
repeats(const MdrText *plain, uint32_t position, uint32_t size)
{
	uint32_t	n = 1;

	while (plain->length - position >= (n + 1) * size &&
		   memcmp(plain->bytes + position, plain->bytes + position + n * size, size) == 0)
		n++;
	return n;
}

bool
mdr_squeezed_sign(const MdrText *plain, uint32_t position)
{
	const char *bytes = plain->bytes;
	uint32_t	size;
	uint32_t	n;

	if (!is_stretched(plain, position, &size) || (n = repeats(plain, position, size)) < 3)
		return false;
	if (n > 3 || size > 1)
		return true;
	if (bytes[position] == 'w' && position + 3 < plain->length && bytes[position + 3] == '.')
		return false;			/* www. */
	if (bytes[position] == 'i')
	{
		/* A Roman number: i, v and x on the left, and nothing on the right. */
		uint32_t	start = position;

		while (start > 0 && (bytes[start - 1] == 'v' || bytes[start - 1] == 'x'))
			start--;
		if (position - start <= 4 && mdr_text_boundary(plain, start) && mdr_text_boundary(plain, position + 3))
			return false;
	}
	return true;
}

bool
mdr_squeezed_make(MdrViewMaker *maker)
{
	const MdrText *plain = maker->plain;

	for (uint32_t at = 0; at < plain->length;)
	{
		uint32_t	size;
		uint32_t	n;

		if ((signed char) plain->bytes[at] >= 0 && plain->bytes[at] != plain->bytes[at + 1])
		{
			maker->bytes[maker->length++] = plain->bytes[at++];
			continue;
		}
		n = is_stretched(plain, at, &size) ? repeats(plain, at, size) : 1;
		if (n >= 3)
			mdr_set_bit(maker->changed, maker->length);
		memcpy(maker->bytes + maker->length, plain->bytes + at, size);
		if (n > 1 && !mdr_map_add(maker->arena, &maker->map, maker->length, at, size, n * size))
			return false;
		maker->length += size;
		at += n * size;
	}
	return true;
}

MdrStatus
mdr_text_view(MdrArena *arena, const MdrText *plain, MdrView view, MdrText *text)
{
	MdrViewMaker maker = {.arena = arena, .plain = plain};
	size_t		words = plain->length / 64 + 1;
	bool		made = true;

	*text = *plain;
	if (view == MDR_VIEW_PLAIN)
		return MDR_OK;
	maker.bytes = mdr_alloc(arena, (size_t) plain->length + 16);
	maker.changed = mdr_alloc_array(arena, words, sizeof(uint64_t));
	maker.map = mdr_alloc(arena, sizeof(MdrOffsetMap));
	if (maker.bytes == NULL || maker.changed == NULL || maker.map == NULL)
		return MDR_NO_MEMORY;
	maker.map->inner = plain->map;
	switch (view)
	{
		case MDR_VIEW_LEET:
			made = mdr_leet_make(&maker);
			break;
		case MDR_VIEW_JOINED:
			maker.breaks = mdr_alloc_array(arena, words, sizeof(uint64_t));
			made = maker.breaks != NULL && mdr_joined_make(&maker);
			maker.map->breaks = maker.breaks;
			break;
		case MDR_VIEW_SQUEEZED:
			made = mdr_squeezed_make(&maker);
			break;
		case MDR_VIEW_PLAIN:
			break;
	}
	if (!made)
		return MDR_NO_MEMORY;
	maker.bytes[maker.length] = '\0';
	text->view = view;
	text->bytes = maker.bytes;
	text->length = maker.length;
	text->views = 0;
	text->map = maker.map;
	text->changed = maker.changed;
	return mdr_words_prepare(arena, text) ? MDR_OK : MDR_NO_MEMORY;
}

/* Takes out of a term for the joined view what parts its words: spaces, and marks such as hyphens. */
static void
join_term(char *bytes, uint32_t *length)
{
	uint32_t	kept = 0;

	for (uint32_t i = 0; i < *length;)
	{
		uint32_t	c;
		uint32_t	size = mdr_utf8_read(bytes + i, &c);
		MdrClass	class = mdr_text_class(c);

		if (class != MDR_CLASS_SPACE && class != MDR_CLASS_SYMBOL)
		{
			memmove(bytes + kept, bytes + i, size);
			kept += size;
		}
		i += size;
	}
	bytes[kept] = '\0';
	*length = kept;
}

MdrStatus
mdr_text_view_term(MdrArena *arena, MdrView view, const char *term, size_t length, char **out, uint32_t *out_length)
{
	MdrText		text;
	MdrStatus	status = mdr_text_fold(arena, term, length, &text);

	if (status == MDR_OK && (view == MDR_VIEW_LEET || view == MDR_VIEW_SQUEEZED))
	{
		MdrText		plain = text;

		status = mdr_text_view(arena, &plain, view, &text);
	}
	if (status != MDR_OK)
		return status;
	while (text.length > 0 && text.bytes[text.length - 1] == ' ')
		text.bytes[--text.length] = '\0';
	if (text.length > 0 && text.bytes[0] == ' ')
	{
		text.bytes++;
		text.length--;
	}
	if (view == MDR_VIEW_JOINED)
		join_term(text.bytes, &text.length);
	*out = text.bytes;
	*out_length = text.length;
	return MDR_OK;
}

bool
mdr_text_changed(const MdrText *text, uint32_t start, uint32_t end)
{
	if (text->changed == NULL)
		return true;
	if (text->view == MDR_VIEW_JOINED)
		start++;				/* what was closed before the first byte is not within the span */
	for (uint32_t i = start; i < end; i++)
	{
		if (text->changed[i / 64] == 0)
			i |= 63;
		else if (text->changed[i / 64] >> (i % 64) & 1)
			return true;
	}
	return false;
}
