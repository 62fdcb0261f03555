/*
 * text_reference.h
 *		The fold written a second time, for text_fold.c to compare with: slow, and of ICU's functions only.
 *
 * It folds whole strings, step by step, with ICU's functions and sets of characters, and shares nothing with the
 * generator of the table but the decisions, which are written down in text.h and in the generator's head.  Han
 * variants of our own are not among them.
 */
#ifndef TEXT_REFERENCE_H
#define TEXT_REFERENCE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uset.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

#define MOST	4096			/* code units in a reference string */

static void
die(const char *what, UErrorCode status)
{
	if (U_FAILURE(status))
	{
		printf("Bail out! %s: %s\n", what, u_errorName(status));
		exit(1);
	}
}

typedef struct String
{
	UChar		at[MOST];
	int32_t		n;
} String;

static const UNormalizer2 *nfc, *nfd, *nfkd, *casefold;
static USpoofChecker *spoof;
static UTransliterator *simplify;
static USet *vanishing, *dropped, *latin_like, *syllables;

static USet *
set_of(const UChar *pattern)
{
	UErrorCode	status = U_ZERO_ERROR;
	USet	   *set = uset_openPattern(pattern, -1, &status);

	die("set", status);
	uset_freeze(set);
	return set;
}

static void
open_reference(void)
{
	UErrorCode	status = U_ZERO_ERROR;

	nfc = unorm2_getNFCInstance(&status);
	nfd = unorm2_getNFDInstance(&status);
	nfkd = unorm2_getNFKDInstance(&status);
	casefold = unorm2_getNFKCCasefoldInstance(&status);
	spoof = uspoof_open(&status);
	simplify = utrans_openU(u"Hant-Hans", -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
	die("ICU", status);
	vanishing = set_of(u"[[[:Cc:]-[:White_Space:]][:Cf:][:Default_Ignorable_Code_Point:]\\u0640]");
	dropped = set_of(u"[[[[[:Mn:][:Me:]]&[[:sc=Zyyy:][:sc=Zinh:][:sc=Latn:][:sc=Grek:][:sc=Cyrl:][:sc=Armn:][:sc=Geor:][:sc=Arab:]"
					 u"[:sc=Hebr:][:sc=Syrc:][:sc=Copt:][:sc=Glag:]]][\\u093C\\u0A3C]]-[\\u3099\\u309A]]");
	latin_like = set_of(u"[[:L:]&[[:sc=Zyyy:][:sc=Latn:][:sc=Cyrl:][:sc=Grek:][:sc=Armn:][:sc=Cher:][:sc=Copt:][:sc=Lisu:][:sc=Cans:]"
						u"[:sc=Dsrt:][:sc=Osge:][:sc=Ital:][:sc=Lyci:][:sc=Cari:][:sc=Lydi:][:sc=Wara:][:sc=Tfng:][:sc=Bamu:][:sc=Goth:]]]");
	syllables = set_of(u"[[:sc=Hang:][:sc=Hira:][:sc=Kana:]\\u3099\\u309A]");
}

static void
add(String *string, UChar32 c)
{
	if (string->n + 2 > MOST)
		die("string too long", U_BUFFER_OVERFLOW_ERROR);
	U16_APPEND_UNSAFE(string->at, string->n, c);
}

static void
add_ascii(String *string, const char *text)
{
	while (*text != '\0')
		add(string, *text++);
}

static void
normalize(const UNormalizer2 *form, String *string)
{
	String		result;
	UErrorCode	status = U_ZERO_ERROR;

	result.n = unorm2_normalize(form, string->at, string->n, result.at, MOST, &status);
	die("normalize", status);
	*string = result;
}

static void
remove_all(const USet *set, String *string)
{
	String		result;

	result.n = 0;
	for (int32_t i = 0; i < string->n;)
	{
		UChar32		c;

		U16_NEXT(string->at, i, string->n, c);
		if (!uset_contains(set, c))
			add(&result, c);
	}
	*string = result;
}

/* The skeleton of c as UTF-8, without marks. */
static void
skeleton_of(UChar32 c, char *bytes, int32_t size)
{
	String		string;
	String		raw;
	UErrorCode	status = U_ZERO_ERROR;

	raw.n = 0;
	add(&raw, c);
	string.n = uspoof_getSkeleton(spoof, 0, raw.at, raw.n, string.at, MOST, &status);
	remove_all(dropped, &string);
	u_strToUTF8(bytes, size, NULL, string.at, string.n, &status);
	die("skeleton", status);
}

static bool
all_latin(char *bytes)
{
	size_t		n = strlen(bytes);

	for (size_t i = 0; i < n; i++)
	{
		if (bytes[i] >= 'A' && bytes[i] <= 'Z')
			bytes[i] += 32;
		if (bytes[i] < 'a' || bytes[i] > 'z')
			return false;
	}
	return n >= 1 && n <= 3;
}

static char
named_letter(UChar32 c)
{
	char		name[200] = "";
	char		letter = 0;
	char		rest[200] = "";
	UErrorCode	status = U_ZERO_ERROR;

	u_charName(c, U_UNICODE_CHAR_NAME, name, sizeof(name), &status);
	if (strcmp(name, "LATIN SMALL LETTER ETH") == 0)
		return 'd';
	if (sscanf(name, "LATIN SMALL LETTER DOTLESS %c%199[^\n]", &letter, rest) < 1 &&
		sscanf(name, "LATIN SMALL LETTER %c%199[^\n]", &letter, rest) < 1 &&
		sscanf(name, "LATIN LETTER SMALL CAPITAL %c%199[^\n]", &letter, rest) < 1)
		return 0;
	return rest[0] == '\0' || strncmp(rest, " WITH ", 6) == 0 ? u_tolower(letter) : 0;
}

static void
shape_letter(UChar32 c, String *result)
{
	char		like[100];
	UChar32		single;
	int32_t		i = 0;

	skeleton_of(c, like, sizeof(like));
	if (strcmp(like, "rn") == 0)
	{
		add(result, 'm');
		return;
	}
	if (all_latin(like))
	{
		add_ascii(result, like);
		return;
	}
	U8_NEXT(like, i, -1, single);
	if (named_letter(c) != 0)
		add(result, named_letter(c));
	else if (like[i] == '\0' && named_letter(single) != 0)
		add(result, named_letter(single));
	else
	{
		skeleton_of(u_toupper(c), like, sizeof(like));
		if (all_latin(like))
			add_ascii(result, like);
		else
			add(result, c);
	}
}

static void
shape_sign(UChar32 c, String *result)
{
	char		like[100];

	skeleton_of(c, like, sizeof(like));
	if (strcmp(like, "''") == 0)
		add(result, '"');
	else if (strcmp(like, "l") == 0)
		add(result, '|');
	else if (strcmp(like, "\xC2\xBA/\xE2\x82\x80") == 0)
		add(result, '%');
	else if (like[0] != '\0' && like[1] == '\0' && like[0] > ' ' && !u_isalnum(like[0]))
		add(result, like[0]);
	else if (strcmp(like, "\xC2\xB7") == 0)
		add(result, 0xB7);
	else if (u_charType(c) == U_DASH_PUNCTUATION)
		add(result, '-');
	else
		add(result, c);
}

static UChar32
simplified(UChar32 c)
{
	UChar		units[8];
	int32_t		n = 0;
	int32_t		limit;
	int32_t		i = 0;
	UErrorCode	status = U_ZERO_ERROR;

	U16_APPEND_UNSAFE(units, n, c);
	limit = n;
	utrans_transUChars(simplify, units, &n, 8, 0, &limit, &status);
	die("simplify", status);
	U16_NEXT(units, i, n, c);
	return c;
}

/* Han by ICU alone: the test leaves the table's own variants to variants_hold(). */
static UChar32
shape_han(UChar32 c)
{
	UErrorCode	status = U_ZERO_ERROR;
	char		like[100];
	UChar32		single;
	int32_t		i = 0;

	if (c == 0x82CE || c == 0x82E7)
		return 0x82CE;			/* ICU sends each to the other */
	if (u_charType(c) == U_OTHER_LETTER)
		return simplified(c) == 0x82E7 ? 0x82CE : simplified(c);
	skeleton_of(c, like, sizeof(like));
	U8_NEXT(like, i, -1, single);
	return u_charType(c) == U_OTHER_SYMBOL && like[i] == '\0' &&
		uscript_getScript(single, &status) == USCRIPT_HAN ? single : c;
}

static void
shape(UChar32 c, String *result)
{
	static const UChar32 arabic[][2] = {{0x671, 0x627}, {0x649, 0x64A}, {0x6CC, 0x64A}, {0x6A9, 0x643},
										{0x629, 0x647}, {0x6C1, 0x647}};
	UErrorCode	status = U_ZERO_ERROR;
	UScriptCode script = uscript_getScript(c, &status);

	for (size_t i = 0; i < sizeof(arabic) / sizeof(arabic[0]); i++)
	{
		if (arabic[i][0] == c)
			c = arabic[i][1];
	}
	if (u_isUWhiteSpace(c))
		add(result, ' ');
	else if (c < 0x80)
		add(result, u_tolower(c));
	else if (u_charType(c) == U_DECIMAL_DIGIT_NUMBER)
		add(result, '0' + u_charDigitValue(c));
	else if (script == USCRIPT_HAN)
		add(result, shape_han(c));
	else if (script == USCRIPT_ARABIC)
		add(result, c);
	else if (uset_contains(latin_like, c))
		shape_letter(c, result);
	else if (u_ispunct(c) || (U_MASK(u_charType(c)) & U_GC_S_MASK))
		shape_sign(c, result);
	else
		add(result, c);
}

/* Readings that are not ICU's; whether c has one. */
static bool
reads_otherwise(UChar32 c, String *result)
{
	static const struct
	{
		UChar32		first, last;
	}			letters[] = {{0x1F1E6, 0x1F1FF}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}, {0x1F110, 0x1F129},
							 {0x249C, 0x24B5}};
	String		parts;
	char		like[100];

	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
	{
		if (c >= letters[i].first && c <= letters[i].last)
		{
			add(result, 'a' + c - letters[i].first);
			return true;
		}
	}
	if (c == 0x309B || c == 0xFF9E || c == 0x309C || c == 0xFF9F)
	{
		add(result, c == 0x309B || c == 0xFF9E ? 0x3099 : 0x309A);
		return true;
	}
	if (u_isUWhiteSpace(c))
		return false;
	parts.n = 0;
	add(&parts, c);
	normalize(nfkd, &parts);
	if (parts.n < 2 || parts.at[0] != ' ')
		return false;
	for (int32_t i = 1; i < parts.n; i++)
	{
		if (u_charType(parts.at[i]) != U_NON_SPACING_MARK)
			return false;
	}
	skeleton_of(c, like, sizeof(like));
	if (strcmp(like, "'") == 0)
		add(result, '\'');
	return true;
}

