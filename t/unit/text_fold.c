/*
 * text_fold.c
 *		Tests of the fold: against ICU over all of Unicode, against itself in other spellings, and path against path.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/text_parts.h"
#include "tap.h"
#include "text_reference.h"

static MdrArena *arena;

static MdrText
fold(const char *bytes, uint32_t length)
{
	MdrText		text;

	if (mdr_text_fold(arena, bytes, length, &text) != MDR_OK)
		die("fold", U_MEMORY_ALLOCATION_ERROR);
	return text;
}

static bool
equal(const MdrText *text, const char *bytes, uint32_t length)
{
	return text->length == length && memcmp(text->bytes, bytes, length) == 0;
}

static void
print_bytes(const char *what, const char *bytes, uint32_t length)
{
	printf("%s", what);
	for (uint32_t i = 0; i < length && i < 100; i++)
		printf(" %02X", (uint8_t) bytes[i]);
}

static void
complain(const char *what, const char *given, uint32_t length, const char *got, uint32_t got_length, const char *wanted,
		 uint32_t wanted_length)
{
	static int	complaints = 0;

	if (complaints++ >= 10)
		return;
	printf("# %s:", what);
	print_bytes("given", given, length);
	print_bytes("; got", got, got_length);
	print_bytes("; wanted", wanted, wanted_length);
	printf("\n");
}

static uint32_t
put(char *bytes, UChar32 c)
{
	uint32_t	n = 0;

	U8_APPEND_UNSAFE(bytes, n, c);
	return n;
}

/* A Han character that the table sends elsewhere than ICU does is one of its own variants. */
static bool
is_variant(UChar32 c)
{
	UErrorCode	status = U_ZERO_ERROR;

	return uscript_getScript(c, &status) == USCRIPT_HAN;
}

static void
every_code_point(void)
{
	int			wrong = 0;
	int			own = 0;
	int			bad_own = 0;
	int			unsettled = 0;
	int			views = 0;
	int			paths = 0;

	for (UChar32 c = 0; c <= 0x10FFFF; c++)
	{
		char		given[8];
		char		wanted[400];
		uint32_t	length;
		uint32_t	n;
		uint32_t	table_length;
		MdrText		text;
		MdrText		again;
		const char *table;

		if (U_IS_SURROGATE(c))
			continue;
		n = put(given, c);
		mdr_arena_reset(arena);
		text = fold(given, n);
		again = fold(text.bytes, text.length);
		if (!equal(&again, text.bytes, text.length))
		{
			unsettled++;
			complain("fold of fold", given, n, again.bytes, again.length, text.bytes, text.length);
		}
		table = mdr_text_fold_code_point(c, &table_length);
		if (!equal(&text, table, table_length))
			wrong++;
		mdr_test_text_scalar = true;
		again = fold(given, n);
		mdr_test_text_scalar = false;
		paths += !equal(&again, text.bytes, text.length) || again.has_han != text.has_han || again.views != text.views;
		views += (text.views & ~(1u << MDR_VIEW_JOINED | 1u << MDR_VIEW_SQUEEZED)) != 0;
		if (!u_isdefined(c) || u_charType(c) == U_PRIVATE_USE_CHAR)
		{
			/* The reference would leave it alone, too, and there are very many of them. */
			bool		vanishes = uset_contains(vanishing, c);

			wrong += vanishes ? text.length != 0 : !equal(&text, given, n);
			continue;
		}
		length = reference(given, n, wanted, sizeof(wanted));
		if (equal(&text, wanted, length))
			continue;
		if (is_variant(c))
		{
			UChar32		to;
			int32_t		i = 0;

			own++;
			U8_NEXT(text.bytes, i, (int32_t) text.length, to);
			bad_own += !(i == (int32_t) text.length && is_variant(to) && simplified(to) == to);
		}
		else if (again = fold(wanted, length), !equal(&again, text.bytes, text.length))
		{
			wrong++;
			complain("code point", given, n, text.bytes, text.length, wanted, length);
		}
	}
	ok(wrong == 0, "every code point folds as the reference does");
	printf("# %d Han characters have variants of our own\n", own);
	ok(own > 100 && own < 400 && bad_own == 0, "variants of our own are few and lead to simplified Han");
	ok(unsettled == 0, "folding a folded code point changes nothing");
	ok(paths == 0, "vector and scalar paths agree on each");
	ok(views == 0, "no code point alone looks disguised by digits");
}

