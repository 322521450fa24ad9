/*
 * image_facts.c
 *	  What a picture's bytes say as it arrives: size, sha256, header, and whether it can
 *	  be sent to a model.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "intake.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

static void
reject(Arrival *arrival, ImageStatus status, const char *detail)
{
	if (status == IMAGE_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"), errdetail("%s", detail)));
	arrival_set(arrival, COLUMN_REJECTED, CStringGetTextDatum(image_status_name(status)));
	arrival_set(arrival, COLUMN_REJECTED_DETAIL, CStringGetTextDatum(detail));
}

static void
set_facts(Arrival *arrival, const ImageInfo *info)
{
	if (info->format == IMAGE_FORMAT_NONE)
		return;
	arrival_set(arrival, COLUMN_FORMAT, CStringGetTextDatum(image_format_name(info->format)));
	if (info->width <= 0 || info->height <= 0)
		return;
	arrival_set(arrival, COLUMN_WIDTH, Int32GetDatum(info->width));
	arrival_set(arrival, COLUMN_HEIGHT, Int32GetDatum(info->height));
	arrival_set(arrival, COLUMN_CHANNELS, Int16GetDatum(info->channels));
	arrival_set(arrival, COLUMN_BITS, Int16GetDatum(info->bits));
	arrival_set(arrival, COLUMN_ORIENTATION, Int16GetDatum(info->orientation));
	arrival_set(arrival, COLUMN_PROGRESSIVE, BoolGetDatum(info->progressive));
	arrival_set(arrival, COLUMN_ANIMATED, BoolGetDatum(info->animated));
	arrival_set(arrival, COLUMN_COMPLETE, BoolGetDatum(info->complete));
	if (!info->complete)
		arrival_set(arrival, COLUMN_ROWS,
					Int32GetDatum(image_is_cut(info) ? info->rows : info->height));
}

/* Whether the picture can be sent to a model, by its header and the limits. */
static ImageStatus
inspect(const uint8_t *data, size_t size, const ImageLimits *limits, ImageInfo *info,
		ImageError *error)
{
	ImageStatus status = image_info(data, size, info, error);

	return status == IMAGE_OK ? image_check(info, size, limits, error) : status;
}

/* As arrival_find_facts, for a picture that stays in the file that its path names. */
static bool
find_facts_in_file(Arrival *arrival, const ImageLimits *limits)
{
	const char *path = TextDatumGetCString(arrival->values[COLUMN_PATH]);
	uint8_t		digest[IMAGE_SHA256_SIZE];
	uint8_t    *data;
	size_t		size;
	ImageInfo	info = {0};
	ImageError	error = {0};
	ImageStatus status = image_file_read(llava_image_directory, path, limits->max_bytes, &data,
										 &size, &error);
	bool		was_read = status == IMAGE_OK;

	/* no ERROR may be raised while data is ours to free */
	if (was_read)
	{
		image_sha256(data, size, digest);
		status = inspect(data, size, limits, &info, &error);
		free(data);
	}
	if (status == IMAGE_NO_DIRECTORY)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("%s", error.message),
				 errhint("The directory is the setting llava_zh.image_directory.")));
	if (was_read || status == IMAGE_TOO_LARGE)
		arrival_set(arrival, COLUMN_BYTES, Int64GetDatum((int64) size));
	if (was_read)
	{
		arrival_set(arrival, COLUMN_IN_FILE, BoolGetDatum(true));
		arrival_set(arrival, COLUMN_SHA256,
					PointerGetDatum(rows_bytea(digest, sizeof(digest))));
		set_facts(arrival, &info);
	}
	if (status != IMAGE_OK)
		reject(arrival, status, error.message);
	return status == IMAGE_OK;
}

/* The row of a file that is too large to be fetched gets its size and no bytes. */
static void
reject_size(Arrival *arrival, int64 size)
{
	arrival_set(arrival, COLUMN_BYTES, Int64GetDatum(size));
	reject(arrival, IMAGE_TOO_LARGE,
		   psprintf("the file has " INT64_FORMAT " bytes, over llava_zh.image_max_size", size));
	arrival_set_null(arrival, COLUMN_IMAGE);
}

bool
arrival_find_facts(Arrival *arrival, const ImageLimits *limits)
{
	Size		size;
	struct varlena *image;
	ImageInfo	info = {0};
	ImageError	error = {0};
	ImageStatus status;

	arrival_set(arrival, COLUMN_IN_FILE, BoolGetDatum(false));
	if (arrival->nulls[COLUMN_IMAGE] && intake_unread_size >= 0)
	{
		reject_size(arrival, intake_unread_size);
		return false;
	}
	if (arrival->nulls[COLUMN_IMAGE])
		return find_facts_in_file(arrival, limits);
	size = toast_raw_datum_size(arrival->values[COLUMN_IMAGE]) - VARHDRSZ;
	if (limits->max_bytes > 0 && size > limits->max_bytes)
	{
		reject_size(arrival, (int64) size);
		return false;
	}

	arrival_set(arrival, COLUMN_BYTES, Int64GetDatum((int64) size));
	image = PG_DETOAST_DATUM_PACKED(arrival->values[COLUMN_IMAGE]);
	arrival_set(arrival, COLUMN_IMAGE, PointerGetDatum(image));
	arrival_set(arrival, COLUMN_SHA256, DirectFunctionCall1(sha256_bytea, PointerGetDatum(image)));

	status = inspect((const uint8_t *) VARDATA_ANY(image), size, limits, &info, &error);
	set_facts(arrival, &info);
	if (status != IMAGE_OK)
		reject(arrival, status, error.message);
	return status == IMAGE_OK;
}

/* In hexadecimal, at most as many bytes as a sha256 has. */
static char *
digest_words(const bytea *digest)
{
	size_t		size = Min(VARSIZE_ANY_EXHDR(digest), IMAGE_SHA256_SIZE);
	char	   *words = palloc(2 * size + 1);

	words[hex_encode(VARDATA_ANY(digest), size, words)] = '\0';
	return words;
}

bool
arrival_has_given_digest(Arrival *arrival)
{
	const bytea *given = arrival->given_sha256;
	const bytea *found;

	if (given == NULL || arrival->nulls[COLUMN_SHA256])
		return true;
	found = DatumGetByteaPP(arrival->values[COLUMN_SHA256]);
	if (VARSIZE_ANY_EXHDR(given) == VARSIZE_ANY_EXHDR(found) &&
		memcmp(VARDATA_ANY(given), VARDATA_ANY(found), VARSIZE_ANY_EXHDR(found)) == 0)
		return true;
	arrival_set(arrival, COLUMN_REJECTED, CStringGetTextDatum("changed"));
	arrival_set(arrival, COLUMN_REJECTED_DETAIL,
				CStringGetTextDatum(psprintf("its sha256 is %s, and %s was given",
											 digest_words(found), digest_words(given))));
	return false;
}
