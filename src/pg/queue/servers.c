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

bool
server_takes_task(const Loop *loop, const ServerState *server, const LlavaTask *task)
{
	if (task->server != NULL)
		return strcmp(task->server, server->options->name) == 0;
	return server->options->queue || loop->scope.only_server != NULL;
}

ServerState *
server_for_task(Loop *loop, const LlavaTask *task, const char *not_of)
{
	ServerState *best = NULL;
	ServerState *last_resort = NULL;

	foreach_server(server, loop)
	{
		if (!server_takes_task(loop, server, task))
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
		*left += server_chance(server) == SERVER_TO_PROBE ? 1 :
			limits_remaining(server->limits) - server->unsent;
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
