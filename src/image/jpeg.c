/*
 * jpeg.c
 *	  JPEG in and out through libjpeg-turbo.
 *
 * libjpeg reports errors by not returning.  Each function here that calls it sets
 * the place to come back to, so that no jump leaves this file; none of them holds
 * anything that only a local variable knows.
 */
#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>

/* What both directions share; libjpeg objects carry it as client_data. */
typedef struct JpegCalls
{
	struct jpeg_error_mgr manager;
	jmp_buf		back;
	ImageWork  *work;			/* NULL while rows are only counted */
	ImageError	error;			/* why the jump was made */
} JpegCalls;

typedef struct JpegReader
{
	ImageSource source;			/* first: what the caller holds */
	struct jpeg_decompress_struct cinfo;
	struct jpeg_progress_mgr progress;
	JpegCalls	calls;
	uint8_t    *cmyk;			/* a row, where the picture is one */
} JpegReader;

struct JpegWriter
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_destination_mgr destination;
	JpegCalls	calls;
	uint8_t    *data;
	size_t		room;
};

#define jump_back(calls, ...) \
	do { \
		image_fail(&(calls)->error, __VA_ARGS__); \
		longjmp((calls)->back, 1); \
	} while (0)

/* ---- what libjpeg calls ---- */

static void
on_error(j_common_ptr cinfo)
{
	JpegCalls  *calls = cinfo->client_data;
	char		message[JMSG_LENGTH_MAX];

	if (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
		jump_back(calls, IMAGE_NO_MEMORY, "no memory for a JPEG");
	cinfo->err->format_message(cinfo, message);
	jump_back(calls, IMAGE_BROKEN, "JPEG is broken: %.100s", message);
}

/* Rows of the picture that came whole, in hundredths. */
static int
percent_read(const struct jpeg_decompress_struct *cinfo)
{
	if (cinfo->output_height == 0)
		return 0;
	return (int) ((int64_t) cinfo->output_scanline * 100 / cinfo->output_height);
}

/* Whether the picture comes in several scans, each of all its rows. */
static bool
in_scans(const struct jpeg_decompress_struct *cinfo)
{
	return cinfo->progressive_mode || cinfo->comps_in_scan < cinfo->num_components;
}

/*
 * libjpeg goes on with grey where data is missing or wrong.  A picture that is part
 * grey must not be asked about: what costs pixels ends the decoding, the rest (bytes
 * too many, odd versions) does not matter.
 */
static void
on_message(j_common_ptr cinfo, int level)
{
	JpegCalls  *calls = cinfo->client_data;

	if (level >= 0)
		return;
	switch (cinfo->err->msg_code)
	{
		case JWRN_JPEG_EOF:
		case JWRN_HIT_MARKER:
			if (in_scans((j_decompress_ptr) cinfo))
				jump_back(calls, IMAGE_TRUNCATED, "JPEG ends early: a scan is cut");
			jump_back(calls, IMAGE_TRUNCATED, "JPEG ends at %d %%",
					  percent_read((j_decompress_ptr) cinfo));
		case JWRN_HUFF_BAD_CODE:
		case JWRN_MUST_RESYNC:
			jump_back(calls, IMAGE_BROKEN, "JPEG is damaged at %d %%",
					  percent_read((j_decompress_ptr) cinfo));
	}
}

/* Called for every row of blocks, also while a picture of many scans is gathered. */
static void
on_progress(j_common_ptr cinfo)
{
	JpegCalls  *calls = cinfo->client_data;
	int			scan = ((j_decompress_ptr) cinfo)->input_scan_number;
	int			max_scans;

	if (calls->work == NULL)
		return;
	max_scans = calls->work->fit->limits.max_scans;
	if (max_scans > 0 && scan > max_scans)
		jump_back(calls, IMAGE_TOO_LARGE, "JPEG of over %d scans", max_scans);
	if (image_poll(calls->work, &calls->error) != IMAGE_OK)
		longjmp(calls->back, 1);
}

static struct jpeg_error_mgr *
set_up_calls(JpegCalls *calls, ImageWork *work)
{
	jpeg_std_error(&calls->manager);
	calls->manager.error_exit = on_error;
	calls->manager.emit_message = on_message;
	calls->work = work;
	return &calls->manager;
}

/* Hands over why the jump was made. */
static ImageStatus
failure(const JpegCalls *calls, ImageError *error)
{
	if (error != NULL)
		*error = calls->error;
	return calls->error.status;
}

/* ---- reading ---- */

/*
 * The fewest eighths that cover the target.  5, 6 and 7 have no SIMD code and are
 * slower than 8.
 */
static unsigned
choose_eighths(const struct jpeg_decompress_struct *cinfo, int min_width, int min_height)
{
	static const unsigned eighths[] = {1, 2, 3, 4};

	for (size_t i = 0; i < sizeof(eighths) / sizeof(eighths[0]); i++)
		if (((uint64_t) cinfo->image_width * eighths[i] + 7) / 8 >= (uint64_t) min_width &&
			((uint64_t) cinfo->image_height * eighths[i] + 7) / 8 >= (uint64_t) min_height)
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
		return failure(&reader->calls, error);
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
	reader->progress.progress_monitor = on_progress;
	cinfo->progress = &reader->progress;
	jpeg_mem_src(cinfo, data, (unsigned long) size);
	jpeg_read_header(cinfo, TRUE);
	choose_colours(reader);
	cinfo->scale_num = choose_eighths(cinfo, min_width, min_height);
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
	reader->cinfo.err = set_up_calls(&reader->calls, work);
	reader->cinfo.client_data = &reader->calls;
	reader->source.read = read_row;
	reader->source.close = close_reader;
	status = start_reader(reader, data, size, min_width, min_height);
	if (status != IMAGE_OK)
	{
		(void) failure(&reader->calls, error);
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}

/* ---- writing ---- */

static void
init_destination(j_compress_ptr cinfo)
{
	(void) cinfo;
}

/* Called when the room is full, and first of all. */
static boolean
grow_destination(j_compress_ptr cinfo)
{
	JpegCalls  *calls = cinfo->client_data;
	JpegWriter *writer = (JpegWriter *) cinfo;
	size_t		room = writer->room == 0 ? 64 * 1024 : writer->room * 2;
	uint8_t    *data = realloc(writer->data, room);

	if (data == NULL)
		jump_back(calls, IMAGE_NO_MEMORY, "no memory for a JPEG");
	writer->destination.next_output_byte = data + writer->room;
	writer->destination.free_in_buffer = room - writer->room;
	writer->data = data;
	writer->room = room;
	return TRUE;
}

static void
end_destination(j_compress_ptr cinfo)
{
	(void) cinfo;
}

static ImageStatus
start_writer(JpegWriter *writer, int channels, bool ycc, const ImageFit *fit)
{
	struct jpeg_compress_struct *cinfo = &writer->cinfo;

	if (setjmp(writer->calls.back) != 0)
		return writer->calls.error.status;
	cinfo->input_components = channels;
	cinfo->in_color_space = channels == 1 ? JCS_GRAYSCALE : ycc ? JCS_YCbCr : JCS_RGB;
	jpeg_set_defaults(cinfo);
	jpeg_set_quality(cinfo, fit->quality, TRUE);
	if (fit->full_chroma)
	{
		cinfo->comp_info[0].h_samp_factor = 1;
		cinfo->comp_info[0].v_samp_factor = 1;
	}
	(void) grow_destination(cinfo);
	jpeg_start_compress(cinfo, TRUE);
	return IMAGE_OK;
}

static ImageStatus
create_writer(JpegWriter *writer)
{
	if (setjmp(writer->calls.back) != 0)
		return writer->calls.error.status;
	jpeg_create_compress(&writer->cinfo);
	return IMAGE_OK;
}

ImageStatus
image_jpeg_writer_new(int width, int height, int channels, bool ycc, ImageWork *work,
					  JpegWriter **result, ImageError *error)
{
	JpegWriter *writer = calloc(1, sizeof(JpegWriter));
	ImageStatus status;

	if (writer == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a JPEG");
	writer->cinfo.err = set_up_calls(&writer->calls, work);
	writer->cinfo.client_data = &writer->calls;
	writer->destination.init_destination = init_destination;
	writer->destination.empty_output_buffer = grow_destination;
	writer->destination.term_destination = end_destination;
	status = create_writer(writer);
	if (status == IMAGE_OK)
	{
		writer->cinfo.dest = &writer->destination;
		writer->cinfo.image_width = (JDIMENSION) width;
		writer->cinfo.image_height = (JDIMENSION) height;
		status = start_writer(writer, channels, ycc, work->fit);
	}
	if (status != IMAGE_OK)
	{
		(void) failure(&writer->calls, error);
		image_jpeg_writer_free(writer);
		return status;
	}
	*result = writer;
	return IMAGE_OK;
}

ImageStatus
image_jpeg_write(JpegWriter *writer, const uint8_t *row, ImageError *error)
{
	JSAMPROW	line = (JSAMPROW) row;

	if (setjmp(writer->calls.back) != 0)
		return failure(&writer->calls, error);
	jpeg_write_scanlines(&writer->cinfo, &line, 1);
	return IMAGE_OK;
}

ImageStatus
image_jpeg_finish(JpegWriter *writer, uint8_t **data, size_t *size, ImageError *error)
{
	if (setjmp(writer->calls.back) != 0)
		return failure(&writer->calls, error);
	jpeg_finish_compress(&writer->cinfo);
	*data = writer->data;
	*size = writer->room - writer->destination.free_in_buffer;
	writer->data = NULL;
	return IMAGE_OK;
}

void
image_jpeg_writer_free(JpegWriter *writer)
{
	if (writer == NULL)
		return;
	jpeg_destroy_compress(&writer->cinfo);
	free(writer->data);
	free(writer);
}
