/*
 * settle.c
 *	  Settles finished calls: writes ledger row, sample, queue row and usage, for several
 *	  calls in one short transaction.
 *
 * A settle that fails (a user's lock, a full disk) keeps its calls: their leases are
 * renewed and the settle is repeated, so no picture is sent twice because of it.  A batch
 * that fails is halved until the row that causes the error is alone.
 */
#include "postgres.h"

#include "process/process.h"
#include "settle_rows.h"

/* A batch gets no more calls once its replies have this many bytes. */
#define SETTLE_BYTES (1024 * 1024)

/* Pause after a failed settle; it doubles for a call that fails alone. */
#define SETTLE_RETRY_MS 500
#define SETTLE_RETRY_MAX_MS 8000

/* Writes the whole batch, inside a subtransaction. */
static void
settle_batch(Loop *loop, void *arg)
{
	Batch	   *batch = arg;

	batch->n_tallies = 0;
	batch->accepted = batch->failed = 0;
	batch->parameters_of = NULL;
	batch->followed = false;
	batch->n_results = 0;
	for (int i = 0; i < batch->n_calls; i++)
	{
		settle_call(batch, batch->calls[i]);
		dispatch_serve(loop);
	}
	settle_followers(batch);
	settle_usage(batch);
	server_record_pauses(loop);
}

static bool
any_postponed(const Loop *loop)
{
	foreach_call(call, loop, CALL_FINISHED)
	{
		if (call->settle.delay > 0)
			return true;
	}
	return false;
}

/* After the commit: frees the calls. */
static void
forget_batch(Loop *loop, Batch *batch)
{
	for (int i = 0; i < batch->n_calls; i++)
	{
		/* a row to be retried may be due at once */
		claims_wake_for(loop, batch->calls[i]);
		call_free(loop, batch->calls[i]);
	}
	if (batch->followed)
		claims_wake(loop);
	loop->settles.accepted += batch->accepted;
	loop->settles.failed += batch->failed;
	if (!any_postponed(loop))
		(void) postponed_done(POSTPONED_SETTLE);
}

/*
 * Schedules the next try of a failed batch, in batches of half the size: in the end a call
 * whose row is locked is alone, and is tried at growing intervals.
 */
static void
keep_batch(Batch *batch, const ErrorData *error)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		alone = batch->n_calls == 1;
	int			n_new = 0;

	for (int i = 0; i < batch->n_calls; i++)
	{
		Call	   *call = batch->calls[i];

		n_new += call->settle.delay == 0;
		call->settle.delay = alone && call->settle.delay > 0 ?
			Min(2 * call->settle.delay, SETTLE_RETRY_MAX_MS) : SETTLE_RETRY_MS;
		call->settle.with = Max(batch->n_calls / 2, 1);
		call->settle.at = TimestampTzPlusMilliseconds(now, call->settle.delay);
	}
	(void) postponed_note(POSTPONED_SETTLE, error);
	/* log each reply once, however often it is tried */
	if (n_new > 0)
		ereport(LOG,
				(errmsg("llava_zh: settle of %d replies postponed: %s", n_new, error->message)));
}

/* Settles a batch in the open transaction, and ends that.  On failure sets *error. */
static bool
settle_together(Loop *loop, Batch *batch, ErrorData **error)
{
	bool		done;

	limits_recording(true);
	done = loop_try(loop, settle_batch, batch, error);
	loop_commit(loop);
	if (done)
		forget_batch(loop, batch);
	limits_recording(false);
	return done;
}

/* Settles call by call a batch that failed because of one row. */
static void
settle_singly(Loop *loop, Batch *batch)
{
	for (int i = 0; i < batch->n_calls; i++)
	{
		Batch		single = {.n_calls = 1};
		ErrorData  *error;

		single.calls[0] = batch->calls[i];
		if (!loop_begin(loop, "llava_zh: settling replies"))
			return;
		if (settle_together(loop, &single, &error))
			continue;
		keep_batch(&single, error);
		FreeErrorData(error);
	}
}

