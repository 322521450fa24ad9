/*
 * pace_limit.c
 *	  What is known of a server's limit: its kind, the level, and what the server took.
 */
#include "pace_parts.h"

/* What was taken is counted in two spans, each of at least this many requests and ms. */
#define TAKEN_REQUESTS 40
#define TAKEN_MS 1000

void
pace_set_level(VlmPace *pace, double level, int64_t now_ms)
{
	/* the slots that were left empty are those above the new level */
	if (level < pace->level)
		pace->kept.slots = 0;
	pace->level = pace_is_rate(pace) ? pace_larger(level, 0.01) : pace_larger(level, 1);
	pace->seen.since_ms = now_ms;
	pace->refused.score = 0;
	pace->seen.sent = pace->seen.refused = pace->seen.answered = 0;
	pace->refused.in_flight = 0;
}

void
pace_set_limit(VlmPace *pace, double limit, int64_t now_ms)
{
	pace->limit = pace_is_rate(pace) ? pace_larger(limit, 0.01) : pace_larger(limit, 1);
	if (!pace_is_rate(pace) && pace->limit >= pace->max_in_flight)
		pace->limit = NO_LIMIT;
	pace->mode = VLM_PACE_CALM;
	pace_set_level(pace, pace_target(pace), now_ms);
}

void
pace_set_kind(VlmPace *pace, VlmPaceKind kind, double limit, int64_t now_ms)
{
	pace->kind = kind;
	pace->turn.next_ms = (double) now_ms;
	pace->kept.slots = 0;
	pace->load.mean = pace->load.variance = pace->in_flight;
	pace->load.crowded = 0;
	pace->load.refusals = 0;
	pace->probe.step = pace_least_step(pace);
	pace_set_limit(pace, limit, now_ms);
}

double
pace_calm_share(const VlmPace *pace)
{
	return pace->calm.sent < 50 ? 0 : (double) pace->calm.refused / (double) pace->calm.sent;
}

void
pace_forget_calm(VlmPace *pace)
{
	pace->calm.sent = pace->calm.refused = 0;
}

void
pace_count_taken(VlmPace *pace, int change, int64_t now_ms)
{
	if (pace->taken.latest >= TAKEN_REQUESTS && now_ms - pace->taken.latest_since_ms >= TAKEN_MS)
	{
		pace->taken.before = pace->taken.latest;
		pace->taken.before_for_ms = now_ms - pace->taken.latest_since_ms;
		pace->taken.latest = 0;
		pace->taken.latest_since_ms = now_ms;
	}
	pace->taken.latest += change;
	pace->storm.taken_since += change;
	pace->probe.chain_taken += change;
}

double
pace_taken_rate(const VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (pace->taken.before_for_ms + now_ms - pace->taken.latest_since_ms);

	return ms < 1 ? 1 : pace_larger((double) (pace->taken.before + pace->taken.latest), 1) * 1000 / ms;
}
