/*
 * bounds.c
 *		How long the core works between two looks at its caller's interrupt, and how much memory it takes, for hostile policies and
 *		hostile content.
 *
 * Processor time, so that a busy machine does not matter.  50 ms are promised, and the "#" lines say what was measured; ten times as
 * much fails, or MODERATION_BOUND_MS where all is slower, as under valgrind.  That a step without looks inside would fail is shown by
 * what the longest ones take in all.
 */
#define _POSIX_C_SOURCE 200809L

#include "match_tap.h"

#include <sys/resource.h>
#include <time.h>

static double most = 500;		/* ms */
static size_t size = 131072;	/* bytes of a content: two windows and a bit */

/* The look itself: what it has seen. */
typedef struct Looks
{
	double		began;
	double		last;
	double		longest;		/* ms between two */
	unsigned	count;
} Looks;

static double
now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
	return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static Looks
start(void)
{
	double		at = now();

	return (Looks) {at, at};
}

static bool
look(void *context)
{
	Looks	   *looks = context;
	double		at = now();

	if (at - looks->last > looks->longest)
		looks->longest = at - looks->last;
	looks->last = at;
	looks->count++;
	return false;
}

static bool
stop(void *context)
{
	return --*(int *) context == 0;
}

/* Text from a format, n times with the numbers 0 .. n - 1, between head and tail. */
static char *
repeated(const char *head, const char *format, unsigned n, const char *tail)
{
	char	   *text;
	size_t		length;
	FILE	   *out = open_memstream(&text, &length);

	fputs(head, out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, format, i, i, i);
	fputs(tail, out);
	fclose(out);
	return text;
}

/* A text of that length. */
static char *
filled(size_t length, const char *with)
{
	char	   *text = malloc(length + 1);
	size_t		piece = strlen(with);

	for (size_t i = 0; i < length; i++)
		text[i] = with[i % piece];
	text[length] = '\0';
	return text;
}

static double longest_step;		/* ms, of all: what would be between two looks if none were inside */

static void
report(const char *what, const Looks *looks, const char *step)
{
	if (looks->last - looks->began > longest_step)
		longest_step = looks->last - looks->began;
	ok(looks->longest < most, "%s: %s looks for the interrupt in time", what, step);
	printf("# %s: %s: %.1f ms at most between two of %u looks\n", what, step, looks->longest, looks->count);
}

/* Parses, compiles and checks a document as load_policy() does.  Frees it. */
static void
load(const char *what, char *document, MdrStatus wanted, size_t memory)
{
	MdrArena   *arena = mdr_arena_create((size_t) 2048 * 1024 * 1024);
	MdrPolicy  *policy = NULL;
	MdrEngine  *engine = NULL;
	char	   *image;
	size_t		length;
	MdrError	error = {0};
	Looks		looks = start();
	double		began = now();
	MdrStatus	status = mdr_policy_parse(arena, document, strlen(document), look, &looks, &policy, &error);

	look(&looks);
	report(what, &looks, "parse");
	if (status == MDR_OK)
	{
		looks = start();
		status = mdr_compile(arena, policy, look, &looks, &image, &length, &error);
		look(&looks);
		report(what, &looks, "compile");
	}
	if (status == MDR_OK)
	{
		looks = start();
		status = mdr_engine_open(image, length, &engine, &error);
		look(&looks);
		report(what, &looks, "open");
		printf("# %s: image of %zu bytes\n", what, length);
	}
	if (status == MDR_OK)
	{
		looks = start();
		status = mdr_engine_check(engine, policy, look, &looks, &error);
		look(&looks);
		report(what, &looks, "check");
	}
	ok(status == wanted, "%s: status %d, %.100s", what, status, error.message);
	ok(mdr_arena_used(arena) < memory, "%s: in bounded memory", what);
	printf("# %s: %zu bytes of document, %.0f ms in all, %zu KB\n", what, strlen(document), now() - began, mdr_arena_used(arena) / 1024);
	mdr_engine_close(engine);
	mdr_arena_destroy(arena);
	free(document);
}
#define MB ((size_t) 1024 * 1024)

