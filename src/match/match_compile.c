/*
 * match_compile.c
 *		A policy's tree -> an image: runs the steps, and lays their results out.
 *
 * Input: an MdrPolicy.  Output: the image, in the caller's arena; everything else lives in an arena of this file's own.
 * Locks: none.  On error: MdrError says which term or pattern is refused.
 */
#include "match/match_compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
mdr_buffer_append(MdrBuffer *buffer, const void *bytes, size_t length)
{
	if (buffer->failed || length == 0)
		return;
	if (length > buffer->capacity - buffer->length)
	{
		size_t		larger = buffer->capacity ? buffer->capacity * 2 : 64;
		char	   *grown;

		while (larger - buffer->length < length)
			larger *= 2;
		grown = mdr_grow(buffer->arena, buffer->bytes, buffer->capacity, larger);
		if (grown == NULL)
		{
			buffer->failed = true;
			return;
		}
		buffer->bytes = grown;
		buffer->capacity = larger;
	}
	memcpy(buffer->bytes + buffer->length, bytes, length);
	buffer->length += length;
}

void
mdr_buffer_byte(MdrBuffer *buffer, char byte)
{
	mdr_buffer_append(buffer, &byte, 1);
}

MdrStatus
mdr_compile_no_memory(MdrCompiler *compiler)
{
	return mdr_fail(compiler->error, MDR_NO_MEMORY, 0, 0, "out of memory");
}

MdrStatus
mdr_compile_look(MdrCompiler *compiler, uint32_t every)
{
	if (++compiler->steps % every != 0 || compiler->interrupted == NULL || !compiler->interrupted(compiler->context))
		return MDR_OK;
	return mdr_fail(compiler->error, MDR_INTERRUPTED, 0, 0, "interrupted");
}

MdrStatus
mdr_compile_sort(MdrCompiler *compiler, void *items, size_t count, size_t size,
				 int (*compare) (const void *left, const void *right))
{
	MdrStatus	status = mdr_sort(compiler->scratch, items, count, size, compare, compiler->interrupted, compiler->context);

	if (status == MDR_NO_MEMORY)
		return mdr_compile_no_memory(compiler);
	return status == MDR_OK ? MDR_OK : mdr_fail(compiler->error, status, 0, 0, "interrupted");
}

MdrStatus
mdr_compile_refuse(MdrCompiler *compiler, MdrPlace place, const char *rule, const char *format,...)
{
	char		message[sizeof(compiler->error->message)];
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return mdr_policy_fail(compiler->policy, compiler->error, MDR_INVALID, place, rule, "%s", message);
}

uint32_t
mdr_compile_string(MdrCompiler *compiler, const char *bytes, size_t length)
{
	size_t		offset = compiler->strings.length;

	if (length == 0)
		return 0;
	mdr_buffer_append(&compiler->strings, bytes, length);
	mdr_buffer_byte(&compiler->strings, '\0');
	return compiler->strings.failed || offset >= UINT32_MAX ? UINT32_MAX : (uint32_t) offset;
}

static uint64_t
context_bits(const uint32_t *contexts, uint32_t count)
{
	uint64_t	bits = 0;

	for (uint32_t i = 0; i < count; i++)
		bits |= UINT64_C(1) << contexts[i];
	return bits;
}

static uint32_t
text(MdrCompiler *compiler, const char *string)
{
	return mdr_compile_string(compiler, string, strlen(string));
}

/* The rules' records; how many terms each has is counted later. */
static MdrStatus
lay_rules(MdrCompiler *compiler)
{
	const MdrPolicy *policy = compiler->policy;

	compiler->rules = mdr_alloc_array(compiler->scratch, (size_t) policy->nrules + 2 * policy->ncategories + 1, sizeof(MdrImageRule));
	if (compiler->rules == NULL)
		return mdr_compile_no_memory(compiler);
	compiler->nrules = policy->nrules;
	for (uint32_t i = 0; i < policy->nrules; i++)
	{
		const MdrRule *rule = &policy->rules[i];

		compiler->rules[i] = (MdrImageRule) {
			.unless = context_bits(rule->unless, rule->nunless),
			.id = text(compiler, rule->id),
			.language = text(compiler, rule->language),
			.note = text(compiler, rule->note),
			.category = rule->category,
			.weight = rule->weight,
			.severity = (uint32_t) rule->severity,
			.within = (uint32_t) rule->within,
			.ngroups = rule->nall_of,
			.ordered = rule->ordered,
			.sentence = rule->sentence,
			.views = rule->views,
			.npatterns = rule->patterns.count,
			.nhits = rule->hits.count,
			.nmisses = rule->misses.count
		};
	}
	return compiler->strings.failed ? mdr_compile_no_memory(compiler) : MDR_OK;
}

