/*
 * endpoints_places.c
 *	  The counts of requests at URLs, in shared memory.
 *
 * Requests are counted at every URL, whether the setting names it or not, so that a
 * reload finds those that are in flight.  An entry lasts as long as the setting names
 * it, or a server has requests in flight there or waits.
 *
 * Processes read the configuration at different times.  The newest reading counts, by
 * the time at which it was made.
 */
#include "postgres.h"

#include "endpoints_private.h"

SharedEndpoints *shared_endpoints;

static int
find_endpoint_place(uint64 url)
{
	for (int i = 0; i < MAX_ENDPOINTS; i++)
		if (shared_endpoints->endpoints[i].url == url)
			return i;
	return -1;
}

/* The first places are reserved for URLs that the setting names. */
static int
make_endpoint_place(uint64 url, bool named)
{
	for (int i = named ? 0 : MAX_LISTED; i < MAX_ENDPOINTS; i++)
	{
		Endpoint   *endpoint = &shared_endpoints->endpoints[i];

		if (endpoint->url != 0)
			continue;
		memset(endpoint, 0, sizeof(*endpoint));
		endpoint->url = url;
		endpoint->limit = -1;
		return i;
	}
	return -1;
}

bool
endpoint_is_active(const EndpointUse *use)
{
	return use->in_flight > 0 || use->waiting;
}

/* The place of the use's URL; -1 if it has none. */
static int
place_of(const EndpointUse *use)
{
	if (use->place >= 0 && shared_endpoints->endpoints[use->place].url == use->url)
		return use->place;
	return find_endpoint_place(use->url);
}

/* The entry of the use's URL; NULL if it has none. */
Endpoint *
endpoint_of(const EndpointUse *use)
{
	int			place = place_of(use);

	return place < 0 ? NULL : &shared_endpoints->endpoints[place];
}

/* The same, made if it is missing; NULL if there is no place. */
Endpoint *
endpoint_settle_down(EndpointUse *use)
{
	use->place = place_of(use);
	if (use->place < 0)
		use->place = make_endpoint_place(use->url, false);
	return use->place < 0 ? NULL : &shared_endpoints->endpoints[use->place];
}

static void
release_if_idle(Endpoint *endpoint)
{
	if (endpoint->limit < 0 && endpoint->users[0] + endpoint->users[1] == 0)
		endpoint->url = 0;
}

/* Sets what the use has at its place. */
void
endpoint_set_use(EndpointUse *use, int in_flight, bool waiting)
{
	Endpoint   *endpoint = &shared_endpoints->endpoints[use->place];

	endpoint->users[use->trusted] -= endpoint_is_active(use) ? 1 : 0;
	endpoint->in_flight[use->trusted] += in_flight - use->in_flight;
	use->in_flight = in_flight;
	use->waiting = waiting;
	endpoint->users[use->trusted] += endpoint_is_active(use) ? 1 : 0;
	release_if_idle(endpoint);
}

int
endpoint_in_flight(const Endpoint *endpoint)
{
	return endpoint->in_flight[0] + endpoint->in_flight[1];
}

/* The use's share of the slots that servers of its kind have. */
int
endpoint_share(const Endpoint *endpoint, const EndpointUse *use)
{
	int			slots = endpoint->limit - (use->trusted ? 0 : endpoint->in_flight[true]);
	int			users = endpoint->users[use->trusted] + (endpoint_is_active(use) ? 0 : 1);

	return Max(slots, 0) / users;
}

int
endpoint_room(const EndpointUse *use)
{
	const Endpoint *endpoint = use == NULL ? NULL : endpoint_of(use);

	if (endpoint == NULL || endpoint->limit < 0)
		return PG_INT32_MAX;
	return Max(endpoint->limit - endpoint_in_flight(endpoint) + use->in_flight, endpoint_share(endpoint, use));
}

double
endpoint_load(const EndpointUse *use, int more)
{
	const Endpoint *endpoint = use == NULL ? NULL : endpoint_of(use);

	if (endpoint == NULL || endpoint->limit < 0)
		return 0;
	return (double) (endpoint_in_flight(endpoint) + more) / endpoint->limit;
}

EndpointFacts
endpoint_facts(uint64 url)
{
	EndpointFacts facts = {-1, -1, -1};
	int			n_listed;
	const ListedEndpoint *listed = endpoints_listed(&n_listed);
	int			place;

	if (shared_endpoints == NULL)
	{
		for (int i = 0; i < n_listed; i++)
			if (listed[i].url == url)
				facts.limit = listed[i].limit;
		return facts;
	}
	endpoints_publish(false);
	place = find_endpoint_place(url);
	facts.limit = place < 0 ? -1 : shared_endpoints->endpoints[place].limit;
	facts.in_flight = place < 0 ? 0 : endpoint_in_flight(&shared_endpoints->endpoints[place]);
	facts.waiting = 0;
	for (int i = 0; i < shared_endpoints->n_waiting; i++)
		facts.waiting += shared_endpoints->waiting[i].place == place ? 1 : 0;
	return facts;
}

void
endpoints_publish(bool anyway)
{
	int			n_listed;
	const ListedEndpoint *listed = endpoints_listed(&n_listed);

	if (shared_endpoints == NULL || (shared_endpoints->read_at >= PgReloadTime && !anyway))
		return;
	shared_endpoints->read_at = PgReloadTime;
	for (int i = 0; i < MAX_ENDPOINTS; i++)
		shared_endpoints->endpoints[i].limit = -1;
	for (int i = 0; i < n_listed; i++)
	{
		int			place = find_endpoint_place(listed[i].url);

		if (place < 0)
			place = make_endpoint_place(listed[i].url, true);
		if (place >= 0)
			shared_endpoints->endpoints[place].limit = listed[i].limit;
	}
	for (int i = 0; i < MAX_ENDPOINTS; i++)
	{
		if (shared_endpoints->endpoints[i].url != 0)
			endpoint_offer(i);
		release_if_idle(&shared_endpoints->endpoints[i]);
	}
}

static void
endpoints_init(void)
{
	endpoints_publish(true);
}

const SharedPart endpoints_shared = {
	"llava_zh endpoints", sizeof(SharedEndpoints), NULL, (void **) &shared_endpoints, endpoints_init
};
