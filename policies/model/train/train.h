/*
 * train.h
 *		What the files of the program that makes the built-in model share.
 */
#ifndef TRAIN_H
#define TRAIN_H

#include "model/model.h"

#include <stdio.h>

#define NHEADS 20				/* the categories, then "any" */
#define ANY 19
#define ALL_HEADS ((1u << NHEADS) - 1)
#define NO_FOLD (-1)			/* a set that is always trained on: the project's own examples */

extern const char *const head_names[NHEADS];

/* The number of a category or "any"; also by the names that data sets use.  -1 when there is none. */
extern int	head_of(const char *name);

typedef struct Set
{
	char	   *name;
	int			fold;
	bool		harm;			/* some text of it is positive for something */
	uint32_t	texts;
	uint32_t	harmful;		/* of these, positive for something */
	uint32_t	windows;		/* trained on, about */
	float		weight;			/* of each text */
} Set;

typedef struct Text
{
	uint32_t	set;
	uint32_t	positive;		/* bits by head */
	uint32_t	negative;
	uint32_t	weak;
	float		weight;			/* besides the set's */
	MdrText		plain;
} Text;

typedef struct Corpus
{
	MdrArena   *arena;
	Set		   *sets;
	uint32_t	nsets;
	Text	   *texts;
	uint32_t	ntexts;
	uint32_t	capacity;
} Corpus;

extern void die(const char *format,...) __attribute__((noreturn, format(printf, 1, 2)));
extern char *read_file(const char *name, size_t *length);
extern char **list_files(const char *folder, const char *ending, uint32_t *count);	/* sorted; with the folder's name */

extern uint32_t add_set(Corpus *corpus, const char *file, int fold);
extern void add_text(Corpus *corpus, uint32_t set, const char *given, size_t length, uint32_t positive, uint32_t negative,
					 uint32_t weak, float weight);

/* Reads data sets: one JSON object a line; those of the test split, or all others. */
extern void read_sets(Corpus *corpus, const char *folder, bool test_split);

/* Reads the project's own examples and expands their frames. */
extern void read_examples(Corpus *corpus, const char *folder);

/* What a model that has not seen a text makes of it. */
typedef struct Unseen
{
	float		logit[NHEADS];
	uint8_t		script[NHEADS]; /* of the highest window */
	float		cost;			/* of its length, in deviations */
} Unseen;

/* How scores are made of a head's logits in a script. */
typedef struct Scoring
{
	float		self;
	float		any;
	float		constant;
} Scoring;

/*
 * Chooses thresholds on the texts of all sets that are left out of some training, but not of those of one fold (NO_FOLD: none), and
 * says how scores are made, by script and head.
 */
extern void choose_scoring(const Corpus *corpus, const Unseen *unseen, int without, Scoring scoring[MDR_NSCRIPTS][NHEADS]);

#endif							/* TRAIN_H */
