/*
 * guard_setup.c
 *		moderation.guard() and moderation.unguard().
 *
 * guard() registers the table and gives it its two triggers; called again with other arguments it changes the
 * registration, and in any case it mends triggers that are missing or were tampered with.  unguard() takes all of it
 * back.
 *
 * DDL is run through SPI with the caller's rights, built from quoted names of catalog objects only; moderation.guarded
 * is written with the owner's.  Locks: ShareRowExclusiveLock on the table (as CREATE TRIGGER), AccessExclusiveLock for
 * row security and for unguard() (as DROP TRIGGER).  Memory is the call's; on error the transaction takes everything
 * back.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "ledger/ledger.h"
#include "server/server.h"

PG_FUNCTION_INFO_V1(moderation_guard_table);
PG_FUNCTION_INFO_V1(moderation_unguard_table);

bool		mdr_guard_working = false;

/* What moderation.guarded said before. */
typedef struct Before
{
	bool		guarded;
	bool		same;			/* as is asked for now */
	bool		row_security;
	List	   *enabled;
	List	   *forced;
} Before;

static void
connect_spi(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
mdr_guard_run(const char *format,...)
{
	StringInfoData command;
	int			result;

	initStringInfo(&command);
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(&command, format, arguments);
		va_end(arguments);
		if (needed == 0)
			break;
		enlargeStringInfo(&command, needed);
	}
	result = SPI_execute(command.data, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", command.data, SPI_result_code_string(result));
	pfree(command.data);
}

void
mdr_guard_run_as_owner(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls)
{
	MdrUser		saved;
	int			result;

	mdr_become_owner(&saved);
	result = SPI_execute_with_args(statement, nargs, types, values, nulls, false, 0);
	mdr_restore_user(&saved);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement, SPI_result_code_string(result));
}

List *
mdr_guard_oids(Datum array)
{
	Datum	   *elements;
	int			nelements;
	List	   *oids = NIL;

	deconstruct_array(DatumGetArrayTypeP(array), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT, &elements, NULL, &nelements);
	for (int i = 0; i < nelements; i++)
		oids = lappend_oid(oids, DatumGetObjectId(elements[i]));
	return oids;
}

Datum
mdr_guard_oid_array(List *oids)
{
	Datum	   *elements = palloc(Max(list_length(oids), 1) * sizeof(Datum));

	for (int i = 0; i < list_length(oids); i++)
		elements[i] = ObjectIdGetDatum(list_nth_oid(oids, i));
	return PointerGetDatum(construct_array(elements, list_length(oids), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT));
}

/* The arguments of both statements below: what is asked for. */
static void
request_arguments(const MdrGuardRequest *request, Oid *types, Datum *values, char *nulls)
{
	types[0] = REGCLASSOID;
	values[0] = ObjectIdGetDatum(request->relation);
	types[1] = NAMEARRAYOID;
	values[1] = request->content;
	types[2] = NAMEOID;
	values[2] = DirectFunctionCall1(namein, CStringGetDatum(request->account));
	types[3] = TEXTOID;
	values[3] = request->policy == NULL ? (Datum) 0 : CStringGetTextDatum(request->policy);
	types[4] = mdr_type("action");
	values[4] = ObjectIdGetDatum(request->action);
	types[5] = BOOLOID;
	values[5] = BoolGetDatum(request->row_security);
	memset(nulls, ' ', 6);
	if (request->policy == NULL)
		nulls[3] = 'n';
	if (!request->has_action)
		nulls[4] = 'n';
}

static void
read_before(const MdrGuardRequest *request, Before *before)
{
	static const char *const query =
		"SELECT g.content_columns = $2 AND g.account_column = $3 AND g.policy IS NOT DISTINCT FROM $4"
		" AND g.action IS NOT DISTINCT FROM $5 AND g.row_security = $6, g.row_security, g.enabled_on, g.forced_on"
		" FROM moderation.guarded AS g WHERE g.relation = $1";
	Oid			types[6];
	Datum		values[6];
	char		nulls[6];

	memset(before, 0, sizeof(*before));
	request_arguments(request, types, values, nulls);
	mdr_guard_run_as_owner(query, 6, types, values, nulls);
	if (SPI_processed > 0)
	{
		HeapTuple	tuple = SPI_tuptable->vals[0];
		TupleDesc	descriptor = SPI_tuptable->tupdesc;
		bool		null;

		before->guarded = true;
		before->same = DatumGetBool(SPI_getbinval(tuple, descriptor, 1, &null));
		before->row_security = DatumGetBool(SPI_getbinval(tuple, descriptor, 2, &null));
		before->enabled = mdr_guard_oids(SPI_getbinval(tuple, descriptor, 3, &null));
		before->forced = mdr_guard_oids(SPI_getbinval(tuple, descriptor, 4, &null));
	}
}

