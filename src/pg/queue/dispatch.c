/*
 * dispatch.c
 *	  Sends calls: a prepared picture becomes a request once its server has a free slot.
 *
 * A call is sent only if its claim is on disk (flush.c), its lease lasts longer than the
 * request may take, a socket is free, and the server's limits allow it.  Nothing here
 * runs SQL or waits, so it may run in the middle of any transaction (dispatch_serve).
 * While a slot is held (limits_take until the request ends) no ERROR may be raised: the
 * slot would be lost to all processes.
 */
#include "postgres.h"

#include "hopeless.h"
#include "loop.h"
#include "process/process.h"

/* Requests begun before sockets are served: libcurl starts all new ones in one step. */
#define SENDS_AT_ONCE 32

/* How long to wait before trying to open the directory of pictures again. */
#define FILES_AWAY_MS (10 * 1000)

/*
 * The directory of pictures cannot be opened.  That is not the picture's fault and
 * concerns all pictures in files: the call goes back to the queue, and nothing is
 * claimed for a while.
 */
static void
files_away(Loop *loop, Call *call)
{
	call->retry.wait_ms = Min(FILES_AWAY_MS, llava_retry_delay_max);
	loop->dispatch.files_away_until_ms = clock_monotonic_ms() + call->retry.wait_ms;
	strlcpy(call->end.outcome.detail, call->fit.job->error.message, sizeof(call->end.outcome.detail));
	call_move(loop, call, CALL_FINISHED);
}

static const char *
prompt_of(const Call *call)
{
	return call->request.prompt != NULL ? call->request.prompt : call->task->prompt;
}

void
dispatch_prepared(Loop *loop)
{
	ImageJob   *job;

	while ((job = image_pool_next(loop->dispatch.images)) != NULL)
	{
		Call	   *call = job->user;

		if (call == NULL)
		{
			/* its call went back to the queue */
			image_job_free(job);
			continue;
		}
		if (job->status == IMAGE_NO_DIRECTORY)
		{
			files_away(loop, call);
			continue;
		}
		if (job->status != IMAGE_OK)
		{
			call->end.fault = image_status_name(job->status);
			call->end.fault_detail = MemoryContextStrdup(loop->context, job->error.message);
			call_move(loop, call, CALL_FINISHED);
			continue;
		}
		if (!job->prepared.passed_through)
		{
			free(job->data);
			job->data = NULL;
			call_set_bytes(loop, call, (int64) job->prepared.size);
		}
		call->fit.width = job->prepared.width;
		call->fit.height = job->prepared.height;
		call->fit.image_tokens = image_tokens(&job->prepared.source, &job->fit);
		call->request.forecast = task_forecast(&job->prepared, &job->fit, prompt_of(call),
											   &call->request.sampling);
		call_move(loop, call, job->prepared.hash.known ? CALL_HASHED : CALL_READY);
	}
}

/* Takes the bytes to send from the job, which is freed. */
static void
take_bytes(Call *call, VlmRequest *request)
{
	ImageJob   *job = call->fit.job;

	if (job->prepared.passed_through)
	{
		request->image = job->data;
		request->image_size = job->size;
		job->data = NULL;
	}
	else
	{
		request->image = job->prepared.data;
		request->image_size = job->prepared.size;
		job->prepared.data = NULL;
	}
	image_job_free(job);
	call->fit.job = NULL;
}

/* Gives back the slot of a call that cannot be sent for want of memory. */
static void
no_memory(Loop *loop, Call *call)
{
	if (call->row.company > 0)
		limits_suspect_back(call->server->limits);
	limits_given_up(call->server->limits, call->request.endpoint, false);
	call_move(loop, call, CALL_FINISHED);
}

/* Builds the body of the task's requests to this server, without the seed, and caches it. */
static bool
keep_body(Call *call, VlmSampling sampling)
{
	const LlavaServer *options = call->server->options;
	LlavaTask  *task = call->task;
	VlmBody		body;
	char	   *kept;
	const char *message;

	sampling.seed = -1;
	if (!vlm_body_build(&body, options->model, task->prompt, &sampling, options->extra_body,
						&message))
		return false;
	/* a slot is held: must not raise an ERROR */
	kept = MemoryContextAllocExtended(call->set->context, body.head_size + body.tail_size + 2,
									  MCXT_ALLOC_NO_OOM);
	if (kept != NULL)
	{
		if (task->body_of != 0)
			pfree(task->body.head);
		task->body.head = memcpy(kept, body.head, body.head_size + 1);
		task->body.head_size = body.head_size;
		task->body.tail = memcpy(kept + body.head_size + 1, body.tail, body.tail_size + 1);
		task->body.tail_size = body.tail_size;
		task->body_of = call->server->options_read;
	}
	vlm_body_free(&body);
	return kept != NULL;
}

/*
 * Builds the JSON around the picture.  It differs between calls of one task and server
 * only in the seed, unless an earlier reject changed the sampling parameters or the prompt
 * has a result in it.
 */
static bool
build_body(Call *call, VlmBody *body)
{
	const LlavaServer *options = call->server->options;
	VlmSampling sampling = call->request.sampling;
	const char *message;

	if (call->request.prompt != NULL || call->row.rejects.looped || call->row.rejects.cut ||
		call->row.rejects.blank)
	{
		sampling.seed = call->request.seed;
		return vlm_body_build(body, options->model, prompt_of(call), &sampling,
							  options->extra_body, &message);
	}
	if (call->task->body_of != call->server->options_read && !keep_body(call, sampling))
		return false;
	return vlm_body_with_seed(body, &call->task->body, call->request.seed);
}

