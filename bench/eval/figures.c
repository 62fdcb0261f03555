/*
 * figures.c
 *		The arithmetic of an evaluation; figures.h says what each figure is and where it comes from.
 *
 * Input: points, and counts at a threshold.  Output: figures.  Locks: none.  Memory: the caller's.  On error: NAN stands for a figure
 * that does not exist.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

static int
compare_points(const void *left, const void *right)
{
	float		a = ((const Point *) left)->score;
	float		b = ((const Point *) right)->score;

	return (a < b) - (a > b);
}

void
eval_sort_points(Point *points, size_t count)
{
	qsort(points, count, sizeof(Point), compare_points);
}

static size_t
count_positives(const Point *points, size_t count)
{
	size_t		positives = 0;

	for (size_t i = 0; i < count; i++)
		positives += points[i].positive;
	return positives;
}

/* Where the points that are tied with points[from] end, and how many of them are positive. */
static size_t
end_of_tie(const Point *points, size_t count, size_t from, size_t *positives)
{
	size_t		end = from;

	*positives = 0;
	for (; end < count && points[end].score == points[from].score; end++)
		*positives += points[end].positive;
	return end;
}

double
eval_auroc(const Point *points, size_t count)
{
	size_t		positives = count_positives(points, count);
	size_t		below = count - positives;	/* negatives that rank lower, or are tied */
	size_t		tied;
	double		won = 0;

	if (positives == 0 || below == 0)
		return NAN;
	for (size_t i = 0, end; i < count; i = end)
	{
		size_t		negatives;

		end = end_of_tie(points, count, i, &tied);
		negatives = end - i - tied;
		won += (double) tied * ((double) (below - negatives) + negatives / 2.0);
		below -= negatives;
	}
	return won / ((double) positives * (double) (count - positives));
}

double
eval_auprc(const Point *points, size_t count)
{
	size_t		positives = count_positives(points, count);
	size_t		found = 0;
	size_t		tied;
	double		sum = 0;

	if (positives == 0 || positives == count)
		return NAN;
	for (size_t i = 0, end; i < count; i = end)
	{
		end = end_of_tie(points, count, i, &tied);
		found += tied;
		sum += (double) tied * (double) found / (double) end;
	}
	return sum / (double) positives;
}

size_t
eval_bins(const Point *points, size_t count, size_t nbins, Bin *bins)
{
	size_t		made = 0;

	for (size_t done = 0; done < count;)
	{
		size_t		share = done * nbins / count + 1;	/* the first that is not used up: a large tie uses several */
		size_t		from = done;
		size_t		positives = 0;
		double		sum = 0;

		/* Points come highest first; a bin ends where its share of all is reached, but not between two that are tied. */
		do
		{
			const Point *point = &points[count - 1 - done++];

			sum += point->score;
			positives += point->positive;
		} while (done < count &&
				 (done * nbins < share * count || points[count - 1 - done].score == points[count - done].score));
		bins[made++] = (Bin) {done - from, sum / (double) (done - from), (double) positives / (double) (done - from)};
	}
	return made;
}

double
eval_ece(const Bin *bins, size_t nbins)
{
	size_t		count = 0;
	double		sum = 0;

	for (size_t i = 0; i < nbins; i++)
	{
		count += bins[i].count;
		sum += (double) bins[i].count * fabs(bins[i].score - bins[i].positive);
	}
	return count > 0 ? sum / (double) count : NAN;
}

static double
ratio(size_t part, size_t whole)
{
	return whole > 0 ? (double) part / (double) whole : NAN;
}

double
eval_precision(const Counts *counts)
{
	return counts->positive > 0 ? ratio(counts->true_positive, counts->true_positive + counts->false_positive) : NAN;
}

double
eval_recall(const Counts *counts)
{
	return ratio(counts->true_positive, counts->positive);
}

double
eval_f1(const Counts *counts)
{
	return counts->positive > 0 ? ratio(2 * counts->true_positive, counts->true_positive + counts->false_positive + counts->positive)
		: NAN;
}

double
eval_false_positive_rate(const Counts *counts)
{
	return ratio(counts->false_positive, counts->negative);
}
