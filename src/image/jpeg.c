/*
 * jpeg.c
 *	  What libjpeg-turbo calls while it reads or writes.
 */
#include "jpeg.h"

#include <jerror.h>

static void
on_error(j_common_ptr cinfo)
{
	JpegCalls  *calls = cinfo->client_data;
	char		message[JMSG_LENGTH_MAX];

	if (cinfo->err->msg_code == JERR_OUT_OF_MEMORY)
		jump_back(calls, IMAGE_NO_MEMORY, "no memory for a JPEG");
	cinfo->err->format_message(cinfo, message);
	jump_back(calls, IMAGE_BROKEN, "JPEG is broken: %.100s", message);
}

/* Rows of the picture that came whole, in hundredths. */
static int
percent_read(const struct jpeg_decompress_struct *cinfo)
{
	if (cinfo->output_height == 0)
		return 0;
	return (int) ((int64_t) cinfo->output_scanline * 100 / cinfo->output_height);
}

/* Whether the picture comes in several scans, each of all its rows. */
static bool
in_scans(const struct jpeg_decompress_struct *cinfo)
{
	return cinfo->progressive_mode || cinfo->comps_in_scan < cinfo->num_components;
}

/*
 * libjpeg goes on with grey where data is missing or wrong.  A picture that is part
 * grey must not be asked about: what costs pixels ends the decoding, the rest (bytes
 * too many, odd versions) does not matter.
 */
static void
on_message(j_common_ptr cinfo, int level)
{
	JpegCalls  *calls = cinfo->client_data;

	if (level >= 0)
		return;
	switch (cinfo->err->msg_code)
	{
		case JWRN_JPEG_EOF:
		case JWRN_HIT_MARKER:
			if (in_scans((j_decompress_ptr) cinfo))
				jump_back(calls, IMAGE_TRUNCATED, "JPEG ends early: a scan is cut");
			jump_back(calls, IMAGE_TRUNCATED, "JPEG ends at %d %%",
					  percent_read((j_decompress_ptr) cinfo));
		case JWRN_HUFF_BAD_CODE:
		case JWRN_MUST_RESYNC:
			jump_back(calls, IMAGE_BROKEN, "JPEG is damaged at %d %%",
					  percent_read((j_decompress_ptr) cinfo));
	}
}

void
image_jpeg_on_progress(j_common_ptr cinfo)
{
	JpegCalls  *calls = cinfo->client_data;
	int			scan = ((j_decompress_ptr) cinfo)->input_scan_number;
	int			max_scans;

	if (calls->work == NULL)
		return;
	max_scans = calls->work->fit->limits.max_scans;
	if (max_scans > 0 && scan > max_scans)
		jump_back(calls, IMAGE_TOO_LARGE, "JPEG of over %d scans", max_scans);
	if (image_poll(calls->work, &calls->error) != IMAGE_OK)
		longjmp(calls->back, 1);
}

struct jpeg_error_mgr *
image_jpeg_set_up(JpegCalls *calls, ImageWork *work)
{
	jpeg_std_error(&calls->manager);
	calls->manager.error_exit = on_error;
	calls->manager.emit_message = on_message;
	calls->work = work;
	return &calls->manager;
}

ImageStatus
image_jpeg_failure(const JpegCalls *calls, ImageError *error)
{
	if (error != NULL)
		*error = calls->error;
	return calls->error.status;
}
