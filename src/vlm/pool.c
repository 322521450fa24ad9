/*
 * pool.c
 *	  Hundreds of requests in flight behind one descriptor.
 *
 * libcurl's sockets live in an epoll set of the pool's own, which the caller's
 * wait sees as one descriptor.  What libcurl wants to hear of is noted by its
 * callback and told to epoll once before each wait, as libcurl takes up and drops
 * a socket several times in between.  libcurl's timer is one-shot: it is kept as an
 * absolute time and disarmed before libcurl is told that it went off.
 *
 * A body is read once and cannot be rewound: with neither a seek callback nor the
 * bytes in its own memory libcurl cannot send a POST again by itself when a kept
 * connection turns out to be dead (CURLE_SEND_FAIL_REWIND instead).
 */
#include "vlm.h"
#include "request.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

_Static_assert(LIBCURL_VERSION_NUM >= 0x075700, "libcurl 7.87 or later is needed");

/*
 * A step takes EVENTS_AT_ONCE events at a time, and begins no more after STEP_MS: an event
 * may cost some 100 us (64 KB to be encoded and sent, or a connection that failed).
 */
#define STEP_MS 3
#define EVENTS_AT_ONCE 16

/* Interest in one descriptor: what epoll knows, what libcurl wants. */
typedef struct Interest
{
	uint32_t	known;
	uint32_t	wanted;
	bool		listed;
	Request    *request;		/* whose socket it is; NULL: nobody's now */
} Interest;

struct VlmPool
{
	CURLM	   *multi;
	int			epoll;
	int64_t		deadline_ms;	/* of libcurl's timer; -1: none */
	Interest   *interests;		/* by descriptor */
	int			n_interests;
	int		   *changed;		/* descriptors whose interest changed */
	int			n_changed;
	int			room_changed;
	Request    *requests;		/* in flight, doubly linked */
	Request    *ended;			/* first of those to be given out */
	Request   **ended_tail;
	Request    *spare;			/* easy handles to be used again */
	int			in_flight;
	size_t		bytes;
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_code;

static void
global_init(void)
{
	global_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Threads that libcurl starts to resolve names inherit a full signal mask. */
static void
block_signals(sigset_t *before)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, before);
}

static void
restore_signals(const sigset_t *before)
{
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

/* ---- libcurl's callbacks ---- */

static bool
room_for(VlmPool *pool, int fd)
{
	if (fd >= pool->n_interests)
	{
		int			n = fd * 2 + 64;
		Interest   *grown = realloc(pool->interests, sizeof(Interest) * (size_t) n);

		if (grown == NULL)
			return false;
		memset(grown + pool->n_interests, 0, sizeof(Interest) * (size_t) (n - pool->n_interests));
		pool->interests = grown;
		pool->n_interests = n;
	}
	if (pool->n_changed == pool->room_changed)
	{
		int			n = pool->room_changed * 2 + 64;
		int		   *grown = realloc(pool->changed, sizeof(int) * (size_t) n);

		if (grown == NULL)
			return false;
		pool->changed = grown;
		pool->room_changed = n;
	}
	return true;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	VlmPool    *pool = arg;
	Interest   *interest;

	(void) socket_arg;
	if (!room_for(pool, fd))
		return -1;
	interest = &pool->interests[fd];
	if (what == CURL_POLL_REMOVE)
	{
		/* the descriptor may be closed and used anew before the next wait */
		if (interest->known != 0)
			(void) epoll_ctl(pool->epoll, EPOLL_CTL_DEL, fd, NULL);
		interest->known = interest->wanted = 0;
		interest->request = NULL;
		return 0;
	}
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &interest->request);
	if (interest->request != NULL)
		interest->request->inbound.fd = fd;
	interest->wanted = ((what & CURL_POLL_IN) ? EPOLLIN : 0) |
		((what & CURL_POLL_OUT) ? EPOLLOUT : 0);
	if (!interest->listed)
		pool->changed[pool->n_changed++] = fd;
	interest->listed = true;
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	VlmPool    *pool = arg;

	(void) multi;
	pool->deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	return 0;
}

