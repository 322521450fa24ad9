/*
 * base64.c
 *	  RFC 4648 base64, two characters at a time from a table of 4096 pairs.
 */
#include "base64.h"

#include <pthread.h>
#include <string.h>

static const char alphabet[] =
"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char pairs[4096][2];
static pthread_once_t pairs_once = PTHREAD_ONCE_INIT;

static void
make_pairs(void)
{
	for (int i = 0; i < 4096; i++)
	{
		pairs[i][0] = alphabet[i >> 6];
		pairs[i][1] = alphabet[i & 63];
	}
}

size_t
base64_length(size_t size)
{
	return (size + 2) / 3 * 4;
}

/* The four characters of the group that begins at byte 3 * group. */
static void
encode_group(const uint8_t *data, size_t size, size_t group, char out[4])
{
	size_t		at = group * 3;
	size_t		left = size - at;
	uint32_t	bits = (uint32_t) data[at] << 16;

	if (left > 1)
		bits |= (uint32_t) data[at + 1] << 8;
	if (left > 2)
		bits |= data[at + 2];
	memcpy(out, pairs[bits >> 12], 2);
	memcpy(out + 2, pairs[bits & 0xfff], 2);
	if (left < 3)
		out[3] = '=';
	if (left < 2)
		out[2] = '=';
}

/* Whole groups of three bytes each. */
static void
encode_groups(const uint8_t *data, size_t groups, char *out)
{
	for (size_t i = 0; i < groups; i++)
	{
		uint32_t	bits = (uint32_t) data[0] << 16 | (uint32_t) data[1] << 8 | data[2];

		memcpy(out, pairs[bits >> 12], 2);
		memcpy(out + 2, pairs[bits & 0xfff], 2);
		data += 3;
		out += 4;
	}
}

void
base64_slice(const uint8_t *data, size_t size, size_t from, size_t n, char *out)
{
	size_t		group = from / 4;
	size_t		offset = from % 4;
	char		quad[4];

	pthread_once(&pairs_once, make_pairs);
	while (n > 0)
	{
		size_t		take;

		if (offset == 0 && n >= 4 && (group + 1) * 3 <= size)
		{
			size_t		groups = n / 4;

			if (groups > size / 3 - group)
				groups = size / 3 - group;
			encode_groups(data + group * 3, groups, out);
			group += groups;
			out += groups * 4;
			n -= groups * 4;
			continue;
		}
		encode_group(data, size, group, quad);
		take = 4 - offset < n ? 4 - offset : n;
		memcpy(out, quad + offset, take);
		out += take;
		n -= take;
		offset = 0;
		group++;
	}
}
