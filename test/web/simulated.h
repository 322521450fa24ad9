/*
 * simulated.h
 *	  A web of many hosts inside one process: HTTP servers on 127.0.0.1 to 127.0.0.N, and a
 *	  name server that knows all names below ".test".
 *
 * What a host's name and a URL's path begin with says what becomes of a request; see
 * simulated_robots, simulated_act and simulated_zone.  Each request is a line of the
 * journal: microseconds since the start, "http", host, path, the status that was answered.
 * Everything is static: the unit tests include it, and llava_web.c makes a program of it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIMULATED_MOST_ADDRESSES 250

/* How many servers there are; to be set before simulated_start. */
static int	simulated_addresses = 32;

typedef struct Simulated
{
	int			listeners[SIMULATED_MOST_ADDRESSES];
	int			names;			/* UDP */
	int			port;
	int			names_port;
	FILE	   *journal;
	pthread_mutex_t lock;
	int			requests;
	int			lookups;
	int			open;			/* connections */
	int			max_open;
	int			active;			/* requests that are being answered */
	int			max_active;
	int			rebinds;
} Simulated;

/* 64 x 48, grey. */
static const unsigned char simulated_jpeg[] = {
	0xff, 0xd8, 0xff, 0xe0, 0x00, 0x10, 0x4a, 0x46, 0x49, 0x46, 0x00, 0x01, 0x01, 0x00, 0x00, 0x01, 0x00, 0x01, 0x00, 0x00,
	0xff, 0xdb, 0x00, 0x43, 0x00, 0x28, 0x1c, 0x1e, 0x23, 0x1e, 0x19, 0x28, 0x23, 0x21, 0x23, 0x2d, 0x2b, 0x28, 0x30, 0x3c,
	0x64, 0x41, 0x3c, 0x37, 0x37, 0x3c, 0x7b, 0x58, 0x5d, 0x49, 0x64, 0x91, 0x80, 0x99, 0x96, 0x8f, 0x80, 0x8c, 0x8a, 0xa0,
	0xb4, 0xe6, 0xc3, 0xa0, 0xaa, 0xda, 0xad, 0x8a, 0x8c, 0xc8, 0xff, 0xcb, 0xda, 0xee, 0xf5, 0xff, 0xff, 0xff, 0x9b, 0xc1,
	0xff, 0xff, 0xff, 0xfa, 0xff, 0xe6, 0xfd, 0xff, 0xf8, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x30, 0x00, 0x40, 0x01, 0x01,
	0x11, 0x00, 0xff, 0xc4, 0x00, 0x1f, 0x00, 0x00, 0x01, 0x05, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0xff, 0xc4, 0x00, 0xb5, 0x10,
	0x00, 0x02, 0x01, 0x03, 0x03, 0x02, 0x04, 0x03, 0x05, 0x05, 0x04, 0x04, 0x00, 0x00, 0x01, 0x7d, 0x01, 0x02, 0x03, 0x00,
	0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08,
	0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a,
	0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
	0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75,
	0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98,
	0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba,
	0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
	0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xff, 0xda,
	0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0xc9, 0x51, 0x52, 0xa8, 0xa9, 0x14, 0x54, 0xaa, 0x2a, 0x55, 0x15, 0x2a,
	0x8a, 0x95, 0x45, 0x4a, 0xa2, 0xb0, 0x14, 0x54, 0xaa, 0x2a, 0x55, 0x15, 0x22, 0x8a, 0x95, 0x45, 0x4a, 0xa2, 0xa5, 0x51,
	0x52, 0xa8, 0xac, 0x05, 0x15, 0x2a, 0x8a, 0x95, 0x45, 0x4a, 0xa2, 0xa5, 0x51, 0x52, 0x28, 0xa9, 0x54, 0x54, 0xaa, 0x2b,
	0x01, 0x45, 0x4a, 0xa2, 0xa5, 0x51, 0x52, 0xa8, 0xa9, 0x54, 0x54, 0xaa, 0x2a, 0x45, 0x15, 0x2a, 0x8a, 0xc1, 0x51, 0x52,
	0x28, 0xa9, 0x54, 0x54, 0xaa, 0x2a, 0x55, 0x15, 0x2a, 0x8a, 0x95, 0x45, 0x57, 0xd4, 0xae, 0xfe, 0xc7, 0x6f, 0xf2, 0x9f,
	0xde, 0xbf, 0x09, 0xc6, 0x71, 0xea, 0x6b, 0x35, 0x45, 0x4a, 0xa2, 0xa5, 0x51, 0x52, 0x28, 0xa9, 0x54, 0x54, 0xaa, 0x29,
	0xce, 0xe9, 0x0c, 0x6d, 0x24, 0x8c, 0x15, 0x54, 0x64, 0x93, 0x5c, 0xd5, 0xcd, 0xc3, 0x5d, 0xdc, 0x34, 0xac, 0x31, 0x9e,
	0x00, 0xce, 0x70, 0x2b, 0xff, 0xd9
};

