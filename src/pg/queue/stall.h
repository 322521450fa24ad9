/*
 * stall.h
 *	  A worker that does nothing although rows are due says why.
 */
#ifndef LLAVA_STALL_H
#define LLAVA_STALL_H

#include "queue.h"

/* A loop begins. */
extern void stall_begin(void);

/* A call came a step nearer to its end: one was prepared, sent or answered. */
extern void stall_progress(void);

/*
 * Once a turn.  If there was no progress for llava_zh.stall_report and rows are due, the
 * log says why, and so does the process's activity; a session that drains is told.
 * A transaction of its own.
 */
extern void stall_look(Loop *loop);

/* What this process shows that it waits for; NULL: it does not stand still. */
extern const char *stall_activity(void);

#endif							/* LLAVA_STALL_H */
