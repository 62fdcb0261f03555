/*
 * main.c
 *		Makes the model that is part of the library, and models for its evaluation.
 *
 *	train --data FOLDER --own FOLDER --out FILE [--folds FOLDER] [--logits FILE] [--check FOLDER] [--quick]
 *
 *	--data		data sets: .jsonl files as policies/README.md describes them
 *	--own		the project's own examples (examples/) and lexicon (lexicon/)
 *	--out		the model
 *	--folds		also models for the evaluation: fold-K.model has not seen the sets of fold K, and neither have its thresholds; sets.txt
 *				says which set is in which fold
 *	--logits	what was measured, a line for each text: set, fold, labels (positive and negative heads, as bits), and of each head
 *				the logit and the script
 *	--check		data sets that are not trained on: how the model does on them (but for their test split), and on the test split of --data
 *	--quick		only the final fit, with no thresholds: every head scores 0
 *
 * Sets are dealt into four folds, those with harm and those without apart.  Four models, each without one fold, say what a model makes
 * of sets that it has not seen; thresholds are chosen from that (thresholds.c).  Then one is trained on everything.  The same
 * files give the same bytes.
 *
 * Input: files.  Output: models; on stdout, how the models do on the sets they have not seen.  Memory: arenas, until the program ends.
 */
#define _DEFAULT_SOURCE

#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What there is to tune. */
#define ROW_BITS 17
#define WORDS 60000
#define EPOCHS 3
#define RATE 1.0f
#define L2 5e-3f
#define DAMPING 0.0f
#define LEXICON_VALUE 0.1f
#define SET_SIZE 2000.0			/* a set of so many windows has weight 1 ... */
#define SET_POWER 0.8			/* ... and a larger one as much less */
#define SET_MOST 3.0			/* weight of a small one */
#define ALL_HARM 2.0			/* more for a set of nothing but harm: these are asks for it */
#define OWN_WEIGHT 1.0			/* of the project's own examples, besides */
#define SEED 1
#define FOLDS 4

const char *const head_names[NHEADS] = {
	"child_sexual_exploitation", "child_grooming", "nonconsensual_intimate", "commercial_sex", "human_trafficking", "self_harm",
	"graphic_violence", "terrorism", "violent_threat", "hate", "harassment", "deception", "inauthentic", "cyber_attack",
	"illegal_activity", "state_secrets", "pornography", "violence", "politics", "any"
};

typedef struct Lexicon
{
	char	  **files;
	uint32_t	ngroups;
} Lexicon;

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Deals the sets out, and says what each text of a set weighs. */
static void
deal(Corpus *corpus)
{
	int			harm = 0,
				harmless = 0;

	for (uint32_t s = 0; s < corpus->nsets; s++)
	{
		Set		   *set = &corpus->sets[s];

		set->weight = (float) fmin(pow(SET_SIZE / (set->windows > 0 ? set->windows : 1), SET_POWER), SET_MOST);
		if (set->fold == NO_FOLD)
		{
			set->weight *= (float) OWN_WEIGHT;
			continue;
		}
		if (set->harmful == set->texts)
			set->weight *= (float) ALL_HARM;
		set->fold = (set->harm ? harm++ : harmless++) % FOLDS;
	}
}

/* Adds a lexicon's words and phrases, which may be disguised in no way. */
static void
add_lexicon(MdrTrainer *trainer, MdrArena *arena, const Lexicon *lexicon)
{
	for (uint32_t group = 0; group < lexicon->ngroups; group++)
	{
		size_t		length;
		char	   *next = read_file(lexicon->files[group], &length);

		for (char *line; (line = strsep(&next, "\n")) != NULL;)
		{
			MdrText		word;

			line += strspn(line, " \t");
			line[strcspn(line, "\t\r")] = '\0';
			if (line[0] == '\0' || line[0] == '#')
				continue;
			if (mdr_text_fold(arena, line, strlen(line), &word) != MDR_OK || mdr_trainer_lexicon(trainer, group, &word) != MDR_OK)
				die("out of memory");
		}
	}
}

