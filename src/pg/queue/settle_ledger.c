/*
 * settle_ledger.c
 *	  Writes what a finished call produced: the reply to the ledger (llava_reply), the
 *	  sample (llava_conversation), and the cost (llava_usage).
 */
#include "postgres.h"

#include <math.h>

#include "db/db.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "settle_rows.h"
#include "utils/builtins.h"

Datum
settle_text(const char *text, char *null)
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

static Datum
body_datum(Call *call)
{
	bytea	   *body = palloc(VARHDRSZ + call->end.response.body_size);

	SET_VARSIZE(body, VARHDRSZ + call->end.response.body_size);
	memcpy(VARDATA(body), call->end.response.body, call->end.response.body_size);
	return PointerGetDatum(body);
}

/*
 * The columns of llava_reply after image: (number of the parameter, name, type).  For a
 * picture that was deleted an ERASED column gets its fourth argument instead of a value.
 */
#define REPLY_COLUMNS(KEPT, ERASED) \
	KEPT(2, id, "l") \
	KEPT(3, task, "t") \
	KEPT(4, task_version, "i") \
	KEPT(5, server, "t") \
	KEPT(6, model, "t") \
	KEPT(7, model_reported, "t") \
	KEPT(8, parameters, "j") \
	KEPT(9, variation, "i") \
	KEPT(10, seed, "l") \
	KEPT(11, sent_width, "i") \
	KEPT(12, sent_height, "i") \
	ERASED(13, body, "b", "NULL") \
	KEPT(14, finish_reason, "t") \
	KEPT(15, prompt_tokens, "l") \
	KEPT(16, completion_tokens, "l") \
	KEPT(17, latency_ms, "l") \
	KEPT(18, late, "B") \
	KEPT(19, reason, "t") \
	ERASED(20, reason_offset, "l", "NULL") \
	KEPT(21, flags, "T") \
	ERASED(22, measures, "j", "NULL") \
	KEPT(23, parser_version, "i") \
	KEPT(24, long_images, "t") \
	KEPT(25, image_tokens, "l")

#define COLUMN_NAME(n, name, type, ...) ", " #name
#define COLUMN_TYPE(n, name, type, ...) type
#define COLUMN_VALUE(n, name, type, ...) ", $" #n
#define COLUMN_INDEX(n, name, type, ...) REPLY_##name = (n) - 1,
#define VALUE_UNLESS_GONE(n, name, type, erased) \
	", CASE WHEN gone THEN " erased " ELSE $" #n " END"

enum
{
	REPLY_image,
	REPLY_COLUMNS(COLUMN_INDEX, COLUMN_INDEX)
	REPLY_VALUES
};

#define REPLY_INSERT \
	"INSERT INTO @.llava_reply (image" REPLY_COLUMNS(COLUMN_NAME, COLUMN_NAME) ")"
#define REPLY_TYPES "l" REPLY_COLUMNS(COLUMN_TYPE, COLUMN_TYPE)

static SqlStatement sql_settle_reply = {
	.text =
	REPLY_INSERT " VALUES ($1" REPLY_COLUMNS(COLUMN_VALUE, COLUMN_VALUE) ")",
	.types = REPLY_TYPES
};

/*
 * For a picture that was deleted only the cost is written.  The check is part of the
 * INSERT, so that both see the same state.
 */
static SqlStatement sql_settle_late = {
	.text =
	REPLY_INSERT " SELECT $1" REPLY_COLUMNS(COLUMN_VALUE, VALUE_UNLESS_GONE)
	" FROM (SELECT NOT EXISTS (SELECT FROM @.llava_image WHERE id = $1) OFFSET 0) f (gone)",
	.types = REPLY_TYPES
};

void
settle_reply(Batch *batch, Call *call, bool late, const char *reason)
{
	const ReplyResult *result = &call->end.result;
	const VlmEnvelope *envelope = &call->end.envelope;
	bool		parsed = call->end.outcome.action == VLM_DONE;
	Datum		v[REPLY_VALUES];
	char		nulls[REPLY_VALUES + 1];

	memset(nulls, ' ', sizeof(nulls));
	nulls[REPLY_VALUES] = '\0';
	v[REPLY_image] = Int64GetDatum(call->image);
	v[REPLY_id] = Int64GetDatum(call->id);
	v[REPLY_task] = CStringGetTextDatum(call->task->name);
	v[REPLY_task_version] = Int32GetDatum(call->task->version);
	v[REPLY_server] = CStringGetTextDatum(call->request.under->options->name);
	v[REPLY_model] = CStringGetTextDatum(call->request.under->options->model);
	v[REPLY_model_reported] = settle_text(envelope->model, &nulls[REPLY_model_reported]);
	v[REPLY_parameters] = parameters_of(batch, call);
	v[REPLY_variation] = Int32GetDatum(call->row.variation);
	v[REPLY_seed] = Int64GetDatum(call->request.seed);
	v[REPLY_sent_width] = Int32GetDatum(call->fit.width);
	v[REPLY_sent_height] = Int32GetDatum(call->fit.height);
	v[REPLY_body] = body_datum(call);
	v[REPLY_finish_reason] = settle_text(envelope->finish_reason, &nulls[REPLY_finish_reason]);
	v[REPLY_prompt_tokens] = known_number(envelope->prompt_tokens, &nulls[REPLY_prompt_tokens]);
	v[REPLY_completion_tokens] = known_number(envelope->completion_tokens, &nulls[REPLY_completion_tokens]);
	v[REPLY_latency_ms] = Int64GetDatum(call->end.response.latency_ms);
	v[REPLY_late] = BoolGetDatum(late);
	v[REPLY_reason] = settle_text(reason, &nulls[REPLY_reason]);
	v[REPLY_reason_offset] = known_number(parsed && result->reason != REPLY_ACCEPTED ?
										  (int64) result->offset : -1, &nulls[REPLY_reason_offset]);
	v[REPLY_flags] = conversation_flags(parsed ? result->flags : 0);
	v[REPLY_measures] = parsed ? conversation_measures(&result->measures) : (Datum) 0;
	nulls[REPLY_measures] = parsed ? ' ' : 'n';
	v[REPLY_parser_version] = Int32GetDatum(REPLY_PARSER_VERSION);
	v[REPLY_long_images] = settle_text(long_images_name(call->fit.long_done), &nulls[REPLY_long_images]);
	v[REPLY_image_tokens] = Int64GetDatum(call->fit.image_tokens);
	sql_run(late ? &sql_settle_late : &sql_settle_reply, v, nulls, 0);
}

/*
 * A new sample replaces an older one.  A person's verdict on the old text (keep, note) does
 * not apply to the new one, and is dropped.
 */
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

void
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