static int64_t
simulated_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
simulated_note(Simulated *web, const char *kind, const char *host, const char *path, int status)
{
	pthread_mutex_lock(&web->lock);
	if (strcmp(kind, "http") == 0)
		web->requests++;
	else
		web->lookups++;
	if (web->journal != NULL)
	{
		fprintf(web->journal, "%lld %s %s %s %d\n", (long long) simulated_us(), kind, host, path, status);
		fflush(web->journal);
	}
	pthread_mutex_unlock(&web->lock);
}

static bool
simulated_send(int fd, const void *bytes, size_t size)
{
	const char *p = bytes;

	while (size > 0)
	{
		ssize_t		sent = send(fd, p, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		p += sent;
		size -= (size_t) sent;
	}
	return true;
}

/* extra: header lines with CRLF. */
static bool
simulated_head(int fd, int status, const char *extra, size_t size)
{
	char		head[8192];
	int			n = snprintf(head, sizeof(head), "HTTP/1.1 %d Simulated\r\n%sContent-Length: %zu\r\n\r\n", status, extra, size);

	return simulated_send(fd, head, (size_t) n);
}

static bool
simulated_reply(int fd, int status, const char *extra, const void *body, size_t size)
{
	return simulated_head(fd, status, extra, size) && simulated_send(fd, body, size);
}

/* A picture of its own for each text: the text is a comment in the JPEG. */
static bool
simulated_picture(int fd, int status, const char *extra, const char *text)
{
	unsigned char body[sizeof(simulated_jpeg) + 1028];
	size_t		size = strlen(text) > 1000 ? 1000 : strlen(text);

	memcpy(body, simulated_jpeg, 2);
	body[2] = 0xFF;
	body[3] = 0xFE;
	body[4] = (unsigned char) ((size + 2) >> 8);
	body[5] = (unsigned char) (size + 2);
	memcpy(body + 6, text, size);
	memcpy(body + 6 + size, simulated_jpeg + 2, sizeof(simulated_jpeg) - 2);
	return simulated_reply(fd, status, extra, body, sizeof(simulated_jpeg) + 4 + size);
}

static void
simulated_pause(long ms)
{
	struct timespec rest = {.tv_sec = ms / 1000,.tv_nsec = ms % 1000 * 1000000};

	nanosleep(&rest, NULL);
}

/*
 * robots.txt, by what the host's name begins with: allow, deny, white (only others), delay2
 * (Crawl-delay), rNNN (that status), rhang, rcut, rmoved (to another host), rloop, rhtml,
 * signal.  Others have none.
 */
static bool
simulated_robots(Simulated *web, int fd, const char *host, int *status)
{
	char		text[256] = "User-agent: *\nDisallow: /private/\n";
	char		extra[1024] = "";

	*status = 404;
	if (strncmp(host, "allow", 5) == 0)
		*status = 200;
	else if (strncmp(host, "deny", 4) == 0)
		*status = 200, strcpy(text, "User-agent: *\nDisallow: /\n");
	else if (strncmp(host, "white", 5) == 0)
		*status = 200, strcpy(text, "User-agent: Baiduspider\nAllow: /\n\nUser-agent: *\nDisallow: /\n");
	else if (strncmp(host, "delay", 5) == 0)
		*status = 200, snprintf(text, sizeof(text), "User-agent: llava_zh\nCrawl-delay: %d\n", atoi(host + 5));
	else if (strncmp(host, "signal", 6) == 0)
		*status = 200, strcpy(text, "User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n");
	else if (strncmp(host, "rhtml", 5) == 0)
		*status = 200, strcpy(text, "<html><body>not found</body></html>");
	else if (strncmp(host, "rhang", 5) == 0)
		simulated_pause(20000);
	else if (strncmp(host, "rcut", 4) == 0)
		return false;
	else if (strncmp(host, "rmoved", 6) == 0)
	{
		*status = 301;
		snprintf(extra, sizeof(extra), "Location: http://deny-%s:%d/robots.txt\r\n", host, web->port);
	}
	else if (strncmp(host, "rloop", 5) == 0)
		*status = 301, strcpy(extra, "Location: /robots.txt\r\n");
	else if (host[0] == 'r' && atoi(host + 1) >= 200)
		*status = atoi(host + 1);
	return simulated_reply(fd, *status, extra, text, *status == 404 ? 0 : strlen(text));
}

/* What stands behind the path's first word, up to the next slash. */
static const char *
simulated_word(const char *path, const char *word)
{
	size_t		size = strlen(word);

	return strncmp(path + 1, word, size) == 0 && path[1 + size] == '/' ? path + 2 + size : NULL;
}

/* Redirects: /to/HOST/PATH to another host, /hop/N/PATH through N hops, /loop. */
static bool
simulated_redirect(Simulated *web, int fd, const char *path, int *status)
{
	char		extra[4096];
	const char *rest;

	*status = 302;
	if ((rest = simulated_word(path, "to")) != NULL)
		snprintf(extra, sizeof(extra), "Location: http://%.*s:%d/%.2000s\r\n", (int) strcspn(rest, "/"), rest,
				 web->port, strchr(rest, '/') == NULL ? "" : strchr(rest, '/') + 1);
	else if ((rest = simulated_word(path, "raw")) != NULL)
		snprintf(extra, sizeof(extra), "Location: %.3000s\r\n", rest);
	else if ((rest = simulated_word(path, "hop")) != NULL)
		snprintf(extra, sizeof(extra), atoi(rest) > 0 ? "Location: /hop/%d/%.2000s\r\n" : "Location: /picture/%d/%.2000s\r\n",
				 atoi(rest) - 1, strchr(rest, '/') == NULL ? "" : strchr(rest, '/') + 1);
	else if (strncmp(path, "/loop", 5) == 0)
		snprintf(extra, sizeof(extra), "Location: %.2000s\r\n", path);
	else
		return false;
	return simulated_reply(fd, *status, extra, "", 0);
}

/* Bodies that go wrong; *stays: whether the connection does. */
static bool
simulated_body(int fd, const char *path, int *status, bool *stays)
{
	static const unsigned char packed[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xed, 0xc1, 0x31, 1, 0, 0, 0, 0xc2, 0xa0, 0x4a, 0xeb, 0x9f, 0xce,
	0x1a, 0x1e, 0x40, 1,[123] = 0xaf, 6, 0x85, 0xc2, 0x4d, 0xc5, 0xa0, 0x86, 1, 0};
	char		block[4096];
	const char *rest;

	*status = 200;
	*stays = true;
	memset(block, 'x', sizeof(block));
	if (strncmp(path, "/html", 5) == 0)
		*stays = simulated_reply(fd, 200, "Content-Type: text/html\r\n", "<html><body>no picture here</body></html>", 41);
	else if (strncmp(path, "/lie", 4) == 0)
		*stays = simulated_picture(fd, 200, "Content-Type: text/html\r\n", path);
	else if (strncmp(path, "/avif", 5) == 0)
	{
		memcpy(block, "\0\0\0\x20" "ftypavif", 12);
		*stays = simulated_reply(fd, 200, "Content-Type: video/mp4\r\n", block, 600);
	}
	else if (strncmp(path, "/empty", 6) == 0)
		*stays = simulated_reply(fd, 200, "", "", 0);
	else if (strncmp(path, "/gzip", 5) == 0)
		*stays = simulated_reply(fd, 200, "Content-Encoding: gzip\r\n", packed, sizeof(packed));
	else if (strncmp(path, "/length", 7) == 0)
		*stays = simulated_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", 47) && simulated_send(fd, block, sizeof(block)) && false;
	else if (strncmp(path, "/endless", 8) == 0 || strncmp(path, "/page", 5) == 0)
	{
		const char *head = path[1] == 'e' ? "HTTP/1.1 200 OK\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";

		*stays = simulated_send(fd, head, strlen(head));
		while (*stays)
			*stays = simulated_send(fd, block, sizeof(block));
	}
	else if (strncmp(path, "/headers", 8) == 0)
	{
		*stays = simulated_send(fd, "HTTP/1.1 200 OK\r\n", 17);
		for (int i = 0; i < 1000000 && *stays; i++)
			*stays = simulated_send(fd, "X-More: and more and more\r\n", 27);
	}
	else if (strncmp(path, "/cut", 4) == 0)
		*stays = simulated_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 41) && simulated_send(fd, block, 500) && false;
	else if (strncmp(path, "/junk", 5) == 0)
		*stays = simulated_send(fd, "SSH-2.0-OpenSSH_9.2\r\n", 21) && false;
	else if (strncmp(path, "/close", 6) == 0)
		*stays = false;
	else if (strncmp(path, "/trickle", 8) == 0)
	{
		*stays = simulated_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 41);
		for (int i = 0; i < 1000 && *stays; i++, simulated_pause(50))
			*stays = simulated_send(fd, "x", 1);
	}
	else if (strncmp(path, "/hang", 5) == 0)
		simulated_pause(20000), *stays = false;
	else if ((rest = simulated_word(path, "slow")) != NULL)
		simulated_pause(atoi(rest)), *stays = simulated_picture(fd, 200, "", path);
	else
		return false;
	return true;
}

