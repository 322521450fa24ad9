/*
 * work.c
 *	  Whether a preparation must stop: its caller says so, or its CPU time is used up.
 */
#include "private.h"

#include <time.h>

/* Polls between two readings of the clock, each of which costs as much as a short row. */
#define POLLS_PER_LOOK	16

static int64_t
cpu_time(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
		return 0;
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

void
image_work_begin(ImageWork *work, const ImageFit *fit)
{
	work->fit = fit;
	work->polls = 0;
	work->until = fit->limits.max_ms > 0 ? cpu_time() + (int64_t) fit->limits.max_ms * 1000000 : 0;
}

ImageStatus
image_poll(ImageWork *work, ImageError *error)
{
	if (work == NULL)
		return IMAGE_OK;
	if (work->fit->stop != NULL && work->fit->stop(work->fit->stop_arg))
		return image_fail(error, IMAGE_STOPPED, "stopped");
	if (work->until > 0 && ++work->polls % POLLS_PER_LOOK == 0 && cpu_time() > work->until)
		return image_fail(error, IMAGE_TOO_SLOW, "decoding takes over %d ms",
						  work->fit->limits.max_ms);
	return IMAGE_OK;
}
