/*
 * server_catalog.c
 *		Where our own objects are in the catalog, and acting as the role that owns them.
 *
 * Names of relations and types in schema moderation -> oids, through a small hash table that is forgotten whenever
 * pg_class, pg_type or pg_namespace changes.  The look-ups take no locks: whoever opens the relation locks it.  The hash table
 * belongs to CacheMemoryContext.  What does not exist is never remembered, and comes back as InvalidOid.
 *
 * A schema of that name is ours only while type moderation.action in it belongs to the extension.  Otherwise anyone who may
 * create schemas could put tables in the place of a dropped extension's, with triggers and views that run as whoever uses them.
 * Before the owner's rights are used the extension is locked, so that it cannot be replaced in between.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "server/server.h"

#define SCHEMA "moderation"

typedef struct CatalogEntry
{
	char		key[NAMEDATALEN + 1];	/* 'r' or 't', then the name; "n", the schema; "e", the extension */
	Oid			oid;
} CatalogEntry;

static HTAB *catalog_cache = NULL;
static bool catalog_valid = false;

static void
catalog_changed(Datum arg, int cache_id, uint32 hash_value)
{
	catalog_valid = false;
}

static void
catalog_prepare(void)
{
	if (catalog_cache == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = NAMEDATALEN + 1;
		control.entrysize = sizeof(CatalogEntry);
		control.hcxt = CacheMemoryContext;
		catalog_cache = hash_create("moderation catalog", 32, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
		CacheRegisterSyscacheCallback(RELOID, catalog_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPEOID, catalog_changed, (Datum) 0);
		CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_changed, (Datum) 0);
		catalog_valid = true;
	}
	if (!catalog_valid)
	{
		HASH_SEQ_STATUS scan;
		CatalogEntry *entry;

		hash_seq_init(&scan, catalog_cache);
		while ((entry = hash_seq_search(&scan)) != NULL)
			hash_search(catalog_cache, entry->key, HASH_REMOVE, NULL);
		catalog_valid = true;
	}
}

static Oid
find_type(const char *name, Oid namespace)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(namespace));
}

/* 'r' a relation, 't' a type, 'n' the schema, 'e' the extension; InvalidOid if there is none that is ours. */
static Oid
catalog_find(char kind, const char *name)
{
	char		key[NAMEDATALEN + 1];
	CatalogEntry *entry;
	Oid			oid;

	catalog_prepare();
	snprintf(key, sizeof(key), "%c%s", kind, name);
	entry = hash_search(catalog_cache, key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->oid;

	if (kind == 'e')
	{
		Oid			namespace = get_namespace_oid(SCHEMA, true);
		Oid			type = OidIsValid(namespace) ? find_type("action", namespace) : InvalidOid;

		oid = OidIsValid(type) ? getExtensionOfObject(TypeRelationId, type) : InvalidOid;
		if (oid != get_extension_oid("moderation", true))
			oid = InvalidOid;
	}
	else if (!OidIsValid(catalog_find('e', "")))
		return InvalidOid;
	else if (kind == 'n')
		oid = get_namespace_oid(SCHEMA, true);
	else if (kind == 'r')
		oid = get_relname_relid(name, catalog_find('n', ""));
	else
		oid = find_type(name, catalog_find('n', ""));

	/* The look-ups may have processed invalidations: what they found is remembered only if nothing changed meanwhile. */
	if (OidIsValid(oid) && catalog_valid)
	{
		entry = hash_search(catalog_cache, key, HASH_ENTER, NULL);
		entry->oid = oid;
	}
	return oid;
}

bool
mdr_installed(void)
{
	return OidIsValid(get_extension_oid("moderation", true));
}

Oid
mdr_relation(const char *name)
{
	return catalog_find('r', name);
}

Oid
mdr_type(const char *name)
{
	return catalog_find('t', name);
}

Datum
mdr_action_datum(MdrAction action)
{
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid, ObjectIdGetDatum(mdr_type("action")),
										CStringGetDatum(mdr_action_name(action)));

	if (!OidIsValid(value))
		elog(ERROR, "type moderation.action lacks value \"%s\"", mdr_action_name(action));
	return ObjectIdGetDatum(value);
}

MdrAction
mdr_action_from_datum(Datum datum)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, datum);
	MdrAction	action;

	if (!HeapTupleIsValid(tuple) ||
		!mdr_action_parse(NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel), &action))
		elog(ERROR, "%u is not a value of type moderation.action", DatumGetObjectId(datum));
	ReleaseSysCache(tuple);
	return action;
}

bool
mdr_hold_extension(void)
{
	Oid			extension = catalog_find('e', "");

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	/* It may have gone before we had the lock, or moved. */
	return catalog_find('e', "") == extension;
}

/* The extension's owner: whoever owns the type that is created first. */
static Oid
extension_owner(void)
{
	HeapTuple	tuple = NULL;
	Oid			owner;

	if (mdr_hold_extension())
		tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(mdr_type("action")));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"moderation\" is not installed in this database"),
				 errhint("CREATE EXTENSION moderation;")));
	owner = ((Form_pg_type) GETSTRUCT(tuple))->typowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
mdr_become_owner(MdrUser *saved)
{
	Oid			owner = extension_owner();

	GetUserIdAndSecContext(&saved->user, &saved->context);
	saved->guc_nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	/* debug_print_plan, which anyone may set, shows what runs, with its constants, to whoever wants messages of that kind. */
	if (client_min_messages < NOTICE)
		(void) set_config_option("client_min_messages", "notice", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(owner, saved->context | SECURITY_LOCAL_USERID_CHANGE);
}

void
mdr_restore_user(const MdrUser *saved)
{
	AtEOXact_GUC(false, saved->guc_nest_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}
