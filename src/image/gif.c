/*
 * gif.c
 *	  The first frame of a GIF through giflib, on its ground.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

typedef struct GifReader
{
	ImageSource source;			/* first: what the caller holds */
	GifFileType *gif;
	const uint8_t *data;		/* what is not yet read */
	size_t		left;
	bool		ended;			/* more was asked for than there is */
	int			transparent;	/* -1: none */
	uint8_t    *line;			/* colour numbers of a row */
	uint8_t    *whole;			/* those of an interlaced frame */
	int			y;
} GifReader;

/*
 * Behind the end of the file there is the block that ends a frame's data: giflib wants
 * it before it hands out the last row.
 */
static int
on_read(GifFileType *gif, GifByteType *out, int n)
{
	GifReader  *reader = gif->UserData;
	size_t		take = (size_t) n < reader->left ? (size_t) n : reader->left;

	if (reader->left == 0 && n == 1 && !reader->ended)
	{
		reader->ended = true;
		*out = 0;
		return 1;
	}
	reader->ended |= take < (size_t) n;
	memcpy(out, reader->data, take);
	reader->data += take;
	reader->left -= take;
	return (int) take;
}

/* One row of the frame, as its data has it next. */
static ImageStatus
read_line(GifReader *reader, uint8_t *line, ImageError *error)
{
	GifFileType *gif = reader->gif;

	if (DGifGetLine(gif, line, gif->Image.Width) == GIF_OK)
		return IMAGE_OK;
	if (gif->Error == D_GIF_ERR_NOT_ENOUGH_MEM)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a GIF");
	if (reader->ended && gif->Image.Interlace)
		return image_fail(error, IMAGE_TRUNCATED, "GIF ends early, in its first frame");
	if (reader->ended)
		return image_fail_cut(error, IMAGE_FORMAT_GIF, reader->y, reader->source.height);
	return image_fail(error, IMAGE_BROKEN, "GIF is broken in its first frame");
}

static void
paint(GifReader *reader, const uint8_t *line, uint8_t *row)
{
	const GifImageDesc *frame = &reader->gif->Image;
	const ColorMapObject *map = frame->ColorMap != NULL ? frame->ColorMap :
	reader->gif->SColorMap;

	row += (size_t) frame->Left * 3;
	for (int x = 0; x < frame->Width; x++, row += 3)
	{
		static const GifColorType black = {0, 0, 0};
		const GifColorType *colour = line[x] < map->ColorCount ? &map->Colors[line[x]] : &black;

		if (line[x] == reader->transparent)
		{
			reader->source.ground.shows = true;
			continue;
		}
		ground_cover(&reader->source.ground, colour->Red, colour->Green, colour->Blue);
		row[0] = colour->Red;
		row[1] = colour->Green;
		row[2] = colour->Blue;
	}
}

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	GifReader  *reader = (GifReader *) source;
	const GifImageDesc *frame = &reader->gif->Image;
	int			y = reader->y - frame->Top;
	const uint8_t *line = reader->line;
	ImageStatus status;

	memset(row, source->ground.level, (size_t) source->width * 3);
	source->ground.shows |= frame->Width < source->width || frame->Height < source->height;
	reader->y++;
	if (y < 0 || y >= frame->Height)
		return IMAGE_OK;
	if (reader->whole != NULL)
		line = reader->whole + (size_t) y * (size_t) frame->Width;
	else
	{
		status = read_line(reader, reader->line, error);
		if (status != IMAGE_OK)
			return status;
	}
	paint(reader, line, row);
	return IMAGE_OK;
}

static void
close_reader(ImageSource *source)
{
	GifReader  *reader = (GifReader *) source;
	int			code;

	if (reader->gif != NULL)
		(void) DGifCloseFile(reader->gif, &code);
	free(reader->line);
	free(reader->whole);
	free(reader);
}

