/*
 * pace.c
 *	  How many requests at once and how many a minute one server is sent.
 *
 * The window grows as TCP's does (RFC 5681): by one a success up to the threshold;
 * beyond, by one in the first window's worth of successes, two in the second, and
 * so on, the longer nothing is refused the faster.  Throttling halves it, once for
 * all the requests that were in flight together, and leaves the threshold a little
 * below what was too much: a server that takes so many and no more is nearly full
 * again after one latency.  While nothing but throttling comes the threshold stays, as
 * RFC 5681 (3.1) has it for a segment that is lost again, and each halving is followed
 * by a longer wait; a refusal on the way back up, the last of a storm perhaps, may be
 * of a window far below what the server takes, and no more than halves it.  Where the
 * server says Retry-After nothing is sent until then, and the threshold is not passed
 * for long enough to make that rare.
 */
#include "vlm.h"

#include <string.h>

#define FIRST_WINDOW 32.0
#define NO_THRESHOLD 1e9

/* The share of the window that was too much to which it grows fast again. */
#define THRESHOLD_SHARE 0.95

/* What Retry-After costs is earned so many times before more than the threshold is tried. */
#define HOLD_FACTOR 20

/* The wait after a halving that followed a halving; doubled by each further one. */
#define FRUITLESS_WAIT_MS 100
#define FRUITLESS_WAIT_MAX_MS 10000

void
vlm_pace_init(VlmPace *pace, int64_t now_ms)
{
	memset(pace, 0, sizeof(*pace));
	pace->max_in_flight = 1;
	pace->window = FIRST_WINDOW;
	pace->threshold = NO_THRESHOLD;
	pace->halved_ms = pace->storm_ms = INT64_MIN;
	pace->credit_ms = now_ms;
}

void
vlm_pace_limits(VlmPace *pace, int max_in_flight, int requests_per_minute,
				int64_t tokens_per_minute)
{
	pace->max_in_flight = max_in_flight < 1 ? 1 : max_in_flight;
	pace->requests_per_minute = requests_per_minute;
	pace->tokens_per_minute = tokens_per_minute;
}

/* A second's worth, or one: what may be sent in a burst. */
static double
burst(double per_minute, double least)
{
	double		second = per_minute / 60.0;

	return second > least ? second : least;
}

static void
fill_credits(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	double		minutes = (double) (now_ms - pace->credit_ms) / 60000.0;
	double		most;

	pace->credit_ms = now_ms;
	if (minutes < 0)
		return;
	pace->request_credit += minutes * pace->requests_per_minute;
	most = burst(pace->requests_per_minute, 1.0);
	if (pace->request_credit > most)
		pace->request_credit = most;
	pace->token_credit += minutes * (double) pace->tokens_per_minute;
	most = burst((double) pace->tokens_per_minute, (double) tokens);
	if (pace->token_credit > most)
		pace->token_credit = most;
}

/* Milliseconds until missing credit has come in at this rate. */
static int64_t
wait_for(double missing, double per_minute)
{
	return missing <= 0 ? 0 : (int64_t) (missing / per_minute * 60000.0) + 1;
}

int64_t
vlm_pace_wait(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	double		window = pace->window < pace->max_in_flight ? pace->window : pace->max_in_flight;
	int64_t		wait = 0;
	int64_t		other;

	if (now_ms < pace->not_before_ms)
		return pace->not_before_ms - now_ms;
	if (pace->in_flight > 0 && pace->in_flight + 1 > window)
		return -1;
	fill_credits(pace, tokens, now_ms);
	if (pace->requests_per_minute > 0)
		wait = wait_for(1.0 - pace->request_credit, pace->requests_per_minute);
	if (pace->tokens_per_minute > 0)
	{
		other = wait_for((double) tokens - pace->token_credit, (double) pace->tokens_per_minute);
		if (other > wait)
			wait = other;
	}
	return wait;
}

void
vlm_pace_sent(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	fill_credits(pace, tokens, now_ms);
	pace->in_flight++;
	pace->request_credit -= 1.0;
	pace->token_credit -= (double) tokens;
}

static void
succeeded(VlmPace *pace, int64_t sent_ms, int64_t now_ms)
{
	if (sent_ms > pace->storm_ms)
		pace->fruitless = 0;
	/* in a storm the answers to what was sent before it promise nothing */
	if (pace->fruitless > 1)
		return;
	if (pace->window < pace->threshold)
		pace->window = pace->window + 1.0 < pace->threshold ? pace->window + 1.0 : pace->threshold;
	else if (now_ms >= pace->hold_until_ms)
	{
		pace->step += 1.0 / pace->window;
		pace->window += pace->step / pace->window;
	}
	if (pace->window > pace->max_in_flight)
		pace->window = pace->max_in_flight;
}

static void
wait_until(VlmPace *pace, int64_t at_ms)
{
	if (at_ms > pace->not_before_ms)
		pace->not_before_ms = at_ms;
}

static int64_t
fruitless_wait_ms(int halvings)
{
	int64_t		wait = FRUITLESS_WAIT_MS;

	for (int i = 2; i < halvings && wait < FRUITLESS_WAIT_MAX_MS; i++)
		wait *= 2;
	return wait < FRUITLESS_WAIT_MAX_MS ? wait : FRUITLESS_WAIT_MAX_MS;
}

static void
lower_threshold(VlmPace *pace)
{
	double		least = pace->threshold < NO_THRESHOLD ? pace->threshold / 2 : 0;
	double		below = pace->window * THRESHOLD_SHARE;

	pace->threshold = below > least ? below : least;
}

static void
throttled(VlmPace *pace, int64_t sent_ms, int64_t retry_after_ms, int64_t now_ms)
{
	if (retry_after_ms > 0)
	{
		wait_until(pace, now_ms + retry_after_ms);
		pace->hold_until_ms = now_ms + HOLD_FACTOR * retry_after_ms;
	}
	/* sent before it was known that there were too many */
	if (sent_ms <= pace->halved_ms)
		return;
	pace->halved_ms = now_ms;
	pace->step = 0;
	pace->fruitless++;
	if (pace->fruitless == 1)
	{
		pace->storm_ms = now_ms;
		lower_threshold(pace);
	}
	else if (retry_after_ms <= 0)
		wait_until(pace, now_ms + fruitless_wait_ms(pace->fruitless));
	pace->window = pace->window > 2.0 ? pace->window / 2 : 1.0;
}

void
vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms, int64_t retry_after_ms,
			   int64_t forecast_tokens, int64_t actual_tokens, int64_t now_ms)
{
	if (pace->in_flight > 0)
		pace->in_flight--;
	if (actual_tokens >= 0)
		pace->token_credit += (double) (forecast_tokens - actual_tokens);
	if (action == VLM_THROTTLE)
		throttled(pace, now_ms - latency_ms, retry_after_ms, now_ms);
	else if (action == VLM_DONE || action == VLM_IMAGE_FAULT || action == VLM_FILTERED)
		succeeded(pace, now_ms - latency_ms, now_ms);
}

int64_t
vlm_backoff_ms(int attempt, int64_t base_ms, int64_t max_ms, uint64_t random)
{
	int64_t		ceiling = base_ms;

	for (int i = 1; i < attempt && ceiling < max_ms; i++)
		ceiling *= 2;
	if (ceiling > max_ms)
		ceiling = max_ms;
	/* full jitter over the upper half: never at once, never all together */
	return ceiling <= 1 ? ceiling : ceiling / 2 + (int64_t) (random % (uint64_t) (ceiling / 2 + 1));
}
