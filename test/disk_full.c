/*
 * disk_full.c
 *	  Preloaded into a server, it makes the disk full in mid-file: while the file
 *	  that DISK_FULL names is there, half of the first write to an unfinished image
 *	  of llava_export_images succeeds, and nothing after it.  If the file is not
 *	  empty, the process is killed in place of the error.
 *
 *	  DISK_FULL_FROM: only what is written behind so many bytes of a file fails;
 *	  DISK_FULL_AFTER: and only where there is a file of this name beside it.
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

/* Whether the file that DISK_FULL_AFTER names is there, in the folder of this path. */
static int
is_after(const char *path)
{
	const char *after = getenv("DISK_FULL_AFTER");
	char		beside[8192];

	if (after == NULL)
		return 1;
	snprintf(beside, sizeof(beside), "%.*s/%s", (int) (strrchr(path, '/') - path), path, after);
	return access(beside, F_OK) == 0;
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	ssize_t		(*real) (int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	const char *full = getenv("DISK_FULL");
	const char *from = getenv("DISK_FULL_FROM");
	off_t		limit = from == NULL ? 0 : atol(from);
	char		link[64];
	char		path[4096] = "";
	struct stat facts;

	if (full != NULL && stat(full, &facts) == 0)
	{
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/.llava_zh.part") != NULL && is_after(path))
		{
			if (lseek(fd, 0, SEEK_CUR) > limit)
			{
				if (facts.st_size > 0)
					kill(getpid(), SIGKILL);
				errno = ENOSPC;
				return -1;
			}
			if (from == NULL)
				n = (n + 1) / 2;
		}
	}
	return real(fd, bytes, n);
}
