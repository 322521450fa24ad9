/*
 * test_image_avif.c
 *	  AVIF: every depth, sampling and layout that its encoders write, and what is refused.
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
fit_to(int64_t max_pixels)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = max_pixels,.quality = 98,.full_chroma = true};

	fit.limits = image_default_limits;
	return fit;
}

#ifdef LLAVA_WITH_AVIF

/* What the model would decode. */
static Picture
made_of(Bytes file, int64_t max_pixels, ImageInfo *info)
{
	ImageFit	fit = fit_to(max_pixels);
	ImagePrepared prepared;
	ImageError	error = {0};
	Picture		made;

	if (image_prepare(file.data, file.size, &fit, &prepared, &error) != IMAGE_OK)
		fail_msg("%s", error.message);
	*info = prepared.source;
	made = picture_of_jpeg(prepared.data, prepared.size);
	image_prepared_free(&prepared);
	return made;
}

static void
check_looks(Bytes file, const Picture *shown, double at_least, ImageInfo *info)
{
	static const int64_t caps[] = {1000000, 20000};

	for (size_t i = 0; i < LENGTH(caps); i++)
	{
		Picture		made = made_of(file, caps[i], info);
		Picture		wanted = shrunk(shown, made.width, made.height);

		if (i == 0)
			assert_true(made.width == shown->width && made.height == shown->height);
		if (psnr(&made, &wanted) < at_least)
			fail_msg("%d x %d: %.1f dB, at least %.1f wanted", made.width, made.height,
					 psnr(&made, &wanted), at_least);
		free(made.samples);
		free(wanted.samples);
	}
}

static void
every_depth_and_sampling_looks_right(void **state)
{
	static const avifPixelFormat samplings[] = {
		AVIF_PIXEL_FORMAT_YUV444, AVIF_PIXEL_FORMAT_YUV422, AVIF_PIXEL_FORMAT_YUV420, AVIF_PIXEL_FORMAT_YUV400
	};
	/* an odd side, and more rows than a band has */
	Picture		picture = scene(201, 163);
	Picture		grey = grey_of(&picture);

	(void) state;
	for (int depth = 8; depth <= 12; depth += 2)
		for (size_t s = 0; s < LENGTH(samplings); s++)
			for (int alpha = 0; alpha <= 1; alpha++)
				for (int limited = 0; limited <= 1; limited++)
				{
					AvifKind	kind = {.depth = depth,.chroma = samplings[s],.limited = limited};
					bool		is_grey = samplings[s] == AVIF_PIXEL_FORMAT_YUV400;
					Picture		both = with_alpha(is_grey ? &grey : &picture);
					Picture		flat = on_white(&both);
					Bytes		avif = avif_of(alpha ? &both : is_grey ? &grey : &picture, kind);
					ImageInfo	info;

					check_looks(avif, alpha ? &flat : is_grey ? &grey : &picture, 32, &info);
					assert_int_equal(info.format, IMAGE_FORMAT_AVIF);
					assert_int_equal(info.width, 201);
					assert_int_equal(info.height, 163);
					assert_int_equal(info.bits, depth);
					assert_int_equal(info.channels, (is_grey ? 1 : 3) + alpha);
					assert_int_equal(info.orientation, 1);
					assert_true(info.complete && !info.animated);
					assert_int_equal(info.rows, 163);
					free(avif.data);
					free(both.samples);
					free(flat.samples);
				}
	free(picture.samples);
	free(grey.samples);
}

/* Turned against the clock by quarters, and then mirrored. */
static Picture
displayed(const Picture *stored, int quarters, int mirror)
{
	bool		swapped = quarters % 2 == 1;
	int			w = stored->width;
	int			h = stored->height;
	Picture		shown = picture_new(swapped ? h : w, swapped ? w : h, stored->channels);

	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
		{
			int			to_x = quarters == 0 ? x : quarters == 1 ? y : quarters == 2 ? w - 1 - x : h - 1 - y;
			int			to_y = quarters == 0 ? y : quarters == 1 ? w - 1 - x : quarters == 2 ? h - 1 - y : x;

			if (mirror == 1)
				to_y = shown.height - 1 - to_y;
			if (mirror == 2)
				to_x = shown.width - 1 - to_x;
			memcpy(at(&shown, to_x, to_y), at(stored, x, y), (size_t) stored->channels);
		}
	return shown;
}

