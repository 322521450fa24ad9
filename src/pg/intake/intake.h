/*
 * intake.h
 *	  What comes in: pictures, and rows that a person queues.
 */
#ifndef LLAVA_INTAKE_H
#define LLAVA_INTAKE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "db/db.h"

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
