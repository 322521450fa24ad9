/*
 * hopeless.h
 *	  Stops tasks whose first replies are all rejected (hopeless.c).
 */
#ifndef LLAVA_HOPELESS_H
#define LLAVA_HOPELESS_H

#include "loop.h"

/* Counts the verdict on a call that was answered. */
extern void hopeless_note(Loop *loop, const Call *call);

/* The server is to blame for the verdict on this call and those before: they say nothing of the task. */
extern void hopeless_forgive(const Call *call);

/* Whether the call must not be sent. */
extern bool hopeless_holds(const Call *call);

/*
 * Writes down what was found since, in a claim's transaction; if true, hopeless_written
 * follows its commit.
 */
extern bool hopeless_write(Loop *loop);
extern void hopeless_written(void);

/* Reads which tasks are stopped, in a transaction; and whether a task is. */
extern void hopeless_read(List *tasks);
extern bool hopeless_waits(const LlavaTask *task);

/* Tells the caller of llava_drain of the tasks that it has left. */
extern void hopeless_tell(const Loop *loop);

#endif							/* LLAVA_HOPELESS_H */
