/*
 * verdict.h
 *		What a policy says of one content: scores, severities and actions by category, and the gravest of them.
 *
 * A category's score is 1 - (1 - m) * product of (1 - score) over its rules, each counted once at its best finding (noisy-or; Pearl,
 * "Probabilistic Reasoning in Intelligent Systems", 1988): surer rules and more of them rank higher, and it stays in 0..1.
 * In a long content that is reckoned for each place (MDR_NEARBY), and the worst counts: mentions a page apart do not add up.
 *
 *	m		what the learned model gives the category: its model weight times mdr_model_score(), times the smallest factor of a context
 *			that the category names, that counts anywhere in the content, and that was seen; below .001 it is 0.  0 without a model.
 *
 * A model that was learned from a site's own decisions (MdrLearned) moves the outcome: with d the highest logit of any window, within
 * -4..4, the score becomes sigmoid(logit(score clipped to .02...98) + d) where d is not 0; below .001 it is 0.
 *
 * The severity is that of the gravest rule that was not excused altogether; a rule whose best finding a context has lowered counts as
 * severity 1 at most, so that with others it may flag, but not refuse what the context excuses.  Where m is a tenth, or what flags, the model has a finding
 * as rule "<category>.model" of severity 1: alone it comes to what the policy does at that severity.  A smaller m ranks contents, but
 * makes no verdict.  The learned model has one as rule "<category>.learned" where it changes the score by a tenth, or across a threshold;
 * of score 0, and speaking for nothing, where it lowers.  Below flag_at the action is allow; from act_at it is the severity's; between the two it is at most flag.
 *
 * Pure: no clock, no state, no memory but the arena's.
 */
#ifndef MDR_VERDICT_H
#define MDR_VERDICT_H

#include "match/match.h"

typedef struct MdrCategoryVerdict
{
	float		score;
	int			severity;		/* of the gravest rule or model that was not excused; 0 when none */
	MdrAction	action;
} MdrCategoryVerdict;

typedef struct MdrVerdict
{
	MdrStatus	status;			/* MDR_OK or MDR_UNKNOWN */
	const char *unknown;		/* why it is unknown, or NULL */
	MdrCategoryVerdict *categories; /* one for each category of the policy */
	uint32_t	ncategories;
	int			category;		/* the gravest, -1 when neither a rule nor the model has a finding */
	MdrAction	action;			/* the gravest; when unknown, the policy's on_unknown if that is graver, and quarantine for redact */
	MdrFinding *findings;
	uint32_t	nfindings;
	const MdrOpinion *opinions; /* the models', by category; NULL when the policy has none */
	bool		cut;			/* there were more findings than the verdict keeps (10,000) */
} MdrVerdict;

/*
 * Scans and scores.  cap: no action above it (MDR_REJECT = no cap).  MDR_OK also when the verdict is "unknown";
 * MDR_INTERRUPTED, MDR_NO_MEMORY and MDR_BROKEN mean there is no verdict.
 */
extern MdrStatus mdr_verdict(MdrEngine *engine, MdrArena *arena, const char *content, size_t length, MdrAction cap,
							 MdrInterrupted interrupted, void *context, MdrVerdict *verdict);

/*
 * The content with every character in a span of findings whose category's action is redact or graver replaced by mask (once
 * for each character of the text as given); of a model's findings only those in categories in which no rule has one.  *out has a terminating zero.  MDR_OK, MDR_NO_MEMORY (also when it would be a
 * gigabyte or more; *out_length is what it would have been), or MDR_UNKNOWN when the
 * verdict does not know all spans, because it is unknown or there were too many: then there is no *out.
 */
extern MdrStatus mdr_redact(const MdrEngine *engine, MdrArena *arena, const MdrVerdict *verdict, const char *content,
							size_t length, const char *mask, char **out, size_t *out_length);

#endif							/* MDR_VERDICT_H */
