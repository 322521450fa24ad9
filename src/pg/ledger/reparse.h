/*
 * reparse.h
 *	  One call of llava_reparse: reparse.c walks the ledger, reparse_sample.c changes
 *	  samples.
 */
#ifndef LLAVA_REPARSE_H
#define LLAVA_REPARSE_H

#include "stored_reply.h"

typedef struct Reparse
{
	MemoryContext context;		/* of the call: survives commits */
	char	   *task;			/* or NULL: all */
	int			batch;
	int64		image;			/* the last reply looked at */
	int64		id;

	/* for the report */
	int64		replies;
	int64		accepted;		/* samples made */
	int64		withdrawn;
	int64		rewritten;		/* samples whose text or flags changed */
	List	   *changes;
} Reparse;

/* Applies what follows from a verdict that changed. */
extern void reparse_apply(Reparse *reparse, const Stored *stored, List *tasks);

extern void reparse_rewrite(Reparse *reparse, const Stored *stored, bool flags_too);

#endif							/* LLAVA_REPARSE_H */
