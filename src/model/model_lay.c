/*
 * model_lay.c
 *		Lays a model out: chooses the vocabulary, indexes it, and writes weights into it.
 *
 * The vocabulary is the words of the lexicon and the most frequent ones of the texts.  Words that look like a disguise, with digits
 * among letters or a letter three times in a row, are left out, so that they are read as what they stand for.
 *
 * Input: a trainer; weights.  Output: a model's block of bytes.  Locks: none.  Memory: the trainer's arena.  Errors: MDR_NO_MEMORY;
 * MDR_INVALID when the vocabulary cannot be indexed.
 */
#include "model/model_train.h"

#include <math.h>

#define MIN_COUNT 3				/* times that a word must occur */
#define MAX_COST 39

MdrLexeme *
mdr_lexeme(MdrTrainer *trainer, uint64_t hash, const char *at, uint32_t length)
{
	MdrLexemes *lexemes = &trainer->lexemes;
	size_t		place;

	if (lexemes->items == NULL || lexemes->count * 2 > lexemes->mask)
	{
		MdrLexemes	grown = {.mask = lexemes->items == NULL ? 4095 : lexemes->mask * 2 + 1};

		grown.items = mdr_alloc_array(trainer->arena, grown.mask + 1, sizeof(MdrLexeme));
		if (grown.items == NULL)
			return NULL;
		for (size_t i = 0; lexemes->items != NULL && i <= lexemes->mask; i++)
		{
			if (lexemes->items[i].hash == 0)
				continue;
			for (place = lexemes->items[i].hash & grown.mask; grown.items[place].hash != 0;)
				place = (place + 1) & grown.mask;
			grown.items[place] = lexemes->items[i];
			grown.count++;
		}
		*lexemes = grown;
	}
	for (place = hash & lexemes->mask; lexemes->items[place].hash != 0; place = (place + 1) & lexemes->mask)
		if (lexemes->items[place].hash == hash)
			return &lexemes->items[place];
	lexemes->items[place] = (MdrLexeme)
	{
		.hash = hash,.at = at,.length = length
	};
	lexemes->count++;
	return &lexemes->items[place];
}

uint32_t
mdr_lexeme_rows(unsigned shift, const MdrLexeme *word, uint32_t *rows)
{
	rows[0] = mdr_model_row_of_word(shift, word->hash);
	return 1 + mdr_model_grams(shift, word->at, word->length, rows + 1);
}

/* Counts the words of all texts. */
static MdrStatus
count_words(MdrTrainer *trainer)
{
	static const uint32_t nothing[2];
	static const int8_t no_rows[2 * MDR_ROW_BYTES];
	MdrTables	tables = {.index = nothing,.rows = no_rows,.index_shift = 63,.index_mask = 1,.row_shift = 63};
	MdrBlock   *block = mdr_alloc(trainer->arena, sizeof(MdrBlock));

	if (block == NULL)
		return MDR_NO_MEMORY;
	for (size_t i = 0; i < trainer->nsamples; i++)
	{
		MdrBlocks	blocks;

		mdr_blocks_start(&blocks, &tables, trainer->samples[i].bytes, trainer->samples[i].length);
		while (mdr_blocks_next(&blocks, block))
			for (uint32_t t = 0; t < block->ntokens; t++)
			{
				const MdrToken *token = &block->tokens[t];
				MdrLexeme  *lexeme = mdr_lexeme(trainer, token->hash, token->at, token->length);

				if (lexeme == NULL)
					return MDR_NO_MEMORY;
				lexeme->count++;
			}
	}
	return MDR_OK;
}

/* Whether a word may be in the vocabulary. */
static bool
fit_to_know(const MdrLexeme *word)
{
	bool		letters = false,
				digits = false;

	if (word->hash == 0 || word->length > MDR_LONGEST_KNOWN || (word->count < MIN_COUNT && word->groups == 0))
		return false;
	for (uint32_t i = 0; i < word->length; i++)
	{
		if (mdr_model_is(word->at[i], MDR_DIGIT))
			digits = true;
		else
			letters = true;
		if (i >= 2 && word->at[i] == word->at[i - 1] && word->at[i] == word->at[i - 2] && letters)
			return false;
	}
	return !(letters && digits);
}

