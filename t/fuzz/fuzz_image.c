/*
 * fuzz_image.c
 *		Damaged images of a compiled policy: refused, or opened and used without a step outside.
 *
 * The input is a list of damages to a good image, eight bytes each: where (a section, and a place in it), what, and a value.  The
 * checksum is put right afterwards, but for one input in sixteen, so that the other checks are met.
 */
#include "fuzz_engine.h"
#include "match/match_image.h"

#define DAMAGES 16

static Made made;
static MdrArena *arena;

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	made = make_policy();
	arena = mdr_arena_create(0);
	require(arena != NULL, "there is memory");
	return 0;
}

/* Where a damage goes: by section, since most bytes of an image are those of its bitmaps. */
static size_t
place(unsigned section, size_t at)
{
	const MdrImageHeader *header = (const MdrImageHeader *) made.image;
	size_t		from = 0;
	size_t		to = sizeof(MdrImageHeader);

	if (section < MDR_NSECTIONS)
	{
		from = header->sections[section].offset;
		to = section + 1 < MDR_NSECTIONS ? header->sections[section + 1].offset : made.length;
	}
	return to > from ? from + at % (to - from) : from;
}

static void
damage(char *image, size_t length, Input *input)
{
	unsigned	what = (unsigned) take(input, 1);
	size_t		at = place((unsigned) take(input, 1) % (MDR_NSECTIONS + 4), take(input, 2) * (what & 16 ? 1 : 4));
	uint32_t	value = (uint32_t) take(input, 4);
	uint32_t	word;

	if (length < 4 || at > length - 4)
		return;
	memcpy(&word, image + at, 4);
	switch (what % 8)
	{
		case 0:
			word = value;
			break;
		case 1:
			word += value % 16;
			break;
		case 2:
			word -= value % 16;
			break;
		case 3:
			word ^= 1u << value % 32;
			break;
		case 4:
			word = UINT32_MAX - value % 4;
			break;
		case 5:
			word = (word & ~0xFFu) | (value & 0xFF);
			break;
		default:
			memcpy(&word, made.image + place(value % MDR_NSECTIONS, value / MDR_NSECTIONS * 4) % (made.length - 4), 4);
			break;
	}
	memcpy(image + at, &word, 4);
}

/* Asks the engine everything that can be asked. */
static void
use_engine(MdrEngine *engine)
{
	static volatile size_t sink;	/* so that what is read is not left out */
	MdrLadder	ladder;

	sink += strlen(mdr_engine_policy(engine));
	for (uint32_t i = 0; i < mdr_engine_ncategories(engine); i++)
	{
		MdrEngineCategory category;

		mdr_engine_category(engine, i, &category);
		sink += strlen(category.id) + strlen(category.clause_en) + strlen(category.clause_zh);
	}
	for (uint32_t i = 0; i < mdr_engine_nrules(engine); i++)
	{
		MdrEngineRule rule;

		mdr_engine_rule(engine, i, &rule);
		sink += strlen(rule.id) + strlen(rule.language) + strlen(rule.note);
	}
	mdr_engine_ladder(engine, &ladder);
	require(ladder.nfreezes >= 0 && ladder.nfreezes <= MDR_MAX_FREEZES, "there are no more freezes than fit");
	for (uint32_t r = 0; r < made.policy->nrules; r++)
		for (int misses = 0; misses < 2; misses++)
		{
			const MdrStrings *examples = misses ? &made.policy->rules[r].misses : &made.policy->rules[r].hits;

			for (uint32_t i = 0; i < examples->count; i++)
			{
				MdrVerdict	verdict;
				size_t		length = strlen(examples->items[i]);
				MdrStatus	status = mdr_verdict(engine, arena, examples->items[i], length, MDR_REJECT, NULL, NULL, &verdict);

				require(status == MDR_OK || status == MDR_BROKEN, "there is a verdict, or the image is broken");
				if (status == MDR_OK)
					check_verdict(engine, &verdict, MDR_REJECT, examples->items[i], length, false);
			}
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Input		input = {data, data + size};
	unsigned	kind = (unsigned) take(&input, 1);
	size_t		length = made.length;
	char	   *image;
	MdrEngine  *engine;
	MdrError	error = {0};
	MdrStatus	status;

	if (kind % 8 == 1)
		length = take(&input, 3) % (made.length + 64);
	image = allocate(length);
	memset(image, 0, length);
	memcpy(image, made.image, length < made.length ? length : made.length);
	for (int i = 0; i < DAMAGES && input.next < input.end; i++)
		damage(image, length, &input);
	if (kind / 8 % 16 != 1 && length >= sizeof(MdrImageHeader))
	{
		uint64_t	checksum;
		uint64_t	said = length;

		memcpy(image + offsetof(MdrImageHeader, length), &said, sizeof(said));
		checksum = mdr_image_checksum(image, length);
		memcpy(image + offsetof(MdrImageHeader, checksum), &checksum, sizeof(checksum));
	}

	mdr_arena_reset(arena);
	status = mdr_engine_open(image, length, &engine, &error);
	free(image);
	require(status == MDR_OK || (status == MDR_INVALID && engine == NULL && error.message[0] != '\0'), "an image is opened or refused");
	if (status == MDR_OK)
		use_engine(engine);
	mdr_engine_close(engine);
	return 0;
}
