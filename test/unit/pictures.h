/*
 * pictures.h
 *	  Pictures for tests, made by the formats' own libraries.
 */
#ifndef LLAVA_TEST_PICTURES_H
#define LLAVA_TEST_PICTURES_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

/* Rows of 8-bit samples. */
typedef struct Picture
{
	uint8_t    *samples;
	int			width;
	int			height;
	int			channels;
} Picture;

typedef struct Bytes
{
	uint8_t    *data;
	size_t		size;
} Bytes;

static inline Picture
picture_new(int width, int height, int channels)
{
	Picture		picture = {NULL, width, height, channels};

	picture.samples = calloc((size_t) width * (size_t) height, (size_t) channels);
	return picture;
}

static inline uint8_t *
at(const Picture *picture, int x, int y)
{
	return picture->samples +
		((size_t) y * (size_t) picture->width + (size_t) x) * (size_t) picture->channels;
}

/* Smooth, coloured, and different from each of its own turns and mirrors. */
static inline Picture
scene(int width, int height)
{
	Picture		picture = picture_new(width, height, 3);

	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
		{
			double		u = (double) x / width;
			double		v = (double) y / height;
			uint8_t    *p = at(&picture, x, y);
			double		spot = exp(-40 * ((u - 0.25) * (u - 0.25) + (v - 0.2) * (v - 0.2)));

			p[0] = (uint8_t) (20 + 120 * u + 110 * spot);
			p[1] = (uint8_t) (230 - 180 * v);
			p[2] = (uint8_t) (128 + 100 * sin(5 * u + 3 * v * v));
		}
	return picture;
}

/* Grain all over, so that every row of a file takes about as many bytes. */
static inline Picture
grained(Picture picture)
{
	unsigned	seed = 1;

	for (int i = 0; i < picture.width * picture.height * picture.channels; i++)
	{
		int			grain = (int) ((seed = seed * 1103515245 + 12345) >> 27) - 16;
		int			sample = picture.samples[i] + grain;

		picture.samples[i] = (uint8_t) (sample < 0 ? 0 : sample > 255 ? 255 : sample);
	}
	return picture;
}

/* Mean colour of a box; the reference for what shrinking should give. */
static inline Picture
shrunk(const Picture *from, int width, int height)
{
	Picture		to = picture_new(width, height, from->channels);

	for (int y = 0; y < height; y++)
		for (int x = 0; x < width; x++)
			for (int c = 0; c < from->channels; c++)
			{
				int			x0 = (int) ((int64_t) x * from->width / width);
				int			x1 = (int) ((int64_t) (x + 1) * from->width / width);
				int			y0 = (int) ((int64_t) y * from->height / height);
				int			y1 = (int) ((int64_t) (y + 1) * from->height / height);
				int64_t		sum = 0;
				int64_t		n = 0;

				for (int j = y0; j < (y1 > y0 ? y1 : y0 + 1); j++)
					for (int i = x0; i < (x1 > x0 ? x1 : x0 + 1); i++, n++)
						sum += at(from, i, j)[c];
				at(&to, x, y)[c] = (uint8_t) ((sum + n / 2) / n);
			}
	return to;
}

static inline Picture
grey_of(const Picture *from)
{
	Picture		to = picture_new(from->width, from->height, 1);

	for (int i = 0; i < from->width * from->height; i++)
		to.samples[i] = (uint8_t) ((from->samples[i * 3] * 299 + from->samples[i * 3 + 1] * 587 +
									from->samples[i * 3 + 2] * 114 + 500) / 1000);
	return to;
}

/* With an alpha that grows from left to right. */
static inline Picture
with_alpha(const Picture *from)
{
	Picture		to = picture_new(from->width, from->height, from->channels + 1);

	for (int y = 0; y < from->height; y++)
		for (int x = 0; x < from->width; x++)
		{
			memcpy(at(&to, x, y), at(from, x, y), (size_t) from->channels);
			at(&to, x, y)[from->channels] = (uint8_t) (x * 255 / (from->width - 1));
		}
	return to;
}

/* What with_alpha looks like on white paper. */
static inline Picture
on_white(const Picture *from)
{
	int			colours = from->channels - 1;
	Picture		to = picture_new(from->width, from->height, colours);

	for (int y = 0; y < from->height; y++)
		for (int x = 0; x < from->width; x++)
			for (int c = 0; c < colours; c++)
			{
				double		alpha = at(from, x, y)[colours] / 255.0;

				at(&to, x, y)[c] =
					(uint8_t) lround(at(from, x, y)[c] * alpha + 255 * (1 - alpha));
			}
	return to;
}

