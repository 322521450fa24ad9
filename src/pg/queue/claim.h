/*
 * claim.h
 *	  Shared by the three files of a claim: claim.c decides when to claim, claim_rows.c
 *	  turns rows into calls, claim_start.c hands the calls to the preparing threads.
 */
#ifndef LLAVA_CLAIM_H
#define LLAVA_CLAIM_H

#include "loop.h"

/*
 * Claims up to wanted rows of these tasks, as calls in CALL_CLAIMED.  Returns the number
 * of rows, including those put aside for want of their picture (absent.c).  Must run in
 * the claim's transaction.
 */
extern int	claim_others_first(Loop *loop, ArrayType *tasks, int wanted);

/* After the claim's commit, never before: starts its calls. */
extern void claim_start(Loop *loop, XLogRecPtr claimed_at);

/* After a rollback: frees the calls in CALL_CLAIMED. */
extern void claim_discard(Loop *loop);

#endif							/* LLAVA_CLAIM_H */
