/*
 * connects.c
 *	  Preloaded into a program, it keeps it on this machine: connections and datagrams to
 *	  127.0.0.0/8 and ::1 pass, all others fail as if there were no network.  Each is written
 *	  down before it is tried: a line "what address port" in the file CONNECTS, where what is
 *	  "connect" or "send", or "refused" for those that fail.
 *
 * A program that includes it may define CONNECTS_SEEN(address, passes) to be told instead.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
connects_pass(const struct sockaddr *to)
{
	if (to->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *) to)->sin_addr.s_addr) >> 24) == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) to)->sin6_addr);
}

#ifndef CONNECTS_SEEN
#define CONNECTS_SEEN(to, passes) connects_note(to, (passes) ? what : "refused")

static void
connects_note(const struct sockaddr *to, const char *what)
{
	const char *path = getenv("CONNECTS");
	char		address[INET6_ADDRSTRLEN] = "";
	char		line[128];
	int			port;
	int			fd;
	int			size;

	if (path == NULL)
		return;
	if (to->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *) to)->sin_addr, address, sizeof(address));
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) to)->sin6_addr, address, sizeof(address));
	/* of both kinds it has the same place */
	port = ntohs(((const struct sockaddr_in *) to)->sin_port);
	size = snprintf(line, sizeof(line), "%s %s %d\n", what, address, port);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	/* what cannot be counted must not be done */
	if (fd < 0 || write(fd, line, (size_t) size) != size)
		abort();
	close(fd);
}
#endif

/* Whether it may be tried; else errno says why not. */
static bool
connects_look(const char *what, const struct sockaddr *to)
{
	int			kept = errno;
	bool		passes;

	(void) what;
	if (to == NULL || (to->sa_family != AF_INET && to->sa_family != AF_INET6))
		return true;
	passes = connects_pass(to);
	CONNECTS_SEEN(to, passes);
	errno = passes ? kept : ENETUNREACH;
	return passes;
}

int
connect(int fd, const struct sockaddr *to, socklen_t size)
{
	int			(*real) (int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");

	return connects_look("connect", to) ? real(fd, to, size) : -1;
}

ssize_t
sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t size)
{
	ssize_t		(*real) (int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");

	return connects_look("send", to) ? real(fd, bytes, n, flags, to, size) : -1;
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t		(*real) (int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");

	return connects_look("send", message->msg_name) ? real(fd, message, flags) : -1;
}

int
sendmmsg(int fd, struct mmsghdr *messages, unsigned int n, int flags)
{
	int			(*real) (int, struct mmsghdr *, unsigned int, int) = dlsym(RTLD_NEXT, "sendmmsg");

	for (unsigned int i = 0; i < n; i++)
		if (!connects_look("send", messages[i].msg_hdr.msg_name))
			return -1;
	return real(fd, messages, n, flags);
}
