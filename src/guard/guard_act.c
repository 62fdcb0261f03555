/*
 * guard_act.c
 *		What follows from the verdicts on a row: events for the recorder, the refusal, the quarantine, the mask.
 *
 * The error that refuses names the clause and nothing of the content or the rule.  An event is recorded before it is
 * raised.
 *
 * Locks: RowExclusiveLock on moderation.quarantine for a diverted row; what the recorder takes.  The owner's rights are
 * used for that insert alone; turning a row into jsonb may run casts of the table's own types, and so runs as the
 * caller.
 *
 * Memory: the current context, which is the row's.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "guard/guard.h"
#include "server/server.h"
#include "server/server_inject.h"

#define UNKNOWN_CATEGORY "unknown"
#define MAX_EVENT_RULES 16

/* The category that decides, or -1 when the content could not be scanned and nothing that was found is as grave as that. */
static int
deciding_category(const MdrScanned *scanned)
{
	const MdrVerdict *verdict = &scanned->verdict;

	if (verdict->category < 0)
		return -1;
	if (verdict->status == MDR_UNKNOWN && verdict->categories[verdict->category].action < scanned->action)
		return -1;
	return verdict->category;
}

static void
hash_content(const MdrContent *content, uint8 *sha256)
{
	const char *utf8;
	int			length;
	char	   *text = mdr_content_text(content, &length);
	pg_cryptohash_ctx *hash;
	bool		failed;

	mdr_to_utf8(text, length, &utf8, &length);
	hash = pg_cryptohash_create(PG_SHA256);
	failed = hash == NULL || pg_cryptohash_init(hash) < 0 || !mdr_hash_bytes(hash, utf8, length) ||
		pg_cryptohash_final(hash, sha256, PG_SHA256_DIGEST_LENGTH) < 0;
	if (hash != NULL)
		pg_cryptohash_free(hash);
	if (failed)
		elog(ERROR, "could not hash");
}

/* The rules that fired, surest first, each once. */
static void
list_rules(const MdrRow *row, const MdrVerdict *verdict, MdrEvent *event)
{
	uint32		rules[MAX_EVENT_RULES];
	float		scores[MAX_EVENT_RULES];
	int			n = 0;

	for (uint32 i = 0; i < verdict->nfindings; i++)
	{
		const MdrFinding *finding = &verdict->findings[i];
		int			at;

		if (finding->score <= 0)
			continue;
		for (at = 0; at < n && rules[at] != finding->rule; at++)
			;
		if (at < n && scores[at] >= finding->score)
			continue;
		if (at == n)
		{
			if (n == MAX_EVENT_RULES && scores[n - 1] >= finding->score)
				continue;
			if (n < MAX_EVENT_RULES)
				n++;
			at = n - 1;
		}
		for (; at > 0 && scores[at - 1] < finding->score; at--)
		{
			rules[at] = rules[at - 1];
			scores[at] = scores[at - 1];
		}
		rules[at] = finding->rule;
		scores[at] = finding->score;
	}

	event->nrules = n;
	event->rules = palloc(Max(n, 1) * sizeof(char *));
	for (int i = 0; i < n; i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(row->live->engine, rules[i], &rule);
		event->rules[i] = mdr_from_utf8(rule.id, strlen(rule.id));
	}
}

void
mdr_guard_stamp(MdrEvent *event)
{
	event->violation_id = *DatumGetUUIDP(DirectFunctionCall1(gen_random_uuid, (Datum) 0));
	event->occurred_at = GetCurrentTimestamp();
}

