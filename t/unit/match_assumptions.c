/*
 * match_assumptions.c
 *		What the engine takes for granted of the text stage and of PCRE2, over all of Unicode.
 */
#include "match_tap.h"

#include "match/match_pcre.h"

static int
encode(uint32_t c, char *to)
{
	if (c < 0x80)
		return to[0] = (char) c, 1;
	if (c < 0x800)
		return to[0] = (char) (0xC0 | c >> 6), to[1] = (char) (0x80 | (c & 0x3F)), 2;
	if (c < 0x10000)
		return to[0] = (char) (0xE0 | c >> 12), to[1] = (char) (0x80 | (c >> 6 & 0x3F)), to[2] = (char) (0x80 | (c & 0x3F)), 3;
	return to[0] = (char) (0xF0 | c >> 18), to[1] = (char) (0x80 | (c >> 12 & 0x3F)), to[2] = (char) (0x80 | (c >> 6 & 0x3F)),
		to[3] = (char) (0x80 | (c & 0x3F)), 4;
}

int
main(void)
{
	MdrPcre		pcre;
	int			number;
	PCRE2_SIZE	offset;
	pcre2_code *space;
	unsigned	spaces = 0,
				other = 0,
				capitals = 0,
				boundaries = 0,
				invalid = 0;
	MdrArena   *arena = mdr_arena_create(0);

	mdr_pcre_open(&pcre);
	space = mdr_pcre_compile(&pcre, "\\s", &number, &offset);
	for (uint32_t c = 1; c < 0x110000; c++)
	{
		char		bytes[4];
		uint32_t	length;
		const char *folded;
		int			n;

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		n = encode(c, bytes);
		folded = mdr_text_fold_code_point(c, &length);
		for (uint32_t i = 0; i < length; i++)
			capitals += folded[i] >= 'A' && folded[i] <= 'Z';
		if (pcre2_match(space, (PCRE2_SPTR) bytes, n, 0, 0, pcre.data, pcre.match) > 0)
		{
			spaces++;
			other += !(length == 0 || (length == 1 && folded[0] == ' '));
		}
		else
			for (uint32_t i = 0; i < length; i++)
				other += folded[i] >= '\t' && folded[i] <= '\r';
	}
	ok(spaces > 20 && other == 0, "all white space of PCRE2 (%u characters) folds to a space or to nothing", spaces);
	ok(capitals == 0, "nothing folds to a capital letter");

	/* Literals that begin with a word are not looked for between two letters or digits. */
	for (const char *a = "abcmz059"; *a; a++)
		for (const char *b = "abcmz059"; *b; b++)
		{
			MdrText		text;
			char		pair[3] = {*a, *b, '\0'};

			mdr_text_fold(arena, pair, 2, &text);
			boundaries += mdr_text_boundary(&text, 1);
		}
	ok(boundaries == 0, "no word begins between two ASCII letters or digits in the plain view");

	/* PCRE2 is told not to check its subject, so it must be valid whatever was given, in every view. */
	srand(5);
	for (int i = 0; i < 3000; i++)
	{
		char		given[64];
		MdrText		plain,
					text;

		for (size_t j = 0; j < sizeof(given); j++)
			given[j] = (char) (rand() % 3 ? "a .1iKk\xe7\x82\xb8\xc3\xa9"[rand() % 12] : rand());
		mdr_arena_reset(arena);
		mdr_text_fold(arena, given, sizeof(given), &plain);
		for (int view = 0; view < MDR_NVIEWS; view++)
		{
			text = plain;
			if (view > 0)
				mdr_text_view(arena, &plain, view, &text);
			invalid += pcre2_match(space, (PCRE2_SPTR) text.bytes, text.length, 0, 0, pcre.data, pcre.match) < PCRE2_ERROR_NOMATCH;
		}
	}
	ok(invalid == 0, "every view of any bytes is valid UTF-8");
	pcre2_code_free(space);
	mdr_pcre_close(&pcre);
	mdr_arena_destroy(arena);
	return done();
}
