/*
 * look.h
 *	  Looking at an image: what can be told of it for sure.
 *
 * How the main colour is found, for who wants to check it independently:
 *
 * 1. The image is turned upright by nobody, alpha is flattened on white, colours
 *    are 8-bit RGB as the decoder gives them (no colour profile).
 * 2. If a side is longer than 64 pixels the image is reduced by area averaging
 *    (a box filter) so that the longer side is 64 and the other one
 *    max(1, floor(side * 64 / longer + 1/2)).
 * 3. Each pixel gets a name by the first rule that fits, with v = max(r, g, b),
 *    d = v - min(r, g, b), s = d / v, and h the HSV hue in degrees [0, 360):
 *
 *        v < 56                            black    黑色
 *        d < 28 or s < 0.14, v >= 200      white    白色
 *        d < 28 or s < 0.14                grey     灰色
 *        h >= 300 or h < 16, s < 0.5, v >= 170   pink  粉色
 *        h >= 300 and h < 340, v >= 120    pink     粉色
 *        h < 16 or h >= 340                red      红色
 *        h < 45, v < 160                   brown    棕色
 *        h < 45                            orange   橙色
 *        h < 70                            yellow   黄色
 *        h < 165                           green    绿色
 *        h < 195                           cyan     青色
 *        h < 260                           blue     蓝色
 *        else                              purple   紫色
 *
 * 4. The main colour is the name that most pixels have; of equals the first in
 *    the order of the enum below.
 *
 * Every reply states it in the fixed words 主色调是“红色” (the main colour is
 * "red").  It is said of the image as it was sent.  A check of the picture before
 * it was resized and compressed should also take the second name where it has
 * nearly as many pixels, and a neighbouring name where a large plain area lies
 * within a few units of the border between two.
 */
#ifndef ENDPOINT_LOOK_H
#define ENDPOINT_LOOK_H

#include <stdbool.h>
#include <stddef.h>

typedef enum Colour
{
	COLOUR_BLACK,
	COLOUR_WHITE,
	COLOUR_GREY,
	COLOUR_RED,
	COLOUR_ORANGE,
	COLOUR_YELLOW,
	COLOUR_GREEN,
	COLOUR_CYAN,
	COLOUR_BLUE,
	COLOUR_PURPLE,
	COLOUR_PINK,
	COLOUR_BROWN,
	COLOURS
} Colour;

/* The cells of a 3 × 3 grid, row by row; and 'all over'. */
#define CELLS 9
#define ALL_OVER (-1)

typedef struct Facts
{
	const char *format;			/* JPEG, PNG, WebP */
	int			width;
	int			height;
	int			share[COLOURS]; /* percent, rounded */
	Colour		main;
	Colour		second;			/* = main if there is only one */
	int			place[COLOURS]; /* the cell with most of it, or ALL_OVER */
	int			light;			/* mean luma, 0-255 */
	int			contrast;		/* its standard deviation */
	int			left,
				right,
				top,
				bottom;			/* mean luma of the halves */
	int			brightest,
				darkest;		/* cells */
	int			busy;			/* mean luma step between neighbours, times 10 */
	int			busiest,
				calmest;		/* cells */
} Facts;

/* A decoded image, 3 bytes a pixel. */
typedef struct Picture
{
	const char *format;
	int			width;			/* the image's own */
	int			height;
	unsigned char *rgb;
	int			columns;		/* of rgb; a JPEG may be decoded smaller */
	int			rows;
} Picture;

/* False: *why (static) says what is wrong with the bytes. */
extern bool picture_decode(const unsigned char *bytes, size_t size, Picture *picture, const char **why);
extern void picture_free(Picture *picture);

extern Colour colour_of(int r, int g, int b);
extern void facts_find(const Picture *picture, Facts *facts);

#endif							/* ENDPOINT_LOOK_H */
