/*
 * model_train.c
 *		Learns a model's weights: logistic regression for each head on the features of the texts' first windows, by stochastic gradient
 *		with a rate for each weight (AdaGrad: Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011).
 *
 * A window's features have the value 1 / sqrt(their number), as when it is read; those of the lexicon have a value of their own.  A
 * head that a text says nothing about is left alone by it.  Everything is computed in one order with operations that IEEE 754 defines
 * to the bit (no library's exp, no contraction: see the Makefile), so that the same texts give the same model on every machine.
 *
 * Input: texts with labels.  Output: a model's block.  Locks: none.  Memory: the trainer's arena.  Errors: as the header says; the
 * trainer cannot be used again after one.
 */
#include "model/model_train.h"

#include <math.h>

#define KEPT_BYTES 4096			/* of a text */
#define POSITIVE_WINDOWS 2
#define OTHER_WINDOWS 3
#define ASK_EVERY 1024			/* windows between two looks at the interrupt */
#define BIAS_RATE 0.1f			/* of the rate */
#define AHEAD 12				/* rows asked for in advance */
#define LEAST_SEEN 3			/* times, for a feature to have a row */

/* What a window is to the trainer. */
typedef struct Window
{
	const MdrSample *sample;
	uint32_t   *rows;			/* at first features with their tags, then rows */
	const uint16_t *groups;		/* rows of the section of groups */
	uint32_t	nfeatures;		/* those that have no row included */
	uint32_t	nrows;
	uint32_t	ngroups;
} Window;

/* A block's features, its words' rows among them. */
typedef struct Features
{
	uint32_t	nrows;
	uint32_t	rows[MDR_MAX_TOKENS * (MDR_LONGEST_KNOWN + 2) + MDR_MAX_ROWS];
	uint16_t	groups[MDR_MAX_GROUPS];
} Features;

typedef struct Fit
{
	MdrTrainer *trainer;
	MdrLayout	layout;
	Window	   *windows;
	size_t		nwindows;
	MdrWeights *rows;			/* of the table, then of the vocabulary's words */
	uint8_t    *tags;			/* of the table's rows */
	MdrWeights *groups;
	MdrWeights	bias;
	MdrBlock	block;
	Features	features[2];
} Fit;

MdrStatus
mdr_trainer_create(MdrArena *arena, const MdrTraining *training, MdrTrainer **trainer, MdrError *error)
{
	if (training->nheads < 1 || training->nheads > MDR_MODEL_MAX_HEADS || training->bits < 10 || training->bits > 20
		|| training->words > 0xFFFF || training->ngroups > MDR_MAX_GROUPS || training->epochs < 1 || training->epochs > 100
		|| !(training->rate >= 0.01f && training->rate <= 10) || !(training->l2 >= 0 && training->l2 <= 1)
		|| !(training->damping >= 0 && training->damping <= 1000))
		return mdr_fail(error, MDR_INVALID, 0, 0, "a value of the training is out of range");
	*trainer = mdr_alloc(arena, sizeof(MdrTrainer));
	if (*trainer == NULL)
		return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	(*trainer)->arena = arena;
	(*trainer)->training = *training;
	if (training->lexicon != NULL)
		(*trainer)->training.ngroups = training->lexicon->header->ngroups;
	for (uint32_t head = 0; head < training->nheads; head++)
	{
		size_t		length = strlen(training->heads[head]);

		if (length < 1 || length >= sizeof((*trainer)->names[0]))
			return mdr_fail(error, MDR_INVALID, 0, 0, "a head's name is empty or too long");
		memcpy((*trainer)->names[head], training->heads[head], length);
	}
	return MDR_OK;
}

MdrStatus
mdr_trainer_add(MdrTrainer *trainer, const MdrText *plain, const MdrLabels *labels)
{
	MdrSample  *sample;
	uint32_t	length = plain->length;
	float	   *offset = NULL;

	if (trainer->nsamples == trainer->capacity)
	{
		size_t		capacity = trainer->capacity == 0 ? 1024 : trainer->capacity * 2;
		MdrSample  *grown = mdr_grow(trainer->arena, trainer->samples, trainer->nsamples * sizeof(MdrSample),
									 capacity * sizeof(MdrSample));

		if (grown == NULL)
			return MDR_NO_MEMORY;
		trainer->samples = grown;
		trainer->capacity = capacity;
	}
	if (length > KEPT_BYTES)
		for (length = KEPT_BYTES; length > 0 && (plain->bytes[length] & 0xC0) == 0x80;)
			length--;
	if (labels->offset != NULL)
	{
		offset = mdr_alloc(trainer->arena, MDR_MODEL_MAX_HEADS * sizeof(float));
		if (offset == NULL)
			return MDR_NO_MEMORY;
		memcpy(offset, labels->offset, trainer->training.nheads * sizeof(float));
	}
	sample = &trainer->samples[trainer->nsamples];
	*sample = (MdrSample)
	{
		mdr_strndup(trainer->arena, plain->bytes, length), length, labels->positive, labels->negative & ~labels->positive, labels->weak,
			labels->weight, offset
	};
	if (sample->bytes == NULL)
		return MDR_NO_MEMORY;
	trainer->nsamples++;
	return MDR_OK;
}

