/*
 * match_reference.c
 *		The engine against naive references, on generated policies and texts: terms against a loop over all positions, terms of
 *		several lists against all their combinations, patterns against PCRE2 alone, all_of against all pairs.
 *
 * The alphabets are tiny, so that terms overlap, contain and repeat one another.  The seed is fixed; another may be given as
 * first argument, and a number of rounds as second.
 */
#include "match_tap.h"

#include "match/match_pcre.h"

#define MOST 4096

static uint64_t state;

static unsigned
pick(unsigned below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned) (state >> 33) % below;
}

/* ---------- findings as sets ---------- */

typedef struct Found
{
	uint32_t	rule;
	uint32_t	start;
	uint32_t	end;
} Found;

typedef struct FoundSet
{
	Found		items[MOST];
	uint32_t	count;
} FoundSet;

static int
compare_found(const void *left, const void *right)
{
	const Found *a = left;
	const Found *b = right;

	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return (a->end < b->end) - (a->end > b->end);
}

/* Sorted, without repetitions, and without what lies inside the one before it. */
static void
tidy(FoundSet *set)
{
	uint32_t	kept = 0;

	qsort(set->items, set->count, sizeof(Found), compare_found);
	for (uint32_t i = 0; i < set->count; i++)
		if (kept == 0 || set->items[kept - 1].rule != set->items[i].rule || set->items[kept - 1].end < set->items[i].end)
			set->items[kept++] = set->items[i];
	set->count = kept;
}

static void
add(FoundSet *set, uint32_t rule, uint32_t start, uint32_t end)
{
	if (set->count < MOST)
		set->items[set->count++] = (Found) {rule, start, end};
}

static void
by_engine(const Made *made, const char *text, size_t length, FoundSet *set)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrScan		scan = {.max_findings = MOST};

	set->count = 0;
	if (mdr_engine_scan(made->engine, arena, text, length, &scan) != MDR_OK)
		add(set, UINT32_MAX, 0, 0);
	for (uint32_t i = 0; i < scan.nfindings && set->count == i; i++)
		add(set, scan.findings[i].rule, scan.findings[i].start, scan.findings[i].end);
	tidy(set);
	mdr_arena_destroy(arena);
}

static bool
same(const FoundSet *a, const FoundSet *b)
{
	return a->count == b->count && memcmp(a->items, b->items, a->count * sizeof(Found)) == 0;
}

static void
show(const char *what, const FoundSet *set)
{
	printf("#   %s:", what);
	for (uint32_t i = 0; i < set->count && i < 20; i++)
		printf(" %u:%u-%u", set->items[i].rule, set->items[i].start, set->items[i].end);
	putchar('\n');
}

/* ---------- generated texts ---------- */

static const char *const letters[] = {"a", "b", "a", "b", "l", "i", "1", " ", " ", ".", "é", "炸", "弹", "药", "Ａ", "*", "ß", "\xcc\x81"};
#define NLETTERS ((unsigned) (sizeof(letters) / sizeof(letters[0])))

static void
make_text(char *text, unsigned most)
{
	text[0] = '\0';
	for (unsigned i = 0, n = 1 + pick(most); i < n; i++)
		strcat(text, letters[pick(NLETTERS)]);
}

/* A term: begins and ends with something that folds to something, and has no star or quotation mark. */
static void
make_term(char *term)
{
	static const char *const solid[] = {"a", "b", "l", "i", "é", "炸", "弹"};
	unsigned	n = pick(4);

	strcpy(term, solid[pick(7)]);
	for (unsigned i = 0; i < n; i++)
	{
		const char *letter = letters[pick(NLETTERS)];

		strcat(term, *letter == '*' ? "b" : letter);
	}
	if (pick(3) > 0)
		strcat(term, solid[pick(7)]);
}

/* ---------- terms ---------- */

#define TERMS 12

typedef struct Term
{
	char		text[64];
	bool		left;			/* star at the start */
	bool		right;			/* and at the end */
} Term;

static bool
no_spaces_script(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text >= 0xE3 && (unsigned char) *text <= 0xE9)
			return true;
	return false;
}