/* Decodes the escapes of a header line that a path carries. */
static void
simulated_decode(const char *from, size_t size, char *to)
{
	for (size_t i = 0; i < size; i++)
	{
		unsigned	c;

		if (from[i] == '%' && i + 2 < size && sscanf(from + i + 1, "%2x", &c) == 1)
			*to++ = (char) c, i += 2;
		else
			*to++ = from[i];
	}
	*to = '\0';
}

/* A picture of so many bytes, with a pause in the middle: what lacks is comments. */
static bool
simulated_large(int fd, const char *text, size_t size, int pause_ms)
{
	unsigned char *body = calloc(1, size + sizeof(simulated_jpeg) + 8);
	size_t		at = 2;
	bool		sent;

	if (body == NULL)
		abort();
	memcpy(body, simulated_jpeg, 2);
	while (at + 8 + sizeof(simulated_jpeg) < size)
	{
		size_t		part = size - at - sizeof(simulated_jpeg) < 65000 ? size - at - sizeof(simulated_jpeg) : 65000;

		body[at] = 0xFF;
		body[at + 1] = 0xFE;
		body[at + 2] = (unsigned char) ((part - 2) >> 8);
		body[at + 3] = (unsigned char) (part - 2);
		snprintf((char *) body + at + 4, part - 4, "%s", text);
		at += part;
	}
	memcpy(body + at, simulated_jpeg + 2, sizeof(simulated_jpeg) - 2);
	sent = simulated_head(fd, 200, "", at + sizeof(simulated_jpeg) - 2) && simulated_send(fd, body, at / 2);
	if (sent && pause_ms > 0)
		simulated_pause(pause_ms);
	sent = sent && simulated_send(fd, body + at / 2, at - at / 2 + sizeof(simulated_jpeg) - 2);
	free(body);
	return sent;
}

