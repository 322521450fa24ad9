/*
 * queue.h
 *	  The loop that drains the queue, for the workers and llava_drain: it claims rows,
 *	  sends their pictures and settles the replies.
 */
#ifndef LLAVA_QUEUE_H
#define LLAVA_QUEUE_H

#include "server/server.h"
#include "utils/timestamp.h"

typedef struct Loop Loop;

/* holder: a worker's slot, or minus the pid of a session that runs llava_drain. */
extern Loop *loop_new(int holder, bool in_procedure);
extern void loop_free(Loop *loop);

/* Restricts a drain: at most limit calls (-1: no limit), one task, one server (NULL: any). */
extern void loop_set_scope(Loop *loop, int64 limit, const char *only_task, const char *only_server);

/* Ends claiming: unsent rows go back to the queue, requests in flight are waited for. */
extern void loop_claim_no_more(Loop *loop);

/* One turn: runs the stages that are due, then waits once, for at most max_ms. */
extern void loop_turn(Loop *loop, long max_ms);

/* Reads servers and tasks in the next turn. */
extern void loop_look_soon(Loop *loop);

/*
 * After an ERROR that ended a turn: claims and settles nothing for this long.  Requests in
 * flight go on.
 */
extern void loop_rest(Loop *loop, int ms);

/* Whether no call is held and nothing more can be claimed now. */
extern bool loop_is_over(Loop *loop);

/*
 * The last turn: settles the responses that have arrived, as far as possible, and puts
 * all other rows back into the queue.
 */
extern void loop_wind_up(Loop *loop);

/* Rows that became samples, and rows that failed, since the loop began. */
extern void loop_counts(const Loop *loop, uint64 *accepted, uint64 *failed);

/* At the end of a drain: finishes up, and tells in NOTICEs why rows may still wait. */
extern void loop_finish(Loop *loop);

/* ---- holders.c: the holders of leases: a worker's slot, or minus a session's pid ---- */

/*
 * From holders_begin to holders_end other processes of this database know that this
 * session is draining.  In between it must call holders_keep now and then.
 */
extern void holders_begin(void);
extern void holders_keep(void);
extern void holders_end(void);

/*
 * Puts rows back into the queue whose holder is no live process, or bears this process's
 * number without being one of its calls.  Works once after the extension was found, and
 * once after a restore.  Runs a transaction of its own.
 */
extern void holders_release(Loop *loop);

/* ---- for callers without a loop ---- */

/* Size of the detail of a pause (server.h) and of an outcome (vlm.h). */
#define BLAME_HINT_SIZE 320

/* Writes a hint that tells how to switch off the model's thinking on this server. */
extern void blame_thinking_hint(const LlavaServer *server, char *hint, Size size);

/* Why rows wait whose task names no server. */
#define SERVERS_TAKE_NO_QUEUE \
	"no server takes rows that name none: ALTER SERVER ... OPTIONS (SET queue 'true')"

#endif							/* LLAVA_QUEUE_H */
