/*
 * model.h
 *		The learned model: one linear classifier with a head for each category, over hashed words and characters of the folded text.
 *
 * A text is read in windows of about 250 characters, cut between words, each half in the one before; each head's logit is the highest
 * of any window.  Within a window a head's logit is  bias + sum of the weights of the window's features / sqrt(number of features).
 *
 *	features	words and pairs of words, padded character 4-grams within a word (alphabetic scripts); 1- to 3-grams of characters
 *				(scripts without spaces); how often words of a lexicon's groups occur.  Hashed into one table (Weinberger et al.,
 *				"Feature hashing for large scale multitask learning", 2009), whose rows hold one signed byte a head.
 *	disguises	a word that the model's vocabulary does not know is tried with its digits and signs read as letters, its stretched
 *				letters put right, and its spread letters joined; ordinary text pays nothing for that
 *
 * A model is one flat block of bytes without pointers, read where it lies: in the library's read-only data (the built-in one,
 * shared by every process of the machine), or in a policy's image (one learned from a site's own decisions).
 *
 * Pure: no clock, no state; reading allocates nothing.
 */
#ifndef MDR_MODEL_H
#define MDR_MODEL_H

#include "text/text.h"

#define MDR_MODEL_MAX_HEADS 23

typedef struct MdrModel
{
	const struct MdrModelHeader *header;	/* the block of bytes; everything else is reached from here */
	size_t		length;
	int			any;			/* the head "any", -1 when there is none */
} MdrModel;

/* Scripts have thresholds of their own.  A window is of the script that most of its letters are of. */
typedef enum MdrScript
{
	MDR_SCRIPT_OTHER = 0,		/* alphabets */
	MDR_SCRIPT_HAN,				/* Chinese */
	MDR_SCRIPT_UNSPACED			/* Kana among Han, Hangul, Thai and the like */
} MdrScript;
#define MDR_NSCRIPTS 3

/*
 * Looks a block of bytes over and makes *model point to it; the bytes stay the caller's, aligned to 16, and must stay where they are.
 * After this no reading can leave the block, whatever is in it.  MDR_OK, or MDR_INVALID when it is damaged or of another version.
 */
extern MdrStatus mdr_model_open(const void *bytes, size_t length, MdrModel *model, MdrError *error);

/* The model that is part of the library; NULL on a machine of another byte order than it was trained on. */
extern const MdrModel *mdr_model_built_in(void);

extern uint32_t mdr_model_nheads(const MdrModel *model);
extern const char *mdr_model_head_name(const MdrModel *model, uint32_t head);	/* a category's id, or "any" */
extern int	mdr_model_head(const MdrModel *model, const char *name);	/* -1 when there is none */

/* What a model makes of a text, head by head. */
typedef struct MdrReading
{
	float		logit[MDR_MODEL_MAX_HEADS]; /* the highest of any window; -INFINITY before the first */
	uint32_t	start[MDR_MODEL_MAX_HEADS]; /* that window, in bytes of the plain view */
	uint32_t	end[MDR_MODEL_MAX_HEADS];
	MdrScript	script[MDR_MODEL_MAX_HEADS];	/* of that window */
	uint32_t	nwindows;		/* that were read */
	uint32_t	halfwords;		/* of the whole text: a word counts 2, a character of a script without spaces 1 */
} MdrReading;

/* Of fewer the model says nothing: a word alone is a matter for rules. */
#define MDR_MODEL_FEWEST_HALFWORDS 6

extern void mdr_model_start(MdrReading *reading);

/*
 * Reads a plain view and raises *reading where a window is higher.  About as long as it takes to fold the text ten times; ask for
 * interrupts between texts of 64 KB.
 */
extern void mdr_model_read(const MdrModel *model, const MdrText *plain, MdrReading *reading);

/*
 * A head's logit as a score in 0..1 that can be compared between heads and scripts: 2/3 at the threshold that was chosen for the head and
 * script on sets the model had not seen, rising with the logit.  What the head "any" adds to a category is in it, and what the text's length takes off.  Below .0009 it is 0, and so it is for a text of one or
 * two words.
 */
