/*
 * account_memo.c
 *		The accounts that this transaction has written as: a small hash table, and a temporary file once there are many.
 *
 * Account -> MdrMemo.  Bounded in memory: a transaction that loads the rows of a million accounts keeps at most MEMO_ENTRIES of
 * them (and MEMO_BYTES) at a time and writes the others to a temporary file, from which they are read only if the gate has to
 * look at them again.
 *
 * What a rolled back subtransaction has added is dropped.  For that, every change is logged with the nesting level it was made
 * at; levels never fall from older to newer entries of the log, so that the end of a subtransaction only touches its tail.  An
 * account that went to the file stays in it though its subtransaction rolls back: it is looked at once more than needed,
 * which can only refuse, and only if that account was frozen meanwhile.
 *
 * Memory: a context of this file's own under TopMemoryContext, emptied at the end of each transaction; its first block is kept,
 * so that a transaction of one row allocates nothing from the system.  Locks: none.  Errors: out of memory or of disk, raised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/tablespace.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "account/account_memo.h"
#include "account/account_row.h"

#define MEMO_BUCKETS 2048		/* a power of two */
#define MEMO_ENTRIES 8192
#define MEMO_BYTES (1024 * 1024)

typedef struct MemoChange
{
	MdrMemo    *memo;
	int			level;			/* nesting level; 1 = the transaction itself */
	bool		clean;			/* it was marked clean; else it was added */
} MemoChange;

/* An account in the file, before the bytes of its key. */
typedef struct MemoRecord
{
	int			length;
	bool		open_row;
	bool		clean;
} MemoRecord;

static MemoryContext memo_context = NULL;
static MdrMemo *buckets[MEMO_BUCKETS];
static uint32 nmemos = 0;
static Size memo_bytes = 0;
static uint64 oldest = UINT64_MAX;

static MemoChange *changes = NULL;
static uint32 nchanges = 0;
static uint32 changes_size = 0;

static BufFile *file = NULL;
static uint64 nrecords = 0;
static uint64 nreports = 0;		/* of these, clean ones with an open row of refusals */
static uint64 file_generation = UINT64_MAX;

static inline uint32
memo_hash(const char *account, int length)
{
	return hash_bytes((const unsigned char *) account, length);
}

MdrMemo *
mdr_memo_find(const char *account, int length)
{
	uint32		hash;
	MdrMemo    *memo;

	if (nmemos == 0)
		return NULL;
	hash = memo_hash(account, length);
	for (memo = buckets[hash % MEMO_BUCKETS]; memo != NULL; memo = memo->next)
	{
		if (memo->hash == hash && memo->length == length && memcmp(memo->account, account, length) == 0)
			return memo;
	}
	return NULL;
}

static void
log_change(MdrMemo *memo, bool clean)
{
	if (nchanges == changes_size)
	{
		uint32		size = changes_size ? changes_size * 2 : 16;

		if (changes == NULL)
			changes = MemoryContextAlloc(memo_context, size * sizeof(MemoChange));
		else
			changes = repalloc(changes, size * sizeof(MemoChange));
		changes_size = size;
	}
	changes[nchanges].memo = memo;
	changes[nchanges].level = GetCurrentTransactionNestLevel();
	changes[nchanges].clean = clean;
	nchanges++;
}

/* Empties the hash table and the log. */
static void
forget_all(void)
{
	if (nmemos > MEMO_BUCKETS / 8)
		memset(buckets, 0, sizeof(buckets));
	else
	{
		for (uint32 i = 0; i < nchanges; i++)
			buckets[changes[i].memo->hash % MEMO_BUCKETS] = NULL;
	}
	nmemos = 0;
	memo_bytes = 0;
	oldest = UINT64_MAX;
	changes = NULL;
	nchanges = changes_size = 0;
	if (memo_context != NULL)
		MemoryContextReset(memo_context);
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
	for (uint32 i = 0; i < nchanges; i++)
	{
		MdrMemo    *memo = changes[i].memo;
		MemoRecord	record = {memo->length, memo->open_row, memo->clean};

		if (changes[i].clean)
			continue;
		BufFileWrite(file, &record, sizeof(record));
		BufFileWrite(file, memo->account, memo->length);
		nrecords++;
		nreports += record.clean && record.open_row;
	}
	file_generation = Min(file_generation, oldest);
	forget_all();
}

