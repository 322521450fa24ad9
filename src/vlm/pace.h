/*
 * pace.h
 *	  How many requests at once and how many a minute one server is sent.
 *
 * Part of the room's header: vlm.h includes it, behind the VlmAction that it needs.
 */
#ifndef LLAVA_PACE_H
#define LLAVA_PACE_H

/* What is tried with a server at the moment. */
typedef enum VlmPaceMode
{
	VLM_PACE_CALM,				/* nothing: what it is known to take is sent */
	VLM_PACE_PROBE,				/* more than the limit */
	VLM_PACE_TRIAL				/* less, or evenly: do refusals cease? */
} VlmPaceMode;

/* What the level counts. */
typedef enum VlmPaceKind
{
	VLM_PACE_SLOTS,				/* requests in flight */
	VLM_PACE_RATE				/* requests a second, sent evenly */
} VlmPaceKind;

/* What the next request waits for, if not for the end of another. */
typedef enum VlmPaceWait
{
	VLM_PACE_NOTHING,
	VLM_PACE_RETRY_AFTER,
	VLM_PACE_STORM,				/* nearly everything is refused, without a
								 * Retry-After */
	VLM_PACE_REQUESTS,			/* requests_per_minute */
	VLM_PACE_TOKENS				/* tokens_per_minute */
} VlmPaceWait;

/* Slots of refused requests that are left empty: their count at at_ms, decaying since. */
typedef struct VlmPaceKept
{
	double		slots;
	int64_t		at_ms;
} VlmPaceKept;

/* At a rate: the turn of the next request. */
typedef struct VlmPaceTurn
{
	double		next_ms;
	bool		waited;			/* the latest look at it had to wait */
} VlmPaceTurn;

/*
 * At a rate: how many are in flight, and how many more when requests are refused, which
 * tells a limit of slots.
 */
typedef struct VlmPaceLoad
{
	double		mean;
	double		variance;
	double		crowded;		/* mean excess at refusals, in standard
								 * deviations */
	int			refusals;		/* that crowded is the mean of */
} VlmPaceLoad;

/* What is refused. */
typedef struct VlmPaceRefused
{
	double		score;			/* cumulative sum for a share that is too
								 * large */
	double		share;			/* of the latest requests */
	double		latest_share;	/* of the very latest, for storms */
	int64_t		grew_ms;		/* when latest_share last grew */
	double		in_flight;		/* at refusals, mean */
	double		limit_before;	/* before cuts without a success in between;
								 * 0: there was none */
	int64_t		cut_ms;			/* the latest cut */
} VlmPaceRefused;

/* What the server took, in two spans of time one after the other. */
typedef struct VlmPaceTaken
{
	int64_t		latest;
	int64_t		latest_since_ms;
	int64_t		before;
	int64_t		before_for_ms;	/* how long that span was */
} VlmPaceTaken;

/* What became of requests since the level is as it is. */
typedef struct VlmPaceSeen
{
	int64_t		since_ms;
	int64_t		sent;
	int64_t		refused;
	int64_t		answered;
} VlmPaceSeen;

/* More than the limit, to find out whether it has grown. */
typedef struct VlmPaceProbe
{
	double		step;			/* share of the limit that is tried beyond it */
	double		to;				/* the level that it grows to */
	double		wait_ms;
	int64_t		not_before_ms;

	/* probes in a row, since the first of them */
	int64_t		chain_taken;
	int64_t		chain_began_ms;
	double		chain_limit;	/* before it */
	int64_t		far_ms;			/* when such a row last went far beyond the
								 * limit */
} VlmPaceProbe;

/* Another kind or a lower level, to find out whether refusals cease. */
typedef struct VlmPaceTrial
{
	int64_t		not_before_ms;
	double		wait_ms;
	bool		tried_rate;		/* by the trial before */

	/* as all was before it */
	int64_t		began_ms;
	VlmPaceKind kind;
	double		limit;
	double		level;
	double		share;			/* of refusals */
} VlmPaceTrial;

