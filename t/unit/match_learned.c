/*
 * match_learned.c
 *		A model learned from a site's own decisions, made here by the trainer: how it is written into a document and read again, and
 *		what it does to scores.  Expected scores are made from what the model itself says of the text.
 */
#include "match_tap.h"

#include "match/match_image.h"

#include <math.h>

#define HEADED "policy: p\nviews: []\ncategories:\n  - {id: a, clause: {en: a}}\n  - {id: b, clause: {en: b}}\n"
#define A_RULES "---\ncategory: a\nrules:\n" \
	"  - {id: half, weight: 0.5, severity: 2, terms: [half], hits: [half], misses: [y]}\n" \
	"  - {id: most, weight: 0.9, severity: 2, terms: [most], hits: [most], misses: [y]}\n" \
	"  - {id: least, weight: 0.2, severity: 1, terms: [least], hits: [least], misses: [y]}\n"
#define BAD "the quick zorblax jumps over a lazy quuxle"
#define GOOD "our garden opens every morning at seven"

static MdrArena *arena;
static char *weights;
static size_t nweights;

static void
train(void)
{
	static const char *const heads[] = {"a", "other"};
	MdrTraining training = {.heads = heads, .nheads = 2, .bits = 12, .epochs = 60, .rate = 1, .seed = 1};
	MdrTrainer *trainer;
	MdrError	error = {0};

	if (mdr_trainer_create(arena, &training, &trainer, &error) != MDR_OK)
		bail("trainer", &error);
	for (int i = 0; i < 40; i++)
	{
		const char *content = i % 2 ? BAD : GOOD;
		MdrLabels	labels = {.positive = i % 2 ? 3 : 0, .negative = i % 2 ? 0 : 3, .weight = 1};
		MdrText		plain;

		if (mdr_text_fold(arena, content, strlen(content), &plain) != MDR_OK || mdr_trainer_add(trainer, &plain, &labels) != MDR_OK)
			bail("text", &error);
	}
	if (mdr_trainer_fit(trainer, &weights, &nweights, &error) != MDR_OK)
		bail("fit", &error);
}

/* The learned model's logit of a text. */
static double
logit_of(const char *text)
{
	MdrModel	model;
	MdrReading	reading;
	MdrText		plain;
	MdrError	error = {0};

	if (mdr_model_open(weights, nweights, &model, &error) != MDR_OK || mdr_text_fold(arena, text, strlen(text), &plain) != MDR_OK)
		bail("model", &error);
	mdr_model_start(&reading);
	mdr_model_read(&model, &plain, &reading);
	return reading.logit[mdr_model_head(&model, "a")];
}

static double
shifted(double score, double shift)
{
	double		p = fmin(0.98, fmax(0.02, score));
	double		q = 1 / (1 + exp(-(log(p / (1 - p)) + fmin(4, fmax(-4, shift)))));

	return q < 0.001 ? 0 : q;
}

/* The document with the learned model, with a terminating zero. */
static char *
with_model(const char *document, int64_t examples, size_t bytes)
{
	static const char *const categories[] = {"a"};
	char	   *out,
			   *text;
	size_t		length;
	MdrError	error = {0};

	if (mdr_policy_with_learned(arena, document, strlen(document), categories, 1, examples, weights, bytes, &out, &length, &error) != MDR_OK)
		bail("document", &error);
	text = mdr_strndup(arena, out, length);
	if (strlen(text) != length)
		printf("Bail out! zero in a document\n");
	return text;
}

static MdrPolicy *
parse(const char *document)
{
	MdrPolicy  *policy;
	MdrError	error = {0};

	if (mdr_policy_parse(arena, document, strlen(document), NULL, NULL, &policy, &error) != MDR_OK)
		bail("policy", &error);
	return policy;
}

