/*
 * test_image_pool.c
 *	  Threads that prepare: everything comes back, and they end when told to.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "image/image.h"
#include "pictures.h"

#define JOBS 40

/* A job with its own copy of the bytes. */
static ImageJob *
job_of(Bytes bytes, int64_t max_pixels)
{
	ImageJob   *job = calloc(1, sizeof(ImageJob));

	job->data = malloc(bytes.size);
	job->size = bytes.size;
	memcpy(job->data, bytes.data, bytes.size);
	job->fit = (ImageFit) {.factor = 28,.min_pixels = 3136,.max_pixels = max_pixels,.quality = 90};
	job->fit.limits = image_default_limits;
	return job;
}

static bool
readable(ImagePool *pool, int timeout)
{
	struct pollfd fd = {.fd = image_pool_fd(pool),.events = POLLIN};

	return poll(&fd, 1, timeout) == 1;
}

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
every_job_comes_back(void **state)
{
	Picture		picture = scene(320, 240);
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {0});
	ImagePool  *pool = image_pool_new(3);
	bool		seen[JOBS] = {false};
	int			back = 0;

	(void) state;
	assert_non_null(pool);
	assert_null(image_pool_next(pool));
	for (int i = 0; i < JOBS; i++)
	{
		ImageJob   *job = job_of(jpeg, 20000);

		if (i % 4 == 0)
			job->data[0] = 'x';
		job->user = &seen[i];
		image_pool_submit(pool, job);
	}
	assert_int_equal(image_pool_pending(pool), JOBS);
	while (back < JOBS)
	{
		ImageJob   *job;

		assert_true(readable(pool, 20000));
		while ((job = image_pool_next(pool)) != NULL)
		{
			bool	   *mark = job->user;
			bool		bad = (mark - seen) % 4 == 0;

			assert_false(*mark);
			*mark = true;
			assert_int_equal(job->status, bad ? IMAGE_UNKNOWN : IMAGE_OK);
			assert_int_equal(job->prepared.data == NULL, bad);
			if (bad)
				assert_true(job->error.message[0] != '\0');
			image_job_free(job);
			back++;
			assert_int_equal(image_pool_pending(pool), JOBS - back);
		}
	}
	assert_false(readable(pool, 0));
	image_pool_free(pool);
	free(jpeg.data);
	free(picture.samples);
}

/* The descriptor says what image_pool_next would. */
static void
the_descriptor_tells_of_done_jobs_only(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {.progressive = true});
	ImagePool  *pool = image_pool_new(1);

	(void) state;
	assert_false(readable(pool, 0));
	for (int round = 0; round < 50; round++)
	{
		ImageJob   *job;

		image_pool_submit(pool, job_of(jpeg, 20000));
		image_pool_submit(pool, job_of(jpeg, 20000));
		for (int n = 0; n < 2; n++)
		{
			assert_true(readable(pool, 20000));
			job = image_pool_next(pool);
			assert_non_null(job);
			image_job_free(job);
		}
		assert_int_equal(image_pool_pending(pool), 0);
		assert_false(readable(pool, 0));
		assert_null(image_pool_next(pool));
	}
	image_pool_free(pool);
	free(jpeg.data);
	free(picture.samples);
}

