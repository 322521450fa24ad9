/*
 * settle_rows.h
 *	  What is written when calls end: settle_rows.c the queue's row, settle_ledger.c the
 *	  reply, the sample and what they cost.  All in settle.c's transaction.
 */
#ifndef LLAVA_SETTLE_ROWS_H
#define LLAVA_SETTLE_ROWS_H

#include "loop.h"

/* Calls of one transaction. */
#define SETTLE_BATCH 64

/* One server's share of a batch. */
typedef struct Tally
{
	ServerState *server;
	int64		requests;
	int64		replies;
	int64		accepted;
	int64		failed;
	int64		throttled;
	int64		prompt_tokens;
	int64		completion_tokens;
	double		cost;
	int64		estimated;		/* replies whose cost is a forecast's */
} Tally;

typedef struct Batch
{
	Call	   *calls[SETTLE_BATCH];
	int			n_calls;
	Tally		tallies[SETTLE_BATCH];
	int			n_tallies;
	uint64		accepted;
	uint64		failed;
	const Call *parameters_of;	/* whose parameters these are; NULL: none */
	Datum		parameters;		/* jsonb */
} Batch;

/* A call of the batch, whose ends the tallies count. */
extern void settle_call(Batch *batch, Call *call);

/* ---- settle_ledger.c ---- */

/* The ledger row of a complete HTTP 200 body; late: its queue row is another call's. */
extern void settle_reply(Batch *batch, Call *call, bool late, const char *reason);
extern void settle_sample(Call *call);

/* The tallies go to llava_usage. */
extern void settle_usage(Batch *batch);

/* Text from outside as a value; NULL is null. */
extern Datum settle_text(const char *text, char *null);

#endif							/* LLAVA_SETTLE_ROWS_H */
