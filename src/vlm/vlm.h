/*
 * vlm.h
 *	  Asking a vision-language model over the chat-completions API: bodies out,
 *	  envelopes in, hundreds of requests in flight behind one descriptor.
 *
 * Pure C over libcurl and jansson: malloc, no PostgreSQL.  No callback throws; no
 * function blocks.  Times are milliseconds; points in time come from the
 * caller's or CLOCK_MONOTONIC, as said.
 */
#ifndef LLAVA_VLM_H
#define LLAVA_VLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- body.c: the request body ---- */

/* Sampling; a NaN or a negative integer is not sent. */
typedef struct VlmSampling
{
	int			max_tokens;
	double		temperature;
	double		top_p;
	double		repetition_penalty;
	double		presence_penalty;
	int64_t		seed;
} VlmSampling;

/*
 * The JSON before and after the image's base64.  The image stands before the
 * prompt, as in every official Qwen example; "stream" is false.
 */
typedef struct VlmBody
{
	char	   *head;			/* ends right behind "base64," */
	size_t		head_size;
	char	   *tail;
	size_t		tail_size;
} VlmBody;

/*
 * extra_body: a JSON object merged in, or NULL.  False: no memory, or extra_body
 * is not what vlm_extra_body_check accepts; *message (static or in buf) says.
 */
extern bool vlm_body_build(VlmBody *body, const char *model, const char *prompt,
						   const VlmSampling *sampling, const char *extra_body,
						   const char **message);

/*
 * The body that another, built without a seed (below 0), would be with this one: as
 * vlm_body_build, without writing the JSON anew.  False: no memory.
 */
extern bool vlm_body_with_seed(VlmBody *body, const VlmBody *without, int64_t seed);
extern void vlm_body_free(VlmBody *body);

/*
 * NULL if text is a JSON object that sets none of model, messages, stream, n,
 * seed; else a message (static).
 */
extern const char *vlm_extra_body_check(const char *text);

/* ---- url.c: spellings of a base URL ---- */

/*
 * The URL as all its spellings are compared: scheme and host in small letters, addresses
 * and ports as numbers are written, no default port, no escapes without need, no slashes
 * at the end.  malloc; NULL: no memory.  What is no URL becomes some text.
 */
extern char *vlm_url_normal(const char *url);

/* ---- pool.c: the transport ---- */

typedef struct VlmPool VlmPool;

typedef struct VlmRequest
{
	const char *url;			/* base URL, as http://host:8000/v1; copied */
	const char *api_key;		/* or NULL; copied, never in any message */
	const char *request_id;		/* X-Request-Id; copied */
	VlmBody		body;			/* owned by the pool from here on */
	uint8_t    *image;			/* malloc; owned by the pool from here on */
	size_t		image_size;
	int			connect_timeout_ms;
	int			request_timeout_ms; /* counts from submit */
	size_t		max_reply_bytes;
	void	   *user;			/* the owner's */
} VlmRequest;

/* What the wire said. */
typedef struct VlmResponse
{
	int			status;			/* HTTP; 0 if there was no whole response */
	int			curl_code;		/* CURLcode; 0 if there was one */
	char		error[256];		/* libcurl's words, no key in them */
	char	   *body;			/* malloc, NUL-ended; NULL if none */
	size_t		body_size;
	bool		too_large;		/* the body went over max_reply_bytes, or what
								 * else came over a multiple of it */
	bool		sent;			/* the whole request was handed to the network */
	bool		broken_off;		/* the body of a 2xx had begun, and did not
								 * come whole */
	int64_t		retry_after_ms; /* -1: not said; seconds and dates alike */
	bool		budget_empty;	/* nothing is left of a limit until then, as
								 * the server says */
	int64_t		latency_ms;		/* from submit to the end */
	char	   *api_key;		/* malloc; what it was asked with, or NULL:
								 * what is not to be seen in what was said */
	void	   *user;
} VlmResponse;

/*
 * max_connections: sockets the pool may hold open.  NULL if a descriptor or
 * memory cannot be had.  Must not be made in a process that forks afterwards.
 * No signal is delivered to a thread that libcurl starts.
 */
extern VlmPool *vlm_pool_new(int max_connections);
extern void vlm_pool_set_max_connections(VlmPool *pool, int max_connections);

/*
 * For the caller's wait: the descriptor is readable, or the timeout (ms; -1:
 * none) over, when vlm_pool_step has work.  vlm_pool_prepare_wait must be called
 * before each wait: interest in sockets is settled there, once per wait.
 */
