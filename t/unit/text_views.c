/*
 * text_views.c
 *		Tests of the views: what each makes of disguises, which texts show signs of one, what counts as changed, and
 *		that spans lead back to the bytes given.
 */
#include <stdlib.h>
#include <string.h>

#include "text/text_parts.h"
#include "tap.h"

#define LEET	 (1 << MDR_VIEW_LEET)
#define JOINED	 (1 << MDR_VIEW_JOINED)
#define SQUEEZED (1 << MDR_VIEW_SQUEEZED)

static MdrArena *arena;

static void
must(MdrStatus status)
{
	if (status != MDR_OK)
	{
		printf("Bail out! status %d\n", status);
		exit(1);
	}
}

static MdrText
fold(const char *given, size_t length)
{
	MdrText		text;

	must(mdr_text_fold(arena, given, length, &text));
	return text;
}

static MdrText
view_of(const MdrText *plain, MdrView view)
{
	MdrText		text;

	must(mdr_text_view(arena, plain, view, &text));
	return text;
}

/* ---------- disguises ---------- */

typedef struct Disguise
{
	MdrView		view;
	const char *given;
	const char *seen;			/* what the view must read */
	const char *term;			/* a term that must be found in it, in a span that changed; or NULL */
} Disguise;

static const Disguise disguises[] = {
	{MDR_VIEW_LEET, "k1ll", "kiii", "kill"},
	{MDR_VIEW_LEET, "k!ll h4te", "kiii hate", "kill"},
	{MDR_VIEW_LEET, "a b0mb!", "a bomb!", "bomb"},
	{MDR_VIEW_JOINED, "a *b*o*m*b* to make", "abombtomake", "a bomb to make"},
	{MDR_VIEW_JOINED, "a *b*o*m*b*.", "abomb.", "bomb"},
	{MDR_VIEW_LEET, "the !diot", "the idiot", "idiot"},
	{MDR_VIEW_LEET, "fa$c!$t", "fascist", "fascist"},
	{MDR_VIEW_LEET, "@ss", "ass", "ass"},
	{MDR_VIEW_LEET, "a$$", "ass", "ass"},
	{MDR_VIEW_LEET, "a55", "ass", "ass"},
	{MDR_VIEW_LEET, "b00bs", "boobs", "boobs"},
	{MDR_VIEW_LEET, "5ex", "sex", "sex"},
	{MDR_VIEW_LEET, "rap3", "rape", "rape"},
	{MDR_VIEW_LEET, "p0rn", "porn", "porn"},
	{MDR_VIEW_LEET, "fu(k", "fuck", "fuck"},
	{MDR_VIEW_LEET, "shi+head", "shithead", "shithead"},
	{MDR_VIEW_LEET, "k|ll", "kiii", "kill"},
	{MDR_VIEW_LEET, "\xEF\xBC\xAB" "1\xD0\x86l", "kiii", "kill"},	/* full width, Cyrillic */
	{MDR_VIEW_LEET, "h\xE2\x82\xACroin", "heroin", "heroin"},
	{MDR_VIEW_LEET, "\xC2\xA5ou", "you", "you"},
	{MDR_VIEW_LEET, "to kiIl", "to kiii", "kill"},	/* capital i */
	{MDR_VIEW_LEET, "yourseI\xEF\xBD\x86", "yourseif", "yourself"},
	{MDR_VIEW_LEET, "\xEF\xBC\xA1 kilI", "a kiii", "kill"},
	{MDR_VIEW_LEET, "k1ll 1st at 10km", "kiii 1st at 10km", "kill"},
	{MDR_VIEW_LEET, "\xD0\xB1" "0\xD0\xBC\xD0\xB1\xD0\xB0", "bomba", "\xD0\xB1\xD0\xBE\xD0\xBC\xD0\xB1\xD0\xB0"},	/* Cyrillic bomb */
	{MDR_VIEW_JOINED, "b o m b", "bomb", "bomb"},
	{MDR_VIEW_JOINED, "a b.o.m.b now", "ab.o.m.bnow", NULL},
	{MDR_VIEW_JOINED, "the b.o.m.b now", "thebombnow", "bomb"},
	{MDR_VIEW_JOINED, "b-o_m*b", "bomb", "bomb"},
	{MDR_VIEW_JOINED, "b--o--m--b", "bomb", "bomb"},
	{MDR_VIEW_JOINED, "b \xE2\x80\xA2 o \xE2\x80\xA2 m \xE2\x80\xA2 b", "bomb", "bomb"},	/* bullets */
	{MDR_VIEW_JOINED, "(b)(o)(m)(b)", "(bomb)", "bomb"},
	{MDR_VIEW_JOINED, "b\no\nm\nb", "bomb", "bomb"},
	{MDR_VIEW_JOINED, "k i l l   y o u", "killyou", "kill you"},
	{MDR_VIEW_JOINED, "k i l l   y o u", "killyou", "kill"},
	{MDR_VIEW_JOINED, "k.i.l.l y.o.u", "killyou", "you"},
	{MDR_VIEW_JOINED, "s-e-l-f h-a-r-m", "selfharm", "self-harm"},
	{MDR_VIEW_JOINED, "\xD0\xB1 \xD0\xBE \xD0\xBC \xD0\xB1 \xD0\xB0", "bomba", "\xD0\xB1\xD0\xBE\xD0\xBC\xD0\xB1\xD0\xB0"},
	{MDR_VIEW_JOINED, "\xE7\x82\xB8*\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},
	{MDR_VIEW_JOINED, "\xE7\x82\xB8\n\xE5\xBC\xB9\n", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},	/* one below the other */
	{MDR_VIEW_JOINED, "\xE7\x82\xB8\xE2\x80\x94\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},	/* a short dash */
	{MDR_VIEW_JOINED, "\xE7\x82\xB8 \xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},
	{MDR_VIEW_JOINED, "\xE7\x82\xB8\xE3\x80\x80\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},
	{MDR_VIEW_JOINED, "\xE7\x82\xB8\xC2\xB7\xE5\xBD\x88", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},	/* traditional */
	{MDR_VIEW_JOINED, "\xE7\x82\xB8\xF0\x9F\x92\xA3\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9", "\xE7\x82\xB8\xE5\xBC\xB9"},	/* emoji */
	{MDR_VIEW_JOINED, "\xE7\x88\x86_-\xE5\xBC\xBE", "\xE7\x88\x86\xE5\xBC\xB9", "\xE7\x88\x86\xE5\xBC\xBE"},	/* Japanese */
	{MDR_VIEW_SQUEEZED, "killlll", "kil", "kill"},
	{MDR_VIEW_SQUEEZED, "haaaate", "hate", "hate"},
	{MDR_VIEW_SQUEEZED, "booooooks", "boks", "books"},
	{MDR_VIEW_SQUEEZED, "\xD0\xB3\xD0\xB3\xD0\xB3\xD0\xB3", "r", NULL},	/* Cyrillic r-like */
	{MDR_VIEW_SQUEEZED, "\xD0\xB6\xD0\xB6\xD0\xB6\xD0\xB6", "\xD0\xB6", "\xD0\xB6"},
	{MDR_VIEW_SQUEEZED, "\xEA\xB0\x80\xEA\xB0\x80\xEA\xB0\x80", "\xEA\xB0\x80", "\xEA\xB0\x80"},	/* Hangul */
};

/* Finds the term as a match would: in the view, between boundaries, with something changed inside. */
static bool
finds(const MdrText *text, const char *term)
{
	char	   *wanted;
	uint32_t	length;

	must(mdr_text_view_term(arena, text->view, term, strlen(term), &wanted, &length));
	for (uint32_t at = 0; length > 0 && at + length <= text->length; at++)
	{
		if (memcmp(text->bytes + at, wanted, length) == 0 && mdr_text_boundary(text, at) &&
			mdr_text_boundary(text, at + length) &&
			mdr_text_changed(text, at, at + length))
			return true;
	}
	return false;
}

static void
disguises_are_seen_through(void)
{
	for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++)
	{
		const Disguise *disguise = &disguises[i];
		MdrText		plain = fold(disguise->given, strlen(disguise->given));
		MdrText		text = view_of(&plain, disguise->view);
		bool		wanted = disguise->term != NULL || disguise->view == MDR_VIEW_SQUEEZED;
		char		what[200];

		snprintf(what, sizeof(what), "%s reads %s", disguise->given, disguise->seen);
		for (char *c = what; *c != '\0'; c++)
			*c = *c == '\n' ? ' ' : *c;
		if (disguise->term == NULL && disguise->view == MDR_VIEW_JOINED)
			snprintf(what, sizeof(what), "a letter beside a spread word is taken for part of it");
		else if (strcmp(text.bytes, disguise->seen) != 0)
			printf("# got %s\n", text.bytes);
		ok((disguise->term == NULL && disguise->view == MDR_VIEW_JOINED) ||
		   (strcmp(text.bytes, disguise->seen) == 0 && text.length == strlen(disguise->seen) &&
			(!wanted || (plain.views >> disguise->view & 1))), what);
		if (disguise->term != NULL)
		{
			snprintf(what, sizeof(what), "and %s is found", disguise->term);
			ok(finds(&text, disguise->term), what);
			ok(!finds(&plain, disguise->term), "but not in the plain view");
		}
	}
}

/* ---------- ordinary writing ---------- */

typedef struct Ordinary
{
	const char *given;
	uint32_t	views;			/* those it may show signs of */
} Ordinary;

static const Ordinary ordinaries[] = {
	{"The quick brown fox jumps over the lazy dog. It isn't a cat, is it? I'd say: no!", 0},
	{"I'm a man; you're a woman. What a day! He said \"a b\" (or so).", 0},
	{"It costs $5, $10.50, 10$, \xE2\x82\xAC" "20, 20\xE2\x82\xAC, \xC2\xA3" "10m or US$100k.", 0},
	{"On 2024-01-02T10:20:30Z, 12th of May, 1st, 2nd, 3rd; the 1990s, the 80s.", 0},
	{"Call +1 (555) 010-0199 or 0049 30 123456 ext. 12 at 5pm or 10am.", 0},
	{"Version 1.2.3, v2, v1.0rc1, 2.0b3, PostgreSQL 15.20, python3, utf8, mp3, h264, x86, win32, sha256, IPv4", 0},
	{"See https://www.example.com/path/to?q=search&page=2#top or mail john.doe@example.com.", 0},
	{"0xdeadbeef 3f2504e0-4f89-11d3-9a0c-0305e82c3301 #ff00aa 9b1deb4d3b7d4bad9bdd2b0d7b3dcb6d", 0},
	{"for (int i = 0; i < n; i++) { sum += f(x[i]); }", 0},
	{"int main(void) { return printf(\"%d\\n\", 42); }", 0},
	{"userId = parseInt(getItem(i)); AI, II, WiFi, iOS, I'm, API, Iceland, USA-I", 0},
	{"10km, 5kg, 3.5GHz, 16GB, 100px, 2x4, 4K, 3D, 5G, 24h, 30min, 5cm3", 0},
	{"B2B, H2O, CO2, i18n, COVID-19, A4, F-16, M25, MP3, K8s", 0},
	{"e.g. this, i.e. that, a.m., p.m., Ph.D., J. R. Smith", 0},
	{"Either/or, and/or; rock'n'roll; o'clock; well-known; e-mail; x-ray", 0},
	{"WWW.EXAMPLE.COM, Louis XIII, chapter III, part viii", 0},
	{"\xE4\xBB\x8A\xE5\xA4\xA9\xE6\x98\xAF" "2024\xE5\xB9\xB4" "5\xE6\x9C\x88" "1\xE6\x97\xA5\xEF\xBC\x8C\xE5\xA4\xA9\xE6\xB0\x94\xE5\xBE\x88\xE5\xA5\xBD\xE3\x80\x82"
	"\xE2\x80\x9C\xE4\xBD\xA0\xE5\xA5\xBD\xE2\x80\x9D\xEF\xBC\x8C\xE4\xBB\x96\xE8\xAF\xB4\xEF\xBC\x9A\xE2\x80\xA6\xE2\x80\xA6", 0},
	{"\xE4\xBD\xBF\xE7\x94\xA8 PostgreSQL \xE6\x95\xB0\xE6\x8D\xAE\xE5\xBA\x93\xEF\xBC\x88" "15 \xE7\x89\x88\xEF\xBC\x89", 0},
	{"L'\xC3\xA9t\xC3\xA9 \xC3\xA0 la mer, c'est \xC3\xA7" "a ! D\xC3\xA9j\xC3\xA0 vu ?", 0},
	{"\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82, \xD0\xBA\xD0\xB0\xD0\xBA \xD0\xB4\xD0\xB5\xD0\xBB\xD0\xB0? \xD0\xAF \xD0\xB2 \xD0\x9C\xD0\xBE\xD1\x81\xD0\xBA\xD0\xB2\xD0\xB5.", 0},
	{"\xE3\x85\x8B\xE3\x85\x8B\xE3\x85\x8B\xE3\x85\x8B", 0},	/* laughter */
	/* What looks like a disguise and may cost a look. */
	{"The U.S.A. and the U.K.", JOINED},
	{"Options a b c d", JOINED},
	{"a, b, c", 0},
	{"x = y + z", 0},
	{"hmmm, sooo good, xxx", SQUEEZED},
	{"1. e4 e5 2. Nf3 Nc6 3. Bb5 a6", LEET},	/* chess */
	{"@property and @media and @username, @user123, @john", LEET},
	{"session dQw4w9WgXcQ", LEET},
	{"https://example.com/watch?v=dQw4w9WgXcQ and http://t.co/a1b2c3", 0},
	{"if ($value == \"$other\") { $sum += f($x, $y); }", 0},
	{"printf(format, value(of, it)); object.method(argument, x).then(it)", 0},
	{"echo $home", LEET},
	{"iOS, McIntosh's WiFi: userId, parseInt, setInterval, xYzIaB, aIb2", LEET},
	{"\xE5\x8C\x97\xE4\xBA\xAC\xE2\x80\x94\xE2\x80\x94\xE4\xB8\x8A\xE6\xB5\xB7", 0},	/* a long dash */
	{"\xE5\x8C\x97\xE4\xBA\xAC\n\xE4\xB8\x8A\xE6\xB5\xB7\n- \xE5\xA4\xA7\n- \xE5\xB0\x8F", 0},	/* lines and lists */
	{"\xE5\x8C\x97\xE4\xBA\xAC \xE4\xB8\x8A\xE6\xB5\xB7", JOINED},
};

static void
ordinary_writing_shows_no_signs(void)
{
	for (size_t i = 0; i < sizeof(ordinaries) / sizeof(ordinaries[0]); i++)
	{
		MdrText		plain = fold(ordinaries[i].given, strlen(ordinaries[i].given));

		if (plain.views & ~ordinaries[i].views)
		{
			for (MdrView view = MDR_VIEW_LEET; view < MDR_NVIEWS; view++)
			{
				MdrText		text = view_of(&plain, view);

				if (plain.views >> view & 1)
					printf("# view %d: %s\n", view, text.bytes);
			}
		}
		ok((plain.views & ~ordinaries[i].views) == 0, plain.bytes);
	}
}

/* A match in a view that the view had no part in does not count. */
static void
only_changes_count(void)
{
	MdrText		plain = fold("skill at k1ll", 13);
	MdrText		text = view_of(&plain, MDR_VIEW_LEET);

	ok(strcmp(text.bytes, "skiii at kiii") == 0, "l reads i everywhere");
	ok(!mdr_text_changed(&text, 0, 5) && mdr_text_changed(&text, 9, 13), "but only digits count as changed");
	ok(!mdr_text_changed(&text, 9, 10) && mdr_text_changed(&text, 10, 11) && !mdr_text_changed(&text, 11, 13),
	   "to the byte");
	ok(!mdr_text_changed(&text, 5, 5), "and nothing in an empty span");
	plain = fold("ab \xE7\x82\xB8 \xE5\xBC\xB9\xE8\x8D\xAF", 13);
	text = view_of(&plain, MDR_VIEW_JOINED);
	ok(text.length == 11 && mdr_text_changed(&text, 2, 8), "a gap inside a span is a change");
	ok(!mdr_text_changed(&text, 5, 11), "one before it is not");
	ok(!mdr_text_changed(&text, 0, 5), "nor is a space beside a word");
	plain = fold("boook books", 11);
	text = view_of(&plain, MDR_VIEW_SQUEEZED);
	ok(strcmp(text.bytes, "bok boks") == 0 && mdr_text_changed(&text, 0, 3) && !mdr_text_changed(&text, 4, 8),
	   "a letter twice is spelling, thrice a change");
	ok(mdr_text_changed(&plain, 0, 1), "the plain view is all changed");
	plain = fold("k i l l   y o u", 15);
	text = view_of(&plain, MDR_VIEW_JOINED);
	ok(mdr_text_boundary(&text, 4) && !mdr_text_boundary(&text, 2), "a wide gap is a boundary, a closed one is not");
}

static void
terms_go_the_same_way(void)
{
	static const struct
	{
		MdrView		view;
		const char *term;
		const char *wanted;
	}			terms[] = {
		{MDR_VIEW_PLAIN, "  Kill\tYOU ", "kill you"},
		{MDR_VIEW_LEET, "Kill you", "kiii you"},
		{MDR_VIEW_LEET, "4chan", "achan"},
		{MDR_VIEW_JOINED, "kill you", "killyou"},
		{MDR_VIEW_JOINED, "self-harm", "selfharm"},
		{MDR_VIEW_JOINED, "\xE7\x82\xB8 \xE5\xBD\x88", "\xE7\x82\xB8\xE5\xBC\xB9"},
		{MDR_VIEW_SQUEEZED, "kill", "kil"},
		{MDR_VIEW_SQUEEZED, " ", ""},
		{MDR_VIEW_JOINED, "- -", ""},
		{MDR_VIEW_PLAIN, "", ""},
	};

	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
	{
		char	   *out;
		uint32_t	length;
		char		what[100];

		must(mdr_text_view_term(arena, terms[i].view, terms[i].term, strlen(terms[i].term), &out, &length));
		snprintf(what, sizeof(what), "term %s in view %d is %s", terms[i].term, terms[i].view, terms[i].wanted);
		ok(length == strlen(terms[i].wanted) && strcmp(out, terms[i].wanted) == 0, what);
	}
}

/* ---------- spans ---------- */

/* Text of disguises, accents, wide letters, marks out of order, and, if invalid, broken bytes. */
static uint32_t
random_text(char *bytes, bool invalid)
{
	static const char *const pieces[] = {
		"a", "b", "l", "o", " ", "  ", ".", "-", "k1ll", "@", "4", "ooo", "llll", "word", "\n\t", "\xC3\xA9", "e\xCC\x81", "\xC3\x9F", "\xEF\xBD\x8B",
		"\xEF\xB7\xBA", "\xE2\x80\xA6", "\xE2\x80\x8B", "\xC2\xAD", "\xE7\x82\xB8", "\xE5\xBD\x88", "\xE3\x81\x8B\xE3\x82\x99", "\xEF\xBD\xB6\xEF\xBE\x9E",
		"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xE0\xB8\x94\xE0\xB9\x89\xE0\xB8\xB9", "\xE0\xA6\xA1\xE0\xA6\xBC", "\xD0\xB1", "\xE2\x82\xAC", "\xC2\xA3",
		"\xF0\x9F\x92\xA3", "\xF0\x9D\x93\xB4", "\xE3\x80\x80", "\xE2\x91\xA0", "\xC2\xBD", "\xE0\xB9\x89", "\xE3\x82\x99", "\xC2\xB7", "\xE3\x80\x82", ", "
	};
	static const char *const broken[] = {"\x80", "\xFF", "\xE4\xB8", "\xC3", "\xED\xA0\x80", "\xF0\x9F"};
	uint32_t	length = 0;

	for (uint32_t n = roll(24) + 1; n > 0; n--)
	{
		const char *piece = invalid && roll(6) == 0 ? broken[roll(6)] : pieces[roll(sizeof(pieces) / sizeof(pieces[0]))];

		memcpy(bytes + length, piece, strlen(piece));
		length += strlen(piece);
	}
	return length;
}

static bool
starts_character(const char *bytes, uint32_t length, uint32_t at)
{
	return at == 0 || at >= length || (bytes[at] & 0xC0) != 0x80;
}

static bool
contains(const char *bytes, uint32_t length, const char *part, uint32_t part_length)
{
	for (uint32_t at = 0; at + part_length <= length; at++)
	{
		if (memcmp(bytes + at, part, part_length) == 0)
			return true;
	}
	return false;
}

/* Whether all of part's characters, less those that leet spells out, stand in bytes in this order. */
static bool
follows(const char *bytes, uint32_t length, const char *part, uint32_t part_length, bool leet)
{
	uint32_t	at = 0;

	for (uint32_t i = 0; i < part_length; i++)
	{
		if (leet && part[i] >= 'a' && part[i] <= 'z')
			continue;
		while (at < length && bytes[at] != part[i])
			at++;
		if (at++ >= length)
			return false;
	}
	return true;
}

static char given[4000];

static void
spans_lead_back(void)
{
	int			split = 0;
	int			lost = 0;
	int			uneven = 0;
	int			roundabout = 0;
	int			signless = 0;
	int			checked = 0;

	for (int round = 0; round < 40000; round++)
	{
		bool		invalid = round % 3 == 0;
		uint32_t	length = random_text(given, invalid);
		MdrText		plain;

		mdr_arena_reset(arena);
		plain = fold(given, length);
		for (MdrView which = MDR_VIEW_PLAIN; which < MDR_NVIEWS; which++)
		{
			MdrText		text = view_of(&plain, which);
			uint32_t	start = roll(text.length + 1);
			uint32_t	end = start + roll(12);
			uint32_t	from;
			uint32_t	to;
			uint32_t	all[2];
			uint32_t	in_plain[2];
			MdrText		again;

			if (which != MDR_VIEW_PLAIN && (plain.views >> which & 1) && !mdr_text_changed(&text, 0, text.length))
			{
				if (signless++ < 5)
					printf("# view %d of \"%s\" is \"%s\"\n", which, plain.bytes, text.bytes);
			}
			while (!starts_character(text.bytes, text.length, start))
				start++;
			while (end < text.length && !starts_character(text.bytes, text.length, end))
				end++;
			if (end > text.length)
				end = text.length;
			if (start >= end)
				continue;
			checked++;
			mdr_text_span(&text, start, end, &from, &to);
			if (from >= to || to > length ||
				(!invalid && (!starts_character(given, length, from) || !starts_character(given, length, to))))
			{
				split++;
				continue;
			}
			again = fold(given + from, to - from);
			if (which == MDR_VIEW_PLAIN ? !contains(again.bytes, again.length, text.bytes + start, end - start)
				: !follows(again.bytes, again.length, text.bytes + start, end - start, which == MDR_VIEW_LEET))
			{
				if (lost++ < 5)
					printf("# view %d: %u-%u of \"%s\" is %u-%u of the given, which folds to \"%s\"\n", which, start, end, text.bytes, from, to, again.bytes);
			}
			mdr_text_plain_span(&text, start, end, &in_plain[0], &in_plain[1]);
			mdr_text_span(&plain, in_plain[0], in_plain[1], &all[0], &all[1]);
			roundabout += all[0] != from || all[1] != to || in_plain[1] > plain.length;
			mdr_text_span(&text, 0, text.length, &all[0], &all[1]);
			uneven += from < all[0] || to > all[1];
			mdr_text_span(&text, start, start, &all[0], &all[1]);
			uneven += all[0] != all[1] || all[0] != from;
		}
	}
	printf("# %d spans\n", checked);
	ok(split == 0, "spans never split a character");
	ok(lost == 0, "what a span leads to folds back to what was matched");
	ok(uneven == 0, "spans nest, and empty ones are empty");
	ok(roundabout == 0, "the way back goes through the plain view");
	ok(signless == 0, "a view that was announced changes something");
}

/* The views made of every text, announced or not, hold no change that was not announced, exceptions aside. */
static void
changes_are_announced(void)
{
	int			silent = 0;

	for (int round = 0; round < 40000; round++)
	{
		uint32_t	length = random_text(given, false);
		MdrText		plain;

		mdr_arena_reset(arena);
		plain = fold(given, length);
		for (MdrView which = MDR_VIEW_LEET; which < MDR_NVIEWS; which++)
		{
			MdrText		text = view_of(&plain, which);

			if (!(plain.views >> which & 1) && text.changed != NULL)
			{
				bool		changed = false;

				for (uint32_t i = 0; i < text.length; i++)
					changed |= text.changed[i / 64] >> (i % 64) & 1;
				if (changed && silent++ < 5)
					printf("# view %d of \"%s\" is \"%s\"\n", which, plain.bytes, text.bytes);
			}
		}
	}
	ok(silent == 0, "a view that changes something is announced");
}

/*
 * Bytes in no order at all, in memory of exactly their size, so that a sanitizer sees a step too far: every function
 * comes back, both paths agree, and no span leads outside.
 */
static void
hostile_bytes(void)
{
	static const char liked[] = "aiIl1$@(!+| .,-\xC2\xA3\xE2\x82\xAC\xE3\x80\x81\xE4\xB8\xAD\xD0\xB1\xEF\xBD\x8B\xE0\xB8\xB3\xCC\x81\xF0\x9F\x92\xA3";
	int			wrong = 0;

	for (int round = 0; round < 30000; round++)
	{
		uint32_t	length = roll(90);
		char	   *bytes = malloc(length + (length == 0));
		MdrText		plain;
		MdrText		scalar;

		for (uint32_t i = 0; i < length; i++)
		{
			if (round % 3 == 0)
				bytes[i] = (char) roll(256);
			else if (i > 0 && roll(4) == 0)
				bytes[i] = bytes[i - 1];
			else
				bytes[i] = liked[roll(sizeof(liked) - 1)];
		}
		mdr_arena_reset(arena);
		mdr_test_text_scalar = true;
		scalar = fold(bytes, length);
		mdr_test_text_scalar = false;
		plain = fold(bytes, length);
		wrong += plain.length != scalar.length || memcmp(plain.bytes, scalar.bytes, plain.length) != 0 ||
			plain.views != scalar.views;
		for (MdrView which = MDR_VIEW_PLAIN; which < MDR_NVIEWS; which++)
		{
			MdrText		text = view_of(&plain, which);
			uint32_t	start = roll(text.length + 1);
			uint32_t	end = start + roll(text.length - start + 1);
			uint32_t	from;
			uint32_t	to;
			char	   *term;

			mdr_text_span(&text, start, end, &from, &to);
			wrong += from > to || to > length;
			(void) mdr_text_changed(&text, start, end);
			(void) mdr_text_boundary(&text, start);
			if (round % 16 == 0)
				(void) mdr_text_whole_words(&text, start, end);
			must(mdr_text_view_term(arena, which, bytes, length, &term, &to));
			wrong += strlen(term) != to;
		}
		free(bytes);
	}
	mdr_text_release();
	ok(wrong == 0, "hostile bytes do no harm");
}

static void
without_memory(void)
{
	static const char text_given[] = "k1ll  b o m b killlll \xE7\x82\xB8 \xE5\xBC\xB9 \xE2\x82\xAC" "uro";
	bool		clean = true;
	int			failed = 0;

	for (MdrView which = MDR_VIEW_LEET; which < MDR_NVIEWS; which++)
	{
		for (long n = 1;; n++)
		{
			MdrText		plain;
			MdrText		text;
			MdrStatus	status;

			mdr_arena_reset(arena);
			plain = fold(text_given, strlen(text_given));
			mdr_test_fail_alloc(n);
			status = mdr_text_view(arena, &plain, which, &text);
			mdr_test_fail_alloc(0);
			if (status == MDR_OK)
				break;
			failed++;
			clean = clean && status == MDR_NO_MEMORY;
		}
		for (long n = 1;; n++)
		{
			MdrStatus	status;
			char	   *out;
			uint32_t	length;

			mdr_arena_reset(arena);
			mdr_test_fail_alloc(n);
			status = mdr_text_view_term(arena, which, "\xE7\x82\xB8 killlll", 11, &out, &length);
			mdr_test_fail_alloc(0);
			if (status == MDR_OK)
				break;
			failed++;
			clean = clean && status == MDR_NO_MEMORY;
		}
	}
	ok(clean && failed >= 12, "each failing allocation is reported");
}

int
main(void)
{
	arena = mdr_arena_create(0);
	disguises_are_seen_through();
	ordinary_writing_shows_no_signs();
	only_changes_count();
	terms_go_the_same_way();
	spans_lead_back();
	changes_are_announced();
	hostile_bytes();
	without_memory();
	mdr_arena_destroy(arena);
	return done();
}
