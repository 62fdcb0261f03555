/*
 * policy_learned.c
 *		The model that a site learned from its own decisions, as a document of the policy: read, and written.
 *
 *	model: learned
 *	categories: [hate, harassment]
 *	examples: 412				# decisions that it was learned from
 *	weights: "..."				# the model's bytes in base64 (RFC 4648, section 4), white space ignored
 *
 * What the bytes are is not this stage's business: the compiler opens them.
 *
 * Input: a node; a document and bytes of the caller.  Output: reader->policy->learned in reader->arena; a document in the caller's
 * arena.  Locks: none.  On error the MdrError says where and why.
 */
#include "policy/policy_node.h"

#include <stdio.h>
#include <string.h>

#define NFIELDS(fields) ((int) (sizeof(fields) / sizeof(fields[0])))
#define LINE_BYTES 90			/* that a line of weights holds: 120 characters */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A character's six bits; -1 when it has none. */
static int
six_bits(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at != NULL ? (int) (at - alphabet) : -1;
}

/* Decodes into bytes, which has room for three of every four characters.  How many there are, or SIZE_MAX when the text is not base64. */
static size_t
decode(const char *text, size_t length, char *bytes)
{
	uint32_t	bits = 0;
	int			held = 0,		/* characters of the four that make three bytes */
				padding = 0;
	size_t		n = 0;

	for (size_t i = 0; i < length; i++)
	{
		int			value = six_bits(text[i]);

		if (text[i] == ' ' || text[i] == '\n')
			continue;
		if (text[i] == '=' && held >= 2)
			padding++;
		else if (value < 0 || padding > 0)
			return SIZE_MAX;
		bits = bits << 6 | (value < 0 ? 0 : (uint32_t) value);
		if (++held < 4)
			continue;
		for (int b = 0; b < 3 - padding; b++)
			bytes[n++] = (char) (bits >> (16 - 8 * b));
		held = 0;
		if (padding > 0)
			return strspn(text + i + 1, " \n") == length - i - 1 ? n : SIZE_MAX;
	}
	return held == 0 ? n : SIZE_MAX;
}

static MdrStatus
read_weights(MdrReader *reader, const MdrNode *node, MdrLearned *learned)
{
	if (node->kind != MDR_SCALAR || node->length == 0)
		return mdr_reader_fail(reader, node->place, "weights must be text in base64");
	learned->bytes = mdr_alloc(reader->arena, node->length / 4 * 3 + 3);
	if (learned->bytes == NULL)
		return mdr_reader_no_memory(reader);
	learned->length = decode(node->text, node->length, learned->bytes);
	if (learned->length == SIZE_MAX || learned->length == 0)
		return mdr_reader_fail(reader, node->place, "weights must be text in base64");
	return MDR_OK;
}

static MdrStatus
read_learned_categories(MdrReader *reader, const MdrNode *node, MdrLearned *learned)
{
	const MdrPolicy *policy = reader->policy;
	MdrStatus	status = mdr_read_sequence(reader, node, "categories", MDR_MAX_CATEGORIES);

	if (status != MDR_OK)
		return status;
	if (node->nitems == 0)
		return mdr_reader_fail(reader, node->place, "categories is empty");
	learned->categories = mdr_alloc_array(reader->arena, node->nitems, sizeof(uint32_t));
	if (learned->categories == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		const MdrNode *item = node->items[i];
		const char *id;
		uint32_t	c = 0;

		status = mdr_read_string(reader, item, "item of categories", MDR_MAX_NAME, &id);
		if (status != MDR_OK)
			return status;
		while (c < policy->ncategories && strcmp(policy->categories[c].id, id) != 0)
			c++;
		if (c == policy->ncategories)
			return mdr_reader_fail(reader, item->place, "the head has no category \"%.60s\"", id);
		for (uint32_t j = 0; j < i; j++)
			if (learned->categories[j] == c)
				return mdr_reader_fail(reader, item->place, "category \"%s\" is named twice", id);
		learned->categories[learned->ncategories++] = c;
	}
	return MDR_OK;
}

bool
mdr_is_learned(const MdrNode *node)
{
	for (uint32_t i = 0; node->kind == MDR_MAPPING && i + 1 < node->nitems; i += 2)
		if (strcmp(node->items[i]->text, "model") == 0)
			return true;
	return false;
}

