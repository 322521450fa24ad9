/*
 * json_scan.c
 *	  Bytes of JSON, many at a time: where a string's plain run ends, and whether a text
 *	  is JSON beyond doubt.
 *
 * json_in() decides what JSON is.  Its lexer handles one byte at a time, which costs as
 * much as everything else that COPY does with a line; so a text that is clearly JSON does
 * not go through it, and any other does, for its verdict and its message.
 */
#include "postgres.h"

#include <ctype.h>

#include "jsonl.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "port/pg_bitutils.h"

#define ALL_BYTES(b) (UINT64CONST(0x0101010101010101) * (b))

/* Of nested arrays and objects; deeper ones are left to json_in(). */
#define MAX_DEPTH 64

/* Whether one of the eight bytes is a control character, a quote or a backslash. */
static bool
has_special(uint64 bytes)
{
	uint64		quote = bytes ^ ALL_BYTES('"');
	uint64		backslash = bytes ^ ALL_BYTES('\\');

	/* the borrow of a byte below reaches only words that have one anyway */
	return (((bytes - ALL_BYTES(' ')) & ~bytes) | ((quote - ALL_BYTES(1)) & ~quote) |
			((backslash - ALL_BYTES(1)) & ~backslash)) & ALL_BYTES(0x80);
}

#ifdef __SSE2__

/* Which of sixteen bytes are such, one bit each from the lowest. */
static uint32
specials(const char *bytes)
{
	__m128i		word = _mm_loadu_si128((const __m128i *) bytes);
	__m128i		control = _mm_cmpeq_epi8(_mm_min_epu8(word, _mm_set1_epi8(' ' - 1)), word);
	__m128i		quote = _mm_cmpeq_epi8(word, _mm_set1_epi8('"'));
	__m128i		backslash = _mm_cmpeq_epi8(word, _mm_set1_epi8('\\'));

	return _mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}

#endif

const char *
json_plain_end(const char *bytes, const char *end)
{
	uint64		word;

#ifdef __SSE2__
	for (; end - bytes >= sizeof(__m128i); bytes += sizeof(__m128i))
	{
		uint32		found = specials(bytes);

		if (found != 0)
			return bytes + pg_rightmost_one_pos32(found);
	}
#endif
	for (; end - bytes >= sizeof(word); bytes += sizeof(word))
	{
		memcpy(&word, bytes, sizeof(word));
		if (has_special(word))
			break;
	}
	while (bytes < end && (unsigned char) *bytes >= ' ' && *bytes != '"' && *bytes != '\\')
		bytes++;
	return bytes;
}

/* Not over a line end. */
static const char *
skip_spaces(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static bool
is_hex4(const char *at)
{
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char) at[i]))
			return false;
	return true;
}

/*
 * The scans of a token return what follows it, NULL where it may not be JSON.  This one
 * begins after the opening quote; a text with escaped surrogates is left to json_in().
 */
static const char *
scan_string(const char *at, const char *end)
{
	while ((at = json_plain_end(at, end)) < end)
	{
		if (*at == '"')
			return at + 1;
		if (*at != '\\' || end - at < 2)
			return NULL;
		if (at[1] == 'n' || at[1] == '"' || at[1] == '\\' ||
			(at[1] != '\0' && strchr("/bfrt", at[1]) != NULL))
			at += 2;
		else if (at[1] == 'u' && end - at >= 6 && is_hex4(at + 2) && at[2] != 'd' && at[2] != 'D')
			at += 6;
		else
			return NULL;
	}
	return NULL;
}

/* No exponents. */
static const char *
scan_number(const char *at, const char *end)
{
	const char *first = *at == '-' ? at + 1 : at;

	at = skip_digits(first, end);
	if (at == first || (*first == '0' && at - first > 1))
		return NULL;
	if (at == end || *at != '.')
		return at;
	first = at + 1;
	at = skip_digits(first, end);
	return at == first ? NULL : at;
}

static const char *
scan_word(const char *at, const char *end)
{
	static const char *const words[] = {"true", "false", "null"};

	for (int i = 0; i < lengthof(words); i++)
		if (end - at >= strlen(words[i]) && memcmp(at, words[i], strlen(words[i])) == 0)
			return at + strlen(words[i]);
	return NULL;
}

/* A key and its colon. */
static const char *
scan_key(const char *at, const char *end)
{
	at = skip_spaces(at, end);
	if (at == end || *at != '"' || (at = scan_string(at + 1, end)) == NULL)
		return NULL;
	at = skip_spaces(at, end);
	return at < end && *at == ':' ? at + 1 : NULL;
}

static const char *
scan_scalar(const char *at, const char *end)
{
	if (*at == '"')
		return scan_string(at + 1, end);
	if (*at == '-' || (*at >= '0' && *at <= '9'))
		return scan_number(at, end);
	return scan_word(at, end);
}

bool
json_is_certain(const char *bytes, size_t length)
{
	const char *end = bytes + length;
	const char *at = bytes;
	uint64		objects = 0;	/* which of those around are objects; the
								 * lowest: the nearest */
	int			depth = 0;

	for (;;)
	{
		/* a value */
		at = skip_spaces(at, end);
		if (at == end)
			return false;
		if (*at == '{' || *at == '[')
		{
			bool		object = *at == '{';

			if (depth++ == MAX_DEPTH)
				return false;
			objects = objects << 1 | object;
			at = skip_spaces(at + 1, end);
			if (at == end)
				return false;
			if (*at != (object ? '}' : ']'))
			{
				if (object && (at = scan_key(at, end)) == NULL)
					return false;
				continue;
			}
		}
		else if ((at = scan_scalar(at, end)) == NULL)
			return false;

		/* what closes after it */
		while (depth > 0 && (at = skip_spaces(at, end)) < end && *at == (objects & 1 ? '}' : ']'))
		{
			objects >>= 1;
			depth--;
			at++;
		}
		if (depth == 0)
			return skip_spaces(at, end) == end;
		if (at == end || *at++ != ',' || (objects & 1 && (at = scan_key(at, end)) == NULL))
			return false;
	}
}
