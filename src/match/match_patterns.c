/*
 * match_patterns.c
 *		Patterns -> what confirms them (PCRE2) and what announces them (literals).
 *
 * Each pattern is spelt for the plain view, and again for the leet and the joined view when its rule looks through them.
 * PCRE2 compiles each once here, to refuse it where it stands in the document; an engine compiles it again when content
 * first needs it, since machine code cannot be kept in an image.
 *
 * A pattern is tried on content only when literals that every match must contain are there: they are looked for with the
 * terms, in the same pass.  (Vectorscan's PREFILTER mode, the usual way, needed half a minute for one pattern with a bounded
 * \w and a list of words, since a repeated Unicode class is a large automaton; literals take microseconds.)  A pattern
 * without any such literal goes to the "always" lane, of which there may be few.
 *
 * Input: the policy's tree.  Output: compiler->patterns, sets and always, in compiler->scratch.  Locks: none.  On error the
 * MdrError says which pattern is refused and why; PCRE2's objects are freed before return.
 */
#include "match/match_compile.h"
#include "match/match_pcre.h"

#include <stdlib.h>
#include <string.h>

/* Refuses a pattern that PCRE2 refuses, or that would be a burden. */
static MdrStatus
check_pattern(MdrCompiler *compiler, const MdrPcre *pcre, const char *pattern, MdrPlace place, const char *rule)
{
	int			number;
	PCRE2_SIZE	offset;
	PCRE2_UCHAR reason[200] = "";
	uint32_t	matches_empty = 0;
	size_t		size = 0,
				machine_size = 0;
	pcre2_code *code = mdr_pcre_compile(pcre, pattern, &number, &offset);

	if (code == NULL)
	{
		if (number == PCRE2_ERROR_HEAP_FAILED)
			return mdr_compile_no_memory(compiler);
		pcre2_get_error_message(number, reason, sizeof(reason));
		return mdr_compile_refuse(compiler, place, rule, "%s (near character %zu of the pattern with its lists)", reason,
								  (size_t) offset + 1);
	}
	pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
	pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size);
	pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &machine_size);
	pcre2_code_free(code);
	if (matches_empty)
		return mdr_compile_refuse(compiler, place, rule, "pattern can match the empty string");
	if (size > MDR_MAX_COMPILED || machine_size > MDR_MAX_COMPILED)
		return mdr_compile_refuse(compiler, place, rule, "pattern comes to %zu bytes, more than %d: use fewer words, or terms",
								  size > machine_size ? size : machine_size, MDR_MAX_COMPILED);
	return MDR_OK;
}

/* One pattern of a rule or context: spelt, checked, recorded. */
/*
 * At which ends a match must be a whole word, for the joined view, in which "\\b" is left out: where the pattern, or an alternative of the
 * group that it begins or ends with, has one.
 */
static uint32_t
word_flags(const char *pattern, size_t length)
{
	uint32_t	flags = strncmp(pattern, "\\b", 2) == 0 ? MDR_LEFT : 0;
	int			depth = 0;

	if (length >= 2 && strcmp(pattern + length - 2, "\\b") == 0)
		flags |= MDR_RIGHT;
	for (size_t i = 0; i < length && pattern[0] == '(' && (i == 0 || depth > 0); i += 1 + (pattern[i] == '\\'))
	{
		depth += (pattern[i] == '(') - (pattern[i] == ')');
		if (strncmp(pattern + i, "\\b", 2) == 0 && i > 0 && strchr("(:|", pattern[i - 1]) != NULL)
			flags |= MDR_LEFT;
	}
	depth = 0;
	for (size_t i = length; i > 0 && pattern[length - 1] == ')' && (i == length || depth > 0); i--)
	{
		bool		escaped = i > 1 && pattern[i - 2] == '\\';

		depth += !escaped && pattern[i - 1] == ')';
		depth -= !escaped && pattern[i - 1] == '(';
		if (i >= 2 && i < length && strncmp(pattern + i - 2, "\\b", 2) == 0 && strchr(")|", pattern[i]) != NULL)
			flags |= MDR_RIGHT;
	}
	return flags;
}

static MdrStatus
add_pattern(MdrCompiler *compiler, const MdrPcre *pcre, const char *pattern, const MdrPlace *place, const char *rule,
			MdrUseKind kind, uint32_t owner, uint32_t views)
{
	MdrImagePattern *record = &compiler->patterns[compiler->npatterns];

	record->owner = owner;
	record->kind = kind;
	record->views = views & ~(1u << MDR_VIEW_SQUEEZED);
	record->flags = word_flags(pattern, strlen(pattern));
	for (int view = 0; view < MDR_NSPELLINGS; view++)
	{
		MdrBuffer	spelt = {compiler->scratch};
		MdrStatus	status;

		if (!(views & (1u << view)))
			continue;
		status = mdr_compile_spelling(compiler, pattern, *place, rule, view, &spelt);
		if (status == MDR_OK)
			status = check_pattern(compiler, pcre, spelt.bytes, *place, rule);
		if (status == MDR_OK)
			status = mdr_compile_look(compiler, 1);
		if (status == MDR_INVALID && view == MDR_VIEW_JOINED)
		{
			/* Nothing is left of it without its spaces. */
			record->views &= ~(1u << view);
			continue;
		}
		if (status != MDR_OK)
			return status;
		record->text[view] = mdr_compile_string(compiler, spelt.bytes, spelt.length - 1);
		if (record->text[view] == UINT32_MAX)
			return mdr_compile_no_memory(compiler);
	}
	compiler->pattern_places[compiler->npatterns++] = place;
	return MDR_OK;
}

