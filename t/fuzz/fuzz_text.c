/*
 * fuzz_text.c
 *		The text stage on any bytes: the fold, every view of it, the way back, word boundaries, terms.
 *
 * The first byte chooses what is looked at closest; the rest is the text.  Everything is asked at every character of short texts,
 * and at some of long ones.
 */
#define _GNU_SOURCE
#include "fuzz.h"

#define POSITIONS 48			/* looked at in one view */

static MdrArena *arena;

static void
check_form(const MdrText *text)
{
	require(is_utf8(text->bytes, text->length), "a view is valid UTF-8");
	require(text->bytes[text->length] == '\0', "a view ends with a zero");
	require(strlen(text->bytes) == text->length, "there is no zero within a view");
	require(text->length == 0 || strstr(text->bytes, "  ") == NULL, "a run of white space is one space");
}

/* What a span leads back to lies in the text as given, splits no character, and holds what shorter spans lead to. */
static void
check_spans(const MdrText *text, bool valid, uint32_t step)
{
	uint32_t	all[2];
	uint32_t	before[2] = {0, 0};
	uint32_t	last = 0;

	mdr_text_span(text, 0, text->length, &all[0], &all[1]);
	require(all[0] <= all[1] && all[1] <= text->given_length, "the whole text leads into the text as given");
	for (uint32_t at = 0; at < text->length; at += step)
	{
		uint32_t	one[2];
		uint32_t	both[2];
		uint32_t	none[2];
		uint32_t	end;

		while (!is_edge(text->bytes, text->length, at))
			at++;
		if (at == text->length)
			break;
		for (end = at + 1; !is_edge(text->bytes, text->length, end);)
			end++;
		mdr_text_span(text, at, end, &one[0], &one[1]);
		mdr_text_span(text, last, end, &both[0], &both[1]);
		mdr_text_span(text, at, at, &none[0], &none[1]);
		require(one[0] < one[1] && one[1] <= text->given_length, "a character comes from something");
		require(none[0] == none[1] && none[0] == one[0], "an empty span leads to an empty one");
		require(!valid || (is_edge(text->given, text->given_length, one[0]) && is_edge(text->given, text->given_length, one[1])),
				"a span splits no character");
		require(one[0] >= before[0] && one[1] >= before[1], "what comes later comes from later");
		require(both[0] <= before[0] || at == 0, "a longer span begins where its first character does");
		require(both[1] == one[1], "a longer span ends where its last character does");
		require(one[0] >= all[0] && one[1] <= all[1], "the whole text holds every part");
		memcpy(before, one, sizeof(before));
		last = at;
	}
}

static void
check_words(const MdrText *text, uint32_t step)
{
	require(mdr_text_boundary(text, 0) && mdr_text_boundary(text, text->length), "words may begin and end at the edges");
	for (uint32_t at = 0; at < text->length; at += step)
	{
		uint32_t	end;

		while (!is_edge(text->bytes, text->length, at))
			at++;
		end = at + 1 + at % 11;
		while (end < text->length && !is_edge(text->bytes, text->length, end))
			end++;
		(void) mdr_text_boundary(text, at);
		if (end > text->length)
			break;
		require(mdr_text_whole_words(text, at, end) == mdr_text_whole_words(text, at, end), "the same words are whole twice");
		require(text->changed != NULL || mdr_text_changed(text, at, end), "the plain view always counts as changed");
	}
}

/* The text as a term: found in content that has it as given. */
static void
check_term(const char *given, size_t length)
{
	char	   *around = allocate(length + 4);
	MdrText		plain;
	MdrText		text;

	memcpy(around, ". ", 2);
	memcpy(around + 2, given, length);
	memcpy(around + 2 + length, " .", 2);
	for (MdrView view = MDR_VIEW_PLAIN; view < MDR_NVIEWS; view++)
	{
		char	   *term;
		char	   *again;
		uint32_t	n;
		uint32_t	again_n;

		require(mdr_text_view_term(arena, view, given, length, &term, &n) == MDR_OK, "a term has a form in every view");
		require(is_utf8(term, n) && strlen(term) == n, "a term is valid UTF-8 of the length said");
		require(n == 0 || (term[0] != ' ' && term[n - 1] != ' '), "a term has no space around it");
		if (view != MDR_VIEW_PLAIN && view != MDR_VIEW_SQUEEZED)
			continue;
		require(mdr_text_view_term(arena, view, term, n, &again, &again_n) == MDR_OK, "a term's form has a form");
		require(again_n == n && memcmp(again, term, n) == 0, "a term's form is its own");
		require(mdr_text_fold(arena, around, length + 4, &plain) == MDR_OK && mdr_text_view(arena, &plain, view, &text) == MDR_OK,
				"text around a term can be looked at");
		require(memmem(text.bytes, text.length, term, n) != NULL, "a term is found where it stands");
	}
	free(around);
}

