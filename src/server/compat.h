/*
 * compat.h
 *		Differences between PostgreSQL 15 and 18, and nothing else: everywhere else mdr_*_compat() is called.
 *
 * Include after postgres.h.  Each function names the commit's subject that made it necessary.
 */
#ifndef MDR_COMPAT_H
#define MDR_COMPAT_H

#include "access/genam.h"
#include "replication/message.h"
#include "storage/proc.h"

#if PG_VERSION_NUM < 150000
#error "moderation needs PostgreSQL 15 or newer"
#endif

/* 18: "Show index search count in EXPLAIN ANALYZE" gave index_beginscan an argument for instrumentation. */
static inline IndexScanDesc
mdr_index_beginscan_compat(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* 17: "Add parameter flush to pg_logical_emit_message()" gave LogLogicalMessage one, too; before, the caller flushes. */
static inline XLogRecPtr
mdr_log_message_compat(const char *prefix, const char *message, size_t size)
{
#if PG_VERSION_NUM >= 170000
	return LogLogicalMessage(prefix, message, size, false, false);
#else
	return LogLogicalMessage(prefix, message, size, false);
#endif
}

/* 17: "Redefine backend ID to be an index into the proc array" moved PGPROC.pgprocno into MyProcNumber. */
static inline int
mdr_proc_number_compat(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProcNumber;
#else
	return MyProc->pgprocno;
#endif
}

#endif							/* MDR_COMPAT_H */
