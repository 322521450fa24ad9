/*
 * call.h
 *	  The Call: one claimed row, from claim to settle, with its state.
 *
 * Every call of a loop is in exactly one of the loop's lists, the one of its state.
 * call_new, call_move, call_set_server and call_free are the only functions that change
 * a list, a state, or a counter of calls (Calls.held; ServerState's calls, unsent and
 * in_flight).
 */
#ifndef LLAVA_CALL_H
#define LLAVA_CALL_H

#include "db/db.h"
#include "image/image.h"
#include "lib/ilist.h"
#include "reply/reply.h"
#include "server/server.h"
#include "task/task.h"
#include "vlm/vlm.h"

struct Loop;
struct ServerRead;
struct ServerState;

/* A reply waits this long for others to be settled in the same transaction. */
#define SETTLE_GATHER_MS 10

/* In the order in which calls pass through them; each may be followed by CALL_FINISHED. */
typedef enum CallState
{
	CALL_CLAIMED,				/* the claim has not committed */
	CALL_PREPARING,				/* its job is in the image pool */
	CALL_HASHED,				/* prepared, not yet compared with other
								 * pictures */
	CALL_READY,					/* prepared, waits to be sent */
	CALL_SENT,					/* in flight */
	CALL_FINISHED				/* waits to be settled */
} CallState;

#define CALL_STATES (CALL_FINISHED + 1)

/* The tasks as one claim read them, shared by the calls of that claim. */
typedef struct TaskSet
{
	MemoryContext context;
	List	   *tasks;
	int			users;			/* reference count: calls, and the loop */
} TaskSet;

/* Why earlier replies for the row's image and task were rejected. */
typedef struct Rejects
{
	bool		looped;
	bool		cut;
	bool		refused;
	bool		blank;			/* cut while it wrote nothing but white space */
} Rejects;

/* The row's columns as they were when it was claimed. */
typedef struct CallRow
{
	int			attempts;		/* this one included */
	int			variation;
	Rejects		rejects;		/* before this one */
	char	   *refused_by;		/* server whose model refused it, palloc'd in
								 * the loop's context; or NULL */
	LongImages	long_policy;	/* llava_image.long_images */
	char	   *server;			/* the only one that may be asked, palloc'd in
								 * the loop's context; or NULL */
	char	   *not_server;		/* one that must not be, likewise */
	bool		first;			/* no reply of its task's version is known */
	bool		released;		/* by name: does not rest as a long or blank
								 * image again, and needs nothing to follow */
	bool		excused;		/* was returned once, its server being at
								 * fault (blame.c) */
	int			company;		/* of a suspect (suspects.c): requests that
								 * may be in flight at its server, itself
								 * included; 0: no suspect */
} CallRow;

typedef struct CallLease
{
	TimestampTz until;
	TimestampTz renewed_until;	/* as renewed by the current transaction,
								 * which may roll back; 0: not renewed */
	XLogRecPtr	claimed_at;		/* end of the claim's commit record; must be
								 * flushed before the call is sent */
} CallLease;

/* The picture, and how it is scaled for the model. */
typedef struct CallFit
{
	ImageInfo	facts;			/* width and height from llava_image; 0:
								 * unknown */
	ImageJob   *job;			/* owns the bytes until they are sent */
	int64		bytes;			/* this call's share of Calls.bytes */
	bool		no_room;		/* there was no memory for it */
	int			failed_looks;	/* how its comparison with other pictures
								 * failed: 1 in a batch, 2 alone; 0: it did
								 * not */
	LongImages	long_done;		/* LONG_AS_TASK: the picture is not long */
	int			width;			/* as sent */
	int			height;
	int			pixel_factor;	/* rules that it was scaled by */
	int64		min_pixels;
	int64		max_pixels;
	int64		image_tokens;	/* forecast */
} CallFit;

typedef struct CallRequest
{
	VlmSampling sampling;		/* without the seed */
	int64		seed;
	char	   *prompt;			/* with what it follows, palloc'd in the
								 * loop's context; NULL: the task's */
	VlmTokens	forecast;		/* prompt: image and text; completion: reply */
	bool		sent;
	struct ServerRead *under;	/* the server's options when it was sent;
								 * NULL: not sent yet */
	struct EndpointUse *endpoint;	/* whose in-flight counter includes it */
} CallRequest;

