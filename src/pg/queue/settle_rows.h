/*
 * settle_rows.h
 *	  Shared by the files of a settle: settle.c runs the transactions, settle_rows.c writes
 *	  rows of the queue, settle_ledger.c writes replies, samples and usage.
 */
#ifndef LLAVA_SETTLE_ROWS_H
#define LLAVA_SETTLE_ROWS_H

#include "ledger/ledger.h"
#include "loop.h"

/* Most calls of one transaction. */
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
	int64		estimated;		/* replies whose cost is a forecast */
} Tally;

typedef struct Batch
{
	Call	   *calls[SETTLE_BATCH];
	int			n_calls;
	Tally		tallies[SETTLE_BATCH];
	int			n_tallies;
	uint64		accepted;
	uint64		failed;
	bool		followed;		/* a result has queued rows */
	FollowedResult results[SETTLE_BATCH];
	int			n_results;
	const Call *parameters_of;	/* the call that parameters was made for;
								 * NULL: none */
	Datum		parameters;		/* jsonb */
} Batch;

/* Writes the end of one call, and counts it in the batch's tallies. */
extern void settle_call(Batch *batch, Call *call);

/* ---- settle_ledger.c ---- */

/* Stores a complete HTTP 200 body in the ledger; late: another call has its queue row. */
extern void settle_reply(Batch *batch, Call *call, bool late, const char *reason);

/* Stores an accepted result. */
extern void settle_sample(Batch *batch, Call *call);

/* Queues what follows the batch's results, after all calls are written. */
extern void settle_followers(Batch *batch);

/* Adds the batch's tallies to llava_usage. */
extern void settle_usage(Batch *batch);

/* Values for call_run: text from outside, cleaned (NULL becomes null); others. */
extern NullableDatum settle_text(const char *words);
extern NullableDatum settle_value(Datum datum);
extern NullableDatum settle_number(int64 number, bool known);

#endif							/* LLAVA_SETTLE_ROWS_H */
