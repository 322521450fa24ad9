/*
 * fuzz_png.c
 *	  Arbitrary bytes as a PNG.
 *
 * Most mutations would end at a chunk's check sum: they are put right.
 */
#include "picture.h"

extern size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
extern size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size,
									  unsigned int seed);

/* ISO 15948, annex D */
static uint32_t
check_sum(const uint8_t *data, size_t size)
{
	uint32_t	sum = 0xffffffff;

	for (size_t i = 0; i < size; i++)
	{
		sum ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320 : 0);
	}
	return ~sum;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t		at = 1 + 8;		/* behind the choice and the signature */

	size = LLVMFuzzerMutate(data, size, max_size);
	if (seed % 8 == 0)
		return size;
	while (size > at && size - at >= 12)
	{
		size_t		length = be32(data + at);
		uint32_t	sum;

		if (length > size - at - 12)
			break;
		sum = check_sum(data + at + 4, length + 4);
		for (int i = 0; i < 4; i++)
			data[at + 8 + length + (size_t) i] = (uint8_t) (sum >> (24 - 8 * i));
		at += 12 + length;
	}
	return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_picture(data, size, IMAGE_FORMAT_PNG);
}
