/*
 * generate.c
 *	  llava_generate: one image, one task, one conversation, in the caller's session.
 *
 * Prepares, asks and parses as the worker does, without the queue.  What is held outside
 * of memory contexts belongs to one Asking, which is released on every exit: a cancelled
 * statement closes its connection at once, so that the model does not work on a reply that
 * nobody will read.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "db/db.h"
#include "generate.h"
#include "ledger/ledger.h"
#include "miscadmin.h"
#include "picture/picture.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/inval.h"

/* The most requests of one call.  A worker can wait longer than the user of a session. */
#define TRIES 3

/* Connections a session keeps to the servers it asks. */
#define CONNECTIONS 4

PG_FUNCTION_INFO_V1(llava_generate);

static void
let_go(Asking *asking)
{
	if (asking->pool != NULL)
		vlm_pool_cancel(asking->pool, asking);
	if (asking->slot)
		limits_given_up(asking->limits, asking->endpoint, true);
	limits_not_urgent(asking->limits);
	image_prepared_free(&asking->prepared);
	vlm_response_free(&asking->response);
	vlm_envelope_free(&asking->envelope);
	if (asking->answered)
		reply_result_free(&asking->result);
	if (asking->key != NULL)
		explicit_bzero(asking->key, strlen(asking->key));
}

static void
prepare(Asking *asking)
{
	ImageFit	fit;
	ImageInfo	info;

	config_image_fit(&fit);
	fit.factor = asking->server->pixel_factor;
	fit.min_pixels = asking->server->min_pixels;
	fit.max_pixels = asking->server->max_pixels;

	/*
	 * a picture that a worker would park is sent all the same, since its
	 * caller wants it
	 */
	if (image_info(asking->image, asking->image_size, &info, NULL) == IMAGE_OK)
		(void) long_images_fit(asking->task, LONG_AS_TASK, &info, &fit);
	image_prepare_here(asking->image, asking->image_size, &fit, &asking->prepared);
	asking->forecast = task_forecast(&asking->prepared, &fit, asking->task->prompt,
									 &asking->task->sampling);
}

/* Milliseconds left of the time that all tries together may take. */
static int64
time_left(const Asking *asking)
{
	return Max((asking->deadline - GetCurrentTimestamp()) / 1000, 0);
}

pg_noreturn static void
out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("The request could not be made.")));
}

static void
submit(Asking *asking)
{
	const LlavaServer *server = asking->server;
	const ImagePrepared *prepared = &asking->prepared;
	VlmSampling sampling = asking->task->sampling;
	VlmRequest	request = {0};
	const char *message = NULL;
	char	   *id = psprintf("generate-%d-%016llx", MyProcPid,
							  (unsigned long long) pg_prng_uint64(&pg_global_prng_state));

	sampling.seed = asking->seed;
	request.url = server->url;
	request.api_key = asking->key;
	request.request_id = id;
	request.connect_timeout_ms = server->connect_timeout;
	request.request_timeout_ms = (int) Max(time_left(asking), 1);
	request.max_reply_bytes = (size_t) llava_max_reply_size * 1024;
	request.user = asking;
	request.image_size = prepared->passed_through ? asking->image_size : prepared->size;
	request.image = malloc(request.image_size);
	if (request.image != NULL)
		memcpy(request.image, prepared->passed_through ? asking->image : prepared->data,
			   request.image_size);
	if (request.image == NULL ||
		!vlm_body_build(&request.body, server->model, asking->task->prompt, &sampling,
						server->extra_body, &message) ||
		!vlm_pool_submit(asking->pool, &request))
	{
		free(request.image);
		vlm_body_free(&request.body);
		out_of_memory();
	}
}

