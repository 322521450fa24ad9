/*
 * pace_credit.c
 *	  The quotas of a minute: credit of requests and of tokens, which grows with time.
 */
#include "pace_parts.h"

/* The most that may be saved up: the quota of a second, but enough for one request. */
static double
burst(double per_minute, double least)
{
	double		second = per_minute / 60.0;

	return second > least ? second : least;
}

void
pace_fill_credits(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	double		minutes = (double) (now_ms - pace->minute.filled_ms) / 60000.0;
	double		most;

	pace->minute.filled_ms = now_ms;
	if (minutes < 0)
		return;
	pace->minute.requests += minutes * pace->minute.requests_limit;
	most = burst(pace->minute.requests_limit, 1.0);
	if (pace->minute.requests > most)
		pace->minute.requests = most;
	pace->minute.tokens += minutes * (double) pace->minute.tokens_limit;
	most = burst((double) pace->minute.tokens_limit, (double) tokens);
	if (pace->minute.tokens > most)
		pace->minute.tokens = most;
}

/* Milliseconds until this much credit has come in. */
static int64_t
wait_for(double missing, double per_minute)
{
	return missing <= 0 ? 0 : (int64_t) (missing / per_minute * 60000.0) + 1;
}

int64_t
pace_wait_for_credit(VlmPace *pace, int64_t tokens, int64_t now_ms)
{
	int64_t		wait = 0;
	int64_t		other;

	pace_fill_credits(pace, tokens, now_ms);
	if (pace->minute.requests_limit > 0)
		wait = wait_for(1.0 - pace->minute.requests, pace->minute.requests_limit);
	pace->wait.reason = wait > 0 ? VLM_PACE_REQUESTS : VLM_PACE_NOTHING;
	if (pace->minute.tokens_limit > 0)
	{
		other = wait_for((double) tokens - pace->minute.tokens, (double) pace->minute.tokens_limit);
		if (other > wait)
		{
			wait = other;
			pace->wait.reason = VLM_PACE_TOKENS;
		}
	}
	pace->wait.until_ms = now_ms + wait;
	return wait;
}
