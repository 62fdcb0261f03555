/*
 * policy_node.h
 *		The YAML stream as nodes, and what the files of this stage share while they read them.  Private to the stage.
 */
#ifndef MDR_POLICY_NODE_H
#define MDR_POLICY_NODE_H

#include "policy/policy.h"

/* Bounds on a document; whatever lies beyond is refused before it can cost anything. */
#define MDR_MAX_DOCUMENT (32 * 1024 * 1024)
#define MDR_MAX_NODES ((size_t) 512 * 1024 * 1024)	/* bytes of a document's nodes: millions of tiny ones in 32 MB come to more */
#define MDR_MAX_DEPTH 8
#define MDR_MAX_RULES 100000
#define MDR_MAX_CONTEXTS 64		/* a rule keeps the contexts that excuse it as the bits of 64 */
#define MDR_MAX_LISTS 10000
#define MDR_MAX_STANDARDS 16
#define MDR_MAX_RISKS 256		/* of all standards together */
#define MDR_MAX_GROUPS 8		/* of an all_of */
#define MDR_MAX_WITHIN 1000		/* characters; what two windows of a long content surely share */
#define MDR_MAX_NAME 120		/* bytes of an id */
#define MDR_MAX_TERM 1000		/* bytes */
#define MDR_MAX_PATTERN 8000	/* bytes */
#define MDR_MAX_EXAMPLE 65536	/* bytes */
#define MDR_MAX_NOTE 1000		/* bytes */

typedef enum MdrNodeKind
{
	MDR_SCALAR,
	MDR_SEQUENCE,
	MDR_MAPPING
} MdrNodeKind;

/* One YAML node.  The items of a mapping are key, value, key, value, ...; keys are always scalars. */
typedef struct MdrNode
{
	MdrNodeKind kind;
	bool		quoted;			/* scalar: was not plain */
	MdrPlace	place;
	const char *text;			/* scalar: with a terminating zero */
	uint32_t	length;
	struct MdrNode **items;
	uint32_t	nitems;
	uint32_t	capacity;
} MdrNode;

/* What a parse needs at hand. */
typedef struct MdrReader
{
	MdrArena   *arena;			/* owner of the tree; NULL-checked by every caller of mdr_alloc */
	MdrArena   *scratch;		/* nodes; gone when the parse is over */
	MdrPolicy  *policy;
	MdrError   *error;
	const char *rule;			/* id of the rule that is being read, or NULL */
	bool		model_said;		/* the head says whether there is a model */
	MdrNode   **documents;
	uint32_t	ndocuments;
	MdrInterrupted interrupted; /* may be NULL */
	void	   *context;
	uint32_t	steps;			/* since the parse began */
} MdrReader;

#define MDR_READER_STEPS 512	/* nodes, values or references between two looks at the interrupt */

/* One step more; whether the caller wants to stop, which is then in the error.  Each step may take up to a microsecond or so. */
extern bool mdr_reader_interrupted(MdrReader *reader);
extern MdrStatus mdr_reader_stop(MdrReader *reader);	/* fills the error and gives MDR_INTERRUPTED */

/* Says what is wrong at a place of the document, and gives MDR_INVALID. */
extern MdrStatus mdr_reader_fail(MdrReader *reader, MdrPlace place, const char *format,...)
			__attribute__((format(printf, 3, 4)));
extern MdrStatus mdr_reader_no_memory(MdrReader *reader);

/* policy_stream.c: bytes -> nodes */
extern MdrStatus mdr_read_stream(MdrReader *reader, const char *document, size_t length);

/* policy_value.c: nodes -> values.  Each gives MDR_OK, MDR_INVALID or MDR_NO_MEMORY. */
typedef struct MdrField
{
	const char *key;
	bool		required;
	MdrNode    *value;			/* result; NULL when absent */
} MdrField;

/* Sorts a mapping's values by the known keys; unknown, repeated and missing keys are errors. */
extern MdrStatus mdr_read_fields(MdrReader *reader, const MdrNode *node, const char *what, MdrField *fields, int nfields);
extern MdrStatus mdr_read_string(MdrReader *reader, const MdrNode *node, const char *what, size_t max, const char **value);
extern MdrStatus mdr_read_name(MdrReader *reader, const MdrNode *node, const char *what, const char *extra, const char **name);
extern MdrStatus mdr_read_integer(MdrReader *reader, const MdrNode *node, const char *what, int64_t min, int64_t max,
								  int64_t *value);
/* A decimal in (0, 1], or in [0, 1] when zero is allowed. */
extern MdrStatus mdr_read_fraction(MdrReader *reader, const MdrNode *node, const char *what, bool zero, float *value);
extern MdrStatus mdr_read_boolean(MdrReader *reader, const MdrNode *node, const char *what, bool *value);
extern MdrStatus mdr_read_action(MdrReader *reader, const MdrNode *node, const char *what, MdrAction *value);
/* Seconds; forever is what "forever" stands for, or -1 when it is not allowed here. */
extern MdrStatus mdr_read_duration(MdrReader *reader, const MdrNode *node, const char *what, int64_t forever, int64_t *seconds);
extern MdrStatus mdr_read_strings(MdrReader *reader, const MdrNode *node, const char *what, size_t max, MdrStrings *strings);
extern MdrStatus mdr_read_views(MdrReader *reader, const MdrNode *node, uint32_t *views);
extern MdrStatus mdr_read_sequence(MdrReader *reader, const MdrNode *node, const char *what, uint32_t max);
extern MdrStatus mdr_read_unless(MdrReader *reader, const MdrNode *node, uint32_t **unless, uint32_t *nunless);

extern MdrStatus mdr_read_language(MdrReader *reader, const MdrNode *node, const char **language);

/* policy_standard.c: the head's standards, and the risks that a category or rule names */
extern MdrStatus mdr_read_standards(MdrReader *reader, const MdrNode *node);
extern MdrStatus mdr_read_risks(MdrReader *reader, const MdrNode *node, uint32_t **risks, uint32_t *nrisks);

/* policy_head.c, policy_rules.c: nodes -> tree */
extern MdrStatus mdr_read_clause(MdrReader *reader, const MdrNode *node, const char **en, const char **zh);
extern MdrStatus mdr_read_head(MdrReader *reader, const MdrNode *node);
extern MdrStatus mdr_read_words(MdrReader *reader, const MdrNode *node);
extern MdrStatus mdr_read_category(MdrReader *reader, const MdrNode *node);
/* policy_learned.c: whether a document after the head is a model and no category; node -> policy->learned */
extern bool mdr_is_learned(const MdrNode *node);
extern MdrStatus mdr_read_learned(MdrReader *reader, const MdrNode *node);
extern MdrStatus mdr_read_finish(MdrReader *reader);	/* what can only be said of the whole: names, references */

#endif							/* MDR_POLICY_NODE_H */