/* At levels at which nothing is tried. */
typedef struct VlmPaceCalm
{
	int64_t		sent;			/* and ended */
	int64_t		refused;
	double		stray;			/* share refused whatever is sent, as a trial
								 * has shown */
	int			lowered;		/* times in a row that a rate was lowered */
} VlmPaceCalm;

/* Nearly all is refused. */
typedef struct VlmPaceStorm
{
	int			refusals;		/* in it; 0: there is none */
	int64_t		began_ms;
	int64_t		last_ms;		/* the latest refusal: a success must have
								 * been sent after it */

	/* the one before */
	bool		had_long;		/* there was one that lasted */
	int64_t		ended_ms;
	int64_t		taken_since;
} VlmPaceStorm;

/* What all requests wait for, beside slots and turns. */
typedef struct VlmPaceDelay
{
	int64_t		not_before_ms;	/* Retry-After, or a storm's own wait */
	VlmPaceWait reason;			/* for people, until until_ms */
	int64_t		until_ms;
} VlmPaceDelay;

/* Requests and tokens a minute: the quotas, and the credit that is left of them. */
typedef struct VlmPaceMinute
{
	int			requests_limit; /* 0: none */
	int64_t		tokens_limit;	/* 0: none */
	double		requests;
	double		tokens;
	int64_t		filled_ms;		/* when the credits were last filled */
} VlmPaceMinute;

/*
 * One server's limits, plain data that may lie in shared memory under the
 * owner's lock.  What is sent follows the share of refused requests, not the single one
 * (pace.c says how); requests and tokens per minute are leaky buckets without a burst
 * of more than a second's worth (or one).
 */
typedef struct VlmPace
{
	/* in flight, at most and now */
	int			max_in_flight;
	int			in_flight;

	/* what may be sent */
	VlmPaceKind kind;
	double		level;			/* allowed now */
	double		limit;			/* of the server, as found; huge where none
								 * was */
	VlmPaceMode mode;

	/* when the next one may be sent */
	VlmPaceDelay wait;
	VlmPaceKept kept;
	VlmPaceTurn turn;
	VlmPaceMinute minute;

	/* what is known of the server */
	double		latency_ms;		/* mean of the answers' */
	VlmPaceTaken taken;
	VlmPaceRefused refused;
	VlmPaceLoad load;
	VlmPaceSeen seen;

	/* how its limit is found */
	VlmPaceProbe probe;
	VlmPaceTrial trial;
	VlmPaceCalm calm;
	VlmPaceStorm storm;
} VlmPace;

extern void vlm_pace_init(VlmPace *pace, int64_t now_ms);
extern void vlm_pace_limits(VlmPace *pace, int max_in_flight,
							int requests_per_minute, int64_t tokens_per_minute);

/*
 * 0: send now; else milliseconds until it is worth asking again (-1: when a
 * request in flight ends).  tokens: the forecast for this request.
 */
extern int64_t vlm_pace_wait(VlmPace *pace, int64_t tokens, int64_t now_ms);
extern void vlm_pace_sent(VlmPace *pace, int64_t tokens, int64_t now_ms);

/*
 * actual_tokens: usage's total, or -1 to keep the forecast.  retry_after_ms holds for the
 * server only in a storm, or where budget_empty says that nothing is left till then.
 */
extern void vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms,
						   int64_t retry_after_ms, bool budget_empty,
						   int64_t forecast_tokens, int64_t actual_tokens,
						   int64_t now_ms);

/* The most that may be in flight now. */
extern double vlm_pace_allowed(const VlmPace *pace);

/* Send at once, even if the server asked to wait. */
extern void vlm_pace_forget_wait(VlmPace *pace);

/* What the next request waits for, and until when. */
extern VlmPaceWait vlm_pace_waits_for(const VlmPace *pace, int64_t now_ms, int64_t *until_ms);

/* What keeps more requests from being sent, as shown to people; static. */
extern const char *vlm_pace_held_down_by(const VlmPace *pace, int64_t now_ms);

/* The clock was set back: no wait is longer than longest_ms, no event lies after now_ms. */
extern void vlm_pace_clock_set_back(VlmPace *pace, int64_t now_ms, int64_t longest_ms);

#endif							/* LLAVA_PACE_H */
