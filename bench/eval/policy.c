/*
 * policy.c
 *		Reads a policy's files and compiles them, as policies/lint.c does.
 *
 * Input: files, or folders with a policy.yaml.  Output: an engine, for the program's life.  Locks: none.  Memory: the caller's arena.
 * On error: the program ends and says why.
 */
#include "eval.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
append_file(FILE *out, const char *name)
{
	FILE	   *in = fopen(name, "rb");
	char		buffer[65536];
	size_t		n;

	if (in == NULL)
		give_up("%s: %s", name, strerror(errno));
	fprintf(out, "---\n# file: %s\n", name);
	while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
		fwrite(buffer, 1, n, out);
	fclose(in);
}

static bool
is_head(const char *name)
{
	size_t		length = strlen(name);

	return length >= 11 && strcmp(name + length - 11, "policy.yaml") == 0;
}

/* The head first, then the categories by name. */
static void
append_folder(FILE *out, const char *folder)
{
	char		pattern[4096];
	glob_t		found;

	snprintf(pattern, sizeof(pattern), "%s/*.yaml", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		give_up("%s: no policy there", folder);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (is_head(found.gl_pathv[i]))
			append_file(out, found.gl_pathv[i]);
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (!is_head(found.gl_pathv[i]))
			append_file(out, found.gl_pathv[i]);
	globfree(&found);
}

MdrEngine *
open_policy(MdrArena *arena, char **places, int count)
{
	static char *built_in[] = {"policies/terms-of-service"};
	char	   *document = NULL;
	size_t		length = 0;
	FILE	   *out = must(open_memstream(&document, &length));
	MdrPolicy  *policy;
	MdrEngine  *engine;
	MdrError	error = {0};
	char	   *image;
	size_t		size;

	if (count == 0)
	{
		places = built_in;
		count = 1;
	}
	for (int i = 0; i < count; i++)
	{
		struct stat status;

		if (stat(places[i], &status) == 0 && S_ISDIR(status.st_mode))
			append_folder(out, places[i]);
		else
			append_file(out, places[i]);
	}
	fclose(out);
	if (mdr_policy_parse(arena, document, length, NULL, NULL, &policy, &error) != MDR_OK ||
		mdr_compile(arena, policy, NULL, NULL, &image, &size, &error) != MDR_OK ||
		mdr_engine_open(image, size, &engine, &error) != MDR_OK)
		give_up("%s:%d:%d: %s%s%s", error.file, error.line, error.column, error.rule, error.rule[0] ? ": " : "", error.message);
	free(document);
	return engine;
}