/* How the call ended: this process found a fault in the picture, or got a response. */
typedef struct CallEnd
{
	const char *fault;			/* static; NULL: see outcome */
	char	   *fault_detail;	/* palloc'd in the loop's context */
	VlmResponse response;
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	ReplyResult result;			/* with VLM_DONE */
	const char *reason;			/* why the reply was rejected, static; NULL:
								 * it becomes a sample */
	uint64		lost_with;		/* LossEvent (suspects.c) that its loss
								 * belongs to; 0: none */
	double		cost;			/* of the answer */
	bool		estimated;		/* the cost: the server reported no usage */
} CallEnd;

/* What the row's next attempt will be like. */
typedef struct CallRetry
{
	bool		blameless;		/* the server was at fault */
	int			wait_ms;		/* until it may be claimed again, if it was
								 * not sent */
	int			company;		/* new value of CallRow.company; -1: unchanged */
} CallRetry;

typedef struct CallSettle
{
	TimestampTz at;				/* latest time; after a failed settle, the
								 * earliest */
	int			delay;			/* ms, back-off after failed settles; 0: none
								 * failed yet, and nothing was logged */
	int			with;			/* batch size of the next try */
} CallSettle;

typedef struct Call
{
	dlist_node	node;
	CallState	state;
	int64		image;
	int64		id;				/* llava_pending.call */
	TaskSet    *set;
	LlavaTask  *task;
	int64		about;			/* the reply that it follows; 0: none */
	struct ServerState *server; /* that it is for; NULL: none was available */
	CallRow		row;
	CallLease	lease;
	CallFit		fit;
	CallRequest request;
	CallEnd		end;
	CallRetry	retry;
	CallSettle	settle;
} Call;

/* How a call ended, as settle_call distinguishes it. */
typedef enum CallEnding
{
	CALL_FAULT,					/* this process found a fault in the picture */
	CALL_UNSENT,				/* no request was made */
	CALL_ANSWERED,				/* the model replied: accepted or rejected */
	CALL_FAILED					/* the request brought no reply */
} CallEnding;

extern CallEnding call_ending(const Call *call);

/* Makes a call in CALL_CLAIMED that refers to the loop's newest tasks; all else is zero. */
extern Call *call_new(struct Loop *loop);

/*
 * Moves the call to the end of the list of this state, which may be its own.  In
 * CALL_READY suspects go to the head: they are sent before all others.
 */
extern void call_move(struct Loop *loop, Call *call, CallState state);

/* Assigns the call to a server, or to another one. */
extern void call_set_server(Call *call, struct ServerState *server);

/* Frees the call, whatever its state is; or all calls in a state. */
extern void call_free(struct Loop *loop, Call *call);
extern void calls_free(struct Loop *loop, CallState state);

/* Sets how many bytes of its picture are in memory, and keeps Calls.bytes in step. */
extern void call_set_bytes(struct Loop *loop, Call *call, int64 bytes);

/* Most parameters of a statement that call_run runs. */
#define CALL_VALUES 32

/*
 * Runs a statement whose $1 to $3 are the call's image, task and call id, and the others,
 * from $4 on, these n values.  A statement on the row of the queue is fenced by the call
 * id: it must not touch the row if the row was claimed again meanwhile.  Returns whether
 * the statement found a row.
 */
extern bool call_run(const Call *call, SqlStatement *statement, const NullableDatum *values, int n);

/* The task of this name, or NULL. */
extern LlavaTask *taskset_task(const TaskSet *set, const char *name);

/* Drop one reference, and free the object with the last one. */
extern void taskset_release(TaskSet *set);
extern void server_read_release(struct ServerRead *read);

/* ---- rejects.c ---- */

extern Rejects rejects_of(Datum reasons);	/* llava_pending.rejects */

/* Whether the row fails after one more reject for this reason. */
extern bool rejects_final(const Rejects *before, const char *reason);

/* Whether another server's model may well accept what this one refused. */
extern bool rejects_blame_server(const char *reason);

/* The task's sampling parameters, changed as the earlier rejects call for. */
extern VlmSampling rejects_sampling(const Rejects *before, const VlmSampling *of_task);

/* What llava_pending.rejects is to say of a reply with this reason. */
extern const char *rejects_word(const Call *call, const char *reason);

/* ---- about.c ---- */

/* Finds what claimed calls are about; those that have nothing to follow end as faults. */
extern void about_read(struct Loop *loop);

/* Whether the result that the call is about is another one by now; locks it. */
extern bool about_is_outdated(const Call *call);

#ifdef USE_ASSERT_CHECKING
/* Asserts that the counters agree with the lists. */
extern void calls_check(const struct Loop *loop);
#else
#define calls_check(loop) ((void) 0)
#endif

#endif							/* LLAVA_CALL_H */
