/*
 * match_compile.h
 *		What the files that compile a policy share.  Private to the stage.
 */
#ifndef MDR_MATCH_COMPILE_H
#define MDR_MATCH_COMPILE_H

#include "match/match_image.h"

/* Bounds on what a policy may come to. */
#define MDR_MAX_SCRATCH ((size_t) 1024 * 1024 * 1024)	/* bytes while compiling: many patterns of many words each come to more */
#define MDR_MAX_TERMS 20000		/* of one rule, after lists were expanded */
#define MDR_MAX_LITERALS 1000000	/* of a policy, in all views */
#define MDR_MAX_PATTERNS 50000	/* of a policy */
#define MDR_MAX_ALWAYS 32		/* patterns that no literal announces */
#define MDR_MAX_SPELT 524288	/* bytes of one pattern with its lists' words: what is longer compiles to more than MDR_MAX_COMPILED */
#define MDR_MAX_REPEAT 250		/* upper bound of a repeat in a pattern */
#define MDR_MAX_ID 160			/* bytes of a category's id with what makes it a model's */
#define MDR_MODEL_SEVERITY 1	/* of what a model says */
#define MDR_STAR_REPEAT 20		/* letters that a list word's * stands for in a pattern, or inside a term */

/* Bytes that grow. */
typedef struct MdrBuffer
{
	MdrArena   *arena;
	char	   *bytes;
	size_t		length;
	size_t		capacity;
	bool		failed;			/* out of memory; further appends do nothing */
} MdrBuffer;

extern void mdr_buffer_append(MdrBuffer *buffer, const void *bytes, size_t length);
extern void mdr_buffer_byte(MdrBuffer *buffer, char byte);

/* A literal to look for and one use of it, before equal literals are put together. */
typedef struct MdrTermUse
{
	const char *literal;
	uint32_t	length;
	MdrImageUse use;
} MdrTermUse;

typedef struct MdrTermUses
{
	MdrTermUse *items;
	uint32_t	count;
	uint32_t	capacity;
} MdrTermUses;

typedef struct MdrCompiler
{
	const MdrPolicy *policy;
	MdrArena   *scratch;		/* gone when the compile is over */
	MdrError   *error;
	MdrBuffer	strings;
	MdrTermUses uses;
	MdrImageRule *rules;		/* the policy's, then those as which models speak */
	uint32_t	nrules;
	MdrImageCategory *categories;
	MdrImagePattern *patterns;
	uint32_t	npatterns;
	const MdrPlace **pattern_places;
	MdrImageLiteral *literals;
	uint32_t	nliterals;
	MdrImageUse *unique_uses;
	uint32_t	nuses;
	MdrImageChoice *always;
	uint32_t	nalways;
	MdrImageSet *sets;
	uint32_t	nsets;
	MdrImageChoice *set_patterns;
	uint32_t	nset_patterns;
	MdrImageTemplate *templates;
	uint32_t	ntemplates;
	uint32_t	template_capacity;
	MdrInterrupted interrupted; /* may be NULL */
	void	   *context;
	uint32_t	steps;			/* since the compile began */
	MdrIndexSizes sizes;
	MdrImageRun *runs;
	MdrImageRun *shorts;
	uint64_t   *bitmaps;
	uint64_t   *heads;
} MdrCompiler;

extern MdrStatus mdr_compile_no_memory(MdrCompiler *compiler);

/*
 * Asks the interrupt, at every `every`th call; MDR_OK, or MDR_INTERRUPTED with the error filled.  Between two that ask there may
 * be a pattern, or work for a few milliseconds.
 */
extern MdrStatus mdr_compile_look(MdrCompiler *compiler, uint32_t every);
/* mdr_sort() with the error filled. */
extern MdrStatus mdr_compile_sort(MdrCompiler *compiler, void *items, size_t count, size_t size,
								  int (*compare) (const void *left, const void *right));
extern MdrStatus mdr_compile_refuse(MdrCompiler *compiler, MdrPlace place, const char *rule, const char *format,...)
			__attribute__((format(printf, 4, 5)));
/* Adds a string; its offset, or UINT32_MAX when out of memory. */
extern uint32_t mdr_compile_string(MdrCompiler *compiler, const char *bytes, size_t length);

/* match_terms.c: terms with lists -> literals and their uses; then, when patterns have added theirs, one of each */
extern MdrStatus mdr_compile_terms(MdrCompiler *compiler);
extern MdrStatus mdr_compile_literals(MdrCompiler *compiler);
/* Adds a literal that announces patterns; flags: MDR_LEFT when it always begins a word. */
extern MdrStatus mdr_compile_announcer(MdrCompiler *compiler, uint32_t views, const char *literal, uint32_t length, uint32_t set,
									   unsigned flags, MdrPlace place);
/* match_lay_index.c: the index by which the literals are found */
extern MdrStatus mdr_lay_index(MdrCompiler *compiler);
/* match_patterns.c: patterns -> two spellings in PCRE2, refused when dangerous; the sets that announce them */
extern MdrStatus mdr_compile_patterns(MdrCompiler *compiler);
/* match_spelling.c: one pattern as it is to be compiled.  view: plain or leet. */
extern MdrStatus mdr_compile_spelling(MdrCompiler *compiler, const char *pattern, MdrPlace place, const char *rule, MdrView view,
									  MdrBuffer *out);

/* Literals one of which every match contains. */
typedef struct MdrSet
{
	uint32_t	count;
	uint32_t	capacity;
	float		most;			/* how often the commonest stands in a paragraph; above 1 when it is too short to be looked for */
	float		sum;			/* of all */
	bool		left;			/* each begins a word */
	const char **strings;
	uint32_t   *lengths;
} MdrSet;

#define MDR_MAX_SETS 3			/* of a pattern */
#define MDR_MAX_SET 4096		/* literals in a set */
#define MDR_SHORTEST 2			/* bytes of the shortest literal worth looking for */

/* match_frequency.c: how often a literal stands in a paragraph, roughly; above 1 when it is too short to be looked for. */
extern float mdr_filter_frequency(const char *string, uint32_t length);

/*
 * match_filter.c: the sets of literals that announce a pattern, in the spelling given, best first.  A pattern that has none
 * gets *nsets = 0.  wanted: how many there should be, 0 for as many as pay.  MDR_OK or MDR_NO_MEMORY.
 */
extern MdrStatus mdr_filter_sets(MdrArena *arena, const char *pattern, uint32_t wanted, MdrSet *sets, uint32_t *nsets);

#endif							/* MDR_MATCH_COMPILE_H */
