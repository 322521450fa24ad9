/*
 * resize.c
 *	  Another size, row by row.
 *
 * Separable: each row that comes is added, weighted, to the few rows of the result
 * it belongs to; a row of the result that is complete is then narrowed.  So only
 * those few rows are in memory.  Where a side shrinks the weights are Hamming's
 * window on a sinc, twice the ratio wide: as cheap as a triangle and nearly as
 * sharp as a cubic, and never negative.  Where it grows they are a triangle.
 */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* gcc's -O2 leaves the loops of this file scalar; they are a third of the work. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize ("O3")
#endif

#define WEIGHT_BITS		14		/* weights of a place add up to 1 << 14 */
#define SAMPLE_BITS		6		/* what the rows between keep below a sample's
								 * unit */
#define PAD				8		/* samples that may be read behind a row */

/* For each place of the result the places it is made of, and how much of each. */
typedef struct Taps
{
	int			most;			/* weights of a place, an even number */
	int		   *first;
	int		   *count;			/* of weights that are not padding */
	int16_t    *weights;		/* most a place, padded with 0 */
} Taps;

/* A row of the result that is being gathered. */
typedef struct Gathered
{
	int32_t    *sums;
	bool		begun;
} Gathered;

struct Resizer
{
	int			width;
	int			height;
	int			to_width;
	int			to_height;
	int			channels;
	Taps		across;
	Taps		down;
	Gathered   *ring;			/* row y is gathered in ring[y % ring_size] */
	int			ring_size;
	int16_t    *between;		/* a row as wide as the source */
	uint8_t    *out;
	int			next_in;
	int			next_out;
	RowSink		sink;
	void	   *sink_arg;
};

/* ---- weights ---- */

static double
weight_at(double x, bool shrinks)
{
	const double pi = 3.14159265358979323846;

	x = fabs(x);
	if (x >= 1)
		return 0;
	if (!shrinks)
		return 1 - x;
	return x < 1e-9 ? 1 : sin(pi * x) / (pi * x) * (0.54 + 0.46 * cos(pi * x));
}

/* Weights of one place; rounding is carried on, so that the sum is exact. */
static void
fill_place(Taps *taps, int place, int from, double ratio, double support)
{
	double		centre = (place + 0.5) * ratio;
	int			first = (int) fmax(0, floor(centre - support + 0.5));
	int			end = (int) fmin(from, floor(centre + support + 0.5));
	int16_t    *weights = taps->weights + (size_t) place * (size_t) taps->most;
	double		sum = 0;
	double		so_far = 0;
	int			given = 0;

	if (end <= first)
		end = first + 1;
	for (int i = first; i < end; i++)
		sum += weight_at((i + 0.5 - centre) / support, ratio > 1);
	for (int i = first; i < end; i++)
	{
		int			upto;

		so_far += weight_at((i + 0.5 - centre) / support, ratio > 1);
		upto = (int) (so_far / sum * (1 << WEIGHT_BITS) + 0.5);
		weights[i - first] = (int16_t) (upto - given);
		given = upto;
	}
	taps->first[place] = first;
	taps->count[place] = end - first;
}

static bool
taps_new(Taps *taps, int from, int to)
{
	double		ratio = (double) from / to;
	double		support = ratio > 1 ? ratio : 1;

	taps->most = ((int) ceil(support * 2) + 3) & ~1;
	taps->first = malloc((size_t) to * sizeof(int));
	taps->count = malloc((size_t) to * sizeof(int));
	taps->weights = calloc((size_t) to * (size_t) taps->most, sizeof(int16_t));
	if (taps->first == NULL || taps->count == NULL || taps->weights == NULL)
		return false;
	for (int place = 0; place < to; place++)
		fill_place(taps, place, from, ratio, support);
	return true;
}

static void
taps_free(Taps *taps)
{
	free(taps->first);
	free(taps->count);
	free(taps->weights);
}

/* The most places that one row of the source belongs to. */
static int
most_at_once(const Taps *taps, int to)
{
	int			most = 1;
	int			oldest = 0;

	for (int place = 0; place < to; place++)
	{
		while (oldest < place &&
			   taps->first[oldest] + taps->count[oldest] <= taps->first[place])
			oldest++;
		if (place - oldest + 1 > most)
			most = place - oldest + 1;
	}
	return most;
}

/* ---- down: rows to fewer rows ---- */

static void
add_row(Gathered *gathered, const uint8_t *restrict row, size_t samples, int weight)
{
	int32_t    *restrict sums = gathered->sums;

	if (gathered->begun)
		for (size_t i = 0; i < samples; i++)
			sums[i] += row[i] * weight;
	else
		for (size_t i = 0; i < samples; i++)
			sums[i] = row[i] * weight;
	gathered->begun = true;
}

static void
end_row(Gathered *gathered, int16_t *restrict between, size_t samples)
{
	const int32_t *restrict sums = gathered->sums;
	const int	shift = WEIGHT_BITS - SAMPLE_BITS;

	for (size_t i = 0; i < samples; i++)
		between[i] = (int16_t) ((sums[i] + (1 << (shift - 1))) >> shift);
	gathered->begun = false;
}

/* ---- across: a row to a narrower one ---- */

#define ACROSS_SHIFT	(WEIGHT_BITS + SAMPLE_BITS)
#define ACROSS_HALF		(1 << (ACROSS_SHIFT - 1))

static void
narrow_grey(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	for (int x = 0; x < width; x++)
	{
		const int16_t *p = between + taps->first[x];
		const int16_t *w = taps->weights + (size_t) x * (size_t) taps->most;
		int32_t		sum = ACROSS_HALF;

		for (int i = 0; i < taps->count[x]; i++)
			sum += p[i] * w[i];
		out[x] = (uint8_t) (sum >> ACROSS_SHIFT);
	}
}