/* Trains a model without the sets of a fold.  Its bytes are the caller's arena's. */
static char *
train(const Corpus *corpus, const Lexicon *lexicon, int without, size_t *length)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrTraining training = {
		.heads = head_names,.nheads = NHEADS,.bits = ROW_BITS,.words = WORDS,.ngroups = lexicon->ngroups,.epochs = EPOCHS,.rate = RATE,
		.l2 = L2,.damping = DAMPING,.lexicon_value = LEXICON_VALUE,.seed = SEED
	};
	MdrError	error = {0};
	MdrTrainer *trainer;
	char	   *bytes,
			   *copy;
	double		began = seconds();

	if (mdr_trainer_create(arena, &training, &trainer, &error) != MDR_OK)
		die("%s", error.message);
	add_lexicon(trainer, arena, lexicon);
	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		const Text *text = &corpus->texts[t];
		const Set  *set = &corpus->sets[text->set];
		MdrLabels	labels = {text->positive, text->negative, text->weak, text->weight * set->weight, NULL};

		if ((without == NO_FOLD || set->fold != without) && mdr_trainer_add(trainer, &text->plain, &labels) != MDR_OK)
			die("out of memory");
	}
	if (mdr_trainer_fit(trainer, &bytes, length, &error) != MDR_OK)
		die("%s", error.message);
	if ((copy = mdr_alloc(corpus->arena, *length)) == NULL)
		die("out of memory");
	memcpy(copy, bytes, *length);
	mdr_arena_destroy(arena);
	fprintf(stderr, "trained without fold %d: %.1f s, %zu bytes\n", without, seconds() - began, *length);
	return copy;
}

/* Reads the texts of a fold. */
static void
read_unseen(const Corpus *corpus, const char *bytes, size_t length, int fold, Unseen *unseen)
{
	MdrModel	model;

	if (mdr_model_open(bytes, length, &model, NULL) != MDR_OK)
		die("a model that was just made cannot be opened");
	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		MdrReading	reading;

		if (corpus->sets[corpus->texts[t].set].fold != fold)
			continue;
		mdr_model_start(&reading);
		mdr_model_read(&model, &corpus->texts[t].plain, &reading);
		unseen[t].cost = mdr_model_length_cost(&reading);
		for (uint32_t head = 0; head < NHEADS; head++)
		{
			unseen[t].logit[head] = reading.logit[head];
			unseen[t].script[head] = (uint8_t) reading.script[head];
		}
	}
}

static void
write_model(const char *name, char *bytes, size_t length, Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	FILE	   *out = fopen(name, "wb");

	for (int script = 0; scoring != NULL && script < MDR_NSCRIPTS; script++)
		for (uint32_t head = 0; head < NHEADS; head++)
			mdr_model_calibrate(bytes, head, (MdrScript) script, scoring[script][head].self, scoring[script][head].any,
								scoring[script][head].constant);
	if (out == NULL || fwrite(bytes, 1, length, out) != length || fclose(out) != 0)
		die("%s cannot be written", name);
}

/* The heads that a text's scores would flag. */
static uint32_t
flagged(const Unseen *unseen, Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	uint32_t	heads = 0;

	for (int head = 0; head < ANY; head++)
	{
		const Scoring *s = &scoring[unseen->script[head]][head];
		double		z = s->constant + s->self * unseen->logit[head] + s->any * unseen->logit[ANY] - unseen->cost;

		heads |= (uint32_t) (unseen->logit[head] > -INFINITY && 1 / (1 + exp(-z)) >= 2.0 / 3) << head;
	}
	return heads;
}

