/*
 * match_spelling.c
 *		A policy's pattern -> the PCRE2 pattern that is matched against folded text.
 *
 * The pattern is read once from left to right, as far as needed to know escapes, classes, group names and literals apart:
 * literals that are not ASCII are folded one by one, {lists} become alternatives, for the leet view literal letters get
 * that view's spelling, and for the joined view, which has no spaces, spaces and word boundaries go.  On the way is refused
 * what could never match folded text (capital letters), what would make the cost of a match depend on the content's length
 * (unbounded repeats, recursion), and what changes the rules of matching (verbs, extended mode, \K).  Whether the rest is a
 * pattern at all is for PCRE2 to say.
 *
 * Input: the pattern, the view.  Output: bytes appended to a buffer.  Locks: none.  On error the MdrError names the place of
 * the pattern in the document and the reason.
 */
#include "match/match_compile.h"

#include <stdio.h>
#include <string.h>

/* What stood last, as a repeat sees it. */
typedef enum Last
{
	NOTHING,
	SPACE,						/* the only thing that may be repeated without bound: folded text has single spaces */
	ATOM,
	REPEAT
} Last;

typedef struct Speller
{
	MdrCompiler *compiler;
	MdrPlace	place;
	const char *rule;
	MdrView		view;
	const char *p;
	MdrBuffer  *out;
	Last		last;
	bool		dropped;		/* what stood last was left out, so its repeat goes, too */
} Speller;

