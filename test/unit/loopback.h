/*
 * loopback.h
 *	  A small HTTP server on 127.0.0.1 inside the test, a thread a connection.
 *
 * A request is read whole and counted; the path's first word says what is done
 * with it (act).  Included by one test file; everything is static.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOPBACK_CONNECTIONS 1024
#define LOOPBACK_REQUEST (2 * 1024 * 1024)
#define LOOPBACK_ENDLESS (64 * 1024 * 1024)

typedef struct Loopback
{
	int			listener;
	int			port;
	int			release;		/* an eventfd: what is held may go on */
	pthread_t	thread;
	pthread_t	threads[LOOPBACK_CONNECTIONS];
	int			fds[LOOPBACK_CONNECTIONS];	/* -1: closed */

	pthread_mutex_t lock;
	int			connections;	/* ever */
	int			requests;		/* read whole */
	int			held;			/* waiting for release, now */
	int			max_held;
	int			gone;			/* clients that left without an answer */
	size_t		wasted;			/* bytes of endless replies that were taken off */
	bool		stopping;
	char	   *last;			/* the last request, head and body */
} Loopback;

typedef struct LoopbackConnection
{
	Loopback   *server;
	int			number;
	int			fd;
	int			requests;		/* on this connection */
} LoopbackConnection;

static bool
loopback_send(int fd, const char *bytes, size_t size)
{
	while (size > 0)
	{
		ssize_t		sent = send(fd, bytes, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		size -= (size_t) sent;
	}
	return true;
}

static bool
loopback_text(int fd, const char *text)
{
	return loopback_send(fd, text, strlen(text));
}

/* A whole reply with its length; extra: header lines with CRLF. */
static bool
loopback_reply(int fd, const char *status, const char *extra, const char *body, size_t size)
{
	char		head[1024];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, extra, size);
	return loopback_text(fd, head) && loopback_send(fd, body, size);
}

/* The next close of fd is a reset. */
static bool
loopback_reset(int fd)
{
	struct linger now = {.l_onoff = 1,.l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return false;
}

/* Reads one request into buffer, NUL-ended; its size, or 0 at the end. */
static size_t
loopback_read(int fd, char *buffer)
{
	size_t		size = 0;
	size_t		whole = 0;

	while (whole == 0 || size < whole)
	{
		ssize_t		got = recv(fd, buffer + size, LOOPBACK_REQUEST - 1 - size, 0);
		char	   *end;
		char	   *length;

		if (got <= 0)
			return 0;
		size += (size_t) got;
		buffer[size] = '\0';
		end = whole == 0 ? strstr(buffer, "\r\n\r\n") : NULL;
		if (end == NULL)
			continue;
		length = strcasestr(buffer, "content-length:");
		whole = (size_t) (end - buffer) + 4 + (length == NULL ? 0 : strtoul(length + 15, NULL, 10));
		/* refused before its body was read */
		if (strncmp(buffer, "POST /early/", 12) == 0)
			return size;
	}
	return size;
}

/* Until the test releases, or the client leaves. */
static bool
loopback_hold(Loopback *server, int fd)
{
	struct pollfd wait[2] = {{.fd = fd,.events = POLLRDHUP}, {.fd = server->release,.events = POLLIN}};
	bool		there;

	pthread_mutex_lock(&server->lock);
	server->held++;
	if (server->held > server->max_held)
		server->max_held = server->held;
	pthread_mutex_unlock(&server->lock);
	poll(wait, 2, -1);
	there = wait[0].revents == 0;
	pthread_mutex_lock(&server->lock);
	server->held--;
	if (!there)
		server->gone++;
	pthread_mutex_unlock(&server->lock);
	return there;
}

/* Answers with the request's own id. */
static bool
loopback_echo(int fd, const char *request)
{
	const char *id = strcasestr(request, "x-request-id: ");
	size_t		length = id == NULL ? 0 : strcspn(id + 14, "\r\n");

	return loopback_reply(fd, "200 OK", "", id == NULL ? "" : id + 14, length);
}

static bool
loopback_retry_after(int fd, const char *word)
{
	char		extra[128];
	char		date[64];
	time_t		then = time(NULL) + 30;
	struct tm	utc;

	gmtime_r(&then, &utc);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
	snprintf(extra, sizeof(extra), "Retry-After: %s\r\n", strcmp(word, "date") == 0 ? date : word);
	return loopback_reply(fd, "429 Too Many Requests", extra, "{}", 2);
}

/* So many bytes, their number told beforehand or not. */
static bool
loopback_big(int fd, size_t size, bool chunked)
{
	char		head[128];
	char	   *bytes = malloc(size);
	bool		ok;

	if (bytes == NULL)
		return false;
	memset(bytes, 'x', size);
	if (chunked)
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", size);
	else
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
	ok = loopback_text(fd, head) && loopback_send(fd, bytes, size) &&
		(!chunked || loopback_text(fd, "\r\n0\r\n\r\n"));
	free(bytes);
	return ok;
}

/* 100,000 zeros, packed. */
static bool
loopback_packed(int fd)
{
	static const unsigned char packed[133] = {
		0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xed, 0xc1, 0x31, 1, 0, 0, 0, 0xc2, 0xa0, 0x4a, 0xeb, 0x9f, 0xce,
		0x1a, 0x1e, 0x40, 1, [123] = 0xaf, 6, 0x85, 0xc2, 0x4d, 0xc5, 0xa0, 0x86, 1, 0
	};

	return loopback_reply(fd, "200 OK", "Content-Encoding: gzip\r\n", (const char *) packed, sizeof(packed));
}

/*
 * A reply that comes to no end in what is no body, until the client leaves or
 * LOOPBACK_ENDLESS bytes are sent.
 */
static bool
loopback_endless(Loopback *server, int fd, const char *what)
{
#define BYTES(text) text, sizeof(text) - 1
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PACKED(how) "HTTP/1.1 200 OK\r\nContent-Encoding: " how "\r\n\r\n"
	static const struct
	{
		const char *what;
		const char *begin;
		size_t		begin_size;
		const char *again;
		size_t		again_size;
	}			kinds[] = {
		{"extension", BYTES(CHUNKED "5;"), BYTES("x")},
		{"extensions", BYTES(CHUNKED), BYTES("1;some=xxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\n")},
		{"trailer", BYTES(CHUNKED "0\r\n"), BYTES("X-More: and more\r\n")},
		{"headers", BYTES("HTTP/1.1 200 OK\r\n"), BYTES("X-More: and more\r\n")},
		{"header", BYTES("HTTP/1.1 200 OK\r\nX-More: "), BYTES("and more ")},
		{"status", BYTES("HTTP/1.1 200 "), BYTES("and more ")},
		{"protocol", BYTES("HTTP/1.1 "), BYTES("and more ")},
		{"interim", BYTES(""), BYTES("HTTP/1.1 102 Processing\r\n\r\n")},
		{"name", BYTES(PACKED("gzip") "\x1f\x8b\x08\x08\0\0\0\0\0\3"), BYTES("n")},
		{"comment", BYTES(PACKED("gzip") "\x1f\x8b\x08\x10\0\0\0\0\0\3"), BYTES("c")},
		{"blocks", BYTES(PACKED("deflate") "\x78\x9c"), BYTES("\0\0\0\xff\xff")},
		{"frames", BYTES(PACKED("zstd")), BYTES("\x50\x2a\x4d\x18\2\0\0\0xx")}
	};
	char		piece[4096];
	size_t		sent = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		size_t		whole = sizeof(piece) / kinds[i].again_size * kinds[i].again_size;

		if (strcmp(kinds[i].what, what) != 0)
			continue;
		for (size_t at = 0; at < whole; at++)
			piece[at] = kinds[i].again[at % kinds[i].again_size];
		if (!loopback_send(fd, kinds[i].begin, kinds[i].begin_size))
			return false;
		while (sent < LOOPBACK_ENDLESS && loopback_send(fd, piece, whole))
			sent += whole;
	}
	pthread_mutex_lock(&server->lock);
	server->wasted += sent;
	pthread_mutex_unlock(&server->lock);
	return false;
}

