/*
 * export_images.c
 *	  llava_export_images: the pictures of an export as files, under the names its lines
 *	  give them.
 *
 * Existing files are skipped, so an interrupted call can simply be repeated.  Everything
 * is read with the caller's rights; each picture in a snapshot of its own, one at a time.
 */
#include "postgres.h"

#include <sys/stat.h>

#include "export.h"
#include "image_folder.h"
#include "miscadmin.h"
#include "picture/picture.h"
#include "process/process.h"
#include "utils/builtins.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(llava_export_images);

#define FETCH_ROWS 100
#define CHOICES 7				/* arguments of sql_export_images */

enum
{
	ARG_DIRECTORY,
	ARG_PREPARED,
	ARG_CHOICE,					/* and those after it */
	ARG_WEIGHTS = ARG_CHOICE + CHOICES - 1	/* since 1.1.0 */
};

enum
{
	RESULT_WRITTEN,
	RESULT_PRESENT,
	RESULT_MISSING,
	RESULT_BYTES,
	RESULT_COLUMNS
};

typedef struct ExportImages
{
	ImageFolder folder;
	bool		prepared;		/* as the model was sent them, not as they
								 * came */
	MemoryContext file_context; /* of one file */
	char	   *last_name;		/* the name before, and whose it was */
	int64		last_image;
	bytea	   *last_sha256;	/* or NULL */
	int64		counts[RESULT_COLUMNS];
	int64		first_missing;
	const char *why_missing;
} ExportImages;

/* What a picture is, without its bytes. */
typedef struct ImageFacts
{
	int64		size;			/* -1: there are no bytes */
	bytea	   *sha256;			/* or NULL */
	bool		prepared;		/* it is written as the model was sent it */
} ImageFacts;

/* The length without a look at the bytes. */
static SqlStatement sql_export_image_facts = {
	.text =
	"SELECT CASE WHEN in_file THEN bytes ELSE pg_catalog.octet_length(image) END, sha256,"
	"  complete IS FALSE OR coalesce(format OPERATOR(pg_catalog.=) 'avif', false)"
	"  FROM @.llava_image WHERE id OPERATOR(pg_catalog.=) $1",
	.types = "l"
};

/* Pillow reads no file that ends early and, before 11.3, no AVIF: those are always prepared. */
static ImageFacts
image_facts(const ExportImages *export, int64 image)
{
	Datum		id = Int64GetDatum(image);
	ImageFacts	facts = {-1, NULL, export->prepared};
	bool		no_bytes;
	bool		no_hash;
	bool		is_null;

	if (sql_run(&sql_export_image_facts, &id, NULL, 1) > 0)
	{
		Datum		size = sql_value(1, &no_bytes);
		Datum		hash = sql_value(2, &no_hash);

		if (!no_bytes)
			facts.size = DatumGetInt64(size);
		if (!no_hash)
			facts.sha256 = DatumGetByteaPCopy(hash);
		facts.prepared |= DatumGetBool(sql_value(3, &is_null));
	}
	SPI_freetuptable(SPI_tuptable);
	return facts;
}

/* Whether this name was just written for the same picture; ERROR if it was for another. */
static bool
images_is_known(ExportImages *export, const char *name, int64 image, const ImageFacts *facts)
{
	if (export->last_name == NULL || strcmp(export->last_name, name) != 0)
		return false;
	if (export->last_image == image)
		return true;
	if (facts->sha256 != NULL && export->last_sha256 != NULL &&
		datumIsEqual(PointerGetDatum(facts->sha256), PointerGetDatum(export->last_sha256), false, -1))
		return true;
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("images %lld and %lld have the same path \"%s\" and different bytes",
					(long long) export->last_image, (long long) image, name),
			 errhint("Export with image_name => 'sha256', or change a path.")));
}

