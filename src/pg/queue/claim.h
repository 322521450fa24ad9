/*
 * claim.h
 *	  What the files of a claim share: claim.c says when, claim_rows.c takes rows,
 *	  claim_start.c puts the calls on their way.
 */
#ifndef LLAVA_CLAIM_H
#define LLAVA_CLAIM_H

#include "loop.h"

/*
 * Takes up to wanted rows of these tasks as calls in CALL_CLAIMED; how many, rows that
 * were put aside among them.  In the claim's transaction.
 */
extern int	claim_others_first(Loop *loop, ArrayType *tasks, int wanted);

/* Only a committed claim is acted upon: this one is. */
extern void claim_start(Loop *loop, XLogRecPtr claimed_at);

/* The claim was rolled back. */
extern void claim_discard(Loop *loop);

#endif							/* LLAVA_CLAIM_H */