/* The features of the block that was read last. */
static void
collect(Fit *fit, const MdrTables *tables, Features *features)
{
	const MdrBlock *block = &fit->block;

	memset(features->groups, 0, sizeof(features->groups));
	memcpy(features->rows, block->rows, block->nrows * sizeof(uint32_t));
	features->nrows = block->nrows;
	for (uint32_t i = 0; i < block->nwords; i++)
	{
		features->nrows += mdr_lexeme_rows(fit->trainer->training.bits, &fit->layout.words[block->words[i]], block->words[i],
										   features->rows + features->nrows);
		for (uint32_t groups = tables->words[block->words[i]].groups; groups != 0; groups &= groups - 1)
			features->groups[__builtin_ctz(groups)]++;
	}
	for (uint32_t i = 0; i < block->nphrases; i++)
		for (uint32_t groups = block->phrases[i]; groups != 0; groups &= groups - 1)
			features->groups[__builtin_ctz(groups)]++;
}

/* Makes a window of one block or two. */
static MdrStatus
add_window(Fit *fit, const MdrSample *sample, uint32_t ngroups, const Features *first, const Features *second)
{
	static const Features none;
	MdrArena   *arena = fit->trainer->arena;
	Window	   *window = &fit->windows[fit->nwindows];
	uint16_t	counts[MDR_MAX_GROUPS],
				numbers[MDR_MAX_GROUP_FEATURES];
	uint32_t	n;
	uint32_t   *rows;
	uint16_t   *groups;

	if (second == NULL)
		second = &none;
	for (uint32_t group = 0; group < ngroups; group++)
		counts[group] = first->groups[group] + second->groups[group];
	n = mdr_model_group_features(ngroups, counts, numbers);
	rows = mdr_alloc_array(arena, first->nrows + second->nrows, sizeof(uint32_t));
	groups = mdr_alloc_array(arena, n, sizeof(uint16_t));
	if (rows == NULL || groups == NULL)
		return MDR_NO_MEMORY;
	memcpy(rows, first->rows, first->nrows * sizeof(uint32_t));
	memcpy(rows + first->nrows, second->rows, second->nrows * sizeof(uint32_t));
	memcpy(groups, numbers, n * sizeof(uint16_t));
	*window = (Window)
	{
		sample, rows, groups, first->nrows + second->nrows, first->nrows + second->nrows, n
	};
	fit->nwindows++;
	return MDR_OK;
}

/* Makes a text's first windows: its blocks two by two, the last one with the one before it when it is left over. */
static MdrStatus
add_windows(Fit *fit, const MdrSample *sample)
{
	MdrTables	tables = mdr_model_tables(&fit->layout.model);
	uint32_t	most = 2 * (sample->positive != 0 ? POSITIVE_WINDOWS : OTHER_WINDOWS),
				n = 0;
	MdrBlocks	blocks;
	MdrStatus	status = MDR_OK;

	mdr_blocks_start(&blocks, &tables, sample->bytes, sample->length);
	while (n < most && status == MDR_OK && mdr_blocks_next(&blocks, &fit->block))
	{
		if (fit->block.nwords + fit->block.nrows == 0)
			continue;
		collect(fit, &tables, &fit->features[n % 2]);
		if (++n % 2 == 0)
			status = add_window(fit, sample, tables.ngroups, &fit->features[0], &fit->features[1]);
	}
	if (status == MDR_OK && n % 2 == 1)
		status = add_window(fit, sample, tables.ngroups, &fit->features[0], n == 1 ? NULL : &fit->features[1]);
	return status;
}

/*
 * Gives each row to one of the features that meet there: the one seen most, those in texts of some harm counting twice.  What was hardly
 * seen gets none.
 */
