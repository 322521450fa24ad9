/*
 * stall.h
 *	  Reports why a loop sends nothing although rows are due.
 */
#ifndef LLAVA_STALL_H
#define LLAVA_STALL_H

#include "queue.h"

/* To be called when a loop begins. */
extern void stall_begin(void);

/* To be called when there is progress: a picture was prepared, sent or answered. */
extern void stall_progress(void);

/*
 * To be called once a turn.  If there was no progress for llava_zh.stall_report although
 * rows are due, a worker logs the reason and shows it in pg_stat_activity, and llava_drain
 * raises a NOTICE.  Runs a transaction of its own.
 */
extern void stall_look(Loop *loop);

/* Text for pg_stat_activity while the process stands still, else NULL. */
extern const char *stall_activity(void);

#endif							/* LLAVA_STALL_H */
