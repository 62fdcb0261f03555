/*
 * recorder_event.c
 *		Units of the recorder: what goes in comes out, and no bytes whatever make the reader go wrong.
 */
#define MDR_PURE
#include "../../src/recorder/recorder_event.c"

#include <stdlib.h>

#include "tap.h"

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_record(const MdrRecord *a, const MdrRecord *b)
{
	if (memcmp(a->violation_id, b->violation_id, 16) != 0 || memcmp(a->content_sha256, b->content_sha256, 32) != 0 ||
		a->occurred_at != b->occurred_at || a->severity != b->severity || a->action != b->action || a->score != b->score ||
		a->policy_version != b->policy_version || a->strike != b->strike || a->suspend != b->suspend ||
		a->has_ladder != b->has_ladder || a->nrules != b->nrules || a->content_length != b->content_length)
		return false;
	if (!same(a->account, b->account) || !same(a->category, b->category) || !same(a->policy, b->policy) ||
		!same(a->relation, b->relation) || !same(a->column, b->column) || !same(a->db_role, b->db_role))
		return false;
	if ((a->content == NULL) != (b->content == NULL) || (a->content && memcmp(a->content, b->content, a->content_length) != 0))
		return false;
	for (uint32_t i = 0; i < a->nrules; i++)
		if (!same(a->rules[i], b->rules[i]))
			return false;
	return !a->has_ladder || (a->ladder.in_a_row == b->ladder.in_a_row && a->ladder.within_count == b->ladder.within_count &&
							  a->ladder.within_period == b->ladder.within_period && a->ladder.nfreezes == b->ladder.nfreezes &&
							  a->ladder.memory == b->ladder.memory &&
							  memcmp(a->ladder.freezes, b->ladder.freezes, sizeof(a->ladder.freezes)) == 0);
}

/* Reads every record; true if the unit is whole and sane. */
static bool
read_all(const char *bytes, uint64_t length, MdrRecord *records, uint32_t *count)
{
	MdrUnit		unit;
	MdrRecord	record;
	bool		damaged;

	*count = 0;
	if (!mdr_unit_open(bytes, length, &unit))
		return false;
	while (mdr_unit_next(&unit, &record, &damaged))
	{
		if (records != NULL)
			records[*count] = record;
		(*count)++;
	}
	return !damaged;
}

/* Makes a damaged unit's CRC right, so that the reader's other checks are met. */
static void
forge(char *bytes, uint64_t length)
{
	put(bytes + CRC_AT, unit_crc(bytes, length), 4);
}

/* Touches all that was read, for the sanitizer's eyes. */
static unsigned long
use(const MdrRecord *record)
{
	const char *texts[] = {record->account, record->category, record->policy, record->relation, record->column, record->db_role};
	unsigned long sum = 0;

	for (int i = 0; i < 6; i++)
		sum += texts[i] ? strlen(texts[i]) : 0;
	for (uint32_t i = 0; i < record->nrules; i++)
		sum += strlen(record->rules[i]);
	for (uint32_t i = 0; i < record->content_length; i++)
		sum += (unsigned char) record->content[i];
	return sum;
}

static void
damage(const char *good, uint64_t length)
{
	unsigned long sum = 0;
	uint32_t	accepted = 0;
	uint32_t	count;
	bool		alone = true;

	srand(1);
	for (uint64_t at = 0; at < length; at++)
	{
		char	   *bytes = malloc(length);

		memcpy(bytes, good, length);
		bytes[at] ^= 1 << (at % 8);
		alone = alone && !read_all(bytes, length, NULL, &count);
		free(bytes);
	}
	ok(alone, "one wrong bit anywhere is noticed");

	for (uint64_t cut = 0; cut < length; cut++)
	{
		char	   *bytes = malloc(cut + 1);

		memcpy(bytes, good, cut);
		alone = alone && !read_all(bytes, cut, NULL, &count);
		free(bytes);
	}
	ok(alone, "a unit that is cut short is noticed");

	/* A right CRC does not make sense of nonsense; exact allocations let a sanitizer see every step too far. */
	for (int round = 0; round < 200000; round++)
	{
		uint64_t	keep = rand() % 4 ? length : MDR_UNIT_HEAD + rand() % (length - MDR_UNIT_HEAD);
		char	   *bytes = malloc(keep);
		MdrUnit		unit;
		MdrRecord	record;
		bool		damaged;

		memcpy(bytes, good, keep);
		for (int i = rand() % 4; i >= 0; i--)
			bytes[MDR_UNIT_HEAD - 12 + rand() % (keep - MDR_UNIT_HEAD + 12)] = (char) (rand() % 3 ? rand() : -(rand() % 2));
		put(bytes + 8, keep, 8);
		forge(bytes, keep);
		if (mdr_unit_open(bytes, keep, &unit))
		{
			while (mdr_unit_next(&unit, &record, &damaged))
				sum += use(&record);
			accepted += !damaged;
		}
		free(bytes);
	}
	ok(sum > 0 && accepted > 0, "nonsense with a right CRC is read without harm");
}

