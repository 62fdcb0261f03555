/*
 * store_cover.c
 *		What a policy has words for: by category and language, and by the risks of the standards that its head names.
 *
 * moderation.policy_languages(policy, policy_version) and moderation.policy_risks(policy, policy_version): counted in the document
 * itself, because the compiled form no longer knows which words were written and which come of lists multiplied.  When something last
 * changed is told by the earlier versions' documents: each is parsed, from the asked one downwards, until everything has differed
 * once; about 30 ms a version and megabyte.
 *
 * Writes nothing.  Takes AccessShareLock on moderation.policy.  All memory is in one context that goes at the end, or with the abort.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "server/server.h"
#include "store/store_row.h"

PG_FUNCTION_INFO_V1(moderation_list_languages);
PG_FUNCTION_INFO_V1(moderation_list_risks);

#define COVER_LIMIT ((size_t) 2 * 1024 * 1024 * 1024)
#define NO_TALLY UINT32_MAX

/* Rules that are counted together: of a category and language, of a risk, or of a whole standard. */
typedef struct Tally
{
	uint32		owner;			/* category, or standard */
	uint32		risk;			/* NO_TALLY: the standard as a whole */
	const char *language;		/* of a category */
	uint32		next;			/* of the same category; or NO_TALLY */
	int			nrules;
	int			npatterns;
	int			nhits;
	int			nmisses;
	int			nclear;			/* rules of severity 2 or 3 */
	uint64		hash;			/* of what the rules look for, in any order */
	uint32		stamp;			/* rule that was added last, plus one: a rule may serve several risks of a standard */
	const char **words;
	uint64		nwords;
	uint64		capacity;
	uint8	   *lists;			/* a bit for each list whose words are in it */
	bool		changed;		/* an earlier version differs: no need to look further */
	TimestampTz since;			/* load of the first version from which the hash was as it is */
} Tally;

/* One version's tallies. */
typedef struct Cover
{
	MdrPolicy  *policy;
	bool		risks;			/* by risks, not by categories and languages */
	bool		words;			/* count words, too: of the asked version only */
	Tally	   *tallies;
	uint32		ntallies;
	uint32		capacity;
	uint32	   *first;			/* of each category, or standard */
	uint64	   *list_hashes;
	uint32	   *named;			/* lists that the rule at hand names */
	uint32		nnamed;
	uint32		named_capacity;
} Cover;

static uint64
hash_text(uint64 hash, const char *text)
{
	return hash_combine64(hash, hash_bytes_extended((const unsigned char *) text, (int) strlen(text), 0));
}

static uint32
new_tally(Cover *cover, uint32 owner, uint32 risk, const char *language)
{
	if (cover->ntallies == cover->capacity)
	{
		cover->capacity = Max(64, cover->capacity * 2);
		cover->tallies = cover->tallies == NULL ? palloc(cover->capacity * sizeof(Tally))
			: repalloc_huge(cover->tallies, cover->capacity * sizeof(Tally));
	}
	cover->tallies[cover->ntallies] = (Tally) {.owner = owner, .risk = risk, .language = language, .next = NO_TALLY};
	return cover->ntallies++;
}

static uint32
tally_of_language(Cover *cover, uint32 category, const char *language)
{
	uint32	   *link = &cover->first[category];

	while (*link != NO_TALLY && strcmp(cover->tallies[*link].language, language) != 0)
		link = &cover->tallies[*link].next;
	if (*link == NO_TALLY)
	{
		uint32		made = new_tally(cover, category, NO_TALLY, language);

		/* The tallies may have moved. */
		link = &cover->first[category];
		while (*link != NO_TALLY)
			link = &cover->tallies[*link].next;
		*link = made;
		return made;
	}
	return *link;
}

/* Adds texts to a rule's hash, and the lists they name to cover->named. */
static uint64
hash_strings(Cover *cover, uint64 hash, const MdrStrings *strings, bool pattern, bool named)
{
	hash = hash_combine64(hash, strings->count);
	for (uint32_t i = 0; i < strings->count; i++)
	{
		const char *text = strings->items[i];
		size_t		from = 0,
					start,
					end;

		hash = hash_text(hash, text);
		for (; mdr_policy_reference(text, from, pattern, &start, &end); from = end)
		{
			const MdrWordList *list = mdr_policy_list(cover->policy, text + start + 1, end - start - 2);
			uint32		index = list - cover->policy->lists;

			hash = hash_combine64(hash, cover->list_hashes[index]);
			if (!named)
				continue;
			if (cover->nnamed == cover->named_capacity)
			{
				cover->named_capacity = Max(64, cover->named_capacity * 2);
				cover->named = cover->named == NULL ? palloc(cover->named_capacity * sizeof(uint32))
					: repalloc_huge(cover->named, cover->named_capacity * sizeof(uint32));
			}
			cover->named[cover->nnamed++] = index;
		}
	}
	return hash;
}

