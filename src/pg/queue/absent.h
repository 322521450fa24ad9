/*
 * absent.h
 *	  Queue rows whose picture has no row in llava_image wait until that row appears.
 */
#ifndef LLAVA_ABSENT_H
#define LLAVA_ABSENT_H

#include "utils/array.h"
#include "utils/timestamp.h"

struct Loop;

typedef struct AbsentPictures
{
	TimestampTz look_at;		/* next check for arrived pictures */
	int64		rows;			/* waiting rows, at the last check */
	bool		said;			/* the log has been told */
	char		activity[128];	/* for pg_stat_activity */
} AbsentPictures;

/*
 * Puts rows back into the queue whose pictures have arrived.  Call it in a claim's
 * transaction, before the claim.
 */
extern void absent_release(struct Loop *loop, ArrayType *tasks);

/* Tells this file that a claim has put aside this number of rows. */
extern void absent_note(struct Loop *loop, uint64 rows);

/* Text for pg_stat_activity if rows wait for pictures, else NULL. */
extern const char *absent_activity(const struct Loop *loop);

#endif							/* LLAVA_ABSENT_H */
