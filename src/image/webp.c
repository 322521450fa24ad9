/*
 * webp.c
 *	  WebP through libwebp, on white; no films.
 *
 * The data is given in pieces, so that the work can be stopped between them, and a
 * picture that will shrink to less than half is scaled while it is decoded.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>

#include <webp/decode.h>

/* About as many pixels as are decoded in 2 ms. */
#define PIECE_PIXELS 100000

typedef struct WebpReader
{
	ImageSource source;			/* first: what the caller holds */
	WebPDecoderConfig config;	/* its output buffer holds RGB or RGBA */
	const uint8_t *data;
	size_t		size;
	int			rows;			/* that were there */
	int			y;
} WebpReader;

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	WebpReader *reader = (WebpReader *) source;
	const WebPRGBABuffer *buffer = &reader->config.output.u.RGBA;
	int			y = reader->y++;
	const uint8_t *from = buffer->rgba + (size_t) y * (size_t) buffer->stride;

	if (y >= reader->rows)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends at %d %%",
						  (int) ((int64_t) y * 100 / source->height));
	if (reader->config.output.colorspace == MODE_RGBA)
		image_flatten(from, row, (size_t) source->width, 3);
	else
		memcpy(row, from, (size_t) source->width * 3);
	return IMAGE_OK;
}

static void
close_reader(ImageSource *source)
{
	WebpReader *reader = (WebpReader *) source;

	WebPFreeDecBuffer(&reader->config.output);
	free(reader);
}

static ImageStatus
status_of(VP8StatusCode code, ImageError *error)
{
	switch (code)
	{
		case VP8_STATUS_OK:
			return IMAGE_OK;
		case VP8_STATUS_SUSPENDED:
		case VP8_STATUS_NOT_ENOUGH_DATA:
			return image_fail(error, IMAGE_TRUNCATED, "WebP ends early");
		case VP8_STATUS_OUT_OF_MEMORY:
			return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
		case VP8_STATUS_UNSUPPORTED_FEATURE:
			return image_fail(error, IMAGE_UNSUPPORTED, "WebP has an unsupported feature");
		default:
			return image_fail(error, IMAGE_BROKEN, "WebP is broken");
	}
}

static ImageStatus
decode(WebpReader *reader, ImageWork *work, ImageError *error)
{
	size_t		pixels = (size_t) reader->source.width * (size_t) reader->source.height;
	size_t		piece = reader->size / (pixels / PIECE_PIXELS + 1) + 1;
	WebPIDecoder *decoder = WebPIDecode(NULL, 0, &reader->config);
	VP8StatusCode code = VP8_STATUS_SUSPENDED;
	ImageStatus status;

	if (decoder == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
	for (size_t have = 0; have < reader->size && code == VP8_STATUS_SUSPENDED;)
	{
		have = reader->size - have < piece ? reader->size : have + piece;
		status = image_poll(work, error);
		if (status != IMAGE_OK)
		{
			WebPIDelete(decoder);
			return status;
		}
		code = WebPIUpdate(decoder, reader->data, have);
	}
	/* of a file cut behind its header the rows that came are used */
	reader->rows = reader->config.output.height;
	if (code == VP8_STATUS_SUSPENDED &&
		WebPIDecodedArea(decoder, NULL, NULL, NULL, &reader->rows) != NULL &&
		reader->config.output.height > 0)
		code = VP8_STATUS_OK;
	WebPIDelete(decoder);
	return status_of(code, error);
}

/* Sides to decode at: twice the target where that is fewer pixels by far. */
static void
choose_scale(WebpReader *reader, int min_width, int min_height)
{
	WebPDecoderOptions *options = &reader->config.options;

	if (reader->source.width / 3 < min_width || reader->source.height / 3 < min_height)
		return;
	options->use_scaling = 1;
	options->scaled_width = min_width * 2;
	options->scaled_height = min_height * 2;
}

/* From the container's facts to decoded rows. */
static ImageStatus
start_reader(WebpReader *reader, int min_width, int min_height, ImageWork *work,
			 ImageError *error)
{
	WebPBitstreamFeatures *features = &reader->config.input;
	ImageInfo	info = {0};
	ImageStatus status = image_webp_info(reader->data, reader->size, &info, error);

	if (status != IMAGE_OK)
		return status;
	if (!WebPInitDecoderConfig(&reader->config))
		return image_fail(error, IMAGE_UNSUPPORTED, "libwebp is of another version");
	status = status_of(WebPGetFeatures(reader->data, reader->size, features), error);
	if (status != IMAGE_OK)
		return status;
	/* what was held against the limits must be what is decoded */
	if (features->width != info.width || features->height != info.height)
		return image_fail(error, IMAGE_BROKEN, "WebP contradicts itself about its sides");
	reader->source.width = info.width;
	reader->source.height = info.height;
	reader->source.channels = 3;
	choose_scale(reader, min_width, min_height);
	reader->config.output.colorspace = features->has_alpha ? MODE_RGBA : MODE_RGB;
	status = decode(reader, work, error);
	if (status == IMAGE_OK)
	{
		reader->source.width = reader->config.output.width;
		reader->source.height = reader->config.output.height;
	}
	return status;
}

ImageStatus
image_webp_open(const uint8_t *data, size_t size, int min_width, int min_height,
				ImageWork *work, ImageSource **source, ImageError *error)
{
	WebpReader *reader = calloc(1, sizeof(WebpReader));
	ImageStatus status;

	if (reader == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
	reader->source.read = read_row;
	reader->source.close = close_reader;
	reader->data = data;
	reader->size = size;
	status = start_reader(reader, min_width, min_height, work, error);
	if (status != IMAGE_OK)
	{
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}
