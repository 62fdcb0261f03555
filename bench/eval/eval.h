/*
 * eval.h
 *		Measures detection: labelled texts -> a policy's engine -> tables.  What the parts of the program share.
 *
 *	policy.c	reads and compiles the policy			score.c		runs the engine over texts, in as many processes as processors
 *	corpus.c	reads sets of labelled texts			report.c	the tables of the sets
 *	folds.c		models that have not seen a set
 *	functions.c	reads function tests					rules.c		the tables for who writes rules
 *	disguise.c	spells texts in disguise				report_*.c	the tables of function tests and of disguises
 *	calibration.c	scores as probabilities
 *	summary.c	wanted and measured
 *	figures.c	arithmetic								table.c		lays a table out; section.c puts it into the page of figures
 *
 * It stands on the pure core alone: no server.  Memory: one arena, until the program ends.  On error it says why and ends with 1.
 */
#ifndef EVAL_H
#define EVAL_H

#include "verdict/verdict.h"

#include <stdio.h>

#define MAX_CATEGORIES 32
#define NO_LABEL (-1)

/* One labelled text. */
typedef struct Text
{
	const char *id;
	const char *bytes;
	uint32_t	length;
	uint32_t	set;
	uint32_t	language;
	int8_t		benign;			/* 1: nothing wrong with it; 0: some harm; NO_LABEL: nothing said */
	int8_t		label[MAX_CATEGORIES];	/* by category of the policy: 1, 0, NO_LABEL */
} Text;

/* The texts of one file. */
typedef struct Set
{
	const char *name;
	uint32_t	first;
	uint32_t	count;
	uint32_t	benign;			/* texts with nothing wrong */
	uint32_t	harmful;		/* texts with some harm */
	int			fold;			/* of the model that has not seen it; NO_FOLD = the built-in one has not */
} Set;

#define NO_FOLD (-1)
#define MAX_FOLDS 16

/* Models that have each not seen some of the sets. */
typedef struct Folds
{
	MdrModel	models[MAX_FOLDS];
	int			count;
} Folds;

typedef struct Corpus
{
	MdrArena   *arena;
	MdrEngine  *engine;			/* whose categories the labels are by */
	Text	   *texts;
	uint32_t	ntexts;
	uint32_t	room;
	Set		   *sets;
	uint32_t	nsets;
	const char **languages;
	uint32_t	nlanguages;
	Folds		folds;
} Corpus;

/* What a rule did to the texts of one set; rules that score in a category that was flagged. */
typedef struct RuleCount
{
	uint32_t	benign;			/* texts with nothing wrong */
	uint32_t	benign_alone;	/* of these, where no other rule scored in the category */
	uint32_t	harmful;
	uint32_t	harmful_alone;
} RuleCount;

/* Who speaks: the product, or its parts alone. */
typedef enum System
{
	SYSTEM_BOTH = 0,
	SYSTEM_RULES,
	SYSTEM_MODEL,
	NSYSTEMS
} System;

/* What a text came to, whatever the category.  Strictly: in a category other than violence and politics. */
#define FLAGGED		1
#define STRICTLY	2
#define REFUSED		4

/* What the engine made of every text; in memory that the scoring processes share. */
typedef struct Results
{
	uint32_t	ntexts;
	uint32_t	ncategories;
	int			nsystems;		/* 1 when the policy has no model */
	float	   *score[NSYSTEMS];	/* by text and category */
	uint8_t    *action[NSYSTEMS];	/* the same: an MdrAction */
	uint8_t    *outcome[NSYSTEMS];	/* by text: FLAGGED, ... */
	uint8_t    *unknown;		/* by text: the engine's bounds were reached */
	uint8_t    *left_out;		/* by text: the disguise is not for it */
	RuleCount  *rules;			/* by rule and set */
} Results;

/* policy.c: files or folders of a policy; NULL = the built-in one, from the top of the tree. */
extern MdrEngine *open_policy(MdrArena *arena, char **places, int count);

/* corpus.c */
extern void read_corpus(Corpus *corpus, char **places, int count);
extern int	category_of(const MdrEngine *engine, const char *key);	/* -1 = none */
extern uint32_t language_of(Corpus *corpus, const char *name);
extern Set *add_set(Corpus *corpus, const char *name, size_t length);
extern void add_text(Corpus *corpus, const Text *text); /* to the last set; the text's bytes are kept as they are */

