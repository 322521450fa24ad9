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
#define TAIL_SLOTS 512
#define MIN_TAIL_BIGRAMS 12

typedef struct Gram
{
	uint32_t	tag;			/* high half of the hash */
	uint32_t	count;			/* 0: free */
	uint32_t	last;			/* end of the newest occurrence */
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

#define HASH_BASE UINT64_C(0x9E3779B97F4A7C15)

/* A polynomial's low bits depend on the characters' low bits only. */
static uint64_t
mixed(uint64_t hash)
{
	hash = (hash ^ hash >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
	return hash ^ hash >> 27;
}

static Gram *
find_gram(Gram *grams, size_t mask, uint64_t hash)
{
	uint32_t	tag = (uint32_t) (hash >> 32);
	size_t		slot = hash & mask;

	while (grams[slot].count != 0 && grams[slot].tag != tag)
		slot = (slot + 1) & mask;
	grams[slot].tag = tag;
	return &grams[slot];
}

/* The hashes of one text's grams, in order. */
typedef struct Roller
{
	const uint32_t *chars;
	size_t		size;
	size_t		at;				/* the gram given last ends before this */
	uint64_t	polynomial;
	uint64_t	base_to_gram;
} Roller;

static Roller
roller_start(const uint32_t *chars, size_t size)
{
	Roller		roller = {.chars = chars,.size = size,.base_to_gram = 1};

	for (int i = 0; i < GRAM; i++)
		roller.base_to_gram *= HASH_BASE;
	return roller;
}

static bool
roller_next(Roller *r, uint64_t *hash)
{
	do
	{
		if (r->at == r->size)
			return false;
		r->polynomial = r->polynomial * HASH_BASE + r->chars[r->at] -
			(r->at < GRAM ? 0 : r->chars[r->at - GRAM] * r->base_to_gram);
		r->at++;
	}
	while (r->at < GRAM);
	*hash = mixed(r->polynomial);
	return true;
}

/*
 * How many of the text's places hold a gram that may occur often enough.  Counts by
 * hash alone, a byte each, so that the table proper is small for ordinary text.
 */
static size_t
count_candidates(const uint32_t *chars, size_t size, unsigned char *tallies, size_t mask)
{
	size_t		candidates = 0;
	uint64_t	hash;

	for (Roller r = roller_start(chars, size); roller_next(&r, &hash);)
		tallies[hash & mask] += tallies[hash & mask] < MIN_OCCURRENCES;
	for (Roller r = roller_start(chars, size); roller_next(&r, &hash);)
		candidates += tallies[hash & mask] == MIN_OCCURRENCES;
	return candidates;
}

static size_t
slots_for(size_t n)
{
	size_t		slots = 64;

	while (slots < n * 2)
		slots *= 2;
	return slots;
}

/* Characters covered by the most covering 10-gram that occurs often enough. */
static size_t
most_covered(const uint32_t *chars, size_t size, bool *no_memory)
{
	size_t		tallied = slots_for(size);
	unsigned char *tallies = calloc(tallied, 1);
	size_t		candidates = tallies == NULL ? 1 : count_candidates(chars, size, tallies, tallied - 1);
	size_t		slots = slots_for(candidates);
	Gram	   *grams = candidates == 0 || tallies == NULL ? NULL : calloc(slots, sizeof(Gram));
	size_t		most = 0;
	uint64_t	hash;

	if (grams == NULL)
	{
		*no_memory |= candidates > 0;
		free(tallies);
		return 0;
	}
	for (Roller r = roller_start(chars, size); roller_next(&r, &hash);)
	{
		Gram	   *gram;
		uint32_t	passed;

		if (tallies[hash & (tallied - 1)] < MIN_OCCURRENCES)
			continue;
		gram = find_gram(grams, slots - 1, hash);
		passed = (uint32_t) r.at - gram->last;
		gram->covered += gram->count > 0 && passed < GRAM ? passed : GRAM;
		gram->count++;
		gram->last = (uint32_t) r.at;
		if (gram->count >= MIN_OCCURRENCES && gram->covered > most)
			most = gram->covered;
	}
	free(tallies);
	free(grams);
	return most;
}

static int
tail_bigrams(const uint32_t *chars, size_t size)
{
	uint64_t	seen[TAIL_SLOTS] = {0};
	int			n = 0;

	if (size < TAIL)
		return -1;
	for (size_t i = size - TAIL; i + 1 < size; i++)
	{
		/* never 0: blanks and NUL were not collected */
		uint64_t	pair = (uint64_t) chars[i] << 32 | chars[i + 1];
		size_t		slot = (chars[i] * 31 + chars[i + 1]) % TAIL_SLOTS;

		while (seen[slot] != 0 && seen[slot] != pair)
			slot = (slot + 1) % TAIL_SLOTS;
		n += seen[slot] == 0;
		seen[slot] = pair;
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
