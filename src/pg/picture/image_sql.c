/*
 * image_sql.c
 *	  The codec in SQL, and a picture's preparation in the caller's own process.
 */
#include "postgres.h"

#include "compat.h"
#include "miscadmin.h"
#include "picture.h"
#include "server/server.h"
#include "utils/builtins.h"

#define THUMBNAIL_QUALITY 75
#define THUMBNAIL_PIXELS_MIN 1024

PG_FUNCTION_INFO_V1(llava_image_info);
PG_FUNCTION_INFO_V1(llava_prepare_image);
PG_FUNCTION_INFO_V1(llava_image_tokens);
PG_FUNCTION_INFO_V1(llava_thumbnail);

enum
{
	INFO_FORMAT,
	INFO_WIDTH,
	INFO_HEIGHT,
	INFO_CHANNELS,
	INFO_BITS,
	INFO_ORIENTATION,
	INFO_PROGRESSIVE,
	INFO_ANIMATED,
	INFO_COMPLETE,
	INFO_PROBLEM,
	INFO_COLUMNS
};

/* ERROR: the picture cannot be used, and why. */
pg_noreturn static void
refuse_image(ImageStatus status, const char *message)
{
	int			code = ERRCODE_INVALID_BINARY_REPRESENTATION;
	const char *hint = NULL;

	switch (status)
	{
		case IMAGE_NO_MEMORY:
			code = ERRCODE_OUT_OF_MEMORY;
			break;
		case IMAGE_TOO_LARGE:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			hint = "Limits are the settings llava_zh.image_max_size, image_max_pixels, image_max_memory and image_max_avif_pixels.";
			break;
		case IMAGE_TOO_SLOW:
			code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			hint = "The limit is the setting llava_zh.image_max_time.";
			break;
		case IMAGE_TOO_SMALL:
		case IMAGE_RATIO:
			code = ERRCODE_DATA_EXCEPTION;
			hint = "Models refuse such sides; crop or pad the picture.";
			break;
		case IMAGE_EMPTY:
		case IMAGE_UNKNOWN:
		case IMAGE_UNSUPPORTED:
			hint = "JPEG, PNG, WebP, GIF and AVIF files are taken.";
			break;
		default:
			hint = "SELECT * FROM llava_image_info(...) shows what the file's header says.";
	}
	ereport(ERROR,
			(errcode(code),
			 errmsg("the picture cannot be used (%s): %s", image_status_name(status), message),
			 hint != NULL ? errhint("%s", hint) : 0));
}

static bool
interrupted(void *arg)
{
	return InterruptPending;
}

/* As image_prepare_here, but the reason goes to *error; only a cancel raises an ERROR. */
static ImageStatus
try_prepare_here(const uint8 *data, size_t size, ImageFit *fit, ImagePrepared *prepared,
				 ImageError *error)
{
	ImageInfo	info;
	ImageStatus status = image_info(data, size, &info, error);

	memset(prepared, 0, sizeof(*prepared));
	if (status == IMAGE_OK)
		status = image_check(&info, size, &fit->limits, error);
	if (status != IMAGE_OK)
		return status;

	/*
	 * an interrupt that does not cancel the statement only makes it start
	 * again
	 */
	fit->stop = interrupted;
	fit->stop_arg = NULL;
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = image_prepare(data, size, fit, prepared, error);
	} while (status == IMAGE_STOPPED);
	return status;
}

void
image_prepare_here(const uint8 *data, size_t size, ImageFit *fit, ImagePrepared *prepared)
{
	ImageError	error;
	ImageStatus status = try_prepare_here(data, size, fit, prepared, &error);

	if (status != IMAGE_OK)
		refuse_image(status, error.message);
}

static void
describe(const ImageInfo *info, Datum *values, bool *nulls)
{
	values[INFO_FORMAT] = CStringGetTextDatum(image_format_name(info->format));
	values[INFO_WIDTH] = Int32GetDatum(info->width);
	values[INFO_HEIGHT] = Int32GetDatum(info->height);
	values[INFO_CHANNELS] = Int32GetDatum(info->channels);
	values[INFO_BITS] = Int32GetDatum(info->bits);
	values[INFO_ORIENTATION] = Int32GetDatum(info->orientation);
	values[INFO_PROGRESSIVE] = BoolGetDatum(info->progressive);
	values[INFO_ANIMATED] = BoolGetDatum(info->animated);
	values[INFO_COMPLETE] = BoolGetDatum(info->complete);
	memset(nulls, false, sizeof(bool) * INFO_PROBLEM);
}

/*
 * llava_image_info(image bytea): what the header says, and in the column problem why the
 * settings would not let the picture be sent to a model.
 */
