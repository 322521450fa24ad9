/*
 * url.c
 *	  Normalises base URLs, so that two spellings of one URL compare equal.
 *
 * URLs that are equivalent by the rules of RFC 3986 (6.2.2 and 6.2.3), and that libcurl
 * sends to the same place, become the same text.  Names are not looked up: a host's name
 * and its address stay different.
 */
#include "text_buffer.h"
#include "vlm.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static void
add_lower(TextBuffer *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		char		c = lower(text[i]);

		text_add(out, &c, 1);
	}
}

/* Adds a host; addresses have many spellings, such as 127.1, 0x7f000001 and [0:0::1]. */
static void
add_host(TextBuffer *out, const char *host, size_t size)
{
	char		name[64];
	char		address[INET6_ADDRSTRLEN];
	struct in_addr ip4;
	struct in6_addr ip6;
	bool		brackets = size > 2 && host[0] == '[' && host[size - 1] == ']';

	if (size > 1 && host[size - 1] == '.')
		size--;
	snprintf(name, sizeof(name), "%.*s", (int) (brackets ? size - 2 : size), host + brackets);
	if (strlen(name) + 2 * brackets != size)
		add_lower(out, host, size);
	else if (brackets && inet_pton(AF_INET6, name, &ip6) == 1)
	{
		inet_ntop(AF_INET6, &ip6, address, sizeof(address));
		text_add(out, "[", 1);
		text_add(out, address, strlen(address));
		text_add(out, "]", 1);
	}
	else if (!brackets && inet_aton(name, &ip4) != 0)
	{
		inet_ntop(AF_INET, &ip4, address, sizeof(address));
		text_add(out, address, strlen(address));
	}
	else
		add_lower(out, host, size);
}

/* Adds the port that follows a host, unless it is the scheme's default. */
static void
add_port(TextBuffer *out, const char *port, size_t size, int usual)
{
	char		text[16];
	long		number = size > 1 && size < sizeof(text) ? strtol(port + 1, NULL, 10) : usual;

	if (number == usual)
		return;
	snprintf(text, sizeof(text), ":%ld", number);
	text_add(out, text, strlen(text));
}

static const char digits[] = "0123456789ABCDEF";

static int
hex_digit(char c)
{
	const char *found = c == '\0' ? NULL : strchr(digits, c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c);

	return found == NULL ? -1 : (int) (found - digits);
}

static bool
is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

/* Adds a segment of the path, with only the escapes it needs, in capital letters. */
static void
add_segment(TextBuffer *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		int			high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1;
		int			low = high < 0 ? -1 : hex_digit(text[i + 2]);
		char		plain = (char) (high * 16 + low);

		if (low < 0)
		{
			text_add(out, text + i, 1);
			continue;
		}
		if (is_unreserved(high * 16 + low))
			text_add(out, &plain, 1);
		else
		{
			char		escape[3] = {'%', digits[high], digits[low]};

			text_add(out, escape, 3);
		}
		i += 2;
	}
}

/* Removes the last segment of the path, which begins at least bytes into the URL. */
static void
drop_segment(TextBuffer *out, size_t least)
{
	while (out->size > least && out->p[--out->size] != '/')
		;
}

/* Adds the path as libcurl sends it, without "." and "..", and without slashes at its end. */
static void
add_path(TextBuffer *out, const char *path)
{
	size_t		host_end = out->size;

	while (*path == '/')
	{
		size_t		size = strcspn(path + 1, "/");
		size_t		begin = out->size;

		text_add(out, "/", 1);
		add_segment(out, path + 1, size);
		if (out->failed)
			return;
		if (out->size - begin == 2 && memcmp(out->p + begin, "/.", 2) == 0)
			out->size = begin;
		else if (out->size - begin == 3 && memcmp(out->p + begin, "/..", 3) == 0)
		{
			out->size = begin;
			drop_segment(out, host_end);
		}
		path += 1 + size;
	}
	while (out->size > host_end && out->p[out->size - 1] == '/')
		out->size--;
}

char *
vlm_url_normal(const char *url)
{
	TextBuffer	out = {0};
	const char *authority = strstr(url, "://");
	size_t		scheme = authority == NULL ? 0 : (size_t) (authority - url);
	size_t		host;
	size_t		end;

	add_lower(&out, url, scheme);
	text_add(&out, "://", 3);
	authority = url + (authority == NULL ? 0 : scheme + 3);
	end = strcspn(authority, "/");
	host = authority[0] == '[' ? strcspn(authority, "]/") : strcspn(authority, ":/");
	if (authority[0] == '[' && authority[host] == ']')
		host++;
	add_host(&out, authority, host);
	add_port(&out, authority + host, end - host,
			 strncasecmp(url, "https", 5) == 0 ? 443 : 80);
	add_path(&out, authority + end);
	if (out.failed)
		text_free(&out);
	else
		out.p[out.size] = '\0';
	return out.p;
}