/* x folds like its normal forms, alone and after letters that it may compose with. */
static void
every_decomposition(void)
{
	static const UChar32 before[] = {0, 'a', 0x304B, 0x30CF, 0x1100, 0xAC00, 0x0E01, 0x0915, 0x05D0, 0x0301, 0x3099,
									 0x0E48};
	int			wrong = 0;
	int			forms = 0;

	for (UChar32 c = 0; c <= 0x10FFFF; c++)
	{
		UErrorCode	status = U_ZERO_ERROR;
		UChar		raw[40];
		bool		interesting = unorm2_getRawDecomposition(nfd, c, raw, 40, &status) > 0 ||
			u_getCombiningClass(c) != 0 ||
			(c >= 0x1100 && c <= 0x11FF);

		if (U_IS_SURROGATE(c) || !interesting || (c >= 0xAC00 && c <= 0xD7A3 && c % 7 != 0))
			continue;
		for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		{
			String		string;
			char		bytes[3][200];
			int32_t		length[3];
			MdrText		text[3];

			string.n = 0;
			if (before[i] != 0)
				add(&string, before[i]);
			add(&string, c);
			mdr_arena_reset(arena);
			for (int form = 0; form < 3; form++)
			{
				if (form > 0)
					normalize(form == 1 ? nfd : nfc, &string);
				u_strToUTF8(bytes[form], 200, &length[form], string.at, string.n, &status);
				text[form] = fold(bytes[form], length[form]);
				forms++;
				if (!equal(&text[form], text[0].bytes, text[0].length))
				{
					wrong++;
					complain(form == 1 ? "NFD" : "NFC", bytes[0], length[0], text[form].bytes, text[form].length,
							 text[0].bytes,
							 text[0].length);
				}
			}
			status = U_ZERO_ERROR;
		}
	}
	printf("# %d strings\n", forms);
	ok(wrong == 0, "every canonical decomposition folds like its composition");
}

