/*
 * loop.h
 *	  The Loop, and what the files of this folder offer each other.
 *
 * A claimed row is a Call.  It passes through the states of call.h in one direction, and
 * is freed when its settle has committed, or when it is parked as a near-duplicate.
 *
 * Loop has a part for each file, which only that file writes.  A file that wants to
 * change another's part calls a function of that file: settle.c calls claims_wake.
 */
#ifndef LLAVA_LOOP_H
#define LLAVA_LOOP_H

#include "absent.h"
#include "call.h"
#include "db/db.h"
#include "image/image.h"
#include "lib/ilist.h"
#include "queue.h"
#include "restore.h"
#include "server/server.h"
#include "servers.h"
#include "task/task.h"
#include "utils/array.h"
#include "vlm/vlm.h"

/* A place in the queue's order, between images. */
typedef struct QueuePlace
{
	TimestampTz visible_at;
	int64		image;
} QueuePlace;

/* A process that holds a lock which this loop waits for. */
typedef struct InTheWay
{
	int			pid;
	Oid			relation;		/* the locked table; InvalidOid: a row */
	TimestampTz since;			/* first seen in the way; 0: free entry */
	TimestampTz seen_at;		/* last seen in the way */
	bool		said;			/* it was reported */
} InTheWay;

#define MAX_IN_THE_WAY 8

/* The result of one step of a stage. */
typedef enum Step
{
	STEP_NOTHING,				/* there was nothing to do */
	STEP_DONE,
	STEP_GONE					/* the extension was dropped: nothing can be
								 * written */
} Step;

/* The arguments of llava_drain; NULL and -1 in a worker. */
typedef struct Scope
{
	const char *only_task;
	const char *only_server;
	int64		limit;			/* calls still to be claimed; -1: no limit */
} Scope;

/* call.c's: all calls of this process. */
typedef struct Calls
{
	dlist_head	lists[CALL_STATES]; /* Call: one list per state */
	int			held;			/* number of calls in all lists */
	int64		bytes;			/* of unsent pictures in memory */
	int64		picture_size;	/* running mean of claimed pictures */
} Calls;

/* servers.c's: the servers that this process may use. */
typedef struct Servers
{
	dlist_head	list;			/* ServerState */
	uint64		version;		/* of the catalogue, as loaded; 0: they must
								 * be loaded again */
	char	   *strangers;		/* names of the servers that it may not use,
								 * as logged last; "": none */
} Servers;

/* dispatch.c's: what calls need on their way to a reply. */
typedef struct Dispatch
{
	VlmPool    *pool;
	ImagePool  *images;
	bool		renewal_needed; /* a ready call's lease is too short to send
								 * it */
	TimestampTz files_away_until;	/* nothing is claimed before, since the
									 * directory of pictures could not be
									 * opened */
} Dispatch;

/* Claims have read the queue up to and including this row. */
typedef struct Cursor
{
	TimestampTz visible_at;
	int64		image;
	char	   *task;
} Cursor;

/* claim.c's: when and where rows are claimed. */
typedef struct Claims
{
	TaskSet    *tasks;			/* the newest */
	List	   *claimable;		/* names of the tasks of the last claim */
	Cursor		cursor;
	TimestampTz at;				/* when there may be rows to claim */
	TimestampTz look_at;		/* when servers and tasks are read, with or
								 * without rows to claim */
	TimestampTz full_pass_at;	/* when the cursor goes back to the start */
	TimestampTz next_due;		/* earliest visible_at of the waiting rows;
								 * DT_NOEND: none waits */
	bool		looked;			/* servers and tasks were read at least once */
	bool		dry;			/* a full pass found no row that is due */
	bool		lock_due;		/* rows that are due may be locked */
	bool		careful;		/* the last claim failed: read pictures one by
								 * one */
	int64		rare_looks_ms;	/* time of the next look_for_rare, by the
								 * monotonic clock */
} Claims;

/* read_ahead.c's: the last range of pictures that the kernel was told to read. */
typedef struct Ahead
{
	QueuePlace	begin;			/* exclusive */
	QueuePlace	end;			/* inclusive */
}			Ahead;

/* duplicates.c's. */
typedef struct Copies
{
	TimestampTz look_at;		/* the next comparison, after an error */
	TimestampTz wait_since;		/* another process has held the lock; 0: none
								 * does */
	TimestampTz say_at;			/* when to log which process that is */
} Copies;

/* settle.c's. */
typedef struct Settles
{
	TimestampTz after;			/* earliest time of the next settle, after an
								 * error */
	bool		postponed_next; /* the next batch is of calls whose settle
								 * failed before, if there are any */
	uint64		accepted;		/* rows, since the loop began */
	uint64		failed;
} Settles;

/* renew.c's. */
typedef struct Renewals
{
	TimestampTz at;				/* when leases are checked next */
	TimestampTz after;			/* earliest retry, after some could not be
								 * renewed */
	bool		postponed;		/* the last try failed, and the log says so */
} Renewals;

