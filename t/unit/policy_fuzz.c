/*
 * policy_fuzz.c
 *		Documents with bytes changed, cut, doubled and moved: each is taken or refused with a reason and a line that exists.  And
 *		large ones: the time for them grows with their length.
 */
#include "match_tap.h"

#include <time.h>

static const char document[] =
"# file: head.yaml\n"
"policy: sample\n"
"limits: {bytes: 8192, on_unknown: quarantine}\n"
"views: [leet, joined, squeezed]\n"
"ladder: {in_a_row: 3, within: {count: 5, period: 1 day}, freezes: [24 hours, forever], memory: 90 days}\n"
"allow: [Scunthorpe, \"a \\u00e9\"]\n"
"words:\n"
"  thing.en: [bomb, 'gun*']\n"
"contexts:\n"
"  - {id: news, terms: [police said], patterns: ['\\bsaid\\b'], within: 40, factor: 0.5}\n"
"categories:\n"
"  - id: weapons\n"
"    clause: {en: Weapons, zh: 武器}\n"
"    actions: [allow, flag, redact, reject]\n"
"    suspend: 3\n"
"    unless: [news]\n"
"---\n"
"# file: weapons.yaml\n"
"category: weapons\n"
"rules:\n"
"  - id: weapons.ask.en\n"
"    language: en\n"
"    weight: 0.8\n"
"    severity: 2\n"
"    note: >\n"
"      asks\n"
"    terms: ['make a {thing.en}', \"炸弹\"]\n"
"    patterns: ['\\bhow (?:to|do i) (?<verb>get|[a-c]{1,3}) a {thing.en}\\b', '怎么.{0,4}[炸弹]']\n"
"    all_of: [[a, b], ['{thing.en}']]\n"
"    hits: [how do i make a bomb]\n"
"    misses:\n"
"    - |\n"
"      nothing\n";

static uint64_t state = 11;

static unsigned
pick(unsigned below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned) (state >> 33) % below;
}

/* One change; the new length. */
static size_t
change(char *text, size_t length)
{
	static const char signs[] = "{}[]:,-*&!|>'\"#%@`\\?()\n \t~=+.0aZ\x80\xff\xe7";
	size_t		at = pick((unsigned) length),
				count = 1 + pick(8);

	switch (pick(5))
	{
		case 0:
			text[at] = (char) pick(256);
			return length;
		case 1:
			text[at] = signs[pick(sizeof(signs) - 1)];
			return length;
		case 2:
			if (at + count > length)
				count = length - at;
			memmove(text + at, text + at + count, length - at - count);
			return length - count;
		case 3:
			memmove(text + at + 1, text + at, length - at);
			text[at] = signs[pick(sizeof(signs) - 1)];
			return length + 1;
		default:
			if (at + 2 * count > length)
				return length;
			memcpy(text + at, text + at + count, count);
			return length;
	}
}

static void
changed(void)
{
	unsigned	taken = 0,
				wrong = 0;

	for (int round = 0; round < 20000; round++)
	{
		char		text[sizeof(document) + 64];
		size_t		length = sizeof(document) - 1;
		MdrArena   *arena = mdr_arena_create(0);
		MdrPolicy  *policy;
		MdrError	error = {0};
		MdrStatus	status;
		char	   *image;

		memcpy(text, document, length);
		for (unsigned n = 1 + pick(4); n > 0 && length > 1; n--)
			length = change(text, length);
		status = mdr_policy_parse(arena, text, length, NULL, NULL, &policy, &error);
		if (status == MDR_OK)
		{
			size_t		size;

			status = mdr_compile(arena, policy, NULL, NULL, &image, &size, &error);
		}
		taken += status == MDR_OK;
		if (status != MDR_OK && (status != MDR_INVALID || error.message[0] == '\0' || error.line < 1 || error.line > 40
								 || error.column < 1 || (error.message[0] >= 'A' && error.message[0] <= 'Z')
								 || error.message[strlen(error.message) - 1] == '.'))
			if (wrong++ < 5)
				printf("# %d %d:%d: %s\n", status, error.line, error.column, error.message);
		mdr_arena_destroy(arena);
	}
	ok(wrong == 0, "a changed document is taken or refused with line, column and reason");
	ok(taken > 500 && taken < 19000, "some are taken and some are not (%u)", taken);
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Seconds to parse and compile a policy of so many rules. */
static double
time_rules(unsigned rules)
{
	char	   *text = NULL;
	size_t		length;
	FILE	   *out = open_memstream(&text, &length);
	Made		made;
	MdrError	error;
	double		began;

	fprintf(out, HEAD "words:\n");
	for (unsigned i = 0; i < rules / 10; i++)
		fprintf(out, "  list%u: [word%u, other%u]\n", i, i, i);
	fprintf(out, CATEGORIES RULES);
	for (unsigned i = 0; i < rules; i++)
		fprintf(out, "  - {id: rule%u, weight: 0.5, severity: 1, terms: [term%u, 'a {list%u}'], hits: [x], misses: [y]}\n", i, i, i / 10);
	fclose(out);
	began = seconds();
	if (try_make(text, &made, &error) != MDR_OK)
		bail("many rules", &error);
	began = seconds() - began;
	unmake(&made);
	free(text);
	return began;
}

/* Seconds until a document that repeats a piece is refused. */
static double
time_refusal(const char *piece, size_t times, const char *what)
{
	size_t		one = strlen(piece);
	char	   *text = malloc(one * times + 16);
	MdrArena   *arena = mdr_arena_create(0);
	MdrPolicy  *policy;
	MdrError	error = {0};
	double		began = seconds();

	strcpy(text, "a: ");
	for (size_t i = 0; i < times; i++)
		memcpy(text + 3 + i * one, piece, one);
	ok(mdr_policy_parse(arena, text, 3 + one * times, NULL, NULL, &policy, &error) == MDR_INVALID, "%s is refused: %s", what, error.message);
	mdr_arena_destroy(arena);
	free(text);
	return seconds() - began;
}

int
main(void)
{
	double		some,
				many;

	changed();
	some = time_rules(2000);
	many = time_rules(20000);
	ok(many < 40 * some + 0.1, "twenty thousand rules take ten times as long as two thousand, not a hundred (%.2f s, %.2f s)", some, many);
	ok(time_refusal("[", 1000000, "a million brackets") < 1, "soon");
	ok(time_refusal("{a: ", 1000000, "a million mappings") < 1, "soon");
	ok(time_refusal("? ", 1000000, "a million question marks") < 1, "soon");
	ok(time_refusal("&a *a ", 1000000, "a million aliases") < 1, "soon");
	ok(time_refusal("a", 40000000, "forty million letters") < 1, "soon");
	ok(time_refusal("'", 1000000, "a million quotation marks") < 1, "soon");
	return done();
}