extern int	vlm_pool_fd(const VlmPool *pool);
extern int64_t vlm_pool_prepare_wait(VlmPool *pool);
extern void vlm_pool_step(VlmPool *pool);

/* False: no memory; the request is still the caller's. */
extern bool vlm_pool_submit(VlmPool *pool, VlmRequest *request);
extern int	vlm_pool_in_flight(const VlmPool *pool);

/* Held for requests and for replies not yet given out. */
extern size_t vlm_pool_bytes(const VlmPool *pool);

/* A finished request; false if there is none.  The caller frees the response. */
extern bool vlm_pool_next(VlmPool *pool, VlmResponse *response);
extern void vlm_response_free(VlmResponse *response);

/*
 * Ends every request with this user pointer (all: NULL) without a response.  The
 * request's memory is freed, user is not touched.
 */
extern void vlm_pool_cancel(VlmPool *pool, const void *user);
extern void vlm_pool_free(VlmPool *pool);

/* ---- envelope.c: the response body ---- */

typedef struct VlmEnvelope
{
	char	   *content;		/* malloc, NUL-ended; may hold NULs:
								 * content_size */
	size_t		content_size;
	char	   *finish_reason;	/* malloc, or NULL */
	char	   *model;			/* as the server named it, or NULL */
	int64_t		prompt_tokens;	/* -1: not said, or no count */
	int64_t		completion_tokens;	/* the same */
	bool		has_reasoning;	/* the model's thinking came beside the
								 * content */
	bool		refused;		/* message.refusal was set: content holds it */
} VlmEnvelope;

/*
 * True if this is a chat completion with a text (which may be empty).  Else
 * *message (static) says what is not: no JSON, error object, empty choices,
 * content null ...  A body is read through whatever gateways wrap around it.
 */
extern bool vlm_envelope_parse(const char *body, size_t size, VlmEnvelope *envelope,
							   const char **message);
extern void vlm_envelope_free(VlmEnvelope *envelope);

/* ---- finish.c: how a reply ended ---- */

typedef enum VlmFinish
{
	VLM_FINISH_STOP,			/* by itself; also where nothing is said */
	VLM_FINISH_LENGTH,			/* max_tokens, or the context, was used up */
	VLM_FINISH_FILTERED,		/* a content filter's work */
	VLM_FINISH_BROKEN,			/* the server gave up in the middle */
	VLM_FINISH_UNKNOWN			/* a word of no family */
} VlmFinish;

/* NULL: nothing was said. */
extern VlmFinish vlm_finish(const char *finish_reason);

/*
 * Why a reply is no sample whatever its text is; static, or NULL.  'unfinished' is for
 * one that the server broke off, or that ends in the middle for a reason unknown.
 */
extern const char *vlm_envelope_reason(const VlmEnvelope *envelope);

/* ---- outcome.c: what is to be done about a response ---- */

typedef enum VlmAction
{
	VLM_DONE,					/* 200 and an envelope */
	VLM_RETRY,					/* the same request again, later */
	VLM_THROTTLE,				/* 429, 503 or the like for load: later, and
								 * fewer at once */
	VLM_IMAGE_FAULT,			/* final: this image cannot be asked about */
	VLM_FILTERED,				/* final on this server: content filter */
	VLM_PAUSE					/* the server cannot be used now: key, money,
								 * model, region, refused, DNS, TLS */
} VlmAction;

typedef struct VlmOutcome
{
	VlmAction	action;
	const char *reason;			/* static, stable: 'http_500', 'key',
								 * 'refused'; with DONE NULL, or
								 * 'content_filter' or 'no_answer_thinking':
								 * there is a reply, and no answer in it */
	bool		counts;			/* may be the image's fault: the attempt
								 * counts */
	bool		probe;			/* PAUSE: trying again by itself can help;
								 * RETRY, IMAGE_FAULT: many in a row are the
								 * server's fault, and a PAUSE */
	uint64_t	said;			/* a number for the words of a 4xx, of what is
								 * PAUSE, IMAGE_FAULT or FILTERED, and of a
								 * reply without an answer; digits and ids do
								 * not count.  0: anything else */
	bool		paid;			/* a model was at work for it: what it used is
								 * to be paid, said or not */
	bool		budget_empty;	/* as the response's */
	char		detail[320];	/* one line for people: status and the
								 * server's words, clipped on a character, no
								 * key */
} VlmOutcome;

/*
 * An error is judged alike wherever it stands: by the status, in the body of a 200, in
 * a choice, in a list (verdicts.c has the table).  The response's api_key is masked,
 * however it is spelled, in the response's body, in the words and in the envelope, which
 * is filled (to be freed) with VLM_DONE, and with VLM_RETRY where a reply came that the
 * server broke off; else its content is NULL, and its counts are what the body says of
 * usage all the same.  A body that came as an event stream becomes the
 * completion that it amounts to.  Without the memory to mask nothing of them is kept, and
 * the request is to be made again.
 */
