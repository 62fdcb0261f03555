/*
 * policy_value.c
 *		YAML nodes -> checked values: text, names, numbers, durations, lists.
 *
 * Input: nodes of policy_stream.c.  Output: values; text is copied into reader->arena.  Locks: none.  On error the reader's
 * MdrError says where and why, and the value is undefined.
 */
#include "policy/policy_node.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"text", "a list", "a mapping"};

static MdrStatus
wrong_kind(MdrReader *reader, const MdrNode *node, const char *what, MdrNodeKind wanted)
{
	if (wanted == MDR_SCALAR && node->kind == MDR_MAPPING)
		return mdr_reader_fail(reader, node->place,
							   "%s must be text and is a mapping; quote a text that begins with { or contains \": \"", what);
	return mdr_reader_fail(reader, node->place, "%s must be %s and is %s", what, kinds[wanted],
						   node->kind == MDR_SCALAR && node->length == 0 ? "empty" : kinds[node->kind]);
}

MdrStatus
mdr_read_fields(MdrReader *reader, const MdrNode *node, const char *what, MdrField *fields, int nfields)
{
	if (node->kind != MDR_MAPPING)
		return wrong_kind(reader, node, what, MDR_MAPPING);
	for (uint32_t i = 0; i < node->nitems; i += 2)
	{
		const MdrNode *key = node->items[i];
		int			f = 0;

		while (f < nfields && strcmp(fields[f].key, key->text) != 0)
			f++;
		if (f == nfields)
			return mdr_reader_fail(reader, key->place, "unknown key \"%.60s\" in %s", key->text, what);
		if (fields[f].value != NULL)
			return mdr_reader_fail(reader, key->place, "key \"%s\" is given twice in %s", key->text, what);
		fields[f].value = node->items[i + 1];
	}
	for (int f = 0; f < nfields; f++)
		if (fields[f].required && fields[f].value == NULL)
			return mdr_reader_fail(reader, node->place, "%s has no \"%s\"", what, fields[f].key);
	return MDR_OK;
}

MdrStatus
mdr_read_sequence(MdrReader *reader, const MdrNode *node, const char *what, uint32_t max)
{
	if (node->kind != MDR_SEQUENCE)
		return wrong_kind(reader, node, what, MDR_SEQUENCE);
	if (node->nitems > max)
		return mdr_reader_fail(reader, node->place, "%s has %u items, more than %u", what, node->nitems, max);
	return MDR_OK;
}

MdrStatus
mdr_read_string(MdrReader *reader, const MdrNode *node, const char *what, size_t max, const char **value)
{
	if (mdr_reader_interrupted(reader))
		return mdr_reader_stop(reader);
	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	if (strspn(node->text, " \t\r\n") == node->length)
		return mdr_reader_fail(reader, node->place, "%s is empty", what);
	if (node->length > max)
		return mdr_reader_fail(reader, node->place, "%s is longer than %zu bytes", what, max);
	*value = mdr_strndup(reader->arena, node->text, node->length);
	return *value != NULL ? MDR_OK : mdr_reader_no_memory(reader);
}

/* A name: a lower-case letter, then lower-case letters, digits, and the characters of extra. */
MdrStatus
mdr_read_name(MdrReader *reader, const MdrNode *node, const char *what, const char *extra, const char **name)
{
	MdrStatus	status = mdr_read_string(reader, node, what, MDR_MAX_NAME, name);

	if (status != MDR_OK)
		return status;
	for (const char *p = *name; *p; p++)
	{
		bool		letter = *p >= 'a' && *p <= 'z';

		if (!letter && (p == *name || (!(*p >= '0' && *p <= '9') && strchr(extra, *p) == NULL)))
			return mdr_reader_fail(reader, node->place,
								   "%s must begin with a lower-case letter and go on with those, digits, or any of \"%s\"",
								   what, extra);
	}
	return MDR_OK;
}

MdrStatus
mdr_read_integer(MdrReader *reader, const MdrNode *node, const char *what, int64_t min, int64_t max, int64_t *value)
{
	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	if (node->length == 0 || node->length > 12 || strspn(node->text, "0123456789") != node->length)
		return mdr_reader_fail(reader, node->place, "%s must be a whole number", what);
	*value = strtoll(node->text, NULL, 10);
	if (*value < min || *value > max)
		return mdr_reader_fail(reader, node->place, "%s must be between %lld and %lld", what, (long long) min,
							   (long long) max);
	return MDR_OK;
}

