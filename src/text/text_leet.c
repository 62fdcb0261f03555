/*
 * text_leet.c
 *		The view in which digits and symbols inside words are letters:  k1ll, @ss, h4te.
 *
 * Input: a plain text; output: tokens that look like disguised words, and the view with those spelt out.  A token
 * that is something else in ordinary writing (a number with its unit, a name with a number behind it, a price, an
 * address, a hex number) is left alone.  Everywhere in the view, and so in its terms, l is written i, because 1 may
 * stand for either, and a capital I among small letters for an l:  kiIl.
 *
 * Locks: none.  Memory: the caller's arena.  Errors: false when out of memory.
 */
#include <string.h>

#include "text/text_parts.h"

#define LONGEST_TOKEN	48		/* longer ones are identifiers made by machines */
#define LONGEST_ADDRESS	128		/* bytes before a token in the path of a web address */
#define CALL			80		/* bytes within which a parenthesis in a word is closed if it is code or a remark */

/* What a digit or symbol stands for, or 0. */
static const char ascii_letters[128] = {
	['0'] = 'o', ['1'] = 'i', ['3'] = 'e', ['4'] = 'a', ['5'] = 's', ['6'] = 'g', ['7'] = 't', ['8'] = 'b', ['9'] = 'g',
	['@'] = 'a', ['$'] = 's', ['!'] = 'i', ['+'] = 't', ['|'] = 'i', ['('] = 'c',
};

/* Words that have digits in ordinary writing. */
static const char *const ordinary[] = {
	"a11y", "b2b", "b2c", "cm3", "css3", "dm3", "e2e", "es5", "es6", "gpt3", "gpt4", "gpt5", "h2o", "html5",
	"http3", "i18n", "ipv4", "k8s", "km3", "l10n", "md5", "mm3", "mp3", "mp4", "n64", "p2p", "ps1", "ps3", "ps4",
	"ps5", "python3", "sha1", "utf8", "vp9", "w3c", "web3", "win7",
};

/* What may follow a single digit in ordinary writing. */
static const char *const units[] = {
	"st", "nd", "rd", "th", "am", "bit", "bn", "cm", "day", "days", "deg", "fps", "ft", "gb", "ghz", "hour",
	"hours", "hr", "hrs", "hz", "in", "kb", "kg", "khz", "km", "kw", "lb", "lbs", "mb", "mg", "mhz", "min", "mins",
	"ml", "mm", "mph", "ms", "oz", "pc", "pcs", "pm", "pt", "px", "rpm", "sec", "secs", "star", "tb", "way",
	"week", "weeks", "x", "yr", "yrs",
};

static bool
is_in(const char *const *list, size_t n, const char *bytes, uint32_t length)
{
	for (size_t i = 0; i < n && length > 0; i++)
	{
		if (list[i][0] == bytes[0] && strlen(list[i]) == length && memcmp(list[i], bytes, length) == 0)
			return true;
	}
	return false;
}
#define IS_IN(list, bytes, length) is_in(list, sizeof(list) / sizeof(list[0]), bytes, length)

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool
is_alnum(char c)
{
	return is_letter(c) || is_digit(c);
}

/*
 * The letter that the character at bytes[i] stands for and its length in bytes, or 0.  Beyond ASCII there are a few
 * signs of currency, and the section sign.
 */
static char
stands_for(const char *bytes, uint32_t i, uint32_t length, uint32_t *size)
{
	static const struct
	{
		const char *sign;
		char		letter;
	}			others[] = {{"\xC2\xA2", 'c'}, {"\xC2\xA3", 'i'}, {"\xC2\xA5", 'y'}, {"\xC2\xA7", 's'},
							{"\xE2\x82\xAC", 'e'}};

	*size = 1;
	if ((signed char) bytes[i] >= 0)
		return ascii_letters[(int) bytes[i]];
	if ((uint8_t) bytes[i] != 0xC2 && (uint8_t) bytes[i] != 0xE2)
		return 0;
	for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++)
	{
		*size = strlen(others[k].sign);
		if (length - i >= *size && memcmp(bytes + i, others[k].sign, *size) == 0)
			return others[k].letter;
	}
	return 0;
}

