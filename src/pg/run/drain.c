/*
 * drain.c
 *	  CALL llava_drain: the worker's loop in the caller's session.
 */
#include "postgres.h"

#include "db/db.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "queue/queue.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* At least this often the drain looks whether anything is left. */
#define MAX_WAIT_MS 1000

PG_FUNCTION_INFO_V1(llava_drain);

/* The canonical name of a task, in the current context. */
static char *
task_argument(const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *found;

	rows_spi_connect();
	found = MemoryContextStrdup(caller, task_find(name)->name);
	SPI_finish();
	return found;
}

static TimestampTz
end_argument(Datum max_time)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
															  TimestampTzGetDatum(now),
															  max_time));

	if (end < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_time %s is negative",
						DatumGetCString(DirectFunctionCall1(interval_out, max_time))),
				 errhint("The argument max_time is how long new requests are made, such as '10 minutes'; requests in flight are then waited for.")));
	return end;
}

static void
drain_arguments(FunctionCallInfo fcinfo, Loop *loop, TimestampTz *end)
{
	int64		limit = PG_ARGISNULL(0) ? -1 : PG_GETARG_INT64(0);
	const char *task = PG_ARGISNULL(1) ? NULL : task_argument(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	const char *server = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	if (!PG_ARGISNULL(0) && limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit " INT64_FORMAT " is negative", limit),
				 errhint("The argument limit is the most requests that are made; without it all waiting rows are processed.")));
	if (server != NULL)
		(void) server_named(server);
	loop_set_scope(loop, limit, task, server);
	*end = PG_ARGISNULL(3) ? DT_NOEND : end_argument(PG_GETARG_DATUM(3));
}

static void
drain(Loop *loop, TimestampTz end)
{
	uint64		accepted;
	uint64		failed;

	holders_release(loop);
	while (!loop_is_over(loop))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		holders_keep();

		/* no new requests; those in flight are waited for */
		if (left == 0)
		{
			loop_claim_no_more(loop);
			if (loop_is_over(loop))
				break;
		}
		loop_turn(loop, left == 0 ? MAX_WAIT_MS : Min(left, MAX_WAIT_MS));
	}
	loop_finish(loop);
	loop_counts(loop, &accepted, &failed);
	ereport(NOTICE,
			(errmsg("llava_drain: " UINT64_FORMAT " samples, " UINT64_FORMAT " failed",
					accepted, failed)));
}

/*
 * The worker's loop in this session.  Between its transactions the session holds
 * neither snapshot nor transaction id.
 */
Datum
llava_drain(PG_FUNCTION_ARGS)
{
	Loop	   *volatile loop = NULL;
	TimestampTz end;

	rows_check_call(fcinfo, "llava_drain");
	extension_schema_required();
	extension_version_required();
	rows_spi_connect_committing();
	tx_enter_procedure("llava_drain");
	PG_TRY();
	{
		holders_begin();
		loop = loop_new(-MyProcPid, true);
		drain_arguments(fcinfo, loop, &end);
		drain(loop, end);
	}
	PG_FINALLY();
	{
		if (loop != NULL)
			loop_free(loop);
		holders_end();
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_VOID();
}
