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

#include "catalog/pg_type.h"
#include "db/db.h"
#include "loop.h"
#include "utils/array.h"

/* Ids of the calls in flight, as bigint[]. */
static ArrayType *
calls_under_way(Loop *loop)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(loop->calls.held, 1));
	int			n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[CALL_SENT])
		ids[n++] = Int64GetDatum(dlist_container(Call, node, iter.cur)->id);
	return construct_array(ids, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* Returns the rows of these calls to the queue, and records the calls as sent. */
static SqlStatement sql_give_up = {
	.text =
	"WITH held AS MATERIALIZED ("
	"  SELECT ctid FROM @.llava_pending"
	"  WHERE failure IS NULL AND holder = $1 AND call = ANY ($3) FOR UPDATE SKIP LOCKED), "
	"released AS ("
	"  UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL,"
	"    attempts = GREATEST(p.attempts - 1, 0), interruptions = p.interruptions + 1,"
	"    failure = CASE WHEN p.interruptions + 1 >= $2 THEN 'interrupted' END"
	"  FROM held WHERE p.ctid = held.ctid"
	"  RETURNING p.image, p.call, p.task) "
	"INSERT INTO @.llava_interrupted (image, call, task, sent)"
	" SELECT image, call, task, true FROM released ON CONFLICT DO NOTHING",
	.types = "iiL"
};

static void
give_up(Loop *loop, void *arg)
{
	Datum		values[3];

	values[0] = Int32GetDatum(loop->holder);
	values[1] = Int32GetDatum(MAX_INTERRUPTIONS);
	values[2] = PointerGetDatum(calls_under_way(loop));
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
	Datum		values[3];

	call_fence(call, values);
	sql_run(&sql_not_interrupted, values, NULL, 0);
}