/* Read by hand, since strtod() depends on the locale. */
MdrStatus
mdr_read_fraction(MdrReader *reader, const MdrNode *node, const char *what, bool zero, float *value)
{
	double		number = 0,
				unit = 1;
	const char *p;
	int			digits = 0;

	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	p = node->text;
	for (; *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
		number = number * 10 + (*p - '0');
	if (*p == '.')
		for (p++; *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
			number += (*p - '0') * (unit /= 10);
	if (digits == 0 || *p != '\0')
		return mdr_reader_fail(reader, node->place, "%s must be a decimal number such as 0.7", what);
	*value = (float) number;
	if (*value > 1 || (*value == 0 && !zero))
		return mdr_reader_fail(reader, node->place, "%s must be %s and at most 1", what, zero ? "at least 0" : "above 0");
	return MDR_OK;
}

MdrStatus
mdr_read_boolean(MdrReader *reader, const MdrNode *node, const char *what, bool *value)
{
	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	*value = strcmp(node->text, "true") == 0;
	if (!*value && strcmp(node->text, "false") != 0)
		return mdr_reader_fail(reader, node->place, "%s must be true or false", what);
	return MDR_OK;
}

MdrStatus
mdr_read_action(MdrReader *reader, const MdrNode *node, const char *what, MdrAction *value)
{
	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	if (!mdr_action_parse(node->text, value))
		return mdr_reader_fail(reader, node->place, "%s must be allow, flag, redact, quarantine or reject", what);
	return MDR_OK;
}

MdrStatus
mdr_read_duration(MdrReader *reader, const MdrNode *node, const char *what, int64_t forever, int64_t *seconds)
{
	static const struct
	{
		const char *name;
		int64_t		seconds;
	}			units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 7 * 86400}};
	const char *p;
	int64_t		number = 0;

	if (node->kind != MDR_SCALAR)
		return wrong_kind(reader, node, what, MDR_SCALAR);
	if (forever >= 0 && strcmp(node->text, "forever") == 0)
	{
		*seconds = forever;
		return MDR_OK;
	}
	p = node->text;
	for (; *p >= '0' && *p <= '9' && p - node->text < 9; p++)
		number = number * 10 + (*p - '0');
	if (p > node->text && *p == ' ')
		for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++)
		{
			size_t		length = strlen(units[u].name);

			if (strncmp(p + 1, units[u].name, length) != 0 || strcmp(p + 1 + length + (p[1 + length] == 's'), "") != 0)
				continue;
			*seconds = number * units[u].seconds;
			if (number < 1 || *seconds > MDR_MAX_SECONDS)
				return mdr_reader_fail(reader, node->place, "%s must be between 1 second and 36500 days", what);
			return MDR_OK;
		}
	return mdr_reader_fail(reader, node->place, "%s must be a duration such as \"24 hours\" or \"7 days\"%s", what,
						   forever >= 0 ? ", or forever" : "");
}

MdrStatus
mdr_read_strings(MdrReader *reader, const MdrNode *node, const char *what, size_t max, MdrStrings *strings)
{
	MdrStatus	status = mdr_read_sequence(reader, node, what, UINT32_MAX);
	char		item[64];

	if (status != MDR_OK)
		return status;
	snprintf(item, sizeof(item), "item of %s", what);
	strings->items = mdr_alloc_array(reader->arena, node->nitems, sizeof(char *));
	strings->places = mdr_alloc_array(reader->arena, node->nitems, sizeof(MdrPlace));
	if (node->nitems > 0 && (strings->items == NULL || strings->places == NULL))
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		status = mdr_read_string(reader, node->items[i], item, max, &strings->items[i]);
		if (status != MDR_OK)
			return status;
		strings->places[i] = node->items[i]->place;
	}
	strings->count = node->nitems;
	return MDR_OK;
}

MdrStatus
mdr_read_views(MdrReader *reader, const MdrNode *node, uint32_t *views)
{
	static const char *const names[MDR_NVIEWS] = {"plain", "leet", "joined", "squeezed"};
	MdrStatus	status = mdr_read_sequence(reader, node, "views", MDR_NVIEWS);

	*views = 1u << MDR_VIEW_PLAIN;
	for (uint32_t i = 0; status == MDR_OK && i < node->nitems; i++)
	{
		const MdrNode *item = node->items[i];
		int			v = 0;

		if (item->kind != MDR_SCALAR)
			return wrong_kind(reader, item, "item of views", MDR_SCALAR);
		while (v < MDR_NVIEWS && strcmp(names[v], item->text) != 0)
			v++;
		if (v == MDR_NVIEWS)
			return mdr_reader_fail(reader, item->place, "unknown view \"%.60s\"; there are plain, leet, joined and squeezed",
								   item->text);
		*views |= 1u << v;
	}
	return status;
}

MdrStatus
mdr_read_unless(MdrReader *reader, const MdrNode *node, uint32_t **unless, uint32_t *nunless)
{
	const MdrPolicy *policy = reader->policy;
	MdrStatus	status = mdr_read_sequence(reader, node, "unless", MDR_MAX_CONTEXTS);

	if (status != MDR_OK)
		return status;
	*nunless = node->nitems;
	*unless = mdr_alloc_array(reader->arena, node->nitems, sizeof(uint32_t));
	if (*unless == NULL && node->nitems > 0)
		return mdr_reader_no_memory(reader);
	for (uint32_t i = 0; i < node->nitems; i++)
	{
		const MdrNode *item = node->items[i];
		uint32_t	c = 0;

		if (item->kind != MDR_SCALAR)
			return wrong_kind(reader, item, "item of unless", MDR_SCALAR);
		while (c < policy->ncontexts && strcmp(policy->contexts[c].id, item->text) != 0)
			c++;
		if (c == policy->ncontexts)
			return mdr_reader_fail(reader, item->place, "unknown context \"%.60s\"", item->text);
		for (uint32_t j = 0; j < i; j++)
			if ((*unless)[j] == c)
				return mdr_reader_fail(reader, item->place, "context \"%s\" is named twice", item->text);
		(*unless)[i] = c;
	}
	return MDR_OK;
}

/* BCP 47 as far as its form goes (RFC 5646, 2.1): subtags of letters and digits; or any. */
MdrStatus
mdr_read_language(MdrReader *reader, const MdrNode *node, const char **language)
{
	MdrStatus	status = mdr_read_string(reader, node, "language", 35, language);
	int			length = 0;
	bool		first = true;

	if (status != MDR_OK)
		return status;
	for (const char *p = *language;; p++)
	{
		if (*p != '\0' && *p != '-')
		{
			bool		letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');

			if (++length > 8 || !(letter || (!first && *p >= '0' && *p <= '9')))
				break;
			continue;
		}
		if (length < (first ? 2 : 1))
			break;
		if (*p == '\0')
			return MDR_OK;
		length = 0;
		first = false;
	}
	return mdr_reader_fail(reader, node->place, "language must be a BCP 47 tag such as en or zh-Hant, or any");
}
