/*
 * settle_ledger.c
 *	  Writes what a finished call produced: the reply to the ledger (llava_reply), the
 *	  sample (llava_conversation), and the cost (llava_usage).
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "ledger/ledger.h"
#include "process/process.h"
#include "settle_rows.h"
#include "utils/builtins.h"

NullableDatum
settle_text(const char *words)
{
	NullableDatum value = {.isnull = words == NULL};

	if (words != NULL)
		value.value = CStringGetTextDatum(rows_clean_text(words));
	return value;
}

NullableDatum
settle_value(Datum datum)
{
	NullableDatum value = {datum, false};

	return value;
}

NullableDatum
settle_number(int64 number, bool known)
{
	NullableDatum value = {Int64GetDatum(number), !known};

	return value;
}

/* The parameters of the request, as jsonb. */
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
	if (sampling->response_format != NULL)
		appendStringInfo(&json, ",\"response_format\":%s", sampling->response_format);
	if (call->request.under->options->extra_body != NULL)
		appendStringInfo(&json, ",\"extra_body\":%s", call->request.under->options->extra_body);
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

/* Like parameters_datum, but reuses the value of the previous call if that is the same. */
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

static NullableDatum
measures_of(const Call *call)
{
	NullableDatum value = {.isnull = call->end.outcome.action != VLM_DONE};

	if (!value.isnull)
		value.value = conversation_measures(&call->end.result.measures);
	return value;
}

/*
 * The columns of llava_reply after image, task and id: (number of the parameter, value in
 * settle_reply, name, type).  For a deleted picture the ERASED columns are left null.
 */
#define REPLY_COLUMNS(KEPT, ERASED) \
	KEPT(4, settle_value(Int32GetDatum(call->task->version)), "task_version", "i") \
	KEPT(5, settle_value(CStringGetTextDatum(options->name)), "server", "t") \
	KEPT(6, settle_value(CStringGetTextDatum(options->model)), "model", "t") \
	KEPT(7, settle_text(envelope->model), "model_reported", "t") \
	KEPT(8, settle_value(parameters_of(batch, call)), "parameters", "j") \
	KEPT(9, settle_value(Int32GetDatum(call->row.variation)), "variation", "i") \
	KEPT(10, settle_number(call->request.seed, true), "seed", "l") \
	KEPT(11, settle_value(Int32GetDatum(call->fit.width)), "sent_width", "i") \
	KEPT(12, settle_value(Int32GetDatum(call->fit.height)), "sent_height", "i") \
	KEPT(13, settle_text(envelope->finish_reason), "finish_reason", "t") \
	KEPT(14, settle_number(envelope->prompt_tokens, envelope->prompt_tokens >= 0), "prompt_tokens", "l") \
	KEPT(15, settle_number(envelope->completion_tokens, envelope->completion_tokens >= 0), \
		 "completion_tokens", "l") \
	KEPT(16, settle_number(response->latency_ms, true), "latency_ms", "l") \
	KEPT(17, settle_value(BoolGetDatum(late)), "late", "B") \
	KEPT(18, settle_text(reason), "reason", "t") \
	ERASED(19, settle_number((int64) result->offset, parsed && result->reason != REPLY_ACCEPTED), \
		   "reason_offset", "l") \
	KEPT(20, settle_value(conversation_flags(parsed ? result->flags : 0)), "flags", "T") \
	ERASED(21, measures_of(call), "measures", "j") \
	KEPT(22, settle_value(Int32GetDatum(REPLY_PARSER_VERSION)), "parser_version", "i") \
	KEPT(23, settle_text(long_images_name(call->fit.long_done)), "long_images", "t") \
	KEPT(24, settle_number(call->fit.image_tokens, true), "image_tokens", "l") \
	KEPT(25, settle_value(Float8GetDatum(call->end.cost)), "cost", "d") \
	KEPT(26, settle_value(BoolGetDatum(call->end.estimated)), "estimated", "B") \
	KEPT(27, settle_number(call->about, call->about > 0), "about", "l")

#define REPLY_DATUM(position, value, column, type) value,
#define VALUE_UNLESS_GONE(position, value, column, type) \
	", CASE WHEN NOT gone THEN $" #position " END"

#define REPLY_INSERT \
	"INSERT INTO @.llava_reply (image, task, id" REPLY_COLUMNS(SQL_COLUMN, SQL_COLUMN) ", body)"
#define REPLY_TYPES "ltl" REPLY_COLUMNS(SQL_TYPE, SQL_TYPE) "b"

static SqlStatement sql_settle_reply = {
	.text =
	REPLY_INSERT " VALUES ($1, $2, $3" REPLY_COLUMNS(SQL_VALUE, SQL_VALUE) ", $28)",
	.types = REPLY_TYPES
};

/*
 * For a picture that was deleted only the cost is written.  The check is part of the
 * INSERT, so that both see the same state.
 */
static SqlStatement sql_settle_late = {
	.text =
	REPLY_INSERT " SELECT $1, $2, $3" REPLY_COLUMNS(SQL_VALUE, VALUE_UNLESS_GONE)
	", CASE WHEN NOT gone THEN $28 END"
	" FROM (SELECT NOT EXISTS (SELECT FROM @.llava_image WHERE id = $1) OFFSET 0) f (gone)",
	.types = REPLY_TYPES
};

