/*
 * address.c
 *	  Where a connection may go: public addresses only.
 *
 * The ranges are those of IANA's registries of special-purpose addresses, and multicast.  Of
 * IPv6 only what is allotted for unicast (2000::/3) is let in.  Where an IPv4 address
 * is the true goal (mapped, NAT64) that one is judged; tunnels, whose ends anyone may choose,
 * are refused whatever is inside.
 */
#include "web.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Range4
{
	uint32_t	base;
	int			bits;
} Range4;

typedef struct Range6
{
	uint8_t		base[8];
	int			bits;
} Range6;

#define IP4(a, b, c, d) ((uint32_t) (a) << 24 | (uint32_t) (b) << 16 | (uint32_t) (c) << 8 | (uint32_t) (d))

static const Range4 refused4[] = {
	{IP4(0, 0, 0, 0), 8}, {IP4(10, 0, 0, 0), 8}, {IP4(100, 64, 0, 0), 10}, {IP4(127, 0, 0, 0), 8},
	{IP4(169, 254, 0, 0), 16}, {IP4(172, 16, 0, 0), 12}, {IP4(192, 0, 0, 0), 24}, {IP4(192, 0, 2, 0), 24},
	{IP4(192, 88, 99, 0), 24}, {IP4(192, 168, 0, 0), 16}, {IP4(198, 18, 0, 0), 15}, {IP4(198, 51, 100, 0), 24},
	{IP4(203, 0, 113, 0), 24}, {IP4(224, 0, 0, 0), 4}, {IP4(240, 0, 0, 0), 4}
};

/* Within 2000::/3: special purposes (Teredo and ORCHID among them), documentation, 6to4. */
static const Range6 refused6[] = {
	{{0x20, 0x01}, 23}, {{0x20, 0x01, 0x0D, 0xB8}, 32}, {{0x20, 0x02}, 16}, {{0x3F, 0xFF}, 20}
};

/* Metadata services of clouds, and a platform's own address: keys are to be had there. */
static const uint32_t metadata4[] = {
	IP4(169, 254, 169, 254), IP4(169, 254, 169, 253), IP4(169, 254, 170, 2), IP4(169, 254, 0, 23), IP4(100, 100, 100, 200),
	IP4(100, 96, 0, 96), IP4(192, 0, 0, 192), IP4(168, 63, 129, 16)
};
static const uint8_t metadata6[][16] = {
	{0xFD, 0x00, 0x0E, 0xC2,[14] = 0x02, 0x54}, {0xFD, 0x00, 0x0E, 0xC2,[14] = 0x00, 0x23}, {0xFD, 0x20, 0x00, 0xCE,[14] = 0x02, 0x54}
};

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, 0xFF};
static const uint8_t nat64_prefix[12] = {0x00, 0x64, 0xFF, 0x9B};