extern void vlm_outcome(VlmResponse *response,
						VlmOutcome *outcome, VlmEnvelope *envelope);

/* ---- pace.c: how many at once, how many a minute ---- */

/* What a server is tried with at the moment. */
typedef enum VlmPaceMode
{
	VLM_PACE_CALM,				/* nothing: as much as is known to be taken */
	VLM_PACE_PROBE,				/* more than the limit */
	VLM_PACE_TRIAL				/* less, whether refusals cease then */
} VlmPaceMode;

/* What the level counts. */
typedef enum VlmPaceKind
{
	VLM_PACE_SLOTS,				/* requests in flight */
	VLM_PACE_RATE				/* requests a second, sent evenly */
} VlmPaceKind;

/* What the next request waits for, beside the end of another. */
typedef enum VlmPaceWait
{
	VLM_PACE_NOTHING,
	VLM_PACE_RETRY_AFTER,
	VLM_PACE_STORM,				/* nearly all is refused, and nothing said for
								 * how long */
	VLM_PACE_REQUESTS,			/* requests_per_minute */
	VLM_PACE_TOKENS				/* tokens_per_minute */
} VlmPaceWait;

/*
 * One server's limits, plain data that may lie in shared memory under the
 * owner's lock.  What is sent follows the share of refused requests, not the single one
 * (pace.c says how); requests and tokens per minute are leaky buckets without a burst
 * of more than a second's worth (or one).
 */
typedef struct VlmPace
{
	int			max_in_flight;
	int			requests_per_minute;	/* 0: none */
	int64_t		tokens_per_minute;	/* 0: none */
	int			in_flight;
	VlmPaceKind kind;
	double		level;			/* allowed now */
	double		limit;			/* of the server, as it was found; huge: none
								 * was */
	double		turn_ms;		/* of the next request, at a rate */
	bool		bound_by_rate;	/* the latest look waited for its turn */
	double		latency_ms;		/* mean of the answers' */

	/* slots of refused requests that are left empty, as of kept_ms */
	double		kept;
	int64_t		kept_ms;

	/* at a rate: in flight, and how much more when requests are refused */
	double		load_mean;
	double		load_variance;
	double		crowded;		/* in standard deviations, mean */
	int			crowded_refusals;

	/* what is refused */
	double		score;			/* of a share that is too large */
	double		share;			/* of the latest requests */
	double		storm_share;	/* of the very latest */
	int64_t		refused_ms;		/* when it last grew */
	double		at_refusal;		/* in flight then, mean */
	double		before;			/* the limit before cuts without a success in
								 * between; 0: there was none */

	/* what the server took: since taken_ms, before that, since the storm */
	int64_t		taken;
	int64_t		taken_ms;
	int64_t		taken_before;
	int64_t		taken_before_ms;	/* how long */
	int64_t		fair_taken;
	int64_t		fair_ms;
	int64_t		chain_taken;	/* since the first of probes in a row */
	int64_t		chain_ms;
	double		chain_limit;

	/* the level as it is: since when, and what of that was sent since */
	int64_t		changed_ms;
	int64_t		seen_sent;
	int64_t		seen_refused;
	int64_t		seen_answered;

	VlmPaceMode mode;
	double		probe_step;		/* share of the limit that is tried beyond it */
	double		probe_to;		/* the level that it grows to */
	double		probe_wait_ms;
	int64_t		probe_at_ms;
	bool		tried_rate;		/* by the trial before */
	int			lowered;		/* a rate, times in a row */
	VlmPaceKind trial_kind;		/* as all was before the trial */
	double		trial_limit;
	double		trial_from;		/* the level */
	double		trial_share;	/* of refusals */
	double		trial_wait_ms;
	int64_t		trial_ms;		/* when it began */
	int64_t		trial_at_ms;	/* not before */
	int64_t		calm_sent;		/* at levels that were not tried, and ended */
	int64_t		calm_refused;
	double		stray;			/* share refused whatever is sent, as a trial
								 * has shown */

	int			storm;			/* refusals in it; 0: there is none */
	bool		had_storm;		/* a long one, which ended at fair_ms */
	int64_t		cut_ms;			/* the latest */
	int64_t		storm_began_ms;
	int64_t		storm_ms;		/* a success must have been sent after it */

	int64_t		not_before_ms;	/* Retry-After, or a storm's own wait */
	VlmPaceWait waits_for;		/* until waits_until_ms */
	int64_t		waits_until_ms;

	double		request_credit;
	double		token_credit;
	int64_t		credit_ms;		/* when the credits were last filled */
} VlmPace;

