/*
 * store_live.c
 *		Name of a policy -> this backend's engine for its live version.
 *
 * A short list of engines, each in a memory context of its own below CacheMemoryContext.  Whatever may have changed a policy
 * invalidates the relcache entry of moderation.policy (a trigger of the table says so, VACUUM and ALTER as a side effect); the
 * callback only counts, and the next look compares the live row's version and hash with what is open.  A new engine is complete before
 * it replaces the old one, so a failure on the way leaves the old one in place, marked stale, and the next call
 * tries again; the failed call itself raises.  Replaced engines are closed at the end of the transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "server/server.h"
#include "store/store_row.h"

#define DEFAULT_POLICY "terms-of-service"

typedef struct LiveEntry
{
	slist_node	node;
	MdrLive		live;
	uint8		sha256[32];
	uint64		seen;			/* generation at which this was last known to be live */
	MemoryContext context;		/* holds this struct, the name, and the engine */
} LiveEntry;

static slist_head live_entries = SLIST_STATIC_INIT(live_entries);
static slist_head replaced_entries = SLIST_STATIC_INIT(replaced_entries);
static uint64 generation = 1;
static Oid	policy_relation = InvalidOid;

static void
policy_changed(Datum arg, Oid relation)
{
	if (!OidIsValid(relation) || relation == policy_relation)
		generation++;
}

static void
transaction_ended(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			while (!slist_is_empty(&replaced_entries))
			{
				LiveEntry  *entry = slist_container(LiveEntry, node, slist_pop_head_node(&replaced_entries));

				MemoryContextDelete(entry->context);
			}
			break;
		default:
			break;
	}
}

static LiveEntry *
find_entry(const char *policy)
{
	slist_iter	iterator;

	slist_foreach(iterator, &live_entries)
	{
		LiveEntry  *entry = slist_container(LiveEntry, node, iterator.cur);

		if (strcmp(entry->live.policy, policy) == 0)
			return entry;
	}
	return NULL;
}

static void
replace_entry(LiveEntry *old, LiveEntry *new)
{
	if (old != NULL)
	{
		slist_delete(&live_entries, &old->node);
		slist_push_head(&replaced_entries, &old->node);
	}
	if (new != NULL)
		slist_push_head(&live_entries, &new->node);
}

static LiveEntry *
open_entry(const char *policy, const MdrPolicyRow *row, uint64 seen)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation policy", ALLOCSET_SMALL_SIZES);
	LiveEntry  *entry = MemoryContextAllocZero(context, sizeof(LiveEntry));

	entry->context = context;
	entry->live.policy = MemoryContextStrdup(context, policy);
	entry->live.version = row->version;
	entry->live.engine = mdr_store_open(policy, row, context);
	entry->seen = seen;
	memcpy(entry->sha256, row->sha256, sizeof(entry->sha256));

	MemoryContextSetParent(context, CacheMemoryContext);
	return entry;
}

uint64
mdr_policy_generation(void)
{
	AcceptInvalidationMessages();
	return generation;
}

const MdrLive *
mdr_policy_live(const char *name)
{
	const char *policy = name ? name : DEFAULT_POLICY;
	LiveEntry  *entry = find_entry(policy);
	LiveEntry  *fresh;
	uint64		seen = mdr_policy_generation();
	MdrPolicyRow row;
	bool		found;

	if (entry != NULL && entry->seen == seen)
		return &entry->live;

	/* From here on policy_changed() must know the table; a change before that has been counted by nobody, but is seen below. */
	policy_relation = mdr_relation("policy");
	found = mdr_store_find(policy, 0, false, &row, NULL);
	if (!found)
	{
		if (entry != NULL)
			replace_entry(entry, NULL);
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no policy \"%s\"", policy),
				 errhint("SELECT policy FROM moderation.policy lists the policies; moderation.load_policy() loads one.")));
	}
	if (entry != NULL && entry->live.version == row.version && memcmp(entry->sha256, row.sha256, sizeof(row.sha256)) == 0)
	{
		entry->seen = seen;
		return &entry->live;
	}

	fresh = open_entry(policy, &row, seen);
	replace_entry(entry, fresh);
	return &fresh->live;
}

void
mdr_store_init(void)
{
	CacheRegisterRelcacheCallback(policy_changed, (Datum) 0);
	RegisterXactCallback(transaction_ended, NULL);
}
