/*
 * exif.c
 *	  Which way up: the orientation in a TIFF structure (EXIF 2.32, 4.6.4 A).
 */
#include "private.h"

#include <string.h>

#define TAG_ORIENTATION	0x0112
#define TYPE_SHORT		3
#define TYPE_LONG		4

static unsigned
read16(const uint8_t *p, bool little)
{
	return little ? le16(p) : be16(p);
}

static uint32_t
read32(const uint8_t *p, bool little)
{
	return little ? le32(p) : be32(p);
}

/* The entry's value where it is a number of one of the two types; else 0. */
static uint32_t
read_number(const uint8_t *entry, bool little)
{
	switch (read16(entry + 2, little))
	{
		case TYPE_SHORT:
			return read16(entry + 8, little);
		case TYPE_LONG:
			return read32(entry + 8, little);
		default:
			return 0;
	}
}

int
image_exif_orientation(const uint8_t *tiff, size_t size)
{
	bool		little;
	size_t		at;
	unsigned	entries;

	/* some writers of PNG and WebP keep JPEG's prefix */
	if (size > 6 && memcmp(tiff, "Exif\0", 5) == 0)
	{
		tiff += 6;
		size -= 6;
	}
	if (size < 14 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0))
		return 1;
	little = tiff[0] == 'I';
	at = read32(tiff + 4, little);
	if (read16(tiff + 2, little) != 42 || at > size - 2)
		return 1;
	entries = read16(tiff + at, little);
	at += 2;
	for (unsigned i = 0; i < entries && size - at >= 12; i++, at += 12)
	{
		const uint8_t *entry = tiff + at;
		uint32_t	value;

		if (read16(entry, little) != TAG_ORIENTATION)
			continue;
		value = read_number(entry, little);
		if (value >= 1 && value <= 8)
			return (int) value;
	}
	return 1;
}
