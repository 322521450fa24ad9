/*
 * test_image_hash.c
 *	  What a picture looks like: the same for its copies, another for others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures.h"

/* Boxes of many sizes and colours, drawn by the seed; side by side they share nothing. */
static Picture
boxes(int width, int height, unsigned seed)
{
	Picture		picture = picture_new(width, height, 3);

	memset(picture.samples, 200, (size_t) width * (size_t) height * 3);
	for (int i = 0; i < 60; i++)
	{
		unsigned	draw[7];

		for (int j = 0; j < 7; j++)
			draw[j] = (seed = seed * 1103515245 + 12345) >> 16;
		for (int y = (int) (draw[0] % 1000) * height / 1000, h = 0;
			 y < height && h < (int) (draw[1] % 300) * height / 1000; y++, h++)
			for (int x = (int) (draw[2] % 1000) * width / 1000, w = 0;
				 x < width && w < (int) (draw[3] % 300) * width / 1000; x++, w++)
				for (int c = 0; c < 3; c++)
					at(&picture, x, y)[c] = (uint8_t) draw[4 + c];
	}
	return picture;
}

/* The hash of the file, which is freed. */
static ImageHash
hash_of(Bytes bytes, int64_t max_pixels)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.quality = 90,.hash = true};
	ImagePrepared prepared;
	ImageError	error = {0};

	fit.max_pixels = max_pixels;
	fit.limits = image_default_limits;
	if (image_prepare(bytes.data, bytes.size, &fit, &prepared, &error) != IMAGE_OK)
		fail_msg("%s", error.message);
	image_prepared_free(&prepared);
	free(bytes.data);
	return prepared.hash;
}

#define ROOM (1280 * 28 * 28)

static void
copies_have_nearly_one_hash(void **state)
{
	Picture		picture = boxes(600, 450, 7);
	Picture		small = shrunk(&picture, 240, 180);
	ImageHash	first = hash_of(jpeg_of(&picture, 90, (JpegKind) {0}), ROOM);
	ImageHash	copies[] = {
		hash_of(jpeg_of(&picture, 30, (JpegKind) {0}), ROOM),
		hash_of(jpeg_of(&picture, 95, (JpegKind) {.progressive = true}), ROOM),
		hash_of(jpeg_of(&small, 80, (JpegKind) {0}), ROOM),
		hash_of(png_of(&picture, (PngKind) {0}), ROOM),
		hash_of(webp_of(&picture, false), ROOM),
		/* as it is fitted for another server */
		hash_of(jpeg_of(&picture, 90, (JpegKind) {0}), 40000),
	};

	(void) state;
	assert_true(first.known);
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++)
		if (!image_hash_same(&first, &copies[i]))
			fail_msg("copy %zu is %d away", i, image_hash_distance(&first, &copies[i]));
	free(picture.samples);
	free(small.samples);
}

/* Waves of colour, and what a palette of six levels a channel, dithered, leaves of them. */
static void
a_palette_does_not_matter(void **state)
{
	unsigned	seed = 1;

	(void) state;
	for (int i = 0; i < 8; i++)
	{
		Picture		picture = picture_new(640, 480, 3);
		Picture		grained = picture_new(640, 480, 3);
		Picture		numbers;
		ImageHash	original;
		ImageHash	copy;

		for (int k = 0; k < 640 * 480 * 3; k++)
		{
			double		x = k / 3 % 640 / 100.0;
			double		y = k / 3 / 640 / 100.0;
			int			c = k % 3;
			double		level = 128 + 60 * (sin((c + 1 - i * 0.3) * x + (1.4 - c) * y + i) +
											cos((i * 0.2 + c) * x * y / 3));
			int			draw = (int) ((seed = seed * 1103515245 + 12345) >> 16) % 51 - 25;
			int			grain = (int) level + draw;

			picture.samples[k] = (uint8_t) level;
			grained.samples[k] = (uint8_t) (grain < 0 ? 0 : grain > 255 ? 255 : grain);
		}
		numbers = numbers_of(&grained);
		original = hash_of(jpeg_of(&picture, 90, (JpegKind) {0}), ROOM);
		copy = hash_of(gif_of(&numbers, (GifKind) {0}), ROOM);
		if (!image_hash_same(&original, &copy))
			fail_msg("copy %d is %d away", i, image_hash_distance(&original, &copy));
		free(picture.samples);
		free(grained.samples);
		free(numbers.samples);
	}
}

