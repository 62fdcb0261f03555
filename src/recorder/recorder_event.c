/*
 * recorder_event.c
 *		Violations <-> bytes.
 *
 * In: records, or bytes of unknown origin.  Out: bytes, or records that point into them.  Takes no locks, allocates nothing,
 * raises nothing: nonsense comes back as false.  Every number is little-endian; a string is its length including a
 * terminating zero (0 = NULL), its bytes and the zero, so that a decoded string can be used where it lies.
 *
 * Head, 32 bytes: magic 4, version 2, kind 2, length 8, table 4, records 4, reserved 4, CRC 4 (of all other bytes).
 */
#ifndef MDR_PURE				/* unit tests and fuzzers build this file alone */
#include "postgres.h"
#endif

#include <string.h>

#include "recorder/recorder_event.h"

#define MAGIC "MDRu"
#define MAGIC_LENGTH 4
#define VERSION 1
#define CRC_AT 28
#define FIXED (16 + 8 + 4 + 4 + 4 + 4 + 1 + 32)	/* of a record, before its strings */
#define LADDER (4 + 4 + 8 + 8 * MDR_MAX_FREEZES + 4 + 8)
#define SMALLEST_RECORD (FIXED + 6 * 4 + 4 + 1)

enum
{
	FLAG_STRIKE = 1,
	FLAG_SUSPEND = 2,
	FLAG_LADDER = 4
};

/* CRC-32C (Castagnoli), reflected, as in RFC 3720 appendix B.4; eight table look-ups for eight bytes ("slicing by 8"). */
static uint32_t crc_table[8][256];
static bool crc_ready;

static void
crc_prepare(void)
{
	for (uint32_t i = 0; i < 256; i++)
	{
		uint32_t	value = i;

		for (int bit = 0; bit < 8; bit++)
			value = (value >> 1) ^ ((value & 1) ? 0x82F63B78 : 0);
		crc_table[0][i] = value;
	}
	for (int slice = 1; slice < 8; slice++)
		for (int i = 0; i < 256; i++)
			crc_table[slice][i] = (crc_table[slice - 1][i] >> 8) ^ crc_table[0][crc_table[slice - 1][i] & 0xFF];
	crc_ready = true;
}

static uint32_t
crc_add(uint32_t crc, const char *bytes, uint64_t length)
{
	const uint8_t *next = (const uint8_t *) bytes;

	if (!crc_ready)
		crc_prepare();
	for (; length >= 8; length -= 8, next += 8)
	{
		uint32_t	low = crc ^ ((uint32_t) next[0] | (uint32_t) next[1] << 8 | (uint32_t) next[2] << 16 | (uint32_t) next[3] << 24);

		crc = crc_table[7][low & 0xFF] ^ crc_table[6][(low >> 8) & 0xFF] ^ crc_table[5][(low >> 16) & 0xFF] ^
			crc_table[4][low >> 24] ^ crc_table[3][next[4]] ^ crc_table[2][next[5]] ^ crc_table[1][next[6]] ^ crc_table[0][next[7]];
	}
	while (length-- > 0)
		crc = (crc >> 8) ^ crc_table[0][(crc ^ *next++) & 0xFF];
	return crc;
}

/* Of everything but the CRC itself. */
static uint32_t
unit_crc(const char *bytes, uint64_t length)
{
	uint32_t	crc = crc_add(0xFFFFFFFF, bytes, CRC_AT);

	return ~crc_add(crc, bytes + MDR_UNIT_HEAD, length - MDR_UNIT_HEAD);
}

static char *
put(char *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*to++ = (char) (value >> (8 * i));
	return to;
}

static uint64_t
get(const char **from, int bytes)
{
	uint64_t	value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64_t) (uint8_t) (*from)[i] << (8 * i);
	*from += bytes;
	return value;
}

static uint64_t
string_length(const char *text)
{
	return text == NULL ? 4 : 4 + strlen(text) + 1;
}

static char *
put_bytes(char *to, const char *text, uint64_t length)
{
	if (text == NULL)
		return put(to, 0, 4);
	to = put(to, length + 1, 4);
	memcpy(to, text, length);
	to[length] = '\0';
	return to + length + 1;
}

static char *
put_string(char *to, const char *text)
{
	return put_bytes(to, text, text == NULL ? 0 : strlen(text));
}

static uint32_t
kept_rules(const MdrRecord *record)
{
	return record->nrules < MDR_RECORD_RULES ? record->nrules : MDR_RECORD_RULES;
}

