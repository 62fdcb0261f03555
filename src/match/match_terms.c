/*
 * match_terms.c
 *		Terms, all_of words, context signs and allowed phrases -> literals to look for, each once.
 *
 * A term's {list} is expanded, each result is folded as its view folds content, and equal results are put together, so that
 * a literal is looked for once however many rules and views want it.  Of several lists in one term, every combination is
 * made only where these are few; else each list's words are looked for as parts, which match_parts.c puts together.  A "*"
 * at an end drops the word boundary there.  A "*" that a list brings into the middle of a term becomes a gap: the literal
 * up to it is looked for, and what must follow after the rest of the word is kept beside the use as its tail.
 *
 * Contexts are looked for in every view: who spreads or respells a text does so with its excuses, too.
 *
 * Input: the policy's tree.  Output: compiler->uses, and then literals and unique_uses, in
 * compiler->scratch.  Locks: none.  On error
 * the MdrError says which term is refused and why.
 */
#include "match/match_compile.h"

#include <stdlib.h>
#include <string.h>

#define MAX_REFERENCES MDR_MAX_PARTS
#define FEWEST_FOR_PARTS 32		/* combinations */
#define MAX_EXPANDED 2000		/* bytes of a term with its lists' words */

/* Whose terms are being compiled. */
typedef struct Owner
{
	MdrUseKind	kind;
	uint32_t	owner;
	uint32_t	group;
	uint32_t	views;
	const char *rule;
	uint32_t   *count;			/* terms so far, against MDR_MAX_TERMS */
} Owner;

/* A term cut at its references: piece, list, piece, list, ..., piece. */
typedef struct Template
{
	const char *pieces[MAX_REFERENCES + 1];
	size_t		lengths[MAX_REFERENCES + 1];
	const MdrWordList *lists[MAX_REFERENCES];
	uint32_t	nlists;
	uint64_t	combinations;
	MdrPlace	place;
} Template;

static MdrStatus
cut_template(MdrCompiler *compiler, const char *term, MdrPlace place, const Owner *owner, Template *template)
{
	size_t		from = 0,
				start,
				end;

	template->place = place;
	template->nlists = 0;
	template->combinations = 1;
	while (mdr_policy_reference(term, from, false, &start, &end))
	{
		uint32_t	n = template->nlists;

		if (n == MAX_REFERENCES)
			return mdr_compile_refuse(compiler, place, owner->rule, "a term may name %d lists at most", MAX_REFERENCES);
		template->pieces[n] = term + from;
		template->lengths[n] = start - from;
		template->lists[n] = mdr_policy_list(compiler->policy, term + start + 1, end - start - 2);
		if (template->lists[n] == NULL)
			return mdr_compile_refuse(compiler, place, owner->rule, "unknown list");
		if (template->combinations <= MDR_MAX_TERMS)	/* beyond it does not matter how many */
			template->combinations *= template->lists[n]->terms.count;
		template->nlists++;
		from = end;
	}
	template->pieces[template->nlists] = term + from;
	template->lengths[template->nlists] = strlen(term + from);
	return MDR_OK;
}

/* Adds one use of a literal.  literal is the scratch arena's. */
static MdrStatus
add_use(MdrCompiler *compiler, uint32_t views, const Owner *owner, const char *literal, uint32_t length, uint32_t tail,
		unsigned flags, MdrPlace place)
{
	MdrTermUses *uses = &compiler->uses;
	MdrStatus	status = mdr_compile_look(compiler, 512);

	if (status != MDR_OK)
		return status;
	if (uses->count == MDR_MAX_LITERALS)
		return mdr_compile_refuse(compiler, place, owner->rule, "the policy comes to more than %d terms in all views",
								  MDR_MAX_LITERALS);
	if (uses->count == uses->capacity)
	{
		uint32_t	larger = uses->capacity ? uses->capacity * 2 : 256;
		MdrTermUse *items = mdr_grow(compiler->scratch, uses->items, uses->capacity * sizeof(MdrTermUse),
									 larger * sizeof(MdrTermUse));

		if (items == NULL)
			return mdr_compile_no_memory(compiler);
		uses->items = items;
		uses->capacity = larger;
	}
	uses->items[uses->count++] = (MdrTermUse) {literal, length,
		{.owner = owner->owner, .tail = tail, .kind = owner->kind, .group = owner->group, .flags = flags, .views = views}};
	return MDR_OK;
}

/*
 * Folds a piece of a term for a view.  Spaces at a piece's ends are kept whatever the fold does with them, save at the ends
 * of the term and in the joined view.
 */
