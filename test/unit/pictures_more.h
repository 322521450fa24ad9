/*
 * pictures_more.h
 *	  Pictures that their formats' libraries do not write: films, files that are put
 *	  together by hand, AVIF of every kind.
 */
#ifndef LLAVA_TEST_PICTURES_MORE_H
#define LLAVA_TEST_PICTURES_MORE_H

#include "pictures.h"

#ifdef LLAVA_WITH_AVIF
#include <avif/avif.h>
#endif

static inline void
add_bytes(Bytes *bytes, const void *data, size_t size)
{
	if (size == 0)
		return;
	bytes->data = realloc(bytes->data, bytes->size + size);
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static inline Bytes
copy_of(Bytes bytes, size_t size)
{
	Bytes		copy = {malloc(size > 0 ? size : 1), size};

	memcpy(copy.data, bytes.data, size);
	return copy;
}

static inline void
put_le(uint8_t *p, unsigned value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t) (value >> (8 * i));
}

static inline void
put_be(uint8_t *p, unsigned value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t) (value >> (8 * (bytes - 1 - i)));
}

/* The same picture with another's look, so that frames can be told apart. */
static inline Picture
negative_of(const Picture *from)
{
	Picture		to = picture_new(from->width, from->height, from->channels);

	for (int i = 0; i < from->width * from->height * from->channels; i++)
		to.samples[i] = (uint8_t) (255 - from->samples[i]);
	return to;
}

/* ---- PNG ---- */

/* ISO 15948, annex D */
static inline unsigned
png_check_sum(const uint8_t *data, size_t size)
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

static inline void
add_chunk(Bytes *png, const char *type, const void *body, size_t size)
{
	uint8_t		number[4];
	size_t		from;

	put_be(number, (unsigned) size, 4);
	add_bytes(png, number, 4);
	from = png->size;
	add_bytes(png, type, 4);
	add_bytes(png, body, size);
	put_be(number, png_check_sum(png->data + from, size + 4), 4);
	add_bytes(png, number, 4);
}

/* Where the chunk of that type begins; its length field. */
static inline size_t
chunk_at(Bytes png, const char *type)
{
	size_t		at = 8;

	while (memcmp(png.data + at + 4, type, 4) != 0)
		at += 12 + ((size_t) png.data[at] << 24 | (size_t) png.data[at + 1] << 16 |
					(size_t) png.data[at + 2] << 8 | png.data[at + 3]);
	return at;
}

/* A still PNG with a chunk before its data. */
static inline Bytes
png_with_chunk(Bytes png, const char *type, const void *body, size_t size)
{
	size_t		at = chunk_at(png, "IDAT");
	Bytes		made = copy_of(png, at);

	add_chunk(&made, type, body, size);
	add_bytes(&made, png.data + at, png.size - at);
	free(png.data);
	return made;
}

/* An animated PNG of so many frames like the still one's, which is the first. */
static inline Bytes
png_film(Bytes png, int frames)
{
	size_t		from = chunk_at(png, "IDAT");
	size_t		end = chunk_at(png, "IEND");
	uint8_t		counts[8] = {0};
	uint8_t		control[26] = {0};
	Bytes		made = copy_of(png, from);
	unsigned	sequence = 0;

	put_be(counts, (unsigned) frames, 4);
	add_chunk(&made, "acTL", counts, sizeof(counts));
	memcpy(control + 4, png.data + 16, 8);
	control[21] = 1;			/* a tenth of a second */
	control[23] = 10;
	for (int i = 0; i < frames; i++)
	{
		put_be(control, sequence++, 4);
		add_chunk(&made, "fcTL", control, sizeof(control));
		for (size_t at = from; at < end;)
		{
			size_t		length = (size_t) png.data[at] << 24 | (size_t) png.data[at + 1] << 16 |
				(size_t) png.data[at + 2] << 8 | png.data[at + 3];
			Bytes		body = {NULL, 0};
			uint8_t		number[4];

			put_be(number, sequence, 4);
			if (i > 0)
			{
				add_bytes(&body, number, 4);
				sequence++;
			}
			add_bytes(&body, png.data + at + 8, length);
			add_chunk(&made, i == 0 ? "IDAT" : "fdAT", body.data, body.size);
			free(body.data);
			at += 12 + length;
		}
	}
	add_chunk(&made, "IEND", NULL, 0);
	free(png.data);
	return made;
}