static void
policies(void)
{
	char	   *big = filled(31 * MB, "some words ");
	char	   *deep;

	load("one huge scalar", repeated(HEAD "description: \"", "", 1, big), MDR_INVALID, 64 * MB);
	load("one huge plain scalar", repeated(HEAD "description: ", "", 1, big), MDR_INVALID, 64 * MB);
	load("one huge comment", repeated("# ", "", 1, big), MDR_INVALID, 64 * MB);
	free(big);
	load("20,000 rules", repeated(HEAD CATEGORIES RULES, "  - {id: r%u, weight: 0.8, severity: 2, terms: ['t%u a', bomb], hits: [t%u a], misses: [y]}\n", 20000, ""), MDR_OK, 256 * MB);
	load("100,000 rules", repeated("policy: p\n" CATEGORIES RULES,
		 "  - {id: r%u, weight: 0.8, severity: 2, terms: ['t%u'], hits: [t%u], misses: [y]}\n", 100000, ""), MDR_OK, 1024 * MB);
	load("a rule's id twice", repeated(HEAD CATEGORIES RULES, RULE("r", "terms: ['t%u', '%u', '%u']"), 90000, ""), MDR_INVALID, 512 * MB);
	load("a million literals", repeated(HEAD "words: {li: [", "q%uz, ", 17000, "x]}\n" CATEGORIES RULES
		 RULE("r0", "terms: ['{li}', x]") RULE("r1", "terms: ['a{li}', x]") RULE("r2", "terms: ['b{li}', x]")
		 RULE("r3", "terms: ['c{li}', x]") RULE("r4", "terms: ['d{li}', x]") RULE("r5", "terms: ['e{li}', x]")
		 RULE("r6", "terms: ['f{li}', x]") RULE("r7", "terms: ['g{li}', x]") RULE("r8", "terms: ['h{li}', x]")
		 RULE("r9", "terms: ['i{li}', x]") RULE("ra", "terms: ['j{li}', x]") RULE("rb", "terms: ['k{li}', x]")
		 RULE("rc", "terms: ['l{li}', x]") RULE("rd", "terms: ['m{li}', x]")), MDR_OK, 1024 * MB);
	load("long terms", repeated(HEAD CATEGORIES RULES "  - {id: r, weight: 0.8, severity: 2, terms: [",
		 "'%0900u', ", 19000, "x]" EXAMPLES), MDR_OK, 1024 * MB);
	load("10,000 lists", repeated(HEAD "words: {", "li%u: [a%u, b%u], ", 9999, "zz: [x]}\n" CATEGORIES RULES RULE("r", "terms: [x]")), MDR_OK,
		 256 * MB);
	load("anchors and aliases", repeated(HEAD "words: {aa: &a [x", ", *a", 100000, "]}\n" CATEGORIES RULES RULE("r", "terms: [x]")),
		 MDR_INVALID, 64 * MB);
	deep = filled(MB, "[");
	load("deep sequences", repeated(HEAD "words: ", "", 1, deep), MDR_INVALID, 16 * MB);
	free(deep);
	deep = filled(MB, "{a: ");
	load("deep mappings", repeated(HEAD "words: ", "", 1, deep), MDR_INVALID, 16 * MB);
	free(deep);
	deep = filled(MB, "- ");
	load("deep lists in blocks", repeated("", "", 1, deep), MDR_INVALID, 16 * MB);
	free(deep);
	load("5,000 patterns", repeated(HEAD CATEGORIES RULES,
		 "  - {id: r%u, weight: 0.8, severity: 2, patterns: ['\\b(?:foo|bar) %u \\w{1,20} baz\\b'], hits: [foo %u and baz], misses: [y]}\n", 5000, ""),
		 MDR_OK, 512 * MB);
	load("a pattern of too many words", repeated(HEAD "words: {li: [", "word%u, ", 30000, "x]}\n" CATEGORIES RULES RULE("r",
		 "patterns: ['a {li} {li} {li} {li} {li} {li}']")), MDR_INVALID, 256 * MB);
	load("patterns of just few enough words", repeated(HEAD "words: {li: [", "word%u, ", 2000, "x]}\n" CATEGORIES RULES RULE("r",
		 "terms: [x], patterns: ['a {li}', 'b {li}', '{li} c{1,250}']")), MDR_OK, 256 * MB);
	load("millions of words", repeated(HEAD "words: {li: [x", ",a", 12000000, "]}\n" CATEGORIES RULES RULE("r", "terms: [x]")),
		 MDR_NO_MEMORY, 256 * MB);
	load("many lists in a term", repeated(HEAD "words: {li: [", "w%u, ", 2000, "x]}\n" CATEGORIES RULES RULE("r",
		 "terms: [x, '{li} {li} {li} {li} {li} {li} {li} {li}']")), MDR_OK, 256 * MB);
}