static bool
fold_piece(MdrCompiler *compiler, MdrView view, const char *part, size_t length, bool first, bool last, MdrBuffer *out)
{
	char	   *folded;
	uint32_t	folded_length;

	if (mdr_text_view_term(compiler->scratch, view, part, length, &folded, &folded_length) != MDR_OK)
		return false;
	while (folded_length > 0 && folded[0] == ' ')
	{
		folded++;
		folded_length--;
	}
	while (folded_length > 0 && folded[folded_length - 1] == ' ')
		folded_length--;
	if (!first && view != MDR_VIEW_JOINED && length > 0 && part[0] == ' ')
		mdr_buffer_byte(out, ' ');
	mdr_buffer_append(out, folded, folded_length);
	if (!last && view != MDR_VIEW_JOINED && length > 1 && part[length - 1] == ' ' && folded_length > 0)
		mdr_buffer_byte(out, ' ');
	return !out->failed;
}

/* A term, or a part of one, whose ends it has or has not. */
typedef struct Piece
{
	const char *bytes;			/* with MDR_GAP for a "*" inside */
	size_t		length;
	bool		first;
	bool		last;
	unsigned	flags;
} Piece;

/* A piece in one view: what stands before the first gap becomes the literal, the rest the tail. */
static MdrStatus
add_in_view(MdrCompiler *compiler, const Owner *owner, MdrView view, const Piece *piece, MdrPlace place)
{
	MdrBuffer	literal = {compiler->scratch};
	MdrBuffer	tail = {compiler->scratch};
	uint32_t	tail_string = 0;
	size_t		from = 0;

	for (bool first = true;; first = false)
	{
		const char *gap = memchr(piece->bytes + from, MDR_GAP, piece->length - from);
		size_t		end = gap ? gap - piece->bytes : piece->length;

		if (!first)
			mdr_buffer_byte(&tail, MDR_GAP);
		if (!fold_piece(compiler, view, piece->bytes + from, end - from, first && piece->first, gap == NULL && piece->last,
						first ? &literal : &tail) || tail.failed)
			return mdr_compile_no_memory(compiler);
		if (gap == NULL)
			break;
		from = end + 1;
	}
	if (literal.length == 0)
	{
		if (view != MDR_VIEW_PLAIN)
			return MDR_OK;
		return mdr_compile_refuse(compiler, place, owner->rule, "nothing is left of this term once it is folded");
	}
	if (tail.length > 0)
		tail_string = mdr_compile_string(compiler, tail.bytes, tail.length);
	if (tail_string == UINT32_MAX)
		return mdr_compile_no_memory(compiler);
	return add_use(compiler, 1u << view, owner, literal.bytes, (uint32_t) literal.length, tail_string, piece->flags, place);
}

/* One piece in every view that its owner looks through. */
static MdrStatus
add_piece(MdrCompiler *compiler, const Owner *owner, const Piece *piece, MdrPlace place)
{
	if (++*owner->count > MDR_MAX_TERMS)
		return mdr_compile_refuse(compiler, place, owner->rule, "rule comes to more than %d terms", MDR_MAX_TERMS);
	for (int view = 0; view < MDR_NVIEWS; view++)
	{
		MdrStatus	status = MDR_OK;

		if (owner->views & (1u << view))
			status = add_in_view(compiler, owner, view, piece, place);
		if (status != MDR_OK)
			return status;
	}
	return MDR_OK;
}

/* Whether a text has characters of a script without spaces between words. */
static MdrStatus
has_han(MdrCompiler *compiler, const char *bytes, size_t length, bool *han)
{
	MdrText		text;

	if (mdr_text_fold(compiler->scratch, bytes, length, &text) != MDR_OK)
		return mdr_compile_no_memory(compiler);
	*han = text.has_han;
	return MDR_OK;
}

/* Stars at the piece's ends become flags, those inside gaps.  bytes are changed. */
static Piece
take_stars(char *bytes, size_t length, bool first, bool last)
{
	Piece		piece = {bytes, length, first, last, (first ? MDR_LEFT : 0) | (last ? MDR_RIGHT : 0)};

	for (; last && piece.length > 0 && piece.bytes[piece.length - 1] == '*'; piece.length--)
		piece.flags &= ~(unsigned) MDR_RIGHT;
	for (; first && piece.length > 0 && *piece.bytes == '*'; piece.bytes++, piece.length--)
		piece.flags &= ~(unsigned) MDR_LEFT;
	for (char *p = bytes; p < bytes + length; p++)
		if (*p == '*')
			*p = MDR_GAP;
	return piece;
}

