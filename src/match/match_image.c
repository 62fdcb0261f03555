/*
 * match_image.c
 *		Says whether a compiled policy may be opened here: made by these versions, and whole.
 *
 * An image comes from a table, so what damages it is a disk or a careless hand; the checksum finds that.  Every offset, count
 * and index is checked none the less, so that nothing read from an image can lead outside of it.
 *
 * Input: bytes of the caller.  Output: a status.  Locks and memory: none.  On error: MDR_INVALID with the reason.
 */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "match/match_image.h"

#include <pcre2.h>
#include <string.h>

/*
 * A 64-bit checksum by eight bytes at a time: multiply and rotate, mixed at the end (after MurmurHash3's finaliser, public
 * domain).  It has to find damage, not malice.
 */
uint64_t
mdr_image_checksum(const char *image, size_t length)
{
	const size_t hole = offsetof(MdrImageHeader, checksum);
	uint64_t	sum = UINT64_C(0x9E3779B97F4A7C15) ^ length;

	for (size_t i = 0; i < length; i += 8)
	{
		uint64_t	word = 0;

		if (i != hole)
			memcpy(&word, image + i, length - i < 8 ? length - i : 8);
		sum = (sum ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
		sum = sum << 29 | sum >> 35;
	}
	sum ^= sum >> 33;
	sum *= UINT64_C(0xC4CEB9FE1A85EC53);
	return sum ^ sum >> 33;
}

_Static_assert(offsetof(MdrImageHeader, checksum) % 8 == 0, "the checksum skips one aligned word");

void
mdr_image_versions(MdrImageHeader *header)
{
	char		pcre2[64] = "";

	memcpy(header->magic, MDR_IMAGE_MAGIC, sizeof(header->magic));
	header->format = MDR_IMAGE_FORMAT;
	header->byte_order = MDR_BYTE_ORDER;
	header->fold_version = mdr_text_fold_version();
	pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
	strncpy(header->pcre2_version, pcre2, sizeof(header->pcre2_version) - 1);
}

/* FNV-1a (Fowler, Noll and Vo) over the names, each with its zero. */
uint64_t
mdr_image_model_heads(void)
{
	const MdrModel *model = mdr_model_built_in();
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (uint32_t head = 0; model != NULL && head < mdr_model_nheads(model); head++)
	{
		const char *name = mdr_model_head_name(model, head);
		size_t		length = strlen(name) + 1;

		for (size_t i = 0; i < length; i++)
			hash = (hash ^ (unsigned char) name[i]) * UINT64_C(0x100000001B3);
	}
	return hash != 0 ? hash : 1;
}

static const size_t record_sizes[MDR_NSECTIONS] = {
	[MDR_STRINGS] = 1,
	[MDR_CATEGORIES] = sizeof(MdrImageCategory),
	[MDR_CONTEXTS] = sizeof(MdrImageContext),
	[MDR_RULES] = sizeof(MdrImageRule),
	[MDR_PATTERNS] = sizeof(MdrImagePattern),
	[MDR_ALWAYS] = sizeof(MdrImageChoice),
	[MDR_LITERALS] = sizeof(MdrImageLiteral),
	[MDR_USES] = sizeof(MdrImageUse),
	[MDR_SETS] = sizeof(MdrImageSet),
	[MDR_SET_PATTERNS] = sizeof(MdrImageChoice),
	[MDR_TEMPLATES] = sizeof(MdrImageTemplate),
	[MDR_RUNS] = sizeof(MdrImageRun),
	[MDR_SHORTS] = sizeof(MdrImageRun),
	[MDR_BITMAPS] = sizeof(uint64_t),
	[MDR_HEADS] = sizeof(uint64_t),
	[MDR_LEARNED] = 1,
};

/* Every record of a section, with its own index tests below. */
typedef struct Checked
{
	const MdrImageHeader *header;
	const char *image;
	uint64_t	strings;
} Checked;

static const void *
section(const Checked *c, int index)
{
	return c->image + c->header->sections[index].offset;
}

static uint64_t
count_of(const Checked *c, int index)
{
	return c->header->sections[index].count;
}

/* The rule as which a model speaks of a category, if it does. */
static bool
check_speaker(const Checked *c, uint64_t category, uint32_t index, MdrSpeaker speaker)
{
	const MdrImageRule *rules = section(c, MDR_RULES);

	return index == MDR_NO_RULE
		|| (index < count_of(c, MDR_RULES) && rules[index].category == category && rules[index].speaker == speaker);
}

static bool
check_categories(const Checked *c)
{
	const MdrImageCategory *category = section(c, MDR_CATEGORIES);
	uint64_t	count = count_of(c, MDR_CATEGORIES);
	uint64_t	ncontexts = count_of(c, MDR_CONTEXTS);

	if (count == 0 || count > MDR_MAX_CATEGORIES)
		return false;
	for (uint64_t i = 0; i < count; i++, category++)
	{
		if (category->id >= c->strings || category->clause_en >= c->strings || category->clause_zh >= c->strings
			|| category->evidence > MDR_EVIDENCE_CONTENT || category->suspend_from < 0
			|| category->suspend_from > MDR_SUSPEND_NEVER || !check_speaker(c, i, category->model_rule, MDR_SPEAKER_MODEL)
			|| !check_speaker(c, i, category->learned_rule, MDR_SPEAKER_LEARNED)
			|| !(category->model >= 0 && category->model <= 1) || (category->model > 0) != (category->model_rule != MDR_NO_RULE)
			|| (ncontexts < 64 && category->unless >> ncontexts != 0))
			return false;
		for (int s = 0; s <= MDR_MAX_SEVERITY; s++)
			if (category->actions[s] > MDR_REJECT)
				return false;
	}
	return true;
}

static bool
check_rules(const Checked *c)
{
	const MdrImageContext *context = section(c, MDR_CONTEXTS);
	const MdrImageRule *rule = section(c, MDR_RULES);
	uint64_t	ncontexts = count_of(c, MDR_CONTEXTS);

	if (ncontexts > 64)
		return false;
	for (uint64_t i = 0; i < ncontexts; i++, context++)
		if (context->id >= c->strings)
			return false;
	for (uint64_t i = 0; i < count_of(c, MDR_RULES); i++, rule++)
		if (rule->id >= c->strings || rule->language >= c->strings || rule->note >= c->strings
			|| rule->category >= count_of(c, MDR_CATEGORIES) || rule->severity > MDR_MAX_SEVERITY || rule->ngroups > 8
			|| rule->speaker > MDR_SPEAKER_LEARNED
			|| (ncontexts < 64 && rule->unless >> ncontexts != 0))
			return false;
	return true;
}

static bool
check_owner(const Checked *c, uint32_t kind, uint32_t owner)
{
	if (kind == MDR_USE_CONTEXT)
		return owner < count_of(c, MDR_CONTEXTS);
	if (kind == MDR_USE_SET)
		return owner < count_of(c, MDR_SETS);
	if (kind == MDR_USE_PART)
		return owner < count_of(c, MDR_TEMPLATES);
	return owner < count_of(c, MDR_RULES) || (kind == MDR_USE_ALLOW && owner == MDR_EVERYONE);
}

static bool
check_templates(const Checked *c)
{
	const MdrImageTemplate *template = section(c, MDR_TEMPLATES);
	const MdrImageRule *rules = section(c, MDR_RULES);

	for (uint64_t i = 0; i < count_of(c, MDR_TEMPLATES); i++, template++)
		if (template->owner >= count_of(c, MDR_RULES) || template->nparts < 2 || template->nparts > MDR_MAX_PARTS
			|| (template->kind != MDR_USE_TERM && template->kind != MDR_USE_MEMBER)
			|| (template->kind == MDR_USE_MEMBER && template->group >= rules[template->owner].ngroups))
			return false;
	return true;
}

static bool
check_literals(const Checked *c)
{
	const MdrImageLiteral *literal = section(c, MDR_LITERALS);
	const MdrImageUse *use = section(c, MDR_USES);
	const MdrImageRule *rules = section(c, MDR_RULES);
	const MdrImageTemplate *templates = section(c, MDR_TEMPLATES);
	uint64_t	nuses = count_of(c, MDR_USES);

	for (uint64_t i = 0; i < count_of(c, MDR_LITERALS); i++, literal++)
		if (literal->first_use > nuses || literal->nuses > nuses - literal->first_use || literal->length == 0
			|| literal->text >= c->strings || literal->length >= c->strings - literal->text
			|| (literal->parent != MDR_NO_LITERAL && literal->parent >= i))
			return false;
	for (uint64_t i = 0; i < nuses; i++, use++)
		if (use->kind > MDR_USE_PART || !check_owner(c, use->kind, use->owner) || use->tail >= c->strings
			|| (use->kind == MDR_USE_MEMBER && use->group >= rules[use->owner].ngroups)
			|| (use->kind == MDR_USE_PART && use->group >= templates[use->owner].nparts))
			return false;
	return true;
}

static bool
check_patterns(const Checked *c)
{
	const MdrImagePattern *pattern = section(c, MDR_PATTERNS);
	uint64_t	count = count_of(c, MDR_PATTERNS);

	for (uint64_t i = 0; i < count; i++, pattern++)
		if ((pattern->kind != MDR_USE_TERM && pattern->kind != MDR_USE_CONTEXT)
			|| !check_owner(c, pattern->kind, pattern->owner)
			|| pattern->text[MDR_VIEW_PLAIN] >= c->strings || pattern->text[MDR_VIEW_LEET] >= c->strings
			|| pattern->text[MDR_VIEW_JOINED] >= c->strings)
			return false;
	return true;
}

/* Lists of patterns: those tried always, and those that sets announce. */
static bool
check_sets(const Checked *c)
{
	const MdrImageSet *set = section(c, MDR_SETS);
	uint64_t	total = count_of(c, MDR_SET_PATTERNS);

	for (uint64_t i = 0; i < count_of(c, MDR_SETS); i++, set++)
		if (set->first > total || set->count > total - set->first)
			return false;
	for (int which = 0; which < 2; which++)
	{
		int			choices = which ? MDR_ALWAYS : MDR_SET_PATTERNS;
		const MdrImageChoice *choice = section(c, choices);

		for (uint64_t i = 0; i < count_of(c, choices); i++)
			if (choice[i].pattern >= count_of(c, MDR_PATTERNS))
				return false;
	}
	return true;
}

/* The tables by which literals are found: of the sizes told, with a free slot to end every search, leading to literals only. */
static bool
check_index(const Checked *c)
{
	const MdrIndexSizes *sizes = &c->header->sizes;
	uint64_t	nliterals = count_of(c, MDR_LITERALS);

	if (count_of(c, MDR_HEADS) != nliterals || sizes->bits < 6 || sizes->bits > 31 || count_of(c, MDR_BITMAPS) != mdr_bitmap_words(sizes))
		return false;
	for (int which = 0; which < 2; which++)
	{
		const MdrImageRun *run = section(c, which ? MDR_SHORTS : MDR_RUNS);
		uint32_t	bits = which ? sizes->shorts : sizes->runs;
		uint64_t	free_slots = 0;

		if (bits < 1 || bits > 31 || count_of(c, which ? MDR_SHORTS : MDR_RUNS) != UINT64_C(1) << bits)
			return false;
		for (uint64_t i = 0; i < UINT64_C(1) << bits; i++)
		{
			free_slots += run[i].count == 0;
			if (run[i].count > 0 && (run[i].first >= nliterals || run[i].count > nliterals - run[i].first))
				return false;
		}
		if (free_slots == 0)
			return false;
	}
	return true;
}

/* The learned model is whole, and knows the categories in which it speaks. */
static bool
check_learned(const Checked *c)
{
	const MdrImageCategory *category = section(c, MDR_CATEGORIES);
	const char *strings = section(c, MDR_STRINGS);
	MdrModel	model;

	if (count_of(c, MDR_LEARNED) > 0 && mdr_model_open(section(c, MDR_LEARNED), count_of(c, MDR_LEARNED), &model, NULL) != MDR_OK)
		return false;
	for (uint64_t i = 0; i < count_of(c, MDR_CATEGORIES); i++, category++)
		if (category->learned_rule != MDR_NO_RULE
			&& (count_of(c, MDR_LEARNED) == 0 || mdr_model_head(&model, strings + category->id) < 0))
			return false;
	return true;
}

static bool
check_header(const Checked *c)
{
	const MdrImageHeader *header = c->header;

	for (int s = 0; s < MDR_NSECTIONS; s++)
	{
		const MdrSectionEntry *entry = &header->sections[s];

		if (entry->offset % 16 != 0 || entry->offset < sizeof(MdrImageHeader) || entry->offset > header->length
			|| entry->count > (header->length - entry->offset) / record_sizes[s])
			return false;
	}
	return c->strings > 0 && c->image[header->sections[MDR_STRINGS].offset + c->strings - 1] == '\0'
		&& header->name < c->strings && header->on_unknown <= MDR_REJECT && header->max_bytes > 0
		&& header->max_bytes < INT64_C(1) << 30 && header->ladder.nfreezes >= 0 && header->ladder.nfreezes <= MDR_MAX_FREEZES;
}

MdrStatus
mdr_image_check(const char *image, size_t length, MdrError *error)
{
	MdrImageHeader here = {0};
	MdrImageHeader header;
	Checked		c = {&header, image, 0};

	if (length < sizeof(header))
		return mdr_fail(error, MDR_INVALID, 0, 0, "compiled policy is too short");
	memcpy(&header, image, sizeof(header));
	mdr_image_versions(&here);
	if (memcmp(header.magic, here.magic, sizeof(header.magic)) != 0)
		return mdr_fail(error, MDR_INVALID, 0, 0, "not a compiled policy");
	if (header.format != here.format || header.fold_version != here.fold_version)
		return mdr_fail(error, MDR_INVALID, 0, 0, "policy was compiled by another version of moderation");
	if (header.model_heads != 0 && header.model_heads != mdr_image_model_heads())
		return mdr_fail(error, MDR_INVALID, 0, 0, "policy was compiled for a model of other categories");
	if (memcmp(header.pcre2_version, here.pcre2_version, sizeof(here.pcre2_version)) != 0)
		return mdr_fail(error, MDR_INVALID, 0, 0, "policy was compiled with another version of PCRE2");
	if (header.byte_order != here.byte_order)
		return mdr_fail(error, MDR_INVALID, 0, 0, "policy was compiled on a machine of another byte order");
	if (header.length != length || header.checksum != mdr_image_checksum(image, length))
		return mdr_fail(error, MDR_INVALID, 0, 0, "compiled policy is damaged");
	c.strings = header.sections[MDR_STRINGS].count;
	if (!check_header(&c) || !check_categories(&c) || !check_rules(&c) || !check_patterns(&c) || !check_templates(&c)
		|| !check_literals(&c) || !check_sets(&c) || !check_index(&c) || !check_learned(&c))
		return mdr_fail(error, MDR_INVALID, 0, 0, "compiled policy is damaged");
	return MDR_OK;
}
