/*
 * loop.h
 *	  What the files of the draining loop share: tx.c, servers.c, claim.c,
 *	  dispatch.c, blame.c, duplicates.c, settle.c, stop.c,
 *	  in_the_way.c, loop.c, worker.c, drain.c.
 *
 * A claimed row is a Call.  It walks one way through the states of call.h, and is freed
 * when its settle has committed; or parked from CALL_HASHED, as a copy.
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

/* An image's rows in the order of the queue. */
typedef struct QueuePlace
{
	TimestampTz visible_at;
	int64		image;
} QueuePlace;

/* Somebody who holds what this loop waits for. */
typedef struct InTheWay
{
	int			pid;
	Oid			relation;		/* that it has locked; or InvalidOid */
	TimestampTz since;			/* seen in the way; 0: nobody */
	TimestampTz seen_at;		/* last */
	bool		said;
} InTheWay;

#define MAX_IN_THE_WAY 8

/* What came of one step of a turn. */
typedef enum Step
{
	STEP_NOTHING,				/* there was nothing to do */
	STEP_DONE,
	STEP_GONE					/* the extension is gone: nothing can be
								 * written */
} Step;

/* What llava_drain was asked for; else NULL, -1. */
typedef struct Scope
{
	const char *only_task;
	const char *only_server;
	int64		limit;			/* calls still to be claimed; -1: no limit */
} Scope;

/* call.c's: every call that is held. */
typedef struct Calls
{
	dlist_head	lists[CALL_STATES]; /* Call: those of each state */
	int			held;			/* calls in all */
	int64		bytes;			/* of pictures, before they are sent */
	int64		picture_size;	/* running mean of those claimed */
} Calls;

/* servers.c's: the servers that this process may ask. */
typedef struct Servers
{
	dlist_head	list;			/* ServerState */
	uint64		version;		/* as loaded; 0: they must be */
	char	   *strangers;		/* servers that are not its to ask, as the log
								 * has said: names, "" without any */
} Servers;

/* dispatch.c's: calls on their way to an answer. */
typedef struct Dispatch
{
	VlmPool    *pool;
	ImagePool  *images;
	bool		renewal_needed; /* a ready call's lease is too short to be
								 * sent */
	TimestampTz files_away_until;	/* the directory of pictures cannot be
									 * opened: nothing is claimed */
} Dispatch;

/* A place in the queue's order: rows up to and with this one were passed. */
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
	List	   *claimable;		/* names of tasks the last claim looked for */
	Cursor		cursor;
	TimestampTz at;				/* when there may be rows to claim */
	TimestampTz look_at;		/* when servers and tasks are looked at anyway */
	TimestampTz full_pass_at;	/* when the cursor goes back to the start */
	TimestampTz next_due;		/* of what waits in back-off; DT_NOEND:
								 * nothing */
	bool		looked;			/* servers and tasks were read at least once */
	bool		dry;			/* a full pass found nothing that is due now */
	bool		lock_due;		/* rows that are due may be locked */
	bool		careful;		/* a claim failed: pictures are read one by
								 * one */
	int64		rare_looks_ms;	/* no look for what should not be there
								 * before, by the monotonic clock */
} Claims;

/* read_ahead.c's: the last announcement of pictures. */
typedef struct Ahead
{
	QueuePlace	begin;			/* beyond this place */
	QueuePlace	end;			/* up to and with this one */
}			Ahead;

/* duplicates.c's: looks for copies. */
typedef struct Copies
{
	TimestampTz look_at;		/* the next look, after an error */
	TimestampTz wait_since;		/* for another process's look; 0: none does */
	TimestampTz say_at;			/* who is in the way */
} Copies;

/* settle.c's. */
typedef struct Settles
{
	TimestampTz after;			/* no settle before, after an error */
	bool		postponed_next; /* to be settled, before what is new */
	uint64		accepted;		/* since the loop began */
	uint64		failed;
} Settles;

/* renew.c's. */
typedef struct Renewals
{
	TimestampTz at;				/* when leases are looked at next */
	TimestampTz after;			/* some could not be renewed: not before */
	bool		postponed;
} Renewals;

