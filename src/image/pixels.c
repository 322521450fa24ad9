/*
 * pixels.c
 *	  Decoded pictures: room for them, resizing, turning.
 */
#include "private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ImageStatus
image_fail(ImageError *error, ImageStatus status, const char *format,...)
{
	va_list		args;

	error->status = status;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return status;
}

bool
pixels_new(Pixels *pixels, int width, int height)
{
	pixels->width = width;
	pixels->height = height;
	pixels->rgb = width <= 0 || height <= 0 ? NULL :
		malloc((size_t) width * (size_t) height * 3);
	return pixels->rgb != NULL;
}

/*
 * For each place along one side of the result: which places of the source make it,
 * with weights that add up to 1 << WEIGHT_BITS.  A box of the ratio's width, or two
 * neighbours where the side grows.
 */
#define WEIGHT_BITS 14

typedef struct Taps
{
	int			most;			/* taps of any place */
	int		   *first;
	int		   *count;
	int		   *weights;		/* most a place */
} Taps;

static void
taps_free(Taps *taps)
{
	free(taps->first);
	free(taps->count);
	free(taps->weights);
}

static bool
taps_new(Taps *taps, int from, int to)
{
	double		ratio = (double) from / to;
	double		support = ratio > 1 ? ratio / 2 : 1;

	taps->most = (int) (support * 2) + 3;
	taps->first = malloc(sizeof(int) * (size_t) to);
	taps->count = malloc(sizeof(int) * (size_t) to);
	taps->weights = calloc((size_t) to * (size_t) taps->most, sizeof(int));
	return taps->first != NULL && taps->count != NULL && taps->weights != NULL;
}

/* Weight of the source place i for a result centred at c: overlap, or a triangle. */
static double
weight_at(int i, double centre, double ratio)
{
	double		low = i;
	double		high = i + 1;
	double		distance;

	if (ratio <= 1)
	{
		distance = i + 0.5 - centre;
		distance = distance < 0 ? -distance : distance;
		return distance < 1 ? 1 - distance : 0;
	}
	if (low < centre - ratio / 2)
		low = centre - ratio / 2;
	if (high > centre + ratio / 2)
		high = centre + ratio / 2;
	return high > low ? high - low : 0;
}

static void
taps_fill(Taps *taps, int from, int to)
{
	double		ratio = (double) from / to;
	double		support = ratio > 1 ? ratio / 2 : 1;

	for (int x = 0; x < to; x++)
	{
		double		centre = (x + 0.5) * ratio;
		int			first = (int) (centre - support);
		int			last = (int) (centre + support);
		int		   *weights = taps->weights + (size_t) x * (size_t) taps->most;
		double		sum = 0;
		int			given = 0;

		first = first < 0 ? 0 : first;
		last = last > from - 1 ? from - 1 : last;
		for (int i = first; i <= last; i++)
			sum += weight_at(i, centre, ratio);
		for (int i = first; i <= last; i++)
		{
			weights[i - first] = (int) (weight_at(i, centre, ratio) / sum * (1 << WEIGHT_BITS));
			given += weights[i - first];
		}
		weights[(last - first) / 2] += (1 << WEIGHT_BITS) - given;
		taps->first[x] = first;
		taps->count[x] = last - first + 1;
	}
}

static void
resize_row(const uint8_t *from, uint8_t *to, int width, const Taps *taps)
{
	for (int x = 0; x < width; x++)
	{
		const uint8_t *p = from + (size_t) taps->first[x] * 3;
		const int  *w = taps->weights + (size_t) x * (size_t) taps->most;
		int			r = 1 << (WEIGHT_BITS - 1);
		int			g = r;
		int			b = r;

		for (int i = 0; i < taps->count[x]; i++, p += 3)
		{
			r += p[0] * w[i];
			g += p[1] * w[i];
			b += p[2] * w[i];
		}
		*to++ = (uint8_t) (r >> WEIGHT_BITS);
		*to++ = (uint8_t) (g >> WEIGHT_BITS);
		*to++ = (uint8_t) (b >> WEIGHT_BITS);
	}
}

