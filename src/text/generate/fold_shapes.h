/*
 * fold_shapes.h
 *		What a single character looks like: step 4 and 5 of fold_table.c, and the means that it shares with the others.
 *
 * Part of that one program, and apart from it only to keep the files short.  Errors: a message and exit status 1.
 */
#ifndef FOLD_SHAPES_H
#define FOLD_SHAPES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uscript.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <unicode/utrans.h>

#define LONGEST		32			/* code points in a replacement; U+FDFA has 18 */

typedef struct Sequence
{
	int			length;
	UChar32		at[LONGEST];
} Sequence;

static const UNormalizer2 *nfkc_casefold;
static const UNormalizer2 *nfd;
static const UNormalizer2 *nfkd;
static USpoofChecker *spoof;
static UTransliterator *to_simplified;
static Sequence ascii_skeleton[128];

static void
check(UErrorCode status, const char *what)
{
	if (U_FAILURE(status))
	{
		fprintf(stderr, "fold_table: %s: %s\n", what, u_errorName(status));
		exit(1);
	}
}

static void
append(Sequence *sequence, UChar32 c)
{
	if (sequence->length == LONGEST)
	{
		fprintf(stderr, "fold_table: a replacement is longer than %d\n", LONGEST);
		exit(1);
	}
	sequence->at[sequence->length++] = c;
}

static void
append_all(Sequence *sequence, const Sequence *more)
{
	for (int i = 0; i < more->length; i++)
		append(sequence, more->at[i]);
}

static bool
same(const Sequence *a, const Sequence *b)
{
	return a->length == b->length && memcmp(a->at, b->at, a->length * sizeof(UChar32)) == 0;
}

static Sequence
from_utf16(const UChar *units, int length)
{
	Sequence	result = {0};

	for (int i = 0; i < length;)
	{
		UChar32		c;

		U16_NEXT(units, i, length, c);
		append(&result, c);
	}
	return result;
}

static Sequence
normalize(const UNormalizer2 *normalizer, UChar32 c)
{
	UChar		in[2];
	UChar		out[LONGEST * 2];
	int			length = 0;
	UErrorCode	status = U_ZERO_ERROR;

	U16_APPEND_UNSAFE(in, length, c);
	length = unorm2_normalize(normalizer, in, length, out, LONGEST * 2, &status);
	check(status, "normalize");
	return from_utf16(out, length);
}

static bool
is_mark(UChar32 c)
{
	return (U_MASK(u_charType(c)) & (U_GC_MN_MASK | U_GC_ME_MASK)) != 0;
}

static UScriptCode
script_of(UChar32 c)
{
	UErrorCode	status = U_ZERO_ERROR;

	return uscript_getScript(c, &status);
}

/*
 * Marks that readers do without: accents of the European alphabets, Arabic and Hebrew vowel points and Syriac ones,
 * what belongs to no script, and the nukta of Devanagari and Gurmukhi, which many do not type.  Marks of other
 * scripts (Indic vowel signs and viramas, Thai vowels and tones, ...) stay, and so do the voiced marks of Kana.
 */
static bool
drops_mark(UChar32 c)
{
	if (!is_mark(c) || c == 0x3099 || c == 0x309A)
		return false;
	if (c == 0x093C || c == 0x0A3C)
		return true;
	switch (script_of(c))
	{
		case USCRIPT_COMMON:
		case USCRIPT_INHERITED:
		case USCRIPT_LATIN:
		case USCRIPT_GREEK:
		case USCRIPT_CYRILLIC:
		case USCRIPT_ARMENIAN:
		case USCRIPT_GEORGIAN:
		case USCRIPT_ARABIC:
		case USCRIPT_HEBREW:
		case USCRIPT_SYRIAC:
		case USCRIPT_COPTIC:
		case USCRIPT_GLAGOLITIC:
			return true;
		default:
			return false;
	}
}

/* The UTS #39 skeleton of one code point, less its marks. */
static Sequence
skeleton(UChar32 c)
{
	UChar		in[2];
	UChar		out[LONGEST * 2];
	int			length = 0;
	UErrorCode	status = U_ZERO_ERROR;
	Sequence	raw;
	Sequence	result = {0};

	U16_APPEND_UNSAFE(in, length, c);
	length = uspoof_getSkeleton(spoof, 0, in, length, out, LONGEST * 2, &status);
	check(status, "skeleton");
	raw = from_utf16(out, length);
	for (int i = 0; i < raw.length; i++)
	{
		if (!drops_mark(raw.at[i]))
			append(&result, raw.at[i]);
	}
	return result;
}

