/*
 * info.c
 *	  What a picture is by its first bytes; the chunks of a PNG, the blocks of a GIF.
 */
#include "private.h"

#include <string.h>

/* ---- PNG (ISO 15948) ---- */

static ImageStatus
png_header(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	static const int channels[] = {1, 0, 3, 3, 2, 0, 4};

	if (size < 33)
		return image_fail(error, IMAGE_TRUNCATED, "PNG ends in its header");
	if (memcmp(data + 8, "\0\0\0\rIHDR", 8) != 0 || data[25] > 6 || channels[data[25]] == 0)
		return image_fail(error, IMAGE_BROKEN, "PNG has no valid header");
	if (be32(data + 16) > INT32_MAX || be32(data + 20) > INT32_MAX)
		return image_fail(error, IMAGE_BROKEN, "PNG has impossible sides");
	info->width = (int) be32(data + 16);
	info->height = (int) be32(data + 20);
	info->bits = data[25] == 3 ? 8 : data[24];	/* a palette's colours have 8 */
	info->channels = channels[data[25]];
	return IMAGE_OK;
}

/*
 * The chunks behind the header.  The picture is whole where its data is followed by
 * another chunk, which need not be: one of another frame, or half a comment.
 */
static void
png_chunks(const uint8_t *data, size_t size, ImageInfo *info)
{
	size_t		at = 33;
	bool		has_data = false;

	while (size - at >= 8)
	{
		const uint8_t *type = data + at + 4;
		size_t		length = be32(data + at);

		if (memcmp(type, "IDAT", 4) == 0)
			has_data = true;
		else if (has_data)
			info->rows = info->height;
		/* the check sum behind IEND may be missing: nothing is lost */
		if (memcmp(type, "IEND", 4) == 0)
		{
			info->complete = true;
			return;
		}
		if (size - at < 12 || length > size - at - 12)
			return;
		if (memcmp(type, "acTL", 4) == 0)
			info->animated = length >= 4 && be32(type + 4) > 1;
		else if (memcmp(type, "tRNS", 4) == 0 && (info->channels & 1) != 0)
			info->channels++;
		else if (memcmp(type, "eXIf", 4) == 0)
			info->orientation = image_exif_orientation(type + 4, length);
		at += 12 + length;
	}
}

static ImageStatus
png_info	(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	ImageStatus status = png_header(data, size, info, error);

	if (status != IMAGE_OK)
		return status;
	png_chunks(data, size, info);
	if (data[28] != 0)			/* interlaced: kept whole */
		info->memory = (int64_t) info->width * info->height * info->channels;
	return IMAGE_OK;
}

/* ---- GIF (GIF89a specification) ---- */

/* Behind the sub-blocks that begin here; size + 1 where they do not end. */
static size_t
skip_blocks(const uint8_t *data, size_t size, size_t at)
{
	while (at < size && data[at] != 0)
		at += 1u + data[at];
	return at < size ? at + 1 : size + 1;
}

static size_t
colour_table(unsigned flags)
{
	return flags & 0x80 ? (size_t) 3 << ((flags & 7) + 1) : 0;
}

/*
 * The canvas grows where the first frame reaches over it, as Pillow has it; an
 * interlaced frame is kept.
 */
static void
gif_first_frame(const uint8_t *block, ImageInfo *info)
{
	int			right = (int) (le16(block + 1) + le16(block + 5));
	int			bottom = (int) (le16(block + 3) + le16(block + 7));

	info->width = right > info->width ? right : info->width;
	info->height = bottom > info->height ? bottom : info->height;
	if (block[9] & 0x40)
		info->memory = (int64_t) le16(block + 5) * le16(block + 7);
}

/*
 * Whole is a GIF whose first frame's data ends with its empty block: what follows, were
 * it the trailer or a hundred more frames, is not looked at.
 */
static ImageStatus
gif_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	size_t		at;
	int			frames = 0;

	if (size < 13)
		return image_fail(error, IMAGE_TRUNCATED, "GIF ends in its header");
	info->width = (int) le16(data + 6);
	info->height = (int) le16(data + 8);
	info->channels = 3;
	info->bits = 8;
	at = 13 + colour_table(data[10]);
	while (at < size && data[at] != 0x3B)
	{
		if (data[at] == 0x21 && at + 2 < size)
			at = skip_blocks(data, size, at + 2);
		else if (data[at] == 0x2C && at + 10 < size)
		{
			if (++frames == 1)
				gif_first_frame(data + at, info);
			at = skip_blocks(data, size, at + 11 + colour_table(data[at + 9]));
			if (at <= size)
				info->rows = info->height;
		}
		else if (data[at] == 0x21 || data[at] == 0x2C)
			at = size;
		else if (frames > 0)
			break;				/* junk: what is looked at is already there */
		else
			return image_fail(error, IMAGE_BROKEN, "GIF has an unknown block");
	}
	info->complete = at < size;
	info->animated = frames > 1;
	if (frames == 0 && at >= size)
		return image_fail(error, IMAGE_TRUNCATED, "GIF ends in its header");
	if (frames == 0)
		return image_fail(error, IMAGE_BROKEN, "GIF has no frame");
	return IMAGE_OK;
}

/* ---- all ---- */

static bool
starts_with(const uint8_t *data, size_t size, const char *prefix, size_t length)
{
	return size >= length && memcmp(data, prefix, length) == 0;
}

static ImageFormat
format_of(const uint8_t *data, size_t size)
{
	if (starts_with(data, size, "\xff\xd8\xff", 3))
		return IMAGE_FORMAT_JPEG;
	if (starts_with(data, size, "\x89PNG\r\n\x1a\n", 8))
		return IMAGE_FORMAT_PNG;
	if (starts_with(data, size, "RIFF", 4) && size >= 12 && memcmp(data + 8, "WEBP", 4) == 0)
		return IMAGE_FORMAT_WEBP;
	if (starts_with(data, size, "GIF87a", 6) || starts_with(data, size, "GIF89a", 6))
		return IMAGE_FORMAT_GIF;
	if (image_media_kind(data, size) == MEDIA_AVIF)
		return IMAGE_FORMAT_AVIF;
	return IMAGE_FORMAT_NONE;
}

static ImageStatus
read_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	WebpFrame	frame;

	switch (info->format)
	{
		case IMAGE_FORMAT_JPEG:
			return image_jpeg_info(data, size, info, error);
		case IMAGE_FORMAT_PNG:
			return png_info (data, size, info, error);

		case IMAGE_FORMAT_WEBP:
			return image_webp_info(data, size, info, &frame, error);
		case IMAGE_FORMAT_GIF:
			return gif_info(data, size, info, error);
		case IMAGE_FORMAT_AVIF:
			return image_avif_info(data, size, info, error);
		case IMAGE_FORMAT_NONE:
			break;
	}
	return image_name_foreign(data, size, error);
}

ImageStatus
image_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	ImageStatus status;

	memset(info, 0, sizeof(*info));
	info->orientation = 1;
	info->scans = 1;
	info->rows = -1;
	if (size == 0)
		return image_fail(error, IMAGE_EMPTY, "the file is empty");
	info->format = format_of(data, size);
	status = read_info(data, size, info, error);
	if (status == IMAGE_OK && (info->width <= 0 || info->height <= 0))
		return image_fail(error, IMAGE_BROKEN, "%s of %d x %d pixels",
						  image_format_title(info->format), info->width, info->height);
	if (status == IMAGE_OK && info->complete)
		info->rows = info->height;
	else if (status == IMAGE_OK && info->rows < 0)
		info->rows = image_rows_there(data, size, info);
	return status;
}
