/*
 * guard_memo.c
 *		What a transaction's BEFORE triggers found out, kept until its AFTER triggers know what was stored.
 *
 * A verdict that is to be recorded belongs to a row that may never be stored (ON CONFLICT DO NOTHING, another trigger's
 * veto) and, when it was masked, can no longer be found in the row that is.  So the BEFORE trigger leaves the event
 * here, under a digest of registered table, column, account and value as stored, and the AFTER trigger takes it out and
 * records it: once for each row that was stored.  Where another trigger runs after ours, clean digests are left, too,
 * and what the AFTER trigger does not find here it scans again.
 *
 * Entries are counted, not tied to rows: each BEFORE adds one and each AFTER takes one, so a row that was not stored
 * leaves an entry that nobody asks for, and a rolled back subtransaction needs no cleaning up.  The number of entries
 * is bounded; once something was dropped, everything unknown is scanned again until the transaction ends.
 *
 * The digest is the first half of SHA-256 over a key of this backend's and the rest, so that nobody can look for
 * collisions.
 *
 * Memory: a context under TopTransactionContext, which goes with the transaction however that ends.  Takes no locks.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "guard/guard.h"
#include "server/server.h"
#include "server/server_inject.h"

#define MAX_PENDING		16384	/* events, of some 300 bytes */
#define MAX_CLEAN		65536	/* bare digests */
#define MAX_MOVING		1600	/* a table has no more columns */

typedef struct MemoEntry
{
	MdrDigest	digest;			/* key */
	uint32		clean;
	uint32		pending;
	MdrEvent   *event;			/* in memo_context, together with what it points to; NULL unless pending > 0 */
} MemoEntry;

static MemoryContext memo_context = NULL;
static HTAB *memo = NULL;
static int	npending = 0;		/* entries with an event */
static bool dropped = false;
static MdrDigest *moving = NULL;
static int	nmoving = 0;
static Oid	moving_from = InvalidOid;	/* the partition */
static CommandId moving_command = InvalidCommandId;	/* the statement that may move the row */

static void
forget(XactEvent event, void *arg)
{
	/* TopTransactionContext is freed by whoever ends the transaction. */
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		memo_context = NULL;
		memo = NULL;
		npending = 0;
		dropped = false;
		moving = NULL;
		nmoving = 0;
	}
}

static MemoryContext
context(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(forget, NULL);
		registered = true;
	}
	if (memo_context == NULL)
		memo_context = AllocSetContextCreate(TopTransactionContext, "moderation memo", ALLOCSET_DEFAULT_SIZES);
	return memo_context;
}