/* Lower-cases a sequence of one to three ASCII letters; false when it is anything else. */
static bool
is_latin(Sequence *sequence)
{
	if (sequence->length < 1 || sequence->length > 3)
		return false;
	for (int i = 0; i < sequence->length; i++)
	{
		UChar32		c = sequence->at[i] | 0x20;

		if (sequence->at[i] > 0x7F || c < 'a' || c > 'z')
			return false;
		sequence->at[i] = c;
	}
	return true;
}

/* Scripts whose letters are used to imitate Latin ones; the Latin script's own further letters are among them. */
static bool
imitates_latin(UScriptCode script)
{
	static const UScriptCode scripts[] = {
		USCRIPT_COMMON, USCRIPT_LATIN, USCRIPT_CYRILLIC, USCRIPT_GREEK, USCRIPT_ARMENIAN, USCRIPT_CHEROKEE,
		USCRIPT_COPTIC,
		USCRIPT_LISU, USCRIPT_CANADIAN_ABORIGINAL, USCRIPT_DESERET, USCRIPT_OSAGE, USCRIPT_OLD_ITALIC, USCRIPT_LYCIAN,
		USCRIPT_CARIAN, USCRIPT_LYDIAN, USCRIPT_WARANG_CITI, USCRIPT_TIFINAGH, USCRIPT_BAMUM, USCRIPT_GOTHIC
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
	{
		if (scripts[i] == script)
			return true;
	}
	return false;
}

/* The ASCII letter in a name such as LATIN SMALL LETTER D WITH STROKE or LATIN LETTER SMALL CAPITAL N, or 0. */
static UChar32
letter_by_name(UChar32 c)
{
	static const char *const prefixes[] = {"LATIN SMALL LETTER ", "LATIN LETTER SMALL CAPITAL ",
										   "LATIN SMALL LETTER DOTLESS "};
	char		name[128] = "";
	UErrorCode	status = U_ZERO_ERROR;

	u_charName(c, U_UNICODE_CHAR_NAME, name, sizeof(name), &status);
	if (strcmp(name, "LATIN SMALL LETTER ETH") == 0)
		return 'd';
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		size_t		length = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], length) == 0 && name[length] >= 'A' && name[length] <= 'Z' &&
			(name[length + 1] == '\0' || strncmp(name + length + 1, " WITH ", 6) == 0))
			return name[length] | 0x20;
	}
	return 0;
}

static Sequence
only(UChar32 c)
{
	Sequence	result = {1, {c}};

	return result;
}

/* A letter, already in lower case, to the Latin letters that it, or else its capital, looks like. */
static Sequence
fold_letter(UChar32 c)
{
	Sequence	like = skeleton(c);
	UChar32		named;

	if (same(&like, &ascii_skeleton['m']))
		return only('m');
	if (is_latin(&like))
		return like;
	if ((named = letter_by_name(c)) != 0)
		return only(named);
	if (like.length == 1 && (named = letter_by_name(like.at[0])) != 0)
		return only(named);
	like = skeleton(u_toupper(c));
	return is_latin(&like) ? like : only(c);
}

/* A mark of punctuation or a symbol to the ASCII one that it looks like; bullets to the middle dot; dashes to hyphens. */
static Sequence
fold_symbol(UChar32 c)
{
	Sequence	like = skeleton(c);

	for (UChar32 ascii = '!'; ascii < 0x7F; ascii++)
	{
		if (!u_isalnum(ascii) && ascii != '`' && same(&like, &ascii_skeleton[ascii]))
			return only(ascii);
	}
	if (like.length == 1 && like.at[0] == 0xB7)
		return like;
	return u_charType(c) == U_DASH_PUNCTUATION ? only('-') : only(c);
}

