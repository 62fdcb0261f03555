/*
 * ledger_link.c
 *		Gives noted entries their places: position, hash and time, one linker at a time.
 *
 * In: entries, collected by the worker or read from moderation.ledger_note; out: rows of moderation.ledger.  linked_at never
 * goes back within a chain, and lies after the last seal, even when the clock is set back.
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
#include "utils/builtins.h"
#include "utils/pg_lsn.h"

#include "ledger/ledger_chain.h"
#include "server/server.h"
#include "server/server_inject.h"

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
	" UNION ALL SELECT e.account, 'evidence', e.violation_id, moderation.ledger_entry_sha256(e), e.occurred_at FROM moderation.evidence AS e"
	") AS r WHERE NOT EXISTS (SELECT FROM moderation.ledger_note AS n WHERE n.subject = r.subject AND n.kind = r.kind)"
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
	MdrLedgerEntry *ends = palloc0(sizeof(MdrLedgerEntry) * list_length(entries));
	const MdrLedgerEntry *previous = NULL;
	int			count = 0;
	ListCell   *cell;

	foreach(cell, entries)
	{
		const MdrLedgerEntry *entry = lfirst(cell);

		if (previous == NULL || !same_account(previous, entry))
			ends[count++].account = entry->account;
		previous = entry;
	}
	mdr_ledger_find_ends(ends, count);
	return ends;
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
	mdr_ledger_insert(entries);
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
