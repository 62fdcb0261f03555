/*
 * ledger_seal.c
 *		Seals: one digest over the ends of all chains that have grown, and over the digest before it.
 *
 * In: what was linked since the last seal, found by the index on linked_at, so that a seal costs what is new and not what there
 * is; out: a row of moderation.ledger_seal, and for each chain that has grown one of moderation.ledger_head.  The digest's formula
 * is the view moderation.ledger_digest, which verification reads, too.
 *
 * Locks: the linker's (ledger_link.c); moderation.seal() waits for it, the worker does not.  Memory: SPI's.  Errors: raised; the
 * transaction undoes everything.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "ledger/ledger_chain.h"
#include "server/server.h"
#include "server/server_inject.h"

#define PORTION 2000			/* notes linked in one go */
#define SEALED 10000			/* entries that the worker seals in one go: somebody may wait for a record meanwhile */

static MdrLedgerPlan last_plan = {
	.sql = "SELECT t.seal, t.sealed_at, t.entries, t.accounts, t.digest FROM moderation.ledger_seal AS t ORDER BY t.seal DESC LIMIT 1"
};

/* Up to where a seal goes that is not to take too many entries, though all that were linked at the same moment. */
static MdrLedgerPlan limit_plan = {
	.sql = "SELECT l.linked_at FROM moderation.ledger AS l WHERE l.linked_at > $1 ORDER BY l.linked_at OFFSET $2 LIMIT 1",
	.nargs = 2, .types = {TIMESTAMPTZOID, INT8OID}
};
static MdrLedgerPlan new_plan = {
	.sql = "SELECT count(*), max(l.linked_at) FROM moderation.ledger AS l WHERE l.linked_at > $1 AND l.linked_at <= $2",
	.nargs = 2, .types = {TIMESTAMPTZOID, TIMESTAMPTZOID}
};

/* Numbers of seals are not used again, whatever has become of the seals. */
static MdrLedgerPlan number_plan = {
	.sql = "SELECT greatest((SELECT max(t.seal) FROM moderation.ledger_seal AS t), (SELECT max(h.seal) FROM moderation.ledger_head AS h), 0) + 1"
};
static MdrLedgerPlan heads_plan = {
	.sql = "INSERT INTO moderation.ledger_head (account, seal, position, chain_sha256)"
	" SELECT DISTINCT ON (l.account) l.account, $1, l.position, l.chain_sha256 FROM moderation.ledger AS l"
	" WHERE l.linked_at > $2 AND l.linked_at <= $3 ORDER BY l.account, l.position DESC",
	.nargs = 3, .types = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};
static MdrLedgerPlan seal_plan = {
	.sql = "INSERT INTO moderation.ledger_seal (seal, sealed_at, entries, accounts, digest, system_identifier, timeline, database, lsn, next_xid)"
	" SELECT $1, CASE WHEN $5 THEN $2 ELSE greatest(clock_timestamp(), $2) END, $3, $4, '', p.system_identifier, p.timeline, p.database, p.lsn, p.next_xid"
	" FROM moderation.ledger_place() AS p",
	.nargs = 5, .types = {INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, BOOLOID}
};
static MdrLedgerPlan digest_plan = {
	.sql = "UPDATE moderation.ledger_seal AS s SET digest = d.digest FROM moderation.ledger_digest AS d WHERE s.seal = $1 AND d.seal = $1",
	.nargs = 1, .types = {INT8OID}
};

PG_FUNCTION_INFO_V1(moderation_seal_ledger);

static Datum
value(int number, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, null);
}

/*
 * Under the linker's lock, with SPI connected: seals what is new, or the first of it, about that many entries (0: all).  True when
 * there is more.
 */
static bool
make_seal(int64 limit)
{
	Datum		values[5];
	Datum		last = TimestampTzGetDatum(DT_NOBEGIN);
	Datum		latest = TimestampTzGetDatum(DT_NOEND);
	bool		more = false;
	bool		null;

	mdr_ledger_run(&last_plan, NULL, NULL);
	if (SPI_processed > 0)
		last = value(2, &null);
	values[0] = last;
	values[1] = Int64GetDatum(limit);
	if (limit > 0)
		mdr_ledger_run(&limit_plan, values, NULL);
	if (limit > 0 && SPI_processed > 0)
	{
		more = true;
		latest = value(1, &null);
	}
	values[1] = latest;
	mdr_ledger_run(&new_plan, values, NULL);
	values[2] = value(1, &null);
	if (DatumGetInt64(values[2]) == 0)
		return false;
	latest = value(2, &null);

	mdr_ledger_run(&number_plan, NULL, NULL);
	values[0] = value(1, &null);
	values[1] = last;
	values[3] = values[2];
	values[2] = latest;
	mdr_ledger_run(&heads_plan, values, NULL);
	values[1] = latest;
	values[2] = values[3];
	values[3] = Int64GetDatum((int64) SPI_processed);
	values[4] = BoolGetDatum(more);
	mdr_ledger_run(&seal_plan, values, NULL);
	mdr_ledger_run(&digest_plan, values, NULL);
	return more;
}

static void
begin(void)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
}

static void
commit(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

MdrLedgerResult
mdr_ledger_link(void)
{
	MdrLedgerResult result = MDR_LEDGER_DONE;

	MDR_INJECT("ledger_link");
	begin();
	if (mdr_hold_extension() && mdr_ledger_kept())
	{
		if (!mdr_ledger_lock(false))
			result = MDR_LEDGER_BUSY;
		else
		{
			if (mdr_ledger_link_notes(PORTION) == PORTION)
				result = MDR_LEDGER_MORE;
			MDR_INJECT("ledger_linked");
		}
	}
	commit();
	return result;
}

MdrLedgerResult
mdr_ledger_seal(void)
{
	MdrLedgerResult result = MDR_LEDGER_DONE;

	begin();
	if (mdr_hold_extension() && mdr_ledger_kept())
	{
		if (!mdr_ledger_lock(false))
			result = MDR_LEDGER_BUSY;
		else
		{
			mdr_ledger_check_place();
			if (make_seal(SEALED))
				result = MDR_LEDGER_MORE;
			MDR_INJECT("ledger_sealed");
		}
	}
	commit();
	return result;
}

/* seal(OUT seal bigint, OUT sealed_at timestamptz, OUT entries bigint, OUT accounts bigint, OUT digest bytea) returns record */
Datum
moderation_seal_ledger(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	HeapTupleHeader tuple;
	MdrUser		user;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PreventCommandDuringRecovery("moderation.seal()");
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("moderation.seal() must see what was linked last"),
				 errhint("Call it at isolation level READ COMMITTED.")));
	mdr_become_owner(&user);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	(void) mdr_ledger_lock(true);
	while (mdr_ledger_link_notes(PORTION) == PORTION)
		CHECK_FOR_INTERRUPTS();
	(void) make_seal(0);
	mdr_ledger_run(&last_plan, NULL, NULL);
	tuple = SPI_returntuple(SPI_tuptable->vals[0], BlessTupleDesc(desc));
	SPI_finish();
	mdr_restore_user(&user);
	PG_RETURN_HEAPTUPLEHEADER(tuple);
}
