/*
 * picture.c
 *	  src/image by hand: what it decodes, makes, refuses, and how fast.
 *
 * Driven by the scripts of test/image and test/bench.  Times are CPU time of this
 * process, so that other work on the machine counts for little.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

#include "image/image.h"
#include "image/private.h"

static const char *const usage =
"picture rows FILE OUT.ppm              all rows, decoded at full scale, upright\n"
"picture fit FILE OUT.ppm MAX_PIXELS    the same, fitted, before it is encoded\n"
"picture prepare FILE OUT.jpg MAX_PIXELS QUALITY 444|420\n"
"picture refuse FILE                    why it is refused by the default limits\n"
"picture sides                          from 'height width factor min max' a line\n"
"picture time FILE TIMES MAX_PIXELS QUALITY 444|420    ns a preparation\n"
"picture bare FILE TIMES MAX_PIXELS     ns a decoding by libjpeg at the same scale\n"
"picture facts FILE TIMES               ns a header\n";

typedef struct File
{
	uint8_t    *data;
	size_t		size;
} File;

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "picture: %s: %s\n", what, why);
	exit(1);
}

static File
read_file(const char *path)
{
	FILE	   *in = fopen(path, "rb");
	File		file = {NULL, 0};
	long		size;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0)
		die(path, "cannot be read");
	rewind(in);
	file.data = malloc((size_t) size + 1);
	if (file.data == NULL || fread(file.data, 1, (size_t) size, in) != (size_t) size)
		die(path, "cannot be read");
	file.size = (size_t) size;
	fclose(in);
	return file;
}

static void
write_file(const char *path, const char *header, const uint8_t *data, size_t size)
{
	FILE	   *out = fopen(path, "wb");

	if (out == NULL || fputs(header, out) < 0 || fwrite(data, 1, size, out) != size ||
		fclose(out) != 0)
		die(path, "cannot be written");
}

static int64_t
cpu_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static ImageFit
fit_of(const char *max_pixels, const char *quality, const char *chroma)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 4 * 28 * 28};

	fit.max_pixels = atoll(max_pixels);
	fit.quality = atoi(quality);
	fit.full_chroma = strcmp(chroma, "444") == 0;
	fit.limits = image_default_limits;
	return fit;
}

/* ---- rows ---- */

/* Rows as they come, to be turned and coloured when all are there. */
typedef struct Gathering
{
	uint8_t    *at;
	size_t		row_bytes;
} Gathering;

static ImageStatus
gather(void *arg, const uint8_t *row, ImageError *error)
{
	Gathering  *gathering = arg;

	(void) error;
	memcpy(gathering->at, row, gathering->row_bytes);
	gathering->at += gathering->row_bytes;
	return IMAGE_OK;
}