/*
 * /size/BYTES/... (a picture of about so many bytes), /half/BYTES/MS/... (with so long a pause in the middle), /status/NNN, /retry/NNN/SECONDS, /header/LINE/... (a picture with that header line), the
 * redirects and bodies above; everything else is a picture of its own, /picture/X of the
 * host and path, and of /same/X alone, so that two URLs may have the same.
 */
static bool
simulated_act(Simulated *web, int fd, const char *host, const char *path, int *status)
{
	char		extra[4096] = "";
	char		line[4000];
	const char *rest;
	bool		stays;

	if (strcmp(path, "/robots.txt") == 0)
		return simulated_robots(web, fd, host, status);
	if (simulated_redirect(web, fd, path, status))
		return true;
	if (simulated_body(fd, path, status, &stays))
		return stays;
	*status = 200;
	if ((rest = simulated_word(path, "size")) != NULL)
	{
		snprintf(line, sizeof(line), "%.400s%.3000s", host, path);
		return simulated_large(fd, line, (size_t) atoi(rest), 0);
	}
	if ((rest = simulated_word(path, "half")) != NULL)
	{
		const char *pause = strchr(rest, '/');

		snprintf(line, sizeof(line), "%.400s%.3000s", host, path);
		return simulated_large(fd, line, (size_t) atoi(rest), pause == NULL ? 0 : atoi(pause + 1));
	}
	if ((rest = simulated_word(path, "status")) != NULL)
		return simulated_reply(fd, *status = atoi(rest), "", "no", 2);
	if ((rest = simulated_word(path, "retry")) != NULL)
	{
		const char *seconds = strchr(rest, '/');

		snprintf(extra, sizeof(extra), "Retry-After: %d\r\n", seconds == NULL ? 1 : atoi(seconds + 1));
		return simulated_reply(fd, *status = atoi(rest), extra, "", 0);
	}
	if ((rest = simulated_word(path, "header")) != NULL && strlen(rest) < sizeof(line))
	{
		simulated_decode(rest, strcspn(rest, "/"), line);
		snprintf(extra, sizeof(extra), "%s\r\n", line);
	}
	rest = simulated_word(path, "same");
	snprintf(line, sizeof(line), "%.400s%.3000s", host, path);
	return simulated_picture(fd, *status, extra, rest != NULL ? rest : line);
}

