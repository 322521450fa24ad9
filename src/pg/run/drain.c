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

/* Whether anything is left is looked at this often at least. */
#define MAX_WAIT_MS 1000

PG_FUNCTION_INFO_V1(llava_drain);

/* The canonical name of a task, in memory that outlives the transactions. */
static char *
task_argument(Loop *loop, const char *name)
{
	char	   *found;

	rows_spi_connect();
	found = MemoryContextStrdup(loop->context, task_find(name)->name);
	SPI_finish();
	return found;
}

static int64
limit_argument(int64 limit)
{
	if (limit < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("limit " INT64_FORMAT " is negative", limit),
				 errhint("limit is how many requests are made at most; without it all that waits is asked about.")));
	return limit;
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
				 errhint("max_time is how long new requests are made, as '10 minutes'; what is in flight then is waited for.")));
	return end;
}

static void
drain_arguments(FunctionCallInfo fcinfo, Loop *loop, TimestampTz *end)
{
	if (!PG_ARGISNULL(0))
		loop->limit = limit_argument(PG_GETARG_INT64(0));
	if (!PG_ARGISNULL(1))
		loop->only_task = task_argument(loop, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (!PG_ARGISNULL(2))
	{
		char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(2));

		(void) server_named(name);
		loop->only_server = MemoryContextStrdup(loop->context, name);
	}
	*end = PG_ARGISNULL(3) ? DT_NOEND : end_argument(PG_GETARG_DATUM(3));
}

/* Why a drain ended although rows wait, as a NOTICE; nothing if none do. */
static void
report_pauses(Loop *loop)
{
	dlist_iter	iter;

	if (dlist_is_empty(&loop->servers))
		ereport(NOTICE,
				(errmsg("no server can be asked"),
				 errhint("CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:8000/v1', model '...');")));
	if (loop->files_away_until > GetCurrentTimestamp())
		ereport(NOTICE,
				(errmsg("the directory of pictures, llava_zh.image_directory, cannot be opened"),
				 errdetail("The rows whose pictures are in files wait.")));
	if (loop->absent.rows > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " rows wait for pictures that are not in llava_image",
						loop->absent.rows)));
	dlist_foreach(iter, &loop->servers)
	{
		ServerState *server = dlist_container(ServerState, node, iter.cur);
		Pause		pause;

		limits_pause_now(server->limits, &pause);
		if (pause.reason[0] != '\0')
			ereport(NOTICE,
					(errmsg("server \"%s\" is paused (%s): %s", server->options->name,
							pause.reason, settle_clean_text(pause.detail))));
	}
}

/* Nothing is left that this drain may or can ask about. */
static bool
drain_is_over(Loop *loop, TimestampTz end)
{
	if (loop->held > 0)
		return false;
	if (loop->limit == 0 || GetCurrentTimestamp() >= end)
		return true;
	if (!loop->looked)
		return false;
	return loop->files_away_until > GetCurrentTimestamp() || !servers_any_usable(loop) ||
		restore_has_no_end(loop) ||
		(loop->queue_dry && loop->next_due == DT_NOEND);
}

static void
drain(Loop *loop, TimestampTz end)
{
	holders_release(loop);
	while (!drain_is_over(loop, end))
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		holders_keep();

		if (left == 0)
		{
			/* nothing new; what is in flight is waited for */
			loop->limit = 0;
			dispatch_unsent(loop);
		}
		loop_turn(loop, left == 0 ? MAX_WAIT_MS : Min(left, MAX_WAIT_MS));
	}
	if (summarise_due(loop) != DT_NOEND)
		summarise(loop);
	servers_refresh(loop);
	report_pauses(loop);
	ereport(NOTICE,
			(errmsg("llava_drain: " UINT64_FORMAT " samples, " UINT64_FORMAT " failed",
					loop->accepted, loop->failed)));
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
