/*
 * store_row.c
 *		Rows of moderation.policy and moderation.policy_image -> an engine.
 *
 * Reads the tables directly, not through SQL: no rights of the caller are needed, and a new connection's first look costs
 * little.  Takes AccessShareLock on the tables while it reads them.  Results are palloc'd in the current context; an engine
 * belongs to the context it was opened for, whose reset callback closes it.  Every failure is an ERROR: nobody ever goes on with no
 * policy at all.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "server/server.h"
#include "store/store_row.h"

/* Columns as numbered in tables.sql. */
enum
{
	Policy_policy = 1,
	Policy_version,
	Policy_state,
	Policy_builtin,
	Policy_description,
	Policy_document,
	Policy_sha256,
	Policy_loaded_at
};

enum
{
	Image_policy = 1,
	Image_version,
	Image_sha256,
	Image_image
};

#define COMPILE_LIMIT ((size_t) 2 * 1024 * 1024 * 1024)

struct MdrEngineOwner
{
	MemoryContextCallback callback;
	MdrEngine  *engine;
};

static Oid
required_relation(const char *name)
{
	Oid			relation = mdr_relation(name);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"moderation\" is not installed in this database"),
				 errhint("CREATE EXTENSION moderation;")));
	return relation;
}

static bool
same_hash(Datum datum, const uint8 *sha256)
{
	bytea	   *value = DatumGetByteaPP(datum);

	return VARSIZE_ANY_EXHDR(value) == 32 && memcmp(VARDATA_ANY(value), sha256, 32) == 0;
}

/* Which version is looked for. */
typedef enum Wanted
{
	WANTED_LIVE,
	WANTED_EXACTLY,
	WANTED_BELOW				/* the highest one below that was ever in force, as far as is known */
} Wanted;

static bool
is_better(Wanted wanted, int version, int number, const char *state, int best)
{
	switch (wanted)
	{
		case WANTED_EXACTLY:
			return number == version;
		case WANTED_BELOW:
			return number < version && number > best && strcmp(state, "draft") != 0;
		default:
			return number > best && strcmp(state, "active") == 0;
	}
}

