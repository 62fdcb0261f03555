/*
 * account_ladder.c
 *		What refused content does to its account: warned, frozen, suspended, by the policy's ladder.
 *
 * Runs in the recorder's transaction, as the owner, with SPI connected and the violation inserted.  account, ladder,
 * violation -> a changed row of moderation.account, and an account_event where the state has changed.  It never
 * weakens: what a moderator or an earlier strike has imposed stays at least as it is.
 *
 * Two clocks: strikes are counted by the time that the content was refused at, which may be long ago when the
 * recorder has been held up, and sanctions begin now.  A strike from before the last reinstatement is forgotten; one
 * from before the last freeze is counted, but that freeze was its consequence.
 *
 * Locks: the account's row, then freeze_gate at pre-commit.  Memory: the caller's context.  Errors: raised to the
 * recorder, which repeats the event.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "account/account_row.h"

/* The most strikes within any stretch of $4; $2 and $3 lie that far before and after the strike at hand. */
static MdrPlan count_plan = {
	.sql = "SELECT max(w.n)::int4 FROM"
	" (SELECT count(*) OVER (ORDER BY v.occurred_at RANGE BETWEEN $4 PRECEDING AND CURRENT ROW) AS n"
	" FROM moderation.violation AS v"
	" WHERE v.account = $1 AND v.strike AND v.occurred_at > $2 AND v.occurred_at < $3) AS w",
	.nargs = 4, .types = {TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, INTERVALOID}
};
static MdrPlan freezes_plan = {
	.sql = "SELECT count(*)::int4 FROM moderation.account_event AS e"
	" WHERE e.account = $1 COLLATE \"C\" AND e.automatic AND e.to_state = 'frozen' AND e.occurred_at > $2",
	.nargs = 2, .types = {TEXTOID, TIMESTAMPTZOID}
};
static MdrPlan clean_plan = {
	.sql = "UPDATE moderation.account SET streak = 0 WHERE account = $1 COLLATE \"C\" AND streak > 0",
	.nargs = 1, .types = {TEXTOID}
};

/* The time that lies so many seconds from another; out of range: never, in that direction. */
static TimestampTz
time_after(TimestampTz time, int64 seconds)
{
	int64		span;
	TimestampTz result;

	if (pg_mul_s64_overflow(seconds, USECS_PER_SEC, &span) ||
		pg_add_s64_overflow(time, span, &result) ||
		!IS_VALID_TIMESTAMP(result))
		return seconds < 0 ? DT_NOBEGIN : DT_NOEND;
	return result;
}

/* A period in the largest unit that divides it: 86400 is "1 day". */
static const char *
describe_period(int64 seconds)
{
	static const struct
	{
		int64		seconds;
		const char *name;
	}			units[] = {{SECS_PER_DAY, "day"}, {SECS_PER_HOUR, "hour"}, {SECS_PER_MINUTE, "minute"}, {1, "second"}};
	int			unit = 0;

	while (seconds % units[unit].seconds != 0)
		unit++;
	seconds /= units[unit].seconds;
	return psprintf(INT64_FORMAT " %s%s", seconds, units[unit].name, seconds == 1 ? "" : "s");
}

static int
run_count(MdrPlan *plan, Datum *values)
{
	bool		null;
	Datum		count;

	mdr_account_run(plan, values, NULL);
	count = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	SPI_freetuptable(SPI_tuptable);
	return null ? 0 : DatumGetInt32(count);
}

/* How many of the account's strikes fell within one period around the strike at hand. */
static int
strikes_within(const MdrAccountRow *row, int64 period, TimestampTz occurred_at)
{
	Datum		values[4];
	Interval	interval = {0};

	if (pg_mul_s64_overflow(period, USECS_PER_SEC, &interval.time))
		interval.time = PG_INT64_MAX / 2;
	values[0] = CStringGetTextDatum(row->account);
	values[1] = TimestampTzGetDatum(Max(Max(time_after(occurred_at, -period), row->counts_from), row->clean_from));
	values[2] = TimestampTzGetDatum(time_after(occurred_at, period));
	values[3] = IntervalPGetDatum(&interval);
	return run_count(&count_plan, values);
}

