/*
 * lint.c
 *		Checks policy files without a server: form, terms, patterns, and every example.
 *
 *	lint FILE...			says what is wrong, as file:line:column: rule: reason, and what the policy comes to; exits with 1 on problems
 *	lint -t TEXT FILE...	says what the policy finds in TEXT, and how that scores
 *
 * Files are read in the given order, the head first, and put together as the installation does it: each after a "---" and a
 * "# file:" comment.  The first error of form ends the run; a rule whose term or pattern is refused is reported and left out,
 * and of failing examples all are reported, up to a bound.
 *
 * Input: files.  Output: stdout for tables, stderr for problems.  Memory: arenas, until the program ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "verdict/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_PROBLEMS 50

static int	problems;

static void
say(const MdrError *error)
{
	problems++;
	if (error->line > 0)
		fprintf(stderr, "%s:%d:%d: ", error->file[0] ? error->file : "policy", error->line, error->column);
	fprintf(stderr, "%s%s%s\n", error->rule, error->rule[0] ? ": " : "", error->message);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static bool
append_file(FILE *out, const char *name)
{
	FILE	   *in = fopen(name, "rb");
	char		buffer[65536];
	size_t		n;

	if (in == NULL)
	{
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		return false;
	}
	fprintf(out, "---\n# file: %s\n", name);
	while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		fwrite(buffer, 1, n, out);
	fclose(in);
	return true;
}

/* The files as one document; NULL when one cannot be read. */
static char *
read_files(char **names, int count, size_t *length)
{
	char	   *document = NULL;
	FILE	   *out = open_memstream(&document, length);
	bool		good = out != NULL;

	for (int i = 0; good && i < count; i++)
		good = append_file(out, names[i]);
	if (out != NULL)
		fclose(out);
	return good ? document : NULL;
}

/* Takes a rule out of the tree, so that the rest can be compiled; false when there is no such rule. */
static bool
leave_out(MdrPolicy *policy, const char *id)
{
	for (uint32_t i = 0; i < policy->nrules; i++)
		if (strcmp(policy->rules[i].id, id) == 0)
		{
			policy->nrules--;
			memmove(&policy->rules[i], &policy->rules[i + 1], (policy->nrules - i) * sizeof(MdrRule));
			return true;
		}
	return false;
}

static MdrEngine *
compile(MdrArena *arena, MdrPolicy *policy, size_t *size)
{
	char	   *image;
	MdrError	error = {0};
	MdrEngine  *engine = NULL;

	while (mdr_compile(arena, policy, NULL, NULL, &image, size, &error) != MDR_OK)
	{
		say(&error);
		if (problems >= MAX_PROBLEMS || error.rule[0] == '\0' || !leave_out(policy, error.rule))
			return NULL;
		error = (MdrError) {0};
	}
	if (mdr_engine_open(image, *size, &engine, &error) != MDR_OK)
		say(&error);
	return engine;
}

static void
check(MdrEngine *engine, const MdrPolicy *policy)
{
	MdrCheck	position = {0};
	MdrError	error = {0};
	MdrStatus	status;

	while ((status = mdr_engine_check_from(engine, policy, &position, NULL, NULL, &error)) != MDR_OK)
	{
		say(&error);
		if (status != MDR_INVALID)
			return;
		if (problems >= MAX_PROBLEMS)
		{
			fprintf(stderr, "(there may be more)\n");
			return;
		}
		error = (MdrError) {0};
	}
}

/* What one language of one category comes to. */
typedef struct Sum
{
	uint32_t	rules;
	uint32_t	terms;
	uint32_t	patterns;
	uint32_t	hits;
	uint32_t	misses;
} Sum;

static void
print_row(const char *category, const char *language, const Sum *sum)
{
	printf("%-28s %-8s %6u %7u %8u %6u %6u\n", category, language, sum->rules, sum->terms, sum->patterns, sum->hits, sum->misses);
}

static void
add_rule(Sum *sum, const MdrEngineRule *rule)
{
	sum->rules++;
	sum->terms += rule->nterms;
	sum->patterns += rule->npatterns;
	sum->hits += rule->nhits;
	sum->misses += rule->nmisses;
}

/* Whether an earlier rule of the category has the same language. */
static bool
seen_before(const MdrEngine *engine, uint32_t index, const MdrEngineRule *rule)
{
	MdrEngineRule earlier;

	for (uint32_t i = 0; i < index; i++)
	{
		mdr_engine_rule(engine, i, &earlier);
		if (earlier.category == rule->category && strcmp(earlier.language, rule->language) == 0)
			return true;
	}
	return false;
}

