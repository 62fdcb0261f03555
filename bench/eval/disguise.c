/*
 * disguise.c
 *		Puts disguises on texts; disguise.h says which words wear them.
 *
 * Input: UTF-8.  Output: UTF-8 in the caller's arena.  Locks: none; tables are made at the first use.  On error: no disguise.
 */
#include "disguise.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utrans.h>
#include <unicode/utf8.h>
#include <unicode/utf16.h>

#define LEAST_LETTERS 4			/* of a word that wears a disguise */
#define LONGEST_WORD 64			/* what is longer is no word */

typedef struct Writer
{
	char	   *bytes;
	size_t		length;
	uint32_t	changes;
} Writer;

/* Writes a word, or a pair of Han characters, in its disguise. */
typedef void (*Dress) (Writer *out, const UChar32 *word, int length);

static void
put(Writer *out, UChar32 c)
{
	U8_APPEND_UNSAFE(out->bytes, out->length, c);
}

/* Writes something else than the word's own character. */
static void
put_changed(Writer *out, UChar32 c)
{
	put(out, c);
	out->changes++;
}

/* What stands for an ASCII letter in either case, or 0. */
static UChar32
in_pairs(const UChar32 *pairs, UChar32 c)
{
	for (; *pairs != 0; pairs += 2)
		if (pairs[0] == c)
			return pairs[1];
	return 0;
}

static void
replace(Writer *out, const UChar32 *word, int length, const UChar32 *pairs)
{
	for (int i = 0; i < length; i++)
	{
		UChar32		other = in_pairs(pairs, word[i]);

		if (other == 0)
			other = in_pairs(pairs, u_tolower(word[i]));
		if (other != 0)
			put_changed(out, other);
		else
			put(out, word[i]);
	}
}

/* The same sign, or several in turn, between all letters. */
static void
spread(Writer *out, const UChar32 *word, int length, const UChar32 *signs, int nsigns)
{
	for (int i = 0; i < length; i++)
	{
		if (i > 0)
			put_changed(out, signs[(i - 1) % nsigns]);
		put(out, word[i]);
	}
}

static void
dress_leet_digits(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 pairs[] = {'a', '4', 'e', '3', 'i', '1', 'o', '0', 0};

	replace(out, word, length, pairs);
}

static void
dress_leet_signs(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 pairs[] = {'a', '@', 's', '$', 'i', '!', 0};

	replace(out, word, length, pairs);
}

static void
dress_look_alikes(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 pairs[] = {
		'a', 0x430, 'c', 0x441, 'e', 0x435, 'i', 0x456, 'j', 0x458, 'k', 0x3BA, 'o', 0x3BF, 'p', 0x440, 's', 0x455, 'v', 0x3BD, 'x', 0x445,
		'y', 0x443, 'A', 0x410, 'B', 0x412, 'C', 0x421, 'E', 0x395, 'H', 0x41D, 'I', 0x399, 'K', 0x41A, 'M', 0x39C, 'N', 0x39D, 'O', 0x41E,
		'P', 0x420, 'S', 0x405, 'T', 0x422, 'X', 0x425, 'Y', 0x3A5, 'Z', 0x396, 0
	};

	replace(out, word, length, pairs);
}

static void
dress_accents(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 pairs[] = {
		'a', 0xE1, 'c', 0xE7, 'e', 0xEB, 'i', 0xEF, 'n', 0xF1, 'o', 0xF4, 's', 0x161, 'u', 0xFC, 'y', 0xFD, 'z', 0x17E, 0
	};

	replace(out, word, length, pairs);
}

static void
dress_marks(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 marks[] = {0x336, 0x301, 0x308, 0x323};

	for (int i = 0; i < length; i++)
	{
		put(out, word[i]);
		put_changed(out, marks[i % 4]);
	}
}

static void
dress_full_width(Writer *out, const UChar32 *word, int length)
{
	for (int i = 0; i < length; i++)
		if (word[i] > ' ' && word[i] < 0x7F)
			put_changed(out, word[i] - '!' + 0xFF01);
		else
			put(out, word[i]);
}

