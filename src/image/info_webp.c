/*
 * info_webp.c
 *	  What the container of a WebP says (RFC 9649).
 */
#include "private.h"

#include <string.h>

#define FLAG_ANIMATION	0x02
#define FLAG_ALPHA		0x10
#define MIN_SIZE		30		/* RIFF header and the longest first header */

/* What libwebp keeps of a pixel: the result, and a lossless picture's own. */
#define LOSSY_BYTES		4
#define LOSSLESS_BYTES	8

/* Sides and alpha of one VP8 or VP8L chunk. */
static ImageStatus
read_bitstream(const uint8_t *chunk, size_t left, ImageInfo *info, ImageError *error)
{
	const uint8_t *body = chunk + 8;

	if (left >= 18 && memcmp(chunk, "VP8 ", 4) == 0)
	{
		if (memcmp(body + 3, "\x9d\x01\x2a", 3) != 0)
			return image_fail(error, IMAGE_BROKEN, "WebP does not begin with a key frame");
		info->width = (int) (le16(body + 6) & 0x3fff);
		info->height = (int) (le16(body + 8) & 0x3fff);
		info->memory = (int64_t) info->width * info->height * LOSSY_BYTES;
	}
	else if (left >= 13 && memcmp(chunk, "VP8L", 4) == 0)
	{
		uint32_t	bits = le32(body + 1);

		if (body[0] != 0x2f)
			return image_fail(error, IMAGE_BROKEN, "WebP has no lossless signature");
		info->width = (int) (bits & 0x3fff) + 1;
		info->height = (int) (bits >> 14 & 0x3fff) + 1;
		info->channels = bits >> 28 & 1 ? 4 : 3;
		info->memory = (int64_t) info->width * info->height * LOSSLESS_BYTES;
	}
	else
		return image_fail(error, IMAGE_BROKEN, "WebP has no picture");
	return IMAGE_OK;
}

static int
read_exif(const uint8_t *body, size_t length)
{
	/* some writers keep JPEG's prefix */
	if (length > 6 && memcmp(body, "Exif\0", 5) == 0)
		return image_exif_orientation(body + 6, length - 6);
	return image_exif_orientation(body, length);
}

/* Orientation, from the chunks behind VP8X. */
static void
read_chunks(const uint8_t *data, size_t size, ImageInfo *info)
{
	size_t		at = 30;

	while (size - at >= 8)
	{
		size_t		length = le32(data + at + 4);

		if (length > size - at - 8)
			break;
		if (memcmp(data + at, "EXIF", 4) == 0)
			info->orientation = read_exif(data + at + 8, length);
		at += 8 + length;
		if (length & 1 && at < size)
			at++;
	}
}

ImageStatus
image_webp_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	uint64_t	claimed;

	if (size < MIN_SIZE)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends in its header");
	info->channels = 3;
	info->bits = 8;
	claimed = (uint64_t) le32(data + 4) + 8;
	/* the padding byte behind an odd last chunk is often left out */
	info->complete = claimed <= (uint64_t) size + 1;
	if (memcmp(data + 12, "VP8X", 4) != 0)
		return read_bitstream(data + 12, size - 12, info, error);
	info->width = (int) le24(data + 24) + 1;
	info->height = (int) le24(data + 27) + 1;
	info->channels = data[20] & FLAG_ALPHA ? 4 : 3;
	info->animated = (data[20] & FLAG_ANIMATION) != 0;
	info->memory = (int64_t) info->width * info->height * LOSSLESS_BYTES;
	read_chunks(data, size, info);
	return IMAGE_OK;
}