static MdrStatus
choose_features(Fit *fit)
{
	size_t		nrows = (size_t) 1 << fit->trainer->training.bits;
	uint16_t   *seen = mdr_alloc_array(fit->trainer->arena, nrows << MDR_TAG_BITS, sizeof(uint16_t));
	bool	   *taken = mdr_alloc_array(fit->trainer->arena, nrows, sizeof(bool));

	fit->tags = mdr_alloc_array(fit->trainer->arena, nrows, sizeof(uint8_t));
	if (seen == NULL || taken == NULL || fit->tags == NULL)
		return MDR_NO_MEMORY;
	for (size_t w = 0; w < fit->nwindows; w++)
		for (uint32_t i = 0; i < fit->windows[w].nrows; i++)
		{
			uint32_t	feature = fit->windows[w].rows[i];

			if (MDR_ROW(feature) < nrows && seen[feature] < UINT16_MAX - 1)
				seen[feature] += fit->windows[w].sample->positive != 0 ? 2 : 1;
		}
	for (size_t row = 0; row < nrows; row++)
	{
		const uint16_t *of_row = seen + (row << MDR_TAG_BITS);

		for (int tag = 1; tag < 1 << MDR_TAG_BITS; tag++)
			if (of_row[tag] > of_row[fit->tags[row]])
				fit->tags[row] = tag;
		taken[row] = of_row[fit->tags[row]] >= LEAST_SEEN;
	}
	for (size_t w = 0; w < fit->nwindows; w++)
	{
		Window	   *window = &fit->windows[w];
		uint32_t	n = 0;

		for (uint32_t i = 0; i < window->nrows; i++)
		{
			uint32_t	row = MDR_ROW(window->rows[i]);

			if (row >= nrows || (taken[row] && fit->tags[row] == MDR_TAG(window->rows[i])))
				window->rows[n++] = row;
		}
		window->nrows = n;
	}
	return MDR_OK;
}

/* 1 / (1 + exp(-z)), to about eight digits: exp(-z) = 2^k * exp(r), r below ln 2, by its series. */
static double
logistic(double z)
{
	double		r,
				series = 1;
	int			k;
	union
	{
		uint64_t	bits;
		double		value;
	}			power;

	z = z > 30 ? -30 : z < -30 ? 30 : -z;
	k = (int) (z * 1.4426950408889634 + 1000) - 1000;
	r = z - k * 0.6931471805599453;
	for (int i = 11; i > 0; i--)
		series = 1 + series * r / i;
	power.bits = (uint64_t) (k + 1023) << 52;
	return 1 / (1 + series * power.value);
}

/* A step of the heads of one row. */
static inline void
step(MdrWeights *row, const float *gradient, const float *trained, float value, float l2, float rate)
{
	for (int head = 0; head < MDR_LANES; head++)
	{
		float		slope = gradient[head] * value + trained[head] * l2 * value * row->weight[head];

		row->squares[head] += slope * slope;
		row->weight[head] -= rate * slope / (sqrtf(row->squares[head]) + 1e-6f);
	}
}

static inline void
add_to(float *logits, const MdrWeights *row, float value)
{
	for (int head = 0; head < MDR_LANES; head++)
		logits[head] += row->weight[head] * value;
}

static void
learn(Fit *fit, const Window *window)
{
	const MdrTraining *training = &fit->trainer->training;
	const MdrSample *sample = window->sample;
	float		value = 1 / sqrtf((float) window->nfeatures + training->damping);
	float		logits[MDR_LANES] = {0};
	float		gradient[MDR_LANES] = {0};
	float		trained[MDR_LANES] = {0};

	for (uint32_t i = 0; i < window->nrows; i++)
	{
		if (i + AHEAD < window->nrows)
			for (int part = 0; part < 3; part++)
				__builtin_prefetch((const char *) &fit->rows[window->rows[i + AHEAD]] + 64 * part, 1);
		add_to(logits, &fit->rows[window->rows[i]], value);
	}
	for (uint32_t i = 0; i < window->ngroups; i++)
		add_to(logits, &fit->groups[window->groups[i]], training->lexicon_value);
	for (uint32_t head = 0; head < training->nheads; head++)
	{
		uint32_t	positive = sample->positive >> head & 1;
		double		z = (double) logits[head] + fit->bias.weight[head] + (sample->offset == NULL ? 0 : sample->offset[head]);

		if (!positive && !(sample->negative >> head & 1))
			continue;
		gradient[head] = (float) (logistic(z) - positive) * sample->weight * (sample->weak >> head & 1 ? 0.5f : 1);
		trained[head] = 1;
	}
	step(&fit->bias, gradient, trained, 1, 0, training->rate * BIAS_RATE);
	for (uint32_t i = 0; i < window->nrows; i++)
		step(&fit->rows[window->rows[i]], gradient, trained, value, training->l2, training->rate);
	for (uint32_t i = 0; i < window->ngroups; i++)
		step(&fit->groups[window->groups[i]], gradient, trained, training->lexicon_value, training->l2, training->rate);
}

