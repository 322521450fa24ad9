/*
 * avif.c
 *	  AVIF through libavif, on its ground; of a sequence the first frame.
 *
 * A build without libavif (make WITH_AVIF=no) knows such files and says why they are not
 * taken.  The picture is decoded in one call, which nothing interrupts and which has one
 * thread: that is why such pictures have a limit of pixels of their own.  To pixels it
 * is converted in bands, since most of its memory would else be that of the result.
 */
#include "private.h"

#ifdef LLAVA_WITH_AVIF

#include <stdlib.h>
#include <string.h>

#include <avif/avif.h>

/* Rows that are converted at once, and those beside them from which chroma is smoothed. */
#define BAND_ROWS	64
#define MARGIN		2

/* A few bytes may announce any number of frames, of each of which libavif keeps a record. */
#define FRAMES_MAX	20000

/* Bytes by which a file may have been longer, for its first frame to be looked for. */
#define MISSING_MAX	(64 << 20)

/* Pixels that the tiles of a grid may have beyond the picture. */
#define TILE_EXTRA	(1 << 20)

/* The most pixels that libavif looks at. */
#define SIZE_LIMIT	AVIF_DEFAULT_IMAGE_SIZE_LIMIT

typedef struct AvifReader
{
	ImageSource source;			/* first: what the caller holds */
	avifDecoder *decoder;
	avifImage  *view;			/* rows of the decoder's image */
	avifRGBImage band;			/* those rows, as RGBA */
	int			band_top;		/* the first row of the band that is wanted */
	int			band_end;		/* and the one behind the last */
	int			skipped;		/* rows of the band before them */
	ImageWork  *work;
	int			y;
} AvifReader;

/* ---- facts ---- */

/* As libavif names it, with what it says beside. */
static ImageStatus
failure(const avifDecoder *decoder, avifResult result, const char *where, ImageError *error)
{
	const char *detail = decoder->diag.error;

	switch (result)
	{
		case AVIF_RESULT_TRUNCATED_DATA:
		case AVIF_RESULT_IO_ERROR:
		case AVIF_RESULT_WAITING_ON_IO:
			return image_fail(error, IMAGE_TRUNCATED, "AVIF ends early, in its %s", where);
		case AVIF_RESULT_OUT_OF_MEMORY:
			return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
		case AVIF_RESULT_NO_CODEC_AVAILABLE:
		case AVIF_RESULT_NOT_IMPLEMENTED:
		case AVIF_RESULT_UNSUPPORTED_DEPTH:
			return image_fail(error, IMAGE_UNSUPPORTED, "AVIF of this kind is not supported: %s",
							  avifResultToString(result));
		default:
			if (strstr(detail, "too large") != NULL)
				return image_fail(error, IMAGE_TOO_LARGE, "AVIF of over %d pixels", SIZE_LIMIT);
			return image_fail(error, IMAGE_BROKEN, "AVIF is broken in its %s: %.40s%s%.60s", where,
							  avifResultToString(result), detail[0] != '\0' ? ", " : "", detail);
	}
}

/* Where the last of the file's boxes ends, perhaps behind the file. */
static uint64_t
boxes_end(const uint8_t *data, size_t size)
{
	size_t		at = 0;

	while (size - at >= 8)
	{
		uint64_t	length = be32(data + at);

		if (length == 1 && size - at >= 16)
			length = (uint64_t) be32(data + at + 8) << 32 | be32(data + at + 12);
		if (length < 8)
			break;				/* 0: to the end of the file; else nonsense */
		if (length > size - at)
			return length < UINT64_MAX - at ? at + length : UINT64_MAX;
		at += (size_t) length;
	}
	return size;
}

/*
 * Reads the boxes; NULL: no memory.  libavif refuses what lies beyond the size that it
 * is told, be it a later frame, and allocates no more than that.
 */
static avifDecoder *
parse(const uint8_t *data, size_t size, avifResult *result)
{
	avifDecoder *decoder = avifDecoderCreate();
	uint64_t	end = boxes_end(data, size);

	if (decoder == NULL)
		return NULL;
	decoder->maxThreads = 1;
	decoder->ignoreExif = AVIF_TRUE;
	decoder->ignoreXMP = AVIF_TRUE;
	decoder->strictFlags = AVIF_STRICT_DISABLED;
	decoder->imageSizeLimit = SIZE_LIMIT;
	decoder->imageDimensionLimit = 0;
	decoder->imageCountLimit = FRAMES_MAX;
	*result = avifDecoderSetIOMemory(decoder, data, size);
	if (*result != AVIF_RESULT_OK)
		return decoder;
	decoder->io->sizeHint = end < size + MISSING_MAX ? end : size + MISSING_MAX;
	*result = avifDecoderParse(decoder);
	return decoder;
}

