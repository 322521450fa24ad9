/*
 * pace.c
 *	  How many requests at once and how many a minute one server is sent.
 *
 * A single refusal does not show a limit: public endpoints refuse one request in a hundred
 * at random.  A limit shows in the share of requests that are refused, and in that share
 * following what is sent.  The level of what is sent is of one of two kinds: requests in
 * flight ("slots"), or, where refusals do not cease with that, requests a second, evenly
 * spaced ("rate").
 *
 * A server that takes N requests at once refuses 1 - N / level of them if the slot of a
 * refused request is left empty for about one latency, as long as an answer would have
 * taken.  Without that the few requests over the limit would be sent again and again.
 *
 * Grow: each success raises the level by one, as in TCP's slow start (RFC 5681), up to the
 * known limit or to max_in_flight.
 * Cut: a cumulative sum over what is sent detects a refused share of a half after some 14
 * requests and ignores one of 5 %.  What the server took becomes the limit; a second cut
 * soon after changes the kind.
 * Probe (pace_probe.c): now and then a little more than the limit is sent for about a
 * latency, and twice as much more each time nothing is refused, so that a doubled limit is
 * found within seconds.  A failed probe costs a few refusals; probes are spaced so that
 * these are about one request in a hundred.
 * Trial (pace_trial.c): where a steady share is refused that is too small for a cut, the
 * other kind is tried, then a lower level.  If refusals cease, a limit caused them; else
 * they are strays and are accepted.
 * Storm (pace_storm.c): nearly everything is refused.  One request at a time is sent, after
 * Retry-After or after waits that double.  Slow start then leads back to the earlier limit.
 * If two storms follow each other within a minute and a half, the quota of a minute was
 * perhaps used up: what was taken between them gives the limit as a rate.
 */
#include "pace_parts.h"

#include <math.h>
#include <string.h>

/* The level of a server of which nothing is known. */
#define FIRST_WINDOW 32.0

/*
 * The cumulative sum adds log-likelihood ratios of a refused share of 15 % against one of
 * 5 %.  A request counts as taken when it is sent, until it is refused: refusals come much
 * earlier than answers.
 */
#define TAKEN_SCORE 0.11
#define REFUSED_SCORE 1.21
#define CUT_SCORE 7.0

/* Of a rate, where refusals come evenly, less evidence is enough. */
#define RATE_CUT_SCORE 4.0

/* Requests over which means are taken: of the refused shares, and of latencies. */
#define SHARE_OVER 24.0
#define STORM_OVER 6.0
#define LATENCY_OVER 32.0

/*
 * At a rate: if refusals come when more requests are in flight than usual (in the mean of
 * CROWDED_OVER refusals by CROWDED standard deviations), the limit is one of slots.
 */
#define CROWDED 0.9
#define CROWDED_OVER 5
#define LOAD_OVER 256.0

/* A cut within this many latencies after another shows that the limit is not one of slots. */
#define SOON_ROUNDS 10

/* How far a request may be behind its turn without delaying the turns after it. */
#define EVEN_MS 10.0

void
vlm_pace_init(VlmPace *pace, int64_t now_ms)
{
	memset(pace, 0, sizeof(*pace));
	pace->max_in_flight = 1;
	pace->level = FIRST_WINDOW;
	pace->limit = NO_LIMIT;
	pace->seen.since_ms = pace->storm.last_ms = INT64_MIN;
	pace->refused.cut_ms = pace->probe.far_ms = INT64_MIN / 2;
	pace->probe.step = pace_least_step(pace);
	pace->minute.filled_ms = pace->kept.at_ms = now_ms;
	pace->taken.latest_since_ms = pace->storm.ended_ms = now_ms;
}

void
vlm_pace_limits(VlmPace *pace, int max_in_flight, int requests_per_minute,
				int64_t tokens_per_minute)
{
	pace->max_in_flight = max_in_flight < 1 ? 1 : max_in_flight;
	pace->minute.requests_limit = requests_per_minute;
	pace->minute.tokens_limit = tokens_per_minute;
}

