/*
 * test_image.c
 *	  Facts, fitting, decoding and encoding of every format, and of what is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

#include "image/image.h"

typedef struct Bytes
{
	uint8_t    *data;
	size_t		size;
} Bytes;

/* A picture whose quarters are red, green, blue and grey. */
static uint8_t *
quarters(int width, int height)
{
	static const uint8_t colours[4][3] = {{220, 30, 30}, {30, 180, 40}, {30, 50, 210}, {130, 130, 130}};
	uint8_t    *rgb = malloc((size_t) width * (size_t) height * 3);

	assert_non_null(rgb);
	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
			memcpy(rgb + ((size_t) y * (size_t) width + (size_t) x) * 3,
				   colours[(y * 2 >= height) * 2 + (x * 2 >= width)], 3);
	return rgb;
}

/* orientation 0: no EXIF. */
static Bytes
make_jpeg(int width, int height, bool progressive, int orientation, J_COLOR_SPACE space)
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_error_mgr errors;
	uint8_t		exif[] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\1\0\0\0\0\0";
	uint8_t    *rgb = quarters(width, height);
	unsigned char *out = NULL;
	unsigned long size = 0;
	int			components = space == JCS_CMYK ? 4 : space == JCS_GRAYSCALE ? 1 : 3;
	uint8_t    *row = malloc((size_t) width * 4);

	assert_non_null(row);
	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &out, &size);
	cinfo.image_width = (JDIMENSION) width;
	cinfo.image_height = (JDIMENSION) height;
	cinfo.input_components = components;
	cinfo.in_color_space = space;
	jpeg_set_defaults(&cinfo);
	jpeg_set_quality(&cinfo, 95, TRUE);
	if (progressive)
		jpeg_simple_progression(&cinfo);
	jpeg_start_compress(&cinfo, TRUE);
	if (orientation > 0)
	{
		exif[25] = (uint8_t) orientation;
		jpeg_write_marker(&cinfo, JPEG_APP0 + 1, exif, sizeof(exif) - 1);
	}
	for (int y = 0; y < height; y++)
	{
		const uint8_t *from = rgb + (size_t) y * (size_t) width * 3;

		for (int x = 0; x < width; x++)
			for (int c = 0; c < components; c++)
				row[x * components + c] = components == 4 ?
					(c < 3 ? from[x * 3 + c] : 255) : from[x * 3 + c];
		jpeg_write_scanlines(&cinfo, &row, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	free(row);
	free(rgb);
	return (Bytes) {out, size};
}

static Bytes
make_png(int width, int height, int format)
{
	png_image	image;
	uint8_t    *rgb = quarters(width, height);
	uint8_t    *pixels = rgb;
	png_alloc_size_t size = 0;
	Bytes		bytes;

	memset(&image, 0, sizeof(image));
	image.version = PNG_IMAGE_VERSION;
	image.width = (png_uint_32) width;
	image.height = (png_uint_32) height;
	image.format = (png_uint_32) format;
	if (format == PNG_FORMAT_RGBA)
	{
		/* the left half is transparent: white to the model */
		pixels = malloc((size_t) width * (size_t) height * 4);
		assert_non_null(pixels);
		for (int i = 0; i < width * height; i++)
		{
			memcpy(pixels + (size_t) i * 4, rgb + (size_t) i * 3, 3);
			pixels[(size_t) i * 4 + 3] = (i % width) * 2 < width ? 0 : 255;
		}
	}
	assert_int_not_equal(png_image_write_to_memory(&image, NULL, &size, 0, pixels, 0, NULL), 0);
	bytes.data = malloc(size);
	assert_non_null(bytes.data);
	assert_int_not_equal(png_image_write_to_memory(&image, bytes.data, &size, 0, pixels, 0, NULL), 0);
	bytes.size = size;
	if (pixels != rgb)
		free(pixels);
	free(rgb);
	return bytes;
}

static Bytes
make_webp(int width, int height, bool lossless)
{
	uint8_t    *rgb = quarters(width, height);
	uint8_t    *out = NULL;
	size_t		size = lossless ? WebPEncodeLosslessRGB(rgb, width, height, width * 3, &out) :
		WebPEncodeRGB(rgb, width, height, width * 3, 90, &out);
	Bytes		bytes = {malloc(size), size};

	assert_non_null(bytes.data);
	memcpy(bytes.data, out, size);
	WebPFree(out);
	free(rgb);
	return bytes;
}

static ImageFit
usual_fit(void)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 1280 * 28 * 28,.quality = 90};

	fit.limits = image_default_limits;
	return fit;
}

