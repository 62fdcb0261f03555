/*
 * account_status.c
 *		Reading and writing a row of moderation.account under its lock, and the moderators' functions on top of that.
 *
 * freeze, suspend, reinstate: account, reason -> a changed row and one account_event, noted in the ledger, in the caller's
 * transaction.
 * They are C so that the event can name the role that called (inside a SECURITY DEFINER function that would be the
 * owner), and become the owner only for the statements on our own tables.
 *
 * Locks: the account's row, until the end of the transaction, and through mdr_gate_announce() freeze_gate at
 * pre-commit.  Memory: the caller's context.  Errors: raised; the caller's transaction undoes everything.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "account/account_row.h"
#include "ledger/ledger.h"
#include "server/server.h"

PG_FUNCTION_INFO_V1(moderation_freeze_account);
PG_FUNCTION_INFO_V1(moderation_suspend_account);
PG_FUNCTION_INFO_V1(moderation_reinstate_account);

#define LOG_VALUES \
	" (account, occurred_at, from_state, to_state, until, reason, actor, login, automatic, category, violation_id)" \
	" VALUES ($1, $2, $3::moderation.account_state, $4::moderation.account_state, $5, $6, $7, $8, $9, $10, $11)"

/* Every look-up by account says COLLATE "C" and so goes through the index account_gate, as the gate does. */
static MdrPlan lock_plan = {
	.sql = "SELECT state, strikes, streak, reason, since, until, counts_from, clean_from"
	" FROM moderation.account WHERE account = $1 COLLATE \"C\" FOR NO KEY UPDATE",
	.nargs = 1, .types = {TEXTOID}
};
static MdrPlan create_plan = {
	.sql = "INSERT INTO moderation.account (account) VALUES ($1) ON CONFLICT (account COLLATE \"C\") DO NOTHING",
	.nargs = 1, .types = {TEXTOID}
};
static MdrPlan save_plan = {
	.sql = "UPDATE moderation.account SET state = $2::moderation.account_state, strikes = $3, streak = $4, reason = $5,"
	" since = $6, until = $7, counts_from = $8, clean_from = $9 WHERE account = $1 COLLATE \"C\"",
	.nargs = 9,
	.types = {TEXTOID, TEXTOID, INT4OID, INT4OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID}
};
static MdrPlan log_plan = {
	.sql = "INSERT INTO moderation.account_event"
	LOG_VALUES,
	.nargs = 11,
	.types = {TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
	TEXTOID, TEXTOID, BOOLOID, TEXTOID, UUIDOID}
};
static MdrPlan note_plan = {
	.sql = "INSERT INTO moderation.account_event"
	LOG_VALUES " RETURNING event_id, moderation.ledger_entry_sha256(account_event)",
	.nargs = 11,
	.types = {TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID,
	TEXTOID, TEXTOID, BOOLOID, TEXTOID, UUIDOID}
};

int
mdr_account_run(MdrPlan *plan, Datum *values, const char *nulls)
{
	int			result;

	if (plan->plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(plan->sql, plan->nargs, plan->types);

		if (prepared == NULL)
			elog(ERROR, "could not prepare \"%s\": %s", plan->sql, SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		plan->plan = prepared;
	}
	result = SPI_execute_plan(plan->plan, values, nulls, false, 0);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", plan->sql, SPI_result_code_string(result));
	return result;
}

static Datum
row_value(int column, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, null);
}

static TimestampTz
row_time(int column, TimestampTz none)
{
	bool		null;
	Datum		value = row_value(column, &null);

	return null ? none : DatumGetTimestampTz(value);
}

bool
mdr_account_lock(const char *account, bool create, MdrAccountRow *row)
{
	Datum		key = CStringGetTextDatum(account);
	bool		null;

	for (;;)
	{
		mdr_account_run(&lock_plan, &key, NULL);
		if (SPI_processed > 0)
			break;
		if (!create)
			return false;
		/* Where a snapshot of this transaction's hides a row made meanwhile, this raises a serialization failure. */
		mdr_account_run(&create_plan, &key, NULL);
	}

	row->account = account;
	row->state = mdr_state_of_oid(DatumGetObjectId(row_value(1, &null)));
	row->strikes = DatumGetInt32(row_value(2, &null));
	row->streak = DatumGetInt32(row_value(3, &null));
	row->reason = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 4);
	row->since = row_time(5, DT_NOBEGIN);
	row->until = row_time(6, DT_NOEND);
	row->counts_from = row_time(7, DT_NOBEGIN);
	row->clean_from = row_time(8, DT_NOBEGIN);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

static void
set_text(Datum *value, char *null, const char *text)
{
	*null = text != NULL ? ' ' : 'n';
	*value = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
set_time(Datum *value, char *null, TimestampTz time)
{
	*null = TIMESTAMP_NOT_FINITE(time) ? 'n' : ' ';
	*value = TimestampTzGetDatum(time);
}

void
mdr_account_save(const MdrAccountRow *row)
{
	Datum		values[9];
	char		nulls[9] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};

	values[0] = CStringGetTextDatum(row->account);
	values[1] = CStringGetTextDatum(mdr_state_name(row->state));
	values[2] = Int32GetDatum(row->strikes);
	values[3] = Int32GetDatum(row->streak);
	set_text(&values[4], &nulls[4], row->reason);
	set_time(&values[5], &nulls[5], row->since);
	set_time(&values[6], &nulls[6], row->until);
	set_time(&values[7], &nulls[7], row->counts_from);
	set_time(&values[8], &nulls[8], row->clean_from);
	mdr_account_run(&save_plan, values, nulls);
	if (mdr_restricted(row->state))
		mdr_gate_announce();
}

