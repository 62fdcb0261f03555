/*
 * account_passed.c
 *		The accounts that this transaction has written as: a small hash table, and a temporary file once there are many.
 *
 * Account -> MdrPassed.  Bounded in memory: a transaction that loads the rows of a million accounts keeps at most
 * PASSED_ENTRIES of them (and PASSED_BYTES) at a time and writes the others to a temporary file, from which they are
 * read only if the gate has to look at them again.
 *
 * What a rolled back subtransaction has added is dropped.  For that, every change is logged with the nesting level it
 * was made at; levels never fall from older to newer entries of the log, so that the end of a subtransaction only
 * touches its tail.  An account that went to the file stays in it though its subtransaction rolls back: it is looked
 * at once more than needed, which can only refuse, and only if that account was frozen meanwhile.  Nor is it known of
 * such an account that this very transaction has frozen it, so that it cannot both write as it and freeze it.
 *
 * Memory: a context of this file's own under TopMemoryContext, emptied at the end of each transaction; its first
 * block is kept, so that a transaction of one row allocates nothing from the system.  Locks: none.  Errors: out of
 * memory or of disk, raised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/tablespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "account/account_passed.h"
#include "account/account_row.h"

#define PASSED_BUCKETS 2048		/* a power of two */
#define PASSED_ENTRIES 8192
#define PASSED_BYTES (1024 * 1024)

typedef struct PassedChange
{
	MdrPassed  *passed;
	int			level;			/* nesting level; 1 = the transaction itself */
	bool		clean;			/* it was marked clean; else it was added */
} PassedChange;

/* An account in the file, before the bytes of its key. */
typedef struct PassedRecord
{
	int			length;
	bool		open_row;
	bool		clean;
} PassedRecord;

static MemoryContext passed_context = NULL;
static MdrPassed *buckets[PASSED_BUCKETS];
static uint32 npassed = 0;
static Size passed_bytes = 0;
static uint64 oldest = UINT64_MAX;

static PassedChange *changes = NULL;
static uint32 nchanges = 0;
static uint32 changes_size = 0;

static BufFile *file = NULL;
static uint64 nrecords = 0;
static uint64 nreports = 0;		/* of these, clean ones with an open row of refusals */
static uint64 file_generation = UINT64_MAX;
static bool file_broken = false;	/* an error has ended the writing of an entry half-way */

static inline uint32
passed_hash(const char *account, int length)
{
	return hash_bytes((const unsigned char *) account, length);
}

MdrPassed *
mdr_passed_find(const char *account, int length)
{
	uint32		hash;
	MdrPassed  *passed;

	if (npassed == 0)
		return NULL;
	hash = passed_hash(account, length);
	for (passed = buckets[hash % PASSED_BUCKETS]; passed != NULL; passed = passed->next)
	{
		if (passed->hash == hash && passed->length == length && memcmp(passed->account, account, length) == 0)
			return passed;
	}
	return NULL;
}

static void
log_change(MdrPassed *passed, bool clean)
{
	if (nchanges == changes_size)
	{
		uint32		size = changes_size ? changes_size * 2 : 16;

		if (changes == NULL)
			changes = MemoryContextAlloc(passed_context, size * sizeof(PassedChange));
		else
			changes = repalloc(changes, size * sizeof(PassedChange));
		changes_size = size;
	}
	changes[nchanges].passed = passed;
	changes[nchanges].level = GetCurrentTransactionNestLevel();
	changes[nchanges].clean = clean;
	nchanges++;
}

/* Empties the hash table and the log. */
static void
forget_all(void)
{
	if (npassed > PASSED_BUCKETS / 8)
		memset(buckets, 0, sizeof(buckets));
	else
	{
		for (uint32 i = 0; i < nchanges; i++)
			buckets[changes[i].passed->hash % PASSED_BUCKETS] = NULL;
	}
	npassed = 0;
	passed_bytes = 0;
	oldest = UINT64_MAX;
	changes = NULL;
	nchanges = changes_size = 0;
	if (passed_context != NULL)
		MemoryContextReset(passed_context);
}

