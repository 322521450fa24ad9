/*
 * test_image_prepare.c
 *	  From any picture to the JPEG that is sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/image.h"
#include "pictures.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const ImageFit roomy = {
	.factor = 28,.min_pixels = 3136,.max_pixels = 16384 * 28 * 28,.quality = 95,
	.full_chroma = true
};

static ImageFit
fit_to(int64_t max_pixels)
{
	ImageFit	fit = roomy;

	fit.max_pixels = max_pixels;
	fit.limits = image_default_limits;
	return fit;
}

/* Prepares, and gives what the model would decode; the bytes are freed. */
static Picture
prepared_of(Bytes bytes, const ImageFit *fit, ImagePrepared *prepared)
{
	uint8_t    *exact = malloc(bytes.size);
	ImageError	error = {0};
	Picture		picture;
	ImageStatus status;

	memcpy(exact, bytes.data, bytes.size);
	free(bytes.data);
	status = image_prepare(exact, bytes.size, fit, prepared, &error);
	if (status != IMAGE_OK)
		fail_msg("%s: %s", image_status_name(status), error.message);
	picture = picture_of_jpeg(prepared->passed_through ? exact : prepared->data,
							  prepared->passed_through ? bytes.size : prepared->size);
	assert_int_equal(picture.width, prepared->width);
	assert_int_equal(picture.height, prepared->height);
	image_prepared_free(prepared);
	free(exact);
	return picture;
}

/* At full size and shrunk, the result must look like what the file shows. */
static void
check_looks(Bytes bytes, const Picture *shown, double at_least)
{
	static const int64_t caps[] = {16384 * 28 * 28, 40000, 9000};

	for (size_t i = 0; i < LENGTH(caps); i++)
	{
		ImageFit	fit = fit_to(caps[i]);
		ImagePrepared prepared;
		Bytes		copy = {malloc(bytes.size), bytes.size};
		Picture		made;
		Picture		wanted;

		memcpy(copy.data, bytes.data, bytes.size);
		made = prepared_of(copy, &fit, &prepared);
		assert_true((int64_t) made.width * made.height <= caps[i]);
		if (i == 0)
			assert_int_equal(made.width * made.height, shown->width * shown->height);
		else
			assert_int_equal(made.width % 28 + made.height % 28, 0);
		wanted = shrunk(shown, made.width, made.height);
		if (psnr(&made, &wanted) < at_least)
			fail_msg("%d x %d: %.1f dB, at least %.1f wanted", made.width, made.height,
					 psnr(&made, &wanted), at_least);
		free(made.samples);
		free(wanted.samples);
	}
	free(bytes.data);
}

static void
jpegs_look_right(void **state)
{
	Picture		picture = scene(500, 400);
	Picture		grey = grey_of(&picture);

	(void) state;
	check_looks(jpeg_of(&picture, 95, (JpegKind) {0}), &picture, 32);
	check_looks(jpeg_of(&picture, 95, (JpegKind) {.progressive = true}), &picture, 32);
	check_looks(jpeg_of(&picture, 95, (JpegKind) {.rgb = true}), &picture, 32);
	check_looks(jpeg_of(&grey, 95, (JpegKind) {0}), &grey, 32);
	free(picture.samples);
	free(grey.samples);
}

/* Ink as plain programs store it, and inverted as Adobe's do, also as YCCK. */
static void
cmyk_looks_right(void **state)
{
	Picture		picture = scene(500, 400);
	Picture		ink = picture_new(500, 400, 4);
	Picture		shown = picture_new(500, 400, 3);

	(void) state;
	for (int i = 0; i < 500 * 400; i++)
	{
		ink.samples[i * 4 + 3] = (uint8_t) (i % 500 / 5);
		for (int c = 0; c < 3; c++)
		{
			ink.samples[i * 4 + c] = (uint8_t) (255 - picture.samples[i * 3 + c]);
			shown.samples[i * 3 + c] = (uint8_t)
				(picture.samples[i * 3 + c] * (255 - ink.samples[i * 4 + 3]) / 255);
		}
	}
	check_looks(jpeg_of(&ink, 98, (JpegKind) {0}), &shown, 32);
	check_looks(jpeg_of(&ink, 98, (JpegKind) {.adobe = true}), &shown, 32);
	check_looks(jpeg_of(&ink, 98, (JpegKind) {.ycck = true}), &shown, 32);
	free(picture.samples);
	free(ink.samples);
	free(shown.samples);
}

