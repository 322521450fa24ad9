/*
 * info_webp.c
 *	  What the container of a WebP says (RFC 9649), and where its picture lies in it.
 *
 * A still picture is a VP8 or VP8L chunk, perhaps with alpha in a chunk before it;
 * behind VP8X there may be others around it.  An animated one has a list of frames,
 * each with such chunks within it and a rectangle on the canvas.
 */
#include "private.h"

#include <string.h>

#define FLAG_ANIMATION	0x02
#define FLAG_ALPHA		0x10
#define MIN_SIZE		30		/* RIFF header and the longest first header */
#define VP8X_END		30
#define FRAME_HEADER	16		/* of ANMF, before the frame's own chunks */

/*
 * What libwebp keeps of a pixel: the result, and a lossless picture's own.  Alpha beside
 * a lossy picture is a plane, and while it is read either numbers of its palette or a
 * lossless picture.
 */
#define LOSSY_BYTES			4
#define LOSSLESS_BYTES		8
#define ALPHA_BYTES			1
#define ALPHA_PALETTE_BYTES	2
#define ALPHA_PLAIN_BYTES	5

/* A chunk's type and its body, as far as it is there. */
typedef struct Chunk
{
	const uint8_t *type;
	const uint8_t *body;
	size_t		length;			/* of the body, as announced */
	size_t		there;			/* of it */
} Chunk;

/* The next chunk between at and the end, and at behind it; false: there is no other. */
static bool
next_chunk(const uint8_t **at, const uint8_t *end, Chunk *chunk)
{
	size_t		left = (size_t) (end - *at);

	if (left < 8)
		return false;
	chunk->type = *at;
	chunk->body = *at + 8;
	chunk->length = le32(*at + 4);
	chunk->there = chunk->length < left - 8 ? chunk->length : left - 8;
	*at = chunk->body + chunk->there;
	/* a body of odd length is padded */
	if (chunk->there & 1 && *at < end)
		*at += 1;
	return true;
}

static bool
has_type(const Chunk *chunk, const char *type)
{
	return memcmp(chunk->type, type, 4) == 0;
}

/* Bytes that reading an alpha chunk takes for each pixel. */
static int64_t
alpha_bytes(const Chunk *chunk)
{
	if (chunk->there < 2 || (chunk->body[0] & 3) == 0)
		return ALPHA_BYTES;
	/* a lossless stream whose first transform is colour indexing */
	return (chunk->body[1] & 7) == 7 ? ALPHA_PALETTE_BYTES : ALPHA_PLAIN_BYTES;
}

/* Sides, alpha and memory of a VP8 or VP8L chunk. */
static ImageStatus
read_bitstream(const Chunk *chunk, ImageInfo *info, WebpFrame *frame, ImageError *error)
{
	const uint8_t *body = chunk->body;
	int64_t		bytes = LOSSY_BYTES;

	if (has_type(chunk, "VP8 ") && chunk->there >= 10)
	{
		if (memcmp(body + 3, "\x9d\x01\x2a", 3) != 0)
			return image_fail(error, IMAGE_BROKEN, "WebP does not begin with a key frame");
		frame->width = (int) (le16(body + 6) & 0x3fff);
		frame->height = (int) (le16(body + 8) & 0x3fff);
	}
	else if (has_type(chunk, "VP8L") && chunk->there >= 5)
	{
		uint32_t	bits = le32(body + 1);

		if (body[0] != 0x2f)
			return image_fail(error, IMAGE_BROKEN, "WebP has no lossless signature");
		frame->width = (int) (bits & 0x3fff) + 1;
		frame->height = (int) (bits >> 14 & 0x3fff) + 1;
		info->channels = bits >> 28 & 1 ? 4 : 3;
		bytes = LOSSLESS_BYTES;
	}
	else
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends before its picture");
	info->memory = (int64_t) frame->width * frame->height * bytes;
	frame->whole = chunk->there == chunk->length;
	return IMAGE_OK;
}

/*
 * The first picture among the chunks from data to end.  Where there is alpha beside it
 * libwebp is given both, from there on.
 */
static ImageStatus
find_picture(const uint8_t *data, const uint8_t *end, ImageInfo *info, WebpFrame *frame,
			 ImageError *error)
{
	const uint8_t *at = data;
	const uint8_t *from = NULL;
	int64_t		bytes = 0;
	Chunk		chunk;

	while (next_chunk(&at, end, &chunk))
	{
		ImageStatus status;

		if (has_type(&chunk, "ALPH") && from == NULL)
		{
			from = chunk.type;
			bytes = alpha_bytes(&chunk);
			continue;
		}
		if (!has_type(&chunk, "VP8 ") && !has_type(&chunk, "VP8L"))
			continue;
		status = read_bitstream(&chunk, info, frame, error);
		if (status != IMAGE_OK)
			return status;
		if (has_type(&chunk, "VP8L"))
			from = NULL;		/* has its own alpha */
		else if (from != NULL)
			info->channels = 4;
		frame->data = from != NULL ? from : chunk.type;
		frame->size = (size_t) (chunk.body + chunk.there - frame->data);
		if (from != NULL)
			info->memory += (int64_t) frame->width * frame->height * bytes;
		return IMAGE_OK;
	}
	return image_fail(error, IMAGE_TRUNCATED, "WebP ends before its picture");
}

