/*
 * text_words.c
 *		Tests of word boundaries by script, and of whole words where words have no spaces.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/text_parts.h"
#include "tap.h"

static MdrArena *arena;

static MdrText
fold(const char *given)
{
	MdrText		text;

	if (mdr_text_fold(arena, given, strlen(given), &text) != MDR_OK)
	{
		printf("Bail out! out of memory\n");
		exit(1);
	}
	return text;
}

/* Whether the term stands somewhere in the content as a word of its own. */
static bool
is_word(const char *content, const char *term)
{
	MdrText		text = fold(content);
	MdrText		word = fold(term);

	for (uint32_t at = 0; at + word.length <= text.length; at++)
	{
		if (memcmp(text.bytes + at, word.bytes, word.length) == 0 && mdr_text_boundary(&text, at) &&
			mdr_text_boundary(&text, at + word.length))
			return true;
	}
	return false;
}

/* Whether the first place where the term stands in the content is made of whole words. */
static bool
is_whole(const char *content, const char *term)
{
	MdrText		text = fold(content);
	MdrText		word = fold(term);
	const char *at = memmem(text.bytes, text.length, word.bytes, word.length);

	if (at == NULL)
	{
		printf("# %s is not in %s\n", term, content);
		return false;
	}
	return mdr_text_whole_words(&text, at - text.bytes, at - text.bytes + word.length);
}

typedef struct Case
{
	const char *content;
	const char *term;
	bool		answer;
} Case;

static const Case words[] = {
	{"Scunthorpe", "cunt", false},
	{"a class of its own", "ass", false},
	{"you ass!", "ass", true},
	{"(ass)", "ass", true},
	{"ass", "ass", true},
	{"\xC3\xA9" "ass", "ass", false},	/* after an accented letter */
	{"ass2", "ass", false},
	{"4ass", "ass", false},
	{"ass-hat", "ass", true},
	{"ass's", "ass", true},
	{"bad_ass_", "ass", true},
	{"@ass", "ass", true},
	{"\xD0\xB3\xD0\xB0\xD0\xB4\xD0\xB3", "\xD0\xB0\xD0\xB4", false},	/* within a Cyrillic word */
	{"\xD0\xB3 \xD0\xB0\xD0\xB4!", "\xD0\xB0\xD0\xB4", true},
	{"\xCE\xBB\xCF\x8C\xCE\xB3\xCE\xBF\xCF\x82", "\xCE\xB3\xCE\xBF", false},	/* Greek */
	{"\xE4\xBD\xA0" "ass\xE5\x95\x8A", "ass", true},	/* between Han */
	{"\xE4\xBD\xA0" "ass1\xE5\x95\x8A", "ass", false},
	{"\xE5\xA4\xA7\xE9\xBA\xBB\xE7\x83\xA6", "\xE5\xA4\xA7\xE9\xBA\xBB", true},	/* Han: always a candidate */
	{"abc\xE5\xA4\xA7\xE9\xBA\xBB" "2", "\xE5\xA4\xA7\xE9\xBA\xBB", true},
	{"\xE3\x82\xAB\xE3\x82\xBF\xE3\x82\xAB\xE3\x83\x8A", "\xE3\x82\xBF\xE3\x82\xAB", true},	/* Kana */
	{"\xE0\xB8\x81\xE0\xB8\xB2", "\xE0\xB8\x81", true},	/* Thai, before a vowel that stands alone */
	{"\xE0\xB8\x81\xE0\xB8\xB4\xE0\xB8\x99", "\xE0\xB8\x81", false},	/* and before one written above it */
	{"\xE0\xB8\x81\xE0\xB9\x88\xE0\xB8\x99", "\xE0\xB8\x81", false},	/* and before a tone mark */
	{"\xEA\xB0\x80\xEB\x82\x98\xEB\x8B\xA4", "\xEB\x82\x98", false},	/* Hangul has spaces */
	{"\xEA\xB0\x80 \xEB\x82\x98 \xEB\x8B\xA4", "\xEB\x82\x98", true},
	{"\xD9\x82\xD8\xAA\xD9\x84", "\xD8\xAA", false},	/* Arabic */
	{"\xE0\xA4\x95\xE0\xA4\xBF\xE0\xA4\xA4\xE0\xA4\xBE\xE0\xA4\xAC", "\xE0\xA4\x95", false},	/* Devanagari, before a vowel sign */
	{"ass\xF0\x9F\x98\x80", "ass", true},	/* before an emoji */
	{"x\xEF\xBF\xBD" "ass", "ass", true},
	{"x\x80" "ass", "ass", true},	/* behind a byte that is no UTF-8 */
};

