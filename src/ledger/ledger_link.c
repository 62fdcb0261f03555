/*
 * ledger_link.c
 *		Gives noted entries their places: position, hash and time, one linker at a time.
 *
 * In: entries, collected by the worker or read from moderation.ledger_note; out: rows of moderation.ledger.  One look-up for the
 * ends of all chains concerned, one INSERT.  linked_at never goes back within a chain, and lies after the last seal, even when
 * the clock is set back.
 *
 * The first time in a process it looks whether this is still the place (system identifier, timeline, database) where the ledger
 * was last continued; if not, it links an epoch into the database's own chain first.  Where nothing was ever linked, it also notes
 * all that was recorded before.  Both may take their time, so the worker does it between batches: until then it only notes.
 *
 * Locks: ShareUpdateExclusiveLock on moderation.ledger_seal until commit, so that the next linker sees all that this one linked.
 * Not on moderation.ledger itself, where VACUUM takes the same lock for as long as it works.  Memory: the caller's context.
 * Errors: raised; the caller's transaction undoes everything.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"

#include "ledger/ledger_chain.h"
#include "server/server.h"
#include "server/server_inject.h"

/* The end of each of some chains, in the order given; and the last seal. */
static MdrLedgerPlan ends_plan = {
	.sql = "SELECT e.position, e.chain_sha256, e.linked_at, s.sealed_at"
	" FROM unnest($1) WITH ORDINALITY AS a (account, n)"
	" LEFT JOIN LATERAL (SELECT l.position, l.chain_sha256, l.linked_at FROM moderation.ledger AS l"
	" WHERE l.account = a.account ORDER BY l.position DESC LIMIT 1) AS e ON true"
	" LEFT JOIN (SELECT t.sealed_at FROM moderation.ledger_seal AS t ORDER BY t.seal DESC LIMIT 1) AS s ON true"
	" ORDER BY a.n",
	.nargs = 1, .types = {TEXTARRAYOID}, .generic = true
};
static MdrLedgerPlan own_end_plan = {
	.sql = "SELECT l.position, l.chain_sha256, l.linked_at, s.sealed_at FROM (SELECT) AS one"
	" LEFT JOIN (SELECT l.position, l.chain_sha256, l.linked_at FROM moderation.ledger AS l"
	/* by both columns, or the planner does not see that the index is in that order, and reads the whole chain */
	" WHERE l.account IS NULL ORDER BY l.account DESC, l.position DESC LIMIT 1) AS l ON true"
	" LEFT JOIN (SELECT t.sealed_at FROM moderation.ledger_seal AS t ORDER BY t.seal DESC LIMIT 1) AS s ON true"
};
static MdrLedgerPlan insert_plan = {
	.sql = "INSERT INTO moderation.ledger"
	" (account, position, kind, subject, entry_sha256, chain_sha256, noted_at, linked_at, noted_xid)"
	" SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	.nargs = 9,
	.types = {TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID, UUIDARRAYOID, BYTEAARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, INT8ARRAYOID}, .generic = true
};

/* noted_xid: the note's own, counted through with the help of a transaction that began later ($2). */
static MdrLedgerPlan take_plan = {
	.sql = "WITH taken AS (DELETE FROM moderation.ledger_note AS n"
	" WHERE n.ctid = ANY (ARRAY(SELECT t.ctid FROM moderation.ledger_note AS t LIMIT $1))"
	" RETURNING n.account, n.kind, n.subject, n.entry_sha256, n.noted_at, $2 - (($2 - n.xmin::text::bigint) & 4294967295) AS xid)"
	" SELECT * FROM taken ORDER BY account NULLS FIRST, noted_at, subject",
	.nargs = 2, .types = {INT8OID, INT8OID}
};
static MdrLedgerPlan place_plan = {
	.sql = "SELECT e.system_identifier, e.timeline, e.database FROM moderation.ledger_epoch AS e"
	" ORDER BY e.occurred_at DESC LIMIT 1"
};
static MdrLedgerPlan epoch_plan = {
	.sql = "INSERT INTO moderation.ledger_epoch (occurred_at, after_seal, after_digest, old_system_identifier, old_timeline,"
	" old_database, system_identifier, timeline, database, lsn)"
	" SELECT greatest(clock_timestamp(), e.occurred_at), s.seal, s.digest, e.system_identifier, e.timeline, e.database,"
	" $1, $2, $3, $4 FROM (SELECT) AS one"
	" LEFT JOIN (SELECT * FROM moderation.ledger_epoch AS t ORDER BY t.occurred_at DESC LIMIT 1) AS e ON true"
	" LEFT JOIN (SELECT t.seal, t.digest FROM moderation.ledger_seal AS t ORDER BY t.seal DESC LIMIT 1) AS s ON true"
	" RETURNING epoch_id, moderation.ledger_entry_sha256(ledger_epoch)",
	.nargs = 4, .types = {INT8OID, INT4OID, OIDOID, LSNOID}
};