/* The pixel at a share of the sides of a prepared JPEG. */
static void
pixel_of(const uint8_t *data, size_t size, double x, double y, int rgb[3])
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;
	JSAMPARRAY	line;

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&cinfo);
	jpeg_mem_src(&cinfo, data, size);
	jpeg_read_header(&cinfo, TRUE);
	cinfo.out_color_space = JCS_RGB;
	jpeg_start_decompress(&cinfo);
	line = cinfo.mem->alloc_sarray((j_common_ptr) &cinfo, JPOOL_IMAGE, cinfo.output_width * 3, 1);
	while (cinfo.output_scanline <= (JDIMENSION) (y * cinfo.output_height))
		jpeg_read_scanlines(&cinfo, line, 1);
	for (int c = 0; c < 3; c++)
		rgb[c] = line[0][(size_t) (x * cinfo.output_width) * 3 + (size_t) c];
	jpeg_abort_decompress(&cinfo);
	jpeg_destroy_decompress(&cinfo);
}

static void
assert_colour(const ImagePrepared *prepared, double x, double y, int r, int g, int b)
{
	int			rgb[3];

	pixel_of(prepared->data, prepared->size, x, y, rgb);
	assert_in_range(rgb[0] + 12 - r, 0, 24);
	assert_in_range(rgb[1] + 12 - g, 0, 24);
	assert_in_range(rgb[2] + 12 - b, 0, 24);
}

static void
prepare_quarters(Bytes bytes, int width, int height)
{
	ImageFit	fit = usual_fit();
	ImagePrepared prepared;
	ImageError	error;

	assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
	assert_false(prepared.passed_through);
	assert_int_equal(prepared.width, width);
	assert_int_equal(prepared.height, height);
	assert_colour(&prepared, 0.25, 0.25, 220, 30, 30);
	assert_colour(&prepared, 0.75, 0.25, 30, 180, 40);
	assert_colour(&prepared, 0.25, 0.75, 30, 50, 210);
	assert_colour(&prepared, 0.75, 0.75, 130, 130, 130);
	image_prepared_free(&prepared);
	free(bytes.data);
}

/* field.md 2.2, and sides whose halves round to even. */
static void
smart_resize_is_qwens(void **state)
{
	static const struct
	{
		int			w,
					h;
		int64_t		max;
		int			fitted_w,
					fitted_h;
	}			cases[] = {
		{640, 480, 12845056, 644, 476}, {800, 600, 12845056, 812, 588},
		{1080, 1440, 12845056, 1092, 1428}, {1080, 1440, 1003520, 840, 1148},
		{1920, 1080, 12845056, 1932, 1092}, {1920, 1080, 1003520, 1316, 728},
		{4000, 3000, 1003520, 1148, 840}, {750, 8000, 1003520, 280, 3248},
		{120, 90, 12845056, 112, 84}, {14, 42, 12845056, 56, 112}, {42, 70, 12845056, 56, 56}
	};
	ImageError	error;
	int			w;
	int			h;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		assert_int_equal(image_smart_resize(cases[i].h, cases[i].w, 28, 3136, cases[i].max,
											&h, &w, &error), IMAGE_OK);
		assert_int_equal(w, cases[i].fitted_w);
		assert_int_equal(h, cases[i].fitted_h);
	}
	assert_int_equal(image_smart_resize(10, 2001, 28, 3136, 12845056, &h, &w, &error), IMAGE_RATIO);
}

static void
jpegs_are_decoded(void **state)
{
	(void) state;
	/* progressive: never passed through */
	prepare_quarters(make_jpeg(640, 480, true, 0, JCS_RGB), 644, 476);
	prepare_quarters(make_jpeg(2400, 1800, false, 0, JCS_RGB), 1148, 840);
	/* Adobe's inverted CMYK */
	prepare_quarters(make_jpeg(640, 480, false, 0, JCS_CMYK), 644, 476);
}

