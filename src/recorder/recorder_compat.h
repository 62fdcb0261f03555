/*
 * recorder_compat.h
 *		Differences between PostgreSQL 15 and 18 that only the recorder meets.
 *
 * Include after postgres.h.
 */
#ifndef MDR_RECORDER_COMPAT_H
#define MDR_RECORDER_COMPAT_H

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif

/*
 * A named piece of shared memory, made by whoever comes first, without having been preloaded.  17: "Introduce the dynamic shared
 * memory registry"; before, the free tail of the main segment is used, as contrib/autoprewarm does.  May raise an
 * ERROR, with an LWLock held.
 */
static inline void *
mdr_named_memory_compat(const char *name, size_t size, void (*prepare) (void *memory))
{
	bool		found;
#if PG_VERSION_NUM >= 170000
	return GetNamedDSMSegment(name, size, prepare, &found);
#else
	void	   *memory;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct(name, size, &found);
	if (!found)
		prepare(memory);
	LWLockRelease(AddinShmemInitLock);
	return memory;
#endif
}

/* 17: "Add support for a transaction_timeout", for which set(name, value) is called where it exists. */
static inline void
mdr_no_transaction_timeout_compat(void (*set) (const char *name, const char *value))
{
#if PG_VERSION_NUM >= 170000
	set("transaction_timeout", "0");
#endif
}

/* Whether an interrupt is pending that may end the statement or the session.  17: transaction_timeout. */
static inline bool
mdr_interrupt_ends_compat(void)
{
#if PG_VERSION_NUM >= 170000
	if (TransactionTimeoutPending)
		return true;
#endif
	return QueryCancelPending || ProcDiePending || CheckClientConnectionPending || ClientConnectionLost;
}

#endif							/* MDR_RECORDER_COMPAT_H */