void
mdr_guard_event(const MdrRow *row, const MdrScanned *scanned, MdrAction taken, MdrEvent *event)
{
	int			deciding = deciding_category(scanned);

	memset(event, 0, sizeof(*event));
	mdr_guard_stamp(event);
	event->account = row->account;
	event->category = UNKNOWN_CATEGORY;
	event->action = taken;
	event->policy = mdr_from_utf8(row->live->policy, strlen(row->live->policy));
	event->policy_version = row->live->version;
	event->relation = mdr_guard_name(row->guard->root);
	event->column = NameStr(scanned->content.column->name);
	event->db_role = GetUserNameFromId(GetUserId(), false);
	hash_content(&scanned->content, event->content_sha256);
	list_rules(row, &scanned->verdict, event);
	if (deciding >= 0)
	{
		const MdrCategoryVerdict *verdict = &scanned->verdict.categories[deciding];
		bool		refused = taken == MDR_REJECT && scanned->action == MDR_REJECT && !row->stored;
		MdrEngineCategory category;

		mdr_engine_category(row->live->engine, deciding, &category);
		event->category = mdr_from_utf8(category.id, strlen(category.id));
		event->severity = verdict->severity;
		event->score = verdict->score;
		event->strike = refused && category.strike;
		event->suspend = refused && verdict->severity >= category.suspend_from;
		/* What is stored can be seen there; what is not would be lost. */
		if (taken >= MDR_QUARANTINE && category.evidence == MDR_EVIDENCE_CONTENT)
			event->content = mdr_content_text(&scanned->content, &event->content_length);
	}
}

bool
mdr_guard_recorded(const MdrEvent *event)
{
	static const char *const of_account =
		"SELECT FROM moderation.violation AS v WHERE v.account = $1 AND v.relation = $2 AND v.column_name = $3 AND v.content_sha256 = $4 LIMIT 1";
	static const char *const of_nobody =
		"SELECT FROM moderation.violation AS v WHERE v.account IS NULL AND $1 IS NULL AND v.relation = $2 AND v.column_name = $3"
		" AND v.content_sha256 = $4 LIMIT 1";
	Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, BYTEAOID};
	char		nulls[4] = {event->account == NULL ? 'n' : ' ', ' ', ' ', ' '};
	Datum		values[4] = {0};
	bytea	   *hash = palloc(VARHDRSZ + sizeof(event->content_sha256));
	bool		recorded;
	MdrUser		saved;

	SET_VARSIZE(hash, VARHDRSZ + sizeof(event->content_sha256));
	memcpy(VARDATA(hash), event->content_sha256, sizeof(event->content_sha256));
	if (event->account != NULL)
		values[0] = CStringGetTextDatum(event->account);
	values[1] = CStringGetTextDatum(event->relation);
	values[2] = CStringGetTextDatum(event->column);
	values[3] = PointerGetDatum(hash);
	mdr_become_owner(&saved);
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args(event->account == NULL ? of_nobody : of_account, 4, types, values, nulls, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read moderation.violation");
	recorded = SPI_processed > 0;
	SPI_finish();
	mdr_restore_user(&saved);
	return recorded;
}

/* Events for all contents at or above flag; returns their number, and which of them is the gravest content's. */
static int
make_events(const MdrRow *row, MdrAction taken, MdrEvent **events, int *gravest)
{
	int			n = 0;

	*events = palloc(row->nscanned * sizeof(MdrEvent));
	for (int i = 0; i < row->nscanned; i++)
	{
		if (row->scanned[i].action < MDR_FLAG)
			continue;
		if (i == row->gravest)
			*gravest = n;
		mdr_guard_event(row, &row->scanned[i], taken, &(*events)[n++]);
	}
	return n;
}

static char *
refusal_detail(const MdrEvent *event)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"violation_id\": \"%s\", \"category\": ",
					 DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&event->violation_id))));
	escape_json(&json, event->category);
	appendStringInfo(&json, ", \"severity\": %d, \"policy\": ", event->severity);
	escape_json(&json, event->policy);
	appendStringInfo(&json, ", \"policy_version\": %d}", event->policy_version);
	return json.data;
}

