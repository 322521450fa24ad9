/*
 * arrive.c
 *	  A picture that was fetched comes into the row that has waited for it.
 *
 * It is judged as one that an INSERT brings: facts, sameness, takedowns, the draw of its
 * task.  Bytes whose row is gone are dropped.
 */
#include "postgres.h"

#include "access/table.h"
#include "db/db.h"
#include "executor/spi.h"
#include "intake.h"
#include "utils/builtins.h"
#include "utils/rel.h"

int64		intake_arriving;

/* Locked until the row has its picture. */
static SqlStatement sql_arrive_row = {
	.text =
	"SELECT task FROM @.llava_image WHERE id = $1 AND image IS NULL AND NOT in_file"
	"  AND sha256 IS NULL AND same_as IS NULL AND rejected IS NULL FOR UPDATE",
	.types = "l"
};

#define ARRIVE_ARGUMENTS(ARGUMENT) \
	ARGUMENT(2, ARRIVE_IMAGE, "image", "b") \
	ARGUMENT(3, ARRIVE_TASK, "task", "t") \
	ARGUMENT(4, ARRIVE_SHA256, "sha256", "b") \
	ARGUMENT(5, ARRIVE_FORMAT, "format", "t") \
	ARGUMENT(6, ARRIVE_WIDTH, "width", "i") \
	ARGUMENT(7, ARRIVE_HEIGHT, "height", "i") \
	ARGUMENT(8, ARRIVE_CHANNELS, "channels", "i") \
	ARGUMENT(9, ARRIVE_BITS, "bits", "i") \
	ARGUMENT(10, ARRIVE_ORIENTATION, "orientation", "i") \
	ARGUMENT(11, ARRIVE_PROGRESSIVE, "progressive", "B") \
	ARGUMENT(12, ARRIVE_ANIMATED, "animated", "B") \
	ARGUMENT(13, ARRIVE_COMPLETE, "complete", "B") \
	ARGUMENT(14, ARRIVE_BYTES, "bytes", "l") \
	ARGUMENT(15, ARRIVE_REJECTED, "rejected", "t") \
	ARGUMENT(16, ARRIVE_REJECTED_DETAIL, "rejected_detail", "t") \
	ARGUMENT(17, ARRIVE_SAME_AS, "same_as", "l") \
	ARGUMENT(18, ARRIVE_ROWS, "rows", "i")

enum
{
	ARRIVE_ID,
	ARRIVE_ARGUMENTS(SQL_INDEX)
	ARRIVE_SIZE
};

static SqlStatement sql_arrive = {
	.text =
	"UPDATE @.llava_image SET in_file = false" ARRIVE_ARGUMENTS(SQL_SET) " WHERE id = $1",
	.types = "l" ARRIVE_ARGUMENTS(SQL_TYPE)
};

static const int arrive_columns[ARRIVE_SIZE] = {
	[ARRIVE_ID] = COLUMN_ID,
	[ARRIVE_IMAGE] = COLUMN_IMAGE,
	[ARRIVE_TASK] = COLUMN_TASK,
	[ARRIVE_SHA256] = COLUMN_SHA256,
	[ARRIVE_FORMAT] = COLUMN_FORMAT,
	[ARRIVE_WIDTH] = COLUMN_WIDTH,
	[ARRIVE_HEIGHT] = COLUMN_HEIGHT,
	[ARRIVE_CHANNELS] = COLUMN_CHANNELS,
	[ARRIVE_BITS] = COLUMN_BITS,
	[ARRIVE_ORIENTATION] = COLUMN_ORIENTATION,
	[ARRIVE_PROGRESSIVE] = COLUMN_PROGRESSIVE,
	[ARRIVE_ANIMATED] = COLUMN_ANIMATED,
	[ARRIVE_COMPLETE] = COLUMN_COMPLETE,
	[ARRIVE_BYTES] = COLUMN_BYTES,
	[ARRIVE_REJECTED] = COLUMN_REJECTED,
	[ARRIVE_REJECTED_DETAIL] = COLUMN_REJECTED_DETAIL,
	[ARRIVE_SAME_AS] = COLUMN_SAME_AS,
	[ARRIVE_ROWS] = COLUMN_ROWS,
};

static void
store(const Intake *intake, const Arrival *arrival)
{
	Datum		values[ARRIVE_SIZE];
	char		nulls[ARRIVE_SIZE + 1];

	for (int i = 0; i < ARRIVE_SIZE; i++)
	{
		values[i] = arrival->values[arrive_columns[i]];
		nulls[i] = arrival->nulls[arrive_columns[i]] ? 'n' : ' ';
	}
	nulls[ARRIVE_SIZE] = '\0';
	intake_arriving = DatumGetInt64(values[ARRIVE_ID]);
	PG_TRY();
	{
		(void) rows_run_as_owner(intake->image, &sql_arrive, values, nulls);
	}
	PG_FINALLY();
	{
		intake_arriving = 0;
	}
	PG_END_TRY();
}

bool
intake_arrive(int64 image, const void *bytes, size_t size, struct varlena *expected)
{
	Datum		id = Int64GetDatum(image);
	Relation	table = table_open(extension_relation("llava_image"), AccessShareLock);
	Intake		intake;
	Arrival		arrival;
	const char *task = NULL;
	bool		isnull;
	Datum		given;

	intake_set_up(&intake, table);
	table_close(table, NoLock);
	if (rows_run_as_owner(intake.image, &sql_arrive_row, &id, NULL) == 0)
		return false;
	memset(&arrival, 0, sizeof(arrival));
	memset(arrival.nulls, true, sizeof(arrival.nulls));
	given = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		task = TextDatumGetCString(given);
		arrival_set(&arrival, COLUMN_TASK, given);
	}
	arrival_set(&arrival, COLUMN_ID, id);
	arrival_set(&arrival, COLUMN_IMAGE, PointerGetDatum(rows_bytea(bytes, size)));
	arrival.given_sha256 = expected;
	intake_judge(&arrival, &intake, task, true);
	store(&intake, &arrival);
	return true;
}

static SqlStatement sql_same_url = {
	.text =
	"UPDATE @.llava_image SET same_as = $2 WHERE id = $1 AND image IS NULL AND sha256 IS NULL",
	.types = "ll"
};

/* The first one of its copies is theirs too. */
void
intake_same_url(int64 image, int64 first)
{
	Datum		values[2] = {Int64GetDatum(image), Int64GetDatum(first)};

	(void) rows_run_as_owner(extension_relation("llava_image"), &sql_same_url, values, NULL);
}

static SqlStatement sql_row_forgotten = {
	.text =
	"UPDATE @.llava_image SET rejected = 'forgotten', rejected_detail = $2"
	" WHERE id = $1 AND image IS NULL AND sha256 IS NULL",
	.types = "lt"
};

void
intake_url_forgotten(int64 image, const char *words)
{
	Datum		values[2] = {Int64GetDatum(image), CStringGetTextDatum(words)};

	(void) rows_run_as_owner(extension_relation("llava_image"), &sql_row_forgotten, values, NULL);
}
