/*
 * intake.h
 *	  Statements that intake.c and enqueue.c share.
 */
#ifndef LLAVA_INTAKE_H
#define LLAVA_INTAKE_H

#include "db/db.h"


/* $1 a sha256: the picture that has been taken in with it, and the words of its takedown. */
extern SqlStatement sql_seen_find;

/*
 * $1 a picture's id.  Locked against llava_forget until what follows from it is
 * committed.
 */
extern SqlStatement sql_image_state;

#endif							/* LLAVA_INTAKE_H */
