/*
 * task_counters.h
 *	  How many requests about each task are in flight: sent by a loop of any process
 *	  and not answered yet.
 *
 * With preloading the counters lie in shared memory, keyed by database and a hash of the
 * task's name; a process gives back what it has counted when its loop or it ends.
 * Without, or where the table is full, nothing is counted.
 */
#ifndef LLAVA_TASK_COUNTERS_H
#define LLAVA_TASK_COUNTERS_H

#include "c.h"

typedef struct TaskCounter TaskCounter;

/* ---- for src/shmem.c ---- */

extern Size task_counters_memory(void);
extern void task_counters_start_up(void *memory, bool found);

/*
 * This process's counter of a task; never NULL, and valid until task_counters_give_back.
 * ERROR if there is no memory.
 */
extern TaskCounter *task_counter(const char *task);

/* So many more requests are in flight, or fewer.  Never an ERROR. */
extern void task_counter_add(TaskCounter *counter, int change);

/* The loop of this process ends: all its counters do. */
extern void task_counters_give_back(void);

#endif							/* LLAVA_TASK_COUNTERS_H */
