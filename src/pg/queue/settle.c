/*
 * settle.c
 *	  Ended calls leave the loop: ledger row, sample, queue row and usage in one
 *	  short transaction, several calls at a time.
 *
 * Everything that changes the queue row is fenced by the call id: a row that was
 * claimed again meanwhile is another call's, and what this one brought is kept in
 * the ledger, marked late.  A settle that fails (a user's lock, a full disk) keeps
 * its calls, renews their leases and is tried again; nothing is asked twice for it.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "db/db.h"
#include "executor/spi.h"
#include "image/image.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "miscadmin.h"
#include "process/process.h"
#include "reply/reply.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"

/* Calls of one transaction, and bytes of replies after which it takes no more. */
#define SETTLE_BATCH 64
#define SETTLE_BYTES (1024 * 1024)

/* Pause after a settle that failed. */
#define SETTLE_RETRY_MS 500
#define SETTLE_RETRY_MAX_MS 8000

/* One server's share of a batch. */
typedef struct Tally
{
	ServerState *server;
	int64		requests;
	int64		replies;
	int64		accepted;
	int64		failed;
	int64		throttled;
	int64		prompt_tokens;
	int64		completion_tokens;
	double		cost;
	int64		estimated;		/* replies whose cost is a forecast's */
} Tally;

typedef struct Batch
{
	Call	   *calls[SETTLE_BATCH];
	int			n_calls;
	Tally		tallies[SETTLE_BATCH];
	int			n_tallies;
	uint64		accepted;
	uint64		failed;
	const Call *parameters_of;	/* whose parameters these are; NULL: none */
	Datum		parameters;		/* jsonb */
} Batch;

static Datum
outside_text(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(rows_clean_text(text));
}

static Datum
known_number(int64 number, char *null)
{
	*null = number < 0 ? 'n' : ' ';
	return Int64GetDatum(number);
}

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

/* A row of the ledger. */
#define REPLY_COLUMNS \
	"INSERT INTO @.llava_reply (image, id, task, task_version, server, model," \
	"  model_reported, parameters, variation, seed, sent_width, sent_height, body," \
	"  finish_reason, prompt_tokens, completion_tokens, latency_ms, late, reason," \
	"  reason_offset, flags, measures, parser_version, long_images, image_tokens)"
#define REPLY_TYPES "lltitttjiliibtlllBtlTjitl"

static SqlStatement sql_settle_excused = {
	.text =
	"UPDATE @.llava_pending SET visible_at = pg_catalog.now(), holder = NULL,"
	"  attempts = GREATEST(attempts - 1, 0), detail = $4, said = NULL, excused = true"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlt"
};

/* The queue row waits, as if it had not been asked; but it does so once only. */
static bool
settle_as_excused(Call *call, const char *reason, const char *detail)
{
	Datum		values[4];
	char		nulls[5] = "    ";

	call_fence(call, values);
	values[3] = outside_text(detail != NULL ? detail : reason, &nulls[3]);
	return sql_run(&sql_settle_excused, values, nulls, 0) > 0;
}

/* What the row keeps of the words that it failed for. */
static Datum
said_number(const Call *call, char *null)
{
	int64		said = call->request.sent ?
	blame_number(call->server->options->name, call->end.outcome.said) : 0;

	*null = said == 0 ? 'n' : ' ';
	return Int64GetDatum(said);
}

/* What was excused once stays failed, until llava_retry. */
static SqlStatement sql_settle_failed = {
	.text =
	"UPDATE @.llava_pending SET failure = $4, detail = $5, holder = NULL,"
	"  said = CASE WHEN NOT excused THEN $6 END, excused = false"
	" WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltlttl"
};

