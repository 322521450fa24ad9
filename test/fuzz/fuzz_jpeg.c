/*
 * fuzz_jpeg.c
 *	  Arbitrary bytes as a JPEG.
 */
#include "picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_picture(data, size, IMAGE_FORMAT_JPEG);
}
