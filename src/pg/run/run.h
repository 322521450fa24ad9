/*
 * run.h
 *	  What starts requests: workers, their launcher, drains, and sessions that generate.
 */
#ifndef LLAVA_RUN_H
#define LLAVA_RUN_H

#include "fmgr.h"

/* ---- launcher.c, worker.c ---- */

extern void launcher_register(void);	/* from _PG_init while preloading */
extern PGDLLEXPORT void llava_launcher_main(Datum arg);
extern PGDLLEXPORT void llava_worker_main(Datum arg);

/* ---- vacancies.c ---- */

extern Size vacancies_memory(void);
extern void vacancies_start_up(void *memory, bool found);

#endif							/* LLAVA_RUN_H */
