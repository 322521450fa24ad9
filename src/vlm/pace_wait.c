/*
 * pace_wait.c
 *	  When the next request may be sent, and what it waits for.
 */
#include "pace_parts.h"

#include <math.h>

double
vlm_pace_allowed(const VlmPace *pace)
{
	if (pace->storm.refusals > 0)
		return 1;
	return pace_is_rate(pace) ? pace->max_in_flight : pace_smaller(pace->level, pace->max_in_flight);
}

double
pace_kept_empty(const VlmPace *pace, int64_t now_ms)
{
	double		age = (double) (now_ms - pace->kept.at_ms);

	return pace->kept.slots * exp(-(age > 0 ? age : 0) / pace_latency(pace));
}

void
pace_keep_empty(VlmPace *pace, int64_t now_ms)
{
	pace->kept.slots = pace_kept_empty(pace, now_ms) + 1;
	pace->kept.at_ms = now_ms;
}

/* Milliseconds until a slot may be used; -1: when a request in flight ends. */
static int64_t
wait_for_slot(const VlmPace *pace, int64_t now_ms)
{
	double		free_slots = vlm_pace_allowed(pace) - pace->in_flight;
	double		kept = pace_kept_empty(pace, now_ms);

	/* the count decays and never reaches 0: below a half it is none */
	if (pace->in_flight == 0 && kept < 0.5)
		return 0;
	if (free_slots < 1)
		return pace->in_flight > 0 ? -1 : 0;
	free_slots = floor(free_slots) - 0.5;
	return kept <= free_slots ? 0 : (int64_t) (log(kept / free_slots) * pace_latency(pace)) + 1;
}

/* At a rate: milliseconds until the turn of the next request. */
static int64_t
wait_for_turn(const VlmPace *pace, int64_t now_ms)
{
	double		wait = pace->turn.next_ms - (double) now_ms;

	return !pace_is_rate(pace) || pace->storm.refusals > 0 || wait <= 0 ? 0 : (int64_t) wait + 1;
}

int64_t
vlm_pace_wait(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	int64_t		wait;

	if (now_ms < pace->wait.not_before_ms)
		return pace->wait.not_before_ms - now_ms;
	pace->wait.reason = VLM_PACE_NOTHING;
	wait = wait_for_slot(pace, now_ms);
	if (wait == 0)
	{
		wait = wait_for_turn(pace, now_ms);
		pace->turn.waited = wait > 0;
	}
	return wait != 0 ? wait : pace_wait_for_credit(pace, tokens, now_ms);
}

void
pace_wait_until(VlmPace *pace, VlmPaceWait reason, int64_t at_ms)
{
	if (at_ms <= pace->wait.not_before_ms)
		return;
	pace->wait.not_before_ms = pace->wait.until_ms = at_ms;
	pace->wait.reason = reason;
}

void
vlm_pace_forget_wait(VlmPace *pace)
{
	pace->wait.not_before_ms = 0;
	pace->wait.reason = VLM_PACE_NOTHING;
	pace->kept.slots = 0;
}

VlmPaceWait
vlm_pace_waits_for(const VlmPace *pace, int64_t now_ms, int64_t *until_ms)
{
	*until_ms = pace->wait.until_ms;
	return now_ms < pace->wait.until_ms ? pace->wait.reason : VLM_PACE_NOTHING;
}

const char *
vlm_pace_held_down_by(const VlmPace *pace, int64_t now_ms)
{
	int64_t		until_ms;

	switch (vlm_pace_waits_for(pace, now_ms, &until_ms))
	{
		case VLM_PACE_RETRY_AFTER:
			return "Retry-After";
		case VLM_PACE_STORM:
			return "throttling";
		case VLM_PACE_REQUESTS:
			return "requests_per_minute";
		case VLM_PACE_TOKENS:
			return "tokens_per_minute";
		case VLM_PACE_NOTHING:
			break;
	}
	if (pace->storm.refusals > 0 || (pace_is_rate(pace) && pace->turn.waited))
		return "throttling";
	if (pace_is_rate(pace) || pace->level >= pace->max_in_flight)
		return "max_in_flight";
	if (pace->mode == VLM_PACE_CALM && pace->level < pace_target(pace))
		return "slow start";
	return "throttling";
}
