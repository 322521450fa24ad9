/*
 * pool.c
 *	  Threads that prepare pictures ahead of need.
 *
 * Two lists under one mutex: work to do, work done.  The owner learns of done work
 * through an eventfd.  The threads read files and prepare, with all signals
 * blocked, so that no signal handler of the process ever runs on them.
 */
#include "image.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NICENESS 10

struct ImagePool
{
	pthread_mutex_t mutex;
	pthread_cond_t work;
	ImageJob   *waiting;
	ImageJob  **waiting_tail;
	ImageJob   *done;
	ImageJob  **done_tail;
	int			pending;		/* the owner's count; no lock */
	int			event;
	bool		ending;			/* written under the mutex, polled without */
	int			n_threads;
	pthread_t  *threads;
};

static bool
pool_is_ending(void *arg)
{
	ImagePool  *pool = arg;

	return __atomic_load_n(&pool->ending, __ATOMIC_RELAXED);
}

static ImageJob *
next_job(ImagePool *pool)
{
	ImageJob   *job;

	pthread_mutex_lock(&pool->mutex);
	while (pool->waiting == NULL && !pool->ending)
		pthread_cond_wait(&pool->work, &pool->mutex);
	job = pool->ending ? NULL : pool->waiting;
	if (job != NULL)
	{
		pool->waiting = job->next;
		if (pool->waiting == NULL)
			pool->waiting_tail = &pool->waiting;
		job->next = NULL;
	}
	pthread_mutex_unlock(&pool->mutex);
	return job;
}

static void
give_job(ImagePool *pool, ImageJob *job)
{
	uint64_t	one = 1;

	pthread_mutex_lock(&pool->mutex);
	/* the counter is 0 or 1, and fails only on a bad descriptor */
	if (pool->done == NULL && write(pool->event, &one, sizeof(one)) < 0)
		one = 0;
	*pool->done_tail = job;
	pool->done_tail = &job->next;
	pthread_mutex_unlock(&pool->mutex);
}

static ImageStatus
do_job(ImageJob *job)
{
	if (job->file != NULL)
	{
		ImageStatus status = image_file_read_known(job->file, job->fit.limits.max_bytes,
												   &job->data, &job->error);

		if (status != IMAGE_OK)
			return status;
		job->size = job->file->size;
	}
	return image_prepare(job->data, job->size, &job->fit, &job->prepared, &job->error);
}

static void *
run(void *arg)
{
	ImagePool  *pool = arg;
	ImageJob   *job;

	/*
	 * a thread's own niceness (Linux); without it the work is only less
	 * polite
	 */
	(void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid), NICENESS);
	while ((job = next_job(pool)) != NULL)
	{
		job->fit.stop = pool_is_ending;
		job->fit.stop_arg = pool;
		job->status = do_job(job);
		give_job(pool, job);
	}
	return NULL;
}

static bool
start_threads(ImagePool *pool, int threads)
{
	sigset_t	all;
	sigset_t	before;

	pool->threads = calloc((size_t) threads, sizeof(pthread_t));
	if (pool->threads == NULL)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->n_threads < threads &&
		   pthread_create(&pool->threads[pool->n_threads], NULL, run, pool) == 0)
		pool->n_threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pool->n_threads == threads;
}

ImagePool *
image_pool_new(int threads)
{
	ImagePool  *pool = calloc(1, sizeof(ImagePool));

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->mutex, NULL);
	pthread_cond_init(&pool->work, NULL);
	pool->waiting_tail = &pool->waiting;
	pool->done_tail = &pool->done;
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pool->event < 0 || !start_threads(pool, threads))
	{
		image_pool_free(pool);
		return NULL;
	}
	return pool;
}

int
image_pool_fd(ImagePool *pool)
{
	return pool->event;
}

void
image_pool_submit(ImagePool *pool, ImageJob *job)
{
	job->next = NULL;
	memset(&job->prepared, 0, sizeof(job->prepared));
	pool->pending++;
	pthread_mutex_lock(&pool->mutex);
	*pool->waiting_tail = job;
	pool->waiting_tail = &job->next;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
}

ImageJob *
image_pool_next(ImagePool *pool)
{
	ImageJob   *job;
	uint64_t	count;

	pthread_mutex_lock(&pool->mutex);
	job = pool->done;
	if (job != NULL)
	{
		pool->done = job->next;
		job->next = NULL;
		if (pool->done == NULL)
		{
			pool->done_tail = &pool->done;
			/* nothing left: not readable until the next job is done */
			if (read(pool->event, &count, sizeof(count)) < 0)
				count = 0;
		}
	}
	pthread_mutex_unlock(&pool->mutex);
	if (job != NULL)
		pool->pending--;
	return job;
}

int
image_pool_pending(const ImagePool *pool)
{
	return pool->pending;
}

static void
free_list(ImageJob *job)
{
	while (job != NULL)
	{
		ImageJob   *next = job->next;

		image_job_free(job);
		job = next;
	}
}

void
image_pool_free(ImagePool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	__atomic_store_n(&pool->ending, true, __ATOMIC_RELAXED);
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->mutex);
	for (int i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	free_list(pool->waiting);
	free_list(pool->done);
	if (pool->event >= 0)
		close(pool->event);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->mutex);
	free(pool->threads);
	free(pool);
}

void
image_job_free(ImageJob *job)
{
	image_prepared_free(&job->prepared);
	image_file_free(job->file);
	free(job->data);
	free(job);
}
