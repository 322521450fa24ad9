/*
 * picture.h
 *	  Arbitrary bytes as a picture of one format: facts, limits, every row, the JPEG.
 *
 * Included by a target for each format, which says which.  The first byte chooses
 * what is asked; limits are small enough for many runs a second.
 */
#include "image/image.h"
#include "image/private.h"

#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is told of a failure must be there and agree; what is taken must hold. */
static void
expect(bool holds)
{
	if (!holds)
		abort();
}

static ImageFit
fit_of(uint8_t choice)
{
	ImageFit	fit = {.factor = choice & 8 ? 32 : 28,.min_pixels = 3136,.quality = 75};

	fit.max_pixels = choice & 1 ? 28 * 28 * 4 : 1 << 18;
	fit.full_chroma = choice & 2;
	fit.hash = choice & 64;
	fit.refuse_blank = choice & 128;
	fit.limits = (ImageLimits) {.max_bytes = 1 << 20,.min_side = choice & 4 ? 10 : 0,
		.max_side = 4096,.max_pixels = 1 << 18,.max_ratio = 200,.max_scans = 20,
		.max_memory = 4 << 20,.max_avif_pixels = 1 << 18,.max_ms = 5000,.take_cut = choice & 16};
	return fit;
}

/* Every row at a scale that suits the target, as preparation has them. */
static void
read_rows(const uint8_t *data, size_t size, const ImageInfo *info, const ImageFit *fit,
		  bool full)
{
	ImageWork	work;
	ImageError	error = {IMAGE_OK, ""};
	ImageSource *source = NULL;
	ImageStatus status;
	uint8_t    *row;

	image_work_begin(&work, fit);
	status = image_source_open(data, size, info, full ? info->width : 28, full ? info->height : 28,
							   &work, &source, &error);
	if (status != IMAGE_OK)
	{
		expect(error.status == status && error.message[0] != '\0');
		return;
	}
	expect(source->width > 0 && source->width <= info->width && source->height > 0 &&
		   source->height <= info->height);
	expect(!full || (source->width == info->width && source->height == info->height));
	row = malloc((size_t) source->width * (size_t) source->channels);
	for (int y = 0; y < source->height && status == IMAGE_OK; y++)
		status = source->read(source, row, &error);
	expect(status == IMAGE_OK || (error.status == status && error.message[0] != '\0'));
	free(row);
	source->close(source);
}

static void
prepare(const uint8_t *data, size_t size, const ImageFit *fit, bool refused)
{
	ImagePrepared prepared;
	ImageError	error = {IMAGE_OK, ""};
	ImageStatus status = image_prepare(data, size, fit, &prepared, &error);

	expect(!refused || status != IMAGE_OK);
	if (status != IMAGE_OK)
	{
		expect(error.status == status && error.message[0] != '\0');
		return;
	}
	expect(!prepared.blank || !fit->refuse_blank);
	if (prepared.passed_through)
		expect(prepared.data == NULL && prepared.size == size);
	else
	{
		ImageInfo	made;

		/* what is sent is a whole JPEG of the sides that were promised */
		expect(image_info(prepared.data, prepared.size, &made, NULL) == IMAGE_OK);
		expect(made.format == IMAGE_FORMAT_JPEG && made.complete && made.orientation == 1);
		expect(made.width == prepared.width && made.height == prepared.height);
	}
	image_prepared_free(&prepared);
}

static int
fuzz_picture(const uint8_t *data, size_t size, ImageFormat format)
{
	ImageFit	fit;
	ImageInfo	info;
	ImageError	error = {IMAGE_OK, ""};
	ImageStatus status;
	bool		refused;
	uint8_t		choice;

	if (size < 1)
		return 0;
	choice = *data++;
	size--;
	fit = fit_of(choice);
	status = image_info(data, size, &info, &error);
	expect(status == IMAGE_OK || (error.status == status && error.message[0] != '\0'));
	if (format != IMAGE_FORMAT_NONE && info.format != format)
		return 0;
	(void) image_tokens(&info, &fit);
	refused = status != IMAGE_OK || image_check(&info, size, &fit.limits, &error) != IMAGE_OK;
	if (format == IMAGE_FORMAT_NONE)
		return 0;
	if (!refused)
		read_rows(data, size, &info, &fit, choice & 32);
	prepare(data, size, &fit, refused);
	return 0;
}
