/*
 * digest.c
 *	  SHA-256 (FIPS 180-4), base64 and the pseudo-random numbers all variation
 *	  comes from.
 */
#include "digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

static const uint32_t sha_words[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static uint32_t
rotate(uint32_t value, int bits)
{
	return (value >> bits) | (value << (32 - bits));
}

static void
sha_block(uint32_t state[8], const unsigned char *block)
{
	uint32_t	w[64];
	uint32_t	v[8];
	int			i;

	for (i = 0; i < 16; i++)
		w[i] = (uint32_t) block[i * 4] << 24 | (uint32_t) block[i * 4 + 1] << 16 |
			(uint32_t) block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (; i < 64; i++)
	{
		uint32_t	a = w[i - 15];
		uint32_t	b = w[i - 2];

		w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)) +
			w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10));
	}
	memcpy(v, state, sizeof(v));
	for (i = 0; i < 64; i++)
	{
		uint32_t	t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25));
		uint32_t	t2 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);

		t1 += ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha_words[i] + w[i];
		t2 += (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (i = 0; i < 8; i++)
		state[i] += v[i];
}

void
sha256_hex(const void *data, size_t size, char hex[SHA256_HEX])
{
	uint32_t	state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
	const unsigned char *bytes = data;
	unsigned char last[128] = {0};
	size_t		left = size;
	size_t		tail;
	uint64_t	bits = (uint64_t) size * 8;
	int			i;

	for (; left >= 64; left -= 64, bytes += 64)
		sha_block(state, bytes);
	if (left > 0)
		memcpy(last, bytes, left);
	last[left] = 0x80;
	tail = left < 56 ? 64 : 128;
	for (i = 0; i < 8; i++)
		last[tail - 1 - (size_t) i] = (unsigned char) (bits >> (8 * i));
	sha_block(state, last);
	if (tail == 128)
		sha_block(state, last + 64);
	for (i = 0; i < 8; i++)
		snprintf(hex + i * 8, 9, "%08x", (unsigned) state[i]);
}

/* One base64 digit, or -1. */
static int
base64_digit(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

/* Padding may be missing, white space may stand between; all else is refused. */
bool
base64_decode(const char *text, size_t size, unsigned char **bytes, size_t *decoded)
{
	signed char digit_of[256];
	unsigned char *out = must_alloc(size / 4 * 3 + 4);
	size_t		filled = 0;
	size_t		i;
	uint32_t	group = 0;
	int			digits = 0;

	for (i = 0; i < 256; i++)
		digit_of[i] = (signed char) base64_digit((unsigned char) i);
	for (i = 0; i < size && text[i] != '='; i++)
	{
		int			digit = digit_of[(unsigned char) text[i]];

		if (digit < 0)
		{
			if (text[i] == '\n' || text[i] == '\r' || text[i] == ' ')
				continue;
			free(out);
			return false;
		}
		group = group << 6 | (uint32_t) digit;
		if (++digits % 4 == 0)
		{
			out[filled++] = (unsigned char) (group >> 16);
			out[filled++] = (unsigned char) (group >> 8);
			out[filled++] = (unsigned char) group;
		}
	}
	if (digits % 4 == 2)
		out[filled++] = (unsigned char) (group >> 4);
	else if (digits % 4 == 3)
	{
		out[filled++] = (unsigned char) (group >> 10);
		out[filled++] = (unsigned char) (group >> 2);
	}
	if (digits % 4 == 1 || filled == 0)
	{
		free(out);
		return false;
	}
	*bytes = out;
	*decoded = filled;
	return true;
}

uint64_t
mix64(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

int
dice_roll(Dice *dice, int sides)
{
	dice->state = mix64(dice->state);
	return (int) (dice->state % (uint64_t) sides);
}

double
mix_fraction(uint64_t value)
{
	return (double) (mix64(value) >> 11) / 9007199254740992.0;
}
