/*
 * guard_security.c
 *		The second wall: a row-security policy that keeps rows of frozen and suspended accounts out.
 *
 * Row security alone cannot guard: it does not apply to owners unless forced, to superusers at all, to a partition
 * through its parent's policies; it cannot mask, divert or record; and it makes COPY FROM impossible.  So it is asked
 * for, never given, and the triggers decide.  It is put on the table and on every partition, since rows may be written
 * to each directly.
 *
 * Where row security was off, a permissive policy that allows everything keeps the table as open as it was (policies
 * that had been prepared there do not begin to permit less; restrictive ones do take effect).  Where it was on, nothing
 * is opened.  Relations whose row security was switched on or forced here are remembered, so that taking it back
 * restores what was found.
 *
 * Locks: AccessExclusiveLock on each relation, as ALTER TABLE and CREATE POLICY take.  The caller has SPI connected.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "guard/guard.h"
#include "guard/guard_internal.h"

#define BASE_POLICY		"moderation_base"
#define WRITE_POLICY	"moderation_write"

static bool
has_policy(Oid relation, const char *name)
{
	Relation	policies = table_open(PolicyRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key[0], Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relation));
	ScanKeyInit(&key[1], Anum_pg_policy_polname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(policies, PolicyPolrelidPolnameIndexId, true, NULL, 2, key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(policies, AccessShareLock);
	return found;
}

static void
drop_policy(Oid relation, const char *policy)
{
	if (has_policy(relation, policy))
		mdr_guard_run("DROP POLICY %s ON %s", policy, mdr_guard_name(relation));
}

static void
secure_one(Oid relation, const char *account, List **enabled, List **forced)
{
	const char *name = mdr_guard_name(relation);
	const char *column = quote_identifier(account);
	Relation	rel = table_open(relation, AccessExclusiveLock);
	bool		was_enabled = rel->rd_rel->relrowsecurity;
	bool		was_forced = rel->rd_rel->relforcerowsecurity;

	table_close(rel, NoLock);
	if (!was_enabled)
	{
		mdr_guard_run("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", name);
		*enabled = list_append_unique_oid(*enabled, relation);
		mdr_guard_run("CREATE POLICY " BASE_POLICY " ON %s USING (true) WITH CHECK (true)", name);
	}
	if (!was_forced)
	{
		mdr_guard_run("ALTER TABLE %s FORCE ROW LEVEL SECURITY", name);
		*forced = list_append_unique_oid(*forced, relation);
	}
	drop_policy(relation, WRITE_POLICY);	/* of an earlier call, perhaps with another account column */
	mdr_guard_run("CREATE POLICY " WRITE_POLICY " ON %s AS RESTRICTIVE FOR ALL USING (true)"
				  " WITH CHECK (%s IS NULL OR moderation.may_write(%s::pg_catalog.text))", name, column, column);
}

void
mdr_guard_secure(Oid relation, const char *account, List **enabled, List **forced)
{
	List	   *relations = find_all_inheritors(relation, AccessExclusiveLock, NULL);

	for (int i = 0; i < list_length(relations); i++)
		if (get_rel_relkind(list_nth_oid(relations, i)) != RELKIND_FOREIGN_TABLE)
			secure_one(list_nth_oid(relations, i), account, enabled, forced);
}

void
mdr_guard_unsecure(Oid relation, List *enabled, List *forced)
{
	List	   *relations = find_all_inheritors(relation, AccessExclusiveLock, NULL);

	/* Partitions that were detached meanwhile, too. */
	relations = list_concat_unique_oid(relations, enabled);
	relations = list_concat_unique_oid(relations, forced);
	for (int i = 0; i < list_length(relations); i++)
	{
		Oid			one = list_nth_oid(relations, i);
		const char *name;

		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(one)) || get_rel_relkind(one) == RELKIND_FOREIGN_TABLE)
			continue;
		name = mdr_guard_name(one);
		drop_policy(one, WRITE_POLICY);
		if (list_member_oid(enabled, one))
		{
			drop_policy(one, BASE_POLICY);
			mdr_guard_run("ALTER TABLE %s DISABLE ROW LEVEL SECURITY", name);
		}
		if (list_member_oid(forced, one))
			mdr_guard_run("ALTER TABLE %s NO FORCE ROW LEVEL SECURITY", name);
	}
}