static void
check_again(const MdrText *plain)
{
	MdrText		scalar;
	MdrText		again;
	MdrStatus	status;

	mdr_test_text_scalar = true;
	status = mdr_text_fold(arena, plain->given, plain->given_length, &scalar);
	mdr_test_text_scalar = false;
	require(status == MDR_OK && scalar.length == plain->length && memcmp(scalar.bytes, plain->bytes, plain->length) == 0 &&
			scalar.views == plain->views && scalar.has_han == plain->has_han, "vectors make no difference");
	for (uint32_t at = 0; at < plain->length; at += 1 + plain->length / POSITIONS)
	{
		uint32_t	one[2];
		uint32_t	other[2];

		mdr_text_span(plain, at, at + 1, &one[0], &one[1]);
		mdr_text_span(&scalar, at, at + 1, &other[0], &other[1]);
		require(one[0] == other[0] && one[1] == other[1], "vectors make no difference to the way back");
	}
	require(mdr_text_fold(arena, plain->bytes, plain->length, &again) == MDR_OK, "a folded text can be folded");
	require(again.length == plain->length && memcmp(again.bytes, plain->bytes, plain->length) == 0, "a folded text folds to itself");
}

/* Whatever allocation fails is told. */
static void
check_memory(const char *given, size_t length, uint32_t which)
{
	MdrText		plain;
	MdrText		text;
	char	   *term;
	uint32_t	n;
	MdrStatus	status;

	mdr_test_fail_alloc(1 + which % 16);
	status = mdr_text_fold(arena, given, length, &plain);
	for (MdrView view = MDR_VIEW_LEET; status == MDR_OK && view < MDR_NVIEWS; view++)
	{
		status = mdr_text_view(arena, &plain, view, &text);
		if (status == MDR_OK)
			status = mdr_text_view_term(arena, view, given, length, &term, &n);
	}
	mdr_test_fail_alloc(0);
	require(status == MDR_OK || status == MDR_NO_MEMORY, "a lack of memory is told as such");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t		mode = size > 0 ? data[0] : 0;
	char	   *given;
	size_t		length = size > 0 ? size - 1 : 0;
	MdrText		plain;
	bool		valid;

	if (arena == NULL)
		require((arena = mdr_arena_create(0)) != NULL, "there is memory");
	mdr_arena_reset(arena);
	given = exact_copy(data + (size > 0), length);
	valid = is_utf8(given, length);

	require(mdr_text_fold(arena, given, length, &plain) == MDR_OK, "any bytes can be folded");
	require(plain.given == given && plain.given_length == length && plain.view == MDR_VIEW_PLAIN, "a text says what it was made from");
	for (MdrView view = MDR_VIEW_PLAIN; view < MDR_NVIEWS; view++)
	{
		MdrText		text;

		require(mdr_text_view(arena, &plain, view, &text) == MDR_OK, "any text has every view");
		require(text.view == view, "a view says which it is");
		check_form(&text);
		if (view != MDR_VIEW_PLAIN)
			require(!(plain.views >> view & 1) || mdr_text_changed(&text, 0, text.length) || view == MDR_VIEW_JOINED,
					"a view that was announced changes something");
		check_spans(&text, valid, 1 + text.length / POSITIONS);
		check_words(&text, 1 + text.length / (POSITIONS / 4));
	}
	check_again(&plain);
	if (mode % 4 == 0)
		check_term(given, length);
	if (mode % 4 == 1)
		check_memory(given, length, mode / 4);
	free(given);
	return 0;
}