uint64_t
mdr_unit_length(const MdrRecord *records, uint32_t nrecords)
{
	uint64_t	length = MDR_UNIT_HEAD;

	for (uint32_t i = 0; i < nrecords; i++)
	{
		const MdrRecord *record = &records[i];

		length += FIXED + string_length(record->account) + string_length(record->category) + string_length(record->policy) +
			string_length(record->relation) + string_length(record->column) + string_length(record->db_role);
		length += record->content == NULL ? 4 : 4 + (uint64_t) record->content_length + 1;
		length += 1;
		for (uint32_t rule = 0; rule < kept_rules(record); rule++)
			length += string_length(record->rules[rule]);
		if (record->has_ladder)
			length += LADDER;
	}
	return length;
}

static char *
put_ladder(char *to, const MdrLadder *ladder)
{
	to = put(to, (uint32_t) ladder->in_a_row, 4);
	to = put(to, (uint32_t) ladder->within_count, 4);
	to = put(to, (uint64_t) ladder->within_period, 8);
	for (int i = 0; i < MDR_MAX_FREEZES; i++)
		to = put(to, (uint64_t) ladder->freezes[i], 8);
	to = put(to, (uint32_t) ladder->nfreezes, 4);
	return put(to, (uint64_t) ladder->memory, 8);
}

static char *
put_record(char *to, const MdrRecord *record)
{
	uint32_t	score;

	memcpy(&score, &record->score, 4);
	memcpy(to, record->violation_id, 16);
	to = put(to + 16, (uint64_t) record->occurred_at, 8);
	to = put(to, (uint32_t) record->severity, 4);
	to = put(to, (uint32_t) record->action, 4);
	to = put(to, score, 4);
	to = put(to, (uint32_t) record->policy_version, 4);
	to = put(to, (record->strike ? FLAG_STRIKE : 0) | (record->suspend ? FLAG_SUSPEND : 0) |
			 (record->has_ladder ? FLAG_LADDER : 0), 1);
	memcpy(to, record->content_sha256, 32);
	to += 32;
	to = put_string(to, record->account);
	to = put_string(to, record->category);
	to = put_string(to, record->policy);
	to = put_string(to, record->relation);
	to = put_string(to, record->column);
	to = put_string(to, record->db_role);
	to = put_bytes(to, record->content, record->content_length);
	to = put(to, kept_rules(record), 1);
	for (uint32_t rule = 0; rule < kept_rules(record); rule++)
		to = put_string(to, record->rules[rule]);
	return record->has_ladder ? put_ladder(to, &record->ladder) : to;
}

void
mdr_unit_encode(MdrUnitKind kind, uint32_t table, const MdrRecord *records, uint32_t nrecords, char *bytes)
{
	char	   *to = bytes + MDR_UNIT_HEAD;
	uint64_t	length;

	for (uint32_t i = 0; i < nrecords; i++)
		to = put_record(to, &records[i]);
	length = to - bytes;

	memcpy(bytes, MAGIC, MAGIC_LENGTH);
	to = put(bytes + MAGIC_LENGTH, VERSION, 2);
	to = put(to, kind, 2);
	to = put(to, length, 8);
	to = put(to, table, 4);
	to = put(to, nrecords, 4);
	to = put(to, 0, 4);
	put(to, unit_crc(bytes, length), 4);
}

bool
mdr_unit_head(const char *bytes, uint64_t available, MdrUnit *unit)
{
	const char *from = bytes + MAGIC_LENGTH;
	uint64_t	kind;

	memset(unit, 0, sizeof(*unit));
	if (available < MDR_UNIT_HEAD || memcmp(bytes, MAGIC, MAGIC_LENGTH) != 0 || get(&from, 2) != VERSION)
		return false;
	kind = get(&from, 2);
	unit->kind = (MdrUnitKind) kind;
	unit->length = get(&from, 8);
	unit->table = (uint32_t) get(&from, 4);
	unit->nrecords = (uint32_t) get(&from, 4);
	if (kind != MDR_UNIT_REFUSED && kind != MDR_UNIT_CLEAN)
		return false;
	/* No sum that could overflow: every record needs its smallest size. */
	return unit->length >= MDR_UNIT_HEAD && unit->nrecords <= (unit->length - MDR_UNIT_HEAD) / SMALLEST_RECORD;
}

