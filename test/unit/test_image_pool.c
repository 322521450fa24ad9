/*
 * test_image_pool.c
 *	  The preparing threads: every job comes back once, and an end does not wait.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "image/image.h"

static ImageJob *
make_job(int number, int side)
{
	ImageJob   *job = calloc(1, sizeof(ImageJob));
	png_image	image;
	png_alloc_size_t size = 0;
	uint8_t    *grey = malloc((size_t) side * (size_t) side);

	assert_non_null(job);
	assert_non_null(grey);
	memset(grey, number & 255, (size_t) side * (size_t) side);
	memset(&image, 0, sizeof(image));
	image.version = PNG_IMAGE_VERSION;
	image.width = image.height = (png_uint_32) side;
	image.format = PNG_FORMAT_GRAY;
	assert_int_not_equal(png_image_write_to_memory(&image, NULL, &size, 0, grey, 0, NULL), 0);
	job->data = malloc(size);
	assert_non_null(job->data);
	assert_int_not_equal(png_image_write_to_memory(&image, job->data, &size, 0, grey, 0, NULL), 0);
	job->size = number % 7 == 0 ? size / 2 : size;
	job->fit.factor = 28;
	job->fit.min_pixels = 3136;
	job->fit.max_pixels = 1003520;
	job->fit.quality = 90;
	job->fit.limits = image_default_limits;
	job->user = job;
	free(grey);
	return job;
}

static void
every_job_comes_back_once(void **state)
{
	ImagePool  *pool = image_pool_new(3);
	int			back = 0;
	int			bad = 0;

	(void) state;
	assert_non_null(pool);
	for (int i = 1; i <= 200; i++)
		image_pool_submit(pool, make_job(i, 60));
	while (back < 200)
	{
		struct pollfd wait = {.fd = image_pool_fd(pool),.events = POLLIN};
		ImageJob   *job;

		assert_int_equal(poll(&wait, 1, 20000), 1);
		while ((job = image_pool_next(pool)) != NULL)
		{
			assert_ptr_equal(job->user, job);
			bad += job->status != IMAGE_OK;
			back++;
			image_job_free(job);
		}
	}
	assert_int_equal(bad, 200 / 7);
	assert_int_equal(image_pool_pending(pool), 0);
	image_pool_free(pool);
}

static void
an_end_does_not_wait_for_the_work(void **state)
{
	ImagePool  *pool = image_pool_new(2);

	(void) state;
	assert_non_null(pool);
	for (int i = 1; i <= 40; i++)
		image_pool_submit(pool, make_job(i * 7 + 1, 700));
	/* leaks and races here are the sanitizers' to find */
	image_pool_free(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_comes_back_once),
		cmocka_unit_test(an_end_does_not_wait_for_the_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
