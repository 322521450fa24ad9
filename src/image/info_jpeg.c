/*
 * info_jpeg.c
 *	  What the markers of a JPEG say (ITU T.81, annex B).
 */
#include "private.h"

#include <string.h>

#define SOF0	0xC0			/* baseline */
#define SOF1	0xC1			/* extended sequential, Huffman */
#define SOF2	0xC2			/* progressive, Huffman */
#define DHT		0xC4
#define JPG		0xC8
#define DAC		0xCC
#define RST0	0xD0
#define SOI		0xD8
#define EOI		0xD9
#define SOS		0xDA
#define APP1	0xE1
#define TEM		0x01

#define COEFFICIENTS	64
#define COMPONENTS		4

/* A place in the file between two markers, and what came before it. */
typedef struct Walk
{
	const uint8_t *data;
	size_t		size;
	size_t		at;
	const uint8_t *components;	/* of the frame header, three bytes each */
	/* whether the scans so far gave all bits of the coefficient */
	bool		exact[COMPONENTS][COEFFICIENTS];
} Walk;

static bool
has_length(unsigned marker)
{
	return marker != TEM && marker != 0 && !(marker >= RST0 && marker <= EOI);
}

/*
 * Steps over the next marker, whatever lies before it; 0: the file ends first.  at is
 * then behind the marker's two bytes.
 */
static unsigned
next_marker(Walk *walk)
{
	while (walk->at + 1 < walk->size)
	{
		const uint8_t *p = memchr(walk->data + walk->at, 0xFF, walk->size - walk->at - 1);

		if (p == NULL)
			break;
		walk->at = (size_t) (p - walk->data) + 1;
		if (*++p != 0xFF && *p != 0)
		{
			walk->at++;
			return *p;
		}
	}
	walk->at = walk->size;
	return 0;
}

/* The body of the segment that begins here, and at behind it; NULL: it ends early. */
static const uint8_t *
next_segment(Walk *walk, size_t *length)
{
	const uint8_t *body = walk->data + walk->at + 2;

	if (walk->size - walk->at < 2)
		return NULL;
	*length = be16(walk->data + walk->at);
	if (*length < 2 || *length > walk->size - walk->at)
		return NULL;
	walk->at += *length;
	*length -= 2;
	return body;
}

/* Two bytes for each coefficient of each component, in whole blocks. */
static int64_t
coefficient_bytes(const uint8_t *components, const ImageInfo *info)
{
	int			widest = 1;
	int			highest = 1;
	int64_t		bytes = 0;

	for (int i = 0; i < info->channels; i++)
	{
		int			across = components[i * 3 + 1] >> 4;
		int			down = components[i * 3 + 1] & 15;

		widest = across > widest ? across : widest;
		highest = down > highest ? down : highest;
	}
	for (int i = 0; i < info->channels; i++)
	{
		int64_t		across = (int64_t) info->width * (components[i * 3 + 1] >> 4) / widest;
		int64_t		down = (int64_t) info->height * (components[i * 3 + 1] & 15) / highest;

		bytes += (across / 8 + 1) * (down / 8 + 1) * 64 * 2;
	}
	return bytes;
}

static ImageStatus
read_frame(Walk *walk, unsigned marker, const uint8_t *body, size_t length, ImageInfo *info,
		   ImageError *error)
{
	if (info->width != 0)
		return image_fail(error, IMAGE_BROKEN, "JPEG has two frames");
	if (marker > SOF2)
		return image_fail(error, IMAGE_UNSUPPORTED, marker > JPG ?
						  "arithmetic-coded JPEG is not supported" :
						  "lossless or hierarchical JPEG is not supported");
	if (length < 6)
		return image_fail(error, IMAGE_BROKEN, "JPEG has a frame header of %zu bytes", length);
	info->bits = body[0];
	info->height = (int) be16(body + 1);
	info->width = (int) be16(body + 3);
	info->channels = body[5];
	info->progressive = marker == SOF2;
	if (info->bits != 8)
		return image_fail(error, IMAGE_UNSUPPORTED, "JPEG of %d bits is not supported",
						  info->bits);
	if (info->channels != 1 && info->channels != 3 && info->channels != 4)
		return image_fail(error, IMAGE_UNSUPPORTED, "JPEG of %d channels is not supported",
						  info->channels);
	if (info->width == 0 || info->height == 0)
		return image_fail(error, IMAGE_BROKEN, "JPEG of %d x %d pixels", info->width,
						  info->height);
	if (length < 6 + 3 * (size_t) info->channels)
		return image_fail(error, IMAGE_BROKEN, "JPEG has a frame header of %zu bytes", length);
	walk->components = body + 6;
	info->memory = coefficient_bytes(body + 6, info);
	return IMAGE_OK;
}