static bool
same_bits(const uint8_t *a, const uint8_t *b, int bits)
{
	int			whole = bits / 8;
	int			mask = 0xFF00 >> (bits % 8) & 0xFF;

	return memcmp(a, b, (size_t) whole) == 0 && (mask == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

static bool
in_nets(const WebAddress *address, const WebNets *nets)
{
	for (int i = 0; nets != NULL && i < nets->n; i++)
		if (same_bits(address->bytes, nets->nets[i].base.bytes, nets->nets[i].bits))
			return true;
	return false;
}

/* What a NAT64 address leads to; else the address itself. */
static WebAddress
true_goal(const WebAddress *address)
{
	WebAddress	goal = *address;

	if (memcmp(address->bytes, nat64_prefix, 12) == 0)
		memcpy(goal.bytes, mapped_prefix, 12);
	return goal;
}

static bool
is_ip4(const WebAddress *address)
{
	return memcmp(address->bytes, mapped_prefix, 12) == 0;
}

static uint32_t
ip4_of(const WebAddress *address)
{
	const uint8_t *b = address->bytes + 12;

	return IP4(b[0], b[1], b[2], b[3]);
}

static bool
is_metadata(const WebAddress *address)
{
	if (is_ip4(address))
	{
		for (size_t i = 0; i < sizeof(metadata4) / sizeof(metadata4[0]); i++)
			if (metadata4[i] == ip4_of(address))
				return true;
		return false;
	}
	for (size_t i = 0; i < sizeof(metadata6) / sizeof(metadata6[0]); i++)
		if (memcmp(metadata6[i], address->bytes, 16) == 0)
			return true;
	return false;
}

/* Of what true_goal gives. */
static bool
is_public(const WebAddress *address)
{
	const uint8_t *b = address->bytes;

	if (is_ip4(address))
	{
		for (size_t i = 0; i < sizeof(refused4) / sizeof(refused4[0]); i++)
			if ((ip4_of(address) ^ refused4[i].base) >> (32 - refused4[i].bits) == 0)
				return false;
		return true;
	}
	if ((b[0] & 0xE0) != 0x20)
		return false;
	for (size_t i = 0; i < sizeof(refused6) / sizeof(refused6[0]); i++)
		if (same_bits(b, refused6[i].base, refused6[i].bits))
			return false;
	/* ISATAP has ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d behind any prefix */
	return !((b[8] & 0xFD) == 0 && b[9] == 0 && b[10] == 0x5E && b[11] == 0xFE);
}

/* The addresses of this machine's interfaces, as of at most so long ago. */
#define OWN_FOR_MS 5000

static bool
address_of_interface(const struct ifaddrs *interface, WebAddress *address)
{
	if (interface->ifa_addr == NULL)
		return false;
	memcpy(address->bytes, mapped_prefix, 12);
	if (interface->ifa_addr->sa_family == AF_INET)
		memcpy(address->bytes + 12, &((struct sockaddr_in *) interface->ifa_addr)->sin_addr, 4);
	else if (interface->ifa_addr->sa_family == AF_INET6)
		memcpy(address->bytes, &((struct sockaddr_in6 *) interface->ifa_addr)->sin6_addr, 16);
	else
		return false;
	return true;
}

/* Reads them anew; false, with those of before, if they cannot be read. */
static bool
read_own(WebAddress **own, int *n)
{
	struct ifaddrs *interfaces;
	WebAddress *list;
	int			most = 0;

	if (getifaddrs(&interfaces) != 0)
		return false;
	for (struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next)
		most++;
	list = malloc(sizeof(WebAddress) * (size_t) (most + 1));
	if (list != NULL)
	{
		free(*own);
		*own = list;
		*n = 0;
		for (struct ifaddrs *i = interfaces; i != NULL; i = i->ifa_next)
			*n += address_of_interface(i, &list[*n]);
	}
	freeifaddrs(interfaces);
	return list != NULL;
}

/* Whether one of this machine's interfaces has it.  Each request asks three times. */
static bool
is_our_own(const WebAddress *address)
{
	static WebAddress *own;
	static int	n;
	static int64_t read_ms;
	struct timespec now;
	int64_t		now_ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ms = (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if ((own == NULL || now_ms - read_ms > OWN_FOR_MS) && read_own(&own, &n))
		read_ms = now_ms;
	for (int i = 0; i < n; i++)
		if (memcmp(&own[i], address, sizeof(WebAddress)) == 0)
			return true;
	return false;
}

bool
web_address_public(const WebAddress *address)
{
	WebAddress	goal = true_goal(address);

	return !is_metadata(&goal) && is_public(&goal);
}

bool
web_address_allowed(const WebAddress *address, const WebNets *allow)
{
	WebAddress	goal = true_goal(address);

	if (is_metadata(&goal))
		return false;
	return in_nets(&goal, allow) || (is_public(&goal) && !is_our_own(&goal));
}

bool
web_address_parse(const char *text, WebAddress *address)
{
	memcpy(address->bytes, mapped_prefix, 12);
	return inet_pton(AF_INET, text, address->bytes + 12) == 1 || inet_pton(AF_INET6, text, address->bytes) == 1;
}

void
web_address_text(const WebAddress *address, char text[WEB_ADDRESS_TEXT])
{
	if (is_ip4(address))
		inet_ntop(AF_INET, address->bytes + 12, text, WEB_ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address->bytes, text, WEB_ADDRESS_TEXT);
}

/* One range; without a number of bits it is one address. */
static bool
parse_net(const char *text, size_t size, WebNets *nets)
{
	char		copy[WEB_ADDRESS_TEXT + 8];
	char	   *slash;
	char	   *end;
	WebAddress	base;
	long		bits;
	int			width;

	if (size == 0 || size >= sizeof(copy) || nets->n == WEB_NETS)
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash = '\0';
	if (!web_address_parse(copy, &base))
		return false;
	width = strchr(copy, ':') == NULL ? 32 : 128;
	bits = width;
	if (slash != NULL)
	{
		bits = slash[1] >= '0' && slash[1] <= '9' ? strtol(slash + 1, &end, 10) : -1;
		if (bits < 0 || bits > width || *end != '\0')
			return false;
	}
	nets->nets[nets->n].base = base;
	nets->nets[nets->n++].bits = (int) bits + 128 - width;
	return true;
}

bool
web_nets_parse(const char *text, WebNets *nets, const char **bad)
{
	static const char blanks[] = " \t\n";

	nets->n = 0;
	for (text += strspn(text, blanks); *text != '\0';)
	{
		size_t		size = strcspn(text, ", \t\n");

		*bad = text;
		if (!parse_net(text, size, nets))
			return false;
		text += size + strspn(text + size, blanks);
		if (*text == ',')
			text += 1 + strspn(text + 1, blanks);
		else if (*text != '\0')
			return false;
	}
	return true;
}

bool
web_nets_are_inside(const WebNets *nets)
{
	for (int i = 0; i < nets->n; i++)
	{
		const WebAddress *base = &nets->nets[i].base;
		int			bits = nets->nets[i].bits;

		if (!is_public(base))
			return true;
		/* a wide range around a refused one */
		for (size_t r = 0; r < sizeof(refused4) / sizeof(refused4[0]); r++)
			if (is_ip4(base) && bits - 96 < refused4[r].bits &&
				(uint64_t) (ip4_of(base) ^ refused4[r].base) >> (128 - bits) == 0)
				return true;
		for (size_t r = 0; r < sizeof(refused6) / sizeof(refused6[0]); r++)
			if (!is_ip4(base) && bits < refused6[r].bits && same_bits(base->bytes, refused6[r].base, bits))
				return true;
	}
	return false;
}