/* ---- content ---- */

/* The built-in policy as the installation puts it together: the head, then the categories. */
static char *
read_policy(void)
{
	char	   *text;
	size_t		length;
	FILE	   *out = open_memstream(&text, &length);
	FILE	   *list = popen("cd policies/terms-of-service && cat policy.yaml && for f in *.yaml; do [ $f = policy.yaml ] || { echo ---; cat $f; }; done", "r");
	char		buffer[65536];
	size_t		n;

	while (list != NULL && (n = fread(buffer, 1, sizeof(buffer), list)) > 0)
		fwrite(buffer, 1, n, out);
	if (list != NULL)
		pclose(list);
	fclose(out);
	return text;
}

typedef enum Disguise
{
	AS_IT_IS, CUT, RUN_TOGETHER, SPREAD, DOTTED, DIGITS, TRIPLED, MARKED, ZERO_WIDTH, TURNED, NDISGUISES
} Disguise;

static const char *const disguises[] = {"terms", "terms cut short", "terms run together", "spread letters", "dotted letters", "letters as digits",
	"tripled letters", "combining marks", "zero-width joiners", "bidirectional controls"};

/* One character in a disguise. */
static void
put_character(FILE *out, const char *p, int length, Disguise disguise)
{
	static const char *const behind[] = {"", "", "", " ", ".", "", "", "\xCC\x81\xCC\x82\xCC\x83", "\xE2\x80\x8B\xE2\x80\x8D", "\xE2\x80\xAE\xE2\x80\xAC"};
	static const char from[] = "aeiost",
				to[] = "43105+";
	const char *digit = disguise == DIGITS && length == 1 && *p ? strchr(from, *p) : NULL;

	if (digit != NULL)
		fputc(to[digit - from], out);
	else
		for (int i = 0; i < (disguise == TRIPLED ? 3 : 1); i++)
			fwrite(p, 1, length, out);
	fputs(behind[disguise], out);
}

static void
put_term(FILE *out, const char *term, Disguise disguise)
{
	size_t		length = strlen(term);
	size_t		end = disguise == CUT && length > 4 ? length - 1 : length;

	for (size_t i = 0; i < end;)
	{
		int			step = 1;

		while (i + step < length && ((unsigned char) term[i + step] & 0xC0) == 0x80)
			step++;
		if (term[i] != '*' && term[i] != '{' && term[i] != '}')
			put_character(out, term + i, step, disguise);
		i += step;
	}
	if (disguise != RUN_TOGETHER)
		fputc(' ', out);
}

/* The terms of all lists and rules, from some place on, until there are enough bytes. */
static char *
terms(const MdrPolicy *policy, Disguise disguise, bool han, unsigned seed, size_t enough, size_t *length)
{
	char	   *text;
	FILE	   *out = open_memstream(&text, length);

	for (unsigned i = seed; (size_t) ftell(out) < enough; i += 7919)
	{
		const MdrStrings *strings = i % 2 ? &policy->lists[i / 2 % policy->nlists].terms : &policy->rules[i / 2 % policy->nrules].terms;
		const char *term = strings->count > 0 ? strings->items[i % strings->count] : "";

		if (!han || (unsigned char) *term >= 0xE3)
			put_term(out, term, disguise);
	}
	fclose(out);
	return text;
}

static MdrPolicy *policy;
static MdrEngine *engine;
static double slowest;			/* ms for a window */
static char slowest_name[200];

