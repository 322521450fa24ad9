/*
 * loop.c
 *	  One process draining the queue: a turn settles, prepares, sends and claims,
 *	  and then waits for whichever of these has something to do again.
 */
#include "postgres.h"

#include <unistd.h>

#include "db/db.h"
#include "image/image.h"
#include "loop.h"
#include "miscadmin.h"
#include "process/process.h"
#include "queue.h"
#include "server/server.h"
#include "stall.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"

/* Leases of what is held are looked at this often. */
#define RENEW_CHECK_MS (10 * 1000)

/* The threads of whichever loop this process runs; joined before it ends. */
static ImagePool *threads;
static bool exit_registered;

static void
join_threads(int code, Datum arg)
{
	if (threads != NULL)
		image_pool_free(threads);
	threads = NULL;
}

/* llava_zh.prepare_threads; 0: as many as there are cores. */
static int
threads_wanted(void)
{
	long		cores;

	if (llava_prepare_threads > 0)
		return llava_prepare_threads;
	cores = sysconf(_SC_NPROCESSORS_ONLN);
	return (int) Min(Max(cores, 1), 64);
}

Loop *
loop_new(int holder, bool in_procedure)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "llava_zh loop",
												  ALLOCSET_DEFAULT_SIZES);
	Loop	   *loop = MemoryContextAllocZero(context, sizeof(Loop));

	loop->context = context;
	loop->holder = holder;
	loop->tx.in_procedure = in_procedure;
	loop->limit = -1;
	loop->picture_size = PICTURE_SIZE_AT_FIRST;
	loop->cursor_visible_at = DT_NOBEGIN;
	loop->ahead_begin.visible_at = loop->ahead_end.visible_at = DT_NOBEGIN;
	loop->cursor_task = MemoryContextStrdup(context, "");
	loop->strangers = MemoryContextStrdup(context, "");
	loop->next_due = DT_NOEND;
	dlist_init(&loop->servers);
	for (int state = 0; state < CALL_STATES; state++)
		dlist_init(&loop->calls[state]);
	loop->images = image_pool_new(threads_wanted());
	if (loop->images == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start %d threads to prepare pictures",
						threads_wanted())));
	if (!exit_registered)
		before_shmem_exit(join_threads, (Datum) 0);
	exit_registered = true;
	threads = loop->images;
	loop->pool = transport_pool(1);
	servers_watch();
	postponed_forget();
	stall_begin();
	meter_begin();
	return loop;
}

static void
free_calls(Loop *loop, CallState state)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &loop->calls[state])
		call_free(loop, dlist_container(Call, node, iter.cur));
}

/* Requests in flight are given up; their rows keep their leases. */
void
loop_free(Loop *loop)
{
	dlist_iter	iter;

	meter_end();
	vlm_pool_cancel(loop->pool, NULL);
	transport_forget_extra();
	join_threads(0, (Datum) 0);
	dlist_foreach(iter, &loop->calls[CALL_SENT])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

		limits_given_up(call->server->limits, call->endpoint, true);
		call->sent = false;
	}
	/* the pool's threads had the jobs of those that were being prepared */
	dlist_foreach(iter, &loop->calls[CALL_PREPARING])
		dlist_container(Call, node, iter.cur)->job = NULL;
	for (int state = 0; state < CALL_STATES; state++)
		free_calls(loop, (CallState) state);
	task_counters_give_back();
	/* an error may have ended it in the middle */
	limits_recording(false);
	/* nor does a session that goes on wait for slots */
	dlist_foreach(iter, &loop->servers)
		limits_offer(dlist_container(ServerState, node, iter.cur)->limits);
	MemoryContextDelete(loop->context);
}

/* There is nowhere to write to: what is held is let go, and nothing more is sent. */
static void
extension_is_gone(Loop *loop)
{
	dispatch_unsent(loop);
	free_calls(loop, CALL_FINISHED);
}

/* One step of a turn has ended. */
static void
take_step(Loop *loop, Step step)
{
	if (step == STEP_GONE)
		extension_is_gone(loop);
}

static int
sockets_needed(Loop *loop)
{
	int			sockets = 1;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->servers)
		sockets += dlist_container(ServerState, node, iter.cur)->options->max_in_flight;
	return sockets;
}

/* Milliseconds from now to a point in time, at least 0. */
static long
ms_until(TimestampTz at)
{
	TimestampTz now = GetCurrentTimestamp();

	if (at <= now)
		return 0;
	return (long) Min((at - now + 999) / 1000, 3600 * 1000);
}

static long
time_to_wait(Loop *loop, long max_ms, long pace_ms)
{
	long		wait = Min(Min(max_ms, llava_stall_report), ms_until(loop->look_at));
	dlist_iter	iter;

	if (claim_is_due(loop))
		return 0;
	if (pace_ms >= 0)
		wait = Min(wait, pace_ms);
	if (loop->claim_at > GetCurrentTimestamp())
		wait = Min(wait, ms_until(loop->claim_at));
	dlist_foreach(iter, &loop->calls[CALL_FINISHED])
		wait = Min(wait, ms_until(Max(dlist_container(Call, node, iter.cur)->settle_at,
									  loop->settle_after)));
	if (!dlist_is_empty(&loop->calls[CALL_HASHED]))
		wait = Min(wait, ms_until(loop->look_hashed_at));
	if (loop->held > 0)
		wait = Min(wait, RENEW_CHECK_MS);
	if (summarise_due(loop) != DT_NOEND)
		wait = Min(wait, ms_until(summarise_due(loop)));
	return wait;
}

/* What other transactions queued behind the cursor. */
static void
take_queued(Loop *loop, bool woken)
{
	TimestampTz earliest;

	if (!wake_take_queued(&earliest))
		earliest = woken ? DT_NOBEGIN : DT_NOEND;
	if (earliest == DT_NOEND)
		return;
	claim_reset_cursor(loop, earliest);
	loop->claim_at = 0;
}

void
loop_turn(Loop *loop, long max_ms)
{
	long		pace_ms;
	bool		woken;

	calls_check(loop);
	clock_look(loop);
	dispatch_refill(loop);
	if (!dlist_is_empty(&loop->calls[CALL_HASHED]))
	{
		take_step(loop, duplicates_park(loop));
		(void) dispatch_ready(loop);
	}
	if (!dlist_is_empty(&loop->calls[CALL_FINISHED]) && GetCurrentTimestamp() >= loop->settle_after)
		take_step(loop, settle_finished(loop));

	servers_refresh(loop);
	if (claim_is_due(loop))
		take_step(loop, claim_rows(loop));
	transport_pool(sockets_needed(loop));

	pace_ms = dispatch_ready(loop);
	if ((loop->renewal_needed && GetCurrentTimestamp() >= loop->renew_after) ||
		GetCurrentTimestamp() >= loop->renew_at)
	{
		if (loop->held > 0)
			renew_leases(loop);
		loop->renew_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RENEW_CHECK_MS);
		pace_ms = dispatch_ready(loop);
	}

	if (GetCurrentTimestamp() >= summarise_due(loop))
		summarise(loop);
	stall_look(loop);

	woken = transport_wait(image_pool_fd(loop->images), time_to_wait(loop, max_ms, pace_ms));
	take_queued(loop, woken);
	if (woken && servers_any_paused(loop))
		loop->look_at = 0;
}

void
loop_wind_up(Loop *loop)
{
	do
		transport_serve();
	while (dispatch_responses(loop));
	dispatch_unsent(loop);
	take_step(loop, settle_all(loop));
	interrupted_give_up(loop);
}