static MemoEntry *
find(const MdrDigest *digest, HASHACTION action)
{
	MemoEntry  *entry;
	bool		found;

	if (memo == NULL)
	{
		HASHCTL		control = {0};

		if (action != HASH_ENTER)
			return NULL;
		control.keysize = sizeof(MdrDigest);
		control.entrysize = sizeof(MemoEntry);
		control.hcxt = context();
		memo = hash_create("moderation memo", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(memo, digest, action, &found);
	if (action == HASH_ENTER && !found)
		memset(&entry->clean, 0, sizeof(MemoEntry) - offsetof(MemoEntry, clean));
	return entry;
}

/* One part of what is hashed, with its length before it, so that no two sequences of parts are the same bytes. */
static void
hash_part(pg_cryptohash_ctx *hash, const void *bytes, int32 length)
{
	if (pg_cryptohash_update(hash, (const uint8 *) &length, sizeof(length)) < 0 ||
		!mdr_hash_bytes(hash, bytes, length))
	{
		pg_cryptohash_free(hash);
		elog(ERROR, "could not hash");
	}
}

void
mdr_memo_digest(const MdrGuard *guard, int ordinal, Datum value, const char *account, MdrDigest *digest)
{
	static uint8 key[32];
	static bool has_key = false;
	struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);
	pg_cryptohash_ctx *hash;
	uint8		result[PG_SHA256_DIGEST_LENGTH];

	if (!has_key)
	{
		if (!pg_strong_random(key, sizeof(key)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
		has_key = true;
	}
	hash = pg_cryptohash_create(PG_SHA256);
	if (hash == NULL || pg_cryptohash_init(hash) < 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	hash_part(hash, key, sizeof(key));
	hash_part(hash, &guard->root, sizeof(guard->root));
	hash_part(hash, &ordinal, sizeof(ordinal));
	hash_part(hash, account, account == NULL ? 0 : strlen(account) + 1);
	hash_part(hash, VARDATA_ANY(packed), VARSIZE_ANY_EXHDR(packed));
	if (pg_cryptohash_final(hash, result, sizeof(result)) < 0)
	{
		pg_cryptohash_free(hash);
		elog(ERROR, "could not hash");
	}
	pg_cryptohash_free(hash);
	memcpy(digest->bytes, result, MDR_DIGEST_BYTES);
	if (packed != (struct varlena *) DatumGetPointer(value))
		pfree(packed);
}

void
mdr_memo_clean(const MdrDigest *digest)
{
	if (memo != NULL && hash_get_num_entries(memo) >= MAX_CLEAN + MAX_PENDING)
	{
		dropped = true;
		return;
	}
	find(digest, HASH_ENTER)->clean++;
}

static const char *
copy_string(const char *string)
{
	return string == NULL ? NULL : pstrdup(string);
}

/* Stored content is in the table, so an event that waits here carries none, and no ladder: stored content is no strike. */
static void
copy_event(const MdrEvent *from, MdrEvent *to)
{
	*to = *from;
	to->account = copy_string(from->account);
	to->category = copy_string(from->category);
	to->policy = copy_string(from->policy);
	to->relation = copy_string(from->relation);
	to->column = copy_string(from->column);
	to->db_role = copy_string(from->db_role);
	to->rules = palloc(Max(from->nrules, 1) * sizeof(char *));
	for (int i = 0; i < from->nrules; i++)
		to->rules[i] = copy_string(from->rules[i]);
	to->content = NULL;
	to->content_length = 0;
	to->ladder = NULL;
}

static void
free_event(MdrEvent *event)
{
	for (int i = 0; i < event->nrules; i++)
		pfree(unconstify(char *, event->rules[i]));
	pfree(event->rules);
	if (event->account != NULL)
		pfree(unconstify(char *, event->account));
	pfree(unconstify(char *, event->category));
	pfree(unconstify(char *, event->policy));
	pfree(unconstify(char *, event->relation));
	pfree(unconstify(char *, event->column));
	pfree(unconstify(char *, event->db_role));
	pfree(event);
}

bool
mdr_memo_pending(const MdrDigest *digest, const MdrEvent *event)
{
	MemoEntry  *entry = find(digest, HASH_FIND);

	if (entry == NULL || entry->event == NULL)
	{
		MemoryContext caller;
		MdrEvent   *copy;

		if (npending >= MAX_PENDING)
		{
			dropped = true;
			return false;
		}
		caller = MemoryContextSwitchTo(context());
		copy = palloc(sizeof(MdrEvent));
		copy_event(event, copy);
		MemoryContextSwitchTo(caller);
		entry = find(digest, HASH_ENTER);
		entry->event = copy;
		npending++;
	}
	entry->pending++;
	return true;
}

bool
mdr_memo_empty(void)
{
	return npending == 0 && !dropped;
}

bool
mdr_memo_dropped(void)
{
	return dropped;
}

MdrMemo
mdr_memo_take(const MdrDigest *digest, MdrEvent *event)
{
	MemoEntry  *entry = find(digest, HASH_FIND);
	MdrMemo		result;

	if (entry == NULL)
		return MDR_MEMO_NONE;
	if (entry->pending > 0)
	{
		result = MDR_MEMO_PENDING;
		copy_event(entry->event, event);
		if (--entry->pending == 0)
		{
			free_event(entry->event);
			entry->event = NULL;
			npending--;
		}
	}
	else
	{
		result = MDR_MEMO_CLEAN;
		entry->clean--;
	}
	if (entry->pending == 0 && entry->clean == 0)
		hash_search(memo, digest, HASH_REMOVE, NULL);
	return result;
}

/*
 * The statement that a row trigger fires for: not GetCurrentCommandId(), which other triggers' statements count on.
 */
static CommandId
statement(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot()->curcid : InvalidCommandId;
}

void
mdr_memo_move(Oid partition, const MdrDigest *digests, int ndigests)
{
	moving_from = partition;
	moving_command = statement();
	if (moving == NULL)
		moving = MemoryContextAlloc(context(), MAX_MOVING * sizeof(MdrDigest));
	nmoving = Min(ndigests, MAX_MOVING);
	memcpy(moving, digests, nmoving * sizeof(MdrDigest));
}

bool
mdr_memo_moving(Oid partition)
{
	if (MDR_INJECT_FAIL("guard_move"))
		return nmoving > 0;
	return nmoving > 0 && partition != moving_from && moving_command == statement();
}

bool
mdr_memo_moved(const MdrDigest *digest)
{
	for (int i = 0; i < nmoving; i++)
		if (memcmp(&moving[i], digest, sizeof(MdrDigest)) == 0)
		{
			moving[i] = moving[--nmoving];
			return true;
		}
	return false;
}
