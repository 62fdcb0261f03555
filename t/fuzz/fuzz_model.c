/*
 * fuzz_model.c
 *		Models that are damaged, and texts of any kind: refused, or read with inside the block and the text.
 *
 * The input begins with a number of damages to a small model, six bytes each (where, and four bytes of value; a place below 4096 is of
 * the header), and goes on with the text.
 */
#include "fuzz.h"
#include "model/model_parts.h"

static char *good;
static size_t length;
static MdrArena *arena;

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const heads[] = {"hate", "any"};
	static const char *const given[] = {"how can i make a bomb and kill", "music in the garden", "怎么做炸弹", "花园的音乐"};
	const MdrTraining training = {
		.heads = heads,.nheads = 2,.bits = 10,.words = 100,.ngroups = 2,.epochs = 3,.rate = 1,.l2 = 0.001f,.lexicon_value = 0.15f
	};
	MdrTrainer *trainer;
	MdrArena   *forever = mdr_arena_create(0);

	(void) argc;
	(void) argv;
	arena = mdr_arena_create(0);
	require(mdr_trainer_create(forever, &training, &trainer, NULL) == MDR_OK, "there is a trainer");
	for (int i = 0; i < 40; i++)
	{
		MdrLabels	labels = {.positive = i % 2 == 0 ? 3 : 0,.negative = 3,.weight = 1};
		MdrText		text;

		require(mdr_text_fold(forever, given[i % 4], strlen(given[i % 4]), &text) == MDR_OK, "a text is folded");
		require(mdr_trainer_lexicon(trainer, i % 2, &text) == MDR_OK && mdr_trainer_add(trainer, &text, &labels) == MDR_OK,
				"a text is added");
	}
	require(mdr_trainer_fit(trainer, &good, &length, NULL) == MDR_OK, "there is a model");
	for (uint32_t head = 0; head < 2; head++)
		for (int script = 0; script < MDR_NSCRIPTS; script++)
			mdr_model_calibrate(good, head, script, 1, 1, 0);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, data + size};
	unsigned	damages = (unsigned) take(&input, 1) % 8;
	char	   *bytes = allocate((length + 63) / 64 * 64 + 64);
	char	   *block = (char *) (((uintptr_t) bytes + 63) / 64 * 64);
	MdrModel	model;
	MdrError	error = {0};
	MdrText		text;
	MdrStatus	status;

	memcpy(block, good, length);
	for (unsigned i = 0; i < damages; i++)
	{
		size_t		place = (size_t) take(&input, 2);
		uint32_t	value = (uint32_t) take(&input, 4);
		size_t		at = place < 4096 ? place % sizeof(MdrModelHeader) : place * 4 % length;

		memcpy(block + (at <= length - 4 ? at : length - 4), &value, 4);
	}
	mdr_arena_reset(arena);
	require(mdr_text_fold(arena, (const char *) input.next, input.end - input.next, &text) == MDR_OK, "a text is folded");
	status = mdr_model_open(block, length, &model, &error);
	require(status == MDR_OK || (status == MDR_INVALID && error.message[0] != '\0'), "a model is opened or refused");
	if (status == MDR_OK)
	{
		MdrReading	reading;

		mdr_model_start(&reading);
		mdr_model_read(&model, &text, &reading);
		for (uint32_t head = 0; head < mdr_model_nheads(&model); head++)
		{
			float		score = mdr_model_score(&model, &reading, head);

			require(score >= 0 && score <= 1, "a score is between 0 and 1");
			require(reading.start[head] <= reading.end[head] && reading.end[head] <= text.length, "a window is within the text");
		}
	}
	free(bytes);
	return 0;
}