/* Han variants that Traditional-Simplified leaves alone, many of them Japanese: each before what it becomes. */
static const char variants[] =
	"妳你牠它祂他菸烟姦奸婬淫砲炮礮炮溼湿讎仇讐仇弾弹経经変变売卖読读戦战図图対对発发"
	"権权薬药歳岁歩步徳德黒黑亜亚悪恶圧压囲围隠隐栄荣営营駅驿円圆塩盐応应桜樱仮假価价"
	"拡扩覚觉楽乐巻卷関关歓欢気气帰归犠牺戯戏拠据挙举駆驱勲勋撃击県县倹俭剣剑険险検检"
	"顕显験验厳严広广効效鉱矿済济剤剂雑杂児儿実实釈释収收従从渋涩獣兽縦纵粛肃処处焼烧"
	"証证奨奖浄净剰剩畳叠縄绳壌壤嬢娘譲让醸酿穂穗髄髓瀬濑斉齐摂摄専专銭钱繊纤捜搜挿插"
	"巣巢総总聡聪荘庄蔵藏臓脏騒骚増增続续帯带択择沢泽単单団团遅迟鋳铸庁厅聴听逓递鉄铁"
	"転转伝传稲稻闘斗弐贰悩恼脳脑覇霸拝拜廃废髪发抜拔浜滨払拂仏佛並并辺边舗铺豊丰満满"
	"黙默訳译揺摇様样謡谣頼赖覧览竜龙両两猟猎緑绿塁垒涙泪霊灵齢龄暦历歴历錬炼労劳";

static UChar32
fold_variant(UChar32 c)
{
	for (int i = 0; variants[i] != '\0';)
	{
		UChar32		from;
		UChar32		to;

		U8_NEXT_UNSAFE(variants, i, from);
		U8_NEXT_UNSAFE(variants, i, to);
		if (from == c)
			return to;
	}
	return c;
}

static UChar32
simplify(UChar32 c)
{
	UChar		units[8];
	int32_t		length = 0;
	int32_t		limit;
	UErrorCode	status = U_ZERO_ERROR;
	Sequence	result;

	U16_APPEND_UNSAFE(units, length, c);
	limit = length;
	utrans_transUChars(to_simplified, units, &length, 8, 0, &limit, &status);
	check(status, "Traditional-Simplified");
	result = from_utf16(units, length);
	return result.length == 1 ? result.at[0] : c;
}

/* Two characters that ICU simplifies to one another become the first of them. */
static UChar32
fold_han(UChar32 c)
{
	UChar32		simple = simplify(c);
	UChar32		again = simplify(simple);

	if (again != simple && simplify(again) == simple)
		simple = again < simple ? again : simple;
	return fold_variant(simple);
}

/* Radicals of the CJK Radicals Supplement to the character that they are, where UTS #39 knows it. */
static Sequence
fold_radical(UChar32 c)
{
	Sequence	like = skeleton(c);

	return like.length == 1 && script_of(like.at[0]) == USCRIPT_HAN ? like : only(c);
}

/* Arabic letters that are typed for one another. */
static UChar32
fold_arabic(UChar32 c)
{
	switch (c)
	{
		case 0x0671:			/* alef wasla */
			return 0x0627;
		case 0x0649:			/* alef maksura */
		case 0x06CC:			/* Farsi yeh */
			return 0x064A;
		case 0x06A9:			/* keheh */
			return 0x0643;
		case 0x0629:			/* teh marbuta */
		case 0x06C1:			/* heh goal */
			return 0x0647;
		default:
			return c;
	}
}

/* Step 4 and 5, for one code point that is lower case, decomposed and no dropped mark. */
static Sequence
fold_shape(UChar32 c)
{
	uint32_t	category = U_MASK(u_charType(c));
	UScriptCode script = script_of(c);

	if (c < 0x80)
		return only(c);
	if (category & U_GC_ND_MASK)
		return only('0' + u_charDigitValue(c));
	if (script == USCRIPT_HAN)
		return category & U_GC_L_MASK ? only(fold_han(c)) : category & U_GC_SO_MASK ? fold_radical(c) : only(c);
	if (script == USCRIPT_ARABIC)
		return only(fold_arabic(c));
	if (category & U_GC_L_MASK)
		return imitates_latin(script) ? fold_letter(c) : only(c);
	if (category & (U_GC_P_MASK | U_GC_S_MASK))
		return fold_symbol(c);
	return only(c);
}

#endif							/* FOLD_SHAPES_H */
