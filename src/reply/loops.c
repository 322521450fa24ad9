/*
 * loops.c
 *	  Degenerate text: a 10-gram that comes again and again, or a tail of few
 *	  different pairs (replies.md, section 1, step 7).
 */
#include "parts.h"

#include <stdlib.h>

#define GRAM 10
#define MIN_OCCURRENCES 4
#define TAIL 200
#define MIN_TAIL_BIGRAMS 12

typedef struct Gram
{
	uint64_t	hash;			/* 0: free */
	uint32_t	count;
	uint32_t	last;			/* position of the newest occurrence */
	uint32_t	covered;
} Gram;

/* Characters that count: no blanks. */
static size_t
collect(const Span *spans, int n, uint32_t *chars)
{
	size_t		size = 0;

	for (int i = 0; i < n; i++)
	{
		const char *end = spans[i].p + spans[i].n;
		int			length;

		for (const char *p = spans[i].p; p < end; p += length)
		{
			uint32_t	c = text_decode(p, end, &length);

			if (c > ' ' && c != 0x3000)
				chars[size++] = c;
		}
	}
	return size;
}

static uint64_t
hash_of(const uint32_t *chars)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < GRAM; i++)
		hash = (hash ^ chars[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	return hash == 0 ? 1 : hash;
}

/* Characters covered by the most covering 10-gram that occurs often enough. */
static size_t
most_covered(const uint32_t *chars, size_t size, bool *no_memory)
{
	size_t		slots = 64;
	size_t		most = 0;
	Gram	   *grams;

	while (slots < size * 2)
		slots *= 2;
	grams = calloc(slots, sizeof(Gram));
	if (grams == NULL)
	{
		*no_memory = true;
		return 0;
	}
	for (size_t i = 0; i + GRAM <= size; i++)
	{
		uint64_t	hash = hash_of(chars + i);
		size_t		slot = hash & (slots - 1);
		Gram	   *gram;
		uint32_t	fresh;

		while (grams[slot].hash != 0 && grams[slot].hash != hash)
			slot = (slot + 1) & (slots - 1);
		gram = &grams[slot];
		fresh = gram->count > 0 && i - gram->last < GRAM ? (uint32_t) (i - gram->last) : GRAM;
		gram->hash = hash;
		gram->count++;
		gram->last = (uint32_t) i;
		gram->covered += fresh;
		if (gram->count >= MIN_OCCURRENCES && gram->covered > most)
			most = gram->covered;
	}
	free(grams);
	return most;
}

static int
tail_bigrams(const uint32_t *chars, size_t size)
{
	uint64_t	seen[TAIL];
	int			n = 0;

	if (size < TAIL)
		return -1;
	for (size_t i = size - TAIL; i + 1 < size; i++)
	{
		uint64_t	pair = (uint64_t) chars[i] << 32 | chars[i + 1];
		int			j = 0;

		while (j < n && seen[j] != pair)
			j++;
		if (j == n)
			seen[n++] = pair;
	}
	return n;
}

bool
check_degenerate(const Span *spans, int n, double max_share, ReplyMeasures *measures,
				 bool *no_memory)
{
	size_t		room = 0;
	size_t		size;
	uint32_t   *chars;

	for (int i = 0; i < n; i++)
		room += spans[i].n;
	chars = malloc((room + 1) * sizeof(uint32_t));
	if (chars == NULL)
	{
		*no_memory = true;
		return false;
	}
	size = collect(spans, n, chars);
	measures->loop_share = size == 0 ? 0 : (double) most_covered(chars, size, no_memory) / (double) size;
	measures->tail_bigrams = tail_bigrams(chars, size);
	free(chars);
	return (max_share > 0 && measures->loop_share > max_share) ||
		(measures->tail_bigrams >= 0 && measures->tail_bigrams < MIN_TAIL_BIGRAMS);
}
