/*
 * test_image_whole.c
 *	  Files that end early: taken where the picture in them is whole, and never else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures_more.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static ImageFit
small_fit(void)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 28 * 28 * 2,.quality = 90};

	fit.limits = image_default_limits;
	return fit;
}

/* The status of the first size bytes, in room of exactly that size; the JPEG where it is OK. */
static ImageStatus
prepare(Bytes file, size_t size, Bytes *jpeg, ImageInfo *info, ImageError *error)
{
	Bytes		exact = copy_of(file, size);
	ImageFit	fit = small_fit();
	ImagePrepared prepared;
	ImageStatus status;

	memset(error, 0, sizeof(*error));
	status = image_prepare(exact.data, size, &fit, &prepared, error);
	*info = prepared.source;
	*jpeg = (Bytes) {prepared.data, prepared.size};
	if (status == IMAGE_OK && prepared.passed_through)
		fail_msg("passed through, though it had to shrink");
	free(exact.data);
	return status;
}

/* The first size bytes are taken, and as if the file were all there. */
static void
check_whole(Bytes file, size_t size)
{
	Bytes		jpeg;
	Bytes		other;
	ImageInfo	info;
	ImageError	error;

	assert_int_equal(prepare(file, file.size, &jpeg, &info, &error), IMAGE_OK);
	assert_true(info.complete);
	assert_int_equal(info.rows, info.height);
	if (prepare(file, size, &other, &info, &error) != IMAGE_OK)
		fail_msg("of %zu bytes %zu: %s", file.size, size, error.message);
	assert_false(info.complete);
	assert_false(image_is_cut(&info));
	assert_int_equal(jpeg.size, other.size);
	assert_memory_equal(jpeg.data, other.data, jpeg.size);
	free(jpeg.data);
	free(other.data);
}

/* They are refused, in these words. */
static void
check_cut(Bytes file, size_t size, const char *words)
{
	Bytes		jpeg;
	ImageInfo	info;
	ImageError	error;
	ImageStatus status = prepare(file, size, &jpeg, &info, &error);

	if (status != IMAGE_TRUNCATED || strstr(error.message, words) == NULL)
		fail_msg("of %zu bytes %zu: %s, '%s', not '%s'", file.size, size, image_status_name(status),
				 error.message, words);
	assert_null(jpeg.data);
}

/* A crawler's limit of bytes cuts films, whose first frame is there. */
static void
a_films_first_frame_is_enough(void **state)
{
	Picture		picture = grained(scene(200, 160));
	Picture		numbers = numbers_of(&picture);
	Bytes		gif = gif_of(&numbers, (GifKind) {.frames = 20});
	Bytes		lines = gif_of(&numbers, (GifKind) {.frames = 20,.interlaced = true});
	Bytes		png = png_film(png_of(&picture, (PngKind) {0}), 6);

	(void) state;
	check_whole(gif, gif.size / 10);
	check_whole(lines, lines.size / 10);
	check_whole(png, png.size * 3 / 10);
	/* but all of it */
	check_cut(gif, gif.size / 40, "GIF ends early, after ");
	check_cut(lines, lines.size / 40, "GIF ends early, in its first frame");
	check_cut(png, png.size / 10, "PNG ends early, after ");
	free(gif.data);
	free(lines.data);
	free(png.data);
	free(picture.samples);
	free(numbers.samples);
}

static void
an_end_mark_is_not_the_picture(void **state)
{
	Picture		picture = scene(200, 160);
	Picture		grey = grey_of(&picture);
	Picture		alpha = with_alpha(&picture);
	Picture		numbers = numbers_of(&picture);
	Bytes		gifs[] = {gif_of(&numbers, (GifKind) {0}), gif_of(&numbers, (GifKind) {.interlaced = true})};
	Bytes		pngs[] = {
		png_of(&picture, (PngKind) {0}), png_of(&picture, (PngKind) {.interlaced = true}),
		png_of(&alpha, (PngKind) {0}), png_of(&grey, (PngKind) {.bits = 1}),
		png_of(&numbers, (PngKind) {.palette = true,.interlaced = true})
	};
	Bytes		jpegs[] = {
		jpeg_of(&picture, 90, (JpegKind) {0}), jpeg_of(&picture, 90, (JpegKind) {.progressive = true}),
		jpeg_of(&picture, 90, (JpegKind) {.parts = true}), jpeg_of(&grey, 90, (JpegKind) {0}),
		jpeg_of(&grey, 90, (JpegKind) {.progressive = true}),
		jpeg_of(&picture, 90, (JpegKind) {.restart = 3}), jpeg_of(&picture, 90, (JpegKind) {.orientation = 6})
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(gifs); i++)
	{
		/* the trailer, and the empty block that ends the frame's data */
		check_whole(gifs[i], gifs[i].size - 1);
		check_whole(gifs[i], gifs[i].size - 2);
		free(gifs[i].data);
	}
	for (size_t i = 0; i < LENGTH(pngs); i++)
	{
		/* half of IEND, all of it, and the check sum of the data */
		check_whole(pngs[i], pngs[i].size - 7);
		check_whole(pngs[i], pngs[i].size - 12);
		check_whole(pngs[i], pngs[i].size - 14);
		free(pngs[i].data);
	}
	for (size_t i = 0; i < LENGTH(jpegs); i++)
	{
		check_whole(jpegs[i], jpegs[i].size - 1);
		check_whole(jpegs[i], jpegs[i].size - 2);
		free(jpegs[i].data);
	}
	free(picture.samples);
	free(grey.samples);
	free(alpha.samples);
	free(numbers.samples);
}

