/*
 * calibration.c
 *		How far a score can be read as the probability that a text belongs to its category.
 *
 * Counted are all pairs of a text and a category that its labels speak about, of texts with some score there: the rest, nine pairs in ten,
 * have none and would drown what is asked.  What share of them is positive depends on how many harmless texts a collection has.
 *
 * Input: a corpus and what the engine made of it.  Output: a stream; a picture (SVG).  Locks: none.  Memory: the corpus' arena.
 */
#include "eval.h"
#include "figures.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define NBINS 10

/* Points of one category, or of all (-1). */
static size_t
collect_spoken(const Corpus *corpus, const Results *results, System system, int category, Point *points)
{
	size_t		n = 0;

	for (uint32_t i = 0; i < corpus->ntexts; i++)
		for (uint32_t j = 0; j < results->ncategories; j++)
		{
			float		score = results->score[system][cell(results, i, j)];

			if ((category < 0 || (uint32_t) category == j) && corpus->texts[i].label[j] != NO_LABEL && !results->left_out[i] && score >= .01f)
				points[n++] = (Point) {score, corpus->texts[i].label[j] == 1};
		}
	eval_sort_points(points, n);
	return n;
}

static void
add_calibration(Table *table, const Corpus *corpus, const Results *results, int category, const char *name, Point *points)
{
	table_add(table, "%s", name);
	for (int i = 0; i < results->nsystems; i++)
	{
		Bin			bins[NBINS];
		size_t		count = collect_spoken(corpus, results, (System) i, category, points);

		table_add(table, "%zu", count);
		table_add_figure(table, 3, eval_ece(bins, eval_bins(points, count, NBINS, bins)));
	}
}

void
print_calibration(const Corpus *corpus, const Results *results, FILE *out)
{
	Table	   *table = table_create(corpus->arena, results->nsystems > 1 ?
									 "category|>scored|>error|>scored by rules|>error|>scored by the model|>error" : "category|>scored|>error");
	Point	   *points = must(mdr_alloc_array(corpus->arena, (size_t) corpus->ntexts * results->ncategories + 1, sizeof(Point)));

	for (uint32_t i = 0; i < results->ncategories; i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(corpus->engine, i, &category);
		add_calibration(table, corpus, results, (int) i, category.id, points);
	}
	add_calibration(table, corpus, results, -1, "all", points);
	table_print(table, out);
}

/* ---- the picture ---- */

#define SIZE 300.0				/* of a diagram's side */
#define TOP 70.0
#define LEFT 70.0
#define APART 110.0

static const char style[] =
	"<style>\n"
	"  text { font: 13px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #57606a; }\n"
	"  .title { font-size: 15px; font-weight: 600; fill: #24292f; }\n"
	"  .small { font-size: 11px; }\n"
	"  .paper { fill: #ffffff; stroke: #d0d7de; }\n"
	"  .grid { stroke: #d8dee4; stroke-width: 1; }\n"
	"  .ideal { stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 5 5; }\n"
	"  .gap { stroke: #0969da; stroke-width: 2; opacity: .35; }\n"
	"  .line { fill: none; stroke: #0969da; stroke-width: 2.5; stroke-linejoin: round; }\n"
	"  .dot { fill: #0969da; stroke: #ffffff; stroke-width: 1.5; }\n"
	"  @media (prefers-color-scheme: dark) {\n"
	"    text { fill: #9198a1; } .title { fill: #e6edf3; } .paper { fill: #0d1117; stroke: #30363d; } .grid { stroke: #21262d; }\n"
	"    .ideal { stroke: #6e7681; } .gap, .line { stroke: #58a6ff; } .dot { fill: #58a6ff; stroke: #0d1117; }\n"
	"  }\n"
	"</style>\n";

static double
x_of(double left, double value)
{
	return left + value * SIZE;
}

static double
y_of(double value)
{
	return TOP + (1 - value) * SIZE;
}

static void
draw_axes(FILE *out, double left, const char *title, const char *below)
{
	fprintf(out, "<text class=\"title\" x=\"%.0f\" y=\"%.0f\">%s</text>\n", left, TOP - 34, title);
	fprintf(out, "<text class=\"small\" x=\"%.0f\" y=\"%.0f\">%s</text>\n", left, TOP - 16, below);
	fprintf(out, "<rect class=\"paper\" x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\" rx=\"4\"/>\n", left, TOP, SIZE, SIZE);
	for (int i = 0; i <= 4; i++)
	{
		double		at = i / 4.0;

		if (i > 0 && i < 4)
			fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1fM%.1f %.1fH%.1f\"/>\n", x_of(left, at), TOP, TOP + SIZE, left, y_of(at),
					left + SIZE);
		fprintf(out, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.2g</text>\n", x_of(left, at), TOP + SIZE + 18, at);
		fprintf(out, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.2g</text>\n", left - 8, y_of(at) + 4, at);
	}
	fprintf(out, "<path class=\"ideal\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", left, TOP + SIZE, left + SIZE, TOP);
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">score</text>\n", left + SIZE / 2, TOP + SIZE + 40);
	fprintf(out, "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\">share that belongs to the category</text>\n",
			left - 42, TOP + SIZE / 2);
}

static void
draw_bins(FILE *out, double left, const Bin *bins, size_t nbins)
{
	for (size_t i = 0; i < nbins; i++)
		fprintf(out, "<path class=\"gap\" d=\"M%.1f %.1fV%.1f\"/>\n", x_of(left, bins[i].score), y_of(bins[i].score), y_of(bins[i].positive));
	fprintf(out, "<path class=\"line\" d=\"");
	for (size_t i = 0; i < nbins; i++)
		fprintf(out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', x_of(left, bins[i].score), y_of(bins[i].positive));
	fprintf(out, "\"/>\n");
	for (size_t i = 0; i < nbins; i++)
		fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>%zu texts: score %.2f, share %.2f</title></circle>\n",
				x_of(left, bins[i].score), y_of(bins[i].positive), bins[i].count, bins[i].score, bins[i].positive);
}

void
draw_calibration(const Corpus *corpus, const Results *results, const char *picture)
{
	static const char *const titles[] = {[SYSTEM_BOTH] = "Rules and model together", [SYSTEM_MODEL] = "The model alone"};
	Point	   *points = must(mdr_alloc_array(corpus->arena, (size_t) corpus->ntexts * results->ncategories + 1, sizeof(Point)));
	FILE	   *out = fopen(picture, "w");
	int			drawn = results->nsystems > 1 ? 2 : 1;

	if (out == NULL)
		give_up("%s: %s", picture, strerror(errno));
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"Reliability diagrams: "
			"share of texts that belong to a category, by score\">\n%s", LEFT + drawn * SIZE + (drawn - 1) * APART + 30, TOP + SIZE + 60, style);
	for (int i = 0; i < drawn; i++)
	{
		System		system = i == 0 ? SYSTEM_BOTH : SYSTEM_MODEL;
		double		left = LEFT + i * (SIZE + APART);
		Bin			bins[NBINS];
		size_t		count = collect_spoken(corpus, results, system, -1, points);
		size_t		nbins = eval_bins(points, count, NBINS, bins);
		char		below[128];

		snprintf(below, sizeof(below), "%zu scores, expected calibration error %.3f", count, eval_ece(bins, nbins));
		draw_axes(out, left, titles[system], below);
		draw_bins(out, left, bins, nbins);
	}
	fprintf(out, "</svg>\n");
	if (fclose(out) != 0)
		give_up("%s: %s", picture, strerror(errno));
}
