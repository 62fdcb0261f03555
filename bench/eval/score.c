/*
 * score.c
 *		Runs the engine over all texts, in as many processes as there are processors: an engine is for one thread.
 *
 * The processes take blocks of texts from a common counter and write what they find where all see it.
 *
 * Input: a corpus.  Output: results, in memory shared with the processes, until the program ends.  Locks: none.  On error: a process
 * that fails makes the program end.
 */
#include "eval.h"
#include "disguise.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 256				/* texts */
#define MAX_PROCESSES 16
#define LARGE 50000				/* texts */
#define ONE_IN 3
#define FAINT .001f				/* below it the engine leaves a model's opinion out of the score */

double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Memory that the processes to come share, or an end to it. */
static void
share_or_release(void **memory, size_t size, bool release)
{
	size += size == 0;
	if (release)
	{
		munmap(*memory, size);
		*memory = NULL;
		return;
	}
	*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (*memory == MAP_FAILED)
		give_up("out of memory");
}

/* Counts a rule that has had a part in flagging the text, once a text. */
static void
count_rules(const Corpus *corpus, Results *results, const Text *text, const MdrVerdict *verdict, MdrArena *arena)
{
	uint32_t   *seen = must(mdr_alloc_array(arena, verdict->nfindings + 1, sizeof(uint32_t)));
	uint32_t	nseen = 0;
	uint32_t	by_category[MAX_CATEGORIES] = {0};
	MdrEngineRule rule;

	for (uint32_t i = 0; i < verdict->nfindings; i++)
	{
		uint32_t	j = 0;

		mdr_engine_rule(corpus->engine, verdict->findings[i].rule, &rule);
		if (verdict->findings[i].score <= 0 || verdict->categories[rule.category].action == MDR_ALLOW)
			continue;
		while (j < nseen && seen[j] != verdict->findings[i].rule)
			j++;
		if (j < nseen)
			continue;
		seen[nseen++] = verdict->findings[i].rule;
		by_category[rule.category]++;
	}
	for (uint32_t i = 0; i < nseen; i++)
	{
		RuleCount  *count = &results->rules[(size_t) seen[i] * corpus->nsets + text->set];
		bool		alone;

		mdr_engine_rule(corpus->engine, seen[i], &rule);
		alone = by_category[rule.category] == 1;
		__atomic_fetch_add(text->benign ? &count->benign : &count->harmful, 1, __ATOMIC_RELAXED);
		if (alone)
			__atomic_fetch_add(text->benign ? &count->benign_alone : &count->harmful_alone, 1, __ATOMIC_RELAXED);
	}
}

/* What a finding's score comes to: the same as in verdict.c, for parts of the findings. */
static MdrAction
action_for(const MdrEngineCategory *category, const MdrScore *score)
{
	MdrAction	action = category->actions[score->severity];

	if (score->score < category->flag_at || !score->spoken)
		return MDR_ALLOW;
	return score->score < category->act_at && action > MDR_FLAG ? MDR_FLAG : action;
}

/* Whether flagging the category counts against benign texts. */
static bool
is_strict(const char *category)
{
	return strcmp(category, "violence") != 0 && strcmp(category, "politics") != 0;
}

static void
note(const Corpus *corpus, Results *results, System system, uint32_t text, const MdrScore *scores)
{
	for (uint32_t i = 0; i < results->ncategories; i++)
	{
		MdrEngineCategory category;
		MdrAction	action;

		mdr_engine_category(corpus->engine, i, &category);
		action = action_for(&category, &scores[i]);
		results->score[system][cell(results, text, i)] = scores[i].score;
		results->action[system][cell(results, text, i)] = (uint8_t) action;
		results->outcome[system][text] |= (action >= MDR_FLAG ? FLAGGED : 0) |
			(action >= MDR_FLAG && is_strict(category.id) ? STRICTLY : 0) | (action == MDR_REJECT ? REFUSED : 0);
	}
}