void
settle_reply(Batch *batch, Call *call, bool late, const char *reason)
{
	const ReplyResult *result = &call->end.result;
	const VlmEnvelope *envelope = &call->end.envelope;
	const VlmResponse *response = &call->end.response;
	const LlavaServer *options = call->request.under->options;
	bool		parsed = call->end.outcome.action == VLM_DONE;
	bytea	   *body = rows_bytea(response->body, response->body_size);
	NullableDatum values[] = {
		REPLY_COLUMNS(REPLY_DATUM, REPLY_DATUM) settle_value(PointerGetDatum(body))
	};

	call_run(call, late ? &sql_settle_late : &sql_settle_reply, values, lengthof(values));
}

/* A person's verdict on a sample that is replaced stays with the reply that it was about. */
static SqlStatement sql_settle_judged = {
	.text =
	"UPDATE @.llava_reply r SET keep = c.keep, note = c.note FROM @.llava_conversation c"
	" WHERE c.image = $1 AND c.task = $2 AND (c.keep IS NOT NULL OR c.note IS NOT NULL)"
	"  AND r.image = c.image AND r.id = c.reply",
	.types = "ltl"
};

/*
 * A new sample replaces an older one.  A person's verdict on the old text (keep, note) does
 * not apply to the new one.
 */
static SqlStatement sql_settle_sample = {
	.text =
	"INSERT INTO @.llava_conversation (image, task, reply, conversation, rounds, flags,"
	"  task_version) VALUES ($1, $2, $3, $4, $5, $6, $7) "
	"ON CONFLICT (image, task) DO UPDATE SET conversation = EXCLUDED.conversation,"
	"  rounds = EXCLUDED.rounds, flags = EXCLUDED.flags, reply = EXCLUDED.reply,"
	"  task_version = EXCLUDED.task_version, created_at = pg_catalog.now(),"
	"  keep = NULL, note = NULL, edited_at = NULL",
	.types = "ltljiTi"
};

static void
store_sample(Call *call)
{
	int			rounds;
	const char *question = call->task->kind == REPLY_DESCRIPTION ?
	task_question(call->task, call->image) : NULL;
	Datum		turns = conversation_turns(&call->end.result, question, &rounds);
	NullableDatum values[] = {
		settle_value(turns), settle_value(Int32GetDatum(rounds)),
		settle_value(conversation_flags(call->end.result.flags)),
		settle_value(Int32GetDatum(call->task->version))
	};

	/* a row that was never asked anew has no sample */
	if (call->row.variation > 0)
		call_run(call, &sql_settle_judged, NULL, 0);
	call_run(call, &sql_settle_sample, values, lengthof(values));
}

static SqlStatement sql_settle_annotation = {
	.text =
	"INSERT INTO @.llava_annotation (image, task, reply, object, flags, about, task_version)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7) "
	"ON CONFLICT (image, task) DO UPDATE SET object = EXCLUDED.object, flags = EXCLUDED.flags,"
	"  about = EXCLUDED.about, reply = EXCLUDED.reply, task_version = EXCLUDED.task_version,"
	"  at = pg_catalog.now()",
	.types = "ltljTli"
};

static void
store_annotation(Call *call)
{
	NullableDatum values[] = {
		settle_value(conversation_object(&call->end.result)), settle_value(conversation_flags(call->end.result.flags)),
		settle_number(call->about, call->about > 0), settle_value(Int32GetDatum(call->task->version))
	};

	call_run(call, &sql_settle_annotation, values, lengthof(values));
}

void
settle_sample(Batch *batch, Call *call)
{
	if (call->task->kind == REPLY_OBJECT)
		store_annotation(call);
	else
		store_sample(call);
	batch->results[batch->n_results++] = (FollowedResult)
	{
		call->image, call->task->name, call->id
	};
}

/* Which tasks follow is read behind the first write to the table of results (follow.c). */
void
settle_followers(Batch *batch)
{
	if (batch->n_results == 0 || !followers_of_results(followers_read(), batch->results, batch->n_results))
		return;
	/* for the other workers */
	wake_at_commit(GetCurrentTransactionStartTimestamp());
	batch->followed = true;
}

/* Run after all calls of the batch are written, since it locks a row that all workers share. */
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

void
settle_usage(Batch *batch)
{
	for (int i = 0; i < batch->n_tallies; i++)
	{
		Tally	   *t = &batch->tallies[i];
		Datum		values[] = {
			CStringGetTextDatum(t->server->options->name),
			Int64GetDatum(t->requests), Int64GetDatum(t->replies),
			Int64GetDatum(t->accepted), Int64GetDatum(t->failed), Int64GetDatum(t->throttled),
			Int64GetDatum(t->prompt_tokens), Int64GetDatum(t->completion_tokens),
			Float8GetDatum(t->cost), Int64GetDatum(t->estimated)
		};

		if (t->requests > 0 || t->failed > 0)
			sql_run(&sql_usage_add, values, NULL, 0);
	}
}
