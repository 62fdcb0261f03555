/*
 * match_limits.c
 *		Long content in windows, bounds that make content unknown, interrupts, and what is kept of many findings.
 */
#include "match_tap.h"

static Made made;

static char *
filled(size_t length, const char *with)
{
	char	   *text = malloc(length + 1);

	for (size_t i = 0; i < length; i++)
		text[i] = with[i % strlen(with)];
	text[length] = '\0';
	return text;
}

/* Puts a text at a position, between spaces. */
static void
put(char *text, size_t at, const char *what)
{
	text[at - 1] = ' ';
	memcpy(text + at, what, strlen(what));
	text[at + strlen(what)] = ' ';
}

static void
windows(void)
{
	size_t		length = 300000;
	char	   *text = filled(length, "lorem ipsum dolor ");
	size_t		places[] = {1, 61000, 61440, 61446, 61452, 61700, 65000, 65279, 65285, 65300, 65527, 65533, 65539, 122880, 124000, 299990};
	char		expected[2000] = "";
	MdrScan		scan = {0};
	MdrArena   *arena = mdr_arena_create(0);
	unsigned	wrong = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
	{
		put(text, places[i], "bomb");
		sprintf(expected + strlen(expected), "%sbomb %zu-%zu", i ? " " : "", places[i], places[i] + 4);
	}
	ok(strcmp(found_in(&made, text, length), expected) == 0, "terms are found once wherever windows meet");
	free(text);

	/* One term at every place around the first two cuts. */
	text = filled(140000, "x ");
	for (size_t at = 61000; at < 66500; at++)
	{
		char		one[32];

		if (text[at - 1] != ' ')
			continue;
		memcpy(text + at, "bomb", 4);
		sprintf(one, "bomb %zu-%zu", at, at + 4);
		wrong += text[at + 4] == ' ' && strcmp(found_in(&made, text, 140000), one) != 0;
		memcpy(text + at, "x x ", 4);
	}
	ok(wrong == 0, "a term is found once at each place around a cut (%u are not)", wrong);
	free(text);

	/* The same for two words that belong together, and for a context. */
	wrong = 0;
	text = filled(140000, "x ");
	for (size_t at = 61000; at < 66500; at += 38)
	{
		char		one[64];

		put(text, at, "cat");
		put(text, at + 60, "dog");
		put(text, at + 70, "gun");
		put(text, at + 90, "police said");
		sprintf(one, "near %zu-%zu gun %zu-%zu*0.40", at, at + 63, at + 70, at + 73);
		wrong += strcmp(found_in(&made, text, 140000), one) != 0;
		for (size_t i = at - 1; i < at + 110; i++)
			text[i] = "x "[i % 2];
	}
	ok(wrong == 0, "so are words that belong together and contexts (%u are not)", wrong);
	put(text, 100, "gun");
	put(text, 139000, "chapter one");
	ok(strcmp(found_in(&made, text, 140000), "gun 100-103*0.20") == 0, "a context that counts anywhere counts in another window");
	free(text);

	/* Cut in the middle of characters. */
	text = filled(200001, "炸");
	ok(strcmp(found_in(&made, text, 200001), "") == 0, "a text without spaces is cut between characters");
	free(text);
	text = filled(200000, "\xff");
	ok(mdr_engine_scan(made.engine, arena, text, 200000, &scan) == MDR_OK && scan.nfindings == 0, "invalid bytes are no trouble");
	free(text);
	mdr_arena_destroy(arena);
}

