/*
 * settle_rows.c
 *	  Decides what becomes of a finished call's row in the queue, and writes it: deleted,
 *	  failed with a reason, or waiting for the next attempt.
 *
 * Every statement that changes the row is fenced by the call id.  If the row was claimed
 * again meanwhile it belongs to another call: the statement changes nothing, and this
 * call's reply is kept in the ledger, marked late.
 */
#include "postgres.h"

#include "blame.h"
#include "settle_rows.h"
#include "utils/builtins.h"

/* The batch's tally of a server.  There is always room: a batch has as many as calls. */
static Tally *
tally_of(Batch *batch, ServerState *server)
{
	for (int i = 0; i < batch->n_tallies; i++)
		if (batch->tallies[i].server == server)
			return &batch->tallies[i];
	memset(&batch->tallies[batch->n_tallies], 0, sizeof(Tally));
	batch->tallies[batch->n_tallies].server = server;
	return &batch->tallies[batch->n_tallies++];
}

static SqlStatement sql_settle_excused = {
	.text =
	"UPDATE @.llava_pending SET visible_at = pg_catalog.now(), holder = NULL,"
	"  attempts = GREATEST(attempts - 1, 0), detail = $4, said = NULL, excused = true"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlt"
};

/* Returns the row to the queue without an attempt used up; at most once per row. */
static bool
settle_as_excused(Call *call, const char *reason, const char *detail)
{
	NullableDatum kept = settle_text(detail != NULL ? detail : reason);

	return call_run(call, &sql_settle_excused, &kept, 1);
}

/* The value of llava_pending.said for this call: which server said what. */
static NullableDatum
said_number(const Call *call)
{
	int64		said = call->request.sent ?
	blame_number(call->server->options->name, call->end.outcome.said) : 0;

	return settle_number(said, said != 0);
}

/* A row that was excused once stays failed until llava_retry. */
static SqlStatement sql_settle_failed = {
	.text =
	"UPDATE @.llava_pending SET failure = $4, detail = $5, holder = NULL,"
	"  said = CASE WHEN NOT excused THEN $6 END, excused = false"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlttl"
};

/* The row fails with a reason.  Returns false if another call has the row. */
static bool
settle_as_failed(Batch *batch, Call *call, const char *reason, const char *detail)
{
	NullableDatum values[] = {settle_text(reason), settle_text(detail), said_number(call)};

	if (blame_excuses(call))
		return settle_as_excused(call, reason, detail);
	if (!call_run(call, &sql_settle_failed, values, lengthof(values)))
		return false;
	batch->failed++;
	if (call->server != NULL)
		tally_of(batch, call->server)->failed++;
	return true;
}

static SqlStatement sql_release = {
	.text =
	"UPDATE @.llava_pending SET visible_at = pg_catalog.now() + $4, holder = NULL,"
	"  attempts = CASE WHEN $5 THEN attempts ELSE GREATEST(attempts - 1, 0) END,"
	"  detail = coalesce($6, detail), company = NULLIF(coalesce($7, company), 0)"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlvBti"
};

/* The row waits, and is then sent again unchanged. */
static bool
settle_as_released(Call *call, int64 delay_ms, bool counts, const char *detail)
{
	NullableDatum values[] = {
		settle_value(rows_interval(delay_ms)), settle_value(BoolGetDatum(counts)),
		settle_text(detail), {Int32GetDatum(call->retry.company), call->retry.company < 0}
	};

	return call_run(call, &sql_release, values, lengthof(values));
}

static SqlStatement sql_settle_again = {
	.text =
	"UPDATE @.llava_pending SET variation = variation + 1, holder = NULL,"
	"  visible_at = pg_catalog.now(), rejects = pg_catalog.array_append(rejects, $4),"
	"  detail = coalesce($5, $4), refused_by = coalesce($6, refused_by), company = NULL,"
	"  said = CASE WHEN NOT excused THEN $7 END"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltltttl"
};

/* The reply was rejected: the row is sent again with other parameters, or fails. */
static bool
settle_reject(Batch *batch, Call *call, const char *reason, const char *detail)
{
	NullableDatum values[] = {
		settle_text(rejects_word(call, reason)), settle_text(detail),
		settle_text(rejects_blame_server(reason) ? call->server->options->name : NULL),
		said_number(call)
	};

	if (blame_excuses(call) || call->row.attempts >= llava_max_attempts ||
		rejects_final(&call->row.rejects, rejects_word(call, reason)))
		return settle_as_failed(batch, call, reason, detail);
	return call_run(call, &sql_settle_again, values, lengthof(values));
}