static void
pngs_look_right(void **state)
{
	Picture		picture = scene(500, 400);
	Picture		grey = grey_of(&picture);
	Picture		both[] = {with_alpha(&picture), with_alpha(&grey)};
	Picture		flat[] = {on_white(&both[0]), on_white(&both[1])};
	Picture		numbers = numbers_of(&picture);
	Picture		colours = colours_of(&numbers, 0);
	Picture		holes = colours_of(&numbers, numbers.samples[0] + 1);

	(void) state;
	for (int interlaced = 0; interlaced <= 1; interlaced++)
		for (int bits = 8; bits <= 16; bits += 8)
		{
			PngKind		kind = {.bits = bits,.interlaced = interlaced};

			check_looks(png_of(&picture, kind), &picture, 35);
			check_looks(png_of(&grey, kind), &grey, 35);
			check_looks(png_of(&both[0], kind), &flat[0], 35);
			check_looks(png_of(&both[1], kind), &flat[1], 35);
		}
	check_looks(png_of(&grey, (PngKind) {.bits = 4}), &grey, 24);
	check_looks(png_of(&numbers, (PngKind) {.palette = true}), &colours, 30);
	check_looks(png_of(&numbers, (PngKind) {.palette = true,.interlaced = true,
				.transparent = numbers.samples[0] + 1}), &holes, 30);
	for (int i = 0; i < 2; i++)
	{
		free(both[i].samples);
		free(flat[i].samples);
	}
	free(picture.samples);
	free(grey.samples);
	free(numbers.samples);
	free(colours.samples);
	free(holes.samples);
}

static void
webps_look_right(void **state)
{
	Picture		picture = scene(500, 400);
	Picture		alpha = with_alpha(&picture);
	Picture		flat = on_white(&alpha);

	(void) state;
	check_looks(webp_of(&picture, false), &picture, 30);
	check_looks(webp_of(&picture, true), &picture, 35);
	check_looks(webp_of(&alpha, false), &flat, 30);
	check_looks(webp_of(&alpha, true), &flat, 33);
	free(picture.samples);
	free(alpha.samples);
	free(flat.samples);
}

static void
gifs_look_right(void **state)
{
	Picture		picture = scene(500, 400);
	Picture		numbers = numbers_of(&picture);
	Picture		colours = colours_of(&numbers, 0);
	Picture		holes = colours_of(&numbers, numbers.samples[0] + 1);
	GifKind		hole = {.transparent = numbers.samples[0] + 1,.frames = 3};

	(void) state;
	check_looks(gif_of(&numbers, (GifKind) {0}), &colours, 30);
	check_looks(gif_of(&numbers, (GifKind) {.interlaced = true}), &colours, 30);
	check_looks(gif_of(&numbers, hole), &holes, 30);
	free(picture.samples);
	free(numbers.samples);
	free(colours.samples);
	free(holes.samples);
}

/* A frame smaller than its canvas lies on white. */
static void
a_gif_frame_lies_on_its_canvas(void **state)
{
	Picture		picture = scene(200, 160);
	Picture		numbers = numbers_of(&picture);
	Picture		colours = colours_of(&numbers, 0);
	Picture		canvas = picture_new(260, 200, 3);

	(void) state;
	memset(canvas.samples, 255, 260 * 200 * 3);
	for (int y = 0; y < 160; y++)
		memcpy(at(&canvas, 30, y + 20), at(&colours, 0, y), 200 * 3);
	for (int interlaced = 0; interlaced <= 1; interlaced++)
		check_looks(gif_of(&numbers, (GifKind) {.left = 30,.top = 20,.interlaced = interlaced}),
					&canvas, 24);
	free(picture.samples);
	free(numbers.samples);
	free(colours.samples);
	free(canvas.samples);
}

