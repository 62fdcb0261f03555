/*
 * fold_table.c
 *		Writes the table that src/text/text_fold.c folds with, from ICU's data, as a C header to standard output.
 *
 * Runs while building; ICU's tables are not needed for folding at run time.  For each code point, in this order:
 *
 *	1. White space becomes a space; other control characters and default ignorables (zero-width characters, variation
 *	   selectors, tags, bidi controls) vanish.  A few characters have readings of their own: see special().
 *	2. Canonical decomposition, and combining marks dropped, except where they carry vowels or meaning: drops_mark().
 *	3. NFKC_Casefold (Unicode Standard, section 3.13), canonical decomposition, marks dropped again.
 *	4. Decimal digits of every script to ASCII; letters to the Latin letter that they look like (UTS #39 skeleton, or
 *	   by their name: small capitals, letters with hooks and strokes); punctuation to the ASCII mark that it looks like.
 *	5. Han to simplified (ICU's Traditional-Simplified) and to the commoner one of two variants: see variants[].
 *	6. All of it again, until nothing changes, so that folding twice is folding once.
 *
 * Hangul syllables and voiced Kana are left composed; text_fold.c composes what comes in parts.  ASCII is only
 * lower-cased.
 *
 * Output: struct-free constant arrays.  Memory: its own, for as long as it runs.  Errors: a message and exit status 1.
 */
#include "text/generate/fold_shapes.h"
#include "text/text_parts.h"

#define CODE_POINTS 0x110000
#define BLOCK		(1 << MDR_FOLD_SHIFT)

/* Whether c is a spacing form of marks (such as U+00B4), i.e. its compatibility decomposition is a space and marks. */
static bool
is_spacing_mark(UChar32 c)
{
	Sequence	parts = normalize(nfkd, c);

	if (parts.length < 2 || parts.at[0] != ' ')
		return false;
	for (int i = 1; i < parts.length; i++)
	{
		if (!is_mark(parts.at[i]))
			return false;
	}
	return true;
}

/* Characters that NFKC would read otherwise than people do; false when c is none. */
static bool
special(UChar32 c, Sequence *result)
{
	*result = (Sequence) {0};
	if (c >= 0x1F1E6 && c <= 0x1F1FF)	/* regional indicators, of which flags are made */
		append(result, 'a' + c - 0x1F1E6);
	else if (c >= 0x1F150 && c <= 0x1F169)	/* white on black circles */
		append(result, 'a' + c - 0x1F150);
	else if (c >= 0x1F170 && c <= 0x1F189)	/* white on black squares */
		append(result, 'a' + c - 0x1F170);
	else if (c >= 0x1F110 && c <= 0x1F129)	/* in parentheses */
		append(result, 'a' + c - 0x1F110);
	else if (c >= 0x249C && c <= 0x24B5)
		append(result, 'a' + c - 0x249C);
	else if (c == 0x309B || c == 0xFF9E)	/* spacing and half-width voiced marks of Kana */
		append(result, 0x3099);
	else if (c == 0x309C || c == 0xFF9F)
		append(result, 0x309A);
	else if (c == 0x0640)		/* tatweel, which only stretches */
		return true;
	else if (is_spacing_mark(c))
	{
		Sequence	like = skeleton(c);

		if (same(&like, &ascii_skeleton['\'']))
			append(result, '\'');
	}
	else
		return false;
	return true;
}

