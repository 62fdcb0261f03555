/*
 * model_blocks.c
 *		From a text to features: words, pairs of words and characters, as rows of a model's table and words of its vocabulary.
 *
 * A text is read once, in blocks of about MDR_BLOCK_CHARACTERS that end between words.  First a block's words are found and hashed,
 * with the vocabulary's index asked for in advance; then they are looked up, when it has come.
 *
 * Letters and digits of alphabets make words.  Characters of scripts without spaces, and Hangul, count one by one, with the one and
 * the two before them; up to three separators between them do not matter, unless they end a clause.  An emoji is a feature.  All else
 * separates.
 *
 * Input: the bytes of a plain view.  Output: blocks.  Locks: none.  Memory: the caller's.  Errors: none; the work is linear in the
 * length of the text, whatever it is.
 */
#include "model/model_parts.h"

#define L MDR_LETTER
#define D MDR_DIGIT
#define S (MDR_SIGN)
#define E (MDR_ENDS | MDR_ENDS_HAN)
#define G MDR_GAP

/* The plain view has no capitals and no control characters. */
const uint8_t mdr_model_ascii[128] = {
	[' '] = G, ['!'] = S | E, ['#'] = G, ['$'] = S, ['%'] = 0, ['&'] = 0, ['\''] = 0, ['*'] = G, ['+'] = S | G, [','] = E | G,
	['-'] = G, ['.'] = MDR_ENDS | G, ['/'] = G, [':'] = E | G, [';'] = E | G, ['='] = G, ['?'] = E, ['@'] = S, ['^'] = G, ['_'] = G,
	['|'] = S | G, ['~'] = G, ['\\'] = G,
	['0'] = D, ['1'] = D, ['2'] = D, ['3'] = D, ['4'] = D, ['5'] = D, ['6'] = D, ['7'] = D, ['8'] = D, ['9'] = D,
	['a'] = L, ['b'] = L, ['c'] = L, ['d'] = L, ['e'] = L, ['f'] = L, ['g'] = L, ['h'] = L, ['i'] = L, ['j'] = L, ['k'] = L, ['l'] = L,
	['m'] = L, ['n'] = L, ['o'] = L, ['p'] = L, ['q'] = L, ['r'] = L, ['s'] = L, ['t'] = L, ['u'] = L, ['v'] = L, ['w'] = L, ['x'] = L,
	['y'] = L, ['z'] = L
};

#define HAN_GAP 3				/* separators that do not part Han characters */

typedef enum Kind
{
	SEPARATOR,
	ENDS,						/* a clause */
	WORD,
	HAN,						/* a script without spaces, or Hangul */
	EMOJI
} Kind;

/* What a character outside ASCII is, by the blocks of Unicode. */
static Kind
kind_of(uint32_t c)
{
	if (c >= 0x4E00 && c <= 0x9FFF)
		return HAN;
	if (c < 0xC0)
		return c == 0xAA || c == 0xB5 || c == 0xBA ? WORD : SEPARATOR;
	if (c < 0x0E00)
		return c == 0xD7 || c == 0xF7 ? SEPARATOR : c == 0x061F || c == 0x060C || c == 0x0964 || c == 0x0965 ? ENDS : WORD;
	if (c < 0x0F00)
		return HAN;				/* Thai, Lao */
	if (c < 0x2000)
		return (c >= 0x1000 && c < 0x10A0) || (c >= 0x1780 && c < 0x1800) ? HAN : WORD; /* Myanmar, Khmer */
	if (c < 0x2E80)
		return c >= 0x2600 && c < 0x27C0 ? EMOJI : c >= 0x2C00 && c < 0x2E00 ? WORD : SEPARATOR;
	if (c < 0x3040)
		return c == 0x3001 || c == 0x3002 ? ENDS : c >= 0x3005 && c <= 0x3007 ? HAN : c < 0x2FE0 ? HAN : SEPARATOR;
	if (c < 0xD7A4)
		return (c >= 0x31C0 && c < 0x31F0) || (c >= 0x3200 && c < 0x3400) || (c >= 0x4DC0 && c < 0x4E00) ? SEPARATOR
			: c >= 0xA000 && c < 0xAC00 ? WORD : HAN;
	if (c < 0x10000)
		return c >= 0xF900 && c < 0xFB00 ? HAN : c >= 0xFB00 && c < 0xFE00 ? WORD : c >= 0xFE70 && c < 0xFEFF ? WORD : SEPARATOR;
	if (c >= 0x20000)
		return c < 0x33480 ? HAN : SEPARATOR;
	return c >= 0x1F000 ? EMOJI : WORD;
}

