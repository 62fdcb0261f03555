/*
 * model_train.h
 *		A trainer: what the files of src/model that train share; private to the stage.
 */
#ifndef MDR_MODEL_TRAIN_H
#define MDR_MODEL_TRAIN_H

#include "model/model_parts.h"

/* A text to train on. */
typedef struct MdrSample
{
	const char *bytes;			/* its beginning */
	uint32_t	length;
	uint32_t	positive;
	uint32_t	negative;
	uint32_t	weak;
	float		weight;
	const float *offset;
} MdrSample;

/* A word of the texts or of the lexicon; in a table by hash, where one of hash 0 is an empty place. */
typedef struct MdrLexeme
{
	uint64_t	hash;
	const char *at;
	uint32_t	length;
	uint32_t	count;			/* in the texts */
	uint32_t	groups;			/* of the lexicon */
	bool		ends_phrase;	/* of the lexicon */
} MdrLexeme;

typedef struct MdrLexemes
{
	MdrLexeme  *items;
	size_t		mask;			/* places - 1 */
	size_t		count;
} MdrLexemes;

struct MdrTrainer
{
	MdrArena   *arena;
	MdrTraining training;
	char		names[MDR_LANES][32];
	MdrSample  *samples;
	size_t		nsamples;
	size_t		capacity;
	MdrLexemes	lexemes;
	MdrLexemes	phrases;		/* of the lexicon; by their own hashes */
	uint64_t	phrase_ends[1 << (MDR_END_BITS - 6)];
};

/* The word, put into the table when it is new; NULL when out of memory. */
extern MdrLexeme *mdr_lexeme(MdrArena *arena, MdrLexemes *lexemes, uint64_t hash, const char *at, uint32_t length);

/* Tables of a model without words, to find a text's words with. */
extern MdrTables mdr_no_tables(void);

/* A model's block with its vocabulary and no weights yet, and how the vocabulary's words are written. */
typedef struct MdrLayout
{
	char	   *bytes;
	size_t		length;
	MdrModel	model;
	const MdrLexeme *words;		/* in the order of the vocabulary */
} MdrLayout;

extern MdrStatus mdr_lay_out(MdrTrainer *trainer, MdrLayout *layout, MdrError *error);

/*
 * The features of a vocabulary's word; at most MDR_LONGEST_KNOWN + 2.  The word itself has a row that is not in the table, behind its
 * 2^bits rows: it is only laid down in the word's sums.
 */
extern uint32_t mdr_lexeme_rows(unsigned bits, const MdrLexeme *word, uint32_t number, uint32_t *rows);

/* Weights of a row, and what AdaGrad keeps of them. */
typedef struct MdrWeights
{
	float		weight[MDR_LANES];
	float		squares[MDR_LANES];
} MdrWeights;

/* Writes weights into a layout: rows as bytes, with the tags of the features they belong to; sums of the vocabulary's words. */
extern MdrStatus mdr_lay_weights(const MdrTrainer *trainer, MdrLayout *layout, const MdrWeights *rows, const uint8_t *tags,
								 const MdrWeights *groups, const float *bias);

#endif							/* MDR_MODEL_TRAIN_H */
