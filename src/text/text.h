/*
 * text.h
 *		Content as the rules see it: one normalisation, further views of it, and the way back to the text as given.
 *
 * The plain view folds each code point by a table that is generated from ICU at build time: NFKC_Casefold (Unicode
 * Standard, section 3.13); canonical decomposition; combining marks dropped where they are not vowels of the script;
 * control characters and default ignorables dropped; decimal digits of all scripts to ASCII; non-ASCII look-alikes to
 * the Latin letter of their UTS #39 prototype, so that much of Cyrillic and Greek reads as Latin; traditional to
 * simplified Han.  Any run of white space is one space, also at either end of the text.  ASCII is only lower-cased.
 * Canonically equivalent texts fold alike, and folding twice is folding once.  Content, terms and patterns all go
 * through this same fold, so that what an author writes is what is looked for.
 *
 * The other views undo one disguise each, are made only when the plain view shows signs of it, and have their own
 * matchers: a term goes through mdr_text_view_term() for the view, and a match in such a view counts only where the
 * view changed something within the matched span (mdr_text_changed), so that a view adds no false alarms on ordinary
 * text.
 *
 *	plain		the fold itself
 *	leet		digits and symbols inside words read as letters:  k1ll, @ss, h4te, kiIl   (both sides write every l
 *				as i)
 *	joined		letters spread by spaces or punctuation put together:  b o m b, b.o.m.b, 炸*弹   (both sides have no
 *				spaces at all; where one was taken out between words, mdr_text_boundary() still says so)
 *	squeezed	stretched letters:  killlll, haaate   (both sides write every run of one letter as a single one; three
 *				in a row count as changed, two as spelling)
 *
 * Memory: an MdrText's buffers belong to the arena it was made in.
 */
#ifndef MDR_TEXT_H
#define MDR_TEXT_H

#include "base/base.h"

typedef enum MdrView
{
	MDR_VIEW_PLAIN = 0,
	MDR_VIEW_LEET,
	MDR_VIEW_JOINED,
	MDR_VIEW_SQUEEZED
} MdrView;
#define MDR_NVIEWS 4

typedef struct MdrOffsetMap MdrOffsetMap;	/* sparse: an entry only where lengths differ */
typedef struct MdrWords MdrWords;

typedef struct MdrText
{
	MdrView		view;
	char	   *bytes;			/* valid UTF-8, with a terminating zero that length does not count */
	uint32_t	length;			/* bytes */
	uint32_t	views;			/* plain view only: bit (1 << view) set where that view would differ */
	bool		has_han;		/* some Han, Hiragana, Katakana, Thai, ...: a script without spaces between words */
	const char *given;			/* the text as given; not owned */
	uint32_t	given_length;
	MdrOffsetMap *map;			/* position in bytes -> position in given */
	const uint64_t *changed;	/* other views: bit per byte that the view changed; NULL in the plain view */
	MdrWords   *words;			/* if has_han: what mdr_text_whole_words() found out so far */
} MdrText;

/*
 * Folds given (need not be valid UTF-8: each invalid byte becomes U+FFFD) into *text.  length must be below 2^30.
 * MDR_OK or MDR_NO_MEMORY.
 */
extern MdrStatus mdr_text_fold(MdrArena *arena, const char *given, size_t length, MdrText *text);

/*
 * Where to cut a long text, at most bytes from its start, so that the pieces fold to what the whole would: before an ASCII letter or
 * digit or a Han character, or, where none of them is in the last half, between two characters.  At least 1 for a text that is not empty.
 */
extern size_t mdr_text_cut(const char *given, size_t length, size_t most);

/* Makes another view of a plain text.  MDR_OK or MDR_NO_MEMORY. */
extern MdrStatus mdr_text_view(MdrArena *arena, const MdrText *plain, MdrView view, MdrText *text);

/*
 * A policy's term as it must be looked for in the view: folded, without white space at its ends, then transformed as
 * the view transforms content, and for "joined" without its spaces, hyphens and the like.  *out has a terminating
 * zero and belongs to the arena; its length may be 0 (the term consists of nothing the view keeps: do not look for it
 * there).
 */
extern MdrStatus mdr_text_view_term(MdrArena *arena, MdrView view, const char *term, size_t length,
									char **out, uint32_t *out_length);

/*
 * Of a joined view: sets the bits (one a byte of the plain view, which the caller has zeroed) of what was taken out between the letters
 * of spread words, so that a distance can be told as it would be without the disguise.
 */
extern void mdr_text_closed(const MdrText *joined, uint64_t *bits);

/* The span [start, end) of the view as a span of the text as given, in bytes, covering every byte that took part. */
extern void mdr_text_span(const MdrText *text, uint32_t start, uint32_t end, uint32_t *given_start, uint32_t *given_end);

/* The same as a span of the plain view that the text was made from. */
extern void mdr_text_plain_span(const MdrText *text, uint32_t start, uint32_t end, uint32_t *plain_start,
								uint32_t *plain_end);

/*
 * Whether the view changed anything within [start, end); in the joined view, whether it closed a gap there.  Always
 * true in the plain view.
 */
extern bool mdr_text_changed(const MdrText *text, uint32_t start, uint32_t end);

/*
 * Whether a word may begin (left) or end (right) at the byte position, by script: between two letters or digits of one
 * alphabetic script it may not; next to a script without spaces, punctuation, or a change between such classes it may.
 * In the joined view, gaps that were closed inside one spread word do not count as boundaries.
 */
extern bool mdr_text_boundary(const MdrText *text, uint32_t position);

/*
 * For a span in a script without spaces: false when the span only straddles words, i.e. ICU's dictionary segmentation
 * of the surroundings (UBRK_WORD) has a boundary inside the span and a word that reaches over the span's start or
 * end.  True for anything else, and when ICU fails.  Costs microseconds: ask only about matches.  May be called from
 * one thread only.
 */
extern bool mdr_text_whole_words(const MdrText *text, uint32_t start, uint32_t end);

/* Frees the ICU iterators that mdr_text_whole_words keeps.  Safe to call at any time. */
extern void mdr_text_release(void);

/*
 * Folds one code point: its replacement (UTF-8, maybe empty, not terminated) and its length; good until the next
 * call.  For tests and for pattern literals.
 */
extern const char *mdr_text_fold_code_point(uint32_t code_point, uint32_t *length);

/* Version of the fold: changes whenever the generated table or a view's rule changes; compiled policies carry it. */
extern uint32_t mdr_text_fold_version(void);

#endif							/* MDR_TEXT_H */
