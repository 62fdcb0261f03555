/*
 * fuzz_event.c
 *		The recorder's events: bytes of any kind are read without harm, and what is written is read back.
 *
 * The input is read as it is; as a unit whose length and CRC were put right, which lets the reader's other checks be met; and as
 * instructions for making records.
 */
#define MDR_PURE
#include "../../src/recorder/recorder_event.c"

#include "fuzz.h"

#define MOST 4					/* records made */

static volatile unsigned long sink;

static void
use_text(const char *text)
{
	if (text != NULL)
		sink += strlen(text);
}

/* Touches all that was read, for the sanitizers' eyes. */
static void
use_record(const MdrRecord *record)
{
	require(record->action >= MDR_ALLOW && record->action <= MDR_REJECT, "an action is one of ours");
	require(record->nrules <= MDR_RECORD_RULES, "there are no more rules than fit");
	require(!record->has_ladder || (record->ladder.nfreezes >= 0 && record->ladder.nfreezes <= MDR_MAX_FREEZES),
			"there are no more freezes than fit");
	use_text(record->account);
	use_text(record->category);
	use_text(record->policy);
	use_text(record->relation);
	use_text(record->column);
	use_text(record->db_role);
	for (uint32_t i = 0; i < record->nrules; i++)
		use_text(record->rules[i]);
	for (uint32_t i = 0; i < record->content_length; i++)
		sink += (unsigned char) record->content[i];
	require(record->content == NULL || record->content[record->content_length] == '\0', "content ends with a zero");
}

/* Reads what claims to be a unit; when it is one, writing it again gives as many bytes and the same records. */
static void
read_unit(const char *bytes, uint64_t available)
{
	MdrUnit		unit;
	MdrRecord	record;
	bool		damaged;
	uint32_t	n = 0;

	if (!mdr_unit_open(bytes, available, &unit))
		return;
	require(unit.length <= available && unit.length >= MDR_UNIT_HEAD, "a unit lies in what is available");
	while (mdr_unit_next(&unit, &record, &damaged))
	{
		uint64_t	length = mdr_unit_length(&record, 1);
		char	   *again = allocate(length);
		MdrUnit		second;
		MdrRecord	back;

		use_record(&record);
		mdr_unit_encode(unit.kind, unit.table, &record, 1, again);
		require(mdr_unit_open(again, length, &second) && mdr_unit_next(&second, &back, &damaged), "what was read can be written");
		require(back.content_length == record.content_length && back.nrules == record.nrules &&
				memcmp(&back.ladder, &record.ladder, sizeof(back.ladder)) == 0 && back.severity == record.severity,
				"what is written again is the same");
		require(!mdr_unit_next(&second, &back, &damaged) && !damaged, "a unit of one ends after one");
		free(again);
		n++;
	}
	require(n <= unit.nrecords && (damaged || n == unit.nrecords), "a whole unit has as many records as it says");
}

/* Every place where a unit may begin, in order. */
static void
seek(const char *bytes, uint64_t available)
{
	uint64_t	at = 0;

	while ((at = mdr_unit_seek(bytes, at, available)) < available)
	{
		MdrUnit		unit;

		require(available - at >= 4 && memcmp(bytes + at, "MDRu", 4) == 0, "a unit begins with its magic");
		if (mdr_unit_head(bytes + at, available - at, &unit))
			read_unit(bytes + at, available - at);
		at++;
	}
	require(at == available, "the end is what is available");
}

static const char *
make_text(Input *input)
{
	uint8_t		length = (uint8_t) take(input, 1);
	char	   *text;

	if (length == 255)
		return NULL;
	text = allocate(length + (size_t) 1);
	for (uint8_t i = 0; i < length; i++)
	{
		text[i] = (char) take(input, 1);
		if (text[i] == '\0')
			text[i] = 'x';
	}
	text[length] = '\0';
	return text;
}

