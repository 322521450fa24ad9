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

/* Place and data of an ANMF chunk's frame. */
static void
read_frame(const uint8_t *body, size_t length, WebpFrame *frame)
{
	frame->left = 2 * (int) le24(body);
	frame->top = 2 * (int) le24(body + 3);
	frame->width = (int) le24(body + 6) + 1;
	frame->height = (int) le24(body + 9) + 1;
	frame->data = body + 16;
	frame->size = length - 16;
}

static int
read_exif(const uint8_t *body, size_t length)
{
	/* some writers keep JPEG's prefix */
	if (length > 6 && memcmp(body, "Exif\0", 5) == 0)
		return image_exif_orientation(body + 6, length - 6);
	return image_exif_orientation(body, length);
}

/* The chunks behind VP8X: frames and orientation. */
static void
read_chunks(const uint8_t *data, size_t size, ImageInfo *info, WebpFrame *frame)
{
	size_t		at = 30;
	int			frames = 0;

	while (size - at >= 8)
	{
		const uint8_t *body = data + at + 8;
		size_t		length = le32(data + at + 4);

		if (length > size - at - 8)
			break;
		if (memcmp(data + at, "EXIF", 4) == 0)
			info->orientation = read_exif(body, length);
		else if (memcmp(data + at, "ANMF", 4) == 0 && length >= 16 && ++frames == 1)
			read_frame(body, length, frame);
		at += 8 + length;
		if (length & 1 && at < size)
			at++;
	}
	info->animated = frames > 1;
}

ImageStatus
image_webp_info(const uint8_t *data, size_t size, ImageInfo *info, WebpFrame *frame,
				ImageError *error)
{
	uint64_t	claimed;

	memset(frame, 0, sizeof(*frame));
	if (size < MIN_SIZE)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends in its header");
	info->channels = 3;
	info->bits = 8;
	claimed = (uint64_t) le32(data + 4) + 8;
	/* the padding byte behind an odd last chunk is often left out */
	info->complete = claimed <= (uint64_t) size + 1;
	frame->data = data;
	frame->size = size;
	if (memcmp(data + 12, "VP8X", 4) != 0)
		return read_bitstream(data + 12, size - 12, info, error);
	info->width = (int) le24(data + 24) + 1;
	info->height = (int) le24(data + 27) + 1;
	info->channels = data[20] & FLAG_ALPHA ? 4 : 3;
	info->memory = (int64_t) info->width * info->height * LOSSLESS_BYTES;
	read_chunks(data, size, info, frame);
	if (data[20] & FLAG_ANIMATION && frame->data == data && info->complete)
		return image_fail(error, IMAGE_BROKEN, "WebP has no frame");
	return IMAGE_OK;
}
