/*
 * work.c
 *	  Threads that do what takes long (decoding), and hand it back to the loop.
 */
#include "work.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "buffer.h"
#include "loop.h"

typedef struct JobList
{
	Job		   *first;
	Job		   *last;
} JobList;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static JobList waiting;
static JobList finished;
static pthread_t *thread;
static int	threads;
static bool closing;
static Watch watch;

static void
append(JobList *list, Job *job)
{
	job->next = NULL;
	if (list->first)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static void *
work_thread(void *unused)
{
	uint64_t	one = 1;

	(void) unused;
	pthread_mutex_lock(&lock);
	while (!closing)
	{
		Job		   *job = waiting.first;

		if (job == NULL)
		{
			pthread_cond_wait(&more, &lock);
			continue;
		}
		waiting.first = job->next;
		pthread_mutex_unlock(&lock);
		job->run(job);
		pthread_mutex_lock(&lock);
		append(&finished, job);
		if (write(watch.fd, &one, sizeof(one)) < 0)
			die("eventfd: %s", strerror(errno));
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void
hand_back(JobList *list)
{
	Job		   *job;

	pthread_mutex_lock(&lock);
	job = list->first;
	list->first = NULL;
	pthread_mutex_unlock(&lock);
	while (job)
	{
		Job		   *next = job->next;

		job->done(job);
		job = next;
	}
}

static void
work_ready(void *owner, uint32_t events)
{
	uint64_t	count;

	(void) owner;
	(void) events;
	if (read(watch.fd, &count, sizeof(count)) > 0)
		hand_back(&finished);
}

void
work_open(int count)
{
	watch.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	watch.ready = work_ready;
	if (watch.fd < 0 || !loop_watch(&watch, EPOLLIN))
		die("eventfd: %s", strerror(errno));
	thread = must_alloc((size_t) count * sizeof(*thread));
	for (threads = 0; threads < count; threads++)
		if (pthread_create(&thread[threads], NULL, work_thread, NULL) != 0)
			die("cannot start a thread");
}

void
work_submit(Job *job)
{
	pthread_mutex_lock(&lock);
	append(&waiting, job);
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

void
work_close(void)
{
	int			i;

	pthread_mutex_lock(&lock);
	closing = true;
	pthread_cond_broadcast(&more);
	pthread_mutex_unlock(&lock);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	hand_back(&finished);
	hand_back(&waiting);
}