static void
reference_pass(String *string)
{
	String		result;

	result.n = 0;
	remove_all(vanishing, string);
	for (int32_t i = 0; i < string->n;)
	{
		UChar32		c;

		U16_NEXT(string->at, i, string->n, c);
		if (!reads_otherwise(c, &result))
			add(&result, u_isUWhiteSpace(c) ? ' ' : c);
	}
	normalize(nfd, &result);
	remove_all(dropped, &result);
	normalize(casefold, &result);
	normalize(nfd, &result);
	remove_all(dropped, &result);
	string->n = 0;
	for (int32_t i = 0; i < result.n;)
	{
		UChar32		c;

		U16_NEXT(result.at, i, result.n, c);
		shape(c, string);
	}
}

/* Composes Hangul and Kana, and nothing else: NFC of stretches of them and of the marks behind them. */
static void
compose_syllables(String *string)
{
	String		result;

	result.n = 0;
	normalize(nfd, string);
	for (int32_t i = 0; i < string->n;)
	{
		String		stretch;
		UChar32		c;
		int32_t		next = i;

		stretch.n = 0;
		U16_NEXT(string->at, next, string->n, c);
		if (!uset_contains(syllables, c))
		{
			add(&result, c);
			i = next;
			continue;
		}
		while (uset_contains(syllables, c) || u_getCombiningClass(c) != 0)
		{
			add(&stretch, c);
			i = next;
			if (i == string->n)
				break;
			U16_NEXT(string->at, next, string->n, c);
		}
		normalize(nfc, &stretch);
		for (int32_t k = 0; k < stretch.n; k++)
			result.at[result.n++] = stretch.at[k];
	}
	*string = result;
}

/* Folds valid or invalid UTF-8 as text.h says; the result's length. */
static uint32_t
reference(const char *given, uint32_t length, char *out, int32_t size)
{
	String		string;
	String		last;
	int32_t		n = 0;
	UErrorCode	status = U_ZERO_ERROR;

	string.n = 0;
	for (uint32_t i = 0; i < length;)
	{
		int32_t		next = i;
		UChar32		c;

		U8_NEXT(given, next, (int32_t) length, c);
		if (c < 0)
			next = i + 1;
		add(&string, c < 0 ? 0xFFFD : c);
		i = next;
	}
	do
	{
		last = string;
		reference_pass(&string);
	} while (string.n != last.n || u_memcmp(string.at, last.at, last.n) != 0);
	compose_syllables(&string);
	last = string;
	string.n = 0;
	for (int32_t i = 0; i < last.n; i++)
	{
		if (last.at[i] != ' ' || string.n == 0 || string.at[string.n - 1] != ' ')
			string.at[string.n++] = last.at[i];
	}
	u_strToUTF8(out, size, &n, string.at, string.n, &status);
	die("UTF-8", status);
	return n;
}

#endif							/* TEXT_REFERENCE_H */
