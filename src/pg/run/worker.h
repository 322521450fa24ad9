/*
 * worker.h
 *	  What launcher.c and worker.c share.
 */
#ifndef LLAVA_WORKER_H
#define LLAVA_WORKER_H

#include "compat.h"
#include "postmaster/bgworker.h"

/* In bgw_extra: the database and the slot. */
typedef struct WorkerTarget
{
	char		database[NAMEDATALEN];
	int			slot;
	bool		or_nobody;		/* it ends where another has the slot */
} WorkerTarget;

/*
 * A worker that is not restarted and that notifies this process.  With or_nobody it ends
 * if another has the slot, and does not stand by.
 */
extern void worker_describe(BackgroundWorker *worker, const char *database, int slot,
							bool or_nobody);

/* An exit after FATAL finds the SQLSTATE that was reported last; sets the error context. */
extern void worker_watch_errors(void);

/* Ends a process of llava_start() where the extension that it was started for is gone. */
extern void worker_end_without_extension(const WorkerTarget *target);

/* The longest wait, in ms: a process of llava_start() looks for its extension meanwhile. */
extern long worker_naptime(const WorkerTarget *target);

/* ---- fetch_loop.c ---- */

/* Runs the fetcher in this process, for ever. */
pg_noreturn extern void worker_fetch(const WorkerTarget *target);

#endif							/* LLAVA_WORKER_H */
