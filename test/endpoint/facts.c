/*
 * facts.c
 *	  What can be told of an image for sure: colours and where they are, light and
 *	  dark, busy and calm.  look.h says how the main colour is found.
 */
#include "look.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"

#define SIDE 64

/* The image reduced to at most SIDE × SIDE. */
typedef struct Thumb
{
	int			columns;
	int			rows;
	unsigned char rgb[SIDE * SIDE * 3];
	unsigned char luma[SIDE * SIDE];
} Thumb;

Colour
colour_of(int r, int g, int b)
{
	int			v = r > g ? (r > b ? r : b) : (g > b ? g : b);
	int			low = r < g ? (r < b ? r : b) : (g < b ? g : b);
	int			d = v - low;
	double		s = v > 0 ? (double) d / v : 0;
	double		h;

	if (v < 56)
		return COLOUR_BLACK;
	if (d < 28 || s < 0.14)
		return v >= 200 ? COLOUR_WHITE : COLOUR_GREY;
	if (v == r)
		h = 60.0 * (g - b) / d;
	else if (v == g)
		h = 60.0 * (b - r) / d + 120;
	else
		h = 60.0 * (r - g) / d + 240;
	if (h < 0)
		h += 360;
	if ((h >= 300 || h < 16) && s < 0.5 && v >= 170)
		return COLOUR_PINK;
	if (h >= 300 && h < 340 && v >= 120)
		return COLOUR_PINK;
	if (h < 16 || h >= 340)
		return COLOUR_RED;
	if (h < 45)
		return v < 160 ? COLOUR_BROWN : COLOUR_ORANGE;
	if (h < 70)
		return COLOUR_YELLOW;
	if (h < 165)
		return COLOUR_GREEN;
	if (h < 195)
		return COLOUR_CYAN;
	return h < 260 ? COLOUR_BLUE : COLOUR_PURPLE;
}

/* The mean colour of a box of the picture. */
static void
average(const Picture *picture, int x0, int x1, int y0, int y1, unsigned char *rgb)
{
	unsigned long sum[3] = {0, 0, 0};
	unsigned long pixels = (unsigned long) (x1 - x0) * (unsigned long) (y1 - y0);
	int			x,
				y,
				i;

	for (y = y0; y < y1; y++)
	{
		const unsigned char *at = picture->rgb + ((size_t) y * (size_t) picture->columns + (size_t) x0) * 3;

		for (x = x0; x < x1; x++, at += 3)
			for (i = 0; i < 3; i++)
				sum[i] += at[i];
	}
	for (i = 0; i < 3; i++)
		rgb[i] = (unsigned char) ((sum[i] + pixels / 2) / pixels);
}

static int
reduced(int side, int longer)
{
	int			result = (int) ((double) side * SIDE / longer + 0.5);

	if (longer <= SIDE)
		return side;
	return result < 1 ? 1 : result;
}