/* ---- the pool ---- */

VlmPool *
vlm_pool_new(int max_connections)
{
	VlmPool    *pool;

	pthread_once(&global_once, global_init);
	if (global_code != CURLE_OK)
		return NULL;
	pool = calloc(1, sizeof(VlmPool));
	if (pool == NULL)
		return NULL;
	pool->deadline_ms = -1;
	pool->ended_tail = &pool->ended;
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	pool->multi = curl_multi_init();
	if (pool->epoll < 0 || pool->multi == NULL ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) != CURLM_OK)
	{
		vlm_pool_free(pool);
		return NULL;
	}
	vlm_pool_set_max_connections(pool, max_connections);
	return pool;
}

void
vlm_pool_set_max_connections(VlmPool *pool, int max_connections)
{
	curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) max_connections);
	curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) max_connections);
	curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long) max_connections);
}

int
vlm_pool_fd(const VlmPool *pool)
{
	return pool->epoll;
}

static void
tell_epoll(VlmPool *pool)
{
	for (int i = 0; i < pool->n_changed; i++)
	{
		int			fd = pool->changed[i];
		Interest   *interest = &pool->interests[fd];
		struct epoll_event event = {.events = interest->wanted,.data = {.fd = fd}};

		interest->listed = false;
		if (interest->wanted == interest->known)
			continue;
		if (epoll_ctl(pool->epoll, interest->known == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
					  fd, &event) == 0)
			interest->known = interest->wanted;
	}
	pool->n_changed = 0;
}

int64_t
vlm_pool_prepare_wait(VlmPool *pool)
{
	int64_t		left;

	tell_epoll(pool);
	if (pool->ended != NULL)
		return 0;
	if (pool->deadline_ms < 0)
		return -1;
	left = pool->deadline_ms - now_ms();
	return left < 0 ? 0 : left;
}

static void
unlink_request(VlmPool *pool, Request *request)
{
	/*
	 * libcurl has said already that it is done with the socket, but no
	 * pointer may depend on that
	 */
	if (request->inbound.fd > 0 && pool->interests[request->inbound.fd].request == request)
		pool->interests[request->inbound.fd].request = NULL;
	if (request->previous != NULL)
		request->previous->next = request->next;
	else
		pool->requests = request->next;
	if (request->next != NULL)
		request->next->previous = request->previous;
	request->next = request->previous = NULL;
	pool->in_flight--;
}

/*
 * The handle goes back to the spares; its buffers are gone or given away.  One that
 * failed is not used again: in libcurl 8.7 to 8.15 curl_easy_reset leaves it failing
 * (curl issues 17139, 18206).
 */
static void
recycle(VlmPool *pool, Request *request)
{
	if (!request->ended_well)
	{
		request_free(request);
		return;
	}
	request_clear(request);
	request->next = pool->spare;
	pool->spare = request;
}

/* The request leaves libcurl and waits for vlm_pool_next. */
static void
end_request(VlmPool *pool, Request *request, CURLcode code)
{
	curl_multi_remove_handle(pool->multi, request->easy);
#if LIBCURL_VERSION_NUM >= 0x081000
	if (request_lost_connection(code))
		curl_multi_setopt(pool->multi, CURLMOPT_NETWORK_CHANGED, CURLMNWC_CLEAR_CONNS);
#endif
	unlink_request(pool, request);
	request_finish(request, code, now_ms());
	*pool->ended_tail = request;
	pool->ended_tail = &request->next;
}

static void
collect(VlmPool *pool)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(pool->multi, &left)) != NULL)
	{
		Request    *request = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &request);
		end_request(pool, request, code);
	}
}

/*
 * Ends the request whose socket has received more than a reply can need.  libcurl counts
 * and limits only the decoded body, and calls back for nothing else; it reads a bounded
 * amount for each event.
 */
