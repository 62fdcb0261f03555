/*
 * model.c
 *		What the learned model costs beside the rules: per row of 512 bytes, side by side in one run.
 *
 * Build and run:
 *		make benches && build/bench/model policies/terms-of-service/policy.yaml and the other files
 *
 * A row is cut from a paragraph of ordinary English or Chinese; or from a file with -r FILE, and is then called English.  "rules" is a
 * verdict by the policy without its line "model:", "model" is the model alone on a text that is folded already, "together" is the
 * policy as it is.  Rounds of all are run in turn, and the least time of each counts.  Time is the process's CPU time.
 *
 * Input: policy files.  Output: a table on stdout.  Memory: arenas, until the program ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "model/model.h"
#include "verdict/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROW 512
#define ROWS 512
#define ROUNDS 15

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

typedef struct Row
{
	char		bytes[ROW];
	size_t		length;
	MdrText		plain;
} Row;

/* A file, or a paragraph often enough, with its length. */
static char *
take_text(const char *file, const char *paragraph, size_t *length)
{
	char	   *text = NULL;
	FILE	   *out = open_memstream(&text, length);
	FILE	   *in = file == NULL ? NULL : fopen(file, "rb");

	if (file != NULL && in == NULL)
		die(file);
	for (int c; in != NULL && (c = getc(in)) != EOF;)
		putc(c, out);
	for (int i = 0; in == NULL && i < 8; i++)
		fputs(paragraph, out);
	fclose(out);
	if (*length <= ROW)
		die("the text is too short");
	return text;
}

/* Rows of at most 512 bytes, each from a random character on, folded. */
static void
cut_rows(MdrArena *arena, const char *text, size_t length, Row *rows)
{
	for (int i = 0; i < ROWS; i++)
	{
		size_t		start = next_random((unsigned) (length - ROW));
		size_t		end = start + ROW;

		while (((unsigned char) text[start] & 0xC0) == 0x80)
			start++;
		while (((unsigned char) text[end] & 0xC0) == 0x80)
			end--;
		memcpy(rows[i].bytes, text + start, end - start);
		rows[i].length = end - start;
		if (mdr_text_fold(arena, rows[i].bytes, rows[i].length, &rows[i].plain) != MDR_OK)
			die("out of memory");
	}
}

/* The files as one document, with or without the line that asks for the model. */
static MdrEngine *
open_policy(MdrArena *arena, char **names, int count, bool with_model)
{
	char	   *document = NULL,
			   *image,
				line[65536];
	size_t		length;
	FILE	   *out = open_memstream(&document, &length);
	MdrPolicy  *policy;
	MdrEngine  *engine;
	MdrError	error = {0};

	for (int i = 0; i < count; i++)
	{
		FILE	   *in = fopen(names[i], "r");

		if (in == NULL)
			die(names[i]);
		fprintf(out, "---\n# file: %s\n", names[i]);
		while (fgets(line, sizeof(line), in) != NULL)
			if (with_model || strncmp(line, "model:", 6) != 0)
				fputs(line, out);
		fclose(in);
	}
	fclose(out);
	if (mdr_policy_parse(arena, document, length, NULL, NULL, &policy, &error) != MDR_OK
		|| mdr_compile(arena, policy, NULL, NULL, &image, &length, &error) != MDR_OK
		|| mdr_engine_open(image, length, &engine, &error) != MDR_OK)
		die(error.message);
	return engine;
}

static void
run_verdicts(MdrEngine *engine, MdrArena *arena, const Row *rows)
{
	for (int i = 0; i < ROWS; i++)
	{
		MdrVerdict	verdict;

		mdr_arena_reset(arena);
		if (mdr_verdict(engine, arena, rows[i].bytes, rows[i].length, MDR_REJECT, NULL, NULL, &verdict) != MDR_OK)
			die("verdict");
	}
}

static void
run_model(const MdrModel *model, const Row *rows)
{
	static volatile float sink;

	for (int i = 0; i < ROWS; i++)
	{
		MdrReading	reading;

		mdr_model_start(&reading);
		mdr_model_read(model, &rows[i].plain, &reading);
		sink = reading.logit[0];
	}
	(void) sink;
}

static void
measure(const char *name, MdrEngine *rules, MdrEngine *together, const Row *rows)
{
	MdrArena   *arena = mdr_arena_create(0);
	const MdrModel *model = mdr_model_built_in();
	double		best[3] = {1e9, 1e9, 1e9};

	if (model == NULL)
		die("the library has no model");
	for (int round = 0; round < ROUNDS; round++)
		for (int what = 0; what < 3; what++)
		{
			double		began = seconds(),
						took;

			if (what == 1)
				run_model(model, rows);
			else
				run_verdicts(what == 0 ? rules : together, arena, rows);
			took = seconds() - began;
			best[what] = took < best[what] ? took : best[what];
		}
	printf("%-10s rules %6.2f us a row, model %6.2f (%3.0f %%), together %6.2f (%3.0f %%)\n", name, best[0] * 1e6 / ROWS,
		   best[1] * 1e6 / ROWS, 100 * best[1] / best[0], best[2] * 1e6 / ROWS, 100 * best[2] / best[0]);
	mdr_arena_destroy(arena);
}

int
main(int argc, char **argv)
{
	static Row	rows[2][ROWS];
	MdrArena   *arena = mdr_arena_create(0);
	const char *file = NULL;
	int			first = 1;
	MdrEngine  *rules,
			   *together;

	if (argc > 3 && strcmp(argv[1], "-r") == 0)
	{
		file = argv[2];
		first = 3;
	}
	if (first >= argc)
		die("usage: model [-r FILE] POLICY-FILE...");
	for (int i = 0; i < 2; i++)
	{
		size_t		length;
		char	   *text = take_text(i == 0 ? file : NULL, i == 0 ? english : chinese, &length);

		cut_rows(arena, text, length, rows[i]);
		free(text);
	}
	rules = open_policy(arena, argv + first, argc - first, false);
	together = open_policy(arena, argv + first, argc - first, true);
	measure("English", rules, together, rows[0]);
	measure("Chinese", rules, together, rows[1]);
	mdr_engine_close(rules);
	mdr_engine_close(together);
	mdr_arena_destroy(arena);
	mdr_text_release();
	return 0;
}
