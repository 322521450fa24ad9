/*
 * blocked_disk.c
 *	  Preloaded into a server, no fdatasync returns while the file that BLOCKED_DISK
 *	  names is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int
fdatasync(int fd)
{
	int			(*real) (int) = dlsym(RTLD_NEXT, "fdatasync");
	const char *path = getenv("BLOCKED_DISK");
	const struct timespec moment = {.tv_nsec = 1000000};

	while (path != NULL && access(path, F_OK) == 0)
		nanosleep(&moment, NULL);
	return real(fd);
}