/* A rule that finds nothing: as this one a model speaks of the category.  Its number. */
static uint32_t
lay_model_rule(MdrCompiler *compiler, uint32_t category, const char *ending, MdrSpeaker speaker, float weight, const char *note)
{
	char		id[MDR_MAX_ID];

	snprintf(id, sizeof(id), "%s%s", compiler->policy->categories[category].id, ending);
	compiler->rules[compiler->nrules] = (MdrImageRule) {.id = text(compiler, id), .language = text(compiler, "any"),
		.note = text(compiler, note), .category = category, .speaker = speaker, .weight = weight, .severity = MDR_MODEL_SEVERITY};
	return compiler->nrules++;
}

static MdrStatus
lay_categories(MdrCompiler *compiler)
{
	const MdrPolicy *policy = compiler->policy;
	const MdrModel *model = mdr_model_built_in();

	compiler->categories = mdr_alloc_array(compiler->scratch, policy->ncategories, sizeof(MdrImageCategory));
	if (compiler->categories == NULL)
		return mdr_compile_no_memory(compiler);
	for (uint32_t i = 0; i < policy->ncategories; i++)
	{
		const MdrCategory *from = &policy->categories[i];
		MdrImageCategory *to = &compiler->categories[i];

		*to = (MdrImageCategory) {.unless = context_bits(from->unless, from->nunless), .id = text(compiler, from->id),
			.clause_en = text(compiler, from->clause_en), .clause_zh = text(compiler, from->clause_zh), .flag_at = from->flag_at,
			.act_at = from->act_at, .strike = from->strike, .suspend_from = from->suspend_from, .evidence = from->evidence,
			.model_rule = MDR_NO_RULE, .learned_rule = MDR_NO_RULE};
		for (int s = 0; s <= MDR_MAX_SEVERITY; s++)
			to->actions[s] = from->actions[s];

		/* Of a category that it was not trained for the model knows nothing. */
		if (from->model > 0 && model != NULL && mdr_model_head(model, from->id) >= 0)
		{
			to->model = from->model;
			to->model_rule = lay_model_rule(compiler, i, MDR_MODEL_ID, MDR_SPEAKER_MODEL, from->model, "The learned model");
		}
	}
	return compiler->strings.failed ? mdr_compile_no_memory(compiler) : MDR_OK;
}

/* The learned model's categories: it must be a model, and know them. */
static MdrStatus
lay_learned(MdrCompiler *compiler)
{
	const MdrLearned *learned = &compiler->policy->learned;
	MdrModel	model;
	MdrError	reason = {0};
	MdrStatus	status;

	if (learned->bytes == NULL)
		return MDR_OK;
	status = mdr_model_open(learned->bytes, learned->length, &model, &reason);
	if (status != MDR_OK)
		return mdr_compile_refuse(compiler, learned->place, NULL, "weights are not a model's: %s", reason.message);
	for (uint32_t i = 0; i < learned->ncategories; i++)
	{
		uint32_t	category = learned->categories[i];
		const char *id = compiler->policy->categories[category].id;

		if (mdr_model_head(&model, id) < 0)
			return mdr_compile_refuse(compiler, learned->place, NULL, "the learned model does not know category \"%s\"", id);
		compiler->categories[category].learned_rule = lay_model_rule(compiler, category, MDR_LEARNED_ID, MDR_SPEAKER_LEARNED, 1,
																	  "Learned from this site's decisions");
	}
	return compiler->strings.failed ? mdr_compile_no_memory(compiler) : MDR_OK;
}

static MdrImageContext *
lay_contexts(MdrCompiler *compiler)
{
	const MdrPolicy *policy = compiler->policy;
	MdrImageContext *contexts = mdr_alloc_array(compiler->scratch, policy->ncontexts + 1, sizeof(MdrImageContext));

	for (uint32_t i = 0; contexts != NULL && i < policy->ncontexts; i++)
		contexts[i] = (MdrImageContext) {text(compiler, policy->contexts[i].id), (uint32_t) policy->contexts[i].within,
			policy->contexts[i].factor};
	return contexts;
}

/* One section: where its bytes are until they are copied. */
typedef struct Piece
{
	const void *bytes;
	size_t		record;
	size_t		count;
} Piece;

