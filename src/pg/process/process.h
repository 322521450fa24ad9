/*
 * process.h
 *	  How a process waits, how it is woken, and what it shows of itself.
 */
#ifndef LLAVA_PROCESS_H
#define LLAVA_PROCESS_H

#include "access/xlogdefs.h"
#include "fmgr.h"
#include "postponed.h"
#include "task_counters.h"
#include "utils/timestamp.h"
#include "vlm/vlm.h"

/* backend_type of this extension's workers in pg_stat_activity. */
#define WORKER_TYPE "llava_zh worker"
#define FETCHER_TYPE "llava_zh fetcher"

/* ---- transport.c: the request pool in a PostgreSQL process ---- */

/* This process's pool, made or enlarged to hold this many connections. */
extern VlmPool *transport_pool(int max_connections);

/* Whether one more request gets a socket at once; without one it would wait in the pool. */
extern bool transport_has_room(void);

/*
 * Sleeps until the pool, the extra descriptor (the image pool's; -1: none), the latch or
 * the timeout (ms, -1: none) needs attention.  Then resets the latch, runs
 * CHECK_FOR_INTERRUPTS and steps the pool.  Returns true if the latch was set.
 */
extern bool transport_wait(int extra_fd, long timeout_ms);

/* To be called when the extra descriptor is closed: its number may be reused. */
extern void transport_forget_extra(void);

/* Serves the sockets without waiting, in the middle of long work. */
extern void transport_serve(void);

/* Whether long work should call transport_serve now. */
extern bool transport_is_overdue(void);

/* ---- meter.c: counters of this process's loop, for llava_stat_worker ---- */

extern Size meter_memory(void);
extern void meter_start_up(void *memory, bool found);

/* Nothing is counted before meter_begin, or where there is no shared memory. */
extern void meter_begin(void);
extern void meter_end(void);

/* Whether that process has a meter, which means that it drains. */
extern bool meter_has(int pid);

/* Counts commits that queued rows. */
extern void meter_woken(uint64 commits);

/*
 * Counts a look at the sockets.  away_us: the time since the previous look, 0 if no
 * request was in flight.
 */
extern void meter_look(int64 away_us);

/* ---- flush.c: flushes commits without making the loop wait ---- */

extern Size flush_memory(void);
extern void flush_start_up(void *memory, bool found);

/* For the launcher: it offers to flush from now on, and flushes what was asked for. */
extern void flush_begin(void);
extern void flush_serve(void);

/* Whether llava_zh is preloaded; if not, the two functions below must not be called. */
extern bool flush_is_shared(void);

/*
 * flush_ask requests a flush up to this position.  flush_is_done tells whether it is done;
 * if not, this process's latch will be set when it is.  The launcher may die before that,
 * so the caller must look again every FLUSH_LOOK_MS.
 */
#define FLUSH_LOOK_MS 10
extern void flush_ask(XLogRecPtr upto);
extern bool flush_is_done(XLogRecPtr upto);

/* ---- wake.c: tells the workers at commit that rows were queued ---- */

extern Size wake_memory(void);
extern void wake_start_up(void *memory, bool found);

/* Whether this cluster preloads llava_zh. */
extern bool wake_is_shared(void);

/* Notes that this transaction has queued rows that are due at this time. */
extern void wake_at_commit(TimestampTz visible_at);

/*
 * Sets *earliest to the smallest visible_at that was committed for this database since the
 * last call: DT_NOEND if nothing was, DT_NOBEGIN if there were too many commits to know.
 * Returns false if that is not tracked for this database.
 */
extern bool wake_take_queued(TimestampTz *earliest);

/* The locks of the tranche "llava_zh". */
typedef enum SharedLock
{
	SHARED_LOCK_LIMITS,
	SHARED_LOCK_SLOTS,
	SHARED_LOCK_TASKS,
	SHARED_LOCKS
}			SharedLock;

/* ---- stop.c ---- */

/* From now on SIGTERM gives this worker time to settle and give back its calls. */
extern void stop_watch(void);
extern bool stop_wanted(void);	/* SIGTERM came: send nothing more */
extern void stop_now(void);		/* ends the process, like die() */

#endif							/* LLAVA_PROCESS_H */
