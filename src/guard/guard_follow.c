/*
 * guard_follow.c
 *		Triggers that keep moderation.guarded in step with the tables it names, and every backend with moderation.guarded.
 *
 * A dropped table is forgotten, and the ledger says so.  A dropped content column is taken out of its guard; the column that
 * names the account cannot be dropped while its table is guarded.  A renamed column is followed.  The names that such columns had
 * are kept: guard_columns.c says why.  Where an event trigger does not run
 * (single-user mode, event_triggers = off), the triggers on the table refuse every row until guard() is called anew,
 * and moderation.verify() says so.  Whatever changes moderation.guarded, moderation.guard() or a dump being loaded, has
 * every backend read it anew.
 *
 * Takes RowExclusiveLock on moderation.guarded, with the owner's rights, since anyone may drop a table of his.
 */
#include "postgres.h"

#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/cmdtag.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"
#include "ledger/ledger.h"
#include "server/server.h"

PG_FUNCTION_INFO_V1(moderation_announce_guards);
PG_FUNCTION_INFO_V1(moderation_follow_drop);
PG_FUNCTION_INFO_V1(moderation_follow_rename);

/* Statement trigger on moderation.guarded. */
Datum
moderation_announce_guards(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function works as a trigger only")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}

bool
mdr_guard_updating(void)
{
	return creating_extension && CurrentExtensionObject == get_extension_oid("moderation", true);
}

/* Begins work as the owner; false when there is nothing to keep in step. */
static bool
begin(FunctionCallInfo fcinfo, MdrUser *saved)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("this function works as an event trigger only")));
	if (mdr_guard_updating() || !mdr_guard_any())
		return false;
	mdr_become_owner(saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	return true;
}

static uint64
run(const char *statement)
{
	int			result = SPI_execute(statement, false, 0);

	if (result < 0)
		elog(ERROR, "could not keep moderation.guarded in step: %s", SPI_result_code_string(result));
	return SPI_processed;
}

static void
end(const MdrUser *saved)
{
	SPI_finish();
	mdr_restore_user(saved);
}

/* Takes dropped tables out of moderation.guarded. */
static void
forget_dropped(void)
{
	SPITupleTable *dropped;
	uint64		ndropped = run("DELETE FROM moderation.guarded AS g USING pg_event_trigger_dropped_objects() AS d"
							   " WHERE d.classid = 'pg_class'::regclass AND d.objid = g.relation AND d.objsubid = 0 RETURNING d.object_identity");

	dropped = SPI_tuptable;
	for (uint64 i = 0; i < ndropped; i++)
		mdr_ledger_guard_event(SPI_getvalue(dropped->vals[i], dropped->tupdesc, 1), "dropped", "the table was dropped");
}

Datum
moderation_follow_drop(PG_FUNCTION_ARGS)
{
	const EventTriggerData *event = (EventTriggerData *) fcinfo->context;
	MdrUser		saved;

	if (!begin(fcinfo, &saved))
		PG_RETURN_NULL();
	forget_dropped();
	if (run("SELECT g.relation::text, g.account_column FROM moderation.guarded AS g JOIN pg_event_trigger_dropped_objects() AS d"
			" ON d.classid = 'pg_class'::regclass AND d.objid = g.relation AND d.objsubid > 0"
			" AND d.address_names[3] = g.account_column") > 0)
	{
		const char *relation = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		const char *column = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);

		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_GUARD),
				 errmsg("cannot drop column \"%s\" of %s: it names the account of a guarded table", column, relation),
				 errhint("SELECT moderation.unguard(%s); or guard the table with another account column first.",
						 quote_literal_cstr(relation))));
	}
	run(psprintf("UPDATE moderation.guarded AS g SET content_columns = k.columns%s"
				 " FROM (SELECT h.relation, ARRAY(SELECT c.name FROM unnest(h.content_columns) WITH ORDINALITY AS c (name, n)"
				 "   WHERE NOT EXISTS (SELECT FROM pg_event_trigger_dropped_objects() AS d WHERE d.classid = 'pg_class'::regclass"
				 "     AND d.objid = h.relation AND d.objsubid > 0 AND d.address_names[3] = c.name) ORDER BY c.n) AS columns"
				 "   FROM moderation.guarded AS h) AS k"
				 " WHERE k.relation = g.relation AND k.columns <> g.content_columns RETURNING g.relation::text, g.content_columns = '{}'",
				 !mdr_guard_has_former() ? "" :
				 ", former_content = g.former_content || ARRAY(SELECT c.name FROM unnest(g.content_columns) AS c (name)"
				 "   WHERE c.name <> ALL (k.columns) AND c.name <> ALL (g.former_content))"));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		const char *relation = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		bool		null;
		bool		bare = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &null));

		/* ALTER TABLE may put another in its place, and is looked at when it is done: guard_keep.c. */
		if (bare && !superuser_arg(saved.user) && strncmp(GetCommandTagName(event->tag), "ALTER ", 6) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must be superuser to drop the only guarded column of %s", relation),
					 errhint("SELECT moderation.unguard(%s); takes the guard off.", quote_literal_cstr(relation))));
	}
	end(&saved);
	PG_RETURN_NULL();
}

/* A command renames one column: the registered name that the table no longer has is the one it had. */
Datum
moderation_follow_rename(PG_FUNCTION_ARGS)
{
	MdrUser		saved;

	if (!begin(fcinfo, &saved))
		PG_RETURN_NULL();
	run(psprintf("UPDATE moderation.guarded AS g SET"
				 " content_columns = array_replace(g.content_columns, k.old_name, k.new_name),"
				 " account_column = CASE WHEN g.account_column = k.old_name THEN k.new_name ELSE g.account_column END%s"
				 " FROM (SELECT h.relation, n.name AS old_name, a.attname AS new_name"
				 "   FROM pg_event_trigger_ddl_commands() AS c"
				 "   JOIN moderation.guarded AS h ON c.classid = 'pg_class'::regclass AND c.objid = h.relation AND c.objsubid > 0"
				 "   JOIN pg_attribute AS a ON a.attrelid = c.objid AND a.attnum = c.objsubid"
				 "   CROSS JOIN LATERAL unnest(h.content_columns || h.account_column) AS n (name)"
				 "   WHERE NOT EXISTS (SELECT FROM pg_attribute AS b WHERE b.attrelid = h.relation AND b.attname = n.name"
				 "     AND NOT b.attisdropped)) AS k"
				 " WHERE k.relation = g.relation",
				 !mdr_guard_has_former() ? "" :
				 ", former_content = CASE WHEN k.old_name = ANY (g.content_columns) AND k.old_name <> ALL (g.former_content)"
				 "   THEN g.former_content || k.old_name ELSE g.former_content END"
				 ", former_account = CASE WHEN g.account_column = k.old_name AND k.old_name <> ALL (g.former_account)"
				 "   THEN g.former_account || k.old_name ELSE g.former_account END"));
	end(&saved);
	PG_RETURN_NULL();
}
