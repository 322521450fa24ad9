/*
 * task_counters.h
 *	  Counts the requests in flight for each task, over the loops of all processes.
 *
 * The counters are in shared memory, keyed by database and a hash of the task's name.  A
 * process subtracts its requests when its loop ends, or when it exits.  Nothing is counted
 * unless llava_zh is preloaded, nor for tasks that find the table full.
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

/* Adds to the number of requests in flight; change may be negative.  Never an ERROR. */
extern void task_counter_add(TaskCounter *counter, int change);

/* Ends all counters of this process, when its loop ends. */
extern void task_counters_give_back(void);

#endif							/* LLAVA_TASK_COUNTERS_H */
