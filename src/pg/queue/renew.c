/*
 * renew.c
 *	  Leases of calls that wait for a slot, or for room to be settled, longer than
 *	  they were given.
 *
 * A row that somebody has locked is passed over, and holds up no other's renewal: its
 * lease may run out, as for one whose worker is gone.  What is renewed counts once it
 * is committed: a call that is sent on a lease that was rolled back may be
 * another's by the time it is answered.
 */
#include "postgres.h"

#include "db/db.h"
#include "loop.h"
#include "utils/builtins.h"

/* A held call's lease is renewed when this little is left of it. */
#define RENEW_BEFORE_MS (20 * 1000)

/* Leases of what is held are looked at this often. */
#define RENEW_CHECK_MS (10 * 1000)

/* Until it is tried again after some could not be renewed. */
#define RENEW_AGAIN_MS 1000

static SqlStatement sql_renew = {
	.text =
	"UPDATE @.llava_pending SET visible_at = pg_catalog.now() + $4"
	" WHERE ctid = (SELECT ctid FROM @.llava_pending"
	"  WHERE image = $1 AND task = $2 AND call = $3 AND holder IS NOT NULL"
	"  FOR UPDATE SKIP LOCKED)",
	.types = "ltlv"
};

/* In the transaction under way.  False: the row is locked, or not this call's. */
static bool
renew_call(Call *call, int64 lease_ms)
{
	Datum		values[4];

	call_fence(call, values);
	values[3] = rows_interval(lease_ms);
	if (sql_run(&sql_renew, values, NULL, 0) == 0)
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

static bool
is_this_calls(const Call *call)
{
	Datum		values[3];

	call_fence(call, values);
	return sql_run(&sql_is_claimed, values, NULL, 1) > 0;
}

static void
renew_state(Loop *loop, CallState state, bool to_be_sent)
{
	dlist_mutable_iter iter;
	TimestampTz now = GetCurrentTimestamp();

	dlist_foreach_modify(iter, &loop->calls.lists[state])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);
		int64		timeout = call->server == NULL ? 0 : call->server->options->request_timeout;
		int64		needed = to_be_sent ? timeout : RENEW_BEFORE_MS;

		if (call->lease.until >= TimestampTzPlusMilliseconds(now, needed) ||
			renew_call(call, timeout + 3 * RENEW_BEFORE_MS))
			continue;
		loop->renewals.after = TimestampTzPlusMilliseconds(now, RENEW_AGAIN_MS);
		if (to_be_sent && call->server != NULL && !is_this_calls(call))
		{
			/* another call's by now: the request is not made */
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

static void
take_renewed(Loop *loop, CallState state, bool committed)
{
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[state])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

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
		return STEP_NOTHING;
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
