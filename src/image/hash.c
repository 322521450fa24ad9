/*
 * hash.c
 *	  What a picture looks like in 40 bytes, and its colours in 8.
 *
 * Rows are averaged as they come into a grid of 64 x 64 cells, each the exact mean
 * of its area.  Of the grid's discrete cosine transform the lowest frequencies are
 * kept, as one bit each: clearly above their median or not (Zauner, Implementation and
 * Benchmarking of Perceptual Image Hash Functions, 2010).  8 x 8 of them find
 * candidates; pages of one layout with different text agree in those, so 16 x 16
 * decide.  Luma says nothing about colour: the mean chroma of each quarter is kept
 * beside it.
 */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* gcc's -O2 leaves the loops over rows scalar. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize ("O3")
#endif

#define GRID	64
#define LOW		16				/* frequencies that are looked at */
#define COARSE	8

/* Rows whose sum fits 16 bits. */
#define MOST_ROWS 257

/*
 * What compression may do to a frequency: a smooth picture has many that are nothing
 * else, and their bits must not be its hash.
 */
#define NOISE	(1.0 * GRID)

/*
 * A palette of 256 colours does more to the high ones: of a picture of many colours few
 * are left for its levels.  Times the deviation of chroma, or of luma where that is less:
 * pages of text have little of the one, faint ones of the other, and are told apart by
 * what would else be noise.  Measured (test/bench/same_pictures.py).
 */
#define DITHER	10.0

/* A grid that varies less than this, in levels, has nothing to be told by. */
#define MIN_DEVIATION 6.0

/* The sums of a band of rows, one cell high. */
struct Hasher
{
	int			width;
	int			height;
	int			channels;
	bool		ycc;
	size_t		samples;		/* of a row */
	int			y;				/* of the next row */
	int			band;			/* that is being filled */
	int			whole_rows;		/* in whole */
	uint16_t   *whole;			/* sums of rows that lie in the band entirely */
	float	   *sums;			/* of the others' shares, and of whole before */
	float		grid[3][GRID * GRID];	/* Y, Cb and Cr */
};

Hasher *
image_hasher_new(int width, int height, int channels, bool ycc)
{
	Hasher	   *hasher = calloc(1, sizeof(Hasher));

	if (hasher == NULL)
		return NULL;
	hasher->width = width;
	hasher->height = height;
	hasher->channels = channels;
	hasher->ycc = ycc;
	hasher->samples = (size_t) width * (size_t) channels;
	hasher->whole = calloc(hasher->samples, sizeof(uint16_t));
	hasher->sums = calloc(hasher->samples, sizeof(float));
	if (hasher->whole != NULL && hasher->sums != NULL)
		return hasher;
	image_hasher_free(hasher);
	return NULL;
}

void
image_hasher_free(Hasher *hasher)
{
	if (hasher == NULL)
		return;
	free(hasher->whole);
	free(hasher->sums);
	free(hasher);
}

static void
add_whole(uint16_t *restrict whole, const uint8_t *restrict row, size_t samples)
{
	for (size_t i = 0; i < samples; i++)
		whole[i] = (uint16_t) (whole[i] + row[i]);
}

static void
add_share(float *restrict sums, const uint8_t *restrict row, size_t samples, float share)
{
	for (size_t i = 0; i < samples; i++)
		sums[i] += share * row[i];
}

static void
fold_whole(Hasher *hasher)
{
	for (size_t i = 0; i < hasher->samples; i++)
		hasher->sums[i] += hasher->whole[i];
	memset(hasher->whole, 0, hasher->samples * sizeof(uint16_t));
	hasher->whole_rows = 0;
}

/* One channel's mean in the cells of the band. */
static void
mean_cells(const Hasher *hasher, int channel, double *cells)
{
	const float *sums = hasher->sums + channel;
	double		area = (double) hasher->width * hasher->height / (GRID * GRID);

	for (int c = 0; c < GRID; c++)
	{
		/* in 64ths of a column, so that ends are exact */
		int64_t		from = (int64_t) c * hasher->width;
		int64_t		to = from + hasher->width;
		double		sum = 0;

		for (int64_t x = from / GRID; x * GRID < to; x++)
		{
			int64_t		left = x * GRID > from ? x * GRID : from;
			int64_t		right = (x + 1) * GRID < to ? (x + 1) * GRID : to;

			sum += (double) sums[x * hasher->channels] * (double) (right - left) / GRID;
		}
		cells[c] = sum / area;
	}
}

