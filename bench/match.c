/*
 * match.c
 *		What the engine costs without a server: per row of 512 bytes, per policy, and on texts made to be expensive.
 *
 * Build and run:
 *		make benches
 *		build/bench/match [-r FILE] policies/terms-of-service/policy.yaml and the other files
 *
 * With -r FILE, rows are cut from that file instead of from the paragraphs below.  Time is the process's CPU time, the best
 * of five repetitions; sizes are bytes.
 *
 * Input: policy files.  Output: a table on stdout.  Memory: arenas, until the program ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROW 512
#define ROWS 512
#define REPEAT 5

static const char english[] =
"The council met on Tuesday evening to discuss the new cycle path along the river. Several residents asked how the work would "
"affect traffic during the summer, and an engineer explained that one lane would stay open at all times. The cost is shared "
"between the county and a national fund for safer streets. In the second part of the meeting the library presented its plans for "
"a reading room where children can borrow instruments as well as books. A local baker offered to bring bread on opening day. "
"People who want to help can leave their name at the desk, and those who cannot come may write until the end of the month. "
"Afterwards there was a long talk about trees: which kinds grow well near roads, how much water they need in a dry year, and who "
"should look after them. Nobody objected to the proposal to plant forty of them before winter. The mayor thanked everyone for "
"their patience and closed the meeting shortly before ten. Minutes will be published next week, together with a map of the path. ";

static const char chinese[] =
"市议会星期二晚上开会，讨论沿河修建自行车道的计划。几位居民问施工期间夏天的交通会受到什么影响，工程师解释说始终会保留一条车道。"
"费用由县里和国家道路安全基金共同承担。会议的第二部分，图书馆介绍了新阅览室的计划，孩子们不仅可以借书，还可以借乐器。"
"一位面包师傅愿意在开放日带面包来。想帮忙的人可以在服务台留下姓名，不能来的人可以在月底之前写信。随后大家谈了很久树木的事："
"哪些树适合种在路边，干旱的年份需要多少水，由谁来照看。没有人反对在冬天之前种四十棵树的建议。市长感谢大家的耐心，快到十点时宣布散会。"
"会议记录下周公布，同时公布自行车道的地图。";

static unsigned seed = 1;

static unsigned
next_random(unsigned below)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % below;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static char *
read_file(const char *name, size_t *length)
{
	FILE	   *in = fopen(name, "rb");
	char	   *bytes;

	if (in == NULL)
		die(name);
	fseek(in, 0, SEEK_END);
	*length = (size_t) ftell(in);
	rewind(in);
	bytes = malloc(*length + 1);
	if (bytes == NULL || fread(bytes, 1, *length, in) != *length)
		die(name);
	fclose(in);
	return bytes;
}

typedef struct Row
{
	const char *bytes;
	size_t		length;
} Row;

/* Rows of at most 512 bytes, each from a random character on. */
static void
cut_rows(const char *text, size_t length, Row *rows)
{
	for (int i = 0; i < ROWS; i++)
	{
		size_t		start = next_random((unsigned) (length - ROW));
		size_t		end = start + ROW;

		while (((unsigned char) text[start] & 0xC0) == 0x80)
			start++;
		while (((unsigned char) text[end] & 0xC0) == 0x80)
			end--;
		rows[i] = (Row) {text + start, end - start};
	}
}

/* A paragraph as often as it takes to cut rows anywhere. */
static char *
repeated(const char *paragraph, size_t *length)
{
	size_t		one = strlen(paragraph);
	char	   *text = malloc(8 * one + 1);

	if (text == NULL)
		die("out of memory");
	for (int i = 0; i < 8; i++)
		memcpy(text + i * one, paragraph, one);
	*length = 8 * one;
	return text;
}

