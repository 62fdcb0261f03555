/*
 * base_error.c
 *		Says why something was refused.
 *
 * Input: a status, a place and a printf format; output: the MdrError filled, and the status again.  Locks and memory:
 * none. Errors: a message too long is cut, at a character's boundary; the file and rule that the caller has set stay.
 */
#include <stdio.h>
#include <string.h>

#include "base/base.h"

MdrStatus
mdr_fail(MdrError *error, MdrStatus status, int line, int column, const char *format,...)
{
	va_list		arguments;
	int			needed;

	if (error == NULL)
		return status;
	error->status = status;
	error->line = line;
	error->column = column;
	va_start(arguments, format);
	needed = vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	if (needed < 0)
		strcpy(error->message, "unknown error");
	else if ((size_t) needed >= sizeof(error->message))
	{
		size_t		end = sizeof(error->message) - 1;
		size_t		lead = end;

		/* The last character may have been cut in two: find its first byte, and drop it unless it is whole. */
		while (lead > 0 && ((unsigned char) error->message[lead - 1] & 0xC0) == 0x80)
			lead--;
		if (lead > 0)
		{
			unsigned char first = error->message[lead - 1];
			size_t		length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;

			if (lead - 1 + length > end)
				error->message[lead - 1] = '\0';
		}
	}
	return status;
}
