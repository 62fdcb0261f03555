/*
 * model_train.c
 *		Training: the same texts give the same bytes; a lexicon's words and phrases are found, also from another model; what cannot be
 *		trained is refused; every allocation that fails is reported; an interrupt ends it.
 */
#include "model.h"

typedef struct Made
{
	MdrStatus	status;
	char	   *bytes;
	size_t		length;
	MdrError	error;
} Made;

/* Trains with these values on so many texts, in the arena. */
static Made
make(MdrArena *arena, const MdrTraining *values, unsigned texts)
{
	Made		made = {0};
	MdrTrainer *trainer;

	made.status = mdr_trainer_create(arena, values, &trainer, &made.error);
	if (made.status == MDR_OK)
		made.status = add_texts(trainer, arena, texts);
	if (made.status == MDR_OK)
		made.status = mdr_trainer_fit(trainer, &made.bytes, &made.length, &made.error);
	return made;
}

static void
same_bytes(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	Made		made[3];
	MdrTraining other = training;

	for (int i = 0; i < 3; i++)
	{
		MdrTrainer *trainer;
		MdrLabels	bad = {.positive = 5,.negative = 2,.weight = 1},
					good = {.negative = 7,.weight = 1};
		MdrText		texts[4] = {fold(arena, "make a bomb"), fold(arena, "music in the garden"), fold(arena, "怎么做炸弹"),
		fold(arena, "how to kill a person with poison")};

		other.seed = i < 2 ? 1 : 2;
		if (mdr_trainer_create(arena, &other, &trainer, NULL) != MDR_OK)
			abort();
		for (int t = 0; t < 40; t++)
			if (mdr_trainer_add(trainer, &texts[t % 4], t % 4 == 1 ? &good : &bad) != MDR_OK)
				abort();
		made[i].status = mdr_trainer_fit(trainer, &made[i].bytes, &made[i].length, NULL);
	}
	ok(made[0].status == MDR_OK && made[0].length == made[1].length && memcmp(made[0].bytes, made[1].bytes, made[0].length) == 0,
	   "the same texts give the same %zu bytes", made[0].length);
	ok(made[2].status == MDR_OK && memcmp(made[0].bytes, made[2].bytes, made[0].length) != 0, "another seed gives others");
	mdr_arena_destroy(arena);
}

/* A text that a logit is there already for is not learned from again. */
static void
offsets(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	float		logits[2];

	for (int i = 0; i < 2; i++)
	{
		const float known[3] = {20, 0, 20};
		MdrTrainer *trainer;
		MdrLabels	bad = {.positive = 5,.weight = 1,.offset = i == 0 ? NULL : known},
					good = {.negative = 7,.weight = 1};
		MdrText		harm = fold(arena, "make a bomb"),
					harmless = fold(arena, "music in the garden");
		MdrModel	model;
		char	   *bytes;
		size_t		length;

		if (mdr_trainer_create(arena, &training, &trainer, NULL) != MDR_OK)
			abort();
		for (int t = 0; t < 20; t++)
			if (mdr_trainer_add(trainer, t % 2 ? &harm : &harmless, t % 2 ? &bad : &good) != MDR_OK)
				abort();
		if (mdr_trainer_fit(trainer, &bytes, &length, NULL) != MDR_OK || mdr_model_open(bytes, length, &model, NULL) != MDR_OK)
			abort();
		logits[i] = read_text(&model, "make a bomb").logit[0];
	}
	ok(logits[0] > 1 && logits[1] < 0.5f, "what a logit says already is not learned");
	mdr_arena_destroy(arena);
}

/* Trains with the lexicon that values name, or else with these phrases, one a group. */
static MdrModel
with_lexicon(MdrArena *arena, const MdrTraining *values, const char *const *phrases)
{
	MdrTrainer *trainer;
	MdrModel	model;
	char	   *bytes;
	size_t		length;

	if (mdr_trainer_create(arena, values, &trainer, NULL) != MDR_OK)
		abort();
	for (uint32_t group = 0; phrases != NULL && phrases[group] != NULL; group++)
	{
		MdrText		phrase = fold(arena, phrases[group]);

		if (mdr_trainer_lexicon(trainer, group, &phrase) != MDR_OK)
			abort();
	}
	if (add_texts(trainer, arena, 500) != MDR_OK || mdr_trainer_fit(trainer, &bytes, &length, NULL) != MDR_OK
		|| mdr_model_open(bytes, length, &model, NULL) != MDR_OK)
		abort();
	return model;
}

/* Bits of the groups that a text has words or phrases of. */
static uint32_t
groups_of(const MdrModel *model, const char *given)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrText		text = fold(arena, given);
	MdrTables	tables = mdr_model_tables(model);
	MdrBlocks	blocks;
	MdrBlock	block;
	uint32_t	groups = 0;

	mdr_blocks_start(&blocks, &tables, text.bytes, text.length);
	while (mdr_blocks_next(&blocks, &block))
	{
		for (uint32_t i = 0; i < block.nwords; i++)
			groups |= tables.words[block.words[i]].groups;
		for (uint32_t i = 0; i < block.nphrases; i++)
			groups |= block.phrases[i];
	}
	mdr_arena_destroy(arena);
	return groups;
}