/* Alphabets that Unicode has once more, in order. */
static void
shift_letters(Writer *out, const UChar32 *word, int length, UChar32 capital, UChar32 small)
{
	for (int i = 0; i < length; i++)
		if (word[i] >= 'A' && word[i] <= 'Z')
			put_changed(out, word[i] - 'A' + capital);
		else if (word[i] >= 'a' && word[i] <= 'z')
			put_changed(out, word[i] - 'a' + small);
		else
			put(out, word[i]);
}

static void
dress_mathematical(Writer *out, const UChar32 *word, int length)
{
	shift_letters(out, word, length, 0x1D5D4, 0x1D5EE);
}

static void
dress_circled(Writer *out, const UChar32 *word, int length)
{
	shift_letters(out, word, length, 0x24B6, 0x24D0);
}

static void
dress_mixed_case(Writer *out, const UChar32 *word, int length)
{
	for (int i = 0; i < length; i++)
	{
		UChar32		other = i % 2 ? u_toupper(word[i]) : u_tolower(word[i]);

		put(out, other);
		out->changes += other != word[i];
	}
}

static void
dress_zero_width(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 signs[] = {0x200B, 0x200D, 0x2060, 0x200C};

	spread(out, word, length, signs, 4);
}

static void
dress_soft_hyphens(Writer *out, const UChar32 *word, int length)
{
	spread(out, word, length, (const UChar32[]) {0xAD}, 1);
}

static void
dress_spaces(Writer *out, const UChar32 *word, int length)
{
	spread(out, word, length, (const UChar32[]) {' '}, 1);
}

static void
dress_dots(Writer *out, const UChar32 *word, int length)
{
	spread(out, word, length, (const UChar32[]) {'.'}, 1);
}

static void
dress_dashes(Writer *out, const UChar32 *word, int length)
{
	spread(out, word, length, (const UChar32[]) {'-'}, 1);
}

static void
dress_stars(Writer *out, const UChar32 *word, int length)
{
	put_changed(out, '*');
	spread(out, word, length, (const UChar32[]) {'*'}, 1);
	put(out, '*');
}

static void
dress_signs(Writer *out, const UChar32 *word, int length)
{
	static const UChar32 signs[] = {'*', '.', '-', '_', '|', 0xB7, '/', '~'};

	spread(out, word, length, signs + out->changes % 8, 1);
}

static void
dress_wide_spaces(Writer *out, const UChar32 *word, int length)
{
	spread(out, word, length, (const UChar32[]) {0x3000}, 1);
}

static bool
is_vowel(UChar32 c)
{
	return c < 0x7F && c > ' ' && strchr("aeiouAEIOU", (int) c) != NULL;
}

/* The last vowel four times, or the last letter. */
static void
dress_stretched(Writer *out, const UChar32 *word, int length)
{
	int			which = length - 1;

	while (which > 0 && !is_vowel(word[which]))
		which--;
	if (which == 0)
		which = length - 1;
	for (int i = 0; i < length; i++)
	{
		put(out, word[i]);
		for (int j = 0; i == which && j < 3; j++)
			put_changed(out, word[i]);
	}
}

static void
dress_dropped_vowels(Writer *out, const UChar32 *word, int length)
{
	for (int i = 0; i < length; i++)
		if (i > 0 && i < length - 1 && is_vowel(word[i]))
			out->changes++;
		else
			put(out, word[i]);
}

/* The two letters in the middle. */
static void
dress_swapped(Writer *out, const UChar32 *word, int length)
{
	int			middle = length / 2;

	for (int i = 0; i < length; i++)
		put(out, i == middle - 1 ? word[middle] : i == middle ? word[middle - 1] : word[i]);
	out->changes += word[middle] != word[middle - 1];
}

static void
dress_doubled(Writer *out, const UChar32 *word, int length)
{
	int			which = length / 2;

	for (int i = 0; i < length; i++)
	{
		put(out, word[i]);
		if (i == which)
			put_changed(out, word[i]);
	}
}

/* ---- Han ---- */

#define FIRST_HAN 0x4E00
#define LAST_HAN 0x9FFF
#define NHAN (LAST_HAN - FIRST_HAN + 1)

static UChar32 traditional[NHAN];	/* 0 = no other */
static UChar32 compatible[NHAN];	/* a character whose compatibility form this is */
static UChar32 homophone[NHAN];
static char pinyin[NHAN][8];