/* Cut anywhere, also in its header, whether the container says so or not. */
static void
a_cut_webp_is_refused(void **state)
{
	Picture		picture = scene(640, 480);

	(void) state;
	for (int lossless = 0; lossless <= 1; lossless++)
	{
		Bytes		webp = webp_of(&picture, lossless);

		for (size_t size = 30; size < webp.size; size += 1 + size / 16)
			for (int take_cut = 0; take_cut <= 1; take_cut++)
			{
						uint32_t	riff_size = (uint32_t) (take_cut ? webp.size : size) - 8;
				ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 20000,.quality = 90};
				ImagePrepared prepared;
				ImageError	error;

				fit.limits.take_cut = take_cut;
				memcpy(webp.data + 4, &riff_size, 4);
				if (image_prepare(webp.data, size, &fit, &prepared, &error) == IMAGE_OK)
				{
					assert_true(take_cut && prepared.source.rows >= 480 * 9 / 10);
					image_prepared_free(&prepared);
				}
				else if (strncmp(error.message, "WebP ", 5) != 0 ||
						 (take_cut && prepared.source.rows >= 480 * 9 / 10))
					fail_msg("of %zu bytes %d rows: %s", size, prepared.source.rows, error.message);
			}
		free(webp.data);
	}
	free(picture.samples);
}

/*
 * Stored as EXIF's table has it: which sides of the picture row 0 and column 0 are.
 * T(op), B(ottom), L(eft), R(ight).
 */
static Picture
stored_as(const Picture *upright, int orientation)
{
	static const char sides[][3] = {"", "TL", "TR", "BR", "BL", "LT", "RT", "RB", "LB"};
	const char *side = sides[orientation];
	bool		swapped = side[0] == 'L' || side[0] == 'R';
	int			w = upright->width;
	int			h = upright->height;
	Picture		stored = picture_new(swapped ? h : w, swapped ? w : h, upright->channels);

	for (int row = 0; row < stored.height; row++)
		for (int column = 0; column < stored.width; column++)
		{
			int			x = swapped ? row : column;
			int			y = swapped ? column : row;

			if (side[0] == 'R' || side[1] == 'R')
				x = w - 1 - x;
			if (side[0] == 'B' || side[1] == 'B')
				y = h - 1 - y;
			memcpy(at(&stored, column, row), at(upright, x, y), (size_t) upright->channels);
		}
	return stored;
}

static void
pictures_are_turned_upright(void **state)
{
	Picture		upright = scene(500, 400);
	Picture		grey = grey_of(&upright);

	(void) state;
	for (int orientation = 1; orientation <= 8; orientation++)
	{
		Picture		stored = stored_as(&upright, orientation);
		Picture		stored_grey = stored_as(&grey, orientation);
		JpegKind	kind = {.orientation = orientation,.motorola = orientation % 2 == 0};

		check_looks(jpeg_of(&stored, 95, kind), &upright, 32);
		check_looks(jpeg_of(&stored_grey, 95, kind), &grey, 32);
		check_looks(png_of(&stored, (PngKind) {.orientation = orientation}), &upright, 32);
		free(stored.samples);
		free(stored_grey.samples);
	}
	free(upright.samples);
	free(grey.samples);
}

/* A ramp stays a straight ramp: nothing is moved by a fraction of a pixel. */
static void
nothing_is_shifted(void **state)
{
	Picture		ramp = picture_new(1000, 700, 3);
	ImageFit	fit = fit_to(300 * 200);
	ImagePrepared prepared;
	Picture		made;
	double		offset = 0;

	(void) state;
	for (int y = 0; y < 700; y++)
		for (int x = 0; x < 1000; x++)
		{
			at(&ramp, x, y)[0] = (uint8_t) (x * 255 / 999);
			at(&ramp, x, y)[1] = (uint8_t) (y * 255 / 699);
			at(&ramp, x, y)[2] = 128;
		}
	made = prepared_of(png_of(&ramp, (PngKind) {0}), &fit, &prepared);
	for (int y = 0; y < made.height; y++)
		for (int x = 0; x < made.width; x++)
		{
			offset += at(&made, x, y)[0] - (x + 0.5) * 255 / made.width;
			offset += at(&made, x, y)[1] - (y + 0.5) * 255 / made.height;
		}
	offset /= 2.0 * made.width * made.height;
	assert_true(fabs(offset) < 0.7);
	free(made.samples);
	free(ramp.samples);
}

/* One colour stays that colour at every ratio: weights add up. */
static void
flat_areas_stay_flat(void **state)
{
	static const int sides[][2] = {{3000, 30}, {31, 4000}, {999, 1001}, {2000, 10}};

	(void) state;
	for (size_t i = 0; i < LENGTH(sides); i++)
	{
		Picture		flat = picture_new(sides[i][0], sides[i][1], 3);
		ImageFit	fit = fit_to(28 * 28 * 2);
		ImagePrepared prepared;
		Picture		made;

		memset(flat.samples, 200, (size_t) flat.width * (size_t) flat.height * 3);
		made = prepared_of(png_of(&flat, (PngKind) {0}), &fit, &prepared);
		for (int j = 0; j < made.width * made.height * 3; j++)
			assert_in_range(made.samples[j], 199, 201);
		free(made.samples);
		free(flat.samples);
	}
}

