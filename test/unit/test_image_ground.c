/*
 * test_image_ground.c
 *	  What shows through transparent pictures, and pictures on which nothing is to be seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "image/private.h"
#include "pictures_more.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define WIDTH	300
#define HEIGHT	200

static ImageFit
fit_to(int64_t max_pixels)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = max_pixels,.quality = 95,.full_chroma = true};

	fit.limits = image_default_limits;
	fit.refuse_blank = true;
	return fit;
}

/* Bars of that level on a transparent ground; with an outline where it is not 0. */
static Picture
bars(int channels, int level, int outline)
{
	Picture		picture = picture_new(WIDTH, HEIGHT, channels);

	for (int y = 40; y < 160; y++)
		for (int x = 30; x < 270; x++)
		{
			uint8_t    *p = at(&picture, x, y);
			int			in_bar = x / 30 % 2;
			bool		edge = x % 30 < outline || x % 30 >= 30 - outline;

			memset(p, in_bar && edge && outline > 0 ? 0 : level, (size_t) channels - 1);
			p[channels - 1] = in_bar ? 255 : 0;
		}
	return picture;
}

/* The JPEG that is made, or one of no pixels where the picture is refused as blank. */
static Picture
made_of(Bytes file, int64_t max_pixels)
{
	ImageFit	fit = fit_to(max_pixels);
	ImagePrepared prepared;
	ImageError	error = {0};
	ImageStatus status = image_prepare(file.data, file.size, &fit, &prepared, &error);
	Picture		made = {NULL, 0, 0, 0};

	if (status == IMAGE_BLANK)
	{
		assert_null(prepared.data);
		assert_non_null(strstr(error.message, "nothing is to be seen"));
		return made;
	}
	if (status != IMAGE_OK)
		fail_msg("%s", error.message);
	assert_false(prepared.blank);
	made = picture_of_jpeg(prepared.passed_through ? file.data : prepared.data, prepared.size);
	image_prepared_free(&prepared);
	return made;
}

/* The corner of the picture that is made; -1: it is blank. */
static int
corner_of(Bytes file, int64_t max_pixels)
{
	Picture		made = made_of(file, max_pixels);
	int			corner = made.samples != NULL ? made.samples[0] : -1;

	free(made.samples);
	free(file.data);
	return corner;
}

/* White on white would be a blank page; what is dark somewhere is seen on white. */
static void
light_drawings_lie_on_grey(void **state)
{
	static const struct
	{
		int			level;
		int			outline;
		int			ground;
	}			drawings[] = {
		{255, 0, GROUND_DARK}, {230, 0, GROUND_DARK}, {220, 0, GROUND_DARK}, {200, 0, GROUND_WHITE},
		{0, 0, GROUND_WHITE}, {64, 0, GROUND_WHITE}, {255, 2, GROUND_WHITE}
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(drawings); i++)
		for (int channels = 2; channels <= 4; channels += 2)
			for (int64_t cap = 15000; cap <= 1000000; cap = cap * 10 + 850000)
			{
				Picture		picture = bars(channels, drawings[i].level, drawings[i].outline);
				Bytes		files[5] = {png_of(&picture, (PngKind) {0}), png_of(&picture, (PngKind) {.interlaced = true})};
				int			n = 2;

				if (channels == 4)
				{
					files[n++] = webp_of(&picture, true);
					files[n++] = webp_film(&files[2], 1, WIDTH, HEIGHT, 20, 20);
				}
#ifdef LLAVA_WITH_AVIF
				files[n++] = avif_of(&picture, (AvifKind) {.chroma = channels == 2 ? AVIF_PIXEL_FORMAT_YUV400 : 0});
#endif
				for (int f = 0; f < n; f++)
				{
					int			corner = corner_of(files[f], cap);

					if (abs(corner - drawings[i].ground) > 3)
						fail_msg("level %d, outline %d, %d channels, file %d: the ground is %d", drawings[i].level,
								 drawings[i].outline, channels, f, corner);
				}
				free(picture.samples);
			}
}

/* The colour number that is transparent; a frame on a larger canvas. */
static void
light_gifs_lie_on_grey(void **state)
{
	Picture		numbers = picture_new(WIDTH, HEIGHT, 1);

	(void) state;
	for (int white = 0; white <= 1; white++)
		for (int interlaced = 0; interlaced <= 1; interlaced++)
		{
			GifKind		kind = {.interlaced = interlaced,.transparent = 8};
			int			wanted = white ? GROUND_DARK : GROUND_WHITE;

			for (int i = 0; i < WIDTH * HEIGHT; i++)
				numbers.samples[i] = (uint8_t) (i % 20 < 10 ? 7 : white ? 215 : 30);
			assert_in_range(corner_of(gif_of(&numbers, kind), 1000000), wanted - 3, wanted);
			kind.transparent = 0;
			kind.left = kind.top = 20;
			for (int i = 0; i < WIDTH * HEIGHT; i++)
				numbers.samples[i] = (uint8_t) (white ? 215 : 30);
			assert_in_range(corner_of(gif_of(&numbers, kind), 1000000), wanted - 3, wanted);
		}
	free(numbers.samples);
}

