/*
 * store_learn.c
 *		moderation.learn(): decisions of a site's reviewers -> an additional model, in a draft of the policy, with a report.
 *
 * Input: a query of (content, category, label), run once with the caller's rights; the live version of a policy.  Its rows go to a
 * tuplestore, which spills to disk, with the score that the policy gives without anything learned.  Four in five, by a hash of the
 * content, train a model that corrects those scores (MdrLabels.offset); the fifth, which it has not seen, gives the report: false
 * alarms and misses under the live version and under the draft.  Output: the draft, a row of moderation.policy in state
 * 'draft', and a row of the report for each category.
 *
 * Locks: none but the caller's own while it reads and fits; those of loading a policy at the very end.  Memory: one context, deleted
 * at the end; an ERROR leaves it, and all that was written, to the abort.  Interrupts are honoured throughout.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "model/model.h"
#include "server/server.h"
#include "store/store_row.h"

PG_FUNCTION_INFO_V1(moderation_learn);

#define ROWS_AT_ONCE 500
#define NOTICE_MS 1000			/* how often progress is told */

/* A category is learned from so many decisions of either kind at least: with one kind only, all would become that kind. */
#define LEAST_OF_A_LABEL 5

/* Decisions that are held back: one in so many. */
#define HELD_BACK 5

/* The model: some thousand decisions do not fill more rows than these. */
#define LEARN_BITS 14
#define LEARN_EPOCHS 8
#define LEARN_RATE 0.3f
#define LEARN_L2 1e-3f

/*
 * What harmless content weighs that was not flagged before.  A flag is raised from a score of .4, so that at weight 1 it would be raised
 * where two in three are harmless, and content nobody minded is much more than what anybody reviews.
 */
#define WEIGHT_OF_QUIET 4

/* What the report says of a category. */
typedef struct Tally
{
	int64		labels[2];		/* decisions, by label */
	int64		held[2];		/* of these held back, by label */
	int64		wrong_before[2];	/* of these judged wrongly: [0] false alarms, [1] misses */
	int64		wrong_after[2];
	int			head;			/* in the learned model, or -1 */
} Tally;

typedef struct Learn
{
	MemoryContext context;
	const char *policy;
	MdrPolicyRow row;			/* the live version */
	const char *document;		/* its document, without what was learned before */
	size_t		document_length;
	MdrEngine  *live;
	MdrEngine  *base;			/* of that document */
	uint32_t	ncategories;
	const char *names[MDR_MAX_CATEGORIES];
	float		flag_at[MDR_MAX_CATEGORIES];
	Tally		tally[MDR_MAX_CATEGORIES];
	Tuplestorestate *decisions; /* content, category, label, held back, score without anything learned */
	TupleDesc	row_type;
	int64		ndecisions;
	MdrArena   *scratch;		/* one content's */
	bool		fitting;		/* within maintenance_work_mem */
	const char *doing;			/* for progress */
	double		done;			/* 0..1 of it */
	TimestampTz told;			/* when progress was told last */
	ErrorData  *held_error;		/* raised in telling it, while the core was at work */
} Learn;

static void
begin_phase(Learn *learn, const char *doing)
{
	learn->doing = doing;
	learn->done = 0;
}

static void
tell(Learn *learn)
{
	TimestampTz now = GetCurrentTimestamp();

	if (!TimestampDifferenceExceeds(learn->told, now, NOTICE_MS))
		return;
	learn->told = now;
	if (learn->done > 0)
		ereport(NOTICE, (errmsg("learning: %s, %d %%", learn->doing, (int) (100 * learn->done))));
	else
		ereport(NOTICE, (errmsg("learning: %s, " INT64_FORMAT " decisions so far", learn->doing, learn->ndecisions)));
}

/* For the core: tells progress, too.  What telling raises is held back until the core has returned. */
static bool
interrupted(void *context)
{
	Learn	   *learn = context;
	MemoryContext caller = CurrentMemoryContext;

	if (learn->held_error == NULL)
	{
		PG_TRY();
		{
			tell(learn);
		}
		PG_CATCH();
		{
			MemoryContextSwitchTo(learn->context);
			learn->held_error = CopyErrorData();
			FlushErrorState();
			MemoryContextSwitchTo(caller);
		}
		PG_END_TRY();
	}
	return learn->held_error != NULL || mdr_interrupted(NULL);
}

static void
progress(void *context, double done)
{
	((Learn *) context)->done = done;
}

static void
check(Learn *learn, MdrStatus status, const MdrError *error)
{
	if (status == MDR_OK)
		return;
	if (learn->held_error != NULL)
		ReThrowError(learn->held_error);
	if (status == MDR_NO_MEMORY && learn->fitting)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory while learning from " INT64_FORMAT " decisions", learn->ndecisions),
				 errhint("Increase \"maintenance_work_mem\", or give fewer decisions.")));
	mdr_raise(status, error);
}

