/*
 * worker.h
 *	  What launcher.c and worker.c share.
 */
#ifndef LLAVA_WORKER_H
#define LLAVA_WORKER_H

#include "postmaster/bgworker.h"

/* What pg_stat_activity calls a worker of ours in backend_type. */
#define WORKER_TYPE "llava_zh worker"

/* In bgw_extra: which database, and which of its slots. */
typedef struct WorkerTarget
{
	char		database[NAMEDATALEN];
	int			slot;
	bool		or_nobody;		/* not needed where another has the slot */
} WorkerTarget;

/*
 * A worker that is not restarted and notifies this process.  or_nobody: it ends where
 * another has the slot, in place of standing by.
 */
extern void worker_describe(BackgroundWorker *worker, const char *database, int slot,
							bool or_nobody);

#endif							/* LLAVA_WORKER_H */
