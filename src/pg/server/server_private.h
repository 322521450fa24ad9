/*
 * server_private.h
 *	  The room server from inside.
 *
 * One lock guards all that is shared, and what hangs on it in a process: each hold is
 * some arithmetic on one entry, a few times a request.  The functions below the options
 * are called with the lock held, unless they say otherwise; they neither throw nor
 * allocate.
 */
#ifndef LLAVA_SERVER_PRIVATE_H
#define LLAVA_SERVER_PRIVATE_H

#include "server.h"
#include "storage/latch.h"

/* ---- options.c, url.c ---- */

/* What is wrong with text as a base URL, static; NULL: nothing. */
extern const char *options_url_problem(const char *url);

/* The option url as it is used, palloc'd; ERROR if it cannot be. */
extern char *options_url(const char *url);

/* The value of an option in a list of DefElem; NULL: it has none of this name. */
extern char *options_value(List *options, const char *name);

/* Why text cannot be a key, static, without the key; NULL: it can. */
extern const char *options_key_problem(const char *key);

/* ---- endpoints*.c: requests in flight at one URL, over all databases and servers ---- */

typedef struct EndpointFacts
{
	int			limit;			/* -1: the setting does not name the URL */
	int			in_flight;		/* at the URL; -1: not counted */
	int			waiting;		/* servers of processes, in line; -1: not
								 * counted */
} EndpointFacts;

/*
 * What the server sends to from now on; its requests in flight stay where they are
 * counted.  The use that the server had before must have left the line, and is only
 * used for the end of those.  NULL without preloading: the setting then has no effect,
 * and the first call says so.
 */
extern EndpointUse *endpoint_use(Oid server, const char *url, bool trusted);

/* The number that stands for a URL, however it is spelled; 0: out of memory. */
extern uint64 endpoint_number(const char *url);

/*
 * The setting as this process has read it takes effect for all, if it is the newest
 * reading; or anyway.
 */
extern void endpoints_publish(bool anyway);

/*
 * 0 if a request may be sent now; else the milliseconds after which to ask again, or -1
 * to wait for the latch.  The caller is in line until it asks again or leaves.  The use
 * may be NULL, here and below.
 */
extern int64 endpoint_wait(EndpointUse *use, bool urgent);

/* After a wait of 0: the request takes its slot, until it ends. */
extern void endpoint_sent(EndpointUse *use);

/* The slot is offered to others at endpoint_leave, or at a wait that is not 0. */
extern void endpoint_ended(EndpointUse *use);

/* The use has nothing to send now: free slots are offered to others. */
extern void endpoint_leave(EndpointUse *use);

/* The same, for a server that was dropped and has nothing in flight. */
extern void endpoint_drop(EndpointUse *use);

/* Requests that the use has or could have in flight now. */
extern int	endpoint_room(const EndpointUse *use);

/*
 * Share of the URL's slots that is taken if this many more requests are sent; 0: no
 * limit.
 */
extern double endpoint_load(const EndpointUse *use, int more);

extern EndpointFacts endpoint_facts(uint64 url);

/* The process exits. */
extern void endpoints_give_back_all(void);

/* ---- stat_sql.c: how requests ended, since the start of PostgreSQL ---- */

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
	int64		generated;		/* requests of llava_generate */
	double		answers_rate;	/* in LIMITS_RATE_MS, as of rated_at */
	double		tokens_rate;	/* completion tokens, likewise */
	TimestampTz rated_at;
	uint32		latency[LATENCY_BUCKETS];
} ServerCounters;

/* Counts a request that ended; completion_tokens are 0 if the response reports none. */
extern void counters_note_end(ServerCounters *counters, const VlmOutcome *outcome,
							  int64 latency_ms, int64 completion_tokens);

/* ---- suspects.c: plain data in a server's Limits ---- */

/* Requests that were lost at about the same time. */
typedef struct LossEvent
{
	uint64		number;
	int64		begun_ms;
	int			in_flight;		/* when it began */
	int			lost;
	int			answers;		/* that came in the meantime */
} LossEvent;

#define LOSS_EVENTS 8

/* A picture that was alone in flight when the server was lost. */
typedef struct LoneLoss
{
	int64		image;			/* 0: free */
	uint32		task;
	bool		fresh;			/* no answer has come since */
	bool		died;			/* and the server was gone afterwards */
} LoneLoss;

#define LONE_LOSSES 16

typedef struct Suspects
{
	/* what is known of the server */
	ServerSign	seen;			/* the last sign other than SIGN_NONE */
	int64		dark_since_ms;	/* the first loss since an answer */

	/* losses */
	uint64		n_events;
	LossEvent	events[LOSS_EVENTS];	/* by number */
	LoneLoss	lone[LONE_LOSSES];
	int			next_lone;		/* the place to be used next */
	int64		lone_ms;		/* the last lone loss: when, of which */
	int64		last_image;
	uint32		last_task;
	int64		counted_ms;		/* when the last one counted as an attempt */

	/* trials */
	int			in_flight;		/* suspects */
	int			company;		/* the smallest that any of them may have */
	int64		wanted_ms;		/* until then the others leave room for one */
	int64		blocked_ms;		/* since when one has found none; 0: it has */
	int64		tried_ms;		/* when one was last sent, or wanted to be */
	bool		recorded;		/* llava_usage says that there is a trial */
} Suspects;

