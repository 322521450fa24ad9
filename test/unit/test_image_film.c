/*
 * test_image_film.c
 *	  Animated WebP: the first frame on its canvas.  And WebP's container: what memory a
 *	  picture takes, and where its orientation stands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures_more.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define WIDTH	200
#define HEIGHT	160

static ImageFit
fit_to(int64_t max_pixels)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = max_pixels,.quality = 95,.full_chroma = true};

	fit.limits = image_default_limits;
	return fit;
}

/* At full size and shrunk, the result must look like what the file shows. */
static void
check_looks(Bytes film, const Picture *shown, double at_least)
{
	static const int64_t caps[] = {1000000, 20000};

	for (size_t i = 0; i < LENGTH(caps); i++)
	{
		ImageFit	fit = fit_to(caps[i]);
		ImagePrepared prepared;
		ImageError	error = {0};
		Picture		made;
		Picture		wanted;

		if (image_prepare(film.data, film.size, &fit, &prepared, &error) != IMAGE_OK)
			fail_msg("%s", error.message);
		made = picture_of_jpeg(prepared.data, prepared.size);
		if (i == 0)
			assert_true(made.width == shown->width && made.height == shown->height);
		wanted = shrunk(shown, made.width, made.height);
		if (psnr(&made, &wanted) < at_least)
			fail_msg("%d x %d: %.1f dB, at least %.1f wanted", made.width, made.height,
					 psnr(&made, &wanted), at_least);
		image_prepared_free(&prepared);
		free(made.samples);
		free(wanted.samples);
	}
}

/* The picture on white that is that much larger on every side. */
static Picture
on_canvas(const Picture *picture, int left, int top)
{
	Picture		canvas = picture_new(picture->width + 2 * left, picture->height + 2 * top, 3);

	memset(canvas.samples, 255, (size_t) canvas.width * (size_t) canvas.height * 3);
	for (int y = 0; y < picture->height; y++)
		memcpy(at(&canvas, left, y + top), at(picture, 0, y), (size_t) picture->width * 3);
	return canvas;
}

static void
the_first_frame_is_the_picture(void **state)
{
	Picture		picture = scene(WIDTH, HEIGHT);
	Picture		other = negative_of(&picture);
	Picture		alpha = with_alpha(&picture);
	Picture		flat = on_white(&alpha);
	const struct
	{
		Bytes		first;
		const Picture *shown;
	}			kinds[] = {
		{webp_of(&picture, false), &picture}, {webp_of(&picture, true), &picture},
		{webp_of(&alpha, false), &flat}, {webp_of(&alpha, true), &flat}
	};
	Bytes		second = webp_of(&other, false);

	(void) state;
	for (size_t i = 0; i < LENGTH(kinds); i++)
		for (int frames = 1; frames <= 2; frames++)
			for (int left = 0; left <= 30; left += 30)
			{
				Bytes		stills[] = {kinds[i].first, second};
				Bytes		film = webp_film(stills, frames, WIDTH, HEIGHT, left, left / 3 * 2);
				Picture		canvas = on_canvas(kinds[i].shown, left, left / 3 * 2);
				ImageInfo	info;

				assert_int_equal(image_info(film.data, film.size, &info, NULL), IMAGE_OK);
				assert_int_equal(info.width, WIDTH + 2 * left);
				assert_int_equal(info.height, HEIGHT + left / 3 * 4);
				assert_int_equal(info.animated, frames > 1);
				assert_true(info.complete);
				/* what is decoded is the frame, not the canvas */
				assert_in_range(info.memory, WIDTH * HEIGHT * 4, WIDTH * HEIGHT * 9);
				check_looks(film, &canvas, 27);
				free(film.data);
				free(canvas.samples);
			}
	for (size_t i = 0; i < LENGTH(kinds); i++)
		free(kinds[i].first.data);
	free(second.data);
	free(picture.samples);
	free(other.samples);
	free(alpha.samples);
	free(flat.samples);
}

