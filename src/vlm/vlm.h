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

/* Sampling parameters; a NaN or a negative integer is not sent. */
typedef struct VlmSampling
{
	int			max_tokens;
	double		temperature;
	double		top_p;
	double		repetition_penalty;
	double		presence_penalty;
	int64_t		seed;
	const char *response_format;	/* a JSON object; NULL: none is sent */
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
 * is not what vlm_extra_body_check accepts; *message (static) says.
 */
extern bool vlm_body_build(VlmBody *body, const char *model, const char *prompt,
						   const VlmSampling *sampling, const char *extra_body,
						   const char **message);

/*
 * Copies a body that was built without a seed (below 0), and puts this seed in: the same as
 * vlm_body_build makes, without writing the JSON anew.  False: no memory.
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
 * The one spelling by which URLs are compared: scheme and host in lower case, addresses
 * and ports in their usual form, no default port, no needless escapes, no slashes at the
 * end.  malloc; NULL: no memory.  Text that is not a URL becomes some text.
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
	char		error[256];		/* libcurl's message, masked */
	char	   *body;			/* malloc, NUL-ended; NULL if none */
	size_t		body_size;
	bool		too_large;		/* the body is over max_reply_bytes, or all
								 * that came over a multiple of it */
	bool		sent;			/* the whole request was handed to the network */
	bool		broken_off;		/* the body of a 2xx had begun, and did not
								 * come whole */
	int64_t		retry_after_ms; /* -1: not said; seconds and dates alike */
	bool		budget_empty;	/* the server says that a limit is used up
								 * until then */
	int64_t		latency_ms;		/* from submit to the end */
	char	   *api_key;		/* malloc; the request's, or NULL; to be
								 * masked in all that the server said */
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

/* Bytes held for requests and for replies that vlm_pool_next has not given yet. */
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

#include "pace.h"

/* ---- prompt.c: texts in the place of {{name}} ---- */

typedef struct VlmInsert
{
	const char *name;			/* of the placeholder, without its braces */
	const char *text;
	size_t		length;
} VlmInsert;

/* Whether the prompt has the placeholder {{name}}. */
extern bool vlm_prompt_has(const char *prompt, const char *name);

/*
 * The prompt with each placeholder replaced by its text as a JSON string, malloc'd; NULL
 * without the memory for it.
 */
extern char *vlm_prompt_insert(const char *prompt, const VlmInsert *inserts, int n);

/* ---- backoff.c ---- */

/* Back-off with full jitter before attempt number (1 ...), bounded by max_ms. */
extern int64_t vlm_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms,
							  uint64_t random);

/* ---- streak.c: replies about different pictures that are rejected, one after the other ---- */

typedef struct VlmStreak
{
	int64_t		replies;		/* first replies since it began */
	int64_t		accepted;
	int64_t		run;			/* of the last ones, rejected for one reason */
	char		reason[32];
} VlmStreak;

/* Notes a first reply (NULL: accepted); true if what comes will be rejected alike. */
extern bool vlm_streak_note(VlmStreak *streak, const char *reason);

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
