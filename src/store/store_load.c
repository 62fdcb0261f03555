/*
 * store_load.c
 *		moderation.load_policy(): a document -> a new live version, or an ERROR and nothing.
 *
 * Parses, compiles, opens and runs the document's own examples before anything is written.  Takes ShareRowExclusiveLock on
 * moderation.policy, which lets everybody read and makes a second load wait, and keeps it to the end of the transaction.
 * Everything is allocated below one context that is deleted at the end, the core's memory and the engine included; an ERROR
 * leaves that to the abort.  Whoever has a backend open sees the new version from the first statement after the commit:
 * a trigger of moderation.policy invalidates its relcache entry, whoever writes there, a restore included.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/server.h"
#include "store/store_row.h"

PG_FUNCTION_INFO_V1(moderation_load_policy);
PG_FUNCTION_INFO_V1(moderation_load_builtin_policy);
PG_FUNCTION_INFO_V1(moderation_activate_policy);
PG_FUNCTION_INFO_V1(moderation_compile_policies);
PG_FUNCTION_INFO_V1(moderation_announce_policy);

#define LOAD_LIMIT ((size_t) 2 * 1024 * 1024 * 1024)

/* A document that is being loaded. */
typedef struct Load
{
	text	   *document;
	MdrPolicyRow row;			/* version and hash it will have */
	MdrArena   *arena;
	MdrPolicy  *policy;
	char	   *name;
	char	   *image;
	size_t		image_length;
} Load;

static void
hash_document(const char *utf8, size_t length, uint8 *sha256)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);

	if (hash == NULL || pg_cryptohash_init(hash) < 0 || !mdr_hash_bytes(hash, utf8, length)
		|| pg_cryptohash_final(hash, sha256, PG_SHA256_DIGEST_LENGTH) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute the SHA-256 of a policy document")));
	pg_cryptohash_free(hash);
}

static void
parse(Load *load)
{
	const char *utf8;
	int			length;
	MdrError	error = {0};
	MdrStatus	status;

	mdr_to_utf8(VARDATA_ANY(load->document), VARSIZE_ANY_EXHDR(load->document), &utf8, &length);
	hash_document(utf8, length, load->row.sha256);

	status = mdr_policy_parse(load->arena, utf8, length, mdr_interrupted, NULL, &load->policy, &error);
	if (status != MDR_OK)
		mdr_raise(status, &error);
	load->name = mdr_from_utf8(load->policy->name, strlen(load->policy->name));
}

/* Compiles, and tries the result: it must open here, and every rule must find and leave what its examples say. */
static void
compile(Load *load, bool check)
{
	MdrEngineOwner *owner = mdr_engine_owner(CurrentMemoryContext);
	MdrEngine  *engine = NULL;
	MdrError	error = {0};
	MdrStatus	status;

	status = mdr_compile(load->arena, load->policy, mdr_interrupted, NULL, &load->image, &load->image_length, &error);
	if (status != MDR_OK)
		mdr_raise(status, &error);

	status = mdr_engine_open(load->image, load->image_length, &engine, &error);
	if (status == MDR_OK)
		mdr_engine_own(owner, engine);
	CHECK_FOR_INTERRUPTS();
	if (status == MDR_OK && check)
		status = mdr_engine_check(engine, load->policy, mdr_interrupted, NULL, &error);
	if (status != MDR_OK)
		mdr_raise(status, &error);
}

/*
 * With a snapshot of this moment: under the lock, what another load has committed must be seen, also where the transaction's own
 * snapshot is older.
 */
static void
execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(sql, nargs, types);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	if (plan == NULL || SPI_execute_snapshot(plan, values, nulls, snapshot, InvalidSnapshot, false, true, 0) != expected)
		elog(ERROR, "could not execute: %s", sql);
	UnregisterSnapshot(snapshot);
	SPI_freeplan(plan);
}

static Datum
bytes_datum(const void *bytes, size_t length)
{
	bytea	   *value;

	if (length > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("policy is too large"),
				 errdetail("Its compiled form has %zu bytes.", length)));
	value = palloc(length + VARHDRSZ);
	SET_VARSIZE(value, length + VARHDRSZ);
	memcpy(VARDATA(value), bytes, length);
	return PointerGetDatum(value);
}