/* summarise.c's. */
typedef struct Summaries
{
	uint64		accepted;		/* samples, as of the last time */
	TimestampTz at;				/* which was then */
} Summaries;

/* holders.c's. */
typedef struct Holders
{
	bool		released;		/* leases of those that live no more, */
	TimestampTz look_at;		/* which are looked for again */
} Holders;

/* in_the_way.c's: who holds what this loop waits for. */
typedef struct InTheWays
{
	InTheWay	list[MAX_IN_THE_WAY];
	char		words[512];		/* of the last that was said */
	TimestampTz until;			/* while these hold */
	TimestampTz watch_until;	/* awaited locks are noted, since one could
								 * not be had */
	TimestampTz lock_due_at;	/* rows that are due are looked at */
} InTheWays;

/* Each part is written by the file that it is said to belong to, and by no other. */
struct Loop
{
	MemoryContext context;
	int			holder;			/* worker slot, or minus the pid of a session */
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
	bool		timeline_is_known;	/* llava_timeline has the server's
									 * (timeline.c) */
	bool		untaken_said;	/* pictures were never taken in (untaken.c) */
	bool		far_ahead;		/* rows waited for too long, and more may
								 * (clock.c) */
};

/* ---- loop_tx.c: db/tx.c's transactions, with what the process shows meanwhile ---- */

extern bool loop_begin(Loop *loop, const char *activity);
extern XLogRecPtr loop_commit(Loop *loop);

/* tx_try; who held a lock that could not be had is found out on the way. */
extern bool loop_try(Loop *loop, void (*work) (Loop *loop, void *arg), void *arg, ErrorData **error);

/* What the loop waits for, as the log has said too, for people; NULL: nothing that is known. */
extern const char *loop_waits_for(const Loop *loop);

/* ---- in_the_way.c ---- */

/*
 * Around a step of the loop's, outside of its subtransaction: if one before could not
 * have a lock, who holds what this one waits for is found, and said.
 */
extern void in_the_way_watch(Loop *loop);
extern void in_the_way_look(Loop *loop, const ErrorData *error);	/* NULL: it succeeded */

/* What this process shows that it waits for; NULL: nobody is in the way. */
extern const char *in_the_way_activity(const Loop *loop);

/*
 * After a claim that passed over all rows that are due, as others have locked them: who
 * has the first.  In a transaction.
 */
extern void in_the_way_of_claim(Loop *loop);

/* ---- claim.c ---- */

/* A stage of a turn: when it is due, and one step of it in a transaction of its own. */
extern TimestampTz claims_due(Loop *loop);
extern Step claims_run(Loop *loop);
extern void claim_reset_cursor(Loop *loop, TimestampTz from);

/* Rows may have become due: the next claim comes at once; or by then, at the latest. */
extern void claims_wake(Loop *loop);
extern void claims_wake_by(Loop *loop, TimestampTz at);

/* Servers and tasks are looked at by then. */
extern void claims_look_by(Loop *loop, TimestampTz at);

/* Nothing is claimed, or settled, for a while. */
extern void claims_rest(Loop *loop, int ms);
extern void settles_rest(Loop *loop, int ms);

/* Ids of the calls whose replies are here and could not be written down yet: bigint[]. */
extern ArrayType *claim_unsettled(Loop *loop);

/* ---- when the clock was set back: what each file waits for by time of day is due ---- */

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

/* A clock that only goes on, in milliseconds. */
extern int64 clock_monotonic_ms(void);

/* Once a turn: if the clock was set back, nothing of the loop's waits for it. */
extern void clock_look(Loop *loop);

/*
 * Rows that would wait for longer than any back-off or lease of ours become due, but for
 * those that a process holds.  In a transaction; some at a time, and Loop.far_ahead is
 * set while there were some.
 */
extern void clock_bring_back(Loop *loop);

/* ---- untaken.c ---- */

/* So many are counted. */
#define UNTAKEN_COUNTED 1000

/* Says once that there are pictures which were never taken in.  In a transaction. */
extern void untaken_look(Loop *loop);

/* ---- interrupted.c ---- */

/* A picture that was in the air each time a worker died may be why it did. */
#define MAX_INTERRUPTIONS 10

