/*
 * model_read.c
 *		Reads a text with a model: the highest logit of each head in any window.
 *
 * A block's rows are summed in 16 bits, even heads apart from odd ones, and every MDR_PENDING features into 32 bits; a window is a
 * block and the one before it, so that windows overlap by half and nothing is cut in two.  A text of one block is one window.  Sums
 * are of whole numbers, and so the same on every machine.
 *
 * Input: a plain view.  Output: a reading.  Locks: none.  Memory: some 20 KB of stack.  Errors: none.
 */
#include "model/model_parts.h"

#include <math.h>

typedef uint16_t Eight __attribute__((vector_size(16)));
typedef int16_t EightSigned __attribute__((vector_size(16)));
typedef uint16_t Four __attribute__((vector_size(8)));
typedef int16_t FourSigned __attribute__((vector_size(8)));

#define FAINTEST (-7.0f)		/* logit of a score of .0009 */
#define LANES MDR_LANES

/* What the features of a block sum up to. */
typedef struct Sums
{
	int32_t		lanes[LANES];	/* in the order of mdr_model_lane() */
	uint32_t	nfeatures;
	uint16_t	groups[MDR_MAX_GROUPS];
	uint32_t	start;
	uint32_t	end;
	uint32_t	letters;
	uint32_t	han;
	uint32_t	ideographs;
} Sums;

/* Sixteen heads in two vectors, eight in two short ones. */
typedef struct Pending
{
	Eight		even;
	Eight		odd;
	Four		last_even;
	Four		last_odd;
} Pending;

static inline void
add_row(Pending *pending, const int8_t *row, uint8_t tag)
{
	const uint16_t mask = (uint8_t) row[MDR_ROW_BYTES - 1] == tag ? 0xFFFF : 0;
	Eight		heads;
	Four		last;

	memcpy(&heads, row, sizeof(heads));
	memcpy(&last, row + sizeof(heads), sizeof(last));
	heads &= mask;
	last &= mask;
	pending->even += (Eight) ((EightSigned) (heads << 8) >> 8);
	pending->odd += (Eight) ((EightSigned) heads >> 8);
	pending->last_even += (Four) ((FourSigned) (last << 8) >> 8);
	pending->last_odd += (Four) ((FourSigned) last >> 8);
}

static inline void
add_word(Pending *pending, const MdrModelWord *word)
{
	Pending		sums;

	memcpy(&sums, word->sums, sizeof(word->sums));
	pending->even += sums.even;
	pending->odd += sums.odd;
	pending->last_even += sums.last_even;
	pending->last_odd += sums.last_odd;
}

static void
flush(Pending *pending, Sums *sums)
{
	int16_t		lanes[LANES];

	memcpy(lanes, pending, sizeof(lanes));
	for (int i = 0; i < LANES; i++)
		sums->lanes[i] += lanes[i];
	memset(pending, 0, sizeof(*pending));
}

static void
sum_block(const MdrTables *tables, const MdrBlock *block, Sums *sums)
{
	Pending		pending;
	uint32_t	npending = 0;

	memset(&pending, 0, sizeof(pending));
	memset(sums, 0, sizeof(*sums));
	sums->start = block->start;
	sums->end = block->end;
	sums->letters = block->letters;
	sums->han = block->han;
	sums->ideographs = block->ideographs;
	sums->nfeatures = block->nrows;
	for (uint32_t i = 0; i < block->nwords; i++)
	{
		const MdrModelWord *word = &tables->words[block->words[i]];

		if (npending + word->nfeatures > MDR_PENDING)
		{
			flush(&pending, sums);
			npending = 0;
		}
		npending += word->nfeatures;
		add_word(&pending, word);
		sums->nfeatures += word->nfeatures;
		for (uint32_t groups = word->groups; groups != 0; groups &= groups - 1)
			sums->groups[__builtin_ctz(groups)]++;
	}
	for (uint32_t i = 0; i < block->nphrases; i++)
		for (uint32_t groups = block->phrases[i]; groups != 0; groups &= groups - 1)
			sums->groups[__builtin_ctz(groups)]++;
	for (uint32_t i = 0; i < block->nrows;)
	{
		uint32_t	end = i + (MDR_PENDING - npending);

		for (end = end < block->nrows ? end : block->nrows; i < end; i++)
			add_row(&pending, tables->rows + (size_t) MDR_ROW(block->rows[i]) * MDR_ROW_BYTES, MDR_TAG(block->rows[i]));
		flush(&pending, sums);
		npending = 0;
	}
	if (npending > 0)
		flush(&pending, sums);
}

