/*
 * match_model.c
 *		Models beside the rules: what the library's gives a category, its findings, contexts, long content; and a learned one, made
 *		here by the trainer: how it is written into a document, and what it does to scores.
 *
 * Nothing depends on what the library's model knows, but that it knows at least one of a few sentences: expected scores are made from
 * what the model itself says of the text.
 */
#include "match_tap.h"

#include "match/match_image.h"

#include <math.h>

/* Dry sentences, one of which the library's model surely knows for what it is. */
static const char *const sentences[] = {
	"I hate those people and they should all be killed.",
	"You are a stupid idiot and everybody hates you.",
	"Tell me how to make a bomb that kills many people.",
	"How can I hack into a bank account and steal the money without being caught?",
};
#define CALM "The library opens at nine and closes at five."

static MdrArena *arena;
static const char *text;		/* one of the sentences */
static const char *head;		/* what it is */
static float known;				/* mdr_model_score() of that */

static void
read_text(const MdrModel *model, const char *content, MdrReading *reading)
{
	MdrText		plain;

	if (mdr_text_fold(arena, content, strlen(content), &plain) != MDR_OK)
		printf("Bail out! fold\n");
	mdr_model_start(reading);
	mdr_model_read(model, &plain, reading);
}

/* Takes the sentence, and the head, of which the model is surest. */
static void
choose_sentence(void)
{
	const MdrModel *model = mdr_model_built_in();

	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
	{
		MdrReading	reading;

		read_text(model, sentences[i], &reading);
		for (uint32_t h = 0; h < mdr_model_nheads(model); h++)
			if (strcmp(mdr_model_head_name(model, h), "any") != 0 && mdr_model_score(model, &reading, h) > known)
			{
				known = mdr_model_score(model, &reading, h);
				head = mdr_model_head_name(model, h);
				text = sentences[i];
			}
	}
	printf("# \"%s\" is %s to %.3f\n", text, head, known);
	if (!ok(known >= 0.67f, "the library's model is sure of one of the sentences"))
		exit(done());
}

/* A policy whose one category is the head, with more for the head document, for the category, and rules. */
static const char *
document(const char *more, const char *category, const char *rules)
{
	static char out[4096];

	snprintf(out, sizeof(out), "policy: p\nviews: []\n%scategories:\n  - {id: %s, clause: {en: c}%s}\n  - {id: unheard_of, clause: {en: d}}\n%s",
			 more, head, category, rules);
	return out;
}

static const char *
one_rule(const char *rule)
{
	static char out[1024];

	snprintf(out, sizeof(out), "---\ncategory: %s\nrules:\n%s", head, rule);
	return out;
}

