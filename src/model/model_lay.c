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
#define CUT 10000				/* one weight in so many is cut to what a byte can hold */

uint32_t
mdr_lexeme_rows(unsigned bits, const MdrLexeme *word, uint32_t number, uint32_t *rows)
{
	rows[0] = (((uint32_t) 1 << bits) + number) << MDR_TAG_BITS;
	return 1 + mdr_model_grams(64 - MDR_TAG_BITS - bits, word->at, word->length, rows + 1);
}

/* Counts the words of all texts. */
static MdrStatus
count_words(MdrTrainer *trainer)
{
	MdrTables	tables = mdr_no_tables();
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
				MdrLexeme  *lexeme = mdr_lexeme(trainer->arena, &trainer->lexemes, token->hash, token->at, token->length);

				if (lexeme == NULL)
					return MDR_NO_MEMORY;
				lexeme->count++;
			}
	}
	return MDR_OK;
}

static bool
of_lexicon(const MdrLexeme *word)
{
	return word->groups != 0 || word->ends_phrase;
}

/* Whether a word may be in the vocabulary. */
static bool
fit_to_know(const MdrLexeme *word)
{
	bool		letters = false,
				digits = false;

	if (word->hash == 0 || word->length > MDR_LONGEST_KNOWN || (word->count < MIN_COUNT && !of_lexicon(word)))
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

	if (of_lexicon(a) != of_lexicon(b))
		return of_lexicon(a) ? -1 : 1;
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

/* Puts the lexicon's phrases into a table of 2^bits places; false when one would be too far off. */
static bool
place_phrases(MdrModelPhrase *places, unsigned bits, const MdrLexemes *phrases)
{
	uint32_t	mask = ((uint32_t) 1 << bits) - 1;

	memset(places, 0, sizeof(MdrModelPhrase) << bits);
	for (size_t i = 0; phrases->items != NULL && i <= phrases->mask; i++)
	{
		const MdrLexeme *phrase = &phrases->items[i];
		uint32_t	slot = (uint32_t) (phrase->hash >> (64 - bits));
		int			probe = 0;

		if (phrase->hash == 0)
			continue;
		while (places[(slot + probe) & mask].groups != 0)
			if (++probe == MDR_MAX_PROBES)
				return false;
		places[(slot + probe) & mask] = (MdrModelPhrase)
		{
			.hash = phrase->hash,.groups = phrase->groups
		};
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

/* Bits of a table with places for so many items. */
static unsigned
bits_for(size_t items)
{
	unsigned	bits = 8;

	while ((size_t) 1 << bits < items * 3 / 2)
		bits++;
	return bits;
}

/* A block with room for everything, and a header that says where. */
static MdrModelHeader *
make_block(MdrTrainer *trainer, uint32_t nwords, unsigned index_bits, unsigned phrase_bits)
{
	const MdrTraining *training = &trainer->training;
	size_t		length = (sizeof(MdrModelHeader) + 63) / 64 * 64;
	MdrModelHeader header = {
		.format = MDR_MODEL_FORMAT,.byte_order = MDR_MODEL_BYTE_ORDER,.nheads = training->nheads,
		.row_bits = training->bits,.index_bits = index_bits,.nwords = nwords,.ngroups = training->ngroups,.phrase_bits = phrase_bits,
		.damping = training->damping
	};
	MdrModelHeader *block;

	memcpy(header.magic, MDR_MODEL_MAGIC, sizeof(header.magic));
	header.rows = place_section(&length, (size_t) MDR_ROW_BYTES << header.row_bits);
	header.index = place_section(&length, sizeof(uint32_t) << index_bits);
	header.words = place_section(&length, nwords * sizeof(MdrModelWord));
	header.phrases = place_section(&length, sizeof(trainer->phrase_ends) + (sizeof(MdrModelPhrase) << phrase_bits));
	header.groups = place_section(&length, mdr_model_group_rows(header.ngroups) * MDR_LANES * sizeof(float));
	header.length = length;
	memcpy(header.names, trainer->names, sizeof(header.names));
	for (int script = 0; script < MDR_NSCRIPTS; script++)
		for (int head = 0; head < MDR_LANES; head++)
			header.scores[script][head].constant = -INFINITY;
	block = mdr_alloc(trainer->arena, length);
	if (block != NULL)
		*block = header;
	return block;
}

/* Writes the vocabulary, without weights. */
static void
lay_words(const MdrTrainer *trainer, MdrModelHeader *header, const MdrLexeme *words, uint64_t total)
{
	MdrModelWord *laid = (MdrModelWord *) ((char *) header + header->words);

	for (uint32_t i = 0; i < header->nwords; i++)
	{
		uint32_t	rows[MDR_LONGEST_WORD + 2];

		laid[i] = (MdrModelWord)
		{
			.hash = words[i].hash,.groups = words[i].groups,.nfeatures = mdr_lexeme_rows(header->row_bits, &words[i], i, rows),
				.cost = cost_of(words[i].count, total),.ends_phrase = words[i].ends_phrase
		};
	}
	memcpy((char *) header + header->phrases, trainer->phrase_ends, sizeof(trainer->phrase_ends));
}

/* Takes the lexicon from another model: groups of the words that are known here as well, and all phrases. */
static MdrStatus
take_lexicon(MdrTrainer *trainer)
{
	const MdrTables lexicon = mdr_model_tables(trainer->training.lexicon);

	for (size_t i = 0; trainer->lexemes.items != NULL && i <= trainer->lexemes.mask; i++)
	{
		MdrLexeme  *lexeme = &trainer->lexemes.items[i];
		int32_t		known = lexeme->hash == 0 ? -1 : mdr_model_find(&lexicon, lexeme->hash);

		if (known < 0)
			continue;
		lexeme->groups = lexicon.words[known].groups;
		lexeme->ends_phrase = lexicon.words[known].ends_phrase != 0;
	}
	memcpy(trainer->phrase_ends, lexicon.phrase_ends, sizeof(trainer->phrase_ends));
	for (uint32_t i = 0; i <= lexicon.phrase_mask; i++)
	{
		MdrLexeme  *phrase;

		if (lexicon.phrases[i].groups == 0 || lexicon.phrases[i].hash == 0)
			continue;
		if ((phrase = mdr_lexeme(trainer->arena, &trainer->phrases, lexicon.phrases[i].hash, NULL, 0)) == NULL)
			return MDR_NO_MEMORY;
		phrase->groups = lexicon.phrases[i].groups;
	}
	return MDR_OK;
}

MdrStatus
mdr_lay_out(MdrTrainer *trainer, MdrLayout *layout, MdrError *error)
{
	MdrLexeme  *words;
	uint32_t	nwords;
	uint64_t	total;
	unsigned	index_bits,
				phrase_bits;
	MdrModelHeader *header;
	bool		placed;
	MdrStatus	status = count_words(trainer);

	if (status == MDR_OK && trainer->training.lexicon != NULL)
		status = take_lexicon(trainer);
	if (status == MDR_OK)
		status = choose_words(trainer, &words, &nwords, &total);
	if (status != MDR_OK)
		return mdr_fail(error, status, 0, 0, status == MDR_INTERRUPTED ? "interrupted" : "out of memory");
	phrase_bits = bits_for(trainer->phrases.count * 2);
	for (index_bits = bits_for(nwords);; index_bits++, phrase_bits++)
	{
		if (index_bits > 20 || phrase_bits > 20)
			return mdr_fail(error, MDR_INVALID, 0, 0, "the vocabulary cannot be indexed");
		if ((header = make_block(trainer, nwords, index_bits, phrase_bits)) == NULL)
			return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
		lay_words(trainer, header, words, total);
		placed = index_words((uint32_t *) ((char *) header + header->index), index_bits,
							 (MdrModelWord *) ((char *) header + header->words), nwords)
			&& place_phrases((MdrModelPhrase *) ((char *) header + header->phrases + sizeof(trainer->phrase_ends)), phrase_bits,
							 &trainer->phrases);
		if (placed)
			break;
	}
	layout->bytes = (char *) header;
	layout->length = header->length;
	layout->words = words;
	return mdr_model_open(layout->bytes, layout->length, &layout->model, error);
}

/* A weight as a byte. */
static int8_t
in_steps(float weight, float scale)
{
	float		steps = weight / scale;

	return (int8_t) (steps > 127 ? 127 : steps < -127 ? -127 : steps < 0 ? steps - 0.5f : steps + 0.5f);
}

static int
compare_floats(const void *left, const void *right)
{
	float		a = *(const float *) left,
				b = *(const float *) right;

	return (a > b) - (a < b);
}

/* Writes one head's weights as bytes.  The few largest are cut: what they would cost all others in precision is worth more. */
static MdrStatus
lay_head(const MdrTrainer *trainer, MdrModelHeader *header, uint32_t head, const MdrWeights *rows, float *sizes)
{
	int8_t	   *bytes = (int8_t *) header + header->rows;
	size_t		nrows = ((size_t) 1 << header->row_bits) + header->nwords,
				n = 0;
	MdrStatus	status;

	for (size_t row = 0; row < nrows; row++)
		if (rows[row].weight[head] != 0)
			sizes[n++] = fabsf(rows[row].weight[head]);
	status = mdr_sort(trainer->arena, sizes, n, sizeof(float), compare_floats, trainer->training.interrupted, trainer->training.context);
	if (status != MDR_OK)
		return status;
	header->scale[head] = n > 0 ? sizes[n - 1 - n / CUT] / 127 : 1;
	for (size_t row = 0; row < (size_t) 1 << header->row_bits; row++)
		bytes[row * MDR_ROW_BYTES + head] = in_steps(rows[row].weight[head], header->scale[head]);
	return MDR_OK;
}

MdrStatus
mdr_lay_weights(const MdrTrainer *trainer, MdrLayout *layout, const MdrWeights *rows, const uint8_t *tags, const MdrWeights *groups,
				const float *bias)
{
	MdrModelHeader *header = (MdrModelHeader *) layout->bytes;
	MdrModelWord *words = (MdrModelWord *) (layout->bytes + header->words);
	int8_t	   *bytes = (int8_t *) (layout->bytes + header->rows);
	float	   *floats = (float *) (layout->bytes + header->groups);
	size_t		nrows = (size_t) 1 << header->row_bits;
	float	   *sizes = mdr_alloc_array(trainer->arena, nrows + header->nwords, sizeof(float));

	if (sizes == NULL)
		return MDR_NO_MEMORY;
	for (size_t row = 0; row < nrows; row++)
		bytes[row * MDR_ROW_BYTES + MDR_ROW_BYTES - 1] = (int8_t) tags[row];
	for (uint32_t head = 0; head < header->nheads; head++)
	{
		MdrStatus	status = lay_head(trainer, header, head, rows, sizes);

		if (status != MDR_OK)
			return status;
		header->bias[head] = bias[head];
		for (size_t row = 0; row < mdr_model_group_rows(header->ngroups); row++)
			floats[row * MDR_LANES + head] = groups[row].weight[head] * trainer->training.lexicon_value;
	}
	for (uint32_t i = 0; i < header->nwords; i++)
	{
		uint32_t	of_word[MDR_LONGEST_WORD + 2];
		uint32_t	n = mdr_lexeme_rows(header->row_bits, &layout->words[i], i, of_word);

		for (uint32_t head = 0; head < header->nheads; head++)
		{
			int			sum = in_steps(rows[MDR_ROW(of_word[0])].weight[head], header->scale[head]);

			for (uint32_t r = 1; r < n; r++)
				if (tags[MDR_ROW(of_word[r])] == MDR_TAG(of_word[r]))
					sum += bytes[(size_t) MDR_ROW(of_word[r]) * MDR_ROW_BYTES + head];
			words[i].sums[mdr_model_lane(head)] = sum;
		}
	}
	return MDR_OK;
}

void
mdr_model_calibrate(char *bytes, uint32_t head, MdrScript script, float self, float any, float constant)
{
	((MdrModelHeader *) bytes)->scores[script][head] = (MdrModelScore)
	{
		self, any, constant
	};
}