/* One character through a transliterator; its result in UTF-16, or 0. */
static int32_t
transliterate(UTransliterator *through, UChar32 c, UChar *buffer, int32_t room)
{
	UErrorCode	error = U_ZERO_ERROR;
	int32_t		length = 0;
	int32_t		limit;

	U16_APPEND_UNSAFE(buffer, length, c);
	limit = length;
	utrans_transUChars(through, buffer, &length, room, 0, &limit, &error);
	return U_SUCCESS(error) ? length : 0;
}

static UTransliterator *
open_transliterator(const char *name)
{
	UErrorCode	error = U_ZERO_ERROR;
	UChar		id[64];
	int			i = 0;

	for (; name[i] != '\0'; i++)
		id[i] = (UChar) name[i];
	return utrans_openU(id, i, UTRANS_FORWARD, NULL, 0, NULL, &error);
}

static void
make_traditional(void)
{
	UTransliterator *through = open_transliterator("Simplified-Traditional");
	UChar		buffer[16];

	for (UChar32 c = FIRST_HAN; through != NULL && c <= LAST_HAN; c++)
		if (transliterate(through, c, buffer, 16) == 1 && buffer[0] != (UChar) c)
			traditional[c - FIRST_HAN] = buffer[0];
	utrans_close(through);
}

/* Kangxi radicals and compatibility ideographs, which look like the character that they are normalised to. */
static void
make_compatible(void)
{
	static const UChar32 ranges[][2] = {{0x2F800, 0x2FA1D}, {0xF900, 0xFAD9}, {0x2F00, 0x2FD5}};
	UErrorCode	error = U_ZERO_ERROR;
	const UNormalizer2 *normalizer = unorm2_getNFKCInstance(&error);

	for (int i = 0; i < 3; i++)
		for (UChar32 c = ranges[i][0]; c <= ranges[i][1]; c++)
		{
			UChar		buffer[16];
			UErrorCode	failed = U_ZERO_ERROR;
			int32_t		length = unorm2_getRawDecomposition(normalizer, c, buffer, 16, &failed);

			if (U_SUCCESS(failed) && length == 1 && buffer[0] >= FIRST_HAN && buffer[0] <= LAST_HAN)
				compatible[buffer[0] - FIRST_HAN] = c;
		}
}

/* Pinyin without tones, and as a homophone the next of the commonest characters that sounds the same. */
static void
make_pinyin(void)
{
	static const char *const common =
		"的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分"
		"还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等"
		"产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反"
		"受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边"
		"死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔杀沙鲨傻莎炸诈榨渣独读毒赌嘟都草操曹糙枪抢强腔抢死四司丝思色涩瑟色黄皇煌荒晃伤商赏尚";
	UTransliterator *through = open_transliterator("Han-Latin; Latin-ASCII; Lower");
	UChar		buffer[64];
	size_t		length = strlen(common);

	for (UChar32 c = FIRST_HAN; through != NULL && c <= LAST_HAN; c++)
	{
		int32_t		n = transliterate(through, c, buffer, 64);

		for (int32_t i = 0; i < n && n < 8; i++)
			pinyin[c - FIRST_HAN][i] = buffer[i] >= 'a' && buffer[i] <= 'z' ? (char) buffer[i] : '\0';
	}
	utrans_close(through);
	for (UChar32 c = FIRST_HAN; c <= LAST_HAN; c++)
		for (size_t i = 0; i < length && homophone[c - FIRST_HAN] == 0 && pinyin[c - FIRST_HAN][0] != '\0';)
		{
			UChar32		other;

			U8_NEXT_UNSAFE(common, i, other);
			if (other != c && strcmp(pinyin[c - FIRST_HAN], pinyin[other - FIRST_HAN]) == 0)
				homophone[c - FIRST_HAN] = other;
		}
}

static void
put_other(Writer *out, const UChar32 *word, int length, const UChar32 *table)
{
	for (int i = 0; i < length; i++)
	{
		UChar32		other = word[i] >= FIRST_HAN && word[i] <= LAST_HAN ? table[word[i] - FIRST_HAN] : 0;

		if (other != 0)
			put_changed(out, other);
		else
			put(out, word[i]);
	}
}

