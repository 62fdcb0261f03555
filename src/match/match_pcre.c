/*
 * match_pcre.c
 *		Opens and closes PCRE2 with a general context on plain malloc, and limits on every match.
 *
 * Input: pattern text.  Output: codes, owned by the caller.  Locks: none.  Memory: PCRE2's, from malloc; freed by
 * mdr_pcre_close and pcre2_code_free.  Errors: NULL or false, never a longjmp.
 */
#include "match/match_pcre.h"

#include <string.h>

bool
mdr_pcre_open(MdrPcre *pcre)
{
	memset(pcre, 0, sizeof(*pcre));
	pcre->general = pcre2_general_context_create(NULL, NULL, NULL);
	if (pcre->general != NULL)
	{
		pcre->compile = pcre2_compile_context_create(pcre->general);
		pcre->match = pcre2_match_context_create(pcre->general);
		pcre->data = pcre2_match_data_create(1, pcre->general);
		pcre->stack = pcre2_jit_stack_create(32768, MDR_JIT_STACK, pcre->general);
	}
	if (pcre->compile == NULL || pcre->match == NULL || pcre->data == NULL || pcre->stack == NULL)
	{
		mdr_pcre_close(pcre);
		return false;
	}
	pcre2_set_match_limit(pcre->match, MDR_MATCH_LIMIT);
	pcre2_set_heap_limit(pcre->match, MDR_HEAP_LIMIT);
	pcre2_jit_stack_assign(pcre->match, NULL, pcre->stack);
	return true;
}

void
mdr_pcre_close(MdrPcre *pcre)
{
	pcre2_jit_stack_free(pcre->stack);
	pcre2_match_data_free(pcre->data);
	pcre2_match_context_free(pcre->match);
	pcre2_compile_context_free(pcre->compile);
	pcre2_general_context_free(pcre->general);
	memset(pcre, 0, sizeof(*pcre));
}

pcre2_code *
mdr_pcre_compile(const MdrPcre *pcre, const char *pattern, int *number, PCRE2_SIZE *offset)
{
	pcre2_code *code = pcre2_compile((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED,
									 PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT, number, offset,
									 pcre->compile);

	size_t		size = 0;

	/*
	 * Without machine code (no JIT on this processor, or forbidden by the system) PCRE2 interprets under the same limits.  For what
	 * is too large anyhow it would take long to make.
	 */
	if (code != NULL && pcre2_pattern_info(code, PCRE2_INFO_SIZE, &size) == 0 && size <= MDR_MAX_COMPILED)
		pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	return code;
}
