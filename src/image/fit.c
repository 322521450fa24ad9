/*
 * fit.c
 *	  The sides a model sees.
 *
 * Qwen's smart_resize (qwen_vl_utils, vision_process.py), with the same results to the bit:
 * rounding is Python's, half to even; quotients and roots are doubles, computed in the
 * original's order.
 */
#include "private.h"

#include <limits.h>
#include <math.h>

#define MAX_RATIO 200			/* as in the original */

void
image_fit_defaults(ImageFit *fit, int factor)
{
	int64_t		patch = (int64_t) factor * factor;

	fit->factor = factor;
	fit->min_pixels = IMAGE_MIN_TOKENS * patch;
	fit->max_pixels = IMAGE_MAX_TOKENS * patch;
}

/* Python's round(side / factor) * factor; the quotient is a tie only where it is exact. */
static int64_t
round_by_factor(int side, int factor)
{
	int64_t		times = side / factor;
	int64_t		twice = 2 * (int64_t) (side % factor);

	if (twice > factor || (twice == factor && times % 2 == 1))
		times++;
	return times * factor;
}

static int64_t
at_least(int64_t side, int factor)
{
	return side > factor ? side : factor;
}

ImageStatus
image_smart_resize(int height, int width, int factor, int64_t min_pixels, int64_t max_pixels,
				   int *fitted_height, int *fitted_width, ImageError *error)
{
	int			longer = height > width ? height : width;
	int			shorter = height > width ? width : height;
	int64_t		h;
	int64_t		w;

	if (shorter < 1 || factor < 1 || max_pixels < 1)
		return image_fail(error, IMAGE_BROKEN, "%d x %d pixels by %d cannot be fitted", width,
						  height, factor);
	if ((int64_t) longer > (int64_t) MAX_RATIO * shorter)
		return image_fail(error, IMAGE_RATIO, "%d x %d pixels, sides over %d : 1", width,
						  height, MAX_RATIO);
	h = at_least(round_by_factor(height, factor), factor);
	w = at_least(round_by_factor(width, factor), factor);
	if (h * w > max_pixels)
	{
		double		beta = sqrt((double) ((int64_t) height * width) / (double) max_pixels);

		h = at_least((int64_t) floor(height / beta / factor) * factor, factor);
		w = at_least((int64_t) floor(width / beta / factor) * factor, factor);
	}
	else if (h * w < min_pixels)
	{
		double		beta = sqrt((double) min_pixels / (double) ((int64_t) height * width));

		if (longer * beta > INT_MAX - (double) factor)
			return image_fail(error, IMAGE_TOO_LARGE, "%d x %d pixels cannot grow to %lld",
							  width, height, (long long) min_pixels);
		h = (int64_t) ceil(height * beta / factor) * factor;
		w = (int64_t) ceil(width * beta / factor) * factor;
	}
	if (h > INT_MAX || w > INT_MAX)
		return image_fail(error, IMAGE_TOO_LARGE, "%d x %d pixels cannot be fitted", width,
						  height);
	*fitted_height = (int) h;
	*fitted_width = (int) w;
	return IMAGE_OK;
}

void
image_upright_sides(const ImageInfo *info, int *width, int *height)
{
	bool		swapped = info->orientation >= 5;

	*width = swapped ? info->height : info->width;
	*height = swapped ? info->width : info->height;
}

ImageStatus
image_fit_sides(const ImageInfo *info, const ImageFit *fit, bool *shrinks, int *width,
				int *height, ImageError *error)
{
	int			upright_width;
	int			upright_height;
	ImageStatus status;

	image_upright_sides(info, &upright_width, &upright_height);
	status = image_smart_resize(upright_height, upright_width, fit->factor, fit->min_pixels,
								fit->max_pixels, height, width, error);
	if (status != IMAGE_OK)
		return status;
	*shrinks = at_least(round_by_factor(upright_width, fit->factor), fit->factor) *
		at_least(round_by_factor(upright_height, fit->factor), fit->factor) > fit->max_pixels;
	if (!*shrinks)
	{
		*width = upright_width;
		*height = upright_height;
	}
	return IMAGE_OK;
}

bool
image_is_long(const ImageInfo *info, const ImageFit *fit, double ratio)
{
	int			longer = info->width > info->height ? info->width : info->height;
	int			shorter = info->width > info->height ? info->height : info->width;
	int			width;
	int			height;
	bool		shrinks;

	return shorter > 0 && longer > ratio * shorter &&
		image_fit_sides(info, fit, &shrinks, &width, &height, NULL) == IMAGE_OK && shrinks;
}

int64_t
image_tokens(const ImageInfo *info, const ImageFit *fit)
{
	int			upright_width;
	int			upright_height;
	int			width = 0;
	int			height = 0;

	image_upright_sides(info, &upright_width, &upright_height);
	if (image_smart_resize(upright_height, upright_width, fit->factor, fit->min_pixels,
						   fit->max_pixels, &height, &width, NULL) != IMAGE_OK)
		return 0;
	return (int64_t) (height / fit->factor) * (width / fit->factor) + 2;
}