static void
thumb_make(const Picture *picture, Thumb *thumb)
{
	int			longer = picture->columns > picture->rows ? picture->columns : picture->rows;
	int			x,
				y;

	thumb->columns = reduced(picture->columns, longer);
	thumb->rows = reduced(picture->rows, longer);
	for (y = 0; y < thumb->rows; y++)
		for (x = 0; x < thumb->columns; x++)
		{
			int			at = y * thumb->columns + x;
			unsigned char *rgb = thumb->rgb + at * 3;

			average(picture,
					(int) ((long) x * picture->columns / thumb->columns),
					(int) ((long) (x + 1) * picture->columns / thumb->columns),
					(int) ((long) y * picture->rows / thumb->rows),
					(int) ((long) (y + 1) * picture->rows / thumb->rows), rgb);
			thumb->luma[at] = (unsigned char) ((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
		}
}

/* The cell of the 3 × 3 grid that a pixel's centre is in. */
static int
cell_of(const Thumb *thumb, int x, int y)
{
	return (2 * y + 1) * 3 / (2 * thumb->rows) * 3 + (2 * x + 1) * 3 / (2 * thumb->columns);
}

static void
find_colours(const Thumb *thumb, Facts *facts)
{
	int			count[COLOURS][CELLS];
	int			total[COLOURS];
	int			pixels = thumb->columns * thumb->rows;
	int			i,
				c,
				cell;

	memset(count, 0, sizeof(count));
	memset(total, 0, sizeof(total));
	for (i = 0; i < pixels; i++)
	{
		const unsigned char *rgb = thumb->rgb + i * 3;
		Colour		colour = colour_of(rgb[0], rgb[1], rgb[2]);

		total[colour]++;
		count[colour][cell_of(thumb, i % thumb->columns, i / thumb->columns)]++;
	}
	facts->main = COLOUR_BLACK;
	for (c = 1; c < COLOURS; c++)
		if (total[c] > total[facts->main])
			facts->main = (Colour) c;
	facts->second = facts->main;
	for (c = 0; c < COLOURS; c++)
	{
		int			most = 0;

		if (c != (int) facts->main && total[c] * 50 >= pixels &&
			(facts->second == facts->main || total[c] > total[facts->second]))
			facts->second = (Colour) c;
		for (cell = 1; cell < CELLS; cell++)
			if (count[c][cell] > count[c][most])
				most = cell;
		facts->share[c] = (total[c] * 200 + pixels) / (2 * pixels);
		/* A colour is somewhere if one cell has well over its ninth of it. */
		facts->place[c] = count[c][most] * 6 > total[c] ? most : ALL_OVER;
	}
}

static int
mean(const long *sum, const long *count, int otherwise)
{
	return *count > 0 ? (int) ((*sum + *count / 2) / *count) : otherwise;
}

static void
find_light(const Thumb *thumb, Facts *facts)
{
	long		sum[CELLS + 4] = {0};
	long		count[CELLS + 4] = {0};
	long		all = 0;
	double		squares = 0;
	int			pixels = thumb->columns * thumb->rows;
	int			i,
				part;

	for (i = 0; i < pixels; i++)
	{
		int			x = i % thumb->columns;
		int			y = i / thumb->columns;
		int			parts[3];

		parts[0] = cell_of(thumb, x, y);
		parts[1] = CELLS + (2 * x + 1 > thumb->columns);
		parts[2] = CELLS + 2 + (2 * y + 1 > thumb->rows);
		for (part = 0; part < 3; part++)
		{
			sum[parts[part]] += thumb->luma[i];
			count[parts[part]]++;
		}
		all += thumb->luma[i];
		squares += (double) thumb->luma[i] * thumb->luma[i];
	}
	facts->light = (int) ((all + pixels / 2) / pixels);
	squares = squares / pixels - (double) all / pixels * ((double) all / pixels);
	while ((facts->contrast + 0.5) * (facts->contrast + 0.5) <= squares)
		facts->contrast++;		/* the root, rounded */
	facts->left = mean(sum + CELLS, count + CELLS, facts->light);
	facts->right = mean(sum + CELLS + 1, count + CELLS + 1, facts->light);
	facts->top = mean(sum + CELLS + 2, count + CELLS + 2, facts->light);
	facts->bottom = mean(sum + CELLS + 3, count + CELLS + 3, facts->light);
	facts->brightest = facts->darkest = 4;
	for (i = 0; i < CELLS; i++)
	{
		int			light = mean(sum + i, count + i, facts->light);

		if (light > mean(sum + facts->brightest, count + facts->brightest, facts->light))
			facts->brightest = i;
		if (light < mean(sum + facts->darkest, count + facts->darkest, facts->light))
			facts->darkest = i;
	}
}

/* The steps from each pixel to its right and lower neighbours, by cell. */
static void
find_busy(const Thumb *thumb, Facts *facts)
{
	double		sum[CELLS] = {0};
	double		count[CELLS] = {0};
	double		all = 0;
	int			pixels = thumb->columns * thumb->rows;
	int			i;

	for (i = 0; i < pixels; i++)
	{
		int			x = i % thumb->columns;
		int			y = i / thumb->columns;
		int			step = 0;

		if (x + 1 < thumb->columns)
			step += abs(thumb->luma[i] - thumb->luma[i + 1]);
		if (y + 1 < thumb->rows)
			step += abs(thumb->luma[i] - thumb->luma[i + thumb->columns]);
		sum[cell_of(thumb, x, y)] += step;
		count[cell_of(thumb, x, y)]++;
		all += step;
	}
	facts->busy = (int) (all * 10 / pixels + 0.5);
	facts->busiest = facts->calmest = 4;
	for (i = 0; i < CELLS; i++)
	{
		if (count[i] <= 0)
			continue;
		if (sum[i] * count[facts->busiest] > sum[facts->busiest] * count[i])
			facts->busiest = i;
		if (sum[i] * count[facts->calmest] < sum[facts->calmest] * count[i])
			facts->calmest = i;
	}
}

void
facts_find(const Picture *picture, Facts *facts)
{
	Thumb	   *thumb = must_alloc(sizeof(Thumb));

	memset(facts, 0, sizeof(*facts));
	facts->format = picture->format;
	facts->width = picture->width;
	facts->height = picture->height;
	thumb_make(picture, thumb);
	find_colours(thumb, facts);
	find_light(thumb, facts);
	find_busy(thumb, facts);
	free(thumb);
}
