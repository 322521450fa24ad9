/*
 * loop.c
 *	  The loop that drains the queue, in a worker or in llava_drain.
 *
 * One turn fills free slots, runs the stages that are due (compare, settle, claim, renew,
 * summarise) and then waits until a socket, a thread, the latch or the next stage needs
 * attention.  No transaction is open while it waits.
 */
#include "postgres.h"

#include <unistd.h>

#include "hopeless.h"
#include "loop.h"
#include "process/process.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

/* The threads of this process's loop; they are joined before the process exits. */
static ImagePool *threads;
static bool exit_registered;

static void
join_threads(int code, Datum arg)
{
	if (threads != NULL)
		image_pool_free(threads);
	threads = NULL;
}

/* llava_zh.prepare_threads; 0 means one thread per core. */
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
	/* the loop outlives the transactions of its stages */
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "llava_zh loop",
												  ALLOCSET_DEFAULT_SIZES);
	Loop	   *loop = MemoryContextAllocZero(context, sizeof(Loop));

	loop->context = context;
	loop->holder = holder;
	loop->tx.in_procedure = in_procedure;
	loop->scope.limit = -1;
	loop->picture_size = PICTURE_SIZE_AT_FIRST;
	loop->claims.full_pass = loop->destinations.pins_changed = true;
	dlist_init(&loop->destinations.list);
	loop->servers.strangers = MemoryContextStrdup(context, "");
	dlist_init(&loop->servers.list);
	for (int state = 0; state < CALL_STATES; state++)
		dlist_init(&loop->calls.lists[state]);
	loop->dispatch.images = image_pool_new(threads_wanted());
	if (loop->dispatch.images == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start %d threads to prepare pictures",
						threads_wanted())));
	if (!exit_registered)
		before_shmem_exit(join_threads, (Datum) 0);
	exit_registered = true;
	threads = loop->dispatch.images;
	loop->dispatch.pool = transport_pool(1);
	servers_watch();
	postponed_forget();
	stall_begin();
	meter_begin();
	return loop;
}

/* Requests in flight are cancelled; their rows keep their leases. */
void
loop_free(Loop *loop)
{
	meter_end();
	vlm_pool_cancel(loop->dispatch.pool, NULL);
	transport_forget_extra();
	join_threads(0, (Datum) 0);
	foreach_call(call, loop, CALL_SENT)
	{
		limits_given_up(call->server->limits, call->request.endpoint, true);
		call->request.sent = false;
	}
	/* image_pool_free has freed the jobs of calls that were being prepared */
	foreach_call(call, loop, CALL_PREPARING)
	{
		call->fit.job = NULL;
	}
	for (int state = 0; state < CALL_STATES; state++)
		calls_free(loop, (CallState) state);
	task_counters_give_back();
	/* an error may have interrupted a settle */
	limits_recording(false);
	/* the session goes on, and needs no slots any more */
	foreach_server(server, loop)
	{
		limits_offer(server->limits);
	}
	MemoryContextDelete(loop->context);
}

/* The extension was dropped, so nothing can be written: gives up all but requests in flight. */
static void
extension_is_gone(Loop *loop)
{
	dispatch_unsent(loop);
	calls_free(loop, CALL_FINISHED);
}

static int
sockets_needed(Loop *loop)
{
	int			sockets = 1;

	foreach_server(server, loop)
	{
		sockets += server->options->max_in_flight;
	}
	return sockets;
}

/*
 * The stages of a turn, in order.  due() returns when the stage wants to run: DT_NOBEGIN
 * or a time in the past means now, DT_NOEND never.  run() does one step, in short
 * transactions of its own.
 */
static const struct Stage
{
	TimestampTz (*due) (Loop *loop);
	Step		(*run) (Loop *loop);
	bool		sends;			/* what it made ready goes out before the next
								 * stage */
}			stages[] =

{
	{copies_due, copies_run, true},
	{settles_due, settles_run, false},
	{claims_due, claims_run, false},
	{renewals_due, renewals_run, false},
	{summaries_due, summaries_run, false},
};

/* Milliseconds from now to a point in time, at least 0. */
static long
ms_until(TimestampTz at)
{
	TimestampTz now = GetCurrentTimestamp();

	if (at <= now)
		return 0;
	return (long) Min((at - now + 999) / 1000, 3600 * 1000);
}

/*
 * Milliseconds until a stage is due or a call may be sent.  pace_ms: when the servers'
 * limits allow the next call to be sent; -1: no call waits for that.
 */
static long
time_to_wait(Loop *loop, long max_ms, long pace_ms)
{
	long		wait = Min(max_ms, llava_stall_report);

	for (int i = 0; i < lengthof(stages); i++)
		wait = Min(wait, ms_until(stages[i].due(loop)));
	return pace_ms >= 0 ? Min(wait, pace_ms) : wait;
}

