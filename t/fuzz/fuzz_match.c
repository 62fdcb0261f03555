/*
 * fuzz_match.c
 *		Any content against a small policy that uses everything a policy can.
 *
 * The first two bytes choose how the content, which is the rest, is put: as it is, repeated until it fills windows, or behind so
 * much filler that it lies across the cut between two windows; and whether memory fails or the caller interrupts.
 */
#include "fuzz_engine.h"

#define WINDOW 65536			/* bytes after which content is cut, as in match_engine.h */

/* The first byte.  What is long is a single value each, so that most inputs are quick. */
enum
{
	REPEATED = 200,
	REPEATED_LONG,
	AT_CUT,
	IN_OVERLAP,
	MOVED
};

static Made made;
static MdrArena *arena;
static MdrArena *other;

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	made = make_policy();
	arena = mdr_arena_create(0);
	other = mdr_arena_create(0);
	require(arena != NULL && other != NULL, "there is memory");
	return 0;
}

static bool
count_down(void *context)
{
	return --*(int *) context <= 0;
}

/* The content, as often as fits. */
static char *
repeat(const char *content, size_t length, size_t wanted, size_t *total)
{
	size_t		times = length == 0 ? 0 : wanted / length;
	char	   *bytes = allocate(times * length);

	for (size_t i = 0; i < times; i++)
		memcpy(bytes + i * length, content, length);
	*total = times * length;
	return bytes;
}

#define WORDS (sizeof(words) - 1)
static const char words[] = "lorem ipsum dolor sit amet consetetur ";

/* The content behind so many bytes of words that mean nothing. */
static char *
behind(const char *content, size_t length, size_t filler, size_t *total)
{
	char	   *bytes = allocate(filler + length);

	for (size_t i = 0; i < filler; i++)
		bytes[i] = words[i % WORDS];
	memcpy(bytes + filler, content, length);
	*total = filler + length;
	return bytes;
}

static char *
put_content(unsigned mode, unsigned number, const uint8_t *data, size_t size, size_t *length)
{
	const char *content = (const char *) data;

	switch (mode)
	{
		case REPEATED:
			return repeat(content, size, 1024, length);
		case REPEATED_LONG:
			return repeat(content, size, 2 * WINDOW + number, length);
		case AT_CUT:
			return behind(content, size, WINDOW - number * 8, length);
		case IN_OVERLAP:
			return behind(content, size, WINDOW - 4096 - number * 2, length);
		default:
			*length = size;
			return exact_copy(data, size);
	}
}

/* A short content is judged alike wherever it stands in a long one: findings are the same, so many bytes further on. */
static void
move(const uint8_t *data, size_t size, unsigned number)
{
	size_t		near_filler = WORDS * 2;
	size_t		far_filler = (WINDOW / WORDS - 7 + number % 8) * WORDS;
	MdrScan		near = {0};
	MdrScan		far = {0};
	size_t		length;
	char	   *content = behind((const char *) data, size, near_filler, &length);

	require(mdr_engine_scan(made.engine, arena, content, length, &near) == MDR_OK, "short content is no trouble");
	free(content);
	content = behind((const char *) data, size, far_filler, &length);
	require(mdr_engine_scan(made.engine, other, content, length, &far) == MDR_OK, "nor when it stands far on");
	free(content);
	for (uint32_t i = 0; i < near.nfindings; i++)
	{
		near.findings[i].start += (uint32_t) (far_filler - near_filler);
		near.findings[i].end += (uint32_t) (far_filler - near_filler);
	}
	require(same_findings(near.findings, near.nfindings, far.findings, far.nfindings), "a cut makes no difference");
}

/* Whole verdicts: twice the same, and what is redacted is as long as it says and whole. */
static void
judge(const char *content, size_t length, MdrAction cap)
{
	MdrVerdict	first;
	MdrVerdict	second;
	char	   *out;
	size_t		out_length;
	MdrStatus	status;

	require(mdr_verdict(made.engine, arena, content, length, cap, NULL, NULL, &first) == MDR_OK, "there is a verdict");
	check_verdict(made.engine, &first, cap, content, length, true);
	mdr_test_text_scalar = true;
	require(mdr_verdict(made.engine, other, content, length, cap, NULL, NULL, &second) == MDR_OK, "there is a verdict again");
	mdr_test_text_scalar = false;
	require(first.status == second.status && first.action == second.action && first.category == second.category &&
			same_findings(first.findings, first.nfindings, second.findings, second.nfindings), "the same content, the same verdict");
	status = mdr_redact(made.engine, arena, &first, content, length, "\xE2\x96\x88", &out, &out_length);
	require(status == MDR_OK || (status == MDR_UNKNOWN && out == NULL && (first.status == MDR_UNKNOWN || first.cut)),
			"what is known can be redacted");
	require(status != MDR_OK || out[out_length] == '\0', "what is redacted ends with a zero");
	require(status != MDR_OK || !is_utf8(content, length) || is_utf8(out, out_length), "what is redacted is as valid as it was");
}

/* Few findings are kept, memory ends, the caller interrupts: each is told as what it is, and leaves nothing behind. */
static void
disturb(const char *content, size_t length, unsigned mode, unsigned number)
{
	MdrScan		undisturbed = {0};
	MdrScan		again = {0};
	MdrScan		scan = {0};
	int			left = 1 + (int) number;
	MdrStatus	calm = mdr_engine_scan(made.engine, arena, content, length, &undisturbed);
	MdrStatus	status;

	if (mode % 4 == 1)
		scan.max_findings = 1 + number;
	else if (mode % 4 == 2)
		mdr_test_fail_alloc(left);
	else if (mode % 4 == 3)
		scan = (MdrScan) {.interrupted = count_down, .interrupted_context = &left};
	status = mdr_engine_scan(made.engine, other, content, length, &scan);
	mdr_test_fail_alloc(0);
	require(status == calm || (status == MDR_NO_MEMORY && mode % 4 == 2) || (status == MDR_INTERRUPTED && mode % 4 == 3),
			"a disturbance is told as what it is");
	require((status == MDR_UNKNOWN) == (scan.unknown != NULL), "what is unknown has a reason");
	if (status == MDR_OK)
	{
		require(scan.nfindings <= (scan.max_findings ? scan.max_findings : 1000), "no more findings are kept than asked for");
		check_findings(made.engine, scan.findings, scan.nfindings, content, length, true);
	}
	require(mdr_engine_scan(made.engine, other, content, length, &again) == calm &&
			same_findings(undisturbed.findings, undisturbed.nfindings, again.findings, again.nfindings), "nothing is left behind");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned	mode = size > 0 ? data[0] : 0;
	unsigned	number = size > 1 ? data[1] : 0;
	size_t		skip = size < 2 ? size : 2;
	size_t		length;
	char	   *content = put_content(mode, number, data + skip, size - skip, &length);

	mdr_arena_reset(arena);
	mdr_arena_reset(other);
	judge(content, length, (MdrAction) (number % 8 < MDR_REJECT ? number % 8 : MDR_REJECT));
	if (mode == MOVED && size < 130)
		move(data + skip, size - skip, number);
	if (mode > 0 && mode < REPEATED)
		disturb(content, length, mode, number);
	free(content);
	return 0;
}