/* An engine for a document; it goes with the context. */
static MdrEngine *
open_document(Learn *learn, const char *document, size_t length)
{
	MdrEngineOwner *owner = mdr_engine_owner(learn->context);
	MdrArena   *arena = mdr_arena_in(CurrentMemoryContext, 0);
	MdrPolicy  *tree;
	MdrEngine  *engine = NULL;
	MdrError	error = {0};
	char	   *image;
	size_t		image_length;
	MdrStatus	status = mdr_policy_parse(arena, document, length, interrupted, learn, &tree, &error);

	if (status == MDR_OK)
		status = mdr_compile(arena, tree, interrupted, learn, &image, &image_length, &error);
	if (status == MDR_OK)
		status = mdr_engine_open(image, image_length, &engine, &error);
	check(learn, status, &error);
	mdr_engine_own(owner, engine);
	mdr_arena_reset(arena);
	return engine;
}

/* The verdict of an engine on a content: of one category, whether it is flagged and its score. */
static bool
judge(Learn *learn, MdrEngine *engine, const char *content, size_t length, uint32_t category, float *score)
{
	MdrVerdict	verdict;

	mdr_arena_reset(learn->scratch);
	check(learn, mdr_verdict(engine, learn->scratch, content, length, MDR_REJECT, interrupted, learn, &verdict), NULL);
	if (score != NULL)
		*score = verdict.categories[category].score;
	return verdict.categories[category].action > MDR_ALLOW;
}

static uint32_t
category_index(const Learn *learn, const char *name)
{
	for (uint32_t i = 0; i < learn->ncategories; i++)
		if (strcmp(learn->names[i], name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("policy \"%s\" has no category \"%s\"", learn->policy, name),
			 errhint("SELECT category FROM moderation.category lists them.")));
}

/* One decision into the tuplestore. */
static void
take(Learn *learn, const char *content, uint32_t category, bool label)
{
	size_t		length = strlen(content);
	bool		held = hash_bytes((const unsigned char *) content, (int) length) % HELD_BACK == 0;
	float		score;
	Datum		values[5];
	bool		nulls[5] = {false};

	judge(learn, learn->base, content, length, category, &score);
	values[0] = CStringGetTextDatum(content);
	values[1] = Int32GetDatum((int32) category);
	values[2] = BoolGetDatum(label);
	values[3] = BoolGetDatum(held);
	values[4] = Float4GetDatum(score);
	tuplestore_putvalues(learn->decisions, learn->row_type, values, nulls);
	pfree(DatumGetPointer(values[0]));
	learn->tally[category].labels[label]++;
	if (held)
		learn->tally[category].held[label]++;
	learn->ndecisions++;
}

/* A row of the query.  A decision without a category says of every category that the content is harmless. */
static void
take_row(Learn *learn, HeapTuple tuple, TupleDesc type)
{
	char	   *content = SPI_getvalue(tuple, type, 1);
	char	   *category = SPI_getvalue(tuple, type, 2);
	bool		null;
	bool		label = DatumGetBool(SPI_getbinval(tuple, type, 3, &null));

	if (content == NULL || null)
		return;
	if (category != NULL)
		take(learn, content, category_index(learn, category), label);
	else if (!label)
	{
		for (uint32_t i = 0; i < learn->ncategories; i++)
			take(learn, content, i, false);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a decision that content violates the policy must name a category"),
				 errhint("The second column of the query may be NULL only where the third is false.")));
}

static void
read_decisions(Learn *learn, const char *query)
{
	SPIPlanPtr	plan;
	Portal		portal;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the query of decisions cannot be prepared: %s", SPI_result_code_string(SPI_result))));
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	if (portal->tupDesc == NULL || portal->tupDesc->natts != 3 || getBaseType(TupleDescAttr(portal->tupDesc, 2)->atttypid) != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the query of decisions must yield three columns: content, category, and a boolean label"),
				 errhint("For example: SELECT body, category, upheld FROM decision.")));
	do
	{
		MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "moderation decisions", ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(batch);

		SPI_cursor_fetch(portal, true, ROWS_AT_ONCE);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			CHECK_FOR_INTERRUPTS();
			take_row(learn, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		}
		SPI_freetuptable(SPI_tuptable);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(batch);
		tell(learn);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
}