static MdrVerdict
judge(const Made *made, const char *content)
{
	MdrVerdict	verdict;

	if (mdr_verdict(made->engine, arena, content, strlen(content), MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
		printf("Bail out! no verdict\n");
	return verdict;
}

/* The finding of a rule, or NULL. */
static const MdrFinding *
finding_of(const Made *made, const MdrVerdict *verdict, const char *ending)
{
	for (uint32_t i = 0; i < verdict->nfindings; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(made->engine, verdict->findings[i].rule, &rule);
		if (strlen(rule.id) >= strlen(ending) && strcmp(rule.id + strlen(rule.id) - strlen(ending), ending) == 0)
			return &verdict->findings[i];
	}
	return NULL;
}

static bool
near(double a, double b)
{
	return fabs(a - b) < 1e-5;
}

/* What the category comes to, and whether the model has a finding. */
static void
gives(const char *policy, const char *content, double score, MdrAction action, bool told, const char *what)
{
	Made		made = make(policy);
	MdrVerdict	verdict = judge(&made, content);
	const MdrFinding *finding = finding_of(&made, &verdict, MDR_MODEL_ID);

	if (!ok(near(verdict.categories[0].score, score) && verdict.action == action && (finding != NULL) == told
			&& verdict.categories[1].score == 0, "%s", what))
		printf("#   score %g of %g, action %s, %s\n", verdict.categories[0].score, score, mdr_action_name(verdict.action),
			   finding ? "told" : "not told");
	unmake(&made);
}

#define MODEL "model: built-in\n"
#define PEOPLE "  - {id: r, weight: 0.5, severity: 2, terms: [people, everybody, account], hits: [people], misses: [y]}\n"

static void
alone(void)
{
	Made		made = make(document(MODEL, "", ""));
	MdrVerdict	verdict = judge(&made, text);
	const MdrFinding *finding = finding_of(&made, &verdict, MDR_MODEL_ID);
	MdrEngineRule rule;
	MdrEngineCategory category,
				other;

	mdr_engine_category(made.engine, 0, &category);
	mdr_engine_category(made.engine, 1, &other);
	ok(category.model == 0.6f && other.model == 0 && mdr_engine_nrules(made.engine) == 1,
	   "the model speaks in a category that it knows, and is silent in one that it does not");
	mdr_engine_rule(made.engine, 0, &rule);
	ok(rule.speaker == MDR_SPEAKER_MODEL && rule.category == 0 && rule.weight == 0.6f && rule.severity == 1
	   && strcmp(rule.language, "any") == 0 && strcmp(rule.note, "The learned model") == 0 && rule.nterms + rule.npatterns == 0
	   && strncmp(rule.id, head, strlen(head)) == 0 && strcmp(rule.id + strlen(head), ".model") == 0, "as a rule of its own");
	ok(verdict.category == 0 && verdict.action == MDR_FLAG && verdict.categories[0].severity == 1
	   && near(verdict.categories[0].score, 0.6 * known), "it flags alone, with severity 1");
	ok(verdict.nfindings == 1 && finding != NULL && near(finding->score, 0.6 * known) && finding->start == 0
	   && finding->end == strlen(text) && finding->view == MDR_VIEW_PLAIN && finding->context == -1, "its finding is the window");
	verdict = judge(&made, "");
	ok(verdict.category == -1 && verdict.nfindings == 0 && verdict.categories[0].score == 0, "of nothing it says nothing");
	unmake(&made);

	gives(document("", "", ""), text, 0, MDR_ALLOW, false, "without a model nothing is found");
	gives(document("model: none\n", ", model: 0.9", ""), text, 0, MDR_ALLOW, false, "nor with \"model: none\", whatever the category says");
	gives(document(MODEL, ", model: 0", ""), text, 0, MDR_ALLOW, false, "nor in a category where it is to be silent");
	gives(document(MODEL, ", model: 1", ""), text, known, MDR_FLAG, true, "however sure, it flags alone");
	gives(document(MODEL, ", model: 1, actions: [allow, reject, reject, reject]", ""), text, known, known >= 0.7 ? MDR_REJECT : MDR_FLAG, true,
		  "unless the policy wants another action for severity 1");
	gives(document(MODEL, ", model: 0.09", ""), text, 0.09 * known, MDR_ALLOW, false, "what is less than a tenth is a score and no finding");
	gives(document(MODEL, ", model: 0.09, flag_at: 0.05", ""), text, 0.09 * known, MDR_FLAG, true, "unless it flags");
	gives(document(MODEL, ", model: 0.0009", ""), text, 0, MDR_ALLOW, false, "below .001 it is 0");
	made = make(document(MODEL, ", model: 0.09, actions: [flag, flag, reject, reject]", ""));
	verdict = judge(&made, text);
	ok(verdict.category == -1 && verdict.action == MDR_ALLOW && verdict.categories[0].action == MDR_ALLOW
	   && verdict.categories[0].severity == 0, "a verdict is not made of it");
	unmake(&made);
}

static void
with_rules(void)
{
	Made		made;
	MdrVerdict	verdict;
	MdrScan		scan = {.rules_only = true};
	MdrError	error = {0};

	gives(document(MODEL, ", model: 0.8", one_rule(PEOPLE)), text, 1 - 0.5 * (1 - 0.8 * known), MDR_REJECT, true,
		  "model and rule together refuse");
	gives(document("", "", one_rule(PEOPLE)), text, 0.5, MDR_FLAG, false, "where the rule alone would flag");
	made = make(document(MODEL, "", one_rule(PEOPLE)));
	verdict = judge(&made, "these people");
	ok(verdict.categories[0].score < 0.7f && verdict.categories[0].severity == 2 && finding_of(&made, &verdict, "r") != NULL,
	   "and so it does where the model does not agree");
	ok(mdr_engine_scan(made.engine, arena, text, strlen(text), &scan) == MDR_OK && scan.opinions == NULL && scan.nfindings == 1,
	   "the rules alone may be asked");
	mdr_engine_use_model(made.engine, NULL);
	ok(near(judge(&made, text).categories[0].score, 0.5), "or no model");
	mdr_engine_use_model(made.engine, mdr_model_built_in());
	ok(judge(&made, text).categories[0].score > 0.5f, "or another one, here the same again");
	unmake(&made);

	/* Examples are about the rule. */
	made = make(document(MODEL, "", one_rule("  - {id: r, weight: 0.5, severity: 2, terms: [zorblax], hits: [zorblax], misses: [\"MISS\"]}\n")));
	made.policy->rules[0].misses.items[0] = text;
	ok(mdr_engine_check(made.engine, made.policy, NULL, NULL, &error) == MDR_OK, "what the model finds is no miss of a rule's");
	made.policy->rules[0].hits.items[0] = text;
	ok(mdr_engine_check(made.engine, made.policy, NULL, NULL, &error) == MDR_INVALID, "and no hit");
	unmake(&made);
}

#define CONTEXTS "contexts:\n  - {id: far, terms: [people, everybody, account], within: 0, factor: 0.5}\n" \
	"  - {id: near, terms: [people, everybody, account], within: 100, factor: 0.1}\n" \
	"  - {id: none, terms: [people, everybody, account], within: 0, factor: 0}\n"

static void
contexts(void)
{
	Made		made;
	MdrVerdict	verdict;
	const MdrFinding *finding;

	gives(document(MODEL CONTEXTS, "", ""), text, 0.6 * known, MDR_FLAG, true, "a context that the category does not name excuses nothing");
	gives(document(MODEL CONTEXTS, ", unless: [near]", ""), text, 0.6 * known, MDR_FLAG, true, "nor does one that must be near");
	made = make(document(MODEL CONTEXTS, ", unless: [near, far]", ""));
	verdict = judge(&made, text);
	finding = finding_of(&made, &verdict, MDR_MODEL_ID);
	ok(near(verdict.categories[0].score, 0.5 * 0.6 * known) && finding != NULL && finding->context == 0
	   && near(finding->score, 0.5 * 0.6 * known) && verdict.action == MDR_ALLOW, "one that counts anywhere takes its part of the model's score");
	unmake(&made);
	made = make(document(MODEL CONTEXTS, ", unless: [none]", ""));
	verdict = judge(&made, text);
	finding = finding_of(&made, &verdict, MDR_MODEL_ID);
	ok(verdict.categories[0].score == 0 && verdict.category == -1 && finding != NULL && finding->score == 0 && finding->context == 2,
	   "and one of factor 0 all of it, which is told");
	unmake(&made);
}

/* A paragraph of the sentence far on, behind so many bytes of what is calm: long enough that a window lies in it wherever windows are cut. */
static void
long_content(void)
{
	Made		made = make(document(MODEL CONTEXTS, ", unless: [far]", ""));
	Made		plain = make(document(MODEL, "", ""));
	const size_t paragraph = 8 * (strlen(text) + 1);
	unsigned	wrong = 0,
				excused = 0,
				contents = 0;

	for (size_t before = 100; before < 200000; before += 9973, contents++)
	{
		size_t		size = before + 70000;
		char	   *content = malloc(size + 100);
		size_t		at = 0;
		MdrVerdict	verdict;
		const MdrFinding *finding;

		while (at < size)
			at += (size_t) sprintf(content + at, "%s ", CALM);
		for (int i = 0; i < 8; i++)
		{
			memcpy(content + before + i * (strlen(text) + 1), text, strlen(text));
			content[before + (i + 1) * (strlen(text) + 1) - 1] = ' ';
		}
		mdr_arena_reset(arena);
		verdict = judge(&plain, content);
		finding = finding_of(&plain, &verdict, MDR_MODEL_ID);
		wrong += finding == NULL || finding->start >= before + paragraph || finding->end <= before || finding->end - finding->start > 300
			|| !near(finding->score, verdict.categories[0].score);
		verdict = judge(&made, content);
		finding = finding_of(&made, &verdict, MDR_MODEL_ID);
		excused += finding != NULL && finding->context == 0;
		free(content);
	}
	ok(wrong == 0, "what stands in a long content is found where it stands");
	ok(excused == contents, "and excused by a context that counts anywhere");
	mdr_arena_reset(arena);
	unmake(&made);
	unmake(&plain);
}

static bool
is_edge(const char *content, size_t length, size_t at)
{
	return at == length || ((unsigned char) content[at] & 0xC0) != 0x80;
}

/* Of contents of any kind: the window is a piece of the content as given, and cuts no character in two. */
static void
odd_content(void)
{
	static const char *const pieces[] = {"hack into a bank ", "\xE5\x81\xB7\xE9\x92\xB1 ", "\xEF\xB7\xBA", "a\xCC\x81", "\xF0\x9F\x98\x80", "\xEF\xBC\xA1",
		" ", "\n", "h a c k ", "h4ck 1nt0 ", "haaaaack ", "\xE2\x80\x8B", "\xE6\x83\xB3\xE6\xAD\xBB", "\xC3", "\xFF"};
	Made		made = make(document(MODEL, ", model: 1, flag_at: 0.001", ""));
	unsigned	wrong = 0,
				told = 0;

	for (int i = 0; i < 1500; i++)
	{
		char		content[70000];
		size_t		most = i % 50 == 0 ? 69000 : 1 + roll(700);
		size_t		length = 0;
		bool		valid = i % 3 != 0;
		uint32_t	kinds = valid ? sizeof(pieces) / sizeof(pieces[0]) - 2 : sizeof(pieces) / sizeof(pieces[0]);
		MdrVerdict	verdict;
		const MdrFinding *finding;

		while (length < most)
		{
			const char *piece = pieces[roll(kinds)];

			memcpy(content + length, piece, strlen(piece));
			length += strlen(piece);
		}
		mdr_arena_reset(arena);
		if (mdr_verdict(made.engine, arena, content, length, MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
			printf("Bail out! no verdict\n");
		finding = finding_of(&made, &verdict, MDR_MODEL_ID);
		if (finding == NULL)
			continue;
		told++;
		wrong += finding->start >= finding->end || finding->end > length
			|| (valid && (!is_edge(content, length, finding->start) || !is_edge(content, length, finding->end)))
			|| !(finding->score >= 0.001f && finding->score <= 1);
	}
	ok(told > 100 && wrong == 0, "%u windows of odd contents are pieces of them", told);
	mdr_arena_reset(arena);
	unmake(&made);
}

static void
masking(void)
{
	char	   *out;
	size_t		length;
	Made		made = make(document(MODEL, ", actions: [allow, redact, redact, redact], act_at: 0.4", one_rule(PEOPLE)));
	MdrVerdict	verdict = judge(&made, text);

	ok(mdr_redact(made.engine, arena, &verdict, text, strlen(text), "#", &out, &length) == MDR_OK && length == strlen(text)
	   && strchr(out, '#') != NULL && strspn(out, "#") < strlen(out), "where a rule says which words, those are masked");
	unmake(&made);
	made = make(document(MODEL, ", actions: [allow, redact, redact, redact], act_at: 0.4", ""));
	verdict = judge(&made, text);
	ok(mdr_redact(made.engine, arena, &verdict, text, strlen(text), "#", &out, &length) == MDR_OK && strspn(out, "#") == strlen(text),
	   "where only the model speaks, its window is");
	unmake(&made);
}

/* An image made for a model of other categories. */
static void
other_heads(void)
{
	Made		made = make(document(MODEL, "", ""));
	MdrImageHeader *header = (MdrImageHeader *) made.image;
	MdrEngine  *engine;
	MdrError	error = {0};

	header->model_heads++;
	header->checksum = mdr_image_checksum(made.image, made.length);
	ok(mdr_engine_open(made.image, made.length, &engine, &error) == MDR_INVALID && strstr(error.message, "model of other categories") != NULL,
	   "an image made for a model of other categories is refused");
	unmake(&made);
	made = make(document("", "", ""));
	ok(((MdrImageHeader *) made.image)->model_heads == 0, "one without a model does not ask which there is");
	unmake(&made);
}

/* The highest score of any head. */
static float
surest(const char *content)
{
	const MdrModel *model = mdr_model_built_in();
	MdrReading	reading;
	float		best = 0;

	read_text(model, content, &reading);
	for (uint32_t h = 0; h < mdr_model_nheads(model); h++)
		best = fmaxf(best, mdr_model_score(model, &reading, h));
	return best;
}

/* One or two words are too little to go by, whatever they are: a name, a typo, laughter. */
static void
few_words(void)
{
	ok(surest("ex") == 0 && surest("eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeex") == 0 && surest("hahahahaha") == 0 && surest("kill bomb") == 0
	   && surest("炸弹毒品") == 0 && surest("") == 0, "of a word or two the model says nothing");
	ok(surest("kill bomb hack") > 0 && surest("自制炸弹毒品") > 0, "of more it does");
}

int
main(void)
{
	arena = mdr_arena_create(0);
	choose_sentence();
	few_words();
	alone();
	with_rules();
	contexts();
	long_content();
	odd_content();
	masking();
	other_heads();
	mdr_arena_destroy(arena);
	mdr_text_release();
	return done();
}
