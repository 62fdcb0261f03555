/*
 * eval_figures.c
 *		The arithmetic of make eval, on cases small enough to be reckoned by hand.
 */
#include "../../bench/eval/figures.c"
#include "tap.h"

#include <math.h>

static bool
same(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_ranks(void)
{
	Point		mixed[] = {{.1f, false}, {.9f, true}, {.4f, true}, {.6f, false}};
	Point		tied[] = {{.5f, true}, {.5f, false}, {.5f, false}, {.5f, true}};
	Point		some[] = {{0, true}, {.8f, true}, {0, false}, {.8f, false}, {0, false}};
	Point		perfect[] = {{.2f, false}, {.7f, true}, {.3f, false}};
	Point		alone[] = {{.2f, true}, {.7f, true}};

	eval_sort_points(mixed, COUNT(mixed));
	ok(mixed[0].score == .9f && mixed[3].score == .1f, "highest first");
	/* Pairs: .9 beats both, .4 beats .1 only: 3 of 4. */
	ok(same(eval_auroc(mixed, 4), 3.0 / 4), "AUROC counts pairs: %.4f", eval_auroc(mixed, 4));
	/* Positives at ranks 1 and 3: (1/1 + 2/3) / 2. */
	ok(same(eval_auprc(mixed, 4), (1.0 + 2.0 / 3) / 2), "AUPRC averages precision: %.4f", eval_auprc(mixed, 4));
	ok(same(eval_auroc(tied, 4), .5), "when all are tied, AUROC is a half");
	ok(same(eval_auprc(tied, 4), .5), "when all are tied, AUPRC is the share of positives");
	eval_sort_points(some, COUNT(some));
	/* Pairs of 2 positives and 3 negatives: .8 ties one and beats two (2.5), 0 loses one and ties two (1): 3.5 of 6. */
	ok(same(eval_auroc(some, 5), 3.5 / 6), "ties count half: %.4f", eval_auroc(some, 5));
	/* One step to recall 1/2 at precision 1/2, one to 1 at precision 2/5. */
	ok(same(eval_auprc(some, 5), (1.0 / 2 + 2.0 / 5) / 2), "tied points are one step: %.4f", eval_auprc(some, 5));
	eval_sort_points(perfect, COUNT(perfect));
	ok(same(eval_auroc(perfect, 3), 1) && same(eval_auprc(perfect, 3), 1), "perfect ranking is 1");
	ok(isnan(eval_auroc(alone, 2)) && isnan(eval_auprc(alone, 2)), "without negatives there is neither");
	ok(isnan(eval_auroc(alone, 0)) && isnan(eval_auprc(alone, 0)), "without points there is neither");
}

static void
test_bins(void)
{
	Point		points[] = {{.9f, true}, {.1f, false}, {.7f, false}, {.3f, false}};
	Point		tied[] = {{0, false}, {0, false}, {0, true}, {0, false}, {.5f, true}, {1, true}};
	Bin			bins[10];
	size_t		n;

	eval_sort_points(points, COUNT(points));
	n = eval_bins(points, COUNT(points), 2, bins);
	ok(n == 2 && bins[0].count == 2 && bins[1].count == 2, "four points in two bins");
	ok(fabs(bins[0].score - .2) < 1e-6 && same(bins[0].positive, 0), "the lower bin's means");
	ok(fabs(bins[1].score - .8) < 1e-6 && same(bins[1].positive, .5), "the upper bin's means");
	/* (2 * |.2 - 0| + 2 * |.8 - .5|) / 4 */
	ok(fabs(eval_ece(bins, n) - .25) < 1e-6, "expected calibration error: %.4f", eval_ece(bins, n));

	/* Bins of two: the four zeroes fill two of them, and stay together. */
	eval_sort_points(tied, COUNT(tied));
	n = eval_bins(tied, COUNT(tied), 3, bins);
	ok(n == 2 && bins[0].count == 4 && bins[1].count == 2, "tied points stay in one bin: %zu bins, %zu first", n, bins[0].count);
	ok(same(bins[0].positive, .25) && same(bins[1].score, .75) && same(bins[1].positive, 1), "the means of uneven bins");
	/* (4 * |0 - .25| + 2 * |.75 - 1|) / 6 */
	ok(same(eval_ece(bins, n), .25), "weighted by mass: %.4f", eval_ece(bins, n));
	ok(eval_bins(points, COUNT(points), 10, bins) == 4, "no more bins than points");
	ok(eval_bins(points, 0, 10, bins) == 0 && isnan(eval_ece(bins, 0)), "no points, no bins");
}

static void
test_counts(void)
{
	Counts		counts = {.true_positive = 3, .false_positive = 1, .positive = 6, .negative = 100};
	Counts		silent = {.positive = 6, .negative = 100};
	Counts		benign = {.false_positive = 2, .negative = 100};

	ok(same(eval_precision(&counts), .75) && same(eval_recall(&counts), .5), "precision and recall");
	ok(same(eval_f1(&counts), .6), "F1 is their harmonic mean");
	ok(same(eval_false_positive_rate(&counts), .01), "rate of false positives");
	ok(isnan(eval_precision(&silent)) && same(eval_recall(&silent), 0) && same(eval_f1(&silent), 0), "nothing found");
	ok(isnan(eval_precision(&benign)) && isnan(eval_recall(&benign)) && isnan(eval_f1(&benign)), "nothing to find");
	ok(same(eval_false_positive_rate(&benign), .02), "false positives count all the same");
}

int
main(void)
{
	test_ranks();
	test_bins();
	test_counts();
	return done();
}
