/*
 * match_filter.c
 *		A pattern -> sets of literals, at least one of each of which stands in everything the pattern can match.
 *
 * Method: the literal extraction of Cox's Code Search ("Regular Expression Matching with a Trigram Index", 2012) without the
 * trigrams.  The pattern is read as a tree; for each part is known either exactly which strings it matches, as long as they
 * are few, or sets of literals that its matches must contain.  Strings of neighbours are multiplied, those of alternatives
 * united; whatever is not understood counts as "anything", which loses a literal but never a match.
 *
 * Input: a pattern that PCRE2 has compiled and match_spelling.c has spelt (no options, verbs, recursion or \Q in it).
 * Output: sets in the arena.  Locks: none.  On error: MDR_NO_MEMORY.
 */
#include "match/match_compile.h"

#include <string.h>

#define MAX_PRODUCT 256			/* strings that neighbours may be multiplied to, unless one of them is a single string */
#define MAX_CLASS 32			/* characters of a [...] that count as alternatives */
#define MAX_LITERAL 48			/* bytes of a literal */
/* What trying a pattern costs, in hits of a literal. */
#define COST_OF_TRYING 20
#define MAX_NESTING 200
#define MAX_EXACT_REPEAT 8		/* up to which x{3} is xxx */

/* What is known of a part of the pattern. */
typedef struct Part
{
	bool		exact;			/* matches `strings` and nothing else */
	MdrSet		strings;
	MdrSet		required[MDR_MAX_SETS];
	uint32_t	nrequired;
} Part;

typedef struct Reader
{
	MdrArena   *arena;
	const char *p;
	int			depth;
	bool		failed;			/* out of memory */
	bool		lost;			/* not understood: the whole has no literals */
} Reader;

static void read_alternatives(Reader *r, Part *part);

/* How often one of a set does.  What need not begin a word is found inside others, when it is short. */
static float
frequency(const MdrSet *set)
{
	float		often = set->most;

	if (!set->left && often >= 0.125f)
		often *= 4;
	often += set->sum / 16;
	return often < 0.99f ? often : 0.99f;
}

static MdrSet
make_set(Reader *r, uint32_t count)
{
	MdrSet		set = {count, count, 0, 0, false, mdr_alloc_array(r->arena, count, sizeof(char *)),
	mdr_alloc_array(r->arena, count, sizeof(uint32_t))};

	if (set.strings == NULL || set.lengths == NULL)
	{
		r->failed = true;
		set.count = 0;
	}
	return set;
}

static void
put(MdrSet *set, uint32_t index, const char *string, uint32_t length)
{
	float		often = mdr_filter_frequency(string, length);

	if (index >= set->count)
		return;
	set->strings[index] = string;
	set->lengths[index] = length;
	set->sum += often;
	if (often > set->most)
		set->most = often;
}

/* The part that matches one string. */
static void
be_string(Reader *r, Part *part, const char *bytes, uint32_t length)
{
	char	   *copy = mdr_strndup(r->arena, bytes, length);

	*part = (Part) {.exact = true, .strings = make_set(r, 1)};
	if (copy == NULL)
		r->failed = true;
	else
		put(&part->strings, 0, copy, length);
}

static void
be_anything(Part *part)
{
	*part = (Part) {0};
}

/* Whether a set is a better announcer than another. */
static bool
better(const MdrSet *a, const MdrSet *b)
{
	return frequency(a) < frequency(b);
}

/* Remembers a set that must be seen, if it is among the best. */
static void
require(Part *part, const MdrSet *set)
{
	uint32_t	at;

	if (set->count == 0 || set->most > 1)
		return;
	for (at = part->nrequired; at > 0 && better(set, &part->required[at - 1]); at--)
		if (at < MDR_MAX_SETS)
			part->required[at] = part->required[at - 1];
	if (at == MDR_MAX_SETS)
		return;
	part->required[at] = *set;
	if (part->nrequired < MDR_MAX_SETS)
		part->nrequired++;
}