/* Much work waiting, some under way: all of it is dropped at once. */
static void
freeing_does_not_wait_for_work(void **state)
{
	Picture		picture = scene(2400, 1800);
	Bytes		files[] = {
		jpeg_of(&picture, 90, (JpegKind) {.progressive = true}),
		webp_of(&picture, true), png_of(&picture, (PngKind) {.interlaced = true}),
		jpeg_of(&picture, 90, (JpegKind) {0})
	};

	(void) state;
	for (int kind = 0; kind < 4; kind++)
	{
		ImagePool  *pool = image_pool_new(2);
		ImageJob   *first;
		Picture		small = scene(32, 32);
		Bytes		quick = jpeg_of(&small, 90, (JpegKind) {.progressive = true});
		double		from;
		double		took;

		image_pool_submit(pool, job_of(quick, 20000));
		for (int i = 0; i < 30; i++)
			image_pool_submit(pool, job_of(files[kind], 1000000));
		/* the work has begun once the quick one is back */
		assert_true(readable(pool, 20000));
		first = image_pool_next(pool);
		image_job_free(first);
		from = cpu_seconds();
		image_pool_free(pool);
		took = cpu_seconds() - from;
		print_message("freed in %.1f ms\n", took * 1000);
		/* of all threads; 10 ms in an ordinary build, sanitizers cost */
		assert_true(took < 0.5);
		free(quick.data);
		free(small.samples);
	}
	for (int kind = 0; kind < 4; kind++)
		free(files[kind].data);
	free(picture.samples);
}

/* Jobs done but not taken are freed too; the leak checker looks. */
static void
done_jobs_are_freed_with_the_pool(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {.progressive = true});
	ImagePool  *pool = image_pool_new(1);

	(void) state;
	image_pool_submit(pool, job_of(jpeg, 20000));
	assert_true(readable(pool, 20000));
	image_pool_free(pool);
	free(jpeg.data);
	free(picture.samples);
}

/* The signals a thread of this process has blocked. */
static unsigned long long
blocked_signals(const char *thread)
{
	char		path[300];
	char		line[256];
	unsigned long long mask = 0;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
	file = fopen(path, "r");
	if (file == NULL)
		return ~0ull;			/* it has just ended */
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "SigBlk:", 7) == 0)
			mask = strtoull(line + 7, NULL, 16);
	fclose(file);
	return mask;
}

static void
threads_are_polite(void **state)
{
	Picture		picture;
	Bytes		jpeg;
	int			others = 0;
	ImagePool  *pool;
	ImageJob   *job;
	DIR		   *tasks;
	struct dirent *task;
	int			nice_before = getpriority(PRIO_PROCESS, 0);
	char		own[32];

	(void) state;
	if (nice_before == 19)
		skip();					/* there is nothing below */
	picture = scene(64, 48);
	jpeg = jpeg_of(&picture, 90, (JpegKind) {.progressive = true});
	snprintf(own, sizeof(own), "%d", (int) getpid());
	pool = image_pool_new(1);
	/* once a job is back the thread has set itself up */
	image_pool_submit(pool, job_of(jpeg, 20000));
	assert_true(readable(pool, 20000));
	job = image_pool_next(pool);
	image_job_free(job);
	tasks = opendir("/proc/self/task");
	while ((task = readdir(tasks)) != NULL)
	{
		int			thread = atoi(task->d_name);

		if (thread == 0 || strcmp(task->d_name, own) == 0)
			continue;
		if (getpriority(PRIO_PROCESS, (id_t) thread) <= nice_before)
			continue;			/* a sanitizer's own */
		others++;
		assert_true(blocked_signals(task->d_name) & (1ull << (SIGTERM - 1)));
		assert_true(blocked_signals(task->d_name) & (1ull << (SIGUSR1 - 1)));
		assert_true(blocked_signals(task->d_name) & (1ull << (SIGALRM - 1)));
	}
	closedir(tasks);
	assert_int_equal(others, 1);
	/* the owner's own signals and priority are as they were */
	assert_false(blocked_signals(own) & (1ull << (SIGTERM - 1)));
	assert_int_equal(getpriority(PRIO_PROCESS, 0), nice_before);
	image_pool_free(pool);
	free(jpeg.data);
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_comes_back),
		cmocka_unit_test(the_descriptor_tells_of_done_jobs_only),
		cmocka_unit_test(freeing_does_not_wait_for_work),
		cmocka_unit_test(done_jobs_are_freed_with_the_pool),
		cmocka_unit_test(threads_are_polite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
