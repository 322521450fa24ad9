/*
 * bare_get.c
 *	  bare_get FILE IN_FLIGHT: the yardstick of the fetcher.
 *
 * Gets the URLs of FILE, a line "URL ADDRESS" each, so many at a time: libcurl's multi
 * interface over epoll and nothing else, no name server, no robots.txt, no pace, no
 * database; bodies are counted and dropped.  Prints how many came, CPU seconds, seconds.
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

typedef struct Transfer
{
	CURL	   *easy;
	struct curl_slist *to;
} Transfer;

static FILE *list;
static CURLM *multi;
static int	epoll;
static long timer_ms = -1;
static long came;
static long running;

static size_t
on_write(char *data, size_t size, size_t n, void *arg)
{
	(void) data, (void) arg;
	return size * n;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct epoll_event event = {.events = ((what & CURL_POLL_IN) ? EPOLLIN : 0) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0),
	.data.fd = fd};

	(void) easy, (void) arg, (void) socket_arg;
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) != 0)
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	return 0;
}

static int
on_timer(CURLM *of, long timeout_ms, void *arg)
{
	(void) of, (void) arg;
	timer_ms = timeout_ms;
	return 0;
}

/* The next of the list; nothing where it has ended. */
static void
start(Transfer *transfer)
{
	char		url[4096];
	char		address[64];
	char		to[80];

	if (fscanf(list, "%4095s %63s", url, address) != 2)
		return;
	if (transfer->easy == NULL)
		transfer->easy = curl_easy_init();
	curl_slist_free_all(transfer->to);
	snprintf(to, sizeof(to), "::%s:", address);
	transfer->to = curl_slist_append(NULL, to);
	curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, transfer->to);
	curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(transfer->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(transfer->easy, CURLOPT_FAILONERROR, 1L);
	curl_multi_add_handle(multi, transfer->easy);
	running++;
}

static void
collect(void)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		Transfer   *transfer;

		if (message->data.result != CURLE_OK)
		{
			fprintf(stderr, "bare_get: %s\n", curl_easy_strerror(message->data.result));
			exit(1);
		}
		came++;
		running--;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &transfer);
		curl_multi_remove_handle(multi, transfer->easy);
		start(transfer);
	}
}

static void
turn(void)
{
	struct epoll_event events[64];
	int			still;
	int			n = epoll_wait(epoll, events, 64, timer_ms < 0 || timer_ms > 1000 ? 1000 : (int) timer_ms);

	for (int i = 0; i < n; i++)
		curl_multi_socket_action(multi, events[i].data.fd, ((events[i].events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
								 ((events[i].events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
								 ((events[i].events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0), &still);
	if (n == 0 || timer_ms == 0)
	{
		timer_ms = -1;
		curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &still);
	}
	collect();
}

int
main(int argc, char **argv)
{
	int			in_flight = argc > 2 ? atoi(argv[2]) : 0;
	Transfer   *transfers = calloc((size_t) in_flight + 1, sizeof(Transfer));
	struct rusage used;
	struct timespec begun;
	struct timespec ended;

	list = in_flight > 0 ? fopen(argv[1], "r") : NULL;
	if (list == NULL || transfers == NULL)
	{
		fputs("bare_get FILE IN_FLIGHT\n", stderr);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_DEFAULT);
	epoll = epoll_create1(0);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 4L * in_flight);
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int i = 0; i < in_flight; i++)
		start(&transfers[i]);
	while (running > 0)
		turn();
	clock_gettime(CLOCK_MONOTONIC, &ended);
	getrusage(RUSAGE_SELF, &used);
	printf("%ld %.3f %.3f\n", came, (double) (used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		   (double) (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6,
		   (double) (ended.tv_sec - begun.tv_sec) + (double) (ended.tv_nsec - begun.tv_nsec) / 1e9);
	return 0;
}