extern float mdr_model_score(const MdrModel *model, const MdrReading *reading, uint32_t head);

/*
 * By how much a text's length lowers the logit of its scores: the highest of many windows is high by chance.  MDR_MODEL_LENGTH_FACTOR times
 * the logarithm of the number of windows, up to MDR_MODEL_MOST_WINDOWS of them (about 8,000 characters).
 */
#define MDR_MODEL_LENGTH_FACTOR 0.33f
#define MDR_MODEL_MOST_WINDOWS 64
extern float mdr_model_length_cost(const MdrReading *reading);

/*
 * Training.  A trainer holds what it trains on of every text, and at the end the weights, in the arena it was made in: about 3 KB a
 * text and 25 MB at 17 bits.  The same texts in the same order give the same bytes.
 */
typedef struct MdrTrainer MdrTrainer;

typedef struct MdrTraining
{
	const char *const *heads;	/* names of at most 31 bytes, nheads of them */
	uint32_t	nheads;			/* at most MDR_MODEL_MAX_HEADS */
	int			bits;			/* 2^bits rows, 10 to 20 */
	uint32_t	words;			/* most words in the vocabulary; at most 65535 */
	uint32_t	ngroups;		/* of the lexicon; at most 32 */
	int			epochs;			/* 1 to 100 */
	float		rate;			/* AdaGrad (Duchi, Hazan and Singer, 2011); 0.01 to 10 */
	float		l2;				/* decay at every touch */
	float		lexicon_value;	/* of a lexicon feature, where a window's other features have a length of about 1 */
	float		damping;		/* added to a window's number of features before the root is taken */
	uint64_t	seed;			/* of the order of texts */
	const MdrModel *lexicon;	/* take the lexicon from this model, ngroups aside; NULL: mdr_trainer_lexicon() says it */
	MdrInterrupted interrupted; /* may be NULL */
	void	   *context;
	void		(*progress) (void *context, double done);	/* 0..1; may be NULL */
} MdrTraining;

/* What is known of a text: bits by head. */
typedef struct MdrLabels
{
	uint32_t	positive;
	uint32_t	negative;		/* heads in neither are not trained on this text */
	uint32_t	weak;			/* of these, half weight */
	float		weight;			/* of the text, 1 = ordinary */
	const float *offset;		/* by head: a logit that is there already, to which the model adds; NULL = 0 */
} MdrLabels;

/* MDR_OK, MDR_INVALID (a value out of range), MDR_NO_MEMORY */
extern MdrStatus mdr_trainer_create(MdrArena *arena, const MdrTraining *training, MdrTrainer **trainer, MdrError *error);

/*
 * Adds a word or phrase to a group of the lexicon, 0 to ngroups - 1: one to four words, or one to six Han characters; what is neither
 * is left aside.  MDR_OK, MDR_NO_MEMORY
 */
extern MdrStatus mdr_trainer_lexicon(MdrTrainer *trainer, uint32_t group, const MdrText *phrase);

/* Adds a text, of which the first windows are trained on (two of one that is positive for something, else three).  MDR_OK, MDR_NO_MEMORY */
extern MdrStatus mdr_trainer_add(MdrTrainer *trainer, const MdrText *plain, const MdrLabels *labels);

/*
 * Fits the weights and lays the model out, in the trainer's arena.  Its scores are not calibrated: all heads score 0 until
 * mdr_model_calibrate() has said what they mean.  MDR_OK, MDR_INVALID (no text, or one label only), MDR_INTERRUPTED, MDR_NO_MEMORY.
 */
extern MdrStatus mdr_trainer_fit(MdrTrainer *trainer, char **bytes, size_t *length, MdrError *error);

/*
 * Says how a head's logit becomes a score in a script: 1 / (1 + exp(-(constant + self * logit + any * logit of "any"))).  bytes is
 * what mdr_trainer_fit() made.
 */
extern void mdr_model_calibrate(char *bytes, uint32_t head, MdrScript script, float self, float any, float constant);

#endif							/* MDR_MODEL_H */