/* True: the connection stays. */
static bool
loopback_act(LoopbackConnection *connection, const char *word, const char *request)
{
	Loopback   *server = connection->server;
	int			fd = connection->fd;
	char		line[256];

	if (strcmp(word, "ok") == 0)
		return loopback_echo(fd, request);
	if (strcmp(word, "hold") == 0)
		return loopback_hold(server, fd) && loopback_echo(fd, request);
	if (strcmp(word, "ok-then-close") == 0)
		return loopback_echo(fd, request) && false;
	if (strcmp(word, "ok-then-reset") == 0)
		return connection->requests > 1 ? loopback_reset(fd) : loopback_echo(fd, request);
	if (strcmp(word, "ok-then-nothing") == 0)
		return connection->requests > 1 ? false : loopback_echo(fd, request);
	if (strcmp(word, "reset") == 0)
		return loopback_reset(fd);
	if (strcmp(word, "chunked") == 0)
		return loopback_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n") &&
			loopback_text(fd, "4\r\n two\r\n0\r\n\r\n");
	if (strcmp(word, "truncated") == 0)
		return loopback_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this") && false;
	if (strcmp(word, "truncated-chunks") == 0)
		return loopback_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly") && false;
	if (strcmp(word, "until-close") == 0)
		return loopback_text(fd, "HTTP/1.1 200 OK\r\n\r\nall of it") && false;
	if (strcmp(word, "empty") == 0)
		return loopback_reply(fd, "200 OK", "", "", 0);
	if (strcmp(word, "continue") == 0)
		return loopback_text(fd, "HTTP/1.1 100 Continue\r\n\r\n") && loopback_echo(fd, request);
	if (strcmp(word, "redirect") == 0)
	{
		snprintf(line, sizeof(line), "Location: http://127.0.0.1:%d/ok/chat/completions\r\n", server->port);
		return loopback_reply(fd, "307 Temporary Redirect", line, "", 0);
	}
	if (strcmp(word, "key") == 0)
		return loopback_text(fd, "HTTP/9.9 200 sk-secret\r\nsk-secret\r\n\r\nsk-secret") && false;
	if (strcmp(word, "no-http") == 0)
		return loopback_text(fd, "sk-secret is what you sent\r\n\r\n") && false;
	if (strcmp(word, "early") == 0)
	{
		loopback_reply(fd, "413 Payload Too Large", "Connection: close\r\n", "{}", 2);
		while (recv(fd, line, sizeof(line), 0) > 0)
			;
		return false;
	}
	if (strcmp(word, "packed") == 0)
		return loopback_packed(fd);
	if (strncmp(word, "retry-", 6) == 0)
		return loopback_retry_after(fd, word + 6);
	if (strncmp(word, "endless-", 8) == 0)
		return loopback_endless(server, fd, word + 8);
	if (strncmp(word, "big-", 4) == 0)
		return loopback_big(fd, strtoul(word + 4, NULL, 10), false);
	if (strncmp(word, "chunky-", 7) == 0)
		return loopback_big(fd, strtoul(word + 7, NULL, 10), true);
	return loopback_reply(fd, "404 Not Found", "", "", 0);
}

