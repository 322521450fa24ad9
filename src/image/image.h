/*
 * image.h
 *	  A picture's bytes to facts, and to the JPEG the model is sent.
 *
 * Pure C: malloc, no PostgreSQL, no global state; every function may be called
 * from any thread.  Sizes are in bytes, sides in pixels.  Nothing is allocated
 * before the header has been held against the limits.
 */
#ifndef LLAVA_IMAGE_H
#define LLAVA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ImageStatus
{
	IMAGE_OK,
	IMAGE_EMPTY,				/* no bytes */
	IMAGE_UNKNOWN,				/* not a picture, by its first bytes */
	IMAGE_UNSUPPORTED,			/* a known format that is not taken */
	IMAGE_TRUNCATED,			/* the file ends too early */
	IMAGE_BROKEN,				/* the file contradicts itself */
	IMAGE_TOO_LARGE,			/* bytes, sides, pixels, scans or memory over
								 * a limit */
	IMAGE_TOO_SMALL,			/* a side under the model's minimum */
	IMAGE_RATIO,				/* one side too many times the other */
	IMAGE_TOO_SLOW,				/* decoding takes over the limit of time */
	IMAGE_BLANK,				/* nothing is to be seen on it */
	IMAGE_NO_DIRECTORY,			/* the directory of pictures cannot be opened */
	IMAGE_NO_FILE,				/* missing, unreadable, or not below it */
	IMAGE_CHANGED,				/* the file is not the one it was */
	IMAGE_NO_MEMORY,
	IMAGE_STOPPED				/* the caller's stop callback said so */
} ImageStatus;

/* The status and one English sentence without a full stop, always terminated. */
typedef struct ImageError
{
	ImageStatus status;
	char		message[160];
} ImageError;

typedef enum ImageFormat
{
	IMAGE_FORMAT_NONE,
	IMAGE_FORMAT_JPEG,
	IMAGE_FORMAT_PNG,
	IMAGE_FORMAT_WEBP,
	IMAGE_FORMAT_GIF,
	IMAGE_FORMAT_AVIF
} ImageFormat;

/*
 * What the header says.  width and height are as stored, before orientation.  Of several
 * frames the first is the picture, on the canvas of all.
 */
typedef struct ImageInfo
{
	ImageFormat format;
	int			width;
	int			height;
	int			channels;		/* 1 to 4 */
	int			bits;			/* per channel */
	int			orientation;	/* EXIF, 1 to 8; 1 where nothing is said */
	bool		progressive;	/* JPEG */
	bool		animated;		/* more than one frame */
	bool		complete;		/* the end of the file is there */
	int			rows;			/* that are there, as stored: height where the
								 * picture is whole, though its file may not
								 * be; else what can be decoded, or -1 where
								 * only decoding all of it would tell */
	int			scans;			/* of a JPEG that has to be kept whole
								 * (progressive or in several scans); else 1 */
	int64_t		memory;			/* bytes the decoder keeps of a picture that
								 * does not come row by row; else 0 */
	int64_t		cost;			/* of a picture whose decoding nothing can
								 * interrupt: its time, in pixels; else 0 */
} ImageInfo;

/* What is refused; 0 means no limit, for max_ms too. */
typedef struct ImageLimits
{
	size_t		max_bytes;
	int			min_side;
	int			max_side;
	int64_t		max_pixels;
	int			max_ratio;		/* longer side / shorter side */
	int			max_scans;		/* of a progressive JPEG */
	int64_t		max_memory;		/* ImageInfo's */
	int64_t		max_avif_pixels;	/* ImageInfo's cost */
	int			max_ms;			/* CPU time of one preparation */
	bool		take_cut;		/* a file that ends early is taken where at
								 * least 90 % of its rows are there, and cut
								 * to those */
} ImageLimits;

/*
 * What a picture looks like, whatever its size, format and compression: see hash.c.
 * Copies differ by few bits.
 */
#define IMAGE_FINE_WORDS	4
#define IMAGE_COLOURS		8