static void
good_small_jpegs_pass_untouched(void **state)
{
	Picture		picture = scene(640, 480);
	Picture		grey = grey_of(&picture);
	Bytes		jpegs[] = {jpeg_of(&picture, 70, (JpegKind) {0}),
		jpeg_of(&grey, 70, (JpegKind) {.orientation = 1})};
	ImageFit	fit = fit_to(644 * 476);

	(void) state;
	for (size_t i = 0; i < LENGTH(jpegs); i++)
	{
		ImagePrepared prepared;

		assert_int_equal(image_prepare(jpegs[i].data, jpegs[i].size, &fit, &prepared, NULL),
						 IMAGE_OK);
		assert_true(prepared.passed_through);
		assert_null(prepared.data);
		assert_int_equal(prepared.width, 640);
		assert_int_equal(prepared.height, 480);
		/* one pixel less, and the model would shrink it */
		fit.max_pixels--;
		assert_int_equal(image_prepare(jpegs[i].data, jpegs[i].size, &fit, &prepared, NULL),
						 IMAGE_OK);
		assert_false(prepared.passed_through);
		assert_true(prepared.width < 640 && prepared.height < 480);
		image_prepared_free(&prepared);
		fit.max_pixels++;
		free(jpegs[i].data);
	}
	free(picture.samples);
	free(grey.samples);
}

static void
other_jpegs_do_not_pass(void **state)
{
	Picture		picture = scene(100, 80);
	Picture		ink = picture_new(100, 80, 4);
	Bytes		large = jpeg_of(&picture, 70, (JpegKind) {0});
	Bytes		jpegs[4];
	ImageFit	fit = fit_to(1000000);

	(void) state;
	jpegs[0] = jpeg_of(&picture, 70, (JpegKind) {.progressive = true});
	jpegs[1] = jpeg_of(&picture, 70, (JpegKind) {.orientation = 2});
	jpegs[2] = jpeg_of(&ink, 70, (JpegKind) {0});
	/* a film behind it, and larger than its raw pixels */
	jpegs[3] = (Bytes) {calloc(1, large.size + 200000), large.size + 200000};
	memcpy(jpegs[3].data, large.data, large.size);
	free(large.data);
	for (size_t i = 0; i < LENGTH(jpegs); i++)
	{
		ImagePrepared prepared;

		assert_int_equal(image_prepare(jpegs[i].data, jpegs[i].size, &fit, &prepared, NULL),
						 IMAGE_OK);
		assert_false(prepared.passed_through);
		assert_int_equal(prepared.width, 100);
		assert_int_equal(prepared.height, 80);
		assert_memory_equal(prepared.data, "\xff\xd8\xff", 3);
		image_prepared_free(&prepared);
		free(jpegs[i].data);
	}
	free(picture.samples);
	free(ink.samples);
}

static void
chroma_and_quality_are_as_asked(void **state)
{
	Picture		picture = scene(200, 160);
	Bytes		png = png_of(&picture, (PngKind) {0});
	size_t		sizes[3];

	(void) state;
	for (int i = 0; i < 3; i++)
	{
		ImageFit	fit = fit_to(1000000);
		ImagePrepared prepared;
		struct jpeg_decompress_struct cinfo;
		struct jpeg_error_mgr errors;

		fit.full_chroma = i == 0;
		fit.quality = i == 2 ? 50 : 90;
		assert_int_equal(image_prepare(png.data, png.size, &fit, &prepared, NULL), IMAGE_OK);
		cinfo.err = jpeg_std_error(&errors);
		jpeg_create_decompress(&cinfo);
		jpeg_mem_src(&cinfo, prepared.data, prepared.size);
		jpeg_read_header(&cinfo, TRUE);
		assert_int_equal(cinfo.comp_info[0].h_samp_factor, i == 0 ? 1 : 2);
		assert_int_equal(cinfo.comp_info[0].v_samp_factor, i == 0 ? 1 : 2);
		jpeg_destroy_decompress(&cinfo);
		sizes[i] = prepared.size;
		image_prepared_free(&prepared);
	}
	assert_true(sizes[0] > sizes[1] && sizes[1] > sizes[2]);
	free(png.data);
	free(picture.samples);
}

