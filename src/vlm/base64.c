/*
 * base64.c
 *	  Encodes base64 (RFC 4648).
 *
 * Writes 32 or 16 characters at a time where the processor can shuffle bytes (AVX2,
 * SSSE3), else two at a time from a table of 4096 pairs.
 */
#include "base64.h"

#include <pthread.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

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

#ifdef __x86_64__
/*
 * Both functions encode four or eight groups at a time, as many as they can without reading
 * beyond the data, and return how many.  The method is that of W. Mula, D. Lemire, "Faster
 * Base64 Encoding and Decoding Using AVX2 Instructions" (2018), section 3: the bytes
 * b a c b of a group make two 16-bit words that hold all four indices, and the offset from
 * an index to its character depends only on the range that the index is in.
 */
#define SPREAD 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10
#define OFFSETS 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, \
	'0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0

__attribute__((target("ssse3")))
static size_t
encode_groups_ssse3(const uint8_t *data, size_t groups, char *out)
{
	const __m128i spread = _mm_setr_epi8(SPREAD);
	const __m128i offsets = _mm_setr_epi8(OFFSETS);
	size_t		done = 0;

	/* 16 bytes are read, 12 used */
	for (; groups - done >= 6; done += 4)
	{
		__m128i		in = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) (data + done * 3)), spread);
		__m128i		high = _mm_mulhi_epu16(_mm_and_si128(in, _mm_set1_epi32(0x0fc0fc00)),
										   _mm_set1_epi32(0x04000040));
		__m128i		low = _mm_mullo_epi16(_mm_and_si128(in, _mm_set1_epi32(0x003f03f0)),
										  _mm_set1_epi32(0x01000010));
		__m128i		indices = _mm_or_si128(high, low);
		__m128i		range = _mm_subs_epu8(indices, _mm_set1_epi8(51));
		__m128i		capital = _mm_cmpgt_epi8(_mm_set1_epi8(26), indices);

		range = _mm_or_si128(range, _mm_and_si128(capital, _mm_set1_epi8(13)));
		_mm_storeu_si128((__m128i *) (out + done * 4),
						 _mm_add_epi8(_mm_shuffle_epi8(offsets, range), indices));
	}
	return done;
}

__attribute__((target("avx2")))
static size_t
encode_groups_avx2(const uint8_t *data, size_t groups, char *out)
{
	const __m256i spread = _mm256_setr_epi8(SPREAD, SPREAD);
	const __m256i offsets = _mm256_setr_epi8(OFFSETS, OFFSETS);
	size_t		done = 0;

	/* 28 bytes are read, 24 used: 12 in each half */
	for (; groups - done >= 10; done += 8)
	{
		const uint8_t *at = data + done * 3;
		__m256i		in = _mm256_shuffle_epi8(_mm256_loadu2_m128i((const __m128i *) (at + 12),
																 (const __m128i *) at), spread);
		__m256i		high = _mm256_mulhi_epu16(_mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)),
											  _mm256_set1_epi32(0x04000040));
		__m256i		low = _mm256_mullo_epi16(_mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)),
											 _mm256_set1_epi32(0x01000010));
		__m256i		indices = _mm256_or_si256(high, low);
		__m256i		range = _mm256_subs_epu8(indices, _mm256_set1_epi8(51));
		__m256i		capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), indices);

		range = _mm256_or_si256(range, _mm256_and_si256(capital, _mm256_set1_epi8(13)));
		_mm256_storeu_si256((__m256i *) (out + done * 4),
							_mm256_add_epi8(_mm256_shuffle_epi8(offsets, range), indices));
	}
	return done;
}
#endif

/* Encodes whole groups of three bytes. */
static void
encode_groups(const uint8_t *data, size_t groups, char *out)
{
	size_t		done = 0;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		done = encode_groups_avx2(data, groups, out);
	if (__builtin_cpu_supports("ssse3"))
		done += encode_groups_ssse3(data + done * 3, groups - done, out + done * 4);
#endif
	data += done * 3;
	out += done * 4;
	for (size_t i = done; i < groups; i++)
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
