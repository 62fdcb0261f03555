/*
 * fuzz_policy.c
 *		Any bytes as a policy document: parsed; when that goes well, compiled, opened and checked against its own examples.
 *
 * What is wrong must be told: with a message, and a place within the document.
 */
#include "fuzz_engine.h"

#define LIMIT (256 * 1024 * 1024)	/* bytes that a short document may take */
#define PATIENCE 2000			/* questions whether to stop while the examples are run */

static bool
count_down(void *context)
{
	return --*(int *) context <= 0;
}

static void
check_error(const MdrError *error, const char *document, size_t length)
{
	size_t		n = strnlen(error->message, sizeof(error->message));
	int			lines = 1;

	for (size_t i = 0; i < length; i++)
		lines += document[i] == '\n';
	require(n > 0 && n < sizeof(error->message), "an error has a message");
	require(strnlen(error->file, sizeof(error->file)) < sizeof(error->file), "a file's name ends");
	require(strnlen(error->rule, sizeof(error->rule)) < sizeof(error->rule), "a rule's name ends");
	require(is_utf8(error->message, n) && is_utf8(error->file, strlen(error->file)) && is_utf8(error->rule, strlen(error->rule)),
			"what an error says is valid UTF-8");
	require(error->message[n - 1] != '\n' && error->message[n - 1] != '.', "a message has no full stop");
	require(error->line >= 0 && error->line <= lines + 1 && error->column >= 0 && (size_t) error->column <= length + 1,
			"an error's place lies in the document");
}

/* Touches the whole tree. */
static void
check_tree(const MdrPolicy *policy)
{
	require(policy->ncategories > 0 && policy->ncategories <= MDR_MAX_CATEGORIES, "a policy has categories");
	require(policy->on_unknown == MDR_REJECT || policy->on_unknown == MDR_QUARANTINE || policy->on_unknown == MDR_FLAG,
			"what is unknown is not let through");
	require(policy->ladder.nfreezes >= 0 && policy->ladder.nfreezes <= MDR_MAX_FREEZES, "there are no more freezes than fit");
	for (uint32_t i = 0; i < policy->nrules; i++)
	{
		const MdrRule *rule = &policy->rules[i];

		require(rule->category < policy->ncategories && rule->severity >= 0 && rule->severity <= MDR_MAX_SEVERITY,
				"a rule has a category and a severity");
		require(rule->weight > 0 && rule->weight <= 1, "a weight lies in 0..1");
		require(rule->hits.count > 0 && rule->misses.count > 0, "a rule has examples");
		require(rule->terms.count + rule->patterns.count + rule->nall_of > 0, "a rule has a way to find");
		for (uint32_t u = 0; u < rule->nunless; u++)
			require(rule->unless[u] < policy->ncontexts, "what excuses is a context");
	}
}

/* With a model that a site learned, and without one again: the rest of the document stays what it is. */
static void
check_learned(MdrArena *arena, const MdrPolicy *policy, const char *document, size_t length)
{
	const char *category = policy->categories[policy->ncategories - 1].id;
	size_t		used = length < 200 ? length : 200;
	char	   *with,
			   *without;
	size_t		with_length,
				without_length;
	MdrPolicy  *read;
	MdrError	error = {0};

	require(mdr_policy_with_learned(arena, document, length, &category, 1, 7, document, used, &with, &with_length, &error) == MDR_OK,
			"a model can be put into a document");
	require(mdr_policy_parse(arena, with, with_length, NULL, NULL, &read, &error) == MDR_OK, "a document with a model can be read");
	require(read->nrules == policy->nrules && read->ncategories == policy->ncategories && read->nrisks == policy->nrisks,
			"a model changes nothing else");
	require(read->learned.ncategories == 1 && read->learned.categories[0] == policy->ncategories - 1 && read->learned.examples == 7 &&
			read->learned.length == used && memcmp(read->learned.bytes, document, read->learned.length) == 0,
			"a model is read as it was written");
	require(mdr_policy_with_learned(arena, with, with_length, NULL, 0, 0, NULL, 0, &without, &without_length, &error) == MDR_OK &&
			mdr_policy_parse(arena, without, without_length, NULL, NULL, &read, &error) == MDR_OK, "and without it again");
	require(read->nrules == policy->nrules && read->learned.bytes == NULL && without_length <= length + 1, "nothing of it is left");
}

static void
run_policy(MdrArena *arena, const MdrPolicy *policy, const char *document, size_t length)
{
	MdrError	error = {0};
	MdrEngine  *engine;
	MdrStatus	status;
	char	   *image;
	char	   *second;
	size_t		image_length;
	size_t		second_length;
	int			left = PATIENCE;

	status = mdr_compile(arena, policy, NULL, NULL, &image, &image_length, &error);
	if (status != MDR_OK)
	{
		require(status == MDR_INVALID || status == MDR_NO_MEMORY, "what cannot be compiled is invalid");
		check_error(&error, document, length);
		return;
	}
	require(mdr_compile(arena, policy, NULL, NULL, &second, &second_length, &error) == MDR_OK && second_length == image_length &&
			memcmp(image, second, image_length) == 0, "a policy compiles to the same image twice");
	require(mdr_engine_open(image, image_length, &engine, &error) == MDR_OK, "what was compiled can be opened");
	status = mdr_engine_check(engine, policy, count_down, &left, &error);
	require(status == MDR_OK || status == MDR_INVALID || status == MDR_INTERRUPTED || status == MDR_UNKNOWN, "examples can be run");
	if (status == MDR_INVALID)
		check_error(&error, document, length);
	mdr_engine_close(engine);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *document = exact_copy(data, size);
	MdrArena   *arena = mdr_arena_create(LIMIT);
	MdrPolicy  *policy = NULL;
	MdrError	error = {0};
	MdrStatus	status;

	require(arena != NULL, "there is memory");
	status = mdr_policy_parse(arena, document, size, NULL, NULL, &policy, &error);
	require(status == MDR_OK || status == MDR_INVALID || status == MDR_NO_MEMORY, "a document is right, wrong or too large");
	if (status == MDR_OK)
	{
		check_tree(policy);
		check_learned(arena, policy, document, size);
		run_policy(arena, policy, document, size);
	}
	else
		check_error(&error, document, size);

	/* Once more with memory that ends. */
	mdr_test_fail_alloc(1 + (long) (digest(data, size) % 256));
	status = mdr_policy_parse(arena, document, size, NULL, NULL, &policy, &error);
	mdr_test_fail_alloc(0);
	require(status == MDR_OK || status == MDR_INVALID || status == MDR_NO_MEMORY, "a lack of memory is told as such");
	mdr_arena_destroy(arena);
	free(document);
	return 0;
}