static bool
find_row(const char *policy, Wanted wanted, int version, bool with_document, MdrPolicyRow *row, int *last)
{
	Relation	table = table_open(required_relation("policy"), AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(table);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	HeapTuple	best = NULL;

	memset(row, 0, sizeof(*row));
	if (last != NULL)
		*last = 0;

	/* Without a snapshot given, a systable scan takes the newest: exactly what is wanted here. */
	ScanKeyInit(&key, Policy_policy, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(policy));
	scan = systable_beginscan(table, mdr_relation("policy_pkey"), true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;
		int			number = DatumGetInt32(heap_getattr(tuple, Policy_version, descriptor, &null));
		char	   *state = TextDatumGetCString(heap_getattr(tuple, Policy_state, descriptor, &null));

		if (last != NULL && number > *last)
			*last = number;
		if (is_better(wanted, version, number, state, row->version))
		{
			row->version = number;
			best = heap_copytuple(tuple);
		}
	}
	if (best != NULL)
	{
		bool		null;
		Datum		sha256 = heap_getattr(best, Policy_sha256, descriptor, &null);
		bytea	   *value = DatumGetByteaPP(sha256);

		if (VARSIZE_ANY_EXHDR(value) == sizeof(row->sha256))
			memcpy(row->sha256, VARDATA_ANY(value), sizeof(row->sha256));
		row->builtin = DatumGetBool(heap_getattr(best, Policy_builtin, descriptor, &null));
		row->loaded_at = DatumGetTimestampTz(heap_getattr(best, Policy_loaded_at, descriptor, &null));

		/* While the scan's snapshot still protects what it points to. */
		if (with_document)
			row->document = DatumGetTextPCopy(heap_getattr(best, Policy_document, descriptor, &null));
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return best != NULL;
}

bool
mdr_store_find(const char *policy, int version, bool with_document, MdrPolicyRow *row, int *last)
{
	return find_row(policy, version == 0 ? WANTED_LIVE : WANTED_EXACTLY, version, with_document, row, last);
}

bool
mdr_store_earlier(const char *policy, int version, MdrPolicyRow *row)
{
	return find_row(policy, WANTED_BELOW, version, true, row, NULL);
}

bytea *
mdr_store_image(const char *policy, const MdrPolicyRow *row)
{
	Relation	table = table_open(required_relation("policy_image"), AccessShareLock);
	TupleDesc	descriptor = RelationGetDescr(table);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bytea	   *image = NULL;

	ScanKeyInit(&keys[0], Image_policy, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(policy));
	ScanKeyInit(&keys[1], Image_version, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(row->version));
	scan = systable_beginscan(table, mdr_relation("policy_image_pkey"), true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		null;

		if (same_hash(heap_getattr(tuple, Image_sha256, descriptor, &null), row->sha256))
			image = DatumGetByteaPCopy(heap_getattr(tuple, Image_image, descriptor, &null));
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return image;
}

bool
mdr_store_fits(const char *policy, const MdrPolicyRow *row)
{
	MdrEngine  *engine = NULL;
	bytea	   *image = mdr_store_image(policy, row);

	if (image == NULL || mdr_engine_open(VARDATA(image), VARSIZE(image) - VARHDRSZ, &engine, NULL) != MDR_OK)
		return false;
	mdr_engine_close(engine);
	return true;
}

static void
close_engine(void *argument)
{
	MdrEngineOwner *owner = argument;

	mdr_engine_close(owner->engine);
	owner->engine = NULL;
}

MdrEngineOwner *
mdr_engine_owner(MemoryContext context)
{
	MdrEngineOwner *owner = MemoryContextAllocZero(context, sizeof(MdrEngineOwner));

	owner->callback.func = close_engine;
	owner->callback.arg = owner;
	MemoryContextRegisterResetCallback(context, &owner->callback);
	return owner;
}

void
mdr_engine_own(MdrEngineOwner *owner, MdrEngine *engine)
{
	Assert(owner->engine == NULL);
	owner->engine = engine;
}

static MdrEngine *
compile_row(const char *policy, const MdrPolicyRow *row)
{
	MdrPolicyRow full;
	MdrArena   *arena = mdr_arena_in(CurrentMemoryContext, COMPILE_LIMIT);
	MdrPolicy  *tree;
	MdrEngine  *engine = NULL;
	MdrError	error = {0};
	MdrStatus	status;
	const char *utf8;
	int			length;
	char	   *image;
	size_t		image_length;

	if (!mdr_store_find(policy, row->version, true, &full, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of policy \"%s\" is gone", row->version, policy)));
	ereport(DEBUG1,
			(errmsg_internal("policy \"%s\" version %d has no fitting image: compiling it", policy, row->version)));

	mdr_to_utf8(VARDATA_ANY(full.document), VARSIZE_ANY_EXHDR(full.document), &utf8, &length);
	status = mdr_policy_parse(arena, utf8, length, mdr_interrupted, NULL, &tree, &error);
	if (status == MDR_OK)
		status = mdr_compile(arena, tree, mdr_interrupted, NULL, &image, &image_length, &error);
	CHECK_FOR_INTERRUPTS();
	if (status == MDR_OK)
		status = mdr_engine_open(image, image_length, &engine, &error);
	if (status == MDR_INVALID)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_POLICY),
				 errmsg("policy \"%s\" version %d does not compile with this version of the extension", policy, row->version),
				 errdetail("Line %d: %s.", error.line, mdr_from_utf8(error.message, strlen(error.message))),
				 errhint("Load a corrected document with moderation.load_policy().")));
	if (status != MDR_OK)
		mdr_raise(status, &error);
	return engine;
}

MdrEngine *
mdr_store_open(const char *policy, const MdrPolicyRow *row, MemoryContext context)
{
	MdrEngineOwner *owner = mdr_engine_owner(context);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "moderation policy image", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	MdrEngine  *engine = NULL;
	MdrError	error = {0};
	MdrStatus	status = MDR_INVALID;
	bytea	   *image = mdr_store_image(policy, row);

	if (image != NULL)
		status = mdr_engine_open(VARDATA(image), VARSIZE(image) - VARHDRSZ, &engine, &error);
	if (status == MDR_INVALID)
		engine = compile_row(policy, row);
	else if (status != MDR_OK)
		mdr_raise(status, &error);
	mdr_engine_own(owner, engine);

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(scratch);
	return engine;
}