/* Prints how often the texts of a set are flagged. */
static void
report_set(const Corpus *corpus, uint32_t set, const Unseen *unseen, Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	const uint32_t apart = 1u << head_of("violence") | 1u << head_of("politics");
	uint32_t	positive = 0,
				caught = 0,
				right = 0,
				negative = 0,
				wrong = 0;

	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		const Text *text = &corpus->texts[t];
		uint32_t	heads;

		if (text->set != set)
			continue;
		heads = flagged(&unseen[t], scoring) & ~apart;
		if (text->positive & ~apart)
		{
			positive++;
			caught += heads != 0;
			right += (heads & text->positive) != 0;
		}
		else if (text->negative >> ANY & 1)
		{
			negative++;
			wrong += heads != 0;
		}
	}
	printf("%-36s %4d %6u %7u %7.3f %7.3f %7u %7.4f\n", corpus->sets[set].name, corpus->sets[set].fold, corpus->sets[set].texts, positive,
		   positive ? (double) caught / positive : 0, positive ? (double) right / positive : 0, negative,
		   negative ? (double) wrong / negative : 0);
}

static void
print_heading(const char *what)
{
	printf("%s\n%-36s %4s %6s %7s %7s %7s %7s %7s\n", what, "set", "fold", "texts", "harm", "caught", "right", "none", "false");
}

/* How the models do on the sets that neither they nor their thresholds have seen. */
static void
report(const Corpus *corpus, const Unseen *unseen, Scoring scoring[FOLDS][MDR_NSCRIPTS][NHEADS])
{
	print_heading("sets left out, by models and thresholds that have not seen them");
	for (uint32_t s = 0; s < corpus->nsets; s++)
		if (corpus->sets[s].fold != NO_FOLD)
			report_set(corpus, s, unseen, scoring[corpus->sets[s].fold]);
}

/* How the model does on other sets, or on the test split. */
static void
check(const char *what, const char *folder, bool test_split, const char *bytes, size_t length, Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	Corpus		corpus = {.arena = mdr_arena_create(0)};
	Unseen	   *unseen;

	read_sets(&corpus, folder, test_split);
	unseen = mdr_alloc_array(corpus.arena, corpus.ntexts, sizeof(Unseen));
	if (unseen == NULL)
		die("out of memory");
	read_unseen(&corpus, bytes, length, 0, unseen);
	print_heading(what);
	for (uint32_t s = 0; s < corpus.nsets; s++)
		report_set(&corpus, s, unseen, scoring);
	mdr_arena_destroy(corpus.arena);
}

static void
write_logits(const Corpus *corpus, const Unseen *unseen, const char *name)
{
	FILE	   *out = fopen(name, "w");

	if (out == NULL)
		die("%s cannot be written", name);
	for (uint32_t t = 0; t < corpus->ntexts; t++)
	{
		const Text *text = &corpus->texts[t];
		const Set  *set = &corpus->sets[text->set];

		if (set->fold == NO_FOLD)
			continue;
		fprintf(out, "%s\t%d\t%x\t%x", set->name, set->fold, text->positive, text->negative);
		for (int head = 0; head < NHEADS; head++)
			fprintf(out, "\t%.4f %d", unseen[t].logit[head], unseen[t].script[head]);
		fputc('\n', out);
	}
	fclose(out);
}

static void
print_scoring(Scoring scoring[MDR_NSCRIPTS][NHEADS])
{
	printf("%-28s %28s %28s\n", "head: self, any, constant", "other", "han");
	for (int head = 0; head < NHEADS; head++)
		printf("%-28s %8.3f %8.3f %8.3f  %8.3f %8.3f %8.3f\n", head_names[head], scoring[0][head].self, scoring[0][head].any,
			   scoring[0][head].constant, scoring[1][head].self, scoring[1][head].any, scoring[1][head].constant);
}