static void
remember(ExportImages *export, const char *name, int64 image, const ImageFacts *facts)
{
	MemoryContext old = MemoryContextSwitchTo(export->folder.context);

	if (export->last_name != NULL)
		pfree(export->last_name);
	if (export->last_sha256 != NULL)
		pfree(export->last_sha256);
	export->last_name = pstrdup(name);
	export->last_image = image;
	export->last_sha256 = NULL;
	if (facts->sha256 != NULL)
		export->last_sha256 = DatumGetByteaPCopy(PointerGetDatum(facts->sha256));
	MemoryContextSwitchTo(old);
}

/* Whether the file exists; ERROR if it cannot be this picture's. */
static bool
is_present(ExportImages *export, const char *name, const char *file, const ImageFacts *facts)
{
	int64		there = folder_file_size(&export->folder, name, file);

	if (there < 0)
		return false;
	if (facts->prepared ? there == 0 : there != facts->size)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_FILE),
				 errmsg("file \"%s/%s\" exists and is not of this export", export->folder.path, name),
				 errdetail("It has %lld bytes, the picture has %lld.", (long long) there,
						   (long long) facts->size),
				 errhint("Export into another directory, or remove it.")));
	return true;
}

bytea *
export_prepared_bytes(bytea *bytes)
{
	ImageError	error;
	ImageFit	fit;

	config_image_fit(&fit);
	/* as llava_prepare_image does by default */
	image_fit_defaults(&fit, IMAGE_FACTOR);
	return image_prepared_bytes(bytes, &fit, NULL, &error);
}

static SqlStatement sql_export_image_bytes = {
	.text =
	"SELECT @.llava_image_bytes($1)",
	.types = "l"
};

struct varlena *
export_image_bytes(int64 image)
{
	Datum		id = Int64GetDatum(image);
	Datum		bytes = (Datum) 0;
	bool		is_null = true;

	if (sql_run(&sql_export_image_bytes, &id, NULL, 1) > 0)
		bytes = sql_value(1, &is_null);
	return is_null ? NULL : (struct varlena *) DatumGetPointer(bytes);
}

/* NULL if it was written; else why not. */
static const char *
write_image(ExportImages *export, int64 image, const char *name, const char *file,
			const ImageFacts *facts)
{
	struct varlena *stored = export_image_bytes(image);
	bytea	   *bytes;

	if (stored == NULL)
		return "its bytes are gone";
	bytes = DatumGetByteaPP(PointerGetDatum(stored));
	if (facts->prepared)
		bytes = export_prepared_bytes(bytes);
	if (bytes == NULL)
		return "it cannot be decoded";
	folder_write(&export->folder, name, file, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	export->counts[RESULT_BYTES] += VARSIZE_ANY_EXHDR(bytes);
	export->counts[RESULT_WRITTEN]++;
	return NULL;
}

static void
take_image(ExportImages *export, int64 image, const char *name)
{
	ImageFacts	facts = image_facts(export, image);
	const char *why_missing = "its bytes are gone";

	if (images_is_known(export, name, image, &facts))
		return;
	remember(export, name, image, &facts);
	if (facts.size >= 0)
	{
		const char *file = folder_enter(&export->folder, name);

		if (is_present(export, name, file, &facts))
		{
			export->counts[RESULT_PRESENT]++;
			return;
		}
		why_missing = write_image(export, image, name, file, &facts);
	}
	if (why_missing != NULL && export->counts[RESULT_MISSING]++ == 0)
	{
		export->first_missing = image;
		export->why_missing = why_missing;
	}
}

/* One picture, in the memory of one file. */
static void
images_take_row(ExportImages *export, HeapTuple row, TupleDesc desc)
{
	MemoryContext old = MemoryContextSwitchTo(export->file_context);
	bool		is_null;
	int64		image = DatumGetInt64(SPI_getbinval(row, desc, 1, &is_null));
	char	   *name = TextDatumGetCString(SPI_getbinval(row, desc, 2, &is_null));

	CHECK_FOR_INTERRUPTS();
	SPI_connect();
	take_image(export, image, name);
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextReset(export->file_context);
}

#define EXPORT_IMAGES(WEIGHTS) \
	"SELECT (s.sample).image, (s.sample).file_name" \
	" FROM (SELECT @.llava_export_list($1, $2, $3, $4, $5, $6, NULL::bigint" WEIGHTS ") AS sample" \
	"  OFFSET 0) s" \
	" ORDER BY (s.sample).file_name COLLATE pg_catalog.\"C\", (s.sample).image"

static SqlStatement sql_export_images = {
	.text =
	EXPORT_IMAGES(", $7"),
	.types = "TTBtdtj"
};

/* Under the schema of 1.0.0, until it is updated. */
static SqlStatement sql_export_images_1_0 = {
	.text =
	EXPORT_IMAGES(""),
	.types = "TTBtdt"
};

static void
take_all(ExportImages *export, Datum *values, const char *nulls)
{
	Work	   *work = work_begin(CurrentMemoryContext, "llava_export_images", "images", -1);
	int64		done = 0;
	SqlStatement *statement = extension_older_version() == NULL ? &sql_export_images :
	&sql_export_images_1_0;
	Portal		cursor = sql_open(statement, values, nulls);

	for (;;)
	{
		SPITupleTable *rows;

		SPI_cursor_fetch(cursor, true, FETCH_ROWS);
		rows = SPI_tuptable;
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < rows->numvals; i++)
		{
			images_take_row(export, rows->vals[i], rows->tupdesc);
			work_done(work, ++done);
		}
		SPI_freetuptable(rows);
	}
	SPI_cursor_close(cursor);
	work_end(work);
	folder_sync(&export->folder);
}

