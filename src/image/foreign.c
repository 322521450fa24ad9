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
	{0, 4, "\0\0\1\0", "ICO"},
	{0, 4, "\0\0\2\0", "CUR"},
	{0, 4, "8BPS", "PSD"},
	{0, 12, "\0\0\0\fJXL \r\n\x87\n", "JPEG XL"},
	{0, 2, "\xff\x0a", "JPEG XL"},
	{0, 8, "\0\0\0\fjP  ", "JPEG 2000"},
	{0, 4, "\xff\x4f\xff\x51", "JPEG 2000"},
	{4, 8, "ftypavif", "AVIF"},
	{4, 8, "ftypavis", "AVIF"},
	{4, 7, "ftyphei", "HEIC"},
	{4, 7, "ftyphev", "HEIC"},
	{4, 8, "ftypmif1", "HEIC"},
	{4, 8, "ftypmsf1", "HEIC"},
	{0, 4, "\xd7\xcd\xc6\x9a", "WMF"},
	{0, 3, "P5\n", "PGM"},
	{0, 3, "P6\n", "PPM"},
	{0, 4, "qoif", "QOI"},
};

static const Signature others[] = {
	{0, 5, "%PDF-", "a PDF document"},
	{4, 4, "ftyp", "a video"},
	{0, 4, "\x1a\x45\xdf\xa3", "a video"},
	{0, 3, "FLV", "a video"},
	{8, 4, "AVI ", "a video"},
	{8, 4, "WAVE", "a sound"},
	{0, 3, "ID3", "a sound"},
	{0, 4, "PK\3\4", "a ZIP archive"},
	{0, 4, "Rar!", "a RAR archive"},
	{0, 6, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{0, 2, "\x1f\x8b", "gzip data"},
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

/* The beginning, if it is text: ASCII letters lowered, no byte order mark or space. */
static void
read_head(const uint8_t *data, size_t size, char *head, size_t room)
{
	size_t		at = 0;
	size_t		n = 0;

	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	while (at < size && (data[at] == ' ' || (data[at] >= '\t' && data[at] <= '\r')))
		at++;
	for (; at < size && n + 1 < room && data[at] != '\0'; at++)
		head[n++] = (char) (data[at] >= 'A' && data[at] <= 'Z' ? data[at] + 32 : data[at]);
	head[n] = '\0';
}

static ImageStatus
name_text(const char *head, ImageError *error)
{
	if (strncmp(head, "<svg", 4) == 0 ||
		((strncmp(head, "<?xml", 5) == 0 || strncmp(head, "<!--", 4) == 0 ||
		  strncmp(head, "<!doctype svg", 13) == 0) && strstr(head, "<svg") != NULL))
		return image_fail(error, IMAGE_UNSUPPORTED, "SVG is not supported");
	if (strstr(head, "<html") != NULL || strncmp(head, "<!doctype html", 14) == 0 ||
		strncmp(head, "<head", 5) == 0 || strncmp(head, "<script", 7) == 0 ||
		strncmp(head, "<body", 5) == 0)
		return image_fail(error, IMAGE_UNKNOWN, "an HTML page, not a picture");
	if (strncmp(head, "<?xml", 5) == 0)
		return image_fail(error, IMAGE_UNKNOWN, "an XML document, not a picture");
	if (strncmp(head, "{\"", 2) == 0 || strncmp(head, "[{", 2) == 0)
		return image_fail(error, IMAGE_UNKNOWN, "a JSON document, not a picture");
	return IMAGE_OK;
}

ImageStatus
image_name_foreign(const uint8_t *data, size_t size, ImageError *error)
{
	const char *name = find(pictures, LENGTH(pictures), data, size);
	char		head[512];
	ImageStatus status;

	if (name != NULL)
		return image_fail(error, IMAGE_UNSUPPORTED, "%s is not supported", name);
	name = find(others, LENGTH(others), data, size);
	if (name != NULL)
		return image_fail(error, IMAGE_UNKNOWN, "%s, not a picture", name);
	read_head(data, size, head, sizeof(head));
	status = name_text(head, error);
	if (status != IMAGE_OK)
		return status;
	return image_fail(error, IMAGE_UNKNOWN, "not a picture in any known format");
}