/* One pass of steps 1 to 5. */
static Sequence
fold_once(UChar32 c)
{
	Sequence	result;
	Sequence	parts;

	if (u_isUWhiteSpace(c))
		return only(' ');
	if (u_charType(c) == U_CONTROL_CHAR || u_charType(c) == U_FORMAT_CHAR ||
		u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
		return (Sequence) {0};
	if (c < 0x80)
		return only(u_tolower(c));
	if (special(c, &result))
		return result;
	parts = normalize(nfd, c);
	for (int i = 0; i < parts.length; i++)
	{
		Sequence	cased;

		if (drops_mark(parts.at[i]))
			continue;
		cased = normalize(nfkc_casefold, parts.at[i]);
		for (int j = 0; j < cased.length; j++)
		{
			Sequence	pieces = normalize(nfd, cased.at[j]);

			for (int k = 0; k < pieces.length; k++)
			{
				if (!drops_mark(pieces.at[k]))
				{
					Sequence	shaped = fold_shape(pieces.at[k]);

					append_all(&result, &shaped);
				}
			}
		}
	}
	return result;
}

/* Puts together what ought to be composed: Hangul syllables and voiced Kana. */
static Sequence
compose(const Sequence *parts)
{
	Sequence	result = {0};

	for (int i = 0; i < parts->length; i++)
	{
		UChar32		composed = -1;

		if (result.length > 0)
		{
			UChar32		last = result.at[result.length - 1];

			if ((parts->at[i] >= 0x1161 && parts->at[i] <= 0x11C2) || parts->at[i] == 0x3099 || parts->at[i] == 0x309A)
				composed = unorm2_composePair(nfkc_casefold, last, parts->at[i]);
		}
		if (composed >= 0)
			result.at[result.length - 1] = composed;
		else
			append(&result, parts->at[i]);
	}
	return result;
}

/* Step 6. */
static Sequence
fold(UChar32 c)
{
	Sequence	result = only(c);

	for (int pass = 0; pass < 8; pass++)
	{
		Sequence	next = {0};

		for (int i = 0; i < result.length; i++)
		{
			Sequence	piece = fold_once(result.at[i]);

			append_all(&next, &piece);
		}
		next = compose(&next);
		if (same(&next, &result))
			return result;
		result = next;
	}
	fprintf(stderr, "fold_table: U+%04X does not settle\n", (unsigned) c);
	exit(1);
}

static bool
is_without_spaces(UScriptCode script)
{
	return script == USCRIPT_THAI || script == USCRIPT_LAO || script == USCRIPT_KHMER || script == USCRIPT_MYANMAR ||
		script == USCRIPT_TAI_LE || script == USCRIPT_NEW_TAI_LUE || script == USCRIPT_LANNA ||
			script == USCRIPT_TAI_VIET;
}

/* The class of a code point that folds to itself. */
static MdrClass
class_of(UChar32 c)
{
	uint32_t	category = U_MASK(u_charType(c));
	UScriptCode script = script_of(c);
	bool		ordered = u_getCombiningClass(c) != 0;

	if (c == ' ')
		return MDR_CLASS_SPACE;
	if (c >= 0x1161 && c <= 0x1175)
		return MDR_CLASS_JAMO_V;
	if (c >= 0x11A8 && c <= 0x11C2)
		return MDR_CLASS_JAMO_T;
	if (c == 0x3099 || c == 0x309A)
		return MDR_CLASS_VOICED;
	if (category & U_GC_ND_MASK)
		return MDR_CLASS_DIGIT;
	if (ordered)
		return script == USCRIPT_HAN || is_without_spaces(script) ? MDR_CLASS_NOSPACE_ORDERED : MDR_CLASS_LETTER_ORDERED;
	if (script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || c == 0x30FC ||
		(script == USCRIPT_BOPOMOFO && (category & U_GC_L_MASK)))
		return MDR_CLASS_HAN;
	if (is_without_spaces(script) && (category & (U_GC_L_MASK | U_GC_M_MASK)))
		return u_hasBinaryProperty(c, UCHAR_GRAPHEME_EXTEND) ? MDR_CLASS_NOSPACE_MARK : MDR_CLASS_NOSPACE;
	if (u_isUAlphabetic(c) || (category & (U_GC_M_MASK | U_GC_L_MASK)))
		return MDR_CLASS_LETTER;
	if (c != '.' && u_hasBinaryProperty(c, UCHAR_TERMINAL_PUNCTUATION))
		return MDR_CLASS_SENTENCE;
	if (c == '"' || (category & (U_GC_PS_MASK | U_GC_PE_MASK | U_GC_PI_MASK | U_GC_PF_MASK)))
		return MDR_CLASS_BRACKET;
	if (category & (U_GC_P_MASK | U_GC_S_MASK))
		return MDR_CLASS_SYMBOL;
	return MDR_CLASS_OTHER;
}

/* Replacement strings, each once, in order of first use. */
typedef struct Replacement
{
	uint32_t	offset;
	uint32_t	length;
	uint32_t	flags;
} Replacement;

static Replacement replacements[0x10000];
static int	nreplacements;
static char pool[0x100000];
static uint32_t pool_length;

static bool
needs_care(const Sequence *sequence)
{
	for (int i = 0; i < sequence->length; i++)
	{
		if (sequence->at[i] == ' ')
			return true;
	}
	return sequence->length > 0 && class_of(sequence->at[0]) >= MDR_CLASS_FIRST_CAREFUL;
}

static uint16_t
replacement_for(const Sequence *sequence)
{
	char		bytes[LONGEST * 4];
	uint32_t	length = 0;
	Replacement *replacement;
	bool		starts_ordered = false;

	for (int i = 0; i < sequence->length; i++)
	{
		MdrClass	class = class_of(sequence->at[i]);
		bool		ordered = class == MDR_CLASS_VOICED || class == MDR_CLASS_LETTER_ORDERED ||
			class == MDR_CLASS_NOSPACE_ORDERED;

		/* text_fold.c relies on this when it sorts marks and composes syllables. */
		if (i == 0)
			starts_ordered = ordered;
		else if ((starts_ordered && !ordered) || class == MDR_CLASS_JAMO_V || class == MDR_CLASS_JAMO_T)
		{
			fprintf(stderr, "fold_table: a replacement has a letter after marks, or loose Hangul vowels\n");
			exit(1);
		}
		U8_APPEND_UNSAFE(bytes, length, sequence->at[i]);
	}
	for (int i = 0; i < nreplacements; i++)
	{
		if (replacements[i].length == length && memcmp(pool + replacements[i].offset, bytes, length) == 0)
			return MDR_CLASSES + i;
	}
	if (nreplacements + MDR_CLASSES > UINT16_MAX || pool_length + length > sizeof(pool) || length > MDR_FOLD_LONGEST)
	{
		fprintf(stderr, "fold_table: the replacements do not fit\n");
		exit(1);
	}
	replacement = &replacements[nreplacements++];
	replacement->offset = pool_length;
	replacement->length = length;
	replacement->flags = needs_care(sequence) ? MDR_FOLD_CAREFUL : 0;
	for (int i = 0; i < sequence->length; i++)
	{
		MdrClass	class = class_of(sequence->at[i]);

		if (class == MDR_CLASS_HAN || class == MDR_CLASS_NOSPACE)
			replacement->flags |= MDR_FOLD_NOSPACE;
	}
	memcpy(pool + pool_length, bytes, length);
	pool_length += length;
	return MDR_CLASSES + nreplacements - 1;
}

static uint32_t hash = 2166136261u;	/* FNV-1a of all that is printed */

static void
print_number(uint64_t value, int *column)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ (uint8_t) (value >> (8 * i))) * 16777619u;
	printf("%s0x%llX,", (*column)++ % 16 == 0 ? "\n\t" : " ", (unsigned long long) value);
}