/* Reads the character at bytes, valid UTF-8; its length. */
static inline uint32_t
read_character(const char *bytes, const char *end, uint32_t *c)
{
	const uint8_t *at = (const uint8_t *) bytes;
	size_t		left = end - bytes;

	if (at[0] < 0xC0 || left < 2)
		return *c = at[0], 1;
	if (at[0] < 0xE0 || left < 3)
		return *c = (at[0] & 0x1F) << 6 | (at[1] & 0x3F), 2;
	if (at[0] < 0xF0 || left < 4)
		return *c = (at[0] & 0x0F) << 12 | (at[1] & 0x3F) << 6 | (at[2] & 0x3F), 3;
	return *c = (at[0] & 0x07) << 18 | (at[1] & 0x3F) << 12 | (at[2] & 0x3F) << 6 | (at[3] & 0x3F), 4;
}

uint32_t
mdr_model_grams(unsigned shift, const char *word, size_t length, uint32_t *rows)
{
	uint32_t	c[MDR_LONGEST_WORD + 2];
	uint32_t	n = 0,
				nrows = 0;

	if (length > MDR_LONGEST_WORD)
		return 0;
	c[n++] = ' ';
	for (const char *at = word; at < word + length; n++)
		at += read_character(at, word + length, &c[n]);
	c[n++] = ' ';
	for (uint32_t i = 0; i + 4 <= n; i++)
	{
		uint64_t	three = (uint64_t) c[i] << 42 ^ (uint64_t) c[i + 1] << 21 ^ c[i + 2];

		rows[nrows++] = (uint32_t) ((three * MDR_MIX_GRAM + c[i + 3]) * MDR_MIX >> shift);
	}
	return nrows;
}

void
mdr_blocks_start(MdrBlocks *blocks, const MdrTables *tables, const char *bytes, size_t length)
{
	*blocks = (MdrBlocks)
	{
		.tables = *tables,.begin = bytes,.at = bytes,.end = bytes + length,.tried = bytes,.tried_spread = bytes
	};
}

static inline void
add_row(const MdrBlocks *blocks, MdrBlock *block, uint32_t feature)
{
	__builtin_prefetch(blocks->tables.rows + (size_t) MDR_ROW(feature) * MDR_ROW_BYTES);
	block->rows[block->nrows++] = feature;
}

static inline void
add_token(MdrBlocks *blocks, MdrBlock *block, uint64_t hash, const char *at, uint32_t length)
{
	__builtin_prefetch(blocks->tables.index + (hash >> blocks->tables.index_shift));
	block->tokens[block->ntokens++] = (MdrToken) {hash, at, length, blocks->linked};
	blocks->linked = true;
	blocks->nhan = 0;
}

/* A mark in each of eight bytes that is no small letter and no digit of ASCII. */
static inline uint64_t
not_of_word(uint64_t bytes)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t	low = bytes & 0x7F * ones;
	uint64_t	letter = (low + (0x80 - 'a') * ones) & ~(low + (0x7F - 'z') * ones);
	uint64_t	digit = (low + (0x80 - '0') * ones) & ~(low + (0x7F - '9') * ones);

	return (~(letter | digit) | bytes) & 0x80 * ones;
}