typedef struct SimulatedConnection
{
	Simulated  *web;
	int			fd;
} SimulatedConnection;

static void
simulated_active(Simulated *web, int change)
{
	pthread_mutex_lock(&web->lock);
	web->active += change;
	if (web->active > web->max_active)
		web->max_active = web->active;
	pthread_mutex_unlock(&web->lock);
}

static void *
simulated_connection(void *arg)
{
	SimulatedConnection *connection = arg;
	Simulated  *web = connection->web;
	char		buffer[32768];
	size_t		size = 0;
	bool		stays = true;

	while (stays)
	{
		char	   *end;
		char	   *name;
		char		path[8192];
		char		host[512] = "?";
		int			status = 0;
		ssize_t		got;

		buffer[size] = '\0';
		while ((end = strstr(buffer, "\r\n\r\n")) == NULL && size < sizeof(buffer) - 1 &&
			   (got = recv(connection->fd, buffer + size, sizeof(buffer) - 1 - size, 0)) > 0)
			buffer[size += (size_t) got] = '\0';
		if (end == NULL || sscanf(buffer, "GET %8191s", path) != 1)
			break;
		name = strcasestr(buffer, "\r\nhost:");
		if (name != NULL)
			sscanf(name + 7, " %511[^:\r\n]", host);
		/* when it came; a host that lets a request wait may answer it late */
		simulated_note(web, "http", host, path, 0);
		simulated_active(web, 1);
		stays = simulated_act(web, connection->fd, host, path, &status);
		simulated_active(web, -1);
		size -= (size_t) (end + 4 - buffer);
		memmove(buffer, end + 4, size);
	}
	close(connection->fd);
	pthread_mutex_lock(&web->lock);
	web->open--;
	pthread_mutex_unlock(&web->lock);
	free(connection);
	return NULL;
}

