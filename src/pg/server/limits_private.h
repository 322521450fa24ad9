/*
 * limits_private.h
 *	  The Limits of a server from inside: for limits*.c only.
 *
 * One lock guards all that is shared, and what hangs on it in a process: each hold is
 * some arithmetic on one entry, a few times a request.  Functions of this header are
 * called with the lock held, unless they say otherwise; they neither throw nor allocate.
 */
#ifndef LLAVA_LIMITS_PRIVATE_H
#define LLAVA_LIMITS_PRIVATE_H

#include "failures.h"
#include "limits.h"
#include "storage/latch.h"

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

/* The server's limits apply to one more process separately, or to one less. */
extern void limits_add_local(Oid server);
extern void limits_remove_local(Oid server);

/* Logs that the server's limits apply to this process separately; without the lock. */
extern void limits_say_local(const LlavaServer *server, LimitsRank rank);

/* ---- limits_slots.c ---- */

/* Requests that may be in flight now. */
extern int	limits_allowed(const Limits *limits);

/* ---- limits_chance.c ---- */

/*
 * As limits_chance, without the option paused.  urgent: for a session, which no pause
 * holds up.
 */
extern ServerChance limits_chance_locked(const Limits *limits, bool urgent);

#endif							/* LLAVA_LIMITS_PRIVATE_H */
