/*
 * match_pcre.h
 *		PCRE2 as this stage uses it: its own memory, its own limits, nothing global.  Private to the stage.
 */
#ifndef MDR_MATCH_PCRE_H
#define MDR_MATCH_PCRE_H

#ifndef PCRE2_CODE_UNIT_WIDTH
#define PCRE2_CODE_UNIT_WIDTH 8
#endif

#include "base/base.h"

#include <pcre2.h>

/* Limits of one match attempt at one position; beyond them the content is unknown. */
#define MDR_MATCH_LIMIT 100000
#define MDR_HEAP_LIMIT 4096		/* KB */
#define MDR_JIT_STACK 524288	/* bytes at most */

#define MDR_MAX_COMPILED 262144 /* bytes of one pattern as PCRE2 compiles it, and of its machine code */

typedef struct MdrPcre
{
	pcre2_general_context *general;
	pcre2_compile_context *compile;
	pcre2_match_context *match;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
} MdrPcre;

/* false when out of memory; then nothing is held. */
extern bool mdr_pcre_open(MdrPcre *pcre);
extern void mdr_pcre_close(MdrPcre *pcre);	/* also of a zeroed one */

/* Compiles folded pattern text, with machine code where the processor has a JIT.  NULL with PCRE2's number and offset. */
extern pcre2_code *mdr_pcre_compile(const MdrPcre *pcre, const char *pattern, int *number, PCRE2_SIZE *offset);

#endif							/* MDR_MATCH_PCRE_H */