MdrMemo *
mdr_memo_add(const char *account, int length, uint64 generation)
{
	MdrMemo    *memo;
	MdrMemo   **bucket;

	if (memo_context == NULL)
		memo_context = AllocSetContextCreate(TopMemoryContext, "moderation gate", ALLOCSET_DEFAULT_SIZES);
	if (nmemos >= MEMO_ENTRIES || memo_bytes >= MEMO_BYTES)
		spill();

	memo = MemoryContextAlloc(memo_context, offsetof(MdrMemo, account) + length + 1);
	memo->hash = memo_hash(account, length);
	memo->length = length;
	memo->generation = generation;
	memo->open_row = memo->clean = memo->own_change = false;
	memcpy(memo->account, account, length);
	memo->account[length] = '\0';

	log_change(memo, false);	/* first: it can fail */
	bucket = &buckets[memo->hash % MEMO_BUCKETS];
	memo->next = *bucket;
	*bucket = memo;
	nmemos++;
	memo_bytes += length;
	oldest = Min(oldest, generation);
	return memo;
}

void
mdr_memo_clean(MdrMemo *memo)
{
	if (memo->clean)
		return;
	log_change(memo, true);
	memo->clean = true;
}

uint64
mdr_memo_count(void)
{
	return nmemos + nrecords;
}

uint64
mdr_memo_oldest(void)
{
	return Min(oldest, file_generation);
}

void
mdr_memo_renewed(uint64 generation)
{
	if (nmemos > 0)
		oldest = generation;
	if (nrecords > 0)
		file_generation = generation;
}

void
mdr_memo_each(MdrMemoCallback callback, bool only_reports)
{
	for (uint32 i = 0; i < nchanges; i++)
	{
		if (!changes[i].clean)
			callback(changes[i].memo);
	}

	if (only_reports ? nreports > 0 : nrecords > 0)
	{
		MdrMemo    *memo = palloc0(offsetof(MdrMemo, account) + MDR_ACCOUNT_MAX + 1);

		if (BufFileSeek(file, 0, 0, SEEK_SET) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not rewind the temporary file of accounts")));
		for (uint64 i = 0; i < nrecords; i++)
		{
			MemoRecord	record;

			if (BufFileRead(file, &record, sizeof(record)) != sizeof(record) ||
				record.length < 0 || record.length > MDR_ACCOUNT_MAX ||
				BufFileRead(file, memo->account, record.length) != record.length)
				ereport(ERROR,
						(errcode_for_file_access(),
						 errmsg("could not read from the temporary file of accounts")));
			memo->account[record.length] = '\0';
			memo->length = record.length;
			memo->generation = file_generation;
			memo->open_row = record.open_row;
			memo->clean = record.clean;
			callback(memo);
		}
		pfree(memo);
	}
}

void
mdr_memo_close(void)
{
	if (file != NULL)
		BufFileClose(file);
	file = NULL;
	nrecords = nreports = 0;
	file_generation = UINT64_MAX;
}

/* The file of a transaction that aborts is closed by its resource owner, and its memory goes with TopTransactionContext. */
void
mdr_memo_reset(void)
{
	file = NULL;
	nrecords = nreports = 0;
	file_generation = UINT64_MAX;
	if (nchanges > 0)
		forget_all();
}

void
mdr_memo_subcommit(int level)
{
	for (uint32 i = nchanges; i > 0 && changes[i - 1].level >= level; i--)
		changes[i - 1].level = level - 1;
}

void
mdr_memo_subabort(int level)
{
	while (nchanges > 0 && changes[nchanges - 1].level >= level)
	{
		MemoChange *change = &changes[--nchanges];
		MdrMemo    *memo = change->memo;

		if (change->clean)
		{
			memo->clean = false;
			continue;
		}

		/* Chains grow at the head, and the log is undone from its newest entry. */
		Assert(buckets[memo->hash % MEMO_BUCKETS] == memo);
		buckets[memo->hash % MEMO_BUCKETS] = memo->next;
		nmemos--;
		memo_bytes -= memo->length;
		pfree(memo);
	}
}