static void
unknown(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	char	   *text = filled(5000001, "a ");
	MdrScan		scan = {0};

	ok(mdr_engine_scan(made.engine, arena, text, 5000001, &scan) == MDR_UNKNOWN
	   && strcmp(scan.unknown, "content is longer than the policy's limit") == 0 && scan.nfindings == 0,
	   "content beyond the policy's limit is unknown");
	ok(mdr_engine_scan(made.engine, arena, text, 5000000, &scan) == MDR_OK && scan.unknown == NULL, "content at the limit is scanned");
	free(text);

	text = filled(70000, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac b ");
	ok(mdr_engine_scan(made.engine, arena, text, 70000, &scan) == MDR_UNKNOWN
	   && strcmp(scan.unknown, "a pattern reached its match limit") == 0, "content on which a pattern explodes is unknown");
	free(text);

	text = filled(65536, "zyzy");
	ok(mdr_engine_scan(made.engine, arena, text, 65536, &scan) == MDR_UNKNOWN
	   && strcmp(scan.unknown, "a part of the content matches too many terms") == 0, "content of nothing but terms is unknown");
	free(text);

	/* What was found before the bound was reached is there. */
	text = filled(140000, "x ");
	put(text, 10, "bomb");
	memset(text + 100000, 'z', 39000);
	for (int i = 100001; i < 139000; i += 2)
		text[i] = 'y';
	ok(mdr_engine_scan(made.engine, arena, text, 140000, &scan) == MDR_UNKNOWN && scan.nfindings == 1 && scan.findings[0].start == 10,
	   "findings made before are handed over");
	free(text);
	mdr_arena_destroy(arena);
}

static void
many(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	char	   *text = filled(600000, "bomb ");
	MdrScan		scan = {0};
	bool		sorted = true;

	put(text, 400000, "grave");
	put(text, 500001, "mild");
	ok(mdr_engine_scan(made.engine, arena, text, 600000, &scan) == MDR_OK && scan.nfindings == 1000 && scan.cut,
	   "a thousand findings are kept of more");
	for (uint32_t i = 1; i < scan.nfindings; i++)
		sorted = sorted && scan.findings[i - 1].start < scan.findings[i].start;
	ok(sorted, "in order of start");
	{
		unsigned	grave = 0,
					mild = 0;

		for (uint32_t i = 0; i < scan.nfindings; i++)
		{
			MdrEngineRule rule;

			mdr_engine_rule(made.engine, scan.findings[i].rule, &rule);
			grave += strcmp(rule.id, "grave") == 0;
			mild += strcmp(rule.id, "mild") == 0;
		}
		ok(grave == 1 && mild == 1, "the best of each rule is among them, be it grave or mild");
	}
	ok(mdr_arena_used(arena) < 1000000, "in bounded memory (%zu bytes)", mdr_arena_used(arena));
	scan = (MdrScan) {.max_findings = 3};
	ok(mdr_engine_scan(made.engine, arena, text, 600000, &scan) == MDR_OK && scan.nfindings == 3 && scan.cut, "or three");
	scan = (MdrScan) {0};
	ok(mdr_engine_scan(made.engine, arena, "bomb", 4, &scan) == MDR_OK && scan.nfindings == 1 && !scan.cut, "a few are not cut");
	free(text);
	mdr_arena_destroy(arena);
}

static int	asked;
static int	stop_at;

static bool
interrupted(void *context)
{
	return ++asked == stop_at;
}

static void
interrupts(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	char	   *text = filled(200000, "bomb cat dog a police said aaaac ");
	MdrScan		scan = {.interrupted = interrupted};
	int			total,
				wrong = 0;

	stop_at = -1;
	asked = 0;
	ok(mdr_engine_scan(made.engine, arena, text, 200000, &scan) == MDR_OK, "a scan that is asked and never told to stop ends");
	total = asked;
	ok(total > 10, "it asked %d times", total);
	for (int i = 1; i <= total; i += 1 + total / 200)
	{
		asked = 0;
		stop_at = i;
		mdr_arena_reset(arena);
		wrong += mdr_engine_scan(made.engine, arena, text, 200000, &scan) != MDR_INTERRUPTED || asked != i;
	}
	ok(wrong == 0, "wherever it is told to stop it stops at once");
	scan = (MdrScan) {0};
	ok(mdr_engine_scan(made.engine, arena, "bomb", 4, &scan) == MDR_OK && scan.nfindings == 1, "and the engine works on");
	free(text);
	mdr_arena_destroy(arena);
}

/* Each allocation of a scan fails in turn: there is never a result that looks clean. */
static void
memory(void)
{
	static const char *const text = "bomb cat dog gun police said aaaac k i l l k1ll grave mild 炸 chapter one";
	char	   *expected = strdup(found_in(&made, text, strlen(text)));
	MdrArena   *arena = mdr_arena_create(0);
	unsigned	failed = 0,
				wrong = 0;
	long		n;

	for (n = 1; n < 10000; n++)
	{
		MdrScan		scan = {0};
		MdrStatus	status;

		mdr_arena_reset(arena);
		mdr_test_fail_alloc(n);
		status = mdr_engine_scan(made.engine, arena, text, strlen(text), &scan);
		mdr_test_fail_alloc(0);
		if (status == MDR_OK)
			break;
		failed++;
		wrong += status != MDR_NO_MEMORY;
	}
	ok(failed > 5 && n < 10000 && wrong == 0, "each of %u allocations that fails is reported", failed);
	ok(strcmp(found_in(&made, text, strlen(text)), expected) == 0, "and the engine works on");
	free(expected);
	mdr_arena_destroy(arena);
}

int
main(void)
{
	made = make("policy: p\nviews: [leet, joined, squeezed]\nlimits: {bytes: 5000000}\n"
				"contexts:\n"
				"  - {id: news, terms: [police said], within: 40, factor: 0.5}\n"
				"  - {id: fiction, terms: [chapter one], within: 0, factor: 0.25}\n"
				CATEGORIES RULES
				RULE("bomb", "terms: [bomb]")
				RULE("near", "all_of: [[cat], [dog]], within: 70")
				RULE("gun", "terms: [gun], unless: [news, fiction]")
				RULE("explodes", "patterns: ['(?:a|aa){1,60}b', 'k[i1]ll']")
				RULE("short", "terms: ['*zy*', '*z*', '*y*', '*zyz*', '*yzy*']")
				"  - {id: grave, weight: 0.9, severity: 3, terms: [grave]" EXAMPLES
				"  - {id: mild, weight: 0.1, severity: 0, terms: [mild]" EXAMPLES);
	windows();
	unknown();
	many();
	interrupts();
	memory();
	unmake(&made);
	mdr_text_release();
	return done();
}
