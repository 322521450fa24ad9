/*
 * endpoints.c
 *	  Slots at URLs: when a server may send a request, and what its end gives back.
 *
 * A slot that becomes free is offered: the latches of the first in line are set, and
 * these have OFFER_MS to take it before anyone may.  A process that finds a free slot
 * which is not for it, or has nothing to send, passes the offer on.  So no slot is idle
 * while a process waits, except for the time that a process takes to wake up.
 */
#include "postgres.h"

#include "endpoints_private.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* The uses that go before a request of some rank. */
typedef struct EndpointAhead
{
	int			higher;			/* of higher rank */
	int			equal;			/* of the same, and in line for longer */
	TimestampTz until;			/* the first of their offers ends; DT_NOEND */
} EndpointAhead;

static List *uses = NIL;		/* EndpointUse, in TopMemoryContext */

/* ---- the line in which uses wait ---- */

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

static EndpointAhead
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
static bool
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

static void
endpoint_leave_line(EndpointUse *use)
{
	EndpointWaiter *mine = use->waiting ? my_waiter(use) : NULL;

	if (mine != NULL)
		remove_waiter(mine);
	if (use->waiting)
		endpoint_set_use(use, use->in_flight, false);
}

/* ---- slots ---- */

int64
endpoint_wait(EndpointUse *use, bool urgent)
{
	Endpoint   *endpoint;
	EndpointAhead ahead;
	int			left;
	int64		wait = -1;

	if (use == NULL)
		return 0;
	endpoints_publish(false);
	endpoint = endpoint_settle_down(use);
	if (endpoint == NULL || endpoint->limit < 0)
		return 0;
	left = endpoint->limit - endpoint_in_flight(endpoint);
	ahead = endpoint_who_is_ahead(use, RANK(use->trusted, urgent));
	if (left > ahead.higher + ahead.equal ||
		(left > ahead.higher && use->in_flight < endpoint_share(endpoint, use)))
		return 0;
	if (!endpoint_stand_in_line(use, RANK(use->trusted, urgent)))
		wait = ASK_AGAIN_MS;
	if (left > 0)
	{
		endpoint_offer(use->place);
		wait = ahead.until == DT_NOEND ? OFFER_MS :
			Max((ahead.until - GetCurrentTimestamp()) / 1000, 0) + 1;
	}
	return wait;
}

void
endpoint_sent(EndpointUse *use)
{
	if (use == NULL || use->place < 0)
		return;
	endpoint_leave_line(use);
	if (endpoint_settle_down(use) != NULL)
		endpoint_set_use(use, use->in_flight + 1, false);
}

void
endpoint_ended(EndpointUse *use)
{
	if (use != NULL && use->in_flight > 0)
		endpoint_set_use(use, use->in_flight - 1, use->waiting);
}

void
endpoint_leave(EndpointUse *use)
{
	const Endpoint *endpoint;

	if (use == NULL)
		return;
	endpoint_leave_line(use);
	endpoint = shared_endpoints->n_waiting > 0 ? endpoint_of(use) : NULL;
	if (endpoint != NULL)
		endpoint_offer((int) (endpoint - shared_endpoints->endpoints));
}

void
endpoint_drop(EndpointUse *use)
{
	endpoint_leave(use);
	if (use != NULL)
		use->current = false;
}

/* Said once a process, if the setting is not empty. */
static void
say_not_shared(void)
{
	static bool said;
	int			n_listed;

	(void) endpoints_listed(&n_listed);
	if (said || n_listed == 0)
		return;
	said = true;
	ereport(MyBackendType == B_BG_WORKER ? LOG : WARNING,
			(errmsg("llava_zh is not preloaded: llava_zh.endpoints has no effect"),
			 errhint("Add llava_zh to shared_preload_libraries and restart the server.")));
}

/* Forgets the uses that have ended, and leaves the server without a current one. */
static void
sweep(Oid server)
{
	ListCell   *cell;

	foreach(cell, uses)
	{
		EndpointUse *use = lfirst(cell);

		use->current &= use->server != server;
		if (use->current || endpoint_is_active(use))
			continue;
		uses = foreach_delete_current(uses, cell);
		pfree(use);
	}
}

EndpointUse *
endpoint_use(Oid server, const char *url, bool trusted)
{
	uint64		number = endpoint_number(url);
	EndpointUse *use = NULL;
	ListCell   *cell;

	if (shared_endpoints == NULL)
	{
		say_not_shared();
		return NULL;
	}
	if (number == 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	sweep(server);
	foreach(cell, uses)
	{
		EndpointUse *other = lfirst(cell);

		if (other->server == server && other->url == number && other->trusted == trusted)
			use = other;
	}
	if (use == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		use = palloc0(sizeof(EndpointUse));
		use->server = server;
		use->url = number;
		use->trusted = trusted;
		use->place = -1;
		uses = lappend(uses, use);
		MemoryContextSwitchTo(old);
	}
	use->current = true;
	return use;
}

void
endpoints_give_back_all(void)
{
	ListCell   *cell;

	foreach(cell, uses)
	{
		EndpointUse *use = lfirst(cell);

		endpoint_leave_line(use);
		if (use->in_flight > 0)
			endpoint_set_use(use, 0, false);
		endpoint_leave(use);
	}
}
