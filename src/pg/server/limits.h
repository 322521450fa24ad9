/*
 * limits.h
 *	  What one server may be asked by all processes of the cluster together, why it
 *	  is not asked, and what came of asking.
 *
 * With preloading the Limits of a server lie in shared memory, keyed by database
 * and server; without, each process has its own.  A slot is held from sending to
 * the response; a process that exits gives back those it holds.
 */
#ifndef LLAVA_LIMITS_H
#define LLAVA_LIMITS_H

#include "endpoints.h"
#include "options.h"
#include "suspects.h"
#include "vlm/vlm.h"

typedef struct Limits Limits;

/* Why a server is not asked.  reason is empty where it is. */
typedef struct Pause
{
	char		reason[24];
	char		detail[320];
	int			count;			/* pauses in a row, for the back-off of probes */
	TimestampTz probe_at;		/* DT_NOEND: not by itself */
	int			prober;			/* pid whose request may find out now; 0:
								 * nobody's */
	int64		call;			/* that found it out last; 0: none did */
	bool		recorded;		/* llava_usage says so too */
} Pause;

/* Rates are means over about this long; what came so long ago weighs 1/e. */
#define LIMITS_RATE_MS 60000.0

/* Latencies are counted in quarters of powers of two from 1 ms to 17 minutes. */
#define LATENCY_BUCKETS 80

/* What came of asking, since the server's start. */
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

/* counters.c: a request ended; tokens are 0 where the server did not say. */
extern void counters_note_end(ServerCounters *counters, const VlmOutcome *outcome,
							  int64 latency_ms, int64 prompt_tokens,
							  int64 completion_tokens);

typedef struct LimitsFacts
{
	Oid			server;
	int			in_flight;
	int			allowed;		/* in flight, now */
	ServerCounters counters;
} LimitsFacts;

/* What keeps more requests from being sent to a server; static words. */
typedef struct LimitsWait
{
	const char *held_down_by;	/* what keeps more from being in flight */
	const char *waits_for;		/* what the next one waits for; NULL: for no
								 * point in time */
	TimestampTz until;
} LimitsWait;

/* ---- for src/shmem.c ---- */

extern Size limits_memory(void);
extern void limits_start_up(void *memory, bool found);

/* ---- one server ---- */

/*
 * Whose server it is.  Places in shared memory are kept for each kind, so that servers
 * which anybody may create never take those of servers that the worker asks.
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
 * Never NULL; stays valid as long as the process, or until limits_detach.  Where there
 * is no place in shared memory the log says so.
 */
extern Limits *limits_attach(const LlavaServer *server, LimitsRank rank);

/* The server is gone, and nothing is under way there. */
extern void limits_detach(Limits *limits);

/* Whether other processes see it too. */
extern bool limits_are_shared(const Limits *limits);

/* How a server's limits hold: "shared", "local", or NULL: nobody asks it now. */
extern const char *limits_hold(Oid server);

/* False: nobody asks it, or its limits are not shared. */
extern bool limits_wait(Oid server, LimitsWait *wait);

/*
 * Retry-After is forgotten: of one's own, and of a server of this database, whoever has
 * its limits.
 */
extern void limits_forget_wait(Limits *limits);
extern void limits_forget_wait_of(Oid server);

/* The options as they are now. */
extern void limits_set_options(Limits *limits, const LlavaServer *options);

/* What this process asks from now on, and whether it is trusted there (endpoints.h). */
extern void limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank);

/* The setting llava_zh.endpoints was read anew: it holds at once, for all processes. */
extern void limits_reload(void);

/* How many may be, and are, in flight at a URL, for all servers and databases. */
extern EndpointFacts limits_endpoint(const char *url);

/* This process begins to record requests in llava_usage, or has done so, or has not. */
extern void limits_recording(bool begins);

/*
 * llava_usage as it is read, requests and cost of all time: begun before the
 * statement.  Nothing comes of it where somebody recorded meanwhile.
 */
extern int64 limits_begin_reading(Limits *limits);
extern void limits_read(Limits *limits, int64 reading, int64 requests, double cost);

/* False where nobody has told yet what is recorded. */
extern bool limits_were_read(Limits *limits);

/* Requests that max_requests leaves; large where there is no limit. */
extern int64 limits_remaining(Limits *limits);

