/*
 * ledger.c
 *		Noting what belongs into the ledger, in whatever transaction it happens.
 *
 * In: rows just inserted, by kind, account, id and hash; out: rows of moderation.ledger_note, and after commit a word to the
 * recorder's worker that there are some.  Between mdr_ledger_begin() and mdr_ledger_end() (the worker's) they are collected, and
 * linked at once.
 *
 * Locks: what INSERT takes.  Memory: notes that are collected belong to the context of mdr_ledger_begin().  Errors: raised; an
 * abort forgets what was collected.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "ledger/ledger_chain.h"
#include "server/server.h"
#include "server/server_inject.h"

int			mdr_seal_interval = 60;

static const char *const kinds[] = {"violation", "account_event", "guard_event", "epoch", "evidence"};

static void (*wake_worker) (void) = NULL;
static bool noted = false;		/* this transaction has */

static bool collecting = false;
static MemoryContext collected_context;
static List *collected;			/* of MdrLedgerEntry *, in collected_context */

static MdrLedgerPlan note_plan = {
	.sql = "INSERT INTO moderation.ledger_note (account, kind, subject, entry_sha256, noted_at) VALUES ($1, $2, $3, $4, $5)",
	.nargs = 5, .types = {TEXTOID, TEXTOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID}
};
static MdrLedgerPlan guard_plan = {
	.sql = "INSERT INTO moderation.guard_event (relation, what, detail, actor, login) VALUES ($1, $2, $3, $4, $5)"
	" RETURNING event_id, moderation.ledger_entry_sha256(guard_event)",
	.nargs = 5, .types = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

bool
mdr_ledger_kept(void)
{
	return OidIsValid(mdr_relation("ledger"));
}

void
mdr_ledger_run(MdrLedgerPlan *plan, Datum *values, const char *nulls)
{
	int			result;

	if (plan->plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(plan->sql, plan->nargs, plan->types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", plan->sql, SPI_result_code_string(SPI_result));
		plan->plan = prepared;
	}
	result = SPI_execute_plan(plan->plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", plan->sql, SPI_result_code_string(result));
}

void
mdr_ledger_put_note(const MdrLedgerEntry *entry)
{
	Datum		values[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	nulls[0] = entry->account == NULL ? 'n' : ' ';
	values[0] = entry->account == NULL ? (Datum) 0 : CStringGetTextDatum(entry->account);
	values[1] = CStringGetTextDatum(entry->kind);
	values[2] = UUIDPGetDatum(&entry->subject);
	values[3] = mdr_ledger_bytes(entry->entry);
	values[4] = TimestampTzGetDatum(entry->noted_at);
	mdr_ledger_run(&note_plan, values, nulls);
	noted = true;
}

void
mdr_ledger_note(MdrLedgerKind kind, const char *account, const pg_uuid_t *subject, Datum entry)
{
	bytea	   *hash = DatumGetByteaPP(entry);
	MdrLedgerEntry note = {.account = account, .kind = kinds[kind], .subject = *subject};

	if (VARSIZE_ANY_EXHDR(hash) != MDR_SHA256)
		elog(ERROR, "the hash of a ledger entry has %d bytes", (int) VARSIZE_ANY_EXHDR(hash));
	memcpy(note.entry, VARDATA_ANY(hash), MDR_SHA256);
	note.noted_at = GetCurrentTimestamp();
	if (collecting)
	{
		MemoryContext old = MemoryContextSwitchTo(collected_context);
		MdrLedgerEntry *kept = palloc(sizeof(MdrLedgerEntry));

		*kept = note;
		kept->account = account == NULL ? NULL : pstrdup(account);
		kept->noted_xid = U64FromFullTransactionId(GetTopFullTransactionId());
		collected = lappend(collected, kept);
		MemoryContextSwitchTo(old);
	}
	else
		mdr_ledger_put_note(&note);
}

static void
set_text(Datum *value, char *null, const char *text)
{
	*null = text != NULL ? ' ' : 'n';
	*value = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

void
mdr_ledger_guard_event(const char *relation, const char *what, const char *detail)
{
	/* Not the current user, who within a SECURITY DEFINER function is its owner. */
	const char *actor = GetUserNameFromId(GetOuterUserId(), false);
	const char *login = GetUserNameFromId(GetSessionUserId(), false);
	Datum		values[5];
	char		nulls[5];
	MdrUser		user;
	bool		null;

	/* The rows of a dump that is being restored are still to come, and begin at position 1. */
	if (creating_extension || !mdr_ledger_kept() || !OidIsValid(mdr_relation("guard_event")))
		return;
	mdr_become_owner(&user);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	set_text(&values[0], &nulls[0], relation);
	set_text(&values[1], &nulls[1], what);
	set_text(&values[2], &nulls[2], detail);
	set_text(&values[3], &nulls[3], actor);
	set_text(&values[4], &nulls[4], login);
	mdr_ledger_run(&guard_plan, values, nulls);
	mdr_ledger_note(MDR_LEDGER_GUARD_EVENT, NULL,
					DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null)),
					SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
	SPI_finish();
	mdr_restore_user(&user);
}

void
mdr_ledger_begin(void)
{
	collecting = mdr_ledger_kept();
	collected_context = CurrentMemoryContext;
	collected = NIL;
}

void
mdr_ledger_end(void)
{
	List	   *entries = collected;
	ListCell   *cell;

	collecting = false;
	collected = NIL;
	if (entries == NIL)
		return;
	if (mdr_ledger_place_known() && mdr_ledger_lock(MDR_INJECT_FAIL("ledger_wait")))
		mdr_ledger_append(entries);
	else
		foreach(cell, entries)
			mdr_ledger_put_note(lfirst(cell));
}

static void
transaction_event(XactEvent event, void *unused)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (noted && wake_worker != NULL)
				wake_worker();
			noted = false;
			break;
		case XACT_EVENT_ABORT:
			mdr_ledger_forget_place();
			collected = NIL;
			collecting = noted = false;
			break;
		case XACT_EVENT_PREPARE:
			/* The worker looks for itself when it next starts. */
			noted = false;
			break;
		default:
			break;
	}
}

void
mdr_ledger_init(void (*wake) (void))
{
	wake_worker = wake;
	DefineCustomIntVariable("moderation.seal_interval",
							"How often the recorder's worker seals the ledger, at most.",
							"It also seals when it leaves. 0: only moderation.seal() does.",
							&mdr_seal_interval,
							60, 0, 86400,
							PGC_SIGHUP, GUC_UNIT_S,
							NULL, NULL, NULL);
	RegisterXactCallback(transaction_event, NULL);
}
