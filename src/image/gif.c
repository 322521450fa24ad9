/*
 * gif.c
 *	  The first frame of a GIF through giflib, on white.
 */
#include "private.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

typedef struct Source
{
	const uint8_t *data;
	size_t		left;
} Source;

static int
on_read(GifFileType *gif, GifByteType *out, int n)
{
	Source	   *source = gif->UserData;
	size_t		take = (size_t) n < source->left ? (size_t) n : source->left;

	memcpy(out, source->data, take);
	source->data += take;
	source->left -= take;
	return (int) take;
}

static void
put_line(Pixels *pixels, const GifFileType *gif, const GifByteType *line, int y, int transparent)
{
	const ColorMapObject *map = gif->Image.ColorMap != NULL ? gif->Image.ColorMap : gif->SColorMap;
	int			top = gif->Image.Top + y;

	if (top < 0 || top >= pixels->height || map == NULL)
		return;
	for (int i = 0; i < gif->Image.Width; i++)
	{
		int			x = gif->Image.Left + i;
		uint8_t    *rgb;

		if (x < 0 || x >= pixels->width || line[i] == transparent || line[i] >= map->ColorCount)
			continue;
		rgb = pixels->rgb + ((size_t) top * (size_t) pixels->width + (size_t) x) * 3;
		rgb[0] = map->Colors[line[i]].Red;
		rgb[1] = map->Colors[line[i]].Green;
		rgb[2] = map->Colors[line[i]].Blue;
	}
}

/* The row that the n-th line of the data is, interlaced or not (GIF89a, appendix E). */
static int
row_of(int n, int height, bool interlaced)
{
	static const int first[] = {0, 4, 2, 1};
	static const int step[] = {8, 8, 4, 2};

	if (!interlaced)
		return n;
	for (int pass = 0; pass < 4; pass++)
	{
		int			rows = (height - first[pass] + step[pass] - 1) / step[pass];

		if (rows < 0)
			rows = 0;
		if (n < rows)
			return first[pass] + n * step[pass];
		n -= rows;
	}
	return height - 1;
}

static ImageStatus
read_frame(GifFileType *gif, int transparent, const ImageFit *fit, Pixels *pixels,
		   ImageError *error)
{
	ImageStatus status = IMAGE_OK;
	GifByteType *line;

	if (DGifGetImageDesc(gif) != GIF_OK || gif->Image.Width <= 0)
		return image_fail(error, IMAGE_BROKEN, "GIF has no valid frame");
	line = malloc((size_t) gif->Image.Width);
	if (line == NULL || !pixels_new(pixels, gif->SWidth, gif->SHeight))
	{
		free(line);
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a GIF");
	}
	memset(pixels->rgb, 255, (size_t) pixels->width * (size_t) pixels->height * 3);
	for (int n = 0; n < gif->Image.Height && status == IMAGE_OK; n++)
	{
		if (n % 16 == 0 && image_stopped(fit))
			status = image_fail(error, IMAGE_STOPPED, "stopped");
		else if (DGifGetLine(gif, line, gif->Image.Width) != GIF_OK)
			status = image_fail(error, IMAGE_TRUNCATED, "GIF ends in its first frame");
		else
			put_line(pixels, gif, line, row_of(n, gif->Image.Height, gif->Image.Interlace),
					 transparent);
	}
	free(line);
	return status;
}

/* Records up to the first frame; its graphics control names the transparent colour. */
static ImageStatus
find_frame(GifFileType *gif, const ImageFit *fit, Pixels *pixels, ImageError *error)
{
	int			transparent = -1;
	GifRecordType type;

	while (DGifGetRecordType(gif, &type) == GIF_OK && type != TERMINATE_RECORD_TYPE)
	{
		GifByteType *extension = NULL;
		int			code;

		if (type == IMAGE_DESC_RECORD_TYPE)
			return read_frame(gif, transparent, fit, pixels, error);
		if (type != EXTENSION_RECORD_TYPE || DGifGetExtension(gif, &code, &extension) != GIF_OK)
			break;
		if (code == GRAPHICS_EXT_FUNC_CODE && extension != NULL && extension[0] >= 4 &&
			(extension[1] & 1) != 0)
			transparent = extension[4];
		while (extension != NULL)
			if (DGifGetExtensionNext(gif, &extension) != GIF_OK)
				break;
	}
	return image_fail(error, IMAGE_BROKEN, "GIF has no frame");
}

ImageStatus
gif_decode(const uint8_t *data, size_t size, const ImageFit *fit, Pixels *pixels,
		   ImageError *error)
{
	Source		source = {data, size};
	int			code = 0;
	GifFileType *gif = DGifOpen(&source, on_read, &code);
	ImageStatus status;

	memset(pixels, 0, sizeof(*pixels));
	if (gif == NULL)
		return image_fail(error, IMAGE_BROKEN, "GIF has no valid header");
	status = find_frame(gif, fit, pixels, error);
	DGifCloseFile(gif, &code);
	if (status != IMAGE_OK)
	{
		free(pixels->rgb);
		pixels->rgb = NULL;
	}
	return status;
}
