/*
 * worker.c
 *	  The background worker that runs the loop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "compat.h"
#include "loop.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "worker.h"

/* After an error that no one row is to blame for. */
#define ERROR_PAUSE_MS 1000

/* How often a worker looks whether the slot it waits for is free. */
#define STANDBY_MS 1000

/* Class id of the advisory lock that orders the starts of workers: 'llav'. */
#define START_LOCK 0x6c6c6176

PG_FUNCTION_INFO_V1(llava_start);

/* ---- one process a slot ---- */

static void
slot_name(char *name, size_t size, int slot)
{
	snprintf(name, size, "llava_zh worker %d", slot);
}

/* Pid of the background worker that has taken a slot of this database; 0: none. */
static int
pid_of_slot(int slot)
{
	char		name[NAMEDATALEN];
	int			backends;

	slot_name(name, sizeof(name), slot);
	pgstat_clear_backend_activity_snapshot();
	backends = pgstat_fetch_stat_numbackends();
	for (int i = 1; i <= backends; i++)
	{
		PgBackendStatus *status = compat_backend_status(i);

		if (status != NULL && status->st_procpid != MyProcPid &&
			status->st_backendType == B_BG_WORKER &&
			status->st_databaseid == MyDatabaseId &&
			strcmp(status->st_appname, name) == 0)
			return status->st_procpid;
	}
	return 0;
}

/*
 * Takes the slot by carrying its name, unless a process does already.  The lock
 * is held for this moment only: it makes looking and taking one step.
 */
static bool
take_slot(int slot)
{
	char		name[NAMEDATALEN];
	LOCKTAG		tag;
	bool		taken;

	StartTransactionCommand();
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, START_LOCK, slot, 2);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	taken = pid_of_slot(slot) == 0;
	if (taken)
	{
		slot_name(name, sizeof(name), slot);
		SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
	}
	CommitTransactionCommand();
	return taken;
}

/*
 * Another process may hold the slot: one that llava_start() began, or one that is
 * about to end.  This one is there to follow it.
 */
static void
wait_for_slot(int slot)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), "llava_zh standby %d", slot);
	SetConfigOption("application_name", name, PGC_USERSET, PGC_S_SESSION);
	while (pid_of_slot(slot) != 0 || !take_slot(slot))
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, STANDBY_MS,
						 compat_wait_event_idle());
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* ---- the background worker ---- */

void
worker_describe(BackgroundWorker *worker, const char *database, int slot)
{
	WorkerTarget target = {.slot = slot};

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
	snprintf(worker->bgw_name, BGW_MAXLEN, "llava_zh worker %d in %s", slot, database);
	strlcpy(worker->bgw_type, "llava_zh worker", BGW_MAXLEN);
}

/* Turns for ever.  An error ends a turn, not the requests in flight. */
static void
worker_loop(Loop *loop)
{
	sigjmp_buf	on_error;
	volatile bool wound_up = false;

	if (sigsetjmp(on_error, 1) != 0)
	{
		error_context_stack = NULL;
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(loop->context);
		FlushErrorState();
		RESUME_INTERRUPTS();
		pgstat_report_activity(STATE_IDLE, NULL);
		limits_recording(false);
		loop->look_at = loop->claim_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ERROR_PAUSE_MS);
		loop->settle_after = loop->look_at;
	}
	PG_exception_stack = &on_error;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
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
			loop->look_at = 0;
		}
		claim_release_holder(loop);
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

	wait_for_slot(target.slot);
	ereport(LOG, (errmsg("llava_zh: worker %d of database \"%s\" started",
						 target.slot, target.database)));

	tx_environment(true);
	loop = loop_new(target.slot, false);
	claim_release_holder(loop);
	stop_watch();
	worker_loop(loop);
}

/*
 * Starts a background worker for this database, or finds the one that runs.
 * Returns its pid.
 */
Datum
llava_start(PG_FUNCTION_ARGS)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	pid_t		pid = pid_of_slot(0);

	if (pid != 0)
		PG_RETURN_INT32(pid);
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("a standby has no workers"),
				 errhint("Call llava_start on the primary.")));
	worker_describe(&worker, get_database_name(MyDatabaseId), 0);
	/* nobody else restarts it after a crash of the server */
	worker.bgw_restart_time = 1;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no background worker slot is free"),
				 errhint("Raise max_worker_processes.")));
	if (WaitForBackgroundWorkerStartup(handle, &pid) != BGWH_STARTED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a background worker"),
				 errhint("The server's log may say why.")));
	if (!shared_is_there())
		ereport(NOTICE,
				(errmsg("llava_zh is not preloaded: limits per server hold in each process for itself"),
				 errhint("Add llava_zh to shared_preload_libraries and this database to llava_zh.databases.")));
	PG_RETURN_INT32(pid);
}
