/*
 * pool.c
 *	  Threads that prepare pictures ahead of need.
 *
 * The owner takes no lock that a thread could hold: the threads are of low priority,
 * and one that is put aside while it holds a lock would hold up the owner.  Work goes
 * in, and comes out, through two stacks that are only pushed to and taken whole; a
 * semaphore counts what is in the one for the threads, an eventfd what is in the
 * other for the owner, each up after the push, so that whoever counts down finds a
 * job.  The threads read files and prepare, with all signals blocked, so that no
 * signal handler of the process ever runs on them.
 */
#include "image.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* That the threads are nicer than their owner. */
#define NICER 10

struct ImagePool
{
	ImageJob   *submitted;		/* a stack: pushed by the owner */
	sem_t		work;			/* jobs submitted that no thread has taken */
	pthread_mutex_t mutex;		/* among the threads, over what follows */
	ImageJob   *queue;			/* taken out of submitted, oldest first */

	ImageJob   *done;			/* a stack: pushed by the threads */
	int			event;			/* jobs done that the owner has not taken */
	ImageJob   *finished;		/* the owner's: taken out of done, oldest
								 * first */
	int			pending;		/* the owner's */

	bool		ending;
	int			n_threads;
	pthread_t  *threads;
};

static void
push(ImageJob **stack, ImageJob *job)
{
	job->next = __atomic_load_n(stack, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(stack, &job->next, job, true, __ATOMIC_RELEASE,
										__ATOMIC_RELAXED))
		;
}

/* The next of a list that takes over the whole stack when it is empty. */
static ImageJob *
pop(ImageJob **list, ImageJob **stack)
{
	ImageJob   *job;

	if (*list == NULL)
		for (ImageJob *next = __atomic_exchange_n(stack, NULL, __ATOMIC_ACQUIRE); next != NULL;)
		{
			job = next;
			next = job->next;
			job->next = *list;
			*list = job;
		}
	job = *list;
	if (job != NULL)
		*list = job->next;
	return job;
}

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

	while (sem_wait(&pool->work) != 0 && errno == EINTR)
		;
	if (pool_is_ending(pool))
		return NULL;
	pthread_mutex_lock(&pool->mutex);
	job = pop(&pool->queue, &pool->submitted);
	pthread_mutex_unlock(&pool->mutex);
	return job;
}

static void
give_job(ImagePool *pool, ImageJob *job)
{
	uint64_t	one = 1;

	push(&pool->done, job);
	/* fails only on a bad descriptor */
	if (write(pool->event, &one, sizeof(one)) < 0)
		one = 0;
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
	(void) setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICER);
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
	sem_init(&pool->work, 0, 0);
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
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
	memset(&job->prepared, 0, sizeof(job->prepared));
	pool->pending++;
	push(&pool->submitted, job);
	sem_post(&pool->work);
}

ImageJob *
image_pool_next(ImagePool *pool)
{
	uint64_t	one;

	if (read(pool->event, &one, sizeof(one)) < 0)
		return NULL;
	pool->pending--;
	return pop(&pool->finished, &pool->done);
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
	__atomic_store_n(&pool->ending, true, __ATOMIC_RELAXED);
	for (int i = 0; i < pool->n_threads; i++)
		sem_post(&pool->work);
	for (int i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	free_list(pool->queue);
	free_list(pool->submitted);
	free_list(pool->finished);
	free_list(pool->done);
	if (pool->event >= 0)
		close(pool->event);
	sem_destroy(&pool->work);
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