static MdrStatus
refuse(Speller *s, const char *reason)
{
	return mdr_compile_refuse(s->compiler, s->place, s->rule, "%s", reason);
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Copies count bytes as they are. */
static void
copy(Speller *s, size_t count)
{
	mdr_buffer_append(s->out, s->p, count);
	s->p += count;
}

/* Copies up to and including the byte; false when it does not come. */
static bool
copy_through(Speller *s, char byte)
{
	const char *end = strchr(s->p, byte);

	if (end == NULL)
		return false;
	copy(s, end + 1 - s->p);
	return true;
}

/* A literal ASCII character of folded text, with a backslash if it would mean something. */
static void
put_literal(Speller *s, char c)
{
	if ((unsigned char) c < 0x80 && c != ' ' && c != '_' && !is_letter(c) && !is_digit(c))
		mdr_buffer_byte(s->out, '\\');
	mdr_buffer_byte(s->out, c);
}

/* How the view spells a letter; the letter itself unless the view has exactly one other byte for it. */
static char
letter_in_view(Speller *s, char letter)
{
	char	   *folded;
	uint32_t	length;

	if (s->view == MDR_VIEW_PLAIN)
		return letter;
	if (mdr_text_view_term(s->compiler->scratch, s->view, &letter, 1, &folded, &length) != MDR_OK)
	{
		s->out->failed = true;
		return letter;
	}
	return length == 1 ? folded[0] : letter;
}

static uint32_t
decode(const char *p, int *length)
{
	const unsigned char *u = (const unsigned char *) p;

	*length = u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
	if (*length == 2)
		return (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu);
	if (*length == 3)
		return (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
	return (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
}

/* A character that is not ASCII, folded as content is. */
static MdrStatus
take_character(Speller *s, bool in_class)
{
	int			length;
	uint32_t	code_point = decode(s->p, &length);
	uint32_t	folded_length;
	const char *folded = mdr_text_fold_code_point(code_point, &folded_length);
	uint32_t	characters = 0;

	s->p += length;
	for (uint32_t i = 0; i < folded_length; i++)
		characters += ((unsigned char) folded[i] & 0xC0) != 0x80;
	if (characters == 0)
		return refuse(s, "a character of this pattern folds to nothing and would never be found");
	s->last = characters == 1 && folded[0] == ' ' ? SPACE : ATOM;
	if (s->last == SPACE && s->view == MDR_VIEW_JOINED && !in_class)
	{
		s->dropped = true;
		return MDR_OK;
	}
	if (characters > 1 && in_class)
		return refuse(s, "a character in [...] folds to several; write it as (?:...|...)");
	if (characters > 1)
		mdr_buffer_append(s->out, "(?:", 3);
	for (uint32_t i = 0; i < folded_length; i++)
		put_literal(s, folded[i]);
	if (characters > 1)
		mdr_buffer_byte(s->out, ')');
	return MDR_OK;
}

static MdrStatus
take_escape(Speller *s, bool in_class)
{
	char		c = s->p[1];

	s->last = c == 's' || c == ' ' ? SPACE : ATOM;
	if (c == '\0')
		return refuse(s, "pattern ends in a backslash");
	if ((unsigned char) c >= 0x80)
	{
		s->p++;
		return take_character(s, in_class);
	}
	if (s->view == MDR_VIEW_JOINED && !in_class && (s->last == SPACE || c == 'b'))
	{
		s->dropped = true;
		s->p += 2;
		return MDR_OK;
	}
	if (c == 'Q' || c == 'E')
		return refuse(s, "\\Q and \\E are not allowed; put a backslash before each character instead");
	if (c == 'K' || c == 'C' || c == 'G')
		return refuse(s, "\\K, \\C and \\G are not allowed");
	if (c == 'c')
		return refuse(s, "control characters are not in folded text");
	if ((c == 'k' || c == 'g') && (s->p[2] == '<' || s->p[2] == '\''))
	{
		char		closing = s->p[2] == '<' ? '>' : '\'';

		if (c == 'g')
			return refuse(s, "recursion is not allowed");
		copy(s, 3);
		return copy_through(s, closing) ? MDR_OK : refuse(s, "a name in this pattern has no end");
	}
	copy(s, 2);
	if (is_letter(c) && *s->p == '{' && strchr("pPxgkNo", c) != NULL && !copy_through(s, '}'))
		return refuse(s, "an escape in this pattern has no closing brace");
	return MDR_OK;
}

/* In the leet view a range of letters must hold those that its letters are spelt as. */
static void
put_spellings_of_range(Speller *s, char from, char to)
{
	for (int c = from; c <= to && c <= 'z'; c++)
	{
		char		spelt = c >= 'a' ? letter_in_view(s, (char) c) : (char) c;

		if (spelt < from || spelt > to)
			put_literal(s, spelt);
	}
}

static MdrStatus
take_class(Speller *s)
{
	copy(s, 1);
	if (*s->p == '^')
		copy(s, 1);
	if (*s->p == ']')
		copy(s, 1);
	while (*s->p != ']')
	{
		MdrStatus	status = MDR_OK;
		char		c = *s->p;

		if (c == '\0')
			return refuse(s, "a [ in this pattern has no ]");
		if (c >= 'A' && c <= 'Z')
			return refuse(s, "a capital letter never matches folded text, which is lower case");
		if (c == '[' && (s->p[1] == ':' || s->p[1] == '.' || s->p[1] == '='))
		{
			if (!copy_through(s, ']'))
				return refuse(s, "a [ in this pattern has no ]");
		}
		else if (c == '\\')
			status = take_escape(s, true);
		else if ((unsigned char) c >= 0x80)
			status = take_character(s, true);
		else if (c >= 'a' && c <= 'z' && s->p[1] == '-' && s->p[2] >= c && s->p[2] <= 'z')
		{
			char		to = s->p[2];

			copy(s, 3);
			put_spellings_of_range(s, c, to);
		}
		else if (c >= 'a' && c <= 'z')
		{
			mdr_buffer_byte(s->out, letter_in_view(s, c));
			s->p++;
		}
		else if (c == '-')
			copy(s, 1);
		else
			put_literal(s, *s->p++);
		if (status != MDR_OK)
			return status;
	}
	copy(s, 1);
	s->last = ATOM;
	return MDR_OK;
}

/* After "(": what kind of group it is. */
static MdrStatus
take_group(Speller *s)
{
	s->last = NOTHING;
	if (s->p[1] == '*')
		return refuse(s, "verbs such as (*SKIP) are not allowed");
	if (s->p[1] != '?')
	{
		copy(s, 1);
		return MDR_OK;
	}
	if (s->p[2] == '#')
	{
		const char *end = strchr(s->p, ')');

		if (end == NULL)
			return refuse(s, "a comment in this pattern has no end");
		s->p = end + 1;
		return MDR_OK;
	}
	if (s->p[2] == 'R' || s->p[2] == '&' || s->p[2] == '+' || is_digit(s->p[2]) || (s->p[2] == '-' && is_digit(s->p[3]))
		|| (s->p[2] == 'P' && s->p[3] == '>'))
		return refuse(s, "recursion is not allowed");
	if (s->p[2] == 'C')
		return refuse(s, "callouts are not allowed");
	if (s->p[2] == '\'' || (s->p[2] == 'P' && (s->p[3] == '<' || s->p[3] == '='))
		|| (s->p[2] == '<' && s->p[3] != '=' && s->p[3] != '!'))
	{
		char		closing = s->p[2] == '\'' ? '\'' : s->p[3] == '=' ? ')' : '>';

		copy(s, 3);
		if (!copy_through(s, closing))
			return refuse(s, "a name in this pattern has no end");
		s->last = closing == ')' ? ATOM : NOTHING;
		return MDR_OK;
	}
	if (s->p[2] == '\0' || strchr("=!:|><", s->p[2]) == NULL)
		return refuse(s, "options and conditions inside a pattern are not allowed");
	copy(s, s->p[2] == '<' ? 4 : 3);
	return MDR_OK;
}

/* *, +, ? or a count in braces, with its ? or + behind it. */
static MdrStatus
take_repeat(Speller *s)
{
	const char *p = s->p;
	bool		unbounded = *p == '*' || *p == '+';
	long		most = 1;

	if (*p == '{')
	{
		for (most = 0, p++; is_digit(*p); p++)
			most = most < 100000 ? most * 10 + (*p - '0') : most;
		if (*p == ',')
		{
			p++;
			unbounded = *p == '}';
			for (most = unbounded ? most : 0; is_digit(*p); p++)
				most = most < 100000 ? most * 10 + (*p - '0') : most;
		}
	}
	if (unbounded && s->last != SPACE)
		return refuse(s, "a repeat has no upper bound; write {0,20} for *, {1,20} for +");
	if (most > MDR_MAX_REPEAT)
		return mdr_compile_refuse(s->compiler, s->place, s->rule, "a repeat goes beyond %d", MDR_MAX_REPEAT);
	if (p[1] == '?' || p[1] == '+')
		p++;
	if (s->dropped)
		s->p = p + 1;
	else
		copy(s, p + 1 - s->p);
	s->last = REPEAT;
	return MDR_OK;
}

/* A brace that PCRE2 reads as a repeat: {n}, {n,}, {n,m}. */
static bool
is_repeat(const char *p)
{
	if (*p == '*' || *p == '+' || *p == '?')
		return true;
	if (*p != '{' || !is_digit(p[1]))
		return false;
	for (p++; is_digit(*p); p++)
		;
	if (*p == ',')
		for (p++; is_digit(*p); p++)
			;
	return *p == '}';
}

/* A list's word as an alternative: folded, escaped, its stars as the rest of a word. */
static MdrStatus
put_word(Speller *s, const char *word)
{
	size_t		length = strlen(word);
	char	   *folded;
	uint32_t	folded_length;
	char		rest[24];
	int			rest_length = snprintf(rest, sizeof(rest), "\\w{0,%d}", MDR_STAR_REPEAT);
	bool		left = false,
				right = false;

	for (; length > 0 && word[length - 1] == '*'; length--)
		right = true;
	for (; length > 0 && *word == '*'; word++, length--)
		left = true;
	if (mdr_text_view_term(s->compiler->scratch, s->view, word, length, &folded, &folded_length) != MDR_OK)
		return mdr_compile_no_memory(s->compiler);
	if (folded_length == 0)
		return refuse(s, "a word of a list in this pattern folds to nothing");
	if (left)
		mdr_buffer_append(s->out, rest, rest_length);
	for (uint32_t i = 0; i < folded_length; i++)
		put_literal(s, folded[i]);
	if (right)
		mdr_buffer_append(s->out, rest, rest_length);
	return MDR_OK;
}

static MdrStatus
take_list(Speller *s, size_t end)
{
	const MdrWordList *list = mdr_policy_list(s->compiler->policy, s->p + 1, end - 2);

	if (list == NULL)
		return refuse(s, "unknown list in this pattern");
	mdr_buffer_append(s->out, "(?:", 3);
	for (uint32_t i = 0; i < list->terms.count; i++)
	{
		MdrStatus	status;

		if (i > 0)
			mdr_buffer_byte(s->out, '|');
		status = put_word(s, list->terms.items[i]);
		if (status == MDR_OK && s->out->length > MDR_MAX_SPELT)
			status = mdr_compile_refuse(s->compiler, s->place, s->rule,
										"pattern comes to more than %d bytes with its lists: use fewer words, or terms", MDR_MAX_SPELT);
		if (status == MDR_OK)
			status = mdr_compile_look(s->compiler, 512);
		if (status != MDR_OK)
			return status;
	}
	mdr_buffer_byte(s->out, ')');
	s->p += end;
	s->last = ATOM;
	return MDR_OK;
}

static MdrStatus
take_one(Speller *s)
{
	char		c = *s->p;
	size_t		start,
				end;

	if (is_repeat(s->p))
		return take_repeat(s);
	s->dropped = false;
	if (c == '\\')
		return take_escape(s, false);
	if (c == '[')
		return take_class(s);
	if (c == '(')
		return take_group(s);
	if (c == '{' && mdr_policy_reference(s->p, 0, true, &start, &end) && start == 0)
		return take_list(s, end);
	if (c == '{')
		return refuse(s, "a brace that is no repeat and no list must be written \\{");
	if ((unsigned char) c >= 0x80)
		return take_character(s, false);
	if (c >= 'A' && c <= 'Z')
		return refuse(s, "a capital letter never matches folded text, which is lower case");
	if ((unsigned char) c < ' ')
		return refuse(s, "white space in folded text is always one space; write a space or \\s");
	s->last = c == ' ' ? SPACE : ATOM;
	if (c == ' ' && s->view == MDR_VIEW_JOINED)
	{
		s->dropped = true;
		s->p++;
	}
	else if (c >= 'a' && c <= 'z')
	{
		mdr_buffer_byte(s->out, letter_in_view(s, c));
		s->p++;
	}
	else
		copy(s, 1);
	return MDR_OK;
}

MdrStatus
mdr_compile_spelling(MdrCompiler *compiler, const char *pattern, MdrPlace place, const char *rule, MdrView view, MdrBuffer *out)
{
	Speller		s = {compiler, place, rule, view, pattern, out, NOTHING};

	while (*s.p != '\0')
	{
		MdrStatus	status = take_one(&s);

		if (status != MDR_OK)
			return status;
	}
	mdr_buffer_byte(out, '\0');
	return out->failed ? mdr_compile_no_memory(compiler) : MDR_OK;
}
