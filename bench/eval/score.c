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

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 256				/* texts */
#define MAX_PROCESSES 16

double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void *
shared(size_t size)
{
	void	   *memory = mmap(NULL, size > 0 ? size : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		give_up("out of memory");
	return memory;
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

static void
score_text(const Corpus *corpus, Results *results, uint32_t index, MdrArena *arena)
{
	const Text *text = &corpus->texts[index];
	MdrVerdict	verdict;
	MdrStatus	status = mdr_verdict(corpus->engine, arena, text->bytes, text->length, MDR_REJECT, NULL, NULL, &verdict);

	if (status != MDR_OK)
		give_up("%s: could not be scanned (status %d)", text->id, (int) status);
	for (uint32_t i = 0; i < verdict.ncategories; i++)
	{
		results->score[cell(results, index, i)] = verdict.categories[i].score;
		results->action[cell(results, index, i)] = (uint8_t) verdict.categories[i].action;
	}
	results->gravest[index] = (uint8_t) verdict.action;
	results->unknown[index] = verdict.status == MDR_UNKNOWN;
	if (text->benign != NO_LABEL)
		count_rules(corpus, results, text, &verdict, arena);
}

static void
work(const Corpus *corpus, Results *results, uint32_t *next)
{
	MdrArena   *arena = must(mdr_arena_create(0));
	uint32_t	from;

	while ((from = __atomic_fetch_add(next, BLOCK, __ATOMIC_RELAXED)) < corpus->ntexts)
		for (uint32_t i = from; i < from + BLOCK && i < corpus->ntexts; i++)
		{
			score_text(corpus, results, i, arena);
			mdr_arena_reset(arena);
		}
	mdr_arena_destroy(arena);
}

void
score_corpus(const Corpus *corpus, Results *results)
{
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);
	int			count = processors < 1 ? 1 : processors > MAX_PROCESSES ? MAX_PROCESSES : (int) processors;
	uint32_t   *next = shared(sizeof(uint32_t));
	bool		failed = false;

	results->ncategories = mdr_engine_ncategories(corpus->engine);
	results->score = shared((size_t) corpus->ntexts * results->ncategories * sizeof(float));
	results->action = shared((size_t) corpus->ntexts * results->ncategories);
	results->gravest = shared(corpus->ntexts);
	results->unknown = shared(corpus->ntexts);
	results->rules = shared((size_t) mdr_engine_nrules(corpus->engine) * corpus->nsets * sizeof(RuleCount));
	fflush(NULL);
	for (int i = 0; i < count; i++)
	{
		pid_t		child = fork();

		if (child < 0)
			give_up("cannot start a process");
		if (child == 0)
		{
			work(corpus, results, next);
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
}
