/*
 * endpoints.c
 *	  See endpoints.h.
 *
 * Requests are counted at every URL, whether the setting names it or not, so that a reload
 * finds those that are in flight.  An entry lasts as long as it is named, or somebody has
 * requests in flight there or waits.
 *
 * A slot that becomes free is offered: the latches of the first in line are set, and they
 * have OFFER_MS to take it before it is anybody's.  Who finds a slot free that is not for
 * him passes the offer on; so does who has nothing to send.  So no slot stands idle while
 * somebody waits, but for the time that a process takes to wake.
 *
 * Processes read the configuration at times of their own.  The newest reading counts, by
 * the time that it was made.
 */
#include "postgres.h"

#include <ctype.h>

#include "common/hashfn.h"
#include "endpoints_private.h"
#include "miscadmin.h"
#include "options.h"
#include "server.h"
#include "utils/memutils.h"
#include "vlm/vlm.h"

#define MOST_IN_FLIGHT 1000000

SharedEndpoints *shared_endpoints;

static ListedEndpoint listed[MAX_LISTED];	/* the setting, in this process */
static int	n_listed;

static List *uses = NIL;		/* EndpointUse, in TopMemoryContext */

Size
endpoints_memory(void)
{
	return sizeof(SharedEndpoints);
}

void
endpoints_start_up(void *memory, bool found)
{
	shared_endpoints = memory;
	if (found)
		return;
	memset(shared_endpoints, 0, endpoints_memory());
	endpoints_publish(true);
}

/* ---- the setting ---- */

uint64
endpoint_number(const char *url)
{
	char	   *normal = vlm_url_normal(url);
	uint64		number;

	if (normal == NULL)
		return 0;
	number = hash_bytes_extended((const unsigned char *) normal, (int) strlen(normal), 0);
	free(normal);
	return Max(number, UINT64CONST(1));
}

/* What is wrong with the number behind a URL; NULL: nothing. */
static const char *
read_limit(const char *text, size_t size, int *limit)
{
	char	   *end;
	long		number;

	if (size == 0 || text[0] < '0' || text[0] > '9')
		return "no number follows the URL";
	number = strtol(text, &end, 10);
	while (end < text +size && isspace((unsigned char) *end))
		end++;
	if (end < text +size)
		return "what follows the URL is not a number";
	if (number < 1 || number > MOST_IN_FLIGHT)
		return "the number is not in 1 .. 1000000";
	*limit = (int) number;
	return NULL;
}

/* What is wrong with an entry, 'URL number'; NULL: nothing. */
static const char *
read_entry(const char *text, size_t size, ListedEndpoint *entry)
{
	size_t		length = 0;
	const char *problem;
	char	   *url;

	while (length < size && !isspace((unsigned char) text[length]))
		length++;
	if (length == 0 || text[0] == ',')
		return "an entry is empty";
	url = strndup(text, length);
	if (url == NULL)
		return "out of memory";
	problem = options_url_problem(url);
	entry->url = endpoint_number(url);
	free(url);
	if (problem != NULL)
		return problem;
	if (entry->url == 0)
		return "out of memory";
	while (length < size && isspace((unsigned char) text[length]))
		length++;
	return read_limit(text +length, size - length, &entry->limit);
}

/* The length of the entry: a comma may be part of a URL. */
static size_t
entry_size(const char *text)
{
	size_t		url = strcspn(text, " \t\r\n\f\v");

	return url + strcspn(text +url, ",");
}

/* How many entries there are; what is wrong with the last in *problem, or NULL. */
static int
read_list(const char *text, ListedEndpoint *list, const char **problem)
{
	int			n = 0;

	*problem = NULL;
	text	  +=strspn(text, " \t\r\n\f\v");

	while (*text !='\0')
	{
		size_t		size = entry_size(text);

		if (n == MAX_LISTED)
		{
			*problem = "there are more than 64 URLs";
			return n;
		}
		*problem = read_entry(text, size, &list[n++]);
		for (int i = 0; *problem == NULL && i < n - 1; i++)
			if (list[i].url == list[n - 1].url)
				*problem = "the same URL is there twice";
		if (*problem != NULL)
			return n;
		text	  +=size;

		if (*text !=',')
			return n;
		text	  +=1 + strspn(text +1, " \t\r\n\f\v");

		if (*text == '\0')
			*problem = "an entry is empty";
	}
	return n;
}