/*
 * EXIF's number for a turn by quarters against the clock, and a mirror after it
 * (ISO 23008-12, 6.5.10 and 6.5.12).
 */
static int
orientation_of(const avifImage *image)
{
	static const int turned[4] = {1, 8, 3, 6};
	static const int exchanged_sides[4] = {2, 7, 4, 5}; /* left and right */
	static const int exchanged_ends[4] = {4, 5, 2, 7};	/* top and bottom */
	bool		mirrored = image->transformFlags & AVIF_TRANSFORM_IMIR;
	int			quarters = image->transformFlags & AVIF_TRANSFORM_IROT ? image->irot.angle & 3 : 0;

	if (!mirrored)
		return turned[quarters];
#if AVIF_VERSION >= 1000000
	return image->imir.axis == 1 ? exchanged_sides[quarters] : exchanged_ends[quarters];
#else
	return image->imir.mode == 1 ? exchanged_sides[quarters] : exchanged_ends[quarters];
#endif
}

/*
 * The planes, twice: of a grid each tile is copied, and grain is added to a copy.  And
 * what the decoder notes of the blocks, less than a byte a pixel.
 */
static int64_t
memory_of(const avifImage *image, bool alpha)
{
	int64_t		pixels = (int64_t) image->width * image->height;
	int64_t		sixths = alpha ? 6 : 0;

	switch (image->yuvFormat)
	{
		case AVIF_PIXEL_FORMAT_YUV400:
			sixths += 6;
			break;
		case AVIF_PIXEL_FORMAT_YUV420:
			sixths += 9;
			break;
		case AVIF_PIXEL_FORMAT_YUV422:
			sixths += 12;
			break;
		default:
			sixths += 18;
	}
	return pixels * sixths / 6 * (image->depth > 8 ? 2 : 1) * 2 + pixels;
}

/* Whether the first frame's data is there, and what decoding it costs. */
static void
look_at_first_frame(const avifDecoder *decoder, size_t size, ImageInfo *info)
{
	int64_t		bytes = (int64_t) size;
	avifExtent	extent;

	info->rows = 0;
	if (avifDecoderNthImageMaxExtent(decoder, 0, &extent) == AVIF_RESULT_OK &&
		extent.offset <= size && extent.size <= size - extent.offset)
	{
		info->rows = info->height;
		bytes = (int64_t) extent.size;
	}
	info->cost = (int64_t) info->width * info->height + bytes * IMAGE_BYTE_PIXELS;
}

ImageStatus
image_avif_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	avifResult	result = AVIF_RESULT_OK;
	avifDecoder *decoder = parse(data, size, &result);
	bool		whole = boxes_end(data, size) <= size;
	ImageStatus status = IMAGE_OK;

	if (decoder == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
	if (result == AVIF_RESULT_OK)
	{
		const avifImage *image = decoder->image;

		info->width = (int) image->width;
		info->height = (int) image->height;
		info->channels = (image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400 ? 1 : 3) +
			(decoder->alphaPresent ? 1 : 0);
		info->bits = (int) image->depth;
		info->orientation = orientation_of(image);
		info->animated = decoder->imageCount > 1;
		info->memory = memory_of(image, decoder->alphaPresent);
		look_at_first_frame(decoder, size, info);
		info->complete = whole && info->rows > 0;
	}
	else if (!whole && result == AVIF_RESULT_BMFF_PARSE_FAILED)
		status = failure(decoder, AVIF_RESULT_TRUNCATED_DATA, "header", error);
	else
		status = failure(decoder, result, "header", error);
	avifDecoderDestroy(decoder);
	return status;
}

/* ---- rows ---- */

/* Converts the rows from y on. */
static ImageStatus
fill_band(AvifReader *reader, int y, ImageError *error)
{
	const avifImage *image = reader->decoder->image;
	int			top = y > MARGIN ? y - MARGIN : 0;
	int			end = y + BAND_ROWS < (int) image->height ? y + BAND_ROWS : (int) image->height;
	int			bottom = end + MARGIN < (int) image->height ? end + MARGIN : (int) image->height;
	avifCropRect rows = {0, (uint32_t) top, image->width, (uint32_t) (bottom - top)};
	avifResult	result = avifImageSetViewRect(reader->view, image, &rows);

	if (result == AVIF_RESULT_OK)
	{
		reader->band.height = rows.height;
		result = avifImageYUVToRGB(reader->view, &reader->band);
	}
	if (result != AVIF_RESULT_OK)
		return failure(reader->decoder, result, "colours", error);
	reader->band_top = y;
	reader->band_end = end;
	reader->skipped = y - top;
	return IMAGE_OK;
}

/* Grey and alpha out of RGBA, in place. */
static void
keep_grey(uint8_t *pixels, int width)
{
	for (int x = 0; x < width; x++)
	{
		pixels[x * 2] = pixels[x * 4];
		pixels[x * 2 + 1] = pixels[x * 4 + 3];
	}
}

