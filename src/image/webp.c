/*
 * webp.c
 *	  WebP through libwebp, on its ground; of an animated one the first frame.
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
	WebpFrame	frame;
	int			rows;			/* of the frame that were there */
	int			y;
} WebpReader;

static ImageStatus
read_row(ImageSource *source, uint8_t *row, ImageError *error)
{
	WebpReader *reader = (WebpReader *) source;
	const WebPDecBuffer *output = &reader->config.output;
	const WebPRGBABuffer *buffer = &output->u.RGBA;
	int			y = reader->y - reader->frame.top;
	const uint8_t *from;

	if (output->width < source->width || output->height < source->height)
	{
		memset(row, source->ground.level, (size_t) source->width * 3);
		source->ground.shows = true;
	}
	reader->y++;
	if (y < 0 || y >= output->height)
		return IMAGE_OK;
	if (y >= reader->rows)
		return image_fail_cut(error, IMAGE_FORMAT_WEBP, reader->frame.top + y, source->height);
	from = buffer->rgba + (size_t) y * (size_t) buffer->stride;
	row += (size_t) reader->frame.left * 3;
	if (output->colorspace == MODE_RGBA)
		image_flatten(from, row, (size_t) output->width, 3, &source->ground);
	else
	{
		memcpy(row, from, (size_t) output->width * 3);
		for (int x = 0; x < output->width && source->ground.shows; x++, row += 3)
			ground_cover(&source->ground, row[0], row[1], row[2]);
	}
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
			return image_fail_cut(error, IMAGE_FORMAT_WEBP, 0, 0);
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
	size_t		pixels = (size_t) reader->frame.width * (size_t) reader->frame.height;
	size_t		size = reader->frame.size;
	size_t		piece = size / (pixels / PIECE_PIXELS + 1) + 1;
	WebPIDecoder *decoder = WebPIDecode(NULL, 0, &reader->config);
	VP8StatusCode code = VP8_STATUS_SUSPENDED;
	ImageStatus status;

	if (decoder == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
	for (size_t have = 0; have < size && code == VP8_STATUS_SUSPENDED;)
	{
		have = size - have < piece ? size : have + piece;
		status = image_poll(work, error);
		if (status != IMAGE_OK)
		{
			WebPIDelete(decoder);
			return status;
		}
		code = WebPIUpdate(decoder, reader->frame.data, have);
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

/*
 * Sides to decode at: twice the target where that is fewer pixels by far.  A frame that
 * is less than its canvas keeps its sides, so that it stays in its place.
 */
static void
choose_scale(WebpReader *reader, int min_width, int min_height)
{
	WebPDecoderOptions *options = &reader->config.options;
	const WebpFrame *frame = &reader->frame;

	if (frame->width != reader->source.width || frame->height != reader->source.height ||
		frame->width / 3 < min_width || frame->height / 3 < min_height)
		return;
	options->use_scaling = 1;
	options->scaled_width = min_width * 2;
	options->scaled_height = min_height * 2;
}

/* What was held against the limits must be what is decoded. */
static ImageStatus
check_sides(const WebpReader *reader, const ImageInfo *info, ImageError *error)
{
	const WebPBitstreamFeatures *features = &reader->config.input;
	const WebpFrame *frame = &reader->frame;

	if (features->width == frame->width && features->height == frame->height &&
		frame->left + frame->width <= info->width && frame->top + frame->height <= info->height &&
		(frame->placed || (frame->width == info->width && frame->height == info->height)))
		return IMAGE_OK;
	return image_fail(error, IMAGE_BROKEN, "WebP contradicts itself about its sides");
}

/* From the container's facts to decoded rows. */
static ImageStatus
start_reader(WebpReader *reader, const uint8_t *data, size_t size, int min_width, int min_height,
			 ImageWork *work, ImageError *error)
{
	WebPBitstreamFeatures *features = &reader->config.input;
	WebpFrame  *frame = &reader->frame;
	ImageInfo	info = {0};
	ImageStatus status = image_webp_info(data, size, &info, frame, error);

	if (status != IMAGE_OK)
		return status;
	if (!WebPInitDecoderConfig(&reader->config))
		return image_fail(error, IMAGE_UNSUPPORTED, "libwebp is of another version");
	status = status_of(WebPGetFeatures(frame->data, frame->size, features), error);
	if (status == IMAGE_OK)
		status = check_sides(reader, &info, error);
	if (status != IMAGE_OK)
		return status;
	reader->source.width = info.width;
	reader->source.height = info.height;
	reader->source.channels = 3;
	choose_scale(reader, min_width, min_height);
	reader->config.output.colorspace = features->has_alpha ? MODE_RGBA : MODE_RGB;
	status = decode(reader, work, error);
	if (status == IMAGE_OK && reader->config.options.use_scaling)
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
	status = start_reader(reader, data, size, min_width, min_height, work, error);
	if (status != IMAGE_OK)
	{
		close_reader(&reader->source);
		return status;
	}
	*source = &reader->source;
	return IMAGE_OK;
}
