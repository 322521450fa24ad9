/*
 * timeline.c
 *	  Makes sure that a call id of the failed server is not used again after a failover.
 *
 * A standby that lags when its primary fails has not received the calls of the last
 * seconds.  Its sequence would give out their ids again, as X-Request-Id and as keys of the
 * ledger.  A promoted server is on a new timeline, and so is one recovered from an
 * archive.  llava_timeline holds the timeline of the last claim; it is not dumped, since
 * it means nothing in another cluster.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "claim.h"
#include "compat.h"
#include "miscadmin.h"

/*
 * Call ids skipped for each new timeline.  If two standbys of one primary are promoted one
 * after the other, the second one skips twice as many, so that their ids do not overlap.
 */
#define CALLS_LEFT_OUT (INT64CONST(1) << 26)

static uint64
timeline_run(SqlStatement *statement, Datum *values)
{
	return rows_run_as_owner(extension_relation("llava_timeline"), statement, values, NULL);
}

/* Returns the timeline of the last claim in this database, or 0. */
static int64
last_timeline(SqlStatement *read)
{
	return timeline_run(read, NULL) == 0 ? 0 : DatumGetInt64(returned(0, 1));
}

static void
leave_calls_out(int64 before, int64 now)
{
	int64		first;
	int64		last;

	call_seq_skip(CALLS_LEFT_OUT * Max(now - before, 1), &first, &last);
	ereport(LOG,
			(errmsg("llava_zh: database \"%s\" is on timeline " INT64_FORMAT ", and was on "
					INT64_FORMAT " at its last claim: call ids " INT64_FORMAT " to " INT64_FORMAT " are left out",
					get_database_name(MyDatabaseId), now, before, first, last),
			 errdetail("Requests sent under some of these ids before the failover are not recorded in this database.")));
}

static SqlStatement sql_timeline = {
	.text =
	"SELECT timeline FROM @.llava_timeline",
	.types = ""
};

static SqlStatement sql_timeline_lock = {
	.text =
	"SELECT timeline FROM @.llava_timeline FOR UPDATE",
	.types = ""
};

static SqlStatement sql_timeline_set = {
	.text =
	"INSERT INTO @.llava_timeline (timeline) VALUES ($1)"
	" ON CONFLICT (only_row) DO UPDATE SET timeline = EXCLUDED.timeline",
	.types = "l"
};

void
timeline_check(Loop *loop)
{
	int64		now = GetWALInsertionTimeLine();
	int64		before;
	Datum		values[1] = {Int64GetDatum(now)};

	if (loop->timeline_is_known)
		return;
	if (last_timeline(&sql_timeline) != now)
	{
		/* another worker may be about to do the same */
		before = last_timeline(&sql_timeline_lock);
		if (before != 0 && before != now)
			leave_calls_out(before, now);
		if (before != now)
			timeline_run(&sql_timeline_set, values);
	}
	loop->timeline_is_known = true;
}
