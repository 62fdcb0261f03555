/*
 * policy_head.c
 *		The first document of a policy: limits, views, ladder, words, contexts, standards, categories.
 *
 * Input: nodes.  Output: fields of reader->policy, in reader->arena.  Locks: none.  On error the reader's MdrError says where
 * and why, and the policy is unfinished.
 */
#include "policy/policy_node.h"
#include "text/text.h"

#include <string.h>

#define NFIELDS(fields) ((int) (sizeof(fields) / sizeof(fields[0])))

/* What holds when the head does not say otherwise; policies/README.md names these. */
#define DEFAULT_BYTES (16 * 1024 * 1024)
#define DEFAULT_WITHIN 60
#define DEFAULT_FLAG_AT 0.4f
#define DEFAULT_ACT_AT 0.7f
#define DEFAULT_MODEL 0.6f

static MdrStatus
read_limits(MdrReader *reader, const MdrNode *node)
{
	MdrField	fields[] = {{"bytes"}, {"on_unknown"}};
	MdrStatus	status = mdr_read_fields(reader, node, "limits", fields, NFIELDS(fields));

	if (status == MDR_OK && fields[0].value != NULL)
		status = mdr_read_integer(reader, fields[0].value, "bytes", 4096, 268435456, &reader->policy->max_bytes);
	if (status == MDR_OK && fields[1].value != NULL)
	{
		status = mdr_read_action(reader, fields[1].value, "on_unknown", &reader->policy->on_unknown);
		if (status == MDR_OK && (reader->policy->on_unknown == MDR_ALLOW || reader->policy->on_unknown == MDR_REDACT))
			status = mdr_reader_fail(reader, fields[1].value->place, "on_unknown must be flag, quarantine or reject");
	}
	return status;
}

static MdrStatus
read_within(MdrReader *reader, const MdrNode *node, MdrLadder *ladder)
{
	MdrField	fields[] = {{"count", true}, {"period", true}};
	int64_t		count = 0;
	MdrStatus	status = mdr_read_fields(reader, node, "within", fields, NFIELDS(fields));

	if (status == MDR_OK)
		status = mdr_read_integer(reader, fields[0].value, "count", 0, 100000, &count);
	if (status == MDR_OK)
		status = mdr_read_duration(reader, fields[1].value, "period", -1, &ladder->within_period);
	ladder->within_count = (int) count;
	return status;
}

static MdrStatus
read_ladder(MdrReader *reader, const MdrNode *node)
{
	MdrLadder  *ladder = &reader->policy->ladder;
	MdrField	fields[] = {{"in_a_row"}, {"within"}, {"freezes", true}, {"memory", true}};
	int64_t		in_a_row = 0;
	MdrStatus	status = mdr_read_fields(reader, node, "ladder", fields, NFIELDS(fields));

	if (status == MDR_OK && fields[0].value != NULL)
		status = mdr_read_integer(reader, fields[0].value, "in_a_row", 0, 1000, &in_a_row);
	ladder->in_a_row = (int) in_a_row;
	if (status == MDR_OK && fields[1].value != NULL)
		status = read_within(reader, fields[1].value, ladder);
	if (status == MDR_OK)
		status = mdr_read_sequence(reader, fields[2].value, "freezes", MDR_MAX_FREEZES);
	if (status == MDR_OK && fields[2].value->nitems == 0)
		status = mdr_reader_fail(reader, fields[2].value->place, "freezes is empty");
	for (uint32_t i = 0; status == MDR_OK && i < fields[2].value->nitems; i++)
	{
		status = mdr_read_duration(reader, fields[2].value->items[i], "item of freezes", 0, &ladder->freezes[i]);
		ladder->nfreezes = (int) i + 1;
	}
	if (status == MDR_OK)
		status = mdr_read_duration(reader, fields[3].value, "memory", MDR_MAX_SECONDS, &ladder->memory);
	return status;
}

