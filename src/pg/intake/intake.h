/*
 * intake.h
 *	  What comes in: pictures, and rows that a person queues.
 */
#ifndef LLAVA_INTAKE_H
#define LLAVA_INTAKE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "db/db.h"

/* ---- a row on its way into llava_image ---- */

/* The columns intake reads or writes; the first WRITTEN of them it writes. */
enum
{
	COLUMN_IMAGE,
	COLUMN_IN_FILE,
	COLUMN_TASK,
	COLUMN_SHA256,
	COLUMN_FORMAT,
	COLUMN_WIDTH,
	COLUMN_HEIGHT,
	COLUMN_CHANNELS,
	COLUMN_BITS,
	COLUMN_ORIENTATION,
	COLUMN_PROGRESSIVE,
	COLUMN_ANIMATED,
	COLUMN_COMPLETE,
	COLUMN_BYTES,
	COLUMN_REJECTED,
	COLUMN_REJECTED_DETAIL,
	COLUMN_SAME_AS,
	COLUMN_SAME_DISTANCE,
	COLUMN_RECEIVED_AT,
	COLUMN_ROWS,
	WRITTEN,
	COLUMN_ID = WRITTEN,
	COLUMN_PATH,
	COLUMNS
};

/* All columns; the first WRITTEN of them are stored. */
typedef struct Arrival
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bytea	   *given_sha256;	/* what the INSERT gave; or NULL */
} Arrival;

/* ---- arrival.c ---- */

/*
 * Looks up the attribute number of each column; returns how many are written.  That is all
 * but the last where the table is 1.0.0's, which has no rows.
 */
extern int	arrival_find_columns(TupleDesc desc, int *columns);

/*
 * Reads the columns that an INSERT may give.  Facts about the picture are determined anew,
 * and a given sha256 is compared with that of the bytes.
 */
extern void arrival_read(Arrival *arrival, const int *columns, HeapTuple tuple, TupleDesc desc);

extern void arrival_set(Arrival *arrival, int column, Datum value);
extern void arrival_set_null(Arrival *arrival, int column);

/* ---- image_facts.c ---- */

/*
 * Sets size, sha256 and header facts; true if the picture can be sent to a model.  A
 * picture over the size limit is not even fetched, and its row is stored without bytes.
 */
extern bool arrival_find_facts(Arrival *arrival, const ImageLimits *limits);

/*
 * False, with the row rejected, if the INSERT gave a sha256 and the bytes have another:
 * they are not the picture that was meant.  Bytes that were not read are not compared.
 */
extern bool arrival_has_given_digest(Arrival *arrival);

/* ---- intake.c ---- */

/*
 * $1 is a sha256.  Returns the first picture that had it, and when and why that was taken
 * down.
 */
extern SqlStatement sql_seen_find;

/*
 * $1 is a picture's id.  The row is locked against llava_forget until what follows from it
 * is committed.
 */
extern SqlStatement sql_image_state;

/*
 * The size of the file whose row is inserted next, if llava_load does not read it since it
 * is over the limit; else -1.
 */
extern int64 intake_unread_size;

/*
 * The row that a restore stores: the one given, or one that says that its picture was
 * taken down.
 */
extern HeapTuple intake_restored(HeapTuple tuple, TupleDesc desc);

#endif							/* LLAVA_INTAKE_H */