/* Waits for one of the server's slots, before any worker that wants one. */
static void
generate_take_slot(Asking *asking)
{
	int64		wait;

	for (;;)
	{
		const char *option = limits_used_up(asking->limits, false);

		/* limits that a person set apply to sessions as well */
		if (option != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("the %s of server \"%s\" is used up", option, asking->server->name),
					 errhint("ALTER SERVER %s OPTIONS (SET %s '...');",
							 quote_identifier(asking->server->name), option)));
		asking->slot = limits_take(asking->limits,
								   asking->forecast.prompt + asking->forecast.completion,
								   true, 0, &asking->endpoint, &wait);
		if (asking->slot)
			return;
		if (time_left(asking) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("server \"%s\" had no room for a request in time",
							asking->server->name),
					 errhint("Its limits are the server options max_in_flight, requests_per_minute and tokens_per_minute, and the setting llava_zh.endpoints, which all servers with its url share. The server option request_timeout limits the wait.")));
		transport_wait(-1, (long) (wait < 0 ? time_left(asking) : Min(wait, time_left(asking))));
	}
}

/* Sends the request, waits for its end, and gives the slot back. */
static void
ask(Asking *asking, VlmOutcome *outcome)
{
	VlmResponse *response = &asking->response;
	VlmEnvelope *envelope = &asking->envelope;
	VlmTokens	said;
	double		cost;
	Loss		loss;

	generate_take_slot(asking);
	submit(asking);
	vlm_response_free(response);
	memset(response, 0, sizeof(*response));
	while (!vlm_pool_next(asking->pool, response))
		transport_wait(-1, -1);

	vlm_envelope_free(envelope);
	vlm_outcome(response, outcome, envelope);
	said = (VlmTokens)
	{
		envelope->prompt_tokens, envelope->completion_tokens
	};
	asking->slot = false;
	limits_look_at_end(asking->limits, suspects_sign(outcome), NULL, &loss);
	cost = limits_ended(asking->limits, asking->endpoint, outcome, response->latency_ms,
						response->retry_after_ms, asking->forecast, said);
	/* no table is written, so nothing is left to settle */
	limits_settled(asking->limits, cost);
	limits_offer(asking->limits);
}

static void
wait_for(int64 delay_ms)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	int64		left;

	while ((left = until - GetCurrentTimestamp()) > 0)
		transport_wait(-1, (long) (left / 1000 + 1));
}

/* Milliseconds to wait before asking again; -1: not again. */
static int64
delay_before_retry(const Asking *asking, const VlmOutcome *outcome, int try)
{
	int64		delay;

	if ((outcome->action != VLM_RETRY && outcome->action != VLM_THROTTLE) || try >= TRIES)
		return -1;
	if (asking->response.retry_after_ms >= 0)
		delay = Min(asking->response.retry_after_ms, llava_retry_delay_max);
	else
		delay = vlm_backoff_ms(try, llava_retry_delay, llava_retry_delay_max,
							   pg_prng_uint64(&pg_global_prng_state));
	return delay < time_left(asking) ? delay : -1;
}

/* Asks until there is an answer; ERROR if there will be none. */
static void
ask_until_answered(Asking *asking)
{
	for (int try = 1;; try++)
	{
		VlmOutcome	outcome;
		int64		delay;

		ask(asking, &outcome);
		if (outcome.action == VLM_DONE)
			return;
		delay = delay_before_retry(asking, &outcome, try);
		if (delay < 0)
			generate_refuse(asking, &outcome);
		wait_for(delay);
	}
}

/* The conversation in the answer; ERROR if it is no sample. */
static Datum
conversation_of(Asking *asking)
{
	VlmEnvelope *envelope = &asking->envelope;
	const char *reason;
	const char *question = NULL;
	int			rounds;

	reason = verdict_of(&asking->task->rules, envelope, &asking->result);
	asking->answered = true;
	if (asking->result.reason == REPLY_NO_MEMORY)
		out_of_memory();
	if (reason != NULL)
		generate_refuse_reply(asking, reason);

	if (asking->task->kind == REPLY_OBJECT)
		return conversation_object(&asking->result);

	/* the same picture gets the same question */
	if (asking->task->kind == REPLY_DESCRIPTION)
		question = task_question(asking->task,
								 (int64) hash_bytes_extended(asking->image,
															 (int) asking->image_size, 0));
	return conversation_turns(&asking->result, question, &rounds);
}