/* Stores the image as the one of its policy: other versions' are never opened again. */
static void
store_image(const Load *load)
{
	Oid			types[] = {TEXTOID, INT4OID, BYTEAOID, BYTEAOID};
	Datum		values[] = {
		CStringGetTextDatum(load->name),
		Int32GetDatum(load->row.version),
		bytes_datum(load->row.sha256, sizeof(load->row.sha256)),
		bytes_datum(load->image, load->image_length)
	};

	execute("DELETE FROM moderation.policy_image WHERE policy = $1", 1, types, values, NULL, SPI_OK_DELETE);
	execute("INSERT INTO moderation.policy_image (policy, policy_version, document_sha256, image) VALUES ($1, $2, $3, $4)",
			4, types, values, NULL, SPI_OK_INSERT);
}

static void
store_version(const Load *load, const char *state, bool builtin, Oid loaded_by)
{
	const char *description = load->policy->description;
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, BOOLOID, TEXTOID, TEXTOID, BYTEAOID, NAMEOID};
	NameData	role;
	Datum		values[8];
	char		nulls[] = "        ";

	namestrcpy(&role, GetUserNameFromId(loaded_by, false));
	values[0] = CStringGetTextDatum(load->name);
	values[1] = Int32GetDatum(load->row.version);
	values[2] = CStringGetTextDatum(state);
	values[3] = BoolGetDatum(builtin);
	values[4] = (Datum) 0;
	if (description != NULL)
		values[4] = CStringGetTextDatum(mdr_from_utf8(description, strlen(description)));
	else
		nulls[4] = 'n';
	values[5] = PointerGetDatum(load->document);
	values[6] = bytes_datum(load->row.sha256, sizeof(load->row.sha256));
	values[7] = NameGetDatum(&role);

	if (strcmp(state, "active") == 0)
		execute("UPDATE moderation.policy SET state = 'retired' WHERE policy = $1 AND state = 'active'",
				1, types, values, NULL, SPI_OK_UPDATE);
	execute("INSERT INTO moderation.policy (policy, policy_version, state, builtin, description, document, document_sha256, loaded_by)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
			8, types, values, nulls, SPI_OK_INSERT);
}

static void
lock_policies(const char *function)
{
	Oid			relation = mdr_relation("policy");

	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	PreventCommandDuringRecovery(function);
	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"moderation\" is not installed in this database")));
	LockRelationOid(relation, ShareRowExclusiveLock);
}

/*
 * An update of the extension does not take the place of what operators have loaded.  before is the live version, NULL when there
 * is none.
 */
static const char *
state_for(MdrLoadAs as, const MdrPolicyRow *before)
{
	switch (as)
	{
		case MDR_LOAD_DRAFT:
			return "draft";
		case MDR_LOAD_BUILTIN:
			return before == NULL || before->builtin ? "active" : "retired";
		case MDR_LOAD_LIVE:
			break;
	}
	return "active";
}

int
mdr_store_load(text *document, MdrLoadAs as, const char *function)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation load", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Oid			loaded_by = GetUserId();
	Load		load = {0};
	MdrPolicyRow before;
	MdrUser		user;
	const char *state;
	bool		known;
	bool		same;
	bool		live;
	int			last;

	PreventCommandIfReadOnly(function);
	load.document = document;
	load.arena = mdr_arena_in(context, LOAD_LIMIT);
	parse(&load);

	lock_policies(function);
	known = mdr_store_find(load.name, 0, false, &before, &last);
	same = known && memcmp(before.sha256, load.row.sha256, sizeof(load.row.sha256)) == 0;
	state = state_for(as, known ? &before : NULL);
	live = strcmp(state, "active") == 0;
	load.row.version = same ? before.version : last + 1;

	/* The document that is live already keeps its version; but a missing or foreign image is made good. */
	if (!same || !mdr_store_fits(load.name, &load.row))
	{
		compile(&load, true);
		mdr_become_owner(&user);
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		if (!same)
			store_version(&load, state, as == MDR_LOAD_BUILTIN, loaded_by);
		if (live)
			store_image(&load);
		SPI_finish();
		mdr_restore_user(&user);
	}
	if (same)
		ereport(NOTICE,
				(errmsg("policy \"%s\" is unchanged: version %d stays live", load.name, load.row.version)));
	else if (!live && as == MDR_LOAD_BUILTIN)
		ereport(NOTICE,
				(errmsg("policy \"%s\": version %d that you loaded stays live, the built-in one is stored as retired version %d",
						load.name, before.version, load.row.version)));

	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return load.row.version;
}

