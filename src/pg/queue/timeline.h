/*
 * timeline.h
 *	  After a failover no call id of the failed server comes again.
 */
#ifndef LLAVA_TIMELINE_H
#define LLAVA_TIMELINE_H

struct Loop;

/*
 * In a claim's transaction, before the claim: leaves out call ids if the server is on
 * another timeline than at the last claim here.
 */
extern void timeline_check(struct Loop *loop);

#endif							/* LLAVA_TIMELINE_H */