/* The picture's own end marker, but data missing before it. */
static void
hollow_files_are_refused(void **state)
{
	Picture		picture = scene(640, 480);
	Bytes		files[] = {
		jpeg_of(&picture, 95, (JpegKind) {0}),
		jpeg_of(&picture, 95, (JpegKind) {.progressive = true})
	};
	ImageFit	fit = fit_to(100000);

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		size_t		size = files[i].size / 2;
		ImagePrepared prepared;
		ImageError	error = {0};

		memcpy(files[i].data + size, "\xff\xd9", 2);
		assert_int_equal(image_prepare(files[i].data, size + 2, &fit, &prepared, &error),
						 IMAGE_TRUNCATED);
		assert_non_null(strstr(error.message, "JPEG ends "));
		assert_null(prepared.data);
		free(files[i].data);
	}
	free(picture.samples);
}

/* Random damage: any answer but a crash, and never bytes with a failure. */
static void
damaged_files_do_no_harm(void **state)
{
	Picture		picture = scene(120, 90);
	Picture		alpha = with_alpha(&picture);
	Picture		numbers = numbers_of(&picture);
	Bytes		files[] = {
		jpeg_of(&picture, 90, (JpegKind) {.orientation = 6}),
		jpeg_of(&picture, 90, (JpegKind) {.progressive = true}),
		png_of(&alpha, (PngKind) {.interlaced = true}), png_of(&picture, (PngKind) {0}),
		webp_of(&alpha, false), webp_of(&picture, true), gif_of(&numbers, (GifKind) {0})
	};
	ImageFit	fit = fit_to(6000);
	unsigned	seed = 1;

	(void) state;
	for (int round = 0; round < 700; round++)
	{
		Bytes		file = files[(size_t) round % LENGTH(files)];
		uint8_t    *copy = malloc(file.size);
		ImagePrepared prepared;
		ImageStatus status;
		ImageError	error = {0};

		memcpy(copy, file.data, file.size);
		for (int i = 0; i < 3; i++)
		{
			seed = seed * 1103515245 + 12345;
			copy[(seed >> 8) % file.size] = (uint8_t) (seed >> 24);
		}
		fit.limits.max_pixels = 1000000;
		status = image_prepare(copy, file.size, &fit, &prepared, &error);
		assert_int_equal(status, error.status);
		if (status == IMAGE_OK)
			image_prepared_free(&prepared);
		else
		{
			assert_null(prepared.data);
			assert_true(error.message[0] != '\0');
		}
		free(copy);
	}
	for (size_t i = 0; i < LENGTH(files); i++)
		free(files[i].data);
	free(picture.samples);
	free(alpha.samples);
	free(numbers.samples);
}

