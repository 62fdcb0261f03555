/*
 * summary.c
 *		What was wanted, what was measured, and whether that is met: one line each, gathered while the tables are made.
 *
 * Input: figures.  Output: a stream.  Locks: none.  Memory: the caller's arena, until the program ends.  On error: the program ends.
 */
#include "eval.h"

#include <math.h>
#include <string.h>

#define MAX_LINES 64

static struct
{
	const char *what;
	const char *wanted;
	const char *measured;
	bool		met;
}			lines[MAX_LINES];
static int	nlines;

void
summary_add(MdrArena *arena, bool met, const char *what, const char *wanted, const char *measured)
{
	if (nlines == MAX_LINES)
		give_up("too many lines in the summary");
	lines[nlines].what = must(mdr_strndup(arena, what, strlen(what)));
	lines[nlines].wanted = must(mdr_strndup(arena, wanted, strlen(wanted)));
	lines[nlines].measured = must(mdr_strndup(arena, measured, strlen(measured)));
	lines[nlines++].met = met;
}

void
summary_add_least(MdrArena *arena, const char *what, double measured, double wanted, int digits, const char *unit)
{
	char		least[64];
	char		figure[64];

	if (isnan(measured))
		return;
	snprintf(least, sizeof(least), "at least %.*f%s", digits, wanted, unit);
	snprintf(figure, sizeof(figure), "%.*f%s", digits, measured, unit);
	summary_add(arena, measured >= wanted, what, least, figure);
}

void
print_summary(MdrArena *arena, FILE *out)
{
	Table	   *table = table_create(arena, "what|wanted|measured|");
	int			met = 0;

	for (int i = 0; i < nlines; i++)
	{
		table_add(table, "%s", lines[i].what);
		table_add(table, "%s", lines[i].wanted);
		table_add(table, "%s", lines[i].measured);
		table_add(table, "%s", lines[i].met ? "met" : "**not met**");
		met += lines[i].met;
	}
	table_print(table, out);
	fprintf(out, "\n%d of %d met.\n", met, nlines);
}