/* What a part requires, whether it is exact or not. */
static void
require_part(Part *whole, const Part *part)
{
	if (part->exact)
		require(whole, &part->strings);
	for (uint32_t i = 0; i < part->nrequired; i++)
		require(whole, &part->required[i]);
}

/* Every string of a followed by every string of b; false when that is too many or too long. */
static bool
multiply(Reader *r, const MdrSet *a, const MdrSet *b, MdrSet *product)
{
	uint64_t	count = (uint64_t) a->count * b->count;

	if (count > (a->count == 1 || b->count == 1 ? MDR_MAX_SET : MAX_PRODUCT))
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		for (uint32_t j = 0; j < b->count; j++)
			if (a->lengths[i] + b->lengths[j] > MAX_LITERAL)
				return false;
	*product = make_set(r, (uint32_t) count);
	product->left = a->left || (b->left && a->count == 1 && a->lengths[0] == 0);
	for (uint32_t i = 0; i < a->count; i++)
		for (uint32_t j = 0; j < b->count; j++)
		{
			char		both[2 * MAX_LITERAL];
			char	   *copy;

			memcpy(both, a->strings[i], a->lengths[i]);
			memcpy(both + a->lengths[i], b->strings[j], b->lengths[j]);
			copy = mdr_strndup(r->arena, both, a->lengths[i] + b->lengths[j]);
			if (copy == NULL)
				r->failed = true;
			else
				put(product, i * b->count + j, copy, a->lengths[i] + b->lengths[j]);
		}
	return !r->failed;
}

/* Adds the strings of more to those of a set that nobody else holds. */
static void
add_strings(Reader *r, MdrSet *set, const MdrSet *more)
{
	uint32_t	needed = set->count + more->count;

	if (needed > set->capacity)
	{
		uint32_t	capacity = needed < 16 ? 16 : 2 * needed;

		set->strings = mdr_grow(r->arena, set->strings, set->count * sizeof(char *), capacity * sizeof(char *));
		set->lengths = mdr_grow(r->arena, set->lengths, set->count * sizeof(uint32_t), capacity * sizeof(uint32_t));
		set->capacity = capacity;
	}
	if (set->strings == NULL || set->lengths == NULL)
	{
		r->failed = true;
		*set = (MdrSet) {0};
		return;
	}
	set->left = more->left && (set->count == 0 || set->left);
	set->count = needed;
	for (uint32_t i = 0; i < more->count; i++)
		put(set, needed - more->count + i, more->strings[i], more->lengths[i]);
}

static int
encode(uint32_t code_point, char *to)
{
	if (code_point < 0x80)
	{
		to[0] = (char) code_point;
		return 1;
	}
	if (code_point < 0x800)
	{
		to[0] = (char) (0xC0 | code_point >> 6);
		to[1] = (char) (0x80 | (code_point & 0x3F));
		return 2;
	}
	if (code_point < 0x10000)
	{
		to[0] = (char) (0xE0 | code_point >> 12);
		to[1] = (char) (0x80 | (code_point >> 6 & 0x3F));
		to[2] = (char) (0x80 | (code_point & 0x3F));
		return 3;
	}
	to[0] = (char) (0xF0 | (code_point >> 18 & 7));
	to[1] = (char) (0x80 | (code_point >> 12 & 0x3F));
	to[2] = (char) (0x80 | (code_point >> 6 & 0x3F));
	to[3] = (char) (0x80 | (code_point & 0x3F));
	return 4;
}

