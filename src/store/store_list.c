/*
 * store_list.c
 *		A policy's categories and rules as rows.
 *
 * moderation.policy_categories(policy, policy_version) and moderation.policy_rules(policy, policy_version): of the live version
 * from this backend's engine, of any other from an engine that is opened for the call.  Writes nothing; rows go to a
 * tuplestore of the executor's; a temporary engine dies with the per-call context.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "server/server.h"
#include "store/store_row.h"

PG_FUNCTION_INFO_V1(moderation_list_categories);
PG_FUNCTION_INFO_V1(moderation_list_rules);
PG_FUNCTION_INFO_V1(moderation_policy_fits);

static Datum
utf8_datum(const char *utf8, bool *null)
{
	*null = (utf8 == NULL);
	return utf8 ? CStringGetTextDatum(mdr_from_utf8(utf8, strlen(utf8))) : (Datum) 0;
}

/* Whether there is such a version; then *live says where its engine is. */
static bool
find_engine(FunctionCallInfo fcinfo, MdrLive *live)
{
	char	   *policy = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	const MdrLive *current;
	MdrPolicyRow row;

	/* A policy all of whose versions are retired has no live one, but its versions can still be listed. */
	if (version == 0)
	{
		*live = *mdr_policy_live(policy);
		return true;
	}
	if (policy == NULL)
		policy = pstrdup(mdr_policy_live(NULL)->policy);
	if (!mdr_store_find(policy, version, false, &row, NULL))
		return false;
	if (mdr_store_find(policy, 0, false, &(MdrPolicyRow) {0}, NULL))
	{
		current = mdr_policy_live(policy);
		if (current->version == version)
		{
			*live = *current;
			return true;
		}
	}
	live->policy = policy;
	live->version = version;
	live->engine = mdr_store_open(policy, &row, CurrentMemoryContext);
	return true;
}

static Datum
action_array(const MdrAction *actions, int count)
{
	Oid			type = mdr_type("action");
	Datum		values[MDR_MAX_SEVERITY + 1];

	for (int i = 0; i < count; i++)
		values[i] = mdr_action_datum(actions[i]);
	return PointerGetDatum(construct_array(values, count, type, sizeof(Oid), true, TYPALIGN_INT));
}

/* moderation.policy_categories(policy text, policy_version int) */
Datum
moderation_list_categories(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MdrLive		live;

	InitMaterializedSRF(fcinfo, 0);
	if (!find_engine(fcinfo, &live))
		return (Datum) 0;
	for (uint32_t i = 0; i < mdr_engine_ncategories(live.engine); i++)
	{
		MdrEngineCategory category;
		Datum		values[12];
		bool		nulls[12] = {0};

		mdr_engine_category(live.engine, i, &category);
		values[0] = CStringGetTextDatum(live.policy);
		values[1] = Int32GetDatum(live.version);
		values[2] = utf8_datum(category.id, &nulls[2]);
		values[3] = utf8_datum(category.clause_en, &nulls[3]);
		values[4] = utf8_datum(category.clause_zh, &nulls[4]);
		values[5] = Float4GetDatum(category.flag_at);
		values[6] = Float4GetDatum(category.act_at);
		values[7] = action_array(category.actions, MDR_MAX_SEVERITY + 1);
		values[8] = BoolGetDatum(category.strike);
		values[9] = Int32GetDatum(category.suspend_from);
		nulls[9] = category.suspend_from > MDR_MAX_SEVERITY;
		values[10] = CStringGetTextDatum(category.evidence == MDR_EVIDENCE_CONTENT ? "content" : "hash");
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* moderation.policy_rules(policy text, policy_version int) */
Datum
moderation_list_rules(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MdrLive		live;

	InitMaterializedSRF(fcinfo, 0);
	if (!find_engine(fcinfo, &live))
		return (Datum) 0;
	for (uint32_t i = 0; i < mdr_engine_nrules(live.engine); i++)
	{
		MdrEngineRule rule;
		MdrEngineCategory category;
		Datum		values[12];
		bool		nulls[12] = {0};

		CHECK_FOR_INTERRUPTS();
		mdr_engine_rule(live.engine, i, &rule);
		mdr_engine_category(live.engine, rule.category, &category);
		values[0] = CStringGetTextDatum(live.policy);
		values[1] = Int32GetDatum(live.version);
		values[2] = utf8_datum(rule.id, &nulls[2]);
		values[3] = utf8_datum(category.id, &nulls[3]);
		values[4] = utf8_datum(rule.language, &nulls[4]);
		values[5] = Float4GetDatum(rule.weight);
		values[6] = Int32GetDatum(rule.severity);
		values[7] = utf8_datum(rule.note, &nulls[7]);
		values[8] = Int32GetDatum(rule.nterms);
		values[9] = Int32GetDatum(rule.npatterns);
		values[10] = Int32GetDatum(rule.nhits);
		values[11] = Int32GetDatum(rule.nmisses);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* moderation.policy_fits(policy text) */
Datum
moderation_policy_fits(PG_FUNCTION_ARGS)
{
	char	   *policy = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MdrPolicyRow row;

	if (!mdr_store_find(policy, 0, false, &row, NULL))
		PG_RETURN_NULL();
	PG_RETURN_BOOL(mdr_store_fits(policy, &row));
}
