/*
 * policy_rules.c
 *		The further documents of a policy: the rules of a category each, and what can only be said of the whole.
 *
 * Duplicate names are found by sorting, so that a policy of many thousand rules costs n log n.
 *
 * Input: nodes.  Output: rules and lists of reader->policy, in reader->arena.  Locks: none.  On error the reader's MdrError
 * says where and why, and the policy is unfinished.
 */
#include "policy/policy_node.h"

#include <stdlib.h>
#include <string.h>

#define NFIELDS(fields) ((int) (sizeof(fields) / sizeof(fields[0])))
#define DEFAULT_WITHIN 60

static MdrStatus
read_all_of(MdrReader *reader, const MdrNode *node, MdrRule *rule)
{
	MdrStatus	status = mdr_read_sequence(reader, node, "all_of", MDR_MAX_GROUPS);

	if (status != MDR_OK)
		return status;
	if (node->nitems < 2)
		return mdr_reader_fail(reader, node->place, "all_of must have two lists or more");
	rule->all_of = mdr_alloc_array(reader->arena, node->nitems, sizeof(MdrStrings));
	if (rule->all_of == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		status = mdr_read_strings(reader, node->items[i], "list of all_of", MDR_MAX_TERM, &rule->all_of[i]);
		if (status == MDR_OK && rule->all_of[i].count == 0)
			status = mdr_reader_fail(reader, node->items[i]->place, "a list of all_of is empty");
		if (status != MDR_OK)
			return status;
		rule->nall_of++;
	}
	return MDR_OK;
}

/* The ways to find: terms, patterns, all_of with its distance, order and sentence. */
static MdrStatus
read_finders(MdrReader *reader, const MdrNode *node, MdrField *terms, MdrField *patterns, MdrField *all_of, MdrField *within,
			 MdrField *ordered, MdrField *sentence, MdrRule *rule)
{
	MdrStatus	status = MDR_OK;
	int64_t		characters = DEFAULT_WITHIN;
	MdrField   *of_all = within->value ? within : ordered->value ? ordered : sentence;

	if (terms->value != NULL)
		status = mdr_read_strings(reader, terms->value, "terms", MDR_MAX_TERM, &rule->terms);
	if (status == MDR_OK && patterns->value != NULL)
		status = mdr_read_strings(reader, patterns->value, "patterns", MDR_MAX_PATTERN, &rule->patterns);
	if (status == MDR_OK && all_of->value != NULL)
		status = read_all_of(reader, all_of->value, rule);
	if (status == MDR_OK && rule->nall_of == 0 && of_all->value != NULL)
		status = mdr_reader_fail(reader, of_all->value->place, "%s means nothing without all_of", of_all->key);
	if (status == MDR_OK && within->value != NULL)
		status = mdr_read_integer(reader, within->value, "within", 1, MDR_MAX_WITHIN, &characters);
	rule->within = (int) characters;
	if (status == MDR_OK && ordered->value != NULL)
		status = mdr_read_boolean(reader, ordered->value, "ordered", &rule->ordered);
	if (status == MDR_OK && sentence->value != NULL)
		status = mdr_read_boolean(reader, sentence->value, "sentence", &rule->sentence);
	if (status == MDR_OK && rule->terms.count + rule->patterns.count + rule->nall_of == 0)
		status = mdr_reader_fail(reader, node->place, "rule has no terms, patterns or all_of");
	return status;
}

/* Whether an id is one under which a model speaks: a category's, and what follows it. */
static bool
models_id(const MdrPolicy *policy, const char *id)
{
	const char *last = strrchr(id, '.');

	if (last == NULL || (strcmp(last, MDR_MODEL_ID) != 0 && strcmp(last, MDR_LEARNED_ID) != 0))
		return false;
	for (uint32_t i = 0; i < policy->ncategories; i++)
		if (strlen(policy->categories[i].id) == (size_t) (last - id) && strncmp(policy->categories[i].id, id, last - id) == 0)
			return true;
	return false;
}

