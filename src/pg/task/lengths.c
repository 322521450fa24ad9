/*
 * lengths.c
 *	  Limits on the length of values that people write.
 *
 * One value of hundreds of megabytes in one row would make the card, a view or pg_dump
 * fail for everybody.  The limits are held where a value comes in, not by CHECK
 * constraints: rows of 1.0.0 and restored rows stay as they are.  Sizes are those of the
 * value before compression, so no value is fetched to be measured.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "db/db.h"
#include "task.h"
#include "utils/datum.h"

typedef struct LengthLimit
{
	const char *table;
	const char *column;
	Size		most;			/* bytes */
	const char *hint;
} LengthLimit;

#define HINT_URL "It is where the picture was found. The bytes of a data: URL belong into the column image."
#define HINT_WORD "Choose a shorter one."

/* An index on path takes 2,704 bytes at most; names of files have 255, paths 4,095. */
static const LengthLimit limits[] = {
	{"llava_image", "path", 2048,
	"It is your name for the picture, such as 'shops/0001.jpg'."},
	{"llava_image", "source_url", 8192, HINT_URL},
	{"llava_image", "page_url", 8192, HINT_URL},
	{"llava_image", "licence", 4096,
	"Give its name or its address, such as 'CC BY 4.0'; the text itself belongs into a table of your own."},
	{"llava_image", "task", 256, "It is the name or alias of a task."},
	{"llava_image", "meta", 1024 * 1024,
	"What is larger belongs into a table of your own, with the id of the picture."},
	{"llava_conversation", "note", 32 * 1024,
	"What is longer belongs into a table of your own, with the image and task of the sample."},
	{"llava_seen", "forgotten_reason", 4096,
	"It is kept for each copy of the picture: say where the letter is to be found, not what it says."},
	{"llava_task", "name", 256, HINT_WORD},
	{"llava_task", "alias", 256, HINT_WORD},
	{"llava_task", "title", 1024, HINT_WORD},
	{"llava_task", "server", 256, "It is the name of a server."},
	{"llava_task", "prompt", 128 * 1024, "It is sent with every picture."},
	{"llava_task", "questions", 1024 * 1024, "One of them is drawn for each picture."},
};

static void
check_length(const LengthLimit *limit, Datum value)
{
	Size		size = toast_raw_datum_size(value) - VARHDRSZ;

	if (size > limit->most)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("value too long for column \"%s\" of \"%s\": %zu bytes, and the limit is %zu",
						limit->column, limit->table, size, limit->most),
				 errhint("%s", limit->hint)));
}

static bool
is_of(const LengthLimit *limit, const char *table)
{
	return strcmp(limit->table, table) == 0;
}

void
lengths_check(const char *table, const char *column, Datum value)
{
	for (int i = 0; i < lengthof(limits); i++)
		if (is_of(&limits[i], table) && strcmp(limits[i].column, column) == 0)
			check_length(&limits[i], value);
}

/* The value of the limit's column; false if it is NULL. */
static bool
limited_value(const LengthLimit *limit, HeapTuple row, TupleDesc desc, Datum *value)
{
	int			number = SPI_fnumber(desc, limit->column);
	bool		isnull;

	if (number <= 0)
		elog(ERROR, "table \"%s\" has no column \"%s\"", limit->table, limit->column);
	*value = heap_getattr(row, number, desc, &isnull);
	return !isnull;
}

void
lengths_check_row(const char *table, HeapTuple row, TupleDesc desc)
{
	Datum		value;

	for (int i = 0; i < lengthof(limits); i++)
		if (is_of(&limits[i], table) && limited_value(&limits[i], row, desc, &value))
			check_length(&limits[i], value);
}

void
lengths_check_update(const char *table, TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Datum		before,
				after;

	for (int i = 0; i < lengthof(limits); i++)
		if (is_of(&limits[i], table) &&
			limited_value(&limits[i], trigger->tg_newtuple, desc, &after) &&
		/* a row of 1.0.0 may keep its value */
			!(limited_value(&limits[i], trigger->tg_trigtuple, desc, &before) &&
			  datumIsEqual(before, after, false, -1)))
			check_length(&limits[i], after);
}
