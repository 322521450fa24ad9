/*
 * jpeg.c
 *	  JPEG through libjpeg-turbo.  Its errors end in this file.
 */
#include <stdio.h>

#include "private.h"

#include <jpeglib.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct Errors
{
	struct jpeg_error_mgr manager;
	jmp_buf		escape;
	char		message[JMSG_LENGTH_MAX];
	bool		premature_end;
	bool		stopped;
	const ImageFit *fit;
	int			scans;
	unsigned char *out;			/* what jpeg_mem_dest made */
	unsigned long out_size;
} Errors;

static void
on_error(j_common_ptr info)
{
	Errors	   *errors = (Errors *) info->err;

	info->err->format_message(info, errors->message);
	longjmp(errors->escape, 1);
}

/* Warnings are counted; "premature end" is one that costs rows. */
static void
on_message(j_common_ptr info, int level)
{
	Errors	   *errors = (Errors *) info->err;

	if (level >= 0)
		return;
	info->err->num_warnings++;
	info->err->format_message(info, errors->message);
	if (strstr(errors->message, "remature end") != NULL)
		errors->premature_end = true;
}

/* Called between scans: the place to stop a file of ten thousand of them. */
static void
on_progress(j_common_ptr info)
{
	Errors	   *errors = (Errors *) info->err;

	if (info->is_decompressor)
	{
		int			scan = ((j_decompress_ptr) info)->input_scan_number;

		if (errors->fit->limits.max_scans > 0 && scan > errors->fit->limits.max_scans)
		{
			snprintf(errors->message, sizeof(errors->message), "JPEG has over %d scans",
					 errors->fit->limits.max_scans);
			errors->scans = scan;
			longjmp(errors->escape, 1);
		}
	}
	if (image_stopped(errors->fit))
	{
		errors->stopped = true;
		longjmp(errors->escape, 1);
	}
}

static void
set_up_errors(Errors *errors, struct jpeg_error_mgr **slot, const ImageFit *fit)
{
	memset(errors, 0, sizeof(*errors));
	*slot = jpeg_std_error(&errors->manager);
	errors->manager.error_exit = on_error;
	errors->manager.emit_message = on_message;
	errors->fit = fit;
}

static ImageStatus
failure(const Errors *errors, ImageError *error)
{
	if (errors->stopped)
		return image_fail(error, IMAGE_STOPPED, "stopped");
	if (errors->scans > 0)
		return image_fail(error, IMAGE_TOO_LARGE, "%s", errors->message);
	if (strstr(errors->message, "nsufficient memory") != NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "%s", errors->message);
	return image_fail(error, IMAGE_BROKEN, "JPEG: %s", errors->message);
}

/* The smallest eighths whose output covers the target; 5, 6 and 7 have no SIMD. */
static int
choose_scale(int width, int height, int wanted_width, int wanted_height)
{
	static const int scales[] = {1, 2, 4, 8};

	for (size_t i = 0; i < 3; i++)
		if ((int64_t) width * scales[i] / 8 >= wanted_width &&
			(int64_t) height * scales[i] / 8 >= wanted_height)
			return scales[i];
	return 8;
}

/* Adobe writes CMYK inverted; others are too rare to matter and follow it. */
static void
cmyk_to_rgb(const uint8_t *cmyk, uint8_t *rgb, int width)
{
	for (int i = 0; i < width; i++, cmyk += 4, rgb += 3)
		for (int c = 0; c < 3; c++)
			rgb[c] = (uint8_t) ((cmyk[c] * cmyk[3] + 127) / 255);
}

static ImageStatus
read_rows(struct jpeg_decompress_struct *cinfo, Errors *errors, Pixels *pixels, ImageError *error)
{
	bool		cmyk = cinfo->out_color_space == JCS_CMYK;
	JSAMPARRAY	line = cmyk ? cinfo->mem->alloc_sarray((j_common_ptr) cinfo, JPOOL_IMAGE,
													   cinfo->output_width * 4, 1) : NULL;

	while (cinfo->output_scanline < cinfo->output_height)
	{
		uint8_t    *row = pixels->rgb + (size_t) cinfo->output_scanline *
		(size_t) pixels->width * 3;

		if (cinfo->output_scanline % 16 == 0 && image_stopped(errors->fit))
		{
			errors->stopped = true;
			return failure(errors, error);
		}
		if (cmyk)
		{
			jpeg_read_scanlines(cinfo, line, 1);
			cmyk_to_rgb(line[0], row, pixels->width);
		}
		else
			jpeg_read_scanlines(cinfo, &row, 1);
		if (errors->premature_end)
			return image_fail(error, IMAGE_TRUNCATED, "JPEG ends at %d %%",
							  (int) ((int64_t) cinfo->output_scanline * 100 /
									 cinfo->output_height));
	}
	return IMAGE_OK;
}