static void
register_guard(const MdrGuardRequest *request, List *enabled, List *forced)
{
	static const char *const statement =
		"INSERT INTO moderation.guarded AS g (relation, content_columns, account_column, policy, action, row_security,"
		" enabled_on, forced_on, guarded_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
		" ON CONFLICT (relation) DO UPDATE SET content_columns = excluded.content_columns,"
		" account_column = excluded.account_column, policy = excluded.policy, action = excluded.action,"
		" row_security = excluded.row_security, enabled_on = excluded.enabled_on, forced_on = excluded.forced_on,"
		" guarded_at = excluded.guarded_at, guarded_by = excluded.guarded_by";
	/* Columns that are there and were left out were left out on purpose. */
	static const char *const forgive =
		"UPDATE moderation.guarded AS g SET former_content = ARRAY(SELECT unnest(g.former_content) EXCEPT SELECT a.attname"
		"  FROM pg_attribute AS a WHERE a.attrelid = g.relation AND NOT a.attisdropped),"
		" former_account = ARRAY(SELECT unnest(g.former_account) EXCEPT SELECT a.attname"
		"  FROM pg_attribute AS a WHERE a.attrelid = g.relation AND NOT a.attisdropped)"
		" WHERE g.relation = $1 AND g.former_content || g.former_account <> '{}'";
	Oid			types[9];
	Datum		values[9];
	char		nulls[9];

	request_arguments(request, types, values, nulls);
	types[6] = types[7] = REGCLASSARRAYOID;
	values[6] = mdr_guard_oid_array(enabled);
	values[7] = mdr_guard_oid_array(forced);
	types[8] = NAMEOID;
	values[8] = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetUserId(), false)));
	memset(nulls + 6, ' ', 3);
	mdr_guard_run_as_owner(statement, 9, types, values, nulls);
	if (mdr_guard_has_former())
		mdr_guard_run_as_owner(forgive, 1, types, values, NULL);
}

/* Makes one of the triggers as it must be.  A trigger of that name that is not ours stays, and is the owner's to drop. */
static void
make_trigger(Oid relation, const char *name, const char *when, const char *function, const char *label)
{
	Relation	rel = table_open(relation, NoLock);
	Oid			ours = DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(function)));
	TriggerDesc *triggers = rel->trigdesc;	/* last: the look-up may have it built anew */
	bool		foreign = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (strcmp(triggers->triggers[i].tgname, name) == 0)
			foreign = triggers->triggers[i].tgfoid != ours;
	table_close(rel, NoLock);
	if (foreign)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("cannot guard %s: it has a trigger \"%s\" of another kind", label, name),
				 errhint("DROP TRIGGER %s ON %s;", name, label)));
	mdr_guard_run("CREATE OR REPLACE TRIGGER %s %s INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s",
				  name, when, label, function);
	mdr_guard_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", label, name);
}

static void
drop_trigger(Oid relation, const char *name, const char *label)
{
	if (OidIsValid(get_trigger_oid(relation, name, true)))
		mdr_guard_run("DROP TRIGGER %s ON %s", name, label);
}

static void
tell(const MdrGuardRequest *request, const Before *before, const char *label)
{
	if (before->guarded)
	{
		if (before->same)
			ereport(NOTICE, (errmsg("relation %s is guarded like that already", label)));
		return;
	}
	if (mdr_guard_has_rows(request->relation))
		ereport(NOTICE,
				(errmsg("rows that are in %s already have not been scanned", label),
				 errhint("SELECT t.*, v.* FROM %s AS t, moderation.verdict(t.%s::text%s%s) AS v WHERE v.flagged;", label,
						 quote_identifier(NameStr(*DatumGetName(request->columns[0]))), request->policy == NULL ? "" : ", ",
						 request->policy == NULL ? "" : quote_literal_cstr(request->policy))));
	if (request->row_security)
		ereport(NOTICE,
				(errmsg("COPY FROM into %s is now refused for roles that are subject to row security", label),
				 errhint("Load with INSERT, with a role that has BYPASSRLS, or guard the table without row_security.")));
}

/* For the ledger: what was asked for. */
static char *
describe(const MdrGuardRequest *request)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < request->ncolumns; i++)
		appendStringInfo(&text, "%s%s", i == 0 ? "content " : ", ", quote_identifier(NameStr(*DatumGetName(request->columns[i]))));
	appendStringInfo(&text, "; account %s", quote_identifier(request->account));
	if (request->policy != NULL)
		appendStringInfo(&text, "; policy %s", quote_identifier(request->policy));
	if (request->has_action)
		appendStringInfo(&text, "; at most %s", mdr_action_name(mdr_action_from_datum(ObjectIdGetDatum(request->action))));
	if (request->row_security)
		appendStringInfoString(&text, "; row security");
	return text.data;
}

