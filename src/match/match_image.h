/*
 * match_image.h
 *		How a compiled policy lies in memory: one block, no pointers, every position an offset.  Private to the stage.
 *
 * A header, then sections, each 16-byte aligned.  Strings are offsets into MDR_STRINGS and end with a zero byte; offset 0 is
 * the empty string.
 */
#ifndef MDR_MATCH_IMAGE_H
#define MDR_MATCH_IMAGE_H

#include "match/match_index.h"

#define MDR_IMAGE_MAGIC "MDRIMAGE"
#define MDR_IMAGE_FORMAT 2
#define MDR_BYTE_ORDER 0x01020304u

/* Views in which patterns are looked for, each with a spelling of its own: plain, leet, joined. */
#define MDR_NSPELLINGS 3

typedef enum MdrSection
{
	MDR_STRINGS,
	MDR_CATEGORIES,
	MDR_CONTEXTS,
	MDR_RULES,
	MDR_PATTERNS,
	MDR_ALWAYS,					/* patterns that no literal announces */
	MDR_LITERALS,
	MDR_USES,
	MDR_SETS,
	MDR_SET_PATTERNS,
	MDR_TEMPLATES,
	MDR_RUNS,
	MDR_SHORTS,
	MDR_BITMAPS,
	MDR_HEADS,
	MDR_LEARNED,				/* a learned model's bytes, if the policy has one */
	MDR_NSECTIONS
} MdrSection;

typedef struct MdrSectionEntry
{
	uint64_t	offset;			/* from the start of the image */
	uint64_t	count;			/* of records; bytes for strings and databases */
} MdrSectionEntry;

typedef struct MdrImageHeader
{
	char		magic[8];
	uint64_t	checksum;		/* of the whole image with this field zero */
	uint64_t	length;
	uint32_t	format;
	uint32_t	fold_version;
	char		pcre2_version[48];	/* which accepted the patterns */
	uint64_t	model_heads;	/* mdr_image_model_heads() when the library's model speaks, 0 when not */
	uint32_t	byte_order;		/* MDR_BYTE_ORDER as this machine writes it */
	uint32_t	name;			/* string */
	int64_t		max_bytes;
	uint32_t	on_unknown;
	uint32_t	views;
	MdrLadder	ladder;
	MdrIndexSizes sizes;
	uint32_t	unused;			/* zero, as no byte of an image may be left to chance */
	MdrSectionEntry sections[MDR_NSECTIONS];
} MdrImageHeader;

typedef struct MdrImageCategory
{
	uint64_t	unless;			/* bit (1 << context): what excuses when the rule says nothing else, and for the model */
	uint32_t	id;
	uint32_t	clause_en;
	uint32_t	clause_zh;
	float		flag_at;
	float		act_at;
	uint32_t	actions[MDR_MAX_SEVERITY + 1];
	uint32_t	strike;
	int32_t		suspend_from;
	uint32_t	evidence;
	float		model;			/* the most that the library's model can give */
	uint32_t	model_rule;		/* the rule as which it speaks, or MDR_NO_RULE */
	uint32_t	learned_rule;	/* the same for the learned model */
	uint32_t	unused;
} MdrImageCategory;

#define MDR_NO_RULE UINT32_MAX

typedef struct MdrImageContext
{
	uint32_t	id;
	uint32_t	within;
	float		factor;
} MdrImageContext;

typedef struct MdrImageRule
{
	uint64_t	unless;			/* bit (1 << context) */
	uint32_t	id;
	uint32_t	language;
	uint32_t	note;
	uint32_t	category;
	uint32_t	speaker;		/* MdrSpeaker */
	float		weight;
	uint32_t	severity;
	uint32_t	within;
	uint32_t	ngroups;
	uint32_t	ordered;
	uint32_t	sentence;
	uint32_t	views;
	uint32_t	nterms;
	uint32_t	npatterns;
	uint32_t	nhits;
	uint32_t	nmisses;
} MdrImageRule;

