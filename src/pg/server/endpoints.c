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
#include "server.h"
#include "utils/memutils.h"

static List *uses = NIL;		/* EndpointUse, in TopMemoryContext */

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
