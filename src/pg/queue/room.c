/*
 * room.c
 *	  Which destination rows are claimed for next, how many, and when.
 */
#include "postgres.h"

#include "destinations.h"

void
destinations_look(Loop *loop)
{
	foreach_destination(destination, loop)
	{
		int64		room = servers_room(loop, &destination->route, CLAIM_BATCH);

		destination->open = room >= 0;
		destination->room = Max(room, 0);
	}
}

static bool
is_behind(const QueuePlace *a, const QueuePlace *b)
{
	return a->visible_at < b->visible_at || (a->visible_at == b->visible_at && a->image < b->image);
}

Destination *
destination_next(Loop *loop)
{
	TimestampTz now = GetCurrentTimestamp();
	Destination *next = NULL;

	foreach_destination(destination, loop)
	{
		if (destination->room > 0 && destination->wanted == 0 && destination->at <= now &&
			(next == NULL || is_behind(&destination->cursor, &next->cursor)))
			next = destination;
	}
	return next;
}

static bool
share_a_server(Loop *loop, const Destination *a, const Destination *b)
{
	foreach_server(server, loop)
	{
		if (server_takes(loop, server, &a->route) && server_takes(loop, server, &b->route))
			return true;
	}
	return false;
}

void
destination_took(Loop *loop, const Destination *destination, int rows)
{
	foreach_destination(other, loop)
	{
		if (other != destination && other->room > 0 && share_a_server(loop, destination, other))
			other->room = Max(other->room - rows, 0);
	}
}

bool
destination_is_idle(Loop *loop, const Destination *destination)
{
	foreach_server(server, loop)
	{
		if (server->calls > 0 && server_takes(loop, server, &destination->route))
			return false;
	}
	return true;
}

TimestampTz
destinations_due(Loop *loop)
{
	TimestampTz due = DT_NOEND;

	/* rows with new pins may be for a destination that is not known yet */
	if (loop->destinations.pins_changed)
		due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										  Max(loop->destinations.pins_look_ms - clock_monotonic_ms(), 0));
	destinations_look(loop);
	foreach_destination(destination, loop)
	{
		if (destination->room > 0)
			due = Min(due, destination->at);
	}
	return due;
}

bool
destinations_are_dry(Loop *loop, TimestampTz *next_due)
{
	bool		dry = !loop->destinations.pins_changed;

	*next_due = DT_NOEND;
	destinations_look(loop);
	foreach_destination(destination, loop)
	{
		if (!destination->open)
			continue;
		dry &= destination->dry && destination->is_asked_known;
		*next_due = Min(*next_due, destination->next_due);
	}
	return dry;
}