void
mdr_account_log(const MdrAccountRow *row, const MdrAccountChange *change)
{
	Datum		values[11];
	char		nulls[11] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
	bool		null;

	values[0] = CStringGetTextDatum(row->account);
	values[1] = TimestampTzGetDatum(change->at);
	values[2] = CStringGetTextDatum(mdr_state_name(change->from));
	values[3] = CStringGetTextDatum(mdr_state_name(row->state));
	set_time(&values[4], &nulls[4], row->until);
	set_text(&values[5], &nulls[5], row->reason);
	values[6] = CStringGetTextDatum(change->actor);
	set_text(&values[7], &nulls[7], change->login);
	values[8] = BoolGetDatum(change->automatic);
	set_text(&values[9], &nulls[9], change->category);
	nulls[10] = change->violation_id != NULL ? ' ' : 'n';
	values[10] = PointerGetDatum(change->violation_id);
	if (!mdr_ledger_kept())
	{
		mdr_account_run(&log_plan, values, nulls);
		return;
	}
	mdr_account_run(&note_plan, values, nulls);
	mdr_ledger_note(MDR_LEDGER_ACCOUNT_EVENT, row->account, DatumGetUUIDP(row_value(1, &null)), row_value(2, &null));
	SPI_freetuptable(SPI_tuptable);
}

/* A function of the moderators': who calls it, with what, as whom it runs. */
typedef struct Decision
{
	const char *account;
	const char *reason;
	const char *actor;
	const char *login;
	MdrUser		saved;
	MdrAccountRow row;
	MdrAccountState from;
	TimestampTz now;
} Decision;

static const char *
given_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static bool
is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

/* Checks what is given, becomes the owner, locks the account's row.  False: there is none and none is to be made. */
static bool
decide(FunctionCallInfo fcinfo, const char *name, bool create, Decision *decision)
{
	/* A blank key is hardly meant, but if the ladder has frozen it, it must be possible to reinstate it. */
	decision->account = given_text(fcinfo, 0);
	if (decision->account == NULL || (create && is_blank(decision->account)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("account must not be null or blank"),
				 errhint("Call moderation.%s with the value in the account column of the guarded table.", name)));
	if (strlen(decision->account) > MDR_ACCOUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("account key is too long"),
				 errdetail("It has %d bytes; at most %d can be recorded.",
						   (int) strlen(decision->account), MDR_ACCOUNT_MAX)));
	decision->reason = given_text(fcinfo, 1);
	if (decision->reason == NULL || is_blank(decision->reason))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a reason is required"),
				 errhint("Say why in a sentence: it is shown to the account and kept in moderation.account_event.")));

	decision->actor = GetUserNameFromId(GetUserId(), false);
	decision->login = GetUserNameFromId(GetSessionUserId(), false);
	mdr_become_owner(&decision->saved);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (!mdr_account_lock(decision->account, create, &decision->row))
		return false;

	/* After the lock: what was decided before us is in the row, and lies in the past. */
	decision->now = GetCurrentTimestamp();
	decision->from = mdr_state_at(decision->row.state, decision->row.until, decision->now);
	return true;
}

static void
decided(Decision *decision)
{
	MdrAccountChange change = {
		.from = decision->from,
		.actor = decision->actor,
		.login = decision->login,
		.at = decision->now
	};

	decision->row.reason = decision->reason;
	decision->row.streak = 0;
	if (mdr_restricted(decision->row.state))
		decision->row.counts_from = decision->now;
	if (decision->row.state != decision->from)
		decision->row.since = decision->now;
	mdr_account_save(&decision->row);
	mdr_account_log(&decision->row, &change);
}

static void
leave(Decision *decision)
{
	SPI_finish();
	mdr_restore_user(&decision->saved);
}

/* freeze(account text, reason text, until timestamptz) returns void */
Datum
moderation_freeze_account(PG_FUNCTION_ARGS)
{
	TimestampTz until = PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2);
	Decision	decision;

	if (until <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the end of a freeze must lie in the future"),
				 errhint("Leave out \"until\" to freeze for good; moderation.reinstate() ends a freeze.")));
	decide(fcinfo, "freeze", true, &decision);
	if (decision.from == MDR_SUSPENDED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("account is suspended, which is more than frozen"),
				 errhint("Call moderation.reinstate() first if a freeze is meant to take the suspension's place.")));
	if (decision.from == MDR_FROZEN && until < decision.row.until)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("account is already frozen for longer"),
				 errhint("Call moderation.reinstate() first if the freeze is meant to become shorter.")));

	decision.row.state = MDR_FROZEN;
	decision.row.until = until;
	decided(&decision);
	leave(&decision);
	PG_RETURN_VOID();
}

/* suspend(account text, reason text) returns void */
Datum
moderation_suspend_account(PG_FUNCTION_ARGS)
{
	Decision	decision;

	decide(fcinfo, "suspend", true, &decision);
	decision.row.state = MDR_SUSPENDED;
	decision.row.until = DT_NOEND;
	decided(&decision);
	leave(&decision);
	PG_RETURN_VOID();
}

/* reinstate(account text, reason text) returns void */
Datum
moderation_reinstate_account(PG_FUNCTION_ARGS)
{
	Decision	decision;

	if (!decide(fcinfo, "reinstate", false, &decision))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("account has never been warned, frozen or suspended"),
				 errhint("Compare the key with those in moderation.account_status.")));

	if (decision.row.state == MDR_ACTIVE && decision.row.strikes == 0)
		ereport(NOTICE,
				(errmsg("account is active and clean already")));
	else
	{
		decision.row.state = MDR_ACTIVE;
		decision.row.until = DT_NOEND;
		decision.row.strikes = 0;
		decision.row.counts_from = decision.row.clean_from = decision.now;
		decided(&decision);
	}
	leave(&decision);
	PG_RETURN_VOID();
}