/* What was recorded before there was a ledger, or in a dump from then. */
static MdrLedgerPlan adopt_plan = {
	.sql = "INSERT INTO moderation.ledger_note (account, kind, subject, entry_sha256)"
	" SELECT r.account, r.kind, r.subject, r.entry FROM ("
	"SELECT v.account, 'violation' AS kind, v.violation_id AS subject, moderation.ledger_entry_sha256(v) AS entry, v.recorded_at AS at"
	" FROM moderation.violation AS v UNION ALL"
	" SELECT e.account, 'account_event', e.event_id, moderation.ledger_entry_sha256(e), e.occurred_at FROM moderation.account_event AS e"
	") AS r WHERE NOT EXISTS (SELECT FROM moderation.ledger_note AS n WHERE n.subject = r.subject)"
	" AND NOT EXISTS (SELECT FROM moderation.ledger) ORDER BY r.at"
};

/* The ledger, by the oid of its table, that was seen to go on here: an extension that is created again has another one. */
static Oid	placed_ledger = InvalidOid;

PG_FUNCTION_INFO_V1(moderation_read_place);

void
mdr_ledger_forget_place(void)
{
	placed_ledger = InvalidOid;
}

bool
mdr_ledger_lock(bool wait)
{
	Oid			table = mdr_relation("ledger_seal");

	if (!wait)
		return ConditionalLockRelationOid(table, ShareUpdateExclusiveLock);
	LockRelationOid(table, ShareUpdateExclusiveLock);
	return true;
}

static Datum
column(uint64 row, int number, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, null);
}

/* The end of a chain from a row of ends_plan, into an entry that stands for it. */
static void
read_end(uint64 row, const char *account, MdrLedgerEntry *end)
{
	bool		none;
	bool		unsealed;
	Datum		value = column(row, 1, &none);
	TimestampTz sealed_at;

	end->account = account;
	end->position = none ? 0 : DatumGetInt64(value);
	end->linked_at = none ? DT_NOBEGIN : DatumGetTimestampTz(column(row, 3, &none));
	mdr_ledger_origin(account, end->chain);
	if (end->position > 0)
	{
		bytea	   *hash = DatumGetByteaPP(column(row, 2, &none));

		/* Somebody has put another thing there; verification will say so, and the chain goes on from what is left of it. */
		memset(end->chain, 0, MDR_SHA256);
		memcpy(end->chain, VARDATA_ANY(hash), Min(VARSIZE_ANY_EXHDR(hash), MDR_SHA256));
	}
	sealed_at = DatumGetTimestampTz(column(row, 4, &unsealed));
	if (!unsealed)
		end->linked_at = Max(end->linked_at, sealed_at + 1);
}

static int
by_account(const ListCell *a, const ListCell *b)
{
	const MdrLedgerEntry *left = lfirst(a);
	const MdrLedgerEntry *right = lfirst(b);

	int			order;

	if (left->account == NULL || right->account == NULL)
		order = (left->account != NULL) - (right->account != NULL);
	else
		order = strcmp(left->account, right->account);
	return order != 0 ? order : left->position < right->position ? -1 : left->position > right->position;
}

static bool
same_account(const MdrLedgerEntry *a, const MdrLedgerEntry *b)
{
	return a->account == b->account || (a->account != NULL && b->account != NULL && strcmp(a->account, b->account) == 0);
}

