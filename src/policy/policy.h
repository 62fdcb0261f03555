/*
 * policy.h
 *		A policy document (YAML, format in policies/README.md) as a tree.
 *
 * mdr_policy_parse() reads and validates the document's form: names, types, ranges, references, duplicates.  It knows
 * nothing of matching; match/match.h compiles the tree.  The first error stops it and says file, line, column, rule and
 * reason.
 *
 * A document is a stream of YAML documents: the first is the head (policy, limits, ladder, words, contexts, standards, categories),
 * each further one carries the rules of one category, or a model that was learned from a site's own decisions.  A comment "# file: NAME" names the file that the following lines come
 * from; line numbers in errors count from that comment.
 *
 * Memory: the tree, including a copy of every string, belongs to the arena.
 */
#ifndef MDR_POLICY_H
#define MDR_POLICY_H

#include "base/base.h"

typedef enum MdrAction
{
	MDR_ALLOW = 0,
	MDR_FLAG,
	MDR_REDACT,
	MDR_QUARANTINE,
	MDR_REJECT
} MdrAction;

extern const char *mdr_action_name(MdrAction action);
extern bool mdr_action_parse(const char *name, MdrAction *action);

#define MDR_MAX_SEVERITY 3
#define MDR_MAX_CATEGORIES 64
#define MDR_MAX_FREEZES 8

/* A category's id and one of these is the id under which a model speaks; no rule may have it. */
#define MDR_MODEL_ID ".model"
#define MDR_LEARNED_ID ".learned"

#define MDR_MAX_SECONDS (36500 * INT64_C(86400))	/* the longest duration; "memory: forever" is this long */

/* Where in the document something stands: the line of the whole stream; mdr_policy_fail() makes it file and line. */
typedef struct MdrPlace
{
	int			line;
	int			column;
} MdrPlace;

/* A "# file: NAME" comment. */
typedef struct MdrFile
{
	const char *name;
	int			line;			/* of the comment, in the whole stream */
} MdrFile;

typedef struct MdrStrings
{
	uint32_t	count;
	const char **items;
	MdrPlace   *places;
} MdrStrings;

/* {name} in a term or pattern stands for any of a list's terms. */
typedef struct MdrWordList
{
	const char *name;
	MdrStrings	terms;
	MdrPlace	place;
} MdrWordList;

/* A context that excuses: what is said near a finding, e.g. "news" or "quotation". */
typedef struct MdrContext
{
	const char *id;
	const char *note;
	MdrStrings	terms;
	MdrStrings	patterns;
	int			within;			/* characters between finding and context; 0 = anywhere in the content */
	float		factor;			/* what is left of the finding's weight, 0 = excused */
	MdrPlace	place;
} MdrContext;

typedef enum MdrEvidence
{
	MDR_EVIDENCE_HASH,			/* only the hash of refused content is kept */
	MDR_EVIDENCE_CONTENT		/* refused content is preserved as evidence */
} MdrEvidence;

/* A law or standard that asks for words against each of its risks; nothing of it changes what is found. */
typedef struct MdrStandard
{
	const char *name;
	const char *language;		/* only the words of rules of this language, and of "any", count; NULL = all do */
	uint32_t	words;			/* asked for in all; 0 = no number */
	int64_t		renewed;		/* seconds after which words must have changed; 0 = never */
	MdrPlace	place;
} MdrStandard;

typedef struct MdrRisk
{
	const char *id;
	uint32_t	standard;		/* index */
	const char *clause_en;
	const char *clause_zh;
	uint32_t	words;			/* asked for; 0 = no number */
	MdrPlace	place;
} MdrRisk;

#define MDR_SUSPEND_NEVER (MDR_MAX_SEVERITY + 1)

typedef struct MdrCategory
{
	const char *id;
	const char *clause_en;
	const char *clause_zh;
	float		flag_at;		/* score from which the content is flagged */
	float		act_at;			/* score from which the severity's action is taken */
	MdrAction	actions[MDR_MAX_SEVERITY + 1];	/* by severity */
	bool		strike;			/* refused content counts against the account */
	int			suspend_from;	/* severity from which the account is suspended at once; MDR_SUSPEND_NEVER */
	MdrEvidence evidence;
	float		model;			/* the most that the learned model alone can give, 0..1; 0 = it is silent here */
	uint32_t   *unless;			/* indexes of contexts that excuse by default */
	uint32_t	nunless;
	uint32_t   *risks;			/* indexes of risks that the rules serve by default */
	uint32_t	nrisks;
	MdrPlace	place;
} MdrCategory;