/*
 * Collects a batch, either of calls whose settle has failed before (postponed) or of new
 * ones.  It stays empty until one of them has waited long enough or there are enough.
 */
static void
settles_gather_some(Loop *loop, Batch *batch, bool postponed)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz soon = TimestampTzPlusMilliseconds(now, SETTLE_GATHER_MS);
	int			most = SETTLE_BATCH;
	bool		due = false;
	size_t		bytes = 0;

	batch->n_calls = 0;
	foreach_call(call, loop, CALL_FINISHED)
	{
		if (call->settle.at > soon || (call->settle.delay > 0) != postponed)
			continue;
		if (postponed && batch->n_calls == 0)
			most = call->settle.with;
		if (postponed && call->settle.with != most)
			continue;
		due |= call->settle.at <= now;
		batch->calls[batch->n_calls++] = call;
		bytes += call->end.response.body_size;
		if (batch->n_calls == most || bytes >= SETTLE_BYTES)
			return;
	}
	if (!due)
		batch->n_calls = 0;
}

/* Alternates between postponed and new calls, so that neither kind waits for the other. */
static void
settles_gather(Loop *loop, Batch *batch)
{
	settles_gather_some(loop, batch, loop->settles.postponed_next);
	if (batch->n_calls == 0)
		settles_gather_some(loop, batch, !loop->settles.postponed_next);
	loop->settles.postponed_next = batch->n_calls > 0 && batch->calls[0]->settle.delay == 0;
}

/* Must agree with settles_gather_some about when a batch is due. */
TimestampTz
settles_due(Loop *loop)
{
	TimestampTz due = DT_NOEND;
	size_t		bytes = 0;
	int			n_new = 0;

	foreach_call(call, loop, CALL_FINISHED)
	{
		due = Min(due, call->settle.at);
		if (call->settle.delay > 0)
			continue;
		bytes += call->end.response.body_size;
		if (++n_new == SETTLE_BATCH || bytes >= SETTLE_BYTES)
			return loop->settles.after;
	}
	return due == DT_NOEND ? due : Max(due, loop->settles.after);
}

void
settles_hurry(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();

	loop->settles.after = 0;
	foreach_call(call, loop, CALL_FINISHED)
	{
		call->settle.at = Min(call->settle.at,
							  TimestampTzPlusMilliseconds(now, call->settle.delay));
	}
}

void
settles_rest(Loop *loop, int ms)
{
	loop->settles.after = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

Step
settles_run(Loop *loop)
{
	Batch		batch;
	ErrorData  *error;

	settles_gather(loop, &batch);
	if (batch.n_calls == 0)
		return STEP_NOTHING;
	if (!loop_begin(loop, "llava_zh: settling replies"))
		return STEP_GONE;
	if (settle_together(loop, &batch, &error))
		return STEP_DONE;
	if (batch.n_calls == 1 || tx_error_passes(error))
		keep_batch(&batch, error);
	else
		settle_singly(loop, &batch);
	FreeErrorData(error);
	return STEP_DONE;
}

/*
 * Makes finished calls due now: all at first, later only those that have not failed alone.
 * Returns false if there are none.
 */
static bool
settles_make_due(Loop *loop, bool first)
{
	bool		any = false;

	foreach_call(call, loop, CALL_FINISHED)
	{
		if (!first && call->settle.with <= 1)
			continue;
		call->settle.at = 0;
		any = true;
	}
	return any;
}

/* Ends, since a batch that fails is halved until each of its calls has failed alone. */
Step
settle_all(Loop *loop)
{
	Step		step = STEP_NOTHING;

	for (bool first = true; step != STEP_GONE && settles_make_due(loop, first); first = false)
	{
		do
			step = settles_run(loop);
		while (step == STEP_DONE);
	}
	return step;
}
