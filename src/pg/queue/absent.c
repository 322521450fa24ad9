/*
 * absent.c
 *	  Handles rows whose picture is missing, and reports pictures that were never queued.
 *
 * The queue may be complete while its pictures are still being restored or replicated.
 * A claim sets such a row's failure to no_picture: the row gets no call id, uses up no
 * attempt, and llava_progress counts it as waiting until the picture has arrived.
 *
 * Conversely, a picture may have been inserted while triggers were off, as logical
 * replication and session_replication_role do it.  No trigger has taken it in, so it has no
 * sha256 and no row in the queue.
 */
#include "postgres.h"

#include "claim.h"

/* The check for arrived pictures may take at most this fraction (1/n) of the time. */
#define LOOK_SHARE 100

/* Logs once that rows wait; again only after no row waited for a while. */
static void
absent_say(Loop *loop)
{
	AbsentPictures *absent = &loop->absent;
	bool		was_said = absent->said;

	absent->said = absent->rows > 0;
	snprintf(absent->activity, sizeof(absent->activity),
			 "llava_zh: " INT64_FORMAT " rows wait for pictures that are not in llava_image",
			 absent->rows);
	/* llava_drain reports this in loop_finish instead */
	if (absent->said && !was_said && !loop->tx.in_procedure)
		ereport(LOG, (errmsg("%s", absent->activity)));
}

static SqlStatement sql_absent_count = {
	.text =
	"SELECT pg_catalog.count(*) FROM @.llava_pending"
	" WHERE failure = 'no_picture' AND task = ANY ($1)",
	.types = "T"
};

static int64
count_waiting(ArrayType *tasks)
{
	Datum		values[] = {PointerGetDatum(tasks)};

	sql_run(&sql_absent_count, values, NULL, 0);
	return DatumGetInt64(returned(0, 1));
}

static SqlStatement sql_absent_release = {
	.text =
	"WITH here AS MATERIALIZED ("
	"  SELECT p.ctid FROM @.llava_pending p"
	"  WHERE p.failure = 'no_picture' AND p.task = ANY ($1)"
	"    AND EXISTS (SELECT FROM @.llava_image i WHERE i.id = p.image)"
	"  LIMIT 10000 FOR UPDATE SKIP LOCKED) "
	"UPDATE @.llava_pending p SET failure = NULL, detail = NULL, visible_at = pg_catalog.now()"
	" FROM here WHERE p.ctid = here.ctid",
	.types = "T"
};

void
absent_release(Loop *loop, ArrayType *tasks)
{
	int64		now_ms = clock_monotonic_ms();
	Datum		values[] = {PointerGetDatum(tasks)};

	if (now_ms < loop->absent.look_ms)
		return;
	if (sql_run(&sql_absent_release, values, NULL, 0) > 0)
		claim_reset_cursor(loop, DT_NOBEGIN);
	loop->absent.rows = count_waiting(tasks);
	absent_say(loop);
	loop->absent.look_ms = now_ms + Max(llava_naptime,
										LOOK_SHARE * (clock_monotonic_ms() - now_ms));
}

void
absent_note(Loop *loop, uint64 rows)
{
	loop->absent.rows += (int64) rows;
}

const char *
absent_activity(const Loop *loop)
{
	return loop->absent.said && loop->calls.held == 0 ? loop->absent.activity : NULL;
}

/* At most this many pictures that no trigger has taken in are counted. */
#define UNTAKEN_COUNTED 1000

static SqlStatement sql_not_taken_in = {
	.text =
	"SELECT pg_catalog.count(*) FROM"
	" (SELECT FROM @.llava_image WHERE received_at IS NULL LIMIT 1000) n",
	.types = ""
};

void
untaken_look(Loop *loop)
{
	int64		n;

	sql_run(&sql_not_taken_in, NULL, NULL, 0);
	n = DatumGetInt64(returned(0, 1));
	if (n > 0 && !loop->absent.untaken_said)
		ereport(loop->tx.in_procedure ? NOTICE : LOG,
				(errmsg("llava_zh: pictures that were inserted while triggers were off are not queued: "
						INT64_FORMAT "%s", n, n >= UNTAKEN_COUNTED ? " or more" : ""),
				 errhint(UNTAKEN_HINT)));
	loop->absent.untaken_said = n > 0;
}