/* Grey or colour out of RGBA that is opaque. */
static void
drop_alpha(const uint8_t *pixels, uint8_t *row, int width, int channels)
{
	if (channels == 1)
		for (int x = 0; x < width; x++)
			row[x] = pixels[x * 4];
	else
		for (int x = 0; x < width; x++, row += 3, pixels += 4)
		{
			row[0] = pixels[0];
			row[1] = pixels[1];
			row[2] = pixels[2];
		}
}

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	AvifReader *reader = (AvifReader *) source;
	uint8_t    *pixels;

	if (reader->y >= reader->band_end)
	{
		ImageStatus status = image_poll(reader->work, error);

		if (status == IMAGE_OK)
			status = fill_band(reader, reader->y, error);
		if (status != IMAGE_OK)
			return status;
	}
	pixels = reader->band.pixels + (size_t) (reader->y - reader->band_top + reader->skipped) *
		reader->band.rowBytes;
	reader->y++;
	if (reader->decoder->image->alphaPlane == NULL)
	{
		drop_alpha(pixels, row, source->width, source->channels);
		return IMAGE_OK;
	}
	if (source->channels == 1)
		keep_grey(pixels, source->width);
	image_flatten(pixels, row, (size_t) source->width, source->channels, &source->ground);
	return IMAGE_OK;
}

static void
close_reader(ImageSource *source)
{
	AvifReader *reader = (AvifReader *) source;

	if (reader->view != NULL)
		avifImageDestroy(reader->view);
	if (reader->decoder != NULL)
		avifDecoderDestroy(reader->decoder);
	free(reader->band.pixels);
	free(reader);
}

/* Room for a band, once the picture has been decoded. */
static ImageStatus
make_band(AvifReader *reader, ImageError *error)
{
	const avifImage *image = reader->decoder->image;
	avifRGBImage *band = &reader->band;

	reader->view = avifImageCreateEmpty();
	if (reader->view == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
	avifRGBImageSetDefaults(band, image);
	band->depth = 8;
	band->format = AVIF_RGB_FORMAT_RGBA;
	band->rowBytes = image->width * 4;
	band->pixels = malloc((size_t) band->rowBytes * (BAND_ROWS + 2 * MARGIN));
	if (band->pixels == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
	return IMAGE_OK;
}

static ImageStatus
start_reader(AvifReader *reader, const uint8_t *data, size_t size, const ImageInfo *info,
			 ImageError *error)
{
	avifResult	result = AVIF_RESULT_OK;
	avifDecoder *decoder = parse(data, size, &result);
	const avifImage *image;
	ImageStatus status;

	if (decoder == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
	reader->decoder = decoder;
	if (result != AVIF_RESULT_OK)
		return failure(decoder, result, "header", error);
	status = image_poll(reader->work, error);
	if (status != IMAGE_OK)
		return status;
	decoder->imageSizeLimit = (uint32_t) ((int64_t) info->width * info->height + TILE_EXTRA);
	result = avifDecoderNextImage(decoder);
	if (result != AVIF_RESULT_OK)
		return failure(decoder, result, "picture", error);
	/* what was held against the limits must be what is decoded */
	image = decoder->image;
	if ((int) image->width != info->width || (int) image->height != info->height ||
		(image->yuvFormat == AVIF_PIXEL_FORMAT_YUV400) != (info->channels <= 2))
		return image_fail(error, IMAGE_BROKEN, "AVIF contradicts itself about its picture");
	reader->source.width = info->width;
	reader->source.height = info->height;
	reader->source.channels = info->channels <= 2 ? 1 : 3;
	return make_band(reader, error);
}

ImageStatus
image_avif_open(const uint8_t *data, size_t size, const ImageInfo *info, ImageWork *work,
				ImageSource **source, ImageError *error)
{
	AvifReader *reader = calloc(1, sizeof(AvifReader));
	ImageStatus status;

	if (reader == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for an AVIF");
	reader->source.read = read_row;
	reader->source.close = close_reader;
	reader->work = work;
	status = start_reader(reader, data, size, info, error);
	if (status != IMAGE_OK)
	{
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}

#else

static ImageStatus
not_built(ImageError *error)
{
	return image_fail(error, IMAGE_UNSUPPORTED,
					  "AVIF is not supported: llava_zh was built without libavif");
}

ImageStatus
image_avif_info(const uint8_t *data, size_t size, ImageInfo *info, ImageError *error)
{
	(void) data;
	(void) size;
	(void) info;
	return not_built(error);
}

ImageStatus
image_avif_open(const uint8_t *data, size_t size, const ImageInfo *info, ImageWork *work,
				ImageSource **source, ImageError *error)
{
	(void) data;
	(void) size;
	(void) info;
	(void) work;
	(void) source;
	return not_built(error);
}

#endif