/* Passes over an extension; one of them names the transparent colour. */
static bool
read_extension(GifReader *reader)
{
	GifByteType *block = NULL;
	int			code;

	if (DGifGetExtension(reader->gif, &code, &block) != GIF_OK)
		return false;
	if (code == GRAPHICS_EXT_FUNC_CODE && block != NULL && block[0] >= 4)
		reader->transparent = block[1] & 1 ? block[4] : -1;
	while (block != NULL)
		if (DGifGetExtensionNext(reader->gif, &block) != GIF_OK)
			return false;
	return true;
}

/* Stops behind the first frame's header. */
static ImageStatus
find_frame(GifReader *reader, ImageError *error)
{
	GifRecordType type;

	while (DGifGetRecordType(reader->gif, &type) == GIF_OK)
	{
		if (type == EXTENSION_RECORD_TYPE && read_extension(reader))
			continue;
		if (type != IMAGE_DESC_RECORD_TYPE || DGifGetImageDesc(reader->gif) != GIF_OK)
			break;
		if (reader->gif->Image.ColorMap == NULL && reader->gif->SColorMap == NULL)
			return image_fail(error, IMAGE_BROKEN, "GIF has no colours");
		return IMAGE_OK;
	}
	return image_fail(error, reader->left == 0 ? IMAGE_TRUNCATED : IMAGE_BROKEN,
					  "GIF has no whole frame header");
}

/* Rows come as 0, 8 ..., then 4, 12 ..., 2, 6 ..., 1, 3 ... (appendix E). */
static ImageStatus
read_passes(GifReader *reader, ImageWork *work, ImageError *error)
{
	static const int first[] = {0, 4, 2, 1};
	static const int step[] = {8, 8, 4, 2};
	const GifImageDesc *frame = &reader->gif->Image;

	reader->whole = malloc((size_t) frame->Width * (size_t) frame->Height);
	if (reader->whole == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a GIF");
	for (int pass = 0; pass < 4; pass++)
		for (int y = first[pass]; y < frame->Height; y += step[pass])
		{
			ImageStatus status = image_poll(work, error);

			if (status == IMAGE_OK)
				status = read_line(reader, reader->whole + (size_t) y * (size_t) frame->Width,
								   error);
			if (status != IMAGE_OK)
				return status;
		}
	return IMAGE_OK;
}

static ImageStatus
start_reader(GifReader *reader, const ImageInfo *info, ImageWork *work, ImageError *error)
{
	const GifImageDesc *frame;
	ImageStatus status;
	int			code = 0;

	reader->gif = DGifOpen(reader, on_read, &code);
	if (reader->gif == NULL)
		return image_fail(error, code == D_GIF_ERR_NOT_ENOUGH_MEM ? IMAGE_NO_MEMORY :
						  IMAGE_BROKEN, "GIF has no valid header");
	status = find_frame(reader, error);
	if (status != IMAGE_OK)
		return status;
	frame = &reader->gif->Image;
	/* what was held against the limits must be what is decoded */
	if (frame->Width < 1 || frame->Height < 1 || frame->Left < 0 || frame->Top < 0 ||
		frame->Left + frame->Width > info->width || frame->Top + frame->Height > info->height)
		return image_fail(error, IMAGE_BROKEN, "GIF contradicts itself about its sides");
	reader->source.width = info->width;
	reader->source.height = info->height;
	reader->source.channels = 3;
	reader->line = malloc((size_t) frame->Width);
	if (reader->line == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a GIF");
	return frame->Interlace ? read_passes(reader, work, error) : IMAGE_OK;
}

ImageStatus
image_gif_open(const uint8_t *data, size_t size, const ImageInfo *info, ImageWork *work,
			   ImageSource **source, ImageError *error)
{
	GifReader  *reader = calloc(1, sizeof(GifReader));
	ImageStatus status;

	if (reader == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a GIF");
	reader->source.read = read_row;
	reader->source.close = close_reader;
	reader->data = data;
	reader->left = size;
	reader->transparent = -1;
	status = start_reader(reader, info, work, error);
	if (status != IMAGE_OK)
	{
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}