/* Whether the byte of the plain text is one that the joined view takes out between spread letters. */
static bool
is_closed(const MdrText *joined, uint32_t at)
{
	uint64_t	bits[64] = {0};

	if (joined == NULL || joined->length >= 64 * 64 / 4)
		return false;
	mdr_text_closed(joined, bits);
	return bits[at / 64] >> (at % 64) & 1;
}

static void
by_loop(const Term *terms, const char *given, FoundSet *set)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrText		texts[MDR_NVIEWS];
	MdrText		spread;
	const MdrText *joined = NULL;

	set->count = 0;
	mdr_text_fold(arena, given, strlen(given), &texts[0]);
	if (texts[0].views & (1u << MDR_VIEW_JOINED) && mdr_text_view(arena, &texts[0], MDR_VIEW_JOINED, &spread) == MDR_OK)
		joined = &spread;
	for (int view = 0; view < MDR_NVIEWS; view++)
	{
		const MdrText *text = &texts[view];

		if (view > 0 && !(texts[0].views & (1u << view)))
			continue;
		if (view > 0)
			mdr_text_view(arena, &texts[0], view, &texts[view]);
		for (uint32_t t = 0; t < TERMS; t++)
		{
			char	   *term;
			uint32_t	length;

			mdr_text_view_term(arena, view, terms[t].text, strlen(terms[t].text), &term, &length);
			for (uint32_t at = 0; length > 0 && at + length <= text->length; at++)
			{
				uint32_t	start,
							end,
							first,
							last;

				if (memcmp(text->bytes + at, term, length) != 0 || !mdr_text_changed(text, at, at + length)
					|| (!terms[t].left && !mdr_text_boundary(text, at))
					|| (!terms[t].right && !mdr_text_boundary(text, at + length))
					|| (no_spaces_script(terms[t].text) && !terms[t].left && !terms[t].right
						&& !mdr_text_whole_words(text, at, at + length)))
					continue;
				if (view == 0 && length == 1 && ((at > 0 && is_closed(joined, at - 1)) || is_closed(joined, at + 1)))
					continue;
				first = at;
				last = at + length;
				for (int i = 0; terms[t].left && i < 24 && first > 0 && !mdr_text_boundary(text, first); i++)
					while (--first > 0 && ((unsigned char) text->bytes[first] & 0xC0) == 0x80)
						;
				for (int i = 0; terms[t].right && i < 24 && last < text->length && !mdr_text_boundary(text, last); i++)
					while (++last < text->length && ((unsigned char) text->bytes[last] & 0xC0) == 0x80)
						;
				mdr_text_span(text, first, last, &start, &end);
				add(set, t, start, end);
			}
		}
	}
	tidy(set);
	mdr_arena_destroy(arena);
}

static void
terms(unsigned rounds)
{
	unsigned	different = 0,
				compared = 0,
				found = 0;

	for (unsigned round = 0; round < rounds; round++)
	{
		char		document[8192] = HEAD CATEGORIES RULES;
		Term		list[TERMS];
		Made		made;

		for (unsigned t = 0; t < TERMS; t++)
		{
			char		rule[1024];

			make_term(list[t].text);
			list[t].left = pick(4) == 0;
			list[t].right = pick(4) == 0;
			snprintf(rule, sizeof(rule), "  - {id: r%u, weight: 0.8, severity: 2, terms: [\"%s%s%s\"]" EXAMPLES, t,
					 list[t].left ? "*" : "", list[t].text, list[t].right ? "*" : "");
			strcat(document, rule);
		}
		made = make(document);
		for (unsigned i = 0; i < 40; i++)
		{
			static FoundSet engine,
						loop;
			char		text[1024];

			make_text(text, 60);
			by_engine(&made, text, strlen(text), &engine);
			by_loop(list, text, &loop);
			compared++;
			found += loop.count;
			if (!same(&engine, &loop) && different++ < 3)
			{
				printf("# in \"%s\"\n%s", text, "");
				show("engine", &engine);
				show("loop  ", &loop);
				for (unsigned t = 0; t < TERMS; t++)
					printf("#   %u: %s\"%s\"%s\n", t, list[t].left ? "*" : "", list[t].text, list[t].right ? "*" : "");
			}
		}
		unmake(&made);
	}
	ok(different == 0, "terms: engine and loop agree on %u texts", compared);
	ok(found > compared, "terms: and there was something to find (%u)", found);
}

/* ---------- terms of several lists ---------- */

