/*
 * pool.c
 *	  Hundreds of GETs in flight behind one descriptor.
 *
 * A request is named (c-ares), judged, and handed to libcurl with the address that it shall
 * connect to, so that libcurl never looks up a name.  The sockets of both live in an epoll
 * set of the pool's own.  So many requests at once go to one address; the others wait.
 */
#include "get.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

_Static_assert(LIBCURL_VERSION_NUM >= 0x075700, "libcurl 7.87 or later is needed");

#define NAMES_MARK (UINT64_C(1) << 32)
#define EVENTS_AT_ONCE 16

/* So many times as many as run at one address may wait for it. */
#define WAITING_PER_RUNNING 4

/* A step begins no more after this long. */
#define STEP_MS 3

struct WebPool
{
	WebPoolConfig config;
	CURLM	   *multi;
	Names	   *names;
	Crowd	   *crowd;
	int			epoll;
	int64_t		timer_ms;		/* of libcurl; -1: none */
	Get		   *gets;			/* all that have not ended, doubly linked */
	Get		   *ended;
	Get		  **ended_tail;
	int			in_flight;
	int			waiting;		/* in GET_NAMING or GET_WAITING */
	int			for_address;	/* of those in GET_WAITING */
	size_t		bytes;
};

const WebPoolConfig *
pool_config(const WebPool *pool)
{
	return &pool->config;
}

void
pool_count_bytes(WebPool *pool, size_t bytes)
{
	pool->bytes += bytes;
}

/* ---- libcurl's callbacks ---- */

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	WebPool    *pool = arg;
	struct epoll_event event = {.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0),
	.data.u64 = (uint32_t) fd};

	(void) easy, (void) socket_arg;
	if (what == CURL_POLL_REMOVE)
		(void) epoll_ctl(pool->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(pool->epoll, EPOLL_CTL_MOD, fd, &event) != 0 && errno == ENOENT)
		return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	WebPool    *pool = arg;

	(void) multi;
	pool->timer_ms = timeout_ms < 0 ? -1 : web_now_ms() + timeout_ms;
	return 0;
}

/* ---- a request's way ---- */

static void
move(Get *get, GetState state)
{
	WebPool    *pool = get->pool;
	GetPlaces  *places = &get->places;

	pool->waiting += (state <= GET_WAITING) - (get->state <= GET_WAITING);
	pool->for_address += (state == GET_WAITING) - (get->state == GET_WAITING);
	crowd_leave(pool->crowd, places->counted, get->state == GET_RUNNING, get->state == GET_WAITING);
	places->counted = NULL;
	if (state == GET_RUNNING || state == GET_WAITING)
		places->counted = crowd_enter(pool->crowd, &places->addresses[places->tried], state == GET_RUNNING,
									  state == GET_WAITING);
	get->state = state;
}

static void
end(Get *get)
{
	WebPool    *pool = get->pool;

	move(get, GET_ENDED);
	if (get->previous != NULL)
		get->previous->next = get->next;
	else
		pool->gets = get->next;
	if (get->next != NULL)
		get->next->previous = get->previous;
	get->next = get->previous = NULL;
	pool->in_flight--;
	*pool->ended_tail = get;
	pool->ended_tail = &get->next;
}

static void
fail(Get *get, WebFault fault, const char *error)
{
	get_fail(get, fault, error);
	end(get);
}

/* Our own limit is in the way; no fault of the host's. */
static void
fail_busy(Get *get)
{
	web_address_text(&get->places.addresses[get->places.tried], get->response.address);
	fail(get, WEB_FAULT_BUSY, "its address has enough requests under way");
}

/*
 * Until when a request that has not begun may go on waiting: for its name to the end, for
 * its address only so long that there is time to ask.
 */
static int64_t
waits_until_ms(const Get *get)
{
	return get->state == GET_WAITING ? get->deadline_ms - get->request.deadline_ms / 2 : get->deadline_ms;
}

static bool
address_has_room(const Get *get)
{
	const CrowdPlace *place = crowd_find(get->pool->crowd, &get->places.addresses[get->places.tried]);

	return place == NULL || place->running < get->pool->config.max_per_address;
}