/* An opaque picture is what it is, however light: nothing shows through. */
static void
opaque_pictures_keep_their_white(void **state)
{
	Picture		page = picture_new(WIDTH, HEIGHT, 4);
	Bytes		png;

	(void) state;
	memset(page.samples, 255, WIDTH * HEIGHT * 4);
	for (int x = 40; x < 80; x++)
		at(&page, x, 90)[0] = 230;
	png = png_of(&page, (PngKind) {0});
	assert_in_range(corner_of(png, 1000000), 250, 255);
	free(page.samples);
}

/* Every format of one colour, or of a fully transparent picture. */
static void
blank_pictures_are_told(void **state)
{
	Picture		flat = picture_new(WIDTH, HEIGHT, 3);
	Picture		clear = picture_new(WIDTH, HEIGHT, 4);
	Picture		numbers = picture_new(WIDTH, HEIGHT, 1);
	Picture		dot = picture_new(1, 1, 1);
	Picture		speck = picture_new(1, 1, 3);

	(void) state;
	memset(flat.samples, 200, WIDTH * HEIGHT * 3);
	/* noise of two levels to either side is nothing */
	for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
		flat.samples[i] = (uint8_t) (flat.samples[i] + i % 3);
	for (int64_t cap = 15000; cap <= 1000000; cap = cap * 10 + 850000)
	{
		Bytes		still = webp_of(&speck, true);
		Bytes		files[] = {
			jpeg_of(&flat, 95, (JpegKind) {0}), jpeg_of(&flat, 95, (JpegKind) {.progressive = true}),
			jpeg_of(&flat, 95, (JpegKind) {.rgb = true}), png_of(&flat, (PngKind) {0}), webp_of(&flat, true),
			png_of(&clear, (PngKind) {0}), webp_of(&clear, true),
			gif_of(&numbers, (GifKind) {0}), gif_of(&numbers, (GifKind) {.transparent = 1,.frames = 2}),
			/* a filler of one pixel, black on an empty canvas: what films begin with */
			gif_of(&dot, (GifKind) {.left = 60,.top = 62,.frames = 2}), webp_film(&still, 1, 1, 1, 60, 62),
#ifdef LLAVA_WITH_AVIF
			avif_of(&flat, (AvifKind) {0}), avif_of(&clear, (AvifKind) {0})
#endif
		};

		for (size_t i = 0; i < LENGTH(files); i++)
		{
			ImageFit	fit = fit_to(cap);
			ImagePrepared prepared;

			/* who wants it all the same gets it, and is told */
			fit.refuse_blank = false;
			assert_int_equal(image_prepare(files[i].data, files[i].size, &fit, &prepared, NULL), IMAGE_OK);
			if (!prepared.blank)
				fail_msg("file %zu is not blank", i);
			image_prepared_free(&prepared);
			assert_int_equal(corner_of(files[i], cap), -1);
		}
		free(still.data);
	}
	free(flat.samples);
	free(clear.samples);
	free(numbers.samples);
	free(dot.samples);
	free(speck.samples);
}

/* Five levels somewhere are something, and so is a hair on a page that is passed through. */
static void
faint_pictures_are_not_blank(void **state)
{
	Picture		page = picture_new(1600, 1200, 3);
	Bytes		jpeg;
	Bytes		png;

	(void) state;
	memset(page.samples, 250, 1600 * 1200 * 3);
	for (int x = 600; x < 640; x++)
		memset(at(&page, x, 1100), 225, 3);
	jpeg = jpeg_of(&page, 90, (JpegKind) {0});
	assert_in_range(corner_of(jpeg, 4000000), 245, 255);
	free(page.samples);

	page = picture_new(WIDTH, HEIGHT, 3);
	memset(page.samples, 250, WIDTH * HEIGHT * 3);
	at(&page, 17, 190)[2] = 245;
	png = png_of(&page, (PngKind) {0});
	assert_in_range(corner_of(png, 1000000), 245, 255);
	free(page.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(light_drawings_lie_on_grey),
		cmocka_unit_test(light_gifs_lie_on_grey),
		cmocka_unit_test(opaque_pictures_keep_their_white),
		cmocka_unit_test(blank_pictures_are_told),
		cmocka_unit_test(faint_pictures_are_not_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
