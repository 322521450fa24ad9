/*
 * start.c
 *	  llava_start() and llava_stop(): a worker of this database that no setting asks for.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xlog.h"
#include "compat.h"
#include "db/db.h"
#include "fetch/fetch.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "process/process.h"
#include "queue/queue.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "utils/timestamp.h"
#include "worker.h"

/* How long each waits for another call of them, and for the worker. */
#define START_MS (10 * 1000)
#define START_LOOK_MS 10

PG_FUNCTION_INFO_V1(llava_start);
PG_FUNCTION_INFO_V1(llava_stop);

static void
rest(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 compat_wait_event_idle());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* One session starts or stops a worker at a time, so each finds what another has left. */
static void
wait_for_turn(const char *function)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), START_MS);

	while (!own_lock_try(OWN_LOCK_START, 0, false))
	{
		if (GetCurrentTimestamp() >= end)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another session has been starting or stopping a worker for too long"),
					 errdetail("It is %s.", process_words(own_lock_holder(OWN_LOCK_START, 0))),
					 errhint("End it with pg_terminate_backend, and call %s again.", function)));
		rest(START_LOOK_MS);
	}
}

static BackgroundWorkerHandle *
register_worker(int slot)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	worker_describe(&worker, get_database_name(MyDatabaseId), slot, true);
	/* nobody else restarts it after a crash of the server */
	worker.bgw_restart_time = 1;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no background worker slot is free"),
				 errhint("Raise max_worker_processes.")));
	return handle;
}

/*
 * Waits until the new worker has the slot, or another has taken it, which the next
 * llava_start finds.  A worker that ends before must not be restarted each second.
 */
static int
wait_for_worker(int slot, BackgroundWorkerHandle *handle)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), START_MS);
	pid_t		pid = 0;
	int			holder = 0;
	bool		ended;

	do
	{
		/* in this order: it may end because another has the slot */
		ended = GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
		holder = slot_holder(slot);
		if (holder != 0)
			return holder;
		rest(START_LOOK_MS);
	} while (!ended && GetCurrentTimestamp() < end);
	TerminateBackgroundWorker(handle);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not start a background worker"),
			 ended ? errdetail("It ended before it began to work.") :
			 errdetail("It had not begun to work after %d seconds.", START_MS / 1000),
			 errhint("See the server log for the reason.")));
}

/*
 * Starts a background worker for this database, or finds the one that runs.
 * Returns its pid.
 */
Datum
llava_start(PG_FUNCTION_ARGS)
{
	int			pid = slot_holder(0);

	if (pid != 0 && (!fetch_is_on() || slot_holder(FETCHER_SLOT) != 0))
		PG_RETURN_INT32(pid);
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("a standby has no workers"),
				 errhint("Call llava_start on the primary.")));
	wait_for_turn("llava_start");
	pid = slot_holder(0);
	if (pid == 0)
	{
		pid = wait_for_worker(0, register_worker(0));
		if (!flush_is_shared())
			ereport(NOTICE,
					(errmsg("llava_zh is not preloaded: per-server limits apply to each process separately"),
					 errhint("Add llava_zh to shared_preload_libraries and this database to llava_zh.databases.")));
	}
	if (fetch_is_on() && slot_holder(FETCHER_SLOT) == 0)
		(void) wait_for_worker(FETCHER_SLOT, register_worker(FETCHER_SLOT));
	/* the transaction may go on for long */
	own_lock_release(OWN_LOCK_START, 0, false);
	PG_RETURN_INT32(pid);
}

/* ---- llava_stop ---- */

/* The launcher would start a worker of llava_zh.databases again. */
static void
check_not_kept(void)
{
	char	   *database = get_database_name(MyDatabaseId);
	ListCell   *cell;

	if (!flush_is_shared())
		return;
	foreach(cell, config_databases())
		if (strcmp(lfirst(cell), database) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the workers of database \"%s\" are kept running by the setting llava_zh.databases",
						database),
				 errhint("To send no more requests, call llava_pause(server) for each server. To have no workers, take the database out of llava_zh.databases and reload the configuration.")));
}

/*
 * Sends SIGTERM to the worker and waits until it has left its slot: it settles the replies
 * that have arrived, within half a second.
 */
static void
end_worker(int slot, int pid)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), START_MS);

	if (kill(pid, SIGTERM) != 0 && errno != ESRCH)
		ereport(ERROR, (errmsg("could not send a signal to process %d: %m", pid)));
	while (slot_holder(slot) == pid || BackendPidGetProc(pid) != NULL)
	{
		if (GetCurrentTimestamp() >= end)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("worker process %d has not ended after %d seconds", pid, START_MS / 1000),
					 errdetail("It was told to end and will do so as soon as it can."),
					 errhint("llava_stat_worker and the server log say what it does.")));
		rest(START_LOOK_MS);
	}
}

/*
 * Ends the processes that llava_start() began, the fetcher's too; the postmaster does not
 * start them again.  Returns false if none runs.
 */
Datum
llava_stop(PG_FUNCTION_ARGS)
{
	static const int slots[] = {0, FETCHER_SLOT};
	bool		any = false;

	check_not_kept();
	wait_for_turn("llava_stop");
	for (int i = 0; i < lengthof(slots); i++)
	{
		int			pid = slot_holder(slots[i]);

		if (pid != 0)
			end_worker(slots[i], pid);
		any |= pid != 0;
	}
	own_lock_release(OWN_LOCK_START, 0, false);
	PG_RETURN_BOOL(any);
}