/* What a rule looks for and how much that means: notes and examples are not in it. */
static uint64
hash_rule(Cover *cover, const MdrRule *rule)
{
	const MdrPolicy *policy = cover->policy;
	uint64		hash = hash_text(0, rule->id);

	cover->nnamed = 0;
	hash = hash_combine64(hash, hash_bytes_extended((const unsigned char *) &rule->weight, sizeof(rule->weight), 0));
	hash = hash_combine64(hash, (uint64) rule->severity << 32 | rule->views);
	hash = hash_combine64(hash, (uint64) rule->within << 1 | rule->ordered);
	hash = hash_strings(cover, hash, &rule->terms, false, true);
	hash = hash_strings(cover, hash, &rule->patterns, true, true);
	for (uint32_t g = 0; g < rule->nall_of; g++)
		hash = hash_strings(cover, hash, &rule->all_of[g], false, true);
	hash = hash_strings(cover, hash, &rule->allow, false, false);
	for (uint32_t i = 0; i < rule->nunless; i++)
		hash = hash_text(hash, policy->contexts[rule->unless[i]].id);
	return hash;
}

static void
add_word(Tally *tally, const char *word)
{
	if (tally->nwords == tally->capacity)
	{
		tally->capacity = Max(64, tally->capacity * 2);
		tally->words = tally->words == NULL ? palloc(tally->capacity * sizeof(char *))
			: repalloc_huge(tally->words, tally->capacity * sizeof(char *));
	}
	tally->words[tally->nwords++] = word;
}

/* As they are written; but a text that is nothing but a list's name is no word. */
static void
add_strings(Tally *tally, const MdrStrings *strings)
{
	for (uint32_t i = 0; i < strings->count; i++)
	{
		size_t		start,
					end;

		if (!mdr_policy_reference(strings->items[i], 0, false, &start, &end) || start > 0 || strings->items[i][end] != '\0')
			add_word(tally, strings->items[i]);
	}
}

/* index: the rule's; the same rule is added to a tally once. */
static void
add_rule(Cover *cover, Tally *tally, const MdrRule *rule, uint32 index, uint64 hash)
{
	const MdrPolicy *policy = cover->policy;

	if (tally->stamp == index + 1)
		return;
	tally->stamp = index + 1;
	tally->nrules++;
	tally->npatterns += rule->patterns.count;
	tally->nhits += rule->hits.count;
	tally->nmisses += rule->misses.count;
	tally->nclear += rule->severity >= 2;
	tally->hash += hash;
	if (!cover->words)
		return;
	add_strings(tally, &rule->terms);
	for (uint32_t g = 0; g < rule->nall_of; g++)
		add_strings(tally, &rule->all_of[g]);
	if (tally->lists == NULL)
		tally->lists = palloc0(policy->nlists / 8 + 1);
	for (uint32 i = 0; i < cover->nnamed; i++)
	{
		uint32		list = cover->named[i];

		if (tally->lists[list / 8] & (1 << list % 8))
			continue;
		tally->lists[list / 8] |= 1 << list % 8;
		for (uint32_t w = 0; w < policy->lists[list].terms.count; w++)
			add_word(tally, policy->lists[list].terms.items[w]);
	}
}

/* Whether a standard's language (NULL: all) takes a rule of this one in: zh takes zh-Hant. */
static bool
language_counts(const char *standard, const char *language)
{
	size_t		length;

	if (standard == NULL || strcmp(language, "any") == 0)
		return true;
	length = strlen(standard);
	return pg_strncasecmp(standard, language, length) == 0 && (language[length] == '\0' || language[length] == '-');
}

static void
add_to_risks(Cover *cover, const MdrRule *rule, uint32 index, uint64 hash)
{
	const MdrPolicy *policy = cover->policy;

	for (uint32_t i = 0; i < rule->nrisks; i++)
	{
		uint32		risk = rule->risks[i];
		uint32		standard = policy->risks[risk].standard;

		if (!language_counts(policy->standards[standard].language, rule->language))
			continue;
		/* Groups were made in the order of risks, each standard's total before its own. */
		add_rule(cover, &cover->tallies[cover->first[standard]], rule, index, hash);
		add_rule(cover, &cover->tallies[risk + standard + 1], rule, index, hash);
	}
}