/* ---- WebP ---- */

#define WEBP_ALPHA	0x10
#define WEBP_EXIF	0x08
#define WEBP_FILM	0x02

static inline void
add_webp_chunk(Bytes *webp, const char *type, const void *body, size_t size)
{
	uint8_t		length[4];

	put_le(length, (unsigned) size, 4);
	add_bytes(webp, type, 4);
	add_bytes(webp, length, 4);
	add_bytes(webp, body, size);
	if (size & 1)
		add_bytes(webp, "", 1);
}

static inline void
end_webp(Bytes *webp)
{
	put_le(webp->data + 4, (unsigned) webp->size - 8, 4);
}

static inline Bytes
begin_webp(unsigned flags, int width, int height)
{
	Bytes		webp = {NULL, 0};
	uint8_t		body[10] = {0};

	body[0] = (uint8_t) flags;
	put_le(body + 4, (unsigned) width - 1, 3);
	put_le(body + 7, (unsigned) height - 1, 3);
	add_bytes(&webp, "RIFF\0\0\0\0WEBP", 12);
	add_webp_chunk(&webp, "VP8X", body, sizeof(body));
	return webp;
}

/* The chunks of the picture of a still WebP: all, or those behind VP8X. */
static inline Bytes
picture_chunks(Bytes webp)
{
	size_t		from = memcmp(webp.data + 12, "VP8X", 4) == 0 ? 30 : 12;

	return (Bytes) {webp.data + from, webp.size - from};
}

/* A frame on the canvas, at an even place. */
static inline void
add_webp_frame(Bytes *film, Bytes still, int left, int top, int width, int height)
{
	Bytes		body = {NULL, 0};
	Bytes		chunks = picture_chunks(still);
	uint8_t		header[16] = {0};

	put_le(header, (unsigned) left / 2, 3);
	put_le(header + 3, (unsigned) top / 2, 3);
	put_le(header + 6, (unsigned) width - 1, 3);
	put_le(header + 9, (unsigned) height - 1, 3);
	put_le(header + 12, 100, 3);
	add_bytes(&body, header, sizeof(header));
	add_bytes(&body, chunks.data, chunks.size);
	add_webp_chunk(film, "ANMF", body.data, body.size);
	free(body.data);
}

/* frames stills of one size, the first at a place on a canvas that much larger around it. */
static inline Bytes
webp_film(const Bytes *stills, int frames, int width, int height, int left, int top)
{
	Bytes		film = begin_webp(WEBP_FILM | WEBP_ALPHA, width + 2 * left, height + 2 * top);

	add_webp_chunk(&film, "ANIM", "\x80\x40\x20\xff\0\0", 6);
	for (int i = 0; i < frames; i++)
		add_webp_frame(&film, stills[i], left, top, width, height);
	end_webp(&film);
	return film;
}

/* ---- AVIF ---- */

#ifdef LLAVA_WITH_AVIF

typedef struct AvifKind
{
	int			depth;			/* 8 where 0 */
	avifPixelFormat chroma;		/* 4:4:4 where 0 */
	bool		limited;		/* range */
	int			columns;		/* of a grid of such pictures; 1 where 0 */
	int			rows;
	int			frames;			/* of a sequence; 1 where 0 */
	int			quarters;		/* turned against the clock, + 1; none where 0 */
	int			mirror;			/* 1: top and bottom are exchanged; 2: left and right */
	int			quality;		/* 0, the best, to 63 */
} AvifKind;