static void
orientation_is_applied(void **state)
{
	/* where the stored top left corner is seen, as (x, y) halves: EXIF 4.6.4 */
	static const double red_at[9][2] = {
		{0, 0}, {0.25, 0.25}, {0.75, 0.25}, {0.75, 0.75}, {0.25, 0.75},
		{0.25, 0.25}, {0.75, 0.25}, {0.75, 0.75}, {0.25, 0.75}
	};
	static const double green_at[9][2] = {
		{0, 0}, {0.75, 0.25}, {0.25, 0.25}, {0.25, 0.75}, {0.75, 0.75},
		{0.25, 0.75}, {0.75, 0.75}, {0.75, 0.25}, {0.25, 0.25}
	};
	ImageFit	fit = usual_fit();

	(void) state;
	for (int orientation = 2; orientation <= 8; orientation++)
	{
		Bytes		bytes = make_jpeg(640, 480, false, orientation, JCS_RGB);
		ImagePrepared prepared;
		ImageError	error;

		assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
		assert_int_equal(prepared.source.orientation, orientation);
		assert_int_equal(prepared.width, orientation >= 5 ? 476 : 644);
		assert_colour(&prepared, red_at[orientation][0], red_at[orientation][1], 220, 30, 30);
		assert_colour(&prepared, green_at[orientation][0], green_at[orientation][1], 30, 180, 40);
		image_prepared_free(&prepared);
		free(bytes.data);
	}
}

static void
small_jpegs_pass_through(void **state)
{
	Bytes		bytes = make_jpeg(640, 480, false, 0, JCS_RGB);
	Bytes		grey = make_jpeg(640, 480, false, 1, JCS_GRAYSCALE);
	ImageFit	fit = usual_fit();
	ImagePrepared prepared;
	ImageError	error;

	(void) state;
	assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
	assert_true(prepared.passed_through);
	assert_null(prepared.data);
	assert_int_equal(prepared.width, 640);
	assert_int_equal(image_prepare(grey.data, grey.size, &fit, &prepared, &error), IMAGE_OK);
	assert_true(prepared.passed_through);
	fit.max_pixels = 100000;
	assert_int_equal(image_prepare(bytes.data, bytes.size, &fit, &prepared, &error), IMAGE_OK);
	assert_false(prepared.passed_through);
	assert_true((int64_t) prepared.width * prepared.height <= 100000);
	image_prepared_free(&prepared);
	free(bytes.data);
	free(grey.data);
}

static void
png_and_webp_are_decoded(void **state)
{
	Bytes		alpha = make_png(640, 480, PNG_FORMAT_RGBA);
	ImageFit	fit = usual_fit();
	ImagePrepared prepared;
	ImageError	error;

	(void) state;
	prepare_quarters(make_png(640, 480, PNG_FORMAT_RGB), 644, 476);
	prepare_quarters(make_webp(640, 480, false), 644, 476);
	prepare_quarters(make_webp(640, 480, true), 644, 476);
	assert_int_equal(image_prepare(alpha.data, alpha.size, &fit, &prepared, &error), IMAGE_OK);
	assert_colour(&prepared, 0.25, 0.25, 255, 255, 255);
	assert_colour(&prepared, 0.75, 0.25, 30, 180, 40);
	image_prepared_free(&prepared);
	free(alpha.data);
}

static ImageStatus
status_of(const void *data, size_t size, ImageError *error)
{
	ImageFit	fit = usual_fit();
	ImagePrepared prepared;
	ImageStatus status;

	memset(error, 0, sizeof(*error));
	status = image_prepare(data, size, &fit, &prepared, error);
	if (status == IMAGE_OK)
		image_prepared_free(&prepared);
	return status;
}

static void
what_is_no_picture_says_so(void **state)
{
	static const uint8_t bomb[] = "\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\3\1\x11\0\2\x11\1\3\x11\1\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0\x55\xff\xd9";
	ImageError	error;

	(void) state;
	assert_int_equal(status_of("", 0, &error), IMAGE_EMPTY);
	assert_int_equal(status_of("<!DOCTYPE html><html>", 21, &error), IMAGE_UNKNOWN);
	assert_string_equal(error.message, "an HTML page, not a picture");
	assert_int_equal(status_of("II*\0\1\2\3\4\5\6\7\10", 12, &error), IMAGE_UNSUPPORTED);
	assert_string_equal(error.message, "TIFF is not supported");
	assert_int_equal(status_of("\0\0\0\x1c" "ftypavif\0\0\0\0", 16, &error), IMAGE_UNSUPPORTED);
	assert_string_equal(error.message, "AVIF is not supported");
	assert_int_equal(status_of("BM123456789012", 14, &error), IMAGE_UNSUPPORTED);
	assert_int_equal(status_of("random bytes here", 17, &error), IMAGE_UNKNOWN);
	/* 65,500 x 65,500: refused by the header, nothing allocated */
	assert_int_equal(status_of(bomb, sizeof(bomb) - 1, &error), IMAGE_TOO_LARGE);
}