/* The ends of the chains of entries, which are sorted by account, one for each chain. */
static MdrLedgerEntry *
find_ends(List *entries)
{
	int			count = list_length(entries);
	MdrLedgerEntry *ends = palloc0(sizeof(MdrLedgerEntry) * count);
	Datum	   *accounts = palloc(sizeof(Datum) * count);
	const char **names = palloc(sizeof(char *) * count);
	const MdrLedgerEntry *previous = NULL;
	int			nends = 0;
	int			naccounts = 0;
	ListCell   *cell;

	foreach(cell, entries)
	{
		const MdrLedgerEntry *entry = lfirst(cell);

		if (previous != NULL && same_account(previous, entry))
			continue;
		previous = entry;
		if (entry->account == NULL)
		{
			mdr_ledger_run(&own_end_plan, NULL, NULL);
			read_end(0, NULL, &ends[nends++]);
			SPI_freetuptable(SPI_tuptable);
			continue;
		}
		names[naccounts] = entry->account;
		accounts[naccounts++] = CStringGetTextDatum(entry->account);
	}
	if (naccounts > 0)
	{
		Datum		array = PointerGetDatum(construct_array(accounts, naccounts, TEXTOID, -1, false, TYPALIGN_INT));

		mdr_ledger_run(&ends_plan, &array, NULL);
		for (int i = 0; i < naccounts; i++)
			read_end(i, names[i], &ends[nends++]);
		SPI_freetuptable(SPI_tuptable);
	}
	return ends;
}

/* Arrays for insert_plan. */
static Datum
make_array(const Datum *values, const bool *nulls, int count, Oid type, int length, bool by_value, char alignment)
{
	int			dims[1] = {count};
	int			lower[1] = {1};

	return PointerGetDatum(construct_md_array(unconstify(Datum *, values), unconstify(bool *, nulls), 1, dims, lower, type, length,
											  by_value, alignment));
}