/* The band is full: its cells go to the grid. */
static void
end_band(Hasher *hasher)
{
	double		first[GRID];
	double		second[GRID];
	double		third[GRID];
	float	   *luma = hasher->grid[0] + hasher->band * GRID;
	float	   *cb = hasher->grid[1] + hasher->band * GRID;
	float	   *cr = hasher->grid[2] + hasher->band * GRID;

	fold_whole(hasher);
	mean_cells(hasher, 0, first);
	for (int c = 0; c < GRID; c++)
		luma[c] = (float) first[c];
	if (hasher->channels == 3)
	{
		mean_cells(hasher, 1, second);
		mean_cells(hasher, 2, third);
		for (int c = 0; c < GRID; c++)
		{
			if (!hasher->ycc)
				luma[c] = (float) (0.299 * first[c] + 0.587 * second[c] + 0.114 * third[c]);
			cb[c] = (float) (hasher->ycc ? second[c] : 128 + 0.564 * (third[c] - (double) luma[c]));
			cr[c] = (float) (hasher->ycc ? third[c] : 128 + 0.713 * (first[c] - (double) luma[c]));
		}
	}
	memset(hasher->sums, 0, hasher->samples * sizeof(float));
	hasher->band++;
}

void
image_hasher_push(Hasher *hasher, const uint8_t *row)
{
	/* in 64ths of a row: this one's extent, and the band's end */
	int64_t		from = (int64_t) hasher->y++ * GRID;
	int64_t		to = from + GRID;

	while (from < to && hasher->band < GRID)
	{
		int64_t		end = (int64_t) (hasher->band + 1) * hasher->height;
		int64_t		upto = end < to ? end : to;

		if (upto - from == GRID)
		{
			add_whole(hasher->whole, row, hasher->samples);
			if (++hasher->whole_rows == MOST_ROWS)
				fold_whole(hasher);
		}
		else
			add_share(hasher->sums, row, hasher->samples, (float) (upto - from) / GRID);
		if (upto == end)
			end_band(hasher);
		from = upto;
	}
}

void
image_hasher_add_chroma(Hasher *luma, const Hasher *cb, const Hasher *cr)
{
	memcpy(luma->grid[1], cb->grid[0], sizeof(luma->grid[1]));
	memcpy(luma->grid[2], cr->grid[0], sizeof(luma->grid[2]));
	luma->channels = 3;
}

/* ---- the transform ---- */

/* The lowest LOW x LOW frequencies of the grid (DCT-II). */
static void
transform(const float *grid, double (*low)[LOW])
{
	double		cosines[LOW][GRID];
	double		rows[GRID][LOW];
	const double pi = 3.14159265358979323846;

	for (int u = 0; u < LOW; u++)
		for (int x = 0; x < GRID; x++)
			cosines[u][x] = cos(pi * u * (2 * x + 1) / (2 * GRID));
	for (int y = 0; y < GRID; y++)
		for (int u = 0; u < LOW; u++)
		{
			rows[y][u] = 0;
			for (int x = 0; x < GRID; x++)
				rows[y][u] += (double) grid[y * GRID + x] * cosines[u][x];
		}
	for (int v = 0; v < LOW; v++)
		for (int u = 0; u < LOW; u++)
		{
			low[v][u] = 0;
			for (int y = 0; y < GRID; y++)
				low[v][u] += rows[y][u] * cosines[v][y];
		}
}

static int
compare_doubles(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return *x < *y ? -1 : *x > *y;
}

/*
 * A bit for each of size x size frequencies, set where it is above their median by more
 * than noise; the first in the lowest bit of bits[0].
 */
