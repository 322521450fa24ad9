/*
 * forget.h
 *	  Pictures that go: forget.c clears the tables, forget_urls.c leaves the tombstones of
 *	  URLs, forget_calls.c is what SQL calls.
 */
#ifndef LLAVA_FORGET_H
#define LLAVA_FORGET_H

#include "nodes/pg_list.h"
/* Some pictures, which go in one transaction. */
typedef struct Forget
{
	/* what is asked */
	Datum	   *ids;
	int			n;
	Datum		reason;			/* of the tombstones; 0: none are left, and
								 * what the pictures are copies of stays */
	MemoryContext context;		/* for absent */

	/* what was done: added to what is there */
	uint64		images;			/* rows of llava_image that were deleted */
	uint64		others;			/* rows of other tables, deleted or changed */
	uint64		lines;			/* of recorded exports, which have them still */
	uint32		unanalyzed;		/* bits of tables whose statistics went */
	List	   *absent;			/* of int64 *: ids without a row */

	/* of the last transaction */
	long		locked_ms;
} Forget;

/* Waits for the tables' locks as blockers_run does; the function's name is for its errors. */
extern void forget_pictures(Forget *forget, const char *function);

/*
 * Leaves the tombstones of the ids without a row, whose rows were deleted before.  It reads
 * llava_seen from end to end.
 */
extern void forget_absent(Forget *forget, const char *function);

/* Leaves tombstones of the URLs that these ids' rows name.  SPI-connected. */
extern void forget_urls(Datum ids, Datum reason);

/* NOTICE of exports that have the pictures, if there are any. */
extern void forget_name_exports(const Forget *forget);

/* NOTICE that names the ANALYZE to run, if there is one. */
extern void forget_name_analyze(const Forget *forget);

#endif							/* LLAVA_FORGET_H */
