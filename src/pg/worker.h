/*
 * worker.h
 *	  What launcher.c and worker.c share.
 */
#ifndef LLAVA_WORKER_H
#define LLAVA_WORKER_H

#include "postmaster/bgworker.h"

/* In bgw_extra: which database, and which of its slots. */
typedef struct WorkerTarget
{
	char		database[NAMEDATALEN];
	int			slot;
} WorkerTarget;

/* A worker that is not restarted and notifies this process. */
extern void worker_describe(BackgroundWorker *worker, const char *database, int slot);

#endif							/* LLAVA_WORKER_H */
