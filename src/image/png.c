/*
 * png.c
 *	  PNG through libpng: every colour type to RGB, alpha on white.
 */
#include "private.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct Source
{
	const uint8_t *data;
	size_t		left;
	const ImageFit *fit;
	bool		ended;
	bool		stopped;
	char		message[120];
} Source;

static void
on_error(png_structp png, png_const_charp message)
{
	Source	   *source = png_get_error_ptr(png);

	strncpy(source->message, message, sizeof(source->message) - 1);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp message)
{
	(void) png;
	(void) message;
}

static void
on_read(png_structp png, png_bytep out, png_size_t n)
{
	Source	   *source = png_get_io_ptr(png);

	if (n > source->left)
	{
		source->ended = true;
		png_error(png, "the file ends early");
	}
	memcpy(out, source->data, n);
	source->data += n;
	source->left -= n;
}

static void
on_row(png_structp png, png_uint_32 row, int pass)
{
	Source	   *source = png_get_io_ptr(png);

	(void) pass;
	if (row % 16 == 0 && image_stopped(source->fit))
	{
		source->stopped = true;
		png_error(png, "stopped");
	}
}

/* Whatever it is becomes 8-bit RGB on white. */
static void
set_transforms(png_structp png, png_infop info)
{
	png_color_16 white = {.red = 255,.green = 255,.blue = 255,.gray = 255};

	png_set_expand(png);
	png_set_scale_16(png);
	png_set_gray_to_rgb(png);
	if ((png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA) != 0 ||
		png_get_valid(png, info, PNG_INFO_tRNS) != 0)
		png_set_background(png, &white, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1.0);
	(void) png_set_interlace_handling(png);
	png_read_update_info(png, info);
}

static ImageStatus
failure(const Source *source, ImageError *error)
{
	if (source->stopped)
		return image_fail(error, IMAGE_STOPPED, "stopped");
	if (source->ended)
		return image_fail(error, IMAGE_TRUNCATED, "PNG ends before its last row");
	return image_fail(error, IMAGE_BROKEN, "PNG: %s", source->message);
}

ImageStatus
png_decode(const uint8_t *data, size_t size, const ImageFit *fit, Pixels *pixels,
		   ImageError *error)
{
	Source		source = {.data = data,.left = size,.fit = fit};
	png_structp png;
	png_infop	info = NULL;
	png_bytep  *volatile rows = NULL;

	memset(pixels, 0, sizeof(*pixels));
	png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_error, on_warning);
	if (png != NULL)
		info = png_create_info_struct(png);
	if (info == NULL)
	{
		png_destroy_read_struct(&png, NULL, NULL);
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a PNG");
	}
	if (setjmp(png_jmpbuf(png)) != 0)
	{
		png_destroy_read_struct(&png, &info, NULL);
		free(rows);
		free(pixels->rgb);
		pixels->rgb = NULL;
		return failure(&source, error);
	}
	/* text and profiles may inflate to anything: their memory is bounded */
	png_set_user_limits(png, 1u << 20, 1u << 20);
	png_set_chunk_malloc_max(png, 8u << 20);
	png_set_read_fn(png, &source, on_read);
	png_set_read_status_fn(png, on_row);
	png_read_info(png, info);
	set_transforms(png, info);
	if (!pixels_new(pixels, (int) png_get_image_width(png, info),
					(int) png_get_image_height(png, info)) ||
		png_get_rowbytes(png, info) != (size_t) pixels->width * 3 ||
		(rows = malloc(sizeof(png_bytep) * (size_t) pixels->height)) == NULL)
		png_error(png, "no memory");
	for (int y = 0; y < pixels->height; y++)
		rows[y] = pixels->rgb + (size_t) y * (size_t) pixels->width * 3;
	png_read_image(png, rows);
	png_destroy_read_struct(&png, &info, NULL);
	free(rows);
	return IMAGE_OK;
}
