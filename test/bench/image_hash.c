/*
 * image_hash.c
 *	  Hashes of pictures from standard input: each a length of 4 bytes (little end
 *	  first) and so many bytes.  A line each: coarse, fine and colours in hex, or '-'
 *	  where the picture has no hash; '! reason' where it cannot be prepared.
 */
#include "image/image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_hash(const ImageHash *hash)
{
	if (!hash->known)
	{
		puts("-");
		return;
	}
	printf("%016" PRIx64 " ", hash->coarse);
	for (int i = 0; i < IMAGE_FINE_WORDS; i++)
		printf("%016" PRIx64, hash->fine[i]);
	putchar(' ');
	for (int i = 0; i < IMAGE_COLOURS; i++)
		printf("%02x", hash->colours[i]);
	putchar('\n');
}

int
main(void)
{
	ImageFit	fit = {.factor = 28,.min_pixels = 3136,.max_pixels = 1280 * 28 * 28,.quality = 90,.hash = true};
	uint8_t		length[4];

	fit.limits = image_default_limits;
	while (fread(length, 1, 4, stdin) == 4)
	{
		size_t		size = length[0] | length[1] << 8 | length[2] << 16 | (size_t) length[3] << 24;
		uint8_t    *data = malloc(size + 1);
		ImagePrepared prepared;
		ImageError	error;

		if (data == NULL || fread(data, 1, size, stdin) != size)
			return 1;
		if (image_prepare(data, size, &fit, &prepared, &error) == IMAGE_OK)
		{
			print_hash(&prepared.hash);
			image_prepared_free(&prepared);
		}
		else
			printf("! %s\n", error.message);
		fflush(stdout);
		free(data);
	}
	return 0;
}
