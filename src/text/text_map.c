/*
 * text_map.c
 *		The way back from a folded text or a view to the text that it was made from.
 *
 * Input: pieces whose length changed, in order; output: positions.  Most text keeps its lengths, so a map is sparse,
 * and equal pieces in a row (full-width letters, say) share an entry.  A query is a binary search.
 *
 * Locks: none.  Memory: the arena's of the text.  Errors: false when out of memory; queries cannot fail.
 */
#include "text/text_parts.h"

void
mdr_text_closed(const MdrText *joined, uint64_t *bits)
{
	const MdrOffsetMap *map = joined->map;

	for (uint32_t i = 0; map != NULL && i < map->n; i++)
	{
		const MdrMapEntry *entry = &map->entries[i];

		if (entry->out_length > 0 || !(joined->changed[entry->out / 64] >> (entry->out % 64) & 1))
			continue;
		for (uint32_t at = entry->in; at < entry->in + entry->count * entry->in_length; at++)
			bits[at / 64] |= UINT64_C(1) << (at % 64);
	}
}

static MdrMapEntry *
new_entry(MdrArena *arena, MdrOffsetMap **map)
{
	if (*map == NULL && (*map = mdr_alloc(arena, sizeof(MdrOffsetMap))) == NULL)
		return NULL;
	if ((*map)->n == (*map)->capacity)
	{
		uint32_t	capacity = (*map)->capacity == 0 ? 32 : (*map)->capacity * 2;
		MdrMapEntry *entries = mdr_grow(arena, (*map)->entries, (*map)->n * sizeof(MdrMapEntry),
										capacity * sizeof(MdrMapEntry));

		if (entries == NULL)
			return NULL;
		(*map)->entries = entries;
		(*map)->capacity = capacity;
	}
	return &(*map)->entries[(*map)->n++];
}

bool
mdr_map_add_entry(MdrArena *arena, MdrOffsetMap **map, uint32_t out, uint32_t in, uint32_t out_length, uint32_t in_length)
{
	MdrMapEntry *entry = new_entry(arena, map);

	if (entry == NULL)
		return false;
	*entry = (MdrMapEntry) {out, in, 1, out_length, in_length};
	return true;
}

bool
mdr_map_merge(MdrArena *arena, MdrOffsetMap **map, uint32_t out, uint32_t out_end, uint32_t in_end)
{
	uint32_t	in = out;

	while (*map != NULL && (*map)->n > 0)
	{
		MdrMapEntry *entry = &(*map)->entries[(*map)->n - 1];
		uint32_t	entry_end = entry->out + entry->count * entry->out_length;

		if (entry->out > out)
			(*map)->n--;		/* within the new piece altogether */
		else if (entry_end <= out)
		{
			in = entry->in + entry->count * entry->in_length + (out - entry_end);
			break;
		}
		else
		{
			/* The new piece begins with the piece of this entry that holds out. */
			uint32_t	whole = (out - entry->out) / entry->out_length;

			out = entry->out + whole * entry->out_length;
			in = entry->in + whole * entry->in_length;
			entry->count = whole;
			if (whole == 0)
				(*map)->n--;
			break;
		}
	}
	return mdr_map_add(arena, map, out, in, out_end - out, in_end - in);
}

/* The last entry that starts at or before position, or NULL. */
static const MdrMapEntry *
entry_before(const MdrOffsetMap *map, uint32_t position)
{
	uint32_t	low = 0;
	uint32_t	high = map == NULL ? 0 : map->n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (map->entries[middle].out <= position)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &map->entries[low - 1];
}

void
mdr_map_span(const MdrOffsetMap *map, uint32_t start, uint32_t end, uint32_t *in_start, uint32_t *in_end)
{
	const MdrMapEntry *entry = entry_before(map, start);
	uint32_t	out_end;

	if (entry == NULL)
		*in_start = start;
	else
	{
		out_end = entry->out + entry->count * entry->out_length;
		if (start < out_end)
			*in_start = entry->in + (start - entry->out) / entry->out_length * entry->in_length;
		else
			*in_start = entry->in + entry->count * entry->in_length + (start - out_end);
	}
	if (end <= start)
	{
		*in_end = *in_start;
		return;
	}
	end--;						/* the last byte that took part */
	entry = entry_before(map, end);
	if (entry == NULL)
		*in_end = end + 1;
	else
	{
		out_end = entry->out + entry->count * entry->out_length;
		if (end < out_end)
			*in_end = entry->in + ((end - entry->out) / entry->out_length + 1) * entry->in_length;
		else
			*in_end = entry->in + entry->count * entry->in_length + (end - out_end) + 1;
	}
}

void
mdr_text_span(const MdrText *text, uint32_t start, uint32_t end, uint32_t *given_start, uint32_t *given_end)
{
	const MdrOffsetMap *map = text->map;

	*given_start = start;
	*given_end = end > start ? end : start;
	for (; map != NULL; map = map->inner)
		mdr_map_span(map, *given_start, *given_end, given_start, given_end);
}

void
mdr_text_plain_span(const MdrText *text, uint32_t start, uint32_t end, uint32_t *plain_start,
					uint32_t *plain_end)
{
	*plain_start = start;
	*plain_end = end > start ? end : start;
	if (text->view != MDR_VIEW_PLAIN)
		mdr_map_span(text->map, *plain_start, *plain_end, plain_start, plain_end);
}