/* moderation.load_policy(document text) RETURNS int */
Datum
moderation_load_policy(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("policy document must not be null")));
	PG_RETURN_INT32(mdr_store_load(PG_GETARG_TEXT_PP(0), MDR_LOAD_LIVE, "moderation.load_policy()"));
}

/* moderation.load_builtin_policy(document text) RETURNS int: for the extension's own scripts */
Datum
moderation_load_builtin_policy(PG_FUNCTION_ARGS)
{
	if (!creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("moderation.load_builtin_policy() can be called by scripts of the extension only"),
				 errhint("SELECT moderation.load_policy(document);")));
	PG_RETURN_INT32(mdr_store_load(PG_GETARG_TEXT_PP(0), MDR_LOAD_BUILTIN, "moderation.load_builtin_policy()"));
}

/* Makes a version live whose document is compiled already. */
static void
store_live(const Load *load)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(load->name), Int32GetDatum(load->row.version)};

	execute("UPDATE moderation.policy SET state = 'retired' WHERE policy = $1 AND state = 'active'",
			1, types, values, NULL, SPI_OK_UPDATE);
	execute("UPDATE moderation.policy SET state = 'active' WHERE policy = $1 AND policy_version = $2",
			2, types, values, NULL, SPI_OK_UPDATE);
	store_image(load);
}

/* moderation.activate(policy text, policy_version int) RETURNS void */
Datum
moderation_activate_policy(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation activate", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			version = PG_GETARG_INT32(1);
	Load		load = {0};
	MdrPolicyRow before;
	MdrUser		user;

	lock_policies("moderation.activate()");
	if (version <= 0 || !mdr_store_find(policy, version, true, &load.row, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("policy \"%s\" has no version %d", policy, version),
				 errhint("SELECT policy, policy_version, state FROM moderation.policy lists them.")));
	if (mdr_store_find(policy, 0, false, &before, NULL) && before.version == version)
		ereport(NOTICE,
				(errmsg("policy \"%s\": version %d is live already", policy, version)));
	else
	{
		load.document = load.row.document;
		load.arena = mdr_arena_in(context, LOAD_LIMIT);
		parse(&load);
		compile(&load, true);
		mdr_become_owner(&user);
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		store_live(&load);
		SPI_finish();
		mdr_restore_user(&user);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	PG_RETURN_VOID();
}

/* Compiles one live policy anew if its image does not fit this server; whether it had to. */
static bool
compile_live(const char *name)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation compile", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Load		load = {0};
	bool		compiled = false;

	if (mdr_store_find(name, 0, true, &load.row, NULL))
	{
		load.name = pstrdup(name);
		load.document = load.row.document;
		if (!mdr_store_fits(load.name, &load.row))
		{
			load.arena = mdr_arena_in(context, LOAD_LIMIT);
			parse(&load);
			compile(&load, false);
			store_image(&load);
			compiled = true;
		}
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return compiled;
}

/* moderation.compile_policies() RETURNS int: how many had to be compiled */
Datum
moderation_compile_policies(PG_FUNCTION_ARGS)
{
	MdrUser		user;
	int			compiled = 0;
	SPITupleTable *names;
	uint64		nnames;

	lock_policies("moderation.compile_policies()");
	mdr_become_owner(&user);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	execute("SELECT DISTINCT policy FROM moderation.policy WHERE state = 'active' ORDER BY policy", 0, NULL, NULL, NULL, SPI_OK_SELECT);
	names = SPI_tuptable;
	nnames = SPI_processed;
	for (uint64 i = 0; i < nnames; i++)
	{
		if (compile_live(SPI_getvalue(names->vals[i], names->tupdesc, 1)))
			compiled++;
	}
	SPI_finish();
	mdr_restore_user(&user);
	PG_RETURN_INT32(compiled);
}

/* A trigger of moderation.policy, AFTER STATEMENT: engines of every backend look again, once this is committed. */
Datum
moderation_announce_policy(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("moderation.announce_policy() was not called by a trigger")));
	CacheInvalidateRelcacheByRelid(RelationGetRelid(((TriggerData *) fcinfo->context)->tg_relation));
	PG_RETURN_POINTER(NULL);
}
