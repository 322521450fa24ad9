/*
 * limits.h
 *	  How many requests all processes of the cluster together may send to one server, why
 *	  none are sent, and how requests ended.
 *
 * With preloading the Limits of a server lie in shared memory, keyed by database and
 * server; without it each process has its own.  A request holds a slot from its sending
 * to its response; a process that exits gives back the slots it holds.
 */
#ifndef LLAVA_LIMITS_H
#define LLAVA_LIMITS_H

#include "endpoints.h"
#include "options.h"
#include "suspects.h"
#include "vlm/vlm.h"

typedef struct Limits Limits;

/* Why workers send a server no requests; reason is empty if they do. */
typedef struct Pause
{
	char		reason[24];
	char		detail[320];
	int			count;			/* consecutive pauses, for the back-off of
								 * probes */
	TimestampTz probe_at;		/* when it may be probed; DT_NOEND: never */
	int			prober;			/* pid of the process that probes it; 0: none
								 * does */
	int64		call;			/* the last one that met the reason; 0: none */
	bool		recorded;		/* llava_usage has the reason too */
} Pause;

/* Rates are decaying means: an answer of this age weighs 1/e. */
#define LIMITS_RATE_MS 60000.0

/* Latencies are counted in quarters of powers of two from 1 ms to 17 minutes. */
#define LATENCY_BUCKETS 80

/* How requests to one server ended, since the database server's start. */
typedef struct ServerCounters
{
	int64		answers;		/* bodies with a completion */
	int64		throttled;
	int64		timeouts;
	int64		disconnects;	/* refused, reset, partial, DNS, TLS */
	int64		server_errors;
	int64		others;
	int64		prompt_tokens;
	int64		completion_tokens;
	double		answers_rate;	/* in LIMITS_RATE_MS, as of rated_at */
	double		tokens_rate;	/* completion tokens, likewise */
	TimestampTz rated_at;
	uint32		latency[LATENCY_BUCKETS];
} ServerCounters;

/*
 * counters.c: counts a request that ended; tokens are 0 if the response reports none.
 */
extern void counters_note_end(ServerCounters *counters, const VlmOutcome *outcome,
							  int64 latency_ms, int64 prompt_tokens,
							  int64 completion_tokens);

typedef struct LimitsFacts
{
	Oid			server;
	int			in_flight;
	int			allowed;		/* how many may be in flight now */
	ServerCounters counters;
} LimitsFacts;

/* What holds back requests to a server, in static words. */
typedef struct LimitsWait
{
	const char *held_down_by;	/* what limits the number in flight */
	const char *waits_for;		/* what the next request waits for; NULL: not
								 * for a point in time */
	TimestampTz until;
} LimitsWait;

/* ---- for src/shmem.c ---- */

extern Size limits_memory(void);
extern void limits_start_up(void *memory, bool found);

/* ---- one server ---- */

/*
 * Who owns a server.  Each kind has its own places in shared memory, so that servers
 * which any role may create never displace those that workers use.
 */
typedef enum LimitsRank
{
	LIMITS_OF_SUPERUSER,
	LIMITS_OF_QUEUE_OWNER,		/* llava_pending's */
	LIMITS_OF_OTHERS,
	LIMITS_RANKS
} LimitsRank;

/* access.c: whose limits a server's are, by its owner. */
extern LimitsRank server_rank(Oid owner);

/*
 * Attaches this process to the limits of a server.  The result is never NULL, and is
 * valid until limits_detach or the end of the process.  If shared memory has no place
 * left, the process gets limits of its own and logs that.
 */
extern Limits *limits_attach(const LlavaServer *server, LimitsRank rank);

/* The server was dropped, and no request to it is left. */
extern void limits_detach(Limits *limits);

/* Whether other processes share these limits. */
extern bool limits_are_shared(const Limits *limits);

/*
 * How a server's limits apply: "shared" or "local"; NULL: no process uses the server.
 */
extern const char *limits_hold(Oid server);

/*
 * What requests wait for; false if no process uses the server, or its limits are not
 * shared.
 */
extern bool limits_wait(Oid server, LimitsWait *wait);

/*
 * Forgets Retry-After: of limits that this process is attached to, and of a server of
 * this database, whichever processes use it.
 */
extern void limits_forget_wait(Limits *limits);
extern void limits_forget_wait_of(Oid server);

/* Takes over the server's options as they are now. */
extern void limits_set_options(Limits *limits, const LlavaServer *options);

/*
 * The URL that this process sends to from now on, and whether the server is trusted
 * there (endpoints.h).
 */
extern void limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank);

/*
 * The setting llava_zh.endpoints was reloaded: it takes effect at once, for all
 * processes.
 */
extern void limits_reload(void);

/*
 * How many requests may be, and are, in flight at a URL, over all servers and
 * databases.
 */
extern EndpointFacts limits_endpoint(const char *url);

/*
 * This process begins to write requests to llava_usage, or has finished, successfully
 * or not.
 */
extern void limits_recording(bool begins);

/*
 * A reading of llava_usage: it begins before the statement, and brings the requests and
 * the cost of all time.  Ignored if usage was written during the read.
 */
extern int64 limits_begin_reading(Limits *limits);
extern void limits_read(Limits *limits, int64 reading, int64 requests, double cost);

