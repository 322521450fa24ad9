/*
 * info.c
 *	  What the header of a picture says.  No pixel is decoded.
 *
 * JPEG: ITU T.81 markers, EXIF orientation from APP1.  PNG: the chunk list.  WebP:
 * the RIFF container.  GIF: the block list.
 */
#include "image.h"
#include "private.h"

#include <stdio.h>
#include <string.h>

const ImageLimits image_default_limits = {
	.max_bytes = 32u << 20,
	.min_side = 10,				/* DashScope refuses smaller sides */
	.max_side = 65500,			/* libjpeg's own limit */
	.max_pixels = 150000000,
	.max_ratio = 200,			/* Qwen's smart_resize refuses more */
	.max_scans = 100
};

const char *
image_format_name(ImageFormat format)
{
	static const char *const names[] = {"none", "jpeg", "png", "webp", "gif"};

	return names[format];
}

const char *
image_status_name(ImageStatus status)
{
	static const char *const names[] = {
		"ok", "empty", "not_an_image", "unsupported", "truncated", "broken", "too_large",
		"too_small", "ratio", "no_memory", "stopped"
	};

	return names[status];
}

typedef struct Bytes
{
	const uint8_t *data;
	size_t		size;
} Bytes;

static unsigned
be16(const uint8_t *p)
{
	return (unsigned) p[0] << 8 | p[1];
}

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static unsigned
le16(const uint8_t *p)
{
	return (unsigned) p[1] << 8 | p[0];
}

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

static bool
starts_with(Bytes b, const char *prefix, size_t size)
{
	return b.size >= size && memcmp(b.data, prefix, size) == 0;
}

/* ---- JPEG ---- */

/* Orientation out of a TIFF structure (EXIF 2.32, 4.6); 1 if it is not to be had. */
static int
exif_orientation(const uint8_t *tiff, size_t size)
{
	bool		little;
	uint32_t	ifd;
	unsigned	entries;

	if (size < 8)
		return 1;
	little = tiff[0] == 'I';
	ifd = little ? le32(tiff + 4) : be32(tiff + 4);
	if (ifd > size - 2 || ifd + 2 > size)
		return 1;
	entries = little ? le16(tiff + ifd) : be16(tiff + ifd);
	for (unsigned i = 0; i < entries; i++)
	{
		size_t		at = (size_t) ifd + 2 + (size_t) i * 12;
		unsigned	value;

		if (at + 12 > size)
			return 1;
		if ((little ? le16(tiff + at) : be16(tiff + at)) != 0x0112)
			continue;
		value = little ? le16(tiff + at + 8) : be16(tiff + at + 8);
		return value >= 1 && value <= 8 ? (int) value : 1;
	}
	return 1;
}

static bool
is_frame_marker(unsigned marker)
{
	return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

/* From the first scan on: is there an end marker, behind how much of the data? */
static void
jpeg_end(Bytes b, size_t from, ImageInfo *info)
{
	size_t		tail = b.size;

	/* the usual case: the file ends in EOI, perhaps behind some padding */
	for (int i = 0; i < 64 && tail >= from + 2; i++, tail--)
		if (b.data[tail - 2] == 0xFF && b.data[tail - 1] == 0xD9)
		{
			info->complete = true;
			return;
		}
	/* junk behind the picture, or no end: look for the marker itself */
	for (const uint8_t *p = b.data + from; (p = memchr(p, 0xFF, (size_t) (b.data + b.size - p))) != NULL; p++)
		if (p + 1 < b.data + b.size && p[1] == 0xD9)
		{
			info->complete = true;
			return;
		}
	info->complete = false;
}

static ImageStatus
jpeg_info(Bytes b, ImageInfo *info, ImageError *error)
{
	size_t		at = 2;

	while (at + 4 <= b.size)
	{
		unsigned	marker = b.data[at + 1];
		size_t		length;

		if (b.data[at] != 0xFF)
			return image_fail(error, IMAGE_BROKEN, "JPEG has no marker where one must be");
		if (marker == 0xFF)
		{
			at++;
			continue;
		}
		if (marker == 0xD8 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD7))
		{
			at += 2;
			continue;
		}
		if (marker == 0xD9)
			return image_fail(error, IMAGE_BROKEN, "JPEG has no picture");
		length = be16(b.data + at + 2);
		if (length < 2)
			return image_fail(error, IMAGE_BROKEN, "JPEG has a segment of no length");
		if (at + 2 + length > b.size)
			break;
		if (is_frame_marker(marker) && length >= 8)
		{
			info->bits = b.data[at + 4];
			info->height = (int) be16(b.data + at + 5);
			info->width = (int) be16(b.data + at + 7);
			info->channels = b.data[at + 9];
			info->progressive = marker == 0xC2;
			if (marker != 0xC0 && marker != 0xC1 && marker != 0xC2)
				return image_fail(error, IMAGE_UNSUPPORTED, marker > 0xC8 ?
								  "arithmetic-coded JPEG is not supported" :
								  "lossless or hierarchical JPEG is not supported");
		}
		else if (marker == 0xE1 && length >= 16 && memcmp(b.data + at + 4, "Exif\0\0", 6) == 0)
			info->orientation = exif_orientation(b.data + at + 10, length - 8);
		else if (marker == 0xDA)
		{
			if (info->width == 0)
				return image_fail(error, IMAGE_BROKEN, "JPEG has a scan before its frame");
			jpeg_end(b, at + 2 + length, info);
			return IMAGE_OK;
		}
		at += 2 + length;
	}
	if (info->width > 0)
		return IMAGE_OK;		/* complete is false */
	return image_fail(error, IMAGE_TRUNCATED, "JPEG ends in its header");
}

