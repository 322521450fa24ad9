/*
 * test_image_fit.c
 *	  image_smart_resize against Qwen's own, and what follows from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "image/image.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

typedef struct Fitted
{
	int			height;
	int			width;
	int			factor;
	int64_t		min_pixels;
	int64_t		max_pixels;
	int			fitted_height;	/* 0: refused */
	int			fitted_width;
} Fitted;

/* Computed with Python, by the text of qwen_vl_utils' smart_resize. */
static const Fitted fitted[] = {
	{14, 14, 28, 3136, 1003520, 56, 56},
	{14, 14, 32, 4096, 16777216, 64, 64},
	{42, 42, 28, 3136, 1003520, 56, 56},
	{42, 42, 32, 4096, 16777216, 64, 64},
	{70, 70, 28, 3136, 1003520, 56, 56},
	{70, 70, 32, 4096, 16777216, 64, 64},
	{98, 126, 28, 3136, 1003520, 112, 112},
	{98, 126, 32, 4096, 16777216, 96, 128},
	{480, 640, 28, 3136, 1003520, 476, 644},
	{480, 640, 32, 4096, 16777216, 480, 640},
	{10, 2000, 28, 3136, 1003520, 28, 1988},
	{10, 2000, 32, 4096, 16777216, 32, 1984},
	{2000, 10, 28, 3136, 1003520, 1988, 28},
	{2000, 10, 32, 4096, 16777216, 1984, 32},
	{2001, 10, 28, 3136, 1003520, 0, 0},
	{2001, 10, 32, 4096, 16777216, 0, 0},
	{10, 2001, 28, 3136, 1003520, 0, 0},
	{10, 2001, 32, 4096, 16777216, 0, 0},
	{11, 12, 28, 3136, 1003520, 56, 84},
	{11, 12, 32, 4096, 16777216, 64, 96},
	{1, 1, 28, 3136, 1003520, 56, 56},
	{1, 1, 32, 4096, 16777216, 64, 64},
	{1, 200, 28, 3136, 1003520, 28, 196},
	{1, 200, 32, 4096, 16777216, 32, 192},
	{29, 5600, 28, 3136, 1003520, 28, 5600},
	{29, 5600, 32, 4096, 16777216, 32, 5600},
	{65500, 65500, 28, 3136, 1003520, 980, 980},
	{65500, 65500, 32, 4096, 16777216, 4096, 4096},
	{3000, 4000, 28, 3136, 1003520, 840, 1148},
	{3000, 4000, 32, 4096, 16777216, 3008, 4000},
	{750, 8000, 28, 3136, 1003520, 280, 3248},
	{750, 8000, 32, 4096, 16777216, 736, 8000},
	{8000, 750, 28, 3136, 1003520, 3248, 280},
	{8000, 750, 32, 4096, 16777216, 8000, 736},
	{1080, 1920, 28, 3136, 1003520, 728, 1316},
	{1080, 1920, 32, 4096, 16777216, 1088, 1920},
	{56, 56, 28, 3136, 1003520, 56, 56},
	{56, 56, 32, 4096, 16777216, 64, 64},
	{55, 57, 28, 3136, 1003520, 56, 56},
	{55, 57, 32, 4096, 16777216, 64, 64},
	{240, 336, 28, 3136, 1003520, 252, 336},
	{240, 336, 32, 4096, 16777216, 256, 320},
	{1008, 1008, 28, 3136, 1003520, 980, 980},
	{1008, 1008, 32, 4096, 16777216, 1024, 1024},
	{1001, 1002, 28, 3136, 1003520, 980, 980},
	{1001, 1002, 32, 4096, 16777216, 992, 992},
	{28, 28, 28, 3136, 1003520, 56, 56},
	{28, 28, 32, 4096, 16777216, 64, 64},
	{27, 29, 28, 3136, 1003520, 56, 84},
	{27, 29, 32, 4096, 16777216, 64, 96},
	{5315, 31880, 32, 4096, 16777216, 1664, 10016},
	{801, 144, 28, 3136, 200704, 812, 140},
	{960, 4943, 28, 3136, 1003520, 420, 2268},
	{1418, 1087, 28, 3136, 1003520, 1120, 868},
	{1496, 1834, 28, 3136, 12845056, 1484, 1848},
	{2038, 12204, 28, 3136, 12845056, 1456, 8764},
	{6509, 1074, 28, 3136, 1003520, 2464, 392},
	{2191, 944, 28, 3136, 12845056, 2184, 952},
	{1939, 2574, 28, 3136, 1003520, 868, 1148},
	{3088, 1853, 28, 3136, 12845056, 3080, 1848},
	{986, 1587, 32, 4096, 16777216, 992, 1600},
	{8721, 6528, 32, 4096, 262144, 576, 416},
	{7434, 4273, 28, 3136, 1003520, 1316, 756},
	{4009, 752, 32, 4096, 16777216, 4000, 768},
	{8121, 36415, 32, 4096, 262144, 224, 1056},
	{1209, 262, 32, 4096, 1310720, 1216, 256},
	{5614, 1395, 32, 4096, 262144, 1024, 224},
	{652, 4138, 28, 3136, 12845056, 644, 4144},
	{5150, 2716, 32, 4096, 16777216, 5152, 2720},
	{8147, 11214, 32, 4096, 1310720, 960, 1312},
	{1543, 9138, 32, 4096, 16777216, 1536, 9152},
	{1074, 185, 32, 4096, 16777216, 1088, 192},
	{7311, 3088, 32, 4096, 16777216, 6272, 2656},
	{5695, 843, 32, 4096, 262144, 1312, 192},
	{2763, 4305, 32, 4096, 1310720, 896, 1408},
	{3585, 10482, 28, 3136, 12845056, 2072, 6104},
	{4066, 2702, 32, 4096, 1310720, 1376, 928},
	{2735, 2231, 32, 4096, 1310720, 1248, 1024},
	{7063, 30289, 32, 4096, 16777216, 1952, 8480},
	{6814, 47696, 32, 4096, 1310720, 416, 3008},
};

