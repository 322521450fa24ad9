/*
 * failures.h
 *	  What one server says in place of answers, and whether that is its own fault.
 *
 * Plain data in the server's Limits, under their lock.  A picture that is refused fails;
 * but where picture after picture is refused in the same words, and none is answered,
 * the server is to blame, whatever the words are.
 */
#ifndef LLAVA_FAILURES_H
#define LLAVA_FAILURES_H

#include "utils/timestamp.h"
#include "vlm/vlm.h"


typedef struct Failures
{
	uint64		run;			/* which url and model; another is another run */
	bool		answered;		/* in this run */
	int			unanswered;		/* first attempts since an answer that failed
								 * as those do whose picture or server is to
								 * blame */
	uint64		said;			/* the words of the last refusal since an
								 * answer; 0: none */
	int			in_a_row;		/* pictures that were refused in these words */
	uint64		guilty;			/* the words that the server is to blame for;
								 * 0: none */

	/* rows that failed for these words go back to the queue */
	uint64		owed;			/* 0: none do */
	char		owed_reason[24];	/* they failed as this */
	TimestampTz owed_until;		/* DT_NOEND: as long as the server is guilty */
} Failures;

/* What is asked from now on.  Everything begins anew where that is another server. */
extern void failures_ask(Failures *failures, const char *url, const char *model);

/* A request ended, anybody's. */
extern void failures_note_end(Failures *failures, const VlmOutcome *outcome);

/*
 * A request failed as those do whose picture or whose server is to blame.  True where
 * it is the server: so many pictures in a row failed at their first attempt, with no
 * answer in between.
 */
extern bool failures_are_outage(Failures *failures, bool first_attempt);

/*
 * What a request brought in place of an answer.  True where the server is to blame for
 * it: so many pictures in a row were told the same at their first attempt, or so many
 * replies held thinking only, with no answer in between.  A content filter is not to
 * blame at a server that has answered.
 */
extern bool failures_blame(Failures *failures, const VlmOutcome *outcome, bool first_attempt);

/* The pause is over: the server is taken for well until the same begins anew. */
extern void failures_forgive(Failures *failures);

/* These words turned out to be about the server: what failed for them before goes back. */
extern void failures_owe(Failures *failures, const VlmOutcome *outcome);

/* Whether rows are to go back now. */
extern bool failures_are_owed(const Failures *failures);

#endif							/* LLAVA_FAILURES_H */
