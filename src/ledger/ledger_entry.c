/*
 * ledger_entry.c
 *		A row of a table that the ledger keeps -> its canonical text, and the hash of that.
 *
 * The text is a JSON array of the row's columns in the order given here, whatever their order in the table, and depends on no
 * setting: timestamps are microseconds since 1970, bytea is hexadecimal, a real has nine significant digits (which tell any two
 * apart).  Separators are ", " as in json_build_array().  NULLs at the end are left out, so that a column that a later version
 * appends changes no hash of a row that does not use it.  violation.counted is left out: it changes.
 *
 * In C, because the worker makes one for each violation, and verification one for each row.  No locks.  Memory: the caller's
 * context.  Errors: a column of a type that has no canonical form.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/int.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/pg_lsn.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "ledger/ledger_chain.h"

PG_FUNCTION_INFO_V1(moderation_make_entry);
PG_FUNCTION_INFO_V1(moderation_hash_entry);
PG_FUNCTION_INFO_V1(moderation_chain_entry);

#define MAX_COLUMNS 24

static const char *const violation_columns[] = {
	"violation_id", "account", "category", "severity", "action", "score", "policy", "policy_version", "rules", "relation",
	"column_name", "content_sha256", "occurred_at", "db_role", "recorded_at", "strike", "suspend", "source", NULL
};
static const char *const account_event_columns[] = {
	"event_id", "account", "occurred_at", "from_state", "to_state", "until", "reason", "actor", "login", "automatic", "category",
	"violation_id", NULL
};
/* Not the content, whose hash verify() compares, nor until when it is preserved, which may be decided later. */
static const char *const evidence_columns[] = {
	"violation_id", "account", "content_sha256", "db_role", "relation", "column_name", "occurred_at", NULL
};
static const char *const guard_event_columns[] = {
	"event_id", "occurred_at", "relation", "what", "detail", "actor", "login", NULL
};
static const char *const epoch_columns[] = {
	"epoch_id", "occurred_at", "after_seal", "after_digest", "old_system_identifier", "old_timeline", "old_database",
	"system_identifier", "timeline", "database", "lsn", NULL
};
static const struct
{
	const char *table;
	const char *const *columns;
}			tables[] = {
	{"violation", violation_columns},
	{"account_event", account_event_columns},
	{"evidence", evidence_columns},
	{"guard_event", guard_event_columns},
	{"ledger_epoch", epoch_columns}
};

/* Where the columns of a row type are; made once for each place in a query that calls. */
typedef struct EntryShape
{
	Oid			type;
	int			count;
	AttrNumber	attribute[MAX_COLUMNS];	/* 0: the table lacks it */
} EntryShape;

static EntryShape *
shape_of(FunctionCallInfo fcinfo, Oid type, TupleDesc desc)
{
	EntryShape *shape = fcinfo->flinfo->fn_extra;
	const char *const *columns = NULL;
	char	   *name;

	if (shape != NULL && shape->type == type)
		return shape;
	name = get_rel_name(get_typ_typrelid(type));
	for (int i = 0; name != NULL && i < lengthof(tables); i++)
		if (strcmp(tables[i].table, name) == 0)
			columns = tables[i].columns;
	if (columns == NULL)
		elog(ERROR, "the ledger does not keep rows of type %s", format_type_be(type));

	shape = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(EntryShape));
	for (; columns[shape->count] != NULL; shape->count++)
		for (int i = 0; i < desc->natts; i++)
			if (!TupleDescAttr(desc, i)->attisdropped &&
				strcmp(NameStr(TupleDescAttr(desc, i)->attname), columns[shape->count]) == 0)
				shape->attribute[shape->count] = i + 1;
	shape->type = type;
	fcinfo->flinfo->fn_extra = shape;
	return shape;
}