/* Without its end marker a baseline JPEG is taken, but its own bytes are not sent on. */
static void
what_has_no_end_is_not_passed_through(void **state)
{
	Picture		picture = scene(200, 160);
	Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {0});
	ImageFit	fit = small_fit();
	ImagePrepared prepared;

	(void) state;
	fit.max_pixels = 1000000;
	assert_int_equal(image_prepare(jpeg.data, jpeg.size, &fit, &prepared, NULL), IMAGE_OK);
	assert_true(prepared.passed_through);
	assert_int_equal(image_prepare(jpeg.data, jpeg.size - 2, &fit, &prepared, NULL), IMAGE_OK);
	assert_false(prepared.passed_through);
	assert_int_equal(prepared.source.rows, 160);
	image_prepared_free(&prepared);
	free(jpeg.data);
	free(picture.samples);
}

/* What a person reads is what is missing. */
static void
reasons_say_what_is_missing(void **state)
{
	Picture		picture = grained(scene(640, 480));
	Picture		numbers = numbers_of(&picture);
	Bytes		jpeg = jpeg_of(&picture, 95, (JpegKind) {0});
	Bytes		scans = jpeg_of(&picture, 95, (JpegKind) {.progressive = true});
	Bytes		png = png_of(&picture, (PngKind) {0});
	Bytes		passes = png_of(&picture, (PngKind) {.interlaced = true});
	Bytes		webp = webp_of(&picture, false);
	Bytes		gif = gif_of(&numbers, (GifKind) {0});
	size_t		last = 0;
	ImageInfo	info;
	ImageError	error;
	Bytes		made;

	(void) state;
	check_cut(jpeg, jpeg.size * 99 / 100, "JPEG ends early, after 4");
	check_cut(jpeg, jpeg.size / 2, "JPEG ends early, after 1");
	check_cut(png, png.size * 99 / 100, "PNG ends early, after 47");
	check_cut(passes, passes.size * 9 / 10, "PNG ends early, in pass 7 of 7");
	check_cut(webp, webp.size * 9 / 10, "WebP ends early, after ");
	check_cut(webp, 40, "WebP ends early, before its first row");
	check_cut(gif, gif.size / 2, "GIF ends early, after 2");
	/* the last scan of a progressive picture cut, and missing */
	check_cut(scans, scans.size - 100, "JPEG ends early: a scan is cut");
	for (size_t i = 0; i + 1 < scans.size; i++)
		if (scans.data[i] == 0xFF && scans.data[i + 1] == 0xDA)
			last = i;
	check_cut(scans, last, "JPEG ends early: scans are missing");
	/* the header knows that, so no row waits for it to be found out */
	assert_int_equal(image_info(scans.data, last, &info, NULL), IMAGE_OK);
	assert_int_equal(image_check(&info, last, &image_default_limits, &error), IMAGE_TRUNCATED);
	assert_int_equal(image_info(scans.data, scans.size - 2, &info, NULL), IMAGE_OK);
	assert_int_equal(image_check(&info, scans.size - 2, &image_default_limits, &error), IMAGE_OK);
	assert_int_equal(info.rows, -1);
	/* one that ends where a restart marker is due */
	free(jpeg.data);
	jpeg = jpeg_of(&picture, 95, (JpegKind) {.restart = 1});
	for (size_t i = jpeg.size / 2; i + 1 < jpeg.size; i++)
		if (jpeg.data[i] == 0xFF && jpeg.data[i + 1] >= 0xD0 && jpeg.data[i + 1] <= 0xD7)
		{
			check_cut(jpeg, i, "JPEG ends early, after 2");
			break;
		}
	assert_int_equal(prepare(jpeg, jpeg.size, &made, &info, &error), IMAGE_OK);
	free(made.data);
	free(jpeg.data);
	free(scans.data);
	free(png.data);
	free(passes.data);
	free(webp.data);
	free(gif.data);
	free(picture.samples);
	free(numbers.samples);
}

