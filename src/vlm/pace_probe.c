/*
 * pace_probe.c
 *	  Probes: a little more than the limit is sent, to find out whether the limit has grown.
 */
#include "pace_parts.h"

#include <math.h>

/* The largest share of the limit that is tried beyond it. */
#define STEP_MOST 0.5

/* After this many times the first step several probes in a row have succeeded. */
#define FAR_STEPS 8

/*
 * Probes are at least PROBE_ROUNDS latencies and PROBE_MS apart, or RATE_PROBE_LEAST_MS at
 * a rate; and at most PROBE_MOST_MS, or as long as ANSWERS_A_REFUSAL answers take for each
 * request that a probe may have refused.
 */
#define PROBE_ROUNDS 2
#define PROBE_MS 300
#define ANSWERS_A_REFUSAL 100.0
#define RATE_PROBE_LEAST_MS 1500

/* A probe of a rate ends when it has sent this many ms' worth of requests beyond the limit. */
#define RATE_PROBE_MS 100

/* Requests that one latency takes in at the limit. */
static double
in_a_round(const VlmPace *pace)
{
	return pace_is_rate(pace) ? pace->limit * pace_latency(pace) / 1000 : pace->limit;
}

void
pace_probe_after(VlmPace *pace, double wait_ms, int64_t now_ms)
{
	double		round = pace_latency(pace);
	double		least = pace_larger(PROBE_ROUNDS * round, pace_is_rate(pace) ? RATE_PROBE_LEAST_MS : PROBE_MS);
	double		extra = pace_is_rate(pace) ? 1 : pace_larger(SLOTS_STEP * pace->limit, 1);
	double		most = pace_larger(ANSWERS_A_REFUSAL * extra * round / in_a_round(pace),
								   PROBE_MOST_MS);

	pace->probe.wait_ms = pace_larger(pace_smaller(wait_ms, most), least);
	pace->probe.not_before_ms = now_ms + (int64_t) pace->probe.wait_ms;
}

void
pace_begin_probe(VlmPace *pace, int64_t now_ms)
{
	double		more = pace->limit * pace->probe.step;

	if (pace->probe.step <= pace_least_step(pace))
	{
		pace->probe.chain_limit = pace->limit;
		pace->probe.chain_taken = 0;
		pace->probe.chain_began_ms = now_ms;
	}
	/* a rate is raised at once, slots one by one as answers come */
	pace->probe.to = pace_is_rate(pace) ? pace->limit + more : floor(pace->limit + pace_larger(more, 1));
	pace_set_level(pace, pace_is_rate(pace) ? pace->probe.to : floor(pace->limit + 1), now_ms);
	/* what is sent in this very millisecond counts */
	pace->seen.since_ms = now_ms - 1;
	pace->mode = VLM_PACE_PROBE;
}

void
pace_probe_succeeded(VlmPace *pace, int64_t now_ms)
{
	pace_set_limit(pace, pace->level, now_ms);
	pace->calm.lowered = 0;
	pace->probe.step = pace_smaller(pace->probe.step * 2, STEP_MOST);
	if (pace->probe.step >= FAR_STEPS * pace_least_step(pace))
		pace->probe.far_ms = now_ms;
	pace->probe.wait_ms = 0;
	pace->probe.not_before_ms = now_ms;
}

bool
pace_probe_is_over(const VlmPace *pace, int64_t now_ms)
{
	if (pace_is_rate(pace))
		return pace->seen.answered >= 4 &&
			(double) (now_ms - pace->seen.since_ms) >= RATE_PROBE_MS / pace->probe.step;
	return pace->seen.answered >= 4 && (double) pace->seen.answered >= pace->level / 2;
}

bool
pace_probe_is_refused(const VlmPace *pace)
{
	double		due = pace->calm.stray * (double) pace->seen.sent;

	return (double) pace->seen.refused > (due < 0.5 ? 0 : due + 2 * sqrt(due));
}

/*
 * The limit after a failed probe.  At a rate a token bucket of the server's may have let
 * the probes before pass, so the rate is what was taken since the first of them.
 */
static double
found_by_probe(const VlmPace *pace, int64_t sent_ms, int64_t now_ms)
{
	double		taken;

	/*
	 * if the refusal took long, in_flight counts requests that were sent
	 * since
	 */
	if (!pace_is_rate(pace))
		return (double) (now_ms - sent_ms) > pace_latency(pace) / 4 ? pace->limit :
			pace_larger(pace->in_flight, pace->limit);
	taken = (double) pace->probe.chain_taken * 970 / (double) (now_ms - pace->probe.chain_began_ms + 1);
	return pace_smaller(pace_larger(taken, pace->probe.chain_limit), pace->limit);
}

void
pace_probe_failed(VlmPace *pace, int64_t sent_ms, int64_t now_ms)
{
	bool		far = pace->probe.step > pace_least_step(pace);

	pace_set_limit(pace, found_by_probe(pace, sent_ms, now_ms), now_ms);
	pace->probe.step = pace_least_step(pace);
	pace_probe_after(pace, far ? 0 : pace->probe.wait_ms * 2, now_ms);
}
