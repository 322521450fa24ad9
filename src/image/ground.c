/*
 * ground.c
 *	  What a transparent picture is laid on, and whether anything is to be seen at all.
 *
 * White is what pages are made of.  A light drawing would vanish on it, and the model
 * would be paid for looking at nothing: then the ground is dark grey.  Which it is shows
 * only when all pixels have been read, so a picture is read on white first.
 */
#include "private.h"

#include <string.h>

/* gcc's -O2 leaves the loop over samples scalar. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#pragma GCC optimize ("O3")
#endif

/* Opaque pixels that are too few to be anything: counters, fillers. */
#define BARE_PIXELS		16

/* The part of the drawing that may be dark and still be missed: outlines are more. */
#define LIGHT_PERCENT	98

/* Levels that the compression of an even area makes of one. */
#define BLANK_SPAN		4

void
image_flatten(const uint8_t *from, uint8_t *to, size_t pixels, int colours, Ground *ground)
{
	unsigned	level = ground->level;
	int64_t		cover = 0;
	int64_t		light = 0;

	for (size_t i = 0; i < pixels; i++, from += colours + 1, to += colours)
	{
		unsigned	alpha = from[colours];

		cover += alpha;
		if (image_is_light(from[0], from[colours / 2], from[colours - 1]))
			light += alpha;
		for (int c = 0; c < colours; c++)
			to[c] = (uint8_t) ((from[c] * alpha + level * (255 - alpha) + 127) / 255);
	}
	ground->cover += cover;
	ground->light_cover += light;
	if (cover < (int64_t) pixels * 255)
		ground->shows = true;
}

bool
image_ground_is_bare(const Ground *ground)
{
	return ground->shows && ground->cover < BARE_PIXELS * 255;
}

bool
image_ground_hides(const Ground *ground)
{
	return ground->shows && ground->light_cover * 100 >= ground->cover * LIGHT_PERCENT;
}

/* ---- blank pictures ---- */

void
image_spans_begin(Spans *spans, int channels)
{
	spans->channels = channels;
	spans->varied = false;
	memset(spans->low, 255, sizeof(spans->low));
	memset(spans->high, 0, sizeof(spans->high));
}

/* Samples of one channel stand at every so many. */
static bool
spans_vary(const Spans *spans)
{
	for (int c = 0; c < spans->channels; c++)
	{
		int			low = 255;
		int			high = 0;

		for (int i = c; i < SPAN_LANES; i += spans->channels)
		{
			low = spans->low[i] < low ? spans->low[i] : low;
			high = spans->high[i] > high ? spans->high[i] : high;
		}
		if (high - low > BLANK_SPAN)
			return true;
	}
	return false;
}

void
image_spans_push(Spans *spans, const uint8_t *row, size_t samples)
{
	size_t		at = 0;

	if (spans->varied)
		return;
	for (; samples - at >= SPAN_LANES; at += SPAN_LANES)
		for (int i = 0; i < SPAN_LANES; i++)
		{
			uint8_t		sample = row[at + (size_t) i];

			spans->low[i] = sample < spans->low[i] ? sample : spans->low[i];
			spans->high[i] = sample > spans->high[i] ? sample : spans->high[i];
		}
	for (size_t i = 0; at < samples; i++, at++)
	{
		spans->low[i] = row[at] < spans->low[i] ? row[at] : spans->low[i];
		spans->high[i] = row[at] > spans->high[i] ? row[at] : spans->high[i];
	}
	spans->varied = spans_vary(spans);
}
