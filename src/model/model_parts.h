/*
 * model_parts.h
 *		How a model lies in memory, and what the files of src/model share; private to the stage.
 *
 * A header, then five sections at 64-byte boundaries:
 *
 *	rows		2^row_bits rows of a signed byte a head; a feature's hash says which row is its and what tag the row must have: each row
 *				belongs to one feature, the one of those that meet there that was seen most, and the others weigh nothing
 *	index		2^index_bits numbers by a word's hash: tag in the upper half, word + 1 in the lower, 0 = empty; linear probing
 *	words		the vocabulary: for each word the sum of all rows of the word itself and of its 4-grams, so that a known word costs
 *				one look-up
 *	phrases		the lexicon's phrases: a bit for each hash of what they end in, then the phrases by their own hash
 *	groups		what a lexicon's groups add when a window has 1, 2 or 4 of their words, and words of two groups
 *
 * Numbers are of the machine that trained, whose byte order the header tells.
 */
#ifndef MDR_MODEL_PARTS_H
#define MDR_MODEL_PARTS_H

#include "model/model.h"

#include <string.h>

#define MDR_MODEL_MAGIC "MDRMODEL"
#define MDR_MODEL_FORMAT 3
#define MDR_MODEL_BYTE_ORDER 0x01020304u

#define MDR_LANES 24			/* room for MDR_MODEL_MAX_HEADS, and one more */
#define MDR_ROW_BYTES MDR_LANES /* one byte each; the last one is the row's tag */
#define MDR_TAG_BITS 8
#define MDR_TAG(feature) ((feature) & 0xFF)
#define MDR_ROW(feature) ((feature) >> MDR_TAG_BITS)
#define MDR_MAX_PROBES 64		/* look-ups give up after so many */
#define MDR_MAX_GROUPS 32
#define MDR_GROUP_LEVELS 3		/* 1, 2 and 4 words */

#define MDR_LONGEST_PHRASE 4	/* words */
#define MDR_LONGEST_HAN 6		/* characters of a Han phrase */
#define MDR_HAN_KEPT 8			/* at least as many */
#define MDR_END_BITS 16			/* of a hash of what phrases end in */

#define MDR_BLOCK_CHARACTERS 125	/* a window is two blocks */
#define MDR_LONGEST_WORD 64		/* bytes; a longer one is a feature of its own and has no 4-grams */
#define MDR_LONGEST_KNOWN 24	/* bytes of a word of the vocabulary */
#define MDR_PENDING 256			/* features that may be summed in 16 bits */

/* A score is 1 / (1 + exp(-(constant + self * logit + any * logit of "any"))). */
typedef struct MdrModelScore
{
	float		self;
	float		any;
	float		constant;		/* -INFINITY: nothing is known of the head in this script */
} MdrModelScore;

typedef struct MdrModelHeader
{
	char		magic[8];
	uint32_t	format;
	uint32_t	byte_order;
	uint64_t	length;			/* of the whole block */
	uint32_t	nheads;
	uint32_t	row_bits;
	uint32_t	index_bits;
	uint32_t	nwords;
	uint32_t	ngroups;
	uint32_t	phrase_bits;	/* 2^phrase_bits places for phrases */
	float		damping;		/* a window's sums are divided by sqrt(number of features + damping) */
	uint32_t	unused;			/* zero: the same model is the same bytes */
	uint64_t	rows;			/* offsets of the sections */
	uint64_t	index;
	uint64_t	words;
	uint64_t	phrases;
	uint64_t	groups;
	char		names[MDR_LANES][32];
	float		bias[MDR_LANES];
	float		scale[MDR_LANES]; /* of one step of a row's byte */
	MdrModelScore scores[MDR_NSCRIPTS][MDR_LANES];	/* by script */
} MdrModelHeader;

typedef struct MdrModelWord
{
	uint64_t	hash;
	int16_t		sums[MDR_LANES];	/* in the order of mdr_model_lane() */
	uint32_t	groups;			/* bits: the lexicon's groups it is of */
	uint8_t		nfeatures;		/* rows summed up */
	uint8_t		cost;			/* twice the bits it takes to say the word: what is rare costs more */
	uint16_t	ends_phrase;	/* 1: the lexicon has phrases that end in it */
} MdrModelWord;

/* A phrase of the lexicon; one without groups is an empty place. */
typedef struct MdrModelPhrase
{
	uint64_t	hash;
	uint32_t	groups;
	uint32_t	unused;
} MdrModelPhrase;

/* Sums are kept with the even heads apart from the odd ones, sixteen heads and then eight. */
static inline uint32_t
mdr_model_lane(uint32_t head)
{
	return head < 16 ? head / 2 + head % 2 * 8 : 16 + (head - 16) / 2 + head % 2 * 4;
}

