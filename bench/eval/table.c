/*
 * table.c
 *		Lays tables out in Markdown, with padded columns so that they can be read on a terminal.
 *
 * Input: cells, row by row.  Output: a stream.  Locks: none.  Memory: the caller's arena.  On error: the program ends.
 */
#include "eval.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COLUMNS 24

struct Table
{
	MdrArena   *arena;
	int			ncolumns;
	const char *heads[MAX_COLUMNS];
	bool		right[MAX_COLUMNS];
	const char **cells;
	size_t		ncells;
	size_t		room;
};

void
give_up(const char *format,...)
{
	va_list		arguments;

	fputs("eval: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

void *
must(void *memory)
{
	if (memory == NULL)
		give_up("out of memory");
	return memory;
}

Table *
table_create(MdrArena *arena, const char *columns)
{
	Table	   *table = must(mdr_alloc(arena, sizeof(Table)));

	table->arena = arena;
	for (;;)
	{
		size_t		length = strcspn(columns, "|");

		table->right[table->ncolumns] = *columns == '>';
		table->heads[table->ncolumns] = must(mdr_strndup(arena, columns + (*columns == '>'), length - (*columns == '>')));
		table->ncolumns++;
		columns += length;
		if (*columns == '\0')
			break;
		columns++;
	}
	return table;
}

void
table_add(Table *table, const char *format,...)
{
	char		cell[512];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(cell, sizeof(cell), format, arguments);
	va_end(arguments);
	if (table->ncells == table->room)
	{
		size_t		room = table->room * 2 + 64;

		table->cells = must(mdr_grow(table->arena, table->cells, table->room * sizeof(char *), room * sizeof(char *)));
		table->room = room;
	}
	table->cells[table->ncells++] = must(mdr_strndup(table->arena, cell, strlen(cell)));
}

void
table_add_figure(Table *table, int digits, double figure)
{
	if (isnan(figure))
		table_add(table, "-");
	else
		table_add(table, "%.*f", digits, figure);
}

/* Code points, not bytes; good enough where no character is wide. */
static int
width_of(const char *cell)
{
	int			width = 0;

	for (; *cell != '\0'; cell++)
		width += ((unsigned char) *cell & 0xC0) != 0x80;
	return width;
}

static void
print_row(const Table *table, const char *const *cells, const int *widths, FILE *out)
{
	fputc('|', out);
	for (int i = 0; i < table->ncolumns; i++)
	{
		int			pad = widths[i] - width_of(cells[i]);

		fprintf(out, " %*s%s%*s |", table->right[i] ? pad : 0, "", cells[i], table->right[i] ? 0 : pad, "");
	}
	fputc('\n', out);
}

void
table_print(const Table *table, FILE *out)
{
	int			widths[MAX_COLUMNS];

	for (int i = 0; i < table->ncolumns; i++)
	{
		widths[i] = width_of(table->heads[i]);
		for (size_t j = (size_t) i; j < table->ncells; j += (size_t) table->ncolumns)
			if (width_of(table->cells[j]) > widths[i])
				widths[i] = width_of(table->cells[j]);
	}
	print_row(table, table->heads, widths, out);
	fputc('|', out);
	for (int i = 0; i < table->ncolumns; i++)
	{
		for (int j = 0; j < widths[i] + 1; j++)
			fputc('-', out);
		fputs(table->right[i] ? ":|" : "-|", out);
	}
	fputc('\n', out);
	for (size_t i = 0; i < table->ncells; i += (size_t) table->ncolumns)
		print_row(table, table->cells + i, widths, out);
}
