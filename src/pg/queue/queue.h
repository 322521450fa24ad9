/*
 * queue.h
 *	  One process draining the queue: rows are claimed, sent and settled.
 */
#ifndef LLAVA_QUEUE_H
#define LLAVA_QUEUE_H

#include "image/image.h"
#include "server/server.h"
#include "utils/timestamp.h"

typedef struct Loop Loop;

/* holder: a worker's slot, or minus the pid of a session, which CALLs a procedure. */
extern Loop *loop_new(int holder, bool in_procedure);
extern void loop_free(Loop *loop);

/* What a drain is about: at most limit calls (-1: no limit), one task, one server; NULL: any. */
extern void loop_set_scope(Loop *loop, int64 limit, const char *only_task, const char *only_server);

/* What is in flight is waited for; what was not sent goes back. */
extern void loop_claim_no_more(Loop *loop);

/* One turn: settle, prepare, send, claim, then one wait of at most max_ms. */
extern void loop_turn(Loop *loop, long max_ms);

/* Servers and tasks are looked at in the next turn. */
extern void loop_look_soon(Loop *loop);

/*
 * After an ERROR that ended a turn: nothing is claimed or settled for a while.  What is in
 * flight goes on.
 */
extern void loop_rest(Loop *loop, int ms);

/* Whether nothing is held and nothing more can be claimed now. */
extern bool loop_is_over(Loop *loop);

/*
 * The last turn: settles what has arrived, as far as it can be settled now, and gives
 * back what was not sent.
 */
extern void loop_wind_up(Loop *loop);

/* Rows that became samples or failed since the loop began. */
extern void loop_counts(const Loop *loop, uint64 *accepted, uint64 *failed);

/* A drain has ended: what is done then, and why rows may still wait, as NOTICEs. */
extern void loop_finish(Loop *loop);

/* ---- holders.c: who holds leases: a worker by its slot, a session by minus its pid ---- */

/*
 * A session that drains is known as such from holders_begin to holders_end, to the
 * processes of this database; holders_keep, now and then, in between.
 */
extern void holders_begin(void);
extern void holders_keep(void);
extern void holders_end(void);

/*
 * The leases of holders that live no more go back to the queue, and those that carry
 * this process's number and are not its own: once as soon as the extension is here, and
 * after a restore; a transaction of its own.
 */
extern void holders_release(Loop *loop);

/* ---- for callers without a loop ---- */

/* Once a process: note catalogue changes; the number of those noted, never 0. */
extern void servers_watch(void);
extern uint64 servers_version(void);

/* Whose limits a server's are, by its owner. */
extern LimitsRank server_rank(Oid owner);

/* Tells the limits what is recorded. */
extern void server_read_usage(const LlavaServer *server, Limits *limits);

/* So many characters are pause_detail, and an outcome's detail. */
#define BLAME_HINT_SIZE 320

/* How the model's thinking is switched off. */
extern void blame_thinking_hint(const LlavaServer *server, char *hint, Size size);

#endif							/* LLAVA_QUEUE_H */
