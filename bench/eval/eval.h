/*
 * eval.h
 *		Measures detection: labelled texts -> a policy's engine -> tables.  What the parts of the program share.
 *
 *	corpus.c	reads sets of labelled texts			score.c		runs the engine over them, in as many processes as processors
 *	policy.c	reads and compiles the policy			report.c	the tables
 *	figures.c	arithmetic								table.c		lays a table out
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
} Set;

typedef struct Corpus
{
	MdrArena   *arena;
	MdrEngine  *engine;			/* whose categories the labels are by */
	Text	   *texts;
	uint32_t	ntexts;
	Set		   *sets;
	uint32_t	nsets;
	const char **languages;
	uint32_t	nlanguages;
} Corpus;

/* What a rule did to the texts of one set; rules that score in a category that was flagged. */
typedef struct RuleCount
{
	uint32_t	benign;			/* texts with nothing wrong */
	uint32_t	benign_alone;	/* of these, where no other rule scored in the category */
	uint32_t	harmful;
	uint32_t	harmful_alone;
} RuleCount;

/* What the engine made of every text; in memory that the scoring processes share. */
typedef struct Results
{
	uint32_t	ncategories;
	float	   *score;			/* by text and category */
	uint8_t    *action;			/* the same: an MdrAction */
	uint8_t    *gravest;		/* by text */
	uint8_t    *unknown;		/* by text: the engine's bounds were reached */
	RuleCount  *rules;			/* by rule and set */
} Results;

/* policy.c: files or folders of a policy; NULL = the built-in one, from the top of the tree. */
extern MdrEngine *open_policy(MdrArena *arena, char **places, int count);

/* corpus.c */
extern void read_corpus(Corpus *corpus, char **places, int count);

/* score.c */
extern void score_corpus(const Corpus *corpus, Results *results);
extern double seconds(void);

static inline size_t
cell(const Results *results, uint32_t text, uint32_t category)
{
	return (size_t) text * results->ncategories + category;
}

/* report.c */
typedef struct Wanted
{
	bool		rules;
	const char *ids;			/* a set's name, "all", or NULL */
} Wanted;

extern void print_report(const Corpus *corpus, const Results *results, const Wanted *wanted);

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
