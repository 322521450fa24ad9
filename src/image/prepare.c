/*
 * prepare.c
 *	  The way of one picture: check, fit, decode, shrink, turn upright, encode.
 *
 * Rows flow from the source through the resizer to the writer.  Only a picture that
 * has to be turned is gathered in between, already shrunk; only a transparent one that
 * is hardly seen on white is read twice.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that a passed picture may have beyond its raw pixels: profiles and the like. */
#define PASS_EXTRA (64 * 1024)

/* A picture that is only looked at is decoded to at least these sides. */
#define LOOK_SIDE 128

/* One preparation. */
typedef struct Way
{
	ImageWork	work;
	ImageSource *source;
	const ImageInfo *info;
	int			width;			/* of the rows behind the resizer, as stored */
	int			height;
	JpegWriter *writer;			/* NULL: the rows are only looked at */
	Hasher	   *hasher;			/* where a hash is wanted */
	Spans		spans;			/* of those rows */
	Ground		ground;			/* of the source that was read last */
	uint8_t    *stored;			/* those rows, where they have to be turned */
	int			rows;			/* of them that came */
} Way;

/* Takes a row that has its final size. */
static ImageStatus
take_row(void *arg, const uint8_t *row, ImageError *error)
{
	Way		   *way = arg;
	size_t		bytes = (size_t) way->width * (size_t) way->source->channels;

	if (way->hasher != NULL)
		image_hasher_push(way->hasher, row);
	image_spans_push(&way->spans, row, bytes);
	if (way->writer == NULL)
		return IMAGE_OK;
	if (way->stored == NULL)
		return image_jpeg_write(way->writer, row, error);
	memcpy(way->stored + (size_t) way->rows++ * bytes, row, bytes);
	return IMAGE_OK;
}