void
mdr_guard_refuse(MdrRow *row)
{
	const MdrScanned *scanned = &row->scanned[row->gravest];
	int			deciding = deciding_category(scanned);
	MdrEvent   *events;
	MdrLadder	ladder;
	int			gravest = 0;
	int			nevents = make_events(row, MDR_REJECT, &events, &gravest);
	char	   *clause = NULL;

	/* One refused row is one strike, whatever the number of its contents. */
	mdr_engine_ladder(row->live->engine, &ladder);
	for (int i = 0; i < nevents; i++)
	{
		events[i].ladder = &ladder;
		if (i != gravest)
			events[i].strike = false;
	}
	if (deciding >= 0)
	{
		MdrEngineCategory category;

		mdr_engine_category(row->live->engine, deciding, &category);
		clause = mdr_from_utf8(category.clause_en, strlen(category.clause_en));
	}
	if (!MDR_INJECT_FAIL("guard_forget"))
		mdr_record_refused(events, nevents);

	ereport(ERROR,
			(errcode(deciding >= 0 ? ERRCODE_MDR_REFUSED : ERRCODE_MDR_UNKNOWN),
			 deciding >= 0 ? errmsg("content refused: %s", clause)
			 : errmsg("content refused: it could not be scanned within its bounds"),
			 errdetail_internal("%s", refusal_detail(&events[gravest])),
			 deciding >= 0 ? errhint("Change the content, or ask for a review and name the violation_id.")
			 : errhint("Shorten the content, or store it in parts."),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, get_namespace_name(get_rel_namespace(row->guard->root))),
			 err_generic_string(PG_DIAG_TABLE_NAME, get_rel_name(row->guard->root)),
			 err_generic_string(PG_DIAG_COLUMN_NAME, events[gravest].column)));
}

/*
 * The row as jsonb, as the caller; false when jsonb cannot express it (a json value with a zero character, a cast that
 * fails).  A failure of another kind is raised.
 */
static bool
row_as_jsonb(const MdrRow *row, HeapTuple tuple, Datum *jsonb)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		Oid			type = row->descriptor->tdtypeid;
		Datum		value = heap_copy_tuple_as_datum(tuple, row->descriptor);
		bool		null;

		if (SPI_connect() != SPI_OK_CONNECT ||
			SPI_execute_with_args("SELECT pg_catalog.to_jsonb($1)", 1, &type, &value, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not turn a row into jsonb");
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
		MemoryContextSwitchTo(caller);
		*jsonb = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
		SPI_finish();
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return done;
}

bool
mdr_guard_quarantine(MdrRow *row, HeapTuple tuple)
{
	static const char *const insert =
		"INSERT INTO moderation.quarantine (account, violation_id, relation, row_data, operation, occurred_at)"
		" VALUES ($1, $2, $3, $4, $5, $6)";
	Oid			types[6] = {TEXTOID, UUIDOID, TEXTOID, JSONBOID, TEXTOID, TIMESTAMPTZOID};
	char		nulls[6] = {row->account == NULL ? 'n' : ' ', ' ', ' ', ' ', ' ', ' '};
	Datum		values[6] = {0};
	MdrEvent   *events;
	int			gravest = 0;
	int			nevents;
	MdrUser		saved;

	if (!row_as_jsonb(row, tuple, &values[3]))
		return false;
	nevents = make_events(row, MDR_QUARANTINE, &events, &gravest);
	for (int i = 0; i < nevents; i++)
		mdr_record_stored(&events[i]);

	if (row->account != NULL)
		values[0] = CStringGetTextDatum(row->account);
	values[1] = UUIDPGetDatum(&events[gravest].violation_id);
	values[2] = CStringGetTextDatum(events[gravest].relation);
	values[4] = CStringGetTextDatum(row->operation);
	values[5] = TimestampTzGetDatum(events[gravest].occurred_at);
	mdr_become_owner(&saved);
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args(insert, 6, types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not put a row into moderation.quarantine");
	SPI_finish();
	mdr_restore_user(&saved);
	return true;
}

HeapTuple
mdr_guard_mask(MdrRow *row, HeapTuple tuple)
{
	int		   *attnums = palloc(row->nscanned * sizeof(int));
	Datum	   *values = palloc(row->nscanned * sizeof(Datum));
	bool	   *nulls = palloc0(row->nscanned * sizeof(bool));
	int			n = 0;

	for (int i = 0; i < row->nscanned; i++)
	{
		MdrScanned *scanned = &row->scanned[i];

		if (scanned->action != MDR_REDACT)
			continue;
		attnums[n] = scanned->content.column->attnum;
		values[n++] = mdr_content_mask(&scanned->content, row->live->engine, row->arena, &scanned->verdict);
	}
	return heap_modify_tuple_by_cols(tuple, row->descriptor, n, attnums, values, nulls);
}
