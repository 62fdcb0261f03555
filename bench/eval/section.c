/*
 * section.c
 *		Parts of the output, and the page that keeps them between marks:
 *
 *	<!-- eval: NAME -->
 *	(what was printed)
 *	<!-- end -->
 *
 * Input: what is written to the open section.  Output: stdout; the page.  Locks: none.  Memory: its own, until the program ends.  On
 * error: the program ends; a page is replaced as a whole or not at all.
 */
#include "eval.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECTIONS 32

static struct
{
	const char *name;
	char	   *text;
	size_t		length;
}			sections[MAX_SECTIONS];
static int	nsections;
static FILE *open_one;

FILE *
section_open(const char *name, const char *title)
{
	if (nsections == MAX_SECTIONS)
		give_up("too many sections");
	printf("\n## %s\n\n", title);
	sections[nsections].name = name;
	open_one = must(open_memstream(&sections[nsections].text, &sections[nsections].length));
	return open_one;
}

void
section_close(void)
{
	fclose(open_one);
	fputs(sections[nsections++].text, stdout);
	fflush(stdout);
}

/* What the mark names, or NULL when it is none. */
static const char *
section_of(const char *line)
{
	for (int i = 0; i < nsections; i++)
	{
		char		mark[128];

		snprintf(mark, sizeof(mark), "<!-- eval: %s -->\n", sections[i].name);
		if (strcmp(line, mark) == 0)
			return sections[i].text;
	}
	return NULL;
}

void
section_docs(const char *page)
{
	char		new_page[4096];
	FILE	   *in = fopen(page, "r");
	FILE	   *out;
	char	   *line = NULL;
	size_t		size = 0;
	bool		inside = false;

	snprintf(new_page, sizeof(new_page), "%s.new", page);
	out = fopen(new_page, "w");
	if (in == NULL || out == NULL)
		give_up("%s: %s", page, strerror(errno));
	while (getline(&line, &size, in) > 0)
	{
		const char *text = section_of(line);

		inside &= strcmp(line, "<!-- end -->\n") != 0;
		if (!inside)
			fputs(line, out);
		if (text != NULL)
		{
			fprintf(out, "\n%s\n", text);
			inside = true;
		}
	}
	free(line);
	fclose(in);
	if (inside || fclose(out) != 0 || rename(new_page, page) != 0)
		give_up("%s: a mark without its end, or the page cannot be written", page);
}
