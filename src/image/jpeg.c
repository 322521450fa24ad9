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

/* Rows of the picture at its full scale that came whole. */
static int
rows_read(const struct jpeg_decompress_struct *cinfo)
{
	if (cinfo->output_height == 0)
		return 0;
	return (int) ((int64_t) cinfo->output_scanline * cinfo->image_height / cinfo->output_height);
}

/* Whether the picture comes in several scans, each of all its rows. */
static bool
in_scans(const struct jpeg_decompress_struct *cinfo)
{
	return cinfo->progressive_mode || cinfo->comps_in_scan < cinfo->num_components;
}

static void
end_early(const struct jpeg_decompress_struct *cinfo)
{
	JpegCalls  *calls = cinfo->client_data;

	if (in_scans(cinfo))
		jump_back(calls, IMAGE_TRUNCATED, "JPEG ends early: a scan is cut");
	image_fail_cut(&calls->error, IMAGE_FORMAT_JPEG, rows_read(cinfo), (int) cinfo->image_height);
	longjmp(calls->back, 1);
}

/*
 * libjpeg goes on with grey where data is missing or wrong.  A picture that is part
 * grey must not be sent to a model: what costs pixels ends the decoding, the rest (bytes
 * too many, odd versions) does not matter.  That the file has ended costs none by itself,
 * as the decoder reads ahead: it may be all but the end marker.
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
			calls->at_end = true;
			break;
		case JWRN_HIT_MARKER:
			end_early((j_decompress_ptr) cinfo);
			break;
		case JWRN_HUFF_BAD_CODE:
		case JWRN_MUST_RESYNC:
			if (calls->at_end)
				end_early((j_decompress_ptr) cinfo);
			jump_back(calls, IMAGE_BROKEN, "JPEG is damaged after %d of %d rows",
					  rows_read((j_decompress_ptr) cinfo),
					  (int) ((j_decompress_ptr) cinfo)->image_height);
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
