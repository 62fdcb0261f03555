/*
 * server_core.c
 *		Where the pure core meets the server: interrupts, errors, memory, encodings.
 *
 * Takes no locks.  Arenas die with the memory context they are made in; strings are palloc'd in the current one.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "server/server.h"
#include "server/server_inject.h"

/* An ERROR that serving an interrupt raised inside mdr_interrupted(), to be raised again once the core has returned. */
static ErrorData *held_error = NULL;

bool
mdr_interrupted(void *context)
{
	MemoryContext caller = CurrentMemoryContext;

	if (MDR_INJECT_FAIL("interrupts"))
		return false;
	if (likely(!INTERRUPTS_PENDING_CONDITION()) || !INTERRUPTS_CAN_BE_PROCESSED())
		return false;
	if (QueryCancelPending || ProcDiePending)
		return true;

	/*
	 * Something else: mostly harmless (a barrier, a request to log memory), and then the scan must not be given up.  It may
	 * raise, too, and the core must not be left by longjmp, so an error is held back until it has returned.
	 */
	held_error = NULL;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(TopTransactionContext);
		held_error = CopyErrorData();
		FlushErrorState();
		MemoryContextSwitchTo(caller);
	}
	PG_END_TRY();
	return held_error != NULL;
}

/* "file "x", line 12, column 5, rule "hate.x.en": ", as far as known. */
static char *
error_place(const MdrError *error)
{
	StringInfoData place;

	initStringInfo(&place);
	if (error->file[0])
		appendStringInfo(&place, "file \"%s\", ", error->file);
	if (error->line > 0)
		appendStringInfo(&place, "line %d, ", error->line);
	if (error->column > 0)
		appendStringInfo(&place, "column %d, ", error->column);
	if (error->rule[0])
		appendStringInfo(&place, "rule \"%s\", ", error->rule);
	if (place.len == 0)
		return place.data;
	place.data[place.len - 2] = ':';
	return mdr_from_utf8(place.data, place.len);
}

void
mdr_raise(MdrStatus status, const MdrError *error)
{
	char	   *message = NULL;

	if (error != NULL && error->message[0])
	{
		/* The core cuts a long message by bytes. */
		int			length = strlen(error->message);

		length = pg_encoding_mbcliplen(PG_UTF8, error->message, length, length);
		message = mdr_from_utf8(error->message, length);
	}

	switch (status)
	{
		case MDR_INTERRUPTED:
			if (held_error != NULL)
			{
				ErrorData  *again = held_error;

				held_error = NULL;
				ReThrowError(again);
			}
			CHECK_FOR_INTERRUPTS();
			/* Who asked to stop has taken it back; the work is lost all the same. */
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("canceling statement while content was being scanned")));
			break;
		case MDR_INVALID:
			ereport(ERROR,
					(errcode(ERRCODE_MDR_BAD_POLICY),
					 errmsg("policy document refused: %s%s",
							error ? error_place(error) : "", message ? message : "it is not valid"),
					 errdetail("Nothing was loaded."),
					 errhint("Correct the document and load it again; \"make lint\" says the same without a server.")));
			break;
		case MDR_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory"),
					 message ? errdetail("%s.", message) : 0));
			break;
		case MDR_BROKEN:
		case MDR_OK:
		case MDR_UNKNOWN:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("content could not be scanned (status %d)", (int) status),
			 message ? errdetail("%s.", message) : 0));
}

static void
destroy_arena(void *arena)
{
	mdr_arena_destroy(arena);
}

MdrArena *
mdr_arena_in(MemoryContext context, size_t limit)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	MdrArena   *arena = mdr_arena_create(limit);

	if (arena == NULL)
		mdr_raise(MDR_NO_MEMORY, NULL);
	callback->func = destroy_arena;
	callback->arg = arena;
	MemoryContextRegisterResetCallback(context, callback);
	return arena;
}

void
mdr_to_utf8(const char *text, int length, const char **utf8, int *utf8_length)
{
	*utf8 = text;
	*utf8_length = length;
}

char *
mdr_from_utf8(const char *utf8, int length)
{
	return pnstrdup(utf8, length);
}

#define HASHED_AT_ONCE ((size_t) 1024 * 1024)

bool
mdr_hash_bytes(pg_cryptohash_ctx *hash, const void *bytes, size_t length)
{
	for (size_t done = 0; done < length; done += HASHED_AT_ONCE)
	{
		if (pg_cryptohash_update(hash, (const uint8 *) bytes + done, Min(HASHED_AT_ONCE, length - done)) < 0)
			return false;
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}
