/*
 * listener.c
 *	  Where clients connect to: 127.0.0.1, one port.
 */
#define _GNU_SOURCE

#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connection.h"
#include "settings.h"

static Watch listener;
static int	port;

static void
listener_ready(void *owner, uint32_t events)
{
	(void) owner;
	(void) events;
	for (;;)
	{
		struct sockaddr_in peer;
		socklen_t	size = sizeof(peer);
		int			fd = accept4(listener.fd, (struct sockaddr *) &peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			connection_accept(fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void
listener_open(void)
{
	struct sockaddr_in address;
	socklen_t	size = sizeof(address);
	int			wanted = port > 0 ? port : settings.port;
	int			yes = 1;

	memset(&address, 0, sizeof(address));
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t) wanted);
	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	listener.ready = listener_ready;
	if (listener.fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener.fd, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(listener.fd, 4096) != 0 ||
		getsockname(listener.fd, (struct sockaddr *) &address, &size) != 0)
		die("cannot listen on 127.0.0.1:%d: %s", wanted, strerror(errno));
	if (!loop_watch(&listener, EPOLLIN))
		die("epoll_ctl: %s", strerror(errno));
	port = ntohs(address.sin_port);
}

void
listener_close(void)
{
	loop_forget(&listener);
	close(listener.fd);
}

int
listener_port(void)
{
	return port;
}