static uint16_t entries[CODE_POINTS];

static void
print_trie(void)
{
	static uint16_t index[CODE_POINTS / BLOCK];
	static uint32_t first[CODE_POINTS / BLOCK];	/* first code point of each distinct block */
	int			nblocks = 0;
	int			column = 0;

	for (int block = 0; block < CODE_POINTS / BLOCK; block++)
	{
		int			known = 0;

		while (known < nblocks && memcmp(entries + first[known], entries + block * BLOCK, BLOCK * sizeof(uint16_t)) != 0)
			known++;
		if (known == nblocks)
			first[nblocks++] = block * BLOCK;
		index[block] = known;
	}
	printf("\nstatic const uint16_t fold_index[%d] = {", CODE_POINTS / BLOCK);
	for (int block = 0; block < CODE_POINTS / BLOCK; block++)
		print_number(index[block], &column);
	printf("\n};\n\nstatic const uint16_t fold_blocks[%d] = {", nblocks * BLOCK);
	column = 0;
	for (int block = 0; block < nblocks; block++)
	{
		for (int i = 0; i < BLOCK; i++)
			print_number(entries[first[block] + i], &column);
	}
	printf("\n};\n");
}

static void
print_replacements(void)
{
	int			column = 0;

	printf("\nstatic const uint32_t fold_replacements[%d] = {", nreplacements);
	for (int i = 0; i < nreplacements; i++)
		print_number(replacements[i].offset << 8 | replacements[i].length << 2 | replacements[i].flags, &column);
	printf("\n};\n\nstatic const uint8_t fold_pool[%u] = {", pool_length + 16);
	column = 0;
	for (uint32_t i = 0; i < pool_length + 16; i++)
		print_number(i < pool_length ? (uint8_t) pool[i] : 0, &column);
	printf("\n};\n");
}

