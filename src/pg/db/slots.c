/*
 * slots.c
 *	  Which process is the worker of a slot of this database.
 *
 * Where llava_zh is preloaded a table in shared memory says so, which only the worker
 * itself writes; else the worker holds a lock that no SQL can take.  Looking and taking
 * are one step in both.  Names that a session can give itself are not relied on.
 */
#include "postgres.h"

#include "db.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "process/process.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/tuplestore.h"

typedef struct Taken
{
	int			pid;			/* 0: free */
	Oid			database;
	int			slot;
} Taken;

static Taken *slots_table;		/* max_worker_processes of them, or NULL */
static Taken *slots_mine;

PG_FUNCTION_INFO_V1(llava_worker_slots);

const SharedPart slots_shared = {
	"llava_zh slots", sizeof(Taken), &max_worker_processes, (void **) &slots_table, NULL
};

static LWLock *
slots_lock(void)
{
	return &GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_SLOTS].lock;
}

static void
slots_give_back(int code, Datum arg)
{
	LWLockAcquire(slots_lock(), LW_EXCLUSIVE);
	slots_mine->pid = 0;
	LWLockRelease(slots_lock());
}

static bool
take_in_table(int slot)
{
	Taken	   *vacant = NULL;
	bool		taken = false;

	LWLockAcquire(slots_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < max_worker_processes; i++)
	{
		Taken	   *entry = &slots_table[i];

		if (entry->pid == 0)
			vacant = entry;
		else if (entry->database == MyDatabaseId && entry->slot == slot)
			taken = true;
	}
	if (!taken && vacant != NULL)
	{
		vacant->pid = MyProcPid;
		vacant->database = MyDatabaseId;
		vacant->slot = slot;
		slots_mine = vacant;
	}
	LWLockRelease(slots_lock());
	if (slots_mine != NULL)
		before_shmem_exit(slots_give_back, (Datum) 0);
	return slots_mine != NULL;
}

bool
slot_take(int slot)
{
	if (slots_table != NULL)
		return take_in_table(slot);
	return own_lock_try(OWN_LOCK_SLOT, slot, true);
}

int
slot_holder(int slot)
{
	OwnLockHolder *workers;
	int			n = slots_taken(&workers);

	return own_lock_pid(workers, n, slot);
}

/* A trigger may have run pg_advisory_unlock_all() in this process. */
void
slot_keep(int slot)
{
	if (slots_table != NULL || own_lock_is_mine(OWN_LOCK_SLOT, slot) ||
		own_lock_try(OWN_LOCK_SLOT, slot, true))
		return;
	ereport(FATAL,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("llava_zh: another process has taken the place of worker %d", slot)));
}

/* The workers of this database in the table. */
static int
workers_in_table(OwnLockHolder **workers)
{
	int			n = 0;

	*workers = palloc(sizeof(OwnLockHolder) * max_worker_processes);
	LWLockAcquire(slots_lock(), LW_EXCLUSIVE);
	for (int i = 0; i < max_worker_processes; i++)
	{
		if (slots_table[i].pid == 0 || slots_table[i].database != MyDatabaseId)
			continue;
		(*workers)[n].number = slots_table[i].slot;
		(*workers)[n++].pid = slots_table[i].pid;
	}
	LWLockRelease(slots_lock());
	return n;
}

int
slots_taken(OwnLockHolder **workers)
{
	return slots_table != NULL ? workers_in_table(workers) : own_lock_holders(OWN_LOCK_SLOT, workers);
}

/* llava_worker_slots(): pid and slot of each worker of this database. */
Datum
llava_worker_slots(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	OwnLockHolder *workers;
	int			n;

	InitMaterializedSRF(fcinfo, 0);
	n = slots_taken(&workers);
	for (int i = 0; i < n; i++)
	{
		Datum		values[2] = {Int32GetDatum(workers[i].pid), Int32GetDatum(workers[i].number)};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
