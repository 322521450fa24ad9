/*
 * fuzz_image.c
 *	  Any bytes through info, check and prepare: a status, in bounded memory.
 */
#include <stdint.h>
#include <stdlib.h>

#include "image/image.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 200000,.quality = 80};
	ImagePrepared prepared;
	ImageError	error;

	fit.limits = image_default_limits;
	fit.limits.max_pixels = 1000000;
	if (image_prepare(data, size, &fit, &prepared, &error) == IMAGE_OK)
	{
		if (prepared.width <= 0 || prepared.height <= 0 ||
			(!prepared.passed_through && (prepared.data == NULL || prepared.size == 0)))
			abort();
		image_prepared_free(&prepared);
	}
	else if (error.message[0] == '\0')
		abort();
	return 0;
}
