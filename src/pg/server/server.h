/*
 * server.h
 *	  The endpoints that are asked: their options and keys, and what all processes together may
 *	  ask of them.
 */
#ifndef LLAVA_SERVER_H
#define LLAVA_SERVER_H

#include "db/db.h"
#include "vlm/vlm.h"

/* ---- options.c, access.c: a server's options and the keys in its user mappings ---- */

typedef struct LlavaServer
{
	/* the foreign server */
	Oid			oid;
	Oid			owner;
	char	   *name;

	/* what is sent where */
	char	   *url;
	char	   *model;
	char	   *extra_body;		/* or NULL */
	int			priority;		/* smaller is tried first */
	bool		paused;
	bool		queue;			/* takes rows that name no server */

	/* how much at a time */
	int			max_in_flight;
	int			requests_per_minute;	/* 0: no limit */
	int64		tokens_per_minute;	/* 0: no limit */

	/* how long it is waited for */
	int			connect_timeout;	/* ms */
	int			request_timeout;	/* ms */

	/* how much in all */
	int64		max_requests;	/* -1: no limit */
	double		budget;			/* -1: no limit */
	struct ServerPrice
	{
		double		input;		/* per million tokens */
		double		output;
	}			price;

	/* the size of pictures */
	int			pixel_factor;
	int64		min_pixels;
	int64		max_pixels;
} LlavaServer;

/* palloc'd in the current context. */
extern LlavaServer *server_load(Oid server);

/* Whether the server takes rows that name none (the option queue), whatever its other options. */
extern bool server_takes_queue(Oid server);

/*
 * pause.c: whether the option paused says that workers send the server nothing, or, where
 * llava_zh is preloaded, another pause does.
 */
extern bool server_is_paused(Oid server);

/* Whether other transactions see the server as this one does. */
extern bool server_is_committed(Oid server);

/* OIDs of all servers of the wrapper llava_zh. */
extern List *server_oids(void);

/*
 * The server that a caller means: by name, else by the setting, else the only one it
 * has USAGE on.  An ERROR names what is missing, with CREATE SERVER or the names as
 * HINT.
 */
extern LlavaServer *server_for_caller(const char *name);

/*
 * The key to send to this server, palloc'd; NULL if there is no mapping or it has no
 * key.  A worker sends the key of the owner's mapping, else of PUBLIC's; a caller that
 * of its own, else of PUBLIC's.  ERROR if the server's owner could take the key by
 * ALTER SERVER ... url (access.c).
 */
extern char *server_key_for_worker(const LlavaServer *server);
extern char *server_key_for_caller(const LlavaServer *server);

/*
 * What workers do not use, for people whose key was refused: that other roles have
 * mappings of their own, palloc'd; NULL if none has.
 */
extern char *server_mappings_unused(const LlavaServer *server);

/*
 * Watches the catalogue, from the first call of a process; and the number of changes
 * seen, never 0.
 */
extern void servers_watch(void);
extern uint64 servers_version(void);

/* Limits of a side of the model's patches, which is IMAGE_FACTOR by default. */
#define PIXEL_FACTOR_MIN 14
#define PIXEL_FACTOR_MAX 64

/* A picture of this size takes 300 MB when it is decoded. */
#define PIXELS_MAX 100000000

/*
 * The beginning of a statement that reads the queue by visible_at: g has the groups of rows
 * that there are, by which the index is ordered (queue/destinations.h), found by as many
 * lookups.
 */
#define QUEUE_GROUPS \
	"WITH RECURSIVE g (task, server, not_server) AS (" \
	"  (SELECT p.task, p.server, p.not_server FROM @.llava_pending p WHERE p.failure IS NULL" \
	"    ORDER BY p.task, p.server, p.not_server LIMIT 1)" \
	"  UNION ALL" \
	"  SELECT n.task, n.server, n.not_server FROM g CROSS JOIN LATERAL (" \
	"    SELECT p.task, p.server, p.not_server FROM @.llava_pending p WHERE p.failure IS NULL" \
	"      AND (p.task, p.server, p.not_server) > (g.task, g.server, g.not_server)" \
	"    ORDER BY p.task, p.server, p.not_server LIMIT 1) n)"

/* Its join with a row p of the queue. */
#define ROW_OF_GROUP \
	"p.failure IS NULL AND p.task = g.task AND p.server = g.server AND p.not_server = g.not_server"

/*
 * pause.c: rows that wait for a time become due, except those that a process works on.
 */
extern SqlStatement sql_forget_waits;

/* Why these values do not go together, palloc'd; NULL: they do. */
extern const char *options_pixels_problem(int factor, int64 min_pixels, int64 max_pixels);

/*
 * The server of this name, whoever asks; ERROR if there is none or it is another
 * wrapper's.
 */
extern Oid	server_named(const char *name);

/*
 * ---- limits*.c: how many requests all processes of the cluster together may send to one
 * server, why none are sent, and how requests ended ----
 *
 * With preloading the Limits of a server lie in shared memory, keyed by database and
 * server; without it each process has its own.  A request holds a slot from its sending
 * to its response; a process that exits gives back the slots it holds.
 */
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

/* One server's requests from this process to one URL. */
typedef struct EndpointUse EndpointUse;

