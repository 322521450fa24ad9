/*
 * other_user.c
 *	  Preloaded into a server, it stands in for another user of the machine who shares a
 *	  folder with it.  What is named theirs... belongs to that user.  While the file
 *	  that OTHER_USER_SWAPS names is there, the first write to an unfinished image of
 *	  llava_export_images is answered by that user: the image's name is taken away, and
 *	  put in its place is a link to what the file has as its content.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER_USER 4711

int
fstatat(int folder, const char *restrict name, struct stat *restrict facts, int flags)
{
	int			(*real) (int, const char *, struct stat *, int) = dlsym(RTLD_NEXT, "fstatat");
	int			result = real(folder, name, facts, flags);

	if (result == 0 && strncmp(name, "theirs", 6) == 0)
		facts->st_uid = OTHER_USER;
	return result;
}

int
fstatat64(int folder, const char *restrict name, struct stat64 *restrict facts, int flags)
{
	return fstatat(folder, name, (struct stat *) facts, flags);
}

static void
swap(const char *part)
{
	const char *swaps = getenv("OTHER_USER_SWAPS");
	char		target[4096] = "";
	FILE	   *file = swaps == NULL ? NULL : fopen(swaps, "r");

	if (file == NULL)
		return;
	if (fgets(target, sizeof(target), file) == NULL || unlink(part) < 0 || symlink(target, part) < 0)
		abort();
	fclose(file);
	unlink(swaps);
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	ssize_t		(*real) (int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	ssize_t		result = real(fd, bytes, n);
	char		link[64];
	char		path[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/.llava_zh.part") != NULL)
		swap(path);
	return result;
}