static void
print_table(const MdrEngine *engine)
{
	Sum			total = {0};

	printf("%-28s %-8s %6s %7s %8s %6s %6s\n", "category", "language", "rules", "terms", "patterns", "hits", "misses");
	for (uint32_t c = 0; c < mdr_engine_ncategories(engine); c++)
	{
		MdrEngineCategory category;
		bool		empty = true;

		mdr_engine_category(engine, c, &category);
		for (uint32_t i = 0; i < mdr_engine_nrules(engine); i++)
		{
			MdrEngineRule rule,
						other;
			Sum			sum = {0};

			mdr_engine_rule(engine, i, &rule);
			if (rule.category != c || rule.speaker != MDR_SPEAKER_RULE)
				continue;
			empty = false;
			add_rule(&total, &rule);
			if (seen_before(engine, i, &rule))
				continue;
			for (uint32_t j = i; j < mdr_engine_nrules(engine); j++)
			{
				mdr_engine_rule(engine, j, &other);
				if (other.category == c && other.speaker == MDR_SPEAKER_RULE && strcmp(other.language, rule.language) == 0)
					add_rule(&sum, &other);
			}
			print_row(category.id, rule.language, &sum);
		}
		if (empty)
			print_row(category.id, "-", &(Sum) {0});
	}
	print_row("total", "", &total);
}

static int
explain(MdrEngine *engine, MdrArena *arena, const char *text)
{
	static const char *const views[] = {"plain", "leet", "joined", "squeezed"};
	MdrVerdict	verdict;

	if (mdr_verdict(engine, arena, text, strlen(text), MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
	{
		fprintf(stderr, "the text could not be scanned\n");
		return 1;
	}
	for (uint32_t i = 0; i < verdict.nfindings; i++)
	{
		const MdrFinding *finding = &verdict.findings[i];
		const char *context = mdr_engine_context(engine, finding->context);
		MdrEngineRule rule;

		mdr_engine_rule(engine, finding->rule, &rule);
		printf("%-40s score %.2f severity %d, bytes %u to %u, %s view: %.*s%s%s\n", rule.id, finding->score, rule.severity,
			   finding->start + 1, finding->end, views[finding->view], (int) (finding->end - finding->start),
			   text + finding->start, context ? ", excused by " : "", context ? context : "");
	}
	for (uint32_t i = 0; i < verdict.ncategories; i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(engine, i, &category);
		if (verdict.categories[i].score > 0)
			printf("%-40s score %.2f severity %d: %s\n", category.id, verdict.categories[i].score,
				   verdict.categories[i].severity, mdr_action_name(verdict.categories[i].action));
	}
	printf("verdict: %s%s%s\n", mdr_action_name(verdict.action), verdict.unknown ? ", unknown: " : "",
		   verdict.unknown ? verdict.unknown : "");
	return 0;
}

static int
run(const char *text, const char *document, size_t length)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrPolicy  *policy;
	MdrError	error = {0};
	MdrEngine  *engine;
	size_t		size = 0;
	double		began;

	if (arena == NULL)
		return 1;
	if (mdr_policy_parse(arena, document, length, NULL, NULL, &policy, &error) != MDR_OK)
	{
		say(&error);
		return 1;
	}
	began = seconds();
	engine = compile(arena, policy, &size);
	if (engine == NULL)
		return 1;
	if (text != NULL)
		problems += explain(engine, arena, text);
	else
	{
		double		compiled = seconds() - began;

		check(engine, policy);
		print_table(engine);
		printf("compiled in %.2f s, image %.2f MB; %d problem%s\n", compiled, size / 1e6, problems, problems == 1 ? "" : "s");
	}
	mdr_engine_close(engine);
	mdr_text_release();
	mdr_arena_destroy(arena);
	return problems > 0;
}

int
main(int argc, char **argv)
{
	const char *text = NULL;
	int			first = 1;
	char	   *document;
	size_t		length;
	int			result;

	if (argc > 2 && strcmp(argv[1], "-t") == 0)
	{
		text = argv[2];
		first = 3;
	}
	if (first >= argc)
	{
		fprintf(stderr, "usage: %s [-t TEXT] FILE...\n", argv[0]);
		return 2;
	}
	document = read_files(argv + first, argc - first, &length);
	if (document == NULL)
		return 2;
	result = run(text, document, length);
	free(document);
	return result;
}
