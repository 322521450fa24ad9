/*
 * copy_rewrite.h
 *	  Rewrites a COPY with format jsonl as one with core's csv format over one column.
 */
#ifndef LLAVA_COPY_REWRITE_H
#define LLAVA_COPY_REWRITE_H

#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

/* Whether the lines of a COPY are to be one array. */
extern bool copy_wants_array(const CopyStmt *statement);

/* The same statement as core's csv. */
extern PlannedStmt *copy_rewrite(PlannedStmt *original, const char *source);

/*
 * Called after each analysis of a query: puts llava_jsonl_line in place of the call that a
 * rewritten COPY TO makes.  If another module's hook prevents this, that call is an ERROR.
 */
extern void copy_bind_line(Query *query);

#endif							/* LLAVA_COPY_REWRITE_H */