extern void vlm_pace_init(VlmPace *pace, int64_t now_ms);
extern void vlm_pace_limits(VlmPace *pace, int max_in_flight,
							int requests_per_minute, int64_t tokens_per_minute);

/*
 * 0: send now; else milliseconds until it is worth asking again (-1: when a
 * request in flight ends).  tokens: the forecast for this request.
 */
extern int64_t vlm_pace_wait(VlmPace *pace, int64_t tokens, int64_t now_ms);
extern void vlm_pace_sent(VlmPace *pace, int64_t tokens, int64_t now_ms);

/*
 * actual_tokens: usage's total, or -1 to keep the forecast.  retry_after_ms holds for the
 * server only in a storm, or where budget_empty says that nothing is left till then.
 */
extern void vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms,
						   int64_t retry_after_ms, bool budget_empty,
						   int64_t forecast_tokens, int64_t actual_tokens,
						   int64_t now_ms);

/* In flight at most, now. */
extern double vlm_pace_allowed(const VlmPace *pace);

/* Sends at once, whatever the server said of when. */
extern void vlm_pace_forget_wait(VlmPace *pace);

/* What is waited for, and until when. */
extern VlmPaceWait vlm_pace_waits_for(const VlmPace *pace, int64_t now_ms, int64_t *until_ms);

/* What keeps more from being in flight, for people; static. */
extern const char *vlm_pace_held_down_by(const VlmPace *pace, int64_t now_ms);

/* now_ms has gone back: nothing waits for longer than this, nor counts as later than now. */
extern void vlm_pace_clock_set_back(VlmPace *pace, int64_t now_ms, int64_t longest_ms);

/* Back-off with full jitter before attempt number (1 ...), bounded by max_ms. */
extern int64_t vlm_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms,
							  uint64_t random);

/* ---- quota.c: how many in all, for how much money ---- */

/* Tokens of a request: forecast, or as the server says.  -1: it does not. */
typedef struct VlmTokens
{
	int64_t		prompt;
	int64_t		completion;
} VlmTokens;

/* Whether both are known. */
extern bool vlm_tokens_known(VlmTokens said);

/* What is to be paid for: each count as it was said, and where it was not the forecast. */
extern VlmTokens vlm_tokens_used(VlmTokens said, VlmTokens forecast);

/* One server's limits that a person sets and raises; plain data, as VlmPace. */
typedef struct VlmQuota
{
	int64_t		max_requests;	/* -1: no limit */
	double		budget;			/* -1: no limit */
	double		input_price;	/* of 1,000,000 tokens */
	double		output_price;
	int64_t		requests;		/* recorded, under way, or interrupted */
	int64_t		recorded;		/* as last read */
	int64_t		unsettled;		/* not recorded yet */
	double		cost;			/* recorded, or of answers not yet settled */
	double		recorded_cost;
	double		unsettled_cost;
	int			recording;		/* who are in the middle of it */
	int64_t		changes;		/* of what a reading must not overlap */
} VlmQuota;

extern void vlm_quota_init(VlmQuota *quota);
extern void vlm_quota_limits(VlmQuota *quota, int64_t max_requests, double budget,
							 double input_price, double output_price);

/* Requests that max_requests leaves; large, with room for sums, where there is none. */
extern int64_t vlm_quota_left(const VlmQuota *quota);
extern bool vlm_quota_over_budget(const VlmQuota *quota);

/* A request is sent, or was not after all. */
extern void vlm_quota_sent(VlmQuota *quota);
extern void vlm_quota_not_sent(VlmQuota *quota);

/* A model used so many tokens for it; what that costs. */
extern double vlm_quota_ended(VlmQuota *quota, VlmTokens used);

/* So many requests are recorded now, or never will be; what their answers cost. */
extern void vlm_quota_settled(VlmQuota *quota, int64_t requests, double cost);

/* Somebody begins to record, or what was recorded is committed and settled. */
extern void vlm_quota_recording(VlmQuota *quota, bool begins);

/*
 * What is recorded, as it is read: begun before the snapshot is taken, and then
 * told.  False where something else changed meanwhile, and the reading says nothing.
 */
extern int64_t vlm_quota_begin_reading(const VlmQuota *quota);
extern bool vlm_quota_read(VlmQuota *quota, int64_t reading, int64_t requests, double cost);

#endif							/* LLAVA_VLM_H */
