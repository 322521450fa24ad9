/*
 * png.c
 *	  PNG through libpng: every colour type to 8 bits, alpha on white.
 *
 * libpng reports errors by not returning; as in jpeg.c, no jump leaves this file.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <png.h>
#include <setjmp.h>

#define PASSES 7				/* of an interlaced picture */

typedef struct PngReader
{
	ImageSource source;			/* first: what the caller holds */
	png_structp png;
	png_infop	info;
	const uint8_t *data;		/* what is not yet read */
	size_t		left;
	ImageWork  *work;
	bool		alpha;
	uint8_t    *row;			/* with alpha, before it is flattened */
	uint8_t    *whole;			/* an interlaced picture comes in passes */
	size_t		row_bytes;
	int			y;
	ImageError	error;			/* why the jump was made */
} PngReader;

/* ---- what libpng calls ---- */

static void
on_error(png_structp png, png_const_charp message)
{
	PngReader  *reader = png_get_error_ptr(png);

	if (reader->error.status == IMAGE_OK)
		image_fail(&reader->error, IMAGE_BROKEN, "PNG is broken: %.100s", message);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp message)
{
	(void) png;
	(void) message;
}

static void
on_read(png_structp png, png_bytep out, size_t n)
{
	PngReader  *reader = png_get_io_ptr(png);

	if (n > reader->left)
	{
		if (reader->whole != NULL)
			image_fail(&reader->error, IMAGE_TRUNCATED, "PNG ends early, in pass %d of %d",
					   png_get_current_pass_number(png) + 1, PASSES);
		else
			image_fail_cut(&reader->error, IMAGE_FORMAT_PNG, reader->y, reader->source.height);
		png_error(png, "end");
	}
	memcpy(out, reader->data, n);
	reader->data += n;
	reader->left -= n;
}

/* ---- reading ---- */

static ImageStatus
failure(const PngReader *reader, ImageError *error)
{
	if (error != NULL)
		*error = reader->error;
	return reader->error.status;
}

/*
 * Whether libpng has handed out all rows: behind the last it still reads to the end of
 * their data, which may be cut off there.
 */
static bool
has_all_rows(const PngReader *reader)
{
	return png_get_interlace_type(reader->png, reader->info) == PNG_INTERLACE_NONE ?
		png_get_current_row_number(reader->png) >= (png_uint_32) reader->source.height :
		png_get_current_pass_number(reader->png) >= PASSES;
}

/* The next row as it comes out of libpng. */
static ImageStatus
read_raw(PngReader *reader, uint8_t *row)
{
	if (setjmp(png_jmpbuf(reader->png)) != 0)
	{
		if (reader->error.status == IMAGE_TRUNCATED && has_all_rows(reader))
			return IMAGE_OK;
		return reader->error.status;
	}
	png_read_row(reader->png, row, NULL);
	return IMAGE_OK;
}

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	PngReader  *reader = (PngReader *) source;
	uint8_t    *raw = reader->alpha ? reader->row : row;

	if (reader->whole != NULL)
	{
		raw = reader->whole + (size_t) reader->y * reader->row_bytes;
		if (!reader->alpha)
			memcpy(row, raw, reader->row_bytes);
	}
	else if (read_raw(reader, raw) != IMAGE_OK)
		return failure(reader, error);
	if (reader->alpha)
		image_flatten(raw, row, (size_t) source->width, source->channels, &source->ground);
	reader->y++;
	return IMAGE_OK;
}

static void
close_reader(ImageSource *source)
{
	PngReader  *reader = (PngReader *) source;

	png_destroy_read_struct(&reader->png, &reader->info, NULL);
	free(reader->row);
	free(reader->whole);
	free(reader);
}

/* Text, profiles and unknown chunks are passed over: they may inflate to anything. */
static void
ignore_ancillary(png_structp png)
{
	static const png_byte names[] =
	"cHRM\0gAMA\0iCCP\0sBIT\0sRGB\0bKGD\0hIST\0pHYs\0sPLT\0tIME\0iTXt\0tEXt\0zTXt\0"
	"eXIf\0oFFs\0pCAL\0sCAL";

	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
	png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, sizeof(names) / 5);
}

/* Header and transforms; all that may fail in libpng's way before the first row. */
static ImageStatus
start_reader(PngReader *reader)
{
	png_structp png = reader->png;
	int			type;

	if (setjmp(png_jmpbuf(png)) != 0)
		return reader->error.status;
	png_set_read_fn(png, reader, on_read);
	png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
	ignore_ancillary(png);
	png_read_info(png, reader->info);
	png_set_expand(png);
	png_set_scale_16(png);
	(void) png_set_interlace_handling(png);
	png_read_update_info(png, reader->info);
	type = png_get_color_type(png, reader->info);
	reader->alpha = (type & PNG_COLOR_MASK_ALPHA) != 0;
	reader->row_bytes = png_get_rowbytes(png, reader->info);
	reader->source.width = (int) png_get_image_width(png, reader->info);
	reader->source.height = (int) png_get_image_height(png, reader->info);
	reader->source.channels = (type & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
	return IMAGE_OK;
}

/* Every pass over every row of an interlaced picture. */
static ImageStatus
read_passes(PngReader *reader)
{
	reader->whole = calloc((size_t) reader->source.height, reader->row_bytes);
	if (reader->whole == NULL)
		return image_fail(&reader->error, IMAGE_NO_MEMORY, "no memory for a PNG");
	for (int pass = 0; pass < PASSES; pass++)
		for (int y = 0; y < reader->source.height; y++)
		{
			if (image_poll(reader->work, &reader->error) != IMAGE_OK)
				return reader->error.status;
			if (read_raw(reader, reader->whole + (size_t) y * reader->row_bytes) != IMAGE_OK)
				return reader->error.status;
		}
	return IMAGE_OK;
}

static ImageStatus
start_rows(PngReader *reader)
{
	if (reader->alpha)
	{
		reader->row = malloc(reader->row_bytes);
		if (reader->row == NULL)
			return image_fail(&reader->error, IMAGE_NO_MEMORY, "no memory for a PNG");
	}
	if (png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE)
		return read_passes(reader);
	return IMAGE_OK;
}

ImageStatus
image_png_open(const uint8_t *data, size_t size, ImageWork *work, ImageSource **source,
			   ImageError *error)
{
	PngReader  *reader = calloc(1, sizeof(PngReader));
	ImageStatus status;

	if (reader == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a PNG");
	reader->source.read = read_row;
	reader->source.close = close_reader;
	reader->data = data;
	reader->left = size;
	reader->work = work;
	reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, on_error, on_warning);
	if (reader->png != NULL)
		reader->info = png_create_info_struct(reader->png);
	if (reader->info == NULL)
		status = image_fail(&reader->error, IMAGE_NO_MEMORY, "no memory for a PNG");
	else
	{
		status = start_reader(reader);
		if (status == IMAGE_OK)
			status = start_rows(reader);
	}
	if (status != IMAGE_OK)
	{
		(void) failure(reader, error);
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}