int64
mdr_ledger_microseconds(TimestampTz time)
{
	int64		result;

	if (TIMESTAMP_NOT_FINITE(time) ||
		pg_add_s64_overflow(time, (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY, &result))
		return time < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return result;
}

static void
append_text(StringInfo entry, Datum value)
{
	char	   *string = TextDatumGetCString(value);

	escape_json(entry, string);
	pfree(string);
}

static void
append_texts(StringInfo entry, Datum value)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	appendStringInfoChar(entry, '[');
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoString(entry, ", ");
		if (nulls[i])
			appendStringInfoString(entry, "null");
		else
			append_text(entry, elements[i]);
	}
	appendStringInfoChar(entry, ']');
}

static void
hexadecimal(const uint8 *bytes, int length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < length; i++)
	{
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

static void
append_bytes(StringInfo entry, Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);
	int			length = VARSIZE_ANY_EXHDR(bytes);

	appendStringInfoChar(entry, '"');
	enlargeStringInfo(entry, 2 * length + 1);
	hexadecimal((const uint8 *) VARDATA_ANY(bytes), length, entry->data + entry->len);
	entry->len += 2 * length;
	appendStringInfoChar(entry, '"');
}

static void
append_other(StringInfo entry, Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	if (type != UUIDOID && get_typtype(type) != TYPTYPE_ENUM)
		elog(ERROR, "a value of type %s has no canonical form", format_type_be(type));
	getTypeOutputInfo(type, &output, &varlena);
	escape_json(entry, OidOutputFunctionCall(output, value));
}

static void
append_value(StringInfo entry, Oid type, Datum value)
{
	switch (type)
	{
		case TEXTOID:
			append_text(entry, value);
			break;
		case TEXTARRAYOID:
			append_texts(entry, value);
			break;
		case BYTEAOID:
			append_bytes(entry, value);
			break;
		case BOOLOID:
			appendStringInfoString(entry, DatumGetBool(value) ? "true" : "false");
			break;
		case INT4OID:
			appendStringInfo(entry, "%d", DatumGetInt32(value));
			break;
		case INT8OID:
			appendStringInfo(entry, INT64_FORMAT, DatumGetInt64(value));
			break;
		case OIDOID:
			appendStringInfo(entry, "%u", DatumGetObjectId(value));
			break;
		case FLOAT4OID:
			appendStringInfo(entry, "%.9g", DatumGetFloat4(value));
			break;
		case PG_LSNOID:			/* whose text depends on the version */
			appendStringInfo(entry, UINT64_FORMAT, DatumGetLSN(value));
			break;
		case TIMESTAMPTZOID:
			appendStringInfo(entry, INT64_FORMAT, mdr_ledger_microseconds(DatumGetTimestampTz(value)));
			break;
		default:
			append_other(entry, type, value);
	}
}

static void
make_entry(FunctionCallInfo fcinfo, StringInfo entry)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	Oid			type = HeapTupleHeaderGetTypeId(row);
	TupleDesc	desc = lookup_rowtype_tupdesc(type, HeapTupleHeaderGetTypMod(row));
	EntryShape *shape = shape_of(fcinfo, type, desc);
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row), .t_data = row};
	int			held_back = 0;

	ItemPointerSetInvalid(&tuple.t_self);
	appendStringInfoChar(entry, '[');
	for (int i = 0; i < shape->count; i++)
	{
		bool		null = true;
		Datum		value = 0;

		if (shape->attribute[i] > 0)
			value = heap_getattr(&tuple, shape->attribute[i], desc, &null);
		if (null)
		{
			held_back++;
			continue;
		}
		for (; held_back > 0; held_back--)
			appendStringInfoString(entry, entry->data[entry->len - 1] == '[' ? "null" : ", null");
		if (i > 0)
			appendStringInfoString(entry, ", ");
		append_value(entry, TupleDescAttr(desc, shape->attribute[i] - 1)->atttypid, value);
	}
	appendStringInfoChar(entry, ']');
	ReleaseTupleDesc(desc);
}

static void
sha256(const void *bytes, size_t length, uint8 *hash)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		failed = context == NULL || pg_cryptohash_init(context) < 0 || pg_cryptohash_update(context, bytes, length) < 0 ||
		pg_cryptohash_final(context, hash, MDR_SHA256) < 0;

	if (context != NULL)
		pg_cryptohash_free(context);
	if (failed)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256 hash")));
}

