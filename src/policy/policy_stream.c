/*
 * policy_stream.c
 *		A policy document's bytes -> YAML nodes with their places.
 *
 * The bytes are looked over once before libyaml sees them, for what it reports badly or not at all: size, UTF-8, control
 * characters, and the "# file: NAME" comments.  Then libyaml's events become nodes.  Anchors, aliases, tags and directives
 * are refused, and so is nesting deeper than the format needs, while it is read: nothing is built for it.
 *
 * libyaml is given its input in pieces, so that even one huge scalar, which is one event, can be interrupted.
 *
 * Input: bytes of the caller.  Output: reader->documents, in reader->scratch.  Locks: none.  On error libyaml's parser is
 * deleted and the status returned; the nodes built so far go with the arena.
 */
#include "policy/policy_node.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define FILE_COMMENT "# file: "
#define PIECE ((size_t) 16384)	/* bytes between two looks at the interrupt */

/* Length of the well-formed UTF-8 sequence at p, 0 when it is not well-formed (Unicode 15, table 3-7). */
static int
utf8_sequence(const unsigned char *p, const unsigned char *end)
{
	int			length;
	unsigned char low = 0x80,
				high = 0xBF;

	if (*p < 0x80)
		return 1;
	if (*p >= 0xC2 && *p <= 0xDF)
		length = 2;
	else if (*p >= 0xE0 && *p <= 0xEF)
	{
		length = 3;
		if (*p == 0xE0)
			low = 0xA0;
		else if (*p == 0xED)
			high = 0x9F;
	}
	else if (*p >= 0xF0 && *p <= 0xF4)
	{
		length = 4;
		if (*p == 0xF0)
			low = 0x90;
		else if (*p == 0xF4)
			high = 0x8F;
	}
	else
		return 0;
	if (end - p < length || p[1] < low || p[1] > high)
		return 0;
	for (int i = 2; i < length; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

/* What is wrong with the character at p, or NULL.  Only what YAML forbids, and the line ends that editors do not count. */
static const char *
forbidden(const unsigned char *p, int length, bool at_end)
{
	if (length == 1)
	{
		if (*p == '\r')
			return at_end || p[1] != '\n' ? "carriage return without newline" : NULL;
		return (*p < 0x20 && *p != '\t' && *p != '\n') || *p == 0x7F ? "control character" : NULL;
	}
	if (length == 2 && p[0] == 0xC2 && p[1] < 0xA0)
		return "control character";
	if (length == 3)
	{
		if (p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
			return "line or paragraph separator; write it as \\u2028 or \\u2029 in double quotes";
		if (p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF)
			return "byte order mark";
		if (p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE)
			return "character that YAML does not allow";
	}
	return NULL;
}

static MdrStatus
add_file(MdrReader *reader, uint32_t *capacity, const char *name, const char *end, int line)
{
	MdrPolicy  *policy = reader->policy;
	char	   *copy;

	while (end > name && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		end--;
	if (policy->nfiles == *capacity)
	{
		uint32_t	larger = *capacity ? *capacity * 2 : 32;
		MdrFile    *files = mdr_grow(reader->arena, policy->files, *capacity * sizeof(MdrFile), larger * sizeof(MdrFile));

		if (files == NULL)
			return mdr_reader_no_memory(reader);
		policy->files = files;
		*capacity = larger;
	}
	copy = mdr_strndup(reader->arena, name, end - name);
	if (copy == NULL)
		return mdr_reader_no_memory(reader);
	policy->files[policy->nfiles++] = (MdrFile) {copy, line};
	return MDR_OK;
}

/* Bytes that no YAML parser should see, and the files that the lines come from. */
static MdrStatus
look_over(MdrReader *reader, const char *document, size_t length)
{
	const unsigned char *p = (const unsigned char *) document;
	const unsigned char *end = p + length;
	const unsigned char *look = p;	/* where the interrupt is asked next */
	MdrPlace	place = {1, 1};
	uint32_t	capacity = 0;

	if (length > MDR_MAX_DOCUMENT)
		return mdr_reader_fail(reader, place, "document is longer than %d bytes", MDR_MAX_DOCUMENT);
	while (p < end)
	{
		int			step = utf8_sequence(p, end);
		const char *wrong;

		if (step == 0)
			return mdr_reader_fail(reader, place, "invalid UTF-8 (byte 0x%02x)", *p);
		if ((wrong = forbidden(p, step, p + 1 == end)) != NULL)
			return mdr_reader_fail(reader, place, "%s", wrong);
		if (place.column == 1 && *p == '#' && end - p > strlen(FILE_COMMENT)
			&& memcmp(p, FILE_COMMENT, strlen(FILE_COMMENT)) == 0)
		{
			const char *name = (const char *) p + strlen(FILE_COMMENT);
			const char *newline = memchr(name, '\n', (const char *) end - name);
			MdrStatus	status = add_file(reader, &capacity, name, newline ? newline : (const char *) end, place.line);

			if (status != MDR_OK)
				return status;
		}
		if (*p == '\n')
			place = (MdrPlace) {place.line + 1, 1};
		else
			place.column++;
		p += step;
		if (p >= look)
		{
			if (reader->interrupted != NULL && reader->interrupted(reader->context))
				return mdr_reader_stop(reader);
			look = p + PIECE;
		}
	}
	return MDR_OK;
}

static MdrPlace
mark_place(yaml_mark_t mark)
{
	return (MdrPlace) {(int) mark.line + 1, (int) mark.column + 1};
}

static MdrNode *
new_node(MdrReader *reader, MdrNodeKind kind, const yaml_event_t *event)
{
	MdrNode    *node = mdr_alloc(reader->scratch, sizeof(MdrNode));

	if (node != NULL)
	{
		node->kind = kind;
		node->place = mark_place(event->start_mark);
	}
	return node;
}

/* Appends to the items of a collection; false when out of memory. */
static bool
append(MdrReader *reader, MdrNode *node, MdrNode *item)
{
	if (node->nitems == node->capacity)
	{
		uint32_t	larger = node->capacity ? node->capacity * 2 : 8;
		MdrNode   **items = mdr_grow(reader->scratch, node->items, node->capacity * sizeof(MdrNode *),
									 larger * sizeof(MdrNode *));

		if (items == NULL)
			return false;
		node->items = items;
		node->capacity = larger;
	}
	node->items[node->nitems++] = item;
	return true;
}

/* The document as libyaml reads it. */
typedef struct Input
{
	MdrReader  *reader;
	const char *next;
	size_t		left;
	bool		stopped;
} Input;

/* yaml_read_handler_t */
static int
give(void *data, unsigned char *buffer, size_t size, size_t *given)
{
	Input	   *input = data;
	size_t		length = input->left < size ? input->left : size;

	if (length > PIECE)
		length = PIECE;
	input->stopped = input->reader->interrupted != NULL && input->reader->interrupted(input->reader->context);
	if (input->stopped)
		return 0;
	memcpy(buffer, input->next, length);
	input->next += length;
	input->left -= length;
	*given = length;
	return 1;
}

static MdrStatus
parser_failed(MdrReader *reader, const yaml_parser_t *parser)
{
	MdrPlace	place = mark_place(parser->problem_mark);
	const char *problem = parser->problem ? parser->problem : "not YAML";
	const char *context = parser->context ? parser->context : "";

	if (parser->error == YAML_MEMORY_ERROR)
		return mdr_reader_no_memory(reader);
	if (strstr(context, "alias") != NULL)
		return mdr_reader_fail(reader, place, "aliases are not allowed; quote a text that begins with *");
	return mdr_reader_fail(reader, place, "%s%s%s", problem, *context ? " " : "", context);
}

/* What of YAML is not part of the format, or MDR_OK. */
static MdrStatus
refuse(MdrReader *reader, const yaml_event_t *event, uint32_t depth)
{
	MdrPlace	place = mark_place(event->start_mark);
	const yaml_char_t *anchor = NULL,
			   *tag = NULL;

	switch (event->type)
	{
		case YAML_ALIAS_EVENT:
			return mdr_reader_fail(reader, place, "aliases are not allowed; quote a text that begins with *");
		case YAML_SCALAR_EVENT:
			anchor = event->data.scalar.anchor;
			tag = event->data.scalar.tag;
			break;
		case YAML_SEQUENCE_START_EVENT:
			anchor = event->data.sequence_start.anchor;
			tag = event->data.sequence_start.tag;
			break;
		case YAML_MAPPING_START_EVENT:
			anchor = event->data.mapping_start.anchor;
			tag = event->data.mapping_start.tag;
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (event->data.document_start.version_directive != NULL
				|| event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end)
				return mdr_reader_fail(reader, place, "directives are not allowed");
			break;
		default:
			break;
	}
	if (anchor != NULL)
		return mdr_reader_fail(reader, place, "anchors are not allowed; quote a text that begins with &");
	if (tag != NULL)
		return mdr_reader_fail(reader, place, "tags are not allowed; quote a text that begins with !");
	if (depth > MDR_MAX_DEPTH)
		return mdr_reader_fail(reader, place, "nested more than %d deep", MDR_MAX_DEPTH);
	return MDR_OK;
}

/* Puts one event's node where it belongs.  open[0] holds the documents; open[depth] is the innermost open collection. */
static MdrStatus
take_event(MdrReader *reader, const yaml_event_t *event, MdrNode **open, uint32_t *depth)
{
	MdrNode    *node,
			   *parent = open[*depth];
	bool		opens = event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
	MdrStatus	status = refuse(reader, event, *depth + opens);

	if (status != MDR_OK)
		return status;
	switch (event->type)
	{
		case YAML_SCALAR_EVENT:
			node = new_node(reader, MDR_SCALAR, event);
			if (node != NULL)
			{
				node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
				node->length = (uint32_t) event->data.scalar.length;
				node->text = mdr_strndup(reader->scratch, (const char *) event->data.scalar.value, node->length);
			}
			if (node == NULL || node->text == NULL)
				return mdr_reader_no_memory(reader);
			if (memchr(node->text, 0, node->length) != NULL)
				return mdr_reader_fail(reader, node->place, "a zero byte is not allowed");
			break;
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			node = new_node(reader, event->type == YAML_MAPPING_START_EVENT ? MDR_MAPPING : MDR_SEQUENCE, event);
			if (node == NULL)
				return mdr_reader_no_memory(reader);
			open[++*depth] = node;
			break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			--*depth;
			return MDR_OK;
		default:
			return MDR_OK;
	}
	if (parent->kind == MDR_MAPPING && parent->nitems % 2 == 0 && node->kind != MDR_SCALAR)
		return mdr_reader_fail(reader, node->place, "a key must be text; quote a text that begins with { or [");
	if (!append(reader, parent, node))
		return mdr_reader_no_memory(reader);
	return MDR_OK;
}

MdrStatus
mdr_read_stream(MdrReader *reader, const char *document, size_t length)
{
	MdrNode		stream = {MDR_SEQUENCE};
	MdrNode    *open[MDR_MAX_DEPTH + 1] = {&stream};
	uint32_t	depth = 0;
	yaml_parser_t parser;
	bool		done = false;
	Input		input = {reader, document, length, false};
	MdrStatus	status = look_over(reader, document, length);

	if (status != MDR_OK)
		return status;
	if (!yaml_parser_initialize(&parser))
		return mdr_reader_no_memory(reader);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&parser, give, &input);
	while (status == MDR_OK && !done)
	{
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event))
		{
			status = input.stopped ? mdr_reader_stop(reader) : parser_failed(reader, &parser);
			break;
		}
		done = event.type == YAML_STREAM_END_EVENT;
		status = take_event(reader, &event, open, &depth);
		yaml_event_delete(&event);
		if (status == MDR_OK && mdr_reader_interrupted(reader))
			status = mdr_reader_stop(reader);
	}
	yaml_parser_delete(&parser);
	reader->documents = stream.items;
	reader->ndocuments = stream.nitems;
	return status;
}