static void
limit_inbound(VlmPool *pool, int fd)
{
	Request    *request = fd < pool->n_interests ? pool->interests[fd].request : NULL;

	if (request != NULL && !request_inbound(request, fd))
		end_request(pool, request, CURLE_WRITE_ERROR);
}

/* The number of events there were. */
static int
serve_events(VlmPool *pool)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int			running;
	int			n = epoll_wait(pool->epoll, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < n; i++)
	{
		int			what = ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
		((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
		((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);

		curl_multi_socket_action(pool->multi, events[i].data.fd, what, &running);
		if (what & CURL_CSELECT_IN)
			limit_inbound(pool, events[i].data.fd);
	}
	return n;
}

void
vlm_pool_step(VlmPool *pool)
{
	int64_t		begun_ms = now_ms();
	sigset_t	before;
	int			running;

	block_signals(&before);
	while (serve_events(pool) == EVENTS_AT_ONCE && now_ms() - begun_ms < STEP_MS)
		tell_epoll(pool);
	if (pool->deadline_ms >= 0 && now_ms() >= pool->deadline_ms)
	{
		pool->deadline_ms = -1;
		curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect(pool);
	restore_signals(&before);
}

bool
vlm_pool_submit(VlmPool *pool, VlmRequest *wanted)
{
	Request    *request = pool->spare;
	sigset_t	before;
	bool		ok;

	if (request != NULL)
		pool->spare = request->next;
	else
		request = request_new();
	if (request == NULL)
		return false;
	request->next = NULL;
	block_signals(&before);
	ok = request_set_up(request, wanted, &pool->bytes, now_ms()) &&
		curl_multi_add_handle(pool->multi, request->easy) == CURLM_OK;
	restore_signals(&before);
	if (!ok)
	{
		/* body and image stay the caller's */
		memset(&request->body.json, 0, sizeof(request->body.json));
		request->body.image = NULL;
		recycle(pool, request);
		return false;
	}
	request->next = pool->requests;
	if (request->next != NULL)
		request->next->previous = request;
	pool->requests = request;
	pool->in_flight++;
	return true;
}

int
vlm_pool_in_flight(const VlmPool *pool)
{
	return pool->in_flight;
}

size_t
vlm_pool_bytes(const VlmPool *pool)
{
	return pool->bytes;
}

bool
vlm_pool_next(VlmPool *pool, VlmResponse *response)
{
	Request    *request = pool->ended;

	if (request == NULL)
		return false;
	pool->ended = request->next;
	if (pool->ended == NULL)
		pool->ended_tail = &pool->ended;
	*response = request->response;
	memset(&request->response, 0, sizeof(request->response));
	recycle(pool, request);
	return true;
}

static void
cancel_ended(VlmPool *pool, const void *user)
{
	Request   **link = &pool->ended;

	while (*link != NULL)
	{
		Request    *request = *link;

		if (user != NULL && request->response.user != user)
		{
			link = &request->next;
			continue;
		}
		*link = request->next;
		vlm_response_free(&request->response);
		recycle(pool, request);
	}
	pool->ended_tail = link;
}

void
vlm_pool_cancel(VlmPool *pool, const void *user)
{
	Request    *next;
	sigset_t	before;

	block_signals(&before);
	for (Request *request = pool->requests; request != NULL; request = next)
	{
		next = request->next;
		if (user != NULL && request->user != user)
			continue;
		curl_multi_remove_handle(pool->multi, request->easy);
		unlink_request(pool, request);
		recycle(pool, request);
	}
	cancel_ended(pool, user);
	restore_signals(&before);
}

void
vlm_pool_free(VlmPool *pool)
{
	Request    *next;

	if (pool == NULL)
		return;
	if (pool->multi != NULL)
		vlm_pool_cancel(pool, NULL);
	for (Request *request = pool->spare; request != NULL; request = next)
	{
		next = request->next;
		request_free(request);
	}
	if (pool->multi != NULL)
		curl_multi_cleanup(pool->multi);
	if (pool->epoll >= 0)
		close(pool->epoll);
	free(pool->interests);
	free(pool->changed);
	free(pool);
}
