/*
 * loop.h
 *	  The Loop, and what the files of this folder offer each other.
 *
 * A claimed row is a Call.  It passes through the states of call.h in one direction, and
 * is freed when its settle has committed, or when it is parked as a near-duplicate.
 *
 * Loop has a part for each file, which only that file writes.  A file that wants to
 * change another's part calls a function of that file: settle.c calls claims_wake.
 *
 * Times named ..._ms are of clock_monotonic_ms; only what is compared with the queue's
 * times, or with a stage's, is a time of the wall clock.
 *
 * This header includes the doors of the rooms that Loop and Call are made of: db, image,
 * reply, server, task and vlm.  Its users include what they need beyond that.
 */
#ifndef LLAVA_LOOP_H
#define LLAVA_LOOP_H

#include "call.h"
#include "queue.h"
#include "servers.h"
#include "utils/array.h"

/* A process that holds a lock which this loop waits for. */
typedef struct InTheWay
{
	int			pid;
	Oid			relation;		/* the locked table; InvalidOid: a row */
	int64		since_ms;		/* first seen in the way; 0: free entry */
	int64		seen_ms;		/* last seen in the way */
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

/* loop.c's and claim_start.c's: the arguments of llava_drain; NULL and -1 in a worker. */
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
} Calls;

/* servers_load.c's: the servers that this process may use. */
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
	int64		files_away_until_ms;	/* nothing is claimed before, since
										 * the directory of pictures could not
										 * be opened */
} Dispatch;

/* A place in the queue's order. */
typedef struct QueuePlace
{
	TimestampTz visible_at;
	int64		image;
} QueuePlace;

/* claim.c's: when rows are claimed. */
typedef struct Claims
{
	TaskSet    *tasks;			/* the newest */
	TimestampTz not_before;		/* rests until then, after an error */
	TimestampTz look_at;		/* when servers and tasks are read, with or
								 * without rows to claim */
	TimestampTz full_pass_at;	/* when all cursors go back to the start */
	bool		full_pass;		/* they have gone back since the last claim */
	bool		looked;			/* servers and tasks were read at least once */
	bool		lock_due;		/* rows that are due may be locked */
	bool		careful;		/* the last claim failed: read pictures one by
								 * one */
	int64		rare_looks_ms;	/* time of the next look_for_rare */
} Claims;

/* destinations.c's: what rows are claimed for. */
typedef struct Destinations
{
	dlist_head	list;			/* Destination (destinations.h) */
	List	   *pins;			/* the groups in the queue that have a pin or
								 * a prohibition */
	bool		pins_changed;	/* there may be others by now */
	int64		pins_look_ms;	/* earliest next look for them */
} Destinations;

/* read_ahead.c's: the last range of pictures that the kernel was told to read. */
typedef struct Ahead
{
	QueuePlace	begin;			/* exclusive */
	QueuePlace	end;			/* inclusive */
} Ahead;

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
	int64		look_ms;		/* when to look for more of them */
} Holders;

/* restore.c's: the wait for a restore. */
typedef struct RestoreWait
{
	bool		calls_are_known;	/* llava_call_seq was used or set, and
									 * need not be checked again */
	int64		look_ms;		/* next check for signs of a restore */
	int64		since_ms;		/* first sign of it; 0: no wait */
	int64		until_ms;		/* nothing is claimed before */
	bool		is_clear;		/* the last check found no sign */
	bool		is_copy;		/* the last sign was a COPY, which will end
								 * without help */
	bool		said;			/* the wait was logged */
	char		words[256];		/* describes the last sign */
	char		activity[320];	/* for pg_stat_activity */
} RestoreWait;

/* absent.c's: rows that wait until their picture has a row in llava_image. */
typedef struct AbsentPictures
{
	int64		look_ms;		/* next check for arrived pictures */
	int64		rows;			/* waiting rows, at the last check */
	bool		said;			/* the log has been told */
	bool		untaken_said;	/* the log was told of pictures that were
								 * never taken in */
	char		activity[128];	/* for pg_stat_activity */
} AbsentPictures;

/* in_the_way.c's: the processes that hold locks which this loop waits for. */
typedef struct InTheWays
{
	InTheWay	list[MAX_IN_THE_WAY];
	char		words[512];		/* the last report ... */
	int64		until_ms;		/* ... which pg_stat_activity shows until then */
	int64		watch_until_ms; /* until then awaited locks are recorded; 0:
								 * no step has failed to get a lock */
	int64		lock_due_ms;	/* next check for locked rows that are due */
} InTheWays;

struct Loop
{
	MemoryContext context;
	int			holder;			/* llava_pending.holder: a worker's slot, or
								 * minus the pid of a session */
	Tx			tx;				/* of the last transaction (loop_tx.c) */
	Scope		scope;
	Calls		calls;
	Servers		servers;
	Dispatch	dispatch;
	Claims		claims;
	Destinations destinations;
	Copies		copies;
	Settles		settles;
	Renewals	renewals;
	Summaries	summaries;
	RestoreWait restore;
	AbsentPictures absent;
	Holders		holders;
	InTheWays	in_the_way;
	int64		picture_size;	/* mean size of the claimed pictures
								 * (pictures.c) */
	bool		timeline_is_known;	/* llava_timeline is up to date
									 * (timeline.c) */
	bool		far_ahead;		/* the last check found rows with a visible_at
								 * too far ahead; there may be more (clock.c) */
};

/* The entry of a list that follows this node or the list's head; NULL: there is none. */
static inline void *
entry_after(const dlist_head *list, const dlist_node *node)
{
	return node->next == &list->head ? NULL : node->next;
}