/* folds.c: the models of a folder that make model has filled; without a folder, all is measured with the built-in one */
extern void read_folds(Corpus *corpus, const char *folder);
extern bool is_held_back(const Text *text); /* from every model */

/* score.c */
#define PLAIN (-1)				/* no disguise */

/* What is scored, and by which model. */
typedef struct Run
{
	int			disguise;		/* that the texts wear */
	bool		tabled;			/* only the texts that a table of disguises counts: in the language that the disguise is for */
	bool		held_back;		/* only the texts of sets in folds that no model has seen, by the built-in model; else each set by its own */
} Run;

extern void score_corpus(const Corpus *corpus, Run run, Results *results);
extern void free_results(const Corpus *corpus, Results *results);
extern double seconds(void);

static inline size_t
cell(const Results *results, uint32_t text, uint32_t category)
{
	return (size_t) text * results->ncategories + category;
}

/* copied.c: how much of function tests stands in a folder of policies; false when it is too much */
extern bool print_copied(MdrArena *arena, const char *tests, const char *policies, FILE *out);

/* functions.c: the texts of function tests, a set for each function and language. */
extern void read_functions(Corpus *corpus, const char *folder);

/* report.c: tables of sets */
extern bool asks_for_harm(const Set *set);
extern void print_harmful(const Corpus *corpus, const Results *results, FILE *out);
extern void print_benign(const Corpus *corpus, const Results *results, FILE *out);
extern void print_outcomes_by_language(const Corpus *corpus, const Results *results, FILE *out);
extern void print_ranks(const Corpus *corpus, const Results *results, FILE *out);
extern void print_ranks_by_set(const Corpus *corpus, const Results *results, FILE *out);
extern void print_ranks_by_language(const Corpus *corpus, const Results *results, FILE *out);

extern void add_ranks_to_summary(const Corpus *corpus, const Results *results, bool held_back);

/* summary.c: what was wanted and what was measured; unit stands behind a figure */
extern void summary_add(MdrArena *arena, bool met, const char *what, const char *wanted, const char *measured);
extern void summary_add_least(MdrArena *arena, const char *what, double measured, double wanted, int digits, const char *unit);
extern void print_summary(MdrArena *arena, FILE *out);

/* calibration.c: expected calibration error by category; and reliability diagrams, as SVG */
extern void print_calibration(const Corpus *corpus, const Results *results, FILE *out);
extern void draw_calibration(const Corpus *corpus, const Results *results, const char *picture);

/* rules.c: what rules did, and which texts of a set ("all" = of every one) were missed or wrongly flagged */
extern void print_rules(const Corpus *corpus, const Results *results, FILE *out);
extern void print_ids(const Corpus *corpus, const Results *results, const char *set, FILE *out);

/* report_functions.c, report_disguises.c */
extern void print_functions(const Corpus *corpus, const Results *results, FILE *out);
extern void print_functions_by_language(const Corpus *corpus, const Results *results, FILE *out);
extern void print_disguises(const Corpus *corpus, const Results *plain, const char *of, FILE *out);	/* of: what the summary calls it, or NULL */

/* section.c: parts of the output, which the page of figures has between marks */
extern FILE *section_open(const char *name, const char *title);
extern void section_close(void);	/* prints it */
extern void section_docs(const char *page); /* puts all sections where the page has their marks */

/* table.c: a table in Markdown, its columns as wide as they must be. */
typedef struct Table Table;

/* columns: their heads, parted by '|'; one that starts with '>' has its cells at the right. */
extern Table *table_create(MdrArena *arena, const char *columns);
extern void table_add(Table *table, const char *format,...) __attribute__((format(printf, 2, 3)));	/* the next cell */
extern void table_add_figure(Table *table, int digits, double figure);	/* '-' for NAN */
extern void table_print(const Table *table, FILE *out);

/* Says what is wrong, like printf, and ends the program. */
extern void give_up(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));
extern void *must(void *memory);	/* ends the program when it is NULL */

#endif							/* EVAL_H */