/* The rules' findings alone, or the model's. */
static void
note_part(const Corpus *corpus, Results *results, System system, uint32_t text, const MdrVerdict *verdict, MdrArena *arena)
{
	MdrFinding *findings = must(mdr_alloc_array(arena, verdict->nfindings + 1, sizeof(MdrFinding)));
	MdrScore   *scores = must(mdr_alloc_array(arena, verdict->ncategories, sizeof(MdrScore)));
	uint32_t	count = 0;

	for (uint32_t i = 0; i < verdict->nfindings; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(corpus->engine, verdict->findings[i].rule, &rule);
		if ((rule.speaker != MDR_SPEAKER_RULE) == (system == SYSTEM_MODEL))
			findings[count++] = verdict->findings[i];
	}
	if (mdr_engine_scores(corpus->engine, arena, findings, count, system == SYSTEM_MODEL ? verdict->opinions : NULL, scores) != MDR_OK)
		give_up("out of memory");
	note(corpus, results, system, text, scores);
}

/*
 * The model's own scores, before the policy says how much they count and what is too faint to.  What was too faint to count in the
 * product still ranks texts, so it is added to the product's score as it would be.
 */
static void
note_model(const Corpus *corpus, Results *results, const MdrModel *model, uint32_t index, const char *bytes, uint32_t length, MdrArena *arena)
{
	MdrText		plain;
	MdrReading	reading;

	if (mdr_text_fold(arena, bytes, length, &plain) != MDR_OK)
		give_up("out of memory");
	mdr_model_start(&reading);
	mdr_model_read(model, &plain, &reading);
	for (uint32_t i = 0; i < results->ncategories; i++)
	{
		MdrEngineCategory category;
		int			head;
		float		own;

		mdr_engine_category(corpus->engine, i, &category);
		head = category.model > 0 ? mdr_model_head(model, category.id) : -1;
		if (head < 0)
			continue;
		own = mdr_model_score(model, &reading, (uint32_t) head);
		results->score[SYSTEM_MODEL][cell(results, index, i)] = own;
		if (category.model * own < FAINT)
			results->score[SYSTEM_BOTH][cell(results, index, i)] +=
				(1 - results->score[SYSTEM_BOTH][cell(results, index, i)]) * category.model * own;
	}
}

static void
score_text(const Corpus *corpus, Results *results, Run run, const MdrModel *model, uint32_t index, MdrArena *arena)
{
	const Text *text = &corpus->texts[index];
	char	   *bytes = (char *) text->bytes;
	uint32_t	length = text->length;
	MdrScore	scores[MAX_CATEGORIES];
	MdrVerdict	verdict;
	MdrStatus	status;

	if ((run.held_back && !is_held_back(text)) ||
		(run.disguise != PLAIN && !disguise_put_on(arena, (uint32_t) run.disguise, text->bytes, text->length, &bytes, &length)))
	{
		results->left_out[index] = 1;
		return;
	}
	status = mdr_verdict(corpus->engine, arena, bytes, length, MDR_REJECT, NULL, NULL, &verdict);
	if (status != MDR_OK)
		give_up("%s: could not be scanned (status %d)", text->id, (int) status);
	for (uint32_t i = 0; i < verdict.ncategories; i++)
		scores[i] = (MdrScore) {verdict.categories[i].score, verdict.categories[i].severity, verdict.categories[i].action > MDR_ALLOW};
	note(corpus, results, SYSTEM_BOTH, index, scores);
	results->unknown[index] = verdict.status == MDR_UNKNOWN;
	if (verdict.action == MDR_REJECT)	/* unknown content, too */
		results->outcome[SYSTEM_BOTH][index] |= REFUSED;
	for (int i = SYSTEM_RULES; i < results->nsystems; i++)
		note_part(corpus, results, (System) i, index, &verdict, arena);
	if (results->nsystems > 1 && run.disguise == PLAIN)
		note_model(corpus, results, model, index, bytes, length, arena);
	if (text->benign != NO_LABEL)
		count_rules(corpus, results, text, &verdict, arena);
}

