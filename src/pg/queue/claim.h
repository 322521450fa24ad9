/*
 * claim.h
 *	  What a claim consists of.  claim.c decides when to claim, and runs the transaction;
 *	  claim_rows.c turns rows into calls, claim_start.c hands the calls to the preparing
 *	  threads.  The others are checks and repairs in the claim's transaction.
 */
#ifndef LLAVA_CLAIM_H
#define LLAVA_CLAIM_H

#include "destinations.h"

/*
 * Claims up to wanted rows for the destination, as calls in CALL_CLAIMED.  Returns the number
 * of rows, including those put aside for want of their picture (absent.c).
 */
extern int	claim_others_first(Loop *loop, Destination *destination, int wanted);

/*
 * The rows of up to n groups in the order of the queue, from a place on: a part of a
 * statement, which gets the groups' tasks, pins and prohibitions as $1 to $3, and the place
 * as $4 and $5.  Each group is one scan of the index, which reads no row but its own; the
 * scans are merged.  A group that is not there compares with NULL, and is not read.
 */
#define GROUP_ROWS(n) \
	"(SELECT q.ctid AS spot, q.visible_at, q.image FROM @.llava_pending q" \
	"  WHERE q.failure IS NULL AND q.task = ($1)[" #n "] AND q.server = ($2)[" #n "]" \
	"   AND q.not_server = ($3)[" #n "] AND q.visible_at <= pg_catalog.now()" \
	"   AND (q.visible_at, q.image) >= ($4, $5) ORDER BY q.visible_at, q.image)"
#define GROUPS_ROWS_1 GROUP_ROWS(1)
#define GROUPS_ROWS_4 GROUP_ROWS(1) " UNION ALL " GROUP_ROWS(2) " UNION ALL " GROUP_ROWS(3) \
	" UNION ALL " GROUP_ROWS(4)
#define GROUPS_ROWS_16 GROUPS_ROWS_4 " UNION ALL " GROUP_ROWS(5) " UNION ALL " GROUP_ROWS(6) \
	" UNION ALL " GROUP_ROWS(7) " UNION ALL " GROUP_ROWS(8) " UNION ALL " GROUP_ROWS(9) \
	" UNION ALL " GROUP_ROWS(10) " UNION ALL " GROUP_ROWS(11) " UNION ALL " GROUP_ROWS(12) \
	" UNION ALL " GROUP_ROWS(13) " UNION ALL " GROUP_ROWS(14) " UNION ALL " GROUP_ROWS(15) \
	" UNION ALL " GROUP_ROWS(16)

/* A statement for each number of groups, and the one for this many. */
#define FOR_GROUPS(STATEMENT) {STATEMENT(GROUPS_ROWS_1), STATEMENT(GROUPS_ROWS_4), STATEMENT(GROUPS_ROWS_16)}
#define OF_GROUPS(statements, n) (&(statements)[(n) <= 1 ? 0 : (n) <= 4 ? 1 : 2])
StaticAssertDecl(MAX_GROUPS == 16, "there is a statement for as many groups");

/* ---- read_ahead.c ---- */

/* Tells the kernel to read the pictures that will be claimed next.  In the claim's transaction. */
extern void read_ahead(Loop *loop, Destination *destination);

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
 * After a claim that found nothing for a destination: if the first row that is due is
 * locked, finds and reports the process that holds the lock.
 */
extern void in_the_way_of_claim(Loop *loop);

#endif							/* LLAVA_CLAIM_H */
