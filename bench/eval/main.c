/*
 * main.c
 *		Measures detection on labelled texts, and prints figures: never a text.
 *
 *	eval [OPTION...] [POLICY...] PLACE...
 *
 * PLACE is a file of labelled texts (.jsonl) or a folder of them.  POLICY is a file (.yaml) or a folder with a policy.yaml; without one
 * it is policies/terms-of-service.
 *
 *	--rules				adds what each rule did
 *	--ids SET			adds which texts of a set were missed or wrongly flagged; SET may be "all"
 *	--disguises			adds what is still caught of texts in disguise
 *	--disguise KIND		measures the texts in a disguise, and only those that it changes
 *	--folds FOLDER		measures each set with a model that has not seen it, and the texts held back from all models with the built-in one
 *	--functions FOLDER	adds function tests; then PLACE may be left out
 *	--picture FILE		adds how far scores can be read as probabilities, and draws it
 *	--docs PAGE			puts the tables into the page, too
 *
 * Output: tables on stdout.  Memory: an arena, until the program ends.  On error: says why, and ends with 1.
 */
#include "eval.h"
#include "disguise.h"

#include <string.h>
#include <unistd.h>

static bool
is_policy(const char *place)
{
	char		head[4096];
	size_t		length = strlen(place);

	snprintf(head, sizeof(head), "%s/policy.yaml", place);
	return (length > 5 && strcmp(place + length - 5, ".yaml") == 0) || access(head, R_OK) == 0;
}

typedef struct Wanted
{
	bool		rules;
	bool		disguises;
	int			disguise;		/* that all texts wear, or PLAIN */
	const char *ids;
	const char *functions;
	const char *folds;
	const char *picture;
	const char *docs;
	char	  **policies;
	int			npolicies;
	char	  **places;
	int			nplaces;
} Wanted;

static int
find_disguise(const char *name)
{
	for (uint32_t i = 0; i < disguise_count(); i++)
		if (strcmp(disguise_kind(i)->name, name) == 0)
			return (int) i;
	for (uint32_t i = 0; i < disguise_count(); i++)
		fprintf(stderr, "%s\n", disguise_kind(i)->name);
	give_up("no such disguise: %s; those above are known", name);
}

static void
read_arguments(int argc, char **argv, MdrArena *arena, Wanted *wanted)
{
	wanted->policies = must(mdr_alloc_array(arena, (size_t) argc, sizeof(char *)));
	wanted->places = must(mdr_alloc_array(arena, (size_t) argc, sizeof(char *)));
	for (int i = 1; i < argc; i++)
	{
		bool		more = i + 1 < argc;

		if (strcmp(argv[i], "--rules") == 0)
			wanted->rules = true;
		else if (strcmp(argv[i], "--disguises") == 0)
			wanted->disguises = true;
		else if (strcmp(argv[i], "--disguise") == 0 && more)
			wanted->disguise = find_disguise(argv[++i]);
		else if (strcmp(argv[i], "--ids") == 0 && more)
			wanted->ids = argv[++i];
		else if (strcmp(argv[i], "--functions") == 0 && more)
			wanted->functions = argv[++i];
		else if (strcmp(argv[i], "--folds") == 0 && more)
			wanted->folds = argv[++i];
		else if (strcmp(argv[i], "--picture") == 0 && more)
			wanted->picture = argv[++i];
		else if (strcmp(argv[i], "--docs") == 0 && more)
			wanted->docs = argv[++i];
		else if (argv[i][0] == '-')
			give_up("unknown option, or nothing behind it: %s", argv[i]);
		else if (is_policy(argv[i]))
			wanted->policies[wanted->npolicies++] = argv[i];
		else
			wanted->places[wanted->nplaces++] = argv[i];
	}
	if (wanted->nplaces == 0 && wanted->functions == NULL)
		give_up("usage: %s [--rules] [--ids SET] [--disguises] [--disguise KIND] [--folds FOLDER] [--functions FOLDER] [--picture FILE] [--docs PAGE] [POLICY...] PLACE...", argv[0]);
}

/* The ordinary split: texts that nothing was learned from, of sets that the model knows. */
static void
report_held_back(const Corpus *corpus)
{
	Results		results;

	score_corpus(corpus, (Run) {.disguise = PLAIN, .held_back = true}, &results);
	add_ranks_to_summary(corpus, &results, true);
	print_ranks(corpus, &results, section_open("held back", "By category, texts held back of sets that the model has seen"));
	section_close();
	print_ranks_by_language(corpus, &results, section_open("held back languages", "The same by language"));
	section_close();
	free_results(corpus, &results);
}

