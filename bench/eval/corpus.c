/*
 * corpus.c
 *		Reads sets of labelled texts: files of JSON, one object a line.
 *
 *	{"id": "x-1", "text": "...", "lang": "en", "labels": {"hate": 1, "benign": 0}}
 *
 * A text is positive for a category when its label says 1; negative when it says 0, or when the text is labelled benign and nothing
 * else is said; otherwise it does not count for the category.
 *
 * Input: files, folders of .jsonl files.  Output: a corpus.  Locks: none.  Memory: the corpus' arena.  On error: the program ends.
 */
#include "eval.h"

#include <errno.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names that public sets' labels have, and the policy's categories. */
static const struct
{
	const char *key;
	const char *category;
}			names[] = {
	{"sexual", "pornography"}, {"sexual_minors", "child_sexual_exploitation"}, {"grooming", "child_grooming"},
	{"trafficking", "human_trafficking"}, {"gore", "graphic_violence"}, {"misinformation", "deception"},
	{"impersonation_fraud", "inauthentic"}, {"malware_cyber", "cyber_attack"}, {"political_sensitive", "politics"},
	{"illicit_other", "illegal_activity"}
};

int
category_of(const MdrEngine *engine, const char *key)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].key, key) == 0)
			key = names[i].category;
	for (uint32_t i = 0; i < mdr_engine_ncategories(engine); i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(engine, i, &category);
		if (strcmp(category.id, key) == 0)
			return (int) i;
	}
	return -1;
}

uint32_t
language_of(Corpus *corpus, const char *name)
{
	for (uint32_t i = 0; i < corpus->nlanguages; i++)
		if (strcmp(corpus->languages[i], name) == 0)
			return i;
	corpus->languages = must(mdr_grow(corpus->arena, corpus->languages, corpus->nlanguages * sizeof(char *),
									  (corpus->nlanguages + 1) * sizeof(char *)));
	corpus->languages[corpus->nlanguages] = must(mdr_strndup(corpus->arena, name, strlen(name)));
	return corpus->nlanguages++;
}

static bool
read_labels(const Corpus *corpus, json_t *labels, Text *text)
{
	const char *key;
	json_t	   *value;
	json_t	   *benign = json_object_get(labels, "benign");

	text->benign = json_is_integer(benign) ? json_integer_value(benign) != 0 : NO_LABEL;
	memset(text->label, text->benign == 1 ? 0 : NO_LABEL, sizeof(text->label));
	json_object_foreach(labels, key, value)
	{
		int			category = category_of(corpus->engine, key);

		if (category >= 0 && json_is_integer(value))
			text->label[category] = json_integer_value(value) != 0;
		else if (category < 0 && strcmp(key, "benign") != 0)
			return false;
	}
	return true;
}

/* False when the line is no text. */
static bool
read_line(Corpus *corpus, const char *line, size_t length, Text *text)
{
	json_t	   *root = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
	json_t	   *content = json_object_get(root, "text");
	json_t	   *id = json_object_get(root, "id");
	json_t	   *language = json_object_get(root, "lang");
	bool		good = json_is_string(content) && read_labels(corpus, json_object_get(root, "labels"), text);

	if (good)
	{
		text->bytes = must(mdr_strndup(corpus->arena, json_string_value(content), json_string_length(content)));
		text->length = (uint32_t) json_string_length(content);
		text->id = json_is_string(id) ? must(mdr_strndup(corpus->arena, json_string_value(id), json_string_length(id))) : "";
		text->language = language_of(corpus, json_is_string(language) ? json_string_value(language) : "?");
	}
	json_decref(root);
	return good;
}

Set *
add_set(Corpus *corpus, const char *name, size_t length)
{
	Set		   *set;

	corpus->sets = must(mdr_grow(corpus->arena, corpus->sets, corpus->nsets * sizeof(Set), (corpus->nsets + 1) * sizeof(Set)));
	set = &corpus->sets[corpus->nsets++];
	*set = (Set) {.name = must(mdr_strndup(corpus->arena, name, length)), .first = corpus->ntexts, .fold = NO_FOLD};
	return set;
}

void
add_text(Corpus *corpus, const Text *text)
{
	Set		   *set = &corpus->sets[corpus->nsets - 1];

	if (corpus->ntexts == corpus->room)
	{
		uint32_t	room = corpus->room * 2 + 4096;

		corpus->texts = must(mdr_grow(corpus->arena, corpus->texts, corpus->room * sizeof(Text), room * sizeof(Text)));
		corpus->room = room;
	}
	corpus->texts[corpus->ntexts] = *text;
	corpus->texts[corpus->ntexts++].set = corpus->nsets - 1;
	set->benign += text->benign == 1;
	set->harmful += text->benign == 0;
	set->count++;
}

static void
read_set(Corpus *corpus, const char *place)
{
	FILE	   *in = fopen(place, "rb");
	const char *name = strrchr(place, '/') ? strrchr(place, '/') + 1 : place;
	const char *end = strstr(name, ".jsonl");
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		length;
	unsigned	number = 0;

	if (in == NULL)
		give_up("%s: %s", place, strerror(errno));
	add_set(corpus, name, end ? (size_t) (end - name) : strlen(name));
	while ((length = getline(&line, &size, in)) > 0)
	{
		Text		text = {0};

		number++;
		if (strspn(line, " \r\n") == (size_t) length)
			continue;
		if (!read_line(corpus, line, (size_t) length, &text))
			give_up("%s:%u: neither {\"text\": ..., \"labels\": {...}} nor labels that the policy knows", place, number);
		add_text(corpus, &text);
	}
	free(line);
	fclose(in);
}

void
read_corpus(Corpus *corpus, char **places, int count)
{
	if (mdr_engine_ncategories(corpus->engine) > MAX_CATEGORIES)
		give_up("the policy has more than %d categories", MAX_CATEGORIES);
	for (int i = 0; i < count; i++)
	{
		struct stat status;
		char		pattern[4096];
		glob_t		found;

		if (stat(places[i], &status) != 0)
			give_up("%s: %s", places[i], strerror(errno));
		if (!S_ISDIR(status.st_mode))
		{
			read_set(corpus, places[i]);
			continue;
		}
		snprintf(pattern, sizeof(pattern), "%s/*.jsonl", places[i]);
		if (glob(pattern, 0, NULL, &found) != 0)
			give_up("%s: no .jsonl files there", places[i]);
		for (size_t j = 0; j < found.gl_pathc; j++)
			read_set(corpus, found.gl_pathv[j]);
		globfree(&found);
	}
}
