/*
 * vacancies.c
 *	  Workers that the launcher could not start, and why, for llava_stat_worker of their
 *	  databases.
 *
 * The table is in shared memory, and only the launcher writes it.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "db/db.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "process/process.h"
#include "run.h"
#include "storage/lwlock.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "worker.h"

/* Workers beyond this number are only reported in the log. */
#define MAX_VACANCIES 256

typedef struct Vacancy
{
	WorkerTarget target;		/* an empty database: free */
	char		why[160];
	TimestampTz since;
} Vacancy;

static Vacancy *vacancies_table;	/* MAX_VACANCIES, or NULL */

PG_FUNCTION_INFO_V1(llava_missing_workers);

Size
vacancies_memory(void)
{
	return mul_size(MAX_VACANCIES, sizeof(Vacancy));
}

void
vacancies_start_up(void *memory, bool found)
{
	vacancies_table = memory;
	if (!found)
		memset(vacancies_table, 0, vacancies_memory());
}

static void
vacancies_lock(LWLockMode mode)
{
	LWLockAcquire(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_SLOTS].lock, mode);
}

static void
vacancies_unlock(void)
{
	LWLockRelease(&GetNamedLWLockTranche("llava_zh")[SHARED_LOCK_SLOTS].lock);
}

/* The entry of a worker, else a free one; NULL if there is neither. */
static Vacancy *
vacancies_find(const WorkerTarget *target)
{
	Vacancy    *vacant = NULL;

	for (int i = 0; i < MAX_VACANCIES; i++)
	{
		Vacancy    *entry = &vacancies_table[i];

		if (entry->target.database[0] == '\0')
			vacant = vacant != NULL ? vacant : entry;
		else if (entry->target.slot == target->slot &&
				 strcmp(entry->target.database, target->database) == 0)
			return entry;
	}
	return vacant;
}

void
vacancies_tell(const WorkerTarget *target, const char *why)
{
	Vacancy    *entry;

	vacancies_lock(LW_EXCLUSIVE);
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
	vacancies_unlock();
}

void
vacancies_forget(void)
{
	vacancies_lock(LW_EXCLUSIVE);
	memset(vacancies_table, 0, vacancies_memory());
	vacancies_unlock();
}

/* Copies the entries of this database; returns how many. */
static int
copy_mine(Vacancy *mine)
{
	const char *database = get_database_name(MyDatabaseId);
	int			n = 0;

	if (vacancies_table == NULL || database == NULL)
		return 0;
	vacancies_lock(LW_SHARED);
	for (int i = 0; i < MAX_VACANCIES; i++)
		if (strcmp(vacancies_table[i].target.database, database) == 0)
			mine[n++] = vacancies_table[i];
	vacancies_unlock();
	return n;
}

/* llava_missing_workers(): the workers that this database should have and has not. */
Datum
llava_missing_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Vacancy    *mine = palloc(vacancies_memory());
	int			n = copy_mine(mine);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		/* one that llava_start() began has the slot */
		if (slot_holder(mine[i].target.slot) != 0)
			continue;
		values[0] = Int32GetDatum(mine[i].target.slot);
		values[1] = CStringGetTextDatum(mine[i].why);
		values[2] = TimestampTzGetDatum(mine[i].since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
