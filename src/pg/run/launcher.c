/*
 * launcher.c
 *	  One process of the cluster, without a database, that keeps the workers of
 *	  llava_zh.databases running.
 *
 * A worker that ends is started again: soon if it lived for a while, else after a pause
 * that doubles, so that a database that does not exist costs no more than a process every
 * five minutes.  A reload of the settings ends the pauses.  If no background worker slot
 * is free for a worker, it is tried again as soon as another one ends, and periodically;
 * llava_stat_worker of its database says so.
 *
 * It ends its workers when it ends, since the next launcher could not know them.  It also
 * flushes the log for them (flush.c).
 */
#include "postgres.h"

#include "compat.h"
#include "db/db.h"
#include "fetch/fetch.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "postmaster/interrupt.h"
#include "process/process.h"
#include "run.h"
#include "server/server.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"
#include "worker.h"

#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS (5 * 60 * 1000)

/*
 * The pause while no slot is free: parallel queries of any role may hold them all, but not
 * for long.
 */
#define NO_ROOM_MS 2000

/* A worker that lived this long did not fail to start. */
#define HEALTHY_MS (5 * 1000)

typedef struct Slot
{
	dlist_node	node;
	WorkerTarget target;
	BackgroundWorkerHandle *handle; /* NULL: not running */
	TimestampTz started_at;
	TimestampTz start_at;		/* not before */
	TimestampTz say_no_room_at; /* not before */
	bool		no_room;		/* no background worker slot was free */
	int64		pause_ms;
	bool		wanted;
} Slot;

static dlist_head slots = DLIST_STATIC_INIT(slots);

PG_FUNCTION_INFO_V1(llava_missing_workers);

/*
 * ---- workers that could not be started, for llava_stat_worker of their databases: a table
 * in shared memory, which only the launcher writes ----
 */

/* Workers beyond this number are only reported in the log. */
#define MAX_VACANCIES 256
#define VACANCIES_SIZE (MAX_VACANCIES * sizeof(Vacancy))

typedef struct Vacancy
{
	WorkerTarget target;		/* an empty database: free */
	char		why[160];
	TimestampTz since;
} Vacancy;

static Vacancy *vacancies;		/* MAX_VACANCIES, or NULL */

const SharedPart vacancies_shared = {
	"llava_zh vacancies", VACANCIES_SIZE, NULL, (void **) &vacancies, NULL
};

/* The entry of a worker, else a free one; NULL if there is neither. */
static Vacancy *
vacancies_find(const WorkerTarget *target)
{
	Vacancy    *vacant = NULL;

	for (int i = 0; i < MAX_VACANCIES; i++)
	{
		Vacancy    *entry = &vacancies[i];

		if (entry->target.database[0] == '\0')
			vacant = vacant != NULL ? vacant : entry;
		else if (entry->target.slot == target->slot &&
				 strcmp(entry->target.database, target->database) == 0)
			return entry;
	}
	return vacant;
}

/* Records that this worker does not run, and why; NULL: clears the record. */
static void
vacancies_tell(const WorkerTarget *target, const char *why)
{
	Vacancy    *entry;

	LWLockAcquire(shared_lock(SHARED_LOCK_SLOTS), LW_EXCLUSIVE);
	entry = vacancies_find(target);
	if (entry != NULL && why == NULL)
		memset(entry, 0, sizeof(*entry));
	else if (entry != NULL)
	{
		if (entry->target.database[0] == '\0')
			entry->since = GetCurrentTimestamp();
		entry->target = *target;
		strlcpy(entry->why, why, sizeof(entry->why));
	}
	LWLockRelease(shared_lock(SHARED_LOCK_SLOTS));
}

static void
vacancies_forget(void)
{
	LWLockAcquire(shared_lock(SHARED_LOCK_SLOTS), LW_EXCLUSIVE);
	memset(vacancies, 0, VACANCIES_SIZE);
	LWLockRelease(shared_lock(SHARED_LOCK_SLOTS));
}

/* ---- workers ---- */

void
launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	/* connected to no database, so that pg_stat_activity shows the launcher */
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "llava_zh", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "llava_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "llava_zh launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "llava_zh launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

static Slot *
find_slot(const char *database, int number)
{
	dlist_iter	iter;

	dlist_foreach(iter, &slots)
	{
		Slot	   *slot = dlist_container(Slot, node, iter.cur);

		if (slot->target.slot == number && strcmp(slot->target.database, database) == 0)
			return slot;
	}
	return NULL;
}

static void
want_slot(const char *database, int number)
{
	Slot	   *slot = find_slot(database, number);

	if (slot == NULL)
	{
		slot = MemoryContextAllocZero(TopMemoryContext, sizeof(Slot));
		strlcpy(slot->target.database, database, sizeof(slot->target.database));
		slot->target.slot = number;
		dlist_push_tail(&slots, &slot->node);
	}
	slot->wanted = true;
	slot->pause_ms = FIRST_PAUSE_MS;
	slot->start_at = 0;
}