/* What the end of a request says about whether its server is alive. */
typedef enum ServerSign
{
	SIGN_NONE,					/* nothing: throttled, timed out, another
								 * error */
	SIGN_ANSWER,				/* it worked on the picture, and is alive */
	SIGN_UNREACHED,				/* nobody listens there */
	SIGN_LOST,					/* the connection broke under the request */
	SIGN_GATEWAY				/* a gateway before it says that it is gone */
} ServerSign;

extern ServerSign suspects_sign(const VlmOutcome *outcome);

/* The row that a request was made for. */
typedef struct SuspectRow
{
	int64		image;
	uint32		task;			/* hash of its name */
	bool		sent;			/* the request was sent whole: it may have
								 * done harm */
} SuspectRow;

/* What a loss means. */
typedef struct Loss
{
	uint64		event;			/* others were in flight: how they ended shows
								 * after wait_ms what the loss means; 0: it
								 * was alone, or is no loss */
	int64		wait_ms;
	int			lost;			/* so far, of those in flight */
	int			in_flight;
	bool		alone;			/* nothing else was in flight */
	bool		counts;			/* alone: it counts as an attempt */
	bool		kills;			/* alone, as it was when the server died
								 * before */
	bool		outage;			/* the server is down, whatever is sent */
} Loss;

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

/* Forgets Retry-After. */
extern void limits_forget_wait(Limits *limits);

/* Takes over the server's options as they are now. */
extern void limits_set_options(Limits *limits, const LlavaServer *options);

/*
 * The URL that this process sends to from now on, and whether the server is trusted
 * there (endpoints.c).
 */
extern void limits_set_endpoint(Limits *limits, const LlavaServer *server, LimitsRank rank);

/*
 * The setting llava_zh.endpoints was reloaded: it takes effect at once, for all
 * processes.
 */
extern void limits_reload(void);

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

/*
 * Requests of llava_generate since the start of PostgreSQL, where limits are shared: they
 * count against max_requests, and llava_usage has none of them.
 */
extern int64 limits_generated(Limits *limits);

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
 * limits_not_urgent.  company is a suspect's (suspects.c), else 0; limits_suspect_back
 * is called when its request has ended or was given up.  *endpoint is where the request
 * is counted, and is named at its end.
 */
extern bool limits_take(Limits *limits, int64 tokens, bool urgent, int company,
						EndpointUse **endpoint, int64 *wait_ms);
extern void limits_suspect_back(Limits *limits);

/*
 * Whether suspects that have no room go before all other requests.  If those in flight
 * do not end, because they hang or because sessions send without a pause, the two take
 * turns.
 */
extern bool limits_suspects_first(Limits *limits);
extern void limits_not_urgent(Limits *limits);

/*
 * Before limits_ended: notes what the end of a request says about whether the server is
 * alive.  row is NULL if the request was not made for a row of the queue.
 */
extern void limits_look_at_end(Limits *limits, ServerSign sign, const SuspectRow *row,
							   Loss *loss);

/*
 * Whether that loss was a death of the server, and in which company its requests are
 * sent again.  A loss that is no longer known counts as a death.
 */
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

/*
 * A request failed in a way that a bad picture or a bad server explains.  True if it is
 * the server: FAILURES_IN_A_ROW (failures.c) pictures failed at their first attempt with
 * no answer in between.
 */
extern bool limits_failing(Limits *limits, bool first_attempt);

/*
 * A request brought something in place of an answer.  True if the server is at fault:
 * FAILURES_IN_A_ROW pictures got the same text at their first attempt, or as many
 * replies held thinking only, with no answer in between.  At a server that has answered
 * before, a content filter's refusal is the picture's fault.
 */
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

/*
 * The option whose limit is used up, "max_requests" or "budget"; NULL: neither is.  With
 * for_good max_requests is used up only when all requests are settled, since one that is
 * not sent after all may be replaced.
 */
extern const char *limits_used_up(Limits *limits, bool for_good);

/*
 * The option for which a worker pauses the server: one that is used up for good, or
 * "paused".  NULL: none.
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

/* ---- usage.c: what llava_usage records, which max_requests and budget are held against ---- */

/* A server's row, zeros without one. */
typedef struct ServerUsage
{
	int64		requests;
	double		cost;
	const char *pause_reason;	/* or NULL */
	bool		trial;			/* suspects are being tried (suspects.c) */
} ServerUsage;

/* Reads all rows as the current role, in SPI and in a transaction; returns how many. */
extern uint64 usage_read_all(void);

/* A server's among the n rows that were read last. */
extern ServerUsage usage_of(const LlavaServer *server, uint64 n);

/*
 * Writes why the server is paused; with reason NULL that it is not, and in detail what else
 * there is to say, or NULL.
 */
extern void usage_record_pause(const LlavaServer *server, const char *reason, const char *detail);

/* Why a worker paused the server, as recorded; NULL: it did not. */
extern const char *usage_pause_reason(const char *server);

/* Tells the limits what is recorded; for callers without a loop. */
extern void server_read_usage(const LlavaServer *server, Limits *limits);

/* ---- at load ---- */

/* The setting llava_zh.endpoints; from _PG_init. */
extern void endpoints_define(void);

extern const SharedPart endpoints_shared;
extern const SharedPart limits_shared;

#endif							/* LLAVA_SERVER_H */