/* A frame that reaches over the canvas, or is of other sides than it says. */
static void
frames_must_lie_on_their_canvas(void **state)
{
	Picture		picture = scene(WIDTH, HEIGHT);
	Bytes		still = webp_of(&picture, false);
	static const struct
	{
		int			left;
		int			top;
		int			width;
		int			height;
		const char *words;
	}			frames[] = {
		{10, 0, WIDTH, HEIGHT, "beyond its canvas"},
		{0, 2, WIDTH, HEIGHT, "beyond its canvas"},
		{0x1fffffe, 0, WIDTH, HEIGHT, "beyond its canvas"},
		{0, 0, 1 << 24, 1 << 24, "beyond its canvas"},
		{0, 0, WIDTH - 2, HEIGHT, "contradicts itself"},
		{0, 0, WIDTH, HEIGHT - 2, "contradicts itself"},
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(frames); i++)
	{
		Bytes		film = begin_webp(WEBP_FILM, WIDTH, HEIGHT);
		ImageFit	fit = fit_to(100000);
		ImagePrepared prepared;
		ImageError	error = {0};

		add_webp_chunk(&film, "ANIM", "\0\0\0\0\0\0", 6);
		add_webp_frame(&film, still, frames[i].left, frames[i].top, frames[i].width, frames[i].height);
		end_webp(&film);
		assert_int_equal(image_prepare(film.data, film.size, &fit, &prepared, &error), IMAGE_BROKEN);
		if (strstr(error.message, frames[i].words) == NULL)
			fail_msg("%zu: %s", i, error.message);
		free(film.data);
	}
	free(still.data);
	free(picture.samples);
}

/* Cut anywhere: as soon as the first frame is there it is taken, and before that never. */
static void
a_cut_film_has_its_first_frame(void **state)
{
	Picture		picture = grained(scene(WIDTH, HEIGHT));
	Bytes		stills[] = {webp_of(&picture, false), webp_of(&picture, true)};
	Bytes		film = webp_film(stills, 2, WIDTH, HEIGHT, 10, 10);
	/* behind the headers of file, canvas, animation and frame, and the frame's own */
	size_t		whole = 30 + 14 + 24 + (stills[0].size - 12);
	ImageFit	fit = fit_to(20000);

	(void) state;
	for (size_t size = 30; size <= film.size; size += 1 + size / 40)
	{
		ImagePrepared prepared;
		ImageError	error = {0};
		ImageStatus status = image_prepare(film.data, size, &fit, &prepared, &error);

		if (status != (size >= whole ? IMAGE_OK : IMAGE_TRUNCATED))
			fail_msg("%zu of %zu bytes: %s", size, film.size, error.message);
		if (status == IMAGE_OK)
			image_prepared_free(&prepared);
		else
			assert_memory_equal(error.message, "WebP ends ", 10);
	}
	free(stills[0].data);
	free(stills[1].data);
	free(film.data);
	free(picture.samples);
}

/* A still picture behind VP8X, as phones and editors write it. */
static Bytes
extended(Bytes still, unsigned flags, int width, int height, const uint8_t *exif, size_t exif_size)
{
	Bytes		webp = begin_webp(flags, width, height);
	Bytes		chunks = picture_chunks(still);

	add_webp_chunk(&webp, "ICCP", "profile", 7);
	add_bytes(&webp, chunks.data, chunks.size);
	if (exif != NULL)
		add_webp_chunk(&webp, "EXIF", exif, exif_size);
	end_webp(&webp);
	free(still.data);
	return webp;
}