static void
limits_come_before_decoding(void **state)
{
	Picture		picture = scene(640, 480);
	Bytes		png = png_of(&picture, (PngKind) {0});
	Bytes		scans = jpeg_of(&picture, 80, (JpegKind) {.progressive = true,.scans = 120});
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;
	ImageError	error = {0};

	(void) state;
	fit.limits.max_pixels = 640 * 480 - 1;
	assert_int_equal(image_prepare(png.data, png.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	fit.limits = (ImageLimits) {.max_bytes = png.size - 1};
	assert_int_equal(image_prepare(png.data, png.size, &fit, &prepared, &error), IMAGE_TOO_LARGE);
	fit.limits = (ImageLimits) {.max_scans = 119};
	assert_int_equal(image_prepare(scans.data, scans.size, &fit, &prepared, &error),
					 IMAGE_TOO_LARGE);
	fit.limits = (ImageLimits) {0};
	assert_int_equal(image_prepare(scans.data, scans.size, &fit, &prepared, &error), IMAGE_OK);
	image_prepared_free(&prepared);
	free(png.data);
	free(scans.data);
	free(picture.samples);
}

/* What a chunk inflates to does not matter: it is not inflated. */
static void
text_chunks_are_passed_over(void **state)
{
	Picture		picture = scene(64, 48);
	Bytes		png = png_of(&picture, (PngKind) {0});
	/* a zTXt whose data is no zlib stream: reading it would fail */
	static const uint8_t chunk[] = {0, 0, 0, 6, 'z', 'T', 'X', 't', 'a', 0, 0, 1, 2, 3, 0, 0, 0, 0};
	uint8_t    *both = malloc(png.size + sizeof(chunk));
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;

	(void) state;
	memcpy(both, png.data, 33);
	memcpy(both + 33, chunk, sizeof(chunk));
	memcpy(both + 33 + sizeof(chunk), png.data + 33, png.size - 33);
	assert_int_equal(image_prepare(both, png.size + sizeof(chunk), &fit, &prepared, NULL),
					 IMAGE_OK);
	image_prepared_free(&prepared);
	free(both);
	free(png.data);
	free(picture.samples);
}

static bool
stop_after(void *arg)
{
	int		   *left = arg;

	return --*left <= 0;
}

/* Wherever it is stopped it says so, leaves nothing, and asks often enough. */
static void
work_can_be_stopped_anywhere(void **state)
{
	Picture		picture = scene(640, 480);
	Picture		numbers = numbers_of(&picture);
	Bytes		files[] = {
		jpeg_of(&picture, 90, (JpegKind) {.orientation = 6}),
		jpeg_of(&picture, 90, (JpegKind) {.progressive = true}),
		png_of(&picture, (PngKind) {0}), png_of(&picture, (PngKind) {.interlaced = true}),
		webp_of(&picture, true), gif_of(&numbers, (GifKind) {.interlaced = true})
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageFit	fit = fit_to(100000);
		ImagePrepared prepared;
		ImageError	error = {0};
		int			all = 1000000;
		int			polls;

		fit.stop = stop_after;
		fit.stop_arg = &all;
		assert_int_equal(image_prepare(files[i].data, files[i].size, &fit, &prepared, &error),
						 IMAGE_OK);
		image_prepared_free(&prepared);
		polls = 1000000 - all;
		assert_true(polls > 100);
		for (int n = 1; n <= polls; n += polls / 20 + 1)
		{
			int			left = n;

			fit.stop_arg = &left;
			assert_int_equal(image_prepare(files[i].data, files[i].size, &fit, &prepared, &error),
							 IMAGE_STOPPED);
			assert_int_equal(error.status, IMAGE_STOPPED);
			assert_null(prepared.data);
		}
		free(files[i].data);
	}
	free(picture.samples);
	free(numbers.samples);
}

/* The first rows, as many as there are in the other. */
static Picture
top_of(const Picture *picture, int height)
{
	Picture		top = picture_new(picture->width, height, picture->channels);

	memcpy(top.samples, picture->samples,
		   (size_t) height * (size_t) picture->width * (size_t) picture->channels);
	return top;
}

/* Of a file that ends early the rows that are there, and only if it is said so. */
static void
a_cut_picture_is_taken_if_allowed(void **state)
{
	Picture		picture = scene(640, 480);
	Picture		grains = grained(scene(640, 480));
	Picture		numbers = numbers_of(&grains);
	Picture		shown = colours_of(&numbers, 0);
	const struct
	{
		Bytes		file;
		const Picture *shown;
	}			files[] = {
		{jpeg_of(&grains, 95, (JpegKind) {0}), &grains},
		
		{png_of(&grains, (PngKind) {0}), &grains},
		{webp_of(&grains, false), &grains},
		{webp_of(&grains, true), &grains},
		{gif_of(&numbers, (GifKind) {0}), &shown}
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
		for (int64_t cap = 100000; cap <= 1000000; cap *= 10)
		{
			ImageFit	fit = fit_to(cap);
			ImagePrepared prepared;
			ImageError	error = {0};
			size_t		size = files[i].file.size;
			Bytes		cut = {malloc(size), size * 97 / 100};
			Picture		made;
			Picture		top;
			Picture		wanted;

			memcpy(cut.data, files[i].file.data, size);
			assert_int_equal(image_prepare(cut.data, cut.size, &fit, &prepared, &error),
							 IMAGE_TRUNCATED);
			fit.limits.take_cut = true;
			assert_int_equal(image_prepare(cut.data, size * 8 / 10, &fit, &prepared, &error),
							 IMAGE_TRUNCATED);
			made = prepared_of(cut, &fit, &prepared);
			assert_false(prepared.source.complete);
			assert_false(prepared.passed_through);
			assert_in_range(prepared.source.rows, 432, 479);
			top = top_of(files[i].shown, prepared.source.rows);
			wanted = shrunk(&top, made.width, made.height);
			if (psnr(&made, &wanted) < 27)
				fail_msg("file %zu, %d x %d: %.1f dB", i, made.width, made.height,
						 psnr(&made, &wanted));
			free(made.samples);
			free(top.samples);
			free(wanted.samples);
		}
	for (size_t i = 0; i < LENGTH(files); i++)
		free(files[i].file.data);
	free(picture.samples);
	free(grains.samples);
	free(numbers.samples);
	free(shown.samples);
}

/* What has to be kept whole is known by its header; what comes by rows is not limited. */
static void
memory_is_limited(void **state)
{
	Picture		picture = scene(640, 480);
	Picture		numbers = numbers_of(&picture);
	const struct
	{
		Bytes		file;
		int64_t		memory;
	}			files[] = {
		{jpeg_of(&picture, 80, (JpegKind) {0}), 0},
		{jpeg_of(&picture, 80, (JpegKind) {.progressive = true}), 640 * 480 * 3},
		{png_of(&picture, (PngKind) {0}), 0},
		{png_of(&picture, (PngKind) {.interlaced = true}), 640 * 480 * 3},
		{png_of(&numbers, (PngKind) {.palette = true,.interlaced = true,.transparent = 5}), 640 * 480 * 4},
		{webp_of(&picture, false), 640 * 480 * 4},
		{webp_of(&picture, true), 640 * 480 * 8},
		{gif_of(&numbers, (GifKind) {0}), 0},
		{gif_of(&numbers, (GifKind) {.interlaced = true}), 640 * 480}
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(files); i++)
	{
		ImageFit	fit = fit_to(100000);
		ImagePrepared prepared;
		ImageError	error = {0};
		ImageStatus status;

		fit.limits.max_memory = files[i].memory == 0 ? 1 : files[i].memory - 1;
		status = image_prepare(files[i].file.data, files[i].file.size, &fit, &prepared, &error);
		assert_in_range(prepared.source.memory, files[i].memory, files[i].memory * 11 / 10);
		if (files[i].memory == 0)
		{
			assert_int_equal(status, IMAGE_OK);
			image_prepared_free(&prepared);
		}
		else
		{
			assert_int_equal(status, IMAGE_TOO_LARGE);
			assert_non_null(strstr(error.message, "MB to decode"));
		}
		free(files[i].file.data);
	}
	free(picture.samples);
	free(numbers.samples);
}

/* A hundred passes over a picture take more than a millisecond of anybody's time. */
static void
time_is_limited(void **state)
{
	Picture		picture = scene(1200, 900);
	Bytes		scans = jpeg_of(&picture, 80, (JpegKind) {.progressive = true,.scans = 120});
	ImageFit	fit = fit_to(100000);
	ImagePrepared prepared;
	ImageError	error = {0};

	(void) state;
	fit.limits.max_scans = 0;
	fit.limits.max_ms = 1;
	assert_int_equal(image_prepare(scans.data, scans.size, &fit, &prepared, &error),
					 IMAGE_TOO_SLOW);
	assert_non_null(strstr(error.message, "over 1 ms"));
	fit.limits.max_ms = 60000;
	assert_int_equal(image_prepare(scans.data, scans.size, &fit, &prepared, &error), IMAGE_OK);
	image_prepared_free(&prepared);
	free(scans.data);
	free(picture.samples);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jpegs_look_right),
		cmocka_unit_test(cmyk_looks_right),
		cmocka_unit_test(pngs_look_right),
		cmocka_unit_test(webps_look_right),
		cmocka_unit_test(gifs_look_right),
		cmocka_unit_test(a_gif_frame_lies_on_its_canvas),
		cmocka_unit_test(a_cut_webp_is_refused),
		cmocka_unit_test(pictures_are_turned_upright),
		cmocka_unit_test(nothing_is_shifted),
		cmocka_unit_test(flat_areas_stay_flat),
		cmocka_unit_test(good_small_jpegs_pass_untouched),
		cmocka_unit_test(other_jpegs_do_not_pass),
		cmocka_unit_test(chroma_and_quality_are_as_asked),
		cmocka_unit_test(hollow_files_are_refused),
		cmocka_unit_test(damaged_files_do_no_harm),
		cmocka_unit_test(limits_come_before_decoding),
		cmocka_unit_test(text_chunks_are_passed_over),
		cmocka_unit_test(work_can_be_stopped_anywhere),
		cmocka_unit_test(a_cut_picture_is_taken_if_allowed),
		cmocka_unit_test(memory_is_limited),
		cmocka_unit_test(time_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