static void
images_check_call(FunctionCallInfo fcinfo)
{
	folder_check_role();
	if (PG_ARGISNULL(ARG_DIRECTORY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("directory is NULL"),
				 errhint("SELECT * FROM llava_export_images('/data/export');")));
}

static Datum
result_row(FunctionCallInfo fcinfo, const ExportImages *export)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	if (export->counts[RESULT_MISSING] > 0)
		ereport(WARNING,
				(errmsg_plural("%lld image of the export was not written",
							   "%lld images of the export were not written",
							   (unsigned long) export->counts[RESULT_MISSING],
							   (long long) export->counts[RESULT_MISSING]),
				 errdetail("The first is image %lld: %s.", (long long) export->first_missing,
						   export->why_missing)));
	for (int i = 0; i < RESULT_COLUMNS; i++)
		values[i] = Int64GetDatum(export->counts[i]);
	return rows_result(fcinfo, values, nulls);
}

/*
 * llava_export_images(directory text, prepared boolean, and llava_export's choice of
 * samples and names): one file an image; how many were written, existed, and are missing.
 */
Datum
llava_export_images(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	ExportImages export = {0};
	Datum		values[CHOICES] = {0};
	char		nulls[CHOICES];
	mode_t		mask;

	images_check_call(fcinfo);
	export.prepared = !PG_ARGISNULL(ARG_PREPARED) && PG_GETARG_BOOL(ARG_PREPARED);
	export.file_context = AllocSetContextCreate(CurrentMemoryContext, "llava_export_images file",
												ALLOCSET_DEFAULT_SIZES);
	memset(nulls, 'n', CHOICES);
	for (int i = 0; ARG_CHOICE + i < Min(PG_NARGS(), ARG_WEIGHTS + 1); i++)
	{
		values[i] = PG_GETARG_DATUM(ARG_CHOICE + i);
		nulls[i] = PG_ARGISNULL(ARG_CHOICE + i) ? 'n' : ' ';
	}
	/* as COPY TO a file */
	mask = umask(S_IWGRP | S_IWOTH);
	PG_TRY();
	{
		folder_open(&export.folder, text_to_cstring(PG_GETARG_TEXT_PP(ARG_DIRECTORY)));
		SPI_connect();
		take_all(&export, values, nulls);
		SPI_finish();
	}
	PG_FINALLY();
	{
		umask(mask);
		folder_close(&export.folder);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return result_row(fcinfo, &export);
}
