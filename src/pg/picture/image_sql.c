/*
 * image_sql.c
 *	  The codec in SQL, and a picture's preparation in the caller's own process.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "compat.h"
#include "db/db.h"
#include "funcapi.h"
#include "image/image.h"
#include "miscadmin.h"
#include "picture.h"
#include "server/server.h"
#include "utils/builtins.h"

#define THUMBNAIL_QUALITY 75
#define THUMBNAIL_PIXELS_MIN 1024

pg_noreturn static void refuse_image(ImageStatus status, const char *message);

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
static void
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
			hint = "Limits are the settings llava_zh.image_max_size, image_max_pixels and image_max_memory.";
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
			hint = "JPEG, PNG, WebP and GIF files are taken.";
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

ImageStatus
image_try_prepare_here(const uint8 *data, size_t size, ImageFit *fit, ImagePrepared *prepared,
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
	ImageStatus status = image_try_prepare_here(data, size, fit, prepared, &error);

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
	TupleDesc	desc;
	Datum		values[INFO_COLUMNS] = {0};
	bool		nulls[INFO_COLUMNS];
	ImageFit	fit;
	ImageInfo	info;
	ImageError	error;
	ImageStatus status;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
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
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* Copied, unless they are the picture's own. */
static bytea *
prepared_bytes(bytea *image, const ImagePrepared *prepared)
{
	bytea	   *bytes;

	if (prepared->passed_through)
		return image;
	bytes = palloc(VARHDRSZ + prepared->size);
	SET_VARSIZE(bytes, VARHDRSZ + prepared->size);
	memcpy(VARDATA(bytes), prepared->data, prepared->size);
	return bytes;
}

/*
 * llava_prepare_image(image bytea, pixel_factor integer, min_pixels bigint,
 * max_pixels bigint, quality integer): the JPEG that would be sent.
 */
Datum
llava_prepare_image(PG_FUNCTION_ARGS)
{
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	bytea	   *volatile bytes;
	ImagePrepared prepared = {0};
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
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid arguments: %s", problem),
				 errhint("Defaults are those of Qwen2.5-VL: %d, %d * %d^2, %d * %d^2 and quality 90.",
						 IMAGE_FACTOR, IMAGE_MIN_TOKENS, IMAGE_FACTOR, IMAGE_MAX_TOKENS, IMAGE_FACTOR)));

	PG_TRY();
	{
		image_prepare_here((const uint8 *) VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image),
						   &fit, &prepared);
		bytes = prepared_bytes(image, &prepared);
	}
	PG_FINALLY();
	{
		image_prepared_free(&prepared);
	}
	PG_END_TRY();
	PG_RETURN_BYTEA_P(bytes);
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
	const char *problem;

	info.width = PG_GETARG_INT32(0);
	info.height = PG_GETARG_INT32(1);
	fit.factor = PG_GETARG_INT32(2);
	fit.min_pixels = PG_GETARG_INT64(3);
	fit.max_pixels = PG_GETARG_INT64(4);
	problem = options_pixels_problem(fit.factor, fit.min_pixels, fit.max_pixels);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid arguments: %s", problem),
				 errhint("Defaults are those of Qwen2.5-VL: %d, %d * %d^2, %d * %d^2.",
						 IMAGE_FACTOR, IMAGE_MIN_TOKENS, IMAGE_FACTOR, IMAGE_MAX_TOKENS, IMAGE_FACTOR)));
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
	bytea	   *image = PG_GETARG_BYTEA_PP(0);
	bytea	   *volatile bytes;
	ImagePrepared prepared;
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
	if (image_try_prepare_here((const uint8 *) VARDATA_ANY(image), VARSIZE_ANY_EXHDR(image),
							   &fit, &prepared, &error) != IMAGE_OK)
		PG_RETURN_NULL();
	PG_TRY();
	{
		bytes = prepared_bytes(image, &prepared);
	}
	PG_FINALLY();
	{
		image_prepared_free(&prepared);
	}
	PG_END_TRY();
	PG_RETURN_BYTEA_P(bytes);
}
