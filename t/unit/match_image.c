/*
 * match_image.c
 *		What is read from an image is what the document says; images that are damaged, cut or made by others are refused; every
 *		allocation that fails while a policy is parsed, compiled, opened or checked is reported.
 */
#include "match_tap.h"

#include "match/match_image.h"

static const char document[] =
"policy: sample\n"
"description: a sample\n"
"limits: {bytes: 8192, on_unknown: quarantine}\n"
"views: [leet, joined, squeezed]\n"
"ladder: {in_a_row: 3, within: {count: 5, period: 1 day}, freezes: [24 hours, 1 week, forever], memory: 90 days}\n"
"allow: [Scunthorpe]\n"
"words: {thing.en: [bomb, 'gun*', knife, rifle, sword, spear], verb.en: [make, build, get, buy, sell, steal]}\n"
"contexts:\n"
"  - {id: news, note: reported, terms: [police said], patterns: ['\\bsaid\\b'], within: 40, factor: 0.5}\n"
"categories:\n"
"  - {id: weapons, clause: {en: Weapons, zh: 武器}, flag_at: 0.3, act_at: 0.6, actions: [allow, flag, redact, reject], strike: false,\n"
"     suspend: 3, evidence: content, unless: [news]}\n"
"  - {id: other, clause: {en: Other}}\n"
"---\n"
"category: weapons\n"
"words: {place: [home, school]}\n"
"rules:\n"
"  - {id: weapons.ask.en, language: en, weight: 0.8, severity: 2, note: asks, terms: ['{verb.en} a {thing.en}', '{thing.en} at {place}'],\n"
"     patterns: ['\\bhow (?:to|do i) {verb.en} a {thing.en}\\b'], allow: [sell a knife],\n"
"     hits: [how do i make a bomb, steal a gun], misses: [nothing]}\n"
"  - {id: weapons.near.zh, language: zh, weight: 0.5, severity: 3, all_of: [[炸弹], [制造, 做]], within: 20, ordered: true, hits: [炸弹怎么做], misses: [无]}\n";

static Made made;

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void
readable(void)
{
	MdrEngineCategory weapons,
				other;
	MdrEngineRule ask,
				near;
	MdrLadder	ladder;

	mdr_engine_category(made.engine, 0, &weapons);
	mdr_engine_category(made.engine, 1, &other);
	mdr_engine_rule(made.engine, 0, &ask);
	mdr_engine_rule(made.engine, 1, &near);
	mdr_engine_ladder(made.engine, &ladder);
	ok(same_text(mdr_engine_policy(made.engine), "sample") && mdr_engine_max_bytes(made.engine) == 8192
	   && mdr_engine_on_unknown(made.engine) == MDR_QUARANTINE && mdr_engine_ncategories(made.engine) == 2
	   && mdr_engine_nrules(made.engine) == 2, "the policy's own values");
	ok(same_text(weapons.id, "weapons") && same_text(weapons.clause_en, "Weapons") && same_text(weapons.clause_zh, "武器")
	   && weapons.flag_at == 0.3f && weapons.act_at == 0.6f && weapons.actions[0] == MDR_ALLOW && weapons.actions[1] == MDR_FLAG
	   && weapons.actions[2] == MDR_REDACT && weapons.actions[3] == MDR_REJECT && !weapons.strike && weapons.suspend_from == 3
	   && weapons.evidence == MDR_EVIDENCE_CONTENT, "a category's values");
	ok(same_text(other.clause_zh, "Other") && other.flag_at == 0.4f && other.act_at == 0.7f && other.actions[1] == MDR_FLAG
	   && other.actions[2] == MDR_REJECT && other.strike && other.suspend_from == MDR_SUSPEND_NEVER
	   && other.evidence == MDR_EVIDENCE_HASH, "a category's defaults");
	ok(same_text(ask.id, "weapons.ask.en") && same_text(ask.language, "en") && same_text(ask.note, "asks") && ask.category == 0
	   && ask.weight == 0.8f && ask.severity == 2 && ask.npatterns == 1 && ask.nhits == 2 && ask.nmisses == 1 && ask.nterms == 24,
	   "a rule's values");
	ok(same_text(near.note, "") && near.severity == 3 && near.nterms == 3, "another rule's values");
	ok(ladder.in_a_row == 3 && ladder.within_count == 5 && ladder.within_period == 86400 && ladder.nfreezes == 3
	   && ladder.freezes[0] == 86400 && ladder.freezes[1] == 7 * 86400 && ladder.freezes[2] == 0 && ladder.memory == 90 * 86400,
	   "the ladder");
	ok(same_text(mdr_engine_context(made.engine, 0), "news") && mdr_engine_context(made.engine, -1) == NULL
	   && mdr_engine_context(made.engine, 1) == NULL, "contexts");
}

