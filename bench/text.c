/*
 * text.c
 *		What folding costs: microseconds a row of 512 bytes, beside memcpy and beside ICU doing the same.
 *
 * The rows are generated here, from word lists, with a fixed seed.  The figure is the best of fifteen runs over 1000
 * different rows.  "Views" is the fold and every view that it shows signs of.  Build and run, from the top of the
 * tree, after make:
 *
 *	gcc -g -O2 -std=gnu11 -Wall -Isrc bench/text.c $(find src/base src/text -name '*.o') -o build/bench_text \
 *		$(pkg-config --cflags --libs icu-uc icu-i18n) && build/bench_text
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "text/text_parts.h"

#define ROWS	1000
#define ROW		512
#define RUNS	15

typedef struct Row
{
	char		bytes[ROW + 16];
	uint32_t	length;
} Row;

typedef struct Language
{
	const char *name;
	const char *words;			/* parted by spaces */
	const char *gap;			/* between two words */
	const char *ends[3];		/* of a clause */
} Language;

static const Language languages[] = {
	{"English", "the of and a to in he have it that for they with as not on she at by this we you do but from or which one would all will there "
	"say who make when can more if no man out other so what time up go about than into could state only new year some take come these know "
	"see use get like then first any work now may such give over think most even find day also after way many must look before great back "
	"through long where much should well people down own just because good each those feel seem how high too place little world very still "
	"nation hand old life tell write become here show house both between need mean call develop under last right move thing general school "
	"never same another begin while number part turn real leave might want point form off child few small since against ask late home "
	"interest large person end open public follow during present without again hold govern around possible head consider word program problem",
	" ", {", ", ". The ", ".\n"}},
	{"French", "le de un \xC3\xAAtre et \xC3\xA0 il avoir ne je son que se qui ce dans en du elle au pour pas sur faire plus dire me on mon lui nous "
	"comme mais pouvoir avec tout y aller voir bien o\xC3\xB9 sans tu ou leur homme si deux mari moi vouloir te femme venir quand grand celui "
	"notre devoir l\xC3\xA0 jour prendre m\xC3\xAAme votre rien petit encore aussi quelque dont mer trouver donner temps \xC3\xA7" "a peu falloir sous "
	"parler alors main chose ton mettre vie savoir yeux passer autre apr\xC3\xA8s regarder toujours puis jamais cela aimer non heure croire cent "
	"monde donc enfant fois seul entre vers chez demander jeune jusque tr\xC3\xA8s moment rester r\xC3\xA9pondre t\xC3\xAAte p\xC3\xA8re fille mille premier",
	" ", {", ", ". Le ", ".\n"}},
	{"Chinese", "\xE7\x9A\x84 \xE4\xB8\x80 \xE6\x98\xAF \xE5\x9C\xA8 \xE4\xB8\x8D \xE4\xBA\x86 \xE6\x9C\x89 \xE5\x92\x8C \xE4\xBA\xBA \xE8\xBF\x99 "
	"\xE4\xB8\xAD\xE5\x9B\xBD \xE5\xA4\xA7\xE5\xAE\xB6 \xE4\xB8\xBA\xE4\xBA\x86 \xE4\xB8\x8A\xE6\xB5\xB7 \xE4\xB8\xAA\xE4\xBA\xBA \xE5\x9B\xBD\xE5\xAE\xB6 "
	"\xE6\x88\x91\xE4\xBB\xAC \xE4\xBB\xA5\xE5\x8F\x8A \xE8\xA6\x81\xE6\xB1\x82 \xE4\xBB\x96\xE4\xBB\xAC \xE6\x97\xB6\xE5\x80\x99 \xE6\x9D\xA5\xE8\x87\xAA "
	"\xE7\x94\xA8\xE6\x88\xB7 \xE4\xBB\xAC \xE7\x94\x9F\xE6\xB4\xBB \xE5\x88\xB0\xE8\xBE\xBE \xE4\xBD\x9C\xE4\xB8\xBA \xE5\x9C\xB0\xE6\x96\xB9 \xE4\xBA\x8E "
	"\xE5\x87\xBA\xE7\x8E\xB0 \xE5\xB0\xB1 \xE5\x88\x86\xE6\x9E\x90 \xE5\xAF\xB9\xE4\xBA\x8E \xE6\x88\x90\xE5\x8A\x9F \xE4\xBC\x9A\xE8\xAE\xAE "
	"\xE5\x8F\xAF\xE4\xBB\xA5 \xE4\xB8\xBB\xE8\xA6\x81 \xE5\x8F\x91\xE5\xB1\x95 \xE5\xB9\xB4\xE8\xBD\xBB \xE5\x8A\xA8\xE7\x89\xA9 \xE5\x90\x8C\xE5\xAD\xA6 "
	"\xE5\xB7\xA5\xE4\xBD\x9C \xE4\xB9\x9F \xE8\x83\xBD\xE5\xA4\x9F \xE4\xB8\x8B\xE5\x8D\x88 \xE8\xBF\x87\xE5\x8E\xBB \xE5\xAD\xA9\xE5\xAD\x90",
	"", {"\xEF\xBC\x8C", "\xE3\x80\x82", "\xE3\x80\x82\xE7\xAC\xAC""3\xE7\xAB\xA0\xEF\xBC\x9A"}},
	{"disguised", "k1ll h4te b.o.m.b w o r d looong sooo th3 and then 4ll of it f r e e g1fts noooow", " ", {", ", ". ", "!\n"}},
};

