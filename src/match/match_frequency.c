/*
 * match_frequency.c
 *		How common a literal is likely to be, so that patterns are announced by what is rare in them.
 *
 * A guess by length and by a short list of English words: it decides what is looked for, never what is found.
 *
 * Input: a literal.  Output: a number.  Locks, memory, errors: none.
 */
#include "match/match_compile.h"

#include <stdlib.h>
#include <string.h>

/* Words of which every English text is made, and words that are in many. */
static const char *const commonest_words[] = {
	"a", "all", "an", "and", "are", "as", "at", "be", "but", "by", "do", "for", "from", "have", "he", "her", "his", "i",
	"if", "in", "is", "it", "me", "my", "no", "not", "of", "on", "or", "she", "so", "that", "the", "they", "this", "to",
	"was", "we", "what", "with", "you"
};
static const char *const common_words[] = {
	"about", "after", "also", "am", "any", "anyone", "anything", "back", "because", "been", "before", "best", "between",
	"can", "come", "could", "day", "did", "does", "each", "even", "first", "get", "give", "go", "good", "had", "has",
	"help", "here", "him", "how", "into", "its", "just", "know", "like", "look", "made", "make", "making", "many", "may",
	"more", "most", "much", "must", "need", "new", "now", "one", "only", "other", "our", "out", "over", "own", "people",
	"please", "said", "same", "see", "should", "some", "someone", "something", "such", "take", "tell", "than", "their",
	"them", "then", "there", "these", "thing", "things", "think", "those", "through", "time", "too", "two", "up", "us",
	"use", "used", "using", "very", "want", "way", "ways", "well", "were", "when", "where", "which", "while", "who",
	"why", "will", "without", "work", "would", "year", "your"
};

static int
compare_word(const void *key, const void *word)
{
	return strcmp(key, *(const char *const *) word);
}

static bool
is_one_of(const char *word, uint32_t length, const char *const *words, size_t nwords)
{
	char		copy[16];

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, word, length);
	copy[length] = '\0';
	return bsearch(copy, words, nwords, sizeof(words[0]), compare_word) != NULL;
}

/*
 * How often a literal stands in a paragraph, roughly: half as often for each ASCII character, a sixth for any other; but
 * common words as often as they do.  More than 1 when it is too short to be looked for.
 */
float
mdr_filter_frequency(const char *string, uint32_t length)
{
	float		by_letters = 1,
				by_words = 1;

	if (length < MDR_SHORTEST)
		return 2;
	for (uint32_t from = 0, to; from < length; from = to + 1)
	{
		for (to = from; to < length && string[to] != ' '; to++)
			by_letters *= (unsigned char) string[to] < 0x80 ? 0.5f : (unsigned char) string[to] >= 0xC0 ? 0.17f : 1;
		if (to == from)
			continue;
		if (is_one_of(string + from, to - from, common_words, sizeof(common_words) / sizeof(common_words[0])))
			by_words *= 0.25f;
		else if (!is_one_of(string + from, to - from, commonest_words, sizeof(commonest_words) / sizeof(commonest_words[0])))
			by_words = 0;
	}
	return by_words > by_letters ? by_words : by_letters;
}
