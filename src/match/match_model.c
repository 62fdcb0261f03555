/*
 * match_model.c
 *		What learned models say beside the rules.
 *
 * A model reads the plain view of each window, which is folded already, and keeps of each head its surest stretch.  When all windows
 * were read, each category that the model has a head for gets an opinion; and a finding where that is worth telling.
 *
 * The model knows quotation, reporting and the like from what it learned, so that contexts near a finding do not excuse it.  One that
 * counts anywhere says what the whole content is, as the model does, and lowers its score like a rule's.
 *
 * A model that a site learned from its own decisions corrects: it moves the logit of the score that rules and the library's model come
 * to.  Where that makes a difference it has a finding, too, of score 0 when it lowers.
 *
 * Input: a window's plain view, contexts seen.  Output: the scan's opinions, findings.  Locks: none.  Memory: the caller's arena.
 * On error: MDR_NO_MEMORY.
 */
#include "match/match_engine.h"

#include <math.h>
#include <string.h>

#define LEAST_OPINION 0.001f		/* below it a score is 0 */
#define LEAST_FINDING 0.1f
#define MOST_SHIFT 4.0f			/* of a logit, by the learned model */
#define LOWEST_SHIFTED 0.02		/* a score that it moves is first clipped to these */
#define HIGHEST_SHIFTED 0.98

static bool
asked(const MdrWindow *window)
{
	return !window->scan->rules_only && (window->engine->model != NULL || window->engine->learned != NULL);
}

void
mdr_start_models(MdrWindow *window)
{
	if (!asked(window))
		return;
	mdr_model_start(&window->model.reading);
	mdr_model_start(&window->learned.reading);
}

/* Reads the window, and says of heads that rose where that is. */
static void
read_window(const MdrWindow *window, const MdrModel *model, MdrModelReading *read)
{
	const MdrText *plain = &window->text[MDR_VIEW_PLAIN];
	float		before[MDR_MODEL_MAX_HEADS];

	if (plain->length == 0)
		return;
	memcpy(before, read->reading.logit, sizeof(before));
	mdr_model_read(model, plain, &read->reading);
	for (uint32_t head = 0; head < mdr_model_nheads(model); head++)
		if (read->reading.logit[head] != before[head])
		{
			mdr_text_span(plain, read->reading.start[head], read->reading.end[head], &read->start[head], &read->end[head]);
			read->start[head] += window->offset;
			read->end[head] += window->offset;
		}
}

void
mdr_read_models(MdrWindow *window)
{
	if (!asked(window))
		return;
	if (window->engine->model != NULL)
		read_window(window, window->engine->model, &window->model);
	if (window->engine->learned != NULL)
		read_window(window, window->engine->learned, &window->learned);
}

/* What the library's model gives a category, before any excuse. */
static float
model_score(const MdrWindow *window, uint32_t category)
{
	const MdrEngine *engine = window->engine;
	float		score;

	if (engine->model == NULL || engine->model_heads[category] < 0
		|| window->model.reading.logit[engine->model_heads[category]] == -INFINITY)
		return 0;
	score = engine->categories[category].model
		* mdr_model_score(engine->model, &window->model.reading, (uint32_t) engine->model_heads[category]);
	return score < LEAST_OPINION ? 0 : score;
}

static bool
worth_telling(const MdrImageCategory *category, float score)
{
	return score >= LEAST_FINDING || score >= category->flag_at;
}

bool
mdr_models_ask_contexts(const MdrWindow *window)
{
	const MdrEngine *engine = window->engine;

	if (!asked(window))
		return false;
	for (uint32_t c = 0; c < engine->ncategories; c++)
		if ((engine->categories[c].unless & engine->anywhere) != 0
			&& worth_telling(&engine->categories[c], model_score(window, c)))
			return true;
	return false;
}

/* Takes off what the category's contexts excuse; which of them, or -1. */
static int
excuse(const MdrWindow *window, uint32_t category, float *score)
{
	const MdrEngine *engine = window->engine;
	float		factor = 1;
	int			excused = -1;

	for (uint64_t rest = engine->categories[category].unless & window->seen & engine->anywhere; rest != 0; rest &= rest - 1)
	{
		int			c = __builtin_ctzll(rest);

		if (engine->contexts[c].factor < factor)
		{
			factor = engine->contexts[c].factor;
			excused = c;
		}
	}
	*score *= factor;
	return excused;
}