static MdrStatus
add_all(MdrCompiler *compiler, const MdrPcre *pcre)
{
	const MdrPolicy *policy = compiler->policy;
	MdrStatus	status = MDR_OK;

	for (uint32_t c = 0; c < policy->ncontexts; c++)
		for (uint32_t i = 0; status == MDR_OK && i < policy->contexts[c].patterns.count; i++)
			status = add_pattern(compiler, pcre, policy->contexts[c].patterns.items[i], &policy->contexts[c].patterns.places[i],
								 NULL, MDR_USE_CONTEXT, c, policy->views);
	for (uint32_t r = 0; r < policy->nrules; r++)
		for (uint32_t i = 0; status == MDR_OK && i < policy->rules[r].patterns.count; i++)
			status = add_pattern(compiler, pcre, policy->rules[r].patterns.items[i], &policy->rules[r].patterns.places[i],
								 policy->rules[r].id, MDR_USE_TERM, r, policy->rules[r].views);
	return status;
}

static const char *
rule_of(const MdrCompiler *compiler, const MdrImagePattern *pattern)
{
	return pattern->kind == MDR_USE_TERM ? compiler->policy->rules[pattern->owner].id : NULL;
}

/* A set of literals under one key, so that equal sets of several patterns and views are found by sorting. */
typedef struct Keyed
{
	const char *key;			/* the strings, sorted, each with a zero byte behind it */
	size_t		length;
	uint32_t	pattern;
	uint16_t	view;
	bool		left;			/* MdrSet.left */
} Keyed;

typedef struct KeyedSets
{
	Keyed	   *items;
	uint32_t	count;
} KeyedSets;

static bool
same_key(const Keyed *a, const Keyed *b)
{
	return a->length == b->length && memcmp(a->key, b->key, a->length) == 0;
}

static int
compare_keyed(const void *left, const void *right)
{
	const Keyed *a = left;
	const Keyed *b = right;
	int			order = memcmp(a->key, b->key, a->length < b->length ? a->length : b->length);

	if (order == 0)
		order = (a->length > b->length) - (a->length < b->length);
	return order != 0 ? order : (a->pattern > b->pattern) - (a->pattern < b->pattern);
}

static int
compare_strings(const void *left, const void *right)
{
	return strcmp(*(const char *const *) left, *(const char *const *) right);
}

static bool
make_key(MdrArena *arena, const MdrSet *set, Keyed *keyed)
{
	MdrBuffer	key = {arena};

	qsort(set->strings, set->count, sizeof(char *), compare_strings);
	for (uint32_t i = 0; i < set->count; i++)
		if (i == 0 || strcmp(set->strings[i], set->strings[i - 1]) != 0)
			mdr_buffer_append(&key, set->strings[i], strlen(set->strings[i]) + 1);
	keyed->key = key.bytes;
	keyed->length = key.length;
	keyed->left = set->left;
	return !key.failed;
}

/* Tries pattern `index` on everything in a view: no literal announces it. */
static MdrStatus
set_aside(MdrCompiler *compiler, MdrView view, uint32_t index)
{
	MdrImageChoice *last = compiler->nalways > 0 ? &compiler->always[compiler->nalways - 1] : NULL;

	if (last != NULL && last->pattern == index)
	{
		last->views |= 1u << view;
		return MDR_OK;
	}
	if (compiler->nalways == MDR_MAX_ALWAYS)
		return mdr_compile_refuse(compiler, *compiler->pattern_places[index], rule_of(compiler, &compiler->patterns[index]),
								  "nothing in this pattern is fixed text of two letters or one character, and there are %d such"
								  " patterns already", MDR_MAX_ALWAYS);
	compiler->always[compiler->nalways++] = (MdrImageChoice) {index, 1u << view};
	return MDR_OK;
}

static bool
is_new(const Keyed *entries, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (same_key(&entries[i], &entries[index]))
			return false;
	return true;
}

/* A pattern's sets in one view.  It waits for as many in each view, the plain view's number being the measure. */
static MdrStatus
find_sets(MdrCompiler *compiler, uint32_t index, MdrView view, KeyedSets *keyed)
{
	MdrImagePattern *pattern = &compiler->patterns[index];
	const char *text = compiler->strings.bytes + pattern->text[view];
	Keyed	   *entries = &keyed->items[keyed->count];
	MdrSet		sets[MDR_MAX_SETS];
	uint32_t	nsets,
				distinct = 0;

	if (mdr_filter_sets(compiler->scratch, text, view == MDR_VIEW_PLAIN ? 0 : pattern->nsets, sets, &nsets) != MDR_OK)
		return mdr_compile_no_memory(compiler);
	for (uint32_t s = 0; s < nsets; s++)
	{
		entries[distinct].pattern = index;
		entries[distinct].view = view;
		if (!make_key(compiler->scratch, &sets[s], &entries[distinct]))
			return mdr_compile_no_memory(compiler);
		if (is_new(entries, distinct))
			distinct++;
	}
	if (view == MDR_VIEW_PLAIN)
		pattern->nsets = distinct;
	if (pattern->nsets == 0 || distinct < pattern->nsets)
		return set_aside(compiler, view, index);
	keyed->count += pattern->nsets;
	return MDR_OK;
}