/* Reads the settings into the list of slots; pauses are over. */
static void
read_settings(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "llava_zh databases",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	ListCell   *cell;
	dlist_iter	iter;

	dlist_foreach(iter, &slots)
		dlist_container(Slot, node, iter.cur)->wanted = false;
	foreach(cell, config_databases())
	{
		for (int i = 0; i < llava_workers; i++)
			want_slot(lfirst(cell), i);
		if (fetch_is_on())
			want_slot(lfirst(cell), FETCHER_SLOT);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
note_end(Slot *slot)
{
	TimestampTz now = GetCurrentTimestamp();

	pfree(slot->handle);
	slot->handle = NULL;
	if (now - slot->started_at >= HEALTHY_MS * INT64CONST(1000))
		slot->pause_ms = FIRST_PAUSE_MS;
	else
		slot->pause_ms = Min(slot->pause_ms * 2, LONGEST_PAUSE_MS);
	slot->start_at = TimestampTzPlusMilliseconds(now, slot->pause_ms);
}

/* Reports why a worker that should run does not, unless it is only for a moment. */
static void
tell_vacancy(const Slot *slot)
{
	const char *why = NULL;

	if (slot->handle == NULL && slot->wanted && slot->no_room)
		why = "llava_zh: no background worker slot is free: raise max_worker_processes";
	else if (slot->handle == NULL && slot->wanted && slot->pause_ms > FIRST_PAUSE_MS)
		why = "llava_zh: the worker ended soon after its start: the log says why; it is started again in a while";
	vacancies_tell(&slot->target, why);
}

static void
say_no_room(Slot *slot)
{
	if (slot->started_at < slot->say_no_room_at)
		return;
	slot->say_no_room_at = TimestampTzPlusMilliseconds(slot->started_at, LONGEST_PAUSE_MS);
	ereport(LOG,
			(errmsg("llava_zh: no background worker slot is free for database \"%s\"",
					slot->target.database),
			 errdetail("Parallel queries use such slots too, as pg_stat_activity shows."),
			 errhint("Raise max_worker_processes, or lower max_parallel_workers.")));
}

static void
start_slot(Slot *slot)
{
	BackgroundWorker worker;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	worker_describe(&worker, slot->target.database, slot->target.slot, false);
	slot->started_at = GetCurrentTimestamp();
	if (!RegisterDynamicBackgroundWorker(&worker, &slot->handle))
	{
		slot->handle = NULL;
		slot->start_at = TimestampTzPlusMilliseconds(slot->started_at, NO_ROOM_MS);
		say_no_room(slot);
	}
	slot->no_room = slot->handle == NULL;
	MemoryContextSwitchTo(old);
}

/* Whether one of the workers has ended since the last look. */
static bool
note_ends(void)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, &slots)
	{
		Slot	   *slot = dlist_container(Slot, node, iter.cur);
		pid_t		pid;

		if (slot->handle == NULL || GetBackgroundWorkerPid(slot->handle, &pid) != BGWH_STOPPED)
			continue;
		note_end(slot);
		any = true;
	}
	return any;
}

/* A slot has become free: the workers that wait for one may be started. */
static void
end_waits_for_room(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &slots)
	{
		Slot	   *slot = dlist_container(Slot, node, iter.cur);

		if (slot->no_room)
			slot->start_at = 0;
	}
}

/*
 * Whether the time has come.  A pause longer than any that is set means that the clock was
 * set back.
 */
static bool
may_start(const Slot *slot, TimestampTz now)
{
	return now >= slot->start_at ||
		slot->start_at > TimestampTzPlusMilliseconds(now, LONGEST_PAUSE_MS);
}

/* Starts and ends workers; returns ms until there is something to start. */
static long
tend_slots(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait = LONGEST_PAUSE_MS;
	dlist_mutable_iter iter;

	if (note_ends())
		end_waits_for_room();
	dlist_foreach_modify(iter, &slots)
	{
		Slot	   *slot = dlist_container(Slot, node, iter.cur);

		if (slot->handle == NULL && slot->wanted && may_start(slot, now))
			start_slot(slot);
		tell_vacancy(slot);
		if (slot->handle != NULL && !slot->wanted)
			TerminateBackgroundWorker(slot->handle);
		else if (slot->handle == NULL && slot->wanted)
			wait = Min(wait, (long) ((slot->start_at - now) / 1000 + 1));
		else if (slot->handle == NULL)
		{
			dlist_delete(&slot->node);
			pfree(slot);
		}
	}
	return wait;
}

static void
end_workers(int code, Datum arg)
{
	dlist_iter	iter;

	vacancies_forget();
	dlist_foreach(iter, &slots)
	{
		Slot	   *slot = dlist_container(Slot, node, iter.cur);

		if (slot->handle != NULL)
			TerminateBackgroundWorker(slot->handle);
	}
}

void
llava_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	/* ends with status 1, after which the postmaster starts another */
	pqsignal(SIGTERM, die);
	/* the notices of started and ended workers */
	pqsignal(SIGUSR1, procsignal_sigusr1_handler);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	before_shmem_exit(end_workers, (Datum) 0);
	flush_begin();

	vacancies_forget();
	read_settings();
	for (;;)
	{
		long		wait = tend_slots();

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		flush_serve();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			limits_reload();
			read_settings();
		}
	}
}

/* ---- what the databases see ---- */

/* Copies the entries of this database; returns how many. */
static int
copy_mine(Vacancy *mine)
{
	const char *database = get_database_name(MyDatabaseId);
	int			n = 0;

	if (vacancies == NULL || database == NULL)
		return 0;
	LWLockAcquire(shared_lock(SHARED_LOCK_SLOTS), LW_SHARED);
	for (int i = 0; i < MAX_VACANCIES; i++)
		if (strcmp(vacancies[i].target.database, database) == 0)
			mine[n++] = vacancies[i];
	LWLockRelease(shared_lock(SHARED_LOCK_SLOTS));
	return n;
}

/* llava_missing_workers(): the workers that this database should have and has not. */
Datum
llava_missing_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Vacancy    *mine = palloc(VACANCIES_SIZE);
	int			n = copy_mine(mine);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3] = {Int32GetDatum(mine[i].target.slot),
		CStringGetTextDatum(mine[i].why), TimestampTzGetDatum(mine[i].since)};
		bool		nulls[3] = {false};

		/* one that llava_start() began may have the slot */
		if (slot_holder(mine[i].target.slot) == 0)
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
