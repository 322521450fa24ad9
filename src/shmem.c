/*
 * shmem.c
 *	  Requests and initialises all shared memory of the extension, if it is preloaded.
 */
#include "postgres.h"

#include "db/db.h"
#include "fetch/fetch.h"
#include "miscadmin.h"
#include "process/process.h"
#include "run/run.h"
#include "server/server.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

static const SharedPart *const parts[] = {
	&wake_shared, &limits_shared, &endpoints_shared, &flush_shared,
	&meter_shared, &slots_shared, &task_counters_shared, &vacancies_shared,
	&work_shared, &fetch_shared
};

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static Size
part_size(const SharedPart *part)
{
	return part->count == NULL ? part->size : mul_size(*part->count, part->size);
}

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (int i = 0; i < lengthof(parts); i++)
		RequestAddinShmemSpace(MAXALIGN(part_size(parts[i])));
	RequestNamedLWLockTranche("llava_zh", SHARED_LOCKS);
}

static void
start_up(void)
{
	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (int i = 0; i < lengthof(parts); i++)
	{
		const SharedPart *part = parts[i];
		bool		found;

		*part->memory = ShmemInitStruct(part->name, part_size(part), &found);
		if (found)
			continue;
		memset(*part->memory, 0, part_size(part));
		if (part->init != NULL)
			part->init();
	}
	LWLockRelease(AddinShmemInitLock);
}

void
shmem_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = start_up;
}
