/*
 * absent.h
 *	  Rows of the queue whose pictures have no row in llava_image wait until they have.
 */
#ifndef LLAVA_ABSENT_H
#define LLAVA_ABSENT_H

#include "utils/array.h"
#include "utils/timestamp.h"

struct Loop;

typedef struct AbsentPictures
{
	TimestampTz look_at;		/* whether some have come, next */
	int64		rows;			/* that wait, at the last look */
	bool		said;
	char		activity[128];
} AbsentPictures;

/* In a claim's transaction, before the claim: what waited for a picture that is here now goes back to the queue. */
extern void absent_release(struct Loop *loop, ArrayType *tasks);

/* A claim has put aside so many rows. */
extern void absent_note(struct Loop *loop, uint64 rows);

/* What this process shows that rows wait for; NULL: nothing. */
extern const char *absent_activity(const struct Loop *loop);

#endif							/* LLAVA_ABSENT_H */
