/*
 * worker.c
 *	  The background worker that runs the loop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "compat.h"
#include "db/db.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "process/process.h"
#include "queue/queue.h"
#include "run.h"
#include "server/server.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker.h"

/* The pause after an error that no single row caused. */
#define ERROR_PAUSE_MS 1000

/* How often a worker looks whether the slot it waits for is free. */
#define STANDBY_MS 1000

/* After this long, a worker reports which process has its slot. */
#define SAY_STANDBY_MS (5 * 1000)

/* How long llava_start waits for another call of it, and for its worker. */
#define START_MS (10 * 1000)
#define START_LOOK_MS 10

PG_FUNCTION_INFO_V1(llava_start);

static void
rest(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms,
					 compat_wait_event_idle());
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* ---- one process a slot ---- */

/* For people who read pg_stat_activity; nothing in the extension reads it. */
static void
show_name(const char *what, int slot)
{
	char		name[NAMEDATALEN];

	if (slot == FETCHER_SLOT)
		snprintf(name, sizeof(name), "llava_zh %s", strcmp(what, "worker") == 0 ? "fetcher" : "fetcher standby");
	else
		snprintf(name, sizeof(name), "llava_zh %s %d", what, slot);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
}

/* Reports in the log and in pg_stat_activity which process has the slot. */
static void
say_standing_by(int slot, const char *database)
{
	char		words[128];
	char	   *who;

	StartTransactionCommand();
	who = process_words(slot_holder(slot));
	snprintf(words, sizeof(words), "llava_zh: standing by for %s", who);
	ereport(LOG,
			(errmsg("llava_zh: worker %d of database \"%s\" stands by for %s", slot, database, who)));
	CommitTransactionCommand();
	pgstat_report_activity(STATE_IDLE, words);
}

/*
 * Another process may have the slot: one that llava_start() began, or one that is about to
 * end.  This one waits to take its place.
 */
static void
worker_wait_for_slot(int slot, const char *database)
{
	TimestampTz say_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SAY_STANDBY_MS);

	show_name("standby", slot);
	while (!slot_take(slot))
	{
		if (GetCurrentTimestamp() >= say_at)
		{
			say_standing_by(slot, database);
			say_at = DT_NOEND;
		}
		rest(STANDBY_MS);
	}
}

/*
 * The postmaster restarts a worker that ends with a status other than 0.  One that
 * llava_start() began is not needed if another has the slot, so it ends with 0.
 */
static void
worker_take_slot(const WorkerTarget *target)
{
	if (target->or_nobody && !slot_take(target->slot))
	{
		ereport(LOG,
				(errmsg("llava_zh: worker %d of database \"%s\" ends: process %d has its slot",
						target->slot, target->database, slot_holder(target->slot))));
		proc_exit(0);
	}
	if (!target->or_nobody)
		worker_wait_for_slot(target->slot, target->database);
	show_name("worker", target->slot);
	pgstat_report_activity(STATE_IDLE, "");
	ereport(LOG, (errmsg("llava_zh: worker %d of database \"%s\" started",
						 target->slot, target->database)));
}

/* ---- the background worker ---- */

void
worker_describe(BackgroundWorker *worker, const char *database, int slot, bool or_nobody)
{
	WorkerTarget target = {.slot = slot,.or_nobody = or_nobody};

	memset(worker, 0, sizeof(*worker));
	strlcpy(target.database, database, sizeof(target.database));
	memcpy(worker->bgw_extra, &target, sizeof(target));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION |
		COMPAT_BGWORKER_INTERRUPTIBLE;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	worker->bgw_notify_pid = MyProcPid;
	strlcpy(worker->bgw_library_name, "llava_zh", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, "llava_worker_main", sizeof(worker->bgw_function_name));
	if (slot == FETCHER_SLOT)
		snprintf(worker->bgw_name, BGW_MAXLEN, "llava_zh fetcher in %s", database);
	else
		snprintf(worker->bgw_name, BGW_MAXLEN, "llava_zh worker %d in %s", slot, database);
	strlcpy(worker->bgw_type, slot == FETCHER_SLOT ? FETCHER_TYPE : WORKER_TYPE, BGW_MAXLEN);
}

/* Turns the loop for ever.  An error ends a turn, not the requests in flight. */
static void
worker_loop(Loop *loop, int slot)
{
	sigjmp_buf	on_error;
	volatile bool wound_up = false;

	if (sigsetjmp(on_error, 1) != 0)
	{
		error_context_stack = NULL;
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(TopMemoryContext);
		FlushErrorState();
		RESUME_INTERRUPTS();
		pgstat_report_activity(STATE_IDLE, NULL);
		limits_recording(false);
		loop_rest(loop, ERROR_PAUSE_MS);
	}
	PG_exception_stack = &on_error;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		slot_keep(slot);
		if (stop_wanted() && !wound_up)
		{
			wound_up = true;
			loop_wind_up(loop);
		}
		if (stop_wanted())
			stop_now();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			loop_look_soon(loop);
		}
		holders_release(loop);
		loop_turn(loop, llava_naptime);
	}
}

void
llava_worker_main(Datum arg)
{
	WorkerTarget target;
	Loop	   *loop;

	memcpy(&target, MyBgworkerEntry->bgw_extra, sizeof(target));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(target.database, NULL, 0);
	pgstat_report_activity(STATE_IDLE, NULL);

	/* first: what the database's owner has set holds until then */
	tx_environment(true);
	worker_take_slot(&target);
	if (target.slot == FETCHER_SLOT)
		worker_fetch(target.slot);
	loop = loop_new(target.slot, false);
	holders_release(loop);
	stop_watch();
	worker_loop(loop, target.slot);
}

/* ---- llava_start ---- */

/* One session starts a worker at a time, so each finds the one that another has started. */
static void
wait_for_turn(void)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), START_MS);

	while (!own_lock_try(OWN_LOCK_START, 0, false))
	{
		if (GetCurrentTimestamp() >= end)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("another session has been starting a worker for too long"),
					 errdetail("It is %s.", process_words(own_lock_holder(OWN_LOCK_START, 0))),
					 errhint("End it with pg_terminate_backend, and call llava_start again.")));
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
	wait_for_turn();
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
