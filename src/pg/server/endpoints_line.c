/*
 * endpoints_line.c
 *	  The line in which uses wait for a slot at a URL.
 */
#include "postgres.h"

#include "endpoints_private.h"
#include "miscadmin.h"
#include "server.h"

static bool
is_mine(const EndpointWaiter *waiter, const EndpointUse *use)
{
	return waiter->latch == MyLatch && waiter->server == use->server &&
		waiter->place == use->place;
}

static void
remove_waiter(EndpointWaiter *waiter)
{
	int			after = shared_endpoints->n_waiting - 1 - (int) (waiter - shared_endpoints->waiting);

	memmove(waiter, waiter + 1, sizeof(*waiter) * after);
	shared_endpoints->n_waiting--;
}

static EndpointWaiter *
my_waiter(const EndpointUse *use)
{
	for (int i = 0; i < shared_endpoints->n_waiting; i++)
		if (is_mine(&shared_endpoints->waiting[i], use))
			return &shared_endpoints->waiting[i];
	return NULL;
}

/*
 * The offer has run out; one that ends later than any may is of a clock that was set
 * back.
 */
static bool
offer_has_ended(const EndpointWaiter *waiter, TimestampTz now)
{
	return waiter->offered_until != 0 &&
		(waiter->offered_until <= now ||
		 waiter->offered_until > TimestampTzPlusMilliseconds(now, OFFER_MS));
}

/* Sets the latches of the first in line, as many as there are slots for. */
void
endpoint_offer(int place)
{
	const Endpoint *endpoint = &shared_endpoints->endpoints[place];
	int			left = endpoint->limit < 0 ? MAX_IN_LINE : endpoint->limit - endpoint_in_flight(endpoint);
	TimestampTz now = shared_endpoints->n_waiting > 0 ? GetCurrentTimestamp() : 0;

	for (int rank = RANKS - 1; rank >= 0; rank--)
		for (int i = 0; i < shared_endpoints->n_waiting && left > 0; i++)
		{
			EndpointWaiter *waiter = &shared_endpoints->waiting[i];

			if (waiter->place != place || waiter->rank != rank)
				continue;
			if (waiter->offered_until == 0)
			{
				waiter->offered_until = TimestampTzPlusMilliseconds(now, OFFER_MS);
				SetLatch(waiter->latch);
			}
			left -= offer_has_ended(waiter, now) ? 0 : 1;
		}
}

EndpointAhead
endpoint_who_is_ahead(const EndpointUse *use, int rank)
{
	EndpointAhead ahead = {0, 0, DT_NOEND};
	TimestampTz now = shared_endpoints->n_waiting > 0 ? GetCurrentTimestamp() : 0;
	bool		passed = false;

	for (int i = 0; i < shared_endpoints->n_waiting; i++)
	{
		const EndpointWaiter *waiter = &shared_endpoints->waiting[i];

		passed |= is_mine(waiter, use);
		if (waiter->place != use->place || is_mine(waiter, use) || waiter->rank < rank ||
			(waiter->rank == rank && passed))
			continue;
		if (offer_has_ended(waiter, now))
			continue;
		if (waiter->rank > rank)
			ahead.higher++;
		else
			ahead.equal++;
		if (waiter->offered_until != 0)
			ahead.until = Min(ahead.until, waiter->offered_until);
	}
	return ahead;
}

/*
 * Makes a place in line for a higher rank: the last one of the lowest rank loses its
 * own.
 */
static bool
make_room_in_line(int rank)
{
	EndpointWaiter *last = NULL;

	for (int i = 0; i < shared_endpoints->n_waiting; i++)
		if (last == NULL || shared_endpoints->waiting[i].rank <= last->rank)
			last = &shared_endpoints->waiting[i];
	if (last == NULL || last->rank >= rank)
		return false;
	SetLatch(last->latch);
	remove_waiter(last);
	return true;
}

/* Puts the use in line, or keeps it there; false if the line is full. */
bool
endpoint_stand_in_line(EndpointUse *use, int rank)
{
	EndpointWaiter *mine = my_waiter(use);

	if (mine == NULL && shared_endpoints->n_waiting == MAX_IN_LINE && !make_room_in_line(rank))
		return false;
	if (mine == NULL)
		mine = &shared_endpoints->waiting[shared_endpoints->n_waiting++];
	mine->place = use->place;
	mine->server = use->server;
	mine->latch = MyLatch;
	mine->rank = rank;
	mine->offered_until = 0;
	endpoint_set_use(use, use->in_flight, true);
	return true;
}

void
endpoint_leave_line(EndpointUse *use)
{
	EndpointWaiter *mine = use->waiting ? my_waiter(use) : NULL;

	if (mine != NULL)
		remove_waiter(mine);
	if (use->waiting)
		endpoint_set_use(use, use->in_flight, false);
}
