/*
 * url.c
 *	  One parser for URLs, for the check and for the request.
 *
 * The normal form is what is compared, judged by robots.txt and requested: scheme and host
 * in lower case, the host in punycode, no default port, no fragment, no dot segments,
 * non-ASCII bytes and blanks escaped, escapes that were given as they were.  Whatever two
 * programs might read in two ways is refused.
 */
#include "web.h"
#include "url_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct Span
{
	const char *p;
	size_t		size;
} Span;

/* The parts of a URL as given. */
typedef struct Parts
{
	bool		https;
	Span		authority;
	Span		path;
	Span		query;			/* with its question mark; may be empty */
} Parts;

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

#define BOM "\xEF\xBB\xBF"

static Span
trimmed(const char *text, size_t size)
{
	for (;;)
	{
		if (size > 0 && is_blank(text[0]))
			text++, size--;
		else if (size >= 3 && memcmp(text, BOM, 3) == 0)
			text += 3, size -= 3;
		else if (size > 0 && is_blank(text[size - 1]))
			size--;
		else if (size >= 3 && memcmp(text + size - 3, BOM, 3) == 0)
			size -= 3;
		else
			return (Span)
		{
			text, size
		};
	}
}

/* Up to the first of these characters. */
static size_t
until(Span text, const char *stops)
{
	size_t		size = 0;

	while (size < text.size && (text.p[size] == '\0' || strchr(stops, text.p[size]) == NULL))
		size++;
	return size;
}

static Span
behind(Span text, size_t size)
{
	return (Span)
	{
		text.p + size, text.size - size
	};
}

/* The size of "scheme:" in front; 0: there is none. */
static size_t
scheme_size(Span text)
{
	size_t		size = until(text, ":/?#");

	if (size == 0 || size == text.size || text.p[size] != ':')
		return 0;
	for (size_t i = 0; i < size; i++)
	{
		char		c = text.p[i] | 0x20;

		if (!(c >= 'a' && c <= 'z') &&
			(i == 0 || !((text.p[i] >= '0' && text.p[i] <= '9') || strchr("+-.", text.p[i]) != NULL)))
			return 0;
	}
	return size + 1;
}

/* Controls, also those of C1, and backslashes, which browsers take for slashes. */
static bool
has_bad_character(Span text)
{
	for (size_t i = 0; i < text.size; i++)
	{
		unsigned char c = (unsigned char) text.p[i];

		if (c < 0x20 || c == 0x7F || c == '\\')
			return true;
		if (c == 0xC2 && i + 1 < text.size && (unsigned char) text.p[i + 1] < 0xA0 &&
			(unsigned char) text.p[i + 1] >= 0x80)
			return true;
	}
	return false;
}

static const char *
split(Span text, Parts *parts)
{
	size_t		scheme = scheme_size(text);
	Span		rest = behind(text, scheme);

	parts->https = scheme == 6 && strncasecmp(text.p, "https", 5) == 0;
	if (!parts->https && !(scheme == 5 && strncasecmp(text.p, "http", 4) == 0))
		return "scheme";
	if (text.size > WEB_URL_MAX || has_bad_character(text) || rest.size < 2 || memcmp(rest.p, "//", 2) != 0)
		return "url";
	rest = behind(rest, 2);
	rest.size = until(rest, "#");
	parts->authority = (Span)
	{
		rest.p, until(rest, "/?")
	};
	rest = behind(rest, parts->authority.size);
	parts->path = (Span)
	{
		rest.p, until(rest, "?")
	};
	parts->query = behind(rest, parts->path.size);
	return NULL;
}

/* Takes the port off the authority: all but the scheme's own, 80 and 443 must be let in. */
static const char *
take_port(Span *authority, bool https, const WebPorts *ports, int *port)
{
	size_t		host = authority->size > 0 && authority->p[0] == '[' ? until(*authority, "]") : until(*authority, ":");
	Span		text;

	*port = https ? 443 : 80;
	if (host < authority->size && authority->p[host] == ']')
		host++;
	text = behind(*authority, host);
	authority->size = host;
	if (text.size == 0)
		return NULL;
	if (text.p[0] != ':')
		return "url";
	text = behind(text, 1);
	if (text.size == 0)
		return NULL;
	*port = 0;
	for (size_t i = 0; i < text.size; i++)
	{
		if (text.p[i] < '0' || text.p[i] > '9' || *port > 65535)
			return "port";
		*port = *port * 10 + text.p[i] - '0';
	}
	if (*port == 80 || *port == 443)
		return NULL;
	for (int i = 0; ports != NULL && i < ports->n; i++)
		if (ports->ports[i] == *port)
			return NULL;
	return "port";
}

