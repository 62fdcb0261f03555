/*
 * fuzz_engine.h
 *		What the fuzzers of policy, match and image share: the small policy, compiled; what must hold of any verdict.
 */
#ifndef FUZZ_ENGINE_H
#define FUZZ_ENGINE_H

#include "fuzz.h"
#include "verdict/verdict.h"

#define POLICY "t/fuzz/policy.yaml"

/* A policy with all that was made of it. */
typedef struct Made
{
	MdrArena   *arena;
	MdrPolicy  *policy;
	char	   *image;
	size_t		length;
	MdrEngine  *engine;
} Made;

/* Parses, compiles and checks a policy of several files, one behind another. */
__attribute__((unused)) static Made
make_policies(int nfiles, char *const *names)
{
	Made		made = {.arena = mdr_arena_create(0)};
	MdrError	error = {0};
	char	   *document = allocate(0);
	size_t		length = 0;

	for (int i = 0; i < nfiles; i++)
	{
		size_t		n;
		char	   *bytes = read_whole(names[i], &n);

		document = realloc(document, length + n + 300);
		require(document != NULL, "there is memory");
		length += (size_t) snprintf(document + length, 300, "%s# file: %.200s\n", i ? "---\n" : "", names[i]);
		memcpy(document + length, bytes, n);
		length += n;
		free(bytes);
	}
	if (mdr_policy_parse(made.arena, document, length, NULL, NULL, &made.policy, &error) != MDR_OK ||
		mdr_compile(made.arena, made.policy, NULL, NULL, &made.image, &made.length, &error) != MDR_OK ||
		mdr_engine_open(made.image, made.length, &made.engine, &error) != MDR_OK)
	{
		fprintf(stderr, "%s:%d: %s: %s\n", error.file, error.line, error.rule, error.message);
		exit(2);
	}
	free(document);
	return made;
}

__attribute__((unused)) static Made
make_policy(void)
{
	char	   *name = POLICY;

	return make_policies(1, &name);
}

/* What must hold of the findings in any content.  sane: the image was not damaged, so its weights are weights. */
__attribute__((unused)) static void
check_findings(const MdrEngine *engine, const MdrFinding *findings, uint32_t n, const char *content, size_t length, bool sane)
{
	bool		valid = is_utf8(content, length);

	for (uint32_t i = 0; i < n; i++)
	{
		const MdrFinding *finding = &findings[i];
		MdrEngineRule rule;

		require(finding->rule < mdr_engine_nrules(engine), "a finding is of a rule");
		require(finding->start < finding->end && finding->end <= length, "a finding lies in the content");
		require(!valid || (is_edge(content, length, finding->start) && is_edge(content, length, finding->end)),
				"a finding splits no character");
		require(i == 0 || findings[i - 1].start <= finding->start, "findings are in order");
		require(finding->view < MDR_NVIEWS, "a finding is of a view");
		require(finding->context == -1 || mdr_engine_context(engine, finding->context) != NULL, "a context is one of the policy's");
		mdr_engine_rule(engine, finding->rule, &rule);
		if (!sane)
			continue;
		require(finding->score >= 0 && finding->score <= rule.weight, "a score is at most the rule's weight");
		require(rule.speaker != MDR_SPEAKER_RULE || (finding->score < rule.weight) == (finding->context >= 0),
				"what lowers a score is a context");
	}
}

__attribute__((unused)) static void
check_verdict(const MdrEngine *engine, const MdrVerdict *verdict, MdrAction cap, const char *content, size_t length, bool sane)
{
	require(verdict->status == MDR_OK || verdict->status == MDR_UNKNOWN, "a verdict is known or unknown");
	require((verdict->status == MDR_UNKNOWN) == (verdict->unknown != NULL), "what is unknown has a reason");
	require(verdict->action <= cap, "no action goes above the cap");
	require(verdict->category < (int) verdict->ncategories && verdict->ncategories == mdr_engine_ncategories(engine),
			"a verdict is about the policy's categories");
	for (uint32_t i = 0; sane && i < verdict->ncategories; i++)
		require(verdict->categories[i].score >= 0 && verdict->categories[i].score <= 1 && verdict->categories[i].severity >= 0 &&
				verdict->categories[i].severity <= MDR_MAX_SEVERITY && verdict->categories[i].action <= verdict->action,
				"a category's score lies in 0..1, and its action is no graver than the verdict's");
	check_findings(engine, verdict->findings, verdict->nfindings, content, length, sane);
}

__attribute__((unused)) static bool
same_findings(const MdrFinding *a, uint32_t na, const MdrFinding *b, uint32_t nb)
{
	for (uint32_t i = 0; na == nb && i < na; i++)
		if (a[i].rule != b[i].rule || a[i].start != b[i].start || a[i].end != b[i].end || a[i].score != b[i].score ||
			a[i].view != b[i].view || a[i].context != b[i].context)
			return false;
	return na == nb;
}

#endif							/* FUZZ_ENGINE_H */
