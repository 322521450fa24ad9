/*
 * blockers.h
 *	  A function that waits for locks waits for a time and says who holds them.
 */
#ifndef LLAVA_BLOCKERS_H
#define LLAVA_BLOCKERS_H

/*
 * Does the work under the session's lock_timeout, or one of ten seconds if there is
 * none.  If a lock could not be had in that time, the ERROR names who was in the way.
 * What the work's triggers SET is undone.
 */
extern void blockers_run(const char *function, void (*work) (void *arg), void *arg);

#endif							/* LLAVA_BLOCKERS_H */