static void
templates(unsigned rounds)
{
	unsigned	different = 0,
				compared = 0,
				found = 0;

	for (unsigned round = 0; round < rounds; round++)
	{
		static char document[65536],
					expanded[262144];
		char		words[2][7][64];
		static const char *const between[] = {" ", "", " b ", "弹", "*"};
		unsigned	middle = pick(4);
		const char *before = pick(2) ? "" : "a ";
		const char *after = pick(2) ? "" : " b";
		Made		parts,
					combinations;

		strcpy(document, HEAD "words:\n");
		for (int l = 0; l < 2; l++)
		{
			strcat(document, l ? "  two: [" : "  one: [");
			for (int w = 0; w < 7; w++)
			{
				char		quoted[100];

				make_term(words[l][w]);
				if (pick(4) == 0 && (l == 1 || middle != 1))
					strcat(words[l][w], "*");
				snprintf(quoted, sizeof(quoted), "%s\"%s\"", w ? ", " : "", words[l][w]);
				strcat(document, quoted);
			}
			strcat(document, "]\n");
		}
		strcpy(expanded, document);
		strcat(document, CATEGORIES RULES "  - {id: r, weight: 0.8, severity: 2, terms: [\"");
		strcat(expanded, CATEGORIES RULES "  - {id: r, weight: 0.8, severity: 2, terms: [");
		for (int w = 0; w < 7; w++)
		{
			/* One list a term is expanded; the other is written out. */
			char		term[300];
			bool		star = words[0][w][strlen(words[0][w]) - 1] == '*';

			if (star)
				continue;
			snprintf(term, sizeof(term), "\"%s%s%s{two}%s\", ", before, words[0][w], between[middle], after);
			strcat(expanded, term);
		}
		for (int w = 0; w < 7; w++)
			if (words[0][w][strlen(words[0][w]) - 1] == '*')
			{
				/* A star in the middle can only come from a list: one of a single word. */
				char		list[200],
							term[300];
				char	   *at = strstr(expanded, CATEGORIES);
				static char rest[262144];

				strcpy(rest, at);
				snprintf(list, sizeof(list), "  single%d: [\"%s\"]\n", w, words[0][w]);
				strcpy(at, list);
				strcat(expanded, rest);
				snprintf(term, sizeof(term), "\"%s{single%d}%s{two}%s\", ", before, w, between[middle], after);
				strcat(expanded, term);
			}
		strcat(expanded, "]" EXAMPLES);
		snprintf(document + strlen(document), 400, "%s{one}%s{two}%s\"]" EXAMPLES, before, between[middle], after);
		parts = make(document);
		combinations = make(expanded);
		for (unsigned i = 0; i < 60; i++)
		{
			static FoundSet a,
						b;
			char		text[2048] = "";

			for (int n = 0; n < 4; n++)
			{
				char		noise[512];

				make_text(noise, 6);
				strcat(text, noise);
				strcat(text, before);
				strncat(text, words[0][pick(7)], 60);
				strcat(text, pick(3) ? between[middle] : " ");
				strncat(text, words[1][pick(7)], 60);
				strcat(text, after);
			}
			by_engine(&parts, text, strlen(text), &a);
			by_engine(&combinations, text, strlen(text), &b);
			compared++;
			found += b.count;
			if (!same(&a, &b) && different++ < 3)
			{
				printf("# in \"%s\"\n# %s# %s", text, document, expanded);
				show("parts       ", &a);
				show("combinations", &b);
			}
		}
		unmake(&parts);
		unmake(&combinations);
	}
	ok(different == 0, "several lists: parts and combinations agree on %u texts", compared);
	ok(found > compared / 2, "several lists: and there was something to find (%u)", found);
}

/* ---------- patterns ---------- */