_Static_assert(offsetof(MdrImageHeader, sections) == offsetof(MdrImageHeader, unused) + 4 &&
			   sizeof(MdrImageCategory) == offsetof(MdrImageCategory, unused) + 4 &&
			   sizeof(MdrImageRule) == offsetof(MdrImageRule, nmisses) + 4, "nothing lies between members");

/* What a literal or a pattern is to whom. */
typedef enum MdrUseKind
{
	MDR_USE_TERM,				/* a finding of rule `owner` */
	MDR_USE_MEMBER,				/* a word of group `group` of rule `owner`'s all_of */
	MDR_USE_CONTEXT,			/* a sign of context `owner` */
	MDR_USE_ALLOW,				/* a phrase harmless to rule `owner`, or to all when that is MDR_EVERYONE */
	MDR_USE_SET,				/* one of set `owner`: announces the patterns that need one of the set */
	MDR_USE_PART				/* part `group` of template `owner` */
} MdrUseKind;

#define MDR_EVERYONE UINT32_MAX

#define MDR_LEFT 1				/* a word must begin at the left end */
#define MDR_RIGHT 2				/* a word must end at the right end */
#define MDR_WHOLE 4				/* may not straddle words of a script without spaces */
#define MDR_AFTER_SIGN 8		/* what it follows is no letter or digit; a word need not begin here in every view */

/* A literal's use; in which views is a part of it, since most terms are the same literal in most views. */
typedef struct MdrImageUse
{
	uint32_t	owner;
	uint32_t	tail;			/* string: what must follow after the rest of a word; parts begin with MDR_GAP */
	uint8_t		kind;
	uint8_t		group;
	uint8_t		flags;
	uint8_t		views;			/* bit (1 << MdrView) */
} MdrImageUse;

/* In a tail: "the rest of a word goes here". */
#define MDR_GAP '\001'

typedef struct MdrImagePattern
{
	uint32_t	owner;
	uint32_t	kind;			/* MDR_USE_TERM or MDR_USE_CONTEXT */
	uint32_t	views;			/* in which it is looked for */
	uint32_t	nsets;			/* how many sets must be seen before it is tried; the same in every view */
	uint32_t	flags;			/* MDR_LEFT, MDR_RIGHT: it begins or ends with \b, which the joined view's spelling has not */
	uint32_t	text[MDR_NSPELLINGS];	/* strings, PCRE2, by view */
} MdrImagePattern;

/*
 * A term of several lists, "ask {how} to {verb} {whom}", is not every combination but parts that must follow one another
 * without a gap: "ask {how} to ", "{verb} ", "{whom}".
 */
typedef struct MdrImageTemplate
{
	uint32_t	owner;			/* rule */
	uint32_t	kind;			/* MDR_USE_TERM or MDR_USE_MEMBER */
	uint32_t	group;
	uint32_t	nparts;
	uint32_t	flags;			/* MDR_WHOLE */
} MdrImageTemplate;

#define MDR_MAX_PARTS 8

/* A pattern, and the views in which it is meant. */
typedef struct MdrImageChoice
{
	uint32_t	pattern;
	uint32_t	views;
} MdrImageChoice;

/* Literals one of which stands in every match of set_patterns[first .. first + count). */
typedef struct MdrImageSet
{
	uint32_t	first;
	uint32_t	count;
} MdrImageSet;

/* match_image.c */
extern uint64_t mdr_image_checksum(const char *image, size_t length);
extern void mdr_image_versions(MdrImageHeader *header);
/* A hash of the names of the library's model's heads, never 0. */
extern uint64_t mdr_image_model_heads(void);
/* Whether the image was made by these versions and is whole; every offset and index in it may be followed afterwards. */
extern MdrStatus mdr_image_check(const char *image, size_t length, MdrError *error);

#endif							/* MDR_MATCH_IMAGE_H */