/* Adds the literals of the set that keyed[0 .. count) share, and the patterns that wait for it. */
static MdrStatus
add_set(MdrCompiler *compiler, const Keyed *keyed, uint32_t count)
{
	MdrImageSet *set = &compiler->sets[compiler->nsets];
	uint32_t	views = 0;
	unsigned	flags = MDR_LEFT;

	set->first = compiler->nset_patterns;
	for (uint32_t i = 0; i < count; i++)
	{
		views |= 1u << keyed[i].view;
		if (!keyed[i].left)
			flags = 0;
		if (i > 0 && keyed[i].pattern == keyed[i - 1].pattern)
			compiler->set_patterns[compiler->nset_patterns - 1].views |= 1u << keyed[i].view;
		else
			compiler->set_patterns[compiler->nset_patterns++] = (MdrImageChoice) {keyed[i].pattern, 1u << keyed[i].view};
	}
	set->count = compiler->nset_patterns - set->first;
	for (const char *literal = keyed->key; literal < keyed->key + keyed->length; literal += strlen(literal) + 1)
	{
		MdrStatus	status = mdr_compile_announcer(compiler, views, literal, (uint32_t) strlen(literal), compiler->nsets,
												   flags, *compiler->pattern_places[keyed->pattern]);

		if (status != MDR_OK)
			return status;
	}
	compiler->nsets++;
	return MDR_OK;
}

static MdrStatus
compile_sets(MdrCompiler *compiler)
{
	uint32_t	most = compiler->npatterns * MDR_MAX_SETS * MDR_NVIEWS;
	KeyedSets	keyed = {mdr_alloc_array(compiler->scratch, most, sizeof(Keyed)), 0};
	MdrStatus	status = MDR_OK;

	compiler->always = mdr_alloc_array(compiler->scratch, MDR_MAX_ALWAYS, sizeof(MdrImageChoice));
	compiler->sets = mdr_alloc_array(compiler->scratch, most, sizeof(MdrImageSet));
	compiler->set_patterns = mdr_alloc_array(compiler->scratch, most, sizeof(MdrImageChoice));
	if (keyed.items == NULL || compiler->always == NULL || compiler->sets == NULL || compiler->set_patterns == NULL)
		return mdr_compile_no_memory(compiler);
	for (uint32_t i = 0; i < compiler->npatterns; i++)
		for (int view = 0; status == MDR_OK && view < MDR_NSPELLINGS; view++)
		{
			if (compiler->patterns[i].views & (1u << view))
				status = find_sets(compiler, i, view, &keyed);
			if (status == MDR_OK)
				status = mdr_compile_look(compiler, 1);
		}
	if (status == MDR_OK)
		status = mdr_compile_sort(compiler, keyed.items, keyed.count, sizeof(Keyed), compare_keyed);
	if (status != MDR_OK)
		return status;
	for (uint32_t first = 0, next; status == MDR_OK && first < keyed.count; first = next)
	{
		for (next = first + 1; next < keyed.count && same_key(&keyed.items[first], &keyed.items[next]); next++)
			;
		status = add_set(compiler, &keyed.items[first], next - first);
	}
	return status;
}

static uint32_t
count_patterns(const MdrPolicy *policy)
{
	uint32_t	count = 0;

	for (uint32_t c = 0; c < policy->ncontexts; c++)
		count += policy->contexts[c].patterns.count;
	for (uint32_t r = 0; r < policy->nrules; r++)
		count += policy->rules[r].patterns.count;
	return count;
}

MdrStatus
mdr_compile_patterns(MdrCompiler *compiler)
{
	uint32_t	count = count_patterns(compiler->policy);
	MdrPcre		pcre;
	MdrStatus	status;

	if (count == 0)
		return MDR_OK;
	if (count > MDR_MAX_PATTERNS)
		return mdr_fail(compiler->error, MDR_INVALID, 0, 0, "policy has %u patterns, more than %d", count, MDR_MAX_PATTERNS);
	compiler->patterns = mdr_alloc_array(compiler->scratch, count, sizeof(MdrImagePattern));
	compiler->pattern_places = mdr_alloc_array(compiler->scratch, count, sizeof(MdrPlace *));
	if (compiler->patterns == NULL || compiler->pattern_places == NULL || !mdr_pcre_open(&pcre))
		return mdr_compile_no_memory(compiler);
	status = add_all(compiler, &pcre);
	mdr_pcre_close(&pcre);
	return status == MDR_OK ? compile_sets(compiler) : status;
}