static inline double
psnr(const Picture *a, const Picture *b)
{
	double		sum = 0;
	size_t		n = (size_t) a->width * (size_t) a->height * (size_t) a->channels;

	if (a->width != b->width || a->height != b->height || a->channels != b->channels)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += (a->samples[i] - b->samples[i]) * (a->samples[i] - b->samples[i]);
	return sum == 0 ? 99 : 10 * log10(255.0 * 255.0 * (double) n / sum);
}

/* ---- JPEG ---- */

typedef struct JpegKind
{
	bool		progressive;
	bool		cmyk;			/* samples are C, M, Y, K as ink, 255 the most */
	bool		ycck;
	bool		adobe;			/* inverted, and says Adobe */
	bool		rgb;			/* no conversion to YCbCr */
	int			orientation;	/* 0: no EXIF */
	int			scans;			/* more than the usual ten, where progressive */
	bool		motorola;		/* EXIF of the other byte order */
	bool		long_exif;		/* EXIF's orientation is of type LONG */
	bool		parts;			/* a scan for each channel, not progressive */
	int			restart;		/* rows of blocks between restart markers */
} JpegKind;

static inline void
write_exif(struct jpeg_compress_struct *cinfo, int orientation, bool motorola, bool is_long)
{
	uint8_t		intel[32] = "Exif\0\0II*\0\10\0\0\0\1\0\22\1\3\0\1\0\0\0";
	uint8_t		other[32] = "Exif\0\0MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0";

	intel[18] = other[19] = is_long ? 4 : 3;
	intel[24] = (uint8_t) orientation;
	other[is_long ? 27 : 25] = (uint8_t) orientation;
	jpeg_write_marker(cinfo, JPEG_APP0 + 1, motorola ? other : intel, 32);
}

static inline void
set_scans(struct jpeg_compress_struct *cinfo, jpeg_scan_info *scans, int n)
{
	/* the usual few, the last of them again and again at the same precision */
	for (int i = 0; i < n; i++)
	{
		jpeg_scan_info scan = {.comps_in_scan = 1,.component_index = {0},.Ss = i + 1,.Se = i + 1};

		if (i == 0)
			scan = (jpeg_scan_info) {.comps_in_scan = 3,.component_index = {0, 1, 2}};
		else
			scan.Ss = scan.Se = (i - 1) % 63 + 1;
		if (i > 63)
			scan.component_index[0] = 1 + (i - 64) / 63;
		scans[i] = scan;
	}
	cinfo->scan_info = scans;
	cinfo->num_scans = n;
}

static inline Bytes
jpeg_of(const Picture *picture, int quality, JpegKind kind)
{
	struct jpeg_compress_struct cinfo;
	struct jpeg_error_mgr errors;
	jpeg_scan_info scans[190];
	unsigned char *data = NULL;
	unsigned long size = 0;
	uint8_t    *row = malloc((size_t) picture->width * (size_t) picture->channels);
	JSAMPROW	line = row;
	size_t		samples = (size_t) picture->width * (size_t) picture->channels;

	memset(&cinfo, 0, sizeof(cinfo));
	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_compress(&cinfo);
	jpeg_mem_dest(&cinfo, &data, &size);
	cinfo.image_width = (JDIMENSION) picture->width;
	cinfo.image_height = (JDIMENSION) picture->height;
	cinfo.input_components = picture->channels;
	cinfo.in_color_space = picture->channels == 1 ? JCS_GRAYSCALE :
		picture->channels == 4 ? JCS_CMYK : JCS_RGB;
	jpeg_set_defaults(&cinfo);
	if (kind.ycck)
		jpeg_set_colorspace(&cinfo, JCS_YCCK);
	if (kind.rgb)
		jpeg_set_colorspace(&cinfo, JCS_RGB);
	jpeg_set_quality(&cinfo, quality, TRUE);
	cinfo.write_Adobe_marker = kind.adobe || kind.ycck;
	if (kind.progressive && kind.scans > 0)
		set_scans(&cinfo, scans, kind.scans);
	else if (kind.progressive)
		jpeg_simple_progression(&cinfo);
	else if (kind.parts)
	{
		for (int i = 0; i < 3; i++)
			scans[i] = (jpeg_scan_info) {.comps_in_scan = 1,.component_index = {i},.Se = 63};
		cinfo.scan_info = scans;
		cinfo.num_scans = 3;
	}
	cinfo.restart_in_rows = kind.restart;
	jpeg_start_compress(&cinfo, TRUE);
	if (kind.orientation > 0)
		write_exif(&cinfo, kind.orientation, kind.motorola, kind.long_exif);
	for (int y = 0; y < picture->height; y++)
	{
		memcpy(row, at(picture, 0, y), samples);
		for (size_t i = 0; i < samples && (kind.adobe || kind.ycck); i++)
			row[i] = (uint8_t) (255 - row[i]);
		jpeg_write_scanlines(&cinfo, &line, 1);
	}
	jpeg_finish_compress(&cinfo);
	jpeg_destroy_compress(&cinfo);
	free(row);
	return (Bytes) {data, size};
}