/* The queue row rests with a reason.  False: it was another call's. */
static bool
settle_as_failed(Batch *batch, Call *call, const char *reason, const char *detail)
{
	Datum		values[6];
	char		nulls[7] = "      ";

	if (blame_excuses(call))
		return settle_as_excused(call, reason, detail);
	call_fence(call, values);
	values[3] = CStringGetTextDatum(reason);
	values[4] = outside_text(detail, &nulls[4]);
	values[5] = said_number(call, &nulls[5]);
	if (sql_run(&sql_settle_failed, values, nulls, 0) == 0)
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

/* The queue row waits, to be asked the same again. */
static bool
settle_as_released(Call *call, int64 delay_ms, bool counts, const char *detail)
{
	Datum		values[7];
	char		nulls[8] = "       ";

	call_fence(call, values);
	values[3] = rows_interval(delay_ms);
	values[4] = BoolGetDatum(counts);
	values[5] = outside_text(detail, &nulls[5]);
	values[6] = Int32GetDatum(call->retry.company);
	nulls[6] = call->retry.company < 0 ? 'n' : ' ';
	return sql_run(&sql_release, values, nulls, 0) > 0;
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

/* A reject: the queue row waits, to be asked differently, or it was the last. */
static bool
settle_reject(Batch *batch, Call *call, const char *reason, const char *detail)
{
	Datum		values[7];
	char		nulls[8] = "       ";

	if (blame_excuses(call) || call->row.attempts >= llava_max_attempts ||
		rejects_final(&call->row.rejects, reason))
		return settle_as_failed(batch, call, reason, detail);
	call_fence(call, values);
	values[3] = CStringGetTextDatum(reason);
	values[4] = outside_text(detail, &nulls[4]);
	values[5] = outside_text(rejects_blame_server(reason) ? call->server->options->name : NULL,
							 &nulls[5]);
	values[6] = said_number(call, &nulls[6]);
	return sql_run(&sql_settle_again, values, nulls, 0) > 0;
}

static int64
retry_delay(const Call *call)
{
	if (call->end.response.retry_after_ms > 0)
		return Min(call->end.response.retry_after_ms, llava_retry_delay_max);
	return vlm_backoff_ms(call->row.attempts, llava_retry_delay, llava_retry_delay_max,
						  (uint64) call->request.seed * UINT64CONST(0x9E3779B97F4A7C15) + call->id);
}

/* What the request was made with, as jsonb. */
static Datum
parameters_datum(const Call *call)
{
	const VlmSampling *sampling = &call->request.sampling;
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"pixel_factor\":%d,\"min_pixels\":" INT64_FORMAT
					 ",\"max_pixels\":" INT64_FORMAT,
					 call->fit.pixel_factor, call->fit.min_pixels, call->fit.max_pixels);
	if (sampling->max_tokens > 0)
		appendStringInfo(&json, ",\"max_tokens\":%d", sampling->max_tokens);
	if (!isnan(sampling->temperature))
		appendStringInfo(&json, ",\"temperature\":%g", sampling->temperature);
	if (!isnan(sampling->top_p))
		appendStringInfo(&json, ",\"top_p\":%g", sampling->top_p);
	if (!isnan(sampling->repetition_penalty))
		appendStringInfo(&json, ",\"repetition_penalty\":%g", sampling->repetition_penalty);
	if (!isnan(sampling->presence_penalty))
		appendStringInfo(&json, ",\"presence_penalty\":%g", sampling->presence_penalty);
	if (call->request.under->options->extra_body != NULL)
		appendStringInfo(&json, ",\"extra_body\":%s", call->request.under->options->extra_body);
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/* Mostly the same as of the call before. */
static Datum
parameters_of(Batch *batch, const Call *call)
{
	const Call *like = batch->parameters_of;

	if (like == NULL || like->request.under != call->request.under ||
		like->fit.pixel_factor != call->fit.pixel_factor || like->fit.min_pixels != call->fit.min_pixels ||
		like->fit.max_pixels != call->fit.max_pixels ||
		memcmp(&like->request.sampling, &call->request.sampling, sizeof(VlmSampling)) != 0)
		batch->parameters = parameters_datum(call);
	batch->parameters_of = call;
	return batch->parameters;
}

static Datum
body_datum(Call *call)
{
	bytea	   *body = palloc(VARHDRSZ + call->end.response.body_size);

	SET_VARSIZE(body, VARHDRSZ + call->end.response.body_size);
	memcpy(VARDATA(body), call->end.response.body, call->end.response.body_size);
	return PointerGetDatum(body);
}

static SqlStatement sql_settle_reply = {
	.text =
	REPLY_COLUMNS
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
	"  $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
	.types = REPLY_TYPES
};

/* About a picture that is gone: only what it cost. */
static SqlStatement sql_settle_late = {
	.text =
	REPLY_COLUMNS
	" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
	"  CASE WHEN gone THEN '' ELSE $13 END, $14, $15, $16, $17, $18, $19,"
	"  CASE WHEN NOT gone THEN $20 END, $21,"
	"  CASE WHEN NOT gone THEN $22 END, $23, $24, $25 "
	"FROM (SELECT NOT EXISTS (SELECT FROM @.llava_image WHERE id = $1) OFFSET 0) f (gone)",
	.types = REPLY_TYPES
};

/* The ledger row of a complete HTTP 200 body. */
static void
settle_reply(Batch *batch, Call *call, bool late, const char *reason)
{
	const ReplyResult *result = &call->end.result;
	const VlmEnvelope *envelope = &call->end.envelope;
	bool		parsed = call->end.outcome.action == VLM_DONE;
	Datum		v[25];
	char		nulls[26];

	memset(nulls, ' ', sizeof(nulls));
	nulls[25] = '\0';
	v[0] = Int64GetDatum(call->image);
	v[1] = Int64GetDatum(call->id);
	v[2] = CStringGetTextDatum(call->task->name);
	v[3] = Int32GetDatum(call->task->version);
	v[4] = CStringGetTextDatum(call->request.under->options->name);
	v[5] = CStringGetTextDatum(call->request.under->options->model);
	v[6] = outside_text(envelope->model, &nulls[6]);
	v[7] = parameters_of(batch, call);
	v[8] = Int32GetDatum(call->row.variation);
	v[9] = Int64GetDatum(call->request.seed);
	v[10] = Int32GetDatum(call->fit.width);
	v[11] = Int32GetDatum(call->fit.height);
	v[12] = body_datum(call);
	v[13] = outside_text(envelope->finish_reason, &nulls[13]);
	v[14] = known_number(envelope->prompt_tokens, &nulls[14]);
	v[15] = known_number(envelope->completion_tokens, &nulls[15]);
	v[16] = Int64GetDatum(call->end.response.latency_ms);
	v[17] = BoolGetDatum(late);
	v[18] = outside_text(reason, &nulls[18]);
	v[19] = known_number(parsed && result->reason != REPLY_ACCEPTED ?
						 (int64) result->offset : -1, &nulls[19]);
	v[20] = conversation_flags(parsed ? result->flags : 0);
	v[21] = parsed ? conversation_measures(&result->measures) : (Datum) 0;
	nulls[21] = parsed ? ' ' : 'n';
	v[22] = Int32GetDatum(REPLY_PARSER_VERSION);
	v[23] = outside_text(long_images_name(call->fit.long_done), &nulls[23]);
	v[24] = Int64GetDatum(call->fit.image_tokens);
	sql_run(late ? &sql_settle_late : &sql_settle_reply, v, nulls, 0);
}

static SqlStatement sql_settle_sample = {
	.text =
	"INSERT INTO @.llava_conversation (image, task, conversation, rounds, flags, reply,"
	"  task_version) VALUES ($1, $2, $3, $4, $5, $6, $7) "
	"ON CONFLICT (image, task) DO UPDATE SET conversation = EXCLUDED.conversation,"
	"  rounds = EXCLUDED.rounds, flags = EXCLUDED.flags, reply = EXCLUDED.reply,"
	"  task_version = EXCLUDED.task_version, created_at = pg_catalog.now(),"
	"  keep = NULL, note = NULL",
	.types = "ltjiTli"
};

static void
settle_sample(Call *call)
{
	Datum		v[7];
	int			rounds;
	const char *question = call->task->kind == REPLY_DESCRIPTION ?
	task_question(call->task, call->image) : NULL;

	v[0] = Int64GetDatum(call->image);
	v[1] = CStringGetTextDatum(call->task->name);
	v[2] = conversation_turns(&call->end.result, question, &rounds);
	v[3] = Int32GetDatum(rounds);
	v[4] = conversation_flags(call->end.result.flags);
	v[5] = Int64GetDatum(call->id);
	v[6] = Int32GetDatum(call->task->version);
	sql_run(&sql_settle_sample, v, NULL, 0);
}

/* What came was paid for, as far as limits_ended has found, whole or in part. */
static void
count_cost(Tally *tally, const Call *call)
{
	tally->cost += call->end.cost;
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

static SqlStatement sql_settle_done = {
	.text =
	"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2 AND call = $3",
	.types = "ltl"
};

/* A reply that parsed, or one that is to be asked for again. */
static void
settle_answer(Batch *batch, Call *call)
{
	const char *reason = call->end.reason;
	bool		mine;
	Datum		values[3];
	Tally	   *tally = tally_of(batch, call->server);

	if (reason == NULL)
	{
		call_fence(call, values);
		mine = sql_run(&sql_settle_done, values, NULL, 0) > 0;
		if (mine)
		{
			settle_sample(call);
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
 * By now it is known whether the server died of what was lost together.  Then no attempt
 * counts, and each is a suspect, unless it was not sent whole.
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

/* No request was made: the row waits as before. */
static void
settle_unsent(Call *call)
{
	const char *detail = call->retry.wait_ms > 0 ? call->end.outcome.detail : NULL;

	if (!settle_as_released(call, call->retry.wait_ms, false, detail))
		interrupted_not(call);
}

/* A request that brought no answer. */
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
	/* a whole 200 that is no completion may have been paid for all the same */
	if (call->end.response.status / 100 == 2 && call->end.response.curl_code == 0 &&
		call->end.response.body != NULL)
	{
		settle_reply(batch, call, !mine, outcome->reason);
		count_reply(tally, call);
	}
	else
		count_cost(tally, call);
}

static void
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

static SqlStatement sql_usage_add = {
	.text =
	"INSERT INTO @.llava_usage AS u (server, requests, replies, accepted, failed,"
	"  throttled, prompt_tokens, completion_tokens, cost, estimated) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
	"ON CONFLICT (server) DO UPDATE SET requests = u.requests + EXCLUDED.requests,"
	"  replies = u.replies + EXCLUDED.replies, accepted = u.accepted + EXCLUDED.accepted,"
	"  failed = u.failed + EXCLUDED.failed, throttled = u.throttled + EXCLUDED.throttled,"
	"  prompt_tokens = u.prompt_tokens + EXCLUDED.prompt_tokens,"
	"  completion_tokens = u.completion_tokens + EXCLUDED.completion_tokens,"
	"  cost = u.cost + EXCLUDED.cost, estimated = u.estimated + EXCLUDED.estimated",
	.types = "tllllllldl"
};

static void
settle_usage(Batch *batch)
{
	for (int i = 0; i < batch->n_tallies; i++)
	{
		Tally	   *t = &batch->tallies[i];
		Datum		v[10];

		if (t->requests == 0 && t->failed == 0)
			continue;
		v[0] = CStringGetTextDatum(t->server->options->name);
		v[1] = Int64GetDatum(t->requests);
		v[2] = Int64GetDatum(t->replies);
		v[3] = Int64GetDatum(t->accepted);
		v[4] = Int64GetDatum(t->failed);
		v[5] = Int64GetDatum(t->throttled);
		v[6] = Int64GetDatum(t->prompt_tokens);
		v[7] = Int64GetDatum(t->completion_tokens);
		v[8] = Float8GetDatum(t->cost);
		v[9] = Int64GetDatum(t->estimated);
		sql_run(&sql_usage_add, v, NULL, 0);
	}
}

/* The whole batch, inside a subtransaction. */
static void
settle_batch(Loop *loop, void *arg)
{
	Batch	   *batch = arg;

	batch->n_tallies = 0;
	batch->accepted = batch->failed = 0;
	batch->parameters_of = NULL;
	for (int i = 0; i < batch->n_calls; i++)
	{
		settle_call(batch, batch->calls[i]);
		dispatch_serve(loop);
	}
	settle_usage(batch);
	server_record_pauses(loop);
}

static bool
any_postponed(const Loop *loop)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &loop->calls.lists[CALL_FINISHED]))
	{
		if (dlist_container(Call, node, iter.cur)->settle.delay > 0)
			return true;
	}
	return false;
}

/* After the commit: what was settled is forgotten. */
static void
forget_batch(Loop *loop, Batch *batch)
{
	for (int i = 0; i < batch->n_calls; i++)
		call_free(loop, batch->calls[i]);
	loop->settles.accepted += batch->accepted;
	loop->settles.failed += batch->failed;
	if (!any_postponed(loop))
		(void) postponed_done(POSTPONED_SETTLE);
	/* retries may be due at once */
	claims_wake(loop);
}

/*
 * They are tried again, half as many together: in the end the one that fails by
 * itself, since its row is locked, is alone, and tried less often each time.
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
	/* once a reply, however often it is tried */
	if (n_new > 0)
		ereport(LOG,
				(errmsg("llava_zh: settle of %d replies postponed: %s", n_new, error->message)));
}

/* In the transaction that was begun, which ends.  False: *error says why not. */
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

/* A batch that failed for a row's own sake is settled call by call. */
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
 * Calls whose settle has failed before, or has not: all there are once one has waited
 * long enough or there are many; none before.
 */
static void
gather_those(Loop *loop, Batch *batch, bool postponed)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz soon = TimestampTzPlusMilliseconds(now, SETTLE_GATHER_MS);
	int			most = SETTLE_BATCH;
	bool		due = false;
	size_t		bytes = 0;
	dlist_iter	iter;

	batch->n_calls = 0;
	dlist_foreach(iter, &loop->calls.lists[CALL_FINISHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

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

/* What failed before and what is new by turns: neither waits for the other. */
static void
gather(Loop *loop, Batch *batch)
{
	gather_those(loop, batch, loop->settles.postponed_next);
	if (batch->n_calls == 0)
		gather_those(loop, batch, !loop->settles.postponed_next);
	loop->settles.postponed_next = batch->n_calls > 0 && batch->calls[0]->settle.delay == 0;
}

/* As gather_those: all that waits for others to be settled with is due when there are many. */
TimestampTz
settles_due(Loop *loop)
{
	TimestampTz due = DT_NOEND;
	size_t		bytes = 0;
	int			n_new = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[CALL_FINISHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

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
	dlist_iter	iter;

	loop->settles.after = 0;
	dlist_foreach(iter, &loop->calls.lists[CALL_FINISHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

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

	gather(loop, &batch);
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

/* All that has not failed by itself is to be settled now; false: there is none. */
static bool
hurry(Loop *loop, bool first)
{
	bool		any = false;
	dlist_iter	iter;

	dlist_foreach(iter, &loop->calls.lists[CALL_FINISHED])
	{
		Call	   *call = dlist_container(Call, node, iter.cur);

		if (!first && call->settle.with <= 1)
			continue;
		call->settle.at = 0;
		any = true;
	}
	return any;
}

/* A batch that fails is put off, and tried again by halves, so this ends. */
Step
settle_all(Loop *loop)
{
	Step		step = STEP_NOTHING;

	for (bool first = true; step != STEP_GONE && hurry(loop, first); first = false)
	{
		do
			step = settles_run(loop);
		while (step == STEP_DONE);
	}
	return step;
}
