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
	bool		or_nobody;		/* not needed where another has the slot */
} WorkerTarget;

/*
 * A worker that is not restarted and notifies this process.  or_nobody: it ends where
 * another has the slot, in place of standing by.
 */
extern void worker_describe(BackgroundWorker *worker, const char *database, int slot,
							bool or_nobody);

/* ---- vacancies.c ---- */

/* The launcher: this worker does not run, and why; NULL: there is nothing to tell of it. */
extern void vacancies_tell(const WorkerTarget *target, const char *why);
extern void vacancies_forget(void);

#endif							/* LLAVA_WORKER_H */