static Row	rows[ROWS];

static uint32_t
roll(uint32_t n)
{
	static uint64_t seed = 88172645463325252u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) (seed >> 32) % n;
}

static void
write_rows(const Language *language)
{
	const char *words[400];
	uint32_t	lengths[400];
	uint32_t	n = 0;

	for (const char *at = language->words; *at != '\0'; n++)
	{
		words[n] = at;
		lengths[n] = strcspn(at, " ");
		at += lengths[n] + strspn(at + lengths[n], " ");
	}
	for (int i = 0; i < ROWS; i++)
	{
		Row		   *row = &rows[i];

		row->length = 0;
		for (;;)
		{
			uint32_t	word = roll(n);
			const char *gap = roll(9) == 0 ? language->ends[roll(3)] : language->gap;

			if (row->length + lengths[word] + strlen(gap) > ROW)
				break;
			memcpy(row->bytes + row->length, words[word], lengths[word]);
			if (row->length == 0 || roll(12) == 0)
				row->bytes[row->length] -= words[word][0] >= 'a' && words[word][0] <= 'z' ? 32 : 0;
			row->length += lengths[word];
			memcpy(row->bytes + row->length, gap, strlen(gap));
			row->length += strlen(gap);
		}
	}
}

static MdrArena *arena;
static uint64_t built;

static void
run_memcpy(const Row *row)
{
	static char copy[ROW * 4];

	memcpy(copy, row->bytes, row->length);
	__asm__ volatile("" : : "r"(copy) : "memory");
}

static void
run_fold(const Row *row)
{
	MdrText		text;

	mdr_arena_reset(arena);
	if (mdr_text_fold(arena, row->bytes, row->length, &text) != MDR_OK)
		exit(1);
}

static void
run_views(const Row *row)
{
	MdrText		text;
	MdrText		view;

	mdr_arena_reset(arena);
	if (mdr_text_fold(arena, row->bytes, row->length, &text) != MDR_OK)
		exit(1);
	for (MdrView which = MDR_VIEW_LEET; which < MDR_NVIEWS; which++)
	{
		if (!(text.views >> which & 1))
			continue;
		if (mdr_text_view(arena, &text, which, &view) != MDR_OK)
			exit(1);
		built++;
	}
}

static void
run_icu(const Row *row)
{
	static const UNormalizer2 *casefold;
	static UChar units[ROW * 2];
	static UChar normal[ROW * 4];
	static char bytes[ROW * 8];
	int32_t		n;
	UErrorCode	status = U_ZERO_ERROR;

	if (casefold == NULL)
		casefold = unorm2_getNFKCCasefoldInstance(&status);
	u_strFromUTF8(units, ROW * 2, &n, row->bytes, row->length, &status);
	n = unorm2_normalize(casefold, units, n, normal, ROW * 4, &status);
	u_strToUTF8(bytes, sizeof(bytes), NULL, normal, n, &status);
	if (U_FAILURE(status))
		exit(1);
}

/* Microseconds a row. */
static double
measure(void (*run) (const Row *row), int rounds)
{
	double		best = 0;

	for (int i = 0; i < RUNS; i++)
	{
		struct timespec from;
		struct timespec to;
		double		time;

		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
		for (int round = 0; round < rounds; round++)
		{
			for (int k = 0; k < ROWS; k++)
				run(&rows[k]);
		}
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
		time = ((to.tv_sec - from.tv_sec) * 1e6 + (to.tv_nsec - from.tv_nsec) / 1e3) / rounds / ROWS;
		best = i == 0 || time < best ? time : best;
	}
	return best;
}

int
main(void)
{
	arena = mdr_arena_create(0);
	printf("%-10s %8s %8s %8s %8s %8s %9s %11s\n", "512 B", "memcpy", "fold", "views", "scalar", "ICU", "ICU/fold", "views a row");
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
	{
		double		copy;
		double		folded;
		double		views;
		double		scalar;
		double		icu;

		write_rows(&languages[i]);
		copy = measure(run_memcpy, 20);
		folded = measure(run_fold, 20);
		built = 0;
		views = measure(run_views, 20);
		mdr_test_text_scalar = true;
		scalar = measure(run_fold, 5);
		mdr_test_text_scalar = false;
		icu = measure(run_icu, 3);
		printf("%-10s %8.3f %8.3f %8.3f %8.3f %8.3f %9.1f %11.2f\n", languages[i].name, copy, folded, views, scalar, icu, icu / folded,
			   (double) built / RUNS / 20 / ROWS);
	}
	mdr_arena_destroy(arena);
	return 0;
}
