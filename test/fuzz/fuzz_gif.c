/*
 * fuzz_gif.c
 *	  Arbitrary bytes as a GIF.
 */
#include "picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_picture(data, size, IMAGE_FORMAT_GIF);
}