/* A large corpus is disguised in part: every third text, which is plenty for a rate of 1 in 1,000. */
static bool
counts_in_table(const Corpus *corpus, int disguise, uint32_t text)
{
	unsigned	scripts = disguise_kind((uint32_t) disguise)->scripts;
	const char *language = corpus->languages[corpus->texts[text].language];

	if (corpus->ntexts > LARGE && text % ONE_IN != 0)
		return false;
	return corpus->texts[text].benign != NO_LABEL && ((scripts & DISGUISES_LETTERS && strcmp(language, "en") == 0) ||
													  (scripts & DISGUISES_HAN && strcmp(language, "zh") == 0));
}

static void
work(const Corpus *corpus, Results *results, Run run, uint32_t *next)
{
	MdrArena   *arena = must(mdr_arena_create(0));
	const MdrModel *model = mdr_model_built_in();
	uint32_t	from;

	while ((from = __atomic_fetch_add(next, BLOCK, __ATOMIC_RELAXED)) < corpus->ntexts)
		for (uint32_t i = from; i < from + BLOCK && i < corpus->ntexts; i++)
		{
			int			wanted = corpus->sets[corpus->texts[i].set].fold;
			const MdrModel *own;

			if (run.held_back)
			{
				results->left_out[i] = wanted == NO_FOLD;
				wanted = NO_FOLD;
			}
			own = wanted == NO_FOLD ? mdr_model_built_in() : &corpus->folds.models[wanted];
			if (own != model)
				mdr_engine_use_model(corpus->engine, own);
			model = own;
			results->left_out[i] |= run.tabled && !counts_in_table(corpus, run.disguise, i);
			if (!results->left_out[i])
				score_text(corpus, results, run, model, i, arena);
			mdr_arena_reset(arena);
		}
	mdr_arena_destroy(arena);
}

/* With release, gives all memory back instead. */
static void
lay_out(const Corpus *corpus, Results *results, bool release)
{
	size_t		cells = (size_t) results->ntexts * results->ncategories;
	size_t		rules = (size_t) mdr_engine_nrules(corpus->engine) * corpus->nsets;

	for (int i = 0; i < results->nsystems; i++)
	{
		share_or_release((void **) &results->score[i], cells * sizeof(float), release);
		share_or_release((void **) &results->action[i], cells, release);
		share_or_release((void **) &results->outcome[i], results->ntexts, release);
	}
	share_or_release((void **) &results->unknown, results->ntexts, release);
	share_or_release((void **) &results->left_out, results->ntexts, release);
	share_or_release((void **) &results->rules, rules * sizeof(RuleCount), release);
}

void
free_results(const Corpus *corpus, Results *results)
{
	lay_out(corpus, results, true);
}

static bool
has_model(const MdrEngine *engine)
{
	MdrEngineRule rule;

	for (uint32_t i = 0; i < mdr_engine_nrules(engine); i++)
	{
		mdr_engine_rule(engine, i, &rule);
		if (rule.speaker != MDR_SPEAKER_RULE)
			return true;
	}
	return false;
}

void
score_corpus(const Corpus *corpus, Run run, Results *results)
{
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);
	int			count = processors < 1 ? 1 : processors > MAX_PROCESSES ? MAX_PROCESSES : (int) processors;
	void	   *next;
	bool		failed = false;

	*results = (Results) {.ntexts = corpus->ntexts, .ncategories = mdr_engine_ncategories(corpus->engine)};
	results->nsystems = has_model(corpus->engine) ? NSYSTEMS : 1;
	lay_out(corpus, results, false);
	share_or_release(&next, sizeof(uint32_t), false);
	if (run.disguise != PLAIN)
		disguise_prepare();
	fflush(NULL);
	for (int i = 0; i < count; i++)
	{
		pid_t		child = fork();

		if (child < 0)
			give_up("cannot start a process");
		if (child == 0)
		{
			work(corpus, results, run, next);
			_exit(0);
		}
	}
	for (int i = 0; i < count; i++)
	{
		int			status;

		failed |= wait(&status) < 0 || status != 0;
	}
	if (failed)
		give_up("a scoring process failed");
	share_or_release(&next, sizeof(uint32_t), true);
}
