/*
 * model_built_in.c
 *		The model that is part of the library: a file, taken into its read-only data as it is, so that all processes share it and there
 *		is nothing to install, open or find.
 *
 * Input: the file, when this is compiled.  Output: the model.  Locks: none.  Memory: the library's.  On
 * error: NULL, when the file is of another version or the machine of another byte order.
 */
#include "model/model.h"

#define BUILT_IN "policies/terms-of-service.model"	/* from the folder that make runs in */

extern const char mdr_model_built_in_bytes[];
extern const char mdr_model_built_in_end[];

__asm__(".pushsection .rodata\n"
		".balign 64\n"
		".globl mdr_model_built_in_bytes\n"
		".hidden mdr_model_built_in_bytes\n"
		"mdr_model_built_in_bytes:\n"
		".incbin \"" BUILT_IN "\"\n"
		".globl mdr_model_built_in_end\n"
		".hidden mdr_model_built_in_end\n"
		"mdr_model_built_in_end:\n"
		".byte 0\n"
		".popsection\n");

const MdrModel *
mdr_model_built_in(void)
{
	static MdrModel model;

	if (model.header == NULL
		&& mdr_model_open(mdr_model_built_in_bytes, mdr_model_built_in_end - mdr_model_built_in_bytes, &model, NULL) != MDR_OK)
		return NULL;
	return &model;
}