static void
smart_resize_is_pythons(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH(fitted); i++)
	{
		const Fitted *f = &fitted[i];
		int			height = 0;
		int			width = 0;
		ImageError	error = {0};
		ImageStatus status = image_smart_resize(f->height, f->width, f->factor, f->min_pixels,
												f->max_pixels, &height, &width, &error);

		assert_int_equal(status, f->fitted_height == 0 ? IMAGE_RATIO : IMAGE_OK);
		if (height != f->fitted_height || width != f->fitted_width)
			print_message("%d x %d by %d\n", f->height, f->width, f->factor);
		assert_int_equal(height, f->fitted_height);
		assert_int_equal(width, f->fitted_width);
	}
}

/* What has been fitted is not fitted again: the server's own resizing changes nothing. */
static void
smart_resize_is_stable(void **state)
{
	(void) state;
	for (size_t i = 0; i < LENGTH(fitted); i++)
	{
		const Fitted *f = &fitted[i];
		int			height;
		int			width;

		if (f->fitted_height == 0 ||
			(int64_t) f->fitted_height * f->fitted_width > f->max_pixels)
			continue;
		if (image_smart_resize(f->fitted_height, f->fitted_width, f->factor, f->min_pixels,
							   f->max_pixels, &height, &width, NULL) != IMAGE_OK)
			continue;			/* rounding may have made the ratio worse */
		assert_int_equal(height, f->fitted_height);
		assert_int_equal(width, f->fitted_width);
	}
}

static void
nonsense_is_refused(void **state)
{
	int			height;
	int			width;
	ImageError	error;

	(void) state;
	assert_int_equal(image_smart_resize(0, 10, 28, 1, 1000, &height, &width, &error),
					 IMAGE_BROKEN);
	assert_int_equal(image_smart_resize(10, 10, 0, 1, 1000, &height, &width, &error),
					 IMAGE_BROKEN);
	assert_int_equal(image_smart_resize(10, 10, 28, 1, 0, &height, &width, &error),
					 IMAGE_BROKEN);
	assert_int_equal(image_smart_resize(10, 10, 28, INT64_MAX, INT64_MAX, &height, &width,
										&error), IMAGE_TOO_LARGE);
	assert_int_equal(image_smart_resize(2147483647, 2147483647, 28, 1, INT64_MAX, &height,
										&width, &error), IMAGE_TOO_LARGE);
}

/* Tokens of the study of the field: sides, without and with a cap of 1280 patches. */
static void
tokens_are_as_studied(void **state)
{
	static const int table[][4] = {
		{640, 480, 391, 391}, {800, 600, 609, 609}, {1080, 1440, 1989, 1230},
		{1920, 1080, 2691, 1222}, {4000, 3000, 15301, 1230}, {750, 8000, 7722, 1160},
		{120, 90, 12, 12}
	};
	ImageFit	fit = {.factor = 28,.min_pixels = 4 * 28 * 28};
	ImageInfo	info = {.orientation = 1};

	(void) state;
	for (size_t i = 0; i < LENGTH(table); i++)
	{
		info.width = table[i][0];
		info.height = table[i][1];
		fit.max_pixels = 16384 * 28 * 28;
		assert_int_equal(image_tokens(&info, &fit), table[i][2] + 2);
		fit.max_pixels = 1280 * 28 * 28;
		assert_int_equal(image_tokens(&info, &fit), table[i][3] + 2);
	}
	info.width = 10;
	info.height = 3000;
	assert_int_equal(image_tokens(&info, &fit), 0);
}

static void
tokens_do_not_depend_on_orientation(void **state)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 1003520};
	ImageInfo	info = {.width = 1234,.height = 777};
	int64_t		upright;

	(void) state;
	info.orientation = 1;
	upright = image_tokens(&info, &fit);
	info.orientation = 6;
	assert_int_equal(image_tokens(&info, &fit), upright);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smart_resize_is_pythons),
		cmocka_unit_test(smart_resize_is_stable),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(tokens_are_as_studied),
		cmocka_unit_test(tokens_do_not_depend_on_orientation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
