/*
 * jpeg.h
 *	  What reading and writing a JPEG share: how libjpeg calls back.
 *
 * libjpeg reports errors by not returning.  Each function that calls it sets the
 * place to come back to, so that no jump leaves its file; none of them holds anything
 * that only a local variable knows.
 */
#ifndef LLAVA_IMAGE_JPEG_H
#define LLAVA_IMAGE_JPEG_H

#include "private.h"

#include <stdio.h>

#include <jpeglib.h>
#include <setjmp.h>

/* What both directions share; libjpeg objects carry it as client_data. */
typedef struct JpegCalls
{
	struct jpeg_error_mgr manager;
	jmp_buf		back;
	ImageWork  *work;			/* NULL while rows are only counted */
	bool		at_end;			/* of the file, as far as bytes were read */
	ImageError	error;			/* why the jump was made */
} JpegCalls;

#define jump_back(calls, ...) \
	do { \
		image_fail(&(calls)->error, __VA_ARGS__); \
		longjmp((calls)->back, 1); \
	} while (0)

/* Readies calls for a picture; libjpeg's cinfo->err is the result. */
extern struct jpeg_error_mgr *image_jpeg_set_up(JpegCalls *calls, ImageWork *work);

/* Called for every row of blocks, also while a picture of many scans is gathered. */
extern void image_jpeg_on_progress(j_common_ptr cinfo);

/* Hands over why the jump was made. */
extern ImageStatus image_jpeg_failure(const JpegCalls *calls, ImageError *error);

/*
 * The fewest eighths that leave half as much again as the target: what a smaller
 * transform gives is blurred, and text with it.  5, 6 and 7 have no SIMD code and are
 * slower than 8.
 */
extern unsigned image_jpeg_eighths(const struct jpeg_decompress_struct *cinfo, int min_width,
								   int min_height);

#endif							/* LLAVA_IMAGE_JPEG_H */
