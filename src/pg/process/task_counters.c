/*
 * task_counters.c
 *	  Counts the requests in flight for each task, over the loops of all processes.
 *
 * The counters are in shared memory, keyed by database and a hash of the task's name.  A
 * process subtracts its requests when its loop ends, or when it exits.  Nothing is counted
 * unless llava_zh is preloaded, nor for tasks that find the table full.
 *
 * Beside them stands what became of the task's first replies (vlm_streak_note), so that all
 * processes together find a prompt hopeless; without a place each does so alone.
 *
 * A process takes and gives back a task's place under a lock, once per task.  A request
 * costs one atomic addition when it is sent and one when it ends.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "process.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

/* Tasks of all databases together. */
#define MAX_TASKS 1024

/* What is known of the replies of one version of a task. */
typedef struct Replies
{
	int			version;
	bool		hopeless;
	bool		written;		/* llava_stopped_task says so */
	VlmStreak	streak;
} Replies;

typedef struct Place
{
	Oid			database;
	uint64		task;			/* hash of its name */
	int			users;			/* number of processes; 0: free */
	pg_atomic_uint32 in_flight;
	Replies		replies;
} Place;

typedef struct SharedTasks
{
	Place		places[MAX_TASKS];
	int			uncounted;		/* number of counters without a place, because
								 * the table was full */
} SharedTasks;

struct TaskCounter
{
	uint64		task;
	Place	   *place;			/* NULL: not counted in shared memory */
	int			in_flight;		/* requests of this process */
	Replies		replies;		/* where there is no place */
};

static SharedTasks *shared;		/* NULL: not preloaded */
static List *counters = NIL;	/* TaskCounter, in TopMemoryContext */

PG_FUNCTION_INFO_V1(llava_task_in_flight);

const SharedPart task_counters_shared = {
	"llava_zh tasks", sizeof(SharedTasks), NULL, (void **) &shared, NULL
};

static uint64
hash_of(const char *task, int size)
{
	return hash_bytes_extended((const unsigned char *) task, size, 0);
}

/* The place of this database's task, or NULL; then *vacant is a free one, or NULL. */
static Place *
find_place(uint64 task, Place **vacant)
{
	*vacant = NULL;
	for (int i = 0; i < MAX_TASKS; i++)
	{
		Place	   *place = &shared->places[i];

		if (place->users == 0)
			*vacant = place;
		else if (place->database == MyDatabaseId && place->task == task)
			return place;
	}
	return NULL;
}

static Place *
take_place(uint64 task)
{
	Place	   *vacant;
	Place	   *place;

	LWLockAcquire(shared_lock(SHARED_LOCK_TASKS), LW_EXCLUSIVE);
	place = find_place(task, &vacant);
	if (place == NULL && vacant != NULL)
	{
		place = vacant;
		place->database = MyDatabaseId;
		place->task = task;
		pg_atomic_init_u32(&place->in_flight, 0);
		memset(&place->replies, 0, sizeof(place->replies));
	}
	if (place != NULL)
		place->users++;
	else
		shared->uncounted++;
	LWLockRelease(shared_lock(SHARED_LOCK_TASKS));
	return place;
}

static void
give_back_at_exit(int code, Datum arg)
{
	task_counters_give_back();
}

TaskCounter *
task_counter_known(const char *task)
{
	uint64		hash = hash_of(task, strlen(task));
	ListCell   *cell;

	foreach(cell, counters)
	{
		TaskCounter *counter = lfirst(cell);

		if (counter->task == hash)
			return counter;
	}
	return NULL;
}

TaskCounter *
task_counter(const char *task)
{
	static bool registered;
	uint64		hash = hash_of(task, strlen(task));
	TaskCounter *counter = task_counter_known(task);
	MemoryContext old;

	if (counter != NULL)
		return counter;
	if (!registered)
		before_shmem_exit(give_back_at_exit, (Datum) 0);
	registered = true;
	old = MemoryContextSwitchTo(TopMemoryContext);
	counter = palloc0(sizeof(TaskCounter));
	counter->task = hash;
	counters = lappend(counters, counter);
	MemoryContextSwitchTo(old);
	if (shared != NULL)
		counter->place = take_place(hash);
	return counter;
}

