/*
 * image_bytes.c
 *	  llava_image_bytes: a row's picture, wherever its bytes are.
 */
#include "postgres.h"

#include "db/db.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_image_bytes);

/*
 * The file's bytes, in this context; NULL, with a NOTICE, if it is not as it was at
 * intake.
 */
static bytea *
bytes_of_file(int64 image, const char *path, const bytea *sha256, int64 size,
			  MemoryContext context)
{
	ImageFile	file = {llava_image_directory, unconstify(char *, path), (size_t) size, {0}};
	uint8_t    *data;
	bytea	   *bytes;
	ImageError	error;

	if (VARSIZE_ANY_EXHDR(sha256) != IMAGE_SHA256_SIZE || size < 0 ||
		size > (int64) llava_image_max_size * 1024)
		return NULL;
	memcpy(file.sha256, VARDATA_ANY(sha256), IMAGE_SHA256_SIZE);

	/*
	 * first, since no ERROR may be raised while the file's bytes are ours to
	 * free
	 */
	bytes = MemoryContextAllocHuge(context, VARHDRSZ + (Size) size);
	SET_VARSIZE(bytes, VARHDRSZ + (Size) size);
	if (image_file_read_known(&file, 0, &data, &error) != IMAGE_OK)
	{
		ereport(NOTICE,
				(errmsg("image " INT64_FORMAT ": %s", image, error.message)));
		return NULL;
	}
	memcpy(VARDATA(bytes), data, (Size) size);
	free(data);
	return bytes;
}

/* Runs with the caller's search_path and rights. */
static SqlStatement sql_image_bytes = {
	.text =
	"SELECT image, CASE WHEN in_file THEN path END, sha256, bytes FROM @.llava_image"
	" WHERE id OPERATOR(pg_catalog.=) $1",
	.types = "l"
};

/*
 * llava_image_bytes(image bigint): NULL where there is no such row, its bytes are
 * gone, or its file is missing or another.  With the caller's rights on llava_image.
 */
Datum
llava_image_bytes(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		id = PG_GETARG_DATUM(0);
	bytea	   *bytes = NULL;

	rows_spi_connect();
	if (sql_run(&sql_image_bytes, &id, NULL, 1) == 1)
	{
		Datum		values[4];
		bool		nulls[4];

		for (int i = 0; i < lengthof(values); i++)
			values[i] = sql_value(i + 1, &nulls[i]);
		if (!nulls[0])
		{
			MemoryContextSwitchTo(caller);
			bytes = DatumGetByteaPCopy(values[0]);
		}
		else if (!nulls[1] && !nulls[2] && !nulls[3])
			bytes = bytes_of_file(DatumGetInt64(id), TextDatumGetCString(values[1]),
								  DatumGetByteaPP(values[2]), DatumGetInt64(values[3]), caller);
	}
	SPI_finish();
	if (bytes == NULL)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(bytes);
}
