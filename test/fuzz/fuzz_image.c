/*
 * fuzz_image.c
 *	  Arbitrary bytes as a picture: facts, limits, preparation.
 *
 * The first byte chooses what is asked of it.
 */
#include "image/image.h"

#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.quality = 75};
	ImageInfo	info;
	ImagePrepared prepared;
	ImageError	error;
	ImageStatus status;
	bool		refused;

	if (size < 1)
		return 0;
	fit.max_pixels = data[0] & 1 ? 28 * 28 * 4 : 1 << 20;
	fit.full_chroma = data[0] & 2;
	/* limits small enough for many runs a second */
	fit.limits = (ImageLimits) {.max_bytes = 1 << 20,.min_side = data[0] & 4 ? 10 : 0,
		.max_side = 4096,.max_pixels = 1 << 20,.max_ratio = 200,.max_scans = 20};
	data++;
	size--;
	refused = image_info(data, size, &info, &error) != IMAGE_OK ||
		image_check(&info, size, &fit.limits, &error) != IMAGE_OK;
	(void) image_tokens(&info, &fit);
	status = image_prepare(data, size, &fit, &prepared, &error);
	if (refused && status == IMAGE_OK)
		abort();
	if (status == IMAGE_OK)
	{
		if (prepared.passed_through ? prepared.data != NULL : prepared.size == 0)
			abort();
		image_prepared_free(&prepared);
	}
	else if (error.status != status || error.message[0] == '\0')
		abort();
	return 0;
}