static uint8_t
clamped(double value)
{
	return (uint8_t) (value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
}

/* JFIF 1.02, the inverse of its YCbCr. */
static void
colour(const uint8_t *from, int channels, bool ycc, uint8_t *rgb)
{
	if (channels == 1)
		rgb[0] = rgb[1] = rgb[2] = from[0];
	else if (!ycc)
		memcpy(rgb, from, 3);
	else
	{
		rgb[0] = clamped(from[0] + 1.402 * (from[2] - 128));
		rgb[1] = clamped(from[0] - 0.344136 * (from[1] - 128) - 0.714136 * (from[2] - 128));
		rgb[2] = clamped(from[0] + 1.772 * (from[1] - 128));
	}
}

static void
write_upright(const char *path, const uint8_t *stored, int width, int height,
			  const ImageSource *source, int orientation)
{
	bool		turned = orientation >= 5;
	int			upright_width = turned ? height : width;
	int			upright_height = turned ? width : height;
	uint8_t    *row = malloc((size_t) upright_width * 3);
	uint8_t    *rgb = malloc((size_t) width * (size_t) height * 3);
	uint8_t    *to = rgb;
	char		header[64];

	for (int y = 0; y < upright_height; y++)
	{
		image_turn_row(stored, width, height, source->channels, orientation, y, row);
		for (int x = 0; x < upright_width; x++, to += 3)
			colour(row + (size_t) x * (size_t) source->channels, source->channels, source->ycc, to);
	}
	snprintf(header, sizeof(header), "P6\n%d %d\n255\n", upright_width, upright_height);
	write_file(path, header, rgb, (size_t) width * (size_t) height * 3);
	free(row);
	free(rgb);
}

/* The rows of a file; to_width 0: at full scale. */
static void
save_rows(const char *path, const char *out, int64_t max_pixels)
{
	File		file = read_file(path);
	ImageFit	fit = {.factor = 28,.min_pixels = 4 * 28 * 28,.max_pixels = max_pixels};
	ImageWork	work;
	ImageInfo	info;
	ImageError	error;
	ImageSource *source = NULL;
	Resizer    *resizer = NULL;
	Gathering	gathering;
	uint8_t    *stored;
	uint8_t    *row;
	int			width;
	int			height;
	bool		shrinks;

	image_work_begin(&work, &fit);
	if (image_info(file.data, file.size, &info, &error) != IMAGE_OK)
		die(path, error.message);
	width = info.width;
	height = info.height;
	if (max_pixels > 0)
	{
		if (image_fit_sides(&info, &fit, &shrinks, &width, &height, &error) != IMAGE_OK)
			die(path, error.message);
		if (info.orientation >= 5)
		{
			int			swapped = width;

			width = height;
			height = swapped;
		}
	}
	if (image_source_open(file.data, file.size, &info, width, height, &work, &source,
						  &error) != IMAGE_OK)
		die(path, error.message);
	gathering.row_bytes = (size_t) width * (size_t) source->channels;
	gathering.at = stored = malloc((size_t) height * gathering.row_bytes);
	row = malloc((size_t) source->width * (size_t) source->channels);
	if (source->width != width || source->height != height)
		resizer = image_resizer_new(source->width, source->height, width, height,
									(double) source->width / width,
									(double) source->height / height, source->channels,
									true, gather, &gathering);
	for (int y = 0; y < source->height; y++)
	{
		if (source->read(source, row, &error) != IMAGE_OK)
			die(path, error.message);
		if (resizer != NULL)
			image_resizer_push(resizer, row, &error);
		else
			gather(&gathering, row, &error);
	}
	write_upright(out, stored, width, height, source, info.orientation);
	image_resizer_free(resizer);
	source->close(source);
	free(stored);
	free(row);
	free(file.data);
}

/* ---- preparation ---- */

static void
prepare(const char *path, const char *out, const ImageFit *fit)
{
	File		file = read_file(path);
	ImagePrepared prepared;
	ImageError	error;

	if (image_prepare(file.data, file.size, fit, &prepared, &error) != IMAGE_OK)
		die(path, error.message);
	write_file(out, "", prepared.passed_through ? file.data : prepared.data, prepared.size);
	image_prepared_free(&prepared);
	free(file.data);
}

/* Most memory this program ever had, in MB; getrusage's counts its parent's too. */
static long
peak_memory(void)
{
	FILE	   *in = fopen("/proc/self/status", "r");
	char		line[128];
	long		kilobytes = 0;

	while (in != NULL && fgets(line, sizeof(line), in) != NULL)
		if (sscanf(line, "VmHWM: %ld kB", &kilobytes) == 1)
			break;
	if (in != NULL)
		fclose(in);
	return kilobytes / 1024;
}

/* Status, CPU ms, peak MB beyond the file, message. */
static void
refuse(const char *path)
{
	File		file = read_file(path);
	ImageFit	fit = fit_of("1003520", "85", "420");
	ImagePrepared prepared;
	ImageError	error = {IMAGE_OK, "taken"};
	int64_t		began = cpu_time();
	ImageStatus status = image_prepare(file.data, file.size, &fit, &prepared, &error);
	int64_t		ms = (cpu_time() - began) / 1000000;

	if (status == IMAGE_OK)
		image_prepared_free(&prepared);
	printf("%s %" PRId64 " %ld %s\n", image_status_name(status), ms,
		   peak_memory() - (long) (file.size >> 20), error.message);
	free(file.data);
}

static void
fit_sides(void)
{
	int			height;
	int			width;
	int			factor;
	int64_t		min_pixels;
	int64_t		max_pixels;

	while (scanf("%d %d %d %" SCNd64 " %" SCNd64, &height, &width, &factor, &min_pixels,
				 &max_pixels) == 5)
	{
		int			fitted_height;
		int			fitted_width;

		if (image_smart_resize(height, width, factor, min_pixels, max_pixels, &fitted_height,
							   &fitted_width, NULL) == IMAGE_OK)
			printf("%d %d\n", fitted_height, fitted_width);
		else
			puts("refused");
	}
}

/* ---- times ---- */

static void
time_preparation(const char *path, int times, const ImageFit *fit)
{
	File		file = read_file(path);
	int64_t		began = cpu_time();

	for (int i = 0; i < times; i++)
	{
		ImagePrepared prepared;
		ImageError	error;

		if (image_prepare(file.data, file.size, fit, &prepared, &error) != IMAGE_OK)
			die(path, error.message);
		image_prepared_free(&prepared);
	}
	printf("%" PRId64 "\n", (cpu_time() - began) / times);
	free(file.data);
}

/* What libjpeg takes for the rows at the scale that is chosen here, colours as stored. */
static void
decode_bare(const File *file, unsigned eighths)
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;
	JSAMPARRAY	rows;

	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&cinfo);
	jpeg_mem_src(&cinfo, file->data, file->size);
	jpeg_read_header(&cinfo, TRUE);
	cinfo.out_color_space = cinfo.jpeg_color_space;
	cinfo.scale_num = eighths;
	cinfo.scale_denom = 8;
	jpeg_start_decompress(&cinfo);
	rows = cinfo.mem->alloc_sarray((j_common_ptr) &cinfo, JPOOL_IMAGE,
								   cinfo.output_width * (JDIMENSION) cinfo.output_components, 1);
	while (cinfo.output_scanline < cinfo.output_height)
		jpeg_read_scanlines(&cinfo, rows, 1);
	jpeg_finish_decompress(&cinfo);
	jpeg_destroy_decompress(&cinfo);
}

