/*
 * suspects.h
 *	  Which picture takes its server down.
 *
 * Requests that are lost together say that the server died, not of which of them.  Each
 * is a suspect: it is asked again in smaller company, in the end alone, and cleared by
 * any answer.  Company is how many may be in flight at the server at a time, the suspect
 * included.  Plain data that the owner of a server's limits keeps under its lock; what
 * "in flight" means is then as wide as those limits hold: for all processes, or for one.
 */
#ifndef LLAVA_SUSPECTS_H
#define LLAVA_SUSPECTS_H

#include "vlm/vlm.h"


/* What the end of a request says about whether its server lives. */
typedef enum ServerSign
{
	SIGN_NONE,					/* nothing: throttled, timed out, another
								 * error */
	SIGN_ANSWER,				/* it worked on the picture, and lives */
	SIGN_UNREACHED,				/* nobody listens there */
	SIGN_LOST,					/* the connection broke under the request */
	SIGN_GATEWAY				/* what stands before it says that it is gone */
} ServerSign;

extern ServerSign suspects_sign(const VlmOutcome *outcome);

/* Whose request it was. */
typedef struct SuspectRow
{
	int64		image;
	uint32		task;			/* hash of its name */
	bool		sent;			/* the whole request: it may have done harm */
} SuspectRow;

/* What a loss means. */
typedef struct Loss
{
	uint64		event;			/* it was not alone: what became of the others
								 * tells after wait_ms; 0: it was alone, or is
								 * no loss */
	int64		wait_ms;
	int			lost;			/* by now, of so many in flight */
	int			in_flight;
	bool		alone;			/* nothing else was in flight */
	bool		counts;			/* alone: as an attempt */
	bool		kills;			/* alone, and so it was when the server died
								 * before */
	bool		outage;			/* the server is not there, whoever asks */
} Loss;

/* Requests that were lost within a moment. */
typedef struct LossEvent
{
	uint64		number;
	int64		begun_ms;
	int			in_flight;		/* when it began */
	int			lost;
	int			answers;		/* that came meanwhile */
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
	ServerSign	seen;			/* the last sign that was one */
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
 * A request ended; in_flight counts it.  row is NULL where it is no row of the queue's.
 * Fills *loss.
 */
extern void suspects_ended(Suspects *suspects, ServerSign sign, int in_flight,
						   const SuspectRow *row, int64 now_ms, Loss *loss);

/*
 * Whether the server died of what was lost then, and in which company those that were
 * in flight are asked again.  What is forgotten counts as a death.
 */
extern bool suspects_died(const Suspects *suspects, uint64 event, int *company);

/*
 * 0: a request of this company (0: any) may be sent where so many are in flight; else
 * milliseconds until it is worth asking again.
 */
extern int64 suspects_wait(Suspects *suspects, int company, int in_flight, int64 now_ms);

/*
 * Whether suspects that have no room go before all others.  Where what is in flight does not
 * end, because it hangs or sessions ask without a pause, they take turns.
 */
extern bool suspects_first(const Suspects *suspects, int64 now_ms);

/* A suspect is sent, or so many are back. */
extern void suspects_sent(Suspects *suspects, int company, int64 now_ms);
extern void suspects_back(Suspects *suspects, int n, int64 now_ms);

/* Somebody has set the clock back: nothing is held up until the time that it was. */
extern void suspects_clock_set_back(Suspects *suspects, int64 now_ms);

/* Whether suspects are being tried. */
extern bool suspects_trial(const Suspects *suspects, int64 now_ms);

#endif							/* LLAVA_SUSPECTS_H */