/* The rectangle of an animation's first frame must lie on the canvas. */
static ImageStatus
read_frame(const Chunk *chunk, ImageInfo *info, WebpFrame *frame, ImageError *error)
{
	const uint8_t *body = chunk->body;
	int			width;
	int			height;
	ImageStatus status;

	if (chunk->there < FRAME_HEADER)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends before its picture");
	frame->placed = true;
	frame->left = 2 * (int) le24(body);
	frame->top = 2 * (int) le24(body + 3);
	width = (int) le24(body + 6) + 1;
	height = (int) le24(body + 9) + 1;
	if (frame->left + width > info->width || frame->top + height > info->height)
		return image_fail(error, IMAGE_BROKEN, "WebP has a frame beyond its canvas");
	status = find_picture(body + FRAME_HEADER, body + chunk->there, info, frame, error);
	if (status == IMAGE_OK && (frame->width != width || frame->height != height))
		return image_fail(error, IMAGE_BROKEN, "WebP contradicts itself about its sides");
	return status;
}

static int
count_frames(const uint8_t *at, const uint8_t *end)
{
	Chunk		chunk;
	int			frames = 0;

	while (next_chunk(&at, end, &chunk))
		frames += has_type(&chunk, "ANMF");
	return frames;
}

static ImageStatus
read_animation(const uint8_t *data, const uint8_t *end, ImageInfo *info, WebpFrame *frame,
			   ImageError *error)
{
	const uint8_t *at = data;
	Chunk		chunk;

	info->animated = count_frames(data, end) > 1;
	while (next_chunk(&at, end, &chunk))
		if (has_type(&chunk, "ANMF"))
			return read_frame(&chunk, info, frame, error);
	return image_fail(error, IMAGE_TRUNCATED, "WebP ends before its first frame");
}

/* Without VP8X the picture is the only chunk, and all that there is. */
static ImageStatus
read_simple(const uint8_t *data, const uint8_t *end, ImageInfo *info, WebpFrame *frame,
			ImageError *error)
{
	const uint8_t *at = data;
	Chunk		chunk;
	ImageStatus status;

	if (!next_chunk(&at, end, &chunk) || (!has_type(&chunk, "VP8 ") && !has_type(&chunk, "VP8L")))
		return image_fail(error, IMAGE_BROKEN, "WebP has no picture");
	status = find_picture(data, end, info, frame, error);
	info->width = frame->width;
	info->height = frame->height;
	return status;
}

/* Orientation, from the chunks behind VP8X. */
static void
read_exif(const uint8_t *at, const uint8_t *end, ImageInfo *info)
{
	Chunk		chunk;

	while (next_chunk(&at, end, &chunk))
		if (has_type(&chunk, "EXIF") && chunk.there == chunk.length)
			info->orientation = image_exif_orientation(chunk.body, chunk.length);
}

/* The canvas and what stands on it. */
static ImageStatus
read_extended(const uint8_t *data, const uint8_t *end, ImageInfo *info, WebpFrame *frame,
			  ImageError *error)
{
	unsigned	flags = data[20];
	ImageStatus status;

	info->width = (int) le24(data + 24) + 1;
	info->height = (int) le24(data + 27) + 1;
	read_exif(data + VP8X_END, end, info);
	if (flags & FLAG_ANIMATION)
		status = read_animation(data + VP8X_END, end, info, frame, error);
	else
		status = find_picture(data + VP8X_END, end, info, frame, error);
	if (flags & FLAG_ALPHA)
		info->channels = 4;
	return status;
}

ImageStatus
image_webp_info(const uint8_t *data, size_t size, ImageInfo *info, WebpFrame *frame,
				ImageError *error)
{
	ImageStatus status;

	memset(frame, 0, sizeof(*frame));
	if (size < MIN_SIZE)
		return image_fail(error, IMAGE_TRUNCATED, "WebP ends in its header");
	info->channels = 3;
	info->bits = 8;
	if (memcmp(data + 12, "VP8X", 4) == 0)
		status = read_extended(data, data + size, info, frame, error);
	else
		status = read_simple(data + 12, data + size, info, frame, error);
	/* the padding byte behind an odd last chunk is often left out */
	info->complete = frame->whole && (uint64_t) le32(data + 4) + 8 <= (uint64_t) size + 1;
	if (frame->whole)
		info->rows = info->height;
	return status;
}