static void
time_bare(const char *path, int times, const ImageFit *fit)
{
	File		file = read_file(path);
	ImageWork	work;
	ImageInfo	info;
	ImageError	error;
	ImageSource *source;
	bool		shrinks;
	int			width;
	int			height;
	unsigned	eighths;
	int64_t		began;

	image_work_begin(&work, fit);
	if (image_info(file.data, file.size, &info, &error) != IMAGE_OK ||
		image_fit_sides(&info, fit, &shrinks, &width, &height, &error) != IMAGE_OK ||
		image_jpeg_open(file.data, file.size, width, height, &work, &source, &error) != IMAGE_OK)
		die(path, error.message);
	eighths = (unsigned) (source->width * 8 / info.width);
	source->close(source);
	began = cpu_time();
	for (int i = 0; i < times; i++)
		decode_bare(&file, eighths == 0 ? 1 : eighths);
	printf("%" PRId64 "\n", (cpu_time() - began) / times);
	free(file.data);
}

static void
time_facts(const char *path, int times)
{
	File		file = read_file(path);
	int64_t		began = cpu_time();

	for (int i = 0; i < times; i++)
	{
		ImageInfo	info;
		ImageError	error;

		if (image_info(file.data, file.size, &info, &error) != IMAGE_OK)
			die(path, error.message);
	}
	printf("%" PRId64 "\n", (cpu_time() - began) / times);
	free(file.data);
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	ImageFit	fit;

	if (strcmp(verb, "rows") == 0 && argc == 4)
		save_rows(argv[2], argv[3], 0);
	else if (strcmp(verb, "fit") == 0 && argc == 5)
		save_rows(argv[2], argv[3], atoll(argv[4]));
	else if (strcmp(verb, "prepare") == 0 && argc == 7)
	{
		fit = fit_of(argv[4], argv[5], argv[6]);
		prepare(argv[2], argv[3], &fit);
	}
	else if (strcmp(verb, "refuse") == 0 && argc == 3)
		refuse(argv[2]);
	else if (strcmp(verb, "sides") == 0 && argc == 2)
		fit_sides();
	else if (strcmp(verb, "time") == 0 && argc == 7)
	{
		fit = fit_of(argv[4], argv[5], argv[6]);
		time_preparation(argv[2], atoi(argv[3]), &fit);
	}
	else if (strcmp(verb, "bare") == 0 && argc == 5)
	{
		fit = fit_of(argv[4], "85", "420");
		time_bare(argv[2], atoi(argv[3]), &fit);
	}
	else if (strcmp(verb, "facts") == 0 && argc == 4)
		time_facts(argv[2], atoi(argv[3]));
	else
	{
		fputs(usage, stderr);
		return 2;
	}
	return 0;
}