ImageStatus
jpeg_decode(const uint8_t *data, size_t size, int width, int height, const ImageFit *fit,
			Pixels *pixels, ImageError *error)
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_progress_mgr progress = {.progress_monitor = on_progress};
	Errors		errors;
	volatile ImageStatus status;

	memset(&cinfo, 0, sizeof(cinfo));
	memset(pixels, 0, sizeof(*pixels));
	set_up_errors(&errors, &cinfo.err, fit);
	if (setjmp(errors.escape) != 0)
	{
		jpeg_destroy_decompress(&cinfo);
		free(pixels->rgb);
		pixels->rgb = NULL;
		return failure(&errors, error);
	}
	jpeg_create_decompress(&cinfo);
	cinfo.progress = &progress;
	jpeg_mem_src(&cinfo, data, (unsigned long) size);
	jpeg_read_header(&cinfo, TRUE);
	cinfo.scale_num = (unsigned) choose_scale((int) cinfo.image_width, (int) cinfo.image_height,
											  width, height);
	cinfo.scale_denom = 8;
	cinfo.out_color_space = cinfo.num_components == 4 ? JCS_CMYK : JCS_RGB;
	jpeg_start_decompress(&cinfo);
	if (!pixels_new(pixels, (int) cinfo.output_width, (int) cinfo.output_height))
		status = image_fail(error, IMAGE_NO_MEMORY, "no memory for %u x %u pixels",
							cinfo.output_width, cinfo.output_height);
	else
		status = read_rows(&cinfo, &errors, pixels, error);
	jpeg_destroy_decompress(&cinfo);
	if (status != IMAGE_OK)
	{
		free(pixels->rgb);
		pixels->rgb = NULL;
	}
	return status;
}

double
jpeg_present(const uint8_t *data, size_t size)
{
	ImageFit	fit = {.limits = image_default_limits};
	struct jpeg_decompress_struct cinfo;
	struct jpeg_progress_mgr progress = {.progress_monitor = on_progress};
	Errors		errors;
	volatile double share = -1;
	JSAMPARRAY	line;

	memset(&cinfo, 0, sizeof(cinfo));
	set_up_errors(&errors, &cinfo.err, &fit);
	if (setjmp(errors.escape) != 0)
	{
		jpeg_destroy_decompress(&cinfo);
		return share;
	}
	jpeg_create_decompress(&cinfo);
	cinfo.progress = &progress;
	jpeg_mem_src(&cinfo, data, (unsigned long) size);
	jpeg_read_header(&cinfo, TRUE);

	/*
	 * rows of a progressive one say nothing, and a large one costs too much
	 * here
	 */
	if (!cinfo.progressive_mode &&
		(int64_t) cinfo.image_width * cinfo.image_height <= 100 * 1000 * 1000)
	{
		cinfo.scale_num = 1;
		cinfo.scale_denom = 8;
		cinfo.out_color_space = JCS_GRAYSCALE;
		if (cinfo.num_components == 4)
			cinfo.out_color_space = JCS_CMYK;
		jpeg_start_decompress(&cinfo);
		line = cinfo.mem->alloc_sarray((j_common_ptr) &cinfo, JPOOL_IMAGE,
									   cinfo.output_width * 4, 1);
		while (cinfo.output_scanline < cinfo.output_height && !errors.premature_end)
		{
			jpeg_read_scanlines(&cinfo, line, 1);
			share = (double) cinfo.output_scanline / cinfo.output_height;
		}
	}
	jpeg_destroy_decompress(&cinfo);
	return share;
}

ImageStatus
jpeg_encode(const Pixels *pixels, const ImageFit *fit, uint8_t **data, size_t *size,
			ImageError *error)
{
	struct jpeg_compress_struct cinfo;
	Errors		errors;

	memset(&cinfo, 0, sizeof(cinfo));
	set_up_errors(&errors, &cinfo.err, fit);
	if (setjmp(errors.escape) != 0)
	{
		jpeg_destroy_compress(&cinfo);
		free(errors.out);
		return failure(&errors, error);
	}
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &errors.out, &errors.out_size);
	cinfo.image_width = (JDIMENSION) pixels->width;
	cinfo.image_height = (JDIMENSION) pixels->height;
	cinfo.input_components = 3;
	cinfo.in_color_space = JCS_RGB;
	jpeg_set_defaults(&cinfo);
	jpeg_set_quality(&cinfo, fit->quality, TRUE);
	if (fit->full_chroma)
		cinfo.comp_info[0].h_samp_factor = cinfo.comp_info[0].v_samp_factor = 1;
	jpeg_start_compress(&cinfo, TRUE);
	while (cinfo.next_scanline < cinfo.image_height)
	{
		JSAMPROW	row = pixels->rgb + (size_t) cinfo.next_scanline * (size_t) pixels->width * 3;

		if (cinfo.next_scanline % 64 == 0 && image_stopped(fit))
		{
			jpeg_destroy_compress(&cinfo);
			free(errors.out);
			return image_fail(error, IMAGE_STOPPED, "stopped");
		}
		jpeg_write_scanlines(&cinfo, &row, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	*data = errors.out;
	*size = errors.out_size;
	return IMAGE_OK;
}
