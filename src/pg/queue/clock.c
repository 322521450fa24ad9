/*
 * clock.c
 *	  Recovers after the machine's clock was set back.
 *
 * The queue's order, back-off and leases are wall-clock times, and so are the timers of the
 * loop's stages.  After the clock is set back by an hour all of them would wait an
 * hour longer.  So a loop that notices the change resets its timers, and rows whose
 * visible_at is further ahead than any back-off or lease allows become due.
 */
#include "postgres.h"

#include "claim.h"

/* Makes everything due that the loop put off until some wall-clock time. */
static void
forget_times(Loop *loop)
{
	claims_hurry(loop);
	copies_hurry(loop);
	settles_hurry(loop);
	renewals_hurry(loop);
	summaries_hurry(loop);
	servers_hurry(loop);
}

void
clock_look(Loop *loop)
{
	int64		step = clock_step_ms();

	if (step >= 0)
		return;
	ereport(loop->tx.in_procedure ? NOTICE : LOG,
			(errmsg("llava_zh: the clock was set back by " INT64_FORMAT " s", (500 - step) / 1000)));
	forget_times(loop);
}

/* Slots of this database that have a worker, as bigint[]. */
static Datum
live_slots(void)
{
	Datum		slots[MAX_WORKERS];
	int			n = 0;

	for (int i = 0; i < MAX_WORKERS; i++)
		if (slot_holder(i) != 0)
			slots[n++] = Int64GetDatum(i);
	return loop_bigints(slots, n);
}

/* $1: longest possible wait.  $2: slots of live workers, which renew their own leases. */
static SqlStatement sql_bring_back = {
	.text =
	QUEUE_GROUPS ", far AS MATERIALIZED ("
	"  SELECT p.ctid, p.image, p.task, p.call, p.holder FROM g JOIN @.llava_pending p ON " ROW_OF_GROUP
	"  WHERE p.visible_at > pg_catalog.now() + $1"
	"   AND (p.holder IS NULL OR CASE WHEN p.holder < 0 THEN -p.holder NOT IN"
	"     (SELECT pid FROM pg_catalog.pg_stat_get_activity(NULL) WHERE pid IS NOT NULL)"
	"    ELSE p.holder <> ALL ($2) END)"
	"  LIMIT 1000 FOR UPDATE OF p SKIP LOCKED), "
	"interrupted AS (INSERT INTO @.llava_interrupted (image, call, task)"
	"  SELECT image, call, task FROM far WHERE holder IS NOT NULL ON CONFLICT DO NOTHING) "
	"UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL,"
	"  attempts = GREATEST(p.attempts - (far.holder IS NOT NULL)::integer, 0),"
	"  interruptions = p.interruptions + (far.holder IS NOT NULL)::integer"
	" FROM far WHERE p.ctid = far.ctid",
	.types = "vL"
};

void
clock_bring_back(Loop *loop)
{
	int64		longest = Max(servers_longest_lease(loop), (int64) llava_retry_delay_max);
	Datum		values[] = {rows_interval(longest), live_slots()};
	uint64		n = sql_run(&sql_bring_back, values, NULL, 0);

	/* one message, however many batches of 1000 it takes */
	if (n > 0 && !loop->far_ahead)
		ereport(loop->tx.in_procedure ? NOTICE : LOG,
				(errmsg("llava_zh: rows of the queue were to wait for longer than " INT64_FORMAT " s, and are due now",
						longest / 1000),
				 errdetail("No back-off and no lease lasts that long. The clock was set back, or visible_at was set by hand.")));
	loop->far_ahead = n > 0;
}