static MdrStatus
read_examples(MdrReader *reader, const MdrNode *node, const char *what, MdrStrings *examples)
{
	MdrStatus	status = mdr_read_strings(reader, node, what, MDR_MAX_EXAMPLE, examples);

	if (status == MDR_OK && examples->count == 0)
		status = mdr_reader_fail(reader, node->place, "%s is empty: a rule must have at least one example of each", what);
	return status;
}

enum
{
	F_ID, F_LANGUAGE, F_WEIGHT, F_SEVERITY, F_NOTE, F_TERMS, F_PATTERNS, F_ALL_OF, F_WITHIN, F_ORDERED, F_SENTENCE, F_UNLESS,
	F_ALLOW, F_VIEWS, F_HITS, F_MISSES, F_RISKS
};

static MdrStatus
read_rule(MdrReader *reader, const MdrNode *node, uint32_t category, MdrRule *rule)
{
	const MdrPolicy *policy = reader->policy;
	MdrField	f[] = {{"id", true}, {"language"}, {"weight", true}, {"severity", true}, {"note"}, {"terms"}, {"patterns"},
	{"all_of"}, {"within"}, {"ordered"}, {"sentence"}, {"unless"}, {"allow"}, {"views"}, {"hits", true}, {"misses", true}, {"risks"}};
	int64_t		severity = 0;
	MdrStatus	status;

	/* So that an error in a rule with a missing or mistyped key can name the rule, look for its id first. */
	for (uint32_t i = 0; node->kind == MDR_MAPPING && i + 1 < node->nitems; i += 2)
		if (strcmp(node->items[i]->text, "id") == 0 && node->items[i + 1]->kind == MDR_SCALAR)
			reader->rule = node->items[i + 1]->text;
	*rule = (MdrRule) {.category = category, .language = "any", .note = "", .views = policy->views,
		.unless = policy->categories[category].unless, .nunless = policy->categories[category].nunless,
		.risks = policy->categories[category].risks, .nrisks = policy->categories[category].nrisks, .place = node->place};
	status = mdr_read_fields(reader, node, "rule", f, NFIELDS(f));
	if (status == MDR_OK)
		status = mdr_read_name(reader, f[F_ID].value, "id", "_.-", &rule->id);
	if (status == MDR_OK && models_id(policy, rule->id))
		status = mdr_reader_fail(reader, f[F_ID].value->place, "id \"%s\" is the one under which a model speaks", rule->id);
	if (status == MDR_OK && f[F_LANGUAGE].value != NULL)
		status = mdr_read_language(reader, f[F_LANGUAGE].value, &rule->language);
	if (status == MDR_OK)
		status = mdr_read_fraction(reader, f[F_WEIGHT].value, "weight", false, &rule->weight);
	if (status == MDR_OK)
		status = mdr_read_integer(reader, f[F_SEVERITY].value, "severity", 0, MDR_MAX_SEVERITY, &severity);
	rule->severity = (int) severity;
	if (status == MDR_OK && f[F_NOTE].value != NULL)
		status = mdr_read_string(reader, f[F_NOTE].value, "note", MDR_MAX_NOTE, &rule->note);
	if (status == MDR_OK)
		status = read_finders(reader, node, &f[F_TERMS], &f[F_PATTERNS], &f[F_ALL_OF], &f[F_WITHIN], &f[F_ORDERED],
							  &f[F_SENTENCE], rule);
	if (status == MDR_OK && f[F_UNLESS].value != NULL)
		status = mdr_read_unless(reader, f[F_UNLESS].value, &rule->unless, &rule->nunless);
	if (status == MDR_OK && f[F_ALLOW].value != NULL)
		status = mdr_read_strings(reader, f[F_ALLOW].value, "allow", MDR_MAX_TERM, &rule->allow);
	if (status == MDR_OK && f[F_VIEWS].value != NULL)
	{
		status = mdr_read_views(reader, f[F_VIEWS].value, &rule->views);
		if (status == MDR_OK && (rule->views & ~policy->views) != 0)
			status = mdr_reader_fail(reader, f[F_VIEWS].value->place, "views names one that the head does not switch on");
	}
	if (status == MDR_OK && f[F_RISKS].value != NULL)
		status = mdr_read_risks(reader, f[F_RISKS].value, &rule->risks, &rule->nrisks);
	if (status == MDR_OK)
		status = read_examples(reader, f[F_HITS].value, "hits", &rule->hits);
	if (status == MDR_OK)
		status = read_examples(reader, f[F_MISSES].value, "misses", &rule->misses);
	reader->rule = NULL;
	return status;
}