/*
 * Of the characters of three bytes, one bit each: in even words, those that fold to themselves and need no care; in
 * odd ones, those of scripts without spaces.
 */
static void
print_same(void)
{
	int			column = 0;

	printf("\nstatic const uint64_t fold_same[1024][2] = {");
	for (UChar32 c = 0; c < 0x10000; c += 64)
	{
		uint64_t	same_bits = 0;
		uint64_t	nospace_bits = 0;

		for (int i = 0; i < 64; i++)
		{
			uint16_t	entry = entries[c + i];

			same_bits |= (uint64_t) (c >= 0x800 && !U_IS_SURROGATE(c) && entry < MDR_CLASS_FIRST_CAREFUL &&
									 entry != MDR_CLASS_SPACE) << i;
			nospace_bits |= (uint64_t) (entry == MDR_CLASS_HAN || entry == MDR_CLASS_NOSPACE) << i;
		}
		printf("\n\t{");
		print_number(same_bits, &column);
		print_number(nospace_bits, &column);
		printf("},");
	}
	printf("\n};\n");
}

/* Combining classes of the marks that stay, in order of code point: U+hhhh << 8 | class. */
static void
print_ordered(void)
{
	int			column = 0;

	printf("\nstatic const uint32_t fold_ordered[] = {");
	for (UChar32 c = 0; c < CODE_POINTS; c++)
	{
		if (entries[c] == MDR_CLASS_VOICED || entries[c] == MDR_CLASS_LETTER_ORDERED ||
			entries[c] == MDR_CLASS_NOSPACE_ORDERED)
			print_number((uint32_t) c << 8 | u_getCombiningClass(c), &column);
	}
	printf("\n};\n");
}

/* Base, mark and what the two become, for voiced Kana. */
static void
print_voiced(void)
{
	int			column = 0;

	printf("\nstatic const uint16_t fold_voiced[][3] = {");
	for (UChar32 c = 0x3041; c <= 0x30FF; c++)
	{
		for (UChar32 mark = 0x3099; mark <= 0x309A; mark++)
		{
			UChar32		composed = unorm2_composePair(nfkc_casefold, c, mark);

			if (composed >= 0)
			{
				printf("%s{0x%04X, 0x%04X, 0x%04X},", column++ % 4 == 0 ? "\n\t" : " ", (unsigned) c, (unsigned) mark,
					   (unsigned) composed);
				hash = (hash ^ composed) * 16777619u;
			}
		}
	}
	printf("\n};\n");
}

static void
open_icu(void)
{
	UErrorCode	status = U_ZERO_ERROR;

	nfkc_casefold = unorm2_getNFKCCasefoldInstance(&status);
	nfd = unorm2_getNFDInstance(&status);
	nfkd = unorm2_getNFKDInstance(&status);
	spoof = uspoof_open(&status);
	to_simplified = utrans_openU(u"Traditional-Simplified", -1, UTRANS_FORWARD, NULL, 0, NULL, &status);
	check(status, "ICU");
	for (UChar32 c = 0; c < 128; c++)
		ascii_skeleton[c] = skeleton(c);
}

int
main(void)
{
	open_icu();
	for (UChar32 c = 0; c < CODE_POINTS; c++)
	{
		Sequence	result = U_IS_SURROGATE(c) || !u_isdefined(c) ? fold_once(c) : fold(c);

		entries[c] = result.length == 1 && result.at[0] == c ? class_of(c) : replacement_for(&result);
		/* text_fold.c relies on this, too. */
		if (c < 0x800 && (entries[c] == MDR_CLASS_HAN || entries[c] == MDR_CLASS_NOSPACE))
		{
			fprintf(stderr, "fold_table: a script without spaces below U+0800\n");
			exit(1);
		}
	}
	printf("/* Written by src/text/generate/fold_table.c from ICU %s, Unicode %s. */\n", U_ICU_VERSION,
		   U_UNICODE_VERSION);
	print_trie();
	print_replacements();
	print_same();
	print_ordered();
	print_voiced();
	printf("\n#define FOLD_TABLE_HASH 0x%XU\n", hash);
	utrans_close(to_simplified);
	uspoof_close(spoof);
	return ferror(stdout) || fflush(stdout) != 0;
}
