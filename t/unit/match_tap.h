/*
 * match_tap.h
 *		What the unit tests of policy, match and verdict share: TAP, a policy from a few lines, a scan.
 *
 * Memory: arenas that the tests make; what cannot be made ends the test with "Bail out!".
 */
#ifndef MATCH_TAP_H
#define MATCH_TAP_H

#include "tap.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((unused, noreturn)) static void
bail(const char *what, const MdrError *error)
{
	printf("Bail out! %s: %d:%d: %s: %s\n", what, error->line, error->column, error->rule, error->message);
	exit(1);
}

/* An engine with what it was made from. */
typedef struct Made
{
	MdrArena   *arena;
	MdrPolicy  *policy;
	char	   *image;
	size_t		length;
	MdrEngine  *engine;
} Made;

/* Parses, compiles and opens; a failure is returned with its error. */
__attribute__((unused)) static MdrStatus
try_make(const char *document, Made *made, MdrError *error)
{
	MdrStatus	status;

	memset(made, 0, sizeof(*made));
	memset(error, 0, sizeof(*error));
	made->arena = mdr_arena_create(0);
	status = mdr_policy_parse(made->arena, document, strlen(document), NULL, NULL, &made->policy, error);
	if (status == MDR_OK)
		status = mdr_compile(made->arena, made->policy, NULL, NULL, &made->image, &made->length, error);
	if (status == MDR_OK)
		status = mdr_engine_open(made->image, made->length, &made->engine, error);
	return status;
}

__attribute__((unused)) static Made
make(const char *document)
{
	Made		made;
	MdrError	error;

	if (try_make(document, &made, &error) != MDR_OK)
		bail("policy", &error);
	return made;
}

__attribute__((unused)) static void
unmake(Made *made)
{
	mdr_engine_close(made->engine);
	mdr_arena_destroy(made->arena);
	memset(made, 0, sizeof(*made));
}

/* A head with categories "c" and "d", contexts by the caller, then one category document with the rules given. */
#define HEAD "policy: p\nviews: [leet, joined, squeezed]\n"
#define CATEGORIES "categories:\n  - {id: c, clause: {en: c}}\n  - {id: d, clause: {en: d}}\n"
#define RULES "---\ncategory: c\nrules:\n"
#define EXAMPLES ", hits: [x], misses: [y]}\n"
#define RULE(id, body) "  - {id: " id ", weight: 0.8, severity: 2, " body EXAMPLES
#define SIMPLE(body) HEAD CATEGORIES RULES RULE("r", body)

/* Findings of the text, as "rule start-end[view][*score] ..." with 0-based bytes; in a static buffer. */
__attribute__((unused)) static const char *
found_in(const Made *made, const char *text, size_t length)
{
	static const char *const views[] = {"", "/leet", "/joined", "/squeezed"};
	static char out[65536];
	MdrArena   *arena = mdr_arena_create(0);
	MdrScan		scan = {0};
	MdrStatus	status = mdr_engine_scan(made->engine, arena, text, length, &scan);
	size_t		used = 0;

	out[0] = '\0';
	if (status != MDR_OK)
		used += snprintf(out, sizeof(out), "status %d: %s ", status, scan.unknown ? scan.unknown : "");
	for (uint32_t i = 0; i < scan.nfindings && used < sizeof(out) - 200; i++)
	{
		const MdrFinding *finding = &scan.findings[i];
		MdrEngineRule rule;

		mdr_engine_rule(made->engine, finding->rule, &rule);
		used += snprintf(out + used, sizeof(out) - used, "%s%s %u-%u%s", i ? " " : "", rule.id, finding->start, finding->end,
						 views[finding->view]);
		if (finding->context >= 0)
			used += snprintf(out + used, sizeof(out) - used, "*%.2f", finding->score);
	}
	mdr_arena_destroy(arena);
	return out;
}

__attribute__((unused)) static bool
finds(const Made *made, const char *text, const char *expected, const char *what)
{
	const char *found = found_in(made, text, strlen(text));
	bool		good = ok(strcmp(found, expected) == 0, "%s", what);

	if (!good)
		printf("#   expected: %s\n#   found:    %s\n", expected, found);
	return good;
}

#endif							/* MATCH_TAP_H */
