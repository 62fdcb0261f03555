/*
 * verdict.c
 *		Findings -> scores, severities and actions by category, and the gravest of them.
 *
 * Input: content, and an engine that finds in it.  Output: a verdict in the caller's arena.  Locks: none.  On error: the
 * status of the scan, and no verdict; content that could not be scanned within its bounds has a verdict, which says so.
 */
#include "verdict/verdict.h"

/* What the verdict keeps at most; enough for redaction to cover a text that is long and bad throughout. */
#define MAX_FINDINGS 10000

static MdrAction
at_most(MdrAction action, MdrAction cap)
{
	return action < cap ? action : cap;
}

static MdrAction
action_for(const MdrEngineCategory *category, const MdrScore *score)
{
	MdrAction	action = category->actions[score->severity];

	if (score->score < category->flag_at || !score->spoken)
		return MDR_ALLOW;
	return score->score < category->act_at ? at_most(action, MDR_FLAG) : action;
}

/* Whether a category's verdict is graver than another's: action, suspension at once, severity, score; then order decides. */
static bool
graver(const MdrEngine *engine, const MdrVerdict *verdict, uint32_t a, uint32_t b)
{
	const MdrCategoryVerdict *x = &verdict->categories[a];
	const MdrCategoryVerdict *y = &verdict->categories[b];
	MdrEngineCategory category;
	bool		x_suspends,
				y_suspends;

	if (x->action != y->action)
		return x->action > y->action;
	mdr_engine_category(engine, a, &category);
	x_suspends = x->score > 0 && x->severity >= category.suspend_from;
	mdr_engine_category(engine, b, &category);
	y_suspends = y->score > 0 && y->severity >= category.suspend_from;
	if (x_suspends != y_suspends)
		return x_suspends;
	if (x->severity != y->severity)
		return x->severity > y->severity;
	return x->score > y->score;
}

static MdrStatus
judge(MdrEngine *engine, MdrArena *arena, MdrAction cap, MdrVerdict *verdict)
{
	uint32_t	count = mdr_engine_ncategories(engine);
	MdrScore   *scores = mdr_alloc_array(arena, count, sizeof(MdrScore));

	verdict->categories = mdr_alloc_array(arena, count, sizeof(MdrCategoryVerdict));
	verdict->ncategories = count;
	if (scores == NULL || verdict->categories == NULL)
		return MDR_NO_MEMORY;
	if (mdr_engine_scores(engine, arena, verdict->findings, verdict->nfindings, verdict->opinions, scores) != MDR_OK)
		return MDR_NO_MEMORY;
	for (uint32_t i = 0; i < count; i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(engine, i, &category);
		verdict->categories[i] = (MdrCategoryVerdict) {scores[i].score, scores[i].severity,
			at_most(action_for(&category, &scores[i]), cap)};
		if (scores[i].spoken && (verdict->category < 0 || graver(engine, verdict, i, (uint32_t) verdict->category)))
			verdict->category = (int) i;
	}
	if (verdict->category >= 0)
		verdict->action = verdict->categories[verdict->category].action;
	return MDR_OK;
}

/* A text of which not all could be masked must not be stored as if it had been. */
static void
check_redaction(const MdrScan *scan, MdrVerdict *verdict)
{
	if (scan->cut && verdict->action == MDR_REDACT)
	{
		verdict->status = MDR_UNKNOWN;
		verdict->unknown = "more spans would have to be redacted than are kept";
	}
}

MdrStatus
mdr_verdict(MdrEngine *engine, MdrArena *arena, const char *content, size_t length, MdrAction cap, MdrInterrupted interrupted,
			void *context, MdrVerdict *verdict)
{
	MdrScan		scan = {.interrupted = interrupted, .interrupted_context = context, .max_findings = MAX_FINDINGS};
	MdrStatus	status = mdr_engine_scan(engine, arena, content, length, &scan);

	*verdict = (MdrVerdict) {.status = status, .category = -1, .action = MDR_ALLOW};
	if (status != MDR_OK && status != MDR_UNKNOWN)
		return status;
	verdict->unknown = scan.unknown;
	verdict->findings = scan.findings;
	verdict->nfindings = scan.nfindings;
	verdict->opinions = scan.opinions;
	verdict->cut = scan.cut;
	status = judge(engine, arena, cap, verdict);
	if (status != MDR_OK)
		return status;
	check_redaction(&scan, verdict);
	if (verdict->status == MDR_UNKNOWN && at_most(mdr_engine_on_unknown(engine), cap) > verdict->action)
		verdict->action = at_most(mdr_engine_on_unknown(engine), cap);

	/* What is not known cannot be masked, so it may not be stored as if it had been. */
	if (verdict->status == MDR_UNKNOWN && verdict->action == MDR_REDACT)
		verdict->action = at_most(MDR_QUARANTINE, cap);
	return MDR_OK;
}
