/*
 * verdict_scores.c
 *		Scores, severities, actions and the gravest category; unknown content; caps; redaction.
 */
#include "match_tap.h"

#include <math.h>

static Made made;
static MdrArena *arena;

static MdrVerdict
judge(const char *text, MdrAction cap)
{
	MdrVerdict	verdict;

	if (mdr_verdict(made.engine, arena, text, strlen(text), cap, NULL, NULL, &verdict) != MDR_OK)
		printf("Bail out! no verdict\n");
	return verdict;
}

/* What one text comes to: the gravest category's index, its score and severity, and the action. */
static void
gives(const char *text, int category, double score, int severity, MdrAction action, const char *what)
{
	MdrVerdict	verdict = judge(text, MDR_REJECT);
	const MdrCategoryVerdict *gravest = verdict.category >= 0 ? &verdict.categories[verdict.category] : NULL;
	bool		good = verdict.status == MDR_OK && verdict.category == category && verdict.action == action
		&& (gravest == NULL || (fabs(gravest->score - score) < 1e-6 && gravest->severity == severity && gravest->action == action));

	if (!ok(good, "%s", what))
		printf("#   category %d score %g severity %d action %s\n", verdict.category, gravest ? gravest->score : 0,
			   gravest ? gravest->severity : 0, mdr_action_name(verdict.action));
}

static void
redacts(const char *text, const char *mask, const char *expected, const char *what)
{
	MdrVerdict	verdict = judge(text, MDR_REJECT);
	char	   *out;
	size_t		length;
	MdrStatus	status = mdr_redact(made.engine, arena, &verdict, text, strlen(text), mask, &out, &length);

	if (!ok(status == MDR_OK && strcmp(out, expected) == 0 && length == strlen(expected), "%s", what))
		printf("#   %s\n", status == MDR_OK ? out : "no text");
}

/* "forty" as its first word, then calm text, then another word that begins at that byte; and the same behind more calm text. */
static const char *
apart(uint32_t before, uint32_t distance, const char *one, const char *other)
{
	static char text[8192];

	memset(text, ' ', sizeof(text));
	for (uint32_t i = 0; i < before + distance; i += 5)
		memcpy(text + i, "calm", 4);
	memset(text + before, ' ', 16);
	memcpy(text + before, one, strlen(one));
	memset(text + before + distance - 5, ' ', 16);
	strcpy(text + before + distance, other);
	return text;
}

static void
far_apart(void)
{
	unsigned	wrong = 0;

	gives(apart(0, 512, "forty", "fifty"), 0, 0.7, 3, MDR_REJECT, "what is 512 bytes apart adds up");
	gives(apart(0, 2048, "forty", "fifty"), 0, 0.5, 3, MDR_FLAG, "what is far apart does not: the worse place counts");
	gives(apart(0, 2048, "thirty fifty", "forty"), 0, 0.65, 3, MDR_FLAG, "wherever it is");
	gives(apart(0, 2048, "mention", "seventy"), 0, 0.8, 2, MDR_REJECT, "a place with the higher score takes nothing from one that acts");
	gives(apart(0, 2048, "seventy", "mention"), 0, 0.8, 2, MDR_REJECT, "in either order");
	for (uint32_t before = 0; before < 3000; before += 35)
		for (uint32_t distance = 30; distance <= 1600; distance += 155)
		{
			MdrVerdict	verdict = judge(apart(before, distance, "forty", "fifty"), MDR_REJECT);
			bool		together = fabs(verdict.categories[0].score - 0.7) < 1e-6;

			wrong += (distance <= MDR_NEARBY && !together) || (distance >= 2 * MDR_NEARBY && together);
			mdr_arena_reset(arena);
		}
	ok(wrong == 0, "wherever two findings are, the near ones add up, the far ones do not");
}