MdrStatus
mdr_read_category(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrField	fields[] = {{"category", true}, {"words"}, {"rules"}};
	MdrStatus	status = mdr_read_fields(reader, node, "a document after the head", fields, NFIELDS(fields));
	uint32_t	category = 0;
	const MdrNode *rules;

	if (status == MDR_OK && fields[0].value->kind != MDR_SCALAR)
		return mdr_reader_fail(reader, fields[0].value->place, "category must be text");
	if (status == MDR_OK)
	{
		while (category < policy->ncategories && strcmp(policy->categories[category].id, fields[0].value->text) != 0)
			category++;
		if (category == policy->ncategories)
			return mdr_reader_fail(reader, fields[0].value->place, "the head has no category \"%.60s\"", fields[0].value->text);
	}
	if (status == MDR_OK && fields[1].value != NULL)
		status = mdr_read_words(reader, fields[1].value);
	rules = fields[2].value;
	if (status != MDR_OK || rules == NULL)
		return status;
	status = mdr_read_sequence(reader, rules, "rules", MDR_MAX_RULES);
	if (status == MDR_OK && policy->nrules + rules->nitems > MDR_MAX_RULES)
		status = mdr_reader_fail(reader, rules->place, "there are more than %d rules", MDR_MAX_RULES);
	if (status != MDR_OK || rules->nitems == 0)
		return status;
	policy->rules = mdr_grow(reader->arena, policy->rules, policy->nrules * sizeof(MdrRule),
							 (policy->nrules + rules->nitems) * sizeof(MdrRule));
	if (policy->rules == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; status == MDR_OK && i < rules->nitems; i++)
	{
		status = read_rule(reader, rules->items[i], category, &policy->rules[policy->nrules]);
		if (status == MDR_OK)
			policy->nrules++;
	}
	return status;
}

_Static_assert(offsetof(MdrRule, id) == 0 && offsetof(MdrWordList, name) == 0, "records begin with their names");

typedef struct Named
{
	const char *name;
	uint32_t	index;
} Named;

