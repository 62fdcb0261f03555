/*
 * match_engine.h
 *		An opened image, and one window of content on its way through it.  Private to the stage.
 */
#ifndef MDR_MATCH_ENGINE_H
#define MDR_MATCH_ENGINE_H

#include "match/match_image.h"
#include "match/match_pcre.h"

/* How content is cut, in bytes as given. */
#define MDR_WINDOW 65536
#define MDR_OVERLAP 4096		/* what a window shares with the one before it */
#define MDR_MARGIN 256			/* hits this close to a cut are left to the window that sees both sides of it */

/* Bounds on one window; beyond them the content is unknown. */
#define MDR_MAX_HITS 65536		/* literals, in one view */
#define MDR_MAX_SPANS 131072	/* spans of one kind, in all views */

#define MDR_DEFAULT_FINDINGS 1000

typedef struct MdrMark
{
	uint32_t	number;
	uint32_t	value;
} MdrMark;

struct MdrEngine
{
	MdrArena   *arena;			/* holds the image's tables */
	MdrArena   *scratch;		/* one window's memory, reset for each */
	const MdrImageHeader *header;
	const char *strings;
	const MdrImageCategory *categories;
	const MdrImageContext *contexts;
	const MdrImageRule *rules;
	const MdrImagePattern *patterns;
	const MdrImageChoice *always;
	const MdrImageLiteral *literals;
	const MdrImageUse *uses;
	const MdrImageSet *sets;
	const MdrImageChoice *set_patterns;
	const MdrImageTemplate *templates;
	uint32_t	ncategories;
	uint32_t	ncontexts;
	uint32_t	nrules;
	uint32_t	npatterns;
	uint32_t	nalways;
	uint32_t	nliterals;
	uint32_t	nsets;
	uint32_t	ntemplates;
	uint64_t	anywhere;		/* contexts with within 0, as bits */
	const MdrModel *model;		/* the library's, or NULL when the policy has none */
	int		   *model_heads;	/* by category: the model's head, or -1 */
	const MdrModel *learned;	/* the policy's own, or NULL */
	int		   *learned_heads;
	MdrModel	learned_model;	/* what learned points to */

	/*
	 * What was seen in the view, or of rules in the window, being scanned: marked with its number, so that nothing need be cleared
	 * for the next.
	 */
	uint32_t	number;
	uint32_t	window_number;	/* number of the window's first view */
	uint32_t   *literal_seen;	/* by literal */
	uint32_t   *set_seen;		/* by set */
	MdrMark    *pattern_seen;	/* by pattern: how many sets */
	MdrMark    *rule_seen;		/* by rule: bits of its groups */
	MdrMark    *template_seen;	/* by template: bits of its parts */

	MdrIndex	index;
	MdrPcre		pcre;
	pcre2_code **codes[MDR_NSPELLINGS]; /* compiled when first needed */
};

/* A confirmed match.  Positions are bytes: of the window's plain view, and of the window as given. */
typedef struct MdrSpan
{
	uint32_t	owner;			/* rule or context */
	uint8_t		group;
	uint8_t		view;
	uint32_t	start;
	uint32_t	end;
	uint32_t	given_start;
	uint32_t	given_end;
} MdrSpan;

typedef struct MdrSpans
{
	MdrSpan    *items;
	uint32_t	count;
	uint32_t	capacity;
} MdrSpans;

/* A literal, and where it ended. */
typedef struct MdrHit
{
	uint32_t	literal;
	uint32_t	end:31;
	uint32_t	first:1;		/* the literal's first in the view */
} MdrHit;

typedef struct MdrHits
{
	MdrHit	   *items;
	uint32_t	count;
	uint32_t	capacity;
} MdrHits;

/* Patterns that may match. */
typedef struct MdrCandidates
{
	uint32_t   *items;
	uint32_t	count;
} MdrCandidates;

/* What a model has made of the content so far, and where each head's window is in the content as given. */
typedef struct MdrModelReading
{
	MdrReading	reading;
	uint32_t	start[MDR_MODEL_MAX_HEADS];
	uint32_t	end[MDR_MODEL_MAX_HEADS];
} MdrModelReading;