/* Moves everything to the file, which belongs to the transaction, whichever subtransaction happens to be current. */
static void
spill(void)
{
	if (file == NULL)
	{
		ResourceOwner owner = CurrentResourceOwner;
		MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

		PrepareTempTablespaces();
		CurrentResourceOwner = TopTransactionResourceOwner;
		PG_TRY();
		{
			file = BufFileCreateTemp(false);
		}
		PG_FINALLY();
		{
			CurrentResourceOwner = owner;
		}
		PG_END_TRY();
		MemoryContextSwitchTo(caller);
	}
	if (file_broken)
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("writing to the temporary file of accounts has failed before")));
	file_broken = true;
	for (uint32 i = 0; i < nchanges; i++)
	{
		MdrPassed  *passed = changes[i].passed;
		PassedRecord	record = {passed->length, passed->open_row, passed->clean};

		if (changes[i].clean)
			continue;
		BufFileWrite(file, &record, sizeof(record));
		BufFileWrite(file, passed->account, passed->length);
		nrecords++;
		nreports += record.clean && record.open_row;
	}
	file_broken = false;
	file_generation = Min(file_generation, oldest);
	forget_all();
}

MdrPassed *
mdr_passed_add(const char *account, int length, uint64 generation)
{
	MdrPassed  *passed;
	MdrPassed  **bucket;

	if (passed_context == NULL)
		passed_context = AllocSetContextCreate(TopMemoryContext, "moderation gate", ALLOCSET_DEFAULT_SIZES);
	if (npassed >= PASSED_ENTRIES || passed_bytes >= PASSED_BYTES)
		spill();

	passed = MemoryContextAlloc(passed_context, offsetof(MdrPassed, account) + length + 1);
	passed->hash = passed_hash(account, length);
	passed->length = length;
	passed->generation = generation;
	passed->open_row = passed->clean = passed->own_change = false;
	memcpy(passed->account, account, length);
	passed->account[length] = '\0';

	log_change(passed, false);	/* first: it can fail */
	bucket = &buckets[passed->hash % PASSED_BUCKETS];
	passed->next = *bucket;
	*bucket = passed;
	npassed++;
	passed_bytes += length;
	oldest = Min(oldest, generation);
	return passed;
}

void
mdr_passed_clean(MdrPassed *passed)
{
	if (passed->clean)
		return;
	log_change(passed, true);
	passed->clean = true;
}

uint64
mdr_passed_count(void)
{
	return npassed + nrecords;
}

uint64
mdr_passed_oldest(void)
{
	return Min(oldest, file_generation);
}

void
mdr_passed_renewed(uint64 generation)
{
	if (npassed > 0)
		oldest = generation;
	if (nrecords > 0)
		file_generation = generation;
}

void
mdr_passed_each(MdrPassedCallback callback, bool only_reports)
{
	for (uint32 i = 0; i < nchanges; i++)
	{
		if (!changes[i].clean)
			callback(changes[i].passed);
	}

	if (only_reports ? nreports > 0 : nrecords > 0)
	{
		MdrPassed  *passed = palloc0(offsetof(MdrPassed, account) + MDR_ACCOUNT_MAX + 1);

		if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not rewind the temporary file of accounts")));
		for (uint64 i = 0; i < nrecords; i++)
		{
			PassedRecord	record;

			if (BufFileRead(file, &record, sizeof(record)) != sizeof(record) ||
				record.length < 0 || record.length > MDR_ACCOUNT_MAX ||
				BufFileRead(file, passed->account, record.length) != record.length)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not read from the temporary file of accounts")));
			passed->account[record.length] = '\0';
			passed->length = record.length;
			passed->generation = file_generation;
			passed->open_row = record.open_row;
			passed->clean = record.clean;
			callback(passed);
		}
		pfree(passed);
	}
}

void
mdr_passed_close(void)
{
	if (file != NULL)
		BufFileClose(file);
	file = NULL;
	nrecords = nreports = 0;
	file_generation = UINT64_MAX;
	file_broken = false;
}

/* If the transaction aborts, its resource owner closes the file, whose memory goes with TopTransactionContext. */
void
mdr_passed_reset(void)
{
	file = NULL;
	nrecords = nreports = 0;
	file_generation = UINT64_MAX;
	file_broken = false;
	if (nchanges > 0)
		forget_all();
}

void
mdr_passed_subcommit(int level)
{
	for (uint32 i = nchanges; i > 0 && changes[i - 1].level >= level; i--)
		changes[i - 1].level = level - 1;
}

void
mdr_passed_subabort(int level)
{
	while (nchanges > 0 && changes[nchanges - 1].level >= level)
	{
		PassedChange *change = &changes[--nchanges];
		MdrPassed  *passed = change->passed;

		if (change->clean)
		{
			passed->clean = false;
			continue;
		}

		/* Chains grow at the head, and the log is undone from its newest entry. */
		Assert(buckets[passed->hash % PASSED_BUCKETS] == passed);
		buckets[passed->hash % PASSED_BUCKETS] = passed->next;
		npassed--;
		passed_bytes -= passed->length;
		pfree(passed);
	}
}
