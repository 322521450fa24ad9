/*
 * image.c
 *	  Names, limits, and what is refused by the header alone.
 */
#include "private.h"

#include <stdarg.h>
#include <stdio.h>

/*
 * Reasons: DashScope refuses sides under 10 and ratios over 200, Qwen's
 * smart_resize ratios over 200 too; libjpeg reads no side over 65500; Pillow,
 * which trainers load with, gives up at 178 million pixels; ten scans are usual,
 * and each costs a pass over the whole picture; 160 MB hold a progressive JPEG of
 * a camera's 50 million pixels; IMAGE_AVIF_PIXELS is what one core decodes in a second.
 */
const ImageLimits image_default_limits = {
	.max_bytes = 32u << 20,
	.min_side = 10,
	.max_side = 65500,
	.max_pixels = 150000000,
	.max_ratio = 200,
	.max_scans = 100,
	.max_memory = 160 << 20,
	.max_avif_pixels = IMAGE_AVIF_PIXELS,
	.max_ms = 10000
};

const char *
image_format_name(ImageFormat format)
{
	static const char *const names[] = {"none", "jpeg", "png", "webp", "gif", "avif"};

	return names[format];
}

const char *
image_format_title(ImageFormat format)
{
	static const char *const titles[] = {"file", "JPEG", "PNG", "WebP", "GIF", "AVIF"};

	return titles[format];
}

const char *
image_status_name(ImageStatus status)
{
	static const char *const names[] = {
		"ok", "empty", "not_an_image", "unsupported", "truncated", "broken", "too_large",
		"too_small", "ratio", "too_slow", "blank", "no_directory", "no_file", "file_changed",
		"no_memory", "stopped"
	};

	return names[status];
}

ImageStatus
image_fail(ImageError *error, ImageStatus status, const char *format,...)
{
	va_list		args;

	if (error == NULL)
		return status;
	error->status = status;
	va_start(args, format);
	vsnprintf(error->message, sizeof(error->message), format, args);
	va_end(args);
	return status;
}

ImageStatus
image_fail_cut(ImageError *error, ImageFormat format, int rows, int height)
{
	if (rows > 0)
		return image_fail(error, IMAGE_TRUNCATED, "%s ends early, after %d of %d rows",
						  image_format_title(format), rows, height);
	return image_fail(error, IMAGE_TRUNCATED, "%s ends early, before its first row",
					  image_format_title(format));
}

bool
image_is_cut(const ImageInfo *info)
{
	return !info->complete && info->rows >= 0 && info->rows < info->height;
}

/* In the words of a person who looks for the rest. */
static ImageStatus
fail_incomplete(const ImageInfo *info, ImageError *error)
{
	if (info->rows > 0)
		return image_fail_cut(error, info->format, info->rows, info->height);
	if (info->format == IMAGE_FORMAT_JPEG && info->memory > 0)
		return image_fail(error, IMAGE_TRUNCATED, "JPEG ends early: scans are missing");
	if (info->format == IMAGE_FORMAT_AVIF)
		return image_fail(error, IMAGE_TRUNCATED, "AVIF ends early, in its picture");
	return image_fail_cut(error, info->format, 0, info->height);
}

static bool
nearly_all_there(const ImageInfo *info)
{
	return info->rows > 0 && (int64_t) info->rows * 10 >= (int64_t) info->height * 9;
}

ImageStatus
image_check(const ImageInfo *info, size_t size, const ImageLimits *limits, ImageError *error)
{
	int			shorter = info->width < info->height ? info->width : info->height;
	int			longer = info->width < info->height ? info->height : info->width;
	int64_t		pixels = (int64_t) info->width * info->height;

	if (limits->max_bytes > 0 && size > limits->max_bytes)
		return image_fail(error, IMAGE_TOO_LARGE, "%zu bytes, over the limit of %zu", size,
						  limits->max_bytes);
	if (limits->max_side > 0 && longer > limits->max_side)
		return image_fail(error, IMAGE_TOO_LARGE, "%d x %d pixels, over the limit",
						  info->width, info->height);
	if (limits->max_pixels > 0 && pixels > limits->max_pixels)
		return image_fail(error, IMAGE_TOO_LARGE, "%d x %d pixels, over the limit",
						  info->width, info->height);
	if (shorter < limits->min_side)
		return image_fail(error, IMAGE_TOO_SMALL, "%d x %d pixels, a side under %d",
						  info->width, info->height, limits->min_side);
	if (limits->max_ratio > 0 && (int64_t) longer > (int64_t) limits->max_ratio * shorter)
		return image_fail(error, IMAGE_RATIO, "%d x %d pixels, sides over %d : 1",
						  info->width, info->height, limits->max_ratio);
	if (limits->max_scans > 0 && info->scans > limits->max_scans)
		return image_fail(error, IMAGE_TOO_LARGE, "JPEG of %d scans, over the limit of %d",
						  info->scans, limits->max_scans);
	if (limits->max_memory > 0 && info->memory > limits->max_memory)
		return image_fail(error, IMAGE_TOO_LARGE,
						  "%s of %d x %d pixels takes %lld MB to decode, over the limit",
						  image_format_title(info->format), info->width, info->height,
						  (long long) (info->memory >> 20));
	if (limits->max_avif_pixels > 0 && info->cost > limits->max_avif_pixels)
		return image_fail(error, IMAGE_TOO_LARGE,
						  "AVIF of %d x %d pixels and %lld bytes takes too long to decode",
						  info->width, info->height, (long long) (info->cost - pixels) /
						  IMAGE_BYTE_PIXELS);
	if (image_is_cut(info) && !(limits->take_cut && nearly_all_there(info)))
		return fail_incomplete(info, error);
	return IMAGE_OK;
}