/*
 * 0: a request of this company (0: any) may be sent while this many are in flight; else
 * the milliseconds after which to ask again.
 */
extern int64 suspects_wait(Suspects *suspects, int company, int in_flight, int64 now_ms);

/* A suspect is sent, or n of them are back. */
extern void suspects_sent(Suspects *suspects, int company, int64 now_ms);
extern void suspects_back(Suspects *suspects, int n, int64 now_ms);

/* The clock was set back: nothing is held up until the time that it showed before. */
extern void suspects_clock_set_back(Suspects *suspects, int64 now_ms);

/* ---- failures.c: the same ---- */

typedef struct Failures
{
	uint64		run;			/* hash of url and model; another pair is
								 * another run */
	bool		answered;		/* in this run */
	int			unanswered;		/* first attempts since an answer that failed
								 * as a bad picture or a bad server makes them
								 * fail */
	uint64		said;			/* hash of the last refusal's text since an
								 * answer; 0: none */
	int			in_a_row;		/* pictures that were refused with this text */
	uint64		guilty;			/* the text that the server is at fault for;
								 * 0: none */

	/* rows that failed with this text go back to the queue */
	uint64		owed;			/* 0: none do */
	char		owed_reason[24];	/* they failed as this */
	TimestampTz owed_until;		/* DT_NOEND: as long as the server is guilty */
} Failures;

/*
 * The url and model that requests are sent to from now on; if they are others, all
 * counts start anew.
 */
extern void failures_ask(Failures *failures, const char *url, const char *model);

/* A request of any process ended. */
extern void failures_note_end(Failures *failures, const VlmOutcome *outcome);

/* The pause is over: the server counts as healthy until it fails anew. */
extern void failures_forgive(Failures *failures);

/* ---- limits*.c ---- */

/* Servers that have a place in shared memory. */
#define MAX_SERVERS 512

/* Servers whose limits apply to some process separately, listed by name. */
#define MAX_LOCAL 256

/* Processes that wait for a slot of one server. */
#define MAX_WAITING 16

/* If the list is full, the caller polls this often. */
#define ASK_AGAIN_MS 100

struct Limits
{
	/* which server, and which processes use the entry */
	Oid			database;		/* InvalidOid: free */
	Oid			server;
	LimitsRank	rank;
	Oid			owner;			/* the server's */
	TimestampTz used_at;		/* when a process last attached or left */
	int			users;			/* processes attached */

	/* what may be sent */
	VlmPace		pace;
	VlmQuota	quota;

	/* which processes wait for a slot */
	int			urgent;			/* sessions that wait for one */
	int			n_waiting;
	Latch	   *waiting[MAX_WAITING];

	/* what came of asking */
	Pause		pause;
	Failures	failures;
	ServerCounters counters;
	Suspects	suspects;
};

/* What this process holds of one server; given back at exit. */
typedef struct Attached
{
	Limits	   *limits;
	Oid			server;
	EndpointUse *endpoint;		/* or NULL */
	int			in_flight;
	int64		unsettled;
	double		unsettled_cost;
	bool		recording;
	bool		urgent;
	int			suspects;		/* of those in flight */
} Attached;

/* A server whose limits apply to some processes separately. */
typedef struct LocalLimits
{
	Oid			database;
	Oid			server;
	int			users;			/* such processes; 0: free */
} LocalLimits;

typedef struct SharedLimits
{
	Limits		servers[MAX_SERVERS];
	LocalLimits local[MAX_LOCAL];
	int			more_local;		/* attachments beyond those */
} SharedLimits;

extern SharedLimits *shared_limits; /* NULL without preloading */

/* ---- limits.c ---- */

/* Without preloading there is nothing to lock. */
extern void limits_lock(void);
extern void limits_unlock(void);

extern int64 limits_now_ms(void);

/* What this process holds of a server; without the lock. */
extern Attached *limits_attached_to(const Limits *limits);

/* Sets the latches of all that wait for a slot; they look again. */
extern void limits_wake_waiting(Limits *limits);

/* Takes this process off the list of those that wait. */
extern void limits_forget_waiting(Limits *limits);

/* ---- limits_places.c: only where limits are shared, but for limits_clear_entry ---- */

/* Makes the entry that of a server which no process has used yet. */
extern void limits_clear_entry(Limits *limits, Oid server);

/* The entry of this database's server; NULL: it has none, or nothing is shared. */
extern Limits *limits_entry_of(Oid server);

/* The same, made if need be, with one user more; NULL: there is no place. */
extern Limits *limits_shared_entry(const LlavaServer *server, LimitsRank rank);

/* The server's limits apply to one more process separately; or, with -1, to one less. */
extern void limits_count_local(Oid server, int change);

/*
 * How a server's limits apply: "shared" or "local"; NULL: no process uses the server.
 */
extern const char *limits_hold(Oid server);

/* Logs that the server's limits apply to this process separately; without the lock. */
extern void limits_say_local(const LlavaServer *server, LimitsRank rank);

/* ---- limits_slots.c ---- */

/* As limits_forget_wait, whichever processes use the server; without the lock. */
extern void limits_forget_wait_of(Oid server);

/* ---- limits_chance.c ---- */

/*
 * As limits_chance, without the option paused.  urgent: for a session, which no pause
 * holds up.
 */
extern ServerChance limits_chance_locked(const Limits *limits, bool urgent);

#endif							/* LLAVA_SERVER_PRIVATE_H */