/* Hands the call to the request pool.  Its slot was taken. */
static void
send_call(Loop *loop, Call *call)
{
	const LlavaServer *options = call->server->options;
	VlmRequest	request;
	char		id[32];

	memset(&request, 0, sizeof(request));
	if (!build_body(call, &request.body))
	{
		no_memory(loop, call);
		return;
	}
	snprintf(id, sizeof(id), INT64_FORMAT, call->id);
	request.url = options->url;
	request.api_key = call->server->read->key;
	request.request_id = id;
	request.connect_timeout_ms = options->connect_timeout;
	request.request_timeout_ms = options->request_timeout;
	request.max_reply_bytes = (size_t) llava_max_reply_size * 1024;
	request.user = call;
	take_bytes(call, &request);
	call_set_bytes(loop, call, 0);
	if (!vlm_pool_submit(loop->dispatch.pool, &request))
	{
		free(request.image);
		vlm_body_free(&request.body);
		no_memory(loop, call);
		return;
	}
	call->request.sent = true;
	call->request.under = call->server->read;
	call->request.under->users++;
	call_move(loop, call, CALL_SENT);
}

void
dispatch_unsent(Loop *loop)
{
	foreach_call(call, loop, CALL_PREPARING)
	{
		/* the job stays in the image pool; dispatch_prepared frees it */
		call->fit.job->user = NULL;
		call->fit.job = NULL;
	}
	for (int state = CALL_PREPARING; state <= CALL_READY; state++)
	{
		foreach_call(call, loop, state)
		{
			call_move(loop, call, CALL_FINISHED);
		}
	}
}

static bool
same_fit(const LlavaServer *a, const LlavaServer *b)
{
	return a->pixel_factor == b->pixel_factor && a->min_pixels == b->min_pixels &&
		a->max_pixels == b->max_pixels;
}

/*
 * Moves a call from a server without a free slot to an equally suitable one that has
 * one.  So a server that hangs delays only the requests that it was sent.
 */
static bool
use_other_server(Loop *loop, Call *call)
{
	ServerState *from = call->server;
	ServerState *to;

	if (dlist_head_node(&loop->servers.list) == dlist_tail_node(&loop->servers.list))
		return false;
	to = server_for_call(loop, call);
	if (to == NULL || to == from || to->full || limits_load(to->limits, 1) > 1 ||
		!same_fit(from->options, to->options))
		return false;
	call_set_server(call, to);
	return true;
}

/*
 * Returns true if the call has left the ready list.  Sets *wait to the milliseconds until
 * another try may succeed, if that is known.
 */
static bool
try_to_send(Loop *loop, Call *call, int64 *wait)
{
	ServerState *server = call->server;

	if (hopeless_holds(call))
	{
		call_move(loop, call, CALL_FINISHED);
		return true;
	}
	switch (server_chance(server))
	{
		case SERVER_CLOSED:
			call_move(loop, call, CALL_FINISHED);
			return true;
		case SERVER_PROBED:
			server->full = true;
			limits_offer(server->limits);
			return false;
		default:
			break;
	}
	/* a lease that the request may outlast must be renewed first */
	if (call->lease.until < TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
														server->options->request_timeout))
	{
		loop->dispatch.renewal_needed = true;
		return false;
	}
	/* if a crash could still undo the claim, the request must not be sent yet */
	if (!flush_is_done(call->lease.claimed_at))
	{
		*wait = FLUSH_LOOK_MS;
		return false;
	}
	/* the timeout counts from here, so the request must not wait in the pool */
	if (!transport_has_room())
		return false;
	/* first come, first served: calls behind this one must wait too ... */
	server->full = !limits_take(server->limits, call->request.forecast.prompt + call->request.forecast.completion,
								false, call->row.company, &call->request.endpoint, wait);
	if (server->full)
	{
		/* ... except behind a suspect, while suspects do not go first */
		server->full = call->row.company == 0 || limits_suspects_first(server->limits);
		return false;
	}
	send_call(loop, call);
	return true;
}

long
dispatch_ready(Loop *loop)
{
	int64		wait = -1;
	int			open = 0;		/* servers not known to be full */
	int			n_left = 0;

	foreach_server(server, loop)
	{
		server->full = false;
		open++;
	}
	loop->dispatch.renewal_needed = false;
	if (stop_wanted())
		return wait;
	foreach_call(call, loop, CALL_READY)
	{
		ServerState *server = call->server;
		int64		server_wait = -1;

		/* stop early: no server has a free slot, or no socket is left */
		if (open == 0 || !transport_has_room())
			break;
		if (!server->full)
		{
			if (try_to_send(loop, call, &server_wait))
			{
				if (++n_left % SENDS_AT_ONCE == 0)
					transport_serve();
				continue;
			}
			open -= server->full;
		}
		if (server_wait > 0 && (wait < 0 || server_wait < wait))
			wait = server_wait;
		if (server->full && call->row.company == 0 && use_other_server(loop, call) &&
			!try_to_send(loop, call, &server_wait))
			open -= call->server->full;
	}
	/* other processes may use the slots that this one has no call for */
	foreach_server(server, loop)
	{
		if (!server->full)
			limits_offer(server->limits);
	}
	return (long) wait;
}

void
dispatch_refill(Loop *loop)
{
	bool		any;

	do
	{
		any = answers_take(loop);
		dispatch_prepared(loop);
		(void) dispatch_ready(loop);
		if (any)
			transport_serve();
	} while (any);
}

void
dispatch_serve(Loop *loop)
{
	if (!transport_is_overdue())
		return;
	transport_serve();
	dispatch_refill(loop);
}

bool
dispatch_files_are_away(const Loop *loop)
{
	return clock_monotonic_ms() < loop->dispatch.files_away_until_ms;
}