/* ---- PNG ---- */

static ImageStatus
png_info	(Bytes b, ImageInfo *info, ImageError *error)
{
	static const int channels[] = {1, 0, 3, 3, 2, 0, 4};
	size_t		at = 8;

	if (b.size < 33)
		return image_fail(error, IMAGE_TRUNCATED, "PNG ends in its header");
	if (memcmp(b.data + 12, "IHDR", 4) != 0 || b.data[25] > 6 || channels[b.data[25]] == 0)
		return image_fail(error, IMAGE_BROKEN, "PNG has no valid header");
	if (be32(b.data + 16) > INT32_MAX || be32(b.data + 20) > INT32_MAX)
		return image_fail(error, IMAGE_BROKEN, "PNG has impossible sides");
	info->width = (int) be32(b.data + 16);
	info->height = (int) be32(b.data + 20);
	info->bits = b.data[24];
	info->channels = channels[b.data[25]];
	while (at + 12 <= b.size)
	{
		uint64_t	length = be32(b.data + at);

		if (memcmp(b.data + at + 4, "IEND", 4) == 0)
		{
			info->complete = true;
			return IMAGE_OK;
		}
		if (memcmp(b.data + at + 4, "acTL", 4) == 0)
			info->animated = true;
		if (at + 12 + length > b.size)
			break;
		at += (size_t) (12 + length);
	}
	info->complete = false;
	return IMAGE_OK;
}

/* ---- WebP ---- */

static ImageStatus
webp_info(Bytes b, ImageInfo *info, ImageError *error)
{
	uint64_t	claimed;
	const uint8_t *p = b.data;

	if (b.size < 30)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends in its header");
	claimed = (uint64_t) le32(p + 4) + 8;
	info->complete = claimed <= b.size;
	info->present = claimed == 0 ? 1 : (double) b.size / (double) claimed;
	info->channels = 3;
	info->bits = 8;
	if (memcmp(p + 12, "VP8 ", 4) == 0)
	{
		info->width = (int) (le16(p + 26) & 0x3fff);
		info->height = (int) (le16(p + 28) & 0x3fff);
	}
	else if (memcmp(p + 12, "VP8L", 4) == 0)
	{
		uint32_t	bits = le32(p + 21);

		info->width = (int) (bits & 0x3fff) + 1;
		info->height = (int) (bits >> 14 & 0x3fff) + 1;
		info->channels = bits >> 28 & 1 ? 4 : 3;
	}
	else if (memcmp(p + 12, "VP8X", 4) == 0)
	{
		info->width = (int) (le32(p + 24) & 0xffffff) + 1;
		info->height = (int) (le32(p + 26) >> 8 & 0xffffff) + 1;
		info->channels = p[20] & 0x10 ? 4 : 3;
		info->animated = (p[20] & 0x02) != 0;
	}
	else
		return image_fail(error, IMAGE_BROKEN, "WebP has no picture");
	return IMAGE_OK;
}

/* ---- GIF ---- */

/* Behind the sub-blocks that begin here; size if they do not end. */
static size_t
skip_blocks(Bytes b, size_t at)
{
	while (at < b.size && b.data[at] != 0)
		at += 1u + b.data[at];
	return at < b.size ? at + 1 : b.size;
}

static ImageStatus
gif_info(Bytes b, ImageInfo *info, ImageError *error)
{
	size_t		at = 13;
	int			frames = 0;

	if (b.size < 13)
		return image_fail(error, IMAGE_TRUNCATED, "GIF ends in its header");
	info->width = (int) le16(b.data + 6);
	info->height = (int) le16(b.data + 8);
	info->channels = 3;
	info->bits = 8;
	if (b.data[10] & 0x80)
		at += 3u << ((b.data[10] & 7) + 1);
	while (at < b.size && b.data[at] != 0x3B)
	{
		if (b.data[at] == 0x21)
			at = skip_blocks(b, at + 2);
		else if (b.data[at] == 0x2C && at + 10 < b.size)
		{
			frames++;
			at += 10 + (b.data[at + 9] & 0x80 ? 3u << ((b.data[at + 9] & 7) + 1) : 0);
			at = skip_blocks(b, at + 1);
		}
		else
			return image_fail(error, IMAGE_BROKEN, "GIF has an unknown block");
	}
	info->complete = at < b.size;
	info->animated = frames > 1;
	return IMAGE_OK;
}

/* ---- all ---- */

