/*
 * resize.c
 *	  Another size, row by row.
 *
 * Separable: the last rows that came are kept until the row of the result that is
 * made of them is complete; it is summed down and then narrowed.  So only those few
 * rows are in memory.  Where a side shrinks the weights are a cubic, four times the
 * ratio wide, which keeps text as sharp as a Lanczos window does, or for chroma, which
 * nobody sees so finely, Hamming's window on a sinc, half as wide.  Where a side grows
 * they are a triangle.
 */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* gcc's -O2 leaves the plain loops of this file scalar. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize ("O3")
#endif

#define WEIGHT_BITS		14		/* weights of a place add up to 1 << 14 */
#define SAMPLE_BITS		6		/* what the rows between keep below a sample's
								 * unit */
#define PAD				16		/* samples that may be touched behind a row */

/* For each place of the result the places it is made of, and how much of each. */
typedef struct Taps
{
	int			most;			/* weights of a place, a multiple of 8 */
	int		   *first;
	int		   *count;			/* of weights that are not padding */
	int16_t    *weights;		/* most a place, padded with 0 */
	double	   *exact;			/* a place's, before they are rounded */
	double		reach;			/* places to either side of a centre */
} Taps;

struct Resizer
{
	int			width;
	int			height;
	int			to_width;
	int			to_height;
	int			channels;
	Taps		across;
	Taps		down;
	uint8_t   **ring;			/* row y of the source is ring[y % ring_size] */
	int			ring_size;
	const uint8_t **rows;		/* those that the next row is made of */
	int16_t    *between;		/* a row as wide as the source */
	uint8_t    *out;
	int			next_in;
	int			next_out;
	RowSink		sink;
	void	   *sink_arg;
};

/* ---- weights ---- */

/* Half the places that are looked at, in places of the result. */
#define SHARP_REACH	2
#define SOFT_REACH	1

/*
 * Keys' cubic (Cubic convolution interpolation, 1981) with a = -3/4, or Hamming's
 * window on a sinc; x in places of the result.
 */
static double
weight_at(double x, bool sharp)
{
	const double pi = 3.14159265358979323846;
	const double a = -0.75;

	x = fabs(x);
	if (sharp && x < 1)
		return ((a + 2) * x - (a + 3)) * x * x + 1;
	if (sharp)
		return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
	if (x >= 1)
		return 0;
	return x < 1e-9 ? 1 : sin(pi * x) / (pi * x) * (0.54 + 0.46 * cos(pi * x));
}