/* Floats in the section of groups: a row for each level of each group, then one for each pair. */
static inline size_t
mdr_model_group_rows(uint32_t ngroups)
{
	return (size_t) ngroups * MDR_GROUP_LEVELS + (size_t) ngroups * (ngroups > 0 ? ngroups - 1 : 0) / 2;
}

/* Row of the section of groups for the pair of two of them, first < second. */
static inline uint32_t
mdr_model_group_pair(uint32_t ngroups, uint32_t first, uint32_t second)
{
	return ngroups * MDR_GROUP_LEVELS + first * (2 * ngroups - first - 1) / 2 + (second - first - 1);
}

/* The features of a window's lexicon counts; at most MDR_MAX_GROUP_FEATURES numbers of rows of the section of groups. */
#define MDR_MAX_GROUP_FEATURES (MDR_MAX_GROUPS * MDR_GROUP_LEVELS + MDR_MAX_GROUPS * (MDR_MAX_GROUPS - 1) / 2)
extern uint32_t mdr_model_group_features(uint32_t ngroups, const uint16_t *counts, uint16_t *features);

/* A model's sections. */
typedef struct MdrTables
{
	const uint32_t *index;
	const MdrModelWord *words;
	const int8_t *rows;
	const float *groups;
	const uint64_t *phrase_ends;	/* a bit for each hash */
	const MdrModelPhrase *phrases;
	uint32_t	nwords;
	uint32_t	ngroups;
	unsigned	index_shift;
	uint32_t	index_mask;
	unsigned	phrase_shift;
	uint32_t	phrase_mask;
	unsigned	row_shift;		/* what is left of a feature's hash is its row, then its tag */
} MdrTables;

extern MdrTables mdr_model_tables(const MdrModel *model);

/* Hashing: multiplications by odd numbers, of which the upper bits are used (Knuth, "The Art of Computer Programming", section 6.4). */
#define MDR_MIX 0x9E3779B97F4A7C15u
#define MDR_MIX_PAIR 0xD6E8FEB86659FD93u
#define MDR_MIX_GRAM 0xC2B2AE3D27D4EB4Fu

/* Eight bytes from at on, those from end on as zeros, the first in the lowest bits whatever the machine. */
static inline uint64_t
mdr_model_load(const char *at, const char *end)
{
	uint64_t	bytes = 0;

	if (end - at >= 8)
		memcpy(&bytes, at, 8);
	else
		memcpy(&bytes, at, end - at);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	bytes = __builtin_bswap64(bytes);
#endif
	return bytes;
}

/* The hash of a word, from its bytes eight at a time, zeros behind the last. */
static inline uint64_t
mdr_model_hash_more(uint64_t hash, uint64_t bytes)
{
	hash = (hash ^ bytes) * MDR_MIX;
	return hash ^ hash >> 32;
}

static inline uint64_t
mdr_model_hash(const char *word, size_t length)
{
	uint64_t	hash = 0;

	for (size_t at = 0; at < length; at += 8)
		hash = mdr_model_hash_more(hash, mdr_model_load(word + at, word + length));
	return hash;
}

static inline uint32_t
mdr_model_row_of_word(unsigned shift, uint64_t hash)
{
	return (uint32_t) ((hash + 1) * MDR_MIX_GRAM >> shift);
}

static inline uint32_t
mdr_model_row_of_pair(unsigned shift, uint64_t before, uint64_t hash)
{
	return (uint32_t) ((before * MDR_MIX_PAIR + hash) * MDR_MIX_GRAM >> shift);
}

/* Of 1 to 3 characters, the absent ones 0; or of one emoji. */
static inline uint32_t
mdr_model_row_of_characters(unsigned shift, uint64_t first, uint64_t second, uint64_t third)
{
	return (uint32_t) ((first << 42 ^ second << 21 ^ third) * MDR_MIX_PAIR >> shift);
}

/* The hash of a phrase from that of its beginning (0: nothing yet) and what comes next, a word's hash or a Han character. */
static inline uint64_t
mdr_model_phrase(uint64_t beginning, uint64_t next)
{
	uint64_t	hash = (beginning ^ next) * MDR_MIX_PAIR;

	return hash ^ hash >> 32;
}

/* Where the bit is of phrases that end in these two Han characters, the first 0 for a phrase of one. */
static inline uint32_t
mdr_model_phrase_end(uint64_t before, uint64_t last)
{
	return (uint32_t) ((before << 21 ^ last) * MDR_MIX_GRAM >> (64 - MDR_END_BITS));
}

/* The rows of a word's padded 4-grams; at most MDR_LONGEST_WORD + 1.  A word of more bytes than that has none. */
extern uint32_t mdr_model_grams(unsigned shift, const char *word, size_t length, uint32_t *rows);

