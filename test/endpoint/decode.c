/*
 * decode.c
 *	  JPEG, PNG and WebP bytes to RGB pixels.
 *
 * The decoders are called from several threads at once; nothing is shared.
 */
#include "look.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

/* These want stdio.h before them. */
#include <jpeglib.h>
#include <jerror.h>

#include "buffer.h"

#define MAX_PIXELS 200000000.0

/* A JPEG side is decoded at no less than this: enough for a 64 pixel average. */
#define ENOUGH 128

typedef struct JpegError
{
	struct jpeg_error_mgr public;	/* first: libjpeg hands it back */
	jmp_buf		escape;
	bool		cut;
} JpegError;

static void
jpeg_fatal(j_common_ptr jpeg)
{
	longjmp(((JpegError *) jpeg->err)->escape, 1);
}

static void
jpeg_message(j_common_ptr jpeg, int level)
{
	int			code = jpeg->err->msg_code;

	if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER))
		((JpegError *) jpeg->err)->cut = true;
}

/* CMYK as Adobe writes it (inverted), in place to RGB. */
static void
cmyk_to_rgb(const unsigned char *from, unsigned char *to, int pixels)
{
	int			i;

	for (i = 0; i < pixels; i++, from += 4, to += 3)
	{
		to[0] = (unsigned char) (from[0] * from[3] / 255);
		to[1] = (unsigned char) (from[1] * from[3] / 255);
		to[2] = (unsigned char) (from[2] * from[3] / 255);
	}
}

static void
jpeg_choose(struct jpeg_decompress_struct *jpeg)
{
	bool		four = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
	unsigned	longer = jpeg->image_width > jpeg->image_height ? jpeg->image_width : jpeg->image_height;

	jpeg->out_color_space = four ? JCS_CMYK : JCS_RGB;
	jpeg->scale_num = 1;
	jpeg->scale_denom = 1;
	while (jpeg->scale_denom < 8 && longer / (jpeg->scale_denom * 2) >= ENOUGH)
		jpeg->scale_denom *= 2;
}

static bool
decode_jpeg(const unsigned char *bytes, size_t size, Picture *picture, const char **why)
{
	struct jpeg_decompress_struct jpeg;
	JpegError	error;
	unsigned char *volatile line = NULL;

	memset(&jpeg, 0, sizeof(jpeg));
	jpeg.err = jpeg_std_error(&error.public);
	error.public.error_exit = jpeg_fatal;
	error.public.emit_message = jpeg_message;
	error.cut = false;
	if (setjmp(error.escape))
	{
		jpeg_destroy_decompress(&jpeg);
		free(line);
		*why = "cannot decode JPEG";
		return false;
	}
	jpeg_create_decompress(&jpeg);
	jpeg_mem_src(&jpeg, bytes, (unsigned long) size);
	jpeg_read_header(&jpeg, TRUE);
	picture->format = "JPEG";
	picture->width = (int) jpeg.image_width;
	picture->height = (int) jpeg.image_height;
	if ((double) picture->width * picture->height > MAX_PIXELS)
		jpeg_fatal((j_common_ptr) &jpeg);
	jpeg_choose(&jpeg);
	jpeg_start_decompress(&jpeg);
	picture->columns = (int) jpeg.output_width;
	picture->rows = (int) jpeg.output_height;
	picture->rgb = must_alloc((size_t) picture->columns * (size_t) picture->rows * 3);
	line = must_alloc((size_t) picture->columns * 4);
	while (jpeg.output_scanline < jpeg.output_height)
	{
		unsigned char *row = picture->rgb + (size_t) jpeg.output_scanline * (size_t) picture->columns * 3;
		unsigned char *target = jpeg.out_color_space == JCS_CMYK ? line : row;

		jpeg_read_scanlines(&jpeg, &target, 1);
		if (target == line)
			cmyk_to_rgb(line, row, picture->columns);
	}
	jpeg_finish_decompress(&jpeg);
	jpeg_destroy_decompress(&jpeg);
	free(line);
	*why = "image file is truncated";
	return !error.cut;
}

static bool
decode_png(const unsigned char *bytes, size_t size, Picture *picture, const char **why)
{
	png_image	png;
	png_color	white = {255, 255, 255};

	memset(&png, 0, sizeof(png));
	png.version = PNG_IMAGE_VERSION;
	*why = "cannot decode PNG";
	if (!png_image_begin_read_from_memory(&png, bytes, size))
		return false;
	picture->format = "PNG";
	picture->width = picture->columns = (int) png.width;
	picture->height = picture->rows = (int) png.height;
	png.format = PNG_FORMAT_RGB;
	if ((double) png.width * png.height > MAX_PIXELS)
	{
		png_image_free(&png);
		return false;
	}
	picture->rgb = must_alloc((size_t) png.width * png.height * 3);
	if (!png_image_finish_read(&png, &white, picture->rgb, 0, NULL))
	{
		png_image_free(&png);
		return false;
	}
	return true;
}

static bool
decode_webp(const unsigned char *bytes, size_t size, Picture *picture, const char **why)
{
	unsigned char *rgba = WebPDecodeRGBA(bytes, size, &picture->width, &picture->height);
	size_t		pixels;
	size_t		i;

	*why = "cannot decode WebP";
	if (rgba == NULL)
		return false;
	picture->format = "WebP";
	picture->columns = picture->width;
	picture->rows = picture->height;
	pixels = (size_t) picture->width * (size_t) picture->height;
	picture->rgb = must_alloc(pixels * 3);
	for (i = 0; i < pixels * 3; i++)
	{
		int			alpha = rgba[i / 3 * 4 + 3];

		picture->rgb[i] = (unsigned char) ((rgba[i / 3 * 4 + i % 3] * alpha + 255 * (255 - alpha) + 127) / 255);
	}
	WebPFree(rgba);
	return true;
}

bool
picture_decode(const unsigned char *bytes, size_t size, Picture *picture, const char **why)
{
	bool		decoded = false;

	memset(picture, 0, sizeof(*picture));
	*why = "cannot identify image file";
	if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
		decoded = decode_jpeg(bytes, size, picture, why);
	else if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
		decoded = decode_png(bytes, size, picture, why);
	else if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
		decoded = decode_webp(bytes, size, picture, why);
	if (!decoded)
		picture_free(picture);
	return decoded;
}

void
picture_free(Picture *picture)
{
	free(picture->rgb);
	memset(picture, 0, sizeof(*picture));
}
