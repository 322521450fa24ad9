/*
 * webp.c
 *	  WebP through libwebp, in pieces so that it can be stopped.
 */
#include "private.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>

#define PIECE (64u * 1024)

/* Alpha on white, RGBA to RGB, in place. */
static void
flatten(uint8_t *rgba, size_t n)
{
	uint8_t    *rgb = rgba;

	for (size_t i = 0; i < n; i++, rgba += 4, rgb += 3)
	{
		unsigned	a = rgba[3];
		uint8_t		flat[3];

		for (int c = 0; c < 3; c++)
			flat[c] = (uint8_t) ((rgba[c] * a + 255 * (255 - a) + 127) / 255);
		memcpy(rgb, flat, 3);
	}
}

/* The decoder wants the same buffer again, longer by a piece. */
static ImageStatus
feed(WebPIDecoder *decoder, const uint8_t *data, size_t size, const ImageFit *fit,
	 ImageError *error)
{
	VP8StatusCode code = VP8_STATUS_SUSPENDED;

	for (size_t have = 0; have < size && code == VP8_STATUS_SUSPENDED;)
	{
		have = size - have < PIECE ? size : have + PIECE;
		if (image_stopped(fit))
			return image_fail(error, IMAGE_STOPPED, "stopped");
		code = WebPIUpdate(decoder, data, have);
	}
	if (code == VP8_STATUS_OK)
		return IMAGE_OK;
	if (code == VP8_STATUS_SUSPENDED || code == VP8_STATUS_NOT_ENOUGH_DATA)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends early");
	if (code == VP8_STATUS_OUT_OF_MEMORY)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
	return image_fail(error, IMAGE_BROKEN, "WebP: decoder status %d", (int) code);
}

ImageStatus
webp_decode(const uint8_t *data, size_t size, const ImageFit *fit, Pixels *pixels,
			ImageError *error)
{
	WebPDecoderConfig config;
	WebPIDecoder *decoder;
	ImageStatus status;
	size_t		n;

	memset(pixels, 0, sizeof(*pixels));
	if (!WebPInitDecoderConfig(&config) ||
		WebPGetFeatures(data, size, &config.input) != VP8_STATUS_OK)
		return image_fail(error, IMAGE_BROKEN, "WebP has no valid header");
	if (config.input.has_animation)
		return image_fail(error, IMAGE_UNSUPPORTED, "animated WebP is not supported");
	n = (size_t) config.input.width * (size_t) config.input.height;
	pixels->width = config.input.width;
	pixels->height = config.input.height;
	pixels->rgb = malloc(n * 4);
	if (pixels->rgb == NULL)
		return image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP");
	config.output.colorspace = MODE_RGBA;
	config.output.is_external_memory = 1;
	config.output.u.RGBA.rgba = pixels->rgb;
	config.output.u.RGBA.stride = pixels->width * 4;
	config.output.u.RGBA.size = n * 4;
	decoder = WebPIDecode(NULL, 0, &config);
	status = decoder == NULL ? image_fail(error, IMAGE_NO_MEMORY, "no memory for a WebP") :
		feed(decoder, data, size, fit, error);
	if (decoder != NULL)
		WebPIDelete(decoder);
	if (status == IMAGE_OK)
	{
		flatten(pixels->rgb, n);
		return IMAGE_OK;
	}
	free(pixels->rgb);
	pixels->rgb = NULL;
	return status;
}