static Datum
generate(Asking *asking)
{
	VlmPool    *pool;

	prepare(asking);
	pool = transport_pool(CONNECTIONS);
	if (vlm_pool_in_flight(pool) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("llava_generate cannot be called while the queue is drained in the same session"),
				 errhint("Queue the image with llava_enqueue instead.")));
	asking->pool = pool;
	asking->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   asking->server->request_timeout);
	ask_until_answered(asking);
	return conversation_of(asking);
}

static char *
generate_argument_text(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static void
generate_check_arguments(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"image", "task"};

	for (int i = 0; i < lengthof(names); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" of llava_generate is NULL", names[i]),
					 i == 0 ?
					 errhint("A row of llava_image whose same_as is set holds no bytes of its own.") :
					 errhint("SELECT name, alias FROM llava_task;")));
}

/*
 * The server and its limits, which are shared: they are given its options as they are now,
 * never older ones than a worker may have read meanwhile.  A statement that calls for many
 * pictures would otherwise see no change that was made since it began.
 */
static void
generate_find_server(Asking *asking, const char *name)
{
	uint64		version;

	servers_watch();
	AcceptInvalidationMessages();
	do
	{
		version = servers_version();
		asking->server = server_for_caller(name);
		asking->limits = limits_attach(asking->server,
									   server_rank(asking->server->owner));
		if (!limits_are_shared(asking->limits) || server_is_committed(asking->server->oid))
			limits_set_options(asking->limits, asking->server);
		/* even if its url is visible only to this transaction */
		limits_set_endpoint(asking->limits, asking->server,
							server_rank(asking->server->owner));
		AcceptInvalidationMessages();
	} while (version != servers_version());
	if (!limits_were_read(asking->limits))
		server_read_usage(asking->server, asking->limits);
}

/* The bytes of a picture say nothing of the results that it has. */
static void
generate_check_placeholders(const LlavaTask *task)
{
	int			placeholders = task_placeholders(task);

	if (placeholders != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the prompt of \"%s\" has %s, and a picture alone has no result of \"%s\"", task->name,
						placeholder_word(placeholders), task->after),
				 errhint("INSERT the picture into llava_image: the task is queued when \"%s\" has its result.", task->after)));
}

/*
 * llava_generate(image bytea, task text, server text): the conversation.  Blocks
 * for at most the server's request_timeout; writes no table.
 */
Datum
llava_generate(PG_FUNCTION_ARGS)
{
	Asking		asking = {0};
	char	   *server;
	bytea	   *image;
	volatile Datum conversation;

	generate_check_arguments(fcinfo);
	asking.task = task_find(generate_argument_text(fcinfo, 1));
	generate_check_placeholders(asking.task);
	server = generate_argument_text(fcinfo, 2);
	generate_find_server(&asking, server != NULL ? server : asking.task->server);
	if (asking.server->paused)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("server \"%s\" is paused", asking.server->name),
				 errhint("SELECT llava_resume(%s);", quote_literal_cstr(asking.server->name))));
	image = PG_GETARG_BYTEA_PP(0);
	asking.image = (const uint8 *) VARDATA_ANY(image);
	asking.image_size = VARSIZE_ANY_EXHDR(image);
	asking.seed = (int64) (pg_prng_uint64(&pg_global_prng_state) & 0x7fffffff);

	PG_TRY();
	{
		asking.key = server_key_for_caller(asking.server);
		conversation = generate(&asking);
	}
	PG_FINALLY();
	{
		let_go(&asking);
	}
	PG_END_TRY();
	PG_RETURN_DATUM(conversation);
}
