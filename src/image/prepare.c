/*
 * prepare.c
 *	  The way of one picture: check, fit, decode, turn upright, resize, encode.
 */
#include "private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Python's round(x / factor) * factor, for the positive. */
static int
round_by(double side, int factor)
{
	return (int) nearbyint(side / factor) * factor;
}

ImageStatus
image_smart_resize(int height, int width, int factor, int64_t min_pixels, int64_t max_pixels,
				   int *fitted_height, int *fitted_width, ImageError *error)
{
	int			longer = height > width ? height : width;
	int			shorter = height > width ? width : height;
	int			h;
	int			w;
	double		beta;

	if (shorter <= 0 || (double) longer / shorter > 200)
		return image_fail(error, IMAGE_RATIO, "%d x %d pixels, sides over 200 : 1", width, height);
	h = round_by(height, factor);
	w = round_by(width, factor);
	h = h < factor ? factor : h;
	w = w < factor ? factor : w;
	if ((int64_t) h * w > max_pixels)
	{
		beta = sqrt((double) height * width / (double) max_pixels);
		h = (int) floor(height / beta / factor) * factor;
		w = (int) floor(width / beta / factor) * factor;
		h = h < factor ? factor : h;
		w = w < factor ? factor : w;
	}
	else if ((int64_t) h * w < min_pixels)
	{
		beta = sqrt((double) min_pixels / ((double) height * width));
		h = (int) ceil(height * beta / factor) * factor;
		w = (int) ceil(width * beta / factor) * factor;
	}
	*fitted_height = h;
	*fitted_width = w;
	return IMAGE_OK;
}

/* The sides a person would see, after orientation. */
static void
upright_sides(const ImageInfo *info, int *width, int *height)
{
	bool		swapped = info->orientation >= 5;

	*width = swapped ? info->height : info->width;
	*height = swapped ? info->width : info->height;
}

int64_t
image_tokens(const ImageInfo *info, const ImageFit *fit)
{
	ImageError	error;
	int			width = 0;
	int			height = 0;
	int			w = 0;
	int			h = 0;

	upright_sides(info, &width, &height);
	if (image_smart_resize(height, width, fit->factor, fit->min_pixels, fit->max_pixels,
						   &h, &w, &error) != IMAGE_OK)
		return 0;
	return (int64_t) (h / fit->factor) * (w / fit->factor) + 2;
}

/*
 * The model's own processor rounds the sides the same way again, so a picture that
 * need not shrink is sent as it is.
 */
static bool
may_pass(const ImageInfo *info, const ImageFit *fit, int width, int height)
{
	int64_t		pixels = (int64_t) info->width * info->height;

	(void) width;
	(void) height;
	return info->format == IMAGE_FORMAT_JPEG && !info->progressive && info->orientation == 1 &&
		(info->channels == 1 || info->channels == 3) && info->bits == 8 && info->complete &&
		pixels <= fit->max_pixels && pixels >= fit->min_pixels;
}

static ImageStatus
decode(const uint8_t *data, size_t size, const ImageInfo *info, int width, int height,
	   const ImageFit *fit, Pixels *pixels, ImageError *error)
{
	bool		swapped = info->orientation >= 5;

	switch (info->format)
	{
		case IMAGE_FORMAT_JPEG:
			return jpeg_decode(data, size, swapped ? height : width, swapped ? width : height,
							   fit, pixels, error);
		case IMAGE_FORMAT_PNG:
			return png_decode(data, size, fit, pixels, error);
		case IMAGE_FORMAT_WEBP:
			return webp_decode(data, size, fit, pixels, error);
		case IMAGE_FORMAT_GIF:
			return gif_decode(data, size, fit, pixels, error);
		case IMAGE_FORMAT_NONE:
			break;
	}
	return image_fail(error, IMAGE_UNKNOWN, "not a picture in any known format");
}

/* Shrinks to the target while still as stored, then turns: fewer pixels to turn. */
static ImageStatus
fit_pixels(Pixels *pixels, const ImageInfo *info, int width, int height, const ImageFit *fit,
		   ImageError *error)
{
	bool		swapped = info->orientation >= 5;
	Pixels		resized = {.width = swapped ? height : width,.height = swapped ? width : height};
	ImageStatus status;

	if (resized.width != pixels->width || resized.height != pixels->height)
	{
		status = pixels_resize(pixels, &resized, fit, error);
		if (status != IMAGE_OK)
			return status;
		free(pixels->rgb);
		*pixels = resized;
	}
	return pixels_orient(pixels, info->orientation, error);
}

ImageStatus
image_prepare(const uint8_t *data, size_t size, const ImageFit *fit, ImagePrepared *prepared,
			  ImageError *error)
{
	ImageInfo  *info = &prepared->source;
	Pixels		pixels = {0};
	ImageStatus status;
	int			width = 0;
	int			height = 0;
	int			w = 0;
	int			h = 0;

	memset(prepared, 0, sizeof(*prepared));
	memset(error, 0, sizeof(*error));
	status = image_info(data, size, info, error);
	if (status == IMAGE_OK)
		status = image_check(info, size, &fit->limits, error);
	if (status != IMAGE_OK)
		return status;
	upright_sides(info, &width, &height);
	status = image_smart_resize(height, width, fit->factor, fit->min_pixels, fit->max_pixels,
								&h, &w, error);
	if (status != IMAGE_OK)
		return status;
	if (may_pass(info, fit, w, h))
	{
		prepared->passed_through = true;
		prepared->width = width;
		prepared->height = height;
		return IMAGE_OK;
	}
	status = decode(data, size, info, w, h, fit, &pixels, error);
	if (status == IMAGE_OK)
		status = fit_pixels(&pixels, info, w, h, fit, error);
	if (status == IMAGE_OK)
		status = jpeg_encode(&pixels, fit, &prepared->data, &prepared->size, error);
	free(pixels.rgb);
	prepared->width = w;
	prepared->height = h;
	return status;
}

void
image_prepared_free(ImagePrepared *prepared)
{
	free(prepared->data);
	prepared->data = NULL;
}