/*
 * However many bytes are missing: the file is refused, or what is made of it is what is
 * made of all of it.
 */
static void
no_cut_changes_a_picture(void **state)
{
	Picture		picture = grained(scene(64, 56));
	Picture		other = negative_of(&picture);
	Picture		alpha = with_alpha(&picture);
	Picture		grey = grey_of(&picture);
	Picture		numbers = numbers_of(&picture);
	Bytes		stills[] = {webp_of(&alpha, false), webp_of(&other, true), webp_of(&other, false)};
	Bytes		files[] = {
		jpeg_of(&picture, 80, (JpegKind) {.orientation = 2}),
		jpeg_of(&picture, 80, (JpegKind) {.progressive = true}),
		jpeg_of(&grey, 80, (JpegKind) {.progressive = true}),
		jpeg_of(&picture, 80, (JpegKind) {.parts = true}), jpeg_of(&picture, 80, (JpegKind) {.restart = 1}),
		png_of(&picture, (PngKind) {.orientation = 2}), png_of(&alpha, (PngKind) {.interlaced = true}),
		png_film(png_of(&picture, (PngKind) {0}), 2),
		webp_of(&picture, true), webp_of(&alpha, true), webp_of(&picture, false), webp_of(&alpha, false),
		webp_film(stills, 3, 64, 56, 10, 6),
		gif_of(&numbers, (GifKind) {.transparent = 3}), gif_of(&numbers, (GifKind) {.interlaced = true,.frames = 2}),
#ifdef LLAVA_WITH_AVIF
		avif_of(&alpha, (AvifKind) {0})
#endif
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		Bytes		whole;
		ImageInfo	info;
		ImageError	error;
		int			taken = 0;

		assert_int_equal(prepare(files[i], files[i].size, &whole, &info, &error), IMAGE_OK);
		/* in the headers and at the end each byte, and some between */
		for (size_t size = 0; size < files[i].size; size += size > 200 && size + 80 < files[i].size ? 11 : 1)
		{
			Bytes		made;
			ImageStatus status = prepare(files[i], size, &made, &info, &error);

			assert_int_equal(status, error.status);
			if (status != IMAGE_OK)
			{
				assert_true(error.message[0] != '\0');
				continue;
			}
			taken++;
			if (made.size != whole.size || memcmp(made.data, whole.data, whole.size) != 0)
				fail_msg("file %zu of %zu bytes is another picture with %zu", i, files[i].size, size);
			free(made.data);
		}
		print_message("file %zu: %zu bytes, taken with %d fewer\n", i, files[i].size, taken);
		free(whole.data);
		free(files[i].data);
	}
	for (size_t i = 0; i < LENGTH(stills); i++)
		free(stills[i].data);
	free(picture.samples);
	free(other.samples);
	free(alpha.samples);
	free(grey.samples);
	free(numbers.samples);
}

/* A baseline JPEG that would be sent as it is is decoded all the same, hash or not. */
static void
no_damaged_jpeg_passes(void **state)
{
	Picture		picture = grained(scene(200, 160));
	Bytes		jpeg = jpeg_of(&picture, 90, (JpegKind) {0});
	ImageFit	fit = small_fit();
	ImagePrepared prepared;
	ImageError	error = {0};

	(void) state;
	fit.max_pixels = 1000000;
	assert_int_equal(image_prepare(jpeg.data, jpeg.size, &fit, &prepared, &error), IMAGE_OK);
	assert_true(prepared.passed_through);
	/* a restart marker where none can be */
	memcpy(jpeg.data + jpeg.size / 2, "\xff\xd3\xff\xd3", 4);
	for (int hash = 0; hash <= 1; hash++)
	{
		fit.hash = hash;
		assert_int_not_equal(image_prepare(jpeg.data, jpeg.size, &fit, &prepared, &error), IMAGE_OK);
		assert_non_null(strstr(error.message, "JPEG "));
	}
	free(jpeg.data);
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_films_first_frame_is_enough),
		cmocka_unit_test(an_end_mark_is_not_the_picture),
		cmocka_unit_test(what_has_no_end_is_not_passed_through),
		cmocka_unit_test(reasons_say_what_is_missing),
		cmocka_unit_test(no_cut_changes_a_picture),
		cmocka_unit_test(no_damaged_jpeg_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