static void *
loopback_connection(void *arg)
{
	LoopbackConnection *connection = arg;
	Loopback   *server = connection->server;
	char	   *request = malloc(LOOPBACK_REQUEST);
	char		word[64];
	size_t		size;
	bool		stays = request != NULL;

	while (stays && (size = loopback_read(connection->fd, request)) > 0)
	{
		connection->requests++;
		pthread_mutex_lock(&server->lock);
		server->requests++;
		free(server->last);
		server->last = malloc(size + 1);
		if (server->last != NULL)
			memcpy(server->last, request, size + 1);
		pthread_mutex_unlock(&server->lock);
		if (sscanf(request, "POST /%63[^/]", word) != 1)
			word[0] = '\0';
		stays = loopback_act(connection, word, request);
	}
	pthread_mutex_lock(&server->lock);
	close(connection->fd);
	server->fds[connection->number] = -1;
	pthread_mutex_unlock(&server->lock);
	free(request);
	free(connection);
	return NULL;
}

static void *
loopback_accept(void *arg)
{
	Loopback   *server = arg;
	pthread_attr_t attributes;
	int			fd;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	while ((fd = accept(server->listener, NULL, NULL)) >= 0)
	{
		LoopbackConnection *connection = calloc(1, sizeof(LoopbackConnection));

		pthread_mutex_lock(&server->lock);
		if (connection == NULL || server->stopping || server->connections == LOOPBACK_CONNECTIONS)
		{
			close(fd);
			free(connection);
		}
		else
		{
			connection->server = server;
			connection->fd = fd;
			connection->number = server->connections;
			server->fds[server->connections] = fd;
			if (pthread_create(&server->threads[server->connections], &attributes,
							   loopback_connection, connection) != 0)
				abort();
			server->connections++;
		}
		pthread_mutex_unlock(&server->lock);
	}
	pthread_attr_destroy(&attributes);
	return NULL;
}

/* A socket on a free port of 127.0.0.1. */
static int
loopback_bind(int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	size = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &size) != 0)
		abort();
	*port = ntohs(address.sin_port);
	return fd;
}

static Loopback *
loopback_start(void)
{
	Loopback   *server = calloc(1, sizeof(Loopback));

	if (server == NULL)
		abort();
	pthread_mutex_init(&server->lock, NULL);
	server->listener = loopback_bind(&server->port);
	server->release = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (server->release < 0 || listen(server->listener, 1024) != 0 ||
		pthread_create(&server->thread, NULL, loopback_accept, server) != 0)
		abort();
	return server;
}

static void
loopback_stop(Loopback *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	for (int i = 0; i < server->connections; i++)
		if (server->fds[i] >= 0)
			shutdown(server->fds[i], SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	for (int i = 0; i < server->connections; i++)
		pthread_join(server->threads[i], NULL);
	close(server->listener);
	close(server->release);
	pthread_mutex_destroy(&server->lock);
	free(server->last);
	free(server);
}

static int
loopback_count(Loopback *server, const int *counter)
{
	int			count;

	pthread_mutex_lock(&server->lock);
	count = *counter;
	pthread_mutex_unlock(&server->lock);
	return count;
}

/* Connections that the server has not closed. */
static int
loopback_open(Loopback *server)
{
	int			open = 0;

	pthread_mutex_lock(&server->lock);
	for (int i = 0; i < server->connections; i++)
		open += server->fds[i] >= 0;
	pthread_mutex_unlock(&server->lock);
	return open;
}

/* The last request, head and body; malloc. */
static char *
loopback_last(Loopback *server)
{
	char	   *last;

	pthread_mutex_lock(&server->lock);
	last = strdup(server->last == NULL ? "" : server->last);
	pthread_mutex_unlock(&server->lock);
	return last;
}

/* From now on nothing is held, or again held. */
static void
loopback_release(Loopback *server, bool released)
{
	uint64_t	one = 1;

	if ((released ? write(server->release, &one, sizeof(one)) :
		 read(server->release, &one, sizeof(one))) != sizeof(one))
		abort();
}
