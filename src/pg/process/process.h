/*
 * process.h
 *	  How a process waits, how it is woken, and what it shows of itself.
 */
#ifndef LLAVA_PROCESS_H
#define LLAVA_PROCESS_H

#include "access/xlogdefs.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "vlm/vlm.h"

/* backend_type of this extension's workers in pg_stat_activity. */
#define WORKER_TYPE "llava_zh worker"
#define FETCHER_TYPE "llava_zh fetcher"

/* ---- shared memory, where llava_zh is preloaded ---- */

/* A part of it, which src/shmem.c requests, fills with zeros and hands out. */
typedef struct SharedPart
{
	const char *name;
	Size		size;
	const int  *count;			/* how many times the size; NULL: once */
	void	  **memory;			/* is set to where the part begins */
	void		(*init) (void); /* sets what is not zero at first; or NULL */
} SharedPart;

extern const SharedPart flush_shared;
extern const SharedPart meter_shared;
extern const SharedPart task_counters_shared;
extern const SharedPart wake_shared;
extern const SharedPart work_shared;

/* The locks of the tranche "llava_zh". */
typedef enum SharedLock
{
	SHARED_LOCK_LIMITS,
	SHARED_LOCK_SLOTS,
	SHARED_LOCK_TASKS,
	SHARED_LOCK_WORK,
	SHARED_LOCK_FETCH,
	SHARED_LOCKS
}			SharedLock;

static inline LWLock *
shared_lock(SharedLock lock)
{
	return &GetNamedLWLockTranche("llava_zh")[lock].lock;
}

/* ---- work.c: how far a long call is ---- */

typedef struct Work Work;

/*
 * Shows how far a call of this function is, until work_end or the end of the memory
 * context.  things: what is counted, in the plural; total: how many there are, -1 if that
 * is unknown.  NULL if a call around this one is shown already.
 */
extern Work *work_begin(MemoryContext context, const char *name, const char *things, int64 total);

/* So many are done by now.  Does nothing if work is NULL. */
extern void work_done(Work *work, int64 done);
extern void work_end(Work *work);

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

/* ---- clock_step.c ---- */

/* Milliseconds of a clock that cannot be set. */
extern int64 clock_monotonic_ms(void);

/* By how much the machine's clock was set since the last call, forward or (negative) back. */
extern int64 clock_step_ms(void);

/* ---- wake.c: tells the workers at commit that rows were queued ---- */

/* Notes that this transaction has queued rows that are due at this time. */
extern void wake_at_commit(TimestampTz visible_at);

/*
 * Sets *earliest to the smallest visible_at that was committed for this database since the
 * last call: DT_NOEND if nothing was, DT_NOBEGIN if there were too many commits to know.
 * Returns false if that is not tracked for this database.
 */
extern bool wake_take_queued(TimestampTz *earliest);

/* ---- stop.c ---- */

/* From now on SIGTERM gives this worker time to settle and give back its calls. */
extern void stop_watch(void);
extern bool stop_wanted(void);	/* SIGTERM came: send nothing more */
extern void stop_now(void);		/* ends the process, like die() */

/* ---- postponed.c: work that failed and will be repeated, for the log and pg_stat_activity ---- */

typedef enum Postponed
{
	POSTPONED_CLAIM,
	POSTPONED_SETTLE
} Postponed;

/*
 * Notes that the work failed with this error and will be repeated.  Returns true if the
 * message differs from the last failure's, so that the caller should log it.
 */
extern bool postponed_note(Postponed work, const ErrorData *error);

/* Notes that the work succeeded.  Returns true if it was postponed until now. */
extern bool postponed_done(Postponed work);

/* Text for pg_stat_activity about postponed work, else NULL. */
extern const char *postponed_activity(void);

/* Forgets all failures, when a loop begins or has ended. */
extern void postponed_forget(void);

/* ---- task_counters.c: requests in flight for each task, over the loops of all processes ---- */

typedef struct TaskCounter TaskCounter;

/*
 * This process's counter of a task; never NULL, and valid until task_counters_give_back.
 * ERROR if there is no memory.
 */
extern TaskCounter *task_counter(const char *task);

/* The same if this process has one already, else NULL. */
extern TaskCounter *task_counter_known(const char *task);

/* Adds to the number of requests in flight; change may be negative.  Never an ERROR. */
extern void task_counter_add(TaskCounter *counter, int change);

/*
 * Notes a task's first reply about a picture, of whichever process; reason NULL: accepted.
 * True if this one has made the version hopeless (vlm_streak_note).
 */
extern bool task_counter_note(TaskCounter *counter, int version, const char *reason);

/* Whether a process has found the version hopeless. */
extern bool task_counter_is_hopeless(const TaskCounter *counter, int version);

/* That is written down, so that it ends when what is written does; and whether it is. */
extern void task_counter_written(TaskCounter *counter, int version);
extern bool task_counter_is_written(const TaskCounter *counter, int version);

/* Begins anew: what was written is gone. */
extern void task_counter_forgive(TaskCounter *counter);

/* Ends all counters of this process, when its loop ends. */
extern void task_counters_give_back(void);

#endif							/* LLAVA_PROCESS_H */