/* Whether the currency sign or @ at i, size bytes long, is part of a word and not of a price. */
static bool
sign_is_letter(const char *bytes, uint32_t i, uint32_t size, uint32_t length)
{
	char		before = i > 0 ? bytes[i - 1] : ' ';
	uint32_t	next = i + size;

	if (bytes[i] == '@')
		return true;
	if (next < length && is_digit(bytes[next]))
	{
		/* a$5hole, but not us$5 or us$100k */
		return is_letter(before) && next + 1 < length && is_letter(bytes[next + 1]);
	}
	if (is_digit(before))
		return next < length && is_letter(bytes[next]);
	return true;
}

/* Whether a sign that is a letter only between letters has one beside it, or another sign that is read as one. */
static bool
is_beside(char c)
{
	return is_alnum(c) || c == '@' || c == '$' || c == '!';
}

/* Length in bytes of the character at i if it may be part of a token; 0 if it ends one.  *sign: a symbol, no digit. */
static uint32_t
token_character(const MdrText *plain, uint32_t i, bool *sign)
{
	const char *bytes = plain->bytes;
	uint32_t	length = plain->length;
	uint32_t	size;
	uint32_t	c;

	*sign = false;
	if (is_alnum(bytes[i]))
		return 1;
	if (stands_for(bytes, i, length, &size) != 0)
	{
		*sign = true;
		if (strchr("!+|(", bytes[i]) != NULL)
		{
			bool		first = i == 0 || bytes[i - 1] == ' ';

			if (i + 1 >= length || !is_beside(bytes[i + 1]) || !(first ? bytes[i] == '!' && is_letter(bytes[i + 1]) : is_beside(bytes[i - 1])))
				return 0;
			return bytes[i] != '(' || memchr(bytes + i, ')', length - i < CALL ? length - i : CALL) == NULL ? 1 : 0;
		}
		return sign_is_letter(bytes, i, size, length) ? size : 0;
	}
	if ((signed char) bytes[i] >= 0)
		return 0;
	size = mdr_utf8_read(bytes + i, &c);
	return mdr_text_class(c) == MDR_CLASS_LETTER ? size : 0;
}

/* Where the token around position starts. */
static uint32_t
token_start(const MdrText *plain, uint32_t position)
{
	while (position > 0)
	{
		uint32_t	before = mdr_utf8_before(plain->bytes + position) - plain->bytes;
		bool		sign;

		if (token_character(plain, before, &sign) == 0)
			break;
		position = before;
	}
	return position;
}

/* What a token is made of. */
typedef struct Shape
{
	uint32_t	characters;
	uint32_t	letters;
	uint32_t	digits;
	uint32_t	signs;			/* of those that stand for letters anywhere in a word */
	uint32_t	weak;			/* of those that do between two letters: ! + | ( */
	uint32_t	leading;		/* digits in front */
	uint32_t	trailing;		/* digits at the end */
	bool		hex;			/* nothing but 0-9 a-f */
	bool		same;			/* all digits are the same */
	bool		at;				/* an @ that is not in front */
} Shape;

static uint32_t
measure(const MdrText *plain, uint32_t start, Shape *shape)
{
	uint32_t	i = start;
	uint32_t	size;
	bool		sign;
	char		digit = 0;

	memset(shape, 0, sizeof(Shape));
	shape->hex = shape->same = true;
	while (i < plain->length && (size = token_character(plain, i, &sign)) > 0)
	{
		char		c = plain->bytes[i];

		shape->characters++;
		shape->hex = shape->hex && (is_digit(c) || (c >= 'a' && c <= 'f'));
		if (is_digit(c))
		{
			if (shape->digits++ > 0 && c != digit)
				shape->same = false;
			digit = c;
			shape->trailing++;
			if (shape->trailing == shape->characters)
				shape->leading++;
		}
		else
		{
			shape->trailing = 0;
			if (!sign)
				shape->letters++;
			else if (strchr("!+|(", c) != NULL)
				shape->weak++;
			else
				shape->signs++;
			shape->at |= c == '@' && i > start;
		}
		i += size;
	}
	return i;
}