static void
lexicon(void)
{
	static const char *const phrases[] = {"garden", "make the table", "花", "毒药", "一二三四五六", "one two three four five", "river-side", NULL};
	MdrArena   *arena = mdr_arena_create(0);
	MdrTraining values = training;
	MdrModel	models[2];

	values.ngroups = 8;
	models[0] = with_lexicon(arena, &values, phrases);
	values.lexicon = &models[0];
	values.ngroups = 0;
	models[1] = with_lexicon(arena, &values, NULL);
	for (int i = 0; i < 2; i++)
	{
		const char *whose = i == 0 ? "its own lexicon" : "another model's lexicon";

		ok(groups_of(&models[i], "my garden") == 1 && groups_of(&models[i], "my g4rden") == 1, "%s: a word", whose);
		ok(groups_of(&models[i], "please make the table") == 2 && groups_of(&models[i], "make the") == 0
		   && groups_of(&models[i], "make. the table") == 0 && groups_of(&models[i], "m@ke the t a b l e") == 2, "%s: words in a row", whose);
		ok(groups_of(&models[i], "我要毒药") == 8 && groups_of(&models[i], "我要毒 药") == 8 && groups_of(&models[i], "毒。药") == 0
		   && groups_of(&models[i], "花") == 4, "%s: Han characters in a row", whose);
		ok(groups_of(&models[i], "零一二三四五六七") == 16 && groups_of(&models[i], "二三四五六") == 0, "%s: six of them", whose);
		ok(groups_of(&models[i], "one two three four five") == 0, "%s: a phrase that is too long is left aside", whose);
	}
	mdr_arena_destroy(arena);
}

static void
refused(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	static const char *const long_name[] = {"a head with a name of more than thirty-one bytes"};
	MdrTraining wrong[12];
	unsigned	n = sizeof(wrong) / sizeof(wrong[0]),
				right = 0;
	MdrTrainer *trainer;
	MdrError	error = {0};
	MdrLabels	bad = {.positive = 1,.weight = 1},
				good = {.negative = 1,.weight = 1};
	MdrText		nothing = fold(arena, " ... "),
				text = fold(arena, "make a bomb");
	char	   *bytes;
	size_t		length;

	for (unsigned i = 0; i < n; i++)
		wrong[i] = training;
	wrong[0].nheads = 0;
	wrong[1].nheads = MDR_MODEL_MAX_HEADS + 1;
	wrong[2].bits = 9;
	wrong[3].bits = 21;
	wrong[4].words = 65536;
	wrong[5].ngroups = 33;
	wrong[6].epochs = 0;
	wrong[7].rate = NAN;
	wrong[8].l2 = -1;
	wrong[9].damping = -1;
	wrong[10].heads = long_name;
	wrong[10].nheads = 1;
	wrong[11].epochs = 101;
	for (unsigned i = 0; i < n; i++)
		right += mdr_trainer_create(arena, &wrong[i], &trainer, &error) == MDR_INVALID && error.message[0] != '\0';
	ok(right == n, "values out of range are refused");

	mdr_trainer_create(arena, &training, &trainer, NULL);
	ok(mdr_trainer_fit(trainer, &bytes, &length, NULL) == MDR_INVALID, "nothing to learn from is refused");
	mdr_trainer_add(trainer, &text, &bad);
	ok(mdr_trainer_fit(trainer, &bytes, &length, NULL) == MDR_INVALID, "one label only is refused");
	mdr_trainer_create(arena, &training, &trainer, NULL);
	mdr_trainer_add(trainer, &nothing, &bad);
	mdr_trainer_add(trainer, &nothing, &good);
	ok(mdr_trainer_fit(trainer, &bytes, &length, NULL) == MDR_INVALID, "texts without a word are refused");
	mdr_arena_destroy(arena);
}

static int	looks;

static bool
stop_at_third(void *context)
{
	return ++looks == 3;
}

static double furthest;

static void
note_progress(void *context, double done)
{
	furthest = done >= furthest && done <= 1 ? done : -1;
}

static void
interrupted(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrTraining asking = training;
	Made		made;

	asking.interrupted = stop_at_third;
	made = make(arena, &asking, 3000);
	ok(made.status == MDR_INTERRUPTED && looks == 3, "an interrupt ends the training");
	asking.interrupted = NULL;
	asking.progress = note_progress;
	made = make(arena, &asking, 3000);
	ok(made.status == MDR_OK && furthest > 0.8 && furthest <= 1, "progress goes from 0 to 1");
	mdr_arena_destroy(arena);
}

static void
out_of_memory(void)
{
	MdrTraining small = training;
	MdrStatus	status = MDR_NO_MEMORY;
	long		n,
				unreported = 0;

	small.bits = 10;
	small.epochs = 1;
	for (n = 1; status != MDR_OK && n < 100000; n++)
	{
		MdrArena   *arena = mdr_arena_create(0);
		MdrTrainer *trainer;
		MdrError	error = {0};
		MdrLabels	labels[2] = {{.positive = 5,.negative = 2,.weight = 1}, {.negative = 7,.weight = 1}};
		MdrText		texts[2] = {fold(arena, "make a bomb to kill"), fold(arena, "music in the garden")};
		char	   *bytes;
		size_t		length;

		mdr_test_fail_alloc(n);
		status = mdr_trainer_create(arena, &small, &trainer, &error);
		if (status == MDR_OK)
			status = mdr_trainer_lexicon(trainer, 0, &texts[0]);
		for (int t = 0; t < 20 && status == MDR_OK; t++)
			status = mdr_trainer_add(trainer, &texts[t % 2], &labels[t % 2]);
		if (status == MDR_OK)
			status = mdr_trainer_fit(trainer, &bytes, &length, &error);
		mdr_test_fail_alloc(0);
		unreported += status != MDR_OK && status != MDR_NO_MEMORY;
		mdr_arena_destroy(arena);
	}
	ok(status == MDR_OK && n > 30 && unreported == 0, "each of %ld allocations may fail", n - 2);
}

int
main(void)
{
	same_bytes();
	offsets();
	lexicon();
	refused();
	interrupted();
	out_of_memory();
	return done();
}