/* Lists are added to those of earlier documents. */
MdrStatus
mdr_read_words(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	uint32_t	count;
	MdrWordList *lists;

	if (node->kind != MDR_MAPPING)
		return mdr_reader_fail(reader, node->place, "words must be a mapping of names to lists");
	count = policy->nlists + node->nitems / 2;
	if (count > MDR_MAX_LISTS)
		return mdr_reader_fail(reader, node->place, "there are more than %d lists", MDR_MAX_LISTS);
	lists = mdr_grow(reader->arena, policy->lists, policy->nlists * sizeof(MdrWordList), count * sizeof(MdrWordList));
	if (lists == NULL && count > 0)
		return mdr_reader_no_memory(reader);
	policy->lists = lists;
	for (uint32_t i = 0; i < node->nitems; i += 2)
	{
		MdrWordList *list = &policy->lists[policy->nlists];
		MdrStatus	status = mdr_read_name(reader, node->items[i], "name of a list", "_.", &list->name);

		if (status == MDR_OK && node->items[i]->length < 2)
			status = mdr_reader_fail(reader, node->items[i]->place, "name of a list must have two characters or more");
		if (status == MDR_OK)
			status = mdr_read_strings(reader, node->items[i + 1], list->name, MDR_MAX_TERM, &list->terms);
		if (status == MDR_OK && list->terms.count == 0)
			status = mdr_reader_fail(reader, node->items[i + 1]->place, "list %s is empty", list->name);
		for (uint32_t t = 0; status == MDR_OK && t < list->terms.count; t++)
			if (strpbrk(list->terms.items[t], "{}") != NULL)
				status = mdr_reader_fail(reader, list->terms.places[t],
										 "a list's item may not contain a brace: lists do not name lists");
		if (status != MDR_OK)
			return status;
		list->place = node->items[i]->place;
		policy->nlists++;
	}
	return MDR_OK;
}

static MdrStatus
read_context(MdrReader *reader, const MdrNode *node, MdrContext *context)
{
	MdrField	fields[] = {{"id", true}, {"note"}, {"terms"}, {"patterns"}, {"within"}, {"factor", true}};
	int64_t		within = DEFAULT_WITHIN;
	MdrStatus	status = mdr_read_fields(reader, node, "context", fields, NFIELDS(fields));

	context->place = node->place;
	context->note = "";
	if (status == MDR_OK)
		status = mdr_read_name(reader, fields[0].value, "id", "_.-", &context->id);
	if (status == MDR_OK && fields[1].value != NULL)
		status = mdr_read_string(reader, fields[1].value, "note", MDR_MAX_NOTE, &context->note);
	if (status == MDR_OK && fields[2].value != NULL)
		status = mdr_read_strings(reader, fields[2].value, "terms", MDR_MAX_TERM, &context->terms);
	if (status == MDR_OK && fields[3].value != NULL)
		status = mdr_read_strings(reader, fields[3].value, "patterns", MDR_MAX_PATTERN, &context->patterns);
	if (status == MDR_OK && fields[4].value != NULL)
		status = mdr_read_integer(reader, fields[4].value, "within", 0, MDR_MAX_WITHIN, &within);
	context->within = (int) within;
	if (status == MDR_OK)
		status = mdr_read_fraction(reader, fields[5].value, "factor", true, &context->factor);
	if (status == MDR_OK && context->terms.count + context->patterns.count == 0)
		status = mdr_reader_fail(reader, node->place, "context \"%s\" has neither terms nor patterns", context->id);
	return status;
}

static MdrStatus
read_contexts(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrStatus	status = mdr_read_sequence(reader, node, "contexts", MDR_MAX_CONTEXTS);

	if (status != MDR_OK || node->nitems == 0)
		return status;
	policy->contexts = mdr_alloc_array(reader->arena, node->nitems, sizeof(MdrContext));
	if (policy->contexts == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		status = read_context(reader, node->items[i], &policy->contexts[i]);
		for (uint32_t j = 0; status == MDR_OK && j < i; j++)
			if (strcmp(policy->contexts[i].id, policy->contexts[j].id) == 0)
				status = mdr_reader_fail(reader, node->items[i]->place, "context \"%s\" is given twice", policy->contexts[i].id);
		if (status != MDR_OK)
			return status;
		policy->ncontexts++;
	}
	return MDR_OK;
}

MdrStatus
mdr_read_clause(MdrReader *reader, const MdrNode *node, const char **en, const char **zh)
{
	MdrField	fields[] = {{"en", true}, {"zh"}};
	MdrStatus	status = mdr_read_fields(reader, node, "clause", fields, NFIELDS(fields));

	if (status == MDR_OK)
		status = mdr_read_string(reader, fields[0].value, "clause", MDR_MAX_NOTE, en);
	*zh = *en;
	if (status == MDR_OK && fields[1].value != NULL)
		status = mdr_read_string(reader, fields[1].value, "clause", MDR_MAX_NOTE, zh);
	return status;
}

