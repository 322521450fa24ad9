/*
 * copy_rewrite.h
 *	  A COPY with format jsonl as one of core's csv format over one column.
 */
#ifndef LLAVA_COPY_REWRITE_H
#define LLAVA_COPY_REWRITE_H

#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

/* The same statement as core's csv. */
extern PlannedStmt *copy_rewrite(PlannedStmt *original, const char *source);

/*
 * After each analysis of a query: llava_jsonl_line in the place of the call that a
 * rewritten COPY TO makes.  Where somebody else's hook keeps this from being called,
 * that call is an ERROR.
 */
extern void copy_bind_line(Query *query);

#endif							/* LLAVA_COPY_REWRITE_H */