#if defined(__SSE2__)

/*
 * Two places of the source at a time: their samples r0 r1 g0 g1 b0 b1 and the two
 * weights, multiplied and added in pairs.  Reads up to PAD samples behind the row
 * (the weights there are 0) and writes one byte behind each pixel.
 */
static void
narrow_colour(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	for (int x = 0; x < width; x++, out += 3)
	{
		const int16_t *p = between + (size_t) taps->first[x] * 3;
		const int16_t *w = taps->weights + (size_t) x * (size_t) taps->most;
		__m128i		sum = _mm_set1_epi32(ACROSS_HALF);
		int32_t		pixel;

		for (int i = 0; i < taps->count[x]; i += 2, p += 6)
		{
			int32_t		pair;
			__m128i		samples = _mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i *) p),
													 _mm_loadl_epi64((const __m128i *) (p + 3)));

			memcpy(&pair, w + i, sizeof(pair));
			sum = _mm_add_epi32(sum, _mm_madd_epi16(samples, _mm_set1_epi32(pair)));
		}
		sum = _mm_srai_epi32(sum, ACROSS_SHIFT);
		sum = _mm_packs_epi32(sum, sum);
		pixel = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
		memcpy(out, &pixel, sizeof(pixel));
	}
}

#else

static void
narrow_colour(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	for (int x = 0; x < width; x++, out += 3)
	{
		const int16_t *p = between + (size_t) taps->first[x] * 3;
		const int16_t *w = taps->weights + (size_t) x * (size_t) taps->most;
		int32_t		sums[3] = {ACROSS_HALF, ACROSS_HALF, ACROSS_HALF};

		for (int i = 0; i < taps->count[x]; i++, p += 3)
			for (int c = 0; c < 3; c++)
				sums[c] += p[c] * w[i];
		for (int c = 0; c < 3; c++)
			out[c] = (uint8_t) (sums[c] >> ACROSS_SHIFT);
	}
}

#endif

/* ---- the whole ---- */

void
image_resizer_free(Resizer *resizer)
{
	if (resizer == NULL)
		return;
	taps_free(&resizer->across);
	taps_free(&resizer->down);
	if (resizer->ring != NULL)
		for (int i = 0; i < resizer->ring_size; i++)
			free(resizer->ring[i].sums);
	free(resizer->ring);
	free(resizer->between);
	free(resizer->out);
	free(resizer);
}

static bool
make_room(Resizer *resizer)
{
	size_t		channels = (size_t) resizer->channels;
	size_t		samples = (size_t) resizer->width * channels;

	if (!taps_new(&resizer->across, resizer->width, resizer->to_width) ||
		!taps_new(&resizer->down, resizer->height, resizer->to_height))
		return false;
	resizer->ring_size = most_at_once(&resizer->down, resizer->to_height);
	resizer->ring = calloc((size_t) resizer->ring_size, sizeof(Gathered));
	resizer->between = calloc(samples + PAD, sizeof(int16_t));
	resizer->out = malloc((size_t) resizer->to_width * channels + PAD);
	if (resizer->ring == NULL || resizer->between == NULL || resizer->out == NULL)
		return false;
	for (int i = 0; i < resizer->ring_size; i++)
	{
		resizer->ring[i].sums = malloc(samples * sizeof(int32_t));
		if (resizer->ring[i].sums == NULL)
			return false;
	}
	return true;
}

Resizer *
image_resizer_new(int width, int height, int to_width, int to_height, int channels,
				  RowSink sink, void *sink_arg)
{
	Resizer    *resizer = calloc(1, sizeof(Resizer));

	if (resizer == NULL)
		return NULL;
	resizer->width = width;
	resizer->height = height;
	resizer->to_width = to_width;
	resizer->to_height = to_height;
	resizer->channels = channels;
	resizer->sink = sink;
	resizer->sink_arg = sink_arg;
	if (make_room(resizer))
		return resizer;
	image_resizer_free(resizer);
	return NULL;
}

/* Narrows and hands on the row that is complete. */
static ImageStatus
put_row(Resizer *resizer, ImageError *error)
{
	Gathered   *gathered = &resizer->ring[resizer->next_out % resizer->ring_size];

	end_row(gathered, resizer->between, (size_t) resizer->width * (size_t) resizer->channels);
	if (resizer->channels == 1)
		narrow_grey(&resizer->across, resizer->between, resizer->out, resizer->to_width);
	else
		narrow_colour(&resizer->across, resizer->between, resizer->out, resizer->to_width);
	resizer->next_out++;
	return resizer->sink(resizer->sink_arg, resizer->out, error);
}

ImageStatus
image_resizer_push(Resizer *resizer, const uint8_t *row, ImageError *error)
{
	const Taps *down = &resizer->down;
	size_t		samples = (size_t) resizer->width * (size_t) resizer->channels;
	int			in = resizer->next_in++;

	for (int y = resizer->next_out; y < resizer->to_height && down->first[y] <= in; y++)
		if (in < down->first[y] + down->count[y])
			add_row(&resizer->ring[y % resizer->ring_size], row, samples,
					down->weights[(size_t) y * (size_t) down->most +
								  (size_t) (in - down->first[y])]);
	while (resizer->next_out < resizer->to_height &&
		   down->first[resizer->next_out] + down->count[resizer->next_out] == in + 1)
	{
		ImageStatus status = put_row(resizer, error);

		if (status != IMAGE_OK)
			return status;
	}
	return IMAGE_OK;
}