static void
turned_and_mirrored_ones_come_upright(void **state)
{
	Picture		stored = scene(200, 160);

	(void) state;
	for (int quarters = 0; quarters < 4; quarters++)
		for (int mirror = 0; mirror <= 2; mirror++)
		{
			Picture		shown = displayed(&stored, quarters, mirror);
			Bytes		avif = avif_of(&stored, (AvifKind) {.quarters = quarters + 1,.mirror = mirror});
			ImageInfo	info;

			check_looks(avif, &shown, 32, &info);
			assert_int_equal(info.width, 200);
			free(avif.data);
			free(shown.samples);
		}
	free(stored.samples);
}

static Picture
part_of(const Picture *from, int left, int top, int width, int height)
{
	Picture		part = picture_new(width, height, from->channels);

	for (int y = 0; y < height; y++)
		memcpy(at(&part, 0, y), at(from, left, top + y), (size_t) width * (size_t) from->channels);
	return part;
}

static void
grids_are_put_together(void **state)
{
	Picture		picture = scene(256, 192);
	Picture		alpha = with_alpha(&picture);
	Picture		flat = on_white(&alpha);

	(void) state;
	for (int with = 0; with <= 1; with++)
	{
		Picture		cells[6];
		ImageInfo	info;
		Bytes		avif;

		for (int i = 0; i < 6; i++)
			cells[i] = part_of(with ? &alpha : &picture, i % 2 * 128, i / 2 * 64, 128, 64);
		avif = avif_of(cells, (AvifKind) {.columns = 2,.rows = 3,.chroma = AVIF_PIXEL_FORMAT_YUV420});
		check_looks(avif, with ? &flat : &picture, 32, &info);
		assert_int_equal(info.width, 256);
		assert_int_equal(info.height, 192);
		assert_int_equal(info.channels, with ? 4 : 3);
		free(avif.data);
		for (int i = 0; i < 6; i++)
			free(cells[i].samples);
	}
	free(picture.samples);
	free(alpha.samples);
	free(flat.samples);
}

/* Also where the file ends behind it. */
static void
of_a_sequence_the_first_frame_is_taken(void **state)
{
	Picture		picture = grained(scene(200, 160));
	Picture		other = negative_of(&picture);
	Picture		frames[] = {picture, other, picture, other, picture, other};
	Bytes		avif = avif_of(frames, (AvifKind) {.frames = 6});
	int			taken = 0;
	ImageInfo	info;

	(void) state;
	check_looks(avif, &picture, 30, &info);
	assert_true(info.animated);
	assert_true(info.complete);
	for (size_t size = 0; size < avif.size; size += 1 + avif.size / 100)
	{
		ImageFit	fit = fit_to(1000000);
		ImagePrepared prepared;
		ImageError	error = {0};
		Picture		made;

		if (image_prepare(avif.data, size, &fit, &prepared, &error) != IMAGE_OK)
		{
			assert_int_equal(prepared.source.complete, false);
			continue;
		}
		taken++;
		assert_false(prepared.source.complete);
		made = picture_of_jpeg(prepared.data, prepared.size);
		assert_true(psnr(&made, &picture) > 30);
		free(made.samples);
		image_prepared_free(&prepared);
	}
	print_message("of 100 cuts %d were taken\n", taken);
	assert_true(taken > 20);
	free(avif.data);
	free(picture.samples);
	free(other.samples);
}

/* Where the four bytes stand for the first time. */
static size_t
find(Bytes file, const char *name)
{
	for (size_t i = 0; i + 4 <= file.size; i++)
		if (memcmp(file.data + i, name, 4) == 0)
			return i;
	fail_msg("no %s", name);
	return 0;
}

static bool
never(void *arg)
{
	*(int *) arg = 1;
	return false;
}

/* By the header: nothing is decoded, since nothing could stop it then. */
static void
limits_come_before_decoding(void **state)
{
	Picture		picture = scene(200, 160);
	Bytes		avif = avif_of(&picture, (AvifKind) {.chroma = AVIF_PIXEL_FORMAT_YUV420});
	size_t		sides = find(avif, "ispe") + 8;
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;
	ImageError	error = {0};
	int			polled = 0;

	(void) state;
	fit.stop = never;
	fit.stop_arg = &polled;
	/* pixels and, four for each, the bytes of the picture itself */
	assert_int_equal(image_info(avif.data, avif.size, &prepared.source, NULL), IMAGE_OK);
	assert_in_range(prepared.source.cost, 200 * 160 + 4 * (avif.size - 400), 200 * 160 + 4 * (avif.size - 1));
	fit.limits.max_avif_pixels = prepared.source.cost - 1;
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	assert_non_null(strstr(error.message, "AVIF of 200 x 160 pixels and "));
	assert_non_null(strstr(error.message, " bytes takes too long to decode"));
	assert_int_equal(polled, 0);
	fit.limits.max_avif_pixels++;
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_OK);
	image_prepared_free(&prepared);
	fit.limits.max_memory = prepared.source.memory - 1;
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	fit = fit_to(100000);

	put_be(avif.data + sides, 16000, 4);
	put_be(avif.data + sides + 4, 16000, 4);
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	assert_non_null(strstr(error.message, "16000 x 16000 pixels"));
	put_be(avif.data + sides, 65500, 4);
	put_be(avif.data + sides + 4, 65500, 4);
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	put_be(avif.data + sides, 0xffffffff, 4);
	put_be(avif.data + sides + 4, 0xffffffff, 4);
	assert_int_not_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_OK);
	/* sides that the picture itself does not have: a few more pixels are not decoded */
	put_be(avif.data + sides, 20, 4);
	put_be(avif.data + sides + 4, 16, 4);
	if (image_prepare(avif.data, avif.size, &fit, &prepared, &error) == IMAGE_OK)
	{
		assert_int_equal(prepared.width, 20);
		image_prepared_free(&prepared);
	}
	free(avif.data);
	free(picture.samples);
}

