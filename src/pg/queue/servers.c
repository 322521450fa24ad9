/*
 * servers.c
 *	  Which server a draining process asks about a task, and how many requests it may claim.
 */
#include "postgres.h"

#include "loop.h"

/*
 * For this long a server is not probed with the row that paused it, even if no other
 * row was found: those that are due may be for other servers only.
 */
#define OTHERS_FIRST_MS 5000

/* A lease outlives the request by this; calls that wait longer are renewed. */
#define LEASE_MARGIN_MS (60 * 1000)

ServerChance
server_chance(const ServerState *server)
{
	return server->gone ? SERVER_CLOSED : limits_chance(server->options, server->limits);
}

bool
server_is_asked_for(const Loop *loop, const ServerState *server)
{
	return loop->scope.only_server == NULL || strcmp(loop->scope.only_server, server->options->name) == 0;
}

int64
server_not_to_probe_with(ServerState *server)
{
	Pause		pause;

	if (server_chance(server) != SERVER_TO_PROBE)
		return 0;
	limits_pause_now(server->limits, &pause);
	return GetCurrentTimestamp() < TimestampTzPlusMilliseconds(pause.probe_at, OTHERS_FIRST_MS) ?
		pause.call : 0;
}

bool
servers_probe_blamed(Loop *loop)
{
	bool		blamed = false;

	foreach_server(server, loop)
	{
		ServerChance chance = server_chance(server);

		if (chance == SERVER_OPEN)
			return false;
		blamed |= chance == SERVER_TO_PROBE && limits_guilty(server->limits, 0);
	}
	return blamed;
}

/*
 * Requests that could be claimed for the server, one if it is to be probed; -1: none
 * may.
 */
static int
server_room(const Loop *loop, const ServerState *server)
{
	if (!server_is_asked_for(loop, server))
		return -1;
	switch (server_chance(server))
	{
		case SERVER_OPEN:
			return limits_room(server->limits);
		case SERVER_TO_PROBE:
			return server->in_flight + server->unsent == 0 ? 1 : -1;
		default:
			return -1;
	}
}

/* The share of its window that is taken. */
static double
load_of(const ServerState *server)
{
	return limits_load(server->limits, server->unsent);
}

static const char *
null_if_empty(const char *text)
{
	return text == NULL || text[0] == '\0' ? NULL : text;
}

Route
route_of(const LlavaTask *task, const char *server, const char *not_server)
{
	const char *pin = null_if_empty(server);

	return (Route)
	{
		pin != NULL ? pin : task->server, null_if_empty(not_server)
	};
}

bool
route_is_closed(const Route *route)
{
	return route->server != NULL && route->not_server != NULL &&
		strcmp(route->server, route->not_server) == 0;
}

bool
server_takes(const Loop *loop, const ServerState *server, const Route *route)
{
	const char *name = server->options->name;

	if (route->not_server != NULL && strcmp(route->not_server, name) == 0)
		return false;
	if (route->server != NULL)
		return strcmp(route->server, name) == 0;
	return server->options->queue || loop->scope.only_server != NULL;
}

ServerState *
server_for_route(Loop *loop, const Route *route, const char *not_of)
{
	ServerState *best = NULL;
	ServerState *last_resort = NULL;

	foreach_server(server, loop)
	{
		if (!server_takes(loop, server, route))
			continue;
		if (server_room(loop, server) < 0)
			continue;
		if (not_of != NULL && strcmp(server->options->name, not_of) == 0)
			last_resort = server;
		else if (best == NULL || server->options->priority < best->options->priority ||
				 (server->options->priority == best->options->priority &&
				  load_of(server) < load_of(best)))
			best = server;
	}
	return best != NULL ? best : last_resort;
}

ServerState *
server_for_call(Loop *loop, const Call *call)
{
	Route		route = route_of(call->task, call->row.server, call->row.not_server);

	return server_for_route(loop, &route, call->row.refused_by);
}

/* Requests that max_requests leaves and no call is to make; a probe is one. */
static int64
server_left(const ServerState *server)
{
	return server_chance(server) == SERVER_TO_PROBE ? 1 :
		limits_remaining(server->limits) - server->unsent;
}

/*
 * Only servers of the best priority count, since the others are asked when none of these
 * may be.  What a server holds too many of, since rows that another one refused went to it,
 * is not taken from the room of the others.
 */
int64
servers_room(Loop *loop, const Route *route, int64 batch)
{
	const ServerState *best = server_for_route(loop, route, NULL);
	int64		capacity = 0;
	int64		free = 0;
	int64		wanted = 0;

	if (best == NULL)
		return -1;
	foreach_server(server, loop)
	{
		int			room = server_takes(loop, server, route) ? server_room(loop, server) : -1;
		int64		slots;

		if (room < 0 || server->options->priority != best->options->priority)
			continue;
		slots = Max(2 * (int64) Max(room, 1) - server->calls, 0);
		capacity += room;
		free += slots;
		wanted += Max(Min(slots, server_left(server)), 0);
	}

	/*
	 * wait until a group can be claimed: a claim costs about the same for 1
	 * or 64 rows
	 */
	return free < Min(batch, Max(capacity / 2, 1)) ? 0 : wanted;
}

bool
servers_any_usable(Loop *loop)
{
	foreach_server(server, loop)
	{
		if (server_room(loop, server) >= 0)
			return true;
	}
	return false;
}

int64
servers_capacity(Loop *loop, int64 *left)
{
	int64		capacity = 0;

	*left = 0;
	foreach_server(server, loop)
	{
		int			room = server_room(loop, server);

		if (room < 0)
			continue;
		capacity += room;
		*left += server_left(server);
		*left = Min(*left, PG_INT32_MAX);
	}
	return Min(capacity, PG_INT32_MAX);
}

int64
servers_longest_lease(Loop *loop)
{
	int64		longest = 0;

	foreach_server(server, loop)
	{
		longest = Max(longest, server->options->request_timeout);
	}
	return longest + LEASE_MARGIN_MS;
}