static void
truncated_files_are_found_from_the_header(void **state)
{
	Bytes		jpeg = make_jpeg(640, 480, false, 0, JCS_RGB);
	Bytes		png = make_png(640, 480, PNG_FORMAT_RGB);
	Bytes		webp = make_webp(640, 480, false);
	ImageError	error;
	ImageInfo	info;

	(void) state;
	assert_int_equal(image_info(jpeg.data, jpeg.size * 6 / 10, &info, &error), IMAGE_OK);
	assert_false(info.complete);
	assert_true(info.present > 0.2 && info.present < 0.99);
	assert_int_equal(status_of(jpeg.data, jpeg.size * 6 / 10, &error), IMAGE_TRUNCATED);
	assert_non_null(strstr(error.message, "JPEG ends at "));
	assert_int_equal(status_of(png.data, png.size - 8, &error), IMAGE_TRUNCATED);
	assert_int_equal(status_of(webp.data, webp.size / 2, &error), IMAGE_TRUNCATED);
	/* junk behind the end is no truncation */
	jpeg.data = realloc(jpeg.data, jpeg.size + 5000);
	assert_non_null(jpeg.data);
	memset(jpeg.data + jpeg.size, 'x', 5000);
	assert_int_equal(status_of(jpeg.data, jpeg.size + 5000, &error), IMAGE_OK);
	free(jpeg.data);
	free(png.data);
	free(webp.data);
}

static void
limits_are_held(void **state)
{
	Bytes		small = make_png(9, 200, PNG_FORMAT_RGB);
	Bytes		thin = make_png(10, 2010, PNG_FORMAT_RGB);
	Bytes		jpeg = make_jpeg(640, 480, false, 0, JCS_RGB);
	ImageInfo	info;
	ImageError	error;
	ImageLimits limits = image_default_limits;

	(void) state;
	assert_int_equal(status_of(small.data, small.size, &error), IMAGE_TOO_SMALL);
	assert_int_equal(status_of(thin.data, thin.size, &error), IMAGE_RATIO);
	assert_int_equal(image_info(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
	limits.max_bytes = 100;
	assert_int_equal(image_check(&info, jpeg.size, &limits, &error), IMAGE_TOO_LARGE);
	limits = image_default_limits;
	limits.max_pixels = 640 * 480 - 1;
	assert_int_equal(image_check(&info, jpeg.size, &limits, &error), IMAGE_TOO_LARGE);
	free(small.data);
	free(thin.data);
	free(jpeg.data);
}

static bool
stop_after(void *arg)
{
	int		   *calls = arg;

	return --*calls < 0;
}

static void
work_can_be_stopped(void **state)
{
	Bytes		inputs[3] = {make_jpeg(1600, 1200, true, 0, JCS_RGB), make_png(1600, 1200, PNG_FORMAT_RGB),
	make_webp(1600, 1200, false)};

	(void) state;
	for (int i = 0; i < 3; i++)
	{
		ImageFit	fit = usual_fit();
		ImagePrepared prepared;
		ImageError	error;
		int			calls = 3;

		fit.stop = stop_after;
		fit.stop_arg = &calls;
		assert_int_equal(image_prepare(inputs[i].data, inputs[i].size, &fit, &prepared, &error),
						 IMAGE_STOPPED);
		free(inputs[i].data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smart_resize_is_qwens),
		cmocka_unit_test(jpegs_are_decoded),
		cmocka_unit_test(orientation_is_applied),
		cmocka_unit_test(small_jpegs_pass_through),
		cmocka_unit_test(png_and_webp_are_decoded),
		cmocka_unit_test(what_is_no_picture_says_so),
		cmocka_unit_test(truncated_files_are_found_from_the_header),
		cmocka_unit_test(limits_are_held),
		cmocka_unit_test(work_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