static ImageStatus
unsupported(Bytes b, ImageError *error)
{
	static const struct
	{
		const char *prefix;
		size_t		size;
		const char *name;
	}			known[] = {
		{"BM", 2, "BMP"}, {"II*\0", 4, "TIFF"}, {"MM\0*", 4, "TIFF"}, {"%PDF", 4, "PDF"},
		{"8BPS", 4, "PSD"}, {"\0\0\1\0", 4, "ICO"}, {"\0\0\0\fJXL ", 8, "JPEG XL"},
		{"\xff\x0a", 2, "JPEG XL"}, {"\0\0\0\fjP  ", 8, "JPEG 2000"}
	};
	char		head[257];
	size_t		n = b.size < 256 ? b.size : 256;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (starts_with(b, known[i].prefix, known[i].size))
			return image_fail(error, IMAGE_UNSUPPORTED, "%s is not supported", known[i].name);
	if (b.size >= 12 && memcmp(b.data + 4, "ftyp", 4) == 0)
		return image_fail(error, IMAGE_UNSUPPORTED, "%s is not supported",
						  memcmp(b.data + 8, "avif", 4) == 0 ? "AVIF" :
						  memcmp(b.data + 8, "hei", 3) == 0 ||
						  memcmp(b.data + 8, "mif1", 4) == 0 ? "HEIC" : "video");
	for (size_t i = 0; i < n; i++)
		head[i] = (char) (b.data[i] >= 'A' && b.data[i] <= 'Z' ? b.data[i] + 32 : b.data[i]);
	head[n] = '\0';
	if (strstr(head, "<svg") != NULL)
		return image_fail(error, IMAGE_UNSUPPORTED, "SVG is not supported");
	if (strstr(head, "<html") != NULL || strstr(head, "<!doctype html") != NULL)
		return image_fail(error, IMAGE_UNKNOWN, "an HTML page, not a picture");
	return image_fail(error, IMAGE_UNKNOWN, "not a picture in any known format");
}

ImageStatus
image_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	Bytes		b = {data, size};
	ImageStatus status;

	memset(info, 0, sizeof(*info));
	info->orientation = 1;
	info->present = -1;
	if (size == 0)
		return image_fail(error, IMAGE_EMPTY, "the file is empty");
	if (starts_with(b, "\xff\xd8\xff", 3))
	{
		info->format = IMAGE_FORMAT_JPEG;
		status = jpeg_info(b, info, error);
		if (status == IMAGE_OK && !info->complete)
			info->present = jpeg_present(data, size);
	}
	else if (starts_with(b, "\x89PNG\r\n\x1a\n", 8))
	{
		info->format = IMAGE_FORMAT_PNG;
		status = png_info (b, info, error);
	}
	else if (starts_with(b, "RIFF", 4) && size >= 12 && memcmp(data + 8, "WEBP", 4) == 0)
	{
		info->format = IMAGE_FORMAT_WEBP;
		status = webp_info(b, info, error);
	}
	else if (starts_with(b, "GIF87a", 6) || starts_with(b, "GIF89a", 6))
	{
		info->format = IMAGE_FORMAT_GIF;
		status = gif_info(b, info, error);
	}
	else
		return unsupported(b, error);
	if (status == IMAGE_OK && (info->width <= 0 || info->height <= 0))
		return image_fail(error, IMAGE_BROKEN, "%d x %d pixels", info->width, info->height);
	if (info->complete)
		info->present = 1;
	return status;
}

ImageStatus
image_check(const ImageInfo *info, size_t size, const ImageLimits *limits, ImageError *error)
{
	int			shorter = info->width < info->height ? info->width : info->height;
	int			longer = info->width < info->height ? info->height : info->width;
	int64_t		pixels = (int64_t) info->width * info->height;
	static const char *const names[] = {"file", "JPEG", "PNG", "WebP", "GIF"};

	if (limits->max_bytes > 0 && size > limits->max_bytes)
		return image_fail(error, IMAGE_TOO_LARGE, "%zu bytes, over the limit of %zu", size,
						  limits->max_bytes);
	if ((limits->max_side > 0 && longer > limits->max_side) ||
		(limits->max_pixels > 0 && pixels > limits->max_pixels))
		return image_fail(error, IMAGE_TOO_LARGE, "%d x %d pixels, over the limit",
						  info->width, info->height);
	if (shorter < limits->min_side)
		return image_fail(error, IMAGE_TOO_SMALL, "%d x %d pixels, a side under %d",
						  info->width, info->height, limits->min_side);
	if (limits->max_ratio > 0 && (int64_t) longer > (int64_t) limits->max_ratio * shorter)
		return image_fail(error, IMAGE_RATIO, "%d x %d pixels, sides over %d : 1",
						  info->width, info->height, limits->max_ratio);
	if (!info->complete && info->present >= 0)
		return image_fail(error, IMAGE_TRUNCATED, "%s ends at %d %%", names[info->format],
						  (int) (info->present * 100));
	if (!info->complete)
		return image_fail(error, IMAGE_TRUNCATED, "%s ends before its end marker",
						  names[info->format]);
	return IMAGE_OK;
}
