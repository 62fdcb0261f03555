/*
 * recorder_root.c
 *		How the processes of one database find their ring, without having been preloaded.
 *
 * In: MyDatabaseId.  Out: the ring, mapped for the rest of the process.  The root is a small named piece of shared memory that
 * vanishes with the rest of it, so that a stale handle cannot exist; it maps database oids to segment handles under its own
 * LWLock.  Rings of databases that are gone are freed when a new one is made.
 *
 * Memory: ring segments are pinned and belong to the root.  Errors: everything that may raise runs in mdr_shielded(), and a
 * process that cannot have a ring gets NULL and tries again a second later.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/dsm.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "recorder/recorder_compat.h"
#include "recorder/recorder_ring.h"
#include "server/server_inject.h"

/* The name carries the layout: sessions that still run an older library keep to their own root. */
#define ROOT_NAME "moderation recorder 2"
#define ROOT_DATABASES 1024	/* 8 bytes each; beyond, there is only the spool */
#define RING_MAGIC 0x4D445232

typedef struct MdrRootEntry
{
	Oid			database;
	dsm_handle	ring;
} MdrRootEntry;

typedef struct MdrRoot
{
	int			tranche;
	LWLock		lock;			/* protects entries; taken before any ring's lock */
	MdrRootEntry entries[ROOT_DATABASES];
} MdrRoot;

static MdrRoot *root = NULL;
static MdrRing *ring = NULL;
static TimestampTz failed_at = 0;

bool
mdr_shielded(bool (*action) (void *), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	uint32		holdoff = InterruptHoldoffCount;
	uint32		cancel_holdoff = QueryCancelHoldoffCount;
	volatile bool done = false;

	PG_TRY();
	{
		done = action(argument);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/*
		 * No LWLock is held where the recorder is called from, so all that are held now are of the action.  The error has reset the
		 * hold-off counters, which LWLockReleaseAll takes care of and which must be as they were afterwards.
		 */
		LWLockReleaseAll();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		InterruptHoldoffCount = holdoff;
		QueryCancelHoldoffCount = cancel_holdoff;
		ereport(LOG_SERVER_ONLY,
				(errcode(error->sqlerrcode),
				 errmsg("moderation recorder: %s", error->message)));
		FreeErrorData(error);
		done = false;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	return done;
}

static void
root_prepare(void *memory)
{
	MdrRoot    *fresh = memory;

	memset(fresh, 0, sizeof(*fresh));
	fresh->tranche = LWLockNewTrancheId();
	LWLockInitialize(&fresh->lock, fresh->tranche);
}

static bool
root_find(void *unused)
{
	MdrRoot    *found;

	MDR_INJECT("ring_root");
	found = mdr_named_memory_compat(ROOT_NAME, sizeof(MdrRoot), root_prepare);

	LWLockRegisterTranche(found->tranche, "moderation_recorder");
	root = found;
	return true;
}

static void
ring_prepare(MdrRing *fresh)
{
	memset(fresh, 0, sizeof(*fresh));
	fresh->magic = RING_MAGIC;
	fresh->database = MyDatabaseId;
	LWLockInitialize(&fresh->lock, root->tranche);
	fresh->state = MDR_WORKER_NONE;
	for (int i = 0; i < MDR_RING_SLOTS; i++)
		fresh->slots[i].ticket = PG_UINT64_MAX;
}

/* Frees the ring of a database that is gone, and the segments of units that nobody will fetch. */
static bool
ring_free(void *argument)
{
	dsm_handle	handle = *(dsm_handle *) argument;
	dsm_segment *segment = dsm_attach(handle);
	MdrRing    *old;

	if (segment == NULL)
		return false;
	old = dsm_segment_address(segment);
	for (uint64 ticket = old->tail; ticket < old->head; ticket++)
	{
		MdrSlot    *slot = &old->slots[ticket % MDR_RING_SLOTS];

		if (slot->segment != DSM_HANDLE_INVALID)
			dsm_unpin_segment(slot->segment);
	}
	dsm_detach(segment);
	dsm_unpin_segment(handle);
	return true;
}

/* Nobody can be connected to a database that is gone, so nobody else uses what is freed here. */
static bool
sweep(void *unused)
{
	MdrRootEntry entries[ROOT_DATABASES];

	LWLockAcquire(&root->lock, LW_SHARED);
	memcpy(entries, root->entries, sizeof(entries));
	LWLockRelease(&root->lock);

	for (int i = 0; i < ROOT_DATABASES; i++)
	{
		bool		mine = false;

		if (!OidIsValid(entries[i].database) ||
			SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(entries[i].database)))
			continue;
		LWLockAcquire(&root->lock, LW_EXCLUSIVE);
		if (root->entries[i].database == entries[i].database && root->entries[i].ring == entries[i].ring)
		{
			root->entries[i].database = InvalidOid;
			mine = true;
		}
		LWLockRelease(&root->lock);
		if (mine)
			(void) mdr_shielded(ring_free, &entries[i].ring);
	}
	return true;
}

static MdrRootEntry *
entry_of(Oid database)
{
	for (int i = 0; i < ROOT_DATABASES; i++)
		if (root->entries[i].database == database)
			return &root->entries[i];
	return NULL;
}

/* argument: whether to make the ring if it is absent. */
static bool
ring_find(void *argument)
{
	bool		create = *(bool *) argument;
	bool		made = false;
	dsm_segment *segment = NULL;
	MdrRing    *found;
	MdrRootEntry *entry;

	MDR_INJECT("ring_make");
	LWLockAcquire(&root->lock, create ? LW_EXCLUSIVE : LW_SHARED);
	entry = entry_of(MyDatabaseId);
	if (entry != NULL)
		segment = dsm_attach(entry->ring);
	else if (create && (entry = entry_of(InvalidOid)) != NULL)
	{
		segment = dsm_create(sizeof(MdrRing), DSM_CREATE_NULL_IF_MAXSEGMENTS);
		if (segment != NULL)
		{
			dsm_pin_segment(segment);
			ring_prepare(dsm_segment_address(segment));
			entry->ring = dsm_segment_handle(segment);
			entry->database = MyDatabaseId;
			made = true;
		}
	}
	LWLockRelease(&root->lock);

	if (segment == NULL)
		return false;
	/* What failed half way goes with the transaction; what is mapped now stays mapped, whatever becomes of it. */
	dsm_pin_mapping(segment);
	found = dsm_segment_address(segment);
	if (found->magic != RING_MAGIC || found->database != MyDatabaseId)
	{
		dsm_detach(segment);
		elog(ERROR, "the ring of database %u is not what it should be", MyDatabaseId);
	}
	ring = found;
	if (made && IsTransactionState())
		(void) mdr_shielded(sweep, NULL);
	return true;
}

MdrRing *
mdr_ring(bool create)
{
	if (likely(ring != NULL))
		return ring;

	/* Without a postmaster there is nobody to start a worker; and a failure is not repeated with every row. */
	if (!IsUnderPostmaster || !OidIsValid(MyDatabaseId))
		return NULL;
	if (failed_at != 0 && !TimestampDifferenceExceeds(failed_at, GetCurrentTimestamp(), 1000))
		return NULL;
	if ((root == NULL && !mdr_shielded(root_find, NULL)) || !mdr_shielded(ring_find, &create))
	{
		if (create)
			failed_at = GetCurrentTimestamp();
		return NULL;
	}
	return ring;
}

bool
mdr_ring_available(void)
{
	return root != NULL;
}
