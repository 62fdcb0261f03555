/*
 * memory.c
 *		Every allocation fails once in turn, those of PCRE2, ICU and libyaml included: the core says so or does without, never that
 *		content is clean that is not, loses nothing, and works on.
 *
 * The program's own malloc(), calloc() and realloc() take the place of the C library's, also for the libraries; with a sanitizer they
 * hand on to its, so that it sees what is lost.
 */
#include "match_tap.h"

#include <unicode/uclean.h>

#ifdef __SANITIZE_ADDRESS__
extern void *__interceptor_malloc(size_t size);
extern void *__interceptor_calloc(size_t count, size_t size);
extern void *__interceptor_realloc(void *old, size_t size);
#define REAL(function) __interceptor_##function
#else
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
#define REAL(function) __libc_##function
#endif

static long countdown;			/* the allocation that fails, 0 for none */
static bool all_after;			/* and every one after it */
static long failures;

static bool
fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	countdown = all_after ? 1 : 0;
	failures++;
	return true;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : REAL(malloc) (size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : REAL(calloc) (count, size);
}

void *
realloc(void *old, size_t size)
{
	return fails() ? NULL : REAL(realloc) (old, size);
}

static const char document[] =
"# file: one.yaml\n"
"policy: p\nviews: [leet, joined, squeezed]\nallow: [harmless bomb]\n"
"words: {thing.en: [bomb, 'gun*', knife, rifle, sword, spear, spoon], verb.en: [make, build, get, buy, sell, steal]}\n"
"contexts:\n"
"  - {id: news, terms: [police said], patterns: ['\\bsaid\\b'], within: 40, factor: 0.5}\n"
CATEGORIES RULES
"  - {id: r.terms, weight: 0.8, severity: 2, unless: [news], terms: [bomb, 'k*', 炸弹, 制造, 爆炸物], hits: [bomb], misses: [nothing]}\n"
"  - {id: r.parts, weight: 0.8, severity: 2, terms: ['{verb.en} a {thing.en}'], allow: [sell a spoon], hits: [make a bomb], misses: [a]}\n"
"  - {id: r.near, weight: 0.8, severity: 2, all_of: [[cat], [dog]], within: 20, hits: [cat dog], misses: [cat]}\n"
"  - {id: r.pattern, weight: 0.8, severity: 2, patterns: ['\\bhow to {verb.en} (\\w{1,9}) or \\1 now\\b', '[0-9]{7}'], hits: [how to get it or it now], misses: [a]}\n";

static const char content[] =
"bomb k1ll k i l l kiiill make a bomb; cat and dog; how to get it or it now; 1234567 police said \xE7\x82\xB8\xE5\xBC\xB9"
"\xE6\x80\x8E\xE4\xB9\x88\xE5\x88\xB6\xE9\x80\xA0\xE7\x88\x86\xE7\x82\xB8\xE7\x89\xA9 \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7";

static MdrPolicy *policy;
static char *image;
static size_t length;
static uint32_t findings;		/* that there are with memory enough */

/* One step, from nothing to nothing; what it gives is kept by keep only. */
typedef MdrStatus (*Step) (bool *wrong);

static MdrStatus
parse(bool *wrong)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrPolicy  *tree = NULL;
	MdrStatus	status = arena == NULL ? MDR_NO_MEMORY : mdr_policy_parse(arena, document, sizeof(document) - 1, NULL, NULL, &tree, NULL);

	*wrong = (status == MDR_OK) != (tree != NULL);
	mdr_arena_destroy(arena);
	return status;
}

static MdrStatus
compile(bool *wrong)
{
	MdrArena   *arena = mdr_arena_create(0);
	char	   *made = NULL;
	size_t		made_length;
	MdrStatus	status = arena == NULL ? MDR_NO_MEMORY : mdr_compile(arena, policy, NULL, NULL, &made, &made_length, NULL);

	/* Machine code that there was no memory for counts as none when its size is told, and nothing else may differ. */
	*wrong = status == MDR_OK && (made_length != length || memcmp(made, image, length) != 0);
	mdr_arena_destroy(arena);
	return status;
}

/* Opened, scanned for the first time, so that patterns are compiled and ICU's data read; and redacted. */
static MdrStatus
judge(bool *wrong)
{
	MdrEngine  *engine = NULL;
	MdrArena   *arena = mdr_arena_create(0);
	MdrVerdict	verdict = {0};
	char	   *redacted;
	size_t		redacted_length;
	MdrStatus	status = arena == NULL ? MDR_NO_MEMORY : mdr_engine_open(image, length, &engine, NULL);

	if (status == MDR_OK)
		status = mdr_verdict(engine, arena, content, sizeof(content) - 1, MDR_REJECT, NULL, NULL, &verdict);
	*wrong = status == MDR_OK && (verdict.action != MDR_REJECT || (verdict.status == MDR_OK && verdict.nfindings < findings));
	if (status == MDR_OK)
	{
		findings = findings ? findings : verdict.nfindings;
		status = mdr_redact(engine, arena, &verdict, content, sizeof(content) - 1, "#", &redacted, &redacted_length);
		*wrong = *wrong || (status == MDR_OK && strstr(redacted, "bomb") != NULL);
	}
	mdr_engine_close(engine);
	mdr_arena_destroy(arena);
	return status;
}

static MdrStatus
check(bool *wrong)
{
	MdrEngine  *engine = NULL;
	MdrStatus	status = mdr_engine_open(image, length, &engine, NULL);

	*wrong = false;
	if (status == MDR_OK)
		status = mdr_engine_check(engine, policy, NULL, NULL, NULL);
	mdr_engine_close(engine);
	return status;
}

/* Runs a step with each of its allocations failing, alone or with all that follow. */
static void
starve(const char *what, Step step)
{
	for (int all = 0; all < 2; all++)
	{
		unsigned	tried = 0,
					wrong = 0,
					without = 0;
		bool		bad;

		for (long n = 1;; n++, tried++)
		{
			MdrStatus	status;

			mdr_text_release();
			u_cleanup();
			failures = 0;
			all_after = all;
			countdown = n;
			status = step(&bad);
			countdown = 0;
			if (failures == 0)
				break;
			if (bad || (status != MDR_OK && status != MDR_NO_MEMORY && status != MDR_UNKNOWN))
			{
				if (wrong++ == 0)
					printf("# allocation %ld: status %d\n", n, status);
			}
			without += status == MDR_OK;
		}
		ok(tried > 20 && wrong == 0, "%s: each of %u allocations fails%s, and it is told, or done without (%u)", what, tried,
		   all ? " with all after it" : "", without);
		mdr_text_release();
		ok(step(&bad) == MDR_OK && !bad, "%s: and then it works", what);
	}
}

int
main(void)
{
	MdrArena   *arena = mdr_arena_create(0);
	MdrError	error = {0};
	bool		wrong;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mdr_policy_parse(arena, document, sizeof(document) - 1, NULL, NULL, &policy, &error) != MDR_OK
		|| mdr_compile(arena, policy, NULL, NULL, &image, &length, &error) != MDR_OK)
		bail("policy", &error);
	wrong = judge(&wrong) != MDR_OK || wrong;
	ok(!wrong && findings > 8, "%u findings with memory enough", findings);
	starve("parse", parse);
	starve("compile", compile);
	starve("verdict", judge);
	starve("examples", check);
	mdr_arena_destroy(arena);
	mdr_text_release();
	u_cleanup();
	return done();
}