static void
train_folds(const Corpus *corpus, const Lexicon *lexicon, const char *folder, const char *logits, Scoring final[MDR_NSCRIPTS][NHEADS])
{
	Unseen	   *unseen = mdr_alloc_array(corpus->arena, corpus->ntexts, sizeof(Unseen));
	static Scoring scoring[FOLDS][MDR_NSCRIPTS][NHEADS];
	char	   *bytes[FOLDS];
	size_t		length[FOLDS];
	char		name[4096];

	if (unseen == NULL)
		die("out of memory");
	for (int fold = 0; fold < FOLDS; fold++)
	{
		bytes[fold] = train(corpus, lexicon, fold, &length[fold]);
		read_unseen(corpus, bytes[fold], length[fold], fold, unseen);
	}
	for (int fold = 0; fold < FOLDS; fold++)
	{
		choose_scoring(corpus, unseen, fold, scoring[fold]);
		if (folder == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/fold-%d.model", folder, fold);
		write_model(name, bytes[fold], length[fold], scoring[fold]);
	}
	choose_scoring(corpus, unseen, NO_FOLD, final);
	report(corpus, unseen, scoring);
	if (logits != NULL)
		write_logits(corpus, unseen, logits);
	print_scoring(final);
	if (folder != NULL)
	{
		FILE	   *out;

		snprintf(name, sizeof(name), "%s/sets.txt", folder);
		if ((out = fopen(name, "w")) == NULL)
			die("%s cannot be written", name);
		for (uint32_t s = 0; s < corpus->nsets; s++)
			if (corpus->sets[s].fold != NO_FOLD)
				fprintf(out, "%s\t%d\t%s\n", corpus->sets[s].name, corpus->sets[s].fold, corpus->sets[s].harm ? "harm" : "harmless");
		fclose(out);
	}
}

int
main(int argc, char **argv)
{
	const char *data = NULL,
			   *own = NULL,
			   *out = NULL,
			   *folds = NULL,
			   *logits = NULL,
			   *other = NULL;
	bool		quick = false;
	Corpus		corpus = {.arena = mdr_arena_create(0)};
	Lexicon		lexicon = {0};
	static Scoring scoring[MDR_NSCRIPTS][NHEADS];
	char	   *bytes;
	size_t		length;
	char		name[4096];

	for (int i = 1; i < argc; i++)
	{
		const char **value = strcmp(argv[i], "--data") == 0 ? &data : strcmp(argv[i], "--own") == 0 ? &own
			: strcmp(argv[i], "--out") == 0 ? &out : strcmp(argv[i], "--folds") == 0 ? &folds : strcmp(argv[i], "--logits") == 0 ? &logits
			: strcmp(argv[i], "--check") == 0 ? &other : NULL;

		if (strcmp(argv[i], "--quick") == 0)
			quick = true;
		else if (value == NULL || i + 1 == argc)
			die("usage: train --data FOLDER --own FOLDER --out FILE [--folds FOLDER] [--logits FILE] [--check FOLDER] [--quick]");
		else
			*value = argv[++i];
	}
	if (data == NULL || own == NULL || out == NULL)
		die("usage: train --data FOLDER --own FOLDER --out FILE [--folds FOLDER] [--logits FILE] [--check FOLDER] [--quick]");
	read_sets(&corpus, data, false);
	snprintf(name, sizeof(name), "%s/examples", own);
	read_examples(&corpus, name);
	snprintf(name, sizeof(name), "%s/lexicon", own);
	lexicon.files = list_files(name, ".txt", &lexicon.ngroups);
	deal(&corpus);
	fprintf(stderr, "%u texts in %u sets, %u groups in the lexicon\n", corpus.ntexts, corpus.nsets, lexicon.ngroups);
	if (!quick)
		train_folds(&corpus, &lexicon, folds, logits, scoring);
	bytes = train(&corpus, &lexicon, NO_FOLD, &length);
	write_model(out, bytes, length, quick ? NULL : scoring);
	if (other != NULL)
	{
		check("other sets", other, false, bytes, length, scoring);
		check("the test split", data, true, bytes, length, scoring);
	}
	mdr_arena_destroy(corpus.arena);
	return 0;
}