static void
insert_entries(List *entries)
{
	int			count = list_length(entries);
	Datum	   *columns[9];
	bool	   *nulls = palloc(sizeof(bool) * count);
	Datum		values[9];
	int			i = 0;
	ListCell   *cell;

	for (int c = 0; c < 9; c++)
		columns[c] = palloc(sizeof(Datum) * count);
	foreach(cell, entries)
	{
		MdrLedgerEntry *entry = lfirst(cell);

		nulls[i] = entry->account == NULL;
		columns[0][i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(entry->account);
		columns[1][i] = Int64GetDatum(entry->position);
		columns[2][i] = CStringGetTextDatum(entry->kind);
		columns[3][i] = UUIDPGetDatum(&entry->subject);
		columns[4][i] = mdr_ledger_bytes(entry->entry);
		columns[5][i] = mdr_ledger_bytes(entry->chain);
		columns[6][i] = TimestampTzGetDatum(entry->noted_at);
		columns[7][i] = TimestampTzGetDatum(entry->linked_at);
		columns[8][i] = Int64GetDatum(entry->noted_xid);
		i++;
	}
	values[0] = make_array(columns[0], nulls, count, TEXTOID, -1, false, TYPALIGN_INT);
	values[1] = make_array(columns[1], NULL, count, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	values[2] = make_array(columns[2], NULL, count, TEXTOID, -1, false, TYPALIGN_INT);
	values[3] = make_array(columns[3], NULL, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
	values[4] = make_array(columns[4], NULL, count, BYTEAOID, -1, false, TYPALIGN_INT);
	values[5] = make_array(columns[5], NULL, count, BYTEAOID, -1, false, TYPALIGN_INT);
	values[6] = make_array(columns[6], NULL, count, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	values[7] = make_array(columns[7], NULL, count, TIMESTAMPTZOID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	values[8] = make_array(columns[8], NULL, count, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	mdr_ledger_run(&insert_plan, values, NULL);
}

/* If the ledger was last continued elsewhere, or is only beginning: an epoch, to be linked; else NULL. */
static MdrLedgerEntry *
new_epoch(void)
{
	MdrLedgerEntry *entry;
	Datum		values[4];
	bool		null;
	bool		same = false;

	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = Int32GetDatum((int32) GetWALInsertionTimeLine());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	values[3] = LSNGetDatum(GetXLogInsertRecPtr());
	mdr_ledger_run(&place_plan, NULL, NULL);
	if (SPI_processed > 0)
		same = column(0, 1, &null) == values[0] && column(0, 2, &null) == values[1] && column(0, 3, &null) == values[2];
	if (same || MDR_INJECT_FAIL("ledger_place"))
		return NULL;
	if (SPI_processed == 0)
		mdr_ledger_run(&adopt_plan, NULL, NULL);

	mdr_ledger_run(&epoch_plan, values, NULL);
	entry = palloc0(sizeof(MdrLedgerEntry));
	entry->kind = "epoch";
	entry->subject = *DatumGetUUIDP(column(0, 1, &null));
	memcpy(entry->entry, VARDATA_ANY(DatumGetByteaPP(column(0, 2, &null))), MDR_SHA256);
	entry->noted_at = GetCurrentTimestamp();
	entry->noted_xid = U64FromFullTransactionId(GetTopFullTransactionId());
	return entry;
}

bool
mdr_ledger_place_known(void)
{
	return OidIsValid(placed_ledger) && placed_ledger == mdr_relation("ledger");
}

void
mdr_ledger_check_place(void)
{
	MdrLedgerEntry *epoch;

	if (mdr_ledger_place_known())
		return;
	epoch = new_epoch();
	if (epoch != NULL)
		mdr_ledger_append(list_make1(epoch));
	placed_ledger = mdr_relation("ledger");
}

void
mdr_ledger_append(List *entries)
{
	MdrLedgerEntry *ends;
	MdrLedgerEntry *end;
	TimestampTz now = GetCurrentTimestamp();
	int64		order = 0;
	ListCell   *cell;

	if (entries == NIL)
		return;

	/* What belongs to one account keeps its order. */
	foreach(cell, entries)
		((MdrLedgerEntry *) lfirst(cell))->position = order++;
	list_sort(entries, by_account);
	end = ends = find_ends(entries);
	foreach(cell, entries)
	{
		MdrLedgerEntry *entry = lfirst(cell);

		if (!same_account(end, entry))
			end++;
		entry->position = end->position + 1;
		entry->linked_at = Max(Max(now, entry->noted_at), end->linked_at);
		mdr_ledger_hash(entry, end->chain);
		memcpy(end->chain, entry->chain, MDR_SHA256);
		end->position = entry->position;
		end->linked_at = entry->linked_at;
	}
	insert_entries(entries);
}

int
mdr_ledger_link_notes(int limit)
{
	Datum		values[2];
	List	   *entries = NIL;

	mdr_ledger_check_place();
	values[0] = Int64GetDatum(limit);
	values[1] = Int64GetDatum((int64) U64FromFullTransactionId(GetTopFullTransactionId()));
	mdr_ledger_run(&take_plan, values, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MdrLedgerEntry *entry = palloc0(sizeof(MdrLedgerEntry));
		bytea	   *hash;
		bool		null;

		entry->account = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		entry->kind = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);
		entry->subject = *DatumGetUUIDP(column(i, 3, &null));
		hash = DatumGetByteaPP(column(i, 4, &null));
		memcpy(entry->entry, VARDATA_ANY(hash), Min(VARSIZE_ANY_EXHDR(hash), MDR_SHA256));
		entry->noted_at = DatumGetTimestampTz(column(i, 5, &null));
		entry->noted_xid = DatumGetInt64(column(i, 6, &null));
		entries = lappend(entries, entry);
	}
	SPI_freetuptable(SPI_tuptable);
	mdr_ledger_append(entries);
	return list_length(entries);
}

/* ledger_place(OUT system_identifier bigint, OUT timeline int, OUT database oid, OUT lsn pg_lsn, OUT next_xid bigint) */
Datum
moderation_read_place(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[1] = nulls[3] = RecoveryInProgress();
	values[0] = Int64GetDatum((int64) GetSystemIdentifier());
	values[1] = Int32GetDatum(nulls[1] ? 0 : (int32) GetWALInsertionTimeLine());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	values[3] = LSNGetDatum(nulls[3] ? InvalidXLogRecPtr : GetXLogInsertRecPtr());
	values[4] = Int64GetDatum((int64) U64FromFullTransactionId(ReadNextFullTransactionId()));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
