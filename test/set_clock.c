/*
 * set_clock.c
 *	  Preloaded into a server, it sets the clock: processes see the time of day so many
 *	  seconds later as the file that SET_CLOCK names says, in eight bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t
seconds(void)
{
	static volatile const int64_t *set;
	const char *path = getenv("SET_CLOCK");

	if (set == NULL && path != NULL)
	{
		int			fd = open(path, O_RDONLY | O_CLOEXEC);
		void	   *memory = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

		if (memory != MAP_FAILED)
			set = memory;
		if (fd >= 0)
			close(fd);
	}
	return set == NULL ? 0 : *set;
}

int
gettimeofday(struct timeval *tv, void *tz)
{
	int			(*real) (struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
	int			rc = real(tv, tz);

	tv->tv_sec += seconds();
	return rc;
}

time_t
time(time_t *at)
{
	time_t		(*real) (time_t *) = dlsym(RTLD_NEXT, "time");
	time_t		now = real(NULL) + seconds();

	if (at != NULL)
		*at = now;
	return now;
}
