/*
 * surface_classify.c
 *		classify(), verdict(), explain(), normalize() and redact(): a policy's opinion of one content, for anybody who asks.
 *
 * Content -> verdict -> rows.  Nothing is written and no table but the policy's is read, so
 * they are parallel safe and run on a standby.  The core works in one arena of this process that is reset at every
 * call, and given back after an unusually large one; results are palloc'd.  A scan that ends without a verdict (cancelled, out of
 * memory, a library's fault) is an ERROR; a content beyond the policy's bounds has the verdict "unknown", which is never clean.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "server/server.h"
#include "store/store.h"

PG_FUNCTION_INFO_V1(moderation_classify);
PG_FUNCTION_INFO_V1(moderation_verdict);
PG_FUNCTION_INFO_V1(moderation_explain);
PG_FUNCTION_INFO_V1(moderation_normalize);
PG_FUNCTION_INFO_V1(moderation_redact);

#define KEEP_ARENA ((size_t) 8 * 1024 * 1024)
#define FOLDED_AT_ONCE 262144	/* bytes between two looks at interrupts */

/* One content, judged. */
typedef struct Judged
{
	const MdrLive *live;
	const char *utf8;
	int			length;
	MdrVerdict	verdict;
} Judged;

static MdrArena *
borrow_arena(void)
{
	static MdrArena *arena = NULL;

	if (arena != NULL && mdr_arena_used(arena) > KEEP_ARENA)
	{
		mdr_arena_destroy(arena);
		arena = NULL;
	}
	if (arena == NULL)
		arena = mdr_arena_create(0);
	else
		mdr_arena_reset(arena);
	if (arena == NULL)
		mdr_raise(MDR_NO_MEMORY, NULL);
	return arena;
}

/* Judges argument 0 by the policy in argument 1; the caller has seen that the content is not null. */
static MdrArena *
judge(FunctionCallInfo fcinfo, Judged *judged)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	char	   *policy = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	MdrArena   *arena;
	MdrStatus	status;

	judged->live = mdr_policy_live(policy);
	mdr_to_utf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &judged->utf8, &judged->length);
	arena = borrow_arena();
	status = mdr_verdict(judged->live->engine, arena, judged->utf8, judged->length, MDR_REJECT,
						 mdr_interrupted, NULL, &judged->verdict);
	if (status != MDR_OK)
		mdr_raise(status, NULL);
	return arena;
}

static Datum
utf8_datum(const char *utf8, int length)
{
	char	   *text = mdr_from_utf8(utf8, length);

	return PointerGetDatum(cstring_to_text_with_len(text, strlen(text)));
}

static Datum
utf8_string_datum(const char *utf8)
{
	return utf8_datum(utf8, strlen(utf8));
}

