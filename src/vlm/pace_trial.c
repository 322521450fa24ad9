/*
 * pace_trial.c
 *	  Trials: whether few but steady refusals come of a limit, or are strays.
 */
#include "pace_parts.h"

#include <math.h>

/*
 * A trial begins after TRIAL_REFUSALS refusals that are TRIAL_SHARE of what was sent, or
 * more, lowers the level by TRIAL_MOST at most, and ends when at the old share TRIAL_DUE
 * refusals would have come.  With up to TRIAL_LEFT of them they have ceased.
 */
#define TRIAL_REFUSALS 12
#define TRIAL_SHARE 0.01
#define TRIAL_MOST 0.15
#define TRIAL_DUE 8.0
#define TRIAL_LEFT 1

/* The next trial comes after TRIAL_WAITS times as long as this one took. */
#define TRIAL_WAITS 20
#define TRIAL_WAIT_FIRST_MS 30000
#define TRIAL_WAIT_MOST_MS 300000

/*
 * A rate is lowered after RATE_REFUSALS refusals, and given up at the LOWERED_MOST-th time;
 * counting begins anew when CALM_ENOUGH requests were sent with fewer refusals.
 */
#define RATE_REFUSALS 3
#define LOWERED_MOST 4
#define CALM_ENOUGH 600

/* The largest share that is accepted as strays. */
#define STRAY_MOST 0.06

/* Tries as much as before at a rate, or, if the trial before did that, a lower level. */
static void
begin_trial(VlmPace *pace, int64_t now_ms)
{
	double		less = pace_smaller(pace_larger(2.5 * pace_calm_share(pace), 0.05), TRIAL_MOST);

	pace->trial.kind = pace->kind;
	pace->trial.limit = pace->limit;
	pace->trial.level = pace->level;
	pace->trial.began_ms = now_ms;
	pace->trial.share = pace_calm_share(pace);
	if (!pace->trial.tried_rate)
	{
		pace_set_kind(pace, VLM_PACE_RATE, pace_taken_rate(pace, now_ms) * 0.97, now_ms);
		pace->trial.tried_rate = true;
	}
	else
		pace_set_level(pace, pace_smaller(floor(pace->level * (1 - less)), pace->level - 1), now_ms);
	pace->mode = VLM_PACE_TRIAL;
}

/* Refusals are strays: the next trial is put off, each time for longer. */
static void
believe_strays(VlmPace *pace, double share, double wait_ms, int64_t now_ms)
{
	pace->calm.stray = pace_smaller(share, STRAY_MOST);
	pace->trial.wait_ms = pace_smaller(pace_larger(wait_ms, 2 * pace->trial.wait_ms), TRIAL_WAIT_MOST_MS);
	pace->trial.not_before_ms = now_ms + (int64_t) pace->trial.wait_ms;
}

bool
pace_trial_has_failed(const VlmPace *pace)
{
	return pace->seen.refused > TRIAL_LEFT;
}

bool
pace_trial_is_over(const VlmPace *pace)
{
	return (double) (pace->seen.answered + pace->seen.refused) * pace->trial.share >= TRIAL_DUE;
}

void
pace_end_trial(VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (now_ms - pace->trial.began_ms);

	pace_forget_calm(pace);
	if (!pace_trial_has_failed(pace))
	{
		pace->calm.stray = 0;
		pace->calm.lowered = 0;
		pace_set_limit(pace, pace->level, now_ms);
		pace_probe_after(pace, PROBE_MOST_MS, now_ms);
		return;
	}
	/* after a rate a lower level is tried; after that nothing for long */
	if (pace->trial.kind == pace->kind)
	{
		pace->trial.tried_rate = false;
		believe_strays(pace, pace->trial.share, ms * TRIAL_WAITS, now_ms);
	}
	pace->kind = pace->trial.kind;
	pace->limit = pace->trial.limit;
	pace->probe.step = pace_least_step(pace);
	pace->mode = VLM_PACE_CALM;
	pace_set_level(pace, pace->trial.level, now_ms);
}

/*
 * At a rate the refused share is just what is over the limit, and is taken off.  If
 * refusals go on after several times, the limit is not a rate, and they are strays.
 */
static void
lower_rate(VlmPace *pace, int64_t now_ms)
{
	double		share = pace_calm_share(pace);

	pace_forget_calm(pace);
	if (++pace->calm.lowered < LOWERED_MOST)
	{
		pace_set_limit(pace, pace->limit * (0.99 - pace_smaller(share, TRIAL_MOST)), now_ms);
		return;
	}
	pace->calm.lowered = 0;
	pace_set_kind(pace, VLM_PACE_SLOTS, NO_LIMIT, now_ms);
	believe_strays(pace, share, TRIAL_WAIT_FIRST_MS, now_ms);
}

void
pace_look_at_calm(VlmPace *pace, int64_t now_ms)
{
	if (pace->calm.sent >= 4096)
	{
		pace->calm.sent /= 2;
		pace->calm.refused /= 2;
	}
	if (pace->calm.refused < (pace_is_rate(pace) ? RATE_REFUSALS : TRIAL_REFUSALS) ||
		pace_calm_share(pace) < TRIAL_SHARE)
	{
		if (pace->calm.sent >= CALM_ENOUGH)
		{
			pace->calm.lowered = 0;
			pace->calm.stray = pace_smaller(pace->calm.stray, pace_calm_share(pace));
		}
		return;
	}
	if (pace_is_rate(pace))
		lower_rate(pace, now_ms);
	else if (pace->level >= 2 && now_ms >= pace->trial.not_before_ms)
		begin_trial(pace, now_ms);
}
