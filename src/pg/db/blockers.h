/*
 * blockers.h
 *	  A function that waits for locks waits for a time and says who holds them.
 */
#ifndef LLAVA_BLOCKERS_H
#define LLAVA_BLOCKERS_H

#include "storage/lock.h"

/*
 * Does the work under the session's lock_timeout, or one of ten seconds if there is
 * none.  If a lock could not be had in that time, the ERROR names who was in the way.
 * What the work's triggers SET is undone.
 */
extern void blockers_run(const char *function, void (*work) (void *arg), void *arg);

/*
 * The parts of it.  Between begin and end the lock that is awaited is noted every few
 * milliseconds; who has it can be asked after the wait has failed.
 */
extern void blockers_note_begin(int every_ms);
extern void blockers_note_end(void);

/* Who is in the way of a lock. */
typedef struct Blocker
{
	LOCKTAG		tag;			/* the lock that was awaited */
	int			pid;			/* who has it, or awaits it in front of us; 0:
								 * a prepared transaction */
	int			first;			/* who, at the end of a chain of waits, waits
								 * for nobody; pid, if that does not wait */
} Blocker;

/* False: no wait was noted, or they have let go meanwhile. */
extern bool blockers_find(Blocker *blocker);

/* Pid of who holds the most locks of all, and how many. */
extern int	blockers_greediest(int *locks);

#endif							/* LLAVA_BLOCKERS_H */