/* Reads a word that is not all ASCII, or goes on where its first bytes are. */
static uint32_t
read_any_word(MdrBlocks *blocks, MdrBlock *block)
{
	const char *at = blocks->at;
	uint32_t	characters = 0,
				c;

	while (at < blocks->end)
	{
		uint32_t	length = read_character(at, blocks->end, &c);

		if (c < 0x80 ? !mdr_model_is((char) c, MDR_LETTER | MDR_DIGIT) : kind_of(c) != WORD)
			break;
		at += length;
		characters++;
	}
	add_token(blocks, block, mdr_model_hash(blocks->at, at - blocks->at), blocks->at, at - blocks->at);
	blocks->at = at;
	return characters;
}

/*
 * Takes the words that spread letters make; how many letters those were, 0 when there are none.  What spreads them is not counted, or a
 * spread text would be read in windows of half as many words.
 */
static uint32_t
read_spread(MdrBlocks *blocks, MdrBlock *block)
{
	uint32_t	words[MDR_LONGEST_WORD];
	const char *after;
	uint32_t	n = mdr_words_spread(&blocks->tables, blocks->at, blocks->end, words, &after);
	uint32_t	characters;
	uint32_t	gap = 1;

	if (n == 0)
	{
		blocks->tried_spread = after;
		return 0;
	}
	for (uint32_t i = 0; i < n; i++)
		add_token(blocks, block, blocks->tables.words[words[i]].hash, NULL, 0);
	while (mdr_model_is(blocks->at[1 + gap], MDR_GAP))
		gap++;
	characters = (after - blocks->at + gap) / (1 + gap);
	blocks->at = after;
	return characters;
}

/* Reads a word, which starts with a letter or digit of ASCII; how many characters. */
static inline uint32_t
read_word(MdrBlocks *blocks, MdrBlock *block)
{
	const char *start = blocks->at,
			   *at = start;
	uint64_t	hash = 0;
	uint32_t	length;

	for (;;)
	{
		uint64_t	bytes = mdr_model_load(at, blocks->end);
		uint64_t	stop = not_of_word(bytes);

		if (stop == 0)
		{
			hash = mdr_model_hash_more(hash, bytes);
			at += 8;
			continue;
		}
		length = __builtin_ctzll(stop) / 8;
		if (length > 0)
			hash = mdr_model_hash_more(hash, bytes & (((uint64_t) 1 << 8 * length) - 1));
		at += length;
		break;
	}
	length = at - start;
	if (at < blocks->end && (signed char) *at < 0)
		return read_any_word(blocks, block);
	if (length == 1 && blocks->end - at >= 4)
	{
		uint32_t	characters = mdr_model_is(at[0], MDR_GAP) && start >= blocks->tried_spread ? read_spread(blocks, block) : 0;

		if (characters > 0)
			return characters;
	}
	add_token(blocks, block, hash, start, length);
	blocks->at = at;
	return length;
}

/*
 * At a sign that may stand for a letter: when the letters and signs around it are a word of the vocabulary in disguise, that word
 * takes the place of the one just read.  How many characters from the sign on.
 */