/* One combination of a template's lists: the whole term. */
static MdrStatus
expand(MdrCompiler *compiler, const Owner *owner, const Template *template, const uint32_t *chosen)
{
	char		term[MAX_EXPANDED + 1];
	size_t		length = 0;
	bool		han = false;
	Piece		piece;
	MdrStatus	status;

	for (uint32_t p = 0; p <= template->nlists; p++)
	{
		const char *word = p < template->nlists ? template->lists[p]->terms.items[chosen[p]] : "";
		size_t		word_length = strlen(word);

		if (length + template->lengths[p] + word_length > MAX_EXPANDED)
			return mdr_compile_refuse(compiler, template->place, owner->rule, "term is longer than %d bytes", MAX_EXPANDED);
		memcpy(term + length, template->pieces[p], template->lengths[p]);
		length += template->lengths[p];
		memcpy(term + length, word, word_length);
		length += word_length;
	}
	piece = take_stars(term, length, true, true);
	status = has_han(compiler, piece.bytes, piece.length, &han);
	if (status != MDR_OK)
		return status;
	if (han && (piece.flags & MDR_LEFT) && (piece.flags & MDR_RIGHT))
		piece.flags |= MDR_WHOLE;
	return add_piece(compiler, owner, &piece, template->place);
}

/*
 * Whether every word begins with a character, of three bytes or more in UTF-8, that a view leaves as it is whatever stands
 * before it: Han, Kana, Hangul, Thai, ...  A letter might be squeezed into the one before, a mark belongs to it.
 */
static bool
begin_apart(const MdrWordList *list)
{
	for (uint32_t i = 0; i < list->terms.count; i++)
		if ((unsigned char) list->terms.items[i][0] < 0xE1)
			return false;
	return true;
}

static bool
begins_with_star(const MdrWordList *list)
{
	for (uint32_t i = 0; i < list->terms.count; i++)
		if (list->terms.items[i][0] == '*')
			return true;
	return false;
}

static bool
ends_with_star(const MdrWordList *list)
{
	for (uint32_t i = 0; i < list->terms.count; i++)
		if (list->terms.items[i][strlen(list->terms.items[i]) - 1] == '*')
			return true;
	return false;
}

/*
 * Whether a template is kept as parts instead of every combination: where that saves something, and where the views do to two
 * parts what they do to the whole: at a space, or before characters that stand apart; with no star where they meet.
 */
static bool
keep_parts(const Template *template, const Owner *owner)
{
	if (template->combinations < FEWEST_FOR_PARTS || (owner->kind != MDR_USE_TERM && owner->kind != MDR_USE_MEMBER))
		return false;
	for (uint32_t p = 0; p + 1 < template->nlists; p++)
	{
		size_t		length = template->lengths[p + 1];
		bool		space = length > 0 && template->pieces[p + 1][length - 1] == ' ';

		if (begins_with_star(template->lists[p + 1]) || (!space && !begin_apart(template->lists[p + 1]))
			|| (length == 0 && ends_with_star(template->lists[p])))
			return false;
	}
	return template->nlists > 1;
}

/* Part p of a template with one of its list's words: the word and the text behind it, and before the first one the text there. */
static MdrStatus
add_part(MdrCompiler *compiler, const Owner *owner, const Template *template, uint32_t p, const char *word, bool *han)
{
	bool		first = p == 0,
				last = p + 1 == template->nlists;
	size_t		before = first ? template->lengths[0] : 0,
				word_length = strlen(word);
	char		bytes[MAX_EXPANDED + 1];
	Piece		piece;
	MdrStatus	status;

	if (before + word_length + template->lengths[p + 1] > MAX_EXPANDED)
		return mdr_compile_refuse(compiler, template->place, owner->rule, "term is longer than %d bytes", MAX_EXPANDED);
	memcpy(bytes, template->pieces[0], before);
	memcpy(bytes + before, word, word_length);
	memcpy(bytes + before + word_length, template->pieces[p + 1], template->lengths[p + 1]);
	piece = take_stars(bytes, before + word_length + template->lengths[p + 1], first, last);
	if (!first && template->lengths[p] > 0 && template->pieces[p][template->lengths[p] - 1] == ' ')
		piece.flags |= MDR_AFTER_SIGN;
	status = has_han(compiler, piece.bytes, piece.length, han);
	return status == MDR_OK ? add_piece(compiler, owner, &piece, template->place) : status;
}