/* Whether the token is one of 8-4-4-4-12 hex digits. */
static bool
is_in_uuid(const MdrText *plain, uint32_t start, uint32_t end)
{
	uint32_t	from = start;
	uint32_t	to = end;

	while (from > 0 && start - from < 36 && (is_digit(plain->bytes[from - 1]) || plain->bytes[from - 1] == '-' ||
											 (plain->bytes[from - 1] >= 'a' && plain->bytes[from - 1] <= 'f')))
		from--;
	while (to < plain->length && to - from <= 36 && (is_digit(plain->bytes[to]) || plain->bytes[to] == '-' ||
													 (plain->bytes[to] >= 'a' && plain->bytes[to] <= 'f')))
		to++;
	return to - from == 36 && plain->bytes[from + 8] == '-' && plain->bytes[from + 13] == '-' &&
		plain->bytes[from + 18] == '-' &&
		plain->bytes[from + 23] == '-';
}

/* Whether a token with digits, and no signs, is ordinary writing. */
static bool
is_ordinary(const MdrText *plain, uint32_t start, uint32_t end, const Shape *shape)
{
	const char *bytes = plain->bytes + start;
	uint32_t	length = end - start;

	if (IS_IN(ordinary, bytes, length))
		return true;
	if (shape->hex && (length >= 7 || (start > 0 && bytes[-1] == '#') || is_in_uuid(plain, start, end)))
		return true;
	if (length > 2 && bytes[0] == '0' && bytes[1] == 'x')
		return true;
	if (shape->leading + shape->trailing == shape->digits)
	{
		/* Digits at the ends only. */
		if (shape->leading > 0 && shape->trailing > 0)
			return shape->letters < 3 || shape->leading > 1 || shape->trailing > 2;
		if (shape->leading > 0)
			return shape->leading > 1 || IS_IN(units, bytes + 1, length - 1);
		if (shape->trailing > 1)
			return !shape->same || shape->trailing > 2;
		return strchr("013457", bytes[length - 1]) == NULL;
	}
	return shape->letters < 2;
}

/* Whether the token is in the path of a web address, where digits among letters are the rule. */
static bool
is_in_address(const MdrText *plain, uint32_t start)
{
	const char *bytes = plain->bytes;
	uint32_t	from = start;
	uint32_t	slashes = 0;

	while (from > 0 && start - from < LONGEST_ADDRESS && bytes[from - 1] != ' ' && (signed char) bytes[from - 1] > 0)
		slashes += bytes[--from] == '/';
	return slashes >= 3 && (strncmp(bytes + from, "http://", 7) == 0 || strncmp(bytes + from, "https://", 8) == 0);
}

/* Whether a token that is but an @, letters and perhaps a number at the end is rather somebody's name. */
static bool
is_name(const char *bytes, const Shape *shape)
{
	return shape->digits > 0 || (shape->characters > 5 && strncmp(bytes, "@ss", 3) != 0);
}

/* Whether a token that is but a $, letters and perhaps a number at the end is rather a variable in some code. */
static bool
is_variable(const MdrText *plain, uint32_t start, uint32_t end, const Shape *shape)
{
	char		before = start > 0 ? plain->bytes[start - 1] : ' ';
	char		after = plain->bytes[end];
	bool		assigned = after == ' ' && (plain->bytes[end + 1] == '=' || plain->bytes[end + 2] == '=');

	return shape->digits > 0 || assigned || strchr("\"'`([{</=:-\\,>&", before) != NULL ||
		(after != '\0' && strchr("=;)]}[{<>:-/\\_`", after) != NULL);
}

/* Whether the token from start to end is a disguised word. */
static bool
is_disguised(const MdrText *plain, uint32_t start, uint32_t end, const Shape *shape)
{
	const char *bytes = plain->bytes + start;
	uint32_t	stands = 0;

	if (shape->letters == 0 || shape->digits + shape->signs + shape->weak == 0 || shape->characters < 3 ||
		shape->characters > LONGEST_TOKEN)
		return false;
	if (shape->at && end + 1 < plain->length && plain->bytes[end] == '.' && is_alnum(plain->bytes[end + 1]))
		return false;			/* an address of mail */
	if (shape->signs == 1 && shape->weak == 0 && shape->digits == shape->trailing)
	{
		if (*bytes == '@')
			return !is_name(bytes, shape);
		if (*bytes == '$')
			return !is_variable(plain, start, end, shape);
	}
	if (shape->signs > 0)
		return true;
	if (shape->weak > 0)
		return shape->characters >= 4;
	if (is_ordinary(plain, start, end, shape))
		return false;
	for (uint32_t i = 0; i < end - start; i++)
		stands += is_digit(bytes[i]) && ascii_letters[(int) bytes[i]] != 0;
	return stands > 0;
}

