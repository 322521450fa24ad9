/*
 * activity.c
 *	  What the processes of this database are doing, as llava_stat_worker shows it.
 *
 * pg_stat_activity shows it only to roles that may read all statistics.  We may show what
 * a worker does, and that a session drains, but not what other sessions do, nor the query
 * of one that drains.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "compat.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "process/process.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Columns of llava_process_activity */
enum
{
	COLUMN_PID,
	COLUMN_WORKER,
	COLUMN_STATE,
	COLUMN_WAIT_EVENT,
	COLUMN_ACTIVITY,
	COLUMN_SINCE,
	COLUMNS
};

PG_FUNCTION_INFO_V1(llava_process_activity);

static bool
is_worker(const PgBackendStatus *status)
{
	const char *type;

	if (status->st_backendType != B_BG_WORKER)
		return false;
	type = GetBackgroundWorkerTypeByPid(status->st_procpid);
	return type != NULL && (strcmp(type, WORKER_TYPE) == 0 || strcmp(type, FETCHER_TYPE) == 0);
}

/* Whether pg_stat_activity would show the caller everything about the process. */
static bool
may_see_all(const PgBackendStatus *status)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) ||
		has_privs_of_role(GetUserId(), status->st_userid);
}

/* The name in pg_stat_activity; NULL if the process does not report its state. */
static const char *
activity_state_name(BackendState state)
{
	switch (state)
	{
		case STATE_IDLE:
			return "idle";
		case STATE_RUNNING:
			return "active";
		case STATE_IDLEINTRANSACTION:
			return "idle in transaction";
		case STATE_IDLEINTRANSACTION_ABORTED:
			return "idle in transaction (aborted)";
		case STATE_FASTPATH:
			return "fastpath function call";
		case STATE_DISABLED:
			return "disabled";
		default:
			return NULL;
	}
}

static const char *
wait_event(int pid)
{
	PGPROC	   *proc = BackendPidGetProc(pid);

	return proc == NULL ? NULL :
		pgstat_get_wait_event(*(volatile uint32 *) &proc->wait_event_info);
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;

	if (text !=NULL)
		values[column] = CStringGetTextDatum(text);
}

/* What the process does and since when, with its query if the caller may see it. */
static void
put_activity(Datum *values, bool *nulls, const PgBackendStatus *status, bool words)
{
	put_text(values, nulls, COLUMN_STATE, activity_state_name(status->st_state));
	put_text(values, nulls, COLUMN_WAIT_EVENT, wait_event(status->st_procpid));
	put_text(values, nulls, COLUMN_ACTIVITY,
			 words ? pgstat_clip_activity(status->st_activity_raw) : NULL);
	values[COLUMN_SINCE] = TimestampTzGetDatum(status->st_state_start_timestamp);
	nulls[COLUMN_SINCE] = status->st_state_start_timestamp == 0;
}

static void
put_process(ReturnSetInfo *result, const PgBackendStatus *status)
{
	bool		worker = is_worker(status);
	bool		words = worker || may_see_all(status);
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false, false, true, true, true, true};

	values[COLUMN_PID] = Int32GetDatum(status->st_procpid);
	values[COLUMN_WORKER] = BoolGetDatum(worker);
	if (words || meter_has(status->st_procpid))
		put_activity(values, nulls, status, words);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * llava_process_activity(): a row for each process of this database, as many as
 * pg_stat_activity lists; whether it is a worker of ours, and what it does.
 */
Datum
llava_process_activity(PG_FUNCTION_ARGS)
{
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= n; i++)
	{
		const PgBackendStatus *status = compat_backend_status(i);

		if (status != NULL && status->st_procpid > 0 && status->st_databaseid == MyDatabaseId)
			put_process((ReturnSetInfo *) fcinfo->resultinfo, status);
	}
	return (Datum) 0;
}