static void
report_sets(const Corpus *corpus, const Results *results, const Wanted *wanted)
{
	if (wanted->ids != NULL)
	{
		print_ids(corpus, results, wanted->ids,
				  section_open("ids", "Texts wrongly flagged (with what for) and missed (with what they are labelled)"));
		section_close();
	}
	if (wanted->rules)
	{
		print_rules(corpus, results,
					section_open("rules", "Rules that had a part in flagging (alone: no other of the category), false alarms first"));
		section_close();
	}
	print_ranks_by_set(corpus, results, section_open("sets", "By set and category (sets that have positives)"));
	section_close();
	print_ranks_by_language(corpus, results, section_open("languages", "By language and category (at least 50 positives)"));
	section_close();
	if (wanted->folds != NULL)
		add_ranks_to_summary(corpus, results, false);
	print_ranks(corpus, results, section_open("categories", "By category, all sets together"));
	section_close();
	if (wanted->folds != NULL)
		report_held_back(corpus);
	if (wanted->picture != NULL)
	{
		draw_calibration(corpus, results, wanted->picture);
		print_calibration(corpus, results, section_open("calibration", "Expected calibration error, where there is a score"));
		section_close();
	}
	if (wanted->disguises)
	{
		print_disguises(corpus, results, "texts", section_open("disguises", "Disguised copies beside the texts as they are"));
		section_close();
	}
	print_outcomes_by_language(corpus, results, section_open("outcomes by language", "Caught and wrongly flagged, by language"));
	section_close();
	print_benign(corpus, results, section_open("benign", "Benign texts: false alarms in 1,000 (strictly: not violence, not politics)"));
	section_close();
	print_harmful(corpus, results, section_open("harmful", "Harmful texts: caught, in 100"));
	section_close();
}

static bool
report_functions(MdrArena *arena, MdrEngine *engine, const char *folder)
{
	Corpus		corpus = {.arena = arena, .engine = engine};
	Results		results;
	bool		apart;

	read_functions(&corpus, folder);
	score_corpus(&corpus, (Run) {.disguise = PLAIN}, &results);
	print_functions(&corpus, &results, section_open("functions", "Function tests"));
	section_close();
	print_disguises(&corpus, &results, NULL, section_open("function disguises", "Function tests in disguise"));
	section_close();
	print_functions_by_language(&corpus, &results, section_open("function languages", "Function tests by language"));
	section_close();
	free_results(&corpus, &results);
	apart = print_copied(arena, folder, "policies", section_open("copied", "Function tests that stand in the policy"));
	section_close();
	return apart;
}

int
main(int argc, char **argv)
{
	Corpus		corpus = {.arena = must(mdr_arena_create(0))};
	Wanted		wanted = {.disguise = PLAIN};
	Results		results;
	double		began = seconds();
	double		scoring;
	uint32_t	unknown = 0;
	bool		apart = true;

	read_arguments(argc, argv, corpus.arena, &wanted);
	corpus.engine = open_policy(corpus.arena, wanted.policies, wanted.npolicies);
	read_corpus(&corpus, wanted.places, wanted.nplaces);
	scoring = seconds();
	if (wanted.folds != NULL)
		read_folds(&corpus, wanted.folds);
	score_corpus(&corpus, (Run) {.disguise = wanted.disguise}, &results);
	fprintf(stderr, "%u texts of %u sets, read in %.1f s, scored in %.1f s\n", corpus.ntexts, corpus.nsets, scoring - began,
			seconds() - scoring);
	for (uint32_t i = 0; i < corpus.ntexts; i++)
		unknown += results.unknown[i];
	printf("%s: %u rules, %u texts, %u of them unknown\n", mdr_engine_policy(corpus.engine), mdr_engine_nrules(corpus.engine),
		   corpus.ntexts, unknown);
	if (wanted.nplaces > 0)
		report_sets(&corpus, &results, &wanted);
	if (wanted.functions != NULL)
		apart = report_functions(corpus.arena, corpus.engine, wanted.functions);
	print_summary(corpus.arena, section_open("summary", "What was wanted and what was measured"));
	section_close();
	if (wanted.docs != NULL)
		section_docs(wanted.docs);
	if (!apart)
		give_up("function tests stand in the policy: see \"Function tests that stand in the policy\"");
	return 0;
}