uint32_t
mdr_model_group_features(uint32_t ngroups, const uint16_t *counts, uint16_t *features)
{
	uint32_t	seen[MDR_MAX_GROUPS];
	uint32_t	nseen = 0,
				n = 0;

	for (uint32_t group = 0; group < ngroups; group++)
	{
		if (counts[group] == 0)
			continue;
		for (uint32_t level = 0; level < MDR_GROUP_LEVELS && counts[group] >= 1 << level; level++)
			features[n++] = group * MDR_GROUP_LEVELS + level;
		for (uint32_t i = 0; i < nseen; i++)
			features[n++] = mdr_model_group_pair(ngroups, seen[i], group);
		seen[nseen++] = group;
	}
	return n;
}

/* A character that is a word or half of one weighs as two letters. */
static MdrScript
script_of(uint32_t letters, uint32_t han, uint32_t ideographs)
{
	if (han * 2 < letters)
		return MDR_SCRIPT_OTHER;
	return (han - ideographs) * 4 < ideographs ? MDR_SCRIPT_HAN : MDR_SCRIPT_UNSPACED;
}

/* Raises the reading by a window of two blocks; before may be one without features. */
static void
read_window(const MdrModelHeader *header, const MdrTables *tables, const Sums *before, const Sums *block, MdrReading *reading)
{
	uint32_t	nfeatures = before->nfeatures + block->nfeatures;
	MdrScript	script = script_of(before->letters + block->letters, before->han + block->han, before->ideographs + block->ideographs);
	float		logits[LANES];
	float		norm;
	uint16_t	counts[MDR_MAX_GROUPS],
				features[MDR_MAX_GROUP_FEATURES];
	uint32_t	any = 0;

	if (nfeatures == 0)
		return;
	reading->nwindows++;
	norm = 1 / sqrtf((float) nfeatures + header->damping);
	for (uint32_t head = 0; head < LANES; head++)
	{
		uint32_t	lane = mdr_model_lane(head);

		logits[head] = header->bias[head] + header->scale[head] * norm * (float) (before->lanes[lane] + block->lanes[lane]);
	}
	for (uint32_t group = 0; group < tables->ngroups; group++)
		any |= counts[group] = before->groups[group] + block->groups[group];
	if (any != 0)
		for (uint32_t i = 0, n = mdr_model_group_features(tables->ngroups, counts, features); i < n; i++)
			for (uint32_t head = 0; head < LANES; head++)
				logits[head] += tables->groups[(size_t) features[i] * LANES + head];
	for (uint32_t head = 0; head < header->nheads; head++)
	{
		if (!(logits[head] > reading->logit[head]))
			continue;
		reading->logit[head] = logits[head];
		reading->start[head] = before->nfeatures > 0 ? before->start : block->start;
		reading->end[head] = block->end;
		reading->script[head] = script;
	}
}

void
mdr_model_start(MdrReading *reading)
{
	memset(reading, 0, sizeof(*reading));
	for (int head = 0; head < MDR_MODEL_MAX_HEADS; head++)
		reading->logit[head] = -INFINITY;
}

void
mdr_model_read(const MdrModel *model, const MdrText *plain, MdrReading *reading)
{
	MdrTables	tables = mdr_model_tables(model);
	MdrBlocks	blocks;
	MdrBlock	block;
	Sums		sums[2];
	uint32_t	nblocks = 0;

	memset(sums, 0, sizeof(sums));
	mdr_blocks_start(&blocks, &tables, plain->bytes, plain->length);
	while (mdr_blocks_next(&blocks, &block))
	{
		if (block.nwords + block.nrows == 0)
			continue;
		reading->halfwords += 2 * block.ntokens + block.han;
		sum_block(&tables, &block, &sums[nblocks % 2]);
		if (nblocks > 0)
			read_window(model->header, &tables, &sums[(nblocks + 1) % 2], &sums[nblocks % 2], reading);
		nblocks++;
	}
	if (nblocks == 1)
		read_window(model->header, &tables, &sums[1], &sums[0], reading);
}

/* A Gaussian's highest of n is about log(n) / 3 deviations higher where one in a thousand lies: the slope of its tail there. */
float
mdr_model_length_cost(const MdrReading *reading)
{
	uint32_t	n = reading->nwindows < MDR_MODEL_MOST_WINDOWS ? reading->nwindows : MDR_MODEL_MOST_WINDOWS;

	return n > 1 ? MDR_MODEL_LENGTH_FACTOR * logf((float) n) : 0;
}

float
mdr_model_score(const MdrModel *model, const MdrReading *reading, uint32_t head)
{
	const MdrModelScore *score = &model->header->scores[reading->script[head]][head];
	float		z = score->constant + score->self * reading->logit[head]
		+ (model->any >= 0 && score->any != 0 ? score->any * reading->logit[model->any] : 0);
	float		result;

	/* Most scores of most texts: not worth a logarithm and an exponential function.  No number is no score, either. */
	if (z > FAINTEST)
		z -= mdr_model_length_cost(reading);
	if (!(reading->logit[head] > -INFINITY) || !(z > FAINTEST) || reading->halfwords < MDR_MODEL_FEWEST_HALFWORDS)
		return 0;
	result = 1 / (1 + expf(-z));
	return result < 1 ? result : 1;
}