/* Random damage: any answer but a crash, and never bytes with a failure. */
static void
damaged_files_do_no_harm(void **state)
{
	Picture		picture = scene(120, 90);
	Picture		alpha = with_alpha(&picture);
	Picture		frames[] = {picture, picture};
	Bytes		files[] = {
		avif_of(&alpha, (AvifKind) {0}), avif_of(&picture, (AvifKind) {.chroma = AVIF_PIXEL_FORMAT_YUV420,.depth = 10}),
		avif_of(frames, (AvifKind) {.frames = 2})
	};
	unsigned	seed = 1;

	(void) state;
	for (int round = 0; round < 600; round++)
	{
		Bytes		file = files[(size_t) round % LENGTH(files)];
		Bytes		copy = copy_of(file, file.size);
		ImageFit	fit = fit_to(6000);
		ImagePrepared prepared;
		ImageError	error = {0};
		ImageStatus status;

		fit.limits.max_pixels = 1000000;
		for (int i = 0; i < 3; i++)
		{
			seed = seed * 1103515245 + 12345;
			/* mostly in the boxes */
			copy.data[(seed >> 8) % (round % 4 == 0 ? file.size : 400)] = (uint8_t) (seed >> 24);
		}
		status = image_prepare(copy.data, copy.size, &fit, &prepared, &error);
		assert_int_equal(status, error.status);
		if (status == IMAGE_OK)
			image_prepared_free(&prepared);
		else
		{
			assert_null(prepared.data);
			assert_true(error.message[0] != '\0');
		}
		free(copy.data);
	}
	for (size_t i = 0; i < LENGTH(files); i++)
		free(files[i].data);
	free(picture.samples);
	free(alpha.samples);
}

static bool
stop_after(void *arg)
{
	int		   *left = arg;

	return --*left <= 0;
}

static void
work_can_be_stopped_around_the_decoding(void **state)
{
	Picture		picture = scene(640, 480);
	Bytes		avif = avif_of(&picture, (AvifKind) {0});
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;
	ImageError	error = {0};
	int			all = 1000000;
	int			polls;

	(void) state;
	fit.stop = stop_after;
	fit.stop_arg = &all;
	assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_OK);
	image_prepared_free(&prepared);
	polls = 1000000 - all;
	assert_true(polls > 100);
	for (int n = 1; n <= polls; n += polls / 20 + 1)
	{
		int			left = n;

		fit.stop_arg = &left;
		assert_int_equal(image_prepare(avif.data, avif.size, &fit, &prepared, &error), IMAGE_STOPPED);
		assert_null(prepared.data);
	}
	free(avif.data);
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_depth_and_sampling_looks_right),
		cmocka_unit_test(turned_and_mirrored_ones_come_upright),
		cmocka_unit_test(grids_are_put_together),
		cmocka_unit_test(of_a_sequence_the_first_frame_is_taken),
		cmocka_unit_test(limits_come_before_decoding),
		cmocka_unit_test(damaged_files_do_no_harm),
		cmocka_unit_test(work_can_be_stopped_around_the_decoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

/* The reason says what is missing. */
static void
avif_is_refused_by_name(void **state)
{
	static const uint8_t head[] = "\0\0\0\x1c" "ftypavif\0\0\0\0avifmif1miaf";
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;
	ImageError	error = {0};

	(void) state;
	assert_int_equal(image_prepare(head, sizeof(head) - 1, &fit, &prepared, &error), IMAGE_UNSUPPORTED);
	assert_string_equal(error.message, "AVIF is not supported: llava_zh was built without libavif");
	assert_int_equal(prepared.source.format, IMAGE_FORMAT_AVIF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(avif_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