bool
mdr_leet_token(const MdrText *plain, uint32_t position, uint32_t *start, uint32_t *end)
{
	Shape		shape;

	*start = token_start(plain, position);
	*end = measure(plain, *start, &shape);
	if (*end <= position)
	{
		*end = position + 1;	/* what is there is no part of a token */
		return false;
	}
	return is_disguised(plain, *start, *end, &shape) && !is_in_address(plain, *start);
}

/* What follows a capital I in names that programmers make of several words. */
static const char *const humps[] = {
	"con", "d", "ds", "mage", "mages", "mpl", "mport", "ncluded", "ndex", "nfo", "nit", "nput", "nstance", "nt",
	"nteger", "nterface", "nternal", "nterval", "tem", "tems", "terable", "terator",
};

/*
 * Whether the capital I at position of the text as given stands for an l: it is inside a word of small letters, of
 * which the first may be a capital.  What has digits or more capitals is an identifier.
 */
static bool
is_disguised_l(const MdrText *plain, uint32_t position)
{
	const char *given = plain->given;
	uint32_t	end = plain->given_length;
	uint32_t	from = position;
	uint32_t	to = position + 1;

	if (given[position] != 'I' || position == 0 || !is_letter(given[position - 1]))
		return false;
	while (from > 0 && position - from < LONGEST_TOKEN && (is_letter(given[from - 1]) || given[from - 1] == 'I'))
		from--;
	if (from > 0 && given[from - 1] >= 'A' && given[from - 1] <= 'Z')
		from--;
	while (to < end && to - from < LONGEST_TOKEN && (is_letter(given[to]) || given[to] == 'I'))
		to++;
	if ((from > 0 && is_alnum(given[from - 1] | 0x20)) || (to < end && is_alnum(given[to] | 0x20)))
		return false;
	return !IS_IN(humps, given + position + 1, to - position - 1);
}

bool
mdr_leet_capital(const MdrText *plain)
{
	const char *end = plain->given + plain->given_length;

	for (const char *at = plain->given; at < end && (at = memchr(at, 'I', end - at)) != NULL; at++)
	{
		if (is_disguised_l(plain, at - plain->given))
			return true;
	}
	return false;
}

bool
mdr_leet_make(MdrViewMaker *maker)
{
	const MdrText *plain = maker->plain;
	const char *bytes = plain->bytes;
	uint32_t	token_from;
	uint32_t	token_end = 0;	/* of the last token looked at */
	bool		spell = false;	/* it is to be spelt out */
	bool		capitals = mdr_leet_capital(plain);

	for (uint32_t i = 0; i < plain->length;)
	{
		uint32_t	size = 1;
		char		letter;

		/* A token is looked at when its first digit or sign comes up: the letters before stay what they are. */
		letter = is_letter(bytes[i]) ? 0 : stands_for(bytes, i, plain->length, &size);
		if (letter != 0 && i >= token_end)
			spell = mdr_leet_token(plain, i, &token_from, &token_end) && i < token_end;
		if (letter != 0 && spell && i < token_end)
		{
			mdr_set_bit(maker->changed, maker->length);
			maker->bytes[maker->length++] = letter;
			if (size != 1 && !mdr_map_add(maker->arena, &maker->map, maker->length - 1, i, 1, size))
				return false;
			i += size;
		}
		else
		{
			if (bytes[i] == 'i' && capitals)
			{
				uint32_t	from;
				uint32_t	to;

				mdr_map_span(plain->map, i, i + 1, &from, &to);
				if (is_disguised_l(plain, from))
					mdr_set_bit(maker->changed, maker->length);
			}
			maker->bytes[maker->length++] = bytes[i] == 'l' ? 'i' : bytes[i];
			i++;
		}
	}
	return true;
}
