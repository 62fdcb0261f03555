/*
 * model_image.c
 *		Damaged models: what is out of place is refused; what is not can be read with, and no reading leaves the block.
 */
#include "model.h"

#include <stddef.h>

static MdrModel good;
static MdrText texts[3];
static unsigned readings;

/* Opens a copy that may be damaged, in memory of its own so that a sanitizer sees its ends, and reads with it. */
static MdrStatus
open_and_read(const char *bytes, size_t length)
{
	char	   *copy = aligned_alloc(64, (length + 63) / 64 * 64);
	MdrModel	model;
	MdrError	error = {0};
	MdrStatus	status;

	memcpy(copy, bytes, length);
	status = mdr_model_open(copy, length, &model, &error);
	for (int i = 0; status == MDR_OK && i < 3; i++)
	{
		MdrReading	reading;
		float		score = 0;

		mdr_model_start(&reading);
		mdr_model_read(&model, &texts[i], &reading);
		for (uint32_t head = 0; head < mdr_model_nheads(&model); head++)
		{
			score = mdr_model_score(&model, &reading, head);
			if (!(score >= 0 && score <= 1) || reading.end[head] > texts[i].length || mdr_model_head_name(&model, head)[0] == '\0')
				status = MDR_BROKEN;
		}
		readings++;
	}
	if (status == MDR_INVALID && error.message[0] == '\0')
		status = MDR_BROKEN;
	free(copy);
	return status;
}

static void
damaged(void)
{
	size_t		length = good.length;
	char	   *bytes = malloc(length + 64);
	unsigned	broken = 0,
				refused = 0;

	memcpy(bytes, good.header, length);
	for (size_t i = 0; i < sizeof(MdrModelHeader); i++)
		for (unsigned bit = 0; bit < 8; bit += 3)
		{
			MdrStatus	status;

			bytes[i] ^= 1 << bit;
			status = open_and_read(bytes, length);
			broken += status == MDR_BROKEN;
			refused += status == MDR_INVALID;
			bytes[i] ^= 1 << bit;
		}
	ok(broken == 0 && refused > 100, "a header with a damaged bit is refused (%u) or does no harm", refused);
	broken = 0;
	for (unsigned round = 0; round < 400; round++)
	{
		for (unsigned i = 0; i < 200; i++)
		{
			size_t		at = sizeof(MdrModelHeader) + roll((uint32_t) (length - sizeof(MdrModelHeader)));

			bytes[at] = roll(4) == 0 ? (char) 0xFF : (char) roll(256);
		}
		broken += open_and_read(bytes, length) != MDR_OK;
	}
	ok(broken == 0, "damaged sections are read with");
	memset(bytes + good.header->index, 0xFF, good.header->words - good.header->index);
	ok(open_and_read(bytes, length) == MDR_OK, "an index that is full and points nowhere is read with");
	for (uint32_t i = 0; i < 1u << good.header->index_bits; i++)
		((uint32_t *) (bytes + good.header->index))[i] = i << 16 | 1;
	ok(open_and_read(bytes, length) == MDR_OK, "an index that points to one word is read with");
	free(bytes);
}

/* Sets a number of the header and tells whether that is refused. */
static bool
refuses(size_t offset, uint64_t value, size_t size)
{
	char	   *bytes = malloc(good.length);
	bool		refused;

	memcpy(bytes, good.header, good.length);
	memcpy(bytes + offset, &value, size);
	refused = open_and_read(bytes, good.length) == MDR_INVALID;
	free(bytes);
	return refused;
}

#define REFUSES(field, value) refuses(offsetof(MdrModelHeader, field), value, sizeof(good.header->field))

static void
out_of_range(void)
{
	char	   *bytes = malloc(good.length + 64);
	unsigned	opened = 0;
	MdrModel	model;

	ok(REFUSES(nheads, 0) && REFUSES(nheads, MDR_MODEL_MAX_HEADS + 1), "numbers of heads out of range");
	ok(REFUSES(row_bits, 9) && REFUSES(row_bits, 21) && REFUSES(row_bits, 18), "numbers of rows out of range");
	ok(REFUSES(index_bits, 0) && REFUSES(index_bits, 21) && REFUSES(index_bits, 20), "sizes of the index out of range");
	ok(REFUSES(nwords, 0x10000) && REFUSES(nwords, 0xFFFF) && REFUSES(ngroups, 33), "numbers of words and groups out of range");
	ok(REFUSES(rows, 0) && REFUSES(rows, good.length) && REFUSES(rows, UINT64_MAX - 63) && REFUSES(index, good.length + 64)
	   && REFUSES(words, good.header->words + 8) && REFUSES(groups, good.length), "places of sections out of range");
	ok(REFUSES(length, good.length + 64) && REFUSES(format, 99) && REFUSES(byte_order, 0x04030201), "another length, format or machine");
	memcpy(bytes + 8, good.header, good.length);
	ok(mdr_model_open(bytes + 8, good.length, &model, NULL) == MDR_INVALID || ((uintptr_t) bytes + 8) % 16 == 0,
	   "a block that is not aligned is refused");
	for (size_t i = 0; i < good.length; i += 1 + good.length / 500)
		opened += open_and_read((const char *) good.header, i) == MDR_OK;
	ok(opened == 0, "a block that is cut is refused");
	free(bytes);
}

int
main(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	const MdrModel *built_in = mdr_model_built_in();

	good = make_model(arena);
	texts[0] = fold(arena, "how can i make a b0mb and kill with p o i s o n, please? xylophone qwertyuiop 12345 k!ll");
	texts[1] = fold(arena, "我要怎么做炸 弹和毒药。音乐 花园 \xf0\x9f\x98\x80");
	texts[2] = fold(arena, "write about the music in my garden");
	ok(open_and_read((const char *) good.header, good.length) == MDR_OK, "a good model opens");
	damaged();
	out_of_range();
	ok(readings > 1000, "%u readings with damaged models", readings);
	ok(built_in != NULL && mdr_model_head(built_in, "any") >= 0 && mdr_model_head(built_in, "hate") >= 0
	   && mdr_model_head(built_in, "nothing") < 0 && built_in == mdr_model_built_in(), "the library has a model");
	mdr_arena_destroy(arena);
	return done();
}
