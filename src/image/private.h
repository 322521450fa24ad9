/*
 * private.h
 *	  What the files of src/image share.
 */
#ifndef LLAVA_IMAGE_PRIVATE_H
#define LLAVA_IMAGE_PRIVATE_H

#include "image.h"

/* Rows of RGB, 8 bits, upright or not; malloc. */
typedef struct Pixels
{
	uint8_t    *rgb;
	int			width;
	int			height;
} Pixels;

/* Fills the error and returns its status. */
extern ImageStatus image_fail(ImageError *error, ImageStatus status, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Share of a JPEG's rows that can be decoded; for files without an end marker. */
extern double jpeg_present(const uint8_t *data, size_t size);

/* Decoders.  jpeg_decode decodes at the smallest scale of 1, 2, 4, 8 eighths that
 * covers width x height (as stored).  Alpha is flattened on white. */
extern ImageStatus jpeg_decode(const uint8_t *data, size_t size, int width, int height,
							   const ImageFit *fit, Pixels *pixels, ImageError *error);
extern ImageStatus png_decode(const uint8_t *data, size_t size, const ImageFit *fit,
							  Pixels *pixels, ImageError *error);
extern ImageStatus webp_decode(const uint8_t *data, size_t size, const ImageFit *fit,
							   Pixels *pixels, ImageError *error);
extern ImageStatus gif_decode(const uint8_t *data, size_t size, const ImageFit *fit,
							  Pixels *pixels, ImageError *error);

extern ImageStatus jpeg_encode(const Pixels *pixels, const ImageFit *fit,
							   uint8_t **data, size_t *size, ImageError *error);

/* Area-weighted downscaling (box), bilinear where a side grows. */
extern ImageStatus pixels_resize(const Pixels *from, Pixels *to, const ImageFit *fit,
								 ImageError *error);

/* Turned as EXIF orientation says; from is freed. */
extern ImageStatus pixels_orient(Pixels *pixels, int orientation, ImageError *error);

/* malloc'd room for width x height; false: no memory. */
extern bool pixels_new(Pixels *pixels, int width, int height);

static inline bool
image_stopped(const ImageFit *fit)
{
	return fit->stop != NULL && fit->stop(fit->stop_arg);
}

#endif							/* LLAVA_IMAGE_PRIVATE_H */
