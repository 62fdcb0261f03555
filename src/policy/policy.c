/*
 * policy.c
 *		Parses a policy document, and answers what other stages ask of the tree: names of actions, lists, places.
 *
 * Input: bytes of the caller.  Output: an MdrPolicy in the caller's arena; nodes live in an arena of this file's own, gone
 * when the parse is over.  Locks: none.  On error: MdrError says file, line, column, rule and reason.
 */
#include "policy/policy_node.h"

#include <stdio.h>
#include <string.h>

static const char *const action_names[] = {"allow", "flag", "redact", "quarantine", "reject"};

const char *
mdr_action_name(MdrAction action)
{
	return (unsigned) action <= MDR_REJECT ? action_names[action] : "unknown";
}

bool
mdr_action_parse(const char *name, MdrAction *action)
{
	for (int i = MDR_ALLOW; i <= MDR_REJECT; i++)
		if (strcmp(name, action_names[i]) == 0)
		{
			*action = (MdrAction) i;
			return true;
		}
	return false;
}

/* Copies what fits, cutting before a character rather than inside one. */
static void
copy_text(char *to, size_t size, const char *from)
{
	size_t		length = strlen(from);

	if (length >= size)
	{
		length = size - 1;
		while (length > 0 && ((unsigned char) from[length] & 0xC0) == 0x80)
			length--;
	}
	memcpy(to, from, length);
	to[length] = '\0';
}

/* Takes out characters that a precision such as %.60s, or the end of a buffer, cut in two. */
static void
drop_pieces(char *message)
{
	const char *from = message;

	while (*from != '\0')
	{
		unsigned char first = *from;
		size_t		whole = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
		size_t		length = 1;

		while (length < whole && ((unsigned char) from[length] & 0xC0) == 0x80)
			length++;
		if (length == whole)
		{
			memmove(message, from, length);
			message += length;
		}
		from += length;
	}
	*message = '\0';
}

static MdrStatus
fail_at(const MdrPolicy *policy, MdrError *error, MdrStatus status, MdrPlace place, const char *rule, char *message)
{
	const MdrFile *file = NULL;

	drop_pieces(message);
	for (uint32_t low = 0, high = policy->nfiles; low < high;)
	{
		uint32_t	middle = (low + high) / 2;

		if (policy->files[middle].line < place.line)
		{
			file = &policy->files[middle];
			low = middle + 1;
		}
		else
			high = middle;
	}
	mdr_fail(error, status, place.line - (file ? file->line : 0), place.column, "%s", message);
	if (error != NULL)
	{
		copy_text(error->file, sizeof(error->file), file ? file->name : "");
		copy_text(error->rule, sizeof(error->rule), rule ? rule : "");
	}
	return status;
}

MdrStatus
mdr_policy_fail(const MdrPolicy *policy, MdrError *error, MdrStatus status, MdrPlace place, const char *rule,
				const char *format,...)
{
	char		message[sizeof(error->message)];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return fail_at(policy, error, status, place, rule, message);
}

MdrStatus
mdr_reader_fail(MdrReader *reader, MdrPlace place, const char *format,...)
{
	char		message[sizeof(reader->error->message)];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return fail_at(reader->policy, reader->error, MDR_INVALID, place, reader->rule, message);
}

MdrStatus
mdr_reader_no_memory(MdrReader *reader)
{
	return mdr_fail(reader->error, MDR_NO_MEMORY, 0, 0, "out of memory");
}

MdrStatus
mdr_reader_stop(MdrReader *reader)
{
	return mdr_fail(reader->error, MDR_INTERRUPTED, 0, 0, "interrupted");
}

bool
mdr_reader_interrupted(MdrReader *reader)
{
	return ++reader->steps % MDR_READER_STEPS == 0 && reader->interrupted != NULL && reader->interrupted(reader->context);
}

const MdrWordList *
mdr_policy_list(const MdrPolicy *policy, const char *name, size_t length)
{
	for (uint32_t low = 0, high = policy->nlists; low < high;)
	{
		uint32_t	middle = (low + high) / 2;
		const MdrWordList *list = &policy->lists[policy->lists_by_name[middle]];
		int			order = strncmp(list->name, name, length);

		if (order == 0 && list->name[length] == '\0')
			return list;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool
mdr_policy_reference(const char *text, size_t from, bool pattern, size_t *start, size_t *end)
{
	for (size_t i = from; text[i] != '\0'; i++)
	{
		size_t		j = i + 1;

		if (pattern && text[i] == '\\' && text[i + 1] != '\0')
		{
			/* An escape: its braces, if it has any, are its own. */
			i++;
			if (((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z')) && text[i + 1] == '{')
				i++;
			continue;
		}
		if (text[i] != '{' || text[j] < 'a' || text[j] > 'z')
			continue;
		while ((text[j] >= 'a' && text[j] <= 'z') || (text[j] >= '0' && text[j] <= '9') || text[j] == '_' || text[j] == '.')
			j++;
		if (text[j] != '}' || j - i < 3)
			continue;
		*start = i;
		*end = j + 1;
		return true;
	}
	return false;
}

/* A document in which nothing stands, as between two "---". */
static bool
empty_document(const MdrNode *node)
{
	return node->kind == MDR_SCALAR && node->length == 0 && !node->quoted;
}

static MdrStatus
read_documents(MdrReader *reader, const char *document, size_t length)
{
	bool		head = false;
	MdrStatus	status = mdr_read_stream(reader, document, length);

	for (uint32_t i = 0; status == MDR_OK && i < reader->ndocuments; i++)
	{
		if (empty_document(reader->documents[i]))
			continue;
		if (!head)
			status = mdr_read_head(reader, reader->documents[i]);
		else if (mdr_is_learned(reader->documents[i]))
			status = mdr_read_learned(reader, reader->documents[i]);
		else
			status = mdr_read_category(reader, reader->documents[i]);
		head = true;
	}
	if (status == MDR_OK && !head)
		status = mdr_reader_fail(reader, (MdrPlace) {1, 1}, "document is empty");
	return status == MDR_OK ? mdr_read_finish(reader) : status;
}

MdrStatus
mdr_policy_parse(MdrArena *arena, const char *document, size_t length, MdrInterrupted interrupted, void *context,
				 MdrPolicy **policy, MdrError *error)
{
	MdrReader	reader = {.arena = arena, .error = error, .interrupted = interrupted, .context = context};
	MdrStatus	status;

	*policy = NULL;
	reader.scratch = mdr_arena_create(MDR_MAX_NODES);
	reader.policy = mdr_alloc(arena, sizeof(MdrPolicy));
	if (reader.scratch != NULL && reader.policy != NULL)
		status = read_documents(&reader, document, length);
	else
		status = mdr_reader_no_memory(&reader);
	mdr_arena_destroy(reader.scratch);
	if (status == MDR_OK)
		*policy = reader.policy;
	return status;
}