static int
compare_named(const void *left, const void *right)
{
	const Named *a = left;
	const Named *b = right;
	int			order = strcmp(a->name, b->name);

	return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/*
 * Sorts the names of count records of a size; a record begins with its name.  *twice becomes the second bearer of a
 * repeated name, or count.
 */
static MdrStatus
sort_names(MdrReader *reader, const void *records, size_t size, uint32_t count, Named **sorted, uint32_t *twice)
{
	Named	   *names = mdr_alloc_array(reader->scratch, count + 1, sizeof(Named));
	MdrStatus	status;

	*twice = count;
	*sorted = names;
	if (names == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < count; i++)
		names[i] = (Named) {*(const char *const *) ((const char *) records + i * size), i};
	status = mdr_sort(reader->scratch, names, count, sizeof(Named), compare_named, reader->interrupted, reader->context);
	if (status != MDR_OK)
		return status == MDR_INTERRUPTED ? mdr_reader_stop(reader) : mdr_reader_no_memory(reader);
	for (uint32_t i = 1; i < count; i++)
		if (strcmp(names[i].name, names[i - 1].name) == 0 && names[i].index < *twice)
			*twice = names[i].index;
	return MDR_OK;
}

/* Whether something in braces was surely meant as a list's name: a letter follows the brace. */
static bool
misspelt(const char *text, size_t from, size_t to)
{
	for (size_t i = from; i < to && text[i] != '\0'; i++)
		if (text[i] == '{' && ((text[i + 1] >= 'a' && text[i + 1] <= 'z') || (text[i + 1] >= 'A' && text[i + 1] <= 'Z')))
			return true;
	return false;
}

/* Every {name} must be a list's. */
static MdrStatus
check_references(MdrReader *reader, const MdrStrings *strings, bool pattern, const char *rule)
{
	for (uint32_t i = 0; i < strings->count; i++)
	{
		const char *text = strings->items[i];
		size_t		from = 0,
					start,
					end;

		if (mdr_reader_interrupted(reader))
			return mdr_reader_stop(reader);
		reader->rule = rule;
		for (;; from = end)
		{
			bool		found = mdr_policy_reference(text, from, pattern, &start, &end);

			if (!pattern && misspelt(text, from, found ? start : SIZE_MAX))
				return mdr_reader_fail(reader, strings->places[i],
									   "a list's name is a lower-case letter, then those, digits, _ or ., then }");
			if (!found)
				break;
			if (mdr_policy_list(reader->policy, text + start + 1, end - start - 2) == NULL)
				return mdr_reader_fail(reader, strings->places[i], "unknown list %.*s", (int) (end - start), text + start);
		}
		reader->rule = NULL;
	}
	return MDR_OK;
}

static MdrStatus
check_all_references(MdrReader *reader)
{
	const MdrPolicy *policy = reader->policy;
	MdrStatus	status = check_references(reader, &policy->allow, false, NULL);

	for (uint32_t i = 0; status == MDR_OK && i < policy->ncontexts; i++)
	{
		status = check_references(reader, &policy->contexts[i].terms, false, NULL);
		if (status == MDR_OK)
			status = check_references(reader, &policy->contexts[i].patterns, true, NULL);
	}
	for (uint32_t i = 0; status == MDR_OK && i < policy->nrules; i++)
	{
		const MdrRule *rule = &policy->rules[i];

		status = check_references(reader, &rule->terms, false, rule->id);
		if (status == MDR_OK)
			status = check_references(reader, &rule->patterns, true, rule->id);
		if (status == MDR_OK)
			status = check_references(reader, &rule->allow, false, rule->id);
		for (uint32_t g = 0; status == MDR_OK && g < rule->nall_of; g++)
			status = check_references(reader, &rule->all_of[g], false, rule->id);
	}
	return status;
}

MdrStatus
mdr_read_finish(MdrReader *reader)
{
	MdrPolicy  *policy = reader->policy;
	uint32_t	twice;
	Named	   *names;
	MdrStatus	status = sort_names(reader, policy->rules, sizeof(MdrRule), policy->nrules, &names, &twice);

	if (status != MDR_OK)
		return status;
	if (twice < policy->nrules)
	{
		reader->rule = policy->rules[twice].id;
		return mdr_reader_fail(reader, policy->rules[twice].place, "rule id is given twice");
	}
	status = sort_names(reader, policy->lists, sizeof(MdrWordList), policy->nlists, &names, &twice);
	if (status != MDR_OK)
		return status;
	policy->lists_by_name = mdr_alloc_array(reader->arena, policy->nlists + 1, sizeof(uint32_t));
	if (policy->lists_by_name == NULL)
		return mdr_reader_no_memory(reader);
	if (twice < policy->nlists)
		return mdr_reader_fail(reader, policy->lists[twice].place, "list \"%s\" is given twice", policy->lists[twice].name);
	for (uint32_t i = 0; i < policy->nlists; i++)
		policy->lists_by_name[i] = names[i].index;
	return check_all_references(reader);
}