static double
triangle_at(double x)
{
	return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* Weights of one place; rounding is carried on, so that the sum is exact. */
static void
fill_place(Taps *taps, int place, int from, double ratio, bool sharp)
{
	double		scale = ratio > 1 ? ratio : 1;
	double		reach = taps->reach;
	double		centre = (place + 0.5) * ratio;
	int			first = (int) fmin(from - 1, fmax(0, floor(centre - reach + 0.5)));
	int			end = (int) fmin(from, floor(centre + reach + 0.5));
	int16_t    *weights = taps->weights + (size_t) place * (size_t) taps->most;
	double		sum = 0;
	double		so_far = 0;
	int			given = 0;

	if (end <= first)
		end = first + 1;
	for (int i = first; i < end; i++)
	{
		double		x = (i + 0.5 - centre) / scale;

		taps->exact[i - first] = ratio > 1 ? weight_at(x, sharp) : triangle_at(x);
		sum += taps->exact[i - first];
	}
	for (int i = first; i < end; i++)
	{
		int			upto;

		so_far += taps->exact[i - first];
		upto = (int) floor(so_far / sum * (1 << WEIGHT_BITS) + 0.5);
		weights[i - first] = (int16_t) (upto - given);
		given = upto;
	}
	taps->first[place] = first;
	taps->count[place] = end - first;
}

/* ratio: places of the source that one of the result covers. */
static bool
taps_new(Taps *taps, int from, int to, double ratio, bool sharp)
{
	taps->reach = ratio > 1 ? ratio * (sharp ? SHARP_REACH : SOFT_REACH) : 1;
	taps->most = ((int) ceil(taps->reach * 2) + 8) & ~7;
	/* four places are read at a time */
	taps->first = calloc((size_t) to + 3, sizeof(int));
	taps->count = calloc((size_t) to + 3, sizeof(int));
	taps->weights = calloc(((size_t) to + 3) * (size_t) taps->most, sizeof(int16_t));
	taps->exact = malloc((size_t) taps->most * sizeof(double));
	if (taps->first == NULL || taps->count == NULL || taps->weights == NULL ||
		taps->exact == NULL)
		return false;
	for (int place = 0; place < to; place++)
		fill_place(taps, place, from, ratio, sharp);
	return true;
}

static void
taps_free(Taps *taps)
{
	free(taps->first);
	free(taps->count);
	free(taps->weights);
	free(taps->exact);
}

/* ---- down: rows to one row; across: a row to a narrower one ---- */

#define DOWN_SHIFT		(WEIGHT_BITS - SAMPLE_BITS)
#define DOWN_HALF		(1 << (DOWN_SHIFT - 1))
#define ACROSS_SHIFT	(WEIGHT_BITS + SAMPLE_BITS)
#define ACROSS_HALF		(1 << (ACROSS_SHIFT - 1))

#if defined(__SSE2__)

static __m128i
pair_of(const int16_t *weights)
{
	int32_t		pair;

	memcpy(&pair, weights, sizeof(pair));
	return _mm_set1_epi32(pair);
}

/*
 * Two rows at a time: their samples a0 b0 a1 b1 ... and the two weights, multiplied
 * and added in pairs.  Touches up to PAD samples behind the rows.
 */
static void
add_down(const uint8_t *const *rows, const int16_t *weights, int count, int16_t *between,
		 size_t samples)
{
	const __m128i zero = _mm_setzero_si128();

	for (size_t x = 0; x < samples; x += 16)
	{
		__m128i		sums[4];

		for (int i = 0; i < 4; i++)
			sums[i] = _mm_set1_epi32(DOWN_HALF);
		for (int i = 0; i < count; i += 2)
		{
			const uint8_t *second = rows[i + 1 < count ? i + 1 : i];
			__m128i		a = _mm_loadu_si128((const __m128i *) (rows[i] + x));
			__m128i		b = _mm_loadu_si128((const __m128i *) (second + x));
			__m128i		low = _mm_unpacklo_epi8(a, b);
			__m128i		high = _mm_unpackhi_epi8(a, b);
			__m128i		pair = pair_of(weights + i);

			sums[0] = _mm_add_epi32(sums[0], _mm_madd_epi16(_mm_unpacklo_epi8(low, zero), pair));
			sums[1] = _mm_add_epi32(sums[1], _mm_madd_epi16(_mm_unpackhi_epi8(low, zero), pair));
			sums[2] = _mm_add_epi32(sums[2], _mm_madd_epi16(_mm_unpacklo_epi8(high, zero), pair));
			sums[3] = _mm_add_epi32(sums[3], _mm_madd_epi16(_mm_unpackhi_epi8(high, zero), pair));
		}
		for (int i = 0; i < 4; i += 2)
			_mm_storeu_si128((__m128i *) (between + x + 4 * i),
							 _mm_packs_epi32(_mm_srai_epi32(sums[i], DOWN_SHIFT),
											 _mm_srai_epi32(sums[i + 1], DOWN_SHIFT)));
	}
}

/* Eight weights of a place at a time, in pairs. */
static __m128i
sum_place(const int16_t *samples, const int16_t *weights, int most)
{
	__m128i		sum = _mm_setzero_si128();

	for (int i = 0; i < most; i += 8)
		sum = _mm_add_epi32(sum, _mm_madd_epi16(_mm_loadu_si128((const __m128i *) (samples + i)),
												_mm_loadu_si128((const __m128i *) (weights + i))));
	return sum;
}

/* a0 + a2, b0 + b2, a1 + a3, b1 + b3 */
static __m128i
fold(__m128i a, __m128i b)
{
	return _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
}

/*
 * Four places of the result at a time.  Reads most samples of each, also behind the
 * row, where the weights are 0; writes up to three places behind the result.
 */
static inline void
narrow_by_fours(const Taps *taps, int most, const int16_t *between, uint8_t *out, int width)
{
	for (int x = 0; x < width; x += 4)
	{
		const int16_t *w = taps->weights + (size_t) x * (size_t) most;
		const int  *first = taps->first + x;
		__m128i		ab = fold(sum_place(between + first[0], w, most),
							  sum_place(between + first[1], w + most, most));
		__m128i		cd = fold(sum_place(between + first[2], w + 2 * most, most),
							  sum_place(between + first[3], w + 3 * most, most));
		__m128i		sum = _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
		int32_t		pixels;

		sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(ACROSS_HALF)), ACROSS_SHIFT);
		sum = _mm_packs_epi32(sum, sum);
		pixels = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
		memcpy(out + x, &pixels, sizeof(pixels));
	}
}

static void
narrow_grey(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	/* the usual number as a constant, for the compiler */
	if (taps->most == 8)
		narrow_by_fours(taps, 8, between, out, width);
	else
		narrow_by_fours(taps, taps->most, between, out, width);
}