static void
dress_traditional(Writer *out, const UChar32 *word, int length)
{
	put_other(out, word, length, traditional);
}

static void
dress_compatible(Writer *out, const UChar32 *word, int length)
{
	put_other(out, word, length, compatible);
}

static void
dress_homophones(Writer *out, const UChar32 *word, int length)
{
	put_other(out, word, length, homophone);
}

static void
dress_pinyin(Writer *out, const UChar32 *word, int length)
{
	for (int i = 0; i < length; i++)
	{
		const char *sound = word[i] >= FIRST_HAN && word[i] <= LAST_HAN ? pinyin[word[i] - FIRST_HAN] : "";

		if (*sound == '\0')
			put(out, word[i]);
		for (; *sound != '\0'; sound++)
			put_changed(out, *sound);
	}
}

/* ---- which words ---- */

static const struct
{
	Disguise	disguise;
	Dress		letters;
	Dress		han;
	bool		all_han;		/* all characters rather than every other pair */
}			kinds[] = {
	{{"leet digits", DISGUISES_LETTERS, false}, dress_leet_digits, NULL, false},
	{{"leet signs", DISGUISES_LETTERS, false}, dress_leet_signs, NULL, false},
	{{"look-alike letters", DISGUISES_LETTERS, false}, dress_look_alikes, NULL, false},
	{{"accents", DISGUISES_LETTERS, false}, dress_accents, NULL, false},
	{{"combining marks", DISGUISES_LETTERS | DISGUISES_HAN, false}, dress_marks, dress_marks, false},
	{{"full width", DISGUISES_LETTERS, false}, dress_full_width, NULL, false},
	{{"mathematical letters", DISGUISES_LETTERS, false}, dress_mathematical, NULL, false},
	{{"circled letters", DISGUISES_LETTERS, false}, dress_circled, NULL, false},
	{{"mixed case", DISGUISES_LETTERS, false}, dress_mixed_case, NULL, false},
	{{"zero-width characters", DISGUISES_LETTERS | DISGUISES_HAN, false}, dress_zero_width, dress_zero_width, false},
	{{"soft hyphens", DISGUISES_LETTERS, false}, dress_soft_hyphens, NULL, false},
	{{"spaces", DISGUISES_LETTERS | DISGUISES_HAN, false}, dress_spaces, dress_spaces, false},
	{{"dots", DISGUISES_LETTERS, false}, dress_dots, NULL, false},
	{{"dashes", DISGUISES_LETTERS, false}, dress_dashes, NULL, false},
	{{"stars", DISGUISES_LETTERS, false}, dress_stars, NULL, false},
	{{"stretched letters", DISGUISES_LETTERS, false}, dress_stretched, NULL, false},
	{{"signs", DISGUISES_HAN, false}, NULL, dress_signs, false},
	{{"wide spaces", DISGUISES_HAN, false}, NULL, dress_wide_spaces, false},
	{{"traditional characters", DISGUISES_HAN, false}, NULL, dress_traditional, true},
	{{"compatibility characters", DISGUISES_HAN, false}, NULL, dress_compatible, true},
	{{"dropped vowels", DISGUISES_LETTERS, true}, dress_dropped_vowels, NULL, false},
	{{"swapped letters", DISGUISES_LETTERS, true}, dress_swapped, NULL, false},
	{{"doubled letters", DISGUISES_LETTERS, true}, dress_doubled, NULL, false},
	{{"homophones", DISGUISES_HAN, true}, NULL, dress_homophones, false},
	{{"pinyin", DISGUISES_HAN, true}, NULL, dress_pinyin, false},
};

static const char *const function_words[] = {
	"about", "above", "after", "again", "against", "also", "although", "always", "another", "anyone", "anything", "because", "been", "before",
	"being", "below", "between", "both", "cannot", "could", "does", "doing", "done", "down", "during", "each", "either", "else", "even", "ever",
	"every", "everyone", "everything", "from", "further", "have", "having", "hence", "here", "hers", "herself", "himself", "however", "into",
	"itself", "just", "like", "many", "might", "mine", "more", "most", "much", "must", "myself", "neither", "never", "nobody", "none", "nothing",
	"often", "once", "only", "other", "others", "ought", "ours", "ourselves", "over", "perhaps", "please", "quite", "rather", "same", "shall",
	"should", "since", "some", "someone", "something", "still", "such", "than", "that", "their", "theirs", "them", "themselves", "then", "there",
	"therefore", "these", "they", "this", "those", "though", "through", "thus", "unless", "until", "upon", "very", "were", "what", "whatever",
	"when", "where", "whether", "which", "while", "whom", "whose", "will", "with", "within", "without", "would", "your", "yours", "yourself",
	"yourselves"
};