/*
 * Nothing that is in flight will be taken up any more: notes the calls as sent, and has
 * their rows wait again.  A transaction of its own.
 */
extern void interrupted_give_up(Loop *loop);

/*
 * The call was never sent, and its row is another's by now, whose claim has noted it as
 * interrupted.  In a transaction.
 */
extern void interrupted_not(const Call *call);

/* ---- rejects.c ---- */

extern Rejects rejects_of(Datum reasons);	/* text[], of llava_pending */

/* Whether another reject for this reason is the last. */
extern bool rejects_final(const Rejects *before, const char *reason);

/* Whether another server may say otherwise. */
extern bool rejects_blame_server(const char *reason);
extern VlmSampling rejects_sampling(const Rejects *before, const VlmSampling *of_task);

/* ---- pictures.c ---- */

/* Until their size is known pictures are taken to be of so many bytes. */
#define PICTURE_SIZE_AT_FIRST (512 * 1024)

/*
 * How many of late's size may be claimed together: without holding up replies, and
 * within llava_zh.prepare_memory; 0 while that leaves room for few.
 */
extern int	pictures_at_once(Loop *loop);

/* Gives each call in CALL_CLAIMED its picture's job and facts; in the claim's transaction. */
extern void pictures_read(Loop *loop);

/* ---- read_ahead.c ---- */

/*
 * Has the kernel read the pictures that will be claimed next; in the claim's
 * transaction.
 */
extern void read_ahead(Loop *loop, ArrayType *tasks);

/* The cursor goes back: nothing is announced. */
extern void read_ahead_reset(Loop *loop);

/* ---- dispatch.c ---- */

extern void dispatch_prepared(Loop *loop);	/* image pool -> hashed, ready or
											 * finished */
extern void dispatch_unsent(Loop *loop);	/* preparing, hashed and ready ->
											 * finished, for the queue */
extern long dispatch_ready(Loop *loop); /* ready -> sent; ms until it helps to
										 * try again */

/* Freed slots are filled as long as responses come in; it ends, as nothing is claimed meanwhile. */
extern void dispatch_refill(Loop *loop);

/*
 * In the middle of what takes long, within a transaction or not: where the sockets
 * have waited, they are served and freed slots are filled.  Runs no SQL.  Calls leave
 * the ready and sent lists and are added at the end of others.
 */
extern void dispatch_serve(Loop *loop);

/* Whether the directory of pictures could not be opened just now. */
extern bool dispatch_files_are_away(const Loop *loop);

/* ---- answers.c ---- */

/* Request pool -> finished, some; false: there was none. */
extern bool answers_take(Loop *loop);

/* ---- blame.c ---- */

/*
 * Judges a call that brought no answer by the words that it brought.  True where its
 * server is to blame, which is paused then.
 */
extern bool blame_server(ServerState *server, Call *call);

/* Whether its row goes back to the queue, since its server is to blame and it never did. */
extern bool blame_excuses(const Call *call);

/* What pending rows keep of an outcome's words; 0: nothing. */
extern int64 blame_number(const char *server, uint64 said);

/* In a transaction: rows that failed for what turned out to be the server's fault go back. */
extern void blame_return_rows(Loop *loop, ServerState *server);

/* ---- duplicates.c ---- */

/* A stage: hashed -> ready, or parked. */
extern TimestampTz copies_due(Loop *loop);
extern Step copies_run(Loop *loop);

/* ---- settle.c ---- */

/* A stage: one batch of what has finished, in transactions of its own. */
extern TimestampTz settles_due(Loop *loop);
extern Step settles_run(Loop *loop);
extern Step settle_all(Loop *loop); /* tries all that is finished once */

/* ---- renew.c ---- */

/* A stage: leases that run out too early. */
extern TimestampTz renewals_due(Loop *loop);
extern Step renewals_run(Loop *loop);

/* ---- summarise.c ---- */

/* A stage: the index over the times of samples follows what is written. */
extern TimestampTz summaries_due(Loop *loop);
extern Step summaries_run(Loop *loop);

#endif							/* LLAVA_LOOP_H */
