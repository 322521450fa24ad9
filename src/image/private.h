/*
 * private.h
 *	  What the files of src/image share.
 */
#ifndef LLAVA_IMAGE_PRIVATE_H
#define LLAVA_IMAGE_PRIVATE_H

#include "image.h"

/* ---- bytes of a header, in either order ---- */

static inline unsigned
be16(const uint8_t *p)
{
	return (unsigned) p[0] << 8 | p[1];
}

static inline uint32_t
be32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static inline unsigned
le16(const uint8_t *p)
{
	return (unsigned) p[1] << 8 | p[0];
}

static inline unsigned
le24(const uint8_t *p)
{
	return (unsigned) p[2] << 16 | (unsigned) p[1] << 8 | p[0];
}

static inline uint32_t
le32(const uint8_t *p)
{
	return (uint32_t) p[3] << 24 | (uint32_t) p[2] << 16 | (uint32_t) p[1] << 8 | p[0];
}

/* Fills the error, if there is one, and returns the status. */
extern ImageStatus image_fail(ImageError *error, ImageStatus status, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* IMAGE_TRUNCATED: says after how many of its rows the picture ends. */
extern ImageStatus image_fail_cut(ImageError *error, ImageFormat format, int rows, int height);

/* ---- header facts ---- */

/* 'JPEG' ..., as messages say it. */
extern const char *image_format_title(ImageFormat format);

/* Orientation out of a TIFF structure, or 1.  A JPEG's prefix may stand before it. */
extern int	image_exif_orientation(const uint8_t *tiff, size_t size);

/* Says what the bytes are where they are none of the formats taken. */
extern ImageStatus image_name_foreign(const uint8_t *data, size_t size, ImageError *error);

/* The same of a text; IMAGE_OK where it is none that is known. */
extern ImageStatus image_name_text(const uint8_t *data, size_t size, ImageError *error);

/* What an ISO base media file (ISO 14496-12) says that it is. */
typedef enum MediaKind
{
	MEDIA_NONE,					/* no such file */
	MEDIA_AVIF,
	MEDIA_HEIC,
	MEDIA_HEIF,					/* coded in another way */
	MEDIA_JPEG2000,
	MEDIA_RAW,					/* a camera's */
	MEDIA_SOUND,
	MEDIA_VIDEO
} MediaKind;

extern MediaKind image_media_kind(const uint8_t *data, size_t size);

extern ImageStatus image_jpeg_info(const uint8_t *data, size_t size, ImageInfo *info,
								   ImageError *error);

/* A WebP's picture: all of a still one, or the first frame of an animated one. */
typedef struct WebpFrame
{
	const uint8_t *data;		/* what libwebp decodes */
	size_t		size;
	int			left;			/* on the canvas */
	int			top;
	int			width;
	int			height;
	bool		placed;			/* it need not cover the canvas */
	bool		whole;			/* all of its data is there */
} WebpFrame;

extern ImageStatus image_webp_info(const uint8_t *data, size_t size, ImageInfo *info,
								   WebpFrame *frame, ImageError *error);

/* IMAGE_UNSUPPORTED where the build has no libavif. */
extern ImageStatus image_avif_info(const uint8_t *data, size_t size, ImageInfo *info,
								   ImageError *error);

/* ---- a preparation under way ---- */

typedef struct ImageWork
{
	const ImageFit *fit;
	int64_t		cpu_until;		/* CPU time of this thread in ns; 0: no limit */
	int64_t		passed_until;	/* coarse monotonic clock in ns: no look
								 * before */
} ImageWork;

extern void image_work_begin(ImageWork *work, const ImageFit *fit);

/*
 * IMAGE_OK to go on, else IMAGE_STOPPED or IMAGE_TOO_SLOW.  Called for about each row.
 * work is NULL where rows are only counted.
 */
extern ImageStatus image_poll(ImageWork *work, ImageError *error);

/* ---- rows ---- */

/* Grey levels that show where a picture is transparent. */
#define GROUND_WHITE	255
#define GROUND_DARK		64

/*
 * What shows through a picture, and how much of it.  Cover is the sum of alpha, 255 for
 * an opaque pixel.
 */
typedef struct Ground
{
	uint8_t		level;
	bool		shows;			/* some pixel is not opaque */
	int64_t		cover;			/* of the rows read so far */
	int64_t		light_cover;	/* of pixels nearly as light as white */
} Ground;

/*
 * A picture that is read by rows, from the top as stored, in 8 bits a channel and
 * with alpha already flattened on its ground.
 */
typedef struct ImageSource
{
	int			width;			/* of the rows: perhaps scaled down */
	int			height;
	int			channels;		/* 1: grey; 3: RGB, or YCbCr where ycc */
	bool		ycc;
	Ground		ground;			/* white, unless set before the first row is
								 * read */
	ImageStatus (*read) (struct ImageSource *source, uint8_t *row, ImageError *error);
	void		(*close) (struct ImageSource *source);
} ImageSource;

/*
 * Each opens a source; on success the caller closes it.  A decoder may scale down,
 * but not below min_width x min_height.
 */
extern ImageStatus image_jpeg_open(const uint8_t *data, size_t size, int min_width,
								   int min_height, ImageWork *work,
								   ImageSource **source, ImageError *error);
extern ImageStatus image_png_open(const uint8_t *data, size_t size, ImageWork *work,
								  ImageSource **source, ImageError *error);
extern ImageStatus image_webp_open(const uint8_t *data, size_t size, int min_width,
								   int min_height, ImageWork *work,
								   ImageSource **source, ImageError *error);
extern ImageStatus image_gif_open(const uint8_t *data, size_t size, const ImageInfo *info,
								  ImageWork *work, ImageSource **source,
								  ImageError *error);
extern ImageStatus image_avif_open(const uint8_t *data, size_t size, const ImageInfo *info,
								   ImageWork *work, ImageSource **source,
								   ImageError *error);

/* By the format. */
extern ImageStatus image_source_open(const uint8_t *data, size_t size, const ImageInfo *info,
									 int min_width, int min_height, ImageWork *work,
									 ImageSource **source, ImageError *error);

/*
 * How many rows of a picture that ends early can be decoded, at whatever scale; -1
 * where that cannot be said without keeping all of it, or of a giant.
 */
extern int	image_rows_there(const uint8_t *data, size_t size, const ImageInfo *info);

/* Pixels of colour and alpha to what they look like on the ground, in place or not. */
extern void image_flatten(const uint8_t *from, uint8_t *to, size_t pixels, int colours,
						  Ground *ground);

/* Luma (ITU-R BT.601) from which on a colour is hardly told from white. */
#define LIGHT_LUMA 216

static inline bool
image_is_light(unsigned red, unsigned green, unsigned blue)
{
	return 77 * red + 150 * green + 29 * blue >= LIGHT_LUMA * 256u;
}

/* One pixel that covers the ground entirely. */
static inline void
ground_cover(Ground *ground, unsigned red, unsigned green, unsigned blue)
{
	ground->cover += 255;
	if (image_is_light(red, green, blue))
		ground->light_cover += 255;
}

/* After all rows: whether there is next to nothing on the ground. */
extern bool image_ground_is_bare(const Ground *ground);

/* Whether next to nothing of the picture would be seen on white. */
extern bool image_ground_hides(const Ground *ground);

/* ---- whether anything is to be seen ---- */

#define SPAN_LANES 48			/* a multiple of 1 and 3, and of a vector's
								 * bytes */

/* The least and the most sample of each channel. */
typedef struct Spans
{
	int			channels;
	bool		varied;			/* more than a blank picture */
	uint8_t		low[SPAN_LANES];	/* of samples that far apart */
	uint8_t		high[SPAN_LANES];
} Spans;

extern void image_spans_begin(Spans *spans, int channels);
extern void image_spans_push(Spans *spans, const uint8_t *row, size_t samples);


/* ---- the JPEG that is made ---- */

typedef struct JpegWriter JpegWriter;

extern ImageStatus image_jpeg_writer_new(int width, int height, int channels, bool ycc,
										 ImageWork *work, JpegWriter **writer,
										 ImageError *error);
extern ImageStatus image_jpeg_write(JpegWriter *writer, const uint8_t *row, ImageError *error);

/* The caller owns the data. */
extern ImageStatus image_jpeg_finish(JpegWriter *writer, uint8_t **data, size_t *size,
									 ImageError *error);
extern void image_jpeg_writer_free(JpegWriter *writer);

/* channels 0: of three planes that are written by rows of blocks. */
extern ImageStatus image_jpeg_write_planes(JpegWriter *writer, const uint8_t *const *blocks,
										   ImageError *error);

/* ---- a JPEG's planes ---- */

#define PLANES 3				/* Y, Cb, Cr */

/* A plane's sides in samples, and how many of them the picture really covers. */
typedef struct PlaneShape
{
	int			width;
	int			height;
	double		covers_width;
	double		covers_height;
} PlaneShape;

typedef struct JpegPlanes JpegPlanes;

/* Takes the next row of a plane. */
typedef ImageStatus (*PlaneSink) (void *arg, int plane, const uint8_t *row, ImageError *error);

/* Gives NULL where the picture is not YCbCr; scales down as image_jpeg_open does. */
extern ImageStatus image_jpeg_planes_open(const uint8_t *data, size_t size, int min_width,
										  int min_height, ImageWork *work,
										  JpegPlanes **planes, PlaneShape *shapes,
										  ImageError *error);

/* The next row of blocks of all planes. */
extern ImageStatus image_jpeg_planes_read(JpegPlanes *planes, PlaneSink sink, void *sink_arg,
										  ImageError *error);
extern bool image_jpeg_planes_end(const JpegPlanes *planes);
extern void image_jpeg_planes_close(JpegPlanes *planes);

/*
 * A whole YCbCr JPEG to the bytes of another of width x height, as stored, turned
 * upright; *done: it is one.  The sides to come out are in *prepared.
 */
extern ImageStatus image_planes_prepare(const uint8_t *data, size_t size, int width,
										int height, int orientation, ImageWork *work,
										ImagePrepared *prepared, bool *done,
										ImageError *error);

/* ---- shrinking ---- */

typedef struct Resizer Resizer;

/* Takes the rows that come out, from the top. */
typedef ImageStatus (*RowSink) (void *arg, const uint8_t *row, ImageError *error);

/*
 * NULL: no memory.  Rows pushed are width samples of channels; they are not kept.
 * across and down: samples and rows of the source that one of the result covers.
 * sharp: as text needs it; else at half the cost.
 */
extern Resizer *image_resizer_new(int width, int height, int to_width, int to_height,
								  double across, double down, int channels, bool sharp,
								  RowSink sink, void *sink_arg);
extern ImageStatus image_resizer_push(Resizer *resizer, const uint8_t *row, ImageError *error);
extern void image_resizer_free(Resizer *resizer);

/* ---- what it looks like ---- */

typedef struct Hasher Hasher;

/* NULL: no memory.  Rows pushed are as stored, of one or three channels. */
extern Hasher *image_hasher_new(int width, int height, int channels, bool ycc);
extern void image_hasher_push(Hasher *hasher, const uint8_t *row);

/* Cb and Cr of a picture whose planes were hashed apart; all three after their rows. */
extern void image_hasher_add_chroma(Hasher *luma, const Hasher *cb, const Hasher *cr);

/* After the last row; the hash is the upright picture's. */
extern void image_hasher_finish(const Hasher *hasher, int orientation, ImageHash *hash);
extern void image_hasher_free(Hasher *hasher);

/* ---- fitting ---- */

/* The sides as they are looked at, orientation applied. */
extern void image_upright_sides(const ImageInfo *info, int *width, int *height);

/* Whether the model would shrink the picture, and to what; upright sides. */
extern ImageStatus image_fit_sides(const ImageInfo *info, const ImageFit *fit, bool *shrinks,
								   int *width, int *height, ImageError *error);

/* Row y of the upright picture out of the picture as stored. */
extern void image_turn_row(const uint8_t *stored, int width, int height, int channels,
						   int orientation, int y, uint8_t *row);

#endif							/* LLAVA_IMAGE_PRIVATE_H */