static bool
is_han(UChar32 c)
{
	return c >= FIRST_HAN && c <= LAST_HAN;
}

bool
disguise_content_word(const char *word)
{
	if (strlen(word) < LEAST_LETTERS)
		return false;
	for (size_t i = 0; i < sizeof(function_words) / sizeof(function_words[0]); i++)
		if (strcmp(function_words[i], word) == 0)
			return false;
	return true;
}

static bool
is_content_word(const UChar32 *word, int length)
{
	char		lower[LONGEST_WORD + 1];

	if (length < LEAST_LETTERS || length > LONGEST_WORD)
		return false;
	for (int i = 0; i < length; i++)
		lower[i] = word[i] < 0x80 ? (char) u_tolower(word[i]) : '?';
	lower[length] = '\0';
	return disguise_content_word(lower);
}

static void
copy(Writer *out, const UChar32 *characters, int length)
{
	for (int i = 0; i < length; i++)
		put(out, characters[i]);
}

/* Letters spread by spaces stand between wider gaps, or nobody could say where words end. */
static void
widen_gap(Writer *out, Dress dress)
{
	if (dress == dress_spaces && out->length > 0 && out->bytes[out->length - 1] == ' ')
		put(out, ' ');
}

static int
write_letters(Writer *out, Dress dress, const UChar32 *text, int length)
{
	int			n = 1;

	while (n < length && u_isalpha(text[n]) && !is_han(text[n]))
		n++;
	if (dress == NULL || !is_content_word(text, n))
	{
		copy(out, text, n);
		return n;
	}
	widen_gap(out, dress);
	dress(out, text, n);
	if (dress == dress_spaces && n < length && text[n] == ' ')
		put(out, ' ');
	return n;
}

static int
write_han(Writer *out, Dress dress, bool all, const UChar32 *text, int length)
{
	int			n = 1;

	while (n < length && is_han(text[n]))
		n++;
	if (dress == NULL)
		copy(out, text, n);
	else if (all)
		dress(out, text, n);
	else
		for (int i = 0; i < n; i += 2)
			if (i % 4 == 0 && i + 1 < n)
				dress(out, text + i, 2);
			else
				copy(out, text + i, n - i > 1 ? 2 : 1);
	return n;
}

uint32_t
disguise_count(void)
{
	return sizeof(kinds) / sizeof(kinds[0]);
}

const Disguise *
disguise_kind(uint32_t kind)
{
	return &kinds[kind].disguise;
}

void
disguise_prepare(void)
{
	static bool made;

	if (made)
		return;
	make_traditional();
	make_compatible();
	make_pinyin();
	made = true;
}

bool
disguise_put_on(MdrArena *arena, uint32_t kind, const char *text, size_t length, char **out, uint32_t *out_length)
{
	UChar32    *characters = mdr_alloc_array(arena, length + 1, sizeof(UChar32));
	Writer		writer = {.bytes = mdr_alloc_array(arena, length + 1, 16)};
	int			n = 0;

	if (characters == NULL || writer.bytes == NULL)
		return false;
	for (size_t i = 0; i < length;)
	{
		U8_NEXT_OR_FFFD(text, i, length, characters[n]);
		n++;
	}
	for (int i = 0; i < n;)
	{
		if (is_han(characters[i]))
			i += write_han(&writer, kinds[kind].han, kinds[kind].all_han, characters + i, n - i);
		else if (u_isalpha(characters[i]))
			i += write_letters(&writer, kinds[kind].letters, characters + i, n - i);
		else
			put(&writer, characters[i++]);
	}
	writer.bytes[writer.length] = '\0';
	*out = writer.bytes;
	*out_length = (uint32_t) writer.length;
	return writer.changes > 0;
}
