/*
 * suspects.h
 *	  Which picture crashes its server.
 *
 * Requests that are lost together show that the server died, not which of them it died
 * of.  Each is a suspect: it is sent again in smaller company, in the end alone, and is
 * cleared by any answer.  Company is how many requests may be in flight at the server
 * at a time, the suspect included.  Plain data in a server's Limits, under their lock;
 * "in flight" covers as many processes as those limits do: all of them, or one.
 */
#ifndef LLAVA_SUSPECTS_H
#define LLAVA_SUSPECTS_H

#include "vlm/vlm.h"


/* What the end of a request says about whether its server is alive. */
typedef enum ServerSign
{
	SIGN_NONE,					/* nothing: throttled, timed out, another
								 * error */
	SIGN_ANSWER,				/* it worked on the picture, and is alive */
	SIGN_UNREACHED,				/* nobody listens there */
	SIGN_LOST,					/* the connection broke under the request */
	SIGN_GATEWAY				/* a gateway before it says that it is gone */
} ServerSign;

extern ServerSign suspects_sign(const VlmOutcome *outcome);

/* The row that a request was made for. */
typedef struct SuspectRow
{
	int64		image;
	uint32		task;			/* hash of its name */
	bool		sent;			/* the request was sent whole: it may have
								 * done harm */
} SuspectRow;

/* What a loss means. */
typedef struct Loss
{
	uint64		event;			/* others were in flight: how they ended shows
								 * after wait_ms what the loss means; 0: it
								 * was alone, or is no loss */
	int64		wait_ms;
	int			lost;			/* so far, of those in flight */
	int			in_flight;
	bool		alone;			/* nothing else was in flight */
	bool		counts;			/* alone: it counts as an attempt */
	bool		kills;			/* alone, as it was when the server died
								 * before */
	bool		outage;			/* the server is down, whatever is sent */
} Loss;

/* Requests that were lost at about the same time. */
typedef struct LossEvent
{
	uint64		number;
	int64		begun_ms;
	int			in_flight;		/* when it began */
	int			lost;
	int			answers;		/* that came in the meantime */
} LossEvent;

#define LOSS_EVENTS 8

/* A picture that was alone in flight when the server was lost. */
typedef struct LoneLoss
{
	int64		image;			/* 0: free */
	uint32		task;
	bool		fresh;			/* no answer has come since */
	bool		died;			/* and the server was gone afterwards */
} LoneLoss;

#define LONE_LOSSES 16

typedef struct Suspects
{
	/* what is known of the server */
	ServerSign	seen;			/* the last sign other than SIGN_NONE */
	int64		dark_since_ms;	/* the first loss since an answer */

	/* losses */
	uint64		n_events;
	LossEvent	events[LOSS_EVENTS];	/* by number */
	LoneLoss	lone[LONE_LOSSES];
	int			next_lone;		/* the place to be used next */
	int64		lone_ms;		/* the last lone loss: when, of which */
	int64		last_image;
	uint32		last_task;
	int64		counted_ms;		/* when the last one counted as an attempt */

	/* trials */
	int			in_flight;		/* suspects */
	int			company;		/* the smallest that any of them may have */
	int64		wanted_ms;		/* until then the others leave room for one */
	int64		blocked_ms;		/* since when one has found none; 0: it has */
	int64		tried_ms;		/* when one was last sent, or wanted to be */
	bool		recorded;		/* llava_usage says that there is a trial */
} Suspects;

/*
 * A request ended; in_flight includes it.  row is NULL if it was not made for a row of
 * the queue.  Fills *loss.
 */
extern void suspects_ended(Suspects *suspects, ServerSign sign, int in_flight,
						   const SuspectRow *row, int64 now_ms, Loss *loss);

/*
 * Whether that loss was a death of the server, and in which company its requests are
 * sent again.  A loss that is no longer known counts as a death.
 */
extern bool suspects_died(const Suspects *suspects, uint64 event, int *company);

/*
 * 0: a request of this company (0: any) may be sent while this many are in flight; else
 * the milliseconds after which to ask again.
 */
extern int64 suspects_wait(Suspects *suspects, int company, int in_flight, int64 now_ms);

/*
 * Whether suspects that have no room go before all other requests.  If those in flight
 * do not end, because they hang or because sessions send without a pause, the two take
 * turns.
 */
extern bool suspects_first(const Suspects *suspects, int64 now_ms);

/* A suspect is sent, or n of them are back. */
extern void suspects_sent(Suspects *suspects, int company, int64 now_ms);
extern void suspects_back(Suspects *suspects, int n, int64 now_ms);

/* The clock was set back: nothing is held up until the time that it showed before. */
extern void suspects_clock_set_back(Suspects *suspects, int64 now_ms);

/* Whether suspects are being tried. */
extern bool suspects_trial(const Suspects *suspects, int64 now_ms);

#endif							/* LLAVA_SUSPECTS_H */
