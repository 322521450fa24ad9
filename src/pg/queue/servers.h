/*
 * servers.h
 *	  The servers of a loop: what it has read of them, which may be asked, why one is paused.
 */
#ifndef LLAVA_SERVERS_H
#define LLAVA_SERVERS_H

#include "call.h"
#include "lib/ilist.h"
#include "queue.h"
#include "server/server.h"
#include "task/task.h"
#include "utils/timestamp.h"

/* One reading of a server's options; shared by the calls that were sent under them. */
typedef struct ServerRead
{
	MemoryContext context;		/* of this, too */
	Oid			server;
	LlavaServer *options;
	char	   *key;			/* or NULL */
	char	   *mappings_unused;	/* for people whose key was refused; or
									 * NULL */
	int			users;			/* calls, and the server itself */
} ServerRead;

/* One server as this process sees it. */
typedef struct ServerState
{
	dlist_node	node;
	Oid			oid;
	ServerRead *read;			/* the newest */
	const LlavaServer *options; /* in it */
	uint64		options_read;	/* number of the reading that brought them */
	uint64		row_version;	/* version of the catalogue's row then */
	Limits	   *limits;			/* shared with all other processes */
	int64		reading;		/* of llava_usage, limits_read's */
	int			calls;			/* that point here */
	int			unsent;			/* claimed for it, not sent yet */
	int			in_flight;
	bool		full;			/* no slot was free in this turn */
	bool		gone;			/* dropped; freed when no call points here */
} ServerState;

extern void servers_load(Loop *loop);	/* in a transaction */
extern void servers_load_again(Loop *loop); /* the next time, whatever the
											 * catalogue says */

/* Whether a call that was claimed for the server may be sent. */
extern ServerChance server_chance(const ServerState *server);

/* Which servers a row may go to, as it says and its task. */
typedef struct Route
{
	const char *server;			/* only this one; NULL: any that takes the
								 * queue */
	const char *not_server;		/* never this one; NULL: none is forbidden */
} Route;

/*
 * The route of the task's rows with these values of llava_pending's columns server and
 * not_server, where NULL is as good as the empty text.
 */
extern Route route_of(const LlavaTask *task, const char *server, const char *not_server);

/* Whether the route allows no server at all: it names the one that it forbids. */
extern bool route_is_closed(const Route *route);

/*
 * Whether rows of the route may go to the server, whatever its state: the one that it
 * names, else any whose option queue says so, or the one that llava_drain was asked for.
 */
extern bool server_takes(const struct Loop *loop, const ServerState *server, const Route *route);

/*
 * The best server for the route, other than not_of (or NULL) if there is another; NULL
 * if there is none.
 */
extern ServerState *server_for_route(Loop *loop, const Route *route, const char *not_of);

/* The same for a call, which prefers a server that has not refused its row. */
extern ServerState *server_for_call(Loop *loop, const Call *call);

/*
 * How many rows of the route this process may claim, so that each server which they would
 * go to has one window in flight and one prepared; 0 until it is worth a claim of batch
 * rows.  -1: no server may be asked.
 */
extern int64 servers_room(Loop *loop, const Route *route, int64 batch);

/*
 * The call whose row shall not probe a server that is due for a probe, since the server
 * was paused for it; 0: none.
 */
extern int64 server_not_to_probe_with(ServerState *server);

/*
 * Whether only probes may be sent now, one of them to a server that is at fault for its
 * error texts.
 */
extern bool servers_probe_blamed(Loop *loop);

/* Whether llava_drain was asked for this server, or for any. */
extern bool server_is_asked_for(const Loop *loop, const ServerState *server);

/*
 * Pauses the servers that have reached a limit which a person set, and lifts such pauses:
 * when a turn begins, after each of its stages, and after each reading of llava_usage.
 */
extern void servers_refresh(Loop *loop);

/* call: the one that met the reason; 0: none. */
extern void server_pause(ServerState *server, const char *reason, const char *detail,
						 bool probe, int64 call);
extern void server_works(ServerState *server);

/* server_pause, for an endpoint that refused the key. */
extern void server_pause_for_key(ServerState *server, const VlmOutcome *outcome, int64 call);

/* The probe failed with a transient error. */
extern void server_probe_failed(ServerState *server, int64 call);

extern void server_record_pauses(Loop *loop);	/* in a transaction */
extern TimestampTz servers_next_probe(Loop *loop);
extern bool servers_any_paused(Loop *loop);
extern bool servers_any_usable(Loop *loop);

/* How long a claimed row is leased, in ms. */
extern int64 servers_longest_lease(Loop *loop);

/*
 * Requests that this process has or could have in flight; *left: how many more
 * max_requests allows.
 */
extern int64 servers_capacity(Loop *loop, int64 *left);

/* ---- servers_pauses.c, for servers*.c only ---- */

/*
 * Whether llava_pause paused the server: such a pause outlasts whatever its requests
 * bring.
 */
extern bool server_is_paused_by_option(ServerState *server);

/* Ends a pause, if there is one, and logs that. */
extern void server_resume(ServerState *server);


#endif							/* LLAVA_SERVERS_H */