static void *
simulated_accept(void *arg)
{
	Simulated  *web = arg;
	struct pollfd wait[SIMULATED_MOST_ADDRESSES];
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	for (int i = 0; i < simulated_addresses; i++)
		wait[i] = (struct pollfd) {.fd = web->listeners[i],.events = POLLIN};
	while (poll(wait, simulated_addresses, -1) > 0)
		for (int i = 0; i < simulated_addresses; i++)
		{
			SimulatedConnection *connection;
			pthread_t	thread;
			int			fd = (wait[i].revents & POLLIN) ? accept(wait[i].fd, NULL, NULL) : -1;
			int			one = 1;

			if (fd < 0)
				continue;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			connection = malloc(sizeof(*connection));
			if (connection == NULL)
				abort();
			connection->web = web;
			connection->fd = fd;
			pthread_mutex_lock(&web->lock);
			if (++web->open > web->max_open)
				web->max_open = web->open;
			pthread_mutex_unlock(&web->lock);
			if (pthread_create(&thread, &attributes, simulated_connection, connection) != 0)
				abort();
		}
	return NULL;
}

/* ---- names ---- */

/* What a name "any..." may have: refused ranges, public ones, and one of the servers'. */
static const char *const simulated_any[2][24] = {
	{"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.3", "127.1.1.1", "169.254.169.254", "172.16.5.4",
		"192.0.0.192", "192.0.2.7", "192.88.99.1", "192.168.1.1", "198.18.0.5", "198.51.100.9", "203.0.113.4", "224.0.0.1",
	"240.0.0.1", "255.255.255.255", "168.63.129.16", "8.8.8.8", "114.114.114.114", "223.5.5.5", "1.1.1.1", "172.32.0.1"},
	{"::", "::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8",
		"100::1", "2001::1", "2001:db8::1", "2001:20::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
	"fec0::1", "ff02::1", "2606:4700::5efe:808:808", "2400:3200::1", "2606:4700::1111", "4000::1"}
};

/*
 * What a name means: "nx...", "servfail...", "silent..." (never answered), "ip-1-2-3-4...",
 * "six..." (only ::1), "rebind..." (first 127.0.0.1, from then on 10.0.0.1), "mixed..."
 * (10.0.0.1 and 127.0.0.2), "any..." (up to two of simulated_any); else one of the servers'
 * addresses, which the name chooses.
 * The number of addresses, or -1: NXDOMAIN, -2: SERVFAIL, -3: nothing is said.
 */
static int
simulated_zone(Simulated *web, const char *name, bool six, unsigned char addresses[2][16])
{
	unsigned	ip[4];
	unsigned	hash = 0;

	if (strncmp(name, "nx", 2) == 0)
		return -1;
	if (strncmp(name, "servfail", 8) == 0)
		return -2;
	if (strncmp(name, "silent", 6) == 0)
		return -3;
	memset(addresses[0], 0, 32);
	if (strncmp(name, "any", 3) == 0)
	{
		for (const char *p = name; *p != '\0'; p++)
			hash = hash * 31 + (unsigned char) *p;
		hash = (hash ^ hash >> 15) * 2654435761u + six;
		for (unsigned i = 0; i < 2; i++)
			inet_pton(six ? AF_INET6 : AF_INET, simulated_any[six][(hash >> (8 * i + 8)) % 24], addresses[i]);
		return (int) (hash >> 28) % 3;
	}
	if (strncmp(name, "six", 3) == 0)
	{
		addresses[0][15] = 1;
		return six ? 1 : 0;
	}
	if (six)
		return 0;
	if (sscanf(name, "ip-%u-%u-%u-%u", &ip[0], &ip[1], &ip[2], &ip[3]) == 4)
	{
		for (int i = 0; i < 4; i++)
			addresses[0][i] = (unsigned char) ip[i];
		return 1;
	}
	memcpy(addresses[0], "\x7F\0\0\1", 4);
	if (strncmp(name, "rebind", 6) == 0 && web->rebinds++ > 0)
		memcpy(addresses[0], "\x0A\0\0\1", 4);
	if (strncmp(name, "mixed", 5) == 0)
	{
		memcpy(addresses[0], "\x0A\0\0\1", 4);
		memcpy(addresses[1], "\x7F\0\0\2", 4);
		return 2;
	}
	if (strncmp(name, "rebind", 6) == 0)
		return 1;
	for (; *name != '\0'; name++)
		hash = hash * 31 + (unsigned char) *name;
	addresses[0][3] = (unsigned char) (1 + hash % (unsigned) simulated_addresses);
	return 1;
}

