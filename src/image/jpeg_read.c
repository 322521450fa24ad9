/*
 * jpeg_read.c
 *	  JPEG to rows, through libjpeg-turbo.
 */
#include "jpeg.h"

#include <stdlib.h>
#include <string.h>

typedef struct JpegReader
{
	ImageSource source;			/* first: what the caller holds */
	struct jpeg_decompress_struct cinfo;
	struct jpeg_progress_mgr progress;
	JpegCalls	calls;
	uint8_t    *cmyk;			/* a row, where the picture is one */
} JpegReader;

unsigned
image_jpeg_eighths(const struct jpeg_decompress_struct *cinfo, int min_width,
				   int min_height)
{
	static const unsigned eighths[] = {1, 2, 3, 4};

	for (size_t i = 0; i < sizeof(eighths) / sizeof(eighths[0]); i++)
		if ((uint64_t) cinfo->image_width * eighths[i] * 2 >= (uint64_t) min_width * 3 * 8 &&
			(uint64_t) cinfo->image_height * eighths[i] * 2 >= (uint64_t) min_height * 3 * 8)
			return eighths[i];
	return 8;
}

/* Adobe's programs store CMYK inverted, and say that they wrote the file. */
static void
cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width, bool inverted)
{
	unsigned	flip = inverted ? 0 : 255;

	for (int i = 0; i < width; i++, cmyk += 4, rgb += 3)
		for (int c = 0; c < 3; c++)
			rgb[c] = (uint8_t) (((cmyk[c] ^ flip) * (cmyk[3] ^ flip) + 127) / 255);
}

static ImageStatus
read_line(JpegReader *reader, uint8_t *line)
{
	if (setjmp(reader->calls.back) != 0)
		return reader->calls.error.status;
	jpeg_read_scanlines(&reader->cinfo, &line, 1);
	return IMAGE_OK;
}

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	JpegReader *reader = (JpegReader *) source;

	if (read_line(reader, reader->cmyk != NULL ? reader->cmyk : row) != IMAGE_OK)
		return image_jpeg_failure(&reader->calls, error);
	if (reader->cmyk != NULL)
		cmyk_to_rgb(reader->cmyk, row, source->width, reader->cinfo.saw_Adobe_marker);
	return IMAGE_OK;
}

static void
close_reader(ImageSource *source)
{
	JpegReader *reader = (JpegReader *) source;

	jpeg_destroy_decompress(&reader->cinfo);
	free(reader->cmyk);
	free(reader);
}

/* Colours are left as they are stored where the writer can take them so. */
static void
choose_colours(JpegReader *reader)
{
	struct jpeg_decompress_struct *cinfo = &reader->cinfo;
	ImageSource *source = &reader->source;

	source->channels = 3;
	if (cinfo->num_components == 1)
	{
		cinfo->out_color_space = JCS_GRAYSCALE;
		source->channels = 1;
	}
	else if (cinfo->num_components == 4)
		cinfo->out_color_space = JCS_CMYK;
	else
	{
		source->ycc = cinfo->jpeg_color_space == JCS_YCbCr;
		cinfo->out_color_space = source->ycc ? JCS_YCbCr : JCS_RGB;
	}
}

/* All that may fail in libjpeg's way before the first row. */
static ImageStatus
start_reader(JpegReader *reader, const uint8_t *data, size_t size, int min_width,
			 int min_height)
{
	struct jpeg_decompress_struct *cinfo = &reader->cinfo;

	if (setjmp(reader->calls.back) != 0)
		return reader->calls.error.status;
	jpeg_create_decompress(cinfo);
	reader->progress.progress_monitor = image_jpeg_on_progress;
	cinfo->progress = &reader->progress;
	jpeg_mem_src(cinfo, data, (unsigned long) size);
	jpeg_read_header(cinfo, TRUE);
	choose_colours(reader);
	cinfo->scale_num = image_jpeg_eighths(cinfo, min_width, min_height);
	cinfo->scale_denom = 8;
	jpeg_start_decompress(cinfo);
	if (cinfo->out_color_space == JCS_CMYK)
	{
		reader->cmyk = malloc((size_t) cinfo->output_width * 4);
		if (reader->cmyk == NULL)
			jump_back(&reader->calls, IMAGE_NO_MEMORY, "no memory for a JPEG");
	}
	reader->source.width = (int) cinfo->output_width;
	reader->source.height = (int) cinfo->output_height;
	return IMAGE_OK;
}

ImageStatus
image_jpeg_open(const uint8_t *data, size_t size, int min_width, int min_height,
				ImageWork *work, ImageSource **source, ImageError *error)
{
	JpegReader *reader = calloc(1, sizeof(JpegReader));
	ImageStatus status;

	if (reader == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a JPEG");
	reader->cinfo.err = image_jpeg_set_up(&reader->calls, work);
	reader->cinfo.client_data = &reader->calls;
	reader->source.read = read_row;
	reader->source.close = close_reader;
	status = start_reader(reader, data, size, min_width, min_height);
	if (status != IMAGE_OK)
	{
		(void) image_jpeg_failure(&reader->calls, error);
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}
