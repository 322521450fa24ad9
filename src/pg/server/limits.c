/*
 * limits.c
 *	  The limits of a server: which process uses them, and what it holds of them.
 *
 * A process attaches to a server's limits once, and gives back what it holds when it
 * exits.  The entries lie in shared memory (limits_places.c), or in the process itself
 * where there is no place.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "server_private.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

SharedLimits *shared_limits;

static List *attached = NIL;	/* Attached, in TopMemoryContext */
static bool limits_exit_registered;

const SharedPart limits_shared = {
	"llava_zh limits", sizeof(SharedLimits), NULL, (void **) &shared_limits, NULL
};

void
limits_lock(void)
{
	if (shared_limits != NULL)
		LWLockAcquire(shared_lock(SHARED_LOCK_LIMITS), LW_EXCLUSIVE);
}

void
limits_unlock(void)
{
	if (shared_limits != NULL)
		LWLockRelease(shared_lock(SHARED_LOCK_LIMITS));
}

int64
limits_now_ms(void)
{
	return GetCurrentTimestamp() / 1000;
}

Attached *
limits_attached_to(const Limits *limits)
{
	ListCell   *cell;

	foreach(cell, attached)
	{
		Attached   *mine = lfirst(cell);

		if (mine->limits == limits)
			return mine;
	}
	elog(ERROR, "not attached to the limits of a server");
}

void
limits_wake_waiting(Limits *limits)
{
	for (int i = 0; i < limits->n_waiting; i++)
		SetLatch(limits->waiting[i]);
	limits->n_waiting = 0;
}

void
limits_forget_waiting(Limits *limits)
{
	int			kept = 0;

	for (int i = 0; i < limits->n_waiting; i++)
		if (limits->waiting[i] != MyLatch)
			limits->waiting[kept++] = limits->waiting[i];
	limits->n_waiting = kept;
}

static void
set_recording(Attached *mine, bool recording)
{
	if (mine->recording != recording)
		vlm_quota_recording(&mine->limits->quota, recording);
	mine->recording = recording;
}

/*
 * Requests of this process that were sent and not settled stay counted against
 * max_requests.
 */
static void
give_back_limits(Attached *mine)
{
	Limits	   *limits = mine->limits;

	limits->users--;
	limits->used_at = GetCurrentTimestamp();
	if (shared_limits != NULL && !limits_are_shared(limits))
		limits_count_local(mine->server, -1);
	limits->pace.in_flight -= mine->in_flight;
	if (mine->suspects > 0)
		suspects_back(&limits->suspects, mine->suspects, limits_now_ms());
	vlm_quota_settled(&limits->quota, mine->unsettled, mine->unsettled_cost);
	set_recording(mine, false);
	limits->urgent -= mine->urgent ? 1 : 0;
	if (limits->pause.prober == MyProcPid)
		limits->pause.prober = 0;
	limits_forget_waiting(limits);
	limits_wake_waiting(limits);
}

static void
give_back_all_limits(int code, Datum arg)
{
	ListCell   *cell;

	limits_lock();
	foreach(cell, attached)
		give_back_limits(lfirst(cell));
	endpoints_give_back_all();
	limits_unlock();
	attached = NIL;
}

Limits *
limits_attach(const LlavaServer *server, LimitsRank rank)
{
	MemoryContext old;
	Attached   *mine;
	Limits	   *limits = NULL;
	ListCell   *cell;

	foreach(cell, attached)
	{
		mine = lfirst(cell);
		if (mine->server == server->oid)
			return mine->limits;
	}
	if (!limits_exit_registered)
		before_shmem_exit(give_back_all_limits, (Datum) 0);
	limits_exit_registered = true;

	old = MemoryContextSwitchTo(TopMemoryContext);
	mine = palloc0(sizeof(Attached));
	mine->limits = palloc(sizeof(Limits));
	mine->server = server->oid;
	limits_clear_entry(mine->limits, server->oid);
	mine->limits->users = 1;
	attached = lappend(attached, mine);
	MemoryContextSwitchTo(old);
	limits_lock();
	if (shared_limits != NULL)
		limits = limits_shared_entry(server, rank);
	if (shared_limits != NULL && limits == NULL)
		limits_count_local(server->oid, 1);
	limits_unlock();
	if (limits == NULL)
		limits_say_local(server, rank);
	else
	{
		pfree(mine->limits);
		mine->limits = limits;
	}
	return mine->limits;
}

void
limits_detach(Limits *limits)
{
	Attached   *mine = limits_attached_to(limits);

	Assert(mine->in_flight == 0 && mine->unsettled == 0);
	limits_lock();
	give_back_limits(mine);
	endpoint_drop(mine->endpoint);
	limits_unlock();
	attached = list_delete_ptr(attached, mine);
	if (!limits_are_shared(limits))
		pfree(limits);
	pfree(mine);
}

void
limits_set_options(Limits *limits, const LlavaServer *options)
{
	limits_lock();
	vlm_pace_limits(&limits->pace, options->max_in_flight, options->requests_per_minute,
					options->tokens_per_minute);
	vlm_quota_limits(&limits->quota, options->max_requests, options->budget,
					 options->price.input, options->price.output);
	failures_ask(&limits->failures, options->url, options->model);
	/* a waiting process may need just the larger limit */
	limits_wake_waiting(limits);
	limits_unlock();
}

void
limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank)
{
	Attached   *mine = limits_attached_to(limits);

	limits_lock();
	endpoint_leave(mine->endpoint);
	limits_unlock();
	mine->endpoint = NULL;
	mine->endpoint = endpoint_use(server->oid, server->url, rank != LIMITS_OF_OTHERS);
}

void
limits_reload(void)
{
	limits_lock();
	endpoints_publish(true);
	limits_unlock();
}

void
limits_recording(bool begins)
{
	ListCell   *cell;

	limits_lock();
	foreach(cell, attached)
		set_recording(lfirst(cell), begins);
	limits_unlock();
}