bool
mdr_unit_open(const char *bytes, uint64_t available, MdrUnit *unit)
{
	const char *from = bytes + CRC_AT;

	if (!mdr_unit_head(bytes, available, unit) || unit->length > available)
		return false;
	if (get(&from, 4) != unit_crc(bytes, unit->length))
		return false;
	unit->next = bytes + MDR_UNIT_HEAD;
	unit->end = bytes + unit->length;
	unit->left = unit->nrecords;
	return true;
}

/* *text is NULL for NULL.  A zero inside is allowed only where *length is asked for. */
static bool
get_string(MdrUnit *unit, const char **text, uint32_t *length)
{
	uint64_t	size;

	if (unit->end - unit->next < 4)
		return false;
	size = get(&unit->next, 4);
	*text = NULL;
	if (length != NULL)
		*length = 0;
	if (size == 0)
		return true;
	if (size > (uint64_t) (unit->end - unit->next) || unit->next[size - 1] != '\0')
		return false;
	if (length == NULL && memchr(unit->next, '\0', size - 1) != NULL)
		return false;
	*text = unit->next;
	if (length != NULL)
		*length = (uint32_t) (size - 1);
	unit->next += size;
	return true;
}

static bool
get_ladder(MdrUnit *unit, MdrLadder *ladder)
{
	if (unit->end - unit->next < LADDER)
		return false;
	ladder->in_a_row = (int32_t) get(&unit->next, 4);
	ladder->within_count = (int32_t) get(&unit->next, 4);
	ladder->within_period = (int64_t) get(&unit->next, 8);
	for (int i = 0; i < MDR_MAX_FREEZES; i++)
		ladder->freezes[i] = (int64_t) get(&unit->next, 8);
	ladder->nfreezes = (int32_t) get(&unit->next, 4);
	ladder->memory = (int64_t) get(&unit->next, 8);
	return ladder->nfreezes >= 0 && ladder->nfreezes <= MDR_MAX_FREEZES;
}

static bool
get_record(MdrUnit *unit, MdrRecord *record)
{
	uint32_t	score;
	int			flags;

	memset(record, 0, sizeof(*record));
	if (unit->end - unit->next < SMALLEST_RECORD)
		return false;
	memcpy(record->violation_id, unit->next, 16);
	unit->next += 16;
	record->occurred_at = (int64_t) get(&unit->next, 8);
	record->severity = (int32_t) get(&unit->next, 4);
	record->action = (int32_t) get(&unit->next, 4);
	score = (uint32_t) get(&unit->next, 4);
	memcpy(&record->score, &score, 4);
	record->policy_version = (int32_t) get(&unit->next, 4);
	flags = (int) get(&unit->next, 1);
	record->strike = (flags & FLAG_STRIKE) != 0;
	record->suspend = (flags & FLAG_SUSPEND) != 0;
	record->has_ladder = (flags & FLAG_LADDER) != 0;
	memcpy(record->content_sha256, unit->next, 32);
	unit->next += 32;
	if (record->action < MDR_ALLOW || record->action > MDR_REJECT)
		return false;
	if (!get_string(unit, &record->account, NULL) || !get_string(unit, &record->category, NULL) ||
		!get_string(unit, &record->policy, NULL) || !get_string(unit, &record->relation, NULL) ||
		!get_string(unit, &record->column, NULL) || !get_string(unit, &record->db_role, NULL) ||
		!get_string(unit, &record->content, &record->content_length))
		return false;
	if (unit->next == unit->end)
		return false;
	record->nrules = (uint32_t) get(&unit->next, 1);
	if (record->nrules > MDR_RECORD_RULES)
		return false;
	for (uint32_t rule = 0; rule < record->nrules; rule++)
		if (!get_string(unit, &record->rules[rule], NULL) || record->rules[rule] == NULL)
			return false;
	return !record->has_ladder || get_ladder(unit, &record->ladder);
}

bool
mdr_unit_next(MdrUnit *unit, MdrRecord *record, bool *damaged)
{
	*damaged = false;
	if (unit->left == 0)
	{
		*damaged = unit->next != unit->end;
		return false;
	}
	if (!get_record(unit, record))
	{
		*damaged = true;
		return false;
	}
	unit->left--;
	return true;
}

uint64_t
mdr_unit_seek(const char *bytes, uint64_t from, uint64_t available)
{
	while (from + MAGIC_LENGTH <= available)
	{
		const char *found = memchr(bytes + from, MAGIC[0], available - from - (MAGIC_LENGTH - 1));

		if (found == NULL)
			break;
		if (memcmp(found, MAGIC, MAGIC_LENGTH) == 0)
			return found - bytes;
		from = found - bytes + 1;
	}
	return available;
}
