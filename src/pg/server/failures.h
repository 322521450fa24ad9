/*
 * failures.h
 *	  What one server returns in place of answers, and whether the server is at fault.
 *
 * Plain data in the server's Limits, under their lock.  A picture that is refused
 * fails; but if picture after picture is refused with the same text and none is
 * answered, the server is at fault, whatever the text is.
 */
#ifndef LLAVA_FAILURES_H
#define LLAVA_FAILURES_H

#include "utils/timestamp.h"
#include "vlm/vlm.h"


typedef struct Failures
{
	uint64		run;			/* hash of url and model; another pair is
								 * another run */
	bool		answered;		/* in this run */
	int			unanswered;		/* first attempts since an answer that failed
								 * as a bad picture or a bad server makes them
								 * fail */
	uint64		said;			/* hash of the last refusal's text since an
								 * answer; 0: none */
	int			in_a_row;		/* pictures that were refused with this text */
	uint64		guilty;			/* the text that the server is at fault for;
								 * 0: none */

	/* rows that failed with this text go back to the queue */
	uint64		owed;			/* 0: none do */
	char		owed_reason[24];	/* they failed as this */
	TimestampTz owed_until;		/* DT_NOEND: as long as the server is guilty */
} Failures;

/*
 * The url and model that requests are sent to from now on; if they are others, all
 * counts start anew.
 */
extern void failures_ask(Failures *failures, const char *url, const char *model);

/* A request of any process ended. */
extern void failures_note_end(Failures *failures, const VlmOutcome *outcome);

/*
 * A request failed in a way that a bad picture or a bad server explains.  True if it is
 * the server: FAILURES_IN_A_ROW pictures failed at their first attempt with no answer
 * in between.
 */
extern bool failures_are_outage(Failures *failures, bool first_attempt);

/*
 * A request brought something in place of an answer.  True if the server is at fault:
 * FAILURES_IN_A_ROW pictures got the same text at their first attempt, or as many
 * replies held thinking only, with no answer in between.  At a server that has answered
 * before, a content filter's refusal is the picture's fault.
 */
extern bool failures_blame(Failures *failures, const VlmOutcome *outcome, bool first_attempt);

/* The pause is over: the server counts as healthy until it fails anew. */
extern void failures_forgive(Failures *failures);

/*
 * This text turned out to be about the server: rows that failed with it before go back.
 */
extern void failures_owe(Failures *failures, const VlmOutcome *outcome);

/* Whether rows are to go back to the queue now. */
extern bool failures_are_owed(const Failures *failures);

#endif							/* LLAVA_FAILURES_H */