static void
read_request(FunctionCallInfo fcinfo, MdrGuardRequest *request)
{
	memset(request, 0, sizeof(*request));
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("relation must not be null")));
	request->relation = PG_GETARG_OID(0);
	request->content = PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1);
	request->account = PG_ARGISNULL(2) ? NULL : NameStr(*PG_GETARG_NAME(2));
	request->policy = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	request->has_action = !PG_ARGISNULL(4);
	if (request->has_action)
		request->action = PG_GETARG_OID(4);
	request->row_security = !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
}

static void
guard_table(const MdrGuardRequest *request, Before *before, const char *label)
{
	connect_spi();
	read_before(request, before);
	if (before->row_security && !request->row_security)
	{
		mdr_guard_unsecure(request->relation, before->enabled, before->forced);
		before->enabled = before->forced = NIL;
	}
	if (request->row_security)
		mdr_guard_secure(request->relation, request->account, &before->enabled, &before->forced);
	register_guard(request, before->enabled, before->forced);
	make_trigger(request->relation, MDR_GUARD_SCAN_TRIGGER, "BEFORE", "moderation.scan_row()", label);
	make_trigger(request->relation, MDR_GUARD_VERIFY_TRIGGER, "AFTER", "moderation.verify_row()", label);
	SPI_finish();
}

Datum
moderation_guard_table(PG_FUNCTION_ARGS)
{
	MdrGuardRequest request;
	Before		before;
	char	   *label;

	read_request(fcinfo, &request);
	mdr_guard_check_owner(request.relation, "guard");
	LockRelationOid(request.relation, request.row_security ? AccessExclusiveLock : ShareRowExclusiveLock);
	mdr_guard_check_owner(request.relation, "guard");	/* it may have been another's, or gone, once we had the lock */
	request.relkind = get_rel_relkind(request.relation);
	mdr_guard_check(&request);
	label = mdr_guard_name(request.relation);

	mdr_guard_working = true;
	PG_TRY();
	{
		guard_table(&request, &before, label);
	}
	PG_FINALLY();
	{
		mdr_guard_working = false;
	}
	PG_END_TRY();
	if (!before.same)
		mdr_ledger_guard_event(label, before.guarded ? "guard_changed" : "guarded", describe(&request));
	tell(&request, &before, label);
	PG_RETURN_VOID();
}

static void
unguard_table(Oid relation, const Before *before, const char *label)
{
	drop_trigger(relation, MDR_GUARD_SCAN_TRIGGER, label);
	drop_trigger(relation, MDR_GUARD_VERIFY_TRIGGER, label);
	if (before->row_security)
		mdr_guard_unsecure(relation, before->enabled, before->forced);
	if (before->guarded)
	{
		Oid			type = REGCLASSOID;
		Datum		value = ObjectIdGetDatum(relation);

		mdr_guard_run_as_owner("DELETE FROM moderation.guarded AS g WHERE g.relation = $1", 1, &type, &value, NULL);
	}
}

Datum
moderation_unguard_table(PG_FUNCTION_ARGS)
{
	MdrGuardRequest request = {.relation = PG_GETARG_OID(0), .account = "", .content = PointerGetDatum(construct_empty_array(NAMEOID))};
	Before		before;
	char	   *label;

	mdr_guard_check_owner(request.relation, "unguard");
	LockRelationOid(request.relation, AccessExclusiveLock);
	mdr_guard_check_owner(request.relation, "unguard");
	label = mdr_guard_name(request.relation);

	connect_spi();
	read_before(&request, &before);
	if (!before.guarded)
	{
		if (get_rel_relispartition(request.relation))
			ereport(ERROR,
					(errcode(ERRCODE_MDR_BAD_GUARD),
					 errmsg("cannot unguard %s: it is guarded with the table it is a partition of", label),
					 errhint("SELECT moderation.unguard(%s);",
							 quote_literal_cstr(mdr_guard_name(llast_oid(get_partition_ancestors(request.relation)))))));
		ereport(NOTICE, (errmsg("relation %s is not guarded", label)));
	}
	mdr_guard_working = true;
	PG_TRY();
	{
		unguard_table(request.relation, &before, label);
	}
	PG_FINALLY();
	{
		mdr_guard_working = false;
	}
	PG_END_TRY();
	SPI_finish();
	mdr_ledger_guard_event(label, "unguarded", before.guarded ? NULL : "it was not guarded");
	PG_RETURN_VOID();
}
