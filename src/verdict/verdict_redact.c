/*
 * verdict_redact.c
 *		Masks what a verdict says must not be shown.
 *
 * Input: the content and its verdict.  Output: the masked content in the caller's arena.  Locks: none.  On error:
 * MDR_NO_MEMORY, or MDR_UNKNOWN when the verdict does not know every span.
 */
#include "verdict/verdict.h"

#include <string.h>

#define MOST ((size_t) 1 << 30)	/* bytes: more than a value can have, which a long mask could come to many times over */

/* Whether a rule of the document has something to say of the category. */
static bool
rule_speaks(const MdrEngine *engine, const MdrVerdict *verdict, uint32_t category)
{
	for (uint32_t i = 0; i < verdict->nfindings; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(engine, verdict->findings[i].rule, &rule);
		if (rule.category == category && rule.speaker == MDR_SPEAKER_RULE && verdict->findings[i].score > 0)
			return true;
	}
	return false;
}

/* A model points at a few sentences: they are masked only where no rule says which words it is about. */
static bool
is_masked(const MdrEngine *engine, const MdrVerdict *verdict, const MdrFinding *finding)
{
	MdrEngineRule rule;

	mdr_engine_rule(engine, finding->rule, &rule);
	return finding->score > 0 && verdict->categories[rule.category].action >= MDR_REDACT
		&& (rule.speaker == MDR_SPEAKER_RULE || !rule_speaks(engine, verdict, rule.category));
}

/* One mask for each character that begins in [from, to); an invalid byte counts as a character. */
static size_t
count_characters(const char *content, size_t from, size_t to)
{
	size_t		count = 0;

	for (size_t i = from; i < to; i++)
		count += i == from || ((unsigned char) content[i] & 0xC0) != 0x80;
	return count;
}

/*
 * Walks over the masked stretches, which come in order of start and may overlap.  With out = NULL only measures; the length
 * either way.
 */
static size_t
walk(const MdrEngine *engine, const MdrVerdict *verdict, const char *content, size_t length, const char *mask, char *out)
{
	size_t		mask_length = strlen(mask);
	size_t		done = 0,
				written = 0;

	for (uint32_t i = 0; i <= verdict->nfindings; i++)
	{
		bool		at_end = i == verdict->nfindings;
		size_t		start = at_end ? length : verdict->findings[i].start;
		size_t		end = at_end ? length : verdict->findings[i].end;

		if (!at_end && (end <= done || !is_masked(engine, verdict, &verdict->findings[i])))
			continue;
		if (start > done)
		{
			if (out != NULL)
				memcpy(out + written, content + done, start - done);
			written += start - done;
			done = start;
		}
		for (size_t n = count_characters(content, done, end); n > 0; n--)
		{
			if (out != NULL)
				memcpy(out + written, mask, mask_length);
			written += mask_length;
		}
		done = end;
	}
	return written;
}

MdrStatus
mdr_redact(const MdrEngine *engine, MdrArena *arena, const MdrVerdict *verdict, const char *content, size_t length,
		   const char *mask, char **out, size_t *out_length)
{
	size_t		needed;

	*out = NULL;
	*out_length = 0;
	if (verdict->cut || verdict->status != MDR_OK)
		return MDR_UNKNOWN;
	needed = walk(engine, verdict, content, length, mask, NULL);
	*out_length = needed;
	if (needed < MOST)
		*out = mdr_alloc(arena, needed + 1);
	if (*out == NULL)
		return MDR_NO_MEMORY;
	*out_length = walk(engine, verdict, content, length, mask, *out);
	return MDR_OK;
}