/* One window of content. */
typedef struct MdrWindow
{
	MdrEngine  *engine;
	MdrScan    *scan;
	MdrArena   *arena;			/* of the scan's findings */
	uint32_t	offset;			/* of the window in the content as given */
	uint32_t	length;			/* as given */
	bool		first;
	bool		last;
	MdrText		text[MDR_NVIEWS];
	MdrHits		hits[MDR_NVIEWS];
	MdrCandidates candidates[MDR_NVIEWS];
	uint32_t	kinds;			/* bits of MdrUseKind that were hit at all */
	bool		complete;		/* some rule has a word of each of its groups */
	MdrSpans	found;			/* of terms and patterns, and then of all_of */
	MdrSpans	members;		/* of all_of groups */
	MdrSpans	signs;			/* of contexts */
	MdrSpans	allowed;
	uint64_t   *closed;			/* bit per byte of the plain view: taken out between spread letters; NULL when there are none */
	const uint32_t *characters; /* before each block of 64 bytes of the plain view; made when needed */
	uint64_t	seen;			/* contexts that were seen in any window so far, as bits */
	MdrModelReading model;
	MdrModelReading learned;

	/* findings of all windows so far, in arena */
	MdrFinding *findings;
	uint32_t	nfindings;
	uint32_t	capacity;
	bool		cut;			/* some were dropped */
} MdrWindow;

#define MDR_INTERRUPT_EVERY 1024	/* steps of a loop between two looks at the interrupt */

static inline bool
mdr_interrupted(const MdrWindow *window)
{
	return window->scan->interrupted != NULL && window->scan->interrupted(window->scan->interrupted_context);
}

/* mdr_sort() in the engine's scratch arena. */
static inline MdrStatus
mdr_window_sort(MdrWindow *window, void *items, size_t count, size_t size, int (*compare) (const void *left, const void *right))
{
	return mdr_sort(window->engine->scratch, items, count, size, compare, window->scan->interrupted,
					window->scan->interrupted_context);
}

static inline MdrStatus
mdr_unknown(MdrWindow *window, const char *reason)
{
	window->scan->unknown = reason;
	return MDR_UNKNOWN;
}

/* match_scan.c */
extern MdrStatus mdr_add_span(MdrWindow *window, MdrSpans *spans, MdrSpan span);

/* match_candidates.c: literal hits of a view -> patterns that may match, groups of rules that have a word */
extern MdrStatus mdr_find_candidates(MdrWindow *window, MdrView view);

extern void mdr_see_member(MdrWindow *window, uint32_t rule, uint32_t group);

/* match_parts.c: parts of a view -> spans of the terms that they make */
extern MdrStatus mdr_join_parts(MdrWindow *window, MdrView view);

/* match_confirm.c: the next character's position; where a gap ends; a confirmed match -> a span of its kind */
extern uint32_t mdr_next_character(const MdrText *text, uint32_t position);
extern uint32_t mdr_gap_end(const MdrText *text, uint32_t start);
extern MdrStatus mdr_add_match(MdrWindow *window, MdrUseKind kind, MdrView view, uint32_t start, uint32_t end,
							   const MdrImageUse *use);

/* match_confirm.c: literal hits -> spans of the kinds given as bits; candidates of a kind -> spans.  In all views. */
extern MdrStatus mdr_confirm_literals(MdrWindow *window, uint32_t kinds);
extern MdrStatus mdr_confirm_patterns(MdrWindow *window, MdrUseKind kind);

/* match_near.c: spans -> findings: allowed phrases, co-occurrence, contexts */
extern MdrStatus mdr_settle(MdrWindow *window);

/* match_model.c: the window read by the models that the policy has */
extern void mdr_start_models(MdrWindow *window);
extern void mdr_read_models(MdrWindow *window);
/* Whether one of them speaks, of what was read so far, in a category that a context anywhere may excuse. */
extern bool mdr_models_ask_contexts(const MdrWindow *window);
/* What they make of the content, once all windows were read: the scan's opinions, and findings of the library's. */
extern MdrStatus mdr_finish_models(MdrWindow *window);
/* Then, with the scores of all others: the learned one's findings.  *added says whether there are any. */
extern MdrStatus mdr_finish_learned(MdrWindow *window, bool *added);
/* A score that the learned model moves by so much. */
extern float mdr_shift_score(float score, float shift);

/* match_findings.c */
extern MdrStatus mdr_add_finding(MdrWindow *window, MdrFinding finding);
/* Puts repeated findings together, applies contexts that count anywhere, keeps the gravest, and hands them to the scan. */
extern MdrStatus mdr_finish_findings(MdrWindow *window);

#endif							/* MDR_MATCH_ENGINE_H */