/* Requests that this process has or could have in flight now. */
extern int	limits_room(Limits *limits);

/* Share of the window that is taken if so many more are sent. */
extern double limits_load(Limits *limits, int more);

/*
 * Takes a slot, and a paused server's right to be probed.  Else false, with the
 * milliseconds until it helps to try again, or -1: until the latch is set.  Who
 * is urgent (a session with a user) comes before who is not, until
 * limits_not_urgent.  company: of a suspect (suspects.h), else 0; limits_suspect_back
 * when its request has ended or was given up.  *endpoint: where the request counts; to
 * be told at its end.
 */
extern bool limits_take(Limits *limits, int64 tokens, bool urgent, int company,
						EndpointUse **endpoint, int64 *wait_ms);
extern void limits_suspect_back(Limits *limits);

/* suspects_first. */
extern bool limits_suspects_first(Limits *limits);
extern void limits_not_urgent(Limits *limits);

/*
 * Before limits_ended: what a request's end says about whether the server lives.  row is
 * NULL where it is none of the queue's.
 */
extern void limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row,
							   Loss *loss);

/* suspects_died. */
extern bool limits_died(Limits *limits, uint64 event, int *company);

/*
 * Whether suspects are being tried; *news: llava_usage says otherwise, as far as
 * limits_trial_recorded has told.
 */
extern bool limits_trial(Limits *limits, bool *news);
extern void limits_trial_recorded(Limits *limits, bool trial);

/*
 * The slot's request ended.  Returns what it cost: by what the server said of tokens,
 * and by the forecast where it did not and was at work all the same.  Retry-After counts
 * up to llava_zh.retry_delay_max.
 */
extern double limits_ended(Limits *limits, EndpointUse *endpoint, const VlmOutcome *outcome, int64 latency_ms,
						   int64 retry_after_ms, VlmTokens forecast, VlmTokens said);

/* The slot's request was given up, after it was sent or before. */
extern void limits_given_up(Limits *limits, EndpointUse *endpoint, bool sent);

/* As failures_are_outage and failures_blame (failures.h). */
extern bool limits_failing(Limits *limits, bool first_attempt);
extern bool limits_blame(Limits *limits, const VlmOutcome *outcome, bool first_attempt);

/* Whether the server is to blame for these words; said 0: for any. */
extern bool limits_guilty(Limits *limits, uint64 said);

/* What rows failed for that go back to the queue now; false: none do. */
extern void limits_owe(Limits *limits, const VlmOutcome *outcome);
extern bool limits_owed(Limits *limits, uint64 *said, char *reason, Size room);

/* A request that ended is in llava_usage now, or never will be. */
extern void limits_settled(Limits *limits, double cost);

/*
 * Milliseconds until the server's pace lets a request be sent, 0: now; -1: when one of
 * those in flight has ended.
 */
extern int64 limits_pace_wait(Limits *limits, int64 tokens);

/* Somebody has set the clock back: nothing waits for it.  May be said more than once. */
extern void limits_clock_set_back(Limits *limits);

/* This process has no request to send now: wakes who waits for a slot, if there is one. */
extern void limits_offer(Limits *limits);

/* The next server of this database that is shared; *position starts at 0. */
extern bool limits_next(int *position, LimitsFacts *facts);

/* ---- whether it may be asked ---- */

/* Whether a worker may send the server a request, as far as pauses and limits go. */
typedef enum ServerChance
{
	SERVER_OPEN,
	SERVER_TO_PROBE,			/* paused; one request may find out */
	SERVER_PROBED,				/* paused; ours is finding out */
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
 * Pauses the server.  False where it is paused for that reason already and the
 * request was not this process's probe: failures of requests that were in flight
 * together are one.  call: which one found out; 0: none did.
 */
extern bool limits_pause(Limits *limits, const char *reason, const char *detail, bool probe,
						 int64 call);

/* The next probe of a paused server, if there will be one, comes within ms milliseconds. */
extern void limits_probe_within(Limits *limits, int ms);

/* Lifts a pause; false if there was none. */
extern bool limits_resume(Limits *limits);

/* What llava_usage says: a reason, or NULL; it is recorded if that is how it is. */
extern void limits_pause_recorded(Limits *limits, const char *reason);

#endif							/* LLAVA_LIMITS_H */
