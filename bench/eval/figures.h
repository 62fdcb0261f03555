/*
 * figures.h
 *		The arithmetic of an evaluation: how well scores rank, and how well they can be read as probabilities.
 *
 * Pure: sorts the caller's points in place, and allocates nothing.
 */
#ifndef EVAL_FIGURES_H
#define EVAL_FIGURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One text, as one category sees it. */
typedef struct Point
{
	float		score;
	bool		positive;
} Point;

/* Highest score first.  What follows expects points in this order. */
extern void eval_sort_points(Point *points, size_t count);

/*
 * The probability that a positive ranks above a negative, ties counting half (Hanley and McNeil, "The meaning and use of the area
 * under a receiver operating characteristic curve", Radiology 143, 1982).  NAN without positives or without negatives.
 */
extern double eval_auroc(const Point *points, size_t count);

/*
 * Average precision over distinct scores: each step in recall counts with the precision reached there, and tied points are one step
 * (Manning, Raghavan and Schuetze, "Introduction to Information Retrieval", 2008, 8.4).  NAN without positives or without negatives.
 */
extern double eval_auprc(const Point *points, size_t count);

typedef struct Bin
{
	size_t		count;
	double		score;			/* mean */
	double		positive;		/* share, 0..1 */
} Bin;

/*
 * Parts points into at most nbins bins of about equal mass, the lowest scores first; tied points stay together, so that a bin may be
 * larger and there may be fewer.  Returns how many there are.
 */
extern size_t eval_bins(const Point *points, size_t count, size_t nbins, Bin *bins);

/*
 * Expected calibration error: the mean distance between score and share of positives over the bins, by mass (Naeini, Cooper and
 * Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015).  NAN without points.
 */
extern double eval_ece(const Bin *bins, size_t nbins);

/* What a threshold comes to. */
typedef struct Counts
{
	size_t		true_positive;
	size_t		false_positive;
	size_t		positive;
	size_t		negative;
} Counts;

/* All in 0..1, and NAN where nothing was found or there is nothing to find. */
extern double eval_precision(const Counts *counts);
extern double eval_recall(const Counts *counts);
extern double eval_f1(const Counts *counts);
extern double eval_false_positive_rate(const Counts *counts);

#endif							/* EVAL_FIGURES_H */