static void
make_record(Input *input, MdrRecord *record)
{
	uint64_t	flags = take(input, 1);

	memset(record->violation_id, (int) take(input, 1), sizeof(record->violation_id));
	memset(record->content_sha256, (int) take(input, 1), sizeof(record->content_sha256));
	record->occurred_at = (int64_t) take(input, 8);
	record->severity = (int) take(input, 4);
	record->action = (int) (take(input, 1) % (MDR_REJECT + 1));
	record->policy_version = (int) take(input, 4);
	record->strike = flags & 1;
	record->suspend = flags >> 1 & 1;
	record->has_ladder = flags >> 2 & 1;
	record->account = make_text(input);
	record->category = make_text(input);
	record->policy = make_text(input);
	record->relation = make_text(input);
	record->column = make_text(input);
	record->db_role = make_text(input);
	record->content = make_text(input);
	record->content_length = record->content == NULL ? 0 : (uint32_t) strlen(record->content);
	record->nrules = (uint32_t) (flags >> 3);	/* up to 31: more than are kept */
	for (uint32_t i = 0; i < record->nrules && i < MDR_RECORD_RULES; i++)
		if ((record->rules[i] = make_text(input)) == NULL)
			record->rules[i] = exact_copy("", 1);
	if (record->has_ladder)
		record->ladder = (MdrLadder) {.in_a_row = (int) take(input, 4), .within_period = (int64_t) take(input, 8),
			.nfreezes = (int) (take(input, 1) % (MDR_MAX_FREEZES + 1)), .memory = (int64_t) take(input, 8)};
}

static void
free_record(MdrRecord *record)
{
	free((void *) record->account);
	free((void *) record->category);
	free((void *) record->policy);
	free((void *) record->relation);
	free((void *) record->column);
	free((void *) record->db_role);
	free((void *) record->content);
	for (uint32_t i = 0; i < record->nrules && i < MDR_RECORD_RULES; i++)
		free((void *) record->rules[i]);
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Records made from the input are read as they were written. */
static void
write_and_read(Input input)
{
	MdrRecord	records[MOST] = {0};
	uint32_t	n = (uint32_t) (take(&input, 1) % (MOST + 1));
	uint64_t	length;
	char	   *bytes;
	MdrUnit		unit;
	MdrRecord	record;
	bool		damaged;

	for (uint32_t i = 0; i < n; i++)
		make_record(&input, &records[i]);
	length = mdr_unit_length(records, n);
	bytes = allocate(length);
	mdr_unit_encode(MDR_UNIT_REFUSED, 7, records, n, bytes);
	require(mdr_unit_open(bytes, length, &unit) && unit.length == length, "what was written is a unit of the length said");
	for (uint32_t i = 0; i < n; i++)
	{
		const MdrRecord *made = &records[i];

		require(mdr_unit_next(&unit, &record, &damaged), "every record is read");
		use_record(&record);
		require(same(record.account, made->account) && same(record.category, made->category) && same(record.policy, made->policy) &&
				same(record.relation, made->relation) && same(record.column, made->column) && same(record.db_role, made->db_role) &&
				same(record.content, made->content) && record.content_length == made->content_length, "texts are read as written");
		require(record.occurred_at == made->occurred_at && record.severity == made->severity && record.action == made->action &&
				record.policy_version == made->policy_version && record.strike == made->strike && record.suspend == made->suspend &&
				record.has_ladder == made->has_ladder && record.ladder.memory == made->ladder.memory &&
				record.ladder.in_a_row == made->ladder.in_a_row, "numbers are read as written");
		require(record.nrules == (made->nrules < MDR_RECORD_RULES ? made->nrules : MDR_RECORD_RULES), "as many rules as are kept");
		for (uint32_t r = 0; r < record.nrules; r++)
			require(same(record.rules[r], made->rules[r]), "rules are read as written");
	}
	require(!mdr_unit_next(&unit, &record, &damaged) && !damaged, "and nothing more");
	free(bytes);
	for (uint32_t i = 0; i < n; i++)
		free_record(&records[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *bytes = exact_copy(data, size);

	seek(bytes, size);
	if (size >= MDR_UNIT_HEAD)
	{
		memcpy(bytes, MAGIC, MAGIC_LENGTH);
		put(bytes + MAGIC_LENGTH, VERSION, 2);
		put(bytes + MAGIC_LENGTH + 2, 1 + (uint8_t) bytes[MAGIC_LENGTH + 2] % 2, 2);
		put(bytes + 8, size, 8);
		put(bytes + CRC_AT, unit_crc(bytes, size), 4);
		read_unit(bytes, size);
	}
	free(bytes);
	write_and_read((Input) {data, data + size});
	return 0;
}