Datum
mdr_ledger_bytes(const uint8 *hash)
{
	bytea	   *value = palloc(VARHDRSZ + MDR_SHA256);

	SET_VARSIZE(value, VARHDRSZ + MDR_SHA256);
	memcpy(VARDATA(value), hash, MDR_SHA256);
	return PointerGetDatum(value);
}

void
mdr_ledger_origin(const char *account, uint8 *hash)
{
	if (account != NULL)
		sha256(account, strlen(account), hash);
	else
		memset(hash, 0, MDR_SHA256);
}

void
mdr_ledger_hash(MdrLedgerEntry *entry, const uint8 *previous)
{
	char		before[2 * MDR_SHA256 + 1];
	char		own[2 * MDR_SHA256 + 1];
	char		id[2 * UUID_LEN + 1];
	char		lines[512];
	int			length;

	hexadecimal(previous, MDR_SHA256, before);
	hexadecimal(entry->entry, MDR_SHA256, own);
	hexadecimal(entry->subject.data, UUID_LEN, id);
	length = snprintf(lines, sizeof(lines),
					  "%s\n" INT64_FORMAT "\n%.32s\n%.8s-%.4s-%.4s-%.4s-%.12s\n%s\n" INT64_FORMAT "\n" INT64_FORMAT "\n" INT64_FORMAT,
					  before, entry->position, entry->kind, id, id + 8, id + 12, id + 16, id + 20, own,
					  mdr_ledger_microseconds(entry->noted_at), mdr_ledger_microseconds(entry->linked_at), entry->noted_xid);
	Assert(length < sizeof(lines));
	sha256(lines, length, entry->chain);
}

/* ledger_entry(row) returns text */
Datum
moderation_make_entry(PG_FUNCTION_ARGS)
{
	StringInfoData entry;

	initStringInfo(&entry);
	make_entry(fcinfo, &entry);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(entry.data, entry.len));
}

/* ledger_entry_sha256(row) returns bytea */
Datum
moderation_hash_entry(PG_FUNCTION_ARGS)
{
	StringInfoData entry;
	uint8		hash[MDR_SHA256];

	initStringInfo(&entry);
	make_entry(fcinfo, &entry);
	sha256(entry.data, entry.len, hash);
	PG_RETURN_DATUM(mdr_ledger_bytes(hash));
}

static const uint8 *
given_hash(FunctionCallInfo fcinfo, int argument)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(argument);

	return VARSIZE_ANY_EXHDR(value) == MDR_SHA256 ? (const uint8 *) VARDATA_ANY(value) : NULL;
}

/*
 * ledger_chain_sha256(previous bytea, account text, position bigint, kind text, subject uuid, entry bytea,
 *					   noted_at timestamptz, linked_at timestamptz, noted_xid bigint) returns bytea
 */
Datum
moderation_chain_entry(PG_FUNCTION_ARGS)
{
	MdrLedgerEntry entry = {0};
	uint8		origin[MDR_SHA256];
	const uint8 *previous = origin;

	for (int i = 2; i < 9; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		mdr_ledger_origin(PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)), origin);
	else
		previous = given_hash(fcinfo, 0);
	if (previous == NULL || given_hash(fcinfo, 5) == NULL)
		PG_RETURN_NULL();		/* no hash, so none follows from it */
	entry.position = PG_GETARG_INT64(2);
	entry.kind = text_to_cstring(PG_GETARG_TEXT_PP(3));
	entry.subject = *PG_GETARG_UUID_P(4);
	memcpy(entry.entry, given_hash(fcinfo, 5), MDR_SHA256);
	entry.noted_at = PG_GETARG_TIMESTAMPTZ(6);
	entry.linked_at = PG_GETARG_TIMESTAMPTZ(7);
	entry.noted_xid = PG_GETARG_INT64(8);
	mdr_ledger_hash(&entry, previous);
	PG_RETURN_DATUM(mdr_ledger_bytes(entry.chain));
}