/* Everything of one version, in the current context. */
static Cover *
cover_policy(MdrPolicy *policy, bool risks, bool words)
{
	Cover	   *cover = palloc0(sizeof(Cover));
	uint32		owners = risks ? policy->nstandards : policy->ncategories;

	cover->policy = policy;
	cover->risks = risks;
	cover->words = words;
	cover->first = palloc(Max(owners, 1) * sizeof(uint32));
	memset(cover->first, 0xff, owners * sizeof(uint32));
	cover->list_hashes = palloc0(Max(policy->nlists, 1) * sizeof(uint64));
	for (uint32_t i = 0; i < policy->nlists; i++)
		for (uint32_t w = 0; w < policy->lists[i].terms.count; w++)
			cover->list_hashes[i] = hash_text(cover->list_hashes[i], policy->lists[i].terms.items[w]);
	for (uint32_t i = 0; risks && i < policy->nrisks; i++)
	{
		uint32		standard = policy->risks[i].standard;

		if (cover->first[standard] == NO_TALLY)
			cover->first[standard] = new_tally(cover, standard, NO_TALLY, NULL);
		new_tally(cover, standard, i, NULL);
	}
	for (uint32_t i = 0; i < policy->nrules; i++)
	{
		const MdrRule *rule = &policy->rules[i];
		uint64		hash = hash_rule(cover, rule);

		CHECK_FOR_INTERRUPTS();
		if (risks)
			add_to_risks(cover, rule, i, hash);
		else
		{
			uint32		tally = tally_of_language(cover, rule->category, rule->language);

			add_rule(cover, &cover->tallies[tally], rule, i, hash);
		}
	}
	return cover;
}

static bool
same_tally(const Cover *a, const Tally *left, const Cover *b, const Tally *right)
{
	if (!a->risks)
		return strcmp(a->policy->categories[left->owner].id, b->policy->categories[right->owner].id) == 0 &&
			strcmp(left->language, right->language) == 0;
	if ((left->risk == NO_TALLY) != (right->risk == NO_TALLY))
		return false;
	return left->risk == NO_TALLY
		? strcmp(a->policy->standards[left->owner].name, b->policy->standards[right->owner].name) == 0
		: strcmp(a->policy->risks[left->risk].id, b->policy->risks[right->risk].id) == 0;
}

/* Moves each tally's `since` back to an earlier version that is the same; whether any may go further back still. */
static bool
compare(Cover *cover, const Cover *earlier, TimestampTz loaded_at)
{
	bool		more = false;

	for (uint32 i = 0; i < cover->ntallies; i++)
	{
		Tally	   *tally = &cover->tallies[i];
		uint32		j = 0;

		CHECK_FOR_INTERRUPTS();
		if (tally->changed)
			continue;
		while (j < earlier->ntallies && !same_tally(cover, tally, earlier, &earlier->tallies[j]))
			j++;
		if (j < earlier->ntallies && earlier->tallies[j].hash == tally->hash)
			tally->since = loaded_at;
		else
			tally->changed = true;
		more |= !tally->changed;
	}
	return more;
}

/* NULL when the document is not one for this version of the extension. */
static MdrPolicy *
parse_row(const MdrPolicyRow *row, MdrError *error)
{
	MdrArena   *arena = mdr_arena_in(CurrentMemoryContext, COVER_LIMIT);
	MdrPolicy  *policy = NULL;
	MdrStatus	status;
	const char *utf8;
	int			length;

	mdr_to_utf8(VARDATA_ANY(row->document), VARSIZE_ANY_EXHDR(row->document), &utf8, &length);
	status = mdr_policy_parse(arena, utf8, length, mdr_interrupted, NULL, &policy, error);
	CHECK_FOR_INTERRUPTS();
	if (status != MDR_OK && status != MDR_INVALID)
		mdr_raise(status, error);
	return status == MDR_OK ? policy : NULL;
}

static void
look_back(Cover *cover, const char *name, int version)
{
	bool		more = cover->ntallies > 0;

	while (more)
	{
		MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation earlier policy", ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(context);
		MdrPolicyRow row;
		MdrPolicy  *policy = NULL;
		MdrError	error = {0};

		if (mdr_store_earlier(name, version, &row))
			policy = parse_row(&row, &error);
		if (policy != NULL)
			more = compare(cover, cover_policy(policy, cover->risks, false), row.loaded_at);
		else
			more = false;
		version = row.version;
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(context);
	}
}

