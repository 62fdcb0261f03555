/*
 * model_words.c
 *		Disguised words: digits and signs that stand for letters, stretched letters, spread letters.
 *
 * Only a word that the vocabulary does not know comes here, and what comes out is always a word that it knows, so that a disguise
 * gives the very features of the word.  Letters spread over a whole phrase are cut into words where the sum of the words' costs is
 * least (dynamic programming over the words' frequencies: Viterbi, "Error bounds for convolutional codes", 1967).
 *
 * Input: bytes of a plain view.  Output: numbers of the vocabulary.  Locks: none.  Memory: the stack.  Errors: none; no input takes
 * more than some dozen look-ups a character.
 */
#include "model/model_parts.h"

#define AMBIGUOUS 3				/* signs that are tried as i and as l each on its own; more of them are all i or all l */
#define UNKNOWN_COST 40			/* of a letter in no word: more than that of any word */
#define SHORTEST_FOUND 4		/* letters in a word that is found among letters that make none */
#define LONGEST_PART 16			/* letters in a word that spread letters make */

/* The letter that a byte stands for: itself, 1 for "i or l", 0 for none. */
static char
letter_of(char byte)
{
	switch (byte)
	{
		case '0':
			return 'o';
		case '1':
		case '!':
		case '|':
			return 1;
		case '3':
			return 'e';
		case '4':
		case '@':
			return 'a';
		case '5':
		case '$':
			return 's';
		case '6':
		case '9':
			return 'g';
		case '7':
		case '+':
			return 't';
		case '8':
			return 'b';
		case '2':
			return 'z';
		default:
			return mdr_model_is(byte, MDR_LETTER) || (signed char) byte < 0 ? byte : 0;
	}
}

/* Cuts every run of three or more of a letter down to most; the new length. */
static size_t
shorten(char *to, const char *word, size_t length, size_t most)
{
	size_t		n = 0;

	for (size_t i = 0; i < length;)
	{
		size_t		run = 1;

		while (i + run < length && word[i + run] == word[i])
			run++;
		for (size_t j = 0; j < (run >= 3 ? most : run); j++)
			to[n++] = word[i];
		i += run;
	}
	return n;
}

static int32_t
find(const MdrTables *tables, const char *word, size_t length)
{
	return mdr_model_find(tables, mdr_model_hash(word, length));
}

/* The word, or with its stretched letters put right. */
static int32_t
find_stretched(const MdrTables *tables, const char *word, size_t length, bool stretched)
{
	char		shorter[MDR_LONGEST_WORD];
	int32_t		found = find(tables, word, length);

	for (size_t most = 2; found < 0 && stretched && most > 0; most--)
		found = find(tables, shorter, shorten(shorter, word, length, most));
	return found;
}

/* Reads letters: digits and signs as what they look like, "i or l" by the bits of choice, the first by the lowest. */
static void
read_letters(char *letters, const char *word, size_t length, unsigned choice, bool alike)
{
	unsigned	n = 0;

	for (size_t i = 0; i < length; i++)
	{
		letters[i] = letter_of(word[i]);
		if (letters[i] == 1)
			letters[i] = choice >> (alike ? 0 : n++) & 1 ? 'l' : 'i';
	}
}

int32_t
mdr_words_undisguise(const MdrTables *tables, const char *word, size_t length)
{
	char		letters[MDR_LONGEST_WORD];
	unsigned	signs = 0,
				ambiguous = 0,
				real = 0;
	bool		stretched = false;

	if (length < 2 || length > MDR_LONGEST_WORD)
		return -1;
	for (size_t i = 0; i < length; i++)
	{
		char		letter = letter_of(word[i]);

		if (letter == 0)
			return -1;
		if (letter == word[i])
			real++;
		else
			signs++;
		ambiguous += letter == 1;
		stretched |= i >= 2 && letter == letter_of(word[i - 1]) && letter == letter_of(word[i - 2]);
	}
	if ((signs == 0 && !stretched) || real == 0)
		return -1;
	for (unsigned choice = 0; choice < 1u << (ambiguous <= AMBIGUOUS ? ambiguous : 1); choice++)
	{
		int32_t		found;

		read_letters(letters, word, length, choice, ambiguous > AMBIGUOUS);
		found = find_stretched(tables, letters, length, stretched);
		if (found >= 0)
			return found;
	}
	return -1;
}