/* Whether llava_usage was read for these limits at all. */
extern bool limits_were_read(Limits *limits);

/* Requests that max_requests leaves; large where there is no limit. */
extern int64 limits_remaining(Limits *limits);

/* Requests that this process has or could have in flight now. */
extern int	limits_room(Limits *limits);

/* Share of the window that is taken if this many more requests are sent. */
extern double limits_load(Limits *limits, int more);

/*
 * Takes a slot and, of a paused server, the right to probe it.  Returns false if
 * neither can be had now: *wait_ms is then the time after which to try again, or -1 to
 * wait for the latch.  Interactive sessions (urgent) go before workers, until
 * limits_not_urgent.  company is a suspect's (suspects.h), else 0; limits_suspect_back
 * is called when its request has ended or was given up.  *endpoint is where the request
 * is counted, and is named at its end.
 */
extern bool limits_take(Limits *limits, int64 tokens, bool urgent, int company,
						EndpointUse **endpoint, int64 *wait_ms);
extern void limits_suspect_back(Limits *limits);

/* As suspects_first (suspects.h). */
extern bool limits_suspects_first(Limits *limits);
extern void limits_not_urgent(Limits *limits);

/*
 * Before limits_ended: notes what the end of a request says about whether the server is
 * alive.  row is NULL if the request was not made for a row of the queue.
 */
extern void limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row,
							   Loss *loss);

/* As suspects_died (suspects.h). */
extern bool limits_died(Limits *limits, uint64 event, int *company);

/*
 * Whether suspects are being tried; *news: llava_usage says otherwise, by the last
 * limits_trial_recorded.
 */
extern bool limits_trial(Limits *limits, bool *news);
extern void limits_trial_recorded(Limits *limits, bool trial);

/*
 * The slot's request ended.  Returns its cost: from the tokens that the response
 * reports, or from the forecast if it reports none although a model has worked.
 * Retry-After is capped at llava_zh.retry_delay_max.
 */
extern double limits_ended(Limits *limits, EndpointUse *endpoint, const VlmOutcome *outcome, int64 latency_ms,
						   int64 retry_after_ms, VlmTokens forecast, VlmTokens said);

/* The slot's request was given up, after it was sent or before. */
extern void limits_given_up(Limits *limits, EndpointUse *endpoint, bool sent);

/* As failures_are_outage and failures_blame (failures.h). */
extern bool limits_failing(Limits *limits, bool first_attempt);
extern bool limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt);

/* Whether the server is at fault for this error text; said 0: for any text. */
extern bool limits_guilty(Limits *limits, uint64 said);

/*
 * An error text turned out to be the server's fault; and the text whose failed rows go
 * back to the queue now, false if there is none.
 */
extern void limits_owe(Limits *limits, const VlmOutcome *outcome);
extern bool limits_owed(Limits *limits, uint64 *said, char *reason, Size room);

/* A request that ended is in llava_usage now, or never will be. */
extern void limits_settled(Limits *limits, double cost);

/*
 * Milliseconds until the server's pace lets a request be sent, 0: now; -1: when one of
 * those in flight has ended.
 */
extern int64 limits_pace_wait(Limits *limits, int64 tokens);

/*
 * The clock was set back: nothing waits for the time that it showed before.  May be
 * called more than once.
 */
extern void limits_clock_set_back(Limits *limits);

/*
 * This process has no request to send now: if a slot is free, processes that wait for
 * one are woken.
 */
extern void limits_offer(Limits *limits);

/* The next server of this database in shared memory; *position starts at 0. */
extern bool limits_next(int *position, LimitsFacts *facts);

/* ---- whether it may be asked ---- */

/* Whether a worker may send the server a request, as far as pauses and limits go. */
typedef enum ServerChance
{
	SERVER_OPEN,
	SERVER_TO_PROBE,			/* paused; one request may probe it */
	SERVER_PROBED,				/* paused; this process is probing it */
	SERVER_CLOSED
} ServerChance;

extern ServerChance limits_chance(const LlavaServer *options, Limits *limits);

/* The option whose limit is used up, "max_requests" or "budget"; NULL: neither is. */
extern const char *limits_used_up(Limits *limits);

/*
 * The option for which a worker pauses the server: as limits_used_up, but max_requests only
 * when all requests are settled; or "paused".  NULL: none.
 */
extern const char *limits_closed_by(const LlavaServer *options, Limits *limits);

/* ---- pauses ---- */

extern void limits_pause_now(Limits *limits, Pause *pause);

/*
 * Pauses the server.  Returns false if it is paused for this reason already: requests
 * that were in flight together fail together, and only the probe's failure prolongs the
 * pause.  call is the one that met the reason; 0: none.
 */
extern bool limits_pause(Limits *limits, const char *reason, const char *detail, bool probe,
						 int64 call);

/* The next probe of a paused server, if there will be one, comes within ms milliseconds. */
extern void limits_probe_within(Limits *limits, int ms);

/* Lifts a pause; false if there was none. */
extern bool limits_resume(Limits *limits);

/*
 * llava_usage has this reason, or NULL: the pause counts as recorded if it is the same.
 */
extern void limits_pause_recorded(Limits *limits, const char *reason);

#endif							/* LLAVA_LIMITS_H */
