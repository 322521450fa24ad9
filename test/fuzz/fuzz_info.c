/*
 * fuzz_info.c
 *	  Arbitrary bytes of any format: facts and limits, no decoding of a whole picture.
 */
#include "picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_picture(data, size, IMAGE_FORMAT_NONE);
}