static uint32_t
read_signs(MdrBlocks *blocks, MdrBlock *block)
{
	MdrToken   *last = block->ntokens > 0 ? &block->tokens[block->ntokens - 1] : NULL;
	bool		adjacent = last != NULL && last->at != NULL && last->at + last->length == blocks->at;
	const char *start = adjacent ? last->at : blocks->at,
			   *end = blocks->at;
	const char *core,
			   *core_end;
	uint32_t	characters;
	int32_t		word;

	if (blocks->at < blocks->tried)
		return 0;
	while (end < blocks->end && mdr_model_is(*end, MDR_LETTER | MDR_DIGIT | MDR_SIGN))
		end++;
	blocks->tried = end;
	if (end - start > MDR_LONGEST_WORD || end - start < 2)
		return 0;
	for (core = start; core < end && mdr_model_is(*core, MDR_SIGN);)
		core++;
	for (core_end = end; core_end > core && mdr_model_is(core_end[-1], MDR_SIGN);)
		core_end--;
	/* Signs before or behind a word that is known belong to the sentence. */
	if (core == core_end || mdr_model_find(&blocks->tables, mdr_model_hash(core, core_end - core)) >= 0)
		return 0;
	word = mdr_words_undisguise(&blocks->tables, start, end - start);
	if (word < 0 && core_end < end)
	{
		end = core_end;
		word = end <= blocks->at ? -1 : mdr_words_undisguise(&blocks->tables, start, end - start);
	}
	if (word < 0)
		return 0;
	if (adjacent)
	{
		blocks->linked = last->linked;
		block->ntokens--;
	}
	add_token(blocks, block, blocks->tables.words[word].hash, NULL, 0);
	characters = end - blocks->at;
	blocks->at = end;
	return characters;
}

/* The Han character that was read as the i-th last, 0 = the last. */
static inline uint32_t
han_before(const MdrBlocks *blocks, uint32_t i)
{
	return blocks->han[(blocks->nhan - 1 - i) % MDR_HAN_KEPT];
}

/* Notes the lexicon's phrases that end in the last Han character. */
static void
find_han_phrases(const MdrBlocks *blocks, MdrBlock *block)
{
	for (uint32_t length = 1; length <= MDR_LONGEST_HAN && length <= blocks->nhan && block->nphrases < MDR_MAX_TOKENS; length++)
	{
		uint64_t	hash = 0;
		uint32_t	groups;

		for (uint32_t i = length; i > 0; i--)
			hash = mdr_model_phrase(hash, han_before(blocks, i - 1));
		groups = mdr_model_find_phrase(&blocks->tables, hash);
		if (groups != 0)
			block->phrases[block->nphrases++] = groups;
	}
}

static inline bool
ends_phrase(const MdrTables *tables, uint32_t before, uint32_t c)
{
	uint32_t	end = mdr_model_phrase_end(before, c);

	return tables->phrase_ends[end / 64] >> end % 64 & 1;
}

static void
read_han(MdrBlocks *blocks, MdrBlock *block, uint32_t c)
{
	unsigned	shift = blocks->tables.row_shift;
	bool		ends = ends_phrase(&blocks->tables, 0, c);

	if (blocks->gap > HAN_GAP)
		blocks->nhan = 0;
	blocks->han[blocks->nhan++ % MDR_HAN_KEPT] = c;
	add_row(blocks, block, mdr_model_row_of_characters(shift, 0, 0, c));
	if (blocks->nhan > 1)
	{
		uint32_t	before = han_before(blocks, 1);

		add_row(blocks, block, mdr_model_row_of_characters(shift, 0, before, c));
		if (blocks->nhan > 2)
			add_row(blocks, block, mdr_model_row_of_characters(shift, han_before(blocks, 2), before, c));
		ends |= ends_phrase(&blocks->tables, before, c);
	}
	if (ends)
		find_han_phrases(blocks, block);
	blocks->gap = 0;
	blocks->linked = false;
	block->han++;
	block->ideographs += (c >= 0x3400 && c <= 0x9FFF) || c >= 0x20000 || (c >= 0xF900 && c < 0xFB00);
}

static void
read_separator(MdrBlocks *blocks, char byte)
{
	uint8_t		classes = mdr_model_ascii[(unsigned char) byte & 0x7F];

	if (classes & MDR_ENDS)
		blocks->linked = false;
	if (classes & MDR_ENDS_HAN)
		blocks->nhan = 0;
	blocks->gap++;
}

