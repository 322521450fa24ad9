/*
 * worker.c
 *	  The background worker that runs the loop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/extension.h"
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
#include "storage/procarray.h"
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

/* How often a worker of llava_start() looks whether its extension is still there. */
#define EXTENSION_LOOK_MS 500

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
 * ---- the end of a worker that llava_start() began ----
 *
 * The postmaster starts it again one second after it ends with a status other than 0.  That
 * is right after a crash of the server or where connections are short, and wrong where
 * somebody has ended it, where another has its slot, or where its database or its extension
 * is gone: such an end has status 0, and the postmaster forgets the worker.
 */

/* The SQLSTATE of the message reported last: at an exit after FATAL, its own. */
static int	last_sqlstate;

static void
note_sqlstate(void *arg)
{
	last_sqlstate = geterrcode();
}

static ErrorContextCallback sqlstate_watch = {.callback = note_sqlstate};

/* on_proc_exit callback.  proc_exit may be called again in one, and goes on with the rest. */
static void
end_for_good(int code, Datum arg)
{
	switch (last_sqlstate)
	{
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_UNDEFINED_DATABASE:
		case ERRCODE_OBJECT_IN_USE: /* slot_keep */
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:	/* tx_begin: the tables
														 * are others */
			if (code != 0)
				proc_exit(0);
			break;
		default:
			break;
	}
}

/* Whether a process of this pid runs; one that has ended commits nothing any more. */
static bool
process_lives(int pid)
{
	return pid != 0 && BackendPidGetProc(pid) != NULL;
}

void
worker_watch_errors(void)
{
	error_context_stack = &sqlstate_watch;
}

/* One that it has not seen yet may have been created by the transaction that called llava_start(). */
void
worker_end_without_extension(const WorkerTarget *target)
{
	static TimestampTz look_at;
	static Oid	seen;
	Oid			now;

	if (!target->or_nobody || GetCurrentTimestamp() < look_at)
		return;
	look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), EXTENSION_LOOK_MS);
	StartTransactionCommand();
	now = get_extension_oid("llava_zh", true);
	CommitTransactionCommand();
	if (OidIsValid(now) && (!OidIsValid(seen) || now == seen))
		seen = now;
	else if (OidIsValid(seen) || !process_lives(MyBgworkerEntry->bgw_notify_pid))
	{
		ereport(LOG,
				(errmsg("llava_zh: worker %d of database \"%s\" ends: the extension was dropped",
						target->slot, target->database)));
		proc_exit(0);
	}
}

long
worker_naptime(const WorkerTarget *target)
{
	return target->or_nobody ? Min(llava_naptime, EXTENSION_LOOK_MS) : llava_naptime;
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

/* A worker that llava_start() began is not needed where another has the slot. */
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
worker_loop(Loop *loop, const WorkerTarget *target)
{
	long		naptime;
	sigjmp_buf	on_error;
	volatile bool wound_up = false;

	if (sigsetjmp(on_error, 1) != 0)
	{
		worker_watch_errors();
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
		slot_keep(target->slot);
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
		worker_end_without_extension(target);
		holders_release(loop);
		naptime = worker_naptime(target);
		loop_turn(loop, naptime);
	}
}

void
llava_worker_main(Datum arg)
{
	WorkerTarget target;
	Loop	   *loop;

	memcpy(&target, MyBgworkerEntry->bgw_extra, sizeof(target));
	worker_watch_errors();
	if (target.or_nobody)
		on_proc_exit(end_for_good, (Datum) 0);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(target.database, NULL, 0);
	pgstat_report_activity(STATE_IDLE, NULL);

	/* first: what the database's owner has set holds until then */
	tx_environment(true);
	worker_take_slot(&target);
	if (target.slot == FETCHER_SLOT)
		worker_fetch(&target);
	loop = loop_new(target.slot, false);
	holders_release(loop);
	stop_watch();
	worker_loop(loop, &target);
}
