/*
 * disk_full.c
 *	  Preloaded into a server, it makes the disk full in mid-file: while the file
 *	  that DISK_FULL names is there, half of the first write to an unfinished image
 *	  of llava_export_images succeeds, and nothing after it.  If the file is not
 *	  empty, the process is killed in place of the error.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t
write(int fd, const void *bytes, size_t n)
{
	ssize_t		(*real) (int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	const char *full = getenv("DISK_FULL");
	char		link[64];
	char		path[4096] = "";
	struct stat facts;

	if (full != NULL && stat(full, &facts) == 0)
	{
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/.llava_zh.part") != NULL)
		{
			if (lseek(fd, 0, SEEK_CUR) > 0)
			{
				if (facts.st_size > 0)
					kill(getpid(), SIGKILL);
				errno = ENOSPC;
				return -1;
			}
			n = (n + 1) / 2;
		}
	}
	return real(fd, bytes, n);
}
