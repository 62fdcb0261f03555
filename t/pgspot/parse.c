/*
 * parse.c
 *		Prints the parse tree of SQL, as PostgreSQL's own parser has it, for t/pgspot/pgspot.pl.
 *
 * Usage: parse < script.sql; parse plpgsql < create_function.sql.  Out: JSON of libpg_query; on a syntax error, a line with it on
 * standard error and exit code 1.  Takes no locks; memory lives as long as the process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pg_query.h>

static char *
read_all(void)
{
	size_t		size = 1 << 16,
				length = 0,
				got;
	char	   *text = malloc(size);

	while (text != NULL && (got = fread(text + length, 1, size - length - 1, stdin)) > 0)
	{
		length += got;
		if (size - length < 2)
			text = realloc(text, size *= 2);
	}
	if (text != NULL)
		text[length] = '\0';
	return text;
}

static int
print(const char *tree, const PgQueryError *error)
{
	if (error != NULL)
	{
		fprintf(stderr, "%s at %d\n", error->message, error->cursorpos);
		return 1;
	}
	return puts(tree) < 0;
}

int
main(int argc, char **argv)
{
	char	   *text = read_all();

	if (text == NULL)
		return 1;
	if (argc > 1 && strcmp(argv[1], "plpgsql") == 0)
	{
		PgQueryPlpgsqlParseResult result = pg_query_parse_plpgsql(text);

		return print(result.plpgsql_funcs, result.error);
	}
	else
	{
		PgQueryParseResult result = pg_query_parse(text);

		return print(result.parse_tree, result.error);
	}
}