static bool
check_setting(char **value, void **extra, GucSource source)
{
	ListedEndpoint list[MAX_LISTED];
	const char *problem;
	int			n = read_list(*value, list, &problem);

	if (problem == NULL)
		return true;
	/* a URL may hold a secret where it must not */
	GUC_check_errdetail("Entry %d: %s.", n, problem);
	GUC_check_errhint("As in 'http://gpu:8000/v1 64, https://other/v1 8': each server's url, and how many requests may be in flight there.");
	return false;
}

static void
assign_setting(const char *value, void *extra)
{
	const char *problem;

	n_listed = read_list(value, listed, &problem);
	/* it was checked: this is no memory */
	if (problem != NULL)
		n_listed--;
}

void
endpoints_define(void)
{
	static char *setting;

	DefineCustomStringVariable("llava_zh.endpoints",
							   "Most requests in flight at a URL, of all databases and servers together.",
							   "A comma-separated list: 'http://gpu:8000/v1 64, https://other/v1 8'. Needs llava_zh preloaded.",
							   &setting, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_setting, assign_setting, NULL);
}

const ListedEndpoint *
endpoints_listed(int *n)
{
	*n = n_listed;
	return listed;
}

/* ---- places ---- */

static int
find_endpoint_place(uint64 url)
{
	for (int i = 0; i < MAX_ENDPOINTS; i++)
		if (shared_endpoints->endpoints[i].url == url)
			return i;
	return -1;
}

/* The first places are kept for URLs that the setting names. */
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

/* Where the use's URL is now; NULL: nobody has asked it lately. */
Endpoint *
endpoint_of(const EndpointUse *use)
{
	int			place = use->place;

	if (place < 0 || shared_endpoints->endpoints[place].url != use->url)
		place = find_endpoint_place(use->url);
	return place < 0 ? NULL : &shared_endpoints->endpoints[place];
}

/* The same, made if need be; NULL when there is no place. */
Endpoint *
endpoint_settle_down(EndpointUse *use)
{
	if (use->place < 0 || shared_endpoints->endpoints[use->place].url != use->url)
	{
		use->place = find_endpoint_place(use->url);
		if (use->place < 0)
			use->place = make_endpoint_place(use->url, false);
	}
	return use->place < 0 ? NULL : &shared_endpoints->endpoints[use->place];
}

static void
release_if_idle(Endpoint *endpoint)
{
	if (endpoint->limit < 0 && endpoint->users[0] + endpoint->users[1] == 0)
		endpoint->url = 0;
}

/* What the use has at its place from now on. */
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

/* What is due to one of those who share the slots that are theirs. */
int
endpoint_share(const Endpoint *endpoint, const EndpointUse *use)
{
	int			slots = endpoint->limit - (use->trusted ? 0 : endpoint->in_flight[true]);
	int			users = endpoint->users[use->trusted] + (endpoint_is_active(use) ? 0 : 1);

	return Max(slots, 0) / users;
}

/* ---- the line ---- */

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

/* It had its time; an offer for longer than any is one of a clock that was set back. */
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

/* A place in line for one of higher rank, of the last one that has the lowest. */
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

/* In line from now on, or still.  False: it is full. */
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

/* ---- processes ---- */

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

/* Once a process: the setting is there, and what it needs is not. */
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
			(errmsg("llava_zh is not preloaded: llava_zh.endpoints does not hold"),
			 errhint("Add llava_zh to shared_preload_libraries and restart the server.")));
}

/* Those that are over are forgotten, and of this server's none is the current one. */
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
