/*
 * process.h
 *	  How a process waits, is woken, and is seen.
 */
#ifndef LLAVA_PROCESS_H
#define LLAVA_PROCESS_H

#include "access/xlogdefs.h"
#include "fmgr.h"
#include "postponed.h"
#include "task_counters.h"
#include "utils/timestamp.h"
#include "vlm/vlm.h"

/* What pg_stat_activity calls a worker of ours in backend_type. */
#define WORKER_TYPE "llava_zh worker"

/* ---- transport.c: the request pool in a PostgreSQL process ---- */

/*
 * The process's pool and its wait.  transport_wait sleeps until the pool, the
 * extra descriptor (the image pool's; -1: none), the latch or the timeout (ms,
 * -1: none) needs attention, resets the latch, runs CHECK_FOR_INTERRUPTS and
 * steps the pool.  True if the latch was set.
 */
extern VlmPool *transport_pool(int max_connections);

/* Whether a socket is left for a request more; a request beyond would wait in the pool. */
extern bool transport_has_room(void);
extern bool transport_wait(int extra_fd, long timeout_ms);

/* The extra descriptor is closed; another may get its number. */
extern void transport_forget_extra(void);

/* Serves the sockets in the middle of something long, without waiting. */
extern void transport_serve(void);

/* Whether sockets in use have been left alone for longer than such work should. */
extern bool transport_is_overdue(void);

/* ---- meter.c: what the loop of this process tells llava_stat_worker ---- */

extern Size meter_memory(void);
extern void meter_start_up(void *memory, bool found);

/* Nothing is counted before meter_begin, or where there is no shared memory. */
extern void meter_begin(void);
extern void meter_end(void);

/* Whether that process has one: it drains. */
extern bool meter_has(int pid);

/* So many commits queued rows. */
extern void meter_woken(uint64 commits);

/*
 * The sockets are looked at again.  away_us: since they were looked at last, 0
 * where no request was in flight.
 */
extern void meter_look(int64 away_us);

/* ---- flush.c: commits reach the disk without the loop waiting ---- */

extern Size flush_memory(void);
extern void flush_start_up(void *memory, bool found);

/* The launcher: it flushes from now on, and what was asked for since the last call. */
extern void flush_begin(void);
extern void flush_serve(void);

/* Whether there is a launcher to ask; the others only where there is. */
extern bool flush_is_shared(void);

/*
 * Has the log flushed up to there, soon.  Where it is not yet, the latch is set when
 * it is; but the launcher may die: look again every FLUSH_LOOK_MS.
 */
#define FLUSH_LOOK_MS 10
extern void flush_ask(XLogRecPtr upto);
extern bool flush_is_done(XLogRecPtr upto);

/* ---- wake.c: "rows were queued", told at commit ---- */

extern Size wake_memory(void);
extern void wake_start_up(void *memory, bool found);

/* Whether this cluster preloads llava_zh. */
extern bool wake_is_shared(void);

/* Marks that this transaction queued rows visible from this time on. */
extern void wake_at_commit(TimestampTz visible_at);

/*
 * The smallest visible_at committed for this database since the last call; DT_NOEND:
 * nothing was, DT_NOBEGIN: so much was that it may be any.  False where nothing is
 * shared and nobody knows.
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

/* From now on SIGTERM leaves this worker time to put down what it holds. */
extern void stop_watch(void);
extern bool stop_wanted(void);	/* then nothing is sent any more */
extern void stop_now(void);

#endif							/* LLAVA_PROCESS_H */