/* As a viewer would: grey or RGB. */
static inline Picture
picture_of_jpeg(const uint8_t *data, size_t size)
{
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr errors;
	Picture		picture;

	memset(&cinfo, 0, sizeof(cinfo));
	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&cinfo);
	jpeg_mem_src(&cinfo, data, size);
	jpeg_read_header(&cinfo, TRUE);
	jpeg_start_decompress(&cinfo);
	picture = picture_new((int) cinfo.output_width, (int) cinfo.output_height,
						  cinfo.output_components);
	while (cinfo.output_scanline < cinfo.output_height)
	{
		JSAMPROW	line = at(&picture, 0, (int) cinfo.output_scanline);

		jpeg_read_scanlines(&cinfo, &line, 1);
	}
	jpeg_destroy_decompress(&cinfo);
	return picture;
}

/* ---- PNG ---- */

static inline void
append(png_structp png, png_bytep data, size_t size)
{
	Bytes	   *bytes = png_get_io_ptr(png);

	bytes->data = realloc(bytes->data, bytes->size + size);
	memcpy(bytes->data + bytes->size, data, size);
	bytes->size += size;
}

static inline void
no_flush(png_structp png)
{
	(void) png;
}

typedef struct PngKind
{
	int			bits;			/* 8 where 0; 16: the samples' bytes doubled; 1 to 4: packed */
	bool		interlaced;
	bool		palette;		/* the samples are colour numbers of cube_colour */
	int			transparent;	/* colour number that is, + 1 */
	int			orientation;
} PngKind;

/* The 216 colours of 6 x 6 x 6 steps. */
static inline void
cube_colour(int number, uint8_t *rgb)
{
	rgb[0] = (uint8_t) (number / 36 * 51);
	rgb[1] = (uint8_t) (number / 6 % 6 * 51);
	rgb[2] = (uint8_t) (number % 6 * 51);
}

static inline void
set_palette(png_structp png, png_infop info, PngKind kind)
{
	png_color	colours[216];
	png_byte	alpha[216];

	for (int i = 0; i < 216; i++)
	{
		uint8_t		rgb[3];

		cube_colour(i, rgb);
		colours[i] = (png_color) {rgb[0], rgb[1], rgb[2]};
		alpha[i] = i + 1 == kind.transparent ? 0 : 255;
	}
	png_set_PLTE(png, info, colours, 216);
	if (kind.transparent > 0)
		png_set_tRNS(png, info, alpha, 216, NULL);
}

/* The picture's row as it is stored: 16 bits, or several samples to a byte. */
static inline void
png_row(const Picture *picture, int y, int bits, uint8_t *row)
{
	int			samples = picture->width * picture->channels;
	const uint8_t *from = at(picture, 0, y);

	memset(row, 0, (size_t) samples * 2);
	for (int i = 0; i < samples; i++)
		if (bits == 16)
			row[i * 2] = row[i * 2 + 1] = from[i];
		else if (bits == 8)
			row[i] = from[i];
		else
			row[i * bits / 8] |= (uint8_t) ((from[i] >> (8 - bits)) << (8 - bits - i * bits % 8));
}