typedef struct ImageHash
{
	bool		known;			/* false: all of nearly one level, nothing to
								 * tell it by */
	uint64_t	coarse;			/* 8 x 8 frequencies: finds candidates */
	uint64_t	fine[IMAGE_FINE_WORDS]; /* 16 x 16: decides */
	uint8_t		colours[IMAGE_COLOURS]; /* mean Cb, Cr of each quarter, row by
										 * row */
} ImageHash;

/* Copies are at most this far from each other, in bits and in levels; measured. */
#define IMAGE_SAME_COARSE	8
#define IMAGE_SAME_FINE		20
#define IMAGE_SAME_COLOUR	10

/*
 * What one core decodes in a second, at worst: 25 to 35 ns a pixel and 100 ns a byte were
 * measured of noise and grain in 8 to 12 bits (dav1d 1.0, at 2.5 GHz).  Of usual
 * photographs it decodes more.
 */
#define IMAGE_AVIF_PIXELS	30000000
#define IMAGE_BYTE_PIXELS	4

/* Qwen2.5-VL's: the side in pixels of the patch behind a token, and tokens of a picture. */
#define IMAGE_FACTOR		28
#define IMAGE_MIN_TOKENS	4
#define IMAGE_MAX_TOKENS	1280

/* How a picture is fitted to a model; see image_smart_resize. */
typedef struct ImageFit
{
	int			factor;			/* sides become multiples of it: IMAGE_FACTOR;
								 * 32 for Qwen3-VL */
	int64_t		min_pixels;
	int64_t		max_pixels;
	int			quality;		/* of the JPEG that is made, 1 to 100 */
	bool		full_chroma;	/* 4:4:4 rather than 4:2:0 */
	bool		hash;			/* ImagePrepared.hash is wanted */
	bool		refuse_blank;	/* IMAGE_BLANK rather than a picture of
								 * nothing */
	ImageLimits limits;

	/*
	 * Polled at least every 10 ms of work, except while an AVIF is decoded;
	 * true ends the preparation.  May be NULL.
	 */
	bool		(*stop) (void *arg);
	void	   *stop_arg;
} ImageFit;

/* The bytes to send, always image/jpeg, and their sides. */
typedef struct ImagePrepared
{
	uint8_t    *data;			/* malloc; NULL where passed_through */
	size_t		size;
	int			width;
	int			height;
	bool		passed_through; /* the input's own bytes are to be sent */
	bool		blank;			/* nothing is to be seen on it */
	ImageHash	hash;			/* of the upright picture, where asked for */
	ImageInfo	source;
} ImagePrepared;

extern const char *image_format_name(ImageFormat format);	/* 'jpeg' ... */
extern const char *image_status_name(ImageStatus status);	/* 'truncated' ... */

/* Limits that no model or trainer can do without; see image.c. */
extern const ImageLimits image_default_limits;

/*
 * Facts from the header; no pixel of a complete picture is decoded.  IMAGE_OK also
 * for a file that ends early (see info->complete); the error is set for all else.
 * Only image_prepare finds out whether a picture of unknown rows is whole.
 */
extern ImageStatus image_info(const uint8_t *data, size_t size,
							  ImageInfo *info, ImageError *error);

/* Whether rows of the picture are known to be missing. */
extern bool image_is_cut(const ImageInfo *info);

/* Holds facts against limits: bytes, sides, pixels, ratio, scans, memory, missing rows. */
extern ImageStatus image_check(const ImageInfo *info, size_t size,
							   const ImageLimits *limits, ImageError *error);

/*
 * Sets factor, and the pixels of IMAGE_MIN_TOKENS and IMAGE_MAX_TOKENS at it; nothing else
 * of fit.
 */
extern void image_fit_defaults(ImageFit *fit, int factor);

/*
 * The sides the model will see: Qwen's smart_resize (qwen_vl_utils,
 * vision_process.py), rounding half to even, to the bit.
 */
extern ImageStatus image_smart_resize(int height, int width, int factor,
									  int64_t min_pixels, int64_t max_pixels,
									  int *fitted_height, int *fitted_width,
									  ImageError *error);

/*
 * Whether a picture is long, and its text at risk: its longer side is more than
 * ratio times the shorter, and it would have to be shrunk.
 */
