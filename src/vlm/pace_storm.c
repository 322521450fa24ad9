/*
 * pace_storm.c
 *	  Storms: nearly everything is refused, and one request at a time is sent.
 */
#include "pace_parts.h"

/*
 * The refused share of the latest requests that is a storm; within STORM_AGAIN_MS of the
 * end of a long one a smaller share is enough.
 */
#define STORM_SHARE 0.85
#define STORM_AGAIN_SHARE 0.4
#define STORM_AGAIN_MS 90000

/* The wait after a refusal without Retry-After, doubled by each further refusal. */
#define STORM_WAIT_MS 100
#define STORM_WAIT_MAX_MS 10000

/* A storm this long may be the rest of a minute whose quota is used up. */
#define LONG_STORM_MS 1000

/* Whether a long storm ended recently, as happens where a quota of a minute is used up. */
static bool
was_storm(const VlmPace *pace, int64_t now_ms)
{
	return pace->storm.had_long && now_ms - pace->storm.ended_ms < STORM_AGAIN_MS;
}

void
pace_end_storm(VlmPace *pace, int64_t now_ms)
{
	double		ms = (double) (now_ms - pace->storm.ended_ms);
	bool		again = was_storm(pace, now_ms);

	pace->storm.refusals = 0;
	pace->refused.share = pace->refused.latest_share = 0;
	pace->refused.score = 0;
	if (now_ms - pace->storm.began_ms < LONG_STORM_MS)
		return;
	if (again && ms > 0 && pace->storm.taken_since > 0)
	{
		pace_set_kind(pace, VLM_PACE_RATE, (double) pace->storm.taken_since * 1000 / ms, now_ms);
		pace_probe_after(pace, PROBE_MOST_MS, now_ms);
	}
	pace->storm.taken_since = 0;
	pace->storm.ended_ms = now_ms;
	pace->storm.had_long = true;
}

static int64_t
storm_wait_ms(int refusals)
{
	int64_t		wait = STORM_WAIT_MS;

	for (int i = 1; i < refusals && wait < STORM_WAIT_MAX_MS; i++)
		wait *= 2;
	return wait < STORM_WAIT_MAX_MS ? wait : STORM_WAIT_MAX_MS;
}

bool
pace_is_storm(const VlmPace *pace, int64_t now_ms)
{
	return pace->storm.refusals > 0 ||
		pace->refused.latest_share > (was_storm(pace, now_ms) ? STORM_AGAIN_SHARE : STORM_SHARE);
}

void
pace_storm(VlmPace *pace, int64_t retry_after_ms, int64_t now_ms)
{
	if (pace->storm.refusals++ == 0)
		pace->storm.began_ms = now_ms;
	pace->storm.last_ms = now_ms;
	if (pace->refused.limit_before > 0)
		pace->limit = pace->refused.limit_before;
	pace->mode = VLM_PACE_CALM;
	/* slow start leads back to the limit; a rate needs none */
	pace_set_level(pace, pace_is_rate(pace) ? pace->limit : 1, now_ms);
	if (retry_after_ms > 0)
		pace_wait_until(pace, VLM_PACE_RETRY_AFTER, now_ms + retry_after_ms);
	else
		pace_wait_until(pace, VLM_PACE_STORM, now_ms + storm_wait_ms(pace->storm.refusals));
}