/* Why the strike freezes the account; NULL if it does not. */
static const char *
reason_to_freeze(const MdrAccountRow *row, const MdrLadder *ladder, TimestampTz occurred_at)
{
	if (ladder->nfreezes == 0)
		return NULL;
	if (ladder->in_a_row > 0 && row->streak >= ladder->in_a_row)
		return psprintf("%d refused contents in a row", row->streak);
	if (ladder->within_count > 0)
	{
		int			count = strikes_within(row, ladder->within_period, occurred_at);

		if (count >= ladder->within_count)
			return psprintf("%d refused contents within %s", count, describe_period(ladder->within_period));
	}
	return NULL;
}

/* The end of the freeze that is due: the first, second, ... within the ladder's memory. */
static TimestampTz
end_of_freeze(const MdrAccountRow *row, const MdrLadder *ladder, TimestampTz now)
{
	Datum		values[2];
	int			earlier;
	int64		seconds;

	values[0] = CStringGetTextDatum(row->account);
	values[1] = TimestampTzGetDatum(Max(time_after(now, -ladder->memory), row->clean_from));
	earlier = run_count(&freezes_plan, values);
	seconds = ladder->freezes[Min(earlier, ladder->nfreezes - 1)];
	return seconds == 0 ? DT_NOEND : time_after(now, seconds);
}

/* One step of the ladder for an account that may write. */
static void
step(MdrAccountRow *row, const MdrLadder *ladder, const char *category, MdrAccountState state, TimestampTz occurred_at,
	 TimestampTz now)
{
	const char *reason;

	row->streak++;
	reason = reason_to_freeze(row, ladder, occurred_at);
	if (reason != NULL)
	{
		row->state = MDR_FROZEN;
		row->until = end_of_freeze(row, ladder, now);
		row->since = row->counts_from = now;
		row->streak = 0;
	}
	else
	{
		TimestampTz until = ladder->within_period > 0 ? time_after(now, ladder->within_period) : DT_NOEND;

		row->until = state == MDR_WARNED ? Max(row->until, until) : until;
		if (state != MDR_WARNED)
			row->since = now;
		row->state = MDR_WARNED;
		reason = psprintf("refused content: %s", category);
	}
	row->reason = reason;
}

void
mdr_ladder_strike(const char *account, const MdrLadder *ladder, bool suspend, const char *category,
				  const pg_uuid_t *violation_id, TimestampTz occurred_at)
{
	MdrAccountRow row;
	MdrAccountState state;
	TimestampTz now;

	mdr_account_lock(account, true, &row);
	now = GetCurrentTimestamp();
	state = mdr_state_at(row.state, row.until, now);

	/* Whoever reinstated the account did not know of a content that suspends at once: that one is not forgotten. */
	if (occurred_at <= row.clean_from && !suspend)
		return;

	if (row.strikes < PG_INT32_MAX)
		row.strikes++;
	if (suspend)
	{
		if (state != MDR_SUSPENDED)
		{
			row.state = MDR_SUSPENDED;
			row.until = DT_NOEND;
			row.since = row.counts_from = now;
			row.streak = 0;
			row.reason = psprintf("refused content: %s", category);
		}
	}
	else if (!mdr_restricted(state) && occurred_at > row.counts_from)
		step(&row, ladder, category, state, occurred_at, now);

	mdr_account_save(&row);
	if (mdr_state_at(row.state, row.until, now) != state)
	{
		MdrAccountChange change = {
			.from = state,
			.actor = "moderation",
			.automatic = true,
			.category = category,
			.violation_id = violation_id,
			.at = now
		};

		mdr_account_log(&row, &change);
	}
}

void
mdr_ladder_clean(const char *account)
{
	Datum		value = CStringGetTextDatum(account);

	mdr_account_run(&clean_plan, &value, NULL);
}