static inline Bytes
png_of(const Picture *picture, PngKind kind)
{
	static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
	PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
	Bytes		bytes = {NULL, 0};
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop	info = png_create_info_struct(png);
	int			bits = kind.bits == 0 ? 8 : kind.bits;
	size_t		room = (size_t) picture->width * (size_t) picture->channels * 2;
	uint8_t    *rows = malloc(room * (size_t) picture->height);
	png_bytep  *lines = malloc(sizeof(png_bytep) * (size_t) picture->height);
	uint8_t		exif[26] = "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0";

	png_set_write_fn(png, &bytes, append, no_flush);
	png_set_IHDR(png, info, (png_uint_32) picture->width, (png_uint_32) picture->height, bits,
				 kind.palette ? PNG_COLOR_TYPE_PALETTE : types[picture->channels],
				 kind.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
				 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	if (kind.palette)
		set_palette(png, info, kind);
	exif[19] = (uint8_t) kind.orientation;
	if (kind.orientation > 0)
		png_set_eXIf_1(png, info, sizeof(exif), exif);
	for (int y = 0; y < picture->height; y++)
	{
		lines[y] = rows + (size_t) y * room;
		png_row(picture, y, bits, lines[y]);
	}
	png_set_rows(png, info, lines);
	png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
	png_destroy_write_struct(&png, &info);
	free(rows);
	free(lines);
	return bytes;
}

/* ---- WebP ---- */

static inline Bytes
webp_of(const Picture *picture, bool lossless)
{
	uint8_t    *made = NULL;
	size_t		size;
	int			stride = picture->width * picture->channels;
	Bytes		bytes;

	if (lossless)
		size = picture->channels == 4 ?
			WebPEncodeLosslessRGBA(picture->samples, picture->width, picture->height, stride, &made) :
			WebPEncodeLosslessRGB(picture->samples, picture->width, picture->height, stride, &made);
	else
		size = picture->channels == 4 ?
			WebPEncodeRGBA(picture->samples, picture->width, picture->height, stride, 95, &made) :
			WebPEncodeRGB(picture->samples, picture->width, picture->height, stride, 95, &made);
	bytes.size = size;
	bytes.data = malloc(size);
	memcpy(bytes.data, made, size);
	WebPFree(made);
	return bytes;
}

/* ---- GIF ---- */

static inline int
gif_append(GifFileType *gif, const GifByteType *data, int size)
{
	Bytes	   *bytes = gif->UserData;

	bytes->data = realloc(bytes->data, bytes->size + (size_t) size);
	memcpy(bytes->data + bytes->size, data, (size_t) size);
	bytes->size += (size_t) size;
	return size;
}

typedef struct GifKind
{
	bool		interlaced;
	int			transparent;	/* colour number that is, + 1 */
	int			frames;			/* 1 where 0 */
	int			left;			/* of the frames on a canvas that much larger */
	int			top;
} GifKind;

/* Colour numbers of cube_colour nearest to the picture. */
static inline Picture
numbers_of(const Picture *from)
{
	Picture		to = picture_new(from->width, from->height, 1);

	for (int i = 0; i < from->width * from->height; i++)
	{
		const uint8_t *p = from->samples + i * 3;

		to.samples[i] = (uint8_t) ((p[0] + 25) / 51 * 36 + (p[1] + 25) / 51 * 6 +
								   (p[2] + 25) / 51);
	}
	return to;
}

static inline Picture
colours_of(const Picture *numbers, int transparent)
{
	Picture		to = picture_new(numbers->width, numbers->height, 3);

	for (int i = 0; i < numbers->width * numbers->height; i++)
		if (numbers->samples[i] + 1 == transparent)
			memset(to.samples + i * 3, 255, 3);
		else
			cube_colour(numbers->samples[i], to.samples + i * 3);
	return to;
}

static inline void
gif_frame(GifFileType *gif, const Picture *numbers, GifKind kind)
{
	static const int first[] = {0, 4, 2, 1};
	static const int step[] = {8, 8, 4, 2};
	GraphicsControlBlock control = {.TransparentColor = kind.transparent - 1};
	GifByteType extension[4];

	if (kind.transparent > 0)
	{
		EGifGCBToExtension(&control, extension);
		EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, 4, extension);
	}
	EGifPutImageDesc(gif, kind.left, kind.top, numbers->width, numbers->height,
					 kind.interlaced, NULL);
	for (int pass = 0; pass < (kind.interlaced ? 4 : 1); pass++)
		for (int y = kind.interlaced ? first[pass] : 0; y < numbers->height;
			 y += kind.interlaced ? step[pass] : 1)
			EGifPutLine(gif, at(numbers, 0, y), numbers->width);
}

static inline Bytes
gif_of(const Picture *numbers, GifKind kind)
{
	Bytes		bytes = {NULL, 0};
	int			code;
	GifFileType *gif = EGifOpen(&bytes, gif_append, &code);
	ColorMapObject *map = GifMakeMapObject(256, NULL);

	for (int i = 0; i < 216; i++)
	{
		uint8_t		rgb[3];

		cube_colour(i, rgb);
		map->Colors[i] = (GifColorType) {rgb[0], rgb[1], rgb[2]};
	}
	EGifSetGifVersion(gif, true);
	EGifPutScreenDesc(gif, numbers->width + 2 * kind.left, numbers->height + 2 * kind.top, 8, 0,
					  map);
	for (int i = 0; i < (kind.frames > 1 ? kind.frames : 1); i++)
		gif_frame(gif, numbers, kind);
	EGifCloseFile(gif, &code);
	GifFreeMapObject(map);
	return bytes;
}

#endif							/* LLAVA_TEST_PICTURES_H */
