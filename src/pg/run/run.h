/*
 * run.h
 *	  What starts requests: workers, their launcher, drains, and sessions that generate.
 */
#ifndef LLAVA_RUN_H
#define LLAVA_RUN_H

#include "process/process.h"

/* ---- launcher.c, worker.c ---- */

extern void launcher_register(void);	/* from _PG_init while preloading */
extern PGDLLEXPORT void llava_launcher_main(Datum arg);
extern PGDLLEXPORT void llava_worker_main(Datum arg);

extern const SharedPart vacancies_shared;

#endif							/* LLAVA_RUN_H */
