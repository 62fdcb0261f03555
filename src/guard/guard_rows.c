/*
 * guard_rows.c
 *		Rows that came under a guard without any trigger having seen them: a partition that was attached with its rows, a
 *		column that ALTER TABLE computed.
 *
 * They are read one after the other and judged as by the AFTER trigger: what would be refused, masked or diverted makes the
 * command fail, what would be flagged is recorded, once.  None of it is a strike: it is the doing of the table's owner.
 * Whether the account may write is not asked: these rows may be older than a freeze.  The only way round is
 * moderation.mode = restore, which is a superuser's.
 *
 * A foreign table's rows are not read: they may be others the next moment, and its remote server guards them or nobody does.
 *
 * Locks: AccessShareLock on the partitions, which the command has locked harder already.  Memory: a row's is freed after it.
 * Long, and interruptible between rows and within one.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "server/server.h"
#include "server/server_inject.h"

bool
mdr_guard_has_rows(Oid relation)
{
	List	   *relations = find_all_inheritors(relation, AccessShareLock, NULL);
	bool		found = false;

	for (int i = 0; i < list_length(relations) && !found; i++)
	{
		Relation	part = table_open(list_nth_oid(relations, i), NoLock);

		if (part->rd_rel->relkind == RELKIND_RELATION)
			found = RelationGetNumberOfBlocks(part) > 0;
		table_close(part, NoLock);
	}
	return found;
}

static void
say_where(void *arg)
{
	errcontext("rows that are in %s already", (const char *) arg);
}

static uint64
scan_one(Relation relation, const char *column)
{
	const MdrGuard *guard = mdr_guard_find(relation);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "moderation stored row", ALLOCSET_DEFAULT_SIZES);
	/* Whatever the transaction's own snapshot sees: these rows are there. */
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(relation, NULL);
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	ErrorContextCallback where = {error_context_stack, say_where, mdr_guard_name(RelationGetRelid(relation))};
	uint64		rows = 0;

	error_context_stack = &where;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		MemoryContext caller = MemoryContextSwitchTo(row_context);
		bool		ours;

		CHECK_FOR_INTERRUPTS();
		mdr_guard_judge(relation, guard, ExecFetchSlotHeapTuple(slot, false, &ours), column);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row_context);
		rows++;
	}
	error_context_stack = where.previous;
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	MemoryContextDelete(row_context);
	return rows;
}

uint64
mdr_guard_scan_rows(Oid relation, const char *column)
{
	List	   *relations = find_all_inheritors(relation, AccessShareLock, NULL);
	uint64		rows = 0;

	if (MDR_INJECT_FAIL("guard_rows"))
		return 0;
	if (mdr_mode == MDR_MODE_RESTORE)
	{
		if (mdr_guard_has_rows(relation))
		{
			ereport(WARNING,
					(errmsg("moderation.mode is \"restore\": what is in %s already is not classified", mdr_guard_name(relation)),
					 errhint("RESET moderation.mode;")));
			mdr_guard_tell_passed(mdr_guard_name(relation), "restore", "rows that were there already were not classified");
		}
		return 0;
	}
	for (int i = 0; i < list_length(relations); i++)
	{
		Relation	part = table_open(list_nth_oid(relations, i), NoLock);

		if (part->rd_rel->relkind == RELKIND_RELATION)
			rows += scan_one(part, column);
		table_close(part, NoLock);
	}
	return rows;
}