void
vlm_pace_sent(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	pace_fill_credits(pace, tokens, now_ms);
	pace->in_flight++;
	if (pace->minute.requests_limit > 0)
		pace->minute.requests -= 1.0;
	if (pace->minute.tokens_limit > 0)
		pace->minute.tokens -= (double) tokens;
	pace->refused.score = pace_larger(pace->refused.score - TAKEN_SCORE, 0);
	pace->refused.share -= pace->refused.share / SHARE_OVER;
	pace->refused.latest_share -= pace->refused.latest_share / STORM_OVER;
	pace->seen.sent++;
	if (pace_is_rate(pace))
	{
		double		off = pace->in_flight - pace->load.mean;

		pace->turn.next_ms = pace_larger(pace->turn.next_ms, (double) now_ms - EVEN_MS) + 1000 / pace->level;
		if (pace->mode != VLM_PACE_PROBE)
		{
			pace->load.mean += off / LOAD_OVER;
			pace->load.variance += (off * off - pace->load.variance) / LOAD_OVER;
		}
	}
	pace_count_taken(pace, 1, now_ms);
}

/* Whether the level is what limits sending: if not, a probe would send nothing more. */
static bool
is_full(const VlmPace *pace, int64_t now_ms)
{
	if (pace_is_rate(pace))
		return pace->turn.waited;
	return pace->in_flight + pace_kept_empty(pace, now_ms) + 2 > pace->level * 0.95;
}

static void
grow(VlmPace *pace, int64_t now_ms)
{
	double		most = pace_target(pace);

	if (pace->level < most)
		pace->level = pace_smaller(pace->level + 1.0, most);
	else if (pace->limit < NO_LIMIT && now_ms >= pace->probe.not_before_ms && is_full(pace, now_ms))
		pace_begin_probe(pace, now_ms);
	else
	{
		pace->calm.sent++;
		pace_look_at_calm(pace, now_ms);
	}
}

static void
succeeded(VlmPace *pace, int64_t latency_ms, int64_t now_ms)
{
	double		over = pace_larger(pace->max_in_flight, LATENCY_OVER);

	pace->latency_ms += pace->latency_ms == 0 ? (double) latency_ms :
		((double) latency_ms - pace->latency_ms) / over;
	if (pace->storm.refusals > 0)
	{
		/* an answer to a request sent before the storm does not show its end */
		if (now_ms - latency_ms <= pace->storm.last_ms)
			return;
		pace_end_storm(pace, now_ms);
	}
	if (now_ms - latency_ms <= pace->seen.since_ms)
		return;
	pace->seen.answered++;
	pace->refused.limit_before = 0;
	if (pace->mode == VLM_PACE_PROBE)
	{
		pace->level = pace_smaller(pace->level + 1, pace->probe.to);
		if (pace_probe_is_over(pace, now_ms))
			pace_probe_succeeded(pace, now_ms);
	}
	else if (pace->mode == VLM_PACE_TRIAL)
	{
		if (pace_trial_is_over(pace))
			pace_end_trial(pace, now_ms);
	}
	else
		grow(pace, now_ms);
}

/* Counts a refusal at a rate; whether refusals come of too many in flight. */
static bool
is_crowded(VlmPace *pace)
{
	/* a probe has proportionally more in flight */
	double		off = pace->in_flight - pace->load.mean * pace_larger(pace->level / pace->limit, 1);

	pace->load.crowded += (off / sqrt(pace_larger(pace->load.variance, 0.25)) - pace->load.crowded) / CROWDED_OVER;
	return ++pace->load.refusals >= CROWDED_OVER && pace->load.crowded > CROWDED;
}

/*
 * Whether a cut shows a rate.  Refusals that begin only after several probes in a row had
 * succeeded come of a server that saves up what was not sent before.
 */
static bool
shows_rate(const VlmPace *pace, int64_t now_ms)
{
	double		soon = SOON_ROUNDS * pace_latency(pace);

	if (pace_is_rate(pace) || pace->mode != VLM_PACE_CALM)
		return false;
	if ((double) (now_ms - pace->probe.far_ms) < soon)
		return true;
	return !pace->trial.tried_rate && (double) (now_ms - pace->refused.cut_ms) < soon &&
		(double) pace->seen.answered >= pace->level;
}

/* Too much is refused: what was taken becomes the limit. */
static void
cut(VlmPace *pace, int64_t now_ms)
{
	double		taken = pace->level * (1 - pace->refused.share);
	bool		is_rate = shows_rate(pace, now_ms);

	pace->refused.cut_ms = now_ms;
	/* the share that was accepted as strays has to be found anew */
	pace->calm.stray = 0;
	pace->trial.not_before_ms = now_ms;
	pace->trial.wait_ms = 0;
	if (is_rate)
	{
		pace_set_kind(pace, VLM_PACE_RATE, pace_taken_rate(pace, now_ms) * 0.97, now_ms);
		pace_probe_after(pace, PROBE_MOST_MS, now_ms);
		return;
	}
	if (pace->refused.limit_before == 0)
		pace->refused.limit_before = pace->limit;
	if (pace_is_rate(pace))
		taken = pace_smaller(taken, pace_taken_rate(pace, now_ms));
	else
		taken = pace_smaller(taken, pace->refused.in_flight);
	pace_forget_calm(pace);
	pace_set_limit(pace, taken * 0.98, now_ms);
	pace->probe.step = pace_least_step(pace);
	pace_probe_after(pace, 0, now_ms);
}

