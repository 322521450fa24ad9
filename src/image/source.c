/*
 * source.c
 *	  Opens a picture of any format for reading by rows, and counts the rows of a cut one.
 */
#include "private.h"

#include <stdlib.h>

/*
 * Chroma is smoothed with rows of the next row of blocks, so a JPEG that ends early has
 * this many fewer rows at full scale than counting at an eighth shows.
 */
#define JPEG_MARGIN		32

static ImageStatus
open_format(const uint8_t *data, size_t size, const ImageInfo *info, int min_width,
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
		case IMAGE_FORMAT_AVIF:
			return image_avif_open(data, size, info, work, source, error);
		case IMAGE_FORMAT_NONE:
			break;
	}
	return image_fail(error, IMAGE_UNKNOWN, "not a picture");
}

ImageStatus
image_source_open(const uint8_t *data, size_t size, const ImageInfo *info, int min_width,
				  int min_height, ImageWork *work, ImageSource **source, ImageError *error)
{
	ImageStatus status = open_format(data, size, info, min_width, min_height, work, source,
									 error);

	if (status == IMAGE_OK && *source != NULL)
		(*source)->ground.level = GROUND_WHITE;
	return status;
}

/*
 * Rows are counted at intake, and a few bytes may announce any number of them: no more than
 * this is decoded for it.  The cost of a JPEG's rows is bounded by its bytes.
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
	if (info->format == IMAGE_FORMAT_AVIF)
		return false;
	if (info->format == IMAGE_FORMAT_WEBP)
		return info->memory <= COUNTED_BYTES;
	return info->memory == 0 && pixels * info->channels * ((info->bits + 7) / 8) <= COUNTED_BYTES;
}

/* Rows that can be read before the first failure. */
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
	ImageStatus status;
	int			rows;

	if (!may_be_counted(info))
		return -1;
	/* the rows of a JPEG are counted at an eighth of its size */
	status = image_source_open(data, size, info, jpeg ? 1 : info->width, jpeg ? 1 : info->height,
							   NULL, &source, NULL);
	if (status != IMAGE_OK || source == NULL)
		return status == IMAGE_TRUNCATED ? 0 : -1;
	rows = count_rows(source);
	if (rows == source->height)
		rows = info->height;
	else if (jpeg)
		rows = rows * 8 > JPEG_MARGIN ? rows * 8 - JPEG_MARGIN : 0;
	source->close(source);
	return rows;
}
