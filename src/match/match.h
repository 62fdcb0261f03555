/*
 * match.h
 *		A policy compiled so that thousands of rules are looked for in one pass.
 *
 * mdr_compile() turns the tree of policy/policy.h into an image: one flat block of bytes without pointers, fit for a table,
 * a file or shared memory.  mdr_engine_open() makes it ready to scan in this process.
 *
 *	terms		literals, found in one pass over each view (match_index.h), confirmed by word boundary and segmentation
 *	patterns	PCRE2-JIT under match and heap limits, tried where literals that every match must contain were found
 *
 * An image carries the format, fold and PCRE2 versions that it was made with; opening it with any others gives MDR_INVALID,
 * and the caller compiles the document anew.
 *
 * Memory: an image belongs to the caller's arena; an engine belongs to itself (mdr_engine_close) and does not keep the image
 * it was opened from unless said so.  An engine may be used by one thread at a time.
 */
#ifndef MDR_MATCH_H
#define MDR_MATCH_H

#include "policy/policy.h"
#include "text/text.h"

typedef struct MdrEngine MdrEngine;

/*
 * Compiles.  MDR_OK, MDR_INVALID (a pattern or term is refused; *error says which), MDR_INTERRUPTED (interrupted may be NULL),
 * MDR_NO_MEMORY, MDR_BROKEN.
 */
extern MdrStatus mdr_compile(MdrArena *arena, const MdrPolicy *policy, MdrInterrupted interrupted, void *context, char **image,
							 size_t *length, MdrError *error);

/* Opens a copy of the image.  MDR_INVALID when it was made by other versions or is damaged. */
extern MdrStatus mdr_engine_open(const char *image, size_t length, MdrEngine **engine, MdrError *error);
extern void mdr_engine_close(MdrEngine *engine);	/* NULL is fine */

/* What scanning and scoring need to know of the policy, read from the image. */
typedef struct MdrEngineCategory
{
	const char *id;
	const char *clause_en;
	const char *clause_zh;
	float		flag_at;
	float		act_at;
	MdrAction	actions[MDR_MAX_SEVERITY + 1];
	bool		strike;
	int			suspend_from;
	MdrEvidence evidence;
} MdrEngineCategory;

typedef struct MdrEngineRule
{
	const char *id;
	const char *language;
	const char *note;
	uint32_t	category;
	float		weight;
	int			severity;
	uint32_t	nterms;			/* after lists were expanded */
	uint32_t	npatterns;
	uint32_t	nhits;
	uint32_t	nmisses;
} MdrEngineRule;

extern const char *mdr_engine_policy(const MdrEngine *engine);
extern uint32_t mdr_engine_ncategories(const MdrEngine *engine);
extern void mdr_engine_category(const MdrEngine *engine, uint32_t index, MdrEngineCategory *category);
extern uint32_t mdr_engine_nrules(const MdrEngine *engine);
extern void mdr_engine_rule(const MdrEngine *engine, uint32_t index, MdrEngineRule *rule);
extern void mdr_engine_ladder(const MdrEngine *engine, MdrLadder *ladder);
extern int64_t mdr_engine_max_bytes(const MdrEngine *engine);
extern MdrAction mdr_engine_on_unknown(const MdrEngine *engine);

/* A rule speaking about a span of the content as given (bytes). */
typedef struct MdrFinding
{
	uint32_t	rule;
	uint32_t	start;
	uint32_t	end;
	float		score;			/* the rule's weight, less what a context excuses */
	MdrView		view;
	int			context;		/* index of the context that excused it, or -1 */
} MdrFinding;

extern const char *mdr_engine_context(const MdrEngine *engine, int index);

typedef struct MdrScan
{
	MdrInterrupted interrupted; /* may be NULL */
	void	   *interrupted_context;
	uint32_t	max_findings;	/* kept at most, gravest first; 0 = 1000 */
	/* results */
	MdrFinding *findings;		/* in order of start; in the arena */
	uint32_t	nfindings;
	bool		cut;			/* there were more findings than are kept */
	const char *unknown;		/* why MDR_UNKNOWN, static text */
} MdrScan;

/*
 * Finds every rule's findings in content, in windows of bounded size.  MDR_OK, MDR_UNKNOWN (a limit was reached; findings
 * made so far are there), MDR_INTERRUPTED, MDR_NO_MEMORY, MDR_BROKEN.
 */
extern MdrStatus mdr_engine_scan(MdrEngine *engine, MdrArena *arena, const char *content, size_t length, MdrScan *scan);

/* What findings come to in one category. */
typedef struct MdrScore
{
	float		score;			/* 1 - product of (1 - score) over its rules, each at its best finding */
	int			severity;		/* of the gravest rule that was not excused altogether; 0 when there is none */
} MdrScore;

/* Scores every category of the policy; scores has room for all.  MDR_OK or MDR_NO_MEMORY. */
extern MdrStatus mdr_engine_scores(const MdrEngine *engine, MdrArena *arena, const MdrFinding *findings, uint32_t nfindings,
								   MdrScore *scores);

/* Runs every rule's own hits and misses.  MDR_INVALID with the first that fails. */
extern MdrStatus mdr_engine_check(MdrEngine *engine, const MdrPolicy *policy, MdrInterrupted interrupted, void *context,
								  MdrError *error);

/* Where a check stands; start with zeroes. */
typedef struct MdrCheck
{
	uint32_t	rule;
	uint32_t	example;		/* hits, then misses */
} MdrCheck;

/* The same, beginning at *check; on MDR_INVALID *check is behind the example that failed, so that a caller may go on. */
extern MdrStatus mdr_engine_check_from(MdrEngine *engine, const MdrPolicy *policy, MdrCheck *check, MdrInterrupted interrupted,
									   void *context, MdrError *error);

#endif							/* MDR_MATCH_H */
