/*
 * ledger_row.c
 *		Rows of moderation.ledger, read and written without SPI: the ends of chains, and new entries.
 *
 * In: accounts, or entries with their places; out: where a chain ends, or rows.  It is done for every record, and starting an
 * executor twice would cost more than the rest of the ledger does.  An entry is inserted as logical replication's worker
 * inserts a row: with all indexes, constraints and row triggers that the table may have.
 *
 * Locks: what SELECT and INSERT take, until the transaction ends.  Memory: the caller's context; what is opened is closed before
 * returning.  Errors: raised; the caller's transaction undoes everything.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "ledger/ledger_chain.h"
#include "server/server.h"

/* Columns of moderation.ledger (tables.sql) ... */
enum
{
	LEDGER_ACCOUNT = 1, LEDGER_POSITION, LEDGER_KIND, LEDGER_SUBJECT, LEDGER_ENTRY, LEDGER_CHAIN, LEDGER_NOTED, LEDGER_LINKED,
	LEDGER_XID
};

/* ... and of moderation.ledger_seal. */
#define SEAL_SEALED_AT 2

typedef struct MdrLedgerScan
{
	Relation	table;
	Relation	index;
	Snapshot	snapshot;
} MdrLedgerScan;

/* By the index that orders the table.  The snapshot is of now: this is called under the linker's lock. */
static void
open_scan(MdrLedgerScan *scan, const char *table, const char *index)
{
	Oid			oid;

	scan->table = table_open(mdr_relation(table), AccessShareLock);
	/* Under the lock, which keeps REINDEX CONCURRENTLY from retiring the index that the name has now. */
	oid = mdr_relation(index);
	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"moderation.%s\" is missing", index),
				 errhint("Restore the constraint of this name as CREATE EXTENSION makes it.")));
	scan->index = index_open(oid, AccessShareLock);
	scan->snapshot = RegisterSnapshot(GetLatestSnapshot());
}

static void
close_scan(MdrLedgerScan *scan)
{
	UnregisterSnapshot(scan->snapshot);
	index_close(scan->index, NoLock);
	table_close(scan->table, NoLock);
}

/* The last of the rows that match keys: false when there is none.  Otherwise their columns, in the caller's context. */
static bool
last_row(MdrLedgerScan *scan, ScanKey keys, int nkeys, Datum *values, bool *nulls)
{
	SysScanDesc rows = systable_beginscan_ordered(scan->table, scan->index, scan->snapshot, nkeys, keys);
	HeapTuple	row = systable_getnext_ordered(rows, BackwardScanDirection);
	bool		found = HeapTupleIsValid(row);

	if (found)
		heap_deform_tuple(heap_copytuple(row), RelationGetDescr(scan->table), values, nulls);
	systable_endscan_ordered(rows);
	return found;
}

/* When the last seal was made; before all time if there is none. */
static TimestampTz
last_sealed(void)
{
	MdrLedgerScan scan;
	Datum	   *values;
	bool	   *nulls;
	bool		found;

	open_scan(&scan, "ledger_seal", "ledger_seal_pkey");
	values = palloc(sizeof(Datum) * RelationGetNumberOfAttributes(scan.table));
	nulls = palloc(sizeof(bool) * RelationGetNumberOfAttributes(scan.table));
	found = last_row(&scan, NULL, 0, values, nulls);
	close_scan(&scan);
	return found ? DatumGetTimestampTz(values[SEAL_SEALED_AT - 1]) : DT_NOBEGIN;
}

