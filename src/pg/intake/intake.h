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

/* ---- from_url.c ---- */

/* A URL as it is queued; refused: why it is not (static). */
typedef struct IntakeUrl
{
	const char *refused;
	char	   *normal;
	char	   *host;			/* scheme, host and port */
	struct varlena *digest;		/* sha256 of normal, as bytea */
} IntakeUrl;

extern void intake_url(const char *text, size_t size, IntakeUrl *url);

/* ---- arrive.c: what was fetched ---- */

/*
 * Puts the bytes of a picture that was fetched into its row, judged as an INSERT's are, and
 * queues it.  False: the row is gone, or has a picture already.  expected: the sha256 that
 * was given, or NULL.
 */
extern bool intake_arrive(int64 image, const void *bytes, size_t size, struct varlena *expected);

/* The row's URL has the picture of this one, or is why there is none. */
extern void intake_same_url(int64 image, int64 first);
extern void intake_url_forgotten(int64 image, const char *words);

/* Words about the takedown of this URL, palloc'd; NULL: it was not taken down. */
extern char *intake_find_forgotten(struct varlena *digest);

/* The row of llava_image that is given its picture just now; 0: none. */
extern int64 intake_arriving;

#endif							/* LLAVA_INTAKE_H */