void
task_counter_add(TaskCounter *counter, int change)
{
	counter->in_flight += change;
	if (counter->place != NULL)
		pg_atomic_fetch_add_u32(&counter->place->in_flight, change);
}

/* ---- replies: a look needs no lock, since a version once hopeless stays so ---- */

static Replies *
replies_of(const TaskCounter *counter)
{
	return counter->place != NULL ? &counter->place->replies : unconstify(Replies *, &counter->replies);
}

static void
replies_lock(const TaskCounter *counter)
{
	if (counter->place != NULL)
		LWLockAcquire(shared_lock(SHARED_LOCK_TASKS), LW_EXCLUSIVE);
}

static void
replies_unlock(const TaskCounter *counter)
{
	if (counter->place != NULL)
		LWLockRelease(shared_lock(SHARED_LOCK_TASKS));
}

/* A reply of an older version, which was in flight when the newer came, counts for nothing. */
bool
task_counter_note(TaskCounter *counter, int version, const char *reason)
{
	Replies    *replies = replies_of(counter);
	bool		news = false;

	replies_lock(counter);
	if (replies->version < version)
	{
		memset(replies, 0, sizeof(*replies));
		replies->version = version;
	}
	if (replies->version == version && !replies->hopeless)
		news = replies->hopeless = vlm_streak_note(&replies->streak, reason);
	replies_unlock(counter);
	return news;
}

bool
task_counter_is_hopeless(const TaskCounter *counter, int version)
{
	const Replies *replies = replies_of(counter);

	return replies->hopeless && replies->version == version;
}

void
task_counter_written(TaskCounter *counter, int version)
{
	Replies    *replies = replies_of(counter);

	replies_lock(counter);
	replies->written |= replies->hopeless && replies->version == version;
	replies_unlock(counter);
}

bool
task_counter_is_written(const TaskCounter *counter, int version)
{
	const Replies *replies = replies_of(counter);

	return replies->written && replies->version == version;
}

void
task_counter_forgive(TaskCounter *counter)
{
	replies_lock(counter);
	memset(replies_of(counter), 0, sizeof(Replies));
	replies_unlock(counter);
}

void
task_counters_give_back(void)
{
	ListCell   *cell;

	if (counters == NIL)
		return;
	if (shared != NULL)
		LWLockAcquire(shared_lock(SHARED_LOCK_TASKS), LW_EXCLUSIVE);
	foreach(cell, counters)
	{
		TaskCounter *counter = lfirst(cell);

		task_counter_add(counter, -counter->in_flight);
		if (counter->place != NULL)
			counter->place->users--;
		else if (shared != NULL)
			shared->uncounted--;
	}
	if (shared != NULL)
		LWLockRelease(shared_lock(SHARED_LOCK_TASKS));
	list_free_deep(counters);
	counters = NIL;
}

/*
 * llava_task_in_flight(task text): the number of requests for rows of this task that all
 * loops of this database have in flight; NULL if they are not counted.
 */
Datum
llava_task_in_flight(PG_FUNCTION_ARGS)
{
	text	   *task = PG_GETARG_TEXT_PP(0);
	uint64		hash = hash_of(VARDATA_ANY(task), VARSIZE_ANY_EXHDR(task));
	Place	   *vacant;
	Place	   *place;
	int64		in_flight = -1;

	if (shared == NULL)
		PG_RETURN_NULL();
	LWLockAcquire(shared_lock(SHARED_LOCK_TASKS), LW_SHARED);
	place = find_place(hash, &vacant);
	if (place != NULL)
		in_flight = pg_atomic_read_u32(&place->in_flight);
	else if (shared->uncounted == 0)
		in_flight = 0;
	LWLockRelease(shared_lock(SHARED_LOCK_TASKS));
	if (in_flight < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32((int32) in_flight);
}