typedef struct MdrRule
{
	const char *id;
	uint32_t	category;		/* index */
	const char *language;		/* BCP 47, or "any" */
	float		weight;			/* (0, 1] */
	int			severity;
	const char *note;
	MdrStrings	terms;			/* each a term in its own right */
	MdrStrings	patterns;		/* PCRE2, on folded text */
	MdrStrings *all_of;			/* co-occurrence: one of each group, within `within` characters */
	uint32_t	nall_of;
	int			within;
	bool		ordered;		/* groups must come in the given order */
	bool		sentence;		/* no sentence may end between them */
	uint32_t   *unless;			/* indexes of contexts; the category's when the rule names none */
	uint32_t	nunless;
	uint32_t   *risks;			/* indexes of risks; the category's when the rule names none */
	uint32_t	nrisks;
	MdrStrings	allow;			/* phrases that contain a term and are harmless; longest match wins */
	uint32_t	views;			/* bit (1 << MdrView) */
	MdrStrings	hits;			/* examples that this rule must find */
	MdrStrings	misses;			/* examples that this rule must not find */
	MdrPlace	place;
} MdrRule;

/* Policy data for the ladder of sanctions; durations in seconds, 0 in freezes[] = for good. */
typedef struct MdrLadder
{
	int			in_a_row;		/* refused contents in a row that freeze; 0 = off */
	int			within_count;	/* refused contents within within_period that freeze; 0 = off */
	int64_t		within_period;
	int64_t		freezes[MDR_MAX_FREEZES];	/* first, second, ... freeze; the last repeats */
	int			nfreezes;
	int64_t		memory;			/* earlier freezes count for this long */
} MdrLadder;

/* A model that a site learned from its own decisions; it corrects the scores of these categories. */
typedef struct MdrLearned
{
	uint32_t   *categories;		/* indexes */
	uint32_t	ncategories;
	int64_t		examples;		/* decisions that it was learned from */
	char	   *bytes;			/* for mdr_model_open(), aligned to 16; NULL when there is none */
	size_t		length;
	MdrPlace	place;
} MdrLearned;

typedef struct MdrPolicy
{
	const char *name;
	const char *description;
	int64_t		max_bytes;		/* longer content is unknown */
	MdrAction	on_unknown;		/* reject, quarantine or flag */
	uint32_t	views;			/* views switched on, bit (1 << MdrView) */
	bool		model;			/* the library's learned model speaks, too */
	MdrLadder	ladder;
	MdrWordList *lists;
	uint32_t	nlists;
	MdrContext *contexts;
	uint32_t	ncontexts;
	MdrStandard *standards;
	uint32_t	nstandards;
	MdrRisk    *risks;			/* of all standards; ids are unique */
	uint32_t	nrisks;
	MdrStrings	allow;			/* phrases harmless in every category */
	MdrCategory *categories;
	uint32_t	ncategories;
	MdrRule    *rules;
	uint32_t	nrules;
	MdrLearned	learned;
	MdrFile    *files;			/* in order of line */
	uint32_t	nfiles;
	uint32_t   *lists_by_name;	/* indexes of lists, sorted by name */
} MdrPolicy;

/* MDR_OK, MDR_INVALID, MDR_INTERRUPTED (interrupted may be NULL) or MDR_NO_MEMORY, with *error filled. */
extern MdrStatus mdr_policy_parse(MdrArena *arena, const char *document, size_t length, MdrInterrupted interrupted, void *context,
								  MdrPolicy **policy, MdrError *error);

/*
 * The document with the learned model given in the place of the one that it has, if it has one; nbytes = 0: with none.  categories: their
 * ids; examples: 1 or more.  *out has no terminating zero and belongs to the arena.  MDR_OK, MDR_NO_MEMORY, or what
 * mdr_policy_parse() says of a document that is not one.
 */
extern MdrStatus mdr_policy_with_learned(MdrArena *arena, const char *document, size_t length, const char *const *categories,
										 uint32_t ncategories, int64_t examples, const char *bytes, size_t nbytes, char **out,
										 size_t *out_length, MdrError *error);

/*
 * For stages that find fault with a tree: fills *error (may be NULL) with the file and line of the place, the rule (may be
 * NULL) and the message, and returns status.
 */
extern MdrStatus mdr_policy_fail(const MdrPolicy *policy, MdrError *error, MdrStatus status, MdrPlace place,
								 const char *rule, const char *format,...) __attribute__((format(printf, 6, 7)));

/* The list of that name, or NULL. */
extern const MdrWordList *mdr_policy_list(const MdrPolicy *policy, const char *name, size_t length);

/*
 * The first {name} in text at or after from: *start is the position of the brace, *end the position after the closing one.
 * pattern: a brace after a backslash and a letter is the escape's own, as in \p{..}.
 */
extern bool mdr_policy_reference(const char *text, size_t from, bool pattern, size_t *start, size_t *end);

#endif							/* MDR_POLICY_H */