/* The end of one chain, into an entry that stands for it. */
static void
find_end(MdrLedgerScan *scan, const char *account, MdrLedgerEntry *end, Datum *values, bool *nulls)
{
	ScanKeyData key;

	if (account == NULL)
		ScanKeyEntryInitialize(&key, SK_ISNULL | SK_SEARCHNULL, LEDGER_ACCOUNT, InvalidStrategy, InvalidOid, InvalidOid, InvalidOid,
							   (Datum) 0);
	else
		ScanKeyEntryInitialize(&key, 0, LEDGER_ACCOUNT, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ,
							   CStringGetTextDatum(account));
	end->account = account;
	end->position = 0;
	end->linked_at = DT_NOBEGIN;
	if (last_row(scan, &key, 1, values, nulls))
	{
		bytea	   *hash = DatumGetByteaPP(values[LEDGER_CHAIN - 1]);

		end->position = DatumGetInt64(values[LEDGER_POSITION - 1]);
		end->linked_at = DatumGetTimestampTz(values[LEDGER_LINKED - 1]);
		/* If somebody has put another thing there, verification will say so, and the chain goes on from what is left of it. */
		memset(end->chain, 0, MDR_SHA256);
		memcpy(end->chain, VARDATA_ANY(hash), Min(VARSIZE_ANY_EXHDR(hash), MDR_SHA256));
	}
	if (end->position <= 0)
		mdr_ledger_origin(account, end->chain);
}

void
mdr_ledger_find_ends(MdrLedgerEntry *ends, int count)
{
	TimestampTz sealed = last_sealed();
	MdrLedgerScan scan;
	Datum	   *values;
	bool	   *nulls;

	open_scan(&scan, "ledger", "ledger_key");
	values = palloc(sizeof(Datum) * RelationGetNumberOfAttributes(scan.table));
	nulls = palloc(sizeof(bool) * RelationGetNumberOfAttributes(scan.table));
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		find_end(&scan, ends[i].account, &ends[i], values, nulls);
		if (!TIMESTAMP_NOT_FINITE(sealed))
			ends[i].linked_at = Max(ends[i].linked_at, sealed + 1);
	}
	close_scan(&scan);
}

static void
fill_slot(TupleTableSlot *slot, const MdrLedgerEntry *entry)
{
	Datum	   *values = slot->tts_values - 1;	/* columns count from 1 */

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	memset(slot->tts_isnull, false, sizeof(bool) * LEDGER_XID);
	slot->tts_isnull[LEDGER_ACCOUNT - 1] = entry->account == NULL;
	values[LEDGER_ACCOUNT] = entry->account == NULL ? (Datum) 0 : CStringGetTextDatum(entry->account);
	values[LEDGER_POSITION] = Int64GetDatum(entry->position);
	values[LEDGER_KIND] = CStringGetTextDatum(entry->kind);
	values[LEDGER_SUBJECT] = UUIDPGetDatum(&entry->subject);
	values[LEDGER_ENTRY] = mdr_ledger_bytes(entry->entry);
	values[LEDGER_CHAIN] = mdr_ledger_bytes(entry->chain);
	values[LEDGER_NOTED] = TimestampTzGetDatum(entry->noted_at);
	values[LEDGER_LINKED] = TimestampTzGetDatum(entry->linked_at);
	values[LEDGER_XID] = Int64GetDatum(entry->noted_xid);
	ExecStoreVirtualTuple(slot);
}

void
mdr_ledger_insert(const List *entries)
{
	Relation	table = table_open(mdr_relation("ledger"), RowExclusiveLock);
	EState	   *state = CreateExecutorState();
	MemoryContext old = MemoryContextSwitchTo(state->es_query_cxt);
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot = ExecInitExtraTupleSlot(state, RelationGetDescr(table), table_slot_callbacks(table));
	const ListCell *cell;

	if (RelationGetNumberOfAttributes(table) < LEDGER_XID)
		elog(ERROR, "table moderation.ledger has %d columns", RelationGetNumberOfAttributes(table));
	InitResultRelInfo(target, table, 0, NULL, 0);
	state->es_output_cid = GetCurrentCommandId(true);
	AfterTriggerBeginQuery();
	ExecOpenIndices(target, false);
	foreach(cell, entries)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(GetPerTupleMemoryContext(state));
		fill_slot(slot, lfirst(cell));
		ExecSimpleRelationInsert(target, state, slot);
		ResetPerTupleExprContext(state);
	}
	MemoryContextSwitchTo(state->es_query_cxt);
	AfterTriggerEndQuery(state);
	ExecCloseIndices(target);
	ExecResetTupleTable(state->es_tupleTable, false);
	MemoryContextSwitchTo(old);
	FreeExecutorState(state);
	table_close(table, NoLock);
	CommandCounterIncrement();
}
