/*
 * fuzz_avif.c
 *	  Arbitrary bytes as an AVIF.
 *
 * libavif and dav1d are not instrumented: what is found is what the sanitizers see of
 * their memory, what is said of failures, and what takes too long.
 */
#include "picture.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_picture(data, size, IMAGE_FORMAT_AVIF);
}