static void
make_pattern(char *pattern, int depth)
{
	static const char *const atoms[] = {"a", "b", "ab", "ba", " ", "\\s", "\\b", "\\w", ".", "[ab]", "[^a]", "炸", "[炸弹]", "\\d", "l",
	"(?!a)", "(?<!b)", "(?=b)", "\\x{62}", "[a-c1]", "\\W", "aab", "é"};
	static const char *const repeats[] = {"", "", "", "", "?", "{2}", "{0,3}", "{1,2}", "??", "{2,3}?", "{1,3}+"};
	unsigned	n = 1 + pick(4);

	for (unsigned i = 0; i < n; i++)
	{
		unsigned	kind = pick(depth > 0 ? 8 : 6);

		if (kind < 6)
		{
			const char *atom = atoms[pick(sizeof(atoms) / sizeof(atoms[0]))];
			bool		around = strncmp(atom, "(?", 2) == 0 || strcmp(atom, "\\b") == 0;

			strcat(pattern, atom);
			if (!around)
				strcat(pattern, repeats[pick(sizeof(repeats) / sizeof(repeats[0]))]);
		}
		else
		{
			static const char *const opens[] = {"(", "(?:", "(?>", "(?<n>"};

			strcat(pattern, opens[pick(strstr(pattern, "(?<n>") ? 3 : 4)]);
			for (unsigned a = 0, m = 1 + pick(3); a < m; a++)
			{
				if (a > 0)
					strcat(pattern, "|");
				make_pattern(pattern, depth - 1);
			}
			strcat(pattern, ")");
			strcat(pattern, repeats[pick(sizeof(repeats) / sizeof(repeats[0]))]);
		}
	}
}

/* All matches, one behind another, as the engine is to find them. */
static void
by_pcre(const char *pattern, const char *text, uint32_t rule, FoundSet *set)
{
	MdrPcre		pcre;
	int			number;
	PCRE2_SIZE	offset,
				start = 0,
				length = strlen(text);
	pcre2_code *code;

	mdr_pcre_open(&pcre);
	code = mdr_pcre_compile(&pcre, pattern, &number, &offset);
	while (start < length)
	{
		const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(pcre.data);

		int			result = pcre2_match(code, (PCRE2_SPTR) text, length, start, 0, pcre.data, pcre.match);

		if (result == PCRE2_ERROR_NOMATCH)
			break;
		if (result < 0)
		{
			/* The engine calls such content unknown, and so may we. */
			set->count = 0;
			add(set, UINT32_MAX, 0, 0);
			break;
		}
		add(set, rule, (uint32_t) bounds[0], (uint32_t) bounds[1]);
		start = bounds[1];
	}
	pcre2_code_free(code);
	mdr_pcre_close(&pcre);
}

static void
patterns(unsigned rounds)
{
	static const char *const signs[] = {"a", "b", "a", "b", "ab", " ", "炸", "弹", "1", "l", "é", "."};
	unsigned	different = 0,
				compared = 0,
				found = 0;

	for (unsigned round = 0; round < rounds; round++)
	{
		char		pattern[4096] = "";
		char		document[8192];
		char		folded[4096];
		size_t		length;
		Made		made;
		MdrError	error;

		make_pattern(pattern, 2);
		if (strlen(pattern) > 200)
			continue;
		snprintf(document, sizeof(document), "policy: p\nviews: []\n" CATEGORIES RULES "  - {id: r, weight: 0.8, severity: 2, patterns: ['%s']" EXAMPLES,
				 pattern);

		/* Many can match the empty string, and are refused. */
		if (try_make(document, &made, &error) != MDR_OK)
		{
			if (strstr(error.message, "empty") == NULL && strstr(error.message, "repeat") == NULL
				&& strstr(error.message, "quantifier") == NULL && strstr(error.message, "same name") == NULL)
				ok(false, "pattern '%s' is refused: %s", pattern, error.message);
			unmake(&made);
			continue;
		}

		/* The reference gets the pattern as it is spelt for folded text: é without its accent. */
		memset(folded, 0, sizeof(folded));
		length = 0;
		for (const char *p = pattern; *p; p++)
		{
			bool		accent = strncmp(p, "é", strlen("é")) == 0;

			folded[length++] = accent ? 'e' : *p;
			p += accent;
		}
		for (unsigned i = 0; i < 30; i++)
		{
			static FoundSet engine,
						alone;
			char		text[512] = "",
						plain[512] = "";

			for (unsigned n = 0, m = 1 + pick(30); n < m; n++)
			{
				const char *sign = signs[pick(sizeof(signs) / sizeof(signs[0]))];

				if (*sign == ' ' && (text[0] == '\0' || text[strlen(text) - 1] == ' '))
					continue;
				strcat(text, strcmp(sign, "é") == 0 ? "e" : sign);
			}
			strcpy(plain, text);
			by_engine(&made, plain, strlen(plain), &engine);
			alone.count = 0;
			by_pcre(folded, plain, 0, &alone);
			tidy(&alone);
			compared++;
			found += alone.count;
			if (!same(&engine, &alone) && different++ < 3)
			{
				printf("# '%s' in \"%s\"\n", pattern, plain);
				show("engine", &engine);
				show("alone ", &alone);
			}
		}
		unmake(&made);
	}
	ok(different == 0, "patterns: engine and PCRE2 alone agree on %u texts", compared);
	ok(found > compared / 3, "patterns: and there was something to find (%u)", found);
}

