/*
 * slow.c
 *		Looks for content of 64 KB whose scan takes long, by breeding: pieces of the policy's own words, disguised, cut short and
 *		repeated; what took longest is changed and tried again.
 *
 *		build/fuzz/slow SECONDS MILLISECONDS POLICY-FILE...
 *
 * Prints the slowest contents of each kind as shapes, never as text: which rule's or list's strings, in which disguise, how often.
 * Not ok when one takes more processor time than the milliseconds given.  Built without sanitizers: these would be what is measured.
 *
 * Memory: lives until the program ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "fuzz_engine.h"

#include <time.h>

#define LENGTH 65536
#define GENES 6
#define BRED 48					/* kept */
#define SHOWN 8

typedef struct Piece
{
	const char *text;
	const char *owner;			/* of the policy: a rule's, list's or context's name */
	const char *kind;
} Piece;

typedef struct Gene
{
	uint32_t	piece;
	uint8_t		disguise;
	uint8_t		times;
} Gene;

typedef struct Shape
{
	Gene		genes[GENES];
	uint32_t	n;
	double		milliseconds;
	const char *unknown;
	uint32_t	findings;
} Shape;

static const char *const disguises[] = {"plain", "spread", "dotted", "in digits", "stretched", "cut at the end", "cut at the start", "in capitals"};
static const char *const glue[] = {" ", ".", ", ", "\n", "-", "*", "1", "a", "i", "l", "aaa", "1l", "@", "$", "w", "the ", "of ", "to ", "you ", "i ", "\xE7\x9A\x84",
	"\xE4\xBD\xA0", "\xE3\x80\x82", "\xE0\xB8\x81", "\xE0\xB9\x89", "\xCC\x81", "\xE2\x80\x8B", "\xFF", "\xD0\xB1", "\xEF\xBD\x81", "(", "\xC2\xB7", "\xE3\x81\x8B\xE3\x82\x99"};

static Piece *pieces;
static uint32_t npieces;
static Made made;
static MdrArena *arena;
static char content[LENGTH];
static uint64_t seed = 88172645463325252u;

static uint32_t
roll(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) (seed >> 32) % n;
}

static double
processor_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void
add_piece(const char *text, const char *owner, const char *kind)
{
	static uint32_t capacity = 0;

	if (npieces == capacity)
	{
		capacity = capacity ? capacity * 2 : 1024;
		pieces = realloc(pieces, capacity * sizeof(Piece));
		require(pieces != NULL, "there is memory");
	}
	pieces[npieces++] = (Piece) {text, owner, kind};
}

static void
add_strings(const MdrStrings *strings, const char *owner, const char *kind)
{
	for (uint32_t i = 0; i < strings->count; i++)
		add_piece(strings->items[i], owner, kind);
}

static void
gather(void)
{
	const MdrPolicy *policy = made.policy;

	for (size_t i = 0; i < sizeof(glue) / sizeof(glue[0]); i++)
		add_piece(glue[i], "glue", glue[i]);
	add_strings(&policy->allow, "policy", "allow");
	for (uint32_t i = 0; i < policy->nlists; i++)
		add_strings(&policy->lists[i].terms, policy->lists[i].name, "words");
	for (uint32_t i = 0; i < policy->ncontexts; i++)
		add_strings(&policy->contexts[i].terms, policy->contexts[i].id, "terms");
	for (uint32_t i = 0; i < policy->nrules; i++)
	{
		const MdrRule *rule = &policy->rules[i];

		add_strings(&rule->terms, rule->id, "terms");
		add_strings(&rule->allow, rule->id, "allow");
		add_strings(&rule->hits, rule->id, "hits");
		add_strings(&rule->misses, rule->id, "misses");
		for (uint32_t g = 0; g < rule->nall_of; g++)
			add_strings(&rule->all_of[g], rule->id, "all_of");
	}
}

/* Appends text to the content, disguised; stars and braces of terms are left out.  The new length. */
static size_t
append(size_t length, const char *text, uint8_t disguise)
{
	static const char digits[] = "aeiostbg";
	static const char as[] = "43105789";
	const char *end = text + strlen(text);
	uint32_t	first = 0;

	while (text < end && length + 12 < LENGTH)
	{
		uint32_t	c;
		uint32_t	n = mdr_utf8_next(text, end, &c);
		const char *digit;

		if (n == 0)
			n = 1;
		if ((end - text == n && disguise == 5 && first > 0) || (first++ == 0 && disguise == 6 && end - text > n) || *text == '{' || *text == '}')
		{
			text += n;
			continue;
		}
		memcpy(content + length, text, n);
		if (disguise == 3 && *text != '\0' && (digit = strchr(digits, *text)) != NULL)
			content[length] = as[digit - digits];
		if (disguise == 7 && *text >= 'a' && *text <= 'z')
			content[length] = (char) (*text - 32);
		length += n;
		if (disguise == 4 && *text >= 'a' && *text <= 'z')
		{
			memset(content + length, *text, 3);
			length += 3;
		}
		if (disguise == 1 || disguise == 2)
			content[length++] = disguise == 1 ? ' ' : '.';
		text += n;
	}
	return length;
}

/* The shape as often as fits; the length. */
static size_t
write_content(const Shape *shape)
{
	size_t		length = 0;

	for (;;)
	{
		size_t		before = length;

		for (uint32_t g = 0; g < shape->n; g++)
			for (uint8_t t = 0; t < shape->genes[g].times; t++)
				length = append(length, pieces[shape->genes[g].piece].text, shape->genes[g].disguise);
		if (length == before || length + 64 > LENGTH)
			return length;
	}
}