/* summarise.c's. */
typedef struct Summaries
{
	uint64		accepted;		/* Settles.accepted at the last run */
	TimestampTz at;				/* time of the last run */
} Summaries;

/* holders.c's. */
typedef struct Holders
{
	bool		released;		/* dead holders' leases were released once */
	TimestampTz look_at;		/* when to look for more of them */
} Holders;

/* in_the_way.c's: the processes that hold locks which this loop waits for. */
typedef struct InTheWays
{
	InTheWay	list[MAX_IN_THE_WAY];
	char		words[512];		/* the last report ... */
	TimestampTz until;			/* ... which pg_stat_activity shows until then */
	TimestampTz watch_until;	/* until then awaited locks are recorded; 0:
								 * no step has failed to get a lock */
	TimestampTz lock_due_at;	/* next check for locked rows that are due */
} InTheWays;

struct Loop
{
	MemoryContext context;
	int			holder;			/* llava_pending.holder: a worker's slot, or
								 * minus the pid of a session */
	Tx			tx;
	Scope		scope;
	Calls		calls;
	Servers		servers;
	Dispatch	dispatch;
	Claims		claims;
	Ahead		ahead;
	Copies		copies;
	Settles		settles;
	Renewals	renewals;
	Summaries	summaries;
	RestoreWait restore;
	AbsentPictures absent;
	Holders		holders;
	InTheWays	in_the_way;
	bool		timeline_is_known;	/* llava_timeline is up to date
									 * (timeline.c) */
	bool		untaken_said;	/* the log was told of pictures that were
								 * never taken in (untaken.c) */
	bool		far_ahead;		/* the last check found rows with a visible_at
								 * too far ahead; there may be more (clock.c) */
};

/* ---- loop_tx.c: the loop's transactions ---- */

extern bool loop_begin(Loop *loop, const char *activity);
extern XLogRecPtr loop_commit(Loop *loop);

/* Like tx_try; if a lock cannot be had, its holder is found and reported (in_the_way.c). */
extern bool loop_try(Loop *loop, void (*work) (Loop *loop, void *arg), void *arg, ErrorData **error);

/* Text for people about what the loop waits for; the log has it too.  NULL: nothing known. */
extern const char *loop_waits_for(const Loop *loop);

/* ---- in_the_way.c ---- */

/*
 * Called before and after a step of the loop, outside of its subtransaction.  If an
 * earlier step failed to get a lock, they find and report the holder of the lock that
 * this one waits for.
 */
extern void in_the_way_watch(Loop *loop);
extern void in_the_way_look(Loop *loop, const ErrorData *error);	/* NULL: it succeeded */

/* Text for pg_stat_activity that names the process in the way, else NULL. */
extern const char *in_the_way_activity(const Loop *loop);

/*
 * After a claim that found nothing: if the first row that is due is locked, finds and
 * reports the process that holds the lock.  In a transaction.
 */
extern void in_the_way_of_claim(Loop *loop);

/* ---- claim.c ---- */

/* A stage of a turn: when it is due, and one step of it in a transaction of its own. */
extern TimestampTz claims_due(Loop *loop);
extern Step claims_run(Loop *loop);

/* Moves the cursor back to rows visible from this time on; it never moves it forward. */
extern void claim_reset_cursor(Loop *loop, TimestampTz from);

/* Rows may have become due: claims at once; or at this time at the latest. */
extern void claims_wake(Loop *loop);
extern void claims_wake_by(Loop *loop, TimestampTz at);

/* Reads servers and tasks at this time at the latest. */
extern void claims_look_by(Loop *loop, TimestampTz at);

/* Claims, or settles, nothing for this long. */
extern void claims_rest(Loop *loop, int ms);
extern void settles_rest(Loop *loop, int ms);

/* Ids of the calls whose settle has failed before, as bigint[]. */
extern ArrayType *claim_unsettled(Loop *loop);

/* ---- after the clock was set back: each makes due what its file waits for ---- */

extern void claims_hurry(Loop *loop);
extern void copies_hurry(Loop *loop);
extern void settles_hurry(Loop *loop);
extern void renewals_hurry(Loop *loop);
extern void summaries_hurry(Loop *loop);
extern void dispatch_hurry(Loop *loop);
extern void servers_hurry(Loop *loop);
extern void holders_hurry(Loop *loop);
extern void restore_hurry(Loop *loop);
extern void absent_hurry(Loop *loop);
extern void in_the_way_hurry(Loop *loop);

/* ---- clock.c ---- */

/* Milliseconds of a clock that cannot be set. */
extern int64 clock_monotonic_ms(void);

/* Once a turn: resets the loop's timers if the clock was set back. */
extern void clock_look(Loop *loop);

/*
 * Makes rows due that would wait longer than any back-off or lease lasts, unless a live
 * process holds them.  In a transaction; handles a limited number of rows, and sets
 * Loop.far_ahead if it found any.
 */