/* Its address is busy: it waits, unless so many do that others are kept from the pool. */
static void
wait_or_leave(Get *get)
{
	int			most = get->pool->config.max_per_address * WAITING_PER_RUNNING;

	move(get, GET_WAITING);
	if (get->places.counted != NULL && get->places.counted->waiting > most)
		fail_busy(get);
}

static void
start(Get *get)
{
	if (!address_has_room(get))
	{
		wait_or_leave(get);
		return;
	}
	if (!get_set_up(get, &get->pool->config) || curl_multi_add_handle(get->pool->multi, get->easy) != CURLM_OK)
		fail(get, WEB_FAULT_MEMORY, "out of memory");
	else
		move(get, GET_RUNNING);
}

/* Keeps the addresses that may be connected to, in the order that they came in. */
static void
on_named(void *arg, const NamesAnswer *answer)
{
	Get		   *get = arg;
	char		refused[WEB_ADDRESS_TEXT];

	if (answer->fault != WEB_FAULT_NONE)
	{
		fail(get, answer->fault, answer->error);
		return;
	}
	for (int i = 0; i < answer->n; i++)
		if (web_address_allowed(&answer->addresses[i], &get->pool->config.allow))
			get->places.addresses[get->places.n++] = answer->addresses[i];
	if (get->places.n > 0)
	{
		start(get);
		return;
	}
	web_address_text(&answer->addresses[0], refused);
	snprintf(get->response.address, sizeof(get->response.address), "%s", refused);
	fail(get, WEB_FAULT_ADDRESS, "its name leads to an address that must not be connected to");
}

bool
web_pool_submit(WebPool *pool, const WebRequest *request)
{
	Get		   *get = get_new(pool, request);
	NamesAnswer literal = {.n = 1};

	if (get == NULL)
		return false;
	get->next = pool->gets;
	if (get->next != NULL)
		get->next->previous = get;
	pool->gets = get;
	pool->in_flight++;
	pool->waiting++;
	if (request->url->literal)
	{
		if (!web_address_parse(get->host, &literal.addresses[0]))
			literal.fault = WEB_FAULT_ADDRESS;
		on_named(get, &literal);
	}
	else if (!names_ask(pool->names, get->host, on_named, get))
		fail(get, WEB_FAULT_MEMORY, "out of memory");
	return true;
}

/* Ends what was not even begun by its deadline. */
static void
end_the_late(WebPool *pool)
{
	int64_t		now_ms = web_now_ms();
	Get		   *next;

	for (Get *get = pool->waiting > 0 ? pool->gets : NULL; get != NULL; get = next)
	{
		next = get->next;
		if (get->state > GET_WAITING || now_ms < waits_until_ms(get))
			continue;
		if (get->state == GET_WAITING)
		{
			fail_busy(get);
			continue;
		}
		names_forget(pool->names, get->host, get);
		fail(get, names_are_silent(pool->names) ? WEB_FAULT_RESOLVER : WEB_FAULT_NAMES, "the name was not resolved in time");
	}
}

/* Those at the end of the list have waited longest. */
static void
start_waiting(WebPool *pool)
{
	Get		   *last = pool->for_address > 0 ? pool->gets : NULL;
	Get		   *previous;

	while (last != NULL && last->next != NULL)
		last = last->next;
	for (; last != NULL && pool->for_address > 0; last = previous)
	{
		previous = last->previous;
		if (last->state == GET_WAITING && address_has_room(last) && web_now_ms() < waits_until_ms(last))
			start(last);
	}
}

static void
collect(WebPool *pool)
{
	CURLMsg    *message;
	int			left;
	bool		any = false;

	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL)
	{
		Get		   *get = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &get);
		curl_multi_remove_handle(pool->multi, get->easy);
		any = true;
		if (!get_finish(get, code))
			end(get);
		else
		{
			move(get, GET_WAITING);
			start(get);
		}
	}
	if (any)
		start_waiting(pool);
}

