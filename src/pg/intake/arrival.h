/*
 * arrival.h
 *	  A row on its way into llava_image.
 */
#ifndef LLAVA_ARRIVAL_H
#define LLAVA_ARRIVAL_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "image/image.h"

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
	WRITTEN,
	COLUMN_ID = WRITTEN,
	COLUMN_PATH,
	COLUMNS
};

/* All columns, those of WRITTEN to be stored. */
typedef struct Arrival
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	bytea	   *given_sha256;	/* by the writer; or NULL */
} Arrival;

/* ---- arrival.c ---- */

/* The number of each column in the table. */
extern void arrival_find_columns(TupleDesc desc, int *columns);

/* Only what the writer gave is kept: facts are found anew, and a sha256 is held against them. */
extern void arrival_read(Arrival *arrival, const int *columns, HeapTuple tuple, TupleDesc desc);

extern void arrival_set(Arrival *arrival, int column, Datum value);
extern void arrival_set_null(Arrival *arrival, int column);

/* ---- image_facts.c ---- */

/*
 * Size, sha256, header facts, and whether the picture can be asked about.  A file
 * over the size limit is not even fetched, and lands without its bytes.
 */
extern bool arrival_find_facts(Arrival *arrival, const ImageLimits *limits);

/*
 * The sha256 that the writer gave is that of the bytes, or they are not the picture that
 * was meant, whatever else they are.  Of bytes that were not read nothing is known.
 */
extern bool arrival_has_given_digest(Arrival *arrival);

#endif							/* LLAVA_ARRIVAL_H */
