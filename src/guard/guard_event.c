/*
 * guard_event.c
 *		What befalls a guard, told to the ledger: put on, changed, taken off, weakened by a superuser, passed by, dropped, renamed.
 *
 * An event lives and dies with its transaction, like what it tells of.  What a superuser does while a dump is being loaded is not
 * told before the dump's own ledger is there: its entries begin at position 1.
 *
 * Rows that are stored under moderation.mode = restore are one event for each table and transaction.  That never makes a restore
 * fail: it is done in a subtransaction, and an error is but a warning.
 *
 * Memory: the list of tables lives in TopTransactionContext.  Locks: RowExclusiveLock on tables of the ledger, from there on.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/partition.h"
#include "executor/spi.h"
#include "ledger/ledger.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "server/server.h"

static List *restored = NIL;	/* tables that have their event, of this transaction */
static Oid	restored_last = InvalidOid; /* the relation that was asked about last */

static void
forget(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		restored = NIL;
		restored_last = InvalidOid;
	}
}

/* Events that were rolled back are told again. */
static void
forget_aborted(SubXactEvent event, SubTransactionId id, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		list_free(restored);
		restored = NIL;
		restored_last = InvalidOid;
	}
}

/* Whether the ledger has anything, linked or yet to be linked. */
static bool
ledger_has_begun(void)
{
	bool		begun;

	if (!mdr_ledger_kept())
		return false;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	mdr_guard_run_as_owner("SELECT WHERE EXISTS (SELECT FROM moderation.ledger) OR EXISTS (SELECT FROM moderation.ledger_note)", 0, NULL, NULL, NULL);
	begun = SPI_processed > 0;
	SPI_finish();
	return begun;
}

void
mdr_guard_tell_passed(const char *relation, const char *what, const char *detail)
{
	if (ledger_has_begun())
		mdr_ledger_guard_event(relation, what, detail);
}

/* In a subtransaction of its own; an error is a warning. */
static void
try_tell_restored(const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		mdr_guard_tell_passed(name, "restore", "rows are stored without being classified");
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		ereport(WARNING,
				(errmsg("the ledger has no event of what is stored without being classified: %s", error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
}

void
mdr_guard_tell_restored(Relation relation)
{
	static bool registered = false;
	MemoryContext caller;
	Oid			root = RelationGetRelid(relation);

	if (restored_last == root)
		return;
	if (!registered)
	{
		RegisterXactCallback(forget, NULL);
		RegisterSubXactCallback(forget_aborted, NULL);
		registered = true;
	}
	if (relation->rd_rel->relispartition)
		root = llast_oid(get_partition_ancestors(root));
	if (!list_member_oid(restored, root))
	{
		try_tell_restored(mdr_guard_name(root));
		caller = MemoryContextSwitchTo(TopTransactionContext);
		restored = lappend_oid(restored, root);
		MemoryContextSwitchTo(caller);
	}
	restored_last = RelationGetRelid(relation);
}
