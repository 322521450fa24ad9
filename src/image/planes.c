/*
 * planes.c
 *	  The short way of a YCbCr JPEG: luma and chroma from plane to plane.
 *
 * Chroma that is stored at half the sides and wanted at half the sides is neither
 * widened nor made into pixels in between.  Planes come at different speeds, so the
 * rows that are made wait in a strip until those of all planes are there.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 8

/* Rows of a plane of the result, from the first that is not yet written. */
typedef struct Strip
{
	Resizer    *resizer;		/* NULL: the plane keeps its sides */
	Hasher	   *hasher;			/* where a hash is wanted */
	Spans		spans;
	int			width;			/* as stored, not yet upright */
	int			height;
	uint8_t    *rows;
	int			room;			/* in rows */
	int			first;
	int			next;
	int			lines;			/* of a row of blocks of the JPEG that is made */
	int			line_width;		/* to the end of the last block */
	uint8_t    *blocks;			/* those lines */
} Strip;

typedef struct Way
{
	ImageWork  *work;
	JpegPlanes *source;
	JpegWriter *writer;
	Strip		strips[PLANES];
	int			orientation;
	int			written;		/* rows of blocks */
} Way;

/* ---- rows come ---- */

static ImageStatus
grow(Strip *strip, ImageError *error)
{
	int			room = strip->room > 0 ? strip->room * 2 : 4 * BLOCK;
	uint8_t    *rows = realloc(strip->rows, (size_t) room * (size_t) strip->width);

	if (rows == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for rows");
	strip->rows = rows;
	strip->room = room;
	return IMAGE_OK;
}

/* A row of its final size. */
static ImageStatus
keep_row(void *arg, const uint8_t *row, ImageError *error)
{
	Strip	   *strip = arg;
	int			at = strip->next - strip->first;

	if (strip->hasher != NULL)
		image_hasher_push(strip->hasher, row);
	image_spans_push(&strip->spans, row, (size_t) strip->width);
	if (at == strip->room)
	{
		ImageStatus status = grow(strip, error);

		if (status != IMAGE_OK)
			return status;
	}
	memcpy(strip->rows + (size_t) at * (size_t) strip->width, row, (size_t) strip->width);
	strip->next++;
	return IMAGE_OK;
}

static ImageStatus
take_row(void *arg, int plane, const uint8_t *row, ImageError *error)
{
	Way		   *way = arg;
	Strip	   *strip = &way->strips[plane];

	return strip->resizer != NULL ? image_resizer_push(strip->resizer, row, error) :
		keep_row(strip, row, error);
}

/* ---- rows go ---- */

/* Upright row y of a plane, and its last sample again to the end of the last block. */
static void
put_line(const Strip *strip, int orientation, int y, uint8_t *line)
{
	int			width = orientation >= 5 ? strip->height : strip->width;

	if (orientation == 1)
		memcpy(line, strip->rows + (size_t) (y - strip->first) * (size_t) strip->width,
			   (size_t) strip->width);
	else
		image_turn_row(strip->rows, strip->width, strip->height, 1, orientation, y, line);
	memset(line + width, line[width - 1], (size_t) (strip->line_width - width));
}

static void
drop_rows(Strip *strip, int upto)
{
	int			rows = strip->next - upto;

	memmove(strip->rows, strip->rows + (size_t) (upto - strip->first) * (size_t) strip->width,
			(size_t) rows * (size_t) strip->width);
	strip->first = upto;
}

/* The next row of blocks; the last row of a plane again to its end. */
static ImageStatus
write_blocks(Way *way, ImageError *error)
{
	const uint8_t *blocks[PLANES];
	ImageStatus status = image_poll(way->work, error);

	if (status != IMAGE_OK)
		return status;
	for (int p = 0; p < PLANES; p++)
	{
		Strip	   *strip = &way->strips[p];
		int			height = way->orientation >= 5 ? strip->width : strip->height;
		int			from = way->written * strip->lines;
		int			upto = from + strip->lines < height ? from + strip->lines : height;

		for (int y = from; y < from + strip->lines; y++)
			put_line(strip, way->orientation, y < upto ? y : upto - 1,
					 strip->blocks + (size_t) (y - from) * (size_t) strip->line_width);
		if (way->orientation == 1)
			drop_rows(strip, upto);
		blocks[p] = strip->blocks;
	}
	way->written++;
	return image_jpeg_write_planes(way->writer, blocks, error);
}

/* Whether the rows that the next row of blocks is made of are there. */
static bool
is_ready(const Way *way)
{
	for (int p = 0; p < PLANES; p++)
	{
		const Strip *strip = &way->strips[p];
		int			upto = (way->written + 1) * strip->lines;

		if (strip->next < (upto < strip->height ? upto : strip->height))
			return false;
	}
	return way->written * way->strips[0].lines < way->strips[0].height;
}

static ImageStatus
send_rows(Way *way, int upright_height, ImageError *error)
{
	ImageStatus status = IMAGE_OK;

	while (status == IMAGE_OK && !image_jpeg_planes_end(way->source))
	{
		status = image_poll(way->work, error);
		if (status == IMAGE_OK)
			status = image_jpeg_planes_read(way->source, take_row, way, error);
		while (status == IMAGE_OK && way->orientation == 1 && is_ready(way))
			status = write_blocks(way, error);
	}
	while (status == IMAGE_OK && way->written * way->strips[0].lines < upright_height)
		status = write_blocks(way, error);
	return status;
}

/* ---- the whole ---- */

/* The strip of a plane of shape, of a picture of width x height as stored. */
static ImageStatus
start_strip(Way *way, int plane, const PlaneShape *shape, int width, int height,
			ImageError *error)
{
	Strip	   *strip = &way->strips[plane];
	const ImageFit *fit = way->work->fit;
	int			halves = plane > 0 && !fit->full_chroma ? 2 : 1;
	int			upright_width;

	strip->width = (width + halves - 1) / halves;
	strip->height = (height + halves - 1) / halves;
	upright_width = way->orientation >= 5 ? strip->height : strip->width;
	strip->line_width = (upright_width + BLOCK - 1) / BLOCK * BLOCK;
	strip->lines = fit->full_chroma || plane > 0 ? BLOCK : 2 * BLOCK;
	strip->blocks = malloc((size_t) strip->lines * (size_t) strip->line_width);
	if (strip->blocks == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for rows");
	image_spans_begin(&strip->spans, 1);
	if (fit->hash)
	{
		strip->hasher = image_hasher_new(strip->width, strip->height, 1, false);
		if (strip->hasher == NULL)
			return image_fail(error, IMAGE_NO_MEMORY, "no memory for a hash");
	}
	if (strip->width == shape->width && strip->height == shape->height)
		return IMAGE_OK;
	strip->resizer = image_resizer_new(shape->width, shape->height, strip->width, strip->height,
									   shape->covers_width * halves / width,
									   shape->covers_height * halves / height, 1, plane == 0,
									   keep_row, strip);
	if (strip->resizer == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory to resize");
	return IMAGE_OK;
}

static ImageStatus
convert(Way *way, const PlaneShape *shapes, int width, int height, ImagePrepared *prepared,
		ImageError *error)
{
	ImageStatus status = IMAGE_OK;

	for (int p = 0; p < PLANES && status == IMAGE_OK; p++)
		status = start_strip(way, p, &shapes[p], width, height, error);
	if (status == IMAGE_OK)
		status = image_jpeg_writer_new(prepared->width, prepared->height, 0, true, way->work,
									   &way->writer, error);
	if (status == IMAGE_OK)
		status = send_rows(way, prepared->height, error);
	if (status == IMAGE_OK)
		status = image_jpeg_finish(way->writer, &prepared->data, &prepared->size, error);
	prepared->blank = !way->strips[0].spans.varied && !way->strips[1].spans.varied &&
		!way->strips[2].spans.varied;
	if (status == IMAGE_OK && way->work->fit->hash)
	{
		image_hasher_add_chroma(way->strips[0].hasher, way->strips[1].hasher,
								way->strips[2].hasher);
		image_hasher_finish(way->strips[0].hasher, way->orientation, &prepared->hash);
	}
	return status;
}

ImageStatus
image_planes_prepare(const uint8_t *data, size_t size, int width, int height, int orientation,
					 ImageWork *work, ImagePrepared *prepared, bool *done, ImageError *error)
{
	Way			way = {.work = work,.orientation = orientation};
	PlaneShape	shapes[PLANES];
	ImageStatus status;

	status = image_jpeg_planes_open(data, size, width, height, work, &way.source, shapes, error);
	*done = status != IMAGE_OK || way.source != NULL;
	if (way.source == NULL)
		return status;
	status = convert(&way, shapes, width, height, prepared, error);
	for (int p = 0; p < PLANES; p++)
	{
		image_resizer_free(way.strips[p].resizer);
		image_hasher_free(way.strips[p].hasher);
		free(way.strips[p].rows);
		free(way.strips[p].blocks);
	}
	image_jpeg_writer_free(way.writer);
	image_jpeg_planes_close(way.source);
	return status;
}