int
main(void)
{
	MdrVerdict	verdict;
	char	   *text = malloc(200000);
	char	   *out;
	size_t		length;

	arena = mdr_arena_create(0);
	made = make("policy: p\nviews: [joined]\nlimits: {bytes: 100000, on_unknown: quarantine}\n"
				"contexts: [{id: news, terms: [reported], factor: 0}, {id: quote, terms: [quoted], factor: 0.5}]\n"
				"categories:\n"
				"  - {id: a, clause: {en: a}, flag_at: 0.4, act_at: 0.7, actions: [flag, flag, reject, reject], unless: [news, quote]}\n"
				"  - {id: b, clause: {en: b}, flag_at: 0.4, act_at: 0.7, actions: [allow, redact, redact, reject]}\n"
				"  - {id: s, clause: {en: s}, actions: [reject, reject, reject, reject], suspend: always}\n"
				"  - {id: t, clause: {en: t}, actions: [allow, reject, reject, reject]}\n"
				"---\ncategory: a\nrules:\n"
				"  - {id: a40, weight: 0.4, severity: 2, terms: [forty]" EXAMPLES
				"  - {id: a50, weight: 0.5, severity: 3, terms: [fifty]" EXAMPLES
				"  - {id: a70, weight: 0.7, severity: 2, terms: [seventy]" EXAMPLES
				"  - {id: a30, weight: 0.3, severity: 1, terms: [thirty]" EXAMPLES
				"  - {id: a80, weight: 0.8, severity: 0, terms: [mention]" EXAMPLES
				"---\ncategory: b\nrules:\n"
				"  - {id: b90, weight: 0.9, severity: 1, terms: ['mask*', 炸弹], patterns: ['hide.{1,9}me']" EXAMPLES
				"  - {id: b91, weight: 0.9, severity: 3, terms: [grave]" EXAMPLES
				"---\ncategory: s\nrules:\n"
				"  - {id: s70, weight: 0.7, severity: 1, terms: [suspend]" EXAMPLES
				"---\ncategory: t\nrules:\n"
				"  - {id: t70, weight: 0.75, severity: 3, terms: [three]" EXAMPLES
				"  - {id: t71, weight: 0.75, severity: 2, terms: [two]" EXAMPLES);

	gives("nothing", -1, 0, 0, MDR_ALLOW, "nothing found");
	gives("forty", 0, 0.4, 2, MDR_FLAG, "a rule's weight at flag_at flags");
	gives("seventy", 0, 0.7, 2, MDR_REJECT, "a rule's weight at act_at acts");
	gives("thirty", 0, 0.3, 1, MDR_ALLOW, "below flag_at nothing happens");
	gives("forty fifty", 0, 0.7, 3, MDR_REJECT, "two rules add up: 1 - 0.6 * 0.5");
	gives("forty forty forty", 0, 0.4, 2, MDR_FLAG, "a rule counts once");
	far_apart();
	gives("mention", 0, 0.8, 0, MDR_FLAG, "the action is the severity's");
	gives("mention thirty", 0, 0.86, 1, MDR_FLAG, "the gravest rule's severity");
	gives("seventy reported", -1, 0, 0, MDR_ALLOW, "excused altogether is nothing");
	verdict = judge("seventy reported", MDR_REJECT);
	ok(verdict.nfindings == 1 && verdict.findings[0].score == 0 && verdict.categories[0].severity == 0, "but is told, and weighs nothing");
	gives("seventy quoted", 0, 0.35, 1, MDR_ALLOW, "excused by half, and a mention at most");
	gives("seventy quoted fifty", 0, 1 - 0.65 * 0.75, 1, MDR_FLAG, "all that is near is excused");
	gives("seventy fifty forty mention quoted", 0, 1 - 0.65 * 0.75 * 0.8 * 0.6, 1, MDR_FLAG, "however much is excused, it does not act");
	gives("mention quoted", 0, 0.4, 0, MDR_FLAG, "a mention stays one");
	gives("seventy quoted, and much later, when sixty characters and more have passed, seventy", 0, 0.7, 2, MDR_REJECT,
		  "the best finding of a rule says its severity");
	gives("grave forty", 1, 0.9, 3, MDR_REJECT, "the graver action is the gravest");
	gives("suspend grave three", 2, 0.7, 1, MDR_REJECT, "of equal actions, suspension at once");
	gives("seventy three", 3, 0.75, 3, MDR_REJECT, "then severity");
	gives("seventy two", 3, 0.75, 2, MDR_REJECT, "then score");
	verdict = judge("suspend", MDR_FLAG);
	ok(verdict.action == MDR_FLAG && verdict.categories[2].action == MDR_FLAG, "a cap");
	verdict = judge("suspend", MDR_ALLOW);
	ok(verdict.action == MDR_ALLOW && verdict.category == 2, "a cap of allow still tells the category");

	memset(text, 'x', 200000);
	text[100001] = '\0';
	verdict = judge(text, MDR_REJECT);
	ok(verdict.status == MDR_UNKNOWN && verdict.action == MDR_QUARANTINE && verdict.category == -1
	   && strstr(verdict.unknown, "longer") != NULL, "unknown content gets the policy's action");
	ok(judge(text, MDR_FLAG).action == MDR_FLAG, "as far as the cap allows");
	ok(mdr_redact(made.engine, arena, &verdict, text, 100001, "#", &out, &length) == MDR_UNKNOWN && out == NULL,
	   "unknown content is not redacted");

	redacts("a mask b", "#", "a #### b", "one mask for each character");
	redacts("masks mask", "[x]", "[x][x][x][x][x] [x][x][x][x]", "a mask of several characters");
	redacts("买炸弹吗", "█", "买██吗", "Chinese");
	redacts("m a s k", "#", "#######", "all that took part");
	redacts("hide mask me", "#", "############", "spans that overlap");
	redacts("mask seventy", "#", "#### #######", "all categories at or above redact");
	redacts("mask forty", "#", "#### forty", "and none below");
	redacts("nothing", "#", "nothing", "nothing to mask");
	redacts("mask", "", "", "an empty mask");
	redacts("", "#", "", "nothing at all");

	/* More spans than are kept cannot all be masked, so the content must not pass as redacted. */
	for (int i = 0; i < 99990; i += 5)
		memcpy(text + i, "mask ", 5);
	text[60000] = '\0';
	verdict = judge(text, MDR_REJECT);
	ok(verdict.status == MDR_UNKNOWN && verdict.action == MDR_QUARANTINE && verdict.nfindings == 10000 && verdict.cut,
	   "too many spans to redact are unknown");
	ok(mdr_redact(made.engine, arena, &verdict, text, 60000, "#", &out, &length) == MDR_UNKNOWN, "and are not redacted");
	{
		/* With a policy that only flags what it does not know, such content is kept out all the same. */
		Made		before = made;

		made = make("policy: p\nlimits: {bytes: 100000, on_unknown: flag}\n"
					"categories: [{id: b, clause: {en: b}, actions: [allow, redact, redact, reject]}]\n"
					"---\ncategory: b\nrules:\n"
					"  - {id: b90, weight: 0.9, severity: 1, terms: ['mask*']" EXAMPLES);
		ok(judge(text, MDR_REJECT).action == MDR_QUARANTINE, "and quarantined, when on_unknown is milder");
		ok(judge(text, MDR_REDACT).action == MDR_REDACT && judge(text, MDR_FLAG).action == MDR_FLAG, "as far as the cap allows");
		unmake(&made);
		made = before;
	}
	text[45000] = '\0';
	verdict = judge(text, MDR_REJECT);
	ok(verdict.status == MDR_OK && verdict.action == MDR_REDACT && verdict.nfindings == 9000, "nine thousand are");

	free(text);
	unmake(&made);
	mdr_arena_destroy(arena);
	mdr_text_release();
	return done();
}
