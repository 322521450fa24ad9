/*
 * pace.c
 *	  How many requests at once and how many a minute one server is sent.
 *
 * The window grows as TCP's does (RFC 5681): by one a success up to the threshold,
 * by one a window's worth of successes beyond; throttling halves it, at most once
 * a second, since the requests in flight are throttled together.
 */
#include "vlm.h"

#include <string.h>

#define FIRST_WINDOW 32.0
#define HALVE_AGAIN_MS 1000

void
vlm_pace_init(VlmPace *pace, int64_t now_ms)
{
	memset(pace, 0, sizeof(*pace));
	pace->max_in_flight = 1;
	pace->window = FIRST_WINDOW;
	pace->threshold = 1e9;
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
grow(VlmPace *pace)
{
	pace->window += pace->window < pace->threshold ? 1.0 : 1.0 / pace->window;
	if (pace->window > pace->max_in_flight)
		pace->window = pace->max_in_flight;
}

static void
halve(VlmPace *pace, int64_t now_ms)
{
	if (pace->halved_ms != 0 && now_ms - pace->halved_ms < HALVE_AGAIN_MS)
		return;
	pace->halved_ms = now_ms;
	pace->window /= 2;
	if (pace->window < 1.0)
		pace->window = 1.0;
	pace->threshold = pace->window;
}

void
vlm_pace_ended(VlmPace *pace, VlmAction action, int64_t latency_ms, int64_t retry_after_ms,
			   int64_t forecast_tokens, int64_t actual_tokens, int64_t now_ms)
{
	(void) latency_ms;
	if (pace->in_flight > 0)
		pace->in_flight--;
	if (actual_tokens >= 0)
		pace->token_credit += (double) (forecast_tokens - actual_tokens);
	if (action == VLM_THROTTLE)
	{
		halve(pace, now_ms);
		if (retry_after_ms > 0 && now_ms + retry_after_ms > pace->not_before_ms)
			pace->not_before_ms = now_ms + retry_after_ms;
	}
	else if (action == VLM_DONE || action == VLM_IMAGE_FAULT || action == VLM_FILTERED)
		grow(pace);
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