/* Moves the claim cursor back to rows that other transactions have queued before it. */
static void
take_queued(Loop *loop, bool woken)
{
	TimestampTz earliest;

	if (!wake_take_queued(&earliest))
		earliest = woken ? DT_NOBEGIN : DT_NOEND;
	if (earliest == DT_NOEND)
		return;
	claim_reset_cursor(loop, earliest);
	claims_wake(loop);
}

/*
 * Calls that are ready are sent before the first stage and after each one: a stage may
 * take long, and a free slot must not wait for the end of the turn.
 */
void
loop_turn(Loop *loop, long max_ms)
{
	long		pace_ms;
	bool		woken;

	calls_check(loop);
	clock_look(loop);
	dispatch_refill(loop);
	servers_refresh(loop);
	for (int i = 0; i < lengthof(stages); i++)
	{
		if (stages[i].due(loop) > GetCurrentTimestamp())
			continue;
		if (stages[i].run(loop) == STEP_GONE)
			extension_is_gone(loop);
		servers_refresh(loop);
		if (stages[i].sends)
			(void) dispatch_ready(loop);
	}
	transport_pool(sockets_needed(loop));
	pace_ms = dispatch_ready(loop);
	stall_look(loop);

	woken = transport_wait(image_pool_fd(loop->dispatch.images), time_to_wait(loop, max_ms, pace_ms));
	take_queued(loop, woken);
	/* the latch may have been set because another process lifted a pause */
	if (woken && servers_any_paused(loop))
		loop_look_soon(loop);
}

/* Takes all responses that have arrived before it settles: they are paid for. */
void
loop_wind_up(Loop *loop)
{
	do
		transport_serve();
	while (answers_take(loop));
	dispatch_unsent(loop);
	if (settle_all(loop) == STEP_GONE)
		extension_is_gone(loop);
	interrupted_give_up(loop);
}

void
loop_set_scope(Loop *loop, int64 limit, const char *only_task, const char *only_server)
{
	loop->scope.limit = limit;
	if (only_task != NULL)
		loop->scope.only_task = MemoryContextStrdup(loop->context, only_task);
	if (only_server != NULL)
		loop->scope.only_server = MemoryContextStrdup(loop->context, only_server);
}

void
loop_claim_no_more(Loop *loop)
{
	loop->scope.limit = 0;
	dispatch_unsent(loop);
}

void
loop_look_soon(Loop *loop)
{
	claims_look_by(loop, 0);
}

void
loop_rest(Loop *loop, int ms)
{
	claims_rest(loop, ms);
	settles_rest(loop, ms);
}

/*
 * A drain must not wait for what may never happen: a missing directory, a paused server, a
 * restore that a person has to end.  loop_finish tells its caller about these.
 */
bool
loop_is_over(Loop *loop)
{
	TimestampTz next_due;

	if (loop->calls.held > 0)
		return false;
	if (loop->scope.limit == 0)
		return true;
	return loop->claims.looked &&
		(dispatch_files_are_away(loop) || !servers_any_usable(loop) || restore_has_no_end(loop) ||
		 (destinations_are_dry(loop, &next_due) && next_due == DT_NOEND));
}

void
loop_counts(const Loop *loop, uint64 *accepted, uint64 *failed)
{
	*accepted = loop->settles.accepted;
	*failed = loop->settles.failed;
}

/* Tells the caller of llava_drain why rows may still wait. */
static void
tell_waits(Loop *loop)
{
	if (dlist_is_empty(&loop->servers.list))
		ereport(NOTICE,
				(errmsg("there is no server to send requests to"),
				 errhint("CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:8000/v1', model '...');")));
	if (dispatch_files_are_away(loop))
		ereport(NOTICE,
				(errmsg("the directory of pictures, llava_zh.image_directory, cannot be opened"),
				 errdetail("Rows whose pictures are in files have to wait.")));
	if (loop->absent.rows > 0)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " rows wait for pictures that are not in llava_image",
						loop->absent.rows)));
	hopeless_tell(loop);
	foreach_server(server, loop)
	{
		Pause		pause;

		limits_pause_now(server->limits, &pause);
		if (pause.reason[0] != '\0')
			ereport(NOTICE,
					(errmsg("server \"%s\" is paused (%s): %s", server->options->name,
							pause.reason, rows_clean_text(pause.detail))));
	}
}

void
loop_finish(Loop *loop)
{
	if (summaries_due(loop) != DT_NOEND)
		(void) summaries_run(loop);
	servers_refresh(loop);
	tell_waits(loop);
}