/*
 * Two places of the source at a time: their samples r0 r1 g0 g1 b0 b1 and the two
 * weights.  Writes one byte behind each pixel.
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
			__m128i		samples = _mm_unpacklo_epi16(_mm_loadl_epi64((const __m128i *) p),
													 _mm_loadl_epi64((const __m128i *) (p + 3)));

			sum = _mm_add_epi32(sum, _mm_madd_epi16(samples, pair_of(w + i)));
		}
		sum = _mm_srai_epi32(sum, ACROSS_SHIFT);
		sum = _mm_packs_epi32(sum, sum);
		pixel = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
		memcpy(out, &pixel, sizeof(pixel));
	}
}

#else

static void
add_down(const uint8_t *const *rows, const int16_t *weights, int count, int16_t *between,
		 size_t samples)
{
	enum
	{
		PIECE = 64
	};

	for (size_t from = 0; from < samples; from += PIECE)
	{
		size_t		n = samples - from < PIECE ? samples - from : PIECE;
		int32_t		sums[PIECE];

		for (size_t x = 0; x < n; x++)
			sums[x] = DOWN_HALF;
		for (int i = 0; i < count; i++)
			for (size_t x = 0; x < n; x++)
				sums[x] += rows[i][from + x] * weights[i];
		for (size_t x = 0; x < n; x++)
			between[from + x] = (int16_t) (sums[x] >> DOWN_SHIFT);
	}
}

/* Each place of the result for one channel of several. */
static void
narrow(const Taps *taps, const int16_t *between, uint8_t *out, int width, int channels)
{
	for (int x = 0; x < width; x++)
		for (int c = 0; c < channels; c++)
		{
			const int16_t *p = between + (size_t) (taps->first[x] * channels + c);
			const int16_t *w = taps->weights + (size_t) x * (size_t) taps->most;
			int32_t		sum = ACROSS_HALF;

			for (int i = 0; i < taps->count[x]; i++)
				sum += p[i * channels] * w[i];
			sum >>= ACROSS_SHIFT;
			*out++ = (uint8_t) (sum < 0 ? 0 : sum > 255 ? 255 : sum);
		}
}

static void
narrow_grey(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	narrow(taps, between, out, width, 1);
}

static void
narrow_colour(const Taps *taps, const int16_t *between, uint8_t *out, int width)
{
	narrow(taps, between, out, width, 3);
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
			free(resizer->ring[i]);
	free(resizer->ring);
	free(resizer->rows);
	free(resizer->between);
	free(resizer->out);
	free(resizer);
}

static bool
make_room(Resizer *resizer, double across, double down, bool sharp)
{
	size_t		channels = (size_t) resizer->channels;
	size_t		samples = (size_t) resizer->width * channels;

	if (!taps_new(&resizer->across, resizer->width, resizer->to_width, across, sharp) ||
		!taps_new(&resizer->down, resizer->height, resizer->to_height, down, sharp))
		return false;
	for (int y = 0; y < resizer->to_height; y++)
		if (resizer->down.count[y] > resizer->ring_size)
			resizer->ring_size = resizer->down.count[y];
	resizer->ring = calloc((size_t) resizer->ring_size, sizeof(uint8_t *));
	resizer->rows = calloc((size_t) resizer->ring_size, sizeof(uint8_t *));
	resizer->between = calloc(samples + PAD + (size_t) resizer->across.most, sizeof(int16_t));
	resizer->out = malloc((size_t) resizer->to_width * channels + PAD);
	if (resizer->ring == NULL || resizer->rows == NULL || resizer->between == NULL ||
		resizer->out == NULL)
		return false;
	for (int i = 0; i < resizer->ring_size; i++)
	{
		resizer->ring[i] = calloc(samples + PAD, 1);
		if (resizer->ring[i] == NULL)
			return false;
	}
	return true;
}

Resizer *
image_resizer_new(int width, int height, int to_width, int to_height, double across,
				  double down, int channels, bool sharp, RowSink sink, void *sink_arg)
{
	Resizer    *resizer = calloc(1, sizeof(Resizer));

	if (resizer == NULL)
		return NULL;
	resizer->width = width;
	resizer->height = height;
	resizer->to_width = to_width;
	resizer->to_height = to_height;
	resizer->channels = channels;
	resizer->ring_size = 1;
	resizer->sink = sink;
	resizer->sink_arg = sink_arg;
	if (make_room(resizer, across, down, sharp))
		return resizer;
	image_resizer_free(resizer);
	return NULL;
}

/* Makes and hands on the row whose rows are all there. */
static ImageStatus
put_row(Resizer *resizer, ImageError *error)
{
	const Taps *down = &resizer->down;
	int			y = resizer->next_out++;

	for (int i = 0; i < down->count[y]; i++)
		resizer->rows[i] = resizer->ring[(down->first[y] + i) % resizer->ring_size];
	add_down(resizer->rows, down->weights + (size_t) y * (size_t) down->most, down->count[y],
			 resizer->between, (size_t) resizer->width * (size_t) resizer->channels);
	if (resizer->channels == 1)
		narrow_grey(&resizer->across, resizer->between, resizer->out, resizer->to_width);
	else
		narrow_colour(&resizer->across, resizer->between, resizer->out, resizer->to_width);
	return resizer->sink(resizer->sink_arg, resizer->out, error);
}

ImageStatus
image_resizer_push(Resizer *resizer, const uint8_t *row, ImageError *error)
{
	const Taps *down = &resizer->down;
	int			in = resizer->next_in++;

	memcpy(resizer->ring[in % resizer->ring_size], row,
		   (size_t) resizer->width * (size_t) resizer->channels);
	while (resizer->next_out < resizer->to_height &&
		   down->first[resizer->next_out] + down->count[resizer->next_out] == in + 1)
	{
		ImageStatus status = put_row(resizer, error);

		if (status != IMAGE_OK)
			return status;
	}
	return IMAGE_OK;
}
