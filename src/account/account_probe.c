/*
 * account_probe.c
 *		Where does an account stand right now?  One look into moderation.account by its index, without SPI.
 *
 * Account -> MdrStanding.  The look uses the latest snapshot, not the transaction's, so that it means the same at
 * every isolation level and in a parallel worker; it needs no privilege, writes nothing, and works on a standby.
 *
 * The index is account_gate, in byte order (COLLATE "C"): the order of the default collation may change with the
 * operating system, and an index that has silently lost its order would let frozen accounts write.
 *
 * Locks: AccessShareLock on table and index, given back before returning.  Memory: in the caller's context.  Errors
 * are raised.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_enum.h"
#include "fmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "account/account_row.h"
#include "server/server.h"

PG_FUNCTION_INFO_V1(moderation_may_write);

static const char *const state_names[] = {"active", "warned", "frozen", "suspended"};

const char *
mdr_state_name(MdrAccountState state)
{
	return state_names[state];
}

MdrAccountState
mdr_state_of_oid(Oid label)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(label));
	int			state;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for enum value %u", label);
	for (state = MDR_ACTIVE; state <= MDR_SUSPENDED; state++)
	{
		if (strcmp(NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel), state_names[state]) == 0)
			break;
	}
	if (state > MDR_SUSPENDED)
		elog(ERROR, "account state \"%s\" is not known", NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel));
	ReleaseSysCache(tuple);
	return (MdrAccountState) state;
}

/*
 * The latest snapshot.  GetLatestSnapshot() refuses to work in parallel mode, where a row-security policy may well call
 * may_write(), so the snapshot is taken directly; RegisterSnapshot() copies it.
 */
static Snapshot
latest_snapshot(void)
{
	static SnapshotData latest = {SNAPSHOT_MVCC};

	return RegisterSnapshot(GetSnapshotData(&latest));
}

static void
standing_of_tuple(Relation table, HeapTuple tuple, MdrStanding *standing)
{
	TupleDesc	descriptor = RelationGetDescr(table);
	bool		null;
	Datum		value;

	standing->found = true;
	standing->writer = HeapTupleHeaderGetXmin(tuple->t_data);

	value = heap_getattr(tuple, MDR_ACCOUNT_ATT_STREAK, descriptor, &null);
	standing->open_row = !null && DatumGetInt32(value) > 0;

	value = heap_getattr(tuple, MDR_ACCOUNT_ATT_UNTIL, descriptor, &null);
	standing->until = null ? DT_NOEND : DatumGetTimestampTz(value);

	value = heap_getattr(tuple, MDR_ACCOUNT_ATT_STATE, descriptor, &null);
	if (null)
		elog(ERROR, "moderation.account has a row without a state");
	standing->state = mdr_state_at(mdr_state_of_oid(DatumGetObjectId(value)), standing->until, GetCurrentTimestamp());

	if (mdr_restricted(standing->state))
	{
		value = heap_getattr(tuple, MDR_ACCOUNT_ATT_REASON, descriptor, &null);
		standing->reason = null ? NULL : TextDatumGetCString(value);
	}
}

void
mdr_account_probe(Oid table_oid, const char *account, int length, MdrStanding *standing)
{
	Oid			index_oid;
	Relation	table;
	Snapshot	snapshot;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;

	memset(standing, 0, sizeof(*standing));
	standing->state = MDR_ACTIVE;
	standing->until = DT_NOEND;

	if (!OidIsValid(table_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"moderation\" is not installed in this database"),
				 errhint("CREATE EXTENSION moderation;")));

	ScanKeyEntryInitialize(&key, 0, MDR_ACCOUNT_ATT_ACCOUNT, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   PointerGetDatum(cstring_to_text_with_len(account, length)));

	table = table_open(table_oid, AccessShareLock);

	/* Under the lock, which keeps REINDEX CONCURRENTLY from retiring the index that the name has now. */
	index_oid = mdr_relation("account_gate");
	if (!OidIsValid(index_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("index \"moderation.account_gate\" is missing"),
				 errhint("CREATE UNIQUE INDEX account_gate ON moderation.account (account COLLATE \"C\");")));
	snapshot = latest_snapshot();
	scan = systable_beginscan(table, index_oid, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		standing_of_tuple(table, tuple, standing);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	pfree(DatumGetPointer(key.sk_argument));
}

bool
mdr_may_write(const char *account)
{
	int			length = strlen(account);
	MdrStanding standing;

	/* The gate lets no such key through: nothing could be recorded against it. */
	if (length > MDR_ACCOUNT_MAX)
		return false;
	mdr_account_probe(mdr_relation("account"), account, length, &standing);
	return !mdr_restricted(standing.state);
}

/* may_write(account text) returns boolean; nobody's content (a null account) may be written. */
Datum
moderation_may_write(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(mdr_may_write(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
