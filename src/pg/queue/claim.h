/*
 * claim.h
 *	  What a claim consists of.  claim.c decides when to claim, and runs the transaction;
 *	  claim_rows.c turns rows into calls, claim_start.c hands the calls to the preparing
 *	  threads.  The others are checks and repairs in the claim's transaction.
 */
#ifndef LLAVA_CLAIM_H
#define LLAVA_CLAIM_H

#include "loop.h"

/*
 * Claims up to wanted rows of these tasks, as calls in CALL_CLAIMED.  Returns the number
 * of rows, including those put aside for want of their picture (absent.c).
 */
extern int	claim_others_first(Loop *loop, ArrayType *tasks, int wanted);

/* After the claim's commit, never before: starts its calls. */
extern void claim_start(Loop *loop, XLogRecPtr claimed_at);

/* Before a claim: whether it must wait for a restore.  Logs the wait once. */
extern bool restore_is_awaited(Loop *loop);

/*
 * Makes rows due that would wait longer than any back-off or lease lasts, unless a live
 * process holds them.  Handles a limited number of rows, and sets Loop.far_ahead if it
 * found any.
 */
extern void clock_bring_back(Loop *loop);

/* Logs once that there are pictures which were never taken in. */
extern void untaken_look(Loop *loop);

/* Skips call ids if the server's timeline has changed since the last claim in this database. */
extern void timeline_check(Loop *loop);

/* Like holders_release: every llava_zh.naptime while the queue has no row that is due. */
extern void holders_look(Loop *loop);

/* Puts rows back into the queue whose pictures have arrived. */
extern void absent_release(Loop *loop, ArrayType *tasks);

/* Tells absent.c that a claim has put aside this number of rows. */
extern void absent_note(Loop *loop, uint64 rows);

/*
 * After a claim of these tasks that found nothing: if the first row that is due is locked,
 * finds and reports the process that holds the lock.
 */
extern void in_the_way_of_claim(Loop *loop, ArrayType *tasks);

#endif							/* LLAVA_CLAIM_H */