static void
resynchronise(const char *good, uint64_t length)
{
	char	   *file = malloc(3 * length);
	uint64_t	size = 0;
	uint64_t	at;
	uint32_t	count;

	memcpy(file, good, length - 7);
	size = length - 7;
	memcpy(file + size, good, length);
	size += length;
	ok(!read_all(file, size, NULL, &count), "a torn unit is no unit");
	at = mdr_unit_seek(file, 1, size);
	while (at < size && !read_all(file + at, size - at, NULL, &count))
		at = mdr_unit_seek(file, at + 1, size);
	ok(at == length - 7, "the next whole unit is found");
	ok(mdr_unit_seek(file, at + 1, size) == size, "and none after it");
	ok(mdr_unit_seek("MDR", 0, 3) == 3 && mdr_unit_seek("", 0, 0) == 0, "less than a magic is none");
	free(file);
}

int
main(void)
{
	static char content[70000];
	MdrRecord	records[3] = {0};
	MdrRecord	back[3];
	MdrUnit		unit;
	uint64_t	length;
	uint32_t	count;
	char	   *bytes;

	/* Check value of CRC-32C for "123456789". */
	ok(~crc_add(0xFFFFFFFF, "123456789", 9) == 0xE3069283, "the CRC is CRC-32C");

	memset(content, 'x', sizeof(content));
	content[5] = '\0';
	for (int i = 0; i < 3; i++)
	{
		memset(records[i].violation_id, 17 * i + 1, 16);
		memset(records[i].content_sha256, 255 - i, 32);
		records[i].occurred_at = -1234567890123456 * (i + 1);
		records[i].severity = i;
		records[i].action = MDR_REJECT - i;
		records[i].score = 0.25f * i;
		records[i].policy_version = INT32_MAX;
		records[i].strike = i == 1;
		records[i].suspend = i == 2;
		records[i].account = i == 0 ? NULL : i == 1 ? "" : "caf\xc3\xa9 \xff";
		records[i].category = "category";
		records[i].relation = "\"a b\".c";
		records[i].nrules = i * 8;
		for (uint32_t rule = 0; rule < records[i].nrules; rule++)
			records[i].rules[rule] = rule % 2 ? "rule.one" : "";
	}
	records[1].content = "";
	records[2].content = content;
	records[2].content_length = sizeof(content);
	records[2].has_ladder = true;
	records[2].ladder.in_a_row = 3;
	records[2].ladder.within_period = INT64_MAX;
	records[2].ladder.nfreezes = MDR_MAX_FREEZES;
	records[2].ladder.freezes[MDR_MAX_FREEZES - 1] = -1;

	length = mdr_unit_length(records, 3);
	bytes = malloc(length);
	mdr_unit_encode(MDR_UNIT_REFUSED, 4711, records, 3, bytes);
	ok(mdr_unit_head(bytes, length, &unit) && unit.length == length && unit.table == 4711 && unit.nrecords == 3 &&
		  unit.kind == MDR_UNIT_REFUSED, "the head says what the unit is");
	ok(read_all(bytes, length, back, &count) && count == 3, "a unit of three is read");
	ok(same_record(&records[0], &back[0]) && same_record(&records[1], &back[1]) && same_record(&records[2], &back[2]),
		  "what went in comes out");
	ok(!mdr_unit_head(bytes, MDR_UNIT_HEAD - 1, &unit), "less than a head is none");
	free(bytes);

	records[2].content_length = 20;
	records[2].nrules = 20;		/* more than are kept */
	length = mdr_unit_length(&records[1], 2);
	bytes = malloc(length);
	mdr_unit_encode(MDR_UNIT_REFUSED, 1, &records[1], 2, bytes);
	ok(read_all(bytes, length, back, &count) && count == 2 && back[1].nrules == MDR_RECORD_RULES, "only so many rules are kept");
	damage(bytes, length);
	resynchronise(bytes, length);
	free(bytes);

	return done();
}
