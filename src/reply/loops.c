/*
 * loops.c
 *	  Degenerate text: a 10-gram that comes again and again, long passages that do, or
 *	  a tail of few different pairs (replies.md, section 1, step 7).
 */
#include "parts.h"

#include <stdlib.h>

#define GRAM 10
#define MIN_OCCURRENCES 4
#define ALL_GRAMS_WEIGHT 0.4	/* half the text in repeated grams is as bad
								 * as a fifth in one */
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

#define HASH_BASE UINT64_C(0x9E3779B97F4A7C15)

/* A polynomial's low bits depend on the characters' low bits only. */
static inline uint64_t
mixed(uint64_t hash)
{
	hash = (hash ^ hash >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
	return hash ^ hash >> 32;
}

/*
 * The text's characters without blanks, and the hash of each GRAM of them in a row.
 * GRAM zeros stand before the first, so that one may always roll out of the hash.
 */
typedef struct Roller
{
	uint32_t   *chars;
	size_t		size;
	uint64_t	polynomial;
	uint64_t	base_to_gram;
} Roller;

static Roller
roller_start(uint32_t *chars)
{
	Roller		roller = {.chars = chars,.base_to_gram = 1};

	for (int i = 0; i < GRAM; i++)
		roller.base_to_gram *= HASH_BASE;
	return roller;
}

/* The hash of the GRAM characters that end with the one at size, which it moves past. */
static inline uint64_t
roll(Roller *r)
{
	const uint32_t *in = r->chars + r->size++;

	r->polynomial = r->polynomial * HASH_BASE + *in - *(in - GRAM) * r->base_to_gram;
	return mixed(r->polynomial);
}

/*
 * Collects the characters, and says how many of the places may end a gram that occurs
 * often enough.  Counts by hash alone, a byte each, so that ordinary text needs no
 * table proper.
 */
static size_t
collect(const Span *spans, int n, uint32_t *chars, size_t *size, unsigned char *tallies, size_t mask)
{
	Roller		r = roller_start(chars);
	size_t		candidates = 0;

	for (int i = 0; i < n; i++)
	{
		const char *end = spans[i].p + spans[i].n;
		int			length;

		for (const char *p = spans[i].p; p < end; p += length)
		{
			uint32_t	c = text_decode(p, end, &length);
			unsigned char *tally;

			if (c <= ' ' || c == 0x3000)
				continue;
			chars[r.size] = c;
			tally = &tallies[roll(&r) & mask];
			if (*tally >= MIN_OCCURRENCES)
				candidates++;
			else if (++*tally == MIN_OCCURRENCES)
				candidates += MIN_OCCURRENCES;
		}
	}
	*size = r.size;
	return candidates;
}

static size_t
slots_for(size_t n)
{
	size_t		slots = 64;

	while (slots < n)
		slots *= 2;
	return slots;
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

/* How much of a text its repetitions cover. */
typedef struct Repetition
{
	size_t		one;			/* characters in the most covering gram */
	size_t		all;			/* in any that occurs often enough */
} Repetition;

static void
count_grams(uint32_t *chars, size_t size, Gram *grams, size_t slots, const unsigned char *tallies,
			size_t mask, Repetition *repetition)
{
	for (Roller r = roller_start(chars); r.size < size;)
	{
		uint64_t	hash = roll(&r);
		Gram	   *gram;
		uint32_t	passed;

		if (tallies[hash & mask] < MIN_OCCURRENCES || r.size < GRAM)
			continue;
		gram = find_gram(grams, slots - 1, hash);
		passed = (uint32_t) r.size - gram->last;
		gram->covered += gram->count > 0 && passed < GRAM ? passed : GRAM;
		gram->count++;
		gram->last = (uint32_t) r.size;
		if (gram->count >= MIN_OCCURRENCES && gram->covered > repetition->one)
			repetition->one = gram->covered;
	}
}

static void
count_covered(uint32_t *chars, size_t size, Gram *grams, size_t slots, const unsigned char *tallies,
			  size_t mask, Repetition *repetition)
{
	size_t		last = 0;

	for (Roller r = roller_start(chars); r.size < size;)
	{
		uint64_t	hash = roll(&r);

		if (tallies[hash & mask] < MIN_OCCURRENCES || r.size < GRAM ||
			find_gram(grams, slots - 1, hash)->count < MIN_OCCURRENCES)
			continue;
		repetition->all += last > 0 && r.size - last < GRAM ? r.size - last : GRAM;
		last = r.size;
	}
}

static Repetition
measure_repetition(uint32_t *chars, size_t size, size_t candidates, const unsigned char *tallies,
				   size_t mask, bool *no_memory)
{
	Repetition	repetition = {0};
	size_t		slots = slots_for(candidates + 1);
	Gram	   *grams = calloc(slots, sizeof(Gram));

	if (grams == NULL)
	{
		*no_memory = true;
		return repetition;
	}
	count_grams(chars, size, grams, slots, tallies, mask, &repetition);
	if (repetition.one > 0)
		count_covered(chars, size, grams, slots, tallies, mask, &repetition);
	free(grams);
	return repetition;
}

/* As a share of the text; a loop of long passages has no gram that covers much. */
static double
loop_share(const Repetition *repetition, size_t size)
{
	double		one = (double) repetition->one;
	double		all = (double) repetition->all * ALL_GRAMS_WEIGHT;

	return size == 0 ? 0 : (one > all ? one : all) / (double) size;
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
	Repetition	repetition = {0};
	size_t		slots;
	size_t		candidates;
	uint32_t   *buffer;
	unsigned char *tallies;

	for (int i = 0; i < n; i++)
		room += spans[i].n;
	/* a Chinese character is three bytes: three to four slots for each */
	slots = slots_for(room);
	buffer = malloc((GRAM + room + 1) * sizeof(uint32_t));
	tallies = calloc(slots, 1);
	if (buffer == NULL || tallies == NULL)
	{
		free(buffer);
		free(tallies);
		*no_memory = true;
		return false;
	}
	memset(buffer, 0, GRAM * sizeof(uint32_t));
	candidates = collect(spans, n, buffer + GRAM, &size, tallies, slots - 1);
	if (candidates > 0)
		repetition = measure_repetition(buffer + GRAM, size, candidates, tallies, slots - 1, no_memory);
	measures->loop_share = loop_share(&repetition, size);
	measures->tail_bigrams = tail_bigrams(buffer + GRAM, size);
	free(buffer);
	free(tallies);
	return (max_share > 0 && measures->loop_share > max_share) ||
		(measures->tail_bigrams >= 0 && measures->tail_bigrams < MIN_TAIL_BIGRAMS);
}