static const Case wholes[] = {
	{"\xE4\xBB\x96\xE5\x90\xB8\xE9\xA3\x9F\xE5\xA4\xA7\xE9\xBA\xBB", "\xE5\xA4\xA7\xE9\xBA\xBB", true},	/* smokes cannabis */
	{"\xE5\xA4\xA7\xE9\xBA\xBB\xE7\x83\xA6", "\xE5\xA4\xA7\xE9\xBA\xBB", false},	/* big trouble */
	{"\xE9\x81\x87\xE5\x88\xB0\xE4\xBA\x86\xE5\xA4\xA7\xE9\xBA\xBB\xE7\x83\xA6", "\xE5\xA4\xA7\xE9\xBA\xBB", false},
	{"\xE9\x81\x87\xE5\x88\xB0\xE4\xBA\x86\xE5\xA4\xA7\xE9\xBA\xBB\xE7\x85\xA9", "\xE5\xA4\xA7\xE9\xBA\xBB", false},	/* traditional */
	{"\xE4\xB8\xAD\xE5\x9B\xBD\xE6\xB0\x91\xE6\xB3\x95", "\xE5\x9B\xBD\xE6\xB0\x91", false},	/* China's civil law; nationals */
	{"\xE6\x88\x90\xE4\xBA\xBA\xE6\xB0\x91\xE5\xB8\x81", "\xE6\x88\x90\xE4\xBA\xBA", false},	/* into renminbi; adult */
	{"\xE5\x88\xB6\xE9\x80\xA0\xE7\x82\xB8\xE5\xBC\xB9\xE7\x9A\x84\xE6\x96\xB9\xE6\xB3\x95", "\xE7\x82\xB8\xE5\xBC\xB9", true},	/* how to make a bomb */
	{"\xE5\x88\xB6\xE9\x80\xA0\xE7\x82\xB8\xE5\xBC\xB9\xE7\x9A\x84\xE6\x96\xB9\xE6\xB3\x95", "\xE5\x88\xB6\xE9\x80\xA0\xE7\x82\xB8\xE5\xBC\xB9", true},
	{"\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", true},
	{"abc\xE7\x82\xB8\xE5\xBC\xB9" "123", "\xE7\x82\xB8\xE5\xBC\xB9", true},	/* nothing beside it that a word could reach into */
	{"\xE4\xBA\xBA\xE6\xB0\x91\xE6\xB3\x95\xE9\x99\xA2", "\xE4\xBA\xBA\xE6\xB0\x91", true},	/* within one word: it stands */
	{"\xE5\xA4\xA7\xEF\xBC\x8C\xE9\xBA\xBB\xE7\x83\xA6", "\xE9\xBA\xBB", true},
	{"a scunthorpe of ass", "ass", true},	/* spaces: not asked */
	{"\xE5\xA4\xA7 ass", "ass", true},
	{"\xE0\xB8\x84\xE0\xB8\xB3\xE0\xB8\xA7\xE0\xB9\x88\xE0\xB8\xB2\xE0\xB8\xA2\xE0\xB8\xB2\xE0\xB9\x80\xE0\xB8\xAA\xE0\xB8\x9E\xE0\xB8\x95\xE0\xB8\xB4\xE0\xB8\x94",
	"\xE0\xB8\xA2\xE0\xB8\xB2\xE0\xB9\x80\xE0\xB8\xAA\xE0\xB8\x9E\xE0\xB8\x95\xE0\xB8\xB4\xE0\xB8\x94", true},	/* Thai: drugs */
};

/* Thai words with sara am, which is two characters to the fold and one to the dictionary. */
static void
wholes_in_thai(void)
{
	/* water | bottle | big */
	const char *content = "\xE0\xB8\x99\xE0\xB9\x89\xE0\xB8\xB3\xE0\xB8\x82\xE0\xB8\xA7\xE0\xB8\x94\xE0\xB9\x83\xE0\xB8\xAB\xE0\xB8\x8D\xE0\xB9\x88";

	ok(is_whole(content, "\xE0\xB8\x99\xE0\xB9\x89\xE0\xB8\xB3\xE0\xB8\x82\xE0\xB8\xA7\xE0\xB8\x94"),
	   "two Thai words are whole");
	ok(!is_whole(content, "\xE0\xB8\xB3\xE0\xB8\x82\xE0\xB8\xA7\xE0\xB8\x94"), "the end of one and another are not");
	ok(!is_whole(content, "\xE0\xB8\xB3\xE0\xB8\x82\xE0\xB8\xA7"), "nor are the end and the start of two");
}