static void
measure(Shape *shape, int times)
{
	size_t		length = write_content(shape);

	shape->milliseconds = 1e9;
	for (int i = 0; i < times; i++)
	{
		MdrVerdict	verdict;
		double		start = processor_time();
		double		taken;

		mdr_arena_reset(arena);
		require(mdr_verdict(made.engine, arena, content, length, MDR_REJECT, NULL, NULL, &verdict) == MDR_OK, "there is a verdict");
		taken = processor_time() - start;
		if (taken < shape->milliseconds)
			shape->milliseconds = taken;
		shape->unknown = verdict.unknown;
		shape->findings = verdict.nfindings;
	}
}

static Gene
new_gene(void)
{
	uint32_t	glued = sizeof(glue) / sizeof(glue[0]);

	return (Gene) {roll(3) == 0 ? roll(glued) : roll(npieces), (uint8_t) (roll(3) ? 0 : roll(8)), (uint8_t) (1 + (roll(4) ? 0 : roll(200)))};
}

static Shape
child_of(const Shape *parent, const Shape *other)
{
	Shape		child = *parent;
	Gene	   *gene = &child.genes[roll(child.n)];

	switch (roll(7))
	{
		case 0:
			*gene = new_gene();
			break;
		case 1:
			gene->disguise = (uint8_t) roll(8);
			break;
		case 2:
			gene->times = (uint8_t) (1 + roll(roll(2) ? 4 : 250));
			break;
		case 3:
			if (child.n < GENES)
				child.genes[child.n++] = new_gene();
			break;
		case 4:
			if (child.n > 1)
				*gene = child.genes[--child.n];
			break;
		case 5:
			*gene = other->genes[roll(other->n)];
			break;
		default:
			/* a neighbour: another string of the same rule, most often */
			gene->piece = (gene->piece + npieces + roll(9) - 4) % npieces;
			break;
	}
	return child;
}

static int
compare_shapes(const void *left, const void *right)
{
	const Shape *a = left;
	const Shape *b = right;

	return (a->milliseconds < b->milliseconds) - (a->milliseconds > b->milliseconds);
}

/* What a shape is made of, whatever the order and the number. */
static uint64_t
kind_of(const Shape *shape)
{
	uint64_t	kind = shape->unknown != NULL;

	for (uint32_t g = 0; g < shape->n; g++)
	{
		const char *owner = pieces[shape->genes[g].piece].owner;

		if (strcmp(owner, "glue") != 0)
			kind |= UINT64_C(2) << digest((const uint8_t *) owner, strlen(owner)) % 63;
	}
	return kind;
}

/* One of each kind, so that one slow rule does not crowd out all else. */
static void
keep(Shape *bred, const Shape *shape)
{
	int			place = BRED - 1;

	for (int i = 0; i < BRED; i++)
		if (bred[i].n > 0 && kind_of(&bred[i]) == kind_of(shape))
			place = i;
	if (shape->milliseconds <= bred[place].milliseconds)
		return;
	bred[place] = *shape;
	qsort(bred, BRED, sizeof(Shape), compare_shapes);
}

static void
show(const Shape *shape)
{
	printf("# %.1f ms, %u findings%s%s:", shape->milliseconds, shape->findings, shape->unknown ? ", unknown: " : "",
		   shape->unknown ? shape->unknown : "");
	for (uint32_t g = 0; g < shape->n; g++)
	{
		const Piece *piece = &pieces[shape->genes[g].piece];

		printf("%s %ux %s", g ? "," : "", shape->genes[g].times, piece->owner);
		if (strcmp(piece->owner, "glue") == 0)
			printf(" \"%s\"", strcmp(piece->kind, "\n") == 0 ? "\\n" : piece->kind);
		else
			printf(" %s (%zu bytes)", piece->kind, strlen(piece->text));
		if (shape->genes[g].disguise)
			printf(" %s", disguises[shape->genes[g].disguise]);
	}
	printf("\n");
}

int
main(int argc, char **argv)
{
	static Shape bred[BRED];
	double		until;
	double		limit;
	uint64_t	tried = 0;

	if (argc < 4)
		return 2;
	until = processor_time() + atof(argv[1]) * 1e3;
	limit = atof(argv[2]);
	made = make_policies(argc - 3, argv + 3);
	arena = mdr_arena_create(0);
	gather();
	while (processor_time() < until)
	{
		Shape		shape = {.n = 1 + roll(3)};
		uint32_t	parent = roll(BRED) * roll(BRED) / BRED;

		for (uint32_t g = 0; g < shape.n; g++)
			shape.genes[g] = new_gene();
		if (tried > 400 && roll(8) && bred[parent].n > 0)
			shape = child_of(&bred[parent], &bred[roll(parent + 1)]);
		measure(&shape, 1);
		if (shape.milliseconds > bred[BRED - 1].milliseconds)
		{
			measure(&shape, 3);
			keep(bred, &shape);
		}
		tried++;
	}
	for (int i = 0; i < SHOWN; i++)
		show(&bred[i]);
	printf("%s slow: %.1f ms at most for %d bytes, %llu contents tried\n", bred[0].milliseconds > limit ? "not ok" : "ok",
		   bred[0].milliseconds, LENGTH, (unsigned long long) tried);
	return bred[0].milliseconds > limit;
}
