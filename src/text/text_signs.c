/*
 * text_signs.c
 *		Whether a plain text shows signs of the disguises that the other views undo.
 *
 * Input: a plain text; output: a bit for each view worth making.  Vector masks find the few places that could be signs; the
 * view's own rules then look at each, so that the answer is the same with and without vector instructions.
 *
 * Locks and memory: none.  Errors: none.
 */
#include "text/text_parts.h"

static bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
shows_leet(const MdrText *plain)
{
	uint32_t	start;
	uint32_t	end = 0;

	for (uint32_t i = 0; i < plain->length; i++)
	{
		if (i >= end && is_letter(plain->bytes[i]) && mdr_leet_token(plain, i, &start, &end))
			return true;
	}
	return false;
}

static bool
shows_joined(const MdrText *plain)
{
	MdrJoinedRun run = {0};

	for (uint32_t i = 0; i < plain->length;)
	{
		uint32_t	c;
		uint32_t	size = mdr_utf8_read(plain->bytes + i, &c);
		MdrClass	class = mdr_text_class(c);

		if (class == MDR_CLASS_HAN && mdr_joined_han_gap(plain, i + size) > 0)
			return true;
		if (class == MDR_CLASS_LETTER && i >= run.end && mdr_joined_run(plain, i, &run))
			return true;
		i += size;
	}
	return false;
}

static bool
shows_squeezed(const MdrText *plain)
{
	for (uint32_t i = 0; i < plain->length;)
	{
		uint32_t	c;

		if (mdr_squeezed_sign(plain, i))
			return true;
		i += mdr_utf8_read(plain->bytes + i, &c);
	}
	return false;
}

uint32_t
mdr_text_signs(const MdrText *plain)
{
	uint32_t	views = 0;

	if (shows_leet(plain))
		views |= 1 << MDR_VIEW_LEET;
	if (shows_joined(plain))
		views |= 1 << MDR_VIEW_JOINED;
	if (shows_squeezed(plain))
		views |= 1 << MDR_VIEW_SQUEEZED;
	return views;
}
