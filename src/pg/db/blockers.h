/*
 * blockers.h
 *	  A function that waits for locks waits for a limited time and reports who holds
 *	  them.
 */
#ifndef LLAVA_BLOCKERS_H
#define LLAVA_BLOCKERS_H

#include "storage/lock.h"

/*
 * Does the work under the session's lock_timeout, or one of ten seconds if there is none.
 * If a lock cannot be taken in that time, the ERROR names who was in the way. What the
 * work's triggers SET is undone.
 */
extern void blockers_run(const char *function, void (*work) (void *arg), void *arg);

/*
 * The parts of it.  Between begin and end the lock that is awaited is noted every few
 * milliseconds; who has it can be asked after the wait has failed.
 */
extern void blockers_note_begin(int every_ms);
extern void blockers_note_end(void);

/* A process in the way of a lock. */
typedef struct Blocker
{
	LOCKTAG		tag;			/* the lock that was awaited */
	int			pid;			/* the process that holds it, or awaits it
								 * ahead of us; 0: a prepared transaction */
	int			first;			/* the process at the end of the chain of
								 * waits, which waits for none; pid itself if
								 * it does not wait */
} Blocker;

/* False if no wait was noted, or the lock was released meanwhile. */
extern bool blockers_find(Blocker *blocker);

/* The pid of the process that holds the most locks, and how many. */
extern int	blockers_greediest(int *locks);

#endif							/* LLAVA_BLOCKERS_H */
