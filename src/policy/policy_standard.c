/*
 * policy_standard.c
 *		The head's standards: lists of risks that a law or standard wants words for, and which of them a rule serves.
 *
 * Nothing of this changes what is found: it is what views policy_coverage and policy_standard count by.
 *
 * Input: nodes.  Output: standards and risks of reader->policy, indexes into risks, in reader->arena.  Locks: none.  On error the
 * reader's MdrError says where and why, and the policy is unfinished.
 */
#include "policy/policy_node.h"

#include <string.h>

#define NFIELDS(fields) ((int) (sizeof(fields) / sizeof(fields[0])))
#define MAX_WORDS 10000000		/* that a standard can ask for */

/* A risk's id is the standard's own numbering, so it may have capitals: A.1.g. */
static MdrStatus
read_risk_id(MdrReader *reader, const MdrNode *node, const char **id)
{
	MdrStatus	status = mdr_read_string(reader, node, "id", MDR_MAX_NAME, id);

	if (status != MDR_OK)
		return status;
	for (const char *p = *id; *p; p++)
		if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') && (p == *id || (!(*p >= '0' && *p <= '9') && strchr(".-_", *p) == NULL)))
			return mdr_reader_fail(reader, node->place,
								   "id of a risk must begin with a letter and go on with those, digits, or any of \".-_\"");
	return MDR_OK;
}

static MdrStatus
read_risk(MdrReader *reader, const MdrNode *node, uint32_t standard, MdrRisk *risk)
{
	MdrField	fields[] = {{"id", true}, {"clause", true}, {"words"}};
	MdrStatus	status = mdr_read_fields(reader, node, "risk", fields, NFIELDS(fields));
	int64_t		words = 0;

	*risk = (MdrRisk) {.standard = standard, .place = node->place};
	if (status == MDR_OK)
		status = read_risk_id(reader, fields[0].value, &risk->id);
	if (status == MDR_OK)
		status = mdr_read_clause(reader, fields[1].value, &risk->clause_en, &risk->clause_zh);
	if (status == MDR_OK && fields[2].value != NULL)
		status = mdr_read_integer(reader, fields[2].value, "words", 1, MAX_WORDS, &words);
	risk->words = (uint32_t) words;
	return status;
}

static MdrStatus
read_standard(MdrReader *reader, const MdrNode *node, MdrStandard *standard)
{
	MdrPolicy  *policy = reader->policy;
	MdrField	fields[] = {{"name", true}, {"language"}, {"words"}, {"renewed"}, {"risks", true}};
	MdrStatus	status = mdr_read_fields(reader, node, "standard", fields, NFIELDS(fields));
	const MdrNode *risks = fields[4].value;
	int64_t		words = 0;

	*standard = (MdrStandard) {.place = node->place};
	if (status == MDR_OK)
		status = mdr_read_string(reader, fields[0].value, "name", MDR_MAX_NAME, &standard->name);
	if (status == MDR_OK && fields[1].value != NULL)
		status = mdr_read_language(reader, fields[1].value, &standard->language);
	if (status == MDR_OK && fields[2].value != NULL)
		status = mdr_read_integer(reader, fields[2].value, "words", 1, MAX_WORDS, &words);
	standard->words = (uint32_t) words;
	if (status == MDR_OK && fields[3].value != NULL)
		status = mdr_read_duration(reader, fields[3].value, "renewed", -1, &standard->renewed);
	if (status == MDR_OK)
		status = mdr_read_sequence(reader, risks, "risks", MDR_MAX_RISKS);
	if (status == MDR_OK && policy->nrisks + risks->nitems > MDR_MAX_RISKS)
		status = mdr_reader_fail(reader, risks->place, "there are more than %d risks", MDR_MAX_RISKS);
	if (status == MDR_OK && risks->nitems == 0)
		status = mdr_reader_fail(reader, risks->place, "risks is empty");
	for (uint32_t i = 0; status == MDR_OK && i < risks->nitems; i++)
	{
		MdrRisk    *risk = &policy->risks[policy->nrisks];

		status = read_risk(reader, risks->items[i], policy->nstandards, risk);
		for (uint32_t j = 0; status == MDR_OK && j < policy->nrisks; j++)
			if (strcmp(policy->risks[j].id, risk->id) == 0)
				status = mdr_reader_fail(reader, risks->items[i]->place, "risk \"%s\" is given twice", risk->id);
		if (status == MDR_OK)
			policy->nrisks++;
	}
	return status;
}

MdrStatus
mdr_read_standards(MdrReader *reader, const MdrNode *node)
{
	MdrPolicy  *policy = reader->policy;
	MdrStatus	status = mdr_read_sequence(reader, node, "standards", MDR_MAX_STANDARDS);

	if (status != MDR_OK || node->nitems == 0)
		return status;
	policy->standards = mdr_alloc_array(reader->arena, node->nitems, sizeof(MdrStandard));
	policy->risks = mdr_alloc_array(reader->arena, MDR_MAX_RISKS, sizeof(MdrRisk));
	if (policy->standards == NULL || policy->risks == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		MdrStandard *standard = &policy->standards[i];

		status = read_standard(reader, node->items[i], standard);
		for (uint32_t j = 0; status == MDR_OK && j < i; j++)
			if (strcmp(policy->standards[j].name, standard->name) == 0)
				status = mdr_reader_fail(reader, node->items[i]->place, "standard \"%s\" is given twice", standard->name);
		if (status != MDR_OK)
			return status;
		policy->nstandards++;
	}
	return MDR_OK;
}

MdrStatus
mdr_read_risks(MdrReader *reader, const MdrNode *node, uint32_t **risks, uint32_t *nrisks)
{
	const MdrPolicy *policy = reader->policy;
	MdrStrings	names;
	MdrStatus	status = mdr_read_strings(reader, node, "risks", MDR_MAX_NAME, &names);

	if (status != MDR_OK)
		return status;
	*nrisks = names.count;
	*risks = mdr_alloc_array(reader->arena, names.count + 1, sizeof(uint32_t));
	if (*risks == NULL)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < names.count; i++)
	{
		uint32_t	r = 0;

		while (r < policy->nrisks && strcmp(policy->risks[r].id, names.items[i]) != 0)
			r++;
		if (r == policy->nrisks)
			return mdr_reader_fail(reader, names.places[i], "unknown risk \"%.60s\"", names.items[i]);
		for (uint32_t j = 0; j < i; j++)
			if ((*risks)[j] == r)
				return mdr_reader_fail(reader, names.places[i], "risk \"%s\" is named twice", names.items[i]);
		(*risks)[i] = r;
	}
	return MDR_OK;
}
