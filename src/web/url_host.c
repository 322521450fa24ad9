/*
 * url_host.c
 *	  The host of a URL: a name in punycode, or an address in its usual spelling.
 *
 * A name is decoded and mapped (UTS 46) first and judged afterwards, so that an address is
 * found in each of its spellings.  A public IPv4 address is taken only as four decimal
 * numbers: nobody spells one in another way without a reason.
 */
#include "url_host.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Names that lead to the machine itself or to its network, whatever a resolver says. */
static const char *const inside[] = {".localhost", ".local", ".internal"};

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes escapes; false: a bad escape, a NUL, or too long. */
static bool
decode(const char *text, size_t size, char *out, size_t room)
{
	size_t		n = 0;

	for (size_t i = 0; i < size; i++)
	{
		int			c = (unsigned char) text[i];

		if (c == '%')
		{
			int			high = i + 2 < size ? hex_value(text[i + 1]) : -1;
			int			low = high < 0 ? -1 : hex_value(text[i + 2]);

			if (low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c == 0 || n + 1 >= room)
			return false;
		out[n++] = (char) c;
	}
	out[n] = '\0';
	return true;
}

/* Into lower case and punycode; a label that is in punycode already is checked. */
static bool
to_ascii(const char *name, char out[WEB_HOST_MAX + 2])
{
	bool		plain = true;
	uint8_t    *mapped = NULL;
	bool		ok;

	for (const char *p = name; *p != '\0'; p++)
		if ((unsigned char) *p >= 0x80 || strncasecmp(p, "xn--", 4) == 0)
			plain = false;
	if (plain)
	{
		size_t		size = strlen(name);

		if (size > WEB_HOST_MAX + 1)
			return false;
		for (size_t i = 0; i <= size; i++)
			out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char) (name[i] | 0x20) : name[i];
		return true;
	}
	if (idn2_lookup_u8((const uint8_t *) name, &mapped, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	ok = strlen((char *) mapped) <= WEB_HOST_MAX + 1;
	if (ok)
		memcpy(out, mapped, strlen((char *) mapped) + 1);
	idn2_free(mapped);
	return ok;
}

/* Letters, digits, hyphens and underscores, which names have in spite of all RFCs. */
static bool
labels_are_good(const char *host)
{
	size_t		label = 0;

	for (const char *p = host;; p++)
	{
		if (*p == '.' || *p == '\0')
		{
			if (label == 0 || label > 63)
				return false;
			if (*p == '\0')
				return true;
			label = 0;
			continue;
		}
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_'))
			return false;
		label++;
	}
}

/* Whether a resolver would take it for an IPv4 address: its last label is a number. */
static bool
ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *last = dot == NULL ? host : dot + 1;

	if (*last == '\0')
		return false;
	if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
		return last[2 + strspn(last + 2, "0123456789abcdefABCDEF")] == '\0';
	return last[strspn(last, "0123456789")] == '\0';
}

/* The address that one to four numbers mean, decimal, octal or hexadecimal. */
static bool
loose_ip4(const char *host, WebAddress *address)
{
	uint64_t	value = 0;
	int			parts = 0;

	for (const char *p = host;; p++)
	{
		char	   *end;
		uint64_t	part;

		if (*p < '0' || *p > '9' || ++parts > 4)
			return false;
		/* "0x" alone is zero to those who take it at all */
		if (p[0] == '0' && p[1] == 'x' && hex_value(p[2]) < 0)
			part = 0, end = (char *) p + 2;
		else
			part = strtoull(p, &end, 0);
		if (*end == '\0')
		{
			if (part >> (8 * (5 - parts)) != 0)
				return false;
			value = (value << (8 * (5 - parts))) | part;
			break;
		}
		if (*end != '.' || part > 255)
			return false;
		value = (value << 8) | part;
		p = end;
	}
	memcpy(address->bytes, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF", 12);
	for (int i = 0; i < 4; i++)
		address->bytes[12 + i] = (uint8_t) (value >> (8 * (3 - i)));
	return true;
}

static const char *
take_address(const WebAddress *address, WebUrl *url)
{
	if (!web_address_public(address))
		return "address";
	url->literal = true;
	memcpy(url->domain, url->host, sizeof(url->domain));
	return NULL;
}

static const char *
take_ip6(const char *text, size_t size, WebUrl *url)
{
	char		name[WEB_ADDRESS_TEXT];
	struct in6_addr parsed;
	WebAddress	address;

	if (size < 3 || text[size - 1] != ']' || size - 2 >= sizeof(name))
		return "url";
	memcpy(name, text + 1, size - 2);
	name[size - 2] = '\0';
	if (strlen(name) != size - 2 || inet_pton(AF_INET6, name, &parsed) != 1)
		return "url";
	memcpy(address.bytes, &parsed, 16);
	inet_ntop(AF_INET6, &parsed, url->host, WEB_ADDRESS_TEXT);
	return take_address(&address, url);
}

/* text: as it was given. */
static const char *
take_ip4(const char *text, size_t size, WebUrl *url)
{
	WebAddress	address;

	if (!loose_ip4(url->host, &address))
		return "url";
	web_address_text(&address, url->host);
	if (strlen(url->host) != size || memcmp(url->host, text, size) != 0)
		return "address";
	return take_address(&address, url);
}

const char *
url_host_parse(const char *text, size_t size, WebUrl *url)
{
	char		name[WEB_URL_MAX + 1] = "";
	char		host[WEB_HOST_MAX + 2] = "";
	size_t		length;

	if (size > 0 && text[0] == '[')
		return take_ip6(text, size, url);
	if (!decode(text, size, name, sizeof(name)) || !to_ascii(name, host))
		return "url";
	length = strlen(host);
	if (length > 0 && host[length - 1] == '.')
		host[--length] = '\0';
	if (length > WEB_HOST_MAX || !labels_are_good(host))
		return "url";
	memcpy(url->host, host, length + 1);
	if (ends_in_number(host))
		return take_ip4(text, size, url);
	if (strchr(host, '.') == NULL)
		return "url";
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
	{
		size_t		suffix = strlen(inside[i]);

		if (length > suffix && strcmp(host + length - suffix, inside[i]) == 0)
			return "address";
	}
	url_domain(url);
	return NULL;
}