/* Goes through all windows, as often as there are epochs, each time in another order (Fisher and Yates). */
static MdrStatus
learn_all(Fit *fit)
{
	const MdrTraining *training = &fit->trainer->training;
	uint64_t	random = training->seed * MDR_MIX + 1;
	size_t		done = 0;

	for (int head = 0; head < MDR_LANES; head++)
		fit->bias.squares[head] = 1;
	for (int epoch = 0; epoch < training->epochs; epoch++)
	{
		for (size_t i = fit->nwindows - 1; i > 0; i--)
		{
			Window		window = fit->windows[i];
			size_t		other;

			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			other = random % (i + 1);
			fit->windows[i] = fit->windows[other];
			fit->windows[other] = window;
		}
		for (size_t i = 0; i < fit->nwindows; i++)
		{
			learn(fit, &fit->windows[i]);
			if (++done % ASK_EVERY != 0)
				continue;
			if (training->interrupted != NULL && training->interrupted(training->context))
				return MDR_INTERRUPTED;
			if (training->progress != NULL)
				training->progress(training->context, (double) done / ((double) fit->nwindows * training->epochs));
		}
	}
	return MDR_OK;
}

/* Whether some head has texts of both labels. */
static bool
can_learn(const MdrTrainer *trainer)
{
	uint32_t	positive = 0,
				negative = 0;

	for (size_t i = 0; i < trainer->nsamples; i++)
	{
		positive |= trainer->samples[i].positive;
		negative |= trainer->samples[i].negative;
	}
	return (positive & negative) != 0;
}

static MdrStatus
fit_all(Fit *fit, MdrError *error)
{
	MdrTrainer *trainer = fit->trainer;
	MdrStatus	status = mdr_lay_out(trainer, &fit->layout, error);

	if (status != MDR_OK)
		return status;
	fit->windows = mdr_alloc_array(trainer->arena, trainer->nsamples * OTHER_WINDOWS, sizeof(Window));
	fit->rows = mdr_alloc_array(trainer->arena, ((size_t) 1 << trainer->training.bits) + fit->layout.model.header->nwords,
								sizeof(MdrWeights));
	fit->groups = mdr_alloc_array(trainer->arena, mdr_model_group_rows(trainer->training.ngroups), sizeof(MdrWeights));
	if (fit->windows == NULL || fit->rows == NULL || fit->groups == NULL)
		return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	for (size_t i = 0; i < trainer->nsamples && status == MDR_OK; i++)
		if (trainer->samples[i].weight > 0)
			status = add_windows(fit, &trainer->samples[i]);
	if (status == MDR_OK && fit->nwindows == 0)
		return mdr_fail(error, MDR_INVALID, 0, 0, "no text has a word to learn from");
	if (status == MDR_OK)
		status = choose_features(fit);
	if (status == MDR_OK)
		status = learn_all(fit);
	if (status != MDR_OK)
		return mdr_fail(error, status, 0, 0, status == MDR_INTERRUPTED ? "interrupted" : "out of memory");
	status = mdr_lay_weights(trainer, &fit->layout, fit->rows, fit->tags, fit->groups, fit->bias.weight);
	return status == MDR_OK ? status : mdr_fail(error, status, 0, 0, status == MDR_INTERRUPTED ? "interrupted" : "out of memory");
}

MdrStatus
mdr_trainer_fit(MdrTrainer *trainer, char **bytes, size_t *length, MdrError *error)
{
	Fit		   *fit;
	MdrStatus	status;

	if (!can_learn(trainer))
		return mdr_fail(error, MDR_INVALID, 0, 0, "no head has both texts that are positive and texts that are negative");
	fit = mdr_alloc(trainer->arena, sizeof(Fit));
	if (fit == NULL)
		return mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	fit->trainer = trainer;
	status = fit_all(fit, error);
	if (status != MDR_OK)
		return status;
	*bytes = fit->layout.bytes;
	*length = fit->layout.length;
	return MDR_OK;
}
