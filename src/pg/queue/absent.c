/*
 * absent.c
 *	  See absent.h.
 *
 * The queue may be complete while its pictures are still being restored or replicated.
 * A claim sets such a row's failure to no_picture: the row gets no call id, uses up no
 * attempt, and llava_progress counts it as waiting.
 */
#include "postgres.h"

#include "absent.h"
#include "db/db.h"
#include "executor/spi.h"
#include "loop.h"
#include "utils/array.h"

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
	Datum		values[1] = {PointerGetDatum(tasks)};
	bool		isnull;

	sql_run(&sql_absent_count, values, NULL, 0);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
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
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[1] = {PointerGetDatum(tasks)};

	if (now < loop->absent.look_at)
		return;
	if (sql_run(&sql_absent_release, values, NULL, 0) > 0)
		claim_reset_cursor(loop, DT_NOBEGIN);
	loop->absent.rows = count_waiting(tasks);
	absent_say(loop);
	loop->absent.look_at = Max(TimestampTzPlusMilliseconds(now, llava_naptime),
							   now + LOOK_SHARE * (GetCurrentTimestamp() - now));
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

void
absent_hurry(Loop *loop)
{
	loop->absent.look_at = 0;
}
