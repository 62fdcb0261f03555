/*
 * model.h
 *		A small model for the unit tests of src/model, learned from made-up sentences: what harms is in words that stand for it.
 */
#ifndef UNIT_MODEL_H
#define UNIT_MODEL_H

#include "tap.h"

#include "model/model_parts.h"

#include <math.h>
#include <stdlib.h>

static const char *const heads[] = {"illegal_activity", "hate", "any"};
static const char *const bad_words[] = {"bomb", "poison", "kill", "hate", "weapon", "explosive", "attack", "murder"};
static const char *const good_words[] = {"garden", "music", "table", "kitchen", "window", "summer", "river", "letter"};
static const char *const plain_words[] = {"make", "how", "can", "the", "with", "for", "a", "my", "please", "about", "some", "write"};
static const char *const bad_han[] = {"炸弹", "毒药", "杀人", "仇恨"};
static const char *const good_han[] = {"花园", "音乐", "厨房", "夏天"};

/* A sentence of four to eleven words, every third of them one of eight. */
static size_t
sentence(char *to, const char *const *words, const char *const *han)
{
	char	   *at = to;
	unsigned	n = 4 + roll(8);
	bool		chinese = roll(4) == 0;

	for (unsigned i = 0; i < n; i++)
	{
		bool		of_kind = i % 3 == 1;

		if (chinese)
			at += sprintf(at, "%s", of_kind ? han[roll(4)] : roll(2) ? "我要" : "怎么做");
		else
			at += sprintf(at, "%s%s", i > 0 ? " " : "", of_kind ? words[roll(8)] : plain_words[roll(12)]);
	}
	return at - to;
}

static MdrText
fold(MdrArena *arena, const char *given)
{
	MdrText		text = {0};

	if (mdr_text_fold(arena, given, strlen(given), &text) != MDR_OK)
		abort();
	return text;
}

static const MdrTraining training = {
	.heads = heads,.nheads = 3,.bits = 12,.words = 1000,.ngroups = 2,.epochs = 3,.rate = 1,.l2 = 0.001f,.lexicon_value = 0.15f,.seed = 1
};

/* Adds texts: of bad words, positive for the first head and "any", or of good ones, negative for all. */
__attribute__((unused)) static MdrStatus
add_texts(MdrTrainer *trainer, MdrArena *arena, unsigned n)
{
	MdrStatus	status = MDR_OK;

	for (unsigned i = 0; i < n && status == MDR_OK; i++)
	{
		bool		bad = i % 2 == 0;
		MdrLabels	labels = {.positive = bad ? 5 : 0,.negative = bad ? 2 : 7,.weight = 1};
		char		given[1024];
		MdrText		text;

		sentence(given, bad ? bad_words : good_words, bad ? bad_han : good_han);
		text = fold(arena, given);
		status = mdr_trainer_add(trainer, &text, &labels);
	}
	return status;
}

/* Trains the small model, in the arena. */
__attribute__((unused)) static MdrModel
make_model(MdrArena *arena)
{
	MdrTrainer *trainer;
	MdrModel	model;
	char	   *bytes;
	size_t		length;
	MdrText		word;

	if (mdr_trainer_create(arena, &training, &trainer, NULL) != MDR_OK)
		abort();
	for (int i = 0; i < 8; i++)
	{
		word = fold(arena, bad_words[i]);
		if (mdr_trainer_lexicon(trainer, i % 2, &word) != MDR_OK)
			abort();
	}
	if (add_texts(trainer, arena, 2000) != MDR_OK || mdr_trainer_fit(trainer, &bytes, &length, NULL) != MDR_OK
		|| mdr_model_open(bytes, length, &model, NULL) != MDR_OK)
		abort();
	for (uint32_t head = 0; head < 3; head++)
		for (int script = 0; script < MDR_NSCRIPTS; script++)
			mdr_model_calibrate(bytes, head, script, 1, 0, 0);
	return model;
}

__attribute__((unused)) static MdrReading
read_text(const MdrModel *model, const char *given)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrText		text = fold(arena, given);
	MdrReading	reading;

	mdr_model_start(&reading);
	mdr_model_read(model, &text, &reading);
	mdr_arena_destroy(arena);
	return reading;
}

#endif							/* UNIT_MODEL_H */
