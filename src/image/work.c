/*
 * work.c
 *	  Whether a preparation must stop: its caller says so, or its CPU time is used up.
 */
#include "private.h"

#include <time.h>

/*
 * The CPU time of a thread is read by a system call, which costs as much as a short row.
 * It is never more than the time that has passed, which costs nothing to read but is known
 * only to a few milliseconds: so the system is asked once that time is used up.
 */
#define COARSE_NS (10 * 1000000)

static int64_t
read_clock(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		return 0;
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The limit cannot be reached before passed_until. */
static void
look_again_after(ImageWork *work, int64_t cpu_left)
{
	work->passed_until = read_clock(CLOCK_MONOTONIC_COARSE) + cpu_left - COARSE_NS;
}

void
image_work_begin(ImageWork *work, const ImageFit *fit)
{
	int64_t		limit = (int64_t) fit->limits.max_ms * 1000000;

	work->fit = fit;
	work->cpu_until = 0;
	if (limit <= 0)
		return;
	work->cpu_until = read_clock(CLOCK_THREAD_CPUTIME_ID) + limit;
	look_again_after(work, limit);
}

static bool
is_used_up(ImageWork *work)
{
	int64_t		left;

	if (work->cpu_until == 0 || read_clock(CLOCK_MONOTONIC_COARSE) < work->passed_until)
		return false;
	left = work->cpu_until - read_clock(CLOCK_THREAD_CPUTIME_ID);
	look_again_after(work, left);
	return left < 0;
}

ImageStatus
image_poll(ImageWork *work, ImageError *error)
{
	if (work == NULL)
		return IMAGE_OK;
	if (work->fit->stop != NULL && work->fit->stop(work->fit->stop_arg))
		return image_fail(error, IMAGE_STOPPED, "stopped");
	if (is_used_up(work))
		return image_fail(error, IMAGE_TOO_SLOW, "decoding takes over %d ms",
						  work->fit->limits.max_ms);
	return IMAGE_OK;
}