static inline avifImage *
avif_image(const Picture *picture, AvifKind kind)
{
	avifImage  *image = avifImageCreate(picture->width, picture->height,
										kind.depth == 0 ? 8 : kind.depth,
										kind.chroma == AVIF_PIXEL_FORMAT_NONE ?
										AVIF_PIXEL_FORMAT_YUV444 : kind.chroma);
	bool		alpha = picture->channels % 2 == 0;
	uint8_t    *rgba = malloc((size_t) picture->width * (size_t) picture->height * 4);
	avifRGBImage rgb;

	for (int i = 0; i < picture->width * picture->height; i++)
	{
		const uint8_t *p = picture->samples + i * picture->channels;

		for (int c = 0; c < 3; c++)
			rgba[i * 4 + c] = picture->channels >= 3 ? p[c] : p[0];
		rgba[i * 4 + 3] = alpha ? p[picture->channels - 1] : 255;
	}
	image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
	image->yuvRange = kind.limited ? AVIF_RANGE_LIMITED : AVIF_RANGE_FULL;
	avifRGBImageSetDefaults(&rgb, image);
	rgb.depth = 8;
	rgb.format = AVIF_RGB_FORMAT_RGBA;
	rgb.ignoreAlpha = !alpha;
	rgb.pixels = rgba;
	rgb.rowBytes = (uint32_t) picture->width * 4;
	if (avifImageRGBToYUV(image, &rgb) != AVIF_RESULT_OK)
		abort();
	if (kind.quarters > 0)
	{
		image->transformFlags |= AVIF_TRANSFORM_IROT;
		image->irot.angle = (uint8_t) (kind.quarters - 1);
	}
	if (kind.mirror > 0)
	{
		image->transformFlags |= AVIF_TRANSFORM_IMIR;
#if AVIF_VERSION >= 1000000
		image->imir.axis = (uint8_t) (kind.mirror - 1);
#else
		image->imir.mode = (uint8_t) (kind.mirror - 1);
#endif
	}
	free(rgba);
	return image;
}

/* columns * rows pictures for a grid, or one for each frame. */
static inline Bytes
avif_of(const Picture *pictures, AvifKind kind)
{
	avifEncoder *encoder = avifEncoderCreate();
	avifRWData	data = AVIF_DATA_EMPTY;
	int			cells = (kind.columns > 1 ? kind.columns : 1) * (kind.rows > 1 ? kind.rows : 1);
	int			n = kind.frames > 1 ? kind.frames : cells;
	avifImage  *images[64];
	avifResult	result = AVIF_RESULT_OK;
	Bytes		bytes = {NULL, 0};

	encoder->speed = 10;
	encoder->maxThreads = 1;
	encoder->minQuantizer = encoder->maxQuantizer = kind.quality;
	encoder->minQuantizerAlpha = encoder->maxQuantizerAlpha = 0;
	for (int i = 0; i < n; i++)
		images[i] = avif_image(&pictures[i], kind);
	if (kind.frames > 1)
		for (int i = 0; i < n && result == AVIF_RESULT_OK; i++)
			result = avifEncoderAddImage(encoder, images[i], 1, AVIF_ADD_IMAGE_FLAG_NONE);
	else if (cells > 1)
		result = avifEncoderAddImageGrid(encoder, (uint32_t) kind.columns, (uint32_t) kind.rows,
										 (const avifImage *const *) images, AVIF_ADD_IMAGE_FLAG_SINGLE);
	else
		result = avifEncoderAddImage(encoder, images[0], 1, AVIF_ADD_IMAGE_FLAG_SINGLE);
	if (result != AVIF_RESULT_OK || avifEncoderFinish(encoder, &data) != AVIF_RESULT_OK)
		abort();
	for (int i = 0; i < n; i++)
		avifImageDestroy(images[i]);
	add_bytes(&bytes, data.data, data.size);
	avifRWDataFree(&data);
	avifEncoderDestroy(encoder);
	return bytes;
}

#endif

#endif							/* LLAVA_TEST_PICTURES_MORE_H */
