/*
 * call.h
 *	  One claimed row on its way: the Call, its state, and the counters that follow
 *	  from it.
 *
 * Every call of a loop is in exactly one of the loop's lists, the one of its state.
 * call_new, call_move, call_set_server and call_free are the only places that change
 * a list, a state, or a counter of calls (Loop.held; ServerState's calls, unsent and
 * in_flight).
 */
#ifndef LLAVA_CALL_H
#define LLAVA_CALL_H

#include "image/image.h"
#include "lib/ilist.h"
#include "reply/reply.h"
#include "server/server.h"
#include "task/task.h"
#include "vlm/vlm.h"

struct Loop;
struct ServerRead;
struct ServerState;

/* Replies wait so long to be settled together. */
#define SETTLE_GATHER_MS 10

/* In the order in which calls go through them; any may lead to CALL_FINISHED. */
typedef enum CallState
{
	CALL_CLAIMED,				/* the claim has not committed */
	CALL_PREPARING,				/* its job is in the image pool */
	CALL_HASHED,				/* prepared, to be compared with other
								 * pictures */
	CALL_READY,					/* prepared, to be sent */
	CALL_SENT,					/* in flight */
	CALL_FINISHED				/* to be settled */
} CallState;

#define CALL_STATES (CALL_FINISHED + 1)

/* Newest tasks of one look; shared by the calls that were claimed under them. */
typedef struct TaskSet
{
	MemoryContext context;
	List	   *tasks;
	int			users;			/* calls, and the loop itself */
} TaskSet;

/* What was wrong with the replies about an image and task so far. */
typedef struct Rejects
{
	bool		looped;
	bool		cut;
	bool		refused;
} Rejects;

/* What the row said when it was claimed. */
typedef struct CallRow
{
	int			attempts;		/* this one included */
	int			variation;
	Rejects		rejects;		/* before this one */
	char	   *refused_by;		/* server, palloc'd in the loop's context; or
								 * NULL */
	LongImages	long_policy;	/* the row's own */
	bool		released;		/* not to be parked again */
	bool		excused;		/* it went back once for its server's fault */
	int			company;		/* of a suspect (suspects.h): so many may be
								 * in flight with it, itself included; 0: it
								 * is none */
} CallRow;

typedef struct CallLease
{
	TimestampTz until;
	TimestampTz renewed_until;	/* in a transaction under way; 0: not */
	XLogRecPtr	claimed_at;		/* not sent before the log is flushed up to
								 * there */
} CallLease;

/* The picture, and how it was made to fit. */
typedef struct CallFit
{
	ImageInfo	facts;			/* sides, as the row has them; 0: unknown */
	ImageJob   *job;			/* with the bytes, until they are sent */
	int64		bytes;			/* counted in the loop's */
	bool		no_room;		/* it did not fit into memory now */
	int			failed_looks;	/* for copies: 1 with others, 2 by itself */
	LongImages	long_done;		/* LONG_AS_TASK: the picture is not long */
	int			width;			/* as it is sent */
	int			height;
	int			pixel_factor;	/* what it was fitted to */
	int64		min_pixels;
	int64		max_pixels;
	int64		image_tokens;	/* forecast */
} CallFit;

typedef struct CallRequest
{
	VlmSampling sampling;		/* but for the seed */
	int64		seed;
	VlmTokens	forecast;		/* image and prompt, and reply */
	bool		sent;
	struct ServerRead *under;	/* the options it was sent under; NULL: not
								 * sent yet */
	struct EndpointUse *endpoint;	/* where it counts while it is in flight */
} CallRequest;

/* How it ended: a fault of the picture's found here, or a response. */
typedef struct CallEnd
{
	const char *fault;			/* static; NULL: see outcome */
	char	   *fault_detail;	/* palloc'd in the loop's context */
	VlmResponse response;
	VlmOutcome	outcome;
	VlmEnvelope envelope;
	ReplyResult result;			/* with VLM_DONE */
	const char *reason;			/* why that is no sample, static; NULL: it is
								 * one */
	uint64		lost_with;		/* the losses that its own was one of, which
								 * say whether the server died of them; 0:
								 * none */
	double		cost;			/* of its answer */
	bool		estimated;		/* that: the server did not say what it used */
} CallEnd;

/* How the row is asked again. */
typedef struct CallRetry
{
	bool		blameless;		/* its server was found to be to blame */
	int			wait_ms;		/* before it is claimed again, where not sent */
	int			company;		/* as CallRow.company, to be written; -1: as
								 * it was */
} CallRetry;

typedef struct CallSettle
{
	TimestampTz at;				/* not later, or after a settle that failed
								 * not before */
	int			delay;			/* ms, after a settle that failed; 0: none
								 * did, and the log has told of none */
	int			with;			/* at most so many together then */
} CallSettle;

typedef struct Call
{
	dlist_node	node;
	CallState	state;
	int64		image;
	int64		id;				/* llava_pending.call */
	TaskSet    *set;
	LlavaTask  *task;
	struct ServerState *server; /* to be asked, or asked; NULL: none */
	CallRow		row;
	CallLease	lease;
	CallFit		fit;
	CallRequest request;
	CallEnd		end;
	CallRetry	retry;
	CallSettle	settle;
} Call;

/* How a call ended, as it is settled. */
typedef enum CallEnding
{
	CALL_FAULT,					/* of the picture's, found here */
	CALL_UNSENT,				/* no request was made */
	CALL_ANSWERED,				/* a reply that parsed, or is to be asked for
								 * again */
	CALL_FAILED					/* a request that brought no answer */
} CallEnding;

extern CallEnding call_ending(const Call *call);

/* A call in CALL_CLAIMED, under the loop's newest tasks; zeros but for that. */
extern Call *call_new(struct Loop *loop);

/* To the end of another list, or of its own; suspects are sent before all others. */
extern void call_move(struct Loop *loop, Call *call, CallState state);

/* Which server the call is for from now on. */
extern void call_set_server(Call *call, struct ServerState *server);

/* Whatever its state is. */
extern void call_free(struct Loop *loop, Call *call);

/* Bytes of its picture in memory, which the loop adds up. */
extern void call_set_bytes(struct Loop *loop, Call *call, int64 bytes);

/* The first three arguments of every statement that is fenced by the call. */
extern void call_fence(const Call *call, Datum *values);

/* By one of its users. */
extern void taskset_release(TaskSet *set);
extern void server_read_release(struct ServerRead *read);

#ifdef USE_ASSERT_CHECKING
/* The counters are what the lists say. */
extern void calls_check(const struct Loop *loop);
#else
#define calls_check(loop) ((void) 0)
#endif

#endif							/* LLAVA_CALL_H */