/* The word's number in the vocabulary, or -1. */
static inline int32_t
mdr_model_find(const MdrTables *tables, uint64_t hash)
{
	uint32_t	slot = (uint32_t) (hash >> tables->index_shift);

	for (int probe = 0; probe < MDR_MAX_PROBES; probe++)
	{
		uint32_t	entry = tables->index[(slot + probe) & tables->index_mask];
		uint32_t	word = (entry & 0xFFFF) - 1;

		if (entry == 0)
			return -1;
		if (entry >> 16 == (hash & 0xFFFF) && word < tables->nwords && tables->words[word].hash == hash)
			return (int32_t) word;
	}
	return -1;
}

/* The groups of a phrase, 0 when it is none of the lexicon. */
static inline uint32_t
mdr_model_find_phrase(const MdrTables *tables, uint64_t hash)
{
	uint32_t	slot = (uint32_t) (hash >> tables->phrase_shift);

	for (int probe = 0; probe < MDR_MAX_PROBES; probe++)
	{
		const MdrModelPhrase *phrase = &tables->phrases[(slot + probe) & tables->phrase_mask];

		if (phrase->groups == 0 || phrase->hash == hash)
			return phrase->groups;
	}
	return 0;
}

/* A word of a text. */
typedef struct MdrToken
{
	uint64_t	hash;
	const char *at;				/* NULL when the word is not written like that: it is in the vocabulary */
	uint32_t	length;			/* bytes */
	bool		linked;			/* the word before it is of the same sentence */
} MdrToken;

#define MDR_MAX_TOKENS 256
#define MDR_MAX_ROWS 1024

/* About MDR_BLOCK_CHARACTERS of a text as features. */
typedef struct MdrBlock
{
	uint32_t	start;			/* bytes of the text */
	uint32_t	end;
	uint32_t	letters;		/* of alphabets */
	uint32_t	han;			/* characters of scripts without spaces, and Hangul */
	uint32_t	ideographs;		/* of these, Han itself */
	uint32_t	ntokens;
	uint32_t	nwords;
	uint32_t	nrows;
	uint32_t	nphrases;
	MdrToken	tokens[MDR_MAX_TOKENS];
	uint32_t	words[MDR_MAX_TOKENS];	/* of the vocabulary */
	uint32_t	rows[MDR_MAX_ROWS];	/* what is not in the vocabulary, and pairs */
	uint32_t	phrases[MDR_MAX_TOKENS];	/* their groups */
} MdrBlock;

/* A text on its way into blocks. */
typedef struct MdrBlocks
{
	MdrTables	tables;
	const char *begin;
	const char *at;
	const char *end;
	uint64_t	before[MDR_LONGEST_PHRASE - 1]; /* hashes of the words before, the last first; 0 = none */
	bool		linked;			/* nothing has ended the sentence since */
	uint32_t	han[MDR_HAN_KEPT];	/* the last characters of a script without spaces: the i-th is at i % MDR_HAN_KEPT */
	uint32_t	nhan;			/* how many there were since the last word or end of a clause */
	uint32_t	gap;			/* separators since */
	const char *tried;			/* up to here, signs were tried as letters in vain */
	const char *tried_spread;	/* and letters as spread ones */
} MdrBlocks;

extern void mdr_blocks_start(MdrBlocks *blocks, const MdrTables *tables, const char *bytes, size_t length);
extern bool mdr_blocks_next(MdrBlocks *blocks, MdrBlock *block);	/* false at the end of the text */

/* Classes of ASCII. */
#define MDR_LETTER 1
#define MDR_DIGIT 2
#define MDR_ENDS 4				/* ends what words are paired in */
#define MDR_ENDS_HAN 8			/* ends what Han characters are put together in */
#define MDR_SIGN 16				/* may stand for a letter */
#define MDR_GAP 32				/* may spread letters */
extern const uint8_t mdr_model_ascii[128];

static inline bool
mdr_model_is(char byte, uint8_t classes)
{
	return (signed char) byte >= 0 && (mdr_model_ascii[(unsigned char) byte] & classes) != 0;
}

/*
 * model_words.c: disguises.  A word as the vocabulary knows it, its digits and signs read as letters and its stretched letters put
 * right: its number, or -1.
 */
extern int32_t mdr_words_undisguise(const MdrTables *tables, const char *word, size_t length);

/* Letters spread from at on: the words they make, at most MDR_LONGEST_WORD, 0 when there are none; *after is behind the last of them. */
extern uint32_t mdr_words_spread(const MdrTables *tables, const char *at, const char *end, uint32_t *words, const char **after);

#endif							/* MDR_MODEL_PARTS_H */