/* A server's Retry-After, else an exponential back-off; both capped by retry_delay_max. */
static int64
retry_delay(const Call *call)
{
	if (call->end.response.retry_after_ms > 0)
		return Min(call->end.response.retry_after_ms, llava_retry_delay_max);
	return vlm_backoff_ms(call->row.attempts, llava_retry_delay, llava_retry_delay_max,
						  (uint64) call->request.seed * UINT64CONST(0x9E3779B97F4A7C15) + call->id);
}

/* Adds the cost that limits_ended found, which a failed request may have too. */
static void
count_cost(Tally *tally, const Call *call)
{
	tally->cost += call->end.cost;	/* 0 if it was not paid for */
	tally->estimated += call->end.estimated ? 1 : 0;
}

static void
count_reply(Tally *tally, const Call *call)
{
	tally->replies++;
	count_cost(tally, call);
	tally->prompt_tokens += Max(call->end.envelope.prompt_tokens, 0);
	tally->completion_tokens += Max(call->end.envelope.completion_tokens, 0);
}

/* Deletes the row of an accepted reply; if it deletes none, the reply came too late. */
static SqlStatement sql_settle_done = {
	.text =
	"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltl"
};

/* Settles a call that the model replied to: a sample or a reject. */
static void
settle_answer(Batch *batch, Call *call)
{
	const char *reason = call->end.reason;
	bool		mine;
	Tally	   *tally = tally_of(batch, call->server);

	/* the result before the row: so do all that change both */
	if (about_is_outdated(call))
	{
		settle_as_released(call, 0, false, "the result that it follows has changed");
		mine = false;
	}
	else if (reason == NULL)
	{
		mine = call_run(call, &sql_settle_done, NULL, 0);
		if (mine)
		{
			settle_sample(batch, call);
			tally->accepted++;
			batch->accepted++;
		}
	}
	else
		mine = settle_reject(batch, call, reason, NULL);
	settle_reply(batch, call, !mine, reason);
	count_reply(tally, call);
}

/*
 * By now it is known whether the server died when this and other requests were lost.  If
 * so, the attempt does not count, and the row becomes a suspect (suspects.c) unless its
 * request was never sent completely.
 */
static void
judge_death(Call *call)
{
	int			company;

	if (!limits_died(call->server->limits, call->end.lost_with, &company))
		return;
	call->end.outcome.counts = false;
	if (call->end.response.sent)
		call->retry.company = call->row.company > 0 ? Min(company, call->row.company) : company;
}

/* Settles a call without a request: its row waits again. */
static void
settle_unsent(Call *call)
{
	const char *detail = call->retry.wait_ms > 0 ? call->end.outcome.detail : NULL;

	if (!settle_as_released(call, call->retry.wait_ms, false, detail))
		interrupted_not(call);
}

/* Settles a request that brought no reply. */
static void
settle_failure(Batch *batch, Call *call)
{
	const VlmOutcome *outcome = &call->end.outcome;
	Tally	   *tally = tally_of(batch, call->server);
	bool		mine;

	if (call->end.lost_with != 0)
		judge_death(call);
	switch (outcome->action)
	{
		case VLM_IMAGE_FAULT:
			mine = settle_as_failed(batch, call, outcome->reason, outcome->detail);
			break;
		case VLM_PAUSE:
			mine = settle_as_released(call, 0, false, outcome->detail);
			break;
		case VLM_THROTTLE:
			tally->throttled++;
			mine = settle_as_released(call, retry_delay(call), false, outcome->detail);
			break;
		case VLM_FILTERED:
			mine = settle_reject(batch, call, outcome->reason, outcome->detail);
			break;
		default:
			if (outcome->counts && call->row.attempts >= llava_max_attempts)
				mine = settle_as_failed(batch, call, outcome->reason, outcome->detail);
			else
				mine = settle_as_released(call, retry_delay(call), outcome->counts,
										  outcome->detail);
	}

	/*
	 * a complete HTTP 200 that is no chat completion may be billed all the
	 * same
	 */
	if (call->end.response.status / 100 == 2 && call->end.response.curl_code == 0 &&
		call->end.response.body != NULL)
	{
		settle_reply(batch, call, !mine, outcome->reason);
		count_reply(tally, call);
	}
	else
		count_cost(tally, call);
}

void
settle_call(Batch *batch, Call *call)
{
	if (call->request.sent)
		tally_of(batch, call->server)->requests++;
	switch (call_ending(call))
	{
		case CALL_FAULT:
			if (!settle_as_failed(batch, call, call->end.fault, call->end.fault_detail))
				interrupted_not(call);
			break;
		case CALL_UNSENT:
			settle_unsent(call);
			break;
		case CALL_ANSWERED:
			settle_answer(batch, call);
			break;
		case CALL_FAILED:
			settle_failure(batch, call);
			break;
	}
}