static char *
add_escaped(char *out, Span text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.size; i++)
	{
		unsigned char c = (unsigned char) text.p[i];

		if (c > 0x20 && c < 0x7F)
		{
			*out++ = (char) c;
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	return out;
}

/* How many dots a segment consists of, also as %2e; 0: it is no dot segment. */
static int
dots_of(Span segment)
{
	int			dots = 0;

	while (segment.size > 0)
	{
		size_t		size = segment.p[0] == '.' ? 1 : 3;

		if (size == 3 && (segment.size < 3 || strncasecmp(segment.p, "%2e", 3) != 0))
			return 0;
		segment = behind(segment, size);
		if (++dots > 2)
			return 0;
	}
	return dots;
}

/* begin: where the path begins in the normal form, the lowest that ".." leads to. */
static char *
add_path(char *out, Span path)
{
	char	   *begin = out;

	if (path.size == 0)
		*out++ = '/';
	while (path.size > 0)
	{
		Span		rest = behind(path, 1);
		Span		segment = {rest.p, until(rest, "/")};
		int			dots = dots_of(segment);

		path = behind(rest, segment.size);
		if (dots == 2)
			while (out > begin && *--out != '/')
				;
		if (dots == 0 || path.size == 0)
			*out++ = '/';
		if (dots == 0)
			out = add_escaped(out, segment);
	}
	return out;
}

static const char *
write_normal(const Parts *parts, WebUrl *url)
{
	size_t		room = 3 * (parts->path.size + parts->query.size) + WEB_HOST_MAX + 32;
	bool		brackets = strchr(url->host, ':') != NULL;
	char	   *out = malloc(room);

	if (out == NULL)
		return "memory";
	url->normal = out;
	out += sprintf(out, "%s://%s%s%s", url->https ? "https" : "http", brackets ? "[" : "", url->host, brackets ? "]" : "");
	if (url->port != (url->https ? 443 : 80))
		out += sprintf(out, ":%d", url->port);
	url->path = out;
	out = add_path(out, parts->path);
	out = add_escaped(out, parts->query);
	*out = '\0';
	return NULL;
}

const char *
web_url_parse(const char *text, size_t size, const WebPorts *ports, WebUrl *url)
{
	Parts		parts;
	const char *refused = split(trimmed(text, size), &parts);
	const char *bad_port;

	memset(url, 0, sizeof(*url));
	if (refused != NULL)
		return refused;
	/* blanks around it count, too */
	if (size > WEB_URL_MAX)
		return "url";
	if (memchr(parts.authority.p, '@', parts.authority.size) != NULL)
		return "credentials";
	url->https = parts.https;
	bad_port = take_port(&parts.authority, parts.https, ports, &url->port);
	refused = url_host_parse(parts.authority.p, parts.authority.size, url);
	if (refused == NULL || (bad_port != NULL && strcmp(refused, "address") == 0))
		refused = bad_port;
	if (refused == NULL)
		refused = write_normal(&parts, url);
	return refused;
}

const char *
web_url_join(const WebUrl *base, const char *reference, const WebPorts *ports, WebUrl *url)
{
	Span		given = trimmed(reference, strlen(reference));
	size_t		kept = 0;		/* of the base's normal form */
	size_t		path = (size_t) (base->path - base->normal);
	char	   *whole;
	const char *refused;

	if (scheme_size(given) == 0)
	{
		if (given.size >= 2 && memcmp(given.p, "//", 2) == 0)
			kept = base->https ? 6 : 5;
		else if (given.size == 0 || given.p[0] == '#')
			kept = strlen(base->normal);
		else if (given.p[0] == '/')
			kept = path;
		else
		{
			kept = path + strcspn(base->path, "?");
			while (given.p[0] != '?' && base->normal[kept - 1] != '/')
				kept--;
		}
	}
	if (given.size > WEB_URL_MAX)
		return "url";
	whole = malloc(kept + given.size + 1);
	if (whole == NULL)
		return "memory";
	memcpy(whole, base->normal, kept);
	memcpy(whole + kept, given.p, given.size);
	refused = web_url_parse(whole, kept + given.size, ports, url);
	free(whole);
	return refused;
}

void
web_url_free(WebUrl *url)
{
	free(url->normal);
	url->normal = NULL;
}
