/*
 * media.c
 *	  Which of the pictures, sounds and films in boxes a file is (ISO 14496-12).
 *
 * A file says so by its brands: the first, and those that a reader may take it for.
 * Many pictures have mif1 first, which says only that there is one; some have a brand
 * that nobody knows, and then the kind of their items tells.
 */
#include "private.h"

#include <string.h>

typedef struct Brand
{
	char		name[5];
	MediaKind	kind;
} Brand;

static const Brand brands[] = {
	{"avif", MEDIA_AVIF}, {"avis", MEDIA_AVIF},
	{"heic", MEDIA_HEIC}, {"heix", MEDIA_HEIC}, {"heim", MEDIA_HEIC}, {"heis", MEDIA_HEIC},
	{"hevc", MEDIA_HEIC}, {"hevx", MEDIA_HEIC}, {"hevm", MEDIA_HEIC}, {"hevs", MEDIA_HEIC},
	{"mif1", MEDIA_HEIF}, {"mif2", MEDIA_HEIF}, {"msf1", MEDIA_HEIF}, {"miaf", MEDIA_HEIF},
	{"jp2 ", MEDIA_JPEG2000}, {"jpx ", MEDIA_JPEG2000}, {"jpm ", MEDIA_JPEG2000},
	{"crx ", MEDIA_RAW},
	{"M4A ", MEDIA_SOUND}, {"M4B ", MEDIA_SOUND}, {"M4P ", MEDIA_SOUND}, {"F4A ", MEDIA_SOUND},
};

/* Boxes that are looked at for the one that describes the items. */
#define BOXES_MAX 16

static MediaKind
kind_of(const uint8_t *name)
{
	for (size_t i = 0; i < sizeof(brands) / sizeof(brands[0]); i++)
		if (memcmp(brands[i].name, name, 4) == 0)
			return brands[i].kind;
	return MEDIA_NONE;
}

/* Bytes of the box at at that are there; 0: there is none. */
static size_t
box_size(const uint8_t *data, size_t size, size_t at)
{
	size_t		left = size - at;
	uint64_t	length;

	if (left < 8)
		return 0;
	length = be32(data + at);
	if (length == 1 && left >= 16)
		length = (uint64_t) be32(data + at + 8) << 32 | be32(data + at + 12);
	else if (length == 0)
		length = left;
	if (length < 8)
		return 0;
	return length < left ? (size_t) length : left;
}

/* The first of the two among the brands that the file may be taken for; else NONE. */
static MediaKind
compatible_kind(const uint8_t *data, size_t end, MediaKind wanted, MediaKind or_else)
{
	MediaKind	found = MEDIA_NONE;

	for (size_t at = 16; at + 4 <= end; at += 4)
	{
		MediaKind	kind = kind_of(data + at);

		if (kind == wanted)
			return wanted;
		if (kind == or_else)
			found = or_else;
	}
	return found;
}

static bool
contains(const uint8_t *data, size_t size, const char *name)
{
	for (size_t at = 0; at + 4 <= size; at++)
		if (memcmp(data + at, name, 4) == 0)
			return true;
	return false;
}

/* By the items of a file of unknown brand: those of a picture are described in "meta". */
static MediaKind
kind_of_items(const uint8_t *data, size_t size)
{
	size_t		at = 0;

	for (int i = 0; i < BOXES_MAX && at < size; i++)
	{
		size_t		length = box_size(data, size, at);

		if (length == 0)
			return MEDIA_NONE;
		if (memcmp(data + at + 4, "meta", 4) == 0 && contains(data + at, length, "pict"))
			return contains(data + at, length, "hvc1") ? MEDIA_HEIC : MEDIA_HEIF;
		at += length;
	}
	return MEDIA_NONE;
}

MediaKind
image_media_kind(const uint8_t *data, size_t size)
{
	MediaKind	kind;
	MediaKind	other;

	if (size < 12 || memcmp(data + 4, "ftyp", 4) != 0)
		return MEDIA_NONE;
	kind = kind_of(data + 8);
	if (kind != MEDIA_NONE && kind != MEDIA_HEIF)
		return kind;
	other = compatible_kind(data, box_size(data, size, 0), MEDIA_AVIF, MEDIA_HEIC);
	if (other != MEDIA_NONE)
		return other;
	other = kind_of_items(data, size);
	if (other != MEDIA_NONE)
		return other;
	return kind == MEDIA_HEIF ? MEDIA_HEIF : MEDIA_VIDEO;
}
