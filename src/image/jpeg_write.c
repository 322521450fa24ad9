/*
 * jpeg_write.c
 *	  Rows or planes to a JPEG in memory, through libjpeg-turbo.
 */
#include "jpeg.h"

#include <stdlib.h>
#include <string.h>

struct JpegWriter
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_destination_mgr destination;
	JpegCalls	calls;
	uint8_t    *data;
	size_t		room;
};

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
	cinfo->input_components = channels == 0 ? PLANES : channels;
	cinfo->in_color_space = channels == 1 ? JCS_GRAYSCALE : ycc ? JCS_YCbCr : JCS_RGB;
	jpeg_set_defaults(cinfo);
	cinfo->raw_data_in = channels == 0;
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
	writer->cinfo.err = image_jpeg_set_up(&writer->calls, work);
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
		(void) image_jpeg_failure(&writer->calls, error);
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
		return image_jpeg_failure(&writer->calls, error);
	jpeg_write_scanlines(&writer->cinfo, &line, 1);
	return IMAGE_OK;
}

ImageStatus
image_jpeg_write_planes(JpegWriter *writer, const uint8_t *const *blocks, ImageError *error)
{
	struct jpeg_compress_struct *cinfo = &writer->cinfo;
	JSAMPROW	lines[PLANES][MAX_SAMP_FACTOR * DCTSIZE];
	JSAMPARRAY	planes[PLANES];

	for (int p = 0; p < PLANES; p++)
	{
		const jpeg_component_info *plane = &cinfo->comp_info[p];

		for (int y = 0; y < plane->v_samp_factor * DCTSIZE; y++)
			lines[p][y] = (JSAMPROW) blocks[p] + (size_t) y * plane->width_in_blocks * DCTSIZE;
		planes[p] = lines[p];
	}
	if (setjmp(writer->calls.back) != 0)
		return image_jpeg_failure(&writer->calls, error);
	jpeg_write_raw_data(cinfo, planes, (JDIMENSION) (cinfo->max_v_samp_factor * DCTSIZE));
	return IMAGE_OK;
}

ImageStatus
image_jpeg_finish(JpegWriter *writer, uint8_t **data, size_t *size, ImageError *error)
{
	if (setjmp(writer->calls.back) != 0)
		return image_jpeg_failure(&writer->calls, error);
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