static MdrStatus
read_actions(MdrReader *reader, const MdrNode *node, MdrCategory *category)
{
	MdrStatus	status = mdr_read_sequence(reader, node, "actions", MDR_MAX_SEVERITY + 1);

	if (status == MDR_OK && node->nitems != MDR_MAX_SEVERITY + 1)
		status = mdr_reader_fail(reader, node->place, "actions must have %d items, one for each severity from 0",
								 MDR_MAX_SEVERITY + 1);
	for (uint32_t i = 0; status == MDR_OK && i < node->nitems; i++)
	{
		status = mdr_read_action(reader, node->items[i], "item of actions", &category->actions[i]);
		if (status == MDR_OK && i > 0 && category->actions[i] < category->actions[i - 1])
			status = mdr_reader_fail(reader, node->items[i]->place, "action of severity %u is milder than that of severity %u",
									 i, i - 1);
	}
	return status;
}

static MdrStatus
read_suspend(MdrReader *reader, const MdrNode *node, int *suspend_from)
{
	const char *text = node->kind == MDR_SCALAR ? node->text : "";

	if (strcmp(text, "never") == 0)
		*suspend_from = MDR_SUSPEND_NEVER;
	else if (strcmp(text, "always") == 0)
		*suspend_from = 0;
	else if (text[0] >= '1' && text[0] <= '0' + MDR_MAX_SEVERITY && text[1] == '\0')
		*suspend_from = text[0] - '0';
	else
		return mdr_reader_fail(reader, node->place, "suspend must be never, always, 1, 2 or 3");
	return MDR_OK;
}

static MdrStatus
read_evidence(MdrReader *reader, const MdrNode *node, MdrEvidence *evidence)
{
	const char *text = node->kind == MDR_SCALAR ? node->text : "";

	if (strcmp(text, "hash") == 0)
		*evidence = MDR_EVIDENCE_HASH;
	else if (strcmp(text, "content") == 0)
		*evidence = MDR_EVIDENCE_CONTENT;
	else
		return mdr_reader_fail(reader, node->place, "evidence must be hash or content");
	return MDR_OK;
}

static MdrStatus
read_model(MdrReader *reader, const MdrNode *node, bool *model)
{
	const char *text = node->kind == MDR_SCALAR ? node->text : "";

	*model = strcmp(text, "built-in") == 0;
	if (!*model && strcmp(text, "none") != 0)
		return mdr_reader_fail(reader, node->place, "model must be built-in or none");
	return MDR_OK;
}

/* How much the model may say of a category.  Nothing where the policy has none: "model: none" in the head silences it at one place. */
static MdrStatus
read_model_weight(MdrReader *reader, const MdrNode *node, MdrCategory *category)
{
	MdrStatus	status = MDR_OK;

	category->model = DEFAULT_MODEL;
	if (node != NULL)
	{
		if (!reader->model_said)
			return mdr_reader_fail(reader, node->place, "model means nothing here unless the head says \"model: built-in\"");
		status = mdr_read_fraction(reader, node, "model", true, &category->model);
	}
	if (!reader->policy->model)
		category->model = 0;
	return status;
}