/* The categories with enough decisions become heads of the model; the number of them. */
static uint32_t
choose_heads(Learn *learn, const char **heads)
{
	uint32_t	nheads = 0;

	for (uint32_t i = 0; i < learn->ncategories; i++)
	{
		Tally	   *tally = &learn->tally[i];
		int64		trained[2] = {tally->labels[0] - tally->held[0], tally->labels[1] - tally->held[1]};

		tally->head = -1;
		if (trained[0] + trained[1] == 0)
			continue;
		if (trained[0] < LEAST_OF_A_LABEL || trained[1] < LEAST_OF_A_LABEL || nheads == MDR_MODEL_MAX_HEADS)
			ereport(NOTICE,
					(errmsg("category \"%s\" is not learned: " INT64_FORMAT " decisions say harmless, " INT64_FORMAT " say violation",
							learn->names[i], tally->labels[0], tally->labels[1]),
					 errdetail("At least %d of each kind are needed, besides those held back.", LEAST_OF_A_LABEL)));
		else
		{
			heads[nheads] = learn->names[i];
			tally->head = (int) nheads++;
		}
	}
	if (nheads == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there are not enough decisions to learn from"),
				 errdetail("The query gave " INT64_FORMAT ".", learn->ndecisions),
				 errhint("Give decisions of both kinds: content that reviewers found harmless, and content that they found in violation.")));
	return nheads;
}