/* ---- the pool ---- */

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void
global_init(void)
{
	global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

WebPool *
web_pool_new(const WebPoolConfig *config)
{
	WebPool    *pool;

	pthread_once(&global_once, global_init);
	pool = global_code == CURLE_OK ? calloc(1, sizeof(WebPool)) : NULL;
	if (pool == NULL)
		return NULL;
	pool->timer_ms = -1;
	pool->ended_tail = &pool->ended;
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	pool->multi = curl_multi_init();
	pool->crowd = crowd_new();
	if (pool->epoll >= 0 && pool->crowd != NULL && pool->multi != NULL &&
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
		web_pool_configure(pool, config))
		return pool;
	web_pool_free(pool);
	return NULL;
}

/* With other name servers what the former ones said is forgotten. */
bool
web_pool_configure(WebPool *pool, const WebPoolConfig *config)
{
	if (pool->names == NULL || strcmp(pool->config.nameservers, config->nameservers) != 0)
	{
		Names	   *names = names_new(pool->epoll, NAMES_MARK, config->nameservers);

		if (names == NULL)
			return false;
		names_free(pool->names);
		pool->names = names;
		for (Get *get = pool->gets, *next; get != NULL; get = next)
		{
			next = get->next;
			if (get->state == GET_NAMING && !names_ask(names, get->host, on_named, get))
				fail(get, WEB_FAULT_MEMORY, "out of memory");
		}
	}
	pool->config = *config;
	curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long) config->max_connections);
	return true;
}

int
web_pool_fd(const WebPool *pool)
{
	return pool->epoll;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t
web_pool_prepare_wait(WebPool *pool)
{
	int64_t		now_ms = web_now_ms();
	int64_t		wait = pool->timer_ms < 0 ? -1 : pool->timer_ms < now_ms ? 0 : pool->timer_ms - now_ms;

	if (pool->ended != NULL)
		return 0;
	wait = sooner(wait, names_wait_ms(pool->names));
	for (const Get *get = pool->waiting > 0 ? pool->gets : NULL; get != NULL; get = get->next)
		if (get->state <= GET_WAITING)
			wait = sooner(wait, waits_until_ms(get) < now_ms ? 0 : waits_until_ms(get) - now_ms);
	return wait;
}

static int
serve_events(WebPool *pool)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int			running;
	int			n = epoll_wait(pool->epoll, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
	{
		uint32_t	what = events[i].events;
		int			fd = (int) (uint32_t) events[i].data.u64;

		if ((events[i].data.u64 & NAMES_MARK) != 0)
			names_serve(pool->names, fd, (what & ~(uint32_t) EPOLLOUT) != 0, (what & EPOLLOUT) != 0);
		else
			curl_multi_socket_action(pool->multi, fd, ((what & EPOLLIN) ? CURL_CSELECT_IN : 0) |
									 ((what & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
									 ((what & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0), &running);
	}
	return n;
}

void
web_pool_step(WebPool *pool)
{
	int64_t		begun_ms = web_now_ms();
	int			running;

	while (serve_events(pool) == EVENTS_AT_ONCE && web_now_ms() - begun_ms < STEP_MS)
		;
	if (pool->timer_ms >= 0 && web_now_ms() >= pool->timer_ms)
	{
		pool->timer_ms = -1;
		curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	if (names_wait_ms(pool->names) == 0)
		names_serve(pool->names, -1, false, false);
	collect(pool);
	end_the_late(pool);
}

int
web_pool_in_flight(const WebPool *pool)
{
	return pool->in_flight;
}

size_t
web_pool_bytes(const WebPool *pool)
{
	return pool->bytes;
}

bool
web_pool_next(WebPool *pool, WebResponse *response)
{
	Get		   *get = pool->ended;

	if (get == NULL)
		return false;
	pool->ended = get->next;
	if (pool->ended == NULL)
		pool->ended_tail = &pool->ended;
	pool->bytes -= get->body_room;
	*response = get->response;
	memset(get->response.headers, 0, sizeof(get->response.headers));
	get->response.body = NULL;
	get_free(get);
	return true;
}

void
web_pool_free(WebPool *pool)
{
	if (pool == NULL)
		return;
	names_free(pool->names);
	for (Get *get = pool->gets, *next; get != NULL; get = next)
	{
		next = get->next;
		if (get->state == GET_RUNNING)
			curl_multi_remove_handle(pool->multi, get->easy);
		get_free(get);
	}
	for (Get *get = pool->ended, *next; get != NULL; get = next)
	{
		next = get->next;
		get_free(get);
	}
	if (pool->multi != NULL)
		curl_multi_cleanup(pool->multi);
	crowd_free(pool->crowd);
	if (pool->epoll >= 0)
		close(pool->epoll);
	free(pool);
}
