/*
 * read_log.c
 *	  Preloaded into a server, READ_LOG tells of each announcement (POSIX_FADV_WILLNEED)
 *	  and each read of a file: "announced PID FILE FIRST N" and "read PID FILE FIRST",
 *	  in blocks.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 8192

static void
note(const char *what, int fd, off_t offset, off_t size)
{
	const char *log = getenv("READ_LOG");
	char		link[64];
	char		file[4096];
	char		line[4300];
	ssize_t		length;
	int			out;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, file, sizeof(file) - 1);
	if (log == NULL || length < 0)
		return;
	file[length] = '\0';
	out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	length = snprintf(line, sizeof(line), "%s %d %s %lld %lld\n", what, (int) getpid(), file,
					  (long long) offset / BLOCK, (long long) size / BLOCK);
	if (out < 0 || write(out, line, (size_t) length) != length)
		abort();
	close(out);
}

ssize_t
pread(int fd, void *data, size_t size, off_t offset)
{
	ssize_t		(*real) (int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");

	note("read", fd, offset, (off_t) size);
	return real(fd, data, size, offset);
}

int
posix_fadvise(int fd, off_t offset, off_t size, int advice)
{
	int			(*real) (int, off_t, off_t, int) = dlsym(RTLD_NEXT, "posix_fadvise");

	if (advice == POSIX_FADV_WILLNEED)
		note("announced", fd, offset, size);
	return real(fd, offset, size, advice);
}
