/*
 * fingerprint.c
 *	  A number for what was said, the same for whoever says it of another request.
 *
 * Errors name their request, the time, sizes and limits.  So words that hold a digit
 * are left out, and words that are an id without one: behind "id", hexadecimal, or longer
 * than any word.  What is left out too often only makes two texts one, which takes
 * sixteen pictures in a row to matter.
 */
#include "fingerprint.h"

#include <stdbool.h>
#include <string.h>

/* FNV-1a, 64 bits. */
#define BASIS UINT64_C(0xcbf29ce484222325)
#define PRIME UINT64_C(0x100000001b3)

#define SHORTEST_HEX 8
#define LONGEST_WORD 24

static uint64_t
add(uint64_t hash, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char) bytes[i]) * PRIME;
	return hash;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_of_word(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-';
}

static bool
is_word(const char *word, size_t size, const char *other)
{
	return strlen(other) == size && memcmp(word, other, size) == 0;
}

/* Whether an id follows this word. */
static bool
names_id(const char *word, size_t size)
{
	static const char *const names[] = {"id", "requestid", "traceid", "logid", "sessionid", NULL};

	for (const char *const *name = names; *name != NULL; name++)
		if (is_word(word, size, *name))
			return true;
	return size > 3 && memcmp(word + size - 2, "id", 2) == 0 && strchr("_-", word[size - 3]) != NULL;
}

/* Whether it stands for this request only. */
static bool
is_id(const char *word, size_t size)
{
	bool		hexadecimal = size >= SHORTEST_HEX;

	if (size > LONGEST_WORD)
		return true;
	for (size_t i = 0; i < size; i++)
	{
		if (is_digit(word[i]))
			return true;
		hexadecimal &= (word[i] >= 'a' && word[i] <= 'f') || word[i] == '-';
	}
	return hexadecimal;
}

/* A full-width digit is three bytes, EF BC 90 to 99. */
static bool
is_wide_digit(const char *p, const char *end)
{
	return end - p >= 3 && memcmp(p, "\xef\xbc", 2) == 0 &&
		(unsigned char) p[2] >= 0x90 && (unsigned char) p[2] <= 0x99;
}

uint64_t
fingerprint(int under, const char *text, size_t size)
{
	const char *end = text + size;
	uint64_t	hash = (BASIS ^ (uint64_t) under) * PRIME;
	bool		id_follows = false;

	for (const char *p = text; p < end;)
	{
		const char *word = p;

		while (p < end && is_of_word(*p))
			p++;
		if (p > word)
		{
			if (!id_follows && !is_id(word, (size_t) (p - word)))
				hash = add(add(hash, " ", 1), word, (size_t) (p - word));
			id_follows = names_id(word, (size_t) (p - word));
		}
		else if (is_wide_digit(p, end))
			p += 3;
		else if ((*p++ & 0x80) != 0)
			hash = add(hash, word, 1);
	}
	return hash == 0 ? 1 : hash;
}