static double
time_rows(MdrEngine *engine, const Row *rows, unsigned *flagged)
{
	MdrArena   *arena = mdr_arena_create(0);
	double		best = 1e9;

	for (int r = 0; r < REPEAT; r++)
	{
		double		began = seconds();

		*flagged = 0;
		for (int i = 0; i < ROWS; i++)
		{
			MdrVerdict	verdict;

			mdr_arena_reset(arena);
			if (mdr_verdict(engine, arena, rows[i].bytes, rows[i].length, MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
				die("verdict");
			*flagged += verdict.action >= MDR_FLAG;
		}
		if (seconds() - began < best)
			best = seconds() - began;
	}
	mdr_arena_destroy(arena);
	return best * 1e6 / ROWS;
}

static double
time_fold(const Row *rows)
{
	MdrArena   *arena = mdr_arena_create(0);
	double		best = 1e9;

	for (int r = 0; r < REPEAT; r++)
	{
		double		began = seconds();

		for (int i = 0; i < ROWS; i++)
		{
			MdrText		text;

			mdr_arena_reset(arena);
			if (mdr_text_fold(arena, rows[i].bytes, rows[i].length, &text) != MDR_OK)
				die("fold");
		}
		if (seconds() - began < best)
			best = seconds() - began;
	}
	mdr_arena_destroy(arena);
	return best * 1e6 / ROWS;
}

/* Compiles, prints what that took, and opens; when silent, without the policy's model. */
static MdrEngine *
open_policy(const char *name, const char *document, size_t length, bool silent, const Row *en, const Row *zh)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrError	error = {0};
	MdrPolicy  *policy;
	MdrEngine  *engine;
	char	   *image;
	size_t		size;
	unsigned	en_flagged,
				zh_flagged;
	double		began = seconds(),
				parsed,
				compiled,
				opened,
				en_time,
				zh_time;

	if (mdr_policy_parse(arena, document, length, NULL, NULL, &policy, &error) != MDR_OK)
		die(error.message);
	for (uint32_t i = 0; silent && i < policy->ncategories; i++)
		policy->categories[i].model = 0;
	parsed = seconds();
	if (mdr_compile(arena, policy, NULL, NULL, &image, &size, &error) != MDR_OK)
		die(error.message);
	compiled = seconds();
	if (mdr_engine_open(image, size, &engine, &error) != MDR_OK)
		die(error.message);
	opened = seconds();
	en_time = time_rows(engine, en, &en_flagged);
	zh_time = time_rows(engine, zh, &zh_flagged);
	printf("%-18s %8.1f %9.1f %8.2f %9zu %8.2f %8.2f %8u %8u\n", name, (parsed - began) * 1e3, (compiled - parsed) * 1e3,
		   (opened - compiled) * 1e3, size, en_time, zh_time, en_flagged, zh_flagged);
	mdr_arena_destroy(arena);
	return engine;
}

static void
put_word(FILE *out, bool han)
{
	static const char *const syllables[] = {"ka", "tor", "mi", "lan", "so", "ven", "ri", "dul", "pa", "gre", "shi", "bo"};

	for (unsigned i = 0, n = 2 + next_random(3); i < n; i++)
	{
		if (han)
		{
			unsigned	c = 0x4E00 + next_random(0x3000);

			fprintf(out, "%c%c%c", 0xE0 | c >> 12, 0x80 | (c >> 6 & 0x3F), 0x80 | (c & 0x3F));
		}
		else
			fputs(syllables[next_random(12)], out);
	}
}

/* A policy of so many terms: a third of them Chinese, a third phrases of two words. */
static char *
generate(unsigned terms, size_t *length)
{
	char	   *document = NULL;
	FILE	   *out = open_memstream(&document, length);

	fprintf(out, "policy: generated\ncategories: [{id: c, clause: {en: c}}]\n---\ncategory: c\nrules:\n");
	for (unsigned i = 0; i < terms; i += 10)
	{
		fprintf(out, "  - {id: r%u, weight: 0.8, severity: 2, hits: [x], misses: [y], terms: [", i);
		for (unsigned j = 0; j < 10 && i + j < terms; j++)
		{
			fputs(j ? ", \"" : "\"", out);
			put_word(out, j % 3 == 0);
			if (j % 3 == 1)
			{
				fputc(' ', out);
				put_word(out, false);
			}
			fputc('"', out);
		}
		fputs("]}\n", out);
	}
	fclose(out);
	return document;
}

/* One expensive text of a megabyte. */
static void
attack(MdrEngine *engine, const char *name, const char *unit)
{
	size_t		size = 1 << 20,
				one = strlen(unit);
	char	   *text = malloc(size + one);
	MdrArena   *arena = mdr_arena_create(0);
	MdrVerdict	verdict;
	double		began;

	if (text == NULL)
		die("out of memory");
	for (size_t i = 0; i < size; i += one)
		memcpy(text + i, unit, one);
	size -= size % one;
	began = seconds();
	if (mdr_verdict(engine, arena, text, size, MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
		die("verdict");
	printf("%-34s %9.1f ms/MB %7u findings, %6zu KB held%s%s\n", name, (seconds() - began) * 1e3 / size * 1048576,
		   verdict.nfindings, mdr_arena_used(arena) / 1024, verdict.unknown ? ": " : "", verdict.unknown ? verdict.unknown : "");
	mdr_arena_destroy(arena);
	free(text);
}

static char *
join_files(char **names, int count, size_t *length)
{
	char	   *document = NULL;
	FILE	   *out = open_memstream(&document, length);

	for (int i = 0; i < count; i++)
	{
		size_t		size;
		char	   *bytes = read_file(names[i], &size);

		fprintf(out, "---\n# file: %s\n", names[i]);
		fwrite(bytes, 1, size, out);
		free(bytes);
	}
	fclose(out);
	return document;
}

int
main(int argc, char **argv)
{
	Row			en[ROWS],
				zh[ROWS];
	size_t		length,
				en_length,
				zh_length;
	int			first = 1;
	MdrEngine  *engine;
	char	   *document;

	document = repeated(english, &en_length);
	if (argc > 3 && strcmp(argv[1], "-r") == 0)
	{
		document = read_file(argv[2], &en_length);
		first = 3;
	}
	if (first >= argc)
		die("usage: bench_match [-r FILE] POLICY-FILE...");
	cut_rows(document, en_length, en);
	document = repeated(chinese, &zh_length);
	cut_rows(document, zh_length, zh);
	printf("fold alone: %.2f us a row English, %.2f Chinese\n", time_fold(en), time_fold(zh));
	printf("%-18s %8s %9s %8s %9s %8s %8s %8s %8s\n", "policy", "parse ms", "compile", "open ms", "image", "en us", "zh us",
		   "en flag", "zh flag");
	for (unsigned terms = 100; terms <= 5000; terms = terms == 1000 ? 5000 : terms * 10)
	{
		char		name[32];

		document = generate(terms, &length);
		snprintf(name, sizeof(name), "%u terms", terms);
		mdr_engine_close(open_policy(name, document, length, false, en, zh));
	}
	document = join_files(argv + first, argc - first, &length);
	mdr_engine_close(open_policy("given, no model", document, length, true, en, zh));
	engine = open_policy("given", document, length, false, en, zh);
	attack(engine, "spaces", " ");
	attack(engine, "one letter", "a");
	attack(engine, "prefixes of terms", "how to mak how to kil how to bui ");
	attack(engine, "a term", "kill yourself ");
	attack(engine, "asks", "how do i make a bomb and how can i kill someone with a gun ");
	attack(engine, "Chinese asks", "怎么制造炸弹杀人");
	attack(engine, "one Chinese character", "杀");
	attack(engine, "spread letters", "k i l l ");
	attack(engine, "digits", "1234567890");
	attack(engine, "invalid bytes", "\xff");
	attack(engine, "combining marks", "a\xcc\x81");
	mdr_engine_close(engine);
	mdr_text_release();
	return 0;
}
