/*
 * main.c
 *		Measures detection on labelled texts, and prints figures: never a text.
 *
 *	eval [--rules] [--ids SET] [POLICY...] PLACE...
 *
 * PLACE is a file of labelled texts (.jsonl) or a folder of them.  POLICY is a file (.yaml) or a folder with a policy.yaml; without one
 * it is policies/terms-of-service.  --rules adds what each rule did; --ids adds which texts of a set were missed or wrongly flagged.
 *
 * Output: tables on stdout.  Memory: an arena, until the program ends.  On error: says why, and ends with 1.
 */
#include "eval.h"

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

int
main(int argc, char **argv)
{
	Corpus		corpus = {.arena = must(mdr_arena_create(0))};
	Results		results = {0};
	Wanted		wanted = {0};
	char	  **policies = must(mdr_alloc_array(corpus.arena, (size_t) argc, sizeof(char *)));
	char	  **places = must(mdr_alloc_array(corpus.arena, (size_t) argc, sizeof(char *)));
	int			npolicies = 0;
	int			nplaces = 0;
	double		began = seconds();
	double		scoring;

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--rules") == 0)
			wanted.rules = true;
		else if (strcmp(argv[i], "--ids") == 0 && i + 1 < argc)
			wanted.ids = argv[++i];
		else if (argv[i][0] == '-')
			give_up("unknown option %s", argv[i]);
		else if (is_policy(argv[i]))
			policies[npolicies++] = argv[i];
		else
			places[nplaces++] = argv[i];
	}
	if (nplaces == 0)
		give_up("usage: %s [--rules] [--ids SET] [POLICY...] PLACE...", argv[0]);
	corpus.engine = open_policy(corpus.arena, policies, npolicies);
	read_corpus(&corpus, places, nplaces);
	scoring = seconds();
	score_corpus(&corpus, &results);
	fprintf(stderr, "%u texts of %u sets, read in %.1f s, scored in %.1f s\n", corpus.ntexts, corpus.nsets, scoring - began,
			seconds() - scoring);
	print_report(&corpus, &results, &wanted);
	return 0;
}
