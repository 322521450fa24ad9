/*
 * wake.c
 *	  Tells the workers of a database, at commit, that rows were queued.
 *
 * Where llava_zh is preloaded, shared memory holds for each database a ring of the
 * visible_at of the newest commits.  From it a worker learns how far back its claim cursor
 * must go.  Without preloading a commit only sets the latches of all background workers of
 * the database; a worker that is woken then has to assume that rows of any time came.
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "miscadmin.h"
#include "process.h"
#include "storage/proc.h"
#include "storage/spin.h"

#define MAX_DATABASES 64

typedef struct DatabaseEntry
{
	Oid			database;		/* InvalidOid: free */
	uint64		queued;			/* number of commits that queued rows */
	TimestampTz earliest[64];	/* visible_at of the newest commits: a ring */
} DatabaseEntry;

typedef struct SharedState
{
	slock_t		mutex;
	DatabaseEntry databases[MAX_DATABASES];
} SharedState;

static SharedState *shared;

static bool callback_registered;
static bool wake_wanted;		/* this transaction has queued rows ... */
static TimestampTz wake_earliest;	/* ... and this is the first to be due */
static uint64 taken;			/* DatabaseEntry.queued at the last take */
static bool taken_any;			/* there was a take: taken is valid */

static void
wake_init(void)
{
	SpinLockInit(&shared->mutex);
}

const SharedPart wake_shared = {
	"llava_zh", sizeof(SharedState), NULL, (void **) &shared, wake_init
};

/* This database's entry, made if needed; NULL if the table is full.  Mutex held. */
static DatabaseEntry *
my_entry(void)
{
	DatabaseEntry *vacant = NULL;

	for (int i = 0; i < MAX_DATABASES; i++)
	{
		DatabaseEntry *entry = &shared->databases[i];

		if (entry->database == MyDatabaseId)
			return entry;
		if (vacant == NULL && !OidIsValid(entry->database))
			vacant = entry;
	}
	if (vacant != NULL)
		vacant->database = MyDatabaseId;
	return vacant;
}

/* Latches stay in shared memory: setting that of an ended process is a spurious wake-up. */
static void
set_worker_latches(void)
{
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		PGPROC	   *proc = &ProcGlobal->allProcs[i];

		if (proc->pid != 0 && proc->databaseId == MyDatabaseId &&
			compat_proc_is_worker(proc))
			SetLatch(&proc->procLatch);
	}
}

/* Must neither raise an ERROR nor allocate: the transaction is already committed. */
static void
publish(void)
{
	if (shared != NULL)
	{
		DatabaseEntry *entry;

		SpinLockAcquire(&shared->mutex);
		entry = my_entry();
		if (entry != NULL)
			entry->earliest[entry->queued++ % lengthof(entry->earliest)] = wake_earliest;
		SpinLockRelease(&shared->mutex);
	}
	set_worker_latches();
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && wake_wanted)
		publish();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		wake_wanted = false;
}

void
wake_at_commit(TimestampTz visible_at)
{
	if (!callback_registered)
		RegisterXactCallback(transaction_ended, NULL);
	callback_registered = true;
	if (!wake_wanted || visible_at < wake_earliest)
		wake_earliest = visible_at;
	wake_wanted = true;
}

bool
wake_take_queued(TimestampTz *earliest)
{
	DatabaseEntry *entry;
	uint64		woken = 0;

	*earliest = DT_NOEND;
	if (shared == NULL)
		return false;
	SpinLockAcquire(&shared->mutex);
	entry = my_entry();
	if (entry != NULL)
	{
		woken = taken_any ? entry->queued - taken : 0;
		if (!taken_any || woken > lengthof(entry->earliest))
			*earliest = DT_NOBEGIN;
		else
			for (; taken != entry->queued; taken++)
				*earliest = Min(*earliest, entry->earliest[taken % lengthof(entry->earliest)]);
		taken = entry->queued;
	}
	taken_any = true;
	SpinLockRelease(&shared->mutex);
	meter_woken(woken);
	return entry != NULL;
}
