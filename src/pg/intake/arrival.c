/*
 * arrival.c
 *	  A row on its way into llava_image: its columns.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "intake.h"

static const char *const column_names[COLUMNS] = {
	[COLUMN_IMAGE] = "image",
	[COLUMN_IN_FILE] = "in_file",
	[COLUMN_TASK] = "task",
	[COLUMN_SHA256] = "sha256",
	[COLUMN_FORMAT] = "format",
	[COLUMN_WIDTH] = "width",
	[COLUMN_HEIGHT] = "height",
	[COLUMN_CHANNELS] = "channels",
	[COLUMN_BITS] = "bits",
	[COLUMN_ORIENTATION] = "orientation",
	[COLUMN_PROGRESSIVE] = "progressive",
	[COLUMN_ANIMATED] = "animated",
	[COLUMN_COMPLETE] = "complete",
	[COLUMN_BYTES] = "bytes",
	[COLUMN_REJECTED] = "rejected",
	[COLUMN_REJECTED_DETAIL] = "rejected_detail",
	[COLUMN_SAME_AS] = "same_as",
	[COLUMN_SAME_DISTANCE] = "same_distance",
	[COLUMN_RECEIVED_AT] = "received_at",
	[COLUMN_ROWS] = "rows",
	[COLUMN_FILE_TIME] = "file_time",
	[COLUMN_ID] = "id",
	[COLUMN_PATH] = "path",
	[COLUMN_SOURCE_URL] = "source_url",
};

int
arrival_find_columns(TupleDesc desc, int *columns)
{
	for (int i = 0; i < COLUMNS; i++)
	{
		columns[i] = SPI_fnumber(desc, column_names[i]);
		if (columns[i] <= 0 && i != COLUMN_ROWS && i != COLUMN_FILE_TIME)
			elog(ERROR, "table \"llava_image\" has no column \"%s\"", column_names[i]);
	}
	return columns[COLUMN_FILE_TIME] > 0 ? WRITTEN : COLUMN_ROWS;
}

void
arrival_read(Arrival *arrival, const int *columns, HeapTuple tuple, TupleDesc desc)
{
	static const int given[] = {COLUMN_ID, COLUMN_IMAGE, COLUMN_PATH, COLUMN_TASK, COLUMN_SOURCE_URL};
	Datum		sha256;
	bool		isnull;

	memset(arrival->nulls, true, sizeof(arrival->nulls));
	memset(arrival->values, 0, sizeof(arrival->values));
	for (int i = 0; i < lengthof(given); i++)
		arrival->values[given[i]] = heap_getattr(tuple, columns[given[i]], desc,
												 &arrival->nulls[given[i]]);
	sha256 = heap_getattr(tuple, columns[COLUMN_SHA256], desc, &isnull);
	arrival->given_sha256 = isnull ? NULL : DatumGetByteaPP(sha256);
}

void
arrival_set(Arrival *arrival, int column, Datum value)
{
	arrival->values[column] = value;
	arrival->nulls[column] = false;
}

void
arrival_set_null(Arrival *arrival, int column)
{
	arrival->values[column] = (Datum) 0;
	arrival->nulls[column] = true;
}