/* The model's opinion of a category, and its finding if there is one; also one that was excused is told. */
static MdrStatus
judge(MdrWindow *window, uint32_t index)
{
	const MdrImageCategory *category = &window->engine->categories[index];
	int			head = window->engine->model_heads[index];
	float		score = model_score(window, index);
	bool		told = worth_telling(category, score);
	int			context = excuse(window, index, &score);

	window->scan->opinions[index].score = score < LEAST_OPINION ? 0 : score;
	window->scan->opinions[index].start = window->model.start[head];
	window->scan->opinions[index].end = window->model.end[head];
	if (!told)
		return MDR_OK;
	return mdr_add_finding(window, (MdrFinding) {category->model_rule, window->model.start[head], window->model.end[head],
		window->scan->opinions[index].score, MDR_VIEW_PLAIN, context});
}

/* By how much the learned model moves a category's logit. */
static float
shift(const MdrWindow *window, uint32_t category)
{
	int			head = window->engine->learned_heads[category];
	float		logit = head >= 0 ? window->learned.reading.logit[head] : 0;

	if (logit == -INFINITY)
		return 0;				/* no window was read */
	return fmaxf(-MOST_SHIFT, fminf(MOST_SHIFT, logit));
}

MdrStatus
mdr_finish_models(MdrWindow *window)
{
	const MdrEngine *engine = window->engine;
	MdrStatus	status = MDR_OK;

	if (!asked(window))
		return MDR_OK;
	window->scan->opinions = mdr_alloc_array(window->arena, engine->ncategories, sizeof(MdrOpinion));
	if (window->scan->opinions == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t c = 0; status == MDR_OK && c < engine->ncategories; c++)
	{
		window->scan->opinions[c].shift = shift(window, c);
		if (engine->model_heads[c] >= 0)
			status = judge(window, c);
	}
	return status;
}

/* The clip lets the learned model raise what nobody else sees, and lower what is certain. */
float
mdr_score_logit(float score)
{
	double		clipped = score < LOWEST_SHIFTED ? LOWEST_SHIFTED : score > HIGHEST_SHIFTED ? HIGHEST_SHIFTED : score;

	return (float) log(clipped / (1 - clipped));
}

float
mdr_shift_score(float score, float shift)
{
	double		shifted;

	if (shift == 0)
		return score;
	shifted = 1 / (1 + exp(-((double) mdr_score_logit(score) + shift)));
	return shifted < LEAST_OPINION ? 0 : (float) shifted;
}

/* Whether a threshold lies between two scores. */
static bool
crosses(float before, float after, float threshold)
{
	return (before >= threshold) != (after >= threshold);
}

MdrStatus
mdr_finish_learned(MdrWindow *window, bool *added)
{
	const MdrEngine *engine = window->engine;
	MdrOpinion *opinions = window->scan->opinions;
	MdrScore   *scores;
	MdrOpinion *others;
	MdrStatus	status = MDR_OK;

	if (!asked(window) || engine->learned == NULL)
		return MDR_OK;
	scores = mdr_alloc_array(engine->scratch, engine->ncategories, sizeof(MdrScore));
	others = mdr_alloc_array(engine->scratch, engine->ncategories, sizeof(MdrOpinion));
	if (scores == NULL || others == NULL)
		return MDR_NO_MEMORY;
	for (uint32_t c = 0; c < engine->ncategories; c++)
	{
		others[c] = opinions[c];
		others[c].shift = 0;
	}
	status = mdr_engine_scores(engine, engine->scratch, window->findings, window->nfindings, others, scores);
	for (uint32_t c = 0; status == MDR_OK && c < engine->ncategories; c++)
	{
		const MdrImageCategory *category = &engine->categories[c];
		int			head = engine->learned_heads[c];
		float		before = scores[c].score;
		float		after = mdr_shift_score(before, opinions[c].shift);
		bool		raised = after > before;

		if (head < 0 || (fabsf(after - before) < LEAST_FINDING && !crosses(before, after, category->flag_at)
						 && !crosses(before, after, category->act_at)))
			continue;
		*added = true;
		status = mdr_add_finding(window, (MdrFinding) {category->learned_rule, window->learned.start[head],
			window->learned.end[head], raised ? (after - before) / (1 - before) : 0, MDR_VIEW_PLAIN,
			raised ? -1 : MDR_CONTEXT_LEARNED});
	}
	return status;
}