/*
 * Loops over the calls in a state, and over the servers, whose first field is their node.
 * The body may take the entry out of the list.
 */
#define foreach_entry(type, entry, list) \
	for (type *entry = entry_after(list, &(list)->head), *entry##_next; \
		 entry != NULL && (entry##_next = entry_after(list, &entry->node), true); \
		 entry = entry##_next)
StaticAssertDecl(offsetof(Call, node) == 0 && offsetof(ServerState, node) == 0,
				 "the pointer to a node must be the pointer to its entry");

#define foreach_call(call, loop, state) foreach_entry(Call, call, &(loop)->calls.lists[state])
#define foreach_server(server, loop) foreach_entry(ServerState, server, &(loop)->servers.list)

/* A column of a row that the last statement returned; a null reads as 0. */
static inline Datum
returned(uint64 row, int column)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
}

/* ---- loop_tx.c: the loop's transactions ---- */

extern bool loop_begin(Loop *loop, const char *activity);
extern XLogRecPtr loop_commit(Loop *loop);

/* A bigint[] of these values, for a statement. */
extern Datum loop_bigints(Datum *values, int n);

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

/* ---- stall.c: why a loop sends nothing although rows are due ---- */

/* To be called when a loop begins. */
extern void stall_begin(void);

/* To be called when there is progress: a picture was prepared, sent or answered. */
extern void stall_progress(void);

/*
 * To be called once a turn.  If there was no progress for llava_zh.stall_report although
 * rows are due, a worker logs the reason and shows it in pg_stat_activity, and llava_drain
 * raises a NOTICE.  Runs a transaction of its own.
 */
extern void stall_look(Loop *loop);

/* Text for pg_stat_activity while the process stands still, else NULL. */
extern const char *stall_activity(void);

/* ---- restore.c, absent.c, holders.c; see also claim.h ---- */

/* Text for pg_stat_activity while claims wait for a restore, else NULL. */
extern const char *restore_activity(const Loop *loop);

/*
 * Whether claims wait although no COPY is running: a person may have to set the sequence,
 * so a drain must not wait for it.
 */
extern bool restore_has_no_end(const Loop *loop);

/* Text for pg_stat_activity if rows wait for pictures, else NULL. */
extern const char *absent_activity(const Loop *loop);

/* Lets holders_release run once more, after a restore. */
extern void holders_release_again(Loop *loop);

/* ---- claim.c ---- */

/* A stage of a turn: when it is due, and one step of it in a transaction of its own. */
extern TimestampTz claims_due(Loop *loop);
extern Step claims_run(Loop *loop);

/*
 * Rows were queued that are visible from this time on: moves cursors back to them, where
 * they are further on, and looks for new pins.
 */
extern void claim_reset_cursor(Loop *loop, TimestampTz from);

/*
 * Rows may have become due: claims at once, all or only what the same servers may be asked
 * about as the call's row; or at this time at the latest.
 */
extern void claims_wake(Loop *loop);
extern void claims_wake_for(Loop *loop, const Call *call);
extern void claims_wake_by(Loop *loop, TimestampTz at);

/* Reads servers and tasks at this time at the latest. */
extern void claims_look_by(Loop *loop, TimestampTz at);

/* Claims, or settles, nothing for this long. */
extern void claims_rest(Loop *loop, int ms);
extern void settles_rest(Loop *loop, int ms);

/* Ids of the calls whose settle has failed before, as bigint[]. */
extern Datum claim_unsettled(Loop *loop);

/* Most rows of one claim. */
#define CLAIM_BATCH 64

/* ---- room.c, destinations.c ---- */

/* When the next row is due that there is room for; DT_NOEND: unknown. */
extern TimestampTz destinations_due(Loop *loop);

/*
 * Whether full passes found no row that is due, of those whose servers may be asked; and
 * when the next one will be, DT_NOEND: none waits.
 */
extern bool destinations_are_dry(Loop *loop, TimestampTz *next_due);

/* Rows may have other pins than before. */
extern void destinations_pins_changed(Loop *loop);

/* Forgets all: the extension is gone, or the loop ends. */
extern void destinations_forget(Loop *loop);

/* ---- after the clock was set back: each makes due what its file waits for ---- */

extern void claims_hurry(Loop *loop);
extern void copies_hurry(Loop *loop);
extern void settles_hurry(Loop *loop);
extern void renewals_hurry(Loop *loop);
extern void summaries_hurry(Loop *loop);
extern void servers_hurry(Loop *loop);

/* ---- clock.c ---- */

/* Once a turn: resets the loop's timers if the clock was set back. */
extern void clock_look(Loop *loop);

/* ---- interrupted.c ---- */

/*
 * A row whose calls were interrupted this often fails as interrupted: its picture may be
 * what kills the workers.
 */
#define MAX_INTERRUPTIONS 10

/*
 * Part of a statement: returns the rows of "held" (their ctids) to the queue as
 * interrupted, the attempt given back.  $2: MAX_INTERRUPTIONS.
 */
#define RELEASE_HELD \
	"released AS (" \
	"  UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL," \
	"    attempts = GREATEST(p.attempts - 1, 0), interruptions = p.interruptions + 1," \
	"    failure = CASE WHEN p.interruptions + 1 >= $2 THEN 'interrupted' END" \
	"  FROM held WHERE p.ctid = held.ctid" \
	"  RETURNING p.image, p.call, p.task) "

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

/* Forgets what was announced, since the cursor goes back. */
extern void read_ahead_reset(Ahead *ahead);

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