/* The asked version, counted; NULL when there is none.  *name and *version say which it is. */
static Cover *
cover_version(FunctionCallInfo fcinfo, bool risks, char **name, int *version)
{
	MdrPolicyRow row;
	MdrPolicy  *policy;
	MdrError	error = {0};
	Cover	   *cover;

	*name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	*version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	if (*version == 0)
		*version = mdr_policy_live(*name)->version;
	if (*name == NULL)
		*name = pstrdup(mdr_policy_live(NULL)->policy);
	if (!mdr_store_find(*name, *version, true, &row, NULL))
		return NULL;
	policy = parse_row(&row, &error);
	if (policy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_MDR_BAD_POLICY),
				 errmsg("policy \"%s\" version %d cannot be read by this version of the extension", *name, *version),
				 errdetail("Line %d: %s.", error.line, mdr_from_utf8(error.message, strlen(error.message))),
				 errhint("Load a corrected document with moderation.load_policy().")));
	cover = cover_policy(policy, risks, true);
	for (uint32 i = 0; i < cover->ntallies; i++)
		cover->tallies[i].since = row.loaded_at;
	look_back(cover, *name, *version);
	return cover;
}

static int
compare_words(const void *left, const void *right)
{
	CHECK_FOR_INTERRUPTS();
	return strcmp(*(const char *const *) left, *(const char *const *) right);
}

/* Each word once. */
static int
count_words(Tally *tally)
{
	int			count = 0;

	if (tally->nwords > 0)
		qsort(tally->words, tally->nwords, sizeof(char *), compare_words);
	for (uint64 i = 0; i < tally->nwords; i++)
		if (i == 0 || strcmp(tally->words[i], tally->words[i - 1]) != 0)
			count++;
	return count;
}

static Datum
utf8_datum(const char *utf8)
{
	return CStringGetTextDatum(mdr_from_utf8(utf8, strlen(utf8)));
}

/* moderation.policy_languages(policy text, policy_version int) */
Datum
moderation_list_languages(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation coverage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	Cover	   *cover;
	char	   *name;
	int			version;

	InitMaterializedSRF(fcinfo, 0);
	caller = MemoryContextSwitchTo(context);
	cover = cover_version(fcinfo, false, &name, &version);
	for (uint32 i = 0; cover != NULL && i < cover->ntallies; i++)
	{
		Tally	   *tally = &cover->tallies[i];
		Datum		values[11];
		bool		nulls[11] = {0};

		values[0] = CStringGetTextDatum(name);
		values[1] = Int32GetDatum(version);
		values[2] = utf8_datum(cover->policy->categories[tally->owner].id);
		values[3] = utf8_datum(tally->language);
		values[4] = Int32GetDatum(tally->nrules);
		values[5] = Int32GetDatum(tally->nclear);
		values[6] = Int32GetDatum(count_words(tally));
		values[7] = Int32GetDatum(tally->npatterns);
		values[8] = Int32GetDatum(tally->nhits);
		values[9] = Int32GetDatum(tally->nmisses);
		values[10] = TimestampTzGetDatum(tally->since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/* moderation.policy_risks(policy text, policy_version int) */
Datum
moderation_list_risks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "moderation coverage", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	Cover	   *cover;
	char	   *name;
	int			version;

	InitMaterializedSRF(fcinfo, 0);
	caller = MemoryContextSwitchTo(context);
	cover = cover_version(fcinfo, true, &name, &version);
	for (uint32 i = 0; cover != NULL && i < cover->ntallies; i++)
	{
		Tally	   *tally = &cover->tallies[i];
		const MdrStandard *standard = &cover->policy->standards[tally->owner];
		const MdrRisk *risk = tally->risk == NO_TALLY ? NULL : &cover->policy->risks[tally->risk];
		uint32		required = risk == NULL ? standard->words : risk->words;
		int			words = count_words(tally);
		Datum		values[12] = {0};
		bool		nulls[12] = {0};

		values[0] = CStringGetTextDatum(name);
		values[1] = Int32GetDatum(version);
		values[2] = utf8_datum(standard->name);
		nulls[3] = nulls[4] = nulls[5] = (risk == NULL);
		if (risk != NULL)
		{
			values[3] = utf8_datum(risk->id);
			values[4] = utf8_datum(risk->clause_en);
			values[5] = utf8_datum(risk->clause_zh);
		}
		values[6] = Int32GetDatum(tally->nrules);
		values[7] = Int32GetDatum(words);
		values[8] = Int32GetDatum(required);
		values[9] = BoolGetDatum(words >= required);
		nulls[8] = nulls[9] = (required == 0);
		values[10] = TimestampTzGetDatum(tally->since);
		nulls[10] = (tally->nrules == 0);
		values[11] = BoolGetDatum(tally->nrules > 0 && (now - tally->since) / USECS_PER_SEC <= standard->renewed);
		nulls[11] = (risk != NULL || standard->renewed == 0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}