static int
character_length(const char *p)
{
	unsigned char c = (unsigned char) *p;

	return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static int
hexadecimal(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind "\x": the character meant; false when it is not one this reader knows. */
static bool
read_hexadecimal(Reader *r, uint32_t *code_point)
{
	bool		braces = *r->p == '{';
	int			digits = 0;

	r->p += braces;
	for (*code_point = 0; digits < (braces ? 6 : 2) && hexadecimal(*r->p) >= 0; digits++)
		*code_point = *code_point * 16 + (uint32_t) hexadecimal(*r->p++);
	if (braces && *r->p++ != '}')
		r->lost = true;
	return digits > 0 && !r->lost && *code_point < 0x110000;
}

/* Skips what may follow an escape's letter: {...}, <...>, '...', or digits. */
static void
skip_operand(Reader *r, char escape)
{
	char		closing = *r->p == '{' ? '}' : *r->p == '<' ? '>' : '\'';

	if (strchr("pPNgko", escape) != NULL && (*r->p == '{' || (strchr("gk", escape) && (*r->p == '<' || *r->p == '\''))))
	{
		const char *end = strchr(r->p + 1, closing);

		if (end == NULL)
			r->lost = true;
		else
			r->p = end + 1;
		return;
	}
	if (escape == 'p' || escape == 'P')
		r->p += *r->p != '\0';
	if (escape == 'g' || (escape >= '0' && escape <= '9'))
	{
		r->p += escape == 'g' && (*r->p == '-' || *r->p == '+');
		while (*r->p >= '0' && *r->p <= '9')
			r->p++;
	}
}

/* An escape outside of a class. */
static void
read_escape(Reader *r, Part *part)
{
	char		c = *++r->p;
	char		bytes[4];
	uint32_t	code_point;

	if (c == '\0')
	{
		r->lost = true;
		return;
	}
	if ((unsigned char) c >= 0x80 || !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
	{
		int			length = character_length(r->p);

		be_string(r, part, r->p, length);
		r->p += length;
		return;
	}
	r->p++;
	if (strchr("bBAzZ", c) != NULL)
	{
		/* Where \b is followed by a sign, a word ends; the sign is not inside a word, so "left" does no harm. */
		be_string(r, part, "", 0);
		part->strings.left = c == 'b';
	}
	else if (c == 's')
		be_string(r, part, " ", 1); /* the fold leaves no other white space */
	else if (c == 'x' && read_hexadecimal(r, &code_point) && code_point != 0)
		be_string(r, part, bytes, encode(code_point, bytes));
	else
	{
		be_anything(part);
		skip_operand(r, c);
	}
}

/* One member of a class; false when it is more than a single character. */
static bool
read_member(Reader *r, uint32_t *code_point)
{
	int			length = character_length(r->p);
	const unsigned char *u = (const unsigned char *) r->p;

	if (*r->p == '\\')
	{
		char		c = *++r->p;

		if (c == 'x')
		{
			r->p++;
			return read_hexadecimal(r, code_point);
		}
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		{
			r->p++;
			if (c == 's')
			{
				*code_point = ' ';
				return true;
			}
			skip_operand(r, c);
			return false;
		}
		return c != '\0' && read_member(r, code_point);
	}
	*code_point = length == 1 ? u[0] : length == 2 ? (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu)
		: length == 3 ? (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu)
		: (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
	r->p += length;
	return true;
}

/* A class: its characters if they are few, else anything. */
static void
read_class(Reader *r, Part *part)
{
	uint32_t	members[MAX_CLASS];
	uint32_t	count = 0;
	bool		few = true;
	bool		first = true;

	r->p++;
	if (*r->p == '^')
	{
		few = false;
		r->p++;
	}
	for (; *r->p != '\0' && (first || *r->p != ']'); first = false)
	{
		uint32_t	from = 0,
					to;

		if (*r->p == '[' && strchr(":.=", r->p[1]) != NULL && r->p[1] != '\0')
		{
			const char *end = strchr(r->p, ']');

			few = false;
			if (end == NULL)
				break;
			r->p = end + 1;
			continue;
		}
		few = read_member(r, &from) && few;
		to = from;
		if (*r->p == '-' && r->p[1] != ']' && r->p[1] != '\0')
		{
			r->p++;
			few = read_member(r, &to) && few;
		}
		if (to < from || to - from >= MAX_CLASS - count)
			few = false;
		for (uint32_t c = from; few && c <= to; c++)
			members[count++] = c;
		if (count == MAX_CLASS)
			few = false;
	}
	if (*r->p++ != ']')
	{
		r->lost = true;
		return;
	}
	be_anything(part);
	if (!few || count == 0)
		return;
	*part = (Part) {.exact = true, .strings = make_set(r, count)};
	for (uint32_t i = 0; i < count; i++)
	{
		char		bytes[4];
		int			length = encode(members[i], bytes);
		char	   *copy = mdr_strndup(r->arena, bytes, length);

		if (copy == NULL)
			r->failed = true;
		else
			put(&part->strings, i, copy, length);
	}
}

/* A group: what kind, then its alternatives.  What looks around matches nothing itself. */
static void
read_group(Reader *r, Part *part)
{
	bool		around = false;
	bool		known = true;

	r->p++;
	if (*r->p == '?')
	{
		const char *q = r->p + 1;

		if (*q == ':' || *q == '>' || *q == '|')
			r->p = q + 1;
		else if (*q == '=' || *q == '!' || (*q == '<' && (q[1] == '=' || q[1] == '!')))
		{
			around = true;
			r->p = q + (*q == '<' ? 2 : 1);
		}
		else if (*q == '\'' || *q == '<' || (*q == 'P' && q[1] == '<'))
		{
			const char *end = strchr(q + 1 + (*q == 'P'), *q == '\'' ? '\'' : '>');

			r->p = end ? end + 1 : q;
			known = end != NULL;
		}
		else
			known = false;		/* a back-reference by name, a condition */
	}
	if (!known || ++r->depth > MAX_NESTING)
	{
		r->lost = true;
		return;
	}
	read_alternatives(r, part);
	r->depth--;
	if (*r->p != ')')
	{
		r->lost = true;
		return;
	}
	r->p++;
	if (around)
		be_string(r, part, "", 0);
}

static void
read_atom(Reader *r, Part *part)
{
	switch (*r->p)
	{
		case '\\':
			read_escape(r, part);
			return;
		case '[':
			read_class(r, part);
			return;
		case '(':
			read_group(r, part);
			return;
		case '.':
			r->p++;
			be_anything(part);
			return;
		case '^':
		case '$':
			r->p++;
			be_string(r, part, "", 0);
			return;
		default:
			be_string(r, part, r->p, character_length(r->p));
			r->p += character_length(r->p);
	}
}

/* A repeat behind an atom: how often at least and at most (capped at 2).  1 and 1 when there is none. */
static void
read_repeat(Reader *r, uint32_t *least, uint32_t *most)
{
	const char *q = r->p;

	*least = *most = 1;
	if (*q == '?' || *q == '*' || *q == '+')
	{
		*least = *q == '+';
		*most = *q == '?' ? 1 : 2;
		q++;
	}
	else if (*q == '{' && q[1] >= '0' && q[1] <= '9')
	{
		uint32_t	numbers[2] = {0, 0};
		bool		comma = false;

		for (q++; (*q >= '0' && *q <= '9') || (*q == ',' && !comma); q++)
		{
			if (*q == ',')
				comma = true;
			else if (numbers[comma] < 1000)
				numbers[comma] = numbers[comma] * 10 + (uint32_t) (*q - '0');
		}
		if (*q != '}')
			return;				/* an ordinary brace */
		*least = numbers[0];
		*most = !comma ? numbers[0] : q[-1] == ',' ? 2 : numbers[1];
		q++;
	}
	else
		return;
	if (*q == '?' || *q == '+')
		q++;
	r->p = q;
}

/* What a repeat leaves of what is known of an atom. */
static void
repeat_part(Reader *r, Part *part, uint32_t least, uint32_t most)
{
	Part		once = *part;
	MdrSet		product;

	if (least == 1 && most == 1)
		return;
	be_anything(part);
	if (least == most && least > 1 && least <= MAX_EXACT_REPEAT && once.exact)
	{
		*part = once;
		for (uint32_t i = 1; i < least && multiply(r, &part->strings, &once.strings, &product); i++)
			part->strings = product;

		/* Cut short, it is what the repeat begins with. */
		if (part->strings.most > 1 || part->strings.count != 1 || part->strings.lengths[0] != least * once.strings.lengths[0])
		{
			once = *part;
			be_anything(part);
			require_part(part, &once);
		}
	}
	else if (least == 0 && most == 1 && once.exact)
	{
		be_string(r, part, "", 0);
		add_strings(r, &part->strings, &once.strings);
	}
	else if (least > 0)
		require_part(part, &once);
}

static bool
at_end(const Reader *r)
{
	return *r->p == '\0' || *r->p == '|' || *r->p == ')' || r->lost || r->failed;
}

/* Atoms one behind another: strings are multiplied as long as that goes, then required, and a new run begins. */
static void
read_sequence(Reader *r, Part *part)
{
	Part		run;
	bool		broken = false;

	*part = (Part) {0};
	be_string(r, &run, "", 0);
	while (!at_end(r))
	{
		Part		atom = {0};
		MdrSet		product;
		uint32_t	least,
					most;

		read_atom(r, &atom);
		if (r->lost || r->failed)
			return;
		read_repeat(r, &least, &most);
		repeat_part(r, &atom, least, most);
		if (atom.exact && multiply(r, &run.strings, &atom.strings, &product))
		{
			run.strings = product;
			continue;
		}
		broken = true;
		require(part, &run.strings);
		if (atom.exact)
			run = atom;
		else
		{
			require_part(part, &atom);
			be_string(r, &run, "", 0);
		}
	}
	if (broken)
		require(part, &run.strings);
	else
		*part = run;
}

/* The best that one alternative offers. */
static const MdrSet *
best_set(const Part *part)
{
	const MdrSet *best = part->nrequired > 0 ? &part->required[0] : NULL;

	if (part->exact && part->strings.most <= 1 && (best == NULL || better(&part->strings, best)))
		best = &part->strings;
	return best;
}

static void
read_alternatives(Reader *r, Part *part)
{
	MdrSet		strings = {0}; /* of all alternatives, as long as all are exact */
	MdrSet		required = {0};	/* of all, as long as each has a set */
	bool		exact = true,
				each = true;

	read_sequence(r, part);
	if (*r->p != '|' || r->lost || r->failed)
		return;
	for (;;)
	{
		const MdrSet *best = best_set(part);

		exact = exact && part->exact && strings.count + part->strings.count <= MDR_MAX_SET;
		if (exact)
			add_strings(r, &strings, &part->strings);
		each = each && best != NULL && required.count + best->count <= MDR_MAX_SET;
		if (each)
			add_strings(r, &required, best);
		if (*r->p != '|' || r->lost || r->failed)
			break;
		r->p++;
		read_sequence(r, part);
	}
	be_anything(part);
	part->exact = exact;
	if (exact)
		part->strings = strings;
	else if (each)
		require(part, &required);
}

MdrStatus
mdr_filter_sets(MdrArena *arena, const char *pattern, uint32_t wanted, MdrSet *sets, uint32_t *nsets)
{
	Reader		reader = {.arena = arena, .p = pattern};
	Part		whole = {0};
	Part		result = {0};
	float		tries = 1;

	*nsets = 0;
	read_alternatives(&reader, &whole);
	if (reader.failed)
		return MDR_NO_MEMORY;
	if (reader.lost || *reader.p != '\0')
		return MDR_OK;
	require_part(&result, &whole);

	/* A further set is worth looking for when it spares more tries than it costs hits. */
	for (; *nsets < result.nrequired; ++*nsets)
	{
		float		often = frequency(&result.required[*nsets]);

		if (wanted > 0 ? *nsets == wanted : *nsets > 0 && often >= COST_OF_TRYING * tries * (1 - often))
			break;
		tries *= often;
		sets[*nsets] = result.required[*nsets];
	}
	return MDR_OK;
}