static void
throttled(VlmPace *pace, int64_t sent_ms, int64_t retry_after_ms, bool budget_empty,
		  int64_t now_ms)
{
	if (!pace_is_rate(pace))
		pace_keep_empty(pace, now_ms);
	pace_count_taken(pace, -1, now_ms);
	if (budget_empty && retry_after_ms > 0)
		pace_wait_until(pace, VLM_PACE_RETRY_AFTER, now_ms + retry_after_ms);
	/* sent at an earlier level, of which enough is known */
	if (sent_ms <= pace->seen.since_ms)
		return;
	pace->seen.refused++;
	pace->refused.in_flight += pace->refused.in_flight == 0 ? pace->in_flight :
		(pace->in_flight - pace->refused.in_flight) / 4;
	pace->refused.score += REFUSED_SCORE;
	pace->refused.share += 1 / SHARE_OVER;
	/* requests that were sent together count once */
	if (sent_ms >= pace->refused.grew_ms)
	{
		pace->refused.latest_share += 1 / STORM_OVER;
		pace->refused.grew_ms = now_ms;
	}
	if (pace_is_rate(pace) && pace->storm.refusals == 0 && is_crowded(pace))
	{
		pace_set_kind(pace, VLM_PACE_SLOTS, pace->refused.in_flight * 0.98, now_ms);
		pace->trial.tried_rate = true;
		pace_probe_after(pace, 0, now_ms);
	}
	else if (pace->mode == VLM_PACE_PROBE && pace_probe_is_refused(pace))
		pace_probe_failed(pace, sent_ms, now_ms);
	else if (pace_is_storm(pace, now_ms))
		pace_storm(pace, retry_after_ms, now_ms);
	else if (pace->refused.score > (pace_is_rate(pace) ? RATE_CUT_SCORE : CUT_SCORE))
		cut(pace, now_ms);
	else if (pace->mode == VLM_PACE_TRIAL && pace_trial_has_failed(pace))
		pace_end_trial(pace, now_ms);
	else if (pace->mode == VLM_PACE_CALM)
		pace->calm.refused++;
}

void
vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms, int64_t retry_after_ms,
			   bool budget_empty, int64_t forecast_tokens, int64_t actual_tokens, int64_t now_ms)
{
	if (pace->in_flight > 0)
		pace->in_flight--;
	if (actual_tokens >= 0 && pace->minute.tokens_limit > 0)
		pace->minute.tokens += (double) (forecast_tokens - actual_tokens);
	if (action == VLM_THROTTLE)
		throttled(pace, now_ms - latency_ms, retry_after_ms, budget_empty, now_ms);
	else if (action == VLM_DONE || action == VLM_IMAGE_FAULT || action == VLM_FILTERED)
		succeeded(pace, latency_ms, now_ms);
}

static int64_t
not_after(int64_t at_ms, int64_t latest_ms)
{
	return at_ms < latest_ms ? at_ms : latest_ms;
}

void
vlm_pace_clock_set_back(VlmPace *pace, int64_t now_ms, int64_t longest_ms)
{
	int64_t    *past[] = {
		&pace->kept.at_ms, &pace->refused.grew_ms, &pace->refused.cut_ms,
		&pace->taken.latest_since_ms, &pace->seen.since_ms, &pace->probe.chain_began_ms, &pace->probe.far_ms,
		&pace->trial.began_ms, &pace->storm.began_ms, &pace->storm.last_ms,
		&pace->storm.ended_ms, &pace->minute.filled_ms
	};
	int64_t    *future[] = {
		&pace->wait.not_before_ms, &pace->wait.until_ms, &pace->probe.not_before_ms,
		&pace->trial.not_before_ms
	};

	for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++)
		*past[i] = not_after(*past[i], now_ms);
	for (size_t i = 0; i < sizeof(future) / sizeof(future[0]); i++)
		*future[i] = not_after(*future[i], now_ms + longest_ms);
	if (pace->turn.next_ms > (double) (now_ms + longest_ms))
		pace->turn.next_ms = (double) (now_ms + longest_ms);
}