/* Reads all rows of the source and sends them on, through the resizer if there is one. */
static ImageStatus
send_rows(Way *way, Resizer *resizer, ImageError *error)
{
	ImageSource *source = way->source;
	uint8_t    *row = malloc((size_t) source->width * (size_t) source->channels);
	ImageStatus status = IMAGE_OK;

	if (row == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a row");
	for (int y = 0; y < source->height && status == IMAGE_OK; y++)
	{
		status = image_poll(&way->work, error);
		if (status == IMAGE_OK)
			status = source->read(source, row, error);
		if (status == IMAGE_OK)
			status = resizer != NULL ? image_resizer_push(resizer, row, error) :
				take_row(way, row, error);
	}
	free(row);
	return status;
}

static ImageStatus
shrink_rows(Way *way, ImageError *error)
{
	ImageSource *source = way->source;
	Resizer    *resizer;
	ImageStatus status;

	if (source->width == way->width && source->height == way->height)
		return send_rows(way, NULL, error);
	resizer = image_resizer_new(source->width, source->height, way->width, way->height,
								(double) source->width / way->width,
								(double) source->height / way->height, source->channels,
								true, take_row, way);
	if (resizer == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory to resize");
	status = send_rows(way, resizer, error);
	image_resizer_free(resizer);
	return status;
}

/* Writes what was gathered, turned. */
static ImageStatus
turn_rows(Way *way, int upright_width, int upright_height, ImageError *error)
{
	int			channels = way->source->channels;
	uint8_t    *row = malloc((size_t) upright_width * (size_t) channels);
	ImageStatus status = IMAGE_OK;

	if (row == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a row");
	for (int y = 0; y < upright_height && status == IMAGE_OK; y++)
	{
		image_turn_row(way->stored, way->width, way->height, channels, way->info->orientation,
					   y, row);
		status = image_poll(&way->work, error);
		if (status == IMAGE_OK)
			status = image_jpeg_write(way->writer, row, error);
	}
	free(row);
	return status;
}

static ImageStatus
begin_look(Way *way, ImageError *error)
{
	image_spans_begin(&way->spans, way->source->channels);
	if (!way->work.fit->hash)
		return IMAGE_OK;
	way->hasher = image_hasher_new(way->width, way->height, way->source->channels,
								   way->source->ycc);
	if (way->hasher == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a hash");
	return IMAGE_OK;
}

static ImageStatus
begin_writing(Way *way, const ImagePrepared *prepared, ImageError *error)
{
	ImageStatus status = image_jpeg_writer_new(prepared->width, prepared->height,
											   way->source->channels, way->source->ycc,
											   &way->work, &way->writer, error);

	if (status != IMAGE_OK || way->info->orientation == 1)
		return status;
	way->stored = malloc((size_t) way->width * (size_t) way->height *
						 (size_t) way->source->channels);
	if (way->stored == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory to turn the picture");
	return IMAGE_OK;
}

/* From the open source to the bytes of a JPEG. */
static ImageStatus
convert(Way *way, ImagePrepared *prepared, ImageError *error)
{
	ImageStatus status = begin_look(way, error);

	if (status == IMAGE_OK)
		status = begin_writing(way, prepared, error);
	if (status == IMAGE_OK)
		status = shrink_rows(way, error);
	if (status == IMAGE_OK && way->stored != NULL)
		status = turn_rows(way, prepared->width, prepared->height, error);
	if (status == IMAGE_OK)
		status = image_jpeg_finish(way->writer, &prepared->data, &prepared->size, error);
	return status;
}

static bool
may_pass(const ImageInfo *info, size_t size)
{
	int64_t		raw = (int64_t) info->width * info->height * info->channels;

	return info->format == IMAGE_FORMAT_JPEG && !info->progressive && info->complete &&
		info->orientation == 1 && info->channels <= 3 && (int64_t) size <= raw + PASS_EXTRA;
}

/*
 * The picture that is made, of one that ends early only the rows that are there: grey
 * where something is missing must not be asked about.
 */
static ImageInfo
cut_to_rows(const ImageInfo *info)
{
	ImageInfo	cut = *info;

	if (image_is_cut(info))
		cut.height = info->rows;
	return cut;
}

/* Closes what was opened, with the hash where one was wanted. */
static void
end_way(Way *way, ImagePrepared *prepared)
{
	if (way->hasher != NULL)
		image_hasher_finish(way->hasher, way->info->orientation, &prepared->hash);
	image_hasher_free(way->hasher);
	way->hasher = NULL;
	if (way->source != NULL)
	{
		way->ground = way->source->ground;
		way->source->close(way->source);
	}
	way->source = NULL;
	image_jpeg_writer_free(way->writer);
	way->writer = NULL;
	free(way->stored);
	way->stored = NULL;
	way->rows = 0;
	prepared->blank = !way->spans.varied || image_ground_is_bare(&way->ground);
}

/*
 * A mirrored picture's halved chroma lies otherwise where a side is odd, and of one
 * that ends early single rows are counted.
 */
static bool
suits_planes(const ImageInfo *info, const Way *way)
{
	bool		even = (way->width | way->height) % 2 == 0;

	return info->format == IMAGE_FORMAT_JPEG && info->channels == PLANES && !image_is_cut(info) &&
		(info->orientation == 1 || even || way->work.fit->full_chroma);
}

/* One reading of the picture, on a ground of this level. */
static ImageStatus
convert_on(const uint8_t *data, size_t size, uint8_t level, Way *way, ImagePrepared *prepared,
		   ImageError *error)
{
	const ImageInfo *info = &prepared->source;

	/* at full scale it is certain which rows are there */
	bool		cut = image_is_cut(info);
	ImageStatus status = image_source_open(data, size, info, cut ? info->width : way->width,
										   cut ? info->height : way->height, &way->work,
										   &way->source, error);

	if (status == IMAGE_OK)
	{
		way->source->ground.level = level;
		if (cut)
			way->source->height = way->info->height;
		status = convert(way, prepared, error);
	}
	end_way(way, prepared);
	return status;
}

/* From the bytes to those of a JPEG; the sides to come out are in *prepared. */
static ImageStatus
remake(const uint8_t *data, size_t size, Way *way, ImagePrepared *prepared, ImageError *error)
{
	bool		turned = prepared->source.orientation >= 5;
	ImageStatus status;

	way->width = turned ? prepared->height : prepared->width;
	way->height = turned ? prepared->width : prepared->height;
	if (suits_planes(&prepared->source, way))
	{
		bool		done;

		status = image_planes_prepare(data, size, way->width, way->height,
									  prepared->source.orientation, &way->work, prepared, &done,
									  error);
		if (done)
			return status;
	}
	status = convert_on(data, size, GROUND_WHITE, way, prepared, error);
	if (status != IMAGE_OK || image_ground_is_bare(&way->ground) ||
		!image_ground_hides(&way->ground))
		return status;
	image_prepared_free(prepared);
	return convert_on(data, size, GROUND_DARK, way, prepared, error);
}

/* Decodes all rows, at a scale that leaves at least these sides, only to look at them. */
static ImageStatus
look(const uint8_t *data, size_t size, int width, int height, Way *way, ImagePrepared *prepared,
	 ImageError *error)
{
	ImageStatus status = image_source_open(data, size, way->info, width, height, &way->work,
										   &way->source, error);

	if (status == IMAGE_OK)
	{
		way->width = way->source->width;
		way->height = way->source->height;
		status = begin_look(way, error);
	}
	if (status == IMAGE_OK)
		status = send_rows(way, NULL, error);
	end_way(way, prepared);
	return status;
}

/*
 * The bytes go as they are, but no damaged ones.  What is blank at a smaller scale may
 * have had fine lines.
 */
static ImageStatus
pass(const uint8_t *data, size_t size, Way *way, ImagePrepared *prepared, ImageError *error)
{
	ImageStatus status = look(data, size, LOOK_SIDE, LOOK_SIDE, way, prepared, error);

	if (status == IMAGE_OK && prepared->blank && way->width < way->info->width)
		status = look(data, size, way->info->width, way->info->height, way, prepared, error);
	prepared->passed_through = status == IMAGE_OK;
	prepared->size = size;
	return status;
}

static ImageStatus
prepare_checked(const uint8_t *data, size_t size, const ImageFit *fit, ImagePrepared *prepared,
				ImageError *error)
{
	ImageInfo	shown = cut_to_rows(&prepared->source);
	Way			way = {.info = &shown};
	bool		shrinks;
	ImageStatus status = image_fit_sides(&shown, fit, &shrinks, &prepared->width,
										 &prepared->height, error);

	if (status != IMAGE_OK)
		return status;
	image_work_begin(&way.work, fit);
	if (!shrinks && may_pass(&shown, size))
		return pass(data, size, &way, prepared, error);
	return remake(data, size, &way, prepared, error);
}

ImageStatus
image_prepare(const uint8_t *data, size_t size, const ImageFit *fit, ImagePrepared *prepared,
			  ImageError *error)
{
	ImageStatus status;

	memset(prepared, 0, sizeof(*prepared));
	status = image_info(data, size, &prepared->source, error);
	if (status == IMAGE_OK)
		status = image_check(&prepared->source, size, &fit->limits, error);
	if (status == IMAGE_OK)
		status = prepare_checked(data, size, fit, prepared, error);
	if (status != IMAGE_OK || !prepared->blank || !fit->refuse_blank)
		return status;
	image_prepared_free(prepared);
	return image_fail(error, IMAGE_BLANK, "nothing is to be seen: all of it is of one colour");
}

void
image_prepared_free(ImagePrepared *prepared)
{
	free(prepared->data);
	prepared->data = NULL;
}