/* In a view, the dictionary sees the view. */
static void
wholes_in_a_view(void)
{
	MdrText		plain = fold("\xE5\x90\xB8\xE9\xA3\x9F \xE5\xA4\xA7*\xE9\xBA\xBB");
	MdrText		text;

	ok(mdr_text_view(arena, &plain, MDR_VIEW_JOINED, &text) == MDR_OK && strlen(text.bytes) == 12 &&
	   mdr_text_whole_words(&text, 6, 12),
	   "a joined word is whole");
	plain = fold("\xE5\xA4\xA7 \xE9\xBA\xBB\xE7\x83\xA6");
	ok(mdr_text_view(arena, &plain, MDR_VIEW_JOINED, &text) == MDR_OK && !mdr_text_whole_words(&text, 0, 6),
	   "words that only touch are not");
}

/* Long surroundings are cut, and long spans are not asked about. */
static void
at_length(void)
{
	static char long_text[30001];
	MdrText		text;

	for (int i = 0; i < 30000; i += 3)
		memcpy(long_text + i, i % 2 == 0 ? "\xE5\xA4\xA7" : "\xE9\xBA\xBB", 3);
	text = fold(long_text);
	for (uint32_t at = 0; at < text.length; at += 300)
		(void) mdr_text_whole_words(&text, at, at + 6);
	ok(mdr_text_whole_words(&text, 0, text.length), "a span of thousands of characters stands");
	ok(mdr_text_whole_words(&text, 3, 3), "an empty span stands");
	(void) mdr_text_whole_words(&text, 1, 5);
	ok(mdr_text_boundary(&text, 0) && mdr_text_boundary(&text, text.length) &&
	   mdr_text_boundary(&text, text.length + 10), "the ends are boundaries");
}

/* However many matches ask, and whatever stands before. */
static void
many_ask(void)
{
	const uint32_t length = 1024 * 1024 / 3 * 3;
	const char *clause = "\xE9\x81\x87\xE5\x88\xB0\xE4\xBA\x86\xE5\xA4\xA7\xE9\xBA\xBB\xE7\x83\xA6";
	char	   *bytes = malloc(length + 1);
	bool		alike = true;
	double		seconds;
	clock_t		before;
	MdrText		text;

	for (uint32_t at = 0; at < length; at += 3)
		memcpy(bytes + at, clause + at % 18, 3);
	bytes[length] = '\0';
	text = fold(bytes);
	before = clock();
	for (uint32_t at = 3; at + 6 < text.length; at += 3)
		(void) mdr_text_whole_words(&text, at, at + 6);
	seconds = (double) (clock() - before) / CLOCKS_PER_SEC;
	printf("# %.2f s\n", seconds);
	ok(seconds < 1.5, "asking everywhere in 1 MB of Chinese takes no more than about a second");

	for (uint32_t shift = 0; shift < 600; shift++)
	{
		memset(bytes, '.', shift);
		strcpy(bytes + shift, clause);
		text = fold(bytes);
		alike = alike && mdr_text_whole_words(&text, shift, shift + 6) && !mdr_text_whole_words(&text, shift + 9, shift + 15) &&
			mdr_text_whole_words(&text, shift + 9, shift + 18);
	}
	ok(alike, "words are parted alike wherever they stand");
	free(bytes);
}

int
main(void)
{
	char		what[300];

	arena = mdr_arena_create(0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		snprintf(what, sizeof(what), "%s is %s word in %s", words[i].term, words[i].answer ? "a" : "no",
				 words[i].content);
		ok(is_word(words[i].content, words[i].term) == words[i].answer, what);
	}
	for (int round = 0; round < 2; round++)
	{
		for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++)
		{
			snprintf(what, sizeof(what), "%s is %s in %s", wholes[i].term, wholes[i].answer ? "whole" : "not whole",
					 wholes[i].content);
			ok(is_whole(wholes[i].content, wholes[i].term) == wholes[i].answer, what);
		}
		mdr_text_release();		/* and again with a new iterator */
	}
	mdr_text_release();
	wholes_in_thai();
	wholes_in_a_view();
	many_ask();
	at_length();
	mdr_text_release();
	mdr_arena_destroy(arena);
	return done();
}
