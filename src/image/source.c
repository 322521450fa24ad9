/*
 * source.c
 *	  A picture's rows, whatever its format; and when to stop reading them.
 */
#include "private.h"

#include <stdlib.h>
#include <time.h>

/* The clock is asked at every so many polls: it costs as much as a short row. */
#define POLLS_PER_LOOK	16

/*
 * Chroma is smoothed over the rows of the next row of blocks: of a JPEG that ends
 * early that many more are lost at full scale than at an eighth.
 */
#define JPEG_MARGIN		32

static int64_t
cpu_time(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
		return 0;
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

void
image_work_begin(ImageWork *work, const ImageFit *fit)
{
	work->fit = fit;
	work->polls = 0;
	work->until = fit->limits.max_ms > 0 ? cpu_time() + (int64_t) fit->limits.max_ms * 1000000 : 0;
}

ImageStatus
image_poll(ImageWork *work, ImageError *error)
{
	if (work == NULL)
		return IMAGE_OK;
	if (work->fit->stop != NULL && work->fit->stop(work->fit->stop_arg))
		return image_fail(error, IMAGE_STOPPED, "stopped");
	if (work->until > 0 && ++work->polls % POLLS_PER_LOOK == 0 && cpu_time() > work->until)
		return image_fail(error, IMAGE_TOO_SLOW, "decoding takes over %d ms",
						  work->fit->limits.max_ms);
	return IMAGE_OK;
}

ImageStatus
image_source_open(const uint8_t *data, size_t size, const ImageInfo *info, int min_width,
				  int min_height, ImageWork *work, ImageSource **source, ImageError *error)
{
	switch (info->format)
	{
		case IMAGE_FORMAT_JPEG:
			return image_jpeg_open(data, size, min_width, min_height, work, source, error);
		case IMAGE_FORMAT_PNG:
			return image_png_open(data, size, work, source, error);
		case IMAGE_FORMAT_WEBP:
			return image_webp_open(data, size, min_width, min_height, work, source, error);
		case IMAGE_FORMAT_GIF:
			return image_gif_open(data, size, info, work, source, error);
		case IMAGE_FORMAT_NONE:
			break;
	}
	return image_fail(error, IMAGE_UNKNOWN, "not a picture");
}

/*
 * Intake counts rows, and a few bytes may announce any number: no more than this is
 * decoded before anything is said of a picture.  A JPEG's rows cost what its bytes do.
 */
#define COUNTED_BYTES (48 << 20)

static bool
may_be_counted(const ImageInfo *info)
{
	int64_t		pixels = (int64_t) info->width * info->height;

	if (info->width > image_default_limits.max_side ||
		info->height > image_default_limits.max_side || pixels > image_default_limits.max_pixels)
		return false;
	if (info->format == IMAGE_FORMAT_JPEG)
		return info->memory == 0;
	if (info->format == IMAGE_FORMAT_WEBP)
		return info->memory <= COUNTED_BYTES;
	return info->memory == 0 && pixels * info->channels * ((info->bits + 7) / 8) <= COUNTED_BYTES;
}

/* Rows that come before the first that does not. */
static int
count_rows(ImageSource *source)
{
	uint8_t    *row = malloc((size_t) source->width * (size_t) source->channels);
	int			rows = 0;

	while (row != NULL && rows < source->height && source->read(source, row, NULL) == IMAGE_OK)
		rows++;
	free(row);
	return rows;
}

int
image_rows_there(const uint8_t *data, size_t size, const ImageInfo *info)
{
	ImageSource *source = NULL;
	bool		jpeg = info->format == IMAGE_FORMAT_JPEG;
	int			rows;

	if (!may_be_counted(info))
		return -1;
	/* a JPEG's are counted at an eighth */
	if (image_source_open(data, size, info, jpeg ? 1 : info->width, jpeg ? 1 : info->height, NULL,
						  &source, NULL) != IMAGE_OK || source == NULL)
		return -1;
	rows = count_rows(source);
	if (rows == source->height)
		rows = info->height;
	else if (jpeg)
		rows = rows * 8 > JPEG_MARGIN ? rows * 8 - JPEG_MARGIN : 0;
	source->close(source);
	return rows;
}
