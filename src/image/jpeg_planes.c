/*
 * jpeg_planes.c
 *	  A JPEG's luma and chroma as they are stored, each at its own sides, through
 *	  libjpeg-turbo.
 */
#include "jpeg.h"

#include <stdlib.h>
#include <string.h>

struct JpegPlanes
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_progress_mgr progress;
	JpegCalls	calls;
	uint8_t    *samples;		/* a row of blocks of every plane */
	JSAMPROW   *rows[PLANES];	/* of samples */
	int			came[PLANES];	/* rows that were handed on */
};

/* Eighths at which a plane is decoded. */
static int
scale_of(const struct jpeg_decompress_struct *cinfo, int plane)
{
	return cinfo->comp_info[plane].DCT_scaled_size;
}

static int
block_row_height(const struct jpeg_decompress_struct *cinfo, int plane)
{
	return cinfo->comp_info[plane].v_samp_factor * scale_of(cinfo, plane);
}

static size_t
stored_width(const struct jpeg_decompress_struct *cinfo, int plane)
{
	return (size_t) cinfo->comp_info[plane].width_in_blocks * (size_t) scale_of(cinfo, plane);
}

/* Room for one row of blocks of each plane, as libjpeg fills it. */
static bool
make_room(JpegPlanes *planes)
{
	const struct jpeg_decompress_struct *cinfo = &planes->cinfo;
	size_t		bytes = 0;
	size_t		lines = 0;
	uint8_t    *at;

	for (int p = 0; p < PLANES; p++)
	{
		bytes += stored_width(cinfo, p) * (size_t) block_row_height(cinfo, p);
		lines += (size_t) block_row_height(cinfo, p);
	}
	planes->samples = malloc(bytes);
	planes->rows[0] = malloc(lines * sizeof(JSAMPROW));
	if (planes->samples == NULL || planes->rows[0] == NULL)
		return false;
	at = planes->samples;
	for (int p = 0; p < PLANES; p++)
	{
		if (p > 0)
			planes->rows[p] = planes->rows[p - 1] + block_row_height(cinfo, p - 1);
		for (int y = 0; y < block_row_height(cinfo, p); y++)
		{
			planes->rows[p][y] = at;
			at += stored_width(cinfo, p);
		}
	}
	return true;
}

static void
describe(const JpegPlanes *planes, PlaneShape *shapes)
{
	const struct jpeg_decompress_struct *cinfo = &planes->cinfo;

	for (int p = 0; p < PLANES; p++)
	{
		const jpeg_component_info *plane = &cinfo->comp_info[p];

		shapes[p].width = (int) plane->downsampled_width;
		shapes[p].height = (int) plane->downsampled_height;
		shapes[p].covers_width = (double) cinfo->image_width * plane->h_samp_factor *
			scale_of(cinfo, p) / (cinfo->max_h_samp_factor * DCTSIZE);
		shapes[p].covers_height = (double) cinfo->image_height * plane->v_samp_factor *
			scale_of(cinfo, p) / (cinfo->max_v_samp_factor * DCTSIZE);
	}
}

/* All that may fail in libjpeg's way before the first row; *suits: it is YCbCr. */
static ImageStatus
start(JpegPlanes *planes, const uint8_t *data, size_t size, int min_width, int min_height,
	  bool *suits)
{
	struct jpeg_decompress_struct *cinfo = &planes->cinfo;

	if (setjmp(planes->calls.back) != 0)
		return planes->calls.error.status;
	jpeg_create_decompress(cinfo);
	planes->progress.progress_monitor = image_jpeg_on_progress;
	cinfo->progress = &planes->progress;
	jpeg_mem_src(cinfo, data, (unsigned long) size);
	jpeg_read_header(cinfo, TRUE);
	*suits = cinfo->num_components == PLANES && cinfo->jpeg_color_space == JCS_YCbCr;
	if (!*suits)
		return IMAGE_OK;
	cinfo->out_color_space = JCS_YCbCr;
	cinfo->raw_data_out = TRUE;
	cinfo->scale_num = image_jpeg_eighths(cinfo, min_width, min_height);
	cinfo->scale_denom = DCTSIZE;
	jpeg_start_decompress(cinfo);
	if (!make_room(planes))
		jump_back(&planes->calls, IMAGE_NO_MEMORY, "no memory for a JPEG");
	return IMAGE_OK;
}

ImageStatus
image_jpeg_planes_open(const uint8_t *data, size_t size, int min_width, int min_height,
					   ImageWork *work, JpegPlanes **result, PlaneShape *shapes,
					   ImageError *error)
{
	JpegPlanes *planes = calloc(1, sizeof(JpegPlanes));
	ImageStatus status;
	bool		suits = false;

	*result = NULL;
	if (planes == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a JPEG");
	planes->cinfo.err = image_jpeg_set_up(&planes->calls, work);
	planes->cinfo.client_data = &planes->calls;
	status = start(planes, data, size, min_width, min_height, &suits);
	if (status == IMAGE_OK && suits)
	{
		describe(planes, shapes);
		*result = planes;
		return IMAGE_OK;
	}
	if (status != IMAGE_OK)
		(void) image_jpeg_failure(&planes->calls, error);
	image_jpeg_planes_close(planes);
	return status;
}

static ImageStatus
read_blocks(JpegPlanes *planes)
{
	struct jpeg_decompress_struct *cinfo = &planes->cinfo;

	if (setjmp(planes->calls.back) != 0)
		return planes->calls.error.status;
	jpeg_read_raw_data(cinfo, planes->rows,
					   (JDIMENSION) (cinfo->max_v_samp_factor * cinfo->min_DCT_scaled_size));
	return IMAGE_OK;
}

ImageStatus
image_jpeg_planes_read(JpegPlanes *planes, PlaneSink sink, void *sink_arg, ImageError *error)
{
	const struct jpeg_decompress_struct *cinfo = &planes->cinfo;
	ImageStatus status = IMAGE_OK;

	if (read_blocks(planes) != IMAGE_OK)
		return image_jpeg_failure(&planes->calls, error);
	for (int p = 0; p < PLANES; p++)
	{
		int			height = (int) cinfo->comp_info[p].downsampled_height;

		for (int y = 0; y < block_row_height(cinfo, p) && planes->came[p] < height; y++)
		{
			planes->came[p]++;
			status = sink(sink_arg, p, planes->rows[p][y], error);
			if (status != IMAGE_OK)
				return status;
		}
	}
	return status;
}

bool
image_jpeg_planes_end(const JpegPlanes *planes)
{
	return planes->cinfo.output_scanline >= planes->cinfo.output_height;
}

void
image_jpeg_planes_close(JpegPlanes *planes)
{
	if (planes == NULL)
		return;
	jpeg_destroy_decompress(&planes->cinfo);
	free(planes->rows[0]);
	free(planes->samples);
	free(planes);
}