/* Judges one content of that length; frees it. */
static void
judge(const char *what, char *content, size_t length)
{
	MdrArena   *arena = mdr_arena_create(64 * MB);
	MdrVerdict	verdict;
	Looks		looks = start();
	double		began = now();
	MdrStatus	status = mdr_verdict(engine, arena, content, length, MDR_REJECT, look, &looks, &verdict);
	int			stops = 2;

	look(&looks);
	if (!ok(status == MDR_OK && looks.longest < most && mdr_arena_used(arena) < 8 * MB
			&& (verdict.status == MDR_OK || (verdict.status == MDR_UNKNOWN && verdict.action >= MDR_QUARANTINE)),
			"%s: a verdict or unknown, in bounded memory, with looks in time", what))
		printf("# status %d, %zu bytes of memory\n", status, mdr_arena_used(arena));
	began = (now() - began) / (length / 65536.0);
	printf("# %s: %.1f ms at most between two of %u looks, %.1f ms a window, %s, %zu KB\n", what, looks.longest, looks.count, began,
		   verdict.status == MDR_OK ? mdr_action_name(verdict.action) : verdict.unknown, mdr_arena_used(arena) / 1024);
	if (began > slowest)
	{
		slowest = began;
		snprintf(slowest_name, sizeof(slowest_name), "%s", what);
	}
	status = mdr_verdict(engine, arena, content, length, MDR_REJECT, stop, &stops, &verdict);
	ok(status == MDR_INTERRUPTED || (status == MDR_OK && stops > 0), "%s: stops when told to", what);
	mdr_arena_destroy(arena);
	free(content);
}

static void
judge_filled(const char *what, const char *with)
{
	judge(what, filled(size, with), size);
}

static void
contents(void)
{
	char	   *document = read_policy();
	MdrArena   *arena = mdr_arena_create(0);
	MdrError	error = {0};
	char	   *image;
	size_t		length;
	char		name[100];
	char	   *text;

	if (mdr_policy_parse(arena, document, strlen(document), NULL, NULL, &policy, &error) != MDR_OK
		|| mdr_compile(arena, policy, NULL, NULL, &image, &length, &error) != MDR_OK
		|| mdr_engine_open(image, length, &engine, &error) != MDR_OK)
		bail("the built-in policy", &error);
	judge_filled("harmless words", "some harmless words of a letter about the weather ");
	for (int disguise = 0; disguise < NDISGUISES; disguise++)
		for (int han = 0; han < 2; han++)
		{
			text = terms(policy, disguise, han, 1, size, &length);
			snprintf(name, sizeof(name), "%s%s", han ? "Han: " : "", disguises[disguise]);
			judge(name, text, length);
		}
	judge("the policy itself", strdup(document), strlen(document) / 4);
	judge_filled("one combining mark", "\xCC\x81");
	judge_filled("one zero-width joiner", "\xE2\x80\x8D");
	judge_filled("families of emoji", "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7\xE2\x80\x8D\xF0\x9F\x91\xA6\xF0\x9F\x8F\xB4");
	judge_filled("a character that folds to eighteen", "\xEF\xB7\xBA");
	judge_filled("one letter", "a");
	judge_filled("one Han character", "\xE6\x9D\x80");
	judge_filled("signs", "@$$!|(){}<>");
	judge_filled("letters and signs", "a@l1|i$s5");
	judge_filled("single letters", "a b c d e f ");
	judge_filled("bytes that are no text", "\xFF\xC0\xAF\xED\xA0\x80\xF0\x9F");
	judge_filled("Thai", "\xE0\xB8\x81\xE0\xB8\xB2\xE0\xB8\x99");
	for (unsigned i = 0; i < policy->nrules; i += 1 + policy->nrules / 24)
		if (policy->rules[i].terms.count > 0)
		{
			snprintf(name, sizeof(name), "only terms of %s", policy->rules[i].id);
			text = filled(65536, policy->rules[i].terms.items[0]);
			judge(name, text, 65536);
		}
	printf("# slowest: %s, %.1f ms for 64 KB\n", slowest_name, slowest);
	free(document);
	mdr_engine_close(engine);
	mdr_arena_destroy(arena);
}

/* The most memory that the process ever had, in MB. */
static long
peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss / 1024;
}

int
main(void)
{
	if (getenv("MODERATION_BOUND_MS") != NULL)
		most = atof(getenv("MODERATION_BOUND_MS"));
	if (getenv("MODERATION_SOAK") != NULL)
		size = 4 * MB;
	policies();
	printf("# %ld MB at the most\n", peak());
#ifndef __SANITIZE_ADDRESS__
	ok(peak() < 1024, "hostile policies take less than a gigabyte");
#endif
	ok(longest_step > 150, "a step without looks inside would keep its caller for %.0f ms", longest_step);
	contents();
	mdr_text_release();
	return done();
}
