/*
 * base_sort.c
 *		Sorts an array that may be long, and asks on the way whether to stop, which qsort() cannot.
 *
 * Short runs are sorted by qsort() and then merged, bottom up (merge sort; Knuth, "The Art of Computer Programming", volume 3,
 * section 5.2.4).
 *
 * Input: an array, how its items compare.  Output: the array, sorted; items that compare equal may stand in any order.  Locks:
 * none.  Memory: as much again, from the arena.  On error: a status, and the array holds its items in some order.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

#define RUN ((size_t) 2048)		/* items between two looks at the interrupt */

typedef struct Sort
{
	size_t		size;
	int			(*compare) (const void *left, const void *right);
	MdrInterrupted interrupted;
	void	   *context;
	size_t		moved;			/* since the last look */
} Sort;

static bool
stop(const Sort *sort)
{
	return sort->interrupted != NULL && sort->interrupted(sort->context);
}

/* Merges [left, middle) and [middle, right) into to; false when told to stop. */
static bool
merge(Sort *sort, const char *left, const char *middle, const char *right, char *to)
{
	const char *first = left,
			   *second = middle;

	while (first < middle || second < right)
	{
		bool		take_first = second == right || (first < middle && sort->compare(first, second) <= 0);

		memcpy(to, take_first ? first : second, sort->size);
		to += sort->size;
		if (take_first)
			first += sort->size;
		else
			second += sort->size;
		if (++sort->moved % RUN == 0 && stop(sort))
			return false;
	}
	return true;
}

MdrStatus
mdr_sort(MdrArena *arena, void *items, size_t count, size_t size, int (*compare) (const void *left, const void *right),
		 MdrInterrupted interrupted, void *context)
{
	Sort		sort = {size, compare, interrupted, context, 0};
	char	   *from = items,
			   *to;

	for (size_t first = 0; first < count; first += RUN)
	{
		qsort(from + first * size, count - first < RUN ? count - first : RUN, size, compare);
		if (count > RUN && stop(&sort))
			return MDR_INTERRUPTED;
	}
	if (count <= RUN)
		return MDR_OK;
	to = mdr_alloc_array(arena, count, size);
	if (to == NULL)
		return MDR_NO_MEMORY;
	for (size_t width = RUN; width < count; width *= 2)
	{
		char	   *merged = to;

		for (size_t first = 0; first < count; first += 2 * width)
		{
			size_t		middle = count - first < width ? count : first + width;
			size_t		end = count - middle < width ? count : middle + width;

			if (!merge(&sort, from + first * size, from + middle * size, from + end * size, to + first * size))
				return MDR_INTERRUPTED;
		}
		to = from;
		from = merged;
	}
	if (from != items)
		memcpy(items, from, count * size);
	return MDR_OK;
}
