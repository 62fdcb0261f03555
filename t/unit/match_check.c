/*
 * match_check.c
 *		A policy's own examples: which are refused, and what is said of them.
 */
#include "match_tap.h"

#define RULE_WITH(weight, examples) \
	"policy: p\nviews: [joined]\nlimits: {bytes: 4096}\n" \
	"contexts: [{id: news, terms: [reported], factor: 0}, {id: quote, terms: [quoted], factor: 0.4}]\n" \
	"categories:\n  - {id: c, clause: {en: c}, flag_at: 0.4, act_at: 0.7, unless: [news, quote]}\n" \
	"---\n# file: c.yaml\ncategory: c\nrules:\n" \
	"  - id: other\n    weight: 0.5\n    severity: 1\n    terms: [other]\n    hits: [other]\n    misses: [none]\n" \
	"  - id: r\n    weight: " weight "\n    severity: 1\n    terms: [bomb]\n" examples

static void
check(const char *document, int line, const char *message, const char *what)
{
	Made		made = make(document);
	MdrError	error = {0};
	MdrStatus	status = mdr_engine_check(made.engine, made.policy, NULL, NULL, &error);
	bool		good = line == 0 ? status == MDR_OK : status == MDR_INVALID && error.line == line && strcmp(error.file, "c.yaml") == 0
		&& strcmp(error.rule, "r") == 0 && strcmp(error.message, message) == 0;

	if (!ok(good, "%s", what))
		printf("#   %d, %s:%d: %s: %s\n", status, error.file, error.line, error.rule, error.message);
	unmake(&made);
}

static void
goes_on(void)
{
	Made		made = make(RULE_WITH("0.8", "    hits: [none, bomb, none]\n    misses: [bomb, none, bomb]\n"));
	MdrCheck	position = {0};
	MdrError	error = {0};
	unsigned	failed = 0;

	while (mdr_engine_check_from(made.engine, made.policy, &position, NULL, NULL, &error) == MDR_INVALID && failed < 10)
		failed++;
	ok(failed == 4, "a caller may go on behind an example that failed (%u failed)", failed);
	unmake(&made);
}

static bool
always(void *context)
{
	return true;
}

static void
stops(void)
{
	Made		made = make(RULE_WITH("0.8", "    hits: [bomb]\n    misses: [none]\n"));
	MdrError	error = {0};

	ok(mdr_engine_check(made.engine, made.policy, always, NULL, &error) == MDR_INTERRUPTED, "a check can be interrupted");
	unmake(&made);
}

int
main(void)
{
	char		long_example[6000];

	check(RULE_WITH("0.8", "    hits: [bomb, the bomb]\n    misses: [none]\n"), 0, "", "good examples");
	check(RULE_WITH("0.8", "    hits: [bomb, none]\n    misses: [none]\n"), 13, "hit 2 is not found by this rule", "a hit that is not found");
	check(RULE_WITH("0.8", "    hits: [other]\n    misses: [none]\n"), 13, "hit 1 is not found by this rule", "a hit that another rule finds");
	check(RULE_WITH("0.8", "    hits: [bomb reported]\n    misses: [none]\n"), 13, "hit 1 is excused altogether by context news",
		  "a hit that is excused altogether");
	check(RULE_WITH("0.8", "    hits: [bomb quoted]\n    misses: [none]\n"), 13,
		  "hit 1 is found, but context quote leaves it at 0.32, below flag_at 0.40", "a hit that is excused below flag_at");
	check(RULE_WITH("0.3", "    hits: [bomb quoted]\n    misses: [none]\n"), 0, "", "unless the rule would not flag alone");
	check(RULE_WITH("0.8", "    hits: [bomb]\n    misses: [none, a bomb here]\n"), 14,
		  "miss 2 is found by this rule, at bytes 3 to 6, with score 0.80", "a miss that is found");
	check(RULE_WITH("0.8", "    hits: [bomb]\n    misses: [bomb reported]\n"), 0, "", "a miss may be excused altogether");
	check(RULE_WITH("0.8", "    hits: [bomb]\n    misses: [bomb quoted]\n"), 0, "", "or to below flag_at");
	check(RULE_WITH("1", "    hits: [bomb]\n    misses: [bomb quoted]\n"), 14,
		  "miss 1 is found by this rule, at bytes 1 to 4, with score 0.40", "but no less");
	check(RULE_WITH("0.8", "    hits: [bomb]\n    misses: [other]\n"), 0, "", "a miss may be another rule's");
	{
		char	   *document = malloc(20000);

		memset(long_example, 'x', 5000);
		long_example[5000] = '\0';
		sprintf(document, RULE_WITH("0.8", "    hits: [bomb]\n    misses: [%s]\n"), long_example);
		check(document, 14, "miss 1 could not be scanned: content is longer than the policy's limit", "an example that cannot be scanned");
		free(document);
	}
	goes_on();
	stops();
	mdr_text_release();
	return done();
}