static MdrStatus
add_parts(MdrCompiler *compiler, const Owner *owner, const Template *template)
{
	Owner		part = *owner;
	bool		any_han = false;

	if (compiler->ntemplates == compiler->template_capacity)
	{
		uint32_t	larger = compiler->template_capacity ? compiler->template_capacity * 2 : 64;

		compiler->templates = mdr_grow(compiler->scratch, compiler->templates,
									   compiler->template_capacity * sizeof(MdrImageTemplate), larger * sizeof(MdrImageTemplate));
		if (compiler->templates == NULL)
			return mdr_compile_no_memory(compiler);
		compiler->template_capacity = larger;
	}
	part.kind = MDR_USE_PART;
	part.owner = compiler->ntemplates;
	for (uint32_t p = 0; p < template->nlists; p++)
		for (uint32_t w = 0; w < template->lists[p]->terms.count; w++)
		{
			bool		han = false;
			MdrStatus	status;

			part.group = p;
			status = add_part(compiler, &part, template, p, template->lists[p]->terms.items[w], &han);
			if (status != MDR_OK)
				return status;
			any_han = any_han || han;
		}

	compiler->templates[compiler->ntemplates++] = (MdrImageTemplate) {owner->owner, owner->kind, owner->group, template->nlists,
		any_han ? MDR_WHOLE : 0};
	return MDR_OK;
}

/* A "*" may stand at the ends only; in a template also where a list's word ends, which is seen in the words themselves. */
static MdrStatus
check_characters(MdrCompiler *compiler, const char *term, MdrPlace place, const char *rule)
{
	size_t		length = strlen(term);

	for (size_t i = 0; i < length; i++)
	{
		if (term[i] == '*' && i > 0 && i + 1 < length)
			return mdr_compile_refuse(compiler, place, rule, "* may stand only at the start or the end of a term");
		if ((unsigned char) term[i] < ' ' && term[i] != '\t' && term[i] != '\n')
			return mdr_compile_refuse(compiler, place, rule, "a term may not contain control characters");
	}
	return MDR_OK;
}

/*
 * The views that a term is looked for in.  The joined view has no signs that stand apart; "guaranteed £" without its sign would be
 * another term, so one that begins or ends with such a sign is not looked for there.
 */
static uint32_t
views_of(const char *term, const Owner *owner)
{
	static const char *const signs[] = {"$", "+", "%", "#", "@", "=", "\u00A3", "\u20AC", "\u00A5"};
	size_t		length = strlen(term);
	uint32_t	views = owner->views;

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
	{
		size_t		size = strlen(signs[i]);

		if (length >= size && (memcmp(term, signs[i], size) == 0 || memcmp(term + length - size, signs[i], size) == 0))
			views &= ~(1u << MDR_VIEW_JOINED);
	}
	return views;
}

static MdrStatus
compile_strings(MdrCompiler *compiler, const MdrStrings *strings, const Owner *given)
{
	for (uint32_t i = 0; i < strings->count; i++)
	{
		Owner		its_own = *given;
		const Owner *owner = &its_own;
		Template	template;
		uint32_t	chosen[MAX_REFERENCES] = {0};
		MdrStatus	status = check_characters(compiler, strings->items[i], strings->places[i], owner->rule);

		its_own.views = views_of(strings->items[i], given);
		if (status == MDR_OK)
			status = cut_template(compiler, strings->items[i], strings->places[i], owner, &template);
		if (status == MDR_OK && keep_parts(&template, owner))
		{
			status = add_parts(compiler, owner, &template);
			template.combinations = 0;
		}
		else if (status == MDR_OK && template.combinations > MDR_MAX_TERMS)
			status = mdr_compile_refuse(compiler, template.place, owner->rule,
										"the lists of this term come to more than %d combinations", MDR_MAX_TERMS);
		if (status != MDR_OK)
			return status;
		for (uint64_t n = 0; n < template.combinations; n++)
		{
			status = expand(compiler, owner, &template, chosen);
			if (status != MDR_OK)
				return status;
			for (uint32_t p = 0; p < template.nlists && ++chosen[p] == template.lists[p]->terms.count; p++)
				chosen[p] = 0;
		}
	}
	return MDR_OK;
}

static MdrStatus
compile_rule(MdrCompiler *compiler, uint32_t index)
{
	const MdrPolicy *policy = compiler->policy;
	const MdrRule *rule = &policy->rules[index];
	uint32_t	allowed = 0;
	Owner		owner = {MDR_USE_TERM, index, 0, rule->views, rule->id, &compiler->rules[index].nterms};
	MdrStatus	status = compile_strings(compiler, &rule->terms, &owner);

	owner.kind = MDR_USE_MEMBER;
	for (uint32_t g = 0; status == MDR_OK && g < rule->nall_of; g++)
	{
		owner.group = g;
		status = compile_strings(compiler, &rule->all_of[g], &owner);
	}
	if (status != MDR_OK)
		return status;
	owner = (Owner) {MDR_USE_ALLOW, index, 0, rule->views, rule->id, &allowed};
	return compile_strings(compiler, &rule->allow, &owner);
}