Datum
llava_image_info(PG_FUNCTION_ARGS)
{
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	const uint8 *data = (const uint8 *) VARDATA_ANY(image);
	size_t		size = VARSIZE_ANY_EXHDR(image);
	Datum		values[INFO_COLUMNS] = {0};
	bool		nulls[INFO_COLUMNS];
	ImageFit	fit;
	ImageInfo	info;
	ImageError	error;
	ImageStatus status;

	memset(nulls, true, sizeof(nulls));
	status = image_info(data, size, &info, &error);
	if (status == IMAGE_OK)
	{
		describe(&info, values, nulls);
		config_image_fit(&fit);
		status = image_check(&info, size, &fit.limits, &error);
	}
	if (status != IMAGE_OK)
	{
		values[INFO_PROBLEM] = CStringGetTextDatum(error.message);
		nulls[INFO_PROBLEM] = false;
	}
	PG_RETURN_DATUM(rows_result(fcinfo, values, nulls));
}

bytea *
image_prepared_bytes(bytea *image, ImageFit *fit, ImageHash *hash, ImageError *error)
{
	const uint8 *volatile data = (const uint8 *) VARDATA_ANY(image);
	volatile size_t size = VARSIZE_ANY_EXHDR(image);
	ImagePrepared prepared = {0};
	bytea	   *volatile bytes = NULL;

	PG_TRY();
	{
		if (error == NULL)
			image_prepare_here(data, size, fit, &prepared);
		if (error == NULL || try_prepare_here(data, size, fit, &prepared, error) == IMAGE_OK)
			bytes = prepared.passed_through ? image : rows_bytea(prepared.data, prepared.size);
		if (hash != NULL)
			*hash = prepared.hash;
	}
	PG_CATCH();
	{
		image_prepared_free(&prepared);
		PG_RE_THROW();
	}
	PG_END_TRY();
	image_prepared_free(&prepared);
	return bytes;
}

/* ERROR with the defaults in the hint, where problem is what is wrong with a fit. */
static void
check_fit(const char *problem, const char *more_defaults)
{
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid arguments: %s", problem),
				 errhint("Defaults are those of Qwen2.5-VL: %d, %d * %d^2, %d * %d^2%s.",
						 IMAGE_FACTOR, IMAGE_MIN_TOKENS, IMAGE_FACTOR, IMAGE_MAX_TOKENS,
						 IMAGE_FACTOR, more_defaults)));
}

/*
 * llava_prepare_image(image bytea, pixel_factor integer, min_pixels bigint,
 * max_pixels bigint, quality integer): the JPEG that would be sent.
 */
Datum
llava_prepare_image(PG_FUNCTION_ARGS)
{
	ImageFit	fit;
	const char *problem;

	config_image_fit(&fit);
	fit.factor = PG_GETARG_INT32(1);
	fit.min_pixels = PG_GETARG_INT64(2);
	fit.max_pixels = PG_GETARG_INT64(3);
	fit.quality = PG_GETARG_INT32(4);
	problem = options_pixels_problem(fit.factor, fit.min_pixels, fit.max_pixels);
	if (problem == NULL && (fit.quality < 1 || fit.quality > 100))
		problem = psprintf("quality (%d) is not in 1 .. 100", fit.quality);
	check_fit(problem, " and quality 90");
	PG_RETURN_BYTEA_P(image_prepared_bytes(PG_GETARG_BYTEA_PP(0), &fit, NULL, NULL));
}

/*
 * llava_image_tokens(width integer, height integer, pixel_factor integer, min_pixels
 * bigint, max_pixels bigint): with the two markers around them.
 */
Datum
llava_image_tokens(PG_FUNCTION_ARGS)
{
	ImageFit	fit = {0};
	ImageInfo	info = {0};
	int			width;
	int			height;
	ImageError	error;
	ImageStatus status;

	info.width = PG_GETARG_INT32(0);
	info.height = PG_GETARG_INT32(1);
	fit.factor = PG_GETARG_INT32(2);
	fit.min_pixels = PG_GETARG_INT64(3);
	fit.max_pixels = PG_GETARG_INT64(4);
	check_fit(options_pixels_problem(fit.factor, fit.min_pixels, fit.max_pixels), "");
	status = image_smart_resize(info.height, info.width, fit.factor, fit.min_pixels,
								fit.max_pixels, &height, &width, &error);
	if (status != IMAGE_OK)
		refuse_image(status, error.message);
	PG_RETURN_INT64(image_tokens(&info, &fit));
}

/*
 * llava_thumbnail(image bytea, pixels integer): a small JPEG; NULL where the
 * picture cannot be decoded.
 */
Datum
llava_thumbnail(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	ImageFit	fit;
	ImageError	error;

	config_image_fit(&fit);
	fit.factor = 1;
	fit.min_pixels = 1;
	fit.max_pixels = PG_GETARG_INT32(1);
	fit.quality = THUMBNAIL_QUALITY;
	if (fit.max_pixels < THUMBNAIL_PIXELS_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a thumbnail has at least %d pixels", THUMBNAIL_PIXELS_MIN)));
	bytes = image_prepared_bytes(PG_GETARG_BYTEA_PP(0), &fit, NULL, &error);
	if (bytes == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(bytes);
}