/* Cuts letters into words of the vocabulary; how many.  Where little of it makes words, only the longer of these count. */
static uint32_t
cut_into_words(const MdrTables *tables, const char *letters, uint32_t length, uint32_t *words)
{
	uint32_t	cost[MDR_LONGEST_WORD + 1] = {0};
	uint8_t		last[MDR_LONGEST_WORD + 1]; /* letters of the last word */
	int32_t		word[MDR_LONGEST_WORD + 1];
	uint32_t	n = 0,
				least = SHORTEST_FOUND,
				longest = 0,
				unknown = 0;

	for (uint32_t end = 1; end <= length; end++)
	{
		cost[end] = cost[end - 1] + UNKNOWN_COST;
		last[end] = 1;
		word[end] = -1;
		for (uint32_t size = 1; size <= end && size <= LONGEST_PART; size++)
		{
			const char *from = letters + end - size;
			int32_t		found = size == 1 && *from != 'a' && *from != 'i' ? -1 : find(tables, from, size);

			if (found >= 0 && cost[end - size] + tables->words[found].cost < cost[end])
			{
				cost[end] = cost[end - size] + tables->words[found].cost;
				last[end] = size;
				word[end] = found;
			}
		}
	}
	for (uint32_t end = length; end > 0; end -= last[end])
	{
		unknown += word[end] < 0;
		longest = word[end] >= 0 && last[end] > longest ? last[end] : longest;
	}
	if (unknown * 4 <= length && longest >= SHORTEST_FOUND - 1)
		least = 1;
	for (uint32_t end = length; end > 0; end -= last[end])
		n += word[end] >= 0 && last[end] >= least;
	for (uint32_t end = length, at = n; end > 0; end -= last[end])
		if (word[end] >= 0 && last[end] >= least)
			words[--at] = word[end];
	return n;
}

/* How many bytes of gap are at at: one to three signs or spaces that may stand between spread letters. */
static uint32_t
gap_at(const char *at, const char *end)
{
	uint32_t	n = 0;

	while (at + n < end && n < 4 && mdr_model_is(at[n], MDR_GAP))
		n++;
	return n < 4 ? n : 0;
}

/* A letter, or what stands for one, with neither beside it. */
static bool
single_at(const char *at, const char *end)
{
	return at < end && mdr_model_is(*at, MDR_LETTER | MDR_DIGIT | MDR_SIGN)
		&& (at + 1 == end || ((signed char) at[1] >= 0 && !mdr_model_is(at[1], MDR_LETTER | MDR_DIGIT)));
}

uint32_t
mdr_words_spread(const MdrTables *tables, const char *at, const char *end, uint32_t *words, const char **after)
{
	char		letters[MDR_LONGEST_WORD];
	uint32_t	gap = gap_at(at + 1, end),
				length = 0,
				real = 0,
				n = 0;
	const char *from = at;

	*after = at;
	if (gap == 0 || !single_at(at + 1 + gap, end))
		return 0;
	while (length < MDR_LONGEST_WORD)
	{
		letters[length++] = *at;
		real += mdr_model_is(*at, MDR_LETTER);
		*after = at + 1;
		if (gap_at(at + 1, end) != gap || memcmp(at + 1, from + 1, gap) != 0 || !single_at(at + 1 + gap, end))
			break;
		at += 1 + gap;
	}
	if (length < 3)
		*after = from;
	if (length < 3 || real * 2 < length)
		return 0;
	for (unsigned choice = 0; choice < 2 && n == 0; choice++)
	{
		char		read[MDR_LONGEST_WORD];

		read_letters(read, letters, length, choice, true);
		n = cut_into_words(tables, read, length, words);
		if (real == length)
			break;
	}
	return n;
}
