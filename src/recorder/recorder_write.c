/*
 * recorder_write.c
 *		A record becomes rows of moderation.violation and moderation.evidence, and is noted in the ledger.
 *
 * In: a record; out: rows, in the current transaction.  Through SPI with saved plans whose text names everything with its
 * schema; no user code is run but what the owner of our tables put on them.  Locks: what INSERT takes.  Memory: the
 * caller's SPI context. Errors: raised; the caller's transaction decides.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "ledger/ledger.h"
#include "recorder/recorder_write.h"

#define VIOLATION \
	"INSERT INTO moderation.violation (violation_id, account, category, severity, action, score, policy, policy_version, " \
	"rules, relation, column_name, content_sha256, occurred_at, db_role, strike, suspend, counted) " \
	"VALUES ($1, $2, $3, $4, $5::moderation.action, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
#define EVIDENCE \
	"INSERT INTO moderation.evidence (violation_id, account, content, content_sha256, db_role, relation, column_name, " \
	"occurred_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
#define ONCE " ON CONFLICT DO NOTHING"
#define ENTRY(table) " RETURNING moderation.ledger_entry_sha256(" table ")"

static Oid	violation_types[] = {UUIDOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, FLOAT4OID, TEXTOID, INT4OID, TEXTARRAYOID, TEXTOID,
	TEXTOID, BYTEAOID, TIMESTAMPTZOID, TEXTOID, BOOLOID, BOOLOID, BOOLOID};
static Oid	evidence_types[] = {UUIDOID, TEXTOID, TEXTOID, BYTEAOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID};

static SPIPlanPtr
prepare(SPIPlanPtr *plan, const char *command, int count, Oid *types)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	fresh = SPI_prepare(command, count, types);

		if (fresh == NULL || SPI_keepplan(fresh) != 0)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		*plan = fresh;
	}
	return *plan;
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
bytes_datum(const uint8_t *bytes, int length)
{
	bytea	   *value = palloc(VARHDRSZ + length);

	SET_VARSIZE(value, VARHDRSZ + length);
	memcpy(VARDATA(value), bytes, length);
	return PointerGetDatum(value);
}

static Datum
rules_datum(const MdrRecord *record)
{
	Datum		rules[MDR_RECORD_RULES];

	for (uint32 i = 0; i < record->nrules; i++)
		rules[i] = CStringGetTextDatum(record->rules[i]);
	return PointerGetDatum(construct_array(rules, record->nrules, TEXTOID, -1, false, TYPALIGN_INT));
}

static uint64
insert(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	int			result = SPI_execute_plan(plan, values, nulls, false, 0);

	if (result != SPI_OK_INSERT && result != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(result));
	return SPI_processed;
}

/* Notes what insert() has just inserted, whose hash the statement returned. */
static void
note(MdrLedgerKind kind, const MdrRecord *record)
{
	bool		null;

	mdr_ledger_note(kind, record->account, (const pg_uuid_t *) record->violation_id,
					SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	SPI_freetuptable(SPI_tuptable);
}

static void
write_evidence(const MdrRecord *record, bool once, bool kept)
{
	static const char *const commands[2][2] = {{EVIDENCE, EVIDENCE ONCE}, {EVIDENCE ENTRY("evidence"), EVIDENCE ONCE ENTRY("evidence")}};
	static SPIPlanPtr plans[2][2];
	Datum		values[lengthof(evidence_types)];
	char		nulls[lengthof(evidence_types)];
	SPIPlanPtr	plan = prepare(&plans[kept][once], commands[kept][once], lengthof(evidence_types), evidence_types);

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum((pg_uuid_t *) record->violation_id);
	values[1] = text_or_null(record->account, &nulls[1]);
	values[2] = PointerGetDatum(cstring_to_text_with_len(record->content, record->content_length));
	values[3] = bytes_datum(record->content_sha256, sizeof(record->content_sha256));
	values[4] = text_or_null(record->db_role, &nulls[4]);
	values[5] = text_or_null(record->relation, &nulls[5]);
	values[6] = text_or_null(record->column, &nulls[6]);
	values[7] = TimestampTzGetDatum(record->occurred_at);
	if (insert(plan, values, nulls) > 0 && kept)
		note(MDR_LEDGER_EVIDENCE, record);
}

bool
mdr_write_record(const MdrRecord *record, bool counted, bool keep_content, bool once)
{
	static const char *const commands[2][2] = {{VIOLATION, VIOLATION ONCE}, {VIOLATION ENTRY("violation"), VIOLATION ONCE ENTRY("violation")}};
	static SPIPlanPtr plans[2][2];
	Datum		values[lengthof(violation_types)];
	char		nulls[lengthof(violation_types)];
	bool		kept = mdr_ledger_kept();
	SPIPlanPtr	plan = prepare(&plans[kept][once], commands[kept][once], lengthof(violation_types), violation_types);
	bool		inserted;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum((pg_uuid_t *) record->violation_id);
	values[1] = text_or_null(record->account, &nulls[1]);
	values[2] = text_or_null(record->category, &nulls[2]);
	values[3] = Int32GetDatum(record->severity);
	values[4] = CStringGetTextDatum(mdr_action_name(record->action));
	values[5] = Float4GetDatum(record->score);
	values[6] = text_or_null(record->policy, &nulls[6]);
	values[7] = Int32GetDatum(record->policy_version);
	values[8] = rules_datum(record);
	values[9] = text_or_null(record->relation, &nulls[9]);
	values[10] = text_or_null(record->column, &nulls[10]);
	values[11] = bytes_datum(record->content_sha256, sizeof(record->content_sha256));
	values[12] = TimestampTzGetDatum(record->occurred_at);
	values[13] = text_or_null(record->db_role, &nulls[13]);
	values[14] = BoolGetDatum(record->strike);
	values[15] = BoolGetDatum(record->suspend);
	values[16] = BoolGetDatum(counted);
	inserted = insert(plan, values, nulls) > 0;
	if (inserted && kept)
		note(MDR_LEDGER_VIOLATION, record);
	/* A violation that is there already may have been recorded without its evidence, when that was all that could be had. */
	if (record->content != NULL && keep_content)
		write_evidence(record, once, kept);
	return inserted;
}

void
mdr_log_record(const MdrRecord *record, const char *why)
{
	char		id[2 * 16 + 1];

	for (int i = 0; i < 16; i++)
		snprintf(id + 2 * i, 3, "%02x", record->violation_id[i]);
	ereport(LOG_SERVER_ONLY,
			(errmsg("moderation recorder: violation %s is not in the tables: %s", id, why),
			 errdetail("account \"%s\", category \"%s\", severity %d, action \"%s\", "
					   "policy \"%s\" version %d, relation %s, "
					   "column \"%s\", role \"%s\", occurred at %s.",
					   record->account ? record->account : "", record->category ? record->category : "", record->severity,
					   mdr_action_name(record->action), record->policy ? record->policy : "", record->policy_version,
					   record->relation ? record->relation : "", record->column ? record->column : "",
					   record->db_role ? record->db_role : "", timestamptz_to_str(record->occurred_at))));
}