/* classify(content text, policy text) */
Datum
moderation_classify(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Judged		judged;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	judge(fcinfo, &judged);
	for (uint32_t i = 0; i < judged.verdict.ncategories; i++)
	{
		const MdrCategoryVerdict *verdict = &judged.verdict.categories[i];
		MdrEngineCategory category;
		Datum		values[7];
		bool		nulls[7] = {0};

		mdr_engine_category(judged.live->engine, i, &category);
		values[0] = utf8_string_datum(category.id);
		values[1] = Float4GetDatum(verdict->score);
		values[2] = Int32GetDatum(verdict->severity);
		values[3] = mdr_action_datum(verdict->action);
		values[4] = BoolGetDatum(verdict->action >= MDR_FLAG);
		nulls[5] = (category.clause_en == NULL);
		values[5] = nulls[5] ? (Datum) 0 : utf8_string_datum(category.clause_en);
		nulls[6] = (judged.verdict.unknown == NULL);
		values[6] = nulls[6] ? (Datum) 0 : utf8_string_datum(judged.verdict.unknown);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* verdict(content text, policy text) */
Datum
moderation_verdict(PG_FUNCTION_ARGS)
{
	TupleDesc	descriptor;
	Judged		judged;
	Datum		values[8];
	bool		nulls[8] = {0};
	int			gravest;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	judge(fcinfo, &judged);
	gravest = judged.verdict.category;

	values[0] = BoolGetDatum(judged.verdict.action >= MDR_FLAG);
	values[1] = mdr_action_datum(judged.verdict.action);
	nulls[2] = (gravest < 0);
	values[2] = (Datum) 0;
	values[3] = Int32GetDatum(0);
	values[4] = Float4GetDatum(0);
	if (gravest >= 0)
	{
		MdrEngineCategory category;

		mdr_engine_category(judged.live->engine, gravest, &category);
		values[2] = utf8_string_datum(category.id);
		values[3] = Int32GetDatum(judged.verdict.categories[gravest].severity);
		values[4] = Float4GetDatum(judged.verdict.categories[gravest].score);
	}
	values[5] = CStringGetTextDatum(judged.live->policy);
	values[6] = Int32GetDatum(judged.live->version);
	nulls[7] = (judged.verdict.unknown == NULL);
	values[7] = nulls[7] ? (Datum) 0 : utf8_string_datum(judged.verdict.unknown);

	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/* Characters of the text as given within utf8; under SQL_ASCII a character is a byte. */
static int
count_characters(const char *utf8, int length)
{
	int			count = 0;

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return length;
	for (int i = 0; i < length; i++)
		count += ((unsigned char) utf8[i] & 0xC0) != 0x80;
	return count;
}

static const char *
view_name(MdrView view)
{
	switch (view)
	{
		case MDR_VIEW_PLAIN:
			return "plain";
		case MDR_VIEW_LEET:
			return "leet";
		case MDR_VIEW_JOINED:
			return "joined";
		case MDR_VIEW_SQUEEZED:
			return "squeezed";
	}
	return "?";
}

/* explain(content text, policy text) */
Datum
moderation_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Judged		judged;
	uint32_t	counted = 0;	/* bytes whose characters are in before */
	int			before = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	judge(fcinfo, &judged);
	if (judged.verdict.unknown != NULL)
		ereport(NOTICE,
				(errmsg("content could not be scanned within its bounds: %s", judged.verdict.unknown)));

	/* Findings come in order of their start, so the characters before them are counted once. */
	for (uint32_t i = 0; i < judged.verdict.nfindings; i++)
	{
		const MdrFinding *finding = &judged.verdict.findings[i];
		MdrEngineCategory category;
		MdrEngineRule rule;
		Datum		values[8];
		bool		nulls[8] = {0};

		CHECK_FOR_INTERRUPTS();
		if (finding->start < counted)
			counted = before = 0;
		before += count_characters(judged.utf8 + counted, finding->start - counted);
		counted = finding->start;

		mdr_engine_rule(judged.live->engine, finding->rule, &rule);
		mdr_engine_category(judged.live->engine, rule.category, &category);
		values[0] = utf8_string_datum(category.id);
		values[1] = utf8_string_datum(rule.id);
		values[2] = Float4GetDatum(finding->score);
		values[3] = Int32GetDatum(before + 1);
		values[4] = Int32GetDatum(count_characters(judged.utf8 + finding->start, finding->end - finding->start));
		values[5] = utf8_datum(judged.utf8 + finding->start, finding->end - finding->start);
		values[6] = CStringGetTextDatum(view_name(finding->view));
		nulls[7] = (finding->context < 0);
		values[7] = nulls[7] ? (Datum) 0 : utf8_string_datum(mdr_engine_context(judged.live->engine, finding->context));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* normalize(content text) */
Datum
moderation_normalize(PG_FUNCTION_ARGS)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	const char *utf8;
	int			length;
	MdrArena   *arena = borrow_arena();
	StringInfoData folded;

	/* Piece by piece, so that a long text can be cancelled, and one that folds to more than a value can be is stopped on the way. */
	initStringInfo(&folded);
	mdr_to_utf8(VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content), &utf8, &length);
	while (length > 0)
	{
		int			piece = (int) mdr_text_cut(utf8, length, FOLDED_AT_ONCE);
		MdrText		text;
		MdrStatus	status;

		mdr_arena_reset(arena);
		status = mdr_text_fold(arena, utf8, piece, &text);
		if (status != MDR_OK)
			mdr_raise(status, NULL);
		appendBinaryStringInfo(&folded, text.bytes, text.length);
		utf8 += piece;
		length -= piece;
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(folded.data, folded.len));
}

/* redact(content text, policy text, mask text) */
Datum
moderation_redact(PG_FUNCTION_ARGS)
{
	text	   *mask;
	const char *mask_utf8;
	int			mask_length;
	Judged		judged;
	MdrArena   *arena;
	MdrStatus	status;
	char	   *masked;
	size_t		masked_length;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	mask = PG_GETARG_TEXT_PP(2);
	mdr_to_utf8(VARDATA_ANY(mask), VARSIZE_ANY_EXHDR(mask), &mask_utf8, &mask_length);
	arena = judge(fcinfo, &judged);
	if (judged.verdict.unknown != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_UNKNOWN),
				 errmsg("content could not be scanned within its bounds: %s", judged.verdict.unknown),
				 errhint("What could not be scanned cannot be masked; moderation.verdict() says what the policy makes of it.")));
	status = mdr_redact(judged.live->engine, arena, &judged.verdict, judged.utf8, judged.length,
						pnstrdup(mask_utf8, mask_length), &masked, &masked_length);
	if (masked_length > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("masked content would be longer than a value can be")));
	if (status == MDR_UNKNOWN)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_UNKNOWN),
				 errmsg("content has more findings than can be masked"),
				 errhint("moderation.verdict() says what the policy makes of it.")));
	if (status != MDR_OK)
		mdr_raise(status, NULL);
	PG_RETURN_DATUM(utf8_datum(masked, masked_length));
}