extern bool image_is_long(const ImageInfo *info, const ImageFit *fit, double ratio);

/* Image tokens of a picture with these facts: (h / factor) * (w / factor) + 2. */
extern int64_t image_tokens(const ImageInfo *info, const ImageFit *fit);

/*
 * Decodes, turns upright, fits and encodes.  What smart_resize would shrink comes
 * out at its sides; what it would not keeps its own, as the model's own resampling
 * is then the only one.  An upright baseline colour or grey JPEG that need not
 * shrink passes through untouched, unless it is larger than its raw pixels; it is
 * decoded all the same, so that no damaged file passes.  Transparency shows white, or
 * dark grey where a light drawing would vanish on white.  On success the caller frees
 * prepared->data with image_prepared_free; on failure nothing is to be freed.
 */
extern ImageStatus image_prepare(const uint8_t *data, size_t size,
								 const ImageFit *fit, ImagePrepared *prepared,
								 ImageError *error);
extern void image_prepared_free(ImagePrepared *prepared);

/* Bits in which two differ, 0 to 256, and whether they are the same picture's. */
extern int	image_hash_distance(const ImageHash *a, const ImageHash *b);
extern bool image_hash_same(const ImageHash *a, const ImageHash *b);

/*
 * Pictures in files.  path is relative to directory; no link below directory is
 * followed.
 */
#define IMAGE_SHA256_SIZE 32

/* A file whose size and sha256 are known. */
typedef struct ImageFile
{
	char	   *directory;
	char	   *path;
	size_t		size;
	uint8_t		sha256[IMAGE_SHA256_SIZE];
} ImageFile;

extern void image_sha256(const uint8_t *data, size_t size, uint8_t digest[IMAGE_SHA256_SIZE]);

/*
 * The file's bytes, malloc'd; NULL on failure.  *size is the file's also where that is
 * over the limit (0: none).
 */
extern ImageStatus image_file_read(const char *directory, const char *path, size_t max_bytes,
								   uint8_t **data, size_t *size, ImageError *error);

/*
 * The file->size bytes of the file as it was known; IMAGE_CHANGED if it is another.
 * Over the limit (0: none) nothing is read.
 */
extern ImageStatus image_file_read_known(const ImageFile *file, size_t max_bytes,
										 uint8_t **data, ImageError *error);

/* malloc; NULL: no memory. */
extern ImageFile *image_file_new(const char *directory, const char *path, size_t size,
								 const uint8_t sha256[IMAGE_SHA256_SIZE]);
extern void image_file_free(ImageFile *file);

/*
 * Preparation ahead of need: threads (lower priority, all signals blocked) that
 * run image_prepare.  One thread owns the pool and calls all of these; only the
 * work itself runs elsewhere.
 */
typedef struct ImagePool ImagePool;

typedef struct ImageJob
{
	uint8_t    *data;			/* malloc, owned by the job */
	size_t		size;
	ImageFile  *file;			/* where data is to be read from; or NULL */
	ImageFit	fit;			/* its stop callback is the pool's own */
	ImageStatus status;			/* results, once image_pool_next gave the job */
	ImagePrepared prepared;
	ImageError	error;
	void	   *user;			/* the owner's */
	struct ImageJob *next;		/* the pool's */
} ImageJob;

/* NULL where a thread or a descriptor cannot be had. */
extern ImagePool *image_pool_new(int threads);

/* Readable while image_pool_next has something to give. */
extern int	image_pool_fd(ImagePool *pool);

/* Takes the job until image_pool_next gives it back; never blocks on work. */
extern void image_pool_submit(ImagePool *pool, ImageJob *job);
extern ImageJob *image_pool_next(ImagePool *pool);
extern int	image_pool_pending(const ImagePool *pool);	/* submitted, not given
														 * back */

/*
 * Stops the work within 10 ms, or when the AVIF that is being decoded is; joins the
 * threads, frees jobs not given back.
 */
extern void image_pool_free(ImagePool *pool);

/* Frees the job, its data and its result. */
extern void image_job_free(ImageJob *job);

#endif							/* LLAVA_IMAGE_H */
