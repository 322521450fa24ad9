/*
 * intake.h
 *	  What comes in: pictures, and rows of the queue by a person's hand.
 */
#ifndef LLAVA_INTAKE_H
#define LLAVA_INTAKE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "db/db.h"

/* $1 a sha256: the picture that has been taken in with it, and the words of its takedown. */
extern SqlStatement sql_seen_find;

/*
 * $1 a picture's id.  Locked against llava_forget until what follows from it is
 * committed.
 */
extern SqlStatement sql_image_state;

/*
 * The bytes of the file whose row comes next, which llava_load does not read since it is
 * over the limit; else -1.
 */
extern int64 intake_unread_size;

/* A row that is restored: itself, or one that says that the picture was taken down. */
extern HeapTuple intake_restored(HeapTuple tuple, TupleDesc desc);

#endif							/* LLAVA_INTAKE_H */
