/*
 * answers.c
 *	  Takes responses from the request pool and judges them.
 *
 * A response says something about two things: about its call (a reply, an error worth a
 * retry, a picture that no server accepts) and about its server (working, failing, gone).
 * Both are decided here; settle.c writes the result down.
 */
#include "postgres.h"

#include "blame.h"
#include "common/hashfn.h"
#include "hopeless.h"
#include "ledger/ledger.h"
#include "loop.h"
#include "miscadmin.h"

/*
 * Bytes of responses that are judged in one go.  Parsing runs at some hundred MB/s, and
 * neither sockets nor interrupts are served meanwhile.
 */
#define RESPONSES_AT_ONCE (256 * 1024)

/*
 * Decides about a failure that either the picture or the server may have caused.  If the
 * server is failing, pauses it and returns true.  From then on only probes count as
 * attempts: otherwise an outage would use up the attempts of every waiting row.
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
	/* requests that were in flight when the pause began add no information */
	if (probe || pause.reason[0] == '\0')
		server_pause(server, outcome->reason, outcome->detail, true, call->id);
	return true;
}

/* Updates the server's state from a response: paused, failing or working. */
static void
judge_server(ServerState *server, Call *call)
{
	const VlmOutcome *outcome = &call->end.outcome;

	if (outcome->action == VLM_PAUSE)
	{
		if (strcmp(outcome->reason, "key") == 0)
			server_pause_for_key(server, outcome, call->id);
		else
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

/* Records what the end of a request shows about whether its server is alive. */
static void
look_at_end(Call *call, Loss *loss)
{
	ServerSign	sign = suspects_sign(&call->end.outcome);
	SuspectRow	row;

	row.image = call->image;
	row.task = hash_bytes((const unsigned char *) call->task->name, (int) strlen(call->task->name));
	row.sent = call->end.response.sent || sign == SIGN_GATEWAY;
	limits_look_at_end(call->server->limits, sign, &row, loss);

	/*
	 * a row that is answered did not crash the server: it is no suspect any
	 * more
	 */
	if (sign == SIGN_ANSWER)
		call->retry.company = 0;
}

/* The server died twice with only this picture in flight: the row fails for good. */
static void
convict(Call *call)
{
	VlmOutcome *outcome = &call->end.outcome;
	char		words[sizeof(outcome->detail)];

	strlcpy(words, outcome->detail, sizeof(words));
	snprintf(outcome->detail, sizeof(outcome->detail),
			 "the server went down twice while nothing but this picture was in flight: %s", words);
	ereport(LOG,
			(errmsg("llava_zh: image " INT64_FORMAT ", task \"%s\", is not sent any more: %s",
					call->image, call->task->name, outcome->detail),
			 errhint("llava_retry(reason => 'kills_server') sends it again, with no other request in flight.")));
	outcome->action = VLM_IMAGE_FAULT;
	outcome->reason = "kills_server";
	outcome->probe = false;
}

/* Pauses a server that lost requests, until a probe finds that it is back. */
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

/* Handles a request that was lost: the connection broke under it. */
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

/* Judges one response: its call first, then its server. */
static void
answers_judge(Call *call)
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
		/* the server's counters must not include this call when it is judged */
		call_move(loop, call, CALL_FINISHED);
		answers_judge(call);
		hopeless_note(loop, call);
	}
	return any;
}