/* Opens an image that may be broken, scans with it if it opens, and gives the status. */
static MdrStatus
open_and_scan(const char *image, size_t length)
{
	MdrEngine  *engine;
	MdrError	error = {0};
	MdrStatus	status = mdr_engine_open(image, length, &engine, &error);
	MdrArena   *arena = mdr_arena_create(0);
	MdrScan		scan = {0};

	if (status == MDR_OK)
		mdr_engine_scan(engine, arena, "how do i make a bomb 炸弹怎么做 police said m4ke a b0mb", 50, &scan);
	mdr_engine_close(engine);
	mdr_arena_destroy(arena);
	return status;
}

static void
damaged(void)
{
	char	   *image = malloc(made.length + 64);
	unsigned	opened = 0,
				crashed = 0;
	uint64_t	state = 7;
	MdrImageHeader *header = (MdrImageHeader *) image;

	memcpy(image, made.image, made.length);
	for (size_t i = 0; i < made.length; i += 1 + made.length / 3000)
	{
		image[i] ^= 0x40;
		opened += open_and_scan(image, made.length) == MDR_OK;
		image[i] ^= 0x40;
	}
	ok(opened == 0, "an image with a damaged byte is refused");
	opened = 0;
	for (size_t i = 0; i < made.length; i += 1 + made.length / 500)
		opened += open_and_scan(image, i) == MDR_OK;
	ok(opened == 0, "an image that is cut is refused");
	memset(image + made.length, 0, 64);
	ok(open_and_scan(image, made.length + 16) == MDR_INVALID, "an image with something behind it is refused");
	memmove(image + 3, image, made.length);
	ok(open_and_scan(image + 3, made.length) == MDR_OK, "an image may lie at any address");

	/* Damage with a right checksum: it need not be refused, but may do no harm.  Sanitizers see whether it does. */
	memcpy(image, made.image, made.length);
	for (int i = 0; i < 20000; i++)
	{
		size_t		at;
		char		before;

		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (size_t) (state >> 33) % made.length;
		before = image[at];
		image[at] = (char) (state >> 20);
		if (i % 2)
			at &= ~(size_t) 3;
		header->checksum = mdr_image_checksum(image, made.length);
		crashed += open_and_scan(image, made.length) == MDR_BROKEN;
		memcpy(image, made.image, made.length);
		(void) before;
	}
	ok(crashed == 0, "an image with a damaged byte and a right checksum does no harm");

	header->fold_version++;
	header->checksum = mdr_image_checksum(image, made.length);
	ok(open_and_scan(image, made.length) == MDR_INVALID, "an image made with another fold is refused");
	header->fold_version--;
	header->pcre2_version[0]++;
	header->checksum = mdr_image_checksum(image, made.length);
	ok(open_and_scan(image, made.length) == MDR_INVALID, "an image made with another PCRE2 is refused");
	header->pcre2_version[0]--;
	header->checksum = mdr_image_checksum(image, made.length);
	ok(open_and_scan(image, made.length) == MDR_OK, "and the image itself is not");
	free(image);
}

/* Fails the n-th allocation of one step, for every n until the step succeeds. */
static void
memory(void)
{
	unsigned	wrong = 0;
	long		n;
	MdrError	error;

	for (n = 1;; n++)
	{
		MdrArena   *arena = mdr_arena_create(0);
		MdrPolicy  *policy;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_policy_parse(arena, document, strlen(document), NULL, NULL, &policy, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && (status != MDR_NO_MEMORY || policy != NULL);
		mdr_arena_destroy(arena);
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 100, "each of %ld allocations of the parser that fails is reported", n - 1);
	for (n = 1;; n++)
	{
		MdrArena   *arena = mdr_arena_create(0);
		char	   *image;
		size_t		length;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_compile(arena, made.policy, NULL, NULL, &image, &length, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && (status != MDR_NO_MEMORY || image != NULL);
		mdr_arena_destroy(arena);
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 100, "each of %ld allocations of the compiler that fails is reported", n - 1);
	for (n = 1;; n++)
	{
		MdrEngine  *engine;
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_engine_open(made.image, made.length, &engine, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && (status != MDR_NO_MEMORY || engine != NULL);
		mdr_engine_close(engine);
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 5, "each of %ld allocations of opening that fails is reported", n - 1);
	for (n = 1;; n++)
	{
		MdrStatus	status;

		mdr_test_fail_alloc(n);
		status = mdr_engine_check(made.engine, made.policy, NULL, NULL, &error);
		mdr_test_fail_alloc(0);
		wrong += status != MDR_OK && status != MDR_NO_MEMORY;
		if (status == MDR_OK)
			break;
	}
	ok(wrong == 0 && n > 5, "each of %ld allocations of the examples' check that fails is reported", n - 1);
}

static void
same_twice(void)
{
	Made		again = make(document);

	ok(again.length == made.length && memcmp(again.image, made.image, made.length) == 0, "a document always gives the same image");
	unmake(&again);
}

int
main(void)
{
	made = make(document);
	readable();
	damaged();
	memory();
	same_twice();
	unmake(&made);
	mdr_text_release();
	return done();
}
