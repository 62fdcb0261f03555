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
 *	models		linear classifiers (model/model.h): the library's, whose weights an image does not carry, when the policy says so
 *
 * An image carries the format, fold and PCRE2 versions that it was made with, and which categories the library's model knew; opening
 * it with any others gives MDR_INVALID, and the caller compiles the document anew.  A library whose model has other weights for the
 * same categories opens it.
 *
 * Memory: an image belongs to the caller's arena; an engine belongs to itself (mdr_engine_close) and does not keep the image
 * it was opened from unless said so.  An engine may be used by one thread at a time.
 */
#ifndef MDR_MATCH_H
#define MDR_MATCH_H

#include "model/model.h"
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

/*
 * Asks this model instead of the library's, to measure or test one; it stays the caller's, and must stay.  Categories in which the policy's
 * model is silent stay so.
 */
extern void mdr_engine_use_model(MdrEngine *engine, const MdrModel *model);

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
	float		model;			/* the most that the learned model alone can give; 0 = it is silent here */
} MdrEngineCategory;

/* Who speaks: a rule of the document, or a model, of which the engine makes a rule "<category>.model" so that it is told like one. */
typedef enum MdrSpeaker
{
	MDR_SPEAKER_RULE,
	MDR_SPEAKER_MODEL,			/* the library's */
	MDR_SPEAKER_LEARNED			/* one learned from a site's own decisions, "<category>.learned" */
} MdrSpeaker;

typedef struct MdrEngineRule
{
	const char *id;
	const char *language;
	const char *note;
	uint32_t	category;
	MdrSpeaker	speaker;
	float		weight;
	int			severity;		/* a model's is 1 */
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

/*
 * A finding of the learned model that lowers a category's score: the finding's own score is 0.  One that raises it has, as a rule of
 * that score would have in the noisy-or, what it adds.
 */
#define MDR_CONTEXT_LEARNED (-2)

/* A rule speaking about a span of the content as given (bytes). */
typedef struct MdrFinding
{
	uint32_t	rule;
	uint32_t	start;
	uint32_t	end;
	float		score;			/* the rule's weight, less what a context excuses */
	MdrView		view;
	int			context;		/* index of the context that excused it, MDR_CONTEXT_LEARNED, or -1 */
} MdrFinding;

/* A context's id, "learned" for MDR_CONTEXT_LEARNED, otherwise NULL. */
extern const char *mdr_engine_context(const MdrEngine *engine, int index);

/* What the models make of the whole content, in one category. */
typedef struct MdrOpinion
{
	float		score;			/* the category's model weight times mdr_model_score(), less what a context excuses; 0 below .001 */
	uint32_t	start;			/* the window that the score is of, in bytes of the content as given */
	uint32_t	end;
	float		shift;			/* by how much the learned model moves the category's logit, -4 to 4 */
} MdrOpinion;

typedef struct MdrScan
{
	MdrInterrupted interrupted; /* may be NULL */
	void	   *interrupted_context;
	uint32_t	max_findings;	/* kept at most, gravest first; 0 = 1000 */
	bool		rules_only;		/* ask no model */
	/* results */
	MdrOpinion *opinions;		/* by category, in the arena; NULL when no model was asked */
	MdrFinding *findings;		/* in order of start; in the arena */
	uint32_t	nfindings;
	bool		cut;			/* there were more findings than are kept */
	const char *unknown;		/* why MDR_UNKNOWN, static text */
} MdrScan;

/*
 * Finds every rule's findings in content, in windows of bounded size, and asks the models.  A model's finding is the window that it is
 * surest of, when it gives the category a tenth or what flags; the learned one's, when it moves the score by a tenth, or over a threshold.  MDR_OK, MDR_UNKNOWN (a limit was reached; findings
 * made so far are there), MDR_INTERRUPTED, MDR_NO_MEMORY, MDR_BROKEN.
 */
extern MdrStatus mdr_engine_scan(MdrEngine *engine, MdrArena *arena, const char *content, size_t length, MdrScan *scan);

/* The severity of a finding that a context has lowered, at most. */
#define MDR_LOWERED_SEVERITY 1

/* Findings this many bytes apart, as given, or less count together; twice as far apart or more they do not. */
#define MDR_NEARBY 512

/* What findings come to in one category. */
typedef struct MdrScore
{
	float		score;			/* 1 - product of (1 - score) over its rules, each at its best finding, and the model; shifted */
	int			severity;		/* of the gravest rule or model that was not excused altogether, a lowered one's at most 1; 0 when there is none */
	bool		spoken;			/* a rule or model has a finding; otherwise the score is what a model faintly thinks */
} MdrScore;

/* Scores every category of the policy; scores has room for all, opinions (may be NULL) has all.  MDR_OK or MDR_NO_MEMORY. */
extern MdrStatus mdr_engine_scores(const MdrEngine *engine, MdrArena *arena, const MdrFinding *findings, uint32_t nfindings,
								   const MdrOpinion *opinions, MdrScore *scores);

/* A score's logit as the learned model moves it: of the score clipped to .02...98. */
extern float mdr_score_logit(float score);

/* Runs every rule's own hits and misses, by the rules alone.  MDR_INVALID with the first that fails. */
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
