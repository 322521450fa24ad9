/*
 * follow.h
 *	  What the files of llava_follow share.
 */
#ifndef LLAVA_FOLLOW_H
#define LLAVA_FOLLOW_H

#include "ledger.h"

typedef struct Follow
{
	MemoryContext context;		/* of the whole call */
	List	   *tasks;			/* of TaskFollower: the newest of each task,
								 * after NULL where it follows none */
	int			batch;
	int64		done;			/* rows that were looked at */
	Work	   *work;
} Follow;

/* One transaction of the call: from *last on, which it moves.  False: that was the last. */
typedef bool (*FollowStep) (Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum);

/* Rows of the task itself, though what it follows has no result yet. */
extern bool follow_exchange(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum);

/* Results of the task that it follows. */
extern bool follow_results(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum);

/* Of a task that follows none any more: rows that rest behind its condition, and pictures. */
extern bool follow_freed_rows(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum);
extern bool follow_freed_pictures(Follow *follow, const TaskFollower *task, int64 *last, TaskOwed *sum);

/* How many those two would queue. */
extern int64 follow_count_freed(const TaskFollower *task);

/* The first of the task's chain; NULL: it has none, as a restore could bring it. */
extern const char *follow_first(const Follow *follow, const TaskFollower *task);

#endif							/* LLAVA_FOLLOW_H */