/* One row of the result out of rows of the horizontally resized picture. */
static void
blend_rows(const uint8_t *rows, size_t stride, int count, const int *weights, int *sums,
		   uint8_t *to)
{
	for (size_t i = 0; i < stride; i++)
		sums[i] = 1 << (WEIGHT_BITS - 1);
	for (int y = 0; y < count; y++)
		for (size_t i = 0; i < stride; i++)
			sums[i] += rows[(size_t) y * stride + i] * weights[y];
	for (size_t i = 0; i < stride; i++)
		to[i] = (uint8_t) (sums[i] >> WEIGHT_BITS);
}

static ImageStatus
resize_with(const Pixels *from, Pixels *to, const Taps *across, const Taps *down,
			const ImageFit *fit, ImageError *error)
{
	size_t		stride = (size_t) to->width * 3;
	uint8_t    *narrow = malloc(stride * (size_t) from->height);
	int		   *sums = malloc(stride * sizeof(int));
	ImageStatus status = IMAGE_OK;

	if (narrow == NULL || sums == NULL)
	{
		free(narrow);
		free(sums);
		return image_fail(error, IMAGE_NO_MEMORY, "no memory to resize");
	}
	for (int y = 0; status == IMAGE_OK && y < from->height; y++)
	{
		if (y % 32 == 0 && image_stopped(fit))
			status = image_fail(error, IMAGE_STOPPED, "stopped");
		else
			resize_row(from->rgb + (size_t) y * (size_t) from->width * 3,
					   narrow + (size_t) y * stride, to->width, across);
	}
	for (int y = 0; status == IMAGE_OK && y < to->height; y++)
	{
		if (y % 32 == 0 && image_stopped(fit))
			status = image_fail(error, IMAGE_STOPPED, "stopped");
		else
			blend_rows(narrow + (size_t) down->first[y] * stride, stride, down->count[y],
					   down->weights + (size_t) y * (size_t) down->most, sums,
					   to->rgb + (size_t) y * stride);
	}
	free(narrow);
	free(sums);
	return status;
}

ImageStatus
pixels_resize(const Pixels *from, Pixels *to, const ImageFit *fit, ImageError *error)
{
	Taps		across = {0};
	Taps		down = {0};
	ImageStatus status;

	if (taps_new(&across, from->width, to->width) && taps_new(&down, from->height, to->height) &&
		pixels_new(to, to->width, to->height))
	{
		taps_fill(&across, from->width, to->width);
		taps_fill(&down, from->height, to->height);
		status = resize_with(from, to, &across, &down, fit, error);
		if (status != IMAGE_OK)
		{
			free(to->rgb);
			to->rgb = NULL;
		}
	}
	else
		status = image_fail(error, IMAGE_NO_MEMORY, "no memory to resize");
	taps_free(&across);
	taps_free(&down);
	return status;
}

ImageStatus
pixels_orient(Pixels *pixels, int orientation, ImageError *error)
{
	int			w = pixels->width;
	int			h = pixels->height;
	bool		swapped = orientation >= 5;
	Pixels		turned;

	if (orientation <= 1 || orientation > 8)
		return IMAGE_OK;
	if (!pixels_new(&turned, swapped ? h : w, swapped ? w : h))
		return image_fail(error, IMAGE_NO_MEMORY, "no memory to turn the picture");
	for (int y = 0; y < turned.height; y++)
		for (int x = 0; x < turned.width; x++)
		{
			/* where the upright pixel (x, y) was stored: EXIF 2.32, 4.6.4 A */
			int			sx = swapped ? y : x;
			int			sy = swapped ? x : y;

			if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
				sx = w - 1 - sx;
			if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
				sy = h - 1 - sy;
			memcpy(turned.rgb + ((size_t) y * (size_t) turned.width + (size_t) x) * 3,
				   pixels->rgb + ((size_t) sy * (size_t) w + (size_t) sx) * 3, 3);
		}
	free(pixels->rgb);
	*pixels = turned;
	return IMAGE_OK;
}