static MdrStatus
read_category_head(MdrReader *reader, const MdrNode *node, MdrCategory *category)
{
	static const MdrAction actions[] = {MDR_ALLOW, MDR_FLAG, MDR_REJECT, MDR_REJECT};
	MdrField	fields[] = {{"id", true}, {"clause", true}, {"flag_at"}, {"act_at"}, {"actions"}, {"strike"}, {"suspend"},
	{"evidence"}, {"unless"}, {"risks"}, {"model"}};
	MdrStatus	status = mdr_read_fields(reader, node, "category", fields, NFIELDS(fields));

	*category = (MdrCategory) {.flag_at = DEFAULT_FLAG_AT, .act_at = DEFAULT_ACT_AT, .strike = true,
		.suspend_from = MDR_SUSPEND_NEVER, .evidence = MDR_EVIDENCE_HASH, .place = node->place};
	memcpy(category->actions, actions, sizeof(actions));
	if (status == MDR_OK)
		status = mdr_read_name(reader, fields[0].value, "id", "_", &category->id);
	if (status == MDR_OK)
		status = mdr_read_clause(reader, fields[1].value, &category->clause_en, &category->clause_zh);
	if (status == MDR_OK && fields[2].value != NULL)
		status = mdr_read_fraction(reader, fields[2].value, "flag_at", false, &category->flag_at);
	if (status == MDR_OK && fields[3].value != NULL)
		status = mdr_read_fraction(reader, fields[3].value, "act_at", false, &category->act_at);
	if (status == MDR_OK && category->flag_at > category->act_at)
		status = mdr_reader_fail(reader, node->place, "flag_at is above act_at");
	if (status == MDR_OK && fields[4].value != NULL)
		status = read_actions(reader, fields[4].value, category);
	if (status == MDR_OK && fields[5].value != NULL)
		status = mdr_read_boolean(reader, fields[5].value, "strike", &category->strike);
	if (status == MDR_OK && fields[6].value != NULL)
		status = read_suspend(reader, fields[6].value, &category->suspend_from);
	if (status == MDR_OK && fields[7].value != NULL)
		status = read_evidence(reader, fields[7].value, &category->evidence);
	if (status == MDR_OK && fields[8].value != NULL)
		status = mdr_read_unless(reader, fields[8].value, &category->unless, &category->nunless);
	if (status == MDR_OK && fields[9].value != NULL)
		status = mdr_read_risks(reader, fields[9].value, &category->risks, &category->nrisks);
	if (status == MDR_OK)
		status = read_model_weight(reader, fields[10].value, category);
	return status;
}

static MdrStatus
read_categories(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrStatus	status = mdr_read_sequence(reader, node, "categories", MDR_MAX_CATEGORIES);

	if (status != MDR_OK)
		return status;
	if (node->nitems == 0)
		return mdr_reader_fail(reader, node->place, "categories is empty");
	policy->categories = mdr_alloc_array(reader->arena, node->nitems, sizeof(MdrCategory));
	if (policy->categories == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		status = read_category_head(reader, node->items[i], &policy->categories[i]);
		for (uint32_t j = 0; status == MDR_OK && j < i; j++)
			if (strcmp(policy->categories[i].id, policy->categories[j].id) == 0)
				status = mdr_reader_fail(reader, node->items[i]->place, "category \"%s\" is given twice",
										 policy->categories[i].id);
		if (status != MDR_OK)
			return status;
		policy->ncategories++;
	}
	return MDR_OK;
}

MdrStatus
mdr_read_head(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrField	fields[] = {{"policy", true}, {"description"}, {"limits"}, {"views"}, {"ladder"}, {"allow"}, {"words"},
	{"contexts"}, {"categories", true}, {"standards"}, {"model"}};
	MdrStatus	status = mdr_read_fields(reader, node, "the head", fields, NFIELDS(fields));

	policy->description = "";
	policy->max_bytes = DEFAULT_BYTES;
	policy->on_unknown = MDR_REJECT;
	policy->views = (1u << MDR_NVIEWS) - 1;
	if (status == MDR_OK)
		status = mdr_read_name(reader, fields[0].value, "policy", "_.-", &policy->name);
	if (status == MDR_OK && fields[1].value != NULL)
		status = mdr_read_string(reader, fields[1].value, "description", MDR_MAX_NOTE, &policy->description);
	if (status == MDR_OK && fields[2].value != NULL)
		status = read_limits(reader, fields[2].value);
	if (status == MDR_OK && fields[3].value != NULL)
		status = mdr_read_views(reader, fields[3].value, &policy->views);
	if (status == MDR_OK && fields[4].value != NULL)
		status = read_ladder(reader, fields[4].value);
	if (status == MDR_OK && fields[5].value != NULL)
		status = mdr_read_strings(reader, fields[5].value, "allow", MDR_MAX_TERM, &policy->allow);
	if (status == MDR_OK && fields[6].value != NULL)
		status = mdr_read_words(reader, fields[6].value);
	if (status == MDR_OK && fields[7].value != NULL)
		status = read_contexts(reader, fields[7].value);
	if (status == MDR_OK && fields[9].value != NULL)
		status = mdr_read_standards(reader, fields[9].value);
	if (status == MDR_OK && fields[10].value != NULL)
		status = read_model(reader, fields[10].value, &policy->model);
	reader->model_said = fields[10].value != NULL;
	if (status == MDR_OK)
		status = read_categories(reader, fields[8].value);
	return status;
}