static int
compare_uses(const void *left, const void *right)
{
	const MdrTermUse *a = left;
	const MdrTermUse *b = right;
	int			order = memcmp(a->literal, b->literal, a->length < b->length ? a->length : b->length);

	if (order == 0)
		order = (a->length > b->length) - (a->length < b->length);
	if (order == 0)
		order = (a->use.kind > b->use.kind) - (a->use.kind < b->use.kind);
	if (order == 0)
		order = (a->use.owner > b->use.owner) - (a->use.owner < b->use.owner);
	if (order == 0)
		order = (int) a->use.group - (int) b->use.group;
	if (order == 0)
		order = (int) a->use.flags - (int) b->use.flags;
	return order != 0 ? order : (a->use.tail > b->use.tail) - (a->use.tail < b->use.tail);
}

/* Puts equal literals together, each with its uses, and equal uses of several views. */
static MdrStatus
unite(MdrCompiler *compiler)
{
	MdrTermUses *uses = &compiler->uses;
	MdrStatus	status = mdr_compile_sort(compiler, uses->items, uses->count, sizeof(MdrTermUse), compare_uses);

	for (uint32_t i = 0; status == MDR_OK && i < uses->count; i++)
	{
		const MdrTermUse *item = &uses->items[i];
		MdrImageLiteral *literal;

		if (i == 0 || item[-1].length != item->length || memcmp(item[-1].literal, item->literal, item->length) != 0)
		{
			literal = &compiler->literals[compiler->nliterals++];
			literal->text = mdr_compile_string(compiler, item->literal, item->length);
			literal->length = item->length;
			literal->first_use = compiler->nuses;
		}
		literal = &compiler->literals[compiler->nliterals - 1];
		for (int view = 0; view < MDR_NVIEWS; view++)
			if (item->use.views & (1u << view))
				literal->kinds[view] |= (uint8_t) (1u << item->use.kind);
		if (literal->nuses > 0 && compare_uses(item, item - 1) == 0)
			compiler->unique_uses[compiler->nuses - 1].views |= item->use.views;
		else
		{
			compiler->unique_uses[compiler->nuses++] = item->use;
			literal->nuses++;
		}
		status = mdr_compile_look(compiler, 4096);
	}
	return status;
}

MdrStatus
mdr_compile_literals(MdrCompiler *compiler)
{
	uint32_t	count = compiler->uses.count;
	MdrStatus	status;

	compiler->literals = mdr_alloc_array(compiler->scratch, count + 1, sizeof(MdrImageLiteral));
	compiler->unique_uses = mdr_alloc_array(compiler->scratch, count + 1, sizeof(MdrImageUse));
	if (compiler->literals == NULL || compiler->unique_uses == NULL)
		return mdr_compile_no_memory(compiler);
	status = unite(compiler);
	if (status != MDR_OK)
		return status;
	return compiler->strings.failed ? mdr_compile_no_memory(compiler) : mdr_lay_index(compiler);
}

MdrStatus
mdr_compile_announcer(MdrCompiler *compiler, uint32_t views, const char *literal, uint32_t length, uint32_t set,
					  unsigned flags, MdrPlace place)
{
	Owner		owner = {.kind = MDR_USE_SET, .owner = set};

	return add_use(compiler, views, &owner, literal, length, 0, flags, place);
}

MdrStatus
mdr_compile_terms(MdrCompiler *compiler)
{
	const MdrPolicy *policy = compiler->policy;
	uint32_t	count = 0;
	Owner		owner = {MDR_USE_ALLOW, MDR_EVERYONE, 0, policy->views, NULL, &count};
	MdrStatus	status = MDR_OK;

	for (uint32_t i = 0; status == MDR_OK && i < policy->nlists; i++)
		for (uint32_t t = 0; status == MDR_OK && t < policy->lists[i].terms.count; t++)
			status = check_characters(compiler, policy->lists[i].terms.items[t], policy->lists[i].terms.places[t], NULL);
	if (status == MDR_OK)
		status = compile_strings(compiler, &policy->allow, &owner);
	for (uint32_t i = 0; status == MDR_OK && i < policy->ncontexts; i++)
	{
		count = 0;
		owner = (Owner) {MDR_USE_CONTEXT, i, 0, policy->views, NULL, &count};
		status = compile_strings(compiler, &policy->contexts[i].terms, &owner);
	}
	for (uint32_t i = 0; status == MDR_OK && i < policy->nrules; i++)
		status = compile_rule(compiler, i);
	return status;
}