static void
simulated_answer(Simulated *web, unsigned char *packet, size_t size, const struct sockaddr_in *asker)
{
	char		name[300] = "";
	size_t		at = 12;
	size_t		n = 0;
	unsigned char addresses[2][16];
	bool		six;
	int			found;

	while (at < size && packet[at] != 0 && at + packet[at] + 1u < size && n + packet[at] + 2u < sizeof(name))
	{
		memcpy(name + n, packet + at + 1, packet[at]);
		n += packet[at];
		name[n++] = '.';
		at += packet[at] + 1u;
	}
	name[n > 0 ? n - 1 : 0] = '\0';
	if (at + 5 > size)
		return;
	six = packet[at + 2] == 28;
	at += 5;
	found = simulated_zone(web, name, six, addresses);
	simulated_note(web, "dns", name, six ? "AAAA" : "A", found);
	if (found == -3)
		return;
	packet[2] = 0x81;
	packet[3] = (unsigned char) (0x80 | (found == -1 ? 3 : found == -2 ? 2 : 0));
	memset(packet + 6, 0, 6);
	packet[7] = (unsigned char) (found > 0 ? found : 0);
	for (int i = 0; i < found; i++)
	{
		unsigned char record[12] = {0xC0, 12, 0, six ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, six ? 16 : 4};

		memcpy(packet + at, record, 12);
		memcpy(packet + at + 12, addresses[i], record[11]);
		at += 12u + record[11];
	}
	sendto(web->names, packet, at, 0, (const struct sockaddr *) asker, sizeof(*asker));
}

static void *
simulated_names(void *arg)
{
	Simulated  *web = arg;
	unsigned char packet[1024];
	struct sockaddr_in asker;
	socklen_t	length = sizeof(asker);
	ssize_t		size;

	while ((size = recvfrom(web->names, packet, 512, 0, (struct sockaddr *) &asker, &length)) >= 0)
	{
		if (size > 16)
			simulated_answer(web, packet, (size_t) size, &asker);
		length = sizeof(asker);
	}
	return NULL;
}

/* ---- begin ---- */

/* A socket on an address of 127/8; port 0: any, which is told. */
static int
simulated_bind(int kind, int last, int *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons((uint16_t) *port),
	.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + (uint32_t) last)};
	socklen_t	size = sizeof(address);
	int			fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
	int			one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &size) != 0 || (kind == SOCK_STREAM && listen(fd, 4096) != 0))
	{
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = ntohs(address.sin_port);
	return fd;
}

/* journal: may be NULL. */
static Simulated *
simulated_start(FILE *journal)
{
	Simulated  *web = calloc(1, sizeof(Simulated));
	pthread_t	thread;
	bool		bound = false;

	if (web == NULL)
		abort();
	web->journal = journal;
	pthread_mutex_init(&web->lock, NULL);
	web->names = simulated_bind(SOCK_DGRAM, 1, &web->names_port);
	while (!bound)
	{
		/* a port that is free on all of them */
		bound = true;
		web->port = 0;
		for (int i = 0; i < simulated_addresses; i++)
		{
			web->listeners[i] = bound ? simulated_bind(SOCK_STREAM, i + 1, &web->port) : -1;
			bound = web->listeners[i] >= 0;
		}
		for (int i = 0; i < simulated_addresses && !bound; i++)
			if (web->listeners[i] >= 0)
				close(web->listeners[i]);
	}
	if (web->names < 0 || pthread_create(&thread, NULL, simulated_accept, web) != 0 ||
		pthread_create(&thread, NULL, simulated_names, web) != 0)
		abort();
	return web;
}
