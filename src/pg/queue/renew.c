/*
 * renew.c
 *	  Renews the leases of calls that wait longer than expected, for a slot or for their
 *	  settle.
 *
 * A locked row is skipped, so that it does not delay the others' renewal; its lease may
 * run out then, and another process may claim it.  A renewal counts only after its
 * commit: if a call were sent on a lease that is rolled back, another process could claim
 * and send its row before the reply arrives.
 */
#include "postgres.h"

#include "loop.h"

/* A lease is renewed when less than this is left of it. */
#define RENEW_BEFORE_MS (20 * 1000)

/* Interval of checking all leases. */
#define RENEW_CHECK_MS (10 * 1000)

/* Pause before the next try after some leases could not be renewed. */
#define RENEW_AGAIN_MS 1000

static SqlStatement sql_renew = {
	.text =
	"UPDATE @.llava_pending SET visible_at = pg_catalog.now() + $4"
	" WHERE ctid = (SELECT ctid FROM @.llava_pending"
	"  WHERE image = $1 AND task = $2 AND call = $3 AND holder IS NOT NULL"
	"  FOR UPDATE SKIP LOCKED)",
	.types = "ltlv"
};

/* Returns false if the row is locked, or was claimed by another call. */
static bool
renew_call(Call *call, int64 lease_ms)
{
	NullableDatum lease = {rows_interval(lease_ms), false};

	if (!call_run(call, &sql_renew, &lease, 1))
		return false;
	call->lease.renewed_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), lease_ms);
	return true;
}

static SqlStatement sql_is_claimed = {
	.text =
	"SELECT FROM @.llava_pending"
	" WHERE image = $1 AND task = $2 AND call = $3 AND holder IS NOT NULL",
	.types = "ltl"
};

/* Renews the leases of a state's calls; to_be_sent: they must outlast a request. */
static void
renew_state(Loop *loop, CallState state, bool to_be_sent)
{
	TimestampTz now = GetCurrentTimestamp();

	foreach_call(call, loop, state)
	{
		int64		timeout = call->server == NULL ? 0 : call->server->options->request_timeout;
		int64		needed = to_be_sent ? timeout : RENEW_BEFORE_MS;

		if (call->lease.until >= TimestampTzPlusMilliseconds(now, needed) ||
			renew_call(call, timeout + 3 * RENEW_BEFORE_MS))
			continue;
		loop->renewals.after = TimestampTzPlusMilliseconds(now, RENEW_AGAIN_MS);
		if (to_be_sent && call->server != NULL && !call_run(call, &sql_is_claimed, NULL, 0))
		{
			/* another call has the row now: this one must not be sent */
			interrupted_not(call);
			call_free(loop, call);
		}
	}
}

static void
renew_work(Loop *loop, void *arg)
{
	renew_state(loop, CALL_HASHED, true);
	renew_state(loop, CALL_READY, true);
	renew_state(loop, CALL_FINISHED, false);
}

/* After the transaction: adopts the new leases if it committed, else forgets them. */
static void
take_renewed(Loop *loop, CallState state, bool committed)
{
	foreach_call(call, loop, state)
	{
		if (committed && call->lease.renewed_until != 0)
			call->lease.until = call->lease.renewed_until;
		call->lease.renewed_until = 0;
	}
}

TimestampTz
renewals_due(Loop *loop)
{
	TimestampTz due = loop->calls.held > 0 ? loop->renewals.at : DT_NOEND;

	return loop->dispatch.renewal_needed ? Min(due, loop->renewals.after) : due;
}

void
renewals_hurry(Loop *loop)
{
	loop->renewals.at = loop->renewals.after = 0;
}

Step
renewals_run(Loop *loop)
{
	ErrorData  *error;
	bool		done;

	loop->renewals.at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RENEW_CHECK_MS);
	if (!loop_begin(loop, "llava_zh: renewing leases"))
		return STEP_GONE;
	done = loop_try(loop, renew_work, NULL, &error);
	if (!done)
	{
		if (!loop->renewals.postponed)
			ereport(LOG, (errmsg("llava_zh: renewal of leases postponed: %s", error->message)));
		loop->renewals.after = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RENEW_AGAIN_MS);
		FreeErrorData(error);
	}
	loop->renewals.postponed = !done;
	loop_commit(loop);
	take_renewed(loop, CALL_HASHED, done);
	take_renewed(loop, CALL_READY, done);
	take_renewed(loop, CALL_FINISHED, done);
	return STEP_DONE;
}
