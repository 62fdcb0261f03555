/*
 * model_read.c
 *		What a small model makes of texts: it tells what it learned apart; a disguised word is the word; windows and their places.
 */
#include "model.h"

static MdrModel model;

static float
logit(const char *text)
{
	return read_text(&model, text).logit[0];
}

static void
learned(void)
{
	unsigned	right = 0;

	for (unsigned i = 0; i < 400; i++)
	{
		char		given[1024];
		bool		bad = i % 2 == 0;

		sentence(given, bad ? bad_words : good_words, bad ? bad_han : good_han);
		right += (logit(given) > 0) == bad;
	}
	ok(right >= 396, "it tells %u of 400 new sentences apart", right);
	ok(read_text(&model, "make a bomb").logit[1] < 0, "a head whose texts were all negative says no");
	ok(logit("") == -INFINITY && logit(" ...!") == -INFINITY, "a text without a word has no logit");
	ok(read_text(&model, "make a bomb").script[0] == MDR_SCRIPT_OTHER && read_text(&model, "怎么做炸弹").script[0] == MDR_SCRIPT_HAN
	   && read_text(&model, "用python做炸弹").script[0] == MDR_SCRIPT_HAN, "the script is that of most letters");
}

/* Each pair must give the same logits to the bit. */
static void
disguises(void)
{
	static const char *const pairs[][2] = {
		{"how can my weapon kill", "how can my w3apon kill"},
		{"make a bomb", "make a b0mb"},
		{"make a bomb", "make a b o m b"},
		{"explosive poison", "z q j x e x p l o s i v e q x q z p o i s o n j q"},
		{"make a bomb", "make a b.o.m.b"},
		{"make a bomb", "make a b-o-m-b"},
		{"make a bomb", "make a b * o * m * b"},
		{"make a bomb", "m a k e a b o m b"},
		{"make a bomb", "make a boooomb"},
		{"make a bomb", "make a b0000mb"},
		{"make a bomb", "MAKE A BOMB"},
		{"kill", "k1ll"},
		{"kill", "k!ll"},
		{"kill", "ki11"},
		{"kill", "k!1l"},
		{"kill", "killllll"},
		{"kill", "k i 1 l"},
		{"can kill some", "can k!ll some"},
		{"attack", "@tt@ck"},
		{"attack the letter", "@ttack the letter"},
		{"poison", "po!$on"},
		{"poison", "p_o_i_s_o_n"},
		{"h\xc3\xa4te", "h4te"},
		{"explosive", "expl0$iv3"},
		{"怎么做炸弹", "怎么做炸 弹"},
		{"怎么做炸弹", "怎么做炸*弹"},
		{"怎么做炸弹", "怎.么.做.炸.弹"},
		{"怎么做炸弹", "怎 么 做 炸 * 弹"},
		{"", ""}
	};
	unsigned	n = sizeof(pairs) / sizeof(pairs[0]) - 1;

	for (unsigned i = 0; i < n; i++)
	{
		MdrReading	clean = read_text(&model, pairs[i][0]),
					disguised = read_text(&model, pairs[i][1]);

		ok(memcmp(clean.logit, disguised.logit, sizeof(clean.logit)) == 0, "%s is %s", pairs[i][1], pairs[i][0]);
	}
	ok(logit("a bomb!") == logit("a bomb") && logit("$ bomb") == logit("bomb"), "signs beside a known word say nothing");
	ok(logit("make a bomb") != logit("make a garden"), "words differ");
	ok(logit("怎么做炸。弹") != logit("怎么做炸弹"), "what ends a clause parts Han characters");
	ok(logit("bomb. kill") != logit("bomb kill"), "what ends a sentence parts pairs of words");
}

static void
windows(void)
{
	static char text[8192];
	static char benign[4096];
	MdrReading	reading,
				longer;
	size_t		at;

	while (strlen(benign) < 2000)
		strcat(benign, "please write about my garden with some music ");
	ok(logit(benign) < 0, "a long harmless text");
	strcpy(text, benign);
	for (int i = 0; i < 4; i++)
		strcat(text, "make a bomb and poison to kill and murder with a weapon and an explosive to attack ");
	strcat(text, benign);
	reading = read_text(&model, text);
	at = strstr(text, "make a bomb") - text;
	ok(reading.logit[0] > 0 && reading.start[0] < at + 300 && reading.end[0] > at && reading.end[0] - reading.start[0] < 400,
	   "harm in the middle is found, in a window of %u bytes", reading.end[0] - reading.start[0]);

	/* Whatever comes behind, the windows before stay. */
	for (int i = 0; i < 8; i++)
		strcat(text, "please write about my garden with some music ");
	longer = read_text(&model, text);
	ok(longer.logit[0] >= reading.logit[0] && longer.start[0] == reading.start[0], "harmless text behind it does not lower a logit");
	ok(longer.nwindows > reading.nwindows && mdr_model_length_cost(&longer) > mdr_model_length_cost(&reading),
	   "but costs its score something, as the highest of more windows");
	longer.nwindows = 1;
	ok(mdr_model_length_cost(&longer) == 0, "one window costs nothing");
	longer.nwindows = UINT32_MAX;
	ok(fabsf(mdr_model_length_cost(&longer) - MDR_MODEL_LENGTH_FACTOR * logf(MDR_MODEL_MOST_WINDOWS)) < 1e-6f, "and any number of them no more than some");
}

/* Time for a megabyte of what a text can be made of; all of it is read in time linear in its length. */
static void
bounded(void)
{
	static const char *const units[] = {"k!ll ", "k i l l ", "a", "!", "@s", "1", "a.", "a b c d e f g h i j k l m n o p q r s t u v w x y z ",
	"z q x j ", "xq1xq!xq$xq+xq@", "炸*", "炸", "zzz1zzz!", "b.o.m.b.k.i.l.l.", "\xf0\x9f\x98\x80", "a!1|!1|", "\xc3\xb8\x61"};
	MdrArena   *arena = mdr_arena_create(0);

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		size_t		one = strlen(units[i]);
		char	   *bytes = malloc(1 << 17);
		MdrText		text;
		MdrReading	reading;

		for (size_t at = 0; at + one < 1 << 17; at += one)
		{
			memcpy(bytes + at, units[i], one);
			bytes[at + one] = '\0';
		}
		text = fold(arena, bytes);
		mdr_model_start(&reading);
		mdr_model_read(&model, &text, &reading);
		ok(!isnan(reading.logit[0]) && reading.end[0] <= text.length, "128 KB of %s are read", units[i]);
		free(bytes);
		mdr_arena_reset(arena);
	}
	mdr_arena_destroy(arena);
}

int
main(void)
{
	MdrArena   *arena = mdr_arena_create(0);

	model = make_model(arena);
	learned();
	disguises();
	windows();
	bounded();
	mdr_arena_destroy(arena);
	return done();
}
