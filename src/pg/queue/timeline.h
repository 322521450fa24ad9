/*
 * timeline.h
 *	  Makes sure that a call id of the failed server is not used again after a failover.
 */
#ifndef LLAVA_TIMELINE_H
#define LLAVA_TIMELINE_H

struct Loop;

/*
 * Skips call ids if the server's timeline has changed since the last claim in this
 * database.  Call it in a claim's transaction, before the claim.
 */
extern void timeline_check(struct Loop *loop);

#endif							/* LLAVA_TIMELINE_H */