static void
other_pictures_have_other_hashes(void **state)
{
	ImageHash	hashes[40];

	(void) state;
	for (unsigned i = 0; i < 40; i++)
	{
		Picture		picture = boxes(300, 300, 1000 + i);

		hashes[i] = hash_of(png_of(&picture, (PngKind) {0}), ROOM);
		free(picture.samples);
		for (unsigned j = 0; j < i; j++)
			assert_false(image_hash_same(&hashes[i], &hashes[j]));
	}
}

/* The hash is that of what is looked at: orientation applied. */
static void
turned_files_are_turned_first(void **state)
{
	Picture		picture = boxes(400, 300, 3);
	Picture		turned = picture_new(300, 400, 3);
	ImageHash	upright;
	ImageHash	stored;

	(void) state;
	/* orientation 6: the stored first row is the right edge of what is looked at */
	for (int y = 0; y < 300; y++)
		for (int x = 0; x < 400; x++)
			memcpy(at(&turned, 299 - y, x), at(&picture, x, y), 3);
	upright = hash_of(jpeg_of(&turned, 95, (JpegKind) {0}), ROOM);
	stored = hash_of(jpeg_of(&picture, 95, (JpegKind) {.orientation = 6}), ROOM);
	assert_true(image_hash_same(&upright, &stored));
	stored = hash_of(jpeg_of(&picture, 95, (JpegKind) {0}), ROOM);
	assert_false(image_hash_same(&upright, &stored));
	free(picture.samples);
	free(turned.samples);
}

/* Luma alone does not tell these two. */
static void
colours_are_told_apart(void **state)
{
	Picture		picture = boxes(300, 300, 11);
	Picture		grey = grey_of(&picture);
	Picture		grey3 = picture_new(300, 300, 3);
	ImageHash	a = hash_of(png_of(&picture, (PngKind) {0}), ROOM);
	ImageHash	b;

	(void) state;
	for (int i = 0; i < 300 * 300; i++)
		memset(grey3.samples + i * 3, grey.samples[i], 3);
	b = hash_of(png_of(&grey3, (PngKind) {0}), ROOM);
	assert_in_range(image_hash_distance(&a, &b), 0, IMAGE_SAME_FINE);
	assert_false(image_hash_same(&a, &b));
	/* grey in one channel or in three is one picture */
	a = hash_of(png_of(&grey, (PngKind) {0}), ROOM);
	assert_true(image_hash_same(&a, &b));
	free(picture.samples);
	free(grey.samples);
	free(grey3.samples);
}

static void
blank_pictures_have_none(void **state)
{
	Picture		blank = picture_new(200, 200, 3);

	(void) state;
	memset(blank.samples, 250, 200 * 200 * 3);
	assert_false(hash_of(jpeg_of(&blank, 80, (JpegKind) {0}), ROOM).known);
	free(blank.samples);
}

static void
hashes_are_made_only_where_wanted(void **state)
{
	Picture		picture = boxes(300, 300, 1);
	Bytes		bytes = jpeg_of(&picture, 80, (JpegKind) {0});
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = ROOM,.quality = 90};
	ImagePrepared prepared;
	ImageError	error;

	(void) state;
	fit.limits = image_default_limits;
	assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
	assert_true(prepared.passed_through);
	assert_false(prepared.hash.known);
	/* a file that goes as it is has one too, and still goes as it is */
	fit.hash = true;
	assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
	assert_true(prepared.passed_through);
	assert_true(prepared.hash.known);
	free(bytes.data);
	free(picture.samples);
}

static void
limits_are_exact(void **state)
{
	ImageHash	a = {.known = true};
	ImageHash	b = a;

	(void) state;
	b.coarse = (1 << IMAGE_SAME_COARSE) - 1;
	b.fine[0] = UINT64_C(0x3ff) << 54;
	b.fine[3] = 0x3ff;
	b.colours[7] = IMAGE_SAME_COLOUR;
	assert_int_equal(image_hash_distance(&a, &b), 20);
	assert_true(image_hash_same(&a, &b));
	b.fine[2] = 1;
	assert_int_equal(image_hash_distance(&b, &a), 21);
	assert_false(image_hash_same(&a, &b));
	b.fine[2] = 0;
	b.coarse |= UINT64_C(1) << 63;
	assert_false(image_hash_same(&a, &b));
	b.coarse = 0;
	b.colours[7]++;
	assert_false(image_hash_same(&b, &a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_have_nearly_one_hash),
		cmocka_unit_test(a_palette_does_not_matter),
		cmocka_unit_test(other_pictures_have_other_hashes),
		cmocka_unit_test(turned_files_are_turned_first),
		cmocka_unit_test(colours_are_told_apart),
		cmocka_unit_test(blank_pictures_have_none),
		cmocka_unit_test(hashes_are_made_only_where_wanted),
		cmocka_unit_test(limits_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
