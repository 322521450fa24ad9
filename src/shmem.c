/*
 * shmem.c
 *	  Requests and initialises all shared memory of the extension, if it is preloaded.
 */
#include "postgres.h"

#include "db/db.h"
#include "miscadmin.h"
#include "process/process.h"
#include "run/run.h"
#include "server/server.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

/* Each part's name, the function that tells its size, and the one that initialises it. */
static const struct Part
{
	const char *name;
	Size		(*memory) (void);
	void		(*start_up) (void *memory, bool found);
}			parts[] = {
	{"llava_zh", wake_memory, wake_start_up},
	{"llava_zh limits", limits_memory, limits_start_up},
	{"llava_zh endpoints", endpoints_memory, endpoints_start_up},
	{"llava_zh flush", flush_memory, flush_start_up},
	{"llava_zh meters", meter_memory, meter_start_up},
	{"llava_zh slots", slots_memory, slots_start_up},
	{"llava_zh tasks", task_counters_memory, task_counters_start_up},
	{"llava_zh vacancies", vacancies_memory, vacancies_start_up},
};

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	for (int i = 0; i < lengthof(parts); i++)
		RequestAddinShmemSpace(MAXALIGN(parts[i].memory()));
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
		bool		found;
		void	   *memory = ShmemInitStruct(parts[i].name, parts[i].memory(), &found);

		parts[i].start_up(memory, found);
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
