/*
 * hanging_dns.c
 *	  Preloaded into a server, it never resolves the name hangs.test: whoever asks
 *	  for it waits for ever, and the file HANGING_DNS grows by a byte.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	int			(*real) (const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		dlsym(RTLD_NEXT, "getaddrinfo");
	const char *path = getenv("HANGING_DNS");

	if (path != NULL && node != NULL && strcmp(node, "hangs.test") == 0)
	{
		int			fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);

		if (fd >= 0 && write(fd, ".", 1) == 1)
			close(fd);
		for (;;)
			pause();
	}
	return real(node, service, hints, found);
}