/* ---- scans ---- */

/* A scan header: to which coefficients the scan gives their last bit. */
static void
note_scan(Walk *walk, const uint8_t *body, size_t length, const ImageInfo *info)
{
	size_t		n = length > 0 ? body[0] : 0;
	unsigned	first = 0;
	unsigned	last = COEFFICIENTS - 1;
	bool		exact = true;

	if (walk->components == NULL || length < 4 + 2 * n)
		return;
	if (info->progressive)
	{
		first = body[1 + 2 * n];
		last = body[2 + 2 * n];
		exact = (body[3 + 2 * n] & 15) == 0;
	}
	for (size_t i = 0; i < n; i++)
		for (int c = 0; c < info->channels; c++)
			if (walk->components[c * 3] == body[1 + 2 * i])
				for (unsigned k = first; k <= last && k < COEFFICIENTS; k++)
					walk->exact[c][k] = exact;
}

static bool
all_is_exact(const Walk *walk, const ImageInfo *info)
{
	for (int c = 0; c < info->channels; c++)
		for (int k = 0; k < COEFFICIENTS; k++)
			if (!walk->exact[c][k])
				return false;
	return true;
}

/*
 * One scan holds all: the end marker is looked for from the end of the file.  No
 * entropy-coded data contains it, so junk behind it does not matter.
 */
static bool
ends_properly(const Walk *walk)
{
	for (size_t at = walk->size; at >= walk->at + 2; at--)
		if (walk->data[at - 2] == 0xFF && walk->data[at - 1] == EOI)
			return true;
	return false;
}

/*
 * Several scans: they are counted by walking from marker to marker.  Where the file ends
 * early the picture may be whole all the same, if none of its scans is missing; whether
 * the last is whole shows in decoding only.
 */
static void
count_scans(Walk *walk, ImageInfo *info)
{
	unsigned	marker;

	while ((marker = next_marker(walk)) != 0)
	{
		const uint8_t *body = NULL;
		size_t		length = 0;

		if (marker == EOI)
		{
			info->complete = true;
			return;
		}
		if (has_length(marker))
		{
			body = next_segment(walk, &length);
			if (body == NULL)
				break;
		}
		if (marker == SOS)
		{
			info->scans++;
			note_scan(walk, body, length, info);
		}
	}
	if (!all_is_exact(walk, info))
		info->rows = 0;
}

static bool
is_frame(unsigned marker)
{
	return marker >= SOF0 && marker <= 0xCF && marker != DHT && marker != JPG && marker != DAC;
}

/* The first scan header: from here on there is only data. */
static ImageStatus
read_scan(Walk *walk, const uint8_t *body, size_t length, ImageInfo *info, ImageError *error)
{
	if (info->width == 0)
		return image_fail(error, IMAGE_BROKEN, "JPEG has a scan before its frame");
	info->scans = 1;
	note_scan(walk, body, length, info);
	if (info->progressive || length == 0 || body[0] < info->channels)
	{
		count_scans(walk, info);
		return IMAGE_OK;
	}
	info->memory = 0;
	info->complete = ends_properly(walk);
	return IMAGE_OK;
}

ImageStatus
image_jpeg_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	Walk		walk = {.data = data,.size = size,.at = 2};
	unsigned	marker;
	bool		oriented = false;

	while ((marker = next_marker(&walk)) != 0)
	{
		const uint8_t *body;
		size_t		length;
		ImageStatus status;

		if (marker == EOI)
			return image_fail(error, IMAGE_BROKEN, "JPEG has no picture");
		if (!has_length(marker))
			continue;
		body = next_segment(&walk, &length);
		if (body == NULL)
			break;
		if (is_frame(marker))
		{
			status = read_frame(&walk, marker, body, length, info, error);
			if (status != IMAGE_OK)
				return status;
		}
		else if (marker == APP1 && !oriented && length > 6 && memcmp(body, "Exif\0", 5) == 0)
		{
			info->orientation = image_exif_orientation(body + 6, length - 6);
			oriented = true;
		}
		else if (marker == SOS)
			return read_scan(&walk, body, length, info, error);
	}
	if (info->width > 0)
	{
		info->rows = 0;			/* no scan at all */
		info->memory = 0;
		return IMAGE_OK;
	}
	return image_fail(error, IMAGE_TRUNCATED, "JPEG ends in its header");
}