/* A code point of a script that is drawn, with a liking for what composes and collapses. */
static UChar32
draw(void)
{
	static const UChar32 ranges[][2] = {
		{' ', 0x7E}, {'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {0, 0x20}, {0x80, 0xFF}, {0x100, 0x24F}, {0x300, 0x36F},
		{0x370, 0x3FF},
		{0x400, 0x4FF}, {0x530, 0x58F}, {0x590, 0x6FF}, {0x900, 0x9FF}, {0xB80, 0xDFF}, {0xE00, 0xEFF}, {0xF00, 0xFFF},
		{0x1000, 0x109F}, {0x1100, 0x11FF}, {0x1100, 0x1112}, {0x1161, 0x1175}, {0x11A8, 0x11C2}, {0x1780, 0x17FF},
		{0x2000, 0x206F}, {0x2100, 0x24FF}, {0x3000, 0x30FF}, {0x3041, 0x3096}, {0x3099, 0x309C}, {0x3100, 0x318F},
		{0x3200, 0x33FF},
		{0x4E00, 0x9FFF}, {0x4E00, 0x9FFF}, {0xA4D0, 0xA4FF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF}, {0xFB00, 0xFDFF},
		{0xFE00, 0xFFEF},
		{0x1D400, 0x1D7FF}, {0x1F100, 0x1F1FF}, {0x1F300, 0x1F64F}, {0x20000, 0x2A6DF}, {0xE0000, 0xE01EF}, {0, 0x10FFFF}
	};
	const UChar32 *range = ranges[roll(sizeof(ranges) / sizeof(ranges[0]))];
	UChar32		c = range[0] + roll(range[1] - range[0] + 1);

	return U_IS_SURROGATE(c) ? 0xFFFD : c;
}

/* Random text of up to most characters; invalid: one in that many pieces is not UTF-8, 0 for none. */
static uint32_t
random_text(char *bytes, uint32_t most, uint32_t invalid)
{
	static const char *const bad[] = {"\x80", "\xC0\xAF", "\xE4\xB8", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF",
									  "\xF0\x9F\x98", "\xE0\x80\xAF",
		"\xC3", "\xF8\x88\x80\x80\x80"};
	uint32_t	n = roll(most) + 1;
	uint32_t	length = 0;
	UChar32		last = 'a';

	for (uint32_t i = 0; i < n; i++)
	{
		if (invalid > 0 && roll(invalid) == 0)
		{
			const char *piece = bad[roll(sizeof(bad) / sizeof(bad[0]))];

			memcpy(bytes + length, piece, strlen(piece));
			length += strlen(piece);
			continue;
		}
		switch (roll(8))
		{
			case 0:				/* the same again */
				break;
			case 1:				/* a stretch of plain words */
				for (uint32_t k = roll(40); k > 0; k--)
					bytes[length++] = "abcdefgh ijk lmno  prsTuVW\txyz\n,."[roll(33)];
				break;
			case 2:
				last = ' ';
				break;
			default:
				last = draw();
		}
		length += put(bytes + length, last);
	}
	return length;
}

static char given[20000];
static char wanted[80000];

static void
random_strings(void)
{
	int			wrong = 0;
	int			unsettled = 0;
	int			formed = 0;
	int			variants = 0;
	int			many = 30000;

	for (int i = 0; i < many; i++)
	{
		uint32_t	length = random_text(given, i % 3 == 0 ? 120 : 12, i % 2 == 0 ? 0 : 10);
		uint32_t	n;
		MdrText		text;
		MdrText		other;
		String		string;
		UErrorCode	status = U_ZERO_ERROR;

		mdr_arena_reset(arena);
		text = fold(given, length);
		other = fold(text.bytes, text.length);
		if (!equal(&other, text.bytes, text.length))
		{
			unsettled++;
			complain("fold of fold", given, length, other.bytes, other.length, text.bytes, text.length);
		}
		n = reference(given, length, wanted, sizeof(wanted));
		if (!equal(&text, wanted, n))
		{
			/* Variants of our own are not in the reference: folding its answer supplies them. */
			other = fold(wanted, n);
			variants++;
			if (!equal(&other, text.bytes, text.length))
			{
				wrong++;
				complain("string", given, length, text.bytes, text.length, wanted, n);
			}
		}
		if (i % 2 == 0)
		{
			int32_t		units;

			u_strFromUTF8(string.at, MOST, &units, given, length, &status);
			string.n = units;
			for (int form = 0; form < 2; form++)
			{
				normalize(form == 0 ? nfd : nfc, &string);
				u_strToUTF8(wanted, sizeof(wanted), &units, string.at, string.n, &status);
				die("form", status);
				other = fold(wanted, units);
				if (!equal(&other, text.bytes, text.length))
				{
					formed++;
					complain(form == 0 ? "NFD" : "NFC", given, length, other.bytes, other.length, text.bytes,
							 text.length);
				}
			}
		}
	}
	ok(wrong == 0, "random strings fold as the reference does");
	ok(variants < many / 4, "most of them to the byte, the rest but for our own variants");
	ok(unsettled == 0, "folding a folded string changes nothing");
	ok(formed == 0, "NFD and NFC fold alike");
}

/* Every path gives the same bytes, the same map and the same signs. */
static void
same_by_every_path(void)
{
	int			wrong = 0;

	for (int i = 0; i < 60000; i++)
	{
		uint32_t	length = random_text(given, i % 5 == 0 ? 200 : 30, i % 4);
		MdrText		text[2];

		mdr_arena_reset(arena);
		for (int scalar = 0; scalar < 2; scalar++)
		{
			mdr_test_text_scalar = scalar;
			text[scalar] = fold(given, length);
		}
		mdr_test_text_scalar = false;
		if (!equal(&text[0], text[1].bytes, text[1].length) || text[0].views != text[1].views ||
			text[0].has_han != text[1].has_han)
		{
			wrong++;
			complain("vector and scalar", given, length, text[0].bytes, text[0].length, text[1].bytes, text[1].length);
		}
		for (uint32_t at = 0; at <= text[0].length; at++)
		{
			uint32_t	end = at + roll(4) > text[0].length ? text[0].length : at + roll(4);
			uint32_t	span[4];

			mdr_text_span(&text[0], at, end, &span[0], &span[1]);
			mdr_text_span(&text[1], at, end, &span[2], &span[3]);
			wrong += span[0] != span[2] || span[1] != span[3];
		}
	}
	ok(wrong == 0, "vector and scalar paths agree");
}

typedef struct Pair
{
	const char *given;
	const char *folded;
} Pair;

static void
by_hand(void)
{
	static const Pair pairs[] = {
		{"Hello, World", "hello, world"},
		{" \t a \r\n  b\xC2\xA0\xE3\x80\x80", " a b "},
		{"\xEF\xBD\x8B\xEF\xBD\x89\xEF\xBD\x8C\xEF\xBD\x8C", "kill"},	/* full width */
		{"\xD0\xBAi\xD0\x86l", "kiil"},	/* Cyrillic k and I */
		{"\xF0\x9D\x93\xB4\xF0\x9D\x93\xB2\xF0\x9D\x93\xB5\xF0\x9D\x93\xB5", "kill"},	/* mathematical script */
		{"k\xE2\x80\x8Bi\xC2\xADl\xEF\xBB\xBFl\xE2\x80\x8D", "kill"},	/* zero-width, soft hyphen, BOM */
		{"k\x01i\x7Fll", "kill"},
		{"\xF0\x9F\x87\xB0\xF0\x9F\x85\xB8\xE2\x93\x9B\xE2\x92\xA7", "kill"},	/* flag, square, circle, parentheses */
		{"\xE1\xB4\x8B\xC9\xAA\xCA\x9F\xCA\x9F", "kill"},	/* small capitals */
		{"caf\xC3\xA9 cafe\xCC\x81 Stra\xC3\x9F" "e", "cafe cafe strasse"},
		{"\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82 \xCE\xA3\xCE\x8A\xCE\xA3\xCE\xA5\xCE\xA6\xCE\x9F\xCE\xA3",
		"oiou\xCF\x86oo oiou\xCF\x86oo"},	/* Greek, both cases alike */
		{"\xE8\x87\xBA\xE7\x81\xA3 \xE7\x88\x86\xE5\xBC\xBE \xE6\xAE\xBA\xE6\xAE\xBA", "\xE5\x8F\xB0\xE6\xB9\xBE \xE7\x88\x86\xE5\xBC\xB9 \xE6\x9D\x80\xE6\x9D\x80"},
		{"\xE3\x81\x8B\xE3\x82\x99\xE3\x81\x8B\xE3\x82\x9B\xE3\x81\x8C\xEF\xBD\xB6\xEF\xBE\x9E", "\xE3\x81\x8C\xE3\x81\x8C\xE3\x81\x8C\xE3\x82\xAC"},
		{"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8\xEA\xB0\x80\xE1\x86\xA8", "\xEA\xB0\x81\xEA\xB0\x81"},	/* Hangul in parts */
		{"\xD9\x83\xD9\x80\xD9\x8E\xD8\xAA\xD9\x8E\xD8\xA8", "\xD9\x83\xD8\xAA\xD8\xA8"},	/* Arabic, stretched and vowelled */
		{"\xD7\xA9\xD7\x81\xD6\xB8\xD7\x9C\xD7\x95\xD7\x9D", "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D"},	/* Hebrew, pointed */
		{"\xE0\xA4\x95\xE0\xA4\xBF\xE0\xA4\xA4\xE0\xA4\xBE\xE0\xA4\xAC", "\xE0\xA4\x95\xE0\xA4\xBF\xE0\xA4\xA4\xE0\xA4\xBE\xE0\xA4\xAC"},	/* Hindi vowels stay */
		{"\xE0\xB8\x94\xE0\xB9\x89\xE0\xB8\xB9", "\xE0\xB8\x94\xE0\xB8\xB9\xE0\xB9\x89"},	/* Thai vowel and tone, in order */
		{"\xD9\xA1\xE0\xA5\xA8", "12"},
		{"don\xE2\x80\x99t \xE2\x80\x9Cyes\xE2\x80\x9D \xE2\x80\x94 it\xC2\xB4s", "don't \"yes\" - it's"},
		{"a\x80" "b\xE4\xB8", "a\xEF\xBF\xBD" "b\xEF\xBF\xBD\xEF\xBF\xBD"},
		{"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
		{"I l 1 |", "i l 1 |"},
		{"", ""},
	};
	MdrText		text;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		mdr_arena_reset(arena);
		text = fold(pairs[i].given, strlen(pairs[i].given));
		if (!equal(&text, pairs[i].folded, strlen(pairs[i].folded)))
			complain("by hand", pairs[i].given, strlen(pairs[i].given), text.bytes, text.length, pairs[i].folded,
					 strlen(pairs[i].folded));
		ok(equal(&text, pairs[i].folded, strlen(pairs[i].folded)) && text.bytes[text.length] == '\0', pairs[i].folded);
	}
	text = fold("a\0b\0", 4);
	ok(equal(&text, "ab", 2), "zero bytes vanish like other control characters");
	text = fold("\xE5\xA4\xA7", 3);
	ok(text.has_han, "Han is a script without spaces");
	text = fold("\xE0\xB8\x81", 3);
	ok(text.has_han, "so is Thai");
	text = fold("caf\xC3\xA9", 5);
	ok(!text.has_han, "Latin is not");
	ok(mdr_text_fold_version() != 0 && mdr_text_fold_version() == mdr_text_fold_version(), "the fold has a version");
}

/* Every allocation that may fail does so once; the answer is MDR_NO_MEMORY, and the same text folds afterwards. */
static void
without_memory(void)
{
	static char text_given[40000];
	MdrText		text;
	uint32_t	length = 0;
	long		n;
	bool		clean = true;

	while (length < sizeof(text_given) - 400)
	{
		length += put(text_given + length, 0xFDFA);	/* 18 characters each */
		length += put(text_given + length, 0xE01);
		for (int k = 0; k < 40; k++)
			length += put(text_given + length, k % 2 == 0 ? 0xE48 : 0xE38);
		length += put(text_given + length, 0xFF);
	}
	for (n = 1;; n++)
	{
		MdrStatus	status;

		mdr_arena_reset(arena);
		mdr_test_fail_alloc(n);
		status = mdr_text_fold(arena, text_given, length, &text);
		mdr_test_fail_alloc(0);
		if (status == MDR_OK)
			break;
		clean = clean && status == MDR_NO_MEMORY;
	}
	printf("# %ld allocations\n", n - 1);
	ok(clean && n > 5, "each failing allocation is reported");
	ok(mdr_text_fold(arena, "", (size_t) 1 << 30, &text) == MDR_NO_MEMORY, "content is not folded from 2^30 bytes on");
}

/* Long and hostile content takes time in proportion to its length. */
static void
at_length(void)
{
	static const char *const pieces[] = {
		"word ", "\xE5\xA4\xA7", "\xE0\xB9\x88\xE0\xB8\xB8", "\xEF\xB7\xBA", "\xFF", "          ", "\xE3\x81\x8B\xE3\x82\x99", "a ", "1a", "@", "$1",
		"a.b ", "aaaa", "\xEF\xBC\xA1", "\xE2\x80\x8B", "a\xE2\x80\x8B", "x = y + ", "i", "\xE5\xA4\xA7 ", "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "-", "ab(", "|a"
	};
	const size_t length = 1024 * 1024;
	char	   *bytes = malloc(length);
	int			slow = 0;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
	{
		size_t		n = strlen(pieces[i]);
		double		seconds;
		MdrText		text;
		MdrText		view;
		clock_t		before = clock();

		for (size_t at = 0; at < length; at++)
			bytes[at] = pieces[i][at % n];
		mdr_arena_reset(arena);
		text = fold(bytes, length);
		for (MdrView which = MDR_VIEW_LEET; which <= MDR_VIEW_SQUEEZED; which++)
			(void) mdr_text_view(arena, &text, which, &view);
		seconds = (double) (clock() - before) / CLOCKS_PER_SEC;
		if (seconds > 5)
		{
			slow++;
			printf("# %.1f s for piece %zu\n", seconds, i);
		}
	}
	free(bytes);
	ok(slow == 0, "1 MB of anything take no more than seconds");
}

int
main(void)
{
	arena = mdr_arena_create(0);
	open_reference();
	by_hand();
	every_code_point();
	every_decomposition();
	random_strings();
	same_by_every_path();
	without_memory();
	at_length();
	mdr_arena_destroy(arena);
	return done();
}