/* ---------- all_of ---------- */

static void
pairs(unsigned rounds)
{
	unsigned	different = 0,
				compared = 0,
				found = 0;

	for (unsigned round = 0; round < rounds; round++)
	{
		unsigned	within = 3 + pick(30);
		bool		ordered = pick(2);
		char		document[1024];
		Made		made;

		snprintf(document, sizeof(document), "policy: p\nviews: []\n" CATEGORIES RULES
				 "  - {id: r, weight: 0.8, severity: 2, all_of: [[aa, b, 炸], [b, bb a, 炸弹]], within: %u, ordered: %s" EXAMPLES, within,
				 ordered ? "true" : "false");
		made = make(document);
		for (unsigned i = 0; i < 100; i++)
		{
			static const char *const words[] = {"aa", "b", "bb", "a", "炸", "炸弹", "x", "xxxxxxxx"};
			static FoundSet set;
			struct
			{
				unsigned	start,
							end,
							groups;
			}			hits[64];
			unsigned	nhits = 0,
						characters = 0;
			char		text[1024] = "";
			bool		expected = false;

			/* Words apart by spaces; hits are known by construction, in characters. */
			for (unsigned n = 0, m = 1 + pick(12), before = 99; n < m; n++)
			{
				unsigned	w = pick(8);
				unsigned	length = w == 4 ? 1 : w == 5 ? 2 : (unsigned) strlen(words[w]);

				if (n > 0)
					characters++;
				strcat(text, n ? " " : "");
				strcat(text, words[w]);
				if (w == 0 || w == 1 || w == 4)
				{
					hits[nhits].start = characters;
					hits[nhits].end = characters + length;
					hits[nhits++].groups = w == 1 ? 3 : 1;
				}
				if (w == 5)
				{
					hits[nhits].start = characters;
					hits[nhits].end = characters + 1;
					hits[nhits++].groups = 1;
					hits[nhits].start = characters;
					hits[nhits].end = characters + 2;
					hits[nhits++].groups = 2;
				}
				if (w == 3 && before == 2)
				{
					hits[nhits].start = characters - 3;
					hits[nhits].end = characters + 1;
					hits[nhits++].groups = 2;
				}
				characters += length;
				before = w;
			}
			for (unsigned a = 0; a < nhits; a++)
				for (unsigned b = 0; b < nhits; b++)
				{
					unsigned	start = hits[a].start < hits[b].start ? hits[a].start : hits[b].start;
					unsigned	end = hits[a].end > hits[b].end ? hits[a].end : hits[b].end;

					if ((hits[a].groups & 1) && (hits[b].groups & 2) && end - start <= within
						&& (hits[a].end <= hits[b].start || (!ordered && hits[b].end <= hits[a].start)))
						expected = true;
				}
			by_engine(&made, text, strlen(text), &set);
			compared++;
			found += expected;
			if ((set.count > 0) != expected && different++ < 3)
				printf("# \"%s\" within %u%s: expected %d\n", text, within, ordered ? " ordered" : "", expected);
		}
		unmake(&made);
	}
	ok(different == 0, "all_of: engine and all pairs agree on %u texts", compared);
	ok(found > compared / 10 && found < compared, "all_of: some have a pair and some have none (%u)", found);
}

int
main(int argc, char **argv)
{
	unsigned	rounds = argc > 2 ? (unsigned) atoi(argv[2]) : 60;

	state = argc > 1 ? (uint64_t) atoll(argv[1]) : 20240229;
	terms(rounds);
	templates(rounds);
	patterns(rounds * 20);
	pairs(rounds);
	mdr_text_release();
	return done();
}
