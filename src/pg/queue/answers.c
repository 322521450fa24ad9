/*
 * answers.c
 *	  What came of requests: each response is judged, and its call finished.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "db/db.h"
#include "image/image.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "miscadmin.h"
#include "process/process.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"

/*
 * Bytes of responses that are judged together: they are parsed at some hundred MB/s,
 * and neither sockets nor interrupts are served meanwhile.
 */
#define RESPONSES_AT_ONCE (256 * 1024)

/*
 * A failure that may be the picture's: whether it is the server's, which then is
 * paused.  Only the request that probes a failing server counts as an attempt: else
 * an outage would use up those of all that wait.
 */
static bool
server_is_failing(ServerState *server, Call *call)
{
	VlmOutcome *outcome = &call->end.outcome;
	Pause		pause;
	bool		probe;

	if (!outcome->probe || !limits_failing(server->limits, call->row.attempts == 1))
		return false;
	limits_pause_now(server->limits, &pause);
	probe = pause.prober == MyProcPid;
	outcome->action = VLM_RETRY;
	outcome->counts &= probe;
	/* what was in flight when it was paused says nothing new */
	if (probe || pause.reason[0] == '\0')
		server_pause(server, outcome->reason, outcome->detail, true, call->id);
	return true;
}

/* What a response says about its server. */
static void
judge_server(ServerState *server, Call *call)
{
	const VlmOutcome *outcome = &call->end.outcome;

	if (outcome->action == VLM_PAUSE)
	{
		server_pause(server, outcome->reason, outcome->detail, outcome->probe, call->id);
		limits_owe(server->limits, outcome);
	}
	else if (blame_server(server, call) ||
			 ((outcome->action == VLM_RETRY || outcome->action == VLM_IMAGE_FAULT) &&
			  server_is_failing(server, call)))
		return;
	else if (outcome->action == VLM_RETRY || outcome->action == VLM_THROTTLE ||
			 (outcome->action != VLM_DONE && limits_guilty(server->limits, 0)))
		server_probe_failed(server, call->id);
	else
		server_works(server);
}

/* What the end of a request says about whether its server lives. */
static void
look_at_end(Call *call, Loss *loss)
{
	ServerSign	sign = suspects_sign(&call->end.outcome);
	SuspectRow	row;

	row.image = call->image;
	row.task = hash_bytes((const unsigned char *) call->task->name, (int) strlen(call->task->name));
	row.sent = call->end.response.sent || sign == SIGN_GATEWAY;
	limits_look_at_end(call->server->limits, sign, &row, loss);
	/* whoever is answered has done no harm */
	if (sign == SIGN_ANSWER)
		call->retry.company = 0;
}

/* A request about it was lost alone once too often: it is not asked about any more. */
static void
convict(Call *call)
{
	VlmOutcome *outcome = &call->end.outcome;
	char		words[sizeof(outcome->detail)];

	strlcpy(words, outcome->detail, sizeof(words));
	snprintf(outcome->detail, sizeof(outcome->detail),
			 "the server went down twice while nothing but this picture was in flight: %s", words);
	ereport(LOG,
			(errmsg("llava_zh: image " INT64_FORMAT ", task \"%s\", is not asked about any more: %s",
					call->image, call->task->name, outcome->detail),
			 errhint("llava_retry(reason => 'kills_server') asks again, with nothing else in flight.")));
	outcome->action = VLM_IMAGE_FAULT;
	outcome->reason = "kills_server";
	outcome->probe = false;
}

/* Nobody is asked there until one request finds that it is back. */
static void
pause_after_loss(ServerState *server, const VlmOutcome *outcome, const Loss *loss)
{
	char		words[sizeof(outcome->detail)];

	if (loss->alone)
		snprintf(words, sizeof(words), "requests are lost one after the other: %s", outcome->detail);
	else
		snprintf(words, sizeof(words), "%d of %d requests in flight were lost together: %s",
				 loss->lost, loss->in_flight, outcome->detail);
	server_pause(server, outcome->reason, words, true, 0);
}

/* The request was lost. */
static void
judge_loss(ServerState *server, Call *call, const Loss *loss)
{
	VlmOutcome *outcome = &call->end.outcome;

	if (loss->alone)
	{
		outcome->counts = loss->counts;
		call->retry.company = 1;
	}
	if (loss->event != 0)
	{
		call->end.lost_with = loss->event;
		call->settle.at = TimestampTzPlusMilliseconds(call->settle.at, loss->wait_ms);
	}
	if (loss->kills)
		convict(call);
	if (loss->kills || (loss->outage && server_chance(server) != SERVER_OPEN))
		server_probe_failed(server, 0);
	else if (loss->outage)
		pause_after_loss(server, outcome, loss);
	else
		judge_server(server, call);
}

static void
judge(Call *call)
{
	VlmResponse *response = &call->end.response;
	VlmEnvelope *envelope = &call->end.envelope;
	VlmTokens	said;
	Loss		loss;

	vlm_outcome(response, &call->end.outcome, envelope);
	said = (VlmTokens)
	{
		envelope->prompt_tokens, envelope->completion_tokens
	};
	if (call->end.outcome.action == VLM_DONE)
		call->end.reason = verdict_of(&call->task->rules, envelope, &call->end.result);
	look_at_end(call, &loss);
	call->end.cost = limits_ended(call->server->limits, call->request.endpoint, &call->end.outcome, response->latency_ms,
								  response->retry_after_ms, call->request.forecast, said);
	call->end.estimated = call->end.outcome.paid && !vlm_tokens_known(said);
	if (loss.alone || loss.event != 0)
		judge_loss(call->server, call, &loss);
	else
		judge_server(call->server, call);
}

bool
answers_take(Loop *loop)
{
	VlmResponse response;
	TimestampTz now = GetCurrentTimestamp();
	size_t		bytes = 0;
	bool		any = false;

	while (bytes < RESPONSES_AT_ONCE && vlm_pool_next(loop->dispatch.pool, &response))
	{
		Call	   *call = response.user;

		any = true;
		bytes += response.body_size;

		call->end.response = response;
		call->settle.at = TimestampTzPlusMilliseconds(now, SETTLE_GATHER_MS);
		/* it is in flight no more when its server is judged */
		call_move(loop, call, CALL_FINISHED);
		judge(call);
	}
	return any;
}
