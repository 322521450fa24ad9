/*
 * loop.c
 *	  One thread's event loop: descriptors through epoll, deadlines in a heap.
 */
#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "buffer.h"

#define BATCH 256

static int	epoll_fd = -1;
static bool stopping;
static Timer **heap;			/* from 1; the parent of i is i / 2 */
static int	heap_size;
static int	heap_room;

void
loop_open(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1: %s", strerror(errno));
}

bool
loop_watch(Watch *watch, uint32_t events)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.ptr = watch;
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

void
loop_change(Watch *watch, uint32_t events)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.ptr = watch;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) != 0)
		die("epoll_ctl: %s", strerror(errno));
}

void
loop_forget(Watch *watch)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

static void
heap_set(int place, Timer *timer)
{
	heap[place] = timer;
	timer->place = place;
}

/* Lets the timer at `place` rise or sink to where it belongs. */
static void
heap_settle(int place)
{
	Timer	   *timer = heap[place];

	for (; place > 1 && heap[place / 2]->due > timer->due; place /= 2)
		heap_set(place, heap[place / 2]);
	for (;;)
	{
		int			child = place * 2;

		if (child > heap_size)
			break;
		if (child < heap_size && heap[child + 1]->due < heap[child]->due)
			child++;
		if (heap[child]->due >= timer->due)
			break;
		heap_set(place, heap[child]);
		place = child;
	}
	heap_set(place, timer);
}

void
loop_arm(Timer *timer, int64_t due)
{
	loop_disarm(timer);
	if (heap_size + 2 > heap_room)
	{
		heap_room = heap_room ? heap_room * 2 : 64;
		heap = must_resize(heap, (size_t) heap_room * sizeof(*heap));
	}
	timer->due = due;
	heap_set(++heap_size, timer);
	heap_settle(heap_size);
}

void
loop_disarm(Timer *timer)
{
	int			place = timer->place;
	Timer	   *last;

	if (place == 0)
		return;
	timer->place = 0;
	last = heap[heap_size--];
	if (last != timer)
	{
		heap_set(place, last);
		heap_settle(place);
	}
}

int64_t
loop_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Milliseconds until the first deadline, rounded up; -1: there is none. */
static int
next_timeout(void)
{
	int64_t		left;

	if (heap_size == 0)
		return -1;
	left = heap[1]->due - loop_now();
	if (left <= 0)
		return 0;
	return left > 3600000000 ? 3600000 : (int) ((left + 999) / 1000);
}

void
loop_run(void (*after_batch) (void))
{
	struct epoll_event events[BATCH];

	while (!stopping)
	{
		int			ready = epoll_wait(epoll_fd, events, BATCH, next_timeout());
		int64_t		now;
		int			i;

		if (ready < 0 && errno != EINTR)
			die("epoll_wait: %s", strerror(errno));
		for (i = 0; i < ready; i++)
		{
			Watch	   *watch = events[i].data.ptr;

			watch->ready(watch->owner, events[i].events);
		}
		now = loop_now();
		while (heap_size > 0 && heap[1]->due <= now)
		{
			Timer	   *timer = heap[1];

			loop_disarm(timer);
			timer->fire(timer->owner);
		}
		after_batch();
	}
}

void
loop_stop(void)
{
	stopping = true;
}