static void
bits_above_median(double (*low)[LOW], int size, double noise, uint64_t *bits)
{
	double		sorted[LOW * LOW] = {0};
	double		median;
	int			n = size * size;

	for (int i = 0; i < n; i++)
		sorted[i] = low[i / size][i % size];
	qsort(sorted, (size_t) n, sizeof(double), compare_doubles);
	median = (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
	for (int i = 0; i < n; i++)
		bits[i / 64] |= (uint64_t) (low[i / size][i % size] > median + noise) << (i % 64);
}

static double
deviation(const float *grid)
{
	double		sum = 0;
	double		squares = 0;
	const double n = GRID * GRID;

	for (int i = 0; i < GRID * GRID; i++)
	{
		sum += (double) grid[i];
		squares += (double) grid[i] * (double) grid[i];
	}
	return sqrt(fmax(squares / n - sum / n * (sum / n), 0));
}

/* Row y and column x of the upright picture's quarters are stored at these. */
static void
stored_quarter(int orientation, int *y, int *x)
{
	uint8_t		places[4] = {0, 1, 2, 3};
	uint8_t		row[2];

	image_turn_row(places, 2, 2, 1, orientation, *y, row);
	*y = row[*x] / 2;
	*x = row[*x] % 2;
}

static double
quarter_mean(const float *grid, int y, int x)
{
	double		sum = 0;

	for (int i = 0; i < GRID / 2; i++)
		for (int j = 0; j < GRID / 2; j++)
			sum += (double) grid[(y * GRID / 2 + i) * GRID + x * GRID / 2 + j];
	return sum / (GRID * GRID / 4);
}

static void
colours_of(const Hasher *hasher, int orientation, uint8_t *colours)
{
	for (int i = 0; i < IMAGE_COLOURS; i++)
	{
		int			y = i / 4;
		int			x = i / 2 % 2;

		stored_quarter(orientation, &y, &x);
		colours[i] = hasher->channels < 3 ? 128 :
			(uint8_t) (quarter_mean(hasher->grid[1 + i % 2], y, x) + 0.5);
	}
}

static void
turn_grid(const float *grid, int orientation, float *upright)
{
	uint8_t		row[GRID * sizeof(float)];

	for (int y = 0; y < GRID; y++)
	{
		image_turn_row((const uint8_t *) grid, GRID, GRID, sizeof(float), orientation, y, row);
		memcpy(upright + y * GRID, row, sizeof(row));
	}
}

void
image_hasher_finish(const Hasher *hasher, int orientation, ImageHash *hash)
{
	float		upright[GRID * GRID];
	double		low[LOW][LOW];
	double		varies = hasher->band == GRID ? deviation(hasher->grid[0]) : 0;
	double		chroma;

	memset(hash, 0, sizeof(*hash));
	if (varies < MIN_DEVIATION)
		return;
	chroma = hasher->channels < 3 ? 0 :
		hypot(deviation(hasher->grid[1]), deviation(hasher->grid[2]));
	turn_grid(hasher->grid[0], orientation, upright);
	transform(upright, low);
	bits_above_median(low, COARSE, NOISE, &hash->coarse);
	bits_above_median(low, LOW, fmax(NOISE, DITHER * fmin(chroma, varies)), hash->fine);
	colours_of(hasher, orientation, hash->colours);
	hash->known = true;
}

/* ---- distances ---- */

static int
ones(uint64_t bits)
{
	return __builtin_popcountll(bits);
}

int
image_hash_distance(const ImageHash *a, const ImageHash *b)
{
	int			distance = 0;

	for (int i = 0; i < IMAGE_FINE_WORDS; i++)
		distance += ones(a->fine[i] ^ b->fine[i]);
	return distance;
}

bool
image_hash_same(const ImageHash *a, const ImageHash *b)
{
	if (ones(a->coarse ^ b->coarse) > IMAGE_SAME_COARSE ||
		image_hash_distance(a, b) > IMAGE_SAME_FINE)
		return false;
	for (int i = 0; i < IMAGE_COLOURS; i++)
		if (abs(a->colours[i] - b->colours[i]) > IMAGE_SAME_COLOUR)
			return false;
	return true;
}