extern void clock_bring_back(Loop *loop);

/* ---- untaken.c ---- */

/* Counting stops here. */
#define UNTAKEN_COUNTED 1000

/* Logs once that there are pictures which were never taken in.  In a transaction. */
extern void untaken_look(Loop *loop);

/* ---- interrupted.c ---- */

/*
 * A row whose calls were interrupted this often fails as interrupted: its picture may be
 * what kills the workers.
 */
#define MAX_INTERRUPTIONS 10

/*
 * Before the process ends: records the calls in flight as interrupted, and puts their rows
 * back into the queue.  Runs a transaction of its own.
 */
extern void interrupted_give_up(Loop *loop);

/*
 * Deletes the note that the call was interrupted.  The call was never sent, but another
 * process has claimed its row since, and noted it.  In a transaction.
 */
extern void interrupted_not(const Call *call);

/* ---- rejects.c ---- */

extern Rejects rejects_of(Datum reasons);	/* llava_pending.rejects */

/* Whether the row fails after one more reject for this reason. */
extern bool rejects_final(const Rejects *before, const char *reason);

/* Whether another server's model may well accept what this one refused. */
extern bool rejects_blame_server(const char *reason);

/* The task's sampling parameters, changed as the earlier rejects call for. */
extern VlmSampling rejects_sampling(const Rejects *before, const VlmSampling *of_task);

/* ---- pictures.c ---- */

/* Assumed size of a picture, in bytes, before any was read. */
#define PICTURE_SIZE_AT_FIRST (512 * 1024)

/*
 * How many pictures of the recent mean size may be claimed together, within
 * llava_zh.prepare_memory and without delaying replies; 0 if there is memory for few.
 */
extern int	pictures_at_once(Loop *loop);

/*
 * Gives each call in CALL_CLAIMED an image job, and the facts of its picture's row.  In
 * the claim's transaction.
 */
extern void pictures_read(Loop *loop);

/* ---- read_ahead.c ---- */

/* Tells the kernel to read the pictures that will be claimed next.  In the claim's transaction. */
extern void read_ahead(Loop *loop, ArrayType *tasks);

/* Forgets what was announced, since the cursor goes back. */
extern void read_ahead_reset(Loop *loop);

/* ---- dispatch.c ---- */

extern void dispatch_prepared(Loop *loop);	/* image pool -> hashed, ready or
											 * finished */
extern void dispatch_unsent(Loop *loop);	/* preparing, hashed and ready ->
											 * finished, to go back to the
											 * queue */
extern long dispatch_ready(Loop *loop); /* ready -> sent; returns the ms until
										 * another try may succeed, -1:
										 * unknown */

/*
 * Takes responses and fills the slots they free, until no more responses are there.  It
 * ends because nothing is claimed meanwhile.
 */
extern void dispatch_refill(Loop *loop);

/*
 * To be called in the middle of long work, inside a transaction or not.  If the sockets
 * have waited too long, serves them and fills freed slots.  Runs no SQL.  Calls may leave
 * the ready and sent lists and be appended to others.
 */
extern void dispatch_serve(Loop *loop);

/* Whether claims rest because the directory of pictures could not be opened. */
extern bool dispatch_files_are_away(const Loop *loop);

/* ---- answers.c ---- */

/* Takes some responses from the request pool: sent -> finished.  False if there was none. */
extern bool answers_take(Loop *loop);

/* ---- blame.c ---- */

/* Judges a failed call by its error text.  If the server is at fault, pauses it, returns true. */
extern bool blame_server(ServerState *server, Call *call);

/* Whether to return the call's row to the queue: its server is at fault, and it is the first time. */
extern bool blame_excuses(const Call *call);

/* The value of llava_pending.said for a server and the hash of an error text; 0: none. */
extern int64 blame_number(const char *server, uint64 said);

/* Returns rows to the queue that failed because of the server.  In a transaction. */
extern void blame_return_rows(Loop *loop, ServerState *server);

/* ---- duplicates.c ---- */

/* A stage: hashed -> ready, or parked. */
extern TimestampTz copies_due(Loop *loop);
extern Step copies_run(Loop *loop);

/* ---- settle.c ---- */

/* A stage: settles one batch of finished calls, in transactions of its own. */
extern TimestampTz settles_due(Loop *loop);
extern Step settles_run(Loop *loop);
extern Step settle_all(Loop *loop); /* tries each finished call, alone in the
									 * end */

/* ---- renew.c ---- */

/* A stage: renews leases that would run out too early. */
extern TimestampTz renewals_due(Loop *loop);
extern Step renewals_run(Loop *loop);

/* ---- summarise.c ---- */

/* A stage: summarises new pages in the BRIN index over the times of samples. */
extern TimestampTz summaries_due(Loop *loop);
extern Step summaries_run(Loop *loop);

#endif							/* LLAVA_LOOP_H */
