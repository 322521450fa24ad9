/*
 * interrupted.c
 *	  Records calls whose process ends before they are settled (llava_interrupted).
 *
 * A worker that is told to end gives unsent rows back to the queue, and records here the
 * requests in flight: they may be billed although no reply is stored.  If a worker is
 * killed, the next claim of the row or holders.c records the call; whether it was sent is
 * not known then.
 */
#include "postgres.h"

#include "loop.h"

/* Returns the rows of calls in flight to the queue, and records the calls as sent. */
static SqlStatement sql_give_up = {
	.text =
	"WITH held AS MATERIALIZED ("
	"  SELECT ctid FROM @.llava_pending"
	"  WHERE failure IS NULL AND holder = $1 AND call = ANY ($3) FOR UPDATE SKIP LOCKED), "
	RELEASE_HELD
	"INSERT INTO @.llava_interrupted (image, call, task, sent)"
	" SELECT image, call, task, true FROM released ON CONFLICT DO NOTHING",
	.types = "iiL"
};

static void
give_up(Loop *loop, void *arg)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(loop->calls.held, 1));
	Datum		values[3] = {Int32GetDatum(loop->holder), Int32GetDatum(MAX_INTERRUPTIONS)};
	int			n = 0;

	foreach_call(call, loop, CALL_SENT)
	{
		ids[n++] = Int64GetDatum(call->id);
	}
	values[2] = loop_bigints(ids, n);
	sql_run(&sql_give_up, values, NULL, 0);
}

void
interrupted_give_up(Loop *loop)
{
	ErrorData  *error;

	if (dlist_is_empty(&loop->calls.lists[CALL_SENT]) ||
		!loop_begin(loop, "llava_zh: giving up what is in flight"))
		return;
	if (!loop_try(loop, give_up, NULL, &error))
	{
		ereport(LOG,
				(errmsg("llava_zh: requests in flight are left to the next worker: %s",
						error->message)));
		FreeErrorData(error);
	}
	loop_commit(loop);
}

static SqlStatement sql_not_interrupted = {
	.text =
	"DELETE FROM @.llava_interrupted WHERE image = $1 AND call = $3 AND task = $2",
	.types = "ltl"
};

void
interrupted_not(const Call *call)
{
	call_run(call, &sql_not_interrupted, NULL, 0);
}