/* Reads a character outside ASCII; how many characters. */
static uint32_t
read_other(MdrBlocks *blocks, MdrBlock *block)
{
	uint32_t	c;
	uint32_t	length = read_character(blocks->at, blocks->end, &c);

	switch (kind_of(c))
	{
		case HAN:
			read_han(blocks, block, c);
			break;
		case WORD:
			length = read_any_word(blocks, block);
			block->letters += length;
			return length;
		case EMOJI:
			add_row(blocks, block, mdr_model_row_of_characters(blocks->tables.row_shift, 0, 0, c));
			blocks->gap++;
			break;
		case ENDS:
			blocks->linked = false;
			blocks->nhan = 0;
			break;
		case SEPARATOR:
			blocks->gap++;
			break;
	}
	blocks->at += length;
	return 1;
}

/* Notes the lexicon's phrases that end in a word. */
static void
find_phrases(const MdrBlocks *blocks, MdrBlock *block, uint64_t last)
{
	for (uint32_t before = 1; before < MDR_LONGEST_PHRASE && block->nphrases < MDR_MAX_TOKENS; before++)
	{
		uint64_t	hash = 0;
		uint32_t	groups;

		if (blocks->before[before - 1] == 0)
			return;
		for (uint32_t i = before; i > 0; i--)
			hash = mdr_model_phrase(hash, blocks->before[i - 1]);
		groups = mdr_model_find_phrase(&blocks->tables, mdr_model_phrase(hash, last));
		if (groups != 0)
			block->phrases[block->nphrases++] = groups;
	}
}

/* Looks the block's words up: numbers of the vocabulary, or rows where they are not in it; rows of pairs; phrases of the lexicon. */
static void
look_up(MdrBlocks *blocks, MdrBlock *block)
{
	unsigned	shift = blocks->tables.row_shift;

	for (uint32_t i = 0; i < block->ntokens; i++)
	{
		MdrToken   *token = &block->tokens[i];
		int32_t		word = mdr_model_find(&blocks->tables, token->hash);

		if (word < 0 && (word = mdr_words_undisguise(&blocks->tables, token->at, token->length)) >= 0)
			token->hash = blocks->tables.words[word].hash;
		if (!token->linked)
			memset(blocks->before, 0, sizeof(blocks->before));
		if (word >= 0)
		{
			block->words[block->nwords++] = (uint32_t) word;
			if (blocks->tables.words[word].ends_phrase)
				find_phrases(blocks, block, token->hash);
		}
		else
		{
			add_row(blocks, block, mdr_model_row_of_word(shift, token->hash));
			block->nrows += mdr_model_grams(shift, token->at, token->length, block->rows + block->nrows);
		}
		if (blocks->before[0] != 0)
			add_row(blocks, block, mdr_model_row_of_pair(shift, blocks->before[0], token->hash));
		for (uint32_t before = MDR_LONGEST_PHRASE - 2; before > 0; before--)
			blocks->before[before] = blocks->before[before - 1];
		blocks->before[0] = token->hash;
	}
}

bool
mdr_blocks_next(MdrBlocks *blocks, MdrBlock *block)
{
	uint32_t	characters = 0;

	if (blocks->at >= blocks->end)
		return false;
	block->start = blocks->at - blocks->begin;
	block->letters = block->han = block->ideographs = block->ntokens = block->nwords = block->nrows = block->nphrases = 0;
	while (blocks->at < blocks->end && characters < MDR_BLOCK_CHARACTERS)
	{
		char		byte = *blocks->at;
		uint32_t	read;

		if ((signed char) byte < 0)
			characters += read_other(blocks, block);
		else if (mdr_model_ascii[(unsigned char) byte] & (MDR_LETTER | MDR_DIGIT))
		{
			read = read_word(blocks, block);
			block->letters += read;
			characters += read;
		}
		else if ((mdr_model_ascii[(unsigned char) byte] & MDR_SIGN) && (read = read_signs(blocks, block)) > 0)
			characters += read;
		else
		{
			read_separator(blocks, byte);
			blocks->at++;
			characters++;
		}
	}
	block->end = blocks->at - blocks->begin;
	look_up(blocks, block);
	return true;
}