static bool
has_model(const MdrPolicy *policy, int64_t examples, size_t length)
{
	return policy->learned.length == length && memcmp(policy->learned.bytes, weights, length) == 0
		&& policy->learned.examples == examples && policy->learned.ncategories == 1 && policy->learned.categories[0] == 0
		&& (uintptr_t) policy->learned.bytes % 16 == 0;
}

static unsigned
occurrences(const char *text, const char *what)
{
	unsigned	n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void
written(void)
{
	char	   *document = with_model(HEADED A_RULES, 412, nweights);
	char	   *again;
	char	   *middle;
	unsigned	wrong = 0;

	ok(has_model(parse(document), 412, nweights) && parse(document)->nrules == 3, "a learned model is read as it was written");
	ok(strncmp(document, HEADED A_RULES, strlen(HEADED A_RULES)) == 0, "behind the document, which stays as it is");
	again = with_model(document, 500, nweights);
	ok(has_model(parse(again), 500, nweights) && occurrences(again, "model: learned") == 1 && strlen(again) == strlen(document),
	   "another takes its place");
	ok(strcmp(with_model(again, 1, 0), HEADED A_RULES) == 0, "and none leaves nothing of it");

	/* In the middle of others, with what looks like an end of a document and is none. */
	middle = mdr_alloc(arena, 2 * strlen(document) + 300);
	sprintf(middle, "%s---\n# file: b.yaml\ncategory: b\nrules:\n  - id: b1\n    weight: 1\n    severity: 1\n    note: |\n      ---\n      note\n"
			"    terms: [x]\n    hits: [x]\n    misses: [y]", document);
	again = with_model(middle, 7, nweights);
	ok(has_model(parse(again), 7, nweights) && occurrences(again, "model: learned") == 1 && parse(again)->nrules == 4
	   && strcmp(parse(again)->rules[3].note, "---\nnote\n") == 0, "one in the middle is found, what is behind it stays");

	/* Every length of bytes modulo three, and lines that end with the last of them. */
	for (size_t n = 1; n < 400 && n < nweights; n++)
		wrong += !has_model(parse(with_model(HEADED, 1, n)), 1, n);
	ok(wrong == 0, "bytes of every length come back");
}

static MdrVerdict
judge(const Made *made, const char *content)
{
	MdrVerdict	verdict;

	if (mdr_verdict(made->engine, arena, content, strlen(content), MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
		printf("Bail out! no verdict\n");
	return verdict;
}

static const MdrFinding *
learned_finding(const Made *made, const MdrVerdict *verdict)
{
	for (uint32_t i = 0; i < verdict->nfindings; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(made->engine, verdict->findings[i].rule, &rule);
		if (rule.speaker == MDR_SPEAKER_LEARNED && strcmp(rule.id, "a.learned") == 0 && rule.severity == 1 && rule.category == 0)
			return &verdict->findings[i];
	}
	return NULL;
}

/* A text whose category scores before without the learned model, and what is to come of it. */
static void
moves(const Made *made, const char *text, double before, MdrAction action, const char *what)
{
	MdrVerdict	verdict = judge(made, text);
	double		after = shifted(before, logit_of(text));
	const MdrFinding *finding = learned_finding(made, &verdict);
	bool		told = fabs(after - before) >= 0.1 || (after >= 0.4) != (before >= 0.4) || (after >= 0.7) != (before >= 0.7);
	bool		good = fabs(verdict.categories[0].score - after) < 1e-5 && verdict.categories[1].score == 0 && verdict.action == action
		&& told == (finding != NULL);

	if (finding != NULL && after > before)
		good = good && fabs(1 - (1 - before) * (1 - finding->score) - after) < 1e-5 && finding->context == -1
			&& verdict.categories[0].severity >= 1;
	else if (finding != NULL)
		good = good && finding->score == 0 && finding->context == MDR_CONTEXT_LEARNED
			&& strcmp(mdr_engine_context(made->engine, finding->context), "learned") == 0;
	if (!ok(good, "%s", what))
		printf("#   before %g, logit %g, after %g: score %g, action %s, %s\n", before, logit_of(text), after, verdict.categories[0].score,
			   mdr_action_name(verdict.action), finding ? "told" : "not told");
}

static void
corrected(void)
{
	Made		made = make(with_model(HEADED A_RULES, 40, nweights));
	Made		without = make(HEADED A_RULES);
	MdrVerdict	verdict;
	MdrEngineRule rule;
	MdrScan		scan = {.rules_only = true};

	mdr_engine_rule(made.engine, 3, &rule);
	ok(mdr_engine_nrules(made.engine) == 4 && rule.speaker == MDR_SPEAKER_LEARNED && strcmp(rule.note, "Learned from this site's decisions") == 0,
	   "it has a rule");
	ok(logit_of(BAD) > 2 && logit_of(GOOD) < -2, "the model has learned");
	moves(&made, BAD " half", 0.5, MDR_REJECT, "a flag becomes a refusal where a rule of severity 2 agrees");
	moves(&made, BAD " least", 0.2, MDR_FLAG, "what was nothing is flagged");
	moves(&made, BAD, 0, MDR_FLAG, "out of nothing it makes a flag, and no more");
	moves(&made, GOOD " most", 0.9, MDR_ALLOW, "a refusal can become nothing");
	moves(&made, GOOD " half", 0.5, MDR_ALLOW, "and so can a flag");
	moves(&made, GOOD " least", 0.2, MDR_ALLOW, "and what was nothing is less");
	moves(&made, GOOD, 0, MDR_ALLOW, "nothing stays nothing");
	verdict = judge(&made, GOOD " most");
	ok(verdict.category == 0 && verdict.categories[0].severity == 2 && verdict.nfindings == 2, "the rule's own finding and severity stay");
	verdict = judge(&made, "");
	ok(verdict.categories[0].score == 0 && verdict.nfindings == 0, "of an empty content it says nothing");
	ok(mdr_engine_scan(made.engine, arena, BAD " half", strlen(BAD " half"), &scan) == MDR_OK && scan.nfindings == 1 && scan.opinions == NULL,
	   "the rules alone may be asked");
	verdict = judge(&without, BAD " half");
	ok(fabs(verdict.categories[0].score - 0.5) < 1e-6 && verdict.action == MDR_FLAG, "without it all is as before");
	unmake(&made);
	unmake(&without);
}

/* What is clipped: a logit to 3 either way, a score to .02 and .98. */
static void
clipped(void)
{
	static const char *const more[] = {"zorblax", "quuxle zorblax quuxle zorblax", "garden", "garden garden opens morning garden"};
	Made		made = make(with_model(HEADED A_RULES, 40, nweights));
	unsigned	wrong = 0,
				beyond = 0;

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
	{
		MdrVerdict	verdict = judge(&made, more[i]);

		beyond += fabs(logit_of(more[i])) > 3;
		wrong += fabs(verdict.categories[0].score - shifted(0, logit_of(more[i]))) > 1e-5;
	}
	ok(wrong == 0 && beyond > 0, "a logit beyond 3 counts as 3");
	unmake(&made);
}

static void
refused(const char *document, const char *message, const char *what)
{
	Made		made;
	MdrError	error;
	MdrStatus	status = try_make(document, &made, &error);

	if (!ok(status == MDR_INVALID && strstr(error.message, message) != NULL, "%s", what))
		printf("#   status %d: %s\n", status, error.message);
	unmake(&made);
}

#define LEARNED(categories, weights) HEADED "---\nmodel: learned\ncategories: " categories "\nexamples: 1\nweights: " weights "\n"

static void
errors(void)
{
	char	   *twice = mdr_alloc(arena, 3 * nweights + 1000);
	char	   *one = with_model(HEADED, 1, nweights);
	static const char *const b[] = {"b"};
	char	   *out;
	size_t		length;
	MdrError	error = {0};

	refused(LEARNED("[a]", "\"TWFu\""), "weights are not a model's", "bytes that are no model");
	if (mdr_policy_with_learned(arena, HEADED, strlen(HEADED), b, 1, 1, weights, nweights, &out, &length, &error) != MDR_OK)
		bail("document", &error);
	refused(mdr_strndup(arena, out, length), "the learned model does not know category \"b\"", "a category that the model has no head for");
	sprintf(twice, "%s%s", one, strstr(one, "---\n"));
	refused(twice, "there is a learned model already", "two models");
	ok(mdr_policy_with_learned(arena, "policy: p\n", 10, b, 1, 1, weights, nweights, &out, &length, &error) == MDR_INVALID && out == NULL,
	   "a document that is none gets no model");
}

/* Bytes of the image that are wrong, with a right checksum: it need not be refused, but may do no harm.  Sanitizers see whether it does. */
static void
damaged(void)
{
	Made		made = make(with_model("model: built-in\n" HEADED A_RULES, 40, nweights));
	const MdrImageHeader *header = (const MdrImageHeader *) made.image;
	const size_t model = header->sections[MDR_LEARNED].offset;
	char	   *image = malloc(made.length);
	unsigned	opened = 0,
				refused = 0,
				broken = 0;

	for (int i = 0; i < 4000; i++)
	{
		/* Half of them in the model's header, where offsets and sizes are, and the rest anywhere. */
		size_t		at = i % 2 ? model + roll(1024) : roll((uint32_t) made.length);
		MdrEngine  *engine;
		MdrVerdict	verdict;
		MdrError	error;

		memcpy(image, made.image, made.length);
		image[at] = (char) roll(256);
		((MdrImageHeader *) image)->checksum = mdr_image_checksum(image, made.length);
		if (mdr_engine_open(image, made.length, &engine, &error) != MDR_OK)
		{
			refused++;
			continue;
		}
		opened++;
		broken += mdr_verdict(engine, arena, BAD " half z0rblax", strlen(BAD " half z0rblax"), MDR_REJECT, NULL, NULL, &verdict) == MDR_BROKEN;
		mdr_engine_close(engine);
	}
	ok(opened > 100 && refused > 100 && broken == 0, "an image with a damaged byte and a right checksum does no harm");
	free(image);
	unmake(&made);
}

/* Fails the n-th allocation of a step, for every n until the step succeeds. */
static void
memory(void)
{
	static const char *const categories[] = {"a"};
	Made		made = make(with_model("model: built-in\n" HEADED A_RULES, 40, nweights));
	unsigned	wrong = 0;
	MdrError	error;
	long		n;

	for (n = 1;; n++)
	{
		MdrVerdict	verdict;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_verdict(made.engine, arena, BAD " half", strlen(BAD " half"), MDR_REJECT, NULL, NULL, &verdict);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && status != MDR_NO_MEMORY;
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 10, "each of %ld allocations of a verdict that fails is reported", n - 1);
	for (n = 1;; n++)
	{
		char	   *out;
		size_t		length;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_policy_with_learned(arena, HEADED, strlen(HEADED), categories, 1, 1, weights, 100, &out, &length, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && (status != MDR_NO_MEMORY || out != NULL);
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 10, "and each of %ld of writing a model into a document", n - 1);
	for (n = 1;; n++)
	{
		char	   *image;
		size_t		length;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_compile(arena, made.policy, NULL, NULL, &image, &length, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && (status != MDR_NO_MEMORY || image != NULL);
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 10, "and each of %ld of compiling it", n - 1);
	unmake(&made);
}

int
main(void)
{
	arena = mdr_arena_create(0);
	train();
	written();
	corrected();
	clipped();
	errors();
	damaged();
	memory();
	mdr_arena_destroy(arena);
	mdr_text_release();
	return done();
}
