/*
 * test_image_info.c
 *	  What headers say, and what is refused by them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures_more.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The data in room of exactly its size, so that a byte read too far is noticed. */
static ImageStatus
info_of(const void *data, size_t size, ImageInfo *info, ImageError *error)
{
	uint8_t    *exact = malloc(size);
	ImageStatus status;

	if (size > 0)
		memcpy(exact, data, size);
	memset(error, 0, sizeof(*error));
	status = image_info(exact, size, info, error);
	free(exact);
	return status;
}

static void
check_says(const ImageInfo *info, size_t size, ImageStatus status, const char *words)
{
	ImageError	error = {0};

	assert_int_equal(image_check(info, size, &image_default_limits, &error), status);
	if (status != IMAGE_OK)
	{
		assert_int_equal(error.status, status);
		if (strstr(error.message, words) == NULL)
			fail_msg("'%s' is not in '%s'", words, error.message);
	}
}

static void
jpeg_facts(void **state)
{
	Picture		picture = scene(97, 61);
	Picture		grey = grey_of(&picture);
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {.progressive = true,.orientation = 7});
	ImageInfo	info;
	ImageError	error;

	(void) state;
	assert_int_equal(info_of(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
	assert_int_equal(info.format, IMAGE_FORMAT_JPEG);
	assert_int_equal(info.width, 97);
	assert_int_equal(info.height, 61);
	assert_int_equal(info.channels, 3);
	assert_int_equal(info.bits, 8);
	assert_int_equal(info.orientation, 7);
	assert_int_equal(info.scans, 10);
	assert_true(info.progressive);
	assert_true(info.complete);
	assert_int_equal(info.rows, info.height);
	check_says(&info, jpeg.size, IMAGE_OK, "");
	free(jpeg.data);

	jpeg = jpeg_of(&grey, 90, (JpegKind) {.orientation = 3,.motorola = true});
	assert_int_equal(info_of(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
	assert_int_equal(info.channels, 1);
	assert_int_equal(info.orientation, 3);
	assert_int_equal(info.scans, 1);
	assert_false(info.progressive);
	free(jpeg.data);
	free(picture.samples);
	free(grey.samples);
}

static void
png_facts(void **state)
{
	Picture		picture = scene(50, 40);
	Picture		grey = grey_of(&picture);
	Picture		both = with_alpha(&grey);
	Picture		numbers = numbers_of(&picture);
	Bytes		png[] = {
		png_of(&picture, (PngKind) {.orientation = 6}),
		png_of(&grey, (PngKind) {.bits = 16}),
		png_of(&both, (PngKind) {0}),
		png_of(&numbers, (PngKind) {.palette = true}),
		png_of(&numbers, (PngKind) {.palette = true,.transparent = 5,.interlaced = true}),
		png_of(&grey, (PngKind) {.bits = 2})
	};
	static const int channels[] = {3, 1, 2, 3, 4, 1};
	static const int bits[] = {8, 16, 8, 8, 8, 2};

	(void) state;
	for (size_t i = 0; i < LENGTH(png); i++)
	{
		ImageInfo	info;
		ImageError	error;

		assert_int_equal(info_of(png[i].data, png[i].size, &info, &error), IMAGE_OK);
		assert_int_equal(info.format, IMAGE_FORMAT_PNG);
		assert_int_equal(info.width, 50);
		assert_int_equal(info.height, 40);
		assert_int_equal(info.channels, channels[i]);
		assert_int_equal(info.bits, bits[i]);
		assert_int_equal(info.orientation, i == 0 ? 6 : 1);
		assert_false(info.animated);
		check_says(&info, png[i].size, IMAGE_OK, "");
		free(png[i].data);
	}
	free(picture.samples);
	free(grey.samples);
	free(both.samples);
	free(numbers.samples);
}

static void
webp_and_gif_facts(void **state)
{
	Picture		picture = scene(50, 40);
	Picture		alpha = with_alpha(&picture);
	Picture		numbers = numbers_of(&picture);
	Bytes		files[] = {
		webp_of(&picture, false), webp_of(&alpha, false), webp_of(&picture, true),
		webp_of(&alpha, true), gif_of(&numbers, (GifKind) {0}),
		gif_of(&numbers, (GifKind) {.frames = 3})
	};
	static const int channels[] = {3, 4, 3, 4, 3, 3};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageInfo	info;
		ImageError	error;

		assert_int_equal(info_of(files[i].data, files[i].size, &info, &error), IMAGE_OK);
		assert_int_equal(info.format, i < 4 ? IMAGE_FORMAT_WEBP : IMAGE_FORMAT_GIF);
		assert_int_equal(info.width, 50);
		assert_int_equal(info.height, 40);
		assert_int_equal(info.channels, channels[i]);
		assert_int_equal(info.animated, i == 5);
		assert_true(info.complete);
		check_says(&info, files[i].size, IMAGE_OK, "");
		free(files[i].data);
	}
	free(picture.samples);
	free(alpha.samples);
	free(numbers.samples);
}

/* By content, in words a person can act on. */
static void
foreign_files_are_named(void **state)
{
	static const struct
	{
		const char *data;
		size_t		size;
		ImageStatus status;
		const char *words;
	}			files[] = {
		{"", 0, IMAGE_EMPTY, "empty"},
		{"BM\x36\0\0\0\0\0", 8, IMAGE_UNSUPPORTED, "BMP is not supported"},
		{"II*\0\x08\0\0\0", 8, IMAGE_UNSUPPORTED, "TIFF is not supported"},
		{"MM\0*\0\0\0\x08", 8, IMAGE_UNSUPPORTED, "TIFF is not supported"},
		{"II\xbc\x01\x08\0\0\0", 8, IMAGE_UNSUPPORTED, "JPEG XR is not supported"},
		{"\0\0\1\0\1\0", 6, IMAGE_UNSUPPORTED, "ICO is not supported"},
		{"\0\0\0\fjP  \r\n\x87\n", 12, IMAGE_UNSUPPORTED, "JPEG 2000 is not supported"},
		{"\xff\x0a\x7a\x42\x12\0", 6, IMAGE_UNSUPPORTED, "JPEG XL is not supported"},
		{"P5\n8 8 255\n", 11, IMAGE_UNSUPPORTED, "PGM is not supported"},
		{"P3 8 8 255 1 2 3", 16, IMAGE_UNSUPPORTED, "PPM is not supported"},
		{"P7\nWIDTH 8", 10, IMAGE_UNSUPPORTED, "PAM is not supported"},
		{"P5x", 3, IMAGE_UNKNOWN, "not a picture in any known format"},
		{"\0\0\0\x18" "ftypheic\0\0\0\0", 16, IMAGE_UNSUPPORTED, "HEIC is not supported"},
		{"\0\0\0\x18" "ftypmif1\0\0\0\0mif1heix", 24, IMAGE_UNSUPPORTED, "HEIC is not supported"},
		{"\0\0\0\x18" "ftypmif1\0\0\0\0mif1miaf", 24, IMAGE_UNSUPPORTED, "HEIF is not supported"},
		{"\0\0\0\x14" "ftypvivo\0\0\0\0vivo\0\0\0\x26meta\0\0\0\0\0\0\0\x12hdlr\0\0pict\0\0\0\x0chvc1\0\0\0\0", 58,
		IMAGE_UNSUPPORTED, "HEIC is not supported"},
		{"\0\0\0\x18" "ftypcrx \0\0\0\1crx isom", 24, IMAGE_UNSUPPORTED, "a camera's raw file is not supported"},
		{"\0\0\0\x18" "ftypM4A \0\0\0\0", 16, IMAGE_UNKNOWN, "a sound, not a picture"},
		{"\0\0\0\x18" "ftypisom\0\0\0\0", 16, IMAGE_UNKNOWN, "a video"},
		{"\0\0\0\x14" "ftypqt  \0\0\0\0qt  ", 20, IMAGE_UNKNOWN, "a video, not a picture"},
		{"<svg xmlns=''/>", 15, IMAGE_UNSUPPORTED, "SVG is not supported"},
		{"<?xml version='1.0'?>\n<svg/>", 28, IMAGE_UNSUPPORTED, "SVG is not supported"},
		{"<!-- <html> --><s:svg/>", 23, IMAGE_UNSUPPORTED, "SVG is not supported"},
		{"\xff\xfe<\0s\0v\0g\0 \0", 12, IMAGE_UNSUPPORTED, "SVG is not supported"},
		{"<?xml version='1.0'?><feed><svg/></feed>", 40, IMAGE_UNKNOWN, "an XML document, not a picture"},
		{"data:image/png;base64,iVBOR", 27, IMAGE_UNKNOWN, "a data URL, not a picture"},
		{"version https://git-lfs.github.com/spec/v1\n", 43, IMAGE_UNKNOWN, "a Git LFS pointer, not a picture"},
		{"%PDF-1.7", 8, IMAGE_UNKNOWN, "a PDF document, not a picture"},
		{"<!DOCTYPE html><title>404</title>", 33, IMAGE_UNKNOWN, "an HTML page, not a picture"},
		{"\xef\xbb\xbf\r\n <HTML>", 11, IMAGE_UNKNOWN, "an HTML page, not a picture"},
		{"{\"error\":404}", 13, IMAGE_UNKNOWN, "a JSON document, not a picture"},
		{"hello", 5, IMAGE_UNKNOWN, "not a picture in any known format"},
		{"\xff", 1, IMAGE_UNKNOWN, "not a picture"},
		{"\xff\xd8\xff\xe0\0\x10JFIF", 10, IMAGE_TRUNCATED, "JPEG ends in its header"},
		{"\xff\xd8\xff\xd9", 4, IMAGE_BROKEN, "no picture"},
		{"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, IMAGE_TRUNCATED, "PNG ends in its header"},
		{"RIFF\x20\0\0\0WEBPVP8 ", 16, IMAGE_TRUNCATED, "WebP ends in its header"},
		{"GIF89a\1\0\1\0", 10, IMAGE_TRUNCATED, "GIF ends in its header"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageInfo	info;
		ImageError	error;
		ImageStatus status = info_of(files[i].data, files[i].size, &info, &error);

		if (status != files[i].status || strstr(error.message, files[i].words) == NULL)
			fail_msg("%zu: %s, '%s'", i, image_status_name(status), error.message);
		assert_int_equal(error.status, status);
	}
}

/* What a document is stands in its first element, behind a type that fills pages. */
static void
an_svg_is_told_behind_a_long_type(void **state)
{
	static const char *const types[] = {
		"<!ENTITY ns_%d \"http://ns.example.org/a>b]/%d\">\n", "<!-- ]> %d <svg %d -->\n", "<!ATTLIST a b%d CDATA '%d'>\n"
	};
	ImageInfo	info;
	ImageError	error;

	(void) state;
	for (size_t i = 0; i < LENGTH(types); i++)
		for (int svg = 0; svg <= 1; svg++)
		{
			char	   *text = malloc(400000);
			int			size = sprintf(text, "\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by hand -->\n"
									   "<!DOCTYPE %s PUBLIC \"-//W3C//DTD SVG 1.1//EN\" 'x' [\n", svg ? "svg" : "x");

			for (int n = 0; n < 5000; n++)
				size += sprintf(text + size, types[i], n, n);
			size += sprintf(text + size, "]>\n<%s width='3'/>", svg ? "svg" : "table");
			assert_int_equal(info_of(text, (size_t) size, &info, &error),
							 svg ? IMAGE_UNSUPPORTED : IMAGE_UNKNOWN);
			assert_string_equal(error.message, svg ? "SVG is not supported" : "an XML document, not a picture");
			/* cut within: the type has a name too */
			assert_int_equal(info_of(text, (size_t) size / 2, &info, &error),
							 svg ? IMAGE_UNSUPPORTED : IMAGE_UNKNOWN);
			free(text);
		}
}

/* Two thirds of the bytes of each format: refused by the header where it tells how far they go. */
static void
truncated_files_are_refused(void **state)
{
	Picture		picture = grained(scene(640, 480));
	Picture		numbers = numbers_of(&picture);
	Bytes		files[] = {
		jpeg_of(&picture, 95, (JpegKind) {0}),
		jpeg_of(&picture, 95, (JpegKind) {.progressive = true}),
		png_of(&picture, (PngKind) {0}),
		png_of(&picture, (PngKind) {.interlaced = true}),
		webp_of(&picture, false),
		gif_of(&numbers, (GifKind) {0})
	};
	/* that the last scan or pass is cut only decoding would tell */
	static const int least[] = {250, 0, 250, 0, 250, 250};
	static const bool unknown[] = {false, true, false, true, false, false};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageInfo	info;
		ImageError	error;

		assert_int_equal(info_of(files[i].data, files[i].size * 2 / 3, &info, &error), IMAGE_OK);
		assert_false(info.complete);
		assert_int_equal(info.width, 640);
		assert_int_equal(info.height, 480);
		assert_in_range(info.rows + unknown[i], least[i], least[i] * 3 / 2);
		check_says(&info, files[i].size * 2 / 3, unknown[i] ? IMAGE_OK : IMAGE_TRUNCATED,
				   " ends early, after ");
		/* the very last byte counts; WebP's and PNG's may be padding */
		assert_int_equal(info_of(files[i].data, files[i].size - (i < 2 || i > 4 ? 1 : 9), &info,
								 &error), IMAGE_OK);
		assert_false(info.complete);
		free(files[i].data);
	}
	free(picture.samples);
	free(numbers.samples);
}

/* Cameras append films and more; an end is looked for before that. */
static void
junk_behind_the_end_is_no_matter(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		files[] = {
		jpeg_of(&picture, 80, (JpegKind) {0}), jpeg_of(&picture, 80, (JpegKind) {.progressive = true}),
		png_of(&picture, (PngKind) {0}), webp_of(&picture, false)
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageInfo	info;
		ImageError	error;

		files[i].data = realloc(files[i].data, files[i].size + 100000);
		memset(files[i].data + files[i].size, i, 100000);
		assert_int_equal(info_of(files[i].data, files[i].size + 100000, &info, &error), IMAGE_OK);
		assert_true(info.complete);
		free(files[i].data);
	}
	free(picture.samples);
}

/* The thumbnail in a header has an end marker of its own, which is not the picture's. */
static void
a_thumbnails_end_is_not_the_end(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {0});
	static const uint8_t comment[] = {0xFF, 0xFE, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9};
	uint8_t    *both = malloc(jpeg.size + sizeof(comment));
	ImageInfo	info;
	ImageError	error;

	(void) state;
	memcpy(both, jpeg.data, 2);
	memcpy(both + 2, comment, sizeof(comment));
	memcpy(both + 2 + sizeof(comment), jpeg.data + 2, jpeg.size - 2);
	assert_int_equal(info_of(both, jpeg.size + sizeof(comment), &info, &error), IMAGE_OK);
	assert_true(info.complete);
	assert_int_equal(info_of(both, jpeg.size + sizeof(comment) - 2, &info, &error), IMAGE_OK);
	assert_false(info.complete);
	free(both);
	free(jpeg.data);
	free(picture.samples);
}

static void
limits_hold(void **state)
{
	static const struct
	{
		int			width;
		int			height;
		ImageStatus status;
	}			sides[] = {
		{65500, 65500, IMAGE_TOO_LARGE}, {65501, 400, IMAGE_TOO_LARGE}, {9, 100, IMAGE_TOO_SMALL},
		{100, 9, IMAGE_TOO_SMALL}, {10, 2000, IMAGE_OK}, {10, 2001, IMAGE_RATIO},
		{2001, 10, IMAGE_RATIO}, {10, 10, IMAGE_OK}, {12000, 12000, IMAGE_OK},
		{13000, 13000, IMAGE_TOO_LARGE}
	};
	ImageInfo	info = {.format = IMAGE_FORMAT_JPEG,.complete = true,.scans = 1};
	ImageLimits none = {0};

	(void) state;
	for (size_t i = 0; i < LENGTH(sides); i++)
	{
		info.width = sides[i].width;
		info.height = sides[i].height;
		check_says(&info, 1000, sides[i].status, "pixels");
		assert_int_equal(image_check(&info, 1000, &none, NULL), IMAGE_OK);
	}
	info.width = info.height = 100;
	check_says(&info, (32u << 20) + 1, IMAGE_TOO_LARGE, "bytes, over the limit of 33554432");
	check_says(&info, 32u << 20, IMAGE_OK, "");
	info.scans = 100;
	check_says(&info, 1000, IMAGE_OK, "");
	info.scans = 101;
	check_says(&info, 1000, IMAGE_TOO_LARGE, "101 scans");
}

/* What cameras write is taken: 48 and 50 million pixels, progressive, colours halved. */
static void
large_progressive_jpegs_are_taken(void **state)
{
	static const int sides[][2] = {{8000, 6000}, {8192, 6144}, {6144, 8192}};
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {.progressive = true});
	ImageInfo	info;
	ImageError	error;

	(void) state;
	for (size_t i = 0; i + 9 < jpeg.size; i++)
		if (jpeg.data[i] == 0xFF && jpeg.data[i + 1] == 0xC2)
			for (size_t s = 0; s < LENGTH(sides); s++)
			{
				put_be(jpeg.data + i + 5, (unsigned) sides[s][1], 2);
				put_be(jpeg.data + i + 7, (unsigned) sides[s][0], 2);
				assert_int_equal(info_of(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
				assert_int_equal(info.width, sides[s][0]);
				check_says(&info, jpeg.size, IMAGE_OK, "");
			}
	free(jpeg.data);
	free(picture.samples);
}

/* A header alone may claim anything; nothing is allocated for it. */
static void
bombs_are_refused_by_their_header(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {0});
	Bytes		png = png_of(&picture, (PngKind) {0});
	ImageInfo	info;
	ImageError	error;

	(void) state;
	for (size_t i = 0; i + 9 < jpeg.size; i++)
		if (jpeg.data[i] == 0xFF && jpeg.data[i + 1] == 0xC0)
		{
			memcpy(jpeg.data + i + 5, "\xff\xdc\xff\xdc", 4);
			break;
		}
	assert_int_equal(info_of(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
	assert_int_equal(info.width, 65500);
	assert_int_equal(info.height, 65500);
	check_says(&info, jpeg.size, IMAGE_TOO_LARGE, "65500 x 65500 pixels");
	/* also where its end is missing and must be looked for by decoding */
	assert_int_equal(info_of(jpeg.data, jpeg.size - 2, &info, &error), IMAGE_OK);
	check_says(&info, jpeg.size, IMAGE_TOO_LARGE, "65500 x 65500 pixels");

	memcpy(png.data + 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8);
	assert_int_equal(info_of(png.data, png.size - 12, &info, &error), IMAGE_OK);
	check_says(&info, png.size, IMAGE_TOO_LARGE, "2147483647 x 2147483647 pixels");
	memset(png.data + 16, 255, 8);
	assert_int_equal(info_of(png.data, png.size, &info, &error), IMAGE_BROKEN);
	free(jpeg.data);
	free(png.data);
	free(picture.samples);
}

static void
scans_are_counted(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {.progressive = true,.scans = 150});
	ImageInfo	info;
	ImageError	error;

	(void) state;
	assert_int_equal(info_of(jpeg.data, jpeg.size, &info, &error), IMAGE_OK);
	assert_int_equal(info.scans, 150);
	check_says(&info, jpeg.size, IMAGE_TOO_LARGE, "JPEG of 150 scans, over the limit of 100");
	free(jpeg.data);
	free(picture.samples);
}

/* An intake of thousands a second must not feel it; the bound is for sanitized builds. */
static void
a_header_costs_little(void **state)
{
	Picture		picture = scene(1024, 768);
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {.orientation = 1});
	struct timespec from;
	struct timespec to;
	ImageInfo	info;
	double		seconds;

	(void) state;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (int i = 0; i < 20000; i++)
		(void) image_info(jpeg.data, jpeg.size, &info, NULL);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	seconds = (double) (to.tv_sec - from.tv_sec) + (double) (to.tv_nsec - from.tv_nsec) / 1e9;
	print_message("%.0f headers/s\n", 20000 / seconds);
	assert_true(seconds < 2);
	free(jpeg.data);
	free(picture.samples);
}

static void
names_are_the_promised(void **state)
{
	(void) state;
	assert_string_equal(image_format_name(IMAGE_FORMAT_JPEG), "jpeg");
	assert_string_equal(image_format_name(IMAGE_FORMAT_GIF), "gif");
	assert_string_equal(image_status_name(IMAGE_OK), "ok");
	assert_string_equal(image_status_name(IMAGE_TRUNCATED), "truncated");
	assert_string_equal(image_status_name(IMAGE_STOPPED), "stopped");
}

/* How far it goes is found out by decoding, but not of a giant that a few bytes announce. */
static void
a_cut_giant_is_not_decoded(void **state)
{
	Picture		picture = scene(4200, 4200);
	Bytes		files[] = {webp_of(&picture, false), png_of(&picture, (PngKind) {0})};
	ImageInfo	info;

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		assert_int_equal(image_info(files[i].data, files[i].size * 2 / 3, &info, NULL), IMAGE_OK);
		assert_int_equal(info.width, 4200);
		assert_false(info.complete);
		assert_int_equal(info.rows, -1);
		free(files[i].data);
	}
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jpeg_facts),
		cmocka_unit_test(png_facts),
		cmocka_unit_test(webp_and_gif_facts),
		cmocka_unit_test(foreign_files_are_named),
		cmocka_unit_test(an_svg_is_told_behind_a_long_type),
		cmocka_unit_test(truncated_files_are_refused),
		cmocka_unit_test(junk_behind_the_end_is_no_matter),
		cmocka_unit_test(a_thumbnails_end_is_not_the_end),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(large_progressive_jpegs_are_taken),
		cmocka_unit_test(bombs_are_refused_by_their_header),
		cmocka_unit_test(scans_are_counted),
		cmocka_unit_test(a_header_costs_little),
		cmocka_unit_test(a_cut_giant_is_not_decoded),
		cmocka_unit_test(names_are_the_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
