/*
 * foreign.c
 *	  Names what crawled files are when they are no picture that is taken.
 */
#include "private.h"

#include <string.h>

typedef struct Signature
{
	unsigned	offset;
	unsigned	size;
	const char *bytes;
	const char *name;
} Signature;

/* Pictures, but not ones that are decoded here. */
static const Signature pictures[] = {
	{0, 2, "BM", "BMP"},
	{0, 4, "II*\0", "TIFF"},
	{0, 4, "MM\0*", "TIFF"},
	{0, 4, "II+\0", "TIFF"},
	{0, 4, "MM\0+", "TIFF"},
	{0, 4, "II\xbc\x01", "JPEG XR"},
	{0, 4, "IIRO", "a camera's raw file"},
	{0, 4, "IIU\0", "a camera's raw file"},
	{0, 4, "FOVb", "a camera's raw file"},
	{0, 15, "FUJIFILMCCD-RAW", "a camera's raw file"},
	{0, 4, "\0\0\1\0", "ICO"},
	{0, 4, "\0\0\2\0", "CUR"},
	{0, 4, "icns", "ICNS"},
	{0, 4, "8BPS", "PSD"},
	{0, 9, "gimp xcf ", "XCF"},
	{0, 12, "\0\0\0\fJXL \r\n\x87\n", "JPEG XL"},
	{0, 2, "\xff\x0a", "JPEG XL"},
	{0, 8, "\0\0\0\fjP  ", "JPEG 2000"},
	{0, 4, "\xff\x4f\xff\x51", "JPEG 2000"},
	{0, 4, "\xd7\xcd\xc6\x9a", "WMF"},
	{40, 4, " EMF", "EMF"},
	{0, 4, "\x8aMNG", "MNG"},
	{0, 4, "\x8bJNG", "JNG"},
	{0, 4, "qoif", "QOI"},
	{0, 4, "BPG\xfb", "BPG"},
	{0, 4, "FLIF", "FLIF"},
	{0, 4, "DDS ", "DDS"},
	{0, 4, "v/1\1", "OpenEXR"},
	{0, 10, "#?RADIANCE", "Radiance HDR"},
	{0, 8, "AT&TFORM", "DjVu"},
	{0, 9, "/* XPM */", "XPM"},
	{0, 4, "%!PS", "PostScript"},
	{0, 4, "\xc5\xd0\xd3\xc6", "PostScript"},
	{128, 4, "DICM", "DICOM"},
};

static const Signature others[] = {
	{0, 5, "%PDF-", "a PDF document"},
	{0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document"},
	{4, 4, "moov", "a video"},
	{4, 4, "mdat", "a video"},
	{0, 4, "\x1a\x45\xdf\xa3", "a video"},
	{0, 4, "\0\0\1\xba", "a video"},
	{0, 4, "\0\0\1\xb3", "a video"},
	{0, 3, "FLV", "a video"},
	{0, 3, "FWS", "a Flash film"},
	{0, 3, "CWS", "a Flash film"},
	{8, 4, "AVI ", "a video"},
	{8, 4, "WAVE", "a sound"},
	{0, 3, "ID3", "a sound"},
	{0, 4, "fLaC", "a sound"},
	{0, 4, "OggS", "a sound or video"},
	{0, 4, "wOFF", "a font"},
	{0, 4, "wOF2", "a font"},
	{0, 4, "PK\3\4", "a ZIP archive"},
	{0, 4, "Rar!", "a RAR archive"},
	{0, 6, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{0, 2, "\x1f\x8b", "gzip data"},
	{0, 3, "BZh", "bzip2 data"},
	{0, 6, "\xfd" "7zXZ\0", "xz data"},
	{0, 4, "\x28\xb5\x2f\xfd", "zstd data"},
	{257, 5, "ustar", "a tar archive"},
	{0, 2, "MZ", "a program"},
	{0, 4, "\x7f" "ELF", "a program"},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *
find(const Signature *list, size_t n, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < n; i++)
		if (size >= list[i].offset + list[i].size &&
			memcmp(data + list[i].offset, list[i].bytes, list[i].size) == 0)
			return list[i].name;
	return NULL;
}

/* The formats of Netpbm: P, a digit or letter, a blank. */
static const char *
find_netpbm(const uint8_t *data, size_t size)
{
	static const char letters[] = "1425367Ff";
	static const char *const names[] = {"PBM", "PBM", "PGM", "PGM", "PPM", "PPM", "PAM", "PFM", "PFM"};
	const char *letter;

	if (size < 3 || data[0] != 'P' || data[1] == '\0' || (data[2] != ' ' && (data[2] < '\t' || data[2] > '\r')))
		return NULL;
	letter = strchr(letters, data[1]);
	return letter != NULL ? names[letter - letters] : NULL;
}

/* A picture in boxes that is none of those taken; *other where it is no picture. */
static const char *
find_media(const uint8_t *data, size_t size, const char **other)
{
	switch (image_media_kind(data, size))
	{
		case MEDIA_HEIC:
			return "HEIC";
		case MEDIA_HEIF:
			return "HEIF";
		case MEDIA_JPEG2000:
			return "JPEG 2000";
		case MEDIA_RAW:
			return "a camera's raw file";
		case MEDIA_SOUND:
			*other = "a sound";
			break;
		case MEDIA_VIDEO:
			*other = "a video";
			break;
		case MEDIA_NONE:
		case MEDIA_AVIF:
			break;
	}
	return NULL;
}

ImageStatus
image_name_foreign(const uint8_t *data, size_t size, ImageError *error)
{
	const char *other = NULL;
	const char *name = find_media(data, size, &other);
	ImageStatus status;

	if (name == NULL && other == NULL)
		name = find(pictures, LENGTH(pictures), data, size);
	if (name == NULL && other == NULL)
		name = find_netpbm(data, size);
	if (name != NULL)
		return image_fail(error, IMAGE_UNSUPPORTED, "%s is not supported", name);
	if (other == NULL)
		other = find(others, LENGTH(others), data, size);
	if (other != NULL)
		return image_fail(error, IMAGE_UNKNOWN, "%s, not a picture", other);
	status = image_name_text(data, size, error);
	if (status != IMAGE_OK)
		return status;
	return image_fail(error, IMAGE_UNKNOWN, "not a picture in any known format");
}