/* Memory follows from how the picture is coded, not from what stands beside it. */
static void
memory_is_that_of_the_picture(void **state)
{
	Picture		picture = scene(5000, 4000);
	Picture		small = scene(500, 400);
	Picture		alpha = with_alpha(&small);
	Bytes		large = webp_of(&picture, false);
	ImageInfo	info;
	ImageError	error;

	(void) state;
	assert_int_equal(image_info(large.data, large.size, &info, NULL), IMAGE_OK);
	assert_int_equal(info.memory, (int64_t) 5000 * 4000 * 4);
	large = extended(large, WEBP_EXIF, 5000, 4000, (const uint8_t *) "II*\0", 4);
	assert_int_equal(image_info(large.data, large.size, &info, NULL), IMAGE_OK);
	assert_int_equal(info.memory, (int64_t) 5000 * 4000 * 4);
	assert_int_equal(image_check(&info, large.size, &image_default_limits, &error), IMAGE_OK);
	free(large.data);

	large = webp_of(&alpha, false);
	assert_int_equal(image_info(large.data, large.size, &info, NULL), IMAGE_OK);
	assert_in_range(info.memory, 500 * 400 * 5, 500 * 400 * 9);
	assert_int_equal(info.channels, 4);
	free(large.data);
	large = extended(webp_of(&small, true), 0, 500, 400, NULL, 0);
	assert_int_equal(image_info(large.data, large.size, &info, NULL), IMAGE_OK);
	assert_int_equal(info.memory, 500 * 400 * 8);
	free(large.data);
	free(picture.samples);
	free(small.samples);
	free(alpha.samples);
}

/* A canvas of other sides than its one picture is no still picture. */
static void
a_still_picture_fills_its_canvas(void **state)
{
	Picture		picture = scene(WIDTH, HEIGHT);
	Bytes		webp = extended(webp_of(&picture, false), 0, WIDTH + 2, HEIGHT, NULL, 0);
	ImageFit	fit = fit_to(20000);
	ImagePrepared prepared;
	ImageError	error = {0};

	(void) state;
	assert_int_equal(image_prepare(webp.data, webp.size, &fit, &prepared, &error), IMAGE_BROKEN);
	assert_non_null(strstr(error.message, "contradicts itself"));
	free(webp.data);
	free(picture.samples);
}

/* With JPEG's prefix or without, in either order of bytes, short or long. */
static void
orientation_is_found(void **state)
{
	static const uint8_t tiffs[][26] = {
		"II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0\6\0\0\0\0\0\0",
		"MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0",
		"II*\0\10\0\0\0\1\0\22\1\4\0\1\0\0\0\6\0\0\0\0\0\0",
		"MM\0*\0\0\0\10\0\1\1\22\0\4\0\0\0\1\0\0\0\6\0\0\0",
	};
	Picture		picture = scene(50, 40);

	(void) state;
	for (size_t i = 0; i < LENGTH(tiffs); i++)
		for (int prefix = 0; prefix <= 1; prefix++)
		{
			uint8_t		exif[32] = "Exif\0\0";
			size_t		size = prefix ? 32 : 26;
			Bytes		files[2];

			memcpy(exif + (prefix ? 6 : 0), tiffs[i], 26);
			files[0] = extended(webp_of(&picture, false), WEBP_EXIF, 50, 40, exif, size);
			files[1] = png_with_chunk(png_of(&picture, (PngKind) {0}), "eXIf", exif, size);
			for (int f = 0; f < 2; f++)
			{
				ImageInfo	info;

				assert_int_equal(image_info(files[f].data, files[f].size, &info, NULL), IMAGE_OK);
				if (info.orientation != 6)
					fail_msg("tiff %zu, prefix %d, file %d: %d", i, prefix, f, info.orientation);
				free(files[f].data);
			}
		}
	for (int motorola = 0; motorola <= 1; motorola++)
	{
		Bytes		jpeg = jpeg_of(&picture, 80, (JpegKind) {.orientation = 8,.long_exif = true,.motorola = motorola});
		ImageInfo	info;

		assert_int_equal(image_info(jpeg.data, jpeg.size, &info, NULL), IMAGE_OK);
		assert_int_equal(info.orientation, 8);
		free(jpeg.data);
	}
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_frame_is_the_picture),
		cmocka_unit_test(frames_must_lie_on_their_canvas),
		cmocka_unit_test(a_cut_film_has_its_first_frame),
		cmocka_unit_test(memory_is_that_of_the_picture),
		cmocka_unit_test(a_still_picture_fills_its_canvas),
		cmocka_unit_test(orientation_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
