/*
 * policy_errors.c
 *		Bad documents, and where and why each is refused.
 */
#include "match_tap.h"

#define R(body) HEAD CATEGORIES RULES body

static const struct
{
	const char *what;
	const char *document;
	int			line;
	int			column;
	const char *file;
	const char *rule;
	const char *message;		/* a part of it */
}			bad[] =
{
	/* the stream */
	{"nothing", "", 1, 1, "", "", "document is empty"},
	{"only comments", "# nothing\n---\n", 1, 1, "", "", "document is empty"},
	{"invalid UTF-8", "policy: p\ndescription: a\xff\n", 2, 15, "", "", "invalid UTF-8 (byte 0xff)"},
	{"overlong UTF-8", "policy: \xc0\xaf\n", 1, 9, "", "", "invalid UTF-8 (byte 0xc0)"},
	{"surrogate", "policy: \xed\xa0\x80\n", 1, 9, "", "", "invalid UTF-8 (byte 0xed)"},
	{"cut UTF-8", "policy: \xe7\x82", 1, 9, "", "", "invalid UTF-8 (byte 0xe7)"},
	{"control character", "policy: a\x01", 1, 10, "", "", "control character"},
	{"zero byte by escape", "policy: \"a\\0b\"\n", 1, 9, "", "", "a zero byte is not allowed"},
	{"lone carriage return", "policy: a\rb: c\n", 1, 10, "", "", "carriage return without newline"},
	{"line separator", "policy: a\xe2\x80\xa8", 1, 10, "", "", "separator"},
	{"byte order mark", "\xef\xbb\xbfpolicy: a\n", 1, 1, "", "", "byte order mark"},
	{"not YAML", "policy: [a\n", 2, 1, "", "", "did not find expected"},
	{"tab as indentation", "limits:\n\tbytes: 5000\n", 2, 1, "", "", "found character that cannot start any token"},
	{"anchor", "policy: &a p\n", 1, 9, "", "", "anchors are not allowed; quote a text that begins with &"},
	{"alias", "policy: *a\n", 1, 9, "", "", "aliases are not allowed; quote a text that begins with *"},
	{"star before Chinese", "allow: [*\xe7\x82\xb8]\n", 1, 10, "", "", "aliases are not allowed; quote a text that begins with *"},
	{"tag", "policy: !!str p\n", 1, 9, "", "", "tags are not allowed"},
	{"directive", "%YAML 1.1\n---\npolicy: p\n", 1, 1, "", "", "directives are not allowed"},
	{"too deep", "policy: [[[[[[[[[[[[p]]]]]]]]]]]]\n", 1, 16, "", "", "nested more than 8 deep"},
	{"key that is a list", "? [a]\n: b\n", 1, 3, "", "", "a key must be text"},
	{"head is a list", "- a\n", 1, 1, "", "", "the head must be a mapping and is a list"},

	/* the head */
	{"unknown key", "policy: p\ncolour: red\n", 2, 1, "", "", "unknown key \"colour\" in the head"},
	{"unknown key, cut within a character", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xe7\x82\xb8: red\n", 1, 1, "", "", "unknown key \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" in the head"},
	{"key twice", "policy: p\npolicy: q\n" CATEGORIES, 2, 1, "", "", "key \"policy\" is given twice"},
	{"no categories", "policy: p\n", 1, 1, "", "", "the head has no \"categories\""},
	{"empty categories", "policy: p\ncategories: []\n", 2, 13, "", "", "categories is empty"},
	{"name with capital", "policy: P\n" CATEGORIES, 1, 9, "", "", "must begin with a lower-case letter"},
	{"empty value", "policy:\n" CATEGORIES, 1, 8, "", "", "policy is empty"},
	{"bytes not a number", HEAD "limits: {bytes: many}\n" CATEGORIES, 3, 17, "", "", "bytes must be a whole number"},
	{"bytes too small", HEAD "limits: {bytes: 10}\n" CATEGORIES, 3, 17, "", "", "bytes must be between 4096 and 268435456"},
	{"on_unknown allow", HEAD "limits: {on_unknown: allow}\n" CATEGORIES, 3, 22, "", "", "must be flag, quarantine or reject"},
	{"unknown view", "policy: p\nviews: [leet, upside]\n" CATEGORIES, 2, 15, "", "", "unknown view \"upside\""},
	{"bad duration", HEAD "ladder: {freezes: [24 moons], memory: 90 days}\n" CATEGORIES, 3, 20, "", "", "must be a duration"},
	{"zero duration", HEAD "ladder: {freezes: [0 days], memory: 90 days}\n" CATEGORIES, 3, 20, "", "", "between 1 second"},
	{"huge duration", HEAD "ladder: {freezes: [1 day], memory: 36501 days}\n" CATEGORIES, 3, 36, "", "", "36500 days"},
	{"forever as period", HEAD "ladder: {within: {count: 1, period: forever}, freezes: [1 day], memory: 1 day}\n" CATEGORIES, 3, 37, "", "",
	"must be a duration such as \"24 hours\" or \"7 days\""},
	{"too many freezes", HEAD "ladder: {freezes: [1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day, 1 day], memory: 1 day}\n" CATEGORIES,
	3, 19, "", "", "freezes has 9 items, more than 8"},
	{"list that is text", HEAD "words: {ab: bomb}\n" CATEGORIES, 3, 13, "", "", "ab must be a list and is text"},
	{"empty list", HEAD "words: {ab: []}\n" CATEGORIES, 3, 13, "", "", "list ab is empty"},
	{"list in list", HEAD "words:\n  ab: [x]\n  cd: [\"{ab}\"]\n" CATEGORIES, 5, 8, "", "", "lists do not name lists"},
	{"list twice", HEAD "words:\n  ab: [x]\n  ab: [y]\n" CATEGORIES, 5, 3, "", "", "list \"ab\" is given twice"},
	{"list name", HEAD "words:\n  Ab: [x]\n" CATEGORIES, 4, 3, "", "", "must begin with a lower-case letter"},
	{"text with braces unquoted", HEAD "allow: [{ab}]\n" CATEGORIES, 3, 9, "", "", "quote a text that begins with {"},
	{"context without signs", HEAD "contexts:\n  - {id: n, factor: 0.5}\n" CATEGORIES, 4, 5, "", "", "neither terms nor patterns"},
	{"context factor", HEAD "contexts:\n  - {id: n, factor: 1.5, terms: [x]}\n" CATEGORIES, 4, 21, "", "", "at least 0 and at most 1"},
	{"context within", HEAD "contexts:\n  - {id: n, factor: 0, terms: [x], within: 1001}\n" CATEGORIES, 4, 44, "", "", "between 0 and 1000"},
	{"context twice", HEAD "contexts:\n  - {id: n, factor: 0, terms: [x]}\n  - {id: n, factor: 0, terms: [x]}\n" CATEGORIES, 5, 5, "", "",
	"context \"n\" is given twice"},
	{"category twice", HEAD "categories:\n  - {id: c, clause: {en: c}}\n  - {id: c, clause: {en: c}}\n", 5, 5, "", "",
	"category \"c\" is given twice"},
	{"no clause", HEAD "categories:\n  - {id: c}\n", 4, 5, "", "", "category has no \"clause\""},
	{"flag above act", HEAD "categories:\n  - {id: c, clause: {en: c}, flag_at: 0.8, act_at: 0.7}\n", 4, 5, "", "", "flag_at is above act_at"},
	{"flag_at zero", HEAD "categories:\n  - {id: c, clause: {en: c}, flag_at: 0}\n", 4, 39, "", "", "above 0 and at most 1"},
	{"three actions", HEAD "categories:\n  - {id: c, clause: {en: c}, actions: [allow, flag, reject]}\n", 4, 39, "", "", "must have 4 items"},
	{"milder action", HEAD "categories:\n  - {id: c, clause: {en: c}, actions: [allow, reject, flag, reject]}\n", 4, 55, "", "",
	"action of severity 2 is milder than that of severity 1"},
	{"unknown action", HEAD "categories:\n  - {id: c, clause: {en: c}, actions: [allow, warn, flag, reject]}\n", 4, 47, "", "",
	"must be allow, flag, redact, quarantine or reject"},
	{"boolean", HEAD "categories:\n  - {id: c, clause: {en: c}, strike: yes}\n", 4, 38, "", "", "strike must be true or false"},
	{"suspend", HEAD "categories:\n  - {id: c, clause: {en: c}, suspend: 4}\n", 4, 39, "", "", "suspend must be never, always, 1, 2 or 3"},
	{"evidence", HEAD "categories:\n  - {id: c, clause: {en: c}, evidence: all}\n", 4, 40, "", "", "evidence must be hash or content"},
	{"unknown model", HEAD "model: other\n" CATEGORIES, 3, 8, "", "", "model must be built-in or none"},
	{"model that is a list", HEAD "model: [built-in]\n" CATEGORIES, 3, 8, "", "", "model must be built-in or none"},
	{"category's model without one", HEAD "categories:\n  - {id: c, clause: {en: c}, model: 0.5}\n", 4, 37, "", "",
	"model means nothing here unless the head says \"model: built-in\""},
	{"category's model too high", HEAD "categories:\n  - {id: c, clause: {en: c}, model: 1.5}\nmodel: built-in\n", 4, 37, "", "",
	"model must be at least 0 and at most 1"},
	{"category's model, silenced, but wrong", HEAD "model: none\ncategories:\n  - {id: c, clause: {en: c}, model: high}\n", 5, 37, "", "",
	"model must be a decimal number"},
	{"a model's id", R(RULE("c.model", "terms: [x]")), 9, 10, "", "c.model", "id \"c.model\" is the one under which a model speaks"},
	{"a learned model's id, of another category", R(RULE("d.learned", "terms: [x]")), 9, 10, "", "d.learned", "under which a model speaks"},
	{"unless unknown", HEAD "categories:\n  - {id: c, clause: {en: c}, unless: [news]}\n", 4, 39, "", "", "unknown context \"news\""},

	/* the standards */
	{"standard without risks", HEAD "standards:\n  - {name: s, risks: []}\n" CATEGORIES, 4, 22, "", "", "risks is empty"},
	{"standard without a name", HEAD "standards:\n  - {risks: [{id: A.1, clause: {en: c}}]}\n" CATEGORIES, 4, 5, "", "", "standard has no \"name\""},
	{"standard twice", HEAD "standards:\n  - {name: s, risks: [{id: A, clause: {en: c}}]}\n  - {name: s, risks: [{id: B, clause: {en: c}}]}\n" CATEGORIES,
	5, 5, "", "", "standard \"s\" is given twice"},
	{"standard of no language", HEAD "standards:\n  - {name: s, language: z, risks: [{id: A, clause: {en: c}}]}\n" CATEGORIES, 4, 25, "", "",
	"language must be a BCP 47 tag"},
	{"standard of no words", HEAD "standards:\n  - {name: s, words: 0, risks: [{id: A, clause: {en: c}}]}\n" CATEGORIES, 4, 22, "", "",
	"words must be between 1 and"},
	{"standard renewed never", HEAD "standards:\n  - {name: s, renewed: forever, risks: [{id: A, clause: {en: c}}]}\n" CATEGORIES, 4, 24, "", "",
	"renewed must be a duration"},
	{"risk's id", HEAD "standards:\n  - {name: s, risks: [{id: 1.A, clause: {en: c}}]}\n" CATEGORIES, 4, 28, "", "", "id of a risk must begin with a letter"},
	{"risk twice, in another standard", HEAD "standards:\n  - {name: s, risks: [{id: A, clause: {en: c}}]}\n  - {name: t, risks: [{id: A, clause: {en: c}}]}\n" CATEGORIES,
	5, 23, "", "", "risk \"A\" is given twice"},
	{"unknown risk of a category", HEAD "categories:\n  - {id: c, clause: {en: c}, risks: [A.1]}\n", 4, 38, "", "", "unknown risk \"A.1\""},
	{"unknown risk of a rule", R(RULE("r", "terms: [x], risks: [A.1]")), 9, 59, "", "r", "unknown risk \"A.1\""},
	{"risk named twice", HEAD "standards:\n  - {name: s, risks: [{id: A, clause: {en: c}}]}\n" CATEGORIES RULES RULE("r", "terms: [x], risks: [A, A]"), 11, 62,
	"", "r", "risk \"A\" is named twice"},

	/* the rules */
	{"unknown category", HEAD CATEGORIES "---\ncategory: e\n", 7, 11, "", "", "the head has no category \"e\""},
	{"rule with unknown key", R("  - {id: r, wieght: 1}\n"), 9, 13, "", "r", "unknown key \"wieght\" in rule"},
	{"rule without id", R("  - {weight: 1}\n"), 9, 5, "", "", "rule has no \"id\""},
	{"rule without examples", R("  - {id: r, weight: 1, severity: 1, terms: [x]}\n"), 9, 5, "", "r", "rule has no \"hits\""},
	{"rule with empty misses", R("  - {id: r, weight: 1, severity: 1, terms: [x], hits: [x], misses: []}\n"), 9, 68, "", "r", "misses is empty"},
	{"rule that finds nothing", R("  - {id: r, weight: 1, severity: 1, hits: [x], misses: [y]}\n"), 9, 5, "", "r", "no terms, patterns or all_of"},
	{"weight zero", R("  - {id: r, weight: 0, severity: 1" EXAMPLES), 9, 21, "", "r", "weight must be above 0 and at most 1"},
	{"weight text", R("  - {id: r, weight: high, severity: 1" EXAMPLES), 9, 21, "", "r", "weight must be a decimal number"},
	{"severity", R("  - {id: r, weight: 1, severity: 4" EXAMPLES), 9, 34, "", "r", "severity must be between 0 and 3"},
	{"language", R("  - {id: r, language: e, weight: 1, severity: 1" EXAMPLES), 9, 23, "", "r", "BCP 47"},
	{"within alone", R(RULE("r", "terms: [x], within: 5")), 9, 59, "", "r", "within means nothing without all_of"},
	{"one group", R(RULE("r", "all_of: [[x]]")), 9, 47, "", "r", "two lists or more"},
	{"group that is text", R(RULE("r", "all_of: [x, y]")), 9, 48, "", "r", "list of all_of must be a list and is text"},
	{"empty group", R(RULE("r", "all_of: [[x], []]")), 9, 53, "", "r", "a list of all_of is empty"},
	{"empty term", R(RULE("r", "terms: [\" \"]")), 9, 47, "", "r", "item of terms is empty"},
	{"unknown list in a term", R(RULE("r", "terms: [\"{nope}\"]")), 9, 47, "", "r", "unknown list {nope}"},
	{"unknown list in a pattern", R(RULE("r", "patterns: ['a{nope}']")), 9, 50, "", "r", "unknown list {nope}"},
	{"misspelt list", R(RULE("r", "terms: [\"{Group}\"]")), 9, 47, "", "r", "a list's name is a lower-case letter"},
	{"view not switched on", "policy: p\nviews: [leet]\n" CATEGORIES RULES RULE("r", "terms: [x], views: [joined]"), 9, 58, "", "r",
	"views names one that the head does not switch on"},
	{"context named twice", HEAD "contexts:\n  - {id: n, factor: 0, terms: [x]}\n" CATEGORIES RULES RULE("r", "terms: [x], unless: [n, n]"), 11, 63, "",
	"r", "context \"n\" is named twice"},
	{"rule twice", R(RULE("r", "terms: [x]") RULE("q", "terms: [x]") RULE("r", "terms: [x]")), 11, 5, "", "r", "rule id is given twice"},

	/* a learned model */
	{"model of a document", HEAD CATEGORIES "---\nmodel: built-in\ncategories: [c]\nexamples: 1\nweights: TWFu\n", 7, 8, "", "",
	"model of a document after the head must be learned"},
	{"model without weights", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\n", 7, 1, "", "", "a learned model has no \"weights\""},
	{"model of an unknown category", HEAD CATEGORIES "---\nmodel: learned\ncategories: [e]\nexamples: 1\nweights: TWFu\n", 8, 14, "", "",
	"the head has no category \"e\""},
	{"model of a category twice", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c, c]\nexamples: 1\nweights: TWFu\n", 8, 17, "", "",
	"category \"c\" is named twice"},
	{"model of no category", HEAD CATEGORIES "---\nmodel: learned\ncategories: []\nexamples: 1\nweights: TWFu\n", 8, 13, "", "",
	"categories is empty"},
	{"model of no examples", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 0\nweights: TWFu\n", 9, 11, "", "",
	"examples must be between 1"},
	{"weights with a foreign character", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\nweights: TW-u\n", 10, 10, "", "",
	"weights must be text in base64"},
	{"weights cut", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\nweights: TWFuTW\n", 10, 10, "", "",
	"weights must be text in base64"},
	{"weights that go on", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\nweights: TW==TWFu\n", 10, 10, "", "",
	"weights must be text in base64"},
	{"weights padded too far", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\nweights: T===\n", 10, 10, "", "",
	"weights must be text in base64"},
	{"a model's weights are none", HEAD CATEGORIES "---\nmodel: learned\ncategories: [c]\nexamples: 1\nweights: TWFu\n", 7, 1, "", "",
	"weights are not a model's"},

	/* files */
	{"line counted from the file comment", "# file: a.yaml\n" HEAD CATEGORIES "---\n# file: b.yaml\n\ncategory: e\n", 2, 11, "b.yaml", "",
	"the head has no category"},
	{"error in the first file", "# file: a.yaml  \nx: y\n---\n# file: b.yaml\n", 1, 1, "a.yaml", "", "unknown key"},
	{"file comment must stand at the line's start", HEAD " # file: c.yaml\nx: y\n", 4, 1, "", "", "unknown key"},

	/* terms and patterns, which the compiler refuses */
	{"star inside", R(RULE("r", "terms: [\"a*b\"]")), 9, 47, "", "r", "* may stand only at the start or the end"},
	{"star inside a list's word", HEAD "words: {ab: [\"a*b\"]}\n" CATEGORIES, 3, 14, "", "", "* may stand only at the start or the end"},
	{"only a star", R(RULE("r", "terms: [\"*\"]")), 9, 47, "", "r", "nothing is left of this term"},
	{"only ignorables", R(RULE("r", "terms: [\"\\u200b\"]")), 9, 47, "", "r", "nothing is left of this term"},
	{"control character in a term", R(RULE("r", "terms: [\"a\\x01b\"]")), 9, 47, "", "r", "control characters"},
	{"pattern not closed", R(RULE("r", "patterns: ['(ab']")), 9, 50, "", "r", "missing closing parenthesis"},
	{"pattern matching nothing", R(RULE("r", "patterns: ['a?']")), 9, 50, "", "r", "pattern can match the empty string"},
	{"pattern with capital", R(RULE("r", "patterns: ['Bomb']")), 9, 50, "", "r", "a capital letter never matches"},
	{"pattern with capital in class", R(RULE("r", "patterns: ['[A-Z]x']")), 9, 50, "", "r", "a capital letter never matches"},
	{"unbounded repeat", R(RULE("r", "patterns: ['bomb.*now']")), 9, 50, "", "r", "a repeat has no upper bound"},
	{"unbounded count", R(RULE("r", "patterns: ['bomb\\w{2,}']")), 9, 50, "", "r", "a repeat has no upper bound"},
	{"repeated group", R(RULE("r", "patterns: ['(?:ab)+']")), 9, 50, "", "r", "a repeat has no upper bound"},
	{"wide repeat", R(RULE("r", "patterns: ['ab.{0,251}c']")), 9, 50, "", "r", "a repeat goes beyond 250"},
	{"verb", R(RULE("r", "patterns: ['ab(*SKIP)']")), 9, 50, "", "r", "verbs"},
	{"limit in the pattern", R(RULE("r", "patterns: ['(*LIMIT_MATCH=9)ab']")), 9, 50, "", "r", "verbs"},
	{"recursion", R(RULE("r", "patterns: ['a(?R)?b']")), 9, 50, "", "r", "recursion"},
	{"subroutine", R(RULE("r", "patterns: ['(ab)(?1)']")), 9, 50, "", "r", "recursion"},
	{"option", R(RULE("r", "patterns: ['(?i)ab']")), 9, 50, "", "r", "options"},
	{"callout", R(RULE("r", "patterns: ['ab(?C1)c']")), 9, 50, "", "r", "callouts"},
	{"quoting", R(RULE("r", "patterns: ['\\Qab\\E']")), 9, 50, "", "r", "\\Q and \\E"},
	{"reset", R(RULE("r", "patterns: ['ab\\Kc']")), 9, 50, "", "r", "\\K, \\C and \\G"},
	{"brace", R(RULE("r", "patterns: ['ab{,3}']")), 9, 50, "", "r", "must be written \\{"},
	{"character that folds away", R(RULE("r", "patterns: [\"a\\u200bb\"]")), 9, 50, "", "r", "folds to nothing"},
	{"ligature in a class", R(RULE("r", "patterns: [\"[\\ufb01x]ab\"]")), 9, 50, "", "r", "folds to several"},
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		Made		made;
		MdrError	error;
		MdrStatus	status = try_make(bad[i].document, &made, &error);
		bool		good = status == MDR_INVALID && error.line == bad[i].line && error.column == bad[i].column
			&& strcmp(error.file, bad[i].file) == 0 && strcmp(error.rule, bad[i].rule) == 0
			&& strstr(error.message, bad[i].message) != NULL && error.status == MDR_INVALID;

		if (!ok(good, "%s", bad[i].what))
			printf("#   status %d, %s:%d:%d: %s: %s\n", status, error.file, error.line, error.column, error.rule, error.message);
		unmake(&made);
	}
	return done();
}