/* Calls use() with every decision. */
static void
each_decision(Learn *learn, void (*use) (Learn *learn, void *argument, const char *content, size_t length, Tally *tally, bool label,
										 bool held, float score), void *argument)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(learn->row_type, &TTSOpsMinimalTuple);
	int64		count = 0;

	tuplestore_rescan(learn->decisions);
	while (tuplestore_gettupleslot(learn->decisions, true, false, slot))
	{
		text	   *content;
		bool		null;

		CHECK_FOR_INTERRUPTS();
		slot_getallattrs(slot);
		content = DatumGetTextPP(slot->tts_values[0]);
		use(learn, argument, VARDATA_ANY(content), VARSIZE_ANY_EXHDR(content),
			&learn->tally[DatumGetInt32(slot_getattr(slot, 2, &null))], DatumGetBool(slot_getattr(slot, 3, &null)),
			DatumGetBool(slot_getattr(slot, 4, &null)), DatumGetFloat4(slot_getattr(slot, 5, &null)));
		if ((Pointer) content != DatumGetPointer(slot->tts_values[0]))
			pfree(content);
		learn->done = (double) ++count / learn->ndecisions;
		tell(learn);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* A decision for the trainer. */
static void
teach(Learn *learn, void *argument, const char *content, size_t length, Tally *tally, bool label, bool held, float score)
{
	MdrTrainer *trainer = argument;
	float		offset[MDR_MODEL_MAX_HEADS] = {0};
	MdrLabels	labels = {.weight = 1, .offset = offset};
	MdrText		text;

	if (held || tally->head < 0)
		return;
	offset[tally->head] = mdr_score_logit(score);
	if (!label && score < learn->flag_at[tally - learn->tally])
		labels.weight = WEIGHT_OF_QUIET;
	*(label ? &labels.positive : &labels.negative) = 1u << tally->head;
	mdr_arena_reset(learn->scratch);
	check(learn, mdr_text_fold(learn->scratch, content, length, &text), NULL);
	check(learn, mdr_trainer_add(trainer, &text, &labels), NULL);
}

/* Fits the model; the document with it. */
static text *
fit(Learn *learn)
{
	const char *heads[MDR_MODEL_MAX_HEADS];
	MdrTraining training = {
		.heads = heads, .bits = LEARN_BITS, .epochs = LEARN_EPOCHS, .rate = LEARN_RATE, .l2 = LEARN_L2, .seed = 1,
		.lexicon = mdr_model_built_in(), .interrupted = interrupted, .context = learn, .progress = progress
	};
	MdrArena   *arena = mdr_arena_in(learn->context, (size_t) maintenance_work_mem * 1024);
	MdrTrainer *trainer;
	MdrError	error = {0};
	char	   *bytes;
	char	   *document;
	size_t		length;
	size_t		document_length;
	MdrStatus	status;

	training.nheads = choose_heads(learn, heads);
	learn->fitting = true;
	check(learn, mdr_trainer_create(arena, &training, &trainer, &error), &error);
	begin_phase(learn, "taking in");
	each_decision(learn, teach, trainer);
	begin_phase(learn, "fitting");
	status = mdr_trainer_fit(trainer, &bytes, &length, &error);
	if (status == MDR_OK)
		status = mdr_policy_with_learned(arena, learn->document, learn->document_length, heads, training.nheads, learn->ndecisions,
										 bytes, length, &document, &document_length, &error);
	check(learn, status, &error);
	learn->fitting = false;
	return cstring_to_text_with_len(document, (int) document_length);
}

/* A decision that was held back, under the live version and under the draft. */
static void
compare(Learn *learn, void *argument, const char *content, size_t length, Tally *tally, bool label, bool held, float score)
{
	MdrEngine  *draft = argument;
	uint32_t	category = (uint32_t) (tally - learn->tally);

	if (!held)
		return;
	tally->wrong_before[label] += judge(learn, learn->live, content, length, category, NULL) != label;
	tally->wrong_after[label] += judge(learn, draft, content, length, category, NULL) != label;
}

static void
begin(Learn *learn, const char *policy)
{
	const MdrLive *live = mdr_policy_live(policy);
	MdrArena   *arena = mdr_arena_in(learn->context, 0);
	MdrError	error = {0};
	char	   *document;
	const char *utf8;
	int			length;

	learn->policy = pstrdup(live->policy);
	learn->live = live->engine;
	if (!mdr_store_find(learn->policy, live->version, true, &learn->row, NULL))
		elog(ERROR, "the live version of policy \"%s\" is gone", learn->policy);
	mdr_to_utf8(VARDATA_ANY(learn->row.document), VARSIZE_ANY_EXHDR(learn->row.document), &utf8, &length);
	check(learn, mdr_policy_with_learned(arena, utf8, length, NULL, 0, 0, NULL, 0, &document, &learn->document_length, &error),
		  &error);
	learn->document = document;
	learn->base = open_document(learn, learn->document, learn->document_length);
	learn->ncategories = mdr_engine_ncategories(learn->base);
	for (uint32_t i = 0; i < learn->ncategories; i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(learn->base, i, &category);
		learn->names[i] = category.id;
		learn->flag_at[i] = category.flag_at;
	}
	learn->row_type = CreateTemplateTupleDesc(5);
	TupleDescInitEntry(learn->row_type, 1, "content", TEXTOID, -1, 0);
	TupleDescInitEntry(learn->row_type, 2, "category", INT4OID, -1, 0);
	TupleDescInitEntry(learn->row_type, 3, "label", BOOLOID, -1, 0);
	TupleDescInitEntry(learn->row_type, 4, "held_back", BOOLOID, -1, 0);
	TupleDescInitEntry(learn->row_type, 5, "score", FLOAT4OID, -1, 0);
	learn->decisions = tuplestore_begin_heap(false, false, work_mem);
	learn->scratch = mdr_arena_in(learn->context, 0);
}

/* The rows of the report: a category each, and all of them together, with category NULL. */
static void
report(const Learn *learn, int version, ReturnSetInfo *result)
{
	Tally		all = {.head = 0};

	for (uint32_t i = 0; i <= learn->ncategories; i++)
	{
		const Tally *tally = i < learn->ncategories ? &learn->tally[i] : &all;
		Datum		values[11];
		bool		nulls[11] = {false};

		if (i < learn->ncategories && tally->labels[0] + tally->labels[1] == 0)
			continue;
		values[0] = CStringGetTextDatum(learn->policy);
		values[1] = Int32GetDatum(version);
		nulls[2] = i == learn->ncategories;
		values[2] = nulls[2] ? (Datum) 0 : CStringGetTextDatum(learn->names[i]);
		values[3] = BoolGetDatum(tally->head >= 0);
		values[4] = Int64GetDatum(tally->labels[0] + tally->labels[1]);
		for (int label = 0; label < 2; label++)
		{
			values[5 + 3 * label] = Int64GetDatum(tally->held[label]);
			values[6 + 3 * label] = Int64GetDatum(tally->wrong_before[label]);
			values[7 + 3 * label] = Int64GetDatum(tally->wrong_after[label]);
			all.labels[label] += tally->labels[label];
			all.held[label] += tally->held[label];
			all.wrong_before[label] += tally->wrong_before[label];
			all.wrong_after[label] += tally->wrong_after[label];
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* moderation.learn(query text, policy text) */
Datum
moderation_learn(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation learn", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	Learn		learn = {.context = context, .doing = "preparing", .told = GetCurrentTimestamp()};
	MdrEngine  *draft;
	text	   *document;
	int			version;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the query of decisions must not be null")));
	PreventCommandIfReadOnly("moderation.learn()");
	PreventCommandIfParallelMode("moderation.learn()");
	PreventCommandDuringRecovery("moderation.learn()");
	InitMaterializedSRF(fcinfo, 0);
	caller = MemoryContextSwitchTo(context);

	begin(&learn, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)));
	begin_phase(&learn, "reading");
	read_decisions(&learn, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	document = fit(&learn);
	begin_phase(&learn, "comparing");
	draft = open_document(&learn, VARDATA_ANY(document), VARSIZE_ANY_EXHDR(document));
	each_decision(&learn, compare, draft);
	begin_phase(&learn, "storing");
	version = mdr_store_load(document, MDR_LOAD_DRAFT, "moderation.learn()");
	report(&learn, version, (ReturnSetInfo *) fcinfo->resultinfo);

	tuplestore_end(learn.decisions);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}