/* The lexicon's words first, then the more frequent ones. */
static int
compare_words(const void *left, const void *right)
{
	const MdrLexeme *a = left,
			   *b = right;

	if ((a->groups != 0) != (b->groups != 0))
		return a->groups != 0 ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static int
compare_counts(const void *left, const void *right)
{
	const MdrLexeme *a = left,
			   *b = right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* The words that the model will know, the most frequent first. */
static MdrStatus
choose_words(MdrTrainer *trainer, MdrLexeme **words, uint32_t *nwords, uint64_t *total)
{
	const MdrLexemes *lexemes = &trainer->lexemes;
	MdrLexeme  *chosen = mdr_alloc_array(trainer->arena, lexemes->count + 1, sizeof(MdrLexeme));
	size_t		n = 0;
	MdrStatus	status;

	if (chosen == NULL)
		return MDR_NO_MEMORY;
	*total = 1;
	for (size_t i = 0; lexemes->items != NULL && i <= lexemes->mask; i++)
	{
		*total += lexemes->items[i].count;
		if (fit_to_know(&lexemes->items[i]))
			chosen[n++] = lexemes->items[i];
	}
	status = mdr_sort(trainer->arena, chosen, n, sizeof(MdrLexeme), compare_words, trainer->training.interrupted,
					  trainer->training.context);
	if (status != MDR_OK)
		return status;
	*nwords = n < trainer->training.words ? n : trainer->training.words;
	*words = chosen;
	return mdr_sort(trainer->arena, chosen, *nwords, sizeof(MdrLexeme), compare_counts, trainer->training.interrupted,
					trainer->training.context);
}

/* Twice the bits of count in total: what is multiplied by the root of 2 that often. */
static uint8_t
cost_of(uint64_t count, uint64_t total)
{
	uint8_t		cost = 1;

	for (count = (count == 0 ? 1 : count) * 128, total *= 128; count < total && cost < MAX_COST; cost++)
		count = count * 181 / 128;
	return cost;
}

/* Puts all words into an index of 2^bits; false when one would be too far off. */
static bool
index_words(uint32_t *index, unsigned bits, const MdrModelWord *words, uint32_t nwords)
{
	uint32_t	mask = ((uint32_t) 1 << bits) - 1;

	memset(index, 0, sizeof(uint32_t) << bits);
	for (uint32_t i = 0; i < nwords; i++)
	{
		uint32_t	slot = (uint32_t) (words[i].hash >> (64 - bits));
		int			probe = 0;

		while (index[(slot + probe) & mask] != 0)
			if (++probe == MDR_MAX_PROBES)
				return false;
		index[(slot + probe) & mask] = (uint32_t) (words[i].hash & 0xFFFF) << 16 | (i + 1);
	}
	return true;
}

static size_t
place_section(size_t *length, size_t size)
{
	size_t		offset = *length;

	*length = (offset + size + 63) / 64 * 64;
	return offset;
}

/* A block with room for everything, and a header that says where. */
static MdrModelHeader *
make_block(MdrTrainer *trainer, uint32_t nwords, unsigned index_bits)
{
	const MdrTraining *training = &trainer->training;
	size_t		length = (sizeof(MdrModelHeader) + 63) / 64 * 64;
	MdrModelHeader header = {
		.magic = MDR_MODEL_MAGIC,.format = MDR_MODEL_FORMAT,.byte_order = MDR_MODEL_BYTE_ORDER,.nheads = training->nheads,
		.row_bits = training->bits,.index_bits = index_bits,.nwords = nwords,.ngroups = training->ngroups,.damping = training->damping
	};
	MdrModelHeader *block;

	header.rows = place_section(&length, (size_t) MDR_ROW_BYTES << header.row_bits);
	header.index = place_section(&length, sizeof(uint32_t) << index_bits);
	header.words = place_section(&length, nwords * sizeof(MdrModelWord));
	header.groups = place_section(&length, mdr_model_group_rows(header.ngroups) * MDR_MODEL_MAX_HEADS * sizeof(float));
	header.length = length;
	memcpy(header.names, trainer->names, sizeof(header.names));
	for (int script = 0; script < 2; script++)
		for (int head = 0; head < MDR_MODEL_MAX_HEADS; head++)
			header.scores[script][head].constant = -INFINITY;
	block = mdr_alloc(trainer->arena, length);
	if (block != NULL)
		*block = header;
	return block;
}

MdrStatus
mdr_lay_out(MdrTrainer *trainer, MdrLayout *layout, MdrError *error)
{
	MdrLexeme  *words;
	uint32_t	nwords;
	uint64_t	total;
	unsigned	bits = 8;
	MdrModelHeader *header;
	MdrModelWord *laid;
	MdrTables	lexicon = {0};
	MdrStatus	status = count_words(trainer);

	if (status == MDR_OK)
		status = choose_words(trainer, &words, &nwords, &total);
	if (status != MDR_OK)
		return mdr_fail(error, status, 0, 0, status == MDR_INTERRUPTED ? "interrupted" : "out of memory");
	if (trainer->training.lexicon != NULL)
		lexicon = mdr_model_tables(trainer->training.lexicon);
	while ((size_t) 1 << bits < (size_t) nwords * 3 / 2)
		bits++;
	for (;; bits++)
	{
		if (bits > 20)
			return mdr_fail(error, MDR_INVALID, 0, 0, "the vocabulary cannot be indexed");
		if ((header = make_block(trainer, nwords, bits)) == NULL)
			return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
		laid = (MdrModelWord *) ((char *) header + header->words);
		for (uint32_t i = 0; i < nwords; i++)
		{
			uint32_t	rows[MDR_LONGEST_WORD + 2];
			int32_t		known = trainer->training.lexicon == NULL ? -1 : mdr_model_find(&lexicon, words[i].hash);

			laid[i] = (MdrModelWord)
			{
				.hash = words[i].hash,.groups = known >= 0 ? lexicon.words[known].groups : words[i].groups,
					.nfeatures = mdr_lexeme_rows(64 - header->row_bits, &words[i], rows),.cost = cost_of(words[i].count, total)
			};
		}
		if (index_words((uint32_t *) ((char *) header + header->index), bits, laid, nwords))
			break;
	}
	layout->bytes = (char *) header;
	layout->length = header->length;
	layout->words = words;
	return mdr_model_open(layout->bytes, layout->length, &layout->model, error);
}

void
mdr_lay_weights(const MdrTrainer *trainer, MdrLayout *layout, const MdrWeights *rows, const MdrWeights *groups, const float *bias)
{
	MdrModelHeader *header = (MdrModelHeader *) layout->bytes;
	MdrModelWord *words = (MdrModelWord *) (layout->bytes + header->words);
	int8_t	   *bytes = (int8_t *) (layout->bytes + header->rows);
	float	   *floats = (float *) (layout->bytes + header->groups);

	for (uint32_t head = 0; head < header->nheads; head++)
	{
		float		highest = 0;

		for (size_t row = 0; row < (size_t) 1 << header->row_bits; row++)
			if (fabsf(rows[row].weight[head]) > highest)
				highest = fabsf(rows[row].weight[head]);
		header->bias[head] = bias[head];
		header->scale[head] = highest > 0 ? highest / 127 : 1;
		for (size_t row = 0; row < (size_t) 1 << header->row_bits; row++)
		{
			float		steps = rows[row].weight[head] / header->scale[head];

			bytes[row * MDR_ROW_BYTES + head] = (int8_t) (steps < 0 ? steps - 0.5f : steps + 0.5f);
		}
		for (size_t row = 0; row < mdr_model_group_rows(header->ngroups); row++)
			floats[row * MDR_MODEL_MAX_HEADS + head] = groups[row].weight[head] * trainer->training.lexicon_value;
	}
	for (uint32_t i = 0; i < header->nwords; i++)
	{
		uint32_t	of_word[MDR_LONGEST_WORD + 2];
		uint32_t	n = mdr_lexeme_rows(64 - header->row_bits, &layout->words[i], of_word);

		for (uint32_t head = 0; head < header->nheads; head++)
		{
			int			sum = 0;

			for (uint32_t r = 0; r < n; r++)
				sum += bytes[(size_t) of_word[r] * MDR_ROW_BYTES + head];
			words[i].sums[mdr_model_lane(head)] = sum;
		}
	}
}

void
mdr_model_calibrate(char *bytes, uint32_t head, MdrScript script, float self, float any, float constant)
{
	((MdrModelHeader *) bytes)->scores[script][head] = (MdrModelScore)
	{
		self, any, constant
	};
}