static void
gather(const MdrCompiler *compiler, Piece *pieces)
{
	pieces[MDR_CATEGORIES] = (Piece) {compiler->categories, sizeof(MdrImageCategory), compiler->policy->ncategories};
	pieces[MDR_RULES] = (Piece) {compiler->rules, sizeof(MdrImageRule), compiler->nrules};
	pieces[MDR_PATTERNS] = (Piece) {compiler->patterns, sizeof(MdrImagePattern), compiler->npatterns};
	pieces[MDR_ALWAYS] = (Piece) {compiler->always, sizeof(MdrImageChoice), compiler->nalways};
	pieces[MDR_LITERALS] = (Piece) {compiler->literals, sizeof(MdrImageLiteral), compiler->nliterals};
	pieces[MDR_USES] = (Piece) {compiler->unique_uses, sizeof(MdrImageUse), compiler->nuses};
	pieces[MDR_SETS] = (Piece) {compiler->sets, sizeof(MdrImageSet), compiler->nsets};
	pieces[MDR_SET_PATTERNS] = (Piece) {compiler->set_patterns, sizeof(MdrImageChoice), compiler->nset_patterns};
	pieces[MDR_TEMPLATES] = (Piece) {compiler->templates, sizeof(MdrImageTemplate), compiler->ntemplates};
	pieces[MDR_RUNS] = (Piece) {compiler->runs, sizeof(MdrImageRun), (size_t) 1 << compiler->sizes.runs};
	pieces[MDR_SHORTS] = (Piece) {compiler->shorts, sizeof(MdrImageRun), (size_t) 1 << compiler->sizes.shorts};
	pieces[MDR_HEADS] = (Piece) {compiler->heads, sizeof(uint64_t), compiler->nliterals};
	pieces[MDR_LEARNED] = (Piece) {compiler->policy->learned.bytes, 1, compiler->policy->learned.length};
	pieces[MDR_BITMAPS] = (Piece) {compiler->bitmaps, sizeof(uint64_t), mdr_bitmap_words(&compiler->sizes)};
}

static MdrStatus
lay_image(MdrCompiler *compiler, MdrArena *arena, char **image, size_t *length)
{
	const MdrPolicy *policy = compiler->policy;
	Piece		pieces[MDR_NSECTIONS] = {0};
	MdrImageHeader header = {.max_bytes = policy->max_bytes, .on_unknown = policy->on_unknown, .views = policy->views,
		.ladder = policy->ladder, .sizes = compiler->sizes, .name = text(compiler, policy->name),
		.model_heads = policy->model ? mdr_image_model_heads() : 0};
	size_t		size = (sizeof(header) + 15) & ~(size_t) 15;

	gather(compiler, pieces);
	pieces[MDR_CONTEXTS] = (Piece) {lay_contexts(compiler), sizeof(MdrImageContext), policy->ncontexts};
	pieces[MDR_STRINGS] = (Piece) {compiler->strings.bytes, 1, compiler->strings.length};
	if (compiler->strings.failed || pieces[MDR_CONTEXTS].bytes == NULL)
		return mdr_compile_no_memory(compiler);
	for (int s = 0; s < MDR_NSECTIONS; s++)
	{
		header.sections[s] = (MdrSectionEntry) {size, pieces[s].count};
		size += (pieces[s].record * pieces[s].count + 15) & ~(size_t) 15;
	}
	mdr_image_versions(&header);
	header.length = size;
	*image = mdr_alloc(arena, size);
	if (*image == NULL)
		return mdr_compile_no_memory(compiler);
	*length = size;
	memcpy(*image, &header, sizeof(header));
	for (int s = 0; s < MDR_NSECTIONS; s++)
		if (pieces[s].count > 0)
			memcpy(*image + header.sections[s].offset, pieces[s].bytes, pieces[s].record * pieces[s].count);
	header.checksum = mdr_image_checksum(*image, size);
	memcpy(*image, &header, sizeof(header));
	return MDR_OK;
}

MdrStatus
mdr_compile(MdrArena *arena, const MdrPolicy *policy, MdrInterrupted interrupted, void *context, char **image, size_t *length,
			MdrError *error)
{
	MdrCompiler compiler = {.policy = policy, .error = error, .interrupted = interrupted, .context = context};
	MdrStatus	status;

	*image = NULL;
	*length = 0;
	compiler.scratch = mdr_arena_create(MDR_MAX_SCRATCH);
	if (compiler.scratch == NULL)
		return mdr_compile_no_memory(&compiler);
	compiler.strings.arena = compiler.scratch;
	mdr_buffer_byte(&compiler.strings, '\0');	/* offset 0 is the empty string */
	status = compiler.strings.failed ? mdr_compile_no_memory(&compiler) : lay_rules(&compiler);
	if (status == MDR_OK)
		status = lay_categories(&compiler);
	if (status == MDR_OK)
		status = lay_learned(&compiler);
	if (status == MDR_OK)
		status = mdr_compile_terms(&compiler);
	if (status == MDR_OK)
		status = mdr_compile_patterns(&compiler);
	if (status == MDR_OK)
		status = mdr_compile_literals(&compiler);
	if (status == MDR_OK)
		status = lay_image(&compiler, arena, image, length);
	mdr_arena_destroy(compiler.scratch);
	return status;
}