MdrStatus
mdr_read_learned(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrField	fields[] = {{"model", true}, {"categories", true}, {"examples", true}, {"weights", true}};
	MdrStatus	status = mdr_read_fields(reader, node, "a learned model", fields, NFIELDS(fields));
	MdrLearned *learned = &policy->learned;

	if (status == MDR_OK && (fields[0].value->kind != MDR_SCALAR || strcmp(fields[0].value->text, "learned") != 0))
		status = mdr_reader_fail(reader, fields[0].value->place, "model of a document after the head must be learned");
	if (status == MDR_OK && learned->bytes != NULL)
		status = mdr_reader_fail(reader, node->place, "there is a learned model already");
	learned->place = node->place;
	if (status == MDR_OK)
		status = read_learned_categories(reader, fields[1].value, learned);
	if (status == MDR_OK)
		status = mdr_read_integer(reader, fields[2].value, "examples", 1, INT64_C(999999999999), &learned->examples);
	return status == MDR_OK ? read_weights(reader, fields[3].value, learned) : status;
}

/* ---- writing ---- */

/* Where the line after the one at position begins. */
static size_t
next_line(const char *document, size_t length, size_t position)
{
	const char *newline = memchr(document + position, '\n', length - position);

	return newline != NULL ? (size_t) (newline - document) + 1 : length;
}

/* Whether a YAML document begins with this line. */
static bool
begins_document(const char *document, size_t length, size_t position)
{
	return length - position >= 3 && memcmp(document + position, "---", 3) == 0
		&& (length - position == 3 || strchr(" \t\r\n", document[position + 3]) != NULL);
}

/* The bytes of the YAML document that holds a line, with the line that begins it. */
static void
find_document(const char *document, size_t length, int line, size_t *start, size_t *end)
{
	size_t		position = 0;

	*start = 0;
	for (int i = 1; position < length; i++, position = next_line(document, length, position))
	{
		if (!begins_document(document, length, position))
			continue;
		if (i > line)
			break;
		*start = position;
	}
	*end = position;
}

/* Three bytes, or what is left of them, as four characters. */
static void
encode(const unsigned char *bytes, size_t left, char *out)
{
	uint32_t	bits = (uint32_t) bytes[0] << 16 | (left > 1 ? (uint32_t) bytes[1] << 8 : 0) | (left > 2 ? bytes[2] : 0);

	for (int i = 0; i < 4; i++)
		out[i] = left >= (size_t) i || i < 2 ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
}

/* Bytes that are written, or only counted while out is NULL. */
typedef struct Writer
{
	char	   *out;
	size_t		length;
} Writer;

static void
put(Writer *writer, const char *bytes, size_t length)
{
	if (writer->out != NULL)
		memcpy(writer->out + writer->length, bytes, length);
	writer->length += length;
}

static void
put_text(Writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

static void
put_learned(Writer *writer, const char *const *categories, uint32_t ncategories, int64_t examples, const char *bytes, size_t length)
{
	char		line[64];

	put_text(writer, "---\n# file: learned.yaml\nmodel: learned\ncategories: [");
	for (uint32_t i = 0; i < ncategories; i++)
	{
		put_text(writer, i > 0 ? ", " : "");
		put_text(writer, categories[i]);
	}
	snprintf(line, sizeof(line), "]\nexamples: %lld\nweights: \"", (long long) examples);
	put_text(writer, line);
	for (size_t i = 0; i < length; i += 3)
	{
		char		four[4];

		put_text(writer, i % LINE_BYTES == 0 ? "\n  " : "");
		encode((const unsigned char *) bytes + i, length - i, four);
		put(writer, four, sizeof(four));
	}
	put_text(writer, "\"\n");
}

MdrStatus
mdr_policy_with_learned(MdrArena *arena, const char *document, size_t length, const char *const *categories, uint32_t ncategories,
						int64_t examples, const char *bytes, size_t nbytes, char **out, size_t *out_length, MdrError *error)
{
	MdrArena   *scratch = mdr_arena_create(0);
	MdrPolicy  *policy = NULL;
	MdrStatus	status = scratch != NULL ? mdr_policy_parse(scratch, document, length, NULL, NULL, &policy, error)
		: mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	size_t		start = length,
				end = length;
	Writer		writer = {NULL, 0};

	*out = NULL;
	*out_length = 0;
	if (status == MDR_OK && policy->learned.bytes != NULL)
		find_document(document, length, policy->learned.place.line, &start, &end);
	if (nbytes > 0)
		put_learned(&writer, categories, ncategories, examples, bytes, nbytes);
	if (status == MDR_OK)
	{
		*out = mdr_alloc(arena, length - (end - start) + writer.length + 1);
		if (*out == NULL)
			status = mdr_fail(error, MDR_NO_MEMORY, 0, 0, "out of memory");
	}
	if (status == MDR_OK)
	{
		writer = (Writer) {*out, 0};
		put(&writer, document, start);
		put(&writer, document + end, length - end);
		if (writer.length > 0 && (*out)[writer.length - 1] != '\n')
			put_text(&writer, "\n");
		if (nbytes > 0)
			put_learned(&writer, categories, ncategories, examples, bytes, nbytes);
		*out_length = writer.length;
	}
	mdr_arena_destroy(scratch);
	return status;
}
