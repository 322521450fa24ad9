/*
 * copy_array.h
 *	  COPY TO with format jsonl and FORCE_ARRAY: one JSON array of the lines.
 */
#ifndef LLAVA_COPY_ARRAY_H
#define LLAVA_COPY_ARRAY_H

#include "tcop/dest.h"

/* Where a COPY's lines go on their way to core's COPY. */
typedef struct CopyArray
{
	DestReceiver receiver;		/* must be first */
	DestReceiver *copy;			/* core's; NULL: the query has not begun */
	struct TupleTableSlot *slot;	/* of a line that is made here */
	struct StringInfoData *line;
	uint64		lines;
} CopyArray;

/*
 * The next query whose rows go to core's COPY is this array's; NULL: no array's.  Returns
 * what was waited for until then.
 */
extern CopyArray *copy_array_await(CopyArray *array);

/* A palloc'd one. */
extern CopyArray *copy_array_new(void);

/* ERROR unless its query was written as an array. */
extern void copy_array_check(const CopyArray *array);

extern void copy_array_install(void);	/* the ExecutorRun hook, once */

#endif							/* LLAVA_COPY_ARRAY_H */
