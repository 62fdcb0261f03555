/*
 * model_image.c
 *		Opens a model's block of bytes.
 *
 * What is looked over here is what a reading takes for granted: sizes and places of the sections, names that end.  What the sections
 * hold is not: a reading keeps to the table whatever stands in it (mdr_model_find() checks numbers of words and ends), and a damaged
 * weight is just a wrong number.  So opening takes a microsecond, however large the model is.
 *
 * Input: bytes.  Output: a model that points into them.  Locks: none.  Memory: none.  Errors: MDR_INVALID.
 */
#include "model/model_parts.h"

#define ALIGNMENT 64

/* Whether a section of so many items lies within the block, behind the header. */
static bool
lies_within(const MdrModelHeader *header, uint64_t offset, uint64_t count, uint64_t size)
{
	return offset >= sizeof(MdrModelHeader) && offset % ALIGNMENT == 0 && offset <= header->length
		&& count <= (header->length - offset) / size;
}

static const char *
fault_of(const MdrModelHeader *header, size_t length)
{
	if (memcmp(header->magic, MDR_MODEL_MAGIC, sizeof(header->magic)) != 0)
		return "this is no model";
	if (header->format != MDR_MODEL_FORMAT || header->byte_order != MDR_MODEL_BYTE_ORDER)
		return "the model is of another version or another kind of machine";
	if (header->length != length)
		return "the model is not as long as it says";
	if (header->nheads < 1 || header->nheads > MDR_MODEL_MAX_HEADS || header->ngroups > MDR_MAX_GROUPS || header->nwords > 0xFFFF
		|| header->row_bits < 10 || header->row_bits > 20 || header->index_bits < 1 || header->index_bits > 20 || header->phrase_bits < 1 || header->phrase_bits > 20)
		return "the model's sizes are out of range";
	if (!lies_within(header, header->rows, (uint64_t) 1 << header->row_bits, MDR_ROW_BYTES)
		|| !lies_within(header, header->index, (uint64_t) 1 << header->index_bits, sizeof(uint32_t))
		|| !lies_within(header, header->words, header->nwords, sizeof(MdrModelWord))
		|| !lies_within(header, header->phrases, ((uint64_t) 1 << (MDR_END_BITS - 7)) + ((uint64_t) 1 << header->phrase_bits),
						sizeof(MdrModelPhrase))
		|| !lies_within(header, header->groups, mdr_model_group_rows(header->ngroups), sizeof(float) * MDR_LANES))
		return "the model's sections are out of range";
	for (uint32_t head = 0; head < header->nheads; head++)
		if (header->names[head][0] == '\0' || memchr(header->names[head], '\0', sizeof(header->names[head])) == NULL)
			return "a head of the model has no name";
	return NULL;
}

MdrStatus
mdr_model_open(const void *bytes, size_t length, MdrModel *model, MdrError *error)
{
	const MdrModelHeader *header = bytes;
	const char *fault = length < sizeof(MdrModelHeader) ? "the model is cut" : (uintptr_t) bytes % 16 != 0 ? "the model is not aligned"
		: fault_of(header, length);

	if (fault != NULL)
		return mdr_fail(error, MDR_INVALID, 0, 0, "%s", fault);
	*model = (MdrModel)
	{
		header, length, -1
	};
	model->any = mdr_model_head(model, "any");
	return MDR_OK;
}

uint32_t
mdr_model_nheads(const MdrModel *model)
{
	return model->header->nheads;
}

const char *
mdr_model_head_name(const MdrModel *model, uint32_t head)
{
	return model->header->names[head];
}

int
mdr_model_head(const MdrModel *model, const char *name)
{
	for (uint32_t head = 0; head < model->header->nheads; head++)
		if (strcmp(model->header->names[head], name) == 0)
			return (int) head;
	return -1;
}

MdrTables
mdr_model_tables(const MdrModel *model)
{
	const MdrModelHeader *header = model->header;
	const char *base = (const char *) header;

	return (MdrTables)
	{
		.index = (const uint32_t *) (base + header->index),
			.words = (const MdrModelWord *) (base + header->words),
			.rows = (const int8_t *) (base + header->rows),
			.groups = (const float *) (base + header->groups),
			.phrase_ends = (const uint64_t *) (base + header->phrases),
			.phrases = (const MdrModelPhrase *) (base + header->phrases + ((size_t) 1 << (MDR_END_BITS - 3))),
			.nwords = header->nwords,
			.ngroups = header->ngroups,
			.index_shift = 64 - header->index_bits,
			.index_mask = ((uint32_t) 1 << header->index_bits) - 1,
			.phrase_shift = 64 - header->phrase_bits,
			.phrase_mask = ((uint32_t) 1 << header->phrase_bits) - 1,
			.row_shift = 64 - MDR_TAG_BITS - header->row_bits
	};
}
