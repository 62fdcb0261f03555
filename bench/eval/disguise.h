/*
 * disguise.h
 *		Spells a text as people do who want to be read by people and not by machines.
 *
 * A disguise is put on every content word: words of four letters or more that are not function words; in scripts without spaces on every
 * other pair of characters.  The same text gives the same disguise.
 */
#ifndef EVAL_DISGUISE_H
#define EVAL_DISGUISE_H

#include "base/base.h"

/* What of a text a disguise is for. */
#define DISGUISES_LETTERS	1
#define DISGUISES_HAN		2

typedef struct Disguise
{
	const char *name;
	unsigned	scripts;		/* DISGUISES_* */
	bool		lossy;			/* a reader has to guess */
} Disguise;

extern uint32_t disguise_count(void);
extern const Disguise *disguise_kind(uint32_t kind);

/* Whether a word of ASCII letters, in lower case, is more than a function word. */
extern bool disguise_content_word(const char *word);

/* Makes the tables, once; before anything is disguised. */
extern void disguise_prepare(void);

/*
 * The text in a disguise, in the arena, with a terminating zero.  False when it changes nothing (too few words, another script) or memory
 * is short.  May be called from one thread only.
 */
extern bool disguise_put_on(MdrArena *arena, uint32_t kind, const char *text, size_t length, char **out, uint32_t *out_length);

#endif							/* EVAL_DISGUISE_H */
